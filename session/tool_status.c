/* SPDX-License-Identifier: ISC */

/* cotal_status: what others see of this session, and what may wake it. */
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "tools.h"

static const char *const	statuses[] = { "idle", "working", "waiting",
	NULL };

static const struct tool_arg args_table[] = {
	{ .name = "status", .type = TOOL_STRING, .one_of = statuses,
	    .what = "idle: free for work; working; waiting: for somebody or "
	    "something" },
	{ .name = "activity", .type = TOOL_STRING, .least = 0, .most = 200,
	    .what = "what you are doing, in a line that others see; empty: "
	    "nothing to say" },
	{ .name = "attention", .type = TOOL_STRING, .one_of = attention_names,
	    .what = "open: every message wakes you; dnd: channel chatter "
	    "reaches you but does not wake you, mentions and direct messages "
	    "do; focus: only direct messages and anycast reach you, a mention "
	    "wakes you, chatter is held until you call cotal_inbox" },
	TOOL_ARGS_END
};

static enum status
status_by_name(const char *name)
{
	int	i;

	for (i = 0; status_names[i] != NULL; i++)
		if (strcmp(status_names[i], name) == 0)
			return (enum status)i;
	return STATUS_IDLE;
}

static void
show(struct session *s, struct mcp_call *c)
{
	tool_ok(c, "Status: %s. Attention: %s.",
	    status_names[endpoint_status(s->ep)],
	    attention_names[s->attention->mode]);
}

static void
set_mode(struct session *s, enum attention_mode mode)
{
	attention_set(s->attention, mode);
	endpoint_set_attention(s->ep, attention_names[mode]);
}

struct entering {
	struct session	*s;
	struct mcp_call	*call;
};

/* What is said from here on is what a recall shows. */
static void
on_frontier(void *arg, uint64_t seq, const struct error *e)
{
	struct entering	 en = *(struct entering *)arg;

	free(arg);
	if (e != NULL) {
		tool_err(en.call, "Focus was not entered, your attention is as "
		    "it was: how far the channels are could not be read: %s. "
		    "Try again.", e->text);
		return;
	}
	/* Another call may have entered it before. */
	if (en.s->attention->mode != ATTENTION_FOCUS) {
		set_mode(en.s, ATTENTION_FOCUS);
		attention_frontier(en.s->attention, seq);
	}
	show(en.s, en.call);
}

static void
enter_focus(struct session *s, struct mcp_call *c)
{
	struct entering	*en = malloc(sizeof(*en));
	struct error	 e;

	if (en == NULL) {
		tool_err(c, "out of memory");
		return;
	}
	*en = (struct entering){ s, c };
	if (endpoint_frontier(s->ep, on_frontier, en, &e) == -1) {
		free(en);
		tool_err(c, "Focus was not entered, your attention is as it "
		    "was: %s", e.text);
	}
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	const char		*status = arg_text(args, "status");
	const char		*activity = arg_text(args, "activity");
	const char		*name = arg_text(args, "attention");
	enum attention_mode	 mode = s->attention->mode;

	if (activity != NULL && strcspn(activity, "\n\r") != strlen(activity)) {
		tool_err(c, "activity: expected one line. Nothing was done.");
		return;
	}
	if (status != NULL || activity != NULL)
		endpoint_set_status(s->ep, status != NULL ?
		    status_by_name(status) : endpoint_status(s->ep),
		    activity != NULL && activity[0] != '\0' ? activity : NULL);
	if (name != NULL)
		(void)attention_by_name(name, &mode);
	if (mode == ATTENTION_FOCUS && s->attention->mode != mode) {
		enter_focus(s, c);
		return;
	}
	if (mode != s->attention->mode)
		set_mode(s, mode);
	show(s, c);
}

const struct tool tool_status = {
	.name = "cotal_status", .title = "My status and attention",
	.description = "Tell others what you are doing, and choose what may "
	    "wake you. Say working with an activity when you begin something "
	    "long, idle when you are free; choose focus for work that chatter "
	    "would disturb, and open again afterwards. Without arguments it "
	    "says what is set.",
	.args = args_table, .hints = TOOL_REPEATS, .mesh = true, .run = run };
