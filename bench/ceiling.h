/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_CEILING_H
#define REEVE_BENCH_CEILING_H

#include "arrivals.h"
#include "cost.h"
#include "crowd.h"

/*
 * What the broker of the stage gives to two processes that do nothing but
 * copy (hop.c): CHAT to dinbox to dlv, in streams of their own with the
 * limits of the space's, so that the space does not notice.
 */
int	ceiling_make(struct stage *, struct error *);
/* Copies a second into the last stream, and what each costs: the hops are in
 * the places of fan-out and reader. */
int	ceiling_run(struct stage *, const struct crowd *, const struct load *,
	    double *per_s, struct cost *, struct error *);
/* Measures one way, and leaves it idle. */
typedef int	measure_way_fn(void *arg, const struct way *,
	    struct latency_result *, struct error *);
/* That of the hops, while they run, then the space's. */
int	ceiling_and_space(struct stage *, const struct crowd *,
	    const struct load *, measure_way_fn *, void *arg,
	    struct latency_result *ours, struct latency_result *bare,
	    struct error *);

#endif
