/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "nkey.h"

#define RAW_KEY		32			/* seed or public key */
#define RAW_PUBLIC	(1 + RAW_KEY + 2)	/* prefix, key, CRC */
#define RAW_SEED	(2 + RAW_KEY + 2)
#define PREFIX_SEED	0x90

static const unsigned char prefixes[] = {
	[NKEY_OPERATOR] = 0x70,
	[NKEY_ACCOUNT] = 0x00,
	[NKEY_USER] = 0xa0,
};
#define N_KINDS	(sizeof(prefixes) / sizeof(prefixes[0]))

static const char	alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static uint16_t	crc16(const unsigned char *, size_t);
static void	crc_put(unsigned char *, size_t);
static bool	crc_ok(const unsigned char *, size_t);
static void	base32_encode(char *, const unsigned char *, size_t);
static bool	base32_decode(unsigned char *, size_t, const char *);
static bool	public_decode(unsigned char [RAW_KEY], enum nkey_kind *,
		    const char *);
static void	nkey_fill(struct nkey *, enum nkey_kind,
		    const unsigned char [RAW_KEY]);

/* XMODEM: polynomial 0x1021, from 0. */
static uint16_t
crc16(const unsigned char *p, size_t len)
{
	uint32_t	crc = 0;
	size_t		i;
	int		bit;

	for (i = 0; i < len; i++) {
		crc ^= (uint32_t)p[i] << 8;
		for (bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 :
			    crc << 1;
		crc &= 0xffff;
	}
	return (uint16_t)crc;
}

/* len is without the two bytes of the CRC, little-endian. */
static void
crc_put(unsigned char *p, size_t len)
{
	uint16_t	crc = crc16(p, len);

	p[len] = (unsigned char)(crc & 0xff);
	p[len + 1] = (unsigned char)(crc >> 8);
}

static bool
crc_ok(const unsigned char *p, size_t len)
{
	uint16_t	crc = crc16(p, len);

	return p[len] == (crc & 0xff) && p[len + 1] == crc >> 8;
}

static void
base32_encode(char *out, const unsigned char *in, size_t len)
{
	uint32_t	acc = 0;
	unsigned	bits = 0;
	size_t		i;

	for (i = 0; i < len; i++) {
		acc = (acc << 8 | in[i]) & 0xffff;
		for (bits += 8; bits >= 5; bits -= 5)
			*out++ = alphabet[acc >> (bits - 5) & 31];
	}
	if (bits > 0)
		*out++ = alphabet[acc << (5 - bits) & 31];
	*out = '\0';
}

/* Exactly len bytes; false also for bits left over that are not zero, or two
 * texts would be one key. */
static bool
base32_decode(unsigned char *out, size_t len, const char *s)
{
	const char	*at;
	uint32_t	 acc = 0;
	unsigned	 bits = 0;
	size_t		 n = 0;

	if (strlen(s) != (len * 8 + 4) / 5)
		return false;
	for (; *s != '\0'; s++) {
		if ((at = strchr(alphabet, *s)) == NULL)
			return false;
		acc = (acc << 5 | (uint32_t)(at - alphabet)) & 0xffff;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			out[n++] = (unsigned char)(acc >> bits & 0xff);
		}
	}
	return n == len && (acc & ((1U << bits) - 1)) == 0;
}

int
nkey_new(struct nkey *k, enum nkey_kind kind, struct error *e)
{
	unsigned char	raw[RAW_KEY];

	memset(k, 0, sizeof(*k));
	if (sodium_init() == -1)
		return error_set(e, EX_OSERR, "libsodium does not start");
	randombytes_buf(raw, sizeof(raw));
	nkey_fill(k, kind, raw);
	sodium_memzero(raw, sizeof(raw));
	return 0;
}

static void
nkey_fill(struct nkey *k, enum nkey_kind kind,
    const unsigned char raw[RAW_KEY])
{
	unsigned char	seed[RAW_SEED], pub[RAW_PUBLIC];
	unsigned	prefix = prefixes[kind];

	k->kind = kind;
	crypto_sign_seed_keypair(pub + 1, k->secret, raw);
	pub[0] = (unsigned char)prefix;
	crc_put(pub, 1 + RAW_KEY);
	base32_encode(k->public, pub, sizeof(pub));

	seed[0] = (unsigned char)(PREFIX_SEED | prefix >> 5);
	seed[1] = (unsigned char)((prefix & 31) << 3);
	memcpy(seed + 2, raw, RAW_KEY);
	crc_put(seed, 2 + RAW_KEY);
	base32_encode(k->seed, seed, sizeof(seed));
	sodium_memzero(seed, sizeof(seed));
}

int
nkey_from_seed(struct nkey *k, const char *text, struct error *e)
{
	unsigned char	raw[RAW_SEED];
	unsigned	prefix;
	size_t		kind;
	int		rc = 0;

	memset(k, 0, sizeof(*k));
	memset(raw, 0, sizeof(raw));
	if (sodium_init() == -1)
		return error_set(e, EX_OSERR, "libsodium does not start");
	if (!base32_decode(raw, sizeof(raw), text))
		rc = error_set(e, EX_DATAERR, "seed is not %d characters of "
		    "base32", NKEY_SEED_LEN);
	else if (!crc_ok(raw, 2 + RAW_KEY))
		rc = error_set(e, EX_DATAERR, "seed has a wrong checksum");
	else if ((raw[0] & 0xf8) != PREFIX_SEED || (raw[1] & 7) != 0)
		rc = error_set(e, EX_DATAERR, "not a seed");
	if (rc == -1)
		goto out;
	prefix = (raw[0] & 7u) << 5 | raw[1] >> 3;
	for (kind = 0; kind < N_KINDS && prefixes[kind] != prefix; kind++)
		;
	if (kind == N_KINDS)
		rc = error_set(e, EX_DATAERR, "seed is of an unknown kind");
	else
		nkey_fill(k, (enum nkey_kind)kind, raw + 2);
 out:
	sodium_memzero(raw, sizeof(raw));
	return rc;
}

void
nkey_wipe(struct nkey *k)
{
	sodium_memzero(k, sizeof(*k));
}

static bool
public_decode(unsigned char key[RAW_KEY], enum nkey_kind *kind,
    const char *public)
{
	unsigned char	raw[RAW_PUBLIC];
	size_t		i;

	if (!base32_decode(raw, sizeof(raw), public) ||
	    !crc_ok(raw, 1 + RAW_KEY))
		return false;
	for (i = 0; i < N_KINDS && prefixes[i] != raw[0]; i++)
		;
	if (i == N_KINDS)
		return false;
	memcpy(key, raw + 1, RAW_KEY);
	*kind = (enum nkey_kind)i;
	return true;
}

bool
nkey_public_valid(const char *public, enum nkey_kind kind)
{
	unsigned char	key[RAW_KEY];
	enum nkey_kind	is;

	return public_decode(key, &is, public) && is == kind;
}

void
nkey_sign(const struct nkey *k, const void *data, size_t len,
    unsigned char sig[NKEY_SIG_LEN])
{
	crypto_sign_detached(sig, NULL, data, len, k->secret);
}

bool
nkey_verify(const char *public, const void *data, size_t len,
    const unsigned char sig[NKEY_SIG_LEN])
{
	unsigned char	key[RAW_KEY];
	enum nkey_kind	kind;

	if (!public_decode(key, &kind, public))
		return false;
	return crypto_sign_verify_detached(sig, data, len, key) == 0;
}

static char *
encode(const void *data, size_t len, int variant)
{
	size_t	 size = sodium_base64_ENCODED_LEN(len, variant);
	char	*s;

	if ((s = malloc(size)) == NULL)
		return NULL;
	return sodium_bin2base64(s, size, data, len, variant);
}

static unsigned char *
decode(const char *s, size_t s_len, size_t *len, int variant)
{
	size_t		 size = s_len / 4 * 3 + 3;
	unsigned char	*out;

	if ((out = malloc(size + 1)) == NULL)
		return NULL;
	if (sodium_base642bin(out, size, s, s_len, NULL, len, NULL,
	    variant) != 0) {
		sodium_memzero(out, size);
		free(out);
		return NULL;
	}
	out[*len] = '\0';
	return out;
}

char *
base64url_encode(const void *data, size_t len)
{
	return encode(data, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

char *
base64_encode(const void *data, size_t len)
{
	return encode(data, len, sodium_base64_VARIANT_ORIGINAL);
}

unsigned char *
base64url_decode(const char *s, size_t s_len, size_t *len)
{
	return decode(s, s_len, len,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

unsigned char *
base64_decode(const char *s, size_t s_len, size_t *len)
{
	return decode(s, s_len, len, sodium_base64_VARIANT_ORIGINAL);
}
