/* SPDX-License-Identifier: ISC */

/* An agent's side: what it asks and what it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "message.h"
#include "seat.h"

static struct agent	*scout, *scribe;

static void
setup(void)
{
	space_setup();
	scout = agent_make(sp, "scout", "--allow-publish general "
	    "--allow-subscribe general");
	scribe = agent_make(sp, "scribe", NULL);
}

static void
teardown(void)
{
	agent_free(scout);
	agent_free(scribe);
	space_teardown();
}

/* --- calls ------------------------------------------------------------------------ */

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

static void
call(struct seat *s, struct heard *h, const char *service, const char *op,
    cJSON *args, int64_t timeout_ms)
{
	struct error	e;
	unsigned	n = h->n;

	OK(endpoint_call(s->ep, service, op, args, timeout_ms, on_answer, h,
	    &e), e);
	TURN_UNTIL(h->n > n, s);
	ck_assert_uint_eq(h->n, n + 1);
}

START_TEST(why_there_is_no_answer_is_told_apart)
{
	struct seat	s = { .ups = 0 };
	struct heard	h = { .n = 0 };
	struct error	e;
	cJSON		*o;

	seat_up(&s, scout, 0);
	call(&s, &h, "delivery", "listMemberships", NULL, 5000);
	ck_assert_int_eq(h.e.code, 0);
	ck_assert_str_eq(h.data, "{\"memberships\":[]}");
	call(&s, &h, "delivery", "dance", NULL, 5000);
	ck_assert_int_eq(h.e.code, EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(h.e.text, "dance"));
	/* It is not allowed to spawn. */
	call(&s, &h, "manager", "list", NULL, 5000);
	ck_assert_int_eq(h.e.code, EX_NOPERM);
	ck_assert_ptr_nonnull(strstr(h.e.text, "ctl.manager"));
	o = endpoint_ask(s.ep, "delivery", "listMemberships", NULL, 5000, &e);
	ck_assert_ptr_nonnull(o);
	cJSON_Delete(o);
	role_down(sp, "control");
	call(&s, &h, "delivery", "listMemberships", NULL, 5000);
	ck_assert_int_eq(h.e.code, EX_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(h.e.text, "ctl.delivery"));
	ck_assert_ptr_null(endpoint_ask(s.ep, "delivery", "listMemberships",
	    NULL, 5000, &e));
	ck_assert_int_eq(e.code, EX_UNAVAILABLE);
	seat_free(&s);
	free(h.data);
}
END_TEST

/* Who serves ctl.delivery in a test: answers as it is told. */
static const char	*serves;	/* NULL: nothing */
static unsigned		 asked;

static void
on_request(void *arg, natsMsg *m)
{
	struct bus_pub	p = { .subject = natsMsg_GetReply(m),
			    .data = serves };

	(void)arg;
	asked++;
	ck_assert(ctl_is_bound(m));
	if (serves != NULL) {
		p.len = strlen(serves);
		ck_assert_int_eq(bus_publish(sp->root, &p, NULL), 0);
		/* Twice: it counts once. */
		ck_assert_int_eq(bus_publish(sp->root, &p, NULL), 0);
	}
	bus_msg_free(m);
}

static void
serve(bus_msg_fn *fn)
{
	struct error	e;

	role_down(sp, "control");
	asked = 0;
	ck_assert_ptr_nonnull(bus_subscribe(sp->root,
	    "cotal.t.ctl.delivery.*", NULL, fn, NULL, &e));
	OK(bus_await(sp->root, 5000, &e), e);
}

#define TURN_ROOT_UNTIL(what, s)					\
	TURN_UNTIL((bus_turn(sp->root, NULL, 0, 0), (what)), s)

START_TEST(what_is_no_answer_is_none)
{
	static const struct {
		const char	*text;
		int		 code;
		const char	*says;
	} answers[] = {
		{ "", EX_PROTOCOL, "ctl.delivery" },
		{ "x", EX_PROTOCOL, "ctl.delivery" },
		{ "[]", EX_PROTOCOL, "object" },
		{ "\"ok\"", EX_PROTOCOL, "object" },
		{ "{}", EX_PROTOCOL, "ok" },
		{ "{\"ok\":\"yes\"}", EX_PROTOCOL, "ok" },
		{ "{\"ok\":true,\"ok\":false}", EX_PROTOCOL, "twice" },
		{ "{\"ok\":false}", EX_DATAERR, "without a reason" },
		{ "{\"ok\":false,\"error\":\"no\"}", EX_DATAERR, "no" },
		{ "{\"ok\":false,\"error\":\"not now; " CTL_LATER "\"}",
		    EX_TEMPFAIL, "not now" },
		{ "{\"ok\":false,\"error\":\"no\",\"code\":69}", EX_DATAERR,
		    "no" },
		{ "{\"ok\":false,\"error\":{}}", EX_PROTOCOL, "error" },
		{ "{\"ok\":true}", 0, "{}" },
		{ "{\"ok\":true,\"data\":[1]}", 0, "[1]" },
	};
	struct seat	s = { .ups = 0 };
	struct heard	h = { .n = 0 };
	struct error	e;
	size_t		i;

	serve(on_request);
	seat_up(&s, scout, 0);
	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		serves = answers[i].text;
		OK(endpoint_call(s.ep, "delivery", "x", NULL, 5000, on_answer,
		    &h, &e), e);
		TURN_ROOT_UNTIL(h.n == i + 1, &s);
		ck_assert_msg(h.e.code == answers[i].code, "%s: %d %s",
		    answers[i].text, h.e.code, h.e.text);
		ck_assert_msg(strstr(h.data != NULL ? h.data : h.e.text,
		    answers[i].says) != NULL, "%s: %s", answers[i].text,
		    h.e.text);
	}
	serves = NULL;
	OK(endpoint_call(s.ep, "delivery", "x", NULL, 300, on_answer, &h, &e),
	    e);
	TURN_ROOT_UNTIL(h.n == i + 1, &s);
	ck_assert_int_eq(h.e.code, EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(h.e.text, "in time"));
	ck_assert_uint_eq(asked, i + 1);
	ck_assert_uint_eq(s.downs, 0);
	seat_free(&s);
	free(h.data);
}
END_TEST

#define MANY	200

static char	lanes[MANY][SUBJECT_MAX];
static unsigned	numbers[MANY];

static void
on_one_of_many(void *arg, natsMsg *m)
{
	struct ctl_request	rq;
	struct error		e;

	(void)arg;
	OK(ctl_read(&rq, m, &e), e);
	ck_assert_uint_lt(asked, MANY);
	snprintf(lanes[asked], SUBJECT_MAX, "%s", natsMsg_GetReply(m));
	numbers[asked++] = (unsigned)number_of(rq.args, "n");
	ctl_free(&rq);
	bus_msg_free(m);
}

START_TEST(many_calls_are_under_way_at_once)
{
	static struct heard	heard[MANY];
	struct seat		s = { .ups = 0 };
	struct error		e;
	cJSON			*args;
	char			want[32];
	unsigned		i;

	serve(on_one_of_many);
	seat_up(&s, scout, 0);
	for (i = 0; i < MANY; i++) {
		ck_assert((args = cJSON_CreateObject()) != NULL &&
		    json_set_u64(args, "n", i));
		OK(endpoint_call(s.ep, "delivery", "x", args, 15000,
		    on_answer, &heard[i], &e), e);
	}
	TURN_ROOT_UNTIL(asked == MANY, &s);
	for (i = MANY; i > 0; i--) {		/* the last is answered first */
		ck_assert((args = cJSON_CreateObject()) != NULL &&
		    json_set_u64(args, "n", numbers[i - 1]));
		ctl_answer(sp->root, lanes[i - 1], args, NULL, 0);
	}
	TURN_ROOT_UNTIL(heard[0].n == 1 && heard[MANY - 1].n == 1, &s);
	for (i = 0; i < MANY; i++) {
		snprintf(want, sizeof(want), "{\"n\":%u}", i);
		TURN_ROOT_UNTIL(heard[i].n == 1, &s);
		ck_assert_str_eq(heard[i].data, want);
		free(heard[i].data);
	}
	seat_free(&s);
}
END_TEST

/* --- sending ------------------------------------------------------------------------ */

struct sent {
	unsigned	n, failed, duplicates;
	uint64_t	seq;
	struct error	e;
};

static void
on_stored(void *arg, const struct endpoint_stored *stored,
    const struct error *e)
{
	struct sent	*t = arg;

	t->n++;
	if (e != NULL) {
		t->failed++;
		t->e = *e;
		return;
	}
	t->seq = stored->seq;
	t->duplicates += stored->duplicate;
}

static void
send_one(struct seat *s, struct sent *t, const struct message_draft *d)
{
	struct error	e;
	unsigned	n = t->n;

	OK(endpoint_post(s->ep, d, on_stored, t, &e), e);
	TURN_UNTIL(t->n == n + 1, s);
}

START_TEST(what_is_sent_is_stored_or_refused)
{
	struct message_draft	d = { .channel = "general", .text = "hello",
				    .id = "one" };
	struct seat		s = { .ups = 0 };
	struct sent		t = { .n = 0 };
	struct stored		m;
	struct message		got;
	struct error		e;

	seat_up(&s, scout, 0);
	send_one(&s, &t, &d);
	ck_assert_uint_eq(t.failed, 0);
	ck_assert(stored_get(sp, STREAM_CHAT, t.seq, &m));
	ck_assert_str_eq(m.msg_id, "one");
	OK(message_parse(&got, m.data, m.len, &e), e);
	ck_assert_str_eq(got.from_id, scout->id);
	ck_assert_str_eq(got.from_name, "scout");
	ck_assert_str_eq(got.space, "t");
	message_free(&got);
	stored_free(&m);
	send_one(&s, &t, &d);
	ck_assert_uint_eq(t.duplicates, 1);
	d.channel = "secret";
	d.id = NULL;
	send_one(&s, &t, &d);
	ck_assert_uint_eq(t.failed, 1);
	ck_assert_int_eq(t.e.code, EX_NOPERM);
	ck_assert_ptr_nonnull(strstr(t.e.text, "\"secret\""));
	/* The one refusal is not another's. */
	d.channel = "general";
	send_one(&s, &t, &d);
	ck_assert_uint_eq(t.failed, 1);
	d.channel = NULL;
	d.to = scribe->id;
	send_one(&s, &t, &d);
	ck_assert_uint_eq(t.failed, 1);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DM), 1);
	ck_assert_uint_eq(stream_messages(sp, STREAM_CHAT), 2);
	seat_free(&s);
}
END_TEST

#define STUBBORN	1000	/* tries */

/* Whoever is refused says it again, at once. */
struct stubborn {
	struct seat	*s;
	unsigned	 n, calls;
};

static void
on_refused(void *arg, const struct error *e)
{
	struct stubborn		*t = arg;
	struct message_draft	 d = { .channel = "secret", .text = "x" };
	struct error		 why;

	if (e == NULL || e->code != EX_NOPERM)
		return;
	if (++t->n < STUBBORN)
		OK(endpoint_send(t->s->ep, &d, on_refused, t, &why), why);
}

static void
on_not_called(void *arg, const cJSON *data, const struct error *e)
{
	struct stubborn	*t = arg;
	struct error	 why;

	ck_assert_ptr_null(data);
	if (e->code == EX_NOPERM && ++t->calls < STUBBORN)
		OK(endpoint_call(t->s->ep, "manager", "list", NULL, 5000,
		    on_not_called, t, &why), why);
}

/* Each is the broker's to refuse: one that did not reach it yet is not. */
START_TEST(one_that_tries_again_goes_on)
{
	struct seat		s = { .ups = 0 };
	struct stubborn		t = { .s = &s };
	struct message_draft	d = { .channel = "secret", .text = "x" };
	struct error		e;

	seat_up(&s, scout, 0);
	OK(endpoint_send(s.ep, &d, on_refused, &t, &e), e);
	OK(endpoint_call(s.ep, "manager", "list", NULL, 5000, on_not_called,
	    &t, &e), e);
	TURN_UNTIL(t.n >= 5 && t.calls >= 5, &s);
	ck_assert_uint_lt(t.n, STUBBORN);
	ck_assert_uint_lt(t.calls, STUBBORN);
	seat_free(&s);
}
END_TEST

START_TEST(what_cannot_be_sent_is_not_begun)
{
	struct message_draft	d = { .channel = "a.>", .text = "hello" };
	struct seat		s = { .ups = 0 };
	struct sent		t = { .n = 0 };
	struct error		e;
	char			*big = malloc(2 * 1024 * 1024);

	seat_up(&s, scout, 0);
	ck_assert_int_eq(endpoint_post(s.ep, &d, on_stored, &t, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	d.channel = NULL;
	d.to = "scribe";
	ck_assert_int_eq(endpoint_post(s.ep, &d, on_stored, &t, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	d.to = NULL;
	ck_assert_int_eq(endpoint_post(s.ep, &d, on_stored, &t, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	d.channel = "general";
	memset(big, 'x', 2 * 1024 * 1024 - 1);
	big[2 * 1024 * 1024 - 1] = '\0';
	d.text = big;
	ck_assert_int_eq(endpoint_post(s.ep, &d, on_stored, &t, &e), -1);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_uint_eq(t.n, 0);
	ck_assert(endpoint_is_up(s.ep));
	seat_free(&s);
	free(big);
}
END_TEST

#define BURST	2000

START_TEST(any_number_may_be_under_way)
{
	struct message_draft	d = { .channel = "general", .text = "hello" };
	struct seat		s = { .ups = 0 };
	struct sent		t = { .n = 0 };
	struct error		e;
	unsigned		i;

	seat_up(&s, scout, 0);
	for (i = 0; i < BURST; i++)
		OK(endpoint_post(s.ep, &d, on_stored, &t, &e), e);
	OK(endpoint_drain(s.ep, 0, 15000, &e), e);
	ck_assert_uint_eq(t.n, BURST);
	ck_assert_uint_eq(t.failed, 0);
	ck_assert_uint_eq(t.seq, BURST);
	/* The link is lost: each is told of, once. */
	for (i = 0; i < 10; i++)
		OK(endpoint_post(s.ep, &d, on_stored, &t, &e), e);
	endpoint_reconnect(s.ep);
	ck_assert_uint_eq(t.n, BURST + 10);
	ck_assert_uint_eq(t.failed, 10);
	ck_assert_int_eq(t.e.code, EX_TEMPFAIL);
	TURN_UNTIL(s.ups == 2, &s);
	/* Leaving waits for what was sent. */
	for (i = 0; i < 10; i++)
		OK(endpoint_post(s.ep, &d, on_stored, &t, &e), e);
	endpoint_leave_mesh(s.ep, 5000);
	ck_assert_uint_eq(t.n, BURST + 20);
	ck_assert_uint_eq(t.failed, 10);
	seat_free(&s);
}
END_TEST

static TCase *
with_agents(const char *name)
{
	TCase	*t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	return t;
}

int
main(void)
{
	TCase	*calls = with_agents("calls");
	TCase	*sending = with_agents("sending");

	tcase_add_test(calls, why_there_is_no_answer_is_told_apart);
	tcase_add_test(calls, what_is_no_answer_is_none);
	tcase_add_test(calls, many_calls_are_under_way_at_once);
	tcase_add_test(sending, what_is_sent_is_stored_or_refused);
	tcase_add_test(sending, one_that_tries_again_goes_on);
	tcase_add_test(sending, what_cannot_be_sent_is_not_begun);
	tcase_add_test(sending, any_number_may_be_under_way);
	return test_main("endpoint_call", calls, sending, NULL);
}
