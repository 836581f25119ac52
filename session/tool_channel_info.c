/* SPDX-License-Identifier: ISC */

/* cotal_channel_info: one channel, with all that is known of it. */
#include <stdlib.h>
#include <string.h>

#include "channel_words.h"

static const struct tool_arg args_table[] = {
	{ .name = "channel", .type = TOOL_STRING, .required = true,
	    .least = 1, .most = CHANNEL_MAX, .what = "the channel's name, as "
	    "\"general\"" },
	TOOL_ARGS_END
};

struct asking {
	struct session	*s;
	struct mcp_call	*call;
	char		 channel[CHANNEL_MAX + 1];
};

static void
add_window(struct page *p, const struct session *s, const char *channel)
{
	const struct channels	*reg = endpoint_registry(s->ep);
	int64_t			 ms = channels_replay_window_ms(reg, channel);

	page_add(p, "Delivery: %s.", channels_class(reg, channel) ==
	    CLASS_DURABLE ? "durable, copies wait for members that are away" :
	    "live, only who is there hears it");
	if (channels_replay(reg, channel)) {
		page_add(p, " Who joins is given what was said before");
		if (ms >= 0)
			page_add(p, ", of the last %lld seconds",
			    (long long)(ms / 1000));
		page_add(p, ".");
	}
	page_add(p, "\n");
}

static void
on_survey(void *arg, const struct endpoint_survey *survey,
    const struct error *e)
{
	struct asking	*a = arg;
	struct page	 p = { .s = NULL };

	page_add(&p, "%s: ", a->channel);
	page_channel(&p, a->s, a->channel, survey);
	page_add(&p, "\n");
	if (e != NULL)
		page_add(&p, "How much is stored could not be read: %s\n",
		    e->text);
	add_window(&p, a->s, a->channel);
	if (channels_find(endpoint_registry(a->s->ep), a->channel) == NULL)
		page_add(&p, "The registry says nothing of it.\n");
	page_registry(&p, a->s, a->channel);
	page_answer(&p, a->call, false);
	free(a);
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	struct asking	*a;
	struct error	 e;
	char		 channel[CHANNEL_MAX + 1];

	if (!tool_channel(c, arg_text(args, "channel"), false, channel))
		return;
	if ((a = malloc(sizeof(*a))) == NULL) {
		tool_err(c, "out of memory");
		return;
	}
	a->s = s;
	a->call = c;
	memcpy(a->channel, channel, sizeof(channel));
	if (endpoint_survey(s->ep, on_survey, a, &e) == -1)
		on_survey(a, NULL, &e);
}

const struct tool tool_channel_info = {
	.name = "cotal_channel_info", .title = "What a channel is",
	.description = "What one channel is for and how it is delivered, with "
	    "the customs that its operator wrote down. Use it before you post "
	    "to a channel that you do not know.",
	.args = args_table, .hints = TOOL_READS | TOOL_REPEATS, .mesh = true,
	.run = run };
