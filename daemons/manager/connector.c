/* SPDX-License-Identifier: ISC */

/* The table of connectors, and what they have in common. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connector.h"
#include "files.h"
#include "names.h"

const struct connector *const connectors[] = {
	&connector_claude, &connector_codex, &connector_opencode,
	&connector_command, NULL };

const struct connector *
connector_find(const char *name, struct error *e)
{
	char	known[128] = "";
	size_t	i, used = 0;

	for (i = 0; connectors[i] != NULL; i++)
		if (strcmp(connectors[i]->name, name) == 0)
			return connectors[i];
	for (i = 0; connectors[i] != NULL && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used,
		    "%s%s", i > 0 ? ", " : "", connectors[i]->name);
	error_set(e, EX_CONFIG, "there is no connector \"%.64s\"; there are "
	    "%s", name, known);
	return NULL;
}

const char *
connector_choose(const char *asked, const struct agent_file *f)
{
	return asked != NULL ? asked : agent_file_connector(f);
}

/* An executable file, by its path or on `path`.  From where a relative path
 * leads is known when it is run. */
static bool
has_program(const char *name, const char *path)
{
	char	*found;
	size_t	 len;

	if (strchr(name, '/') != NULL)
		return name[0] != '/' || file_is_program(name);
	for (; path != NULL; path = path[len] == ':' ? path + len + 1 : NULL) {
		len = strcspn(path, ":");
		if (len == 0 || (found = file_program(path, len, name)) ==
		    NULL)
			continue;
		free(found);
		return true;
	}
	return false;
}

int
connector_needs(const struct connector *c, const char *program,
    const char *path, struct error *e)
{
	if (has_program(program, path))
		return 0;
	return error_set(e, EX_UNAVAILABLE, "%s needs the program %.128s, "
	    "which is not %s", c->name, program, program[0] == '/' ? "there" :
	    "on PATH");
}

int
connector_ready(const struct connector *c, const struct agent_file *f,
    const char *path, struct error *e)
{
	size_t	i;

	if (path == NULL)
		path = getenv("PATH");
	for (i = 0; c->programs != NULL && c->programs[i] != NULL; i++)
		if (connector_needs(c, c->programs[i], path, e) == -1)
			return -1;
	return c->ready == NULL ? 0 : c->ready(f, path, e);
}

int
connector_can(const struct connector *c, const char *resume, bool transcript,
    struct error *e)
{
	if (resume != NULL && !c->can_resume)
		return error_set(e, EX_USAGE, "%s cannot resume a session",
		    c->name);
	if (resume != NULL && (!name_is_token(resume) || resume[0] == '-'))
		return error_set(e, EX_USAGE, "\"%.64s\" is not the id of a "
		    "session", resume);
	if (transcript && !c->can_mirror)
		return error_set(e, EX_USAGE, "%s cannot give a transcript",
		    c->name);
	return 0;
}

int
connector_policy(const struct agent_file *f, enum launch_policy *policy,
    struct error *e)
{
	const char	*name = agent_file_meta(f, "restart");

	*policy = LAUNCH_NEVER;
	if (name == NULL || launch_policy_by_name(policy, name) == 0)
		return 0;
	return error_set(e, EX_DATAERR, "restart: expected never, on-failure "
	    "or always, not \"%.64s\"", name);
}

int
connector_args(struct launch_plan *p, struct error *e, ...)
{
	const char	*arg;
	va_list		 ap;
	bool		 ok = true;

	va_start(ap, e);
	while (ok && (arg = va_arg(ap, const char *)) != NULL)
		ok = strlist_add(&p->argv, arg);
	va_end(ap);
	return ok ? 0 : error_set(e, EX_OSERR, "out of memory for a launch");
}

int
connector_arg_json(struct launch_plan *p, const char *name, cJSON *value,
    struct error *e)
{
	char	*text = value == NULL ? NULL : json_print(value), *arg = NULL;
	int	 rc;

	cJSON_Delete(value);
	if (text == NULL || asprintf(&arg, "%s=%s", name, text) == -1)
		rc = error_set(e, EX_OSERR, "out of memory for a launch");
	else
		rc = connector_args(p, e, arg, NULL);
	free(text);
	free(arg);
	return rc;
}
