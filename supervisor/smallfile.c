/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smallfile.h"

#define PATH_SIZE	64	/* of our own names: supervise/status.new */

static int
fail(int fd, int error)
{
	close(fd);
	errno = error;
	return -1;
}

ssize_t
smallfile_read(int dir_fd, const char *path, char *buf, size_t size)
{
	size_t	len = 0;
	ssize_t	n;
	int	fd;

	/* Not to hang on a fifo that someone put there. */
	fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return -1;
	while ((n = read(fd, buf + len, size - len)) > 0) {
		len += (size_t)n;
		if (len == size)
			return fail(fd, EFBIG);
	}
	if (n == -1)
		return fail(fd, errno);
	close(fd);
	buf[len] = '\0';
	return (ssize_t)len;
}

int64_t
smallfile_number(int dir_fd, const char *path)
{
	char	 buf[32], *end;
	long	 n;

	if (smallfile_read(dir_fd, path, buf, sizeof(buf)) == -1)
		return -1;
	errno = 0;
	n = strtol(buf, &end, 10);
	while (*end == ' ' || *end == '\t' || *end == '\n' || *end == '\r')
		end++;
	if (buf[0] < '0' || buf[0] > '9' || *end != '\0' || errno != 0 ||
	    n > INT32_MAX) {
		errno = EINVAL;
		return -1;
	}
	return n;
}

static int
open_spare(int dir_fd, const char *path, char spare[PATH_SIZE], int flags)
{
	snprintf(spare, PATH_SIZE, "%s.spare", path);
	return openat(dir_fd, spare, flags | O_WRONLY | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK, 0644);
}

/*
 * Does nobody else have it open?  The spare file was the file itself two
 * writes ago, and who reads that must not see it change.  A lease tells, and
 * keeps others out until the descriptor is closed; whoever waits for that
 * would be made known to us by SIGIO, which ends a process.
 */
static bool
is_unread(int fd)
{
	return fcntl(fd, F_SETSIG, SIGURG) == 0 &&
	    fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
}

/*
 * Is it as we would make it?  What was given to somebody, or has a second
 * name, is not written into: a new file takes its place.
 */
static bool
is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	    st->st_uid == geteuid() &&
	    (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int
overwrite(int fd, off_t size, const void *data, size_t len)
{
	if (pwrite(fd, data, len, 0) != (ssize_t)len)
		return -1;
	return size <= (off_t)len ? 0 : ftruncate(fd, (off_t)len);
}

/*
 * Into what the spare file has of the disk; the file that it takes the place
 * of is the spare one then.
 */
static int
write_spare(int dir_fd, const char *path, const void *data, size_t len,
    bool though_read)
{
	char		spare[PATH_SIZE];
	struct stat	st;
	int		fd;

	if ((fd = open_spare(dir_fd, path, spare, 0)) == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !is_ours(&st) ||
	    (!though_read && !is_unread(fd)) ||
	    overwrite(fd, st.st_size, data, len) == -1)
		return fail(fd, errno);
	if (close(fd) == -1)
		return -1;
	return renameat2(dir_fd, spare, dir_fd, path, RENAME_EXCHANGE);
}

/*
 * In the place of what is there, if anything; that is the spare one then.
 * Should it not be let to, it is removed, or it would be written into while
 * somebody reads it.
 */
static int
put_in_place(int dir_fd, const char *temporary, const char *path)
{
	char	spare[PATH_SIZE];

	if (renameat2(dir_fd, temporary, dir_fd, path, RENAME_EXCHANGE) == -1)
		return renameat(dir_fd, temporary, dir_fd, path);
	snprintf(spare, sizeof(spare), "%s.spare", path);
	if (renameat(dir_fd, temporary, dir_fd, spare) == -1)
		unlinkat(dir_fd, temporary, 0);
	return 0;
}

static int
write_new(int dir_fd, const char *path, const void *data, size_t len)
{
	char	temporary[PATH_SIZE];
	ssize_t	n;
	int	fd, saved;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	/* What a killed one left may be what somebody reads. */
	unlinkat(dir_fd, temporary, 0);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	n = write(fd, data, len);
	if ((size_t)n == len && close(fd) == 0)
		return put_in_place(dir_fd, temporary, path);
	/* On a full disk it would keep what little is left. */
	saved = n == -1 || (size_t)n == len ? errno : ENOSPC;
	if ((size_t)n != len)
		close(fd);
	unlinkat(dir_fd, temporary, 0);
	errno = saved;
	return -1;
}

bool
smallfile_no_space(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

int
smallfile_reserve(int dir_fd, const char *path, size_t size)
{
	char		zeros[SMALLFILE_RESERVE_MAX] = { 0 };
	char		spare[PATH_SIZE];
	struct stat	st;
	ssize_t		n;
	int		fd;

	if ((fd = open_spare(dir_fd, path, spare, O_CREAT)) == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		return fail(fd, errno);
	if (!is_ours(&st))
		return fail(fd, EPERM);
	/* What somebody reads has its place on the disk, and keeps it. */
	if (st.st_size >= (off_t)size || (st.st_size > 0 && !is_unread(fd)))
		return close(fd);
	if ((n = pwrite(fd, zeros, size, 0)) == -1)
		return fail(fd, errno);
	if ((size_t)n != size)
		return fail(fd, ENOSPC);
	return close(fd);
}

int
smallfile_write(int dir_fd, const char *path, const void *data, size_t len)
{
	int	saved;

	if (write_spare(dir_fd, path, data, len, false) == 0 ||
	    write_new(dir_fd, path, data, len) == 0)
		return 0;
	saved = errno;
	if (smallfile_no_space(saved) &&
	    write_spare(dir_fd, path, data, len, true) == 0)
		return 0;
	errno = saved;
	return -1;
}
