/* SPDX-License-Identifier: ISC */

/* A program that is run to its end, or to the end of our patience. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "clock.h"
#include "egress.h"
#include "files.h"

#define GRACE_MS	500	/* from SIGTERM to SIGKILL */

struct run {
	pid_t			 pid;
	int			 pid_fd, err_fd;
	int64_t			 start_ms;
	struct egress_end	*end;
	size_t			 n;	/* of the tail */
};

const char *
egress_state_name(enum egress_state s)
{
	static const char *const	names[] = { "ok", "failed", "timeout",
					    "not-executable" };

	return names[s];
}

/* The last of it is kept: there it says why. */
static bool
hear(struct run *r)
{
	struct egress_end	*end = r->end;
	char			 buf[EGRESS_TAIL];
	size_t			 len, drop;
	ssize_t			 n;

	while ((n = read(r->err_fd, buf, sizeof(buf))) > 0) {
		len = (size_t)n;
		drop = r->n + len > EGRESS_TAIL ? r->n + len - EGRESS_TAIL :
		    0;
		memmove(end->tail, end->tail + drop, r->n - drop);
		r->n -= drop;
		memcpy(end->tail + r->n, buf, len);
		r->n += len;
	}
	end->tail[r->n] = '\0';
	return n == -1 && (errno == EAGAIN || errno == EINTR);
}

/* Until it has ended, or the time is there.  What it has left behind may hold
 * its stderr: that is not waited for. */
static bool
ended_before(struct run *r, int64_t until_ms)
{
	struct pollfd	fds[2] = { { .fd = r->pid_fd, .events = POLLIN },
			    { .fd = r->err_fd, .events = POLLIN } };
	int64_t		left;

	for (;;) {
		left = until_ms - clock_ms();
		if (poll(fds, 2, left < 0 ? 0 : (int)left) > 0) {
			if (fds[1].revents != 0 && !hear(r))
				fds[1].fd = -1;
			if (fds[0].revents != 0)
				return true;
		}
		if (clock_ms() >= until_ms)
			return false;
	}
}

/* Its group's number is its own as long as it has not been waited for. */
static void
end_group(struct run *r)
{
	(void)egress_group(r->pid, SIGTERM);
	(void)egress_group(r->pid, SIGCONT);
	(void)ended_before(r, clock_ms() + GRACE_MS);
	(void)egress_group(r->pid, SIGKILL);
}

static void
collect(struct run *r, bool late)
{
	struct egress_end	*end = r->end;
	int			 status;
	size_t			 skip;

	while (waitpid(r->pid, &status, 0) == -1 && errno == EINTR)
		;
	(void)hear(r);
	end->ms = clock_ms() - r->start_ms;
	if (!late && WIFSIGNALED(status))
		end->signal = WTERMSIG(status);
	else if (!late)
		end->exit = WEXITSTATUS(status);
	end->state = late ? EGRESS_TIMEOUT : end->exit == 0 ? EGRESS_OK :
	    EGRESS_FAILED;
	while (r->n > 0 && strchr(" \t\r\n", end->tail[r->n - 1]) != NULL)
		end->tail[--r->n] = '\0';
	/* The cut may have gone through a character. */
	for (skip = 0; r->n == EGRESS_TAIL && skip < 3 &&
	    ((unsigned char)end->tail[skip] & 0xc0) == 0x80; skip++)
		;
	memmove(end->tail, end->tail + skip, r->n - skip + 1);
}

static int
start(struct run *r, enum egress_whose whose, char *const argv[],
    const char *cwd, struct error *e)
{
	struct egress_start	s = { .whose = whose, .path = argv[0],
				    .argv = argv, .cwd = cwd, .in_fd = -1,
				    .out_fd = -1, .group = true,
				    .bound = true };
	int			p[2];

	if (pipe2(p, O_CLOEXEC) == -1)
		return error_errno(e, EX_OSERR, "pipe");
	s.err_fd = p[1];
	r->err_fd = p[0];
	r->start_ms = clock_ms();
	r->pid = egress_start(&s, e);
	close(p[1]);
	(void)fcntl(p[0], F_SETFL, O_NONBLOCK);
	if (r->pid != -1 && (r->pid_fd = pidfd_open(r->pid, 0)) != -1)
		return 0;
	if (r->pid != -1) {
		error_errno(e, EX_OSERR, "%s", argv[0]);
		(void)egress_group(r->pid, SIGKILL);
		(void)waitpid(r->pid, NULL, 0);
	}
	close(p[0]);
	return -1;
}

int
egress_run(enum egress_whose whose, char *const argv[], const char *cwd,
    int64_t timeout_ms, struct egress_end *end, struct error *e)
{
	struct run	r = { .end = end };
	bool		late;

	memset(end, 0, sizeof(*end));
	end->exit = -1;
	if (egress_allows(whose, argv[0], e) == -1)
		return -1;
	if (!file_is_program(argv[0])) {
		end->state = EGRESS_NOT_EXECUTABLE;
		return 0;
	}
	if (start(&r, whose, argv, cwd, e) == -1)
		return -1;
	late = !ended_before(&r, r.start_ms + timeout_ms);
	if (late)
		end_group(&r);
	collect(&r, late);
	close(r.pid_fd);
	close(r.err_fd);
	return 0;
}
