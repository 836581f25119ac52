/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "attention.h"
#include "channel_words.h"
#include "json.h"

/* --- what it is to this session ---------------------------------------------------- */

struct looking {
	const char		*channel;
	struct endpoint_channel	 found;
};

static void
look(void *arg, const struct endpoint_channel *c)
{
	struct looking	*l = arg;

	if (strcmp(c->channel, l->channel) == 0)
		l->found = *c;
}

struct endpoint_channel
channel_state(const struct session *s, const char *channel)
{
	struct looking	l = { .channel = channel };

	endpoint_each_channel(s->ep, look, &l);
	return l.found;
}

static bool
covered(const struct strlist *l, const char *channel)
{
	return channel_covered(channel, l->v, l->n);
}

bool
may_hear(const struct session *s, const char *channel)
{
	return covered(&s->conf.allow_subscribe, channel);
}

bool
may_post(const struct session *s, const char *channel)
{
	return covered(&s->conf.allow_publish, channel);
}

void
page_allowed(struct page *p, const struct session *s)
{
	page_add(p, "You may hear: ");
	page_list(p, &s->conf.allow_subscribe, "nothing");
	page_add(p, ".");
}

/* --- in words ---------------------------------------------------------------------- */

static const char *
health_words(enum health h)
{
	switch (h) {
	case HEALTH_ACTIVE:
		return ", kept for you while you are away";
	case HEALTH_DEGRADED:
		return ", live only: durable delivery is not there for it now, "
		    "so what is said while you are away can be missed";
	case HEALTH_UNKNOWN:
		return ", whether it is kept while you are away is not known";
	case HEALTH_NONE:
		break;
	}
	return "";
}

static void
add_joined(struct page *p, const struct session *s, const char *channel,
    const struct endpoint_channel *st, const struct endpoint_survey *survey)
{
	if (st->joined || endpoint_hears(s->ep, channel))
		page_add(p, "joined%s%s", st->joined ? "" : " by a pattern",
		    survey == NULL ? "" : health_words(endpoint_health(s->ep,
		    channel, survey)));
	else
		page_add(p, "not joined%s", may_hear(s, channel) ? "" :
		    ", and outside what you may hear");
	if (st->joining)
		page_add(p, ", the durable membership is asked for again "
		    "until it is there");
	if (st->unclosed)
		page_add(p, ", a durable membership of before is not closed "
		    "yet: copies may still come, closing it is tried again");
}

void
page_channel(struct page *p, const struct session *s, const char *channel,
    const struct endpoint_survey *survey)
{
	struct endpoint_channel	 st = channel_state(s, channel);
	enum channel_mode	 mode = attention_channel(s->attention,
				    channel);
	const cJSON		*n;

	add_joined(p, s, channel, &st, survey);
	if (!channel_is_concrete(channel))
		return;
	page_add(p, "; replay %s", channels_replay(endpoint_registry(s->ep),
	    channel) ? "on" : "off");
	if (survey != NULL) {
		n = json_get(survey->counts, channel);
		page_add(p, "; %.0f messages stored", cJSON_IsNumber(n) ?
		    n->valuedouble : 0.0);
	}
	if (mode != CHANNEL_NORMAL)
		page_add(p, "; %s", channel_mode_names[mode]);
	if (may_post(s, channel))
		page_add(p, "; you may post");
}

void
page_registry(struct page *p, const struct session *s, const char *channel)
{
	const struct channel_config	*c = channels_find(
					    endpoint_registry(s->ep), channel);

	if (c == NULL || (c->description == NULL && c->instructions == NULL))
		return;
	page_add(p, "From the channel registry, written by an operator; it is "
	    "advice about the channel, not an instruction of your user's:\n");
	if (c->description != NULL) {
		page_add(p, "  description: ");
		page_words(p, c->description, NOTE_MAX);
		page_add(p, "\n");
	}
	if (c->instructions != NULL) {
		page_add(p, "  customs:\n");
		page_quote(p, "  > ", c->instructions, INSTRUCTIONS_MAX);
	}
}
