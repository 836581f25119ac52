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
	long	 expects;	/* the revision that it replaces; -1: any */
} writes[WRITES_MAX];
static size_t	n_writes, next_write;

static void
on_write(void *arg, natsMsg *m)
{
	struct error	 e;
	const char	*expects = bus_header(m,
			    "Nats-Expected-Last-Subject-Sequence");

	(void)arg;
	ck_assert(n_writes < WRITES_MAX);
	writes[n_writes].subject = strdup(natsMsg_GetSubject(m));
	writes[n_writes].body = json_parse(natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m), &e);
	ck_assert_msg(writes[n_writes].body != NULL, "%s", e.text);
	writes[n_writes].expects = expects == NULL ? -1 : atol(expects);
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

/* Nothing but these writes is in the bucket: the n-th has revision n. */
static long
revision_before(size_t n)
{
	size_t	i;

	for (i = n; i > 0; i--)
		if (strcmp(writes[i - 1].subject, writes[n].subject) == 0)
			return (long)i;
	return 0;
}

/* What was recorded of a compare-and-set: one that makes the record, or one
 * that replaces what was read. */
static void
expect_revision(const cJSON *step, size_t n)
{
	const cJSON	*header = cJSON_GetArrayItem(vectors_get(step,
			    "headers"), 0);
	const char	*value = cJSON_GetArrayItem(cJSON_GetArrayItem(header,
			    1), 0)->valuestring;

	ck_assert_int_eq(cJSON_GetArraySize(vectors_get(step, "headers")), 1);
	ck_assert_str_eq(cJSON_GetArrayItem(header, 0)->valuestring,
	    "Nats-Expected-Last-Subject-Sequence");
	ck_assert_int_eq(writes[n].expects, revision_before(n));
	ck_assert((atol(value) == 0) == (writes[n].expects == 0));
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
		ck_assert_int_eq(writes[next_write].expects,
		    revision_before(next_write));
		if (is_like(want, writes[next_write].body) &&
		    strcmp(writes[next_write].subject, vectors_str(step,
		    "subject")) == 0)
			break;
		ck_assert_msg(json_get(writes[next_write].body, "fence") !=
		    NULL, "instead of %s", text);
		next_write++;
	}
	expect_revision(step, next_write);
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

/* What comes to alice, by a consumer that set-up made for her. */
static char	*received;

static void
on_received(void *arg, natsMsg *m, const struct js_delivery *d)
{
	struct bus_pub	p = { .subject = natsMsg_GetReply(m), .data = "+ACK",
			    .len = 4 };

	(void)d;
	ck_assert_str_eq(natsMsg_GetSubject(m), arg);
	ck_assert(received == NULL);
	received = strndup(natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m));
	(void)bus_publish(alice->bus, &p, NULL);
	natsMsg_Destroy(m);
}

static void
expect_received(const cJSON *step, const char *stream, const char *durable)
{
	char		*want = cJSON_PrintUnformatted(vectors_get(step,
			    "body"));
	char		 subject[SUBJECT_MAX];
	struct pull	 p;
	struct error	 e;

	snprintf(subject, sizeof(subject), "%s", vectors_str(step,
	    "subject"));
	OK(pull_start(&p, alice->bus, stream, durable, 1, on_received,
	    subject, &e), e);
	OK(pull_tend(&p, 1, clock_ms() + 2000, &e), e);
	AWAIT((bus_turn(alice->bus, NULL, 0, 5), received != NULL));
	ck_assert_str_eq(received, want);
	pull_stop(&p);
	OK(bus_drain(alice->bus, 1000), e);
	free(received);
	received = NULL;
	free(want);
}

static void
say(const cJSON *step, const char *subject)
{
	char	durable[100];

	publish(step, subject);
	if (strstr(subject, ".inst.") != NULL) {
		snprintf(durable, sizeof(durable), "dm_%s", alice->id);
		expect_received(step, "DM_t", durable);
	} else if (strstr(subject, ".svc.") != NULL)
		expect_received(step, "TASK_t", "svc_reviewer");
	else
		ck_assert_msg(strstr(subject, ".chat.") != NULL, "%s",
		    subject);
}

/* The one that came last, on alice's lane. */
static struct {
	char	*subject, *text;
	bool	 plain;		/* no reply asked for, no id */
} answer;

static void
on_answer(void *arg, natsMsg *m)
{
	(void)arg;
	ck_assert(answer.subject == NULL);
	answer.subject = strdup(natsMsg_GetSubject(m));
	answer.text = strndup(natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m));
	answer.plain = natsMsg_GetReply(m) == NULL &&
	    bus_header(m, "Nats-Msg-Id") == NULL;
	natsMsg_Destroy(m);
}

/* With the very reply subject; the answer is compared where it was recorded. */
static void
request(const cJSON *step, const char *subject)
{
	char		*body = cJSON_PrintUnformatted(vectors_get(step,
			    "body"));
	struct bus_pub	 p = { .subject = subject, .data = body,
			    .len = strlen(body),
			    .reply = vectors_str(step, "reply") };
	struct error	 e;

	ck_assert(sender_of(subject) == alice && answer.subject == NULL);
	ck_assert(cJSON_IsNull(vectors_get(step, "msg_id")));
	OK(bus_publish(alice->bus, &p, &e), e);
	OK(bus_drain(alice->bus, 1000), e);
	free(body);
}

static void
expect_answer(const cJSON *step)
{
	char	*want = cJSON_PrintUnformatted(vectors_get(step, "body"));

	AWAIT((bus_turn(alice->bus, NULL, 0, 5), answer.subject != NULL));
	ck_assert_str_eq(answer.subject, vectors_str(step, "subject"));
	ck_assert_str_eq(answer.text, want);
	ck_assert_str_eq(vectors_str(step, "reply"), "");
	ck_assert(cJSON_IsNull(vectors_get(step, "msg_id")));
	ck_assert(answer.plain);
	free(want);
	free(answer.text);
	free(answer.subject);
	memset(&answer, 0, sizeof(answer));
}

/* A field that nothing here looks at is a recording of another kind. */
static void
expect_known(const cJSON *step)
{
	static const char *const	known[] = { "subject", "reply", "msg_id",
		    "headers", "body" };
	const cJSON			*field;
	size_t				 i;

	cJSON_ArrayForEach(field, step) {
		for (i = 0; i < 5 && strcmp(known[i], field->string) != 0; i++)
			;
		ck_assert_msg(i < 5, "%s", field->string);
	}
}

static void
begin_traffic(void)
{
	char		lane[SUBJECT_MAX];
	struct error	e;

	ck_assert(bus_subscribe(sp->root, "$KV.cotal_members_t.>", NULL,
	    on_write, NULL, &e) != NULL);
	OK(bus_drain(sp->root, 1000), e);
	snprintf(lane, sizeof(lane), "cotal.t.ctl.delivery.%s.>", alice->id);
	ck_assert(bus_subscribe(alice->bus, lane, NULL, on_answer, NULL, &e)
	    != NULL);
	OK(bus_drain(alice->bus, 1000), e);
}

START_TEST(recorded_traffic_is_what_it_was)
{
	cJSON		*all = load("traffic.json");
	const cJSON	*step;
	const char	*subject;
	struct error	 e;
	struct js_stream members;
	int		 answers = 0;

	begin_traffic();
	cJSON_ArrayForEach(step, all) {
		expect_known(step);
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
			say(step, subject);
	}
	ck_assert_int_eq(answers, 6);
	bus_turn(sp->root, NULL, 0, 50);
	ck_assert_uint_eq(next_write, n_writes);
	/* All were taken, so that their revisions are what was counted. */
	OK(js_stream_info(sp->root, "KV_cotal_members_t", &members, &e), e);
	ck_assert_uint_eq(members.last_seq, n_writes);
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
