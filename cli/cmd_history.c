/* SPDX-License-Identifier: ISC */

/* reeve history: what was said on a channel and is still stored. */
#include <string.h>

#include "agent.h"
#include "clock.h"
#include "show.h"

#define LIMIT		50
#define UP_MS		10000
#define TURN_MS		200

struct opts {
	struct agent_opts	agent;
	int64_t			limit;		/* 0: LIMIT */
	int64_t			since_ms;	/* 0: all that is kept */
	struct strlist		channels;
};

static const struct opt options[] = {
	{ "limit", OPT_NUMBER, offsetof(struct opts, limit), "N",
	    "only the newest N (50)" },
	{ "since", OPT_DURATION, offsetof(struct opts, since_ms), "TIME",
	    "only what is younger, like 2h" },
	CHANNEL_OPT(struct opts, channels),
	AGENT_OPTS(struct opts, agent),
	OPT_END
};

struct reading {
	struct cli	*cli;
	bool		 done, unwritten, dropped;
	size_t		 bad;
	struct error	 why;		/* code 0: it was read */
};

static void
on_said(void *arg, const struct endpoint_said *said)
{
	struct reading	*r = arg;
	struct shown	 s = { .kind = SHOWN_CHANNEL, .m = said->m,
			    .data = said->data, .len = said->len,
			    .seq = said->seq, .stored_ms = said->stored_ms };

	if (!r->unwritten && show_message(&s, r->cli->json) == -1)
		r->unwritten = true;
}

static void
on_told(void *arg, const struct endpoint_told *told, const struct error *e)
{
	struct reading	*r = arg;

	r->done = true;
	if (e != NULL)
		r->why = *e;
	else {
		r->bad = told->bad;
		r->dropped = told->dropped;
	}
}

static int
read_history(struct reading *r, struct endpoint *ep, const struct opts *o,
    struct error *e)
{
	struct endpoint_history	want = { .limit = (size_t)(o->limit == 0 ?
				    LIMIT : o->limit) };

	if (o->since_ms > 0)
		want.since_ms = clock_epoch_ms() - o->since_ms;
	if (endpoint_read(ep, o->channels.v[0], &want, on_said, on_told, r,
	    e) == -1)
		return -1;
	while (!r->done)
		endpoint_turn(ep, NULL, 0, TURN_MS);
	if (r->why.code == 0)
		return 0;
	*e = r->why;
	return -1;
}

/* As an agent, or as a person who observes. */
static int
connect_reader(struct cli *cli, struct agent *a, struct endpoint **person,
    struct creds *creds, const struct opts *o, struct error *e)
{
	struct endpoint_conf	conf = { .creds = creds,
				    .name = "reeve observer" };

	if (o->agent.as != NULL || o->agent.creds != NULL)
		return agent_init(a, cli, &o->agent, e) == -1 ? -1 :
		    agent_up(a, 0, e);
	if (cli_mint(cli, PROFILE_OBSERVER, NULL, creds, e) == -1)
		return -1;
	conf.servers = cli->config.servers;
	conf.space = cli->config.space;
	return endpoint_new(person, &conf, NULL, NULL, e) == -1 ? -1 :
	    endpoint_await(*person, UP_MS, e);
}

static int
check_channel(struct opts *o, int argc, char **argv, struct error *e)
{
	if (cli_channels(&o->channels, argc, argv, e) == -1)
		return -1;
	if (o->channels.n != 1)
		return error_set(e, EX_USAGE, "say which channel, and one "
		    "only; it may be a pattern");
	if (!channel_is_valid(o->channels.v[0]))
		return error_set(e, EX_USAGE, "\"%s\" is not a channel",
		    o->channels.v[0]);
	return 0;
}

/* What standard output does not say. */
static void
add_notes(const struct reading *r)
{
	if (r->bad > 0)
		fprintf(stderr, "reeve: %zu left out: not valid messages of "
		    "their subjects\n", r->bad);
	if (r->dropped)
		fprintf(stderr, "reeve: older ones are no longer stored: of "
		    "each sender and channel the newest are kept\n");
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct opts	*o = opts;
	struct reading	 r = { .cli = cli };
	struct agent	 a;
	struct endpoint	*person = NULL;
	struct creds	 creds;
	struct error	 e;
	int		 code = EX_OK;

	memset(&a, 0, sizeof(a));
	memset(&creds, 0, sizeof(creds));
	if (check_channel(o, argc, argv, &e) == -1 ||
	    connect_reader(cli, &a, &person, &creds, o, &e) == -1 ||
	    read_history(&r, a.ep != NULL ? a.ep : person, o, &e) == -1)
		code = cli_fail(&e);
	else if (r.unwritten)
		code = cli_unwritten();
	add_notes(&r);
	endpoint_free(person);
	agent_free(&a);
	creds_wipe(&creds);
	return code;
}

const struct command cmd_history = {
	.name = "history", .args = "CHANNEL",
	.summary = "print what was said on a channel",
	.more = "Of each sender and channel the newest 1000 messages are "
	    "kept.  CHANNEL may be a\npattern like team.>.  With --as or "
	    "--creds, what that agent may read.",
	.opts = options, .opts_size = sizeof(struct opts),
	.min_args = 0, .max_args = 1, .run = run };
