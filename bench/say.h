/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_SAY_H
#define REEVE_BENCH_SAY_H

#include "measure.h"

/*
 * Each of these measures one thing, prints it, and with check compares it
 * with its bound: a line on stderr, and failed.  0, or -1 with *e.
 */
#define PARTS_MAX	8

struct bench {
	char		 dir[32];
	bool		 check, part[PARTS_MAX];
	unsigned	 rounds, messages;
	struct stage	 stage;
	struct crowd	 crowd;
	bool		 failed;	/* a bound was missed */
};

/* least: of the ratio; 0 for none. */
int	say_fanout(struct bench *, const struct load *, double least,
	    struct fanout_result *, struct error *);
int	say_shards(struct bench *, unsigned shards, struct error *);
/* Bounds in ms; 0 for none. */
int	say_latency(struct bench *, const struct load *, double p50_most,
	    double p99_most, struct error *);
int	say_paced(struct bench *, const struct load *, double per_s,
	    double p99_most, struct error *);
/* when: "busy", just after a load, or "idle"; 0 for no bound. */
int	say_memory(struct bench *, const char *when, unsigned records,
	    long each_most_kb, struct error *);
int	say_idle(struct bench *, struct error *);
/* The load's ratio with so many records of other channels, beside what it was
 * with few. */
int	say_records(struct bench *, const struct load *, unsigned records,
	    const struct fanout_result *few, struct error *);
int	say_start(struct bench *, unsigned records, struct error *);
/* What a copy costs, by how many and by how many records of others. */
int	say_sweep(struct bench *, struct error *);

#endif
