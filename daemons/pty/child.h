/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PTY_CHILD_H
#define REEVE_PTY_CHILD_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "launchplan.h"

/*
 * The program in the terminal: started on a pseudo-terminal of its own,
 * ended with all that it began, started again as its policy says.
 *
 * Owned by the loop of pty.c: it reads `master` when that is readable, calls
 * child_reap at a SIGCHLD and child_tend when child_due says so.
 */
#define CHILD_INPUT_MAX		(1024 * 1024)

enum child_state {
	CHILD_WAITING,		/* to be started at due_ms */
	CHILD_RUNNING,
	CHILD_ENDING,		/* it, or what it left behind, is being ended */
	CHILD_OVER,		/* for good */
};

struct child {
	struct launch_plan	*plan;
	const char		*dir;		/* of the agent */
	unsigned		 rows, cols;	/* in force */

	enum child_state	 state;
	int			 master;	/* -1: none */
	pid_t			 pid;		/* 0: none */
	int			 status;	/* of wait(2), of the last */
	bool			 ended;		/* the last one has, `status` */
	bool			 stopping;	/* told to: no restart */
	unsigned		 starts;
	int64_t			 started_ms, due_ms, backoff_ms;
	char			*control;	/* path of the socket; NULL */
	/* keys to press at the start */
	size_t			 key;
	unsigned		 pressed;
	int64_t			 key_ms;	/* 0: none left */
	/* what the child has not taken yet */
	char			*input;
	size_t			 input_len, input_cap;
};

/* plan and dir outlive it; the control socket's variables go to the plan. */
void	child_init(struct child *, struct launch_plan *, const char *dir);
/* Closes and frees; ends nothing. */
void	child_free(struct child *);

/* Close its terminal, once there is no more to be read. */
void	child_close(struct child *);

/* Up to size bytes of its output: 0 when there is none now, -1 at the end. */
ssize_t	child_read(struct child *, char *buf, size_t size);
/* Bytes for it to read; false when there are CHILD_INPUT_MAX already. */
bool	child_type(struct child *, const void *data, size_t len);
/* Write what is waiting; call when the master is writable. */
void	child_write(struct child *);
/* No more keys are pressed for it: somebody does so himself. */
void	child_hands_off(struct child *);
void	child_resize(struct child *, unsigned rows, unsigned cols);
/* End all of it: SIGTERM, 3 s, SIGKILL. */
void	child_stop(struct child *);
/* One that is being ended: SIGKILL now. */
void	child_hurry(struct child *);
/* Take who has ended; true when the state has changed. */
bool	child_reap(struct child *);
/* When child_tend is to be called, by clock_ms; INT64_MAX: need not. */
int64_t	child_due(const struct child *);
/* What is due: a start, a key, a signal.  True when the state has changed. */
bool	child_tend(struct child *);

#endif
