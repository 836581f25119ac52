/* SPDX-License-Identifier: ISC */
#ifndef REEVE_WORKER_H
#define REEVE_WORKER_H

#include "gate.h"
#include "intake.h"
#include "losses.h"
#include "members.h"
#include "role.h"

/*
 * What fanout and reader have in common: a role that takes messages from a
 * durable while its shard's lease is this host's and the space has as many
 * shards as the host is set up for, proves its tables fresh once a batch, and
 * hands each message to its own work function in order.
 */
struct worker;

enum work {
	WORK_ON,	/* done with it (or with all that can be done now) */
	WORK_HOLD,	/* not now, and nothing behind it either */
	WORK_FAILED,	/* *e: the session ends */
};

#define WORKER_WATCHES	5

/* A message may be given up on after so many deliveries *and* so long; for
 * being poison, when so many workers in a row died at it as well. */
#define GIVE_UP_DELIVERIES	10
#define GIVE_UP_AGE_MS		20000
#define GIVE_UP_DEATHS		3

/* What a worker's next process is to know: a page of a file. */
struct worker_mark {
	uint64_t		 magic;	/* WORKER_MARK of this layout */
	volatile uint64_t	 at_seq;	/* being worked on; 0: none */
	uint64_t		 died_at_seq;	/* the last death that was at
						   any, ... */
	uint64_t		 deaths;	/* ... and how many in a row */
	uint64_t		 shards;	/* of the durable of: */
	struct intake_progress	 progress;
	struct loss_page	 losses;	/* not told yet */
};

/* "reeveat1" and the layout's size: any other page is not believed. */
#define WORKER_MARK	(0x7265657665617431ULL ^ sizeof(struct worker_mark))

/* That tables and lease are fresh, for what came before it was asked for. */
struct worker_proof {
	struct watch_proof	 tables;
	bool			 asking;
	uint64_t		 asked_arrival;
	int64_t			 asked_us;
	uint64_t		 arrival;	/* proven; 0: nothing is */
	uint64_t		 bound;		/* as often as when it was asked */
	int64_t			 heard_us, took_us;
	int64_t			 due_us;	/* see spare_us */
	bool			 used_up;	/* no more to do by it */
};

struct worker {
	/* set by the role before worker_session */
	struct role		*role;
	struct watch		*watches[WORKER_WATCHES];
	struct members		*members;	/* of the first watch */
	size_t			 n_watches;
	size_t			 n_fresh;	/* the first so many must be
						   proven fresh each batch */
	struct intake_conf	 intake_conf;
	/* Every sequence that its filter covers is delivered to it, so that
	 * one passed over is one evicted: tell it.  From there on: */
	bool			 sees_all;
	uint64_t		 sees_from_seq;
	/* the durable is missing: make it, or say why not */
	int			(*make_durable)(struct worker *,
				    struct error *);
	/* a new intake was bound */
	void			(*bound)(struct worker *);
	/* every turn while open; NULL: nothing to do */
	int			(*tend)(struct worker *, struct error *);
	/* one message, taken: end it by intake_done, _nak or _untake */
	enum work		(*work)(struct worker *, struct held *,
				    struct error *);
	void			*own;

	/* the frame's */
	struct gate		 gate;
	struct intake		*intake;
	bool			 held_up;	/* look again soon */
	struct worker_proof	 proof;
	struct worker_mark	*mark;
	struct losses		 losses;
	uint64_t		 batches, worked, barrier_us;
	uint64_t		 trimmed_at;	/* worked, when memory was given
						   back */
	int64_t			 idle_ms;	/* since then */
};

/* Once, at the role's start. */
int	worker_init(struct worker *, struct role *, struct error *);
/* A role_def session. */
int	worker_session(struct worker *, struct error *);
/*
 * Forget, on this host, how far a role's durable was worked off: it is to
 * begin where somebody says, though that is below.  A process that runs sees
 * it, too.
 */
int	worker_forget(const struct config *, const char *role,
	    unsigned shard, struct error *);
bool	worker_may_give_up(const struct held *);
/*
 * Does it end its workers?  One that may be given up on, and that processes
 * died at, in a row.  What was merely in hand when others died is as good as
 * new, however often it was delivered: an operator's kills bury nothing.
 * Nothing catches a message that a worker never comes back from: it stands
 * still, its health falls silent, and only who kills it counts a death.
 */
bool	worker_is_poison(const struct worker *, const struct held *);
/* Members for the health message. */
void	worker_health(const struct worker *, cJSON *);

#endif
