/* SPDX-License-Identifier: ISC */

/* Durable delivery as it should be when nothing breaks: who gets what, in
 * which order, byte for byte, and what is passed over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "message.h"
#include "space.h"

/* Store a body, as it is, as if from this agent on this channel. */
static uint64_t
store(const struct agent *a, const char *channel, const char *body)
{
	char	subject[SUBJECT_MAX];

	subject_chat(subject, sizeof(subject), sp->config.space, a->id,
	    channel);
	return raw_store(sp, subject, NULL, body);
}

static struct agent *
writer(const char *name)
{
	return agent_make(sp, name, "--allow-subscribe general,review "
	    "--allow-publish general,review");
}

START_TEST(away_agent_gets_what_was_said)
{
	struct agent	*scribe, *scout;
	char		 text[32];
	unsigned	 i;

	scribe = agent_make(sp, "scribe", "--allow-publish general");
	scout = agent_make(sp, "scout", NULL);
	agent_join(scout, "general");
	agent_post_many(scribe, "general", "m", 200);
	agent_expect(scout, 200);
	for (i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "m%u", i);
		ck_assert_str_eq(scout->got[i].text, text);
		ck_assert_str_eq(scout->got[i].from, scribe->id);
	}
	agent_expect_none(scout);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

START_TEST(each_member_its_own_and_no_one_else)
{
	struct agent	*a = writer("a"), *b = writer("b"), *c = writer("c");
	struct agent	*stranger = writer("stranger");

	agent_join(a, "general");
	agent_join(b, "general");
	agent_join(c, "general");
	agent_join(stranger, "review");
	agent_post(a, "general", "from a");
	agent_post(stranger, "general", "from outside");
	agent_expect(b, 2);
	agent_expect(c, 2);
	agent_expect(a, 1);
	ck_assert_uint_eq(agent_got(b, "from a"), 1);
	ck_assert_uint_eq(agent_got(c, "from a"), 1);
	ck_assert_uint_eq(agent_got(a, "from a"), 0);
	ck_assert_uint_eq(agent_got(a, "from outside"), 1);
	agent_expect_none(a);
	agent_expect_none(b);
	agent_expect_none(stranger);
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 5);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DLV), 5);
	agent_free(stranger);
	agent_free(c);
	agent_free(b);
	agent_free(a);
}
END_TEST

/* What one sender said on one channel came in the order it was stored. */
static void
check_order(const struct agent *reader, const struct agent *from,
    const char *channel, const char *prefix, unsigned count)
{
	const struct received	*r;
	unsigned		 next = 0;
	char			 text[32];
	size_t			 i;

	for (i = 0; i < reader->n_got; i++) {
		r = &reader->got[i];
		if (strcmp(r->from, from->id) != 0 ||
		    strcmp(r->channel, channel) != 0)
			continue;
		snprintf(text, sizeof(text), "%s%u", prefix, next++);
		ck_assert_str_eq(r->text, text);
	}
	ck_assert_uint_eq(next, count);
}

START_TEST(order_holds_for_each_sender_and_channel)
{
	struct agent	*a = writer("a"), *b = writer("b");
	struct agent	*scout = writer("scout");
	char		 text[32];
	unsigned	 i;

	agent_join(scout, "general");
	agent_join(scout, "review");
	for (i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "ag%u", i);
		agent_post(a, "general", text);
		snprintf(text, sizeof(text), "br%u", i);
		agent_post(b, "review", text);
		snprintf(text, sizeof(text), "ar%u", i);
		agent_post(a, "review", text);
		snprintf(text, sizeof(text), "bg%u", i);
		agent_post(b, "general", text);
	}
	agent_expect(scout, 240);
	check_order(scout, a, "general", "ag", 60);
	check_order(scout, a, "review", "ar", 60);
	check_order(scout, b, "general", "bg", 60);
	check_order(scout, b, "review", "br", 60);
	agent_expect_none(scout);
	agent_free(scout);
	agent_free(b);
	agent_free(a);
}
END_TEST

/* Fields, part kinds, spacing, numbers and escapes that are none of ours. */
#define ODD_BODY "{ \"zz\" : [1e3, 0.10, {\"deep\":null}],\n"		\
	"\t\"id\":\"odd-1\",\"ts\":1795223534812.25,\"space\":\"t\","	\
	"\"from\":{\"name\":\"\\u0061\\/b\",\"id\":\"%s\",\"x\":-0},"	\
	"\"channel\":\"general\",\"parts\":[{\"kind\":\"text\","		\
	"\"text\":\"\\ud83d\\ude00 caf\\u00e9 \xc3\xa9\",\"lang\":\"fr\"},"	\
	"{\"kind\":\"com.example.chart\",\"points\":[1,2.50,3]},"	\
	"{\"kind\":\"data\",\"data\":null}] , \"trace\":\"\"}"

START_TEST(copies_are_the_publishers_bytes)
{
	struct agent	*scribe = writer("scribe"), *scout = writer("scout");
	char		 body[1024], entry[2048], id[256];
	unsigned	 n = space_shards(sp);
	struct stored	 in, out;
	uint64_t	 seq;

	agent_join(scout, "general");
	snprintf(body, sizeof(body), ODD_BODY, scribe->id);
	seq = store(scribe, "general", body);
	agent_expect(scout, 1);
	ck_assert(stored_get(sp, STREAM_INBOX, 1, &in));
	ck_assert(stored_get(sp, STREAM_DLV, 1, &out));
	snprintf(entry, sizeof(entry), "{\"msg\":%s,\"channel\":\"general\","
	    "\"seq\":%llu,\"reason\":\"durable-channel\",\"generation\":1}",
	    body, (unsigned long long)seq);
	ck_assert_str_eq(in.data, entry);
	ck_assert_str_eq(out.data, body);
	snprintf(id, sizeof(id), "odd-1:%s:1", scout->id);
	ck_assert_str_eq(out.msg_id, id);
	if (n > 1)
		snprintf(id, sizeof(id), "odd-1:%s:1:%u", scout->id, n);
	ck_assert_str_eq(in.msg_id, id);
	subject_dinbox(id, sizeof(id), "t", n, scout->id);
	ck_assert_str_eq(in.subject, id);
	snprintf(id, sizeof(id), "cotal.t.dlv.%s", scout->id);
	ck_assert_str_eq(out.subject, id);
	stored_free(&out);
	stored_free(&in);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

/* --- what is no message ---------------------------------------------------- */

#define HEAD	"\"ts\":1,\"space\":\"t\""
#define FROM	"\"from\":{\"id\":\"%s\",\"name\":\"n\"}"
#define TAIL	"\"channel\":\"general\",\"parts\":[]"

/* %s: the sender's id. */
static const char *const not_messages[] = {
	"",
	"not json",
	"{\"id\":\"cut\"," HEAD "," FROM ",\"chan",
	"[]",
	"null",
	"{\"id\":\"no-from\"," HEAD "," TAIL "}",
	"{\"id\":\"forged\"," HEAD ",\"from\":{\"id\":\"UFORGED%s\","
	    "\"name\":\"n\"}," TAIL "}",
	"{\"id\":\"elsewhere\"," HEAD "," FROM ",\"channel\":\"review\","
	    "\"parts\":[]}",
	"{\"id\":\"direct\"," HEAD "," FROM ",\"to\":\"x\",\"parts\":[]}",
	"{\"id\":\"both\"," HEAD "," FROM ",\"to\":\"x\"," TAIL "}",
	"{" HEAD "," FROM "," TAIL "}",
	"{\"id\":\"\"," HEAD "," FROM "," TAIL "}",
	"{\"id\":7," HEAD "," FROM "," TAIL "}",
	"{\"id\":\"line\\r\\nInjected: yes\"," HEAD "," FROM "," TAIL "}",
	"{\"id\":\"nul\\u0000\"," HEAD "," FROM "," TAIL "}",
	"{\"id\":\"nul-text\"," HEAD "," FROM ",\"channel\":\"general\","
	    "\"parts\":[{\"kind\":\"text\",\"text\":\"a\\u0000b\"}]}",
	"{\"id\":\"twice\"," HEAD "," FROM ",\"channel\":\"general\","
	    "\"channel\":\"general\",\"parts\":[]}",
	"{\"id\":\"two-senders\"," HEAD ",\"from\":{\"id\":\"%s\",\"id\":"
	    "\"UOTHER\",\"name\":\"n\"}," TAIL "}",
	"{\"id\":\"no-parts\"," HEAD "," FROM ",\"channel\":\"general\"}",
	"{\"id\":\"trailing\"," HEAD "," FROM "," TAIL "} {}",
	"{\"id\":\"latin1-\xe9\"," HEAD "," FROM "," TAIL "}",
};
#define N_NOT_MESSAGES (sizeof(not_messages) / sizeof(not_messages[0]))

/* One too long for a header, and one nested too deep to be wrapped. */
static void
store_monsters(const struct agent *from)
{
	char	body[2048], id[300], deep[400];

	memset(id, 'x', 257);
	id[257] = '\0';
	snprintf(body, sizeof(body), "{\"id\":\"%s\"," HEAD "," FROM "," TAIL
	    "}", id, from->id);
	store(from, "general", body);
	memset(deep, '[', 150);
	memset(deep + 150, ']', 150);
	deep[300] = '\0';
	snprintf(body, sizeof(body), "{\"id\":\"deep\"," HEAD "," FROM ","
	    TAIL ",\"x\":%s}", from->id, deep);
	store(from, "general", body);
}

static void
store_not_messages(const struct agent *from)
{
	char	body[2048];
	size_t	i;

	for (i = 0; i < N_NOT_MESSAGES; i++) {
		const char	*p = strstr(not_messages[i], "%s");

		/* The texts are templates with at most one id. */
		if (p == NULL)
			snprintf(body, sizeof(body), "%s", not_messages[i]);
		else
			snprintf(body, sizeof(body), "%.*s%s%s",
			    (int)(p - not_messages[i]), not_messages[i],
			    from->id, p + 2);
		store(from, "general", body);
	}
	store_monsters(from);
}

START_TEST(what_is_no_message_stops_nothing)
{
	struct agent	*scribe = writer("scribe"), *scout = writer("scout");
	unsigned	 sessions = logged_times(sp, "session ended");

	agent_join(scout, "general");
	agent_post(scribe, "general", "before");
	store_not_messages(scribe);
	agent_post(scribe, "general", "after");
	agent_expect(scout, 2);
	ck_assert_str_eq(scout->got[0].text, "before");
	ck_assert_str_eq(scout->got[1].text, "after");
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 2);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 0);
	ck_assert_uint_eq(logged_times(sp, "session ended"), sessions);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

START_TEST(catch_up_passes_over_what_is_no_message)
{
	struct agent	*scribe = writer("scribe"), *scout = writer("scout");

	agent_post(scribe, "general", "before");
	store_not_messages(scribe);
	agent_post(scout, "general", "my own");
	agent_post(scribe, "general", "after");
	await_drained(sp);
	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false");
	ck_assert_uint_eq(agent_join(scout, "general"), 1);
	agent_expect(scout, 2);
	ck_assert_str_eq(scout->got[0].text, "before");
	ck_assert_str_eq(scout->got[1].text, "after");
	agent_expect_none(scout);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

/* A pull's answer aimed at a chat subject is stored there under the subject
 * it came from. */
START_TEST(foreign_subject_in_the_chat_stream)
{
	struct agent	*scribe = writer("scribe"), *scout = writer("scout");
	char		 next[SUBJECT_MAX], chat[SUBJECT_MAX];
	char		 direct[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = next, .reply = chat, .data = "1",
			    .len = 1 };
	struct stored	 m;
	struct error	 e;
	uint64_t	 seq;

	agent_join(scout, "general");
	seq = agent_post(scribe, "general", "before");
	subject_inst(direct, sizeof(direct), "t", scout->id, scribe->id);
	raw_store(sp, direct, NULL, "psst");
	snprintf(next, sizeof(next), "$JS.API.CONSUMER.MSG.NEXT.DM_t.dm_%s",
	    scout->id);
	subject_chat(chat, sizeof(chat), "t", scribe->id, "general");
	OK(bus_publish(sp->root, &p, &e), e);
	OK(bus_drain(sp->root, 1000), e);
	AWAIT(stream_last_seq(sp, STREAM_CHAT) == seq + 1);
	ck_assert(stored_get(sp, STREAM_CHAT, seq + 1, &m));
	ck_assert_str_eq(m.subject, direct);
	stored_free(&m);
	agent_post(scribe, "general", "after");
	agent_expect(scout, 2);
	ck_assert_str_eq(scout->got[1].text, "after");
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 0);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

/* A message of this size fits, and its entry does not. */
static uint64_t
store_giant(struct agent *from)
{
	size_t		 size = bus_max_payload(sp->root) - 64, n;
	char		*body = malloc(size + 1);
	uint64_t	 seq;

	ck_assert(body != NULL);
	n = (size_t)snprintf(body, size, "{\"id\":\"giant\"," HEAD "," FROM
	    "," TAIL ",\"pad\":\"", from->id);
	memset(body + n, 'x', size - n - 2);
	memcpy(body + size - 2, "\"}", 3);
	seq = store(from, "general", body);
	free(body);
	return seq;
}

static void
check_giant_letter(const cJSON *o, const char *owner)
{
	char	subject[SUBJECT_MAX];

	ck_assert_str_eq(json_get(o, "owner")->valuestring, owner);
	ck_assert_ptr_nonnull(strstr(json_get(o, "reason")->valuestring,
	    "Payload"));
	ck_assert(cJSON_IsNumber(json_get(o, "ts")));
	ck_assert(json_get(o, "deliveries")->valuedouble == 1);
	snprintf(subject, sizeof(subject), "cotal.t.chat.");
	ck_assert(strncmp(json_get(o, "subject")->valuestring, subject,
	    strlen(subject)) == 0);
}

START_TEST(too_big_once_wrapped_is_a_dead_letter)
{
	struct agent	*scribe = writer("scribe"), *a = writer("a");
	struct agent	*b = writer("b");
	cJSON		*first, *second;
	bool		 swapped;

	agent_join(a, "general");
	agent_join(b, "general");
	store_giant(scribe);
	agent_post(scribe, "general", "after");
	agent_expect(a, 1);
	agent_expect(b, 1);
	ck_assert_str_eq(a->got[0].text, "after");
	agent_expect_none(a);
	AWAIT(stream_messages(sp, STREAM_DEAD) == 2);
	first = dead_letter(sp, 0);
	second = dead_letter(sp, 1);
	swapped = strcmp(json_get(first, "owner")->valuestring, b->id) == 0;
	check_giant_letter(first, swapped ? b->id : a->id);
	check_giant_letter(second, swapped ? a->id : b->id);
	cJSON_Delete(first);
	cJSON_Delete(second);
	agent_free(b);
	agent_free(a);
	agent_free(scribe);
}
END_TEST

START_TEST(too_big_for_a_catch_up_is_a_dead_letter)
{
	struct agent	*scribe = writer("scribe"), *scout = writer("scout");
	cJSON		*o;

	store_giant(scribe);
	agent_post(scribe, "general", "after");
	await_drained(sp);
	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false");
	agent_join(scout, "general");
	agent_expect(scout, 1);
	ck_assert_str_eq(scout->got[0].text, "after");
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 1);
	o = dead_letter(sp, 0);
	check_giant_letter(o, scout->id);
	cJSON_Delete(o);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

START_TEST(a_message_published_twice_is_delivered_once)
{
	struct agent	*scribe = writer("scribe"), *scout = writer("scout");

	agent_join(scout, "general");
	agent_join(scout, "review");
	agent_post_as(scribe, "general", "once", "same-id", NULL);
	agent_post_as(scribe, "general", "once", "same-id", NULL);
	agent_post(scribe, "general", "last");
	agent_expect(scout, 2);
	ck_assert_uint_eq(agent_got(scout, "once"), 1);
	agent_expect_none(scout);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

int
main(void)
{
	TCase	*tc = test_case("delivery", space_setup, 60);
	TCase	*two = test_case("delivery by two shards", space_setup_shards,
		    60);
	TCase	*not = test_case("passed over", space_setup, 60);

	tcase_add_test(tc, away_agent_gets_what_was_said);
	tcase_add_test(tc, each_member_its_own_and_no_one_else);
	tcase_add_test(tc, order_holds_for_each_sender_and_channel);
	tcase_add_test(tc, copies_are_the_publishers_bytes);
	tcase_add_test(tc, a_message_published_twice_is_delivered_once);
	tcase_add_test(two, away_agent_gets_what_was_said);
	tcase_add_test(two, each_member_its_own_and_no_one_else);
	tcase_add_test(two, order_holds_for_each_sender_and_channel);
	tcase_add_test(two, copies_are_the_publishers_bytes);
	tcase_add_test(two, a_message_published_twice_is_delivered_once);
	tcase_add_test(not, what_is_no_message_stops_nothing);
	tcase_add_test(not, catch_up_passes_over_what_is_no_message);
	tcase_add_test(not, foreign_subject_in_the_chat_stream);
	tcase_add_test(not, too_big_once_wrapped_is_a_dead_letter);
	tcase_add_test(not, too_big_for_a_catch_up_is_a_dead_letter);
	return test_main("delivery", tc, two, not, NULL);
}
