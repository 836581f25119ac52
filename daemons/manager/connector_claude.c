/* SPDX-License-Identifier: ISC */

/* Claude Code: the mesh is an MCP server of the session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connector.h"
#include "hooks.h"
#include "safepath.h"
#include "shared.h"

static const char *const	programs[] = { "claude", NULL };
static const char *const	keys[] = { "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CONFIG_DIR", NULL };

static int
out_of_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory for a launch");
}

/* {"mcpServers":{shared ..., "cotal":...}}: ours last, so that none that is
 * shared takes its place.  malloc'd. */
static char *
servers_text(const struct launch_request *r, struct error *e)
{
	cJSON	*o = cJSON_CreateObject(), *ours, *all;
	/* It is not woken by the newest version, which it would choose. */
	char	*mcp[] = { (char *)(uintptr_t)"mcp",
		    (char *)(uintptr_t)"--handshake" };
	char	*text = NULL;

	if (o != NULL && json_set_item(o, "mcpServers",
	    cJSON_Duplicate(r->shared->servers, true))) {
		all = cJSON_GetObjectItemCaseSensitive(o, "mcpServers");
		ours = cJSON_AddObjectToObject(all, SHARED_OURS);
		if (ours != NULL && json_set_str(ours, "command", r->reeve) &&
		    json_set_strings(ours, "args", mcp, 2))
			text = json_print(o);
	}
	cJSON_Delete(o);
	if (text == NULL)
		out_of_memory(e);
	return text;
}

/* What is shared may be long, and is nobody's business in a list of
 * processes: a private file.  Its path, malloc'd. */
static char *
servers_file(const struct launch_request *r, const char *text,
    struct error *e)
{
	char	*dir, *path = NULL;

	if (asprintf(&dir, "%s/mcp-XXXXXX", r->private_dir) == -1) {
		out_of_memory(e);
		return NULL;
	}
	if (mkdtemp(dir) == NULL)
		error_errno(e, EX_CANTCREAT, "make directory %s", dir);
	else if (safe_create(dir, "servers.json", text, e) == 0 &&
	    asprintf(&path, "%s/servers.json", dir) == -1) {
		path = NULL;
		out_of_memory(e);
	}
	free(dir);
	return path;
}

static int
add_servers(const struct launch_request *r, struct launch_plan *p,
    struct error *e)
{
	char	*text = servers_text(r, e), *path = NULL;
	int	 rc = -1;

	if (text == NULL)
		return -1;
	if (cJSON_GetArraySize(r->shared->servers) == 0)
		rc = connector_args(p, e, "--strict-mcp-config",
		    "--mcp-config", text, NULL);
	else if ((path = servers_file(r, text, e)) != NULL)
		rc = connector_args(p, e, "--strict-mcp-config",
		    "--mcp-config", path, NULL);
	free(path);
	free(text);
	return rc;
}

/* Beside what the user has set; a hook that he has, too, runs once. */
static int
add_hooks(const struct launch_request *r, struct launch_plan *p,
    struct error *e)
{
	cJSON	*o = hooks_settings(r->hook);
	char	*text = o == NULL ? NULL : json_print(o);
	int	 rc;

	cJSON_Delete(o);
	if (text == NULL)
		return out_of_memory(e);
	rc = connector_args(p, e, "--settings", text, NULL);
	free(text);
	return rc;
}

static int
launch(const struct launch_request *r, struct launch_plan *p, struct error *e)
{
	if (connector_args(p, e, "claude", NULL) == -1 ||
	    add_servers(r, p, e) == -1 || add_hooks(r, p, e) == -1)
		return -1;
	if (r->file->body != NULL && connector_args(p, e,
	    "--append-system-prompt", r->file->body, NULL) == -1)
		return -1;
	if (r->model != NULL &&
	    connector_args(p, e, "--model", r->model, NULL) == -1)
		return -1;
	if (connector_args(p, e, "--dangerously-load-development-channels",
	    "server:" SHARED_OURS, NULL) == -1)
		return -1;
	/* A fork: somebody else's session is read, and not taken over. */
	if (r->resume != NULL && connector_args(p, e, "--resume", r->resume,
	    "--fork-session", NULL) == -1)
		return -1;
	/* It asks whether to trust the directory, and the server. */
	return launch_plan_press(p, "\r", 1000, 5, e);
}

const struct connector connector_claude = {
	.name = "claude",
	.summary = "Claude Code",
	.programs = programs,
	.keys = keys,
	.can_resume = true,
	.can_mirror = true,
	.launch = launch };
