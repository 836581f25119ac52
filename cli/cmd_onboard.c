/* SPDX-License-Identifier: ISC */

/*
 * reeve onboard: an identity with scoped credentials, its durables and its
 * ACL record.  What a start that failed had made is taken back.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "files.h"
#include "jetstream.h"
#include "json.h"
#include "names.h"
#include "records.h"
#include "space.h"

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

/* What is made for one agent, to be taken back when a step fails. */
struct newcomer {
	struct cli		*cli;
	const char		*name;
	struct onboard_opts	*o;
	struct creds		 agent, provisioner;
	struct bus		*bus;
	const char		*id;
	char			*creds_path, *note_path;
	bool			 made_dm, made_dlv, made_acl;
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
	if (access(n->creds_path, F_OK) == 0)
		return error_set(e, EX_CANTCREAT, "agent \"%s\" is onboarded "
		    "already: %s", n->name, n->creds_path);
	return default_subscribe(n->o, e);
}

/* --- the steps ------------------------------------------------------------------ */

static int
mint(struct newcomer *n, struct error *e)
{
	struct scope	scope, pinned;
	struct trust	trust;
	int		r;

	if (cli_trust(n->cli, &trust, e) == -1)
		return -1;
	fill_scope(n, &scope);
	r = trust_mint(&trust, PROFILE_AGENT, &scope, 0, &n->agent, e);
	trust_wipe(&trust);
	if (r == -1)
		return -1;
	n->id = n->agent.key.public;
	memset(&pinned, 0, sizeof(pinned));
	pinned.space = n->cli->config.space;
	pinned.target = n->id;
	pinned.role = n->o->role;
	return cli_connect(n->cli, PROFILE_PROVISIONER, &pinned,
	    &n->provisioner, &n->bus, e);
}

static int
make_durable(struct newcomer *n, enum stream_kind kind, cJSON *config,
    struct error *e)
{
	char	stream[STREAM_MAX];
	int	r;

	if (config == NULL)
		return error_errno(e, EX_OSERR, "durable");
	name_stream(stream, sizeof(stream), n->cli->config.space, kind);
	r = js_consumer_create(n->bus, stream,
	    json_get(config, "name")->valuestring, config, NULL, e);
	cJSON_Delete(config);
	return r;
}

/* A role's queue is shared: it may be there, and is never taken back. */
static int
make_task_durable(struct newcomer *n, struct error *e)
{
	struct js_consumer	c;
	char			stream[STREAM_MAX], name[STREAM_MAX];

	if (n->o->role == NULL)
		return 0;
	name_stream(stream, sizeof(stream), n->cli->config.space,
	    STREAM_TASK);
	snprintf(name, sizeof(name), "svc_%s", n->o->role);
	if (js_consumer_info(n->bus, stream, name, &c, e) == 0) {
		js_consumer_free(&c);
		return 0;
	}
	return make_durable(n, STREAM_TASK, space_svc_durable(
	    n->cli->config.space, n->o->role), e);
}

static int
write_acl(struct newcomer *n, struct error *e)
{
	struct scope	 scope;
	struct acl	 acl;
	char		 subject[SUBJECT_MAX], *body;
	struct bus_pub	 p = { .subject = subject, .expect = true };
	int		 r;

	fill_scope(n, &scope);
	memset(&acl, 0, sizeof(acl));
	acl.allow = (char **)(uintptr_t)scope.allow_subscribe;
	acl.n_allow = scope.n_allow_subscribe;
	acl.revision = 1;
	acl.updated_ms = clock_epoch_ms();
	acl.name = (char *)(uintptr_t)n->name;
	if ((body = acl_write(&acl, NULL, 0)) == NULL)
		return error_errno(e, EX_OSERR, "ACL");
	name_bucket_key(subject, sizeof(subject), n->cli->config.space,
	    BUCKET_ACL, n->id);
	p.data = body;
	p.len = strlen(body);
	r = js_publish(n->bus, &p, NULL, NULL, e);
	free(body);
	return r;
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
	const char	*space = n->cli->config.space;

	if (make_durable(n, STREAM_DM, space_dm_durable(space, n->id), e) ==
	    -1)
		return -1;
	n->made_dm = true;
	if (make_durable(n, STREAM_DLV, space_dlv_durable(space, n->id), e)
	    == -1)
		return -1;
	n->made_dlv = true;
	if (make_task_durable(n, e) == -1 || write_acl(n, e) == -1)
		return -1;
	n->made_acl = true;
	if (creds_save(&n->agent, n->creds_path, e) == -1)
		return -1;
	return write_note(n, e);
}

static void
take_back(struct newcomer *n)
{
	char		stream[STREAM_MAX], name[STREAM_MAX];
	char		subject[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .data = "",
			    .kv_operation = "DEL" };

	(void)unlink(n->creds_path);
	(void)unlink(n->note_path);
	if (n->bus == NULL || !bus_alive(n->bus))
		return;
	if (n->made_dm) {
		name_stream(stream, sizeof(stream), n->cli->config.space,
		    STREAM_DM);
		snprintf(name, sizeof(name), "dm_%s", n->id);
		(void)js_consumer_delete(n->bus, stream, name, NULL);
	}
	if (n->made_dlv) {
		name_stream(stream, sizeof(stream), n->cli->config.space,
		    STREAM_DLV);
		snprintf(name, sizeof(name), "dlv_%s", n->id);
		(void)js_consumer_delete(n->bus, stream, name, NULL);
	}
	if (n->made_acl) {
		name_bucket_key(subject, sizeof(subject),
		    n->cli->config.space, BUCKET_ACL, n->id);
		(void)js_publish(n->bus, &p, NULL, NULL, NULL);
	}
}

static void
say(struct newcomer *n)
{
	struct scope	s;
	size_t		i;

	if (n->cli->json) {
		printf("{\"name\":\"%s\",\"id\":\"%s\",\"creds\":\"%s\"}\n",
		    n->name, n->id, n->creds_path);
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
	if (n.creds_path == NULL || n.note_path == NULL)
		r = error_errno(&e, EX_OSERR, "onboard");
	else if ((r = check(&n, &e)) == 0 && ((r = mint(&n, &e)) == -1 ||
	    (r = make(&n, &e)) == -1))
		take_back(&n);
	if (r == 0)
		say(&n);
	bus_close(n.bus);
	creds_wipe(&n.agent);
	creds_wipe(&n.provisioner);
	free(n.creds_path);
	free(n.note_path);
	return r == 0 ? EX_OK : cli_fail(&e);
}

const struct command cmd_onboard = {
	.name = "onboard", .args = "NAME",
	.summary = "make an agent: identity, credentials, durables, ACL",
	.more = "The credentials are written to STATE/agents/NAME.creds.",
	.opts = opts, .opts_size = sizeof(struct onboard_opts),
	.min_args = 1, .max_args = 1, .run = run };
