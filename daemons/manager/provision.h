/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_PROVISION_H
#define REEVE_MANAGER_PROVISION_H

#include "conf.h"
#include "creds.h"
#include "note.h"
#include "oneshot.h"

/*
 * reeve-provision(8), which makes or removes what an agent has on the broker:
 * with a credential that is good for this one agent, and a minute.
 */
#define PROVISION_TTL_S	60

/* Make them: what it may read goes into its ACL record. */
int	provision_create(struct oneshot *, const struct config *,
	    const struct note *, const struct strlist *allow_subscribe,
	    const struct creds *, struct error *);
int	provision_remove(struct oneshot *, const struct config *,
	    const struct note *, const struct creds *, struct error *);

#endif
