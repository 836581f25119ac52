/* SPDX-License-Identifier: ISC */
#include <sys/resource.h>
#include <sys/stat.h>

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

/* What the file limits makes of a process, as the kernel says it. */

#define SLEEP	"exec sleep 1000\n"
#define NOBODY	65534

static bool
sleeps(const char *service)
{
	return stage_is(service, "up") && strcmp(stage_read("/proc/%lld/comm",
	    stage_number(service, "pid")), "sleep\n") == 0;
}

static bool
status_has(const char *service, const char *line)
{
	return strstr(stage_read("/proc/%lld/status",
	    stage_number(service, "pid")), line) != NULL;
}

static bool
limit_is(const char *service, const char *name, const char *value)
{
	const char	*line = strstr(stage_read("/proc/%lld/limits",
			    stage_number(service, "pid")), name);
	char		 soft[32] = "", hard[32] = "";

	return line != NULL && sscanf(line + strlen(name), "%31s %31s", soft,
	    hard) == 2 && strcmp(soft, value) == 0 &&
	    strcmp(hard, value) == 0;
}

START_TEST(what_anyone_may_set)
{
	stage_service("a", SLEEP);
	stage_file("state/service/a/limits", "# less of all\n\n"
	    "nofile = 123\n\tmemory 64M\nnice=7  \nno-new-privs\tyes\n");
	stage_file("state/service/a/finish", "#!/bin/sh\n"
	    "nice >finish.nice\n");
	stage_service("b", SLEEP);
	stage_file("state/service/b/limits", "no-new-privs no\n");
	stage_reeved();
	AWAIT(sleeps("a") && sleeps("b"));
	ck_assert(limit_is("a", "Max open files", "123"));
	ck_assert(limit_is("a", "Max data size", "67108864"));
	ck_assert(limit_is("a", "Max nice priority", "0"));
	ck_assert(status_has("a", "NoNewPrivs:\t1\n"));
	ck_assert(status_has("b", "NoNewPrivs:\t0\n"));
	/* field 19 of stat, the 16th after the state */
	ck_assert_ptr_nonnull(strstr(stage_read("/proc/%lld/stat",
	    stage_number("a", "pid")), " 27 7 1 "));
	/* of run alone: finish may clean up what run may not touch */
	stage_control("a", "d");
	AWAIT(stage_is("a", "down"));
	ck_assert_int_eq(atoi(stage_read("state/service/a/finish.nice")),
	    getpriority(PRIO_PROCESS, 0));
}
END_TEST

/* It still has its notification-fd and its variables. */
START_TEST(another_user)
{
	if (geteuid() != 0) {
		fprintf(stderr, "not root: skipped\n");
		return;
	}
	ck_assert_int_eq(chmod(stage_path("."), 0755), 0);
	stage_service("a", "echo >&3\n" SLEEP);
	stage_file("state/service/a/notification-fd", "3\n");
	stage_file("state/service/a/limits", "user nobody\n");
	stage_service("b", "exec sleep $SECONDS_TO_SLEEP\n");
	stage_file("state/service/b/env/SECONDS_TO_SLEEP", "1000\n");
	ck_assert_int_eq(chmod(stage_path(
	    "state/service/b/env/SECONDS_TO_SLEEP"), 0600), 0);
	stage_file("state/service/b/limits",
	    "groups daemon,3, 54321\ngroup = 4242\nuser = 4243\n");
	stage_service("c", SLEEP);
	stage_file("state/service/c/limits", "group 4244\ngroups none\n");
	stage_reeved();
	AWAIT(stage_is("a", "ready") && sleeps("b") && sleeps("c"));
	ck_assert(status_has("a", "Uid:\t65534\t65534\t65534\t65534\n"));
	ck_assert(status_has("a", "Gid:\t65534\t65534\t65534\t65534\n"));
	ck_assert(status_has("a", "Groups:\t65534 \n"));
	ck_assert(status_has("a", "CapEff:\t0000000000000000\n"));
	ck_assert(status_has("b", "Uid:\t4243\t4243\t4243\t4243\n"));
	ck_assert(status_has("b", "Gid:\t4242\t4242\t4242\t4242\n"));
	ck_assert(status_has("b", "Groups:\t1 3 54321 \n"));
	ck_assert(status_has("c", "Uid:\t0\t0\t0\t0\n"));
	ck_assert(status_has("c", "Gid:\t4244\t4244\t4244\t4244\n"));
	ck_assert(status_has("c", "Groups:\t \n"));
}
END_TEST

/* What it is already, anybody may ask for; more, only root gets. */
START_TEST(without_root)
{
	pid_t	reeved;

	if (geteuid() != 0) {
		fprintf(stderr, "not root: skipped\n");
		return;
	}
	stage_service("self", SLEEP);
	stage_file("state/service/self/limits", "user nobody\n");
	stage_service("other", SLEEP);
	stage_file("state/service/other/limits", "\nuser root\n");
	reeved = stage_reeved_as(NOBODY, 0);
	AWAIT(sleeps("self"));
	AWAIT(stage_number("other", "last_exit") == 111);
	ck_assert(stage_logged("bad limits\" service=\"other\" file=limits "
	    "line=2 error=\"user: Operation not permitted\""));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

static const struct {
	const char	*content;
	const char	*said;
} bad[] = {
	{ "nofile 10\nnofiles 10\n", "line=2 error=\"nofiles: there is no "
	    "such key\"" },
	{ "=\n", "line=1 error=\"=: there is no key before it\"" },
	{ "nice 1\n\nnice 1\n", "line=3 error=\"nice: it is given twice\"" },
	{ "nofile\n", "line=1 error=\"nofile: it has no value\"" },
	{ "nofile 0\n", "line=1 error=\"nofile: expected" },
	{ "nofile 1x\n", "line=1 error=\"nofile: expected" },
	{ "nofile 99999999999\n", "line=1 error=\"nofile: expected" },
	{ "memory -1\n", "line=1 error=\"memory: expected" },
	{ "memory 1T\n", "line=1 error=\"memory: expected" },
	{ "memory 9999999999999999999\n", "line=1 error=\"memory: exp" },
	{ "nice 20\n", "line=1 error=\"nice: expected" },
	{ "nice -21\n", "line=1 error=\"nice: expected" },
	{ "no-new-privs maybe\n", "line=1 error=\"no-new-privs: expected" },
	{ "user no-such-user\n", "line=1 error=\"user: there is no such" },
	{ "user 4294967295\n", "line=1 error=\"user: there is no such" },
	{ "user 4243\n", "line=1 error=\"user: it is in no passwd file" },
	{ "\n= 5\n", "line=2 error=\"=: there is no key before it\"" },
	{ "group no-such-group\n", "line=1 error=\"group: there is no" },
	{ "groups daemon no-such\n", "line=1 error=\"groups: there is no" },
};

/* Not started, but an exit with 111 that backs off; mended, it starts. */
START_TEST(a_mistake_is_named_with_its_line)
{
	stage_service("a", SLEEP);
	stage_file("state/service/a/limits", bad[_i].content);
	stage_reeved();
	AWAIT(stage_is("a", "backoff"));
	ck_assert_int_eq(stage_number("a", "last_exit"), 111);
	ck_assert_msg(stage_logged("msg=\"bad limits\" service=\"a\" "
	    "file=limits line=") && stage_logged(bad[_i].said), "%s",
	    stage_read("log"));
	stage_file("state/service/a/limits", "nofile 50\n");
	AWAIT(sleeps("a"));
}
END_TEST

START_TEST(limits_too_large_to_be_any)
{
	char	big[5000];

	memset(big, '\n', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	stage_service("a", SLEEP);
	stage_file("state/service/a/limits", big);
	stage_reeved();
	AWAIT(stage_is("a", "backoff"));
	ck_assert(stage_logged("line=0 error=\"limits: File too large\""));
}
END_TEST

TCase *
limits_case(void)
{
	TCase	*tc = tcase_create("limits");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_test(tc, what_anyone_may_set);
	tcase_add_test(tc, another_user);
	tcase_add_test(tc, without_root);
	tcase_add_loop_test(tc, a_mistake_is_named_with_its_line, 0,
	    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, limits_too_large_to_be_any);
	return tc;
}
