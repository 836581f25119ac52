/* SPDX-License-Identifier: ISC */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* After the system's headers, which all files here see alike. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "log.h"
#include "process.h"
#include "roster.h"
#include "scan.h"
#include "state.h"
#include "strays.h"
#include "tell.h"
#include "watch.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION	"0.1.0"
#endif

#define EVENTS_MAX	32
#define SIGNALS		6	/* that we receive, see open_signals */
#define SCAN_EVERY_MS	5000	/* where there is no inotify */

struct options {
	const char	*state;		/* NULL: the default */
	bool		 verbose;
};

struct reeved {
	struct roster	 roster;
	struct tell	 tell;
	struct watch	 signals;
	struct watch	 notifier;	/* inotify on the service directory */
	int		 state_fd;
	int		 lock_fd;
	bool		 stopping;
	bool		 stopped;
};

static void	parse_options(int, char *[], struct options *);
static void	open_std_descriptors(void);
static void	open_state(struct reeved *, const struct options *);
static void	become_supervisor(struct reeved *);
static void	open_loop(struct reeved *);
static void	run_loop(struct reeved *);
static void	close_all(struct reeved *);
static void	open_notifier(struct reeved *);

int
main(int argc, char *argv[])
{
	static struct reeved	d;
	struct options		options = { 0 };

	parse_options(argc, argv, &options);
	open_std_descriptors();
	/* Before the first line of the log: its reader may be dead. */
	signal(SIGPIPE, SIG_IGN);
	log_init("role=reeved", options.verbose ? LOG_LEVEL_DEBUG :
	    LOG_LEVEL_INFO);
	log_never_wait();
	roster_init(&d.roster);
	open_state(&d, &options);
	become_supervisor(&d);
	open_loop(&d);
	roster_scan(&d.roster);
	run_loop(&d);
	strays_end();
	close_all(&d);
	return EX_OK;
}

static void
usage(FILE *out)
{
	fprintf(out, "usage: reeved [-v] [--state DIR]\n"
	    "       reeved --help | --version\n");
}

static void
parse_options(int argc, char *argv[], struct options *options)
{
	static const struct option	longs[] = {
		{ "state",	required_argument,	NULL, 's' },
		{ "verbose",	no_argument,		NULL, 'v' },
		{ "help",	no_argument,		NULL, 'h' },
		{ "version",	no_argument,		NULL, 'V' },
		{ NULL,		0,			NULL, 0 }
	};
	int				ch;

	while ((ch = getopt_long(argc, argv, "hvV", longs, NULL)) != -1)
		switch (ch) {
		case 's':
			options->state = optarg;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'h':
			usage(stdout);
			exit(EX_OK);
		case 'V':
			printf("reeved %s\n", PACKAGE_VERSION);
			exit(EX_OK);
		default:
			usage(stderr);
			exit(EX_USAGE);
		}
	if (optind == argc && (options->state == NULL ||
	    options->state[0] != '\0'))
		return;
	usage(stderr);
	exit(EX_USAGE);
}

static void
die(int status, const char *what, const char *detail)
{
	log_error(what, "path=%s error=%s", log_str(detail),
	    log_str(strerror(errno)));
	exit(status);
}

/*
 * The first three must be open, or what we open would become a child's stdin
 * and stderr; and what we were started with beyond them is no child's.
 */
static void
open_std_descriptors(void)
{
	int	fd;

	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	do {
		if ((fd = open("/dev/null", O_RDWR)) == -1)
			exit(EX_OSERR);
	} while (fd <= STDERR_FILENO);
	close(fd);
}

static void
open_state(struct reeved *d, const struct options *options)
{
	char	path[PATH_MAX];
	long	holder;

	if (state_path(options->state, path, sizeof(path)) == -1)
		die(EX_CONFIG, "no state directory is named", "");
	d->state_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->state_fd == -1)
		die(EX_CONFIG, "no state directory", path);
	d->roster.dir_fd = openat(d->state_fd, "service",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->roster.dir_fd == -1)
		die(EX_CONFIG, "no service directory in it", path);
	if ((d->lock_fd = state_lock(d->state_fd, &holder)) == -1) {
		if (errno != EWOULDBLOCK)
			die(EX_CONFIG, "cannot lock the state directory",
			    path);
		log_error("another reeved supervises here",
		    "path=%s pid=%ld", log_str(path), holder);
		exit(EX_TEMPFAIL);
	}
	if (fchdir(d->state_fd) == -1)
		die(EX_CONFIG, "cannot enter the state directory", path);
	log_info("starting", "version=%s pid=%d state=%s", PACKAGE_VERSION,
	    (int)getpid(), log_str(path));
}

/* What makes of a process a supervisor. */
static void
become_supervisor(struct reeved *d)
{
	struct rlimit	limit;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		log_warn("cannot adopt what services leave behind",
		    "error=%s", log_str(strerror(errno)));
	if (procfs_boot_id(d->roster.boot_id) == -1)
		log_warn("no boot id: orphans will not be known again",
		    "error=%s", log_str(strerror(errno)));
	/* A service takes up to a dozen; children keep the old limit. */
	if (getrlimit(RLIMIT_NOFILE, &d->roster.nofile) == -1)
		die(EX_OSERR, "cannot read a limit", "RLIMIT_NOFILE");
	limit = d->roster.nofile;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1) {
		log_warn("cannot raise RLIMIT_NOFILE", "error=%s",
		    log_str(strerror(errno)));
		limit = d->roster.nofile;
	}
	d->roster.fds_max = limit.rlim_cur;
	d->roster.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (d->roster.null_fd == -1)
		die(EX_OSERR, "cannot open", "/dev/null");
	process_init(&d->roster);
	tell_init(&d->tell);
}

static void
stop(struct reeved *d, int sig)
{
	if (d->stopping) {
		log_warn("stopping at once", "signal=%d", sig);
		roster_hurry(&d->roster);
		return;
	}
	log_info("stopping", "signal=%d", sig);
	/* Before anything ends: that it is meant. */
	if (state_told(d->state_fd, d->roster.boot_id) == -1)
		log_warn("cannot note that we are told to end", "error=%s",
		    log_str(strerror(errno)));
	tell_stopping(&d->tell);
	d->stopping = true;
}

/* The directory may be another one now. */
static void
reopen_services(struct reeved *d)
{
	int	fd;

	fd = openat(d->state_fd, "service",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		log_error("no service directory in it", "path=service "
		    "error=%s", log_str(strerror(errno)));
		return;
	}
	close(d->roster.dir_fd);
	d->roster.dir_fd = fd;
	watch_close(&d->notifier);
	open_notifier(d);
}

static void
take_signal(struct reeved *d, int sig)
{
	switch (sig) {
	case SIGCHLD:
		/* Collected after every turn of the loop. */
		break;
	case SIGHUP:
		log_info("looking for services anew", "signal=%d", SIGHUP);
		tell_reloading(&d->tell);
		reopen_services(d);
		roster_recall(&d->roster);
		d->roster.scan_due_ms = roster_now_ms();
		break;
	case SIGUSR1:
		roster_pass(&d->roster, SIGUSR1, EV_CTL_USR1);
		break;
	case SIGUSR2:
		roster_pass(&d->roster, SIGUSR2, EV_CTL_USR2);
		break;
	default:
		stop(d, sig);
		break;
	}
}

/* Each of them is there once at most, however often it was sent. */
static void
read_signals(struct watch *w)
{
	struct signalfd_siginfo	 info[SIGNALS];
	ssize_t			 n, i;

	n = read(w->fd, info, sizeof(info));
	for (i = 0; i < n / (ssize_t)sizeof(info[0]); i++)
		take_signal(w->arg, (int)info[i].ssi_signo);
}

static void
read_notifier(struct watch *w)
{
	struct reeved	*d = w->arg;

	scan_drain(w->fd);
	d->roster.scan_due_ms = roster_now_ms();
}

static void
open_signals(struct reeved *d)
{
	sigset_t	set;
	int		fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	/* Ignored, it would take our children's exit status away. */
	signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1 ||
	    (fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) == -1 ||
	    watch_open(&d->signals, d->roster.epoll_fd, fd, read_signals,
	    d) == -1)
		die(EX_OSERR, "cannot receive", "signals");
}

static void
open_loop(struct reeved *d)
{
	if ((d->roster.epoll_fd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		die(EX_OSERR, "cannot create", "epoll");
	open_signals(d);
	open_notifier(d);
}

/* Before a scan, so that nothing falls between them. */
static void
open_notifier(struct reeved *d)
{
	int	fd;

	d->roster.scan_every_ms = 0;
	fd = scan_notifier("service");
	if (fd != -1 && watch_open(&d->notifier, d->roster.epoll_fd, fd,
	    read_notifier, d) == 0)
		return;
	log_warn("no inotify: looking every few seconds", "error=%s",
	    log_str(strerror(errno)));
	d->notifier.fd = -1;
	d->roster.scan_every_ms = SCAN_EVERY_MS;
}

/* In ms for epoll_wait; -1: nothing is timed. */
static int
timeout_ms(const struct reeved *d)
{
	int64_t	first_ms = roster_deadline_ms(&d->roster), left_ms;

	if (tell_deadline_ms(&d->tell) < first_ms)
		first_ms = tell_deadline_ms(&d->tell);
	if (first_ms == NEVER)
		return -1;
	left_ms = first_ms - roster_now_ms();
	if (left_ms < 0)
		return 0;
	return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

/* What is to be done after every event, whichever it was. */
static void
settle(struct reeved *d)
{
	roster_reap(&d->roster);
	roster_timers(&d->roster);
	roster_release(&d->roster);
	roster_sweep(&d->roster);
	if (d->stopping)
		d->stopped = roster_stop(&d->roster);
	tell_all(&d->tell, &d->roster);
}

static void
run_loop(struct reeved *d)
{
	struct epoll_event	 events[EVENTS_MAX];
	struct watch		*w;
	int			 i, n;

	for (settle(d); !d->stopped; settle(d)) {
		n = epoll_wait(d->roster.epoll_fd, events, EVENTS_MAX,
		    timeout_ms(d));
		if (n == -1 && errno != EINTR)
			die(EX_OSERR, "cannot wait for", "events");
		for (i = 0; i < n; i++) {
			w = events[i].data.ptr;
			if (w->fd != -1)
				w->ready(w);
		}
	}
}

static void
close_all(struct reeved *d)
{
	log_info("stopped", "pid=%d", (int)getpid());
	watch_close(&d->signals);
	watch_close(&d->notifier);
	tell_close(&d->tell);
	roster_free(&d->roster);
	if (state_unlock(d->lock_fd) == -1)
		log_warn("cannot empty the lock file", "error=%s",
		    log_str(strerror(errno)));
	close(d->state_fd);
}
