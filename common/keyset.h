/* SPDX-License-Identifier: ISC */
#ifndef REEVE_KEYSET_H
#define REEVE_KEYSET_H

#include <stddef.h>
#include <stdint.h>

/*
 * How many different keys were there: a set of 64-bit hashes under a random
 * key of its own, 16 bytes a member or a few more.  Two keys of one hash are
 * one in 10^9 sets of 100,000, and not again once the set was cleared.
 */
struct keyset {
	uint64_t	*slots;		/* 0: empty */
	size_t		 n, size;	/* size: 0 or a power of 2 */
	unsigned char	 hash_key[16];
};

/* A zeroed keyset is empty, but has no hash key: clear it first. */
void	keyset_clear(struct keyset *);	/* frees, and takes a new hash key */
/* 0, or -1 when out of memory. */
int	keyset_add(struct keyset *, const char *key);

#endif
