/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "acls.h"
#include "log.h"
#include "map.h"

struct acls {
	struct map	*by_owner;	/* of struct acl */
};

static void
value_free(void *v)
{
	if (v != NULL)
		acl_free(v);
	free(v);
}

/* Unreadable is unknown: what is owed waits, and nothing is dropped. */
static void
acls_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct acls	*t = table;
	struct acl	*acl;
	struct error	 e;

	value_free(map_del(t->by_owner, key));
	if (data == NULL)
		return;
	if ((acl = calloc(1, sizeof(*acl))) == NULL)
		fatal_memory();
	if (acl_read(acl, data, len, &e) == -1) {
		log_error("unreadable ACL record", "owner=%s rev=%llu "
		    "error=%s", log_str(key), (unsigned long long)seq,
		    log_str(e.text));
		value_free(acl);
	} else if (map_put(t->by_owner, key, acl, NULL) == -1)
		fatal_memory();
}

static void
acls_reset(void *table)
{
	struct acls	*t = table;

	map_clear(t->by_owner, value_free);
}

const struct watch_ops acls_ops = { acls_put, acls_reset };

struct acls *
acls_new(void)
{
	struct acls	*t = calloc(1, sizeof(*t));

	if (t != NULL && (t->by_owner = map_new()) == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
acls_free(struct acls *t)
{
	if (t == NULL)
		return;
	map_free(t->by_owner, value_free);
	free(t);
}

const struct acl *
acls_find(const struct acls *t, const char *owner)
{
	return map_get(t->by_owner, owner);
}

bool
acl_covers(const struct acl *a, const char *channel)
{
	return channel_covered(channel, a->allow, a->n_allow);
}

size_t
acls_by_name(const struct acls *t, const char *name, const char **owner)
{
	const struct map_node	*n;
	const struct acl	*acl;
	size_t			 hits = 0;

	for (n = map_first(t->by_owner); n != NULL; n = map_next(n)) {
		acl = map_value(n);
		if (acl->name != NULL && name_same(acl->name, name)) {
			*owner = map_key(n);
			hits++;
		}
	}
	return hits;
}

void
acls_each(const struct acls *t,
    void (*fn)(void *, const char *, const struct acl *), void *arg)
{
	const struct map_node	*n;

	for (n = map_first(t->by_owner); n != NULL; n = map_next(n))
		fn(arg, map_key(n), map_value(n));
}
