/* SPDX-License-Identifier: ISC */

/*
 * The protocol by its lines: what is answered to what, in every version, to
 * whatever comes; and what a tool's table takes.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "mcp_lines.h"
#include "tools.h"

/* --- the beginning ----------------------------------------------------------------- */

static const struct {
	const char	*asked, *given;
	bool		 title;
} negotiated[] = {
	{ "2024-11-05", "2024-11-05", false },
	{ "2025-03-26", "2025-03-26", false },
	{ "2025-06-18", "2025-06-18", true },
	{ "2025-11-25", "2025-11-25", true },
	{ "2099-01-01", "2025-11-25", true },
	{ "1", "2025-11-25", true },
};
#define N_NEGOTIATED	(sizeof(negotiated) / sizeof(negotiated[0]))

START_TEST(a_version_is_agreed_on)
{
	char	line[400];

	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":\"x\","
	    "\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
	    "\"%s\"}}", negotiated[_i].asked);
	say(line);
	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":\"x\","
	    "\"result\":{\"protocolVersion\":\"%s\",\"capabilities\":{"
	    "\"tools\":{},\"experimental\":{\"a/b\":{}}},\"serverInfo\":{"
	    "\"name\":\"n\",%s\"version\":\"1\"},\"instructions\":\"i\"}}",
	    negotiated[_i].given, negotiated[_i].title ? "\"title\":\"t\"," :
	    "");
	hears(line);
	silence();
	say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,"
	    "\"result\":{\"tools\":[{\"name\":\"%s\"}]}}",
	    negotiated[_i].given);
	hears(line);
}
END_TEST

START_TEST(before_it_only_a_ping_is_answered)
{
	say(PING("1"));
	hears(PONG("1"));
	say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}");
	refused("2", RPC_INVALID);
	say(CALL("3", "now"));
	refused("3", RPC_INVALID);
	/* What later versions begin with is not known, at any time. */
	say("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"server/discover\"}");
	refused("4", RPC_METHOD);
	/* A word too early makes nothing ready. */
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	silence();
	ck_assert(!mcp_is_ready(m));
	say("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"initialize\","
	    "\"params\":{\"protocolVersion\":1}}");
	refused("5", RPC_PARAMS);
	say("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"initialize\"}");
	refused("6", RPC_PARAMS);
	begin("2025-06-18");
	ck_assert_uint_eq(n_ready, 1);
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	ck_assert_uint_eq(n_ready, 1);
	say("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"initialize\","
	    "\"params\":{\"protocolVersion\":\"2025-06-18\"}}");
	refused("7", RPC_INVALID);
}
END_TEST

/* --- frames --------------------------------------------------------------------------- */

static const struct {
	const char	*line, *id;
	int		 code;		/* 0: nothing is said */
} frames[] = {
	{ "garbage", "null", RPC_PARSE },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"", "null",
	    RPC_PARSE },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}}", "null",
	    RPC_PARSE },
	{ "\xff\xfe", "null", RPC_PARSE },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\\u0000\"}", "1",
	    RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0000\",\"method\":\"ping\"}",
	    "null", RPC_PARSE },
	{ "\"ping\"", "null", RPC_INVALID },
	{ "null", "null", RPC_INVALID },
	{ "7", "null", RPC_INVALID },
	{ "{}", "null", RPC_INVALID },
	{ "{\"id\":1,\"method\":\"ping\"}", "1", RPC_INVALID },
	{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", "1",
	    RPC_INVALID },
	{ "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", "1", RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", "null",
	    RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", "null",
	    RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1e300,\"method\":\"ping\"}", "null",
	    RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", "null",
	    RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1}", "1", RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", "1", RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", "1",
	    RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[]}",
	    "1", RPC_PARAMS },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing/here\"}", "1",
	    RPC_METHOD },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}", "1",
	    RPC_METHOD },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\","
	    "\"params\":{\"cursor\":\"x\"}}", "1", RPC_PARAMS },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}", "1",
	    RPC_PARAMS },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
	    "\"params\":{\"name\":\"now\",\"arguments\":[]}}", "1",
	    RPC_PARAMS },
	{ CALL("1", "unknown"), "1", RPC_PARAMS },
	{ "[" PING("1") "]", "null", RPC_INVALID },
	{ "", NULL, 0 },
	{ "  \t\r", NULL, 0 },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing/here\"}", NULL, 0 },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"params\":[]}", NULL, 0 },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", NULL, 0 },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1}}", NULL, 0 },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}",
	    NULL, 0 },
};
#define N_FRAMES	(sizeof(frames) / sizeof(frames[0]))

START_TEST(a_wrong_frame_is_answered_by_its_code)
{
	begin("2025-06-18");
	say(frames[_i].line);
	if (frames[_i].code != 0)
		refused(frames[_i].id, frames[_i].code);
	silence();
	say(PING("9"));
	hears(PONG("9"));
}
END_TEST

START_TEST(a_line_comes_in_any_pieces)
{
	static const char	line[] = " " PING("\"\xc3\xa4\"") "\r\n"
				    PING("-3") "\n";
	size_t			i;

	for (i = 0; i < sizeof(line) - 1; i++)
		mcp_input(m, line + i, 1);
	hears(PONG("\"\xc3\xa4\""));
	hears(PONG("-3"));
	mcp_input(m, line, sizeof(line) - 1);
	hears(PONG("\"\xc3\xa4\""));
	hears(PONG("-3"));
	silence();
}
END_TEST

START_TEST(a_nul_byte_ends_no_line)
{
	static const char	line[] = PING("1") "\0" PING("2") "\n";

	mcp_input(m, line, sizeof(line) - 1);
	refused("null", RPC_PARSE);
	silence();
}
END_TEST

START_TEST(nests_are_bounded)
{
	char	line[4096];
	int	i, n = 0;

	n += snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":8,"
	    "\"method\":\"ping\",\"params\":{\"a\":");
	for (i = 0; i < 200; i++)
		line[n++] = '[';
	for (i = 0; i < 200; i++)
		line[n++] = ']';
	snprintf(line + n, sizeof(line) - (size_t)n, "}}");
	say(line);
	refused("8", RPC_INVALID);
	silence();
}
END_TEST

START_TEST(a_huge_line_is_passed_over)
{
	static char	chunk[65536];
	size_t		sent;

	memset(chunk, 'x', sizeof(chunk));
	for (sent = 0; sent < 20 * (size_t)MCP_LINE_MAX;
	    sent += sizeof(chunk)) {
		mcp_input(m, chunk, sizeof(chunk));
		ck_assert_uint_le(m->line.cap, 2 * (size_t)MCP_LINE_MAX);
	}
	/* It is said at once, and once. */
	refused("null", RPC_INVALID);
	ck_assert_ptr_null(m->line.s);
	say("");
	silence();
	say(PING("1"));
	hears(PONG("1"));
}
END_TEST

/* The longest line is a line, and a byte more is none. */
START_TEST(the_bound_is_exact)
{
	char	*line = malloc(MCP_LINE_MAX + 2);
	size_t	 n = strlen(PING("1"));

	ck_assert_ptr_nonnull(line);
	memcpy(line, PING("1"), n);
	memset(line + n, ' ', MCP_LINE_MAX + 2 - n);
	line[MCP_LINE_MAX] = '\n';
	mcp_input(m, line, MCP_LINE_MAX + 1);
	hears(PONG("1"));
	line[MCP_LINE_MAX] = ' ';
	line[MCP_LINE_MAX + 1] = '\n';
	mcp_input(m, line, MCP_LINE_MAX + 2);
	refused("null", RPC_INVALID);
	mcp_input(m, line, 100);
	mcp_input(m, line + 100, MCP_LINE_MAX - 98);
	refused("null", RPC_INVALID);
	silence();
	free(line);
}
END_TEST

START_TEST(the_end_ends_a_line)
{
	mcp_input(m, PING("1"), strlen(PING("1")));
	silence();
	mcp_input_end(m);
	hears(PONG("1"));
	mcp_input_end(m);
	silence();
	mcp_input(m, "{\"jsonrpc\"", 10);
	mcp_input_end(m);
	refused("null", RPC_PARSE);
	silence();
}
END_TEST

/* --- calls ------------------------------------------------------------------------------ */

START_TEST(calls_are_answered_when_they_are_done)
{
	begin("2025-06-18");
	say(CALL("1", "later"));
	say(CALL("\"1\"", "later"));
	say(CALL("2", "now"));
	say("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":"
	    "{\"name\":\"now\",\"arguments\":{}}}");
	hears(TEXT("2", "nothing"));
	hears(TEXT("3", "something"));
	silence();
	ck_assert_uint_eq(mcp_calls(m), 2);
	/* Its id is taken as long as it is under way. */
	say(CALL("1", "now"));
	refused("1", RPC_INVALID);
	mcp_answer(held[1], "b", false);
	mcp_answer(held[0], "a\xff", true);
	hears(TEXT("\"1\"", "b"));
	hears("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{"
	    "\"type\":\"text\",\"text\":\"a\xef\xbf\xbd\"}],\"isError\":"
	    "true}}");
	ck_assert_uint_eq(mcp_calls(m), 0);
	say(CALL("1", "now"));
	hears(TEXT("1", "nothing"));
}
END_TEST

START_TEST(of_one_that_was_cancelled_nothing_is_said)
{
	begin("2025-06-18");
	say(CALL("1", "later"));
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":\"1\"}}");
	ck_assert(!mcp_call_is_cancelled(held[0]));
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":1,\"reason\":\"r\"}}");
	ck_assert(mcp_call_is_cancelled(held[0]));
	mcp_answer(held[0], "late", false);
	silence();
	ck_assert_uint_eq(mcp_calls(m), 0);
}
END_TEST

START_TEST(so_many_calls_at_once)
{
	char	line[200], id[16];
	size_t	i;

	begin("2025-06-18");
	for (i = 0; i < MCP_CALLS_MAX + 1; i++) {
		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%zu,"
		    "\"method\":\"tools/call\",\"params\":{\"name\":"
		    "\"later\"}}", i);
		say(line);
	}
	snprintf(id, sizeof(id), "%d", MCP_CALLS_MAX);
	refused(id, RPC_BUSY);
	ck_assert_uint_eq(n_held, MCP_CALLS_MAX);
	mcp_answer(held[5], "x", false);
	hears(TEXT("5", "x"));
	say(CALL("999", "now"));
	hears(TEXT("999", "nothing"));
	/* The others are freed with it. */
}
END_TEST

START_TEST(an_answer_is_bounded)
{
	char	*text = malloc(MCP_TEXT_MAX + 100);
	cJSON	*o;

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', MCP_TEXT_MAX + 99);
	text[MCP_TEXT_MAX + 99] = '\0';
	begin("2025-06-18");
	say(CALL("1", "later"));
	mcp_answer(held[0], text, false);
	o = hear();
	ck_assert_uint_lt(strlen(json_get(cJSON_GetArrayItem(json_get(json_get(
	    o, "result"), "content"), 0), "text")->valuestring),
	    MCP_TEXT_MAX + 50);
	cJSON_Delete(o);
	free(text);
}
END_TEST

/* --- batches ------------------------------------------------------------------------------ */

START_TEST(a_batch_is_answered_together)
{
	begin("2025-03-26");
	say("[" PING("1") "," CALL("2", "later") ",7,"
	    "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}," CALL("3", "later") ","
	    CALL("4", "now") "]");
	silence();
	say(PING("5"));
	hears(PONG("5"));
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":3}}");
	silence();
	mcp_answer(held[0], "done", false);
	hears("[" PONG("1") ",{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{"
	    "\"code\":-32600,\"message\":\"expected an object\"}},"
	    TEXT("4", "nothing") "," TEXT("2", "done") "]");
	mcp_answer(held[1], "late", false);
	silence();
}
END_TEST

START_TEST(a_batch_that_only_waits_for_one_that_is_cancelled_ends)
{
	begin("2025-03-26");
	say("[" PING("1") "," CALL("2", "later") "]");
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":2}}");
	hears("[" PONG("1") "]");
	mcp_answer(held[0], "late", false);
	silence();
	/* One that is never answered is freed with its server. */
	say("[" PING("3") "," CALL("4", "later") "]");
	silence();
}
END_TEST

START_TEST(batches_have_bounds_and_a_version)
{
	char	*line = malloc(64 * (MCP_BATCH_MAX + 2));
	size_t	 i, n = 1;

	ck_assert_ptr_nonnull(line);
	say("[" PING("1") "]");
	refused("null", RPC_INVALID);
	begin("2025-03-26");
	say("[]");
	refused("null", RPC_INVALID);
	say("[{\"jsonrpc\":\"2.0\",\"method\":\"x\"}]");
	silence();
	say("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\","
	    "\"params\":{\"protocolVersion\":\"2025-03-26\"}}]");
	hears("[{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,"
	    "\"message\":\"initialize does not go with others in a "
	    "batch\"}}]");
	line[0] = '[';
	for (i = 0; i < MCP_BATCH_MAX + 1; i++)
		n += (size_t)sprintf(line + n, "%s" PING("1"), i == 0 ? "" :
		    ",");
	strcpy(line + n, "]");
	say(line);
	refused("null", RPC_INVALID);
	silence();
	free(line);
}
END_TEST

/* --- notifications -------------------------------------------------------------------------- */

static bool
tell(int i)
{
	cJSON	*o = cJSON_CreateObject();

	ck_assert(json_set_i64(o, "i", i));
	return mcp_notify(m, "n/n", o);
}

START_TEST(what_is_told_too_early_waits)
{
	cJSON	*o;
	int	 i;

	for (i = 0; i < MCP_WAITING_MAX; i++)
		ck_assert(tell(i));
	ck_assert(!tell(i));
	silence();
	begin("2024-11-05");
	for (i = 0; i < MCP_WAITING_MAX; i++) {
		o = hear();
		ck_assert_str_eq(json_get(o, "method")->valuestring, "n/n");
		ck_assert_int_eq(json_get(json_get(o, "params"),
		    "i")->valueint, i);
		ck_assert_ptr_null(json_get(o, "id"));
		cJSON_Delete(o);
	}
	silence();
	ck_assert(mcp_notify(m, "n/m", NULL));
	hears("{\"jsonrpc\":\"2.0\",\"method\":\"n/m\"}");
}
END_TEST

START_TEST(who_does_not_read_is_told_nothing_more)
{
	size_t	len, n = 0;
	int	i;

	begin("2025-06-18");
	ck_assert(!mcp_is_full(m));
	for (i = 0; tell(i); i++)
		ck_assert_int_lt(i, MCP_OUT_HIGH);
	ck_assert(mcp_is_full(m));
	(void)mcp_output(m, &len);
	ck_assert_uint_le(len, MCP_OUT_HIGH + 100);
	/* An answer is not dropped. */
	say(CALL("1", "now"));
	while (mcp_output(m, &len) != NULL && len > 1000) {
		mcp_written(m, 999);
		n += 999;
	}
	ck_assert_uint_gt(n, MCP_OUT_HIGH - 2000);
	ck_assert(!mcp_is_full(m));
	ck_assert(tell(0));
	ck_assert_ptr_nonnull(strstr(mcp_output(m, &len), "nothing"));
	mcp_written(m, len);
	silence();
	ck_assert_ptr_null(m->out.s);
}
END_TEST

/* --- what a tool takes ------------------------------------------------------------------------- */

static const char *const	words[] = { "a", "b", NULL };
static const struct tool_arg	table[] = {
	{ .name = "s", .type = TOOL_STRING, .required = true, .least = 1,
	    .most = 3, .what = "S" },
	{ .name = "w", .type = TOOL_STRING, .one_of = words, .what = "W" },
	{ .name = "l", .type = TOOL_STRINGS, .least = 1, .most = 2,
	    .what = "L" },
	{ .name = "b", .type = TOOL_BOOL, .what = "B" },
	{ .name = "n", .type = TOOL_INTEGER, .least = 1, .most = 9,
	    .what = "N" },
	TOOL_ARGS_END
};
static const struct tool	tool = { .name = "x", .args = table };

static const struct {
	const char	*args, *fault;	/* NULL: none */
} given[] = {
	{ "{\"s\":\"abc\"}", NULL },
	{ "{\"s\":\"\xc3\xa4\xc3\xa4\xc3\xa4\",\"w\":\"b\",\"l\":[\"x\","
	    "\"y\"],\"b\":false,\"n\":9}", NULL },
	{ "{}", "s is missing: S" },
	{ "{\"s\":null}", "s: expected a string" },
	{ "{\"s\":7}", "s: expected a string" },
	{ "{\"s\":\"\"}", "s: expected a string of 1 to 3 characters" },
	{ "{\"s\":\"abcd\"}", "s: expected a string of 1 to 3 characters" },
	{ "{\"s\":\"a\",\"w\":\"c\"}", "w: expected \"a\" or \"b\"" },
	{ "{\"s\":\"a\",\"l\":\"x\"}", "l: expected a list of 1 to 2 "
	    "strings" },
	{ "{\"s\":\"a\",\"l\":[]}", "l: expected a list of 1 to 2 strings" },
	{ "{\"s\":\"a\",\"l\":[\"x\",\"y\",\"z\"]}",
	    "l: expected a list of 1 to 2 strings" },
	{ "{\"s\":\"a\",\"l\":[\"x\",1]}", "l[1]: expected a string" },
	{ "{\"s\":\"a\",\"l\":[\"\"]}",
	    "l[0]: expected a string of 1 to 256 characters" },
	{ "{\"s\":\"a\",\"l\":[\"x\",\"x\"]}", "l[0]: it is there twice" },
	{ "{\"s\":\"a\",\"b\":1}", "b: expected true or false" },
	{ "{\"s\":\"a\",\"n\":0}", "n: expected an integer from 1 to 9" },
	{ "{\"s\":\"a\",\"n\":1.5}", "n: expected an integer from 1 to 9" },
	{ "{\"s\":\"a\",\"n\":\"1\"}", "n: expected an integer from 1 to 9" },
	{ "{\"s\":\"a\",\"S\":1}",
	    "x takes no argument \"S\": it takes s, w, l, b, n" },
	{ "{\"s\":\"a\",\"s\":\"b\"}", "s: given twice" },
};
#define N_GIVEN		(sizeof(given) / sizeof(given[0]))

START_TEST(arguments_are_as_the_schema_says)
{
	struct error	 e = { .text = "" };
	cJSON		*o = cJSON_Parse(given[_i].args);
	int		 r;

	ck_assert_ptr_nonnull(o);
	r = tool_check(&tool, o, &e);
	ck_assert_int_eq(r, given[_i].fault == NULL ? 0 : -1);
	ck_assert_str_eq(e.text, given[_i].fault == NULL ? "" :
	    given[_i].fault);
	cJSON_Delete(o);
}
END_TEST

START_TEST(a_schema_is_made_of_the_table)
{
	cJSON	*schema = tool_schema(&tool);
	cJSON	*want = cJSON_Parse("{\"type\":\"object\",\"properties\":{"
		    "\"s\":{\"type\":\"string\",\"minLength\":1,"
		    "\"maxLength\":3,\"description\":\"S\"},"
		    "\"w\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"],"
		    "\"description\":\"W\"},"
		    "\"l\":{\"items\":{\"type\":\"string\",\"minLength\":1,"
		    "\"maxLength\":256},\"type\":\"array\",\"minItems\":1,"
		    "\"maxItems\":2,\"uniqueItems\":true,"
		    "\"description\":\"L\"},"
		    "\"b\":{\"type\":\"boolean\",\"description\":\"B\"},"
		    "\"n\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9,"
		    "\"description\":\"N\"}},"
		    "\"required\":[\"s\"],\"additionalProperties\":false}");

	ck_assert_ptr_nonnull(want);
	ck_assert(cJSON_Compare(schema, want, true));
	cJSON_Delete(schema);
	cJSON_Delete(want);
}
END_TEST

/* --- texts of others ---------------------------------------------------------------------------- */

START_TEST(data_of_others_stays_on_its_line)
{
	struct page	p = { .s = NULL };

	page_add(&p, "[%d:", 1);
	page_data(&p, "a\nb\rc\x1b[31m\x7f\xe2\x80\xae\xff\xc2\x85z", 100);
	page_data(&p, "12345", 3);
	page_add(&p, "]");
	ck_assert_str_eq(p.s, "[1:a b c [31m  \xef\xbf\xbd z123...]");
	page_free(&p);
	page_quote(&p, "> ", "one\r\ntwo\n\nend\n", 100);
	ck_assert_str_eq(p.s, "> one\n> two\n> \n> end\n");
	page_free(&p);
	page_quote(&p, "> ", "one\ntwo\nthree", 6);
	ck_assert_str_eq(p.s, "> one\n> tw...\n");
	page_free(&p);
	page_name(&p, "plain_1.x-Y", 100);
	page_name(&p, "eve\", role \"boss", 100);
	page_name(&p, "", 100);
	page_words(&p, "a\"b\n", 2);
	ck_assert_str_eq(p.s, "plain_1.x-Y\"eve', role 'boss\"\"\"\"a'...\"");
	page_free(&p);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcp");
	TCase	*tc = tcase_create("mcp");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_version_is_agreed_on, 0, N_NEGOTIATED);
	tcase_add_test(tc, before_it_only_a_ping_is_answered);
	tcase_add_loop_test(tc, a_wrong_frame_is_answered_by_its_code, 0,
	    N_FRAMES);
	tcase_add_test(tc, a_line_comes_in_any_pieces);
	tcase_add_test(tc, a_nul_byte_ends_no_line);
	tcase_add_test(tc, nests_are_bounded);
	tcase_add_test(tc, a_huge_line_is_passed_over);
	tcase_add_test(tc, the_bound_is_exact);
	tcase_add_test(tc, the_end_ends_a_line);
	tcase_add_test(tc, calls_are_answered_when_they_are_done);
	tcase_add_test(tc, of_one_that_was_cancelled_nothing_is_said);
	tcase_add_test(tc, so_many_calls_at_once);
	tcase_add_test(tc, an_answer_is_bounded);
	tcase_add_test(tc, a_batch_is_answered_together);
	tcase_add_test(tc,
	    a_batch_that_only_waits_for_one_that_is_cancelled_ends);
	tcase_add_test(tc, batches_have_bounds_and_a_version);
	tcase_add_test(tc, what_is_told_too_early_waits);
	tcase_add_test(tc, who_does_not_read_is_told_nothing_more);
	suite_add_tcase(s, tc);
	tc = tcase_create("tools");
	tcase_add_loop_test(tc, arguments_are_as_the_schema_says, 0, N_GIVEN);
	tcase_add_test(tc, a_schema_is_made_of_the_table);
	tcase_add_test(tc, data_of_others_stays_on_its_line);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
