/* SPDX-License-Identifier: ISC */
#ifndef REEVE_TREE_H
#define REEVE_TREE_H

/* libbsd's red-black trees, with the attribute that they take for granted. */
#ifndef __unused
#define __unused __attribute__((__unused__))
#endif
#include <bsd/sys/tree.h>

#endif
