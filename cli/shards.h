/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SHARDS_H
#define REEVE_SHARDS_H

#include "bus.h"
#include "layout.h"

/*
 * The record =delivery and its revision (0: there never was one), as they
 * are now.  0, or -1 with *e.
 */
int	shards_read(struct bus *, const char *space, struct layout *,
	    uint64_t *seq, struct error *);
/*
 * Write it against *seq, which is then the new revision; api
 * JS_WRONG_LAST_SEQ: somebody else was quicker.  One shard, and nothing under
 * way, is no record.
 */
int	shards_write(struct bus *, const char *space, const struct layout *,
	    uint64_t *seq, struct error *);

#endif
