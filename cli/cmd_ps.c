/* SPDX-License-Identifier: ISC */

/* reeve ps: the agents that the manager looks after. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "manage.h"
#include "table.h"

struct ps_opts {
	bool	all;
};

static const struct opt options[] = {
	{ "all", OPT_FLAG, offsetof(struct ps_opts, all), NULL,
	    "those that have ended, too" },
	OPT_END };

static const char *
text_of(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

static void
uptime_of(const cJSON *o, char *buf, size_t size)
{
	const cJSON		*v = json_get(o, "uptimeMs");
	unsigned long long	 s;

	s = cJSON_IsNumber(v) && v->valuedouble > 0 ?
	    (unsigned long long)(v->valuedouble / 1000) : 0;
	if (s < 100)
		snprintf(buf, size, "%llus", s);
	else if (s < 100 * 60)
		snprintf(buf, size, "%llum", s / 60);
	else if (s < 48 * 3600)
		snprintf(buf, size, "%lluh", s / 3600);
	else
		snprintf(buf, size, "%llud", s / 86400);
}

static void
exit_of(const cJSON *o, char *buf, size_t size)
{
	const cJSON	*code = json_get(o, "exit");
	const cJSON	*signal = json_get(o, "signal");

	buf[0] = '\0';
	if (cJSON_IsNumber(signal))
		snprintf(buf, size, "signal %d", (int)signal->valuedouble);
	else if (cJSON_IsNumber(code))
		snprintf(buf, size, "%d", (int)code->valuedouble);
}

static int
print_table(const cJSON *list)
{
	struct table	 t;
	const cJSON	*o;
	char		 up[32], end[32];

	table_init(&t, 8, "NAME", "ROLE", "AGENT", "STATUS", "MESH", "UPTIME",
	    "EXIT", "ID");
	cJSON_ArrayForEach(o, list) {
		uptime_of(o, up, sizeof(up));
		exit_of(o, end, sizeof(end));
		table_row(&t, text_of(o, "name"), text_of(o, "role"),
		    text_of(o, "agent"), text_of(o, "status"),
		    text_of(o, "mesh"), up, end, text_of(o, "id"));
	}
	return table_print(&t);
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct ps_opts	*o = opts;
	struct error		 e;
	cJSON			*args = cJSON_CreateObject(), *data = NULL;
	int			 code;

	(void)argc;
	(void)argv;
	if (args == NULL || (o->all && !json_set_bool(args, "all", true)))
		error_errno(&e, EX_OSERR, "ps");
	else
		data = manage_call(cli, "ps", args, &e);
	if (data == NULL)
		return cli_fail(&e);
	code = cli->json ? cli_print_json(data) : print_table(data);
	cJSON_Delete(data);
	return code;
}

const struct command cmd_ps = {
	.name = "ps", .args = "",
	.summary = "list the agents that run",
	.opts = options, .opts_size = sizeof(struct ps_opts),
	.min_args = 0, .max_args = 0, .run = run };
