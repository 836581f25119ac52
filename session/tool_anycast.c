/* SPDX-License-Identifier: ISC */

/* cotal_anycast: a message to any one agent of a role. */
#include <stdlib.h>
#include <string.h>

#include "say.h"

static const struct tool_arg args_table[] = {
	{ .name = "role", .type = TOOL_STRING, .required = true, .least = 1,
	    .most = 128, .what = "which role: any one agent that has it gets "
	    "the message" },
	{ .name = "text", .type = TOOL_STRING, .required = true, .least = 1,
	    .most = SAY_TEXT_MAX, .what = "what to say" },
	{ .name = "reply_to", .type = TOOL_STRING, .least = 1, .most = 256,
	    .what = "the id of the message that this one answers" },
	TOOL_ARGS_END
};

struct looking {
	const char	*role;
	bool		 found;
};

static void
look(void *arg, const struct peer *peer)
{
	struct looking	*l = arg;

	if (peer_is_live(peer) && peer->presence.role != NULL &&
	    strcmp(peer->presence.role, l->role) == 0)
		l->found = true;
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	struct looking		 l = { .role = arg_text(args, "role") };
	struct message_draft	 d = { .to_service = l.role,
				    .text = arg_text(args, "text"),
				    .reply_to = arg_text(args, "reply_to") };
	char			 where[160];

	if (!name_is_token(l.role)) {
		tool_err(c, "role: letters, digits, _ and - only. Nothing was "
		    "sent. cotal_roster shows the roles that there are.");
		return;
	}
	roster_each(endpoint_roster(s->ep), look, &l);
	snprintf(where, sizeof(where), "any %s", l.role);
	say(s, c, &d, where, l.found ? NULL : "Nobody of that role is here "
	    "now: it waits for one.");
}

const struct tool tool_anycast = {
	.name = "cotal_anycast", .title = "Write to any one of a role",
	.description = "Send a message to a role: one of the agents that have "
	    "it takes it, as a task; if that one does not read it within a "
	    "minute another may get it, too. Where nobody of the role is there "
	    "it waits.",
	.args = args_table, .mesh = true, .run = run };
