/* SPDX-License-Identifier: ISC */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "brood.h"
#include "props.h"

#define BEGIN_US	60000000
#define END_MS		30000

static const struct {
	const char	*top, *restarter;
	int		 stop;		/* ends services too */
} kinds[] = {
	[SUPERVISOR_REEVED] = { "reeved", "reeved", SIGTERM },
	[SUPERVISOR_RUNIT] = { "runsvdir", "runsv", SIGHUP },
	[SUPERVISOR_S6] = { "s6-svscan", "s6-supervise", SIGTERM },
};

int64_t
brood_now_us(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
brood_rest(int64_t us)
{
	struct timespec	ts = { .tv_sec = us / 1000000,
			    .tv_nsec = us % 1000000 * 1000 };

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		continue;
}

const char *
brood_restarter(enum supervisor kind)
{
	return kinds[kind].restarter;
}

const char *
brood_top(enum supervisor kind)
{
	return kinds[kind].top;
}

int
brood_have(enum supervisor kind)
{
	char	command[64];

	if (kind == SUPERVISOR_REEVED)
		return 1;
	snprintf(command, sizeof(command), "command -v %s >/dev/null",
	    kinds[kind].top);
	return system(command) == 0;
}

/* --- beginning ---------------------------------------------------------- */

/* One of ours, by a path that holds in other directories, too. */
static char *
program(const char *name, struct error *e)
{
	char	*path = props_program(name, e), *real = NULL;

	if (path != NULL && (real = realpath(path, NULL)) == NULL)
		error_errno(e, EX_UNAVAILABLE, "%s", path);
	free(path);
	return real;
}

static int
make_services(struct brood *b, struct error *e)
{
	char		 path[128], *mark = program("mark", e);
	unsigned	 i;
	int		 r = 0;

	if (mark == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/service", b->dir);
	if (mkdir(path, 0755) == -1)
		r = error_errno(e, EX_CANTCREAT, "%s", path);
	for (i = 0; r == 0 && i < b->n; i++) {
		snprintf(path, sizeof(path), "%s/service/s%u", b->dir, i);
		if (mkdir(path, 0755) == 0) {
			snprintf(path, sizeof(path), "%s/service/s%u/run",
			    b->dir, i);
			if (symlink(mark, path) == 0)
				continue;
		}
		r = error_errno(e, EX_CANTCREAT, "%s", path);
	}
	free(mark);
	return r;
}

static int
open_marks(struct brood *b, struct error *e)
{
	char	path[128];

	snprintf(path, sizeof(path), "%s/marks", b->dir);
	/* For writing too: it has no end while we have it. */
	if (mkfifo(path, 0600) == -1 || (b->marks_fd = open(path,
	    O_RDWR | O_CLOEXEC | O_NONBLOCK)) == -1)
		return error_errno(e, EX_CANTCREAT, "%s", path);
	return 0;
}

static void
exec_supervisor(const struct brood *b, const char *reeved)
{
	char	path[128];
	int	fd;

	snprintf(path, sizeof(path), "%s/log", b->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	snprintf(path, sizeof(path), "%s/service", b->dir);
	setsid();
	switch (b->kind) {
	case SUPERVISOR_REEVED:
		execl(reeved, "reeved", "--state", b->dir, (char *)NULL);
		break;
	case SUPERVISOR_RUNIT:
		execlp("runsvdir", "runsvdir", path, (char *)NULL);
		break;
	case SUPERVISOR_S6:
	default:
		execlp("s6-svscan", "s6-svscan", "-c", "2000", path,
		    (char *)NULL);
		break;
	}
	_exit(127);
}

int
brood_mark(struct brood *b, int64_t us, struct mark *m, struct error *e)
{
	struct pollfd	pfd = { .fd = b->marks_fd, .events = POLLIN };
	struct timespec	ts = { .tv_sec = us / 1000000,
			    .tv_nsec = us % 1000000 * 1000 };
	int		n;

	if ((n = ppoll(&pfd, 1, us > 0 ? &ts : &(struct timespec){ 0 },
	    NULL)) == 0)
		return 0;
	if (n == 1 && read(b->marks_fd, m, sizeof(*m)) ==
	    (ssize_t)sizeof(*m) && m->service < b->n)
		return 1;
	return error_errno(e, EX_SOFTWARE, "marks");
}

static int
await_services(struct brood *b, struct error *e)
{
	struct mark	m;
	unsigned	i;
	int		r;

	for (i = 0; i < b->n; i++) {
		if ((r = brood_mark(b, BEGIN_US, &m, e)) == 0)
			return error_set(e, EX_TEMPFAIL, "%s: only %u of %u "
			    "services start", brood_top(b->kind), i, b->n);
		if (r == -1)
			return -1;
		b->pids[m.service] = m.pid;
	}
	return 0;
}

int
brood_begin(struct brood *b, enum supervisor kind, unsigned n,
    const char *dir, struct error *e)
{
	char	*reeved;

	memset(b, 0, sizeof(*b));
	b->kind = kind;
	b->n = n;
	b->marks_fd = -1;
	snprintf(b->dir, sizeof(b->dir), "%s/%s-%u", dir, brood_top(kind), n);
	if (mkdir(b->dir, 0755) == -1)
		return error_errno(e, EX_CANTCREAT, "%s", b->dir);
	if ((reeved = program("reeved", e)) == NULL)
		return -1;
	if (make_services(b, e) == -1 || open_marks(b, e) == -1) {
		free(reeved);
		return -1;
	}
	/* runsvs are orphans once runsvdir has gone, and are waited for. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(NULL);
	if ((b->top = fork()) == 0)
		exec_supervisor(b, reeved);
	free(reeved);
	if (b->top == -1)
		return error_errno(e, EX_OSERR, "fork");
	return await_services(b, e);
}

/* --- what it costs ------------------------------------------------------ */

/* Its name and parent; -1: it has gone. */
static int
look_at(pid_t pid, char name[32], pid_t *parent)
{
	char	 path[40], buf[512], *open, *end;
	FILE	*f;
	int	 r = -1, ppid;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return -1;
	if (fgets(buf, sizeof(buf), f) != NULL &&
	    (open = strchr(buf, '(')) != NULL &&
	    (end = strrchr(buf, ')')) != NULL &&
	    sscanf(end + 1, " %*c %d", &ppid) == 1) {
		snprintf(name, 32, "%.*s", (int)(end - open - 1), open + 1);
		*parent = (pid_t)ppid;
		r = 0;
	}
	fclose(f);
	return r;
}

static int
add_cost(pid_t pid, struct brood_cost *c, struct error *e)
{
	struct timespec	 ts;
	clockid_t	 clock;
	char		 path[40], line[128];
	long		 kb, rss_kb = -1;
	FILE		*f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if ((f = fopen(path, "re")) != NULL) {
		while (fgets(line, sizeof(line), f) != NULL)
			if (sscanf(line, "Rss: %ld kB", &kb) == 1)
				rss_kb = kb;
		fclose(f);
	}
	if (rss_kb == -1 || clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &ts) == -1)
		return error_set(e, EX_OSERR, "cannot read what process %d "
		    "costs", (int)pid);
	c->processes++;
	c->rss_kb += rss_kb;
	c->cpu_us += (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
	return 0;
}

int
brood_cost(const struct brood *b, struct brood_cost *c, struct error *e)
{
	struct dirent	*de;
	char		 name[32];
	pid_t		 pid, parent;
	DIR		*d;
	int		 r;

	memset(c, 0, sizeof(*c));
	if ((r = add_cost(b->top, c, e)) == -1)
		return -1;
	if ((d = opendir("/proc")) == NULL)
		return error_errno(e, EX_OSERR, "/proc");
	while (r == 0 && (de = readdir(d)) != NULL)
		if ((pid = (pid_t)atoi(de->d_name)) > 0 &&
		    look_at(pid, name, &parent) == 0 && parent == b->top &&
		    strcmp(name, kinds[b->kind].restarter) == 0)
			r = add_cost(pid, c, e);
	closedir(d);
	return r;
}

/* --- ending ------------------------------------------------------------- */

static void
kill_children(void)
{
	struct dirent	*de;
	char		 name[32];
	pid_t		 pid, parent;
	DIR		*d = opendir("/proc");

	while (d != NULL && (de = readdir(d)) != NULL)
		if ((pid = (pid_t)atoi(de->d_name)) > 0 &&
		    look_at(pid, name, &parent) == 0 && parent == getpid())
			kill(pid, SIGKILL);
	if (d != NULL)
		closedir(d);
}

void
brood_stop(struct brood *b)
{
	if (b->top > 0)
		kill(b->top, kinds[b->kind].stop);
	b->top = 0;
}

void
brood_end(struct brood *b)
{
	int64_t	until_us = brood_now_us() + END_MS * 1000;
	pid_t	pid;

	brood_stop(b);
	/* Killed supervisors leave services to us, which are killed next. */
	while ((pid = waitpid(-1, NULL, WNOHANG)) != -1 || errno == EINTR) {
		if (pid > 0)
			continue;
		if (brood_now_us() > until_us)
			kill_children();
		brood_rest(2000);
	}
	if (b->marks_fd != -1)
		close(b->marks_fd);
	b->marks_fd = -1;
}
