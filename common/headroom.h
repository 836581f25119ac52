/* SPDX-License-Identifier: ISC */
#ifndef REEVE_HEADROOM_H
#define REEVE_HEADROOM_H

#include "bus.h"
#include "json.h"
#include "map.h"
#include "names.h"

#define HEADROOM_TRAIL	64	/* marks, see below */

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
	/* that so many of ours were stored up to that sequence */
	struct headroom_mark {
		uint64_t	settled, seq;
	} trail[HEADROOM_TRAIL];
	size_t		 n_trail;	/* ever: the oldest are gone */
	bool		 known, asking;
	uint64_t	 asked_at;
	int64_t		 asked_ms;
	bool		 wanted;
	/* what the reader last said in its health */
	char		 hears[SUBJECT_MAX];
	bool		 deaf;		/* the broker refused us that */
	uint64_t	 n_words;	/* how often it said so */
	uint64_t	 clear_seq;	/* all up to it is dealt with, but for */
	struct map	*deferred;	/* ... what these owners have */
	bool		 names_all;	/* these are all such owners */
	uint64_t	 n_deferred;	/* their entries */
	int64_t		 heard_ms;	/* when it said so; 0: not */
};

/* limit: most entries of an owner that may be unread (below 1000, with what
 * others may write at the same time in mind). */
int	headroom_init(struct headroom *, const char *space, unsigned shard,
	    unsigned shards, unsigned limit);
void	headroom_free(struct headroom *);
/*
 * At the beginning of each session: hear the reader's health, which says how
 * far it is, apart from the entries of owners that it defers (`clearSeq`,
 * `deferredOwners`): its ack floor alone stands still behind the first of
 * those.  What is not said again for a few seconds is forgotten.  0, or -1
 * with *e.  A refusal by the broker is logged, and the floor is gone by.
 */
int	headroom_listen(struct headroom *, struct bus *, struct error *);
/* Nothing is known, so nobody may be written to until the first answer. */
void	headroom_bind(struct headroom *);
/* Has the first answer come? */
bool	headroom_known(const struct headroom *);
/* May one more entry be written to owner now? */
bool	headroom_allows(struct headroom *, const char *owner);
void	headroom_count(struct headroom *, const char *owner);
/* How often the reader has said how far it is; and whether it has said since
 * then that all of owner's up to seq is dealt with. */
uint64_t headroom_words(const struct headroom *);
bool	headroom_passed(const struct headroom *, const char *owner,
	    uint64_t since_words, uint64_t seq);
/*
 * Call every turn, with the number of our writes that were answered and the
 * highest sequence among them: asks the server when that may open a way.
 */
int	headroom_tend(struct headroom *, uint64_t settled,
	    uint64_t stored_seq, struct error *);
/* What tend does of it without asking; and with the answer, a consumer's
 * info ($JS.API.CONSUMER.INFO), of which what it lacks teaches nothing. */
void	headroom_settle(struct headroom *, uint64_t settled,
	    uint64_t stored_seq);
void	headroom_learn(struct headroom *, const cJSON *info);

#endif
