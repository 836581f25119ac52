/* SPDX-License-Identifier: ISC */
#ifndef REEVE_AGENT_H
#define REEVE_AGENT_H

#include <cjson/cJSON.h>

#include "cli.h"
#include "endpoint.h"
#include "names.h"
#include "records.h"

/* Which agent a command acts as, and its endpoint. */
struct agent_opts {
	const char	*as;		/* --as NAME; or */
	const char	*creds;		/* --creds FILE */
	const char	*name;		/* --name: the display name */
};

#define AGENT_OPTS(type, member)					\
	{ "as", OPT_STRING, offsetof(type, member.as), "NAME",		\
	    "act as this agent of `reeve onboard`" },			\
	{ "creds", OPT_STRING, offsetof(type, member.creds), "FILE",	\
	    "or as the one that these credentials are of" },		\
	{ "name", OPT_STRING, offsetof(type, member.name), "NAME",	\
	    "the name it shows (default: of onboard, else its id)" }

struct agent {
	struct cli		*cli;
	const struct agent_opts	*opts;
	struct creds		 creds;
	struct endpoint		*ep;		/* of agent_begin, or NULL */
	const char		*space;
	const char		*id;		/* of creds; agent_begin */
	char			*name, *role;	/* role may be NULL */
	struct strlist		 subscribe;
};

/* Which agent, and what onboard noted of it.  Free also after an error. */
int	agent_init(struct agent *, struct cli *, const struct agent_opts *,
	    struct error *);
/*
 * Make its endpoint, a->ep, which begins to connect; agent_free frees it.  conf
 * says what it does; who it is and where is filled in, and what it subscribes
 * to where that is NULL.  Codes as creds_load and endpoint_new.
 */
int	agent_begin(struct agent *, struct endpoint_conf *conf,
	    const struct endpoint_ops *, void *arg, struct error *);
/* One that does so, and wait until it is up: codes as bus_open, too. */
int	agent_up(struct agent *, unsigned does, struct error *);

void	agent_free(struct agent *);

/* The id that onboard noted of NAME here, else of the one that is this name
 * but for case.  -1: EX_NOUSER there is none, EX_DATAERR several. */
int	agent_noted_id(struct cli *, const char *name, char id[ID_MAX],
	    struct error *);

/*
 * As this agent, something for each of its channels: those of the option and
 * of the arguments, at least one, all without wildcards (EX_USAGE).  One that
 * fails does not keep the others from their turn; the exit code is the first
 * failure's, or EX_OK.  What failed has been said.
 */
int	agent_each_channel(struct cli *, const struct agent_opts *,
	    struct strlist *channels, int argc, char **argv,
	    int (*fn)(struct agent *, const char *channel, void *arg),
	    void *arg);
/* {channel} as arguments; NULL when out of memory. */
cJSON	*agent_channel_args(const char *channel);

#endif
