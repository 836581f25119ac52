/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BUS_H
#define REEVE_BUS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nats/nats.h>

#include "creds.h"
#include "error.h"

/*
 * One connection to the broker, driven by its owner's loop: libnats in event
 * loop mode, so the process has one thread that does work, and a burst of
 * publishes leaves in one write.
 *
 * A bus never reconnects by itself: libnats would lose what is in flight and
 * send what came after (notes, "Asynchronous publishing").  When it dies its
 * owner closes it, opens another and binds anew: one path for the start, a
 * lost link and a restarted broker.
 *
 * bus_open may run on another thread than the one that turns it later, once
 * the bus was handed over (pthread_join, a lock); all else of a bus is the one
 * thread's that turns it.
 *
 * Callbacks run inside bus_turn.  They take in (keep, count, apply) and may
 * publish and make requests; they must not call bus_turn or bus_call.
 */
struct bus;
struct bus_sub;

struct bus_conf {
	const char		*servers;	/* URLs, comma-separated */
	/* Outlives the bus.  Without a JWT only its id counts, and a broker
	 * that asks for no JWT is shown one of these: */
	const struct creds	*creds;
	const char		*token;		/* NULL: none; or */
	const char		*user, *pass;	/* NULL: none */
	bool			 tls;		/* by the system's CAs */
	const char		*name;		/* for the broker's lists */
	int64_t			 timeout_ms;	/* to connect; 0: 2000 */
};

/* EX_UNAVAILABLE: nobody there.  EX_NOPERM: refused.  EX_CONFIG: bad URL. */
int	bus_open(struct bus **, const struct bus_conf *, struct error *);
/* Its servers as they may be shown and logged: without user, password and
 * token.  Returns buf. */
const char *bus_servers(const char *servers, char *buf, size_t size);
/* Sends what is buffered (at most 500 ms), then closes.  Pending requests
 * end with BUS_CLOSED.  NULL is fine. */
void	bus_close(struct bus *);
/* The connection is dead from now on, and what was not written is lost: then
 * bus_close waits for nothing. */
void	bus_cut(struct bus *);
bool	bus_alive(const struct bus *);
const char *bus_why(const struct bus *);	/* it died; "" while alive */
const char *bus_id(const struct bus *);
size_t	bus_max_payload(const struct bus *);
/* ms since anything came from the broker. */
int64_t	bus_silent_ms(const struct bus *);

/*
 * One turn: send, wait at most timeout_ms for the broker or one of the extra
 * descriptors (their revents are set), dispatch.  0 ms polls.
 */
void	bus_turn(struct bus *, struct pollfd *extra, size_t n_extra,
	    int64_t timeout_ms);
/* Turn until what is buffered has been written; -1 on death or timeout. */
int	bus_drain(struct bus *, int64_t timeout_ms);
size_t	bus_buffered(const struct bus *);

/* --- subscriptions ---------------------------------------------------- */

/* Takes the message: bus_msg_free it, now or later. */
typedef void	bus_msg_fn(void *arg, natsMsg *);

/* queue may be NULL.  -1 with *e only when the connection is dead; a refusal
 * by the broker comes later: bus_refused.  A message of another subject than
 * was asked for is passed over, but in an inbox of ours. */
struct bus_sub *bus_subscribe(struct bus *, const char *subject,
	    const char *queue, bus_msg_fn *, void *arg, struct error *);
void	bus_unsubscribe(struct bus *, struct bus_sub *);
/* `_INBOX_<id>.<random>.<kind>.<n>`: nobody else can guess it. */
int	bus_inbox(struct bus *, char *buf, size_t size, const char *kind);
/* Has the broker refused a publish to, or a subscription of, this subject on
 * this connection? */
bool	bus_refused(const struct bus *, const char *subject);
/* How much it has refused on this connection: look again when that changes. */
unsigned bus_refusals(const struct bus *);

/* --- publishing and requests ------------------------------------------- */

struct bus_pub {
	const char	*subject;
	const char	*reply;		/* NULL: none */
	const void	*data;
	size_t		 len;
	const char	*msg_id;	/* Nats-Msg-Id; NULL: none */
	bool		 expect;	/* compare-and-set against ... */
	uint64_t	 expect_seq;	/* Nats-Expected-Last-Subject-Sequence */
	const char	*kv_operation;	/* KV-Operation: "DEL"; NULL: none */
};

/* Buffered; -1 when dead (EX_UNAVAILABLE) or too big (EX_DATAERR). */
int	bus_publish(struct bus *, const struct bus_pub *, struct error *);

enum bus_outcome {
	BUS_OK,			/* a reply came */
	BUS_TIMEOUT,
	BUS_NO_RESPONDER,
	BUS_DENIED,		/* the broker refused the publish */
	BUS_CLOSED,
};

/* reply is NULL unless BUS_OK; it is destroyed after the callback. */
typedef void	bus_reply_fn(void *arg, enum bus_outcome, natsMsg *reply);

/* p->reply is ignored: it is the bus's own.  After a 0 the callback runs
 * exactly once, at the latest in bus_close. */
int	bus_request(struct bus *, const struct bus_pub *p,
	    int64_t timeout_ms, bus_reply_fn *, void *arg, struct error *);
/*
 * The same, turning the bus until the answer is there.  The reply is the
 * caller's.  NULL with *e: EX_TEMPFAIL (timeout, dead), EX_UNAVAILABLE (no
 * responder), EX_NOPERM (denied).
 */
natsMsg	*bus_call(struct bus *, const struct bus_pub *, int64_t timeout_ms,
	    struct error *);
/* The same with a reply subject of the caller's choosing, which it may
 * subscribe: `ctl` replies come on the caller's own lane. */
natsMsg	*bus_call_on(struct bus *, const struct bus_pub *, const char *reply,
	    int64_t timeout_ms, struct error *);
/*
 * Make the broker say something: an empty request to an inbox of ours that
 * nobody hears, `_INBOX_<id>.*.probe.*`, which it answers itself, after all
 * that was sent before.  bus_probe does not wait for that; bus_await turns
 * until then, -1 with *e as bus_call.
 */
int	bus_probe(struct bus *, struct error *);
int	bus_await(struct bus *, int64_t timeout_ms, struct error *);
/*
 * Until when a call that is made now may wait, by clock_ms: the right to work
 * ends at a time, and who waits cannot stop.  It is asked again all the while;
 * the call then ends as by a timeout, and none is begun any more (EX_TEMPFAIL).
 * NULL: no such limit.
 */
typedef int64_t	bus_limit_fn(void *arg);
void	bus_limit(struct bus *, bus_limit_fn *, void *arg);

/*
 * Destroy a message, or soon: libnats hands each to a thread of its own, which
 * costs a wake-up unless many come at once.  They are gone after a few hundred
 * more, or when this thread's bus has nothing to do.  NULL is fine.
 */
void	bus_msg_free(natsMsg *);
/* A message's header value, or NULL. */
const char *bus_header(natsMsg *, const char *name);
/* Status of an empty message ("Status" header), 0 if it has none. */
int	bus_status(natsMsg *);

#endif
