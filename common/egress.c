/* SPDX-License-Identifier: ISC */
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "egress.h"

#define DELETED		" (deleted)"	/* as the kernel says it of a program */
#define SANDBOX		"REEVE_SANDBOX"

static bool	sandboxed;

/* Before main: nobody in this process changes it. */
__attribute__((constructor))
static void
read_sandbox(void)
{
	const char	*v = getenv(SANDBOX);

	sandboxed = v != NULL && strcmp(v, "1") == 0;
}

bool
egress_sandboxed(void)
{
	return sandboxed;
}

int
egress_allows(enum egress_whose whose, const char *path, struct error *e)
{
	if (!sandboxed || whose != EGRESS_OTHERS)
		return 0;
	return error_set(e, EGRESS_REFUSED, "%s is not started: this is a "
	    "sandbox (" SANDBOX ")", path);
}

/* --- programs ------------------------------------------------------------- */

static bool
is_passed(const char *variable)
{
	static const char *const	names[] = { "PATH=", "HOME=", "USER=",
					    "LOGNAME=", "SHELL=", "LANG=",
					    "LC_", "TZ=", "TMPDIR=", "XDG_",
					    SANDBOX "=" };
	size_t				i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

char **
egress_environ(void)
{
	static char	path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char		**v;
	size_t		n, m = 0;

	for (n = 0; environ != NULL && environ[n] != NULL; n++)
		;
	if ((v = calloc(n + 2, sizeof(*v))) == NULL)
		return NULL;
	if (getenv("PATH") == NULL)
		v[m++] = path;
	for (n = 0; environ != NULL && environ[n] != NULL; n++)
		if (is_passed(environ[n]))
			v[m++] = environ[n];
	return v;
}

/* In the child: its own, or nothing. */
static bool
take_fd(int fd, int as)
{
	if (fd == -1)
		fd = open("/dev/null", O_RDWR);
	return fd != -1 && dup2(fd, as) != -1;
}

static void
become(const struct egress_start *s, char *const *env, pid_t parent)
{
	struct sigaction	sa = { .sa_handler = SIG_DFL };
	sigset_t		none;
	int			sig;

	/* Killed, we must not leave it behind. */
	if (s->bound && (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 ||
	    getppid() != parent))
		_exit(EX_UNAVAILABLE);
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (s->detached && setsid() == -1)
		_exit(EX_OSERR);
	if (s->group && !s->detached)
		(void)setpgid(0, 0);
	if (!take_fd(s->in_fd, STDIN_FILENO) ||
	    !take_fd(s->out_fd, STDOUT_FILENO) ||
	    !take_fd(s->err_fd, STDERR_FILENO) ||
	    close_range(STDERR_FILENO + 1, UINT_MAX, 0) == -1 ||
	    (s->cwd != NULL && chdir(s->cwd) == -1))
		_exit(EX_OSERR);
	execve(s->path, s->argv, env);
	_exit(EX_OSFILE);
}

pid_t
egress_start(const struct egress_start *s, struct error *e)
{
	char	**own = NULL;
	pid_t	pid, parent = getpid();

	if (egress_allows(s->whose, s->path, e) == -1)
		return -1;
	if (s->detached && s->whose != EGRESS_OURS)
		return error_set(e, EX_SOFTWARE, "%s is not ours, and would "
		    "be detached", s->path);
	if (s->env == NULL && (own = egress_environ()) == NULL)
		return error_errno(e, EX_OSERR, "%s", s->path);
	if ((pid = fork()) == 0)
		become(s, s->env != NULL ? s->env : own, parent);
	if (pid == -1)
		error_errno(e, EX_OSERR, "%s: fork", s->path);
	else if (s->group && !s->detached)
		(void)setpgid(pid, pid);
	free(own);
	return pid;
}

void
egress_exec(enum egress_whose whose, const char *path, char *const argv[])
{
	if (egress_allows(whose, path, NULL) == -1)
		errno = EPERM;
	else
		execv(path, argv);
}

/* --- processes ---------------------------------------------------------------- */

bool
egress_look(pid_t pid, struct egress_process *p)
{
	char			path[40], buf[1024], *at, *name;
	unsigned long long	start;
	long long		rss;
	int			fd, parent, session;
	ssize_t			n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	/* The name may have blanks and brackets in it. */
	if ((name = strchr(buf, '(')) == NULL ||
	    (at = strrchr(buf, ')')) == NULL || sscanf(at + 1, " %c %d %*d "
	    "%d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
	    "%llu %*u %lld", &p->state, &parent, &session, &start, &rss) != 5)
		return false;
	*at = '\0';
	snprintf(p->name, sizeof(p->name), "%s", name + 1);
	p->pid = pid;
	p->parent = parent;
	p->session = session;
	p->start = start;
	p->rss_kb = rss < 0 ? 0 : (uint64_t)rss *
	    (uint64_t)(sysconf(_SC_PAGESIZE) / 1024);
	return true;
}

void
egress_each(bool (*fn)(void *, const struct egress_process *), void *arg)
{
	DIR			*d = opendir("/proc");
	struct dirent		*de;
	struct egress_process	 p;
	bool			 more = true;
	pid_t			 pid;

	while (d != NULL && more && (de = readdir(d)) != NULL)
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9' &&
		    (pid = (pid_t)atoi(de->d_name)) > 0 &&
		    egress_look(pid, &p))
			more = fn(arg, &p);
	if (d != NULL)
		closedir(d);
}

int
egress_exe(pid_t pid, char *buf, size_t size)
{
	char	path[40];
	ssize_t	n;
	size_t	tail = strlen(DELETED);

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if ((n = readlink(path, buf, size - 1)) <= 0)
		return -1;
	buf[n] = '\0';
	/* It was replaced meanwhile. */
	if ((size_t)n > tail && strcmp(buf + n - tail, DELETED) == 0)
		buf[(size_t)n - tail] = '\0';
	return 0;
}

/* The start is read when the descriptor is there: it is of that very one. */
int
egress_pidfd(pid_t pid, uint64_t start)
{
	struct egress_process	p;
	int			fd = pidfd_open(pid, 0);

	if (fd != -1 && egress_look(pid, &p) && p.start == start)
		return fd;
	if (fd != -1)
		close(fd);
	errno = ESRCH;
	return -1;
}

int
egress_signal(pid_t pid, uint64_t start, const char *exe, int sig)
{
	char	is[PATH_MAX];
	int	fd = egress_pidfd(pid, start), r = -1, error;

	if (fd == -1)
		return -1;
	errno = ESRCH;
	if (exe == NULL || (egress_exe(pid, is, sizeof(is)) == 0 &&
	    strcmp(is, exe) == 0))
		r = pidfd_send_signal(fd, sig, NULL, 0);
	error = errno;
	close(fd);
	errno = error;
	return r;
}

/* Its pid is its own until it has been waited for. */
static bool
is_child(pid_t pid)
{
	siginfo_t	si;

	return waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int
egress_child(pid_t pid, int sig)
{
	if (pid > 1 && is_child(pid))
		return kill(pid, sig);
	errno = ESRCH;
	return -1;
}

int
egress_group(pid_t pid, int sig)
{
	if (pid > 1 && is_child(pid))
		return kill(-pid, sig);
	errno = ESRCH;
	return -1;
}

/* --- the network ---------------------------------------------------------------- */

static bool
is_loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in	*in = (const void *)sa;
	const struct sockaddr_in6	*in6 = (const void *)sa;

	if (sa->sa_family == AF_INET)
		return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
	return sa->sa_family == AF_UNIX || (sa->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
}

static int
open_socket(const struct addrinfo *ai)
{
	if (sandboxed && !is_loopback(ai->ai_addr)) {
		errno = EPERM;
		return -1;
	}
	return socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
shut(int fd)
{
	int	error = errno;

	close(fd);
	errno = error;
	return -1;
}

int
egress_connect(const struct addrinfo *ai, int timeout_s)
{
	struct timeval	limit = { .tv_sec = timeout_s };
	int		fd = open_socket(ai);

	if (fd == -1)
		return -1;
	if (timeout_s > 0) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
		    sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
		    sizeof(limit));
	}
	return connect(fd, ai->ai_addr, ai->ai_addrlen) == 0 ? fd : shut(fd);
}

int
egress_can_listen(const struct addrinfo *ai)
{
	int	fd = open_socket(ai), on = 1;

	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == -1 ||
	    listen(fd, 1) == -1)
		return shut(fd);
	close(fd);
	return 0;
}
