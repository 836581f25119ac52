/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGE_H
#define REEVE_MANAGE_H

#include "cli.h"

/*
 * Calls of the manager's ctl.admin (reeve-manager(8)), each with a credential
 * that is minted for it and good for nothing else.
 */
#define MANAGE_MS	6000		/* the manager answers before 5 s */

/*
 * The answer's data, the caller's; args (NULL: none) is taken.  NULL with *e:
 * EX_UNAVAILABLE no manager runs, EX_TEMPFAIL no answer in time, else what
 * the manager says.
 */
cJSON	*manage_call(struct cli *, const char *op, cJSON *args,
	    struct error *);
/* {name: value}; a NULL value is left out.  Pairs, and NULL at the end.
 * NULL: out of memory. */
cJSON	*manage_args(const char *name, ...) __attribute__((sentinel));
/* malloc'd and absolute, of a path that need not exist.  NULL with *e. */
char	*manage_path(const char *path, struct error *);
/* Stop an agent, with an id only that one of its name; with forget remove what
 * it has, too, also if it has ended already.  Says what it did. */
int	manage_stop(struct cli *, const char *name, const char *id, bool hard,
	    bool forget, struct error *);

#endif
