/* SPDX-License-Identifier: ISC */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "service.h"
#include "tally.h"

/*
 * The machine without processes: what it does is written down as words, and
 * each pair of state and event is compared with a sentence.
 */

#define NOW		1000000
#define RUN_PID		100
#define FINISH_PID	200
#define EXITED(code)	((code) << 8)

static char	trace[512];
static bool	finish_there, spawn_fails, unmet;
static int64_t	kill_file_ms, finish_file_ms, tally_file, window_file_ms;
static uint32_t	random_value, random_bound;
static enum service_state recorded_state, published_state;
static pid_t	recorded_pid;
static enum service_want want_at_term;

static void	note(const char *, ...) __attribute__((format(printf, 1, 2)));

static void
note(const char *fmt, ...)
{
	size_t	len = strlen(trace);
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(trace + len, sizeof(trace) - len, fmt, ap);
	va_end(ap);
}

static pid_t
fake_spawn(struct service *sv, enum service_program program)
{
	(void)sv;
	note(program == PROGRAM_RUN ? " run" : " finish");
	if (spawn_fails)
		return -1;
	return program == PROGRAM_RUN ? RUN_PID : FINISH_PID;
}

static void
fake_go(struct service *sv)
{
	ck_assert_int_ne(sv->pid, 0);
	/* in this very state, and no more than that before it may run */
	ck_assert_int_eq(recorded_state, sv->state);
	ck_assert_int_eq(recorded_pid, sv->pid);
	note(" go");
}

static void
fake_signal(const struct service *sv, int sig)
{
	ck_assert_int_ne(sv->pid, 0);
	if (sig == SIGTERM)
		want_at_term = sv->want;
	note(" %s", sigabbrev_np(sig));
}

static void
fake_signal_group(const struct service *sv, int sig)
{
	ck_assert_int_ne(sv->pid, 0);
	note(" all-%s", sigabbrev_np(sig));
}

static void
fake_record(struct service *sv)
{
	recorded_state = sv->state;
	recorded_pid = sv->pid;
}

static void
fake_publish(struct service *sv)
{
	published_state = sv->state;
}

static bool
fake_has_finish(const struct service *sv)
{
	(void)sv;
	return finish_there;
}

static bool
fake_needs_met(struct service *sv)
{
	(void)sv;
	return !unmet;
}

static int64_t
fake_number(const struct service *sv, enum service_number number)
{
	const int64_t	numbers[] = {
		[NUMBER_TIMEOUT_KILL] = kill_file_ms,
		[NUMBER_TIMEOUT_FINISH] = finish_file_ms,
		[NUMBER_MAX_DEATH_TALLY] = tally_file,
		[NUMBER_DEATH_WINDOW] = window_file_ms,
	};

	(void)sv;
	return numbers[number];
}

static uint32_t
fake_random_below(uint32_t bound)
{
	random_bound = bound;
	return random_value;
}

static const struct service_ops fake_ops = {
	.spawn = fake_spawn,
	.go = fake_go,
	.signal = fake_signal,
	.signal_group = fake_signal_group,
	.record = fake_record,
	.publish = fake_publish,
	.has_finish = fake_has_finish,
	.needs_met = fake_needs_met,
	.number = fake_number,
	.random_below = fake_random_below,
};

static void
setup(void)
{
	log_init("role=test", LOG_LEVEL_ERROR + 1);
	trace[0] = '\0';
	finish_there = spawn_fails = unmet = false;
	kill_file_ms = finish_file_ms = tally_file = window_file_ms = -1;
	random_value = random_bound = 0;
	recorded_state = published_state = STATE_MAX;
	recorded_pid = 0;
}

/* A wanted service, as it stands in that state. */
static void
place(struct service *sv, enum service_state state)
{
	service_init(sv, "x", &fake_ops);
	sv->state = state;
	sv->want = WANT_UP;
	sv->started_ms = NOW - 1;
	switch (state) {
	case STATE_UP:
	case STATE_READY:
		sv->pid = RUN_PID;
		break;
	case STATE_FINISH:
		sv->pid = FINISH_PID;
		sv->deadline_ms = NOW + FINISH_KILL_MS;
		break;
	case STATE_BACKOFF:
		sv->deadline_ms = NOW;
		break;
	case STATE_DOWN:
	case STATE_WAIT:
	case STATE_MAX:
		break;
	}
}

/* "state,want,flags: what was done" */
static const char *
told(const struct service *sv)
{
	static char	buf[1024];

	snprintf(buf, sizeof(buf), "%s,%s%s%s%s%s%s%s%s:%s",
	    service_state_name(sv->state), service_want_name(sv->want),
	    sv->paused ? ",paused" : "", sv->got_term ? ",term" : "",
	    sv->leaving ? ",leaving" : "", sv->gone ? ",gone" : "",
	    sv->final ? ",final" : "", sv->hurried ? ",hurried" : "",
	    sv->given_up != NULL ? ",given-up" : "", trace);
	return buf;
}

/* What becomes of a wanted service without finish, that has not failed yet,
 * in the order of the states. */
static const struct {
	const char	*name;
	const char	*becomes[STATE_MAX];
} table[EV_MAX] = {
	[EV_START] = { "start", {
		"up,up: run go", "up,up: run go", "up,up:", "ready,up:",
		"finish,up:", "backoff,up:" } },
	[EV_EXIT] = { "exit", {
		"down,up:", "wait,up:", "up,up: run go", "up,up: run go",
		"up,up: run go", "backoff,up:" } },
	[EV_NOTIFY] = { "notify", {
		"down,up:", "wait,up:", "ready,up:", "ready,up:", "finish,up:",
		"backoff,up:" } },
	[EV_TIMER] = { "timer", {
		"down,up:", "wait,up:", "up,up: all-KILL",
		"ready,up: all-KILL", "finish,up: all-KILL",
		"up,up: run go" } },
	[EV_GONE] = { "gone", {
		"down,down,gone,final:", "down,down,gone,final:",
		"up,down,term,gone,final: TERM CONT",
		"ready,down,term,gone,final: TERM CONT",
		"finish,down,gone,final:", "down,down,gone,final:" } },
	[EV_STOP] = { "stop", {
		"down,down,final:", "down,down,final:",
		"up,down,term,final: TERM CONT",
		"ready,down,term,final: TERM CONT", "finish,down,final:",
		"down,down,final:" } },
	[EV_HURRY] = { "hurry", {
		"down,down,final,hurried:", "down,down,final,hurried:",
		"up,down,final,hurried: all-KILL",
		"ready,down,final,hurried: all-KILL",
		"finish,down,final,hurried: all-KILL",
		"down,down,final,hurried:" } },
	[EV_CTL_UP] = { "u", {
		"up,up: run go", "up,up: run go", "up,up:", "ready,up:",
		"finish,up:", "up,up: run go" } },
	[EV_CTL_DOWN] = { "d", {
		"down,down:", "down,down:", "up,down,term: TERM CONT",
		"ready,down,term: TERM CONT", "finish,down:", "down,down:" } },
	[EV_CTL_ONCE] = { "o", {
		"up,once: run go", "up,once: run go", "up,once:",
		"ready,once:", "finish,down:", "up,once: run go" } },
	[EV_CTL_EXIT] = { "x", {
		"down,down,leaving:", "down,down,leaving:",
		"up,down,term,leaving: TERM CONT",
		"ready,down,term,leaving: TERM CONT", "finish,down,leaving:",
		"down,down,leaving:" } },
	[EV_CTL_TERM] = { "t", {
		"down,up:", "wait,up:", "up,up,term: TERM",
		"ready,up,term: TERM", "finish,up:", "backoff,up:" } },
	[EV_CTL_KILL] = { "k", {
		"down,up:", "wait,up:", "up,up: all-KILL",
		"ready,up: all-KILL", "finish,up: all-KILL", "backoff,up:" } },
	[EV_CTL_PAUSE] = { "p", {
		"down,up:", "wait,up:", "up,up,paused: STOP",
		"ready,up,paused: STOP", "finish,up:", "backoff,up:" } },
	[EV_CTL_CONT] = { "c", {
		"down,up:", "wait,up:", "up,up: CONT", "ready,up: CONT",
		"finish,up:", "backoff,up:" } },
	[EV_CTL_HUP] = { "h", {
		"down,up:", "wait,up:", "up,up: HUP", "ready,up: HUP",
		"finish,up:", "backoff,up:" } },
	[EV_CTL_ALRM] = { "a", {
		"down,up:", "wait,up:", "up,up: ALRM", "ready,up: ALRM",
		"finish,up:", "backoff,up:" } },
	[EV_CTL_INT] = { "i", {
		"down,up:", "wait,up:", "up,up: INT", "ready,up: INT",
		"finish,up:", "backoff,up:" } },
	[EV_CTL_QUIT] = { "q", {
		"down,up:", "wait,up:", "up,up: QUIT", "ready,up: QUIT",
		"finish,up:", "backoff,up:" } },
	[EV_CTL_USR1] = { "1", {
		"down,up:", "wait,up:", "up,up: USR1", "ready,up: USR1",
		"finish,up:", "backoff,up:" } },
	[EV_CTL_USR2] = { "2", {
		"down,up:", "wait,up:", "up,up: USR2", "ready,up: USR2",
		"finish,up:", "backoff,up:" } },
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
		ck_assert_int_eq(published_state, sv.state);
	ck_assert_int_eq(sv.pid != 0, sv.state == STATE_UP ||
	    sv.state == STATE_READY || sv.state == STATE_FINISH);
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
	trace[0] = '\0';
	service_event(&sv, ev, NOW);
	ck_assert_ptr_null(strstr(trace, "run"));
	if (sv.pid != 0)
		service_event(&sv, EV_EXIT, NOW);
	ck_assert_ptr_null(strstr(trace, "run"));
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

	unmet = true;
	for (i = 0; i < sizeof(evs) / sizeof(evs[0]); i++) {
		place(&sv, STATE_DOWN);
		service_event(&sv, evs[i], NOW);
		ck_assert_str_eq(told(&sv), evs[i] == EV_CTL_ONCE ?
		    "wait,once:" : "wait,up:");
		ck_assert(sv.deadline_ms == NEVER);
		service_event(&sv, EV_START, NOW);
		ck_assert_int_eq(sv.state, STATE_WAIT);
	}
	unmet = false;
	service_event(&sv, EV_START, NOW);
	ck_assert_str_eq(told(&sv), "up,once: run go");
	/* one that was not asked for does not start with its needs */
	place(&sv, STATE_DOWN);
	sv.want = WANT_DOWN;
	service_event(&sv, EV_START, NOW);
	ck_assert_int_eq(sv.state, STATE_DOWN);
}
END_TEST

/* What its needs do later does not hold a restart up. */
START_TEST(a_restart_does_not_wait)
{
	struct service	sv;

	unmet = true;
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
	finish_there = true;
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

	tally_file = 3;
	place(&sv, STATE_UP);
	for (i = 0; i < 2; i++) {
		die_once(&sv, &now, 10);
		ck_assert_int_eq(sv.state, STATE_UP);
	}
	trace[0] = '\0';
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

	tally_file = 3;
	window_file_ms = 25000;
	place(&sv, STATE_UP);
	for (i = 0; i < 50; i++)
		die_once(&sv, &now, 13000);
	ck_assert_int_eq(sv.state, STATE_UP);
	die_once(&sv, &now, 12000);
	ck_assert_int_eq(sv.state, STATE_DOWN);
	tally_clear(&sv.deaths);

	/* the default is an hour */
	place(&sv, STATE_UP);
	window_file_ms = -1;
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

	tally_file = 1;
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
	tally_file = 0;
	place(&sv, STATE_UP);
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_UP);
}
END_TEST

/* Its finish is run once more, then it is over. */
START_TEST(given_up_has_its_finish)
{
	struct service	sv;

	finish_there = true;
	tally_file = 1;
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

	finish_there = true;
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
			ck_assert_uint_eq(random_bound, expected[i] / 4 + 1);
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
	random_value = 100;
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
	spawn_fails = true;
	service_event(&sv, EV_START, NOW);
	ck_assert_str_eq(told(&sv), "backoff,up: run");
	ck_assert_uint_eq(sv.starts, 0);
	spawn_fails = false;
	service_event(&sv, EV_TIMER, sv.deadline_ms);
	ck_assert_int_eq(sv.state, STATE_UP);
}
END_TEST

START_TEST(finish_follows_run)
{
	struct service	sv;

	place(&sv, STATE_READY);
	finish_there = true;
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

	finish_there = true;
	place(&sv, STATE_UP);
	finish_file_ms = 70;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.deadline_ms, NOW + 70);
	service_event(&sv, EV_TIMER, NOW + 70);
	ck_assert_ptr_nonnull(strstr(trace, "all-KILL"));
	ck_assert(sv.deadline_ms == NEVER);

	place(&sv, STATE_UP);
	finish_file_ms = 0;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert(sv.deadline_ms == NEVER);
}
END_TEST

START_TEST(a_finish_that_cannot_fork_is_passed_over)
{
	struct service	sv;

	place(&sv, STATE_UP);
	finish_there = spawn_fails = true;
	sv.want = WANT_DOWN;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_str_eq(told(&sv), "down,down: finish");
}
END_TEST

START_TEST(a_hurried_service_has_no_finish)
{
	struct service	sv;

	place(&sv, STATE_UP);
	finish_there = true;
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
	finish_there = true;
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
		kill_file_ms = cases[i].file_ms;
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
	kill_file_ms = 500;
	service_event(&sv, EV_CTL_TERM, NOW);
	service_event(&sv, EV_CTL_DOWN, NOW + 400);
	ck_assert_int_eq(sv.deadline_ms, NOW + 500);
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
		want_at_term = WANT_UP;
		place(&sv, STATE_READY);
		service_event(&sv, evs[i], NOW);
		ck_assert_int_eq(want_at_term, WANT_DOWN);
	}
	place(&sv, STATE_READY);
	service_event(&sv, EV_CTL_TERM, NOW);
	ck_assert_int_eq(want_at_term, WANT_UP);
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
	finish_there = true;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_eq(sv.state, STATE_FINISH);
	ck_assert_int_eq(sv.stamp.tv_sec, 5);
	sv.want = WANT_DOWN;
	service_event(&sv, EV_EXIT, NOW);
	ck_assert_int_gt(sv.stamp.tv_sec, 5);
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

static void
add_policies(TCase *tc)
{
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
	tcase_add_test(tc, once_is_once);
	tcase_add_test(tc, up_during_a_stop_starts_again);
	tcase_add_test(tc, up_takes_exit_back);
	tcase_add_test(tc, who_kills_after_term);
	tcase_add_test(tc, the_earlier_deadline_stands);
	tcase_add_test(tc, wish_is_written_before_term);
	tcase_add_test(tc, pause_and_continue);
	tcase_add_test(tc, a_log_ends_with_its_input);
	tcase_add_test(tc, ready_is_said_or_not_asked);
	tcase_add_test(tc, stamp_is_runits);
	tcase_add_test(tc, unmet_waits);
	tcase_add_test(tc, a_restart_does_not_wait);
	tcase_add_test(tc, so_many_deaths_are_enough);
	tcase_add_test(tc, deaths_long_ago_do_not_count);
	tcase_add_test(tc, asked_for_ends_are_not_tallied);
	tcase_add_test(tc, given_up_has_its_finish);
	tcase_add_test(tc, finish_may_give_up);
	tcase_add_test(tc, a_clock_that_steps_back);
}

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
	tc = tcase_create("policies");
	tcase_add_checked_fixture(tc, setup, NULL);
	add_policies(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
