/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_ONESHOT_H
#define REEVE_MANAGER_ONESHOT_H

#include <sys/types.h>

#include <stdbool.h>

#include "error.h"

/*
 * A program of ours that is run once, with a credential on its standard input
 * and nothing of the manager's but that: the provisioner, the purger.  It
 * says why it failed, and its exit code is of sysexits.
 */
struct oneshot {
	pid_t	pid;			/* 0: it does not run */
	int	out_fd;
	char	said[400];		/* the last of its output */
	size_t	n_said;
};

/* argv[0]: the name of the program, in this one's directory or installed.
 * input is written whole, and shorter than a pipe holds. */
int	oneshot_start(struct oneshot *, char *const argv[],
	    const char *input, struct error *);
/* 1: it has done it; 0: it runs; -1 with *e: it has failed. */
int	oneshot_poll(struct oneshot *, struct error *);
/* Kill it and wait. */
void	oneshot_end(struct oneshot *);

/* malloc'd path of a program of ours. */
char	*oneshot_program(const char *name, struct error *);

#endif
