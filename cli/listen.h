/* SPDX-License-Identifier: ISC */
#ifndef REEVE_LISTEN_H
#define REEVE_LISTEN_H

#include "agent.h"
#include "seen.h"
#include "show.h"

/* What `reeve listen` is made of: the command and its session loop in
 * cmd_listen.c, what comes in in hear.c. */

enum stop { GO_ON, STOP_SIGNAL, STOP_COUNT, STOP_TIME, STOP_OUTPUT };

struct listener;

/* A channel that is heard. */
struct ear {
	struct listener	*l;
	const char	*channel;
	char		 pattern[SUBJECT_MAX];
	bool		 warned;
	bool		 join;		/* durably, still to do */
};

/* A durable that is read. */
struct source {
	struct listener		*l;
	enum stream_kind	 kind;
	struct pull		 pull;
	bool			 bound;
	bool			 warned;
};
#define N_SOURCES	3

struct listener {
	struct cli	*cli;
	struct agent	 agent;
	struct ear	*ears;
	size_t		 n_ears;
	struct source	 sources[N_SOURCES];
	struct seen	 seen;
	char		 role[STREAM_MAX];	/* a token; or "" */
	char		 dlv[SUBJECT_MAX];	/* our subject there */
	bool		 live, durable, quiet;
	uint64_t	 count;			/* 0: no end */
	uint64_t	 printed;
	enum stop	 stop;
	int64_t		 deadline_ms;		/* 0: none */
	int		 sigfd;
	bool		 was_bound;	/* from then on it comes back itself */

	struct agent_call call;			/* a join under way ... */
	struct ear	*joining;		/* ... of this */
	size_t		 join_next;		/* of this round */
	bool		 asked_joins;		/* in this round */
	int64_t		 join_ms;		/* not before */
	int64_t		 join_backoff_ms;
};

/* To stderr; not with --quiet. */
void	listen_note(const struct listener *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/* A live copy; arg: struct ear *. */
void	hear_live(void *arg, natsMsg *);
/* A durable copy, acknowledged when it is printed; arg: struct source *. */
void	hear_durable(void *arg, natsMsg *, const struct js_delivery *);

#endif
