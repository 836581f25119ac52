/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_NOTE_H
#define REEVE_MANAGER_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "strlist.h"

/*
 * What the manager has to know of an agent when it starts again: agent.json
 * in the agent's directory, <state>/agents/NAME, or for one whose remains are
 * still to be removed <state>/agents/.gone/ID.
 *
 * It is written before anything else is made of the agent: so a manager that
 * is killed in the middle of a start leaves nothing that its successor does
 * not know to take back.
 */
enum note_state {
	NOTE_STARTING,		/* a start is under way, or was cut off */
	NOTE_LIVE,		/* it has a service */
	NOTE_ENDED,		/* it is kept, with identity and durables */
	NOTE_GONE,		/* durables and ACL record are to be removed */
};

struct note {			/* strings: malloc'd, NULL if there is none */
	char			*name, *id;
	enum note_state		 state;
	char			*ref;		/* it was started by */
	char			*role;
	char			*agent;		/* its connector */
	char			*spawner;	/* id of who started it */
	char			*run_id;	/* of a launch spec */
	char			*requested;	/* its name there */
	char			*hash;		/* and there */
	char			*persona;	/* path of a generated file */
	char			*policy;	/* of restarts */
	bool			 spawn;		/* it may start others */
	bool			 provisioned;	/* durables may exist */
	bool			 stopping;	/* it is told to end at once */
	int64_t			 started_ms;	/* epoch */
	int64_t			 ended_ms;	/* 0: not */
	int64_t			 cools_ms;	/* until then; 0: not */
	int64_t			 exit_code;	/* -1: not known */
	int64_t			 exit_signal;	/* 0: none */
};

/* Zero it first; free with note_free also after an error.  EX_NOINPUT: there
 * is none; EX_DATAERR: it cannot be read, and says which. */
int	note_load(struct note *, const char *dir, struct error *);
/* Whole or not at all, 0600; the directory is made, 0700. */
int	note_save(const struct note *, const char *dir, struct error *);
void	note_free(struct note *);
/* Has its terminal written, into exit.json, that the child has ended for
 * good?  How is then in the note. */
bool	note_exit(struct note *, const char *dir);

/* malloc'd <state>/agents/NAME, and <state>/agents/.gone/ID. */
char	*note_dir(const struct config *, const char *name);
char	*note_gone_dir(const struct config *, const char *id);
/* The names of the agents that have a note, or the ids of those gone.  None
 * at all is no error. */
int	note_list(const struct config *, bool gone, struct strlist *,
	    struct error *);
/* Remove a directory and what is in it; what is not there is removed. */
int	note_dir_remove(const char *dir, struct error *);
/* Remove all that is in it but the note. */
int	note_dir_strip(const char *dir, struct error *);

#endif
