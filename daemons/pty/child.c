/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "child.h"
#include "clock.h"
#include "control.h"
#include "log.h"
#include "tree.h"

#define BACKOFF_MIN_MS	100
#define BACKOFF_MAX_MS	30000
#define STEADY_MS	10000	/* up so long, the back-off begins anew */
#define STOP_MS		3000	/* from SIGTERM to SIGKILL */
#define AGAIN_MS	20	/* between one SIGKILL and the next */
#define EXIT_CANNOT_RUN	127	/* as a shell says it */

void
child_init(struct child *c, struct launch_plan *plan, const char *dir)
{
	memset(c, 0, sizeof(*c));
	c->plan = plan;
	c->dir = dir;
	c->rows = plan->rows;
	c->cols = plan->cols;
	c->master = -1;
	c->backoff_ms = BACKOFF_MIN_MS;
}

void
child_close(struct child *c)
{
	if (c->master != -1)
		close(c->master);
	c->master = -1;
	c->input_len = 0;
	c->key_ms = 0;
}

void
child_free(struct child *c)
{
	child_close(c);
	control_end(c->control);
	free(c->input);
	c->control = c->input = NULL;
}

/* --- starting ------------------------------------------------------------------ */

/* In the child: only what may be called between fork and exec. */
static void
become(const struct child *c, int slave, char **argv, char **envp)
{
	struct sigaction	sa = { .sa_handler = SIG_DFL };
	sigset_t		none;
	int			sig;

	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (login_tty(slave) == -1)
		_exit(EXIT_CANNOT_RUN);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	if (chdir(c->plan->cwd) == -1)
		dprintf(STDERR_FILENO, "reeve-pty: %s: %s\r\n",
		    c->plan->cwd, strerror(errno));
	else {
		environ = envp;
		execvp(argv[0], argv);
		dprintf(STDERR_FILENO, "reeve-pty: cannot run %s: %s\r\n",
		    argv[0], strerror(errno));
	}
	_exit(EXIT_CANNOT_RUN);
}

static int
open_terminal(struct child *c, int *slave, struct error *e)
{
	struct winsize	ws = { .ws_row = (unsigned short)c->rows,
			    .ws_col = (unsigned short)c->cols };
	struct termios	t;
	int		flags;

	if (openpty(&c->master, slave, NULL, NULL, &ws) == -1) {
		c->master = -1;
		return error_errno(e, EX_OSERR, "openpty");
	}
	if (tcgetattr(*slave, &t) == 0) {
		t.c_iflag |= IUTF8;
		tcsetattr(*slave, TCSANOW, &t);
	}
	fcntl(c->master, F_SETFD, FD_CLOEXEC);
	fcntl(*slave, F_SETFD, FD_CLOEXEC);
	flags = fcntl(c->master, F_GETFL);
	fcntl(c->master, F_SETFL, flags | O_NONBLOCK);
	return 0;
}

static pid_t
fork_child(struct child *c, char **argv, char **envp, struct error *e)
{
	pid_t	pid;
	int	slave;

	if (open_terminal(c, &slave, e) == -1)
		return -1;
	if ((pid = fork()) == 0)
		become(c, slave, argv, envp);
	if (pid == -1)
		error_errno(e, EX_OSERR, "fork");
	close(slave);
	return pid;
}

static int
spawn(struct child *c, struct error *e)
{
	char	**argv, **envp;
	size_t	  i, n = c->plan->argv.n;

	if (c->plan->control && control_make(c->plan, c->dir, &c->control,
	    e) == -1)
		return -1;
	argv = calloc(n + 1, sizeof(*argv));
	envp = launch_plan_environ(c->plan, environ);
	if (argv == NULL || envp == NULL)
		fatal_memory();
	for (i = 0; i < n; i++)
		argv[i] = c->plan->argv.v[i];
	c->pid = fork_child(c, argv, envp, e);
	free(argv);
	launch_environ_free(envp);
	return c->pid == -1 ? -1 : 0;
}

static void
wait_for_next(struct child *c)
{
	c->state = CHILD_WAITING;
	c->due_ms = clock_ms() + c->backoff_ms;
	c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS :
	    c->backoff_ms * 2;
}

static void
start(struct child *c)
{
	struct error	e;

	control_end(c->control);
	c->control = NULL;
	if (spawn(c, &e) == -1) {
		c->pid = 0;
		child_close(c);
		wait_for_next(c);
		log_warn("cannot start", "error=%s again_ms=%lld",
		    log_str(e.text), (long long)(c->due_ms - clock_ms()));
		return;
	}
	c->state = CHILD_RUNNING;
	c->started_ms = clock_ms();
	c->starts++;
	c->key = c->pressed = 0;
	c->key_ms = c->plan->n_keys == 0 ? 0 :
	    c->started_ms + c->plan->keys[0].after_ms;
	log_info("child", "pid=%d starts=%u program=%s", c->pid, c->starts,
	    log_str(c->plan->argv.v[0]));
}

/* --- input and output ------------------------------------------------------------ */

ssize_t
child_read(struct child *c, char *buf, size_t size)
{
	ssize_t	n;

	if (c->master == -1)
		return -1;
	if ((n = read(c->master, buf, size)) > 0)
		return n;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* EIO: nobody has the other end open.  A child that lives may open
	 * it again, but then by /dev/tty; there is no more to be had now. */
	return -1;
}

bool
child_type(struct child *c, const void *data, size_t len)
{
	char	*p;
	size_t	 cap;

	if (c->master == -1 || len > CHILD_INPUT_MAX - c->input_len)
		return false;
	if (c->input_len + len > c->input_cap) {
		cap = c->input_len + len + 4096;
		if ((p = realloc(c->input, cap)) == NULL)
			return false;
		c->input = p;
		c->input_cap = cap;
	}
	memcpy(c->input + c->input_len, data, len);
	c->input_len += len;
	child_write(c);
	return true;
}

void
child_write(struct child *c)
{
	ssize_t	n;
	size_t	done = 0;

	while (c->master != -1 && done < c->input_len) {
		n = write(c->master, c->input + done, c->input_len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done == 0)
		return;
	memmove(c->input, c->input + done, c->input_len - done);
	c->input_len -= done;
	if (c->input_len == 0 && c->input_cap > 65536) {
		free(c->input);
		c->input = NULL;
		c->input_cap = 0;
	}
}

void
child_hands_off(struct child *c)
{
	c->key_ms = 0;
}

void
child_resize(struct child *c, unsigned rows, unsigned cols)
{
	struct winsize	ws = { .ws_row = (unsigned short)rows,
			    .ws_col = (unsigned short)cols };

	c->rows = rows;
	c->cols = cols;
	if (c->master != -1 && ioctl(c->master, TIOCSWINSZ, &ws) == -1)
		log_warn("cannot resize", "error=%s",
		    log_str(strerror(errno)));
}

static void
press(struct child *c)
{
	const struct launch_key	*k = &c->plan->keys[c->key];

	(void)child_type(c, k->text, strlen(k->text));
	if (++c->pressed >= k->times) {
		c->pressed = 0;
		c->key++;
	}
	c->key_ms = c->key >= c->plan->n_keys ? 0 :
	    clock_ms() + c->plan->keys[c->key].after_ms;
}

/* --- ending ---------------------------------------------------------------------- */

/* What is stopped takes no signal but SIGKILL until it goes on. */
static void
begin_end(struct child *c)
{
	c->state = CHILD_ENDING;
	c->due_ms = clock_ms() + STOP_MS;
	(void)tree_signal(SIGTERM);
	(void)tree_signal(SIGCONT);
}

void
child_stop(struct child *c)
{
	c->stopping = true;
	c->key_ms = 0;
	if (c->state == CHILD_RUNNING)
		begin_end(c);
	else if (c->state == CHILD_WAITING)
		c->state = CHILD_OVER;
}

void
child_hurry(struct child *c)
{
	if (c->state == CHILD_ENDING)
		c->due_ms = clock_ms();
}

static bool
restarts(const struct child *c)
{
	bool	well = WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0;

	return !c->stopping && (c->plan->policy == LAUNCH_ALWAYS ||
	    (c->plan->policy == LAUNCH_ON_FAILURE && !well));
}

/* Nobody is left of it. */
static void
all_gone(struct child *c)
{
	control_end(c->control);
	c->control = NULL;
	if (clock_ms() - c->started_ms >= STEADY_MS)
		c->backoff_ms = BACKOFF_MIN_MS;
	if (restarts(c))
		wait_for_next(c);
	else
		c->state = CHILD_OVER;
}

bool
child_reap(struct child *c)
{
	enum child_state	was = c->state;
	int			status;
	pid_t			pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != c->pid)
			continue;
		c->pid = 0;
		c->ended = true;
		c->status = status;
		c->key_ms = 0;
		log_info("child ended", "pid=%d %s=%d", pid,
		    WIFSIGNALED(status) ? "signal" : "exit",
		    WIFSIGNALED(status) ? WTERMSIG(status) :
		    WEXITSTATUS(status));
	}
	if (c->pid != 0)
		return c->state != was;
	if (pid == -1 && errno == ECHILD &&
	    (was == CHILD_RUNNING || was == CHILD_ENDING))
		all_gone(c);
	else if (was == CHILD_RUNNING)
		begin_end(c);
	return c->state != was;
}

/* --- time ------------------------------------------------------------------------- */

int64_t
child_due(const struct child *c)
{
	switch (c->state) {
	case CHILD_WAITING:
	case CHILD_ENDING:
		return c->due_ms;
	case CHILD_RUNNING:
		return c->key_ms > 0 ? c->key_ms : INT64_MAX;
	case CHILD_OVER:
		break;
	}
	return INT64_MAX;
}

bool
child_tend(struct child *c)
{
	if (clock_ms() < child_due(c))
		return false;
	switch (c->state) {
	case CHILD_WAITING:
		child_close(c);
		start(c);
		return true;
	case CHILD_ENDING:
		/* Who forks meanwhile is found in the next round. */
		(void)tree_signal(SIGKILL);
		c->due_ms = clock_ms() + AGAIN_MS;
		return false;
	case CHILD_RUNNING:
		press(c);
		return false;
	case CHILD_OVER:
		break;
	}
	return false;
}
