/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_STAGE_H
#define REEVE_BENCH_STAGE_H

#include <sys/types.h>

#include "bus.h"
#include "conf.h"
#include "creds.h"
#include "names.h"

/*
 * A space of the benchmark's own: made by `reeve init` below dir, with its
 * own broker, run by reeved (see props.h).
 *
 * Everything returns 0, or -1 with *e.
 */
struct stage {
	char		 dir[64];
	char		 state[80];		/* <dir>/state */
	char		 creds_path[80];	/* <dir>/bench.creds */
	struct config	 config;
	struct creds	 creds;		/* may do all that is done here */
	struct bus	*bus;
	pid_t		 reeved;
	unsigned	 shards;
};

/* dir exists and is empty.  Returns when the lease says ready. */
int	stage_open(struct stage *, const char *dir, struct error *);
/* Stops reeved and waits for it; fine after a stage_open that failed. */
void	stage_close(struct stage *);
/* The end of what reeved and the roles logged, to stderr. */
void	stage_show_log(const struct stage *);

/* `reeve VERB ROLE`, which returns when it is done. */
int	stage_role(struct stage *, const char *verb, const char *role,
	    struct error *);
/* The service of a role's shard: "fanout", or with more than one "fanout-0". */
void	stage_service(const struct stage *, const char *role, unsigned shard,
	    char *buf, size_t size);
/* Until the leases of all shards say ready. */
int	stage_await_ready(struct stage *, struct error *);
/* `reeve reshard`; returns when all of the new shards are ready. */
int	stage_reshard(struct stage *, unsigned shards, struct error *);
/* The pid of a service, or of "reeved". */
int	stage_pid(const struct stage *, const char *role, pid_t *,
	    struct error *);

/* Until a durable has nothing waiting and nothing unacknowledged. */
int	stage_await_drained(struct stage *, const char *stream,
	    const char *durable, struct error *);
/* The same of all fan-outs and readers. */
int	stage_await_idle(struct stage *, struct error *);
int	stage_purge(struct stage *, const char *stream, struct error *);

#endif
