/* SPDX-License-Identifier: ISC */

/* reeve mcp: the mesh server of an agent's session (session.h). */
#include <malloc.h>

#include "cli.h"
#include "log.h"
#include "session.h"

/* Of the allocator's, one for each thread that libnats starts is many. */
#define ARENAS	1

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct error	e;

	(void)cli;
	(void)opts;
	(void)argc;
	(void)argv;
	(void)mallopt(M_ARENA_MAX, ARENAS);
	log_init("role=mcp", LOG_LEVEL_INFO);
	return session_run(&e) == -1 ? cli_fail(&e) : EX_OK;
}

const struct command cmd_mcp = {
	.name = "mcp", .args = "",
	.summary = "serve the mesh to an agent's session (MCP, over stdio)",
	.more = "A coding agent's host runs it and speaks the Model Context "
	    "Protocol with it.  Who it is\non the mesh is said by the COTAL_ "
	    "variables in its environment: see reeve-mcp(1).",
	.as_caller = true, .min_args = 0, .max_args = 0, .run = run };
