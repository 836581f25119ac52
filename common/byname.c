/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "byname.h"
#include "log.h"
#include "map.h"
#include "names.h"

LIST_HEAD(list, named);

struct byname {
	struct map	*lists;		/* of struct list, by folded name */
};

/* malloc'd. */
static char *
folded(const char *name)
{
	char	*s = strdup(name);

	if (s == NULL)
		fatal_memory();
	name_fold(s);
	return s;
}

struct byname *
byname_new(void)
{
	struct byname	*x = calloc(1, sizeof(*x));

	if (x != NULL && (x->lists = map_new()) == NULL) {
		free(x);
		return NULL;
	}
	return x;
}

void
byname_free(struct byname *x)
{
	if (x == NULL)
		return;
	map_free(x->lists, free);
	free(x);
}

void
byname_clear(struct byname *x)
{
	map_clear(x->lists, free);
}

void
byname_add(struct byname *x, const char *name, struct named *n, void *thing)
{
	char		*key = folded(name);
	struct list	*l = map_get(x->lists, key);

	if (l == NULL) {
		if ((l = calloc(1, sizeof(*l))) == NULL ||
		    map_put(x->lists, key, l, NULL) == -1)
			fatal_memory();
		LIST_INIT(l);
	}
	n->thing = thing;
	LIST_INSERT_HEAD(l, n, entry);
	free(key);
}

void
byname_del(struct byname *x, const char *name, struct named *n)
{
	char		*key;
	struct list	*l;

	if (n->thing == NULL)
		return;
	key = folded(name);
	l = map_get(x->lists, key);
	LIST_REMOVE(n, entry);
	memset(n, 0, sizeof(*n));
	if (LIST_EMPTY(l))
		free(map_del(x->lists, key));
	free(key);
}

const struct named *
byname_first(const struct byname *x, const char *name)
{
	char			*key = folded(name);
	const struct list	*l = map_get(x->lists, key);

	free(key);
	return l == NULL ? NULL : LIST_FIRST(l);
}

const struct named *
byname_next(const struct named *n)
{
	return LIST_NEXT(n, entry);
}
