/* SPDX-License-Identifier: ISC */

/* reeve mcp: the mesh server of an agent's session (session.h). */
#include <malloc.h>
#include <stdio.h>

#include "cli.h"
#include "log.h"
#include "mcp_setup.h"
#include "session.h"

struct opts {
	const char	*setup;
	bool		 write, handshake;
};

static const struct opt options[] = {
	{ "setup", OPT_STRING, offsetof(struct opts, setup), "HOST",
	    "say what makes this host run it: claude, codex or opencode" },
	{ "write", OPT_FLAG, offsetof(struct opts, write), NULL,
	    "and write that into the host's settings" },
	{ "handshake", OPT_FLAG, offsetof(struct opts, handshake), NULL,
	    "only versions of the protocol by which the host can be woken" },
	OPT_END
};

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts	*o = opts;
	struct error		 e;

	(void)cli;
	(void)argc;
	(void)argv;
	if (o->setup != NULL && o->handshake) {
		error_set(&e, EX_USAGE, "--handshake does not go with "
		    "--setup: what is set up has it where it is needed");
		return cli_fail(&e);
	}
	if (o->setup != NULL)
		return mcp_setup(o->setup, o->write, &e) == -1 ?
		    cli_fail(&e) : EX_OK;
	if (o->write) {
		error_set(&e, EX_USAGE, "--write goes with --setup");
		return cli_fail(&e);
	}
	/* Each thread that libnats starts would get an arena of its own. */
	(void)mallopt(M_ARENA_MAX, 1);
	log_init("role=mcp", LOG_LEVEL_INFO);
	/* A host that does not read its server's stderr holds nothing up. */
	log_never_wait();
	return session_run(o->handshake, &e) == -1 ? cli_fail(&e) : EX_OK;
}

const struct command cmd_mcp = {
	.name = "mcp", .args = "",
	.summary = "serve the mesh to an agent's session (MCP, over stdio)",
	.more = "A coding agent's host runs it and speaks the Model Context "
	    "Protocol with it.  Who it\nis on the mesh is said by the COTAL_ "
	    "variables in its environment: see reeve-mcp(1).",
	.opts = options, .opts_size = sizeof(struct opts),
	.as_caller = true, .min_args = 0, .max_args = 0, .run = run };
