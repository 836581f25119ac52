/* SPDX-License-Identifier: ISC */

/*
 * reeve listen: an agent from the shell.  It is present, hears its channels
 * live, and reads what is kept for it (wire section 7).
 */
#include <sys/signalfd.h>

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "json.h"
#include "listen.h"
#include "table.h"

#define BATCH		128		/* messages a pull request */
#define ROOM		256
#define EXPIRES_MS	30000
#define TURN_MS		200
#define SETTLE_MS	50		/* a refusal comes before that */
#define SILENT_MS	8000		/* a heartbeat is answered every 2 s */
#define BACKOFF_MS	100
#define BACKOFF_MAX_MS	5000
#define REJOIN_MS	1000
#define REJOIN_MAX_MS	30000

struct opts {
	struct agent_opts	agent;
	struct strlist		channels;
	bool			durable_only, live_only, join, quiet;
	int64_t			count, for_ms;
};

static const struct opt options[] = {
	AGENT_OPTS(struct opts, agent),
	{ "channel", OPT_LIST, offsetof(struct opts, channels), "CHANNEL",
	    "hear this one live (default: those it subscribes to)" },
	{ "join", OPT_FLAG, offsetof(struct opts, join), NULL,
	    "become a durable member of each of them first" },
	{ "durable-only", OPT_FLAG, offsetof(struct opts, durable_only), NULL,
	    "only what is kept for it, nothing live" },
	{ "live-only", OPT_FLAG, offsetof(struct opts, live_only), NULL,
	    "only live, leave what is kept" },
	{ "count", OPT_NUMBER, offsetof(struct opts, count), "N",
	    "exit after N different messages" },
	{ "for", OPT_DURATION, offsetof(struct opts, for_ms), "TIME",
	    "exit after this time: 75 if --count was not reached" },
	{ "quiet", OPT_FLAG, offsetof(struct opts, quiet), NULL,
	    "no notes on standard error" },
	OPT_END
};

void
listen_note(const struct listener *l, const char *fmt, ...)
{
	char	text[1024];
	va_list	ap;

	if (l->quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fputs("reeve: ", stderr);
	text_put(stderr, text, " ");
	fputc('\n', stderr);
}

/* --- joining ---------------------------------------------------------------------- */

static void
rejoin_later(struct listener *l)
{
	l->join_ms = clock_ms() + l->join_backoff_ms;
	l->join_backoff_ms *= 2;
	if (l->join_backoff_ms > REJOIN_MAX_MS)
		l->join_backoff_ms = REJOIN_MAX_MS;
}

static void
join_answered(struct listener *l)
{
	struct ear	*ear = l->joining;
	struct error	 e;
	cJSON		*data = agent_answer(&l->call, &e);
	const cJSON	*n = json_get(data, "generation");
	const cJSON	*reason = json_get(data, "reason");

	l->joining = NULL;
	if (cJSON_IsTrue(json_get(data, "durable"))) {
		ear->join = false;
		listen_note(l, "joined %s (durable, generation %.0f)",
		    ear->channel, cJSON_IsNumber(n) ? n->valuedouble : 0);
	} else {
		if (!ear->warned)
			listen_note(l, "%s: joined live, not durably: %s",
			    ear->channel, data == NULL ? e.text :
			    cJSON_IsString(reason) ? reason->valuestring :
			    "no reason was given");
		ear->warned = true;
	}
	cJSON_Delete(data);
}

static bool
wants_join(const struct listener *l)
{
	size_t	i;

	for (i = 0; i < l->n_ears; i++)
		if (l->ears[i].join)
			return true;
	return false;
}

/* Round after round until each is a member, one call at a time; the loop
 * goes on meanwhile. */
static int
tend_joins(struct listener *l, struct error *e)
{
	struct ear	*ear;

	if (l->joining != NULL && agent_asked(&l->call))
		join_answered(l);
	if (l->joining != NULL || clock_ms() < l->join_ms)
		return 0;
	while (l->join_next < l->n_ears && !l->ears[l->join_next].join)
		l->join_next++;
	if (l->join_next == l->n_ears) {
		l->join_next = 0;
		if (wants_join(l) && l->asked_joins)
			rejoin_later(l);
		l->asked_joins = false;
		return 0;
	}
	ear = &l->ears[l->join_next++];
	if (agent_ask(&l->agent, &l->call, "durableJoin",
	    agent_channel_args(ear->channel), ENDPOINT_JOIN_MS, e) == -1)
		return -1;
	l->joining = ear;
	l->asked_joins = true;
	return 0;
}

/* --- binding ------------------------------------------------------------------------- */

static int
bind_sources(struct listener *l, struct error *e)
{
	struct source	*s;
	int		 i, r;

	for (i = 0; i < N_SOURCES && l->durable; i++) {
		s = &l->sources[i];
		r = agent_pull(&l->agent, &s->pull, s->kind, l->count > 0 &&
		    l->count < BATCH ? (unsigned)l->count : BATCH,
		    hear_durable, s, e);
		if (r == -1)
			return -1;
		s->bound = r == 1;
		if (s->bound || s->warned ||
		    (s->kind == STREAM_TASK && l->role[0] == '\0'))
			continue;
		s->warned = true;
		listen_note(l, "%s has no durable for its %s here: what is "
		    "kept in it is not read (`reeve onboard %s` makes it)",
		    l->agent.name, s->kind == STREAM_DM ? "direct messages" :
		    s->kind == STREAM_DLV ? "channels" : "role",
		    l->agent.opts->as != NULL ? l->agent.opts->as : "NAME");
	}
	return 0;
}

static int
bind_ears(struct listener *l, struct error *e)
{
	size_t	i;

	for (i = 0; i < l->n_ears && l->live; i++)
		if (bus_subscribe(l->agent.bus, l->ears[i].pattern, NULL,
		    hear_live, &l->ears[i], e) == NULL)
			return -1;
	return 0;
}

/* A refusal of a subscription comes by itself, before the next answer. */
static int
check_ears(struct listener *l, struct error *e)
{
	int64_t	until = clock_ms() + SETTLE_MS;
	size_t	i;

	while (bus_alive(l->agent.bus) && clock_ms() < until)
		bus_turn(l->agent.bus, NULL, 0, until - clock_ms());
	for (i = 0; i < l->n_ears && l->live; i++) {
		if (!bus_refused(l->agent.bus, l->ears[i].pattern))
			continue;
		error_set(e, EX_NOPERM, "%s may not hear \"%s\": the channel "
		    "is outside its allowSubscribe", l->agent.name,
		    l->ears[i].channel);
		if (!l->was_bound)
			return -1;
		listen_note(l, "%s", e->text);
	}
	return 0;
}

static int
bind_all(struct listener *l, struct error *e)
{
	subject_dlv(l->dlv, sizeof(l->dlv), l->agent.space, l->agent.id);
	if (agent_presence(&l->agent, STATUS_IDLE, e) == -1 ||
	    bind_sources(l, e) == -1 || bind_ears(l, e) == -1 ||
	    agent_presence(&l->agent, STATUS_IDLE, e) == -1 ||
	    check_ears(l, e) == -1)
		return -1;
	l->was_bound = true;
	l->join_next = 0;
	listen_note(l, "listening as %s (%s)", l->agent.name, l->agent.id);
	return 0;
}

static void
unbind_all(struct listener *l)
{
	int	i;

	if (l->joining != NULL)
		agent_drop(&l->call);
	l->joining = NULL;
	agent_close(&l->agent);
	for (i = 0; i < N_SOURCES; i++)
		l->sources[i].bound = false;
}

/* --- the loop -------------------------------------------------------------------------- */

static void
check_clock(struct listener *l)
{
	if (l->stop == GO_ON && l->deadline_ms != 0 &&
	    clock_ms() >= l->deadline_ms)
		l->stop = STOP_TIME;
}

static int64_t
wait_ms(const struct listener *l, int64_t most)
{
	int64_t	left = l->deadline_ms - clock_ms();

	if (l->deadline_ms == 0 || left > most)
		return most;
	return left > 0 ? left : 0;
}

static void
take_signal(struct listener *l)
{
	struct signalfd_siginfo	info;

	if (read(l->sigfd, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
	    l->stop == GO_ON)
		l->stop = STOP_SIGNAL;
}

static int
tend_sources(struct listener *l, struct error *e)
{
	struct source	*s;
	uint64_t	 left = l->count - l->printed;
	unsigned	 room = l->count > 0 && left < ROOM ? (unsigned)left :
			    ROOM;
	int		 i;

	for (i = 0; i < N_SOURCES; i++) {
		s = &l->sources[i];
		if (!s->bound)
			continue;
		if (s->pull.gone)
			return error_set(e, EX_UNAVAILABLE, "the durable %s "
			    "is gone", s->pull.consumer);
		if (pull_tend(&s->pull, room, clock_ms() + EXPIRES_MS,
		    e) == -1)
			return -1;
	}
	return 0;
}

/* Until told to stop (0), or the link is lost (-1). */
static int
loop(struct listener *l, struct error *e)
{
	struct bus	*b = l->agent.bus;
	struct pollfd	 p = { .fd = l->sigfd, .events = POLLIN };

	while (l->stop == GO_ON) {
		if (!bus_alive(b))
			return error_set(e, EX_UNAVAILABLE, "%s", bus_why(b));
		if (bus_silent_ms(b) > SILENT_MS)
			return error_set(e, EX_UNAVAILABLE, "the broker is "
			    "silent");
		if (tend_sources(l, e) == -1 ||
		    agent_beat(&l->agent, e) == -1 || tend_joins(l, e) == -1)
			return -1;
		bus_turn(b, &p, 1, wait_ms(l, TURN_MS));
		if (p.revents != 0)
			take_signal(l);
		check_clock(l);
	}
	return 0;
}

/*
 * Say good-bye and wait until that is stored: what the broker sent before is
 * taken in meanwhile, and its acknowledgements leave with the close.
 */
static void
good_bye(struct listener *l)
{
	struct error	e;

	if (agent_presence(&l->agent, STATUS_OFFLINE, &e) == -1)
		listen_note(l, "%s", e.text);
}

static int
session(struct listener *l, struct error *e)
{
	int	r;

	if (agent_open(&l->agent, e) == -1)
		return -1;
	if ((r = bind_all(l, e)) == 0)
		r = loop(l, e);
	if (r == 0)
		good_bye(l);
	unbind_all(l);
	return r;
}

/* Wait a while, longer each time, but hear a signal. */
static void
back_off(struct listener *l, int64_t *ms)
{
	struct pollfd	p = { .fd = l->sigfd, .events = POLLIN };
	int64_t		wait = *ms / 2 +
			    randombytes_uniform((uint32_t)*ms / 2 + 1);

	*ms = *ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : *ms * 2;
	if (poll(&p, 1, (int)wait_ms(l, wait)) == 1)
		take_signal(l);
	check_clock(l);
}

/* 0: told to stop; -1: *e, the first session did not come about. */
static int
sessions(struct listener *l, struct error *e)
{
	int64_t	backoff = BACKOFF_MS, start;

	while (l->stop == GO_ON) {
		start = clock_ms();
		if (session(l, e) == 0)
			return 0;
		if (!l->was_bound)
			return -1;
		if (clock_ms() - start > BACKOFF_MAX_MS)
			backoff = BACKOFF_MS;
		listen_note(l, "%s; connecting again", e->text);
		back_off(l, &backoff);
	}
	return 0;
}

/* --- the command --------------------------------------------------------------------------- */

static int
add_ears(struct listener *l, const struct strlist *names, bool join,
    struct error *e)
{
	struct ear	*ear;
	size_t		 i;

	if ((l->ears = calloc(names->n + 1, sizeof(*l->ears))) == NULL)
		return error_errno(e, EX_OSERR, "listen");
	for (i = 0; i < names->n; i++) {
		ear = &l->ears[l->n_ears++];
		ear->l = l;
		ear->channel = names->v[i];
		/* A wildcard has no durable part. */
		ear->join = join && channel_is_concrete(names->v[i]);
		if (!channel_is_valid(names->v[i]) || subject_chat(
		    ear->pattern, sizeof(ear->pattern), l->agent.space, "*",
		    names->v[i]) == -1)
			return error_set(e, EX_USAGE, "\"%s\" is not a "
			    "channel", names->v[i]);
	}
	return 0;
}

static int
catch_signals(struct listener *l, struct error *e)
{
	struct sigaction	hup;
	sigset_t		set;

	/* Before libnats starts its threads: they inherit it. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	/* Under nohup(1) it is ignored, and stays so. */
	if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN)
		sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1 || (l->sigfd =
	    signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
		return error_errno(e, EX_OSERR, "signalfd");
	return 0;
}

static int
prepare(struct listener *l, struct cli *cli, const struct opts *o,
    struct error *e)
{
	static const enum stream_kind	kinds[N_SOURCES] = { STREAM_DM,
	    STREAM_DLV, STREAM_TASK };
	int				i;

	l->cli = cli;
	l->sigfd = -1;
	l->live = !o->durable_only;
	l->durable = !o->live_only;
	l->quiet = o->quiet;
	l->count = (uint64_t)o->count;
	l->join_backoff_ms = REJOIN_MS;
	if (o->for_ms > 0)
		l->deadline_ms = clock_ms() + o->for_ms;
	if (o->durable_only && o->live_only)
		return error_set(e, EX_USAGE, "--durable-only and --live-only "
		    "leave nothing to listen to");
	for (i = 0; i < N_SOURCES; i++) {
		l->sources[i].l = l;
		l->sources[i].kind = kinds[i];
	}
	if (seen_init(&l->seen) == -1)
		return error_errno(e, EX_OSERR, "listen");
	if (agent_init(&l->agent, cli, &o->agent, e) == -1 ||
	    add_ears(l, o->channels.n > 0 ? &o->channels :
	    &l->agent.subscribe, o->join, e) == -1)
		return -1;
	if (l->agent.role != NULL && name_token(l->role, sizeof(l->role),
	    l->agent.role) == -1)
		return error_set(e, EX_CONFIG, "the role's name is too long");
	return catch_signals(l, e);
}

static int
exit_code(const struct listener *l)
{
	if (l->stop == STOP_OUTPUT)
		return cli_unwritten();
	return l->stop == STOP_TIME && l->printed < l->count ? EX_TEMPFAIL :
	    EX_OK;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct opts	*o = opts;
	struct listener	 l;
	struct error	 e;
	int		 code;

	memset(&l, 0, sizeof(l));
	if (cli_channels(&o->channels, argc, argv, &e) == -1 ||
	    prepare(&l, cli, o, &e) == -1 || sessions(&l, &e) == -1)
		code = cli_fail(&e);
	else
		code = exit_code(&l);
	agent_free(&l.agent);
	seen_free(&l.seen);
	free(l.ears);
	if (l.sigfd != -1)
		close(l.sigfd);
	return code;
}

const struct command cmd_listen = {
	.name = "listen", .args = "[CHANNEL...]",
	.summary = "be an agent from the shell, and print what it hears",
	.more = "Each message is printed once, whether it comes live, "
	    "durably, or both ways; a\ndurable copy is acknowledged when it "
	    "is printed.  --json prints one object a\nline.  A lost "
	    "connection is made again, for ever.",
	.opts = options, .opts_size = sizeof(struct opts),
	.min_args = 0, .max_args = -1, .run = run };
