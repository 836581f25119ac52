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

#include "child.h"
#include "envdir.h"
#include "limitsfile.h"
#include "log.h"
#include "process.h"
#include "roster.h"

static _Noreturn void
die(const struct service *sv, const char *what)
{
	log_error(what, "service=%s error=%s", log_str(sv->name),
	    log_str(strerror(errno)));
	_exit(EXIT_CANNOT_RUN);
}

/*
 * A child starts with the signals as a login shell would have them: those that
 * are caught are reset by exec.  The kernel is asked itself, as libc refuses
 * the two that it keeps for threads: some init systems and runtimes hand those
 * down ignored.
 */
static void
reset_signals(uint64_t ignored)
{
	static const unsigned long	dfl[16];	/* all zero: SIG_DFL */
	sigset_t			none;
	int				sig;

	for (sig = 1; sig < NSIG; sig++)
		if (ignored & 1ULL << (sig - 1))
			syscall(SYS_rt_sigaction, sig, dfl, NULL,
			    (NSIG - 1) / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* See await_left. */
static void
tell_left(int fd)
{
	if (write(fd, "", 1) != 1)
		_exit(EXIT_CANNOT_RUN);
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

static bool
is_given(const struct service *sv, int fd)
{
	int	i;

	for (i = 0; i < GIVEN_MAX; i++)
		if (sv->given[i] == fd)
			return true;
	return false;
}

/*
 * A table of its own, without what is not given to it: it must not hold
 * reeved's locks after reeved's death.  Those above are not copied at all.
 */
static void
leave_descriptors(const struct service *sv)
{
	int	fd, i, last = STDERR_FILENO;

	for (i = 0; i < GIVEN_MAX; i++)
		if (sv->given[i] > last)
			last = sv->given[i];
	if (close_range((unsigned)last + 1, ~0U, CLOSE_RANGE_UNSHARE) == -1) {
		if (sv->roster->shares)
			die(sv, "cannot leave reeved's descriptors");
		closefrom(last + 1);
	}
	for (fd = STDERR_FILENO + 1; fd < last; fd++)
		if (!is_given(sv, fd))
			close(fd);
}

static void
set_std_descriptors(const struct service *sv)
{
	if (dup2(sv->given[GIVEN_IN], STDIN_FILENO) == -1 ||
	    (sv->given[GIVEN_OUT] != -1 &&
	    dup2(sv->given[GIVEN_OUT], STDOUT_FILENO) == -1))
		die(sv, "cannot set descriptors");
}

/* What had this number before was of use until now. */
static void
set_notification(const struct child_plan *plan)
{
	int	fd = plan->sv->given[GIVEN_NOTIFY];

	if (fd == -1)
		return;
	if (fd == plan->notify_as)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, plan->notify_as) == -1)
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

static _Noreturn void
exec_run(const struct service *sv)
{
	char	*argv[] = { "./run", NULL };

	execv(argv[0], argv);
	die(sv, "cannot execute run");
}

static _Noreturn void
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

_Noreturn void
child_run(const struct child_plan *plan)
{
	const struct service	*sv = plan->sv;

	setsid();
	log_in_child();
	if (fchdir(sv->dir_fd) == -1)
		die(sv, "cannot enter the service directory");
	leave_descriptors(sv);
	reset_signals(sv->roster->ignored);
	set_std_descriptors(sv);
	wait_for_go(sv->given[GIVEN_GO]);
	tell_left(sv->given[GIVEN_GO]);
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
