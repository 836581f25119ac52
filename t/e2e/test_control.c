/* SPDX-License-Identifier: ISC */

/* ctl.delivery: what it does, refuses, and does not answer. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "space.h"

static struct agent	*scout;

static void
setup(void)
{
	space_setup();
	scout = agent_make(sp, "scout", "--allow-subscribe general,review");
}

static void
setup_short(void)
{
	space_setup_short();
	scout = agent_make(sp, "scout", "--allow-subscribe general,review");
}

/* --- asking -------------------------------------------------------------------- */

/* Body as it is; %s in it is scout's id. */
static cJSON *
ask_body(const char *body)
{
	char		 text[8192];
	const char	*p = strstr(body, "%s");
	struct asked	 q;

	if (p == NULL)
		snprintf(text, sizeof(text), "%s", body);
	else
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(p - body),
		    body, scout->id, p + 2);
	agent_ask_raw(scout, &q, NULL, text, strlen(text));
	return agent_answer(scout, &q);
}

static cJSON *
ask(const char *op, const char *args)
{
	struct asked	q;

	agent_ask(scout, &q, op, args);
	return agent_answer(scout, &q);
}

/* It is refused, and the text has this in it. */
static void
check_refused(cJSON *o, const char *why)
{
	char	*text = json_print(o);

	ck_assert_msg(cJSON_IsFalse(json_get(o, "ok")) &&
	    json_get(o, "data") == NULL &&
	    cJSON_IsString(json_get(o, "error")) &&
	    strstr(json_get(o, "error")->valuestring, why) != NULL,
	    "expected \"%s\", got %s", why, text);
	free(text);
	cJSON_Delete(o);
}

/* The whole answer, as text. */
static void
check_answer(cJSON *o, const char *want)
{
	char	*text = json_print(o);

	ck_assert_str_eq(text, want);
	free(text);
	cJSON_Delete(o);
}

static void
check_works(void)
{
	check_answer(ask("listMemberships", NULL),
	    "{\"ok\":true,\"data\":{\"memberships\":[]}}");
}

/* --- what the operations do ------------------------------------------------------ */

START_TEST(a_join_is_idempotent)
{
	uint64_t	 seq;
	cJSON		*o;

	check_answer(ask("durableJoin", "{\"channel\":\"general\"}"),
	    "{\"ok\":true,\"data\":{\"durable\":true,\"generation\":1}}");
	o = record_get(sp, BUCKET_MEMBERS, "none", NULL);
	ck_assert(o == NULL);
	seq = stream_last_seq(sp, STREAM_CHAT);
	check_answer(ask("durableJoin", "{\"channel\":\"general\"}"),
	    "{\"ok\":true,\"data\":{\"durable\":true,\"generation\":1}}");
	o = member_get(sp, "general", scout->id);
	ck_assert_uint_eq(number_of(o, "joinCursor"), seq);
	ck_assert_uint_eq(number_of(o, "generation"), 1);
	ck_assert_str_eq(json_get(o, "channel")->valuestring, "general");
	ck_assert_str_eq(json_get(o, "owner")->valuestring, scout->id);
	cJSON_Delete(o);
}
END_TEST

START_TEST(a_leave_twice_is_left_already)
{
	agent_join(scout, "general");
	check_answer(ask("durableLeave",
	    "{\"channel\":\"general\",\"generation\":1}"),
	    "{\"ok\":true,\"data\":{\"channel\":\"general\"}}");
	check_answer(ask("durableLeave",
	    "{\"channel\":\"general\",\"generation\":1}"),
	    "{\"ok\":true,\"data\":{\"channel\":\"general\","
	    "\"alreadyLeft\":true}}");
}
END_TEST

START_TEST(a_leave_needs_its_generation)
{
	static const char *const	bad[] = { "", ",\"generation\":null",
		",\"generation\":\"1\"", ",\"generation\":[1]",
		",\"generation\":1e999", ",\"generation\":-1e999" };
	char				args[128];
	size_t				i;

	agent_join(scout, "general");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(args, sizeof(args), "{\"channel\":\"general\"%s}",
		    bad[i]);
		check_refused(ask("durableLeave", args), "generation");
	}
	check_refused(ask("durableLeave",
	    "{\"channel\":\"general\",\"generation\":NaN}"), "");
	check_refused(ask("durableLeave",
	    "{\"channel\":\"general\",\"generation\":2}"), "stale");
	check_refused(ask("durableLeave",
	    "{\"channel\":\"general\",\"generation\":0}"), "stale");
	check_refused(ask("durableLeave",
	    "{\"channel\":\"general\",\"generation\":1.5}"), "stale");
	check_refused(ask("durableLeave",
	    "{\"channel\":\"review\",\"generation\":1}"), "no durable");
	check_answer(ask("listMemberships", NULL), "{\"ok\":true,\"data\":"
	    "{\"memberships\":[{\"channel\":\"general\",\"generation\":1,"
	    "\"activated\":true}]}}");
}
END_TEST

/* Leaving is what follows the narrowing of an ACL. */
START_TEST(a_leave_is_not_gated_by_the_acl)
{
	agent_join(scout, "general");
	record_put(sp, BUCKET_ACL, scout->id, "{\"allowSubscribe\":[],"
	    "\"revision\":2,\"updatedAt\":1}");
	check_refused(ask("durableJoin", "{\"channel\":\"general\"}"),
	    "is not within your read ACL []");
	check_answer(ask("durableLeave",
	    "{\"channel\":\"general\",\"generation\":1}"),
	    "{\"ok\":true,\"data\":{\"channel\":\"general\"}}");
}
END_TEST

START_TEST(a_list_is_of_open_memberships)
{
	struct agent	*other = agent_make(sp, "other", NULL);
	cJSON		*o;

	agent_join(other, "general");
	agent_join(scout, "general");
	agent_join(scout, "review");
	agent_leave(scout, "review", 1);
	member_put(sp, "pending", scout->id, "\"joinCursor\":0,"
	    "\"generation\":7,\"activated\":false");
	member_put(sp, "gone", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"leaveCursor\":0");
	o = ask("listMemberships", NULL);
	ck_assert_int_eq(cJSON_GetArraySize(json_get(json_get(o, "data"),
	    "memberships")), 2);
	cJSON_Delete(o);
	agent_leave(scout, "general", 1);
	check_answer(ask("listMemberships", NULL), "{\"ok\":true,\"data\":"
	    "{\"memberships\":[{\"channel\":\"pending\",\"generation\":7,"
	    "\"activated\":false}]}}");
	agent_free(other);
}
END_TEST

/* Rewriting a record keeps what this project does not know of it. */
START_TEST(a_record_keeps_its_unknown_fields)
{
	cJSON	*o;

	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false,\"future\":{\"x\":[1]}");
	agent_join(scout, "general");
	agent_leave(scout, "general", 1);
	agent_join(scout, "general");
	o = member_get(sp, "general", scout->id);
	ck_assert_uint_eq(number_of(o, "generation"), 2);
	ck_assert(cJSON_IsObject(json_get(o, "future")));
	cJSON_Delete(o);
}
END_TEST

/* It keeps nobody out, and is named in a line that can be read. */
START_TEST(an_unreadable_record_is_as_none)
{
	char	key[128], line[200];

	snprintf(key, sizeof(key), "general/%s", scout->id);
	record_put(sp, BUCKET_MEMBERS, key, "{\"channel\":7}");
	ck_assert_uint_gt(agent_join(scout, "general"), 1);
	snprintf(line, sizeof(line), "msg=\"unreadable membership\" "
	    "channel=\"general\" owner=\"%s\" rev=", scout->id);
	ck_assert(logged(sp, line));
}
END_TEST

/* --- what it refuses --------------------------------------------------------------- */

START_TEST(a_channel_outside_the_acl)
{
	check_answer(ask("durableJoin", "{\"channel\":\"secret\"}"),
	    "{\"ok\":false,\"error\":\"channel \\\"secret\\\" is not within "
	    "your read ACL [general, review]\"}");
	ck_assert(member_get(sp, "secret", scout->id) == NULL);
}
END_TEST

START_TEST(no_acl_record_or_an_unreadable_one)
{
	record_put(sp, BUCKET_ACL, scout->id, NULL);
	check_refused(ask("durableJoin", "{\"channel\":\"general\"}"),
	    "no ACL record");
	record_put(sp, BUCKET_ACL, scout->id, "{\"allowSubscribe\":7}");
	check_refused(ask("durableJoin", "{\"channel\":\"general\"}"),
	    "allowSubscribe");
	ck_assert(member_get(sp, "general", scout->id) == NULL);
}
END_TEST

START_TEST(an_op_that_is_none)
{
	check_answer(ask("nonsense", NULL), "{\"ok\":false,\"error\":\"op "
	    "\\\"nonsense\\\" not supported on the delivery control "
	    "service\"}");
	check_refused(ask("", NULL), "op \"\" not supported");
	check_refused(ask("DURABLEJOIN", "{\"channel\":\"general\"}"),
	    "not supported");
}
END_TEST

START_TEST(another_sender)
{
	struct agent	*other = agent_make(sp, "other", NULL);
	char		 body[512];
	struct asked	 q;

	snprintf(body, sizeof(body), "{\"op\":\"durableJoin\",\"args\":{"
	    "\"channel\":\"general\"},\"from\":{\"id\":\"%s\",\"name\":"
	    "\"other\"}}", other->id);
	agent_ask_raw(scout, &q, NULL, body, strlen(body));
	check_refused(agent_answer(scout, &q), "from.id");
	ck_assert(member_get(sp, "general", other->id) == NULL);
	ck_assert(member_get(sp, "general", scout->id) == NULL);
	agent_free(other);
}
END_TEST

START_TEST(channels_that_are_none)
{
	static const char *const	bad[] = { "\"\"", "\"*\"", "\">\"",
		"\"general.*\"", "\"general.>\"", "\".general\"",
		"\"general.\"", "\"a..b\"", "\"a b\"", "\"a/b\"",
		"\"caf\\u00e9\"", "\"a\\nb\"", "\"=defaults\"",
		"\"$KV\"", "7", "null", "[\"general\"]", "{}", "true" };
	static const char *const	ops[] = { "durableJoin",
						"durableLeave" };
	char				args[128];
	size_t				i, j;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (j = 0; j < 2; j++) {
			snprintf(args, sizeof(args), "{\"channel\":%s,"
			    "\"generation\":1}", bad[i]);
			check_refused(ask(ops[j], args), "args.channel");
		}
	check_refused(ask("durableJoin", "{}"), "args.channel");
	check_works();
}
END_TEST

START_TEST(a_channel_that_is_too_long)
{
	char	args[1600], channel[1500];

	memset(channel, 'x', sizeof(channel) - 1);
	channel[sizeof(channel) - 1] = '\0';
	snprintf(args, sizeof(args), "{\"channel\":\"%s\"}", channel);
	check_refused(ask("durableJoin", args), "args.channel");
	/* The longest that is one: refused for the ACL alone. */
	channel[512] = '\0';
	snprintf(args, sizeof(args), "{\"channel\":\"%s\"}", channel);
	check_refused(ask("durableJoin", args), "xxx");
	check_works();
}
END_TEST

#define FROM	"\"from\":{\"id\":\"%s\",\"name\":\"scout\"}"

START_TEST(wrong_types_are_named_by_their_paths)
{
	static const struct { const char *body, *why; }	v[] = {
		{ "{" FROM "}", "op: " },
		{ "{\"op\":7," FROM "}", "op: expected a string" },
		{ "{\"op\":\"listMemberships\"}", "from: " },
		{ "{\"op\":\"listMemberships\",\"from\":\"%s\"}", "from: " },
		{ "{\"op\":\"listMemberships\",\"from\":{}}", "from.id: " },
		{ "{\"op\":\"listMemberships\",\"from\":{\"id\":1}}",
		    "from.id: expected a string" },
		{ "{\"op\":\"durableJoin\",\"args\":[]," FROM "}", "args: " },
		{ "{\"op\":\"durableJoin\"," FROM "}", "args.channel: " },
		{ "{\"op\":\"durableJoin\",\"op\":\"x\"," FROM "}", "op" },
		{ "[]", "" }, { "7", "" }, { "", "" }, { "{", "" },
		{ "null", "" }, { "\xff\xfe", "" },
		{ "{\"op\":\"a\\u0000b\"," FROM "}", "" },
	};
	size_t						i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		check_refused(ask_body(v[i].body), v[i].why);
	check_works();
	/* No args is no fault of an op that has none. */
	check_answer(ask_body("{\"op\":\"listMemberships\"," FROM ","
	    "\"later\":1}"), "{\"ok\":true,\"data\":{\"memberships\":[]}}");
}
END_TEST

/* A body of this size around a filler; the answer. */
static cJSON *
ask_big(size_t size, char fill)
{
	char		*body = malloc(size + 1);
	size_t		 n;
	struct asked	 q;

	ck_assert(body != NULL);
	n = (size_t)snprintf(body, size, "{\"op\":\"listMemberships\","
	    "\"from\":{\"id\":\"%s\",\"name\":\"scout\"},\"pad\":%s",
	    scout->id, fill == 'x' ? "\"" : "");
	memset(body + n, fill, size - n);
	memcpy(body + size - 2, fill == 'x' ? "\"}" : "]}", 2);
	agent_ask_raw(scout, &q, NULL, body, size);
	free(body);
	return agent_answer(scout, &q);
}

START_TEST(big_and_deep_bodies)
{
	check_answer(ask_big(15 * 1024, 'x'),
	    "{\"ok\":true,\"data\":{\"memberships\":[]}}");
	check_refused(ask_big(64 * 1024, 'x'), "the request has 65536 bytes; "
	    "at most 16384 are read");
	check_refused(ask_big(900 * 1024, 'x'), "the request has 921600 "
	    "bytes; at most 16384 are read");
	check_refused(ask_big(300, '['), "");
	check_refused(ask_big(900 * 1024, '['), "");
	check_works();
}
END_TEST

/* --- what it does not answer -------------------------------------------------------- */

static void
list_body(char *buf, size_t size)
{
	snprintf(buf, size, "{\"op\":\"durableJoin\",\"args\":{\"channel\":"
	    "\"general\"},\"from\":{\"id\":\"%s\",\"name\":\"scout\"}}",
	    scout->id);
}

/* Nothing is done or said for a request that aims its answer elsewhere. */
static void
aim(const char *reply)
{
	char		 body[512];
	struct asked	 q;
	unsigned	 before = logged_times(sp, "reply lane");

	list_body(body, sizeof(body));
	agent_ask_raw(scout, &q, reply, body, strlen(body));
	AWAIT(logged_times(sp, "reply lane") == before + 1);
	ck_assert(member_get(sp, "general", scout->id) == NULL);
}

struct heard {
	unsigned	n;
};

static void
on_heard(void *arg, natsMsg *m)
{
	((struct heard *)arg)->n++;
	natsMsg_Destroy(m);
}

START_TEST(an_answer_goes_only_to_the_callers_lane)
{
	struct agent	*victim = agent_make(sp, "victim", NULL);
	struct heard	 h = { 0 };
	char		 reply[SUBJECT_MAX], own[200];
	struct error	 e;

	ck_assert(bus_subscribe(sp->root, "cotal.t.ctl.delivery.*.reply.>",
	    NULL, on_heard, &h, &e) != NULL);
	ck_assert(bus_subscribe(sp->root, "cotal.t.inst.>", NULL, on_heard,
	    &h, &e) != NULL);
	OK(bus_drain(sp->root, 1000), e);
	snprintf(reply, sizeof(reply), "cotal.t.ctl.delivery.%s.reply.x",
	    victim->id);
	aim(reply);
	snprintf(reply, sizeof(reply), "cotal.t.inst.%s.%s", victim->id,
	    scout->id);
	aim(reply);
	snprintf(reply, sizeof(reply), "cotal.t.dlv.%s", victim->id);
	aim(reply);
	snprintf(own, sizeof(own), "cotal.t.ctl.delivery.%s", scout->id);
	aim(own);
	snprintf(reply, sizeof(reply), "%s.reply.", own);
	aim(reply);
	snprintf(reply, sizeof(reply), "%s.replyx.y", own);
	aim(reply);
	aim("");
	snprintf(reply, sizeof(reply), "_INBOX_%s.x", scout->id);
	aim(reply);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DM), 0);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DLV), 0);
	check_works();
	AWAIT((bus_turn(sp->root, NULL, 0, 10), h.n) == 1);
	agent_free(victim);
}
END_TEST

/* Without a right to work there is nobody to ask, and clients are told. */
START_TEST(a_paused_responder_is_none)
{
	struct error	 e;
	cJSON		*o;

	check_works();
	role_down(sp, "lease");
	AWAIT(logged_times(sp, "msg=\"paused\" was=bound") >= 3);
	/* The broker may hear of it a moment after the log. */
	AWAIT(agent_control(scout, "listMemberships", NULL, &e) == NULL &&
	    e.code == EX_UNAVAILABLE);
	role_up(sp, "lease");
	AWAIT((o = agent_control(scout, "listMemberships", NULL, &e)) !=
	    NULL);
	cJSON_Delete(o);
}
END_TEST

START_TEST(a_stopped_responder_is_none)
{
	struct error	 e;
	cJSON		*o;

	role_down(sp, "control");
	AWAIT(!lease_ready(sp));
	o = agent_control(scout, "listMemberships", NULL, &e);
	ck_assert(o == NULL);
	ck_assert_int_eq(e.code, EX_UNAVAILABLE);
	role_up(sp, "control");
	AWAIT((o = agent_control(scout, "listMemberships", NULL, &e)) !=
	    NULL);
	cJSON_Delete(o);
}
END_TEST

START_TEST(a_killed_responder_is_back_with_all_it_knew)
{
	struct error	 e;
	cJSON		*o;

	agent_join(scout, "general");
	role_kill(sp, "control");
	/* Till then there is no responder. */
	AWAIT((o = agent_control(scout, "listMemberships", NULL, &e)) !=
	    NULL);
	check_answer(o, "{\"ok\":true,\"data\":{\"memberships\":[{"
	    "\"channel\":\"general\",\"generation\":1,\"activated\":true}]"
	    "}}");
}
END_TEST

/* --- a join that is held up ------------------------------------------------------- */

#define SAID	3
#define UNREAD	200	/* an owner's: more than control adds to */

static unsigned	n_health;

static void
on_health(void *arg, natsMsg *m)
{
	(void)arg;
	n_health++;
	natsMsg_Destroy(m);
}

/* Is there a responder? */
static bool
answers(void)
{
	struct error	 e;
	cJSON		*o = agent_control(scout, "listMemberships", NULL, &e);

	cJSON_Delete(o);
	return o != NULL;
}

static uint64_t
fence(void)
{
	cJSON		*o = member_get(sp, "general", scout->id);
	uint64_t	 seq = number_of(o, "fence");

	cJSON_Delete(o);
	return seq;
}

/* A join begun and not finished, of SAID messages that cannot be copied while
 * the reader is down; asked for again, and a list behind it. */
static void
hold_up(struct asked *join, struct asked *list)
{
	struct agent	*scribe = agent_make(sp, "scribe",
			    "--allow-publish general");
	char		 subject[SUBJECT_MAX], id[32];
	unsigned	 i;

	for (i = 0; i < SAID; i++)
		agent_post(scribe, "general", "said");
	agent_free(scribe);
	await_drained(sp);
	role_down(sp, "reader");
	subject_dinbox(subject, sizeof(subject), "t", 1, scout->id);
	for (i = 0; i < UNREAD; i++) {
		snprintf(id, sizeof(id), "unread-%u", i);
		raw_store(sp, subject, id, "{\"msg\":7}");
	}
	/* It knows of what it finds, not of what others add. */
	role_kill(sp, "control");
	AWAIT(answers());
	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false");
	agent_ask(scout, join, "durableJoin", "{\"channel\":\"general\"}");
	agent_ask(scout, list, "listMemberships", NULL);
	AWAIT(fence() == SAID);
}

START_TEST(health_goes_on_in_a_held_up_join)
{
	struct asked	join, list;
	struct error	e;

	hold_up(&join, &list);
	ck_assert(bus_subscribe(sp->root, "cotal.t.reeve.health.0.control.*",
	    NULL, on_health, NULL, &e) != NULL);
	AWAIT((bus_turn(sp->root, NULL, 0, 5), bus_turn(scout->bus, NULL, 0,
	    5), n_health > 0 || join.reply != NULL));
	ck_assert_msg(join.reply == NULL, "no health until the answer");
	check_refused(agent_answer(scout, &join), "takes too long");
	check_answer(agent_answer(scout, &list), "{\"ok\":true,\"data\":{"
	    "\"memberships\":[{\"channel\":\"general\",\"generation\":1,"
	    "\"activated\":false}]}}");
}
END_TEST

START_TEST(told_to_stop_in_a_held_up_join)
{
	struct asked	 join, list;
	struct error	 e;
	cJSON		*o;
	unsigned	 exits;

	hold_up(&join, &list);
	exits = logged_times(sp, "role=control shard=0 msg=\"exit\" code=0");
	role_signal(sp, "control", SIGTERM);
	check_refused(agent_answer(scout, &join), "delivery stops here");
	check_refused(agent_answer(scout, &list), "delivery stops here");
	AWAIT(logged_times(sp, "role=control shard=0 msg=\"exit\" code=0") ==
	    exits + 1);
	ck_assert_uint_eq(fence(), SAID);
	role_up(sp, "reader");
	AWAIT((o = agent_control(scout, "durableJoin",
	    "{\"channel\":\"general\"}", &e)) != NULL &&
	    cJSON_IsTrue(json_get(json_get(o, "data"), "durable")));
	cJSON_Delete(o);
	ck_assert_uint_eq(fence(), SAID);
	agent_expect(scout, SAID);
	agent_expect_none(scout);
}
END_TEST

/* --- many at once ------------------------------------------------------------------- */

START_TEST(many_requests_each_have_an_answer)
{
	static struct asked	q[200];
	size_t			i;

	for (i = 0; i < 200; i++)
		agent_ask(scout, &q[i], i % 2 == 0 ? "durableJoin" :
		    "listMemberships", "{\"channel\":\"general\"}");
	for (i = 0; i < 200; i++) {
		cJSON	*o = agent_answer(scout, &q[i]);

		ck_assert(cJSON_IsTrue(json_get(o, "ok")));
		ck_assert_uint_eq(q[i].answers, 1);
		cJSON_Delete(o);
	}
}
END_TEST

int
main(void)
{
	TCase	*ops = test_case("operations", setup, 60);
	TCase	*refused = test_case("refused", setup, 60);
	TCase	*silent = test_case("silent", setup, 60);
	TCase	*paused = test_case("paused", setup_short, 60);
	TCase	*held = test_case("held", setup, 60);

	tcase_add_test(ops, a_join_is_idempotent);
	tcase_add_test(ops, a_leave_twice_is_left_already);
	tcase_add_test(ops, a_leave_needs_its_generation);
	tcase_add_test(ops, a_leave_is_not_gated_by_the_acl);
	tcase_add_test(ops, a_list_is_of_open_memberships);
	tcase_add_test(ops, a_record_keeps_its_unknown_fields);
	tcase_add_test(ops, an_unreadable_record_is_as_none);
	tcase_add_test(ops, many_requests_each_have_an_answer);
	tcase_add_test(refused, a_channel_outside_the_acl);
	tcase_add_test(refused, no_acl_record_or_an_unreadable_one);
	tcase_add_test(refused, an_op_that_is_none);
	tcase_add_test(refused, another_sender);
	tcase_add_test(refused, channels_that_are_none);
	tcase_add_test(refused, a_channel_that_is_too_long);
	tcase_add_test(refused, wrong_types_are_named_by_their_paths);
	tcase_add_test(refused, big_and_deep_bodies);
	tcase_add_test(silent, an_answer_goes_only_to_the_callers_lane);
	tcase_add_test(silent, a_stopped_responder_is_none);
	tcase_add_test(silent, a_killed_responder_is_back_with_all_it_knew);
	tcase_add_test(paused, a_paused_responder_is_none);
	tcase_add_test(held, health_goes_on_in_a_held_up_join);
	tcase_add_test(held, told_to_stop_in_a_held_up_join);
	return test_main("control", ops, refused, silent, paused, held, NULL);
}
