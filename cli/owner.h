/* SPDX-License-Identifier: ISC */
#ifndef REEVE_OWNER_H
#define REEVE_OWNER_H

#include "error.h"

/*
 * Root, on a state directory of another user, becomes that user for good,
 * groups and all: what it makes there must be for the roles to read, and what
 * it follows there may lead anywhere.  Else, and where there is no state
 * directory yet, nothing.
 *
 * *state is as of --state, or NULL.  The other user's default is another, so
 * it is replaced by the directory meant, malloc'd, for the rest of the
 * process.  EX_NOPERM.
 */
int	owner_become(const char **state, struct error *);

#endif
