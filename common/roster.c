/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "map.h"
#include "roster.h"

struct roster {
	struct map	*by_id;		/* of struct peer */
	struct byname	*by_name;
};

static void
value_free(void *v)
{
	struct peer	*p = v;

	if (p != NULL)
		presence_free(&p->presence);
	free(p);
}

static void
scrub(struct presence *p)
{
	free(p->attention);
	p->attention = NULL;
	cJSON_Delete(p->modes);
	p->modes = NULL;
}

void
roster_gone(struct roster *t, const char *id)
{
	struct peer	*p = map_get(t->by_id, id);

	if (p == NULL)
		return;
	p->gone = true;
	scrub(&p->presence);
}

static void
roster_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct roster	*t = table;
	struct peer	*p = map_get(t->by_id, key);
	struct presence	 presence;
	struct error	 e;

	if (data == NULL) {
		roster_gone(t, key);
		return;
	}
	if (presence_read(&presence, key, data, len, &e) == -1) {
		log_warn("presence ignored", "key=%s rev=%llu error=%s",
		    log_str(key), (unsigned long long)seq, log_str(e.text));
		presence_free(&presence);
		return;
	}
	if (presence.status == STATUS_OFFLINE)
		scrub(&presence);
	if (p != NULL) {
		byname_del(t->by_name, p->presence.name, &p->named);
		presence_free(&p->presence);
	} else if ((p = calloc(1, sizeof(*p))) == NULL ||
	    map_put(t->by_id, key, p, NULL) == -1)
		fatal_memory();
	p->presence = presence;
	byname_add(t->by_name, presence.name, &p->named, p);
	p->gone = false;
	p->heard_ms = clock_ms();
}

/* Nobody is forgotten: all are offline until heard again. */
static void
roster_reset(void *table)
{
	struct roster		*t = table;
	const struct map_node	*n;

	for (n = map_first(t->by_id); n != NULL; n = map_next(n))
		((struct peer *)map_value(n))->gone = true;
}

const struct watch_ops roster_ops = { roster_put, roster_reset };

struct roster *
roster_new(void)
{
	struct roster	*t = calloc(1, sizeof(*t));

	if (t != NULL && ((t->by_id = map_new()) == NULL ||
	    (t->by_name = byname_new()) == NULL)) {
		roster_free(t);
		return NULL;
	}
	return t;
}

void
roster_free(struct roster *t)
{
	if (t == NULL)
		return;
	byname_free(t->by_name);
	map_free(t->by_id, value_free);
	free(t);
}

bool
peer_is_live(const struct peer *p)
{
	return !p->gone && p->presence.status != STATUS_OFFLINE &&
	    clock_ms() - p->heard_ms < PRESENCE_STALE_MS;
}

const struct peer *
roster_find(const struct roster *t, const char *id)
{
	return map_get(t->by_id, id);
}

void
roster_each(const struct roster *t,
    void (*fn)(void *, const struct peer *), void *arg)
{
	const struct map_node	*n;

	for (n = map_first(t->by_id); n != NULL; n = map_next(n))
		fn(arg, map_value(n));
}

/* How many of this name; *hit is the last of them. */
static size_t
count_named(const struct roster *t, const char *name, bool live,
    const struct peer **hit)
{
	const struct named	*n;
	size_t			 hits = 0;

	for (n = byname_first(t->by_name, name); n != NULL;
	    n = byname_next(n))
		if (peer_is_live(n->thing) == live) {
			*hit = n->thing;
			hits++;
		}
	return hits;
}

const char *
roster_mentioned(const struct roster *t, const struct acls *acls,
    const char *name)
{
	const struct peer	*live = NULL, *away = NULL;
	const char		*owner = NULL;
	size_t			 n;

	n = count_named(t, name, true, &live);
	if (n == 1)
		return live->presence.id;
	if (n > 1)
		return NULL;
	if ((n = count_named(t, name, false, &away)) > 1)
		return NULL;
	switch (acls_by_name(acls, name, &owner)) {
	case 0:
		return n == 1 ? away->presence.id : NULL;
	case 1:
		/* The same agent may be known both ways. */
		if (n == 1 && strcmp(away->presence.id, owner) != 0)
			return NULL;
		return owner;
	default:
		return NULL;
	}
}

static int
name_candidates(const struct roster *t, const char *name, bool live,
    struct error *e)
{
	const struct named	*n;
	const struct peer	*p;
	char			 list[400] = "";
	size_t			 used = 0;

	for (n = byname_first(t->by_name, name);
	    n != NULL && used < sizeof(list); n = byname_next(n)) {
		p = n->thing;
		if (peer_is_live(p) == live)
			used += (size_t)snprintf(list + used, sizeof(list) -
			    used, " %s", p->presence.id);
	}
	return error_set(e, EX_DATAERR, "\"%s\" is the name of several "
	    "agents; say which by id:%s", name, list);
}

const struct peer *
roster_resolve(const struct roster *t, const char *name, struct error *e)
{
	const struct peer	*p = roster_find(t, name);
	size_t			 n;

	if (p != NULL)
		return p;
	if ((n = count_named(t, name, true, &p)) > 1) {
		name_candidates(t, name, true, e);
		return NULL;
	}
	if (n == 0 && (n = count_named(t, name, false, &p)) > 1) {
		name_candidates(t, name, false, e);
		return NULL;
	}
	if (n == 0) {
		error_set(e, EX_NOUSER, "nobody here is named \"%s\"; "
		    "`reeve roster` shows who is", name);
		return NULL;
	}
	return p;
}
