/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "intake_impl.h"
#include "json.h"
#include "log.h"
#include "records.h"
#include "space.h"

#define KEEP_ALIVE_MS		600	/* well within the ack wait */
#define STORE_TIMEOUT_MS	3000
#define SILENT_MS		1500	/* the link is dead: wait for nothing */
#define BACKOFF_MIN_MS		100
#define BACKOFF_MAX_MS		5000
#define HELD_BYTES_MAX		(32 * 1024 * 1024)
#define BURST_US		1000	/* so long it is waited for the rest */
#define MSG_TOO_BIG		10054	/* JetStream: over max_msg_size */

static int
held_cmp(const struct held *a, const struct held *b)
{
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

RB_GENERATE(holding, held, entry, held_cmp)

struct held *
intake_find(struct intake *in, uint64_t seq)
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
	bus_msg_free(h->msg);
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

void
intake_note_hand(struct intake *in)
{
	struct intake_progress	*p = in->conf.progress;

	/* Until it is recovered, what the earlier worker left stands. */
	if (p == NULL || in->phase != PHASE_RUN)
		return;
	p->in_hand = in->n + (in->conf.deferred != NULL ?
	    in->conf.deferred(in->conf.arg) : 0);
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
	intake_note_hand(in);
}

/* --- taking in ----------------------------------------------------------------- */

/* True when it was done before the durable's state was lost. */
static bool
was_done(const struct intake *in, const struct js_delivery *d)
{
	const struct intake_progress	*p = in->conf.progress;

	return p != NULL && d->stream_seq <= p->lost_seq &&
	    d->stored_ms <= p->lost_ms;
}

static void
take_in(struct intake *in, natsMsg *m, const struct js_delivery *d)
{
	struct held	*h;

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

static void
note_delivery(struct intake *in, const struct js_delivery *d)
{
	in->counts.redelivered += d->deliveries > 1;
	in->counts.taken_in++;
	/* Another's late pull, or the wire, took those between. */
	if (d->consumer_seq != in->next_delivery)
		in->gap = true;
	in->next_delivery = d->consumer_seq + 1;
	if (in->n_behind == 0)
		in->burst_us = clock_us();
	in->n_behind = d->pending;
	if (d->stream_seq > in->newest_seq) {
		in->newest_seq = d->stream_seq;
		in->newest_ms = d->stored_ms;
	}
}

static void
on_delivery(void *arg, natsMsg *m, const struct js_delivery *d)
{
	struct intake	*in = arg;
	struct held	*h = intake_find(in, d->stream_seq);

	note_delivery(in, d);
	if (was_done(in, d)) {
		answer_to(in, m, "+ACK");
		bus_msg_free(m);
	} else if (h == NULL)
		take_in(in, m, d);
	else {
		bus_msg_free(h->msg);
		h->msg = m;
		h->deliveries = d->deliveries;
		h->touched_ms = clock_ms();
	}
	/* In this order: killed between, one too many is suspected. */
	intake_note_hand(in);
	if (in->conf.progress != NULL) {
		in->conf.progress->newest_seq = in->newest_seq;
		in->conf.progress->consumer_seq = d->consumer_seq;
	}
}

/* --- binding ----------------------------------------------------------------------- */

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

/* Has this durable, of which we know progress, never delivered anything, nor
 * been made to begin behind it? */
static void
recall(struct intake *in, const struct js_consumer *c)
{
	struct intake_progress	*p = in->conf.progress;

	if (p == NULL || c->n_delivered > 0 || p->floor_seq == 0 ||
	    c->delivered_seq >= p->floor_seq)
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
	return intake_recover_begin(in, c, e);
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

/* Large ones wait at the broker; what is owed must come, however many newer
 * ones have come before it. */
static unsigned
room(const struct intake *in)
{
	size_t	cap = in->conf.cap, left = 0, n;

	if (in->phase != PHASE_RUN) {
		cap += in->owed;
		left = in->owed > in->n_low ? in->owed - in->n_low : 0;
	} else if (in->stalled_until_ms != 0)
		return 0;
	n = in->bytes < HELD_BYTES_MAX && in->n < cap ? cap - in->n : 0;
	return (unsigned)(n > left ? n : left);
}

int
intake_tend(struct intake *in, int64_t until_ms, struct error *e)
{
	if (in->pull.gone)
		return error_set(e, EX_UNAVAILABLE, "durable %s of %s is gone, "
		    "or no node leads it", in->conf.durable, in->conf.stream);
	if (pull_tend(&in->pull, room(in), until_ms, e) == -1)
		return -1;
	keep_alive(in);
	if (in->stalled_until_ms != 0 && in->unsettled == 0 &&
	    clock_ms() >= in->stalled_until_ms)
		in->stalled_until_ms = 0;
	if (in->phase != PHASE_RUN || in->gap)
		return intake_recover(in, e);
	note_progress(in);
	return intake_watch_phantoms(in, e);
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

	return p != NULL && p->lost_seq > in->seen_seq ? p->lost_seq :
	    in->seen_seq;
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

	if (in->phase != PHASE_RUN || in->stalled_until_ms != 0 ||
	    (in->probing && in->unsettled > 0))
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

bool
intake_more_coming(const struct intake *in)
{
	return in->n_behind > 0 && in->pull.asked > 0 &&
	    clock_us() - in->burst_us < BURST_US;
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
	in->probing = true;
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
answered(struct held *h, int r, struct error *e)
{
	struct intake	*in = h->intake;

	h->unsettled--;
	in->unsettled--;
	if (h->orphan) {
		if (h->unsettled == 0)
			held_free(h);
		if (in->stopped && in->unsettled == 0)
			free(in);
		return;
	}
	if (r == -1) {
		h->failed = true;
		stall(in, e->text);
	} else if (r == 1 && intake_bury(h, e->text, NULL, NULL, e) == -1)
		h->failed = true;
	if (h->unsettled > 0 || !h->done)
		return;
	/* All of one message, and not a part that was there already. */
	if (!h->failed && r == 0) {
		in->probing = false;
		in->backoff_ms = BACKOFF_MIN_MS;
	}
	settle(h);
}

static void
on_stored(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct held	*h = arg;
	struct intake	*in = h->intake;
	struct error	 e = { .code = 0 };
	uint64_t	 seq = 0;
	int		 r = stored(outcome, reply, &seq, &e);

	in->settled++;
	if (seq > in->stored_seq)
		in->stored_seq = seq;
	answered(h, r, &e);
}

/* Its sequence is another stream's. */
static void
on_letter(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct held	*h = arg;
	struct error	 e = { .code = 0 };
	uint64_t	 seq;

	answered(h, stored(outcome, reply, &seq, &e), &e);
}

static int
store(struct held *h, const struct bus_pub *p, bus_reply_fn *fn,
    struct error *e)
{
	if (bus_request(h->intake->bus, p, STORE_TIMEOUT_MS, fn, h, e) == -1)
		return -1;
	h->unsettled++;
	h->intake->unsettled++;
	return 0;
}

int
intake_store(struct held *h, const struct bus_pub *p, struct error *e)
{
	return store(h, p, on_stored, e);
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
	struct intake	*in = h->intake;
	char		 text[64];

	snprintf(text, sizeof(text), "-NAK {\"delay\":%lld}",
	    (long long)delay_ms * 1000000);
	answer(h, text);
	in->counts.naked++;
	held_drop(h);
	intake_note_hand(in);
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
	r = store(h, &p, on_letter, e);
	free(body);
	if (r == 0) {
		in->counts.buried++;
		h->terminate = copy == NULL;
	}
	return r;
}
