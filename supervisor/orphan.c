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

static bool
watch_it(struct service *sv, int fd)
{
	if (watch_open(&sv->orphan, sv->roster->epoll_fd, fd, ended, sv) == 0)
		return true;
	log_error("cannot watch an orphan", "service=%s error=%s",
	    log_str(sv->name), log_str(strerror(errno)));
	return false;
}

static bool
is_member(const struct service *sv, pid_t pid)
{
	struct procfs_stat	st;

	return procfs_stat(pid, &st) && !st.is_zombie &&
	    st.group == sv->pid && st.session == sv->pid &&
	    st.start_ticks >= sv->start_ticks;
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
	if (pid <= 1 || !is_member(s->sv, pid) ||
	    (fd = pidfd_open(pid, 0)) == -1)
		return;
	if (!is_member(s->sv, pid) || (s->in_directory &&
	    !procfs_works_in(pid, s->sv->dev, s->sv->ino))) {
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

/* The pidfd of one of the group, or -1. */
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
	(void)scan_directory(proc_fd, visit, &s);
	close(proc_fd);
	return s.fd;
}

/* The process of ->pid is the recorded one: its pidfd.  -1: it is dead, or,
 * with *stranger, somebody else's. */
static int
find_leader(const struct service *sv, bool *stranger)
{
	struct procfs_stat	st;
	int			fd;

	*stranger = false;
	/* The pidfd first: what is proven below is then about this process. */
	if ((fd = pidfd_open(sv->pid, 0)) == -1) {
		*stranger = errno != ESRCH;
		return -1;
	}
	if (procfs_stat(sv->pid, &st)) {
		if (st.start_ticks == sv->start_ticks && st.is_zombie) {
			close(fd);
			return -1;
		}
		*stranger = st.start_ticks != sv->start_ticks ||
		    st.session != sv->pid ||
		    !procfs_works_in(sv->pid, sv->dev, sv->ino);
		if (!*stranger)
			return fd;
	}
	close(fd);
	return -1;
}

void
orphan_find(struct service *sv, const char *boot_id)
{
	struct supervise_record	record;
	bool			stranger;
	int			fd;

	if (supervise_read_record(sv->dir_fd, &record) == -1 ||
	    strcmp(record.boot_id, boot_id) != 0)
		return;
	sv->pid = record.pid;
	sv->start_ticks = record.start_ticks;
	if ((fd = find_leader(sv, &stranger)) == -1 && !stranger)
		fd = search_group(sv, true, 0);
	if (stranger)
		log_info("recorded process is not ours", "service=%s pid=%d",
		    log_str(sv->name), (int)record.pid);
	if (fd != -1 && watch_it(sv, fd)) {
		sv->state = STATE_ORPHAN;
		return;
	}
	sv->pid = 0;
	sv->start_ticks = 0;
}

void
orphan_signal(const struct service *sv, int sig)
{
	pidfd_send_signal(sv->orphan.fd, sig, NULL, 0);
}

void
orphan_signal_group(const struct service *sv, int sig)
{
	int	fd = search_group(sv, false, sig);

	if (fd != -1)
		close(fd);
	orphan_signal(sv, sig);
}

bool
orphan_remains(struct service *sv)
{
	struct procfs_stat	st;
	int			fd;

	watch_close(&sv->orphan);
	/* A number that was given out again has no group of ours. */
	if (procfs_stat(sv->pid, &st) && st.start_ticks != sv->start_ticks)
		return false;
	fd = search_group(sv, false, SIGKILL);
	return fd != -1 && watch_it(sv, fd);
}
