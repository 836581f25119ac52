/* SPDX-License-Identifier: ISC */

/* A line of a host's transcript, and what was said by it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "transcript.h"

#define CUT		"\n[cut]"
#define TOOL_MOST	128

struct said {
	char	*s;		/* TRANSCRIPT_TEXT_MAX, and CUT */
	size_t	 len;
	bool	 cut;
};

/* Not at a byte that goes on with a character. */
static void
add(struct said *d, const char *s)
{
	size_t	n = strlen(s), room = TRANSCRIPT_TEXT_MAX - d->len;

	if (d->cut)
		return;
	if (n > room) {
		d->cut = true;
		for (n = room; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
			n--;
	}
	memcpy(d->s + d->len, s, n);
	d->len += n;
}

static void
add_line(struct said *d, const char *head, const char *s)
{
	if (d->len > 0)
		add(d, "\n");
	add(d, head);
	add(d, s);
}

/* What the host puts among the user's words: what programs printed, what
 * others wrote. */
static bool
is_hosts(const char *s)
{
	static const char *const	begins[] = { "<channel ", "<channel>",
	    "<local-command-", "<bash-stdout>", "<bash-stderr>",
	    "<system-reminder>", "<task-notification", "<teammate-message",
	    "<tick>", "<user-prompt-submit-hook>", "[Request interrupted by "
	    "user" };
	size_t				i;

	s += strspn(s, " \t\r\n");
	for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (strncmp(s, begins[i], strlen(begins[i])) == 0)
			return true;
	return s[0] == '\0';
}

static const char *
string(const cJSON *o, const char *name)
{
	const cJSON	*c = json_get(o, name);

	return cJSON_IsString(c) ? c->valuestring : "";
}

static void
add_text(struct said *d, const char *s, bool user)
{
	if (s[0] == '\0' || (user && is_hosts(s)))
		return;
	add_line(d, user ? "user: " : "model: ", s);
}

static void
add_tool(struct said *d, const cJSON *part)
{
	char	name[TOOL_MOST], *p;

	snprintf(name, sizeof(name), "%s", string(part, "name"));
	for (p = name; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	add_line(d, "tool ", name);
}

static void
add_content(struct said *d, const cJSON *content, bool user)
{
	const cJSON	*part;
	const char	*type;

	if (cJSON_IsString(content))
		add_text(d, content->valuestring, user);
	if (!cJSON_IsArray(content))
		return;
	cJSON_ArrayForEach(part, content) {
		type = string(part, "type");
		if (strcmp(type, "text") == 0)
			add_text(d, string(part, "text"), user);
		else if (!user && strcmp(type, "tool_use") == 0)
			add_tool(d, part);
	}
}

/* Neither by the user nor by the model that he talks to: the host's own words,
 * a subagent's, a copy of what was said elsewhere. */
static bool
is_left_out(const cJSON *o, const char *since)
{
	static const char *const	flags[] = { "isMeta", "isSidechain",
	    "isCompactSummary", "isVisibleInTranscriptOnly",
	    "isApiErrorMessage" };
	const char			*at = string(o, "timestamp");
	const cJSON			*origin = json_get(o, "origin");
	size_t				 i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (cJSON_IsTrue(json_get(o, flags[i])))
			return true;
	if (cJSON_IsObject(origin) &&
	    strcmp(string(origin, "kind"), "human") != 0)
		return true;
	return cJSON_IsObject(json_get(o, "forkedFrom")) ||
	    (at[0] != '\0' && strcmp(at, since) < 0);
}

char *
transcript_said(const char *line, size_t len, const char *since)
{
	struct said	 d = { .len = 0 };
	cJSON		*o = json_parse(line, len, NULL);
	const char	*type = string(o, "type");
	bool		 user = strcmp(type, "user") == 0;

	if ((user || strcmp(type, "assistant") == 0) &&
	    !is_left_out(o, since) && (d.s = malloc(TRANSCRIPT_TEXT_MAX +
	    sizeof(CUT))) != NULL)
		add_content(&d, json_get(json_get(o, "message"), "content"),
		    user);
	cJSON_Delete(o);
	if (d.len == 0) {
		free(d.s);
		return NULL;
	}
	snprintf(d.s + d.len, sizeof(CUT), "%s", d.cut ? CUT : "");
	return d.s;
}
