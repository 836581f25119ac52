/* SPDX-License-Identifier: ISC */

/* reeve personas: the agent files of the workspace. */
#include <stdlib.h>
#include <string.h>

#include "agentfile.h"
#include "cli.h"
#include "files.h"
#include "json.h"
#include "launchplan.h"
#include "names.h"
#include "table.h"

struct opts {
	const char	*name, *role, *description, *model, *agent;
	const char	*command, *restart, *persona;
	struct strlist	 subscribe, allow_subscribe, allow_publish;
	bool		 spawn;
};

#define O(m)	offsetof(struct opts, m)
static const struct opt options[] = {
	{ "name", OPT_STRING, O(name), "NAME",
	    "new: what it is called on the mesh (as the file)" },
	{ "role", OPT_STRING, O(role), "ROLE", "new: whose tasks it shares" },
	{ "description", OPT_STRING, O(description), "TEXT",
	    "new: what it is for, in a line" },
	{ "subscribe", OPT_LIST, O(subscribe), "CH,...",
	    "new: active at boot (general)" },
	{ "allow-subscribe", OPT_LIST, O(allow_subscribe), "CH,...",
	    "new: what it may read (as --subscribe)" },
	{ "allow-publish", OPT_LIST, O(allow_publish), "CH,...",
	    "new: where it may post (nowhere)" },
	{ "spawn", OPT_FLAG, O(spawn), NULL,
	    "new: may start agents of its own" },
	{ "model", OPT_STRING, O(model), "MODEL", "new: the model to use" },
	{ "agent", OPT_STRING, O(agent), "CONNECTOR",
	    "new: claude, codex, opencode or command" },
	{ "command", OPT_STRING, O(command), "LINE",
	    "new: the program of the connector command" },
	{ "restart", OPT_STRING, O(restart), "WHEN",
	    "new: never, on-failure or always" },
	{ "persona", OPT_STRING, O(persona), "TEXT",
	    "new: the persona; - reads it from standard input" },
	OPT_END };
#undef O

/* --- as JSON ------------------------------------------------------------------------ */

static bool
add_text(cJSON *o, const char *name, const char *value)
{
	return value == NULL || json_set_str(o, name, value);
}

static bool
add_list(cJSON *o, const char *name, const struct agent_list *l)
{
	return !l->given || json_set_strings(o, name, l->items.v, l->items.n);
}

static bool
add_meta(cJSON *o, const struct agent_file *f)
{
	const struct agent_meta	*m;
	size_t			 i;
	cJSON			*meta;

	if (f->n_meta == 0)
		return true;
	if ((meta = cJSON_AddObjectToObject(o, "meta")) == NULL)
		return false;
	for (i = 0; i < f->n_meta; i++) {
		m = &f->meta[i];
		if (!(m->value != NULL ? json_set_str(meta, m->key, m->value) :
		    json_set_strings(meta, m->key, m->items.v, m->items.n)))
			return false;
	}
	return true;
}

/* The keys as they stand in the file, and where that is. */
static cJSON *
object_of(const struct agent_file *f, const char *ref, const char *path)
{
	struct agent_acl	 a;
	cJSON			*o = cJSON_CreateObject();

	agent_file_acl(f, &a);
	if (o != NULL && json_set_str(o, "ref", ref) &&
	    json_set_str(o, "path", path) && add_text(o, "name", f->name) &&
	    add_text(o, "role", f->role) && add_text(o, "kind", f->kind) &&
	    add_text(o, "description", f->description) &&
	    json_set_str(o, "agent", agent_file_connector(f)) &&
	    add_text(o, "model", f->model) && add_list(o, "tags", &f->tags) &&
	    json_set_strings(o, "subscribe", a.subscribe, a.n_subscribe) &&
	    json_set_strings(o, "allowSubscribe", a.allow_subscribe,
	    a.n_allow_subscribe) && json_set_strings(o, "allowPublish",
	    a.allow_publish, a.n_allow_publish) &&
	    add_list(o, "quiet", &f->quiet) &&
	    add_list(o, "muted", &f->muted) &&
	    add_list(o, "capabilities", &f->capabilities) &&
	    add_text(o, "owner", f->owner) && add_meta(o, f) &&
	    add_text(o, "persona", f->body))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* --- list ------------------------------------------------------------------------------ */

struct listing {
	const char	*workspace;
	struct table	 table;
	cJSON		*json;		/* NULL: a table */
	int		 code;
};

static char *
joined(char *buf, size_t size, char *const *v, size_t n)
{
	size_t	i, used = 0;

	buf[0] = '\0';
	for (i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s",
		    i > 0 ? "," : "", v[i]);
	return buf;
}

static void
list_one(struct listing *l, const char *ref, const struct agent_file *f)
{
	struct agent_acl	 a;
	char			 reads[256], posts[256], may[64];
	char			*path;
	cJSON			*o;

	if (l->json != NULL) {
		path = agent_file_path(l->workspace, ref);
		o = path == NULL ? NULL : object_of(f, ref, path);
		if (o == NULL || !cJSON_AddItemToArray(l->json, o))
			l->code = EX_OSERR;
		free(path);
		return;
	}
	agent_file_acl(f, &a);
	table_row(&l->table, ref, f->name, f->role, agent_file_connector(f),
	    joined(reads, sizeof(reads), a.allow_subscribe,
	    a.n_allow_subscribe), joined(posts, sizeof(posts),
	    a.allow_publish, a.n_allow_publish), joined(may, sizeof(may),
	    f->capabilities.items.v, f->capabilities.items.n),
	    f->description);
}

/* One that cannot be read is said, and the others are listed. */
static void
list_refs(struct listing *l, const struct strlist *refs)
{
	struct agent_file	f;
	struct error		e;
	size_t			i;

	for (i = 0; i < refs->n; i++) {
		if (agent_file_load(&f, l->workspace, refs->v[i], &e) == -1)
			l->code = cli_fail(&e);
		else
			list_one(l, refs->v[i], &f);
		agent_file_free(&f);
	}
}

static int
list(struct cli *cli)
{
	struct listing	l = { .workspace = cli->config.workspace };
	struct strlist	refs = { .v = NULL };
	struct error	e;
	int		code;

	if (agent_file_list(&refs, l.workspace, &e) == -1) {
		strlist_free(&refs);
		return cli_fail(&e);
	}
	if (cli->json)
		l.json = cJSON_CreateArray();
	table_init(&l.table, 8, "PERSONA", "NAME", "ROLE", "AGENT", "READS",
	    "POSTS", "MAY", "DESCRIPTION");
	list_refs(&l, &refs);
	if (cli->json) {
		table_free(&l.table);
		code = cli_print_json(l.code == EX_OSERR ? NULL : l.json);
	} else
		code = table_print(&l.table);
	cJSON_Delete(l.json);
	strlist_free(&refs);
	return code != EX_OK ? code : l.code;
}

/* --- show ------------------------------------------------------------------------------ */

/* The file as it would be written, which is as it is read. */
static int
show_text(const struct agent_file *f, struct error *e)
{
	char	*text = agent_file_text(f, e);

	if (text == NULL)
		return -1;
	text_put(stdout, text, "\n");
	free(text);
	return 0;
}

static int
show(struct cli *cli, const char *ref, struct error *e)
{
	struct agent_file	 f;
	char			*path;
	cJSON			*o;
	int			 r;

	r = agent_file_load(&f, cli->config.workspace, ref, e);
	if (r == 0 && !cli->json)
		r = show_text(&f, e);
	else if (r == 0) {
		path = agent_file_path(cli->config.workspace, ref);
		o = path == NULL ? NULL : object_of(&f, ref, path);
		if (cli_print_json(o) != EX_OK)
			r = error_set(e, EX_OSERR, "out of memory");
		cJSON_Delete(o);
		free(path);
	}
	agent_file_free(&f);
	return r;
}

/* --- new ------------------------------------------------------------------------------- */

static int
out_of_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory for a persona");
}

static int
set_list(struct agent_list *to, const struct strlist *from, struct error *e)
{
	size_t	i;

	to->given = from->n > 0;
	for (i = 0; i < from->n; i++)
		if (!strlist_add(&to->items, from->v[i]))
			return out_of_memory(e);
	return 0;
}

static int
set_meta(struct agent_file *f, const char *key, const char *value,
    struct error *e)
{
	struct agent_meta	*m;

	if (value == NULL)
		return 0;
	m = reallocarray(f->meta, f->n_meta + 1, sizeof(*m));
	if (m == NULL)
		return out_of_memory(e);
	f->meta = m;
	m += f->n_meta++;
	memset(m, 0, sizeof(*m));
	if ((m->key = strdup(key)) == NULL ||
	    (m->value = strdup(value)) == NULL)
		return out_of_memory(e);
	return 0;
}

static int
set_persona(struct agent_file *f, const char *text, struct error *e)
{
	if (text == NULL || strcmp(text, "-") != 0)
		return agent_file_set(&f->body, text, e);
	f->body = file_read("/dev/stdin", AGENT_FILE_MAX, NULL, e);
	return f->body == NULL ? -1 : 0;
}

static int
check(const struct opts *o, const char *ref, struct error *e)
{
	enum launch_policy	policy;
	const char		*name = o->name != NULL ? o->name : ref;

	/* Such a file can be had, but nothing be started from it. */
	if (!agent_name_is_startable(name))
		return error_set(e, EX_USAGE, "\"%s\" is not an agent's name: "
		    "letters, digits, _ and -, at most %d", name,
		    AGENT_NAME_MAX);

	if (o->restart != NULL &&
	    launch_policy_by_name(&policy, o->restart) == -1)
		return error_set(e, EX_USAGE, "--restart: expected never, "
		    "on-failure or always, not \"%s\"", o->restart);
	if (o->agent != NULL && !name_is_token(o->agent))
		return error_set(e, EX_USAGE, "--agent: \"%s\" is not the "
		    "name of a connector", o->agent);
	return 0;
}

static int
fill(struct agent_file *f, const struct opts *o, const char *ref,
    struct error *e)
{
	struct strlist	may = { .v = NULL };
	int		r;

	if (o->spawn && !strlist_add(&may, "spawn"))
		return out_of_memory(e);
	r = set_list(&f->capabilities, &may, e);
	strlist_free(&may);
	if (r == -1 || agent_file_set(&f->name, o->name != NULL ? o->name :
	    ref, e) == -1 || agent_file_set(&f->role, o->role, e) == -1 ||
	    agent_file_set(&f->description, o->description, e) == -1 ||
	    agent_file_set(&f->model, o->model, e) == -1 ||
	    set_list(&f->subscribe, &o->subscribe, e) == -1 ||
	    set_list(&f->allow_subscribe, &o->allow_subscribe, e) == -1 ||
	    set_list(&f->allow_publish, &o->allow_publish, e) == -1 ||
	    set_meta(f, "agent", o->agent, e) == -1 ||
	    set_meta(f, "command", o->command, e) == -1 ||
	    set_meta(f, "restart", o->restart, e) == -1)
		return -1;
	return set_persona(f, o->persona, e);
}

static int
make(struct cli *cli, const struct opts *o, const char *ref, struct error *e)
{
	struct agent_file	 f;
	char			*path = NULL;
	int			 r;

	memset(&f, 0, sizeof(f));
	if (check(o, ref, e) == -1)
		return -1;
	if ((r = fill(&f, o, ref, e)) == 0 &&
	    (r = agent_file_save(&f, cli->config.workspace, ref, true, e)) ==
	    0 && (path = agent_file_path(cli->config.workspace, ref)) == NULL)
		r = out_of_memory(e);
	agent_file_free(&f);
	if (r == 0 && cli->json) {
		cJSON	*j = cJSON_CreateObject();

		if (j != NULL && (!json_set_str(j, "ref", ref) ||
		    !json_set_str(j, "path", path))) {
			cJSON_Delete(j);
			j = NULL;
		}
		if (cli_print_json(j) != EX_OK)
			r = out_of_memory(e);
		cJSON_Delete(j);
	} else if (r == 0)
		printf("wrote %s\n", path);
	free(path);
	return r;
}

/* --------------------------------------------------------------------------------------- */

static bool
says_something(const struct opts *o)
{
	return o->name != NULL || o->role != NULL || o->description != NULL ||
	    o->model != NULL || o->agent != NULL || o->command != NULL ||
	    o->restart != NULL || o->persona != NULL || o->spawn ||
	    o->subscribe.n + o->allow_subscribe.n + o->allow_publish.n > 0;
}

#define EXPECTED							\
	"expected `reeve personas`, `reeve personas show NAME` or `reeve "	\
	"personas new NAME` with what it says"

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	const char	*verb = argc == 0 ? "list" : argv[0];
	bool		 plain = !says_something(opts);
	struct error	 e;
	int		 r = -1;

	if (cli_load(cli, &e) == -1)
		return cli_fail(&e);
	if (cli->config.workspace == NULL)
		error_set(&e, EX_CONFIG, "no workspace is set here: `reeve "
		    "init --workspace DIR` sets one");
	else if (strcmp(verb, "list") == 0 && argc <= 1 && plain)
		return list(cli);
	else if (strcmp(verb, "show") == 0 && argc == 2 && plain)
		r = show(cli, argv[1], &e);
	else if (strcmp(verb, "new") == 0 && argc == 2)
		r = make(cli, opts, argv[1], &e);
	else
		error_set(&e, EX_USAGE, "%s", EXPECTED);
	return r == -1 ? cli_fail(&e) : EX_OK;
}

const struct command cmd_personas = {
	.name = "personas", .args = "[list | show NAME | new NAME]",
	.summary = "show the personas of the workspace, or make one",
	.more = "A persona is a file, .cotal/agents/NAME.md in the "
	    "workspace; reeve-agent(5) says what\nis in it.",
	.opts = options, .opts_size = sizeof(struct opts),
	.min_args = 0, .max_args = 2, .run = run };
