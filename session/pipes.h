/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PIPES_H
#define REEVE_PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/*
 * Standard input or output, without ever waiting for it.  It may be a terminal
 * or a pipe that others have, too, so its flags stay as they are where that is
 * possible: a FIFO or a terminal is opened anew; a socket is asked not to wait
 * each time.  Only what is neither, and cannot be opened, is told not to, until
 * pipe_end_close tells it otherwise.
 */
struct pipe_end {
	int	fd;		/* to poll; -1: none */
	bool	own;		/* opened here */
	bool	socket;
	int	flags;		/* to be restored; -1: nothing */
};

/* Where a standard descriptor is closed, /dev/null, lest what is opened next
 * is taken for it.  Before anything else is opened. */
void	pipe_ends_fill(void);
/* which: 0 or 1. */
void	pipe_end_open(struct pipe_end *, int which);
void	pipe_end_close(struct pipe_end *);
/* Bytes; 0 at the end; -1: nothing now (errno EAGAIN), or what is wrong. */
ssize_t	pipe_end_read(const struct pipe_end *, char *buf, size_t size);
ssize_t	pipe_end_write(const struct pipe_end *, const char *data,
	    size_t len);

#endif
