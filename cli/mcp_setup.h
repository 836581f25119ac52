/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MCP_SETUP_H
#define REEVE_MCP_SETUP_H

#include <stdbool.h>

#include "error.h"

/*
 * What a coding agent's host must be told so that its sessions join the mesh:
 * our MCP server, and our hook at the steps of a session.
 *
 *	claude		.mcp.json, .claude/settings.json
 *	codex		$CODEX_HOME/config.toml (~/.codex/config.toml)
 *	opencode	opencode.json; it has no hooks
 *
 * Paths without a root are below the current directory.
 */

/*
 * Print what is to be there; or, with `write`, write it beside what is there,
 * and say what was written.  A second time changes nothing.  EX_USAGE: no
 * such host; EX_DATAERR: FILE: it cannot be understood, and is left alone;
 * EX_CANTCREAT, EX_IOERR.
 */
int	mcp_setup(const char *host, bool write, struct error *);

/* A file's text with the registration in it, malloc'd: what mcp_setup writes.
 * was: "" for a new one.  reeve, hook: paths of our programs. */
char	*mcp_setup_servers(const char *was, const char *reeve, const char *hook,
	    struct error *);
char	*mcp_setup_hooks(const char *was, const char *reeve, const char *hook,
	    struct error *);
char	*mcp_setup_codex(const char *was, const char *reeve, const char *hook,
	    struct error *);
char	*mcp_setup_opencode(const char *was, const char *reeve,
	    const char *hook, struct error *);

#endif
