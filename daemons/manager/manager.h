/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_H
#define REEVE_MANAGER_H

#include <sys/queue.h>

#include <cjson/cJSON.h>

#include "map.h"
#include "roster.h"

#include "hold.h"
#include "mint.h"
#include "note.h"
#include "slots.h"

/*
 * The manager's parts (contract, agents "Manager").  An op is a const struct
 * op at the end of a file op_*.c; serve.c has the table of them and knows
 * nothing else.
 *
 * One thread, one loop.  What takes time (a start, a stop, the removal of
 * what an agent had) is a record with a phase, stepped in each turn of the
 * loop: so many are under way at once, and none waits for another.
 */

/* Clients give up after 5 s: who asked is told before that. */
#define ANSWER_MS	4500

enum tier { TIER_SELF = 1, TIER_MANAGER = 2, TIER_ADMIN = 4 };

/* Somebody waits for an answer. */
struct ask {
	STAILQ_ENTRY(ask)	 entry;
	char			 reply[SUBJECT_MAX];
	int64_t			 deadline_ms;
	bool			 graceful;	/* a stop's */
};
STAILQ_HEAD(asks, ask);

struct start;
struct gone;
struct purge;

/* An agent that has a note. */
struct agent {
	struct note	 note;
	char		*dir;
	struct slot	*slot;		/* NULL: it has ended */
	bool		 waiting;	/* its child is to be started again */
	uint64_t	 starts;	/* of that, so far; 0: not heard yet */
	bool		 closing;	/* its terminal is told to end */
	enum slot_end	 how;		/* ... for this reason */
	int64_t		 remove_ms;	/* when to remove it at the latest;
					   0: it is */
	struct asks	 asks;		/* who waits for that */
};

struct manager {
	struct role		*role;
	struct hold		 hold;
	struct minter		 minter;
	struct slots		 slots;
	struct map		*agents;	/* by name: struct agent */
	TAILQ_HEAD(starts, start) starts;	/* in the order of asking */
	LIST_HEAD(, gone)	 gone;
	struct purge		*purge;		/* NULL: none is under way */
	struct roster		*roster;
	struct watch		*presence;
	struct bus_sub		*subs[3];	/* of the tiers */
	STAILQ_HEAD(, queued)	 queue;
	unsigned		 n_queued;
	int64_t			 looked_ms;	/* at the agents' files */
	int64_t			 beat_ms;	/* its presence; 0: not yet */
	uint64_t		 served, refused, unbound, overflow;
};

/* A request whose form, sender and tier have been checked. */
struct request {
	enum tier	 tier;
	const char	*caller;	/* the authenticated id */
	const cJSON	*args;		/* an object */
	struct ask	*ask;		/* an op that answers later takes it */
};

struct op {
	const char	*name;
	unsigned	 tiers;
	/*
	 * Do it.  0: *data is the answer's, made by the op.  -1 with *e: its
	 * text is.  1: it has taken rq->ask, and answers by manager_answer.
	 */
	int		(*run)(struct manager *, struct request *,
			    cJSON **data, struct error *);
};

extern const struct op op_start, op_launch, op_stop, op_attach, op_persona,
	op_purge, op_ps, op_status, op_forget;

/* --- serve.c ------------------------------------------------------------- */

int	serve_bind(struct manager *, struct error *);
void	serve_unbind(struct manager *);
/* What has come. */
void	serve_all(struct manager *);
/* Answer, once; frees ask (NULL is fine) and takes data, NULL where e says
 * why not. */
void	manager_answer(struct manager *, struct ask *, cJSON *data,
	    const struct error *e);
/* A member of args: NULL when it is not there; -1 when it is no string. */
int	arg_string(const cJSON *args, const char *name, const char **out,
	    struct error *);
/* None of these members, nor any twice. */
int	args_refuse(const cJSON *args, const char *const *names,
	    struct error *);

/* --- fleet.c: the agents that there are ------------------------------------ */

/* Those that an earlier manager left. */
int	fleet_load(struct manager *, struct error *);
void	fleet_free(struct manager *);
struct agent *fleet_find(const struct manager *, const char *name);
struct agent *fleet_by_id(const struct manager *, const char *id);
/* A slot_taken_fn: by an agent whose terminal still ends, or onboarded. */
bool	fleet_taken(void *manager, const char *name);
/* Takes the note's contents: it lives, in this place. */
void	fleet_add(struct manager *, struct note *, struct slot *);
/* One that has ended is not in the table any more; what is known of it is the
 * caller's. */
void	fleet_lift(struct manager *, struct agent *, struct note *);
/* Takes the note's contents, of one that has ended; a terminal that is there
 * goes. */
void	fleet_keep(struct manager *, struct note *);
/* One that has ended is forgotten: its remains become gone.c's. */
int	fleet_forget(struct manager *, struct agent *, struct ask *,
	    struct error *);
/* What the terminal of this id says of itself. */
void	fleet_state(struct manager *, const char *id, const cJSON *state);
/* End its terminal, at once or by and by; ask (may be NULL) is answered then.
 * Children of it go, too. */
void	fleet_stop(struct manager *, struct agent *, enum slot_end,
	    bool hard, struct ask *);
/* End at once what the agent of this id has started, and cancel what it has
 * asked for. */
void	fleet_reap(struct manager *, const char *id);
/* Look for what has ended.  Call often. */
void	fleet_tend(struct manager *);
/* The connection is gone: nobody is answered any more. */
void	fleet_unbind(struct manager *);
/* In lifecycle.log: what was done with one. */
void	fleet_note(const struct manager *, const struct note *,
	    const char *ev, const char *how);
/* Of a peer of this host: a person has stopped it, or it is started; so is
 * not to be woken, or is again. */
void	fleet_mark(const struct manager *, const struct note *, bool stopped);
/* {name, id, role, ...} of one. */
cJSON	*fleet_json(const struct manager *, const struct agent *);

/* --- gone.c: what is to be removed of those that were ----------------------- */

int	gone_load(struct manager *, struct error *);
/*
 * Remove an agent's durables and ACL record, then the directory: now, or
 * when the signer and the broker let us, though the manager starts anew.
 * Takes the note's contents.  Then ask (or NULL) is answered: with why, if
 * its code is not 0.  dir is where it is; it goes at once.
 */
int	gone_add(struct manager *, struct note *, const char *dir,
	    struct ask *, const struct error *why, struct error *);
void	gone_tend(struct manager *);
/* End what they started: a start that was cut off may have come so far. */
void	gone_reap(struct manager *);
void	gone_unbind(struct manager *);
void	gone_free(struct manager *);

/* --- start.c --------------------------------------------------------------- */

void	start_tend(struct manager *);
/* The connection is gone: each that is under way fails. */
void	start_unbind(struct manager *);
/* Who asked for it is no more. */
void	start_cancel_of(struct manager *, const char *spawner);
/* Is any under way that needs a look soon? */
bool	start_any(const struct manager *);
bool	gone_any(const struct manager *);

/* --- card.c: its own presence ------------------------------------------------ */

/* Say that it is there, when it is time; while the lease is held. */
void	card_beat(struct manager *);
/* Say that it is not. */
void	card_withdraw(struct manager *);

/* --- op_purge.c ------------------------------------------------------------ */

void	purge_tend(struct manager *);
void	purge_unbind(struct manager *);
bool	purge_any(const struct manager *);

/* --- term.c: an agent's terminal as a service -------------------------------- */

int	term_make(const struct config *, const char *name, struct error *);
/* Take it away; the supervisor ends it.  None there is no error. */
int	term_remove(const struct config *, const char *name, struct error *);
/* Tell it to end, hard: at once.  It is to be removed when it has, and not before:
 * what is told a service that goes might not be heard. */
int	term_end(const struct config *, const char *name, bool hard,
	    struct error *);
/* Remove what was taken away, of this one; NULL: of all, and half-made ones. */
void	term_sweep(const struct config *, const char *name);
bool	term_exists(const struct config *, const char *name);
/* Does its process live, whoever supervises? */
bool	term_runs(const struct config *, const char *name);

#endif
