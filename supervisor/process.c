/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "log.h"
#include "orphan.h"
#include "process.h"
#include "procfs.h"
#include "roster.h"
#include "smallfile.h"

#define ASK_MS		20	/* whether a child is alive at all */
#define STUCK_MS	5000

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
open_notification(struct service *sv, struct child_plan *plan)
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
	sv->given[GIVEN_NOTIFY] = fds[1];
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	return watch_open(&sv->notify, sv->roster->epoll_fd, fds[0],
	    read_notification, sv);
}

/* A copy with a low number. */
static int
give(struct service *sv, enum given which, int fd)
{
	sv->given[which] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return sv->given[which] == -1 ? -1 : 0;
}

static int
give_all(struct service *sv, struct child_plan *plan)
{
	int	go[2], in;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) == -1)
		return -1;
	sv->go_fd = go[0];
	sv->given[GIVEN_GO] = go[1];
	/* Of a log's finish, after the last of all, there is no pipe. */
	in = sv->main != NULL && sv->main->log_pipe[0] != -1 ?
	    sv->main->log_pipe[0] : sv->roster->null_fd;
	if (give(sv, GIVEN_IN, in) == -1 || (sv->log != NULL &&
	    give(sv, GIVEN_OUT, sv->log_pipe[1]) == -1))
		return -1;
	return open_notification(sv, plan);
}

/* What the child has by now, and our end of the way to it. */
static void
close_given(struct service *sv)
{
	int	i;

	for (i = 0; i < GIVEN_MAX; i++) {
		if (sv->given[i] != -1)
			close(sv->given[i]);
		sv->given[i] = -1;
	}
	if (sv->go_fd != -1)
		close(sv->go_fd);
	sv->go_fd = -1;
}

/* -1, with errno as it is; what was begun is undone. */
static pid_t
abandon(struct service *sv)
{
	int	saved = errno;

	close_given(sv);
	watch_close(&sv->notify);
	errno = saved;
	return -1;
}

/*
 * A child that shares our table of descriptors until it has left it.  To copy
 * that of a thousand services, and close it, takes longer than all the rest.
 */
static pid_t
fork_child(const struct roster *r)
{
	unsigned long	flags = CLONE_FILES | SIGCHLD;
	pid_t		pid;

	if (!r->shares)
		return fork();
#if defined(__s390__) || defined(__CRIS__)
	pid = (pid_t)syscall(SYS_clone, NULL, flags, NULL, NULL, NULL);
#else
	pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
#endif
	/* An emulator may not know this way of it. */
	return pid == -1 && errno == EINVAL ? fork() : pid;
}

pid_t
process_spawn(struct service *sv, enum service_program program)
{
	struct child_plan	plan = { .sv = sv, .program = program,
		.notify_as = -1, .status = sv->wstatus };
	pid_t		pid;

	if (give_all(sv, &plan) == -1)
		return abandon(sv);
	if ((pid = fork_child(sv->roster)) == -1)
		return abandon(sv);
	if (pid == 0)
		child_run(&plan);
	sv->start_ticks = procfs_start_ticks(pid);
	return pid;
}

/*
 * Until the child has left our descriptors, none of these may be closed.  It
 * does that first of all, so there is as good as no wait; but it may have been
 * killed, or stopped.
 */
static void
await_left(const struct service *sv)
{
	struct pollfd	p = { .fd = sv->go_fd, .events = POLLIN };
	siginfo_t	info;
	int		waited_ms = 0;

	while (poll(&p, 1, ASK_MS) != 1) {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)sv->pid, &info, WEXITED | WNOHANG |
		    WNOWAIT) == -1 || info.si_pid != 0)
			return;
		if ((waited_ms += ASK_MS) == STUCK_MS)
			log_warn("does not begin, killed", "service=%s pid=%d",
			    log_str(sv->name), (int)sv->pid);
		if (waited_ms >= STUCK_MS)
			kill(sv->pid, SIGKILL);
	}
}

void
process_go(struct service *sv)
{
	/* Fails only if the child was killed already; that shows elsewhere. */
	if (write(sv->go_fd, "", 1) == -1)
		log_debug("child gone before it began", "service=%s",
		    log_str(sv->name));
	await_left(sv);
	close_given(sv);
}

void
process_init(struct roster *r)
{
	struct sigaction	old;
	int			sig;

	/* The two that libc says nothing about may be. */
	for (sig = 1; sig < NSIG; sig++)
		if (sigaction(sig, NULL, &old) == -1 ||
		    old.sa_handler == SIG_IGN)
			r->ignored |= 1ULL << (sig - 1);
	/* Asked of descriptors that there are none of. */
	r->shares = close_range(~0U, ~0U, CLOSE_RANGE_UNSHARE) == 0;
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
