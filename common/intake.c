/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "intake.h"
#include "json.h"
#include "log.h"
#include "records.h"
#include "space.h"

#define HASTE_ACK_WAIT_MS	100	/* while recovering ... */
#define HASTE_MS		200	/* ... for so long */
#define RECOVER_ASK_MS		100	/* no progress: look again */
#define RECOVER_WALK_MS		1000
#define RECOVER_GIVE_UP_MS	5000
#define KEEP_ALIVE_MS		600	/* well within the ack wait */
#define PHANTOM_CHECK_MS	5000
#define PHANTOM_WALK_MS		500	/* at a time */
#define STORE_TIMEOUT_MS	3000
#define SILENT_MS		1500	/* the link is dead: wait for nothing */
#define BACKOFF_MIN_MS		100
#define BACKOFF_MAX_MS		5000
#define HELD_BYTES_MAX		(32 * 1024 * 1024)
#define MSG_TOO_BIG		10054	/* JetStream: over max_msg_size */

RB_HEAD(holding, held);

enum phase { PHASE_HASTE, PHASE_RECOVER, PHASE_RUN };

struct intake {
	struct bus		*bus;
	struct intake_conf	 conf;
	struct pull		 pull;
	struct holding		 holding;
	size_t			 n, n_low;	/* in hand; at or below D */
	size_t			 bytes;		/* in hand */
	size_t			 unsettled;
	uint64_t		 settled, stored_seq;
	uint64_t		 arrivals;
	uint64_t		 scan_seq;	/* none untaken below */
	uint64_t		 high_seq;	/* the newest taken in, or D */
	enum phase		 phase;
	uint64_t		 frontier_seq;	/* D of the design */
	uint64_t		 owed;		/* pending at or below it */
	uint64_t		 next_delivery;	/* consumer sequence */
	bool			 gap;		/* some went elsewhere */
	int64_t			 bound_ms, progress_ms, asked_ms;
	int64_t			 kept_ms, phantom_ms, walked_ms;
	uint64_t		 walk_seq;
	uint64_t		 redelivered_then;
	bool			 suspect;	/* phantoms, at the last look */
	int64_t			 stalled_until_ms, backoff_ms;
	bool			 stopped;	/* the last answer frees it */
	struct intake_counts	 counts;
	uint64_t		 newest_seq;	/* delivered here */
	int64_t			 newest_ms;
	bool			 unsure;	/* something never came back */
};

static int
held_cmp(const struct held *a, const struct held *b)
{
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

RB_GENERATE_STATIC(holding, held, entry, held_cmp)

static struct held *
held_find(struct intake *in, uint64_t seq)
{
	struct held	key;

	key.seq = seq;
	return RB_FIND(holding, &in->holding, &key);
}

/* --- what we say to the server about a message ------------------------------ */

static void
answer_to(struct intake *in, natsMsg *m, const char *what)
{
	struct bus_pub	p = { .subject = natsMsg_GetReply(m),
			    .data = what, .len = strlen(what) };

	/* Lost with the connection is as good as not said: it comes again. */
	(void)bus_publish(in->bus, &p, NULL);
}

static void
answer(struct held *h, const char *what)
{
	answer_to(h->intake, h->msg, what);
}

static void
held_free(struct held *h)
{
	natsMsg_Destroy(h->msg);
	free(h);
}

static void
held_drop(struct held *h)
{
	struct intake	*in = h->intake;

	RB_REMOVE(holding, &in->holding, h);
	in->n--;
	in->bytes -= (size_t)natsMsg_GetDataLength(h->msg);
	if (h->seq <= in->frontier_seq)
		in->n_low--;
	if (h->unsettled > 0)
		h->orphan = true;
	else
		held_free(h);
}

/* All its stores have been answered. */
static void
settle(struct held *h)
{
	struct intake	*in = h->intake;

	if (h->failed) {
		intake_untake(h);
		return;
	}
	answer(h, h->terminate ? "+TERM" : "+ACK");
	in->counts.acked++;
	held_drop(h);
}

/* --- taking in ----------------------------------------------------------------- */

static void
on_delivery(void *arg, natsMsg *m, const struct js_delivery *d)
{
	struct intake	*in = arg;
	struct held	*h = held_find(in, d->stream_seq);

	in->counts.redelivered += d->deliveries > 1;
	in->counts.taken_in++;
	/* Another's late pull, or the wire, took those between. */
	if (d->consumer_seq != in->next_delivery)
		in->gap = true;
	in->next_delivery = d->consumer_seq + 1;
	if (d->stream_seq > in->newest_seq) {
		in->newest_seq = d->stream_seq;
		in->newest_ms = d->stored_ms;
	}
	if (in->conf.progress != NULL &&
	    d->stream_seq <= in->conf.progress->lost_seq &&
	    d->stored_ms <= in->conf.progress->lost_ms) {
		answer_to(in, m, "+ACK");
		natsMsg_Destroy(m);
		return;
	}
	if (h != NULL) {
		natsMsg_Destroy(h->msg);
		h->msg = m;
		h->deliveries = d->deliveries;
		h->touched_ms = clock_ms();
		return;
	}
	if ((h = calloc(1, sizeof(*h))) == NULL)
		fatal_memory();
	h->intake = in;
	h->msg = m;
	h->seq = d->stream_seq;
	if (h->seq > in->high_seq)
		in->high_seq = h->seq;
	h->arrival = ++in->arrivals;
	h->deliveries = d->deliveries;
	h->stored_ms = d->stored_ms;
	h->touched_ms = clock_ms();
	RB_INSERT(holding, &in->holding, h);
	in->n++;
	in->bytes += (size_t)natsMsg_GetDataLength(m);
	/* Newer ones, which keep coming, are no progress of a recovery. */
	if (h->seq <= in->frontier_seq) {
		in->n_low++;
		in->progress_ms = h->touched_ms;
	}
	if (h->seq < in->scan_seq)
		in->scan_seq = h->seq;
}

/* --- binding ----------------------------------------------------------------------- */

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

/* Nobody else's pull may be waiting: it would take messages with us. */
static int
wait_alone(struct intake *in, int64_t wait_ms, struct js_consumer *c,
    struct error *e)
{
	int64_t	start = clock_ms();

	for (;;) {
		if (js_consumer_info(in->bus, in->conf.stream,
		    in->conf.durable, c, e) == -1)
			return -1;
		if (c->n_waiting == 0)
			return 0;
		if (clock_ms() - start > wait_ms) {
			log_warn("another's pull still waits",
			    "consumer=%s waiting=%llu", in->conf.durable,
			    (unsigned long long)c->n_waiting);
			return 0;
		}
		js_consumer_free(c);
		bus_turn(in->bus, NULL, 0, 20);
	}
}

/* Hasten what is pending, and let nothing newer pass until it is back. */
static int
begin_recovery(struct intake *in, const struct js_consumer *c,
    struct error *e)
{
	struct held	*h;

	in->frontier_seq = in->high_seq = c->delivered_seq;
	in->owed = c->n_ack_pending;
	in->n_low = 0;
	RB_FOREACH(h, holding, &in->holding)
		in->n_low += h->seq <= in->frontier_seq;
	in->bound_ms = in->progress_ms = clock_ms();
	in->asked_ms = 0;
	in->gap = false;
	in->phase = PHASE_HASTE;
	return set_ack_wait(in, HASTE_ACK_WAIT_MS, e);
}

/* Has this durable, of which we know progress, never delivered anything? */
static void
recall(struct intake *in, const struct js_consumer *c)
{
	struct intake_progress	*p = in->conf.progress;

	if (p == NULL || c->n_delivered > 0 || p->floor_seq == 0)
		return;
	log_error("the broker has lost the durable's state",
	    "consumer=%s done=%llu", in->conf.durable,
	    (unsigned long long)p->floor_seq);
	/* Lost again before it was as far as then: that still holds. */
	if (p->floor_ms > p->lost_ms || p->floor_seq > p->lost_seq) {
		p->lost_seq = p->floor_seq;
		p->lost_ms = p->floor_ms;
	}
	p->floor_seq = 0;
}

/* All below what is in hand is done, if nothing can still come back. */
static void
note_progress(struct intake *in)
{
	struct intake_progress	*p = in->conf.progress;
	struct held		*h = RB_MIN(holding, &in->holding);
	uint64_t		 floor = h == NULL ? in->newest_seq : h->seq - 1;

	if (p != NULL && !in->unsure && !in->gap && (in->conf.deferred ==
	    NULL || in->conf.deferred(in->conf.arg) == 0) &&
	    (h != NULL || in->newest_ms != 0) && floor > p->floor_seq) {
		p->floor_ms = h == NULL ? in->newest_ms : h->stored_ms;
		p->floor_seq = floor;
	}
}

static int
adopt(struct intake *in, const struct js_consumer *c, struct error *e)
{
	const cJSON	*filter = json_get(c->config, "filter_subject");

	if (!cJSON_IsString(filter) ||
	    strcmp(filter->valuestring, in->conf.filter) != 0)
		return error_set(e, EX_CONFIG, "durable %s of %s has the "
		    "filter %s, not %s", in->conf.durable, in->conf.stream,
		    cJSON_IsString(filter) ? filter->valuestring : "(none)",
		    in->conf.filter);
	recall(in, c);
	in->next_delivery = c->n_delivered + 1;
	in->phase = PHASE_RUN;
	in->frontier_seq = in->newest_seq = c->delivered_seq;
	if (c->n_ack_pending > 0)
		return begin_recovery(in, c, e);
	in->bound_ms = clock_ms();
	if (config_number(c->config, "ack_wait") !=
	    DURABLE_ACK_WAIT_MS * 1e6 ||
	    config_number(c->config, "max_ack_pending") !=
	    DURABLE_MAX_ACK_PENDING)
		return set_ack_wait(in, DURABLE_ACK_WAIT_MS, e);
	return 0;
}

struct intake *
intake_start(struct bus *b, const struct intake_conf *conf, int64_t wait_ms,
    struct error *e)
{
	struct intake		*in;
	struct js_consumer	 c;
	int			 r;

	if ((in = calloc(1, sizeof(*in))) == NULL)
		fatal_memory();
	in->bus = b;
	in->conf = *conf;
	in->backoff_ms = BACKOFF_MIN_MS;
	RB_INIT(&in->holding);
	if (wait_alone(in, wait_ms, &c, e) == -1) {
		free(in);
		return NULL;
	}
	r = adopt(in, &c, e);
	js_consumer_free(&c);
	if (r == -1 || pull_start(&in->pull, b, conf->stream, conf->durable,
	    conf->batch, on_delivery, in, e) == -1) {
		free(in);
		return NULL;
	}
	log_info("bound", "consumer=%s delivered=%llu owed=%llu",
	    conf->durable, (unsigned long long)in->frontier_seq,
	    (unsigned long long)in->owed);
	return in;
}

void
intake_stop(struct intake *in)
{
	struct held	*h, *next;

	if (in == NULL)
		return;
	pull_stop(&in->pull);
	for (h = RB_MIN(holding, &in->holding); h != NULL; h = next) {
		next = RB_NEXT(holding, &in->holding, h);
		if (bus_alive(in->bus))
			answer(h, "-NAK");
		held_drop(h);
	}
	/* Open stores end at the latest when the bus is closed. */
	if (in->unsettled > 0 && bus_alive(in->bus)) {
		int64_t deadline = clock_ms() + STORE_TIMEOUT_MS;

		while (in->unsettled > 0 && bus_alive(in->bus) &&
		    bus_silent_ms(in->bus) < SILENT_MS &&
		    clock_ms() < deadline)
			bus_turn(in->bus, NULL, 0, 20);
	}
	in->stopped = true;
	if (in->unsettled == 0)
		free(in);
}

/* --- phantoms ------------------------------------------------------------------------ */

static void
terminate(struct intake *in, uint64_t seq)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .data = "+TERM", .len = 5 };

	snprintf(subject, sizeof(subject), "$JS.ACK.%s.%s.1.%llu.%llu.1.0",
	    in->conf.stream, in->conf.durable, (unsigned long long)seq,
	    (unsigned long long)seq);
	(void)bus_publish(in->bus, &p, NULL);
	in->counts.phantoms++;
}

static bool
in_hand(struct intake *in, uint64_t seq)
{
	return held_find(in, seq) != NULL || (in->conf.is_deferred != NULL &&
	    in->conf.is_deferred(in->conf.arg, seq));
}

/*
 * Walk (ack floor, delivered] and terminate what is no longer stored; goes on
 * where the last walk stopped, so that a long one does not hold up work.
 */
static int
walk_phantoms(struct intake *in, uint64_t floor, uint64_t delivered,
    struct error *e)
{
	struct js_message	m;
	uint64_t		s, stored;
	int64_t			start = clock_ms();
	int			found;

	s = in->walk_seq > floor ? in->walk_seq : floor + 1;
	while (s <= delivered && clock_ms() - start < PHANTOM_WALK_MS) {
		found = js_get(in->bus, in->conf.stream, JS_NEXT_BY_SUBJECT,
		    s, in->conf.filter, &m, e);
		if (found == -1)
			return -1;
		stored = found == 1 && m.seq <= delivered ? m.seq :
		    delivered + 1;
		if (found == 1)
			js_message_free(&m);
		for (; s < stored; s++)
			if (!in_hand(in, s))
				terminate(in, s);
		s++;
	}
	in->walk_seq = s > delivered ? 0 : s;
	return 0;
}

/* In the steady state: more is pending than in hand, and nothing comes. */
static int
watch_phantoms(struct intake *in, struct error *e)
{
	struct js_consumer	c;
	size_t			mine = in->n;
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
	if (c.n_ack_pending <= mine ||
	    in->counts.redelivered != in->redelivered_then)
		in->suspect = false;
	else if (!in->suspect)
		in->suspect = true;
	else
		r = walk_phantoms(in, c.ack_floor_seq, c.delivered_seq, e);
	in->redelivered_then = in->counts.redelivered;
	js_consumer_free(&c);
	return r;
}

/* --- recovering ------------------------------------------------------------------------ */

static void
recovered(struct intake *in)
{
	in->phase = PHASE_RUN;
	in->phantom_ms = clock_ms();
	in->walk_seq = 0;
	log_info("recovered", "consumer=%s back=%zu of=%llu parked=%zu ms=%lld",
	    in->conf.durable, in->n_low, (unsigned long long)in->owed,
	    in->n - in->n_low, (long long)(clock_ms() - in->bound_ms));
}

/* Not all are back and none has come for a while: ask what is still owed. */
static int
look_again(struct intake *in, struct error *e)
{
	struct js_consumer	c;
	uint64_t		newer = in->n - in->n_low;
	int64_t			now = clock_ms();
	int			r = 0;

	in->asked_ms = now;
	if (js_consumer_info(in->bus, in->conf.stream, in->conf.durable, &c,
	    e) == -1)
		return -1;
	in->owed = c.n_ack_pending > newer ? c.n_ack_pending - newer : 0;
	if (in->n_low < in->owed && now - in->bound_ms > RECOVER_GIVE_UP_MS) {
		log_warn("not all came back", "consumer=%s missing=%llu",
		    in->conf.durable,
		    (unsigned long long)(in->owed - in->n_low));
		in->owed = in->n_low;
		in->unsure = true;
	} else if (in->n_low < in->owed &&
	    now - in->bound_ms > RECOVER_WALK_MS)
		r = walk_phantoms(in, c.ack_floor_seq, in->frontier_seq, e);
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
	r = begin_recovery(in, &c, e);
	js_consumer_free(&c);
	return r;
}

static int
recover(struct intake *in, struct error *e)
{
	int64_t	now = clock_ms();

	if (in->phase == PHASE_HASTE) {
		if (now - in->bound_ms < HASTE_MS)
			return 0;
		if (set_ack_wait(in, DURABLE_ACK_WAIT_MS, e) == -1)
			return -1;
		in->phase = PHASE_RECOVER;
	}
	if (in->n_low < in->owed && now - in->progress_ms > RECOVER_ASK_MS &&
	    now - in->asked_ms > RECOVER_ASK_MS && look_again(in, e) == -1)
		return -1;
	if (in->n_low < in->owed)
		return 0;
	if (in->gap)
		return recover_gap(in, e);
	recovered(in);
	return 0;
}

/* --- every turn -------------------------------------------------------------------------- */

static void
keep_alive(struct intake *in)
{
	struct held	*h;
	int64_t		 now = clock_ms();

	if (now - in->kept_ms < KEEP_ALIVE_MS / 4)
		return;
	in->kept_ms = now;
	RB_FOREACH(h, holding, &in->holding)
		if (now - h->touched_ms >= KEEP_ALIVE_MS) {
			answer(h, "+WPI");
			h->touched_ms = now;
		}
}

static unsigned
room(const struct intake *in)
{
	size_t	cap = in->conf.cap;

	if (in->phase != PHASE_RUN)
		cap += in->owed;
	else if (in->stalled_until_ms != 0)
		return 0;
	/* Large ones wait at the broker; what is owed must come. */
	if (in->bytes >= HELD_BYTES_MAX)
		return in->phase != PHASE_RUN && in->n_low < in->owed ?
		    (unsigned)(in->owed - in->n_low) : 0;
	return in->n < cap ? (unsigned)(cap - in->n) : 0;
}

int
intake_tend(struct intake *in, int64_t until_ms, struct error *e)
{
	if (in->pull.gone)
		return error_set(e, EX_UNAVAILABLE, "durable %s of %s is gone",
		    in->conf.durable, in->conf.stream);
	if (pull_tend(&in->pull, room(in), until_ms, e) == -1)
		return -1;
	keep_alive(in);
	if (in->stalled_until_ms != 0 && in->unsettled == 0 &&
	    clock_ms() >= in->stalled_until_ms)
		in->stalled_until_ms = 0;
	if (in->phase != PHASE_RUN)
		return recover(in, e);
	if (in->gap)
		return recover_gap(in, e);
	note_progress(in);
	return watch_phantoms(in, e);
}

bool
intake_ready(const struct intake *in)
{
	return in->phase == PHASE_RUN;
}

size_t
intake_held(const struct intake *in)
{
	return in->n;
}

size_t
intake_unsettled(const struct intake *in)
{
	return in->unsettled;
}

uint64_t
intake_settled(const struct intake *in, uint64_t *stored_seq)
{
	*stored_seq = in->stored_seq;
	return in->settled;
}

uint64_t
intake_clear_seq(struct intake *in)
{
	const struct held	*h = RB_MIN(holding, &in->holding);

	if (in->phase != PHASE_RUN)
		return 0;
	return h != NULL ? h->seq - 1 : in->high_seq;
}

uint64_t
intake_arrivals(const struct intake *in)
{
	return in->arrivals;
}

uint64_t
intake_frontier(const struct intake *in)
{
	const struct intake_progress	*p = in->conf.progress;

	return p != NULL && p->lost_seq > in->frontier_seq ? p->lost_seq :
	    in->frontier_seq;
}

const struct intake_counts *
intake_counts(const struct intake *in)
{
	return &in->counts;
}

/* --- working ------------------------------------------------------------------------------- */

/* The first that nobody works on, or NULL. */
static struct held *
first_untaken(struct intake *in)
{
	struct held	key, *h;

	if (in->phase != PHASE_RUN || in->stalled_until_ms != 0)
		return NULL;
	key.seq = in->scan_seq;
	for (h = RB_NFIND(holding, &in->holding, &key); h != NULL && h->taken;)
		h = RB_NEXT(holding, &in->holding, h);
	in->scan_seq = h == NULL ? UINT64_MAX : h->seq;
	return h;
}

bool
intake_has_work(struct intake *in)
{
	return first_untaken(in) != NULL;
}

struct held *
intake_next(struct intake *in, uint64_t arrival)
{
	struct held	*h = first_untaken(in);

	/* What came later is not covered by the barrier, nor may be passed. */
	if (h == NULL || h->arrival > arrival)
		return NULL;
	h->taken = true;
	in->scan_seq = h->seq + 1;
	return h;
}

void
intake_untake(struct held *h)
{
	h->taken = h->done = h->failed = h->terminate = false;
	if (h->seq < h->intake->scan_seq)
		h->intake->scan_seq = h->seq;
}

static void
stall(struct intake *in, const char *why)
{
	in->counts.store_failures++;
	if (in->stalled_until_ms == 0)
		log_warn("store failed, waiting", "consumer=%s for_ms=%lld "
		    "error=%s", in->conf.durable, (long long)in->backoff_ms,
		    log_str(why));
	else
		return;
	in->stalled_until_ms = clock_ms() + in->backoff_ms;
	in->backoff_ms *= 2;
	if (in->backoff_ms > BACKOFF_MAX_MS)
		in->backoff_ms = BACKOFF_MAX_MS;
}

/* 0 stored; 1 can never be stored; -1 failed. */
static int
stored(enum bus_outcome outcome, natsMsg *reply, uint64_t *seq,
    struct error *e)
{
	if (outcome != BUS_OK)
		return error_set(e, EX_TEMPFAIL, "%s",
		    outcome == BUS_TIMEOUT ? "no acknowledgement in time" :
		    outcome == BUS_NO_RESPONDER ? "nothing stores it" :
		    outcome == BUS_DENIED ? "not permitted" :
		    "connection lost");
	if (js_ack_parse(reply, seq, NULL, e) == 0)
		return 0;
	return e->api == MSG_TOO_BIG ? 1 : -1;
}

static void
on_stored(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct held	*h = arg;
	struct intake	*in = h->intake;
	struct error	 e = { .code = 0 };
	uint64_t	 seq = 0;
	int		 r = stored(outcome, reply, &seq, &e);

	h->unsettled--;
	in->unsettled--;
	in->settled++;
	if (seq > in->stored_seq)
		in->stored_seq = seq;
	if (h->orphan) {
		if (h->unsettled == 0)
			held_free(h);
		if (in->stopped && in->unsettled == 0)
			free(in);
		return;
	}
	if (r == -1) {
		h->failed = true;
		stall(in, e.text);
	} else if (r == 0)
		in->backoff_ms = BACKOFF_MIN_MS;
	else if (intake_bury(h, e.text, NULL, NULL, &e) == -1)
		h->failed = true;
	if (h->unsettled == 0 && h->done)
		settle(h);
}

int
intake_store(struct held *h, const struct bus_pub *p, struct error *e)
{
	if (bus_request(h->intake->bus, p, STORE_TIMEOUT_MS, on_stored, h, e)
	    == -1)
		return -1;
	h->unsettled++;
	h->intake->unsettled++;
	return 0;
}

void
intake_done(struct held *h)
{
	h->done = true;
	if (h->unsettled == 0)
		settle(h);
}

void
intake_nak(struct held *h, int64_t delay_ms)
{
	char	text[64];

	snprintf(text, sizeof(text), "-NAK {\"delay\":%lld}",
	    (long long)delay_ms * 1000000);
	answer(h, text);
	h->intake->counts.naked++;
	held_drop(h);
}

int
intake_bury(struct held *h, const char *reason, const char *owner,
    const struct bus_pub *copy, struct error *e)
{
	struct intake		*in = h->intake;
	struct dead_letter	 d = { .reason = reason, .owner = owner,
				    .subject = natsMsg_GetSubject(h->msg),
				    .deliveries = h->deliveries,
				    .ts_ms = clock_epoch_ms(),
				    .entry = copy != NULL ? copy->data :
				    natsMsg_GetData(h->msg),
				    .entry_len = copy != NULL ? copy->len :
				    (size_t)natsMsg_GetDataLength(h->msg) };
	char			 id[SUBJECT_MAX], *body;
	struct bus_pub		 p = { .subject = in->conf.dead_subject,
				    .msg_id = id };
	int			 r;

	if ((body = dead_letter_write(&d)) == NULL)
		fatal_memory();
	/* A letter too big for the store is sent without its content. */
	if (strlen(body) + SUBJECT_MAX > bus_max_payload(in->bus)) {
		free(body);
		d.entry = NULL;
		d.entry_len = 0;
		if ((body = dead_letter_write(&d)) == NULL)
			fatal_memory();
	}
	snprintf(id, sizeof(id), "dead:%s:%llu%s%s", in->conf.stream,
	    (unsigned long long)h->seq, owner == NULL ? "" : ":",
	    owner == NULL ? "" : owner);
	p.data = body;
	p.len = strlen(body);
	log_error("gave up on a message", "stream=%s seq=%llu deliveries=%llu "
	    "owner=%s reason=%s", in->conf.stream, (unsigned long long)h->seq,
	    (unsigned long long)h->deliveries, log_str(owner),
	    log_str(reason));
	r = intake_store(h, &p, e);
	free(body);
	if (r == 0) {
		in->counts.buried++;
		h->terminate = copy == NULL;
	}
	return r;
}
