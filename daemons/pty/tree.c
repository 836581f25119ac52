/* SPDX-License-Identifier: ISC */
#include <sys/pidfd.h>
#include <sys/types.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tree.h"

struct proc {
	pid_t	pid, parent;
	bool	ours;
};

struct procs {
	struct proc	*v;
	size_t		 n, cap;
};

/* 0: there is none.  A zombie counts: its other threads may live. */
static pid_t
parent_of(pid_t pid)
{
	char	path[40], buf[512], *p;
	int	fd, parent;
	ssize_t	n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	/* The name may have blanks and brackets in it. */
	if ((p = strrchr(buf, ')')) == NULL ||
	    sscanf(p + 1, " %*c %d", &parent) != 1)
		return 0;
	return parent;
}

static void
add(struct procs *l, pid_t pid, pid_t parent)
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
	l->v[l->n++] = (struct proc){ pid, parent, false };
}

static void
list(struct procs *l)
{
	DIR		*d = opendir("/proc");
	struct dirent	*de;
	pid_t		 pid, parent;

	while (d != NULL && (de = readdir(d)) != NULL)
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9' &&
		    (pid = (pid_t)atoi(de->d_name)) > 1 &&
		    (parent = parent_of(pid)) != 0)
			add(l, pid, parent);
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
	int	fd = pidfd_open(p->pid, 0);
	bool	sent;

	if (fd == -1)
		return false;
	sent = parent_of(p->pid) == p->parent &&
	    pidfd_send_signal(fd, sig, NULL, 0) == 0;
	close(fd);
	return sent;
}

size_t
tree_signal(int sig)
{
	struct procs	l = { NULL, 0, 0 };
	size_t		i, n = 0;

	list(&l);
	mark(&l);
	for (i = 0; i < l.n; i++)
		if (l.v[i].ours && send_to(&l.v[i], sig))
			n++;
	free(l.v);
	return n;
}
