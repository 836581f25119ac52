/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_CREW_H
#define REEVE_T_CREW_H

#include "creds.h"
#include "space.h"
#include "supervised.h"

/*
 * A space with a workspace, its signer and its manager; and agents that it
 * really runs.
 */
#define COUNT(v)	(sizeof(v) / sizeof((v)[0]))
#define SECRET		"REEVE_TEST_SECRET"	/* of the supervisor's */
#define CALL_MS		10000

extern char	answer[65536];		/* what a command said last */
extern char	ws[200];		/* the workspace */

/* A space with a workspace, set up; and run by a supervisor that finds the
 * programs of <dir>/bin, and whose SECRET no agent may see. */
void	crew_space(void);
void	crew_start(void);
/* Both, without the roles of delivery; with personas critic (role reviewer), lead (may spawn),
 * again and failing (started again on failure), brief (ends with 3), chatty,
 * deaf (ends by SIGKILL alone) and absent (no program).  Most note what they
 * were given in <dir>/said.<name>. */
void	crew_setup(void);
/* Their programs and files, made again. */
void	make_agents(void);
void	write_file(const char *path, const char *text, mode_t mode);
/* An agent file of this ref; lines: more of its head. */
void	persona(const char *ref, const char *lines);

/* `reeve ps`, parsed; the caller's. */
cJSON	*ps(const char *options);
int	count(const char *options);
/* It serves again. */
void	await_manager(void);
/* A member of one, copied into a ring; NULL: there is no such agent. */
const char *of_agent(const char *name, const char *member);
bool	agent_is(const char *name, const char *status);
/* A file below the directory of the test. */
bool	there(const char *file, const char *name);
int	unlink_in(const char *file);
/* A process of an agent; 0: none lives. */
pid_t	process_of(const char *name);
bool	has_process(const char *name);
uint64_t consumers(enum stream_kind);
/* An agent of the persona critic: what its program was given; what is there
 * of it on disk and at the broker. */
void	check_said(const char *name);
void	check_made(const char *name);
/* Nothing is there of any agent: no file, no service, no durable. */
void	check_nothing(const char *when);
/* The same soon: what is forgotten by and by. */
void	await_nothing(const char *when);

void	spawn(const char *what);
void	stop(const char *what);
pid_t	reeve_in_background(const char *args, const char *file);

/* An agent's own calls, with its credentials. */
struct caller {
	struct creds	 creds;
	struct bus	*bus;
};

void	become(struct caller *, const char *name);
void	leave(struct caller *);
/* "ok", or the error; from: NULL is its own id. */
const char *ask_as(struct caller *, const char *tier, const char *op,
	    const char *args, const char *from);
const char *ask(struct caller *, const char *tier, const char *op,
	    const char *args);
#define SAYS(said, part)						\
	do {								\
		const char *s_ = (said);				\
									\
		ck_assert_msg(strstr(s_, part) != NULL, "%s", s_);	\
	} while (0)

#endif
