/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_CONNECTOR_H
#define REEVE_MANAGER_CONNECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "agentfile.h"
#include "error.h"
#include "json.h"
#include "launchplan.h"

/*
 * A connector knows how one kind of agent is started: which program, with
 * what arguments and environment.  One file each, connector_*.c, and a line
 * in the table of connector.c.
 */
struct shared;

/* What is to be started; all are views.  Paths are absolute. */
struct launch_request {
	const char		*space, *servers;
	const char		*name, *role, *id;
	const char		*creds;		/* path */
	const struct agent_file	*file;		/* the persona, `command` ... */
	const char		*file_path;
	const char		*model;		/* or NULL; the file's is not
						   looked at */
	const char		*resume;	/* a session's id, or NULL */
	const char		*cwd;		/* or NULL: the workspace */
	const char		*workspace;
	const char		*private_dir;	/* the agent's, 0700: what a
						   connector writes is there */
	const char		*reeve;		/* paths of our own reeve */
	const char		*hook;		/* and reeve-hook */
	struct agent_acl	 acl;		/* what was minted */
	const struct strlist	*capabilities;
	bool			 transcript;
	enum launch_policy	 policy;
	const struct shared	*shared;	/* plan_make sets it */
};

struct connector {
	const char		*name;
	const char		*summary;
	/* Names of programs that must be on PATH, of variables that hold a
	 * provider's keys; each ends with NULL, or is NULL. */
	const char *const	*programs;
	const char *const	*keys;
	bool			 can_resume;
	bool			 can_mirror;	/* a transcript */
	/* What else must be so before anything is made for the agent; NULL:
	 * nothing. */
	int			(*ready)(const struct agent_file *,
				    const char *path, struct error *);
	/* Arguments, keys to press, and what it sets beside the COTAL_
	 * variables, into a plan that has those. */
	int			(*launch)(const struct launch_request *,
				    struct launch_plan *, struct error *);
};

extern const struct connector connector_claude, connector_codex,
	connector_command, connector_opencode;

/* All, NULL-terminated. */
extern const struct connector *const connectors[];

/* EX_CONFIG: there is none; says which there are. */
const struct connector *connector_find(const char *name, struct error *);
/* Which one is meant: `asked`, if that is not NULL; else what
 * agent_file_connector says.  A view. */
const char *connector_choose(const char *asked, const struct agent_file *);
/* Are its programs on `path` (a PATH; NULL: this process's)?  0, or -1 with
 * EX_UNAVAILABLE naming what is missing, EX_DATAERR: the agent file. */
int	connector_ready(const struct connector *, const struct agent_file *,
	    const char *path, struct error *);
/* Can it resume this session (NULL: none is asked for), and mirror what is
 * said, if that is asked for?  EX_USAGE. */
int	connector_can(const struct connector *, const char *resume,
	    bool transcript, struct error *);
/* "never" unless the file's `restart` says otherwise.  EX_DATAERR. */
int	connector_policy(const struct agent_file *, enum launch_policy *,
	    struct error *);

/* For connectors: is that one program there?  EX_UNAVAILABLE. */
int	connector_needs(const struct connector *, const char *program,
	    const char *path, struct error *);
/* For connectors: add arguments, up to a NULL.  EX_OSERR. */
int	connector_args(struct launch_plan *, struct error *,
	    ...) __attribute__((sentinel));
/* For connectors: add an argument NAME=VALUE of that JSON, which is freed. */
int	connector_arg_json(struct launch_plan *, const char *name, cJSON *,
	    struct error *);

/*
 * The whole plan of an agent: environment
 * by the allow-list, COTAL_ variables, what the connector says.  p need not be
 * initialized and is freed by launch_plan_free, also after a failure.  May
 * write a file below private_dir, which goes with that directory.
 * EX_DATAERR, EX_CONFIG, EX_USAGE (resume where it cannot be), EX_CANTCREAT.
 */
int	plan_make(const struct connector *, const struct launch_request *,
	    struct launch_plan *p, struct error *);

#endif
