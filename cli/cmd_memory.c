/* SPDX-License-Identifier: ISC */

/* reeve memory: the memory slot of this host, and who is wired to it. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"
#include "table.h"

#define NO_RUNTIME	"skipped-no-agentic-runtime"

struct memory_opts {
	const char	*peer;
	bool		 all;
};

static const struct opt options[] = {
	{ "peer", OPT_STRING, offsetof(struct memory_opts, peer), "NAME",
	    "of this peer" },
	{ "all", OPT_FLAG, offsetof(struct memory_opts, all), NULL,
	    "of every peer of this host" },
	OPT_END };

/* --- outcomes ------------------------------------------------------------- */

static bool
add(cJSON *list, const struct resident *r, const char *runtime,
    const struct memslot_outcome *o)
{
	cJSON	*j = cJSON_CreateObject();

	if (j != NULL && json_set_str(j, "peer", r->personality) &&
	    (runtime == NULL ? json_set_str(j, "state", NO_RUNTIME) :
	    json_set_str(j, "runtime", runtime) &&
	    json_set_str(j, "state", memslot_outcome_name(o)) &&
	    (o->end.exit == -1 || json_set_i64(j, "exit", o->end.exit)) &&
	    json_set_i64(j, "ms", o->end.ms) && (o->detail[0] == '\0' ||
	    json_set_str(j, "detail", o->detail)) &&
	    json_set_strings(j, "argv", o->argv.v, o->argv.n)) &&
	    cJSON_AddItemToArray(list, j))
		return true;
	cJSON_Delete(j);
	return false;
}

int
memory_wire(const struct config *c, const struct memslot_block *b,
    const struct resident *r, const struct strlist *runtimes,
    enum memslot_occasion occasion, cJSON *list)
{
	struct memslot_job	 job = { .block = b, .cwd = r->cwd,
				    .personality = r->personality,
				    .occasion = occasion };
	struct memslot_outcome	 o;
	size_t			 i;
	int			 failed = 0, ran = 0;
	bool			 ok = true;

	for (i = 0; ok && i < runtimes->n; i++) {
		if (!memslot_is_agentic(runtimes->v[i]))
			continue;
		ran++;
		job.runtime = runtimes->v[i];
		memslot_run(c, &job, &o);
		failed += memslot_went_well(&o) ? 0 : 1;
		ok = add(list, r, job.runtime, &o);
		memslot_outcome_free(&o);
	}
	if (ran == 0)
		ok = add(list, r, NULL, NULL);
	return ok ? failed : -1;
}

static const char *
text(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

void
memory_say(FILE *f, const cJSON *o)
{
	const cJSON	*exit = json_get(o, "exit");

	if (text(o, "runtime") == NULL) {
		fprintf(f, "skipped: no agentic runtime\n");
		return;
	}
	fprintf(f, "%s %s", text(o, "runtime"), text(o, "state"));
	if (cJSON_IsNumber(exit) && exit->valueint != 0)
		fprintf(f, " (exit %d)", exit->valueint);
	if (text(o, "detail") != NULL) {
		fprintf(f, ": ");
		/* What a program said is not to steer our terminal. */
		text_put(f, text(o, "detail"), " ");
	}
	putc('\n', f);
}

/* --- on and off --------------------------------------------------------------- */

/* The program for this direction.  What it lacks is refused, and never done
 * by the plugin. */
static const struct memslot_block *
block_of(const struct memslot *s, bool on, const char *path, struct error *e)
{
	const struct memslot_block	*b = on ? &s->provision :
					    &s->unprovision;

	if (s->provider == NULL)
		error_set(e, EX_CONFIG, "the memory slot is empty: no "
		    "provider is declared in %s", path);
	else if (!memslot_has_program(s))
		error_set(e, EX_CONFIG, "provider \"%s\" declares no "
		    "provision command%s", s->provider, s->plugin == NULL ?
		    "" : ", but a plugin, which reeve does not install");
	else if (b->command == NULL)
		error_set(e, EX_CONFIG, "provider \"%s\" declares no %s "
		    "command, and both are needed: its declaration %s is to "
		    "be mended", s->provider, on ? "provision" :
		    "unprovision", path);
	return b->command == NULL || s->provider == NULL ? NULL : b;
}

static int
wire(struct cli *cli, const struct memslot_block *b, const struct peers *p,
    const struct resident *one, bool on, cJSON *list)
{
	enum memslot_occasion	occasion = on ? MEMSLOT_SWEEP_ON :
				    one != NULL ? MEMSLOT_OFF_PEER :
				    MEMSLOT_OFF_ALL;
	const struct resident	*r;
	int			 failed = 0, n;
	size_t			 i;

	for (i = 0; i < p->n; i++) {
		r = &p->v[i];
		if (one != NULL && r != one)
			continue;
		n = memory_wire(&cli->config, b, r, &r->runtimes, occasion,
		    list);
		if (n == -1)
			return -1;
		failed += n;
	}
	return failed;
}

static int
say_all(struct cli *cli, const cJSON *list)
{
	const cJSON	*o;

	if (cli->json)
		return cli_print_json(list);
	cJSON_ArrayForEach(o, list) {
		printf("%s: ", text(o, "peer"));
		memory_say(stdout, o);
	}
	return EX_OK;
}

static int
find_targets(struct cli *cli, const struct memory_opts *o, struct peers *p,
    const struct resident **one, struct error *e)
{
	if ((o->peer != NULL) == o->all)
		return error_set(e, EX_USAGE, "whose memory?  Give --peer "
		    "NAME or --all");
	if (peers_load(p, &cli->config, e) == -1)
		return -1;
	if (o->peer != NULL && (*one = peers_find(p, o->peer)) == NULL)
		return error_set(e, EX_NOUSER, "there is no peer \"%s\"",
		    o->peer);
	if (p->n == 0)
		return error_set(e, EX_NOUSER, "there is no peer: `reeve "
		    "peers add` makes one");
	return 0;
}

static int
turn(struct cli *cli, const struct memory_opts *o, const struct memslot *s,
    const char *path, bool on)
{
	const struct memslot_block	*b;
	const struct resident		*one = NULL;
	struct peers			 p = { NULL, 0 };
	struct error			 e;
	cJSON				*list = cJSON_CreateArray();
	int				 code, failed = -1;

	if ((b = block_of(s, on, path, &e)) == NULL ||
	    find_targets(cli, o, &p, &one, &e) == -1)
		code = cli_fail(&e);
	else if (list == NULL || (failed = wire(cli, b, &p, one, on, list)) ==
	    -1) {
		error_errno(&e, EX_OSERR, "memory");
		code = cli_fail(&e);
	} else if ((code = say_all(cli, list)) == EX_OK && failed > 0)
		code = EX_UNAVAILABLE;
	cJSON_Delete(list);
	peers_free(&p);
	return code;
}

/* --- status ----------------------------------------------------------------------- */

static bool
set_if(cJSON *o, const char *name, const char *value)
{
	return value == NULL || value[0] == '\0' || json_set_str(o, name,
	    value);
}

static cJSON *
status_json(const struct memslot *s, const char *path)
{
	cJSON		*o = cJSON_CreateObject();
	long long	 age = memslot_heartbeat_age(s);

	if (o != NULL && json_set_str(o, "path", path) &&
	    json_set_bool(o, "empty", s->provider == NULL) &&
	    (s->provider == NULL || (json_set_str(o, "provider",
	    s->provider) && json_set_str(o, "package", s->package) &&
	    json_set_str(o, "version", s->version) &&
	    set_if(o, "registeredAt", s->registered) &&
	    set_if(o, "heartbeat", s->heartbeat) && (age == -1 ||
	    json_set_i64(o, "heartbeatAgeS", age)) &&
	    set_if(o, "provision", s->provision.command) &&
	    set_if(o, "unprovision", s->unprovision.command) &&
	    set_if(o, "plugin", s->plugin))))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* Neither is what its declaration says. */
static void
say(const char *what, const char *value)
{
	printf("%s", what);
	text_put(stdout, value, " ");
}

static void
say_program(const char *what, const struct memslot_block *b)
{
	say(what, b->command == NULL ? "none" : b->command);
	putchar('\n');
}

static void
say_heartbeat(const struct memslot *s)
{
	long long	age = memslot_heartbeat_age(s);

	if (s->heartbeat == NULL)
		printf("heartbeat: none is declared\n");
	else if (age == -1) {
		say("heartbeat: never (", s->heartbeat);
		printf(")\n");
	} else
		printf("heartbeat: %lld s ago\n", age);
}

static int
say_status(const struct memslot *s, const char *path)
{

	if (s->provider == NULL) {
		printf("memory slot: empty (%s)\n", path);
		return EX_OK;
	}
	say("memory slot: ", s->provider);
	say(" ", s->version);
	say(" (", s->package);
	printf(")\n");
	if (s->registered[0] != '\0') {
		say("registered: ", s->registered);
		putchar('\n');
	}
	say_heartbeat(s);
	say_program("provision: ", &s->provision);
	say_program("unprovision: ", &s->unprovision);
	if (s->plugin != NULL) {
		say("plugin: ", s->plugin);
		say(" of ", s->marketplace);
		printf(", which is not installed by reeve\n");
	}
	return EX_OK;
}

static int
status(struct cli *cli, const struct memslot *s, const char *path)
{
	cJSON	*o;
	int	 code;

	if (!cli->json)
		return say_status(s, path);
	o = status_json(s, path);
	code = cli_print_json(o);
	cJSON_Delete(o);
	return code;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct memory_opts	*o = opts;
	const char			*verb = argc == 0 ? "status" : argv[0];
	struct memslot			 s;
	struct error			 e;
	char				*path;
	int				 code;

	if (cli_load(cli, &e) == -1)
		return cli_fail(&e);
	if ((path = memslot_path(&cli->config)) == NULL) {
		error_errno(&e, EX_OSERR, "memory");
		return cli_fail(&e);
	}
	memslot_read(&s, &cli->config);
	if (strcmp(verb, "status") == 0 && o->peer == NULL && !o->all)
		code = status(cli, &s, path);
	else if (strcmp(verb, "on") == 0 || strcmp(verb, "off") == 0)
		code = turn(cli, o, &s, path, strcmp(verb, "on") == 0);
	else {
		error_set(&e, EX_USAGE, "expected `reeve memory status`, or "
		    "`reeve memory on` or `off` with --peer NAME or --all");
		code = cli_fail(&e);
	}
	memslot_free(&s);
	free(path);
	return code;
}

const struct command cmd_memory = {
	.name = "memory", .args = "[status | on | off]",
	.summary = "show who provides the agents' memory, or wire peers to it",
	.more = "A provider declares itself in memory-provider.json in the "
	    "state directory; reeve\nruns its program for each runtime of a "
	    "peer, and is never the provider itself.",
	.opts = options, .opts_size = sizeof(struct memory_opts),
	.min_args = 0, .max_args = 1, .run = run };
