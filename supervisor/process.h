/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PROCESS_H
#define REEVE_PROCESS_H

#include "service.h"

/*
 * The processes of a service: how run and finish are started and signalled.
 * What they are given is in child.h.
 *
 * A child waits, forked, until its record is written (process_go), so that no
 * process of ours ever runs that a successor could not recognize.
 */

#define EXIT_CANNOT_RUN	111	/* as runit: run was not executed */

/*
 * Look which signals we ignore, and so a child would (bit N - 1 is signal N),
 * and whether a child can leave our descriptors, so that they may be shared.
 */
void	process_init(struct roster *);

pid_t	process_spawn(struct service *, enum service_program);
void	process_go(struct service *);
void	process_signal(const struct service *, int sig);

/* To the group; to the process alone while it has none yet. */
void	process_signal_group(const struct service *, int sig);

bool	process_has_finish(const struct service *);
int64_t	process_number(const struct service *, enum service_number);

#endif
