/* SPDX-License-Identifier: ISC */

/*
 * durableLeave (wire section 6): close the caller's own membership at CHAT's
 * frontier.  Not gated by the ACL: leaving is what follows its narrowing.
 */
#include <math.h>

#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "registry.h"

static int
leave_now(struct control *c, const struct request *rq, uint64_t generation,
    struct error *e)
{
	struct js_stream	info;

	if (js_stream_info(c->bus, c->chat, &info, e) == -1)
		return -1;
	switch (registry_tombstone(c, rq->channel, rq->caller, generation,
	    info.last_seq, e)) {
	case WRITTEN:
		return 0;
	case WRITE_SUPERSEDED:
		return error_set(e, EX_DATAERR, "stale leave: the membership "
		    "of \"%s\" is a newer one", rq->channel);
	case WRITE_FAILED:
		break;
	}
	return -1;
}

static int
leave(struct control *c, const struct request *rq, cJSON *data,
    struct error *e)
{
	const cJSON		*g = json_get(rq->args, "generation");
	struct registered	 r;
	bool			 left;
	uint64_t		 generation;
	int			 rv = 0;

	if (!cJSON_IsNumber(g) || !isfinite(g->valuedouble))
		return error_set(e, EX_DATAERR, "args.generation: expected a "
		    "finite number");
	if (registry_read(c, rq->channel, rq->caller, &r, e) == -1)
		return -1;
	left = r.m.now.left;
	generation = r.m.generation;
	if (!r.exists)
		rv = error_set(e, EX_DATAERR, "no durable membership in "
		    "\"%s\"", rq->channel);
	else if ((double)generation != g->valuedouble)
		rv = error_set(e, EX_DATAERR, "stale leave: generation %.0f "
		    "of \"%s\" is not the current one (%llu)",
		    g->valuedouble, rq->channel,
		    (unsigned long long)generation);
	registered_free(&r);
	if (rv == 0 && !left)
		rv = leave_now(c, rq, generation, e);
	if (rv == 0 && (!json_set_str(data, "channel", rq->channel) ||
	    (left && !json_set_bool(data, "alreadyLeft", true))))
		fatal_memory();
	return rv;
}

const struct op op_leave = {
	.name = "durableLeave", .channel = true, .acl = false, .run = leave };
