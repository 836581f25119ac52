/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_MEASURE_H
#define REEVE_BENCH_MEASURE_H

#include "cost.h"
#include "crowd.h"

/*
 * The measurements.  Each leaves the space idle, and returns 0, or -1 with *e.
 * That of a load needs its memberships: crowd_join.
 */

/* Copies a second, of the space and of the ceiling: medians of `rounds` runs
 * of each, in turn.  An owner gets at most 900: its places are 1000. */
#define COPIES_MAX	900
#define ROUNDS_MAX	16

struct fanout_result {
	double		copies_per_s, ceiling_per_s, ratio;
	struct cost	cost;		/* of the last run, a copy */
	struct cost	ceiling;
};

int	measure_fanout(struct stage *, const struct crowd *,
	    const struct load *, unsigned rounds, struct fanout_result *,
	    struct error *);
/* One run of the space, without the ceiling. */
int	measure_cost(struct stage *, const struct crowd *,
	    const struct load *, struct fanout_result *, struct error *);

/* From the publishing of a message until the last member's copy is stored: of
 * one at a time to an idle mesh, and of per_s a second, whatever becomes of
 * the earlier ones.  Bare: through the ceiling's hops, which is what machine
 * and broker take of it. */
struct latency_result {
	double		p50_ms, p99_ms;
	double		call_ms;	/* of measure_latency alone: what an
					 * idle broker takes for one answer */
	struct cost	cost;		/* a copy; of measure_paced alone */
};

int	measure_latency(struct stage *, const struct crowd *,
	    const struct load *, struct latency_result *ours,
	    struct latency_result *bare, struct error *);
int	measure_paced(struct stage *, const struct crowd *,
	    const struct load *, double per_s, struct latency_result *ours,
	    struct latency_result *bare, struct error *);

/* Processor time of the roles while nothing is said, in % of a core. */
#define IDLE_ROLES	5
#define IDLE_S		6
extern const char *const idle_roles[IDLE_ROLES];

struct idle_result {
	double	pct[IDLE_ROLES], total_pct;
};

int	measure_idle(struct stage *, struct idle_result *, struct error *);

/* From `reeve start` of a role that was stopped until it is ready. */
int	measure_start(struct stage *, const char *role, double *ms,
	    struct error *);

/* Proportional set sizes: of the broker, then ours, of which the last are the
 * workers. */
#define MEMORY_ROLES	6
#define MEMORY_OURS	1
#define MEMORY_WORKERS	2
extern const char *const memory_roles[MEMORY_ROLES];

struct memory_result {
	long	kb[MEMORY_ROLES];
};

int	measure_memory(const struct stage *, struct memory_result *,
	    struct error *);
/* The workers and reeved; the broker is what it is. */
long	memory_total_kb(const struct memory_result *);

#endif
