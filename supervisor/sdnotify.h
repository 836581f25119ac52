/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SDNOTIFY_H
#define REEVE_SDNOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

#include <stdint.h>

/* What systemd wants to hear of a service of Type=notify; see sd_notify(3). */
struct sdnotify {
	int			 fd;		/* -1: nobody listens */
	struct sockaddr_un	 addr;
	socklen_t		 addr_len;
	int64_t			 every_ms;	/* watchdog; 0: none */
};

/* From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
void	sdnotify_init(struct sdnotify *);

/* Send "READY=1" and the like.  Nothing if nobody listens.  -1 and errno:
 * EAGAIN when the receiver has no room now. */
int	sdnotify_send(const struct sdnotify *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

void	sdnotify_close(struct sdnotify *);

#endif
