/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_HOLD_H
#define REEVE_MANAGER_HOLD_H

#include "names.h"
#include "role.h"

/*
 * The lease of a space's only manager: the key `lease` of the bucket
 * cotal_manager_<space> (wire section 4, ManagerLease).  Ours adds host and
 * nonce.
 *
 * A manager of this very host that was killed leaves a record that its
 * successor takes over at once, for the lock file says that it is no more.
 * Anybody else's is let alone: two managers would start every agent twice.
 */
struct hold {
	char		 stream[STREAM_MAX];
	char		 subject[SUBJECT_MAX];	/* the key's */
	char		 nonce[33];
	int64_t		 ttl_ms;		/* the bucket's */
	uint64_t	 seq;			/* its revision */
	int64_t		 since_ms;		/* epoch */
	int64_t		 stored_ms;		/* last renewal, clock_ms */
	int64_t		 next_ms;		/* to renew */
	bool		 held;
};

void	hold_init(struct hold *, const struct role *);
/*
 * Take it on the session's bus.  EX_CONFIG: another manager lives, and says
 * which.
 */
int	hold_take(struct hold *, struct role *, struct error *);
/* Renew when it is time.  -1: it is lost, EX_SOFTWARE to somebody else;
 * EX_TEMPFAIL when it could not be renewed in time. */
int	hold_tend(struct hold *, struct role *, struct error *);
/* Is it ours now, whatever the broker's answer would be? */
bool	hold_is_valid(const struct hold *);
/* When to renew, in ms from now; at least 0. */
int64_t	hold_left_ms(const struct hold *);
/* Give it up: nothing newer than what we wrote. */
void	hold_release(struct hold *, struct role *);

#endif
