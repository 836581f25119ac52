/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fake_service.h"
#include "log.h"

struct fake	fake;

static void	note(const char *, ...) __attribute__((format(printf, 1, 2)));

static void
note(const char *fmt, ...)
{
	size_t	len = strlen(fake.trace);
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(fake.trace + len, sizeof(fake.trace) - len, fmt, ap);
	va_end(ap);
}

static pid_t
fake_spawn(struct service *sv, enum service_program program)
{
	(void)sv;
	note(program == PROGRAM_RUN ? " run" : " finish");
	if (fake.spawn_fails)
		return -1;
	return program == PROGRAM_RUN ? RUN_PID : FINISH_PID;
}

static void
fake_go(struct service *sv)
{
	ck_assert_int_ne(sv->pid, 0);
	/* in this very state, and no more than that before it may run */
	ck_assert_int_eq(fake.recorded_state, sv->state);
	ck_assert_int_eq(fake.recorded_pid, sv->pid);
	note(" go");
}

static void
fake_signal(const struct service *sv, int sig)
{
	ck_assert_int_ne(sv->pid, 0);
	if (sig == SIGTERM)
		fake.want_at_term = sv->want;
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
	fake.recorded_state = sv->state;
	fake.recorded_pid = sv->pid;
}

static void
fake_publish(struct service *sv)
{
	fake.published_state = sv->state;
}

static enum service_rest
fake_orphan_remains(struct service *sv)
{
	(void)sv;
	return fake.remains;
}

static bool
fake_has_finish(const struct service *sv)
{
	(void)sv;
	return fake.finish_there;
}

static bool
fake_needs_met(struct service *sv)
{
	(void)sv;
	return !fake.unmet;
}

static int64_t
fake_number(const struct service *sv, enum service_number number)
{
	const int64_t	numbers[] = {
		[NUMBER_TIMEOUT_KILL] = fake.kill_file_ms,
		[NUMBER_TIMEOUT_FINISH] = fake.finish_file_ms,
		[NUMBER_MAX_DEATH_TALLY] = fake.tally_file,
		[NUMBER_DEATH_WINDOW] = fake.window_file_ms,
	};

	(void)sv;
	return numbers[number];
}

static uint32_t
fake_random_below(uint32_t bound)
{
	fake.random_bound = bound;
	return fake.random_value;
}

static const struct service_ops fake_ops = {
	.spawn = fake_spawn,
	.go = fake_go,
	.signal = fake_signal,
	.signal_group = fake_signal_group,
	.record = fake_record,
	.publish = fake_publish,
	.orphan_remains = fake_orphan_remains,
	.has_finish = fake_has_finish,
	.needs_met = fake_needs_met,
	.number = fake_number,
	.random_below = fake_random_below,
};

void
setup(void)
{
	log_init("role=test", LOG_LEVEL_ERROR + 1);
	memset(&fake, 0, sizeof(fake));
	fake.kill_file_ms = fake.finish_file_ms = -1;
	fake.tally_file = fake.window_file_ms = -1;
	fake.recorded_state = fake.published_state = STATE_MAX;
}

void
place(struct service *sv, enum service_state state)
{
	service_init(sv, "x", &fake_ops);
	sv->state = state;
	sv->want = WANT_UP;
	sv->started_ms = NOW - 1;
	switch (state) {
	case STATE_UP:
	case STATE_READY:
	case STATE_ORPHAN:
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

const char *
told(const struct service *sv)
{
	static char	buf[1024];

	snprintf(buf, sizeof(buf), "%s,%s%s%s%s%s%s%s%s:%s",
	    service_state_name(sv->state), service_want_name(sv->want),
	    sv->paused ? ",paused" : "", sv->got_term ? ",term" : "",
	    sv->leaving ? ",leaving" : "", sv->gone ? ",gone" : "",
	    sv->final ? ",final" : "", sv->hurried ? ",hurried" : "",
	    sv->given_up != NULL ? ",given-up" : "", fake.trace);
	return buf;
}
