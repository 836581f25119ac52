/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>
#include <sys/stat.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

/*
 * The pipe between a service and its log, while both are killed all the time.
 *
 * The writer and the logger are this program itself (see log_helper).  The
 * writer writes numbered lines and notes each number in a mapped file when it
 * has been written: killed between the two, it writes that line once more.
 * The logger moves what is in the pipe to a file by splice(2), which takes
 * from the pipe no more than it has put into the file, whenever it is killed.
 * So what the pipe loses is missing in the file, and nothing else can be.
 */

#define KILLS	60

static _Atomic uint64_t *
map_counter(const char *path)
{
	void	*p;
	int	 fd;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd == -1 || ftruncate(fd, sizeof(uint64_t)) == -1)
		return NULL;
	p = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static int
write_lines(const char *path)
{
	_Atomic uint64_t	*written = map_counter(path);
	char			 line[32];
	int			 n;

	if (written == NULL)
		return 1;
	for (;;) {
		n = snprintf(line, sizeof(line), "%llu\n",
		    (unsigned long long)*written + 1);
		/* Shorter than PIPE_BUF: all of it or nothing. */
		if (write(STDOUT_FILENO, line, (size_t)n) != n)
			return 1;
		++*written;
	}
}

static int
take_lines(const char *path)
{
	int	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ssize_t	n;

	/* splice(2) does not append. */
	if (fd == -1 || lseek(fd, 0, SEEK_END) == -1)
		return 1;
	while ((n = splice(STDIN_FILENO, NULL, fd, NULL, 65536, 0)) > 0)
		continue;
	return n == 0 ? 0 : 1;
}

int
log_helper(int argc, char *argv[])
{
	if (argc == 3 && strcmp(argv[1], "write-lines") == 0)
		return write_lines(argv[2]);
	if (argc == 3 && strcmp(argv[1], "take-lines") == 0)
		return take_lines(argv[2]);
	return -1;
}

static void
stage_pair(void)
{
	char	self[400], script[600];
	ssize_t	n;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	snprintf(script, sizeof(script), "exec '%s' write-lines written\n",
	    self);
	stage_service("a", script);
	snprintf(script, sizeof(script), "exec '%s' take-lines ../lines\n",
	    self);
	stage_service("a/log", script);
}

/* Each number comes, in order; at most one line twice for each kill of the
 * writer. */
static void
check_lines(uint64_t written, unsigned kills)
{
	unsigned long long	 n, last = 0;
	unsigned		 again = 0;
	FILE			*f;

	f = fopen(stage_path("state/service/a/lines"), "re");
	ck_assert_ptr_nonnull(f);
	while (fscanf(f, "%llu\n", &n) == 1) {
		ck_assert_msg(n == last || n == last + 1,
		    "%llu follows %llu", n, last);
		again += n == last;
		last = n;
	}
	ck_assert(feof(f));
	fclose(f);
	ck_assert_uint_ge(last, written);
	ck_assert_uint_le(last, written + 1);
	ck_assert_uint_le(again, kills);
}

static void
kill_next_start(const char *service)
{
	long long	starts = stage_number(service, "starts");
	pid_t		pid;

	AWAIT(stage_is(service, "up") &&
	    (pid = (pid_t)stage_number(service, "pid")) > 0);
	kill(pid, SIGKILL);
	/* An operator's up ends the back-off. */
	AWAIT(stage_is(service, "backoff") ||
	    stage_number(service, "starts") > starts);
	if (stage_is(service, "backoff"))
		stage_control(service, "u");
	AWAIT(stage_number(service, "starts") > starts);
}

static void
grows(_Atomic uint64_t *written)
{
	uint64_t	before = *written;

	AWAIT(*written > before);
}

START_TEST(no_line_is_lost_when_either_is_killed)
{
	_Atomic uint64_t	*written;
	unsigned		 i, kills = 0;
	pid_t			 reeved;

	stage_pair();
	written = map_counter(stage_path("state/service/a/written"));
	ck_assert_ptr_nonnull(written);
	reeved = stage_reeved();
	grows(written);
	for (i = 0; i < KILLS; i++) {
		if (i % 3 != 1)
			kill_next_start("a/log");
		if (i % 3 != 0) {
			kill_next_start("a");
			kills++;
		}
		grows(written);
	}
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert_int_eq(stage_number("a/log", "last_exit"), 0);
	check_lines(*written, kills);
}
END_TEST

static bool
output_is_full(const char *service)
{
	struct pollfd	p = { .events = POLLOUT };

	p.fd = open(stage_path("/proc/%lld/fd/1", stage_number(service,
	    "pid")), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (p.fd == -1)
		return false;
	poll(&p, 1, 0);
	close(p.fd);
	return p.revents == 0;
}

/* While there is no log at all the service waits: it loses nothing. */
START_TEST(a_log_that_is_down_holds_up)
{
	_Atomic uint64_t	*written;
	uint64_t		 before;
	pid_t			 reeved;

	stage_pair();
	stage_file("state/service/a/log/down", "");
	written = map_counter(stage_path("state/service/a/written"));
	ck_assert_ptr_nonnull(written);
	reeved = stage_reeved();
	AWAIT(stage_is("a", "up") && output_is_full("a"));
	before = *written;
	ck_assert_uint_gt(before, 1000);
	kill_next_start("a");
	AWAIT(stage_is("a", "up"));
	stage_control("a/log", "u");
	AWAIT(*written > before + 1000);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	check_lines(*written, 1);
}
END_TEST

/* Its pipe is closed by then. */
START_TEST(a_log_has_its_finish_at_the_end)
{
	pid_t	reeved;

	stage_service("a", "exec sleep 1000\n");
	stage_file("state/service/a/log/run", "#!/bin/sh\nexec cat\n");
	stage_file("state/service/a/log/finish",
	    "#!/bin/sh\necho $1 $2 >>../../../../finished\n");
	reeved = stage_reeved();
	AWAIT(stage_is("a", "up") && stage_is("a/log", "up"));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert_str_eq(stage_read("finished"), "0 0\n");
}
END_TEST

TCase *
log_case(void)
{
	TCase	*tc = tcase_create("log");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_test(tc, no_line_is_lost_when_either_is_killed);
	tcase_add_test(tc, a_log_that_is_down_holds_up);
	tcase_add_test(tc, a_log_has_its_finish_at_the_end);
	return tc;
}
