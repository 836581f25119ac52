/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen_impl.h"

#define HEADING		"reeve-screen 1 %d %d %d %u %zu %zu\n"

/* Attachers are not told of tab stops, so a repaint has none. */
static void
save_tabs(const struct screen *s, struct bytes *out)
{
	int	i;

	bytes_str(out, "\033[3g");
	for (i = 0; i < s->cols; i++)
		if (s->tab[i])
			bytes_fmt(out, "\033[%dG\033H", i + 1);
}

void
screen_save(const struct screen *s, struct bytes *out)
{
	struct bytes	paint = { 0 };

	save_tabs(s, &paint);
	screen_repaint(s, SCREEN_HISTORY, &paint);
	if (paint.failed)
		out->failed = true;
	bytes_fmt(out, HEADING, s->rows, s->cols, s->past_max, s->last,
	    paint.n, s->filter.nraw);
	bytes_add(out, paint.p, paint.n);
	bytes_add(out, s->filter.raw, s->filter.nraw);
	bytes_free(&paint);
}

struct screen *
screen_load(const void *saved, size_t n, const struct screen_ops *ops,
    void *arg, struct error *e)
{
	const char	*end = n == 0 ? NULL : memchr(saved, '\n', n);
	struct screen	*s;
	char		 head[128];
	size_t		 at, paint, raw;
	unsigned int	 last;
	int		 rows, cols, history;

	at = end == NULL ? 0 : (size_t)(end - (const char *)saved) + 1;
	if (at == 0 || at >= sizeof(head)) {
		error_set(e, EX_DATAERR, "a saved screen has no heading");
		return NULL;
	}
	memcpy(head, saved, at);
	head[at] = '\0';
	if (sscanf(head, HEADING, &rows, &cols, &history, &last, &paint,
	    &raw) != 6 || paint > n - at || raw != n - at - paint) {
		error_set(e, EX_DATAERR, "a saved screen is damaged, or of "
		    "another version");
		return NULL;
	}
	if ((s = screen_new(rows, cols, history, NULL, NULL)) == NULL) {
		error_set(e, EX_OSERR, "out of memory for a screen");
		return NULL;
	}
	screen_feed(s, (const char *)saved + at, paint);
	screen_feed(s, (const char *)saved + at + paint, raw);
	s->last = last;
	if (ops != NULL)
		s->ops = *ops;
	s->arg = arg;
	return s;
}

/* --- for tests ------------------------------------------------------------ */

static void
state_slot(const struct screen *s, int buffer, const struct slot *p,
    bool exact, struct bytes *out)
{
	bool	pend = p->pending &&
		    (exact || screen_pendable(s, buffer, p->row));

	bytes_fmt(out, " %d,%d%s%s ", p->row, pend ? s->cols - 1 : p->col,
	    pend ? "!" : "", p->origin ? "o" : "");
	sgr_write(&p->pen, out);
	bytes_fmt(out, " %.4s%d", p->g, p->gl);
}

void
screen_state(const struct screen *s, struct bytes *out)
{
	struct slot	at = screen_slot_now(s);
	int		i;

	bytes_fmt(out, "%dx%d alt %d at", s->rows, s->cols, s->alt);
	state_slot(s, s->alt, &at, true, out);
	bytes_str(out, " saved");
	state_slot(s, 0, &s->saved[0], s->alt == 0, out);
	if (s->alt)
		state_slot(s, 1, &s->saved[1], true, out);
	bytes_str(out, " modes ");
	for (i = 0; i < MODES; i++)
		bytes_str(out, s->mode[i] ? "1" : "0");
	bytes_fmt(out, " keypad %d mouse %d/%d shape %d region %d-%d title ",
	    s->keypad, s->mouse, s->mouse_form, s->shape, s->top, s->bottom);
	bytes_str(out, s->title);
	bytes_str(out, " tabs ");
	for (i = 0; i < s->cols; i++)
		bytes_str(out, s->tab[i] ? "T" : ".");
}
