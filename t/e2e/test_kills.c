/* SPDX-License-Identifier: ISC */

/*
 * Each role is killed again and again while agents talk, join and leave:
 * nothing is lost, doubled or out of order, and delivery is soon resumed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "joiner.h"
#include "json.h"
#include "supervised.h"

#define KILLS		50
#define RESUMED_MS	1000	/* at the 99th percentile */
#define STALLS		4	/* ... and so many of the broker's, see is_late */
#define BACKOFF_RESET_MS 11000	/* reeved forgets failures after 10 s up */
#define QUICK_KILLS	3	/* before its back-off counts */

/* --- killing ---------------------------------------------------------------- */

static const char *const	roles[] = { "fanout", "reader", "control",
				    "lease" };
#define N_ROLES	(sizeof(roles) / sizeof(roles[0]))
#define SHARDS	2	/* at most */

struct victim {
	char		name[32];
	pid_t		pid;
	int64_t		started_ms;
	unsigned	failures;	/* as reeved counts them */
};

struct kills {
	struct load	load;
	struct joiner	joiner;
	struct victim	victims[N_ROLES * SHARDS];
	unsigned	n_victims;
	int64_t		killed_ms;	/* 0: delivery was resumed */
	int64_t		took_ms;
	int64_t		took[KILLS];
	unsigned	n, n_late;
};

static void
on_copy(struct load *l, int64_t posted_ms)
{
	struct kills	*k = l->own;

	if (k->killed_ms != 0 && posted_ms > k->killed_ms) {
		k->took_ms = clock_ms() - k->killed_ms;
		k->killed_ms = 0;
	}
}

static void
turn(struct kills *k)
{
	load_turn(&k->load);
	joiner_turn(&k->joiner);
}

/* One whose next start reeved would not delay for long: its back-off is for
 * what crashes by itself, not for this test. */
static bool
may_kill(struct kills *k, unsigned i)
{
	struct victim	*v = &k->victims[i];
	pid_t		 pid = role_pid(k->load.space, v->name);

	if (pid < 2)
		return false;
	if (pid != v->pid) {
		v->pid = pid;
		v->started_ms = clock_ms();
	}
	if (clock_ms() - v->started_ms >= BACKOFF_RESET_MS)
		v->failures = 0;
	return v->failures < QUICK_KILLS;
}

static unsigned
choose(struct kills *k)
{
	unsigned	can[N_ROLES * SHARDS], n, i;

	for (;;) {
		for (n = i = 0; i < k->n_victims; i++)
			if (may_kill(k, i))
				can[n++] = i;
		if (n > 0)
			return can[(unsigned)rand() % n];
		turn(k);
	}
}

/*
 * A worker that starts asks the broker a dozen things, one after the other.
 * Where the broker itself, or this machine, was slow to answer those who post
 * meanwhile, a few of these answers were as slow.
 */
static bool
is_late(struct kills *k, int64_t stalled_ms)
{
	int64_t	most = RESUMED_MS + STALLS * stalled_ms;

	/* Others make it wait a second between two starts. */
	if (supervised_by() != BY_REEVED)
		most += 1000;
	return k->took_ms > most;
}

static void
kill_one(struct kills *k)
{
	int64_t		until = clock_ms() + 100 + rand() % 900, stalled;
	unsigned	i;

	while (clock_ms() < until)
		turn(k);
	i = choose(k);
	k->victims[i].failures++;
	(void)load_slowest_ms(&k->load);
	k->killed_ms = clock_ms();
	ck_assert(kill(k->victims[i].pid, SIGKILL) == 0);
	until = clock_ms() + AWAIT_MS;
	while (k->killed_ms != 0) {
		if (clock_ms() > until)
			test_fail(__FILE__, __LINE__, "delivery resumed");
		turn(k);
	}
	stalled = load_slowest_ms(&k->load);
	printf("kill %u %s: %lld ms, broker %lld\n", k->n,
	    k->victims[i].name, (long long)k->took_ms, (long long)stalled);
	k->took[k->n++] = k->took_ms;
	if (is_late(k, stalled)) {
		k->n_late++;
		log_dump(k->load.space);
	}
}

static int
ms_cmp(const void *a, const void *b)
{
	const int64_t	*x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
report(struct kills *k)
{
	unsigned	i, sent = 0;
	int64_t		p99;

	for (i = 0; i < k->load.n_senders; i++)
		sent += k->load.senders[i].n;
	qsort(k->took, k->n, sizeof(k->took[0]), ms_cmp);
	p99 = k->took[(k->n * 99 + 99) / 100 - 1];
	printf("%u kills, %u messages, %zu joins and leaves (%u tries more); "
	    "resumed after ms: min %lld p50 %lld p90 %lld p99 %lld max "
	    "%lld\n", k->n, sent, k->joiner.n * 2, k->joiner.retries,
	    (long long)k->took[0], (long long)k->took[k->n / 2],
	    (long long)k->took[k->n * 9 / 10], (long long)p99,
	    (long long)k->took[k->n - 1]);
	ck_assert_msg(k->n_late * 100 <= k->n, "%u of %u were late",
	    k->n_late, k->n);
}

static void
seed(void)
{
	const char	*given = getenv("REEVE_TEST_SEED");
	unsigned	 n = given == NULL ? (unsigned)time(NULL) :
			    (unsigned)strtoul(given, NULL, 10);

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("REEVE_TEST_SEED=%u\n", n);
	srand(n);
}

static void
name_victims(struct kills *k)
{
	unsigned	i, shard, n = space_shards(sp);
	char		of[16] = "";

	ck_assert_uint_le(n, SHARDS);
	for (shard = 0; shard < n; shard++) {
		if (n > 1)
			snprintf(of, sizeof(of), "-%u", shard);
		for (i = 0; i < N_ROLES; i++)
			snprintf(k->victims[k->n_victims++].name, 32, "%s%s",
			    roles[i], of);
	}
}

/* A letter that only counts what a killed worker may have lost is no message
 * given up on: it says how many at most, and load_check knows better. */
static void
check_nothing_given_up(void)
{
	cJSON		*o;
	unsigned	 i;

	for (i = 0; (o = dead_letter(sp, i)) != NULL; i++) {
		ck_assert_msg(json_get(o, "entry") == NULL &&
		    json_get(o, "entry64") == NULL, "%s",
		    json_get(o, "reason")->valuestring);
		cJSON_Delete(o);
	}
}

START_TEST(roles_killed_under_load)
{
	static struct kills	 k;
	struct listener		*puller, *away;
	unsigned		 i;

	seed();
	name_victims(&k);
	load_init(&k.load, sp);
	k.load.own = &k;
	k.load.on_copy = on_copy;
	for (i = 0; i < 4; i++)
		load_sender(&k.load, "busy", i < 2 ? 5 : 20);
	load_sender(&k.load, "quiet", 150);
	puller = load_listener(&k.load, "busy");
	away = load_listener(&k.load, "quiet");
	away->away = true;
	k.joiner.li = load_listener(&k.load, "busy");
	k.joiner.channel = "busy";
	agent_join(puller->agent, "busy");
	agent_join(away->agent, "quiet");
	load_tap(&k.load);
	while (k.n < KILLS)
		kill_one(&k);
	k.joiner.stay = true;
	while (k.joiner.stage != STAGE_OUT)
		turn(&k);
	load_hush(&k.load);
	load_check(&k.load, puller, "busy");
	load_check(&k.load, away, "quiet");
	load_check_spans(&k.load, k.joiner.li, "busy", k.joiner.spans,
	    k.joiner.n, false);
	ck_assert(k.joiner.n > 5);
	check_nothing_given_up();
	report(&k);
	load_free(&k.load);
}
END_TEST

int
main(void)
{
	TCase	*tc = test_case("kills", space_setup, 300);
	TCase	*two = test_case("kills of two shards", space_setup_shards,
		    300);

	tcase_add_test(tc, roles_killed_under_load);
	tcase_add_test(two, roles_killed_under_load);
	return test_main("kills", tc, two, NULL);
}
