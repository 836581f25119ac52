/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SEEN_H
#define REEVE_SEEN_H

#include <stdbool.h>
#include <stddef.h>

#include "map.h"

/*
 * The keys seen lately, in two generations of at most SEEN_MAX each: when the
 * younger is full it becomes the older, and the older is forgotten.
 */
#define SEEN_MAX	4096

struct seen {
	struct map	*young, *old;
};

int	seen_init(struct seen *);		/* -1: out of memory */
void	seen_free(struct seen *);
bool	seen_has(const struct seen *, const char *key);
/* -1: out of memory. */
int	seen_add(struct seen *, const char *key);

#endif
