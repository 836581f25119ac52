/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BYNAME_H
#define REEVE_BYNAME_H

#include <sys/queue.h>

/*
 * Who goes by a name: an index of things by their names, as name_same has
 * them the same.  Several may have one name.  The things are the caller's,
 * and outlive their being in it; memory that runs out is fatal.
 */
struct byname;

/* A part of the thing; zero: in no index. */
struct named {
	LIST_ENTRY(named)	 entry;
	void			*thing;
};

struct byname *byname_new(void);		/* NULL: out of memory */
void	byname_free(struct byname *);
void	byname_clear(struct byname *);

void	byname_add(struct byname *, const char *name, struct named *,
	    void *thing);
/* name: as it was added.  One that is in no index is left alone. */
void	byname_del(struct byname *, const char *name, struct named *);

/* All of a name, in no order: the first, then the next, until NULL. */
const struct named *byname_first(const struct byname *, const char *name);
const struct named *byname_next(const struct named *);

#endif
