/* SPDX-License-Identifier: ISC */
#ifndef REEVE_WATCH_H
#define REEVE_WATCH_H

/*
 * A descriptor in reeved's epoll set and who reads it.  A callback must take
 * it well to find nothing to read: an event may be left over from an earlier
 * descriptor of the same watch.  It reads once: what more there is brings
 * another event, after those of others.
 */
struct watch {
	int	 fd;			/* -1: closed */
	int	 epoll_fd;
	void	(*ready)(struct watch *);
	void	*arg;
};

/* Takes fd over, with another number, see keep.h.  -1 and errno, fd closed,
 * when epoll will not have it. */
int	watch_open(struct watch *, int epoll_fd, int fd,
	    void (*ready)(struct watch *), void *arg);

/* Closes the descriptor; nothing if it is closed already. */
void	watch_close(struct watch *);

#endif
