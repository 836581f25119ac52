/* SPDX-License-Identifier: ISC */
/*
 * The screen of a terminal: what others crash on, and that who comes late sees
 * what is seen by who was there.  REEVE_SCREEN_SECONDS is how long the random
 * ones last (1.5 each), REEVE_SCREEN_SEED where they begin.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "screen.h"

#define HISTORY	200

/* --- a screen, and what came out of it ------------------------------------ */

struct rig {
	struct screen	*s;
	struct bytes	 live, reply;
	char		 title[SCREEN_TITLE_MAX + 1];
	int		 bells;
};

static void
on_live(void *arg, const void *p, size_t n)
{
	bytes_add(&((struct rig *)arg)->live, p, n);
}

static void
on_reply(void *arg, const void *p, size_t n)
{
	bytes_add(&((struct rig *)arg)->reply, p, n);
}

static void
on_title(void *arg, const char *title)
{
	struct rig	*r = arg;

	snprintf(r->title, sizeof(r->title), "%s", title);
}

static void
on_bell(void *arg)
{
	((struct rig *)arg)->bells++;
}

static const struct screen_ops	ops = { on_reply, on_live, on_title, on_bell };

static void
rig(struct rig *r, int rows, int cols)
{
	*r = (struct rig){ 0 };
	r->s = screen_new(rows, cols, HISTORY, &ops, r);
	ck_assert_ptr_nonnull(r->s);
}

static void
unrig(struct rig *r)
{
	screen_free(r->s);
	bytes_free(&r->live);
	bytes_free(&r->reply);
}

static void
feed(struct rig *r, const char *s)
{
	screen_feed(r->s, s, strlen(s));
}

/* An assertion is a system call each; a cell is too little for one. */
static struct screen_cell
cell(const struct screen *s, int buffer, int row, int col)
{
	struct screen_cell	c;

	if (!screen_cell(s, buffer, row, col, &c))
		ck_abort_msg("no cell %d of row %d", col, row);
	return c;
}

/* All cells as text: the rows with their blanks cut off, joined by '|'. */
static const char *
shown(const struct screen *s)
{
	static char		buf[8192];
	struct screen_cell	c;
	size_t			n = 0, end;
	int			rows, cols, row, col;

	screen_size(s, &rows, &cols);
	for (row = 0; row < rows; row++) {
		for (col = 0, end = n; col < cols; col++) {
			c = cell(s, screen_alternate(s), row, col);
			if (c.width == 0)
				continue;
			buf[n++] = c.ch == 0 ? ' ' : c.ch < 0x80 ? (char)c.ch :
			    c.width == 2 ? 'W' : 'u';
			if (c.mark[0] != 0)
				buf[n++] = '\'';
			if (c.ch != 0)
				end = n;
		}
		n = end;
		buf[n++] = '|';
	}
	buf[n] = '\0';
	return buf;
}

static void
cursor_is(const struct screen *s, int row, int col)
{
	struct bytes	b = { 0 };
	int		r = -1, c = -1;

	screen_state(s, &b);
	bytes_add(&b, "", 1);
	ck_assert_int_eq(sscanf(b.p, "%*dx%*d alt %*d at %d,%d", &r, &c), 2);
	ck_assert_msg(r == row && c == col, "%s, not at %d,%d", b.p, row, col);
	bytes_free(&b);
}

/* --- equal ---------------------------------------------------------------- */

#define TABS	0x1	/* these too */

static void
same_state(const struct screen *a, const struct screen *b, int what,
    const char *when)
{
	struct bytes	x = { 0 }, y = { 0 };

	screen_state(a, &x);
	screen_state(b, &y);
	bytes_add(&x, "", 1);
	bytes_add(&y, "", 1);
	if (!(what & TABS)) {
		*strstr(x.p, " tabs ") = '\0';
		*strstr(y.p, " tabs ") = '\0';
	}
	ck_assert_msg(strcmp(x.p, y.p) == 0, "%s:\n%s\n%s", when, x.p, y.p);
	bytes_free(&x);
	bytes_free(&y);
}

static void
same_cells(const struct screen *a, const struct screen *b, int buffer,
    int from, const char *when)
{
	struct screen_cell	x, y;
	int			rows, cols, row, col;

	screen_size(a, &rows, &cols);
	for (row = from; row < rows; row++)
		for (col = 0; col < cols; col++) {
			x = cell(a, buffer, row, col);
			y = cell(b, buffer, row, col);
			/* A row from when the screen was wider is cut. */
			if ((row < 0 && col == cols - 1 && x.width == 2) ||
			    memcmp(&x, &y, sizeof(x)) == 0)
				continue;
			ck_abort_msg("%s: buffer %d row %d column %d: U+%04X width %d "
			    "attr %x fg %x bg %x, U+%04X width %d attr %x "
			    "fg %x bg %x", when, buffer, row, col, x.ch,
			    x.width, x.attr, x.fg, x.bg, y.ch, y.width,
			    y.attr, y.fg, y.bg);
		}
}

static void
same(const struct screen *a, const struct screen *b, int what,
    const char *when)
{
	same_state(a, b, what, when);
	ck_assert_int_eq(screen_history(a), screen_history(b));
	same_cells(a, b, 0, -screen_history(a), when);
	if (screen_alternate(a))
		same_cells(a, b, 1, 0, when);
}

/* Who comes now. */
static struct screen *
late(const struct screen *s)
{
	struct bytes	 b = { 0 };
	struct screen	*t;
	int		 rows, cols;

	screen_size(s, &rows, &cols);
	t = screen_new(rows, cols, HISTORY, NULL, NULL);
	ck_assert_ptr_nonnull(t);
	screen_repaint(s, SCREEN_HISTORY, &b);
	ck_assert(!b.failed);
	screen_feed(t, b.p, b.n);
	bytes_free(&b);
	return t;
}

static void
late_is_same(const struct screen *s, const char *when)
{
	struct screen	*t = late(s);

	same(s, t, 0, when);
	screen_free(t);
}

/* --- what others crash on ------------------------------------------------- */

static void
survives(const char *p, size_t n)
{
	static const int	sizes[][2] = { { 24, 80 }, { 2, 2 }, { 1, 1 },
				    { 3, 3 }, { 5, 2 }, { 2, 5 } };
	struct rig		r;
	size_t			i, cut;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (cut = 0; cut <= n && cut < 64;
		    cut += 1 + n / 24) {
			rig(&r, sizes[i][0], sizes[i][1]);
			screen_feed(r.s, p, cut);
			screen_feed(r.s, p + cut, n - cut);
			feed(&r, "\033\\\033[Hok");
			late_is_same(r.s, "after what others crash on");
			screen_resize(r.s, 2, 2);
			feed(&r, "\0338\033[?1049l\0338x");
			late_is_same(r.s, "after that, smaller");
			screen_resize(r.s, 30, 100);
			late_is_same(r.s, "after that, larger");
			unrig(&r);
		}
}

START_TEST(what_others_crash_on)
{
	static const char	*const seqs[] = {
		/* Parameters without end: a heap overflow in libvterm. */
		"\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21m",
		"\033[;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;H",
		"\033[1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18m",
		"\033[38;38;48;38;2m\033[38m\033[48;2;1m\033[38:2m\033[48;5m",
		/* 8-bit controls as characters, then what erases. */
		"a\302\200\302\205\302\233\302\237\033[K\033[1K\033[2K",
		"\302\233\033[J\033[1J\033[2J\302\220\033[P\033[@",
		/* A wide character again and again at the edge. */
		"\033[999C\344\270\255\033[20b\033[9999b\033[2147483648b",
		"\344\270\255\033[3b\344\270\255\344\270\255\033[b\033[K",
		/* Counts near 2^31 and beyond. */
		"\033[2147483647C\033[2147483648B\033[4294967297A\033[-1D",
		"\033[2147483647@\033[2147483647P\033[2147483647X",
		"\033[2147483647L\033[2147483647M\033[2147483647S",
		"\033[2147483647T\033[2147483647I\033[2147483647Z",
		"\033[2147483647;2147483647r\033[2147483647;2147483647H",
		"\033[99999999999999999999999999999999999999999999999999m",
		/* Strings, split and without end. */
		"\033]0;title\007\033]2;x\033\\\033]\033\\\033]0;",
		"\033P$qm\033\\\033P$q\033\\\033P$qr\033\\\033P+q544e\033\\",
		"\033]0;a\033]0;b\033P\033]\033_x\033^y\033X\030z",
		"\033]11;?\007\033]52;c;!\007\033]4;1;?\033\\",
		/* The region, the origin, what is saved. */
		"\033[5;20r\033[?6h\0337\033[10;10H\0337\033[r\0338\033[?6l",
		"\033[9999;9999H\0337\033[?1049h\033[9999;9999H\0337",
		"\033[?69h\033[2;3s\033[?69l\033#3\033#4\033#5\033#6\033#8",
		"\033[?1048h\033[?1048l\033[?47h\033[?1047l\033[?1049l",
		/* Characters in parts, wrong, and of no width. */
		"\360\237\230\360\237\230\200\355\240\200\300\200\377\376",
		"\314\201\033[999C\314\201x\314\201\314\201\314\201\314\201",
		"\357\277\277\357\277\276\364\217\277\277\364\220\200\200",
		/* Single shifts, locking shifts, 8-bit answers, resets. */
		"\033N\344\270\255\033O\303\251\033n\033o\033~\033}\033|a",
		"\033 G\033[c\033[>c\033[6n\033 F\033c\033[!p\033[?5n",
		"\033(0lqk\033)0\016x\017\033%G\033%@\033(Z\033[3h\033[?3h",
		"\033[4h\344\270\255\344\270\255abc\033[999Cz\344\270\255\033[4l",
		"\033[?7l\033[999C\344\270\255abc\344\270\255\033[?7h",
		"\033[?\033[<\033[=1h\033[>4;1m\033[?1;2;3;6;7;1049;2004h",
		"\033[1 q\033[9 q\033[ q\033[1\"q\033[?2$p\033[4$p\033[2*x",
	};
	size_t	i;

	for (i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++)
		survives(seqs[i], strlen(seqs[i]));
}
END_TEST

/* What is saved, and where the region is, outlives that there is less room. */
START_TEST(smaller_and_back)
{
	struct rig	r;

	rig(&r, 24, 80);
	feed(&r, "\033[20;24r\033[24;80H\0337\033[?1049h\033[24;80H\0337");
	screen_resize(r.s, 3, 10);
	feed(&r, "\0338\344\270\255x\033[L\033[M\n\033M");
	late_is_same(r.s, "smaller");
	feed(&r, "\033[?1049l\0338\033[@\033[P\n\n\033M");
	late_is_same(r.s, "smaller, back in the primary");
	screen_resize(r.s, 24, 80);
	feed(&r, "\033[24;80H\n\0338");
	late_is_same(r.s, "as large as before");
	screen_resize(r.s, 0, -5);
	feed(&r, "\033[99;99H\344\270\255x\033[4b");
	late_is_same(r.s, "as small as can be");
	screen_resize(r.s, 1 << 30, 1 << 30);
	feed(&r, "\033[999;9999H\344\270\255x\n\033[4b");
	late_is_same(r.s, "as large as can be");
	unrig(&r);
}
END_TEST

/* --- what is shown -------------------------------------------------------- */

#define SHOWS(in, out)							\
	do {								\
		rig(&r, 4, 10);						\
		feed(&r, in);						\
		ck_assert_str_eq(shown(r.s), out);			\
		late_is_same(r.s, in);					\
		unrig(&r);						\
	} while (0)

START_TEST(text_and_cursor)
{
	struct rig	r;

	SHOWS("hello", "hello||||");
	SHOWS("one\r\ntwo\tx", "one|two     x|||");
	SHOWS("0123456789", "0123456789||||");
	SHOWS("0123456789a", "0123456789|a|||");
	SHOWS("0123456789\ra", "a123456789||||");
	SHOWS("0123456789\ba", "01234567a9||||");
	SHOWS("a\r\nb\r\nc\r\nd\r\ne", "b|c|d|e|");
	SHOWS("\033[2;3Hx\033[Ay\033[2Dz", "  zy|  x|||");
	SHOWS("abcdef\033[3G\033[2P", "abef||||");
	SHOWS("abcdef\033[3G\033[2@", "ab  cdef||||");
	SHOWS("abcdef\033[3G\033[2X", "ab  ef||||");
	SHOWS("abc\033[4hx\033[2Gy\033[4l", "aybcx||||");
	SHOWS("ab\033[3b", "abbbb||||");
	SHOWS("\033(0qx\033(Bq", "uuq||||");
	SHOWS("\033)0q\016q\017q", "quq||||");
	SHOWS("a\r\nb\r\nc\033[2;3r\033[2;1H\033[L", "a||b||");
	SHOWS("\033[?7l0123456789abc", "012345678c||||");
	SHOWS("\033#8\033[2;2H\033[J", "EEEEEEEEEE|E|||");
	SHOWS("x\033[2;4r\033[4;1HA\nB", "x||A| B|");
	SHOWS("\033[3g\033[5G\033H\r\tx", "    x||||");
}
END_TEST

START_TEST(wide_characters)
{
	struct rig	r;

	SHOWS("\344\270\255x", "Wx||||");
	SHOWS("012345678\344\270\255", "012345678|W|||");
	SHOWS("01234567\344\270\255", "01234567W||||");
	SHOWS("01234567\344\270\255x", "01234567W|x|||");
	/* Half of one is none. */
	SHOWS("\344\270\255\rx", "x||||");
	SHOWS("\344\270\255\033[2Gx", " x||||");
	SHOWS("\344\270\255\344\270\255\033[2G\033[P", " W||||");
	SHOWS("a\344\270\255\033[3G\033[@", "a||||");
	SHOWS("01234567\344\270\255\033[1G\033[@", " 01234567||||");
	SHOWS("e\314\201x", "e'x||||");
	SHOWS("012345678e\314\201", "012345678e'||||");
	SHOWS("\344\270\255\314\201", "W'||||");
	SHOWS("\314\201x", "x||||");
	SHOWS("\303\050\377", "u(u||||");
	SHOWS("a\302\233b", "ab||||");
}
END_TEST

START_TEST(cursor_behind_the_edge)
{
	struct rig	r;

	rig(&r, 4, 10);
	feed(&r, "0123456789");
	cursor_is(r.s, 0, 9);
	late_is_same(r.s, "behind the edge");
	/* Saved, somewhere else, back: the next one wraps. */
	feed(&r, "\0337\033[3;3Hzz\0338");
	late_is_same(r.s, "behind it again");
	feed(&r, "w");
	ck_assert_str_eq(shown(r.s), "0123456789|w|  zz||");
	feed(&r, "\033[1;9H\344\270\255");
	cursor_is(r.s, 0, 9);
	late_is_same(r.s, "behind a wide one");
	feed(&r, "\033[?1049h\033[2;2Hq");
	late_is_same(r.s, "in the alternate buffer");
	feed(&r, "\033[?1049lv");
	ck_assert_str_eq(shown(r.s), "01234567W|v|  zz||");
	unrig(&r);
}
END_TEST

START_TEST(alternate_buffer)
{
	struct rig	r;

	rig(&r, 4, 10);
	feed(&r, "shell\r\n$ \033[1;31m\033[?1049h\033[2J\033[Heditor");
	ck_assert_str_eq(shown(r.s), "editor||||");
	ck_assert(screen_alternate(r.s));
	late_is_same(r.s, "in the editor");
	feed(&r, "\033[?1049l");
	ck_assert_str_eq(shown(r.s), "shell|$ |||");
	cursor_is(r.s, 1, 2);
	late_is_same(r.s, "back in the shell");
	unrig(&r);
}
END_TEST

START_TEST(history_is_kept)
{
	struct rig		 r;
	struct screen_cell	 c;
	struct bytes		 b = { 0 };
	char			 line[32];
	int			 i;

	rig(&r, 4, 20);
	for (i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "\033[%dmline %d\r\n", 31 + i % 7,
		    i);
		feed(&r, line);
	}
	ck_assert_int_eq(screen_history(r.s), HISTORY);
	c = cell(r.s, 0, -1, 7);
	ck_assert_uint_eq(c.ch, '6');
	late_is_same(r.s, "with a full history");
	screen_text(r.s, 3, &b);
	bytes_add(&b, "", 1);
	ck_assert_str_eq(b.p, "line 997\nline 998\nline 999\n");
	bytes_free(&b);
	/* Not from the alternate buffer, and not from within. */
	feed(&r, "\033[3J\033[?1049h\n\n\n\n\n\n\033[?1049l");
	feed(&r, "\033[2;4r\033[4;1H\n\n\n\n\033[r\033[H\033[4M");
	ck_assert_int_eq(screen_history(r.s), 0);
	feed(&r, "\033[4;1H\n\n");
	ck_assert_int_eq(screen_history(r.s), 2);
	unrig(&r);
}
END_TEST

/* --- what attachers and the child hear ------------------------------------ */

START_TEST(answers_once)
{
	static const char	in[] = "\033[c\033[>c\033[5n\033[3;4H\033[6n"
				    "\033[?25$p\033[4$p\033[?2026$p\033P$qm"
				    "\033\\\033[0c\033Z";
	static const char	out[] = "\033[?1;2c\033[>0;100;0c\033[0n"
				    "\033[3;4R\033[?25;1$y\033[4;2$y"
				    "\033[?2026;0$y\033P1$r0m\033\\"
				    "\033[?1;2c\033[?1;2c";
	struct rig		r;

	rig(&r, 24, 80);
	feed(&r, in);
	bytes_add(&r.reply, "", 1);
	bytes_add(&r.live, "", 1);
	ck_assert_str_eq(r.reply.p, out);
	ck_assert_str_eq(r.live.p, "\033[3;4H");
	unrig(&r);
}
END_TEST

/* Nothing that outlives an attachment, and no half of anything. */
START_TEST(live_is_clean)
{
	struct rig	r;

	rig(&r, 24, 80);
	feed(&r, "a\033]52;c;aGk=\007b\033]11;#fff\007\033]8;;http://x\033\\c"
	    "\033[22;0t\033[8;10;10t\033[>1u\033_G\033\\\302\233d\033[3");
	bytes_add(&r.live, "", 1);
	ck_assert_str_eq(r.live.p, "abcd");
	bytes_clear(&r.live);
	feed(&r, "1m\344");
	bytes_add(&r.live, "", 1);
	ck_assert_str_eq(r.live.p, "\033[0;31m");
	bytes_clear(&r.live);
	feed(&r, "\270\255\a\tx");
	bytes_add(&r.live, "", 1);
	ck_assert_str_eq(r.live.p, "\344\270\255\a\033[9Gx");
	ck_assert_int_eq(r.bells, 1);
	unrig(&r);
}
END_TEST

START_TEST(titles)
{
	struct rig	r;
	char		big[2000];

	rig(&r, 4, 10);
	feed(&r, "\033]0;caf\303\251 \001\377\302\233x\007");
	ck_assert_str_eq(r.title, "caf\303\251 x");
	ck_assert_str_eq(screen_title(r.s), r.title);
	late_is_same(r.s, "a title");
	memset(big, 'y', sizeof(big));
	feed(&r, "\033]2;");
	screen_feed(r.s, big, sizeof(big));
	feed(&r, "\033\\");
	ck_assert_uint_eq(strlen(r.title), SCREEN_TITLE_MAX);
	unrig(&r);
}
END_TEST

START_TEST(modes_are_known)
{
	struct rig	r;

	rig(&r, 4, 10);
	feed(&r, "\033[?1;12;1004;2004;1002;1006;1007;5h\033=\033[3 q\033[20h"
	    "\033[?25l\033)0\016\033[1;3;4:3;38;2;1;2;3;48:5:99;53m");
	ck_assert(screen_bracketed_paste(r.s));
	late_is_same(r.s, "many modes");
	feed(&r, "\033[2;3r\033[?6h\033[2;2H\0337");
	late_is_same(r.s, "origin");
	feed(&r, "\033c");
	ck_assert(!screen_bracketed_paste(r.s));
	late_is_same(r.s, "reset");
	unrig(&r);
}
END_TEST

/* --- random output -------------------------------------------------------- */

static uint64_t	seed;

static unsigned int
pick(unsigned int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)(seed >> 32) % n;
}

static void
random_text(struct bytes *b)
{
	static const char	*const odd[] = { "\344\270\255", "\303\251",
				    "e\314\201", "\360\237\230\200", "\314\201",
				    "\342\224\200", "\357\270\217", "\302\205",
				    "\355\240\200", "\377", "\342\200\215" };
	unsigned int		 i, n = 1 + pick(12);

	for (i = 0; i < n; i++)
		if (pick(4) == 0)
			bytes_str(b, odd[pick(11)]);
		else
			bytes_fmt(b, "%c", (char)(0x20 + pick(0x5f)));
}

static void
random_csi(struct bytes *b)
{
	static const char	finals[] = "@ABCDEFGHIJKLMPSTXZ`abcdefghlmrsu"
				    "mmmmHHHHKKJLMr@P";
	static const char	leaders[] = "><=";
	unsigned int		i, n = pick(4);

	bytes_str(b, "\033[");
	if (pick(8) == 0)
		bytes_add(b, pick(2) ? "?" : &leaders[pick(3)], 1);
	for (i = 0; i < n; i++) {
		if (pick(5) > 0)
			bytes_fmt(b, "%u", pick(20) == 0 ? pick(70000) :
			    pick(i == 0 ? 50 : 12));
		if (i + 1 < n)
			bytes_str(b, pick(8) == 0 ? ":" : ";");
	}
	bytes_add(b, &finals[pick(sizeof(finals) - 1)], 1);
}

static void
random_mode(struct bytes *b)
{
	static const int	dec[] = { 1, 5, 6, 6, 7, 7, 12, 25, 47, 1000,
				    1002, 1003, 1004, 1005, 1006, 1007, 1015,
				    1047, 1048, 1049, 1049, 1049, 2004, 9, 69 };

	if (pick(5) == 0)
		bytes_fmt(b, "\033[%d%c", pick(3) ? 4 : 20,
		    pick(3) ? 'l' : 'h');
	else
		bytes_fmt(b, "\033[?%d%c", dec[pick(25)], pick(2) ? 'l' : 'h');
}

static void
random_other(struct bytes *b)
{
	static const char	*const seqs[] = { "\0337", "\0338", "\033D",
				    "\033E", "\033M", "\033H", "\033c", "\033=",
				    "\033>", "\033(0", "\033(B", "\033)0",
				    "\033*A", "\016", "\017", "\033n", "\033o",
				    "\033#8", "\033[!p", "\033[3 q", "\033[3g",
				    "\033]0;hi\007", "\033]2;there\033\\",
				    "\033]8;;x\033\\", "\033P$qm\033\\",
				    "\033[3J", "\033[99C", "\033[4h", "\033[4l",
				    "\033[38;2;1;2;3m", "\033[48;5;200m",
				    "\033[4:3m", "\033[0m", "\033[7m" };

	bytes_str(b, seqs[pick(sizeof(seqs) / sizeof(seqs[0]))]);
}

static void
random_control(struct bytes *b)
{
	bytes_add(b, &"\r\n\b\t\n\n\n\v\f\a\016\017\030\032"[pick(14)], 1);
}

static void
random_bytes(struct bytes *b)
{
	unsigned int	i, n = pick(6);
	char		c;

	for (i = 0; i < n; i++) {
		c = (char)pick(256);
		bytes_add(b, &c, 1);
	}
	if (pick(3) == 0)
		bytes_str(b, "\033\\");
}

/* Something that a child might print. */
static void
random_output(struct bytes *b)
{
	static void	(*const kinds[])(struct bytes *) = { random_text,
			    random_text, random_text, random_control,
			    random_control, random_csi, random_csi, random_csi,
			    random_mode, random_other, random_bytes };
	unsigned int	i, n = 1 + pick(20);

	bytes_clear(b);
	for (i = 0; i < n; i++)
		kinds[pick(11)](b);
}

static uint64_t	sequences;

static double
now(void)
{
	struct timespec	t;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* True as long as a random test is to go on; `what` names where it is. */
static bool
going(double started, uint64_t *round, char what[64])
{
	const char	*s = getenv("REEVE_SCREEN_SECONDS");
	const char	*from = getenv("REEVE_SCREEN_SEED");
	uint64_t	 first = from == NULL ? 1 : strtoull(from, NULL, 10);

	if (*round > 0 && now() - started > (s == NULL ? 1.5 : atof(s)))
		return false;
	seed = 0x9e3779b97f4a7c15ULL * (first + *round);
	snprintf(what, 64, "REEVE_SCREEN_SEED=%llu",
	    (unsigned long long)(first + *round));
	(*round)++;
	pick(1);
	return true;
}

static void
report(const char *what, uint64_t rounds)
{
	if (getenv("REEVE_SCREEN_SECONDS") != NULL)
		fprintf(stderr, "%s: %llu rounds, %llu pieces of output\n",
		    what, (unsigned long long)rounds,
		    (unsigned long long)sequences);
}

static void
random_size(int *rows, int *cols)
{
	*rows = 2 + (int)pick(pick(4) == 0 ? 40 : 8);
	*cols = 2 + (int)pick(pick(4) == 0 ? 100 : 12);
}

/* One who came, and has heard what is live since then, after a resize too. */
static void
follow(struct rig *early, const char *what)
{
	struct bytes	 b = { 0 }, paint = { 0 };
	struct screen	*t = late(early->s);
	int		 i, rows, cols;

	bytes_clear(&early->live);
	for (i = 0; i < 12; i++) {
		if (pick(6) == 0) {
			random_size(&rows, &cols);
			screen_resize(early->s, rows, cols);
			screen_resize(t, rows, cols);
			bytes_clear(&paint);
			screen_repaint(early->s,
			    SCREEN_HISTORY | SCREEN_FORGET, &paint);
			screen_feed(t, paint.p, paint.n);
		} else {
			random_output(&b);
			screen_feed(early->s, b.p, b.n);
			screen_feed(t, early->live.p, early->live.n);
			bytes_clear(&early->live);
			sequences++;
		}
		same(early->s, t, 0, what);
	}
	bytes_free(&b);
	bytes_free(&paint);
	screen_free(t);
}

START_TEST(late_sees_what_early_sees)
{
	double		started = now();
	struct bytes	b = { 0 };
	uint64_t	round = 0;
	struct rig	r;
	char		what[64];
	int		i, rows, cols;

	while (going(started, &round, what)) {
		random_size(&rows, &cols);
		rig(&r, rows, cols);
		for (i = 0; i < 20; i++) {
			random_output(&b);
			screen_feed(r.s, b.p, b.n);
			sequences++;
			if (pick(4) == 0)
				late_is_same(r.s, what);
		}
		follow(&r, what);
		unrig(&r);
	}
	report("late", round);
	bytes_free(&b);
}
END_TEST

static struct screen *
hand_over(const struct screen *s)
{
	struct bytes	 b = { 0 };
	struct screen	*t;
	struct error	 e;

	screen_save(s, &b);
	ck_assert(!b.failed);
	t = screen_load(b.p, b.n, NULL, NULL, &e);
	ck_assert_msg(t != NULL, "%s", e.text);
	bytes_free(&b);
	return t;
}

/* Cut anywhere, inside of a sequence and of a character too. */
START_TEST(handed_over_anywhere)
{
	double		 started = now();
	struct bytes	 b = { 0 };
	struct screen	*t;
	uint64_t	 round = 0;
	struct rig	 r;
	char		 what[64];
	size_t		 cut;
	int		 i, rows, cols;

	while (going(started, &round, what)) {
		random_size(&rows, &cols);
		rig(&r, rows, cols);
		for (i = 0; i < 30; i++) {
			random_output(&b);
			cut = pick((unsigned int)b.n + 1);
			screen_feed(r.s, b.p, cut);
			t = hand_over(r.s);
			screen_feed(r.s, b.p + cut, b.n - cut);
			screen_feed(t, b.p + cut, b.n - cut);
			same(r.s, t, TABS, what);
			screen_free(t);
			sequences++;
		}
		unrig(&r);
	}
	report("handed over", round);
	bytes_free(&b);
}
END_TEST

START_TEST(what_is_damaged_is_refused)
{
	static const char	*const bad[] = { "", "\n", "reeve-screen 2\n",
				    "reeve-screen 1 4 10 200 0 99 0\nabc",
				    "reeve-screen 1 4 10 200 0 1 1\nabc",
				    "reeve-screen 1 4 10 200 0 3 0 abc" };
	struct error		e;
	size_t			i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.code = 0;
		ck_assert_ptr_null(screen_load(bad[i], strlen(bad[i]), NULL,
		    NULL, &e));
		ck_assert_int_eq(e.code, EX_DATAERR);
	}
}
END_TEST

/* --- memory --------------------------------------------------------------- */

static long
resident_kb(void)
{
	FILE	*f = fopen("/proc/self/statm", "r");
	long	 pages = 0;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * 4;
}

/* A child that prints without end, at the widest. */
START_TEST(memory_is_bounded)
{
	struct screen	*s = screen_new(50, SCREEN_COLS_MAX, 100000, NULL,
			    NULL);
	long		 before, after;
	int		 i;
	static char	 yes[64 * 1024];

	ck_assert_ptr_nonnull(s);
	memset(yes, 'y', sizeof(yes));
	for (i = 0; i < 500; i++)
		screen_feed(s, yes, sizeof(yes));
	before = resident_kb();
	for (i = 0; i < 500; i++)
		screen_feed(s, yes, sizeof(yes));
	after = resident_kb();
	ck_assert_int_gt(screen_history(s), 100);
	ck_assert_int_le((long)screen_history(s) * SCREEN_COLS_MAX *
	    (long)sizeof(struct screen_cell), SCREEN_HISTORY_BYTES);
	ck_assert_msg(after - before < 4096, "%ld KB, then %ld", before,
	    after);
	screen_free(s);
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("screen");
	TCase	*tc;
	SRunner	*sr;
	int	 failed;

	tc = tcase_create("hostile");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_others_crash_on);
	tcase_add_test(tc, smaller_and_back);
	tcase_add_test(tc, memory_is_bounded);
	suite_add_tcase(suite, tc);
	tc = tcase_create("shown");
	tcase_add_test(tc, text_and_cursor);
	tcase_add_test(tc, wide_characters);
	tcase_add_test(tc, cursor_behind_the_edge);
	tcase_add_test(tc, alternate_buffer);
	tcase_add_test(tc, history_is_kept);
	suite_add_tcase(suite, tc);
	tc = tcase_create("heard");
	tcase_add_test(tc, answers_once);
	tcase_add_test(tc, live_is_clean);
	tcase_add_test(tc, titles);
	tcase_add_test(tc, modes_are_known);
	suite_add_tcase(suite, tc);
	tc = tcase_create("random");
	tcase_set_timeout(tc, 3600);
	tcase_add_test(tc, late_sees_what_early_sees);
	tcase_add_test(tc, handed_over_anywhere);
	tcase_add_test(tc, what_is_damaged_is_refused);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
