/* SPDX-License-Identifier: ISC */
/*
 * tmux as the judge: what it shows of a program's output is what our screen
 * has, and what it shows of our repaint is too, whatever it showed before.
 * The programs are real ones, in a real terminal.  77 without tmux.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "screen.h"

#define ROWS	24
#define COLS	80
#define WAIT_S	20

/* --- tmux ----------------------------------------------------------------- */

/* A server of our own, and in it a pane that shows what we write to a fifo; it
 * ends when nobody has that open any more, as when a test has failed. */
static char	dir[64];
static int	fifo = -1;
static int	marks;

static double
now(void)
{
	struct timespec	t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What a tmux command prints. */
static void
tmux(struct bytes *out, const char *fmt, ...)
{
	char	cmd[512], buf[4096];
	va_list	ap;
	size_t	n;
	int	at;
	FILE	*f;

	at = snprintf(cmd, sizeof(cmd), "exec tmux -u -S %s/s -f %s/conf ", dir,
	    dir);
	va_start(ap, fmt);
	vsnprintf(cmd + at, sizeof(cmd) - (size_t)at, fmt, ap);
	va_end(ap);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		bytes_add(out, buf, n);
	ck_assert_msg(pclose(f) == 0, "%s", cmd);
	bytes_add(out, "", 1);
	ck_assert(!out->failed);
	out->n--;
}

static void
write_all(int fd, const void *p, size_t n)
{
	const char	*s = p;
	ssize_t		 w;

	for (; n > 0; s += w, n -= (size_t)w) {
		w = write(fd, s, n);
		ck_assert_msg(w > 0, "write: %s", strerror(errno));
	}
}

static void
start_tmux(void)
{
	struct bytes	b = { 0 };
	char		path[128];
	FILE		*f;

	snprintf(dir, sizeof(dir), "/tmp/reeve-tmux-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("set -g status off\nset -g history-limit 2000\n", f);
	fclose(f);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	tmux(&b, "new-session -d -s t -x %d -y %d \"stty raw -echo; "
	    "exec cat %s\"", COLS, ROWS, path);
	/* Returns when the other end is there. */
	fifo = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fifo, 0);
	bytes_free(&b);
}

static void
stop_tmux(void)
{
	struct bytes	b = { 0 };
	char		path[128];
	const char	*const files[] = { "conf", "fifo", "s" };
	size_t		i;

	tmux(&b, "kill-server");
	bytes_free(&b);
	close(fifo);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

/* Shown by tmux once it has the title that follows. */
static void
show(const void *p, size_t n)
{
	struct bytes	b = { 0 };
	char		mark[64], seq[80];
	double		until = now() + WAIT_S;

	snprintf(mark, sizeof(mark), "mark-%d\n", ++marks);
	snprintf(seq, sizeof(seq), "\033]2;mark-%d\033\\", marks);
	write_all(fifo, p, n);
	write_all(fifo, seq, strlen(seq));
	do {
		bytes_clear(&b);
		tmux(&b, "display-message -p -t t '#{pane_title}'");
		ck_assert_msg(now() < until, "tmux does not show it: %s", b.p);
	} while (strcmp(b.p, mark) != 0);
	bytes_free(&b);
}

/* What it shows, read by a screen of ours. */
static struct screen *
seen(const char *which)
{
	struct screen	*s = screen_new(ROWS, COLS, 0, NULL, NULL);
	struct bytes	 b = { 0 };
	size_t		 i, line;

	ck_assert_ptr_nonnull(s);
	tmux(&b, "capture-pane -p -e -N %s -t t", which);
	screen_feed(s, "\033)0", 3);
	for (i = line = 0; i < b.n; i++)
		if (b.p[i] == '\n') {
			screen_feed(s, b.p + line, i - line);
			screen_feed(s, "\r\n", i + 1 < b.n ? 2 : 0);
			line = i + 1;
		}
	bytes_free(&b);
	return s;
}

/* --- as it is seen -------------------------------------------------------- */

static struct screen_cell
looks(const struct screen *s, int buffer, int row, int col)
{
	struct screen_cell	c;

	if (!screen_cell(s, buffer, row, col, &c))
		ck_abort_msg("no cell");
	if (c.ch == 0 && c.width == 1)
		c.ch = ' ';
	/* What no eye can tell. */
	if (c.ch == ' ' && !(c.attr & 0x7c8))
		c.fg = 0;
	if (c.ch == ' ' && !(c.attr & 0x7c8))
		c.attr = 0;
	return c;
}

/* In live output a row that scrolls in has a colour here and none in tmux. */
static bool	erased_any_colour;

/* The last column of a row that something was written to; -1: none. */
static int
last_used(const struct screen *s, int buffer, int row)
{
	struct screen_cell	c;
	int			col;

	for (col = COLS - 1; col >= 0; col--) {
		screen_cell(s, buffer, row, col, &c);
		if (c.ch != 0 || c.width == 0)
			break;
	}
	return col;
}

static void
same_look(const struct screen *s, int buffer, const struct screen *t,
    const char *what)
{
	struct screen_cell	a, b;
	int			row, col, used;

	for (row = 0; row < ROWS; row++)
		for (col = 0, used = last_used(s, buffer, row); col < COLS;
		    col++) {
			a = looks(s, buffer, row, col);
			b = looks(t, 0, row, col);
			/* tmux does not tell the colour of an erased end. */
			if (col > used || (erased_any_colour && a.ch == ' ' &&
			    b.ch == ' '))
				a.bg = b.bg = 0;
			if (memcmp(&a, &b, sizeof(a)) != 0)
				ck_abort_msg("%s: row %d column %d: ours "
				    "U+%04X attr %x fg %x bg %x, tmux's "
				    "U+%04X attr %x fg %x bg %x", what, row,
				    col, a.ch, a.attr, a.fg, a.bg, b.ch,
				    b.attr, b.fg, b.bg);
		}
}

/* Where tmux's cursor is; behind the edge it is at column COLS. */
static void
same_cursor(const struct screen *s, const char *what)
{
	struct bytes	b = { 0 }, state = { 0 };
	char		ours[64], pend;
	int		row, col, alt;

	screen_state(s, &state);
	bytes_add(&state, "", 1);
	ck_assert_int_eq(sscanf(state.p, "%*dx%*d alt %d at %d,%d%c", &alt,
	    &row, &col, &pend), 4);
	if (pend == '!')
		col++;
	snprintf(ours, sizeof(ours), "%d,%d alt %d\n", row, col, alt);
	tmux(&b, "display-message -p -t t "
	    "'#{cursor_y},#{cursor_x} alt #{alternate_on}'");
	ck_assert_msg(strcmp(b.p, ours) == 0, "%s: ours %stmux's %s", what,
	    ours, b.p);
	bytes_free(&b);
	bytes_free(&state);
}

static void
judge(const struct screen *s, const char *what)
{
	struct screen	*t = seen("");

	same_look(s, screen_alternate(s), t, what);
	screen_free(t);
	same_cursor(s, what);
	if (screen_alternate(s)) {
		t = seen("-a");
		same_look(s, 0, t, what);
		screen_free(t);
	}
}

static void
judge_repaint(const struct screen *s, int flags, const char *what)
{
	struct bytes	b = { 0 };

	screen_repaint(s, flags, &b);
	show(b.p, b.n);
	bytes_free(&b);
	judge(s, what);
}

/* --- a program in a terminal ---------------------------------------------- */

struct session {
	struct screen	*s;
	struct bytes	 record;	/* what it printed, as it came */
	pid_t		 pid;
	int		 fd;
};

static void
answer(void *arg, const void *p, size_t n)
{
	write_all(((struct session *)arg)->fd, p, n);
}

static const struct screen_ops	answers = { .reply = answer };

static void
run(struct session *c, char *const argv[])
{
	struct winsize	ws = { .ws_row = ROWS, .ws_col = COLS };

	*c = (struct session){ 0 };
	c->s = screen_new(ROWS, COLS, 1000, &answers, c);
	ck_assert_ptr_nonnull(c->s);
	c->pid = forkpty(&c->fd, NULL, NULL, &ws);
	ck_assert_int_ge(c->pid, 0);
	if (c->pid == 0) {
		setenv("TERM", "xterm-256color", 1);
		setenv("LC_ALL", "C.UTF-8", 1);
		setenv("PS1", "$ ", 1);
		unsetenv("TMUX");
		execvp(argv[0], argv);
		_exit(127);
	}
}

/* What there is within ms; false when the program has ended. */
static bool
take(struct session *c, int ms)
{
	struct pollfd	p = { .fd = c->fd, .events = POLLIN };
	char		buf[4096];
	ssize_t		n;

	while (poll(&p, 1, ms) > 0) {
		if ((n = read(c->fd, buf, sizeof(buf))) <= 0)
			return false;
		bytes_add(&c->record, buf, (size_t)n);
		screen_feed(c->s, buf, (size_t)n);
		ms = 30;
	}
	return true;
}

static bool
shows(const struct screen *s, const char *text)
{
	struct screen_cell	c;
	char			line[COLS + 1];
	int			row, col;

	for (row = 0; row < ROWS; row++) {
		for (col = 0; col < COLS; col++) {
			screen_cell(s, screen_alternate(s), row, col, &c);
			line[col] = c.ch >= 0x20 && c.ch < 0x7f ? (char)c.ch :
			    ' ';
		}
		line[COLS] = '\0';
		if (strstr(line, text) != NULL)
			return true;
	}
	return false;
}

/* Keys, and what is to be seen of them. */
static void
type(struct session *c, const char *keys, const char *until)
{
	double	end = now() + WAIT_S;
	bool	alive = true;

	write_all(c->fd, keys, strlen(keys));
	while (alive && !shows(c->s, until)) {
		ck_assert_msg(now() < end, "%s is not shown after %s", until,
		    keys);
		alive = take(c, 100);
	}
	ck_assert_msg(shows(c->s, until), "ended without %s", until);
	take(c, 30);
}

/* tmux, given all that was printed from the start, and then our repaint. */
static void
compare(struct session *c, const char *what)
{
	char	name[128];

	show("\033c\033[3J", 6);
	show(c->record.p, c->record.n);
	snprintf(name, sizeof(name), "%s, as printed", what);
	judge(c->s, name);
	snprintf(name, sizeof(name), "%s, painted over itself", what);
	judge_repaint(c->s, 0, name);
	snprintf(name, sizeof(name), "%s, painted with its history", what);
	judge_repaint(c->s, SCREEN_HISTORY | SCREEN_FORGET, name);
}

static void
end(struct session *c)
{
	close(c->fd);
	kill(c->pid, SIGKILL);
	ck_assert_int_eq(waitpid(c->pid, NULL, 0), c->pid);
	screen_free(c->s);
	bytes_free(&c->record);
}

static bool
have(const char *program)
{
	char	cmd[64];

	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null 2>&1", program);
	if (system(cmd) == 0)
		return true;
	printf("no %s here\n", program);
	return false;
}

/* --- the programs --------------------------------------------------------- */

#define ARGV(...)	((char *const []){ __VA_ARGS__, NULL })

START_TEST(bash)
{
	struct session	c;

	if (!have("bash"))
		return;
	run(&c, ARGV("bash", "--norc", "--noprofile"));
	type(&c, "", "$ ");
	type(&c, "seq 1 100; echo en'd'1\n", "end1");
	compare(&c, "bash: scrolled");
	type(&c, "for i in {0..255}; do printf '\\e[48;5;%dm%3d' $i $i; done; "
	    "printf '\\e[K\\e[0m\\n'; echo en'd'2\n", "end2");
	compare(&c, "bash: colours");
	type(&c, "printf '%0.s-' {1..79}; printf '\\u4e2d\\u6587e\\u0301\\n'; "
	    "printf 'a\\tb\\e[1;3;4;9mc\\e[0m\\n'; echo en'd'3\n", "end3");
	compare(&c, "bash: wide ones");
	/* Editing a line longer than a row. */
	type(&c, "\033[200~echo 0123456789012345678901234567890123456789"
	    "01234567890123456789012345678901234567890123456789\033[201~"
	    "\001\033f\033f\002X", "X");
	compare(&c, "bash: a long line");
	end(&c);
}
END_TEST

START_TEST(vim)
{
	struct session	c;

	if (!have("vim"))
		return;
	run(&c, ARGV("vim", "-u", "NONE", "-i", "NONE", "-n", "-N"));
	type(&c, "", "VIM - Vi IMproved");
	compare(&c, "vim: its start");
	type(&c, ":set number ruler hlsearch mouse=a\r"
	    "ihello \344\270\255\346\226\207 world\r\tint main(void)\033"
	    "yyP100p:1\r/hello\r:echo 'se'.'en'\r", "seen");
	compare(&c, "vim: a file");
	type(&c, ":split\r:vsplit\rG:syntax on\r:set ft=c\r:set cursorline\r"
	    "5\031:echo 'se'.'en2'\r", "seen2");
	compare(&c, "vim: windows");
	type(&c, ":qa!\r", "");
	while (take(&c, 100))
		;
	compare(&c, "vim: left");
	ck_assert(!screen_alternate(c.s));
	end(&c);
}
END_TEST

START_TEST(less)
{
	struct session	c;

	if (!have("less"))
		return;
	run(&c, ARGV("sh", "-c", "for i in $(seq 1 300); do printf "
	    "'\\033[3%dmline %d\\033[0m \\tof text\\n' $((i % 8)) $i; done | "
	    "less -R"));
	type(&c, "", "line 5 ");
	compare(&c, "less: its start");
	type(&c, " kk/200\r", "line 210 ");
	compare(&c, "less: found");
	type(&c, "Gbb", "line 240 ");
	compare(&c, "less: back");
	end(&c);
}
END_TEST

START_TEST(htop)
{
	struct session	c;

	if (!have("htop"))
		return;
	run(&c, ARGV("htop", "-d", "100"));
	type(&c, "", "Quit");
	compare(&c, "htop: its start");
	type(&c, "\033[B\033[B\033OQ", "Categories");
	compare(&c, "htop: setup");
	end(&c);
}
END_TEST

/* --- random output: painted by tmux --------------------------------------- */

static uint64_t	seed = 0x9e3779b97f4a7c14ULL;

static unsigned int
pick(unsigned int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)(seed >> 32) % n;
}

static void
random_output(struct screen *s, bool wide)
{
	static const char	*const seqs[] = { "\344\270\255", "hello",
				    "\303\251t\303\251", "\r\n", "\n", "\033[K",
				    "\033[1K", "\033[2L", "\033[3M", "\033[4@",
				    "\033[2P", "\033[5X", "\033[1;31m",
				    "\033[48;5;60m", "\033[38;2;1;200;3m",
				    "\033[0m", "\033[7m", "\033[4:3m", "\033M",
				    "\033[3;20r", "\033[r", "\033[?1049h",
				    "\033[?1049l", "\0337", "\0338", "\033[J",
				    "\033[?6h", "\033[?6l", "\033(0qqx\033(B",
				    "e\314\201", "\033[78G", "abc" };
	struct bytes		b = { 0 };
	int			i;

	for (i = 0; i < 400; i++)
		if (pick(4) == 0)
			bytes_fmt(&b, "\033[%u;%uH", 1 + pick(ROWS),
			    1 + pick(COLS));
		else
			bytes_str(&b, seqs[!wide + pick(sizeof(seqs) /
			    sizeof(seqs[0]) - !wide)]);
	screen_feed(s, b.p, b.n);
	bytes_free(&b);
}

START_TEST(random_screens)
{
	struct screen	*s;
	char		 what[64];
	int		 i;

	for (i = 0; i < 60; i++) {
		s = screen_new(ROWS, COLS, 100, NULL, NULL);
		ck_assert_ptr_nonnull(s);
		random_output(s, true);
		snprintf(what, sizeof(what), "random screen %d", i);
		judge_repaint(s, i % 2 ? 0 : SCREEN_HISTORY | SCREEN_FORGET,
		    what);
		screen_free(s);
	}
}
END_TEST

/*
 * What attachers hear after a repaint: the same, where terminals disagree too.
 * But for half of a wide character erased, which tmux leaves as it is.
 */
static void
hear(void *arg, const void *p, size_t n)
{
	bytes_add(arg, p, n);
}

START_TEST(random_live)
{
	static const struct screen_ops	ops = { .live = hear };
	struct bytes			live = { 0 };
	struct screen			*s;
	char				what[64];
	int				i;

	s = screen_new(ROWS, COLS, 100, &ops, &live);
	ck_assert_ptr_nonnull(s);
	random_output(s, false);
	judge_repaint(s, 0, "the first");
	erased_any_colour = true;
	for (i = 0; i < 60; i++) {
		bytes_clear(&live);
		random_output(s, false);
		show(live.p, live.n);
		snprintf(what, sizeof(what), "live %d", i);
		judge(s, what);
	}
	screen_free(s);
	bytes_free(&live);
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("tmux");
	TCase	*tc;
	SRunner	*sr;
	int	 failed;

	if (!have("tmux"))
		return 77;
	tc = tcase_create("programs");
	tcase_add_checked_fixture(tc, start_tmux, stop_tmux);
	tcase_set_timeout(tc, 4 * WAIT_S);
	tcase_add_test(tc, bash);
	tcase_add_test(tc, vim);
	tcase_add_test(tc, less);
	tcase_add_test(tc, htop);
	suite_add_tcase(suite, tc);
	tc = tcase_create("random");
	tcase_add_checked_fixture(tc, start_tmux, stop_tmux);
	tcase_set_timeout(tc, 4 * WAIT_S);
	tcase_add_test(tc, random_screens);
	tcase_add_test(tc, random_live);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
