/* SPDX-License-Identifier: ISC */

/*
 * bench: what a space costs and gives, on this machine (bench/README).
 *
 *	bench [--check] [--rounds N] [--messages N] [PART...]
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

static int	measure_some(struct bench *, struct error *);
static int	measure_all_members(struct bench *, struct error *);
static int	measure_spread(struct bench *, struct error *);
static int	measure_shards(struct bench *, struct error *);
static int	measure_records(struct bench *, struct error *);

/* Each has a space of its own: what a broker remembers makes it slower. */
static const struct part {
	const char	*name;
	int		(*fn)(struct bench *, struct error *);
	bool		 asked;		/* only when it is named */
} parts[] = {
	{ "some", measure_some, false },
	{ "all", measure_all_members, false },
	{ "spread", measure_spread, false },
	{ "shards", measure_shards, false },
	{ "records", measure_records, false },
	{ "sweep", say_sweep, true },
};
#define PARTS	(sizeof(parts) / sizeof(parts[0]))

static int
usage(FILE *f, int code)
{
	size_t	i;

	fprintf(f, "usage: bench [--check] [--rounds N] [--messages N] "
	    "[PART...]\nparts:");
	for (i = 0; i < PARTS; i++)
		fprintf(f, " %s%s", parts[i].name, parts[i].asked ?
		    " (only when named)" : "");
	fprintf(f, "\n");
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

static bool
is_named(char *const *names, const struct part *p)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, p->name) == 0)
			return true;
	return false;
}

/* Those named, or all that need not be; false: one is not known. */
static bool
choose_parts(struct bench *b, char *const *names, int n)
{
	size_t	i;
	int	known = 0;

	for (i = 0; i < PARTS; i++) {
		b->part[i] = n == 0 ? !parts[i].asked :
		    is_named(names, &parts[i]);
		known += b->part[i];
	}
	return n == 0 || known == n;
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
			b->messages = number(optarg, COPIES_MAX);
			break;
		case 'h':
			return usage(stdout, EX_OK);
		default:
			return usage(stderr, EX_USAGE);
		}
	if (b->rounds == 0 || b->messages == 0 ||
	    !choose_parts(b, argv + optind, argc - optind))
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

static int
measure_some(struct bench *b, struct error *e)
{
	const struct load	l = { 1, 20, b->messages };
	struct fanout_result	r;

	if (say_latency(b, &l, P50_MOST_20, P99_MOST_20, e) == -1 ||
	    say_fanout(b, &l, 0, &r, e) == -1)
		return -1;
	return say_paced(b, &l, r.copies_per_s / l.members / 2,
	    P99_MOST_LOADED, e);
}

static int
measure_all_members(struct bench *b, struct error *e)
{
	const struct load	l = { 1, CROWD_MAX, b->messages };
	struct fanout_result	r;

	if (say_latency(b, &l, P50_MOST_100, 0, e) == -1 ||
	    say_fanout(b, &l, RATIO_LEAST, &r, e) == -1 ||
	    say_memory(b, "busy", CROWD_MAX, 0, e) == -1 ||
	    say_idle(b, e) == -1)
		return -1;
	return say_memory(b, "idle", CROWD_MAX, FEW_MOST_KB, e);
}

/* As many copies as with all, 80 to an owner. */
static int
measure_spread(struct bench *b, struct error *e)
{
	const struct load	l = { SPREAD_CHANNELS, 20, b->messages * 5 };
	struct fanout_result	r;

	return say_fanout(b, &l, SPREAD_LEAST, &r, e);
}

static int
measure_shards(struct bench *b, struct error *e)
{
	const struct load	l = { 1, CROWD_MAX, b->messages };

	if (crowd_join(&b->crowd, &b->stage, &l, e) == -1 ||
	    say_shards(b, 2, e) == -1)
		return -1;
	return say_shards(b, 4, e);
}

/* Few records, and then many of channels in which nothing is said. */
static int
measure_records(struct bench *b, struct error *e)
{
	const struct load	l = { 1, CROWD_MAX, b->messages };
	struct fanout_result	few;

	if (say_fanout(b, &l, RATIO_LEAST, &few, e) == -1 ||
	    say_records(b, &l, RECORDS, &few, e) == -1 ||
	    say_start(b, RECORDS, e) == -1)
		return -1;
	return say_memory(b, "idle", RECORDS, MANY_MOST_KB, e);
}

static int
measure_all(struct bench *b, struct error *e)
{
	size_t	i;

	for (i = 0; i < PARTS; i++) {
		if (!b->part[i])
			continue;
		stage_close(&b->stage);
		if (begin(b, b->dir, parts[i].name, e) == -1 ||
		    parts[i].fn(b, e) == -1)
			return -1;
	}
	return 0;
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
