/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_SEAT_H
#define REEVE_T_SEAT_H

#include "endpoint.h"
#include "space.h"

/* An endpoint that a test turns, and what it was told. */
struct seat {
	struct endpoint		*ep;
	struct endpoint_ops	 ops;		/* more of them, before seat_new */
	unsigned		 ups, downs;
	struct error		 why;		/* of the last down */
	char			 peers[4096];	/* " +name ~name -name" */
	char			 note[512];	/* the last */
	int64_t			 longest_ms;	/* beyond what a turn was given */
};

/* Of an onboarded agent; conf NULL: does, at the space's servers.  Of conf
 * what is NULL is filled in. */
void	seat_new(struct seat *, struct agent *, struct endpoint_conf *,
	    unsigned does);
/* As it was before, at a space's beginning: up, or the test fails. */
void	seat_up(struct seat *, struct agent *, unsigned does);
void	seat_free(struct seat *);
/* One turn of each, of some ms together. */
void	seats_turn(struct seat *const *, size_t n);

/* Turn all of them until it is so. */
#define TURN_UNTIL(what, ...)						\
	do {								\
		struct seat *const v_[] = { __VA_ARGS__ };		\
		int64_t until_ms_ = test_now_ms() + AWAIT_MS;		\
									\
		while (!(what)) {					\
			if (test_now_ms() > until_ms_)			\
				test_fail(__FILE__, __LINE__, #what);	\
			seats_turn(v_, sizeof(v_) / sizeof(v_[0]));	\
		}							\
	} while (0)
/* For so long. */
#define TURN_FOR(ms, ...)						\
	do {								\
		int64_t end_ms_ = test_now_ms() + (ms);			\
									\
		TURN_UNTIL(test_now_ms() >= end_ms_, __VA_ARGS__);	\
	} while (0)

#endif
