/* SPDX-License-Identifier: ISC */

/* reeve memberships: the channels that an agent is a durable member of. */
#include <stdio.h>

#include "agent.h"
#include "json.h"
#include "table.h"

struct opts {
	struct agent_opts	agent;
};

static const struct opt options[] = {
	AGENT_OPTS(struct opts, agent),
	OPT_END
};

static int
print_table(const cJSON *list)
{
	struct table	 t;
	const cJSON	*m, *channel, *generation;
	char		 number[24];

	table_init(&t, 3, "CHANNEL", "GENERATION", "STATE");
	cJSON_ArrayForEach(m, list) {
		channel = json_get(m, "channel");
		generation = json_get(m, "generation");
		if (!cJSON_IsString(channel) || !cJSON_IsNumber(generation))
			continue;
		snprintf(number, sizeof(number), "%.0f",
		    generation->valuedouble);
		table_row(&t, channel->valuestring, number,
		    cJSON_IsTrue(json_get(m, "activated")) ? "active" :
		    "pending");
	}
	return table_print(&t);
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct opts	*o = opts;
	struct agent	 a;
	struct error	 e;
	cJSON		*data = NULL;
	const cJSON	*list;
	int		 code;

	(void)argc;
	(void)argv;
	if (agent_init(&a, cli, &o->agent, &e) == 0 &&
	    agent_up(&a, 0, &e) == 0)
		data = endpoint_ask(a.ep, "delivery", "listMemberships", NULL,
		    ENDPOINT_CALL_MS, &e);
	list = json_get(data, "memberships");
	if (data == NULL)
		code = cli_fail(&e);
	else if (!cJSON_IsArray(list)) {
		error_set(&e, EX_PROTOCOL, "ctl.delivery answered without a "
		    "list");
		code = cli_fail(&e);
	} else
		code = cli->json ? cli_print_json(list) :
		    print_table(list);
	cJSON_Delete(data);
	agent_free(&a);
	return code;
}

const struct command cmd_memberships = {
	.name = "memberships", .args = "",
	.summary = "list the channels an agent is a durable member of",
	.more = "A pending one is committed but its catch-up is not done: "
	    "`reeve join` again\nfinishes it.",
	.opts = options, .opts_size = sizeof(struct opts),
	.min_args = 0, .max_args = 0, .run = run };
