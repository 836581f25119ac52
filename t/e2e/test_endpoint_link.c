/* SPDX-License-Identifier: ISC */

/* An agent's side: its link. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "proxy.h"
#include "seat.h"

#define AWAY_MS		8500	/* longer than a broker may be silent */
#define SLACK_MS	250	/* a busy machine's, beyond a turn's own time */

static struct agent	*scout;

static void
setup(void)
{
	space_setup();
	scout = agent_make(sp, "scout", NULL);
}

static void
teardown(void)
{
	agent_free(scout);
	space_teardown();
}

/* --- the link ------------------------------------------------------------------ */

/* An answer, or why there is none. */
struct heard {
	unsigned	 n;
	char		*data;		/* as it was printed */
	struct error	 e;
};

static void
on_answer(void *arg, const cJSON *data, const struct error *e)
{
	struct heard	*h = arg;

	h->n++;
	free(h->data);
	h->data = data == NULL ? NULL : json_print(data);
	h->e.code = 0;
	if (e != NULL)
		h->e = *e;
	ck_assert_int_eq(data == NULL, e != NULL);
}

static uint64_t
presence_rev(const struct agent *a)
{
	uint64_t	seq = 0;

	cJSON_Delete(record_get(sp, BUCKET_PRESENCE, a->id, &seq));
	return seq;
}

START_TEST(a_broker_that_was_killed_is_found_again)
{
	struct seat	s = { .ups = 0 };
	struct heard	h = { .n = 0 };
	struct error	e;
	uint64_t	rev;

	seat_up(&s, scout, ENDPOINT_PRESENCE | ENDPOINT_ROSTER |
	    ENDPOINT_REGISTRY);
	ck_assert_uint_eq(s.ups, 1);
	ck_assert_uint_eq(s.downs, 0);
	rev = presence_rev(scout);
	ck_assert_uint_gt(rev, 0);
	broker_down(sp);
	TURN_UNTIL(s.downs > 0, &s);
	ck_assert(!endpoint_is_up(s.ep));
	ck_assert_int_eq(endpoint_call(s.ep, "delivery", "listMemberships",
	    NULL, 1000, on_answer, &h, &e), -1);
	ck_assert_int_eq(e.code, EX_TEMPFAIL);
	ck_assert_uint_eq(h.n, 0);
	TURN_UNTIL(s.downs > 2, &s);		/* tried, and told */
	broker_up(sp);
	TURN_UNTIL(s.ups == 2, &s);
	space_connect_root(sp);
	ck_assert_uint_gt(presence_rev(scout), rev);
	ck_assert_int_le(s.longest_ms, SLACK_MS);
	seat_free(&s);
}
END_TEST

/* A socket that connections get through to, and that says nothing. */
static int
black_hole(char *url, size_t size)
{
	struct sockaddr_in	a = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		len = sizeof(a);
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert(fd != -1 && bind(fd, (struct sockaddr *)&a, len) == 0 &&
	    listen(fd, 8) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	snprintf(url, size, "nats://127.0.0.1:%d", ntohs(a.sin_port));
	return fd;
}

START_TEST(a_black_hole_holds_nobody_up)
{
	struct seat		s = { .ups = 0 };
	struct endpoint_conf	c = { .space = NULL };
	struct pollfd		p = { .events = POLLIN };
	char			hole[64], both[512];
	int64_t			began;
	int			fd = black_hole(hole, sizeof(hole)), ends[2];

	c.servers = hole;
	began = test_now_ms();
	seat_new(&s, scout, &c, 0);
	/* Somebody else's descriptor is seen to meanwhile. */
	ck_assert(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
	p.fd = ends[0];
	endpoint_turn(s.ep, &p, 1, 1000);
	ck_assert_int_eq(p.revents, POLLIN);
	ck_assert_int_lt(test_now_ms() - began, 500);
	TURN_UNTIL(s.downs > 0, &s);
	ck_assert_int_ge(test_now_ms() - began, 1000);
	ck_assert_int_eq(s.why.code, EX_UNAVAILABLE);
	ck_assert_int_le(s.longest_ms, SLACK_MS);
	TURN_FOR(300, &s);			/* the next try is under way */
	began = test_now_ms();
	seat_free(&s);
	ck_assert_int_le(test_now_ms() - began, SLACK_MS);
	/* It is passed over for one that answers. */
	snprintf(both, sizeof(both), "%s,%s", hole, sp->config.servers);
	c.servers = both;
	seat_new(&s, scout, &c, ENDPOINT_PRESENCE);
	TURN_UNTIL(s.ups == 1, &s);
	ck_assert_int_le(s.longest_ms, SLACK_MS);
	seat_free(&s);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* The address sanitizer would tell of what a thread left behind. */
START_TEST(one_that_is_freed_while_it_connects)
{
	struct seat	s = { .ups = 0 };
	unsigned	i;

	for (i = 0; i < 100; i++) {
		seat_new(&s, scout, NULL, ENDPOINT_PRESENCE);
		if (i % 4 > 0)
			endpoint_turn(s.ep, NULL, 0, (int64_t)(i % 4));
		seat_free(&s);
	}
	seat_up(&s, scout, ENDPOINT_PRESENCE);
	seat_free(&s);
}
END_TEST

START_TEST(a_broker_that_is_silent_is_lost)
{
	struct seat		s = { .ups = 0 };
	struct endpoint_conf	c = { .space = NULL };
	struct proxy		proxy;
	char			url[64];
	int64_t			began;

	proxy_start(&proxy, sp->port);
	snprintf(url, sizeof(url), "nats://127.0.0.1:%d", proxy.port);
	c.servers = url;
	/* It has nothing to say by itself. */
	seat_new(&s, scout, &c, 0);
	TURN_UNTIL(s.ups == 1, &s);
	TURN_FOR(2500, &s);
	ck_assert_uint_eq(s.downs, 0);
	proxy_freeze(&proxy);
	began = test_now_ms();
	TURN_UNTIL(s.downs == 1, &s);
	ck_assert_int_ge(test_now_ms() - began, 5000);
	ck_assert_ptr_nonnull(strstr(s.why.text, "silent"));
	proxy_thaw(&proxy);
	TURN_UNTIL(s.ups == 2, &s);
	ck_assert_int_le(s.longest_ms, SLACK_MS);
	seat_free(&s);
	proxy_stop(&proxy);
}
END_TEST

static void
on_dm(void *arg, struct delivery *d)
{
	struct seat	*s = arg;

	ck_assert(d->kind == DELIVERY_DM);
	snprintf(s->note, sizeof(s->note), "given");
	endpoint_settle(s->ep, d, SETTLE_DONE);
}

/* A program that was stopped a while listens before it takes for lost what it
 * asked for. */
START_TEST(one_that_was_away_finds_what_came)
{
	struct seat	 s = { .ops.message = on_dm };
	struct agent	*mate = agent_make(sp, "mate", NULL);
	int64_t		 began;

	seat_up(&s, scout, ENDPOINT_DURABLES);
	TURN_FOR(300, &s);
	began = test_now_ms();
	ck_assert_int_eq(reeve(sp, NULL, 0, "send --as mate --to %s hello",
	    scout->id), 0);
	while (test_now_ms() - began < AWAY_MS)
		test_pause();
	ck_assert_str_ne(s.note, "given");
	began = test_now_ms();
	TURN_UNTIL(strcmp(s.note, "given") == 0, &s);
	ck_assert_int_lt(test_now_ms() - began, 1000);
	ck_assert_uint_eq(s.downs, 0);
	seat_free(&s);
	agent_free(mate);
}
END_TEST

START_TEST(it_connects_anew_when_told)
{
	struct seat	s = { .ups = 0 };
	struct heard	h = { .n = 0 };
	struct error	e;
	int64_t		began;
	unsigned	i;

	seat_up(&s, scout, ENDPOINT_PRESENCE | ENDPOINT_REGISTRY);
	for (i = 1; i <= 3; i++) {
		OK(endpoint_call(s.ep, "delivery", "listMemberships", NULL,
		    5000, on_answer, &h, &e), e);
		began = test_now_ms();
		endpoint_reconnect(s.ep);
		ck_assert_uint_eq(h.n, i);
		ck_assert_int_eq(h.e.code, EX_TEMPFAIL);
		ck_assert_uint_eq(s.downs, i);
		TURN_UNTIL(s.ups == i + 1, &s);
		ck_assert_int_lt(test_now_ms() - began, 1500);
	}
	seat_free(&s);
}
END_TEST

START_TEST(it_says_what_it_cannot_be)
{
	struct creds		creds = { .jwt = NULL };
	struct endpoint_conf	c = { .servers = "nats://127.0.0.1:1",
				    .space = "t", .creds = &creds };
	struct strlist		odd = { .n = 0 };
	struct endpoint		*ep;
	struct error		 e;

	OK(nkey_new(&creds.key, NKEY_USER, &e), e);
	c.token = "x";
	ck_assert_int_eq(endpoint_new(&ep, &c, NULL, NULL, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	c.token = NULL;
	c.user = "x";
	ck_assert_int_eq(endpoint_new(&ep, &c, NULL, NULL, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	c.user = NULL;
	c.name = " x";
	ck_assert_int_eq(endpoint_new(&ep, &c, NULL, NULL, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	c.name = NULL;
	ck_assert(strlist_add(&odd, "a..b"));
	c.subscribe = &odd;
	ck_assert_int_eq(endpoint_new(&ep, &c, NULL, NULL, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	c.subscribe = NULL;
	OK(endpoint_new(&ep, &c, NULL, NULL, &e), e);
	ck_assert_str_eq(endpoint_name(ep), creds.key.public);
	ck_assert_str_eq(endpoint_id(ep), creds.key.public);
	ck_assert_ptr_null(endpoint_role(ep));
	ck_assert_int_eq(endpoint_await(ep, 5000, &e), -1);
	ck_assert_int_eq(e.code, EX_UNAVAILABLE);
	endpoint_free(ep);
	strlist_free(&odd);
}
END_TEST

/*
 * The program ends while a thread that was left behind still connects: what
 * the libraries clean up then must not be pulled from under it.
 */
START_TEST(a_program_ends_while_it_connects)
{
	struct endpoint_conf	 c = { .servers = "nats://127.0.0.1:1",
				    .space = "t" };
	struct endpoint		*ep;
	struct error		 e;
	unsigned		 i;
	pid_t			 pid;
	int			 status;

	for (i = 0; i < 100; i++) {
		fflush(NULL);
		ck_assert((pid = fork()) != -1);
		if (pid == 0) {
			if (endpoint_new(&ep, &c, NULL, NULL, &e) == -1)
				_exit(1);
			endpoint_turn(ep, NULL, 0, (int64_t)(i % 3));
			endpoint_free(ep);
			exit(0);
		}
		ck_assert(waitpid(pid, &status, 0) == pid);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		    "%u: status %x", i, (unsigned)status);
	}
}
END_TEST

static TCase *
with_agent(const char *name)
{
	TCase	*t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	return t;
}

int
main(void)
{
	TCase	*link = with_agent("link");
	TCase	*alone = tcase_create("alone");

	tcase_add_test(link, a_broker_that_was_killed_is_found_again);
	tcase_add_test(link, a_black_hole_holds_nobody_up);
	tcase_add_test(link, one_that_is_freed_while_it_connects);
	tcase_add_test(link, a_broker_that_is_silent_is_lost);
	tcase_add_test(link, one_that_was_away_finds_what_came);
	tcase_add_test(link, it_connects_anew_when_told);
	tcase_add_test(alone, it_says_what_it_cannot_be);
	tcase_add_test(alone, a_program_ends_while_it_connects);
	tcase_set_timeout(alone, 30);
	return test_main("endpoint_link", link, alone, NULL);
}
