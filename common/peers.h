/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PEERS_H
#define REEVE_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "error.h"
#include "strlist.h"

/*
 * Who lives on this host (contract, host "Peers"): <state>/peers.json, written
 * whole under a lock, mode 0600.  A peer is a personality with a directory
 * and one or more runtimes; on each it has an identity <runtime>-<personality>.
 *
 *	{"peers":[{"personality":"ada","cwd":"/srv/ada",
 *	           "runtimes":["claude","codex"]}]}
 */
struct resident {
	char		*personality, *cwd;
	struct strlist	 runtimes;
};
struct peers {			/* sorted by personality */
	struct resident	*v;
	size_t		 n;
};

/* No file: nobody.  Zeroed first; peers_free also after an error.
 * EX_DATAERR: it cannot be read, and says where. */
int	peers_load(struct peers *, const struct config *, struct error *);
void	peers_free(struct peers *);
const struct resident *peers_find(const struct peers *,
	    const char *personality);
/*
 * A new one, or another directory or more runtimes for one that is there.
 * Those runtimes that it had not are added to `fresh`.  EX_USAGE: no such
 * name, runtime or absolute path; EX_TEMPFAIL: another holds the lock for
 * seconds; errors of files.h.
 */
int	peers_add(const struct config *, const char *personality,
	    const char *cwd, const struct strlist *runtimes,
	    struct strlist *fresh, struct error *);
/* EX_NOUSER: there is none.  Its directory, and what is kept by its
 * identities, stay. */
int	peers_remove(const struct config *, const char *personality,
	    struct error *);
/* "<runtime>-<personality>", malloc'd; NULL: out of memory. */
char	*peers_identity(const char *runtime, const char *personality);

/* --- markers: <state>/peers/<identity>/ ------------------------------------ */

enum peer_mark {
	PEER_STOPPED,		/* by a person: not to be woken */
	PEER_IDLE,		/* asleep: to be woken by a message */
};
bool	peers_marked(const struct config *, const char *identity,
	    enum peer_mark);
/* Set it, or take it away; as it is already is no error. */
int	peers_mark(const struct config *, const char *identity,
	    enum peer_mark, bool on, struct error *);
/* Remove all that is kept by this identity: a namesake begins anew.  1: there
 * was something, 0: nothing, -1 *e. */
int	peers_purge(const struct config *, const char *identity,
	    struct error *);

/* --- liveness ------------------------------------------------------------------ */

enum peer_life {
	PEER_ABSENT,		/* nothing runs it here */
	PEER_ENDED,		/* it was started, and has ended */
	PEER_LIVE,
};
/* Of one runtime: by the manager's agents and their terminals, or the service
 * of that identity. */
enum peer_life peers_life(const struct config *, const char *runtime,
	    const char *personality);
const char *peer_life_name(enum peer_life);

#endif
