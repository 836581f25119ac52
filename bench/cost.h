/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_COST_H
#define REEVE_BENCH_COST_H

#include "stage.h"

/*
 * Processor time that a run of the space takes, by process.  Unlike a rate it
 * is much the same on a busy machine.  All 0, or -1 with *e.
 */
struct cost {
	double	broker_us, fanout_us, reader_us;
};

/* With the first copy. */
int	cost_begin(struct cost *, const struct stage *, struct error *);
/* After the last was stored: what was spent since for each of n copies. */
int	cost_end(struct cost *, const struct stage *, double n,
	    struct error *);

/* Processor time of a process until now, in us. */
int	cost_of_pid(pid_t, double *us, struct error *);
/* Processor time of a role's processes of all shards until now, in us; also
 * of "broker" and "reeved". */
int	cost_of(const struct stage *, const char *role, double *us,
	    struct error *);

#endif
