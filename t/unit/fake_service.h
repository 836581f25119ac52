/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_FAKE_SERVICE_H
#define REEVE_T_FAKE_SERVICE_H

#include "service.h"

/*
 * The supervisor's machine without processes: what it does is written down as
 * words, and what it asks is answered by a test.
 */
#define NOW		1000000
#define RUN_PID		100
#define FINISH_PID	200
#define EXITED(code)	((code) << 8)

extern struct fake {
	char			 trace[512];	/* " run go", " TERM" ... */
	/* what it is told */
	bool			 finish_there, spawn_fails, unmet;
	enum service_rest	 remains;
	int64_t			 kill_file_ms, finish_file_ms, tally_file,
				    window_file_ms;	/* -1: no file */
	uint32_t		 random_value;
	/* what it said */
	uint32_t		 random_bound;
	enum service_state	 recorded_state, published_state;
	pid_t			 recorded_pid;
	enum service_want	 want_at_term;
} fake;

/* Fixture: nothing is done yet, no file is there, and logging is off. */
void	setup(void);
/* A wanted service, as it stands in that state. */
void	place(struct service *, enum service_state);
/* "state,want,flags: what was done"; good until the next call. */
const char *told(const struct service *);

#endif
