/* SPDX-License-Identifier: ISC */

/*
 * A worker that lags, is stopped, or is down while streams overflow: nothing
 * is evicted unread where it can be helped, and said loudly where it cannot.
 */
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "load.h"
#include "profile.h"
#include "../../common/space.h"

#define SENDERS		20
#define EACH		60	/* 1200 entries for one owner; INBOX keeps 1000 */
#define STOPPED_MS	3000	/* an ack wait is 2000 */

static struct agent	*scribe, *scout;

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

START_TEST(a_fanout_that_may_not_hear_the_reader_says_so)
{
	struct scope		 scope = { .space = "t" };
	struct permissions	 p;
	struct nkey		 signer;
	struct creds		 c;
	struct error		 e;
	char			 path[300];

	memset(&p, 0, sizeof(p));
	snprintf(path, sizeof(path), "%s/creds/fanout-0.creds", sp->state);
	OK(creds_load(&c, path, &e), e);
	scope.id = c.key.public;
	OK(profile_permissions(PROFILE_FANOUT, &scope, &p, &e), e);
	ck_assert(strlist_add(&p.sub_deny, "cotal.t.reeve.health.>"));
	OK(nkey_from_seed(&signer, sp->trust.signing_seed, &e), e);
	free(c.jwt);
	c.jwt = jwt_user(&signer, sp->trust.account_pub, c.key.public,
	    "fanout", &p, 0, &e);
	ck_assert_msg(c.jwt != NULL, "%s", e.text);
	OK(creds_save(&c, path, &e), e);
	space_start(sp);
	space_await_ready(sp);
	AWAIT(logged(sp, "may not hear the reader's health"));
	permissions_free(&p);
	creds_wipe(&c);
}
END_TEST

/* --- options ---------------------------------------------------------------- */

static int
exit_code(const char *role, const char *args)
{
	const char	*dir = getenv("REEVE_BINDIR");
	char		 cmd[512];
	int		 status;

	snprintf(cmd, sizeof(cmd), "%s/reeve-%s --state %s %s 2>/dev/null",
	    dir == NULL ? "." : dir, role, sp->state, args);
	status = system(cmd);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(a_shard_is_a_number)
{
	static const char *const	bad[] = { "--shard -1", "--shard +1",
					    "--shard ''", "--shard 1x",
					    "--shard ' 1'", "--shard 10000",
					    "--shard 4294967296",
					    "--notify-fd -1",
					    "--notify-fd 99999999999" };
	size_t				i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(exit_code("fanout", bad[i]) == EX_USAGE, "%s",
		    bad[i]);
		ck_assert_msg(exit_code("lease", bad[i]) == EX_USAGE, "%s",
		    bad[i]);
	}
	/* A good one: there are no credentials for it. */
	ck_assert_int_eq(exit_code("fanout", "--shard 7 --shards 8"),
	    EX_NOINPUT);
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
	return consumer_get(sp, kind, durable).n_ack_pending;
}

/* Delivered, not acknowledged, evicted; then the broker dies. */
START_TEST(phantoms_of_a_killed_broker)
{
	uint64_t	before;

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

/* --- evicted from a worker's hands ----------------------------------------------- */

/* "STREAM.PURGE", "STREAM.DELETE". */
static void
stream_api(const char *what, enum stream_kind kind)
{
	char		 name[STREAM_MAX], subject[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject };
	struct error	 e;
	natsMsg		*reply;

	name_stream(name, sizeof(name), sp->config.space, kind);
	snprintf(subject, sizeof(subject), "$JS.API.%s.%s", what, name);
	reply = bus_call(sp->root, &p, JS_TIMEOUT_MS, &e);
	ck_assert_msg(reply != NULL && strstr(natsMsg_GetData(reply),
	    "\"success\":true") != NULL, "%s", subject);
	natsMsg_Destroy(reply);
}

/* Turns the root's connection until the role says value. */
#define AWAIT_SAID(said, v)						\
	AWAIT((bus_turn(sp->root, NULL, 0, 5), (said).value == (v)))

static void
check_loss(unsigned n, const char *reason)
{
	cJSON		*o;
	const cJSON	*v;

	AWAIT((o = dead_letter(sp, n)) != NULL);
	v = json_get(o, "reason");
	ck_assert(cJSON_IsString(v));
	ck_assert_msg(strncmp(v->valuestring, reason, strlen(reason)) == 0,
	    "%s", v->valuestring);
	cJSON_Delete(o);
	ck_assert_ptr_null(dead_letter(sp, n + 1));
}

static void
two_agents(void)
{
	space_setup();
	scribe = agent_make(sp, "scribe", "--allow-publish general");
	scout = agent_make(sp, "scout", NULL);
	agent_join(scout, "general");
}

/* Delivered to a worker that did not even read them. */
START_TEST(on_their_way_to_a_stopped_fanout)
{
	struct said	evicted = { "evicted", 0 };

	(void)listen_health(&evicted, "fanout");
	role_signal(sp, "fanout", SIGSTOP);
	agent_post_many(scribe, "general", "lost", 200);
	AWAIT(pending(STREAM_CHAT, "fanout") == 200);
	agent_post_many(scribe, "general", "m", 1000);
	role_kill(sp, "fanout");
	agent_expect(scout, 1000);
	ck_assert_str_eq(scout->got[0].text, "m0");
	ck_assert_str_eq(scout->got[999].text, "m999");
	AWAIT_SAID(evicted, 200);
	check_loss(0, "up to 200 messages of CHAT_t between ");
	agent_expect_none(scout);
}
END_TEST

/* Held back for want of room, when CHAT is emptied. */
START_TEST(in_the_hands_of_a_fanout)
{
	struct said	evicted = { "evicted", 0 }, held = { "held", 0 };
	char		reason[64];
	unsigned	left;

	(void)listen_health(&evicted, "fanout");
	(void)listen_health(&held, "fanout");
	role_down(sp, "reader");
	agent_post_many(scribe, "general", "m", 950);
	AWAIT_SAID(held, 950 - (double)stream_messages(sp, STREAM_INBOX));
	left = (unsigned)held.value;
	ck_assert_uint_ge(left, 100);
	ck_assert_uint_lt(left, 950);
	stream_api("STREAM.PURGE", STREAM_CHAT);
	role_kill(sp, "fanout");
	AWAIT_SAID(evicted, left);
	snprintf(reason, sizeof(reason), "up to %u messages of CHAT_t", left);
	check_loss(0, reason);
	/* Said once, though it is killed again. */
	role_kill(sp, "fanout");
	role_up(sp, "reader");
	agent_post(scribe, "general", "last");
	agent_expect(scout, 951 - left);
	agent_expect_none(scout);
	check_loss(0, reason);
}
END_TEST

START_TEST(on_their_way_to_a_stopped_reader)
{
	struct said	evicted = { "evicted", 0 };

	(void)listen_health(&evicted, "reader");
	agent_post_many(scribe, "general", "m", 50);
	agent_expect(scout, 50);
	role_signal(sp, "reader", SIGSTOP);
	agent_post_many(scribe, "general", "lost", 30);
	AWAIT(pending(STREAM_INBOX, "reader") == 30);
	stream_api("STREAM.PURGE", STREAM_INBOX);
	role_kill(sp, "reader");
	AWAIT_SAID(evicted, 30);
	check_loss(0, "up to 30 messages of INBOX_t between ");
	agent_post(scribe, "general", "last");
	agent_expect(scout, 1);
	ck_assert_str_eq(scout->got[50].text, "last");
	agent_expect_none(scout);
}
END_TEST

/* Twenty entries go unread; the reader is down. */
static void
lose_twenty(void)
{
	agent_post(scribe, "general", "first");
	agent_expect(scout, 1);
	role_down(sp, "reader");
	agent_post_many(scribe, "general", "lost", 20);
	AWAIT(stream_messages(sp, STREAM_INBOX) == 21);
	stream_api("STREAM.PURGE", STREAM_INBOX);
}

/* Not delivered to anybody: known exactly. */
START_TEST(unread_by_a_reader_that_was_down)
{
	struct said	evicted = { "evicted", 0 };

	(void)listen_health(&evicted, "reader");
	lose_twenty();
	agent_post_many(scribe, "general", "m", 5);
	role_up(sp, "reader");
	agent_expect(scout, 5);
	ck_assert_str_eq(scout->got[1].text, "m0");
	AWAIT_SAID(evicted, 20);
	check_loss(0, "20 messages of INBOX_t between ");
	agent_expect_none(scout);
}
END_TEST

/* The letter waits until it can be stored, also for the next process. */
START_TEST(a_loss_is_told_though_nothing_stores_the_letter)
{
	cJSON		*config;
	struct error	 e;

	stream_api("STREAM.DELETE", STREAM_DEAD);
	lose_twenty();
	agent_post(scribe, "general", "m");
	role_up(sp, "reader");
	agent_expect(scout, 1);
	await_drained(sp);
	AWAIT(logged(sp, "loss not told yet"));
	role_kill(sp, "reader");
	config = space_stream(&sp->config, STREAM_DEAD);
	OK(js_stream_create(sp->root, config, &e), e);
	cJSON_Delete(config);
	check_loss(0, "20 messages of INBOX_t between ");
}
END_TEST

/* --- told where to begin ------------------------------------------------------ */

/* Below what this host knows to be done, too. */
START_TEST(a_fanout_begins_where_init_says)
{
	struct said	copies = { "copies", 0 };
	char		out[4096];
	struct error	e;

	agent_post_many(scribe, "general", "m", 10);
	agent_expect(scout, 10);
	await_drained(sp);
	role_down(sp, "fanout");
	OK(js_consumer_delete(sp->root, "CHAT_t", "fanout", &e), e);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_CONFIG);
	ck_assert_msg(reeve(sp, out, sizeof(out), "init --fanout-from 6") ==
	    0, "%s", out);
	(void)listen_health(&copies, "fanout");
	role_up(sp, "fanout");
	AWAIT_SAID(copies, 5);
	agent_post(scribe, "general", "last");
	agent_expect(scout, 1);
	agent_expect_none(scout);
}
END_TEST

int
main(void)
{
	TCase	*lag = test_case("lag", space_setup, 120);
	TCase	*stop = test_case("stop", space_setup, 120);
	TCase	*evict = test_case("evict", space_setup, 120);
	TCase	*phantom = test_case("phantom", space_setup, 120);
	TCase	*idle = test_case("idle", space_setup_idle, 60);
	TCase	*hands = test_case("hands", two_agents, 60);

	tcase_add_test(lag, reader_down_while_many_write);
	tcase_add_test(stop, stopped_over_an_ack_wait);
	tcase_add_test(evict, chat_overflows_while_fanout_is_down);
	tcase_add_test(phantom, phantoms_of_a_killed_broker);
	tcase_add_test(idle, a_fanout_that_may_not_hear_the_reader_says_so);
	tcase_add_test(idle, a_shard_is_a_number);
	tcase_add_test(hands, a_fanout_begins_where_init_says);
	tcase_add_test(hands, on_their_way_to_a_stopped_fanout);
	tcase_add_test(hands, in_the_hands_of_a_fanout);
	tcase_add_test(hands, on_their_way_to_a_stopped_reader);
	tcase_add_test(hands, unread_by_a_reader_that_was_down);
	tcase_add_test(hands, a_loss_is_told_though_nothing_stores_the_letter);
	return test_main("pipeline", lag, stop, evict, phantom, idle,
	    hands, NULL);
}
