/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "map.h"
#include "members.h"

struct members {
	struct map	*channels;	/* of maps from owner to struct member */
	size_t		 n;
	struct layout	 layout;
	unsigned	 own, of;	/* the shard; of 0 or 1: all owners */
};

static void
member_free(void *m)
{
	free(m);
}

static void
owners_free(void *owners)
{
	map_free(owners, member_free);
}

static struct member *
member_make(struct members *t, const char *channel, const char *owner)
{
	struct map	*owners = map_get(t->channels, channel);
	struct member	*m;

	if (owners == NULL && ((owners = map_new()) == NULL ||
	    map_put(t->channels, channel, owners, NULL) == -1))
		return NULL;
	if ((m = map_get(owners, owner)) != NULL)
		return m;
	if ((m = calloc(1, sizeof(*m))) == NULL ||
	    map_put(owners, owner, m, NULL) == -1)
		return NULL;
	t->n++;
	return m;
}

static void
member_drop(struct members *t, const char *channel, const char *owner)
{
	struct map	*owners = map_get(t->channels, channel);
	struct member	*m;

	if (owners == NULL || (m = map_del(owners, owner)) == NULL)
		return;
	free(m);
	t->n--;
	if (map_count(owners) == 0)
		map_free(map_del(t->channels, channel), member_free);
}

static void
put_layout(struct members *t, const char *data, size_t len)
{
	struct layout	l;
	struct error	e;

	if (layout_read(&l, data, len, &e) == 0)
		t->layout = l;
	else
		log_error("unreadable record", "key=" LAYOUT_KEY
		    " error=%s", log_str(e.text));
}

/*
 * A record that cannot be read stands as it was: dropping a member for
 * somebody's bad write would lose what the member is owed.
 */
static void
members_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct members		*t = table;
	struct membership	 r;
	struct member		*m;
	struct error		 e;
	char			 channel[SUBJECT_MAX], owner[SUBJECT_MAX];

	if (strcmp(key, LAYOUT_KEY) == 0) {
		put_layout(t, data, len);
		return;
	}
	if (!membership_key_split(key, channel, sizeof(channel), owner,
	    sizeof(owner)) || name_shard(owner, t->of) != t->own)
		return;
	if (data == NULL) {
		member_drop(t, channel, owner);
		return;
	}
	if (membership_read(&r, data, len, &e) == -1 ||
	    strcmp(r.channel, channel) != 0 || strcmp(r.owner, owner) != 0) {
		log_error("unreadable membership", "key=%s rev=%llu",
		    log_str(key), (unsigned long long)seq);
		membership_free(&r);
		return;
	}
	if ((m = member_make(t, channel, owner)) == NULL)
		fatal_memory();
	m->now = r.now;
	m->previous = r.previous;
	m->has_previous = r.has_previous;
	m->generation = r.generation;
	m->durable = r.state == MEMBER_DURABLE_ACTIVE;
	m->activated = r.activated;
	membership_free(&r);
}

static void
members_reset(void *table)
{
	struct members	*t = table;

	map_clear(t->channels, owners_free);
	t->n = 0;
	(void)layout_read(&t->layout, NULL, 0, NULL);
}

const struct watch_ops members_ops = { members_put, members_reset };

struct members *
members_new(void)
{
	struct members	*t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	(void)layout_read(&t->layout, NULL, 0, NULL);
	if ((t->channels = map_new()) == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
members_free(struct members *t)
{
	if (t == NULL)
		return;
	map_free(t->channels, owners_free);
	free(t);
}

size_t
members_count(const struct members *t)
{
	return t->n;
}

void
members_own(struct members *t, unsigned shard, unsigned shards)
{
	t->own = shard;
	t->of = shards;
}

const struct layout *
members_layout(const struct members *t)
{
	return &t->layout;
}

unsigned
members_shards(const struct members *t)
{
	return t->layout.shards;
}

uint64_t
member_entitles(const struct member *m, uint64_t seq)
{
	struct membership	r = { .now = m->now,
				    .previous = m->previous,
				    .has_previous = m->has_previous,
				    .generation = m->generation };

	return membership_entitles(&r, seq);
}

const struct member *
members_find(const struct members *t, const char *channel, const char *owner)
{
	const struct map	*owners = map_get(t->channels, channel);

	return owners == NULL ? NULL : map_get(owners, owner);
}

void
members_each(const struct members *t, const char *channel,
    bool (*fn)(void *, const char *, const struct member *), void *arg)
{
	const struct map	*owners = map_get(t->channels, channel);
	const struct map_node	*n;

	if (owners == NULL)
		return;
	for (n = map_first(owners); n != NULL; n = map_next(n))
		if (!fn(arg, map_key(n), map_value(n)))
			return;
}

void
members_each_of(const struct members *t, const char *owner,
    bool (*fn)(void *, const char *, const struct member *), void *arg)
{
	const struct map_node	*n;
	const struct member	*m;

	for (n = map_first(t->channels); n != NULL; n = map_next(n))
		if ((m = map_get(map_value(n), owner)) != NULL &&
		    !fn(arg, map_key(n), m))
			return;
}

size_t
members_beyond(const struct members *t, uint64_t last)
{
	const struct map_node	*c, *o;
	const struct member	*m;
	size_t			 n = 0;

	for (c = map_first(t->channels); c != NULL; c = map_next(c))
		for (o = map_first(map_value(c)); o != NULL; o = map_next(o)) {
			m = map_value(o);
			n += !m->now.left && m->now.join_seq > last;
		}
	return n;
}
