/* SPDX-License-Identifier: ISC */

/* What hosts are told of us: beside what is there, once, and nothing else is
 * touched. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonedit.h"
#include "mcp_setup.h"

#define REEVE	"/usr/bin/reeve"
#define HOOK	"/usr/libexec/reeve/reeve-hook"

typedef char	*merge_fn(const char *, const char *, const char *,
		    struct error *);

/* It becomes that, and stays so; freed by the next. */
static const char *
merged(merge_fn *merge, const char *was)
{
	static char	*is;
	struct error	 e = { .text = "" };
	char		*again;

	free(is);
	is = merge(was, REEVE, HOOK, &e);
	ck_assert_msg(is != NULL, "%s", e.text);
	again = merge(is, REEVE, HOOK, &e);
	ck_assert_msg(again != NULL, "%s", e.text);
	ck_assert_str_eq(again, is);
	free(again);
	return is;
}

static void
refused(merge_fn *merge, const char *was, const char *why)
{
	struct error	 e = { .code = 0 };
	char		*is = merge(was, REEVE, HOOK, &e);

	ck_assert_msg(is == NULL, "%s became %s", was, is);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_msg(strstr(e.text, why) != NULL, "\"%s\" is not in: %s",
	    why, e.text);
}

static void
is_json(const char *text)
{
	struct error	 e;
	cJSON		*o = json_parse(text, strlen(text), &e);

	ck_assert_msg(o != NULL, "%s: %s", e.text, text);
	cJSON_Delete(o);
}

/* --- JSON that is edited ------------------------------------------------------- */

static const struct {
	const char	*was, *is;
} edits[] = {
	{ "", "{\n  \"a\": {\n    \"b\": 7\n  }\n}\n" },
	{ "{}", "{\n  \"a\": {\n    \"b\": 7\n  }\n}" },
	{ " { } ", " {\n  \"a\": {\n    \"b\": 7\n  }\n} " },
	{ "{\"x\": 1.0}", "{\"x\": 1.0,\n  \"a\": {\n    \"b\": 7\n  }\n}" },
	{ "{\n\t\"x\": [1,\n2]\n}\n",
	    "{\n\t\"x\": [1,\n2],\n\t\"a\": {\n\t\t\"b\": 7\n\t}\n}\n" },
	{ "{\n    \"a\": {\n        \"c\": 1e3\n    },\n    \"x\": {}\n}",
	    "{\n    \"a\": {\n        \"c\": 1e3,\n        \"b\": 7\n    },\n"
	    "    \"x\": {}\n}" },
	{ "{\"a\":{\"b\":[1,2],\"c\":3}}", "{\"a\":{\"b\":7,\"c\":3}}" },
	{ "{\"b\":1,\"a\":{}}",
	    "{\"b\":1,\"a\":{\n    \"b\": 7\n  }}" },
};

START_TEST(what_is_not_changed_keeps_its_bytes)
{
	const char	*path[] = { "a", "b" };
	cJSON		*seven = cJSON_CreateNumber(7), *got;
	struct error	 e;
	char		*is = json_edit_set(edits[_i].was, path, 2, seven, &e);

	ck_assert_msg(is != NULL, "%s", e.text);
	ck_assert_str_eq(is, edits[_i].is);
	is_json(is);
	got = json_edit_get(is, path, 2, &e);
	ck_assert(cJSON_Compare(got, seven, true));
	cJSON_Delete(got);
	cJSON_Delete(seven);
	free(is);
}
END_TEST

static const char *const	bad[] = { "{", "[]", "{\"a\":1,}", "7",
    "{\"a\":[]}", "{\"a\":null}", "{\"a\":{\"b\":1,\"b\":2}}", "{} x",
    "// no\n{}", "\357\273\277{}" };

START_TEST(what_cannot_be_understood_is_refused)
{
	const char	*path[] = { "a", "b" };
	cJSON		*seven = cJSON_CreateNumber(7);
	struct error	 e = { .code = 0 };

	ck_assert_ptr_null(json_edit_set(bad[_i], path, 2, seven, &e));
	ck_assert_int_eq(e.code, EX_DATAERR);
	cJSON_Delete(seven);
}
END_TEST

/* --- claude ------------------------------------------------------------------------ */

START_TEST(a_server_among_others)
{
	ck_assert_str_eq(merged(mcp_setup_servers, ""),
	    "{\n  \"mcpServers\": {\n    \"cotal\": {\n"
	    "      \"command\": \"" REEVE "\",\n"
	    "      \"args\": [\"mcp\",\"--handshake\"]\n    }\n  }\n}\n");
	ck_assert_str_eq(merged(mcp_setup_servers, "{\"mcpServers\":{"
	    "\"other\":{\"command\":\"x\"},\"cotal\":{\"command\":\"old\"}}}"),
	    "{\"mcpServers\":{\"other\":{\"command\":\"x\"},\"cotal\":{\n"
	    "      \"command\": \"" REEVE "\",\n"
	    "      \"args\": [\"mcp\",\"--handshake\"]\n    }}}");
	refused(mcp_setup_servers, "{\"mcpServers\":[]}", "mcpServers");
}
END_TEST

static int
groups_of(const char *text, const char *event)
{
	const char	*path[] = { "hooks", event };
	struct error	 e;
	cJSON		*list = json_edit_get(text, path, 2, &e);
	int		 n = cJSON_GetArraySize(list);

	cJSON_Delete(list);
	return n;
}

static unsigned
times(const char *text, const char *what)
{
	unsigned	n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

START_TEST(hooks_of_all_steps)
{
	static const char *const events[] = { "SessionStart",
	    "UserPromptSubmit", "PreToolUse", "Notification", "Stop",
	    "StopFailure", "SessionEnd" };
	const char	*is = merged(mcp_setup_hooks, "");
	size_t		 i;

	is_json(is);
	ck_assert_uint_eq(times(is, "\"" HOOK "\""), 7);
	for (i = 0; i < 7; i++)
		ck_assert_int_eq(groups_of(is, events[i]), 1);
	ck_assert_uint_eq(times(is, "\"matcher\": \"*\""), 1);
}
END_TEST

START_TEST(hooks_beside_those_of_others)
{
	const char	*is = merged(mcp_setup_hooks, "{\"model\":\"opus\","
			    "\"hooks\":{\"Stop\":[{\"hooks\":[{\"type\":"
			    "\"command\",\"command\":\"notify\"}]}],"
			    "\"PreCompact\":[]}}");

	is_json(is);
	ck_assert_int_eq(groups_of(is, "Stop"), 2);
	ck_assert_int_eq(groups_of(is, "PreCompact"), 0);
	ck_assert_int_eq(groups_of(is, "SessionStart"), 1);
	ck_assert_ptr_nonnull(strstr(is, "\"notify\""));
	ck_assert_ptr_nonnull(strstr(is, "{\"model\":\"opus\",\"hooks\":{"));
}
END_TEST

START_TEST(an_older_one_of_ours_is_replaced)
{
	const char	*is = merged(mcp_setup_hooks, "{\"hooks\":{\"Stop\":["
			    "{\"hooks\":[{\"command\":\"'/o d/reeve-hook'\"}]"
			    "},{\"hooks\":[{\"command\":\"x\"}]},"
			    "{\"hooks\":[{\"command\":\"reeve-hook\"}]}]}}");

	ck_assert_int_eq(groups_of(is, "Stop"), 2);
	ck_assert_ptr_null(strstr(is, "o d"));
}
END_TEST

START_TEST(hooks_that_are_no_hooks)
{
	refused(mcp_setup_hooks, "{\"hooks\":[]}", "hooks");
	refused(mcp_setup_hooks, "{\"hooks\":{\"Stop\":{}}}", "hooks.Stop");
	refused(mcp_setup_hooks, "{\"hooks\":{}", "");
}
END_TEST

START_TEST(a_path_that_a_shell_would_divide)
{
	struct error	 e;
	char		*is = mcp_setup_hooks("", REEVE, "/o d/it's/reeve-hook",
			    &e);

	ck_assert_ptr_nonnull(is);
	ck_assert_ptr_nonnull(strstr(is,
	    "\"'/o d/it'\\\\''s/reeve-hook'\""));
	free(is);
}
END_TEST

/* --- the others ------------------------------------------------------------------------ */

START_TEST(opencode)
{
	const char	*is = merged(mcp_setup_opencode, "");

	is_json(is);
	ck_assert_ptr_nonnull(strstr(is, "opencode.ai/config.json"));
	ck_assert_ptr_nonnull(strstr(is, "\"command\": [\"" REEVE
	    "\",\"mcp\"]"));
	is = merged(mcp_setup_opencode, "{\"theme\": \"x\"}");
	ck_assert_ptr_null(strstr(is, "schema"));
	ck_assert_ptr_nonnull(strstr(is, "{\"theme\": \"x\","));
	refused(mcp_setup_opencode, "{ // theirs\n}", "");
}
END_TEST

START_TEST(codex_between_its_lines)
{
	static const char	theirs[] = "model = \"x\"\n\n[tui]\na = 1";
	char			*first, *is;

	is = strdup(merged(mcp_setup_codex, theirs));
	ck_assert_int_eq(strncmp(is, theirs, strlen(theirs)), 0);
	ck_assert_uint_eq(times(is, "# reeve: begin"), 1);
	ck_assert_uint_eq(times(is, "# reeve: end\n"), 1);
	ck_assert_uint_eq(times(is, "[mcp_servers.cotal]"), 1);
	ck_assert_uint_eq(times(is, "command = \"" HOOK "\"\n"), 4);
	ck_assert_ptr_nonnull(strstr(is, "\"COTAL_CONTROL_TOKEN\","));
	/* What somebody wrote between them goes, what stands after stays. */
	first = strstr(is, "args = ");
	memcpy(first, "ergs = ", 7);
	is = realloc(is, strlen(is) + 32);
	strcat(is, "\n[more]\nb = 2\n");
	merged(mcp_setup_codex, is);
	ck_assert_ptr_nonnull(strstr(merged(mcp_setup_codex, is),
	    "args = [\"mcp\"]"));
	ck_assert_ptr_nonnull(strstr(merged(mcp_setup_codex, is),
	    "# reeve: end\n\n[more]\nb = 2\n"));
	free(is);
}
END_TEST

START_TEST(codex_that_has_a_server_of_this_name)
{
	static const char *const	ways[] = {
	    "[mcp_servers.cotal]\ncommand = \"x\"\n",
	    "[ mcp_servers . \"cotal\" ] # mine\r\n",
	    "[mcp_servers]\nother = {}\n\"cotal\" = { command = \"x\" }",
	    "[mcp_servers]\n  cotal.command = \"x\"\n",
	    "mcp_servers.cotal.command = \"x\"\n",
	    "mcp_servers = { other = {} }\n" };
	struct error			 e;
	size_t				 i;
	char				*text;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		refused(mcp_setup_codex, ways[i], "mcp_servers already");
	text = mcp_setup_codex("# [mcp_servers.cotal]\n[mcp_servers.cotals]\n"
	    "[mcp_servers]\n[x]\ncotal = 1\nmcp_servers = 1\n", "r", "h", &e);
	ck_assert_msg(text != NULL, "%s", e.text);
	free(text);
	refused(mcp_setup_codex, "# reeve: begin\n", "pair");
	refused(mcp_setup_codex, "# reeve: end\n", "pair");
	refused(mcp_setup_codex, "# reeve: begin\n# reeve: begin\n"
	    "# reeve: end\n", "pair");
	refused(mcp_setup_codex, "a = \"\377\"\n", "UTF-8");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcp_setup");
	TCase	*tc = tcase_create("mcp_setup");
	SRunner	*sr;
	int	 failed;

	tcase_add_loop_test(tc, what_is_not_changed_keeps_its_bytes, 0,
	    (int)(sizeof(edits) / sizeof(edits[0])));
	tcase_add_loop_test(tc, what_cannot_be_understood_is_refused, 0,
	    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, a_server_among_others);
	tcase_add_test(tc, hooks_of_all_steps);
	tcase_add_test(tc, hooks_beside_those_of_others);
	tcase_add_test(tc, an_older_one_of_ours_is_replaced);
	tcase_add_test(tc, hooks_that_are_no_hooks);
	tcase_add_test(tc, a_path_that_a_shell_would_divide);
	tcase_add_test(tc, opencode);
	tcase_add_test(tc, codex_between_its_lines);
	tcase_add_test(tc, codex_that_has_a_server_of_this_name);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
