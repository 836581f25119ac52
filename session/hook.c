/* SPDX-License-Identifier: ISC */

/*
 * reeve-hook: takes what a host's hook is given to the session's control
 * socket, and brings its answer back.
 *
 * A host runs it at every step of a session and waits for it, so it is a
 * program of its own that needs libc and nothing else: to load what reeve
 * needs takes longer than all that this does.  Whatever goes wrong, it says
 * nothing and exits 0: a session never stands still because of it.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define PATIENCE_S	2
#define LINE_MAX_BYTES	(1024 * 1024)	/* with what is around the event */
#define TOKEN_MAX	1024

struct text {
	char	*s;
	size_t	 len, cap;
};

static void
end(int sig)
{
	(void)sig;
	_exit(0);
}

/* For all of it: reading, asking, printing.  A host may have blocked it. */
static void
be_patient(void)
{
	struct sigaction	sa = { .sa_handler = end };
	sigset_t		set;

	(void)sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(PATIENCE_S);
}

static bool
room(struct text *t, size_t more)
{
	size_t	 cap = t->cap == 0 ? 8192 : t->cap;
	char	*s;

	if (t->len + more > LINE_MAX_BYTES)
		return false;
	while (cap < t->len + more)
		cap *= 2;
	if (cap == t->cap)
		return true;
	if ((s = realloc(t->s, cap)) == NULL)
		return false;
	t->s = s;
	t->cap = cap;
	return true;
}

static bool
add(struct text *t, const char *s, size_t len)
{
	if (!room(t, len))
		return false;
	memcpy(t->s + t->len, s, len);
	t->len += len;
	return true;
}

/* A token that JSON cannot hold as it is is none that we were given. */
static bool
add_token(struct text *t, const char *token)
{
	const char	*p;

	for (p = token; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == '"' || *p == '\\' ||
		    p - token >= TOKEN_MAX)
			return false;
	return add(t, "{\"token\":\"", 10) &&
	    add(t, token, strlen(token)) && add(t, "\",\"event\":", 10);
}

/* On one line: in JSON an end of line only stands between its parts. */
static bool
add_event(struct text *t)
{
	size_t	i, from = t->len;
	ssize_t	n;

	do {
		if (!room(t, 4096))
			return false;
		n = read(STDIN_FILENO, t->s + t->len, t->cap - t->len);
		if (n > 0)
			t->len += (size_t)n;
	} while (n > 0 || (n == -1 && errno == EINTR));
	for (i = from; i < t->len; i++)
		if (t->s[i] == '\n' || t->s[i] == '\r')
			t->s[i] = ' ';
	return t->len > from && add(t, "}\n", 2);
}

static bool
put(int fd, const char *s, size_t len)
{
	ssize_t	n;

	while (len > 0) {
		n = write(fd, s, len);
		if (n == -1 && errno != EINTR)
			return false;
		if (n > 0) {
			s += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* What is answered counts as read, so somebody is to be there who reads; and
 * a descriptor that is closed is not to be the socket. */
static bool
is_heard(void)
{
	struct pollfd	p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) != -1 &&
	    (p.revents & (POLLERR | POLLHUP | POLLNVAL)) == 0;
}

static int
dial(const char *path)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	int			fd;

	if (strlen(path) >= sizeof(at.sun_path) ||
	    (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	strcpy(at.sun_path, path);
	return connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 ? fd : -1;
}

/* A whole line, or nothing. */
static bool
hear(int fd, struct text *t)
{
	char	*line_end;
	ssize_t	 n;

	t->len = 0;
	for (;;) {
		if (!room(t, 4096))
			return false;
		n = read(fd, t->s + t->len, t->cap - t->len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		line_end = memchr(t->s + t->len, '\n', (size_t)n);
		t->len += (size_t)n;
		if (line_end != NULL) {
			t->len = (size_t)(line_end - t->s) + 1;
			return true;
		}
	}
}

/* Who writes is not to be cut off in the middle. */
static void
read_rest(void)
{
	char	buf[8192];

	while (read(STDIN_FILENO, buf, sizeof(buf)) > 0)
		;
}

static int
usage(const char *arg)
{
	bool	help = strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;

	if (strcmp(arg, "--version") == 0 || strcmp(arg, "-V") == 0) {
		printf("reeve-hook %s\n", PACKAGE_VERSION);
		return EX_OK;
	}
	fprintf(help ? stdout : stderr, "usage: reeve-hook <EVENT\n"
	    "       reeve-hook --help | --version\n");
	return help ? EX_OK : EX_USAGE;
}

int
main(int argc, char **argv)
{
	const char	*path = getenv("COTAL_CONTROL_SOCKET");
	const char	*token = getenv("COTAL_CONTROL_TOKEN");
	struct text	 t = { .s = NULL };
	int		 fd;

	if (argc > 1)
		return usage(argv[1]);
	be_patient();
	if (path != NULL && token != NULL && add_token(&t, token) &&
	    add_event(&t) && is_heard() && (fd = dial(path)) != -1 &&
	    put(fd, t.s, t.len) && hear(fd, &t))
		(void)put(STDOUT_FILENO, t.s, t.len);
	else
		read_rest();
	free(t.s);
	return 0;
}
