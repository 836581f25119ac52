/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "strlist.h"

#define FORMAT_MAX	4096

/* Takes s, which is freed when there is no room. */
static bool
add_owned(struct strlist *l, char *s)
{
	char	**v;
	size_t	  cap;

	if (s != NULL && l->n == l->cap) {
		cap = l->cap == 0 ? 8 : l->cap * 2;
		if ((v = reallocarray(l->v, cap, sizeof(*v))) == NULL) {
			free(s);
			return false;
		}
		l->v = v;
		l->cap = cap;
	}
	if (s != NULL)
		l->v[l->n++] = s;
	return s != NULL;
}

bool
strlist_add(struct strlist *l, const char *s)
{
	return add_owned(l, strdup(s));
}

bool
strlist_add_all(struct strlist *l, char *const *v, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (!strlist_add(l, v[i]))
			return false;
	return true;
}

bool
strlist_addf(struct strlist *l, const char *fmt, ...)
{
	char	buf[FORMAT_MAX];
	int	n;
	va_list	ap;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(buf))
		return false;
	return strlist_add(l, buf);
}

bool
strlist_split(struct strlist *l, const char *s, char sep)
{
	const char	*end, *from, *to;

	for (;; s = end + 1) {
		if ((end = strchr(s, sep)) == NULL)
			end = s + strlen(s);
		for (from = s; from < end && strchr(" \t\r\n", *from); from++)
			;
		for (to = end; to > from && strchr(" \t\r\n", to[-1]); to--)
			;
		if (to > from &&
		    !add_owned(l, strndup(from, (size_t)(to - from))))
			return false;
		if (*end == '\0')
			return true;
	}
}

bool
strlist_has(const struct strlist *l, const char *s)
{
	size_t	i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}

void
strlist_free(struct strlist *l)
{
	strings_free(l->v, l->n);
	memset(l, 0, sizeof(*l));
}
