/* SPDX-License-Identifier: ISC */

/* cotal_send: a message to a channel. */
#include <stdlib.h>
#include <string.h>

#include "channel_words.h"
#include "say.h"

#define MENTIONS_MAX	32

static const struct tool_arg args_table[] = {
	{ .name = "channel", .type = TOOL_STRING, .required = true,
	    .least = 1, .most = CHANNEL_MAX, .what = "the channel to post "
	    "to" },
	{ .name = "text", .type = TOOL_STRING, .required = true, .least = 1,
	    .most = SAY_TEXT_MAX, .what = "what to say" },
	{ .name = "mentions", .type = TOOL_STRINGS, .most = MENTIONS_MAX,
	    .what = "names of agents who are meant: it wakes them" },
	{ .name = "reply_to", .type = TOOL_STRING, .least = 1, .most = 256,
	    .what = "the id of the message that this one answers" },
	TOOL_ARGS_END
};

/* Is there one who is meant, and one only?  The name goes on the wire, so an
 * id stands for the name that its owner has. */
static bool
take_mentions(struct session *s, struct mcp_call *c, const cJSON *args,
    struct strlist *names)
{
	struct strlist		 given = { .v = NULL };
	const struct peer	*peer = NULL;
	size_t			 i;
	bool			 ok = arg_list(&given, args, "mentions") == 0;

	if (!ok)
		tool_err(c, "out of memory");
	for (i = 0; ok && i < given.n; i++) {
		peer = say_whom(s, c, given.v[i]);
		ok = peer != NULL;
		if (ok && !strlist_add(names, peer->presence.name)) {
			tool_err(c, "out of memory");
			ok = false;
		}
	}
	strlist_free(&given);
	return ok;
}

static bool
may(struct session *s, struct mcp_call *c, const char *channel)
{
	struct page	p = { .s = NULL };

	if (may_post(s, channel))
		return true;
	page_add(&p, "You may not post to %s. Nothing was sent. You may post "
	    "to: ", channel);
	page_list(&p, &s->conf.allow_publish, "no channel");
	page_add(&p, ". More is the operator's to give; cotal_dm reaches one "
	    "agent.");
	page_answer(&p, c, true);
	return false;
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	struct message_draft	  d = { .text = arg_text(args, "text"),
				    .reply_to = arg_text(args, "reply_to") };
	struct strlist		  names = { .v = NULL };
	char			  channel[CHANNEL_MAX + 1],
				  where[CHANNEL_MAX + 2];
	char			**mentions;

	if (!tool_channel(c, arg_text(args, "channel"), false, channel) ||
	    !may(s, c, channel))
		return;
	if (!take_mentions(s, c, args, &names)) {
		strlist_free(&names);
		return;
	}
	mentions = mentions_normalize(names.v, names.n, &d.n_mentions);
	d.mentions = mentions;
	d.channel = channel;
	snprintf(where, sizeof(where), "#%s", channel);
	say(s, c, &d, where, NULL);
	strings_free(mentions, d.n_mentions);
	strlist_free(&names);
}

const struct tool tool_send = {
	.name = "cotal_send", .title = "Post to a channel",
	.description = "Post a message to a channel, for all that hear it. "
	    "Mention those who must see it; what is for one agent alone goes "
	    "by cotal_dm.",
	.args = args_table, .mesh = true, .run = run };
