/* SPDX-License-Identifier: ISC */

/*
 * supervisor: what reeved costs and how soon it restarts a service, beside
 * runit and s6 (bench/README).
 *
 *	supervisor [--check] [restart | idle]
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "restart.h"
#include "warden.h"

#define RESTARTS	200
#define SETTLE_US	1000000		/* for what follows a start */
#define IDLE_US		6000000		/* runsvdir looks around every 5 s */

/* What --check demands of reeved; its restart, to be sooner than runit's. */
#define RSS_MOST_KB_10		2048
#define RSS_MOST_KB_1000	4096
#define CPU_MOST_PCT		0.1

struct run {
	char	dir[40];
	bool	check;
	bool	restart, idle;	/* which to measure */
	bool	failed;
};

static void
miss(struct run *r, const char *what, double is, double most)
{
	if (!r->check)
		return;
	r->failed = true;
	fprintf(stderr, "bench %s is=%.2f most=%.2f FAIL\n", what, is, most);
}

static void
check_cost(struct run *r, unsigned services, long rss_kb, double cpu_pct)
{
	if (services == 10 && rss_kb > RSS_MOST_KB_10)
		miss(r, "supervisor services=10 rss_kb", (double)rss_kb,
		    RSS_MOST_KB_10);
	if (services == 1000 && rss_kb > RSS_MOST_KB_1000)
		miss(r, "supervisor services=1000 rss_kb", (double)rss_kb,
		    RSS_MOST_KB_1000);
	if (cpu_pct > CPU_MOST_PCT)
		miss(r, "supervisor cpu_pct", cpu_pct, CPU_MOST_PCT);
}

/* Of all processes of the supervisor, while nothing happens. */
static int
measure_idle(struct run *r, enum supervisor kind, unsigned services,
    long *rss_kb, double *cpu_pct, struct error *e)
{
	static struct brood	b;
	struct brood_cost	before, after;
	int64_t			from_us, took_us = 0;
	int			code;

	if ((code = brood_begin(&b, kind, services, r->dir, e)) == 0) {
		brood_rest(SETTLE_US);
		from_us = brood_now_us();
		code = brood_cost(&b, &before, e);
		brood_rest(IDLE_US);
		took_us = brood_now_us() - from_us;
		if (code == 0)
			code = brood_cost(&b, &after, e);
	}
	brood_end(&b);
	if (code == 0) {
		*rss_kb = after.rss_kb;
		*cpu_pct = (after.cpu_us - before.cpu_us) * 100 /
		    (double)took_us;
	}
	return code;
}

/* reeved's line has no name in it, the others are beside it. */
static int
idle(struct run *r, enum supervisor kind, unsigned services, struct error *e)
{
	double	cpu_pct = 0;
	long	rss_kb = 0;

	if (measure_idle(r, kind, services, &rss_kb, &cpu_pct, e) == -1)
		return -1;
	if (kind == SUPERVISOR_REEVED) {
		printf("bench supervisor ");
		check_cost(r, services, rss_kb, cpu_pct);
	} else
		printf("bench beside supervisor=%s ", brood_top(kind));
	printf("services=%u rss_kb=%ld cpu_pct=%.3f\n", services, rss_kb,
	    cpu_pct);
	return 0;
}

static int
restart(struct run *r, struct error *e)
{
	struct restart_result	of[SUPERVISOR_MAX];
	enum supervisor		kind;

	if (measure_restart(RESTARTS, r->dir, of, e) == -1)
		return -1;
	for (kind = 0; kind < SUPERVISOR_MAX; kind++)
		if (of[kind].p50_us > 0)
			printf("bench restart supervisor=%s p50_us=%.0f "
			    "p99_us=%.0f\n", brood_restarter(kind),
			    of[kind].p50_us, of[kind].p99_us);
		else
			fprintf(stderr, "bench: no %s to measure beside\n",
			    brood_top(kind));
	if (of[SUPERVISOR_RUNIT].p50_us > 0 &&
	    of[SUPERVISOR_REEVED].p50_us >= of[SUPERVISOR_RUNIT].p50_us)
		miss(r, "restart p50_us", of[SUPERVISOR_REEVED].p50_us,
		    of[SUPERVISOR_RUNIT].p50_us);
	return 0;
}

static int
all_idle(struct run *r, struct error *e)
{
	static const unsigned	services[] = { 1, 10, 1000 };
	enum supervisor		kind;
	size_t			i;

	for (i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		for (kind = 0; kind < SUPERVISOR_MAX; kind++)
			if (brood_have(kind) &&
			    idle(r, kind, services[i], e) == -1)
				return -1;
	return 0;
}

static int
run(void *arg)
{
	struct run	*r = arg;
	struct error	 e;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if ((r->restart && restart(r, &e) == -1) ||
	    (r->idle && all_idle(r, &e) == -1)) {
		fprintf(stderr, "bench: %s\n", e.text);
		return e.code;
	}
	return r->failed ? 1 : EX_OK;
}

static bool
parse(struct run *r, int argc, char **argv)
{
	int	i = 1;

	if (i < argc && strcmp(argv[i], "--check") == 0) {
		r->check = true;
		i++;
	}
	r->restart = i == argc || strcmp(argv[i], "restart") == 0;
	r->idle = i == argc || strcmp(argv[i], "idle") == 0;
	return (r->restart || r->idle) && argc - i <= 1;
}

int
main(int argc, char **argv)
{
	static struct run	r = { .dir = "/tmp/reeve-bench-XXXXXX" };

	if (!parse(&r, argc, argv)) {
		fprintf(stderr, "usage: supervisor [--check] "
		    "[restart | idle]\n");
		return EX_USAGE;
	}
	if (mkdtemp(r.dir) == NULL) {
		fprintf(stderr, "bench: %s: %s\n", r.dir, strerror(errno));
		return EX_CANTCREAT;
	}
	return warden_run(r.dir, run, &r);
}
