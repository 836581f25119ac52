/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_ARRIVALS_H
#define REEVE_BENCH_ARRIVALS_H

#include "measure.h"

/*
 * When the copies of messages arrived in DLV: by the times that the broker
 * stored them, which goes by this machine's clock, as we do.  They are read
 * afterwards, since who listened meanwhile would be a load of its own; of the
 * last messages only, as DLV keeps 1000 an owner.
 *
 * Everything returns 0, or -1 with *e.
 */
/* What a message takes from who says it to its copies. */
struct way {
	char	chat[SPACE_MAX + 16];	/* said below it */
	char	dlv[STREAM_MAX];	/* the stream of the copies */
	/* Until nobody on it has anything to do. */
	int	(*await_idle)(struct stage *, struct error *);
};

struct arrivals {
	const struct crowd	*crowd;
	const struct load	*load;
	const struct way	*way;
	uint64_t		 from_seq;	/* of it */
	struct arrival		*v;
	unsigned		 n, first;	/* those before it are not read */
	unsigned		 done;		/* that all members have */
};

/* For n messages to the load's first channel; the way must outlive it. */
int	arrivals_begin(struct arrivals *, struct stage *, const struct way *,
	    const struct crowd *, const struct load *, unsigned n,
	    struct error *);
/* Say message i, now. */
int	arrivals_say(struct arrivals *, struct stage *, unsigned i,
	    struct error *);
/* All have been delivered: from saying to the last copy, of messages from
 * `first` on. */
int	arrivals_read(struct arrivals *, struct stage *,
	    struct latency_result *, struct error *);
void	arrivals_free(struct arrivals *);
/* That of the space. */
void	way_of_space(struct way *, const struct stage *);

#endif
