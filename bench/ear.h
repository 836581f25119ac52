/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_EAR_H
#define REEVE_BENCH_EAR_H

#include "stage.h"

/*
 * A consumer of all of DLV, which hands on what it has stored, as it does to
 * an agent.  (A plain subscription of dlv.> hears a copy when the broker has
 * read it, which is before it is stored.)  One at a time.
 *
 * fn takes the message, as with bus_subscribe.  NULL with *e on failure.
 */
struct bus_sub *ear_open(struct stage *, bus_msg_fn *, void *arg,
	    struct error *);
int	ear_close(struct stage *, struct bus_sub *, struct error *);

#endif
