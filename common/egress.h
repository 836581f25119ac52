/* SPDX-License-Identifier: ISC */
#ifndef REEVE_EGRESS_H
#define REEVE_EGRESS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/*
 * The doorway to the host: programs are started, processes signalled and
 * sockets opened here, and nowhere else (t/unit/test_egress looks), but for
 *
 *	supervisor/			which is what starts and ends everything
 *	daemons/pty/child.c		the program in a terminal
 *	session/hook.c, hooksock.c	the session's control socket
 *	daemons/broker.c		only fork(2), for who says it is ready
 *	libnats				the connection to the broker
 *
 * In a sandbox, which is where REEVE_SANDBOX is 1 when a process starts, it
 * refuses: -1 with EGRESS_REFUSED, and the caller says that it skips what it
 * was about to do.  What is started has the variable too, and refuses by
 * itself.  Allowed even then: what somebody named on the command line,
 * ourselves, the process table, loopback, and signals to what is verified as
 * ours.
 */
#define EGRESS_REFUSED	79		/* an error's code; no sysexit */

/* Whose is a program? */
enum egress_whose {
	EGRESS_OURS,			/* of this package */
	EGRESS_NAMED,			/* given on the command line */
	EGRESS_OTHERS,
};

bool	egress_sandboxed(void);
/* 0, or -1 with EGRESS_REFUSED: may such a program be started? */
int	egress_allows(enum egress_whose, const char *path, struct error *);

/* --- programs: by their path, never by a shell ----------------------------- */

struct egress_start {
	enum egress_whose	 whose;
	const char		*path;
	char *const		*argv;
	char *const		*env;	/* NULL: egress_environ */
	const char		*cwd;	/* NULL: ours */
	int			 in_fd, out_fd, err_fd;	/* -1: /dev/null */
	bool			 group;	/* in a process group of its own */
	bool			 detached;	/* in a session of its own:
						   only one of ours */
	bool			 bound;	/* it gets SIGTERM when we end */
};

/* A child, which the caller waits for.  Nothing else of ours is open in it,
 * no signal blocked.  -1 with *e: EGRESS_REFUSED, EX_OSERR.  What cannot be
 * executed ends with EX_OSFILE. */
pid_t	egress_start(const struct egress_start *, struct error *);
/* Become it; returns only when that is not to be: errno says why, EPERM that
 * it was refused. */
void	egress_exec(enum egress_whose, const char *path, char *const argv[]);
/* What of our environment others get: PATH, HOME, USER, LOGNAME, SHELL, LANG,
 * LC_*, TZ, TMPDIR, XDG_*, REEVE_SANDBOX.  NULL-terminated; free() it, the
 * strings are ours.  NULL: out of memory. */
char	**egress_environ(void);

enum egress_state { EGRESS_OK, EGRESS_FAILED, EGRESS_TIMEOUT,
	EGRESS_NOT_EXECUTABLE };
#define EGRESS_TAIL	400

/* How it went. */
struct egress_end {
	enum egress_state	 state;
	int			 exit;	/* -1: it has none */
	int			 signal;	/* 0: none */
	int64_t			 ms;
	char			 tail[EGRESS_TAIL + 1];	/* of its stderr */
};

/*
 * Run a program to its end, for timeout_ms at most: then its whole process
 * group gets SIGTERM, and SIGKILL half a second later; and should we die
 * before, it gets SIGTERM.  stdin and stdout are /dev/null.  0: how it went is
 * in *end; -1 with *e: EGRESS_REFUSED, EX_OSERR.
 */
int	egress_run(enum egress_whose, char *const argv[], const char *cwd,
	    int64_t timeout_ms, struct egress_end *end, struct error *);
/* "ok", "failed", "timeout", "not-executable". */
const char *egress_state_name(enum egress_state);

/* --- processes --------------------------------------------------------------- */

/* One of the process table.  pid and start name it for as long as the host
 * runs. */
struct egress_process {
	pid_t		 pid, parent, session;
	uint64_t	 start;		/* in ticks since the boot */
	char		 state;		/* Z: it has ended */
	char		 name[32];
	uint64_t	 rss_kb;
};

/* False: there is none (any more). */
bool	egress_look(pid_t, struct egress_process *);
/* Each of them, until fn returns false. */
void	egress_each(bool (*fn)(void *arg, const struct egress_process *),
	    void *arg);
/* The path of its executable, without the kernel's " (deleted)"; -1: not to
 * be known. */
int	egress_exe(pid_t, char *buf, size_t size);
/* A descriptor of that very process; -1: it is no more. */
int	egress_pidfd(pid_t, uint64_t start);
/*
 * Signal that very process, and no successor: by its pid, its start and, but
 * for descendants of ours, where exe is NULL, its executable.  0, or -1 with
 * errno: ESRCH it is no more, or another.
 */
int	egress_signal(pid_t, uint64_t start, const char *exe, int sig);
/* Signal a child that has not been waited for, or its process group. */
int	egress_child(pid_t, int sig);
int	egress_group(pid_t, int sig);

/* --- the network ---------------------------------------------------------------- */

struct addrinfo;

/* A connected stream, whose reads and writes take timeout_s at most (0:
 * whatever it takes).  -1 with errno; EPERM: refused. */
int	egress_connect(const struct addrinfo *, int timeout_s);
/* Could somebody listen there?  0, or -1 with errno. */
int	egress_can_listen(const struct addrinfo *);

#endif
