/* SPDX-License-Identifier: ISC */
#ifndef REEVE_NKEY_H
#define REEVE_NKEY_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/*
 * NATS nkeys: Ed25519 keys in base32 with a kind and a CRC (notes: "Keys,
 * JWTs, creds").  Seeds are secrets: every holder wipes its copy.
 */
enum nkey_kind { NKEY_OPERATOR, NKEY_ACCOUNT, NKEY_USER };

#define NKEY_PUBLIC_LEN	56
#define NKEY_SEED_LEN	58
#define NKEY_SIG_LEN	64

struct nkey {
	enum nkey_kind	kind;
	char		public[NKEY_PUBLIC_LEN + 1];
	char		seed[NKEY_SEED_LEN + 1];
	unsigned char	secret[64];		/* libsodium's secret key */
};

int	nkey_new(struct nkey *, enum nkey_kind, struct error *);
/* EX_DATAERR: wrong length, alphabet, CRC, kind bits, trailing bits. */
int	nkey_from_seed(struct nkey *, const char *seed, struct error *);
void	nkey_wipe(struct nkey *);

bool	nkey_public_valid(const char *public, enum nkey_kind);
void	nkey_sign(const struct nkey *, const void *data, size_t len,
	    unsigned char sig[NKEY_SIG_LEN]);
/* False also when the public key does not decode. */
bool	nkey_verify(const char *public, const void *data, size_t len,
	    const unsigned char sig[NKEY_SIG_LEN]);

/* base64url without padding, as JWTs have it. malloc'd, NUL-terminated. */
char	*base64url_encode(const void *data, size_t len);
/* Standard base64 with padding. */
char	*base64_encode(const void *data, size_t len);
/* malloc'd and NUL-terminated beyond *len; NULL when it is not base64
 * (url: without padding; else with padding). */
unsigned char *base64url_decode(const char *s, size_t s_len, size_t *len);
unsigned char *base64_decode(const char *s, size_t s_len, size_t *len);

#endif
