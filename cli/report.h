/* SPDX-License-Identifier: ISC */
#ifndef REEVE_REPORT_H
#define REEVE_REPORT_H

#include <cjson/cJSON.h>

#include "cli.h"

/*
 * What `reeve status` says, as the object of its --json:
 *
 *	{space, state, broker: "up"|sentence,
 *	 roles: [{name, state, want, reason?, pid, sinceMs, restarts, ready}],
 *	 shards: [{shard, holder, host, here, ready, ageMs, ttlMs}],
 *	 changingTo?,		the number of shards, while it is changed
 *	 streams: [{name, messages, bytes, unread?}],
 *	 backlogs: [{owner, name?, unread, cap}],   close to the cap
 *	 deadLetters}
 *
 * What cannot be asked while the broker is away is absent.  The caller's;
 * NULL with *e.
 */
cJSON	*report_make(struct cli *, struct error *);

#endif
