/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "names.h"

const char *const attention_names[] = { "open", "dnd", "focus", NULL };
const char *const channel_mode_names[] = { "normal", "quiet", "muted", NULL };

struct attention *
attention_make(const char *name)
{
	struct attention	*a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	if ((a->name = strdup(name)) == NULL ||
	    (a->channels = map_new()) == NULL) {
		attention_free(a);
		return NULL;
	}
	return a;
}

void
attention_free(struct attention *a)
{
	if (a == NULL)
		return;
	if (a->channels != NULL)
		map_free(a->channels, NULL);
	free(a->name);
	free(a);
}

/* --- judging ---------------------------------------------------------------- */

bool
attention_mentions(const struct attention *a, const struct message *m)
{
	size_t	i;

	for (i = 0; a->name[0] != '\0' && i < m->mentions.n; i++)
		if (name_same(m->mentions.v[i], a->name))
			return true;
	return false;
}

static struct judgement
judge_chatter(const struct attention *a, const struct delivery *d)
{
	struct judgement	j = { .fate = FATE_GIVE };
	enum channel_mode	mode = attention_channel(a, d->m.channel);

	j.mentioned = attention_mentions(a, &d->m);
	if (mode == CHANNEL_MUTED) {
		j.fate = FATE_DROP;
		return j;
	}
	if (mode == CHANNEL_NORMAL && a->mode == ATTENTION_FOCUS)
		j.fate = FATE_HOLD;
	j.wakes = j.mentioned ||
	    (mode == CHANNEL_NORMAL && a->mode == ATTENTION_OPEN);
	/* What was said before it came calls nobody, unless it was kept. */
	if (d->historical && !d->durable)
		j.wakes = false;
	return j;
}

struct judgement
attention_judge(const struct attention *a, const struct delivery *d)
{
	if (d->kind == DELIVERY_CHANNEL)
		return judge_chatter(a, d);
	return (struct judgement){ .fate = FATE_GIVE, .wakes = true };
}

/* --- what is set ------------------------------------------------------------- */

static int
by_name(const char *const *names, const char *name)
{
	int	i;

	for (i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

int
attention_by_name(const char *name, enum attention_mode *mode)
{
	int	i = by_name(attention_names, name);

	if (i == -1)
		return -1;
	*mode = (enum attention_mode)i;
	return 0;
}

int
channel_mode_by_name(const char *name, enum channel_mode *mode)
{
	int	i = by_name(channel_mode_names, name);

	if (i == -1)
		return -1;
	*mode = (enum channel_mode)i;
	return 0;
}

void
attention_set(struct attention *a, enum attention_mode mode)
{
	if (mode != a->mode)
		a->frontier_known = false;
	a->mode = mode;
}

void
attention_frontier(struct attention *a, uint64_t seq)
{
	if (a->mode != ATTENTION_FOCUS ||
	    (a->frontier_known && seq < a->frontier_seq))
		return;
	a->frontier_seq = seq;
	a->frontier_known = true;
}

enum channel_mode
attention_channel(const struct attention *a, const char *channel)
{
	/* What is kept of a channel is its mode's name. */
	const char		*name = map_get(a->channels, channel);
	enum channel_mode	 mode = CHANNEL_NORMAL;

	if (name != NULL)
		(void)channel_mode_by_name(name, &mode);
	return mode;
}

int
attention_set_channel(struct attention *a, const char *channel,
    enum channel_mode mode, const struct strlist *allow, struct error *e)
{
	if (!channel_is_valid(channel))
		return error_set(e, EX_USAGE, "\"%.128s\" is not a channel",
		    channel);
	if (!channel_is_concrete(channel))
		return error_set(e, EX_USAGE, "\"%.128s\" is a pattern: name "
		    "one channel", channel);
	if (allow != NULL && !channel_covered(channel, allow->v, allow->n))
		return error_set(e, EX_NOPERM, "\"%.128s\" is outside what "
		    "this agent may read (allowSubscribe)", channel);
	if (mode == CHANNEL_NORMAL) {
		(void)map_del(a->channels, channel);
		return 0;
	}
	if (map_put(a->channels, channel, (void *)(uintptr_t)
	    channel_mode_names[mode], NULL) == -1)
		return error_set(e, EX_OSERR, "out of memory");
	return 0;
}

cJSON *
attention_modes(const struct attention *a)
{
	const struct map_node	*n;
	cJSON			*o = cJSON_CreateObject();

	for (n = map_first(a->channels); o != NULL && n != NULL;
	    n = map_next(n))
		if (!json_set_str(o, map_key(n), map_value(n))) {
			cJSON_Delete(o);
			o = NULL;
		}
	return o;
}
