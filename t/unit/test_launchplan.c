/* SPDX-License-Identifier: ISC */

/* What a terminal is to run: what is written is read back, and nothing that
 * is wrong is taken. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "launchplan.h"

static struct launch_plan	 p, q;
static struct error		 e;

static void
fill(void)
{
	launch_plan_init(&p);
	ck_assert(strlist_add(&p.argv, "sh") && strlist_add(&p.argv, "-c") &&
	    strlist_add(&p.argv, "echo \"\t\xc3\xa9\n$HOME\"") &&
	    strlist_add(&p.argv, ""));
	ck_assert_int_eq(launch_plan_set(&p, "COTAL_NAME", "a b=c", &e), 0);
	ck_assert_int_eq(launch_plan_set(&p, "EMPTY", "", &e), 0);
	ck_assert_int_eq(launch_plan_set(&p, "COTAL_NAME", "new", &e), 0);
	ck_assert(strlist_add(&p.pass, "HOME") && strlist_add(&p.pass, "PATH"));
	ck_assert_int_eq(launch_plan_press(&p, "\r", 1000, 5, &e), 0);
	ck_assert_int_eq(launch_plan_press(&p, "\x1b[A", 0, 1, &e), 0);
	ck_assert_ptr_nonnull(p.cwd = strdup("/tmp"));
	p.policy = LAUNCH_ON_FAILURE;
	p.cols = 80;
	p.rows = 25;
	p.history = 0;
	p.control = true;
}

static void
same_list(const struct strlist *a, const struct strlist *b)
{
	size_t	i;

	ck_assert_uint_eq(a->n, b->n);
	for (i = 0; i < a->n; i++)
		ck_assert_str_eq(a->v[i], b->v[i]);
}

static void
same(void)
{
	size_t	i;

	same_list(&p.argv, &q.argv);
	same_list(&p.env, &q.env);
	same_list(&p.pass, &q.pass);
	ck_assert_str_eq(p.cwd, q.cwd);
	ck_assert_uint_eq(p.n_keys, q.n_keys);
	for (i = 0; i < p.n_keys; i++) {
		ck_assert_str_eq(p.keys[i].text, q.keys[i].text);
		ck_assert_int_eq(p.keys[i].after_ms, q.keys[i].after_ms);
		ck_assert_uint_eq(p.keys[i].times, q.keys[i].times);
	}
	ck_assert_int_eq(p.policy, q.policy);
	ck_assert_uint_eq(p.cols, q.cols);
	ck_assert_uint_eq(p.rows, q.rows);
	ck_assert_uint_eq(p.history, q.history);
	ck_assert_int_eq(p.control, q.control);
}

START_TEST(what_is_written_is_read_back)
{
	char	*text;

	fill();
	launch_plan_init(&q);
	ck_assert_ptr_nonnull(text = launch_plan_text(&p, &e));
	ck_assert_msg(launch_plan_read(&q, text, strlen(text), &e) == 0, "%s",
	    e.text);
	same();
	ck_assert_str_eq(launch_plan_get(&q, "COTAL_NAME"), "new");
	ck_assert_str_eq(launch_plan_get(&q, "EMPTY"), "");
	ck_assert_ptr_null(launch_plan_get(&q, "COTAL"));
	free(text);
	launch_plan_free(&p);
	launch_plan_free(&q);
}
END_TEST

START_TEST(a_file_is_private_and_no_link)
{
	char		 dir[] = "/tmp/reeve-plan-XXXXXX", path[64], link_path[64];
	struct stat	 st;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/launch.json", dir);
	snprintf(link_path, sizeof(link_path), "%s/link.json", dir);
	fill();
	launch_plan_init(&q);
	ck_assert_msg(launch_plan_save(&p, path, &e) == 0, "%s", e.text);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_msg(launch_plan_load(&q, path, &e) == 0, "%s", e.text);
	same();
	launch_plan_free(&q);
	ck_assert_int_eq(symlink(path, link_path), 0);
	ck_assert_int_eq(launch_plan_load(&q, link_path, &e), -1);
	ck_assert_int_eq(e.code, EX_NOPERM);
	launch_plan_free(&q);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(launch_plan_load(&q, path, &e), -1);
	ck_assert_int_eq(e.code, EX_NOPERM);
	launch_plan_free(&q);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(launch_plan_load(&q, path, &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	launch_plan_free(&q);
	unlink(path);
	ck_assert_int_eq(launch_plan_load(&q, path, &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	launch_plan_free(&q);
	launch_plan_free(&p);
	unlink(link_path);
	rmdir(dir);
}
END_TEST

START_TEST(defaults)
{
	const char	text[] = "{\"argv\":[\"a\"],\"cwd\":\"/\"}";

	launch_plan_init(&q);
	ck_assert_msg(launch_plan_read(&q, text, strlen(text), &e) == 0, "%s",
	    e.text);
	ck_assert_uint_eq(q.cols, 120);
	ck_assert_uint_eq(q.rows, 32);
	ck_assert_uint_eq(q.history, 1000);
	ck_assert_int_eq(q.policy, LAUNCH_NEVER);
	ck_assert(!q.control);
	launch_plan_free(&q);
}
END_TEST

/* The text, and what the error must speak of. */
static const struct {
	const char	*text, *says;
} wrong[] = {
	{ "", "not JSON" },
	{ "[]", "object" },
	{ "{\"cwd\":\"/\"}", "argv: missing" },
	{ "{\"argv\":[],\"cwd\":\"/\"}", "argv: no program" },
	{ "{\"argv\":[\"\"],\"cwd\":\"/\"}", "argv: no program" },
	{ "{\"argv\":[1],\"cwd\":\"/\"}", "argv[0]: expected a string" },
	{ "{\"argv\":\"a\",\"cwd\":\"/\"}", "argv: expected an array" },
	{ "{\"argv\":[\"a\\u0000b\"],\"cwd\":\"/\"}", "not JSON" },
	{ "{\"argv\":[\"a\"]}", "cwd: missing" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"tmp\"}", "cwd: expected an absolute" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"\"}", "cwd: expected an absolute" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"shell\":true}",
	    "shell: unknown field" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"cwd\":\"/\"}", "given twice" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"env\":{\"a b\":\"\"}}",
	    "env: \"a b\"" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"env\":{\"\":\"\"}}", "env: \"\"" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"env\":{\"1A\":\"\"}}",
	    "env: \"1A\"" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"env\":{\"A=B\":\"\"}}", "A=B" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"env\":{\"A\":1}}",
	    "env.A: expected a string" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"env\":{\"A\":\"\",\"A\":\"\"}}",
	    "given twice" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"env\":[]}",
	    "env: expected an object" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"pass\":[\"A B\"]}",
	    "pass: \"A B\"" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"policy\":\"often\"}",
	    "policy: expected one of never, on-failure, always" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"cols\":1}", "cols" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"rows\":1001}", "rows" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"rows\":-1}", "rows" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"history\":100001}", "history" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"control\":\"yes\"}", "control" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"keys\":[{\"text\":\"a\"}]}",
	    "keys.after_ms: missing" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"keys\":"
	    "[{\"text\":\"\",\"after_ms\":1}]}", "1 to 256 bytes" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"keys\":"
	    "[{\"text\":\"a\",\"after_ms\":1,\"times\":0}]}", "times 1 to" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\",\"keys\":"
	    "[{\"text\":\"a\",\"after_ms\":1,\"more\":0}]}",
	    "keys.more: unknown field" },
	{ "{\"argv\":[\"a\"],\"cwd\":\"/\"} x", "not JSON" },
};

START_TEST(what_is_wrong_is_named)
{
	launch_plan_init(&q);
	ck_assert_msg(launch_plan_read(&q, wrong[_i].text,
	    strlen(wrong[_i].text), &e) == -1, "taken: %s", wrong[_i].text);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_msg(strstr(e.text, wrong[_i].says) != NULL,
	    "\"%s\" says nothing of \"%s\"", e.text, wrong[_i].says);
	launch_plan_free(&q);
}
END_TEST

START_TEST(what_cannot_be_read_is_not_written)
{
	fill();
	p.cols = 1;
	ck_assert_ptr_null(launch_plan_text(&p, &e));
	p.cols = 80;
	ck_assert(strlist_add(&p.argv, "\xff"));
	ck_assert_ptr_null(launch_plan_text(&p, &e));
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_int_eq(launch_plan_set(&p, "A", "\xc3", &e), -1);
	ck_assert_int_eq(launch_plan_set(&p, "A=B", "c", &e), -1);
	ck_assert_int_eq(launch_plan_press(&p, "a", -1, 1, &e), -1);
	launch_plan_free(&p);
}
END_TEST

/* A mutation of what was written is either refused, or means the same when it
 * is written and read once more. */
START_TEST(no_byte_of_it_does_harm)
{
	char	*text, *was, *again;
	size_t	 len, i;
	int	 tries;

	fill();
	ck_assert_ptr_nonnull(text = launch_plan_text(&p, &e));
	launch_plan_free(&p);
	len = strlen(text);
	ck_assert_ptr_nonnull(was = strdup(text));
	srandom(1);
	for (tries = 0; tries < 20000; tries++) {
		memcpy(text, was, len);
		for (i = 0; i < 1 + (size_t)tries % 3; i++)
			text[(size_t)random() % len] = (char)random();
		launch_plan_init(&p);
		launch_plan_init(&q);
		if (launch_plan_read(&p, text, len, &e) == 0) {
			again = launch_plan_text(&p, &e);
			ck_assert_ptr_nonnull(again);
			ck_assert_int_eq(launch_plan_read(&q, again,
			    strlen(again), &e), 0);
			same();
			free(again);
		}
		launch_plan_free(&p);
		launch_plan_free(&q);
	}
	free(text);
	free(was);
}
END_TEST

START_TEST(the_environment)
{
	char	home[] = "HOME=/h", path[] = "PATH=/bin", key[] = "SECRET=x",
		name[] = "COTAL_NAME=stolen", odd[] = "PATH";
	char	*from[] = { home, key, odd, name, path, NULL };
	char	**v;

	fill();
	ck_assert(strlist_add(&p.pass, "COTAL_NAME"));
	ck_assert_ptr_nonnull(v = launch_plan_environ(&p, from));
	ck_assert_str_eq(v[0], "HOME=/h");
	ck_assert_str_eq(v[1], "PATH=/bin");
	ck_assert_str_eq(v[2], "COTAL_NAME=new");
	ck_assert_str_eq(v[3], "EMPTY=");
	ck_assert_ptr_null(v[4]);
	launch_environ_free(v);
	launch_plan_free(&p);
	launch_plan_init(&p);
	ck_assert_ptr_nonnull(v = launch_plan_environ(&p, from));
	ck_assert_ptr_null(v[0]);
	launch_environ_free(v);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("launchplan");
	TCase	*tc = tcase_create("launchplan");
	SRunner	*runner;
	int	 failed;

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, what_is_written_is_read_back);
	tcase_add_test(tc, a_file_is_private_and_no_link);
	tcase_add_test(tc, defaults);
	tcase_add_loop_test(tc, what_is_wrong_is_named, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, what_cannot_be_read_is_not_written);
	tcase_add_test(tc, no_byte_of_it_does_harm);
	tcase_add_test(tc, the_environment);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
