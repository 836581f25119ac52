/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SERVICES_H
#define REEVE_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "strlist.h"

/*
 * The supervisor as its files show it (reeve-service(5)): the same whoever
 * supervises, reeved, runsv or s6.
 */
struct service_status {
	bool	 supervised;	/* somebody reads supervise/control */
	bool	 says_ready;	/* and tells up from ready */
	char	 state[16];	/* reeved's: down, wait, up ... */
	char	 want[16];	/* up, down, once */
	long	 pid;		/* 0: none */
	int64_t	 since_ms;	/* epoch */
	int	 notifies;	/* run is to say it; -1: nobody tells */
	long	 starts;	/* -1: the supervisor does not say */
	long	 last_exit, last_signal;
	char	 reason[280];	/* why it waits or was given up; or "" */
};

/* Names of the service directories, sorted. */
int	services_list(const struct config *, struct strlist *, struct error *);
/* EX_NOINPUT: there is no such service. */
int	service_status(const struct config *, const char *name,
	    struct service_status *, struct error *);
/* It has said so; or it runs, and never says or nobody would have heard. */
bool	service_is_ready(const struct config *, const char *name,
	    const struct service_status *);
/* The supervisor does not start it any more, by its own decision. */
bool	service_gave_up(const struct service_status *);
/* Write command bytes to supervise/control. EX_UNAVAILABLE: nobody
 * supervises it. */
int	service_command(const struct config *, const char *name,
	    const char *bytes, struct error *);
/* Directories were added or taken away: whoever would not see that by itself,
 * which is s6-svscan, is told.  Nobody there, or another: nothing. */
void	services_rescan(const struct config *);
/* The pid that holds reeved.lock; 0: reeved does not run. */
long	reeved_pid(const struct config *);

/* A word of a run script: s in single quotes for sh; malloc'd, or NULL. */
char	*service_quote(const char *s);

#endif
