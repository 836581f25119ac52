/* SPDX-License-Identifier: ISC */
#ifndef REEVE_LAUNCHPLAN_H
#define REEVE_LAUNCHPLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "strlist.h"

/*
 * What an agent's terminal process is to run: <state>/agents/<name>/
 * launch.json.  The manager writes it, reeve-pty(8) reads it:
 *
 *	{"argv":["sh","-c","..."],	a program by its name or its path
 *	 "env":{"K":"V"},		set for the child
 *	 "pass":["HOME"],		taken from the terminal process's own
 *	 "cwd":"/abs",
 *	 "keys":[{"text":"\r","after_ms":1000,"times":5}],
 *	 "policy":"never|on-failure|always",
 *	 "cols":120, "rows":32, "history":1000,
 *	 "control":true}
 *
 * argv and cwd must be there; the others have these defaults: nothing, and
 * `never`, 120, 32, 1000, false.  An unknown field is an error.
 */
#define LAUNCH_TEXT_MAX		(1024 * 1024)	/* bytes of the file */
#define LAUNCH_WORD_MAX		(128 * 1024 - 1) /* what execve(2) takes */
#define LAUNCH_WORDS_MAX	1024		/* of argv, env and pass each */
#define LAUNCH_KEYS_MAX		16
#define LAUNCH_PRESS_MAX	256		/* bytes of one key press */
#define LAUNCH_COLS		120
#define LAUNCH_ROWS		32
#define LAUNCH_HISTORY		1000

enum launch_policy { LAUNCH_NEVER, LAUNCH_ON_FAILURE, LAUNCH_ALWAYS };

/* Written to the terminal `times` times: first after_ms after the start of
 * the child, then each after_ms after the one before. */
struct launch_key {
	char		*text;		/* owned */
	int64_t		 after_ms;	/* 0 .. 600000 */
	unsigned	 times;		/* 1 .. 100 */
};

struct launch_plan {
	struct strlist		argv;
	struct strlist		env;		/* "K=V" each */
	struct strlist		pass;		/* names */
	char			*cwd;
	struct launch_key	keys[LAUNCH_KEYS_MAX];
	size_t			n_keys;
	enum launch_policy	policy;
	unsigned		cols, rows;	/* 2 .. 1000 */
	unsigned		history;	/* rows: 0 .. 100000 */
	bool			control;	/* make a control socket */
};

/* Empty, with the defaults.  All others need it first. */
void	launch_plan_init(struct launch_plan *);
/* Also after a failure; leaves it as launch_plan_init does. */
void	launch_plan_free(struct launch_plan *);
/* Set a variable, in the place of one of that name.  EX_DATAERR: not a name,
 * or a value that is not UTF-8; EX_OSERR. */
int	launch_plan_set(struct launch_plan *, const char *name,
	    const char *value, struct error *);
/* EX_DATAERR: too many, too long; EX_OSERR. */
int	launch_plan_press(struct launch_plan *, const char *text,
	    int64_t after_ms, unsigned times, struct error *);
/* A variable that is set: its value, a view; NULL when there is none. */
const char *launch_plan_get(const struct launch_plan *, const char *name);

/* Into one that is initialized; it is to be freed in any case.  EX_DATAERR
 * with what is wrong, and where. */
int	launch_plan_read(struct launch_plan *, const char *text, size_t len,
	    struct error *);
/* The text, malloc'd.  NULL: EX_DATAERR where launch_plan_read would refuse
 * it, EX_OSERR. */
char	*launch_plan_text(const struct launch_plan *, struct error *);
/* The file: read (a private one only, no symbolic link), and written 0600,
 * whole or not at all.  Errors of files.h. */
int	launch_plan_load(struct launch_plan *, const char *path,
	    struct error *);
int	launch_plan_save(const struct launch_plan *, const char *path,
	    struct error *);

/*
 * The child's whole environment: of `from` (an environ) the variables that
 * are passed, then those that are set; of a name that is both, the one that
 * is set.  NULL-terminated, malloc'd with its strings; launch_environ_free.
 * NULL: out of memory.
 */
char	**launch_plan_environ(const struct launch_plan *, char *const *from);
void	launch_environ_free(char **);

/* "on-failure"; and back: -1 when there is no such policy. */
const char *launch_policy_name(enum launch_policy);
int	launch_policy_by_name(enum launch_policy *, const char *);
/* [A-Za-z_][A-Za-z0-9_]*, at most 128 bytes. */
bool	launch_is_variable(const char *);

#endif
