/* SPDX-License-Identifier: ISC */

/* One message at a time, to an idle mesh. */
#include "arrivals.h"
#include "ceiling.h"
#include "clock.h"
#include "gauge.h"
#include "jetstream.h"

#define ROUNDS		200
#define WARM_UP		20
#define IDLE_MS		20	/* so that the mesh is idle, not just done */

static void
stay_idle(struct bus *b)
{
	int64_t	left, until_ms = clock_ms() + IDLE_MS;

	while (bus_alive(b) && (left = until_ms - clock_ms()) > 0)
		bus_turn(b, NULL, 0, left);
}

/* One request to the bare, idle broker, such as a proof of freshness is of. */
static int
call_once(struct stage *s, double *ms, struct error *e)
{
	struct js_stream	info;
	char			stream[STREAM_MAX];
	int64_t			start_us = clock_us();

	name_stream(stream, sizeof(stream), s->config.space, STREAM_DLV);
	if (js_stream_info(s->bus, stream, &info, e) == -1)
		return -1;
	*ms = (double)(clock_us() - start_us) / 1000;
	return 0;
}

/* Nobody is asked whether all have it before they should have it. */
static int
all_rounds(struct arrivals *a, struct stage *s, double *call_ms,
    struct error *e)
{
	unsigned	i;

	for (i = 0; i < a->n; i++) {
		if (arrivals_say(a, s, i, e) == -1)
			return -1;
		stay_idle(s->bus);
		if (call_once(s, &call_ms[i], e) == -1 ||
		    a->way->await_idle(s, e) == -1)
			return -1;
		stay_idle(s->bus);
	}
	a->first = WARM_UP;
	return 0;
}

struct what {
	struct stage		*stage;
	const struct crowd	*crowd;
	const struct load	*load;
};

static int
measure_way(void *arg, const struct way *way,
    struct latency_result *result, struct error *e)
{
	struct what	*w = arg;
	struct arrivals	 a;
	double		 call_ms[WARM_UP + ROUNDS];
	int		 r;

	if (arrivals_begin(&a, w->stage, way, w->crowd, w->load,
	    WARM_UP + ROUNDS, e) == -1)
		return -1;
	if ((r = all_rounds(&a, w->stage, call_ms, e)) == 0 &&
	    (r = arrivals_read(&a, w->stage, result, e)) == 0)
		result->call_ms = quantile(call_ms, WARM_UP + ROUNDS, 0.5);
	arrivals_free(&a);
	return r;
}

int
measure_latency(struct stage *s, const struct crowd *c, const struct load *l,
    struct latency_result *ours, struct latency_result *bare,
    struct error *e)
{
	struct what	w = { .stage = s, .crowd = c, .load = l };

	return ceiling_and_space(s, c, l, measure_way, &w, ours, bare, e);
}
