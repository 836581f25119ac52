/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_GAUGE_H
#define REEVE_BENCH_GAUGE_H

#include "bus.h"

/*
 * How fast a stream fills.  What was stored in it is read every 5 ms; the
 * clock runs from the first look that sees a copy to the first that sees all,
 * over the copies stored between the two, so that starting is not counted.
 */
struct gauge {
	struct bus	*bus;
	const char	*stream;
	uint64_t	 base_seq;	/* what had been stored before */
	uint64_t	 n;		/* copies that are to come */
	uint64_t	 first;		/* of them seen by the first look */
	int64_t		 first_us;
};

/* All three 0, or -1 with *e.  n: how many copies will be stored from now. */
int	gauge_init(struct gauge *, struct bus *, const char *stream,
	    uint64_t n, struct error *);
/* Waits for the first copy. */
int	gauge_begin(struct gauge *, struct error *);
/* Waits for the last; fails when more come, or none for 10 s. */
int	gauge_rate(struct gauge *, double *per_s, struct error *);

/* The value below which a share q (0 to 1) of v lies; sorts v. */
double	quantile(double *v, size_t n, double q);

#endif
