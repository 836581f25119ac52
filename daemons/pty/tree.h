/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PTY_TREE_H
#define REEVE_PTY_TREE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

/*
 * Every descendant of ours.  As a subreaper we are the parent of whoever
 * loses his own, so none gets away, whatever session or group it makes.
 */

/* Send it to all; how many there are. */
size_t	tree_signal(int sig);

/*
 * What a predecessor of ours that was killed has left: the session of leader,
 * if that is still the one that was started at `start`, and, if variable is not
 * NULL, whoever has that ("NAME=value") in his environment.  All are ended:
 * SIGTERM, SIGKILL after most_ms.  How many there were.
 */
size_t	tree_end_lost(pid_t leader, uint64_t start,
	    const char *variable, int64_t most_ms);
/* When a process was started, in ticks since boot; 0: there is none. */
uint64_t tree_started(pid_t);

#endif
