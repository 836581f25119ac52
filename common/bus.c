/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus_impl.h"
#include "bus_msg.h"
#include "clock.h"

#define EXTRA_MAX	8

/* --- how it is ----------------------------------------------------------------- */

bool
bus_alive(const struct bus *b)
{
	return b->nc != NULL && b->fd != -1 &&
	    !natsConnection_IsClosed(b->nc);
}

const char *
bus_why(const struct bus *b)
{
	const char	*text = "";

	if (bus_alive(b))
		return "";
	if (b->nc != NULL)
		natsConnection_GetLastError(b->nc, &text);
	return text[0] ? text : "connection closed";
}

const char *
bus_id(const struct bus *b)
{
	return b->id;
}

size_t
bus_max_payload(const struct bus *b)
{
	return (size_t)natsConnection_GetMaxPayload(b->nc);
}

int64_t
bus_silent_ms(const struct bus *b)
{
	return clock_ms() - b->heard_ms;
}

size_t
bus_buffered(const struct bus *b)
{
	int	n = natsConnection_Buffered(b->nc);

	return n > 0 ? (size_t)n : 0;
}

/* --- the turn -------------------------------------------------------------- */

/*
 * Whoever may take from a consumer can have what is stored delivered wherever
 * he likes: the server does not ask whether he may publish there.  It comes
 * under the subject that it was stored with.  In an inbox of ours that is as
 * it should be; elsewhere it is nobody's word.
 */
static bool
is_aimed(const struct bus_sub *s, natsMsg *m)
{
	return s->pattern != NULL &&
	    !subject_matches(s->pattern, natsMsg_GetSubject(m));
}

static void
dispatch_sub(struct bus_sub *s)
{
	natsMsg		*m;
	natsStatus	 st;
	uint64_t	 queued = 0;

	while (!s->gone && natsSubscription_QueuedMsgs(s->sub, &queued) ==
	    NATS_OK && queued > 0)
		while (queued-- > 0 && !s->gone) {
			st = natsSubscription_NextMsg(&m, s->sub, 1);
			/* That one libnats destroys, and only says so. */
			if (st == NATS_NO_RESPONDERS)
				m = bus_msg_no_responders(
				    natsSubscription_GetSubject(s->sub));
			else if (st != NATS_OK)
				return;
			if (m != NULL && is_aimed(s, m))
				bus_msg_free(m);
			else if (m != NULL)
				s->fn(s->arg, m);
		}
}

/* The mux is last: what a reply speaks of has been seen before it. */
static void
dispatch(struct bus *b)
{
	struct bus_sub	*s, *next;

	TAILQ_FOREACH(s, &b->subs, entry)
		dispatch_sub(s);
	for (s = TAILQ_FIRST(&b->subs); s != NULL; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->gone)
			bus_sub_free(b, s);
	}
}

static bool
queued_already(struct bus *b)
{
	struct bus_sub	*s;
	uint64_t	 n = 0;

	TAILQ_FOREACH(s, &b->subs, entry)
		if (!s->gone && natsSubscription_QueuedMsgs(s->sub, &n) ==
		    NATS_OK && n > 0)
			return true;
	return false;
}

void
bus_turn(struct bus *b, struct pollfd *extra, size_t n_extra,
    int64_t timeout_ms)
{
	struct pollfd	p[2 + EXTRA_MAX];
	size_t		i;

	assert(!b->turning && n_extra <= EXTRA_MAX);
	b->turning = true;
	if (b->want_write)
		natsConnection_ProcessWriteEvent(b->nc);
	if (b->n_pending > 0 && timeout_ms > BUS_EXPIRY_SWEEP_MS)
		timeout_ms = BUS_EXPIRY_SWEEP_MS;
	p[0].fd = b->fd;
	p[0].events = POLLIN | (b->want_write ? POLLOUT : 0);
	p[1].fd = b->refused->wakefd;
	p[1].events = POLLIN;
	for (i = 0; i < n_extra; i++)
		p[2 + i] = extra[i];
	for (i = 0; i < 2 + n_extra; i++)
		p[i].revents = 0;
	if (queued_already(b) || timeout_ms < 0)
		timeout_ms = 0;
	if (poll(p, (nfds_t)(2 + n_extra), (int)timeout_ms) == 0 &&
	    timeout_ms > 0)
		bus_msg_rest();
	for (i = 0; i < n_extra; i++)
		extra[i].revents = p[2 + i].revents;
	if (p[1].revents != 0)
		bus_take_refusals(b);
	if (p[0].revents & (POLLIN | POLLERR | POLLHUP)) {
		natsConnection_ProcessReadEvent(b->nc);
		b->heard_ms = clock_ms();
	}
	if (b->fd != -1 && (p[0].revents & POLLOUT))
		natsConnection_ProcessWriteEvent(b->nc);
	dispatch(b);
	bus_expire_requests(b);
	b->turning = false;
}

int
bus_drain(struct bus *b, int64_t timeout_ms)
{
	int64_t	deadline = clock_ms() + timeout_ms;

	while (bus_alive(b) && bus_buffered(b) > 0) {
		if (clock_ms() >= deadline)
			return -1;
		bus_turn(b, NULL, 0, 10);
	}
	return bus_alive(b) ? 0 : -1;
}

/* --- subscriptions and publishing -------------------------------------------- */

void
bus_sub_free(struct bus *b, struct bus_sub *s)
{
	TAILQ_REMOVE(&b->subs, s, entry);
	natsSubscription_Destroy(s->sub);
	free(s->pattern);
	free(s);
}

struct bus_sub *
bus_subscribe(struct bus *b, const char *subject, const char *queue,
    bus_msg_fn *fn, void *arg, struct error *e)
{
	const bool	 own = strncmp(subject, "_INBOX_", 7) == 0;
	struct bus_sub	*s;
	natsStatus	 st;

	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (!own && (s->pattern = strdup(subject)) == NULL)) {
		error_errno(e, EX_OSERR, "subscribe");
		free(s);
		return NULL;
	}
	s->fn = fn;
	s->arg = arg;
	if (queue != NULL)
		st = natsConnection_QueueSubscribeSync(&s->sub, b->nc,
		    subject, queue);
	else
		st = natsConnection_SubscribeSync(&s->sub, b->nc, subject);
	/* Ours are bounded by what was asked for, and must not be dropped. */
	if (st == NATS_OK && own)
		st = natsSubscription_SetPendingLimits(s->sub, -1, -1);
	if (st != NATS_OK) {
		error_set(e, st == NATS_INVALID_SUBJECT ? EX_DATAERR :
		    EX_UNAVAILABLE, "cannot subscribe %s: %s", subject,
		    natsStatus_GetText(st));
		natsSubscription_Destroy(s->sub);
		free(s->pattern);
		free(s);
		return NULL;
	}
	if (b->mux == NULL)
		TAILQ_INSERT_TAIL(&b->subs, s, entry);
	else
		TAILQ_INSERT_BEFORE(b->mux, s, entry);
	return s;
}

void
bus_unsubscribe(struct bus *b, struct bus_sub *s)
{
	if (s == NULL)
		return;
	(void)natsSubscription_Unsubscribe(s->sub);
	s->gone = true;
	if (!b->turning)
		bus_sub_free(b, s);
}

int
bus_inbox(struct bus *b, char *buf, size_t size, const char *kind)
{
	int	n;

	n = snprintf(buf, size, "_INBOX_%s.%s.%s.%u", b->id, b->nonce, kind,
	    ++b->inboxes);
	return n < 0 || (size_t)n >= size ? -1 : n;
}

static natsStatus
set_headers(natsMsg *m, const struct bus_pub *p)
{
	natsStatus	s = NATS_OK;
	char		seq[24];

	if (p->msg_id != NULL)
		s = natsMsgHeader_Set(m, "Nats-Msg-Id", p->msg_id);
	if (s == NATS_OK && p->expect) {
		snprintf(seq, sizeof(seq), "%llu",
		    (unsigned long long)p->expect_seq);
		s = natsMsgHeader_Set(m,
		    "Nats-Expected-Last-Subject-Sequence", seq);
	}
	if (s == NATS_OK && p->kv_operation != NULL)
		s = natsMsgHeader_Set(m, "KV-Operation", p->kv_operation);
	return s;
}

int
bus_publish(struct bus *b, const struct bus_pub *p, struct error *e)
{
	natsMsg		*m = NULL;
	natsStatus	 s;

	if (!bus_alive(b))
		return error_set(e, EX_UNAVAILABLE, "%s: connection lost: %s",
		    p->subject, bus_why(b));
	if (p->msg_id == NULL && !p->expect && p->kv_operation == NULL) {
		s = p->reply == NULL ?
		    natsConnection_Publish(b->nc, p->subject, p->data,
		    (int)p->len) :
		    natsConnection_PublishRequest(b->nc, p->subject, p->reply,
		    p->data, (int)p->len);
	} else {
		s = natsMsg_Create(&m, p->subject, p->reply, p->data,
		    (int)p->len);
		if (s == NATS_OK)
			s = set_headers(m, p);
		if (s == NATS_OK)
			s = natsConnection_PublishMsg(b->nc, m);
		bus_msg_free(m);
	}
	if (s == NATS_OK)
		return 0;
	return error_set(e, s == NATS_MAX_PAYLOAD ||
	    s == NATS_INVALID_SUBJECT ? EX_DATAERR : EX_UNAVAILABLE,
	    "cannot publish to %s: %s", p->subject, natsStatus_GetText(s));
}
