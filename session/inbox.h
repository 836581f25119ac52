/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSION_INBOX_H
#define REEVE_SESSION_INBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "attention.h"
#include "endpoint.h"
#include "seen.h"

struct session;

/*
 * The messages that a session has not been shown yet, in the order in which
 * they came: at most INBOX_MAX.  One is settled when it has been shown, and
 * when it must make room: first what is mere history, else the oldest.  What
 * is held in focus is in here, too, and is told apart by attention_judge.
 */
#define INBOX_MAX	200

/* Done with: its copies are to be acknowledged.  The delivery is gone then. */
typedef void	inbox_settle_fn(void *arg, struct delivery *);

struct inbox {
	struct delivery	*v[INBOX_MAX];
	size_t		 n;
	struct seen	 shown;		/* of channels, lately */
	struct seen	 gone;		/* made room for others, lately */
	uint64_t	 lost;		/* of those, not shown after all, since
					   the last inbox_take_lost */
	inbox_settle_fn	*settle;
	void		*arg;
};

/* NULL: out of memory. */
struct inbox *inbox_make(inbox_settle_fn *, void *arg);
/* Of a session, which settles with its endpoint. */
struct inbox *inbox_new(struct session *);
/* What is in it is not settled.  NULL is fine. */
void	inbox_free(struct inbox *);
/* A message has come to the session: judged, kept, and it is woken. */
void	inbox_message(struct inbox *, struct delivery *);
/* Take a delivery; settles another when it is full. */
void	inbox_put(struct inbox *, struct delivery *d);
/* Judge a delivery that has come: settle it, or keep it. */
struct judgement inbox_receive(struct inbox *, const struct attention *,
	    struct delivery *);
bool	inbox_has(const struct inbox *, const struct delivery *);
/* The one of this sender and id, or NULL. */
struct delivery *inbox_find(const struct inbox *, const char *from_id,
	    const char *id);
/* Shown: settle it and take it out. */
void	inbox_done(struct inbox *, struct delivery *);
/* What is stored of a channel can be read again: was it shown, whichever way?
 * One that made room for others was not. */
bool	inbox_was_shown(const struct inbox *, const struct message *);
/* It was shown as it was read. */
void	inbox_shown(struct inbox *, const struct message *);
/* Settle what is muted by now. */
void	inbox_sweep(struct inbox *, const struct attention *);

struct inbox_count {
	size_t	given;		/* may be shown now */
	size_t	held;
	size_t	waking;		/* of both, those that wake */
};
struct inbox_count inbox_count(const struct inbox *,
	    const struct attention *);
/* How many made room since it was last asked, and were not recalled since. */
uint64_t inbox_take_lost(struct inbox *);

#endif
