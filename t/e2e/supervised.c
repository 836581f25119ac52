/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "supervised.h"

#define PATH_SIZE	400
/* Of s6's status: 12 bytes each for the start and for ready; pid, 8 bytes,
 * big endian (in newer ones the group's, too); 2 wait status; flags. */
#define S6_PID		24
#define S6_SIZE		35
#define S6_SIZE_NEWER	43
#define S6_FINISHES	2
#define S6_READY	8

static const struct {
	const char	*name, *own;	/* own: of one service */
	int		 end;
} kinds[] = {
	[BY_REEVED] = { "reeved", NULL, SIGTERM },
	[BY_RUNIT] = { "runsvdir", "runsv", SIGHUP },
	[BY_S6] = { "s6-svscan", "s6-supervise", SIGTERM },
};

enum supervisor
supervised_by(void)
{
	const char	*name = getenv("REEVE_SUPERVISOR");
	enum supervisor	 kind;

	if (name == NULL || name[0] == '\0')
		return BY_REEVED;
	for (kind = BY_REEVED; kind <= BY_S6; kind++)
		if (strcmp(name, kinds[kind].name) == 0)
			return kind;
	ck_abort_msg("REEVE_SUPERVISOR is none: %s", name);
	return BY_REEVED;
}

bool
supervised_by_reeved(const char *reason)
{
	if (supervised_by() == BY_REEVED)
		return true;
	printf("not with %s: %s\n", kinds[supervised_by()].name, reason);
	return false;
}

void
supervised_exec(const char *reeved, const char *state)
{
	char	dir[PATH_SIZE];

	snprintf(dir, sizeof(dir), "%s/service", state);
	/* Without one that listens, what we have open as 3 would be written
	 * to as a role's notification-fd. */
	close_range(STDERR_FILENO + 1, ~0U, 0);
	switch (supervised_by()) {
	case BY_RUNIT:
		execlp("runsvdir", "runsvdir", dir, (char *)NULL);
		break;
	case BY_S6:
		execlp("s6-svscan", "s6-svscan", dir, (char *)NULL);
		break;
	case BY_REEVED:
	default:
		execl(reeved, "reeved", "-v", "--state", state,
		    (char *)NULL);
		break;
	}
	perror(kinds[supervised_by()].name);
	_exit(127);
}

/* --- a service ------------------------------------------------------------------ */

/* How many bytes there were; 0 when it is not there. */
static size_t
read_file(const char *service, const char *file, unsigned char *buf,
    size_t size)
{
	char	path[PATH_SIZE];
	ssize_t	n;
	int	fd;

	snprintf(path, sizeof(path), "%s/supervise/%s", service, file);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	n = read(fd, buf, size);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* The flags; -1: s6 says nothing. */
static int
s6_status(const char *service, pid_t *pid)
{
	unsigned char	b[64];
	size_t		n = read_file(service, "status", b, sizeof(b)), i;
	uint64_t	v = 0;

	if (n != S6_SIZE && n != S6_SIZE_NEWER)
		return -1;
	for (i = 0; i < 8; i++)
		v = v << 8 | b[S6_PID + i];
	*pid = (pid_t)v;
	return b[n - 1];
}

pid_t
supervised_pid(const char *service)
{
	unsigned char	text[64];
	size_t		n;
	pid_t		pid;
	int		flags;

	if (supervised_by() == BY_S6) {
		flags = s6_status(service, &pid);
		return flags == -1 || (flags & S6_FINISHES) ? 0 : pid;
	}
	n = read_file(service, "pid", text, sizeof(text) - 1);
	text[n] = '\0';
	return (pid_t)atoi((char *)text);
}

bool
supervised_is_ready(const char *service)
{
	unsigned char	text[64];
	pid_t		pid;
	int		flags;

	if (supervised_by() == BY_S6)
		return (flags = s6_status(service, &pid)) != -1 &&
		    pid != 0 && (flags & S6_READY);
	return read_file(service, "reeve", text, sizeof(text)) > 12 &&
	    memcmp(text, "state=ready\n", 12) == 0;
}

bool
supervised_at_all(const char *service)
{
	char	path[PATH_SIZE];
	int	fd;

	snprintf(path, sizeof(path), "%s/supervise/control", service);
	if ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) == -1)
		return false;
	close(fd);
	return true;
}

/* --- the supervisor ------------------------------------------------------------- */

static bool
is_own(const char *pid, pid_t top)
{
	char	 path[300], buf[512], *open, *end;
	const char *own = kinds[supervised_by()].own;
	FILE	*f;
	int	 parent;
	bool	 is = false;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	if (own == NULL || (f = fopen(path, "re")) == NULL)
		return false;
	if (fgets(buf, sizeof(buf), f) != NULL &&
	    (open = strchr(buf, '(')) != NULL &&
	    (end = strrchr(buf, ')')) != NULL &&
	    sscanf(end + 1, " %*c %d", &parent) == 1) {
		*end = '\0';
		is = parent == (int)top && strcmp(open + 1, own) == 0;
	}
	fclose(f);
	return is;
}

void
supervised_signal(pid_t top, int sig)
{
	struct dirent	*de;
	DIR		*d;

	/* First the one that would start others anew. */
	kill(top, SIGSTOP);
	d = opendir("/proc");
	while (d != NULL && (de = readdir(d)) != NULL)
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9' &&
		    is_own(de->d_name, top))
			kill((pid_t)atoi(de->d_name), sig);
	if (d != NULL)
		closedir(d);
	kill(top, sig);
}

void
supervised_end(pid_t top)
{
	kill(top, kinds[supervised_by()].end);
}
