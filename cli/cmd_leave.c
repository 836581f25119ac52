/* SPDX-License-Identifier: ISC */

/* reeve leave: an agent ends its durable membership of channels. */
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "json.h"

struct opts {
	struct agent_opts	agent;
	struct strlist		channels;
	int64_t			generation;	/* 0: look it up */
};

static const struct opt options[] = {
	AGENT_OPTS(struct opts, agent),
	CHANNEL_OPT(struct opts, channels),
	{ "generation", OPT_NUMBER, offsetof(struct opts, generation), "N",
	    "only this membership, not a newer one" },
	OPT_END
};

/* 1: found; 0: no open membership; -1: *e. */
static int
find_generation(struct agent *a, const char *channel, uint64_t *generation,
    struct error *e)
{
	cJSON		*data;
	const cJSON	*m, *name, *n;
	int		 found = 0;

	data = endpoint_ask(a->ep, "delivery", "listMemberships", NULL,
	    ENDPOINT_CALL_MS, e);
	if (data == NULL)
		return -1;
	cJSON_ArrayForEach(m, json_get(data, "memberships")) {
		name = json_get(m, "channel");
		n = json_get(m, "generation");
		if (found == 0 && cJSON_IsString(name) && cJSON_IsNumber(n) &&
		    strcmp(name->valuestring, channel) == 0) {
			*generation = (uint64_t)n->valuedouble;
			found = 1;
		}
	}
	cJSON_Delete(data);
	return found;
}

static int
leave(struct agent *a, const char *channel, uint64_t generation, bool *was,
    struct error *e)
{
	cJSON	*args = agent_channel_args(channel), *data;

	if (args == NULL || !json_set_u64(args, "generation", generation)) {
		cJSON_Delete(args);
		return error_errno(e, EX_OSERR, "leave");
	}
	data = endpoint_ask(a->ep, "delivery", "durableLeave", args,
	    ENDPOINT_CALL_MS, e);
	if (data == NULL)
		return -1;
	*was = !cJSON_IsTrue(json_get(data, "alreadyLeft"));
	cJSON_Delete(data);
	return 0;
}

static void
report(const struct cli *cli, const char *channel, uint64_t generation,
    bool was)
{
	/* A concrete channel needs no escapes. */
	if (cli->json)
		printf("{\"channel\":\"%s\"%s}\n", channel,
		    was ? "" : ",\"alreadyLeft\":true");
	else if (was)
		printf("left %s (generation %llu)\n", channel,
		    (unsigned long long)generation);
	else
		printf("%s: was not a durable member\n", channel);
}

static int
leave_one(struct agent *a, const char *channel, void *arg)
{
	const struct opts	*o = arg;
	uint64_t		 generation = (uint64_t)o->generation;
	struct error		 e;
	bool			 was = false;
	int			 r = 1;

	if (generation == 0)
		r = find_generation(a, channel, &generation, &e);
	if (r == 1)
		r = leave(a, channel, generation, &was, &e);
	if (r == -1) {
		error_wrap(&e, "%s", channel);
		return cli_fail(&e);
	}
	report(a->cli, channel, generation, was);
	return EX_OK;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct opts	*o = opts;

	return agent_each_channel(cli, &o->agent, &o->channels, argc, argv,
	    leave_one, o);
}

const struct command cmd_leave = {
	.name = "leave", .args = "CHANNEL...",
	.summary = "end an agent's durable membership of channels",
	.more = "What was sent before still arrives.  Leaving a channel that "
	    "the agent is not\na durable member of is no error.  Exit code "
	    "69: nobody serves durable delivery\nnow, and the membership "
	    "stands.",
	.opts = options, .opts_size = sizeof(struct opts),
	.min_args = 0, .max_args = -1, .run = run };
