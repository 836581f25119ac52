/* SPDX-License-Identifier: ISC */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "envdir.h"
#include "limitsfile.h"
#include "log.h"
#include "orphan.h"
#include "process.h"
#include "procfs.h"
#include "roster.h"
#include "smallfile.h"

/* What a child needs to know, gathered before the fork. */
struct plan {
	const struct service	*sv;
	enum service_program	 program;
	int			 go_fd;		/* read end */
	int			 notify_fd;	/* write end, -1: none */
	int			 notify_as;	/* its number in the child */
	int			 status;	/* of run, for finish */
};

static void
die(const struct service *sv, const char *what)
{
	log_error(what, "service=%s error=%s", log_str(sv->name),
	    log_str(strerror(errno)));
	_exit(EXIT_CANNOT_RUN);
}

/*
 * A child starts with the signals as a login shell would have them.  The
 * kernel is asked itself, as libc refuses the two that it keeps for threads:
 * some init systems and runtimes hand those down ignored.
 */
static void
reset_signals(void)
{
	static const unsigned long	dfl[16];	/* all zero: SIG_DFL */
	sigset_t			none;
	int				sig;

	for (sig = 1; sig < NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, dfl, NULL, (NSIG - 1) / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* End of file instead of a byte: reeved died, and nobody knows of us. */
static void
wait_for_go(int fd)
{
	char	byte;
	ssize_t	n;

	while ((n = read(fd, &byte, 1)) == -1 && errno == EINTR)
		continue;
	if (n != 1)
		_exit(EXIT_CANNOT_RUN);
}

static void
set_std_descriptors(const struct service *sv)
{
	int	in, out = -1;

	in = sv->main != NULL ? sv->main->log_pipe[0] : sv->roster->null_fd;
	if (sv->log != NULL)
		out = sv->log_pipe[1];
	if (dup2(in, STDIN_FILENO) == -1 ||
	    (out != -1 && dup2(out, STDOUT_FILENO) == -1))
		die(sv, "cannot set descriptors");
}

/* A child that waits must not hold reeved's locks after reeved's death. */
static void
close_all_but(int a, int b)
{
	int	low = a < b ? a : b, high = a < b ? b : a;

	if (low > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)low - 1, 0);
	if (low > STDERR_FILENO && high > low + 1)
		close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	close_range((unsigned)high + 1, ~0U, 0);
}

static void
set_notification(const struct plan *plan)
{
	if (plan->notify_fd == -1)
		return;
	if (plan->notify_fd == plan->notify_as)
		fcntl(plan->notify_fd, F_SETFD, 0);
	else if (dup2(plan->notify_fd, plan->notify_as) == -1)
		die(plan->sv, "cannot set notification-fd");
}

/* Last, as it takes away what all before needs. */
static void
set_limits(const struct service *sv)
{
	struct limits_error	e;

	if (limitsfile_apply("limits", &e) == 0)
		return;
	log_error("bad limits", "service=%s file=limits line=%d error=%s",
	    log_str(sv->name), e.line, log_str(e.text));
	_exit(EXIT_CANNOT_RUN);
}

static void
exec_run(const struct service *sv)
{
	char	*argv[] = { "./run", NULL };

	execv(argv[0], argv);
	die(sv, "cannot execute run");
}

static void
exec_finish(const struct service *sv, int status)
{
	char	code[16], low[16];
	char	*argv[] = { "./finish", code, low, NULL };

	snprintf(code, sizeof(code), "%d",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	snprintf(low, sizeof(low), "%d", status & 0xff);
	execv(argv[0], argv);
	die(sv, "cannot execute finish");
}

static void
child(const struct plan *plan)
{
	const struct service	*sv = plan->sv;

	setsid();
	log_in_child();
	reset_signals();
	if (fchdir(sv->dir_fd) == -1)
		die(sv, "cannot enter the service directory");
	set_std_descriptors(sv);
	close_all_but(plan->go_fd, plan->notify_fd == -1 ? plan->go_fd :
	    plan->notify_fd);
	wait_for_go(plan->go_fd);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (envdir_apply("env") == -1)
		die(sv, "cannot read env/");
	setrlimit(RLIMIT_NOFILE, &sv->roster->nofile);
	set_notification(plan);
	if (plan->program == PROGRAM_RUN) {
		set_limits(sv);
		exec_run(sv);
	}
	exec_finish(sv, plan->status);
}

/* The number in notification-fd; -1: none.  Not stdin, nor the error log. */
static int
notification_fd(const struct service *sv)
{
	int64_t	n;

	n = smallfile_number(sv->dir_fd, "notification-fd");
	if (n == -1 && errno == ENOENT)
		return -1;
	if (n == STDOUT_FILENO || (n > STDERR_FILENO &&
	    (rlim_t)n < sv->roster->nofile.rlim_cur))
		return (int)n;
	log_warn("bad notification-fd, ignored", "service=%s",
	    log_str(sv->name));
	return -1;
}

/* Once, whatever more there is: others have their turn, too. */
static void
read_notification(struct watch *w)
{
	struct service	*sv = w->arg;
	char		 buf[4096];
	ssize_t		 n;

	n = read(w->fd, buf, sizeof(buf));
	if (n == -1 || (n > 0 && memchr(buf, '\n', (size_t)n) == NULL))
		return;
	watch_close(w);
	if (n > 0)
		service_event(sv, EV_NOTIFY, roster_now_ms());
}

static int
open_notification(struct service *sv, struct plan *plan)
{
	int	fds[2];

	watch_close(&sv->notify);
	if (plan->program != PROGRAM_RUN)
		return 0;
	plan->notify_as = notification_fd(sv);
	sv->notifies = plan->notify_as != -1;
	if (!sv->notifies)
		return 0;
	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	plan->notify_fd = fds[1];
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	if (watch_open(&sv->notify, sv->roster->epoll_fd, fds[0],
	    read_notification, sv) == 0)
		return 0;
	close(fds[1]);
	plan->notify_fd = -1;
	return -1;
}

/* Let go of what the child has; fails with errno as it is. */
static void
close_plan(const struct plan *plan)
{
	int	saved = errno;

	close(plan->go_fd);
	if (plan->notify_fd != -1)
		close(plan->notify_fd);
	errno = saved;
}

pid_t
process_spawn(struct service *sv, enum service_program program)
{
	struct plan	plan = { .sv = sv, .program = program,
		.notify_fd = -1, .status = sv->wstatus };
	int		go[2];
	pid_t		pid;

	if (pipe2(go, O_CLOEXEC) == -1)
		return -1;
	plan.go_fd = go[0];
	sv->go_fd = go[1];
	if (open_notification(sv, &plan) == -1)
		pid = -1;
	else if ((pid = fork()) == 0)
		child(&plan);
	close_plan(&plan);
	if (pid == -1) {
		int	saved = errno;

		watch_close(&sv->notify);
		close(sv->go_fd);
		sv->go_fd = -1;
		errno = saved;
		return -1;
	}
	sv->start_ticks = procfs_start_ticks(pid);
	return pid;
}

void
process_go(struct service *sv)
{
	/* Fails only if the child was killed already; that shows elsewhere. */
	if (write(sv->go_fd, "", 1) == -1)
		log_debug("child gone before it began", "service=%s",
		    log_str(sv->name));
	close(sv->go_fd);
	sv->go_fd = -1;
}

void
process_signal(const struct service *sv, int sig)
{
	if (sv->state == STATE_ORPHAN)
		orphan_signal(sv, sig);
	else if (sv->pid > 0 && kill(sv->pid, sig) == -1)
		log_warn("cannot signal", "service=%s pid=%d error=%s",
		    log_str(sv->name), (int)sv->pid, log_str(strerror(errno)));
}

void
process_signal_group(const struct service *sv, int sig)
{
	if (sv->state == STATE_ORPHAN)
		orphan_signal_group(sv, sig);
	else if (sv->pid > 0 && kill(-sv->pid, sig) == -1)
		process_signal(sv, sig);
}

bool
process_has_finish(const struct service *sv)
{
	return faccessat(sv->dir_fd, "finish", F_OK, 0) == 0;
}

int64_t
process_number(const struct service *sv, enum service_number number)
{
	static const char *const files[] = {
		[NUMBER_TIMEOUT_KILL] = "timeout-kill",
		[NUMBER_TIMEOUT_FINISH] = "timeout-finish",
		[NUMBER_MAX_DEATH_TALLY] = "max-death-tally",
		[NUMBER_DEATH_WINDOW] = "death-window",
	};
	int64_t			 n;

	n = smallfile_number(sv->dir_fd, files[number]);
	if (n == -1 && errno != ENOENT)
		log_warn("bad number, ignored", "service=%s file=%s",
		    log_str(sv->name), files[number]);
	return n;
}
