/* SPDX-License-Identifier: ISC */

/* What comes from the mesh to a session, and what it tells the mesh of how it
 * listens. */
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "inbox.h"
#include "log.h"
#include "session.h"
#include "told.h"

#define WAKE_MOST	2000	/* characters of a text in a wake */
#define NAME_MOST	64

/* --- messages ---------------------------------------------------------------- */

static void
settle(void *arg, struct delivery *d)
{
	struct session	*s = arg;

	endpoint_settle(s->ep, d, SETTLE_DONE);
}

struct inbox *
inbox_new(struct session *s)
{
	return inbox_make(settle, s);
}

/* A host may write it as an attribute of a tag: nothing in it ends one. */
static bool
add_meta(cJSON *meta, const char *name, const char *value, size_t most)
{
	struct page	 p = { .s = NULL };
	char		*at;
	bool		 ok;

	page_data(&p, value, most);
	for (at = p.s; at != NULL && (at = strpbrk(at, "\"<>")) != NULL; at++)
		*at = '\'';
	ok = !p.failed && json_set_str(meta, name, p.s == NULL ? "" : p.s);
	page_free(&p);
	return ok;
}

static cJSON *
meta_of(const struct delivery *d)
{
	static const char *const kinds[] = { "channel", "dm", "anycast" };
	cJSON			*meta = cJSON_CreateObject();
	bool			 ok = meta != NULL &&
				     json_set_str(meta, "kind", kinds[d->kind]);

	if (ok && d->kind == DELIVERY_CHANNEL)
		ok = add_meta(meta, "channel", d->m.channel, CHANNEL_MAX);
	if (ok && d->kind == DELIVERY_ANYCAST)
		ok = add_meta(meta, "role", d->m.to_service, NAME_MOST);
	ok = ok && add_meta(meta, "from", d->m.from_name, NAME_MOST) &&
	    add_meta(meta, "from_id", d->m.from_id, ID_MAX) &&
	    add_meta(meta, "message_id", d->m.id, MESSAGE_ID_MAX);
	if (ok)
		return meta;
	cJSON_Delete(meta);
	return NULL;
}

/* Who and where; and what, unless that is held. */
static void
wake_for(struct session *s, const struct delivery *d, struct judgement j)
{
	struct told	t = { .kind = d->kind, .m = &d->m,
			    .stored_ms = d->stored_ms,
			    .historical = d->historical,
			    .mentioned = j.mentioned };
	struct page	p = { .s = NULL };

	if (j.fate == FATE_GIVE)
		(void)told_add(&p, &t, WAKE_MOST);
	else {
		page_name(&p, d->m.from_name, NAME_MOST);
		page_add(&p, " mentions you in ");
		told_where(&p, &t);
		page_add(&p, "; you are in focus: cotal_inbox recalls it.");
	}
	if (p.failed)
		log_warn("a wake was dropped", "why=memory");
	else
		session_wake(s, p.s, meta_of(d));
	page_free(&p);
}

void
inbox_message(struct inbox *in, struct delivery *d)
{
	struct session		*s = in->arg;
	struct judgement	 j = attention_judge(s->attention, d);

	/* Before it may be settled. */
	if (j.wakes)
		wake_for(s, d, j);
	(void)inbox_receive(in, s->attention, d);
}

/* --- how it listens -------------------------------------------------------------- */

void
attention_mirror(struct session *s)
{
	cJSON	*modes;

	if (s->ep == NULL)
		return;
	endpoint_set_attention(s->ep, attention_names[s->attention->mode]);
	modes = attention_modes(s->attention);
	endpoint_set_modes(s->ep, modes);
	cJSON_Delete(modes);
}

static int
set_all(struct session *s, struct attention *a, const struct strlist *l,
    enum channel_mode mode)
{
	struct error	e;
	size_t		i;

	for (i = 0; i < l->n; i++)
		if (attention_set_channel(a, l->v[i], mode,
		    &s->conf.allow_subscribe, &e) == -1 &&
		    e.code == EX_OSERR)
			return -1;
	return 0;
}

struct attention *
attention_new(struct session *s)
{
	const char		*name = s->ep != NULL ? endpoint_name(s->ep) :
				     s->conf.name;
	struct attention	*a = attention_make(name != NULL ? name : "");

	if (a == NULL)
		return NULL;
	if (set_all(s, a, &s->conf.quiet, CHANNEL_QUIET) == -1 ||
	    set_all(s, a, &s->conf.muted, CHANNEL_MUTED) == -1) {
		attention_free(a);
		return NULL;
	}
	s->attention = a;
	attention_mirror(s);
	return a;
}
