/* SPDX-License-Identifier: ISC */
#ifndef REEVE_LAYOUT_H
#define REEVE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/*
 * How a space is cut into shards: the record =delivery of the members bucket
 * (reeve-wire(7)).  There is none in a space of one shard that was never
 * changed.
 *
 * A change to another number (design, "Shards") has a place in CHAT: what is
 * at or before it is the old layout's, what comes after it the new one's.  As
 * soon as `next` is there fan-out holds everything and control refuses; with
 * `at`, fan-out goes on up to it, and the readers empty what it made.
 */
#define LAYOUT_SHARDS_MAX	64
#define LAYOUT_KEY		"=delivery"

struct layout {
	unsigned	shards;		/* in force */
	unsigned	next;		/* being changed to; 0: no change */
	uint64_t	at_seq;		/* its place; 0: none yet */
	unsigned	was;		/* whose consumers are to go; 0: none's */
};

/* What holds where there is no record, and when data is NULL: 1 shard. */
int	layout_read(struct layout *, const char *data, size_t len,
	    struct error *);
/* malloc'd, or NULL when out of memory. */
char	*layout_write(const struct layout *);
/* Must a fan-out of the layout in force leave CHAT's seq alone? */
bool	layout_holds(const struct layout *, uint64_t seq);
/* 0, or EX_CONFIG: a host that is set up for so many shards may not work. */
int	layout_fits(const struct layout *, unsigned shards, struct error *);

#endif
