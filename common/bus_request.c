/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus_impl.h"
#include "bus_msg.h"
#include "clock.h"
#include "log.h"

#define LIMIT_MIN_MS	50	/* see may_wait_ms */
#define PROBE_MS	2000	/* who is silent so long is dead */

/* --- requests ---------------------------------------------------------- */

static uint32_t
request_slot(struct bus *b)
{
	struct request	*v;
	uint32_t	 i, cap;

	if (b->free_slot == BUS_NO_SLOT) {
		cap = b->n_requests == 0 ? 64 : b->n_requests * 2;
		v = reallocarray(b->requests, cap, sizeof(*v));
		if (v == NULL)
			return BUS_NO_SLOT;
		for (i = b->n_requests; i < cap; i++) {
			memset(&v[i], 0, sizeof(v[i]));
			v[i].next = i + 1 < cap ? i + 1 : BUS_NO_SLOT;
		}
		b->requests = v;
		b->free_slot = b->n_requests;
		b->n_requests = cap;
	}
	i = b->free_slot;
	b->free_slot = b->requests[i].next;
	return i;
}

static void
request_end(struct bus *b, uint32_t i, enum bus_outcome outcome,
    natsMsg *reply)
{
	struct request	*r = &b->requests[i];
	bus_reply_fn	*fn = r->fn;
	void		*arg = r->arg;

	free(r->subject);
	r->subject = NULL;
	r->fn = NULL;
	r->generation++;
	r->next = b->free_slot;
	b->free_slot = i;
	b->n_pending--;
	fn(arg, outcome, reply);
}

/* libnats does not say which request nobody answers: it is known when there
 * is only one, and the others time out. */
static uint32_t
only_request(const struct bus *b)
{
	uint32_t	i;

	for (i = 0; i < b->n_requests && b->n_pending == 1; i++)
		if (b->requests[i].fn != NULL)
			return i;
	return BUS_NO_SLOT;
}

/* A reply subject's last token, `<slot>g<generation>` in hexadecimal. */
static bool
reply_token(const char *s, uint32_t *slot, uint32_t *generation)
{
	char	*end;

	if ((s = strrchr(s, '.')) == NULL)
		return false;
	*slot = (uint32_t)strtoul(s + 1, &end, 16);
	if (*end != 'g')
		return false;
	*generation = (uint32_t)strtoul(end + 1, &end, 16);
	return *end == '\0';
}

void
bus_on_reply(void *arg, natsMsg *m)
{
	struct bus	*b = arg;
	uint32_t	 i, generation;

	if (natsMsg_IsNoResponders(m)) {
		if ((i = only_request(b)) != BUS_NO_SLOT)
			request_end(b, i, BUS_NO_RESPONDER, NULL);
	} else if (reply_token(natsMsg_GetSubject(m), &i, &generation) &&
	    i < b->n_requests && b->requests[i].fn != NULL &&
	    b->requests[i].generation == generation)
		request_end(b, i, BUS_OK, m);
	bus_msg_free(m);
}

void
bus_expire_requests(struct bus *b)
{
	int64_t		now = clock_ms();
	uint32_t	i;

	if (b->n_pending == 0 || now - b->swept_ms < BUS_EXPIRY_SWEEP_MS)
		return;
	b->swept_ms = now;
	for (i = 0; i < b->n_requests; i++)
		if (b->requests[i].fn != NULL &&
		    b->requests[i].deadline_ms <= now)
			request_end(b, i, BUS_TIMEOUT, NULL);
}

int
bus_request(struct bus *b, const struct bus_pub *p, int64_t timeout_ms,
    bus_reply_fn *fn, void *arg, struct error *e)
{
	struct bus_pub	 q = *p;
	struct request	*r;
	char		 reply[SUBJECT_MAX];
	uint32_t	 i;

	if ((i = request_slot(b)) == BUS_NO_SLOT)
		return error_errno(e, EX_OSERR, "request");
	r = &b->requests[i];
	snprintf(reply, sizeof(reply), "_INBOX_%s.%s.r.%xg%x", b->id,
	    b->nonce, i, r->generation);
	q.reply = reply;
	if (bus_publish(b, &q, e) == -1) {
		r->next = b->free_slot;
		b->free_slot = i;
		return -1;
	}
	r->fn = fn;
	r->arg = arg;
	/* Only API calls can be denied one by one; a denied stream publish
	 * is a fault of set-up, and shows as a time-out and in the log. */
	r->subject = p->msg_id == NULL ? strdup(p->subject) : NULL;
	r->deadline_ms = clock_ms() + timeout_ms;
	b->n_pending++;
	return 0;
}

struct call {
	bool			 done;
	enum bus_outcome	 outcome;
	natsMsg			*reply;
};

static void
on_call(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct call	*c = arg;

	c->done = true;
	c->outcome = outcome;
	if (reply != NULL && (c->reply = bus_msg_copy(reply)) == NULL)
		c->outcome = BUS_CLOSED;
}

static natsMsg *
call_result(struct bus *b, const struct call *c, const char *subject,
    struct error *e)
{
	switch (c->outcome) {
	case BUS_OK:
		return c->reply;
	case BUS_TIMEOUT:
		error_set(e, EX_TEMPFAIL, "%s: no answer in time", subject);
		break;
	case BUS_NO_RESPONDER:
		error_set(e, EX_UNAVAILABLE, "%s: nobody serves it", subject);
		break;
	case BUS_DENIED:
		error_set(e, EX_NOPERM, "%s: not permitted by these "
		    "credentials", subject);
		break;
	case BUS_CLOSED:
		error_set(e, EX_TEMPFAIL, "%s: connection lost: %s", subject,
		    bus_why(b));
		break;
	}
	return NULL;
}

void
bus_limit(struct bus *b, bus_limit_fn *limit, void *arg)
{
	b->limit = limit;
	b->limit_arg = arg;
}

/* Then no call is begun: what it would ask or write is another's business. */
static bool
too_late(const struct bus *b, const char *subject, struct error *e)
{
	if (b->limit == NULL || b->limit(b->limit_arg) > clock_ms())
		return false;
	error_set(e, EX_TEMPFAIL, "%s: the right to ask has ended", subject);
	return true;
}

/* How long a call that began then may still wait; a right that ends just now
 * leaves it time for an answer that is on its way. */
static int64_t
may_wait_ms(const struct bus *b, int64_t began_ms, int64_t timeout_ms)
{
	int64_t	until = began_ms + timeout_ms, limit;

	if (b->limit != NULL) {
		limit = b->limit(b->limit_arg);
		if (limit < began_ms + LIMIT_MIN_MS)
			limit = began_ms + LIMIT_MIN_MS;
		if (limit < until)
			until = limit;
	}
	return until - clock_ms();
}

/* No answer came: the slot must not outlive the caller's frame. */
static void
end_call(struct bus *b, struct call *c)
{
	uint32_t	i;

	for (i = 0; i < b->n_requests; i++)
		if (b->requests[i].fn == on_call && b->requests[i].arg == c)
			request_end(b, i, bus_alive(b) ? BUS_TIMEOUT :
			    BUS_CLOSED, NULL);
}

natsMsg *
bus_call(struct bus *b, const struct bus_pub *p, int64_t timeout_ms,
    struct error *e)
{
	struct call	c = { .done = false };
	int64_t		began = clock_ms(), left;

	if (too_late(b, p->subject, e) ||
	    bus_request(b, p, timeout_ms, on_call, &c, e) == -1)
		return NULL;
	/* Once in any case: the answer may be there. */
	do {
		left = may_wait_ms(b, began, timeout_ms);
		bus_turn(b, NULL, 0, left > 0 ? left : 0);
	} while (!c.done && bus_alive(b) && left > 0);
	if (!c.done)
		end_call(b, &c);
	return call_result(b, &c, p->subject, e);
}

static void
on_probe(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	(void)arg;
	(void)outcome;
	(void)reply;
}

int
bus_probe(struct bus *b, struct error *e)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .data = "" };

	if (bus_inbox(b, subject, sizeof(subject), "probe") == -1)
		return error_set(e, EX_SOFTWARE, "inbox");
	return bus_request(b, &p, PROBE_MS, on_probe, NULL, e);
}

int
bus_await(struct bus *b, int64_t timeout_ms, struct error *e)
{
	char		 subject[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject, .data = "" };
	struct error	 why = { .code = 0 };
	natsMsg		*m;

	if (bus_inbox(b, subject, sizeof(subject), "probe") == -1)
		return error_set(e, EX_SOFTWARE, "inbox");
	if ((m = bus_call(b, &p, timeout_ms, &why)) != NULL)
		bus_msg_free(m);
	/* Nobody hears it: that is the answer. */
	if (m != NULL || (why.code == EX_UNAVAILABLE && bus_alive(b)))
		return 0;
	if (e != NULL)
		*e = why;
	return -1;
}

static void
on_lane(void *arg, natsMsg *m)
{
	struct call	*c = arg;

	if (c->done) {
		bus_msg_free(m);
		return;
	}
	c->done = true;
	c->outcome = natsMsg_IsNoResponders(m) ? BUS_NO_RESPONDER : BUS_OK;
	if (c->outcome == BUS_OK)
		c->reply = m;
	else
		bus_msg_free(m);
}

natsMsg *
bus_call_on(struct bus *b, const struct bus_pub *p, const char *reply,
    int64_t timeout_ms, struct error *e)
{
	struct call	 c = { .done = false };
	struct bus_pub	 q = *p;
	struct bus_sub	*lane;
	int64_t		 began = clock_ms(), left;

	if (too_late(b, p->subject, e))
		return NULL;
	if ((lane = bus_subscribe(b, reply, NULL, on_lane, &c, e)) == NULL)
		return NULL;
	q.reply = reply;
	if (bus_publish(b, &q, e) == -1) {
		bus_unsubscribe(b, lane);
		return NULL;
	}
	do {
		left = may_wait_ms(b, began, timeout_ms);
		bus_turn(b, NULL, 0, left > 0 ? left : 0);
		if (!c.done && (bus_refused(b, p->subject) ||
		    bus_refused(b, reply))) {
			c.done = true;
			c.outcome = BUS_DENIED;
		}
	} while (!c.done && bus_alive(b) && left > 0);
	if (!c.done)
		c.outcome = bus_alive(b) ? BUS_TIMEOUT : BUS_CLOSED;
	bus_unsubscribe(b, lane);
	return call_result(b, &c, p->subject, e);
}

/* The bus closes: every callback runs, once. */
void
bus_end_requests(struct bus *b)
{
	uint32_t	i;

	for (i = 0; i < b->n_requests; i++)
		if (b->requests[i].fn != NULL)
			request_end(b, i, BUS_CLOSED, NULL);
	free(b->requests);
}

/* --- refusals ------------------------------------------------------------ */

/* `Permissions Violation for Publish to "SUBJECT"`: is it this one?  The
 * text is cut at 256 bytes, so a long subject is compared as far as it goes. */
static bool
refusal_names(const char *text, const char *subject)
{
	const char	*q = strchr(text, '"');
	size_t		 n, len = strlen(subject);

	if (q == NULL || strncasecmp(text, "Permissions Violation", 21) != 0)
		return false;
	n = strcspn(++q, "\"");
	if (q[n] == '\0')
		return n > 0 && strncmp(q, subject, n) == 0;
	return n == len && strncmp(q, subject, n) == 0;
}

bool
bus_refused(const struct bus *b, const char *subject)
{
	struct refusals	*r = b->refused;
	bool		 hit = false;
	unsigned	 i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < BUS_REFUSED_KEPT && !hit; i++)
		hit = r->text[i] != NULL && refusal_names(r->text[i], subject);
	pthread_mutex_unlock(&r->lock);
	return hit;
}

unsigned
bus_refusals(const struct bus *b)
{
	struct refusals	*r = b->refused;
	unsigned	 n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

static void
deny_requests(struct bus *b, const char *text)
{
	uint32_t	i;

	for (i = 0; i < b->n_requests; i++)
		if (b->requests[i].fn != NULL &&
		    b->requests[i].subject != NULL &&
		    refusal_names(text, b->requests[i].subject))
			request_end(b, i, BUS_DENIED, NULL);
}

void
bus_take_refusals(struct bus *b)
{
	struct refusals	*r = b->refused;
	char		*text;
	uint64_t	 drained;

	if (read(r->wakefd, &drained, sizeof(drained)) == -1)
		return;
	for (;;) {
		pthread_mutex_lock(&r->lock);
		if (r->n - r->seen > BUS_REFUSED_KEPT)
			r->seen = r->n - BUS_REFUSED_KEPT;
		text = r->seen == r->n ? NULL :
		    strdup(r->text[r->seen++ % BUS_REFUSED_KEPT]);
		pthread_mutex_unlock(&r->lock);
		if (text == NULL)
			return;
		log_debug("broker refused", "text=%s", log_str(text));
		deny_requests(b, text);
		free(text);
	}
}
