/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ENDPOINT_IMPL_H
#define REEVE_ENDPOINT_IMPL_H

#include "bus.h"
#include "endpoint.h"
#include "watch.h"

/*
 * What an endpoint is made of.  endpoint.c has its life, endpoint_link.c opens
 * the link in the background; then the parts in their order: calls, presence,
 * reads, hear, joins.  Each part is a file with state of its own, and
 *
 *	_new	once; the endpoint is filled but for the parts after it.
 *		NULL: out of memory
 *	_free	once, after _unbind; NULL is fine
 *	_bind	on a new link, ep->bus.  -1 with *e: this link is no good
 *	_bound	is all of it bound?  If not, the next part waits
 *	_tend	in each turn of a link, before and after the bus's, once _bind
 *		was called.  -1 likewise
 *	_unbind	the link is lost or about to be closed, ep->bus is still there
 *		(dead or alive) and is closed after: operations that are under
 *		way end with EX_TEMPFAIL, what is joined stays so.  Also
 *		without a _bind before
 *
 * What is to be bound after all others (the role's task queue) is bound in a
 * _tend that finds ep->up.
 */
struct uplink;		/* endpoint_link.c */
struct presence_part;	/* endpoint_presence.c: own record, roster, registry */
struct call_part;	/* endpoint_call.c: calls, and sending */
struct hear_part;	/* endpoint_hear.c: what comes in, once; settling */
struct join_part;	/* endpoint_join.c: channels; endpoint_member.c */
struct read_part;	/* endpoint_read.c: history, frontier */

struct endpoint {
	struct endpoint_conf	 conf;		/* its strings are owned; name,
						   kind and creds are set */
	struct strlist		 subscribe, tags, owned;
	struct creds		 fresh;		/* where none were given */
	struct endpoint_ops	 ops;
	void			*arg;
	struct uplink		*link;
	struct bus		*bus;		/* NULL: no link */
	bool			 up;		/* all parts are bound */
	bool			 was_up;	/* ever: no backfill any more */
	bool			 leaving, parted;
	bool			 closing;	/* parts are being unbound */
	size_t			 n_begun;	/* parts that _bind was called of */
	int64_t			 up_ms;		/* since */
	int64_t			 alive_ms;	/* last sign of life asked for */
	int64_t			 turned_ms;	/* last listened to the link */
	unsigned		 downs;		/* how often, and the last */
	struct error		 why;

	struct presence_part	*presence;
	struct call_part	*calls;
	struct hear_part	*hear;
	struct join_part	*joins;
	struct read_part	*reads;
};

static inline bool
endpoint_wants(const struct endpoint *ep, enum endpoint_does what)
{
	return (ep->conf.does & what) != 0;
}

/* ops.note with a sentence made of that. */
void	endpoint_note(struct endpoint *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* May an operation begin?  0; or -1 with *e, EX_TEMPFAIL: there is no link, or
 * its parts are being unbound (a callback of what ended then asks). */
int	endpoint_linked(const struct endpoint *, struct error *);
/* Ask JetStream's API, body NULL: nothing said.  After a 0 fn runs once, at
 * the latest when the link is closed (BUS_CLOSED), which is after _unbind. */
int	endpoint_api(struct endpoint *, const char *subject,
	    const char *body, bus_reply_fn *, void *arg, struct error *);
/* 0 for BUS_OK, else -1 with what to say of it. */
int	endpoint_outcome(enum bus_outcome, const char *what, struct error *);

/* --- the link: a connection that is made by a thread of its own -------------- */

/* NULL: out of memory, or of descriptors. */
struct uplink *uplink_new(const struct endpoint_conf *);
/* Not waiting for a try that is under way: it ends by itself, unseen. */
void	uplink_free(struct uplink *);
/* Begin a try, unless there is one or it is not time yet. */
void	uplink_tend(struct uplink *);
/* To be polled while there is no bus, and for how long at most (ms). */
int	uplink_fd(const struct uplink *);
int64_t	uplink_wait_ms(const struct uplink *);
/* 1: *bus is the caller's, to be closed before uplink_free and the next
 * uplink_tend; 0: none yet; -1: a try has failed, the next one is later. */
int	uplink_take(struct uplink *, struct bus **, struct error *);
/* The bus is gone: the next try is later, each time by twice as much. */
void	uplink_failed(struct uplink *);
/* It was good: the next pause is the short one again. */
void	uplink_was_good(struct uplink *);
/* The next try is at once. */
void	uplink_hurry(struct uplink *);

/* --- the parts ------------------------------------------------------------ */

#define ENDPOINT_PART(type, name)					\
	struct type *name##_new(struct endpoint *);			\
	void	name##_free(struct type *);				\
	int	name##_bind(struct type *, struct error *);		\
	bool	name##_bound(const struct type *);			\
	int	name##_tend(struct type *, struct error *);		\
	void	name##_unbind(struct type *)

ENDPOINT_PART(presence_part, presence_part);
ENDPOINT_PART(call_part, call_part);
ENDPOINT_PART(hear_part, hear_part);
ENDPOINT_PART(join_part, join_part);
ENDPOINT_PART(read_part, read_part);

/* --- what they ask of each other -------------------------------------------- */

/* A live copy of a channel's message that came under pattern; takes m. */
void	hear_live(struct hear_part *, const char *pattern, natsMsg *m);
/* One read for a backfill; historical: said before it joined.  False: it is
 * this agent's own, or was given already. */
bool	hear_historical(struct hear_part *, const struct endpoint_said *,
	    bool historical);
/* How long (ms) a turn may wait for the sake of what is being joined. */
int64_t	join_part_wait_ms(const struct join_part *);
/* How many durable copies have come, ever. */
uint64_t hear_taken(const struct hear_part *);
/* Leaving the mesh: nothing more is taken, what is not settled goes back. */
void	hear_give_back(struct hear_part *);
/* Write the last presence of this agent, offline; is it stored, or can it not
 * be? */
void	presence_leave(struct presence_part *);
bool	presence_left(const struct presence_part *);
/* How many messages of endpoint_send are under way. */
size_t	call_sending(const struct call_part *);

#endif
