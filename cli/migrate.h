/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MIGRATE_H
#define REEVE_MIGRATE_H

#include "cli.h"
#include "layout.h"
#include "names.h"

/*
 * The parts of `reeve migrate` (reeve-migrate(7)).  The space is another
 * implementation's until all that can be looked at has been looked at and
 * nothing stands in the way: looking takes a credential that can change
 * nothing, and what is made after that is made by the parts of `reeve init`.
 *
 * Each thing that was looked at, or done, is a step: a line, or an element of
 * the array of --json:
 *
 *	{step: "ok"|"note"|"would"|"done"|"stop", about, text,
 *	 delivered?, acknowledged?, unacknowledged?, pending?}	a durable's
 *
 *	ok	as it should be
 *	note	otherwise than expected, and left so
 *	would	is to be done; without --dry-run it is, later
 *	done	was done
 *	stop	stands in the way: nothing is changed
 */
enum step { STEP_OK, STEP_NOTE, STEP_WOULD, STEP_DONE, STEP_STOP };

struct migrate {
	struct cli	*cli;
	bool		 dry;
	const char	*trust_path;
	const char	*fanout_from;
	int64_t		 wait_ms;	/* so long for who serves to let go */
	struct config	 want;		/* settings, there or to be */
	bool		 first;		/* to be */
	struct trust	 trust;
	struct creds	 creds;
	struct bus	*bus;
	cJSON		*steps;		/* NULL: lines */
	struct error	 stop;		/* the first; code 0: there is none */
	/* what was found */
	bool		 stream[N_STREAMS], bucket[N_BUCKETS];
	struct layout	 layout;
	size_t		 open;		/* memberships */
	bool		 served;	/* a lease is this host's */
	bool		 stands_by;	/* it is another host's of reeve */
};

/* About what it is, and a sentence.  The element, to add to; NULL: a line. */
cJSON	*migrate_step(struct migrate *, enum step, const char *about,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Something stands in the way; code is the exit's if it is the first. */
void	migrate_stop(struct migrate *, int code, const char *about,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* --- looking: 0 when there was an answer, whatever it was; -1 with *e ------- */

/* A connection with this profile, and the space's trust: for 15 minutes, and
 * what is waited. */
int	migrate_connect(struct migrate *, enum profile, unsigned shards,
	    struct creds *, struct bus **, struct error *);
/* Streams and buckets; settings that are to be take theirs. */
int	migrate_look_at_streams(struct migrate *, struct error *);
/* Fan-out's and reader's durables, of the layout's number of shards. */
int	migrate_look_at_durables(struct migrate *, struct error *);
/* Those that agents take from: how many. */
int	migrate_look_at_agents(struct migrate *, struct error *);
/* Memberships, the layout among them, and access records. */
int	migrate_look_at_records(struct migrate *, struct error *);
/* What a channel is that nobody has said anything of. */
int	migrate_look_at_defaults(struct migrate *, struct error *);
/* Is the space free?  Waits for that, unless something else is in the way. */
int	migrate_look_at_leases(struct migrate *, struct error *);
/* Has reeve let the space go, here and on every host?  Waits likewise. */
int	migrate_look_at_end(struct migrate *, struct error *);
/* Has a host taken it again since? */
int	migrate_look_at_rest(struct migrate *, struct error *);
/* 1: a shard's lease is held by this host's reeve, and ready; 0: not. */
int	migrate_is_served(struct migrate *, unsigned shard, bool *ready,
	    struct error *);

/* --- the way back ------------------------------------------------------------- */

/* The durables as the other implementation makes them; cursors stay. */
int	migrate_restore_durables(struct migrate *, struct error *);
int	migrate_back(struct migrate *, struct error *);

#endif
