/* SPDX-License-Identifier: ISC */

/* Agents that a test drives. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "message.h"
#include "pull.h"
#include "space.h"

#define PUBLISH_MS	2000
#define IN_FLIGHT	200

struct agent *
agent_make(struct space *s, const char *name, const char *options)
{
	struct agent	*a = calloc(1, sizeof(*a));
	char		 out[4096], path[300];
	struct error	 e;
	int64_t		 until = clock_ms() + AWAIT_MS;
	int		 code;

	ck_assert(a != NULL);
	/* A cluster that has just been formed may not answer in time. */
	while ((code = reeve(s, out, sizeof(out), "onboard %s %s", name,
	    options == NULL ? "" : options)) == EX_TEMPFAIL &&
	    clock_ms() < until)
		fprintf(stderr, "%s", out);
	ck_assert_msg(code == 0, "reeve onboard: %d: %s", code, out);
	a->space = s;
	snprintf(a->name, sizeof(a->name), "%s", name);
	snprintf(path, sizeof(path), "%s/agents/%s.creds", s->state, name);
	OK(creds_load(&a->creds, path, &e), e);
	snprintf(a->id, sizeof(a->id), "%s", a->creds.key.public);
	agent_connect(a);
	return a;
}

void
agent_free(struct agent *a)
{
	agent_forget(a);
	bus_close(a->bus);
	creds_wipe(&a->creds);
	free(a->got);
	free(a);
}

void
agent_connect(struct agent *a)
{
	struct bus_conf	conf = { .servers = a->space->config.servers,
			    .creds = &a->creds, .name = a->name };
	struct error	e;
	int64_t		until = clock_ms() + AWAIT_MS;

	bus_close(a->bus);
	a->bus = NULL;
	while (bus_open(&a->bus, &conf, &e) == -1) {
		if (clock_ms() > until)
			test_fail(__FILE__, __LINE__, e.text);
		test_pause();
	}
}

/* --- posting --------------------------------------------------------------------- */

static char *
body_of(struct agent *a, const char *channel, const char *text,
    const char *id, const char *mentions)
{
	struct strlist		 m = { 0 };
	struct message_draft	 d = { .id = id, .ts_ms = clock_epoch_ms(),
				    .space = a->space->config.space,
				    .from_id = a->id, .from_name = a->name,
				    .channel = channel, .text = text };
	char			*body;

	if (mentions != NULL)
		ck_assert(strlist_split(&m, mentions, ','));
	d.mentions = m.v;
	d.n_mentions = m.n;
	body = message_write(&d);
	ck_assert(body != NULL);
	strlist_free(&m);
	return body;
}

uint64_t
agent_post_as(struct agent *a, const char *channel, const char *text,
    const char *id, const char *mentions)
{
	char		 subject[SUBJECT_MAX];
	char		*body = body_of(a, channel, text, id, mentions);
	struct bus_pub	 p = { .subject = subject, .data = body,
			    .len = strlen(body), .msg_id = id };
	struct error	 e;
	uint64_t	 seq = 0;
	int64_t		 until = clock_ms() + AWAIT_MS;

	subject_chat(subject, sizeof(subject), a->space->config.space, a->id,
	    channel);
	while (js_publish(a->bus, &p, &seq, NULL, &e) == -1) {
		ck_assert_msg(e.code != EX_NOPERM && clock_ms() < until,
		    "post: %s", e.text);
		agent_connect(a);
	}
	free(body);
	a->posted++;
	return seq;
}

uint64_t
agent_post(struct agent *a, const char *channel, const char *text)
{
	char	id[40];

	message_new_id(id);
	return agent_post_as(a, channel, text, id, NULL);
}

struct flight {
	unsigned	open;
	bool		failed;
};

static void
on_posted(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct flight	*f = arg;

	f->open--;
	if (outcome != BUS_OK || js_ack_parse(reply, NULL, NULL, NULL) == -1)
		f->failed = true;
}

void
agent_post_many(struct agent *a, const char *channel, const char *prefix,
    unsigned count)
{
	char		 subject[SUBJECT_MAX], id[40], text[128], *body;
	struct bus_pub	 p = { .subject = subject, .msg_id = id };
	struct flight	 f = { 0, false };
	struct error	 e;
	unsigned	 i;

	subject_chat(subject, sizeof(subject), a->space->config.space, a->id,
	    channel);
	for (i = 0; i < count; i++) {
		message_new_id(id);
		snprintf(text, sizeof(text), "%s%u", prefix, i);
		body = body_of(a, channel, text, id, NULL);
		p.data = body;
		p.len = strlen(body);
		OK(bus_request(a->bus, &p, PUBLISH_MS, on_posted, &f, &e), e);
		free(body);
		f.open++;
		while (f.open >= IN_FLIGHT && bus_alive(a->bus))
			bus_turn(a->bus, NULL, 0, 50);
	}
	while (f.open > 0 && bus_alive(a->bus))
		bus_turn(a->bus, NULL, 0, 50);
	ck_assert_msg(!f.failed && bus_alive(a->bus), "posts were not stored");
	a->posted += count;
}

/* --- control ------------------------------------------------------------------------- */

cJSON *
agent_control(struct agent *a, const char *op, const char *args,
    struct error *e)
{
	char		 subject[SUBJECT_MAX], lane[SUBJECT_MAX + 64], body[4096];
	struct bus_pub	 p = { .subject = subject, .data = body };
	natsMsg		*m;
	cJSON		*o;

	subject_ctl(subject, sizeof(subject), a->space->config.space,
	    "delivery", a->id);
	snprintf(lane, sizeof(lane), "%s.reply.%u-%d", subject, ++a->nonce,
	    (int)getpid());
	snprintf(body, sizeof(body), "{\"op\":\"%s\",\"args\":%s,\"from\":"
	    "{\"id\":\"%s\",\"name\":\"%s\"}}", op, args == NULL ? "{}" :
	    args, a->id, a->name);
	p.len = strlen(body);
	m = bus_call_on(a->bus, &p, lane, 10000, e);
	if (m == NULL)
		return NULL;
	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    e);
	natsMsg_Destroy(m);
	ck_assert_msg(o != NULL, "reply: %s", e->text);
	return o;
}

static void
on_answer(void *arg, natsMsg *m)
{
	struct asked	*q = arg;
	struct error	 e;

	q->answers++;
	cJSON_Delete(q->reply);
	q->reply = json_parse(natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m), &e);
	ck_assert_msg(q->reply != NULL, "reply: %s", e.text);
	natsMsg_Destroy(m);
}

void
agent_ask_raw(struct agent *a, struct asked *q, const char *reply,
    const char *body, size_t len)
{
	char		 subject[SUBJECT_MAX], lane[SUBJECT_MAX + 64];
	struct bus_pub	 p = { .subject = subject, .data = body, .len = len };
	struct error	 e;

	memset(q, 0, sizeof(*q));
	subject_ctl(subject, sizeof(subject), a->space->config.space,
	    "delivery", a->id);
	snprintf(lane, sizeof(lane), "%s.reply.%u-%d", subject, ++a->nonce,
	    (int)getpid());
	p.reply = reply == NULL ? lane : reply[0] == '\0' ? NULL : reply;
	if (reply == NULL) {
		q->sub = bus_subscribe(a->bus, lane, NULL, on_answer, q, &e);
		ck_assert_msg(q->sub != NULL, "%s", e.text);
	}
	OK(bus_publish(a->bus, &p, &e), e);
	OK(bus_drain(a->bus, 1000), e);
}

void
agent_ask(struct agent *a, struct asked *q, const char *op, const char *args)
{
	char	body[4096];

	snprintf(body, sizeof(body), "{\"op\":\"%s\",\"args\":%s,\"from\":"
	    "{\"id\":\"%s\",\"name\":\"%s\"}}", op, args == NULL ? "{}" :
	    args, a->id, a->name);
	agent_ask_raw(a, q, NULL, body, strlen(body));
}

cJSON *
agent_answer(struct agent *a, struct asked *q)
{
	int64_t	until = clock_ms() + AWAIT_MS;

	while (q->reply == NULL) {
		if (clock_ms() > until)
			test_fail(__FILE__, __LINE__, "an answer");
		bus_turn(a->bus, NULL, 0, 20);
	}
	bus_unsubscribe(a->bus, q->sub);
	return q->reply;
}

uint64_t
agent_join(struct agent *a, const char *channel)
{
	char		 args[300], *text;
	struct error	 e;
	cJSON		*o;
	const cJSON	*data;
	uint64_t	 generation;

	snprintf(args, sizeof(args), "{\"channel\":\"%s\"}", channel);
	o = agent_control(a, "durableJoin", args, &e);
	ck_assert_msg(o != NULL, "durableJoin: %s", e.text);
	data = json_get(o, "data");
	text = json_print(o);
	ck_assert_msg(cJSON_IsTrue(json_get(data, "durable")),
	    "durableJoin: %s", text);
	free(text);
	generation = (uint64_t)json_get(data, "generation")->valuedouble;
	cJSON_Delete(o);
	return generation;
}

void
agent_leave(struct agent *a, const char *channel, uint64_t generation)
{
	char		 args[300], *text;
	struct error	 e;
	cJSON		*o;

	snprintf(args, sizeof(args), "{\"channel\":\"%s\",\"generation\":"
	    "%llu}", channel, (unsigned long long)generation);
	o = agent_control(a, "durableLeave", args, &e);
	ck_assert_msg(o != NULL, "durableLeave: %s", e.text);
	text = json_print(o);
	ck_assert_msg(cJSON_IsTrue(json_get(o, "ok")), "durableLeave: %s",
	    text);
	free(text);
	cJSON_Delete(o);
}

/* --- receiving ------------------------------------------------------------------------- */

static void
keep(struct agent *a, natsMsg *msg)
{
	struct message	 m;
	struct error	 e;
	struct received	*r;

	if (a->n_got == a->cap_got) {
		a->cap_got = a->cap_got == 0 ? 256 : a->cap_got * 2;
		a->got = reallocarray(a->got, a->cap_got, sizeof(*a->got));
		ck_assert(a->got != NULL);
	}
	OK(message_parse(&m, natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg), &e), e);
	r = &a->got[a->n_got++];
	r->id = strdup(m.id);
	r->from = strdup(m.from_id);
	r->channel = m.channel == NULL ? NULL : strdup(m.channel);
	r->text = message_text(&m);
	message_free(&m);
}

static void
on_dlv(void *arg, natsMsg *msg, const struct js_delivery *d)
{
	struct agent	*a = arg;
	struct bus_pub	 ack = { .subject = natsMsg_GetReply(msg),
			    .data = "+ACK", .len = 4 };

	(void)d;
	keep(a, msg);
	(void)bus_publish(a->bus, &ack, NULL);
	natsMsg_Destroy(msg);
}

size_t
agent_receive(struct agent *a, size_t n, int64_t quiet_ms)
{
	char		stream[STREAM_MAX], durable[STREAM_MAX];
	struct pull	p = { .sub = NULL };
	struct error	e;
	size_t		before = a->n_got, last = before;
	int64_t		heard = clock_ms();

	name_stream(stream, sizeof(stream), a->space->config.space,
	    STREAM_DLV);
	snprintf(durable, sizeof(durable), "dlv_%s", a->id);
	while (a->n_got - before < n && clock_ms() - heard < quiet_ms) {
		if (!bus_alive(a->bus)) {
			agent_connect(a);
			p.sub = NULL;
		}
		if (p.sub == NULL)
			OK(pull_start(&p, a->bus, stream, durable, 256,
			    on_dlv, a, &e), e);
		/* Short requests: what is asked for must not come later. */
		if (pull_tend(&p, (unsigned)(n - (a->n_got - before)),
		    clock_ms() + 500, &e) == -1)
			continue;
		bus_turn(a->bus, NULL, 0, 20);
		if (a->n_got != last) {
			last = a->n_got;
			heard = clock_ms();
		}
	}
	/* Let a request that is still open run out, and keep what it brings. */
	while (p.asked > 0 && bus_alive(a->bus) &&
	    clock_ms() < p.expires_ms + 200)
		bus_turn(a->bus, NULL, 0, 20);
	if (bus_alive(a->bus)) {
		pull_stop(&p);
		(void)bus_drain(a->bus, 1000);
	}
	return a->n_got - before;
}

void
agent_expect(struct agent *a, size_t n)
{
	size_t	got = agent_receive(a, n, AWAIT_MS);

	if (got != n) {
		log_dump(a->space);
		ck_abort_msg("%s got %zu of %zu", a->name, got, n);
	}
}

void
agent_expect_none(struct agent *a)
{
	size_t	got;

	await_drained(a->space);
	got = agent_receive(a, 1, 300);
	ck_assert_msg(got == 0, "%s got \"%s\"", a->name,
	    a->got[a->n_got - 1].text);
}

void
agent_forget(struct agent *a)
{
	size_t	i;

	for (i = 0; i < a->n_got; i++) {
		free(a->got[i].id);
		free(a->got[i].text);
		free(a->got[i].from);
		free(a->got[i].channel);
	}
	a->n_got = 0;
}

unsigned
agent_got(const struct agent *a, const char *text)
{
	unsigned	n = 0;
	size_t		i;

	for (i = 0; i < a->n_got; i++)
		n += strcmp(a->got[i].text, text) == 0;
	return n;
}
