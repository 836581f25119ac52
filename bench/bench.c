/* SPDX-License-Identifier: ISC */

/*
 * bench: what a space costs and gives, on this machine (bench/README).
 *
 *	bench [--check] [--rounds N] [--messages N]
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "ceiling.h"
#include "log.h"
#include "measure.h"
#include "warden.h"

/* What --check demands. */
#define RATIO_LEAST	0.5	/* at 100 members */
#define P50_MOST_MS	5.0	/* at 20 members */
#define TOTAL_MOST_KB	20480

struct bench {
	char		 dir[32];
	bool		 check;
	unsigned	 rounds, messages;
	struct stage	 stage;
	struct crowd	 crowd;
	bool		 failed;	/* a bound was missed */
};

static int
usage(FILE *f, int code)
{
	fprintf(f, "usage: bench [--check] [--rounds N] [--messages N]\n");
	return code;
}

/* From 1 to most; 0 when it is no such number. */
static unsigned
number(const char *s, unsigned most)
{
	char		*end;
	unsigned long	 v;

	errno = 0;
	v = strtoul(s, &end, 10);
	return errno != 0 || *end != '\0' || v > most ? 0 : (unsigned)v;
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, struct bench *b)
{
	static const struct option	longs[] = {
		{ "check", no_argument, NULL, 'c' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "messages", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	int				c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			b->check = true;
			break;
		case 'r':
			b->rounds = number(optarg, ROUNDS_MAX);
			break;
		case 'm':
			b->messages = number(optarg, MESSAGES_MAX);
			break;
		case 'h':
			return usage(stdout, EX_OK);
		default:
			return usage(stderr, EX_USAGE);
		}
	if (optind < argc || b->rounds == 0 || b->messages == 0)
		return usage(stderr, EX_USAGE);
	return -1;
}

/* --- what is printed ---------------------------------------------------- */

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

static int
bench_fanout(struct bench *b, unsigned members, struct error *e)
{
	struct fanout_result	r;
	double			ratio;

	if (measure_fanout(&b->stage, &b->crowd, members, b->messages,
	    b->rounds, &r, e) == -1)
		return -1;
	ratio = r.copies_per_s / r.ceiling_per_s;
	printf("bench fanout members=%u payload=%u messages=%u "
	    "copies_per_s=%.0f ceiling_per_s=%.0f ratio=%.2f\n", members,
	    CROWD_TEXT, b->messages, r.copies_per_s, r.ceiling_per_s, ratio);
	printf("bench cost members=%u broker_us=%.1f fanout_us=%.1f "
	    "reader_us=%.1f\n", members, r.cost.broker_us,
	    r.cost.fanout_us, r.cost.reader_us);
	if (members == 100 && ratio < RATIO_LEAST)
		miss(b, "fanout members=%u ratio=%.2f least=%.2f", members,
		    ratio, RATIO_LEAST);
	return 0;
}

/* The same space in more shards, and which of the processes costs most: with
 * the processors shared, that is what bounds it. */
static int
bench_shards(struct bench *b, unsigned shards, struct error *e)
{
	struct fanout_result	r;
	double			ours;

	if (stage_reshard(&b->stage, shards, e) == -1 ||
	    measure_fanout(&b->stage, &b->crowd, CROWD_MAX, b->messages,
	    b->rounds, &r, e) == -1)
		return -1;
	ours = r.cost.fanout_us + r.cost.reader_us;
	printf("bench shards=%u members=%u copies_per_s=%.0f "
	    "ceiling_per_s=%.0f ratio=%.2f broker_us=%.1f fanout_us=%.1f "
	    "reader_us=%.1f bound=%s\n", shards,
	    CROWD_MAX, r.copies_per_s, r.ceiling_per_s,
	    r.copies_per_s / r.ceiling_per_s, r.cost.broker_us,
	    r.cost.fanout_us, r.cost.reader_us, r.cost.broker_us > ours ?
	    "broker" : "workers");
	return 0;
}

static int
bench_latency(struct bench *b, unsigned members, struct error *e)
{
	struct latency_result	r;

	if (measure_latency(&b->stage, &b->crowd, members, &r, e) == -1)
		return -1;
	printf("bench latency members=%u p50_ms=%.2f p99_ms=%.2f\n", members,
	    r.p50_ms, r.p99_ms);
	if (members == 20 && r.p50_ms > P50_MOST_MS)
		miss(b, "latency members=%u p50_ms=%.2f most=%.2f", members,
		    r.p50_ms, P50_MOST_MS);
	return 0;
}

static int
bench_memory(struct bench *b, struct error *e)
{
	struct memory_result	r;
	long			total;

	if (measure_memory(&b->stage, &r, e) == -1)
		return -1;
	total = memory_total_kb(&r);
	printf("bench memory role=broker pss_kb=%ld\n"
	    "bench memory role=lease pss_kb=%ld\n"
	    "bench memory role=fanout pss_kb=%ld\n"
	    "bench memory role=reader pss_kb=%ld\n"
	    "bench memory role=control pss_kb=%ld\n"
	    "bench memory role=reeved pss_kb=%ld\n"
	    "bench memory role=total pss_kb=%ld\n", r.broker_kb, r.lease_kb,
	    r.fanout_kb, r.reader_kb, r.control_kb, r.reeved_kb, total);
	if (total > TOTAL_MOST_KB)
		miss(b, "memory role=total pss_kb=%ld most=%d", total,
		    TOTAL_MOST_KB);
	return 0;
}

/* --- running ------------------------------------------------------------ */

static int
measure_all(struct bench *b, struct error *e)
{
	static const unsigned	members[] = { 20, CROWD_MAX };
	size_t			i;

	if (stage_open(&b->stage, b->dir, e) == -1 ||
	    crowd_make(&b->crowd, &b->stage, e) == -1 ||
	    ceiling_make(&b->stage, e) == -1)
		return -1;
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (crowd_join(&b->crowd, &b->stage, members[i], e) == -1 ||
		    bench_latency(b, members[i], e) == -1 ||
		    bench_fanout(b, members[i], e) == -1)
			return -1;
	if (bench_memory(b, e) == -1)
		return -1;
	return bench_shards(b, 2, e) == -1 ? -1 : bench_shards(b, 4, e);
}

static int
run(void *arg)
{
	struct bench	*b = arg;
	struct error	 e;
	int		 code = EX_OK;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_init("role=bench", LOG_LEVEL_WARN);
	if (sodium_init() == -1)
		return EX_SOFTWARE;
	if (measure_all(b, &e) == -1) {
		stage_show_log(&b->stage);
		fprintf(stderr, "bench: %s\n", e.text);
		code = e.code;
	}
	stage_close(&b->stage);
	return code == EX_OK && b->failed ? 1 : code;
}

int
main(int argc, char **argv)
{
	static struct bench	b = { .rounds = 3, .messages = 800,
				    .dir = "/tmp/reeve-bench-XXXXXX" };
	int			code;

	if ((code = parse_options(argc, argv, &b)) != -1)
		return code;
	if (mkdtemp(b.dir) == NULL) {
		fprintf(stderr, "bench: %s: %s\n", b.dir, strerror(errno));
		return EX_CANTCREAT;
	}
	return warden_run(b.dir, run, &b);
}
