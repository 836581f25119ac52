/* SPDX-License-Identifier: ISC */

/* cotal_dm: a message to one agent. */
#include <stdlib.h>
#include <string.h>

#include "say.h"

static const struct tool_arg args_table[] = {
	{ .name = "to", .type = TOOL_STRING, .required = true, .least = 1,
	    .most = 256, .what = "whom: a name, or an id where several have "
	    "the name" },
	{ .name = "text", .type = TOOL_STRING, .required = true, .least = 1,
	    .most = SAY_TEXT_MAX, .what = "what to say" },
	{ .name = "reply_to", .type = TOOL_STRING, .least = 1, .most = 256,
	    .what = "the id of the message that this one answers" },
	TOOL_ARGS_END
};

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	const struct peer	*peer = say_whom(s, c, arg_text(args, "to"));
	struct message_draft	 d = { .text = arg_text(args, "text"),
				    .reply_to = arg_text(args, "reply_to") };
	struct page		 where = { .s = NULL };

	if (peer == NULL)
		return;
	d.to = peer->presence.id;
	page_name(&where, peer->presence.name, 64);
	say(s, c, &d, where.s == NULL ? "it" : where.s, peer_is_live(peer) ?
	    NULL : "It is away, and gets the message when it is back.");
	page_free(&where);
}

const struct tool tool_dm = {
	.name = "cotal_dm", .title = "Write to one agent",
	.description = "Send a direct message to one agent, which it gets "
	    "whatever it is doing, and also when it is away just now. For "
	    "what concerns others, too, use cotal_send.",
	.args = args_table, .mesh = true, .run = run };
