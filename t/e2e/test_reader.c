/* SPDX-License-Identifier: ISC */

/* What the reader lets through, by the ACL records of now; and what becomes
 * of what it cannot decide. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "pull.h"
#include "../../common/space.h"
#include "space.h"
#include "worker.h"

static char	out[65536];
static struct agent	*scribe, *scout;

static void
setup(void)
{
	space_setup();
	scribe = agent_make(sp, "scribe", "--allow-subscribe general,review "
	    "--allow-publish general,review,team.red,crowd");
	scout = agent_make(sp, "scout", "--allow-subscribe "
	    "'general,review,team.>'");
}

/* list: the JSON of allowSubscribe. */
static void
acl_put(const char *list)
{
	char	record[512];

	snprintf(record, sizeof(record), "{\"allowSubscribe\":%s,"
	    "\"revision\":9,\"updatedAt\":9,\"name\":\"scout\"}", list);
	record_put(sp, BUCKET_ACL, scout->id, record);
}

/* The entries lie in the inbox while the reader stands still. */
static void
post_to_inbox(unsigned n, const char *channel, const char *prefix)
{
	uint64_t	before = stream_messages(sp, STREAM_INBOX);

	agent_post_many(scribe, channel, prefix, n);
	AWAIT(stream_messages(sp, STREAM_INBOX) == before + n);
}

START_TEST(narrowed_in_flight)
{
	agent_join(scout, "general");
	agent_join(scout, "review");
	role_down(sp, "reader");
	post_to_inbox(3, "general", "g");
	post_to_inbox(3, "review", "r");
	acl_put("[\"review\"]");
	role_up(sp, "reader");
	agent_expect(scout, 3);
	ck_assert_str_eq(scout->got[0].text, "r0");
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 0);
}
END_TEST

/* No worker stands still: a change counts from the next message on. */
START_TEST(narrowed_and_widened_between_messages)
{
	unsigned	i;

	agent_join(scout, "general");
	for (i = 0; i < 10; i++) {
		acl_put("[]");
		agent_post(scribe, "general", "no");
		await_drained(sp);
		acl_put("[\"general\"]");
		agent_post(scribe, "general", "yes");
		await_drained(sp);
	}
	agent_expect(scout, 10);
	ck_assert_uint_eq(agent_got(scout, "yes"), 10);
	agent_expect_none(scout);
}
END_TEST

START_TEST(an_empty_acl_reads_nothing)
{
	agent_join(scout, "general");
	acl_put("[]");
	agent_post(scribe, "general", "m");
	agent_expect_none(scout);
	acl_put("[\"general\"]");
	agent_expect_none(scout);
}
END_TEST

START_TEST(a_pattern_covers)
{
	agent_join(scout, "team.red");
	agent_post(scribe, "team.red", "m");
	agent_expect(scout, 1);
	acl_put("[\"team.*.x\",\"team\",\"*\"]");
	agent_post(scribe, "team.red", "n");
	agent_expect_none(scout);
	acl_put("[\">\"]");
	agent_post(scribe, "team.red", "o");
	agent_expect(scout, 1);
	ck_assert_str_eq(scout->got[1].text, "o");
}
END_TEST

static void
check_run(const char *prefix, size_t first, unsigned n)
{
	char		text[32];
	unsigned	i;

	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s%u", prefix, i);
		ck_assert_str_eq(scout->got[first + i].text, text);
	}
}

/* What came behind is held behind: in order, though it could be read. */
static void
delivered_late(const char *record)
{
	agent_join(scout, "general");
	record_put(sp, BUCKET_ACL, scout->id, record);
	agent_post_many(scribe, "general", "a", 5);
	AWAIT(consumer_unread(sp, STREAM_CHAT, "fanout") == 0);
	ck_assert_uint_eq(agent_receive(scout, 1, 300), 0);
	acl_put("[\"general\"]");
	agent_post_many(scribe, "general", "b", 5);
	agent_expect(scout, 10);
	check_run("a", 0, 5);
	check_run("b", 5, 5);
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 0);
}

START_TEST(an_unknown_owner_waits_for_its_record)
{
	delivered_late(NULL);
}
END_TEST

START_TEST(an_unreadable_record_is_an_unknown_owner)
{
	delivered_late("{\"allowSubscribe\":\"general\",\"revision\":");
}
END_TEST

START_TEST(a_record_without_a_list_is_an_unknown_owner)
{
	delivered_late("{\"revision\":1,\"updatedAt\":1}");
}
END_TEST

/* One owner's wait is not another's. */
START_TEST(an_unknown_owner_holds_up_nobody_else)
{
	struct agent	*other = agent_make(sp, "other", NULL);

	agent_join(scout, "general");
	agent_join(other, "general");
	record_put(sp, BUCKET_ACL, scout->id, NULL);
	agent_post_many(scribe, "general", "m", 50);
	agent_expect(other, 50);
	ck_assert_uint_eq(agent_receive(scout, 1, 100), 0);
	agent_free(other);
}
END_TEST

/* Known again, the owner has all at once, however steadily more came behind
 * what was held: its entries do not come back one by one. */
START_TEST(an_owner_known_again_is_up_to_date_at_once)
{
	int64_t		start;
	unsigned	i;

	agent_join(scout, "general");
	record_put(sp, BUCKET_ACL, scout->id, NULL);
	for (i = 0; i < 10; i++) {
		agent_post(scribe, "general", "m");
		ck_assert_uint_eq(agent_receive(scout, 1, 700), 0);
	}
	acl_put("[\"general\"]");
	for (i = 0; i < 5; i++) {
		agent_post(scribe, "general", "m");
		(void)agent_receive(scout, 100, 700);
	}
	start = clock_ms();
	agent_post(scribe, "general", "last");
	agent_expect(scout, 16 - scout->n_got);
	ck_assert_int_lt(clock_ms() - start, 1500);
	ck_assert_str_eq(scout->got[15].text, "last");
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 0);
}
END_TEST

/* So many that the reader does not name them all to fan-out. */
START_TEST(many_unknown_owners_hold_up_nobody_else)
{
	char		owner[ID_MAX];
	unsigned	i;

	agent_join(scout, "general");
	memset(owner, 'A', sizeof(owner));
	owner[0] = 'U';
	owner[56] = '\0';
	for (i = 0; i < 80; i++) {
		owner[1] = (char)('A' + i % 26);
		owner[2] = (char)('A' + i / 26);
		member_put(sp, "crowd", owner,
		    "\"joinCursor\":0,\"generation\":1");
	}
	/* more than one owner may have, so that each is counted */
	agent_post_many(scribe, "crowd", "to nobody", 12);
	AWAIT(consumer_unread(sp, STREAM_INBOX, "reader") == 960);
	for (i = 0; i < 4; i++) {
		agent_post_many(scribe, "general", "m", 500);
		/* well before the reader gives up on the others */
		ck_assert_uint_eq(agent_receive(scout, 500, 3000), 500);
	}
	ck_assert_uint_eq(consumer_unread(sp, STREAM_INBOX, "reader"), 960);
}
END_TEST

/*
 * What finds no place any more in an unknown owner's inbox goes to the dead
 * letters at once, and the others do not wait for the ceiling; nothing is
 * lost when the owner is known again.
 */
START_TEST(an_unknown_owner_with_a_full_inbox_holds_up_nobody_else)
{
	struct agent	*other = agent_make(sp, "other", NULL);
	char		 text[32];
	int64_t		 start;
	unsigned	 i;

	agent_join(scout, "general");
	agent_join(other, "general");
	record_put(sp, BUCKET_ACL, scout->id, NULL);
	start = clock_ms();
	agent_post_many(scribe, "general", "m", 950);
	agent_expect(other, 950);
	ck_assert_int_lt(clock_ms() - start, 15000);
	ck_assert_uint_gt(stream_messages(sp, STREAM_DEAD), 0);
	acl_put("[\"general\"]");
	agent_expect(scout, 950 - stream_messages(sp, STREAM_DEAD));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead replay all"), 0);
	agent_expect(scout, 950 - scout->n_got);
	for (i = 0; i < 950; i++) {
		snprintf(text, sizeof(text), "m%u", i);
		ck_assert_uint_eq(agent_got(scout, text), 1);
	}
	agent_expect_none(scout);
	agent_free(other);
}
END_TEST

/* An entry that cannot be read is no reason to stop, nor to forget it. */
START_TEST(an_unreadable_entry_is_a_dead_letter)
{
	char		 subject[SUBJECT_MAX];
	cJSON		*o;

	subject_dinbox(subject, sizeof(subject), "t", 1, scout->id);
	raw_store(sp, subject, "bad", "{\"msg\":7}");
	agent_join(scout, "general");
	agent_post(scribe, "general", "after");
	agent_expect(scout, 1);
	AWAIT(stream_messages(sp, STREAM_DEAD) == 1);
	o = dead_letter(sp, 0);
	ck_assert_str_eq(json_get(o, "subject")->valuestring, subject);
	ck_assert_uint_eq(number_of(json_get(o, "entry"), "msg"), 7);
	ck_assert_ptr_nonnull(strstr(json_get(o, "reason")->valuestring,
	    "msg"));
	cJSON_Delete(o);
	await_drained(sp);
}
END_TEST

/* Not by this consumer's worker alone: it is stored already. */
START_TEST(an_entry_that_was_delivered_is_not_again)
{
	agent_join(scout, "general");
	agent_post(scribe, "general", "m");
	agent_expect(scout, 1);
	role_kill(sp, "reader");
	role_kill(sp, "fanout");
	AWAIT(lease_ready(sp));
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DLV), 1);
}
END_TEST

/* --- the consumer is gone --------------------------------------------------------- */

/* The broker has forgotten the ids that DLV had by now. */
static void
forget_ids(void)
{
	struct bus_pub	p = { .subject = "cotal.t.dlv.PROBE", .msg_id = "p",
			    .data = "{}", .len = 2 };
	struct error	e;
	bool		duplicate = false;

	OK(js_publish(sp->root, &p, NULL, NULL, &e), e);
	AWAIT((js_publish(sp->root, &p, NULL, &duplicate, &e), !duplicate));
}

static void
shorten_window(void)
{
	cJSON		*config = space_stream(&sp->config, STREAM_DLV);
	struct bus_pub	 p = { .subject = "$JS.API.STREAM.UPDATE.DLV_t" };
	struct error	 e;
	natsMsg		*reply;
	char		*body;

	cJSON_DeleteItemFromObject(config, "duplicate_window");
	cJSON_AddNumberToObject(config, "duplicate_window", 2e8);
	body = cJSON_PrintUnformatted(config);
	p.data = body;
	p.len = strlen(body);
	reply = bus_call(sp->root, &p, JS_TIMEOUT_MS, &e);
	ck_assert_msg(reply != NULL && strstr(natsMsg_GetData(reply),
	    "\"error\"") == NULL, "%s", reply == NULL ? e.text :
	    natsMsg_GetData(reply));
	natsMsg_Destroy(reply);
	free(body);
	cJSON_Delete(config);
}

static uint64_t
reader_begins(void)
{
	struct js_consumer	c;
	struct error		e;
	uint64_t		seq;

	if (js_consumer_info(sp->root, "INBOX_t", "reader", &c, &e) == -1)
		return UINT64_MAX;
	seq = number_of(c.config, "opt_start_seq");
	js_consumer_free(&c);
	return seq;
}

static void
twenty_long_ago(void)
{
	shorten_window();
	agent_join(scout, "general");
	agent_post_many(scribe, "general", "a", 20);
	agent_expect(scout, 20);
	await_drained(sp);
	forget_ids();
}

/* While the reader lives, and while it is down. */
START_TEST(a_consumer_that_was_deleted_begins_behind_what_was_done)
{
	struct error	e;

	twenty_long_ago();
	OK(js_consumer_delete(sp->root, "INBOX_t", "reader", &e), e);
	AWAIT(reader_begins() == 21);
	agent_post_many(scribe, "general", "b", 5);
	agent_expect(scout, 5);
	agent_expect_none(scout);
	forget_ids();
	role_down(sp, "reader");
	OK(js_consumer_delete(sp->root, "INBOX_t", "reader", &e), e);
	post_to_inbox(5, "general", "c");
	role_up(sp, "reader");
	agent_expect(scout, 5);
	ck_assert_str_eq(scout->got[25].text, "c0");
	ck_assert_uint_eq(reader_begins(), 26);
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 0);
}
END_TEST

/* Its sequences are others: nothing of it may be passed over. */
START_TEST(a_stream_that_was_made_anew_is_read_from_its_beginning)
{
	struct bus_pub	 p = { .subject = "$JS.API.STREAM.DELETE.INBOX_t" };
	cJSON		*config = space_stream(&sp->config, STREAM_INBOX);
	int64_t		 start;
	struct error	 e;
	natsMsg		*reply;

	twenty_long_ago();
	role_down(sp, "reader");
	reply = bus_call(sp->root, &p, JS_TIMEOUT_MS, &e);
	ck_assert_msg(reply != NULL, "%s", e.text);
	natsMsg_Destroy(reply);
	/* Times are compared to the second. */
	for (start = clock_epoch_ms() / 1000;
	    clock_epoch_ms() / 1000 == start;)
		test_pause();
	OK(js_stream_create(sp->root, config, &e), e);
	cJSON_Delete(config);
	post_to_inbox(30, "general", "b");
	role_up(sp, "reader");
	agent_expect(scout, 30);
	ck_assert_str_eq(scout->got[20].text, "b0");
	ck_assert(logged(sp, "begins with all that is stored"));
	agent_expect_none(scout);
}
END_TEST

/* --- giving up ----------------------------------------------------------------- */


static void
check_letter(void)
{
	char		 want[128];
	cJSON		*o = dead_letter(sp, 0);
	const cJSON	*entry = json_get(o, "entry");

	snprintf(want, sizeof(want), "cotal.t.dinbox.%s", scout->id);
	ck_assert_str_eq(json_get(o, "subject")->valuestring, want);
	ck_assert_str_eq(json_get(o, "owner")->valuestring, scout->id);
	ck_assert_ptr_nonnull(strstr(json_get(o, "reason")->valuestring,
	    "no ACL record"));
	ck_assert_uint_ge(number_of(o, "deliveries"), 10);
	ck_assert_str_eq(json_get(entry, "channel")->valuestring, "general");
	ck_assert_str_eq(json_get(json_get(entry, "msg"), "id")->valuestring,
	    "lost-1");
	cJSON_Delete(o);
}

/* Never in silence, never before ten deliveries and twenty seconds; and what
 * was given up on can be sent again when its owner is known. */
START_TEST(an_owner_that_stays_unknown)
{
	int64_t		start;
	struct stored	m;
	char		id[128];

	agent_join(scout, "general");
	record_put(sp, BUCKET_ACL, scout->id, NULL);
	start = clock_ms();
	agent_post_as(scribe, "general", "lost", "lost-1", NULL);
	agent_post_as(scribe, "general", "lost too", "lost-2", NULL);
	while (stream_messages(sp, STREAM_DEAD) == 0) {
		ck_assert_int_lt(clock_ms() - start, 60000);
		test_pause();
	}
	ck_assert_int_ge(clock_ms() - start, 20000);
	AWAIT(stream_messages(sp, STREAM_DEAD) == 2);
	await_drained(sp);
	check_letter();
	acl_put("[\"general\"]");
	agent_expect_none(scout);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead list"), 0);
	ck_assert_msg(strstr(out, scout->id) != NULL && strstr(out,
	    "no ACL record") != NULL, "%s", out);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead replay 1"), 0);
	agent_expect(scout, 1);
	ck_assert_str_eq(scout->got[0].text, "lost");
	ck_assert(stored_get(sp, STREAM_DLV, 1, &m));
	snprintf(id, sizeof(id), "lost-1:%s:1", scout->id);
	ck_assert_str_eq(m.msg_id, id);
	stored_free(&m);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead drop 2"), 0);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 0);
	agent_expect_none(scout);
}
END_TEST

static struct strlist	taken;		/* where each is acknowledged */

static void
on_taken(void *arg, natsMsg *m, const struct js_delivery *d)
{
	(void)arg;
	(void)d;
	ck_assert(strlist_add(&taken, natsMsg_GetReply(m)));
	natsMsg_Destroy(m);
}

/* All of them only when all are there: one that is given back before would
 * come once more in another's place. */
static void
give_back(void)
{
	struct bus_pub	p = { .data = "-NAK", .len = 4 };
	struct error	e;
	size_t		i;

	for (i = 0; i < taken.n; i++) {
		p.subject = taken.v[i];
		OK(bus_publish(sp->root, &p, &e), e);
	}
	strlist_free(&taken);
}

/* As workers that came and went: n messages, ten times taken and given back. */
static void
take_and_give_back(const char *stream, const char *durable, unsigned n)
{
	struct pull	p;
	struct error	e;
	unsigned	i;

	for (i = 0; i < 10; i++) {
		OK(pull_start(&p, sp->root, stream, durable, n, on_taken, NULL,
		    &e), e);
		OK(pull_tend(&p, n, clock_ms() + 3000, &e), e);
		AWAIT((bus_turn(sp->root, NULL, 0, 5), taken.n) == n);
		give_back();
		pull_stop(&p);
		OK(bus_drain(sp->root, 1000), e);
	}
}

/* The file in which a worker leaves what it is at, and how many died there
 * before it. */
static void
mark(const char *role, uint64_t seq, unsigned deaths)
{
	struct worker_mark	 m = { .magic = WORKER_MARK, .at_seq = seq,
				    .died_at_seq = seq, .deaths = deaths };
	char			 path[300];
	FILE			*f;

	snprintf(path, sizeof(path), "%s/lock/%s-0.at", sp->state, role);
	ck_assert((f = fopen(path, "w")) != NULL);
	ck_assert(fwrite(&m, sizeof(m), 1, f) == 1);
	fclose(f);
}

/* Both workers are down with ten messages each; when it was. */
static int64_t
leave_ten_to_each(void)
{
	agent_join(scout, "general");
	role_down(sp, "reader");
	post_to_inbox(10, "general", "a");
	role_down(sp, "fanout");
	agent_post_many(scribe, "general", "b", 10);
	return clock_ms();
}

/* Up again once those are old enough to be given up on. */
static void
go_on_when_old(int64_t start)
{
	while (clock_ms() - start < 20200)
		test_pause();
	role_up(sp, "fanout");
	role_up(sp, "reader");
}

/*
 * Whom others died at, in a row, is given up on; who was merely in their
 * hands is not, however often, nor where one was killed by chance.
 */
START_TEST(only_what_kills_its_worker_is_given_up_on)
{
	int64_t	start;
	cJSON	*o;

	start = leave_ten_to_each();
	take_and_give_back("INBOX_t", "reader", 10);
	take_and_give_back("CHAT_t", "fanout", 10);
	mark("reader", 3, GIVE_UP_DEATHS - 1);
	mark("fanout", 14, GIVE_UP_DEATHS - 1);
	go_on_when_old(start);
	agent_expect(scout, 18);
	agent_expect_none(scout);
	ck_assert_uint_eq(agent_got(scout, "a2"), 0);
	ck_assert_uint_eq(agent_got(scout, "b3"), 0);
	ck_assert_str_eq(scout->got[17].text, "b9");
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 2);
	o = dead_letter(sp, 1);
	ck_assert_ptr_nonnull(strstr(json_get(o, "reason")->valuestring,
	    "too often"));
	ck_assert_uint_ge(number_of(o, "deliveries"), 10);
	cJSON_Delete(o);
}
END_TEST

/* A hundred and more deliveries, and one death by chance. */
START_TEST(kills_bury_nothing)
{
	int64_t		start;
	unsigned	i;

	start = leave_ten_to_each();
	for (i = 0; i < 11; i++) {
		take_and_give_back("INBOX_t", "reader", 10);
		take_and_give_back("CHAT_t", "fanout", 10);
	}
	mark("reader", 1, GIVE_UP_DEATHS - 2);
	mark("fanout", 11, GIVE_UP_DEATHS - 2);
	go_on_when_old(start);
	agent_expect(scout, 20);
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 0);
}
END_TEST

/* A replay is authorized again. */
START_TEST(a_replay_is_authorized_anew)
{
	char	subject[SUBJECT_MAX], letter[1024];

	agent_join(scout, "general");
	snprintf(letter, sizeof(letter), "{\"reason\":\"r\",\"subject\":\"s\","
	    "\"owner\":\"%s\",\"deliveries\":10,\"ts\":1,\"entry\":{\"msg\":"
	    "{\"id\":\"x\",\"ts\":1,\"space\":\"t\",\"from\":{\"id\":\"%s\","
	    "\"name\":\"scribe\"},\"channel\":\"secret\",\"parts\":[]},"
	    "\"channel\":\"secret\",\"seq\":1,\"reason\":\"live-mention\","
	    "\"generation\":0}}", scout->id, scribe->id);
	subject_dead(subject, sizeof(subject), "t", "0", "reader");
	raw_store(sp, subject, NULL, letter);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead replay all"), 0);
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 1);
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DEAD), 0);
}
END_TEST

int
main(void)
{
	TCase	*acl = test_case("authorization", setup, 60);
	TCase	*gone = test_case("gone", setup, 60);
	TCase	*slow = test_case("giving up", setup, 120);

	tcase_add_test(acl, narrowed_in_flight);
	tcase_add_test(acl, narrowed_and_widened_between_messages);
	tcase_add_test(acl, an_empty_acl_reads_nothing);
	tcase_add_test(acl, a_pattern_covers);
	tcase_add_test(acl, an_unknown_owner_waits_for_its_record);
	tcase_add_test(acl, an_unreadable_record_is_an_unknown_owner);
	tcase_add_test(acl, a_record_without_a_list_is_an_unknown_owner);
	tcase_add_test(acl, an_unknown_owner_holds_up_nobody_else);
	tcase_add_test(acl, an_owner_known_again_is_up_to_date_at_once);
	tcase_add_test(acl, many_unknown_owners_hold_up_nobody_else);
	tcase_add_test(acl,
	    an_unknown_owner_with_a_full_inbox_holds_up_nobody_else);
	tcase_add_test(acl, an_unreadable_entry_is_a_dead_letter);
	tcase_add_test(acl, an_entry_that_was_delivered_is_not_again);
	tcase_add_test(acl, a_replay_is_authorized_anew);
	tcase_add_test(gone,
	    a_consumer_that_was_deleted_begins_behind_what_was_done);
	tcase_add_test(gone,
	    a_stream_that_was_made_anew_is_read_from_its_beginning);
	tcase_add_test(slow, an_owner_that_stays_unknown);
	tcase_add_test(slow, only_what_kills_its_worker_is_given_up_on);
	tcase_add_test(slow, kills_bury_nothing);
	return test_main("reader", acl, gone, slow, NULL);
}
