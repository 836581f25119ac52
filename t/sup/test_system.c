/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

/* Under systemd, and in the place of it. */

#define SLEEP	"exec sleep 1000\n"

static char	heard[4096];	/* what was heard last, a message */

static int
notify_socket(const char *name)
{
	struct sockaddr_un	addr = { .sun_family = AF_UNIX };
	struct timeval		limit = { .tv_sec = AWAIT_MS / 1000 };
	int			fd;

	ck_assert_int_ne(fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
	    -1);
	memcpy(addr.sun_path, name, strlen(name));
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(name))), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* The next message that is no ping. */
static const char *
next(int fd)
{
	ssize_t	n;

	do {
		n = recv(fd, heard, sizeof(heard) - 1, 0);
		ck_assert_msg(n > 0, "nothing more is said");
		heard[n] = '\0';
	} while (strcmp(heard, "WATCHDOG=1") == 0);
	return heard;
}

/* Statuses may come in between, anything else may not. */
static void
hear(int fd, const char *what)
{
	while (strncmp(next(fd), what, strlen(what)) != 0)
		ck_assert_msg(strncmp(heard, "STATUS=", 7) == 0,
		    "'%s' before '%s'", heard, what);
}

static void
hear_ping(int fd)
{
	ssize_t	n;

	do {
		n = recv(fd, heard, sizeof(heard) - 1, 0);
		ck_assert_int_gt(n, 0);
		heard[n] = '\0';
	} while (strcmp(heard, "WATCHDOG=1") != 0);
}

static void
stage_gated(const char *service)
{
	char	path[128], script[200];

	snprintf(script, sizeof(script),
	    "env >seen\nread line <gate\necho >&3\n%s", SLEEP);
	stage_service(service, script);
	snprintf(path, sizeof(path), "state/service/%s/notification-fd",
	    service);
	stage_file(path, "3");
	ck_assert_int_eq(mkfifo(stage_path("state/service/%s/gate", service),
	    0600), 0);
}

START_TEST(systemd_is_told)
{
	char	name[128];
	pid_t	reeved;
	int	fd;

	snprintf(name, sizeof(name), "%s%s", _i == 1 ? "@" : "",
	    stage_path("notify"));
	fd = notify_socket(name);
	setenv("WATCHDOG_USEC", "40000", 1);
	stage_gated("a");
	stage_service("idle", SLEEP);
	stage_file("state/service/idle/down", "");
	reeved = stage_reeved();
	hear_ping(fd);
	hear_ping(fd);
	stage_file("state/service/a/gate", "\n");
	hear(fd, "READY=1\nSTATUS=1 of 2 services ready");
	ck_assert(stage_is("a", "ready"));
	hear_ping(fd);
	kill(reeved, SIGTERM);
	hear(fd, "STOPPING=1");
	ck_assert_int_eq(stage_wait(reeved), 0);
	ck_assert_ptr_null(strstr(stage_read("state/service/a/seen"),
	    "NOTIFY_SOCKET"));
	ck_assert_ptr_null(strstr(stage_read("state/service/a/seen"),
	    "WATCHDOG"));
	close(fd);
}
END_TEST

/* What `systemctl status` shows. */
START_TEST(status_says_what_is_not_ready)
{
	pid_t	reeved;
	int	fd = notify_socket(stage_path("notify"));

	stage_gated("a");
	stage_service("b", SLEEP);
	stage_file("state/service/b/needs", "a\n");
	reeved = stage_reeved();
	hear(fd, "STATUS=0 of 2 services ready, not \"a\" (up)");
	stage_file("state/service/a/gate", "\n");
	hear(fd, "READY=1\nSTATUS=2 of 2 services ready");
	stage_file("state/service/b/max-death-tally", "1\n");
	kill((pid_t)stage_number("b", "pid"), SIGKILL);
	hear(fd, "STATUS=1 of 2 services ready, not \"b\" (given up)");
	stage_control("b", "u");
	hear(fd, "STATUS=2 of 2 services ready");
	kill(reeved, SIGTERM);
	hear(fd, "STOPPING=1");
	ck_assert_int_eq(stage_wait(reeved), 0);
	close(fd);
}
END_TEST

static long long
monotonic_us(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

START_TEST(a_reload_begins_and_ends)
{
	long long	before, then;
	const char	*p;
	pid_t		reeved;
	int		fd = notify_socket(stage_path("notify"));

	stage_service("a", SLEEP);
	ck_assert_int_eq(mkdir(stage_path("state/service/b"), 0755), 0);
	reeved = stage_reeved();
	hear(fd, "READY=1\nSTATUS=1 of 1 services ready");
	stage_service("b", SLEEP);
	before = monotonic_us();
	kill(reeved, SIGHUP);
	hear(fd, "RELOADING=1\n");
	ck_assert_ptr_nonnull(p = strstr(heard, "\nMONOTONIC_USEC="));
	then = strtoll(p + 16, NULL, 10);
	ck_assert_int_ge(then, before);
	ck_assert_int_le(then, monotonic_us());
	hear(fd, "READY=1\nSTATUS=2 of 2 services ready");
	ck_assert(stage_is("b", "up"));
	kill(reeved, SIGTERM);
	hear(fd, "STOPPING=1");
	ck_assert_int_eq(stage_wait(reeved), 0);
	close(fd);
}
END_TEST

/* A receiver without room does not make it forget what must be said. */
START_TEST(a_receiver_that_is_slow)
{
	struct sockaddr_un	addr = { .sun_family = AF_UNIX };
	struct pollfd		room = { .events = POLLOUT };
	pid_t			reeved;
	int			fd = notify_socket(stage_path("notify"));

	setenv("WATCHDOG_USEC", "2000", 1);
	stage_gated("a");
	reeved = stage_reeved();
	/* Another sender finds no room either. */
	ck_assert_int_ne(room.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC,
	    0), -1);
	strcpy(addr.sun_path, stage_path("notify"));
	ck_assert_int_eq(connect(room.fd, (struct sockaddr *)&addr,
	    sizeof(addr)), 0);
	AWAIT(poll(&room, 1, 0) == 0);
	stage_file("state/service/a/gate", "\n");
	AWAIT(stage_logged("all ready"));
	hear(fd, "READY=1");
	kill(reeved, SIGKILL);
	stage_wait(reeved);
	close(room.fd);
	close(fd);
}
END_TEST

/* Half of the time that it is given is over with each ping, so that one which
 * found no room cannot be left for the next. */
START_TEST(a_ping_without_room_is_sent_again)
{
	struct sockaddr_un	addr = { .sun_family = AF_UNIX };
	long long		before;
	pid_t			reeved;
	int			fd = notify_socket(stage_path("notify")), out;

	setenv("WATCHDOG_USEC", "6000000", 1);
	stage_service("a", SLEEP);
	reeved = stage_reeved();
	hear(fd, "READY=1");
	hear_ping(fd);
	before = monotonic_us();
	ck_assert_int_ne(out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0), -1);
	strcpy(addr.sun_path, stage_path("notify"));
	ck_assert_int_eq(connect(out, (struct sockaddr *)&addr,
	    sizeof(addr)), 0);
	while (send(out, "STATUS=", 7, 0) != -1)
		continue;
	/* No room for the one that is due after 3 s. */
	usleep(3300000);
	hear_ping(fd);
	ck_assert_int_lt(monotonic_us() - before, 5400000);
	kill(reeved, SIGKILL);
	stage_wait(reeved);
	close(out);
	close(fd);
}
END_TEST

/* --- process 1 --------------------------------------------------------------- */

static unsigned
children(pid_t pid, char state)
{
	char		list[4096], *p;
	const char	*stat;
	unsigned	 n = 0;
	long		 child;

	snprintf(list, sizeof(list), "%s", stage_read(
	    "/proc/%d/task/%d/children", (int)pid, (int)pid));
	for (p = list; (child = strtol(p, &p, 10)) != 0; ) {
		stat = strrchr(stage_read("/proc/%ld/stat", child), ')');
		n += stat != NULL && (state == '*' || stat[2] == state);
	}
	return n;
}

#define STRAY_LOOP	"echo >>../../../armed; while :; do sleep 0.01; done"

/* It collects what it never started, and takes what is left along. */
START_TEST(process_1_of_a_container)
{
	pid_t	init;

	if (geteuid() != 0) {
		fprintf(stderr, "not root: skipped\n");
		return;
	}
	stage_service("a", "for i in 1 2 3 4 5 6 7 8 9; do\n"
	    "(setsid sh -c 'exit 3' &)\ndone\n"
	    "setsid sh -c 'trap \"echo >>../../../term; exit\" TERM\n"
	    STRAY_LOOP "' &\necho >forked\n" SLEEP);
	stage_service("b", "trap 'echo >>usr1' USR1\n"
	    "echo >>../../../armed; while :; do sleep 0.01; done\n");
	init = stage_reeved_init();
	AWAIT(stage_lines("state/service/a/forked") == 1 &&
	    stage_lines("armed") == 2);
	ck_assert_str_eq(stage_read("state/reeved.lock"), "1\n");
	AWAIT(children(init, 'Z') == 0);
	/* a signal goes on to who expects it, and kills nobody else */
	kill(init, SIGUSR1);
	AWAIT(stage_lines("state/service/b/usr1") == 1);
	ck_assert_int_eq(stage_number("a", "starts"), 1);
	kill(init, SIGUSR2);
	kill(init, SIGHUP);
	AWAIT(stage_logged("looking for services anew"));
	ck_assert_int_eq(stage_number("a", "starts"), 1);
	ck_assert_int_eq(stage_number("b", "starts"), 1);
	/* an orphan falls to it */
	stage_control("a", "d");
	AWAIT(stage_is("a", "down"));
	AWAIT(children(init, '*') == 2);
	kill(init, SIGTERM);
	ck_assert_int_eq(stage_wait(init), 0);
	ck_assert_uint_eq(stage_lines("term"), 1);
	ck_assert(stage_is("b", "down"));
}
END_TEST

START_TEST(process_1_that_cannot)
{
	pid_t	init;

	if (geteuid() != 0) {
		fprintf(stderr, "not root: skipped\n");
		return;
	}
	ck_assert_int_eq(rmdir(stage_path("state/service")), 0);
	init = stage_reeved_init();
	ck_assert_int_eq(stage_wait(init), 78);
}
END_TEST

/* A stray that does not hear TERM has five seconds. */
START_TEST(process_1_and_a_deaf_stray)
{
	pid_t	init;

	if (geteuid() != 0) {
		fprintf(stderr, "not root: skipped\n");
		return;
	}
	stage_service("a", "setsid sh -c 'trap \"\" TERM; " STRAY_LOOP "' &\n"
	    SLEEP);
	init = stage_reeved_init();
	AWAIT(stage_lines("armed") == 1);
	kill(init, SIGTERM);
	ck_assert_int_eq(stage_wait(init), 0);
	ck_assert(stage_logged("strays are overdue, killed"));
}
END_TEST

TCase *
system_case(void)
{
	TCase	*tc = tcase_create("system");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	tcase_add_loop_test(tc, systemd_is_told, 0, 2);
	tcase_add_test(tc, status_says_what_is_not_ready);
	tcase_add_test(tc, a_reload_begins_and_ends);
	tcase_add_test(tc, a_receiver_that_is_slow);
	tcase_add_test(tc, a_ping_without_room_is_sent_again);
	tcase_add_test(tc, process_1_of_a_container);
	tcase_add_test(tc, process_1_that_cannot);
	tcase_add_test(tc, process_1_and_a_deaf_stray);
	return tc;
}
