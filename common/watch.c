/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "watch.h"

#define HEARTBEAT_MS		500
#define SILENT_MS		1600	/* three heartbeats missed */
#define INACTIVE_MS		5000
#define DOUBT_MS		1000	/* a barrier may wait so long */

/* A barrier's question to one bucket, and where its answer stands. */
enum proof { PROOF_ASK, PROOF_WAITING, PROOF_BEHIND, PROOF_DOUBT,
	PROOF_FRESH, PROOF_FAILED };

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
	uint64_t		 applied_seq;
	int64_t			 applied_ns;
	/* newest message that is not for us, but proven to be no news; and
	 * the one that this is asked of now */
	uint64_t		 other_seq, odd_seq;
	int64_t			 other_ns, odd_ns;
	uint64_t		 asked_seq;	/* applied when we asked */
	uint64_t		 n_applied;		/* since the reset */
	int64_t			 heard_ms;
	uint64_t		 rebuilt_seq;	/* after a removal at this end */
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
	free(w);
}

void
watch_name_anew(struct watch *w)
{
	w->anew = true;
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
	w->consumer_seq = w->applied_seq = w->other_seq = w->n_applied = 0;
	w->applied_ns = w->other_ns = 0;
	w->ops->reset(w->table);
}

int
watch_bind(struct watch *w, struct bus *b, struct error *e)
{
	struct js_stream	 bucket;
	struct js_consumer	 c;
	char			 deliver[SUBJECT_MAX];
	cJSON			*config;
	int			 r;

	forget(w);
	w->bus = b;
	if (js_stream_info(b, w->stream, &bucket, e) == -1)
		return -1;
	if (w->created[0] != '\0' && strcmp(w->created, bucket.created) != 0)
		log_error("bucket was replaced", "bucket=%s was=%s now=%s",
		    w->stream, w->created, bucket.created);
	snprintf(w->created, sizeof(w->created), "%s", bucket.created);
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
	js_consumer_free(&c);
	return 0;
}

void
watch_unbind(struct watch *w)
{
	w->sub = NULL;		/* went with its bus */
	w->bus = NULL;
	w->synced = false;
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
	w->n_applied++;
}

/* An idle heartbeat says how far the consumer has come: more than we saw is
 * a gap. */
static void
heartbeat(struct watch *w, natsMsg *m)
{
	const char	*last = bus_header(m, "Nats-Last-Consumer");

	if (last != NULL && strtoull(last, NULL, 10) != w->consumer_seq)
		w->doubt = true;
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
			w->applied_seq = d.stream_seq;
			w->applied_ns = stored_ns(reply);
			if (d.pending == 0)
				w->synced = true;
		}
	} else if (bus_status(m) == 100)
		heartbeat(w, m);
	else if (bus_status(m) != 0)
		w->doubt = true;
	natsMsg_Destroy(m);
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

/* "2026-11-21T05:43:54.962412799Z" in ns since the epoch; 0 if it is not. */
static int64_t
time_ns(const char *s)
{
	struct tm	 tm;
	const char	*p;
	int64_t		 ns = 0, scale = 100000000;

	memset(&tm, 0, sizeof(tm));
	if ((p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL)
		return 0;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
			ns += (*p - '0') * scale;
	return (int64_t)timegm(&tm) * 1000000000 + ns;
}

static enum proof
judge(struct watch *w, const struct js_message *m)
{
	int64_t	ns = time_ns(m->time);

	if ((m->seq == w->applied_seq && ns == w->applied_ns) ||
	    (m->seq == w->other_seq && ns == w->other_ns))
		return PROOF_FRESH;
	if (m->seq > w->applied_seq &&
	    strncmp(m->subject, w->prefix, strlen(w->prefix)) == 0)
		return PROOF_BEHIND;
	w->odd_seq = m->seq;
	w->odd_ns = ns;
	return PROOF_DOUBT;
}

static void
on_newest(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct watch		*w = arg;
	struct js_message	 m;

	w->asking = false;
	if (w->proof != PROOF_WAITING)
		return;
	if (outcome != BUS_OK) {
		w->proof = PROOF_FAILED;
		return;
	}
	switch (js_get_parse(reply, &m, NULL)) {
	case 1:
		w->proof = judge(w, &m);
		js_message_free(&m);
		break;
	case 0:
		/* Empty, or only its newest message was removed. */
		w->odd_seq = 0;
		w->odd_ns = 0;
		w->proof = w->applied_seq != w->asked_seq ? PROOF_ASK :
		    PROOF_DOUBT;
		break;
	default:
		w->proof = PROOF_FAILED;
	}
}

static int
ask_newest(struct watch *w, int64_t timeout_ms, struct error *e)
{
	static const char	body[] = "{\"last_by_subj\":\">\"}";
	char			subject[SUBJECT_MAX];
	struct bus_pub		p = { .subject = subject, .data = body,
				    .len = sizeof(body) - 1 };

	/* The answer to an earlier barrier's question proves nothing now. */
	if (w->asking)
		return 0;
	js_get_subject(subject, sizeof(subject), w->stream);
	if (bus_request(w->bus, &p, timeout_ms, on_newest, w, e) == -1)
		return -1;
	w->proof = PROOF_WAITING;
	w->asked_seq = w->applied_seq;
	w->asking = true;
	return 0;
}

/* The bucket is empty: so is the table. */
static int
settle_empty(struct watch *w)
{
	if (w->n_applied > 0)
		w->ops->reset(w->table);
	w->n_applied = 0;
	w->proof = PROOF_FRESH;
	return 0;
}

/*
 * The newest message is not the one applied last, nor newer news: it expired
 * or was purged, a foreign subject got into the stream, or the bucket is
 * another one.  Two questions tell.
 */
static int
settle_doubt(struct watch *w, struct error *e)
{
	struct js_stream	info;
	struct js_message	m;
	uint64_t		applied = w->applied_seq;
	int			found;

	/* More has come since the question: the doubt may be over. */
	if (applied != w->asked_seq) {
		w->proof = PROOF_ASK;
		return 0;
	}
	if (js_stream_info(w->bus, w->stream, &info, e) == -1)
		return -1;
	if (strcmp(info.created, w->created) != 0 ||
	    info.last_seq < applied) {
		log_warn("bucket to be read anew", "bucket=%s applied=%llu "
		    "last=%llu", w->stream,
		    (unsigned long long)w->applied_seq,
		    (unsigned long long)info.last_seq);
		w->doubt = true;
		return error_set(e, EX_TEMPFAIL, "%s: replaced", w->stream);
	}
	found = js_get(w->bus, w->stream, JS_NEXT_BY_SUBJECT,
	    w->applied_seq + 1, w->filter, &m, e);
	if (found == 1)
		js_message_free(&m);
	if (found == 1 || w->applied_seq != applied) {
		w->proof = PROOF_ASK;
		return 0;
	}
	if (found == -1)
		return -1;
	if (info.messages == 0)
		return settle_empty(w);
	if (w->odd_seq < w->applied_seq && w->rebuilt_seq != info.last_seq) {
		/* What we hold was removed: hold what is still there. */
		w->rebuilt_seq = info.last_seq;
		w->doubt = true;
		return error_set(e, EX_TEMPFAIL, "%s: records were removed",
		    w->stream);
	}
	if (w->odd_seq == 0) {
		w->proof = PROOF_FRESH;
		return 0;
	}
	/* Only of the message that was asked about: a newer one may have been
	 * committed meanwhile. */
	w->other_seq = w->odd_seq;
	w->other_ns = w->odd_ns;
	w->proof = PROOF_FRESH;
	return 0;
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
	case PROOF_BEHIND:		/* the watch will bring it */
	case PROOF_ASK:
		return ask_newest(w, left_ms, e);
	case PROOF_DOUBT:
		return settle_doubt(w, e);
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

	for (i = 0; i < n; i++)
		v[i]->proof = PROOF_ASK;
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
