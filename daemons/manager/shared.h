/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_SHARED_H
#define REEVE_MANAGER_SHARED_H

#include "error.h"
#include "json.h"
#include "strlist.h"

/*
 * The MCP servers that an operator shares with the agents of a connector:
 *
 *	{"connectors":{"claude":{"mcpServers":{"NAME":{
 *	  "command":"...","args":[...],"env":{"KEY":"${VAR}"}}}}}}
 *
 * in $XDG_CONFIG_HOME/cotal/config.json (~/.config/...), and over it, name by
 * name, in <workspace>/.cotal/config.json.  ${VAR} and ${VAR:-default} stay
 * as they are: the agent's own program looks them up.
 */
struct shared {
	cJSON		*servers;	/* an object of objects; may be empty */
	struct strlist	 vars;		/* that they name, each once */
};

/* The name of the mesh's own server, which nobody's takes the place of. */
#define SHARED_OURS	"cotal"

/* EX_CONFIG: FILE: what is wrong; a secret that stands there itself is.
 * Freed by shared_free, also after a failure. */
int	shared_load(struct shared *, const char *workspace,
	    const char *connector, struct error *);
void	shared_free(struct shared *);

#endif
