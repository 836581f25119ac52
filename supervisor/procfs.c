/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procfs.h"
#include "smallfile.h"

bool
procfs_stat(pid_t pid, struct procfs_stat *st)
{
	char	path[40], buf[1024], *p, state;
	int	group, session;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (smallfile_read(AT_FDCWD, path, buf, sizeof(buf)) == -1)
		return false;
	/* The second field is a name in brackets, and may hold anything; the
	 * start is the 22nd. */
	if ((p = strrchr(buf, ')')) == NULL || sscanf(p + 1, " %c %*s %d %d"
	    " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
	    " %llu", &state, &group, &session, &st->start_ticks) != 4) {
		errno = EINVAL;
		return false;
	}
	st->is_zombie = state == 'Z' || state == 'X';
	st->group = group;
	st->session = session;
	return true;
}

bool
procfs_scarce(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ||
	    error == ENOBUFS || error == ENOSPC;
}

unsigned long long
procfs_start_ticks(pid_t pid)
{
	struct procfs_stat	st;

	return procfs_stat(pid, &st) ? st.start_ticks : 0;
}

bool
procfs_works_in(pid_t pid, dev_t dev, ino_t ino)
{
	struct stat	st;
	char		path[40];

	errno = 0;
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	return stat(path, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static unsigned long long
mask(const char *status, const char *name)
{
	const char	*p = strstr(status, name);

	return p == NULL ? 0 : strtoull(p + strlen(name), NULL, 16);
}

/* All signals are blocked for a moment by libraries, and by shells at a
 * fork; that is no sign of waiting for this one. */
bool
procfs_expects(pid_t pid, int sig)
{
	char			path[40], buf[4096];
	unsigned long long	blocked, wanted = 1ULL << (sig - 1);

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (smallfile_read(AT_FDCWD, path, buf, sizeof(buf)) == -1)
		return false;
	blocked = mask(buf, "\nSigBlk:\t");
	if (blocked & 1ULL << (SIGSEGV - 1))
		blocked = 0;
	return ((blocked | mask(buf, "\nSigCgt:\t")) & wanted) != 0;
}

int
procfs_boot_id(char buf[BOOT_ID_SIZE])
{
	char	file[BOOT_ID_SIZE + 2];

	buf[0] = '\0';
	if (smallfile_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", file,
	    sizeof(file)) == -1)
		return -1;
	file[strcspn(file, "\n")] = '\0';
	snprintf(buf, BOOT_ID_SIZE, "%.36s", file);
	return 0;
}
