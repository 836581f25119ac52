/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_COST_H
#define REEVE_BENCH_COST_H

#include "stage.h"

/*
 * Processor time that a run of the space takes, by process.  Unlike a rate it
 * is much the same on a busy machine.  0, or -1 with *e.
 */
struct cost {
	double	broker_us, fanout_us, reader_us;
};

/* Before fan-out is started, which then counts from its start. */
int	cost_begin(struct cost *, const struct stage *, struct error *);
/* After the last copy was stored: what was spent since. */
int	cost_end(struct cost *, const struct stage *, struct error *);

#endif
