/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ROLE_H
#define REEVE_ROLE_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "bus.h"
#include "conf.h"
#include "creds.h"

/*
 * The frame that every role's main runs in: options, configuration,
 * credentials, one instance on a host, signals, logging, readiness, health,
 * reconnection.
 *
 * A role lives in sessions.  A session has one connection; it binds, works
 * until role_turn says that it is over, gives back what it holds and returns.
 * The frame then exits, or connects again with back-off and starts the next.
 *
 *	reeve-ROLE [--debug] [--state DIR] [--shard N] [--shards N]
 *		[--notify-fd N]
 *
 * Without --shard and --shards where the role is no shard's.
 */
enum role_scope {
	ROLE_OF_SHARD,		/* creds/ROLE-SHARD.creds, lock/ROLE-SHARD */
	ROLE_OF_HOST,		/* creds/ROLE.creds, lock/ROLE; its health is
				   of the shard NO_SHARD */
};

enum role_state {
	ROLE_STARTING,		/* connecting, binding */
	ROLE_PAUSED,		/* bound, but the lease is not this host's */
	ROLE_BOUND,		/* working */
	ROLE_STOPPED,
};
extern const char *const role_state_names[];

struct role;

struct role_def {
	const char	*name;		/* "fanout": program, creds, health */
	enum role_scope	 scope;
	/* Once, before the first session; -1 with *e ends the process. */
	int		(*start)(struct role *, struct error *);
	/*
	 * One session on role->bus.  0: it ended as role_turn told it.  -1
	 * with *e: it failed; EX_CONFIG, EX_NOPERM and EX_SOFTWARE end the
	 * process with that code, anything else is tried again.
	 */
	int		(*session)(struct role *, struct error *);
	/* More members for the health message; may be NULL. */
	void		(*health)(struct role *, cJSON *);
};

struct role {
	const struct role_def	*def;
	struct config		 config;
	struct host		 host;
	struct creds		 creds;
	unsigned		 shard, shards;	/* this one, of so many that
						   the host is set up for; 0
						   of 1 where it is none's */
	char			 who[128];	/* "reeve-fanout-0" */
	char			 shard_text[16]; /* or NO_SHARD */
	struct bus		*bus;		/* of the session */
	enum role_state		 state;
	bool			 stop;		/* told to end */
	bool			 reload;	/* told to reconnect */
	void			*own;		/* the role's */

	/* the frame's */
	int			 signal_fd, lock_fd, notify_fd;
	int64_t			 health_ms, probed_ms;	/* said last */
	int64_t			 health_every_ms;	/* 0: every second */
	int64_t			 backoff_ms;
	int64_t			 refused_ms;	/* first of a row; 0: not */
	uint64_t		 sessions;
};

/* The role's main.  Returns the exit code. */
int	role_main(int argc, char **argv, const struct role_def *);

/*
 * One turn of the session's bus, at most timeout_ms, with the frame's duties.
 * False: the session is over (told to stop or reload, the link is dead):
 * give back and return.
 */
bool	role_turn(struct role *, int64_t timeout_ms);
/* Change state: said at once to the keeper, and the first ROLE_BOUND to the
 * supervisor (notification-fd). */
void	role_set_state(struct role *, enum role_state, const char *why);
/* Is it of this role's shard? */
bool	role_owns(const struct role *, const char *owner);
/* Tell the supervisor, once: bound does so by itself, and to stand by for
 * another host's lease is to be ready, too. */
void	role_say_ready(struct role *);

#endif
