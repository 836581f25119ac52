/* SPDX-License-Identifier: ISC */
#ifndef REEVE_LAUNCHSPEC_H
#define REEVE_LAUNCHSPEC_H

#include <stddef.h>

#include "error.h"
#include "strlist.h"

/*
 * A run: several agents that are started, and stopped, together
 * (reeve-launch(5)).  <workspace>/.cotal/run/<runId>.json is what to start;
 * others could have written it, so all of it is checked whenever it is read.
 * What an agent may do is said there alone; its persona is written to
 * <workspace>/.cotal/run/<runId>/agents/<name>.md for the connector to read.
 */
#define LAUNCH_SPEC_MAX		(4 * 1024 * 1024)	/* bytes */
#define LAUNCH_AGENTS_MAX	256
#define LAUNCH_SPEC_VERSION	"cotal-launch/v1"
#define RUN_ID_MAX		128			/* bytes */

/* Strings are owned; NULL: not given. */
struct launch_agent {
	char		*name;
	char		*agent;			/* connector */
	char		*role, *model, *description, *body;
	char		*persona_path;		/* where it came from */
	char		*hash;
	struct strlist	 capabilities;
	struct strlist	 subscribe, allow_subscribe, allow_publish;
};

struct launch_spec {
	char			*space;
	char			*run_id;
	struct launch_agent	*agents;
	size_t			 n_agents;
};

/* Read a text into s, which need not be initialized and is freed by
 * launch_spec_free, also after a failure.  EX_DATAERR with the field. */
int	launch_spec_read(struct launch_spec *, const char *text, size_t len,
	    struct error *);
/* The text, malloc'd.  NULL: EX_DATAERR where launch_spec_read would refuse
 * it, EX_OSERR. */
char	*launch_spec_text(const struct launch_spec *, struct error *);
void	launch_spec_free(struct launch_spec *);
/* A view, or NULL with EX_NOINPUT. */
const struct launch_agent *launch_spec_find(const struct launch_spec *,
	    const char *name, struct error *);

/*
 * The spec of a run, through no symbolic link.  EX_USAGE: no run id;
 * EX_NOINPUT: there is none; EX_DATAERR: what is wrong in it, or that it is
 * for another space or run; EX_NOPERM: a symbolic link.
 */
int	launch_spec_load(struct launch_spec *, const char *workspace,
	    const char *space, const char *run_id, struct error *);
/* Write it, new; EX_CANTCREAT when there is a run of that id. */
int	launch_spec_save(const struct launch_spec *, const char *workspace,
	    struct error *);
/* Write an agent's persona, new; its path, malloc'd.  NULL with *e, and
 * nothing is left. */
char	*launch_persona_write(const char *workspace, const char *run_id,
	    const struct launch_agent *, struct error *);
/* Take that back.  What is not there is no error. */
int	launch_persona_remove(const char *workspace, const char *run_id,
	    const char *name, struct error *);
/* Remove all of a run: its personas and its spec. */
int	launch_run_remove(const char *workspace, const char *run_id,
	    struct error *);

#endif
