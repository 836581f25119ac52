/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inbox.h"

struct inbox *
inbox_make(inbox_settle_fn *settle, void *arg)
{
	struct inbox	*in = calloc(1, sizeof(*in));

	if (in == NULL || seen_init(&in->shown) == -1 ||
	    seen_init(&in->gone) == -1) {
		inbox_free(in);
		return NULL;
	}
	in->settle = settle;
	in->arg = arg;
	return in;
}

void
inbox_free(struct inbox *in)
{
	if (in == NULL)
		return;
	seen_free(&in->shown);
	seen_free(&in->gone);
	free(in);
}

/* --- what was here ---------------------------------------------------------------- */

/* By its sender, too: nobody can make another's message look shown. */
#define KEY_MAX	(MESSAGE_ID_MAX + SUBJECT_MAX)

static bool
is_in(const struct seen *set, const struct message *m)
{
	char	key[KEY_MAX];

	snprintf(key, sizeof(key), "%s %s", m->from_id, m->id);
	return seen_has(set, key);
}

static void
put_in(struct seen *set, const struct message *m)
{
	char	key[KEY_MAX];

	snprintf(key, sizeof(key), "%s %s", m->from_id, m->id);
	/* Out of memory: it is shown once more. */
	if (!seen_has(set, key))
		(void)seen_add(set, key);
}

bool
inbox_was_shown(const struct inbox *in, const struct message *m)
{
	return is_in(&in->shown, m);
}

void
inbox_shown(struct inbox *in, const struct message *m)
{
	if (in->lost > 0 && is_in(&in->gone, m) && !is_in(&in->shown, m))
		in->lost--;
	put_in(&in->shown, m);
}

/* --- what is here ----------------------------------------------------------------- */

static void
take_out(struct inbox *in, size_t i)
{
	struct delivery	*d = in->v[i];

	in->n--;
	memmove(&in->v[i], &in->v[i + 1], (in->n - i) * sizeof(in->v[0]));
	in->settle(in->arg, d);
}

/* It was said before the session came, and nobody keeps it for the session. */
static bool
is_history(const struct delivery *d)
{
	return d->historical && !d->durable;
}

/* Whoever joins a channel with a long history is not to lose by it what was
 * sent to him. */
static void
make_room(struct inbox *in)
{
	size_t	i;

	for (i = 0; i < in->n; i++)
		if (is_history(in->v[i]))
			break;
	if (i == in->n)
		i = 0;
	if (in->v[i]->kind == DELIVERY_CHANNEL)
		put_in(&in->gone, &in->v[i]->m);
	take_out(in, i);
	in->lost++;
}

void
inbox_put(struct inbox *in, struct delivery *d)
{
	if (in->n == INBOX_MAX)
		make_room(in);
	in->v[in->n++] = d;
}

struct judgement
inbox_receive(struct inbox *in, const struct attention *a,
    struct delivery *d)
{
	struct judgement	j = attention_judge(a, d);

	if (j.fate == FATE_DROP)
		in->settle(in->arg, d);
	else
		inbox_put(in, d);
	return j;
}

static size_t
place_of(const struct inbox *in, const struct delivery *d)
{
	size_t	i;

	for (i = 0; i < in->n && in->v[i] != d; i++)
		;
	return i;
}

bool
inbox_has(const struct inbox *in, const struct delivery *d)
{
	return place_of(in, d) < in->n;
}

struct delivery *
inbox_find(const struct inbox *in, const char *from_id, const char *id)
{
	size_t	i;

	for (i = 0; i < in->n; i++)
		if (strcmp(in->v[i]->m.id, id) == 0 &&
		    strcmp(in->v[i]->m.from_id, from_id) == 0)
			return in->v[i];
	return NULL;
}

void
inbox_done(struct inbox *in, struct delivery *d)
{
	size_t	i = place_of(in, d);

	if (i == in->n)
		return;
	if (d->kind == DELIVERY_CHANNEL)
		inbox_shown(in, &d->m);
	take_out(in, i);
}

void
inbox_sweep(struct inbox *in, const struct attention *a)
{
	size_t	i = 0;

	while (i < in->n)
		if (attention_judge(a, in->v[i]).fate == FATE_DROP)
			take_out(in, i);
		else
			i++;
}

struct inbox_count
inbox_count(const struct inbox *in, const struct attention *a)
{
	struct inbox_count	c = { .given = 0 };
	struct judgement	j;
	size_t			i;

	for (i = 0; i < in->n; i++) {
		j = attention_judge(a, in->v[i]);
		c.given += j.fate == FATE_GIVE;
		c.held += j.fate == FATE_HOLD;
		c.waking += j.wakes && j.fate != FATE_DROP;
	}
	return c;
}

uint64_t
inbox_take_lost(struct inbox *in)
{
	uint64_t	lost = in->lost;

	in->lost = 0;
	return lost;
}
