/* SPDX-License-Identifier: ISC */

/*
 * reeve listen: an agent from the shell.  It is present, hears its channels
 * live, and reads what is kept for it (wire section 7).
 */
#include <sys/signalfd.h>

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "clock.h"
#include "show.h"
#include "table.h"

#define BATCH		128		/* messages a pull request */
#define TURN_MS		200
#define LEAVE_MS	2000

enum stop { GO_ON, STOP_SIGNAL, STOP_COUNT, STOP_TIME, STOP_OUTPUT,
	STOP_ERROR };

struct listener {
	struct cli	*cli;
	struct agent	 agent;
	bool		 quiet;
	uint64_t	 count;			/* 0: no end */
	uint64_t	 printed;
	enum stop	 stop;
	int64_t		 deadline_ms;		/* 0: none */
	int		 sigfd;
	bool		 was_up;	/* from then on it comes back itself */
	struct error	 why;		/* of STOP_ERROR */
};

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

static void
note(const struct listener *l, const char *fmt, ...)
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

/* --- what comes in ----------------------------------------------------------- */

/* What is not printed, since nothing is taken any more, is not settled: it
 * goes back when we leave. */
static void
on_message(void *arg, struct delivery *d)
{
	static const enum shown_kind	kinds[] = {
	    [DELIVERY_CHANNEL] = SHOWN_CHANNEL, [DELIVERY_DM] = SHOWN_DM,
	    [DELIVERY_ANYCAST] = SHOWN_ANYCAST };
	struct listener			*l = arg;
	struct shown			 s = { .kind = kinds[d->kind],
					    .m = &d->m, .data = d->data,
					    .len = d->len,
					    .durable = d->durable,
					    .seq = d->seq };

	if (l->stop != GO_ON && l->stop != STOP_SIGNAL &&
	    l->stop != STOP_TIME)
		return;
	if (show_message(&s, l->cli->json) == -1) {
		l->stop = STOP_OUTPUT;
		return;
	}
	endpoint_settle(l->agent.ep, d, SETTLE_DONE);
	if (++l->printed == l->count)
		l->stop = STOP_COUNT;
	if (l->count != 0 && l->count - l->printed < BATCH)
		endpoint_room(l->agent.ep, (unsigned)(l->count - l->printed));
}

/* --- the link ------------------------------------------------------------------ */

static void
on_up(void *arg)
{
	struct listener	*l = arg;

	l->was_up = true;
	note(l, "listening as %s (%s)", l->agent.name, l->agent.id);
}

static void
on_down(void *arg, const struct error *why)
{
	struct listener	*l = arg;

	if (l->was_up) {
		note(l, "%s; connecting again", why->text);
		return;
	}
	if (l->stop == GO_ON) {
		l->stop = STOP_ERROR;
		l->why = *why;
	}
}

static void
on_refused(void *arg, const char *channel)
{
	struct listener	*l = arg;
	struct error	 e;

	error_set(&e, EX_NOPERM, "%s may not hear \"%s\": the channel is "
	    "outside its allowSubscribe", l->agent.name, channel);
	if (l->was_up)
		note(l, "%s", e.text);
	else if (l->stop == GO_ON) {
		l->stop = STOP_ERROR;
		l->why = e;
	}
}

static void
on_note(void *arg, const char *text)
{
	note(arg, "%s", text);
}

/* --- the loop ------------------------------------------------------------------- */

static void
take_signal(struct listener *l)
{
	struct signalfd_siginfo	info;

	if (read(l->sigfd, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
	    l->stop == GO_ON)
		l->stop = STOP_SIGNAL;
}

static int64_t
wait_ms(const struct listener *l)
{
	int64_t	left = l->deadline_ms - clock_ms();

	if (l->deadline_ms == 0 || left > TURN_MS)
		return TURN_MS;
	return left > 0 ? left : 0;
}

static void
loop(struct listener *l)
{
	struct pollfd	p = { .fd = l->sigfd, .events = POLLIN };

	while (l->stop == GO_ON) {
		endpoint_turn(l->agent.ep, &p, 1, wait_ms(l));
		if (p.revents != 0)
			take_signal(l);
		if (l->stop == GO_ON && l->deadline_ms != 0 &&
		    clock_ms() >= l->deadline_ms)
			l->stop = STOP_TIME;
	}
	endpoint_leave_mesh(l->agent.ep, LEAVE_MS);
}

/* --- the command ------------------------------------------------------------------ */

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
check_channels(const struct opts *o, struct error *e)
{
	size_t	i;

	if (o->durable_only && o->live_only)
		return error_set(e, EX_USAGE, "--durable-only and --live-only "
		    "leave nothing to listen to");
	for (i = 0; i < o->channels.n; i++)
		if (!channel_is_valid(o->channels.v[i]))
			return error_set(e, EX_USAGE, "\"%s\" is not a "
			    "channel", o->channels.v[i]);
	return 0;
}

static int
prepare(struct listener *l, const struct opts *o, struct error *e)
{
	static const struct endpoint_ops	ops = {
						    .message = on_message,
						    .up = on_up,
						    .down = on_down,
						    .refused = on_refused,
						    .note = on_note };
	struct endpoint_conf			conf = {
						    .does = ENDPOINT_PRESENCE };

	l->quiet = o->quiet;
	l->count = (uint64_t)o->count;
	if (o->for_ms > 0)
		l->deadline_ms = clock_ms() + o->for_ms;
	if (!o->durable_only)
		conf.does |= ENDPOINT_LIVE;
	if (!o->live_only)
		conf.does |= ENDPOINT_DURABLES;
	if (o->join)
		conf.does |= ENDPOINT_MEMBER;
	if (l->count > 0 && l->count < BATCH)
		conf.batch = (unsigned)l->count;
	if (o->channels.n > 0)
		conf.subscribe = &o->channels;
	if (agent_init(&l->agent, l->cli, &o->agent, e) == -1 ||
	    check_channels(o, e) == -1 || catch_signals(l, e) == -1 ||
	    agent_begin(&l->agent, &conf, &ops, l, e) == -1)
		return -1;
	if (conf.batch > 0)
		endpoint_room(l->agent.ep, conf.batch);
	return 0;
}

static int
exit_code(const struct listener *l)
{
	if (l->stop == STOP_ERROR)
		return cli_fail(&l->why);
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
	l.cli = cli;
	l.sigfd = -1;
	if (cli_channels(&o->channels, argc, argv, &e) == -1 ||
	    prepare(&l, o, &e) == -1)
		code = cli_fail(&e);
	else {
		loop(&l);
		code = exit_code(&l);
	}
	agent_free(&l.agent);
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
