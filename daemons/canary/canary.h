/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CANARY_H
#define REEVE_CANARY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "conf.h"
#include "deaths.h"

/*
 * Watches the supervisor and the terminal process of each agent, and records
 * the end of one that nobody meant to end.  canary.c has the loop, and
 *
 *	places		whom to watch: the service directories
 *	list		who is watched: in memory and on disk
 *	record		what the end of one was, and the line about it
 *	evidence	what the kernel says about a death
 *
 * It signals nobody and starts nothing.
 */
#define GRACE_MS	2000	/* for a dismissal that is under way */
#define LOOK_MS		30000	/* at all places, whatever they tell */

struct server {
	char		 identity[IDENTITY_MAX];
	char		 service[NAME_MAX + 1];	/* "": the supervisor */
	struct life	 life;
	int		 fd;		/* pidfd; -1: it was dead when found */
	int		 dir_fd;	/* its service directory; -1: none */
	bool		 told;		/* it was, to end */
	int64_t		 due_ms;	/* it is dead, and decided then; 0: it
					   lives */
	char		*forensics;	/* path, from when its record is begun
					   on; else NULL */
	/* what there was when it was last looked at; -1: not known */
	char		*events;	/* of its cgroup's memory: the file */
	int64_t		 cgroup_ooms, host_ooms;
};

struct place {
	char		 name[NAME_MAX + 1];
	int		 wd, supervise_wd;	/* -1: not watched */
	bool		 dirty, seen;
};

struct canary {
	struct config	 config;
	int		 lock_fd, notify_fd, signal_fd;
	int		 state_fd;	/* the state directory */
	struct server	*servers;
	size_t		 n_servers;
	bool		 unsaved;	/* the list on disk is another */
	bool		 running;	/* as the list says of us */
	bool		 lost;		/* our predecessor did not end in
					   order */
	int64_t		 stop_ms;	/* told to end, by then; 0: not */
	/* places.c */
	struct place	*places;
	size_t		 n_places;
	int		 inotify_fd, service_wd;
	bool		 relist;	/* services have come or gone */
	int64_t		 look_ms;	/* when all are looked at */
};

/* --- places.c ---------------------------------------------------------------- */

void	places_open(struct canary *);
void	places_close(struct canary *);
/* The descriptor is readable: note what has changed. */
void	places_read(struct canary *);
/* Look where something has, and watch whom that shows. */
void	places_look(struct canary *);

/* --- list.c ------------------------------------------------------------------ */

/* Take over what a predecessor has left on disk; the dead among them are to
 * be decided about. */
void	list_load(struct canary *);
/* Write it, if it has changed. */
void	list_save(struct canary *);
/* Watch the process; nothing happens when it is watched already, or is no
 * more. */
void	list_add(struct canary *, const char *identity, const char *service,
	    pid_t);
void	list_drop(struct canary *, size_t i);
void	list_free(struct canary *);
/* In the dismissals' sweep: is it one of ours?  arg is the canary. */
bool	list_has(void *arg, const struct life *);

/* --- record.c ---------------------------------------------------------------- */

/* The process of this one is dead. */
void	record_death(struct server *);
/* Note that it was told to end, should it be. */
void	record_told(struct canary *, struct server *);
/* The dead ones: drop whom somebody meant to end; record who is due. */
void	record_due(struct canary *);

/* --- evidence.c -------------------------------------------------------------- */

enum cause { CAUSE_OOM, CAUSE_KILLED, CAUSE_VANISHED };

/* Of one that lives: where its cgroup counts, and the counts as they are. */
void	evidence_look(struct server *);
/* How it ended, as a shell says it (128 + signal); -1: nobody knows. */
int	evidence_status(const struct server *);
enum cause evidence_cause(const struct server *, int status);
void	evidence_write(FILE *, const struct server *, int status,
	    enum cause);
extern const char *const cause_names[];

#endif
