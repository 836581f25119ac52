/* SPDX-License-Identifier: ISC */
#include <sys/pidfd.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "orphan.h"
#include "procfs.h"
#include "roster.h"
#include "supervise.h"

#define KILLED_WAIT_MS	5000	/* for one that does not even die of KILL */

void
orphan_find(struct service *sv, const char *boot_id)
{
	struct supervise_record	record;
	int			fd;

	if (supervise_read_record(sv->dir_fd, &record) == -1 ||
	    strcmp(record.boot_id, boot_id) != 0)
		return;
	/* The pidfd first: what is proven below is then about this process. */
	if ((fd = pidfd_open(record.pid, 0)) == -1) {
		if (errno != ESRCH)
			log_warn("cannot look for an orphan",
			    "service=%s error=%s", log_str(sv->name),
			    log_str(strerror(errno)));
		return;
	}
	if (procfs_start_ticks(record.pid) != record.start_ticks ||
	    !procfs_works_in(record.pid, sv->dev, sv->ino)) {
		log_info("recorded process is not ours", "service=%s pid=%d",
		    log_str(sv->name), (int)record.pid);
		close(fd);
		return;
	}
	sv->orphan_pid = record.pid;
	sv->orphan_fd = fd;
	sv->start_ticks = record.start_ticks;
}

void
orphan_terminate(const struct service *sv)
{
	if (sv->orphan_fd == -1)
		return;
	log_warn("ending an orphan", "service=%s pid=%d",
	    log_str(sv->name), (int)sv->orphan_pid);
	pidfd_send_signal(sv->orphan_fd, SIGTERM, NULL, 0);
	pidfd_send_signal(sv->orphan_fd, SIGCONT, NULL, 0);
}

bool
orphan_wait(const struct service *sv, int64_t deadline_ms)
{
	struct pollfd	pfd = { .fd = sv->orphan_fd, .events = POLLIN };
	int64_t		left_ms;
	int		n;

	if (sv->orphan_fd == -1)
		return true;
	do {
		left_ms = deadline_ms - roster_now_ms();
		n = poll(&pfd, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (n == -1 && errno == EINTR);
	return n == 1;
}

/* A pid is not given out again while a group or a zombie has it: either the
 * leader is still what it was, or only its own descendants are left. */
static void
kill_group(const struct service *sv)
{
	unsigned long long	ticks = procfs_start_ticks(sv->orphan_pid);

	if (ticks == 0 || ticks == sv->start_ticks)
		kill(-sv->orphan_pid, SIGKILL);
}

void
orphan_end(struct service *sv, int64_t deadline_ms)
{
	if (sv->orphan_fd == -1)
		return;
	if (!orphan_wait(sv, deadline_ms)) {
		log_warn("orphan is overdue, killed", "service=%s pid=%d",
		    log_str(sv->name), (int)sv->orphan_pid);
		kill_group(sv);
		pidfd_send_signal(sv->orphan_fd, SIGKILL, NULL, 0);
		if (!orphan_wait(sv, roster_now_ms() + KILLED_WAIT_MS))
			log_error("orphan does not die", "service=%s pid=%d",
			    log_str(sv->name), (int)sv->orphan_pid);
	}
	kill_group(sv);
	close(sv->orphan_fd);
	sv->orphan_fd = -1;
	sv->orphan_pid = 0;
}
