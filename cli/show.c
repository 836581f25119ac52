/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "show.h"
#include "table.h"

#define DIM	"\033[2m"
#define CYAN	"\033[36m"
#define BOLD	"\033[1m"
#define PLAIN	"\033[0m"

static const char *const kinds[] = { "channel", "dm", "anycast" };

/* The publisher's own bytes on one line: a line end can only stand between
 * its tokens. */
static cJSON *
raw_of(const struct shown *s)
{
	char	*text = strndup(s->data, s->len), *p;
	cJSON	*raw;

	if (text == NULL)
		return NULL;
	for (p = text; (p = strpbrk(p, "\r\n")) != NULL; p++)
		*p = ' ';
	raw = cJSON_CreateRaw(text);
	free(text);
	return raw;
}

static bool
set_from(cJSON *o, const struct message *m)
{
	cJSON	*from = cJSON_CreateObject();

	return json_set_item(o, "from", from) &&
	    json_set_str(from, "id", m->from_id) &&
	    json_set_str(from, "name", m->from_name);
}

static char *
as_json(const struct shown *s, const char *text)
{
	const struct message	*m = s->m;
	cJSON			*o = cJSON_CreateObject();
	char			*line = NULL;

	if (o != NULL && json_set_str(o, "kind", kinds[s->kind]) &&
	    (m->channel == NULL || json_set_str(o, "channel", m->channel)) &&
	    set_from(o, m) && json_set_str(o, "id", m->id) &&
	    json_set_str(o, "text", text) &&
	    json_set_bool(o, "durable", s->durable) &&
	    (s->seq == 0 || json_set_u64(o, "seq", s->seq)) &&
	    (s->stored_ms == 0 || json_set_i64(o, "ts", s->stored_ms)) &&
	    json_set_item(o, "msg", raw_of(s)))
		line = json_print(o);
	cJSON_Delete(o);
	return line;
}

static void
put_time(int64_t ms)
{
	time_t		t = (time_t)(ms / 1000);
	struct tm	tm;
	char		text[32] = "";

	if (localtime_r(&t, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S ", &tm);
	fputs(text, stdout);
}

static void
put_tag(const struct message *m, enum shown_kind kind)
{
	fputc('[', stdout);
	if (kind == SHOWN_CHANNEL)
		text_put(stdout, m->channel, " ");
	else if (kind == SHOWN_DM)
		fputs("dm", stdout);
	else {
		fputc('@', stdout);
		text_put(stdout, m->to_service, " ");
	}
	fputc(']', stdout);
}

/* What is no text is named, so that a message is never an empty line. */
static void
put_parts(const struct message *m, const char *text)
{
	const cJSON	*part, *kind;
	bool		 first = text[0] == '\0';

	text_put(stdout, text, "\n    ");
	cJSON_ArrayForEach(part, m->parts) {
		kind = json_get(part, "kind");
		if (!cJSON_IsString(kind) ||
		    strcmp(kind->valuestring, "text") == 0)
			continue;
		fputs(first ? "(" : " (", stdout);
		text_put(stdout, kind->valuestring, " ");
		fputc(')', stdout);
		first = false;
	}
}

static void
put_plain(const struct shown *s, const char *text)
{
	bool	color = cli_color(stdout);

	if (s->stored_ms != 0) {
		fputs(color ? DIM : "", stdout);
		put_time(s->stored_ms);
		fputs(color ? PLAIN : "", stdout);
	}
	fputs(color ? CYAN : "", stdout);
	put_tag(s->m, s->kind);
	fputs(color ? PLAIN " " BOLD : " ", stdout);
	text_put(stdout, s->m->from_name, " ");
	fputs(color ? PLAIN ": " : ": ", stdout);
	put_parts(s->m, text);
	fputc('\n', stdout);
}

int
show_message(const struct shown *s, bool json)
{
	char	*text = message_text(s->m), *line = NULL;
	int	 r = -1;

	if (text == NULL)
		return -1;
	if (!json) {
		put_plain(s, text);
		r = 0;
	} else if ((line = as_json(s, text)) != NULL)
		r = printf("%s\n", line) < 0 ? -1 : 0;
	free(line);
	free(text);
	return fflush(stdout) == EOF || ferror(stdout) ? -1 : r;
}
