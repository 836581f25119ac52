/* SPDX-License-Identifier: ISC */
#ifndef REEVE_TRUST_H
#define REEVE_TRUST_H

#include "creds.h"
#include "profile.h"

/*
 * The trust of a space (contract, permissions "Trust"): an operator, an
 * account with a signing key, a system account.  A stripped trust file has
 * only space, account.pub and account.signingSeed; it mints users and
 * nothing else.
 */
struct trust {			/* malloc'd; what is not there is "" */
	char	*space;
	char	*operator_seed, *operator_jwt;
	char	*account_pub, *account_seed, *account_jwt;
	char	*signing_seed, *signing_pub;
	char	*sys_pub, *sys_jwt;
};

int	trust_new(struct trust *, const char *space, struct error *);
/* Reads the reference's auth.json too. EX_NOINPUT, EX_NOPERM (mode),
 * EX_DATAERR with the path of the field.  After an error t is zero. */
int	trust_load(struct trust *, const char *path, struct error *);
/* 0600, whole or absent; parents made 0700. */
int	trust_save(const struct trust *, const char *path, struct error *);
/* Forget (and wipe) all that minting users does not need. */
void	trust_strip(struct trust *);
bool	trust_is_stripped(const struct trust *);
void	trust_wipe(struct trust *);

/*
 * Mint a user by a profile: a new key when c->key is all zero, else for that
 * key (its public half is enough).  c->jwt is replaced: zero c first.  The
 * scope's id is set to c->key.public, its space where NULL to the trust's.
 * ttl_s 0: does not expire.
 * EX_USAGE: the scope is refused, or makes a JWT the server would not take.
 */
int	trust_mint(const struct trust *, enum profile, struct scope *,
	    long ttl_s, struct creds *c, struct error *);

/* The embedded broker's configuration (permissions "Trust"). */
struct server_conf {
	const char	*host;
	int		 port;		/* -1: any free one */
	const char	*store_dir;
	const char	*pid_file;	/* NULL: none */
};

/* malloc'd text; refuses a stripped trust, a port or a path that cannot be
 * (EX_CONFIG). */
char	*trust_server_conf(const struct trust *, const struct server_conf *,
	    struct error *);

#endif
