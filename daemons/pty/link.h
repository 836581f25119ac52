/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PTY_LINK_H
#define REEVE_PTY_LINK_H

#include <pthread.h>

#include "bus.h"
#include "conf.h"
#include "creds.h"

/*
 * The connection of a terminal to the broker.  It comes and goes; the child
 * must not wait for it, so another thread connects, and hands over a bus that
 * only the loop's thread uses from then on.
 */
struct link {
	const char	*servers, *creds_path;
	struct creds	 creds;
	struct bus	*bus;		/* NULL: not connected */
	int		 wake_fd;	/* readable: link_tend has something */
	int64_t		 next_ms, backoff_ms;
	bool		 connecting;
	/* the thread's, until it has written to wake_fd */
	pthread_t	 thread;
	struct bus	*made;
	struct error	 error;
};

/* servers and creds_path outlive it.  Connects at the first link_tend. */
void	link_init(struct link *, const char *servers, const char *creds_path);
void	link_free(struct link *);
/* True when a connection has just been made: subscribe on it. */
bool	link_tend(struct link *);
/* When link_tend is to be called, by clock_ms; INT64_MAX: need not. */
int64_t	link_due(const struct link *);
/* Give the connection up, and make another at once, or after the back-off. */
void	link_drop(struct link *, bool at_once);

#endif
