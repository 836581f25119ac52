/* SPDX-License-Identifier: ISC */

/* cotal_join: hear a channel from now on. */
#include <stdlib.h>
#include <string.h>

#include "channel_words.h"

static const struct tool_arg args_table[] = {
	{ .name = "channel", .type = TOOL_STRING, .required = true,
	    .least = 1, .most = CHANNEL_MAX, .what = "the channel to hear, or "
	    "a pattern like \"team.>\" (heard live only)" },
	TOOL_ARGS_END
};

struct joining {
	struct session	*s;
	struct mcp_call	*call;
	char		 channel[CHANNEL_MAX + 1];
};

static void
add_outcome(struct page *p, const char *channel,
    const struct endpoint_joined *j)
{
	if (j->was) {
		page_add(p, "You hear %s already.\n", channel);
		return;
	}
	page_add(p, "Joined %s", channel);
	if (j->durable)
		page_add(p, "; it is kept for you while you are away");
	else if (j->reason[0] != '\0') {
		page_add(p, ", live only: ");
		page_data(p, j->reason, sizeof(j->reason));
	}
	page_add(p, ".\n");
	if (j->backfilled > 0)
		page_add(p, "%u message%s of before wait%s in cotal_inbox, "
		    "marked as history.\n", j->backfilled, j->backfilled == 1 ?
		    "" : "s", j->backfilled == 1 ? "s" : "");
}

static void
add_fault(struct page *p, const struct session *s, const char *channel,
    const struct error *e)
{
	page_add(p, "%s was not joined: %s", channel, e->text);
	if (e->code == EX_NOPERM) {
		page_add(p, ". ");
		page_allowed(p, s);
	} else
		page_add(p, ". Try again.");
}

static void
on_joined(void *arg, const struct endpoint_joined *joined,
    const struct error *e)
{
	struct joining	*j = arg;
	struct page	 p = { .s = NULL };

	if (e != NULL)
		add_fault(&p, j->s, j->channel, e);
	else {
		add_outcome(&p, j->channel, joined);
		page_registry(&p, j->s, j->channel);
	}
	page_answer(&p, j->call, e != NULL);
	free(j);
}

static void
refuse(struct session *s, struct mcp_call *c, const char *channel)
{
	struct page	p = { .s = NULL };

	page_add(&p, "%s is outside what you may hear, so it was not joined. ",
	    channel);
	page_allowed(&p, s);
	page_add(&p, " More is the operator's to give.");
	page_answer(&p, c, true);
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	struct joining	*j;
	struct error	 e;
	char		 channel[CHANNEL_MAX + 1];

	if (!tool_channel(c, arg_text(args, "channel"), true, channel))
		return;
	if (!may_hear(s, channel)) {
		refuse(s, c, channel);
		return;
	}
	if ((j = malloc(sizeof(*j))) == NULL) {
		tool_err(c, "out of memory");
		return;
	}
	j->s = s;
	j->call = c;
	memcpy(j->channel, channel, sizeof(channel));
	if (endpoint_join(s->ep, channel, on_joined, j, &e) == -1)
		on_joined(j, NULL, &e);
}

const struct tool tool_join = {
	.name = "cotal_join", .title = "Hear a channel",
	.description = "Hear a channel from now on: its messages come to "
	    "cotal_inbox, those of before as history where the channel has "
	    "replay. Use it when work touches a channel that you do not hear "
	    "yet; a wish to be left in peace is for cotal_channel_mode or "
	    "cotal_status.",
	.args = args_table, .hints = TOOL_REPEATS, .mesh = true, .run = run };
