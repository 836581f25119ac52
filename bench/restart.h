/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_RESTART_H
#define REEVE_BENCH_RESTART_H

#include "brood.h"

/* From a SIGKILL to a service until its successor's main begins. */
struct restart_result {
	double	p50_us, p99_us;
};

/*
 * Of `services`, each up for longer than any of the supervisors would make
 * it wait, each is killed once.  0, or -1 with *e.
 */
int	measure_restart(enum supervisor, unsigned services, const char *dir,
	    struct restart_result *, struct error *);

#endif
