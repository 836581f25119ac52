/* SPDX-License-Identifier: ISC */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <arpa/inet.h>

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

/* reeve-broker: the broker is ready when it answers, and not before. */

static const char *
helper(void)
{
	const char	*dir = getenv("REEVE_BINDIR");
	static char	 full[PATH_MAX + 16];

	ck_assert_ptr_nonnull(realpath(dir == NULL ? "." : dir, full));
	strcat(full, "/reeve-broker");
	return full;
}

static const char *
nats_server(void)
{
	const char	*given = getenv("REEVE_NATS_SERVER");

	return given != NULL ? given : "/usr/sbin/nats-server";
}

/* A port that nobody has; *fd is bound to it, and keeps others from it as
 * long as it does not listen, without SO_REUSEADDR. */
static int
find_port(int *fd)
{
	struct sockaddr_in	a = { .sin_family = AF_INET };
	socklen_t		len = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_ne(*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    -1);
	ck_assert_int_eq(bind(*fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(getsockname(*fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

static void
stage_broker(int port, const char *program)
{
	char	script[3 * PATH_MAX];

	snprintf(script, sizeof(script), "exec %s --at 127.0.0.1:%d "
	    "--notify-fd 3 %s\n", helper(), port, program);
	stage_service("broker", script);
	stage_file("state/service/broker/notification-fd", "3\n");
}

/* The real one, let go late: what needs it waits until then. */
START_TEST(ready_when_the_broker_answers)
{
	char	program[2 * PATH_MAX];
	int	fd, port = find_port(&fd);
	pid_t	reeved;

	close(fd);
	snprintf(program, sizeof(program), "/bin/sh -c 'echo >began; "
	    "read line <gate; exec %s -a 127.0.0.1 -p %d'", nats_server(),
	    port);
	stage_broker(port, program);
	ck_assert_int_eq(mkfifo(stage_path("state/service/broker/gate"),
	    0600), 0);
	stage_service("lease", "exec sleep 1000\n");
	stage_file("state/service/lease/needs", "broker\n");
	reeved = stage_reeved();
	AWAIT(stage_lines("state/service/broker/began") == 1);
	ck_assert(stage_is("broker", "up"));
	AWAIT(stage_is("lease", "wait"));
	stage_file("state/service/broker/gate", "\n");
	AWAIT(stage_is("broker", "ready"));
	AWAIT(stage_is("lease", "up"));
	AWAIT(strstr(stage_read("/proc/%lld/comm", stage_number("broker",
	    "pid")), "nats-server") != NULL);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* One that takes connections and says something else, or nothing, is none. */
START_TEST(who_does_not_greet_is_no_broker)
{
	int	fd, port = find_port(&fd), peer;
	pid_t	reeved;

	ck_assert_int_eq(listen(fd, 5), 0);
	stage_broker(port, "/bin/sleep 1000");
	reeved = stage_reeved();
	ck_assert_int_ne(peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC), -1);
	ck_assert_int_eq(send(peer, "220 hello\r\n", 11, MSG_NOSIGNAL), 11);
	close(peer);
	/* it asks again */
	ck_assert_int_ne(peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC), -1);
	ck_assert(stage_is("broker", "up"));
	ck_assert_int_eq(send(peer, "INFO {}\r\n", 9, MSG_NOSIGNAL), 9);
	AWAIT(stage_is("broker", "ready"));
	close(peer);
	kill(reeved, SIGTERM);
	ck_assert_int_eq(stage_wait(reeved), 0);
}
END_TEST

/* Nobody is left when the broker ends before it has answered; and where
 * nobody asks there is nobody to begin with. */
START_TEST(who_watches_goes_with_the_broker)
{
	char	byte, out[64], at[32];
	int	fds[2], fd, port = find_port(&fd);
	pid_t	pid;

	snprintf(at, sizeof(at), "127.0.0.1:%d", port);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	if ((pid = fork()) == 0) {
		ck_assert_int_eq(dup2(fds[1], 9), 9);
		execl(helper(), "reeve-broker", "--at", at, "--notify-fd",
		    "9", "/bin/sleep", "1000", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	AWAIT(strcmp(stage_read("/proc/%d/comm", (int)pid), "sleep\n") == 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* the end of its output is that of the last who has it */
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);
	ck_assert_int_eq(stage_run(out, sizeof(out), "%s --at %s --notify-fd "
	    "9 /bin/echo ran 9>&-", helper(), at), 0);
	ck_assert_str_eq(out, "ran\n");
	ck_assert_int_eq(stage_run(out, sizeof(out), "%s --at %s "
	    "/nonexistent 2>/dev/null", helper(), at), 69);
	ck_assert_int_eq(stage_run(out, sizeof(out), "%s /bin/true "
	    "2>/dev/null", helper()), 64);
}
END_TEST

/* With room for all but who would say it, the broker does not begin. */
START_TEST(nobody_to_say_it)
{
	struct rlimit	limit = { .rlim_cur = 2, .rlim_max = 2 };
	uid_t		uid = 50000 + (uid_t)(getpid() % 5000);
	char		out[64];
	pid_t		pid;
	int		status;

	NEED_ROOT;
	ck_assert_int_eq(stage_run(out, sizeof(out), "cp %s %s && chmod 755 "
	    "%s && chmod 711 %s", helper(), stage_path("helper"),
	    stage_path("helper"), stage_path(".")), 0);
	if ((pid = fork()) == 0) {
		if (dup2(STDERR_FILENO, 9) == -1 ||
		    setrlimit(RLIMIT_NPROC, &limit) == -1 ||
		    setresgid(uid, uid, uid) == -1 ||
		    setresuid(uid, uid, uid) == -1)
			_exit(126);
		execl(stage_path("helper"), "helper", "--at", "127.0.0.1:1",
		    "--notify-fd", "9", "/bin/true", (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 71);
}
END_TEST

TCase *
answers_case(void)
{
	TCase	*tc = tcase_create("answers");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_test(tc, ready_when_the_broker_answers);
	tcase_add_test(tc, who_does_not_greet_is_no_broker);
	tcase_add_test(tc, who_watches_goes_with_the_broker);
	tcase_add_test(tc, nobody_to_say_it);
	return tc;
}
