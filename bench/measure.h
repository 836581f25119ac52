/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_MEASURE_H
#define REEVE_BENCH_MEASURE_H

#include "cost.h"
#include "crowd.h"

/*
 * The three measurements.  Each leaves the space idle, and returns 0, or -1
 * with *e.
 */

/* Copies a second, of the space and of the ceiling: medians of `rounds` runs
 * of each, in turn.  At most 900 messages: an owner's places are 1000. */
#define MESSAGES_MAX	900
#define ROUNDS_MAX	16

struct fanout_result {
	double		copies_per_s, ceiling_per_s;
	struct cost	cost;		/* of the last run, a copy */
};

int	measure_fanout(struct stage *, const struct crowd *, unsigned members,
	    unsigned messages, unsigned rounds, struct fanout_result *,
	    struct error *);

/* From the publishing of a message to an idle mesh until all members' copies
 * are stored. */
struct latency_result {
	double	p50_ms, p99_ms;
};

int	measure_latency(struct stage *, const struct crowd *,
	    unsigned members, struct latency_result *, struct error *);

/* Proportional set sizes. */
struct memory_result {
	long	broker_kb, lease_kb, fanout_kb, reader_kb, control_kb,
		reeved_kb;
};

int	measure_memory(const struct stage *, struct memory_result *,
	    struct error *);
/* The workers and reeved; the broker is what it is. */
long	memory_total_kb(const struct memory_result *);

#endif
