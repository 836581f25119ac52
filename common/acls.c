/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "acls.h"
#include "byname.h"
#include "log.h"
#include "map.h"

struct known {
	struct acl	 acl;
	struct named	 named;		/* unless it has no name */
	const char	*owner;		/* the map's */
};

struct acls {
	struct map	*by_owner;	/* of struct known */
	struct byname	*by_name;
};

static void
value_free(void *v)
{
	struct known	*k = v;

	if (k != NULL)
		acl_free(&k->acl);
	free(k);
}

static void
forget(struct acls *t, const char *owner)
{
	struct known	*k = map_get(t->by_owner, owner);

	if (k != NULL)
		byname_del(t->by_name, k->acl.name, &k->named);
	value_free(map_del(t->by_owner, owner));
}

/* Unreadable is unknown: what is owed waits, and nothing is dropped. */
static void
acls_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct acls	*t = table;
	struct known	*k;
	struct error	 e;

	forget(t, key);
	if (data == NULL)
		return;
	if ((k = calloc(1, sizeof(*k))) == NULL)
		fatal_memory();
	if (acl_read(&k->acl, data, len, &e) == -1) {
		log_error("unreadable ACL record", "owner=%s rev=%llu "
		    "error=%s", log_str(key), (unsigned long long)seq,
		    log_str(e.text));
		value_free(k);
		return;
	}
	if (map_put(t->by_owner, key, k, NULL) == -1)
		fatal_memory();
	k->owner = map_key(map_find(t->by_owner, key));
	if (k->acl.name != NULL)
		byname_add(t->by_name, k->acl.name, &k->named, k);
}

static void
acls_reset(void *table)
{
	struct acls	*t = table;

	byname_clear(t->by_name);
	map_clear(t->by_owner, value_free);
}

const struct watch_ops acls_ops = { acls_put, acls_reset };

struct acls *
acls_new(void)
{
	struct acls	*t = calloc(1, sizeof(*t));

	if (t != NULL && ((t->by_owner = map_new()) == NULL ||
	    (t->by_name = byname_new()) == NULL)) {
		acls_free(t);
		return NULL;
	}
	return t;
}

void
acls_free(struct acls *t)
{
	if (t == NULL)
		return;
	byname_free(t->by_name);
	map_free(t->by_owner, value_free);
	free(t);
}

const struct acl *
acls_find(const struct acls *t, const char *owner)
{
	const struct known	*k = map_get(t->by_owner, owner);

	return k == NULL ? NULL : &k->acl;
}

bool
acl_covers(const struct acl *a, const char *channel)
{
	return channel_covered(channel, a->allow, a->n_allow);
}

size_t
acls_by_name(const struct acls *t, const char *name, const char **owner)
{
	const struct named	*n;
	const struct known	*k;
	size_t			 hits = 0;

	for (n = byname_first(t->by_name, name); n != NULL;
	    n = byname_next(n)) {
		k = n->thing;
		*owner = k->owner;
		hits++;
	}
	return hits;
}

void
acls_each(const struct acls *t,
    void (*fn)(void *, const char *, const struct acl *), void *arg)
{
	const struct map_node	*n;

	for (n = map_first(t->by_owner); n != NULL; n = map_next(n))
		fn(arg, map_key(n), &((const struct known *)map_value(n))->
		    acl);
}
