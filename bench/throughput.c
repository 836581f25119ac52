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

/* Said while nobody copies; what is measured begins with fan-out. */
static int
space_run(struct stage *s, const struct crowd *c, unsigned members,
    unsigned messages, double *per_s, struct cost *cost, struct error *e)
{
	uint64_t	copies = (uint64_t)members * messages;
	char		prefix[SUBJECT_MAX], dlv[STREAM_MAX];
	struct gauge	g;

	name_stream(dlv, sizeof(dlv), s->config.space, STREAM_DLV);
	snprintf(prefix, sizeof(prefix), "cotal.%s.chat", s->config.space);
	if (all_fanouts(s, "stop", e) == -1 ||
	    gauge_init(&g, s->bus, dlv, e) == -1 ||
	    crowd_post(c, s, prefix, members, messages, e) == -1 ||
	    cost_begin(cost, s, e) == -1 ||
	    all_fanouts(s, "start", e) == -1 ||
	    gauge_rate(&g, copies, per_s, e) == -1 ||
	    cost_end(cost, s, e) == -1)
		return -1;
	cost->broker_us /= (double)copies;
	cost->fanout_us /= (double)copies;
	cost->reader_us /= (double)copies;
	return empty(s, e);
}

int
measure_fanout(struct stage *s, const struct crowd *c, unsigned members,
    unsigned messages, unsigned rounds, struct fanout_result *result,
    struct error *e)
{
	double		copies[ROUNDS_MAX], ceiling[ROUNDS_MAX];
	unsigned	i;

	if (empty(s, e) == -1)
		return -1;
	for (i = 0; i < rounds; i++)
		if (ceiling_run(s, c, members, messages, &ceiling[i], e) == -1
		    || space_run(s, c, members, messages, &copies[i],
		    &result->cost, e) == -1)
			return -1;
	result->copies_per_s = quantile(copies, rounds, 0.5);
	result->ceiling_per_s = quantile(ceiling, rounds, 0.5);
	return 0;
}
