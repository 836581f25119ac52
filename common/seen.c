/* SPDX-License-Identifier: ISC */
#include "seen.h"

/* What every key maps to: it is there. */
static char	here;

int
seen_init(struct seen *s)
{
	s->old = NULL;
	s->young = map_new();
	return s->young == NULL ? -1 : 0;
}

void
seen_free(struct seen *s)
{
	if (s->young != NULL)
		map_free(s->young, NULL);
	if (s->old != NULL)
		map_free(s->old, NULL);
	s->young = s->old = NULL;
}

bool
seen_has(const struct seen *s, const char *key)
{
	return map_get(s->young, key) != NULL ||
	    (s->old != NULL && map_get(s->old, key) != NULL);
}

int
seen_add(struct seen *s, const char *key)
{
	struct map	*next;

	if (map_count(s->young) >= SEEN_MAX) {
		if ((next = map_new()) == NULL)
			return -1;
		if (s->old != NULL)
			map_free(s->old, NULL);
		s->old = s->young;
		s->young = next;
	}
	return map_put(s->young, key, &here, NULL);
}
