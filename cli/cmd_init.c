/* SPDX-License-Identifier: ISC */

/* reeve init: makes a state directory and a space. */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "egress.h"
#include "files.h"
#include "layout.h"
#include "names.h"
#include "services.h"
#include "setup.h"

struct init_opts {
	const char	*space, *server, *listen, *import, *fanout_from;
	const char	*config, *workspace, *signer_user;
	int64_t		 lease_ttl_ms, dedup_ms, replicas, shards;
	bool		 no_agents;
};

#define O(m)	offsetof(struct init_opts, m)
static const struct opt opts[] = {
	{ "config", OPT_STRING, O(config), "FILE",
	    "apply all settings of this file" },
	{ "space", OPT_STRING, O(space), "NAME", "of the space (main)" },
	{ "server", OPT_STRING, O(server), "URL",
	    "a broker that runs, instead of one of our own" },
	{ "listen", OPT_STRING, O(listen), "HOST:PORT",
	    "of our own broker (127.0.0.1:4222)" },
	{ "import-trust", OPT_STRING, O(import), "FILE",
	    "the trust file of a running space" },
	{ "lease-ttl", OPT_DURATION, O(lease_ttl_ms), "DURATION",
	    "after which another host may take over (30s)" },
	{ "dedup-window", OPT_DURATION, O(dedup_ms), "DURATION",
	    "for which message ids are remembered (2h)" },
	{ "replicas", OPT_NUMBER, O(replicas), "N",
	    "of each stream, in a cluster (1)" },
	{ "shards", OPT_NUMBER, O(shards), "N",
	    "that a new space is cut into (1)" },
	{ "workspace", OPT_STRING, O(workspace), "DIR",
	    "whose .cotal has the agents' files (the current one)" },
	{ "no-agents", OPT_FLAG, O(no_agents), NULL,
	    "delivery alone: no manager, no signer" },
	{ "signer-user", OPT_STRING, O(signer_user), "NAME",
	    "as whom the signer runs, where root runs it" },
	{ "fanout-from", OPT_STRING, O(fanout_from), "SEQ|first|new",
	    "where a lost fanout durable begins anew" },
	OPT_END };
#undef O

/* --- settings ----------------------------------------------------------------- */

static int
set_string(char **where, const char *value, struct error *e)
{
	free(*where);
	*where = strdup(value);
	return *where == NULL ? error_errno(e, EX_OSERR, "settings") : 0;
}

int
setup_check_fanout_from(const char *from, struct error *e)
{
	if (strcmp(from, "new") == 0 || strcmp(from, "first") == 0 ||
	    (strspn(from, "0123456789") == strlen(from) &&
	    strtoull(from, NULL, 10) != 0))
		return 0;
	return error_set(e, EX_USAGE, "--fanout-from: expected a sequence, "
	    "first or new, not \"%s\"", from);
}

static int
set_listen(struct config *c, const char *listen, struct error *e)
{
	if (config_serve(c, listen, e) == 0)
		return 0;
	if (e != NULL)
		e->code = EX_USAGE;
	return error_wrap(e, "--listen");
}

/* By its real path: what leads there may lead elsewhere another time. */
static int
set_workspace(struct config *c, const char *dir, struct error *e)
{
	char		*path = realpath(dir, NULL);
	struct stat	 st;

	if (path == NULL || stat(path, &st) == -1) {
		free(path);
		return error_errno(e, EX_NOINPUT, "--workspace %s", dir);
	}
	free(c->workspace);
	c->workspace = path;
	if (!S_ISDIR(st.st_mode))
		return error_set(e, EX_NOINPUT, "--workspace: %s is not a "
		    "directory", dir);
	return 0;
}

static int
settings_from(struct config *c, const struct init_opts *o, struct error *e)
{
	const char	*space = o->space == NULL ? "main" : o->space;

	if (!name_is_token(space))
		return error_set(e, EX_USAGE, "--space: expected letters, "
		    "digits, _ and -, not \"%s\"", space);
	if (o->server != NULL && o->listen != NULL)
		return error_set(e, EX_USAGE, "--server is a broker of "
		    "somebody else's, --listen our own: give one of them");
	if (o->fanout_from != NULL &&
	    setup_check_fanout_from(o->fanout_from, e) == -1)
		return -1;
	if (o->shards > LAYOUT_SHARDS_MAX)
		return error_set(e, EX_USAGE, "--shards: at most %d",
		    LAYOUT_SHARDS_MAX);
	if (set_string(&c->space, space, e) == -1)
		return -1;
	if (o->no_agents && (o->workspace != NULL || o->signer_user != NULL))
		return error_set(e, EX_USAGE, "--no-agents: there is no "
		    "--workspace and no --signer-user then");
	if (!o->no_agents && set_workspace(c, o->workspace == NULL ? "." :
	    o->workspace, e) == -1)
		return -1;
	if (o->lease_ttl_ms != 0)
		c->lease_ttl_ms = o->lease_ttl_ms;
	if (o->dedup_ms != 0)
		c->dedup_window_ms = o->dedup_ms;
	if (o->replicas != 0)
		c->replicas = (int)o->replicas;
	if (o->server != NULL) {
		if (set_string(&c->servers, o->server, e) == -1)
			return -1;
	} else if (set_listen(c, o->listen != NULL ? o->listen :
	    DEFAULT_HOST ":4222", e) == -1)
		return -1;
	/* What is written must be what is read. */
	return config_check(c, e);
}

/* All settings are the file's, or none is. */
static int
wanted_settings(struct config *c, const char *state,
    const struct init_opts *o, struct error *e)
{
	if (o->config != NULL) {
		if (o->space != NULL || o->server != NULL ||
		    o->listen != NULL || o->workspace != NULL ||
		    o->no_agents || o->lease_ttl_ms != 0 ||
		    o->dedup_ms != 0 || o->replicas != 0)
			return error_set(e, EX_USAGE, "--config names a file "
			    "with all settings: change them there");
		return config_read(c, state, o->config, e);
	}
	if (config_init(c, state, e) == -1)
		return -1;
	if (settings_from(c, o, e) == 0)
		return 0;
	config_free(c);
	return -1;
}

/* What is given again must be what is there. */
static int
same_settings(const struct config *c, const struct config *want,
    const struct init_opts *o, const char *state, struct error *e)
{
	const char	*which = NULL;

	if (o->space != NULL && strcmp(c->space, want->space) != 0)
		which = "--space";
	else if ((o->server != NULL || o->listen != NULL) &&
	    strcmp(c->servers, want->servers) != 0)
		which = o->server != NULL ? "--server" : "--listen";
	else if (o->lease_ttl_ms != 0 && c->lease_ttl_ms !=
	    want->lease_ttl_ms)
		which = "--lease-ttl";
	else if (o->dedup_ms != 0 && c->dedup_window_ms !=
	    want->dedup_window_ms)
		which = "--dedup-window";
	else if (o->replicas != 0 && c->replicas != want->replicas)
		which = "--replicas";
	else if (o->workspace != NULL && c->workspace != NULL &&
	    strcmp(c->workspace, want->workspace) != 0)
		which = "--workspace";
	else if (o->no_agents && c->workspace != NULL)
		which = "--no-agents";
	if (which == NULL)
		return 0;
	return error_set(e, EX_CONFIG, "%s differs from what %s/reeve.conf "
	    "says; it is not changed by init", which, state);
}

/* --- before anything is written --------------------------------------------- */

/* Nobody listens where our broker is to. */
static int
check_port(const struct config *c, struct error *e)
{
	struct addrinfo	 hints = { .ai_socktype = SOCK_STREAM,
			    .ai_family = AF_INET }, *ai = NULL;
	char		 port[16];
	int		 r;

	snprintf(port, sizeof(port), "%d", c->listen_port);
	if ((r = getaddrinfo(c->listen_host, port, &hints, &ai)) != 0)
		return error_set(e, EX_NOHOST, "--listen: %s: %s",
		    c->listen_host, gai_strerror(r));
	if (egress_can_listen(ai) == -1)
		r = errno == EADDRINUSE ? error_set(e, EX_UNAVAILABLE,
		    "something listens on %s:%d already: give another --listen"
		    " HOST:PORT, or, if it is a broker that trusts this space,"
		    " --server URL", c->listen_host, c->listen_port) :
		    error_errno(e, EX_UNAVAILABLE, "--listen %s:%d",
		    c->listen_host, c->listen_port);
	freeaddrinfo(ai);
	return r;
}

/* What would fail later leaves nothing behind: settings once written are not
 * changed by another init. */
static int
check_first(const struct config *c, const struct init_opts *o,
    struct error *e)
{
	char		*path = config_path(c, "trust/auth.json"), *server;
	struct trust	 t;
	bool		 trusted;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "trust");
	trusted = access(path, F_OK) == 0;
	free(path);
	if (o->import != NULL) {
		if (setup_load_import(&t, c, o->import, e) == -1)
			return -1;
		trust_wipe(&t);
	}
	if (!c->embedded)
		return 0;
	if ((server = setup_nats_server(e)) == NULL)
		return -1;
	free(server);
	/* With trust but no settings it may be our own that runs. */
	return trusted ? 0 : check_port(c, e);
}

static int
first_settings(struct setup *s, struct config *want,
    const struct init_opts *o, struct error *e)
{
	char	*path = config_path(want, "reeve.conf");
	char	*text = config_text(want);
	int	 r = -1;

	if (path == NULL || text == NULL)
		error_errno(e, EX_OSERR, "reeve.conf");
	else if (check_first(want, o, e) == 0 && dir_make(want->state, 0700, e) == 0 &&
	    (r = file_write_private(path, text, 0644, e)) == 0)
		setup_say(s, "wrote %s", path);
	free(text);
	free(path);
	return r;
}

/*
 * The host's file rules the state's.  What the processes that run have read
 * cannot change under them: a broker at another address would be a second one
 * on the same store.
 */
static int
apply_settings(struct setup *s, const struct config *was,
    const struct config *want, struct error *e)
{
	char	*old = config_text(was), *text = config_text(want);
	char	*path = config_path(want, "reeve.conf");
	int	 r = 0;

	if (old == NULL || text == NULL || path == NULL)
		r = error_errno(e, EX_OSERR, "reeve.conf");
	else if (strcmp(was->space, want->space) != 0)
		r = error_set(e, EX_CONFIG, "%s has space \"%s\", not \"%s\";"
		    " that cannot be changed", want->state, was->space,
		    want->space);
	else if (strcmp(old, text) != 0 && reeved_pid(was) != 0)
		r = error_set(e, EX_TEMPFAIL, "the settings differ from %s, "
		    "and reeved runs: end it first, with `reeve down`", path);
	else if (strcmp(old, text) != 0 &&
	    (r = file_write_private(path, text, 0644, e)) == 0)
		setup_say(s, "wrote %s", path);
	free(path);
	free(text);
	free(old);
	return r;
}

/* The one setting that may come later; all else in the file stays as it
 * stands. */
static int
add_workspace(struct setup *s, const struct config *was,
    const struct config *want, struct error *e)
{
	char	*path = config_path(was, "reeve.conf"), *text = NULL;
	char	*more = NULL;
	size_t	 n;
	int	 r = -1;

	if (path == NULL)
		error_errno(e, EX_OSERR, "reeve.conf");
	else if ((text = file_read(path, 64 * 1024, NULL, e)) != NULL) {
		n = strlen(text);
		if (asprintf(&more, "%s%sworkspace = %s\n", text,
		    n > 0 && text[n - 1] != '\n' ? "\n" : "",
		    want->workspace) == -1)
			error_errno(e, EX_OSERR, "reeve.conf");
		else if ((r = file_write_private(path, more, 0644, e)) == 0)
			setup_say(s, "wrote %s", path);
	}
	free(more);
	free(text);
	free(path);
	return r;
}

/* Settings that are there, and those that are wanted. */
static int
compare_settings(struct setup *s, struct config *want,
    const struct init_opts *o, struct error *e)
{
	struct config	was;
	int		r;

	if (config_load(&was, want->state, e) == -1)
		return -1;
	if (o->config == NULL) {
		r = same_settings(&was, want, o, want->state, e);
		if (r == 0 && o->workspace != NULL && was.workspace == NULL)
			r = add_workspace(s, &was, want, e);
	}
	else if ((r = config_inherit(want, &was, e)) == 0)
		r = apply_settings(s, &was, want, e);
	config_free(&was);
	return r;
}

static int
settle_config(struct cli *cli, struct setup *s, const struct init_opts *o,
    struct error *e)
{
	struct config	 want;
	char		*state = config_state_dir(cli->state_opt, e);
	char		*path = NULL;
	int		 r = -1;

	s->config = &cli->config;
	if (state == NULL)
		return -1;
	if (wanted_settings(&want, state, o, e) == -1)
		goto out;
	if ((path = config_path(&want, "reeve.conf")) == NULL)
		error_errno(e, EX_OSERR, "reeve.conf");
	else if (access(path, F_OK) == 0)
		r = compare_settings(s, &want, o, e);
	else
		r = first_settings(s, &want, o, e);
	if (r == 0 && (r = config_load(&cli->config, state, e)) == 0)
		cli->loaded = true;
	config_free(&want);
out:
	free(path);
	free(state);
	return r;
}

/* --- running --------------------------------------------------------------------- */

/* Does a role of this host run, whoever supervises it? */
bool
setup_host_runs(const struct config *c)
{
	struct strlist		names = { .n = 0 };
	struct service_status	st;
	bool			runs = reeved_pid(c) != 0;
	size_t			i;

	if (!runs && services_list(c, &names, NULL) == 0)
		for (i = 0; i < names.n && !runs; i++)
			runs = strcmp(names.v[i], "broker") != 0 &&
			    service_status(c, names.v[i], &st, NULL) == 0 &&
			    st.pid != 0;
	strlist_free(&names);
	return runs;
}

/* What runs has read its name: under another it would be another host, and
 * each would wait for the other's lease. */
static int
setup_host(struct setup *s, struct error *e)
{
	char	*path = config_path(s->config, "host-id");
	bool	 missing;
	int	 r;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "host-id");
	missing = access(path, F_OK) == -1;
	free(path);
	if (missing && setup_host_runs(s->config))
		return error_set(e, EX_TEMPFAIL, "host-id is missing, and the "
		    "roles that run are of the host that it named: put it "
		    "back, or end them first, with `reeve down`");
	r = host_create(s->config, e);
	if (r == 1)
		setup_say(s, "named this host");
	return r == -1 ? -1 : 0;
}

static int
init_run(struct cli *cli, const struct init_opts *o,
    const struct takeover *t, unsigned *changes, struct error *e)
{
	struct setup	s;
	int		r;

	memset(&s, 0, sizeof(s));
	if (t != NULL) {
		s.say = t->say;
		s.say_arg = t->arg;
	}
	s.fanout_from = o->fanout_from;
	s.signer_user = o->signer_user;
	s.want_shards = o->shards;
	r = settle_config(cli, &s, o, e);
	if (r == 0)
		r = setup_host(&s, e);
	if (r == 0)
		r = setup_trust(&s, o->import, e);
	if (r == 0)
		r = setup_broker(&s, e);
	if (r == 0)
		r = setup_space(&s, e);
	if (r == 0)
		r = setup_creds(&s, e);
	if (r == 0)
		r = setup_services(&s, e);
	trust_wipe(&s.trust);
	*changes = s.changes;
	return r;
}

int
setup_default(struct cli *cli, const char *config, struct error *e)
{
	struct init_opts	o;
	unsigned		changes;

	memset(&o, 0, sizeof(o));
	o.config = config;
	return init_run(cli, &o, NULL, &changes, e);
}

/* Settings that are there already are not asked for again: they rule. */
int
setup_takeover(struct cli *cli, const struct takeover *t, struct error *e)
{
	struct init_opts	o;
	unsigned		changes;

	memset(&o, 0, sizeof(o));
	o.space = t->want->space;
	o.server = t->want->servers;
	o.import = t->trust;
	o.fanout_from = t->fanout_from;
	if (t->first) {
		o.workspace = t->want->workspace;
		o.no_agents = t->want->workspace == NULL;
		o.lease_ttl_ms = t->want->lease_ttl_ms;
		o.dedup_ms = t->want->dedup_window_ms;
		o.replicas = t->want->replicas;
	}
	cli_free(cli);
	return init_run(cli, &o, t, &changes, e);
}

static int
run(struct cli *cli, void *arg, int argc, char **argv)
{
	struct error	e;
	unsigned	changes;

	(void)argc;
	(void)argv;
	if (init_run(cli, arg, NULL, &changes, &e) == -1)
		return cli_fail(&e);
	if (changes == 0)
		printf("nothing to do: space %s is set up in %s\n",
		    cli->config.space, cli->config.state);
	else
		printf("space %s is set up in %s; start it with `reeve up`\n",
		    cli->config.space, cli->config.state);
	return EX_OK;
}

const struct command cmd_init = {
	.name = "init", .args = "",
	.summary = "make a state directory, a space and its roles",
	.more = "Makes trust, configuration, streams and buckets, the roles'"
	    " credentials and\nservice directories.  A second run changes "
	    "nothing and says so.",
	.opts = opts, .opts_size = sizeof(struct init_opts),
	.min_args = 0, .max_args = 0, .run = run };
