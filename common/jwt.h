/* SPDX-License-Identifier: ISC */
#ifndef REEVE_JWT_H
#define REEVE_JWT_H

#include <cjson/cJSON.h>

#include "nkey.h"
#include "strlist.h"

/*
 * NATS JWT v2, algorithm ed25519-nkey.  Each maker returns malloc'd text, or
 * NULL with *e.  iat is now; jti as the reference makes it (notes).
 */

/*
 * The server takes an absent or empty allow list for "everything"; here it
 * means nothing, and jwt_user writes it as deny ">".
 */
struct permissions {
	struct strlist	pub_allow, pub_deny, sub_allow, sub_deny;
};

char	*jwt_operator(const struct nkey *op, const char *name,
	    const char *sys_pub, struct error *);
/* jetstream false: the system account (storage 0). signing_pub may be NULL. */
char	*jwt_account(const struct nkey *op, const char *pub, const char *name,
	    const char *signing_pub, bool jetstream, struct error *);
/* ttl_s 0: does not expire.  issuer_account: the account's public key, left
 * out of the claims when the signer is the account itself. */
char	*jwt_user(const struct nkey *signer, const char *issuer_account,
	    const char *pub, const char *name, const struct permissions *,
	    long ttl_s, struct error *);

/* Check form and signature (by its iss) and return the claims; the caller
 * frees.  Expiry is the server's to judge.  NULL with *e (EX_DATAERR). */
cJSON	*jwt_decode(const char *jwt, struct error *);

#endif
