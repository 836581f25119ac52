/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "utf8.h"

/*
 * Lower-case in place what is ASCII or Latin-1: there, and only there, both
 * cases are of the same length and no language disagrees.
 */
void
name_fold(char *s)
{
	unsigned char	*p = (unsigned char *)s;

	for (; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (unsigned char)(*p + 0x20);
		else if (p[0] == 0xc3 && p[1] >= 0x80 && p[1] <= 0x9e) {
			/* U+00C0 to U+00DE but the multiplication sign */
			p++;
			if (*p != 0x97)
				*p = (unsigned char)(*p + 0x20);
		}
	}
}

/* The code point at *s, folded; 0 at the end. *s moves behind it. */
static uint32_t
next_folded(const char **s)
{
	uint32_t	cp;
	size_t		n = utf8_decode(*s, strlen(*s), &cp);

	if (**s == '\0')
		return 0;
	if (n == 0) {
		/* Not UTF-8: as a byte, told from every code point. */
		cp = 0x80000000u | (unsigned char)**s;
		n = 1;
	}
	*s += n;
	if ((cp >= 'A' && cp <= 'Z') ||
	    (cp >= 0xc0 && cp <= 0xde && cp != 0xd7))
		cp += 0x20;
	return cp;
}

bool
name_same(const char *a, const char *b)
{
	uint32_t	x, y;

	do {
		x = next_folded(&a);
		y = next_folded(&b);
	} while (x == y && x != 0);
	return x == y;
}

/* A string and its place among all. */
struct ranked {
	char	*s;
	size_t	 place;
};

static int
by_string(const void *a, const void *b)
{
	const struct ranked	*x = a, *y = b;
	int			 c = strcmp(x->s, y->s);

	if (c != 0)
		return c;
	return x->place < y->place ? -1 : 1;
}

/* Free all but the first of each; the array keeps its order. */
static size_t
drop_doubles(char **v, struct ranked *ranked, size_t n)
{
	size_t	i, kept = 0;

	for (i = 0; i < n; i++) {
		ranked[i].s = v[i];
		ranked[i].place = i;
	}
	qsort(ranked, n, sizeof(*ranked), by_string);
	for (i = 1; i < n; i++)
		if (strcmp(ranked[i - 1].s, ranked[i].s) == 0)
			v[ranked[i].place] = NULL;
	for (i = 1; i < n; i++)
		if (v[ranked[i].place] == NULL)
			free(ranked[i].s);
	for (i = 0; i < n; i++)
		if (v[i] != NULL)
			v[kept++] = v[i];
	return kept;
}

char **
mentions_normalize(char *const *in, size_t n, size_t *out_n)
{
	struct ranked	 *ranked;
	char		**v;
	const char	 *s;
	size_t		  i, len, used = 0;

	*out_n = 0;
	if (n == 0)
		return NULL;
	v = reallocarray(NULL, n, sizeof(*v));
	ranked = reallocarray(NULL, n, sizeof(*ranked));
	if (v == NULL || ranked == NULL)
		goto none;
	for (i = 0; i < n; i++) {
		s = utf8_trim(in[i], &len);
		if (len == 0)
			continue;
		if ((v[used] = strndup(s, len)) == NULL)
			goto none;
		name_fold(v[used++]);
	}
	if ((used = drop_doubles(v, ranked, used)) == 0)
		goto none;
	free(ranked);
	*out_n = used;
	return v;
none:
	while (v != NULL && used > 0)
		free(v[--used]);
	free(v);
	free(ranked);
	return NULL;
}
