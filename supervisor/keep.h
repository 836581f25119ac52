/* SPDX-License-Identifier: ISC */
#ifndef REEVE_KEEP_H
#define REEVE_KEEP_H

/*
 * What reeved keeps open for its services, thousands perhaps, has numbers
 * from here on; below is what is its own and what a child is given.  So a
 * child gets a short table of descriptors of its own, and no other is copied
 * for it only to be closed.
 */
#define KEEP_FROM	32

/* Move it there, close-on-exec: the new number, or, should there be no room,
 * the old one.  -1 stays -1, with errno as it is. */
int	keep_open(int fd);

#endif
