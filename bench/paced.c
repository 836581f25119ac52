/* SPDX-License-Identifier: ISC */

/* So many messages a second, whatever becomes of the earlier ones. */
#include <time.h>

#include "arrivals.h"
#include "ceiling.h"
#include "clock.h"

#define PACED_MS	3000	/* so long it is sent ... */
#define PACED_MAX	8192	/* ... or so many messages */

/* Not by a busy loop, which would take a core from those it measures. */
static void
stay(struct bus *b, int64_t us)
{
	struct timespec	ts = { .tv_nsec = (long)us * 1000 };

	if (us >= 1000)
		bus_turn(b, NULL, 0, us / 1000);
	else
		nanosleep(&ts, NULL);
}

/* One every period_us, late ones at once; until all is delivered. */
static int
say_all(struct arrivals *a, struct stage *s, double period_us,
    struct error *e)
{
	int64_t		start_us = clock_us(), left;
	unsigned	i;

	for (i = 0; i < a->n; i++) {
		while (bus_alive(s->bus) && (left = start_us +
		    (int64_t)(i * period_us) - clock_us()) > 0)
			stay(s->bus, left);
		if (arrivals_say(a, s, i, e) == -1)
			return -1;
		bus_turn(s->bus, NULL, 0, 0);
	}
	return a->way->await_idle(s, e);
}

struct what {
	struct stage		*stage;
	const struct crowd	*crowd;
	const struct load	*load;
	double			 per_s;
};

static int
measure_way(void *arg, const struct way *way,
    struct latency_result *result, struct error *e)
{
	struct what	*w = arg;
	struct arrivals	 a;
	struct cost	*cost = &result->cost;
	double		 n = w->per_s * PACED_MS / 1000;
	int		 r;

	if (arrivals_begin(&a, w->stage, way, w->crowd, w->load, n < 100 ?
	    100 : n > PACED_MAX ? PACED_MAX : (unsigned)n, e) == -1)
		return -1;
	if ((r = cost_begin(cost, w->stage, e)) == 0 &&
	    (r = say_all(&a, w->stage, 1e6 / w->per_s, e)) == 0 &&
	    (r = cost_end(cost, w->stage, (double)a.n * w->load->members, e))
	    == 0)
		r = arrivals_read(&a, w->stage, result, e);
	arrivals_free(&a);
	return r;
}

int
measure_paced(struct stage *s, const struct crowd *c, const struct load *l,
    double per_s, struct latency_result *ours, struct latency_result *bare,
    struct error *e)
{
	struct what	w = { .stage = s, .crowd = c, .load = l,
			    .per_s = per_s };

	return ceiling_and_space(s, c, l, measure_way, &w, ours, bare, e);
}
