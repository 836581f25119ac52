/* SPDX-License-Identifier: ISC */

/* cotal_spawn: start another agent. */
#include "json.h"
#include "manager_call.h"

static const struct tool_arg args_table[] = {
	{ .name = "name", .type = TOOL_STRING, .required = true, .least = 1,
	    .most = 64, .what = "the persona to start: the name of its agent "
	    "file, as cotal_persona wrote it (no path)" },
	{ .name = "role", .type = TOOL_STRING, .least = 1, .most = 64,
	    .what = "its role, where it is not to be that of the file" },
	{ .name = "agent", .type = TOOL_STRING, .least = 1, .most = 64,
	    .what = "the program that it is: claude, codex, opencode or "
	    "command (default: as the file says)" },
	{ .name = "model", .type = TOOL_STRING, .least = 1, .most = 128,
	    .what = "the model, where it is not to be that of the file" },
	{ .name = "cwd", .type = TOOL_STRING, .least = 1, .most = 1024,
	    .what = "the absolute path of the directory that it works in "
	    "(default: the manager's workspace)" },
	{ .name = "transcript", .type = TOOL_BOOL,
	    .what = "mirror what it does to the channel tr-<name> (default: "
	    "false)" },
	TOOL_ARGS_END
};

static void
said(struct page *p, const cJSON *data)
{
	page_add(p, "Started ");
	page_member(p, data, "name");
	if (json_get(data, "role") != NULL) {
		page_add(p, ", role ");
		page_member(p, data, "role");
	}
	page_add(p, " (");
	page_member(p, data, "agent");
	page_add(p, "), id ");
	page_member(p, data, "id");
	page_add(p, ". cotal_roster shows it when it has joined; then "
	    "cotal_dm gives it its task. It ends when you do; cotal_despawn "
	    "ends it before.");
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	static const char *const	names[] = { "name", "role", "agent",
	    "model", "cwd", "transcript", NULL };

	manager_call(s, c, "manager", "start", manager_args(args, names),
	    said);
}

const struct tool tool_spawn = {
	.name = "cotal_spawn", .title = "Start an agent",
	.description = "Start another agent of a persona, as your child: a "
	    "process with a session and a terminal of its own. Use it to hand "
	    "work to somebody who is not there yet; look at cotal_roster "
	    "first, one that is there and idle needs no start. When its name "
	    "is taken it gets a number, so use the name that comes back.",
	.args = args_table, .hints = 0, .mesh = true, .spawn = true,
	.run = run };
