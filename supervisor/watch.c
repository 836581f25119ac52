/* SPDX-License-Identifier: ISC */
#include <sys/epoll.h>

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "keep.h"
#include "watch.h"

int
watch_open(struct watch *w, int epoll_fd, int fd,
    void (*ready)(struct watch *), void *arg)
{
	struct epoll_event	ev = { .events = EPOLLIN, .data.ptr = w };
	int			saved;

	w->fd = fd = keep_open(fd);
	w->epoll_fd = epoll_fd;
	w->ready = ready;
	w->arg = arg;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	saved = errno;
	close(fd);
	w->fd = -1;
	errno = saved;
	return -1;
}

void
watch_close(struct watch *w)
{
	if (w->fd == -1)
		return;
	/* Not left to close: a child on its way to exec has a copy. */
	epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	close(w->fd);
	w->fd = -1;
}
