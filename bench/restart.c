/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>

#include "gauge.h"
#include "restart.h"

#define UP_US		1200000		/* runit and s6 hold the next for 1 s */
#define BETWEEN_US	20000
#define LOST_US		10000000

struct kills {
	int64_t		 at_us[BROOD_MAX];
	double		*took_us;
	unsigned	 back;
};

/* Take what starts until then. */
static int
collect(struct brood *b, struct kills *k, int64_t until_us, struct error *e)
{
	struct mark	m;
	int		r;

	while (k->back < b->n && (r = brood_mark(b, until_us -
	    brood_now_us(), &m, e)) != 0) {
		if (r == -1)
			return -1;
		if (m.pid == b->pids[m.service] || k->at_us[m.service] == 0)
			return error_set(e, EX_SOFTWARE, "a service of %s "
			    "started that was not killed", brood_top(b->kind));
		k->took_us[k->back++] = (double)(m.began_us -
		    k->at_us[m.service]);
	}
	return 0;
}

/* At a pace, not one after the other has come back: s6 always waits 1 s. */
static int
kill_each(struct brood *b, struct kills *k, struct error *e)
{
	int64_t		began_us = brood_now_us();
	unsigned	i;

	for (i = 0; i < b->n; i++) {
		if (collect(b, k, began_us + i * (int64_t)BETWEEN_US, e) ==
		    -1)
			return -1;
		k->at_us[i] = brood_now_us();
		if (kill(b->pids[i], SIGKILL) == -1)
			return error_errno(e, EX_SOFTWARE, "a service of %s",
			    brood_top(b->kind));
	}
	if (collect(b, k, brood_now_us() + LOST_US, e) == -1)
		return -1;
	return k->back == b->n ? 0 : error_set(e, EX_TEMPFAIL,
	    "%s: only %u of %u come back", brood_top(b->kind), k->back, b->n);
}

int
measure_restart(enum supervisor kind, unsigned services, const char *dir,
    struct restart_result *result, struct error *e)
{
	static struct brood	b;
	double			us[BROOD_MAX];
	struct kills		k = { .took_us = us };
	int			r;

	if ((r = brood_begin(&b, kind, services, dir, e)) == 0) {
		brood_rest(UP_US);
		r = kill_each(&b, &k, e);
	}
	brood_end(&b);
	if (r == 0) {
		result->p50_us = quantile(us, services, 0.5);
		result->p99_us = quantile(us, services, 0.99);
	}
	return r;
}
