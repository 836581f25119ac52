/* SPDX-License-Identifier: ISC */
#include <sys/pidfd.h>
#include <sys/types.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "tree.h"

#define ENVIRON_MAX	(256 * 1024)
#define LOOK_MS		20

struct proc {
	pid_t		pid, parent, session;
	uint64_t	started;
	char		state;
	bool		ours;
};

struct procs {
	struct proc	*v;
	size_t		 n, cap;
};

/* What /proc/PID/stat says that is of interest; false: there is none. */
static bool
look_up(pid_t pid, struct proc *p)
{
	char			path[40], buf[1024], *at;
	unsigned long long	started;
	int			fd, parent, session;
	ssize_t			n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	/* The name may have blanks and brackets in it. */
	if ((at = strrchr(buf, ')')) == NULL || sscanf(at + 1, " %c %d %*d "
	    "%d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
	    "%llu", &p->state, &parent, &session, &started) != 4)
		return false;
	p->pid = pid;
	p->parent = parent;
	p->session = session;
	p->started = started;
	p->ours = false;
	return true;
}

static void
add(struct procs *l, const struct proc *p)
{
	struct proc	*v;
	size_t		 cap;

	if (l->n == l->cap) {
		cap = l->cap == 0 ? 256 : l->cap * 2;
		if ((v = reallocarray(l->v, cap, sizeof(*v))) == NULL)
			return;		/* the next round sees it */
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = *p;
}

static void
list(struct procs *l)
{
	DIR		*d = opendir("/proc");
	struct dirent	*de;
	struct proc	 p;
	pid_t		 pid;

	while (d != NULL && (de = readdir(d)) != NULL)
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9' &&
		    (pid = (pid_t)atoi(de->d_name)) > 1 && look_up(pid, &p))
			add(l, &p);
	if (d != NULL)
		closedir(d);
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
			    l->v[j].pid == l->v[i].parent); j++)
				;
			if (l->v[i].parent == me || j < l->n)
				more = l->v[i].ours = true;
		}
	}
}

/* Through a descriptor, and only if it is still who it was. */
static bool
send_to(const struct proc *p, int sig)
{
	int		fd = pidfd_open(p->pid, 0);
	struct proc	now;
	bool		sent;

	if (fd == -1)
		return false;
	sent = look_up(p->pid, &now) && now.started == p->started &&
	    pidfd_send_signal(fd, sig, NULL, 0) == 0;
	close(fd);
	return sent;
}

static size_t
signal_ours(const struct procs *l, int sig)
{
	size_t	i, n = 0;

	for (i = 0; i < l->n; i++)
		if (l->v[i].ours && send_to(&l->v[i], sig))
			n++;
	return n;
}

size_t
tree_signal(int sig)
{
	struct procs	l = { NULL, 0, 0 };
	size_t		n;

	list(&l);
	mark(&l);
	n = signal_ours(&l, sig);
	free(l.v);
	return n;
}

/* --- what another one left --------------------------------------------------- */

uint64_t
tree_started(pid_t pid)
{
	struct proc	p;

	return look_up(pid, &p) ? p.started : 0;
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

	list(&l);
	for (i = 0; i < l.n; i++) {
		p = &l.v[i];
		p->ours = p->pid != getpid() && p->state != 'Z' &&
		    ((same && p->session == leader) || (variable != NULL &&
		    has_in_environ(p->pid, variable)));
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
