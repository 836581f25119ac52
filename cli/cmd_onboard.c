/* SPDX-License-Identifier: ISC */

/*
 * reeve onboard: an identity with scoped credentials, its durables and its
 * ACL record.  What a start that failed had made is taken back.  Of an agent
 * that is there already, what is missing is made.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "files.h"
#include "json.h"
#include "names.h"
#include "provision.h"

struct onboard_opts {
	const char	*role;
	struct strlist	 subscribe, allow_subscribe, allow_publish;
	bool		 spawn;
};

#define O(m)	offsetof(struct onboard_opts, m)
static const struct opt opts[] = {
	{ "role", OPT_STRING, O(role), "ROLE", "whose tasks it shares" },
	{ "subscribe", OPT_LIST, O(subscribe), "CH,...",
	    "active at boot (general)" },
	{ "allow-subscribe", OPT_LIST, O(allow_subscribe), "CH,...",
	    "what it may read (as --subscribe)" },
	{ "allow-publish", OPT_LIST, O(allow_publish), "CH,...",
	    "where it may post (nowhere)" },
	{ "spawn", OPT_FLAG, O(spawn), NULL, "may start agents of its own" },
	OPT_END };
#undef O

#define NOTE_MAX	(256 * 1024)

/* What is made for one agent, to be taken back when a step fails. */
struct newcomer {
	struct cli		*cli;
	const char		*name;
	struct onboard_opts	*o;
	struct creds		 agent, provisioner;
	struct bus		*bus;
	const char		*id;
	char			*role;		/* o->role, if it was noted */
	char			*creds_path, *note_path;
	bool			 again;		/* it is there already */
	struct provision	 made;
};

static char *defaults[] = { (char *)(uintptr_t)"general" };

static void
fill_scope(const struct newcomer *n, struct scope *s)
{
	const struct onboard_opts	*o = n->o;

	memset(s, 0, sizeof(*s));
	s->space = n->cli->config.space;
	s->name = n->name;
	s->role = o->role;
	s->spawn = o->spawn;
	s->subscribe = o->subscribe.n > 0 ? o->subscribe.v : defaults;
	s->n_subscribe = o->subscribe.n > 0 ? o->subscribe.n : 1;
	s->allow_subscribe = s->subscribe;
	s->n_allow_subscribe = s->n_subscribe;
	if (o->allow_subscribe.n > 0) {
		/* It may begin with nothing, where all is patterns. */
		s->n_subscribe = o->subscribe.n;
		s->allow_subscribe = o->allow_subscribe.v;
		s->n_allow_subscribe = o->allow_subscribe.n;
	}
	s->allow_publish = o->allow_publish.v;
	s->n_allow_publish = o->allow_publish.n;
}

/* Without --subscribe, an agent begins with the concrete channels that it may
 * read. */
static int
default_subscribe(struct onboard_opts *o, struct error *e)
{
	size_t	i;

	if (o->subscribe.n > 0 || o->allow_subscribe.n == 0)
		return 0;
	for (i = 0; i < o->allow_subscribe.n; i++)
		if (channel_is_concrete(o->allow_subscribe.v[i]) &&
		    !strlist_add(&o->subscribe, o->allow_subscribe.v[i]))
			return error_errno(e, EX_OSERR, "onboard");
	return 0;
}

static int
check(struct newcomer *n, struct error *e)
{
	if (!name_is_token(n->name))
		return error_set(e, EX_USAGE, "\"%s\" cannot be an agent's "
		    "name here: letters, digits, _ and -", n->name);
	if (n->o->role != NULL && !name_is_token(n->o->role))
		return error_set(e, EX_USAGE, "--role: \"%s\" is not a role: "
		    "letters, digits, _ and -", n->o->role);
	n->again = access(n->creds_path, F_OK) == 0;
	return default_subscribe(n->o, e);
}

/* --- an agent that is there already ----------------------------------------------- */

/* Its note, as write_note leaves it. */
struct note {
	char			*role;
	struct json_strings	 subscribe, allow_subscribe, allow_publish;
};

static const struct json_field note_table[] = {
	{ .name = "role", .type = JSON_STRING,
	    .offset = offsetof(struct note, role) },
	{ .name = "subscribe", .type = JSON_STRINGS,
	    .offset = offsetof(struct note, subscribe) },
	{ .name = "allowSubscribe", .type = JSON_STRINGS, .required = true,
	    .offset = offsetof(struct note, allow_subscribe) },
	{ .name = "allowPublish", .type = JSON_STRINGS,
	    .offset = offsetof(struct note, allow_publish) },
	JSON_END
};

static bool
same_list(const struct json_strings *was, char *const *v, size_t n)
{
	size_t	i;

	for (i = 0; i < n && i < was->n; i++)
		if (strcmp(was->v[i], v[i]) != 0)
			return false;
	return was->n == n;
}

static bool
may_spawn(const struct newcomer *n)
{
	const cJSON	*subject;
	cJSON		*claims = jwt_decode(n->agent.jwt, NULL);
	char		 manager[SUBJECT_MAX];
	bool		 may = false;

	subject_ctl(manager, sizeof(manager), n->cli->config.space, "manager",
	    n->agent.key.public);
	cJSON_ArrayForEach(subject, json_get(json_get(json_get(claims,
	    "nats"), "pub"), "allow"))
		may = may || (cJSON_IsString(subject) &&
		    strcmp(subject->valuestring, manager) == 0);
	cJSON_Delete(claims);
	return may;
}

/* Nothing was asked for, or the very same as before. */
static bool
same_options(const struct newcomer *n, const struct note *was)
{
	const struct onboard_opts	*o = n->o;
	struct scope			 s;

	if (o->role == NULL && o->subscribe.n == 0 &&
	    o->allow_subscribe.n == 0 && o->allow_publish.n == 0 && !o->spawn)
		return true;
	fill_scope(n, &s);
	return (s.role == NULL ? was->role == NULL : was->role != NULL &&
	    strcmp(s.role, was->role) == 0) &&
	    same_list(&was->subscribe, s.subscribe, s.n_subscribe) &&
	    same_list(&was->allow_subscribe, s.allow_subscribe,
	    s.n_allow_subscribe) &&
	    same_list(&was->allow_publish, s.allow_publish,
	    s.n_allow_publish) && o->spawn == may_spawn(n);
}

static int
adopt_list(struct strlist *list, const struct json_strings *was,
    struct error *e)
{
	size_t	i;

	strlist_free(list);
	for (i = 0; i < was->n; i++)
		if (!strlist_add(list, was->v[i]))
			return error_errno(e, EX_OSERR, "onboard");
	return 0;
}

/* Its options are those it was made with. */
static int
adopt(struct newcomer *n, const struct note *was, struct error *e)
{
	struct onboard_opts	*o = n->o;

	if (!same_options(n, was))
		return error_set(e, EX_CANTCREAT, "agent \"%s\" is onboarded "
		    "already, with other options: %s", n->name,
		    n->creds_path);
	if (was->role != NULL && (n->role = strdup(was->role)) == NULL)
		return error_errno(e, EX_OSERR, "onboard");
	o->role = n->role;
	if (adopt_list(&o->subscribe, &was->subscribe, e) == -1 ||
	    adopt_list(&o->allow_subscribe, &was->allow_subscribe, e) == -1)
		return -1;
	return adopt_list(&o->allow_publish, &was->allow_publish, e);
}

static int
find(struct newcomer *n, struct error *e)
{
	struct note	 was;
	cJSON		*o = NULL;
	char		*text;
	size_t		 len;
	int		 r = -1;

	memset(&was, 0, sizeof(was));
	if (creds_load(&n->agent, n->creds_path, e) == -1)
		return -1;
	n->id = n->agent.key.public;
	if ((text = file_read(n->note_path, NOTE_MAX, &len, e)) == NULL)
		return error_wrap(e, "agent \"%s\" is onboarded already, but "
		    "not what it may", n->name);
	if ((o = json_parse(text, len, e)) == NULL ||
	    json_read(o, note_table, &was, "", e) == -1)
		error_wrap(e, "%s", n->note_path);
	else
		r = adopt(n, &was, e);
	json_strings_free(&was.subscribe);
	json_strings_free(&was.allow_subscribe);
	json_strings_free(&was.allow_publish);
	cJSON_Delete(o);
	free(text);
	return r;
}

/* --- the steps ------------------------------------------------------------------ */

static int
mint(struct newcomer *n, struct error *e)
{
	struct scope	scope;
	struct trust	trust;
	int		r;

	if (cli_trust(n->cli, &trust, e) == -1)
		return -1;
	fill_scope(n, &scope);
	r = trust_mint(&trust, PROFILE_AGENT, &scope, 0, &n->agent, e);
	trust_wipe(&trust);
	n->id = n->agent.key.public;
	return r;
}

static int
connect_provisioner(struct newcomer *n, struct error *e)
{
	struct scope	pinned;

	memset(&pinned, 0, sizeof(pinned));
	pinned.space = n->cli->config.space;
	pinned.target = n->id;
	pinned.role = n->o->role;
	return cli_connect(n->cli, PROFILE_PROVISIONER, &pinned,
	    &n->provisioner, &n->bus, e);
}

/* What `reeve listen` and the like want to know of it. */
static int
write_note(struct newcomer *n, struct error *e)
{
	struct scope	 s;
	cJSON		*o = cJSON_CreateObject();
	char		*body = NULL;
	int		 r = -1;

	fill_scope(n, &s);
	if (o != NULL && json_set_str(o, "name", n->name) &&
	    json_set_str(o, "id", n->id) &&
	    (s.role == NULL || json_set_str(o, "role", s.role)) &&
	    json_set_strings(o, "subscribe", s.subscribe, s.n_subscribe) &&
	    json_set_strings(o, "allowSubscribe", s.allow_subscribe,
	    s.n_allow_subscribe) && json_set_strings(o, "allowPublish",
	    s.allow_publish, s.n_allow_publish))
		body = json_print(o);
	cJSON_Delete(o);
	if (body == NULL)
		return error_errno(e, EX_OSERR, "note");
	r = file_write_private(n->note_path, body, 0600, e);
	free(body);
	return r;
}

static int
make(struct newcomer *n, struct error *e)
{
	struct scope		 s;
	struct provision	*p = &n->made;

	if (connect_provisioner(n, e) == -1)
		return -1;
	fill_scope(n, &s);
	p->bus = n->bus;
	p->space = n->cli->config.space;
	p->id = n->id;
	p->name = n->name;
	p->role = n->o->role;
	p->allow = s.allow_subscribe;
	p->n_allow = s.n_allow_subscribe;
	if (provision_make(p, e) == -1)
		return -1;
	if (n->again)
		return 0;
	if (creds_save(&n->agent, n->creds_path, e) == -1)
		return -1;
	return write_note(n, e);
}

static void
take_back(struct newcomer *n)
{
	(void)unlink(n->creds_path);
	(void)unlink(n->note_path);
	if (n->bus != NULL && bus_alive(n->bus))
		(void)provision_take_back(&n->made, NULL);
}

/* What was missing of an agent that was there. */
static void
say_again(const struct newcomer *n)
{
	const struct {
		bool		 made;
		const char	*what;
	}	 parts[] = {
		{ n->made.made_dm, "the consumer of its direct messages" },
		{ n->made.made_dlv, "the consumer of its channels" },
		{ n->made.made_svc, "the consumer of its role's tasks" },
		{ n->made.made_acl, "its access record" } };
	size_t	 i, made = 0;

	printf("%s is onboarded already, as %s\n", n->name, n->id);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].made) {
			printf("  made again   %s\n", parts[i].what);
			made++;
		}
	if (made == 0)
		printf("  nothing is missing\n");
}

static void
say(const struct newcomer *n)
{
	struct scope	s;
	size_t		i;

	if (n->cli->json) {
		printf("{\"name\":\"%s\",\"id\":\"%s\",\"creds\":\"%s\"}\n",
		    n->name, n->id, n->creds_path);
		return;
	}
	if (n->again) {
		say_again(n);
		return;
	}
	fill_scope(n, &s);
	printf("%s is onboarded as %s\n  credentials  %s\n  reads       ",
	    n->name, n->id, n->creds_path);
	for (i = 0; i < s.n_allow_subscribe; i++)
		printf(" %s", s.allow_subscribe[i]);
	printf("\n  posts to    ");
	for (i = 0; i < s.n_allow_publish; i++)
		printf(" %s", s.allow_publish[i]);
	printf("%s\n", s.n_allow_publish == 0 ? " (no channel)" : "");
}

static int
onboard(struct newcomer *n, struct error *e)
{
	if (n->creds_path == NULL || n->note_path == NULL)
		return error_errno(e, EX_OSERR, "onboard");
	if (check(n, e) == -1)
		return -1;
	if (n->again)
		return find(n, e) == -1 ? -1 : make(n, e);
	if (mint(n, e) == 0 && make(n, e) == 0)
		return 0;
	take_back(n);
	return -1;
}

static int
run(struct cli *cli, void *arg, int argc, char **argv)
{
	struct newcomer	n;
	struct error	e;
	int		r;

	(void)argc;
	memset(&n, 0, sizeof(n));
	n.cli = cli;
	n.name = argv[0];
	n.o = arg;
	if (cli_load(cli, &e) == -1)
		return cli_fail(&e);
	n.creds_path = cli_agent_path(cli, n.name, "creds");
	n.note_path = cli_agent_path(cli, n.name, "json");
	if ((r = onboard(&n, &e)) == 0)
		say(&n);
	bus_close(n.bus);
	creds_wipe(&n.agent);
	creds_wipe(&n.provisioner);
	free(n.role);
	free(n.creds_path);
	free(n.note_path);
	return r == 0 ? EX_OK : cli_fail(&e);
}

const struct command cmd_onboard = {
	.name = "onboard", .args = "NAME",
	.summary = "make an agent: identity, credentials, durables, ACL",
	.more = "The credentials are written to STATE/agents/NAME.creds.  "
	    "Again, with the same options\nor none, it makes what is missing "
	    "of an agent.",
	.opts = opts, .opts_size = sizeof(struct onboard_opts),
	.min_args = 1, .max_args = 1, .run = run };
