/* SPDX-License-Identifier: ISC */

/* cotal_despawn: end an agent that one started, or oneself. */
#include "json.h"
#include "manager_call.h"

static const struct tool_arg args_table[] = {
	{ .name = "name", .type = TOOL_STRING, .required = true, .least = 1,
	    .most = 64, .what = "whom to end: the name that cotal_spawn gave "
	    "back, or your own, which ends this session" },
	{ .name = "graceful", .type = TOOL_BOOL,
	    .what = "false: kill it at once; true (default): let it finish "
	    "within three seconds" },
	TOOL_ARGS_END
};

static void
said(struct page *p, const cJSON *data)
{
	page_add(p, "Ended ");
	page_member(p, data, "name");
	page_add(p, ", and what it had started.");
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	static const char *const	other[] = { "name", "graceful", NULL };
	static const char *const	self[] = { "graceful", NULL };
	const char			*name = arg_text(args, "name");

	if (name_same(name, endpoint_name(s->ep)))
		manager_call(s, c, "self", "stop", manager_args(args, self),
		    said);
	else if (session_conf_can(&s->conf, "spawn"))
		manager_call(s, c, "manager", "stop", manager_args(args,
		    other), said);
	else
		tool_err(c, "This session can end only itself, by its own name "
		    "(cotal_orientation says which): it may not start agents, "
		    "so none is its own.");
}

const struct tool tool_despawn = {
	.name = "cotal_despawn", .title = "End an agent",
	.description = "End an agent that you started with cotal_spawn when "
	    "its work is done, with all that it started in turn; or, by your "
	    "own name, end yourself: then nothing more of this session runs. "
	    "Others' agents are out of reach.",
	.args = args_table, .hints = TOOL_DESTROYS, .mesh = true,
	.run = run };
