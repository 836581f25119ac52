/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ROSTER_H
#define REEVE_ROSTER_H

#include "acls.h"
#include "byname.h"
#include "records.h"
#include "watch.h"

/*
 * Who is there: the presence bucket as a table (wire section 4).  A record
 * is live until it says offline, is deleted, or is PRESENCE_STALE_MS old as
 * counted from its arrival here.  One seen once stays known as offline: an
 * agent that is away can still be mentioned.  Of one that is away nothing says
 * what it listens to: attention and modes are dropped.
 */
#define PRESENCE_STALE_MS	6000

struct roster;

struct peer {
	struct presence	presence;
	int64_t		heard_ms;	/* clock_ms */
	bool		gone;		/* deleted, or the bucket was reset */
	struct named	named;		/* in the roster's index */
};

extern const struct watch_ops roster_ops;	/* table: struct roster * */

struct roster *roster_new(void);
void	roster_free(struct roster *);
bool	peer_is_live(const struct peer *);
/* It is away, whatever its record says, until the next one. */
void	roster_gone(struct roster *, const char *id);
const struct peer *roster_find(const struct roster *, const char *id);
void	roster_each(const struct roster *,
	    void (*fn)(void *arg, const struct peer *), void *arg);

/*
 * The owner a mention speaks of: one live match; else exactly one known
 * offline, from presence or by the name in an ACL record; else NULL.
 */
const char *roster_mentioned(const struct roster *, const struct acls *,
	    const char *name);
/*
 * A peer by exact id, else by case-insensitive name among the live, else a
 * unique offline one.  NULL with *e (EX_NOUSER when there is none, EX_DATAERR
 * naming the candidates when there are several).
 */
const struct peer *roster_resolve(const struct roster *, const char *name,
	    struct error *);

#endif
