/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_START_H
#define REEVE_MANAGER_START_H

#include "agentfile.h"
#include "connector.h"
#include "launchspec.h"

#include "manager.h"

/*
 * A start, from a request whose every part was checked to an agent that runs
 * or to nothing at all.  Until its place is reserved nothing has been made;
 * from then on whatever fails takes back what was made before it, and the
 * note (note.h) lets the next manager do so if this one is killed.
 *
 * One that is started again has its identity, and what belongs to that: only
 * its terminal is made, and if that fails it has ended, as before.  Its note
 * says so until it is up.
 */
struct recipe {
	char			*ref;		/* what it was asked for by */
	char			*name;		/* wanted */
	char			*role, *model;	/* or NULL */
	char			*cwd;		/* absolute */
	char			*resume;	/* a session, or NULL */
	char			*path;		/* of its file; NULL: not yet */
	const struct connector	*connector;
	enum launch_policy	 policy;
	struct agent_file	 file;
	struct strlist		 subscribe, allow_subscribe, allow_publish;
	struct strlist		 capabilities;
	bool			 transcript;
	/* of a launch spec; NULL where it is none's */
	char			*run_id;
	struct launch_spec	 spec;
	const struct launch_agent *resolved;	/* in it */
	/* of one that has ended and is started again; NULL: a new one */
	struct agent		*again;
	bool			 as_it_was;	/* launch.json stays */
};

/*
 * Fill a recipe, in the contract's order of checks; free it also after a
 * failure.  Nothing is made.
 */
int	recipe_start(struct recipe *, struct manager *, const struct request *,
	    struct error *);
int	recipe_launch(struct recipe *, struct manager *,
	    const struct request *, struct error *);
/* One that has ended, by its name (again.c). */
int	recipe_again(struct recipe *, struct manager *, const struct request *,
	    struct error *);
void	recipe_free(struct recipe *);

/*
 * Reserve a place and begin.  Takes what the recipe holds, also when it
 * fails, and rq->ask when it does not: -1 with *e, and nothing was made; or 1.
 */
int	start_begin(struct manager *, struct recipe *, struct request *,
	    struct error *);
/* An agent's terminal says whether its child runs. */
void	start_up(struct manager *, const char *id, bool up);

/* malloc'd, for a recipe or a note; NULL of NULL, and never for want of
 * memory. */
char	*own_copy(const char *);

#endif
