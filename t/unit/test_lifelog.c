/* SPDX-License-Identifier: ISC */

/* The two logs of a host: real processes that write at once, while files
 * become full under them. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "lifelog.h"
#include "log.h"

#define WRITERS	6
#define LINES	1500
#define FULL	8000

static char		dir[64], path[128];
static struct config	config;

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/reeve-lifelog-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log/lifecycle.log", dir);
	ck_assert_int_eq(config_init(&config, dir, NULL), 0);
}

static void
teardown(void)
{
	char	command[128];

	config_free(&config);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
write_lines(int who, unsigned kept)
{
	char	line[64];
	int	i;

	for (i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "who=%d n=%d", who, i);
		if (lifelog_append(path, FULL, kept, line, NULL) == -1)
			_exit(1);
	}
	_exit(0);
}

static void
write_at_once(unsigned kept)
{
	pid_t	pids[WRITERS];
	int	i, status;

	for (i = 0; i < WRITERS; i++)
		if ((pids[i] = fork()) == 0)
			write_lines(i, kept);
	for (i = 0; i < WRITERS; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
}

/* Count the lines of a file. */
static void
read_file(const char *file, unsigned char seen[WRITERS][LINES])
{
	struct error	 e;
	size_t		 len;
	char		*text = file_read(file, 1 << 24, &len, &e), *line,
			*next;
	int		 who, n;

	ck_assert_msg(text != NULL, "%s", e.text);
	for (line = text; *line != '\0'; line = next + 1) {
		ck_assert_ptr_nonnull(next = strchr(line, '\n'));
		*next = '\0';
		ck_assert_msg(sscanf(line, "who=%d n=%d", &who, &n) == 2,
		    "[%s] %s", line, file);
		ck_assert(who >= 0 && who < WRITERS && n >= 0 && n < LINES);
		ck_assert_msg(seen[who][n]++ == 0, "twice: %s", line);
	}
	free(text);
}

/* All that there are; how many. */
static int
read_all(unsigned char seen[WRITERS][LINES])
{
	char	name[256];
	int	n;

	memset(seen, 0, WRITERS * LINES);
	read_file(path, seen);
	for (n = 1; ; n++) {
		snprintf(name, sizeof(name), "%s.%d", path, n);
		if (access(name, F_OK) == -1)
			return n - 1;
		read_file(name, seen);
	}
}

START_TEST(no_line_is_lost_or_doubled)
{
	static unsigned char	seen[WRITERS][LINES];
	int			files, i, j;

	write_at_once(1000);
	files = read_all(seen);
	/* It was turned, many times. */
	ck_assert_int_gt(files, 10);
	for (i = 0; i < WRITERS; i++)
		for (j = 0; j < LINES; j++)
			ck_assert_msg(seen[i][j] == 1, "lost: %d %d", i, j);
}
END_TEST

/* What is dropped is the oldest: of each writer a beginning, and no more. */
START_TEST(only_the_oldest_are_dropped)
{
	static unsigned char	seen[WRITERS][LINES];
	int			i, j;

	write_at_once(2);
	ck_assert_int_eq(read_all(seen), 2);
	for (i = 0; i < WRITERS; i++)
		for (j = 1; j < LINES; j++)
			ck_assert_msg(seen[i][j] >= seen[i][j - 1],
			    "lost: %d %d", i, j);
}
END_TEST

static void
put(const char *file, const char *text)
{
	FILE	*f = fopen(file, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static bool
has(const char *file, const char *text)
{
	char	*is = file_read(file, 1 << 20, NULL, NULL);
	bool	 yes = is != NULL && strcmp(is, text) == 0;

	free(is);
	return yes;
}

/* One that was killed in the middle of it has left a gap. */
START_TEST(a_gap_is_filled_before_anything_is_dropped)
{
	char	one[160], two[160], three[160];

	snprintf(one, sizeof(one), "%s.1", path);
	snprintf(two, sizeof(two), "%s.2", path);
	snprintf(three, sizeof(three), "%s.3", path);
	ck_assert_int_eq(dir_make_parent(path, 0700, NULL), 0);
	put(path, "new\n");
	put(two, "old\n");
	put(three, "oldest\n");
	ck_assert_int_eq(lifelog_append(path, 4, 3, "line", NULL), 0);
	ck_assert(has(path, "line\n"));
	ck_assert(has(one, "new\n"));
	ck_assert(has(two, "old\n"));
	ck_assert(has(three, "oldest\n"));
	ck_assert_int_eq(lifelog_append(path, 4, 3, "more", NULL), 0);
	ck_assert(has(path, "more\n"));
	ck_assert(has(one, "line\n"));
	ck_assert(has(two, "new\n"));
	ck_assert(has(three, "old\n"));
}
END_TEST

START_TEST(a_torn_line_spoils_no_other)
{
	ck_assert_int_eq(dir_make_parent(path, 0700, NULL), 0);
	put(path, "whole\nto");
	ck_assert_int_eq(lifelog_append(path, 1000, 3, "next", NULL), 0);
	ck_assert_int_eq(lifelog_append(path, 1000, 3, "last", NULL), 0);
	ck_assert(has(path, "whole\nto\nnext\nlast\n"));
}
END_TEST

START_TEST(an_event_is_read_as_it_was_written)
{
	struct lifelog_pair	 pair;
	struct error		 e = { .code = 0 };
	char			*text, value[64];
	const char		*p;
	struct stat		 st;

	ck_assert_msg(lifelog_add(&config, LIFELOG_LIFECYCLE, "start",
	    "claude-ada", &e, "pid=%d detail=%s end=", 12,
	    log_str("a \"b\" \\c\nd")) == 0, "%s", e.text);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_ptr_nonnull(text = file_read(path, 4096, NULL, NULL));
	ck_assert_int_eq(strcspn(text, "\n"), strlen(text) - 1);
	text[strlen(text) - 1] = '\0';
	ck_assert(lifelog_get(text, "ev", value, sizeof(value)));
	ck_assert_str_eq(value, "start");
	p = strstr(text, " ev=");
	ck_assert_ptr_nonnull(p);
	ck_assert(lifelog_next(&p, &pair) && lifelog_next(&p, &pair));
	ck_assert_str_eq(pair.key, "identity");
	ck_assert_str_eq(pair.value, "claude-ada");
	ck_assert(lifelog_next(&p, &pair) && !pair.quoted);
	ck_assert(lifelog_next(&p, &pair) && pair.quoted);
	ck_assert_str_eq(pair.value, "a \"b\" \\c\nd");
	ck_assert(lifelog_next(&p, &pair));
	ck_assert_str_eq(pair.key, "end");
	ck_assert_str_eq(pair.value, "");
	ck_assert(!lifelog_next(&p, &pair));
	free(text);
}
END_TEST

START_TEST(a_peer_is_meant_by_either_name)
{
	ck_assert(lifelog_is_peer("claude-ada-two", "ada-two"));
	ck_assert(lifelog_is_peer("claude-ada-two", "claude-ada-two"));
	ck_assert(!lifelog_is_peer("claude-ada-two", "ada"));
	ck_assert(!lifelog_is_peer("claude-ada-two", "two"));
	ck_assert(!lifelog_is_peer("ada", "da"));
}
END_TEST

/* A line is one write, so a kill leaves a whole line or none. */
START_TEST(one_that_is_killed_tears_nothing)
{
	static unsigned char	seen[WRITERS][LINES];
	struct stat		st;
	pid_t			pid = fork();

	if (pid == 0)
		write_lines(0, 1000);
	while (stat(path, &st) == -1 || st.st_size < 100)
		usleep(100);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(lifelog_append(path, FULL, 1000, "who=1 n=0", NULL),
	    0);
	(void)read_all(seen);
	ck_assert_int_eq(seen[1][0], 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("lifelog");
	TCase	*t = tcase_create("lifelog");
	SRunner	*sr = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, no_line_is_lost_or_doubled);
	tcase_add_test(t, only_the_oldest_are_dropped);
	tcase_add_test(t, a_gap_is_filled_before_anything_is_dropped);
	tcase_add_test(t, a_torn_line_spoils_no_other);
	tcase_add_test(t, an_event_is_read_as_it_was_written);
	tcase_add_test(t, a_peer_is_meant_by_either_name);
	tcase_add_test(t, one_that_is_killed_tears_nothing);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
