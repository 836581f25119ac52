/* SPDX-License-Identifier: ISC */
#include <sys/types.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "egress.h"
#include "tree.h"

#define ENVIRON_MAX	(256 * 1024)
#define LOOK_MS		20

struct proc {
	struct egress_process	p;
	bool			ours;
};

struct procs {
	struct proc	*v;
	size_t		 n, cap;
};

static bool
add(void *arg, const struct egress_process *p)
{
	struct procs	*l = arg;
	struct proc	*v;
	size_t		 cap;

	if (l->n == l->cap) {
		cap = l->cap == 0 ? 256 : l->cap * 2;
		if ((v = reallocarray(l->v, cap, sizeof(*v))) == NULL)
			return false;	/* the next round sees it */
		l->v = v;
		l->cap = cap;
	}
	if (p->pid > 1)
		l->v[l->n++] = (struct proc){ .p = *p };
	return true;
}

/* Until nothing more is found: a child may be listed before its parent. */
static void
mark(struct procs *l)
{
	pid_t	me = getpid();
	size_t	i, j;
	bool	more = true;

	while (more) {
		more = false;
		for (i = 0; i < l->n; i++) {
			if (l->v[i].ours)
				continue;
			for (j = 0; j < l->n && !(l->v[j].ours &&
			    l->v[j].p.pid == l->v[i].p.parent); j++)
				;
			if (l->v[i].p.parent == me || j < l->n)
				more = l->v[i].ours = true;
		}
	}
}

static size_t
signal_ours(const struct procs *l, int sig)
{
	size_t	i, n = 0;

	for (i = 0; i < l->n; i++)
		if (l->v[i].ours && egress_signal(l->v[i].p.pid,
		    l->v[i].p.start, NULL, sig) == 0)
			n++;
	return n;
}

size_t
tree_signal(int sig)
{
	struct procs	l = { NULL, 0, 0 };
	size_t		n;

	egress_each(add, &l);
	mark(&l);
	n = signal_ours(&l, sig);
	free(l.v);
	return n;
}

/* --- what another one left --------------------------------------------------- */

uint64_t
tree_started(pid_t pid)
{
	struct egress_process	p;

	return egress_look(pid, &p) ? p.start : 0;
}

static bool
has_in_environ(pid_t pid, const char *variable)
{
	static char	buf[ENVIRON_MAX];
	char		path[40], *at;
	size_t		len = strlen(variable) + 1, n = 0;
	ssize_t		r;
	int		fd;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	/* A NUL before, so that each variable stands between two. */
	buf[n++] = '\0';
	while (n < sizeof(buf) &&
	    (r = read(fd, buf + n, sizeof(buf) - n)) > 0)
		n += (size_t)r;
	close(fd);
	for (at = buf; (at = memmem(at, n - (size_t)(at - buf), variable,
	    len)) != NULL; at++)
		if (at[-1] == '\0')
			return true;
	return false;
}

/* As many as there are; zombies have ended. */
static size_t
signal_lost(pid_t leader, uint64_t start, const char *variable, int sig)
{
	struct procs	 l = { NULL, 0, 0 };
	struct proc	*p;
	bool		 same = start != 0 && tree_started(leader) == start;
	size_t		 i, n;

	egress_each(add, &l);
	for (i = 0; i < l.n; i++) {
		p = &l.v[i];
		p->ours = p->p.pid != getpid() && p->p.state != 'Z' &&
		    ((same && p->p.session == leader) || (variable != NULL &&
		    has_in_environ(p->p.pid, variable)));
	}
	n = signal_ours(&l, sig);
	free(l.v);
	return n;
}

size_t
tree_end_lost(pid_t leader, uint64_t start, const char *variable,
    int64_t most_ms)
{
	int64_t	until = clock_ms() + most_ms;
	size_t	n = signal_lost(leader, start, variable, SIGTERM);

	if (n > 0)
		(void)signal_lost(leader, start, variable, SIGCONT);
	while (n > 0 && clock_ms() < until &&
	    signal_lost(leader, start, variable, 0) > 0)
		usleep(LOOK_MS * 1000);
	while (signal_lost(leader, start, variable, SIGKILL) > 0)
		usleep(LOOK_MS * 1000);
	return n;
}
