/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

#define SLEEP		"exec sleep 1000\n"
#define DEAF		"trap '' TERM\necho >armed\n" \
			"while :; do sleep 1; done\n"

static pid_t
pid_of(const char *service)
{
	return (pid_t)stage_number(service, "pid");
}

static bool
runs(const char *service)
{
	return stage_is(service, "up") || stage_is(service, "ready");
}

/* It has come as far as its exec sleep. */
static bool
sleeps(const char *service)
{
	return runs(service) && strcmp(stage_read("/proc/%d/comm",
	    (int)pid_of(service)), "sleep\n") == 0;
}

/* The text of one word of log lines with msg, in order: "a b c ". */
static const char *
logged_services(const char *msg)
{
	static char	 names[512];
	char		 text[64], name[64];
	const char	*p = stage_read("log");

	names[0] = '\0';
	snprintf(text, sizeof(text), "msg=\"%s\" service=\"", msg);
	while ((p = strstr(p, text)) != NULL) {
		p += strlen(text);
		snprintf(name, sizeof(name), "%.*s ", (int)strcspn(p, "\""),
		    p);
		strcat(names, name);
	}
	return names;
}

START_TEST(starts_in_order_of_names)
{
	stage_service("30-c", SLEEP);
	stage_service("10-a", SLEEP);
	stage_service("20-b", SLEEP);
	stage_service(".hidden", SLEEP);
	stage_reeved();
	AWAIT(stage_logged("all ready"));
	ck_assert_str_eq(logged_services("started"), "10-a 20-b 30-c ");
}
END_TEST

START_TEST(restarts_at_once_when_killed)
{
	pid_t	pid;

	stage_service("a", SLEEP);
	stage_reeved();
	AWAIT(runs("a"));
	pid = pid_of("a");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	AWAIT(stage_number("a", "starts") == 2 && runs("a"));
	ck_assert_int_ne(pid_of("a"), pid);
	ck_assert(!stage_logged("msg=\"backoff\""));
	ck_assert_int_eq(stage_number("a", "last_signal"), SIGKILL);
	ck_assert_int_eq(stage_number("a", "last_exit"), -1);
}
END_TEST

/* What a restart writes anew. */
static const char *const names[] = { "status", "pid", "reeve" };

static void
kill_again(const char *service)
{
	long long	starts = stage_number(service, "starts");
	pid_t		pid = pid_of(service);

	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	AWAIT(stage_number(service, "starts") == starts + 1 &&
	    runs(service) && atoi(stage_read("state/service/%s/supervise/pid",
	    service)) == pid_of(service));
}

/* As the two of each change places, reading is reading of the past. */
START_TEST(who_reads_a_file_sees_no_later_one)
{
	char	old[3][1024], now[1024];
	ssize_t	len[3];
	int	fds[3], i, turn;

	stage_service("a", SLEEP);
	stage_reeved();
	AWAIT(runs("a"));
	kill_again("a");
	for (i = 0; i < 3; i++) {
		fds[i] = open(stage_path("state/service/a/supervise/%s",
		    names[i]), O_RDONLY | O_CLOEXEC);
		len[i] = pread(fds[i], old[i], sizeof(old[i]), 0);
		ck_assert_int_gt(len[i], 0);
	}
	for (turn = 0; turn < 4; turn++) {
		kill_again("a");
		for (i = 0; i < 3; i++) {
			ck_assert_int_eq(pread(fds[i], now, sizeof(now), 0),
			    len[i]);
			ck_assert_mem_eq(now, old[i], (size_t)len[i]);
		}
	}
	for (i = 0; i < 3; i++)
		close(fds[i]);
}
END_TEST

static ino_t
inode(const char *name, const char *suffix)
{
	struct stat	st;

	ck_assert_int_eq(stat(stage_path("state/service/a/supervise/%s%s",
	    name, suffix), &st), 0);
	return st.st_ino;
}

/* What makes a restart slow on ext4, and fails on a full disk. */
START_TEST(a_restart_makes_no_file)
{
	ino_t	inodes[3][2];
	int	i, turn;

	stage_service("a", SLEEP);
	stage_reeved();
	AWAIT(runs("a"));
	kill_again("a");
	for (i = 0; i < 3; i++) {
		inodes[i][0] = inode(names[i], "");
		inodes[i][1] = inode(names[i], ".spare");
	}
	for (turn = 0; turn < 3; turn++) {
		kill_again("a");
		for (i = 0; i < 3; i++)
			ck_assert(inode(names[i], "") == inodes[i][0] ||
			    inode(names[i], "") == inodes[i][1]);
	}
}
END_TEST

/* It is the spare one when the successor makes room for it. */
START_TEST(who_reads_a_file_sees_no_successor)
{
	char	old[1024], now[1024];
	pid_t	reeved;
	ssize_t	len;
	int	fd;

	stage_service("a", SLEEP);
	reeved = stage_reeved();
	AWAIT(runs("a"));
	ck_assert_int_ne(fd = open(stage_path("state/service/a/supervise/"
	    "reeve"), O_RDONLY | O_CLOEXEC), -1);
	ck_assert_int_gt(len = pread(fd, old, sizeof(old), 0), 0);
	kill_again("a");
	kill(reeved, SIGKILL);
	stage_wait(reeved);
	stage_reeved();
	AWAIT(stage_number("a", "starts") == 1 && runs("a"));
	ck_assert_int_eq(pread(fd, now, sizeof(now), 0), len);
	ck_assert_mem_eq(now, old, (size_t)len);
	close(fd);
}
END_TEST

/* A second name, other rights, and what is no file at all. */
START_TEST(what_is_odd_is_not_written_into)
{
	char		 old[PATH_MAX], now[64];
	const char	*status = "state/service/a/supervise/status";
	struct stat	 st;
	ssize_t		 len;
	int		 fd;

	stage_service("a", SLEEP);
	stage_reeved();
	AWAIT(runs("a"));
	kill_again("a");
	snprintf(old, sizeof(old), "%s", stage_path("%s", status));
	ck_assert_int_eq(link(old, stage_path("snapshot")), 0);
	ck_assert_int_eq(chmod(old, 0666), 0);
	ck_assert_int_ne(fd = open(old, O_RDONLY | O_CLOEXEC), -1);
	ck_assert_int_gt(len = read(fd, old, sizeof(old)), 0);
	close(fd);
	kill_again("a");
	kill_again("a");
	ck_assert_int_eq(stat(stage_path("%s", status), &st), 0);
	ck_assert_int_eq(st.st_mode & 0022, 0);
	ck_assert_int_eq(stat(stage_path("%s.spare", status), &st), 0);
	ck_assert_int_eq(st.st_mode & 0022, 0);
	ck_assert_int_ne(fd = open(stage_path("snapshot"), O_RDONLY |
	    O_CLOEXEC), -1);
	ck_assert_int_eq(read(fd, now, sizeof(now)), len);
	ck_assert_mem_eq(now, old, (size_t)len);
	close(fd);
	unlink(stage_path("%s.spare", status));
	ck_assert_int_eq(mkdir(stage_path("%s.spare", status), 0755), 0);
	kill_again("a");
	/* It is read under its name a moment before the other is removed. */
	AWAIT(access(stage_path("%s.new", status), F_OK) == -1);
	ck_assert(!stage_logged("cannot write status"));
}
END_TEST

START_TEST(backs_off_from_the_second_failure_on)
{
	long long	 ms[4];
	char		*p, times[4096];
	int		 i;

	stage_service("a", "date +%s%3N >>../../../times\nexit 7\n");
	stage_reeved();
	AWAIT(stage_lines("times") >= 4);
	snprintf(times, sizeof(times), "%s", stage_read("times"));
	p = times;
	for (i = 0; i < 4; i++)
		ms[i] = strtoll(p, &p, 10);
	ck_assert_int_ge(ms[2] - ms[1], 75 - 5);
	ck_assert_int_ge(ms[3] - ms[2], 150 - 5);
	AWAIT(stage_is("a", "backoff"));
	ck_assert_int_eq(stage_number("a", "last_exit"), 7);
	ck_assert_int_eq(pid_of("a"), 0);
	ck_assert_str_eq(stage_value("a", "want"), "up");
}
END_TEST

START_TEST(up_ends_a_backoff)
{
	stage_service("a", "test -e ok && exec sleep 1000\nexit 1\n");
	stage_reeved();
	AWAIT(stage_number("a", "starts") >= 6 && stage_is("a", "backoff"));
	stage_file("state/service/a/ok", "");
	stage_control("a", "u");
	AWAIT(runs("a"));
}
END_TEST

START_TEST(finish_is_told_how_run_ended)
{
	stage_service("a", "exit 3\n");
	stage_file("state/service/a/finish",
	    "#!/bin/sh\necho $1 $2 >>seen\n");
	stage_service("b", "kill -9 $$\n");
	stage_file("state/service/b/finish",
	    "#!/bin/sh\necho $1 $2 >>seen\n");
	stage_reeved();
	AWAIT(stage_lines("state/service/a/seen") >= 2);
	AWAIT(stage_lines("state/service/b/seen") >= 2);
	ck_assert_int_eq(strncmp(stage_read("state/service/a/seen"),
	    "3 0\n3 0\n", 8), 0);
	ck_assert_int_eq(strncmp(stage_read("state/service/b/seen"),
	    "-1 9\n-1 9\n", 10), 0);
}
END_TEST

START_TEST(finish_is_killed_in_time)
{
	stage_service("a", SLEEP);
	stage_file("state/service/a/finish", "#!/bin/sh\nexec sleep 1000\n");
	stage_file("state/service/a/timeout-finish", "100\n");
	stage_reeved();
	AWAIT(runs("a"));
	stage_control("a", "d");
	AWAIT(stage_is("a", "finish"));
	AWAIT(stage_is("a", "down"));
	ck_assert(stage_logged("msg=\"overdue, killed\""));
}
END_TEST

START_TEST(down_is_not_started)
{
	stage_service("a", SLEEP);
	stage_file("state/service/a/down", "");
	stage_service("b", SLEEP);
	stage_reeved();
	AWAIT(runs("b"));
	ck_assert(stage_is("a", "down"));
	ck_assert_str_eq(stage_value("a", "want"), "down");
	ck_assert_int_eq(stage_number("a", "starts"), 0);
	stage_control("a", "u");
	AWAIT(runs("a"));
}
END_TEST

START_TEST(once_is_not_restarted)
{
	stage_service("a", SLEEP);
	stage_file("state/service/a/down", "");
	stage_reeved();
	AWAIT(stage_is("a", "down"));
	AWAIT(access(stage_path("state/service/a/supervise/ok"), F_OK) == 0 &&
	    stage_logged("all ready"));
	stage_control("a", "o");
	AWAIT(runs("a"));
	ck_assert_str_eq(stage_value("a", "want"), "once");
	kill(pid_of("a"), SIGKILL);
	AWAIT(stage_is("a", "down"));
	ck_assert_str_eq(stage_value("a", "want"), "down");
}
END_TEST

/* A newline on its notification fd, and not the first byte, makes it ready. */
START_TEST(notification_makes_ready)
{
	int	fd;

	stage_service("a", "read line <one\nprintf x >&7\n"
	    "read line <two\necho >&7\nexec sleep 1000\n");
	stage_file("state/service/a/notification-fd", "7\n");
	ck_assert_int_eq(mkfifo(stage_path("state/service/a/one"), 0600), 0);
	ck_assert_int_eq(mkfifo(stage_path("state/service/a/two"), 0600), 0);
	stage_reeved();
	AWAIT(stage_is("a", "up"));
	stage_file("state/service/a/one", "\n");
	/* opening waits for the reader, so by then the x has been written */
	ck_assert_int_ne(fd = open(stage_path("state/service/a/two"),
	    O_WRONLY | O_CLOEXEC), -1);
	ck_assert(stage_is("a", "up"));
	ck_assert(!stage_logged("all ready"));
	ck_assert_int_eq(write(fd, "\n", 1), 1);
	close(fd);
	AWAIT(stage_is("a", "ready"));
	AWAIT(stage_logged("all ready"));
}
END_TEST

START_TEST(timeout_kill_ends_the_deaf)
{
	stage_service("a", "trap '' TERM\nsleep 1000 & echo $! >child\n"
	    "while :; do sleep 1; done\n");
	stage_file("state/service/a/timeout-kill", "150\n");
	stage_reeved();
	AWAIT(stage_lines("state/service/a/child") == 1);
	stage_control("a", "d");
	AWAIT(stage_is("a", "down"));
	ck_assert_int_eq(stage_number("a", "last_signal"), SIGKILL);
	AWAIT(!stage_alive(atoi(stage_read("state/service/a/child"))));
}
END_TEST

START_TEST(strays_of_the_group_go_with_their_leader)
{
	pid_t	stray;

	stage_service("a", "sleep 1000 & echo $! >child\nexec sleep 1000\n");
	stage_reeved();
	AWAIT(stage_lines("state/service/a/child") == 1);
	stray = atoi(stage_read("state/service/a/child"));
	ck_assert(stage_alive(stray));
	ck_assert_int_eq(getpgid(stray), pid_of("a"));
	ck_assert_int_eq(getsid(stray), pid_of("a"));
	kill(pid_of("a"), SIGKILL);
	AWAIT(!stage_alive(stray));
}
END_TEST

/* Who left the group is not killed, but adopted, and reaped. */
START_TEST(adopts_and_reaps)
{
	char	parent[32];
	pid_t	reeved, stray;

	stage_service("a", "setsid sh -c 'echo $$ >child; exec sleep 1000' &\n"
	    "while ! test -s child; do sleep 0.01; done\nexec sleep 1000\n");
	reeved = stage_reeved();
	AWAIT(stage_lines("state/service/a/child") == 1);
	stray = atoi(stage_read("state/service/a/child"));
	stage_control("a", "d");
	AWAIT(stage_is("a", "down"));
	ck_assert(stage_alive(stray));
	snprintf(parent, sizeof(parent), "\nPPid:\t%d\n", (int)reeved);
	AWAIT(strstr(stage_read("/proc/%d/status", (int)stray), parent));
	kill(stray, SIGKILL);
	AWAIT(kill(stray, 0) == -1 && errno == ESRCH);
	ck_assert(stage_alive(reeved));
}
END_TEST

START_TEST(env_sets_and_unsets)
{
	setenv("REEVED_TEST_GONE", "1", 1);
	stage_service("a", "env >seen.new; mv seen.new seen\n" SLEEP);
	stage_file("state/service/a/env/REEVED_TEST_GONE", "");
	stage_file("state/service/a/env/PLAIN", "a value \t\nsecond line\n");
	stage_file("state/service/a/env/EMPTY", "\n");
	stage_file("state/service/a/env/.ignored", "x");
	/* as chpst: what a link leads nowhere for is unset, and a directory
	 * is nothing */
	setenv("REEVED_TEST_NOWHERE", "1", 1);
	ck_assert_int_eq(symlink("/nonexistent",
	    stage_path("state/service/a/env/REEVED_TEST_NOWHERE")), 0);
	ck_assert_int_eq(mkdir(stage_path("state/service/a/env/PATH"), 0755),
	    0);
	stage_reeved();
	AWAIT(access(stage_path("state/service/a/seen"), F_OK) == 0);
	ck_assert_ptr_nonnull(strstr(stage_read("state/service/a/seen"),
	    "\nPLAIN=a value\n"));
	ck_assert_ptr_nonnull(strstr(stage_read("state/service/a/seen"),
	    "EMPTY=\n"));
	ck_assert_ptr_null(strstr(stage_read("state/service/a/seen"),
	    "REEVED_TEST_GONE"));
	ck_assert_ptr_null(strstr(stage_read("state/service/a/seen"),
	    "ignored"));
	ck_assert_ptr_null(strstr(stage_read("state/service/a/seen"),
	    "REEVED_TEST_NOWHERE"));
	ck_assert_ptr_nonnull(strstr(stage_read("state/service/a/seen"),
	    "PATH="));
}
END_TEST

START_TEST(log_survives_its_service_and_back)
{
	pid_t	log_pid;

	stage_service("a", "echo line $$\nexec sleep 1000\n");
	stage_service("a/log", "exec cat >>../lines\n");
	stage_reeved();
	AWAIT(stage_lines("state/service/a/lines") == 1);
	log_pid = pid_of("a/log");
	kill(pid_of("a"), SIGKILL);
	AWAIT(stage_lines("state/service/a/lines") == 2);
	ck_assert_int_eq(pid_of("a/log"), log_pid);
	kill(log_pid, SIGKILL);
	AWAIT(stage_number("a/log", "starts") == 2);
	stage_control("a", "t");
	AWAIT(stage_lines("state/service/a/lines") == 3);
	ck_assert_int_eq(stage_number("a", "starts"), 3);
}
END_TEST

/* At the end the log reads all there is, then goes by itself. */
START_TEST(log_is_read_to_its_end)
{
	pid_t	reeved;

	stage_service("a", "trap 'seq 1000; exit 0' TERM\n"
	    "echo up >&2; while :; do sleep 0.01; done\n");
	stage_service("a/log", "sleep 0.2; exec cat >../lines\n");
	reeved = stage_reeved();
	AWAIT(stage_logged("\nup\n"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert_uint_eq(stage_lines("state/service/a/lines"), 1000);
	ck_assert(stage_is("a/log", "down"));
	ck_assert_int_eq(stage_number("a/log", "last_exit"), 0);
}
END_TEST

START_TEST(stops_in_reverse_one_by_one)
{
	static const char	script[] = "me=${PWD##*/}\n"
	    "trap 'echo $me begins >>../../../stops; sleep 0.1\n"
	    "echo $me ends >>../../../stops; exit 0' TERM\n"
	    "echo >>../../../starts; while :; do sleep 0.01; done\n";
	pid_t			reeved;

	stage_service("a", script);
	stage_service("b", script);
	stage_service("c", script);
	reeved = stage_reeved();
	AWAIT(stage_lines("starts") == 3);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert_str_eq(stage_read("stops"), "c begins\nc ends\n"
	    "b begins\nb ends\na begins\na ends\n");
	ck_assert_str_eq(stage_read("state/reeved.lock"), "");
}
END_TEST

START_TEST(a_second_signal_hurries)
{
	pid_t	reeved, a, b;

	stage_service("a", DEAF);
	stage_service("b", DEAF);
	stage_file("state/service/b/timeout-kill", "0\n");
	reeved = stage_reeved();
	AWAIT(stage_lines("state/service/a/armed") == 1 &&
	    stage_lines("state/service/b/armed") == 1);
	a = pid_of("a");
	b = pid_of("b");
	kill(reeved, SIGINT);
	AWAIT(strcmp(stage_value("b", "want"), "down") == 0);
	ck_assert_str_eq(stage_value("a", "want"), "up");
	kill(reeved, SIGINT);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert(!stage_alive(a) && !stage_alive(b));
}
END_TEST

START_TEST(successor_ends_orphans_first)
{
	pid_t	reeved, a, b, deaf;

	stage_service("a", "trap 'echo term >seen; exit 0' TERM\n"
	    "echo >>../../../armed; while :; do sleep 0.01; done\n");
	stage_service("b", "echo >>../../../armed\n" SLEEP);
	stage_service("b/log", "echo >>../../../../armed; exec cat\n");
	stage_service("deaf", "trap '' TERM; echo >>../../../armed\n"
	    "while :; do sleep 1; done\n");
	stage_file("state/service/deaf/timeout-kill", "200\n");
	reeved = stage_reeved();
	AWAIT(stage_lines("armed") == 4);
	a = pid_of("a");
	b = pid_of("b");
	deaf = pid_of("deaf");
	kill(reeved, SIGKILL);
	ck_assert_int_eq(stage_wait(reeved), -1);
	ck_assert(stage_alive(a) && stage_alive(b) && stage_alive(deaf));
	stage_reeved();
	AWAIT(runs("deaf") && pid_of("deaf") != deaf);
	ck_assert(!stage_alive(a) && !stage_alive(b) && !stage_alive(deaf));
	ck_assert_int_ne(pid_of("a"), a);
	ck_assert_str_eq(stage_read("state/service/a/seen"), "term\n");
	ck_assert_int_eq(stage_number("a", "starts"), 1);
}
END_TEST

/* The pid is right, the rest is not: no proof, no signal. */
START_TEST(successor_leaves_strangers_alone)
{
	static const char *const changes[] = { "start_ticks", "boot_id" };
	char	out[256];
	pid_t	reeved, pid, moved;
	size_t	i;

	stage_service("moved", "cd ../..\nexec sleep 1000\n");
	stage_service("a", SLEEP);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		reeved = stage_reeved();
		AWAIT(sleeps("a") && sleeps("moved"));
		pid = pid_of("a");
		moved = pid_of("moved");
		kill(reeved, SIGKILL);
		stage_wait(reeved);
		stage_run(out, sizeof(out), "sed -i 's/^%s=/%s=1/' %s",
		    changes[i], changes[i],
		    stage_path("state/service/a/supervise/reeve"));
		reeved = stage_reeved();
		AWAIT(pid_of("a") != pid && runs("a"));
		ck_assert(stage_alive(pid));
		ck_assert(stage_alive(moved));
		kill(reeved, SIGTERM);
		ck_assert_int_eq(stage_wait(reeved), 0);
		unlink(stage_path("log"));
	}
}
END_TEST

START_TEST(one_reeved_at_a_time)
{
	pid_t	first;
	char	pid[16];

	stage_service("a", SLEEP);
	first = stage_reeved();
	AWAIT(runs("a"));
	snprintf(pid, sizeof(pid), "%d\n", (int)first);
	ck_assert_str_eq(stage_read("state/reeved.lock"), pid);
	ck_assert_int_eq(stage_wait(stage_reeved()), 75);
	ck_assert(stage_alive(first));
	kill(first, SIGTERM);
	ck_assert_int_eq(stage_wait(first), 0);
}
END_TEST

START_TEST(exit_codes_of_the_command_line)
{
	const char	*program = getenv("REEVED");
	char		 out[512];

	if (program == NULL)
		program = "./reeved";
#define RUN(args)	stage_run(out, sizeof(out), "%s %s 2>&1", program, args)
	ck_assert_int_eq(RUN("--help"), 0);
	ck_assert_int_eq(strncmp(out, "usage: reeved", 13), 0);
	ck_assert_int_eq(RUN("--version"), 0);
	ck_assert_int_eq(strncmp(out, "reeved ", 7), 0);
	ck_assert_int_eq(RUN("--nonsense"), 64);
	ck_assert_int_eq(RUN("argument"), 64);
	ck_assert_int_eq(RUN("--state /nonexistent"), 78);
	ck_assert_int_eq(RUN("--state /"), 78);
#undef RUN
	ck_assert_int_eq(stage_run(out, sizeof(out),
	    "REEVE_STATE=/nonexistent %s 2>&1", program), 78);
	ck_assert_ptr_nonnull(strstr(out, "/nonexistent"));
}
END_TEST

START_TEST(directories_come_and_go)
{
	pid_t	pid;

	stage_reeved();
	AWAIT(stage_logged("all ready"));
	stage_file("elsewhere/run", "#!/bin/sh\nexec sleep 1000\n");
	stage_move("elsewhere", "state/service/new");
	AWAIT(runs("new"));
	pid = pid_of("new");
	stage_move("state/service/new", "elsewhere");
	AWAIT(stage_logged("msg=\"forgotten\" service=\"new\""));
	ck_assert(!stage_alive(pid));
	ck_assert_str_eq(stage_read("elsewhere/supervise/pid"), "");
	ck_assert_str_eq(stage_read("elsewhere/supervise/stat"), "down\n");
	stage_move("elsewhere", "state/service/new");
	AWAIT(runs("new") && pid_of("new") != pid);
}
END_TEST

START_TEST(a_directory_put_in_anothers_place)
{
	pid_t	pid;

	stage_service("a", "echo old >../../../who\nexec sleep 1000\n");
	stage_reeved();
	AWAIT(stage_lines("who") == 1);
	pid = pid_of("a");
	stage_file("new/run",
	    "#!/bin/sh\necho new >../../../who\nexec sleep 1000\n");
	stage_move("state/service/a", "old");
	stage_move("new", "state/service/a");
	AWAIT(strcmp(stage_read("who"), "new\n") == 0);
	ck_assert(!stage_alive(pid));
	AWAIT(runs("a"));
	ck_assert_int_eq(stage_number("a", "starts"), 1);
}
END_TEST

START_TEST(a_directory_removed_with_all_in_it)
{
	char	out[64];
	pid_t	pid;

	stage_service("a", SLEEP);
	stage_reeved();
	AWAIT(runs("a"));
	pid = pid_of("a");
	ck_assert_int_eq(stage_run(out, sizeof(out), "rm -rf %s",
	    stage_path("state/service/a")), 0);
	AWAIT(stage_logged("msg=\"forgotten\" service=\"a\""));
	ck_assert(!stage_alive(pid));
}
END_TEST

/* Of the names of one directory the first is the service's, in whatever order
 * they are found. */
START_TEST(a_directory_has_one_name)
{
	static const char *const	orders[] = { "abcd", "dcba", "cadb" };
	const char			*p;
	char				 text[80], name[] = "x";
	pid_t				 reeved;

	stage_file("real/run", "#!/bin/sh\n" SLEEP);
	stage_service("0", SLEEP);
	stage_file("state/service/0/needs", "a\n");
	for (p = orders[_i]; *p != '\0'; p++) {
		name[0] = *p;
		ck_assert_int_eq(symlink("../../real",
		    stage_path("state/service/%s", name)), 0);
	}
	reeved = stage_reeved();
	AWAIT(stage_logged("all ready\" services=2 ready=2"));
	ck_assert_str_eq(logged_services("started"), "a 0 ");
	for (name[0] = 'b'; name[0] <= 'd'; name[0]++) {
		snprintf(text, sizeof(text), "msg=\"another name of a service"
		    "\" service=\"%s\" of=\"a\"", name);
		ck_assert_msg(stage_logged(text), "%s", stage_read("log"));
	}
	ck_assert(!stage_logged("has another supervisor"));
	/* without it the next has its turn */
	ck_assert_int_eq(unlink(stage_path("state/service/a")), 0);
	AWAIT(stage_logged("msg=\"started\" service=\"b\""));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* One that was made in place is taken up as soon as it is asked for. */
START_TEST(hangup_looks_anew)
{
	pid_t	reeved;

	ck_assert_int_eq(mkdir(stage_path("state/service/a"), 0755), 0);
	reeved = stage_reeved();
	AWAIT(stage_logged("no service yet"));
	stage_service("a", SLEEP);
	kill(reeved, SIGHUP);
	AWAIT(runs("a"));
}
END_TEST

/* And the service directory may be another one then. */
START_TEST(a_hangup_opens_the_service_directory_anew)
{
	pid_t	reeved;

	stage_service("a", SLEEP);
	reeved = stage_reeved();
	AWAIT(runs("a"));
	stage_move("state/service", "state/old");
	stage_service("b", SLEEP);
	kill(reeved, SIGHUP);
	AWAIT(runs("b"));
	AWAIT(stage_logged("forgotten\" service=\"a\""));
	/* of which it is notified, too */
	stage_file("state/c/run", "#!/bin/sh\n" SLEEP);
	stage_move("state/c", "state/service/c");
	AWAIT(runs("c"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

START_TEST(a_run_that_cannot_run_is_111)
{
	stage_service("a", "");
	ck_assert_int_eq(chmod(stage_path("state/service/a/run"), 0644), 0);
	stage_reeved();
	AWAIT(stage_number("a", "last_exit") == 111);
	ck_assert(stage_logged("cannot execute run"));
}
END_TEST

/* As from a careless parent; libc itself would refuse the numbers 32 and 33. */
static void
ignore_signals(void)
{
	static const int	ignored[] = { SIGHUP, SIGINT, SIGUSR1, 32, 33 };
	static const struct {
		void		(*handler)(int);
		unsigned long	 rest[15];
	}			ign = { .handler = SIG_IGN };
	size_t			i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		ck_assert_int_eq(syscall(SYS_rt_sigaction, ignored[i], &ign,
		    NULL, (NSIG - 1) / 8), 0);
}

static bool
has_only_the_first_three(pid_t pid)
{
	struct dirent	*entry;
	DIR		*dir;
	unsigned	 n = 0, more = 0;

	ck_assert_ptr_nonnull(dir = opendir(stage_path("/proc/%d/fd",
	    (int)pid)));
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.') {
			n++;
			more += atoi(entry->d_name) > STDERR_FILENO;
		}
	closedir(dir);
	return n == 3 && more == 0;
}

/* Only 0, 1, 2; all signals as they were born. */
START_TEST(children_inherit_nothing)
{
	const char	*status;
	pid_t		 pid;

	ignore_signals();
	stage_service("a", SLEEP);
	stage_reeved();
	AWAIT(sleeps("a"));
	pid = pid_of("a");
	/* while it is loaded it has a library open */
	AWAIT(has_only_the_first_three(pid));
	status = stage_read("/proc/%d/status", (int)pid);
	ck_assert_ptr_nonnull(strstr(status, "SigBlk:\t0000000000000000"));
	ck_assert_msg(strstr(status, "SigIgn:\t0000000000000000") != NULL,
	    "%s", status);
}
END_TEST

static Suite *
reeved_suite(void)
{
	Suite	*suite = suite_create("reeved");
	TCase	*tc = tcase_create("reeved");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_test(tc, starts_in_order_of_names);
	tcase_add_test(tc, restarts_at_once_when_killed);
	tcase_add_test(tc, who_reads_a_file_sees_no_later_one);
	tcase_add_test(tc, a_restart_makes_no_file);
	tcase_add_test(tc, who_reads_a_file_sees_no_successor);
	tcase_add_test(tc, what_is_odd_is_not_written_into);
	tcase_add_test(tc, backs_off_from_the_second_failure_on);
	tcase_add_test(tc, up_ends_a_backoff);
	tcase_add_test(tc, finish_is_told_how_run_ended);
	tcase_add_test(tc, finish_is_killed_in_time);
	tcase_add_test(tc, down_is_not_started);
	tcase_add_test(tc, once_is_not_restarted);
	tcase_add_test(tc, notification_makes_ready);
	tcase_add_test(tc, timeout_kill_ends_the_deaf);
	tcase_add_test(tc, strays_of_the_group_go_with_their_leader);
	tcase_add_test(tc, adopts_and_reaps);
	tcase_add_test(tc, env_sets_and_unsets);
	tcase_add_test(tc, log_survives_its_service_and_back);
	tcase_add_test(tc, log_is_read_to_its_end);
	tcase_add_test(tc, stops_in_reverse_one_by_one);
	tcase_add_test(tc, a_second_signal_hurries);
	tcase_add_test(tc, successor_ends_orphans_first);
	tcase_add_test(tc, successor_leaves_strangers_alone);
	tcase_add_test(tc, one_reeved_at_a_time);
	tcase_add_test(tc, exit_codes_of_the_command_line);
	tcase_add_test(tc, directories_come_and_go);
	tcase_add_test(tc, a_directory_put_in_anothers_place);
	tcase_add_test(tc, a_directory_removed_with_all_in_it);
	tcase_add_loop_test(tc, a_directory_has_one_name, 0, 3);
	tcase_add_test(tc, hangup_looks_anew);
	tcase_add_test(tc,
	    a_hangup_opens_the_service_directory_anew);
	tcase_add_test(tc, a_run_that_cannot_run_is_111);
	tcase_add_test(tc, children_inherit_nothing);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, runit_case());
	suite_add_tcase(suite, needs_case());
	suite_add_tcase(suite, limits_case());
	suite_add_tcase(suite, log_case());
	suite_add_tcase(suite, answers_case());
	suite_add_tcase(suite, orphans_case());
	suite_add_tcase(suite, turns_case());
	suite_add_tcase(suite, wait_case());
	suite_add_tcase(suite, hostile_case());
	suite_add_tcase(suite, system_case());
	return suite;
}

int
main(int argc, char *argv[])
{
	SRunner	*runner;
	int	 failed;

	if ((failed = log_helper(argc, argv)) != -1)
		return failed;
	runner = srunner_create(reeved_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
