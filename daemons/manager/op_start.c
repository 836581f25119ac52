/* SPDX-License-Identifier: ISC */

/* start: an agent from an agent file.  launch: one of a launch spec.  Here is
 * what is checked before anything is made (contract, agents "Start"). */
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "log.h"

#include "start.h"

void
recipe_free(struct recipe *rc)
{
	free(rc->ref);
	free(rc->name);
	free(rc->role);
	free(rc->model);
	free(rc->cwd);
	free(rc->resume);
	free(rc->path);
	free(rc->run_id);
	agent_file_free(&rc->file);
	launch_spec_free(&rc->spec);
	strlist_free(&rc->subscribe);
	strlist_free(&rc->allow_subscribe);
	strlist_free(&rc->allow_publish);
	strlist_free(&rc->capabilities);
	memset(rc, 0, sizeof(*rc));
}

static void
copy_list(struct strlist *to, char *const *v, size_t n)
{
	if (!strlist_add_all(to, v, n))
		fatal_memory();
}

/* --- what start was asked for ------------------------------------------------------ */

struct asked {
	const char	*name, *agent, *role, *model, *cwd, *config, *resume,
			*as;
	bool		 transcript;
};

/* What only an operator may choose: with a path of its own a spawn-capable
 * agent could write its own permissions, with a session it could read
 * somebody's transcript. */
static const char *const operators[] = { "config", "resume", "as", "again",
	NULL };

static int
read_flag(const cJSON *args, const char *name, bool *out, struct error *e)
{
	const cJSON	*v = json_get(args, name);

	if (v != NULL && !cJSON_IsBool(v) && !cJSON_IsNull(v))
		return error_set(e, EX_DATAERR, "args.%s: expected true or "
		    "false", name);
	*out = cJSON_IsTrue(v);
	return 0;
}

static int
read_args(struct asked *a, const struct request *rq, struct error *e)
{
	static const char *const	none[] = { NULL };
	const cJSON			*args = rq->args;

	memset(a, 0, sizeof(*a));
	if (args_refuse(args, rq->tier == TIER_ADMIN ? none : operators,
	    e) == -1 || arg_string(args, "name", &a->name, e) == -1 ||
	    arg_string(args, "agent", &a->agent, e) == -1 ||
	    arg_string(args, "role", &a->role, e) == -1 ||
	    arg_string(args, "model", &a->model, e) == -1 ||
	    arg_string(args, "cwd", &a->cwd, e) == -1 ||
	    arg_string(args, "config", &a->config, e) == -1 ||
	    arg_string(args, "resume", &a->resume, e) == -1 ||
	    arg_string(args, "as", &a->as, e) == -1)
		return -1;
	return read_flag(args, "transcript", &a->transcript, e);
}

/* A name, and by what tier it may be a path. */
static int
check_ref(const struct asked *a, enum tier tier, struct error *e)
{
	if (a->name == NULL || a->name[0] == '\0')
		return error_set(e, EX_DATAERR, "args.name: a name is "
		    "needed");
	if (tier == TIER_ADMIN && (a->config != NULL ||
	    agent_ref_is_path(a->name)))
		return (a->config != NULL ? a->config : a->name)[0] == '/' ?
		    0 : error_set(e, EX_USAGE, "\"%s\": a path that is not "
		    "absolute", a->config != NULL ? a->config : a->name);
	if (!agent_name_is_safe(a->name) || agent_ref_is_path(a->name))
		return error_set(e, EX_USAGE, "\"%s\" cannot name an agent "
		    "file here", a->name);
	return 0;
}

static int
take_cwd(struct recipe *rc, const struct config *c, const char *cwd,
    struct error *e)
{
	struct stat	st;

	rc->cwd = own_copy(cwd == NULL ? c->workspace : cwd);
	if (rc->cwd[0] != '/')
		return error_set(e, EX_USAGE, "cwd: \"%s\" is not absolute",
		    rc->cwd);
	if (stat(rc->cwd, &st) == -1)
		return error_errno(e, EX_NOINPUT, "cwd: %s", rc->cwd);
	if (!S_ISDIR(st.st_mode))
		return error_set(e, EX_NOINPUT, "cwd: %s is no directory",
		    rc->cwd);
	return 0;
}

/* --- the rest, for both -------------------------------------------------------------- */

/* file NULL: it could not be read, which is said after this. */
static int
take_connector(struct recipe *rc, const char *asked,
    const struct agent_file *file, struct error *e)
{
	const char	*name = file == NULL ? asked :
			    connector_choose(asked, file);

	if (name == NULL)
		return 0;
	if ((rc->connector = connector_find(name, e)) == NULL)
		return -1;
	return file == NULL ? 0 :
	    connector_ready(rc->connector, file, NULL, e);
}

static int
check_abilities(const struct recipe *rc, struct error *e)
{
	const struct connector	*c = rc->connector;

	if (rc->resume != NULL && rc->resume[0] == '\0')
		return error_set(e, EX_USAGE, "resume: an empty session");
	if (c != NULL && rc->resume != NULL && !c->can_resume)
		return error_set(e, EX_USAGE, "%s cannot resume a session",
		    c->name);
	if (c != NULL && rc->transcript && !c->can_mirror)
		return error_set(e, EX_USAGE, "%s cannot mirror a "
		    "transcript", c->name);
	return 0;
}

static int
check_identity(const struct recipe *rc, struct error *e)
{
	if (!name_is_token(rc->name))
		return error_set(e, EX_USAGE, "\"%s\" cannot be an agent's "
		    "name: letters, digits, _ and -", rc->name);
	if (rc->role != NULL && !name_is_token(rc->role))
		return error_set(e, EX_USAGE, "role: \"%s\" is not a role: "
		    "letters, digits, _ and -", rc->role);
	return 0;
}

static void
take_acl(struct recipe *rc)
{
	struct agent_acl	acl;

	agent_file_acl(&rc->file, &acl);
	copy_list(&rc->subscribe, acl.subscribe, acl.n_subscribe);
	copy_list(&rc->allow_subscribe, acl.allow_subscribe,
	    acl.n_allow_subscribe);
	copy_list(&rc->allow_publish, acl.allow_publish,
	    acl.n_allow_publish);
	copy_list(&rc->capabilities, rc->file.capabilities.items.v,
	    rc->file.capabilities.items.n);
}

/* One that has ended, or is being ended, starts nobody: its credential may
 * outlive it. */
static int
check_caller(const struct manager *m, const struct request *rq,
    struct error *e)
{
	const struct agent	*a = fleet_by_id(m, rq->caller);

	if (rq->tier == TIER_ADMIN || a == NULL ||
	    (a->slot != NULL && !a->closing))
		return 0;
	return error_set(e, EX_NOPERM, "%s has ended", a->note.name);
}

int
recipe_start(struct recipe *rc, struct manager *m, const struct request *rq,
    struct error *e)
{
	const struct config	*c = &m->role->config;
	struct asked		 a;
	struct error		 unread = { .code = 0 };
	const char		*ref;

	if (check_caller(m, rq, e) == -1 || read_args(&a, rq, e) == -1 ||
	    check_ref(&a, rq->tier, e) == -1 ||
	    slots_check(&m->slots, clock_epoch_ms(), e) == -1)
		return -1;
	ref = a.config != NULL ? a.config : a.name;
	rc->ref = own_copy(a.name);
	rc->resume = own_copy(a.resume);
	rc->transcript = a.transcript;
	if (agent_file_load(&rc->file, c->workspace, ref, &unread) == -1 &&
	    unread.code != EX_DATAERR) {
		*e = unread;
		return -1;
	}
	if (take_connector(rc, a.agent, unread.code == 0 ? &rc->file : NULL,
	    e) == -1 || check_abilities(rc, e) == -1)
		return -1;
	if (unread.code != 0) {
		*e = unread;
		return -1;
	}
	rc->name = own_copy(a.as != NULL ? a.as : rc->file.name);
	rc->role = own_copy(a.role != NULL ? a.role : rc->file.role);
	rc->model = own_copy(a.model != NULL ? a.model : rc->file.model);
	if ((rc->path = agent_file_path(c->workspace, ref)) == NULL)
		fatal_memory();
	take_acl(rc);
	if (connector_policy(&rc->file, &rc->policy, e) == -1 ||
	    check_identity(rc, e) == -1)
		return -1;
	return take_cwd(rc, c, a.cwd, e);
}

/* --- launch -------------------------------------------------------------------------- */

/* What a connector is to see: no more than the generated persona has. */
static void
fill_file(struct recipe *rc)
{
	const struct launch_agent	*l = rc->resolved;

	rc->file.name = own_copy(l->name);
	rc->file.role = own_copy(l->role);
	rc->file.model = own_copy(l->model);
	rc->file.description = own_copy(l->description);
	rc->file.body = own_copy(l->body);
	rc->name = own_copy(l->name);
	rc->role = own_copy(l->role);
	rc->model = own_copy(l->model);
	copy_list(&rc->subscribe, l->subscribe.v, l->subscribe.n);
	copy_list(&rc->allow_subscribe, l->allow_subscribe.v,
	    l->allow_subscribe.n);
	copy_list(&rc->allow_publish, l->allow_publish.v,
	    l->allow_publish.n);
	copy_list(&rc->capabilities, l->capabilities.v, l->capabilities.n);
}

int
recipe_launch(struct recipe *rc, struct manager *m, const struct request *rq,
    struct error *e)
{
	const struct config	*c = &m->role->config;
	const char		*run_id, *name;

	if (arg_string(rq->args, "runId", &run_id, e) == -1 ||
	    arg_string(rq->args, "name", &name, e) == -1)
		return -1;
	if (run_id == NULL || name == NULL)
		return error_set(e, EX_DATAERR, "args: runId and name are "
		    "needed");
	if (slots_check(&m->slots, clock_epoch_ms(), e) == -1 ||
	    launch_spec_load(&rc->spec, c->workspace, c->space, run_id,
	    e) == -1 || (rc->resolved = launch_spec_find(&rc->spec, name,
	    e)) == NULL)
		return -1;
	rc->ref = own_copy(name);
	rc->run_id = own_copy(run_id);
	fill_file(rc);
	if (take_connector(rc, rc->resolved->agent, &rc->file, e) == -1 ||
	    check_identity(rc, e) == -1)
		return -1;
	return take_cwd(rc, c, NULL, e);
}

/* --- the ops --------------------------------------------------------------------------- */

static int
begin(struct manager *m, struct request *rq,
    int (*fill)(struct recipe *, struct manager *, const struct request *,
    struct error *), struct error *e)
{
	struct recipe	rc;

	memset(&rc, 0, sizeof(rc));
	if (fill(&rc, m, rq, e) == 0)
		return start_begin(m, &rc, rq, e);
	recipe_free(&rc);
	return -1;
}

static int
run_start(struct manager *m, struct request *rq, cJSON **data,
    struct error *e)
{
	bool	again;

	(void)data;
	if (json_unique(rq->args, "args", e) == -1 ||
	    read_flag(rq->args, "again", &again, e) == -1)
		return -1;
	return begin(m, rq, again && rq->tier == TIER_ADMIN ? recipe_again :
	    recipe_start, e);
}

static int
run_launch(struct manager *m, struct request *rq, cJSON **data,
    struct error *e)
{
	(void)data;
	return begin(m, rq, recipe_launch, e);
}

const struct op op_start = {
	.name = "start", .tiers = TIER_MANAGER | TIER_ADMIN,
	.run = run_start };
const struct op op_launch = {
	.name = "launch", .tiers = TIER_ADMIN, .run = run_launch };
