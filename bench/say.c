/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>

#include "say.h"

/* What --check demands besides what is handed in. */
#define OF_FEW_LEAST		0.9	/* with many records, to with few */
#define START_MOST_MS		3000.0
#define IDLE_MOST_PCT		0.3
#define TOTAL_MOST_KB		20480	/* at 100 members */

static void
miss(struct bench *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
miss(struct bench *b, const char *fmt, ...)
{
	va_list	ap;

	if (!b->check)
		return;
	b->failed = true;
	fprintf(stderr, "bench ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " FAIL\n");
}

/* --- copies ------------------------------------------------------------- */

static void
say_cost(const struct load *l, const struct fanout_result *r)
{
	const struct cost	*c = &r->cost, *bare = &r->ceiling;

	printf("bench cost channels=%u members=%u broker_us=%.1f "
	    "fanout_us=%.1f reader_us=%.1f ceiling_broker_us=%.1f "
	    "ceiling_hops_us=%.1f\n", l->channels, l->members,
	    c->broker_us, c->fanout_us, c->reader_us, bare->broker_us,
	    bare->fanout_us + bare->reader_us);
}

int
say_fanout(struct bench *b, const struct load *l, double least,
    struct fanout_result *r, struct error *e)
{
	if (crowd_join(&b->crowd, &b->stage, l, e) == -1 ||
	    measure_fanout(&b->stage, &b->crowd, l, b->rounds, r, e) == -1)
		return -1;
	printf("bench fanout channels=%u members=%u payload=%u messages=%u "
	    "copies_per_s=%.0f ceiling_per_s=%.0f ratio=%.2f\n", l->channels,
	    l->members, CROWD_TEXT, l->messages, r->copies_per_s,
	    r->ceiling_per_s, r->ratio);
	say_cost(l, r);
	if (r->ratio < least)
		miss(b, "fanout channels=%u members=%u ratio=%.3f "
		    "least=%.2f", l->channels, l->members, r->ratio, least);
	return 0;
}

/* The same space in more shards, and which of the processes costs most: with
 * the processors shared, that is what bounds it. */
int
say_shards(struct bench *b, unsigned shards, struct error *e)
{
	const struct load	l = { 1, CROWD_MAX, b->messages };
	struct fanout_result	r;
	double			ours;

	if (stage_reshard(&b->stage, shards, e) == -1 ||
	    measure_fanout(&b->stage, &b->crowd, &l, b->rounds, &r, e) == -1)
		return -1;
	ours = r.cost.fanout_us + r.cost.reader_us;
	printf("bench shards=%u members=%u copies_per_s=%.0f "
	    "ceiling_per_s=%.0f ratio=%.2f broker_us=%.1f fanout_us=%.1f "
	    "reader_us=%.1f bound=%s\n", shards,
	    l.members, r.copies_per_s, r.ceiling_per_s, r.ratio,
	    r.cost.broker_us, r.cost.fanout_us, r.cost.reader_us,
	    r.cost.broker_us > ours ? "broker" : "workers");
	return 0;
}

int
say_records(struct bench *b, const struct load *l, unsigned records,
    const struct fanout_result *few, struct error *e)
{
	struct fanout_result	r;
	double			of_few;

	if (crowd_join_others(&b->crowd, &b->stage, records, e) == -1 ||
	    measure_fanout(&b->stage, &b->crowd, l, b->rounds, &r, e) == -1)
		return -1;
	of_few = r.ratio / few->ratio;
	printf("bench records records=%u members=%u copies_per_s=%.0f "
	    "ceiling_per_s=%.0f ratio=%.2f few_per_s=%.0f few_ratio=%.2f "
	    "of_few=%.2f\n", records, l->members, r.copies_per_s,
	    r.ceiling_per_s, r.ratio, few->copies_per_s, few->ratio, of_few);
	say_cost(l, &r);
	if (of_few < OF_FEW_LEAST)
		miss(b, "records records=%u of_few=%.3f least=%.2f", records,
		    of_few, OF_FEW_LEAST);
	return 0;
}

/* --- how long it takes -------------------------------------------------- */

int
say_latency(struct bench *b, const struct load *l, double p50_most,
    double p99_most, struct error *e)
{
	struct latency_result	r, bare;

	if (crowd_join(&b->crowd, &b->stage, l, e) == -1 ||
	    measure_latency(&b->stage, &b->crowd, l, &r, &bare, e) == -1)
		return -1;
	printf("bench latency members=%u p50_ms=%.2f p99_ms=%.2f "
	    "ceiling_p50_ms=%.2f ceiling_p99_ms=%.2f call_ms=%.2f\n",
	    l->members, r.p50_ms, r.p99_ms, bare.p50_ms, bare.p99_ms,
	    r.call_ms);
	if (p50_most > 0 && r.p50_ms > p50_most)
		miss(b, "latency members=%u p50_ms=%.2f most=%.2f",
		    l->members, r.p50_ms, p50_most);
	if (p99_most > 0 && r.p99_ms > p99_most)
		miss(b, "latency members=%u p99_ms=%.2f most=%.2f",
		    l->members, r.p99_ms, p99_most);
	return 0;
}

int
say_paced(struct bench *b, const struct load *l, double per_s,
    double p99_most, struct error *e)
{
	struct latency_result	r, bare;

	if (measure_paced(&b->stage, &b->crowd, l, per_s, &r, &bare, e) == -1)
		return -1;
	printf("bench loaded members=%u messages_per_s=%.0f "
	    "copies_per_s=%.0f p50_ms=%.2f p99_ms=%.2f ceiling_p50_ms=%.2f "
	    "ceiling_p99_ms=%.2f broker_us=%.1f fanout_us=%.1f "
	    "reader_us=%.1f\n", l->members, per_s, per_s * l->members,
	    r.p50_ms, r.p99_ms, bare.p50_ms, bare.p99_ms, r.cost.broker_us,
	    r.cost.fanout_us, r.cost.reader_us);
	if (r.p99_ms > p99_most)
		miss(b, "loaded members=%u p99_ms=%.2f most=%.2f",
		    l->members, r.p99_ms, p99_most);
	return 0;
}

int
say_start(struct bench *b, unsigned records, struct error *e)
{
	static const char *const	roles[] = { "fanout", "reader",
					    "control" };
	double				ms;
	size_t				i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (measure_start(&b->stage, roles[i], &ms, e) == -1)
			return -1;
		printf("bench start role=%s records=%u ready_ms=%.0f\n",
		    roles[i], records, ms);
		if (ms > START_MOST_MS)
			miss(b, "start role=%s records=%u ready_ms=%.0f "
			    "most=%.0f", roles[i], records, ms,
			    START_MOST_MS);
	}
	return 0;
}

/* --- what it takes ------------------------------------------------------ */

int
say_memory(struct bench *b, const char *when, unsigned records,
    long each_most_kb, struct error *e)
{
	struct memory_result	r;
	long			total;
	size_t			i;

	if (measure_memory(&b->stage, &r, e) == -1)
		return -1;
	total = memory_total_kb(&r);
	for (i = 0; i < MEMORY_ROLES; i++) {
		printf("bench memory role=%s when=%s records=%u "
		    "pss_kb=%ld\n", memory_roles[i], when, records,
		    r.kb[i]);
		if (each_most_kb > 0 && i >= MEMORY_WORKERS &&
		    r.kb[i] > each_most_kb)
			miss(b, "memory role=%s when=%s records=%u "
			    "pss_kb=%ld most=%ld", memory_roles[i], when,
			    records, r.kb[i], each_most_kb);
	}
	printf("bench memory role=total when=%s records=%u pss_kb=%ld\n",
	    when, records, total);
	if (records <= CROWD_MAX && total > TOTAL_MOST_KB)
		miss(b, "memory role=total pss_kb=%ld most=%d", total,
		    TOTAL_MOST_KB);
	return 0;
}

int
say_idle(struct bench *b, struct error *e)
{
	struct idle_result	r;
	size_t			i;

	if (measure_idle(&b->stage, &r, e) == -1)
		return -1;
	printf("bench idle seconds=%d", IDLE_S);
	for (i = 0; i < IDLE_ROLES; i++)
		printf(" %s_pct=%.3f", idle_roles[i], r.pct[i]);
	printf(" total_pct=%.3f\n", r.total_pct);
	if (r.total_pct > IDLE_MOST_PCT)
		miss(b, "idle total_pct=%.3f most=%.2f", r.total_pct,
		    IDLE_MOST_PCT);
	return 0;
}

/* --- the sweep ---------------------------------------------------------- */

static int
sweep_row(struct bench *b, const struct load *l, struct error *e)
{
	struct fanout_result	r;

	if (measure_cost(&b->stage, &b->crowd, l, &r, e) == -1)
		return -1;
	printf("%8u %8u %8u %8u %9.0f %9.1f %9.1f %9.1f\n", b->crowd.others,
	    l->members, l->messages, l->members * l->messages,
	    r.copies_per_s, r.cost.broker_us, r.cost.fanout_us,
	    r.cost.reader_us);
	return 0;
}

int
say_sweep(struct bench *b, struct error *e)
{
	static const unsigned		records[] = { 10, 100, 1000, 10000,
					    100000 };
	static const struct load	loads[] = { { 1, 20, 800 },
					    { 1, CROWD_MAX, 200 },
					    { 1, CROWD_MAX, 800 } };
	size_t				i, k;

	printf("%8s %8s %8s %8s %9s %9s %9s %9s\n", "others", "members",
	    "messages", "copies", "per_s", "broker_us", "fanout_us",
	    "reader_us");
	for (k = 0; k < sizeof(loads) / sizeof(loads[0]); k++)
		if (crowd_join(&b->crowd, &b->stage, &loads[k], e) == -1)
			return -1;
	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		if (crowd_join_others(&b->crowd, &b->stage, records[i], e) ==
		    -1)
			return -1;
		for (k = 0; k < sizeof(loads) / sizeof(loads[0]); k++)
			if (sweep_row(b, &loads[k], e) == -1)
				return -1;
	}
	return 0;
}
