/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentfile.h"
#include "json.h"
#include "launchspec.h"
#include "names.h"
#include "safepath.h"

#define RUN_DIR		".cotal/run"
/* RUN_DIR/<run>/agents/<name>.md */
#define REL_SIZE	(sizeof(RUN_DIR) + RUN_ID_MAX + AGENT_NAME_MAX + 32)

/* As it stands in the file; the strings are views into the tree. */
struct raw_agent {
	char			*text[8];
	struct json_strings	 capabilities;
	struct json_strings	 subscribe, allow_subscribe, allow_publish;
};

struct raw {
	char		*version, *space, *run_id;
	const cJSON	*agents;
};

/* text[i] is this member of struct launch_agent. */
static const struct {
	const char	*name;
	size_t		 offset;
} texts[] = {
	{ "name", offsetof(struct launch_agent, name) },
	{ "agent", offsetof(struct launch_agent, agent) },
	{ "hash", offsetof(struct launch_agent, hash) },
	{ "role", offsetof(struct launch_agent, role) },
	{ "model", offsetof(struct launch_agent, model) },
	{ "description", offsetof(struct launch_agent, description) },
	{ "body", offsetof(struct launch_agent, body) },
	{ "personaPath", offsetof(struct launch_agent, persona_path) },
};
#define N_TEXTS		(sizeof(texts) / sizeof(texts[0]))

#define A(m)	offsetof(struct raw_agent, m)
static const struct json_field agent_table[] = {
	{ .name = "name", .type = JSON_STRING, .offset = A(text[0]),
	    .required = true },
	{ .name = "agent", .type = JSON_STRING, .offset = A(text[1]),
	    .required = true },
	{ .name = "hash", .type = JSON_STRING, .offset = A(text[2]),
	    .required = true, .max = 256 },
	{ .name = "role", .type = JSON_STRING, .offset = A(text[3]) },
	{ .name = "model", .type = JSON_STRING, .offset = A(text[4]) },
	{ .name = "description", .type = JSON_STRING,
	    .offset = A(text[5]) },
	{ .name = "body", .type = JSON_STRING, .offset = A(text[6]) },
	{ .name = "personaPath", .type = JSON_STRING, .offset = A(text[7]),
	    .max = 4095 },
	{ .name = "capabilities", .type = JSON_STRINGS,
	    .offset = A(capabilities) },
	{ .name = "subscribe", .type = JSON_STRINGS, .offset = A(subscribe),
	    .required = true },
	{ .name = "allowSubscribe", .type = JSON_STRINGS,
	    .offset = A(allow_subscribe), .required = true },
	{ .name = "allowPublish", .type = JSON_STRINGS,
	    .offset = A(allow_publish), .required = true },
	JSON_END
};
#undef A

#define R(m)	offsetof(struct raw, m)
static const struct json_field table[] = {
	{ .name = "apiVersion", .type = JSON_STRING, .offset = R(version),
	    .required = true },
	{ .name = "space", .type = JSON_STRING, .offset = R(space),
	    .required = true },
	{ .name = "runId", .type = JSON_STRING, .offset = R(run_id),
	    .required = true },
	{ .name = "agents", .type = JSON_ARRAY, .offset = R(agents),
	    .required = true },
	JSON_END
};
#undef R

static int
out_of_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory for a run");
}

static char **
text_at(const struct launch_agent *a, size_t i)
{
	return (void *)((char *)(uintptr_t)a + texts[i].offset);
}

static void
agent_free(struct launch_agent *a)
{
	size_t	i;

	for (i = 0; i < N_TEXTS; i++)
		free(*text_at(a, i));
	strlist_free(&a->capabilities);
	strlist_free(&a->subscribe);
	strlist_free(&a->allow_subscribe);
	strlist_free(&a->allow_publish);
}

void
launch_spec_free(struct launch_spec *s)
{
	size_t	i;

	for (i = 0; i < s->n_agents; i++)
		agent_free(&s->agents[i]);
	free(s->agents);
	free(s->space);
	free(s->run_id);
	memset(s, 0, sizeof(*s));
}

const struct launch_agent *
launch_spec_find(const struct launch_spec *s, const char *name,
    struct error *e)
{
	size_t	i;

	for (i = 0; i < s->n_agents; i++)
		if (strcmp(s->agents[i].name, name) == 0)
			return &s->agents[i];
	error_set(e, EX_NOINPUT, "run %s has no agent \"%.64s\"", s->run_id,
	    name);
	return NULL;
}

/* --- the rules -------------------------------------------------------------------- */

static bool
is_run_id(const char *s)
{
	return strlen(s) <= RUN_ID_MAX && name_is_token(s);
}

/* [A-Za-z0-9]+ */
static bool
is_hash(const char *s)
{
	return name_is_token(s) && strpbrk(s, "_-") == NULL;
}

static bool
is_one_line(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static int
check_tokens(const struct launch_agent *a, struct error *e)
{
	size_t	i;

	if (!agent_name_is_startable(a->name))
		return error_set(e, EX_DATAERR, "name: \"%.64s\" is not an "
		    "agent's name: letters, digits, _ and -, at most %d",
		    a->name, AGENT_NAME_MAX);
	if (!name_is_token(a->agent))
		return error_set(e, EX_DATAERR, "agent: \"%.64s\" is no "
		    "connector's name: letters, digits, _ and -", a->agent);
	if (a->role != NULL && !name_is_token(a->role))
		return error_set(e, EX_DATAERR, "role: \"%.64s\" is not a "
		    "role: letters, digits, _ and -", a->role);
	if (!is_hash(a->hash))
		return error_set(e, EX_DATAERR, "hash: \"%.64s\" is not one: "
		    "letters and digits", a->hash);
	if (a->persona_path != NULL && (!is_one_line(a->persona_path) ||
	    strstr(a->persona_path, "-->") != NULL))
		return error_set(e, EX_DATAERR, "personaPath: not a path that "
		    "can be shown");
	for (i = 0; i < a->capabilities.n; i++)
		if (strcmp(a->capabilities.v[i], "spawn") != 0)
			return error_set(e, EX_DATAERR, "capabilities[%zu]: "
			    "\"%.64s\" is not known; there is spawn", i,
			    a->capabilities.v[i]);
	return 0;
}

static int
check_channels(const char *field, const struct strlist *l, struct error *e)
{
	size_t	i;

	for (i = 0; i < l->n; i++) {
		if (!channel_is_valid(l->v[i]))
			return error_set(e, EX_DATAERR, "%s[%zu]: \"%.64s\" "
			    "is not a channel", field, i, l->v[i]);
		if (!channel_is_concrete(l->v[i]))
			return error_set(e, EX_DATAERR, "%s[%zu]: \"%.64s\" "
			    "has a wildcard: a run names its channels", field,
			    i, l->v[i]);
	}
	return 0;
}

static int
check_acl(const struct launch_agent *a, struct error *e)
{
	size_t	i;

	if (check_channels("subscribe", &a->subscribe, e) == -1 ||
	    check_channels("allowSubscribe", &a->allow_subscribe, e) == -1 ||
	    check_channels("allowPublish", &a->allow_publish, e) == -1)
		return -1;
	for (i = 0; i < a->subscribe.n; i++)
		if (!strlist_has(&a->allow_subscribe, a->subscribe.v[i]))
			return error_set(e, EX_DATAERR, "subscribe[%zu]: "
			    "\"%.64s\" is not in allowSubscribe", i,
			    a->subscribe.v[i]);
	return 0;
}

/* --- personas ----------------------------------------------------------------------- */

static char *
persona_body(const char *run_id, const struct launch_agent *a)
{
	char	*body;
	int	 n;

	n = asprintf(&body, "<!-- Made for run %s from %s, and removed with "
	    "it: change it there.  This file gives no rights. -->\n\n%s",
	    run_id, a->persona_path == NULL ? "its spec" : a->persona_path,
	    a->body == NULL ? "" : a->body);
	return n == -1 ? NULL : body;
}

/* No list and no capability: what it may do is not said here. */
static char *
persona_text(const char *run_id, const struct launch_agent *a,
    struct error *e)
{
	struct agent_file	f;
	char			*text = NULL;

	memset(&f, 0, sizeof(f));
	if ((f.body = persona_body(run_id, a)) == NULL)
		out_of_memory(e);
	else if (agent_file_set(&f.name, a->name, e) == 0 &&
	    agent_file_set(&f.role, a->role, e) == 0 &&
	    agent_file_set(&f.model, a->model, e) == 0 &&
	    agent_file_set(&f.description, a->description, e) == 0)
		text = agent_file_text(&f, e);
	agent_file_free(&f);
	return text;
}

static int
rel_of_run(char *rel, const char *run_id, const char *suffix, struct error *e)
{
	if (!is_run_id(run_id))
		return error_set(e, EX_USAGE, "\"%.64s\" is not the id of a "
		    "run: letters, digits, _ and -", run_id);
	snprintf(rel, REL_SIZE, RUN_DIR "/%s%s", run_id, suffix);
	return 0;
}

static int
rel_of_persona(char *rel, const char *run_id, const char *name,
    struct error *e)
{
	if (rel_of_run(rel, run_id, "", e) == -1)
		return -1;
	if (!agent_name_is_startable(name))
		return error_set(e, EX_USAGE, "\"%.64s\" is not an agent's "
		    "name", name);
	snprintf(rel, REL_SIZE, RUN_DIR "/%s/agents/%s.md", run_id, name);
	return 0;
}

char *
launch_persona_write(const char *workspace, const char *run_id,
    const struct launch_agent *a, struct error *e)
{
	char	rel[REL_SIZE], *text, *path = NULL;

	if (rel_of_persona(rel, run_id, a->name, e) == -1 ||
	    (text = persona_text(run_id, a, e)) == NULL)
		return NULL;
	if (asprintf(&path, "%s/%s", workspace, rel) == -1) {
		path = NULL;
		out_of_memory(e);
	} else if (safe_create(workspace, rel, text, e) == -1) {
		free(path);
		path = NULL;
	}
	free(text);
	return path;
}

int
launch_persona_remove(const char *workspace, const char *run_id,
    const char *name, struct error *e)
{
	char	rel[REL_SIZE];

	if (rel_of_persona(rel, run_id, name, e) == -1)
		return -1;
	return safe_remove(workspace, rel, e);
}

int
launch_run_remove(const char *workspace, const char *run_id, struct error *e)
{
	char	dir[REL_SIZE], spec[REL_SIZE];

	if (rel_of_run(dir, run_id, "", e) == -1 ||
	    rel_of_run(spec, run_id, ".json", e) == -1 ||
	    safe_remove(workspace, dir, e) == -1)
		return -1;
	return safe_remove(workspace, spec, e);
}

/* --- read --------------------------------------------------------------------------- */

static int
check_agent(const struct launch_spec *s, size_t at, struct error *e)
{
	const struct launch_agent	*a = &s->agents[at];
	char				*text;
	size_t				 i;

	if (check_tokens(a, e) == -1 || check_acl(a, e) == -1 ||
	    (text = persona_text(s->run_id, a, e)) == NULL)
		return -1;
	free(text);
	for (i = 0; i < at; i++)
		if (name_same(s->agents[i].name, a->name))
			return error_set(e, EX_DATAERR, "name: \"%.64s\" is "
			    "given twice", a->name);
	return 0;
}

static int
check(const struct launch_spec *s, struct error *e)
{
	size_t	i;

	if (s->space == NULL || s->space[0] == '\0')
		return error_set(e, EX_DATAERR, "space: there is none");
	if (s->run_id == NULL || !is_run_id(s->run_id))
		return error_set(e, EX_DATAERR, "runId: letters, digits, _ and "
		    "-, at most %d", RUN_ID_MAX);
	for (i = 0; i < s->n_agents; i++)
		if (check_agent(s, i, e) == -1)
			return error_wrap(e, "agents[%zu]", i);
	return 0;
}

static int
copy_strings(struct strlist *to, const struct json_strings *from,
    struct error *e)
{
	return strlist_add_all(to, from->v, from->n) ? 0 : out_of_memory(e);
}

static int
copy_agent(struct launch_agent *a, const struct raw_agent *r, struct error *e)
{
	size_t	i;

	for (i = 0; i < N_TEXTS; i++)
		if (r->text[i] != NULL &&
		    (*text_at(a, i) = strdup(r->text[i])) == NULL)
			return out_of_memory(e);
	if (copy_strings(&a->capabilities, &r->capabilities, e) == -1 ||
	    copy_strings(&a->subscribe, &r->subscribe, e) == -1 ||
	    copy_strings(&a->allow_subscribe, &r->allow_subscribe, e) == -1)
		return -1;
	return copy_strings(&a->allow_publish, &r->allow_publish, e);
}

static int
read_agent(struct launch_spec *s, const cJSON *o, struct error *e)
{
	struct raw_agent	 r;
	char			 path[32];
	int			 rc;

	memset(&r, 0, sizeof(r));
	memset(&s->agents[s->n_agents], 0, sizeof(*s->agents));
	snprintf(path, sizeof(path), "agents[%zu]", s->n_agents++);
	rc = json_read_strict(o, agent_table, &r, path, e);
	if (rc == 0)
		rc = copy_agent(&s->agents[s->n_agents - 1], &r, e);
	json_strings_free(&r.capabilities);
	json_strings_free(&r.subscribe);
	json_strings_free(&r.allow_subscribe);
	json_strings_free(&r.allow_publish);
	return rc;
}

static int
read_all(struct launch_spec *s, const struct raw *r, struct error *e)
{
	const cJSON	*c;
	size_t		 n = 0;

	if (strcmp(r->version, LAUNCH_SPEC_VERSION) != 0)
		return error_set(e, EX_DATAERR, "apiVersion: expected "
		    LAUNCH_SPEC_VERSION ", not \"%.64s\"", r->version);
	cJSON_ArrayForEach(c, r->agents)
		n++;
	if (n > LAUNCH_AGENTS_MAX)
		return error_set(e, EX_DATAERR, "agents: more than %d",
		    LAUNCH_AGENTS_MAX);
	if ((s->space = strdup(r->space)) == NULL ||
	    (s->run_id = strdup(r->run_id)) == NULL ||
	    (s->agents = calloc(n + 1, sizeof(*s->agents))) == NULL)
		return out_of_memory(e);
	cJSON_ArrayForEach(c, r->agents)
		if (read_agent(s, c, e) == -1)
			return -1;
	return check(s, e);
}

int
launch_spec_read(struct launch_spec *s, const char *text, size_t len,
    struct error *e)
{
	struct raw	 r;
	cJSON		*o;
	int		 rc = -1;

	memset(s, 0, sizeof(*s));
	memset(&r, 0, sizeof(r));
	if (len > LAUNCH_SPEC_MAX)
		return error_set(e, EX_DATAERR, "longer than %d bytes",
		    LAUNCH_SPEC_MAX);
	if ((o = json_parse(text, len, e)) != NULL &&
	    json_read_strict(o, table, &r, "", e) == 0)
		rc = read_all(s, &r, e);
	cJSON_Delete(o);
	return rc;
}

int
launch_spec_load(struct launch_spec *s, const char *workspace,
    const char *space, const char *run_id, struct error *e)
{
	char	rel[REL_SIZE], *text;
	size_t	len;
	int	rc;

	memset(s, 0, sizeof(*s));
	if (rel_of_run(rel, run_id, ".json", e) == -1 ||
	    (text = safe_read(workspace, rel, LAUNCH_SPEC_MAX, &len, e)) ==
	    NULL)
		return -1;
	rc = launch_spec_read(s, text, len, e);
	free(text);
	if (rc == 0 && strcmp(s->run_id, run_id) != 0)
		rc = error_set(e, EX_DATAERR, "runId: it is of run %s",
		    s->run_id);
	if (rc == 0 && strcmp(s->space, space) != 0)
		rc = error_set(e, EX_DATAERR, "space: it is for \"%.64s\", and "
		    "this is \"%.64s\"", s->space, space);
	if (rc == -1)
		error_wrap(e, "%s/%s", workspace, rel);
	return rc;
}

/* --- write -------------------------------------------------------------------------- */

static bool
set_list(cJSON *o, const char *name, const struct strlist *l)
{
	return json_set_strings(o, name, l->v, l->n);
}

static cJSON *
agent_object(const struct launch_agent *a)
{
	cJSON	*o = cJSON_CreateObject();
	size_t	 i;
	bool	 ok = o != NULL;

	for (i = 0; ok && i < N_TEXTS; i++)
		if (*text_at(a, i) != NULL)
			ok = json_set_str(o, texts[i].name, *text_at(a, i));
	if (ok && (a->capabilities.n == 0 ||
	    set_list(o, "capabilities", &a->capabilities)) &&
	    set_list(o, "subscribe", &a->subscribe) &&
	    set_list(o, "allowSubscribe", &a->allow_subscribe) &&
	    set_list(o, "allowPublish", &a->allow_publish))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static cJSON *
agents_array(const struct launch_spec *s)
{
	cJSON	*list = cJSON_CreateArray(), *o;
	size_t	 i;

	for (i = 0; list != NULL && i < s->n_agents; i++) {
		o = agent_object(&s->agents[i]);
		if (o == NULL || !cJSON_AddItemToArray(list, o)) {
			cJSON_Delete(o);
			cJSON_Delete(list);
			return NULL;
		}
	}
	return list;
}

char *
launch_spec_text(const struct launch_spec *s, struct error *e)
{
	cJSON	*o;
	char	*text = NULL;

	if (check(s, e) == -1)
		return NULL;
	if ((o = cJSON_CreateObject()) != NULL &&
	    json_set_str(o, "apiVersion", LAUNCH_SPEC_VERSION) &&
	    json_set_str(o, "space", s->space) &&
	    json_set_str(o, "runId", s->run_id) &&
	    json_set_item(o, "agents", agents_array(s)))
		text = json_print(o);
	cJSON_Delete(o);
	if (text == NULL)
		out_of_memory(e);
	return text;
}

int
launch_spec_save(const struct launch_spec *s, const char *workspace,
    struct error *e)
{
	char	rel[REL_SIZE], *text;
	int	rc;

	if ((text = launch_spec_text(s, e)) == NULL)
		return -1;
	if ((rc = rel_of_run(rel, s->run_id, ".json", e)) == 0)
		rc = safe_create(workspace, rel, text, e);
	free(text);
	return rc;
}
