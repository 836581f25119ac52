/* SPDX-License-Identifier: ISC */
#ifndef REEVE_NEEDS_H
#define REEVE_NEEDS_H

#include "service.h"

/*
 * The file needs of a service: the services that are to be ready before this
 * one is started, and that are stopped after it.  It is kept, as long as the
 * service is, with a pointer to each service that there is.
 */
struct needs;

#define NEEDS_SIZE	16384	/* of the file, at most */

/* Read the file, if it has changed.  -1 and errno: what was read before
 * stands. */
int	needs_load(struct service *);
void	needs_free(struct service *);

/* The first that is not ready; NULL: all are.  Good until needs_load. */
const char *needs_unmet(const struct service *);

/* May it be started?  Reads the file; says in the log why not, once. */
bool	needs_met(struct service *);

/* Set ->needed of all that it needs. */
void	needs_mark(const struct service *);

/* A service is there now, or is to be forgotten. */
void	needs_arrived(struct service *);
void	needs_departed(struct service *);

#endif
