/* SPDX-License-Identifier: ISC */

/* What the supervisor's machine does about a service that ends: back-off, the
 * death tally, finish. */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fake_service.h"
#include "tally.h"

/* What its needs do later does not hold a restart up. */
START_TEST(a_restart_does_not_wait)
{
	struct service	sv;

	fake.unmet = true;
	place(&sv, STATE_UP);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_UP);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_BACKOFF);
	service_event(&sv, EV_TIMER, sv.deadline_ms);
	ck_assert_int_eq(sv.state, STATE_UP);
	place(&sv, STATE_BACKOFF);
	service_event(&sv, EV_CTL_UP, NOW);
	ck_assert_int_eq(sv.state, STATE_UP);
	fake.finish_there = true;
	service_event(&sv, EV_EXIT, NOW);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_UP);
}
END_TEST

/* Die after up_ms, and be started again if it is to be. */
static void
die_once(struct service *sv, int64_t *now_ms, int64_t up_ms)
{
	*now_ms += up_ms;
	sv->wstatus = EXITED(1);
	service_event(sv, EV_EXIT, *now_ms);
	if (sv->state == STATE_BACKOFF) {
		*now_ms = sv->deadline_ms;
		service_event(sv, EV_TIMER, *now_ms);
	}
}

START_TEST(so_many_deaths_are_enough)
{
	struct service	sv;
	int64_t		now = NOW;
	int		i;

	fake.tally_file = 3;
	place(&sv, STATE_UP);
	for (i = 0; i < 2; i++) {
		die_once(&sv, &now, 10);
		ck_assert_int_eq(sv.state, STATE_UP);
	}
	fake.trace[0] = '\0';
	die_once(&sv, &now, 10);
	ck_assert_str_eq(told(&sv), "down,down,given-up:");
	ck_assert_str_eq(sv.given_up, "max-death-tally");
	/* asked for again, it is as new */
	service_event(&sv, EV_CTL_UP, now);
	ck_assert_str_eq(told(&sv), "up,up: run go");
	for (i = 0; i < 2; i++)
		die_once(&sv, &now, 10);
	ck_assert_int_eq(sv.state, STATE_UP);
	die_once(&sv, &now, 10);
	ck_assert_int_eq(sv.state, STATE_DOWN);
	tally_clear(&sv.deaths);
}
END_TEST

/* Of the last three, the first must be within the window. */
START_TEST(deaths_long_ago_do_not_count)
{
	struct service	sv;
	int64_t		now = NOW;
	int		i;

	fake.tally_file = 3;
	fake.window_file_ms = 25000;
	place(&sv, STATE_UP);
	for (i = 0; i < 50; i++)
		die_once(&sv, &now, 13000);
	ck_assert_int_eq(sv.state, STATE_UP);
	die_once(&sv, &now, 12000);
	ck_assert_int_eq(sv.state, STATE_DOWN);
	tally_clear(&sv.deaths);

	/* the default is an hour */
	place(&sv, STATE_UP);
	fake.window_file_ms = -1;
	for (i = 0; i < 5; i++)
		die_once(&sv, &now, DEATH_WINDOW_MS / 2 + 1);
	ck_assert_int_eq(sv.state, STATE_UP);
	die_once(&sv, &now, DEATH_WINDOW_MS / 2 - 1);
	ck_assert_int_eq(sv.state, STATE_DOWN);
	tally_clear(&sv.deaths);
}
END_TEST

START_TEST(asked_for_ends_are_not_tallied)
{
	struct service	sv;
	int		i;

	fake.tally_file = 1;
	place(&sv, STATE_UP);
	for (i = 0; i < 5; i++) {
		service_event(&sv, EV_CTL_TERM, NOW);
		service_event(&sv, EV_EXIT, NOW);
		ck_assert_int_eq(sv.state, STATE_UP);
	}
	sv.want = WANT_ONCE;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_ptr_null(sv.given_up);
	/* 0 means that there is no limit */
	fake.tally_file = 0;
	place(&sv, STATE_UP);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_UP);
}
END_TEST

/* Its finish is run once more, then it is over. */
START_TEST(given_up_has_its_finish)
{
	struct service	sv;

	fake.finish_there = true;
	fake.tally_file = 1;
	place(&sv, STATE_UP);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "finish,down,given-up: finish go");
	sv.wstatus = EXITED(0);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_DOWN);
	tally_clear(&sv.deaths);
}
END_TEST

START_TEST(finish_may_give_up)
{
	struct service	sv;

	fake.finish_there = true;
	place(&sv, STATE_UP);
	sv.wstatus = EXITED(1);
	service_event(&sv, EV_EXIT, NOW);
	sv.wstatus = EXITED(124);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_UP);
	sv.wstatus = EXITED(1);
	service_event(&sv, EV_EXIT, NOW);
	sv.wstatus = EXITED(FINISH_GIVES_UP);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_DOWN);
	ck_assert_str_eq(sv.given_up, "finish");
	/* one that was stopped anyway has given nothing up */
	place(&sv, STATE_FINISH);
	sv.want = WANT_DOWN;
	sv.wstatus = EXITED(FINISH_GIVES_UP);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_ptr_null(sv.given_up);
}
END_TEST

START_TEST(first_restart_is_immediate_then_doubles)
{
	static const int64_t	expected[] = { 0, 100, 200, 400, 800, 1600,
		3200, 6400, 12800, 25600, 30000, 30000, 30000 };
	struct service		sv;
	int64_t			now = NOW;
	size_t			i;

	place(&sv, STATE_DOWN);
	service_event(&sv, EV_START, now);
	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		now += 10;
		sv.wstatus = EXITED(1);
		service_event(&sv, EV_EXIT, now);
		if (expected[i] != 0) {
			ck_assert_int_eq(sv.state, STATE_BACKOFF);
			ck_assert_int_eq(sv.deadline_ms - now, expected[i]);
			ck_assert_uint_eq(fake.random_bound,
			    expected[i] / 4 + 1);
			now = sv.deadline_ms;
			service_event(&sv, EV_TIMER, now);
		}
		ck_assert_int_eq(sv.state, STATE_UP);
		ck_assert_uint_eq(sv.starts, i + 2);
	}
}
END_TEST

START_TEST(jitter_shortens_by_up_to_a_quarter)
{
	struct service	sv;

	place(&sv, STATE_UP);
	sv.failures = 3;
	fake.random_value = 100;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.deadline_ms, NOW + 400 - 100);
}
END_TEST

START_TEST(ten_seconds_up_forget_failures)
{
	struct service	sv;

	place(&sv, STATE_UP);
	sv.failures = 7;
	sv.started_ms = NOW - BACKOFF_RESET_MS + 1;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_BACKOFF);

	place(&sv, STATE_UP);
	sv.failures = 7;
	sv.started_ms = NOW - BACKOFF_RESET_MS;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_UP);
	ck_assert_uint_eq(sv.failures, 1);
}
END_TEST

/* An operator who restarts often is not a service that fails often. */
START_TEST(asked_for_exit_is_no_failure)
{
	struct service	sv;

	place(&sv, STATE_READY);
	sv.failures = 5;
	service_event(&sv, EV_CTL_TERM, NOW);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_UP);
	ck_assert_uint_eq(sv.failures, 5);
	ck_assert(!sv.got_term);
	/* and the next one is a failure again */
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_BACKOFF);
}
END_TEST

START_TEST(down_forgets_failures)
{
	struct service	sv;

	place(&sv, STATE_BACKOFF);
	sv.failures = 5;
	service_event(&sv, EV_CTL_DOWN, NOW);
	ck_assert_uint_eq(sv.failures, 0);
	ck_assert(sv.deadline_ms == NEVER);
}
END_TEST

START_TEST(a_fork_that_fails_is_tried_again)
{
	struct service	sv;

	place(&sv, STATE_DOWN);
	fake.spawn_fails = true;
	service_event(&sv, EV_START, NOW);
	ck_assert_str_eq(told(&sv), "backoff,up: run");
	ck_assert_uint_eq(sv.starts, 0);
	fake.spawn_fails = false;
	service_event(&sv, EV_TIMER, sv.deadline_ms);
	ck_assert_int_eq(sv.state, STATE_UP);
}
END_TEST

START_TEST(finish_follows_run)
{
	struct service	sv;

	place(&sv, STATE_READY);
	fake.finish_there = true;
	sv.wstatus = EXITED(3);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "finish,up: finish go");
	ck_assert_int_eq(sv.last_exit, 3);
	ck_assert_int_eq(sv.last_signal, 0);
	ck_assert_int_eq(sv.deadline_ms, NOW + FINISH_KILL_MS);
	sv.wstatus = EXITED(0);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "up,up: finish go run go");
	ck_assert(sv.deadline_ms == NEVER);
	ck_assert_int_eq(sv.last_exit, 3);
}
END_TEST

START_TEST(finish_has_its_time)
{
	struct service	sv;

	fake.finish_there = true;
	place(&sv, STATE_UP);
	fake.finish_file_ms = 70;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.deadline_ms, NOW + 70);
	service_event(&sv, EV_TIMER, NOW + 70);
	ck_assert_ptr_nonnull(strstr(fake.trace, "all-KILL"));
	ck_assert(sv.deadline_ms == NEVER);

	place(&sv, STATE_UP);
	fake.finish_file_ms = 0;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert(sv.deadline_ms == NEVER);
}
END_TEST

START_TEST(a_finish_that_cannot_fork_is_passed_over)
{
	struct service	sv;

	place(&sv, STATE_UP);
	fake.finish_there = fake.spawn_fails = true;
	sv.want = WANT_DOWN;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "down,down: finish");
}
END_TEST

START_TEST(a_hurried_service_has_no_finish)
{
	struct service	sv;

	place(&sv, STATE_UP);
	fake.finish_there = true;
	service_event(&sv, EV_HURRY, NOW);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "down,down,final,hurried: all-KILL");
}
END_TEST

START_TEST(death_by_signal_is_recorded)
{
	struct service	sv;

	place(&sv, STATE_UP);
	sv.wstatus = SIGKILL;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.last_exit, -1);
	ck_assert_int_eq(sv.last_signal, SIGKILL);
}
END_TEST

static time_t	stepped_s;

/* Between the machine and libc: the clock on the wall may be set. */
int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (syscall(SYS_clock_gettime, clock, ts) == -1)
		return -1;
	if (clock == CLOCK_REALTIME)
		ts->tv_sec -= stepped_s;
	return 0;
}

/* What is timed does not look at it; what is shown is what it says. */
START_TEST(a_clock_that_steps_back)
{
	struct service	sv;
	int64_t		since_ms;

	stepped_s = 0;
	place(&sv, STATE_UP);
	sv.failures = 3;
	since_ms = sv.since_ms;
	stepped_s = 86400;
	service_event(&sv, EV_EXIT, NOW);
	stepped_s = 0;
	ck_assert_int_eq(sv.state, STATE_BACKOFF);
	ck_assert_int_eq(sv.deadline_ms, NOW + 400);
	ck_assert_int_lt(sv.since_ms, since_ms);
	service_event(&sv, EV_TIMER, NOW + 400);
	ck_assert_int_eq(sv.state, STATE_UP);
	ck_assert_int_eq(sv.started_ms, NOW + 400);
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("restarts");
	TCase	*tc;
	SRunner	*runner;
	int	 failed;

	tc = tcase_create("restarts");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, first_restart_is_immediate_then_doubles);
	tcase_add_test(tc, jitter_shortens_by_up_to_a_quarter);
	tcase_add_test(tc, ten_seconds_up_forget_failures);
	tcase_add_test(tc, asked_for_exit_is_no_failure);
	tcase_add_test(tc, down_forgets_failures);
	tcase_add_test(tc, a_fork_that_fails_is_tried_again);
	tcase_add_test(tc, finish_follows_run);
	tcase_add_test(tc, finish_has_its_time);
	tcase_add_test(tc, a_finish_that_cannot_fork_is_passed_over);
	tcase_add_test(tc, a_hurried_service_has_no_finish);
	tcase_add_test(tc, death_by_signal_is_recorded);
	tcase_add_test(tc, a_restart_does_not_wait);
	tcase_add_test(tc, so_many_deaths_are_enough);
	tcase_add_test(tc, deaths_long_ago_do_not_count);
	tcase_add_test(tc, asked_for_ends_are_not_tallied);
	tcase_add_test(tc, given_up_has_its_finish);
	tcase_add_test(tc, finish_may_give_up);
	tcase_add_test(tc, a_clock_that_steps_back);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
