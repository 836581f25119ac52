/* SPDX-License-Identifier: ISC */
#ifndef REEVE_AGENT_H
#define REEVE_AGENT_H

#include <cjson/cJSON.h>

#include "cli.h"
#include "endpoint.h"
#include "names.h"
#include "pull.h"
#include "records.h"

/*
 * The agent's side of the wire (wire section 7), for the commands that act as
 * one: connection, presence, its own durables, calls of ctl.delivery.
 */
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
	struct bus		*bus;		/* NULL: not connected */
	const char		*space;
	const char		*id;		/* of creds, connected */
	char			*name, *role;	/* role may be NULL */
	struct strlist		 subscribe;
	int64_t			 beat_ms;	/* the last heartbeat */
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

/* Connect; again after agent_close.  Codes as bus_open and creds_load. */
int	agent_open(struct agent *, struct error *);
void	agent_close(struct agent *);
void	agent_free(struct agent *);

/* The id that onboard noted of NAME here, else of the one that is this name
 * but for case.  -1: EX_NOUSER there is none, EX_DATAERR several. */
int	agent_noted_id(struct cli *, const char *name, char id[ID_MAX],
	    struct error *);

/* Write the presence record and wait until it is stored. */
int	agent_presence(struct agent *, enum status, struct error *);
/* Call often: writes it anew (idle) every 2 s, not waiting. */
int	agent_beat(struct agent *, struct error *);

/*
 * Pull from one of its own durables: STREAM_DM, STREAM_DLV, or STREAM_TASK
 * by its role.  1: started; 0: there is no such durable; -1: *e.
 */
int	agent_pull(struct agent *, struct pull *, enum stream_kind,
	    unsigned batch, pull_fn *, void *arg, struct error *);
/* "+ACK", "-NAK", "+TERM" to a pulled message. */
int	agent_settle(struct agent *, natsMsg *, const char *how,
	    struct error *);

/* --- ctl.delivery -------------------------------------------------------- */

/* One call under way, on a reply lane of its own that nobody can guess. */
struct agent_call {
	struct bus	*bus;
	struct bus_sub	*lane;
	natsMsg		*reply;
	bool		 done, no_responder;
	int64_t		 deadline_ms;
	char		 subject[SUBJECT_MAX], reply_to[SUBJECT_MAX];
};

/* Send; args (may be NULL) is taken.  Then turn the bus until agent_asked,
 * and take the answer, or drop the call before its bus is closed. */
int	agent_ask(struct agent *, struct agent_call *, const char *op,
	    cJSON *args, int64_t timeout_ms, struct error *);
bool	agent_asked(const struct agent_call *);
/*
 * `data` of the reply, the caller's.  NULL with *e: EX_UNAVAILABLE nobody
 * serves it, EX_TEMPFAIL no answer, EX_NOPERM the broker refused, EX_DATAERR
 * the responder did, in its words.
 */
cJSON	*agent_answer(struct agent_call *, struct error *);
void	agent_drop(struct agent_call *);
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
