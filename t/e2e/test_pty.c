/* SPDX-License-Identifier: ISC */

/*
 * The terminal process of an agent: its child, who watches, hand-over, end.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "json.h"
#include "terminal.h"

static struct terminal	t;
static struct watcher	w, v;

/* --- the child ------------------------------------------------------------------- */

START_TEST(runs_a_program)
{
	struct stat	st;

	setenv("SECRET_OF_OURS", "leaked", 1);
	setenv("LANG", "C.UTF-8", 1);
	terminal_make(&t, "critic", "\"argv\":[\"sh\",\"-c\","
	    "\"stty size; pwd; env | sort; tty; echo READY; read x; "
	    "echo got:$x; sleep 1000\"],"
	    "\"env\":{\"COTAL_NAME\":\"critic\",\"LANG\":\"x\"},"
	    "\"pass\":[\"PATH\",\"LANG\",\"NOT_SET\"],\"control\":true,"
	    "\"cols\":77,\"rows\":33");
	terminal_start(&t);
	watch(&w, &t, 33, 77);
	WATCH_AWAIT(&w, watch_shows(&w, "READY"));
	ck_assert(watch_shows(&w, "33 77"));
	ck_assert(watch_shows(&w, sp->dir));
	ck_assert(watch_shows(&w, "/dev/pts/"));
	ck_assert(watch_shows(&w, "COTAL_NAME=critic"));
	ck_assert(watch_shows(&w, "LANG=x"));
	ck_assert(watch_shows(&w, "TERM=xterm-256color"));
	ck_assert(watch_shows(&w, "COTAL_CONTROL_TOKEN="));
	ck_assert(watch_shows(&w, "COTAL_CONTROL_SOCKET="));
	ck_assert(!watch_shows(&w, "leaked"));
	ck_assert(!watch_shows(&w, "NOT_SET"));
	watch_type(&w, "h\xc3\xa9llo\r");
	WATCH_AWAIT(&w, watch_shows(&w, "got:h\xc3\xa9llo"));
	WATCH_AWAIT(&w, strstr(w.state, "\"attachers\":1") != NULL &&
	    strstr(w.state, "\"up\":true") != NULL &&
	    strstr(w.state, "\"cols\":77,\"rows\":33") != NULL);
	ck_assert(stat(t.dir, &st) == 0 && (st.st_mode & 0777) == 0700);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

START_TEST(presses_keys)
{
	terminal_make(&t, "critic", "\"argv\":[\"sh\",\"-c\",\"for i in 1 2 "
	    "3; do read x; echo \\\"$i<$x>\\\"; done; sleep 1000\"],"
	    "\"keys\":[{\"text\":\"a\\r\",\"after_ms\":10,\"times\":2},"
	    "{\"text\":\"b\\r\",\"after_ms\":10}],\"cols\":80,\"rows\":24");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, watch_shows(&w, "3<b>"));
	ck_assert(watch_shows(&w, "1<a>") && watch_shows(&w, "2<a>"));
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

START_TEST(notes_how_it_ended)
{
	cJSON	*o;

	terminal_sh(&t, "never", "echo last words; exit 3");
	terminal_start(&t);
	AWAIT((o = terminal_file(&t, "exit.json")) != NULL);
	ck_assert_uint_eq(number_of(o, "exit"), 3);
	ck_assert_uint_eq(number_of(o, "starts"), 1);
	ck_assert(number_of(o, "at_ms") > 1000);
	cJSON_Delete(o);
	AWAIT((o = terminal_file(&t, "run.json")) == NULL);
	/* It stays, and still shows it. */
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, watch_shows(&w, "last words") && w.end[0] != '\0');
	ck_assert_str_eq(w.end, "{\"exit\":3,\"final\":true}");
	WATCH_AWAIT(&w, strstr(w.state, "\"over\":true") != NULL);
	watch_end(&w);
	/* Another one of the same agent finds it ended, and starts nothing. */
	ck_assert_int_eq(terminal_end(&t), 0);
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, strcmp(w.end, "{\"exit\":3,\"final\":true}") == 0);
	ck_assert(!watch_shows(&w, "last words"));
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

START_TEST(cannot_run_it)
{
	cJSON	*o;

	terminal_make(&t, "critic", "\"argv\":[\"no-such-program\"],"
	    "\"cols\":80,\"rows\":24");
	terminal_start(&t);
	AWAIT((o = terminal_file(&t, "exit.json")) != NULL);
	ck_assert_uint_eq(number_of(o, "exit"), 127);
	cJSON_Delete(o);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, watch_shows(&w, "cannot run no-such-program"));
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Each start counts; the screen and who watches it stay. */
START_TEST(restarts_by_policy)
{
	cJSON	*o;

	terminal_sh(&t, "on-failure", "echo >>starts; n=$(wc -l <starts); "
	    "echo start $n; [ $n -ge 4 ] && exit 0; printf '\\033[?2004h'; "
	    "[ $n = 3 ] && kill -9 $$; exit 1");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, strstr(w.end, "final\":true") != NULL);
	ck_assert_str_eq(w.end, "{\"exit\":0,\"final\":true}");
	AWAIT((o = terminal_file(&t, "exit.json")) != NULL);
	ck_assert_uint_eq(number_of(o, "starts"), 4);
	cJSON_Delete(o);
	WATCH_AWAIT(&w, watch_shows(&w, "start 4"));
	ck_assert(watch_shows(&w, "start 1") && watch_shows(&w, "start 2"));
	ck_assert(!screen_bracketed_paste(w.screen));
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Neither who ignores SIGTERM, nor who has a session of his own. */
START_TEST(leaves_nobody_behind)
{
	pid_t	child, far, farther;

	terminal_sh(&t, "always", "trap '' TERM HUP; "
	    "(setsid sh -c 'trap \"\" TERM HUP; echo far=$$; "
	    "(sh -c \"echo farther=\\$\\$; exec sleep 1000\" &) ; "
	    "sleep 1000' &); echo child=$$; while :; do sleep 1000; done");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, (child = watch_pid_after(&w, "child=")) > 1 &&
	    (far = watch_pid_after(&w, "far=")) > 1 &&
	    (farther = watch_pid_after(&w, "farther=")) > 1);
	watch_end(&w);
	ck_assert(lives(child) && lives(far) && lives(farther));
	ck_assert_int_eq(terminal_end(&t), 0);
	ck_assert(!lives(child) && !lives(far) && !lives(farther));
	ck_assert_ptr_null(terminal_file(&t, "exit.json"));
	ck_assert_ptr_null(terminal_file(&t, "run.json"));
}
END_TEST

/* Told to, it does not wait for who ignores SIGTERM. */
START_TEST(ends_at_once)
{
	pid_t	child;
	int64_t	began;

	terminal_sh(&t, "always", "trap '' TERM HUP INT; echo child=$$; "
	    "while :; do sleep 1000; done");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, (child = watch_pid_after(&w, "child=")) > 1);
	watch_end(&w);
	began = test_now_ms();
	ck_assert(kill(t.pid, SIGTERM) == 0 && kill(t.pid, SIGINT) == 0);
	ck_assert_int_eq(terminal_end(&t), 0);
	ck_assert(!lives(child));
	ck_assert_int_lt(test_now_ms() - began, 2500);
}
END_TEST

/* What it left running when it ended goes, too. */
START_TEST(its_end_is_the_end_of_all)
{
	pid_t	far;

	terminal_sh(&t, "never", "(setsid sh -c 'echo far=$$; exec sleep "
	    "1000' &); read x; exit 5");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, (far = watch_pid_after(&w, "far=")) > 1);
	ck_assert(lives(far));
	watch_type(&w, "\r");
	WATCH_AWAIT(&w, strstr(w.end, "\"exit\":5") != NULL);
	ck_assert(!lives(far));
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* --- who watches -------------------------------------------------------------------- */

START_TEST(the_smallest_counts)
{
	terminal_sh(&t, "never", "trap 'stty size' WINCH; echo READY; "
	    "while :; do sleep 0.02; done");
	terminal_start(&t);
	watch(&w, &t, 40, 100);
	WATCH_AWAIT(&w, watch_shows(&w, "READY") && w.size_rows == 40 &&
	    w.size_cols == 100);
	WATCH_AWAIT(&w, watch_shows(&w, "40 100"));
	watch(&v, &t, 50, 70);
	WATCH_AWAIT(&w, w.size_rows == 40 && w.size_cols == 70);
	WATCH_AWAIT(&w, watch_shows(&w, "40 70"));
	WATCH_AWAIT(&v, watch_shows(&v, "40 70"));
	watch_send(&v, 'w', "{\"rows\":20,\"cols\":200}");
	WATCH_AWAIT(&w, w.size_rows == 20 && w.size_cols == 100);
	watch_send(&v, 'd', "");
	WATCH_AWAIT(&w, w.size_rows == 40 && w.size_cols == 100);
	watch_end(&v);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

START_TEST(late_ones_see_the_same)
{
	terminal_sh(&t, "never", "i=0; while [ $i -lt 300 ]; do "
	    "printf '\\033[3%dmline %d \\344\\270\\255\\033[m\\n' "
	    "$((i % 8)) $i; i=$((i + 1)); done; "
	    "printf '\\033[5;10H\\033[1mhere\\033[?2004h'; read x; "
	    "printf '\\033[?1049h\\033[2J\\033[7;7Halternate'; sleep 1000");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, watch_shows(&w, "here"));
	watch(&v, &t, 24, 80);
	WATCH_AWAIT(&v, watch_shows(&v, "here"));
	ck_assert(watch_same(&w, &v));
	ck_assert(watch_shows(&v, "line 3 "));	/* the history */
	ck_assert(screen_bracketed_paste(v.screen));
	watch_type(&v, "\r");
	WATCH_AWAIT(&v, screen_alternate(v.screen));
	WATCH_AWAIT(&w, screen_alternate(w.screen));
	watch_end(&w);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, screen_alternate(w.screen));
	ck_assert(watch_same(&w, &v));
	watch_end(&v);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Hostile ones: what cannot be is refused, and nothing else happens. */
START_TEST(refuses_nonsense)
{
	terminal_sh(&t, "never", "echo READY; cat");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	watch_connect(&v, &t, 24, 80);
	watch_send(&v, 'i', "typed by nobody\r");
	WATCH_AWAIT(&v, v.forgotten == 1);
	watch_send(&v, 'a', "{\"rows\":1,\"cols\":1,\"version\":1}");
	WATCH_AWAIT(&v, strstr(v.error, "less than") != NULL);
	watch_send(&v, 'a', "{\"rows\":24,\"cols\":80,\"version\":9}");
	WATCH_AWAIT(&v, strstr(v.error, "another version") != NULL);
	watch_send(&v, 'a', "nonsense");
	WATCH_AWAIT(&v, strstr(v.error, "version") == NULL);
	watch_send(&v, 'a', "{\"rows\":24,\"cols\":80,\"version\":1,"
	    "\"readonly\":true}");
	WATCH_AWAIT(&v, v.paints == 1);
	watch_send(&v, 'i', "typed by a reader\r");
	WATCH_AWAIT(&v, strstr(v.error, "watch only") != NULL);
	watch_send(&v, 'k', "99999999999999999999");
	watch_send(&v, 'k', "-1");
	watch_send(&v, 'k', "18446744073709551615");
	watch_send(&v, '?', "");
	WATCH_AWAIT(&v, strstr(v.error, "no such frame") != NULL);
	watch_type(&w, "the end\r");
	WATCH_AWAIT(&w, watch_shows(&w, "the end"));
	ck_assert(!watch_shows(&w, "typed by"));
	watch_end(&v);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Half a megabyte, every byte as it was, while nobody reads at first. */
START_TEST(takes_all_bytes)
{
	static char	block[16384];
	char		path[200];
	FILE		*f;
	size_t		i, n;

	terminal_sh(&t, "never", "stty raw -echo; echo READY; sleep 0.2; "
	    "got=$(head -c 524288 | cksum); stty sane; "
	    "[ \"$got\" = \"$(cksum <sent)\" ] && echo SAME; sleep 1000");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, watch_shows(&w, "READY"));
	for (i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 7 + i / 256);
	snprintf(path, sizeof(path), "%s/sent", sp->dir);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	for (n = 0; n < 32; n++) {
		ck_assert_uint_eq(fwrite(block, sizeof(block), 1, f), 1);
		if (n == 31)
			ck_assert(fclose(f) == 0);
		watch_send_bytes(&w, 'i', block, sizeof(block));
	}
	WATCH_AWAIT(&w, watch_shows(&w, "SAME"));
	ck_assert_str_eq(w.error, "");
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* One that tells nothing of what it has got, and a child that prints without
 * end: for the seconds of REEVE_T_YES_S (2). */
START_TEST(a_slow_one_costs_nothing)
{
	const char	*s = getenv("REEVE_T_YES_S");
	int64_t		 until, told_ms = 0;
	long		 before;
	uint64_t	 had;
	char		 text[24];

	terminal_sh(&t, "never", "trap : INT; yes 'some words to fill a "
	    "line with'; echo; echo ALL DONE; sleep 1000");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, w.bytes > 200000);
	had = w.told;
	w.mute = true;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)had);
	before = terminal_rss_kb(&t);
	watch(&v, &t, 24, 80);
	until = test_now_ms() + (s != NULL ? atoi(s) : 2) * 1000;
	while (test_now_ms() < until) {
		watch_turn(&v, 10);
		watch_turn(&w, 0);
		if (test_now_ms() - told_ms > 1000) {
			watch_send(&w, 'k', text);
			told_ms = test_now_ms();
		}
	}
	ck_assert_uint_le(w.bytes - had, 256 * 1024);
	ck_assert_msg(terminal_rss_kb(&t) < before + 20000, "%ld then %ld KB",
	    before, terminal_rss_kb(&t));
	/* The other one has seen more meanwhile, and sees the end. */
	ck_assert_uint_gt(v.bytes, 1024 * 1024);
	watch_type(&v, "\003");
	WATCH_AWAIT(&v, watch_shows(&v, "ALL DONE"));
	/* And so does the slow one, once it has caught up. */
	w.mute = false;
	watch_tell(&w);
	WATCH_AWAIT(&w, watch_shows(&w, "ALL DONE"));
	WATCH_AWAIT(&w, watch_same(&w, &v));
	watch_end(&v);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Who says that he has got more than there was has got all of it. */
START_TEST(one_that_counts_too_much)
{
	char	text[24];

	terminal_sh(&t, "never", "read x; yes 'some words to fill a line with'"
	    " | head -n 20000; echo ALL DONE; sleep 1000");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	watch(&v, &t, 24, 80);
	w.mute = true;
	watch_type(&v, "\r");
	WATCH_AWAIT(&v, watch_shows(&v, "ALL DONE"));
	watch_turn(&w, 0);
	ck_assert(!watch_shows(&w, "ALL DONE"));
	while (!watch_shows(&w, "ALL DONE")) {
		snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)w.bytes + 1);
		watch_send(&w, 'k', text);
		watch_turn(&w, 50);
		watch_turn(&v, 0);
	}
	watch_end(&v);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* --- hand-over ------------------------------------------------------------------------ */

/* The child counts; who watches sees each number once, in order. */
START_TEST(hands_over_unnoticed)
{
	char		*p;
	unsigned	 i, n = 0, last;
	pid_t		 child;

	terminal_sh(&t, "never", "echo child=$$; i=0; while :; do "
	    "echo \"<$i>\"; i=$((i + 1)); sleep 0.01; done");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, (child = watch_pid_after(&w, "child=")) > 1);
	for (i = 1; i <= 3; i++) {
		ck_assert(kill(t.pid, SIGUSR2) == 0);
		WATCH_AWAIT(&w, w.holds == i);
		watch_send(&w, 'h', "");
		WATCH_AWAIT(&w, w.resumes == i);
	}
	n = (unsigned)w.text_len;
	WATCH_AWAIT(&w, w.text_len > n + 100);
	ck_assert(lives(child));
	ck_assert_uint_eq(w.paints, 1);
	ck_assert_ptr_nonnull(p = strstr(w.text, "<"));
	last = (unsigned)atoi(p + 1);
	while ((p = strchr(p + 1, '<')) != NULL && strchr(p, '>') != NULL) {
		ck_assert_uint_eq((unsigned)atoi(p + 1), last + 1);
		last++;
	}
	ck_assert_uint_gt(last, 20);
	watch(&v, &t, 24, 80);
	ck_assert(watch_shows(&v, "child="));
	watch_end(&v);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
	ck_assert(!lives(child));
}
END_TEST

/* Where there is no newer one, the old one goes on; then there is. */
START_TEST(hands_over_to_nobody)
{
	const char	*dir = getenv("REEVE_BINDIR");
	char		 cmd[4096];
	pid_t		 child;

	terminal_sh(&t, "never", "echo child=$$; while read x; do "
	    "echo got:$x; done");
	snprintf(cmd, sizeof(cmd), "mkdir %s/bin && cp %s/reeve-pty %s/bin",
	    sp->dir, dir == NULL ? "." : dir, sp->dir);
	ck_assert_int_eq(system(cmd), 0);
	snprintf(cmd, sizeof(cmd), "%s/bin", sp->dir);
	setenv("REEVE_BINDIR", cmd, 1);
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, (child = watch_pid_after(&w, "child=")) > 1);
	snprintf(cmd, sizeof(cmd), "mv %s/bin/reeve-pty %s/newer", sp->dir,
	    sp->dir);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert(kill(t.pid, SIGUSR2) == 0);
	WATCH_AWAIT(&w, w.holds == 1);
	watch_send(&w, 'h', "");
	WATCH_AWAIT(&w, w.resumes == 1);
	ck_assert(logged(sp, "msg=\"cannot hand over\""));
	watch_type(&w, "one\r");
	WATCH_AWAIT(&w, watch_shows(&w, "got:one"));
	snprintf(cmd, sizeof(cmd), "mv %s/newer %s/bin/reeve-pty", sp->dir,
	    sp->dir);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert(kill(t.pid, SIGUSR2) == 0);
	WATCH_AWAIT(&w, w.holds == 2);
	watch_send(&w, 'h', "");
	WATCH_AWAIT(&w, w.resumes == 2);
	ck_assert(logged(sp, "msg=\"handed over\""));
	watch_type(&w, "two\r");
	WATCH_AWAIT(&w, watch_shows(&w, "got:two"));
	ck_assert(lives(child));
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Told to end while attachers are asked to hold their input, it does. */
START_TEST(ends_in_a_hand_over)
{
	pid_t	child;

	terminal_sh(&t, "always", "echo child=$$; exec sleep 1000");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, (child = watch_pid_after(&w, "child=")) > 1);
	ck_assert(kill(t.pid, SIGUSR2) == 0);
	WATCH_AWAIT(&w, w.holds == 1);
	ck_assert_int_eq(terminal_end(&t), 0);
	ck_assert(!lives(child));
	ck_assert_uint_eq(logged_times(sp, "msg=\"child ended\""), 1);
	ck_assert_uint_eq(logged_times(sp, "msg=\"handed over\""), 0);
	watch_end(&w);
}
END_TEST

/* --- the broker goes, the process goes ---------------------------------------------------- */

START_TEST(goes_on_without_a_broker)
{
	terminal_sh(&t, "never", "i=0; while [ $i -lt 5000 ]; do echo "
	    "\"line $i\"; i=$((i + 1)); done; echo >here; read x; "
	    "echo got:$x; sleep 1000");
	terminal_broker(false);
	terminal_start(&t);
	AWAIT(access(sp->dir, F_OK) == 0 && chdir(sp->dir) == 0 &&
	    access("here", F_OK) == 0);
	terminal_broker(true);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, watch_shows(&w, "line 4999"));
	watch_type(&w, "x\r");
	WATCH_AWAIT(&w, watch_shows(&w, "got:x"));
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Killed, it loses its child; the next one ends what is left of it, in its
 * session and, by the control socket, elsewhere; the policy says what then. */
START_TEST(killed_itself)
{
	cJSON	*o;
	pid_t	child, deaf, far;

	terminal_make(&t, "critic", "\"argv\":[\"sh\",\"-c\",\""
	    "(trap '' HUP; sh -c 'echo deaf=$$; exec sleep 1000' &); "
	    "(setsid sh -c 'echo far=$$; exec sleep 1000' &); "
	    "trap '' HUP; echo child=$$; while :; do sleep 0.1; done\"],"
	    "\"policy\":\"always\",\"control\":true,\"pass\":[\"PATH\"],"
	    "\"rows\":24,\"cols\":80");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, (child = watch_pid_after(&w, "child=")) > 1 &&
	    (deaf = watch_pid_after(&w, "deaf=")) > 1 &&
	    (far = watch_pid_after(&w, "far=")) > 1);
	watch_end(&w);
	AWAIT((o = terminal_file(&t, "run.json")) != NULL);
	cJSON_Delete(o);
	ck_assert(kill(t.pid, SIGKILL) == 0);
	waitpid(t.pid, NULL, 0);
	ck_assert(lives(deaf) && lives(far));
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, watch_pid_after(&w, "child=") > 1 &&
	    watch_pid_after(&w, "child=") != child);
	ck_assert(!lives(child) && !lives(deaf) && !lives(far));
	ck_assert_ptr_nonnull(o = terminal_file(&t, "run.json"));
	ck_assert_uint_eq(number_of(o, "starts"), 2);
	cJSON_Delete(o);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* One that is not to be started again has ended then, and it is said so. */
START_TEST(killed_for_good)
{
	cJSON	*o;

	terminal_sh(&t, "never", "echo READY; exec sleep 1000");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, watch_shows(&w, "READY"));
	watch_end(&w);
	AWAIT((o = terminal_file(&t, "run.json")) != NULL);
	cJSON_Delete(o);
	ck_assert(kill(t.pid, SIGKILL) == 0);
	waitpid(t.pid, NULL, 0);
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, strcmp(w.end, "{\"signal\":1,\"final\":true}") == 0);
	ck_assert_ptr_nonnull(o = terminal_file(&t, "exit.json"));
	ck_assert_uint_eq(number_of(o, "signal"), SIGHUP);
	cJSON_Delete(o);
	ck_assert_ptr_null(terminal_file(&t, "run.json"));
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

int
main(void)
{
	TCase	*child = tcase_create("child");
	TCase	*watched = tcase_create("watched");
	TCase	*passing = tcase_create("passing");
	TCase	*all[] = { child, watched, passing };
	size_t	 i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		tcase_add_checked_fixture(all[i], terminal_setup,
		    terminal_teardown);
		tcase_set_timeout(all[i], 90);
	}
	tcase_add_test(child, runs_a_program);
	tcase_add_test(child, presses_keys);
	tcase_add_test(child, notes_how_it_ended);
	tcase_add_test(child, cannot_run_it);
	tcase_add_test(child, restarts_by_policy);
	tcase_add_test(child, leaves_nobody_behind);
	tcase_add_test(child, ends_at_once);
	tcase_add_test(child, its_end_is_the_end_of_all);
	tcase_add_test(watched, the_smallest_counts);
	tcase_add_test(watched, late_ones_see_the_same);
	tcase_add_test(watched, refuses_nonsense);
	tcase_add_test(watched, takes_all_bytes);
	tcase_add_test(watched, a_slow_one_costs_nothing);
	tcase_add_test(watched, one_that_counts_too_much);
	tcase_add_test(passing, hands_over_unnoticed);
	tcase_add_test(passing, hands_over_to_nobody);
	tcase_add_test(passing, ends_in_a_hand_over);
	tcase_add_test(passing, goes_on_without_a_broker);
	tcase_add_test(passing, killed_itself);
	tcase_add_test(passing, killed_for_good);
	return test_main("pty", child, watched, passing, NULL);
}
