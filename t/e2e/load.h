/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_LOAD_H
#define REEVE_T_LOAD_H

#include "pull.h"
#include "space.h"

/*
 * Agents that talk and listen all the while a test breaks things: senders
 * whose post is tried again, with its id, until CHAT has it, and listeners
 * that pull.  One thread; nothing moves unless load_turn is called.
 */
#define LOAD_SENDERS	24
#define LOAD_LISTENERS	8

/* What a sender has had acknowledged: message n, at CHAT's sequence. */
struct post {
	uint64_t	seq;
	int64_t		ms;		/* posting began */
};

struct sender {
	struct agent	*agent;
	const char	*channel;
	char		 name[32];
	int64_t		 every_ms;	/* 0: at once, one after the other */
	int64_t		 next_ms, began_ms, asked_ms;
	int64_t		 slowest_ms;	/* see load_slowest_ms */
	unsigned	 most;		/* stop after so many; 0: never */
	struct post	*posts;
	unsigned	 n, cap;
	unsigned	 pad;		/* bytes more of text */
	bool		 asked;		/* on its way */
	bool		 open;		/* begun, not stored yet */
	char		 id[40];
};

/* A copy in an owner's DLV: of message n of a sender. */
struct copy {
	uint64_t	seq;		/* of DLV */
	unsigned	sender, n;
};

struct load;

struct listener {
	struct load	*load;
	struct agent	*agent;
	struct pull	 pull;
	bool		 away;		/* does not pull */
	struct copy	*copies;	/* each DLV sequence once */
	size_t		 n, cap;
	size_t		 other;		/* by nobody of this load */
};

struct load {
	struct space	*space;
	struct sender	 senders[LOAD_SENDERS];
	unsigned	 n_senders;
	struct listener	 listeners[LOAD_LISTENERS];
	unsigned	 n_listeners;
	bool		 hushed;	/* senders begin nothing new */
	/* each copy's post in DLV, from load_tap; may be NULL */
	void		(*on_copy)(struct load *, int64_t posted_ms);
	struct bus_sub	*tap;
	void		*own;
};

void	load_init(struct load *, struct space *);
void	load_free(struct load *);
/* An agent of its own for each. */
struct sender *load_sender(struct load *, const char *channel,
	    int64_t every_ms);
struct listener *load_listener(struct load *, const char *channels);
/* Have every copy put in DLV shown to on_copy, through sp->root. */
void	load_tap(struct load *);
/* One turn of everybody, connecting again where needed; at most 1 ms. */
void	load_turn(struct load *);
void	load_run(struct load *, int64_t ms);
/* The longest that CHAT took to answer for a post since this was last asked,
 * one that is still on its way too: what the machine and the broker take by
 * themselves, for no role has a part in it. */
int64_t	load_slowest_ms(struct load *);
/* All posts are stored, and nothing new is begun. */
void	load_hush(struct load *);

/* Messages of senders on this channel that have been stored, of sequences
 * in (after, upto]. */
size_t	load_owed(const struct load *, const char *channel, uint64_t after,
	    uint64_t upto);
/*
 * After load_hush: turn until the listener has all that it is owed on the
 * channel, then until nothing more is on its way, and judge: each message
 * once, each sender's in order.  Fails the test otherwise.
 */
void	load_check(struct load *, struct listener *, const char *channel);

struct span {
	uint64_t	after, upto;	/* CHAT sequences: (after, upto] */
	uint64_t	slack;		/* and up to here it may be either */
};
/* The same for a member of these spans; order is judged only if told. */
void	load_check_spans(struct load *, struct listener *,
	    const char *channel, const struct span *, size_t n, bool order);

/* Turn the load until it is true; fails the test when too late. */
#define LOAD_AWAIT(l, what)						\
	do {								\
		int64_t until_ms_ = test_now_ms() + AWAIT_MS;		\
									\
		while (!(what)) {					\
			if (test_now_ms() > until_ms_)			\
				test_fail(__FILE__, __LINE__, #what);	\
			load_turn(l);					\
		}							\
	} while (0)

#endif
