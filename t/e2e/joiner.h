/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_JOINER_H
#define REEVE_T_JOINER_H

#include "load.h"

/*
 * A listener that joins a channel, leaves it, and joins it again, as often as
 * it is let, and notes of which messages it was a member.  What is refused or
 * not answered is asked again.  One in a process.
 */
#define SPANS		256

enum stage { STAGE_JOIN, STAGE_IN, STAGE_LEAVE, STAGE_OUT };

struct joiner {
	struct listener	*li;
	const char	*channel;
	struct span	 spans[SPANS];
	size_t		 n;
	enum stage	 stage;
	struct bus_sub	*lane;		/* NULL: nothing asked */
	int64_t		 until_ms;
	uint64_t	 generation;
	bool		 stay;		/* out */
	unsigned	 retries;
};

/* One turn; the load's is another. */
void	joiner_turn(struct joiner *);

#endif
