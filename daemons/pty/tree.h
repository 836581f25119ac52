/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PTY_TREE_H
#define REEVE_PTY_TREE_H

#include <stddef.h>

/*
 * Every descendant of ours.  As a subreaper we are the parent of whoever
 * loses his own, so none gets away, whatever session or group it makes.
 */

/* Send it to all; how many there are. */
size_t	tree_signal(int sig);

#endif
