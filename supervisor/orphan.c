/* SPDX-License-Identifier: ISC */
#include <sys/pidfd.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "orphan.h"
#include "procfs.h"
#include "roster.h"
#include "scan.h"
#include "supervise.h"

/* Of the processes of a group whose leader is dead. */
struct search {
	const struct service	*sv;
	bool			 in_directory;	/* only those */
	int			 sig;		/* for each; 0: none */
	int			 fd;		/* of the first, -1: none */
	int			 error;		/* 0, or why one is unknown */
};

/* A process is not read from: asked whether it is this one that ended. */
static void
ended(struct watch *w)
{
	struct pollfd	p = { .fd = w->fd, .events = POLLIN };

	if (poll(&p, 1, 0) != 1)
		return;
	service_event(w->arg, EV_EXIT, roster_now_ms());
}

static int
watch_it(struct service *sv, int fd)
{
	int	saved;

	if (watch_open(&sv->orphan, sv->roster->epoll_fd, fd, ended, sv) == 0)
		return 0;
	saved = errno;
	log_error("cannot watch an orphan", "service=%s error=%s",
	    log_str(sv->name), log_str(strerror(saved)));
	errno = saved;
	return -1;
}

static void
note_error(struct search *s)
{
	if (procfs_scarce(errno))
		s->error = errno;
}

static bool
is_member(struct search *s, pid_t pid)
{
	const struct service	*sv = s->sv;
	struct procfs_stat	 st;

	if (!procfs_stat(pid, &st)) {
		note_error(s);
		return false;
	}
	return !st.is_zombie && st.group == sv->pid &&
	    st.session == sv->pid && st.start_ticks >= sv->start_ticks;
}

/* The directory, too, if that matters. */
static bool
is_wanted(struct search *s, pid_t pid)
{
	if (!is_member(s, pid))
		return false;
	if (!s->in_directory ||
	    procfs_works_in(pid, s->sv->dev, s->sv->ino))
		return true;
	note_error(s);
	return false;
}

static void
visit(void *arg, const char *name, const struct stat *unused)
{
	struct search	*s = arg;
	pid_t		 pid = atoi(name);
	int		 fd;

	(void)unused;
	/* Seldom one of it: looked at once more with the pidfd, so that what
	 * is proven is about the process that is signalled. */
	if (pid <= 1 || !is_member(s, pid))
		return;
	if ((fd = pidfd_open(pid, 0)) == -1) {
		note_error(s);
		return;
	}
	if (!is_wanted(s, pid)) {
		close(fd);
		return;
	}
	if (s->sig != 0)
		pidfd_send_signal(fd, s->sig, NULL, 0);
	if (s->fd == -1)
		s->fd = fd;
	else
		close(fd);
}

/* The pidfd of one of the group.  -1 and errno: ESRCH when there is none. */
static int
search_group(const struct service *sv, bool in_directory, int sig)
{
	struct search	s = { .sv = sv, .in_directory = in_directory,
			    .sig = sig, .fd = -1 };
	int		proc_fd;

	/* Most often there is none, and no need to look at all there are. */
	if (kill(-sv->pid, 0) == -1 && errno == ESRCH)
		return -1;
	proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd == -1)
		return -1;
	if (scan_directory(proc_fd, visit, &s) == -1)
		s.error = errno;
	close(proc_fd);
	if (s.fd == -1)
		errno = s.error == 0 ? ESRCH : s.error;
	return s.fd;
}

/* Whether the process, which a pidfd is held of, is the recorded one.  0, or
 * why not: ESRCH when it is dead, EPERM when it is somebody else's. */
static int
check_leader(const struct service *sv)
{
	struct procfs_stat	st;

	if (!procfs_stat(sv->pid, &st))
		return procfs_scarce(errno) ? errno : ESRCH;
	if (st.start_ticks != sv->start_ticks)
		return EPERM;
	if (st.is_zombie)
		return ESRCH;
	if (st.session != sv->pid)
		return EPERM;
	if (procfs_works_in(sv->pid, sv->dev, sv->ino))
		return 0;
	return procfs_scarce(errno) ? errno : EPERM;
}

/* The pidfd of the recorded process.  -1 and errno: as check_leader. */
static int
find_leader(const struct service *sv)
{
	int	fd, error;

	/* The pidfd first: what is proven below is then about this process. */
	if ((fd = pidfd_open(sv->pid, 0)) == -1) {
		if (errno != ESRCH && !procfs_scarce(errno))
			errno = EPERM;
		return -1;
	}
	if ((error = check_leader(sv)) == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/* Of ->pid.  0: the service is in STATE_ORPHAN; else, why not. */
static int
find_process(struct service *sv)
{
	int	fd;

	if ((fd = find_leader(sv)) == -1 && errno == ESRCH)
		fd = search_group(sv, true, 0);
	if (fd == -1 || watch_it(sv, fd) == -1)
		return errno;
	sv->state = STATE_ORPHAN;
	return 0;
}

int
orphan_find(struct service *sv, const char *boot_id)
{
	struct supervise_record	record;
	int			error;

	error = supervise_read_record(sv->dir_fd, &record) == -1 ? errno : 0;
	if (procfs_scarce(error)) {
		errno = error;
		return -1;
	}
	if (strcmp(record.boot_id, boot_id) != 0)
		return 0;
	/* Who has not looked yet is still to find it. */
	sv->told_pid = record.told_pid;
	sv->told_ticks = record.told_ticks;
	if (error != 0)
		return 0;
	sv->pid = record.pid;
	sv->start_ticks = record.start_ticks;
	if ((error = find_process(sv)) == 0)
		return 0;
	sv->pid = 0;
	sv->start_ticks = 0;
	if (error == ESRCH)
		return 0;
	if (error == EPERM) {
		log_info("recorded process is not ours", "service=%s pid=%d",
		    log_str(sv->name), (int)record.pid);
		return 0;
	}
	errno = error;
	return -1;
}

void
orphan_signal(const struct service *sv, int sig)
{
	pidfd_send_signal(sv->orphan.fd, sig, NULL, 0);
}

void
orphan_signal_group(const struct service *sv, int sig)
{
	int	fd;

	/* Of what was not watched the number may be somebody else's now. */
	if (sv->orphan.fd == -1)
		return;
	if ((fd = search_group(sv, false, sig)) != -1)
		close(fd);
	orphan_signal(sv, sig);
}

enum service_rest
orphan_remains(struct service *sv)
{
	struct procfs_stat	st;
	/* As it is asked again after a time in which nothing was watched. */
	bool			unwatched = sv->orphan.fd == -1;
	int			fd;

	watch_close(&sv->orphan);
	/* A number that was given out again has no group of ours. */
	if (procfs_stat(sv->pid, &st)) {
		if (st.start_ticks != sv->start_ticks)
			return NOTHING_LEFT;
	} else if (procfs_scarce(errno))
		return UNKNOWN_LEFT;
	if ((fd = search_group(sv, unwatched, SIGKILL)) == -1)
		return errno == ESRCH ? NOTHING_LEFT : UNKNOWN_LEFT;
	return watch_it(sv, fd) == 0 ? SOME_LEFT : UNKNOWN_LEFT;
}
