/* SPDX-License-Identifier: ISC */

/* The supervisor's machine: each pair of state and event is compared with a
 * sentence, and what it promises of orders is tried. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_service.h"

/* What becomes of a wanted service without finish, that has not failed yet,
 * in the order of the states. */
static const struct {
	const char	*name;
	const char	*becomes[STATE_MAX];
} table[EV_MAX] = {
	[EV_START] = { "start", {
		"up,up: run go", "up,up: run go", "up,up:", "ready,up:",
		"finish,up:", "backoff,up:",
		"orphan,up,term: TERM CONT" } },
	[EV_EXIT] = { "exit", {
		"down,up:", "wait,up:", "up,up: run go", "up,up: run go",
		"up,up: run go", "backoff,up:",
		"up,up: run go" } },
	[EV_NOTIFY] = { "notify", {
		"down,up:", "wait,up:", "ready,up:", "ready,up:", "finish,up:",
		"backoff,up:",
		"orphan,up:" } },
	[EV_TIMER] = { "timer", {
		"down,up:", "wait,up:", "up,up: all-KILL",
		"ready,up: all-KILL", "finish,up: all-KILL",
		"up,up: run go",
		"orphan,up,term: TERM CONT" } },
	[EV_GONE] = { "gone", {
		"down,down,gone,final:", "down,down,gone,final:",
		"up,down,term,gone,final: TERM CONT",
		"ready,down,term,gone,final: TERM CONT",
		"finish,down,gone,final:", "down,down,gone,final:",
		"orphan,down,gone,final:" } },
	[EV_STOP] = { "stop", {
		"down,down,final:", "down,down,final:",
		"up,down,term,final: TERM CONT",
		"ready,down,term,final: TERM CONT", "finish,down,final:",
		"down,down,final:",
		"orphan,down,final:" } },
	[EV_HURRY] = { "hurry", {
		"down,down,final,hurried:", "down,down,final,hurried:",
		"up,down,final,hurried: all-KILL",
		"ready,down,final,hurried: all-KILL",
		"finish,down,final,hurried: all-KILL",
		"down,down,final,hurried:",
		"orphan,down,final,hurried: all-KILL" } },
	[EV_CTL_UP] = { "u", {
		"up,up: run go", "up,up: run go", "up,up:", "ready,up:",
		"finish,up:", "up,up: run go",
		"orphan,up:" } },
	[EV_CTL_DOWN] = { "d", {
		"down,down:", "down,down:", "up,down,term: TERM CONT",
		"ready,down,term: TERM CONT", "finish,down:", "down,down:",
		"orphan,down:" } },
	[EV_CTL_ONCE] = { "o", {
		"up,once: run go", "up,once: run go", "up,once:",
		"ready,once:", "finish,down:", "up,once: run go",
		"orphan,once:" } },
	[EV_CTL_EXIT] = { "x", {
		"down,down,leaving:", "down,down,leaving:",
		"up,down,term,leaving: TERM CONT",
		"ready,down,term,leaving: TERM CONT", "finish,down,leaving:",
		"down,down,leaving:",
		"orphan,down,leaving:" } },
	[EV_CTL_TERM] = { "t", {
		"down,up:", "wait,up:", "up,up,term: TERM",
		"ready,up,term: TERM", "finish,up:", "backoff,up:",
		"orphan,up:" } },
	[EV_CTL_KILL] = { "k", {
		"down,up:", "wait,up:", "up,up: all-KILL",
		"ready,up: all-KILL", "finish,up: all-KILL", "backoff,up:",
		"orphan,up: all-KILL" } },
	[EV_CTL_PAUSE] = { "p", {
		"down,up,paused:", "wait,up,paused:", "up,up,paused: STOP",
		"ready,up,paused: STOP", "finish,up,paused:",
		"backoff,up,paused:",
		"orphan,up:" } },
	[EV_CTL_CONT] = { "c", {
		"down,up:", "wait,up:", "up,up: CONT", "ready,up: CONT",
		"finish,up:", "backoff,up:",
		"orphan,up:" } },
	[EV_CTL_HUP] = { "h", {
		"down,up:", "wait,up:", "up,up: HUP", "ready,up: HUP",
		"finish,up:", "backoff,up:",
		"orphan,up:" } },
	[EV_CTL_ALRM] = { "a", {
		"down,up:", "wait,up:", "up,up: ALRM", "ready,up: ALRM",
		"finish,up:", "backoff,up:",
		"orphan,up:" } },
	[EV_CTL_INT] = { "i", {
		"down,up:", "wait,up:", "up,up: INT", "ready,up: INT",
		"finish,up:", "backoff,up:",
		"orphan,up:" } },
	[EV_CTL_QUIT] = { "q", {
		"down,up:", "wait,up:", "up,up: QUIT", "ready,up: QUIT",
		"finish,up:", "backoff,up:",
		"orphan,up:" } },
	[EV_CTL_USR1] = { "1", {
		"down,up:", "wait,up:", "up,up: USR1", "ready,up: USR1",
		"finish,up:", "backoff,up:",
		"orphan,up:" } },
	[EV_CTL_USR2] = { "2", {
		"down,up:", "wait,up:", "up,up: USR2", "ready,up: USR2",
		"finish,up:", "backoff,up:",
		"orphan,up:" } },
};

START_TEST(every_state_with_every_event)
{
	enum service_event	 ev = (enum service_event)(_i / STATE_MAX);
	enum service_state	 state = (enum service_state)(_i % STATE_MAX);
	struct service		 sv;

	place(&sv, state);
	service_event(&sv, ev, NOW);
	ck_assert_msg(strcmp(told(&sv), table[ev].becomes[state]) == 0,
	    "%s in %s: got '%s', expected '%s'", table[ev].name,
	    service_state_name(state), told(&sv), table[ev].becomes[state]);
	/* What it is now, others know. */
	if (sv.state != state)
		ck_assert_int_eq(fake.published_state, sv.state);
	ck_assert_int_eq(sv.pid != 0, sv.state == STATE_UP ||
	    sv.state == STATE_READY || sv.state == STATE_FINISH ||
	    sv.state == STATE_ORPHAN);
}
END_TEST

/* Once final, nothing starts it any more, in whatever state it is. */
START_TEST(final_never_starts)
{
	enum service_event	 ev = (enum service_event)(_i / STATE_MAX);
	enum service_state	 state = (enum service_state)(_i % STATE_MAX);
	struct service		 sv;

	place(&sv, state);
	service_event(&sv, EV_STOP, NOW);
	fake.trace[0] = '\0';
	service_event(&sv, ev, NOW);
	ck_assert_ptr_null(strstr(fake.trace, "run"));
	if (sv.pid != 0)
		service_event(&sv, EV_EXIT, NOW);
	ck_assert_ptr_null(strstr(fake.trace, "run"));
	ck_assert_int_eq(sv.state, STATE_DOWN);
	ck_assert_int_eq(sv.want, WANT_DOWN);
}
END_TEST

/* While its needs are not met, nothing starts what is down. */
START_TEST(unmet_waits)
{
	static const enum service_event evs[] = { EV_START, EV_CTL_UP,
		EV_CTL_ONCE };
	struct service	sv;
	size_t		i;

	fake.unmet = true;
	for (i = 0; i < sizeof(evs) / sizeof(evs[0]); i++) {
		place(&sv, STATE_DOWN);
		service_event(&sv, evs[i], NOW);
		ck_assert_str_eq(told(&sv), evs[i] == EV_CTL_ONCE ?
		    "wait,once:" : "wait,up:");
		ck_assert(sv.deadline_ms == NEVER);
		service_event(&sv, EV_START, NOW);
		ck_assert_int_eq(sv.state, STATE_WAIT);
	}
	fake.unmet = false;
	service_event(&sv, EV_START, NOW);
	ck_assert_str_eq(told(&sv), "up,once: run go");
	/* one that was not asked for does not start with its needs */
	place(&sv, STATE_DOWN);
	sv.want = WANT_DOWN;
	service_event(&sv, EV_START, NOW);
	ck_assert_int_eq(sv.state, STATE_DOWN);
}
END_TEST

START_TEST(bytes_are_runits)
{
	enum service_event	ev;

	for (ev = EV_CTL_UP; ev < EV_MAX; ev++)
		ck_assert_int_eq(service_control_event(table[ev].name[0]), ev);
	ck_assert_int_eq(service_control_event('\0'), EV_MAX);
	ck_assert_int_eq(service_control_event('z'), EV_MAX);
	ck_assert_int_eq(service_control_event('\n'), EV_MAX);
}
END_TEST

START_TEST(once_is_once)
{
	struct service	sv;

	place(&sv, STATE_DOWN);
	sv.want = WANT_DOWN;
	service_event(&sv, EV_CTL_ONCE, NOW);
	ck_assert_str_eq(told(&sv), "up,once: run go");
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "down,down: run go");

	/* asked for during finish, it is not one more time */
	fake.finish_there = true;
	place(&sv, STATE_UP);
	sv.want = WANT_ONCE;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.want, WANT_DOWN);
	service_event(&sv, EV_CTL_ONCE, NOW);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_DOWN);
	ck_assert_int_eq(sv.want, WANT_DOWN);
}
END_TEST

START_TEST(up_during_a_stop_starts_again)
{
	struct service	sv;

	place(&sv, STATE_READY);
	service_event(&sv, EV_CTL_DOWN, NOW);
	service_event(&sv, EV_CTL_UP, NOW);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "up,up: TERM CONT run go");
}
END_TEST

START_TEST(up_takes_exit_back)
{
	struct service	sv;

	place(&sv, STATE_READY);
	service_event(&sv, EV_CTL_EXIT, NOW);
	ck_assert(sv.leaving);
	service_event(&sv, EV_CTL_UP, NOW);
	ck_assert(!sv.leaving);
}
END_TEST

/* control: TERM with no file to limit it waits for ever; with reeved or the
 * directory behind it, it does not */
START_TEST(who_kills_after_term)
{
	static const struct {
		enum service_event	ev;
		int64_t			file_ms, after_ms;
	} cases[] = {
		{ EV_CTL_DOWN, -1, NEVER }, { EV_CTL_DOWN, 500, 500 },
		{ EV_CTL_TERM, -1, NEVER }, { EV_CTL_TERM, 500, 500 },
		{ EV_CTL_EXIT, -1, NEVER }, { EV_CTL_EXIT, 500, 500 },
		{ EV_STOP, -1, STOP_KILL_MS }, { EV_STOP, 500, 500 },
		{ EV_GONE, -1, STOP_KILL_MS }, { EV_GONE, 500, 500 },
		{ EV_STOP, 0, NEVER }, { EV_CTL_DOWN, 0, NEVER },
		{ EV_STOP, 60000, 60000 },
	};
	struct service	sv;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		place(&sv, STATE_READY);
		fake.kill_file_ms = cases[i].file_ms;
		service_event(&sv, cases[i].ev, NOW);
		ck_assert_int_eq(sv.deadline_ms, cases[i].after_ms == NEVER ?
		    NEVER : NOW + cases[i].after_ms);
	}
}
END_TEST

START_TEST(the_earlier_deadline_stands)
{
	struct service	sv;

	place(&sv, STATE_READY);
	fake.kill_file_ms = 500;
	service_event(&sv, EV_CTL_TERM, NOW);
	service_event(&sv, EV_CTL_DOWN, NOW + 400);
	ck_assert_int_eq(sv.deadline_ms, NOW + 500);
}
END_TEST

/* What is not to come again is not left stopped, with TERM pending. */
START_TEST(term_wakes_what_runs_once)
{
	struct service	sv;

	place(&sv, STATE_READY);
	sv.want = WANT_ONCE;
	service_event(&sv, EV_CTL_PAUSE, NOW);
	service_event(&sv, EV_CTL_TERM, NOW);
	ck_assert_str_eq(told(&sv), "ready,once,paused,term: STOP TERM CONT");
}
END_TEST

/* A role reads its own supervise/reeve to tell a stop from a restart. */
START_TEST(wish_is_written_before_term)
{
	static const enum service_event evs[] = { EV_CTL_DOWN, EV_CTL_EXIT,
		EV_STOP, EV_GONE };
	struct service	sv;
	size_t		i;

	for (i = 0; i < sizeof(evs) / sizeof(evs[0]); i++) {
		fake.want_at_term = WANT_UP;
		place(&sv, STATE_READY);
		service_event(&sv, evs[i], NOW);
		ck_assert_int_eq(fake.want_at_term, WANT_DOWN);
	}
	place(&sv, STATE_READY);
	service_event(&sv, EV_CTL_TERM, NOW);
	ck_assert_int_eq(fake.want_at_term, WANT_UP);
}
END_TEST

START_TEST(pause_and_continue)
{
	struct service	sv;

	place(&sv, STATE_UP);
	service_event(&sv, EV_CTL_PAUSE, NOW);
	ck_assert(sv.paused);
	service_event(&sv, EV_CTL_CONT, NOW);
	ck_assert(!sv.paused);
	/* as runsv: until it is told to go on, or another one runs */
	service_event(&sv, EV_CTL_PAUSE, NOW);
	service_event(&sv, EV_CTL_DOWN, NOW);
	ck_assert(sv.paused);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert(sv.paused);
	service_event(&sv, EV_CTL_UP, NOW);
	ck_assert(!sv.paused);
}
END_TEST

START_TEST(a_log_ends_with_its_input)
{
	struct service	main_sv, sv;

	place(&main_sv, STATE_DOWN);
	place(&sv, STATE_UP);
	sv.main = &main_sv;
	service_event(&sv, EV_CTL_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "up,up:");
	service_event(&sv, EV_STOP, NOW);
	ck_assert_str_eq(told(&sv), "up,down,final: CONT");
	ck_assert_int_eq(sv.deadline_ms, NOW + STOP_KILL_MS);
	place(&sv, STATE_DOWN);
	sv.main = &main_sv;
	service_event(&sv, EV_CTL_EXIT, NOW);
	ck_assert(!sv.leaving);
}
END_TEST

/* Told at once, killed when its time is over, and nothing is started before
 * the last of it is gone. */
START_TEST(an_orphan_has_its_time)
{
	static const int64_t	files[] = { -1, 500, 0 };
	struct service		sv;
	size_t			i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		fake.kill_file_ms = files[i];
		place(&sv, STATE_ORPHAN);
		fake.trace[0] = '\0';
		service_event(&sv, EV_START, NOW);
		ck_assert(sv.deadline_ms == (files[i] == 0 ? NEVER : NOW +
		    (files[i] == -1 ? STOP_KILL_MS : files[i])));
	}
	service_event(&sv, EV_TIMER, NOW);
	ck_assert(sv.deadline_ms == NEVER);
	fake.remains = SOME_LEFT;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "orphan,up,term: TERM CONT all-KILL");
	ck_assert_int_eq(sv.pid, RUN_PID);
	fake.remains = NOTHING_LEFT;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "up,up: TERM CONT all-KILL run go");
	ck_assert(sv.deadline_ms == NEVER);
	/* what it needs, or that it is down, is asked as ever */
	fake.unmet = true;
	place(&sv, STATE_ORPHAN);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_WAIT);
	fake.unmet = false;
	place(&sv, STATE_ORPHAN);
	sv.want = WANT_DOWN;
	fake.trace[0] = '\0';
	service_event(&sv, EV_START, NOW);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "down,down: TERM CONT");
}
END_TEST

/* Nothing is started beside what may be left: it is asked until it is known. */
START_TEST(an_orphan_of_which_nothing_is_known)
{
	struct service	sv;

	place(&sv, STATE_ORPHAN);
	fake.trace[0] = '\0';
	service_event(&sv, EV_START, NOW);
	fake.remains = UNKNOWN_LEFT;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert(sv.deadline_ms == NOW + ORPHAN_AGAIN_MS);
	service_event(&sv, EV_TIMER, sv.deadline_ms);
	ck_assert(sv.deadline_ms == NOW + 2 * ORPHAN_AGAIN_MS);
	ck_assert_str_eq(told(&sv), "orphan,up,term: TERM CONT");
	fake.remains = SOME_LEFT;
	service_event(&sv, EV_TIMER, sv.deadline_ms);
	ck_assert(sv.deadline_ms == NEVER);
	ck_assert_int_eq(sv.state, STATE_ORPHAN);
	fake.remains = NOTHING_LEFT;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "up,up: TERM CONT run go");
}
END_TEST

/* Its time begins with the end of what writes to it. */
START_TEST(an_orphaned_log_reads_to_the_end)
{
	struct service	main_sv, sv;

	place(&main_sv, STATE_ORPHAN);
	place(&sv, STATE_ORPHAN);
	main_sv.log = &sv;
	sv.main = &main_sv;
	service_event(&sv, EV_START, NOW);
	ck_assert_str_eq(told(&sv), "orphan,up:");
	ck_assert(sv.deadline_ms == NEVER);
	service_event(&main_sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&main_sv), "up,up: run go");
	ck_assert_int_eq(sv.deadline_ms, NOW + ORPHAN_LOG_MS);
	fake.trace[0] = '\0';
	service_event(&sv, EV_TIMER, sv.deadline_ms);
	ck_assert_str_eq(told(&sv), "orphan,up,term: TERM CONT");
	ck_assert_int_eq(sv.deadline_ms, NOW + ORPHAN_LOG_MS + STOP_KILL_MS);
	service_event(&sv, EV_TIMER, sv.deadline_ms);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "up,up: TERM CONT all-KILL run go");
}
END_TEST

START_TEST(ready_is_said_or_not_asked)
{
	struct service	sv;

	place(&sv, STATE_UP);
	sv.notifies = true;
	ck_assert(!service_is_ready(&sv));
	service_event(&sv, EV_NOTIFY, NOW);
	ck_assert(service_is_ready(&sv));
	place(&sv, STATE_UP);
	ck_assert(service_is_ready(&sv));
	place(&sv, STATE_BACKOFF);
	ck_assert(!service_is_ready(&sv));
	place(&sv, STATE_FINISH);
	ck_assert(!service_is_ready(&sv));
}
END_TEST

/* sv shows how long it is up, which readiness and finish do not change. */
START_TEST(stamp_is_runits)
{
	struct service	sv;

	place(&sv, STATE_UP);
	sv.stamp.tv_sec = 5;
	sv.since_ms = 5000;
	service_event(&sv, EV_NOTIFY, NOW);
	ck_assert_int_eq(sv.stamp.tv_sec, 5);
	ck_assert_int_gt(sv.since_ms, 5000);
	fake.finish_there = true;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_FINISH);
	ck_assert_int_eq(sv.stamp.tv_sec, 5);
	sv.want = WANT_DOWN;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_gt(sv.stamp.tv_sec, 5);
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("service");
	TCase	*tc;
	SRunner	*runner;
	int	 failed;

	tc = tcase_create("table");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, every_state_with_every_event, 0,
	    EV_MAX * STATE_MAX);
	tcase_add_loop_test(tc, final_never_starts, 0, EV_MAX * STATE_MAX);
	tcase_add_test(tc, bytes_are_runits);
	suite_add_tcase(suite, tc);
	tc = tcase_create("orders");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, once_is_once);
	tcase_add_test(tc, up_during_a_stop_starts_again);
	tcase_add_test(tc, up_takes_exit_back);
	tcase_add_test(tc, who_kills_after_term);
	tcase_add_test(tc, the_earlier_deadline_stands);
	tcase_add_test(tc, term_wakes_what_runs_once);
	tcase_add_test(tc, wish_is_written_before_term);
	tcase_add_test(tc, pause_and_continue);
	tcase_add_test(tc, a_log_ends_with_its_input);
	tcase_add_test(tc, an_orphan_has_its_time);
	tcase_add_test(tc, an_orphan_of_which_nothing_is_known);
	tcase_add_test(tc, an_orphaned_log_reads_to_the_end);
	tcase_add_test(tc, ready_is_said_or_not_asked);
	tcase_add_test(tc, stamp_is_runits);
	tcase_add_test(tc, unmet_waits);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
