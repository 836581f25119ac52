/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BUS_MSG_H
#define REEVE_BUS_MSG_H

#include <nats/nats.h>

/* Messages as the parts of a bus need them; NULL: out of memory. */

/* With its headers; the caller's. */
natsMsg	*bus_msg_copy(natsMsg *);
/* What the broker says when nobody serves a request's subject. */
natsMsg	*bus_msg_no_responders(const char *subject);

/* Destroy what bus_msg_free has put off: all, or for one with nothing to do
 * if it is worth the wake-up. */
void	 bus_msg_flush(void);
void	 bus_msg_rest(void);

#endif
