/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen_impl.h"
#include "utf8.h"

#define WIDTHS		0x20000		/* characters whose width is kept */
#define TEXT_AT_ONCE	1024		/* libvterm has it on its stack, x 4 */

static const VTermStateCallbacks judge_callbacks;

/* What libvterm said, plus 1; it always says the same. */
static uint8_t	widths[WIDTHS];

static int
clamp(int v, int least, int most)
{
	return v < least ? least : v > most ? most : v;
}

/* --- libvterm ------------------------------------------------------------- */

/* It takes what malloc gives without a look. */
static void *
vterm_alloc(size_t n, void *arg)
{
	(void)arg;
	return cells_need(calloc(1, n));
}

static void
vterm_release(void *p, void *arg)
{
	(void)arg;
	free(p);
}

static VTerm *
vterm_make(int rows, int cols, const VTermStateCallbacks *cb, void *arg)
{
	static VTermAllocatorFunctions	 alloc = { vterm_alloc, vterm_release };
	VTerm				*vt;
	VTermState			*st;

	vt = vterm_new_with_allocator(rows, cols, &alloc, NULL);
	vterm_set_utf8(vt, 1);
	st = vterm_obtain_state(vt);
	vterm_state_set_callbacks(st, cb, arg);
	vterm_state_reset(st, 1);
	return vt;
}

static void
start_vterm(struct screen *s)
{
	/* It begins with an erased screen, which is not ours. */
	s->quiet = true;
	s->vt = vterm_make(s->rows, s->cols, &cells_callbacks, s);
	s->quiet = false;
	s->state = vterm_obtain_state(s->vt);
}

void
screen_vt(struct screen *s, const char *p, size_t n)
{
	VTermPos	pos;

	vterm_input_write(s->vt, p, n);
	vterm_state_get_cursorpos(s->state, &pos);
	s->row = clamp(pos.row, 0, s->rows - 1);
	s->col = clamp(pos.col, 0, s->cols - 1);
}

void
screen_vtf(struct screen *s, const char *fmt, ...)
{
	char	buf[64];
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(buf))
		screen_vt(s, buf, (size_t)n);
}

void
screen_goto(struct screen *s, int row, int col)
{
	if (s->mode[MODE_ORIGIN])
		row -= s->top;
	screen_vtf(s, "\033[%d;%dH", (row < 0 ? 0 : row) + 1, col + 1);
	s->pending = false;
}

/*
 * Terminals do not agree on what most sequences do there, so attachers' are
 * told; and behind a wide character libvterm's cursor is on its left half.
 */
void
screen_unpend(struct screen *s)
{
	char	buf[16];

	if (!s->pending)
		return;
	screen_goto(s, s->row, s->cols - 1);
	snprintf(buf, sizeof(buf), "\033[%dG", s->cols);
	screen_live(s, buf, strlen(buf));
}

/* Where nothing is at the edge nothing can have been put there last. */
bool
screen_pendable(const struct screen *s, int buffer, int row)
{
	const struct screen_cell	*c;

	c = &s->buf[buffer][row][s->cols - 1];
	return (c->width == 0 ? c - 1 : c)->ch != 0;
}

void
screen_pend(struct screen *s, int row)
{
	if (!s->mode[MODE_WRAP] || !screen_pendable(s, s->alt, row))
		return;
	screen_goto(s, row, s->cols - 1);
	s->quiet = true;
	screen_vt(s, "x", 1);
	s->quiet = false;
	s->pending = true;
}

static int
judge_glyph(VTermGlyphInfo *info, VTermPos pos, void *arg)
{
	struct screen	*s = arg;

	/* It may also have been put onto the one before. */
	s->judged = pos.col == 0 ? 0 : info->width;
	return 1;
}

static const VTermStateCallbacks judge_callbacks = { .putglyph = judge_glyph };

int
screen_width(struct screen *s, uint32_t cp)
{
	char	buf[UTF8_MAX];

	if (cp < WIDTHS && widths[cp] != 0)
		return widths[cp] - 1;
	vterm_input_write(s->judge, "\ra", 2);
	s->judged = 0;
	vterm_input_write(s->judge, buf, utf8_encode(cp, buf));
	s->judged = clamp(s->judged, 0, 2);
	if (cp < WIDTHS)
		widths[cp] = (uint8_t)(s->judged + 1);
	return s->judged;
}

/* --- to attachers --------------------------------------------------------- */

void
screen_live(struct screen *s, const void *p, size_t n)
{
	if (s->ops.live != NULL)
		bytes_add(&s->live, p, n);
}

void
screen_live_flush(struct screen *s, size_t least)
{
	if (s->live.failed)
		abort();
	if (s->live.n > least)
		s->ops.live(s->arg, s->live.p, s->live.n);
	if (s->live.n > least)
		bytes_clear(&s->live);
}

/* --- life ----------------------------------------------------------------- */

void
screen_tabs_reset(struct screen *s)
{
	int	i;

	for (i = 0; i < SCREEN_COLS_MAX; i++)
		s->tab[i] = i % 8 == 0;
}

static void
initial(struct screen *s)
{
	int	i;

	for (i = 0; i < MODES; i++)
		s->mode[i] = screen_modes[i].initial;
	memcpy(s->g, "BBBB", 4);
	s->bottom = s->rows;
	s->saved[0] = s->saved[1] = screen_slot_initial();
	screen_tabs_reset(s);
}

struct screen *
screen_new(int rows, int cols, int history, const struct screen_ops *ops,
    void *arg)
{
	struct screen	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->rows = clamp(rows, SCREEN_ROWS_MIN, SCREEN_ROWS_MAX);
	s->cols = clamp(cols, SCREEN_COLS_MIN, SCREEN_COLS_MAX);
	s->past_max = clamp(history, 0, 100000);
	s->past = calloc((size_t)s->past_max + 1, sizeof(*s->past));
	if (s->past == NULL) {
		free(s);
		return NULL;
	}
	if (ops != NULL)
		s->ops = *ops;
	s->arg = arg;
	initial(s);
	s->buf[0] = cells_new(s->rows, s->cols);
	s->buf[1] = cells_new(s->rows, s->cols);
	start_vterm(s);
	s->judge = vterm_make(2, 8, &judge_callbacks, s);
	return s;
}

void
screen_free(struct screen *s)
{
	if (s == NULL)
		return;
	vterm_free(s->vt);
	vterm_free(s->judge);
	cells_free(s->buf[0], s->rows);
	cells_free(s->buf[1], s->rows);
	cells_forget_past(s);
	free(s->past);
	bytes_free(&s->live);
	free(s);
}

void
screen_feed(struct screen *s, const void *bytes, size_t n)
{
	const char	*p = bytes;
	size_t		 part;

	for (; n > 0; p += part, n -= part) {
		part = n < TEXT_AT_ONCE ? n : TEXT_AT_ONCE;
		filter_feed(&s->filter, &screen_filter_ops, s, p, part);
		screen_live_flush(s, SCREEN_LIVE_AT_ONCE);
	}
	screen_live_flush(s, 0);
}

void
screen_self(struct screen *s, const char *p, size_t n)
{
	struct filter	f = { 0 };

	filter_feed(&f, &screen_filter_ops, s, p, n);
}

/* --- another size --------------------------------------------------------- */

/* The last row of the primary buffer with something in it, or the cursor. */
static int
last_row(const struct screen *s, int cursor)
{
	int	row, col;

	for (row = s->rows - 1; row > cursor; row--)
		for (col = 0; col < s->cols; col++)
			if (!cell_blank(&s->buf[0][row][col]))
				return row;
	return cursor;
}

/* Room at the bottom by letting rows go off the top; how many. */
static int
make_room(struct screen *s, int rows, int cursor)
{
	struct screen_cell	*row;
	int			 i, n = last_row(s, cursor) + 1 - rows;

	n = clamp(n, 0, cursor);
	cells_scroll_off(s, n);
	for (i = 0; i < n; i++) {
		row = s->buf[0][i];
		s->buf[0][i] = NULL;
		free(row);
	}
	memmove(s->buf[0], s->buf[0] + n,
	    (size_t)(s->rows - n) * sizeof(*s->buf[0]));
	for (i = s->rows - n; i < s->rows; i++)
		s->buf[0][i] = cells_need(calloc((size_t)s->cols,
		    sizeof(struct screen_cell)));
	return n;
}

static void
resize_slot(struct screen *s, struct slot *slot, int up)
{
	slot->row = clamp(slot->row - up, 0, s->rows - 1);
	slot->col = clamp(slot->col, 0, s->cols - 1);
	slot->pending = false;
}

void
screen_resize(struct screen *s, int rows, int cols)
{
	int	up, row, col, i;

	rows = clamp(rows, SCREEN_ROWS_MIN, SCREEN_ROWS_MAX);
	cols = clamp(cols, SCREEN_COLS_MIN, SCREEN_COLS_MAX);
	if (rows == s->rows && cols == s->cols)
		return;
	if (s->pending)
		screen_goto(s, s->row, s->cols - 1);
	up = make_room(s, rows, s->alt ? s->saved[0].row : s->row);
	row = clamp(s->alt ? s->row : s->row - up, 0, rows - 1);
	col = clamp(s->col, 0, cols - 1);
	for (i = 0; i < 2; i++)
		s->buf[i] = cells_resize(s->buf[i], s->rows, s->cols, rows,
		    cols);
	s->rows = s->bottom = rows;
	s->cols = cols;
	/* A new one: 0.1.4 keeps positions that are out of bounds then, and
	 * 0.3.3 what it knows of rows too short. */
	vterm_free(s->vt);
	s->top = 0;
	start_vterm(s);
	screen_retell(s);
	screen_goto(s, row, col);
	resize_slot(s, &s->saved[0], up);
	resize_slot(s, &s->saved[1], 0);
}

void
screen_size(const struct screen *s, int *rows, int *cols)
{
	*rows = s->rows;
	*cols = s->cols;
}

/* --- what there is -------------------------------------------------------- */

bool
screen_bracketed_paste(const struct screen *s)
{
	return s->mode[MODE_PASTE];
}

bool
screen_alternate(const struct screen *s)
{
	return s->alt != 0;
}

const char *
screen_title(const struct screen *s)
{
	return s->title;
}

int
screen_history(const struct screen *s)
{
	return s->past_n;
}

bool
screen_cell(const struct screen *s, int buffer, int row, int col,
    struct screen_cell *out)
{
	const struct past	*p;

	*out = (struct screen_cell){ .width = 1 };
	if (row < 0) {
		if ((p = cells_past(s, row)) == NULL)
			return false;
		if (col < p->n)
			*out = p->cell[col];
		return col >= 0;
	}
	if (buffer < 0 || buffer > 1 || row >= s->rows || col < 0 ||
	    col >= s->cols)
		return false;
	*out = s->buf[buffer][row][col];
	return true;
}
