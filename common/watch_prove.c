/* SPDX-License-Identifier: ISC */

/* Is a table as its bucket is now?  (Design, "Freshness".) */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "watch_impl.h"

#define DOUBT_MS	1000	/* a barrier may wait so long */
#define WALK_MAX	16	/* messages looked at one by one */

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
	if (js_stream_same(&w->now, &after)) {
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
