/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BUS_IMPL_H
#define REEVE_BUS_IMPL_H

#include <sys/queue.h>

#include <pthread.h>

#include "bus.h"
#include "names.h"

/*
 * What the parts of a bus share: bus_connect.c opens and closes it,
 * bus_request.c has the requests and what the broker refused, bus.c the turn
 * and all else.  Nobody else includes this.
 */
#define BUS_EXPIRY_SWEEP_MS	50
#define BUS_REFUSED_KEPT	128
#define BUS_NO_SLOT		UINT32_MAX

struct bus_sub {
	TAILQ_ENTRY(bus_sub)	 entry;
	natsSubscription	*sub;
	bus_msg_fn		*fn;
	void			*arg;
	char			*pattern;	/* NULL: any subject's */
	bool			 gone;
};
TAILQ_HEAD(bus_subs, bus_sub);

/* A slot of the table of requests; free slots are chained by `next`. */
struct request {
	bus_reply_fn	*fn;		/* NULL: free */
	void		*arg;
	char		*subject;	/* to know a refusal by */
	int64_t		 deadline_ms;
	uint32_t	 generation;
	uint32_t	 next;
};

/*
 * What the broker refused: filled by libnats's callback thread, which may come
 * after the connection was closed, and says when it comes no more.
 */
struct refusals {
	pthread_mutex_t	 lock;
	unsigned	 refs;		/* the bus, and that thread */
	int		 wakefd;	/* for the owner */
	char		*text[BUS_REFUSED_KEPT];
	unsigned	 n;		/* ever */
	unsigned	 seen;		/* by the owner's thread */
};

struct bus {
	natsConnection		*nc;
	const struct creds	*creds;
	bool			 unlucky;	/* bus_connect.c, on_sign */
	char			 id[ID_MAX];
	char			 nonce[17];
	unsigned		 inboxes;
	int			 fd;		/* -1: detached */
	bool			 want_write;
	bool			 turning;
	int64_t			 heard_ms;
	int64_t			 swept_ms;
	char			 why[256];
	struct bus_subs		 subs;
	struct bus_sub		*mux;		/* last of subs */
	struct request		*requests;
	uint32_t		 n_requests, free_slot, n_pending;
	struct refusals		*refused;
	bus_limit_fn		*limit;		/* NULL: none */
	void			*limit_arg;
};

/* bus_request.c */
void	bus_on_reply(void *bus, natsMsg *);	/* of the shared inbox */
void	bus_expire_requests(struct bus *);
void	bus_end_requests(struct bus *);
void	bus_take_refusals(struct bus *);

/* bus.c */
void	bus_sub_free(struct bus *, struct bus_sub *);

#endif
