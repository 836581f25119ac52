/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSIONCONF_H
#define REEVE_SESSIONCONF_H

#include <stdbool.h>

#include "creds.h"
#include "error.h"
#include "strlist.h"

/*
 * Who a session is: the COTAL_ variables of its environment, the agent file,
 * the join link (agents.md, "Connectors").  A variable goes before the file.
 * All strings are owned; NULL: not given.
 */
struct session_conf {
	bool		 mesh;		/* false: off it; why_not says what to
					   set, or what is wrong */
	char		 why_not[512];
	char		*space, *servers;
	char		*name, *role, *kind, *description;
	char		*model;		/* pinned; NULL: the host says it */
	struct creds	 creds;
	struct strlist	 tags;
	struct strlist	 subscribe, allow_subscribe, allow_publish;
	struct strlist	 capabilities;
	struct strlist	 quiet, muted;
	char		*control_socket, *control_token;
	bool		 channel;	/* COTAL_CHANNEL */
	bool		 transcript;	/* COTAL_TRANSCRIPT */
};

/*
 * Read it.  What keeps it off the mesh is no failure: mesh is false then.
 * Free it also after an error.  EX_OSERR: out of memory.
 */
int	session_conf_load(struct session_conf *, struct error *);
void	session_conf_free(struct session_conf *);
bool	session_conf_can(const struct session_conf *, const char *capability);

#endif
