/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

/* Which service is started when, and when no more. */

#define SLEEP	"exec sleep 1000\n"
#define STARTED	"echo ${PWD##*/} >>../../../started\n" SLEEP
/* Ready when somebody has written to its gate. */
#define GATED	"read line <gate\necho >&3\n" SLEEP

static void
needs(const char *service, const char *content)
{
	char	path[128];

	snprintf(path, sizeof(path), "state/service/%s/needs", service);
	stage_file(path, content);
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

static void
open_gate(const char *service)
{
	char	path[128];

	snprintf(path, sizeof(path), "state/service/%s/gate", service);
	stage_file(path, "\n");
}

static bool
has_reason(const char *service, const char *reason)
{
	return strcmp(stage_value(service, "reason"), reason) == 0;
}

/* Where in the log. */
static long
start_logged(const char *service)
{
	const char	*log = stage_read("log"), *p;
	char		 text[64];

	snprintf(text, sizeof(text), "msg=\"started\" service=\"%s\"",
	    service);
	ck_assert_ptr_nonnull(p = strstr(log, text));
	return p - log;
}

START_TEST(waits_until_its_needs_are_ready)
{
	char	out[256];

	gated("b");
	stage_service("a", SLEEP);
	needs("a", "# the gated one\n\n \tb \n");
	stage_service("c", SLEEP);
	stage_reeved();
	AWAIT(stage_is("b", "up") && stage_is("c", "up"));
	AWAIT(stage_is("a", "wait"));
	ck_assert(has_reason("a", "needs b"));
	ck_assert_str_eq(stage_value("a", "want"), "up");
	ck_assert(!stage_logged("all ready"));
	if (stage_have("sv")) {
		stage_run(out, sizeof(out), "sv status a");
		ck_assert_ptr_nonnull(strstr(out,
		    "s, normally up, want up\n"));
		ck_assert_int_eq(strncmp(out, "down: a: ", 9), 0);
	}
	open_gate("b");
	AWAIT(stage_is("b", "ready") && stage_is("a", "up"));
	ck_assert(has_reason("a", ""));
	AWAIT(stage_logged("all ready"));
}
END_TEST

/* A chain against the order of names; to run is enough where nobody says
 * more.  It is stopped the other way round. */
START_TEST(orders_start_and_stop)
{
	static const char	script[] = "me=${PWD##*/}\n"
	    "trap 'echo $me >>../../../stopped; exit 0' TERM\n"
	    "echo $me >>../../../started\n"
	    "while :; do sleep 0.01; done\n";
	pid_t			reeved;

	stage_service("a", script);
	needs("a", "b\nz\n");
	stage_service("b", script);
	needs("b", "c\n");
	stage_service("c", script);
	stage_service("z", script);
	reeved = stage_reeved();
	AWAIT(stage_lines("started") == 4);
	AWAIT(stage_logged("all ready"));
	ck_assert_int_lt(start_logged("c"), start_logged("b"));
	ck_assert_int_lt(start_logged("b"), start_logged("a"));
	ck_assert_int_lt(start_logged("z"), start_logged("a"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert_str_eq(stage_read("stopped"), "a\nz\nb\nc\n");
}
END_TEST

START_TEST(waits_for_one_that_is_not_there_yet)
{
	stage_service("a", SLEEP);
	needs("a", "later\n");
	stage_reeved();
	AWAIT(stage_is("a", "wait"));
	AWAIT(stage_logged("needs an unknown service, waits\" service=\"a\" "
	    "needs=\"later\""));
	stage_file("new/run", "#!/bin/sh\n" SLEEP);
	stage_move("new", "state/service/later");
	AWAIT(stage_is("later", "up") && stage_is("a", "up"));
	/* gone again, it holds nobody up that runs */
	stage_move("state/service/later", "new");
	AWAIT(stage_logged("msg=\"forgotten\" service=\"later\""));
	ck_assert(stage_is("a", "up"));
	stage_control("a", "d");
	AWAIT(stage_is("a", "down"));
	stage_control("a", "u");
	AWAIT(stage_is("a", "wait") && has_reason("a", "needs later"));
}
END_TEST

/* What is read anew is what counts, and what is said. */
START_TEST(needs_that_change)
{
	pid_t	reeved;

	stage_service("a", SLEEP);
	needs("a", "x\n");
	stage_service("b", SLEEP);
	stage_file("state/service/b/down", "");
	reeved = stage_reeved();
	AWAIT(has_reason("a", "needs x"));
	needs("a", "y\n");
	kill(reeved, SIGHUP);
	AWAIT(has_reason("a", "needs y"));
	/* met by what was read last, not by what is there now */
	needs("a", "b\n");
	kill(reeved, SIGHUP);
	AWAIT(has_reason("a", "needs b"));
	needs("a", "z\n");
	stage_control("b", "u");
	AWAIT(has_reason("a", "needs z"));
	ck_assert(stage_is("a", "wait"));
	ck_assert_int_eq(stage_number("a", "starts"), 0);
}
END_TEST

START_TEST(one_that_is_down_is_not_pulled_up)
{
	stage_service("a", SLEEP);
	needs("a", "b\n");
	stage_service("b", SLEEP);
	stage_file("state/service/b/down", "");
	stage_reeved();
	AWAIT(stage_is("a", "wait") && stage_is("b", "down"));
	stage_control("b", "u");
	AWAIT(stage_is("b", "up") && stage_is("a", "up"));
	/* and a that runs does not go with it */
	stage_control("b", "d");
	AWAIT(stage_is("b", "down"));
	ck_assert(stage_is("a", "up"));
	ck_assert_int_eq(stage_number("a", "starts"), 1);
}
END_TEST

START_TEST(a_circle_is_not_started)
{
	pid_t	reeved;

	stage_service("a", STARTED);
	needs("a", "b\n");
	stage_service("b", STARTED);
	needs("b", "c\n");
	stage_service("c", STARTED);
	needs("c", "a\n");
	stage_service("self", STARTED);
	needs("self", "self\n");
	stage_service("z", STARTED);
	reeved = stage_reeved();
	AWAIT(stage_is("z", "up"));
	AWAIT(stage_is("a", "wait") && stage_is("b", "wait") &&
	    stage_is("c", "wait") && stage_is("self", "wait"));
	ck_assert(stage_logged("needs itself, not started\" service=\"a\" "
	    "through=\"a b c\""));
	ck_assert(stage_logged("needs itself, not started\" service=\"self\" "
	    "through=\"self\""));
	ck_assert(!stage_logged("all ready"));
	/* broken, it goes on as soon as it is looked at anew */
	ck_assert_int_eq(unlink(stage_path("state/service/c/needs")), 0);
	kill(reeved, SIGHUP);
	AWAIT(stage_lines("started") == 4);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert_uint_eq(stage_lines("started"), 4);
	ck_assert_ptr_null(strstr(stage_read("started"), "self"));
}
END_TEST

/* A stop finds its way out of a circle that was made while all ran. */
START_TEST(a_circle_stops)
{
	pid_t	reeved;

	stage_service("a", SLEEP);
	stage_service("b", SLEEP);
	needs("b", "a\n");
	stage_service("w", SLEEP);
	needs("w", "w\n");
	reeved = stage_reeved();
	AWAIT(stage_is("a", "up") && stage_is("b", "up"));
	needs("a", "b\n");
	stage_control("a", "d");
	AWAIT(stage_is("a", "down"));
	stage_control("a", "u");
	AWAIT(stage_is("a", "up"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert(stage_is("a", "down") && stage_is("b", "down") &&
	    stage_is("w", "down"));
}
END_TEST

START_TEST(needs_that_cannot_be_read)
{
	char	big[20000];
	pid_t	reeved;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	stage_service("a", SLEEP);
	needs("a", big);
	stage_service("b", SLEEP);
	stage_file("state/service/b/needs/x", "a directory");
	reeved = stage_reeved();
	AWAIT(stage_is("a", "wait") && stage_is("b", "wait"));
	AWAIT(has_reason("a", "needs (unreadable)"));
	ck_assert(stage_logged("cannot read needs, not started\" service=\"a\""));
	ck_assert(stage_logged("cannot read needs, not started\" service=\"b\""));
	needs("a", "");
	kill(reeved, SIGHUP);
	AWAIT(stage_is("a", "up"));
}
END_TEST

START_TEST(enough_deaths_are_given_up)
{
	stage_service("a", "exit 1\n");
	stage_file("state/service/a/max-death-tally", "3\n");
	stage_service("b", SLEEP);
	stage_reeved();
	AWAIT(stage_is("a", "down") && has_reason("a", "max-death-tally"));
	ck_assert_int_eq(stage_number("a", "starts"), 3);
	ck_assert_str_eq(stage_value("a", "want"), "down");
	ck_assert_int_eq(stage_number("a", "last_exit"), 1);
	ck_assert(stage_logged("given up\" service=\"a\" "
	    "why=\"max-death-tally\""));
	stage_control("a", "u");
	AWAIT(stage_number("a", "starts") == 6 && stage_is("a", "down"));
	ck_assert(has_reason("a", "max-death-tally"));
	stage_service("a", SLEEP);
	stage_control("a", "u");
	AWAIT(stage_is("a", "up") && has_reason("a", ""));
	ck_assert_int_eq(stage_number("b", "starts"), 1);
}
END_TEST

START_TEST(finish_gives_up)
{
	stage_service("a", "exit 3\n");
	stage_file("state/service/a/finish",
	    "#!/bin/sh\n[ \"$1\" = 3 ] && exit 125\nexit 0\n");
	stage_reeved();
	AWAIT(stage_is("a", "down") && has_reason("a", "finish"));
	ck_assert_int_eq(stage_number("a", "starts"), 1);
}
END_TEST

TCase *
needs_case(void)
{
	TCase	*tc = tcase_create("needs");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_test(tc, waits_until_its_needs_are_ready);
	tcase_add_test(tc, orders_start_and_stop);
	tcase_add_test(tc, waits_for_one_that_is_not_there_yet);
	tcase_add_test(tc, needs_that_change);
	tcase_add_test(tc, one_that_is_down_is_not_pulled_up);
	tcase_add_test(tc, a_circle_is_not_started);
	tcase_add_test(tc, a_circle_stops);
	tcase_add_test(tc, needs_that_cannot_be_read);
	tcase_add_test(tc, enough_deaths_are_given_up);
	tcase_add_test(tc, finish_gives_up);
	return tc;
}
