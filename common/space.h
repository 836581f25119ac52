/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SPACE_H
#define REEVE_SPACE_H

#include <cjson/cJSON.h>

#include "conf.h"
#include "names.h"

/*
 * The streams, buckets and durables of a space as JetStream's configuration
 * objects (wire section 3; t/data/vectors/server-objects.json).  Each is the
 * caller's to cJSON_Delete; NULL when out of memory.
 */
cJSON	*space_stream(const struct config *, enum stream_kind);
cJSON	*space_bucket(const struct config *, enum bucket_kind);

/* Of the durables that workers consume: a short ack wait and room for a
 * backlog (design, "Restart"); what a stock durable has instead is updated
 * when it is adopted. */
#define DURABLE_ACK_WAIT_MS	2000
#define DURABLE_MAX_ACK_PENDING	20000

/* fanout, or fanout_<shard> with more than one; likewise reader. */
void	space_fanout_name(char *buf, size_t size, unsigned shard,
	    unsigned shards);
void	space_reader_name(char *buf, size_t size, unsigned shard,
	    unsigned shards);
cJSON	*space_fanout(const char *space, unsigned shard, unsigned shards);
cJSON	*space_reader(const char *space, unsigned shard, unsigned shards);
/* An agent's own; the reference's configuration. */
cJSON	*space_dm_durable(const char *space, const char *id);
cJSON	*space_dlv_durable(const char *space, const char *id);
cJSON	*space_svc_durable(const char *space, const char *role);

#endif
