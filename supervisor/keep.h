/* SPDX-License-Identifier: ISC */
#ifndef REEVE_KEEP_H
#define REEVE_KEEP_H

#include <sys/resource.h>

/*
 * What reeved keeps open for its services, thousands perhaps, has numbers
 * from here on; below is what is its own and what a child is given.  So a
 * child gets a short table of descriptors of its own, and no other is copied
 * for it only to be closed.
 */
#define KEEP_FROM	32

/*
 * Move it there, close-on-exec: the new number, or, should there be no room,
 * the old one.  -1 stays -1, with errno as it is.
 *
 * Of every 32 numbers one is left out.  From a table with a word of which all
 * numbers are taken Linux before 6.11, where it is not mended (CVE-2024-45025),
 * makes a short copy for the child in which these count as taken, too.
 */
int	keep_open(int fd);

/* The bound of the numbers of so many descriptors, with those left out. */
rlim_t	keep_numbers(rlim_t descriptors);

#endif
