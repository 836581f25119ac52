/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "told.h"

#define NAME_MOST	64	/* characters */
#define ID_MOST		MESSAGE_ID_MAX
#define CHANNEL_MOST	CHANNEL_MAX
#define MARK		"| "

void
told_where(struct page *p, const struct told *t)
{
	if (t->kind == DELIVERY_DM)
		page_add(p, "direct message");
	else if (t->kind == DELIVERY_ANYCAST) {
		page_add(p, "to any ");
		page_name(p, t->m->to_service, NAME_MOST);
	} else {
		page_add(p, "#");
		page_data(p, t->m->channel, CHANNEL_MOST);
	}
}

static void
add_when(struct page *p, const struct told *t)
{
	int64_t		ms = t->stored_ms != 0 ? t->stored_ms : t->m->ts_ms;
	time_t		s = (time_t)(ms / 1000);
	struct tm	tm;
	char		text[40];

	if (ms > 0 && gmtime_r(&s, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
		page_add(p, ", %s", text);
}

static void
add_head(struct page *p, const struct told *t)
{
	page_add(p, "[");
	told_where(p, t);
	page_add(p, "] from ");
	page_name(p, t->m->from_name, NAME_MOST);
	if (t->m->from_role != NULL) {
		page_add(p, " (");
		page_name(p, t->m->from_role, NAME_MOST);
		page_add(p, ")");
	}
	page_add(p, ", id ");
	page_data(p, t->m->from_id, ID_MOST);
	add_when(p, t);
	if (t->historical)
		page_add(p, ", historical");
	if (t->mentioned)
		page_add(p, ", mentions you");
	/* Both are of its sender's choice. */
	page_add(p, ", message ");
	page_name(p, t->m->id, ID_MOST);
	if (t->m->reply_to != NULL) {
		page_add(p, ", replies to ");
		page_name(p, t->m->reply_to, ID_MOST);
	}
	page_add(p, "\n");
}

/* What is no text, as the JSON that it is; of all of it at most so much. */
static bool
add_parts(struct page *p, const struct message *m, size_t most)
{
	const cJSON	*part, *kind;
	char		*text;
	size_t		 len;
	bool		 whole;

	cJSON_ArrayForEach(part, m->parts) {
		kind = json_get(part, "kind");
		if (!cJSON_IsString(kind) ||
		    strcmp(kind->valuestring, "text") == 0)
			continue;
		if ((text = json_print(part)) == NULL) {
			p->failed = true;
			return false;
		}
		page_add(p, MARK);
		whole = page_data(p, text, most);
		page_add(p, "\n");
		len = strlen(text);
		free(text);
		if (!whole)
			return false;
		most -= len < most ? len : most;
	}
	return true;
}

bool
told_add(struct page *p, const struct told *t, size_t most)
{
	char	*text = message_text(t->m);
	bool	 whole;

	if (text == NULL) {
		p->failed = true;
		return false;
	}
	add_head(p, t);
	whole = text[0] == '\0' || page_quote(p, MARK, text, most);
	free(text);
	return add_parts(p, t->m, most) && whole;
}
