/* SPDX-License-Identifier: ISC */

/* An agent gets each message once, however many copies of it come and in
 * which order, and each durable copy is acknowledged when it is settled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "message.h"
#include "party.h"

#define HEARS	(ENDPOINT_LIVE | ENDPOINT_DURABLES)

static struct agent	*scribe, *scout;

static void
setup(void)
{
	space_setup_idle();
	space_start(sp);
	/* The copies are made by hand: no role is needed. */
	AWAIT(role_pid(sp, "broker") != 0);
	space_connect_root(sp);
	scribe = agent_make(sp, "scribe", "--allow-subscribe general "
	    "--allow-publish general");
	scout = agent_make(sp, "scout", "--allow-subscribe general");
}

static void
end(struct party *p)
{
	party_leave(p);
	agent_free(scout);
	agent_free(scribe);
}

/* A body as scribe says it; the caller frees. */
static char *
body_of(const char *id, const char *text, bool direct)
{
	struct message_draft	 d = { .id = id, .ts_ms = 1, .space = "t",
				    .from_id = scribe->id,
				    .from_name = "scribe", .text = text };
	char			*body;

	d.channel = direct ? NULL : "general";
	d.to = direct ? scout->id : NULL;
	ck_assert((body = message_write(&d)) != NULL);
	return body;
}

/* As core NATS has it; the stream takes one of each id. */
static void
say_live(const char *id, const char *text)
{
	char		 subject[SUBJECT_MAX], *body = body_of(id, text,
			    false);
	struct bus_pub	 p = { .subject = subject, .data = body,
			    .len = strlen(body), .msg_id = id };
	struct error	 e;

	subject_chat(subject, sizeof(subject), "t", scribe->id, "general");
	OK(js_publish(sp->root, &p, NULL, NULL, &e), e);
	free(body);
}

static void
keep_copy(const char *id, const char *text)
{
	char	subject[SUBJECT_MAX], *body = body_of(id, text, false);

	subject_dlv(subject, sizeof(subject), "t", scout->id);
	raw_store(sp, subject, NULL, body);
	free(body);
}

static uint64_t
unread(void)
{
	char	name[STREAM_MAX];

	snprintf(name, sizeof(name), "dlv_%s", scout->id);
	return consumer_unread(sp, STREAM_DLV, name);
}

/* Delivered, and not acknowledged. */
static uint64_t
pending(void)
{
	char	name[STREAM_MAX];

	snprintf(name, sizeof(name), "dlv_%s", scout->id);
	return consumer_get(sp, STREAM_DLV, name).n_ack_pending;
}

/* Requests that the broker has for more. */
static uint64_t
n_waiting(void)
{
	char	name[STREAM_MAX];

	snprintf(name, sizeof(name), "dlv_%s", scout->id);
	return consumer_get(sp, STREAM_DLV, name).n_waiting;
}

START_TEST(one_copy)
{
	struct party	*p = party_make(scout, HEARS, "general");

	say_live("1", "live");
	keep_copy("2", "durable");
	PARTY_AWAIT(p, p->n == 2);
	ck_assert(!party_find(p, "live")->durable);
	ck_assert_uint_eq(party_find(p, "live")->seq, 0);
	ck_assert(party_find(p, "durable")->durable);
	ck_assert_uint_eq(party_find(p, "durable")->seq, 1);
	PARTY_AWAIT(p, unread() == 0);
	end(p);
}
END_TEST

START_TEST(live_then_durable)
{
	struct party	*p = party_make(scout, HEARS, "general");

	/* Settled before the second, and after it. */
	say_live("1", "before");
	PARTY_AWAIT(p, p->n == 1);
	keep_copy("1", "before");
	PARTY_AWAIT(p, unread() == 0);
	p->hold = true;
	say_live("2", "after");
	PARTY_AWAIT(p, p->n == 2);
	keep_copy("2", "after");
	PARTY_AWAIT(p, pending() == 1);
	PARTY_AWAIT(p, p->heard[1].d->durable);
	party_settle(p, "after", SETTLE_DONE);
	PARTY_AWAIT(p, unread() == 0);
	ck_assert_uint_eq(p->n, 2);
	end(p);
}
END_TEST

START_TEST(durable_then_live)
{
	struct party	*p = party_make(scout, HEARS, "general");

	keep_copy("1", "before");
	PARTY_AWAIT(p, p->n == 1);
	PARTY_AWAIT(p, unread() == 0);
	say_live("1", "before");
	p->hold = true;
	keep_copy("2", "after");
	PARTY_AWAIT(p, p->n == 2);
	say_live("2", "after");
	say_live("3", "last");
	PARTY_AWAIT(p, party_got(p, "last") == 1);
	ck_assert_uint_eq(p->n, 3);
	ck_assert_uint_eq(unread(), 1);
	party_settle(p, "after", SETTLE_DONE);
	PARTY_AWAIT(p, unread() == 0);
	/* Two durable copies, as of a mention and of a membership. */
	keep_copy("4", "twice");
	keep_copy("4", "twice");
	PARTY_AWAIT(p, pending() == 2);
	PARTY_AWAIT(p, party_got(p, "twice") == 1);
	party_settle(p, "twice", SETTLE_DONE);
	PARTY_AWAIT(p, unread() == 0);
	ck_assert_uint_eq(p->n, 4);
	end(p);
}
END_TEST

/* What was shown otherwise is not given any more, and a copy of another's
 * message that says the same id is. */
START_TEST(shown_and_not_taken)
{
	struct party	*p = party_make(scout, HEARS, "general");
	char		*body = body_of("1", "shown", false);
	struct message	 m;

	OK(message_parse(&m, body, strlen(body), NULL), p->why);
	endpoint_shown(p->ep, &m);
	m.from_id = scout->id;
	keep_copy("1", "shown");
	keep_copy("2", "given");
	PARTY_AWAIT(p, party_got(p, "given") == 1);
	PARTY_AWAIT(p, unread() == 0);
	ck_assert_uint_eq(p->n, 1);
	p->hold = true;
	keep_copy("3", "again");
	PARTY_AWAIT(p, party_got(p, "again") == 1);
	party_settle(p, "again", SETTLE_AGAIN);
	PARTY_AWAIT(p, party_got(p, "again") == 2);
	party_settle(p, "again", SETTLE_DONE);
	PARTY_AWAIT(p, unread() == 0);
	message_free(&m);
	free(body);
	end(p);
}
END_TEST

/* Two patterns hear it, and it is one message. */
START_TEST(one_of_overlapping_patterns)
{
	struct agent	*wide = agent_make(sp, "wide",
			    "--allow-subscribe 'general,>'");
	struct party	*p = party_make(wide, HEARS, "general,>");

	say_live("1", "one");
	say_live("2", "two");
	PARTY_AWAIT(p, party_got(p, "two") == 1);
	party_idle(p, 50);
	ck_assert_uint_eq(p->n, 2);
	agent_free(wide);
	end(p);
}
END_TEST

/* --- no message at all --------------------------------------------------------- */

START_TEST(what_is_no_message)
{
	struct party	*p = party_make(scout, HEARS, "general");
	char		 subject[SUBJECT_MAX], *body;

	subject_dlv(subject, sizeof(subject), "t", scout->id);
	raw_store(sp, subject, NULL, "not json");
	subject_chat(subject, sizeof(subject), "t", scout->id, "general");
	body = body_of("forged", "forged", false);
	raw_store(sp, subject, NULL, body);
	free(body);
	subject_inst(subject, sizeof(subject), "t", scout->id, scribe->id);
	body = body_of("channel's", "as a direct one", false);
	raw_store(sp, subject, NULL, body);
	free(body);
	body = body_of("direct", "direct", true);
	raw_store(sp, subject, NULL, body);
	free(body);
	PARTY_AWAIT(p, party_got(p, "direct") == 1);
	PARTY_AWAIT(p, unread() == 0);
	PARTY_AWAIT(p, p->notes.n >= 3);
	ck_assert_uint_eq(p->n, 1);
	ck_assert_int_eq(p->heard[0].kind, DELIVERY_DM);
	snprintf(subject, sizeof(subject), "dm_%s", scout->id);
	PARTY_AWAIT(p, consumer_unread(sp, STREAM_DM, subject) == 0);
	end(p);
}
END_TEST

/* --- links ----------------------------------------------------------------------- */

START_TEST(settled_across_links)
{
	struct party	*p = party_make(scout, HEARS, "general");

	p->hold = true;
	say_live("1", "live first");
	PARTY_AWAIT(p, p->n == 1);
	keep_copy("2", "while there is no link");
	keep_copy("3", "on the next");
	PARTY_AWAIT(p, p->n == 3);
	endpoint_reconnect(p->ep);
	ck_assert(!endpoint_is_up(p->ep));
	party_settle(p, "while there is no link", SETTLE_DONE);
	PARTY_AWAIT(p, p->ups == 2);
	/* The broker has heard that who asked before is gone. */
	PARTY_AWAIT(p, n_waiting() <= 2);
	keep_copy("1", "live first");
	PARTY_AWAIT(p, p->heard[0].d->durable);
	party_settle(p, "on the next", SETTLE_DONE);
	party_settle(p, "live first", SETTLE_DONE);
	PARTY_AWAIT(p, unread() == 0);
	say_live("4", "still heard");
	PARTY_AWAIT(p, party_got(p, "still heard") == 1);
	ck_assert_uint_eq(p->n, 4);
	end(p);
}
END_TEST

START_TEST(settled_across_brokers)
{
	struct party	*p = party_make(scout, HEARS, "general");
	unsigned	 n;

	p->hold = true;
	keep_copy("1", "early");
	keep_copy("2", "late");
	PARTY_AWAIT(p, p->n == 2);
	broker_down(sp);
	PARTY_AWAIT(p, p->downs > 0);
	party_settle(p, "early", SETTLE_DONE);
	n = p->ups;
	broker_up(sp);
	PARTY_AWAIT(p, p->ups > n);
	party_settle(p, "late", SETTLE_DONE);
	PARTY_AWAIT(p, unread() == 0);
	say_live("1", "early");
	say_live("3", "new");
	PARTY_AWAIT(p, party_got(p, "new") == 1);
	ck_assert_uint_eq(p->n, 3);
	end(p);
}
END_TEST

/* The broker waits that long for an acknowledgement. */
static void
set_ack_wait(int64_t ms)
{
	char			 name[STREAM_MAX];
	struct js_consumer	 c;
	struct error		 e;

	snprintf(name, sizeof(name), "dlv_%s", scout->id);
	OK(js_consumer_info(sp->root, "DLV_t", name, &c, &e), e);
	ck_assert(json_set_i64(c.config, "ack_wait", ms * 1000000));
	OK(js_consumer_create(sp->root, "DLV_t", name, c.config, NULL, &e),
	    e);
	js_consumer_free(&c);
}

static uint64_t
redelivered(void)
{
	char	name[STREAM_MAX];

	snprintf(name, sizeof(name), "dlv_%s", scout->id);
	return consumer_get(sp, STREAM_DLV, name).n_redelivered;
}

/* One that is held for long comes again, which nobody sees. */
START_TEST(held_for_long)
{
	struct party	*p;

	set_ack_wait(300);
	p = party_make(scout, HEARS, "general");
	p->hold = true;
	keep_copy("1", "held");
	PARTY_AWAIT(p, p->n == 1);
	PARTY_AWAIT(p, redelivered() == 1);
	party_idle(p, 400);
	ck_assert_uint_eq(p->n, 1);
	party_settle(p, "held", SETTLE_DONE);
	PARTY_AWAIT(p, unread() == 0);
	end(p);
}
END_TEST

/* --- processes ------------------------------------------------------------------- */

START_TEST(given_to_the_next_at_once)
{
	struct party	*p = party_make(scout, HEARS, "general");
	int64_t		 began;

	p->hold = true;
	keep_copy("1", "settled");
	keep_copy("2", "held");
	PARTY_AWAIT(p, p->n == 2);
	party_settle(p, "settled", SETTLE_DONE);
	party_leave(p);
	AWAIT(pending() == 1);
	began = test_now_ms();
	p = party_make(scout, HEARS, "general");
	PARTY_AWAIT(p, p->n == 1);
	ck_assert_int_lt(test_now_ms() - began, 5000);
	ck_assert_str_eq(p->heard[0].text, "held");
	PARTY_AWAIT(p, unread() == 0);
	end(p);
}
END_TEST

#define FLOOD		200
#define FLOOD_BYTES	8000

/* What is on its way while it leaves goes back, too. */
START_TEST(given_to_the_next_in_mid_flow)
{
	struct party	*p;
	char		 id[16], text[FLOOD_BYTES + 1];
	int64_t		 began;
	unsigned	 i;

	memset(text, 'x', FLOOD_BYTES);
	text[FLOOD_BYTES] = '\0';
	for (i = 0; i < FLOOD; i++) {
		snprintf(id, sizeof(id), "f%u", i);
		keep_copy(id, text);
	}
	p = party_begin(scout, HEARS, "general");
	p->hold = true;
	PARTY_AWAIT(p, p->n > 0);
	party_leave(p);
	began = test_now_ms();
	p = party_make(scout, HEARS, "general");
	PARTY_AWAIT(p, p->n == FLOOD);
	ck_assert_int_lt(test_now_ms() - began, 5000);
	PARTY_AWAIT(p, unread() == 0);
	end(p);
}
END_TEST

START_TEST(given_to_the_next_after_a_kill)
{
	struct party	*p;

	set_ack_wait(1000);
	p = party_make(scout, HEARS, "general");
	p->hold = true;
	keep_copy("1", "held");
	PARTY_AWAIT(p, p->n == 1);
	party_kill(p);
	p = party_make(scout, HEARS, "general");
	PARTY_AWAIT(p, p->n == 1);
	PARTY_AWAIT(p, unread() == 0);
	end(p);
}
END_TEST

/* --- many ------------------------------------------------------------------------- */

/* What nobody settles does not keep others from coming; but of a role's tasks
 * one holds no more than its share. */
START_TEST(many_that_are_held)
{
	struct agent		*a = agent_make(sp, "tasker", "--role crow "
				    "--allow-subscribe general");
	struct party		*p;
	struct message_draft	 d = { .ts_ms = 1, .space = "t",
				    .from_id = scribe->id,
				    .from_name = "scribe",
				    .to_service = "crow", .text = "task" };
	char			 id[32], subject[SUBJECT_MAX], *body;
	unsigned		 i;

	subject_svc(subject, sizeof(subject), "t", "crow", scribe->id);
	for (i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "t%u", i);
		d.id = id;
		ck_assert((body = message_write(&d)) != NULL);
		raw_store(sp, subject, NULL, body);
		free(body);
	}
	p = party_begin(a, HEARS, "general");
	p->hold = true;
	PARTY_AWAIT(p, p->n == 64);
	party_idle(p, 200);
	ck_assert_uint_eq(p->n, 64);
	ck_assert_int_eq(p->heard[0].kind, DELIVERY_ANYCAST);
	for (i = 0; i < 64; i++)
		party_settle(p, "task", SETTLE_DONE);
	p->hold = false;
	PARTY_AWAIT(p, p->n == 100);
	PARTY_AWAIT(p, stream_messages(sp, STREAM_TASK) == 0);
	party_leave(p);
	agent_free(a);
	p = party_make(scout, HEARS, "general");
	p->hold = true;
	for (i = 0; i < 600; i++) {
		snprintf(id, sizeof(id), "c%u", i);
		keep_copy(id, id);
	}
	PARTY_AWAIT(p, p->n == 600);
	for (i = 0; i < 600; i++)
		ck_assert_uint_eq(p->heard[i].seq, i + 1);
	end(p);
}
END_TEST

START_TEST(a_durable_that_is_missing)
{
	struct party	*p;
	char		 name[STREAM_MAX];
	struct error	 e;

	snprintf(name, sizeof(name), "dlv_%s", scout->id);
	OK(js_consumer_delete(sp->root, "DLV_t", name, &e), e);
	p = party_make(scout, HEARS, "general");
	ck_assert(party_noted(p, "no durable for its channels"));
	say_live("1", "live");
	PARTY_AWAIT(p, p->n == 1);
	end(p);
}
END_TEST

int
main(void)
{
	TCase	*copies = test_case("copies", setup, 60);
	TCase	*links = test_case("links", setup, 60);
	TCase	*many = test_case("many", setup, 60);

	setvbuf(stdout, NULL, _IOLBF, 0);
	tcase_add_test(copies, one_copy);
	tcase_add_test(copies, live_then_durable);
	tcase_add_test(copies, durable_then_live);
	tcase_add_test(copies, shown_and_not_taken);
	tcase_add_test(copies, one_of_overlapping_patterns);
	tcase_add_test(copies, what_is_no_message);
	tcase_add_test(links, settled_across_links);
	tcase_add_test(links, settled_across_brokers);
	tcase_add_test(links, held_for_long);
	tcase_add_test(links, given_to_the_next_at_once);
	tcase_add_test(links, given_to_the_next_in_mid_flow);
	tcase_add_test(links, given_to_the_next_after_a_kill);
	tcase_add_test(many, many_that_are_held);
	tcase_add_test(many, a_durable_that_is_missing);
	return test_main("copies", copies, links, many, NULL);
}
