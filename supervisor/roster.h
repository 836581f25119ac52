/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ROSTER_H
#define REEVE_ROSTER_H

#include <sys/resource.h>

#include "procfs.h"
#include "service.h"

/*
 * All services: which there are, in the order of their names, and what
 * concerns more than one of them.  Logs hang on their services.
 */
struct roster {
	TAILQ_HEAD(service_list, service) services;	/* owned */
	int		 epoll_fd;
	int		 null_fd;	/* /dev/null */
	int		 dir_fd;	/* <state>/service */
	uint64_t	 ignored;	/* signals that children are not to */
	bool		 shares;	/* descriptors with a new child */
	struct rlimit	 nofile;	/* as children are to have it */
	rlim_t		 fds_max;	/* how many we may have open */
	rlim_t		 fds_due;	/* how many the services may need */
	char		 boot_id[BOOT_ID_SIZE];
	int64_t		 scan_due_ms;	/* monotonic, or NEVER */
	SLIST_HEAD(, unfinished) unfinished; /* owned: without run */
	int64_t		 unfinished_due_ms; /* to look at these again */
	int64_t		 scan_retry_ms;	/* pause after a failure */
	bool		 scan_failed;	/* not everything was taken up */
	bool		 aliased;	/* of one directory two names */
	int64_t		 scan_every_ms;	/* 0: a notifier says when */
	int64_t		 publish_due_ms; /* what could not be written */
	int64_t		 publish_retry_ms; /* pause after a failure */
	bool		 unreaped;	/* there may be more children */
	bool		 changed;	/* a service, since roster_release */
	bool		 stopping;	/* no more scans */
};

/* Opens nothing: the descriptors are the caller's to set. */
void	roster_init(struct roster *);

/* Forget all services and close the descriptors. */
void	roster_free(struct roster *);

/*
 * Bring the roster in line with the service directory: take up what is new,
 * and start it in order, or end its orphan; stop what is gone.
 */
void	roster_scan(struct roster *);

/* Forget who was let go by x; the next scan takes them up again. */
void	roster_recall(struct roster *);

/* Collect children that ended, or, of a flood, a part: the deadline is now
 * then. */
void	roster_reap(struct roster *);

/* Deliver the deadlines that have passed; scan when due. */
void	roster_timers(struct roster *);

/* Start those that waited for what is ready now. */
void	roster_release(struct roster *);

/* The earliest deadline, or NEVER. */
int64_t	roster_deadline_ms(const struct roster *);

/* Let go of what is down and leaves or is gone. */
void	roster_sweep(struct roster *);

/* Every wanted service is ready. */
bool	roster_is_ready(const struct roster *);

/* The first of those that are to run, or were given up, that is not ready;
 * NULL: there is none. */
const struct service *roster_not_ready(const struct roster *);

/* How many have not stopped yet. */
unsigned roster_left(const struct roster *);

/* Pass a signal on to the services that expect it; ev is that of its control
 * byte. */
void	roster_pass(struct roster *, int sig, enum service_event ev);

/* How many services there are, and how many of them are ready. */
void	roster_count(const struct roster *, unsigned *all, unsigned *ready);

/*
 * Stop the last service that is still there and that none of the others
 * needs, its log after it.  To be called after every event until it returns
 * true: all are down.
 */
bool	roster_stop(struct roster *);

/* Kill them all. */
void	roster_hurry(struct roster *);

/* CLOCK_MONOTONIC. */
int64_t	roster_now_ms(void);

#endif
