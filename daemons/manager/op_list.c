/* SPDX-License-Identifier: ISC */

/* ps: the agents that run, on request those that have ended, too.
 * status: one of them. */
#include <string.h>

#include "json.h"

#include "manager.h"

static int
add_to(cJSON *list, cJSON *o, struct error *e)
{
	if (cJSON_AddItemToArray(list, o))
		return 0;
	cJSON_Delete(o);
	return error_errno(e, EX_OSERR, "ps");
}

static int
run_ps(struct manager *m, struct request *rq, cJSON **data, struct error *e)
{
	bool			 all = cJSON_IsTrue(json_get(rq->args,
				    "all"));
	const struct map_node	*n;
	const struct agent	*a;

	if ((*data = cJSON_CreateArray()) == NULL)
		return error_errno(e, EX_OSERR, "ps");
	for (n = map_first(m->agents); n != NULL; n = map_next(n)) {
		a = map_value(n);
		if ((a->slot != NULL || all) &&
		    add_to(*data, fleet_json(m, a), e) == -1)
			return -1;
	}
	return 0;
}

static int
run_status(struct manager *m, struct request *rq, cJSON **data,
    struct error *e)
{
	const struct agent	*a;
	const char		*name;

	if (arg_string(rq->args, "name", &name, e) == -1)
		return -1;
	if (name == NULL)
		return error_set(e, EX_DATAERR, "args.name: a name is "
		    "needed");
	if ((a = fleet_find(m, name)) == NULL)
		return error_set(e, EX_NOUSER, "there is no agent \"%s\"",
		    name);
	if ((*data = cJSON_CreateArray()) == NULL)
		return error_errno(e, EX_OSERR, "status");
	return add_to(*data, fleet_json(m, a), e);
}

const struct op op_ps = {
	.name = "ps", .tiers = TIER_MANAGER | TIER_ADMIN, .run = run_ps };
const struct op op_status = {
	.name = "status", .tiers = TIER_MANAGER | TIER_ADMIN,
	.run = run_status };
