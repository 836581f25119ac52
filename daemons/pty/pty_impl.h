/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PTY_IMPL_H
#define REEVE_PTY_IMPL_H

#include <limits.h>

#include "attach.h"
#include "child.h"
#include "conf.h"
#include "deaths.h"
#include "launchplan.h"
#include "link.h"
#include "screen.h"

/*
 * The terminal of one agent.  pty.c has the loop, and the parts are
 *
 *	child	the program	link	the connection
 *	screen	what it shows	attach	who watches
 *	note	the files that say how it is; and the state message
 *	record	how it ended, for those who look after the host
 *	upgrade	to a newer version of ourselves
 */
struct pty {
	struct config		 config;
	const char		*agent;		/* its name */
	char			 id[ID_MAX];	/* its id */
	char			 identity[IDENTITY_MAX];
	char			*dir;		/* <state>/agents/NAME */
	char			*creds_path;
	struct launch_plan	 plan;
	struct child		 child;
	struct screen		*screen;
	struct link		 link;
	struct attach		 attach;
	int			 signal_fd, lock_fd, notify_fd;
	char			 exe[PATH_MAX];	/* our program */
	int64_t			 still_ms;	/* the child is not read
						   before this */
	struct bytes		 live;		/* of what was just fed */
	bool			 stop;		/* told to end */
	bool			 told;		/* ... by the supervisor */
	pid_t			 ended_pid;	/* a child's, whose end is to
						   be recorded; 0: none */
	bool			 dismissed;	/* nothing to record of us */
	bool			 upgrade;	/* told to hand over */
	bool			 changed;	/* the state is to be said */
	int64_t			 said_ms;
};

/* --- note.c --------------------------------------------------------------- */

/* The id that the manager noted in agent.json, and the identity
 * <connector>-<name> of the peer. */
int	note_id(struct pty *, struct error *);
/* What a predecessor left: how its child ended, and whether for good.  One
 * that did not end in order has lost it. */
void	note_resume(struct pty *);
/* run.json while there is a child to come back to, exit.json when it has
 * ended for good, neither when we were told to end. */
void	note_write(struct pty *);
/* "exit" or "signal" of the child that has ended, as members. */
void	note_end(const struct child *, cJSON *);
/* The state message, on `reeve.<space>.pty.<id>.state`. */
void	note_say(struct pty *);

/* --- record.c ------------------------------------------------------------------ */

/* We were told to end: is it the supervisor's wish? */
void	record_told(struct pty *);
/* The child `pid` has ended, itself or since we were told to end. */
void	record_child(struct pty *, pid_t);
/* Nobody is left of it: record its end, unless that was meant; and that there
 * is nothing to record of our own, once it has ended for good. */
void	record_end(struct pty *);
/* We end in order. */
void	record_exit(struct pty *);

/* --- upgrade.c -------------------------------------------------------------- */

/* Execute our program anew with all that we hold.  Returns only when that
 * cannot be done: as before, then. */
void	upgrade_exec(struct pty *, char **argv);
/* In the new one: take over what is behind this descriptor, the screen and
 * the child among it. */
int	upgrade_take(struct pty *, int fd, struct error *);

/* The screen's callbacks; arg is the struct pty. */
extern const struct screen_ops pty_screen_ops;

#endif
