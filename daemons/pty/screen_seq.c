/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "screen_impl.h"
#include "utf8.h"

static void	on_ascii(void *, const char *, size_t);
static void	on_glyph(void *, uint32_t);
static void	on_control(void *, char);
static void	on_esc(void *, char, char);
static void	on_csi(void *, const struct filter_csi *);
static void	on_string(void *, char, const char *, size_t);
static void	mode(struct screen *, bool, int, bool);
static void	set_title(struct screen *, const char *, size_t);

const struct filter_ops screen_filter_ops = {
	on_ascii, on_glyph, on_control, on_esc, on_csi, on_string
};

const struct mode_def screen_modes[MODES] = {
	[MODE_CURSOR_KEYS] = { 1, true, false },
	[MODE_REVERSE] = { 5, true, false },
	[MODE_ORIGIN] = { 6, true, false },
	[MODE_WRAP] = { 7, true, true },
	[MODE_BLINK] = { 12, true, false },
	[MODE_CURSOR] = { 25, true, true },
	[MODE_FOCUS] = { 1004, true, false },
	[MODE_SCROLL_KEYS] = { 1007, true, false },
	[MODE_PASTE] = { 2004, true, false },
	[MODE_INSERT] = { 4, false, false },
	[MODE_NEWLINE] = { 20, false, false },
};

/* To libvterm and, the same, to attachers. */
static void
both(struct screen *s, const char *p, size_t n)
{
	screen_vt(s, p, n);
	screen_live(s, p, n);
}

static void
live_str(struct screen *s, const char *p)
{
	screen_live(s, p, strlen(p));
}

static void
reply(struct screen *s, const char *p)
{
	if (s->ops.reply != NULL)
		s->ops.reply(s->arg, p, strlen(p));
}

/* --- text ----------------------------------------------------------------- */

/* Bytes of characters without more ado: libvterm wraps and scrolls. */
static void
put(struct screen *s, const char *p, size_t n)
{
	s->keep_past = true;
	s->glyph_end = 0;
	screen_vt(s, p, n);
	s->keep_past = false;
	s->pending = s->mode[MODE_WRAP] && s->glyph_end >= s->cols;
}

/* In insert mode room is made for each, once it is known where it goes. */
static void
put_inserted(struct screen *s, const char *p, size_t n, int width)
{
	if (s->mode[MODE_WRAP] && (s->pending || s->col + width > s->cols)) {
		screen_goto(s, s->row, 0);
		s->keep_past = true;
		screen_vt(s, "\n", 1);
		s->keep_past = false;
	}
	cells_shift(s, -width);
	put(s, p, n);
}

static void
on_ascii(void *arg, const char *p, size_t n)
{
	struct screen	*s = arg;
	size_t		 i;

	if (s->mode[MODE_INSERT])
		for (i = 0; i < n; i++)
			put_inserted(s, p + i, 1, 1);
	else
		put(s, p, n);
	s->last = (uint32_t)p[n - 1];
	screen_live(s, p, n);
}

static void
on_glyph(void *arg, uint32_t cp)
{
	struct screen	*s = arg;
	char		 buf[UTF8_MAX];
	size_t		 n = utf8_encode(cp, buf);
	int		 width = screen_width(s, cp);

	if (width == 0) {
		if (cells_mark(s, cp))
			screen_live(s, buf, n);
		return;
	}
	/* No room, and none is made. */
	if (!s->mode[MODE_WRAP] && s->col + width > s->cols)
		return;
	if (s->mode[MODE_INSERT])
		put_inserted(s, buf, n, width);
	else
		put(s, buf, n);
	s->last = cp;
	screen_live(s, buf, n);
}

/* REP.  One row of it at most: a few bytes must not keep us busy for long. */
static void
repeat(struct screen *s, int count)
{
	uint32_t	cp = s->last;
	char		c = (char)cp;

	if (count > s->cols)
		count = s->cols;
	for (; cp != 0 && count > 0; count--) {
		if (cp < 0x80)
			on_ascii(s, &c, 1);
		else
			on_glyph(s, cp);
		screen_live_flush(s, SCREEN_LIVE_AT_ONCE);
	}
}

/* --- saved cursors, character sets, buffers ------------------------------- */

struct slot
screen_slot_initial(void)
{
	return (struct slot){ .g = { 'B', 'B', 'B', 'B' } };
}

static void
charset(struct screen *s, int i, char set)
{
	screen_vtf(s, "\033%c%c", "()*+"[i], set);
	s->g[i] = set;
}

static void
shift(struct screen *s, int gl)
{
	static const char	*const seq[] = { "\017", "\016", "\033n",
				    "\033o" };

	screen_vtf(s, "%s", seq[gl]);
	s->gl = (uint8_t)gl;
}

struct slot
screen_slot_now(const struct screen *s)
{
	struct slot	at = { .row = s->row,
			    .col = s->pending ? s->cols - 1 : s->col,
			    .pending = s->pending,
			    .origin = s->mode[MODE_ORIGIN], .pen = s->pen,
			    .gl = s->gl };

	memcpy(at.g, s->g, sizeof(at.g));
	return at;
}

static void
origin(struct screen *s, bool on)
{
	s->mode[MODE_ORIGIN] = on;
	screen_vtf(s, "\033[?6%c", on ? 'h' : 'l');
	s->pending = false;
}

void
screen_retell(struct screen *s)
{
	int	i;

	for (i = 0; i < 4; i++)
		charset(s, i, s->g[i]);
	shift(s, s->gl);
	if (!s->mode[MODE_WRAP])
		screen_vtf(s, "\033[?7l");
	if (s->mode[MODE_NEWLINE])
		screen_vtf(s, "\033[20h");
	if (s->mode[MODE_ORIGIN])
		screen_vtf(s, "\033[?6h");
}

static void
restore(struct screen *s)
{
	const struct slot	*p = &s->saved[s->alt];
	int			 i;

	if (s->mode[MODE_ORIGIN] != p->origin)
		origin(s, p->origin);
	s->pen = p->pen;
	for (i = 0; i < 4; i++)
		charset(s, i, p->g[i]);
	shift(s, p->gl);
	screen_goto(s, p->row, p->col);
	if (p->pending && s->row == p->row)
		screen_pend(s, p->row);
}

/* Where the cursor is, after what moves it elsewhere in some terminals. */
static void
live_position(struct screen *s)
{
	char	buf[32];

	snprintf(buf, sizeof(buf), "\033[%d;%dH",
	    s->row + 1 - (s->mode[MODE_ORIGIN] ? s->top : 0), s->col + 1);
	live_str(s, buf);
}

/* Terminals do not agree on what of it they bring back, and from where. */
static void
live_cursor(struct screen *s)
{
	if (s->ops.live != NULL)
		screen_paint_cursor(s, &s->live);
}

/* 47, 1047; 1049 saves and restores the cursor too. */
static void
alternate(struct screen *s, int number, bool on)
{
	char	buf[16];

	if (on == (s->alt != 0))
		return;
	if (on && number == 1049)
		s->saved[0] = screen_slot_now(s);
	if (s->pending)
		screen_goto(s, s->row, s->cols - 1);
	s->alt = on;
	/* What could not be painted while the other buffer was shown. */
	if (!on && !screen_pendable(s, 0, s->saved[0].row))
		s->saved[0].pending = false;
	if (on) {
		s->saved[1] = screen_slot_initial();
		cells_erase_all(s);
	} else if (number == 1049)
		restore(s);
	snprintf(buf, sizeof(buf), "\033[?%d%c", number, on ? 'h' : 'l');
	live_str(s, buf);
	if (on)
		live_str(s, "\033[2J");
	live_cursor(s);
}

/* --- control characters and escape sequences ------------------------------ */

/* n tab stops further, or back; attachers' terminals keep their own stops. */
static void
tab(struct screen *s, int n)
{
	char	buf[16];
	int	col = s->col;

	screen_unpend(s);
	for (; n > 0 && col < s->cols - 1; n--)
		while (++col < s->cols - 1 && !s->tab[col])
			;
	for (; n < 0 && col > 0; n++)
		while (--col > 0 && !s->tab[col])
			;
	snprintf(buf, sizeof(buf), "\033[%dG", col + 1);
	both(s, buf, strlen(buf));
}

static void
feed_line(struct screen *s, const char *seq)
{
	screen_unpend(s);
	s->keep_past = true;
	both(s, seq, strlen(seq));
	s->keep_past = false;
}

static void
on_control(void *arg, char c)
{
	struct screen	*s = arg;

	s->last = 0;
	switch (c) {
	case '\a':
		if (s->ops.bell != NULL)
			s->ops.bell(s->arg);
		live_str(s, "\a");
		break;
	case '\b':
	case '\r':
		screen_unpend(s);
		both(s, &c, 1);
		break;
	case '\t':
		tab(s, 1);
		break;
	case '\n':
	case '\v':
	case '\f':
		feed_line(s, "\n");
		break;
	case 0x0e:
	case 0x0f:
		shift(s, c == 0x0e);
		screen_live(s, &c, 1);
		break;
	}
}

static void
reset(struct screen *s)
{
	alternate(s, 1047, false);
	screen_self(s, SCREEN_INITIAL, strlen(SCREEN_INITIAL));
	mode(s, true, 1007, false);
	s->saved[0] = s->saved[1] = screen_slot_initial();
	live_str(s, "\0337");
	screen_tabs_reset(s);
	if (s->title[0] != '\0')
		set_title(s, "", 0);
}

/* DECALN: the screen full of E. */
static void
align(struct screen *s)
{
	int	row, col;

	s->top = 0;
	s->bottom = s->rows;
	screen_vtf(s, "\033[r");
	screen_goto(s, 0, 0);
	for (row = 0; row < s->rows; row++)
		for (col = 0; col < s->cols; col++)
			s->buf[s->alt][row][col] = (struct screen_cell){
			    .ch = 'E', .width = 1 };
	live_str(s, "\033[r\033#8\033[H");
}

static void
esc_plain(struct screen *s, char c)
{
	char	seq[3] = { '\033', c, '\0' };

	switch (c) {
	case '7':
		s->saved[s->alt] = screen_slot_now(s);
		break;
	case '8':
		restore(s);
		live_str(s, seq);
		live_cursor(s);
		return;
	case '=':
	case '>':
		s->keypad = c == '=';
		break;
	case 'D':
	case 'E':
	case 'M':
		feed_line(s, seq);
		return;
	case 'H':
		s->tab[s->pending ? s->cols - 1 : s->col] = true;
		return;
	case 'n':
	case 'o':
		shift(s, c == 'n' ? 2 : 3);
		break;
	case 'c':
		reset(s);
		return;
	case 'Z':
		reply(s, "\033[?1;2c");
		return;
	default:
		return;
	}
	live_str(s, seq);
}

static void
on_esc(void *arg, char inter, char c)
{
	static const char	 sets[] = "()*+";
	struct screen		*s = arg;
	const char		*at;
	char			 seq[4] = { '\033', inter, c, '\0' };

	s->last = 0;
	if (inter == 0)
		esc_plain(s, c);
	else if (inter == '#' && c == '8')
		align(s);
	else if ((at = strchr(sets, inter)) != NULL) {
		if (c != '0' && c != 'A')
			seq[2] = 'B';
		charset(s, (int)(at - sets), seq[2]);
		live_str(s, seq);
	}
}

/* --- modes ---------------------------------------------------------------- */

static void
mouse(struct screen *s, int number, bool on)
{
	if (number < 1004)
		s->mouse = on ? number : 0;
	else
		s->mouse_form = on ? number : 0;
}

static void
mode(struct screen *s, bool dec, int number, bool on)
{
	char	buf[16];
	int	i;

	snprintf(buf, sizeof(buf), "\033[%s%d%c", dec ? "?" : "", number,
	    on ? 'h' : 'l');
	for (i = 0; i < MODES; i++)
		if (screen_modes[i].dec == dec &&
		    screen_modes[i].number == number)
			break;
	if (i == MODE_ORIGIN || i == MODE_WRAP) {
		screen_unpend(s);
		screen_vt(s, buf, strlen(buf));
	} else if (i == MODE_NEWLINE)
		screen_vt(s, buf, strlen(buf));
	if (i < MODES)
		s->mode[i] = on;
	else if (dec && (number == 9 || (number >= 1000 && number <= 1003 &&
	    number != 1001) || number == 1005 || number == 1006 ||
	    number == 1015))
		mouse(s, number, on);
	else
		return;
	live_str(s, buf);
	if (i == MODE_ORIGIN)
		live_position(s);
}

static void
modes(struct screen *s, const struct filter_csi *q)
{
	bool	on = q->final == 'h', dec = q->leader == '?';
	int	i, v;

	for (i = 0; i < q->n; i++) {
		v = q->param[i];
		if (dec && (v == 47 || v == 1047 || v == 1049))
			alternate(s, v == 47 ? 1047 : v, on);
		else if (dec && v == 1048)
			esc_plain(s, on ? '7' : '8');
		else
			mode(s, dec, v, on);
	}
}

/* DECRQM: 1 set, 2 reset, 0 unknown. */
static void
report_mode(struct screen *s, bool dec, int number)
{
	char	buf[32];
	int	i, v = 0;

	for (i = 0; i < MODES; i++)
		if (screen_modes[i].dec == dec &&
		    screen_modes[i].number == number)
			v = s->mode[i] ? 1 : 2;
	if (dec && (number == 47 || number == 1047 || number == 1049))
		v = s->alt ? 1 : 2;
	else if (dec && (number == 9 || number == 1000 || number == 1002 ||
	    number == 1003))
		v = s->mouse == number ? 1 : 2;
	else if (dec && (number == 1005 || number == 1006 || number == 1015))
		v = s->mouse_form == number ? 1 : 2;
	snprintf(buf, sizeof(buf), "\033[%s%d;%d$y", dec ? "?" : "",
	    number < 0 ? 0 : number, v);
	reply(s, buf);
}

/* --- CSI ------------------------------------------------------------------ */

static int
param(const struct filter_csi *q, int i, int missing)
{
	return i < q->n && q->param[i] >= 0 ? q->param[i] : missing;
}

/* One that libvterm and attachers get, written anew with n parameters. */
static void
pass(struct screen *s, const struct filter_csi *q, int n)
{
	char	buf[32];

	screen_unpend(s);
	if (n == 2)
		snprintf(buf, sizeof(buf), "\033[%d;%d%c", param(q, 0, 1),
		    param(q, 1, 1), q->final);
	else
		snprintf(buf, sizeof(buf), "\033[%d%c",
		    param(q, 0, strchr("JK", q->final) != NULL ? 0 : 1),
		    q->final);
	both(s, buf, strlen(buf));
}

/* ICH and DCH: libvterm does not do them outside of the region, others do. */
static void
shift_cells(struct screen *s, char final, int n)
{
	char	buf[16];

	screen_unpend(s);
	cells_shift(s, final == '@' ? -n : n);
	/* All there is to the right: then it is erased, and no edge case. */
	if (n >= s->cols - s->col)
		snprintf(buf, sizeof(buf), "\033[%dX", s->cols - s->col);
	else
		snprintf(buf, sizeof(buf), "\033[%d%c", n, final);
	live_str(s, buf);
}

/* Up and down, and not across an edge of the region, whatever libvterm does. */
static void
move_rows(struct screen *s, int n, bool to_start)
{
	int	row = s->row + n, col = to_start ? 0 : s->col;

	if (s->pending && !to_start)
		col = s->cols - 1;
	if (n < 0 && s->row >= s->top && row < s->top)
		row = s->top;
	if (n > 0 && s->row < s->bottom && row >= s->bottom)
		row = s->bottom - 1;
	row = row < 0 ? 0 : row >= s->rows ? s->rows - 1 : row;
	screen_goto(s, row, col);
	live_position(s);
}

/* Rows inserted or deleted, in the region only; some terminals do it anywhere,
 * and some then go to the first column. */
static void
shift_rows(struct screen *s, const struct filter_csi *q)
{
	if (s->row < s->top || s->row >= s->bottom)
		return;
	pass(s, q, 1);
	live_position(s);
}

static void
erase(struct screen *s, const struct filter_csi *q)
{
	int	what = param(q, 0, 0);

	if (what <= 2)
		pass(s, q, 1);
	else if (what == 3 && q->final == 'J') {
		cells_forget_past(s);
		live_str(s, "\033[3J");
	}
}

static void
region(struct screen *s, const struct filter_csi *q)
{
	int	top = param(q, 0, 1), bottom = param(q, 1, 0);
	char	buf[32];

	if (top < 1)
		top = 1;
	if (bottom < 1 || bottom > s->rows)
		bottom = s->rows;
	if (top >= bottom)
		return;
	screen_unpend(s);
	s->top = top - 1;
	s->bottom = bottom;
	snprintf(buf, sizeof(buf), "\033[%d;%dr", top, bottom);
	both(s, buf, strlen(buf));
	live_position(s);
}

static void
tab_clear(struct screen *s, int what)
{
	if (what == 0)
		s->tab[s->pending ? s->cols - 1 : s->col] = false;
	else if (what == 3)
		memset(s->tab, 0, sizeof(s->tab));
}

/* DSR 5 and 6; a row counts from the region where the origin is there. */
static void
report_status(struct screen *s, const struct filter_csi *q)
{
	char	buf[48];
	int	what = param(q, 0, 0);

	if (what == 5 && q->leader == 0)
		reply(s, "\033[0n");
	if (what != 6)
		return;
	snprintf(buf, sizeof(buf), "\033[%s%d;%dR", q->leader ? "?" : "",
	    s->row + 1 - (s->mode[MODE_ORIGIN] ? s->top : 0),
	    (s->pending ? s->cols - 1 : s->col) + 1);
	reply(s, buf);
}

static void
pen(struct screen *s, const struct filter_csi *q)
{
	struct bytes	b = { 0 };

	sgr_apply(&s->pen, q);
	if (s->ops.live == NULL)
		return;
	bytes_str(&b, "\033[");
	sgr_write(&s->pen, &b);
	bytes_str(&b, "m");
	if (b.failed)
		cells_need(NULL);
	screen_live(s, b.p, b.n);
	bytes_free(&b);
}

/* Another name for the same, which more terminals know. */
static void
csi_as(struct screen *s, const struct filter_csi *q, char final)
{
	struct filter_csi	r = *q;

	r.final = final;
	pass(s, &r, 1);
}

static void
csi_plain(struct screen *s, const struct filter_csi *q)
{
	int	n = param(q, 0, 1) > 0 ? param(q, 0, 1) : 1;

	switch (q->final) {
	case '@': case 'P': shift_cells(s, q->final, n); break;
	case 'X': case 'C': case 'D': case 'G': case 'd':
		pass(s, q, 1);
		break;
	case 'A': case 'F': case 'k':
		move_rows(s, -n, q->final == 'F');
		break;
	case 'B': case 'E': case 'e':
		move_rows(s, n, q->final == 'E');
		break;
	case 'L': case 'M': shift_rows(s, q); break;
	case '`': case 'a': case 'j':
		csi_as(s, q, q->final == '`' ? 'G' : q->final == 'a' ? 'C' :
		    'D');
		break;
	case 'H': case 'f':
		pass(s, q, 2);
		break;
	case 'S': case 'T':
		if (q->final == 'T' && q->n > 1)	/* of the mouse */
			break;
		s->keep_past = q->final == 'S';
		pass(s, q, 1);
		s->keep_past = false;
		break;
	case 'I': tab(s, n); break;
	case 'Z': tab(s, -n); break;
	case 'J': case 'K': erase(s, q); break;
	case 'c':
		if (param(q, 0, 0) == 0)
			reply(s, "\033[?1;2c");
		break;
	case 'g': tab_clear(s, param(q, 0, 0)); break;
	case 'h': case 'l': modes(s, q); break;
	case 'm': pen(s, q); break;
	case 'n': report_status(s, q); break;
	case 'r': region(s, q); break;
	case 's':
	case 'u':
		if (q->n == 0)
			esc_plain(s, q->final == 's' ? '7' : '8');
		break;
	}
}

static void
cursor_shape(struct screen *s, int shape)
{
	char	buf[16];

	if (shape > 6)
		return;
	s->shape = shape;
	snprintf(buf, sizeof(buf), "\033[%d q", shape);
	live_str(s, buf);
}

/* DECSTR is what RIS is but for the buffer, what it shows, and the tabs. */
static void
soft_reset(struct screen *s)
{
	static const char	seq[] = "\033[?6l\033[?7h\033[?1l\033[?25h"
				    "\033[4l\033>\033(B\033)B\033*B\033+B\017"
				    "\033[r\033[0m";
	int			row = s->row, col = s->col;
	char			buf[32];

	screen_unpend(s);
	screen_self(s, seq, sizeof(seq) - 1);
	snprintf(buf, sizeof(buf), "\033[%d;%dH", row + 1, col + 1);
	both(s, buf, strlen(buf));
	s->saved[s->alt] = screen_slot_initial();
	live_str(s, "\033[H\0337");
	screen_live(s, buf, strlen(buf));
}

static void
on_csi(void *arg, const struct filter_csi *q)
{
	struct screen	*s = arg;
	uint32_t	 last = s->last;

	s->last = 0;
	if (q->leader == 0 && q->inter == 0) {
		if (q->final == 'b') {
			s->last = last;
			repeat(s, param(q, 0, 1) > 0 ? param(q, 0, 1) : 1);
		} else
			csi_plain(s, q);
	} else if (q->leader == '?' && q->inter == 0) {
		if (q->final == 'h' || q->final == 'l')
			modes(s, q);
		else if (q->final == 'J' || q->final == 'K')
			erase(s, q);
		else if (q->final == 'n')
			report_status(s, q);
	} else if (q->leader == '>' && q->inter == 0) {
		if (q->final == 'c' && param(q, 0, 0) == 0)
			reply(s, "\033[>0;100;0c");
	} else if (q->leader == 0 && q->inter == '!' && q->final == 'p')
		soft_reset(s);
	else if (q->leader == 0 && q->inter == ' ' && q->final == 'q')
		cursor_shape(s, param(q, 0, 0));
	else if (q->inter == '$' && q->final == 'p' &&
	    (q->leader == 0 || q->leader == '?'))
		report_mode(s, q->leader == '?', param(q, 0, 0));
}

/* --- strings -------------------------------------------------------------- */

static void
set_title(struct screen *s, const char *p, size_t n)
{
	size_t		len, out = 0;
	uint32_t	cp;

	for (; n > 0; p += len, n -= len) {
		if ((len = utf8_decode(p, n, &cp)) == 0) {
			len = 1;
			continue;
		}
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			continue;
		if (out + len > SCREEN_TITLE_MAX)
			break;
		memcpy(s->title + out, p, len);
		out += len;
	}
	s->title[out] = '\0';
	if (s->ops.title != NULL)
		s->ops.title(s->arg, s->title);
	live_str(s, "\033]2;");
	live_str(s, s->title);
	live_str(s, "\033\\");
}

/* DECRQSS: pen, region and cursor's shape, as xterm answers. */
static void
report_setting(struct screen *s, const char *p, size_t n)
{
	struct bytes	b = { 0 };

	bytes_str(&b, "\033P1$r");
	if (n == 1 && p[0] == 'm') {
		sgr_write(&s->pen, &b);
		bytes_str(&b, "m");
	} else if (n == 1 && p[0] == 'r')
		bytes_fmt(&b, "%d;%dr", s->top + 1, s->bottom);
	else if (n == 2 && memcmp(p, " q", 2) == 0)
		bytes_fmt(&b, "%d q", s->shape);
	else {
		bytes_clear(&b);
		bytes_str(&b, "\033P0$r");
	}
	bytes_add(&b, "\033\\", 3);
	if (b.failed)
		cells_need(NULL);
	reply(s, b.p);
	bytes_free(&b);
}

static void
on_string(void *arg, char kind, const char *p, size_t n)
{
	struct screen	*s = arg;

	s->last = 0;
	if (kind == 'P' && n >= 2 && memcmp(p, "$q", 2) == 0)
		report_setting(s, p + 2, n - 2);
	else if (kind == ']' && n >= 2 && (p[0] == '0' || p[0] == '2') &&
	    p[1] == ';')
		set_title(s, p + 2, n - 2);
}
