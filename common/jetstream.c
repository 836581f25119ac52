/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jetstream.h"
#include "json.h"
#include "names.h"

#define NS_PER_MS	1000000

static uint64_t	u64_of(const cJSON *, const char *);

/* --- calls ------------------------------------------------------------- */

/* The server's error object as ours; 0 when the answer has none. */
static int
api_error(const cJSON *answer, const char *what, struct error *e)
{
	const cJSON	*err = json_get(answer, "error"), *d;
	int		 code;

	if (!cJSON_IsObject(err))
		return 0;
	d = json_get(err, "description");
	code = (int)u64_of(err, "err_code");
	if (code == 0)
		code = (int)u64_of(err, "code");
	error_set(e, EX_UNAVAILABLE, "%s: %s (%d)", what,
	    cJSON_IsString(d) ? d->valuestring : "error", code);
	if (e != NULL)
		e->api = code;
	return -1;
}

/* A reply, parsed; NULL with *e. */
static cJSON *
reply_json(natsMsg *m, struct error *e)
{
	return json_parse(natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m), e);
}

/* Call the API; the parsed answer, or NULL with *e. */
static cJSON *
api_call(struct bus *b, const char *subject, const char *body,
    struct error *e)
{
	struct bus_pub	 p = { .subject = subject, .data = body,
			    .len = body == NULL ? 0 : strlen(body) };
	struct error	 mine;
	natsMsg		*m;
	cJSON		*answer;

	if (e == NULL)
		e = &mine;
	if ((m = bus_call(b, &p, JS_TIMEOUT_MS, e)) == NULL)
		return NULL;
	answer = reply_json(m, e);
	bus_msg_free(m);
	if (answer == NULL) {
		error_wrap(e, "%s", subject);
		e->code = EX_PROTOCOL;
		return NULL;
	}
	if (api_error(answer, subject, e) == -1) {
		cJSON_Delete(answer);
		return NULL;
	}
	return answer;
}

static uint64_t
u64_of(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsNumber(v) && v->valuedouble > 0 ?
	    (uint64_t)v->valuedouble : 0;
}

static int64_t
ms_of(const cJSON *o, const char *name)
{
	return (int64_t)(u64_of(o, name) / NS_PER_MS);
}

static void
text_of(const cJSON *o, const char *name, char *buf, size_t size)
{
	const cJSON	*v = json_get(o, name);

	snprintf(buf, size, "%s", cJSON_IsString(v) ? v->valuestring : "");
}

/* --- streams -------------------------------------------------------------- */

static void
stream_fill(struct js_stream *out, const cJSON *a)
{
	const cJSON	*config = json_get(a, "config");
	const cJSON	*state = json_get(a, "state");
	const cJSON	*cap = json_get(config, "max_msgs_per_subject");

	memset(out, 0, sizeof(*out));
	text_of(a, "created", out->created, sizeof(out->created));
	text_of(state, "last_ts", out->last_time, sizeof(out->last_time));
	out->messages = u64_of(state, "messages");
	out->bytes = u64_of(state, "bytes");
	out->first_seq = u64_of(state, "first_seq");
	out->last_seq = u64_of(state, "last_seq");
	out->max_age_ms = ms_of(config, "max_age");
	out->duplicate_window_ms = ms_of(config, "duplicate_window");
	out->max_per_subject = cJSON_IsNumber(cap) ?
	    (int64_t)cap->valuedouble : -1;
	out->replicas = (int)u64_of(config, "num_replicas");
}

int
js_stream_info(struct bus *b, const char *stream, struct js_stream *out,
    struct error *e)
{
	char	 subject[SUBJECT_MAX];
	cJSON	*a;

	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s", stream);
	if ((a = api_call(b, subject, NULL, e)) == NULL)
		return -1;
	stream_fill(out, a);
	cJSON_Delete(a);
	return 0;
}

int
js_stream_parse(natsMsg *reply, struct js_stream *out, struct error *e)
{
	struct error	 mine;
	cJSON		*a;
	int		 r;

	if (e == NULL)
		e = &mine;
	if ((a = reply_json(reply, e)) == NULL)
		return -1;
	if ((r = api_error(a, "stream", e)) == 0)
		stream_fill(out, a);
	cJSON_Delete(a);
	return r;
}

bool
js_stream_same(const struct js_stream *a, const struct js_stream *b)
{
	return a->messages == b->messages && a->last_seq == b->last_seq &&
	    strcmp(a->last_time, b->last_time) == 0 &&
	    strcmp(a->created, b->created) == 0;
}

/* A page behind the last one has no subjects, but says how many there are. */
int
js_stream_count(struct bus *b, const char *stream, const char *filter,
    uint64_t *n, struct error *e)
{
	char	 subject[SUBJECT_MAX], body[SUBJECT_MAX + 64];
	cJSON	*a;

	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s", stream);
	snprintf(body, sizeof(body),
	    "{\"subjects_filter\":\"%s\",\"offset\":1000000000}", filter);
	if ((a = api_call(b, subject, body, e)) == NULL)
		return -1;
	*n = u64_of(a, "total");
	cJSON_Delete(a);
	return 0;
}

/* One page of subjects is added to *all; 1 when there are more. */
static int
subjects_page(const cJSON *a, cJSON *all, size_t *seen)
{
	const cJSON	*page = json_get(json_get(a, "state"), "subjects"), *s;

	cJSON_ArrayForEach(s, page) {
		cJSON_AddNumberToObject(all, s->string, s->valuedouble);
		(*seen)++;
	}
	return cJSON_GetArraySize(page) > 0 && *seen < u64_of(a, "total");
}

int
js_stream_info_subjects(struct bus *b, const char *stream,
    const char *filter, struct js_stream *out, cJSON **subjects,
    struct error *e)
{
	char	 subject[SUBJECT_MAX], body[SUBJECT_MAX + 64];
	size_t	 seen = 0;
	int	 more = 1;
	cJSON	*a;

	if ((*subjects = cJSON_CreateObject()) == NULL)
		return error_errno(e, EX_OSERR, "%s", stream);
	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s", stream);
	while (more) {
		snprintf(body, sizeof(body),
		    "{\"subjects_filter\":\"%s\",\"offset\":%zu}", filter,
		    seen);
		if ((a = api_call(b, subject, body, e)) == NULL) {
			cJSON_Delete(*subjects);
			*subjects = NULL;
			return -1;
		}
		stream_fill(out, a);
		more = subjects_page(a, *subjects, &seen);
		cJSON_Delete(a);
	}
	return 0;
}

int
js_stream_create(struct bus *b, const cJSON *config, struct error *e)
{
	char		 subject[SUBJECT_MAX], name[STREAM_MAX], before[48];
	char		*body;
	struct js_stream was;
	cJSON		*a;

	text_of(config, "name", name, sizeof(name));
	/* A create that changes nothing answers like one that created. */
	before[0] = '\0';
	if (js_stream_info(b, name, &was, NULL) == 0)
		snprintf(before, sizeof(before), "%s", was.created);
	if ((body = json_print(config)) == NULL)
		return error_errno(e, EX_OSERR, "stream %s", name);
	snprintf(subject, sizeof(subject), "$JS.API.STREAM.CREATE.%s", name);
	a = api_call(b, subject, body, e);
	free(body);
	if (a == NULL)
		return -1;
	cJSON_Delete(a);
	return before[0] == '\0';
}

/* --- consumers --------------------------------------------------------------- */

static void
consumer_fill(struct js_consumer *c, cJSON *a)
{
	memset(c, 0, sizeof(*c));
	c->delivered_seq = u64_of(json_get(a, "delivered"), "stream_seq");
	c->n_delivered = u64_of(json_get(a, "delivered"), "consumer_seq");
	c->ack_floor_seq = u64_of(json_get(a, "ack_floor"), "stream_seq");
	c->n_ack_pending = u64_of(a, "num_ack_pending");
	c->n_pending = u64_of(a, "num_pending");
	c->n_waiting = u64_of(a, "num_waiting");
	c->n_redelivered = u64_of(a, "num_redelivered");
	c->config = cJSON_DetachItemFromObjectCaseSensitive(a, "config");
}

int
js_consumer_info(struct bus *b, const char *stream, const char *name,
    struct js_consumer *out, struct error *e)
{
	char	 subject[SUBJECT_MAX];
	cJSON	*a;

	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.%s.%s",
	    stream, name);
	if ((a = api_call(b, subject, NULL, e)) == NULL)
		return -1;
	consumer_fill(out, a);
	cJSON_Delete(a);
	return 0;
}

char *
js_consumer_request(char *subject, size_t size, const char *stream,
    const char *name, const cJSON *config)
{
	const cJSON	*filter = json_get(config, "filter_subject");
	cJSON		*request = cJSON_CreateObject();
	char		*body = NULL;

	snprintf(subject, size, "$JS.API.CONSUMER.CREATE.%s.%s%s%s", stream,
	    name, cJSON_IsString(filter) ? "." : "",
	    cJSON_IsString(filter) ? filter->valuestring : "");
	if (request != NULL &&
	    cJSON_AddStringToObject(request, "stream_name", stream) != NULL &&
	    cJSON_AddItemToObject(request, "config",
	    cJSON_Duplicate(config, true)))
		body = json_print(request);
	cJSON_Delete(request);
	return body;
}

int
js_consumer_create(struct bus *b, const char *stream, const char *name,
    const cJSON *config, struct js_consumer *out, struct error *e)
{
	char	 subject[SUBJECT_MAX], *body;
	cJSON	*a;

	body = js_consumer_request(subject, sizeof(subject), stream, name,
	    config);
	if (body == NULL)
		return error_errno(e, EX_OSERR, "consumer %s", name);
	a = api_call(b, subject, body, e);
	free(body);
	if (a == NULL)
		return -1;
	if (out != NULL)
		consumer_fill(out, a);
	cJSON_Delete(a);
	return 0;
}

int
js_consumer_parse(natsMsg *reply, struct js_consumer *out, struct error *e)
{
	struct error	 mine;
	cJSON		*a;
	int		 r;

	if (e == NULL)
		e = &mine;
	if ((a = reply_json(reply, e)) == NULL)
		return -1;
	if ((r = api_error(a, "consumer", e)) == 0 && out != NULL)
		consumer_fill(out, a);
	cJSON_Delete(a);
	return r;
}

int
js_consumer_delete(struct bus *b, const char *stream, const char *name,
    struct error *e)
{
	char		 subject[SUBJECT_MAX];
	struct error	 mine;
	cJSON		*a;

	if (e == NULL)
		e = &mine;
	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.DELETE.%s.%s",
	    stream, name);
	if ((a = api_call(b, subject, NULL, e)) == NULL)
		return e->api == JS_NO_CONSUMER ? 0 : -1;
	cJSON_Delete(a);
	return 0;
}

void
js_consumer_free(struct js_consumer *c)
{
	cJSON_Delete(c->config);
	c->config = NULL;
}

/* --- stored messages ------------------------------------------------------------ */

int
js_get_subject(char *buf, size_t size, const char *stream)
{
	int	n = snprintf(buf, size, "$JS.API.STREAM.MSG.GET.%s", stream);

	return n < 0 || (size_t)n >= size ? -1 : n;
}

int
js_get_body(char *buf, size_t size, enum js_get how, uint64_t seq,
    const char *subject)
{
	unsigned long long	s = seq;
	int			n = -1;

	switch (how) {
	case JS_BY_SEQ:
		n = snprintf(buf, size, "{\"seq\":%llu}", s);
		break;
	case JS_NEXT_BY_SUBJECT:
		n = snprintf(buf, size,
		    "{\"seq\":%llu,\"next_by_subj\":\"%s\"}", s, subject);
		break;
	case JS_LAST_BY_SUBJECT:
		n = snprintf(buf, size, "{\"last_by_subj\":\"%s\"}", subject);
		break;
	}
	return n < 0 || (size_t)n >= size ? -1 : n;
}

static bool
is_marker(const char *hdrs64)
{
	unsigned char	*hdrs;
	size_t		 len;
	bool		 marker;

	hdrs = base64_decode(hdrs64, strlen(hdrs64), &len);
	if (hdrs == NULL)
		return false;
	marker = strstr((char *)hdrs, "KV-Operation: DEL") != NULL ||
	    strstr((char *)hdrs, "KV-Operation: PURGE") != NULL;
	free(hdrs);
	return marker;
}

static int
stored_fill(const cJSON *o, struct js_message *m, struct error *e)
{
	const cJSON	*subject = json_get(o, "subject");
	const cJSON	*data = json_get(o, "data");
	const cJSON	*hdrs = json_get(o, "hdrs");

	memset(m, 0, sizeof(*m));
	m->seq = u64_of(o, "seq");
	text_of(o, "time", m->time, sizeof(m->time));
	m->deleted = cJSON_IsString(hdrs) && is_marker(hdrs->valuestring);
	if (cJSON_IsString(subject))
		m->subject = strdup(subject->valuestring);
	if (cJSON_IsString(data))
		m->data = (char *)base64_decode(data->valuestring,
		    strlen(data->valuestring), &m->len);
	else
		m->data = strdup("");
	if (m->subject != NULL && m->data != NULL)
		return 1;
	js_message_free(m);
	return error_set(e, EX_PROTOCOL, "stored message %llu: unreadable",
	    (unsigned long long)u64_of(o, "seq"));
}

int
js_get_parse(natsMsg *reply, struct js_message *m, struct error *e)
{
	struct error	 mine;
	cJSON		*a;
	int		 found;

	if (e == NULL)
		e = &mine;
	if ((a = reply_json(reply, e)) == NULL)
		return -1;
	if (api_error(a, "stored message", e) == -1)
		found = e->api == JS_NO_MESSAGE ? 0 : -1;
	else
		found = stored_fill(json_get(a, "message"), m, e);
	cJSON_Delete(a);
	return found;
}

int
js_get(struct bus *b, const char *stream, enum js_get how, uint64_t seq,
    const char *what, struct js_message *m, struct error *e)
{
	char		 subject[SUBJECT_MAX], body[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject, .data = body };
	natsMsg		*reply;
	int		 n, found;

	js_get_subject(subject, sizeof(subject), stream);
	if ((n = js_get_body(body, sizeof(body), how, seq, what)) == -1)
		return error_set(e, EX_DATAERR, "subject too long");
	p.len = (size_t)n;
	if ((reply = bus_call(b, &p, JS_TIMEOUT_MS, e)) == NULL)
		return -1;
	found = js_get_parse(reply, m, e);
	bus_msg_free(reply);
	if (found == -1)
		error_wrap(e, "%s", stream);
	return found;
}

void
js_message_free(struct js_message *m)
{
	free(m->subject);
	free(m->data);
	m->subject = m->data = NULL;
}

int
js_message_delete(struct bus *b, const char *stream, uint64_t seq,
    struct error *e)
{
	char	 subject[SUBJECT_MAX], body[64];
	cJSON	*a;

	snprintf(subject, sizeof(subject), "$JS.API.STREAM.MSG.DELETE.%s",
	    stream);
	snprintf(body, sizeof(body), "{\"seq\":%llu}",
	    (unsigned long long)seq);
	if ((a = api_call(b, subject, body, e)) == NULL)
		return -1;
	cJSON_Delete(a);
	return 0;
}

/* --- publishing --------------------------------------------------------------------- */

/*
 * An acknowledgement as the servers write it, `{"stream":"S", "seq":N}`, by
 * hand: there is one for each copy.  False for anything else.
 */
static bool
plain_ack(const char *p, size_t len, uint64_t *seq)
{
	static const char	open[] = "{\"stream\":\"", next[] = "\"seq\":";
	const char		*end = p + len;

	if (len < sizeof(open) || memcmp(p, open, sizeof(open) - 1) != 0)
		return false;
	/* No stream's name has a quote or a backslash. */
	p = memchr(p + sizeof(open) - 1, '"', len - (sizeof(open) - 1));
	if (p == NULL || end - ++p < 2 || *p++ != ',')
		return false;
	p += *p == ' ';
	if ((size_t)(end - p) < sizeof(next) ||
	    memcmp(p, next, sizeof(next) - 1) != 0)
		return false;
	p += sizeof(next) - 1;
	for (*seq = 0; p < end && *p >= '0' && *p <= '9' &&
	    *seq < (uint64_t)JSON_INT_MAX / 16; p++)
		*seq = *seq * 10 + (uint64_t)(*p - '0');
	return *seq > 0 && end - p == 1 && *p == '}';
}

int
js_ack_parse(natsMsg *m, uint64_t *seq, bool *duplicate, struct error *e)
{
	const char	*data = natsMsg_GetData(m);
	size_t		 len = (size_t)natsMsg_GetDataLength(m);
	struct error	 mine;
	uint64_t	 plain;
	cJSON		*a;
	int		 r;

	if (plain_ack(data, len, &plain)) {
		if (seq != NULL)
			*seq = plain;
		if (duplicate != NULL)
			*duplicate = false;
		return 0;
	}
	if (e == NULL)
		e = &mine;
	if ((a = reply_json(m, e)) == NULL)
		return -1;
	if ((r = api_error(a, "store", e)) == 0 &&
	    (json_get(a, "stream") == NULL || u64_of(a, "seq") == 0))
		r = error_set(e, EX_PROTOCOL, "store: not an acknowledgement");
	if (r == 0 && seq != NULL)
		*seq = u64_of(a, "seq");
	if (r == 0 && duplicate != NULL)
		*duplicate = cJSON_IsTrue(json_get(a, "duplicate"));
	cJSON_Delete(a);
	return r;
}

int
js_publish(struct bus *b, const struct bus_pub *p, uint64_t *seq,
    bool *duplicate, struct error *e)
{
	natsMsg	*m;
	int	 r;

	if ((m = bus_call(b, p, JS_TIMEOUT_MS, e)) == NULL)
		return -1;
	if ((r = js_ack_parse(m, seq, duplicate, e)) == -1)
		error_wrap(e, "%s", p->subject);
	bus_msg_free(m);
	return r;
}

/* --- deliveries ------------------------------------------------------------------------ */

/* `$JS.ACK.<stream>.<consumer>.<deliveries>.<seq>.<cseq>.<ns>.<pending>` */
bool
js_delivery_parse(struct js_delivery *d, const char *reply,
    const char *stream, const char *consumer)
{
	uint64_t	 v[5];
	char		*end;
	size_t		 n;
	int		 i;

	if (reply == NULL || strncmp(reply, "$JS.ACK.", 8) != 0)
		return false;
	reply += 8;
	n = strlen(stream);
	if (strncmp(reply, stream, n) != 0 || reply[n] != '.')
		return false;
	reply += n + 1;
	n = strlen(consumer);
	if (strncmp(reply, consumer, n) != 0 || reply[n] != '.')
		return false;
	reply += n;
	for (i = 0; i < 5; i++) {
		if (*reply++ != '.')
			return false;
		v[i] = strtoull(reply, &end, 10);
		if (end == reply)
			return false;
		reply = end;
	}
	d->deliveries = v[0];
	d->stream_seq = v[1];
	d->consumer_seq = v[2];
	d->stored_ns = (int64_t)v[3];
	d->stored_ms = d->stored_ns / NS_PER_MS;
	d->pending = v[4];
	return true;
}

/* --- times ----------------------------------------------------------------------------- */

int64_t
js_time_ns(const char *s)
{
	struct tm	 tm;
	const char	*p;
	int64_t		 ns = 0, scale = 100000000;

	memset(&tm, 0, sizeof(tm));
	if ((p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL ||
	    tm.tm_year < 70 || tm.tm_year > 300)
		return 0;	/* a stream that held nothing says year 1 */
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
			ns += (*p - '0') * scale;
	return (int64_t)timegm(&tm) * 1000000000 + ns;
}
