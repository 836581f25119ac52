/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ORPHAN_H
#define REEVE_ORPHAN_H

#include "service.h"

/*
 * Processes that a reeved which was killed has left running.
 *
 * One is ours to end only if it provably is the service's: the pid in
 * supervise/reeve is alive, began at the recorded tick of the recorded boot,
 * and works in the service's own directory.  Any mismatch, and it is left
 * alone.
 */

/* Note the orphan of this service, if there is one. */
void	orphan_find(struct service *, const char *boot_id);

/* Tell it to end: TERM and CONT. */
void	orphan_terminate(const struct service *);

/* Wait for its end.  False: it still runs at deadline_ms. */
bool	orphan_wait(const struct service *, int64_t deadline_ms);

/*
 * Wait for its end until deadline_ms, then end its whole group with KILL.
 * Returns at once where there is no orphan.
 */
void	orphan_end(struct service *, int64_t deadline_ms);

#endif
