/* SPDX-License-Identifier: ISC */
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

/* What would keep the supervisor from its next turn: it waits for nobody, and
 * nobody has it for himself. */

#define SLEEP	"exec sleep 1000\n"

static bool
runs(const char *service)
{
	return stage_is(service, "up");
}

/* --- a log nobody reads ---------------------------------------------------- */

/* ends[0] reads what is written to ends[1], which waits, as whoever gives one
 * to a daemon leaves it. */
static void
make_channel(bool is_socket, int ends[2])
{
	if (is_socket)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM |
		    SOCK_CLOEXEC, 0, ends), 0);
	else
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
}

/* Until it takes nothing more, without a flag on what others have. */
static void
fill_channel(bool is_socket, int fd)
{
	char	junk[256];
	int	own = -1;

	memset(junk, 'z', sizeof(junk));
	if (!is_socket)
		ck_assert_int_ne(own = open(stage_path("/proc/self/fd/%d",
		    fd), O_WRONLY | O_NONBLOCK | O_CLOEXEC), -1);
	while ((is_socket ? send(fd, junk, sizeof(junk), MSG_DONTWAIT) :
	    write(own, junk, sizeof(junk))) > 0)
		continue;
	ck_assert_int_eq(errno, EAGAIN);
	if (own != -1)
		close(own);
}

static bool
read_until(int fd, const char *text)
{
	static char	seen[1 << 20];
	static size_t	len;
	ssize_t		n;

	while ((n = read(fd, seen + len, sizeof(seen) - 1 - len)) > 0)
		len += (size_t)n;
	return memmem(seen, len, text, strlen(text)) != NULL;
}

/* 0: a pipe of its own user's, 1: another user's, 2: a socket. */
START_TEST(a_log_nobody_reads)
{
	bool	is_socket = _i == 2;
	int	ends[2];
	pid_t	reeved, pid;

	if (_i == 1)
		NEED_ROOT;
	stage_service("a", SLEEP);
	make_channel(is_socket, ends);
	stage_log_to(ends[1]);
	reeved = _i == 1 ? stage_reeved_as(60000 +
	    (uid_t)(getpid() % 5000), 0) : stage_reeved();
	AWAIT(runs("a"));
	AWAIT(read_until(ends[0], "all ready"));
	fill_channel(is_socket, ends[1]);
	pid = (pid_t)stage_number("a", "pid");
	kill(pid, SIGKILL);
	AWAIT(stage_number("a", "starts") == 2 && runs("a"));
	stage_control("a", "d");
	AWAIT(stage_is("a", "down"));
	ck_assert_int_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	/* read again, it says what is missing */
	AWAIT(read_until(ends[0], "zzz"));
	stage_control("a", "u");
	AWAIT(runs("a"));
	AWAIT(read_until(ends[0], "lvl=warn role=reeved msg=\"lines lost\" "
	    "lines="));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	AWAIT(read_until(ends[0], "msg=\"stopped\""));
}
END_TEST

/* Nor does it die of one whose reader is dead, from the first line on. */
START_TEST(a_log_nobody_can_read)
{
	int	ends[2];
	pid_t	reeved;

	stage_service("a", SLEEP);
	make_channel(_i == 1, ends);
	close(ends[0]);
	stage_log_to(ends[1]);
	reeved = stage_reeved();
	AWAIT(runs("a"));
	kill((pid_t)stage_number("a", "pid"), SIGKILL);
	AWAIT(stage_number("a", "starts") == 2 && runs("a"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* --- floods ------------------------------------------------------------------ */

static void
assert_b_is_restarted(void)
{
	long long	starts = stage_number("b", "starts");

	kill((pid_t)stage_number("b", "pid"), SIGKILL);
	AWAIT(stage_number("b", "starts") == starts + 1 && runs("b"));
}

/* Who always finds another command to read never does anything else. */
START_TEST(a_flood_of_commands)
{
	static char	junk[65536];
	pid_t		flood;
	int		fd;

	memset(junk, 'z', sizeof(junk));
	stage_service("a", SLEEP);
	stage_service("b", SLEEP);
	stage_reeved();
	AWAIT(stage_logged("all ready"));
	fd = open(stage_path("state/service/a/supervise/control"),
	    O_WRONLY | O_CLOEXEC);
	ck_assert_int_ne(fd, -1);
	if ((flood = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (write(fd, junk, sizeof(junk)) > 0)
			continue;
		_exit(1);
	}
	AWAIT(stage_logged("byte=0x7a"));
	assert_b_is_restarted();
	kill(flood, SIGKILL);
	ck_assert_int_eq(waitpid(flood, NULL, 0), flood);
	assert_b_is_restarted();
}
END_TEST

/* The same of a service that says much, but no newline. */
START_TEST(a_flood_instead_of_a_newline)
{
	stage_service("a", "echo >began\nexec cat /dev/zero >&3\n");
	stage_file("state/service/a/notification-fd", "3\n");
	stage_service("b", SLEEP);
	stage_reeved();
	AWAIT(stage_lines("state/service/a/began") == 1 && runs("b"));
	assert_b_is_restarted();
	ck_assert(stage_is("a", "up"));
	stage_control("a", "d");
	AWAIT(stage_is("a", "down"));
}
END_TEST

/* Commands that were read between the first and the last of those that were
 * collected. */
static unsigned
commands_between(unsigned *collected)
{
	char		 line[512];
	unsigned	 since = 0, between = 0;
	FILE		*f;

	*collected = 0;
	ck_assert_ptr_nonnull(f = fopen(stage_path("log"), "re"));
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strstr(line, "msg=\"control\"") != NULL)
			since++;
		else if (strstr(line, "msg=\"reaped\"") != NULL) {
			if (*collected != 0)
				between += since;
			since = 0;
			++*collected;
		}
	}
	fclose(f);
	return between;
}

/* Nor of those who leave many dead behind. */
START_TEST(a_flood_of_the_dead)
{
	static char	junk[4096];
	unsigned	collected;
	pid_t		reeved;
	int		fd;

	memset(junk, 'z', sizeof(junk));
	stage_service("a", "echo >began\n"
	    "while [ ! -e go ]; do sleep .1; done\ni=0\n"
	    "while [ $i -lt 1000 ]; do (: &); i=$((i + 1)); done\n"
	    "echo >made\n" SLEEP);
	stage_service("b", SLEEP);
	reeved = stage_reeved();
	AWAIT(stage_lines("state/service/a/began") == 1 && runs("b"));
	kill(reeved, SIGSTOP);
	stage_file("state/service/a/go", "");
	AWAIT(stage_lines("state/service/a/made") == 1);
	fd = open(stage_path("state/service/b/supervise/control"),
	    O_WRONLY | O_CLOEXEC);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	kill(reeved, SIGCONT);
	AWAIT(commands_between(&collected) >= 64 && collected >= 1000);
	assert_b_is_restarted();
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* --- directories without run --------------------------------------------------- */

/* What is missing is looked for where it is missing, not by a look at all. */
START_TEST(a_directory_without_run)
{
	struct pollfd	p = { .events = POLLIN };

	stage_service("a", SLEEP);
	ck_assert_int_eq(mkdir(stage_path("state/service/b"), 0755), 0);
	stage_reeved();
	AWAIT(stage_logged("all ready") && stage_logged("no service yet"));
	ck_assert_int_ne(p.fd = inotify_init1(IN_CLOEXEC), -1);
	ck_assert_int_ne(inotify_add_watch(p.fd, stage_path("state/service"),
	    IN_ACCESS), -1);
	/* somewhat more than its 5 seconds */
	ck_assert_int_eq(poll(&p, 1, 6000), 0);
	stage_service("b", SLEEP);
	AWAIT(runs("b"));
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	close(p.fd);
}
END_TEST

TCase *
turns_case(void)
{
	TCase	*tc = tcase_create("turns");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_loop_test(tc, a_log_nobody_reads, 0, 3);
	tcase_add_loop_test(tc, a_log_nobody_can_read, 0, 2);
	tcase_add_test(tc, a_flood_of_commands);
	tcase_add_test(tc, a_flood_instead_of_a_newline);
	tcase_add_test(tc, a_flood_of_the_dead);
	tcase_add_test(tc, a_directory_without_run);
	return tc;
}
