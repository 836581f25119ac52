/* SPDX-License-Identifier: ISC */

/* Freshness through the roles: what was committed, removed or replaced is
 * honoured for the next message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fresh.h"
#include "json.h"

#define RECOVER_MS	3000

static struct agent	*scribe, *scout;

static void
setup_roles(void)
{
	space_setup();
	scribe = agent_make(sp, "scribe", "--allow-publish general");
	scout = agent_make(sp, "scout", NULL);
}

/* What was posted with this prefix came exactly so often, for each number. */
static void
expect_each(const char *prefix, unsigned n, unsigned times)
{
	char		text[32];
	unsigned	i;

	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s%u", prefix, i);
		ck_assert_msg(agent_got(scout, text) == times,
		    "%s: %u times", text, agent_got(scout, text));
	}
}

static void
post(const char *prefix, unsigned n)
{
	char	text[32];

	snprintf(text, sizeof(text), "%s%u", prefix, n);
	agent_post(scribe, "general", text);
}

#define ROUNDS	300

START_TEST(joins_and_leaves_are_exact)
{
	uint64_t	generation;
	unsigned	i;

	for (i = 0; i < ROUNDS; i++) {
		generation = agent_join(scout, "general");
		post("in", i);
		agent_leave(scout, "general", generation);
		post("out", i);
	}
	agent_expect(scout, ROUNDS);
	agent_expect_none(scout);
	expect_each("in", ROUNDS, 1);
	expect_each("out", ROUNDS, 0);
}
END_TEST

static void
acl_put(const char *allow)
{
	char	text[200];

	snprintf(text, sizeof(text), "{\"allowSubscribe\":[%s],\"revision\":1,"
	    "\"updatedAt\":1}", allow);
	record_put(sp, BUCKET_ACL, scout->id, text);
}

START_TEST(acl_changes_are_exact)
{
	unsigned	i;

	agent_join(scout, "general");
	for (i = 0; i < 30; i++) {
		acl_put("");
		post("out", i);
		AWAIT(consumer_unread(sp, STREAM_CHAT, "fanout") == 0);
		AWAIT(consumer_unread(sp, STREAM_INBOX, "reader") == 0);
		acl_put("\"general\"");
		post("in", i);
		await_drained(sp);
	}
	agent_expect(scout, 30);
	agent_expect_none(scout);
	expect_each("in", 30, 1);
	expect_each("out", 30, 0);
}
END_TEST

/* A role's id, by its credential. */
static void
role_id(const char *role, char *id)
{
	char		path[300];
	struct creds	c;
	struct error	e;

	memset(&c, 0, sizeof(c));
	snprintf(path, sizeof(path), "%s/creds/%s-0.creds", sp->state, role);
	OK(creds_load(&c, path, &e), e);
	snprintf(id, ID_MAX, "%s", c.key.public);
	creds_wipe(&c);
}

START_TEST(roles_outlive_their_watches)
{
	char		fanout[ID_MAX], reader[ID_MAX];
	uint64_t	generation;
	int64_t		start = clock_ms();
	unsigned	i;

	role_id("fanout", fanout);
	role_id("reader", reader);
	for (i = 0; i < 4; i++) {
		delete_watch(MEMBERS, fanout);
		delete_watch(MEMBERS, reader);
		generation = agent_join(scout, "general");
		post("in", i);
		await_drained(sp);
		delete_watch(MEMBERS, fanout);
		delete_watch(MEMBERS, reader);
		agent_leave(scout, "general", generation);
		post("out", i);
		await_drained(sp);
	}
	/* Two deaths at once, one after the other: eight times. */
	ck_assert(clock_ms() - start < 8 * 2 * RECOVER_MS);
	agent_expect(scout, 4);
	agent_expect_none(scout);
	expect_each("in", 4, 1);
	expect_each("out", 4, 0);
}
END_TEST

static char *
member_text(const struct agent *a, char *key, size_t size)
{
	cJSON	*o;
	char	*text;

	snprintf(key, size, "general/%s", a->id);
	ck_assert((o = record_get(sp, BUCKET_MEMBERS, key, NULL)) != NULL);
	text = json_print(o);
	cJSON_Delete(o);
	return text;
}

/* Nothing is routed by the table of a bucket that is no more. */
START_TEST(members_made_again_while_fanout_runs)
{
	struct agent	*ghost = agent_make(sp, "ghost", NULL);
	char		 key[200], *text;
	unsigned	 i;

	agent_join(ghost, "general");
	agent_join(scout, "general");
	for (i = 0; i < 20; i++)
		post("both", i);
	await_drained(sp);
	text = member_text(scout, key, sizeof(key));
	replace();
	record_put(sp, BUCKET_MEMBERS, key, text);
	free(text);
	for (i = 0; i < 20; i++)
		post("one", i);
	await_drained(sp);
	agent_expect(scout, 40);
	agent_expect_none(scout);
	expect_each("one", 20, 1);
	agent_expect(ghost, 20);
	agent_expect_none(ghost);
	ck_assert_uint_eq(agent_got(ghost, "both19"), 1);
	ck_assert(logged(sp, "msg=\"bucket was replaced\""));
}
END_TEST

/* The newest record removed without a marker is no empty bucket: the others
 * are members still, and what was removed is not. */
START_TEST(newest_member_purged_while_fanout_runs)
{
	struct agent	*ghost = agent_make(sp, "ghost", NULL);
	char		 body[300];
	unsigned	 i;

	agent_join(scout, "general");
	agent_join(ghost, "general");
	for (i = 0; i < 5; i++)
		post("both", i);
	await_drained(sp);
	snprintf(body, sizeof(body), "{\"filter\":\"$KV.cotal_members_t."
	    "general/%s\"}", ghost->id);
	purge(body);
	for (i = 0; i < 5; i++)
		post("one", i);
	agent_expect(scout, 10);
	agent_expect_none(scout);
	agent_expect(ghost, 5);
	agent_expect_none(ghost);
}
END_TEST

/* Not the newest one, and nothing else is written after. */
static void
older_member_removed(enum removal how)
{
	struct agent	*ghost = agent_make(sp, "ghost", NULL);
	char		 key[200];
	unsigned	 i;

	agent_join(ghost, "general");
	agent_join(scout, "general");
	for (i = 0; i < 5; i++)
		post("both", i);
	await_drained(sp);
	agent_expect(ghost, 5);
	snprintf(key, sizeof(key), "general/%s", ghost->id);
	remove_raw(how, BUCKET_MEMBERS, key);
	for (i = 0; i < 5; i++)
		post("one", i);
	agent_expect(scout, 10);
	await_drained(sp);
	agent_expect_none(scout);
	agent_expect_none(ghost);
	expect_each("one", 5, 1);
}

START_TEST(older_member_purged_while_fanout_runs)
{
	older_member_removed(BY_KEY);
}
END_TEST

START_TEST(older_member_deleted_while_fanout_runs)
{
	older_member_removed(BY_SEQ);
}
END_TEST

/* An owner without a record is unknown: what it is owed waits. */
static void
older_acl_removed(enum removal how)
{
	agent_make(sp, "newer", NULL);
	agent_join(scout, "general");
	post("in", 0);
	agent_expect(scout, 1);
	await_drained(sp);
	remove_raw(how, BUCKET_ACL, scout->id);
	post("in", 1);
	AWAIT(consumer_unread(sp, STREAM_CHAT, "fanout") == 0);
	ck_assert_uint_eq(agent_receive(scout, 1, 500), 0);
	ck_assert_uint_eq(consumer_unread(sp, STREAM_INBOX, "reader"), 1);
	acl_put("\"general\"");
	agent_expect(scout, 1);
	agent_expect_none(scout);
	expect_each("in", 2, 1);
}

START_TEST(older_acl_purged_while_reader_runs)
{
	older_acl_removed(BY_KEY);
}
END_TEST

START_TEST(older_acl_deleted_while_reader_runs)
{
	older_acl_removed(BY_SEQ);
}
END_TEST

START_TEST(unreadable_member_keeps_the_one_before)
{
	char	key[200];

	agent_join(scout, "general");
	post("in", 0);
	snprintf(key, sizeof(key), "general/%s", scout->id);
	record_put(sp, BUCKET_MEMBERS, key, "{\"channel\":");
	post("in", 1);
	record_put(sp, BUCKET_MEMBERS, key, "");
	post("in", 2);
	/* Another's record under this key is no record of this owner. */
	record_put(sp, BUCKET_MEMBERS, key, "{\"channel\":\"general\","
	    "\"owner\":\"UX\",\"state\":\"live-confirmed\",\"joinCursor\":1,"
	    "\"leaveCursor\":1,\"generation\":9,\"writerIdentity\":\"x\","
	    "\"updatedAt\":1}");
	post("in", 3);
	agent_expect(scout, 4);
	agent_expect_none(scout);
	/* And its owner is not locked out. */
	agent_join(scout, "general");
	post("in", 4);
	agent_expect(scout, 1);
	expect_each("in", 5, 1);
}
END_TEST

START_TEST(unreadable_channel_keeps_the_one_before)
{
	record_put(sp, BUCKET_CHANNELS, "=defaults",
	    "{\"deliveryClass\":\"live\"}");
	record_put(sp, BUCKET_CHANNELS, "general",
	    "{\"deliveryClass\":\"durable\"}");
	agent_join(scout, "general");
	post("in", 0);
	record_put(sp, BUCKET_CHANNELS, "general", "{\"deliveryClass\":3}");
	record_put(sp, BUCKET_CHANNELS, "=defaults", "[]");
	post("in", 1);
	await_drained(sp);
	record_put(sp, BUCKET_CHANNELS, "general",
	    "{\"deliveryClass\":\"live\"}");
	post("out", 0);
	agent_expect(scout, 2);
	agent_expect_none(scout);
	expect_each("in", 2, 1);
}
END_TEST

START_TEST(unreadable_acl_is_unknown)
{
	agent_join(scout, "general");
	record_put(sp, BUCKET_ACL, scout->id, "{\"allowSubscribe\":\"x\"}");
	post("in", 0);
	AWAIT(logged(sp, "unreadable ACL record"));
	AWAIT(consumer_unread(sp, STREAM_CHAT, "fanout") == 0);
	ck_assert_uint_eq(agent_receive(scout, 1, 500), 0);
	acl_put("\"general\"");
	agent_expect(scout, 1);
	agent_expect_none(scout);
	expect_each("in", 1, 1);
}
END_TEST

TCase *
roles_case(void)
{
	TCase	*roles = test_case("roles", setup_roles, 90);

	tcase_add_test(roles, joins_and_leaves_are_exact);
	tcase_add_test(roles, acl_changes_are_exact);
	tcase_add_test(roles, roles_outlive_their_watches);
	tcase_add_test(roles, members_made_again_while_fanout_runs);
	tcase_add_test(roles, newest_member_purged_while_fanout_runs);
	tcase_add_test(roles, older_member_purged_while_fanout_runs);
	tcase_add_test(roles, older_member_deleted_while_fanout_runs);
	tcase_add_test(roles, older_acl_purged_while_reader_runs);
	tcase_add_test(roles, older_acl_deleted_while_reader_runs);
	tcase_add_test(roles, unreadable_member_keeps_the_one_before);
	tcase_add_test(roles, unreadable_channel_keeps_the_one_before);
	tcase_add_test(roles, unreadable_acl_is_unknown);
	return roles;
}
