/* SPDX-License-Identifier: ISC */

/* reeve: finds the subcommand, reads its options, runs it. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cli.h"
#include "log.h"
#include "names.h"
#include "owner.h"

#define OPTS_MAX	24

extern const struct command
	cmd_attach, cmd_channels, cmd_config, cmd_dead, cmd_down, cmd_help,
	cmd_history, cmd_hook, cmd_init, cmd_join, cmd_launch, cmd_leave,
	cmd_listen, cmd_log, cmd_logs, cmd_mcp, cmd_memberships, cmd_memory,
	cmd_migrate, cmd_onboard, cmd_peers, cmd_personas, cmd_ps, cmd_purge,
	cmd_reshard, cmd_restart, cmd_roster, cmd_send, cmd_spawn, cmd_start,
	cmd_status, cmd_stop, cmd_up, cmd_wait;

const struct command *const commands[] = {
	&cmd_init, &cmd_up, &cmd_down, &cmd_status, &cmd_wait, &cmd_restart,
	&cmd_stop, &cmd_start, &cmd_reshard, &cmd_migrate, &cmd_personas,
	&cmd_spawn, &cmd_launch, &cmd_ps, &cmd_attach, &cmd_logs, &cmd_log,
	&cmd_purge, &cmd_onboard, &cmd_send, &cmd_listen, &cmd_join,
	&cmd_leave, &cmd_memberships, &cmd_roster, &cmd_channels,
	&cmd_history, &cmd_mcp, &cmd_hook, &cmd_dead, &cmd_peers, &cmd_memory,
	&cmd_config, &cmd_help, NULL };

/* --- help --------------------------------------------------------------------- */

static void
help_all(FILE *f)
{
	size_t	i;

	fprintf(f, "usage: reeve COMMAND [--state DIR] [OPTIONS]\n"
	    "       reeve --version | --help\n\n");
	for (i = 0; commands[i] != NULL; i++)
		fprintf(f, "  %-12s %s\n", commands[i]->name,
		    commands[i]->summary);
	fprintf(f, "\n`reeve help COMMAND` says more.\n");
}

static void
help_option(FILE *f, const char *name, const char *arg, const char *text)
{
	char	left[64];

	snprintf(left, sizeof(left), "--%s%s%s", name, arg ? " " : "",
	    arg ? arg : "");
	fprintf(f, "  %-28s %s\n", left, text);
}

static void
help_one(FILE *f, const struct command *c)
{
	const struct opt	*o;

	fprintf(f, "usage: reeve %s [OPTIONS]%s%s\n\n%s\n", c->name,
	    c->args[0] ? " " : "", c->args, c->summary);
	if (c->more != NULL)
		fprintf(f, "\n%s\n", c->more);
	fprintf(f, "\n");
	for (o = c->opts; o != NULL && o->name != NULL; o++)
		help_option(f, o->name, o->arg, o->help);
	help_option(f, "state", "DIR", "the state directory (REEVE_STATE)");
	help_option(f, "json", NULL, "machine-readable output, where there "
	    "is any");
}

static const struct command *
find_command(const char *name)
{
	size_t	i;

	for (i = 0; commands[i] != NULL; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int
unknown_command(const char *name)
{
	fprintf(stderr, "reeve: there is no command \"%s\"; `reeve help` "
	    "lists them\n", name);
	return EX_USAGE;
}

static int
run_help(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct command	*c;

	(void)cli;
	(void)opts;
	if (argc == 0) {
		help_all(stdout);
		return EX_OK;
	}
	if ((c = find_command(argv[0])) == NULL)
		return unknown_command(argv[0]);
	help_one(stdout, c);
	return EX_OK;
}

const struct command cmd_help = {
	.name = "help", .args = "[COMMAND]",
	.summary = "say how to use reeve, or one command",
	.min_args = 0, .max_args = 1, .run = run_help };

/* --- options ---------------------------------------------------------------------- */

enum { CODE_STATE = 1000, CODE_JSON, CODE_HELP, CODE_FIRST };

static int
bad_value(const struct opt *o, const char *value, const char *expected)
{
	fprintf(stderr, "reeve: --%s: expected %s, not \"%s\"\n", o->name,
	    expected, value);
	return -1;
}

static int
set_option(const struct opt *o, void *opts, const char *value)
{
	void			*where = (char *)opts + o->offset;
	const struct strlist	*list = where;
	char			*end;

	switch (o->type) {
	case OPT_FLAG:
		*(bool *)where = true;
		return 0;
	case OPT_STRING:
		*(const char **)where = value;
		return 0;
	case OPT_NUMBER:
		errno = 0;
		*(int64_t *)where = strtoll(value, &end, 10);
		if (errno != 0 || end == value || *end != '\0' ||
		    *(int64_t *)where < 1)
			return bad_value(o, value, "a number above 0");
		return 0;
	case OPT_DURATION:
		if ((*(int64_t *)where = duration_ms(value)) < 1)
			return bad_value(o, value,
			    "a duration like 30s, 5m, 2h or 1d");
		return 0;
	case OPT_LIST:
		/* An empty one is a variable that is not set. */
		if (!strlist_split(where, value, ',') || list->n == 0)
			return bad_value(o, value, "a list");
		return 0;
	}
	return -1;
}

/* An empty one is a variable that is not set, and not the default. */
static bool
take_state(struct cli *cli, const char *value)
{
	if (value != NULL && value[0] != '\0') {
		cli->state_opt = value;
		return true;
	}
	fprintf(stderr, "reeve: --state: expected a directory\n");
	return false;
}

static void
long_options(const struct command *c, struct option *v)
{
	const struct opt	*o;
	int			 n = 0;

	v[n++] = (struct option){ "state", required_argument, NULL,
	    CODE_STATE };
	v[n++] = (struct option){ "json", no_argument, NULL, CODE_JSON };
	v[n++] = (struct option){ "help", no_argument, NULL, CODE_HELP };
	for (o = c->opts; o != NULL && o->name != NULL && n < OPTS_MAX - 1;
	    o++)
		v[n++] = (struct option){ o->name, o->type == OPT_FLAG ?
		    no_argument : required_argument, NULL,
		    CODE_FIRST + (int)(o - c->opts) };
	v[n] = (struct option){ NULL, 0, NULL, 0 };
}

/* A letter's option as if its name were given. */
static int
code_of(const struct command *c, int code)
{
	const struct opt	*o;

	if (c->letters == NULL || code >= CODE_STATE ||
	    strchr(c->letters, code) == NULL)
		return code;
	for (o = c->opts; o->name != NULL; o++)
		if (o->name[0] == code)
			return CODE_FIRST + (int)(o - c->opts);
	return code;
}

/* -1: go on with *first the first operand; else the exit code. */
static int
parse(struct cli *cli, const struct command *c, void *opts, int argc,
    char **argv, int *first)
{
	static char	who[64];
	struct option	longs[OPTS_MAX];
	char		shorts[16];
	int		code;

	long_options(c, longs);
	snprintf(shorts, sizeof(shorts), "h%s", c->letters == NULL ? "" :
	    c->letters);
	/* What getopt complains of is said by reeve. */
	snprintf(who, sizeof(who), "reeve %s", c->name);
	argv[0] = who;
	optind = 1;
	while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		code = code_of(c, code);
		if (code == CODE_STATE) {
			if (!take_state(cli, optarg))
				return EX_USAGE;
		} else if (code == CODE_JSON)
			cli->json = true;
		else if (code == CODE_HELP || code == 'h') {
			help_one(stdout, c);
			return EX_OK;
		} else if (code < CODE_FIRST) {
			fprintf(stderr, "reeve: `reeve help %s` lists its "
			    "options\n", c->name);
			return EX_USAGE;
		} else if (set_option(&c->opts[code - CODE_FIRST], opts,
		    optarg) == -1)
			return EX_USAGE;
	}
	*first = optind;
	argc -= optind;
	if (argc < c->min_args || (c->max_args >= 0 && argc > c->max_args)) {
		fprintf(stderr, "usage: reeve %s [OPTIONS]%s%s\n", c->name,
		    c->args[0] ? " " : "", c->args);
		return EX_USAGE;
	}
	return -1;
}

static void
free_options(const struct command *c, void *opts)
{
	const struct opt	*o;

	for (o = c->opts; o != NULL && o->name != NULL; o++)
		if (o->type == OPT_LIST)
			strlist_free((void *)((char *)opts + o->offset));
	free(opts);
}

static int
run_command(struct cli *cli, const struct command *c, int argc, char **argv)
{
	struct error	 e;
	void		*opts = calloc(1, c->opts_size + 1);
	int		 first, code;

	if (opts == NULL) {
		fprintf(stderr, "reeve: out of memory\n");
		return EX_OSERR;
	}
	if ((code = parse(cli, c, opts, argc, argv, &first)) == -1)
		code = !c->as_caller &&
		    owner_become(&cli->state_opt, &e) == -1 ? cli_fail(&e) :
		    c->run(cli, opts, argc - first, argv + first);
	free_options(c, opts);
	cli_free(cli);
	/* Line by line: what failed before is not seen by the last flush. */
	if ((fflush(stdout) == EOF || ferror(stdout)) && code == EX_OK)
		code = cli_unwritten();
	return code;
}

/* --state and --json stand before the command, too. */
static bool
options_before(struct cli *cli, int *argc, char ***argv)
{
	char	**v = *argv;
	int	  n = *argc, taken;

	for (; n > 1; n -= taken, v += taken) {
		taken = 1;
		if (strcmp(v[1], "--json") == 0)
			cli->json = true;
		else if (strncmp(v[1], "--state=", 8) == 0) {
			if (!take_state(cli, v[1] + 8))
				return false;
		} else if (strcmp(v[1], "--state") == 0) {
			if (!take_state(cli, n > 2 ? v[2] : NULL))
				return false;
			taken = 2;
		} else
			break;
	}
	*argc = n;
	*argv = v;
	return true;
}

int
main(int argc, char **argv)
{
	struct cli		 cli = { .program = argv[0] };
	const struct command	*c;

	if (!options_before(&cli, &argc, &argv))
		return EX_USAGE;
	if (argc < 2) {
		help_all(stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("reeve %s\n", PACKAGE_VERSION);
		return EX_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help_all(stdout);
		return EX_OK;
	}
	if ((c = find_command(argv[1])) == NULL)
		return unknown_command(argv[1]);
	signal(SIGPIPE, SIG_IGN);
	/* What is said is to be seen when it is true, in a pipe too. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_init("", LOG_LEVEL_ERROR);
	if (sodium_init() == -1) {
		fprintf(stderr, "reeve: libsodium does not start\n");
		return EX_SOFTWARE;
	}
	return run_command(&cli, c, argc - 1, argv + 1);
}
