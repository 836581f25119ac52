/* SPDX-License-Identifier: ISC */

/* cotal_persona: write who an agent to be started is. */
#include "manager_call.h"

#define PERSONA_MAX	131072

static const struct tool_arg args_table[] = {
	{ .name = "name", .type = TOOL_STRING, .required = true, .least = 1,
	    .most = 64, .what = "what it is called: letters, digits, _ and -" },
	{ .name = "persona", .type = TOOL_STRING, .required = true,
	    .least = 1, .most = PERSONA_MAX, .what = "the text that it gets as "
	    "its system prompt: who it is, what it is to do and how" },
	{ .name = "model", .type = TOOL_STRING, .least = 1, .most = 128,
	    .what = "the model that it runs on (default: the program's own)" },
	TOOL_ARGS_END
};

static void
said(struct page *p, const cJSON *data)
{
	page_add(p, "The persona ");
	page_member(p, data, "name");
	page_add(p, " is written (");
	page_member(p, data, "path");
	page_add(p, "). cotal_spawn starts it.");
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	static const char *const	names[] = { "name", "persona", "model",
	    NULL };

	manager_call(s, c, "manager", "definePersona", manager_args(args,
	    names), said);
}

const struct tool tool_persona = {
	.name = "cotal_persona", .title = "Write a persona",
	.description = "Write the persona of an agent, new or one that you "
	    "wrote before, to start it with cotal_spawn. It says who the "
	    "agent is; what it may do (channels, capabilities) is the "
	    "operator's to give.",
	.args = args_table, .hints = TOOL_DESTROYS | TOOL_REPEATS,
	.mesh = true, .spawn = true, .run = run };
