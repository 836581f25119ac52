/* SPDX-License-Identifier: ISC */

/* The doorway to the host: that there is no other, what goes through it, and
 * what does not in a sandbox. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "egress.h"
#include "files.h"

static char	dir[64], program[128];

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/reeve-egress-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(program, sizeof(program), "%s/program", dir);
}

static void
teardown(void)
{
	char	command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
make_program(const char *body)
{
	char	text[1000];

	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
	ck_assert_int_eq(file_write_private(program, text, 0755, NULL), 0);
}

static struct egress_end
run(int64_t timeout_ms, const char *arg)
{
	char			 word[200];
	char			*argv[] = { program, word, NULL };
	struct egress_end	 end;
	struct error		 e = { .code = 0 };

	snprintf(word, sizeof(word), "%s", arg);
	ck_assert_msg(egress_run(EGRESS_OTHERS, argv, dir, timeout_ms, &end,
	    &e) == 0, "%s", e.text);
	return end;
}

/* --- no other ---------------------------------------------------------------- */

/* Calls by their names, in the code of all that is built; a name in a comment
 * has a section behind it. */
#define CALLS	"'(^|[^a-z_A-Z0-9.>\"])(fork|vfork|forkpty|_Fork|exec(l|v|ve|vp|" \
		"lp|le|vpe|veat)|fexecve|posix_spawnp?|popen|system|kill|" \
		"killpg|tgkill|sigqueue|pidfd_send_signal|socket|socketpair|" \
		"connect|accept4?)\\([^0-9]'"

START_TEST(there_is_no_other)
{
	const char	*src = getenv("srcdir");
	char		 command[900], line[500];
	FILE		*f;
	int		 n = 0;

	snprintf(command, sizeof(command), "cd %s && test -f common/egress.c"
	    " && grep -nE " CALLS " -r common cli daemons session "
	    "--include='*.c' | grep -v -e '^common/egress.c:' "
	    "-e '^daemons/pty/child.c:' -e '^session/hook.c:' "
	    "-e '^session/hooksock.c:' -e '^daemons/broker.c:.* = fork()'; "
	    "grep -qE " CALLS " common/egress.c && echo looked",
	    src != NULL ? src : ".");
	ck_assert_ptr_nonnull(f = popen(command, "r"));
	while (fgets(line, sizeof(line), f) != NULL)
		if (strcmp(line, "looked\n") != 0) {
			fprintf(stderr, "%s", line);
			n++;
		} else
			n += 1000;
	ck_assert_int_eq(pclose(f), 0);
	ck_assert_msg(n == 1000, "%d lines not behind the doorway", n % 1000);
}
END_TEST

/* --- programs ------------------------------------------------------------------ */

START_TEST(how_a_program_ends)
{
	struct egress_end	end;

	make_program("echo out; echo \"no such $1\" >&2; echo; exit 3");
	end = run(20000, "peer");
	ck_assert_int_eq(end.state, EGRESS_FAILED);
	ck_assert_int_eq(end.exit, 3);
	ck_assert_str_eq(end.tail, "no such peer");
	make_program("kill -9 $$");
	end = run(20000, "");
	ck_assert_int_eq(end.state, EGRESS_FAILED);
	ck_assert_int_eq(end.exit, -1);
	ck_assert_int_eq(end.signal, SIGKILL);
	make_program("test \"$(pwd)\" = \"$1\" && ! read -r x");
	end = run(20000, dir);
	ck_assert_int_eq(end.state, EGRESS_OK);
	ck_assert_int_eq(end.exit, 0);
	ck_assert_int_eq(chmod(program, 0644), 0);
	end = run(20000, "");
	ck_assert_int_eq(end.state, EGRESS_NOT_EXECUTABLE);
	ck_assert_int_eq(end.exit, -1);
	ck_assert_int_eq(unlink(program), 0);
	ck_assert_int_eq(run(20000, "").state, EGRESS_NOT_EXECUTABLE);
}
END_TEST

START_TEST(no_shell_reads_an_argument)
{
	const char		*arg = "$(reboot) `id` ; rm -rf / \"'";
	char			 path[128], *is;

	make_program("printf %s \"$1\" >said");
	ck_assert_int_eq(run(20000, arg).state, EGRESS_OK);
	snprintf(path, sizeof(path), "%s/said", dir);
	ck_assert_ptr_nonnull(is = file_read(path, 1000, NULL, NULL));
	ck_assert_str_eq(is, arg);
	free(is);
}
END_TEST

START_TEST(the_last_of_its_stderr_is_kept)
{
	struct egress_end	end;

	make_program("i=0; while [ $i -lt 5000 ]; do echo \"line $i\"; "
	    "i=$((i + 1)); done >&2; exit 1");
	end = run(20000, "");
	ck_assert_int_eq(end.state, EGRESS_FAILED);
	ck_assert_uint_ge(strlen(end.tail), EGRESS_TAIL - 2);
	ck_assert_str_eq(end.tail + strlen(end.tail) - 9, "line 4999");
}
END_TEST

/* The pid in a file of the program's; 0: not yet. */
static pid_t
pid_in(const char *name)
{
	char	 path[128], *text;
	pid_t	 pid;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	text = file_read(path, 100, NULL, NULL);
	pid = text == NULL ? 0 : (pid_t)atoi(text);
	free(text);
	return pid;
}

/* One that hears no SIGTERM, and one that it started. */
START_TEST(time_out_ends_the_whole_group)
{
	struct egress_process	p;
	struct egress_end	end;
	pid_t			child;
	int64_t			until;

	make_program("trap '' TERM\n"
	    "sh -c 'trap \"\" TERM; echo $$ >child.tmp; mv child.tmp child; "
	    "while :; do sleep 1; done' &\n"
	    "echo still here >&2\nwhile :; do sleep 1; done");
	end = run(400, "");
	ck_assert_int_eq(end.state, EGRESS_TIMEOUT);
	ck_assert_int_eq(end.exit, -1);
	ck_assert_int_lt(end.ms, 10000);
	ck_assert_str_eq(end.tail, "still here");
	ck_assert_int_gt(child = pid_in("child"), 0);
	until = clock_ms() + 10000;
	while (egress_look(child, &p) && p.state != 'Z')
		ck_assert(clock_ms() < until && usleep(5000) == 0);
}
END_TEST

/* What it leaves behind holds its stderr, and is not waited for. */
/* There is nobody then who would end it in time. */
START_TEST(it_does_not_outlive_us)
{
	struct egress_process	p;
	pid_t			us, child = 0;
	int64_t			until = clock_ms() + 10000;

	make_program("echo $$ >child.tmp; mv child.tmp child; exec sleep 60");
	fflush(NULL);
	ck_assert_int_ne(us = fork(), -1);
	if (us == 0) {
		(void)run(60000, "");
		_exit(0);
	}
	while ((child = pid_in("child")) <= 0)
		ck_assert(clock_ms() < until && usleep(5000) == 0);
	ck_assert_int_eq(kill(us, SIGKILL), 0);
	ck_assert_int_eq(waitpid(us, NULL, 0), us);
	while (egress_look(child, &p) && p.state != 'Z')
		ck_assert(clock_ms() < until && usleep(5000) == 0);
}
END_TEST

START_TEST(who_stays_holds_nobody_up)
{
	struct egress_end	end;
	struct egress_process	p;
	pid_t			child;

	make_program("sleep 1000 & echo $! >child");
	end = run(20000, "");
	ck_assert_int_eq(end.state, EGRESS_OK);
	ck_assert_int_lt(end.ms, 10000);
	ck_assert_int_gt(child = pid_in("child"), 0);
	ck_assert(egress_look(child, &p));
	ck_assert_int_eq(egress_signal(child, p.start, NULL, SIGKILL), 0);
}
END_TEST

START_TEST(what_others_see_of_our_environment)
{
	char	**v, all[8192] = "";
	size_t	  i;

	setenv("REEVE_SECRET", "1", 1);
	setenv("LC_TIME", "C", 1);
	ck_assert_ptr_nonnull(v = egress_environ());
	for (i = 0; v[i] != NULL; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all),
		    "%s\n", v[i]);
	ck_assert_ptr_nonnull(strstr(all, "PATH="));
	ck_assert_ptr_nonnull(strstr(all, "LC_TIME=C\n"));
	ck_assert_ptr_null(strstr(all, "REEVE_SECRET"));
	free(v);
}
END_TEST

/* --- processes -------------------------------------------------------------------- */

START_TEST(only_that_very_process_is_signalled)
{
	struct egress_process	p;
	char			exe[PATH_MAX];
	pid_t			pid = fork();
	int			status;

	if (pid == 0)
		for (;;)
			pause();
	ck_assert(egress_look(pid, &p));
	ck_assert_int_eq(p.parent, getpid());
	ck_assert_int_eq(egress_exe(pid, exe, sizeof(exe)), 0);
	errno = 0;
	ck_assert_int_eq(egress_signal(pid, p.start + 1, exe, SIGKILL), -1);
	ck_assert_int_eq(errno, ESRCH);
	ck_assert_int_eq(egress_signal(pid, p.start, "/bin/sh", SIGKILL), -1);
	ck_assert_int_eq(errno, ESRCH);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	ck_assert_int_eq(egress_signal(pid, p.start, exe, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	/* Waited for, it is no child any more. */
	ck_assert_int_eq(egress_child(pid, SIGKILL), -1);
	ck_assert_int_eq(egress_group(pid, SIGKILL), -1);
	ck_assert_int_eq(egress_child(getppid(), 0), -1);
	ck_assert_int_eq(egress_signal(pid, p.start, NULL, SIGKILL), -1);
}
END_TEST

/* --- a sandbox ---------------------------------------------------------------------- */

#define MUST(what)							\
	do {								\
		if (!(what)) {						\
			fprintf(stderr, "not so: %s\n", #what);		\
			return 1;					\
		}							\
	} while (0)

static struct addrinfo
to(struct sockaddr_in *in, const char *address)
{
	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	in->sin_port = htons(9);
	in->sin_addr.s_addr = inet_addr(address);
	return (struct addrinfo){ .ai_family = AF_INET,
	    .ai_addr = (struct sockaddr *)in, .ai_addrlen = sizeof(*in) };
}

/* The process that is in one. */
static int
in_sandbox(void)
{
	char			 yes[] = "/bin/true";
	char			*argv[] = { yes, NULL };
	struct egress_process	 p;
	struct egress_end	 end;
	struct sockaddr_in	 in;
	struct addrinfo		 ai;
	struct error		 e = { .code = 0 };
	char			**v;
	size_t			 i;

	MUST(egress_sandboxed());
	/* It was read at the start. */
	unsetenv("REEVE_SANDBOX");
	MUST(egress_run(EGRESS_OTHERS, argv, NULL, 5000, &end, &e) == -1);
	MUST(e.code == EGRESS_REFUSED);
	errno = 0;
	egress_exec(EGRESS_OTHERS, yes, argv);
	MUST(errno == EPERM);
	MUST(egress_run(EGRESS_NAMED, argv, NULL, 5000, &end, &e) == 0);
	MUST(end.state == EGRESS_OK);
	MUST(egress_run(EGRESS_OURS, argv, NULL, 5000, &end, &e) == 0);
	MUST(egress_look(getppid(), &p));
	/* Of documentation: nobody has it. */
	ai = to(&in, "192.0.2.1");
	errno = 0;
	MUST(egress_connect(&ai, 1) == -1 && errno == EPERM);
	ai = to(&in, "127.0.0.1");
	MUST(egress_connect(&ai, 1) != -1 || errno == ECONNREFUSED);
	setenv("REEVE_SANDBOX", "1", 1);
	MUST((v = egress_environ()) != NULL);
	for (i = 0; v[i] != NULL && strcmp(v[i], "REEVE_SANDBOX=1") != 0; i++)
		;
	MUST(v[i] != NULL);
	free(v);
	return 0;
}

START_TEST(a_sandbox_refuses)
{
	char	exe[PATH_MAX];
	pid_t	pid;
	int	status;

	ck_assert_int_eq(egress_exe(getpid(), exe, sizeof(exe)), 0);
	ck_assert(!egress_sandboxed());
	if ((pid = fork()) == 0) {
		setenv("REEVE_SANDBOX", "1", 1);
		execl(exe, exe, "in-sandbox", (char *)NULL);
		_exit(2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite	*s;
	TCase	*t;
	SRunner	*sr;
	int	 failed;

	if (argc == 2 && strcmp(argv[1], "in-sandbox") == 0)
		return in_sandbox();
	s = suite_create("egress");
	t = tcase_create("egress");
	sr = srunner_create(s);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, there_is_no_other);
	tcase_add_test(t, how_a_program_ends);
	tcase_add_test(t, no_shell_reads_an_argument);
	tcase_add_test(t, the_last_of_its_stderr_is_kept);
	tcase_add_test(t, time_out_ends_the_whole_group);
	tcase_add_test(t, it_does_not_outlive_us);
	tcase_add_test(t, who_stays_holds_nobody_up);
	tcase_add_test(t, what_others_see_of_our_environment);
	tcase_add_test(t, only_that_very_process_is_signalled);
	tcase_add_test(t, a_sandbox_refuses);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
