/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PULL_H
#define REEVE_PULL_H

#include "bus.h"
#include "jetstream.h"
#include "names.h"

/*
 * A pull consumer's intake, ours and not libnats's Fetch (notes, "Pulling"):
 * up to two requests outstanding on an inbox of its own, asked again at half,
 * with heartbeats.  A request's `expires` never goes past `until_ms`, since a
 * pull outlives whoever asked (design, "Single flight").
 */
/* Takes the message. */
typedef void	pull_fn(void *arg, natsMsg *, const struct js_delivery *);

struct pull {
	struct bus	*bus;
	struct bus_sub	*sub;		/* NULL: stopped */
	char		 stream[STREAM_MAX];
	char		 consumer[STREAM_MAX];
	char		 inbox[SUBJECT_MAX];
	unsigned	 batch;		/* messages a request */
	unsigned	 asked;		/* and not yet come or given up */
	int64_t		 heard_ms;
	int64_t		 expires_ms;	/* of the newest request */
	bool		 gone;		/* the consumer does not exist */
	pull_fn		*fn;
	void		*arg;
};

int	pull_start(struct pull *, struct bus *, const char *stream,
	    const char *consumer, unsigned batch, pull_fn *, void *arg,
	    struct error *);
/*
 * Call often: keeps requests outstanding for at most room more messages,
 * valid until until_ms (clock_ms) at the latest.
 */
int	pull_tend(struct pull *, unsigned room, int64_t until_ms,
	    struct error *);
/* Unsubscribe, so that what is still asked for goes to nobody. */
void	pull_stop(struct pull *);

#endif
