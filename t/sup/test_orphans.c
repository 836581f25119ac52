/* SPDX-License-Identifier: ISC */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/sched.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

/* What a killed reeved left: its successor ends that before it starts another
 * beside it, goes on meanwhile, and ends nothing else. */

#define SLEEP	"exec sleep 1000\n"
#define DEAF	"trap '' TERM\necho >armed\nwhile :; do sleep 1; done\n"

static pid_t
pid_of(const char *service)
{
	return (pid_t)stage_number(service, "pid");
}

static bool
runs(const char *service)
{
	return stage_is(service, "up");
}

static void
kill_supervisor(pid_t reeved)
{
	kill(reeved, SIGKILL);
	ck_assert_int_eq(stage_wait(reeved), -1);
}

/* While it waits for one that takes its time, for ever even, it does the rest
 * of its work. */
START_TEST(an_orphan_holds_nobody_up)
{
	pid_t	reeved, deaf;

	stage_service("a-deaf", DEAF);
	stage_file("state/service/a-deaf/timeout-kill", "0\n");
	stage_service("b", "echo >>../../../starts\n" SLEEP);
	reeved = stage_reeved();
	AWAIT(runs("b") && stage_lines("state/service/a-deaf/armed") == 1 &&
	    stage_lines("starts") == 1);
	deaf = pid_of("a-deaf");
	kill_supervisor(reeved);
	reeved = stage_reeved();
	AWAIT(stage_lines("starts") == 2 && runs("b"));
	ck_assert(stage_is("a-deaf", "orphan"));
	ck_assert_int_eq(pid_of("a-deaf"), deaf);
	ck_assert(stage_alive(deaf));
	stage_control("b", "d");
	AWAIT(stage_is("b", "down"));
	/* a successor of the successor knows it, too */
	kill_supervisor(reeved);
	reeved = stage_reeved();
	AWAIT(runs("b") && stage_is("a-deaf", "orphan"));
	ck_assert_int_eq(pid_of("a-deaf"), deaf);
	/* and who is told so kills it */
	stage_control("a-deaf", "k");
	AWAIT(runs("a-deaf"));
	ck_assert_int_ne(pid_of("a-deaf"), deaf);
	ck_assert(!stage_alive(deaf));
	kill(reeved, SIGTERM);
	AWAIT(stage_logged("msg=\"stopping\""));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* A second signal ends that as it ends all. */
START_TEST(who_stops_need_not_wait)
{
	pid_t	reeved, deaf;

	stage_service("a", DEAF);
	stage_file("state/service/a/timeout-kill", "0\n");
	reeved = stage_reeved();
	AWAIT(stage_lines("state/service/a/armed") == 1);
	deaf = pid_of("a");
	kill_supervisor(reeved);
	reeved = stage_reeved();
	AWAIT(stage_is("a", "orphan"));
	kill(reeved, SIGTERM);
	AWAIT(strcmp(stage_value("a", "want"), "down") == 0);
	ck_assert(stage_alive(deaf));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert(!stage_alive(deaf));
	ck_assert(stage_is("a", "down"));
}
END_TEST

/* With its leader dead, or dying of being told. */
START_TEST(the_rest_of_a_group)
{
	pid_t	reeved, leader, rest;

	/* a zombie has no command line */
	stage_service("a", "old=$(cat rest)\n"
	    "grep -q sleep /proc/$old/cmdline && echo >>../../../beside\n"
	    "sleep 1000 &\necho $! >rest.new\nmv rest.new rest\n" SLEEP);
	stage_file("state/service/a/rest", "0\n");
	reeved = stage_reeved();
	AWAIT(runs("a") && atoi(stage_read("state/service/a/rest")) != 0);
	leader = pid_of("a");
	rest = atoi(stage_read("state/service/a/rest"));
	kill_supervisor(reeved);
	if (_i == 1) {
		kill(leader, SIGKILL);
		ck_assert_int_eq(waitpid(leader, NULL, 0), leader);
	}
	ck_assert(stage_alive(rest));
	stage_reeved();
	AWAIT(runs("a") && atoi(stage_read("state/service/a/rest")) != rest);
	ck_assert(!stage_alive(rest));
	ck_assert(!stage_alive(leader));
	ck_assert_uint_eq(stage_lines("beside"), 0);
}
END_TEST

/* --- without descriptors ------------------------------------------------------- */

/* Leave it so many descriptors more than it has. */
static void
leave_descriptors(pid_t pid, unsigned left)
{
	struct rlimit	limit;
	unsigned	fd;

	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
	for (fd = 0; left > 0; fd++)
		left -= faccessat(AT_FDCWD, stage_path("/proc/%d/fd/%u",
		    (int)pid, fd), F_OK, AT_SYMLINK_NOFOLLOW) == -1;
	limit.rlim_cur = fd;
	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

static void
give_descriptors(pid_t pid)
{
	struct rlimit	limit;

	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* Who cannot find out whether there is an orphan does not start another beside
 * it, then or later: he tries again. */
START_TEST(no_descriptors_to_look_for_one)
{
	pid_t	reeved, old;

	stage_service("a", "old=$(cat pid)\n"
	    "grep -qs sleep /proc/$old/cmdline && echo >>../../../beside\n"
	    "echo $$ >pid.new\nmv pid.new pid\n" SLEEP);
	stage_file("state/service/a/pid", "0\n");
	reeved = stage_reeved();
	AWAIT(runs("a") && atoi(stage_read("state/service/a/pid")) != 0);
	old = pid_of("a");
	kill_supervisor(reeved);
	unlink(stage_path("log"));
	stage_move("state/service/a", "state/aside");
	reeved = stage_reeved();
	AWAIT(stage_logged("all ready"));
	/* for directory and lock, and then for no more, or one file */
	leave_descriptors(reeved, 2 + (unsigned)_i);
	stage_move("state/aside", "state/service/a");
	AWAIT(stage_logged("Too many open files"));
	give_descriptors(reeved);
	AWAIT(runs("a") && pid_of("a") != old);
	AWAIT(atoi(stage_read("state/service/a/pid")) == pid_of("a"));
	ck_assert_uint_eq(stage_lines("beside"), 0);
	ck_assert(!stage_alive(old));
	ck_assert(stage_logged("cannot supervise\" service=\"a\""));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* --- strangers ------------------------------------------------------------------ */

/* What procfs says began it. */
static unsigned long long
ticks_of(pid_t pid)
{
	const char	*p = strrchr(stage_read("/proc/%d/stat", (int)pid),
			    ')');
	int		 field;

	ck_assert_ptr_nonnull(p);
	for (field = 2; field < 22; field++)
		ck_assert_ptr_nonnull(p = strchr(p + 1, ' '));
	return strtoull(p, NULL, 10);
}

static unsigned long long
ticks_now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ((unsigned long long)ts.tv_sec * 1000 +
	    (unsigned long long)ts.tv_nsec / 1000000) *
	    (unsigned long long)sysconf(_SC_CLK_TCK) / 1000;
}

/* As if reeved had started it. */
static void
plant_record(pid_t pid, unsigned long long ticks)
{
	char	record[256];

	snprintf(record, sizeof(record), "state=planted\npid=%d\n"
	    "start_ticks=%llu\nboot_id=%s", (int)pid, ticks,
	    stage_read("/proc/sys/kernel/random/boot_id"));
	stage_file("state/service/a/supervise/reeve", record);
}

/* What a stranger is, until he is killed, or the test is over. */
static void
be_stranger(bool leads, const char *dir, int ready_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (leads)
		setsid();
	if (chdir(dir) == -1 || write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* A child, with this number if it is not 0; -1 and errno. */
static pid_t
fork_as(pid_t pid)
{
	struct clone_args	args = { .exit_signal = SIGCHLD };

	if (pid != 0) {
		args.set_tid = (uintptr_t)&pid;
		args.set_tid_size = 1;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static pid_t
make_stranger(pid_t as, bool leads, const char *dir)
{
	int	fds[2];
	char	byte;
	pid_t	pid;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	if ((pid = fork_as(as)) == 0)
		be_stranger(leads, dir, fds[1]);
	ck_assert_msg(pid != -1, "clone3: %s", strerror(errno));
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	return pid;
}

static void
assert_left_alone(pid_t stranger)
{
	pid_t	reeved;

	unlink(stage_path("log"));
	reeved = stage_reeved();
	AWAIT(stage_logged("all ready"));
	ck_assert(runs("a") && pid_of("a") != stranger);
	ck_assert(stage_alive(stranger));
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert(stage_alive(stranger));
	kill(stranger, SIGKILL);
	ck_assert_int_eq(waitpid(stranger, NULL, 0), stranger);
}

/* A record that names one who lives, with all that is true of him. */
START_TEST(a_planted_record)
{
	bool	leads = _i != 0;
	pid_t	stranger;

	stage_service("a", SLEEP);
	/* works in the directory, but leads no session; the other way round;
	 * and one with a tick that is not his */
	stranger = make_stranger(0, leads, _i == 1 ? "/" :
	    stage_path("state/service/a"));
	plant_record(stranger, ticks_of(stranger) - (_i == 2));
	assert_left_alone(stranger);
	ck_assert(stage_logged("recorded process is not ours"));
}
END_TEST

/* The number of a process of ours was given to another. */
START_TEST(a_number_given_out_again)
{
	unsigned long long	ticks;
	pid_t			reeved, pid;

	NEED_ROOT;
	stage_service("a", SLEEP);
	reeved = stage_reeved();
	AWAIT(runs("a"));
	pid = pid_of("a");
	ticks = ticks_of(pid);
	kill_supervisor(reeved);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* which takes more time than there was here */
	AWAIT(ticks_now() > ticks);
	make_stranger(pid, true, stage_path("state/service/a"));
	ck_assert(ticks_of(pid) > ticks);
	assert_left_alone(pid);
}
END_TEST

/* What is left of a group whose leader had our number, and does not work for
 * us. */
START_TEST(a_group_of_strangers)
{
	char	buf[16] = "";
	int	fds[2];
	pid_t	leader, member;

	stage_service("a", SLEEP);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	if ((leader = fork()) == 0) {
		setsid();
		if (fork() == 0) {
			if (dprintf(fds[1], "%d\n", (int)getpid()) < 0 ||
			    chdir(stage_path(".")) == -1)
				_exit(1);
			for (;;)
				pause();
		}
		pause();
	}
	close(fds[1]);
	ck_assert_int_gt(read(fds[0], buf, sizeof(buf) - 1), 0);
	close(fds[0]);
	member = atoi(buf);
	plant_record(leader, ticks_of(leader));
	kill(leader, SIGKILL);
	ck_assert_int_eq(waitpid(leader, NULL, 0), leader);
	assert_left_alone(member);
}
END_TEST

TCase *
orphans_case(void)
{
	TCase	*tc = tcase_create("orphans");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_test(tc, an_orphan_holds_nobody_up);
	tcase_add_test(tc, who_stops_need_not_wait);
	tcase_add_loop_test(tc, the_rest_of_a_group, 0, 2);
	tcase_add_loop_test(tc, no_descriptors_to_look_for_one, 0, 2);
	tcase_add_loop_test(tc, a_planted_record, 0, 3);
	tcase_add_test(tc, a_number_given_out_again);
	tcase_add_test(tc, a_group_of_strangers);
	return tc;
}
