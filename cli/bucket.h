/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BUCKET_H
#define REEVE_BUCKET_H

#include "cli.h"
#include "watch.h"

/*
 * A bucket, or one key of it, read once into a table.  0, or -1 with *e.  *w
 * feeds the table until watch_free, before the bus is closed and also after an
 * error.
 */
int	bucket_read(struct bus *, const char *space, enum bucket_kind,
	    const char *key, const struct watch_ops *, void *table,
	    struct watch **w, struct error *);
/*
 * As an operator, read a whole bucket into a table (NULL: it could not be
 * made) and have it shown: the exit code, of show or of what failed and has
 * been said.
 */
int	bucket_show(struct cli *, enum bucket_kind, const struct watch_ops *,
	    void *table, int (*show)(const struct cli *, const void *table));

#endif
