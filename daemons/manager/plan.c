/* SPDX-License-Identifier: ISC */

/* What is to be run for an agent: the environment of all, the arguments of
 * its connector. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connector.h"
#include "shared.h"

/* Of its surroundings a child gets these, and keys that a connector names. */
static const char *const passed[] = { "PATH", "HOME", "USER", "LOGNAME",
	"SHELL", "COLORFGBG", "LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES",
	"TZ", "TMPDIR", "TEMP", "TMP", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
	"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", NULL };

static int
out_of_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory for a launch");
}

static int
pass(struct launch_plan *p, const char *name, struct error *e)
{
	if (strlist_has(&p->pass, name) || strlist_add(&p->pass, name))
		return 0;
	return out_of_memory(e);
}

static int
pass_all(struct launch_plan *p, const char *const *names, struct error *e)
{
	for (; names != NULL && *names != NULL; names++)
		if (pass(p, *names, e) == -1)
			return -1;
	return 0;
}

/* A variable that is not set when there is no value. */
static int
set(struct launch_plan *p, const char *name, const char *value,
    struct error *e)
{
	return value == NULL ? 0 : launch_plan_set(p, name, value, e);
}

static int
set_list(struct launch_plan *p, const char *name, char *const *v, size_t n,
    struct error *e)
{
	size_t	 i, size = 1;
	char	*text;
	int	 rc;

	for (i = 0; i < n; i++)
		size += strlen(v[i]) + 1;
	if ((text = calloc(1, size)) == NULL)
		return out_of_memory(e);
	for (i = 0; i < n; i++) {
		strcat(text, i > 0 ? "," : "");
		strcat(text, v[i]);
	}
	rc = launch_plan_set(p, name, text, e);
	free(text);
	return rc;
}

static int
set_some(struct launch_plan *p, const char *name, const struct strlist *l,
    struct error *e)
{
	return l == NULL || l->n == 0 ? 0 : set_list(p, name, l->v, l->n, e);
}

/* Who and where it is. */
static int
set_identity(struct launch_plan *p, const struct launch_request *r,
    struct error *e)
{
	if (set(p, "COTAL_SPACE", r->space, e) == -1 ||
	    set(p, "COTAL_NAME", r->name, e) == -1 ||
	    set(p, "COTAL_ROLE", r->role, e) == -1 ||
	    set(p, "COTAL_ID", r->id, e) == -1 ||
	    set(p, "COTAL_CREDS", r->creds, e) == -1 ||
	    set(p, "COTAL_SERVERS", r->servers, e) == -1 ||
	    set(p, "COTAL_AGENT_FILE", r->file_path, e) == -1 ||
	    set(p, "COTAL_KIND", r->file->kind, e) == -1 ||
	    set(p, "COTAL_MODEL", r->model, e) == -1 ||
	    set(p, "COTAL_CHANNEL", "1", e) == -1)
		return -1;
	return set(p, "COTAL_TRANSCRIPT", r->transcript ? "1" : NULL, e);
}

/* What it may do; the session asks for no more than its credentials give. */
static int
set_rights(struct launch_plan *p, const struct launch_request *r,
    struct error *e)
{
	const struct agent_acl	*a = &r->acl;

	if (set_list(p, "COTAL_SUBSCRIBE", a->subscribe, a->n_subscribe, e) ==
	    -1 || set_list(p, "COTAL_ALLOW_SUBSCRIBE", a->allow_subscribe,
	    a->n_allow_subscribe, e) == -1 || set_list(p,
	    "COTAL_ALLOW_PUBLISH", a->allow_publish, a->n_allow_publish, e) ==
	    -1 || set_some(p, "COTAL_CAPABILITIES", r->capabilities, e) == -1 ||
	    set_some(p, "COTAL_QUIET", &r->file->quiet.items, e) == -1)
		return -1;
	return set_some(p, "COTAL_MUTED", &r->file->muted.items, e);
}

/* The terminal is ours, whatever the host's is. */
static int
set_terminal(struct launch_plan *p, struct error *e)
{
	if (launch_plan_set(p, "TERM", "xterm-256color", e) == -1)
		return -1;
	return launch_plan_set(p, "COLORTERM", "truecolor", e);
}

static int
check(const struct connector *c, const struct launch_request *r,
    struct error *e)
{
	if (r->model != NULL && (r->model[0] == '\0' || r->model[0] == '-'))
		return error_set(e, EX_USAGE, "\"%.64s\" is not a model",
		    r->model);
	return connector_can(c, r->resume, r->transcript, e);
}

static int
fill(const struct connector *c, const struct launch_request *r,
    struct launch_plan *p, struct error *e)
{
	size_t	i;

	p->policy = r->policy;
	p->control = true;
	if ((p->cwd = strdup(r->cwd != NULL ? r->cwd : r->workspace)) == NULL)
		return out_of_memory(e);
	if (pass_all(p, passed, e) == -1 || pass_all(p, c->keys, e) == -1)
		return -1;
	for (i = 0; i < r->shared->vars.n; i++)
		if (pass(p, r->shared->vars.v[i], e) == -1)
			return -1;
	if (set_terminal(p, e) == -1 || set_identity(p, r, e) == -1 ||
	    set_rights(p, r, e) == -1)
		return -1;
	return c->launch(r, p, e);
}

int
plan_make(const struct connector *c, const struct launch_request *r,
    struct launch_plan *p, struct error *e)
{
	struct launch_request	 with = *r;
	struct shared		 shared;
	char			*text;
	int			 rc = -1;

	launch_plan_init(p);
	memset(&shared, 0, sizeof(shared));
	with.shared = &shared;
	if (check(c, r, e) == 0 &&
	    shared_load(&shared, r->workspace, c->name, e) == 0)
		rc = fill(c, &with, p, e);
	/* What cannot be written is known before anything is made. */
	if (rc == 0 && (text = launch_plan_text(p, e)) == NULL)
		rc = -1;
	else if (rc == 0)
		free(text);
	shared_free(&shared);
	return rc;
}
