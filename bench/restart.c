/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "gauge.h"
#include "restart.h"

#define UP_US		1200000		/* runit and s6 hold the next for 1 s */
#define BETWEEN_US	20000
#define LOST_US		10000000

/* The services of one supervisor. */
struct kills {
	struct brood	 b;
	bool		 there;
	int64_t		 at_us[BROOD_MAX];
	double		 took_us[BROOD_MAX];
	unsigned	 back;
};

/* Take what starts until then. */
static int
collect(struct kills *k, int64_t until_us, struct error *e)
{
	struct mark	m;
	int		r;

	while (k->back < k->b.n && (r = brood_mark(&k->b, until_us -
	    brood_now_us(), &m, e)) != 0) {
		if (r == -1)
			return -1;
		if (m.pid == k->b.pids[m.service] ||
		    k->at_us[m.service] == 0)
			return error_set(e, EX_SOFTWARE, "a service of %s "
			    "started that was not killed",
			    brood_top(k->b.kind));
		k->took_us[k->back++] = (double)(m.began_us -
		    k->at_us[m.service]);
	}
	return 0;
}

static int
kill_one(struct kills *k, unsigned i, struct error *e)
{
	k->at_us[i] = brood_now_us();
	if (kill(k->b.pids[i], SIGKILL) == -1)
		return error_errno(e, EX_SOFTWARE, "a service of %s",
		    brood_top(k->b.kind));
	return collect(k, k->at_us[i] + BETWEEN_US, e);
}

/* At a pace, not one after the other has come back: s6 always waits 1 s. */
static int
kill_each(struct kills all[SUPERVISOR_MAX], unsigned services,
    struct error *e)
{
	struct kills	*k;
	unsigned	 i;

	for (i = 0; i < services; i++)
		for (k = all; k < all + SUPERVISOR_MAX; k++)
			if (k->there && kill_one(k, i, e) == -1)
				return -1;
	for (k = all; k < all + SUPERVISOR_MAX; k++) {
		if (!k->there)
			continue;
		if (collect(k, brood_now_us() + LOST_US, e) == -1)
			return -1;
		if (k->back < services)
			return error_set(e, EX_TEMPFAIL, "%s: only %u of %u "
			    "come back", brood_top(k->b.kind), k->back,
			    services);
	}
	return 0;
}

static int
begin_all(struct kills all[SUPERVISOR_MAX], unsigned services,
    const char *dir, struct error *e)
{
	enum supervisor	kind;

	for (kind = 0; kind < SUPERVISOR_MAX; kind++) {
		if (!brood_have(kind))
			continue;
		all[kind].there = true;
		if (brood_begin(&all[kind].b, kind, services, dir, e) == -1)
			return -1;
	}
	brood_rest(UP_US);
	return 0;
}

int
measure_restart(unsigned services, const char *dir,
    struct restart_result results[SUPERVISOR_MAX], struct error *e)
{
	static struct kills	 all[SUPERVISOR_MAX];
	struct kills		*k;
	enum supervisor		 kind;
	int			 r;

	memset(all, 0, sizeof(all));
	memset(results, 0, SUPERVISOR_MAX * sizeof(results[0]));
	if ((r = begin_all(all, services, dir, e)) == 0)
		r = kill_each(all, services, e);
	for (kind = 0; kind < SUPERVISOR_MAX; kind++)
		if (all[kind].there)
			brood_stop(&all[kind].b);
	for (kind = 0; kind < SUPERVISOR_MAX; kind++) {
		k = &all[kind];
		if (k->there)
			brood_end(&k->b);
		if (!k->there || r == -1)
			continue;
		results[kind].p50_us = quantile(k->took_us, services, 0.5);
		results[kind].p99_us = quantile(k->took_us, services, 0.99);
	}
	return r;
}
