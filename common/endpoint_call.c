/* SPDX-License-Identifier: ISC */

/* What it asks of others, and what it says to them. */
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ctl.h"
#include "endpoint_impl.h"
#include "jetstream.h"

#define STORE_MS	10000
#define TURN_MS		200

/* A call under way, on a reply lane of its own. */
struct call {
	TAILQ_ENTRY(call)	 entry;
	struct call_part	*part;
	struct bus_sub		*lane;
	endpoint_answer_fn	*fn;
	void			*arg;
	int64_t			 deadline_ms;
	unsigned		 n_refusals;	/* of the bus, when it began */
	char			 service[64];
	char			 subject[SUBJECT_MAX], reply_to[SUBJECT_MAX];
};
TAILQ_HEAD(calls, call);

/* A message under way.  The bus has it until its request ends, which may be
 * after it was told of: then it has ended, and is in no list. */
struct sending {
	TAILQ_ENTRY(sending)	 entry;
	struct call_part	*part;
	endpoint_done_fn	*done;		/* one of them */
	endpoint_stored_fn	*stored;
	void			*arg;
	char			 id[MESSAGE_ID_MAX + 1];
	char			*subject;
	unsigned		 n_refusals;	/* likewise */
	bool			 ended;
};
TAILQ_HEAD(sendings, sending);

struct call_part {
	struct endpoint	*ep;
	struct calls	 calls;
	struct sendings	 sendings;
	size_t		 n_sendings;
	unsigned	 n_refusals;	/* of the bus, looked at */
};

/* --- calls ----------------------------------------------------------------------- */

#define UNSERVED							\
	"there is no durable delivery in this space now: nobody answers on " \
	"ctl.delivery. `reeve status` shows which role is not up; messages " \
	"that are sent meanwhile are heard live only"

/* It is over: nothing of it is left when fn runs. */
static void
call_end(struct call *c, const cJSON *data, const struct error *e)
{
	struct call_part	*p = c->part;
	endpoint_answer_fn	*fn = c->fn;
	void			*arg = c->arg;

	TAILQ_REMOVE(&p->calls, c, entry);
	bus_unsubscribe(p->ep->bus, c->lane);
	free(c);
	fn(arg, data, e);
}

static void
call_unserved(struct call *c)
{
	struct error	e;

	if (strcmp(c->service, "delivery") == 0)
		error_set(&e, EX_UNAVAILABLE, "%s", UNSERVED);
	else
		error_set(&e, EX_UNAVAILABLE, "nobody answers on ctl.%s in "
		    "this space now", c->service);
	call_end(c, NULL, &e);
}

static void
on_lane(void *arg, natsMsg *m)
{
	struct call	*c = arg;
	struct error	 e;
	cJSON		*data;

	if (natsMsg_IsNoResponders(m)) {
		bus_msg_free(m);
		call_unserved(c);
		return;
	}
	if ((data = ctl_data(m, NULL, &e)) == NULL &&
	    e.code == EX_PROTOCOL)
		error_wrap(&e, "ctl.%s", c->service);
	bus_msg_free(m);
	call_end(c, data, data != NULL ? NULL : &e);
	cJSON_Delete(data);
}

/* What one before it was refused says nothing of one that began since: it may
 * have been begun by the callback that was told. */
static bool
is_refused(const struct call_part *p, unsigned n_before, const char *subject)
{
	return p->n_refusals != n_before && bus_refused(p->ep->bus, subject);
}

/* Of those that are over without an answer, the first. */
static bool
end_one_call(struct call_part *p, bool refused)
{
	int64_t		 now = clock_ms();
	struct call	*c;
	struct error	 e;

	TAILQ_FOREACH(c, &p->calls, entry) {
		if (refused && (is_refused(p, c->n_refusals, c->subject) ||
		    is_refused(p, c->n_refusals, c->reply_to)))
			error_set(&e, EX_NOPERM, "these credentials may not "
			    "call ctl.%s", c->service);
		else if (now >= c->deadline_ms)
			error_set(&e, EX_TEMPFAIL, "ctl.%s did not answer in "
			    "time; try again", c->service);
		else
			continue;
		call_end(c, NULL, &e);
		return true;
	}
	return false;
}

static int
call_send(struct call *c, const char *text, struct error *e)
{
	struct endpoint	*ep = c->part->ep;
	struct bus_pub	 p = { .subject = c->subject, .reply = c->reply_to,
			    .data = text, .len = strlen(text) };

	if (ctl_address(c->subject, c->reply_to, ep->conf.space, c->service,
	    endpoint_id(ep), e) == -1)
		return -1;
	c->lane = bus_subscribe(ep->bus, c->reply_to, NULL, on_lane, c, e);
	if (c->lane == NULL || bus_publish(ep->bus, &p, e) == -1) {
		bus_unsubscribe(ep->bus, c->lane);
		return -1;
	}
	return 0;
}

int
endpoint_call(struct endpoint *ep, const char *service, const char *op,
    cJSON *args, int64_t timeout_ms, endpoint_answer_fn *fn, void *arg,
    struct error *e)
{
	struct call	*c;
	char		*text;
	int		 r;

	text = ctl_request(op, args, endpoint_id(ep), endpoint_name(ep),
	    endpoint_role(ep));
	if ((c = calloc(1, sizeof(*c))) == NULL || text == NULL) {
		free(text);
		free(c);
		return error_errno(e, EX_OSERR, "%s", op);
	}
	c->part = ep->calls;
	c->fn = fn;
	c->arg = arg;
	c->deadline_ms = clock_ms() + timeout_ms;
	c->n_refusals = c->part->n_refusals;
	snprintf(c->service, sizeof(c->service), "%s", service);
	if ((r = endpoint_linked(ep, e)) == 0)
		r = call_send(c, text, e);
	free(text);
	if (r == -1) {
		free(c);
		return -1;
	}
	TAILQ_INSERT_TAIL(&ep->calls->calls, c, entry);
	return 0;
}

struct asked {
	bool		 done;
	cJSON		*data;
	struct error	*e;
};

static void
on_asked(void *arg, const cJSON *data, const struct error *e)
{
	struct asked	*a = arg;

	a->done = true;
	if (e == NULL && (a->data = cJSON_Duplicate(data, true)) == NULL)
		error_errno(a->e, EX_OSERR, "answer");
	else if (e != NULL && a->e != NULL)
		*a->e = *e;
}

cJSON *
endpoint_ask(struct endpoint *ep, const char *service, const char *op,
    cJSON *args, int64_t timeout_ms, struct error *e)
{
	struct asked	a = { .e = e };

	if (endpoint_call(ep, service, op, args, timeout_ms, on_asked, &a,
	    e) == -1)
		return NULL;
	/* It ends, at the latest when its time is over. */
	while (!a.done)
		endpoint_turn(ep, NULL, 0, TURN_MS);
	return a.data;
}

/* --- sending ----------------------------------------------------------------------- */

static void
sending_end(struct sending *s, const struct endpoint_stored *stored,
    const struct error *e)
{
	struct call_part	*p = s->part;

	if (s->ended)
		return;
	s->ended = true;
	TAILQ_REMOVE(&p->sendings, s, entry);
	p->n_sendings--;
	if (s->stored != NULL)
		s->stored(s->arg, stored, e);
	else if (s->done != NULL)
		s->done(s->arg, e);
}

static void
sending_free(struct sending *s)
{
	free(s->subject);
	free(s);
}

static void
on_stored(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	static const char *const	why[] = {
	    [BUS_TIMEOUT] = "the broker did not say that it is stored",
	    [BUS_NO_RESPONDER] = "no stream takes it: is the space set up? "
		"(`reeve init`)",
	    [BUS_DENIED] = "the broker refused it",
	    [BUS_CLOSED] = "the connection was lost" };
	struct sending			*s = arg;
	struct endpoint_stored		 stored = { .id = s->id };
	struct error			 e = { .code = 0 };

	if (outcome != BUS_OK)
		error_set(&e, EX_TEMPFAIL, "%s", why[outcome]);
	else if (js_ack_parse(reply, &stored.seq, &stored.duplicate, &e) ==
	    -1)
		e.code = EX_TEMPFAIL;
	sending_end(s, e.code == 0 ? &stored : NULL, e.code == 0 ? NULL : &e);
	sending_free(s);
}

static void
refusal(const struct endpoint *ep, const char *subject, struct error *e)
{
	struct subject	s;

	if (subject_parse(&s, subject) && s.kind == SUBJECT_CHAT)
		error_set(e, EX_NOPERM, "%s may not post to \"%.*s\": the "
		    "channel is outside its allowPublish", endpoint_name(ep),
		    (int)s.rest_len, s.rest);
	else
		error_set(e, EX_NOPERM, "the broker does not let %s send "
		    "this: %s", endpoint_name(ep), subject);
}

/* The broker names the subject that it refused, and nothing else comes. */
static bool
end_one_refused(struct call_part *p)
{
	struct sending	*s;
	struct error	 e;

	TAILQ_FOREACH(s, &p->sendings, entry)
		if (is_refused(p, s->n_refusals, s->subject)) {
			refusal(p->ep, s->subject, &e);
			sending_end(s, NULL, &e);
			return true;
		}
	return false;
}

/* Whom it is for, as a subject. */
static int
draft_subject(const struct endpoint *ep, const struct message_draft *d,
    char buf[SUBJECT_MAX], struct error *e)
{
	const char	*space = ep->conf.space, *id = endpoint_id(ep);
	char		 role[STREAM_MAX];
	int		 n = -1;

	if ((d->channel != NULL) + (d->to != NULL) +
	    (d->to_service != NULL) != 1)
		return error_set(e, EX_USAGE, "a message is for a channel, an "
		    "agent or a role: one of them");
	if (d->channel != NULL && !channel_is_concrete(d->channel))
		return error_set(e, EX_USAGE, "\"%s\" is not a channel to "
		    "post to", d->channel);
	if (d->to != NULL && !name_is_id(d->to))
		return error_set(e, EX_USAGE, "\"%s\" is not an agent's id",
		    d->to);
	if (d->id != NULL && !message_id_is_valid(d->id))
		return error_set(e, EX_USAGE, "a message's id has 1 to %d "
		    "bytes without control characters", MESSAGE_ID_MAX);
	if (d->channel != NULL)
		n = subject_chat(buf, SUBJECT_MAX, space, id, d->channel);
	else if (d->to != NULL)
		n = subject_inst(buf, SUBJECT_MAX, space, d->to, id);
	else if (name_token(role, sizeof(role), d->to_service) != -1)
		n = subject_svc(buf, SUBJECT_MAX, space, role, id);
	return n == -1 ? error_set(e, EX_USAGE, "whom it is for is too long "
	    "a name") : 0;
}

/* What is missing of a draft. */
static void
draft_fill(const struct endpoint *ep, struct message_draft *d,
    char id[MESSAGE_ID_MAX + 1])
{
	if (d->id != NULL)
		snprintf(id, MESSAGE_ID_MAX + 1, "%s", d->id);
	else
		message_new_id(id);
	d->id = id;
	if (d->ts_ms == 0)
		d->ts_ms = clock_epoch_ms();
	if (d->space == NULL)
		d->space = ep->conf.space;
	if (d->from_id == NULL)
		d->from_id = endpoint_id(ep);
	if (d->from_name == NULL)
		d->from_name = endpoint_name(ep);
	if (d->from_role == NULL)
		d->from_role = endpoint_role(ep);
}

static int
publish(struct call_part *part, struct sending *s,
    const struct message_draft *draft, struct error *e)
{
	struct message_draft	 d = *draft;
	struct bus_pub		 p = { .msg_id = s->id };
	char			 subject[SUBJECT_MAX], *body;
	int			 r;

	if (draft_subject(part->ep, &d, subject, e) == -1)
		return -1;
	draft_fill(part->ep, &d, s->id);
	body = message_write(&d);
	if (body == NULL || (s->subject = strdup(subject)) == NULL) {
		free(body);
		return error_errno(e, EX_OSERR, "message");
	}
	p.subject = subject;
	p.data = body;
	p.len = strlen(body);
	r = bus_request(part->ep->bus, &p, STORE_MS, on_stored, s, e);
	free(body);
	/* A link that is just going is worth another try. */
	if (r == -1 && e != NULL && e->code == EX_UNAVAILABLE)
		e->code = EX_TEMPFAIL;
	return r;
}

static int
begin_sending(struct endpoint *ep, const struct message_draft *draft,
    endpoint_done_fn *done, endpoint_stored_fn *stored, void *arg,
    struct error *e)
{
	struct call_part	*p = ep->calls;
	struct sending		*s;

	if (endpoint_linked(ep, e) == -1)
		return -1;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return error_errno(e, EX_OSERR, "message");
	s->part = p;
	s->n_refusals = p->n_refusals;
	s->done = done;
	s->stored = stored;
	s->arg = arg;
	if (publish(p, s, draft, e) == -1) {
		sending_free(s);
		return -1;
	}
	TAILQ_INSERT_TAIL(&p->sendings, s, entry);
	p->n_sendings++;
	return 0;
}

int
endpoint_send(struct endpoint *ep, const struct message_draft *draft,
    endpoint_done_fn *done, void *arg, struct error *e)
{
	return begin_sending(ep, draft, done, NULL, arg, e);
}

int
endpoint_post(struct endpoint *ep, const struct message_draft *draft,
    endpoint_stored_fn *stored, void *arg, struct error *e)
{
	return begin_sending(ep, draft, NULL, stored, arg, e);
}

int
endpoint_drain(struct endpoint *ep, size_t most, int64_t timeout_ms,
    struct error *e)
{
	int64_t	deadline = clock_ms() + timeout_ms, left;

	while (ep->calls->n_sendings > most) {
		if ((left = deadline - clock_ms()) <= 0)
			return error_set(e, EX_TEMPFAIL, "%zu messages are "
			    "not known to be stored",
			    ep->calls->n_sendings);
		endpoint_turn(ep, NULL, 0, left);
	}
	return 0;
}

size_t
call_sending(const struct call_part *p)
{
	return p->n_sendings;
}

/* --- the part ---------------------------------------------------------------------- */

struct call_part *
call_part_new(struct endpoint *ep)
{
	struct call_part	*p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ep = ep;
	TAILQ_INIT(&p->calls);
	TAILQ_INIT(&p->sendings);
	return p;
}

void
call_part_free(struct call_part *p)
{
	free(p);
}

int
call_part_bind(struct call_part *p, struct error *e)
{
	(void)e;
	p->n_refusals = 0;
	return 0;
}

bool
call_part_bound(const struct call_part *p)
{
	(void)p;
	return true;
}

int
call_part_tend(struct call_part *p, struct error *e)
{
	unsigned	n = bus_refusals(p->ep->bus);
	bool		refused = n != p->n_refusals;

	(void)e;
	p->n_refusals = n;
	/* What they tell may begin others, so each time from the start. */
	while (end_one_call(p, refused))
		;
	while (refused && end_one_refused(p))
		;
	return 0;
}

void
call_part_unbind(struct call_part *p)
{
	struct call	*c;
	struct sending	*s;
	struct error	 e;

	error_set(&e, EX_TEMPFAIL, "the connection was lost%s%s",
	    bus_alive(p->ep->bus) ? "" : ": ", bus_why(p->ep->bus));
	while ((c = TAILQ_FIRST(&p->calls)) != NULL)
		call_end(c, NULL, &e);
	while ((s = TAILQ_FIRST(&p->sendings)) != NULL)
		sending_end(s, NULL, &e);
}
