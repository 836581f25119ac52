/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BUS_MSG_H
#define REEVE_BUS_MSG_H

#include <nats/nats.h>

/* Messages as bus.c needs them; NULL: out of memory. */

/* With its headers; the caller's. */
natsMsg	*bus_msg_copy(natsMsg *);
/* What the broker says when nobody serves a request's subject. */
natsMsg	*bus_msg_no_responders(const char *subject);

#endif
