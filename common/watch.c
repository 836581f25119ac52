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
#define WALK_MAX		16	/* messages looked at one by one */

/* A barrier's question to one bucket, and where its answer stands. */
enum proof { PROOF_ASK, PROOF_WAITING, PROOF_DOUBT, PROOF_FRESH,
	PROOF_FAILED };

struct watch {
	char			 stream[STREAM_MAX];
	char			 prefix[SUBJECT_MAX];	/* $KV.<bucket>. */
	char			 filter[SUBJECT_MAX];
	const struct watch_ops	*ops;
	void			*table;

	struct bus		*bus;
	struct bus_sub		*sub;
	char			 name[ID_MAX + 24];	/* w_<id> */
	char			 created[48];		/* the bucket's */
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

/* The name that the credential pins, free for use. */
static int
take_name(struct watch *w, struct error *e)
{
	if (w->anew) {
		snprintf(w->name, sizeof(w->name), "w_%s_%08x%08x",
		    bus_id(w->bus), randombytes_random(),
		    randombytes_random());
		return 0;
	}
	snprintf(w->name, sizeof(w->name), "w_%s", bus_id(w->bus));
	return js_consumer_delete(w->bus, w->stream, w->name, e);
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
	if (w->sub != NULL && w->bus != NULL)
		bus_unsubscribe(w->bus, w->sub);
	w->sub = NULL;
	w->synced = w->doubt = false;
	w->counted = false;
	w->consumer_seq = w->run_seq = w->applied_seq = 0;
	keyset_clear(&w->keys);
	w->ops->reset(w->table);
}

/*
 * The bucket as it was just before the consumer was made, which found n_ours
 * in it.  If it is still the same, the rest is foreign.
 */
static int
count_at_birth(struct watch *w, const struct js_stream *before,
    uint64_t n_ours, struct error *e)
{
	struct js_stream	after;

	if (js_stream_info(w->bus, w->stream, &after, e) == -1)
		return -1;
	w->counted = stream_is_same(before, &after) &&
	    after.max_per_subject == 1 && after.messages >= n_ours;
	w->n_foreign = after.messages - n_ours;
	return 0;
}

int
watch_bind(struct watch *w, struct bus *b, struct error *e)
{
	struct js_stream	 bucket;
	struct js_consumer	 c;
	char			 deliver[SUBJECT_MAX];
	cJSON			*config;
	uint64_t		 n;
	int			 r;

	forget(w);
	w->bus = b;
	if (js_stream_info(b, w->stream, &bucket, e) == -1)
		return -1;
	if (w->created[0] != '\0' && strcmp(w->created, bucket.created) != 0)
		log_error("bucket was replaced", "bucket=%s was=%s now=%s",
		    w->stream, w->created, bucket.created);
	snprintf(w->created, sizeof(w->created), "%s", bucket.created);
	w->known_seq = bucket.last_seq;
	w->known_ns = js_time_ns(bucket.last_time);
	if (take_name(w, e) == -1)
		return -1;
	bus_inbox(b, deliver, sizeof(deliver), "w");
	w->sub = bus_subscribe(b, deliver, NULL, on_message, w, e);
	if (w->sub == NULL)
		return -1;
	if ((config = watch_config(w, deliver)) == NULL)
		return error_errno(e, EX_OSERR, "watch");
	w->heard_ms = clock_ms();
	r = js_consumer_create(b, w->stream, w->name, config, &c, e);
	cJSON_Delete(config);
	if (r == -1)
		return -1;
	/* Messages may have come before this answer.  The stream sequence says
	 * nothing: it begins behind what has expired. */
	if (c.n_pending == 0 && c.n_delivered == 0)
		w->synced = true;
	n = c.n_pending + c.n_delivered;
	js_consumer_free(&c);
	return count_at_birth(w, &bucket, n, e);
}

void
watch_unbind(struct watch *w)
{
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
	return w->synced && !w->doubt;
}

int
watch_tend(struct watch *w, struct error *e)
{
	int64_t	silent = clock_ms() - w->heard_ms;

	if (!w->doubt && silent < SILENT_MS)
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

/* The ack subject's fourth number is the store's time in ns. */
static int64_t
stored_ns(const char *reply)
{
	int	dots = 0;

	for (; *reply != '\0'; reply++)
		if (*reply == '.' && ++dots == 7)
			return strtoll(reply + 1, NULL, 10);
	return 0;
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
			advance(w, d.stream_seq, stored_ns(reply));
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
		if (v[i]->doubt && watch_tend(v[i], e) == -1)
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

int
watch_barrier(struct bus *b, struct watch *const *v, size_t n,
    int64_t timeout_ms, struct error *e)
{
	int64_t	start = clock_ms();
	size_t	i, fresh;
	int	r;

	for (i = 0; i < n; i++) {
		v[i]->proof = PROOF_ASK;
		v[i]->n_odd = 0;
	}
	for (;;) {
		for (fresh = i = 0; i < n; i++) {
			r = proof_step(v[i], timeout_ms, e);
			if (r == -1)
				return -1;
			fresh += (size_t)r;
		}
		if (fresh == n)
			return 0;
		if (!bus_alive(b))
			return error_set(e, EX_TEMPFAIL, "connection lost: %s",
			    bus_why(b));
		if (clock_ms() - start > DOUBT_MS ||
		    clock_ms() - start > timeout_ms) {
			for (i = 0; i < n; i++)
				if (v[i]->proof != PROOF_FRESH)
					v[i]->doubt = true;
			return error_set(e, EX_TEMPFAIL,
			    "no proof of freshness in time");
		}
		bus_turn(b, NULL, 0, 50);
	}
}
