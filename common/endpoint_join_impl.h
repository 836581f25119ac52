/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ENDPOINT_JOIN_IMPL_H
#define REEVE_ENDPOINT_JOIN_IMPL_H

#include <sys/queue.h>

#include "endpoint_impl.h"

/* What endpoint_join.c (hearing channels) and endpoint_member.c (memberships)
 * share.  Nobody else includes this. */
#define UNKNOWN_SEQ	UINT64_MAX

/*
 * What a channel is at.  A join goes down to PHASE_DURABLE, a leave is the
 * last two; what goes on by itself (a boot join, the tombstone of a channel
 * that was refused) is the same without an operation.
 */
enum phase {
	PHASE_REST,
	PHASE_WATERMARK, PHASE_FLUSH, PHASE_SETTLE, PHASE_BACKFILL,
	PHASE_DURABLE,
	PHASE_LIST, PHASE_TOMBSTONE,
};

struct op {
	STAILQ_ENTRY(op)	 entry;
	endpoint_join_fn	*join;		/* one of the two */
	endpoint_done_fn	*leave;
	void			*arg;
	struct endpoint_joined	 joined;
};
STAILQ_HEAD(ops, op);

struct channel {
	TAILQ_ENTRY(channel)	 entry;
	struct join_part	*part;
	char			 name[CHANNEL_MAX + 1];
	char			 pattern[SUBJECT_MAX];
	struct bus_sub		*sub;
	bool			 boot;		/* not yet heard for once */
	bool			 joined;
	bool			 member, unclosed, joining;
	bool			 warned;
	uint64_t		 generation;	/* 0: not known */
	uint64_t		 watermark;
	int64_t			 due_ms, backoff_ms;
	enum phase		 phase;
	int64_t			 settled_ms;
	struct op		*op;		/* under way, or NULL */
	struct ops		 ops;		/* one after the other */
	unsigned		 turn;		/* answers of others are stale */
	unsigned		 refs;		/* answers still to come */
};

enum boot { BOOT_OFF, BOOT_WATERMARK, BOOT_FLUSH, BOOT_SETTLE, BOOT_BACKFILL,
	BOOT_DONE };

struct join_part {
	struct endpoint		*ep;
	TAILQ_HEAD(, channel)	 channels;
	enum boot		 boot;
	unsigned		 turn;
	unsigned		 backfills;	/* under way */
	int64_t			 settled_ms, refused_ms;
	unsigned		 n_calls;
	struct error		 why;		/* code 0: the link is good */
};

/* Who asked, of a channel or of all (NULL), in which turn. */
struct step {
	struct join_part	*part;
	struct channel		*ch;
	unsigned		 turn;
	unsigned		 given;
};

struct step	*step_new(struct join_part *, struct channel *);
bool	step_is_stale(const struct step *);
void	step_free(struct step *);
/* Frees the step; the channel that the answer is for, or NULL: nobody waits
 * for it. */
struct channel *step_end(struct step *);

struct channel *channel_find(const struct join_part *, const char *name);
void	channel_unsubscribe(struct channel *);
/* Its operation, or what it did by itself, is over.  e: NULL, it was done. */
void	channel_rest(struct channel *);
void	op_end(struct channel *, const struct error *e);

/* --- endpoint_member.c ------------------------------------------------------ */

/* Is it to become a durable member of it? */
bool	wants_member(const struct channel *);
/* May there be a membership that a leave has to close? */
bool	may_be_member(const struct channel *);
void	retry_now(struct channel *);
/* It hears the channel, and is no member of it, or that is not known. */
void	is_live_only(struct channel *, const char *why, bool unknown);
/* The membership stands, or that is not known: the channel stays joined, or
 * is tried again. */
void	is_open(struct channel *, const struct error *);
/* The durable part of a join, and by itself. */
void	join_durably(struct channel *);
/* A leave, and by itself: tombstone first. */
void	leave_begin(struct channel *);
void	close_membership(struct channel *);

#endif
