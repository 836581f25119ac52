/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "channel_words.h"
#include "say.h"

#define NAME_MOST	80

struct saying {
	struct session	*s;
	struct mcp_call	*call;
	char		*where, *note;
	bool		 to_channel;
};

static void
saying_free(struct saying *y)
{
	free(y->where);
	free(y->note);
	free(y);
}

static void
add_fault(struct page *p, const struct saying *y, const struct error *e)
{
	page_add(p, "Not sent to %s: %s.", y->where, e->text);
	switch (e->code) {
	case EX_NOPERM:
		page_add(p, " The broker does not let you.");
		if (!y->to_channel)
			break;
		page_add(p, " You may post to: ");
		page_list(p, &y->s->conf.allow_publish, "no channel");
		page_add(p, ".");
		break;
	case EX_DATAERR:
		page_add(p, " Send less at a time.");
		break;
	default:
		page_add(p, " It may have arrived all the same: look before "
		    "you send it again.");
	}
}

static void
on_stored(void *arg, const struct endpoint_stored *st, const struct error *e)
{
	struct saying	*y = arg;
	struct page	 p = { .s = NULL };

	if (e != NULL)
		add_fault(&p, y, e);
	else
		page_add(&p, "Sent to %s, message %s.%s%s", y->where, st->id,
		    y->note[0] != '\0' ? " " : "", y->note);
	page_answer(&p, y->call, e != NULL);
	saying_free(y);
}

void
say(struct session *s, struct mcp_call *c, const struct message_draft *d,
    const char *where, const char *note)
{
	struct saying	*y = calloc(1, sizeof(*y));
	struct error	 e;

	if (y == NULL || (y->where = strdup(where)) == NULL ||
	    (y->note = strdup(note == NULL ? "" : note)) == NULL) {
		tool_err(c, "out of memory");
		if (y != NULL)
			saying_free(y);
		return;
	}
	y->s = s;
	y->call = c;
	y->to_channel = d->channel != NULL;
	if (endpoint_post(s->ep, d, on_stored, y, &e) == -1)
		on_stored(y, NULL, &e);
}

const struct peer *
say_whom(struct session *s, struct mcp_call *c, const char *name)
{
	const struct peer	*peer;
	struct page		 p = { .s = NULL };
	struct error		 e = { .code = 0 };

	if (name[0] == '@')
		name++;
	peer = roster_resolve(endpoint_roster(s->ep), name, &e);
	if (peer != NULL)
		return peer;
	if (e.code == EX_NOUSER) {
		page_add(&p, "Nobody here is called \"");
		page_data(&p, name, NAME_MOST);
		page_add(&p, "\". Nothing was sent. cotal_roster lists who "
		    "there is.");
	} else {
		page_data(&p, e.text, sizeof(e.text));
		page_add(&p, ". Nothing was sent. Say which one by its id: "
		    "cotal_roster has them.");
	}
	page_answer(&p, c, true);
	return NULL;
}
