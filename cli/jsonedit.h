/* SPDX-License-Identifier: ISC */
#ifndef REEVE_JSONEDIT_H
#define REEVE_JSONEDIT_H

#include "json.h"

/*
 * Change a JSON text that somebody else wrote: all that is not changed keeps
 * its bytes, and what is new is indented as the rest is.
 */

/*
 * Set the member at path, n names deep; objects that are missing on the way are
 * made.  An empty text is an empty object.  malloc'd; NULL with *e: EX_DATAERR
 * for a text that is not JSON, or has something else where an object belongs,
 * or a name twice; EX_OSERR.
 */
char	*json_edit_set(const char *text, const char *const *path, size_t n,
	    const cJSON *value, struct error *);
/* The same for reading: a parsed copy, or NULL: with e->code 0 it is not
 * there. */
cJSON	*json_edit_get(const char *text, const char *const *path, size_t n,
	    struct error *e);

#endif
