/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PROVISION_H
#define REEVE_PROVISION_H

#include "bus.h"

/*
 * What an agent has on the broker: its durables dm_<id> and dlv_<id>, its
 * role's svc_<role>, and its ACL record.  Over a bus with a provisioner's
 * credential for this very agent.
 */
struct provision {
	struct bus	*bus;
	const char	*space, *id;
	const char	*name;		/* in the ACL record; NULL: none */
	const char	*role;		/* NULL: none */
	char *const	*allow;		/* what it may read */
	size_t		 n_allow;
	/* what was not there, and was made, or may have been */
	bool		 made_dm, made_dlv, made_svc, made_acl;
};

/* Make what is missing; what is there stays as it is. */
int	provision_make(struct provision *, struct error *);
/* Undo what provision_make made, after a failure of it or of what came next.
 * The role's queue is shared: it is never taken back.  -1 with *e (the first
 * one): something may be left. */
int	provision_take_back(struct provision *, struct error *);
/* Remove the agent's own: durables and ACL record, there or not. */
int	provision_remove(struct provision *, struct error *);

#endif
