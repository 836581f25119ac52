/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_BROOD_H
#define REEVE_BENCH_BROOD_H

#include <sys/types.h>

#include <stdint.h>

#include "error.h"

/*
 * Services that do nothing, s0 to s<n - 1>, under one of three supervisors.
 *
 *	<dir>/service/sN/run	a link to mark
 *	<dir>/marks		a fifo: each start is a struct mark in it
 *	<dir>/log		what the supervisor said
 */
#define BROOD_MAX	1000	/* runsvdir's own bound */

enum supervisor { SUPERVISOR_REEVED, SUPERVISOR_RUNIT, SUPERVISOR_S6,
	SUPERVISOR_MAX };

struct mark {
	int64_t	began_us;	/* CLOCK_MONOTONIC, first thing in main */
	int32_t	pid;
	uint32_t service;	/* its number */
};

struct brood {
	char		 dir[64];
	enum supervisor	 kind;
	pid_t		 top;		/* reeved, runsvdir or s6-svscan */
	int		 marks_fd;
	unsigned	 n;
	pid_t		 pids[BROOD_MAX];	/* of the services */
};

/* What it costs, all processes of the supervisor together. */
struct brood_cost {
	unsigned	processes;
	long		rss_kb;
	double		cpu_us;		/* since they began */
};

/* The program in PATH is there; reeved always is. */
int	brood_have(enum supervisor);
/* "reeved", "runsv", "s6-supervise": who restarts a service. */
const char *brood_restarter(enum supervisor);
/* "reeved", "runsvdir", "s6-svscan". */
const char *brood_top(enum supervisor);

/*
 * Make the directories below dir (which exists), start the supervisor and
 * wait until all services have begun.  0, or -1 with *e; brood_end is needed
 * after either.
 */
int	brood_begin(struct brood *, enum supervisor, unsigned n,
	    const char *dir, struct error *);
/* Wait so long for the next start.  1: there was one; 0: none; -1 with *e. */
int	brood_mark(struct brood *, int64_t us, struct mark *, struct error *);
int	brood_cost(const struct brood *, struct brood_cost *,
	    struct error *);
/* Tell the supervisor to end. */
void	brood_stop(struct brood *);
/* End it and its services, and wait for all that this process began. */
void	brood_end(struct brood *);

/* CLOCK_MONOTONIC, as in a mark. */
int64_t	brood_now_us(void);
void	brood_rest(int64_t us);

#endif
