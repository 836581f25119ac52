/* SPDX-License-Identifier: ISC */

/* The control socket: who is answered, and who is hung up on without a word. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "hooksock.h"
#include "json.h"

#define TOKEN	"0123456789abcdef"

static char		 dir[] = "/tmp/reeve-hook-XXXXXX";
static char		 path[64];
static struct hooksock	*hs;
static unsigned		 events, given, failed, shutdowns;
static const char	*reply;

static char *
on_event(void *arg, const cJSON *event)
{
	ck_assert_ptr_eq(arg, &events);
	ck_assert(cJSON_IsObject(event));
	events++;
	return reply == NULL ? NULL : strdup(reply);
}

static void
on_given(void *arg, bool whole)
{
	(void)arg;
	given += whole;
	failed += !whole;
}

static void
on_shutdown(void *arg)
{
	(void)arg;
	shutdowns++;
}

static const struct hooksock_ops	ops = { .event = on_event,
    .given = on_given, .shutdown = on_shutdown };

static int
open_socket(struct hooksock **out, struct error *e)
{
	return hooksock_open(out, path, TOKEN, &ops, &events, e);
}

static void
setup(void)
{
	struct error	e;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	events = given = failed = shutdowns = 0;
	reply = "{\"a\":1}";
	ck_assert_msg(open_socket(&hs, &e) == 0, "%s", e.text);
}

static void
teardown(void)
{
	hooksock_free(hs);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(rmdir(dir), 0);
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
}

/* --- a client ------------------------------------------------------------------ */

static int
dial(void)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	int			fd = socket(AF_UNIX, SOCK_STREAM |
				    SOCK_NONBLOCK, 0);

	strcpy(at.sun_path, path);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* One turn of the loop, if something is to be done within that. */
static void
turn(int timeout_ms)
{
	struct pollfd	v[HOOKSOCK_FDS];
	size_t		n = hooksock_fds(hs, v, HOOKSOCK_FDS);

	ck_assert_uint_eq(n, HOOKSOCK_FDS);
	(void)poll(v, n, timeout_ms);
	hooksock_serve(hs, v, n);
}

static void
turns(void)
{
	struct pollfd	v[HOOKSOCK_FDS];

	do
		turn(0);
	while (hooksock_fds(hs, v, HOOKSOCK_FDS) == 1 && poll(v, 1, 0) == 1);
}

/* All of it, as the server takes it; false when it hangs up before. */
static bool
say(int fd, const char *s, size_t len)
{
	ssize_t	n;

	while (len > 0) {
		n = send(fd, s, len, MSG_NOSIGNAL);
		if (n == -1 && errno != EAGAIN)
			return false;
		if (n > 0) {
			s += n;
			len -= (size_t)n;
		}
		turns();
	}
	turns();
	return true;
}

/* What it answers before it hangs up; NULL: it has not hung up. */
static const char *
hear(int fd)
{
	static char	buf[4096];
	size_t		used = 0;
	ssize_t		n;

	for (;;) {
		turns();
		n = read(fd, buf + used, sizeof(buf) - 1 - used);
		if (n == -1 && errno == EAGAIN)
			return NULL;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	buf[used] = '\0';
	close(fd);
	return buf;
}

static void
ask(const char *line, const char *answer)
{
	int		 fd = dial();
	const char	*is;

	(void)say(fd, line, strlen(line));
	is = hear(fd);
	ck_assert_msg(is != NULL, "it is not hung up on: %s", line);
	ck_assert_str_eq(is, answer);
}

#define EVENT(token)	"{\"token\":\"" token "\",\"event\":{\"x\":[1]}}\n"

/* --- who is answered --------------------------------------------------------------- */

START_TEST(an_event_is_answered_with_a_line)
{
	ask(EVENT(TOKEN), "{\"a\":1}\n");
	ck_assert_uint_eq(events, 1);
	ck_assert_uint_eq(given, 1);
	reply = NULL;
	ask(EVENT(TOKEN), "{}\n");
	ck_assert_uint_eq(given, 2);
	ck_assert_uint_eq(failed, 0);
}
END_TEST

START_TEST(it_may_come_in_pieces)
{
	const char	*line = EVENT(TOKEN);
	size_t		 i;
	int		 fd = dial();

	for (i = 0; line[i] != '\0'; i++) {
		ck_assert_uint_eq(events, 0);
		ck_assert(say(fd, line + i, 1));
	}
	ck_assert_str_eq(hear(fd), "{\"a\":1}\n");
}
END_TEST

START_TEST(a_shutdown)
{
	ask("{\"token\":\"" TOKEN "\",\"op\":\"shutdown\"}\n",
	    "{\"ok\":true}\n");
	ck_assert_uint_eq(shutdowns, 1);
	ck_assert_uint_eq(events, 0);
}
END_TEST

START_TEST(a_large_event)
{
	size_t	 len = HOOKSOCK_LINE_MAX, head;
	char	*line = malloc(len + 1);
	int	 fd = dial();

	memset(line, 'x', len);
	head = (size_t)sprintf(line, "{\"token\":\"" TOKEN "\",\"event\":{"
	    "\"p\":\"");
	line[head] = 'x';
	memcpy(line + len - 4, "\"}}\n", 4);
	ck_assert(say(fd, line, len));
	ck_assert_str_eq(hear(fd), "{\"a\":1}\n");
	free(line);
}
END_TEST

/* --- who is not ---------------------------------------------------------------------- */

static const char *const	wrong[] = {
	EVENT("0123456789abcdee"),
	EVENT("0123456789abcde"),
	EVENT("0123456789abcdef0"),
	EVENT(""),
	"{\"event\":{}}\n",
	"{\"token\":7,\"event\":{}}\n",
	"{\"token\":\"" TOKEN "\",\"event\":{},\"more\":1}\n",
	"{\"token\":\"x\",\"token\":\"" TOKEN "\",\"event\":{}}\n",
	"{\"token\":\"" TOKEN "\",\"event\":\"text\"}\n",
	"{\"token\":\"" TOKEN "\",\"event\":{}} {}\n",
	"{\"token\":\"" TOKEN "\",\"op\":\"shutdown\",\"event\":{}}\n",
	"{\"token\":\"x\",\"op\":\"shutdown\"}\n",
	"nonsense\n", "\n", "[]\n", "null\n",
};

START_TEST(a_wrong_one_is_told_nothing)
{
	ask(wrong[_i], "");
	ck_assert_uint_eq(events + shutdowns, 0);
}
END_TEST

START_TEST(what_is_no_op_is_said_to_who_may_ask)
{
	static const char	no[] = "{\"ok\":false,\"error\":\"expected an "
				    "event, or the op shutdown\"}\n";

	ask("{\"token\":\"" TOKEN "\",\"op\":\"dance\"}\n", no);
	ask("{\"token\":\"" TOKEN "\"}\n", no);
	ck_assert_uint_eq(events + shutdowns, 0);
}
END_TEST

START_TEST(half_a_line_is_nothing)
{
	int	fd = dial();

	ck_assert(say(fd, EVENT(TOKEN), 20));
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert_str_eq(hear(fd), "");
	ck_assert_uint_eq(events, 0);
}
END_TEST

START_TEST(too_much_is_hung_up_on)
{
	size_t	 len = 2 * HOOKSOCK_LINE_MAX;
	char	*line = malloc(len);
	int	 fd = dial();

	memset(line, ' ', len);
	memcpy(line + len - 40, EVENT(TOKEN), 40);
	ck_assert(!say(fd, line, len));
	close(fd);
	free(line);
	ck_assert_uint_eq(events, 0);
	ask(EVENT(TOKEN), "{\"a\":1}\n");
}
END_TEST

START_TEST(who_says_nothing_is_hung_up_on_in_time)
{
	int64_t	began = clock_ms(), took;
	int	fd = dial();
	char	c;

	ck_assert(say(fd, "{", 1));
	while (read(fd, &c, 1) == -1 && errno == EAGAIN)
		turn(2 * HOOKSOCK_MS);
	took = clock_ms() - began;
	close(fd);
	ck_assert_int_ge(took, HOOKSOCK_MS - 1);
	ck_assert_int_lt(took, 2 * HOOKSOCK_MS);
}
END_TEST

START_TEST(many_at_once_are_bounded)
{
	int	fds[3 * HOOKSOCK_CLIENTS], n = 3 * HOOKSOCK_CLIENTS, i, open = 0;
	char	c;

	for (i = 0; i < n; i++) {
		fds[i] = dial();
		turns();
	}
	ask(EVENT(TOKEN), "{\"a\":1}\n");
	for (i = 0; i < n; i++)
		open += read(fds[i], &c, 1) == -1 && errno == EAGAIN;
	ck_assert_int_eq(open, HOOKSOCK_CLIENTS - 1);
	/* The last that came are still heard. */
	ck_assert(say(fds[n - 1], EVENT(TOKEN), strlen(EVENT(TOKEN))));
	ck_assert_str_eq(hear(fds[n - 1]), "{\"a\":1}\n");
	for (i = 0; i < n - 1; i++)
		close(fds[i]);
	turns();
}
END_TEST

START_TEST(who_went_before_the_answer_has_not_had_it)
{
	int	fd = dial();

	ck_assert_int_gt(send(fd, EVENT(TOKEN), strlen(EVENT(TOKEN)), 0), 0);
	close(fd);
	turns();
	ck_assert_uint_eq(events, 1);
	ck_assert_uint_eq(given, 0);
	ck_assert_uint_eq(failed, 1);
}
END_TEST

/* --- the socket itself ------------------------------------------------------------------ */

START_TEST(it_is_this_users_alone)
{
	struct stat	st;

	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(st.st_mode & 0777, 0600);
}
END_TEST

#define NOBODY	65534

/* Who knows the token, and may write there by whatever accident. */
static int
ask_as_nobody(void)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	int			fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char			c;

	strcpy(at.sun_path, path);
	if (setuid(NOBODY) == -1 ||
	    connect(fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		return 1;
	(void)send(fd, EVENT(TOKEN), strlen(EVENT(TOKEN)), MSG_NOSIGNAL);
	return read(fd, &c, 1) > 0 ? 2 : 0;
}

START_TEST(another_user_is_told_nothing)
{
	pid_t	pid;
	int	status;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(dir, 0711), 0);
	ck_assert_int_eq(chmod(path, 0666), 0);
	if ((pid = fork()) == 0)
		_exit(ask_as_nobody());
	while (waitpid(pid, &status, WNOHANG) != pid)
		turn(10);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(events, 0);
}
END_TEST

START_TEST(one_that_is_in_use_stays)
{
	struct hooksock	*other;
	struct error	 e;

	ck_assert_int_eq(open_socket(&other, &e), -1);
	ck_assert_int_eq(e.code, EX_UNAVAILABLE);
	ck_assert_ptr_null(other);
	ask(EVENT(TOKEN), "{\"a\":1}\n");
}
END_TEST

/* Bound by one that has gone without removing it. */
static void
leave_stale(void)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	int			fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(at.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
}

START_TEST(a_stale_one_is_replaced)
{
	struct error	e;

	hooksock_free(hs);
	leave_stale();
	ck_assert_msg(open_socket(&hs, &e) == 0, "%s", e.text);
	ask(EVENT(TOKEN), "{\"a\":1}\n");
}
END_TEST

START_TEST(what_is_no_socket_stays)
{
	struct error	e;
	int		fd;

	hooksock_free(hs);
	ck_assert_int_ne(fd = open(path, O_CREAT | O_WRONLY, 0600), -1);
	close(fd);
	ck_assert_int_eq(open_socket(&hs, &e), -1);
	ck_assert_int_eq(e.code, EX_NOPERM);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/nonexistent", path), 0);
	ck_assert_int_eq(open_socket(&hs, &e), -1);
	ck_assert_int_eq(e.code, EX_NOPERM);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(a_directory_of_all_is_refused)
{
	struct error	e;

	hooksock_free(hs);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(open_socket(&hs, &e), -1);
	ck_assert_int_eq(e.code, EX_NOPERM);
	ck_assert_int_eq(chmod(dir, 0700), 0);
}
END_TEST

START_TEST(what_somebody_else_put_there_is_not_removed)
{
	ck_assert_int_eq(unlink(path), 0);
	leave_stale();
	hooksock_free(hs);
	hs = NULL;
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(no_socket_is_nothing)
{
	struct pollfd	v;

	ck_assert_uint_eq(hooksock_fds(NULL, &v, 1), 0);
	hooksock_serve(NULL, &v, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("hooksock");
	TCase	*tc = tcase_create("hooksock");
	SRunner	*sr;
	int	 n;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, an_event_is_answered_with_a_line);
	tcase_add_test(tc, it_may_come_in_pieces);
	tcase_add_test(tc, a_shutdown);
	tcase_add_test(tc, a_large_event);
	tcase_add_loop_test(tc, a_wrong_one_is_told_nothing, 0,
	    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, what_is_no_op_is_said_to_who_may_ask);
	tcase_add_test(tc, half_a_line_is_nothing);
	tcase_add_test(tc, too_much_is_hung_up_on);
	tcase_add_test(tc, who_says_nothing_is_hung_up_on_in_time);
	tcase_add_test(tc, many_at_once_are_bounded);
	tcase_add_test(tc, who_went_before_the_answer_has_not_had_it);
	tcase_add_test(tc, it_is_this_users_alone);
	tcase_add_test(tc, another_user_is_told_nothing);
	tcase_add_test(tc, one_that_is_in_use_stays);
	tcase_add_test(tc, a_stale_one_is_replaced);
	tcase_add_test(tc, what_is_no_socket_stays);
	tcase_add_test(tc, a_directory_of_all_is_refused);
	tcase_add_test(tc, what_somebody_else_put_there_is_not_removed);
	tcase_add_test(tc, no_socket_is_nothing);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	n = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n == 0 ? 0 : 1;
}
