/* SPDX-License-Identifier: ISC */

/* A TCP link that can be cut, frozen and thawed. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "proxy.h"

#define PAIRS_MAX	64
#define CHUNK		16384

struct pair {
	int	a, b;		/* -1: none */
};

struct link {
	struct pair	pairs[PAIRS_MAX];
	struct sockaddr_in to;
	int		listener, control;
	bool		frozen;
	long		cut_after;	/* bytes; 0: not */
};

struct order {
	char		what;
	unsigned	kilobytes;
};

/* With RST, so that what was not passed on is lost at once. */
static void
cut_one(struct pair *p)
{
	struct linger	now = { .l_onoff = 1, .l_linger = 0 };

	if (p->a == -1)
		return;
	setsockopt(p->a, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	setsockopt(p->b, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(p->a);
	close(p->b);
	p->a = p->b = -1;
}

static void
cut_all(struct link *l)
{
	size_t	i;

	for (i = 0; i < PAIRS_MAX; i++)
		cut_one(&l->pairs[i]);
}

static void
take(struct link *l)
{
	struct pair	*p = l->pairs;
	int		 a = accept(l->listener, NULL, NULL), b;

	while (p < l->pairs + PAIRS_MAX && p->a != -1)
		p++;
	if (a == -1)
		return;
	b = socket(AF_INET, SOCK_STREAM, 0);
	if (p == l->pairs + PAIRS_MAX || b == -1 ||
	    connect(b, (struct sockaddr *)&l->to, sizeof(l->to)) == -1) {
		close(a);
		if (b != -1)
			close(b);
		return;
	}
	p->a = a;
	p->b = b;
}

static bool
write_all(int fd, const char *v, size_t n)
{
	ssize_t	w;

	for (; n > 0; v += w, n -= (size_t)w)
		if ((w = send(fd, v, n, MSG_NOSIGNAL)) <= 0)
			return false;
	return true;
}

/* Pass on what came from one end; the link breaks with either. */
static void
pass(struct link *l, struct pair *p, int from, int to)
{
	char	 buf[CHUNK];
	ssize_t	 n = read(from, buf, sizeof(buf));

	if (n <= 0 || !write_all(to, buf, (size_t)n)) {
		cut_one(p);
		return;
	}
	if (l->cut_after > 0 && from == p->b) {
		l->cut_after -= n;
		if (l->cut_after <= 0) {
			l->cut_after = 0;
			cut_all(l);
		}
	}
}

static void
obey(struct link *l)
{
	struct order	o;

	if (read(l->control, &o, sizeof(o)) != (ssize_t)sizeof(o))
		_exit(0);
	if (o.what == 'c')
		cut_all(l);
	else if (o.what == 'a')
		l->cut_after = (long)o.kilobytes * 1024;
	else
		l->frozen = o.what == 'f';
}

static void
turn(struct link *l)
{
	struct pollfd	v[2 + 2 * PAIRS_MAX];
	struct pair	*p;
	size_t		i;

	v[0].fd = l->control;
	v[1].fd = l->frozen ? -1 : l->listener;
	for (i = 0; i < PAIRS_MAX; i++) {
		v[2 + 2 * i].fd = l->frozen ? -1 : l->pairs[i].a;
		v[3 + 2 * i].fd = l->frozen ? -1 : l->pairs[i].b;
	}
	for (i = 0; i < 2 + 2 * PAIRS_MAX; i++)
		v[i].events = POLLIN;
	if (poll(v, 2 + 2 * PAIRS_MAX, -1) == -1)
		return;
	for (i = 0; i < PAIRS_MAX; i++) {
		p = &l->pairs[i];
		if (p->a != -1 && v[2 + 2 * i].revents != 0)
			pass(l, p, p->a, p->b);
		if (p->a != -1 && v[3 + 2 * i].revents != 0)
			pass(l, p, p->b, p->a);
	}
	if (v[1].revents != 0)
		take(l);
	if (v[0].revents != 0)
		obey(l);
}

void
proxy_start(struct proxy *x, int to)
{
	static struct link	l;
	struct sockaddr_in	me = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(
				    INADDR_LOOPBACK) };
	socklen_t		len = sizeof(me);
	int			c[2];
	size_t			i;

	l.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(bind(l.listener, (struct sockaddr *)&me, len) == 0 &&
	    listen(l.listener, 64) == 0 &&
	    getsockname(l.listener, (struct sockaddr *)&me, &len) == 0);
	x->port = ntohs(me.sin_port);
	me.sin_port = htons((uint16_t)to);
	l.to = me;
	for (i = 0; i < PAIRS_MAX; i++)
		l.pairs[i].a = l.pairs[i].b = -1;
	ck_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c) == 0);
	fflush(NULL);
	ck_assert((x->pid = fork()) != -1);
	if (x->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(c[0]);
		l.control = c[1];
		for (;;)
			turn(&l);
	}
	close(c[1]);
	close(l.listener);
	x->control = c[0];
}

static void
order(struct proxy *x, char what, unsigned kilobytes)
{
	struct order	o = { .what = what, .kilobytes = kilobytes };

	ck_assert(write(x->control, &o, sizeof(o)) == (ssize_t)sizeof(o));
}

void
proxy_cut(struct proxy *x)
{
	order(x, 'c', 0);
}

void
proxy_freeze(struct proxy *x)
{
	order(x, 'f', 0);
}

void
proxy_thaw(struct proxy *x)
{
	order(x, 't', 0);
}

void
proxy_cut_after(struct proxy *x, unsigned kilobytes)
{
	order(x, 'a', kilobytes);
}

void
proxy_stop(struct proxy *x)
{
	int	status;

	close(x->control);
	waitpid(x->pid, &status, 0);
}
