/* SPDX-License-Identifier: ISC */

/* The program that a host runs at each step: the real one, and a control
 * socket.  Whatever goes wrong, it is silent, quick and successful. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

#include "clock.h"
#include "files.h"
#include "hooksock.h"
#include "json.h"
#include "space.h"

#define TOKEN		"0123456789abcdef"
#define PATIENCE_MS	2000
#define MOST_MS		20000	/* for a machine that does much else */

static char		 dir[] = "/tmp/reeve-hook-XXXXXX";
static char		 path[64];
static struct hooksock	*hs;
static char		*heard;		/* the last event, printed */
static unsigned		 events;

static char *
on_event(void *arg, const cJSON *event)
{
	(void)arg;
	free(heard);
	heard = json_print(event);
	events++;
	return strdup("{\"answer\":\"\\u00e4\"}");
}

static void
on_given(void *arg, bool whole)
{
	(void)arg;
	(void)whole;
}

static void
on_shutdown(void *arg)
{
	(void)arg;
}

static const struct hooksock_ops	ops = { .event = on_event,
    .given = on_given, .shutdown = on_shutdown };

static void
setup(void)
{
	struct error	e;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	OK(hooksock_open(&hs, path, TOKEN, &ops, NULL, &e), e);
	setenv("COTAL_CONTROL_SOCKET", path, 1);
	setenv("COTAL_CONTROL_TOKEN", TOKEN, 1);
	heard = NULL;
	events = 0;
}

static void
teardown(void)
{
	hooksock_free(hs);
	(void)unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
}

/* --- running it ------------------------------------------------------------------- */

struct run {
	pid_t	pid;
	int	in, out;
	char	said[4096];
	size_t	len;
	int64_t	began_ms, took_ms;
};

/* One of the two ways to call it. */
static void
start(struct run *r, bool by_reeve)
{
	const char	*bin = getenv("REEVE_BINDIR");
	char		 program[512];
	int		 in[2], out[2];

	snprintf(program, sizeof(program), "%s/%s", bin == NULL ? "." : bin,
	    by_reeve ? "reeve" : "reeve-hook");
	memset(r, 0, sizeof(*r));
	r->began_ms = clock_ms();
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	if ((r->pid = fork()) == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		execl(program, program, by_reeve ? "hook" : NULL, NULL);
		_exit(99);
	}
	close(in[0]);
	close(out[1]);
	r->in = in[1];
	r->out = out[0];
	ck_assert_int_eq(fcntl(r->in, F_SETFL, O_NONBLOCK), 0);
}

static bool
listen_to(struct run *r, struct pollfd *p)
{
	ssize_t	n;

	if (p->revents == 0)
		return true;
	n = read(r->out, r->said + r->len, sizeof(r->said) - 1 - r->len);
	if (n > 0)
		r->len += (size_t)n;
	return n > 0;
}

/* Give it so much, serve, and wait for its end; open: its stdin stays so. */
static void
finish(struct run *r, const char *text, size_t len, bool open)
{
	struct pollfd	v[2 + HOOKSOCK_FDS];
	ssize_t		n;
	int		status;

	do {
		if (len == 0 && !open && r->in != -1) {
			close(r->in);
			r->in = -1;
		}
		v[0] = (struct pollfd){ .fd = len > 0 ? r->in : -1,
		    .events = POLLOUT };
		v[1] = (struct pollfd){ .fd = r->out, .events = POLLIN };
		n = (ssize_t)hooksock_fds(hs, v + 2, HOOKSOCK_FDS);
		ck_assert_int_ge(poll(v, 2 + (nfds_t)n, MOST_MS), 1);
		if (v[0].revents != 0) {
			n = write(r->in, text, len);
			/* It may go before it has heard all. */
			ck_assert(n > 0 || errno == EPIPE || errno == EAGAIN);
			text += n > 0 ? n : 0;
			len = n > 0 ? len - (size_t)n :
			    errno == EPIPE ? 0 : len;
		}
		hooksock_serve(hs, v + 2, HOOKSOCK_FDS);
	} while (listen_to(r, &v[1]));
	ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
	r->took_ms = clock_ms() - r->began_ms;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "it ended with %#x", status);
	r->said[r->len] = '\0';
	close(r->out);
	if (r->in != -1)
		close(r->in);
}

static void
expect(const char *text, const char *said)
{
	struct run	r;

	start(&r, false);
	finish(&r, text, strlen(text), false);
	ck_assert_str_eq(r.said, said);
}

#define EVENT	"{\"hook_event_name\":\"Stop\"}"
#define ANSWER	"{\"answer\":\"\\u00e4\"}\n"

/* --- it works ------------------------------------------------------------------------ */

START_TEST(it_brings_the_answer)
{
	struct run	r;

	start(&r, _i == 1);
	finish(&r, EVENT, strlen(EVENT), false);
	ck_assert_str_eq(r.said, ANSWER);
	ck_assert_str_eq(heard, EVENT);
}
END_TEST

START_TEST(an_event_may_stand_on_several_lines)
{
	expect("\n{\r\n\t\"a\": \"x\\ny\",\n \"b\": {\n} }\n", ANSWER);
	ck_assert_str_eq(heard, "{\"a\":\"x\\ny\",\"b\":{}}");
}
END_TEST

START_TEST(a_large_one)
{
	size_t		 len = 900 * 1024;
	char		*text = malloc(len + 1);
	struct run	 r;

	memset(text, 'x', len);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + len - 2, "\"}", 3);
	start(&r, false);
	finish(&r, text, len, false);
	ck_assert_str_eq(r.said, ANSWER);
	free(text);
}
END_TEST

/* --- it does not ---------------------------------------------------------------------- */

START_TEST(without_an_environment_it_is_silent)
{
	static const char *const	names[] = { "COTAL_CONTROL_SOCKET",
					    "COTAL_CONTROL_TOKEN" };

	unsetenv(names[_i]);
	expect(EVENT, "");
	setenv(names[_i], "", 1);
	expect(EVENT, "");
	ck_assert_uint_eq(events, 0);
}
END_TEST

START_TEST(a_wrong_token)
{
	setenv("COTAL_CONTROL_TOKEN", "0123456789abcdee", 1);
	expect(EVENT, "");
	setenv("COTAL_CONTROL_TOKEN", "x\",\"op\":\"shutdown\",\"y\":\"", 1);
	expect(EVENT, "");
	ck_assert_uint_eq(events, 0);
}
END_TEST

START_TEST(nobody_listens)
{
	hooksock_free(hs);
	hs = NULL;
	expect(EVENT, "");
	setenv("COTAL_CONTROL_SOCKET", "/nonexistent/socket", 1);
	expect(EVENT, "");
}
END_TEST

static const char *const	wrong[] = { "", "{\"hook_event_na", "nonsense",
    "[]", "\"text\"", "{} {}", "{},\"op\":\"shutdown\"", "\377\376" };

START_TEST(what_is_no_event)
{
	expect(wrong[_i], "");
	ck_assert_uint_eq(events, 0);
}
END_TEST

START_TEST(two_mebibytes)
{
	size_t		 len = 2 * 1024 * 1024;
	char		*text = malloc(len + 1);
	struct run	 r;

	memset(text, 'x', len);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + len - 2, "\"}", 3);
	start(&r, false);
	finish(&r, text, len, false);
	ck_assert_str_eq(r.said, "");
	ck_assert_uint_eq(events, 0);
	free(text);
}
END_TEST

static void
expect_patience(const struct run *r)
{
	ck_assert_str_eq(r->said, "");
	ck_assert_int_ge(r->took_ms, PATIENCE_MS - 50);
	ck_assert_int_lt(r->took_ms, MOST_MS);
}

START_TEST(a_host_that_does_not_end_its_event)
{
	struct run	r;

	start(&r, false);
	finish(&r, EVENT, strlen(EVENT), true);
	expect_patience(&r);
	ck_assert_uint_eq(events, 0);
}
END_TEST

START_TEST(a_server_that_does_not_answer)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	struct run		r;
	int			fd = socket(AF_UNIX, SOCK_STREAM |
				    SOCK_CLOEXEC, 0);

	hooksock_free(hs);
	hs = NULL;
	strcpy(at.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	start(&r, false);
	finish(&r, EVENT, strlen(EVENT), false);
	expect_patience(&r);
	close(fd);
}
END_TEST

/* Its clock runs all the same. */
START_TEST(a_host_that_blocks_signals)
{
	struct run	r;
	sigset_t	set, was;

	sigfillset(&set);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, &was), 0);
	start(&r, false);
	ck_assert_int_eq(sigprocmask(SIG_SETMASK, &was, NULL), 0);
	finish(&r, EVENT, strlen(EVENT), true);
	expect_patience(&r);
}
END_TEST

/* What it would be told counts as read. */
START_TEST(nobody_hears_the_answer)
{
	struct run	r;
	int		status;

	start(&r, false);
	close(r.out);
	ck_assert_int_eq(write(r.in, EVENT, strlen(EVENT)),
	    (ssize_t)strlen(EVENT));
	close(r.in);
	AWAIT(({
		hooksock_serve(hs, NULL, 0);
		waitpid(r.pid, &status, WNOHANG) == r.pid;
	}));
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(events, 0);
}
END_TEST

/* A server of its own that says this, without an end of line, and goes. */
START_TEST(half_an_answer)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	struct run		r;
	char			buf[256];
	int			fd = socket(AF_UNIX, SOCK_STREAM |
				    SOCK_CLOEXEC, 0), c;

	hooksock_free(hs);
	hs = NULL;
	strcpy(at.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	start(&r, false);
	ck_assert_int_eq(write(r.in, EVENT, strlen(EVENT)),
	    (ssize_t)strlen(EVENT));
	close(r.in);
	r.in = -1;
	ck_assert_int_ne(c = accept4(fd, NULL, NULL, SOCK_CLOEXEC), -1);
	ck_assert_int_gt(read(c, buf, sizeof(buf)), 0);
	ck_assert_int_eq(write(c, "{\"answer\"", 9), 9);
	close(c);
	finish(&r, NULL, 0, false);
	ck_assert_str_eq(r.said, "");
	close(fd);
}
END_TEST

/* --- what registers it -------------------------------------------------------------- */

static char	home[] = "/tmp/reeve-hook-home-XXXXXX";
static char	program[512];

static void
setup_home(void)
{
	const char	*bin = getenv("REEVE_BINDIR");
	char		*real = realpath(bin == NULL ? "." : bin, NULL);

	ck_assert_ptr_nonnull(real);
	snprintf(program, sizeof(program), "%s/reeve", real);
	free(real);
	ck_assert_ptr_nonnull(mkdtemp(home));
	ck_assert_int_eq(chdir(home), 0);
	setenv("HOME", home, 1);
	unsetenv("CODEX_HOME");
}

static void
teardown_home(void)
{
	char	cmd[128];

	ck_assert_int_eq(chdir("/"), 0);
	snprintf(cmd, sizeof(cmd), "rm -r %s", home);
	ck_assert_int_eq(system(cmd), 0);
	memcpy(home + sizeof(home) - 7, "XXXXXX", 6);
}

static int
mcp(const char *args)
{
	char	cmd[640];
	int	status;

	snprintf(cmd, sizeof(cmd), "%s mcp %s >out 2>&1", program, args);
	status = system(cmd);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* What the file is; freed by the next. */
static const char *
text_of(const char *name)
{
	static char	*text;
	struct error	 e;

	free(text);
	text = file_read(name, 1 << 20, NULL, &e);
	ck_assert_msg(text != NULL, "%s", e.text);
	return text;
}

static void
put_file(const char *name, const char *text)
{
	FILE	*f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static const char *const	hosts[][3] = {
	{ "claude", ".mcp.json", ".claude/settings.json" },
	{ "codex", ".codex/config.toml", NULL },
	{ "opencode", "opencode.json", NULL },
};

START_TEST(a_host_is_told_once)
{
	const char *const	*host = hosts[_i];
	char			 args[64];
	struct stat		 was, is;

	snprintf(args, sizeof(args), "--setup %s", host[0]);
	ck_assert_int_eq(mcp(args), 0);
	ck_assert_ptr_nonnull(strstr(text_of("out"), "cotal"));
	ck_assert_int_eq(access(host[1], F_OK), -1);
	snprintf(args, sizeof(args), "--setup %s --write", host[0]);
	ck_assert_int_eq(mcp(args), 0);
	ck_assert_ptr_nonnull(strstr(text_of(host[1]), program));
	if (host[2] != NULL)
		ck_assert_ptr_nonnull(strstr(text_of(host[2]), "reeve-hook"));
	ck_assert_int_eq(stat(host[1], &was), 0);
	ck_assert_int_eq(mcp(args), 0);
	ck_assert_ptr_nonnull(strstr(text_of("out"), "already"));
	ck_assert_int_eq(stat(host[1], &is), 0);
	ck_assert_int_eq(was.st_ino, is.st_ino);
}
END_TEST

START_TEST(what_cannot_be_read_is_left_alone)
{
	put_file(".mcp.json", "{ // mine\n}");
	ck_assert_int_eq(mcp("--setup claude --write"), EX_DATAERR);
	ck_assert_str_eq(text_of(".mcp.json"), "{ // mine\n}");
	ck_assert_ptr_nonnull(strstr(text_of("out"), ".mcp.json was left "
	    "alone"));
	/* The other one is none the worse for it. */
	ck_assert_ptr_nonnull(strstr(text_of(".claude/settings.json"),
	    "reeve-hook"));
	/* What is no file, and a link to none. */
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(symlink("fifo", "opencode.json"), 0);
	ck_assert_int_eq(mcp("--setup opencode --write"), EX_NOINPUT);
	ck_assert_int_eq(unlink("fifo"), 0);
	ck_assert_int_eq(mcp("--setup opencode --write"), EX_NOINPUT);
	ck_assert_int_eq(access("opencode.json", F_OK), -1);
	ck_assert_int_eq(mcp("--setup emacs"), EX_USAGE);
	ck_assert_int_eq(mcp("--write"), EX_USAGE);
}
END_TEST

START_TEST(a_link_stays_one_and_a_mode_too)
{
	struct stat	st;

	put_file("real.json", "{\"theirs\": 1}\n");
	ck_assert_int_eq(chmod("real.json", 0600), 0);
	ck_assert_int_eq(symlink("real.json", "opencode.json"), 0);
	ck_assert_int_eq(mcp("--setup opencode --write"), 0);
	ck_assert_int_eq(lstat("opencode.json", &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(lstat("real.json", &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_ptr_nonnull(strstr(text_of("real.json"), "\"theirs\": 1"));
	ck_assert_ptr_nonnull(strstr(text_of("real.json"), "cotal"));
}
END_TEST

int
main(void)
{
	TCase	*set = tcase_create("setup");
	TCase	*tc = tcase_create("hook");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, it_brings_the_answer, 0, 2);
	tcase_add_test(tc, an_event_may_stand_on_several_lines);
	tcase_add_test(tc, a_large_one);
	tcase_add_loop_test(tc, without_an_environment_it_is_silent, 0, 2);
	tcase_add_test(tc, a_wrong_token);
	tcase_add_test(tc, nobody_listens);
	tcase_add_loop_test(tc, what_is_no_event, 0,
	    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, two_mebibytes);
	tcase_add_test(tc, a_host_that_does_not_end_its_event);
	tcase_add_test(tc, a_server_that_does_not_answer);
	tcase_add_test(tc, a_host_that_blocks_signals);
	tcase_add_test(tc, nobody_hears_the_answer);
	tcase_add_test(tc, half_an_answer);
	tcase_add_checked_fixture(set, setup_home, teardown_home);
	tcase_set_timeout(set, 60);
	tcase_add_loop_test(set, a_host_is_told_once, 0, 3);
	tcase_add_test(set, what_cannot_be_read_is_left_alone);
	tcase_add_test(set, a_link_stays_one_and_a_mode_too);
	return test_main("hook", tc, set, NULL);
}
