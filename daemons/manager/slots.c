/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "names.h"

#include "slots.h"

#define NUMBER_MAX	9999

static void
free_slot(struct slot *s)
{
	memset(s, 0, sizeof(*s));
}

/* What has cooled is free. */
static void
expire(struct slots *slots, int64_t now_ms)
{
	struct slot	*s;

	for (s = slots->v; s < slots->v + SLOTS_MAX; s++) {
		if (s->state != SLOT_COOLING)
			continue;
		if (s->since_ms - now_ms > SLOT_COOL_MS)
			s->since_ms = now_ms + SLOT_COOL_MS;
		if (s->since_ms <= now_ms)
			free_slot(s);
	}
}

size_t
slots_used(struct slots *slots, int64_t now_ms)
{
	size_t	i, n = 0;

	expire(slots, now_ms);
	for (i = 0; i < SLOTS_MAX; i++)
		n += slots->v[i].state != SLOT_FREE;
	return n;
}

int
slots_check(struct slots *slots, int64_t now_ms, struct error *e)
{
	if (slots_used(slots, now_ms) < SLOTS_MAX)
		return 0;
	return error_set(e, EX_TEMPFAIL, "at capacity: %d agents, with those "
	    "that start and those that ended within %d s of their start; stop "
	    "one, or wait", SLOTS_MAX, SLOT_COOL_MS / 1000);
}

static bool
is_used(const struct slots *slots, const char *name, slot_taken_fn *taken,
    void *arg)
{
	const struct slot	*s;

	for (s = slots->v; s < slots->v + SLOTS_MAX; s++)
		if ((s->state == SLOT_STARTING || s->state == SLOT_LIVE) &&
		    name_same(s->name, name))
			return true;
	return taken != NULL && taken(arg, name);
}

static struct slot *
find_free(struct slots *slots)
{
	struct slot	*s;

	for (s = slots->v; s < slots->v + SLOTS_MAX; s++)
		if (s->state == SLOT_FREE)
			return s;
	return NULL;
}

/* base, base-2, ... into name. */
static int
number(const struct slots *slots, const char *base, char *name, size_t size,
    slot_taken_fn *taken, void *arg, struct error *e)
{
	int	n, len;

	for (n = 1; n <= NUMBER_MAX; n++) {
		len = n == 1 ? snprintf(name, size, "%s", base) :
		    snprintf(name, size, "%s-%d", base, n);
		if (len < 0 || (size_t)len >= size)
			return error_set(e, EX_USAGE, "\"%s\" is too long a "
			    "name: at most %d bytes, with its number", base,
			    SLOT_NAME_MAX);
		if (!is_used(slots, name, taken, arg))
			return 0;
	}
	return error_set(e, EX_TEMPFAIL, "there are too many agents named %s",
	    base);
}

struct slot *
slots_reserve(struct slots *slots, const char *base, int64_t now_ms,
    slot_taken_fn *taken, void *arg, struct error *e)
{
	struct slot	*s;

	if (!name_is_token(base)) {
		error_set(e, EX_USAGE, "\"%s\" cannot be an agent's name: "
		    "letters, digits, _ and -", base);
		return NULL;
	}
	if (slots_check(slots, now_ms, e) == -1 ||
	    (s = find_free(slots)) == NULL)
		return NULL;
	if (number(slots, base, s->name, sizeof(s->name), taken, arg, e) ==
	    -1) {
		free_slot(s);
		return NULL;
	}
	s->state = SLOT_STARTING;
	s->since_ms = now_ms;
	return s;
}

void
slot_live(struct slot *s, int64_t now_ms)
{
	s->state = SLOT_LIVE;
	s->since_ms = now_ms;
}

void
slot_end(struct slot *s, enum slot_end end, int64_t now_ms)
{
	int64_t	until;

	if (s == NULL)
		return;
	until = s->since_ms + SLOT_COOL_MS;
	if (end != SLOT_ENDED || s->state != SLOT_LIVE || until <= now_ms) {
		free_slot(s);
		return;
	}
	free_slot(s);
	s->state = SLOT_COOLING;
	s->since_ms = until - now_ms > SLOT_COOL_MS ? now_ms + SLOT_COOL_MS :
	    until;
}

struct slot *
slots_adopt(struct slots *slots, const char *name, bool cooling,
    int64_t at_ms)
{
	struct slot	*s = find_free(slots);

	if (s == NULL)
		return NULL;
	s->state = cooling ? SLOT_COOLING : SLOT_LIVE;
	s->since_ms = at_ms;
	if (!cooling)
		snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

int64_t
slot_cools_until(const struct slot *s)
{
	return s->state == SLOT_COOLING ? s->since_ms : 0;
}
