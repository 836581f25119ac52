/* SPDX-License-Identifier: ISC */
#ifndef REEVE_LOSSES_H
#define REEVE_LOSSES_H

#include "bus.h"

/*
 * Messages that were evicted from a stream before a worker was done with
 * them.  Each loss is counted, logged, and kept in the worker's mark, which
 * outlives its process, until a letter that tells it is stored in DEAD.
 */
struct loss {
	uint64_t	after_seq, before_seq;	/* somewhere between */
	uint64_t	n;
	uint64_t	at_most;	/* n is a bound: some may be done */
};

#define LOSSES_KEPT	8		/* more are told as one */

/* Part of a worker's mark: see worker.h. */
struct loss_page {
	struct loss	v[LOSSES_KEPT];
	uint64_t	n;
};

struct losses {
	/* set by the worker; all outlive it */
	struct loss_page *page;
	const char	*stream, *filter;
	const char	*dead_subject;

	uint64_t	 total;		/* messages, in this process */
	struct bus	*bus;
	bool		 asking;	/* the oldest one's letter is out */
	int64_t		 again_ms;
	uint64_t	 seen_seq;	/* the newest looked at, or D */
	uint64_t	 look_seq;	/* a jump is looked through up to */
	uint64_t	 gone;		/* found in it so far */
};

/* The durable is bound, and all up to seen_seq had been delivered before. */
void	losses_bind(struct losses *, struct bus *, uint64_t seen_seq);
void	losses_add(struct losses *, uint64_t after_seq, uint64_t before_seq,
	    uint64_t n, bool at_most);
/*
 * The message seq is about to be worked on: what lies between it and the
 * newest before, and is not merely another subject's, was evicted unread.
 * 1: known; 0: a long jump, call again for seq in a later turn; -1: *e.
 */
int	losses_see(struct losses *, uint64_t seq, struct error *);
/* Every turn: has letters stored.  -1: the connection is gone. */
int	losses_tend(struct losses *, struct error *);

#endif
