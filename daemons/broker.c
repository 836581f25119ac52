/* SPDX-License-Identifier: ISC */

/*
 * reeve-broker: become the broker, and leave somebody behind who tells the
 * supervisor when it answers, which it does not itself.
 */
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "egress.h"
#include "log.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION	"0.1.0"
#endif

#define GREETING	"INFO "		/* the first it says to anybody */
#define ANSWER_S	5		/* for one answer, at most */
#define RETRY_MIN_MS	5
#define RETRY_MAX_MS	500

struct options {
	char	*at;		/* HOST:PORT; cut in two below */
	int	 notify_fd;	/* -1: none */
};

static void
usage(FILE *out)
{
	fprintf(out, "usage: reeve-broker --at HOST:PORT [--notify-fd N] "
	    "PROGRAM [ARG...]\n       reeve-broker --help | --version\n");
}

static void
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option	longs[] = {
		{ "at",		required_argument,	NULL, 'a' },
		{ "notify-fd",	required_argument,	NULL, 'n' },
		{ "help",	no_argument,		NULL, 'h' },
		{ "version",	no_argument,		NULL, 'V' },
		{ NULL,		0,			NULL, 0 }
	};
	char				*end = NULL;
	int				 ch;
	long				 n = -1;

	/* The first that is no option is the program. */
	while ((ch = getopt_long(argc, argv, "+hV", longs, NULL)) != -1)
		switch (ch) {
		case 'a':
			o->at = optarg;
			break;
		case 'n':
			n = strtol(optarg, &end, 10);
			break;
		case 'h':
			usage(stdout);
			exit(EX_OK);
		case 'V':
			printf("reeve-broker %s\n", PACKAGE_VERSION);
			exit(EX_OK);
		default:
			usage(stderr);
			exit(EX_USAGE);
		}
	if (optind == argc || o->at == NULL || strrchr(o->at, ':') == NULL ||
	    (end != NULL && (*end != '\0' || n < 3 || n > 65535))) {
		usage(stderr);
		exit(EX_USAGE);
	}
	/* Under a supervisor that does not ask, it is not open. */
	o->notify_fd = n != -1 && fcntl((int)n, F_GETFD) != -1 ? (int)n : -1;
}

/* True: it has greeted us. */
static bool
answers(const struct addrinfo *ai)
{
	char		greeting[sizeof(GREETING) - 1];
	bool		yes;
	int		fd = egress_connect(ai, ANSWER_S);

	if (fd == -1)
		return false;
	yes = recv(fd, greeting, sizeof(greeting), MSG_WAITALL) ==
	    (ssize_t)sizeof(greeting) &&
	    memcmp(greeting, GREETING, sizeof(greeting)) == 0;
	close(fd);
	return yes;
}

static bool
answers_at(const char *host, const char *port)
{
	struct addrinfo	 hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo	*list, *ai;
	bool		 yes = false;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return false;
	for (ai = list; ai != NULL && !yes; ai = ai->ai_next)
		yes = answers(ai);
	freeaddrinfo(list);
	return yes;
}

/* Until it answers, or has ended. */
static void
watch_broker(const struct options *o, int broker_fd)
{
	struct pollfd	 p = { .fd = broker_fd, .events = POLLIN };
	char		*colon = strrchr(o->at, ':');
	int		 wait_ms = RETRY_MIN_MS;

	*colon = '\0';
	while (!answers_at(o->at, colon + 1)) {
		if (poll(&p, 1, wait_ms) > 0)
			return;
		if ((wait_ms *= 2) > RETRY_MAX_MS)
			wait_ms = RETRY_MAX_MS;
	}
	if (write(o->notify_fd, "\n", 1) == -1)
		log_warn("cannot say ready", "fd=%d error=%s", o->notify_fd,
		    log_str(strerror(errno)));
}

static void
cannot_watch(void)
{
	log_error("cannot tell when the broker answers", "error=%s",
	    log_str(strerror(errno)));
	_exit(EX_OSERR);
}

/* A grandchild, as the broker collects no children; of our group, so that it
 * goes with us. */
static void
leave_watcher(const struct options *o)
{
	int	broker_fd = pidfd_open(getpid(), 0), status = 0;
	pid_t	pid;

	if (broker_fd == -1 || (pid = fork()) == -1)
		cannot_watch();
	if (pid == 0) {
		if ((pid = fork()) == -1)
			cannot_watch();
		if (pid == 0)
			watch_broker(o, broker_fd);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	/* What nobody says is ready would keep all others waiting. */
	if (status != 0)
		exit(EX_OSERR);
	close(broker_fd);
	close(o->notify_fd);
}

int
main(int argc, char **argv)
{
	struct options	o = { .notify_fd = -1 };

	log_init("role=broker", LOG_LEVEL_INFO);
	parse_options(argc, argv, &o);
	if (o.notify_fd != -1)
		leave_watcher(&o);
	egress_exec(EGRESS_NAMED, argv[optind], argv + optind);
	log_error("cannot execute the broker", "program=%s error=%s",
	    log_str(argv[optind]), log_str(strerror(errno)));
	return EX_UNAVAILABLE;
}
