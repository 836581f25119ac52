/* SPDX-License-Identifier: ISC */
#ifndef REEVE_GATE_H
#define REEVE_GATE_H

#include "bus.h"
#include "conf.h"
#include "records.h"
#include "watch.h"

/*
 * A worker's view of its shard's lease (design, "Single flight").  The gate
 * is open while the record names this very host, is not being released, and
 * was renewed less than the TTL and a margin ago by CLOCK_BOOTTIME, which
 * keeper and worker share.  Everything else is closed: fail closed.
 */
struct gate {
	char		 host[HOST_IDENTITY_MAX]; /* our identity */
	char		 key[32];	/* lease.<shard> */
	char		 stream[STREAM_MAX];
	char		 subject[SUBJECT_MAX];
	struct lease	 lease;
	bool		 have;
	uint64_t	 seq;
	uint64_t	 twin_seq;	/* last of our uuid from elsewhere */
	bool		 twin;		/* and it is renewed: we are a copy */
	struct watch	*watch;
	struct bus	*bus;
	int64_t		 bound_ms;
	bool		 known;		/* since then, with the tables */
	bool		 asking, answered;	/* the record read with a batch */
	uint64_t	 asked_seq;		/* what was known then */
	bool		 read_open;
};

int	gate_init(struct gate *, const char *space, unsigned shard,
	    const struct host *, struct error *);
void	gate_free(struct gate *);
/* Does not wait until the lease is known. */
int	gate_bind(struct gate *, struct bus *, struct error *);
/* -1 with *e; EX_SOFTWARE: this state directory is a copy of one in use. */
int	gate_tend(struct gate *, struct error *);
void	gate_unbind(struct gate *);

/* Since gate_bind, has the lease been read, and these tables?  1: yes; 0: not
 * yet; -1: *e, not within 30 s. */
int	gate_tables_known(struct gate *, struct watch *const *, size_t n,
	    struct error *);
bool	gate_is_open(const struct gate *);
/* clock_ms until which it stays open without a renewal; 0 when closed. */
int64_t	gate_valid_until(const struct gate *);
/* The same for bus_limit; the argument is the gate. */
int64_t	gate_limit(void *gate);
/* Another host has the lease: to stand by is all there is to do. */
bool	gate_elsewhere(const struct gate *);
/* Our own host gives it up, once its workers have paused. */
bool	gate_releasing(const struct gate *);
/* Why it is closed, for people: "held by another host", ... */
const char *gate_why(const struct gate *);
/* At the last moment of validity a renewed lease of this ttl still has this
 * much left: what is sent before arrives while it is valid. */
int64_t	lease_margin_ms(int64_t ttl_ms);
/* Is this record, at clock_ms now, a right to work for this host? */
bool	lease_entitles(const struct lease *, const char *host,
	    int64_t now_ms);
/* Is it held under the uuid of this host, by somebody else?  That is what was
 * here before a boot, or, when it is renewed, a copy. */
bool	lease_is_twin(const struct lease *, const char *host);
#define LEASE_TWIN	"this state directory is a copy of one that is in use"\
			    " (another host renews the lease under its "   \
			    "host-id)"

/*
 * The lease key read from the store, with a batch's freshness requests: what
 * the clock cannot see (a stepped broker clock, a restored machine).  Ask,
 * turn the bus, and look; gate_read_settled says when.
 */
int	gate_read(struct gate *, int64_t timeout_ms, struct error *);
bool	gate_read_settled(const struct gate *);
bool	gate_read_open(const struct gate *);

#endif
