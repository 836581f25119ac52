/* SPDX-License-Identifier: ISC */

/* The table of tools, and what all of them have in common. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "tools.h"

extern const struct tool
	tool_anycast, tool_channel_info, tool_channel_mode, tool_channels,
	tool_despawn, tool_dm, tool_inbox, tool_join, tool_leave,
	tool_orientation, tool_persona, tool_reconnect, tool_roster,
	tool_send, tool_spawn, tool_status;

const struct tool *const tools[] = {
	&tool_orientation, &tool_roster, &tool_inbox, &tool_send, &tool_dm,
	&tool_anycast, &tool_status, &tool_channel_info, &tool_channels,
	&tool_channel_mode, &tool_join, &tool_leave, &tool_spawn,
	&tool_despawn, &tool_persona, &tool_reconnect, NULL };

/* --- tools/list ------------------------------------------------------------------ */

static bool
is_offered(const struct session *s, const struct tool *t)
{
	return !t->spawn || session_conf_can(&s->conf, "spawn");
}

static cJSON *
annotations(const struct tool *t)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_str(o, "title", t->title) &&
	    json_set_bool(o, "readOnlyHint", t->hints & TOOL_READS) &&
	    (t->hints & TOOL_READS || (json_set_bool(o, "destructiveHint",
	    t->hints & TOOL_DESTROYS) && json_set_bool(o, "idempotentHint",
	    t->hints & TOOL_REPEATS))) &&
	    json_set_bool(o, "openWorldHint", t->mesh))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* Titles came with 2025-06-18, annotations with the version before. */
static cJSON *
describe(const struct tool *t, const char *version)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_str(o, "name", t->name) &&
	    (strcmp(version, "2025-06-18") < 0 ||
	    json_set_str(o, "title", t->title)) &&
	    json_set_str(o, "description", t->description) &&
	    json_set_item(o, "inputSchema", tool_schema(t)) &&
	    (strcmp(version, "2025-03-26") < 0 ||
	    json_set_item(o, "annotations", annotations(t))))
		return o;
	cJSON_Delete(o);
	return NULL;
}

cJSON *
tools_list(void *arg, const char *version)
{
	const struct session	*s = arg;
	cJSON			*list = cJSON_CreateArray(), *o;
	size_t			 i;

	for (i = 0; list != NULL && tools[i] != NULL; i++) {
		if (!is_offered(s, tools[i]))
			continue;
		if ((o = describe(tools[i], version)) == NULL ||
		    !cJSON_AddItemToArray(list, o)) {
			cJSON_Delete(o);
			cJSON_Delete(list);
			list = NULL;
		}
	}
	return list;
}

/* --- tools/call --------------------------------------------------------------------- */

static const struct tool *
find(const char *name)
{
	size_t	i;

	for (i = 0; tools[i] != NULL; i++)
		if (strcmp(tools[i]->name, name) == 0)
			return tools[i];
	return NULL;
}

bool
tools_call(void *arg, struct mcp_call *c, const char *name, const cJSON *args)
{
	struct session		*s = arg;
	const struct tool	*t = find(name);
	struct error		 e;
	cJSON			*none = NULL;

	if (t == NULL)
		return false;
	if (args == NULL && (args = none = cJSON_CreateObject()) == NULL)
		tool_err(c, "out of memory");
	else if (!is_offered(s, t))
		tool_err(c, "This session may not start agents: its agent "
		    "file has no \"capabilities: [spawn]\". An operator can "
		    "give it that.");
	else if (tool_check(t, args, &e) == -1)
		tool_err(c, "%s. Nothing was done.", e.text);
	else if (!t->mesh || session_is_up(s, c))
		t->run(s, c, args);
	cJSON_Delete(none);
	return true;
}

/* --- answers --------------------------------------------------------------------------- */

static void
answer(struct mcp_call *c, bool error, const char *fmt, va_list ap)
{
	char	*text;

	if (vasprintf(&text, fmt, ap) == -1) {
		mcp_answer(c, "out of memory", true);
		return;
	}
	mcp_answer(c, text, error);
	free(text);
}

void
tool_ok(struct mcp_call *c, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	answer(c, false, fmt, ap);
	va_end(ap);
}

void
tool_err(struct mcp_call *c, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	answer(c, true, fmt, ap);
	va_end(ap);
}

bool
tool_channel(struct mcp_call *c, const char *given, bool patterns,
    char channel[CHANNEL_MAX + 1])
{
	const char	*name = given[0] == '#' ? given + 1 : given;
	struct page	 p = { .s = NULL };

	if (strlen(name) <= CHANNEL_MAX && channel_is_valid(name) &&
	    (patterns || channel_is_concrete(name))) {
		strcpy(channel, name);
		return true;
	}
	page_add(&p, "\"");
	page_data(&p, given, 80);
	if (channel_is_valid(name))
		page_add(&p, "\" is a pattern, and here one channel is "
		    "needed: give its whole name. cotal_channels lists them.");
	else
		page_add(&p, "\" is not a channel: a name has letters, digits, "
		    "_ and -, in parts divided by dots (\"team.build\"%s).",
		    patterns ? "; a pattern like \"team.>\" is possible, too" :
		    "");
	page_answer(&p, c, true);
	return false;
}
