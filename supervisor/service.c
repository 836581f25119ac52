/* SPDX-License-Identifier: ISC */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "service.h"
#include "tally.h"

typedef void action(struct service *, enum service_event, int64_t);

static action	none, start, leave_run, leave_finish, ready, overdue, restart;
static action	gone_idle, gone_run, stop_idle, stop_run;
static action	hurry_idle, hurry_run, up_idle, up_run, down_idle, down_run;
static action	once_idle, once_run, once_finish, exit_idle, exit_run, term, kill_all;
static action	pause_idle, pause_run, cont_idle, cont_run, send;
static action	end_orphan, overdue_orphan, leave_orphan;

/*
 * All there is to know: what each event does in each state.  The actions of
 * a process that runs end in _run, those without one in _idle.
 */
static action *const table[EV_MAX][STATE_MAX] = {
	/*		   DOWN		WAIT		UP
				READY		FINISH		BACKOFF
				ORPHAN */
	[EV_START]	= { start,	start,		none,
				none,		none,		none,
				end_orphan },
	[EV_EXIT]	= { none,	none,		leave_run,
				leave_run,	leave_finish,	none,
				leave_orphan },
	[EV_NOTIFY]	= { none,	none,		ready,
				none,		none,		none,
				none },
	[EV_TIMER]	= { none,	none,		overdue,
				overdue,	overdue,	restart,
				overdue_orphan },
	[EV_GONE]	= { gone_idle,	gone_idle,	gone_run,
				gone_run,	gone_idle,	gone_idle,
				gone_idle },
	[EV_STOP]	= { stop_idle,	stop_idle,	stop_run,
				stop_run,	stop_idle,	stop_idle,
				stop_idle },
	[EV_HURRY]	= { hurry_idle,	hurry_idle,	hurry_run,
				hurry_run,	hurry_run,	hurry_idle,
				hurry_run },
	[EV_CTL_UP]	= { up_idle,	up_idle,	up_run,
				up_run,		up_run,		up_idle,
				up_run },
	[EV_CTL_DOWN]	= { down_idle,	down_idle,	down_run,
				down_run,	down_idle,	down_idle,
				down_idle },
	[EV_CTL_ONCE]	= { once_idle,	once_idle,	once_run,
				once_run,	once_finish,	once_idle,
				once_run },
	[EV_CTL_EXIT]	= { exit_idle,	exit_idle,	exit_run,
				exit_run,	exit_idle,	exit_idle,
				exit_idle },
	[EV_CTL_TERM]	= { none,	none,		term,
				term,		none,		none,
				none },
	[EV_CTL_KILL]	= { none,	none,		kill_all,
				kill_all,	kill_all,	none,
				kill_all },
	[EV_CTL_PAUSE]	= { pause_idle,	pause_idle,	pause_run,
				pause_run,	pause_idle,	pause_idle,
				none },
	[EV_CTL_CONT]	= { cont_idle,	cont_idle,	cont_run,
				cont_run,	cont_idle,	cont_idle,
				none },
	[EV_CTL_HUP]	= { none,	none,		send,
				send,		none,		none,
				none },
	[EV_CTL_ALRM]	= { none,	none,		send,
				send,		none,		none,
				none },
	[EV_CTL_INT]	= { none,	none,		send,
				send,		none,		none,
				none },
	[EV_CTL_QUIT]	= { none,	none,		send,
				send,		none,		none,
				none },
	[EV_CTL_USR1]	= { none,	none,		send,
				send,		none,		none,
				none },
	[EV_CTL_USR2]	= { none,	none,		send,
				send,		none,		none,
				none },
};

void
service_init(struct service *sv, const char *name,
    const struct service_ops *ops)
{
	int	i;

	memset(sv, 0, sizeof(*sv));
	snprintf(sv->name, sizeof(sv->name), "%s", name);
	sv->ops = ops;
	sv->deadline_ms = NEVER;
	sv->last_exit = -1;
	sv->dir_fd = sv->lock_fd = sv->ok_fd = sv->go_fd = -1;
	sv->log_pipe[0] = sv->log_pipe[1] = -1;
	for (i = 0; i < GIVEN_MAX; i++)
		sv->given[i] = -1;
	sv->control.fd = sv->notify.fd = sv->orphan.fd = -1;
	clock_gettime(CLOCK_REALTIME, &sv->stamp);
	sv->since_ms = (int64_t)sv->stamp.tv_sec * 1000 +
	    sv->stamp.tv_nsec / 1000000;
}

void
service_event(struct service *sv, enum service_event ev, int64_t now_ms)
{
	table[ev][sv->state](sv, ev, now_ms);
}

enum service_event
service_control_event(char byte)
{
	const char	*p;

	if (byte == '\0' || (p = strchr(CONTROL_BYTES, byte)) == NULL)
		return EV_MAX;
	return EV_CTL_UP + (unsigned)(p - CONTROL_BYTES);
}

bool
service_is_ready(const struct service *sv)
{
	return sv->state == STATE_READY ||
	    (sv->state == STATE_UP && !sv->notifies);
}

const char *
service_state_name(enum service_state state)
{
	static const char *const names[STATE_MAX] = { "down", "wait", "up",
		"ready", "finish", "backoff", "orphan" };

	return names[state];
}

const char *
service_want_name(enum service_want want)
{
	static const char *const names[] = { "down", "up", "once" };

	return names[want];
}

/* The stamp is runit's: of the start while run or finish runs, else of the
 * end; it does not move when a service becomes ready. */
static void
set_state(struct service *sv, enum service_state state)
{
	struct timespec	now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (state != STATE_READY && state != STATE_FINISH)
		sv->stamp = now;
	sv->since_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	sv->state = state;
}

static void
enter(struct service *sv, enum service_state state)
{
	set_state(sv, state);
	sv->ops->publish(sv);
}

/* With a process that was spawned.  It is not held up by what only others
 * want to know. */
static void
enter_running(struct service *sv, enum service_state state, pid_t pid)
{
	sv->pid = pid;
	sv->paused = false;
	set_state(sv, state);
	sv->ops->record(sv);
	sv->ops->go(sv);
	sv->ops->publish(sv);
}

static void
go_down(struct service *sv)
{
	sv->failures = 0;
	sv->deadline_ms = NEVER;
	enter(sv, STATE_DOWN);
	log_info("down", "service=%s", log_str(sv->name));
}

/* Doubles with each failure; up to a quarter less, so that services that
 * failed together do not come back together. */
static void
back_off(struct service *sv, int64_t now_ms)
{
	uint32_t	delay_ms = BACKOFF_MIN_MS;
	unsigned	i;

	for (i = 1; i < sv->failures && delay_ms < BACKOFF_MAX_MS; i++)
		delay_ms *= 2;
	if (delay_ms > BACKOFF_MAX_MS)
		delay_ms = BACKOFF_MAX_MS;
	delay_ms -= sv->ops->random_below(delay_ms / 4 + 1);
	sv->failures++;
	sv->deadline_ms = now_ms + delay_ms;
	enter(sv, STATE_BACKOFF);
	log_warn("backoff", "service=%s failures=%u delay_ms=%u",
	    log_str(sv->name), sv->failures, delay_ms);
}

static void
start_run(struct service *sv, int64_t now_ms)
{
	pid_t	pid;

	pid = sv->ops->spawn(sv, PROGRAM_RUN);
	if (pid == -1) {
		log_error("cannot fork", "service=%s error=%s",
		    log_str(sv->name), log_str(strerror(errno)));
		back_off(sv, now_ms);
		return;
	}
	sv->starts++;
	sv->started_ms = now_ms;
	sv->deadline_ms = NEVER;
	enter_running(sv, STATE_UP, pid);
	log_info("started", "service=%s pid=%d starts=%u",
	    log_str(sv->name), (int)pid, sv->starts);
}

/* Start no more what only dies, until an operator asks for it. */
static void
give_up(struct service *sv, const char *why)
{
	sv->want = WANT_DOWN;
	sv->given_up = why;
	log_error("given up", "service=%s why=%s", log_str(sv->name),
	    log_str(why));
}

static void
count_death(struct service *sv, int64_t now_ms)
{
	int64_t	max, window_ms;

	max = sv->ops->number(sv, NUMBER_MAX_DEATH_TALLY);
	if (max <= 0)
		return;
	window_ms = sv->ops->number(sv, NUMBER_DEATH_WINDOW);
	if (window_ms <= 0)
		window_ms = DEATH_WINDOW_MS;
	if (tally_add(&sv->deaths, max > TALLY_MAX ? TALLY_MAX :
	    (unsigned)max, window_ms, now_ms))
		give_up(sv, "max-death-tally");
}

/* What follows run, or finish where there is one. */
static void
next(struct service *sv, int64_t now_ms)
{
	if (sv->want == WANT_DOWN)
		go_down(sv);
	else if (sv->asked)
		start_run(sv, now_ms);
	else if (sv->failures == 0) {
		sv->failures = 1;
		start_run(sv, now_ms);
	} else
		back_off(sv, now_ms);
}

static bool
start_finish(struct service *sv, int64_t now_ms)
{
	int64_t	timeout_ms;
	pid_t	pid;

	if (sv->hurried || !sv->ops->has_finish(sv))
		return false;
	if ((pid = sv->ops->spawn(sv, PROGRAM_FINISH)) == -1) {
		log_error("cannot fork", "service=%s program=finish error=%s",
		    log_str(sv->name), log_str(strerror(errno)));
		return false;
	}
	timeout_ms = sv->ops->number(sv, NUMBER_TIMEOUT_FINISH);
	if (timeout_ms == -1)
		timeout_ms = FINISH_KILL_MS;
	sv->deadline_ms = timeout_ms == 0 ? NEVER : now_ms + timeout_ms;
	enter_running(sv, STATE_FINISH, pid);
	return true;
}

/* Give a process that was told to end its time.  An earlier deadline, of an
 * earlier TERM, stands. */
static void
arm_kill(struct service *sv, int64_t now_ms, int64_t default_ms)
{
	int64_t	timeout_ms;

	timeout_ms = sv->ops->number(sv, NUMBER_TIMEOUT_KILL);
	if (timeout_ms == -1)
		timeout_ms = default_ms;
	if (timeout_ms != 0 && now_ms + timeout_ms < sv->deadline_ms)
		sv->deadline_ms = now_ms + timeout_ms;
}

/* On record before the signal: whoever finds it dead knows that it was meant. */
static void
note_told(struct service *sv)
{
	sv->told_pid = sv->pid;
	sv->told_ticks = sv->start_ticks;
}

static void
terminate(struct service *sv, int64_t now_ms, int64_t default_ms)
{
	note_told(sv);
	sv->got_term = true;
	sv->ops->publish(sv);
	arm_kill(sv, now_ms, default_ms);
	sv->ops->signal(sv, SIGTERM);
}

/* A process that is stopped acts on TERM only once it is continued.  It
 * stays "paused" for those who ask, as with runsv: until it is told to go on
 * or another one runs. */
static void
wake(const struct service *sv)
{
	sv->ops->signal(sv, SIGCONT);
}

static void
none(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)sv;
	(void)ev;
	(void)now_ms;
}

static void
start(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	if (sv->want == WANT_DOWN || sv->final)
		return;
	/* One that has run does not wait again: its needs were met once. */
	if (sv->state == STATE_BACKOFF || sv->ops->needs_met(sv))
		start_run(sv, now_ms);
	else if (sv->state != STATE_WAIT)
		enter(sv, STATE_WAIT);
}

static void
restart(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	start_run(sv, now_ms);
}

static void
leave_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	int64_t	up_ms = now_ms - sv->started_ms;

	(void)ev;
	sv->last_exit = WIFEXITED(sv->wstatus) ? WEXITSTATUS(sv->wstatus) : -1;
	sv->last_signal = WIFSIGNALED(sv->wstatus) ? WTERMSIG(sv->wstatus) : 0;
	log_info("exited", "service=%s pid=%d exit=%d signal=%d up_ms=%lld",
	    log_str(sv->name), (int)sv->pid, sv->last_exit, sv->last_signal,
	    (long long)up_ms);
	sv->last_pid = sv->pid;
	sv->last_ticks = sv->start_ticks;
	sv->asked = sv->got_term;
	sv->got_term = false;
	sv->pid = 0;
	sv->deadline_ms = NEVER;
	if (up_ms >= BACKOFF_RESET_MS)
		sv->failures = 0;
	if (sv->want == WANT_ONCE)
		sv->want = WANT_DOWN;
	else if (sv->want == WANT_UP && !sv->asked)
		count_death(sv, now_ms);
	if (!start_finish(sv, now_ms))
		next(sv, now_ms);
}

static void
leave_finish(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	if (sv->want == WANT_UP && WIFEXITED(sv->wstatus) &&
	    WEXITSTATUS(sv->wstatus) == FINISH_GIVES_UP)
		give_up(sv, "finish");
	else if (!WIFEXITED(sv->wstatus) || WEXITSTATUS(sv->wstatus) != 0)
		log_warn("finish failed", "service=%s pid=%d wstatus=0x%x",
		    log_str(sv->name), (int)sv->pid, (unsigned)sv->wstatus);
	sv->pid = 0;
	sv->deadline_ms = NEVER;
	next(sv, now_ms);
}

static void
tell_orphan(struct service *sv, int64_t now_ms)
{
	log_warn("ending an orphan", "service=%s pid=%d", log_str(sv->name),
	    (int)sv->pid);
	terminate(sv, now_ms, STOP_KILL_MS);
	wake(sv);
}

/* A log sees the end of its input when its service's is gone, and is told to
 * end only if that does not do. */
static void
end_orphan(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	if (sv->main == NULL)
		tell_orphan(sv, now_ms);
	else if (sv->main->state != STATE_ORPHAN)
		sv->deadline_ms = now_ms + ORPHAN_LOG_MS;
}

static void
overdue_orphan(struct service *sv, enum service_event ev, int64_t now_ms)
{
	sv->deadline_ms = NEVER;
	if (sv->unsure) {
		leave_orphan(sv, ev, now_ms);
		return;
	}
	if (!sv->got_term) {
		tell_orphan(sv, now_ms);
		return;
	}
	log_warn("orphan is overdue, killed", "service=%s pid=%d",
	    log_str(sv->name), (int)sv->pid);
	sv->ops->signal_group(sv, SIGKILL);
}

static void
leave_orphan(struct service *sv, enum service_event ev, int64_t now_ms)
{
	enum service_rest	left = sv->ops->orphan_remains(sv);

	sv->unsure = left == UNKNOWN_LEFT;
	if (sv->unsure)
		sv->deadline_ms = now_ms + ORPHAN_AGAIN_MS;
	if (left != NOTHING_LEFT)
		return;
	log_info("orphan has ended", "service=%s pid=%d", log_str(sv->name),
	    (int)sv->pid);
	sv->pid = 0;
	sv->got_term = false;
	sv->deadline_ms = NEVER;
	if (sv->want == WANT_DOWN)
		go_down(sv);
	else
		start(sv, ev, now_ms);
	if (sv->log != NULL)
		service_event(sv->log, EV_START, now_ms);
}

static void
ready(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	enter(sv, STATE_READY);
	log_info("ready", "service=%s pid=%d after_ms=%lld",
	    log_str(sv->name), (int)sv->pid,
	    (long long)(now_ms - sv->started_ms));
}

static void
overdue(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	log_warn("overdue, killed", "service=%s pid=%d state=%s",
	    log_str(sv->name), (int)sv->pid, service_state_name(sv->state));
	sv->deadline_ms = NEVER;
	sv->ops->signal_group(sv, SIGKILL);
}

/* Nothing of it runs but finish, which has its own deadline. */
static void
rest(struct service *sv)
{
	sv->want = WANT_DOWN;
	if (sv->state == STATE_BACKOFF || sv->state == STATE_WAIT)
		go_down(sv);
	else
		sv->ops->publish(sv);
}

static void
down_idle(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	sv->leaving = false;
	rest(sv);
}

/* The wish is written before TERM is sent: a role may look whether it is
 * stopped or only restarted. */
static void
down_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	sv->leaving = false;
	sv->want = WANT_DOWN;
	terminate(sv, now_ms, 0);
	wake(sv);
}

/* A log goes with its service, never alone. */
static void
exit_idle(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	if (sv->main != NULL)
		return;
	sv->leaving = true;
	rest(sv);
}

static void
exit_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	if (sv->main != NULL)
		return;
	sv->leaving = true;
	sv->want = WANT_DOWN;
	terminate(sv, now_ms, 0);
	wake(sv);
}

static void
stop_idle(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	sv->final = true;
	rest(sv);
}

/* A log ends by the end of its input, so that nothing of it is lost. */
static void
stop_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	sv->final = true;
	sv->want = WANT_DOWN;
	if (sv->main == NULL)
		terminate(sv, now_ms, STOP_KILL_MS);
	else {
		arm_kill(sv, now_ms, STOP_KILL_MS);
		sv->ops->publish(sv);
	}
	wake(sv);
}

static void
gone_idle(struct service *sv, enum service_event ev, int64_t now_ms)
{
	sv->gone = true;
	stop_idle(sv, ev, now_ms);
}

static void
gone_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	sv->gone = true;
	stop_run(sv, ev, now_ms);
}

static void
hurry_idle(struct service *sv, enum service_event ev, int64_t now_ms)
{
	sv->hurried = true;
	stop_idle(sv, ev, now_ms);
}

static void
hurry_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	sv->final = sv->hurried = true;
	sv->want = WANT_DOWN;
	note_told(sv);
	sv->ops->publish(sv);
	sv->ops->signal_group(sv, SIGKILL);
}

static void
want_start(struct service *sv, enum service_want want)
{
	if (sv->final)
		return;
	sv->want = want;
	sv->leaving = false;
	sv->given_up = NULL;
	tally_clear(&sv->deaths);
	sv->ops->publish(sv);
}

static void
up_idle(struct service *sv, enum service_event ev, int64_t now_ms)
{
	want_start(sv, WANT_UP);
	start(sv, ev, now_ms);
}

static void
up_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	want_start(sv, WANT_UP);
}

static void
once_idle(struct service *sv, enum service_event ev, int64_t now_ms)
{
	want_start(sv, WANT_ONCE);
	start(sv, ev, now_ms);
}

static void
once_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	want_start(sv, WANT_ONCE);
}

/* As with runsv, once is once: this was it. */
static void
once_finish(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	want_start(sv, WANT_DOWN);
}

static void
term(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	terminate(sv, now_ms, 0);
	/* As runsv: one that is not to come again is not left stopped. */
	if (sv->want != WANT_UP)
		wake(sv);
}

static void
kill_all(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	sv->ops->signal_group(sv, SIGKILL);
}

/* As with runsv it shows, though there is nobody to stop. */
static void
pause_idle(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	sv->paused = true;
	sv->ops->publish(sv);
}

static void
pause_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	sv->ops->signal(sv, SIGSTOP);
	pause_idle(sv, ev, now_ms);
}

static void
cont_idle(struct service *sv, enum service_event ev, int64_t now_ms)
{
	(void)ev;
	(void)now_ms;
	if (!sv->paused)
		return;
	sv->paused = false;
	sv->ops->publish(sv);
}

static void
cont_run(struct service *sv, enum service_event ev, int64_t now_ms)
{
	wake(sv);
	cont_idle(sv, ev, now_ms);
}

static void
send(struct service *sv, enum service_event ev, int64_t now_ms)
{
	static const int signals[EV_MAX] = {
		[EV_CTL_HUP] = SIGHUP,	 [EV_CTL_ALRM] = SIGALRM,
		[EV_CTL_INT] = SIGINT,	 [EV_CTL_QUIT] = SIGQUIT,
		[EV_CTL_USR1] = SIGUSR1, [EV_CTL_USR2] = SIGUSR2,
	};

	(void)now_ms;
	sv->ops->signal(sv, signals[ev]);
}
