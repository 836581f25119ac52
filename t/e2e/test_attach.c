/* SPDX-License-Identifier: ISC */

/*
 * `reeve attach`, by somebody at a terminal of his own: what he sees, what
 * becomes of what he types, and how his terminal is given back.
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
static struct watcher	w;
static struct seat	seat;
static struct termios	found;

/* The line discipline is that of the seat's terminal, whoever has it open. */
static void
sit(unsigned rows, unsigned cols, const char *options)
{
	seat_take(&seat, &t, rows, cols, options);
	ck_assert(tcgetattr(seat.master, &found) == 0);
}

static bool
is_as_found(void)
{
	struct termios	now;

	ck_assert(tcgetattr(seat.master, &now) == 0);
	return now.c_iflag == found.c_iflag && now.c_oflag == found.c_oflag &&
	    now.c_cflag == found.c_cflag && now.c_lflag == found.c_lflag &&
	    memcmp(now.c_cc, found.c_cc, sizeof(now.c_cc)) == 0;
}

/* Given back: settings, buffer, modes; and by which exit code. */
static void
stood_up(int code)
{
	SEAT_AWAIT(&seat, seat_has_ended(&seat));
	seat_turn(&seat, 0);
	ck_assert_msg(WIFEXITED(seat.status), "status %x", seat.status);
	ck_assert_int_eq(WEXITSTATUS(seat.status), code);
	ck_assert(is_as_found());
	ck_assert(!screen_alternate(seat.screen));
	ck_assert(!screen_bracketed_paste(seat.screen));
}

START_TEST(attaches_and_detaches)
{
	pid_t	child;

	terminal_sh(&t, "never", "stty raw -echo; printf '\\033[?1049h"
	    "\\033[?2004h\\033[?1003h\\033[2Jchild=%d ' $$; "
	    "exec od -An -tx1 -v -w1");
	terminal_start(&t);
	watch(&w, &t, 24, 80);
	WATCH_AWAIT(&w, (child = watch_pid_after(&w, "child=")) > 1);
	sit(24, 80, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "child="));
	ck_assert(!is_as_found());
	ck_assert(screen_alternate(seat.screen));
	ck_assert(screen_bracketed_paste(seat.screen));
	/* Each byte, ours twice for one, and in a paste as it is. */
	seat_type(&seat, "\x00\xff\x03\x1a\x1d\x1d", 6);
	seat_type(&seat, "\x1dq\x1b[200~\x1d" "d\x1b[201~\xfe", 17);
	WATCH_AWAIT(&w, w.text != NULL && strstr(w.text, " fe") != NULL);
	SEAT_AWAIT(&seat, strstr(seat.text, " fe") != NULL);
	ck_assert_ptr_nonnull(strstr(seat.text, " 00\n ff\n 03\n 1a\n 1d\n"
	    " 1d\n 71\n 1b\n 5b\n 32\n 30\n 30\n 7e\n 1d\n 64\n 1b"));
	seat_type(&seat, "\x1d" "d", 2);
	stood_up(0);
	ck_assert_ptr_nonnull(strstr(seat.text, "detached from critic"));
	seat_leave(&seat);
	ck_assert(lives(child));
	WATCH_AWAIT(&w, strstr(w.state, "\"attachers\":1") != NULL);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

START_TEST(follows_the_size)
{
	struct winsize	ws = { .ws_row = 30, .ws_col = 90 };

	terminal_sh(&t, "never", "trap 'stty size' WINCH; echo READY; "
	    "while :; do sleep 0.02; done");
	terminal_start(&t);
	sit(20, 70, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "READY") &&
	    seat_shows(&seat, "20 70"));
	ck_assert(ioctl(seat.master, TIOCSWINSZ, &ws) == 0);
	screen_resize(seat.screen, 30, 90);
	SEAT_AWAIT(&seat, seat_shows(&seat, "30 90"));
	kill(seat.pid, SIGTERM);
	stood_up(128 + SIGTERM);
	seat_leave(&seat);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Who types while it is handed over loses no key, and is not painted anew. */
START_TEST(types_through_a_hand_over)
{
	char		text[16];
	unsigned	i;

	terminal_sh(&t, "never", "stty -echo; echo READY; n=0; while read x; "
	    "do [ \"$x\" = $n ] || echo \"LOST $n: $x\"; n=$((n + 1)); "
	    "echo \"<$n>\"; done");
	terminal_start(&t);
	sit(24, 80, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "READY"));
	for (i = 0; i < 300; i++) {
		if (i % 100 == 50)
			ck_assert(kill(t.pid, SIGUSR2) == 0);
		snprintf(text, sizeof(text), "%u\r", i);
		seat_type(&seat, text, strlen(text));
		seat_turn(&seat, 2);
	}
	SEAT_AWAIT(&seat, seat_shows(&seat, "<300>"));
	ck_assert(!seat_shows(&seat, "LOST"));
	ck_assert_uint_eq(logged_times(sp, "msg=\"handed over\""), 3);
	ck_assert_uint_eq(logged_times(sp, "msg=\"attached\""), 1);
	kill(seat.pid, SIGTERM);
	stood_up(128 + SIGTERM);
	seat_leave(&seat);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

START_TEST(waits_for_the_broker)
{
	terminal_sh(&t, "never", "printf '\\033[?1049h'; while :; do "
	    "read x; echo got:$x; done");
	terminal_start(&t);
	sit(24, 80, "");
	SEAT_AWAIT(&seat, screen_alternate(seat.screen));
	seat_type(&seat, "one\r", 4);
	SEAT_AWAIT(&seat, seat_shows(&seat, "got:one"));
	terminal_broker(false);
	terminal_broker(true);
	/* What was typed while nobody was there is not kept. */
	while (!seat_shows(&seat, "got:two")) {
		seat_type(&seat, "two\r", 4);
		seat_turn(&seat, 100);
		ck_assert(!seat_has_ended(&seat));
	}
	terminal_broker(false);
	seat_turn(&seat, 100);
	seat_type(&seat, "\x1d" "d", 2);
	stood_up(0);
	seat_leave(&seat);
	terminal_broker(true);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Nobody says good-bye for one that is killed. */
START_TEST(killed_ones_are_forgotten)
{
	terminal_sh(&t, "never", "echo READY; cat");
	terminal_start(&t);
	sit(10, 40, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "READY"));
	kill(seat.pid, SIGKILL);
	SEAT_AWAIT(&seat, seat_has_ended(&seat));
	seat_leave(&seat);
	watch(&w, &t, 24, 80);
	/* Until then it is as large as his was. */
	WATCH_AWAIT(&w, w.size_rows == 10);
	while (w.size_rows != 24) {
		watch_tell(&w);
		watch_turn(&w, 100);
	}
	ck_assert_uint_eq(w.size_cols, 80);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

START_TEST(ends_with_the_program)
{
	char	out[512];

	terminal_sh(&t, "never", "echo READY; read x; exit 7");
	terminal_start(&t);
	sit(24, 80, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "READY"));
	seat_type(&seat, "\r", 1);
	stood_up(0);
	ck_assert_ptr_nonnull(strstr(seat.text, "critic has ended with 7"));
	seat_leave(&seat);
	ck_assert_int_eq(terminal_end(&t), 0);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "attach critic"), 64);
	ck_assert_ptr_nonnull(strstr(out, "must be a terminal"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "attach nobody"), 67);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "attach ../x"), 64);
}
END_TEST

/* One that has ended while nobody could say so is not waited for. */
START_TEST(ends_with_its_note)
{
	char	out[512], note[400];

	terminal_sh(&t, "never", "echo READY; exec sleep 1000");
	terminal_start(&t);
	sit(24, 80, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "READY"));
	snprintf(out, sizeof(out), "%s/agent.json", t.dir);
	snprintf(note, sizeof(note), "{\"name\":\"critic\",\"id\":\"%s\","
	    "\"state\":\"ended\"}", t.id);
	ck_assert(file_write_private(out, note, 0600, NULL) == 0);
	terminal_broker(false);
	stood_up(0);
	ck_assert_ptr_nonnull(strstr(seat.text, "critic has ended"));
	seat_leave(&seat);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "attach critic"), 67);
	ck_assert_ptr_nonnull(strstr(out, "critic has ended: `reeve logs "
	    "critic`"));
	terminal_broker(true);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* Real ones, where they are installed. */
static bool
are_installed(const char *programs)
{
	char	cmd[100];

	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", programs);
	if (system(cmd) == 0)
		return true;
	printf("not installed: %s\n", programs);
	return false;
}

START_TEST(real_programs)
{
	static const char	quit[] = "\033:q!\r";

	if (!are_installed("less") || (!are_installed("vim") &&
	    !are_installed("vim.tiny")))
		return;
	terminal_sh(&t, "never", "export HOME=/nonexistent LC_ALL=C.UTF-8; "
	    "seq 500 >n; less n; "
	    "$(command -v vim || command -v vim.tiny) -u NONE -N n; "
	    "echo DONE; sleep 1000");
	terminal_start(&t);
	sit(24, 80, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "\n23\n"));
	seat_type(&seat, "G", 1);
	SEAT_AWAIT(&seat, seat_shows(&seat, "\n500\n"));
	seat_type(&seat, "q", 1);
	SEAT_AWAIT(&seat, seat_shows(&seat, "500 lines") ||
	    seat_shows(&seat, "500L"));
	seat_type(&seat, "ihello \xc3\xa9", 9);
	SEAT_AWAIT(&seat, seat_shows(&seat, "hello \xc3\xa9"));
	watch(&w, &t, 24, 80);
	ck_assert(watch_shows(&w, "hello \xc3\xa9"));
	seat_type(&seat, "\x1d" "d", 2);
	stood_up(0);
	seat_leave(&seat);
	sit(24, 80, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "hello \xc3\xa9") &&
	    screen_alternate(seat.screen));
	seat_type(&seat, quit, sizeof(quit) - 1);
	SEAT_AWAIT(&seat, seat_shows(&seat, "DONE"));
	ck_assert(!screen_alternate(seat.screen));
	kill(seat.pid, SIGHUP);
	stood_up(128 + SIGHUP);
	seat_leave(&seat);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

/* A terminal in a terminal is left, and found again as it was. */
START_TEST(programs_of_the_whole_screen)
{
	if (!are_installed("htop") || !are_installed("tmux"))
		return;
	terminal_sh(&t, "never", "export HOME=/nonexistent LC_ALL=C.UTF-8 "
	    "TMUX_TMPDIR=.; htop; tmux -f /dev/null new "
	    "'echo inside $TERM; read x; echo and $x; read x'; "
	    "echo DONE; sleep 1000");
	terminal_start(&t);
	sit(24, 80, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "PID") &&
	    seat_shows(&seat, "CPU%"));
	seat_type(&seat, "q", 1);
	SEAT_AWAIT(&seat, seat_shows(&seat, "inside ") &&
	    seat_shows(&seat, "[0]"));
	ck_assert(!seat_shows(&seat, "CPU%"));
	seat_type(&seat, "\x1d" "d", 2);
	stood_up(0);
	seat_leave(&seat);
	sit(24, 80, "");
	SEAT_AWAIT(&seat, seat_shows(&seat, "inside ") &&
	    seat_shows(&seat, "[0]") && screen_alternate(seat.screen));
	seat_type(&seat, "more\r", 5);
	SEAT_AWAIT(&seat, seat_shows(&seat, "and more"));
	watch(&w, &t, 24, 80);
	ck_assert(watch_shows(&w, "inside ") && watch_shows(&w, "and more"));
	seat_type(&seat, "\r", 1);
	SEAT_AWAIT(&seat, seat_shows(&seat, "DONE"));
	ck_assert(!screen_alternate(seat.screen));
	kill(seat.pid, SIGHUP);
	stood_up(128 + SIGHUP);
	seat_leave(&seat);
	watch_end(&w);
	ck_assert_int_eq(terminal_end(&t), 0);
}
END_TEST

int
main(void)
{
	TCase	*attached = tcase_create("attached");

	tcase_add_checked_fixture(attached, terminal_setup,
	    terminal_teardown);
	tcase_set_timeout(attached, 90);
	tcase_add_test(attached, attaches_and_detaches);
	tcase_add_test(attached, follows_the_size);
	tcase_add_test(attached, types_through_a_hand_over);
	tcase_add_test(attached, waits_for_the_broker);
	tcase_add_test(attached, killed_ones_are_forgotten);
	tcase_add_test(attached, ends_with_the_program);
	tcase_add_test(attached, ends_with_its_note);
	tcase_add_test(attached, real_programs);
	tcase_add_test(attached, programs_of_the_whole_screen);
	return test_main("attach", attached, NULL);
}
