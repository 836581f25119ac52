/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ENDPOINT_H
#define REEVE_ENDPOINT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "channels.h"
#include "creds.h"
#include "error.h"
#include "message.h"
#include "roster.h"
#include "strlist.h"

/*
 * An agent on the mesh: the agent's side of the wire (wire section 7).
 *
 * One loop, the caller's: endpoint_turn does all of the work, and every
 * callback runs inside it, in the caller's thread.  Nothing else waits: an
 * operation is begun, and its callback runs exactly once, when it is done, has
 * failed, or at the latest in endpoint_free (EX_TEMPFAIL).  Callbacks may begin
 * other operations, settle deliveries and ask for anything; they must not call
 * what turns (endpoint_turn, _await, _ask, _drain, _leave_mesh), _reconnect or
 * _free.
 *
 * It connects in the background and stays connected, for ever, with a growing
 * pause between tries (100 ms to 5 s).  On each connection it binds all anew,
 * in the order of section 7; only the first backfills.  An operation that was
 * under way when the link was lost fails with EX_TEMPFAIL.
 */
struct endpoint;

/* What it does.  Without any: calls, sends and reads only. */
enum endpoint_does {
	ENDPOINT_PRESENCE = 1,	/* is there: a record and its heartbeat */
	ENDPOINT_ROSTER = 2,	/* knows who else is */
	ENDPOINT_REGISTRY = 4,	/* knows the channels' configuration */
	ENDPOINT_LIVE = 8,	/* hears conf.subscribe, and what it joins */
	ENDPOINT_DURABLES = 16,	/* reads its own: dm_, dlv_, svc_ */
	ENDPOINT_BACKFILL = 32,	/* and at first what was said before */
	ENDPOINT_MEMBER = 64,	/* joins durable channels durably, at the
				   start with tries until it is one */
	ENDPOINT_ALL = 127,
};

struct endpoint_conf {
	const char		*servers;	/* URLs, comma-separated */
	const struct creds	*creds;		/* its id is theirs; or NULL: */
	/* a space without JWTs, in which it makes itself a new id */
	const char		*token;		/* NULL: none; or */
	const char		*user, *pass;	/* NULL: none */
	bool			 tls;		/* by the system's CAs */
	const char		*space;
	const char		*name;		/* shown; NULL: the id */
	const char		*role;		/* NULL: none */
	const char		*kind;		/* "agent" (NULL), "endpoint" */
	const char		*description;	/* NULL: none */
	const char		*model;		/* meta.model; NULL: none */
	const struct strlist	*tags;		/* or NULL */
	const struct strlist	*subscribe;	/* the boot channels, or NULL */
	unsigned		 does;		/* of enum endpoint_does */
	unsigned		 batch;		/* messages a pull; 0: 128 */
};

/* --- what comes in -------------------------------------------------------- */

enum delivery_kind { DELIVERY_CHANNEL, DELIVERY_DM, DELIVERY_ANYCAST };

/*
 * A message, once, however many copies of it come: live, by backfill, durably.
 * It is the receiver's until endpoint_settle; meanwhile a durable copy that
 * comes is kept with it, and settled with it.  What comes after that is
 * acknowledged unseen, as long as its id is remembered (4096 to 8192 of them,
 * each with its sender: nobody can make another's message look seen).
 */
struct delivery {
	enum delivery_kind	 kind;
	struct message		 m;
	char			*data;		/* the publisher's bytes */
	size_t			 len;
	bool			 historical;	/* said before it joined */
	bool			 durable;	/* a durable copy is here */
	uint64_t		 seq;		/* of the copy's stream; 0: live */
	int64_t			 stored_ms;	/* epoch; 0: not known */
	void			*user;		/* the receiver's own */
};

enum settle {
	SETTLE_DONE,		/* surfaced or handled: acknowledge */
	SETTLE_AGAIN,		/* not taken: a durable copy is to come again
				   in a second, and it is not remembered */
};

/*
 * At any time, also without a link: what cannot be acknowledged now is as soon
 * as there is one (up to 4096; and beyond, when it comes again).  d is gone.
 */
void	endpoint_settle(struct endpoint *, struct delivery *, enum settle);
/* A message was shown otherwise, read from history: a copy that comes from now
 * on is acknowledged unseen.  One that is here already is the receiver's. */
void	endpoint_shown(struct endpoint *, const struct message *);
/* Ask each durable for that many messages at a time, at most (0: none; at
 * first and at most: 256).  A role's tasks, which others wait for, stop at 64
 * that are not settled. */
void	endpoint_room(struct endpoint *, unsigned n);

enum peer_event { PEER_CAME, PEER_CHANGED, PEER_WENT };

/* Each may be NULL.  arg is endpoint_new's.  They run in endpoint_turn, and in
 * what turns (endpoint_await, _ask, _drain, _leave_mesh). */
struct endpoint_ops {
	/* Takes d, to be settled then or later. */
	void	(*message)(void *arg, struct delivery *d);
	/* Bound and live; or lost, or not come about, and why.  It is tried
	 * again until the receiver frees it (after the turn). */
	void	(*up)(void *arg);
	void	(*down)(void *arg, const struct error *why);
	void	(*peer)(void *arg, const struct peer *, enum peer_event);
	/* The broker took a joined channel away, or did not let a boot channel
	 * be heard: it is joined no more. */
	void	(*refused)(void *arg, const char *channel);
	/* Something to be known that stops nothing: a sentence. */
	void	(*note)(void *arg, const char *text);
};

/* --- its life -------------------------------------------------------------- */

/* conf is copied, but for creds, which outlive it.  EX_CONFIG, EX_USAGE: a
 * name or channel that cannot be, creds and a token; EX_OSERR.  What of the
 * broker's can be wrong is told by ops.down. */
int	endpoint_new(struct endpoint **, const struct endpoint_conf *,
	    const struct endpoint_ops *, void *arg, struct error *);
/* Send, wait at most timeout_ms for the broker or one of the extra descriptors
 * (at most 7; their revents are set), dispatch, tend. */
void	endpoint_turn(struct endpoint *, struct pollfd *extra, size_t n_extra,
	    int64_t timeout_ms);
/* Turn until it is up.  -1 with *e when the try that is under way has failed
 * (as ops.down says), or EX_TEMPFAIL when it was not in time. */
int	endpoint_await(struct endpoint *, int64_t timeout_ms, struct error *);
bool	endpoint_is_up(const struct endpoint *);
/* Close the link and connect at once; what is bound is bound anew.  ops.down
 * is told; operations under way fail.  Not in a callback. */
void	endpoint_reconnect(struct endpoint *);
/*
 * Say good-bye: what is not settled is given back, the presence says offline,
 * and all is stored before the link is closed, or timeout_ms are over.
 */
void	endpoint_leave_mesh(struct endpoint *, int64_t timeout_ms);
/* At once.  Operations under way end, and deliveries that are not settled are
 * gone.  NULL is fine. */
void	endpoint_free(struct endpoint *);

const char *endpoint_id(const struct endpoint *);
const char *endpoint_name(const struct endpoint *);
const char *endpoint_role(const struct endpoint *);	/* or NULL */
const char *endpoint_space(const struct endpoint *);

/* --- presence ---------------------------------------------------------------- */

/* Each changes the record, and writes it now if there is a link.  Texts are
 * copied.  A record that says offline has no attention and no modes. */
void	endpoint_set_status(struct endpoint *, enum status,
	    const char *activity);		/* NULL: none */
void	endpoint_set_attention(struct endpoint *, const char *mode);
/* {channel: "quiet"|"muted"}, copied; empty or NULL: none. */
void	endpoint_set_modes(struct endpoint *, const cJSON *modes);
void	endpoint_set_model(struct endpoint *, const char *model);
enum status endpoint_status(const struct endpoint *);

/* Views, valid until the next turn: who is there, and the registry. */
const struct roster *endpoint_roster(const struct endpoint *);
const struct channels *endpoint_registry(const struct endpoint *);

/* --- sending ------------------------------------------------------------------ */

/* e: NULL when it is stored.  EX_NOPERM: the broker refused; EX_TEMPFAIL: not
 * known to be stored; EX_DATAERR: too big. */
typedef void	endpoint_done_fn(void *arg, const struct error *e);

/*
 * Publish a draft with its id as Nats-Msg-Id; id, time, space and sender are
 * filled in where they are missing.  `to` is an id, channel is concrete.  Any
 * number may be under way.  -1 with *e: it was not begun.
 */
int	endpoint_send(struct endpoint *, const struct message_draft *,
	    endpoint_done_fn *, void *arg, struct error *);
/* The same, telling where it is stored. */
struct endpoint_stored {
	const char	*id;		/* the message's */
	uint64_t	 seq;		/* in its stream */
	bool		 duplicate;	/* this id was stored before */
};
typedef void	endpoint_stored_fn(void *arg, const struct endpoint_stored *,
	    const struct error *e);
int	endpoint_post(struct endpoint *, const struct message_draft *,
	    endpoint_stored_fn *, void *arg, struct error *);
/* Turn until that many at most are under way. */
int	endpoint_drain(struct endpoint *, size_t most, int64_t timeout_ms,
	    struct error *);

/* --- channels ------------------------------------------------------------------ */

struct endpoint_joined {
	bool		 was;		/* joined before: nothing was done */
	unsigned	 backfilled;	/* messages given */
	bool		 durable;
	char		 reason[256];	/* why not durable; "" if it need not be */
};
/*
 * Joins and leaves of a channel are done one after the other, as they were
 * begun.  When the link is lost they fail (EX_TEMPFAIL), but for a join that
 * is heard already: that is joined, and the rest goes on by itself.  Live
 * messages may come before what a backfill brings.
 */

/* e: NULL, and what came of it; or why it is not joined (EX_NOPERM: outside
 * its allowSubscribe). */
typedef void	endpoint_join_fn(void *arg, const struct endpoint_joined *,
	    const struct error *e);

/* Section 7, "Join": with ENDPOINT_BACKFILL what was said before, with
 * ENDPOINT_MEMBER durably.  A wildcard has no durable part. */
int	endpoint_join(struct endpoint *, const char *channel,
	    endpoint_join_fn *, void *arg, struct error *);
/* "Leave": it fails closed, the channel is joined still then.  One that is
 * not joined is left already; a membership that is found is closed. */
int	endpoint_leave(struct endpoint *, const char *channel,
	    endpoint_done_fn *, void *arg, struct error *);

enum health { HEALTH_NONE,	/* not joined, or its class is live */
	HEALTH_UNKNOWN, HEALTH_ACTIVE, HEALTH_DEGRADED };

struct endpoint_channel {
	const char	*channel;	/* may be a pattern */
	bool		 joined;
	bool		 member;	/* durably, as far as is known */
	bool		 unclosed;	/* refused, and still a member */
	bool		 joining;	/* durably, tried again until it is */
};
/* Every channel that it has to do with, unclosed ones too. */
void	endpoint_each_channel(const struct endpoint *,
	    void (*fn)(void *arg, const struct endpoint_channel *), void *arg);
/* Does it hear this channel, by itself or by a pattern? */
bool	endpoint_hears(const struct endpoint *, const char *channel);

/*
 * What is stored, and who keeps it: counts is {channel: messages}; lease_ready
 * is lease.0's, as agents cannot know how many shards there are (known: could
 * it be read).
 */
struct endpoint_survey {
	const cJSON	*counts;
	bool		 lease_known, lease_ready;
};
typedef void	endpoint_survey_fn(void *arg, const struct endpoint_survey *,
	    const struct error *e);
int	endpoint_survey(struct endpoint *, endpoint_survey_fn *, void *arg,
	    struct error *);
/* Of a channel, by a survey. */
enum health endpoint_health(const struct endpoint *, const char *channel,
	    const struct endpoint_survey *);

/* --- what was said ---------------------------------------------------------------- */

struct endpoint_history {
	uint64_t	 after_seq;	/* only what is above; 0: all */
	int64_t		 since_ms;	/* epoch; only what is younger; 0: all */
	uint64_t	 up_to_seq;	/* at most this; 0: no bound */
	size_t		 limit;		/* the newest so many; 0: all */
	size_t		 max_bytes;	/* with a limit: of those at most so
					   many bytes, but one message at
					   least; 0: no bound */
};

struct endpoint_said {
	const struct message	*m;
	const char		*data;
	size_t			 len;
	uint64_t		 seq;
	int64_t			 stored_ms;
};

/*
 * dropped: of what was asked for some is no longer kept, as far as that can be
 * told: the newest of a sender on a channel fill the stream's cap, and the
 * oldest of them is above the first that was asked for (with a limit that was
 * reached: above the oldest that was given).  bad: how many were left out as
 * not what their subjects say.
 */
struct endpoint_told {
	size_t		given, bad;
	uint64_t	older;		/* left out by limit or max_bytes */
	bool		dropped;
};

typedef void	endpoint_said_fn(void *arg, const struct endpoint_said *);
typedef void	endpoint_told_fn(void *arg, const struct endpoint_told *,
	    const struct error *e);

/* Read a channel or a pattern, oldest first; one at a time, others wait.
 * EX_NOPERM: outside its allowSubscribe. */
int	endpoint_read(struct endpoint *, const char *channel,
	    const struct endpoint_history *, endpoint_said_fn *,
	    endpoint_told_fn *, void *arg, struct error *);
/* The CHAT stream's newest sequence, for `after_seq` later. */
typedef void	endpoint_frontier_fn(void *arg, uint64_t seq,
	    const struct error *e);
int	endpoint_frontier(struct endpoint *, endpoint_frontier_fn *,
	    void *arg, struct error *);

/* --- control --------------------------------------------------------------------- */

#define ENDPOINT_JOIN_MS	30000		/* durableJoin */
#define ENDPOINT_CALL_MS	5000

/*
 * data of the answer (a view), NULL with e: EX_UNAVAILABLE nobody serves it,
 * EX_TEMPFAIL no answer in time or the link was lost, EX_NOPERM the broker
 * refused the call, EX_DATAERR the responder did, in its words (EX_TEMPFAIL if
 * it says that a later try may do), EX_PROTOCOL what it said is no answer.
 */
typedef void	endpoint_answer_fn(void *arg, const cJSON *data,
	    const struct error *e);
/* On ctl.<service>.<id>, service "delivery", "self", "manager"; takes args (may
 * be NULL), also when it fails.  Any number may be under way.  The reply comes
 * on a lane of its own that nobody can guess. */
int	endpoint_call(struct endpoint *, const char *service, const char *op,
	    cJSON *args, int64_t timeout_ms, endpoint_answer_fn *, void *arg,
	    struct error *);
/* The same, turning until it is answered; data is the caller's. */
cJSON	*endpoint_ask(struct endpoint *, const char *service, const char *op,
	    cJSON *args, int64_t timeout_ms, struct error *);

#endif
