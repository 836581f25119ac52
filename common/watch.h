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
 * The barrier (design, "Freshness"): for each bucket, ask for the newest
 * message of its stream.  If that is the newest one applied here, by sequence
 * and time, the table holds all that was committed before the question.
 * Asking by time too shows a bucket that was deleted and made again.
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
void	watch_free(struct watch *);
/* For a credential that may create consumers of the bucket and delete none,
 * as an agent's: a new name for each creation. */
void	watch_name_anew(struct watch *);

/* On a new connection: reset the table and read the bucket again. */
int	watch_bind(struct watch *, struct bus *, struct error *);
/* The connection is gone: forget it. */
void	watch_unbind(struct watch *);
/* Has everything that was there when it was bound been applied? */
bool	watch_synced(const struct watch *);
/* Call often: binds again after a gap, a silence or a doubt.  -1 with *e
 * when the broker does not let it. */
int	watch_tend(struct watch *, struct error *);
/* Turn until all are synced; -1 with *e (EX_TEMPFAIL) on timeout or death. */
int	watch_wait(struct bus *, struct watch *const *, size_t n,
	    int64_t timeout_ms, struct error *);

/*
 * The barrier over n watches, as one round of parallel requests when nothing
 * has changed.  0: each table is fresh as of this call.  -1 with *e
 * (EX_TEMPFAIL): not proven in time; those in doubt are bound again at the
 * next watch_tend, and nothing may be decided by them until a later barrier.
 */
int	watch_barrier(struct bus *, struct watch *const *, size_t n,
	    int64_t timeout_ms, struct error *);

#endif
