/* SPDX-License-Identifier: ISC */

/* Freshness: a table fed by a watch, the barrier that proves it, and whatever
 * may happen to the bucket behind; then the same through the roles. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "space.h"
#include "watch.h"

#define KEYS		64
#define BARRIER_MS	2000
#define RECOVER_MS	3000

/* --- a table that records what it is told ------------------------------------- */

struct row {
	char		key[160];
	char		text[64];
	uint64_t	seq;
};

static struct {
	struct row	rows[KEYS];
	unsigned	n, resets;
} table;

static struct row *
row(const char *key)
{
	unsigned	i;

	for (i = 0; i < table.n; i++)
		if (strcmp(table.rows[i].key, key) == 0)
			return &table.rows[i];
	return NULL;
}

static void
table_put(void *arg, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct row	*r = row(key);

	(void)arg;
	if (data == NULL) {
		if (r != NULL)
			*r = table.rows[--table.n];
		return;
	}
	if (r == NULL) {
		ck_assert_uint_lt(table.n, KEYS);
		r = &table.rows[table.n++];
	}
	snprintf(r->key, sizeof(r->key), "%s", key);
	snprintf(r->text, sizeof(r->text), "%.*s", (int)len, data);
	r->seq = seq;
}

static void
table_reset(void *arg)
{
	(void)arg;
	table.n = 0;
	table.resets++;
}

static const struct watch_ops ops = { table_put, table_reset };

/* --- a watch with a role's own credential ------------------------------------------ */

static struct creds	 creds;
static struct bus	*bus;
static struct watch	*watch;

static void
connect_watch(void)
{
	struct bus_conf	conf = { .servers = sp->config.servers,
			    .creds = &creds, .name = "watcher" };
	struct error	e;

	watch_unbind(watch);
	bus_close(bus);
	bus = NULL;
	AWAIT(bus_open(&bus, &conf, &e) == 0);
	OK(watch_bind(watch, bus, &e), e);
	OK(watch_wait(bus, &watch, 1, BARRIER_MS, &e), e);
}

static void
watch_make(enum bucket_kind kind, const char *key)
{
	struct scope	scope = { .shards = 1 };
	struct error	e;

	memset(&creds, 0, sizeof(creds));
	OK(trust_mint(&sp->trust, PROFILE_FANOUT, &scope, 0, &creds, &e), e);
	watch = watch_new("t", kind, key, &ops, NULL);
	ck_assert(watch != NULL);
	connect_watch();
}

/* The broker alone. */
static void
setup(void)
{
	static const char *const	roles[] = { "lease", "fanout",
					    "reader", "control" };
	char				path[300];
	unsigned			i;

	sp = space_make("--lease-ttl 2s");
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/service/%s/down", sp->state,
		    roles[i]);
		close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	space_start(sp);
	space_connect_root(sp);
}

static void
setup_members(void)
{
	setup();
	watch_make(BUCKET_MEMBERS, ">");
}

/* Fresh, and soon; the watch lives. */
static void
expect_fresh(void)
{
	int64_t		start = clock_ms();
	struct error	e;

	OK(watch_barrier(bus, &watch, 1, BARRIER_MS, &e), e);
	ck_assert_msg(clock_ms() - start < 500, "took %lld ms",
	    (long long)(clock_ms() - start));
}

/* Never fresh without what was committed; proven again in time. */
static void
expect_recovery(const char *key, uint64_t seq)
{
	int64_t		start = clock_ms();
	struct error	e;

	while (watch_barrier(bus, &watch, 1, BARRIER_MS, &e) == -1) {
		ck_assert_msg(clock_ms() - start < RECOVER_MS, "%s", e.text);
		OK(watch_tend(watch, &e), e);
		bus_turn(bus, NULL, 0, 5);
	}
	if (key == NULL)
		return;
	ck_assert_msg(row(key) != NULL, "fresh without %s", key);
	ck_assert_uint_ge(row(key)->seq, seq);
}

static uint64_t
put(const char *key, const char *text)
{
	return record_put(sp, BUCKET_MEMBERS, key, text);
}

/* --- calls of one who may do all ------------------------------------------------------ */

static cJSON *
api(const char *call, const char *stream, const char *body)
{
	char		 subject[200];
	struct bus_pub	 p = { .subject = subject, .data = body,
			    .len = strlen(body) };
	struct error	 e;
	natsMsg		*m;
	cJSON		*o;

	snprintf(subject, sizeof(subject), "$JS.API.%s.%s", call, stream);
	m = bus_call(sp->root, &p, 2000, &e);
	ck_assert_msg(m != NULL, "%s", e.text);
	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    &e);
	natsMsg_Destroy(m);
	ck_assert_msg(o != NULL && json_get(o, "error") == NULL, "%s %s",
	    subject, o == NULL ? e.text : cJSON_PrintUnformatted(o));
	return o;
}

#define MEMBERS	"KV_cotal_members_t"

static void
purge(const char *body)
{
	cJSON_Delete(api("STREAM.PURGE", MEMBERS, body));
}

/* Delete the bucket and make it again as it was. */
static void
replace(void)
{
	cJSON		*info = api("STREAM.INFO", MEMBERS, "");
	struct error	 e;

	cJSON_Delete(api("STREAM.DELETE", MEMBERS, ""));
	OK(js_stream_create(sp->root, json_get(info, "config"), &e), e);
	cJSON_Delete(info);
}

static void
delete_watch(const char *stream, const char *id)
{
	char		name[STREAM_MAX];
	struct error	e;

	snprintf(name, sizeof(name), "w_%s", id);
	OK(js_consumer_delete(sp->root, stream, name, &e), e);
}

/* --- the barrier ------------------------------------------------------------------------ */

START_TEST(committed_is_seen)
{
	char		key[40], text[32];
	uint64_t	seq;
	int		i;

	for (i = 0; i < 600; i++) {
		snprintf(key, sizeof(key), "general/k%d", i % 20);
		snprintf(text, sizeof(text), "v%d", i);
		seq = put(key, i % 7 == 6 ? NULL : text);
		expect_fresh();
		if (i % 7 == 6) {
			ck_assert(row(key) == NULL);
			continue;
		}
		ck_assert(row(key) != NULL && row(key)->seq == seq);
		ck_assert_str_eq(row(key)->text, text);
	}
	ck_assert_uint_eq(table.resets, 1);
}
END_TEST

/* Put without waiting for it. */
static void
put_blind(const char *key, unsigned n)
{
	char		subject[SUBJECT_MAX], text[32];
	struct bus_pub	p = { .subject = subject, .data = text };
	struct error	e;

	name_bucket_key(subject, sizeof(subject), "t", BUCKET_MEMBERS, key);
	snprintf(text, sizeof(text), "v%u", n);
	p.len = strlen(text);
	OK(bus_publish(sp->root, &p, &e), e);
}

/* Another's connection, which puts a first record at any moment. */
static struct {
	pthread_t	thread;
	atomic_int	round, done;	/* to put; put */
	atomic_bool	failed;
} other;

#define FIRSTS	400

static void *
put_firsts(void *arg)
{
	struct bus_conf	 conf = { .servers = sp->config.servers,
			    .creds = &sp->root_creds, .name = "other" };
	char		 subject[160];
	struct bus_pub	 p = { .subject = subject, .data = "v", .len = 1 };
	struct bus	*b = NULL;
	int64_t		 until;
	int		 i;

	if (bus_open(&b, &conf, NULL) == -1)
		other.failed = true;
	for (i = 1; i <= FIRSTS && !other.failed; i++) {
		while (other.round < i)
			usleep(50);
		until = clock_us() + (i % 40) * 25;
		while (clock_us() < until)
			;
		snprintf(subject, sizeof(subject),
		    "$KV.cotal_members_t.general/f%d", i);
		if (js_publish(b, &p, NULL, NULL, NULL) == -1)
			other.failed = true;
		other.done = i;
	}
	bus_close(b);
	return arg;
}

/* A bucket that is empty when asked, and gets its first while the answer is
 * on its way. */
START_TEST(first_record_during_a_barrier)
{
	char		key[40];
	struct error	e;
	int		i;

	ck_assert(pthread_create(&other.thread, NULL, put_firsts, NULL) == 0);
	for (i = 1; i <= FIRSTS; i++) {
		purge("");
		expect_fresh();
		ck_assert_uint_eq(table.n, 0);
		other.round = i;
		while (other.done < i && !other.failed)
			OK(watch_barrier(bus, &watch, 1, BARRIER_MS, &e), e);
		ck_assert(!other.failed);
		expect_fresh();
		snprintf(key, sizeof(key), "general/f%d", i);
		ck_assert_msg(row(key) != NULL, "round %d", i);
	}
	pthread_join(other.thread, NULL);
}
END_TEST

START_TEST(replaced_fast_during_barriers)
{
	struct error	e;
	uint64_t	seq;
	unsigned	i, k;

	for (i = 0; i < 100; i++) {
		for (k = 0; k < 30; k++)
			put_blind("general/hot", k);
		seq = put("general/hot", "acked");
		for (k = 0; k < 10; k++)
			put_blind("general/hot", k);
		OK(bus_drain(sp->root, 1000), e);
		expect_fresh();
		ck_assert_uint_ge(row("general/hot")->seq, seq);
	}
	ck_assert_uint_eq(table.resets, 1);
}
END_TEST

START_TEST(deleted_consumer_is_noticed)
{
	uint64_t	seq;
	int		i;

	put("general/a", "1");
	expect_fresh();
	for (i = 0; i < 3; i++) {
		delete_watch(MEMBERS, bus_id(bus));
		seq = put("general/a", i == 0 ? "2" : i == 1 ? "3" : "4");
		expect_recovery("general/a", seq);
		expect_fresh();
	}
}
END_TEST

static void
survive_restart(int sig)
{
	struct error	e;
	uint64_t	seq;
	int		i;

	for (i = 0; i < 3; i++) {
		put("general/a", "before");
		expect_fresh();
		broker_restart(sp, sig);
		seq = put("general/b", "after");
		/* The old connection proves nothing. */
		ck_assert_int_eq(watch_barrier(bus, &watch, 1, BARRIER_MS,
		    &e), -1);
		connect_watch();
		expect_recovery("general/b", seq);
		ck_assert_str_eq(row("general/a")->text, "before");
	}
}

START_TEST(broker_is_restarted)
{
	survive_restart(SIGTERM);
}
END_TEST

START_TEST(broker_is_killed)
{
	survive_restart(SIGKILL);
}
END_TEST

START_TEST(purged_bucket)
{
	struct bus_pub	p = { .subject = "$KV.cotal_members_t.general/a",
			    .data = "", .kv_operation = "PURGE" };
	struct error	e;

	put("general/a", "1");
	put("general/b", "2");
	put("general/c", "3");
	expect_fresh();
	/* One key, as KV clients purge it. */
	OK(js_publish(sp->root, &p, NULL, NULL, &e), e);
	expect_fresh();
	ck_assert(row("general/a") == NULL && row("general/b") != NULL);
	/* The newest, without a word to anybody: nothing to wait for. */
	purge("{\"filter\":\"$KV.cotal_members_t.general/c\"}");
	expect_fresh();
	expect_fresh();
	put("general/d", "4");
	expect_fresh();
	ck_assert_str_eq(row("general/d")->text, "4");
	/* All of it. */
	purge("");
	expect_fresh();
	ck_assert_uint_eq(table.n, 0);
	put("general/e", "5");
	expect_fresh();
	ck_assert_uint_eq(table.n, 1);
	ck_assert_str_eq(row("general/e")->text, "5");
}
END_TEST

START_TEST(expired_bucket)
{
	int64_t	start;
	int	i;

	for (i = 0; i < 2; i++) {
		record_put(sp, BUCKET_DELIVERY, "lease.0", "1");
		expect_fresh();
		ck_assert_uint_eq(table.n, 1);
		start = clock_ms();
		AWAIT(record_get(sp, BUCKET_DELIVERY, "lease.0", NULL) ==
		    NULL && clock_ms() - start > 2500);
		bus_turn(bus, NULL, 0, 0);
		expect_fresh();
		ck_assert_uint_eq(table.n, 0);
	}
}
END_TEST

static void
expect_exactly(unsigned n, const char *prefix)
{
	char		key[40];
	unsigned	i;

	ck_assert_uint_eq(table.n, n);
	for (i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "general/%s%u", prefix, i);
		ck_assert_msg(row(key) != NULL, "%s", key);
	}
}

/* n records now, then a new bucket with m. */
static void
replaced(unsigned n, unsigned m)
{
	char		key[40];
	uint64_t	seq = 0;
	unsigned	i;

	for (i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "general/old%u", i);
		put(key, "old");
	}
	expect_fresh();
	expect_exactly(n, "old");
	replace();
	for (i = 0; i < m; i++) {
		snprintf(key, sizeof(key), "general/new%u", i);
		seq = put(key, "new");
	}
	expect_recovery(m == 0 ? NULL : key, seq);
	expect_exactly(m, "new");
	/* And again from there. */
	put("general/new0", "newer");
	expect_recovery("general/new0", seq);
	expect_exactly(m == 0 ? 1 : m, "new");
}

START_TEST(bucket_made_again_with_fewer)
{
	replaced(10, 3);
}
END_TEST

START_TEST(bucket_made_again_with_as_many)
{
	replaced(10, 10);
}
END_TEST

START_TEST(bucket_made_again_with_more)
{
	replaced(10, 30);
}
END_TEST

START_TEST(bucket_made_again_empty)
{
	replaced(10, 0);
}
END_TEST

/* An agent may have the broker put what it pulls into a bucket's stream, under
 * the message's own subject; and statuses of a pull under a key. */
START_TEST(foreign_subject_in_the_bucket)
{
	struct agent	*scout = agent_make(sp, "scout",
			    "--allow-publish general");
	char		 name[STREAM_MAX], subject[SUBJECT_MAX];
	cJSON		*c = cJSON_CreateObject();
	struct bus_pub	 p = { .subject = subject,
			    .reply = "$KV.cotal_members_t.x",
			    .data = "{\"batch\":1,\"no_wait\":true}" };
	struct js_stream info;
	struct error	 e;
	uint64_t	 before, seq;
	int		 i;

	for (i = 0; i < 5; i++)
		agent_post(scout, "general", "noise");
	snprintf(name, sizeof(name), "chathist_%s", scout->id);
	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT."
	    "CHAT_t.%s", name);
	p.len = strlen(p.data);
	cJSON_AddStringToObject(c, "name", name);
	cJSON_AddStringToObject(c, "ack_policy", "none");
	cJSON_AddStringToObject(c, "filter_subject", "cotal.t.chat.*.general");
	OK(js_consumer_create(scout->bus, "CHAT_t", name, c, NULL, &e), e);
	cJSON_Delete(c);
	for (i = 0; i < 8; i++) {
		seq = put("general/a", "1");
		OK(js_stream_info(sp->root, MEMBERS, &info, &e), e);
		before = info.last_seq;
		OK(bus_publish(scout->bus, &p, &e), e);
		OK(bus_drain(scout->bus, 1000), e);
		AWAIT(js_stream_info(sp->root, MEMBERS, &info, &e) == 0 &&
		    info.last_seq > before);
		expect_fresh();
		expect_fresh();
		ck_assert_uint_ge(row("general/a")->seq, seq);
		seq = put("general/b", "2");
		expect_fresh();
		ck_assert_uint_eq(row("general/b")->seq, seq);
	}
	/* One set of messages that were foreign, then statuses under x. */
	ck_assert(row("x") != NULL);
	ck_assert_uint_eq(table.resets, 1);
}
END_TEST

/* --- through the roles --------------------------------------------------------------------- */

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

START_TEST(unreadable_member_keeps_the_one_before)
{
	char	key[200];

	agent_join(scout, "general");
	post("in", 0);
	snprintf(key, sizeof(key), "general/%s", scout->id);
	put(key, "{\"channel\":");
	post("in", 1);
	put(key, "");
	post("in", 2);
	/* Another's record under this key is no record of this owner. */
	put(key, "{\"channel\":\"general\",\"owner\":\"UX\",\"state\":"
	    "\"live-confirmed\",\"joinCursor\":1,\"leaveCursor\":1,"
	    "\"generation\":9,\"writerIdentity\":\"x\",\"updatedAt\":1}");
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

static void
setup_expiring(void)
{
	setup();
	watch_make(BUCKET_DELIVERY, "lease.0");
}

int
main(void)
{
	TCase	*direct = test_case("barrier", setup_members, 60);
	TCase	*expiring = test_case("expiring", setup_expiring, 60);
	TCase	*roles = test_case("roles", setup_roles, 90);

	tcase_add_test(direct, committed_is_seen);
	tcase_add_test(direct, first_record_during_a_barrier);
	tcase_add_test(direct, replaced_fast_during_barriers);
	tcase_add_test(direct, deleted_consumer_is_noticed);
	tcase_add_test(direct, broker_is_restarted);
	tcase_add_test(direct, broker_is_killed);
	tcase_add_test(direct, purged_bucket);
	tcase_add_test(direct, bucket_made_again_with_fewer);
	tcase_add_test(direct, bucket_made_again_with_as_many);
	tcase_add_test(direct, bucket_made_again_with_more);
	tcase_add_test(direct, bucket_made_again_empty);
	tcase_add_test(direct, foreign_subject_in_the_bucket);
	tcase_add_test(expiring, expired_bucket);
	tcase_add_test(roles, joins_and_leaves_are_exact);
	tcase_add_test(roles, acl_changes_are_exact);
	tcase_add_test(roles, roles_outlive_their_watches);
	tcase_add_test(roles, members_made_again_while_fanout_runs);
	tcase_add_test(roles, newest_member_purged_while_fanout_runs);
	tcase_add_test(roles, unreadable_member_keeps_the_one_before);
	tcase_add_test(roles, unreadable_channel_keeps_the_one_before);
	tcase_add_test(roles, unreadable_acl_is_unknown);
	return test_main("fresh", direct, expiring, roles, NULL);
}
