/* SPDX-License-Identifier: ISC */

/* What a test reads from and writes to the broker as one who may do all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "clock.h"
#include "json.h"
#include "space.h"

/* The broker may have been restarted since. */
static struct bus *
root(struct space *s)
{
	if (s->root == NULL || !bus_alive(s->root))
		space_connect_root(s);
	return s->root;
}

uint64_t
stream_messages(struct space *s, enum stream_kind kind)
{
	struct js_stream	info;
	char			name[STREAM_MAX];
	struct error		e;

	name_stream(name, sizeof(name), s->config.space, kind);
	OK(js_stream_info(root(s), name, &info, &e), e);
	return info.messages;
}

uint64_t
stream_last_seq(struct space *s, enum stream_kind kind)
{
	struct js_stream	info;
	char			name[STREAM_MAX];
	struct error		e;

	name_stream(name, sizeof(name), s->config.space, kind);
	OK(js_stream_info(root(s), name, &info, &e), e);
	return info.last_seq;
}

/* A consumer's information may be older than what is stored: zero counts
 * only when it has come past the newest message that is for it. */
struct js_consumer
consumer_get(struct space *s, enum stream_kind kind, const char *durable)
{
	struct js_consumer	c;
	char			name[STREAM_MAX];
	struct error		e;

	name_stream(name, sizeof(name), s->config.space, kind);
	OK(js_consumer_info(root(s), name, durable, &c, &e), e);
	js_consumer_free(&c);
	return c;
}

uint64_t
consumer_unread(struct space *s, enum stream_kind kind, const char *durable)
{
	struct js_consumer	c;
	struct js_message	m;
	char			name[STREAM_MAX];
	struct error		e;
	uint64_t		n;
	int			found;

	name_stream(name, sizeof(name), s->config.space, kind);
	OK(js_consumer_info(root(s), name, durable, &c, &e), e);
	n = c.n_pending + c.n_ack_pending;
	found = js_get(root(s), name, JS_LAST_BY_SUBJECT, 0,
	    json_get(c.config, "filter_subject")->valuestring, &m, &e);
	ck_assert_msg(found != -1, "%s", e.text);
	if (found == 1) {
		/* stored, and the consumer does not know of it yet */
		if (n == 0 && c.delivered_seq < m.seq)
			n = 1;
		js_message_free(&m);
	}
	js_consumer_free(&c);
	return n;
}

cJSON *
record_get(struct space *s, enum bucket_kind kind, const char *key,
    uint64_t *seq)
{
	char			 stream[STREAM_MAX], subject[SUBJECT_MAX];
	struct js_message	 m;
	struct error		 e;
	cJSON			*o = NULL;
	int			 found;

	name_bucket_stream(stream, sizeof(stream), s->config.space, kind);
	name_bucket_key(subject, sizeof(subject), s->config.space, kind, key);
	found = js_get(root(s), stream, JS_LAST_BY_SUBJECT, 0, subject, &m,
	    &e);
	ck_assert_msg(found != -1, "%s: %s", subject, e.text);
	if (found == 0)
		return NULL;
	if (seq != NULL)
		*seq = m.seq;
	if (!m.deleted)
		o = json_parse(m.data, m.len, &e);
	js_message_free(&m);
	return o;
}

uint64_t
record_put(struct space *s, enum bucket_kind kind, const char *key,
    const char *text)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .data = text,
			    .len = text == NULL ? 0 : strlen(text),
			    .kv_operation = text == NULL ? "DEL" : NULL };
	struct error	e;
	uint64_t	seq = 0;

	name_bucket_key(subject, sizeof(subject), s->config.space, kind, key);
	OK(js_publish(root(s), &p, &seq, NULL, &e), e);
	return seq;
}

void
member_put(struct space *s, const char *channel, const char *owner,
    const char *fields)
{
	char	key[SUBJECT_MAX], record[2048];

	snprintf(key, sizeof(key), "%s/%s", channel, owner);
	snprintf(record, sizeof(record), "{\"channel\":\"%s\",\"owner\":"
	    "\"%s\",\"state\":\"%s\",\"writerIdentity\":\"other\","
	    "\"updatedAt\":1,%s}", channel, owner,
	    strstr(fields, "leaveCursor") == NULL ? "durable-active" :
	    "live-confirmed", fields);
	record_put(s, BUCKET_MEMBERS, key, record);
}

cJSON *
member_get(struct space *s, const char *channel, const char *owner)
{
	char	key[SUBJECT_MAX];

	snprintf(key, sizeof(key), "%s/%s", channel, owner);
	return record_get(s, BUCKET_MEMBERS, key, NULL);
}

uint64_t
number_of(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsNumber(v) ? (uint64_t)v->valuedouble : UINT64_MAX;
}

cJSON *
dead_letter(struct space *s, unsigned n)
{
	char			 stream[STREAM_MAX];
	struct js_message	 m;
	struct error		 e;
	uint64_t		 seq = 1;
	cJSON			*o;
	int			 found;

	name_stream(stream, sizeof(stream), s->config.space, STREAM_DEAD);
	for (;;) {
		found = js_get(root(s), stream, JS_NEXT_BY_SUBJECT, seq, ">",
		    &m, &e);
		ck_assert_msg(found != -1, "%s", e.text);
		if (found == 0)
			return NULL;
		seq = m.seq + 1;
		o = n == 0 ? json_parse(m.data, m.len, &e) : NULL;
		js_message_free(&m);
		if (n-- == 0) {
			ck_assert_msg(o != NULL, "dead letter: %s", e.text);
			return o;
		}
	}
}

uint64_t
raw_store(struct space *s, const char *subject, const char *msg_id,
    const char *body)
{
	struct bus_pub	p = { .subject = subject, .data = body,
			    .len = strlen(body), .msg_id = msg_id };
	struct error	e;
	uint64_t	seq = 0;

	OK(js_publish(root(s), &p, &seq, NULL, &e), e);
	return seq;
}

/* --- a message with its headers -------------------------------------------- */

static char *
decoded(const cJSON *o, const char *name, size_t *len)
{
	const char	*text = cJSON_GetStringValue(json_get(o, name));
	size_t		 size = text == NULL ? 1 : strlen(text) + 1;
	char		*buf = calloc(1, size);

	*len = 0;
	ck_assert(buf != NULL && (text == NULL || sodium_base642bin(
	    (unsigned char *)buf, size, text, strlen(text), NULL, len, NULL,
	    sodium_base64_VARIANT_ORIGINAL) == 0));
	return buf;
}

static char *
header_value(const char *headers, const char *name)
{
	char	 key[64], *value;
	size_t	 n;

	snprintf(key, sizeof(key), "\r\n%s: ", name);
	if ((value = strstr(headers, key)) == NULL)
		return strdup("");
	value += strlen(key);
	n = strcspn(value, "\r\n");
	return strndup(value, n);
}

bool
stored_get(struct space *s, enum stream_kind kind, uint64_t seq,
    struct stored *m)
{
	char		 stream[STREAM_MAX], subject[SUBJECT_MAX], body[128];
	struct bus_pub	 p = { .subject = subject, .data = body };
	const cJSON	*msg;
	struct error	 e;
	natsMsg		*reply;
	cJSON		*o;
	char		*headers;
	size_t		 n;

	name_stream(stream, sizeof(stream), s->config.space, kind);
	js_get_subject(subject, sizeof(subject), stream);
	p.len = (size_t)js_get_body(body, sizeof(body), JS_NEXT_BY_SUBJECT,
	    seq, ">");
	reply = bus_call(root(s), &p, JS_TIMEOUT_MS, &e);
	ck_assert_msg(reply != NULL, "%s", e.text);
	o = json_parse(natsMsg_GetData(reply),
	    (size_t)natsMsg_GetDataLength(reply), &e);
	natsMsg_Destroy(reply);
	msg = json_get(o, "message");
	if (msg != NULL) {
		m->seq = (uint64_t)json_get(msg, "seq")->valuedouble;
		m->subject = strdup(json_get(msg, "subject")->valuestring);
		m->data = decoded(msg, "data", &m->len);
		headers = decoded(msg, "hdrs", &n);
		m->msg_id = header_value(headers, "Nats-Msg-Id");
		free(headers);
	}
	n = msg != NULL;
	cJSON_Delete(o);
	return n == 1;
}

void
stored_free(struct stored *m)
{
	free(m->subject);
	free(m->data);
	free(m->msg_id);
}

cJSON *
lease_get(struct space *s)
{
	return record_get(s, BUCKET_DELIVERY, "lease.0", NULL);
}

bool
lease_ready(struct space *s)
{
	unsigned	 i, n = space_shards(s);
	char		 key[32];
	cJSON		*o;
	bool		 ready = true;

	for (i = 0; ready && i < n; i++) {
		snprintf(key, sizeof(key), "lease.%u", i);
		o = record_get(s, BUCKET_DELIVERY, key, NULL);
		ready = cJSON_IsTrue(json_get(o, "ready"));
		cJSON_Delete(o);
	}
	return ready;
}

unsigned
space_shards(struct space *s)
{
	cJSON		*o = record_get(s, BUCKET_MEMBERS, "=delivery", NULL);
	uint64_t	 n = o == NULL ? 1 : number_of(o, "shards");

	cJSON_Delete(o);
	/* one that a test has spoilt stands as it was */
	return n == UINT64_MAX ? 1 : (unsigned)n;
}

static uint64_t
unread(struct space *s, enum stream_kind kind, const char *base)
{
	unsigned	i, n = space_shards(s);
	char		durable[64];
	uint64_t	sum = 0;

	for (i = 0; i < n; i++) {
		snprintf(durable, sizeof(durable), n == 1 ? "%s" : "%s_%u",
		    base, i);
		sum += consumer_unread(s, kind, durable);
	}
	return sum;
}

uint64_t
fanout_unread(struct space *s)
{
	return unread(s, STREAM_CHAT, "fanout");
}

uint64_t
reader_unread(struct space *s)
{
	return unread(s, STREAM_INBOX, "reader");
}

void
presence_put(struct space *s, const char *id, const char *name,
    const char *status)
{
	char	body[512];

	snprintf(body, sizeof(body), "{\"card\":{\"id\":\"%s\",\"name\":"
	    "\"%s\",\"kind\":\"agent\"},\"status\":\"%s\",\"ts\":%lld}", id,
	    name, status, (long long)clock_epoch_ms());
	record_put(s, BUCKET_PRESENCE, id, body);
}

void
await_drained(struct space *s)
{
	AWAIT(fanout_unread(s) == 0);
	AWAIT(reader_unread(s) == 0);
}
