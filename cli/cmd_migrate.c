/* SPDX-License-Identifier: ISC */

/*
 * reeve migrate: take over a running space that another implementation of the
 * daemons serves, and give it back (reeve-migrate(7)).
 *
 * All is looked at first, by a credential that can change nothing; what stands
 * in the way is said, all of it.  Only then what is missing is made, on this
 * host and on the broker, as `reeve init` makes it; the other's consumers are
 * updated by the roles, when they have the lease.  So nothing is half done:
 * killed anywhere, it is run again.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "egress.h"
#include "log.h"
#include "migrate.h"
#include "services.h"
#include "setup.h"

#define START_MS	45000		/* until the shards are served */
#define BACK_WAIT_MS	10000
#define DEFAULT_TRUST	".cotal/auth/auth.json"

struct migrate_opts {
	const char	*trust, *server, *workspace, *fanout_from;
	int64_t		 wait_ms;
	bool		 dry, start, back, no_agents;
};

#define O(m)	offsetof(struct migrate_opts, m)
static const struct opt opts[] = {
	{ "trust", OPT_STRING, O(trust), "FILE",
	    "the space's trust file (" DEFAULT_TRUST ")" },
	{ "server", OPT_STRING, O(server), "URL",
	    "the space's broker (nats://127.0.0.1:4222)" },
	{ "workspace", OPT_STRING, O(workspace), "DIR",
	    "whose .cotal has the agents' files (the trust file's)" },
	{ "no-agents", OPT_FLAG, O(no_agents), NULL,
	    "delivery alone: its manager goes on" },
	{ "fanout-from", OPT_STRING, O(fanout_from), "SEQ|first|new",
	    "where a lost fanout durable begins anew" },
	{ "wait", OPT_DURATION, O(wait_ms), "DURATION",
	    "for who serves the space to let it go" },
	{ "dry-run", OPT_FLAG, O(dry), NULL,
	    "say each step, and do nothing" },
	{ "start", OPT_FLAG, O(start), NULL,
	    "then start reeved, and wait until it serves" },
	{ "back", OPT_FLAG, O(back), NULL,
	    "give a space back that was taken over" },
	OPT_END };
#undef O

/* --- settings ------------------------------------------------------------------ */

static int
set_string(char **where, const char *value, struct error *e)
{
	free(*where);
	*where = strdup(value);
	return *where == NULL ? error_errno(e, EX_OSERR, "settings") : 0;
}

/* The directory that a DIR/.cotal/auth/auth.json is of, else this one. */
static int
default_workspace(struct migrate *m, const char *trust, struct error *e)
{
	size_t	 n = strlen(trust), k = strlen(DEFAULT_TRUST);
	char	*dir = strdup(trust), *path;
	int	 r;

	if (dir == NULL)
		return error_errno(e, EX_OSERR, "workspace");
	if (n > k && strcmp(trust + n - k, DEFAULT_TRUST) == 0 &&
	    trust[n - k - 1] == '/')
		dir[n - k == 1 ? 1 : n - k - 1] = '\0';
	else
		dir[0] = '\0';
	path = realpath(dir[0] == '\0' ? "." : dir, NULL);
	if (path == NULL)
		r = error_errno(e, EX_NOINPUT, "%s", dir);
	else
		r = set_string(&m->want.workspace, path, e);
	free(path);
	free(dir);
	return r;
}

static int
set_workspace(struct migrate *m, const struct migrate_opts *o,
    struct error *e)
{
	struct stat	 st;
	char		*path;
	int		 r;

	if (o->no_agents)
		return 0;
	if (o->workspace == NULL)
		return default_workspace(m, m->trust_path, e);
	if ((path = realpath(o->workspace, NULL)) == NULL ||
	    stat(path, &st) == -1 || !S_ISDIR(st.st_mode))
		r = error_set(e, EX_NOINPUT, "--workspace: %s is not a "
		    "directory", o->workspace);
	else
		r = set_string(&m->want.workspace, path, e);
	free(path);
	return r;
}

/* What is there rules; what is not there is as the space has it. */
static int
read_settings(struct migrate *m, const struct migrate_opts *o,
    struct error *e)
{
	char	*state = config_state_dir(m->cli->state_opt, e), *path = NULL;
	int	 r = -1;

	if (state == NULL)
		return -1;
	if (asprintf(&path, "%s/reeve.conf", state) == -1) {
		path = NULL;
		error_errno(e, EX_OSERR, "settings");
	} else if (access(path, F_OK) == 0)
		r = config_load(&m->want, state, e);
	else if (o->back)
		error_set(e, EX_CONFIG, "%s: there is no state, so no space "
		    "that was taken over from here", state);
	else if ((r = config_init(&m->want, state, e)) == 0) {
		m->first = true;
		r = set_string(&m->want.servers, o->server == NULL ?
		    "nats://127.0.0.1:4222" : o->server, e);
		if (r == 0)
			r = set_workspace(m, o, e);
		m->want.embedded = false;
	}
	free(path);
	free(state);
	return r;
}

/* Does what is given of agents differ from what the settings say? */
static bool
differs(const struct migrate *m, const struct migrate_opts *o)
{
	char	*path;
	bool	 is;

	if (m->first || o->workspace == NULL)
		return !m->first && o->no_agents && m->want.workspace != NULL;
	path = realpath(o->workspace, NULL);
	is = path == NULL || m->want.workspace == NULL || strcmp(path,
	    m->want.workspace) != 0;
	free(path);
	return is;
}

/* Another space, or another broker, is another state directory. */
static int
check_settings(const struct migrate *m, const struct migrate_opts *o,
    struct error *e)
{
	if (differs(m, o))
		return error_set(e, EX_CONFIG, "%s differs from what "
		    "%s/reeve.conf says; a workspace is added with `reeve "
		    "init --workspace`", o->no_agents ? "--no-agents" :
		    "--workspace", m->want.state);
	if (m->want.embedded)
		return error_set(e, EX_CONFIG, "%s has a broker of its own: "
		    "give another --state DIR for a space that was not made "
		    "here", m->want.state);
	if (o->server != NULL && strcmp(o->server, m->want.servers) != 0)
		return error_set(e, EX_CONFIG, "--server differs from what "
		    "%s/reeve.conf says, which is %s", m->want.state,
		    m->want.servers);
	return 0;
}

/* --- the trust file ------------------------------------------------------------ */

static int
check_space(struct migrate *m, struct error *e)
{
	if (m->first)
		return set_string(&m->want.space, m->trust.space, e);
	if (strcmp(m->want.space, m->trust.space) == 0)
		return 0;
	return error_set(e, EX_CONFIG, "%s is of space \"%s\", and %s of "
	    "\"%s\": give another --state DIR", m->trust_path,
	    m->trust.space, m->want.state, m->want.space);
}

/* Who may read the directory can wait for the file to be written anew. */
static void
look_at_directory(struct migrate *m)
{
	char		*dir = strdup(m->trust_path);
	char		*slash = dir == NULL ? NULL : strrchr(dir, '/');
	struct stat	 st;

	if (slash != NULL)
		slash[slash == dir] = '\0';
	if (dir != NULL && stat(slash == NULL ? "." : dir, &st) == 0 &&
	    (st.st_mode & 077) != 0)
		migrate_step(m, STEP_NOTE, "trust", "its directory has mode "
		    "%04o: 0700 is safe", (unsigned)(st.st_mode & 07777));
	free(dir);
}

static int
look_at_trust(struct migrate *m, struct error *e)
{
	if (trust_load(&m->trust, m->trust_path, e) == -1 ||
	    check_space(m, e) == -1)
		return -1;
	migrate_step(m, STEP_OK, "trust", "%s is of space %s, account %s: %s",
	    m->trust_path, m->trust.space, m->trust.account_pub,
	    trust_is_stripped(&m->trust) ? "it can mint users, and nothing "
	    "else" : "mode, seeds and signatures are right");
	look_at_directory(m);
	return 0;
}

/* --- looking -------------------------------------------------------------------- */

static int
look_at_space(struct migrate *m, struct error *e)
{
	if (migrate_look_at_streams(m, e) == -1)
		return -1;
	if (!m->stream[0])
		return 0;
	if (migrate_look_at_defaults(m, e) == -1 ||
	    migrate_look_at_records(m, e) == -1 ||
	    migrate_look_at_durables(m, e) == -1 ||
	    migrate_look_at_agents(m, e) == -1 ||
	    migrate_look_at_leases(m, e) == -1)
		return -1;
	return 0;
}

static int
reach(struct migrate *m, struct error *e)
{
	if (look_at_trust(m, e) == -1 || migrate_connect(m, PROFILE_MIGRATOR,
	    1, &m->creds, &m->bus, e) == -1)
		return -1;
	migrate_step(m, STEP_OK, "broker", "%s answers, and accepts what "
	    "this trust file signs", m->want.servers);
	return 0;
}

/* --- making ---------------------------------------------------------------------- */

static void
say_made(void *arg, const char *line)
{
	migrate_step(arg, STEP_DONE, "set up", "%s", line);
}

static bool
is_there(const struct migrate *m, const char *fmt, const char *name)
{
	char	*file = NULL, *path = NULL;
	bool	 is = true;

	if (asprintf(&file, fmt, name) == -1 ||
	    (path = config_path(&m->want, "%s", file)) == NULL)
		fatal_memory();
	is = access(path, F_OK) == 0;
	free(path);
	free(file);
	return is;
}

static void
would_make(struct migrate *m, const char *fmt, const char *name)
{
	char	file[128];

	(void)snprintf(file, sizeof(file), fmt, name);
	if (!is_there(m, "%s", file))
		migrate_step(m, STEP_WOULD, "set up", "make %s/%s",
		    m->want.state, file);
}

static void
say_what_is_made(struct migrate *m)
{
	static const char *const	agents[] = { "signer", "manager",
					    "canary" };
	char				name[64], file[80];
	unsigned			shard;
	size_t				i;

	would_make(m, "%s", "reeve.conf");
	would_make(m, "%s", "host-id");
	would_make(m, "%s", "trust/auth.json");
	for (shard = 0; shard < m->layout.shards; shard++)
		for (i = 0; setup_roles[i] != NULL; i++) {
			setup_role_name(name, sizeof(name), setup_roles[i],
			    shard, m->layout.shards);
			(void)snprintf(file, sizeof(file), "%s-%u",
			    setup_roles[i], shard);
			would_make(m, "creds/%s.creds", file);
			would_make(m, "service/%s/run", name);
		}
	if (m->want.workspace == NULL)
		return;
	would_make(m, "%s", "auth/signer.json");
	for (i = 0; i < 3; i++) {
		if (i < 2)	/* the canary needs no connection */
			would_make(m, "creds/%s.creds", agents[i]);
		would_make(m, "service/%s/run", agents[i]);
	}
}

static int
make(struct migrate *m, struct error *e)
{
	struct takeover	t = { .want = &m->want, .trust = m->trust_path,
			    .fanout_from = m->fanout_from, .first = m->first,
			    .say = say_made, .arg = m };

	if (m->dry) {
		say_what_is_made(m);
		return 0;
	}
	if (setup_takeover(m->cli, &t, e) == -1)
		return -1;
	m->first = false;
	return 0;
}

/* --- starting ----------------------------------------------------------------------- */

static int
spawn_reeved(struct migrate *m, const char *log, struct error *e)
{
	char			 name[] = "reeved", option[] = "--state";
	char			*reeved = setup_program(name, e);
	char			*argv[] = { name, option, m->want.state,
				    NULL };
	struct egress_start	 to = { .whose = EGRESS_OURS, .path = reeved,
				    .argv = argv, .env = environ,
				    .cwd = m->want.state, .in_fd = -1,
				    .detached = true };
	pid_t			 pid = -1;

	if (reeved == NULL)
		return -1;
	to.out_fd = to.err_fd = open(log, O_WRONLY | O_CREAT | O_APPEND |
	    O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to.out_fd == -1)
		error_errno(e, EX_OSERR, "%s", log);
	else {
		pid = egress_start(&to, e);
		close(to.out_fd);
	}
	free(reeved);
	return pid == -1 ? -1 : 0;
}

/* All shards are this host's, and ready. */
static int
await_served(struct migrate *m, struct error *e)
{
	int64_t		until = clock_ms() + START_MS;
	unsigned	i;
	bool		ready;
	int		r = 0;

	for (;;) {
		for (i = 0; i < m->layout.shards; i++)
			if ((r = migrate_is_served(m, i, &ready, e)) != 1 ||
			    !ready)
				break;
		if (r == -1)
			return -1;
		if (i == m->layout.shards)
			return 0;
		if (clock_ms() >= until)
			return error_set(e, EX_TEMPFAIL, "reeved runs, and "
			    "shard %u is not served after %d s: `reeve "
			    "status` and the log say why", i, START_MS /
			    1000);
		bus_turn(m->bus, NULL, 0, 50);
		if (!bus_alive(m->bus))
			return error_set(e, EX_TEMPFAIL, "connection lost: "
			    "%s", bus_why(m->bus));
	}
}

static int
start(struct migrate *m, struct error *e)
{
	char	*log = config_path(&m->want, "reeved.log");
	int	 r = 0;

	if (log == NULL)
		return error_errno(e, EX_OSERR, "log");
	if (m->dry)
		migrate_step(m, STEP_WOULD, "reeved", "started, its log in "
		    "%s, and waited for until every shard is served", log);
	else if (setup_host_runs(&m->want))
		migrate_step(m, STEP_OK, "reeved", "the roles of this host "
		    "run already");
	else if ((r = spawn_reeved(m, log, e)) == 0)
		migrate_step(m, STEP_DONE, "reeved", "started, its log is %s",
		    log);
	if (r == 0 && m->stands_by)
		migrate_step(m, m->dry ? STEP_WOULD : STEP_DONE, "space",
		    "another host serves %s, and this one stands by",
		    m->want.space);
	else if (r == 0 && !m->dry && (r = await_served(m, e)) == 0)
		migrate_step(m, STEP_DONE, "space", "%s is served by this "
		    "host", m->want.space);
	free(log);
	return r;
}

static void
say_how_to_start(struct migrate *m)
{
	if (m->served && setup_host_runs(&m->want))
		migrate_step(m, STEP_OK, "space", "%s is served by this host",
		    m->want.space);
	else
		migrate_step(m, STEP_NOTE, "space", "start it: `reeve up`, or"
		    " where the host's init runs it `systemctl start reeve`,"
		    " `service reeve start` or `sv up`; the way back is "
		    "`reeve migrate --back`");
}

/* --- the command ------------------------------------------------------------------- */

static int
take_over(struct migrate *m, const struct migrate_opts *o, struct error *e)
{
	if (read_settings(m, o, e) == -1 || check_settings(m, o, e) == -1 ||
	    reach(m, e) == -1 || look_at_space(m, e) == -1)
		return -1;
	if (m->stop.code != 0)
		return 0;
	if (make(m, e) == -1)
		return -1;
	if (o->start)
		return start(m, e);
	say_how_to_start(m);
	return 0;
}

static int
give_back(struct migrate *m, const struct migrate_opts *o, struct error *e)
{
	if (read_settings(m, o, e) == -1 || check_settings(m, o, e) == -1 ||
	    reach(m, e) == -1)
		return -1;
	return migrate_back(m, e);
}

static int
check_opts(const struct migrate_opts *o, struct error *e)
{
	if (o->back && (o->server != NULL || o->workspace != NULL ||
	    o->no_agents || o->fanout_from != NULL || o->start ||
	    o->trust != NULL))
		return error_set(e, EX_USAGE, "--back: the state directory "
		    "says all; there is only --dry-run and --wait then");
	if (o->no_agents && o->workspace != NULL)
		return error_set(e, EX_USAGE, "--no-agents: there is no "
		    "--workspace then");
	return o->fanout_from == NULL ? 0 :
	    setup_check_fanout_from(o->fanout_from, e);
}

/* An earlier run's import is as good as the file. */
static char *
find_trust(struct migrate *m, const struct migrate_opts *o)
{
	char	*state, *path = NULL;

	if (o->trust != NULL)
		return strdup(o->trust);
	if ((state = config_state_dir(m->cli->state_opt, NULL)) != NULL &&
	    asprintf(&path, "%s/trust/auth.json", state) == -1)
		path = NULL;
	free(state);
	if (path != NULL && (o->back || access(path, F_OK) == 0))
		return path;
	free(path);
	path = NULL;
	if (o->workspace == NULL)
		return strdup(DEFAULT_TRUST);
	return asprintf(&path, "%s/" DEFAULT_TRUST, o->workspace) == -1 ?
	    NULL : path;
}

static int
finish(struct migrate *m, bool back, int r, struct error *e)
{
	int	code;

	if (m->steps != NULL) {
		code = cli_print_json(m->steps);
		cJSON_Delete(m->steps);
		if (code != EX_OK)
			return code;
	}
	if (r == -1)
		return cli_fail(e);
	if (m->stop.code == 0)
		return fflush(stdout) == 0 ? EX_OK : cli_unwritten();
	if (!back)
		error_wrap(&m->stop, "nothing was changed");
	return cli_fail(&m->stop);
}

static int
run(struct cli *cli, void *arg, int argc, char **argv)
{
	const struct migrate_opts	*o = arg;
	struct migrate			 m;
	struct error			 e;
	char				*path;
	int				 r;

	(void)argc;
	(void)argv;
	memset(&m, 0, sizeof(m));
	m.cli = cli;
	m.dry = o->dry;
	m.fanout_from = o->fanout_from;
	m.wait_ms = o->back && o->wait_ms == 0 ? BACK_WAIT_MS : o->wait_ms;
	m.layout.shards = 1;
	if (check_opts(o, &e) == -1)
		return cli_fail(&e);
	if ((cli->json && (m.steps = cJSON_CreateArray()) == NULL) ||
	    (path = find_trust(&m, o)) == NULL)
		fatal_memory();
	m.trust_path = path;
	r = o->back ? give_back(&m, o, &e) : take_over(&m, o, &e);
	bus_close(m.bus);
	r = finish(&m, o->back, r, &e);
	creds_wipe(&m.creds);
	trust_wipe(&m.trust);
	config_free(&m.want);
	free(path);
	return r;
}

const struct command cmd_migrate = {
	.name = "migrate", .args = "",
	.summary = "take over a space that another system's daemons serve",
	.more = "Looks at everything first, and changes nothing while "
	    "anything stands in the way.\nExits 75 while another daemon has "
	    "the lease; see reeve-migrate(7).",
	.opts = opts, .opts_size = sizeof(struct migrate_opts),
	.min_args = 0, .max_args = 0, .run = run };
