/* SPDX-License-Identifier: ISC */
#ifndef REEVE_WATCH_H
#define REEVE_WATCH_H

#include "bus.h"
#include "names.h"

/*
 * A bucket kept as a table in memory, and the proof that it is fresh.
 *
 * A watch is a consumer of the bucket's stream over all it holds, ours and
 * not libnats's: that one goes blind without an error when the broker
 * restarts (notes, "Watch").  Its name is pinned by the credential, so it is
 * deleted before each creation.
 *
 * The barrier (design, "Freshness") asks each bucket's stream what it is now,
 * one STREAM.INFO each, and by the answer the table holds exactly what was
 * stored when it was given, if all of these are so:
 *
 *	created		is that of the bucket that was read: it was not
 *			deleted and made again
 *	last_seq	is the last one known, and last_ts its time.  A message
 *			is known when it was applied here, or is counted as
 *			foreign; in a gap there may be others, so nothing that
 *			comes after a gap is known until the gap was looked
 *			into.  So nothing was put that the table lacks.
 *	messages	is the number of keys ever applied, and of foreign
 *			messages.  A bucket keeps one message for each key, and
 *			a delete marker is one, so a put leaves the number or,
 *			with a new key, adds one on both sides; only a removal
 *			without a marker (expiry, a purge, a deleted message)
 *			takes one away.  So nothing is held that was removed.
 *
 * A foreign message is one that the stream holds and the watch is not sent: an
 * agent can have the broker store some, under the subjects they had, and for a
 * watch of one key they are the other keys.  How many there are follows from
 * what the consumer finds when it is made; the counts are trusted only when
 * the stream stood still meanwhile.
 *
 * Any other answer is asked for once more, as mostly the watch is a little
 * late.  Then, by the first of these that tells:
 *
 *	another created: read anew (replaced, or restored from a copy); and
 *	so when last_seq went back, or is the same with another time
 *	a gap, by looking at what is stored in it: ours, and applied: known
 *	otherwise the broker counts the different keys (in the order of 1 to
 *	2 us for each) and has no newer one: none left: the table is emptied;
 *	as many as were applied: proven, and the rest is foreign; else records
 *	were removed: read anew
 *
 * What is read anew agrees with the count, so none of this goes on for ever.
 * In a bucket that keeps more than one message a key every barrier counts.
 */
struct watch_ops {
	/* data is NULL for a deleted key; seq is its revision */
	void	(*put)(void *table, const char *key, const char *data,
		    size_t len, uint64_t seq);
	/* forget everything: the bucket is empty, or is read anew */
	void	(*reset)(void *table);
};

struct watch;

/* key: ">" for the whole bucket, or one key.  NULL when out of memory. */
struct watch *watch_new(const char *space, enum bucket_kind, const char *key,
	    const struct watch_ops *, void *table);
/* Unbinds it first; NULL is fine.  Resets the table. */
void	watch_free(struct watch *);
/* For a credential that may create consumers of the bucket and delete none,
 * as an agent's: a new name for each creation. */
void	watch_name_anew(struct watch *);

/* On a new connection: reset the table and begin to read the bucket again,
 * which goes on in the bus's turns and in watch_tend. */
int	watch_bind(struct watch *, struct bus *, struct error *);
/* Before its bus is closed, which still takes in what comes: the table stays
 * as it is from now on. */
void	watch_unbind(struct watch *);
/* Has everything that was there when it was bound been applied? */
bool	watch_synced(const struct watch *);
bool	watch_all_synced(struct watch *const *, size_t n);
/* Call often: binds again after a gap, a silence or a doubt.  -1 with *e
 * when the broker does not let it, or nobody answers for long: another
 * connection may help. */
int	watch_tend(struct watch *, struct error *);
/* Turn until all are synced; -1 with *e (EX_TEMPFAIL) on timeout or death. */
int	watch_wait(struct bus *, struct watch *const *, size_t n,
	    int64_t timeout_ms, struct error *);

/*
 * The barrier over n watches, as one round of parallel requests when nothing
 * is in doubt.  0: each table is fresh as of this call.  -1 with *e
 * (EX_TEMPFAIL): not proven in time; those in doubt are bound again at the
 * next watch_tend, and nothing may be decided by them until a later barrier.
 */
int	watch_barrier(struct bus *, struct watch *const *, size_t n,
	    int64_t timeout_ms, struct error *);

/*
 * The same in steps, so that the owner works while the questions are on their
 * way.  Begin, then step between the turns of the bus.  1: each table is fresh
 * as of the beginning; 0: not yet; -1 as above.  A watch that is bound again
 * afterwards takes the proof with it: compare watch_bound.
 */
struct watch_proof {
	struct watch *const	*v;
	size_t			 n;
	int64_t			 start_ms, timeout_ms;
};

void	watch_prove(struct watch_proof *, struct watch *const *, size_t n,
	    int64_t timeout_ms);
int	watch_prove_step(const struct watch_proof *, struct bus *,
	    struct error *);
/* How often its table was begun anew. */
uint64_t watch_bound(const struct watch *);

#endif
