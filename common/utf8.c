/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* The bytes that a lead byte announces; 0 when it is none. */
static size_t
announced(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	if (c >= 0xf0 && c <= 0xf4)
		return 4;
	return 0;
}

size_t
utf8_decode(const char *p, size_t len, uint32_t *cp)
{
	static const uint32_t	least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char	*u = (const unsigned char *)p;
	uint32_t		 c;
	size_t			 i, n;

	if (len == 0 || (n = announced(u[0])) == 0 || n > len)
		return 0;
	c = n == 1 ? u[0] : u[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3fu);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*cp = c;
	return n;
}

size_t
utf8_encode(uint32_t cp, char out[UTF8_MAX])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

bool
utf8_is_valid(const char *s, size_t len)
{
	uint32_t	cp;
	size_t		i, n;

	for (i = 0; i < len; i += n)
		if ((n = utf8_decode(s + i, len - i, &cp)) == 0)
			return false;
	return true;
}

size_t
utf8_units(const char *s)
{
	uint32_t	cp;
	size_t		len = strlen(s), units = 0, n;

	for (; len > 0; s += n, len -= n) {
		if ((n = utf8_decode(s, len, &cp)) == 0)
			n = 1, cp = UTF8_REPLACEMENT;
		units += cp >= 0x10000 ? 2 : 1;
	}
	return units;
}

bool
utf8_is_space(uint32_t cp)
{
	return (cp >= 0x09 && cp <= 0x0d) || cp == 0x20 || cp == 0xa0 ||
	    cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 ||
	    cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000 ||
	    cp == 0xfeff;
}

const char *
utf8_trim(const char *s, size_t *len)
{
	const char	*first = NULL, *after = s;
	uint32_t	 cp;
	size_t		 left = strlen(s), n;

	for (; left > 0; s += n, left -= n) {
		if ((n = utf8_decode(s, left, &cp)) == 0)
			n = 1, cp = UTF8_REPLACEMENT;
		if (utf8_is_space(cp))
			continue;
		if (first == NULL)
			first = s;
		after = s + n;
	}
	if (first == NULL)
		first = after;
	*len = (size_t)(after - first);
	return first;
}

char *
utf8_repair(const char *s)
{
	uint32_t	 cp;
	size_t		 left = strlen(s), used = 0, n;
	char		*out;

	/* A wrong byte becomes three. */
	if (left > SIZE_MAX / 3 - 1 || (out = malloc(left * 3 + 1)) == NULL)
		return NULL;
	for (; left > 0; s += n, left -= n) {
		if ((n = utf8_decode(s, left, &cp)) == 0)
			n = 1, cp = UTF8_REPLACEMENT;
		used += utf8_encode(cp, out + used);
	}
	out[used] = '\0';
	return out;
}
