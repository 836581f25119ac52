/* SPDX-License-Identifier: ISC */
#ifndef REEVE_STRAYS_H
#define REEVE_STRAYS_H

/*
 * As process 1 of a container: end what services have left behind, with TERM
 * and, STRAYS_MS later, KILL, and collect it.  The kernel would kill it when
 * we exit, without a warning.  SIGCHLD must be blocked.  Nothing for any
 * other process.
 */
#define STRAYS_MS	5000

void	strays_end(void);

#endif
