/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_PROPS_H
#define REEVE_BENCH_PROPS_H

#include <sys/types.h>

#include "bus.h"
#include "creds.h"
#include "error.h"

/*
 * What every space of a benchmark is put up with: our programs, whose words
 * go to <dir>/log, a port, and a user that may do all that is done here.
 *
 * 0, or -1 with *e, unless it says otherwise.
 */
#define PROPS_SPACE	"bench"

/* malloc'd path of one of our programs: of $REEVE_BINDIR, else beside this
 * one or one directory up.  NULL with *e. */
char	*props_program(const char *name, struct error *);
/* Start a program of ours, argv[0] being its name; it ends with us.  Its pid,
 * or -1 with *e. */
pid_t	props_start(const char *dir, const char *const argv[],
	    struct error *);
/* Its status, of wait(2), when it has ended; -1: it is none of ours. */
int	props_await(pid_t);
/* Both; -1 also when it does not succeed. */
int	props_run(const char *dir, const char *const argv[], struct error *);

/* One on 127.0.0.1, or -1 with *e. */
int	props_free_port(struct error *);
/* Minted by the trust of this state directory; creds_wipe it. */
int	props_user(struct creds *, const char *state, struct error *);
/* Connect, also to a broker that is starting. */
int	props_reach(struct bus **, const char *servers, const struct creds *,
	    int64_t until_ms, struct error *);

#endif
