/* SPDX-License-Identifier: ISC */

/*
 * durableJoin (wire section 5 and 6): commit the interval, fence it against
 * fan-out, copy what lies between, activate.  The record routes from the
 * first commit on; `activated` only gates what is reported.
 */
#include <stdlib.h>
#include <string.h>

#include "catchup.h"
#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "registry.h"
#include "watch.h"

/* A join may wait so long, and then copy so long; the others behind it wait
 * 5 s for theirs. */
#define JOIN_MS		2000
#define BARRIER_MS	2000
#define IDLE_MS		250

static int
chat_frontier(struct control *c, uint64_t *seq, struct error *e)
{
	struct js_stream	info;

	if (js_stream_info(c->bus, c->chat, &info, e) == -1)
		return -1;
	*seq = info.last_seq;
	return 0;
}

/* Above the fence a message had not been delivered to fan-out when the
 * record was committed: its batch's barrier sees the record. */
static int
read_fence(struct control *c, uint64_t *fence, struct error *e)
{
	struct js_consumer	info;

	if (chat_frontier(c, fence, e) == -1)
		return -1;
	if (js_consumer_info(c->bus, c->chat, c->fanout, &info, e) == -1)
		return e->api == JS_NO_CONSUMER ? 0 : -1;
	if (info.delivered_seq > *fence)
		*fence = info.delivered_seq;
	js_consumer_free(&info);
	return 0;
}

/* --- an earlier interval ----------------------------------------------------------- */

/*
 * Fan-out: has it passed the last message of that interval?  1, 0, -1 *e.
 * That nothing is pending is no answer: a broker under load tells a consumer
 * of a message some time after it has stored it.
 */
static int
fanout_passed(struct control *c, uint64_t leave_seq, struct error *e)
{
	struct js_consumer	info;
	struct js_message	m;
	char			filter[SUBJECT_MAX];
	int			found;

	if (js_consumer_info(c->bus, c->chat, c->fanout, &info, e) == -1)
		return -1;
	js_consumer_free(&info);
	if (info.ack_floor_seq >= leave_seq)
		return 1;
	/* What lies between may be gone. */
	subject_chat(filter, sizeof(filter), c->role->config.space, "*", ">");
	found = js_get(c->bus, c->chat, JS_NEXT_BY_SUBJECT,
	    info.ack_floor_seq + 1, filter, &m, e);
	if (found != 1)
		return found == 0 ? 1 : -1;
	js_message_free(&m);
	return m.seq > leave_seq;
}

/* All of this owner that the interval was owed is in INBOX by now. */
static int
note_owed(struct control *c, struct waiting *w, struct error *e)
{
	struct js_stream	inbox;

	if (js_stream_info(c->bus, c->inbox, &inbox, e) == -1)
		return -1;
	w->owed_seq = inbox.last_seq;
	w->noted = true;
	w->noted_at = headroom_words(&c->headroom);
	w->idle_ms = 0;
	return 0;
}

/*
 * The last entries of INBOX may be another shard's, or gone: the reader never
 * comes to them.  It has nothing to do, and has had nothing for so long that
 * it would have heard of what was stored before.
 */
static bool
reader_is_idle(struct waiting *w, const struct js_consumer *reader)
{
	bool	busy = reader->n_pending > 0 || reader->n_ack_pending > 0;

	if (busy || reader->delivered_seq != w->idle_seq || w->idle_ms == 0) {
		w->idle_seq = reader->delivered_seq;
		w->idle_ms = busy ? 0 : clock_ms();
		return false;
	}
	return clock_ms() - w->idle_ms >= IDLE_MS;
}

/*
 * The reader's floor stands still behind whatever owner it defers.  Its word,
 * said since, tells whether it is this one.
 */
static int
reader_passed(struct control *c, const struct request *rq, struct error *e)
{
	struct waiting		*w = rq->wait;
	struct js_consumer	 info;

	if (!w->noted && note_owed(c, w, e) == -1)
		return -1;
	if (js_consumer_info(c->bus, c->inbox, c->reader, &info, e) == -1)
		return -1;
	js_consumer_free(&info);
	return info.ack_floor_seq >= w->owed_seq ||
	    headroom_passed(&c->headroom, rq->caller, w->noted_at,
	    w->owed_seq) || reader_is_idle(w, &info);
}

/*
 * Is all that the caller was owed up to leave_seq dealt with, so that nobody
 * will ask for that interval again?  1; 0: not yet, run the request again; -1
 * with *e, also when it has waited for long enough.
 */
static int
passed(struct control *c, const struct request *rq, uint64_t leave_seq,
    struct error *e)
{
	struct waiting	*w = rq->wait;
	int		 r = 1;

	if (w->until_ms == 0 || w->leave_seq != leave_seq) {
		if (w->until_ms == 0)
			w->until_ms = clock_ms() + JOIN_MS;
		w->leave_seq = leave_seq;
		w->noted = false;
	}
	if (!w->noted)
		r = fanout_passed(c, leave_seq, e);
	if (r == 1)
		r = reader_passed(c, rq, e);
	if (r == 0 && clock_ms() >= w->until_ms)
		return error_set(e, EX_TEMPFAIL, "what an earlier membership "
		    "was owed is still being delivered; " CTL_LATER);
	return r;
}

/*
 * The interval that ends must stay in the record while a lagging worker may
 * still ask for it.  The record holds one: a second rejoin waits for the
 * first to be done with.  1; 0: it waits; -1 *e.
 */
static int
keep_previous(struct control *c, const struct request *rq,
    struct membership *m, struct error *e)
{
	int	r;

	if (!m->now.left)
		return 1;
	if (m->has_previous && (r = passed(c, rq, m->previous.leave_seq, e))
	    != 1)
		return r;
	m->previous = m->now;
	m->has_previous = true;
	return 1;
}

static bool
is_beyond(const struct interval *i, uint64_t frontier)
{
	return i->join_seq > frontier ||
	    (i->left && i->leave_seq > frontier);
}

/*
 * Cursors that CHAT has not come to are those of a stream that was there
 * before it: what they say is not of this one, and nothing is owed by them.
 * Closed at 0, an interval entitles to nothing.
 */
static void
forget_beyond(struct membership *m, uint64_t frontier)
{
	if (m->has_previous && is_beyond(&m->previous, frontier)) {
		m->previous = (struct interval){ .left = true };
		m->has_previous = false;
	}
	if (!is_beyond(&m->now, frontier))
		return;
	log_warn("membership of another stream", "channel=%s owner=%s "
	    "joinCursor=%llu last=%llu", log_str(m->channel),
	    log_str(m->owner), (unsigned long long)m->now.join_seq,
	    (unsigned long long)frontier);
	m->has_previous = false;
	m->now = (struct interval){ .left = true };
	m->state = MEMBER_LIVE_CONFIRMED;
	m->activated = false;
}

/* --- joining ------------------------------------------------------------------------- */

static char *
copy_string(const char *s)
{
	char	*d = strdup(s);

	if (d == NULL)
		fatal_memory();
	return d;
}

/* A new interval in r, from frontier on; not written yet.  1; 0: it waits;
 * -1 *e. */
static int
open_interval(struct control *c, const struct request *rq,
    struct registered *r, uint64_t frontier, struct error *e)
{
	struct membership	*m = &r->m;
	int			 rv;

	if (!r->exists) {
		m->channel = copy_string(rq->channel);
		m->owner = copy_string(rq->caller);
	} else if ((rv = keep_previous(c, rq, m, e)) != 1)
		return rv;
	m->now.join_seq = frontier;
	m->now.left = false;
	m->now.leave_seq = 0;
	m->state = MEMBER_DURABLE_ACTIVE;
	m->generation++;
	m->activated = false;
	m->fence_seq = 0;
	return 1;
}

static int
answer(cJSON *data, bool durable, uint64_t generation, const char *reason)
{
	if (!json_set_bool(data, "durable", durable) ||
	    !json_set_u64(data, "generation", generation) ||
	    (reason != NULL && !json_set_str(data, "reason", reason)))
		fatal_memory();
	return 0;
}

#define SUPERSEDED "activation superseded by a concurrent leave or rejoin"
#define EVICTED "activation catch-up window partially evicted by retention"

/* The window is lost for good: close it, so that nothing routes to a member
 * that was told it is none. */
static int
degrade(struct control *c, const struct window *w, cJSON *data,
    struct error *e)
{
	if (registry_tombstone(c, w->channel, w->owner, w->generation,
	    w->fence_seq, e) == WRITE_FAILED)
		return -1;
	return answer(data, false, w->generation, EVICTED);
}

/*
 * What was copied for a layout that has gone is read by nobody: the table as
 * it is now, behind the last copy, must say that it stands.
 */
static int
check_layout(struct control *c, struct error *e)
{
	if (watch_barrier(c->bus, &c->members_watch, 1, BARRIER_MS, e) == -1)
		return -1;
	return control_check_layout(c, e);
}

static int
activate(struct control *c, const struct window *w, cJSON *data,
    struct error *e)
{
	int	evicted = catchup_evicted(c, w, e);

	if (evicted == 0 && catchup_copy(c, w, e) == -1)
		return -1;
	/* Once more: what was there when we looked may have gone since. */
	if (evicted == 0)
		evicted = catchup_evicted(c, w, e);
	if (evicted == -1)
		return -1;
	if (check_layout(c, e) == -1)
		return -1;
	if (evicted == 1)
		return degrade(c, w, data, e);
	switch (registry_activate(c, w->channel, w->owner, w->generation,
	    w->join_seq, e)) {
	case WRITTEN:
		return answer(data, true, w->generation, NULL);
	case WRITE_SUPERSEDED:
		return answer(data, false, w->generation, SUPERSEDED);
	case WRITE_FAILED:
		break;
	}
	return -1;
}

enum commit { COMMITTED, COMMIT_WAITS, COMMIT_RACED, COMMIT_FAILED };

static enum commit
committed(enum written w)
{
	return w == WRITTEN ? COMMITTED : w == WRITE_SUPERSEDED ?
	    COMMIT_RACED : COMMIT_FAILED;
}

/* What is new of the record: the interval, then its fence. */
static enum commit
commit(struct control *c, const struct request *rq, struct registered *r,
    uint64_t frontier, struct error *e)
{
	enum written	w = WRITTEN;
	int		rv;

	if (!r->exists || !membership_is_open(&r->m)) {
		rv = open_interval(c, rq, r, frontier, e);
		if (rv != 1)
			return rv == 0 ? COMMIT_WAITS : COMMIT_FAILED;
		w = registry_write(c, r, e);
	}
	if (w == WRITTEN && r->m.fence_seq == 0) {
		if (read_fence(c, &r->m.fence_seq, e) == -1)
			return COMMIT_FAILED;
		/* A retry, however late, must not copy everything since. */
		if (r->m.fence_seq > 0)
			w = registry_write(c, r, e);
	}
	return committed(w);
}

static enum commit
read_and_commit(struct control *c, const struct request *rq,
    struct registered *r, struct error *e)
{
	uint64_t	frontier;

	if (registry_read(c, rq->channel, rq->caller, r, e) == -1)
		return COMMIT_FAILED;
	if (chat_frontier(c, &frontier, e) == -1)
		return COMMIT_FAILED;
	if (r->exists)
		forget_beyond(&r->m, frontier);
	if (r->exists && membership_is_open(&r->m) && r->m.activated)
		return COMMITTED;
	return commit(c, rq, r, frontier, e);
}

static int
join(struct control *c, const struct request *rq, cJSON *data,
    struct error *e)
{
	struct registered	r;
	struct window		w = { .channel = rq->channel,
				    .owner = rq->caller,
				    .deadline_ms = clock_ms() + JOIN_MS };
	enum commit		did;
	bool			active;
	int			i;

	for (i = 0; i < REGISTRY_TRIES; i++) {
		did = read_and_commit(c, rq, &r, e);
		w.join_seq = r.m.now.join_seq;
		w.fence_seq = r.m.fence_seq;
		w.generation = r.m.generation;
		active = r.m.activated;
		registered_free(&r);
		switch (did) {
		case COMMITTED:
			return active ? answer(data, true, w.generation,
			    NULL) : activate(c, &w, data, e);
		case COMMIT_WAITS:
			return 1;
		case COMMIT_RACED:
			break;
		case COMMIT_FAILED:
			return -1;
		}
	}
	return error_set(e, EX_TEMPFAIL, "membership of \"%s\" changes too "
	    "fast; " CTL_LATER, rq->channel);
}

const struct op op_join = {
	.name = "durableJoin", .channel = true, .acl = true, .run = join };
