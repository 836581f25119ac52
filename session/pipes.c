/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "pipes.h"

static int
open_anew(int which)
{
	return open(which == 0 ? "/proc/self/fd/0" : "/proc/self/fd/1",
	    (which == 0 ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_NOCTTY |
	    O_CLOEXEC);
}

void
pipe_ends_fill(void)
{
	int	fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
}

void
pipe_end_open(struct pipe_end *s, int which)
{
	struct stat	st;

	*s = (struct pipe_end){ .fd = which, .flags = -1 };
	if (fstat(which, &st) == -1) {
		s->fd = -1;
		return;
	}
	s->socket = S_ISSOCK(st.st_mode);
	if (s->socket || S_ISREG(st.st_mode))
		return;
	if ((s->fd = open_anew(which)) != -1) {
		s->own = true;
		return;
	}
	s->fd = which;
	s->flags = fcntl(which, F_GETFL);
	if (s->flags != -1 && fcntl(which, F_SETFL, s->flags |
	    O_NONBLOCK) == -1)
		s->flags = -1;
}

void
pipe_end_close(struct pipe_end *s)
{
	if (s->own)
		close(s->fd);
	else if (s->flags != -1)
		(void)fcntl(s->fd, F_SETFL, s->flags);
	s->fd = -1;
}

ssize_t
pipe_end_read(const struct pipe_end *s, char *buf, size_t size)
{
	ssize_t	n;

	do
		n = s->socket ? recv(s->fd, buf, size, MSG_DONTWAIT) :
		    read(s->fd, buf, size);
	while (n == -1 && errno == EINTR);
	return n;
}

ssize_t
pipe_end_write(const struct pipe_end *s, const char *data, size_t len)
{
	ssize_t	n;

	do
		n = s->socket ? send(s->fd, data, len, MSG_DONTWAIT |
		    MSG_NOSIGNAL) : write(s->fd, data, len);
	while (n == -1 && errno == EINTR);
	return n;
}
