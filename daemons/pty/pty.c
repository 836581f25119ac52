/* SPDX-License-Identifier: ISC */

/*
 * reeve-pty: the terminal of one agent.  It runs the agent's program on a
 * pseudo-terminal, knows what that shows, and lets people attach through the
 * broker.  The program goes on whether anybody watches, whether there is a
 * broker, and when this process is replaced by a newer version of itself.
 */
#include "config.h"

#include <sys/prctl.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <sodium.h>

#include "clock.h"
#include "control.h"
#include "files.h"
#include "log.h"
#include "pty_impl.h"

#define SAY_MS		2000	/* the state message */
#define SILENT_MS	6000	/* our own does not come back: a dead link */
#define READ_MAX	(64 * 1024)	/* at one turn */
#define HANGUP_MS	100	/* a child that has closed its terminal */
#define GONE		" (deleted)"	/* as the kernel says it of a program */
#define HOLD_MS		300	/* for attachers to hold their input */

struct options {
	char		*state;
	const char	*agent;
	int		 notify_fd, handover_fd;
	enum log_level	 level;
};

/* --- options ----------------------------------------------------------------------- */

static void
usage(FILE *f)
{
	fprintf(f, "usage: reeve-pty [--debug] [--state DIR] --agent NAME "
	    "[--notify-fd N]\n       reeve-pty --help | --version\n");
}

static bool
number(const char *name, const char *text, int *n)
{
	const char	*why = NULL;

	if (*text < '0' || *text > '9')
		why = "invalid";
	else
		*n = (int)strtonum(text, 0, INT_MAX, &why);
	if (why != NULL)
		fprintf(stderr, "reeve-pty: --%s: expected a number, not "
		    "\"%s\"\n", name, text);
	return why == NULL;
}

/* -1: go on; else the exit code. */
static int
check_options(const struct options *o)
{
	if (o->agent == NULL)
		fprintf(stderr, "reeve-pty: --agent NAME is missing\n");
	else if (!name_is_token(o->agent))
		fprintf(stderr, "reeve-pty: --agent: expected a name of "
		    "letters, digits, _ and -, not \"%s\"\n", o->agent);
	else
		return -1;
	return EX_USAGE;
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option	longs[] = {
		{ "state", required_argument, NULL, 's' },
		{ "agent", required_argument, NULL, 'a' },
		{ "notify-fd", required_argument, NULL, 'f' },
		{ "handover", required_argument, NULL, 'H' },
		{ "debug", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	int	c;

	while ((c = getopt_long(argc, argv, "dhV", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			o->state = optarg;
			break;
		case 'a':
			o->agent = optarg;
			break;
		case 'f':
			if (!number("notify-fd", optarg, &o->notify_fd))
				return EX_USAGE;
			break;
		case 'H':
			if (!number("handover", optarg, &o->handover_fd))
				return EX_USAGE;
			break;
		case 'd':
			o->level = LOG_LEVEL_DEBUG;
			break;
		case 'V':
			printf("reeve-pty %s\n", PACKAGE_VERSION);
			return EX_OK;
		case 'h':
			usage(stdout);
			return EX_OK;
		default:
			usage(stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return EX_USAGE;
	}
	return check_options(o);
}

/* --- the screen's callbacks ----------------------------------------------------------- */

static void
on_reply(void *arg, const void *data, size_t n)
{
	struct pty	*p = arg;

	(void)child_type(&p->child, data, n);
}

static void
on_live(void *arg, const void *data, size_t n)
{
	struct pty	*p = arg;

	bytes_add(&p->live, data, n);
}

const struct screen_ops pty_screen_ops = { .reply = on_reply,
	.live = on_live };

static void
feed(struct pty *p, const char *data, size_t n)
{
	screen_feed(p->screen, data, n);
	if (p->live.failed)
		fatal_memory();
	attach_live(p, p->live.p, p->live.n);
	bytes_clear(&p->live);
}

/* --- the child's output ----------------------------------------------------------------- */

/* What it has printed, at most so much: there are others to look after. */
static void
read_child(struct pty *p, size_t most)
{
	static char	buf[65536];
	size_t		have = 0, all = 0;
	ssize_t		n;

	/* The kernel gives 4 KB at a time: more of it in one frame. */
	do {
		n = child_read(&p->child, buf + have, sizeof(buf) - have);
		if (n > 0)
			have += (size_t)n;
		if (have > 0 && (n <= 0 || have == sizeof(buf))) {
			feed(p, buf, have);
			all += have;
			have = 0;
		}
	} while (n > 0 && all < most);
	if (n == -1)
		p->still_ms = clock_ms() + HANGUP_MS;
}

/* A new start on the old screen: what its predecessor had set is undone. */
static void
soften(struct pty *p)
{
	static const char	reset[] = "\033[?1049l\033[!p\033[?1000l"
				    "\033[?1002l\033[?1003l\033[?1006l"
				    "\033[?1004l\033[?2004l\033[?1l\033>"
				    "\033[r\033[m\033(B\017\033[999;1H\r\n";

	feed(p, reset, sizeof(reset) - 1);
}

static void
child_changed(struct pty *p, enum child_state was)
{
	enum child_state	now = p->child.state;

	p->changed = true;
	if (now == CHILD_WAITING || now == CHILD_OVER) {
		attach_say_end(p, now == CHILD_OVER);
		if (now == CHILD_WAITING)
			soften(p);
	}
	if (was != now)
		note_write(p);
}

/* --- signals ------------------------------------------------------------------------------ */

static int
open_signals(struct pty *p, struct error *e)
{
	static const int	mine[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2,
				    SIGCHLD };
	sigset_t		set;
	size_t			i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		sigaddset(&set, mine[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signal_fd == -1 ? error_errno(e, EX_OSERR, "signalfd") : 0;
}

static void
told_to_end(struct pty *p)
{
	enum child_state	was = p->child.state;

	if (p->stop)
		return;
	p->stop = true;
	record_told(p);
	child_stop(&p->child);
	if (p->child.state != was)
		child_changed(p, was);
}

static void
take_signals(struct pty *p)
{
	struct signalfd_siginfo	si;

	while (read(p->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo != SIGCHLD)
			log_info("signal", "number=%u from=%u", si.ssi_signo,
			    si.ssi_pid);
		switch (si.ssi_signo) {
		case SIGTERM:
			told_to_end(p);
			break;
		case SIGINT:
			told_to_end(p);
			child_hurry(&p->child);
			break;
		case SIGHUP:
			link_drop(&p->link, true);
			attach_forget(p);
			break;
		case SIGUSR2:
			p->upgrade = true;
			break;
		default:
			break;
		}
	}
}

/* When nobody is left, what they printed last is read before the end is said:
 * so it comes in that order to who watches, too. */
static void
reap(struct pty *p)
{
	enum child_state	was = p->child.state;
	pid_t			pid = p->child.pid;
	bool			changed = child_reap(&p->child);

	if (p->child.pid == 0)
		record_child(p, pid);
	if (!changed)
		return;
	if (p->child.state == CHILD_WAITING || p->child.state == CHILD_OVER) {
		record_end(p);
		read_child(p, SIZE_MAX);
		child_close(&p->child);
	}
	child_changed(p, was);
}

/* --- the loop ------------------------------------------------------------------------------ */

static int64_t
min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool
reads_child(const struct pty *p)
{
	return p->child.master != -1 && clock_ms() >= p->still_ms;
}

static int64_t
timeout(const struct pty *p)
{
	int64_t	now = clock_ms(), due;

	due = min64(child_due(&p->child), link_due(&p->link));
	due = min64(due, attach_due(p));
	due = min64(due, p->changed ? now : p->said_ms + SAY_MS);
	if (p->child.master != -1 && now < p->still_ms)
		due = min64(due, p->still_ms);
	return due <= now ? 0 : due - now;
}

/* Wait for whatever comes first; with a broker, take what it brings. */
static void
wait_for(struct pty *p, int64_t timeout_ms)
{
	struct pollfd	fds[3] = {
		{ .fd = p->signal_fd, .events = POLLIN },
		{ .fd = p->link.wake_fd, .events = POLLIN },
		{ .fd = reads_child(p) ? p->child.master : -1,
		    .events = (short)(POLLIN | (p->child.input_len > 0 ?
		    POLLOUT : 0)) } };

	if (p->link.bus != NULL)
		bus_turn(p->link.bus, fds, 3, timeout_ms);
	else
		(void)poll(fds, 3, (int)min64(timeout_ms, SAY_MS));
	if (fds[2].revents & POLLOUT)
		child_write(&p->child);
	if (fds[2].revents & (POLLIN | POLLHUP | POLLERR))
		read_child(p, READ_MAX);
	if (fds[0].revents != 0)
		take_signals(p);
}

static void
tend_link(struct pty *p)
{
	struct error	e;

	if (p->link.bus != NULL && (!bus_alive(p->link.bus) ||
	    bus_silent_ms(p->link.bus) > SILENT_MS)) {
		link_drop(&p->link, false);
		attach_forget(p);
	}
	if (!link_tend(&p->link))
		return;
	if (attach_bind(p, &e) == -1) {
		log_warn("cannot bind", "error=%s", log_str(e.text));
		return;		/* the connection is dead */
	}
	log_info("bound", "agent=%s id=%s", p->agent, p->id);
	if (p->attach.holding) {
		attach_resume(p);
		p->still_ms = 0;
	}
	p->changed = true;
}

static void
say_ready(struct pty *p)
{
	if (p->notify_fd == -1 || p->child.starts == 0)
		return;
	if (write(p->notify_fd, "\n", 1) == -1)
		log_warn("cannot say ready", "fd=%d", p->notify_fd);
	close(p->notify_fd);
	p->notify_fd = -1;
}

static void
turn(struct pty *p, int64_t timeout_ms)
{
	enum child_state	was;

	wait_for(p, timeout_ms);
	/* Asked each time: a signal may stand for many. */
	if (p->child.state != CHILD_OVER)
		reap(p);
	was = p->child.state;
	if (child_tend(&p->child))
		child_changed(p, was);
	tend_link(p);
	attach_tend(p);
	say_ready(p);
	if (p->changed || clock_ms() - p->said_ms >= SAY_MS)
		note_say(p);
}

/* Attachers hold their input first: what they sent while nobody listens would
 * be lost.  Who is told to end meanwhile does that: a newer one would not know
 * of it, and start the child again. */
static void
hand_over(struct pty *p, char **argv)
{
	int64_t	until = clock_ms() + HOLD_MS;

	while (p->link.bus != NULL && !attach_hold(p) && clock_ms() < until)
		turn(p, 10);
	p->upgrade = false;
	if (p->stop) {
		attach_resume(p);
		return;
	}
	if (p->link.bus != NULL)
		(void)bus_drain(p->link.bus, HOLD_MS);
	link_free(&p->link);
	upgrade_exec(p, argv);
	link_init(&p->link, p->config.servers, p->creds_path);
}

static void
run(struct pty *p, char **argv)
{
	while (!(p->stop && p->child.state == CHILD_OVER)) {
		turn(p, timeout(p));
		if (p->upgrade && !p->stop)
			hand_over(p, argv);
	}
	record_exit(p);
	note_say(p);
}

/* --- starting and ending ----------------------------------------------------------------------- */

/* One at a time for an agent: the kernel frees the lock of a killed one. */
static int
lock(struct pty *p, struct error *e)
{
	char	*path = config_path(&p->config, "lock/pty-%s", p->agent);
	char	 who[280];

	if (path == NULL)
		fatal_memory();
	snprintf(who, sizeof(who), "reeve-pty of %s", p->agent);
	p->lock_fd = file_lock(path, who, e);
	free(path);
	return p->lock_fd == -1 ? -1 : 0;
}

/* The terminal is of the kind that this project's screen is. */
static int
load_plan(struct pty *p, struct error *e)
{
	char	*path = config_path(&p->config, "agents/%s/launch.json",
		    p->agent);
	int	 r;

	if (path == NULL)
		fatal_memory();
	launch_plan_init(&p->plan);
	r = launch_plan_load(&p->plan, path, e);
	free(path);
	if (r == 0 && launch_plan_get(&p->plan, "TERM") == NULL)
		r = launch_plan_set(&p->plan, "TERM", "xterm-256color", e);
	if (r == 0 && launch_plan_get(&p->plan, "COLORTERM") == NULL)
		r = launch_plan_set(&p->plan, "COLORTERM", "truecolor", e);
	return r;
}

static int
load(struct pty *p, const struct options *o, struct error *e)
{
	if (config_open(&p->config, o->state, e) == -1)
		return -1;
	p->dir = config_path(&p->config, "agents/%s", p->agent);
	p->creds_path = config_path(&p->config, "agents/%s/pty.creds",
	    p->agent);
	if (p->dir == NULL || p->creds_path == NULL)
		fatal_memory();
	return note_id(p, e);
}

static int
begin(struct pty *p, struct error *e)
{
	struct creds	c;

	/* Credentials that are no use now are no use to begin with. */
	if (lock(p, e) == -1 || load_plan(p, e) == -1 ||
	    creds_load(&c, p->creds_path, e) == -1)
		return -1;
	creds_wipe(&c);
	child_init(&p->child, &p->plan, p->dir);
	control_sweep(p->dir);
	p->screen = screen_new((int)p->plan.rows, (int)p->plan.cols,
	    (int)p->plan.history, &pty_screen_ops, p);
	if (p->screen == NULL)
		fatal_memory();
	note_resume(p);
	record_end(p);
	return 0;
}

/* A plan that cannot be read any more ends no session. */
static int
resume(struct pty *p, int fd, struct error *e)
{
	if (load_plan(p, e) == -1) {
		log_error("no restart", "error=%s", log_str(e->text));
		launch_plan_free(&p->plan);
	}
	child_init(&p->child, &p->plan, p->dir);
	return upgrade_take(p, fd, e);
}

/* Where we were started from, to be there again in a newer version. */
static int
find_exe(struct pty *p, struct error *e)
{
	ssize_t	n = readlink("/proc/self/exe", p->exe, sizeof(p->exe) - 1);

	if (n <= 0)
		return error_errno(e, EX_OSERR, "/proc/self/exe");
	p->exe[n] = '\0';
	/* It was replaced just now: what is there is what we want, then. */
	if ((size_t)n > strlen(GONE) &&
	    strcmp(p->exe + n - strlen(GONE), GONE) == 0)
		p->exe[(size_t)n - strlen(GONE)] = '\0';
	return 0;
}

static int
start(struct pty *p, const struct options *o, struct error *e)
{
	if (sodium_init() == -1)
		return error_set(e, EX_SOFTWARE, "libsodium does not start");
	if (open_signals(p, e) == -1 || find_exe(p, e) == -1)
		return -1;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		return error_errno(e, EX_OSERR, "subreaper");
	if (load(p, o, e) == -1)
		return -1;
	if ((o->handover_fd != -1 ? resume(p, o->handover_fd, e) :
	    begin(p, e)) == -1)
		return -1;
	link_init(&p->link, p->config.servers, p->creds_path);
	return 0;
}

static void
finish(struct pty *p)
{
	link_free(&p->link);
	attach_forget(p);
	child_free(&p->child);
	screen_free(p->screen);
	bytes_free(&p->live);
	launch_plan_free(&p->plan);
	config_free(&p->config);
	free(p->dir);
	free(p->creds_path);
	nats_Close();
}

int
main(int argc, char **argv)
{
	static struct pty	p;
	struct options		o = { .notify_fd = -1, .handover_fd = -1,
				    .level = LOG_LEVEL_INFO };
	struct error		e = { .code = EX_SOFTWARE };
	char			who[128];
	int			code;

	if ((code = parse_options(argc, argv, &o)) != -1)
		return code;
	p.agent = o.agent;
	p.signal_fd = p.lock_fd = p.link.wake_fd = p.child.master = -1;
	/* Under a supervisor without readiness that number is not ours. */
	p.notify_fd = o.notify_fd > 2 && fcntl(o.notify_fd, F_SETFD,
	    FD_CLOEXEC) == 0 ? o.notify_fd : -1;
	snprintf(who, sizeof(who), "role=pty agent=%s", o.agent);
	log_init(who, o.level);
	if (start(&p, &o, &e) == -1) {
		log_error("cannot start", "code=%d error=%s", e.code,
		    log_str(e.text));
		code = e.code;
	} else {
		run(&p, argv);
		code = EX_OK;
	}
	log_info("exit", "code=%d", code);
	finish(&p);
	return code;
}
