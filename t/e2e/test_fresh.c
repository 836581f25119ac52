/* SPDX-License-Identifier: ISC */

/* Freshness: a table fed by a watch, the barrier that proves it, and whatever
 * may happen to the bucket behind. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fresh.h"
#include "json.h"
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

void
purge(const char *body)
{
	cJSON_Delete(api("STREAM.PURGE", MEMBERS, body));
}

void
remove_raw(enum removal how, enum bucket_kind kind, const char *key)
{
	const char	*stream = kind == BUCKET_ACL ? ACLS : MEMBERS;
	char		 subject[SUBJECT_MAX], body[SUBJECT_MAX + 64];
	uint64_t	 seq = 0;
	cJSON		*o;

	name_bucket_key(subject, sizeof(subject), "t", kind, key);
	if (how == BY_KEY) {
		snprintf(body, sizeof(body), "{\"filter\":\"%s\"}", subject);
		o = api("STREAM.PURGE", stream, body);
		ck_assert_uint_eq(number_of(o, "purged"), 1);
	} else {
		cJSON_Delete(record_get(sp, kind, key, &seq));
		snprintf(body, sizeof(body), "{\"seq\":%llu}",
		    (unsigned long long)seq);
		o = api("STREAM.MSG.DELETE", stream, body);
	}
	cJSON_Delete(o);
}

void
replace(void)
{
	cJSON		*info = api("STREAM.INFO", MEMBERS, "");
	struct error	 e;

	cJSON_Delete(api("STREAM.DELETE", MEMBERS, ""));
	OK(js_stream_create(sp->root, json_get(info, "config"), &e), e);
	cJSON_Delete(info);
}

void
delete_watch(const char *stream, const char *id)
{
	char		name[STREAM_MAX];
	struct error	e;

	snprintf(name, sizeof(name), "w_%s", id);
	OK(js_consumer_delete(sp->root, stream, name, &e), e);
}

/* --- a bucket's copy --------------------------------------------------------------------- */

static struct {
	char	*data;
	size_t	 len;
	bool	 done;
	cJSON	*about;		/* config and state */
} copy;

static void
on_chunk(void *arg, natsMsg *m)
{
	size_t		n = (size_t)natsMsg_GetDataLength(m);
	struct bus_pub	p = { .subject = natsMsg_GetReply(m), .data = "" };

	(void)arg;
	if (n == 0)
		copy.done = true;
	ck_assert((copy.data = realloc(copy.data, copy.len + n + 1)) != NULL);
	memcpy(copy.data + copy.len, natsMsg_GetData(m), n);
	copy.len += n;
	if (p.subject != NULL)
		bus_publish(sp->root, &p, NULL);
	natsMsg_Destroy(m);
}

/* As an operator saves a bucket to a file. */
static void
copy_take(void)
{
	char		 inbox[SUBJECT_MAX], body[SUBJECT_MAX + 64];
	struct bus_sub	*sub;
	struct error	 e;
	int64_t		 start = clock_ms();

	memset(&copy, 0, sizeof(copy));
	bus_inbox(sp->root, inbox, sizeof(inbox), "copy");
	sub = bus_subscribe(sp->root, inbox, NULL, on_chunk, NULL, &e);
	ck_assert_msg(sub != NULL, "%s", e.text);
	snprintf(body, sizeof(body), "{\"deliver_subject\":\"%s\","
	    "\"no_consumers\":true}", inbox);
	copy.about = api("STREAM.SNAPSHOT", MEMBERS, body);
	while (!copy.done) {
		ck_assert(clock_ms() - start < AWAIT_MS);
		bus_turn(sp->root, NULL, 0, 20);
	}
	bus_unsubscribe(sp->root, sub);
}

/* And puts it back: the bucket is that of the copy, when it was made too. */
static void
copy_restore(void)
{
	cJSON		*ask = cJSON_CreateObject(), *to;
	char		*body, subject[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject, .data = copy.data,
			    .len = copy.len };
	struct error	 e;
	int		 i;

	cJSON_AddItemToObject(ask, "config",
	    cJSON_Duplicate(json_get(copy.about, "config"), true));
	cJSON_AddItemToObject(ask, "state",
	    cJSON_Duplicate(json_get(copy.about, "state"), true));
	body = json_print(ask);
	cJSON_Delete(ask);
	cJSON_Delete(api("STREAM.DELETE", MEMBERS, ""));
	to = api("STREAM.RESTORE", MEMBERS, body);
	free(body);
	snprintf(subject, sizeof(subject), "%s",
	    json_get(to, "deliver_subject")->valuestring);
	cJSON_Delete(to);
	/* All of it at once, then its end. */
	for (i = 0; i < 2; i++) {
		natsMsg	*m = bus_call(sp->root, &p, 5000, &e);

		ck_assert_msg(m != NULL, "%s", e.text);
		natsMsg_Destroy(m);
		p.len = 0;
	}
	cJSON_Delete(copy.about);
	free(copy.data);
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
	/* One without a word to anybody. */
	remove_raw(BY_KEY, BUCKET_MEMBERS, "general/c");
	expect_recovery(NULL, 0);
	ck_assert(row("general/c") == NULL && row("general/b") != NULL);
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

/* What is left is exactly these, proven again and again without a reading. */
static void
expect_settled(const char *keys)
{
	char		 list[200], *key, *last;
	unsigned	 n = 0, resets = table.resets;
	int		 i;

	expect_fresh();
	snprintf(list, sizeof(list), "%s", keys);
	for (key = strtok_r(list, " ", &last); key != NULL;
	    key = strtok_r(NULL, " ", &last)) {
		ck_assert_msg(row(key) != NULL, "without %s", key);
		n++;
	}
	ck_assert_uint_eq(table.n, n);
	for (i = 0; i < 5; i++)
		expect_fresh();
	ck_assert_uint_eq(table.n, n);
	ck_assert_uint_eq(table.resets, resets);
}

static void
removed(enum removal how)
{
	put("a", "1");
	put("b", "1");
	put("c", NULL);		/* a marker is a record like others */
	put("d", "1");
	put("e", "1");
	expect_settled("a b d e");
	/* The first, one amidst, the newest; and never a word after. */
	remove_raw(how, BUCKET_MEMBERS, "a");
	expect_recovery(NULL, 0);
	expect_settled("b d e");
	remove_raw(how, BUCKET_MEMBERS, "d");
	expect_recovery(NULL, 0);
	expect_settled("b e");
	remove_raw(how, BUCKET_MEMBERS, "e");
	expect_recovery(NULL, 0);
	expect_settled("b");
	/* Another comes for it, so there are as many again. */
	put("f", "1");
	expect_fresh();
	remove_raw(how, BUCKET_MEMBERS, "b");
	put("g", "1");
	expect_recovery(NULL, 0);
	expect_settled("f g");
	/* It comes back itself: nothing is amiss. */
	remove_raw(how, BUCKET_MEMBERS, "f");
	put("f", "2");
	expect_settled("f g");
	ck_assert_str_eq(row("f")->text, "2");
}

START_TEST(older_record_purged)
{
	removed(BY_KEY);
}
END_TEST

START_TEST(older_record_deleted)
{
	removed(BY_SEQ);
}
END_TEST

/* The same bucket, as it was once, and then as many records as before. */
START_TEST(bucket_restored_from_a_copy)
{
	uint64_t	seq;

	put("a", "1");
	put("b", "1");
	copy_take();
	seq = put("c", "1");
	expect_settled("a b c");
	copy_restore();
	ck_assert_uint_eq(put("d", "1"), seq);
	expect_recovery("d", seq);
	expect_settled("a b d");
}
END_TEST

/*
 * An agent may have the broker put what it pulls into a bucket's stream, under
 * the message's own subject; and statuses of a pull under a key.
 */
struct intruder {
	struct agent	*agent;
	char		 name[STREAM_MAX], subject[SUBJECT_MAX];
};

static void
intruder_make(struct intruder *in, unsigned n_foreign)
{
	cJSON		*c = cJSON_CreateObject();
	struct error	 e;
	unsigned	 i;

	in->agent = agent_make(sp, "scout", "--allow-publish general");
	for (i = 0; i < n_foreign; i++)
		agent_post(in->agent, "general", "noise");
	snprintf(in->name, sizeof(in->name), "chathist_%s", in->agent->id);
	snprintf(in->subject, sizeof(in->subject), "$JS.API.CONSUMER.MSG.NEXT."
	    "CHAT_t.%s", in->name);
	cJSON_AddStringToObject(c, "name", in->name);
	cJSON_AddStringToObject(c, "ack_policy", "none");
	cJSON_AddStringToObject(c, "filter_subject", "cotal.t.chat.*.general");
	OK(js_consumer_create(in->agent->bus, "CHAT_t", in->name, c, NULL, &e),
	    e);
	cJSON_Delete(c);
}

/* One more is stored: foreign, while there are some. */
static void
intrude(struct intruder *in)
{
	struct bus_pub	 p = { .subject = in->subject,
			    .reply = "$KV.cotal_members_t.x",
			    .data = "{\"batch\":1,\"no_wait\":true}" };
	struct js_stream info;
	struct error	 e;
	uint64_t	 before;

	p.len = strlen(p.data);
	OK(js_stream_info(sp->root, MEMBERS, &info, &e), e);
	before = info.last_seq;
	OK(bus_publish(in->agent->bus, &p, &e), e);
	OK(bus_drain(in->agent->bus, 1000), e);
	AWAIT(js_stream_info(sp->root, MEMBERS, &info, &e) == 0 &&
	    info.last_seq > before);
}

START_TEST(foreign_subject_in_the_bucket)
{
	struct intruder	in;
	uint64_t	seq;
	int		i;

	intruder_make(&in, 5);
	for (i = 0; i < 8; i++) {
		seq = put("general/a", "1");
		intrude(&in);
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

/* A foreign message makes up for one that was removed. */
START_TEST(foreign_subject_for_a_removed_record)
{
	struct intruder	in;

	intruder_make(&in, 3);
	put("a", "1");
	put("b", "1");
	put("c", "1");
	put("d", "1");
	expect_settled("a b c d");
	/* As the newest. */
	remove_raw(BY_KEY, BUCKET_MEMBERS, "a");
	intrude(&in);
	expect_recovery(NULL, 0);
	expect_settled("b c d");
	/* Amidst: what is newest is ours. */
	remove_raw(BY_KEY, BUCKET_MEMBERS, "b");
	intrude(&in);
	put("d", "2");
	expect_recovery(NULL, 0);
	expect_settled("c d");
	/* Stored before the table is read: it counts what is not its own. */
	connect_watch();
	expect_settled("c d");
	remove_raw(BY_KEY, BUCKET_MEMBERS, "c");
	expect_recovery(NULL, 0);
	expect_settled("d");
	/* The foreign one removed is nothing to us. */
	purge("{\"filter\":\"cotal.t.chat.>\"}");
	expect_settled("d");
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
	tcase_add_test(direct, bucket_restored_from_a_copy);
	tcase_add_test(direct, foreign_subject_in_the_bucket);
	tcase_add_test(direct, foreign_subject_for_a_removed_record);
	tcase_add_test(direct, older_record_purged);
	tcase_add_test(direct, older_record_deleted);
	tcase_add_test(expiring, expired_bucket);
	return test_main("fresh", direct, expiring, roles_case(), NULL);
}
