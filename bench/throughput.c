/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "ceiling.h"
#include "gauge.h"
#include "measure.h"

static int
empty(struct stage *s, struct error *e)
{
	static const enum stream_kind	kinds[] = { STREAM_CHAT,
					    STREAM_INBOX, STREAM_DLV };
	char				stream[STREAM_MAX];
	size_t				i;

	if (stage_await_idle(s, e) == -1)
		return -1;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		name_stream(stream, sizeof(stream), s->config.space,
		    kinds[i]);
		if (stage_purge(s, stream, e) == -1)
			return -1;
	}
	return 0;
}

/* `reeve VERB` of every shard's fan-out. */
static int
all_fanouts(struct stage *s, const char *verb, struct error *e)
{
	char		name[64];
	unsigned	i;

	for (i = 0; i < s->shards; i++) {
		stage_service(s, "fanout", i, name, sizeof(name));
		if (stage_role(s, verb, name, e) == -1)
			return -1;
	}
	return 0;
}

/* Said while nobody copies; what is measured begins with the first copy. */
static int
space_run(struct stage *s, const struct crowd *c, const struct load *l,
    double *per_s, struct cost *cost, struct error *e)
{
	char		prefix[SUBJECT_MAX], dlv[STREAM_MAX];
	struct gauge	g;

	name_stream(dlv, sizeof(dlv), s->config.space, STREAM_DLV);
	snprintf(prefix, sizeof(prefix), "cotal.%s.chat", s->config.space);
	if (all_fanouts(s, "stop", e) == -1 ||
	    gauge_init(&g, s->bus, dlv, (uint64_t)l->members * l->messages,
	    e) == -1 ||
	    crowd_post(c, s, prefix, l, e) == -1 ||
	    all_fanouts(s, "start", e) == -1 ||
	    gauge_begin(&g, e) == -1 ||
	    cost_begin(cost, s, e) == -1 ||
	    gauge_rate(&g, per_s, e) == -1 ||
	    cost_end(cost, s, (double)(g.n - g.first), e) == -1)
		return -1;
	return empty(s, e);
}

int
measure_fanout(struct stage *s, const struct crowd *c, const struct load *l,
    unsigned rounds, struct fanout_result *result, struct error *e)
{
	double		copies[ROUNDS_MAX], ceiling[ROUNDS_MAX];
	unsigned	i;

	if (empty(s, e) == -1)
		return -1;
	for (i = 0; i < rounds; i++)
		if (ceiling_run(s, c, l, &ceiling[i], &result->ceiling, e) ==
		    -1 ||
		    space_run(s, c, l, &copies[i], &result->cost, e) == -1)
			return -1;
	result->copies_per_s = quantile(copies, rounds, 0.5);
	result->ceiling_per_s = quantile(ceiling, rounds, 0.5);
	result->ratio = result->copies_per_s / result->ceiling_per_s;
	return 0;
}

int
measure_cost(struct stage *s, const struct crowd *c, const struct load *l,
    struct fanout_result *result, struct error *e)
{
	result->ceiling_per_s = result->ratio = 0;
	if (empty(s, e) == -1)
		return -1;
	return space_run(s, c, l, &result->copies_per_s, &result->cost, e);
}
