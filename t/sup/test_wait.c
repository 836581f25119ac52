/* SPDX-License-Identifier: ISC */
#include <sys/resource.h>
#include <sys/stat.h>

#include <check.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "stage.h"

/* `reeve wait` on the files of a real supervisor. */

#define SLEEP	"exec sleep 1000\n"
#define GATED	"read line <gate\necho >&3\n" SLEEP

static char	out[1024];

static void
setup(void)
{
	stage_setup();
	stage_file("state/reeve.conf", "space = t\n"
	    "servers = nats://127.0.0.1:1\n");
}

static const char *
reeve(void)
{
	const char	*dir = getenv("REEVE_BINDIR");
	static char	 full[PATH_MAX + 8];

	ck_assert_ptr_nonnull(realpath(dir == NULL ? "." : dir, full));
	strcat(full, "/reeve");
	return full;
}

static int
waits(const char *args)
{
	return stage_run(out, sizeof(out), "%s wait --state %s %s 2>&1",
	    reeve(), stage_path("state"), args);
}

/* In the background; its exit code will be in the file "code". */
static void
starts_to_wait(const char *args)
{
	stage_run(out, sizeof(out), "{ %s wait --state %s %s >%s 2>&1; "
	    "echo $? >%s.new; mv %s.new %s; } </dev/null >/dev/null 2>&1 &",
	    reeve(), stage_path("state"), args, stage_path("said"),
	    stage_path("code"), stage_path("code"), stage_path("code"));
}

static bool
returned(const char *code)
{
	return strcmp(stage_read("code"), code) == 0;
}

static void
gated(const char *service)
{
	char	path[128];

	stage_service(service, GATED);
	snprintf(path, sizeof(path), "state/service/%s/notification-fd",
	    service);
	stage_file(path, "3\n");
	ck_assert_int_eq(mkfifo(stage_path("state/service/%s/gate", service),
	    0600), 0);
}

/* Begun before there is a supervisor, ended by the readiness. */
START_TEST(returns_when_it_is_ready)
{
	gated("a");
	gated("b");
	starts_to_wait("--ready a --timeout 1h");
	stage_reeved();
	AWAIT(stage_is("a", "up") && stage_is("b", "up"));
	ck_assert_int_eq(waits("--ready b,a --timeout 1s"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, "b (up), a (up)"));
	ck_assert_str_eq(stage_read("code"), "");
	stage_file("state/service/a/gate", "\n");
	AWAIT(returned("0\n"));
	ck_assert(stage_is("a", "ready"));
	ck_assert_int_eq(waits("--ready a --timeout 1h"), EX_OK);
	ck_assert_int_eq(waits("--timeout 1s"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, ": b (up)\n"));
}
END_TEST

/* Those that are not wanted are none of all, but may be waited for. */
START_TEST(all_are_those_that_are_wanted)
{
	stage_service("a", SLEEP);
	stage_service("b", SLEEP);
	stage_file("state/service/b/down", "");
	stage_service("c", SLEEP);
	stage_file("state/service/c/needs", "a\nb\n");
	stage_reeved();
	AWAIT(stage_is("a", "up"));
	ck_assert_int_eq(waits("--ready all --timeout 1s"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, ": c (wait: needs b)\n"));
	ck_assert_int_eq(waits("--ready b --timeout 1s"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, ": b (down)\n"));
	starts_to_wait("--ready all --timeout 1h");
	stage_control("c", "d");
	AWAIT(returned("0\n"));
}
END_TEST

START_TEST(one_that_was_given_up_is_not_waited_for)
{
	stage_service("a", "exit 1\n");
	stage_file("state/service/a/notification-fd", "3\n");
	stage_file("state/service/a/max-death-tally", "3\n");
	starts_to_wait("--timeout 1h");
	stage_reeved();
	AWAIT(returned("69\n"));
	ck_assert_ptr_nonnull(strstr(stage_read("said"),
	    "a was given up (max-death-tally)"));
}
END_TEST

START_TEST(what_cannot_be_waited_for)
{
	stage_service("a", SLEEP);
	ck_assert_int_eq(waits("--ready nobody --timeout 1h"), EX_NOINPUT);
	ck_assert_int_eq(waits("--ready a --timeout soon"), EX_USAGE);
	ck_assert_int_eq(waits("nobody"), EX_NOINPUT);
	ck_assert_int_eq(waits("--ready . --timeout 1s"), EX_NOINPUT);
	ck_assert_int_eq(waits("--timeout 1s ''"), EX_NOINPUT);
	stage_file("state/service/plain", "");
	ck_assert_int_eq(waits("plain --timeout 1s"), EX_NOINPUT);
	ck_assert_int_eq(unlink(stage_path("state/service/plain")), 0);
	ck_assert_int_eq(waits("--ready a --timeout 1s"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, ": a (not supervised)\n"));
}
END_TEST

/* One that comes late, and the supervisor that is killed. */
START_TEST(follows_what_comes_and_goes)
{
	pid_t	reeved;

	stage_service("a", SLEEP);
	reeved = stage_reeved();
	AWAIT(stage_is("a", "up"));
	ck_assert_int_eq(waits("--timeout 1h"), EX_OK);
	kill(reeved, SIGKILL);
	stage_wait(reeved);
	ck_assert_int_eq(waits("--ready a --timeout 1s"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, ": a (not supervised)\n"));
	starts_to_wait("--timeout 1h");
	stage_reeved();
	AWAIT(returned("0\n"));
}
END_TEST

/* Of a time of waiting, next to none is spent at work. */
START_TEST(waiting_is_idle)
{
	struct rusage	before, after;
	long long	used_ms;

	gated("a");
	stage_reeved();
	AWAIT(stage_is("a", "up"));
	getrusage(RUSAGE_CHILDREN, &before);
	ck_assert_int_eq(waits("--ready a --timeout 3s"), EX_TEMPFAIL);
	getrusage(RUSAGE_CHILDREN, &after);
	used_ms = (after.ru_utime.tv_sec - before.ru_utime.tv_sec +
	    after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000 +
	    (after.ru_utime.tv_usec - before.ru_utime.tv_usec +
	    after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1000;
	ck_assert_int_lt(used_ms, 250);
}
END_TEST

/* What runsv runs is up, and says no more. */
START_TEST(under_runsv_up_is_ready)
{
	if (!stage_have("runsv")) {
		fprintf(stderr, "no runsv: skipped\n");
		return;
	}
	stage_service("a", SLEEP);
	stage_file("state/service/a/notification-fd", "3\n");
	starts_to_wait("--timeout 1h");
	stage_run(out, sizeof(out), "setsid runsv %s >/dev/null 2>&1 &",
	    stage_path("state/service/a"));
	AWAIT(returned("0\n"));
}
END_TEST

/* s6 says more, in a format of its own. */
START_TEST(under_s6_it_is_waited_for)
{
	if (!stage_have("s6-supervise")) {
		fprintf(stderr, "no s6-supervise: skipped\n");
		return;
	}
	gated("a");
	stage_service("b", SLEEP);
	stage_run(out, sizeof(out), "for s in a b; do setsid s6-supervise "
	    "%s/$s >/dev/null 2>&1 & done", stage_path("state/service"));
	AWAIT(waits("--ready b --timeout 1s") == EX_OK);
	ck_assert_int_eq(waits("--timeout 1s"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, ": a (up)\n"));
	starts_to_wait("--timeout 1h");
	stage_file("state/service/a/gate", "\n");
	AWAIT(returned("0\n"));
	stage_run(out, sizeof(out), "s6-svc -d %s",
	    stage_path("state/service/a"));
	AWAIT(waits("--ready a --timeout 1s") == EX_TEMPFAIL &&
	    strstr(out, ": a (down)\n") != NULL);
}
END_TEST

/* Why it did not start. */
START_TEST(start_says_what_is_needed)
{
	stage_service("a", SLEEP);
	stage_file("state/service/a/needs", "b\n");
	stage_service("b", SLEEP);
	stage_file("state/service/b/down", "");
	stage_reeved();
	AWAIT(stage_is("a", "wait"));
	ck_assert_int_eq(stage_run(out, sizeof(out), "%s start --state %s "
	    "a 2>&1", reeve(), stage_path("state")), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, "a is not started after 15 s: "
	    "needs b\n"));
	ck_assert_int_eq(stage_run(out, sizeof(out), "%s start --state %s "
	    "b a 2>&1", reeve(), stage_path("state")), EX_OK);
}
END_TEST

/* What reeved left behind says nothing under another supervisor. */
START_TEST(what_reeved_left_behind_is_old)
{
	pid_t	reeved;

	if (!stage_have("runsv")) {
		fprintf(stderr, "no runsv: skipped\n");
		return;
	}
	gated("a");
	stage_file("state/service/a/down", "");
	reeved = stage_reeved();
	AWAIT(stage_is("a", "down"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert_int_eq(unlink(stage_path("state/service/a/down")), 0);
	stage_run(out, sizeof(out), "setsid runsv %s >/dev/null 2>&1 &",
	    stage_path("state/service/a"));
	ck_assert_int_eq(waits("--ready a --timeout 1m"), EX_OK);
}
END_TEST

TCase *
wait_case(void)
{
	TCase	*tc = tcase_create("wait");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, stage_teardown);
	tcase_add_test(tc, returns_when_it_is_ready);
	tcase_add_test(tc, all_are_those_that_are_wanted);
	tcase_add_test(tc, one_that_was_given_up_is_not_waited_for);
	tcase_add_test(tc, what_cannot_be_waited_for);
	tcase_add_test(tc, follows_what_comes_and_goes);
	tcase_add_test(tc, waiting_is_idle);
	tcase_add_test(tc, under_runsv_up_is_ready);
	tcase_add_test(tc, under_s6_it_is_waited_for);
	tcase_add_test(tc, start_says_what_is_needed);
	tcase_add_test(tc, what_reeved_left_behind_is_old);
	return tc;
}
