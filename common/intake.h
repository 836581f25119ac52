/* SPDX-License-Identifier: ISC */
#ifndef REEVE_INTAKE_H
#define REEVE_INTAKE_H

#include "bus.h"
#include "jetstream.h"
#include "pull.h"
#include "tree.h"

/*
 * How far a durable was surely worked off, kept by the worker beyond its own
 * life: nats-server 2.9.10, when it stops, now and then truncates a durable's
 * state, and then delivers all that the stream still has once more, of which
 * the older message ids are long forgotten.
 */
struct intake_progress {
	uint64_t	floor_seq;	/* all at or below is done ... */
	int64_t		floor_ms;	/* ... and was stored by then */
	/* The floor when the state was lost.  A stream that was made anew has
	 * these sequences again, but stored later. */
	uint64_t	lost_seq;
	int64_t		lost_ms;
	/* What can be missing when a worker has died: if one was ever bound,
	 * how many messages it had in hand, the newest of all that it was
	 * given, and the consumer's sequence of the last delivery. */
	uint64_t	bound, in_hand, newest_seq, consumer_seq;
};

/*
 * What a worker has in hand of its durable consumer: taken in, held by stream
 * sequence, given out in that order, and acknowledged when all that was made
 * of it is stored (design, "The pipeline", "Restart", "Phantoms").
 *
 * - After a start, a takeover or a reconnect, what an earlier worker had
 *   fetched comes first: its redelivery is hastened by lowering the ack wait
 *   for a moment, and newer messages are parked until it is back.
 * - A redelivery of a message in hand only renews its ack subject.
 * - A failure of the store is not a failure of the message: everything waits,
 *   with back-off, kept alive by in-progress acks; no delivery is spent.  Then
 *   one message goes alone, and the rest when it is stored: in order.
 * - Messages that the server counts as pending but no longer stores are
 *   terminated ("phantoms").
 * - What an earlier worker of this host had in hand, and what has been
 *   evicted since, is counted, as well as it can be known, and told as a loss.
 */
struct losses;

struct intake_conf {
	const char	*stream, *durable;
	const char	*filter;	/* the durable's */
	const char	*dead_subject;	/* for what is given up on */
	struct intake_progress *progress; /* kept up; NULL: not */
	struct losses	*losses;	/* NULL: they are not told */
	unsigned	 batch;		/* messages a pull request */
	unsigned	 cap;		/* most in hand */
	/* Messages that were given back with a delay, which the server still
	 * counts as pending; and whether seq is one.  May be NULL. */
	size_t		(*deferred)(void *arg);
	bool		(*is_deferred)(void *arg, uint64_t seq);
	void		*arg;
};

/* A message in hand. */
struct held {
	RB_ENTRY(held)	 entry;
	natsMsg		*msg;
	uint64_t	 seq;
	uint64_t	 arrival;	/* counts up: barriers go by it */
	uint64_t	 deliveries;	/* 1 the first time */
	int64_t		 stored_ms;	/* epoch */
	int64_t		 touched_ms;	/* delivered or kept alive */
	unsigned	 unsettled;	/* stores not answered yet */
	bool		 taken, done;	/* being worked on; nothing to add */
	bool		 failed;	/* a store failed: work on it again */
	bool		 terminate;	/* buried: +TERM instead of +ACK */
	bool		 orphan;	/* dropped while a store was open */
	struct intake	*intake;
};

struct intake;

/*
 * Bind the durable: wait until nobody else's pull is waiting (at most
 * wait_ms), make its ack wait and width ours, begin to recover.  -1 with *e:
 * api JS_NO_CONSUMER when the durable does not exist.
 */
struct intake *intake_start(struct bus *, const struct intake_conf *,
	    int64_t wait_ms, struct error *);
/* Pulls (valid until until_ms), keeps alive, recovers; call every turn. */
int	intake_tend(struct intake *, int64_t until_ms, struct error *);
/* Recovered: newer messages may be worked on. */
bool	intake_ready(const struct intake *);
/* Stop and, when the connection lives, give back all in ascending order. */
void	intake_stop(struct intake *);

size_t	intake_held(const struct intake *);	/* in hand */
size_t	intake_unsettled(const struct intake *); /* stores not answered */
/* How many stores were answered, dead letters apart, and the highest sequence
 * among them. */
uint64_t intake_settled(const struct intake *, uint64_t *stored_seq);
uint64_t intake_arrivals(const struct intake *);
/* All up to here has been dealt with, but for what was given back with a
 * delay; 0: not known, it recovers. */
uint64_t intake_clear_seq(struct intake *);
/* CHAT's or INBOX's sequence up to which an earlier worker had been given
 * messages when this one was bound: what is missing behind it was given to
 * nobody. */
uint64_t intake_frontier(const struct intake *);

/*
 * The next message to work on, in stream order, among those that arrived no
 * later than `arrival`; NULL: none now.  It is taken: end with intake_done,
 * intake_nak, or intake_untake (to see it again).
 */
struct held *intake_next(struct intake *, uint64_t arrival);
void	intake_untake(struct held *);
bool	intake_has_work(struct intake *);
/* The last one told of others behind it, which are on their way: a burst that
 * has just begun is not worked on in pieces. */
bool	intake_more_coming(const struct intake *);
/*
 * Store something made of h.  0, or -1 with *e: EX_DATAERR when it can never
 * be stored, else the connection is gone.
 */
int	intake_store(struct held *, const struct bus_pub *, struct error *);
/*
 * Give up on h, or (copy not NULL) on what was to be stored of it: a dead
 * letter with the reason and the owner (NULL: none), from which it can be
 * replayed.  h is acknowledged when the letter is stored.
 */
int	intake_bury(struct held *, const char *reason, const char *owner,
	    const struct bus_pub *copy, struct error *);
/* Nothing more to store: acknowledge as soon as all is settled. */
void	intake_done(struct held *);
/* Back to the server, to come again after delay_ms.  h is gone. */
void	intake_nak(struct held *, int64_t delay_ms);

struct intake_counts {
	uint64_t	taken_in, acked, naked, buried, redelivered,
			store_failures, phantoms;
};
const struct intake_counts *intake_counts(const struct intake *);

#endif
