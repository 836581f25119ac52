/* SPDX-License-Identifier: ISC */

/* listMemberships (wire section 6): the caller's open ones, of a table that
 * is proven fresh first. */
#include "json.h"
#include "log.h"
#include "watch.h"

#include "control.h"

#define BARRIER_MS	2000

static bool
add_membership(void *arg, const char *channel, const struct member *m)
{
	cJSON	*list = arg, *o;

	if (m->now.left)
		return true;
	if ((o = cJSON_CreateObject()) == NULL ||
	    !json_set_str(o, "channel", channel) ||
	    !json_set_u64(o, "generation", m->generation) ||
	    !json_set_bool(o, "activated", m->activated) ||
	    !cJSON_AddItemToArray(list, o))
		fatal_memory();
	return true;
}

static int
list(struct control *c, const struct request *rq, cJSON *data,
    struct error *e)
{
	cJSON	*memberships;

	if (watch_barrier(c->bus, &c->members_watch, 1, BARRIER_MS, e) == -1)
		return -1;
	if ((memberships = cJSON_AddArrayToObject(data, "memberships")) ==
	    NULL)
		fatal_memory();
	members_each_of(c->members, rq->caller, add_membership, memberships);
	return 0;
}

const struct op op_list = { .name = "listMemberships", .run = list };
