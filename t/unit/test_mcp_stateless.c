/* SPDX-License-Identifier: ISC */

/*
 * The version without initialize, by its lines, as its specification has them;
 * beside the versions that begin with one.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "mcp_lines.h"

#define KEY(name)	"\"io.modelcontextprotocol/" name "\""
#define META		KEY("protocolVersion") ":\"2026-07-28\","	\
	KEY("clientCapabilities") ":{}"
#define ASK(id, method, params)	"{\"jsonrpc\":\"2.0\",\"id\":" id	\
	",\"method\":\"" method "\",\"params\":{\"_meta\":{" META "}"	\
	params "}}"
#define WHO		KEY("serverInfo") ":{\"name\":\"n\",\"title\":\"t\","	\
	"\"version\":\"1\"}"
#define SAID(id, members)	"{\"jsonrpc\":\"2.0\",\"id\":" id	\
	",\"result\":{\"resultType\":\"complete\",\"_meta\":{" WHO "},"	\
	members "}}"
#define KEPT		"\"ttlMs\":300000,\"cacheScope\":\"private\""
#define USE(id, tool)	ASK(id, "tools/call", ",\"name\":\"" tool "\"")
#define CONTENT(text)	"\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]"
#define CANCEL(id)	"{\"jsonrpc\":\"2.0\",\"method\":"		\
	"\"notifications/cancelled\",\"params\":{\"requestId\":" id "}}"
#define LISTEN(id, filter)	ASK(id, "subscriptions/listen",		\
	",\"notifications\":" filter)
#define HEARD(id)	"{\"jsonrpc\":\"2.0\",\"method\":"		\
	"\"notifications/subscriptions/acknowledged\",\"params\":{"	\
	"\"_meta\":{" KEY("subscriptionId") ":" id "},"			\
	"\"notifications\":{}}}"
#define DISCOVERED(id)	SAID(id, "\"supportedVersions\":[\"2026-07-28\"],"	\
	"\"capabilities\":{\"tools\":{}},\"instructions\":\"i\"," KEPT)

/* --- requests ------------------------------------------------------------------- */

START_TEST(each_request_is_served_by_what_it_says)
{
	say(ASK("1", "tools/list", ""));
	hears(SAID("1", "\"tools\":[{\"name\":\"2026-07-28\"}]," KEPT));
	say(ASK("\"d\"", "server/discover", ""));
	hears(DISCOVERED("\"d\""));
	say(USE("2", "now"));
	hears(SAID("2", CONTENT("nothing")));
	say(USE("3", "later"));
	mcp_answer(held[0], "no", true);
	hears(SAID("3", CONTENT("no") ",\"isError\":true"));
	say(USE("4", "unknown"));
	refused("4", RPC_PARAMS);
	silence();
	ck_assert_uint_eq(n_ready, 0);
}
END_TEST

static const struct {
	const char	*line;
	int		 code;
} wrong[] = {
	/* Gone with this version. */
	{ ASK("1", "ping", ""), RPC_METHOD },
	{ ASK("1", "logging/setLevel", ",\"level\":\"info\""), RPC_METHOD },
	{ ASK("1", "resources/subscribe", ""), RPC_METHOD },
	{ ASK("1", "prompts/list", ""), RPC_METHOD },
	{ ASK("1", "tools/list", ",\"cursor\":\"x\""), RPC_PARAMS },
	{ ASK("1", "tools/call", ""), RPC_PARAMS },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{"
	    "\"_meta\":{" KEY("protocolVersion") ":\"2026-07-28\"}}}",
	    RPC_PARAMS },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{"
	    "\"_meta\":{" KEY("protocolVersion") ":\"2026-07-28\","
	    KEY("clientCapabilities") ":[]}}}", RPC_PARAMS },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{"
	    "\"_meta\":{" KEY("protocolVersion") ":7,"
	    KEY("clientCapabilities") ":{}}}}", RPC_PARAMS },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{"
	    "\"_meta\":{" META "," KEY("clientInfo") ":{\"name\":\"c\"}}}}",
	    RPC_PARAMS },
	{ ASK("1", "subscriptions/listen", ""), RPC_PARAMS },
	{ LISTEN("1", "[]"), RPC_PARAMS },
	{ LISTEN("1", "{\"toolsListChanged\":1}"), RPC_PARAMS },
	{ LISTEN("1", "{\"resourceSubscriptions\":\"x\"}"), RPC_PARAMS },
	{ LISTEN("1", "{\"resourceSubscriptions\":[7]}"), RPC_PARAMS },
	/* Without the version it is of those before, and not initialized. */
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{"
	    "\"_meta\":{" KEY("clientCapabilities") ":{}}}}", RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{"
	    "\"_meta\":7}}", RPC_INVALID },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}",
	    RPC_METHOD },
};
#define N_WRONG		(sizeof(wrong) / sizeof(wrong[0]))

START_TEST(what_is_wrong_with_one_is_said)
{
	say(wrong[_i].line);
	refused("1", wrong[_i].code);
	silence();
	ck_assert_uint_eq(m->n_listens, 0);
	say(USE("2", "now"));
	hears(SAID("2", CONTENT("nothing")));
}
END_TEST

static const char *const	versions[] = { "2025-11-25", "2027-01-01", "",
	"2026-07-28 " };
#define N_VERSIONS	(sizeof(versions) / sizeof(versions[0]))

START_TEST(another_version_is_refused_by_an_error_of_its_own)
{
	char	line[400];

	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":\"v\","
	    "\"method\":\"server/discover\",\"params\":{\"_meta\":{"
	    KEY("protocolVersion") ":\"%s\"," KEY("clientCapabilities")
	    ":{}}}}", versions[_i]);
	say(line);
	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":\"v\","
	    "\"error\":{\"code\":-32022,\"message\":"
	    "\"Unsupported protocol version\",\"data\":{\"supported\":["
	    "\"2026-07-28\"],\"requested\":\"%s\"}}}", versions[_i]);
	hears(line);
}
END_TEST

START_TEST(calls_are_bounded_and_cancelled_as_before)
{
	char	line[300];
	size_t	i;

	for (i = 0; i < MCP_CALLS_MAX + 1; i++) {
		snprintf(line, sizeof(line), USE("%zu", "later"), i);
		say(line);
	}
	snprintf(line, sizeof(line), "%d", MCP_CALLS_MAX);
	/* Servers have no codes of their own any more. */
	refused(line, RPC_INTERNAL);
	silence();
	say(USE("7", "now"));
	refused("7", RPC_INVALID);
	say(CANCEL("7"));
	mcp_answer(held[7], "late", false);
	mcp_answer(held[8], "x", false);
	hears(SAID("8", CONTENT("x")));
	silence();
}
END_TEST

/* --- subscriptions ---------------------------------------------------------------- */

START_TEST(a_subscription_is_open_until_it_is_cancelled)
{
	say(LISTEN("\"l\"", "{\"toolsListChanged\":true,"
	    "\"resourceSubscriptions\":[\"file:///x\"]}"));
	hears(HEARD("\"l\""));
	say(LISTEN("\"l\"", "{}"));
	refused("\"l\"", RPC_INVALID);
	say(USE("\"l\"", "now"));
	refused("\"l\"", RPC_INVALID);
	say(LISTEN("2", "{}"));
	hears(HEARD("2"));
	say(CANCEL("\"l\""));
	say(CANCEL("\"l\""));
	silence();
	/* The other is answered when the server leaves. */
	mcp_leave(m);
	hears("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"resultType\":"
	    "\"complete\",\"_meta\":{" WHO "," KEY("subscriptionId") ":2}}}");
	silence();
	mcp_leave(m);
	silence();
}
END_TEST

START_TEST(so_many_subscriptions)
{
	char	line[300];
	int	i;

	for (i = 0; i < MCP_LISTENS_MAX; i++) {
		snprintf(line, sizeof(line), LISTEN("%d", "{}"), i);
		say(line);
		snprintf(line, sizeof(line), HEARD("%d"), i);
		hears(line);
	}
	say(LISTEN("100", "{}"));
	refused("100", RPC_INTERNAL);
	say(CANCEL("3"));
	say(LISTEN("100", "{}"));
	hears(HEARD("100"));
	/* They are freed with it. */
}
END_TEST

/* --- beside the versions before ------------------------------------------------------ */

START_TEST(who_asks_for_the_versions_may_choose_an_older_one)
{
	ck_assert(mcp_notify(m, "n/n", NULL));
	say(ASK("1", "server/discover", ""));
	hears(DISCOVERED("1"));
	begin("2025-11-25");
	hears("{\"jsonrpc\":\"2.0\",\"method\":\"n/n\"}");
	say(CALL("2", "now"));
	hears(TEXT("2", "nothing"));
	/* Both at once: each by what it says. */
	say(USE("3", "now"));
	hears(SAID("3", CONTENT("nothing")));
	say(CALL("4", "later"));
	say(USE("5", "later"));
	mcp_answer(held[0], "a", false);
	mcp_answer(held[1], "b", false);
	hears(TEXT("4", "a"));
	hears(SAID("5", CONTENT("b")));
	say(PING("6"));
	hears(PONG("6"));
	ck_assert(mcp_notify(m, "n/m", NULL));
	hears("{\"jsonrpc\":\"2.0\",\"method\":\"n/m\"}");
}
END_TEST

START_TEST(who_speaks_it_is_told_nothing_else)
{
	int	i;

	ck_assert(mcp_notify(m, "n/n", NULL));
	say(USE("1", "now"));
	hears(SAID("1", CONTENT("nothing")));
	say(LISTEN("2", "{}"));
	hears(HEARD("2"));
	for (i = 0; i < 2 * MCP_WAITING_MAX; i++)
		ck_assert(mcp_notify(m, "n/n", NULL));
	silence();
	/* It may begin anew by an older version, and nothing waits for it. */
	begin("2025-06-18");
	silence();
	ck_assert(mcp_notify(m, "n/m", NULL));
	hears("{\"jsonrpc\":\"2.0\",\"method\":\"n/m\"}");
}
END_TEST

START_TEST(it_has_no_batches)
{
	say("[" USE("1", "now") "]");
	refused("null", RPC_INVALID);
	begin("2025-03-26");
	say("[" CALL("1", "now") "," USE("2", "now") "]");
	hears("[" TEXT("1", "nothing") ",{\"jsonrpc\":\"2.0\",\"id\":2,"
	    "\"error\":{\"code\":-32600,\"message\":\"batches are not of this "
	    "protocol version: one message a line\"}}]");
	silence();
}
END_TEST

START_TEST(a_server_may_keep_to_those_before)
{
	conf.handshake = true;
	say(ASK("1", "server/discover", ""));
	refused("1", RPC_METHOD);
	say(USE("2", "now"));
	refused("2", RPC_INVALID);
	begin("2025-11-25");
	say(USE("3", "now"));
	hears(TEXT("3", "nothing"));
	say(LISTEN("4", "{}"));
	refused("4", RPC_METHOD);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcp_stateless");
	TCase	*tc = tcase_create("mcp_stateless");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_request_is_served_by_what_it_says);
	tcase_add_loop_test(tc, what_is_wrong_with_one_is_said, 0, N_WRONG);
	tcase_add_loop_test(tc,
	    another_version_is_refused_by_an_error_of_its_own, 0, N_VERSIONS);
	tcase_add_test(tc, calls_are_bounded_and_cancelled_as_before);
	tcase_add_test(tc, a_subscription_is_open_until_it_is_cancelled);
	tcase_add_test(tc, so_many_subscriptions);
	tcase_add_test(tc, who_asks_for_the_versions_may_choose_an_older_one);
	tcase_add_test(tc, who_speaks_it_is_told_nothing_else);
	tcase_add_test(tc, it_has_no_batches);
	tcase_add_test(tc, a_server_may_keep_to_those_before);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
