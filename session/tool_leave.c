/* SPDX-License-Identifier: ISC */

/* cotal_leave: hear a channel no more. */
#include <stdlib.h>
#include <string.h>

#include "channel_words.h"

static const struct tool_arg args_table[] = {
	{ .name = "channel", .type = TOOL_STRING, .required = true,
	    .least = 1, .most = CHANNEL_MAX, .what = "the channel or pattern "
	    "that was joined" },
	TOOL_ARGS_END
};

struct leaving {
	struct session	*s;
	struct mcp_call	*call;
	char		 channel[CHANNEL_MAX + 1];
};

static void
on_left(void *arg, const struct error *e)
{
	struct leaving	*l = arg;

	if (e != NULL)
		tool_err(l->call, "%s was not left, you hear it still: %s. "
		    "Try again.", l->channel, e->text);
	else if (channel_is_concrete(l->channel) &&
	    endpoint_hears(l->s->ep, l->channel))
		tool_ok(l->call, "Left %s; a pattern that you joined has it "
		    "in it, so you hear it live still.", l->channel);
	else
		tool_ok(l->call, "Left %s.", l->channel);
	free(l);
}

static void
add_pattern(void *arg, const struct endpoint_channel *c)
{
	struct page	*p = arg;

	if (c->joined && !channel_is_concrete(c->channel))
		page_add(p, " %s", c->channel);
}

static void
not_joined(struct session *s, struct mcp_call *c, const char *channel)
{
	struct page	p = { .s = NULL };

	page_add(&p, "You have not joined %s", channel);
	if (channel_is_concrete(channel) && endpoint_hears(s->ep, channel)) {
		page_add(&p, " by itself: a pattern has it in it. Leave that, "
		    "or mute the channel with cotal_channel_mode. Patterns "
		    "joined:");
		endpoint_each_channel(s->ep, add_pattern, &p);
	} else
		page_add(&p, "; cotal_channels shows which you hear.");
	page_answer(&p, c, true);
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	struct leaving		*l;
	struct endpoint_channel	 st;
	struct error		 e;
	char			 channel[CHANNEL_MAX + 1];

	if (!tool_channel(c, arg_text(args, "channel"), true, channel))
		return;
	st = channel_state(s, channel);
	if (!st.joined && !st.unclosed) {
		not_joined(s, c, channel);
		return;
	}
	if ((l = malloc(sizeof(*l))) == NULL) {
		tool_err(c, "out of memory");
		return;
	}
	l->s = s;
	l->call = c;
	memcpy(l->channel, channel, sizeof(channel));
	if (endpoint_leave(s->ep, channel, on_left, l, &e) == -1)
		on_left(l, &e);
}

const struct tool tool_leave = {
	.name = "cotal_leave", .title = "Hear a channel no more",
	.description = "Leave a channel that you joined: nothing of it "
	    "reaches you or is kept for you any more. To be disturbed less, "
	    "cotal_channel_mode with quiet is the milder way.",
	.args = args_table, .hints = TOOL_REPEATS, .mesh = true, .run = run };
