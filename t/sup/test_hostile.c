/* SPDX-License-Identifier: ISC */
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "stage.h"

/* What a machine does to a supervisor that it should live through. */

#define SLEEP	"exec sleep 1000\n"
#define CHURNS	3000
#define MANY	1000
#define WORD	32			/* of the kernel's, at least */
#define CHAIN	300
#define CROWD	100
#ifdef __SANITIZE_ADDRESS__
#define GROWN_KB 65536			/* it keeps what was freed */
#else
#define GROWN_KB 512
#endif

static bool
runs(const char *service)
{
	return stage_is(service, "up");
}

static unsigned
descriptors(pid_t pid)
{
	struct dirent	*entry;
	DIR		*dir;
	unsigned	 n = 0;

	ck_assert_ptr_nonnull(dir = opendir(stage_path("/proc/%d/fd",
	    (int)pid)));
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static unsigned
children(pid_t pid)
{
	const char	*p = stage_read("/proc/%d/task/%d/children", (int)pid,
			    (int)pid);
	unsigned	 n = 0;

	for (; *p != '\0'; p++)
		n += *p == ' ';
	return n;
}

static long
rss_kb(pid_t pid)
{
	const char	*p = strstr(stage_read("/proc/%d/status", (int)pid),
			    "VmRSS:");

	ck_assert_ptr_nonnull(p);
	return strtol(p + 6, NULL, 10);
}

/* --- a full disk ------------------------------------------------------------- */

/* A disk of a few pages in a mount namespace of this test's own. */
static void
mount_small(const char *path, const char *options)
{
	ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
	    0);
	ck_assert_int_eq(mount("small", path, "tmpfs", 0,
	    options), 0);
}

static void
fill(const char *path)
{
	char	page[4096] = { 0 };
	int	fd;

	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ne(fd, -1);
	while (write(fd, page, sizeof(page)) > 0)
		continue;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

/* A service that says who it is, and when there is another of it; its
 * supervise/ is the small disk.  Gives where a filler of that is to be. */
static const char *
stage_small(void)
{
	static char	filler[PATH_MAX];

	stage_service("a", "for p in $(cat ../../../pids); do\n"
	    "grep -qs sleep /proc/$p/cmdline && echo $p >>../../../beside\n"
	    "done\necho $$ >>../../../pids\n" SLEEP);
	stage_file("pids", "");
	mount_small(stage_path("state/service/a/supervise"),
	    "size=32k,mode=700");
	snprintf(filler, sizeof(filler), "%s",
	    stage_path("state/service/a/supervise/filler"));
	return filler;
}

/* The pid in the first line but n. */
static pid_t
nth_pid(unsigned n)
{
	const char	*p = stage_read("pids");

	for (; n > 0; n--)
		ck_assert_ptr_nonnull(p = strchr(p, '\n') + 1);
	return atoi(p);
}

/* What runit's status says is the process. */
static pid_t
status_pid(const char *service)
{
	unsigned char	status[20];
	int		fd;

	fd = open(stage_path("state/service/%s/supervise/status", service),
	    O_RDONLY | O_CLOEXEC);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(read(fd, status, sizeof(status)), sizeof(status));
	close(fd);
	return (pid_t)(status[12] | (unsigned)status[13] << 8 |
	    (unsigned)status[14] << 16 | (unsigned)status[15] << 24);
}

/* Restarted all the same, and on record; what is not is put right when it can
 * be. */
START_TEST(a_disk_that_is_full)
{
	const char	*filler;
	pid_t		 reeved, pid;
	unsigned	 i;

	NEED_ROOT;
	filler = stage_small();
	reeved = stage_reeved();
	AWAIT(runs("a") && stage_lines("pids") == 1);
	fill(filler);
	for (i = 1; i <= 4; i++) {
		kill(nth_pid(i - 1), SIGKILL);
		AWAIT(stage_lines("pids") == i + 1);
		pid = nth_pid(i);
		AWAIT(runs("a") && stage_number("a", "pid") == pid &&
		    status_pid("a") == pid);
	}
	ck_assert(stage_logged("cannot write status\" service=\"a\""));
	ck_assert_int_eq(unlink(filler), 0);
	AWAIT(stage_logged("status written\" service=\"a\""));
	ck_assert(runs("a"));
	ck_assert_int_eq(stage_number("a", "starts"), 5);
	ck_assert_int_eq(atoi(stage_read("state/service/a/supervise/pid")),
	    nth_pid(4));
	fill(filler);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert(stage_is("a", "down"));
	ck_assert_int_eq(status_pid("a"), 0);
}
END_TEST

/* What was started while the disk was full is an orphan as any other, for one
 * successor after the other. */
START_TEST(killed_while_the_disk_is_full)
{
	const char	*filler;
	pid_t		 reeved, old;
	unsigned	 i;

	NEED_ROOT;
	filler = stage_small();
	reeved = stage_reeved();
	AWAIT(runs("a") && stage_lines("pids") == 1);
	fill(filler);
	for (i = 1; i <= 4; i += 2) {
		kill(nth_pid(i - 1), SIGKILL);
		AWAIT(stage_lines("pids") == i + 1);
		old = nth_pid(i);
		AWAIT(stage_number("a", "pid") == old);
		kill(reeved, SIGKILL);
		ck_assert_int_eq(stage_wait(reeved), -1);
		ck_assert(stage_alive(old));
		reeved = stage_reeved();
		AWAIT(stage_lines("pids") == i + 2);
		ck_assert(!stage_alive(old));
		AWAIT(runs("a") && status_pid("a") == nth_pid(i + 1));
	}
	ck_assert_uint_eq(stage_lines("beside"), 0);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* Who cannot be put on record is not started before he can. */
START_TEST(a_disk_that_is_full_from_the_start)
{
	const char	*filler;
	pid_t		 reeved;

	NEED_ROOT;
	filler = stage_small();
	stage_service("b", SLEEP);
	fill(filler);
	reeved = stage_reeved();
	AWAIT(runs("b"));
	AWAIT(stage_logged("cannot supervise\" service=\"a\" "
	    "error=\"No space left on device\""));
	ck_assert_uint_eq(stage_lines("pids"), 0);
	ck_assert_int_eq(unlink(filler), 0);
	AWAIT(runs("a") && stage_lines("pids") == 1);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* Nor is a supervisor kept from beginning; who runs is known there, too. */
START_TEST(begun_on_a_full_disk)
{
	pid_t	reeved;

	NEED_ROOT;
	mount_small(stage_path("state"), "size=64k,mode=700");
	stage_service("a", SLEEP);
	reeved = stage_reeved();
	AWAIT(runs("a"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert_str_eq(stage_read("state/reeved.lock"), "");
	fill(stage_path("state/filler"));
	reeved = stage_reeved();
	AWAIT(runs("a"));
	ck_assert_int_eq(atoi(stage_read("state/reeved.lock")), reeved);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	/* without what was kept for the pid */
	ck_assert_int_eq(unlink(stage_path("state/reeved.lock")), 0);
	fill(stage_path("state/filler2"));
	reeved = stage_reeved();
	AWAIT(runs("a"));
	ck_assert(stage_logged("cannot note the process id"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* --- fifos --------------------------------------------------------------------- */

/* Nobody writes to them: who opened one to read would wait for ever. */
START_TEST(fifos_in_place_of_files)
{
	static const char *const files[] = { "needs", "limits",
		"notification-fd", "timeout-kill", "timeout-finish",
		"max-death-tally", "death-window", "env/VARIABLE" };
	pid_t	reeved;
	size_t	i;

	stage_service("a", SLEEP);
	stage_service("b", SLEEP);
	ck_assert_int_eq(mkdir(stage_path("state/service/a/env"), 0755), 0);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		ck_assert_int_eq(mkfifo(stage_path("state/service/a/%s",
		    files[i]), 0600), 0);
	ck_assert_int_eq(mkfifo(stage_path("state/service/fifo"), 0600), 0);
	ck_assert_int_eq(mkdir(stage_path("state/service/c"), 0755), 0);
	ck_assert_int_eq(mkfifo(stage_path("state/service/c/run"), 0755), 0);
	reeved = stage_reeved();
	AWAIT(runs("a") && runs("b"));
	AWAIT(stage_number("c", "last_exit") == 111);
	kill((pid_t)stage_number("a", "pid"), SIGKILL);
	AWAIT(stage_number("a", "starts") == 2 && runs("a"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* While the supervisor does not read, who writes is told so, and does not
 * hang; then it reads all there is. */
START_TEST(a_control_nobody_reads)
{
	const char	*dir = getenv("REEVE_BINDIR");
	char		 junk[4096], out[512];
	pid_t		 reeved;
	int		 fd;

	memset(junk, 'z', sizeof(junk));
	stage_file("state/reeve.conf", "space = t\n"
	    "servers = nats://127.0.0.1:1\n");
	stage_service("a", SLEEP);
	reeved = stage_reeved();
	AWAIT(runs("a"));
	kill(reeved, SIGSTOP);
	ck_assert_int_ne(fd = open(stage_path(
	    "state/service/a/supervise/control"), O_WRONLY | O_NONBLOCK |
	    O_CLOEXEC), -1);
	while (write(fd, junk, sizeof(junk)) > 0)
		continue;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(stage_run(out, sizeof(out), "timeout 10 %s/reeve "
	    "stop --state %s a 2>&1", dir == NULL ? "." : dir,
	    stage_path("state")), EX_UNAVAILABLE);
	kill(reeved, SIGCONT);
	AWAIT(write(fd, "d", 1) == 1);
	close(fd);
	AWAIT(stage_is("a", "down"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	/* and with nobody there at all */
	ck_assert_int_eq(stage_run(out, sizeof(out), "timeout 10 %s/reeve "
	    "stop --state %s a 2>&1", dir == NULL ? "." : dir,
	    stage_path("state")), EX_UNAVAILABLE);
}
END_TEST

/* --- one directory for two --------------------------------------------------- */

/* Who holds its lock, of fcntl. */
static pid_t
lock_holder(const char *service)
{
	struct flock	whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int		fd;

	fd = open(stage_path("state/service/%s/supervise/lock", service),
	    O_WRONLY | O_CLOEXEC);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(fcntl(fd, F_GETLK, &whole), 0);
	close(fd);
	return whole.l_type == F_UNLCK ? 0 : whole.l_pid;
}

/* Who comes second, a log that is a service, its own or another's, or a
 * service that is a log, does not take the lock away from the first, whichever
 * of them that is. */
START_TEST(a_log_that_is_a_service)
{
	static const char *const	links[] = { "b/log", "a/log", "b" };
	static const char *const	targets[] = { "../a", ".", "a/log" };
	static const char *const	held[] = { "a", NULL, "a/log" };
	char				path[64];
	pid_t				reeved;

	stage_service("a", SLEEP);
	stage_service("c", SLEEP);
	if (_i == 0)
		stage_service("b", SLEEP);
	if (_i == 2)
		stage_file("state/service/a/log/run", "#!/bin/sh\n" SLEEP);
	snprintf(path, sizeof(path), "state/service/%s", links[_i]);
	ck_assert_int_eq(symlink(targets[_i], stage_path("%s", path)), 0);
	reeved = stage_reeved();
	AWAIT(stage_logged("has another supervisor") && runs("c"));
	if (held[_i] != NULL) {
		AWAIT(runs(held[_i]));
		ck_assert_int_eq(lock_holder(held[_i]), reeved);
	}
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* --- directories ---------------------------------------------------------------- */

static void
churn(unsigned i)
{
	char	new[64], old[64];

	snprintf(new, sizeof(new), "state/service/x%u", i % 7);
	snprintf(old, sizeof(old), "pool/%u", i % 5);
	switch (i % 4) {
	case 0:
		/* comes, goes */
		stage_move(old, new);
		stage_move(new, old);
		break;
	case 1:
		/* another takes its place */
		stage_move(old, new);
		ck_assert_int_eq(renameat2(AT_FDCWD, stage_path("%s", new),
		    AT_FDCWD, stage_path("pool/other"), RENAME_EXCHANGE), 0);
		ck_assert_int_eq(renameat2(AT_FDCWD, stage_path("%s", new),
		    AT_FDCWD, stage_path("pool/other"), RENAME_EXCHANGE), 0);
		stage_move(new, old);
		break;
	case 2:
		/* is made in place, and taken away with all in it */
		stage_file("state/service/y/run", "#!/bin/sh\n" SLEEP);
		/* more than once, if a file is written meanwhile */
		stage_run(new, sizeof(new), "while test -e %s; do rm -rf %s; "
		    "done 2>/dev/null", stage_path("state/service/y"),
		    stage_path("state/service/y"));
		break;
	default:
		/* changes what it is; not in place, as it may be about to
		 * be executed */
		stage_file("pool/next/run", i % 8 == 3 ?
		    "#!/bin/sh\nexit 1\n" : "#!/bin/sh\n" SLEEP);
		snprintf(new, sizeof(new), "pool/%u/run", i % 5);
		stage_move("pool/next/run", new);
		break;
	}
}

START_TEST(directories_come_and_go_by_the_thousand)
{
	char		path[64];
	unsigned	i, fds;
	pid_t		reeved;
	long		kb;

	for (i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "pool/%u/run", i);
		stage_file(path, "#!/bin/sh\n" SLEEP);
	}
	stage_file("pool/other/run", "#!/bin/sh\n" SLEEP);
	stage_service("keep", SLEEP);
	reeved = stage_reeved();
	AWAIT(stage_logged("all ready"));
	fds = descriptors(reeved);
	kb = rss_kb(reeved);
	for (i = 0; i < CHURNS; i++)
		churn(i);
	/* All that came has gone: as before, with the one that stayed. */
	AWAIT(children(reeved) == 1 && descriptors(reeved) == fds);
	ck_assert(runs("keep"));
	ck_assert_int_eq(stage_number("keep", "starts"), 1);
	ck_assert_int_lt(rss_kb(reeved), kb + GROWN_KB);
	/* and it still sees what comes */
	stage_file("pool/last/run", "#!/bin/sh\n" SLEEP);
	stage_move("pool/last", "state/service/last");
	AWAIT(runs("last"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

START_TEST(a_run_that_vanishes)
{
	stage_service("a", SLEEP);
	stage_service("b", "exec /nonexistent/program\n");
	stage_file("state/service/c/run", "#!/nonexistent/interpreter\n");
	stage_reeved();
	AWAIT(runs("a"));
	stage_move("state/service/a/run", "state/service/a/walked");
	kill((pid_t)stage_number("a", "pid"), SIGKILL);
	AWAIT(stage_number("a", "last_exit") == 111 &&
	    stage_is("a", "backoff"));
	ck_assert(stage_logged("cannot execute run\" service=\"a\""));
	AWAIT(stage_number("b", "last_exit") == 127);
	AWAIT(stage_number("c", "last_exit") == 111);
	stage_move("state/service/a/walked", "state/service/a/run");
	AWAIT(runs("a"));
}
END_TEST

/* --- the kernel says no ------------------------------------------------------------ */

static unsigned
count_up(void)
{
	char		name[8];
	unsigned	i, n = 0;

	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		n += runs(name);
	}
	return n;
}

/* With room for three of six, three run, the others back off, and come when
 * there is room. */
START_TEST(fork_fails)
{
	char		name[8];
	unsigned	i;
	pid_t		reeved;

	NEED_ROOT;
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		stage_service(name, SLEEP);
	}
	reeved = stage_reeved_as(60000 + (uid_t)(getpid() % 5000), 4);
	AWAIT(count_up() == 3 && stage_is("s5", "backoff"));
	ck_assert(stage_logged("cannot fork\" service=\"s5\" "
	    "error=\"Resource temporarily unavailable\""));
	ck_assert_int_eq(stage_number("s5", "starts"), 0);
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		stage_control(name, "d");
	}
	AWAIT(count_up() == 3 && runs("s3") && runs("s4") && runs("s5"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* What has died is out of the count before there is another. */
START_TEST(restarts_where_there_is_no_room_for_one_more)
{
	pid_t	pid, reeved;

	NEED_ROOT;
	stage_service("a", SLEEP);
	stage_file("state/service/a/finish", "#!/bin/sh\necho >>finished\n");
	reeved = stage_reeved_as(60000 + (uid_t)(getpid() % 5000), 2);
	AWAIT(runs("a"));
	pid = (pid_t)stage_number("a", "pid");
	kill(pid, SIGKILL);
	AWAIT(runs("a") && (pid_t)stage_number("a", "pid") != pid);
	ck_assert_uint_eq(stage_lines("state/service/a/finished"), 1);
	ck_assert(!stage_logged("cannot fork"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* --- many ------------------------------------------------------------------------------ */

static const char *
nth(unsigned i)
{
	static char	name[16];

	snprintf(name, sizeof(name), "s%04u", i);
	return name;
}

static void
stage_many(unsigned n)
{
	unsigned	i;

	/* Each of them is a dozen files, on whatever disk this is. */
	stage_patience_ms = 60000;
	for (i = 0; i < n; i++)
		stage_service(nth(i), SLEEP);
}

/* Of each word's numbers one is free, see keep.h. */
static void
check_numbers(pid_t pid)
{
	static unsigned	 in_word[MANY];
	struct dirent	*entry;
	DIR		*dir;
	unsigned	 i;

	memset(in_word, 0, sizeof(in_word));
	ck_assert_ptr_nonnull(dir = opendir(stage_path("/proc/%d/fd",
	    (int)pid)));
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && (i = (unsigned)atoi(
		    entry->d_name) / WORD) < MANY)
			in_word[i]++;
	closedir(dir);
	ck_assert_uint_gt(in_word[MANY * 4 / WORD], WORD / 2);
	for (i = 1; i < MANY; i++)
		ck_assert_uint_lt(in_word[i], WORD);
}

START_TEST(a_thousand_services)
{
	unsigned	i;
	pid_t		reeved;

	stage_many(MANY);
	reeved = stage_reeved();
	for (i = 0; i < MANY; i++)
		AWAIT(runs(nth(i)));
	AWAIT(children(reeved) == MANY);
	check_numbers(reeved);
	kill((pid_t)stage_number("s0500", "pid"), SIGKILL);
	AWAIT(stage_number("s0500", "starts") == 2 && runs("s0500"));
	stage_move("state/service/s0500", "gone");
	AWAIT(children(reeved) == MANY - 1);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

static unsigned
running(unsigned n, unsigned *one)
{
	unsigned	i, up = 0;

	for (i = 0; i < n; i++)
		if (runs(nth(i))) {
			*one = i;
			up++;
		}
	return up;
}

/* Those with room run, are controlled and started again, however many more
 * there are; and one of these comes when one of those has gone. */
START_TEST(too_many_for_the_descriptors)
{
	struct rlimit	limit = { .rlim_cur = 128, .rlim_max = 128 };
	unsigned	one = 0, up, other;
	char		name[16], path[64];
	pid_t		reeved;

	stage_many(CROWD);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	reeved = stage_reeved();
	AWAIT(stage_logged("all ready"));
	up = running(CROWD, &one);
	ck_assert_uint_gt(up, 10);
	ck_assert_uint_lt(up, CROWD / 2);
	ck_assert(!stage_logged("cannot be controlled"));
	snprintf(name, sizeof(name), "%s", nth(one));
	stage_control(name, "k");
	AWAIT(stage_number(name, "starts") == 2 && runs(name));
	snprintf(path, sizeof(path), "state/service/%s", name);
	stage_move(path, "gone");
	AWAIT(running(CROWD, &other) == up);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* Each when the one after it, by name, is ready. */
START_TEST(a_long_chain_of_needs)
{
	char		path[64], after[24];
	unsigned	i;
	pid_t		reeved;

	stage_many(CHAIN);
	for (i = 0; i < CHAIN - 1; i++) {
		snprintf(path, sizeof(path), "state/service/%s/needs",
		    nth(i));
		snprintf(after, sizeof(after), "%s\n", nth(i + 1));
		stage_file(path, after);
	}
	reeved = stage_reeved();
	for (i = CHAIN; i > 0; i--)
		AWAIT(runs(nth(i - 1)));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* --- a child at its birth ---------------------------------------------------- */

/* The next child of reeved's, held before its first step; reeved goes on. */
static pid_t
catch_child(pid_t reeved)
{
	unsigned long	child;
	int		status;

	ck_assert_int_eq(waitpid(reeved, &status, __WALL), reeved);
	ck_assert_int_eq(status >> 8, SIGTRAP | PTRACE_EVENT_FORK << 8);
	ck_assert_int_eq(ptrace(PTRACE_GETEVENTMSG, reeved, NULL, &child), 0);
	ck_assert_int_eq(waitpid((pid_t)child, &status, __WALL), child);
	ck_assert_int_eq(ptrace(PTRACE_DETACH, reeved, NULL, NULL), 0);
	return (pid_t)child;
}

static pid_t
stage_caught(pid_t *reeved)
{
	stage_service("a", "echo >>../../../ran\nexec sleep 1000\n");
	*reeved = stage_reeved();
	AWAIT(runs("a") && stage_lines("ran") == 1);
	ck_assert_int_eq(ptrace(PTRACE_SEIZE, *reeved, NULL,
	    (void *)PTRACE_O_TRACEFORK), 0);
	kill((pid_t)stage_number("a", "pid"), SIGKILL);
	return catch_child(*reeved);
}

/* Until it has left reeved's descriptors, reeved waits for it: not for ever. */
START_TEST(a_child_that_never_begins)
{
	int	sig = _i == 0 ? SIGKILL : SIGSTOP;
	pid_t	child, reeved;

	child = stage_caught(&reeved);
	kill(child, sig);
	if (sig == SIGKILL)
		ck_assert_int_eq(waitpid(child, NULL, __WALL), child);
	else
		ck_assert_int_eq(ptrace(PTRACE_DETACH, child, NULL, NULL), 0);
	AWAIT(runs("a") && stage_number("a", "pid") != child &&
	    stage_lines("ran") == 2);
	ck_assert(!stage_alive(child));
	ck_assert_int_eq(stage_logged("msg=\"does not begin, killed\""),
	    sig == SIGSTOP);
}
END_TEST

/* It was not on record yet, so it must not run. */
START_TEST(a_child_whose_reeved_is_killed)
{
	pid_t	child, reeved;

	child = stage_caught(&reeved);
	kill(reeved, SIGKILL);
	stage_wait(reeved);
	ck_assert_int_eq(ptrace(PTRACE_DETACH, child, NULL, NULL), 0);
	stage_reeved();
	AWAIT(runs("a") && stage_lines("ran") == 2);
	AWAIT(!stage_alive(child));
	ck_assert_int_eq(stage_lines("ran"), 2);
}
END_TEST

TCase *
hostile_case(void)
{
	TCase	*tc = tcase_create("hostile");

	tcase_set_timeout(tc, 240);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_test(tc, a_disk_that_is_full);
	tcase_add_test(tc, killed_while_the_disk_is_full);
	tcase_add_test(tc, a_disk_that_is_full_from_the_start);
	tcase_add_test(tc, begun_on_a_full_disk);
	tcase_add_loop_test(tc, a_log_that_is_a_service, 0, 3);
	tcase_add_test(tc, fifos_in_place_of_files);
	tcase_add_test(tc, a_control_nobody_reads);
	tcase_add_test(tc, directories_come_and_go_by_the_thousand);
	tcase_add_test(tc, a_run_that_vanishes);
	tcase_add_test(tc, fork_fails);
	tcase_add_test(tc, restarts_where_there_is_no_room_for_one_more);
	tcase_add_loop_test(tc, a_child_that_never_begins, 0, 2);
	tcase_add_test(tc, a_child_whose_reeved_is_killed);
	tcase_add_test(tc, a_thousand_services);
	tcase_add_test(tc, too_many_for_the_descriptors);
	tcase_add_test(tc, a_long_chain_of_needs);
	return tc;
}
