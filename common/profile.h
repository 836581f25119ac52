/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PROFILE_H
#define REEVE_PROFILE_H

#include "error.h"
#include "jwt.h"

/*
 * What each kind of user may publish and subscribe: default-deny lists made
 * of the wire's own names (contract, permissions; notes "Role profiles that
 * work").  No profile is allow-all.
 */
enum profile {
	PROFILE_AGENT,
	PROFILE_LEASE, PROFILE_FANOUT, PROFILE_READER, PROFILE_CONTROL,
	PROFILE_MANAGER, PROFILE_SIGNER,
	PROFILE_PTY,		/* one agent's terminal */
	PROFILE_SETUP,		/* short-lived: create streams and buckets */
	PROFILE_PROVISIONER,	/* one agent's durables and ACL record */
	PROFILE_PURGER,		/* empties CHAT and DM, reads neither */
	PROFILE_OPERATOR, PROFILE_OBSERVER, PROFILE_ADMIN,
	PROFILE_INSPECTOR,	/* `reeve status`: stream and consumer info,
				   lease, health; no message bodies */
	PROFILE_UNDERTAKER,	/* `reeve dead`: read and drop dead letters,
				   replay them to dinbox */
	PROFILE_REGISTRAR,	/* `reeve channels set`: channel records */
	PROFILE_RESHARDER,	/* `reeve reshard`: the number of shards, and
				   one shard's durables */
	PROFILE_MIGRATOR,	/* `reeve migrate`: what a space has, of the
				   records who is a member and may read, and
				   no message */
	PROFILE_CALLER_MANAGER,	/* one control tier, and not the other */
	PROFILE_CALLER_ADMIN,
	PROFILE_ATTACHER,	/* looks at one agent's terminal */
	PROFILE_PROBE,
	N_PROFILES
};

/* A list whose pointer is NULL is absent and takes its default; one of
 * length 0 that is not NULL is empty. */
struct scope {
	const char	*space;
	const char	*id;		/* the user's public key */
	unsigned	 shard, shards;	/* roles; shards 0 counts as 1 */
	/* agent, provisioner, pty, attacher */
	const char	*target;	/* the last three: the agent's id */
	const char	*name;		/* operator: unused */
	const char	*role;		/* svc_<role>, or NULL */
	char *const	*subscribe;	size_t n_subscribe;
	char *const	*allow_subscribe; size_t n_allow_subscribe;
	char *const	*allow_publish;	size_t n_allow_publish;
	bool		 spawn;
};

const char *profile_name(enum profile);		/* "fanout" */
/* An unknown name is an error (EX_USAGE), never a default. */
int	profile_by_name(enum profile *, const char *name, struct error *);

/*
 * Fill p (zero it first; free with permissions_free also after an error).
 * Defaults: subscribe ["general"], allow_subscribe = subscribe, allow_publish
 * none.  Refused (EX_USAGE) with the channel named: an invalid channel, a
 * last segment "*" in allow_subscribe, subscribe outside allow_subscribe.
 * Refused too: an id or target that is no user's key, a shard beyond shards.
 */
int	profile_permissions(enum profile, const struct scope *,
	    struct permissions *p, struct error *);
void	permissions_free(struct permissions *);

#endif
