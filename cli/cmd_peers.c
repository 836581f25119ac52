/* SPDX-License-Identifier: ISC */

/* reeve peers: who lives on this host. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "memory.h"
#include "table.h"

struct peers_opts {
	const char	*cwd;
	struct strlist	 runtimes;
	bool		 force, watch;
};

static const struct opt options[] = {
	{ "cwd", OPT_STRING, offsetof(struct peers_opts, cwd), "DIR",
	    "add: where it works; here, if it is not given" },
	{ "runtime", OPT_LIST, offsetof(struct peers_opts, runtimes),
	    "RUNTIME,...", "add: claude, codex ...; claude" },
	{ "force", OPT_FLAG, offsetof(struct peers_opts, force), NULL,
	    "remove: though it is live" },
	{ "watch", OPT_FLAG, offsetof(struct peers_opts, watch), NULL,
	    "list: anew at each Enter, until q or the end of input" },
	OPT_END };

static int
no_memory(struct error *e)
{
	return error_errno(e, EX_OSERR, "peers");
}

/* --- list and show ----------------------------------------------------------- */

/* "live", "ended", "absent"; what is asleep or stopped, and not there, is
 * said so. */
static const char *
state_of(const struct config *c, const char *runtime, const char *name)
{
	enum peer_life	 life = peers_life(c, runtime, name);
	char		*identity = peers_identity(runtime, name);
	const char	*s = peer_life_name(life);

	if (identity != NULL && life != PEER_LIVE) {
		if (peers_marked(c, identity, PEER_STOPPED))
			s = "stopped";
		else if (peers_marked(c, identity, PEER_IDLE))
			s = "asleep";
	}
	free(identity);
	return s;
}

static cJSON *
runtimes_json(const struct config *c, const struct resident *r)
{
	cJSON	*list = cJSON_CreateArray(), *o;
	size_t	 i;

	for (i = 0; list != NULL && i < r->runtimes.n; i++) {
		o = cJSON_CreateObject();
		if (o == NULL || !json_set_str(o, "runtime",
		    r->runtimes.v[i]) || !json_set_str(o, "state",
		    state_of(c, r->runtimes.v[i], r->personality)) ||
		    !cJSON_AddItemToArray(list, o)) {
			cJSON_Delete(o);
			cJSON_Delete(list);
			return NULL;
		}
	}
	return list;
}

static cJSON *
resident_json(const struct config *c, const struct resident *r)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_str(o, "personality", r->personality) &&
	    json_set_str(o, "cwd", r->cwd) &&
	    json_set_item(o, "runtimes", runtimes_json(c, r)))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static int
list_json(struct cli *cli, const struct peers *p)
{
	cJSON	*list = cJSON_CreateArray(), *o;
	size_t	 i;
	int	 code;

	for (i = 0; list != NULL && i < p->n; i++) {
		o = resident_json(&cli->config, &p->v[i]);
		if (o == NULL || !cJSON_AddItemToArray(list, o)) {
			cJSON_Delete(list);
			list = NULL;
		}
	}
	code = cli_print_json(list);
	cJSON_Delete(list);
	return code;
}

static int
list(struct cli *cli, const struct peers *p)
{
	const struct resident	*r;
	struct table		 t;
	size_t			 i, j;

	if (cli->json)
		return list_json(cli, p);
	table_init(&t, 4, "PEER", "RUNTIME", "STATE", "DIRECTORY");
	for (i = 0; i < p->n; i++) {
		r = &p->v[i];
		for (j = 0; j < r->runtimes.n; j++)
			table_row(&t, r->personality, r->runtimes.v[j],
			    state_of(&cli->config, r->runtimes.v[j],
			    r->personality), r->cwd);
	}
	return table_print(&t);
}

/* On a terminal, in the place of what was shown before. */
static int
watch(struct cli *cli)
{
	bool		 screen = !cli->json && isatty(STDOUT_FILENO) == 1;
	char		 line[80] = "";
	struct peers	 p;
	struct error	 e;
	int		 code;

	do {
		if (strchr(line, 'q') != NULL)
			return EX_OK;
		if (screen)
			printf("\033[H\033[2J");
		code = peers_load(&p, &cli->config, &e) == -1 ?
		    cli_fail(&e) : list(cli, &p);
		peers_free(&p);
		if (screen)
			printf("\nEnter: again, q: end ");
		fflush(stdout);
	} while (code == EX_OK && !ferror(stdout) &&
	    fgets(line, sizeof(line), stdin) != NULL);
	return code;
}

static int
show(struct cli *cli, const struct resident *r)
{
	cJSON	*o;
	size_t	 i;
	int	 code;

	if (cli->json) {
		o = resident_json(&cli->config, r);
		code = cli_print_json(o);
		cJSON_Delete(o);
		return code;
	}
	printf("%s\n  directory: %s\n", r->personality, r->cwd);
	for (i = 0; i < r->runtimes.n; i++)
		printf("  %s-%s: %s\n", r->runtimes.v[i], r->personality,
		    state_of(&cli->config, r->runtimes.v[i], r->personality));
	return EX_OK;
}

/* --- add ---------------------------------------------------------------------------- */

/* Its memory may fail, and it is born nevertheless. */
static void
warn_of(const char *name, const cJSON *outcomes)
{
	const cJSON	*o, *v;

	cJSON_ArrayForEach(o, outcomes) {
		v = json_get(o, "state");
		if (!cJSON_IsString(v) || strcmp(v->valuestring, "ok") == 0 ||
		    json_get(o, "runtime") == NULL)
			continue;
		fprintf(stderr, "reeve: the memory of %s is NOT connected: ",
		    name);
		memory_say(stderr, o);
		fprintf(stderr, "reeve: repair: reeve memory on --peer %s\n",
		    name);
	}
}

static cJSON *
give_memory(struct cli *cli, const struct resident *r,
    const struct strlist *fresh)
{
	cJSON		*outcomes = cJSON_CreateArray();
	struct memslot	 s;

	memslot_read(&s, &cli->config);
	if (outcomes != NULL && s.provision.command != NULL && fresh->n > 0 &&
	    memory_wire(&cli->config, &s.provision, r, fresh, MEMSLOT_BIRTH,
	    outcomes) == -1) {
		cJSON_Delete(outcomes);
		outcomes = NULL;
	}
	memslot_free(&s);
	return outcomes;
}

static int
say_added(struct cli *cli, const struct resident *r, cJSON *outcomes)
{
	cJSON	*o;
	int	 code;

	if (!cli->json) {
		printf("%s lives in %s\n", r->personality, r->cwd);
		cJSON_Delete(outcomes);
		return EX_OK;
	}
	o = resident_json(&cli->config, r);
	if (o != NULL && !json_set_item(o, "memory", outcomes)) {
		cJSON_Delete(o);
		o = NULL;
	}
	code = cli_print_json(o);
	cJSON_Delete(o);
	return code;
}

/* What is not given is as it is, of one that is there. */
static int
find_dir(const struct peers_opts *o, const struct resident *was, char *cwd,
    struct error *e)
{
	const char	*dir = o->cwd != NULL ? o->cwd : was != NULL ?
			    was->cwd : ".";
	struct stat	 st;

	if (realpath(dir, cwd) == NULL || stat(cwd, &st) == -1)
		return error_errno(e, EX_NOINPUT, "--cwd %s", dir);
	return S_ISDIR(st.st_mode) ? 0 : error_set(e, EX_NOINPUT,
	    "--cwd: %s is not a directory", dir);
}

static int
find_runtimes(struct peers_opts *o, const struct resident *was,
    struct error *e)
{
	if (o->runtimes.n > 0 || (was == NULL ? strlist_add(&o->runtimes,
	    "claude") : strlist_add_all(&o->runtimes, was->runtimes.v,
	    was->runtimes.n)))
		return 0;
	return no_memory(e);
}

static int
register_one(struct cli *cli, struct peers_opts *o, const char *name,
    struct strlist *fresh, struct error *e)
{
	const struct resident	*was;
	struct peers		 p;
	char			 cwd[PATH_MAX];
	int			 r = -1;

	if (peers_load(&p, &cli->config, e) == 0) {
		was = peers_find(&p, name);
		if (find_dir(o, was, cwd, e) == 0 &&
		    find_runtimes(o, was, e) == 0)
			r = peers_add(&cli->config, name, cwd, &o->runtimes,
			    fresh, e);
	}
	peers_free(&p);
	return r;
}

static int
add(struct cli *cli, struct peers_opts *o, const char *name)
{
	struct strlist		 fresh = { 0 };
	struct peers		 p = { NULL, 0 };
	const struct resident	*r = NULL;
	struct error		 e;
	cJSON			*outcomes;
	int			 code;

	if (register_one(cli, o, name, &fresh, &e) == -1 ||
	    peers_load(&p, &cli->config, &e) == -1)
		code = cli_fail(&e);
	else if ((r = peers_find(&p, name)) == NULL) {
		error_set(&e, EX_TEMPFAIL, "%s was removed just now", name);
		code = cli_fail(&e);
	} else {
		outcomes = give_memory(cli, r, &fresh);
		warn_of(name, outcomes);
		code = say_added(cli, r, outcomes);
	}
	peers_free(&p);
	strlist_free(&fresh);
	return code;
}

/* --- remove --------------------------------------------------------------------------- */

static bool
is_live(const struct config *c, const struct resident *r)
{
	size_t	i;

	for (i = 0; i < r->runtimes.n; i++)
		if (peers_life(c, r->runtimes.v[i], r->personality) ==
		    PEER_LIVE)
			return true;
	return false;
}

/* The provider sees the peer as it was last; then what is kept of it goes. */
static int
unwind(struct cli *cli, const struct resident *r, cJSON *outcomes,
    struct strlist *purged, struct error *e)
{
	struct memslot	 s;
	char		*identity;
	size_t		 i;
	int		 n = 0;

	memslot_read(&s, &cli->config);
	if (s.unprovision.command != NULL && memory_wire(&cli->config,
	    &s.unprovision, r, &r->runtimes, MEMSLOT_REMOVE, outcomes) == -1)
		n = no_memory(e);
	memslot_free(&s);
	for (i = 0; n != -1 && i < r->runtimes.n; i++) {
		identity = peers_identity(r->runtimes.v[i], r->personality);
		n = identity == NULL ? no_memory(e) :
		    peers_purge(&cli->config, identity, e);
		if (n == 1 && !strlist_add(purged, identity))
			n = no_memory(e);
		free(identity);
	}
	return n == -1 ? -1 : 0;
}

static int
say_removed(struct cli *cli, const struct resident *r, const cJSON *outcomes,
    const struct strlist *purged)
{
	const cJSON	*out;
	cJSON		*o;
	size_t		 i;
	int		 code;

	if (cli->json) {
		o = cJSON_CreateObject();
		if (o != NULL && (!json_set_str(o, "personality",
		    r->personality) || !json_set_str(o, "stays", r->cwd) ||
		    !json_set_item(o, "memory", cJSON_Duplicate(outcomes,
		    true)) || !json_set_strings(o, "purged", purged->v,
		    purged->n))) {
			cJSON_Delete(o);
			o = NULL;
		}
		code = cli_print_json(o);
		cJSON_Delete(o);
		return code;
	}
	printf("%s is removed from the peers of this host\n", r->personality);
	cJSON_ArrayForEach(out, outcomes) {
		printf("memory: ");
		memory_say(stdout, out);
	}
	for (i = 0; i < purged->n; i++)
		printf("what was kept of %s is removed\n", purged->v[i]);
	printf("its folder stays: %s\n", r->cwd);
	return EX_OK;
}

static int
remove_one(struct cli *cli, const struct peers_opts *o,
    const struct resident *r)
{
	struct strlist	 purged = { 0 };
	struct error	 e;
	cJSON		*outcomes = cJSON_CreateArray();
	int		 code;

	if (!o->force && is_live(&cli->config, r)) {
		error_set(&e, EX_USAGE, "%s is live: stop it first, or give "
		    "--force", r->personality);
		code = cli_fail(&e);
	} else if (outcomes == NULL || peers_remove(&cli->config,
	    r->personality, &e) == -1 || unwind(cli, r, outcomes, &purged,
	    &e) == -1)
		code = outcomes == NULL ? cli_print_json(NULL) :
		    cli_fail(&e);
	else
		code = say_removed(cli, r, outcomes, &purged);
	cJSON_Delete(outcomes);
	strlist_free(&purged);
	return code;
}

/* --- the command ------------------------------------------------------------------------ */

static int
of_one(struct cli *cli, const struct peers_opts *o, const struct peers *p,
    const char *verb, const char *name)
{
	const struct resident	*r = peers_find(p, name);
	struct error		 e;

	if (r == NULL) {
		error_set(&e, EX_NOUSER, "there is no peer \"%s\"", name);
		return cli_fail(&e);
	}
	return strcmp(verb, "show") == 0 ? show(cli, r) :
	    remove_one(cli, o, r);
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct peers_opts	*o = opts;
	const char		*verb = argc == 0 ? "list" : argv[0];
	struct peers		 p;
	struct error		 e;
	bool			 adds = o->cwd != NULL || o->runtimes.n > 0;
	int			 code;

	if (cli_load(cli, &e) == -1)
		return cli_fail(&e);
	if (strcmp(verb, "add") == 0 && argc == 2 && !o->force && !o->watch)
		return add(cli, o, argv[1]);
	if (strcmp(verb, "list") == 0 && argc < 2 && !o->force && !adds &&
	    o->watch)
		return watch(cli);
	if (peers_load(&p, &cli->config, &e) == -1)
		code = cli_fail(&e);
	else if (strcmp(verb, "list") == 0 && argc < 2 && !o->force && !adds &&
	    !o->watch)
		code = list(cli, &p);
	else if (argc == 2 && !adds && !o->watch && ((strcmp(verb, "show") == 0 &&
	    !o->force) || strcmp(verb, "remove") == 0))
		code = of_one(cli, o, &p, verb, argv[1]);
	else {
		error_set(&e, EX_USAGE, "expected `reeve peers`, or `reeve "
		    "peers show`, `add` or `remove` with a NAME");
		code = cli_fail(&e);
	}
	peers_free(&p);
	return code;
}

const struct command cmd_peers = {
	.name = "peers", .args = "[list | show NAME | add NAME | remove NAME]",
	.summary = "show who lives on this host, add or remove one",
	.more = "A peer is a personality with a directory and one or more "
	    "runtimes.",
	.opts = options, .opts_size = sizeof(struct peers_opts),
	.min_args = 0, .max_args = 2, .run = run };
