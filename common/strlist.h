/* SPDX-License-Identifier: ISC */
#ifndef REEVE_STRLIST_H
#define REEVE_STRLIST_H

#include <stdbool.h>
#include <stddef.h>

/* A growing list of owned strings. Zero-initialized is empty. */
struct strlist {
	char	**v;
	size_t	  n, cap;
};

/* False when out of memory (or the format is longer than 4 KB). */
bool	strlist_add(struct strlist *, const char *s);
bool	strlist_addf(struct strlist *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
bool	strlist_add_all(struct strlist *, char *const *v, size_t n);
/* Split at `sep`, surrounding blanks of each trimmed, empty ones dropped. */
bool	strlist_split(struct strlist *, const char *s, char sep);
bool	strlist_has(const struct strlist *, const char *s);
void	strlist_free(struct strlist *);

#endif
