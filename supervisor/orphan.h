/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ORPHAN_H
#define REEVE_ORPHAN_H

#include "service.h"

/*
 * Processes that a reeved which was killed has left running.
 *
 * One is ours to end only if it provably is the service's.  That is the one
 * which supervise/reeve names when it is alive, began at the recorded tick of
 * the recorded boot, leads a session, as whatever we start does, and works in
 * the service's own directory.  Is it dead, then it is one that is left of
 * its session and group, began no earlier, and works in that directory; with
 * it, as a session has one origin, the rest of the group.  While any of these
 * lives, the kernel gives the number of the session to nobody else.
 *
 * The executable is no part of the proof: pid, tick and boot name one process
 * for good, and run executes others as it likes, so that what it was when we
 * last looked says nothing about it.
 *
 * While there is one, the service is in STATE_ORPHAN, ->pid is the recorded
 * one, and ->orphan watches the process, whose end is an EV_EXIT.
 */

/*
 * Bring a service that is down into STATE_ORPHAN, if it has one.  -1 and
 * errno: this cannot be told now, for want of descriptors or memory; nothing
 * is changed.
 */
int	orphan_find(struct service *, const char *boot_id);

/* To the watched process alone; to it and to what is in its group. */
void	orphan_signal(const struct service *, int sig);
void	orphan_signal_group(const struct service *, int sig);

/*
 * After the end of the watched one: kill what is left of its group, and watch
 * one of it.  NOTHING_LEFT and UNKNOWN_LEFT: nothing is watched; the latter
 * when it cannot be told now, to be asked again.
 */
enum service_rest orphan_remains(struct service *);

#endif
