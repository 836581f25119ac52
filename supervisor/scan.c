/* SPDX-License-Identifier: ISC */
#include <sys/inotify.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "scan.h"

#define DRAIN_TIMES	16

static void
visit(int dir_fd, const struct dirent64 *entry, scan_fn *fn, void *arg)
{
	struct stat	st;

	if (entry->d_name[0] == '.')
		return;
	if (entry->d_type != DT_DIR && entry->d_type != DT_LNK &&
	    entry->d_type != DT_UNKNOWN)
		return;
	/* One that vanishes meanwhile is one that is not there. */
	if (fstatat(dir_fd, entry->d_name, &st, 0) == 0 &&
	    S_ISDIR(st.st_mode))
		fn(arg, entry->d_name, &st);
}

int
scan_directory(int dir_fd, scan_fn *fn, void *arg)
{
	_Alignas(struct dirent64) char	 buf[16384];
	const struct dirent64		*entry;
	ssize_t				 n, i;

	if (lseek(dir_fd, 0, SEEK_SET) == -1)
		return -1;
	while ((n = getdents64(dir_fd, buf, sizeof(buf))) > 0)
		for (i = 0; i < n; i += entry->d_reclen) {
			entry = (const void *)(buf + i);
			visit(dir_fd, entry, fn, arg);
		}
	return n == -1 ? -1 : 0;
}

int
scan_notifier(const char *path)
{
	int	fd, saved;

	if ((fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) == -1)
		return -1;
	if (inotify_add_watch(fd, path, IN_CREATE | IN_DELETE |
	    IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR) != -1)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void
scan_drain(int notifier_fd)
{
	_Alignas(struct inotify_event) char	buf[4096];
	int					i;

	for (i = 0; i < DRAIN_TIMES &&
	    read(notifier_fd, buf, sizeof(buf)) > 0; i++)
		continue;
}
