/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PROCESS_H
#define REEVE_PROCESS_H

#include "service.h"

/*
 * The processes of a service: how run and finish are started and signalled.
 *
 * A child gets the service directory as working directory, a session and
 * process group of its own, stdin from /dev/null (a log: from the pipe),
 * stdout to the pipe where there is a log, and of reeved's descriptors none.
 * It waits, forked, until its record is written (process_go), so that no
 * process of ours ever runs that a successor could not recognize.
 */

#define EXIT_CANNOT_RUN	111	/* as runit: run was not executed */

pid_t	process_spawn(struct service *, enum service_program);
void	process_go(struct service *);
void	process_signal(const struct service *, int sig);

/* To the group; to the process alone while it has none yet. */
void	process_signal_group(const struct service *, int sig);

bool	process_has_finish(const struct service *);
int64_t	process_number(const struct service *, enum service_number);

#endif
