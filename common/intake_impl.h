/* SPDX-License-Identifier: ISC */
#ifndef REEVE_INTAKE_IMPL_H
#define REEVE_INTAKE_IMPL_H

#include "intake.h"

/*
 * What the parts of an intake share: intake_recover.c brings back what an
 * earlier worker had in hand and finds what of it is gone, intake.c has all
 * else.  Nobody else includes this.
 */
RB_HEAD(holding, held);

enum phase {
	PHASE_HASTE,		/* the ack wait is lowered */
	PHASE_RECOVER,		/* until all that is owed is back */
	PHASE_COUNT,		/* what of the earlier worker's is gone */
	PHASE_RUN,
};

/* Sequences that are no longer stored: so many of them, from first to last. */
struct gone {
	uint64_t	first_seq, last_seq;
	uint64_t	n;
};

struct intake {
	struct bus		*bus;
	struct intake_conf	 conf;
	struct pull		 pull;
	struct holding		 holding;
	size_t			 n, n_low;	/* in hand; at or below D */
	size_t			 bytes;		/* in hand */
	size_t			 unsettled;
	uint64_t		 settled, stored_seq;
	uint64_t		 arrivals;
	uint64_t		 scan_seq;	/* none untaken below */
	uint64_t		 high_seq;	/* the newest taken in, or D */
	enum phase		 phase;
	uint64_t		 frontier_seq;	/* D of the design */
	uint64_t		 seen_seq;	/* D, or what is known better */
	uint64_t		 owed;		/* pending at or below it */
	uint64_t		 next_delivery;	/* consumer sequence */
	bool			 gap;		/* some went elsewhere */
	int64_t			 bound_ms, progress_ms, asked_ms, hastened_ms;
	int64_t			 kept_ms, phantom_ms;
	uint64_t		 walk_seq;
	uint64_t		 redelivered_then;
	bool			 suspect;	/* phantoms, at the last look */
	struct gone		 terminated;	/* and not known to be let go */
	uint64_t		 phantom_pending; /* when they were begun */
	struct gone		 phantoms;	/* let go while recovering */
	uint64_t		 was_in_hand;	/* of the earlier worker: at
						   most; 0: nothing to count */
	uint64_t		 count_seq, count_from_seq;
	struct gone		 missing;	/* of these */
	uint64_t		 told_seq;	/* losses up to here are told */
	int64_t			 stalled_until_ms, backoff_ms;
	/* A store has failed: one message at a time until one is stored, or
	 * those in flight behind it may be stored before it. */
	bool			 probing;
	bool			 stopped;	/* the last answer frees it */
	struct intake_counts	 counts;
	uint64_t		 newest_seq;	/* delivered here */
	uint64_t	 n_behind;	/* the last delivery, in the stream */
	int64_t		 burst_us;	/* the first that had any behind it */
	int64_t			 newest_ms;
	bool			 unsure;	/* something never came back */
};

/* intake.c */
RB_PROTOTYPE(holding, held, entry, held_cmp)
struct held *intake_find(struct intake *, uint64_t seq);
/* How many the next process is to know of, as in struct intake_progress. */
void	intake_note_hand(struct intake *);

/* intake_recover.c */
/* Bound to a consumer of whose last worker this much is known. */
int	intake_recover_begin(struct intake *, const struct js_consumer *,
	    struct error *);
/* Every turn until PHASE_RUN, and when deliveries went elsewhere. */
int	intake_recover(struct intake *, struct error *);
/* Every turn in PHASE_RUN. */
int	intake_watch_phantoms(struct intake *, struct error *);

#endif
