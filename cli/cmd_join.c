/* SPDX-License-Identifier: ISC */

/* reeve join: an agent becomes a durable member of channels. */
#include <stdlib.h>

#include "agent.h"
#include "json.h"

struct opts {
	struct agent_opts	agent;
	struct strlist		channels;
};

static const struct opt options[] = {
	AGENT_OPTS(struct opts, agent),
	CHANNEL_OPT(struct opts, channels),
	OPT_END
};

static int
print_json(const char *channel, const cJSON *data)
{
	cJSON	*o = cJSON_Duplicate(data, true);
	int	 code;

	code = cli_print_json(o != NULL && json_set_str(o, "channel",
	    channel) ? o : NULL);
	cJSON_Delete(o);
	return code;
}

/* {durable, generation?, reason?} */
static int
report(const struct cli *cli, const char *channel, const cJSON *data)
{
	const cJSON	*generation = json_get(data, "generation");
	const cJSON	*reason = json_get(data, "reason");
	bool		 durable = cJSON_IsTrue(json_get(data, "durable"));

	if (cli->json && print_json(channel, data) != EX_OK)
		return EX_OSERR;
	if (durable && !cli->json)
		printf("joined %s (durable, generation %.0f)\n", channel,
		    cJSON_IsNumber(generation) ? generation->valuedouble : 0);
	if (!durable)
		fprintf(stderr, "reeve: %s: not joined durably: %s\n",
		    channel, cJSON_IsString(reason) ? reason->valuestring :
		    "no reason was given");
	return durable ? EX_OK : EX_TEMPFAIL;
}

static int
join_one(struct agent *a, const char *channel, void *arg)
{
	struct error	 e;
	cJSON		*data;
	int		 code;

	(void)arg;
	data = endpoint_ask(a->ep, "delivery", "durableJoin",
	    agent_channel_args(channel), ENDPOINT_JOIN_MS, &e);
	if (data == NULL) {
		error_wrap(&e, "%s", channel);
		return cli_fail(&e);
	}
	code = report(a->cli, channel, data);
	cJSON_Delete(data);
	return code;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct opts	*o = opts;

	return agent_each_channel(cli, &o->agent, &o->channels, argc, argv,
	    join_one, NULL);
}

const struct command cmd_join = {
	.name = "join", .args = "CHANNEL...",
	.summary = "make an agent a durable member of channels",
	.more = "From then on each message of the channel is kept for the "
	    "agent until it has\nread it, also while it is away.  Exit code "
	    "69: nobody serves durable delivery\nnow; 75: not joined for "
	    "another reason that may pass.",
	.opts = options, .opts_size = sizeof(struct opts),
	.min_args = 0, .max_args = -1, .run = run };
