/* SPDX-License-Identifier: ISC */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "roster.h"
#include "strays.h"

/* False: some are still there at deadline_ms. */
static bool
collect_until(int64_t deadline_ms)
{
	struct timespec	wait;
	sigset_t	set;
	int64_t		left_ms;
	pid_t		pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			continue;
		if (pid == -1 && errno == ECHILD)
			return true;
		if ((left_ms = deadline_ms - roster_now_ms()) <= 0)
			return false;
		wait.tv_sec = left_ms / 1000;
		wait.tv_nsec = left_ms % 1000 * 1000000;
		sigtimedwait(&set, NULL, &wait);
	}
}

void
strays_end(void)
{
	if (getpid() != 1)
		return;
	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
	if (collect_until(roster_now_ms() + STRAYS_MS))
		return;
	log_warn("strays are overdue, killed", "ms=%d", STRAYS_MS);
	kill(-1, SIGKILL);
	(void)collect_until(roster_now_ms() + STRAYS_MS);
}
