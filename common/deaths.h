/* SPDX-License-Identifier: ISC */
#ifndef REEVE_DEATHS_H
#define REEVE_DEATHS_H

#include <sys/types.h>

#include <stdbool.h>

#include "conf.h"
#include "error.h"

/*
 * By what those who record the end of a process tell one that was meant from
 * a death (reeve-canary(8)).  Nothing is read off an exit code: it is meant
 * when somebody wrote so for this very process, before the signal was sent
 * or, of its own end, before it ended.
 */

/* A process, once and for all. */
struct life {
	pid_t			pid;		/* 0: none */
	unsigned long long	ticks;		/* when it began, since boot */
	char			boot[37];	/* its boot's id */
};

/* -1: no such process, or it is dead already and not yet waited for. */
int	life_read(struct life *, pid_t);
/* This one, and no other of its number. */
bool	life_is_there(const struct life *);
/* The id of this boot; "" when the kernel does not say. */
void	life_boot(char boot[37]);

/* <runtime>-<name> of an agent that the manager started, agent-<name> where
 * its runtime is not known; a longer one is cut. */
#define IDENTITY_MAX	160
void	agent_identity(const struct config *, const char *name,
	    char buf[IDENTITY_MAX]);

/*
 * Dismiss: there is nothing to record about the end of this process, since it
 * is meant or is recorded already.  A file <state>/canary/dismissed/PID-TICKS,
 * which goes when its process's end was seen.  EX_CANTCREAT, EX_IOERR.
 */
int	dismiss(const struct config *, const char *identity,
	    const struct life *, struct error *);
bool	dismissed(const struct config *, const struct life *);
void	dismissal_remove(const struct config *, const struct life *);
/* Remove those of processes that `needed` does not want to keep. */
void	dismissals_sweep(const struct config *,
	    bool (*needed)(void *, const struct life *), void *);

/* What the supervisor notes in a service directory, and what a file of its
 * form, in the directory dir_fd, says. */
struct told {
	struct life	told;		/* to end, the last one; pid 0: none */
	struct life	last;		/* of run that ended, as it knows */
	int		status;		/* ... how: as a shell counts it */
};
void	told_read(struct told *, int dir_fd, const char *file);
/*
 * Was this process of the service in dir_fd told to end by its supervisor?
 * reeved says which one; of runit the wish and the TERM that it notes count.
 * s6 notes nothing of the kind: there it is `unknown`.
 */
bool	service_told(const struct config *, int dir_fd, const struct life *,
	    bool unknown);

#endif
