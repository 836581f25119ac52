/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_SLOTS_H
#define REEVE_MANAGER_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/*
 * How many agents there may be, and what they are called (contract, agents
 * "Manager").  A place is taken together with its name, before anything of the
 * agent is made: so no two starts get the same name, nor more than SLOTS_MAX a
 * place, however they are interleaved.
 *
 * Times are ms of one clock, the caller's; one that steps back makes nothing
 * wait longer than SLOT_COOL_MS.  No input or output here.
 */
#define SLOTS_MAX	50
#define SLOT_COOL_MS	10000
#define SLOT_NAME_MAX	64		/* bytes of an agent's name */

enum slot_state {
	SLOT_FREE,
	SLOT_STARTING,		/* in flight: place and name are taken */
	SLOT_LIVE,
	SLOT_COOLING,		/* counts still, has no name any more */
};

/* Why a place is given up. */
enum slot_end {
	SLOT_FAILED,		/* it never lived: free at once */
	SLOT_TOLD,		/* by an operator: free at once */
	SLOT_ENDED,		/* any other way: young ones cool */
};

struct slot {
	enum slot_state	state;
	char		name[SLOT_NAME_MAX + 1];
	int64_t		since_ms;	/* live: start; cooling: its end */
};

/* Zero-initialized is empty. */
struct slots {
	struct slot	v[SLOTS_MAX];
};

/* Is a name in use otherwise? */
typedef bool	slot_taken_fn(void *arg, const char *name);

/* How many places are taken now; what has cooled is free. */
size_t	slots_used(struct slots *, int64_t now_ms);
/* 0, or -1 with *e (EX_TEMPFAIL): every place is taken. */
int	slots_check(struct slots *, int64_t now_ms, struct error *);
/*
 * Take a place for a new agent that wants to be called base: or base-2,
 * base-3 and so on, the first that no other has (but for case).  taken may be
 * NULL.  NULL with *e: EX_TEMPFAIL no place, EX_USAGE no such name.
 */
struct slot *slots_reserve(struct slots *, const char *base, int64_t now_ms,
	    slot_taken_fn *taken, void *arg, struct error *);
/* It lives, since now. */
void	slot_live(struct slot *, int64_t now_ms);
/* It is no more.  NULL is fine. */
void	slot_end(struct slot *, enum slot_end, int64_t now_ms);
/* One that was there before this process: by its name, since then; or with
 * cooling set, without one, and until then.  NULL: there is no place. */
struct slot *slots_adopt(struct slots *, const char *name, bool cooling,
	    int64_t at_ms);
/* Until when it cools; 0: it does not. */
int64_t	slot_cools_until(const struct slot *);

#endif
