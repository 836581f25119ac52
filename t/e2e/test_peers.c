/* SPDX-License-Identifier: ISC */

/* `reeve peers` and `reeve memory`: a host's registry, its memory slot with a
 * provider that notes what it is given, and real agents. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "files.h"
#include "json.h"
#include "peers.h"

static int
say(const char *args)
{
	return reeve(sp, answer, sizeof(answer), "%s", args);
}

#define SUCCEEDS(args)							\
	do {								\
		int code_ = say(args);					\
									\
		ck_assert_msg(code_ == 0, "%s: %d: %s", args, code_,	\
		    answer);						\
	} while (0)

static void
add_peer(const char *name, const char *runtimes)
{
	char	args[600];

	snprintf(args, sizeof(args), "peers add %s --cwd %s --runtime %s",
	    name, sp->dir, runtimes);
	SUCCEEDS(args);
}

/* --- the provider ----------------------------------------------------------- */

/* what: of provision, unprovision and plugin those that are declared. */
static void
declare(const char *what, const char *body)
{
	char	program[300], path[300], text[2500], block[600];

	snprintf(program, sizeof(program), "%s/provider", sp->dir);
	snprintf(text, sizeof(text), "#!/bin/sh\nhere=%s\n%s\n", sp->dir,
	    body != NULL ? body : "echo \"$*\" >>$here/journal");
	write_file(program, text, 0755);
	snprintf(path, sizeof(path), "%s/memory-provider.json", sp->state);
	snprintf(text, sizeof(text), "{\"provider\":\"mem\",\"package\":"
	    "\"@x/mem\",\"version\":\"0.2.0\"");
	if (strstr(what, "plugin") != NULL)
		strcat(text, ",\"plugin\":{\"name\":\"p\",\"marketplace\":"
		    "\"m\",\"marketplaceRef\":\"r\"}");
	if (strstr(what, "+provision") != NULL) {
		snprintf(block, sizeof(block), ",\"provision\":{\"command\":"
		    "\"%s\",\"args\":[\"in\",\"{cwd}\",\"{runtime}\","
		    "\"{personality}\",\"{occasion}\"]}", program);
		strcat(text, block);
	}
	if (strstr(what, "+unprovision") != NULL) {
		snprintf(block, sizeof(block), ",\"unprovision\":{\"command"
		    "\":\"%s\",\"args\":[\"out\",\"{runtime}\","
		    "\"{personality}\",\"{occasion}\"]}", program);
		strcat(text, block);
	}
	strcat(text, "}");
	write_file(path, text, 0600);
}

#define BOTH	"+provision +unprovision"

/* What the provider was given since the last time; "" for nothing. */
static const char *
given(void)
{
	static char	 is[4096];
	char		 path[300], *text;

	snprintf(path, sizeof(path), "%s/journal", sp->dir);
	text = file_read(path, sizeof(is) - 1, NULL, NULL);
	snprintf(is, sizeof(is), "%s", text == NULL ? "" : text);
	free(text);
	(void)unlink(path);
	return is;
}

static void
check_given(const char *expected)
{
	ck_assert_str_eq(given(), expected);
}

/* --- peers ------------------------------------------------------------------------ */

START_TEST(a_registry)
{
	char		path[300];
	struct stat	st;

	SUCCEEDS("peers");
	add_peer("zoe", "codex");
	add_peer("ada", "claude,codex");
	add_peer("ada", "claude,telegram");
	snprintf(path, sizeof(path), "%s/peers.json", sp->state);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	SUCCEEDS("peers list --json");
	SAYS(answer, "[{\"personality\":\"ada\",\"cwd\":\"");
	SAYS(answer, "\"runtimes\":[{\"runtime\":\"claude\",\"state\":"
	    "\"absent\"},{\"runtime\":\"codex\",\"state\":\"absent\"},"
	    "{\"runtime\":\"telegram\",\"state\":\"absent\"}]},"
	    "{\"personality\":\"zoe\"");
	/* What is not said stays. */
	SUCCEEDS("peers add zoe");
	SUCCEEDS("peers show zoe --json");
	SAYS(answer, sp->dir);
	ck_assert_ptr_null(strstr(answer, "claude"));
	ck_assert_int_eq(say("peers show bob"), EX_NOUSER);
	ck_assert_int_eq(say("peers remove bob"), EX_NOUSER);
	ck_assert_int_eq(say("peers add ../bob"), EX_USAGE);
	ck_assert_int_eq(say("peers add bob --runtime a-b"), EX_USAGE);
	ck_assert_int_eq(say("peers add bob --cwd /no/such/place"),
	    EX_NOINPUT);
	write_file(path, "{\"peers\":[{\"personality\":7}]}", 0600);
	ck_assert_int_eq(say("peers"), EX_DATAERR);
	SAYS(answer, "peers.json");
	ck_assert_int_eq(say("peers add bob"), EX_DATAERR);
}
END_TEST

/* None of those that come at once is lost. */
START_TEST(many_at_once)
{
	char	args[400], file[300];
	pid_t	pids[12];
	int	i, status;

	for (i = 0; i < 12; i++) {
		snprintf(args, sizeof(args), "peers add p%d --cwd %s", i,
		    sp->dir);
		snprintf(file, sizeof(file), "%s/out.%d", sp->dir, i);
		pids[i] = reeve_in_background(args, file);
	}
	for (i = 0; i < 12; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	SUCCEEDS("peers list --json");
	for (i = 0; i < 12; i++) {
		snprintf(args, sizeof(args), "\"personality\":\"p%d\"", i);
		SAYS(answer, args);
	}
}
END_TEST

START_TEST(a_view_that_is_refreshed)
{
	char	 cmd[900], *at;
	FILE	*f;
	size_t	 n;

	add_peer("ada", "claude");
	snprintf(cmd, sizeof(cmd), "printf '\\n\\nq\\n\\n' | %s/reeve "
	    "--state %s peers --watch --json", getenv("REEVE_BINDIR") == NULL
	    ? "." : getenv("REEVE_BINDIR"), sp->state);
	ck_assert_ptr_nonnull(f = popen(cmd, "r"));
	n = fread(answer, 1, sizeof(answer) - 1, f);
	answer[n] = '\0';
	ck_assert_int_eq(pclose(f), 0);
	/* At the start, and twice when asked. */
	for (n = 0; n < 3; n++) {
		at = strstr(answer, "[{\"personality\":\"ada\"");
		ck_assert_ptr_nonnull(at);
		memmove(answer, at + 1, strlen(at));
	}
	ck_assert_ptr_null(strstr(answer, "[{\"personality\":\"ada\""));
}
END_TEST

/* --- memory ------------------------------------------------------------------------- */

/* A declaration is another's: it does not steer our terminal. */
START_TEST(what_is_declared_is_only_shown)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/memory-provider.json", sp->state);
	write_file(path, "{\"provider\":\"m\\u001b[2J\\nx\",\"package\":\"p\","
	    "\"version\":\"1\\u009b\",\"heartbeat\":\"/\\u0007\","
	    "\"provision\":{\"command\":\"/\\rx\",\"args\":[]}}", 0644);
	SUCCEEDS("memory status");
	SAYS(answer, "memory slot: m [2J x 1  (p)\nheartbeat: never (/ )\n"
	    "provision: / x\nunprovision: none\n");
}
END_TEST

START_TEST(the_five_occasions)
{
	char	expected[600];

	SUCCEEDS("memory");
	SAYS(answer, "empty");
	ck_assert_int_eq(say("memory on --all"), EX_CONFIG);
	SAYS(answer, "empty");
	declare(BOTH, NULL);
	SUCCEEDS("memory status --json");
	SAYS(answer, "\"provider\":\"mem\"");
	ck_assert_int_eq(say("memory on --all"), EX_NOUSER);
	add_peer("ada", "claude,notifier");
	snprintf(expected, sizeof(expected), "in %s claude ada birth\n",
	    sp->dir);
	check_given(expected);
	/* What is born is the runtime that was not there. */
	add_peer("ada", "claude,codex");
	snprintf(expected, sizeof(expected), "in %s codex ada birth\n",
	    sp->dir);
	check_given(expected);
	add_peer("tim", "notifier");
	check_given("");
	SUCCEEDS("memory on --peer ada");
	snprintf(expected, sizeof(expected), "in %s claude ada sweep-on\n"
	    "in %s codex ada sweep-on\n", sp->dir, sp->dir);
	check_given(expected);
	SUCCEEDS("memory off --peer ada");
	check_given("out claude ada off-peer\nout codex ada off-peer\n");
	SUCCEEDS("memory off --all");
	SAYS(answer, "tim: skipped: no agentic runtime\n");
	check_given("out claude ada off-all\nout codex ada off-all\n");
	SUCCEEDS("memory on --peer tim --json");
	SAYS(answer, "skipped-no-agentic-runtime");
	check_given("");
	SUCCEEDS("peers remove ada");
	SAYS(answer, "memory: claude ok\nmemory: codex ok\n");
	check_given("out claude ada remove\nout codex ada remove\n");
	ck_assert_int_eq(say("memory on --peer ada"), EX_NOUSER);
	ck_assert_int_eq(say("memory on"), EX_USAGE);
	ck_assert_int_eq(say("memory on --all --peer tim"), EX_USAGE);
	SUCCEEDS("log --ev memory-provision --json --peer codex-ada");
	SAYS(answer, "\"occasion\":\"remove\",\"state\":\"ok\",\"exit\":0");
}
END_TEST

/* A program that fails, or lacks, is never made up for by the plugin. */
START_TEST(no_way_back_to_the_plugin)
{
	declare("plugin", NULL);
	add_peer("ada", "claude");
	ck_assert_int_eq(say("memory on --all"), EX_CONFIG);
	SAYS(answer, "no provision command");
	declare("plugin +provision", NULL);
	SUCCEEDS("memory on --all");
	given();
	ck_assert_int_eq(say("memory off --all"), EX_CONFIG);
	SAYS(answer, "declares no unprovision command");
	check_given("");
	declare("plugin " BOTH, "echo provider broken >&2; exit 7");
	ck_assert_int_eq(say("memory on --peer ada"), EX_UNAVAILABLE);
	SAYS(answer, "ada: claude failed (exit 7): provider broken\n");
}
END_TEST

START_TEST(life_goes_on_without_memory)
{
	declare(BOTH, "echo vault offline >&2; exit 9");
	add_peer("ada", "claude");
	SAYS(answer, "NOT connected: claude failed (exit 9): vault offline");
	SAYS(answer, "reeve memory on --peer ada");
	SUCCEEDS("peers remove ada");
	SAYS(answer, "memory: claude failed (exit 9): vault offline");
	SAYS(answer, "its folder stays: ");
	SUCCEEDS("peers --json");
	ck_assert_str_eq(answer, "[]\n");
}
END_TEST

START_TEST(a_sandbox_skips_it)
{
	declare(BOTH, NULL);
	setenv("REEVE_SANDBOX", "1", 1);
	add_peer("ada", "claude");
	SUCCEEDS("memory on --all");
	SAYS(answer, "claude skipped: ");
	unsetenv("REEVE_SANDBOX");
	check_given("");
}
END_TEST

/* --- life --------------------------------------------------------------------------------- */

static bool
is_marked(enum peer_mark m)
{
	return peers_marked(&sp->config, "command-critic", m);
}

START_TEST(who_lives_and_who_was_stopped)
{
	char	dir[300];

	snprintf(dir, sizeof(dir), "%s/peers/command-critic", sp->state);
	add_peer("critic", "command");
	SUCCEEDS("peers --json");
	SAYS(answer, "\"state\":\"absent\"");
	spawn("critic");
	SUCCEEDS("peers --json");
	SAYS(answer, "\"state\":\"live\"");
	ck_assert_int_eq(say("peers remove critic"), EX_USAGE);
	SAYS(answer, "--force");
	stop("critic");
	SUCCEEDS("peers");
	SAYS(answer, "stopped");
	ck_assert(is_marked(PEER_STOPPED));
	/* Started again, it is not stopped any more. */
	SUCCEEDS("spawn --again critic");
	ck_assert(!is_marked(PEER_STOPPED));
	stop("critic");
	ck_assert_int_eq(peers_mark(&sp->config, "command-critic",
	    PEER_IDLE, true, NULL), 0);
	ck_assert(is_marked(PEER_STOPPED) && is_marked(PEER_IDLE));
	SUCCEEDS("peers remove critic");
	SAYS(answer, "what was kept of command-critic is removed\n");
	ck_assert_int_eq(access(dir, F_OK), -1);
	/* A namesake begins anew. */
	add_peer("critic", "command");
	SUCCEEDS("peers --json");
	SAYS(answer, "\"state\":\"ended\"");
}
END_TEST

int
main(void)
{
	TCase	*idle = tcase_create("registry"), *life = tcase_create("life");

	tcase_add_checked_fixture(idle, space_setup_idle, space_teardown);
	tcase_set_timeout(idle, 60);
	tcase_add_test(idle, a_registry);
	tcase_add_test(idle, many_at_once);
	tcase_add_test(idle, a_view_that_is_refreshed);
	tcase_add_test(idle, what_is_declared_is_only_shown);
	tcase_add_test(idle, the_five_occasions);
	tcase_add_test(idle, no_way_back_to_the_plugin);
	tcase_add_test(idle, life_goes_on_without_memory);
	tcase_add_test(idle, a_sandbox_skips_it);
	tcase_add_checked_fixture(life, crew_setup, space_teardown);
	tcase_set_timeout(life, 60);
	tcase_add_test(life, who_lives_and_who_was_stopped);
	return test_main("peers", idle, life, NULL);
}
