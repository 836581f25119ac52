/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "clock.h"
#include "jetstream.h"
#include "keyset.h"
#include "log.h"
#include "watch.h"

#define HEARTBEAT_MS		500
#define SILENT_MS		1600	/* three heartbeats missed */
#define INACTIVE_MS		5000
#define DOUBT_MS		1000	/* a barrier may wait so long */
#define BIND_MS			6000	/* then by another connection */
#define INFO_MS			1000
#define DELETE_MS		250
#define CREATE_MS		1000
#define CREATE_MORE_MS		2000	/* from this try on */
#define CREATE_MORE_TRY		4
#define WALK_MAX		16	/* messages looked at one by one */

/* A barrier's question to one bucket, and where its answer stands. */
enum proof { PROOF_ASK, PROOF_WAITING, PROOF_DOUBT, PROOF_FRESH,
	PROOF_FAILED };

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

struct watch {
	char			 stream[STREAM_MAX];
	char			 prefix[SUBJECT_MAX];	/* $KV.<bucket>. */
	char			 filter[SUBJECT_MAX];
	const struct watch_ops	*ops;
	void			*table;

	struct bus		*bus;
	struct bus_sub		*sub;
	struct binding		*binding;	/* NULL: bound, or failed */
	int64_t			 binding_ms;	/* since, or since the bucket's
						   leader was heard */
	unsigned		 tries;
	struct error		 failed;	/* code 0: not */
	char			 name[ID_MAX + 24];	/* w_<id> */
	char			 created[48];		/* the bucket's */
	uint64_t		 n_bound;
	uint64_t		 consumer_seq;
	uint64_t		 run_seq;	/* no gap from here to */
	uint64_t		 applied_seq;
	struct keyset		 keys;		/* of all that was applied */
	/* What the stream holds besides ours, counted when known_seq was the
	 * last; all that came up to there was ours or is counted. */
	uint64_t		 n_foreign;
	uint64_t		 known_seq;
	int64_t			 known_ns;
	bool			 counted;
	int64_t			 heard_ms;
	/* the answer to the barrier's question, and when it was asked */
	struct js_stream	 now;
	uint64_t		 asked_seq;	/* applied then */
	unsigned		 n_odd;		/* answers that were no proof */
	bool			 synced, doubt;
	bool			 anew;		/* w_<id>_<random> */
	bool			 asking;	/* a question is on its way */
	enum proof		 proof;
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
	give_up(w);
	w->ops->reset(w->table);
	keyset_clear(&w->keys);
	free(w);
}

void
watch_name_anew(struct watch *w)
{
	w->anew = true;
}

/* --- what a stream says of itself -------------------------------------------- */

/* Has nothing been stored, removed or made anew between? */
static bool
stream_is_same(const struct js_stream *a, const struct js_stream *b)
{
	return a->messages == b->messages && a->last_seq == b->last_seq &&
	    strcmp(a->last_time, b->last_time) == 0 &&
	    strcmp(a->created, b->created) == 0;
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

	w->counted = stream_is_same(&b->before, after) &&
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
	w->sub = NULL;		/* went with its bus */
	w->bus = NULL;
	w->synced = false;
}

void
watch_leave(struct watch *w)
{
	forget(w);
	w->bus = NULL;
}

bool
watch_synced(const struct watch *w)
{
	return w->synced && !w->doubt && w->binding == NULL &&
	    w->failed.code == 0;
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
			advance(w, d.stream_seq, js_stored_ns(reply));
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

/* --- the barrier ------------------------------------------------------------------ */

/*
 * Nothing came since known_seq, and as many messages are there as keys were
 * applied and foreign ones counted: none was removed.  Otherwise the answer is
 * not looked into before it was odd twice: mostly the watch is a little late.
 */
static enum proof
judge(struct watch *w)
{
	const struct js_stream	*now = &w->now;

	if (w->counted && now->last_seq == w->known_seq &&
	    now->messages == w->keys.n + w->n_foreign &&
	    now->max_per_subject == 1 &&
	    js_time_ns(now->last_time) == w->known_ns &&
	    strcmp(now->created, w->created) == 0)
		return PROOF_FRESH;
	if (w->applied_seq != w->asked_seq || w->n_odd++ == 0)
		return PROOF_ASK;
	return PROOF_DOUBT;
}

static void
on_info(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct watch	*w = arg;

	w->asking = false;
	if (w->proof != PROOF_WAITING)
		return;
	if (outcome != BUS_OK || js_stream_parse(reply, &w->now, NULL) == -1)
		w->proof = PROOF_FAILED;
	else
		w->proof = judge(w);
}

static int
ask(struct watch *w, int64_t timeout_ms, struct error *e)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .data = "" };

	/* The answer to an earlier barrier's question proves nothing now. */
	if (w->asking)
		return 0;
	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s",
	    w->stream);
	if (bus_request(w->bus, &p, timeout_ms, on_info, w, e) == -1)
		return -1;
	w->proof = PROOF_WAITING;
	w->asked_seq = w->applied_seq;
	w->asking = true;
	return 0;
}

/* The table is to be read anew. */
static int
distrust(struct watch *w, const char *why, struct error *e)
{
	log_warn("bucket to be read anew", "bucket=%s reason=\"%s\" "
	    "applied=%llu last=%llu", w->stream, why,
	    (unsigned long long)w->applied_seq,
	    (unsigned long long)w->now.last_seq);
	w->doubt = true;
	return error_set(e, EX_TEMPFAIL, "%s: %s", w->stream, why);
}

/* Is a stored message one that the watch brings? */
static bool
is_ours(const struct watch *w, const char *subject)
{
	size_t	n = strlen(w->filter);

	if (w->filter[n - 1] == '>')
		return strncmp(subject, w->filter, n - 1) == 0;
	return strcmp(subject, w->filter) == 0;
}

/*
 * Was all that is stored from known_seq to now.last_seq applied here?  A gap
 * is mostly ours, replaced before it was sent.  1: yes, and it is known now;
 * or the watch is late: ask again.  0: a foreign one, or too much to see.
 */
static int
walk(struct watch *w, struct error *e)
{
	struct js_message	m;
	uint64_t		at = w->known_seq + 1, seq;
	bool			ours;
	int			i, found;

	for (i = 0; i < WALK_MAX; i++) {
		found = js_get(w->bus, w->stream, JS_NEXT_BY_SUBJECT, at, ">",
		    &m, e);
		if (found == -1)
			return -1;
		if (found == 0)
			break;
		seq = m.seq;
		ours = is_ours(w, m.subject);
		js_message_free(&m);
		if (seq > w->now.last_seq)
			break;
		if (!ours)
			return 0;
		if (seq > w->applied_seq)
			return 1;
		at = (seq >= w->run_seq ? w->applied_seq : seq) + 1;
	}
	if (i == WALK_MAX)
		return 0;
	/* What came meanwhile may have made more known already. */
	if (w->known_seq < w->now.last_seq) {
		w->known_seq = w->now.last_seq;
		w->known_ns = js_time_ns(w->now.last_time);
	}
	return 1;
}

/*
 * The broker counts our keys, then has nothing newer for us: as many as were
 * applied means the same ones.  What the stream holds besides is foreign, if
 * it stood still from the barrier's question until after the count.
 */
static int
settle_by_count(struct watch *w, struct error *e)
{
	struct js_stream	after;
	struct js_message	m;
	uint64_t		n;
	int			found;

	if (js_stream_count(w->bus, w->stream, w->filter, &n, e) == -1) {
		w->doubt = true;	/* too many to count in time */
		return -1;
	}
	found = js_get(w->bus, w->stream, JS_NEXT_BY_SUBJECT,
	    w->asked_seq + 1, w->filter, &m, e);
	if (found == 1)
		js_message_free(&m);
	if (found == -1 || js_stream_info(w->bus, w->stream, &after, e) == -1)
		return -1;
	if (found == 1 || w->applied_seq != w->asked_seq) {
		w->proof = PROOF_ASK;
		return 0;
	}
	if (n == 0 && w->keys.n > 0) {
		keyset_clear(&w->keys);
		w->ops->reset(w->table);
	}
	if (n != w->keys.n)
		return distrust(w, "records were removed", e);
	w->proof = PROOF_FRESH;
	if (stream_is_same(&w->now, &after)) {
		w->counted = after.max_per_subject == 1;
		w->n_foreign = after.messages - n;
		w->known_seq = after.last_seq;
		w->known_ns = js_time_ns(after.last_time);
	}
	return 0;
}

/*
 * Two answers were no proof.  The bucket is another one; or records expired or
 * were removed; or something came that is not for us; or the watch is late.
 */
static int
settle(struct watch *w, struct error *e)
{
	const struct js_stream	*now = &w->now;
	int			 r;

	if (strcmp(now->created, w->created) != 0 ||
	    now->last_seq < w->asked_seq)
		return distrust(w, "replaced", e);
	/* More has come since the question: the doubt may be over. */
	if (w->applied_seq != w->asked_seq) {
		w->proof = PROOF_ASK;
		return 0;
	}
	if (now->last_seq == w->known_seq &&
	    js_time_ns(now->last_time) != w->known_ns)
		return distrust(w, "its past changed", e);
	if (w->counted && now->last_seq > w->known_seq) {
		if ((r = walk(w, e)) == -1)
			return -1;
		if (r == 1) {
			w->proof = PROOF_ASK;
			return 0;
		}
	}
	return settle_by_count(w, e);
}

/* One step of one watch's proof.  1: fresh; 0: go on; -1: *e. */
static int
proof_step(struct watch *w, int64_t left_ms, struct error *e)
{
	if (!watch_synced(w))
		return error_set(e, EX_TEMPFAIL, "%s: not read yet",
		    w->stream);
	switch (w->proof) {
	case PROOF_FRESH:
		return 1;
	case PROOF_ASK:
		return ask(w, left_ms, e);
	case PROOF_DOUBT:
		/* Fresh or to be asked again: not after a turn's wait. */
		return settle(w, e) == -1 ? -1 : proof_step(w, left_ms, e);
	case PROOF_FAILED:
		return error_set(e, EX_TEMPFAIL, "%s: no proof of freshness",
		    w->stream);
	case PROOF_WAITING:
		break;
	}
	return 0;
}

void
watch_prove(struct watch_proof *p, struct watch *const *v, size_t n,
    int64_t timeout_ms)
{
	size_t	i;

	*p = (struct watch_proof){ .v = v, .n = n, .start_ms = clock_ms(),
		.timeout_ms = timeout_ms };
	for (i = 0; i < n; i++) {
		v[i]->proof = PROOF_ASK;
		v[i]->n_odd = 0;
	}
}

int
watch_prove_step(const struct watch_proof *p, struct bus *b,
    struct error *e)
{
	size_t	i, fresh = 0;
	int64_t	took;
	int	r;

	for (i = 0; i < p->n; i++) {
		r = proof_step(p->v[i], p->timeout_ms, e);
		if (r == -1)
			return -1;
		fresh += (size_t)r;
	}
	if (fresh == p->n)
		return 1;
	if (!bus_alive(b))
		return error_set(e, EX_TEMPFAIL, "connection lost: %s",
		    bus_why(b));
	took = clock_ms() - p->start_ms;
	if (took <= DOUBT_MS && took <= p->timeout_ms)
		return 0;
	for (i = 0; i < p->n; i++)
		if (p->v[i]->proof != PROOF_FRESH)
			p->v[i]->doubt = true;
	return error_set(e, EX_TEMPFAIL, "no proof of freshness in time");
}

int
watch_barrier(struct bus *b, struct watch *const *v, size_t n,
    int64_t timeout_ms, struct error *e)
{
	struct watch_proof	p;
	int			r;

	watch_prove(&p, v, n, timeout_ms);
	while ((r = watch_prove_step(&p, b, e)) == 0)
		bus_turn(b, NULL, 0, 50);
	return r == 1 ? 0 : -1;
}
