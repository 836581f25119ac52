/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MAP_H
#define REEVE_MAP_H

#include <stddef.h>

/*
 * An ordered map from strings to pointers.  Keys are copied; what a value
 * points to is the caller's.  Not to be changed while it is iterated, but
 * for map_del of the key at hand.
 */
struct map;
struct map_node;

struct map *map_new(void);			/* NULL: out of memory */
/* free_value may be NULL; runs on every value. */
void	map_free(struct map *, void (*free_value)(void *));
void	map_clear(struct map *, void (*free_value)(void *));
size_t	map_count(const struct map *);

void	*map_get(const struct map *, const char *key);
const struct map_node *map_find(const struct map *, const char *key);
/* Add or replace; *old (may be NULL) is the value it replaced.  -1: out of
 * memory. */
int	map_put(struct map *, const char *key, void *value, void **old);
/* The value that was there, or NULL. */
void	*map_del(struct map *, const char *key);

/* In the order of keys: map_first, then map_next until NULL. */
const struct map_node *map_first(const struct map *);
const struct map_node *map_next(const struct map_node *);
const char *map_key(const struct map_node *);
void	*map_value(const struct map_node *);

#endif
