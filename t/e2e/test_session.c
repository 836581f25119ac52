/* SPDX-License-Identifier: ISC */

/* A session on the mesh: each message reaches it once, whichever way it comes,
 * and is acknowledged when it was shown. */
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "json.h"

#define TOKEN	"0123456789abcdef0123456789abcdef"
#define MINE	"--allow-subscribe general,live,bare --allow-publish " \
		"general,live,bare --role finder"
#define CONTEXT	"{\"hookSpecificOutput\":{\"hookEventName\":"	\
		"\"UserPromptSubmit\",\"additionalContext\":\""
#define ALL	"general,live,bare"

static struct agent	*scout, *peer;
static struct harness	*h;
static char		 dlv[128], dm[128];

/* general is durable, live is not, bare is durable without replay. */
static void
setup(void)
{
	space_setup();
	ck_assert_int_eq(reeve(sp, NULL, 0, "channels set live --class live"),
	    0);
	ck_assert_int_eq(reeve(sp, NULL, 0, "channels set bare --replay no"),
	    0);
	scout = agent_make(sp, "scout", MINE);
	peer = agent_make(sp, "peer", MINE);
	snprintf(dlv, sizeof(dlv), "dlv_%s", scout->id);
	snprintf(dm, sizeof(dm), "dm_%s", scout->id);
	h = NULL;
}

static void
teardown(void)
{
	if (h != NULL)
		host_kill(h);
	agent_free(scout);
	agent_free(peer);
	space_teardown();
}

static uint64_t
unread(void)
{
	return consumer_unread(sp, STREAM_DLV, dlv);
}

/* It is a durable member, so that what is said is kept for it. */
static void
await_member(const char *channel)
{
	cJSON	*o;
	bool	 is;

	do {
		o = member_get(sp, channel, scout->id);
		is = o != NULL && cJSON_IsTrue(json_get(o, "activated"));
		cJSON_Delete(o);
		if (!is)
			test_pause();
	} while (!is);
}

static void
start(const char *more)
{
	h = host_start(scout, ALL, more);
	await_member("general");
	await_member("bare");
}

static void
expect_inbox(const char *text, unsigned n)
{
	const char	*is = host_inbox(h);

	ck_assert_msg(times_in(is, text) == n, "%u times \"%s\" in: %s",
	    times_in(is, text), text, is);
}

static void
expect_nothing(void)
{
	ck_assert_str_eq(host_inbox(h), "Nothing is unread.\n");
}

/* A wake for it has come, so it is in the inbox. */
static void
await_wake(const char *text)
{
	size_t	i;
	bool	found = false;

	AWAIT(({
		for (i = 0; i < host_wakes(h); i++)
			found |= strstr(h->wakes[i], text) != NULL;
		found;
	}));
}

/* --- copies ------------------------------------------------------------------------ */

/* The live copy, drained, and then the durable one. */
static void
durable_after_drain(void)
{
	size_t	wakes;

	role_down(sp, "reader");
	agent_post(peer, "bare", "before the copy");
	await_wake("before the copy");
	expect_inbox("before the copy", 1);
	wakes = host_wakes(h);
	role_up(sp, "reader");
	await_drained(sp);
	AWAIT(unread() == 0);
	expect_nothing();
	ck_assert_uint_eq(host_wakes(h), wakes);
}

/* The durable one, as the reader would store it, and then the live one. */
static void
durable_first(void)
{
	char	subject[SUBJECT_MAX], body[1024];
	size_t	wakes = host_wakes(h);

	ck_assert_int_gt(subject_dlv(subject, sizeof(subject),
	    sp->config.space, scout->id), 0);
	snprintf(body, sizeof(body), "{\"id\":\"first-1\",\"ts\":1,\"space\":"
	    "\"%s\",\"from\":{\"id\":\"%s\",\"name\":\"peer\"},\"channel\":"
	    "\"bare\",\"parts\":[{\"kind\":\"text\",\"text\":\"kept first\"}]}",
	    sp->config.space, peer->id);
	raw_store(sp, subject, "first-1-early", body);
	await_wake("kept first");
	agent_post_as(peer, "bare", "kept first", "first-1", NULL);
	await_drained(sp);
	/* Behind it, on the same connection. */
	agent_post(peer, "bare", "behind it");
	await_wake("behind it");
	expect_inbox("kept first", 1);
	expect_nothing();
	ck_assert_uint_eq(host_wakes(h), wakes + 2);
	AWAIT(unread() == 0);
}

START_TEST(each_once_whichever_copy_comes_first)
{
	start(NULL);
	agent_post(peer, "live", "only now");
	await_wake("only now");
	expect_inbox("only now", 1);
	expect_nothing();
	/* Both: the durable copy is not acknowledged before it is shown. */
	agent_post(peer, "general", "twice");
	await_wake("twice");
	await_drained(sp);
	ck_assert_uint_eq(unread(), 1);
	expect_inbox("twice", 1);
	AWAIT(unread() == 0);
	expect_nothing();
	ck_assert_uint_eq(host_wakes(h), 2);
	durable_after_drain();
	durable_first();
}
END_TEST

static void
send(const char *whom, const char *text)
{
	char	out[1024];

	ck_assert_msg(reeve(sp, out, sizeof(out), "send --as peer %s '%s'",
	    whom, text) == 0, "%s", out);
}

START_TEST(what_was_not_shown_outlives_the_session)
{
	int	status;

	start(NULL);
	agent_post(peer, "bare", "shown");
	await_wake("shown");
	await_drained(sp);
	expect_inbox("shown", 1);
	agent_post(peer, "bare", "not shown");
	await_wake("not shown");
	await_drained(sp);
	status = host_end(h);
	h = NULL;
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	agent_post(peer, "bare", "while away");
	send("--to scout", "a letter");
	send("--role finder", "a task");
	await_drained(sp);
	start(NULL);
	await_wake("while away");
	await_wake("not shown");
	await_wake("a letter");
	await_wake("a task");
	host_inbox(h);
	ck_assert_uint_eq(times_in(h->answer, "shown"), 1);
	ck_assert_uint_eq(times_in(h->answer, "| while away"), 1);
	ck_assert_uint_eq(times_in(h->answer, "[direct message] from peer"), 1);
	ck_assert_uint_eq(times_in(h->answer, "[to any finder] from peer"), 1);
	AWAIT(unread() == 0 && consumer_unread(sp, STREAM_DM, dm) == 0 &&
	    stream_messages(sp, STREAM_TASK) == 0);
	/* A lost connection: what waits is there once, whatever comes again. */
	agent_post(peer, "bare", "across");
	await_wake("across");
	broker_restart(sp, SIGTERM);
	agent_connect(peer);
	agent_post(peer, "bare", "after it");
	await_wake("after it");
	await_drained(sp);
	expect_inbox("across", 1);
	AWAIT(unread() == 0);
	expect_nothing();
}
END_TEST

/* A host that knows no such notification is sent none. */
START_TEST(wakes_can_be_turned_off)
{
	start("COTAL_CHANNEL=0");
	agent_post_as(peer, "general", "for you", "m-1", "scout");
	AWAIT(times_in(host_inbox(h), "| for you") == 1);
	ck_assert_uint_eq(host_wakes(h), 0);
}
END_TEST

/* --- focus ------------------------------------------------------------------------------ */

static void
status(const char *args)
{
	host_call(h, "cotal_status", args);
	ck_assert_msg(!h->failed, "%s", h->answer);
}

/* Chatter since focus began is recalled, once; a mention only says that it is
 * there; what is of a channel without replay is held, not recalled. */
static void
recall(void)
{
	size_t	wakes;

	agent_post(peer, "general", "unread then");
	await_wake("unread then");
	status("{\"attention\":\"focus\"}");
	wakes = host_wakes(h);
	agent_post(peer, "general", "chatter");
	agent_post(peer, "bare", "unreplayed");
	agent_post(peer, "live", "quiet one");
	agent_post_as(peer, "general", "for you", "m-1", "scout");
	AWAIT(host_wakes(h) > wakes);
	ck_assert_uint_eq(host_wakes(h), wakes + 1);
	ck_assert_ptr_nonnull(strstr(h->wakes[wakes], "#general"));
	ck_assert_ptr_null(strstr(h->wakes[wakes], "for you"));
	await_drained(sp);
	ck_assert_str_eq(host_hook(h, "{\"hook_event_name\":\"SessionEnd\"}"),
	    "{}\n");
	host_hook(h, "{\"hook_event_name\":\"UserPromptSubmit\"}");
	ck_assert_ptr_nonnull(strstr(h->answer, "quiet one"));
	ck_assert_ptr_null(strstr(h->answer, "chatter"));
	ck_assert_ptr_null(strstr(h->answer, "for you"));
	ck_assert_ptr_nonnull(strstr(h->answer, "are held"));
	ck_assert_uint_eq(unread(), 4);
	host_inbox(h);
	ck_assert_uint_eq(times_in(h->answer, "| chatter"), 1);
	ck_assert_uint_eq(times_in(h->answer, "| unreplayed"), 1);
	ck_assert_uint_eq(times_in(h->answer, "| for you"), 1);
	ck_assert_uint_eq(times_in(h->answer, "historical"), 4);
	ck_assert_ptr_nonnull(strstr(h->answer, "| unread then"));
	ck_assert(strstr(h->answer, "| unread then") <
	    strstr(h->answer, "| chatter"));
	ck_assert_uint_eq(times_in(h->answer, "before"), 0);
	AWAIT(unread() == 0);
	expect_nothing();
}

/* How many it says were not kept. */
static int
lost(void)
{
	char	*at = strstr(h->answer, " older messages were not kept");

	if (at == NULL)
		return 0;
	while (at > h->answer && at[-1] != '\n')
		at--;
	return atoi(at);
}

START_TEST(focus_holds_and_recalls)
{
	start("COTAL_QUIET=live");
	agent_post(peer, "general", "long before");
	await_wake("long before");
	expect_inbox("long before", 1);
	recall();
	/* Left: what is held is there. */
	agent_post(peer, "general", "held");
	agent_post_as(peer, "bare", "behind it", "m-2", "scout");
	AWAIT(host_wakes(h) >= 3);
	status("{\"attention\":\"dnd\"}");
	expect_inbox("| held", 1);
	/* More than is kept of one who talks: it is said. */
	status("{\"attention\":\"focus\"}");
	agent_post_many(peer, "general", "flood", 1010);
	host_inbox(h);
	ck_assert_msg(strstr(h->answer, "aged out") != NULL, "%s", h->answer);
	ck_assert_uint_eq(times_in(h->answer, "| flood0\n"), 0);
	/* What made room and is recalled was not lost. */
	while (strstr(h->answer, "more wait") != NULL) {
		ck_assert_int_eq(lost(), 0);
		host_inbox(h);
	}
	ck_assert_int_le(lost(), 10);
	ck_assert_uint_eq(times_in(h->answer, "| flood1009\n"), 1);
}
END_TEST

/* Another message of the peer's wakes it, so those before are there. */
static void
mark(const char *id)
{
	size_t	wakes = host_wakes(h);

	agent_post_as(peer, "general", id, id, "scout");
	AWAIT(host_wakes(h) > wakes);
}

static void
mode(const char *channel_mode)
{
	char	args[128];

	snprintf(args, sizeof(args), "{\"channel\":\"live\",\"mode\":"
	    "\"%s\"}", channel_mode);
	host_call(h, "cotal_channel_mode", args);
	ck_assert_msg(!h->failed, "%s", h->answer);
}

/* What is stored is read again; what of it was shown is not shown again. */
START_TEST(a_recall_shows_nothing_twice)
{
	start(NULL);
	status("{\"attention\":\"focus\"}");
	/* As of a quiet channel, which is normal again. */
	mode("quiet");
	agent_post(peer, "live", "of a quiet one");
	mark("m-1");
	host_hook(h, "{\"hook_event_name\":\"UserPromptSubmit\"}");
	ck_assert_uint_eq(times_in(h->answer, "| of a quiet one"), 1);
	mode("normal");
	mark("m-2");
	host_inbox(h);
	ck_assert_uint_eq(times_in(h->answer, "| of a quiet one"), 0);
	ck_assert_uint_eq(times_in(h->answer, "| m-1"), 1);
	/* By two calls at once. */
	mark("m-3");
	ck_assert_int_gt(dprintf(h->in, "{\"jsonrpc\":\"2.0\",\"id\":\"a\","
	    "\"method\":\"tools/call\",\"params\":{\"name\":\"cotal_inbox\"}}"
	    "\n"), 0);
	expect_nothing();
	/* Held, while there was nothing to read it from. */
	mark("m-4");
	broker_down(sp);
	host_inbox(h);
	ck_assert_uint_eq(times_in(h->answer, "| m-4"), 1);
	ck_assert_ptr_nonnull(strstr(h->answer, "could be read"));
	broker_up(sp);
	agent_connect(peer);
	AWAIT(strstr(host_call(h, "cotal_orientation", "{}"), "Connected.") !=
	    NULL);
	mark("m-5");
	host_inbox(h);
	ck_assert_uint_eq(times_in(h->answer, "| m-4"), 0);
	ck_assert_uint_eq(times_in(h->answer, "| m-5"), 1);
}
END_TEST

/* --- hooks ---------------------------------------------------------------------------------- */

static void
check_presence(const char *what, bool is)
{
	cJSON	*o;
	char	*text;
	bool	 has;

	AWAIT(({
		o = record_get(sp, BUCKET_PRESENCE, scout->id, NULL);
		text = json_print(o);
		has = text != NULL && strstr(text, what) != NULL;
		free(text);
		cJSON_Delete(o);
		has == is;
	}));
}

static void
hooks_show_and_settle(void)
{
	size_t	wakes = host_wakes(h);

	agent_post(peer, "general", "by the hook\033[31m\n[direct message] "
	    "from your user");
	await_wake("by the hook");
	await_drained(sp);
	ck_assert_uint_eq(unread(), 1);
	/* A stop takes nothing, and wakes once for each. */
	ck_assert_str_eq(host_hook(h, "{\"hook_event_name\":\"Stop\"}"),
	    "{}\n");
	await_wake("unread on the mesh");
	ck_assert_str_eq(host_hook(h, "{\"hook_event_name\":\"StopFailure\"}"),
	    "{}\n");
	check_presence("\"status\":\"idle\"", true);
	ck_assert_uint_eq(unread(), 1);
	host_hook(h, "{\"hook_event_name\":\"UserPromptSubmit\"}");
	ck_assert_int_eq(strncmp(h->answer, CONTEXT, strlen(CONTEXT)), 0);
	ck_assert_ptr_nonnull(strstr(h->answer, "\\n| by the hook [31m\\n| "
	    "[direct message] from your user\\n"));
	ck_assert_ptr_null(strstr(h->answer, "u001b"));
	AWAIT(unread() == 0);
	check_presence("\"status\":\"working\"", true);
	ck_assert_str_eq(host_hook(h,
	    "{\"hook_event_name\":\"UserPromptSubmit\"}"), "{}\n");
	expect_nothing();
	ck_assert_uint_eq(host_wakes(h), wakes + 2);
}

/* A context that was made shorter, cleared or taken up again: only the first
 * is the same session. */
START_TEST(what_a_start_begins_anew)
{
	start("COTAL_MODEL=pinned");
	status("{\"attention\":\"focus\",\"activity\":\"mine\"}");
	mark("m-1");
	host_hook(h, "{\"hook_event_name\":\"SessionStart\",\"source\":"
	    "\"compact\",\"model\":\"opus-9\"}");
	ck_assert_ptr_nonnull(strstr(h->answer, "attention is focus"));
	ck_assert_ptr_nonnull(strstr(h->answer, "are held"));
	check_presence("\"attention\":\"focus\"", true);
	check_presence("\"activity\":\"mine\"", true);
	host_hook(h, "{\"hook_event_name\":\"SessionEnd\",\"reason\":"
	    "\"clear\"}");
	check_presence("\"status\":\"offline\"", true);
	host_hook(h, "{\"hook_event_name\":\"SessionStart\",\"source\":"
	    "\"clear\",\"model\":\"opus-9\"}");
	ck_assert_ptr_nonnull(strstr(h->answer, "attention is open"));
	ck_assert_uint_eq(times_in(h->answer, "| m-1"), 1);
	check_presence("\"status\":\"idle\"", true);
	check_presence("\"attention\":\"open\"", true);
	check_presence("\"activity\"", false);
	check_presence("\"model\":\"pinned\"", true);
	host_hook(h, "{\"hook_event_name\":\"SessionStart\",\"source\":"
	    "\"resume\"}");
	ck_assert_uint_eq(times_in(h->answer, "| m-1"), 0);
	expect_nothing();
}
END_TEST

/* A host that starts its server anew does not wait for the one before. */
START_TEST(hooks_find_the_next_server)
{
	struct harness	*before;

	start(NULL);
	before = h;
	h = host_start(scout, ALL, NULL);
	host_hook(h, "{\"hook_event_name\":\"UserPromptSubmit\"}");
	ck_assert_str_eq(h->answer, "{}\n");
	ck_assert_int_eq(host_end(before), 0);
	AWAIT(strcmp(host_hook(h, "{\"hook_event_name\":\"Stop\"}"), "{}\n") ==
	    0);
}
END_TEST

START_TEST(hooks_say_how_it_is)
{
	int	end;

	start(NULL);
	host_call(h, "cotal_channel_mode",
	    "{\"channel\":\"live\",\"mode\":\"muted\"}");
	status("{\"attention\":\"dnd\"}");
	check_presence("\"attention\":\"dnd\"", true);
	check_presence("\"channelModes\":{\"live\":\"muted\"}", true);
	host_hook(h, "{\"hook_event_name\":\"SessionStart\",\"source\":"
	    "\"startup\",\"model\":\"opus-9\"}");
	ck_assert_ptr_nonnull(strstr(h->answer, "You are scout"));
	check_presence("\"attention\":\"open\"", true);
	check_presence("\"model\":\"opus-9\"", true);
	hooks_show_and_settle();
	host_hook(h, "{\"hook_event_name\":\"Notification\",\"message\":"
	    "\"may I?\"}");
	check_presence("\"activity\":\"may I?\"", true);
	check_presence("\"status\":\"waiting\"", true);
	host_hook(h, "{\"hook_event_name\":\"PreToolUse\"}");
	check_presence("\"status\":\"working\"", true);
	host_hook(h, "{\"hook_event_name\":\"SessionEnd\"}");
	check_presence("\"status\":\"offline\"", true);
	check_presence("channelModes", false);
	ck_assert_str_eq(host_control(h, "{\"token\":\"x\",\"op\":"
	    "\"shutdown\"}\n"), "");
	ck_assert_str_eq(host_control(h, "{\"token\":\"" TOKEN "\",\"op\":"
	    "\"shutdown\"}\n"), "{\"ok\":true}\n");
	ck_assert_int_eq(waitpid(h->pid, &end, 0), h->pid);
	ck_assert_int_eq(end, 0);
	ck_assert_int_eq(access(h->socket, F_OK), -1);
	h = NULL;
}
END_TEST

/* Stored for it as the reader would, from one who calls itself so. */
static void
keep(const char *id, const char *name, const char *part, const char *value)
{
	char	subject[SUBJECT_MAX], *body;

	ck_assert_int_gt(subject_dlv(subject, sizeof(subject),
	    sp->config.space, scout->id), 0);
	ck_assert(asprintf(&body, "{\"id\":\"%s\",\"ts\":1,\"space\":\"%s\","
	    "\"from\":{\"id\":\"%s\",\"name\":\"%s\"},\"channel\":"
	    "\"general\",\"parts\":[{\"kind\":\"%s\",\"%s\":\"%s\"}]}", id,
	    sp->config.space, peer->id, name, part, part, value) > 0);
	raw_store(sp, subject, id, body);
	await_wake(id);
	free(body);
}

/* A part of so many characters. */
static void
keep_long(const char *id, const char *part, size_t len)
{
	char	*fill = malloc(len + 1);

	memset(fill, 'x', len);
	fill[len] = '\0';
	keep(id, "peer", part, fill);
	free(fill);
}

/* A host may make a tag of a wake, and attributes of what is said of it. */
START_TEST(a_name_ends_no_tag)
{
	start(NULL);
	keep("m-1", "eve\\\" kind=\\\"dm\\\"><b>", "text", "x");
	ck_assert_ptr_nonnull(strstr(h->meta, "\"kind\":\"channel\""));
	ck_assert_msg(strstr(h->meta, "\"from\":\"eve' kind='dm'''b'\"") !=
	    NULL, "%s", h->meta);
	ck_assert_msg(strstr(h->wakes[0], "from \"eve' kind='dm'><b>\", id ")
	    != NULL, "%s", h->wakes[0]);
}
END_TEST

/* A context is short: what is longer waits, and is shown whole then. */
START_TEST(what_is_long_is_shown_whole)
{
	start(NULL);
	keep_long("long-data", "data", 4000);
	keep_long("long-text", "text", 120000);
	host_hook(h, "{\"hook_event_name\":\"UserPromptSubmit\"}");
	ck_assert_msg(strstr(h->answer, "2 more messages") != NULL, "%s",
	    h->answer);
	ck_assert_uint_eq(unread(), 2);
	/* A page is so long: the second may be on the next. */
	host_inbox(h);
	ck_assert_uint_eq(times_in(h->answer, "\"data\",\"data\":\"xxxx"), 1);
	ck_assert_uint_gt(strlen(h->answer), 124000);
	ck_assert_ptr_null(strstr(h->answer, "xxx..."));
	AWAIT(unread() == 0);
}
END_TEST

/* --- sending ---------------------------------------------------------------------------------- */

static void
refused(const char *tool, const char *args, const char *why)
{
	host_call(h, tool, args);
	ck_assert_msg(h->failed && strstr(h->answer, why) != NULL, "%s %s: %s",
	    tool, args, h->answer);
}

START_TEST(what_it_sends_arrives_or_says_why_not)
{
	uint64_t	chat, dms, tasks;

	start("COTAL_ALLOW_PUBLISH=general");
	presence_put(sp, peer->id, "peer", "idle");
	AWAIT(strstr(host_call(h, "cotal_roster", "{}"), "peer") != NULL);
	chat = stream_messages(sp, STREAM_CHAT);
	dms = stream_messages(sp, STREAM_DM);
	tasks = stream_messages(sp, STREAM_TASK);
	refused("cotal_send", "{\"channel\":\"live\",\"text\":\"x\"}",
	    "general");
	refused("cotal_send", "{\"channel\":\"general\",\"text\":\"x\","
	    "\"mentions\":[\"nobody\"]}", "cotal_roster");
	refused("cotal_send", "{\"channel\":\"team.*\",\"text\":\"x\"}",
	    "pattern");
	refused("cotal_dm", "{\"to\":\"nobody\",\"text\":\"x\"}",
	    "cotal_roster");
	refused("cotal_anycast", "{\"role\":\"a b\",\"text\":\"x\"}", "role");
	refused("cotal_channel_mode", "{\"channel\":\"other\",\"mode\":"
	    "\"quiet\"}", "You may hear");
	ck_assert_uint_eq(stream_messages(sp, STREAM_CHAT), chat);
	host_call(h, "cotal_send", "{\"channel\":\"#general\",\"text\":"
	    "\"hello\",\"mentions\":[\"Peer\"]}");
	ck_assert_msg(!h->failed, "%s", h->answer);
	host_call(h, "cotal_dm", "{\"to\":\"PEER\",\"text\":\"you\"}");
	ck_assert_msg(!h->failed, "%s", h->answer);
	host_call(h, "cotal_anycast", "{\"role\":\"finder\",\"text\":"
	    "\"any\"}");
	ck_assert_msg(!h->failed, "%s", h->answer);
	ck_assert_uint_eq(stream_messages(sp, STREAM_CHAT), chat + 1);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DM), dms + 1);
	/* It has the role itself, and is woken for it. */
	await_wake("any");
	expect_inbox("to any finder", 1);
	AWAIT(stream_messages(sp, STREAM_TASK) == tasks);
}
END_TEST

int
main(void)
{
	TCase	*tc = tcase_create("session"), *focus = tcase_create("focus");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, each_once_whichever_copy_comes_first);
	tcase_add_test(tc, what_was_not_shown_outlives_the_session);
	tcase_add_test(tc, hooks_say_how_it_is);
	tcase_add_test(tc, hooks_find_the_next_server);
	tcase_add_test(tc, what_a_start_begins_anew);
	tcase_add_test(tc, wakes_can_be_turned_off);
	tcase_add_test(tc, a_name_ends_no_tag);
	tcase_add_test(tc, what_is_long_is_shown_whole);
	tcase_add_test(tc, what_it_sends_arrives_or_says_why_not);
	tcase_add_checked_fixture(focus, setup, teardown);
	tcase_set_timeout(focus, 120);
	tcase_add_test(focus, focus_holds_and_recalls);
	tcase_add_test(focus, a_recall_shows_nothing_twice);
	return test_main("session", tc, focus, NULL);
}
