/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_MINT_H
#define REEVE_MANAGER_MINT_H

#include <sys/queue.h>

#include "names.h"
#include "nkey.h"
#include "role.h"
#include "strlist.h"

/*
 * Asking the signer for JWTs (reeve-signer(8)).  Only a public key goes out;
 * its seed stays here.  Requests are answered in any order, on a lane of this
 * manager's that nobody else hears.
 */
#define MINT_MS		3000		/* so long an answer may take */

/* Absent lists and names are NULL. */
struct mint_request {
	const char		*profile;	/* "agent" ... */
	const char		*public;
	const char		*name, *role, *target;
	const struct strlist	*subscribe, *allow_subscribe, *allow_publish;
	bool			 spawn;		/* a capability */
	const char		*asker;		/* the id that it is for */
	int64_t			 ttl_s;		/* 0: it does not expire */
};

/* jwt is the caller's to copy; or NULL, and e says why. */
typedef void	mint_fn(void *arg, const char *jwt, const struct error *e);

struct mint_call;
struct minter {
	struct role			*role;
	struct bus_sub			*lane;
	char				 subject[SUBJECT_MAX];
	LIST_HEAD(, mint_call)		 calls;
};

/* On the session's bus; and what was asked on an earlier one has failed. */
int	minter_bind(struct minter *, struct role *, struct error *);
void	minter_unbind(struct minter *);
/* 0: fn is called once, later.  -1 with *e: never. */
int	minter_ask(struct minter *, const struct mint_request *, mint_fn *,
	    void *arg, struct error *);
/* Forget what was asked with this argument. */
void	minter_forget(struct minter *, const void *arg);
/* Call often: what is late has failed. */
void	minter_tend(struct minter *);

#endif
