/* SPDX-License-Identifier: ISC */

/*
 * Codex: it takes settings as -c KEY=VALUE, with TOML's values; what we write
 * of it JSON spells the same.  It starts MCP servers with a bare environment,
 * so what theirs is to have is named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connector.h"
#include "shared.h"

static const char *const	programs[] = { "codex", NULL };
static const char *const	keys[] = { "OPENAI_API_KEY", "CODEX_API_KEY",
    "OPENAI_BASE_URL", "CODEX_HOME", NULL };

/* Names of variables that the mesh's server needs beside those that are set
 * in the plan. */
static const char *const	made_later[] = { "COTAL_CONTROL_SOCKET",
    "COTAL_CONTROL_TOKEN", NULL };

static int
setting(struct launch_plan *p, const char *server, const char *key,
    cJSON *value, struct error *e)
{
	char	name[256];

	snprintf(name, sizeof(name), "mcp_servers.%s.%s", server, key);
	if (connector_args(p, e, "-c", NULL) == -1) {
		cJSON_Delete(value);
		return -1;
	}
	return connector_arg_json(p, name, value, e);
}

static cJSON *
list_of(char *const *v, size_t n)
{
	cJSON	*o = cJSON_CreateObject(), *list = NULL;

	if (o != NULL && json_set_strings(o, "v", v, n))
		list = cJSON_DetachItemFromObjectCaseSensitive(o, "v");
	cJSON_Delete(o);
	return list;
}

/* The names of what the plan sets for the session. */
static int
names_of_mesh(const struct launch_plan *p, struct strlist *names,
    struct error *e)
{
	size_t	i;
	bool	ok = true;

	for (i = 0; ok && i < p->env.n; i++)
		if (strncmp(p->env.v[i], "COTAL_", 6) == 0)
			ok = strlist_addf(names, "%.*s",
			    (int)strcspn(p->env.v[i], "="), p->env.v[i]);
	for (i = 0; ok && made_later[i] != NULL; i++)
		ok = strlist_add(names, made_later[i]);
	return ok ? 0 : error_set(e, EX_OSERR, "out of memory for a launch");
}

static int
add_ours(const struct launch_request *r, struct launch_plan *p,
    struct error *e)
{
	struct strlist	names = { .v = NULL };
	char		*mcp[] = { (char *)(uintptr_t)"mcp" };
	int		 rc = -1;

	if (names_of_mesh(p, &names, e) == 0 && setting(p, SHARED_OURS,
	    "command", cJSON_CreateString(r->reeve), e) == 0 &&
	    setting(p, SHARED_OURS, "args", list_of(mcp, 1), e) == 0)
		rc = setting(p, SHARED_OURS, "env_vars",
		    list_of(names.v, names.n), e);
	strlist_free(&names);
	return rc;
}

/* Codex passes a variable on under its own name; it looks nothing up. */
static int
env_names(const cJSON *env, struct strlist *names, struct error *e)
{
	const cJSON	*c;
	char		 same[256];

	cJSON_ArrayForEach(c, env) {
		snprintf(same, sizeof(same), "${%s}", c->string);
		if (strcmp(c->valuestring, same) != 0)
			return error_set(e, EX_CONFIG, "env.%.64s: codex can "
			    "only pass on a variable as it is: \"${%.64s}\"",
			    c->string, c->string);
		if (!strlist_add(names, c->string))
			return error_set(e, EX_OSERR, "out of memory for a "
			    "launch");
	}
	return 0;
}

static int
refers(const cJSON *args)
{
	const cJSON	*c;

	cJSON_ArrayForEach(c, args)
		if (strstr(c->valuestring, "${") != NULL)
			return 1;
	return 0;
}

static int
add_server(const cJSON *o, struct launch_plan *p, struct error *e)
{
	const cJSON	*command = json_get(o, "command");
	const cJSON	*args = json_get(o, "args");
	struct strlist	 names = { .v = NULL };
	int		 rc = -1;

	if (command == NULL || strstr(command->valuestring, "${") != NULL ||
	    refers(args))
		error_set(e, EX_CONFIG, "codex can only be given a command, "
		    "and no ${VARIABLE} but in env");
	else if (env_names(json_get(o, "env"), &names, e) == 0 &&
	    setting(p, o->string, "command", cJSON_Duplicate(command, false),
	    e) == 0 && (args == NULL || setting(p, o->string, "args",
	    cJSON_Duplicate(args, true), e) == 0))
		rc = names.n == 0 ? 0 : setting(p, o->string, "env_vars",
		    list_of(names.v, names.n), e);
	strlist_free(&names);
	return rc == 0 ? 0 : error_wrap(e, "mcpServers.%.64s", o->string);
}

static int
launch(const struct launch_request *r, struct launch_plan *p, struct error *e)
{
	const cJSON	*c;

	if (connector_args(p, e, "codex", NULL) == -1)
		return -1;
	cJSON_ArrayForEach(c, r->shared->servers)
		if (add_server(c, p, e) == -1)
			return -1;
	if (add_ours(r, p, e) == -1)
		return -1;
	if (r->file->body != NULL && (connector_args(p, e, "-c", NULL) == -1 ||
	    connector_arg_json(p, "developer_instructions",
	    cJSON_CreateString(r->file->body), e) == -1))
		return -1;
	return r->model == NULL ? 0 :
	    connector_args(p, e, "--model", r->model, NULL);
}

const struct connector connector_codex = {
	.name = "codex",
	.summary = "Codex",
	.programs = programs,
	.keys = keys,
	.launch = launch };
