/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSION_RECALL_H
#define REEVE_SESSION_RECALL_H

#include "tools.h"

/*
 * What was said in the channels since focus began: of each concrete channel
 * that is joined, has replay and no mode of its own, the newest RECALL_MAX, or
 * as many as are RECALL_BYTES_MAX.  One's own words are left out.
 */
#define RECALL_MAX	1000	/* messages of a channel */
#define RECALL_BYTES_MAX (4 * 1024 * 1024)

struct recalled {
	struct message	 m;		/* owned */
	uint64_t	 seq;		/* of CHAT */
	int64_t		 stored_ms;
};

struct recall {
	struct session	*s;
	struct mcp_call	*call;
	struct recalled	*v;		/* by seq */
	size_t		 n, cap;
	struct page	 aged;		/* sentences on what is no longer
					   there */
	struct error	 error;		/* code 0: all was read */
	struct strlist	 channels;
	size_t		 at;		/* the one that is read */
	void		 (*done)(void *arg, struct recall *);
	void		 *arg;
};

/* done runs once, and r is freed after it; at once when there is nothing to
 * read.  -1 with *e: it does not run. */
int	recall_begin(struct session *, struct mcp_call *,
	    void (*done)(void *arg, struct recall *r), void *arg,
	    struct error *);

#endif
