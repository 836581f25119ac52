/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_POUR_H
#define REEVE_BENCH_POUR_H

#include "bus.h"

/*
 * Many messages into streams, fast: a few hundred are on their way at a time.
 * One that is not stored fails the rest.  Zeroed but for the bus it is ready.
 */
struct pour {
	struct bus	*bus;
	unsigned	 open;		/* not answered yet */
	bool		 failed;
	char		 why[160];
};

/* Both 0, or -1 with *e.  The message is copied. */
int	pour_put(struct pour *, const struct bus_pub *, struct error *);
/* Until all that was put is stored; needed after an error too. */
int	pour_end(struct pour *, struct error *);

#endif
