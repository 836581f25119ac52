/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSION_SAY_H
#define REEVE_SESSION_SAY_H

#include "tools.h"

/* What the tools that send have in common. */

#define SAY_TEXT_MAX	131072	/* characters of a message */

/* Send it and answer the call: "Sent to <where>" and the message's id, where
 * (copied) being for the model; note (or NULL) follows it. */
void	say(struct session *, struct mcp_call *, const struct message_draft *,
	    const char *where, const char *note);
/*
 * A peer by its id or its name (wire section 4); NULL having answered with
 * what to do: nobody of that name, or several.
 */
const struct peer *say_whom(struct session *, struct mcp_call *,
	    const char *name);

#endif
