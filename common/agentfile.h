/* SPDX-License-Identifier: ISC */
#ifndef REEVE_AGENTFILE_H
#define REEVE_AGENTFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "strlist.h"

/*
 * Agent files (reeve-agent(5)): who an agent is, what it may do, and its
 * persona.  <workspace>/.cotal/agents/<ref>.md is the one to spawn by <ref>;
 * who it becomes is `name` inside.
 *
 * A key is `key: value` or `key: [a, b]`, optionally in quotes; anything
 * else is an error that names the line.
 */
#define AGENT_FILE_MAX	(256 * 1024)	/* bytes */
#define AGENT_REF_MAX	200		/* bytes of a ref */
#define AGENT_NAME_MAX	64		/* bytes of the name of one that runs */
#define AGENT_DIR	".cotal/agents"	/* below the workspace */

/* Not given, and given as [], are two things. */
struct agent_list {
	struct strlist	items;
	bool		given;
};

/* A key that is a connector's own business. */
struct agent_meta {
	char			*key;
	char			*value;		/* NULL: it is a list */
	struct strlist		 items;
};

/* All strings are owned; NULL: not given. */
struct agent_file {
	char			*name;		/* never NULL after a read */
	char			*role;
	char			*kind;		/* "agent", "endpoint" */
	char			*description;
	char			*model;
	char			*owner;		/* an id */
	struct agent_list	 tags;
	struct agent_list	 subscribe, allow_subscribe, allow_publish;
	struct agent_list	 quiet, muted;
	struct agent_list	 capabilities;
	struct agent_meta	*meta;
	size_t			 n_meta;
	char			*body;		/* the persona, trimmed */
};

/* What it may read and post, with the defaults; views into the file, never
 * NULL: subscribe is ["general"] when it is not given, allow_subscribe what
 * subscribe is, allow_publish nothing. */
struct agent_acl {
	char *const	*subscribe;		size_t n_subscribe;
	char *const	*allow_subscribe;	size_t n_allow_subscribe;
	char *const	*allow_publish;		size_t n_allow_publish;
};

/*
 * Read a text into f, which need not be initialized and is freed by
 * agent_file_free, also after a failure.  EX_DATAERR with "line N: ...".
 */
int	agent_file_read(struct agent_file *, const char *text, size_t len,
	    struct error *);
/* The text that reads back as f, malloc'd.  NULL with EX_DATAERR: what the
 * format cannot carry (a line end, both kinds of quotes, a comma in an item),
 * or what agent_file_read would refuse. */
char	*agent_file_text(const struct agent_file *, struct error *);
void	agent_file_free(struct agent_file *);

void	agent_file_acl(const struct agent_file *, struct agent_acl *);
bool	agent_file_can(const struct agent_file *, const char *capability);
/* A key of a connector's own that is no list: a view, or NULL. */
const char *agent_file_meta(const struct agent_file *, const char *key);
/* Which connector starts it: `agent`; else command, when it has a `command`;
 * else claude.  A view. */
const char *agent_file_connector(const struct agent_file *);
/* Replace a text (a copy is made; NULL: not given any more). EX_OSERR. */
int	agent_file_set(char **where, const char *value, struct error *);

/* May it name a file and a directory: a valid name that does not begin with a
 * dot and is not over AGENT_REF_MAX. */
bool	agent_name_is_safe(const char *);
/* May an agent that is started be called so?  Letters, digits, _ and -, at most
 * AGENT_NAME_MAX. */
bool	agent_name_is_startable(const char *);
/* Has a slash or ends in .md: a path, which is used as it is given. */
bool	agent_ref_is_path(const char *ref);
/* malloc'd: where the file of ref is. NULL: out of memory. */
char	*agent_file_path(const char *workspace, const char *ref);
/*
 * Load by a ref or a path.  Of a ref no component below the workspace may be
 * a symbolic link.  EX_USAGE: an unsafe ref; EX_NOINPUT: there is none;
 * EX_DATAERR: FILE: line N.
 */
int	agent_file_load(struct agent_file *, const char *workspace,
	    const char *ref, struct error *);
/*
 * Write the file of a ref (no path): whole or not at all, through no symbolic
 * link.  With `fresh`, EX_CANTCREAT when it is there.
 */
int	agent_file_save(const struct agent_file *, const char *workspace,
	    const char *ref, bool fresh, struct error *);
/* The refs that there are, sorted; none when the directory is not there.
 * Names that are not safe are left out. */
int	agent_file_list(struct strlist *refs, const char *workspace,
	    struct error *);

#endif
