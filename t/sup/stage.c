/* SPDX-License-Identifier: ISC */
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

#define RING	8

long long	stage_patience_ms = AWAIT_MS;

static char	directory[64];
static int	guard_fd = -1;
static pid_t	guard_pid;
static int	log_fd = -1;

long long
stage_now_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void
stage_pause(void)
{
	struct timespec	ts = { .tv_nsec = 2000000 };

	nanosleep(&ts, NULL);
}

/* Kill whoever works below the directory.  How many there were. */
static unsigned
kill_inhabitants(void)
{
	struct dirent	*entry;
	DIR		*proc = opendir("/proc");
	char		 path[300], cwd[PATH_MAX];
	unsigned	 n = 0;
	ssize_t		 len;

	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		pid_t	pid = (pid_t)atoi(entry->d_name);

		if (pid <= 1 || pid == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
		len = readlink(path, cwd, sizeof(cwd));
		if (len < (ssize_t)strlen(directory) ||
		    strncmp(cwd, directory, strlen(directory)) != 0)
			continue;
		kill(pid, SIGKILL);
		n++;
	}
	if (proc != NULL)
		closedir(proc);
	return n;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* Wait for the test's end, however it comes, and clean up after it. */
static void
guard(int fd)
{
	char		byte;
	unsigned	calm = 0;

	setsid();
	while (read(fd, &byte, 1) == -1 && errno == EINTR)
		continue;
	while (calm < 3) {
		calm = kill_inhabitants() == 0 ? calm + 1 : 0;
		stage_pause();
	}
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	_exit(0);
}

void
stage_setup(void)
{
	int	fds[2];

	strcpy(directory, "/tmp/reeved-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	if ((guard_pid = fork()) == 0) {
		close(fds[1]);
		guard(fds[0]);
	}
	close(fds[0]);
	guard_fd = fds[1];
	ck_assert_int_eq(mkdir(stage_path("state"), 0755), 0);
	ck_assert_int_eq(mkdir(stage_path("state/service"), 0755), 0);
	unsetenv("REEVE_STATE");
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	/* What a killed reeved leaves comes to us, and is reaped below. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void
stage_teardown(void)
{
	close(guard_fd);
	waitpid(guard_pid, NULL, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

void
stage_fail(const char *file, int line, const char *what)
{
	char	out[16384];

	stage_run(out, sizeof(out), "tail -n 60 %s", stage_path("log"));
	fprintf(stderr, "--- log of reeved\n%s---\n", out);
	ck_abort_msg("%s:%d: never came true: %s", file, line, what);
	abort();
}

static char *
next_buffer(size_t size)
{
	static char	ring[RING][PATH_MAX];
	static unsigned	turn;

	ck_assert_uint_le(size, PATH_MAX);
	return ring[turn++ % RING];
}

const char *
stage_path(const char *fmt, ...)
{
	char	*buf = next_buffer(PATH_MAX);
	va_list	 ap;
	int	 n = 0;

	if (fmt[0] != '/')
		n = snprintf(buf, PATH_MAX, "%s/", directory);
	va_start(ap, fmt);
	vsnprintf(buf + n, PATH_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return buf;
}

static bool
is_program(const char *path)
{
	const char	*base = strrchr(path, '/');

	base = base == NULL ? path : base + 1;
	return strcmp(base, "run") == 0 || strcmp(base, "finish") == 0 ||
	    strcmp(base, "check") == 0;
}

void
stage_file(const char *path, const char *content)
{
	char	full[PATH_MAX], *slash;
	FILE	*f;

	snprintf(full, sizeof(full), "%s", stage_path("%s", path));
	for (slash = strchr(full + 1, '/'); slash != NULL;
	    slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	ck_assert_ptr_nonnull(f = fopen(full, "we"));
	fputs(content, f);
	fclose(f);
	if (is_program(path))
		ck_assert_int_eq(chmod(full, 0755), 0);
}

void
stage_service(const char *name, const char *script)
{
	char	path[PATH_MAX], content[4096];

	snprintf(path, sizeof(path), "state/service/%s/run", name);
	snprintf(content, sizeof(content), "#!/bin/sh\n%s", script);
	stage_file(path, content);
}

static const char *
program(void)
{
	const char	*path = getenv("REEVED");

	return path == NULL ? "./reeved" : path;
}

void
stage_log_to(int fd)
{
	log_fd = fd;
}

static void
exec_reeved(const char *path)
{
	int	fd;

	fd = log_fd != -1 ? log_fd : open(stage_path("log"), O_WRONLY | O_CREAT | O_APPEND, 0644);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execl(path, "reeved", "-v", "--state", stage_path("state"),
	    (char *)NULL);
	perror(path);
	_exit(127);
}

pid_t
stage_reeved(void)
{
	pid_t	pid;

	ck_assert_int_ge(pid = fork(), 0);
	if (pid == 0)
		exec_reeved(program());
	return pid;
}

pid_t
stage_reeved_as(uid_t uid, unsigned long processes)
{
	struct rlimit	limit = { processes, processes };
	char		out[256];
	pid_t		pid;

	ck_assert_int_eq(stage_run(out, sizeof(out),
	    "cp %s %s && chmod 755 %s && chown -R %u:%u %s", program(),
	    stage_path("reeved"), stage_path("."), (unsigned)uid,
	    (unsigned)uid, stage_path("state")), 0);
	ck_assert_int_ge(pid = fork(), 0);
	if (pid != 0)
		return pid;
	if ((processes != 0 && setrlimit(RLIMIT_NPROC, &limit) == -1) ||
	    chown(stage_path("."), uid, uid) == -1 ||
	    setgroups(0, NULL) == -1 || setresgid(uid, uid, uid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		_exit(126);
	exec_reeved(stage_path("reeved"));
	_exit(127);
}

pid_t
stage_reeved_init(void)
{
	pid_t	pid;

	/* As fork, but for the namespaces. */
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD,
	    NULL, NULL, NULL, NULL);
	ck_assert_msg(pid != -1, "clone: %s", strerror(errno));
	if (pid != 0)
		return pid;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("proc", "/proc", "proc", 0, NULL) == -1)
		_exit(126);
	exec_reeved(program());
	_exit(127);
}

int
stage_wait(pid_t pid)
{
	long long	until_ms = stage_now_ms() + stage_patience_ms;
	int		status;
	pid_t		ended;

	while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
		if (stage_now_ms() > until_ms)
			stage_fail(__FILE__, __LINE__, "end of reeved");
		stage_pause();
	}
	ck_assert_int_eq(ended, pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
stage_run(char *out, size_t size, const char *fmt, ...)
{
	char	command[2 * PATH_MAX];
	va_list	ap;
	FILE	*f;
	size_t	n;
	int	status;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	setenv("SVDIR", stage_path("state/service"), 1);
	fflush(NULL);
	ck_assert_ptr_nonnull(f = popen(command, "re"));
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *
stage_read(const char *fmt, ...)
{
	static char	buf[65536];
	char		path[PATH_MAX];
	va_list		ap;
	size_t		n = 0;
	FILE		*f;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	f = fopen(path[0] == '/' ? path : stage_path("%s", path), "re");
	if (f != NULL) {
		n = fread(buf, 1, sizeof(buf) - 1, f);
		fclose(f);
	}
	buf[n] = '\0';
	return buf;
}

unsigned
stage_lines(const char *path)
{
	const char	*p = stage_read("%s", path);
	unsigned	 n = 0;

	while ((p = strchr(p, '\n')) != NULL) {
		n++;
		p++;
	}
	return n;
}

const char *
stage_value(const char *service, const char *key)
{
	const char	*line;
	char		*value = next_buffer(PATH_MAX);
	size_t		 len = strlen(key);

	value[0] = '\0';
	for (line = stage_read("state/service/%s/supervise/reeve", service);
	    line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == '=') {
			snprintf(value, PATH_MAX, "%.*s",
			    (int)strcspn(line + len + 1, "\n"),
			    line + len + 1);
			break;
		}
	}
	return value;
}

long long
stage_number(const char *service, const char *key)
{
	return atoll(stage_value(service, key));
}

bool
stage_is(const char *service, const char *state)
{
	return strcmp(stage_value(service, "state"), state) == 0;
}

void
stage_control(const char *service, const char *bytes)
{
	int	fd;

	/* It is there a moment after the first status. */
	AWAIT((fd = open(stage_path("state/service/%s/supervise/control",
	    service), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) != -1);
	ck_assert_int_eq(write(fd, bytes, strlen(bytes)), strlen(bytes));
	close(fd);
}

void
stage_move(const char *from, const char *to)
{
	ck_assert_int_eq(rename(stage_path("%s", from),
	    stage_path("%s", to)), 0);
}

bool
stage_logged(const char *text)
{
	return strstr(stage_read("log"), text) != NULL;
}

/* A zombie is not alive. */
bool
stage_alive(pid_t pid)
{
	char	path[64], stat[512] = "", *p;
	FILE	*f;

	if (pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	if (fgets(stat, sizeof(stat), f) == NULL)
		stat[0] = '\0';
	fclose(f);
	p = strrchr(stat, ')');
	return p != NULL && p[2] != 'Z' && p[2] != 'X';
}

bool
stage_have(const char *program)
{
	char	out[256];

	return stage_run(out, sizeof(out), "command -v %s", program) == 0;
}
