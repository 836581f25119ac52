/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

/* What runit's own programs make of a directory that reeved supervises. */

#define SLEEP	"exec sleep 1000\n"

/* A test that needs sv passes where there is none. */
#define NEED(program)							\
	do {								\
		if (!stage_have(program)) {				\
			fprintf(stderr, "no %s: skipped\n", program);	\
			return;						\
		}							\
	} while (0)

static void
assert_matches(const char *text, const char *pattern)
{
	regex_t	re;

	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&re, text, 0, NULL, 0) == 0,
	    "'%s' does not match '%s'", text, pattern);
	regfree(&re);
}

static const char *
sv(const char *command, const char *service)
{
	static char	out[1024];

	stage_run(out, sizeof(out), "sv %s %s 2>&1", command, service);
	return out;
}

static bool
sv_says(const char *service, const char *pattern)
{
	regex_t	re;
	bool	matches;

	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	matches = regexec(&re, sv("status", service), 0, NULL, 0) == 0;
	regfree(&re);
	return matches;
}

static void
begin(const char *script)
{
	stage_service("a", script);
	stage_reeved();
	AWAIT(stage_is("a", "up") && stage_logged("all ready"));
}

/* The same, for a script that says when its traps are set. */
static void
begin_armed(const char *script)
{
	begin(script);
	AWAIT(stage_lines("state/service/a/armed") == 1);
}

START_TEST(sv_status)
{
	NEED("sv");
	begin_armed("trap 'echo >term' TERM\necho >armed\n"
	    "while :; do sleep 0.01; done\n");
	assert_matches(sv("status", "a"), "^run: a: \\(pid [0-9]+\\) [0-9]+s\n$");
	sv("pause", "a");
	AWAIT(sv_says("a", "^run: a: \\(pid [0-9]+\\) [0-9]+s, paused\n$"));
	sv("cont", "a");
	AWAIT(sv_says("a", "^run: a: \\(pid [0-9]+\\) [0-9]+s\n$"));
	sv("down", "a");
	AWAIT(sv_says("a",
	    "^run: a: \\(pid [0-9]+\\) [0-9]+s, want down, got TERM\n$"));
	ck_assert_str_eq(stage_read("state/service/a/supervise/stat"),
	    "run, got TERM, want down\n");
	sv("kill", "a");
	AWAIT(sv_says("a", "^down: a: [0-9]+s, normally up\n$"));
	ck_assert_str_eq(stage_read("state/service/a/supervise/stat"),
	    "down\n");
}
END_TEST

START_TEST(sv_status_with_log_and_down)
{
	NEED("sv");
	stage_service("a", SLEEP);
	stage_service("a/log", "exec cat\n");
	stage_file("state/service/a/down", "");
	stage_reeved();
	AWAIT(stage_logged("all ready"));
	assert_matches(sv("status", "a"), "^down: a: [0-9]+s; "
	    "run: log: \\(pid [0-9]+\\) [0-9]+s\n$");
	sv("up", "a");
	AWAIT(sv_says("a", "^run: a: \\(pid [0-9]+\\) [0-9]+s, normally down; "
	    "run: log: \\(pid [0-9]+\\) [0-9]+s\n$"));
	sv("down", "a/log");
	AWAIT(sv_says("a", "; down: log: [0-9]+s, normally up\n$"));
	/* exit is not for a log alone */
	sv("exit", "a/log");
	sv("up", "a/log");
	AWAIT(sv_says("a", "; run: log: "));
}
END_TEST

START_TEST(sv_waits_for_what_it_asked)
{
	char	out[256];

	NEED("sv");
	begin(SLEEP);
	ck_assert_int_eq(stage_run(out, sizeof(out), "sv stop a"), 0);
	assert_matches(out, "^ok: down: a: [0-9]+s, normally up\n$");
	ck_assert_int_eq(stage_run(out, sizeof(out), "sv start a"), 0);
	assert_matches(out, "^ok: run: a: \\(pid [0-9]+\\) [0-9]+s\n$");
	/* what began within this second passes for restarted with sv */
	ck_assert_int_eq(stage_run(out, sizeof(out), "sv restart a"), 0);
	AWAIT(stage_number("a", "starts") == 3);
	AWAIT(sv_says("a", "^run: a: \\(pid [0-9]+\\) [0-9]+s\n$"));
	ck_assert_int_eq(stage_run(out, sizeof(out), "sv -v term a"), 0);
	AWAIT(stage_number("a", "starts") == 4);
	ck_assert_int_eq(stage_run(out, sizeof(out), "sv -v down a"), 0);
	ck_assert_int_eq(stage_run(out, sizeof(out), "sv -v once a"), 0);
	AWAIT(sv_says("a",
	    "^run: a: \\(pid [0-9]+\\) [0-9]+s, want down\n$"));
}
END_TEST

START_TEST(sv_force_stop_kills)
{
	char	out[256];

	NEED("sv");
	begin_armed("trap '' TERM\necho >armed\nwhile :; do sleep 1; done\n");
	ck_assert_int_eq(stage_run(out, sizeof(out),
	    "sv -w 1 force-stop a"), 1);
	assert_matches(out, "^kill: run: a: ");
	AWAIT(stage_is("a", "down"));
}
END_TEST

START_TEST(sv_sends_signals)
{
	static const struct {
		const char	*command, *name;
	} signals[] = { { "hup", "HUP" }, { "alarm", "ALRM" },
		{ "interrupt", "INT" }, { "quit", "QUIT" }, { "1", "USR1" },
		{ "2", "USR2" } };
	size_t		i;

	NEED("sv");
	begin_armed("for s in HUP ALRM INT QUIT USR1 USR2; do\n"
	    "trap \"echo $s >>seen\" $s\ndone\necho >armed\n"
	    "while :; do sleep 0.01; done\n");
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sv(signals[i].command, "a");
		AWAIT(stage_lines("state/service/a/seen") == i + 1);
		ck_assert_ptr_nonnull(strstr(
		    stage_read("state/service/a/seen"), signals[i].name));
	}
	ck_assert_int_eq(stage_number("a", "starts"), 1);
}
END_TEST

/* After exit nobody is there, until reeved is told to look anew. */
START_TEST(sv_exit_lets_go)
{
	char	out[256];
	pid_t	reeved, pid;

	NEED("sv");
	stage_service("a", SLEEP);
	stage_service("a/log", "exec cat\n");
	reeved = stage_reeved();
	AWAIT(stage_logged("all ready"));
	pid = (pid_t)stage_number("a", "pid");
	ck_assert_int_eq(stage_run(out, sizeof(out), "sv shutdown a"), 0);
	AWAIT(stage_logged("msg=\"released\" service=\"a\""));
	ck_assert(!stage_alive(pid));
	assert_matches(sv("status", "a"), "^fail: a: runsv not running\n$");
	/* another directory does not bring it back */
	stage_file("new/run", "#!/bin/sh\nexec sleep 1000\n");
	stage_move("new", "state/service/b");
	AWAIT(stage_is("b", "up"));
	ck_assert(stage_is("a", "down"));
	kill(reeved, SIGHUP);
	AWAIT(stage_is("a", "up"));
	AWAIT(sv_says("a", "^run: a: "));
	/* or its directory is put there anew */
	ck_assert_int_eq(stage_run(out, sizeof(out), "sv shutdown a"), 0);
	AWAIT(stage_is("a", "down") && sv_says("a", "not running"));
	stage_move("state/service/a", "elsewhere");
	AWAIT(stage_logged("msg=\"directory is gone\" service=\"a\""));
	stage_move("elsewhere", "state/service/a");
	AWAIT(sv_says("a", "^run: a: "));
}
END_TEST

/* Released, its directory may be another supervisor's. */
START_TEST(exit_gives_the_lock_up)
{
	char	out[256];

	NEED("sv");
	NEED("runsv");
	begin(SLEEP);
	ck_assert_int_eq(stage_run(out, sizeof(out), "sv shutdown a"), 0);
	AWAIT(stage_logged("msg=\"released\" service=\"a\""));
	stage_run(out, sizeof(out), "setsid runsv %s >/dev/null 2>&1 &",
	    stage_path("state/service/a"));
	AWAIT(sv_says("a", "^run: a: "));
}
END_TEST

START_TEST(other_supervisors_refuse)
{
	static const struct {
		const char	*program;
		int		 code;
	} others[] = { { "runsv", 111 }, { "s6-supervise", 100 } };
	char		out[512];

	NEED(others[_i].program);
	begin(SLEEP);
	ck_assert_int_eq(stage_run(out, sizeof(out), "timeout 5 %s %s 2>&1",
	    others[_i].program, stage_path("state/service/a")),
	    others[_i].code);
	ck_assert(stage_is("a", "up"));
	ck_assert_int_eq(stage_number("a", "starts"), 1);
}
END_TEST

START_TEST(refuses_what_another_supervises)
{
	char	out[64];

	NEED("runsv");
	NEED("sv");
	stage_service("a", SLEEP);
	stage_service("b", SLEEP);
	stage_run(out, sizeof(out), "setsid runsv %s >/dev/null 2>&1 &",
	    stage_path("state/service/a"));
	AWAIT(sv_says("a", "^run: a: "));
	stage_reeved();
	AWAIT(stage_is("b", "up"));
	ck_assert(stage_logged("has another supervisor"));
	ck_assert(!stage_is("a", "up"));
}
END_TEST

/* The 20 bytes, as daemontools and runit have them. */
static void
read_status(unsigned char status[20])
{
	unsigned char	more[21];
	int		fd;

	fd = open(stage_path("state/service/a/supervise/status"),
	    O_RDONLY | O_CLOEXEC);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(read(fd, more, sizeof(more)), 20);
	close(fd);
	memcpy(status, more, 20);
}

START_TEST(status_byte_by_byte)
{
	unsigned char		s[20];
	unsigned long long	label = 0;
	unsigned long		pid, nanoseconds;
	time_t			before = time(NULL);
	struct timespec		now;
	int			i;

	begin_armed("trap : TERM\necho >armed\nwhile :; do sleep 0.01; done\n");
	read_status(s);
	for (i = 0; i < 8; i++)
		label = label << 8 | s[i];
	label -= 4611686018427387914ULL;
	ck_assert_uint_ge(label, before);
	/* time(3) lags behind. */
	ck_assert(clock_gettime(CLOCK_REALTIME, &now) == 0);
	ck_assert_uint_le(label, now.tv_sec);
	nanoseconds = (unsigned long)s[8] << 24 | (unsigned long)s[9] << 16 |
	    (unsigned long)s[10] << 8 | s[11];
	ck_assert_uint_lt(nanoseconds, 1000000000);
	pid = (unsigned long)s[15] << 24 | (unsigned long)s[14] << 16 |
	    (unsigned long)s[13] << 8 | s[12];
	ck_assert_uint_eq(pid, stage_number("a", "pid"));
	ck_assert_mem_eq(s + 16, "\0u\0\1", 4);
	stage_control("a", "p");
	AWAIT((read_status(s), s[16] == 1));
	stage_control("a", "c");
	AWAIT((read_status(s), s[16] == 0));
	stage_control("a", "d");
	AWAIT((read_status(s), s[18] == 1));
	ck_assert_mem_eq(s + 16, "\0d\1\1", 4);
	stage_control("a", "k");
	AWAIT((read_status(s), s[19] == 0));
	ck_assert_mem_eq(s + 12, "\0\0\0\0\0d\0\0", 8);
}
END_TEST

START_TEST(status_of_finish)
{
	unsigned char	s[20];

	stage_file("state/service/a/finish", "#!/bin/sh\nexec sleep 1000\n");
	begin(SLEEP);
	stage_control("a", "t");
	AWAIT(stage_is("a", "finish"));
	AWAIT((read_status(s), s[19] == 2));
	ck_assert_int_eq(s[12] | s[13] << 8 | s[14] << 16,
	    stage_number("a", "pid"));
	ck_assert_int_eq(s[17], 'u');
	ck_assert_str_eq(stage_read("state/service/a/supervise/stat"),
	    "finish\n");
}
END_TEST

START_TEST(files_are_private)
{
	struct stat	st;

	begin(SLEEP);
	ck_assert_int_eq(stat(stage_path("state/service/a/supervise"), &st),
	    0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(stage_path(
	    "state/service/a/supervise/control"), &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
	ck_assert_int_eq(stat(stage_path("state/service/a/supervise/ok"),
	    &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
}
END_TEST

/* Packages point supervise at a place that does not outlive a boot. */
START_TEST(supervise_may_be_a_link)
{
	stage_service("a", SLEEP);
	ck_assert_int_eq(symlink("../../../run-a",
	    stage_path("state/service/a/supervise")), 0);
	stage_reeved();
	AWAIT(strcmp(stage_read("run-a/stat"), "run\n") == 0);
}
END_TEST

TCase *
runit_case(void)
{
	TCase	*tc = tcase_create("runit");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_test(tc, sv_status);
	tcase_add_test(tc, sv_status_with_log_and_down);
	tcase_add_test(tc, sv_waits_for_what_it_asked);
	tcase_add_test(tc, sv_force_stop_kills);
	tcase_add_test(tc, sv_sends_signals);
	tcase_add_test(tc, sv_exit_lets_go);
	tcase_add_test(tc, exit_gives_the_lock_up);
	tcase_add_loop_test(tc, other_supervisors_refuse, 0, 2);
	tcase_add_test(tc, refuses_what_another_supervises);
	tcase_add_test(tc, status_byte_by_byte);
	tcase_add_test(tc, status_of_finish);
	tcase_add_test(tc, files_are_private);
	tcase_add_test(tc, supervise_may_be_a_link);
	return tc;
}
