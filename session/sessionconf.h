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
 * A link goes before the file, too.  All strings are owned; NULL: not given.
 *
 *	COTAL_NAME, COTAL_LINK or COTAL_AGENT_FILE	one of them, or it stays
 *							off the mesh
 *	COTAL_SPACE		or the link's
 *	COTAL_SERVERS		or the link's, or nats://127.0.0.1:4222
 *	COTAL_CREDS		a file; or COTAL_TOKEN or what the link has, or
 *				nothing, in a space without credentials
 *	COTAL_ID		must be that of the credentials
 *	COTAL_SUBSCRIBE		or the link's, or the file's, or "general"
 *	COTAL_ALLOW_SUBSCRIBE	or the file's, or with credentials what it
 *				subscribes to, else all
 *	COTAL_ALLOW_PUBLISH	or the file's, or with credentials nothing, else
 *				all
 *	COTAL_ROLE, _KIND, _MODEL, _CAPABILITIES, _QUIET, _MUTED  or the file's
 *	COTAL_TLS, COTAL_TRANSCRIPT			1, or 0
 *	COTAL_CHANNEL					0, or 1
 *	COTAL_CONTROL_SOCKET, COTAL_CONTROL_TOKEN	both or none
 */
struct session_conf {
	bool		 mesh;		/* false: off it; why_not says what to
					   set, or what is wrong */
	char		 why_not[512];
	char		*space, *servers;
	char		*name, *role, *kind, *description;
	char		*model;		/* pinned; NULL: the host says it */
	struct creds	 creds;		/* jwt NULL: none */
	char		*token;		/* of the broker; or */
	char		*user, *pass;	/* both or none; or nothing at all */
	bool		 tls;
	struct strlist	 tags;
	struct strlist	 subscribe, allow_subscribe, allow_publish;
	struct strlist	 capabilities;
	struct strlist	 quiet, muted;
	char		*control_socket, *control_token;
	bool		 channel;	/* COTAL_CHANNEL: wakes are sent */
	bool		 transcript;	/* COTAL_TRANSCRIPT: is mirrored */
};

/*
 * Read it; what is secret is taken out of the environment.  What keeps it off
 * the mesh is no failure: mesh is false then.  Free it also after an error.
 * EX_OSERR: out of memory.
 */
int	session_conf_load(struct session_conf *, struct error *);
void	session_conf_free(struct session_conf *);
bool	session_conf_can(const struct session_conf *, const char *capability);

#endif
