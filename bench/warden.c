/* SPDX-License-Identifier: ISC */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "warden.h"

#define GRACE_S		10	/* for reeved to stop its roles */
#define OPEN_MAX_DIRS	16

static volatile sig_atomic_t	patience_over;
static pid_t			ward;

static void
forward(int sig)
{
	(void)sig;
	kill(ward, SIGTERM);
}

static void
lose_patience(int sig)
{
	(void)sig;
	patience_over = 1;
}

static void
handle(int sig, void (*fn)(int))
{
	struct sigaction	sa;

	memset(&sa, 0, sizeof(sa));
	sigemptyset(&sa.sa_mask);
	sa.sa_handler = fn;	/* no SA_RESTART: waitpid shall return */
	sigaction(sig, &sa, NULL);
}

/* --- ending ------------------------------------------------------------- */

static pid_t
parent_of(pid_t pid)
{
	char	 path[40], buf[512], *p;
	int	 parent = 0;
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	/* The second field is a name in brackets, and may hold anything. */
	if (fgets(buf, sizeof(buf), f) != NULL &&
	    (p = strrchr(buf, ')')) != NULL)
		(void)sscanf(p + 1, " %*c %d", &parent);
	fclose(f);
	return parent;
}

static void
signal_children(int sig)
{
	struct dirent	*de;
	DIR		*d = opendir("/proc");
	pid_t		 pid;

	while (d != NULL && (de = readdir(d)) != NULL)
		if ((pid = (pid_t)atoi(de->d_name)) > 0 &&
		    parent_of(pid) == getpid())
			kill(pid, sig);
	if (d != NULL)
		closedir(d);
}

/* Orphans become our children, so when we have none, none is left. */
static void
end_descendants(void)
{
	pid_t	pid;

	handle(SIGALRM, lose_patience);
	alarm(GRACE_S);
	signal_children(SIGTERM);
	while ((pid = waitpid(-1, NULL, 0)) > 0 || errno == EINTR)
		if (patience_over)
			signal_children(SIGKILL);
		else if (pid > 0)
			signal_children(SIGTERM);
	alarm(0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	if (remove(path) == -1)
		fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
	return 0;
}

/* --- running ------------------------------------------------------------ */

static void
run_ward(const sigset_t *mask, int (*fn)(void *), void *arg)
{
	int	code;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	code = fn(arg);
	fflush(NULL);
	_exit(code);
}

static int
await(pid_t pid)
{
	int	status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EX_OSERR;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	    128 + WTERMSIG(status);
}

int
warden_run(const char *dir, int (*fn)(void *), void *arg)
{
	static const int	stops[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t		set, was;
	size_t			i;
	int			code = EX_OSERR;

	sigemptyset(&set);
	for (i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		sigaddset(&set, stops[i]);
	/* Until there is somebody to forward them to. */
	sigprocmask(SIG_BLOCK, &set, &was);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(NULL);
	if ((ward = fork()) == 0)
		run_ward(&was, fn, arg);
	if (ward == -1)
		fprintf(stderr, "bench: fork: %s\n", strerror(errno));
	else {
		for (i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
			handle(stops[i], forward);
		sigprocmask(SIG_SETMASK, &was, NULL);
		code = await(ward);
		sigprocmask(SIG_BLOCK, &set, NULL);
		end_descendants();
	}
	nftw(dir, remove_one, OPEN_MAX_DIRS, FTW_DEPTH | FTW_PHYS);
	return code;
}
