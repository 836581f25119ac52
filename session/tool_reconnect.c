/* SPDX-License-Identifier: ISC */

/* cotal_reconnect: close the link and make a new one; session.c answers. */
#include "clock.h"
#include "tools.h"

#define WAIT_MS	10000

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	(void)args;
	if (s->ep == NULL) {
		tool_err(c, "Off the mesh, and there is nothing to "
		    "connect to: %s", s->conf.why_not);
		return;
	}
	if (s->reconnecting != NULL) {
		tool_err(c, "It is being connected already; that call says "
		    "what came of it.");
		return;
	}
	endpoint_reconnect(s->ep);
	s->reconnecting = c;
	s->reconnect_ms = clock_ms() + WAIT_MS;
}

const struct tool tool_reconnect = {
	.name = "cotal_reconnect", .title = "Connect anew",
	.description = "Close the connection to the mesh and make a new one. "
	    "Lost connections come back by themselves: call this only when "
	    "other tools keep saying that the mesh is not reached, or when "
	    "messages seem to be missing. Nothing that waits for you is "
	    "lost.",
	.hints = TOOL_REPEATS, .run = run };
