/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_PARTY_H
#define REEVE_T_PARTY_H

#include "endpoint.h"
#include "space.h"

/* An endpoint that a test turns: what it was given, in its order. */
struct heard {
	char			*text;
	enum delivery_kind	 kind;
	bool			 historical, durable;	/* as it came */
	uint64_t		 seq;
	struct delivery		*d;		/* NULL: settled */
};

struct party {
	struct agent	*agent;		/* whose credentials */
	struct endpoint	*ep;
	bool		 hold;		/* nothing is settled by itself */
	struct heard	*heard;
	size_t		 n, cap;
	unsigned	 ups, downs;
	struct strlist	 refused, notes;
	/* what the last operation said; done counts them */
	unsigned	 done;
	struct error	 why;		/* code 0: it was done */
	struct endpoint_joined	 joined;
};

/* As this agent; subscribe: "a,b" or NULL.  It is up when it returns. */
struct party *party_make(struct agent *, unsigned does,
	    const char *subscribe);
/* The same, not waiting for it to be up. */
struct party *party_begin(struct agent *, unsigned does,
	    const char *subscribe);
/* Leave the mesh, and be gone. */
void	party_leave(struct party *);
/* Be gone as a killed process is. */
void	party_kill(struct party *);

/* Turn it (and others, ending with NULL) until that is true. */
#define PARTY_AWAIT(p, what)						\
	do {								\
		int64_t until_ms_ = test_now_ms() + AWAIT_MS;		\
									\
		while (!(what)) {					\
			if (test_now_ms() > until_ms_)			\
				test_fail(__FILE__, __LINE__, #what);	\
			endpoint_turn((p)->ep, NULL, 0, 5);		\
		}							\
	} while (0)
/* Turn it for so long: nothing is to come. */
void	party_idle(struct party *, int64_t ms);
/* How often it was given this text. */
unsigned party_got(const struct party *, const char *text);
const struct heard *party_find(const struct party *, const char *text);
/* Settle the one with this text. */
void	party_settle(struct party *, const char *text, enum settle);
/* Does a note say that? */
bool	party_noted(const struct party *, const char *text);
/* Join or leave, and wait for what comes of it (p->why, p->joined). */
void	party_join(struct party *, const char *channel);
void	party_quit(struct party *, const char *channel);
endpoint_join_fn party_on_joined;	/* arg: struct party */
endpoint_done_fn party_on_done;
/* What it knows of a channel; nothing: all false, channel NULL. */
struct endpoint_channel party_channel(const struct party *,
	    const char *channel);

#endif
