/* SPDX-License-Identifier: ISC */

/*
 * The link between the roles and the broker is cut in the middle of a batch,
 * or goes silent without a word: nothing is lost, doubled or out of order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "load.h"
#include "proxy.h"

#define CUTS		12
#define NOTICED_MS	5000
#define RESUMED_MS	8000	/* the old requests run out first */

static struct proxy	proxy;

/* The roles reach the broker through the proxy, the test does not. */
static void
setup_behind_proxy(void)
{
	char	cmd[512];

	space_setup_idle();
	proxy_start(&proxy, sp->port);
	snprintf(cmd, sizeof(cmd), "sed -i 's|^servers.*|servers = "
	    "nats://127.0.0.1:%d|' %s/reeve.conf", proxy.port, sp->state);
	ck_assert(system(cmd) == 0);
	space_start(sp);
	space_await_ready(sp);
}

struct resumption {
	int64_t	since_ms, took_ms;
};

static void
on_copy(struct load *l, int64_t posted_ms)
{
	struct resumption	*r = l->own;

	if (r->took_ms == 0 && posted_ms > r->since_ms)
		r->took_ms = clock_ms() - r->since_ms;
}

static void
begin(struct load *l, struct resumption *r)
{
	unsigned	i;

	load_init(l, sp);
	l->own = r;
	l->on_copy = on_copy;
	for (i = 0; i < 4; i++)
		load_sender(l, "busy", 10);	/* CHAT holds 10 s */
	for (i = 0; i < 2; i++)
		agent_join(load_listener(l, "busy")->agent, "busy");
	load_tap(l);
}

static void
end(struct load *l)
{
	load_hush(l);
	load_check(l, &l->listeners[0], "busy");
	load_check(l, &l->listeners[1], "busy");
	ck_assert_ptr_null(dead_letter(sp, 0));
	load_free(l);
	proxy_stop(&proxy);
}

static int64_t
resumed(struct load *l, struct resumption *r)
{
	r->took_ms = 0;
	r->since_ms = clock_ms();
	LOAD_AWAIT(l, r->took_ms != 0);
	return r->took_ms;
}

START_TEST(cut_in_a_batch)
{
	static struct load	l;
	struct resumption	r = { 0, 0 };
	unsigned		i;

	begin(&l, &r);
	for (i = 0; i < CUTS; i++) {
		load_run(&l, 100 + 37 * i);
		if (i % 2)
			proxy_cut(&proxy);
		else
			proxy_cut_after(&proxy, 5 + 13 * i);
		load_run(&l, 300);
		printf("cut %u: %lld ms\n", i, (long long)resumed(&l, &r));
	}
	end(&l);
}
END_TEST

START_TEST(frozen_and_cut)
{
	static struct load	l;
	struct resumption	r = { 0, 0 };
	int64_t			began, took;
	unsigned		ended;

	begin(&l, &r);
	load_run(&l, 500);
	ended = logged_times(sp, "session ended");
	proxy_freeze(&proxy);
	began = clock_ms();
	LOAD_AWAIT(&l, logged_times(sp, "session ended") >= ended + 3);	/* the workers */
	took = clock_ms() - began;
	ck_assert_msg(took < NOTICED_MS, "noticed after %lld ms",
	    (long long)took);
	printf("noticed after %lld ms\n", (long long)took);
	load_run(&l, 1000);
	proxy_cut(&proxy);
	proxy_thaw(&proxy);
	took = resumed(&l, &r);
	printf("resumed after %lld ms\n", (long long)took);
	ck_assert_msg(took < RESUMED_MS, "resumed after %lld ms",
	    (long long)took);
	end(&l);
}
END_TEST

/* What was held back arrives after all: late publishes, acks and pulls. */
START_TEST(frozen_and_thawed)
{
	static struct load	l;
	struct resumption	r = { 0, 0 };
	int64_t			took;
	unsigned		i;

	begin(&l, &r);
	for (i = 0; i < 3; i++) {
		load_run(&l, 500);
		proxy_freeze(&proxy);
		load_run(&l, 1000 + 1900 * i);
		proxy_thaw(&proxy);
		took = resumed(&l, &r);
		printf("thawed: resumed after %lld ms\n", (long long)took);
		ck_assert_msg(took < RESUMED_MS, "resumed after %lld ms",
		    (long long)took);
	}
	end(&l);
}
END_TEST

int
main(void)
{
	TCase	*cut = test_case("cut", setup_behind_proxy, 120);
	TCase	*frozen = test_case("frozen", setup_behind_proxy, 120);

	setvbuf(stdout, NULL, _IOLBF, 0);
	tcase_add_test(cut, cut_in_a_batch);
	tcase_add_test(frozen, frozen_and_cut);
	tcase_add_test(frozen, frozen_and_thawed);
	return test_main("links", cut, frozen, NULL);
}
