/* SPDX-License-Identifier: ISC */

/* reeve history: what was said on a channel and is still stored. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "show.h"

#define LIMIT		50
#define LIMIT_MAX	1000000
#define BATCH		256
#define QUIET_MS	5000		/* without progress */
#define INACTIVE_MS	30000

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

/* The newest messages, as a ring. */
struct reading {
	struct bus	*bus;
	char		 stream[STREAM_MAX];
	char		 name[STREAM_MAX];	/* chathist_<id> */
	char		 filter[SUBJECT_MAX];
	natsMsg		**ring;
	int64_t		*stored_ms;
	uint64_t	*seq;
	size_t		 limit;
	uint64_t	 n;		/* put into the ring ever */
	uint64_t	 left;		/* not yet come */
	int64_t		 heard_ms;
};

static void
on_message(void *arg, natsMsg *m, const struct js_delivery *d)
{
	struct reading	*r = arg;
	size_t		 i = (size_t)(r->n % r->limit);

	r->heard_ms = clock_ms();
	r->left = d->pending;
	natsMsg_Destroy(r->ring[i]);
	r->ring[i] = m;
	r->stored_ms[i] = d->stored_ms;
	r->seq[i] = d->stream_seq;
	r->n++;
}

/* --- the consumer ----------------------------------------------------------- */

static bool
set_start(cJSON *c, int64_t since_ms)
{
	time_t		t = (time_t)((clock_epoch_ms() - since_ms) / 1000);
	struct tm	tm;
	char		text[40];

	if (since_ms == 0)
		return json_set_str(c, "deliver_policy", "all");
	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return false;
	return json_set_str(c, "deliver_policy", "by_start_time") &&
	    json_set_str(c, "opt_start_time", text);
}

static cJSON *
consumer_config(const struct reading *r, int64_t since_ms)
{
	cJSON	*c = cJSON_CreateObject();

	if (c != NULL && json_set_str(c, "name", r->name) &&
	    set_start(c, since_ms) &&
	    json_set_str(c, "ack_policy", "none") &&
	    json_set_str(c, "replay_policy", "instant") &&
	    json_set_str(c, "filter_subject", r->filter) &&
	    json_set_i64(c, "inactive_threshold", INACTIVE_MS * 1000000LL) &&
	    json_set_bool(c, "mem_storage", true) &&
	    json_set_u64(c, "num_replicas", 1))
		return c;
	cJSON_Delete(c);
	return NULL;
}

/* Deleted first: created again with another filter it would silently change,
 * with another start it is an error. */
static int
make_consumer(struct reading *r, int64_t since_ms, struct error *e)
{
	struct js_consumer	 info;
	cJSON			*config;
	int			 rv;

	if (js_consumer_delete(r->bus, r->stream, r->name, e) == -1)
		return -1;
	if ((config = consumer_config(r, since_ms)) == NULL)
		return error_errno(e, EX_OSERR, "history");
	rv = js_consumer_create(r->bus, r->stream, r->name, config, &info, e);
	cJSON_Delete(config);
	if (rv == -1)
		return -1;
	r->left = info.n_pending;
	js_consumer_free(&info);
	return 0;
}

static int
pull_all(struct reading *r, struct error *e)
{
	struct pull	p;
	int		rv = 0;

	if (r->left == 0)
		return 0;
	if (pull_start(&p, r->bus, r->stream, r->name, BATCH, on_message, r,
	    e) == -1)
		return -1;
	r->heard_ms = clock_ms();
	while (rv == 0 && r->left > 0) {
		if (!bus_alive(r->bus) ||
		    clock_ms() - r->heard_ms > QUIET_MS || p.gone)
			rv = error_set(e, EX_TEMPFAIL, "the history was not "
			    "read to its end: %s", bus_alive(r->bus) ?
			    "the broker does not go on" : bus_why(r->bus));
		else if ((rv = pull_tend(&p, 2 * BATCH, clock_ms() +
		    QUIET_MS, e)) == 0)
			bus_turn(r->bus, NULL, 0, 100);
	}
	pull_stop(&p);
	return rv;
}

/* --- printing ----------------------------------------------------------------- */

/* 1: printed; 0: it is not what its subject says; -1: cannot write. */
static int
print_one(const struct reading *r, size_t i, bool json)
{
	natsMsg		*nm = r->ring[i];
	struct shown	 s = { .kind = SHOWN_CHANNEL,
			    .data = natsMsg_GetData(nm),
			    .len = (size_t)natsMsg_GetDataLength(nm),
			    .seq = r->seq[i],
			    .stored_ms = r->stored_ms[i] };
	struct message	 m;
	struct subject	 subject;
	int		 rv = 0;

	if (message_parse(&m, s.data, s.len, NULL) == 0 &&
	    subject_matches(r->filter, natsMsg_GetSubject(nm)) &&
	    subject_parse(&subject, natsMsg_GetSubject(nm)) &&
	    subject.kind == SUBJECT_CHAT &&
	    message_check(&m, &subject, NULL) == 0) {
		s.m = &m;
		rv = show_message(&s, json) == -1 ? -1 : 1;
	}
	message_free(&m);
	return rv;
}

/* 0; 1: standard output could not be written. */
static int
print_all(const struct reading *r, bool json)
{
	uint64_t	i = r->n > r->limit ? r->n - r->limit : 0;
	unsigned	bad = 0;
	int		rv;

	for (; i < r->n; i++) {
		rv = print_one(r, (size_t)(i % r->limit), json);
		if (rv == -1)
			return 1;
		bad += rv == 0;
	}
	if (bad > 0)
		fprintf(stderr, "reeve: %u left out: not valid messages of "
		    "their subjects\n", bad);
	return 0;
}

/* --- the command ----------------------------------------------------------------- */

static int
ring_init(struct reading *r, int64_t limit, struct error *e)
{
	r->limit = (size_t)(limit == 0 ? LIMIT : limit);
	if (limit > LIMIT_MAX)
		return error_set(e, EX_USAGE, "--limit: at most %d",
		    LIMIT_MAX);
	r->ring = calloc(r->limit, sizeof(*r->ring));
	r->stored_ms = calloc(r->limit, sizeof(*r->stored_ms));
	r->seq = calloc(r->limit, sizeof(*r->seq));
	if (r->ring == NULL || r->stored_ms == NULL || r->seq == NULL)
		return error_errno(e, EX_OSERR, "history");
	return 0;
}

static void
ring_free(struct reading *r)
{
	size_t	i;

	for (i = 0; r->ring != NULL && i < r->limit; i++)
		natsMsg_Destroy(r->ring[i]);
	free(r->ring);
	free(r->stored_ms);
	free(r->seq);
}

static int
read_history(struct reading *r, const char *space, const char *channel,
    const struct opts *o, struct error *e)
{
	int	rv;

	snprintf(r->name, sizeof(r->name), "chathist_%s", bus_id(r->bus));
	if (ring_init(r, o->limit, e) == -1)
		return -1;
	if (name_stream(r->stream, sizeof(r->stream), space,
	    STREAM_CHAT) == -1 || subject_chat(r->filter, sizeof(r->filter),
	    space, "*", channel) == -1)
		return error_set(e, EX_USAGE, "\"%s\" is too long", channel);
	if (make_consumer(r, o->since_ms, e) == -1) {
		if (e->code == EX_NOPERM)
			error_set(e, EX_NOPERM, "these credentials may not "
			    "read \"%s\": it is outside their allowSubscribe",
			    channel);
		return -1;
	}
	rv = pull_all(r, e);
	(void)js_consumer_delete(r->bus, r->stream, r->name, NULL);
	return rv;
}

static int
connect_reader(struct cli *cli, struct agent *a, const struct opts *o,
    struct creds *creds, struct bus **b, struct error *e)
{
	if (o->agent.as == NULL && o->agent.creds == NULL)
		return cli_connect(cli, PROFILE_OBSERVER, NULL, creds, b, e);
	if (agent_init(a, cli, &o->agent, e) == -1 || agent_open(a, e) == -1)
		return -1;
	*b = a->bus;
	return 0;
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

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct opts	*o = opts;
	struct reading	 r;
	struct agent	 a;
	struct creds	 creds;
	struct error	 e;
	int		 code = EX_OK;

	memset(&r, 0, sizeof(r));
	memset(&a, 0, sizeof(a));
	memset(&creds, 0, sizeof(creds));
	if (check_channel(o, argc, argv, &e) == -1 ||
	    connect_reader(cli, &a, o, &creds, &r.bus, &e) == -1 ||
	    read_history(&r, cli->config.space, o->channels.v[0], o,
	    &e) == -1)
		code = cli_fail(&e);
	else if (print_all(&r, cli->json) != 0)
		code = cli_unwritten();
	if (a.bus == NULL)
		bus_close(r.bus);
	agent_free(&a);
	creds_wipe(&creds);
	ring_free(&r);
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
