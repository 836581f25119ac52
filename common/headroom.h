/* SPDX-License-Identifier: ISC */
#ifndef REEVE_HEADROOM_H
#define REEVE_HEADROOM_H

#include "bus.h"
#include "map.h"
#include "names.h"

/*
 * INBOX keeps 1000 entries an owner and drops the oldest in silence, so who
 * writes there must not run ahead of the reader (design, "No running ahead").
 *
 * For each owner, what was written and may not have been read yet is bounded
 * from above in two generations: the younger begins when the reader's ack
 * floor has passed all that the older held at its beginning.  And whatever
 * one owner has unread is no more than what all have: while the reader's own
 * count of unread entries is small, everybody may write.  (The reader holds
 * an owner back behind its first unread entry, so what is unread of an owner
 * is all that came after.)
 */
struct headroom {
	struct bus	*bus;
	char		 stream[STREAM_MAX], reader[64];
	unsigned	 limit;
	struct map	*owners;
	uint64_t	 generation;
	uint64_t	 base;		/* unread when bound: may be anyone's */
	uint64_t	 base_generation;
	uint64_t	 written;	/* by us, ever in this session */
	uint64_t	 roll_written;	/* at the last roll */
	uint64_t	 mark_seq;	/* the younger begins behind it */
	bool		 marked;
	uint64_t	 unread, unread_at;	/* all owners', when so many of
						   ours were stored */
	bool		 known, asking;
	uint64_t	 asked_at;
	int64_t		 asked_ms;
	bool		 wanted;
	struct map	*deferred;	/* owners, as the reader says */
	uint64_t	 n_deferred;	/* their entries */
	int64_t		 heard_ms;	/* when it said so; 0: not */
};

/* limit: most entries of an owner that may be unread (below 1000, with what
 * others may write at the same time in mind). */
int	headroom_init(struct headroom *, const char *space, unsigned shard,
	    unsigned shards, unsigned limit);
void	headroom_free(struct headroom *);
/* A new session: nothing is known, so nobody may be written to until the
 * first answer. */
void	headroom_bind(struct headroom *, struct bus *);
/* Has the first answer come? */
bool	headroom_known(const struct headroom *);
/* May one more entry be written to owner now? */
bool	headroom_allows(struct headroom *, const char *owner);
void	headroom_count(struct headroom *, const char *owner);
/*
 * The reader's health message says how far it is, apart from the entries of
 * owners that it defers (`clearSeq`, `deferredOwners`): its ack floor alone
 * stands still behind the first of those.  What is not said again for a few
 * seconds is forgotten.
 */
void	headroom_hear(struct headroom *, natsMsg *health);
/*
 * Call every turn, with the number of our writes that were answered and the
 * highest sequence among them: asks the server when that may open a way.
 */
int	headroom_tend(struct headroom *, uint64_t settled,
	    uint64_t stored_seq, struct error *);

#endif
