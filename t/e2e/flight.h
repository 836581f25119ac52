/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_FLIGHT_H
#define REEVE_T_FLIGHT_H

#include "cluster.h"

/*
 * Who worked on which shard, and when: by the lease's records as they are
 * stored, whose `renewed` is of CLOCK_BOOTTIME, and by what the roles of each
 * host wrote to its log.  All hosts here are one machine, so both clocks are
 * the same for all.
 */
#define SHARDS_MAX	4

/* Begin to look at the lease's bucket, through these nodes ("23"). */
void	flight_watch(struct cluster *, unsigned shards, const char *nodes);
void	flight_shards(unsigned);	/* so many from now on */
/* Take in what has come; at most 1 ms. */
void	flight_turn(void);
void	flight_end(void);
/* The host (its number, 1 and up) that holds the shard now, by a record that
 * is valid and ready; 0: none. */
unsigned flight_holder(unsigned shard);

/* The host does nothing from now on, though its log does not say so: it was
 * killed, or stopped. */
void	flight_mark(unsigned host);

/*
 * Judge, and fail the test: no record of a host before the one of another was
 * deleted or had expired; no stretch of work of a host's workers in a shard
 * that meets one of another's.
 */
void	flight_check(void);
/* When the last of this host's workers of the shard stopped working, and when
 * its keeper first held it, by what they said after that; 0: never.  Epoch
 * ms. */
int64_t	flight_last_pause(unsigned host, unsigned shard, int64_t after_ms);
int64_t	flight_first_hold(unsigned host, unsigned shard, int64_t after_ms);
/* Each role of the host has said since that it waits, and nothing else then. */
bool	flight_stands_by(unsigned host, int64_t since_ms);
/* The same of each shard that it does not hold. */
bool	flight_is_back(unsigned host, int64_t since_ms);

#endif
