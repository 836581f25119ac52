/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "tally.h"

struct tally {
	unsigned	max;
	unsigned	n;
	unsigned	next;		/* where the next goes, the oldest is */
	int64_t		died_ms[];	/* a ring of max */
};

static struct tally *
of_size(struct tally **t, unsigned max)
{
	if (*t != NULL && (*t)->max == max)
		return *t;
	tally_clear(t);
	*t = calloc(1, sizeof(**t) + max * sizeof((*t)->died_ms[0]));
	if (*t != NULL)
		(*t)->max = max;
	return *t;
}

bool
tally_add(struct tally **where, unsigned max, int64_t window_ms,
    int64_t now_ms)
{
	struct tally	*t;

	if (max > TALLY_MAX)
		max = TALLY_MAX;
	if ((t = of_size(where, max)) == NULL)
		return false;
	t->died_ms[t->next] = now_ms;
	t->next = (t->next + 1) % max;
	if (t->n < max)
		t->n++;
	return t->n == max && now_ms - t->died_ms[t->next] <= window_ms;
}

void
tally_clear(struct tally **t)
{
	free(*t);
	*t = NULL;
}
