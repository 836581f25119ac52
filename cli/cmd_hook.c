/* SPDX-License-Identifier: ISC */

/* reeve hook: what a host runs at the steps of a session (session/hook.c). */
#include <stdlib.h>

#include "cli.h"
#include "egress.h"
#include "setup.h"

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	static char	 name[] = "reeve-hook";
	char		*args[] = { name, NULL };
	char		*path = setup_program(name, NULL);

	(void)cli;
	(void)opts;
	(void)argc;
	(void)argv;
	/* Whatever goes wrong: silence, and the session goes on. */
	if (path != NULL)
		egress_exec(EGRESS_OURS, path, args);
	free(path);
	return EX_OK;
}

const struct command cmd_hook = {
	.name = "hook", .args = "",
	.summary = "tell an agent's session what its host does (on stdin)",
	.more = "A coding agent's host runs it at the steps of a session: see "
	    "reeve-hook(1).",
	.as_caller = true, .min_args = 0, .max_args = 0, .run = run };
