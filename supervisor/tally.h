/* SPDX-License-Identifier: ISC */
#ifndef REEVE_TALLY_H
#define REEVE_TALLY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When a service died lately, to know when that is too often.  A tally is
 * allocated by the first death that counts, and holds as many as matter.
 */
struct tally;

#define TALLY_MAX	4096	/* as s6's */

/*
 * Note a death at now_ms (monotonic).  True: it is the max-th within
 * window_ms.  max is above 0, and cut at TALLY_MAX; another one than before
 * begins anew.  Without memory no death counts.
 */
bool	tally_add(struct tally **, unsigned max, int64_t window_ms,
	    int64_t now_ms);

/* Forget all; frees. */
void	tally_clear(struct tally **);

#endif
