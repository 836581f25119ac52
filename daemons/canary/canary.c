/* SPDX-License-Identifier: ISC */

/*
 * reeve-canary: sees who dies and cannot tell, and writes that down: the
 * supervisor and the terminals of agents.  It needs no broker, and starts,
 * signals and mends nothing.
 */
#include "config.h"

#include <sys/resource.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>

#include "canary.h"
#include "clock.h"
#include "files.h"
#include "lifelog.h"
#include "log.h"

#define STOP_MS		5000	/* to decide in, told to end: the supervisor
				   has 10 s.  What is left is the successor's */
#define SETTLE_MS	20	/* what changes together is looked at once */

struct options {
	char		*state;
	int		 notify_fd;
	enum log_level	 level;
};

/* --- options ------------------------------------------------------------------- */

static void
usage(FILE *f)
{
	fprintf(f, "usage: reeve-canary [--debug] [--state DIR] "
	    "[--notify-fd N]\n       reeve-canary --help | --version\n");
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option	longs[] = {
		{ "state", required_argument, NULL, 's' },
		{ "notify-fd", required_argument, NULL, 'f' },
		{ "debug", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	const char	*why = NULL;
	int		 c;

	while ((c = getopt_long(argc, argv, "dhV", longs, NULL)) != -1)
		switch (c) {
		case 's':
			o->state = optarg;
			break;
		case 'f':
			o->notify_fd = (int)strtonum(optarg, 0, INT_MAX,
			    &why);
			break;
		case 'd':
			o->level = LOG_LEVEL_DEBUG;
			break;
		case 'V':
			printf("reeve-canary %s\n", PACKAGE_VERSION);
			return EX_OK;
		case 'h':
			usage(stdout);
			return EX_OK;
		default:
			usage(stderr);
			return EX_USAGE;
		}
	if (optind == argc && why == NULL)
		return -1;
	usage(stderr);
	return EX_USAGE;
}

/* --- starting ------------------------------------------------------------------- */

static int
open_signals(struct canary *c, struct error *e)
{
	sigset_t	set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* Who read our log may be dead. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	c->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return c->signal_fd == -1 ? error_errno(e, EX_OSERR, "signalfd") : 0;
}

/* A server takes two descriptors. */
static void
raise_limit(void)
{
	struct rlimit	l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

/* One at a time for a state directory: of two each death would have two
 * lines.  The kernel frees the lock of a killed one. */
static int
take_lock(struct canary *c, struct error *e)
{
	char	*path = config_path(&c->config, "lock/canary");

	if (path == NULL)
		fatal_memory();
	c->lock_fd = file_lock(path, "reeve-canary", e);
	free(path);
	return c->lock_fd == -1 ? -1 : 0;
}

static int
make_dir(struct canary *c, struct error *e)
{
	char	*path = config_path(&c->config, "canary");
	int	 r;

	if (path == NULL)
		fatal_memory();
	r = dir_make(path, 0700, e);
	free(path);
	return r;
}

/* An unwatched host is said to be one; another canary watches as well. */
static void
note_failure(struct canary *c, const struct error *e)
{
	log_error("cannot start", "code=%d error=%s", e->code,
	    log_str(e->text));
	if (c->config.state != NULL && e->code != EX_TEMPFAIL)
		lifelog_note(&c->config, LIFELOG_LIFECYCLE, "canary",
		    "canary", "state=failed error=%s", log_str(e->text));
}

static int
start(struct canary *c, const struct options *o, struct error *e)
{
	if (open_signals(c, e) == -1 ||
	    config_open(&c->config, o->state, e) == -1 ||
	    take_lock(c, e) == -1 || make_dir(c, e) == -1)
		return -1;
	c->state_fd = open(c->config.state,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->state_fd == -1)
		return error_errno(e, EX_OSERR, "%s", c->config.state);
	raise_limit();
	list_load(c);
	c->running = c->unsaved = true;
	places_open(c);
	places_look(c);
	list_save(c);
	lifelog_note(&c->config, LIFELOG_LIFECYCLE, "canary", "canary",
	    "pid=%d state=watching origin=%s servers=%zu", (int)getpid(),
	    c->lost ? "retrofit" : "launch", c->n_servers);
	return 0;
}

/* --- the loop -------------------------------------------------------------------- */

static int64_t
due_ms(const struct canary *c)
{
	int64_t	due = c->look_ms;
	size_t	i;

	for (i = 0; i < c->n_servers; i++)
		if (c->servers[i].due_ms != 0 && c->servers[i].due_ms < due)
			due = c->servers[i].due_ms;
	due -= clock_ms();
	return due < 0 ? 0 : due;
}

static bool
has_dead(const struct canary *c)
{
	size_t	i;

	for (i = 0; i < c->n_servers; i++)
		if (c->servers[i].due_ms != 0)
			return true;
	return false;
}

static void
take_signals(struct canary *c)
{
	struct signalfd_siginfo	si;

	while (read(c->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		log_info("stopping", "signal=%u", si.ssi_signo);
		if (c->stop_ms == 0)
			c->stop_ms = clock_ms() + STOP_MS;
	}
}

/* Until something happens, or is due. */
static void
wait_for(struct canary *c)
{
	static struct pollfd	*fds;
	static size_t		 room;
	size_t			 i;

	if (c->n_servers + 2 > room) {
		room = c->n_servers + 64;
		if ((fds = reallocarray(fds, room, sizeof(*fds))) == NULL)
			fatal_memory();
	}
	fds[0] = (struct pollfd){ .fd = c->signal_fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = c->inotify_fd, .events = POLLIN };
	for (i = 0; i < c->n_servers; i++)
		fds[i + 2] = (struct pollfd){ .events = POLLIN,
		    .fd = c->servers[i].due_ms == 0 ? c->servers[i].fd : -1 };
	if (poll(fds, c->n_servers + 2, (int)due_ms(c)) <= 0)
		return;
	for (i = 0; i < c->n_servers; i++)
		if (fds[i + 2].revents != 0)
			record_death(&c->servers[i]);
	if (fds[1].revents != 0) {
		(void)poll(fds, 1, SETTLE_MS);
		places_read(c);
	}
	take_signals(c);
}

static void
run(struct canary *c)
{
	if (c->notify_fd != -1 && write(c->notify_fd, "\n", 1) == -1)
		log_warn("cannot say ready", "fd=%d", c->notify_fd);
	if (c->notify_fd != -1)
		close(c->notify_fd);
	/* Who is dead by now is decided about, even while we are to end. */
	while (c->stop_ms == 0 || (has_dead(c) && clock_ms() < c->stop_ms)) {
		wait_for(c);
		record_due(c);
		places_look(c);
		if (c->unsaved)
			list_save(c);
	}
}

/* The supervisor ends after us: that it was told is seen now. */
static void
finish(struct canary *c)
{
	size_t	i;

	for (i = c->n_servers; i-- > 0; ) {
		record_told(c, &c->servers[i]);
		if (c->servers[i].told)
			list_drop(c, i);
	}
	c->running = false;
	list_save(c);
}

int
main(int argc, char **argv)
{
	static struct canary	c;
	struct options		o = { .notify_fd = -1,
				    .level = LOG_LEVEL_INFO };
	struct error		e = { .code = EX_SOFTWARE };
	int			code;

	if ((code = parse_options(argc, argv, &o)) != -1)
		return code;
	c.signal_fd = c.lock_fd = c.inotify_fd = c.state_fd = -1;
	/* Under a supervisor without readiness that number is not ours. */
	c.notify_fd = o.notify_fd > 2 && fcntl(o.notify_fd, F_SETFD,
	    FD_CLOEXEC) == 0 ? o.notify_fd : -1;
	log_init("role=canary", o.level);
	if (start(&c, &o, &e) == -1) {
		note_failure(&c, &e);
		code = e.code;
	} else {
		run(&c);
		finish(&c);
		code = EX_OK;
	}
	log_info("exit", "code=%d", code);
	places_close(&c);
	list_free(&c);
	config_free(&c.config);
	return code;
}
