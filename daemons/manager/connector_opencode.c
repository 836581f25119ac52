/* SPDX-License-Identifier: ISC */

/*
 * OpenCode: its settings are JSON in a variable, over those that it finds in
 * files.  A reference is {env:NAME} there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connector.h"
#include "shared.h"

#define AGENT	"cotal"		/* what the persona is called in it */

static const char *const	programs[] = { "opencode", NULL };
static const char *const	keys[] = { "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY",
    "GROQ_API_KEY", "OPENCODE_API_KEY", NULL };

static int
out_of_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory for a launch");
}

/*
 * A string that it shall see as it is: {env:NAME} and {file:PATH} it would
 * replace, wherever in its settings they stand, before it reads them as JSON.
 * NULL: out of memory.
 */
static cJSON *
verbatim(const char *s)
{
	cJSON	*plain = cJSON_CreateString(s), *raw = NULL;
	char	*text = plain == NULL ? NULL : json_print(plain);
	char	*out = NULL, *to;
	size_t	 i;

	if (text != NULL && (out = malloc(6 * strlen(text) + 1)) != NULL) {
		for (i = 0, to = out; text[i] != '\0'; i++)
			if (text[i] == '{')
				to = stpcpy(to, "\\u007b");
			else
				*to++ = text[i];
		*to = '\0';
		raw = cJSON_CreateRaw(out);
	}
	free(out);
	free(text);
	cJSON_Delete(plain);
	return raw;
}

/* ${NAME} as {env:NAME}, malloc'd; NULL with *e. */
static char *
translate(const char *s, struct error *e)
{
	char	*out = malloc(2 * strlen(s) + 1), *to = out;
	size_t	 len;

	if (out == NULL)
		out_of_memory(e);
	while (out != NULL && *s != '\0') {
		if (strncmp(s, "${", 2) != 0) {
			*to++ = *s++;
			continue;
		}
		len = strcspn(s, "}:");
		if (s[len] == ':') {
			error_set(e, EX_CONFIG, "\"%.64s\": opencode knows no "
			    "default for a variable", s);
			free(out);
			return NULL;
		}
		to += sprintf(to, "{env:%.*s}", (int)len - 2, s + 2);
		s += len + 1;
	}
	if (out != NULL)
		*to = '\0';
	return out;
}

static int
add_string(cJSON *list, const char *s, struct error *e)
{
	char	*text = translate(s, e);
	cJSON	*item;

	if (text == NULL)
		return -1;
	item = cJSON_CreateString(text);
	free(text);
	if (item != NULL && cJSON_AddItemToArray(list, item))
		return 0;
	cJSON_Delete(item);
	return out_of_memory(e);
}

static int
add_values(cJSON *to, const char *name, const cJSON *from, struct error *e)
{
	const cJSON	*c;
	cJSON		*o;
	char		*text;
	bool		 ok;

	if (from == NULL)
		return 0;
	if ((o = cJSON_AddObjectToObject(to, name)) == NULL)
		return out_of_memory(e);
	cJSON_ArrayForEach(c, from) {
		if ((text = translate(c->valuestring, e)) == NULL)
			return -1;
		ok = json_set_str(o, c->string, text);
		free(text);
		if (!ok)
			return out_of_memory(e);
	}
	return 0;
}

/* A shared server into our list; what else its owner says of it is not known
 * here, and stays behind. */
static int
add_shared(cJSON *list, const cJSON *from, struct error *e)
{
	const cJSON	*command = json_get(from, "command"), *c;
	const cJSON	*url = json_get(from, "url");
	cJSON		*o = cJSON_AddObjectToObject(list, from->string);
	cJSON		*words;
	char		*text;
	bool		 ok;

	if (o == NULL || !json_set_str(o, "type", command != NULL ? "local" :
	    "remote") || !json_set_bool(o, "enabled", true))
		return out_of_memory(e);
	if (command == NULL) {
		if ((text = translate(url->valuestring, e)) == NULL)
			return -1;
		ok = json_set_str(o, "url", text);
		free(text);
		return !ok ? out_of_memory(e) :
		    add_values(o, "headers", json_get(from, "headers"), e);
	}
	if ((words = cJSON_AddArrayToObject(o, "command")) == NULL)
		return out_of_memory(e);
	if (add_string(words, command->valuestring, e) == -1)
		return -1;
	cJSON_ArrayForEach(c, json_get(from, "args"))
		if (add_string(words, c->valuestring, e) == -1)
			return -1;
	return add_values(o, "environment", json_get(from, "env"), e);
}

static int
add_servers(cJSON *settings, const struct launch_request *r, struct error *e)
{
	cJSON		*list = cJSON_AddObjectToObject(settings, "mcp"), *ours;
	const cJSON	*c;
	char		*command[] = { (char *)(uintptr_t)r->reeve,
			    (char *)(uintptr_t)"mcp" };

	cJSON_ArrayForEach(c, r->shared->servers)
		if (add_shared(list, c, e) == -1)
			return error_wrap(e, "mcpServers.%.64s", c->string);
	ours = cJSON_AddObjectToObject(list, SHARED_OURS);
	if (ours == NULL || !json_set_str(ours, "type", "local") ||
	    !json_set_strings(ours, "command", command, 2) ||
	    !json_set_bool(ours, "enabled", true))
		return out_of_memory(e);
	return 0;
}

static int
add_persona(cJSON *settings, const struct launch_request *r, struct error *e)
{
	cJSON	*agent, *ours;

	if (r->file->body == NULL)
		return 0;
	agent = cJSON_AddObjectToObject(settings, "agent");
	ours = cJSON_AddObjectToObject(agent, AGENT);
	if (ours == NULL || !json_set_str(ours, "mode", "primary") ||
	    !json_set_str(ours, "description", r->name) ||
	    !json_set_item(ours, "prompt", verbatim(r->file->body)))
		return out_of_memory(e);
	return 0;
}

static int
launch(const struct launch_request *r, struct launch_plan *p, struct error *e)
{
	cJSON	*settings = cJSON_CreateObject();
	char	*text = NULL;
	int	 rc = -1;

	if (settings == NULL)
		return out_of_memory(e);
	if (add_servers(settings, r, e) == 0 &&
	    add_persona(settings, r, e) == 0) {
		if ((text = json_print(settings)) == NULL)
			out_of_memory(e);
		else
			rc = launch_plan_set(p, "OPENCODE_CONFIG_CONTENT",
			    text, e);
	}
	free(text);
	cJSON_Delete(settings);
	if (rc == -1 || connector_args(p, e, "opencode", NULL) == -1)
		return -1;
	if (r->file->body != NULL &&
	    connector_args(p, e, "--agent", AGENT, NULL) == -1)
		return -1;
	return r->model == NULL ? 0 :
	    connector_args(p, e, "--model", r->model, NULL);
}

const struct connector connector_opencode = {
	.name = "opencode",
	.summary = "OpenCode",
	.programs = programs,
	.keys = keys,
	.launch = launch };
