/* SPDX-License-Identifier: ISC */

/* A line of a host's transcript: what the user and the model said in it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transcript.h"
#include "utf8.h"

#define SINCE	"2026-01-02T03:04:05.678Z"
#define USER(c)	"{\"type\":\"user\",\"message\":{\"role\":\"user\"," \
		"\"content\":" c "}}"
#define MODEL(c) "{\"type\":\"assistant\",\"message\":{\"role\":" \
		"\"assistant\",\"content\":" c "}}"
#define WITH(m)	"{\"type\":\"user\"," m ",\"message\":{\"content\":\"x\"}}"

static char	*said;

static void
teardown(void)
{
	free(said);
	said = NULL;
}

static const char *
of(const char *line)
{
	teardown();
	return said = transcript_said(line, strlen(line), SINCE);
}

static const struct {
	const char	*line, *text;
} told[] = {
	{ USER("\"hello\""), "user: hello" },
	{ USER("[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\"},"
	    "{\"type\":\"text\",\"text\":\"b\\nc\"}]"), "user: a\nuser: b\nc" },
	{ USER("\"<b>is my own</b>\""), "user: <b>is my own</b>" },
	{ MODEL("[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":"
	    "\"text\",\"text\":\"hi\"},{\"type\":\"tool_use\",\"id\":\"t\","
	    "\"name\":\"Bash\",\"input\":{\"command\":\"ls\"}}]"),
	    "model: hi\ntool Bash" },
	{ MODEL("[{\"type\":\"tool_use\",\"name\":\"mcp__cotal__cotal_dm\"}]"),
	    "tool mcp__cotal__cotal_dm" },
	{ MODEL("[{\"type\":\"tool_use\",\"name\":\"a\\nuser: b\"}]"),
	    "tool a?user: b" },
	{ MODEL("\"<channel x\""), "model: <channel x" },
	{ WITH("\"isMeta\":false,\"isSidechain\":false,\"origin\":{\"kind\":"
	    "\"human\"}"), "user: x" },
	{ WITH("\"timestamp\":\"2026-01-02T03:04:05.678Z\""), "user: x" },
	{ WITH("\"timestamp\":\"2026-01-02T03:04:06Z\""), "user: x" },
};

START_TEST(what_they_said)
{
	ck_assert_ptr_nonnull(of(told[_i].line));
	ck_assert_str_eq(said, told[_i].text);
}
END_TEST

static const char *const	untold[] = {
	USER("[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":"
	    "\"secret\"}]"),
	USER("[{\"type\":\"tool_use\",\"name\":\"x\"}]"),
	USER("\"\""), USER("\" \\n\""), USER("7"), USER("[7,null,{}]"),
	USER("\"<channel source=\\\"cotal\\\">a letter</channel>\""),
	USER("\"<local-command-stdout>x</local-command-stdout>\""),
	USER("[{\"type\":\"text\",\"text\":\"\\n<system-reminder>x\"}]"),
	USER("\"<task-notification>x\""),
	MODEL("[{\"type\":\"thinking\",\"thinking\":\"hm\"}]"),
	WITH("\"isMeta\":true"), WITH("\"isSidechain\":true"),
	WITH("\"isCompactSummary\":true"),
	WITH("\"isApiErrorMessage\":true"),
	WITH("\"origin\":{\"kind\":\"channel\",\"server\":\"cotal\"}"),
	WITH("\"forkedFrom\":{\"sessionId\":\"s\"}"),
	WITH("\"timestamp\":\"2026-01-02T03:04:05.677Z\""),
	"{\"type\":\"system\",\"message\":{\"content\":\"x\"}}",
	"{\"type\":\"summary\",\"summary\":\"x\"}",
	"{\"type\":\"user\"}", "{\"message\":{\"content\":\"x\"}}",
	"{\"type\":\"user\",\"message\":{\"content\":\"x", "[]", "x", "",
	"{\"type\":\"user\",\"message\":{\"content\":\"\xff\"}}",
};

START_TEST(what_they_did_not_say)
{
	ck_assert_msg(of(untold[_i]) == NULL, "%s", said);
}
END_TEST

/* A line with so many bytes of text, of characters of three bytes. */
static char *
long_line(size_t n)
{
	static const char	head[] = "{\"type\":\"user\",\"message\":"
				    "{\"content\":\"";
	char			*s = malloc(sizeof(head) + n + 8);
	size_t			 i;

	ck_assert_ptr_nonnull(s);
	strcpy(s, head);
	for (i = 0; i < n; i += 3)
		memcpy(s + sizeof(head) - 1 + i, "\xe2\x82\xac", 3);
	strcpy(s + sizeof(head) - 1 + i, "\"}}");
	return s;
}

START_TEST(what_is_long_is_cut)
{
	char	*line = long_line(3 * TRANSCRIPT_TEXT_MAX);
	size_t	 len;

	ck_assert_ptr_nonnull(of(line));
	free(line);
	len = strlen(said);
	ck_assert_uint_gt(len, TRANSCRIPT_TEXT_MAX - 3);
	ck_assert_uint_le(len, TRANSCRIPT_TEXT_MAX + 6);
	ck_assert_str_eq(said + len - 6, "\n[cut]");
	ck_assert(utf8_is_valid(said, len));
	line = long_line(TRANSCRIPT_TEXT_MAX - 16);
	ck_assert_ptr_nonnull(of(line));
	free(line);
	ck_assert_ptr_null(strstr(said, "[cut]"));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("transcript");
	TCase	*tc = tcase_create("lines");
	SRunner	*sr = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, what_they_said, 0,
	    sizeof(told) / sizeof(told[0]));
	tcase_add_loop_test(tc, what_they_did_not_say, 0,
	    sizeof(untold) / sizeof(untold[0]));
	tcase_add_test(tc, what_is_long_is_cut);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
