/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "tty.h"

#define LEAVE_MS	1000	/* for a terminal that is slow to take it */

/* For on_crash: which one is raw. */
static struct tty	*raw;

/* What may be called in a handler, and no more. */
static void
on_crash(int sig)
{
	if (raw != NULL) {
		(void)!write(STDOUT_FILENO, raw->leave, raw->leave_len);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw->was);
	}
	/* Reset by SA_RESETHAND. */
	raise(sig);
}

static void
catch_crashes(void)
{
	static const int	sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE,
				    SIGABRT };
	struct sigaction	sa = { .sa_handler = on_crash,
				    .sa_flags = (int)SA_RESETHAND |
				    SA_NODEFER };
	size_t			i;

	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		(void)sigaction(sigs[i], &sa, NULL);
}

int
tty_open(struct tty *t, struct error *e)
{
	memset(t, 0, sizeof(*t));
	t->out = -1;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return error_set(e, EX_USAGE, "standard input and output "
		    "must be a terminal");
	if (tcgetattr(STDIN_FILENO, &t->was) == -1)
		return error_errno(e, EX_OSERR, "terminal");
	/* Anew: others have that descriptor, too, and want it to wait. */
	t->out = open("/proc/self/fd/1", O_WRONLY | O_NOCTTY | O_NONBLOCK |
	    O_CLOEXEC);
	if (t->out == -1)
		return error_errno(e, EX_OSERR, "terminal");
	(void)tty_measure(t);
	return 0;
}

bool
tty_measure(struct tty *t)
{
	struct winsize	ws;
	unsigned	rows = 24, cols = 80;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 &&
	    ws.ws_col > 0) {
		rows = ws.ws_row;
		cols = ws.ws_col;
	}
	if (rows == t->rows && cols == t->cols)
		return false;
	t->rows = rows;
	t->cols = cols;
	return true;
}

int
tty_raw(struct tty *t, struct error *e)
{
	struct termios	now = t->was;

	cfmakeraw(&now);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &now) == -1)
		return error_errno(e, EX_OSERR, "terminal");
	t->is_raw = true;
	raw = t;
	catch_crashes();
	return 0;
}

void
tty_leave_with(struct tty *t, const void *data, size_t len)
{
	char	*p = malloc(len + 1);

	if (p == NULL)
		return;		/* what there was is as good as any */
	memcpy(p, data, len);
	free(t->leave);
	t->leave = p;
	t->leave_len = len;
}

void
tty_restore(struct tty *t)
{
	int64_t		until = clock_ms() + LEAVE_MS;
	struct pollfd	p = { .fd = t->out, .events = POLLOUT };

	if (!t->is_raw)
		return;
	/* What was to be shown of the agent's is not of interest now; but a
	 * sequence that was cut would swallow what follows. */
	t->done = t->len = 0;
	tty_put(t, "\030\r", 2);
	tty_put(t, t->leave, t->leave_len);
	while (tty_waiting(t) > 0 && clock_ms() < until) {
		(void)tty_write(t);
		if (tty_waiting(t) > 0 && poll(&p, 1, 50) == 1 &&
		    !(p.revents & POLLOUT))
			break;		/* it is gone */
	}
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->was);
	t->is_raw = false;
	raw = NULL;
}

void
tty_close(struct tty *t)
{
	tty_restore(t);
	if (t->out > 0)
		close(t->out);
	free(t->leave);
	free(t->waiting);
	t->leave = t->waiting = NULL;
	t->leave_len = t->done = t->len = t->cap = 0;
}

/* --- output ------------------------------------------------------------------- */

size_t
tty_waiting(const struct tty *t)
{
	return t->len - t->done;
}

void
tty_put(struct tty *t, const void *data, size_t n)
{
	char	*p;
	size_t	 cap;

	if (n == 0)
		return;
	if (t->len + n > t->cap && t->done > 0) {
		memmove(t->waiting, t->waiting + t->done, tty_waiting(t));
		t->len -= t->done;
		t->done = 0;
	}
	if (t->len + n > t->cap) {
		cap = (t->len + n) * 2;
		if ((p = realloc(t->waiting, cap)) == NULL)
			fatal_memory();
		t->waiting = p;
		t->cap = cap;
	}
	memcpy(t->waiting + t->len, data, n);
	t->len += n;
}

size_t
tty_write(struct tty *t)
{
	size_t	all = 0;
	ssize_t	n;

	while (tty_waiting(t) > 0) {
		n = write(t->out, t->waiting + t->done, tty_waiting(t));
		if (n <= 0)
			break;
		t->done += (size_t)n;
		all += (size_t)n;
	}
	if (t->done == t->len)
		t->done = t->len = 0;
	return all;
}
