/* SPDX-License-Identifier: ISC */

/* What is said in a session is heard on its own channel, from its start on. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "party.h"

#define MIRROR	"COTAL_TRANSCRIPT=1"
#define OLD	"2001-01-01T00:00:00.000Z"
#define MANY	300

static struct agent	*scout, *peer;
static struct harness	*h;
static struct party	*ear;

static void
setup(void)
{
	space_setup();
	scout = agent_make(sp, "scout", "--allow-subscribe general "
	    "--allow-publish general,tr-scout --role finder");
	peer = agent_make(sp, "peer", "--allow-subscribe general,tr-scout "
	    "--allow-publish general");
	ear = party_make(peer, ENDPOINT_LIVE, "tr-scout");
	h = NULL;
	ck_assert_int_eq(setenv("COTAL_ALLOW_PUBLISH", "general,tr-scout", 1),
	    0);
}

static void
teardown(void)
{
	if (h != NULL)
		host_kill(h);
	party_kill(ear);
	agent_free(scout);
	agent_free(peer);
	space_teardown();
}

static const char *
path_of(const char *name)
{
	static char	path[512];

	ck_assert_int_lt(snprintf(path, sizeof(path), "%s/said-%s", sp->dir, name),
	    (int)sizeof(path));
	return path;
}

/* The host writes to one of its files. */
static void
put(const char *name, const char *text)
{
	FILE	*f = fopen(path_of(name), "a");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void
typed(const char *name, const char *text)
{
	char	line[256];

	snprintf(line, sizeof(line), "{\"type\":\"user\",\"message\":{"
	    "\"role\":\"user\",\"content\":\"%s\"}}\n", text);
	put(name, line);
}

/* It runs its hook. */
static void
step(const char *name)
{
	char	event[600];

	snprintf(event, sizeof(event), "{\"hook_event_name\":\"PreToolUse\","
	    "\"transcript_path\":\"%s\"}", path_of(name));
	ck_assert_str_eq(host_hook(h, event), "{}\n");
}

/* The next that is heard. */
static void
heard(const char *text)
{
	static size_t	n;

	PARTY_AWAIT(ear, ear->n > n);
	ck_assert_str_eq(ear->heard[n++].text, text);
}

START_TEST(what_was_before_is_not_heard)
{
	typed("a", "before");
	typed("other", "before, too");
	h = host_start(scout, "general", MIRROR);
	step("a");
	typed("a", "one");
	put("a", "{\"type\":\"user\",\"message\":{\"content\":[{\"type\":"
	    "\"tool_result\",\"content\":\"a result\"}]}}\nno JSON\n\n"
	    "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":"
	    "\"text\",\"text\":\"I look\"},{\"type\":\"tool_use\",\"name\":"
	    "\"Read\",\"input\":{}}]}}\n"
	    "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":"
	    "\"text\",\"text\":\"in two");
	step("a");
	heard("user: one");
	heard("model: I look\ntool Read");
	put("a", " halves\"}]}}\n");
	step("a");
	heard("model: in two halves");
	/* Another one, which was there. */
	step("other");
	typed("other", "two");
	step("other");
	heard("user: two");
	/* One that comes; as a copy of what was said, first. */
	step("new");
	put("new", "{\"type\":\"user\",\"timestamp\":\"" OLD "\",\"message\":"
	    "{\"content\":\"copied\"}}\n");
	typed("new", "three");
	step("new");
	heard("user: three");
	/* None of this is read, and nothing stands still. */
	ck_assert_int_eq(mkfifo(path_of("pipe"), 0600), 0);
	step("pipe");
	/* What it says last is heard. */
	step("new");
	typed("new", "four");
	step("new");
	ck_assert_int_eq(host_end(h), 0);
	h = NULL;
	heard("user: four");
	party_idle(ear, 50);
	ck_assert_uint_eq(ear->n, 6);
}
END_TEST

/* A line with a text of that length. */
static void
typed_long(const char *name, size_t len)
{
	char	*text = malloc(len + 1), *line;

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', len);
	text[len] = '\0';
	ck_assert(asprintf(&line, "{\"type\":\"user\",\"message\":{"
	    "\"content\":\"%s\"}}\n", text) > 0);
	put(name, line);
	free(line);
	free(text);
}

static void
move(const char *from, const char *to)
{
	char	path[512];

	snprintf(path, sizeof(path), "%s", path_of(from));
	ck_assert_int_eq(rename(path, path_of(to)), 0);
}

START_TEST(a_file_that_is_another)
{
	struct stat	st;

	typed("a", "before");
	ck_assert_int_eq(stat(path_of("a"), &st), 0);
	typed("old", "before");
	h = host_start(scout, "general", MIRROR);
	step("a");
	/* Longer than what is taken. */
	typed_long("a", 1200 * 1024);
	typed("a", "after a long one");
	step("a");
	heard("user: after a long one");
	/* Shorter: it goes on at its end. */
	ck_assert_int_eq(truncate(path_of("a"), st.st_size), 0);
	step("a");
	AWAIT(({
		typed("a", "shorter");
		step("a");
		party_idle(ear, 20);
		party_got(ear, "user: shorter") > 0;
	}));
	ck_assert_uint_eq(party_got(ear, "user: before"), 0);
	/* By another that was there before. */
	move("old", "a");
	step("a");
	typed("a", "in its place");
	step("a");
	PARTY_AWAIT(ear, party_got(ear, "user: in its place") == 1);
	ck_assert_uint_eq(party_got(ear, "user: before"), 0);
}
END_TEST

/* The n-th of those that are stored last. */
static bool
is_stored(uint64_t seq, unsigned n)
{
	struct stored	s;
	char		text[64];
	bool		is;

	snprintf(text, sizeof(text), "\"user: line %u\"", n);
	is = stored_get(sp, STREAM_CHAT, seq, &s) &&
	    strstr(s.data, text) != NULL;
	stored_free(&s);
	return is;
}

START_TEST(what_is_said_without_a_link_waits)
{
	uint64_t	last;
	char		text[32];
	unsigned	i;

	h = host_start(scout, "general", MIRROR);
	step("a");
	last = stream_last_seq(sp, STREAM_CHAT);
	/* What the broker has not read when it is killed goes again. */
	ck_assert_int_eq(kill(role_pid(sp, "broker"), SIGSTOP), 0);
	for (i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "line %u", i);
		typed("a", text);
		step("a");
	}
	broker_restart(sp, SIGKILL);
	broker_down(sp);
	for (; i < MANY; i++) {
		snprintf(text, sizeof(text), "line %u", i);
		typed("a", text);
		if (i % 100 == 0)
			step("a");
	}
	step("a");
	broker_up(sp);
	AWAIT(stream_last_seq(sp, STREAM_CHAT) >= last + MANY);
	for (i = 0; i < MANY; i++)
		ck_assert_msg(is_stored(last + 1 + i, i), "line %u", i);
	ck_assert_uint_eq(stream_last_seq(sp, STREAM_CHAT), last + MANY);
}
END_TEST

/* Not asked for; not allowed. */
START_TEST(nobody_is_mirrored_unasked)
{
	uint64_t	last = stream_last_seq(sp, STREAM_CHAT);

	if (_i == 1)
		ck_assert_int_eq(setenv("COTAL_ALLOW_PUBLISH", "general", 1),
		    0);
	h = host_start(scout, "general", _i == 1 ? MIRROR :
	    "COTAL_TRANSCRIPT=0");
	step("a");
	typed("a", "x");
	step("a");
	ck_assert_int_eq(host_end(h), 0);
	h = NULL;
	ck_assert_uint_eq(stream_last_seq(sp, STREAM_CHAT), last);
}
END_TEST

int
main(void)
{
	TCase	*tc = tcase_create("transcript");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_was_before_is_not_heard);
	tcase_add_test(tc, a_file_that_is_another);
	tcase_add_test(tc, what_is_said_without_a_link_waits);
	tcase_add_loop_test(tc, nobody_is_mirrored_unasked, 0, 2);
	return test_main("transcript", tc, NULL);
}
