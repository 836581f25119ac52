/* SPDX-License-Identifier: ISC */

/*
 * reeve mcp as a process, off the mesh: on pipes, sockets, a terminal and
 * files, with clients that say too much, read nothing, or go.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "json.h"
#include "space.h"

#define MIB		(1024 * 1024)
#define PING		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"
#define PONG		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
#define LIST		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"	\
			"\"tools/list\"}\n"
#define HELLO								\
	"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\","	\
	"\"params\":{\"protocolVersion\":\"2025-06-18\"}}\n"		\
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n"
#define LEAVES_MS	6000	/* two seconds, on a machine of its own */

static pid_t	pid;
static int	to = -1, from = -1;	/* ours of its stdin and stdout */
static int	errs = -1;		/* of its stderr */
static bool	deaf;			/* nobody reads that, and it is full */
static char	heard[60 * 1024];	/* and not asked for yet */
static size_t	n_heard;

/* --- running it ------------------------------------------------------------------ */

static void
shut(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
fill(int fd)
{
	static const char	junk[4096];

	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (write(fd, junk, sizeof(junk)) > 0)
		;
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
}

/* With these for its own. */
static void
run_on(int in, int out)
{
	const char	*bin = getenv("REEVE_BINDIR");
	char		 path[512];
	int		 e[2];

	snprintf(path, sizeof(path), "%s/reeve", bin == NULL ? "." : bin);
	ck_assert_int_eq(pipe2(e, O_CLOEXEC), 0);
	if (deaf)
		fill(e[1]);
	if ((pid = fork()) == 0) {
		dup2(in, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(e[1], STDERR_FILENO);
		execl(path, "reeve", "mcp", NULL);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	close(e[1]);
	errs = e[0];
}

static void
run_on_pipes(void)
{
	int	in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	run_on(in[0], out[1]);
	close(in[0]);
	close(out[1]);
	to = in[1];
	from = out[0];
}

static void
run_on_sockets(void)
{
	int	in[2], out[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    in), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    out), 0);
	run_on(in[0], out[1]);
	close(in[0]);
	close(out[1]);
	to = in[1];
	from = out[0];
}

static void (*const	ways[])(void) = { run_on_pipes, run_on_sockets };

/* It ends by itself, soon, and with 0. */
static void
ends(void)
{
	int64_t	start = test_now_ms();
	int	status = -1;

	AWAIT(waitpid(pid, &status, WNOHANG) == pid);
	pid = 0;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "status %#x", (unsigned)status);
	ck_assert_int_le(test_now_ms() - start, LEAVES_MS);
}

static void
setup(void)
{
	const char *const	names[] = { "COTAL_NAME", "COTAL_LINK",
				    "COTAL_AGENT_FILE",
				    "COTAL_CONTROL_SOCKET",
				    "COTAL_CONTROL_TOKEN" };
	size_t			i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	signal(SIGPIPE, SIG_IGN);
	pid = 0;
	n_heard = 0;
	deaf = false;
}

static void
teardown(void)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	shut(&to);
	shut(&from);
	shut(&errs);
}

/* --- talking ------------------------------------------------------------------------ */

static void
say_bytes(const char *s, size_t len)
{
	ssize_t	n;

	for (; len > 0; s += n, len -= (size_t)n) {
		n = write(to, s, len);
		ck_assert_int_gt(n, 0);
	}
}

static void
say(const char *s)
{
	say_bytes(s, strlen(s));
}

/* A line with its end, within AWAIT_MS; "" at the end. */
static char *
hear(void)
{
	static char	line[64 * 1024];
	struct pollfd	p = { .fd = from, .events = POLLIN };
	char		*end;
	ssize_t		 r;
	size_t		 n;

	while ((end = memchr(heard, '\n', n_heard)) == NULL) {
		ck_assert_uint_lt(n_heard, sizeof(heard));
		ck_assert_int_eq(poll(&p, 1, AWAIT_MS), 1);
		r = read(from, heard + n_heard, sizeof(heard) - n_heard);
		if (r <= 0)
			break;
		n_heard += (size_t)r;
	}
	n = end == NULL ? n_heard : (size_t)(end - heard) + 1;
	memcpy(line, heard, n);
	line[n] = '\0';
	n_heard -= n;
	memmove(heard, heard + n, n_heard);
	return line;
}

static bool
is_error(const char *line, int code)
{
	struct error	 e;
	cJSON		*o = json_parse(line, strlen(line) - 1, &e);
	const cJSON	*c = json_get(json_get(o, "error"), "code");
	bool		 is = cJSON_IsNumber(c) && c->valueint == code;

	cJSON_Delete(o);
	return is;
}

/* What its memory was at most, in KiB. */
static long
most_memory(void)
{
	char	 path[64], line[256];
	long	 kib = -1;
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	ck_assert_ptr_nonnull(f = fopen(path, "r"));
	while (fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "VmHWM: %ld kB", &kib);
	fclose(f);
	ck_assert_int_gt(kib, 0);
	return kib;
}

static void
memory_is_bounded(void)
{
#ifndef __SANITIZE_ADDRESS__
	ck_assert_int_lt(most_memory(), 40 * 1024);
#else
	(void)most_memory();
#endif
}

/* --- the tests ------------------------------------------------------------------------- */

/* Without them nothing else is taken for them, and it is over at once. */
START_TEST(without_standard_descriptors_it_ends)
{
	const char	*bin = getenv("REEVE_BINDIR");
	char		 path[512];
	int		 fd;

	snprintf(path, sizeof(path), "%s/reeve", bin == NULL ? "." : bin);
	if ((pid = fork()) == 0) {
		for (fd = _i; fd <= STDERR_FILENO; fd++)
			close(fd);
		if (_i > 0)
			dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
		execl(path, "reeve", "mcp", NULL);
		_exit(127);
	}
	ends();
}
END_TEST

START_TEST(it_answers_and_ends_with_its_input)
{
	ways[_i]();
	say(PING);
	ck_assert_str_eq(hear(), PONG);
	say(HELLO);
	ck_assert_ptr_nonnull(strstr(hear(), "\"protocolVersion\""));
	/* The last line has no end. */
	say_bytes(PING, strlen(PING) - 1);
	shut(&to);
	ck_assert_str_eq(hear(), PONG);
	ck_assert_str_eq(hear(), "");
	ends();
}
END_TEST

START_TEST(half_a_line_is_answered_at_the_end)
{
	ways[_i]();
	say("{\"jsonrpc\":\"2.0\",\"id\":1,\"met");
	shut(&to);
	ck_assert(is_error(hear(), -32700));
	ends();
}
END_TEST

START_TEST(nothing_at_all_is_an_end)
{
	ways[_i]();
	shut(&to);
	ck_assert_str_eq(hear(), "");
	ends();
}
END_TEST

static const int	signals[] = { SIGTERM, SIGINT, SIGHUP };

START_TEST(a_signal_ends_it)
{
	run_on_pipes();
	say(PING);
	ck_assert_str_eq(hear(), PONG);
	ck_assert_int_eq(kill(pid, signals[_i]), 0);
	ends();
}
END_TEST

/* Who has gone is not written to, and is no reason to die of. */
START_TEST(a_client_that_has_gone_ends_it)
{
	ways[_i]();
	say(PING);
	ck_assert_str_eq(hear(), PONG);
	shut(&from);
	(void)write(to, PING, strlen(PING));
	ends();
}
END_TEST

START_TEST(a_huge_line_is_passed_over)
{
	static char	chunk[MIB];
	int		i;

	memset(chunk, 'x', sizeof(chunk));
	run_on_pipes();
	for (i = 0; i < 64; i++)
		say_bytes(chunk, sizeof(chunk));
	say("\n" PING);
	ck_assert(is_error(hear(), -32600));
	ck_assert_str_eq(hear(), PONG);
	memory_is_bounded();
	shut(&to);
	ends();
}
END_TEST

/* Ask until it takes no more for a while: how often. */
static size_t
ask_until_full(void)
{
	struct pollfd	p = { .fd = to, .events = POLLOUT };
	size_t		n;

	ck_assert_int_eq(fcntl(to, F_SETFL, O_NONBLOCK), 0);
	for (n = 0; poll(&p, 1, 500) == 1; n++) {
		ck_assert_uint_lt(n, 1000000);
		/* In whole lines: a pipe takes so few bytes at once, or none;
		 * a socket has room for more than one when it says so. */
		if (write(to, LIST, strlen(LIST)) != (ssize_t)strlen(LIST))
			break;
	}
	ck_assert_uint_gt(n, 100);
	return n;
}

/* What it has to say waits, and so does who says more; nothing is lost. */
START_TEST(a_client_that_does_not_read_waits)
{
	size_t	i, n;

	ways[_i]();
	say(HELLO);
	ck_assert_ptr_nonnull(strstr(hear(), "\"protocolVersion\""));
	n = ask_until_full();
	memory_is_bounded();
	for (i = 0; i < n; i++)
		ck_assert_ptr_nonnull(strstr(hear(), "\"tools\""));
	memory_is_bounded();
	shut(&to);
	ends();
}
END_TEST

START_TEST(one_that_does_not_read_holds_it_not)
{
	ways[_i]();
	say(HELLO);
	(void)ask_until_full();
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ends();
}
END_TEST

/* It is others' terminal, too: they must not find it not to wait. */
START_TEST(a_terminal_keeps_its_flags)
{
	struct termios	raw;
	int		master, slave;

	memset(&raw, 0, sizeof(raw));
	cfmakeraw(&raw);
	ck_assert_int_eq(openpty(&master, &slave, NULL, &raw, NULL), 0);
	ck_assert_int_eq(fcntl(master, F_SETFD, FD_CLOEXEC), 0);
	run_on(slave, slave);
	to = dup(master);
	from = dup(master);
	close(master);
	say(PING);
	ck_assert_str_eq(hear(), PONG);
	ck_assert_int_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ends();
	ck_assert_int_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	close(slave);
}
END_TEST

START_TEST(pipes_keep_their_flags)
{
	int	in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	run_on(in[0], out[1]);
	to = in[1];
	from = out[0];
	say(PING);
	ck_assert_str_eq(hear(), PONG);
	ck_assert_int_eq(fcntl(in[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0);
	shut(&to);
	ends();
	close(in[0]);
	close(out[1]);
}
END_TEST

START_TEST(files_will_do)
{
	char	text[sizeof(PONG) + 1];
	FILE	*in = tmpfile(), *out = tmpfile();

	ck_assert_ptr_nonnull(in);
	ck_assert_ptr_nonnull(out);
	fputs(PING, in);
	ck_assert_int_eq(fflush(in), 0);
	rewind(in);
	run_on(fileno(in), fileno(out));
	ends();
	rewind(out);
	ck_assert_uint_eq(fread(text, 1, sizeof(text), out), strlen(PONG));
	text[strlen(PONG)] = '\0';
	ck_assert_str_eq(text, PONG);
	fclose(in);
	fclose(out);
}
END_TEST

/* What is to be known is on stderr, once, and nothing of it on stdout. */
START_TEST(what_is_missing_is_said_on_stderr)
{
	char	text[8192];
	size_t	n = 0;
	ssize_t	r;

	run_on_pipes();
	say(PING);
	ck_assert_str_eq(hear(), PONG);
	shut(&to);
	ends();
	ck_assert_str_eq(hear(), "");
	while ((r = read(errs, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	text[n] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "COTAL_NAME"));
	ck_assert_ptr_nonnull(strstr(text, "COTAL_CONTROL_SOCKET"));
	ck_assert_ptr_null(strstr(strstr(text, "COTAL_CONTROL_SOCKET") + 1,
	    "COTAL_CONTROL_SOCKET"));
}
END_TEST

START_TEST(who_does_not_read_stderr_holds_nothing_up)
{
	deaf = true;
	run_on_pipes();
	say(PING);
	ck_assert_str_eq(hear(), PONG);
	shut(&to);
	ends();
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcp_stdio");
	TCase	*tc = tcase_create("stdio");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, without_standard_descriptors_it_ends, 0, 2);
	tcase_add_loop_test(tc, it_answers_and_ends_with_its_input, 0, 2);
	tcase_add_loop_test(tc, half_a_line_is_answered_at_the_end, 0, 2);
	tcase_add_loop_test(tc, nothing_at_all_is_an_end, 0, 2);
	tcase_add_loop_test(tc, a_signal_ends_it, 0, 3);
	tcase_add_loop_test(tc, a_client_that_has_gone_ends_it, 0, 2);
	tcase_add_test(tc, a_huge_line_is_passed_over);
	tcase_add_loop_test(tc, a_client_that_does_not_read_waits, 0, 2);
	tcase_add_loop_test(tc, one_that_does_not_read_holds_it_not, 0, 2);
	tcase_add_test(tc, a_terminal_keeps_its_flags);
	tcase_add_test(tc, pipes_keep_their_flags);
	tcase_add_test(tc, files_will_do);
	tcase_add_test(tc, what_is_missing_is_said_on_stderr);
	tcase_add_test(tc, who_does_not_read_stderr_holds_nothing_up);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
