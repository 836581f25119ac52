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

/* A join may take so long; the others behind it wait 5 s for theirs. */
#define JOIN_MS		2000
#define POLL_MS		20
#define BARRIER_MS	2000

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
 * Have fan-out and reader passed leave_seq?  Then nothing that the interval
 * before it was owed is still on its way.  1, 0, -1 *e.
 */
static int
passed(struct control *c, uint64_t leave_seq, struct error *e)
{
	struct js_consumer	fanout, reader;
	struct js_stream	inbox;
	int			done;

	if (js_consumer_info(c->bus, c->chat, c->fanout, &fanout, e) == -1)
		return -1;
	done = fanout.ack_floor_seq >= leave_seq ||
	    (fanout.n_pending == 0 && fanout.n_ack_pending == 0);
	js_consumer_free(&fanout);
	if (!done)
		return 0;
	if (js_stream_info(c->bus, c->inbox, &inbox, e) == -1 ||
	    js_consumer_info(c->bus, c->inbox, c->reader, &reader, e) == -1)
		return -1;
	done = reader.ack_floor_seq >= inbox.last_seq ||
	    (reader.n_pending == 0 && reader.n_ack_pending == 0);
	js_consumer_free(&reader);
	return done;
}

static int
wait_passed(struct control *c, uint64_t leave_seq, int64_t deadline_ms,
    struct error *e)
{
	int	r;

	while ((r = passed(c, leave_seq, e)) == 0) {
		if (clock_ms() >= deadline_ms)
			return error_set(e, EX_TEMPFAIL, "what an earlier "
			    "membership was owed is still being delivered; "
			    "try again");
		if (control_turn(c, POLL_MS, e) == -1)
			return -1;
	}
	return r == 1 ? 0 : -1;
}

/*
 * The interval that ends must stay in the record while a lagging worker may
 * still ask for it.  The record holds one: a second rejoin waits for the
 * first to be done with.
 */
static int
keep_previous(struct control *c, struct membership *m, int64_t deadline_ms,
    struct error *e)
{
	if (!m->now.left)
		return 0;
	if (m->has_previous && wait_passed(c, m->previous.leave_seq,
	    deadline_ms, e) == -1)
		return -1;
	m->previous = m->now;
	m->has_previous = true;
	return 0;
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

/* A new interval in r, from here on; not written yet. */
static int
open_interval(struct control *c, const struct request *rq,
    struct registered *r, int64_t deadline_ms, struct error *e)
{
	struct membership	*m = &r->m;

	if (!r->exists) {
		m->channel = copy_string(rq->channel);
		m->owner = copy_string(rq->caller);
	} else if (keep_previous(c, m, deadline_ms, e) == -1)
		return -1;
	if (chat_frontier(c, &m->now.join_seq, e) == -1)
		return -1;
	m->now.left = false;
	m->now.leave_seq = 0;
	m->state = MEMBER_DURABLE_ACTIVE;
	m->generation++;
	m->activated = false;
	m->fence_seq = 0;
	return 0;
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

/* Commit what is new of the record: the interval, then its fence.  1: done;
 * 0: the race was lost; -1: *e. */
static int
commit(struct control *c, const struct request *rq, struct registered *r,
    int64_t deadline_ms, struct error *e)
{
	enum written	w = WRITTEN;

	if (!r->exists || !membership_is_open(&r->m)) {
		if (open_interval(c, rq, r, deadline_ms, e) == -1)
			return -1;
		w = registry_write(c, r, e);
	}
	if (w == WRITTEN && r->m.fence_seq == 0) {
		if (read_fence(c, &r->m.fence_seq, e) == -1)
			return -1;
		/* A retry, however late, must not copy everything since. */
		if (r->m.fence_seq > 0)
			w = registry_write(c, r, e);
	}
	return w == WRITTEN ? 1 : w == WRITE_SUPERSEDED ? 0 : -1;
}

static int
join(struct control *c, const struct request *rq, cJSON *data,
    struct error *e)
{
	int64_t			deadline = clock_ms() + JOIN_MS;
	struct registered	r;
	struct window		w = { .channel = rq->channel,
				    .owner = rq->caller,
				    .deadline_ms = deadline };
	int			i, rv;

	for (i = 0; i < REGISTRY_TRIES; i++) {
		if (registry_read(c, rq->channel, rq->caller, &r, e) == -1)
			return -1;
		if (r.exists && membership_is_open(&r.m) && r.m.activated) {
			rv = answer(data, true, r.m.generation, NULL);
			registered_free(&r);
			return rv;
		}
		rv = commit(c, rq, &r, deadline, e);
		w.join_seq = r.m.now.join_seq;
		w.fence_seq = r.m.fence_seq;
		w.generation = r.m.generation;
		registered_free(&r);
		if (rv == -1)
			return -1;
		if (rv == 1)
			return activate(c, &w, data, e);
	}
	return error_set(e, EX_TEMPFAIL, "membership of \"%s\" changes too "
	    "fast; try again", rq->channel);
}

const struct op op_join = {
	.name = "durableJoin", .channel = true, .acl = true, .run = join };
