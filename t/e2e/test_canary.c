/* SPDX-License-Identifier: ISC */

/*
 * Who dies, and what is written about it: one line for each death, none for an
 * end that was meant.  Everything is killed in each way, alone and together.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "deaths.h"
#include "files.h"
#include "json.h"

/* --- what is written ----------------------------------------------------------- */

static char *
read_state(const char *name)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/%s", sp->state, name);
	return file_read(path, 4 << 20, NULL, NULL);
}

/* How many lines of a log have all of these; the last one is in `answer`. */
static int
lines(const char *log, const char *a, const char *b)
{
	char	*text = read_state(log), *line, *save = NULL;
	int	 n = 0;

	for (line = text == NULL ? NULL : strtok_r(text, "\n", &save);
	    line != NULL; line = strtok_r(NULL, "\n", &save))
		if (strstr(line, a) != NULL && strstr(line, b) != NULL) {
			snprintf(answer, sizeof(answer), "%s", line);
			n++;
		}
	free(text);
	return n;
}

static int
deaths(const char *who)
{
	char	mark[80];

	snprintf(mark, sizeof(mark), " identity=%s%s ",
	    strcmp(who, "reeved") == 0 ? "" : "command-", who);
	return lines("log/exits.log", mark, " ev=");
}

/* Is it on the canary's list? */
static bool
is_watched(pid_t pid)
{
	char	*text = read_state("canary/watched.json"), mark[40];
	bool	 is;

	snprintf(mark, sizeof(mark), "\"pid\":%d,", (int)pid);
	is = text != NULL && strstr(text, mark) != NULL;
	free(text);
	return is;
}

/* ... and told to end, as far as it has seen. */
static bool
is_told(pid_t pid)
{
	char	*text = read_state("canary/watched.json"), mark[40], *at;
	bool	 is;

	snprintf(mark, sizeof(mark), "\"pid\":%d,", (int)pid);
	is = text != NULL && (at = strstr(text, mark)) != NULL &&
	    (at = strstr(at, "\"told\":")) != NULL &&
	    strncmp(at, "\"told\":true", 11) == 0;
	free(text);
	return is;
}

/* One line of this event, with these pairs in it. */
static void
check_death(const char *who, const char *event, const char *pairs)
{
	char	mark[40];

	ck_assert_msg(deaths(who) == 1, "%s: %d lines", who, deaths(who));
	snprintf(mark, sizeof(mark), " ev=%s identity=", event);
	ck_assert_msg(strncmp(answer, "ts=20", 5) == 0 &&
	    strstr(answer, mark) != NULL && strstr(answer, pairs) != NULL,
	    "%s: %s", who, answer);
}

/* The file that the line in `answer` names says what there is to say. */
static void
check_forensics(void)
{
	static const char *const	parts[] = { "cause: ", "MemTotal:",
	    "SwapTotal:", "--- /proc/swaps", "--- largest processes",
	    "out-of-memory kills", "--- the kernel's log" };
	char				*path, *text;
	size_t				 i;

	ck_assert_ptr_nonnull(path = strstr(answer, "forensics="));
	path += strlen("forensics=");
	ck_assert_msg((text = file_read(path, 1 << 20, NULL, NULL)) != NULL,
	    "no %s", path);
	for (i = 0; i < COUNT(parts); i++)
		ck_assert_msg(strstr(text, parts[i]) != NULL, "no %s: %s",
		    parts[i], text);
	free(text);
}

/* --- who is there -------------------------------------------------------------- */

static pid_t
terminal_of(const char *name)
{
	char	service[80];

	snprintf(service, sizeof(service), "pty-%s", name);
	return role_pid(sp, service);
}

/* An agent whose terminal is watched: the terminal. */
static pid_t
agent(const char *what, const char *name)
{
	char	line[120];
	pid_t	pid;

	snprintf(line, sizeof(line), "%s --name %s", what, name);
	spawn(line);
	AWAIT(has_process(name));
	pid = terminal_of(name);
	ck_assert_int_gt(pid, 1);
	AWAIT(is_watched(pid));
	return pid;
}

static void
await_decided(const pid_t *pids, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		AWAIT(!is_watched(pids[i]));
}

static void
send(pid_t pid, int sig)
{
	ck_assert_int_gt(pid, 1);
	ck_assert_int_eq(kill(pid, sig), 0);
}

static void
await_canary(void)
{
	AWAIT(supervised_by() == BY_REEVED ? role_is_ready(sp, "canary") :
	    lines("log/lifecycle.log", " identity=canary ", "watching") > 0);
}

static void
setup_crew(void)
{
	crew_setup();
	ck_assert_int_eq(unlink_in("a/service/canary/down"), 0);
	role_control(sp, "canary", "u");
	await_canary();
	AWAIT(supervised_by() != BY_REEVED || is_watched(sp->reeved));
}

/* --- memory ------------------------------------------------------------------------- */

#define WIDTH	110		/* of each line that is remembered */

static char	group[200], limit_file[300];
static int	run_id;		/* of the program: what it left is found */

static bool
set_limit(const char *limit)
{
	int	fd = open(limit_file, O_WRONLY | O_CLOEXEC);
	bool	done = fd != -1 &&
		    write(fd, limit, strlen(limit)) == (ssize_t)strlen(limit);

	if (fd != -1)
		close(fd);
	return done;
}

/* Where there is any, of version 2: it would be swapped out, and live. */
static void
no_swap(void)
{
	char	path[300];
	int	fd;

	snprintf(path, sizeof(path), "%s/memory.swap.max", group);
	if ((fd = open(path, O_WRONLY | O_CLOEXEC)) == -1)
		return;
	ck_assert_int_eq(write(fd, "0", 1), 1);
	close(fd);
}

static const struct {
	const char	*at, *file, *limit;
}			kinds[] = {
	{ "/sys/fs/cgroup", "memory.events", "memory.max" },
	{ "/sys/fs/cgroup/memory", "memory.oom_control",
	    "memory.limit_in_bytes" } };

static void
name_group(size_t kind)
{
	snprintf(group, sizeof(group), "%s/reeve-test-%d", kinds[kind].at,
	    run_id);
}

/* A group whose memory has a bound; false: there can be none. */
static bool
make_group(const char *limit)
{
	char		path[300];
	size_t		i;

	for (i = 0; i < COUNT(kinds); i++) {
		name_group(i);
		if (mkdir(group, 0700) == -1)
			continue;
		snprintf(path, sizeof(path), "%s/%s", group, kinds[i].file);
		snprintf(limit_file, sizeof(limit_file), "%s/%s", group,
		    kinds[i].limit);
		if (access(path, R_OK) == 0 && set_limit(limit)) {
			no_swap();
			return true;
		}
		rmdir(group);
	}
	group[0] = '\0';
	printf("no cgroup with a bound of memory can be made here: passed "
	    "over\n");
	return false;
}

static void
put_in_group(pid_t pid)
{
	char	path[300], text[20];
	int	fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	ck_assert((fd = open(path, O_WRONLY | O_CLOEXEC)) != -1);
	snprintf(text, sizeof(text), "%d", (int)pid);
	ck_assert(write(fd, text, strlen(text)) > 0);
	close(fd);
}

/* A program that needs more than there is, and a terminal that is to remember
 * more than it may.  Its pid; 0: they cannot be had here. */
static pid_t
starve(void)
{
	char	lines_of[400], go[300];
	pid_t	pid;

	if (!make_group("2M"))
		return 0;
	snprintf(lines_of, sizeof(lines_of), "command: sh -c \"echo $$ "
	    ">%s/cgroup.procs; exec tail /dev/zero\"\n", group);
	persona("hungry", lines_of);
	snprintf(lines_of, sizeof(lines_of), "command: sh -c \"until [ -e "
	    "%s/go ]; do sleep 0.05; done; yes %0*d\"\n", sp->dir,
	    WIDTH, 1);
	persona("wordy", lines_of);
	spawn("hungry");
	AWAIT(deaths("hungry") == 1);
	pid = agent("wordy", "wordy");
	put_in_group(pid);
	ck_assert(set_limit("256K"));
	/* It looks where those are that it watches. */
	role_kill(sp, "canary");
	AWAIT(lines("log/lifecycle.log", " identity=canary ",
	    "origin=retrofit") == 1);
	snprintf(go, sizeof(go), "%s/go", sp->dir);
	write_file(go, "", 0600);
	return pid;
}

static void
check_starved(void)
{
	check_death("hungry", "session-exit", " dead_status=0 dead_signal=9");
	check_death("wordy", "server-exit", " wait_rc=137 cause=oom ");
	check_forensics();
}

/* --- sessions and terminals -------------------------------------------------------- */

START_TEST(deaths_of_agents)
{
	pid_t	dead[5];
	/* s6 does not say what it was told: it is taken as meant. */
	bool	starves, sweeps = supervised_by() != BY_S6;
	int	all;

	dead[0] = agent("critic", "killed");
	dead[1] = agent("critic", "crashed");
	dead[2] = agent("critic", "both");
	dead[3] = agent("critic", "swept");
	(void)agent("critic", "child");
	(void)agent("critic", "fault");
	spawn("brief");
	starves = (dead[4] = starve()) != 0;
	send(process_of("child"), SIGKILL);
	send(process_of("fault"), SIGSEGV);
	send(dead[0], SIGKILL);
	send(dead[1], SIGSEGV);
	/* So that it cannot tell of its child. */
	send(dead[2], SIGSTOP);
	send(process_of("both"), SIGKILL);
	send(dead[2], SIGKILL);
	/* Somebody's, not its supervisor's. */
	send(dead[3], SIGTERM);
	AWAIT(deaths("child") > 0 && deaths("fault") > 0 &&
	    deaths("brief") > 0 && (!sweeps || deaths("swept") > 0));
	await_decided(dead, starves ? 5 : 4);
	check_death("child", "session-exit", " dead_status=0 dead_signal=9");
	check_death("fault", "session-exit", " dead_status=0 dead_signal=11");
	check_death("brief", "session-exit", " dead_status=3 dead_signal=0");
	if (sweeps)
		check_death("swept", "session-exit", " dead_signal=15");
	check_death("killed", "server-exit", " wait_rc=137 cause=killed "
	    "forensics=");
	check_forensics();
	check_death("crashed", "server-exit", " wait_rc=139 cause=killed ");
	check_death("both", "server-exit", " wait_rc=137 cause=killed ");
	if (starves)
		check_starved();
	all = 6 + (sweeps ? 1 : 0) + (starves ? 2 : 0);
	ck_assert_int_eq(lines("log/exits.log", "", ""), all);
}
END_TEST

/* Each in a way that says so first. */
START_TEST(ends_that_are_meant)
{
	pid_t	ended[6], pid;

	ended[0] = agent("critic", "stopped");
	ended[1] = agent("deaf", "hard");
	ended[2] = agent("critic", "down");
	ended[3] = agent("critic", "again");
	ended[4] = agent("critic", "hung");
	ended[5] = role_pid(sp, "canary");
	stop("stopped");
	stop("--hard hard");
	role_control(sp, "pty-down", "d");
	role_control(sp, "pty-again", "t");
	/* It says nothing itself, and is killed when its time is over. */
	send(ended[4], SIGSTOP);
	role_control(sp, "pty-hung", "d");
	AWAIT(supervised_by() == BY_S6 || is_told(ended[4]));
	role_control(sp, "pty-hung", "k");
	await_decided(ended, 5);
	role_control(sp, "canary", "t");
	AWAIT((pid = role_pid(sp, "canary")) != 0 && pid != ended[5]);
	await_canary();
	AWAIT(is_watched(terminal_of("again")));
	/* s6 has noted nothing. */
	ck_assert_int_eq(lines("log/exits.log", "", ""),
	    supervised_by() == BY_S6 ? deaths("hung") : 0);
	if (!supervised_by_reeved("nobody watches who supervises"))
		return;
	ended[0] = terminal_of("again");
	ended[1] = sp->reeved;
	/* And all of them, with their supervisor. */
	space_stop(sp);
	space_start(sp);
	await_canary();
	await_decided(ended, 2);
	ck_assert_int_eq(reeve(sp, NULL, 0, "down"), 0);
	ended[0] = sp->reeved;
	space_reap(sp);
	space_start(sp);
	await_canary();
	await_decided(ended, 1);
	ck_assert_int_eq(lines("log/exits.log", "", ""), 0);
	ck_assert_int_eq(lines("log/lifecycle.log", "ev=canary",
	    "origin=retrofit"), 0);
}
END_TEST

/* --- the supervisor and the canary ------------------------------------------------- */

#define RESTS_MS	200

static long
switches(void)
{
	char	path[64], *text, *at;
	long	n;

	snprintf(path, sizeof(path), "/proc/%d/status",
	    (int)role_pid(sp, "canary"));
	ck_assert_ptr_nonnull(text = file_read(path, 65536, NULL, NULL));
	ck_assert_ptr_nonnull(at = strstr(text, "\nvoluntary_ctxt_switches:"));
	n = strtol(strchr(at, ':') + 1, NULL, 10);
	free(text);
	return n;
}

/* It does nothing while commands run that do not concern it. */
static bool
rests(void)
{
	long	was = switches();
	int64_t	until_ms = test_now_ms() + RESTS_MS;

	while (test_now_ms() < until_ms)
		ck_assert_int_eq(reeve(sp, NULL, 0, "ps"), 0);
	return switches() == was;
}

/* It is there again, and watches them all, as the log says. */
static void
lose_canary(void)
{
	pid_t	pids[2];

	pids[0] = agent("again", "one");
	pids[1] = agent("again", "two");
	AWAIT(rests());
	ck_assert_int_eq(lines("log/lifecycle.log", "-one server_pid=",
	    " state=watching origin=launch"), 1);
	role_kill(sp, "canary");
	AWAIT(lines("log/lifecycle.log", " identity=canary ",
	    "origin=retrofit") == 1);
	ck_assert_int_eq(lines("log/lifecycle.log", "-one ", "retrofit"), 1);
	ck_assert_int_eq(lines("log/lifecycle.log", "=reeved ", "retrofit"),
	    1);
	/* With one that it watches. */
	send(role_pid(sp, "canary"), SIGSTOP);
	send(pids[0], SIGKILL);
	role_signal(sp, "canary", SIGKILL);
	await_decided(pids, 1);
	AWAIT(terminal_of("one") != 0 && is_watched(terminal_of("one")));
	ck_assert_int_eq(deaths("one"), 1);
	check_death("one", "server-exit", " cause=");
	ck_assert(is_watched(pids[1]));
	ck_assert_int_eq(lines("log/exits.log", "", ""), 1);
}

/* A successor that ends what it has left running, at once. */
static void
start_again(void)
{
	pid_t	was = role_pid(sp, "canary"), pid;

	space_reap(sp);
	space_start(sp);
	/* What the old one has written is there until then. */
	AWAIT((pid = role_pid(sp, "canary")) != 0 && pid != was);
	await_canary();
	AWAIT(is_watched(sp->reeved));
}

static void
lose_supervisor(void)
{
	pid_t	pids[2], was;

	was = agent("critic", "third");
	/* With a terminal; what the new one ends is meant. */
	pids[0] = sp->reeved;
	pids[1] = terminal_of("two");
	send(pids[0], SIGKILL);
	send(pids[1], SIGKILL);
	start_again();
	await_decided(pids, 2);
	ck_assert_int_eq(deaths("two"), 1);
	check_death("reeved", "server-exit", " cause=");
	check_forensics();
	AWAIT(terminal_of("third") != was && is_watched(terminal_of("third")));
	ck_assert_int_eq(lines("log/exits.log", "", ""), 3);
	/* With its canary. */
	pids[0] = sp->reeved;
	pids[1] = role_pid(sp, "canary");
	send(pids[0], SIGSEGV);
	send(pids[1], SIGKILL);
	start_again();
	await_decided(pids, 1);
	ck_assert_int_eq(deaths("reeved"), 2);
	AWAIT(terminal_of("third") != 0 && is_watched(terminal_of("third")));
	ck_assert_int_eq(lines("log/exits.log", "", ""), 4);
	/* With both. */
	pids[0] = sp->reeved;
	pids[1] = terminal_of("third");
	send(pids[0], SIGKILL);
	send(pids[1], SIGKILL);
	send(role_pid(sp, "canary"), SIGKILL);
	start_again();
	await_decided(pids, 2);
	ck_assert_int_eq(deaths("reeved"), 3);
	ck_assert_int_eq(deaths("third"), 1);
	ck_assert_int_eq(lines("log/exits.log", "", ""), 6);
}

START_TEST(the_supervisor_and_the_canary_die)
{
	if (!supervised_by_reeved("nobody watches who supervises"))
		return;
	lose_canary();
	lose_supervisor();
}
END_TEST

/* Whatever became of the test, once nobody is in it any more. */
static void
remove_group(void)
{
	size_t	i;

	for (i = 0; i < COUNT(kinds); i++) {
		name_group(i);
		AWAIT(rmdir(group) == 0 || errno != EBUSY);
	}
}

int
main(void)
{
	TCase	*cases[3];
	size_t	 i;

	run_id = (int)getpid();
	/* A sanitizer would end it in its own way. */
	setenv("ASAN_OPTIONS", "handle_segv=0", 1);
	cases[0] = tcase_create("agents");
	tcase_add_test(cases[0], deaths_of_agents);
	cases[1] = tcase_create("meant");
	tcase_add_test(cases[1], ends_that_are_meant);
	cases[2] = tcase_create("canary");
	tcase_add_test(cases[2], the_supervisor_and_the_canary_die);
	for (i = 0; i < COUNT(cases); i++) {
		tcase_set_timeout(cases[i], 60);
		tcase_add_checked_fixture(cases[i], setup_crew,
		    space_teardown);
	}
	tcase_add_unchecked_fixture(cases[0], NULL, remove_group);
	return test_main("canary", cases[0], cases[1], cases[2], NULL);
}
