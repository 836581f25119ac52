/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MEMBERS_H
#define REEVE_MEMBERS_H

#include "layout.h"
#include "records.h"
#include "watch.h"

/*
 * The members bucket as a table: who is a durable member of which channel
 * (wire section 4).  Fed by a watch; a message costs one look-up of its
 * channel, whatever other channels there are.
 */
struct members;

/* What delivery needs of a MembershipRecord. */
struct member {
	struct interval	 now, previous;
	uint64_t	 generation;
	bool		 has_previous;
	bool		 durable;	/* state durable-active */
	bool		 activated;
};

extern const struct watch_ops members_ops;	/* table: struct members * */

struct members *members_new(void);
/* From now on keep only the records of the owners of this shard. */
void	members_own(struct members *, unsigned shard, unsigned shards);
void	members_free(struct members *);
size_t	members_count(const struct members *);

/* The generation under which owner is entitled to seq, 0: not. */
uint64_t member_entitles(const struct member *, uint64_t seq);
/* NULL when there is no record. */
const struct member *members_find(const struct members *,
	    const char *channel, const char *owner);
/* fn for each record of a channel, in the order of owners; stops on false. */
void	members_each(const struct members *, const char *channel,
	    bool (*fn)(void *arg, const char *owner, const struct member *),
	    void *arg);
/* How many open ones begin behind the sequence `last`. */
size_t	members_beyond(const struct members *, uint64_t last);
/* fn for every record of an owner. */
void	members_each_of(const struct members *, const char *owner,
	    bool (*fn)(void *arg, const char *channel, const struct member *),
	    void *arg);
/* What the key =delivery says, or holds without it.  One that cannot be read
 * leaves what was before. */
const struct layout *members_layout(const struct members *);
unsigned members_shards(const struct members *);	/* in force */

#endif
