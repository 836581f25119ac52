/* SPDX-License-Identifier: ISC */

/* `reeve log`: what the manager and the terminals write of real agents, and
 * following it while the files are turned. */
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "files.h"
#include "lifelog.h"

#define TURNED	400

static unsigned
times(const char *text, const char *part)
{
	unsigned	n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

/* How often a text is in what `reeve log` says. */
static unsigned
said(const char *options, const char *part)
{
	ck_assert_int_eq(reeve(sp, answer, sizeof(answer), "log %s",
	    options), 0);
	return times(answer, part);
}

START_TEST(a_life_is_in_it)
{
	ck_assert_int_eq(said("", "ev="), 0);
	spawn("critic");
	stop("critic");
	spawn("brief");
	AWAIT(said("", " ev=session-exit identity=command-brief pid=") == 1);
	SAYS(answer, " dead_status=3 dead_signal=0\n");
	AWAIT(agent_is("brief", "exited"));
	/* What was told to end has a stop, and no exit. */
	ck_assert_int_eq(said("--peer critic", "ev="), 2);
	ck_assert_int_eq(times(answer, " ev=start identity=command-critic "),
	    1);
	ck_assert_int_eq(times(answer, " ev=stop identity=command-critic "),
	    1);
	ck_assert(strstr(answer, "ev=start") < strstr(answer, "ev=stop"));
	ck_assert_int_eq(said("--peer command-brief", "ev="), 2);
	ck_assert_int_eq(said("--ev stop,session-exit", "ev="), 2);
	ck_assert_int_eq(said("--ev start --peer nobody", "ev="), 0);
	ck_assert_int_eq(said("--since 1h", "ev="), 4);
	ck_assert_int_eq(said("--json --ev session-exit",
	    "\"dead_status\":3,\"dead_signal\":0}\n"), 1);
}
END_TEST

START_TEST(one_that_is_killed_has_its_signal)
{
	pid_t	pid;

	spawn("critic");
	ck_assert_int_gt(pid = process_of("critic"), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	AWAIT(said("", "dead_status=0 dead_signal=9\n") == 1);
	AWAIT(agent_is("critic", "exited"));
	/* In the order of time, of both files. */
	ck_assert_int_eq(said("--peer critic", "ev="), 2);
	ck_assert(strstr(answer, "ev=start") < strstr(answer, "ev=session"));
}
END_TEST

static bool
has(const char *file, const char *text)
{
	size_t	 n;
	char	*is = file_read(file, 1 << 24, &n, NULL);
	bool	 yes = is != NULL && strstr(is, text) != NULL;

	free(is);
	return yes;
}

START_TEST(who_follows_misses_nothing_when_it_is_turned)
{
	char		path[300], file[300], line[200], *text;
	struct error	e;
	int		i;
	pid_t		pid;

	snprintf(path, sizeof(path), "%s/log/lifecycle.log", sp->state);
	snprintf(file, sizeof(file), "%s/followed", sp->dir);
	OK(lifelog_append(path, 1000, LIFELOG_KEPT,
	    "ts=2026-01-01T00:00:00.000Z ev=t n=first", &e), e);
	pid = reeve_in_background("log -f --ev t", file);
	AWAIT(has(file, "n=first\n"));
	/* Some turns ahead of who reads, never all that are kept. */
	for (i = 0; i < TURNED; i++) {
		snprintf(line, sizeof(line),
		    "ts=2026-01-01T00:00:00.000Z ev=t n=%d.", i);
		ck_assert_int_eq(lifelog_append(path, 1000, LIFELOG_KEPT,
		    line, NULL), 0);
		snprintf(line, sizeof(line), "n=%d.\n", i);
		if (i % 50 == 49)
			AWAIT(has(file, line));
	}
	ck_assert_ptr_nonnull(text = file_read(file, 1 << 24, NULL, NULL));
	for (i = 0; i < TURNED; i++) {
		snprintf(line, sizeof(line), "n=%d.\n", i);
		ck_assert_msg(times(text, line) == 1, "%d: %u times", i,
		    times(text, line));
	}
	free(text);
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

int
main(void)
{
	TCase	*lives = tcase_create("lives"), *turns = tcase_create("turns");

	tcase_add_checked_fixture(lives, crew_setup, space_teardown);
	tcase_set_timeout(lives, 60);
	tcase_add_test(lives, a_life_is_in_it);
	tcase_add_test(lives, one_that_is_killed_has_its_signal);
	tcase_add_checked_fixture(turns, space_setup_idle, space_teardown);
	tcase_set_timeout(turns, 60);
	tcase_add_test(turns, who_follows_misses_nothing_when_it_is_turned);
	return test_main("log", lives, turns, NULL);
}
