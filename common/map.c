/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "tree.h"

struct map_node {
	RB_ENTRY(map_node)	 entry;
	void			*value;
	char			 key[];
};

RB_HEAD(tree, map_node);

struct map {
	struct tree	tree;
	size_t		n;
};

static int
cmp(const struct map_node *a, const struct map_node *b)
{
	return strcmp(a->key, b->key);
}

RB_GENERATE_STATIC(tree, map_node, entry, cmp)

struct map *
map_new(void)
{
	return calloc(1, sizeof(struct map));
}

void
map_clear(struct map *m, void (*free_value)(void *))
{
	struct map_node	*n;

	while ((n = RB_ROOT(&m->tree)) != NULL) {
		RB_REMOVE(tree, &m->tree, n);
		if (free_value != NULL)
			free_value(n->value);
		free(n);
	}
	m->n = 0;
}

void
map_free(struct map *m, void (*free_value)(void *))
{
	if (m == NULL)
		return;
	map_clear(m, free_value);
	free(m);
}

size_t
map_count(const struct map *m)
{
	return m->n;
}

/* Walks by hand: RB_FIND would need a node with the key inside it. */
static struct map_node *
find(const struct map *m, const char *key)
{
	struct map_node	*n = RB_ROOT(&m->tree);
	int		 c;

	while (n != NULL && (c = strcmp(key, n->key)) != 0)
		n = c < 0 ? RB_LEFT(n, entry) : RB_RIGHT(n, entry);
	return n;
}

const struct map_node *
map_find(const struct map *m, const char *key)
{
	return find(m, key);
}

void *
map_get(const struct map *m, const char *key)
{
	const struct map_node	*n = find(m, key);

	return n == NULL ? NULL : n->value;
}

int
map_put(struct map *m, const char *key, void *value, void **old)
{
	struct map_node	*n = find(m, key);
	size_t		 size;

	if (old != NULL)
		*old = n == NULL ? NULL : n->value;
	if (n == NULL) {
		size = strlen(key) + 1;
		if ((n = calloc(1, sizeof(*n) + size)) == NULL)
			return -1;
		memcpy(n->key, key, size);
		RB_INSERT(tree, &m->tree, n);
		m->n++;
	}
	n->value = value;
	return 0;
}

void *
map_del(struct map *m, const char *key)
{
	struct map_node	*n = find(m, key);
	void		*value;

	if (n == NULL)
		return NULL;
	value = n->value;
	RB_REMOVE(tree, &m->tree, n);
	free(n);
	m->n--;
	return value;
}

const struct map_node *
map_first(const struct map *m)
{
	return RB_MIN(tree, (struct tree *)(uintptr_t)&m->tree);
}

const struct map_node *
map_next(const struct map_node *n)
{
	return RB_NEXT(tree, NULL, (struct map_node *)(uintptr_t)n);
}

const char *
map_key(const struct map_node *n)
{
	return n->key;
}

void *
map_value(const struct map_node *n)
{
	return n->value;
}
