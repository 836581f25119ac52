/* SPDX-License-Identifier: ISC */

/*
 * bench: what a space costs and gives, on this machine (bench/README).
 *
 *	bench [--check] [--rounds N] [--messages N] [--sweep]
 */
#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "ceiling.h"
#include "log.h"
#include "say.h"
#include "warden.h"

/* What --check demands of the ratio and, in ms, of latency. */
#define RATIO_LEAST	0.8	/* at 100 members */
#define SPREAD_LEAST	0.75	/* of many channels */
#define P50_MOST_20	2.0
#define P99_MOST_20	8.0
#define P50_MOST_100	5.0
#define P99_MOST_LOADED	25.0	/* at half of the throughput, 20 members */
#define FEW_MOST_KB	4096	/* of a worker */
#define MANY_MOST_KB	40960

#define SPREAD_CHANNELS	1000
#define RECORDS		100000

static int
usage(FILE *f, int code)
{
	fprintf(f, "usage: bench [--check] [--rounds N] [--messages N] "
	    "[--sweep]\n");
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
		{ "sweep", no_argument, NULL, 's' },
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
			b->messages = number(optarg, COPIES_MAX);
			break;
		case 's':
			b->sweep = true;
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

/* --- running ------------------------------------------------------------ */

static int
begin(struct bench *b, const char *dir, const char *name, struct error *e)
{
	char	path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (mkdir(path, 0700) == -1)
		return error_errno(e, EX_CANTCREAT, "%s", path);
	if (stage_open(&b->stage, path, e) == -1 ||
	    crowd_make(&b->crowd, &b->stage, e) == -1)
		return -1;
	return ceiling_make(&b->stage, e);
}

/* A space of few records, whole and in shards. */
static int
measure_few(struct bench *b, struct error *e)
{
	const struct load	some = { 1, 20, b->messages };
	const struct load	all = { 1, CROWD_MAX, b->messages };
	/* As many copies as with all: 80 to an owner. */
	const struct load	spread = { SPREAD_CHANNELS, 20,
				    b->messages * 5 };
	struct fanout_result	r;

	if (say_latency(b, &some, P50_MOST_20, P99_MOST_20, e) == -1 ||
	    say_fanout(b, &some, 0, &r, e) == -1 ||
	    say_paced(b, &some, r.copies_per_s / some.members / 2,
	    P99_MOST_LOADED, e) == -1 ||
	    say_latency(b, &all, P50_MOST_100, 0, e) == -1 ||
	    say_fanout(b, &all, RATIO_LEAST, &r, e) == -1 ||
	    say_idle(b, e) == -1 ||
	    say_memory(b, CROWD_MAX, FEW_MOST_KB, e) == -1 ||
	    say_fanout(b, &spread, SPREAD_LEAST, &r, e) == -1)
		return -1;
	return say_shards(b, 2, e) == -1 ? -1 : say_shards(b, 4, e);
}

/* A space of few records, and then many of channels in which nothing is said.
 * Another one: what a broker remembers makes it slower. */
static int
measure_many(struct bench *b, struct error *e)
{
	const struct load	all = { 1, CROWD_MAX, b->messages };
	struct fanout_result	few;

	if (say_fanout(b, &all, RATIO_LEAST, &few, e) == -1 ||
	    say_records(b, &all, RECORDS, &few, e) == -1 ||
	    say_start(b, RECORDS, e) == -1)
		return -1;
	return say_memory(b, RECORDS, MANY_MOST_KB, e);
}

static int
measure_all(struct bench *b, struct error *e)
{
	if (begin(b, b->dir, "few", e) == -1 || (b->sweep ? say_sweep(b, e) :
	    measure_few(b, e)) == -1)
		return -1;
	if (b->sweep)
		return 0;
	stage_close(&b->stage);
	return begin(b, b->dir, "many", e) == -1 ? -1 : measure_many(b, e);
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
