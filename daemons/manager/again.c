/* SPDX-License-Identifier: ISC */

/*
 * start with `again`: one that has ended, as who it was.  What it may do was
 * settled at its first start: it is in its credential, and the plan of then
 * says it to its session.  The agent file is looked at for the rest, the
 * persona and what the connector wants to know.
 */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "creds.h"
#include "json.h"
#include "jwt.h"
#include "log.h"

#include "start.h"

static void
take_list(struct strlist *to, const struct launch_plan *p, const char *name)
{
	const char	*v = launch_plan_get(p, name);

	if (v != NULL && !strlist_split(to, v, ','))
		fatal_memory();
}

static int
find(struct manager *m, const struct request *rq, struct agent **a,
    struct error *e)
{
	static const char *const	fixed[] = { "agent", "role", "model",
	    "cwd", "config", "resume", "as", "transcript", NULL };
	const char			*name;

	if (args_refuse(rq->args, fixed, e) == -1 ||
	    arg_string(rq->args, "name", &name, e) == -1)
		return -1;
	if (name == NULL || name[0] == '\0')
		return error_set(e, EX_DATAERR, "args.name: a name is "
		    "needed");
	if ((*a = fleet_find(m, name)) == NULL)
		return error_set(e, EX_NOUSER, "there is no agent \"%s\" "
		    "that has ended", name);
	if ((*a)->slot != NULL || (*a)->closing)
		return error_set(e, EX_USAGE, "%s is running", name);
	return 0;
}

/* NULL id: anybody's. */
static int
check_creds(const char *dir, const char *file, const char *id,
    struct error *e)
{
	struct creds	 c;
	const cJSON	*until;
	cJSON		*claims = NULL;
	char		*path;
	int		 r = -1;

	if (asprintf(&path, "%s/%s", dir, file) == -1)
		fatal_memory();
	if (creds_load(&c, path, e) == -1) {
		free(path);
		return -1;
	}
	if (id != NULL && strcmp(c.key.public, id) != 0)
		error_set(e, EX_DATAERR, "%s: another's credential", path);
	else if ((claims = jwt_decode(c.jwt, e)) != NULL) {
		until = json_get(claims, "exp");
		r = cJSON_IsNumber(until) && until->valuedouble * 1000 <=
		    (double)clock_epoch_ms() ? error_set(e, EX_NOPERM,
		    "%s: the credential has expired; forget the agent, and "
		    "start a new one", path) : 0;
	}
	cJSON_Delete(claims);
	creds_wipe(&c);
	free(path);
	return r;
}

static int
load_plan(struct launch_plan *p, const char *dir, struct error *e)
{
	char	*path;
	int	 r;

	if (asprintf(&path, "%s/launch.json", dir) == -1)
		fatal_memory();
	r = launch_plan_load(p, path, e);
	free(path);
	return r;
}

/* By its ref, if that is where it came from: of a path the links below the
 * workspace would be followed. */
static int
load_file(struct recipe *rc, const char *workspace, const char *ref,
    struct error *e)
{
	char	*usual = ref == NULL || agent_ref_is_path(ref) ? NULL :
		    agent_file_path(workspace, ref);
	bool	 by_ref = usual != NULL && strcmp(usual, rc->path) == 0;

	free(usual);
	return agent_file_load(&rc->file, workspace, by_ref ? ref : rc->path,
	    e);
}

/* A run's persona was generated, and does not change; a file may be gone:
 * then what was run before is. */
static int
take_file(struct recipe *rc, const struct config *c, const struct note *n,
    const struct launch_plan *p, struct error *e)
{
	struct error	why;

	rc->policy = p->policy;
	rc->path = own_copy(launch_plan_get(p, "COTAL_AGENT_FILE"));
	if (n->run_id != NULL || rc->path == NULL)
		rc->as_it_was = true;
	else if (load_file(rc, c->workspace, n->ref, &why) == -1) {
		if (why.code != EX_NOINPUT) {
			*e = why;
			return -1;
		}
		rc->as_it_was = true;
	}
	if (rc->as_it_was)
		return connector_needs(rc->connector, p->argv.v[0],
		    getenv("PATH"), e);
	if (connector_ready(rc->connector, &rc->file, NULL, e) == -1)
		return -1;
	return connector_policy(&rc->file, &rc->policy, e);
}

static int
take_plan(struct recipe *rc, const struct launch_plan *p, struct error *e)
{
	struct stat	st;

	rc->model = own_copy(launch_plan_get(p, "COTAL_MODEL"));
	rc->transcript = launch_plan_get(p, "COTAL_TRANSCRIPT") != NULL;
	take_list(&rc->subscribe, p, "COTAL_SUBSCRIBE");
	take_list(&rc->allow_subscribe, p, "COTAL_ALLOW_SUBSCRIBE");
	take_list(&rc->allow_publish, p, "COTAL_ALLOW_PUBLISH");
	take_list(&rc->capabilities, p, "COTAL_CAPABILITIES");
	rc->cwd = own_copy(p->cwd);
	if (stat(rc->cwd, &st) == -1)
		return error_errno(e, EX_NOINPUT, "cwd: %s", rc->cwd);
	return S_ISDIR(st.st_mode) ? 0 : error_set(e, EX_NOINPUT,
	    "cwd: %s is no directory", rc->cwd);
}

int
recipe_again(struct recipe *rc, struct manager *m, const struct request *rq,
    struct error *e)
{
	const struct config	*c = &m->role->config;
	const struct note	*n;
	struct launch_plan	 p;
	int			 r = -1;

	if (find(m, rq, &rc->again, e) == -1 ||
	    slots_check(&m->slots, clock_epoch_ms(), e) == -1)
		return -1;
	n = &rc->again->note;
	rc->name = own_copy(n->name);
	launch_plan_init(&p);
	if (check_creds(rc->again->dir, "agent.creds", n->id, e) == 0 &&
	    check_creds(rc->again->dir, "pty.creds", NULL, e) == 0 &&
	    load_plan(&p, rc->again->dir, e) == 0 &&
	    (rc->connector = connector_find(n->agent == NULL ? "" : n->agent,
	    e)) != NULL && take_file(rc, c, n, &p, e) == 0)
		r = take_plan(rc, &p, e);
	launch_plan_free(&p);
	return r;
}
