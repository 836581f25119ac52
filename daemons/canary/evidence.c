/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "canary.h"
#include "log.h"

#define TEXT_MAX	16384	/* of a file that is copied */
#define KERNEL_MAX	65536	/* of lines of the kernel's log */
#define LARGEST		15	/* processes that are listed */
#define CGROUPS		"/sys/fs/cgroup"

const char *const	cause_names[] = { [CAUSE_OOM] = "oom",
			    [CAUSE_KILLED] = "killed",
			    [CAUSE_VANISHED] = "vanished" };

/* As much as fits, as a text; false: there is nothing to be read. */
static bool
slurp(const char *path, char *buf, size_t size)
{
	size_t	have = 0;
	ssize_t	n = 0;
	int	fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd != -1 && have < size - 1 &&
	    (n = read(fd, buf + have, size - 1 - have)) > 0)
		have += (size_t)n;
	if (fd != -1)
		close(fd);
	buf[have] = '\0';
	return have > 0;
}

/* The number after a word that begins a line; -1: there is none. */
static int64_t
count_in(const char *path, const char *word)
{
	char	text[TEXT_MAX], *line, *save = NULL;
	size_t	n = strlen(word);

	if (path == NULL || !slurp(path, text, sizeof(text)))
		return -1;
	for (line = strtok_r(text, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, word, n) == 0 && line[n] == ' ')
			return strtoll(line + n, NULL, 10);
	return -1;
}

/* --- its cgroup --------------------------------------------------------------- */

/* malloc'd, if it can be read; else NULL. */
static char *
readable(const char *mount, const char *group, const char *file)
{
	char	*path;

	if (asprintf(&path, "%s%s%s/%s", CGROUPS, mount,
	    strcmp(group, "/") == 0 ? "" : group, file) == -1)
		fatal_memory();
	if (access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* A line of /proc/PID/cgroup: "0::GROUP", or "N:memory:GROUP" of version 1. */
static char *
events_of(char *line)
{
	char	*controllers = strchr(line, ':'), *group, *path;

	if (controllers == NULL ||
	    (group = strchr(controllers + 1, ':')) == NULL)
		return NULL;
	*group++ = '\0';
	if (strcmp(controllers + 1, "memory") == 0)
		return readable("/memory", group, "memory.oom_control");
	if (controllers[1] != '\0')
		return NULL;
	path = readable("", group, "memory.events.local");
	return path != NULL ? path : readable("", group, "memory.events");
}

static void
find_events(struct server *s)
{
	char	path[40], text[4096], *line, *save = NULL;

	free(s->events);
	s->events = NULL;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)s->life.pid);
	if (slurp(path, text, sizeof(text)))
		for (line = strtok_r(text, "\n", &save); line != NULL &&
		    s->events == NULL; line = strtok_r(NULL, "\n", &save))
			s->events = events_of(line);
}

void
evidence_look(struct server *s)
{
	find_events(s);
	s->cgroup_ooms = count_in(s->events, "oom_kill");
	s->host_ooms = count_in("/proc/vmstat", "oom_kill");
}

/* --- how it ended ----------------------------------------------------------------- */

/* Linux 6.15 and later tell it to whoever holds a pidfd: of linux/pidfd.h. */
struct pidfd_exit {
	uint64_t	mask, cgroup;
	uint32_t	ids[11];
	int32_t		exit_code;
};
#define PIDFD_EXIT	(1U << 3)
#define PIDFD_ASK	_IOWR(0xff, 11, struct pidfd_exit)

static int
shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
	    WEXITSTATUS(status);
}

int
evidence_status(const struct server *s)
{
	struct pidfd_exit	x = { .mask = PIDFD_EXIT };
	struct told		t;

	if (s->fd != -1 && ioctl(s->fd, PIDFD_ASK, &x) == 0 &&
	    (x.mask & PIDFD_EXIT))
		return shell_status(x.exit_code);
	if (s->dir_fd == -1)
		return -1;
	/* Its supervisor has waited for it, unless it has died, too. */
	told_read(&t, s->dir_fd, "supervise/reeve");
	return t.last.pid == s->life.pid && t.last.ticks == s->life.ticks &&
	    strcmp(t.last.boot, s->life.boot) == 0 ? t.status : -1;
}

/* --- the kernel's log --------------------------------------------------------------- */

struct kernel_log {
	char	text[KERNEL_MAX];	/* lines about memory that ran out */
	size_t	len;
	bool	readable, kills, names;	/* somebody; this process */
};

/* "N,SEQ,USEC,FLAGS;TEXT": a record, of which the lines after are no more. */
static void
take_record(struct kernel_log *k, char *record, const struct server *s,
    double since_s)
{
	char	*text = strchr(record, ';'), *at, pid[40];
	double	 at_s = 0;

	if (text == NULL)
		return;
	if (sscanf(record, "%*u,%*u,%lf", &at_s) == 1)
		at_s /= 1e6;
	text++;
	text[strcspn(text, "\n")] = '\0';
	if (strcasestr(text, "oom") == NULL &&
	    strcasestr(text, "out of memory") == NULL &&
	    strstr(text, "Killed process") == NULL)
		return;
	snprintf(pid, sizeof(pid), "Killed process %d ", (int)s->life.pid);
	at = strstr(text, "Killed process");
	if (at != NULL && at_s >= since_s) {
		k->kills = true;
		k->names = k->names || strncmp(at, pid, strlen(pid)) == 0;
	}
	if (k->len + strlen(text) + 32 < sizeof(k->text))
		k->len += (size_t)snprintf(k->text + k->len,
		    sizeof(k->text) - k->len, "[%.3f] %s\n", at_s, text);
}

static double
seconds(clockid_t clock)
{
	struct timespec	ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
read_kernel(struct kernel_log *k, const struct server *s)
{
	char	record[8192];
	/* Its clock stands still in suspend. */
	double	since_s = (double)s->life.ticks /
		    (double)sysconf(_SC_CLK_TCK) - 1 -
		    (seconds(CLOCK_BOOTTIME) - seconds(CLOCK_MONOTONIC));
	int	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t	n;

	memset(k, 0, sizeof(*k));
	/* EPIPE: some were overwritten meanwhile; it goes on after them. */
	while (fd != -1 && ((n = read(fd, record, sizeof(record) - 1)) > 0 ||
	    (n == -1 && errno == EPIPE))) {
		k->readable = true;
		if (n <= 0)
			continue;
		record[n] = '\0';
		take_record(k, record, s, since_s);
	}
	if (fd != -1)
		close(fd);
}

/*
 * Where the kernel's log tells whom it killed, that it is this one; else that
 * it killed in this cgroup since the last look, and nothing else ended it.
 */
enum cause
evidence_cause(const struct server *s, int status)
{
	static struct kernel_log	 k;
	int64_t				 now = count_in(s->events,
					    "oom_kill");
	char				 boot[37];

	life_boot(boot);
	if ((status == -1 || status == 128 + SIGKILL) &&
	    strcmp(boot, s->life.boot) == 0) {
		read_kernel(&k, s);
		if (k.names || (!k.kills && s->cgroup_ooms >= 0 &&
		    now > s->cgroup_ooms))
			return CAUSE_OOM;
	}
	return status > 128 ? CAUSE_KILLED : CAUSE_VANISHED;
}

/* --- the file ---------------------------------------------------------------------- */

static void
copy(FILE *f, const char *path)
{
	char	text[TEXT_MAX];

	if (slurp(path, text, sizeof(text)))
		fprintf(f, "\n--- %s\n%s", path, text);
}

struct process {
	long	pid, pages;
	char	name[64];
};

static void
keep_largest(struct process v[LARGEST], const struct process *p)
{
	size_t	i;

	if (p->pages <= v[LARGEST - 1].pages)
		return;
	for (i = LARGEST - 1; i > 0 && p->pages > v[i - 1].pages; i--)
		v[i] = v[i - 1];
	v[i] = *p;
}

/* Their names and no arguments: those may be secret. */
static void
largest(FILE *f)
{
	struct process	 v[LARGEST], p;
	char		 path[64], text[256];
	DIR		*d = opendir("/proc");
	struct dirent	*de;
	size_t		 i;

	memset(v, 0, sizeof(v));
	while (d != NULL && (de = readdir(d)) != NULL) {
		memset(&p, 0, sizeof(p));
		if ((p.pid = strtol(de->d_name, NULL, 10)) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%ld/statm", p.pid);
		if (!slurp(path, text, sizeof(text)) ||
		    sscanf(text, "%*d %ld", &p.pages) != 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%ld/comm", p.pid);
		(void)slurp(path, p.name, sizeof(p.name));
		p.name[strcspn(p.name, "\n")] = '\0';
		keep_largest(v, &p);
	}
	if (d != NULL)
		closedir(d);
	fprintf(f, "\n--- largest processes: resident kB, pid, name\n");
	for (i = 0; i < LARGEST && v[i].pages > 0; i++)
		fprintf(f, "%10ld %8ld %s\n", v[i].pages *
		    (sysconf(_SC_PAGESIZE) / 1024), v[i].pid, v[i].name);
}

static void
heading(FILE *f, const struct server *s, int status, enum cause cause)
{
	char	at[64];
	time_t	now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(f, "%s %s: process %d, begun at tick %llu of boot %s\n", at,
	    s->identity, (int)s->life.pid, s->life.ticks, s->life.boot);
	fprintf(f, "cause: %s\n", cause_names[cause]);
	if (status == -1)
		fprintf(f, "how it ended: nobody knows\n");
	else if (status > 128)
		fprintf(f, "how it ended: signal %d (%s)\n", status - 128,
		    strsignal(status - 128));
	else
		fprintf(f, "how it ended: exit code %d\n", status);
	fprintf(f, "out-of-memory kills, at the last look and now: "
	    "host %lld %lld, cgroup %lld %lld\n", (long long)s->host_ooms,
	    (long long)count_in("/proc/vmstat", "oom_kill"),
	    (long long)s->cgroup_ooms,
	    (long long)count_in(s->events, "oom_kill"));
}

void
evidence_write(FILE *f, const struct server *s, int status, enum cause cause)
{
	static struct kernel_log	k;

	heading(f, s, status, cause);
	copy(f, "/proc/meminfo");
	copy(f, "/proc/swaps");
	copy(f, "/proc/pressure/memory");
	copy(f, "/proc/pressure/cpu");
	copy(f, "/proc/pressure/io");
	copy(f, "/proc/loadavg");
	if (s->events != NULL)
		copy(f, s->events);
	largest(f);
	read_kernel(&k, s);
	fprintf(f, "\n--- the kernel's log about memory%s\n%s", k.readable ?
	    "" : ": it may not be read", k.text);
}
