/* SPDX-License-Identifier: ISC */

/*
 * What was recorded from a running reference system: its streams, buckets and
 * durables are those that set-up makes; its daemons' durables are taken over;
 * its clients' traffic has the answers and records it had there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "pull.h"
#include "space.h"

#include "../unit/vectors.h"

/* Who speaks in the recordings. */
#define ALICE	"UCRA75XY3SVF4ZCHIKXS2CK45W4L2L2XWYC73T52EIIAHFXRXLTS2S6N"
#define OP	"UC7WGXL7E2QXZQISJAQPZ2TNRAAGZ3ZUYC43UFLEJ2LQHJ3POEJFMDG6"

static struct agent	*alice, *op;

static void
setup(void)
{
	space_setup();
	alice = agent_make(sp, "alice", "--role reviewer --allow-subscribe "
	    "general,review --allow-publish general");
	op = agent_make(sp, "op", "--allow-publish review");
}

/* In place: what it becomes is no longer. */
static void
replace_all(char *text, const char *from, const char *to)
{
	size_t	 n = strlen(from), m = strlen(to);
	char	*p = text;

	while ((p = strstr(p, from)) != NULL) {
		memcpy(p, to, m);
		memmove(p + m, p + n, strlen(p + n) + 1);
		p += m;
	}
}

/* A recording with the names of this space in the place of its own. */
static cJSON *
load(const char *name)
{
	cJSON	*o = vectors_load(name);
	char	*text = cJSON_PrintUnformatted(o);

	ck_assert(text != NULL);
	cJSON_Delete(o);
	replace_all(text, "vectors", "t");
	replace_all(text, ALICE, alice->id);
	replace_all(text, OP, op->id);
	o = cJSON_Parse(text);
	ck_assert(o != NULL);
	free(text);
	return o;
}

/* --- objects ---------------------------------------------------------------------- */

static cJSON *
info_config(const char *kind, const char *name)
{
	char		 subject[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject, .data = "", .len = 0 };
	struct error	 e;
	natsMsg		*m;
	cJSON		*o, *config;

	snprintf(subject, sizeof(subject), "$JS.API.%s.INFO.%s", kind, name);
	m = bus_call(sp->root, &p, JS_TIMEOUT_MS, &e);
	ck_assert_msg(m != NULL, "%s: %s", name, e.text);
	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    &e);
	natsMsg_Destroy(m);
	config = cJSON_DetachItemFromObjectCaseSensitive(o, "config");
	ck_assert_msg(config != NULL, "%s: there is none", name);
	cJSON_Delete(o);
	return config;
}

/* A server leaves out what is empty, by its version. */
static bool
is_empty(const cJSON *v)
{
	return cJSON_IsFalse(v) || (cJSON_IsNumber(v) && v->valuedouble == 0);
}

static void
check_fields(const char *name, const cJSON *want, const cJSON *is)
{
	const cJSON	*w, *v;
	char		*text;

	cJSON_ArrayForEach(w, want) {
		v = json_get(is, w->string);
		text = cJSON_PrintUnformatted(v != NULL ? v : w);
		ck_assert_msg(v != NULL ? cJSON_Compare(w, v, true) :
		    is_empty(w), "%s: %s is %s", name, w->string,
		    v != NULL ? text : "missing");
		free(text);
	}
}

START_TEST(streams_and_buckets_are_the_recorded_ones)
{
	cJSON		*all = load("server-objects.json"), *is;
	const cJSON	*want;
	int		 n = 0;

	cJSON_ArrayForEach(want, vectors_get(all, "streams")) {
		is = info_config("STREAM", want->string);
		check_fields(want->string, want, is);
		cJSON_Delete(is);
		n++;
	}
	ck_assert_int_eq(n, N_STREAMS - 1 + N_BUCKETS);
	cJSON_Delete(all);
}
END_TEST

/* Ours wait shorter and carry more. */
static void
as_ours(cJSON *config)
{
	cJSON_ReplaceItemInObjectCaseSensitive(config, "ack_wait",
	    cJSON_CreateNumber(2e9));
	cJSON_ReplaceItemInObjectCaseSensitive(config, "max_ack_pending",
	    cJSON_CreateNumber(20000));
}

START_TEST(durables_are_the_recorded_ones)
{
	cJSON	*all = load("server-objects.json"), *stream, *want, *is;
	char	 name[400];
	int	 n = 0;

	cJSON_ArrayForEach(stream, vectors_get(all, "consumers"))
		cJSON_ArrayForEach(want, stream) {
			snprintf(name, sizeof(name), "%s.%s", stream->string,
			    want->string);
			if (strcmp(want->string, "fanout") == 0 ||
			    strcmp(want->string, "reader") == 0)
				as_ours(want);
			is = info_config("CONSUMER", name);
			check_fields(name, want, is);
			cJSON_Delete(is);
			n++;
		}
	ck_assert_int_eq(n, 5);
	cJSON_Delete(all);
}
END_TEST

/* --- adoption ------------------------------------------------------------------------- */

/* Put the reference's durable in the place of ours. */
static void
make_stock(const char *stream, const char *name)
{
	cJSON		*all = load("server-objects.json");
	const cJSON	*config = vectors_get(vectors_get(vectors_get(all,
			    "consumers"), stream), name);
	struct error	 e;

	OK(js_consumer_delete(sp->root, stream, name, &e), e);
	OK(js_consumer_create(sp->root, stream, name, config, NULL, &e), e);
	cJSON_Delete(all);
}

struct taking {
	unsigned	n, ack;
};

static void
on_taken(void *arg, natsMsg *m, const struct js_delivery *d)
{
	struct taking	*t = arg;
	struct bus_pub	 p = { .subject = natsMsg_GetReply(m), .data = "+ACK",
			    .len = 4 };

	(void)d;
	if (t->n++ < t->ack)
		(void)bus_publish(sp->root, &p, NULL);
	natsMsg_Destroy(m);
}

/* As an earlier daemon that died: n taken, `ack` of them acknowledged. */
static void
take(const char *stream, const char *name, unsigned n, unsigned ack)
{
	struct taking	t = { .n = 0, .ack = ack };
	struct pull	p;
	struct error	e;

	OK(pull_start(&p, sp->root, stream, name, n, on_taken, &t, &e), e);
	OK(pull_tend(&p, n, clock_ms() + 2000, &e), e);
	AWAIT((bus_turn(sp->root, NULL, 0, 5), t.n) == n);
	pull_stop(&p);
	OK(bus_drain(sp->root, 1000), e);
}

static void
check_adopted(const char *stream, const char *name)
{
	cJSON	*all = load("server-objects.json"), *want, *is;
	char	 path[100];

	want = vectors_get(vectors_get(vectors_get(all, "consumers"), stream),
	    name);
	as_ours(want);
	snprintf(path, sizeof(path), "%s.%s", stream, name);
	is = info_config("CONSUMER", path);
	check_fields(path, want, is);
	cJSON_Delete(is);
	cJSON_Delete(all);
}

static void
expect_rest(const char *const *texts, size_t n)
{
	int64_t	start = clock_ms();
	size_t	i;

	agent_expect(alice, n);
	for (i = 0; i < n; i++)
		ck_assert_str_eq(alice->got[i].text, texts[i]);
	agent_expect_none(alice);
	/* Not after the reference's 60 s. */
	ck_assert_int_lt(clock_ms() - start, 15000);
}

START_TEST(a_stock_fanout_is_taken_over)
{
	static const char *const	rest[] = { "m3", "m4", "m5", "m6" };

	agent_join(alice, "review");
	await_drained(sp);
	role_down(sp, "fanout");
	make_stock("CHAT_t", "fanout");
	agent_post_many(op, "review", "m", 7);
	/* m0 to m2 are done with, m3 was in the hands of who died. */
	take("CHAT_t", "fanout", 4, 3);
	role_up(sp, "fanout");
	expect_rest(rest, 4);
	check_adopted("CHAT_t", "fanout");
}
END_TEST

START_TEST(a_stock_reader_is_taken_over)
{
	static const char *const	rest[] = { "m3", "m4", "m5", "m6" };

	agent_join(alice, "review");
	role_down(sp, "reader");
	make_stock("INBOX_t", "reader");
	agent_post_many(op, "review", "m", 7);
	AWAIT(stream_messages(sp, STREAM_INBOX) == 7);
	take("INBOX_t", "reader", 4, 3);
	role_up(sp, "reader");
	expect_rest(rest, 4);
	check_adopted("INBOX_t", "reader");
}
END_TEST

/* --- traffic -------------------------------------------------------------------------- */

#define WRITES_MAX	64

/* What was written to the members bucket, in order. */
static struct {
	char	*subject;
	cJSON	*body;
	bool	 expects;
} writes[WRITES_MAX];
static size_t	n_writes, next_write;

static void
on_write(void *arg, natsMsg *m)
{
	struct error	e;

	(void)arg;
	ck_assert(n_writes < WRITES_MAX);
	writes[n_writes].subject = strdup(natsMsg_GetSubject(m));
	writes[n_writes].body = json_parse(natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m), &e);
	ck_assert_msg(writes[n_writes].body != NULL, "%s", e.text);
	writes[n_writes].expects = bus_header(m,
	    "Nats-Expected-Last-Subject-Sequence") != NULL;
	n_writes++;
	natsMsg_Destroy(m);
}

/* Every recorded field is there and, but for who and when, the same. */
static bool
is_like(const cJSON *want, const cJSON *is)
{
	const cJSON	*w, *v;

	cJSON_ArrayForEach(w, want) {
		v = json_get(is, w->string);
		if (strcmp(w->string, "writerIdentity") == 0) {
			if (!cJSON_IsString(v) || !name_is_id(v->valuestring))
				return false;
		} else if (strcmp(w->string, "updatedAt") == 0) {
			if (!cJSON_IsNumber(v))
				return false;
		} else if (v == NULL || !cJSON_Compare(w, v, true))
			return false;
	}
	return (json_get(want, "leaveCursor") == NULL) ==
	    (json_get(is, "leaveCursor") == NULL);
}

/* A write like this one comes next; only our fence may be written between. */
static void
expect_write(const cJSON *step)
{
	const cJSON	*want = vectors_get(step, "body");
	int64_t		 until = clock_ms() + AWAIT_MS;
	char		*text = cJSON_PrintUnformatted(want);

	for (;;) {
		while (next_write == n_writes) {
			ck_assert_msg(clock_ms() < until, "not written: %s",
			    text);
			bus_turn(sp->root, NULL, 0, 5);
		}
		ck_assert(writes[next_write].expects);
		if (is_like(want, writes[next_write].body) &&
		    strcmp(writes[next_write].subject, vectors_str(step,
		    "subject")) == 0)
			break;
		ck_assert_msg(json_get(writes[next_write].body, "fence") !=
		    NULL, "instead of %s", text);
		next_write++;
	}
	next_write++;
	free(text);
}

static void
expect_stored(enum stream_kind kind, const cJSON *step)
{
	struct stored	 m;
	struct error	 e;
	cJSON		*o;
	char		*text;

	AWAIT(stream_messages(sp, kind) == 1);
	ck_assert(stored_get(sp, kind, 1, &m));
	ck_assert_str_eq(m.subject, vectors_str(step, "subject"));
	ck_assert_str_eq(m.msg_id, vectors_str(step, "msg_id"));
	o = json_parse(m.data, m.len, &e);
	text = cJSON_PrintUnformatted(vectors_get(step, "body"));
	ck_assert_msg(cJSON_Compare(o, vectors_get(step, "body"), true),
	    "%s instead of %s", m.data, text);
	/* The very bytes, fields in their order: nothing else is in it. */
	ck_assert_str_eq(m.data, text);
	free(text);
	cJSON_Delete(o);
	stored_free(&m);
}

static struct agent *
sender_of(const char *subject)
{
	struct subject	s;

	ck_assert_msg(subject_parse(&s, subject), "%s", subject);
	return strncmp(s.sender, alice->id, s.sender_len) == 0 ? alice : op;
}

static void
publish(const cJSON *step, const char *subject)
{
	char		*body = cJSON_PrintUnformatted(vectors_get(step,
			    "body"));
	struct bus_pub	 p = { .subject = subject, .data = body,
			    .len = strlen(body),
			    .msg_id = vectors_str(step, "msg_id") };
	struct error	 e;

	OK(js_publish(sender_of(subject)->bus, &p, NULL, NULL, &e), e);
	free(body);
}

static cJSON	*answer;

/* A request is sent at once, its answer compared where it was recorded. */
static void
request(const cJSON *step, const char *subject)
{
	char		*body = cJSON_PrintUnformatted(vectors_get(step,
			    "body"));
	struct asked	 q;

	ck_assert(sender_of(subject) == alice && answer == NULL);
	agent_ask_raw(alice, &q, NULL, body, strlen(body));
	answer = agent_answer(alice, &q);
	free(body);
}

static void
expect_answer(const cJSON *step)
{
	char	*is = json_print(answer);
	char	*want = cJSON_PrintUnformatted(vectors_get(step, "body"));

	ck_assert_str_eq(is, want);
	free(want);
	free(is);
	cJSON_Delete(answer);
	answer = NULL;
}

START_TEST(recorded_traffic_is_what_it_was)
{
	cJSON		*all = load("traffic.json");
	const cJSON	*step;
	const char	*subject;
	struct error	 e;
	int		 answers = 0;

	ck_assert(bus_subscribe(sp->root, "$KV.cotal_members_t.>", NULL,
	    on_write, NULL, &e) != NULL);
	OK(bus_drain(sp->root, 1000), e);
	cJSON_ArrayForEach(step, all) {
		subject = vectors_str(step, "subject");
		if (strstr(subject, ".reply.") != NULL) {
			expect_answer(step);
			answers++;
		} else if (strstr(subject, ".ctl.") != NULL)
			request(step, subject);
		else if (strncmp(subject, "$KV.", 4) == 0)
			expect_write(step);
		else if (strstr(subject, ".dinbox.") != NULL)
			expect_stored(STREAM_INBOX, step);
		else if (strstr(subject, ".dlv.") != NULL)
			expect_stored(STREAM_DLV, step);
		else
			publish(step, subject);
	}
	ck_assert_int_eq(answers, 6);
	bus_turn(sp->root, NULL, 0, 50);
	ck_assert_uint_eq(next_write, n_writes);
	cJSON_Delete(all);
}
END_TEST

int
main(void)
{
	TCase	*objects = test_case("objects", setup, 60);
	TCase	*traffic = test_case("traffic", setup, 60);

	tcase_add_test(objects, streams_and_buckets_are_the_recorded_ones);
	tcase_add_test(objects, durables_are_the_recorded_ones);
	tcase_add_test(objects, a_stock_fanout_is_taken_over);
	tcase_add_test(objects, a_stock_reader_is_taken_over);
	tcase_add_test(traffic, recorded_traffic_is_what_it_was);
	return test_main("vectors", objects, traffic, NULL);
}
