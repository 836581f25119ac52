/* SPDX-License-Identifier: ISC */

/* Binds to a bucket, and fills a table with what comes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "clock.h"
#include "log.h"
#include "watch_impl.h"

#define HEARTBEAT_MS		500
#define SILENT_MS		1600	/* three heartbeats missed */
#define INACTIVE_MS		5000
#define BIND_MS			6000	/* then by another connection */
#define INFO_MS			1000
#define DELETE_MS		250
#define CREATE_MS		1000
#define CREATE_MORE_MS		2000	/* from this try on */
#define CREATE_MORE_TRY		4

/*
 * An attempt to make the consumer, as a chain of requests.  It outlives what
 * it is for where its answer comes late.
 */
enum step { STEP_INFO, STEP_DELETE, STEP_CREATE, STEP_COUNT };

struct binding {
	struct watch		*watch;		/* NULL: nobody waits for it */
	enum step		 step;
	struct js_stream	 before;	/* the bucket then */
	uint64_t		 n_ours;	/* the consumer found */
};

static void	on_message(void *, natsMsg *);
static void	on_answer(void *, enum bus_outcome, natsMsg *);

/* Whatever answer is still to come is for nobody. */
static void
give_up(struct watch *w)
{
	if (w->binding != NULL)
		w->binding->watch = NULL;
	w->binding = NULL;
}

struct watch *
watch_new(const char *space, enum bucket_kind kind, const char *key,
    const struct watch_ops *ops, void *table)
{
	struct watch	*w;
	char		 bucket[BUCKET_MAX];

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	if (name_bucket_stream(w->stream, sizeof(w->stream), space, kind) ==
	    -1 || name_bucket_key(w->filter, sizeof(w->filter), space, kind,
	    key) == -1 || name_bucket(bucket, sizeof(bucket), space, kind) ==
	    -1) {
		free(w);
		errno = ENAMETOOLONG;
		return NULL;
	}
	snprintf(w->prefix, sizeof(w->prefix), "$KV.%s.", bucket);
	w->ops = ops;
	w->table = table;
	return w;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	watch_unbind(w);
	w->ops->reset(w->table);
	keyset_clear(&w->keys);
	free(w);
}

void
watch_name_anew(struct watch *w)
{
	w->anew = true;
}

/* --- binding ------------------------------------------------------------- */

/*
 * In a cluster the broker may put a consumer on a node that is gone, for
 * minutes, and then nobody answers: it is deleted, which nobody answers
 * either, and made again.  All of it goes on beside the others' and what else
 * its owner does.
 */
static void
take_name(struct watch *w)
{
	if (w->anew)
		snprintf(w->name, sizeof(w->name), "w_%s_%08x%08x",
		    bus_id(w->bus), randombytes_random(),
		    randombytes_random());
	else
		snprintf(w->name, sizeof(w->name), "w_%s", bus_id(w->bus));
}

static cJSON *
watch_config(const struct watch *w, const char *deliver)
{
	cJSON	*c = cJSON_CreateObject();

	if (c == NULL)
		return NULL;
	cJSON_AddStringToObject(c, "name", w->name);
	cJSON_AddStringToObject(c, "deliver_subject", deliver);
	cJSON_AddStringToObject(c, "deliver_policy", "all");
	cJSON_AddStringToObject(c, "ack_policy", "none");
	cJSON_AddStringToObject(c, "replay_policy", "instant");
	cJSON_AddStringToObject(c, "filter_subject", w->filter);
	cJSON_AddNumberToObject(c, "idle_heartbeat", HEARTBEAT_MS * 1e6);
	cJSON_AddNumberToObject(c, "inactive_threshold", INACTIVE_MS * 1e6);
	cJSON_AddBoolToObject(c, "mem_storage", true);
	cJSON_AddNumberToObject(c, "num_replicas", 1);
	return c;
}

static void
forget(struct watch *w)
{
	w->n_bound++;
	give_up(w);
	if (w->sub != NULL && w->bus != NULL)
		bus_unsubscribe(w->bus, w->sub);
	w->sub = NULL;
	w->synced = w->doubt = false;
	w->counted = false;
	w->consumer_seq = w->run_seq = w->applied_seq = 0;
	keyset_clear(&w->keys);
	w->ops->reset(w->table);
}

static int
ask_broker(struct binding *b, enum step step, const char *subject,
    const char *body, int64_t timeout_ms, struct error *e)
{
	struct bus_pub	p = { .subject = subject, .data = body,
			    .len = strlen(body) };

	b->step = step;
	return bus_request(b->watch->bus, &p, timeout_ms, on_answer, b, e);
}

static int
ask_info(struct binding *b, enum step step, struct error *e)
{
	char	subject[SUBJECT_MAX];

	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s",
	    b->watch->stream);
	return ask_broker(b, step, subject, "", INFO_MS, e);
}

static int
ask_delete(struct binding *b, struct error *e)
{
	char	subject[SUBJECT_MAX];

	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.DELETE.%s.%s",
	    b->watch->stream, b->watch->name);
	return ask_broker(b, STEP_DELETE, subject, "", DELETE_MS, e);
}

static int
ask_create(struct binding *b, struct error *e)
{
	struct watch	*w = b->watch;
	char		 deliver[SUBJECT_MAX], subject[SUBJECT_MAX];
	char		*body = NULL;
	cJSON		*config;
	int		 r;

	bus_inbox(w->bus, deliver, sizeof(deliver), "w");
	w->sub = bus_subscribe(w->bus, deliver, NULL, on_message, w, e);
	if (w->sub == NULL)
		return -1;
	if ((config = watch_config(w, deliver)) != NULL)
		body = js_consumer_request(subject, sizeof(subject),
		    w->stream, w->name, config);
	cJSON_Delete(config);
	if (body == NULL)
		return error_errno(e, EX_OSERR, "watch");
	w->heard_ms = clock_ms();
	r = ask_broker(b, STEP_CREATE, subject, body, w->tries <
	    CREATE_MORE_TRY ? CREATE_MS : CREATE_MORE_MS, e);
	free(body);
	return r;
}

static int
bind_anew(struct watch *w, struct bus *bus, struct error *e)
{
	struct binding	*b = calloc(1, sizeof(*b));

	forget(w);
	if (b == NULL)
		return error_errno(e, EX_OSERR, "watch");
	w->bus = bus;
	b->watch = w;
	take_name(w);
	if (ask_info(b, STEP_INFO, e) == -1) {
		free(b);
		return -1;
	}
	w->binding = b;
	return 0;
}

static void
note_bucket(struct watch *w, const struct js_stream *now)
{
	if (w->created[0] != '\0' && strcmp(w->created, now->created) != 0)
		log_error("bucket was replaced", "bucket=%s was=%s now=%s",
		    w->stream, w->created, now->created);
	snprintf(w->created, sizeof(w->created), "%s", now->created);
	w->known_seq = now->last_seq;
	w->known_ns = js_time_ns(now->last_time);
}

/* Messages may have come before this answer.  The stream sequence says
 * nothing: it begins behind what has expired. */
static void
note_consumer(struct binding *b, struct js_consumer *c)
{
	if (c->n_pending == 0 && c->n_delivered == 0)
		b->watch->synced = true;
	b->n_ours = c->n_pending + c->n_delivered;
	js_consumer_free(c);
}

/*
 * The bucket as it was just before the consumer was made, which found n_ours
 * in it.  If it is still the same, the rest is foreign.
 */
static void
note_count(const struct binding *b, const struct js_stream *after)
{
	struct watch	*w = b->watch;

	w->counted = js_stream_same(&b->before, after) &&
	    after->max_per_subject == 1 && after->messages >= b->n_ours;
	w->n_foreign = after->messages - b->n_ours;
}

/* What an answer leads to: 1: to another question; 0: it is bound; -1: *e,
 * which is EX_TEMPFAIL if it is worth another try. */
static int
next_step(struct binding *b, natsMsg *reply, struct error *e)
{
	struct js_stream	now;
	struct js_consumer	c;

	switch (b->step) {
	case STEP_INFO:
		if (reply == NULL)
			return error_set(e, EX_TEMPFAIL, "nobody answers");
		if (js_stream_parse(reply, &b->before, e) == -1)
			return -1;
		b->watch->binding_ms = clock_ms();
		note_bucket(b->watch, &b->before);
		return (b->watch->anew ? ask_create(b, e) : ask_delete(b,
		    e)) == -1 ? -1 : 1;
	case STEP_DELETE:
		if (reply != NULL && js_consumer_parse(reply, NULL, e) == -1
		    && e->api != JS_NO_CONSUMER)
			return -1;
		return ask_create(b, e) == -1 ? -1 : 1;
	case STEP_CREATE:
		if (reply == NULL)
			return error_set(e, EX_TEMPFAIL, "nobody answers");
		if (js_consumer_parse(reply, &c, e) == -1) {
			if (e->api == JS_NAME_IN_USE ||
			    e->api == JS_CONSUMER_EXISTS)
				e->code = EX_TEMPFAIL;
			return -1;
		}
		note_consumer(b, &c);
		return ask_info(b, STEP_COUNT, e) == -1 ? -1 : 1;
	case STEP_COUNT:
		if (reply != NULL && js_stream_parse(reply, &now, e) == 0)
			note_count(b, &now);
		break;
	}
	return 0;
}

static void
on_answer(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct binding	*b = arg;
	struct watch	*w = b->watch;
	struct error	 e;
	int		 r;

	if (w == NULL || outcome == BUS_CLOSED) {
		if (w != NULL)
			give_up(w);
		free(b);
		return;
	}
	if (outcome == BUS_DENIED)
		r = error_set(&e, EX_NOPERM, "not permitted to watch it");
	else
		r = next_step(b, outcome == BUS_OK ? reply : NULL, &e);
	if (r == 1)
		return;
	give_up(w);
	free(b);
	if (r == -1 && e.code == EX_TEMPFAIL && bus_alive(w->bus) &&
	    clock_ms() - w->binding_ms < BIND_MS) {
		w->tries++;
		log_warn("watch not made", "bucket=%s try=%u error=%s",
		    w->stream, w->tries, log_str(e.text));
		r = bind_anew(w, w->bus, &e);
	}
	if (r == -1) {
		error_wrap(&e, "%s", w->stream);
		w->failed = e;
	}
}

int
watch_bind(struct watch *w, struct bus *b, struct error *e)
{
	w->tries = 0;
	w->failed.code = 0;
	w->binding_ms = clock_ms();
	return bind_anew(w, b, e);
}

void
watch_unbind(struct watch *w)
{
	give_up(w);
	if (w->bus != NULL)
		bus_unsubscribe(w->bus, w->sub);
	w->sub = NULL;
	w->bus = NULL;
	w->synced = false;
}

bool
watch_synced(const struct watch *w)
{
	return w->synced && !w->doubt && w->binding == NULL &&
	    w->failed.code == 0;
}

bool
watch_all_synced(struct watch *const *v, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (!watch_synced(v[i]))
			return false;
	return true;
}

uint64_t
watch_bound(const struct watch *w)
{
	return w->n_bound;
}

int
watch_tend(struct watch *w, struct error *e)
{
	int64_t	silent = clock_ms() - w->heard_ms;

	if (w->failed.code != 0) {
		if (e != NULL)
			*e = w->failed;
		w->failed.code = 0;
		w->doubt = true;	/* until it is bound again */
		return -1;
	}
	if (w->binding != NULL || (!w->doubt && silent < SILENT_MS))
		return 0;
	log_warn("watch bound again", "bucket=%s reason=%s silent_ms=%lld",
	    w->stream, w->doubt ? "doubt" : "silence", (long long)silent);
	return watch_bind(w, w->bus, e);
}

/* --- what it hears ---------------------------------------------------------- */

static void
apply(struct watch *w, natsMsg *m, uint64_t seq)
{
	const char	*subject = natsMsg_GetSubject(m);
	const char	*op = bus_header(m, "KV-Operation");
	size_t		 n = strlen(w->prefix);

	if (strncmp(subject, w->prefix, n) != 0)
		return;
	if (op != NULL && (strcmp(op, "DEL") == 0 || strcmp(op, "PURGE") == 0))
		w->ops->put(w->table, subject + n, NULL, 0, seq);
	else
		w->ops->put(w->table, subject + n, natsMsg_GetData(m),
		    (size_t)natsMsg_GetDataLength(m), seq);
	if (keyset_add(&w->keys, subject + n) == -1)
		fatal_memory();
}

/*
 * An idle heartbeat says how far the consumer has come: more than we saw is
 * a gap.  If it is as far, nothing waits: one that was put anew before it was
 * sent may have been counted twice as pending.
 */
static void
heartbeat(struct watch *w, natsMsg *m)
{
	const char	*last = bus_header(m, "Nats-Last-Consumer");

	if (last == NULL)
		return;
	if (strtoull(last, NULL, 10) != w->consumer_seq)
		w->doubt = true;
	else
		w->synced = true;
}

/* In a gap there may have been a foreign message: not known. */
static void
advance(struct watch *w, uint64_t seq, int64_t ns)
{
	if (seq != w->applied_seq + 1)
		w->run_seq = seq;
	w->applied_seq = seq;
	if (seq == w->known_seq + 1) {
		w->known_seq = seq;
		w->known_ns = ns;
	}
}

static void
on_message(void *arg, natsMsg *m)
{
	struct watch		*w = arg;
	struct js_delivery	 d;
	const char		*reply = natsMsg_GetReply(m);

	w->heard_ms = clock_ms();
	if (js_delivery_parse(&d, reply, w->stream, w->name)) {
		if (d.consumer_seq != ++w->consumer_seq)
			w->doubt = true;
		if (!w->doubt) {
			apply(w, m, d.stream_seq);
			advance(w, d.stream_seq, d.stored_ns);
			if (d.pending == 0)
				w->synced = true;
		}
	} else if (bus_status(m) == 100)
		heartbeat(w, m);
	else if (bus_status(m) != 0)
		w->doubt = true;
	bus_msg_free(m);
}

int
watch_wait(struct bus *b, struct watch *const *v, size_t n,
    int64_t timeout_ms, struct error *e)
{
	int64_t	deadline = clock_ms() + timeout_ms;
	size_t	i = 0;

	while (i < n) {
		if (watch_synced(v[i])) {
			i++;
			continue;
		}
		if (!bus_alive(b))
			return error_set(e, EX_TEMPFAIL, "connection lost: %s",
			    bus_why(b));
		if (watch_tend(v[i], e) == -1)
			return -1;
		if (clock_ms() >= deadline)
			return error_set(e, EX_TEMPFAIL,
			    "%s: not read in %lld ms", v[i]->stream,
			    (long long)timeout_ms);
		bus_turn(b, NULL, 0, 50);
	}
	return 0;
}
