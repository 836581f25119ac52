/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SAFEPATH_H
#define REEVE_SAFEPATH_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/*
 * Files below a root that others can write to: reached one component at a
 * time, no component may be a symbolic link, and none is followed.  The root
 * itself is the caller's word.
 *
 * `rel` is one or more names divided by single slashes, as in
 * ".cotal/run/r1.json"; "." and ".." are no names.  Errors: EX_USAGE for a
 * rel that is none, EX_NOPERM for a symbolic link, EX_NOINPUT for what is not
 * there, EX_CANTCREAT, EX_IOERR.
 */

/* The directory root/rel, open; with `make`, what of it is missing is made
 * with mode 0700.  The caller closes it.  -1 with *e. */
int	safe_dir(const char *root, const char *rel, bool make,
	    struct error *e);
/* malloc'd; len may be NULL, as in file_read.  NULL with *e. */
char	*safe_read(const char *root, const char *rel, size_t max,
	    size_t *len, struct error *);
/* A new file, mode 0600, with its directories; EX_CANTCREAT when anything of
 * that name is there.  After a failure there is no file. */
int	safe_create(const char *root, const char *rel, const char *text,
	    struct error *);
/* Write a file, which is then as it was or as it shall be; a new one has mode
 * 0600, one that was there keeps its mode. */
int	safe_replace(const char *root, const char *rel, const char *text,
	    struct error *);
/* Is there a regular file?  1, 0; -1 with *e, also when it is another kind. */
int	safe_exists(const char *root, const char *rel, struct error *);
/* Remove a file, or a directory with all that is in it (a link is removed,
 * not what it points to).  What is not there is no error. */
int	safe_remove(const char *root, const char *rel, struct error *);

#endif
