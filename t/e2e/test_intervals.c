/* SPDX-License-Identifier: ISC */

/* What a membership entitles to: the edges of its intervals, a rejoin, an
 * interrupted join, what was evicted meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "message.h"
#include "space.h"

static struct agent	*scribe, *scout;

static void
setup(void)
{
	space_setup();
	scribe = agent_make(sp, "scribe", "--allow-subscribe general,review "
	    "--allow-publish general,review");
	scout = agent_make(sp, "scout", "--allow-subscribe general,review "
	    "--allow-publish general,review");
}

/* Post "<prefix>1" to "<prefix>n", stored one after the other; returns the
 * sequence of the first. */
static uint64_t
post_run(const char *channel, const char *prefix, unsigned n)
{
	char		text[32];
	uint64_t	first = 0, seq;
	unsigned	i;

	for (i = 1; i <= n; i++) {
		snprintf(text, sizeof(text), "%s%u", prefix, i);
		seq = agent_post(scribe, channel, text);
		if (i == 1)
			first = seq;
	}
	return first;
}

/* scout gets exactly these, blank-separated and in this order. */
static void
expect(const char *texts)
{
	char	*copy = strdup(texts), *p = copy, *t;
	size_t	 i = 0, n = 0;

	for (t = copy; *t != '\0'; t++)
		n += *t == ' ';
	n += *texts != '\0';
	agent_forget(scout);
	agent_expect(scout, n);
	while ((t = strsep(&p, " ")) != NULL && i < n)
		ck_assert_str_eq(scout->got[i++].text, t);
	agent_expect_none(scout);
	free(copy);
}

/* Answer of a durableJoin, checked to be ok; the data, the caller's. */
static cJSON *
join(const char *channel)
{
	char		 args[128];
	struct error	 e;
	cJSON		*o, *data;

	snprintf(args, sizeof(args), "{\"channel\":\"%s\"}", channel);
	o = agent_control(scout, "durableJoin", args, &e);
	ck_assert_msg(o != NULL, "%s", e.text);
	ck_assert(cJSON_IsTrue(json_get(o, "ok")));
	data = cJSON_DetachItemFromObjectCaseSensitive(o, "data");
	cJSON_Delete(o);
	return data;
}

/* --- edges -------------------------------------------------------------------- */

START_TEST(a_join_begins_behind_its_cursor)
{
	uint64_t	 seq = agent_post(scribe, "general", "before");
	cJSON		*o;

	ck_assert_uint_eq(agent_join(scout, "general"), 1);
	o = member_get(sp, "general", scout->id);
	ck_assert_uint_eq(number_of(o, "joinCursor"), seq);
	ck_assert(cJSON_IsTrue(json_get(o, "activated")));
	ck_assert_str_eq(json_get(o, "state")->valuestring, "durable-active");
	ck_assert(json_get(o, "leaveCursor") == NULL);
	cJSON_Delete(o);
	ck_assert_uint_eq(agent_post(scribe, "general", "behind"), seq + 1);
	expect("behind");
}
END_TEST

START_TEST(a_leave_ends_with_its_cursor)
{
	uint64_t	 generation = agent_join(scout, "general"), seq;
	cJSON		*o;

	seq = agent_post(scribe, "general", "last");
	agent_leave(scout, "general", generation);
	agent_post(scribe, "general", "after");
	o = member_get(sp, "general", scout->id);
	ck_assert_uint_eq(number_of(o, "leaveCursor"), seq);
	ck_assert_uint_eq(number_of(o, "generation"), generation);
	ck_assert_str_eq(json_get(o, "state")->valuestring, "live-confirmed");
	cJSON_Delete(o);
	expect("last");
}
END_TEST

/* The record alone decides, whenever a message is worked on. */
START_TEST(an_interval_is_judged_by_sequence)
{
	uint64_t	first;
	char		fields[200];

	role_down(sp, "fanout");
	first = post_run("general", "m", 5);
	snprintf(fields, sizeof(fields), "\"generation\":1,\"activated\":true"
	    ",\"joinCursor\":%llu,\"leaveCursor\":%llu",
	    (unsigned long long)first + 1, (unsigned long long)first + 3);
	member_put(sp, "general", scout->id, fields);
	role_up(sp, "fanout");
	expect("m3 m4");
}
END_TEST

/* What is pending is not what is entitled: it only is not reported. */
START_TEST(a_pending_member_is_a_member)
{
	member_put(sp, "general", scout->id, "\"generation\":1,"
	    "\"activated\":false,\"joinCursor\":0");
	agent_post(scribe, "general", "m");
	expect("m");
}
END_TEST

START_TEST(a_deleted_record_is_no_membership)
{
	char	key[128];

	agent_join(scout, "general");
	role_down(sp, "reader");
	agent_post(scribe, "general", "in flight");
	AWAIT(stream_messages(sp, STREAM_INBOX) == 1);
	snprintf(key, sizeof(key), "general/%s", scout->id);
	record_put(sp, BUCKET_MEMBERS, key, NULL);
	agent_post(scribe, "general", "after");
	role_up(sp, "reader");
	expect("");
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 1);
}
END_TEST

/* --- leaving and coming back ------------------------------------------------------ */

static void
check_copy(unsigned n, const char *msg_id, unsigned generation)
{
	struct stored	m;
	char		want[256];

	ck_assert(stored_get(sp, STREAM_DLV, n, &m));
	snprintf(want, sizeof(want), "%s:%s:%u", msg_id, scout->id,
	    generation);
	ck_assert_str_eq(m.msg_id, want);
	stored_free(&m);
}

START_TEST(a_rejoin_is_another_generation)
{
	ck_assert_uint_eq(agent_join(scout, "general"), 1);
	agent_post_as(scribe, "general", "a", "id-a", NULL);
	agent_leave(scout, "general", 1);
	agent_post_as(scribe, "general", "gap", "id-gap", NULL);
	ck_assert_uint_eq(agent_join(scout, "general"), 2);
	agent_post_as(scribe, "general", "c", "id-c", NULL);
	expect("a c");
	check_copy(1, "id-a", 1);
	check_copy(2, "id-c", 2);
}
END_TEST

/* Join, leave and join again while this worker stands still. */
static void
rejoin_without(const char *role)
{
	role_down(sp, role);
	agent_join(scout, "general");
	agent_post_as(scribe, "general", "a", "id-a", NULL);
	agent_leave(scout, "general", 1);
	agent_post_as(scribe, "general", "gap", "id-gap", NULL);
	ck_assert_uint_eq(agent_join(scout, "general"), 2);
	agent_post_as(scribe, "general", "c", "id-c", NULL);
	role_up(sp, role);
	expect("a c");
	check_copy(1, "id-a", 1);
	check_copy(2, "id-c", 2);
}

START_TEST(a_lagging_fanout_honours_the_old_interval)
{
	rejoin_without("fanout");
}
END_TEST

START_TEST(a_lagging_reader_honours_the_old_interval)
{
	rejoin_without("reader");
}
END_TEST

START_TEST(a_second_rejoin_waits_for_what_is_owed)
{
	struct error	 e;
	cJSON		*o;

	role_down(sp, "fanout");
	agent_join(scout, "general");
	agent_post(scribe, "general", "a");
	agent_leave(scout, "general", 1);
	agent_join(scout, "general");
	agent_post(scribe, "general", "b");
	agent_leave(scout, "general", 2);
	o = agent_control(scout, "durableJoin", "{\"channel\":\"general\"}",
	    &e);
	ck_assert_msg(o != NULL, "no answer within what clients wait: %s",
	    e.text);
	ck_assert(cJSON_IsFalse(json_get(o, "ok")));
	ck_assert_ptr_nonnull(strstr(json_get(o, "error")->valuestring,
	    "try again"));
	cJSON_Delete(o);
	role_up(sp, "fanout");
	await_drained(sp);
	ck_assert_uint_eq(agent_join(scout, "general"), 3);
	agent_post(scribe, "general", "c");
	expect("a b c");
}
END_TEST

/* The interval that a rejoin would drop, and the one after it; the rejoin is
 * asked for. */
static void
rejoin_twice(struct asked *q)
{
	agent_join(scout, "general");
	agent_post(scribe, "general", "a");
	agent_leave(scout, "general", 1);
	agent_join(scout, "general");
	agent_post(scribe, "general", "b");
	agent_leave(scout, "general", 2);
	agent_ask(scout, q, "durableJoin", "{\"channel\":\"general\"}");
}

/* What is said to members that no ACL record knows is put off for long. */
static void
defer_strangers(unsigned n)
{
	static const char	letters[] = "ABCDEFGHIJ";
	char			stranger[ID_MAX];
	unsigned		i;

	snprintf(stranger, sizeof(stranger), "%s", scribe->id);
	stranger[4] = stranger[4] == 'A' ? 'B' : 'A';	/* never the sender */
	for (i = 0; i < n; i++) {
		stranger[5] = letters[i / 10];
		stranger[6] = letters[i % 10];
		member_put(sp, "review", stranger, "\"joinCursor\":0,"
		    "\"generation\":1,\"activated\":true");
	}
	agent_post(scribe, "review", "to strangers");
	AWAIT(stream_messages(sp, STREAM_INBOX) == n);
	AWAIT(consumer_get(sp, STREAM_INBOX, "reader").n_redelivered == n);
}

START_TEST(a_rejoin_does_not_wait_for_a_stranger)
{
	struct asked	 q;
	cJSON		*o;
	char		*text;

	defer_strangers(1);
	rejoin_twice(&q);
	o = agent_answer(scout, &q);
	text = json_print(o);
	ck_assert_msg(cJSON_IsTrue(json_get(o, "ok")), "%s", text);
	free(text);
	cJSON_Delete(o);
	/* It was so when it was answered: the stranger's is still there. */
	ck_assert_uint_eq(consumer_get(sp, STREAM_INBOX, "reader")
	    .n_ack_pending, 1);
	agent_post(scribe, "general", "c");
	agent_expect(scout, 3);
	ck_assert_str_eq(scout->got[0].text, "a");
	ck_assert_str_eq(scout->got[1].text, "b");
	ck_assert_str_eq(scout->got[2].text, "c");
}
END_TEST

/* The reader's word is of others: what it has not reached is waited for. */
START_TEST(a_rejoin_waits_for_its_own_beside_a_stranger)
{
	struct asked	 q;
	cJSON		*o;

	defer_strangers(1);
	role_down(sp, "reader");
	rejoin_twice(&q);
	o = agent_answer(scout, &q);
	ck_assert(cJSON_IsFalse(json_get(o, "ok")));
	ck_assert_ptr_nonnull(strstr(json_get(o, "error")->valuestring,
	    "still being delivered; try again"));
	cJSON_Delete(o);
	role_up(sp, "reader");
	agent_expect(scout, 2);
	ck_assert_uint_eq(agent_join(scout, "general"), 3);
	agent_post(scribe, "general", "c");
	expect("c");
}
END_TEST

static void
acl_put(const char *allow)
{
	char	text[200];

	snprintf(text, sizeof(text), "{\"allowSubscribe\":%s,\"revision\":1,"
	    "\"updatedAt\":1}", allow);
	record_put(sp, BUCKET_ACL, scout->id, text);
}

/* What is put off of its own, beside so many strangers' that the reader may
 * not name it. */
START_TEST(a_rejoin_waits_for_what_is_put_off)
{
	struct asked	q;

	defer_strangers(_i == 0 ? 1 : 70);
	agent_join(scout, "general");
	record_put(sp, BUCKET_ACL, scout->id, NULL);
	agent_post(scribe, "general", "a");
	AWAIT(consumer_get(sp, STREAM_INBOX, "reader").n_ack_pending ==
	    (_i == 0 ? 2 : 71));
	agent_leave(scout, "general", 1);
	acl_put("[\"general\"]");
	agent_join(scout, "general");
	agent_leave(scout, "general", 2);
	agent_ask(scout, &q, "durableJoin", "{\"channel\":\"general\"}");
	cJSON_Delete(agent_answer(scout, &q));
	agent_expect(scout, 1);
	ck_assert_str_eq(scout->got[0].text, "a");
}
END_TEST

START_TEST(a_rejoin_that_waits_holds_up_nobody)
{
	struct asked	q, list, join;

	role_down(sp, "reader");
	rejoin_twice(&q);
	agent_ask(scout, &list, "listMemberships", NULL);
	agent_ask(scout, &join, "durableJoin", "{\"channel\":\"review\"}");
	cJSON_Delete(agent_answer(scout, &list));
	cJSON_Delete(agent_answer(scout, &join));
	ck_assert_msg(q.reply == NULL, "what waits was answered before");
	/* It goes on as soon as it can. */
	role_up(sp, "reader");
	cJSON_Delete(agent_answer(scout, &q));
}
END_TEST

START_TEST(what_may_pass_is_told_from_a_refusal)
{
	char	out[1024];

	role_down(sp, "fanout");
	agent_join(scout, "general");
	agent_post(scribe, "general", "a");
	agent_leave(scout, "general", 1);
	agent_join(scout, "general");
	agent_leave(scout, "general", 2);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "join --as scout "
	    "general"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, "try again"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "join --as scout "
	    "elsewhere"), EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(out, "not within your read ACL"));
}
END_TEST

/* --- a stream that was made anew --------------------------------------------------- */

/* CHAT is gone with all its sequences, and there again. */
static void
renew_chat(void)
{
	struct bus_pub	 p = { .subject = "$JS.API.STREAM.DELETE.CHAT_t" };
	struct error	 e;
	char		 out[1024];

	role_down(sp, "fanout");
	bus_msg_free(bus_call(sp->root, &p, 2000, &e));
	ck_assert_msg(reeve(sp, out, sizeof(out), "init --fanout-from new")
	    == 0, "%s", out);
	ck_assert_uint_eq(stream_last_seq(sp, STREAM_CHAT), 0);
	role_up(sp, "fanout");
}

START_TEST(a_membership_of_another_stream_is_begun_anew)
{
	cJSON	*o;

	post_run("review", "old", 5);
	ck_assert_uint_eq(agent_join(scout, "general"), 1);
	agent_post(scribe, "general", "before");
	expect("before");
	renew_chat();
	AWAIT(logged(sp, "members of another stream get nothing\" "
	    "members=1"));
	agent_post(scribe, "general", "unheard");
	ck_assert_uint_eq(agent_join(scout, "general"), 2);
	o = member_get(sp, "general", scout->id);
	ck_assert_uint_eq(number_of(o, "joinCursor"), 1);
	cJSON_Delete(o);
	agent_post(scribe, "general", "heard");
	expect("heard");
	AWAIT(logged(sp, "all members are of this stream"));
}
END_TEST

/* Its old interval is not one of these sequences either. */
START_TEST(what_was_left_of_another_stream_entitles_to_nothing)
{
	cJSON	*o;

	agent_join(scout, "general");
	post_run("general", "old", 3);
	agent_leave(scout, "general", 1);
	expect("old1 old2 old3");
	renew_chat();
	ck_assert_uint_eq(agent_join(scout, "general"), 2);
	agent_leave(scout, "general", 2);
	post_run("general", "new", 4);
	expect("");
	o = member_get(sp, "general", scout->id);
	ck_assert_uint_eq(number_of(o, "leaveCursor"), 0);
	cJSON_Delete(o);
}
END_TEST

START_TEST(a_stale_leave_leaves_the_membership)
{
	struct error	 e;
	cJSON		*o;

	agent_join(scout, "general");
	agent_leave(scout, "general", 1);
	agent_join(scout, "general");
	o = agent_control(scout, "durableLeave", "{\"channel\":\"general\","
	    "\"generation\":1}", &e);
	ck_assert_msg(o != NULL, "%s", e.text);
	ck_assert(cJSON_IsFalse(json_get(o, "ok")));
	ck_assert_ptr_nonnull(strstr(json_get(o, "error")->valuestring,
	    "stale"));
	cJSON_Delete(o);
	o = member_get(sp, "general", scout->id);
	ck_assert_uint_eq(number_of(o, "generation"), 2);
	ck_assert(json_get(o, "leaveCursor") == NULL);
	cJSON_Delete(o);
	agent_post(scribe, "general", "still");
	expect("still");
}
END_TEST

/* A leave by another writer while the catch-up is on its way. */
START_TEST(a_leave_during_activation_wins)
{
	struct asked	 q;
	cJSON		*o;
	char		*text;

	role_down(sp, "reader");
	agent_post_many(scribe, "general", "m", 300);
	AWAIT(consumer_unread(sp, STREAM_CHAT, "fanout") == 0);
	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false,\"fence\":300");
	agent_ask(scout, &q, "durableJoin", "{\"channel\":\"general\"}");
	/* It may not run ahead of a reader that stands still. */
	AWAIT(stream_messages(sp, STREAM_INBOX) > 0);
	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false,\"leaveCursor\":200");
	role_up(sp, "reader");
	o = agent_answer(scout, &q);
	text = json_print(o);
	ck_assert_msg(cJSON_IsTrue(json_get(o, "ok")), "%s", text);
	ck_assert_msg(cJSON_IsFalse(json_get(json_get(o, "data"),
	    "durable")), "%s", text);
	ck_assert_ptr_nonnull(strstr(json_get(json_get(o, "data"), "reason")
	    ->valuestring, "superseded"));
	free(text);
	cJSON_Delete(o);
	o = member_get(sp, "general", scout->id);
	ck_assert(cJSON_IsFalse(json_get(o, "activated")));
	ck_assert_uint_eq(number_of(o, "leaveCursor"), 200);
	cJSON_Delete(o);
	agent_expect(scout, 200);
	ck_assert_str_eq(scout->got[199].text, "m199");
	agent_expect_none(scout);
}
END_TEST

/* --- a join that was interrupted ---------------------------------------------------- */

START_TEST(a_retry_copies_up_to_the_recorded_fence)
{
	uint64_t	 first = post_run("general", "m", 6);
	char		 fields[200];
	cJSON		*o;

	await_drained(sp);
	snprintf(fields, sizeof(fields), "\"generation\":3,\"activated\":"
	    "false,\"joinCursor\":%llu,\"fence\":%llu",
	    (unsigned long long)first, (unsigned long long)first + 3);
	member_put(sp, "general", scout->id, fields);
	ck_assert_uint_eq(agent_join(scout, "general"), 3);
	expect("m2 m3 m4");
	o = member_get(sp, "general", scout->id);
	ck_assert_uint_eq(number_of(o, "joinCursor"), first);
	ck_assert(cJSON_IsTrue(json_get(o, "activated")));
	cJSON_Delete(o);
	agent_post(scribe, "general", "m7");
	expect("m7");
}
END_TEST

/* One that the reference left has no fence: it is read now. */
START_TEST(a_retry_without_a_fence_copies_all_since)
{
	uint64_t	first = post_run("general", "m", 4);
	char		fields[200];

	await_drained(sp);
	snprintf(fields, sizeof(fields), "\"generation\":1,\"activated\":"
	    "false,\"joinCursor\":%llu", (unsigned long long)first);
	member_put(sp, "general", scout->id, fields);
	agent_join(scout, "general");
	expect("m2 m3 m4");
}
END_TEST

START_TEST(fan_out_and_catch_up_copies_collapse)
{
	post_run("general", "m", 5);
	await_drained(sp);
	role_down(sp, "fanout");
	post_run("general", "n", 5);
	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false");
	agent_join(scout, "general");
	role_up(sp, "fanout");
	expect("m1 m2 m3 m4 m5 n1 n2 n3 n4 n5");
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 10);
}
END_TEST

START_TEST(a_catch_up_is_of_one_channel)
{
	post_run("general", "g", 2);
	post_run("review", "r", 2);
	agent_post(scout, "general", "own");
	await_drained(sp);
	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false");
	agent_join(scout, "general");
	expect("g1 g2");
}
END_TEST

/* --- eviction ---------------------------------------------------------------------------- */

static void
fill(const char *channel)
{
	agent_post_many(scribe, channel, "m", 1005);
	await_drained(sp);
}

START_TEST(an_evicted_window_is_refused)
{
	const char	*reason;
	cJSON		*data, *o;
	uint64_t	 fence;

	fill("general");
	fence = stream_last_seq(sp, STREAM_CHAT);
	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":4,\"activated\":false");
	data = join("general");
	ck_assert(cJSON_IsFalse(json_get(data, "durable")));
	reason = cJSON_GetStringValue(json_get(data, "reason"));
	ck_assert_ptr_nonnull(reason);
	ck_assert_ptr_nonnull(strstr(reason, "evicted"));
	cJSON_Delete(data);
	o = member_get(sp, "general", scout->id);
	ck_assert_uint_eq(number_of(o, "leaveCursor"), fence);
	ck_assert_uint_eq(number_of(o, "generation"), 4);
	ck_assert(cJSON_IsFalse(json_get(o, "activated")));
	cJSON_Delete(o);
	expect("");
	ck_assert_uint_eq(agent_join(scout, "general"), 5);
	agent_post(scribe, "general", "now");
	expect("now");
}
END_TEST

START_TEST(a_busy_channel_evicts_nothing_of_another)
{
	post_run("review", "r", 3);
	fill("general");
	member_put(sp, "review", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false");
	agent_join(scout, "review");
	expect("r1 r2 r3");
}
END_TEST

/* At its cap, but the window begins where the oldest is. */
START_TEST(a_window_that_is_still_there_is_no_eviction)
{
	char	fields[128];

	fill("general");
	snprintf(fields, sizeof(fields), "\"joinCursor\":5,\"generation\":1,"
	    "\"activated\":false");
	member_put(sp, "general", scout->id, fields);
	agent_join(scout, "general");
	agent_expect(scout, 1000);
	ck_assert_str_eq(scout->got[0].text, "m5");
	ck_assert_str_eq(scout->got[999].text, "m1004");
	agent_expect_none(scout);
}
END_TEST

START_TEST(an_empty_window_is_no_eviction)
{
	fill("general");
	ck_assert_uint_eq(agent_join(scout, "general"), 1);
	agent_post(scribe, "general", "now");
	expect("now");
}
END_TEST

int
main(void)
{
	TCase	*edges = test_case("edges", setup, 60);
	TCase	*rejoin = test_case("rejoin", setup, 60);
	TCase	*renewed = test_case("renewed", setup, 60);
	TCase	*retry = test_case("retry", setup, 60);
	TCase	*evicted = test_case("evicted", setup, 90);

	tcase_add_test(edges, a_join_begins_behind_its_cursor);
	tcase_add_test(edges, a_leave_ends_with_its_cursor);
	tcase_add_test(edges, an_interval_is_judged_by_sequence);
	tcase_add_test(edges, a_pending_member_is_a_member);
	tcase_add_test(edges, a_deleted_record_is_no_membership);
	tcase_add_test(rejoin, a_rejoin_is_another_generation);
	tcase_add_test(rejoin, a_lagging_fanout_honours_the_old_interval);
	tcase_add_test(rejoin, a_lagging_reader_honours_the_old_interval);
	tcase_add_test(rejoin, a_second_rejoin_waits_for_what_is_owed);
	tcase_add_test(rejoin, a_rejoin_does_not_wait_for_a_stranger);
	tcase_add_test(rejoin, a_rejoin_waits_for_its_own_beside_a_stranger);
	tcase_add_loop_test(rejoin, a_rejoin_waits_for_what_is_put_off, 0, 2);
	tcase_add_test(rejoin, a_rejoin_that_waits_holds_up_nobody);
	tcase_add_test(rejoin, what_may_pass_is_told_from_a_refusal);
	tcase_add_test(renewed, a_membership_of_another_stream_is_begun_anew);
	tcase_add_test(renewed,
	    what_was_left_of_another_stream_entitles_to_nothing);
	tcase_add_test(rejoin, a_stale_leave_leaves_the_membership);
	tcase_add_test(rejoin, a_leave_during_activation_wins);
	tcase_add_test(retry, a_retry_copies_up_to_the_recorded_fence);
	tcase_add_test(retry, a_retry_without_a_fence_copies_all_since);
	tcase_add_test(retry, fan_out_and_catch_up_copies_collapse);
	tcase_add_test(retry, a_catch_up_is_of_one_channel);
	tcase_add_test(evicted, an_evicted_window_is_refused);
	tcase_add_test(evicted, a_busy_channel_evicts_nothing_of_another);
	tcase_add_test(evicted, a_window_that_is_still_there_is_no_eviction);
	tcase_add_test(evicted, an_empty_window_is_no_eviction);
	return test_main("intervals", edges, rejoin, renewed, retry, evicted,
	    NULL);
}
