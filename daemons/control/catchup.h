/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CATCHUP_H
#define REEVE_CATCHUP_H

#include "control.h"

/*
 * Activation catch-up (wire section 5): copy what a channel got in
 * (join_seq, fence_seq] to the new member's inbox.  Fan-out owns what is
 * above the fence; copies that both make collapse by message id.
 *
 * The consumer's name is a fixed one of this shard's, and belongs to the one
 * control responder that holds the lease.
 */
struct window {
	const char	*channel, *owner;
	uint64_t	 join_seq, fence_seq, generation;
	int64_t		 deadline_ms;
};

/* 0: all of it is stored.  -1 with *e (EX_TEMPFAIL: try again). */
int	catchup_copy(struct control *, const struct window *, struct error *);
/*
 * Has something in the window been evicted?  Judged per subject: one at its
 * cap whose oldest retained message is above join_seq + 1.  1, 0, -1 *e.
 */
int	catchup_evicted(struct control *, const struct window *,
	    struct error *);

#endif
