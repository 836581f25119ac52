/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "intake_impl.h"
#include "json.h"
#include "log.h"
#include "losses.h"
#include "space.h"

#define HASTE_ACK_WAIT_MS	100	/* while recovering ... */
#define HASTE_MAX_MS		600	/* ... for so long, at most */
#define RECOVER_ASK_MS		100	/* no progress: look again */
#define RECOVER_WALK_MS		1000
#define RECOVER_GIVE_UP_MS	5000
#define PHANTOM_CHECK_MS	5000
#define WALK_MS			500	/* at a time */

static double
config_number(const cJSON *config, const char *name)
{
	const cJSON	*v = json_get(config, name);

	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static bool
config_put(cJSON *config, const char *name, double value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(config, name);
	return cJSON_AddNumberToObject(config, name, value) != NULL;
}

/* An update replaces everything: hand back the whole configuration. */
static int
set_ack_wait(struct intake *in, int64_t ms, struct error *e)
{
	struct js_consumer	c;
	int			r;

	if (js_consumer_info(in->bus, in->conf.stream, in->conf.durable, &c,
	    e) == -1)
		return -1;
	if (!config_put(c.config, "ack_wait", (double)ms * 1e6) ||
	    !config_put(c.config, "max_ack_pending",
	    DURABLE_MAX_ACK_PENDING))
		fatal_memory();
	r = js_consumer_create(in->bus, in->conf.stream, in->conf.durable,
	    c.config, NULL, e);
	js_consumer_free(&c);
	return r;
}

/* Hasten what is pending, and let nothing newer pass until it is back. */
static int
begin_haste(struct intake *in, const struct js_consumer *c, struct error *e)
{
	struct held	*h;
	int		 r;

	in->frontier_seq = in->high_seq = c->delivered_seq;
	in->owed = c->n_ack_pending;
	in->n_low = 0;
	RB_FOREACH(h, holding, &in->holding)
		in->n_low += h->seq <= in->frontier_seq;
	in->bound_ms = in->progress_ms = clock_ms();
	in->asked_ms = 0;
	in->gap = false;
	in->phase = PHASE_HASTE;
	r = set_ack_wait(in, HASTE_ACK_WAIT_MS, e);
	/* Only now: the store of a busy broker takes its time. */
	in->hastened_ms = clock_ms();
	return r;
}

/*
 * How many messages can the last worker of this host have left?  What it had
 * in hand, and what was on its way to it.  More than that went to another
 * host's: then nothing is known.
 */
static void
recall_hand(struct intake *in, const struct js_consumer *c)
{
	struct intake_progress	*p = in->conf.progress;
	uint64_t		 unseen;

	if (p == NULL || in->conf.losses == NULL)
		return;
	unseen = c->n_delivered > p->consumer_seq ?
	    c->n_delivered - p->consumer_seq : 0;
	if (p->bound == 0 || unseen > 2 * in->conf.batch)
		p->in_hand = 0;
	else
		p->in_hand += unseen;
	/* A purge moves `delivered` over what nobody was given. */
	if (p->bound != 0 && c->n_delivered == p->consumer_seq &&
	    p->newest_seq != 0 && p->newest_seq < in->seen_seq)
		in->seen_seq = p->newest_seq;
	p->bound = 1;
	p->consumer_seq = c->n_delivered;
	in->was_in_hand = p->in_hand;
	in->count_from_seq = p->floor_seq > p->lost_seq ? p->floor_seq :
	    p->lost_seq;
}

int
intake_recover_begin(struct intake *in, const struct js_consumer *c,
    struct error *e)
{
	in->frontier_seq = in->high_seq = in->newest_seq = c->delivered_seq;
	in->seen_seq = c->delivered_seq;
	recall_hand(in, c);
	if (c->n_ack_pending > 0)
		return begin_haste(in, c, e);
	in->bound_ms = clock_ms();
	in->phase = PHASE_COUNT;
	if (config_number(c->config, "ack_wait") !=
	    DURABLE_ACK_WAIT_MS * 1e6 ||
	    config_number(c->config, "max_ack_pending") !=
	    DURABLE_MAX_ACK_PENDING)
		return set_ack_wait(in, DURABLE_ACK_WAIT_MS, e);
	return 0;
}

/* --- what is gone ------------------------------------------------------------ */

static bool
in_hand(struct intake *in, uint64_t seq)
{
	return intake_find(in, seq) != NULL || (in->conf.is_deferred != NULL
	    && in->conf.is_deferred(in->conf.arg, seq));
}

static void
gone_add(struct gone *g, uint64_t seq)
{
	if (g->n++ == 0)
		g->first_seq = seq;
	g->last_seq = seq;
}

/* The first sequence from s to `upto` that is stored, of this subject, or
 * upto + 1. */
static int
next_stored(struct intake *in, const char *filter, uint64_t s, uint64_t upto,
    uint64_t *stored, struct error *e)
{
	struct js_message	m;
	int			found;

	found = js_get(in->bus, in->conf.stream, JS_NEXT_BY_SUBJECT, s,
	    filter, &m, e);
	if (found == -1)
		return -1;
	*stored = found == 1 && m.seq <= upto ? m.seq : upto + 1;
	if (found == 1)
		js_message_free(&m);
	return 0;
}

static void
tell(struct intake *in, const struct gone *g, uint64_t n)
{
	if (in->conf.losses != NULL && n > 0 && g->last_seq > in->told_seq)
		losses_add(in->conf.losses, g->first_seq - 1, g->last_seq + 1,
		    n, true);
}

/*
 * Of what the last worker had in hand not all is back: what is done is not
 * to be told from what was evicted, unless it is still stored.  So the count
 * is a bound: no more than are missing, and no more than are gone.  1: known;
 * 0: goes on in the next turn; -1: *e.
 */
static int
count_missing(struct intake *in, struct error *e)
{
	uint64_t	left, s, stored;
	int64_t		start = clock_ms();

	left = in->was_in_hand > in->n_low ? in->was_in_hand - in->n_low : 0;
	s = in->count_seq > in->count_from_seq ? in->count_seq :
	    in->count_from_seq + 1;
	while (s <= in->frontier_seq && in->missing.n < left) {
		if (clock_ms() - start >= WALK_MS &&
		    start - in->bound_ms < RECOVER_GIVE_UP_MS) {
			in->count_seq = s;
			return 0;
		}
		if (in_hand(in, s)) {
			s++;
			continue;
		}
		/* Another shard's is not gone. */
		if (next_stored(in, ">", s, in->frontier_seq, &stored, e) ==
		    -1)
			return -1;
		for (; s < stored && in->missing.n < left; s++)
			if (!in_hand(in, s))
				gone_add(&in->missing, s);
		s++;
	}
	return 1;
}

/* --- phantoms ------------------------------------------------------------------ */

static void
terminate(struct intake *in, uint64_t seq)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .data = "+TERM", .len = 5 };

	snprintf(subject, sizeof(subject), "$JS.ACK.%s.%s.1.%llu.%llu.1.0",
	    in->conf.stream, in->conf.durable, (unsigned long long)seq,
	    (unsigned long long)seq);
	(void)bus_publish(in->bus, &p, NULL);
	gone_add(&in->terminated, seq);
}

/*
 * So many are pending now that nobody has.  Of those that were terminated
 * some may have been done long ago: as many were phantoms as the server has
 * let go since.
 */
static void
count_phantoms(struct intake *in, uint64_t pending)
{
	struct gone	*t = &in->terminated;
	uint64_t	 n;

	if (t->n == 0 || pending >= in->phantom_pending)
		return;
	n = in->phantom_pending - pending;
	if (n > t->n)
		n = t->n;
	in->counts.phantoms += n;
	if (in->phase == PHASE_RUN)
		tell(in, t, n);
	else {
		if (in->phantoms.n == 0)
			in->phantoms.first_seq = t->first_seq;
		in->phantoms.last_seq = t->last_seq;
		in->phantoms.n += n;
	}
	t->n = 0;
}

/*
 * Walk (ack floor, delivered] and terminate what is no longer stored; goes on
 * where the last walk stopped, so that a long one does not hold up work.
 */
static int
walk_phantoms(struct intake *in, const struct js_consumer *c, uint64_t upto,
    uint64_t pending, struct error *e)
{
	uint64_t	s, stored;
	int64_t		start = clock_ms();

	if (in->terminated.n == 0)
		in->phantom_pending = pending;
	s = in->walk_seq > c->ack_floor_seq ? in->walk_seq :
	    c->ack_floor_seq + 1;
	while (s <= upto && clock_ms() - start < WALK_MS) {
		if (next_stored(in, in->conf.filter, s, upto, &stored, e) ==
		    -1)
			return -1;
		for (; s < stored; s++)
			if (!in_hand(in, s))
				terminate(in, s);
		s++;
	}
	in->walk_seq = s > upto ? 0 : s;
	return 0;
}

/* In the steady state: more is pending than in hand, and nothing comes. */
int
intake_watch_phantoms(struct intake *in, struct error *e)
{
	struct js_consumer	c;
	uint64_t		mine = in->n, pending;
	int64_t			now = clock_ms();
	int			r = 0;

	if (now - in->phantom_ms < PHANTOM_CHECK_MS)
		return 0;
	in->phantom_ms = now;
	if (js_consumer_info(in->bus, in->conf.stream, in->conf.durable, &c,
	    e) == -1)
		return -1;
	if (in->conf.deferred != NULL)
		mine += in->conf.deferred(in->conf.arg);
	pending = c.n_ack_pending > mine ? c.n_ack_pending - mine : 0;
	count_phantoms(in, pending);
	if (pending == 0 || in->counts.redelivered != in->redelivered_then)
		in->suspect = false;
	else if (!in->suspect)
		in->suspect = true;
	else
		r = walk_phantoms(in, &c, c.delivered_seq, pending, e);
	in->redelivered_then = in->counts.redelivered;
	js_consumer_free(&c);
	return r;
}

/* --- recovering ------------------------------------------------------------------ */

static void
recovered(struct intake *in)
{
	if (in->phantoms.n > in->missing.n)
		tell(in, &in->phantoms, in->phantoms.n);
	else
		tell(in, &in->missing, in->missing.n);
	in->phantoms.n = in->missing.n = in->terminated.n = 0;
	in->told_seq = in->frontier_seq;
	in->was_in_hand = 0;
	in->phase = PHASE_RUN;
	in->phantom_ms = clock_ms();
	in->walk_seq = 0;
	intake_note_hand(in);
	if (in->owed > 0)
		log_info("recovered", "consumer=%s back=%zu of=%llu parked="
		    "%zu ms=%lld", in->conf.durable, in->n_low,
		    (unsigned long long)in->owed, in->n - in->n_low,
		    (long long)(clock_ms() - in->bound_ms));
}

/* Not all are back and none has come for a while: ask what is still owed. */
static int
look_again(struct intake *in, struct error *e)
{
	struct js_consumer	c;
	uint64_t		newer = in->n - in->n_low, left;
	int64_t			now = clock_ms();
	int			r = 0;

	in->asked_ms = now;
	if (js_consumer_info(in->bus, in->conf.stream, in->conf.durable, &c,
	    e) == -1)
		return -1;
	in->owed = c.n_ack_pending > newer ? c.n_ack_pending - newer : 0;
	left = in->owed > in->n_low ? in->owed - in->n_low : 0;
	count_phantoms(in, left);
	if (left > 0 && now - in->bound_ms > RECOVER_GIVE_UP_MS) {
		log_warn("not all came back", "consumer=%s missing=%llu",
		    in->conf.durable, (unsigned long long)left);
		in->owed = in->n_low;
		in->unsure = true;
	} else if (left > 0 && now - in->bound_ms > RECOVER_WALK_MS)
		r = walk_phantoms(in, &c, in->frontier_seq, left, e);
	js_consumer_free(&c);
	return r;
}

/* What went elsewhere comes back later, and must not be overtaken. */
static int
recover_gap(struct intake *in, struct error *e)
{
	struct js_consumer	c;
	int			r;

	log_warn("deliveries went elsewhere", "consumer=%s held=%zu",
	    in->conf.durable, in->n);
	if (js_consumer_info(in->bus, in->conf.stream, in->conf.durable, &c,
	    e) == -1)
		return -1;
	r = begin_haste(in, &c, e);
	js_consumer_free(&c);
	return r;
}

static int
count(struct intake *in, struct error *e)
{
	int	r = count_missing(in, e);

	if (r == 1)
		recovered(in);
	return r == -1 ? -1 : 0;
}

/* What is owed is back; else, now and then, see what that is. */
static int
is_all_back(struct intake *in, struct error *e)
{
	int64_t	now = clock_ms();

	if (in->n_low < in->owed && now - in->progress_ms > RECOVER_ASK_MS &&
	    now - in->asked_ms > RECOVER_ASK_MS && look_again(in, e) == -1)
		return -1;
	return in->n_low >= in->owed;
}

/*
 * The ack wait is restored when all are back, as what is not would come only
 * after a long one; but not much later, as a phantom makes a consumer with a
 * short one stand still.
 */
static int
recover_step(struct intake *in, struct error *e)
{
	int	back = is_all_back(in, e);

	if (back == -1)
		return -1;
	if (in->phase == PHASE_HASTE) {
		if (!back && clock_ms() - in->hastened_ms < HASTE_MAX_MS)
			return 0;
		in->phase = PHASE_RECOVER;
		if (set_ack_wait(in, DURABLE_ACK_WAIT_MS, e) == -1)
			return -1;
	}
	return back;
}

int
intake_recover(struct intake *in, struct error *e)
{
	int	r;

	if (in->phase == PHASE_COUNT)
		return count(in, e);
	if (in->phase != PHASE_RUN && (r = recover_step(in, e)) != 1)
		return r;
	if (in->gap)
		return recover_gap(in, e);
	in->phase = PHASE_COUNT;
	return count(in, e);
}
