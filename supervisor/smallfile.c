/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

int
smallfile_write(int dir_fd, const char *path, const void *data, size_t len)
{
	char	temporary[PATH_SIZE];
	ssize_t	n;
	int	fd, saved;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	/* not blocking: a FIFO in its place would wait for a reader */
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd == -1)
		return -1;
	n = write(fd, data, len);
	if ((size_t)n == len && close(fd) == 0)
		return renameat(dir_fd, temporary, dir_fd, path);
	/* On a full disk it would keep what little is left. */
	saved = n == -1 || (size_t)n == len ? errno : ENOSPC;
	if ((size_t)n != len)
		close(fd);
	unlinkat(dir_fd, temporary, 0);
	errno = saved;
	return -1;
}
