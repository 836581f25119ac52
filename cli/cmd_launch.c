/* SPDX-License-Identifier: ISC */

/*
 * reeve launch: the agents of a launch spec (reeve-launch(5)), started and
 * stopped together.  What a run has started is kept in <state>/runs/RUN.json:
 * that, and nothing else of the same names, is what --down stops.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "json.h"
#include "launchspec.h"
#include "manage.h"
#include "names.h"

#define LEDGER_MAX	(1024 * 1024)

struct launch_opts {
	const char	*down;
};

static const struct opt options[] = {
	{ "down", OPT_STRING, offsetof(struct launch_opts, down), "RUN",
	    "stop what this run started, and forget it" },
	OPT_END };

static int
need_workspace(const struct cli *cli, struct error *e)
{
	if (cli->config.workspace != NULL)
		return 0;
	return error_set(e, EX_CONFIG, "there is no workspace: `reeve init "
	    "--workspace DIR` says which");
}

static char *
ledger_path(const struct cli *cli, const char *run_id)
{
	return config_path(&cli->config, "runs/%s.json", run_id);
}

/* --- launch ------------------------------------------------------------------------ */

static int
read_spec(const struct cli *cli, const char *file, struct launch_spec *s,
    struct error *e)
{
	size_t	 len;
	char	*text = file_read(file, LAUNCH_SPEC_MAX, &len, e);
	int	 r;

	memset(s, 0, sizeof(*s));
	if (text == NULL)
		return -1;
	if ((r = launch_spec_read(s, text, len, e)) == -1)
		error_wrap(e, "%s", file);
	else if (strcmp(s->space, cli->config.space) != 0)
		r = error_set(e, EX_DATAERR, "%s: it is for the space %s, and "
		    "this is %s", file, s->space, cli->config.space);
	free(text);
	return r;
}

/* After each start: whatever happens to us, what runs is in it. */
static int
save_ledger(const char *path, const cJSON *ledger, struct error *e)
{
	char	*text = json_print(ledger);
	int	 r;

	if (text == NULL)
		return error_errno(e, EX_OSERR, "%s", path);
	r = dir_make_parent(path, 0700, e) == -1 ? -1 :
	    file_write_private(path, text, 0600, e);
	free(text);
	return r;
}

static int
start_one(struct cli *cli, const char *run_id, const char *name,
    cJSON *ledger, const char *path, struct error *e)
{
	cJSON		*data = manage_call(cli, "launch", manage_args("runId",
			    run_id, "name", name, NULL), e);
	const cJSON	*id, *called;

	if (data == NULL)
		return error_wrap(e, "%s", name);
	id = json_get(data, "id");
	called = json_get(data, "name");
	if (!cli->json && cJSON_IsString(id) && cJSON_IsString(called))
		printf("%s runs as %s\n", called->valuestring,
		    id->valuestring);
	if (!cJSON_AddItemToArray(ledger, data)) {
		cJSON_Delete(data);
		return error_errno(e, EX_OSERR, "ledger");
	}
	return save_ledger(path, ledger, e);
}

/* One that cannot be started does not keep the others from their turn. */
static int
start_all(struct cli *cli, const struct launch_spec *s, const char *path)
{
	struct error	 e;
	cJSON		*ledger = cJSON_CreateArray();
	size_t		 i;
	int		 code = EX_OK;

	if (ledger == NULL || save_ledger(path, ledger, &e) == -1)
		code = cli_fail(&e);
	for (i = 0; i < s->n_agents && (code == EX_OK || i > 0); i++)
		if (start_one(cli, s->run_id, s->agents[i].name, ledger,
		    path, &e) == -1)
			code = cli_fail(&e);
	if (cli->json && ledger != NULL)
		(void)cli_print_json(ledger);
	cJSON_Delete(ledger);
	return code;
}

static int
launch(struct cli *cli, const char *file)
{
	struct launch_spec	 s;
	struct error		 e;
	char			*path = NULL;
	int			 code;

	if (read_spec(cli, file, &s, &e) == -1 ||
	    launch_spec_save(&s, cli->config.workspace, &e) == -1)
		code = cli_fail(&e);
	else if ((path = ledger_path(cli, s.run_id)) == NULL) {
		error_errno(&e, EX_OSERR, "ledger");
		code = cli_fail(&e);
	} else
		code = start_all(cli, &s, path);
	free(path);
	launch_spec_free(&s);
	return code;
}

/* --- down -------------------------------------------------------------------------- */

static cJSON *
load_ledger(const char *path, const char *run_id, struct error *e)
{
	size_t	 len;
	char	*text;
	cJSON	*o = NULL;

	if (access(path, F_OK) == -1) {
		error_set(e, EX_NOINPUT, "there is no run %s", run_id);
		return NULL;
	}
	if ((text = file_read_private(path, LEDGER_MAX, &len, e)) == NULL)
		return NULL;
	if ((o = json_parse(text, len, e)) == NULL)
		error_wrap(e, "%s", path);
	free(text);
	return o;
}

/* One that is another by now, or no more, is none of this run's. */
static int
stop_one(struct cli *cli, const cJSON *o, struct error *e)
{
	const cJSON	*name = json_get(o, "name"), *id = json_get(o, "id");

	if (!cJSON_IsString(name) || !cJSON_IsString(id))
		return 0;
	if (manage_stop(cli, name->valuestring, id->valuestring, false, true,
	    e) == 0 || e->code == EX_NOUSER)
		return 0;
	return error_wrap(e, "%s", name->valuestring);
}

static int
down(struct cli *cli, const char *run_id)
{
	struct error	 e;
	char		*path = ledger_path(cli, run_id);
	cJSON		*ledger = NULL;
	const cJSON	*o;
	int		 code = EX_OK;

	if (path == NULL) {
		error_errno(&e, EX_OSERR, "ledger");
		return cli_fail(&e);
	}
	if ((ledger = load_ledger(path, run_id, &e)) == NULL)
		code = cli_fail(&e);
	cJSON_ArrayForEach(o, ledger)
		if (stop_one(cli, o, &e) == -1)
			code = cli_fail(&e);
	/* What runs still is to be found again. */
	if (code == EX_OK && (launch_run_remove(cli->config.workspace, run_id,
	    &e) == -1 || (unlink(path) == -1 &&
	    error_errno(&e, EX_IOERR, "%s", path) == -1)))
		code = cli_fail(&e);
	cJSON_Delete(ledger);
	free(path);
	return code;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct launch_opts	*o = opts;
	struct error			 e;

	if (cli_load(cli, &e) == -1 || need_workspace(cli, &e) == -1)
		return cli_fail(&e);
	if ((o->down != NULL) == (argc > 0)) {
		error_set(&e, EX_USAGE, "say a FILE, or --down RUN");
		return cli_fail(&e);
	}
	if (o->down == NULL)
		return launch(cli, argv[0]);
	if (!name_is_token(o->down)) {
		error_set(&e, EX_USAGE, "\"%s\" is no run", o->down);
		return cli_fail(&e);
	}
	return down(cli, o->down);
}

const struct command cmd_launch = {
	.name = "launch", .args = "FILE",
	.summary = "start the agents of a launch spec, or stop a run",
	.opts = options, .opts_size = sizeof(struct launch_opts),
	.min_args = 0, .max_args = 1, .run = run };
