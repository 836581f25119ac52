/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_RESTART_H
#define REEVE_BENCH_RESTART_H

#include "brood.h"

/* From a SIGKILL to a service until its successor's main begins. */
struct restart_result {
	double	p50_us, p99_us;
};

/*
 * Under each of the kinds that there is at the same time; of `services`, each
 * up for longer than any of the supervisors would make it wait, each is
 * killed once, one supervisor's after the other's, so that what else the
 * machine does meets all of them.  results[kind] is all 0 for a kind that
 * there is not.  0, or -1 with *e.
 */
int	measure_restart(unsigned services, const char *dir,
	    struct restart_result results[SUPERVISOR_MAX], struct error *);

#endif
