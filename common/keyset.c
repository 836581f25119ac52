/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "keyset.h"

#define SLOTS_MIN	64

_Static_assert(sizeof(((struct keyset *)NULL)->hash_key) ==
    crypto_shorthash_KEYBYTES, "hash key");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "hash");

void
keyset_clear(struct keyset *s)
{
	free(s->slots);
	memset(s, 0, sizeof(*s));
	randombytes_buf(s->hash_key, sizeof(s->hash_key));
}

/* Where hash is, or is to be: there is always an empty slot. */
static uint64_t *
slot(const struct keyset *s, uint64_t hash)
{
	size_t	i = (size_t)hash & (s->size - 1);

	while (s->slots[i] != 0 && s->slots[i] != hash)
		i = (i + 1) & (s->size - 1);
	return &s->slots[i];
}

static int
grow(struct keyset *s)
{
	struct keyset	bigger = *s;
	size_t		i;

	bigger.size = s->size == 0 ? SLOTS_MIN : s->size * 2;
	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return -1;
	for (i = 0; i < s->size; i++)
		if (s->slots[i] != 0)
			*slot(&bigger, s->slots[i]) = s->slots[i];
	free(s->slots);
	*s = bigger;
	return 0;
}

int
keyset_add(struct keyset *s, const char *key)
{
	uint64_t	 hash, *at;

	if (s->n >= s->size / 4 * 3 && grow(s) == -1)
		return -1;
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key,
	    strlen(key), s->hash_key);
	if (hash == 0)
		hash = 1;
	at = slot(s, hash);
	if (*at == 0) {
		*at = hash;
		s->n++;
	}
	return 0;
}
