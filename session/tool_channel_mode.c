/* SPDX-License-Identifier: ISC */

/* cotal_channel_mode: how much of a channel this session wants. */
#include <string.h>

#include "attention.h"
#include "channel_words.h"
#include "inbox.h"

static const struct tool_arg args_table[] = {
	{ .name = "channel", .type = TOOL_STRING, .required = true,
	    .least = 1, .most = CHANNEL_MAX, .what = "one channel, no "
	    "pattern" },
	{ .name = "mode", .type = TOOL_STRING, .required = true,
	    .one_of = channel_mode_names, .what = "normal: as your attention "
	    "says; quiet: it waits in cotal_inbox and wakes you by a mention "
	    "only; muted: what is said there is thrown away, mentions of you "
	    "too" },
	TOOL_ARGS_END
};

static const char *const	means[] = {
    [CHANNEL_NORMAL] = "as your attention says",
    [CHANNEL_QUIET] = "its messages wait in cotal_inbox, and wake you by a "
	"mention only",
    [CHANNEL_MUTED] = "what is said there is thrown away" };

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	enum channel_mode	mode = CHANNEL_NORMAL;
	char			channel[CHANNEL_MAX + 1];
	struct page		p = { .s = NULL };
	struct error		e;

	if (!tool_channel(c, arg_text(args, "channel"), false, channel))
		return;
	(void)channel_mode_by_name(arg_text(args, "mode"), &mode);
	if (attention_set_channel(s->attention, channel, mode,
	    &s->conf.allow_subscribe, &e) == -1) {
		page_add(&p, "%s. Nothing was changed. ", e.text);
		page_allowed(&p, s);
		page_answer(&p, c, true);
		return;
	}
	attention_mirror(s);
	inbox_sweep(s->inbox, s->attention);
	tool_ok(c, "#%s is %s: %s. Direct messages and anycast reach you all "
	    "the same.", channel, channel_mode_names[mode], means[mode]);
}

const struct tool tool_channel_mode = {
	.name = "cotal_channel_mode", .title = "How much of a channel",
	.description = "Choose for one channel whether it may wake you, or "
	    "reach you at all. It goes before your attention, and others can "
	    "see it. To stop hearing a channel use cotal_leave.",
	.args = args_table, .hints = TOOL_REPEATS, .mesh = true, .run = run };
