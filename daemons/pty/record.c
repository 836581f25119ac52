/* SPDX-License-Identifier: ISC */

/* How a session ended, and that its terminal's end is none of its own. */
#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>

#include "lifelog.h"
#include "log.h"
#include "pty_impl.h"

/* Under a supervisor we work in our service directory, also when that has
 * been moved away. */
void
record_told(struct pty *p)
{
	struct life	me;

	p->told = life_read(&me, getpid()) == 0 &&
	    service_told(&p->config, AT_FDCWD, &me, true);
}

void
record_child(struct pty *p, pid_t pid)
{
	if (pid == 0)
		return;
	/* runit notes some wishes only after its signal. */
	if (p->stop && !p->told)
		record_told(p);
	/* Also of what was ended for a signal that nobody had announced. */
	if (!p->stop || !p->told)
		p->ended_pid = pid;
}

static void
dismiss_self(struct pty *p)
{
	struct life	me;
	struct error	e = { .code = EX_OSERR, .text = "no /proc" };

	if (p->dismissed)
		return;
	if (life_read(&me, getpid()) == -1 ||
	    dismiss(&p->config, p->identity, &me, &e) == -1)
		log_warn("cannot dismiss", "error=%s", log_str(e.text));
	else
		p->dismissed = true;
}

void
record_end(struct pty *p)
{
	const struct child	*c = &p->child;

	if (p->ended_pid != 0)
		lifelog_note(&p->config, LIFELOG_EXITS, "session-exit",
		    p->identity, "pid=%d dead_status=%d dead_signal=%d",
		    (int)p->ended_pid,
		    WIFEXITED(c->status) ? WEXITSTATUS(c->status) : 0,
		    WIFSIGNALED(c->status) ? WTERMSIG(c->status) : 0);
	p->ended_pid = 0;
	if (c->state == CHILD_OVER)
		dismiss_self(p);
}

void
record_exit(struct pty *p)
{
	record_end(p);
	dismiss_self(p);
}
