/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CONTROL_H
#define REEVE_CONTROL_H

#include <cjson/cJSON.h>

#include "headroom.h"
#include "members.h"
#include "role.h"

/*
 * The control responder's parts (wire section 6).  An op is a file with a
 * const struct op at its end; control.c knows nothing else of it.
 */

struct control {
	struct role		*role;
	struct bus		*bus;		/* of the session */
	struct members		*members;
	struct watch		*members_watch;
	struct headroom		 headroom;
	uint64_t		 entries_settled, entries_seq;
	char			 chat[STREAM_MAX];
	char			 inbox[STREAM_MAX];
	char			 fanout[64], reader[64];	/* durables */
};

/* What a request that has to wait knows from run to run; zero at first. */
struct waiting {
	int64_t		until_ms;
	uint64_t	leave_seq;	/* of the interval it waits for */
	bool		noted;
	uint64_t	owed_seq;	/* INBOX: all owed is at or below */
	uint64_t	noted_at;	/* headroom_words */
	int64_t		idle_ms;	/* the reader has been, since */
	uint64_t	idle_seq;	/* ... it was delivered this */
};

/* A request whose form, sender and channel have been checked. */
struct request {
	const char	*caller;	/* the authenticated id */
	const char	*channel;	/* concrete; NULL when op has none */
	const cJSON	*args;		/* NULL if absent */
	struct waiting	*wait;
};

struct op {
	const char	*name;
	bool		 channel;	/* args.channel, concrete */
	bool		 acl;		/* and inside the caller's ACL */
	/*
	 * Do it.  0: data (added to, {} at first) is the answer's.  -1 with
	 * *e: its text is the answer's error.  1: not yet; others have their
	 * turn, and it is run again in a moment.
	 */
	int		(*run)(struct control *, const struct request *,
			    cJSON *data, struct error *);
};

/*
 * A turn of a wait inside an op, at most timeout_ms: health is said, signals
 * are heard, other requests queue up behind this one.  -1 with *e
 * (EX_TEMPFAIL) when the op must end now: the process stops, the link is dead,
 * the lease is no longer ours or the number of shards is being changed.
 */
int	control_turn(struct control *, int64_t timeout_ms, struct error *);
/* 0, or -1 with *e (EX_TEMPFAIL): the table says that the number of shards is
 * being changed, or is another one. */
int	control_check_layout(struct control *, struct error *);

extern const struct op op_join, op_leave, op_list;

#endif
