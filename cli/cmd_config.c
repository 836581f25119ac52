/* SPDX-License-Identifier: ISC */

/* reeve config check: mistakes in a file of settings, before it is applied. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define HOST_FILE	SYSCONFDIR "/reeve/reeve.conf"

/* Does the state directory, if there is one, go by these settings? */
static int
compare(struct cli *cli, const char *file, struct config *c,
    struct error *e)
{
	char	*path = config_path(c, "reeve.conf"), *is, *should;
	int	 r = 0;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "%s", file);
	/* What we may not look into, we cannot compare. */
	if (access(path, R_OK) == 0 && (r = cli_load(cli, e)) == 0 &&
	    (r = config_inherit(c, &cli->config, e)) == 0) {
		is = config_text(&cli->config);
		should = config_text(c);
		if (is == NULL || should == NULL)
			r = error_errno(e, EX_OSERR, "%s", file);
		else if (strcmp(is, should) != 0)
			printf("%s has other settings; `reeve init --config "
			    "%s` applies these\n", path, file);
		free(should);
		free(is);
	}
	free(path);
	return r;
}

static int
check(struct cli *cli, const char *file, struct error *e)
{
	struct config	 c;
	char		*state = config_state_dir(cli->state_opt, e);
	int		 r;

	if (state == NULL)
		return -1;
	if ((r = config_read(&c, state, file, e)) == 0) {
		printf("%s: no mistakes\n", file);
		r = compare(cli, file, &c, e);
		config_free(&c);
	}
	free(state);
	return r;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct error	e;

	(void)opts;
	if (strcmp(argv[0], "check") != 0) {
		error_set(&e, EX_USAGE, "config: expected check, not \"%s\"",
		    argv[0]);
		return cli_fail(&e);
	}
	if (check(cli, argc == 2 ? argv[1] : HOST_FILE, &e) == -1)
		return cli_fail(&e);
	return EX_OK;
}

const struct command cmd_config = {
	.name = "config", .args = "check [FILE]",
	.summary = "look for mistakes in a file of settings",
	.more = "Without FILE it is " HOST_FILE ".",
	.min_args = 1, .max_args = 2, .run = run };
