/* SPDX-License-Identifier: ISC */

/* The channels that an agent hears (wire section 7). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "endpoint_join_impl.h"

#define SETTLE_MS	50		/* a refusal comes before that */
#define REFUSED_MS	100		/* looked for so often */
#define CALLS_MAX	4		/* boot joins under way at once */

struct step *
step_new(struct join_part *p, struct channel *ch)
{
	struct step	*s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->part = p;
	s->ch = ch;
	s->turn = ch == NULL ? p->turn : ch->turn;
	if (ch != NULL)
		ch->refs++;
	return s;
}

bool
step_is_stale(const struct step *s)
{
	return s->turn != (s->ch == NULL ? s->part->turn : s->ch->turn);
}

void
step_free(struct step *s)
{
	if (s->ch != NULL)
		s->ch->refs--;
	free(s);
}

struct channel *
step_end(struct step *s)
{
	struct channel	*ch = step_is_stale(s) ? NULL : s->ch;

	step_free(s);
	return ch;
}

/* --- channels ------------------------------------------------------------------ */

struct channel *
channel_find(const struct join_part *p, const char *name)
{
	struct channel	*ch;

	TAILQ_FOREACH(ch, &p->channels, entry)
		if (strcmp(ch->name, name) == 0)
			return ch;
	return NULL;
}

static struct channel *
channel_get(struct join_part *p, const char *name, struct error *e)
{
	struct channel	*ch = channel_find(p, name);

	if (ch != NULL)
		return ch;
	if ((ch = calloc(1, sizeof(*ch))) == NULL) {
		error_errno(e, EX_OSERR, "%s", name);
		return NULL;
	}
	if (!channel_is_valid(name) || subject_chat(ch->pattern,
	    sizeof(ch->pattern), endpoint_space(p->ep), "*", name) == -1) {
		error_set(e, EX_USAGE, "\"%s\" is not a channel", name);
		free(ch);
		return NULL;
	}
	snprintf(ch->name, sizeof(ch->name), "%s", name);
	ch->part = p;
	retry_now(ch);
	STAILQ_INIT(&ch->ops);
	TAILQ_INSERT_TAIL(&p->channels, ch, entry);
	return ch;
}

/* Those that nobody has to do with any more. */
static void
channels_sweep(struct join_part *p)
{
	struct channel	*ch, *next;

	for (ch = TAILQ_FIRST(&p->channels); ch != NULL; ch = next) {
		next = TAILQ_NEXT(ch, entry);
		if (ch->boot || ch->joined || ch->unclosed || ch->op != NULL ||
		    !STAILQ_EMPTY(&ch->ops) || ch->refs > 0)
			continue;
		TAILQ_REMOVE(&p->channels, ch, entry);
		free(ch);
	}
}

void
channel_rest(struct channel *ch)
{
	if (ch->phase == PHASE_DURABLE && ch->op == NULL)
		ch->part->n_calls--;
	ch->phase = PHASE_REST;
	ch->turn++;
}

/* --- the end of an operation ------------------------------------------------------ */

/* e: NULL when it was done. */
void
op_end(struct channel *ch, const struct error *e)
{
	struct op	*op = ch->op;

	channel_rest(ch);
	ch->op = NULL;
	if (op == NULL)
		return;
	if (op->join != NULL)
		op->join(op->arg, e == NULL ? &op->joined : NULL, e);
	else if (op->leave != NULL)
		op->leave(op->arg, e);
	free(op);
}

static void
on_live(void *arg, natsMsg *m)
{
	struct channel	*ch = arg;

	hear_live(ch->part->ep->hear, ch->pattern, m);
}

static int
subscribe(struct channel *ch, struct error *e)
{
	ch->sub = bus_subscribe(ch->part->ep->bus, ch->pattern, NULL, on_live,
	    ch, e);
	return ch->sub == NULL ? -1 : 0;
}

void
channel_unsubscribe(struct channel *ch)
{
	if (ch->sub != NULL)
		bus_unsubscribe(ch->part->ep->bus, ch->sub);
	ch->sub = NULL;
}

static int
not_allowed(const struct channel *ch, struct error *e)
{
	return error_set(e, EX_NOPERM, "%s may not hear \"%s\": the channel "
	    "is outside its allowSubscribe", endpoint_name(ch->part->ep),
	    ch->name);
}

/* The broker has taken it away: whatever membership there is, is closed. */
static void
drop_refused(struct channel *ch)
{
	struct endpoint	*ep = ch->part->ep;
	struct error	 e;

	channel_unsubscribe(ch);
	ch->joined = ch->boot = ch->joining = false;
	ch->unclosed = may_be_member(ch);
	retry_now(ch);
	if (ch->op == NULL)
		channel_rest(ch);
	else if (ch->op->join != NULL) {
		not_allowed(ch, &e);
		op_end(ch, &e);
	}
	if (ep->ops.refused != NULL)
		ep->ops.refused(ep->arg, ch->name);
}

/* --- what was said before ----------------------------------------------------------- */

static void
on_said(void *arg, const struct endpoint_said *said)
{
	struct step	*s = arg;

	if (!step_is_stale(s) && hear_historical(s->part->ep->hear, said,
	    said->seq <= s->ch->watermark))
		s->given++;
}

static bool
has_history(const struct channel *ch)
{
	return endpoint_wants(ch->part->ep, ENDPOINT_BACKFILL) &&
	    ch->watermark != UNKNOWN_SEQ;
}

/*
 * Read what was said before it was heard.  What came in after the watermark
 * and before the subscription held is read too, and is no history.
 */
static int
backfill(struct channel *ch, struct step *s, endpoint_told_fn *told,
    struct error *e)
{
	struct endpoint		*ep = ch->part->ep;
	const struct channels	*registry = endpoint_registry(ep);
	struct endpoint_history	 want = { .after_seq = 0 };
	int64_t			 window;

	if (registry != NULL) {
		window = channels_replay_window_ms(registry, ch->name);
		if (window >= 0)
			want.since_ms = clock_epoch_ms() - window;
		if (!channels_replay(registry, ch->name))
			want.after_seq = ch->watermark;
	}
	return endpoint_read(ep, ch->name, &want, on_said, told, s, e);
}

static void
backfill_failed(struct channel *ch, const struct error *e)
{
	endpoint_note(ch->part->ep, "%s: what was said before is not read: %s",
	    ch->name, e->text);
}

/* --- joining ------------------------------------------------------------------------- */

/* Nothing is left of it but a membership of before. */
static void
join_failed(struct channel *ch, const struct error *e)
{
	channel_unsubscribe(ch);
	ch->joined = false;
	op_end(ch, e);
}

static void
join_heard(struct channel *ch)
{
	if (wants_member(ch))
		join_durably(ch);
	else
		op_end(ch, NULL);
}

static void
on_told(void *arg, const struct endpoint_told *told, const struct error *e)
{
	unsigned	 given = ((struct step *)arg)->given;
	struct channel	*ch = step_end(arg);

	(void)told;
	if (ch == NULL)
		return;
	ch->op->joined.backfilled = given;
	if (e != NULL)
		backfill_failed(ch, e);
	join_heard(ch);
}

/* The broker had its time to refuse. */
static void
join_settled(struct channel *ch)
{
	struct endpoint	*ep = ch->part->ep;
	struct step	*s;
	struct error	 e;

	if (bus_refused(ep->bus, ch->pattern)) {
		not_allowed(ch, &e);
		join_failed(ch, &e);
		return;
	}
	ch->joined = true;
	if (!has_history(ch) || (s = step_new(ch->part, ch)) == NULL) {
		join_heard(ch);
		return;
	}
	ch->phase = PHASE_BACKFILL;
	if (backfill(ch, s, on_told, &e) == -1) {
		step_free(s);
		backfill_failed(ch, &e);
		join_heard(ch);
	}
}

static void	on_frontier(void *, uint64_t, const struct error *);

/* Ask for the frontier: as the watermark, or so that the broker answers after
 * the subscription. */
static int
ask_frontier(struct join_part *p, struct channel *ch, struct error *e)
{
	struct step	*s = step_new(p, ch);

	if (s == NULL)
		return error_errno(e, EX_OSERR, "join");
	if (endpoint_frontier(p->ep, on_frontier, s, e) == 0)
		return 0;
	step_free(s);
	return -1;
}

static void
join_goes_on(struct channel *ch, uint64_t seq)
{
	struct error	e;

	if (ch->phase == PHASE_FLUSH) {
		ch->phase = PHASE_SETTLE;
		ch->settled_ms = clock_ms() + SETTLE_MS;
		return;
	}
	ch->watermark = seq;
	ch->phase = PHASE_FLUSH;
	if (subscribe(ch, &e) == -1 || ask_frontier(ch->part, ch, &e) == -1)
		join_failed(ch, &e);
}

static void
join_begin(struct channel *ch)
{
	struct error	e;

	if (ch->joined) {
		ch->op->joined.was = true;
		ch->op->joined.durable = ch->member;
		op_end(ch, NULL);
		return;
	}
	ch->phase = PHASE_WATERMARK;
	if (ask_frontier(ch->part, ch, &e) == -1)
		join_failed(ch, &e);
}

/* --- all of them, on a new link ---------------------------------------------------------- */

static void
boot_done(struct join_part *p)
{
	struct channel	*ch;

	p->boot = BOOT_DONE;
	TAILQ_FOREACH(ch, &p->channels, entry) {
		if (!ch->boot)
			continue;
		ch->boot = false;
		ch->joining = endpoint_wants(p->ep, ENDPOINT_MEMBER);
		retry_now(ch);
	}
}

static void
on_boot_told(void *arg, const struct endpoint_told *told,
    const struct error *e)
{
	struct step		*s = arg;
	struct join_part	*p = s->part;
	struct channel		*ch = step_end(s);

	(void)told;
	if (ch == NULL)
		return;
	if (e != NULL)
		backfill_failed(ch, e);
	if (--p->backfills == 0)
		boot_done(p);
}

static void
boot_backfill(struct join_part *p)
{
	struct channel	*ch;
	struct step	*s;
	struct error	 e;

	p->boot = BOOT_BACKFILL;
	p->backfills = 0;
	TAILQ_FOREACH(ch, &p->channels, entry) {
		if (!ch->boot || !has_history(ch) ||
		    (s = step_new(p, ch)) == NULL)
			continue;
		if (backfill(ch, s, on_boot_told, &e) == 0) {
			p->backfills++;
			continue;
		}
		step_free(s);
		backfill_failed(ch, &e);
	}
	if (p->backfills == 0)
		boot_done(p);
}

static void
boot_settled(struct join_part *p)
{
	struct channel	*ch;

	TAILQ_FOREACH(ch, &p->channels, entry) {
		if (ch->sub == NULL)
			continue;
		if (bus_refused(p->ep->bus, ch->pattern))
			drop_refused(ch);
		else
			ch->joined = true;
	}
	boot_backfill(p);
}

static void
boot_goes_on(struct join_part *p, uint64_t seq)
{
	struct channel	*ch;

	if (p->boot == BOOT_FLUSH) {
		p->boot = BOOT_SETTLE;
		p->settled_ms = clock_ms() + SETTLE_MS;
		return;
	}
	p->boot = BOOT_FLUSH;
	TAILQ_FOREACH(ch, &p->channels, entry) {
		if (!ch->boot && !ch->joined)
			continue;
		/* One that was heard already has its own. */
		if (ch->boot && !ch->joined)
			ch->watermark = seq;
		if (subscribe(ch, &p->why) == -1)
			return;
	}
	(void)ask_frontier(p, NULL, &p->why);
}

static void
on_frontier(void *arg, uint64_t seq, const struct error *e)
{
	struct step		*s = arg;
	struct join_part	*p = s->part;
	struct channel		*ch = s->ch;
	bool			 stale = step_is_stale(s);

	step_free(s);
	/* One that is denied is an answer, too; then there is no history. */
	if (e != NULL)
		seq = UNKNOWN_SEQ;
	if (stale || (e != NULL && e->code != EX_NOPERM)) {
		if (!stale && ch == NULL)
			p->why = *e;
		else if (!stale)
			join_failed(ch, e);
		return;
	}
	if (ch != NULL)
		join_goes_on(ch, seq);
	else
		boot_goes_on(p, seq);
}

/* --- in each turn -------------------------------------------------------------------------- */

static void
check_refused(struct join_part *p)
{
	struct channel	*ch;

	if (clock_ms() - p->refused_ms < REFUSED_MS)
		return;
	p->refused_ms = clock_ms();
	TAILQ_FOREACH(ch, &p->channels, entry)
		if (ch->joined && ch->sub != NULL &&
		    bus_refused(p->ep->bus, ch->pattern))
			drop_refused(ch);
}

/* What it has to do by itself, when nobody asks for anything. */
static void
go_on(struct channel *ch)
{
	if (clock_ms() < ch->due_ms)
		return;
	if (ch->unclosed)
		close_membership(ch);
	else if (!ch->joining)
		return;
	else if (!ch->joined || !wants_member(ch))
		ch->joining = false;
	else if (ch->part->n_calls < CALLS_MAX)
		join_durably(ch);
}

static void
channel_tend(struct channel *ch)
{
	if (ch->phase == PHASE_SETTLE && clock_ms() >= ch->settled_ms)
		join_settled(ch);
	if (ch->phase != PHASE_REST)
		return;
	if ((ch->op = STAILQ_FIRST(&ch->ops)) == NULL) {
		go_on(ch);
		return;
	}
	STAILQ_REMOVE_HEAD(&ch->ops, entry);
	if (ch->op->join != NULL)
		join_begin(ch);
	else
		leave_begin(ch);
}

int
join_part_tend(struct join_part *p, struct error *e)
{
	struct channel	*ch;

	if (p->boot == BOOT_SETTLE && clock_ms() >= p->settled_ms)
		boot_settled(p);
	if (p->why.code != 0) {
		if (e != NULL)
			*e = p->why;
		return -1;
	}
	if (p->boot != BOOT_DONE || p->ep->leaving)
		return 0;
	check_refused(p);
	TAILQ_FOREACH(ch, &p->channels, entry)
		channel_tend(ch);
	channels_sweep(p);
	return 0;
}

int64_t
join_part_wait_ms(const struct join_part *p)
{
	const struct channel	*ch;
	int64_t			 due = INT64_MAX, left;

	if (p->boot == BOOT_SETTLE)
		due = p->settled_ms;
	TAILQ_FOREACH(ch, &p->channels, entry)
		if (ch->phase == PHASE_SETTLE && ch->settled_ms < due)
			due = ch->settled_ms;
	if (due == INT64_MAX)
		return INT64_MAX;
	left = due - clock_ms();
	return left > 0 ? left : 0;
}

/* --- what is asked for ---------------------------------------------------------------------- */

static int
add_op(struct endpoint *ep, const char *channel, const struct op *what,
    struct error *e)
{
	struct channel	*ch;
	struct op	*op;

	if (endpoint_linked(ep, e) == -1)
		return -1;
	if ((ch = channel_get(ep->joins, channel, e)) == NULL)
		return -1;
	if ((op = malloc(sizeof(*op))) == NULL)
		return error_errno(e, EX_OSERR, "%s", channel);
	*op = *what;
	STAILQ_INSERT_TAIL(&ch->ops, op, entry);
	return 0;
}

static void
on_joined_unheard(void *arg, const struct endpoint_joined *joined,
    const struct error *e)
{
	(void)arg;
	(void)joined;
	(void)e;
}

static void
on_left_unheard(void *arg, const struct error *e)
{
	(void)arg;
	(void)e;
}

int
endpoint_join(struct endpoint *ep, const char *channel, endpoint_join_fn *fn,
    void *arg, struct error *e)
{
	struct op	op = { .join = fn != NULL ? fn : on_joined_unheard,
			    .arg = arg };

	return add_op(ep, channel, &op, e);
}

int
endpoint_leave(struct endpoint *ep, const char *channel, endpoint_done_fn *fn,
    void *arg, struct error *e)
{
	struct op	op = { .leave = fn != NULL ? fn : on_left_unheard,
			    .arg = arg };

	return add_op(ep, channel, &op, e);
}

void
endpoint_each_channel(const struct endpoint *ep,
    void (*fn)(void *, const struct endpoint_channel *), void *arg)
{
	const struct channel	*ch;
	struct endpoint_channel	 c;

	TAILQ_FOREACH(ch, &ep->joins->channels, entry) {
		if (!ch->joined && !ch->unclosed && !ch->boot)
			continue;
		c.channel = ch->name;
		c.joined = ch->joined;
		c.member = ch->member;
		c.unclosed = ch->unclosed;
		c.joining = ch->joining;
		fn(arg, &c);
	}
}

bool
endpoint_hears(const struct endpoint *ep, const char *channel)
{
	const struct channel	*ch;
	char			*name;

	TAILQ_FOREACH(ch, &ep->joins->channels, entry) {
		name = (char *)(uintptr_t)ch->name;
		if (ch->joined && channel_covered(channel, &name, 1))
			return true;
	}
	return false;
}

/* --- the part ------------------------------------------------------------------------------- */

struct join_part *
join_part_new(struct endpoint *ep)
{
	struct join_part	*p = calloc(1, sizeof(*p));
	struct channel		*ch;
	size_t			 i;

	if (p == NULL)
		return NULL;
	p->ep = ep;
	TAILQ_INIT(&p->channels);
	for (i = 0; i < ep->subscribe.n; i++) {
		if ((ch = channel_get(p, ep->subscribe.v[i], NULL)) == NULL) {
			join_part_free(p);
			return NULL;
		}
		ch->boot = true;
	}
	return p;
}

void
join_part_free(struct join_part *p)
{
	struct channel	*ch;

	while (p != NULL && (ch = TAILQ_FIRST(&p->channels)) != NULL) {
		TAILQ_REMOVE(&p->channels, ch, entry);
		free(ch);
	}
	free(p);
}

int
join_part_bind(struct join_part *p, struct error *e)
{
	struct channel	*ch;
	bool		 any = false;

	p->why.code = 0;
	TAILQ_FOREACH(ch, &p->channels, entry) {
		any = any || ch->boot || ch->joined;
		if (ch->boot && !endpoint_wants(p->ep, ENDPOINT_LIVE))
			ch->joined = true;
	}
	if (!any || !endpoint_wants(p->ep, ENDPOINT_LIVE)) {
		boot_done(p);
		return 0;
	}
	p->boot = BOOT_WATERMARK;
	return ask_frontier(p, NULL, e);
}

bool
join_part_bound(const struct join_part *p)
{
	return p->boot == BOOT_DONE;
}

/* What was under way when the link was lost.  One that is joined already stays
 * so; what is missing of it is tried again. */
static void
op_lost(struct channel *ch)
{
	struct error	e;

	error_set(&e, EX_TEMPFAIL, "%s: the connection was lost", ch->name);
	if (ch->op != NULL && ch->op->join != NULL && ch->joined) {
		/* Read the rest as one of the start is. */
		ch->boot = ch->phase == PHASE_BACKFILL;
		if (wants_member(ch))
			is_live_only(ch, e.text, true);
		op_end(ch, NULL);
	} else if (ch->op != NULL)
		is_open(ch, &e);
	else
		channel_rest(ch);
}

void
join_part_unbind(struct join_part *p)
{
	struct channel	*ch;
	struct ops	 lost;
	struct error	 e;

	p->boot = BOOT_OFF;
	p->turn++;
	TAILQ_FOREACH(ch, &p->channels, entry) {
		channel_unsubscribe(ch);
		/* What a callback asks for is for the next link. */
		STAILQ_INIT(&lost);
		STAILQ_CONCAT(&lost, &ch->ops);
		op_lost(ch);
		error_set(&e, EX_TEMPFAIL, "%s: the connection was lost",
		    ch->name);
		while ((ch->op = STAILQ_FIRST(&lost)) != NULL) {
			STAILQ_REMOVE_HEAD(&lost, entry);
			op_end(ch, &e);
		}
	}
}
