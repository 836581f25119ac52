/* SPDX-License-Identifier: ISC */

/* reeve spawn: have the manager start an agent from an agent file.
 * reeve purge: have it forget what was said. */
#include <stdlib.h>
#include <string.h>

#include "agentfile.h"
#include "json.h"
#include "manage.h"

struct spawn_opts {
	const char	*agent, *role, *model, *cwd, *config, *resume, *name;
	bool		 transcript, again;
};

#define O(m)	offsetof(struct spawn_opts, m)
static const struct opt spawn_options[] = {
	{ "again", OPT_FLAG, O(again), NULL,
	    "one that has ended, as who it was: REF is its name" },
	{ "agent", OPT_STRING, O(agent), "CONNECTOR",
	    "claude, codex, opencode or command" },
	{ "role", OPT_STRING, O(role), "ROLE", "instead of the file's" },
	{ "model", OPT_STRING, O(model), "MODEL", "instead of the file's" },
	{ "cwd", OPT_STRING, O(cwd), "DIR",
	    "where it works (the workspace)" },
	{ "config", OPT_STRING, O(config), "FILE",
	    "this agent file, wherever it is" },
	{ "resume", OPT_STRING, O(resume), "SESSION",
	    "continue from a session of its own" },
	{ "name", OPT_STRING, O(name), "NAME", "instead of the file's" },
	{ "transcript", OPT_FLAG, O(transcript), NULL,
	    "publish what is said in it on the channel tr-NAME" },
	OPT_END };
#undef O

static const char *
text_of(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsString(v) ? v->valuestring : "?";
}

static int
say(const struct cli *cli, const cJSON *data)
{
	if (cli->json)
		return cli_print_json(data);
	printf("%s runs as %s\n", text_of(data, "name"),
	    text_of(data, "id"));
	return EX_OK;
}

/* The manager has another working directory. */
static int
absolute(const char **path, char **own, struct error *e)
{
	if (*path == NULL)
		return 0;
	*path = *own = manage_path(*path, e);
	return *own == NULL ? -1 : 0;
}

static int
run_spawn(struct cli *cli, void *opts, int argc, char **argv)
{
	struct spawn_opts	*o = opts;
	struct error		 e;
	const char		*ref = argv[0];
	char			*cwd = NULL, *config = NULL, *path = NULL;
	cJSON			*args = NULL, *data = NULL;
	int			 code;

	(void)argc;
	if (absolute(&o->cwd, &cwd, &e) == 0 &&
	    absolute(&o->config, &config, &e) == 0 &&
	    (o->again || !agent_ref_is_path(ref) ||
	    absolute(&ref, &path, &e) == 0)) {
		args = manage_args("name", ref, "agent", o->agent,
		    "role", o->role, "model", o->model, "cwd", o->cwd,
		    "config", o->config, "resume", o->resume, "as", o->name,
		    NULL);
		if (args == NULL || (o->transcript &&
		    !json_set_bool(args, "transcript", true)) ||
		    (o->again && !json_set_bool(args, "again", true)))
			error_errno(&e, EX_OSERR, "spawn");
		else
			data = manage_call(cli, "start", args, &e);
	}
	code = data == NULL ? cli_fail(&e) : say(cli, data);
	cJSON_Delete(data);
	free(path);
	free(config);
	free(cwd);
	return code;
}

const struct command cmd_spawn = {
	.name = "spawn", .args = "REF",
	.summary = "start an agent from an agent file",
	.more = "REF names WORKSPACE/.cotal/agents/REF.md; with a slash, or "
	    ".md at its end, it is a path\nitself.  If its name is taken it "
	    "is numbered.\nWith --again REF is the name of an agent.",
	.opts = spawn_options, .opts_size = sizeof(struct spawn_opts),
	.min_args = 1, .max_args = 1, .run = run_spawn };

/* --- purge ----------------------------------------------------------------------- */

struct purge_opts {
	bool	dms;
};

static const struct opt purge_options[] = {
	{ "dms", OPT_FLAG, offsetof(struct purge_opts, dms), NULL,
	    "direct messages, too" },
	OPT_END };

static uint64_t
number_of(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsNumber(v) ? (uint64_t)v->valuedouble : 0;
}

static int
run_purge(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct purge_opts	*o = opts;
	struct error		 e;
	cJSON			*args = cJSON_CreateObject(), *data = NULL;
	int			 code = EX_OK;

	(void)argc;
	(void)argv;
	if (args == NULL || (o->dms &&
	    !json_set_bool(args, "includeDms", true)))
		error_errno(&e, EX_OSERR, "purge");
	else
		data = manage_call(cli, "purge", args, &e);
	if (data == NULL)
		return cli_fail(&e);
	if (cli->json)
		code = cli_print_json(data);
	else {
		printf("purged %llu messages of channels",
		    (unsigned long long)number_of(data, "chat"));
		if (o->dms)
			printf(", and %llu to agents",
			    (unsigned long long)number_of(data, "dm"));
		printf("\n");
	}
	cJSON_Delete(data);
	return code;
}

const struct command cmd_purge = {
	.name = "purge", .args = "",
	.summary = "forget what was said on the channels",
	.opts = purge_options, .opts_size = sizeof(struct purge_opts),
	.min_args = 0, .max_args = 0, .run = run_purge };
