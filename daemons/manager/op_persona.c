/* SPDX-License-Identifier: ISC */

/*
 * definePersona: the text of an agent file, and nothing of what it may do.
 * On ctl.manager a new one becomes its author's; later only that one changes
 * it.  A file without an owner is the operator's.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"

#include "agentfile.h"
#include "manager.h"

/* 1: it is there, 0: it is new, and f is begun. */
static int
load_or_begin(struct agent_file *f, const struct request *rq,
    const char *workspace, const char *name, struct error *e)
{
	struct error	why;

	if (agent_file_load(f, workspace, name, &why) == 0)
		return 1;
	if (why.code != EX_NOINPUT) {
		*e = why;
		return -1;
	}
	agent_file_free(f);
	memset(f, 0, sizeof(*f));
	if (agent_file_set(&f->name, name, e) == -1)
		return -1;
	if (rq->tier == TIER_MANAGER &&
	    agent_file_set(&f->owner, rq->caller, e) == -1)
		return -1;
	return 0;
}

static int
check_owner(const struct agent_file *f, const struct request *rq,
    const char *name, struct error *e)
{
	if (rq->tier == TIER_ADMIN ||
	    (f->owner != NULL && strcmp(f->owner, rq->caller) == 0))
		return 0;
	return error_set(e, EX_NOPERM, "the persona \"%s\" is there, and is "
	    "not yours", name);
}

static int
define(struct agent_file *f, struct manager *m, const struct request *rq,
    const char *name, const char *persona, const char *model,
    struct error *e)
{
	const char	*workspace = m->role->config.workspace;
	int		 there;

	if ((there = load_or_begin(f, rq, workspace, name, e)) == -1 ||
	    (there && check_owner(f, rq, name, e) == -1) ||
	    agent_file_set(&f->body, persona, e) == -1 ||
	    (model != NULL && agent_file_set(&f->model, model, e) == -1))
		return -1;
	return agent_file_save(f, workspace, name, !there, e);
}

static cJSON *
answer_json(const struct manager *m, const char *name, struct error *e)
{
	char	*path = agent_file_path(m->role->config.workspace, name);
	cJSON	*o = cJSON_CreateObject();

	if (path == NULL || o == NULL || !json_set_str(o, "name", name) ||
	    !json_set_str(o, "path", path)) {
		error_errno(e, EX_OSERR, "persona");
		cJSON_Delete(o);
		o = NULL;
	}
	free(path);
	return o;
}

static int
run(struct manager *m, struct request *rq, cJSON **data, struct error *e)
{
	static const char *const	never[] = { "role", "owner",
	    "subscribe", "allowSubscribe", "allowPublish", "capabilities",
	    NULL };
	struct agent_file		f;
	const char			*name, *persona, *model;
	int				 r;

	if (args_refuse(rq->args, never, e) == -1 ||
	    arg_string(rq->args, "name", &name, e) == -1 ||
	    arg_string(rq->args, "persona", &persona, e) == -1 ||
	    arg_string(rq->args, "model", &model, e) == -1)
		return -1;
	if (name == NULL || persona == NULL)
		return error_set(e, EX_DATAERR, "args: name and persona are "
		    "needed");
	if (!agent_name_is_safe(name) || agent_ref_is_path(name))
		return error_set(e, EX_USAGE, "\"%s\" cannot name an agent "
		    "file", name);
	memset(&f, 0, sizeof(f));
	r = define(&f, m, rq, name, persona, model, e);
	agent_file_free(&f);
	return r == 0 && (*data = answer_json(m, name, e)) != NULL ? 0 : -1;
}

const struct op op_persona = {
	.name = "definePersona", .tiers = TIER_MANAGER | TIER_ADMIN,
	.run = run };
