/* SPDX-License-Identifier: ISC */

/*
 * A worker that lags, is stopped, or is down while streams overflow: nothing
 * is evicted unread where it can be helped, and said loudly where it cannot.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "load.h"

#define SENDERS		20
#define EACH		60	/* 1200 entries for one owner; INBOX keeps 1000 */
#define STOPPED_MS	3000	/* an ack wait is 2000 */

/* --- what a role says of itself --------------------------------------------- */

struct said {
	const char	*name;
	double		 value;		/* the last heard */
};

static void
on_health(void *arg, natsMsg *m)
{
	struct said	*s = arg;
	cJSON		*o = json_parse(natsMsg_GetData(m),
			    (size_t)natsMsg_GetDataLength(m), NULL);
	const cJSON	*v = json_get(o, s->name);

	if (cJSON_IsNumber(v))
		s->value = v->valuedouble;
	cJSON_Delete(o);
	natsMsg_Destroy(m);
}

static struct bus_sub *
listen_health(struct said *s, const char *role)
{
	char		 subject[SUBJECT_MAX];
	struct error	 e;
	struct bus_sub	*sub;

	snprintf(subject, sizeof(subject), "cotal.%s.reeve.health.0.%s.*",
	    sp->config.space, role);
	sub = bus_subscribe(sp->root, subject, NULL, on_health, s, &e);
	ck_assert_msg(sub != NULL, "%s", e.text);
	return sub;
}

/* --- the reader lags -------------------------------------------------------- */

START_TEST(reader_down_while_many_write)
{
	static struct load	 l;
	struct said		 holds = { "holds", 0 };
	struct listener		*li;
	unsigned		 i;

	load_init(&l, sp);
	for (i = 0; i < SENDERS; i++)
		load_sender(&l, "busy", 5)->most = EACH;
	li = load_listener(&l, "busy");
	agent_join(li->agent, "busy");
	load_tap(&l);		/* turns the root's connection */
	(void)listen_health(&holds, "fanout");
	role_control(sp, "reader", "d");
	LOAD_AWAIT(&l, role_pid(sp, "reader") == 0);
	for (i = 0; i < SENDERS; i++)
		LOAD_AWAIT(&l, l.senders[i].n == EACH);
	LOAD_AWAIT(&l, holds.value > 0);
	ck_assert_uint_gt(consumer_unread(sp, STREAM_INBOX, "reader"), 700);
	ck_assert_uint_lt(consumer_unread(sp, STREAM_INBOX, "reader"), 1000);
	/* A fan-out that starts anew must know it too. */
	role_kill(sp, "fanout");
	holds.value = 0;
	LOAD_AWAIT(&l, holds.value > 0);
	ck_assert_uint_lt(consumer_unread(sp, STREAM_INBOX, "reader"), 1000);
	role_control(sp, "reader", "u");
	load_hush(&l);
	load_check(&l, li, "busy");
	ck_assert_ptr_null(dead_letter(sp, 0));
	load_free(&l);
}
END_TEST

/* --- stopped ---------------------------------------------------------------- */

/* Its ack wait passes, and what it has in hand is delivered again. */
START_TEST(stopped_over_an_ack_wait)
{
	static const char *const	roles[] = { "fanout", "reader" };
	static struct load		l;
	struct listener			*li;
	unsigned			i;

	load_init(&l, sp);
	for (i = 0; i < 3; i++)
		load_sender(&l, "busy", i == 0 ? 4 : 10);
	li = load_listener(&l, "busy");
	agent_join(li->agent, "busy");
	for (i = 0; i < 4; i++) {
		load_run(&l, 200 + 77 * i);
		role_signal(sp, roles[i % 2], SIGSTOP);
		load_run(&l, STOPPED_MS);
		role_signal(sp, roles[i % 2], SIGCONT);
	}
	load_hush(&l);
	load_check(&l, li, "busy");
	ck_assert_ptr_null(dead_letter(sp, 0));
	load_free(&l);
}
END_TEST

/* --- evicted unread ---------------------------------------------------------- */

START_TEST(chat_overflows_while_fanout_is_down)
{
	struct agent	*scribe, *scout;
	cJSON		*o;
	const cJSON	*reason;
	unsigned	 i;
	char		 text[32];

	scribe = agent_make(sp, "scribe", "--allow-publish general");
	scout = agent_make(sp, "scout", NULL);
	agent_join(scout, "general");
	role_control(sp, "fanout", "d");
	AWAIT(role_pid(sp, "fanout") == 0);
	agent_post_many(scribe, "general", "m", 1300);
	role_control(sp, "fanout", "u");
	agent_expect(scout, 1000);
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "m%u", 300 + i);
		ck_assert_str_eq(scout->got[i].text, text);
	}
	agent_expect_none(scout);
	ck_assert(logged(sp, "evicted unread"));
	o = dead_letter(sp, 0);
	reason = json_get(o, "reason");
	ck_assert(cJSON_IsString(reason));
	ck_assert_msg(strstr(reason->valuestring, "300 messages") != NULL,
	    "%s", reason->valuestring);
	cJSON_Delete(o);
	ck_assert_ptr_null(dead_letter(sp, 1));
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

/* --- phantoms ---------------------------------------------------------------- */

static uint64_t
pending(enum stream_kind kind, const char *durable)
{
	struct js_consumer	c;
	char			name[STREAM_MAX];
	struct error		e;
	uint64_t		n;

	name_stream(name, sizeof(name), sp->config.space, kind);
	OK(js_consumer_info(sp->root, name, durable, &c, &e), e);
	n = c.n_ack_pending;
	js_consumer_free(&c);
	return n;
}

/* Delivered, not acknowledged, evicted; then the broker dies. */
START_TEST(phantoms_of_a_killed_broker)
{
	struct agent	*scribe, *scout;
	uint64_t	 before;

	scribe = agent_make(sp, "scribe", "--allow-publish general");
	scout = agent_make(sp, "scout", NULL);
	agent_join(scout, "general");
	role_signal(sp, "fanout", SIGSTOP);
	agent_post_many(scribe, "general", "lost", 200);
	AWAIT((before = pending(STREAM_CHAT, "fanout")) >= 200);
	agent_post_many(scribe, "general", "m", 1000);
	/* The consumer's state is written about every 100 ms. */
	AWAIT(pending(STREAM_CHAT, "fanout") > 0);
	usleep(300000);
	broker_restart(sp, SIGKILL);
	role_signal(sp, "fanout", SIGCONT);
	AWAIT(consumer_unread(sp, STREAM_CHAT, "fanout") == 0);
	agent_connect(scribe);
	agent_connect(scout);
	agent_post(scribe, "general", "last");
	AWAIT(consumer_unread(sp, STREAM_CHAT, "fanout") == 0);
	agent_receive(scout, 2000, 1500);
	ck_assert_uint_eq(agent_got(scout, "m999"), 1);
	ck_assert_uint_eq(agent_got(scout, "last"), 1);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

int
main(void)
{
	TCase	*lag = test_case("lag", space_setup, 120);
	TCase	*stop = test_case("stop", space_setup, 120);
	TCase	*evict = test_case("evict", space_setup, 120);
	TCase	*phantom = test_case("phantom", space_setup, 120);

	tcase_add_test(lag, reader_down_while_many_write);
	tcase_add_test(stop, stopped_over_an_ack_wait);
	tcase_add_test(evict, chat_overflows_while_fanout_is_down);
	tcase_add_test(phantom, phantoms_of_a_killed_broker);
	return test_main("pipeline", lag, stop, evict, phantom, NULL);
}
