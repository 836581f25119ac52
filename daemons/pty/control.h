/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PTY_CONTROL_H
#define REEVE_PTY_CONTROL_H

#include "error.h"
#include "launchplan.h"

/*
 * The control socket of a session: it listens, and we only tell it where and
 * by which token, COTAL_CONTROL_SOCKET and COTAL_CONTROL_TOKEN, both new for
 * each start, in a directory that nobody else may enter.
 */

/* Set both in the plan; *path is the socket's, malloc'd.  EX_CANTCREAT. */
int	control_make(struct launch_plan *, const char *dir, char **path,
	    struct error *);
/* Remove the socket and its directory, and free the path.  NULL is fine. */
void	control_end(char *path);
/* Remove what an earlier process of this agent left behind in dir. */
void	control_sweep(const char *dir);

#endif
