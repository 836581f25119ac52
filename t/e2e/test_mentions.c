/* SPDX-License-Identifier: ISC */

/* Channel classes, and who gets a copy of a mention on a live channel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "space.h"

static struct agent	*scribe, *scout;

static void
setup(void)
{
	space_setup();
	scribe = agent_make(sp, "scribe", "--allow-subscribe general,review "
	    "--allow-publish general,review,elsewhere");
	scout = agent_make(sp, "scout", "--allow-subscribe general,review");
}

static void
class_put(const char *channel, const char *class)
{
	char	body[64];

	snprintf(body, sizeof(body), "{\"deliveryClass\":\"%s\"}", class);
	record_put(sp, BUCKET_CHANNELS, channel, body);
}

static void
expect(const char *text)
{
	agent_forget(scout);
	agent_expect(scout, 1);
	ck_assert_str_eq(scout->got[0].text, text);
}

/* Fan-out is through with it: what changes now changes what comes next. */
static void
post(const char *channel, const char *text)
{
	agent_post(scribe, channel, text);
	AWAIT(consumer_unread(sp, STREAM_CHAT, "fanout") == 0);
}

static void
mention(const char *channel, const char *text, const char *names)
{
	char	id[64];

	snprintf(id, sizeof(id), "id-%s", text);
	agent_post_as(scribe, channel, text, id, names);
}

/* --- classes ------------------------------------------------------------------ */

START_TEST(a_live_channel_makes_no_copies)
{
	class_put("general", "live");
	agent_join(scout, "general");
	agent_post(scribe, "general", "live");
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 0);
}
END_TEST

START_TEST(defaults_are_of_all_channels_that_say_nothing)
{
	record_put(sp, BUCKET_CHANNELS, "general",
	    "{\"description\":\"says nothing of its class\"}");
	class_put("=defaults", "live");
	class_put("review", "durable");
	agent_join(scout, "general");
	agent_join(scout, "review");
	agent_post(scribe, "general", "live");
	agent_post(scribe, "review", "durable");
	expect("durable");
	agent_expect_none(scout);
}
END_TEST

START_TEST(a_class_counts_from_the_next_message_on)
{
	unsigned	i;

	agent_join(scout, "general");
	for (i = 0; i < 10; i++) {
		class_put("general", "live");
		post("general", "live");
		class_put("general", "durable");
		post("general", "durable");
	}
	agent_expect(scout, 10);
	ck_assert_uint_eq(agent_got(scout, "durable"), 10);
	agent_expect_none(scout);
}
END_TEST

START_TEST(a_deleted_channel_record_is_the_default)
{
	agent_join(scout, "general");
	class_put("general", "live");
	post("general", "live");
	record_put(sp, BUCKET_CHANNELS, "general", NULL);
	agent_post(scribe, "general", "durable");
	expect("durable");
	agent_expect_none(scout);
}
END_TEST

/* A mention on a durable channel changes nothing. */
START_TEST(a_mention_on_a_durable_channel_is_no_second_copy)
{
	struct stored	m;

	agent_join(scout, "general");
	mention("general", "m", "scout");
	expect("m");
	agent_expect_none(scout);
	ck_assert(stored_get(sp, STREAM_INBOX, 1, &m));
	ck_assert_ptr_nonnull(strstr(m.data, "\"durable-channel\""));
	stored_free(&m);
}
END_TEST

START_TEST(a_mention_of_no_member_on_a_durable_channel_is_no_copy)
{
	mention("general", "m", "scout");
	agent_expect_none(scout);
}
END_TEST

/* --- mentions ---------------------------------------------------------------------- */

START_TEST(one_live_match_gets_a_copy)
{
	struct stored	m;
	cJSON		*o;
	struct error	 e;
	char		 id[128];
	uint64_t	 seq;

	class_put("general", "live");
	presence_put(sp, scout->id, "Scout", "working");
	seq = agent_post_as(scribe, "general", "psst", "m-1", "scout");
	expect("psst");
	ck_assert(stored_get(sp, STREAM_INBOX, 1, &m));
	o = json_parse(m.data, m.len, &e);
	ck_assert_msg(o != NULL, "%s", e.text);
	ck_assert_str_eq(json_get(o, "reason")->valuestring, "live-mention");
	ck_assert_uint_eq(number_of(o, "generation"), 0);
	ck_assert_uint_eq(number_of(o, "seq"), seq);
	snprintf(id, sizeof(id), "m-1:%s:0", scout->id);
	ck_assert_str_eq(m.msg_id, id);
	cJSON_Delete(o);
	stored_free(&m);
	ck_assert(stored_get(sp, STREAM_DLV, 1, &m));
	ck_assert_str_eq(m.msg_id, id);
	stored_free(&m);
}
END_TEST

START_TEST(nobody_of_that_name_no_copy)
{
	class_put("general", "live");
	mention("general", "m", "nobody");
	mention("general", "n", NULL);
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 0);
}
END_TEST

START_TEST(two_live_matches_no_copy)
{
	struct agent	*twin = agent_make(sp, "twin", NULL);

	class_put("general", "live");
	presence_put(sp, scout->id, "scout", "idle");
	presence_put(sp, twin->id, "SCOUT", "idle");
	mention("general", "m", "scout");
	agent_expect_none(scout);
	agent_expect_none(twin);
	/* One of them goes: then it is plain again. */
	presence_put(sp, twin->id, "SCOUT", "offline");
	mention("general", "n", "scout");
	expect("n");
	agent_expect_none(twin);
	agent_free(twin);
}
END_TEST

START_TEST(an_agent_that_is_away_is_known_by_its_acl)
{
	class_put("general", "live");
	mention("general", "m", "scout");
	expect("m");
}
END_TEST

START_TEST(an_agent_that_is_away_is_known_by_its_presence)
{
	class_put("general", "live");
	presence_put(sp, scout->id, "wanderer", "idle");
	mention("general", "here", "wanderer");
	expect("here");
	presence_put(sp, scout->id, "wanderer", "offline");
	mention("general", "offline", "wanderer");
	expect("offline");
	record_put(sp, BUCKET_PRESENCE, scout->id, NULL);
	mention("general", "gone", "wanderer");
	expect("gone");
}
END_TEST

START_TEST(two_that_are_away_no_copy)
{
	struct agent	*twin = agent_make(sp, "twin", NULL);

	class_put("general", "live");
	presence_put(sp, twin->id, "scout", "offline");
	mention("general", "m", "scout");
	agent_expect_none(scout);
	agent_expect_none(twin);
	agent_free(twin);
}
END_TEST

START_TEST(a_mention_outside_the_acl_no_copy)
{
	class_put("elsewhere", "live");
	presence_put(sp, scout->id, "scout", "idle");
	mention("elsewhere", "m", "scout");
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 0);
}
END_TEST

START_TEST(a_mention_of_oneself_no_copy)
{
	class_put("general", "live");
	presence_put(sp, scribe->id, "scribe", "idle");
	mention("general", "m", "scribe");
	agent_expect_none(scribe);
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 0);
}
END_TEST

START_TEST(two_names_of_one_agent_one_copy)
{
	class_put("general", "live");
	presence_put(sp, scout->id, "wanderer", "idle");
	mention("general", "m", "wanderer,scout,wanderer");
	expect("m");
	agent_expect_none(scout);
}
END_TEST

/* A forger writes under its own key that it is somebody else. */
START_TEST(a_presence_of_another_id_is_ignored)
{
	struct agent	*forger = agent_make(sp, "forger", NULL);
	char		 body[512];

	class_put("general", "live");
	presence_put(sp, scout->id, "scout", "idle");
	snprintf(body, sizeof(body), "{\"card\":{\"id\":\"%s\",\"name\":"
	    "\"mallory\",\"kind\":\"agent\"},\"status\":\"idle\",\"ts\":1}",
	    scout->id);
	record_put(sp, BUCKET_PRESENCE, forger->id, body);
	mention("general", "m", "mallory");
	mention("general", "n", "scout");
	expect("n");
	agent_expect_none(scout);
	agent_expect_none(forger);
	agent_free(forger);
}
END_TEST

/* A copy made while it could be read is not read any more. */
START_TEST(a_mention_is_authorized_by_the_acl_of_now)
{
	char	acl[128];

	class_put("general", "live");
	presence_put(sp, scout->id, "scout", "idle");
	role_down(sp, "reader");
	mention("general", "m", "scout");
	AWAIT(stream_messages(sp, STREAM_INBOX) == 1);
	snprintf(acl, sizeof(acl), "{\"allowSubscribe\":[\"review\"],"
	    "\"revision\":2,\"updatedAt\":2}");
	record_put(sp, BUCKET_ACL, scout->id, acl);
	role_up(sp, "reader");
	agent_expect_none(scout);
}
END_TEST

int
main(void)
{
	TCase	*class = test_case("classes", setup, 60);
	TCase	*mentions = test_case("mentions", setup, 60);

	tcase_add_test(class, a_live_channel_makes_no_copies);
	tcase_add_test(class, defaults_are_of_all_channels_that_say_nothing);
	tcase_add_test(class, a_class_counts_from_the_next_message_on);
	tcase_add_test(class, a_deleted_channel_record_is_the_default);
	tcase_add_test(class, a_mention_on_a_durable_channel_is_no_second_copy);
	tcase_add_test(class,
	    a_mention_of_no_member_on_a_durable_channel_is_no_copy);
	tcase_add_test(mentions, one_live_match_gets_a_copy);
	tcase_add_test(mentions, nobody_of_that_name_no_copy);
	tcase_add_test(mentions, two_live_matches_no_copy);
	tcase_add_test(mentions, an_agent_that_is_away_is_known_by_its_acl);
	tcase_add_test(mentions,
	    an_agent_that_is_away_is_known_by_its_presence);
	tcase_add_test(mentions, two_that_are_away_no_copy);
	tcase_add_test(mentions, a_mention_outside_the_acl_no_copy);
	tcase_add_test(mentions, a_mention_of_oneself_no_copy);
	tcase_add_test(mentions, two_names_of_one_agent_one_copy);
	tcase_add_test(mentions, a_presence_of_another_id_is_ignored);
	tcase_add_test(mentions, a_mention_is_authorized_by_the_acl_of_now);
	return test_main("mentions", class, mentions, NULL);
}
