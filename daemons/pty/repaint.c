/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "screen_impl.h"
#include "utf8.h"

/* What is being written: where a terminal that reads it is by then. */
struct painter {
	const struct screen *s;
	struct bytes	*out;
	struct pen	 pen;
	int		 col;		/* of its cursor; -1 not known */
};

static bool
same_pen(const struct pen *a, const struct pen *b)
{
	return a->fg == b->fg && a->bg == b->bg && a->attr == b->attr;
}

static void
paint_pen(struct painter *p, struct pen pen)
{
	if (same_pen(&p->pen, &pen))
		return;
	bytes_str(p->out, "\033[");
	sgr_write(&pen, p->out);
	bytes_str(p->out, "m");
	p->pen = pen;
}

static void
paint_char(struct painter *p, const struct screen_cell *c)
{
	char	buf[UTF8_MAX];
	int	i;

	paint_pen(p, (struct pen){ c->fg, c->bg, c->attr });
	bytes_add(p->out, buf, utf8_encode(c->ch, buf));
	for (i = 0; i < SCREEN_MARKS && c->mark[i] != 0; i++)
		bytes_add(p->out, buf, utf8_encode(c->mark[i], buf));
}

/* Erased cells of one colour, from c on: how many. */
static int
erased(const struct screen_cell *c, int n)
{
	int	i;

	for (i = 0; i < n && c[i].ch == 0 && c[i].width == 1 &&
	    c[i].bg == c[0].bg; i++)
		;
	return i;
}

/* A row, where the cursor is at its start and nothing on it. */
static void
paint_row(struct painter *p, const struct screen_cell *c, int n)
{
	int	i, run, col = 0;	/* col: of the terminal's cursor */

	for (i = 0; i < n; i += run) {
		if ((run = erased(c + i, n - i)) > 0 && c[i].bg == 0)
			continue;
		if (col != i)
			bytes_fmt(p->out, "\033[%dG", i + 1);
		col = i;
		if (run > 0) {
			paint_pen(p, (struct pen){ 0, c[i].bg, 0 });
			bytes_fmt(p->out, "\033[%dX", run);
			continue;
		}
		run = c[i].width == 2 ? 2 : 1;
		/* A wide one of an older, wider row, cut in half. */
		if (i + run > n || c[i].ch == 0)
			continue;
		paint_char(p, &c[i]);
		col += run;
	}
}

static void
paint_buffer(struct painter *p, int buffer)
{
	const struct screen	*s = p->s;
	int			 row;

	for (row = 0; row < s->rows; row++) {
		if (erased(s->buf[buffer][row], s->cols) == s->cols &&
		    s->buf[buffer][row][0].bg == 0)
			continue;
		bytes_fmt(p->out, "\033[%dH", row + 1);
		paint_row(p, s->buf[buffer][row], s->cols);
	}
}

/* All rows go off the top, so that none is left on the screen. */
static void
paint_past(struct painter *p)
{
	const struct screen	*s = p->s;
	const struct past	*row;
	int			 i;

	for (i = s->past_n; i > 0; i--) {
		row = cells_past(s, -i);
		paint_row(p, row->cell, row->n < s->cols ? row->n : s->cols);
		paint_pen(p, (struct pen){ 0 });
		bytes_str(p->out, "\r\n");
	}
	if (s->past_n == 0)
		return;
	bytes_fmt(p->out, "\033[%dH", s->rows);
	for (i = 0; i < s->past_n && i < s->rows - 1; i++)
		bytes_str(p->out, "\n");
}

static void
paint_charsets(struct painter *p, const char g[4], int gl)
{
	static const char	*const shift[] = { "\017", "\016", "\033n",
				    "\033o" };
	int			 i;

	for (i = 0; i < 4; i++)
		bytes_fmt(p->out, "\033%c%c", "()*+"[i], g[i]);
	bytes_str(p->out, shift[gl]);
}

/*
 * The cursor where a slot says.  When it is behind the last column, what is
 * there is written once more, for only that brings it there; `any`: whatever,
 * since the cells will be painted later.  `top`: of the scroll region.
 */
static void
paint_cursor(struct painter *p, const struct slot *at, int buffer, int top,
    bool any)
{
	const struct screen		*s = p->s;
	const struct screen_cell	*c;
	int				 row, col = at->col;
	bool				 pend = at->pending;

	if (at->origin)
		bytes_str(p->out, "\033[?6h");
	row = at->origin ? at->row - top : at->row;
	c = &s->buf[buffer][at->row][s->cols - 1];
	if (pend && !any && !screen_pendable(s, buffer, at->row))
		pend = false;
	if (pend)
		col = !any && c->width == 0 ? s->cols - 2 : s->cols - 1;
	bytes_fmt(p->out, "\033[%d;%dH", row + 1, col + 1);
	if (pend && any)
		bytes_str(p->out, "x");
	else if (pend)
		paint_char(p, c->width == 0 ? c - 1 : c);
	paint_pen(p, at->pen);
	paint_charsets(p, at->g, at->gl);
}

/* Between two cursors: as at the start, the cells untouched. */
static void
paint_neutral(struct painter *p)
{
	bytes_str(p->out, "\033[?6l\033(B\033)B\033*B\033+B\017");
	paint_pen(p, (struct pen){ 0 });
}

void
screen_paint_cursor(const struct screen *s, struct bytes *out)
{
	struct painter	p = { .s = s, .out = out };
	struct slot	at = screen_slot_now(s);

	bytes_str(out, "\033[0m");
	paint_neutral(&p);
	paint_cursor(&p, &at, s->alt, s->top, false);
}

static bool
initial_slot(const struct slot *a)
{
	static const struct pen	none;

	return a->row == 0 && a->col == 0 && !a->pending && !a->origin &&
	    same_pen(&a->pen, &none) && memcmp(a->g, "BBBB", 4) == 0 &&
	    a->gl == 0;
}

/* Before its cells: the cursor that DECRC will bring back. */
static void
paint_saved(struct painter *p, int buffer)
{
	const struct slot	*at = &p->s->saved[buffer];

	if (initial_slot(at)) {
		bytes_str(p->out, "\033[H\0337");
		return;
	}
	paint_cursor(p, at, buffer, 0, true);
	bytes_str(p->out, "\0337");
	paint_neutral(p);
	if (at->pending)
		bytes_str(p->out, "\033[2J");
}

static void
paint_modes(struct painter *p)
{
	const struct screen	*s = p->s;
	int			 i;

	for (i = 0; i < MODES; i++)
		if (s->mode[i] != screen_modes[i].initial && i != MODE_ORIGIN)
			bytes_fmt(p->out, "\033[%s%d%c",
			    screen_modes[i].dec ? "?" : "",
			    screen_modes[i].number, s->mode[i] ? 'h' : 'l');
	if (s->keypad)
		bytes_str(p->out, "\033=");
	if (s->mouse)
		bytes_fmt(p->out, "\033[?%dh", s->mouse);
	if (s->mouse_form)
		bytes_fmt(p->out, "\033[?%dh", s->mouse_form);
	if (s->shape)
		bytes_fmt(p->out, "\033[%d q", s->shape);
}

void
screen_repaint(const struct screen *s, int flags, struct bytes *out)
{
	struct painter	p = { .s = s, .out = out };
	struct slot	at = screen_slot_now(s);

	bytes_str(out, "\033[?1049l" SCREEN_INITIAL "\033[?25l");
	if (flags & SCREEN_FORGET)
		bytes_str(out, "\033[3J");
	if (flags & SCREEN_HISTORY)
		paint_past(&p);
	bytes_fmt(out, "\033]2;%s\033\\", s->title);
	if (s->alt == 0)
		paint_saved(&p, 0);
	paint_buffer(&p, 0);
	if (s->alt != 0) {
		paint_pen(&p, (struct pen){ 0 });
		paint_cursor(&p, &s->saved[0], 0, 0, false);
		bytes_str(out, "\033[?1049h");
		paint_neutral(&p);
		bytes_str(out, "\033[2J");
		paint_saved(&p, 1);
		paint_buffer(&p, 1);
	}
	if (s->top != 0 || s->bottom != s->rows)
		bytes_fmt(out, "\033[%d;%dr", s->top + 1, s->bottom);
	paint_cursor(&p, &at, s->alt, s->top, false);
	if (s->mode[MODE_CURSOR])
		bytes_str(out, "\033[?25h");
	paint_modes(&p);
}

void
screen_leave(struct bytes *out, int rows)
{
	bytes_str(out, "\033[?1049l\033[?6l\033[?7h\033[?1l\033[?5l\033[?12l"
	    "\033[?25h\033[4l\033[20l\033>\033[?9l\033[?1000l\033[?1002l"
	    "\033[?1003l\033[?1005l\033[?1006l\033[?1015l\033[?1004l"
	    "\033[?2004l\033(B\033)B\033*B\033+B\017\033[0 q\033[r\033[0m"
	    "\033]2;\033\\");
	bytes_fmt(out, "\033[%dH", rows < 1 ? 1 : rows);
}

/* --- as text -------------------------------------------------------------- */

static void
text_row(const struct screen_cell *c, int n, struct bytes *out)
{
	char	buf[UTF8_MAX];
	int	i, k;

	while (n > 0 && (c[n - 1].ch == 0 || c[n - 1].ch == ' ') &&
	    c[n - 1].width == 1)
		n--;
	for (i = 0; i < n; i++) {
		if (c[i].width == 0)
			continue;
		bytes_add(out, buf,
		    utf8_encode(c[i].ch == 0 ? ' ' : c[i].ch, buf));
		for (k = 0; k < SCREEN_MARKS && c[i].mark[k] != 0; k++)
			bytes_add(out, buf, utf8_encode(c[i].mark[k], buf));
	}
	bytes_str(out, "\n");
}

void
screen_text(const struct screen *s, int rows, struct bytes *out)
{
	const struct past	*past;
	int			 row, end = s->rows;

	while (end > 0 && erased(s->buf[0][end - 1], s->cols) == s->cols)
		end--;
	row = rows < 0 || rows > end + s->past_n ? -s->past_n : end - rows;
	for (; row < end; row++)
		if (row < 0) {
			past = cells_past(s, row);
			text_row(past->cell, past->n, out);
		} else
			text_row(s->buf[0][row], s->cols, out);
}
