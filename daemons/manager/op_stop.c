/* SPDX-License-Identifier: ISC */

/* stop: end an agent's terminal.  forget: remove what an ended one has. */
#include <string.h>

#include "json.h"

#include "manager.h"

/* A tier that reaches only so far: an agent ends itself or its children. */
static int
check_reach(const struct agent *a, const struct request *rq, const char *name,
    struct error *e)
{
	if (rq->tier == TIER_ADMIN || (a != NULL && a->note.spawner != NULL &&
	    strcmp(a->note.spawner, rq->caller) == 0))
		return 0;
	/* Whether there is such an agent is said to its owner only. */
	return error_set(e, EX_NOPERM, "\"%s\" is no agent that you started",
	    name);
}

static int
named(struct manager *m, const struct request *rq, struct agent **a,
    struct error *e)
{
	const char	*name, *id;

	if (arg_string(rq->args, "name", &name, e) == -1 ||
	    arg_string(rq->args, "id", &id, e) == -1)
		return -1;
	if (name == NULL || name[0] == '\0')
		return error_set(e, EX_DATAERR, "args.name: a name is "
		    "needed");
	*a = fleet_find(m, name);
	if (check_reach(*a, rq, name, e) == -1)
		return -1;
	if (*a == NULL)
		return error_set(e, EX_NOUSER, "there is no agent \"%s\"",
		    name);
	if (id != NULL && strcmp((*a)->note.id, id) != 0)
		return error_set(e, EX_NOUSER, "\"%s\" is another agent by "
		    "now", name);
	return 0;
}

/* On the tier of one's own nobody else can be named. */
static int
self(struct manager *m, const struct request *rq, struct agent **a,
    struct error *e)
{
	static const char *const	never[] = { "name", "id", NULL };

	if (args_refuse(rq->args, never, e) == -1)
		return -1;
	if ((*a = fleet_by_id(m, rq->caller)) == NULL)
		return error_set(e, EX_NOUSER, "you are no agent of this "
		    "manager's");
	return 0;
}

static int
is_graceful(const cJSON *args, bool *graceful, struct error *e)
{
	const cJSON	*v = json_get(args, "graceful");

	if (v != NULL && !cJSON_IsBool(v) && !cJSON_IsNull(v))
		return error_set(e, EX_DATAERR, "args.graceful: expected "
		    "true or false");
	*graceful = !cJSON_IsFalse(v);
	return 0;
}

static int
run_stop(struct manager *m, struct request *rq, cJSON **data, struct error *e)
{
	struct agent	*a = NULL;
	struct ask	*ask = rq->ask;
	bool		 graceful = true;

	(void)data;
	if ((rq->tier == TIER_SELF ? self(m, rq, &a, e) :
	    named(m, rq, &a, e)) == -1 ||
	    is_graceful(rq->args, &graceful, e) == -1)
		return -1;
	if (a->slot == NULL && !a->closing)
		return error_set(e, EX_NOUSER, "%s has ended already",
		    a->note.name);
	rq->ask = NULL;
	if (rq->tier == TIER_ADMIN)
		fleet_mark(m, &a->note, true);
	fleet_stop(m, a, rq->tier == TIER_ADMIN ? SLOT_TOLD : SLOT_ENDED,
	    !graceful, ask);
	return 1;
}

static int
run_forget(struct manager *m, struct request *rq, cJSON **data,
    struct error *e)
{
	struct agent	*a = NULL;
	struct ask	*ask = rq->ask;

	(void)data;
	if (named(m, rq, &a, e) == -1)
		return -1;
	if (a->slot != NULL || a->closing)
		return error_set(e, EX_USAGE, "%s is running: stop it first",
		    a->note.name);
	if (fleet_forget(m, a, ask, e) == -1)
		return -1;
	rq->ask = NULL;
	return 1;
}

/* How its terminal is reached (reeve-wire(7)); the right to is not ours to
 * give. */
static int
run_attach(struct manager *m, struct request *rq, cJSON **data,
    struct error *e)
{
	struct agent	*a = NULL;
	char		 subject[SUBJECT_MAX];
	cJSON		*o;

	if (named(m, rq, &a, e) == -1)
		return -1;
	if (a->slot == NULL)
		return error_set(e, EX_NOUSER, "%s has ended", a->note.name);
	if (subject_pty(subject, sizeof(subject), m->role->config.space,
	    a->note.id, "state", NULL) == -1)
		return error_set(e, EX_SOFTWARE, "its subject");
	subject[strlen(subject) - strlen(".state")] = '\0';
	if ((o = cJSON_CreateObject()) == NULL ||
	    !json_set_str(o, "name", a->note.name) ||
	    !json_set_str(o, "id", a->note.id) ||
	    !json_set_str(o, "space", m->role->config.space) ||
	    !json_set_str(o, "mode", "pty") ||
	    !json_set_str(o, "subject", subject)) {
		cJSON_Delete(o);
		return error_errno(e, EX_OSERR, "attach");
	}
	*data = o;
	return 0;
}

const struct op op_stop = {
	.name = "stop", .tiers = TIER_SELF | TIER_MANAGER | TIER_ADMIN,
	.run = run_stop };
const struct op op_forget = {
	.name = "forget", .tiers = TIER_ADMIN, .run = run_forget };
const struct op op_attach = {
	.name = "attach", .tiers = TIER_MANAGER | TIER_ADMIN,
	.run = run_attach };
