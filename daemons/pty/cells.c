/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "screen_impl.h"

static int	put_glyph(VTermGlyphInfo *, VTermPos, void *);
static int	scroll(VTermRect, int, int, void *);
static int	erase(VTermRect, int, void *);

const VTermStateCallbacks cells_callbacks = {
	.putglyph = put_glyph,
	.scrollrect = scroll,
	.erase = erase,
};

static const struct screen_cell	blank = { .width = 1 };

void *
cells_need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

bool
cell_blank(const struct screen_cell *c)
{
	return c->ch == 0 && c->bg == 0 && c->width == 1;
}

static struct screen_cell *
new_row(int cols)
{
	struct screen_cell	*row;
	int			 i;

	row = cells_need(calloc((size_t)cols, sizeof(*row)));
	for (i = 0; i < cols; i++)
		row[i] = blank;
	return row;
}

struct screen_cell **
cells_new(int rows, int cols)
{
	struct screen_cell	**b;
	int			  i;

	b = cells_need(calloc((size_t)rows, sizeof(*b)));
	for (i = 0; i < rows; i++)
		b[i] = new_row(cols);
	return b;
}

void
cells_free(struct screen_cell **b, int rows)
{
	int	i;

	for (i = 0; b != NULL && i < rows; i++)
		free(b[i]);
	free(b);
}

struct screen_cell **
cells_resize(struct screen_cell **old, int rows, int cols, int new_rows,
    int new_cols)
{
	struct screen_cell	**b = cells_new(new_rows, new_cols);
	int			  i, n = cols < new_cols ? cols : new_cols;

	for (i = 0; i < rows && i < new_rows; i++) {
		memcpy(b[i], old[i], (size_t)n * sizeof(**b));
		if (b[i][n - 1].width == 2 && n < cols)
			b[i][n - 1] = blank;
	}
	cells_free(old, rows);
	return b;
}

/* Nothing may lie across the left edge of col: both halves become blank. */
static void
split(struct screen *s, int row, int col)
{
	struct screen_cell	*c = s->buf[s->alt][row];
	int			 i;

	if (col <= 0 || col >= s->cols || c[col].width != 0)
		return;
	for (i = col - 1; i <= col; i++) {
		uint32_t	bg = c[i].bg;

		c[i] = blank;
		c[i].bg = bg;
	}
}

void
cells_erase(struct screen *s, int row, int from, int to)
{
	struct screen_cell	*c;
	int			 i;

	if (row < 0 || row >= s->rows || from < 0)
		return;
	if (to > s->cols)
		to = s->cols;
	split(s, row, from);
	split(s, row, to);
	c = s->buf[s->alt][row];
	for (i = from; i < to; i++) {
		c[i] = blank;
		c[i].bg = s->pen.bg;
	}
}

void
cells_erase_all(struct screen *s)
{
	int	i;

	for (i = 0; i < s->rows; i++)
		cells_erase(s, i, 0, s->cols);
}

bool
cells_mark(struct screen *s, uint32_t cp)
{
	struct screen_cell	*c = s->buf[s->alt][s->row];
	int			 i, col = s->pending ? s->cols - 1 : s->col - 1;

	if (col > 0 && c[col].width == 0)
		col--;
	if (col < 0 || c[col].ch == 0)
		return false;
	for (i = 0; i < SCREEN_MARKS && c[col].mark[i] != 0; i++)
		;
	if (i == SCREEN_MARKS)
		return false;
	c[col].mark[i] = cp;
	return true;
}

/* --- the history ---------------------------------------------------------- */

static void
past_add(struct screen *s, const struct screen_cell *c, int n)
{
	struct past	*p;

	if (s->past_max == 0)
		return;
	while (n > 0 && cell_blank(&c[n - 1]))
		n--;
	if (s->past_n == s->past_max)
		s->past_n--;
	p = &s->past[s->past_head];
	if (p->cap < n || p->cap > 2 * n + 16) {
		s->past_bytes -= (size_t)p->cap * sizeof(*c);
		free(p->cell);
		p->cap = n;
		p->cell = n == 0 ? NULL :
		    cells_need(calloc((size_t)n, sizeof(*c)));
		s->past_bytes += (size_t)n * sizeof(*c);
	}
	if (n > 0)
		memcpy(p->cell, c, (size_t)n * sizeof(*c));
	p->n = n;
	s->past_head = (s->past_head + 1) % s->past_max;
	s->past_n++;
}

/* The oldest rows go first when they are wide and take too much. */
static void
past_bound(struct screen *s)
{
	struct past	*p;

	while (s->past_bytes > SCREEN_HISTORY_BYTES && s->past_n > 0) {
		p = &s->past[(s->past_head - s->past_n + s->past_max) %
		    s->past_max];
		s->past_bytes -= (size_t)p->cap * sizeof(*p->cell);
		free(p->cell);
		*p = (struct past){ 0 };
		s->past_n--;
	}
}

void
cells_scroll_off(struct screen *s, int n)
{
	int	i;

	for (i = 0; i < n && i < s->rows; i++)
		past_add(s, s->buf[0][i], s->cols);
	past_bound(s);
}

void
cells_forget_past(struct screen *s)
{
	int	i;

	for (i = 0; i < s->past_max; i++) {
		free(s->past[i].cell);
		s->past[i] = (struct past){ 0 };
	}
	s->past_n = s->past_head = 0;
	s->past_bytes = 0;
}

const struct past *
cells_past(const struct screen *s, int row)
{
	if (row >= 0 || -row > s->past_n)
		return NULL;
	return &s->past[(s->past_head + row + s->past_max) % s->past_max];
}

/* --- what libvterm calls -------------------------------------------------- */

static int
put_glyph(VTermGlyphInfo *info, VTermPos pos, void *arg)
{
	struct screen		*s = arg;
	struct screen_cell	*c;
	int			 end = pos.col + info->width;

	if (pos.row < 0 || pos.row >= s->rows || pos.col < 0 ||
	    end > s->cols || info->width < 1)
		return 1;
	s->glyph_end = end;
	if (s->quiet)
		return 1;
	split(s, pos.row, pos.col);
	split(s, pos.row, end);
	c = &s->buf[s->alt][pos.row][pos.col];
	*c = (struct screen_cell){ .ch = info->chars[0], .fg = s->pen.fg,
	    .bg = s->pen.bg, .attr = s->pen.attr,
	    .width = (uint8_t)info->width };
	if (info->width == 2) {
		c[1] = *c;
		c[1].ch = 0;
		c[1].width = 0;
	}
	return 1;
}

static void
reverse(struct screen_cell **row, int from, int to)
{
	struct screen_cell	*r;

	for (to--; from < to; from++, to--) {
		r = row[from];
		row[from] = row[to];
		row[to] = r;
	}
}

/* Whole rows up by n, or down by -n: only where they are is changed. */
static void
scroll_rows(struct screen *s, int from, int to, int n)
{
	struct screen_cell	**row = s->buf[s->alt];
	int			  i, height = to - from;
	int			  gone = abs(n) < height ? abs(n) : height;

	if (n > 0 && from == 0 && s->keep_past && s->alt == 0)
		cells_scroll_off(s, gone);
	if (gone < height) {
		int	at = n > 0 ? from + gone : to - gone;

		reverse(row, from, at);
		reverse(row, at, to);
		reverse(row, from, to);
	}
	for (i = 0; i < gone; i++)
		cells_erase(s, n > 0 ? to - gone + i : from + i, 0, s->cols);
}

/* Cells of a row to the left by n, or to the right by -n. */
static void
scroll_cells(struct screen *s, int row, int from, int to, int n)
{
	struct screen_cell	*c = s->buf[s->alt][row];
	int			 width = to - from;
	int			 gone = abs(n) < width ? abs(n) : width;
	size_t			 left = (size_t)(width - gone) * sizeof(*c);

	split(s, row, from);
	split(s, row, to);
	split(s, row, n > 0 ? from + gone : to - gone);
	if (n > 0) {
		memmove(c + from, c + from + gone, left);
		from = to - gone;
	} else {
		memmove(c + from + gone, c + from, left);
		to = from + gone;
	}
	/* What is there are copies, whose halves are no matter. */
	for (; from < to; from++) {
		c[from] = blank;
		c[from].bg = s->pen.bg;
	}
}

void
cells_shift(struct screen *s, int n)
{
	scroll_cells(s, s->row, s->col, s->cols, n);
}

static int
scroll(VTermRect r, int downward, int rightward, void *arg)
{
	struct screen	*s = arg;
	int		 i;

	if (r.start_row < 0 || r.end_row > s->rows || r.start_col < 0 ||
	    r.end_col > s->cols || r.start_row >= r.end_row ||
	    r.start_col >= r.end_col)
		return 1;
	if (downward != 0)
		scroll_rows(s, r.start_row, r.end_row, downward);
	for (i = r.start_row; rightward != 0 && i < r.end_row; i++)
		scroll_cells(s, i, r.start_col, r.end_col, rightward);
	return 1;
}

static int
erase(VTermRect r, int selective, void *arg)
{
	int	i;

	(void)selective;
	if (((struct screen *)arg)->quiet)
		return 1;
	for (i = r.start_row; i < r.end_row; i++)
		cells_erase(arg, i, r.start_col, r.end_col);
	return 1;
}
