/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "filter.h"
#include "utf8.h"

enum {
	GROUND,
	ESC,		/* ESC, and intermediates */
	CSI,		/* CSI, and what is before the final byte */
	STRING,		/* after OSC, DCS, SOS, PM, APC */
	STRING_ESC	/* ESC in there: its end, or another sequence */
};

static size_t	ground(struct filter *, const struct filter_ops *, void *,
		    const char *, size_t);
static bool	utf8_more(struct filter *, const struct filter_ops *, void *,
		    unsigned char);
static void	utf8_start(struct filter *, const struct filter_ops *, void *,
		    unsigned char);
static bool	c0(struct filter *, const struct filter_ops *, void *, char);
static void	esc(struct filter *, const struct filter_ops *, void *, char);
static void	csi(struct filter *, const struct filter_ops *, void *, char);
static void	csi_param(struct filter *, char);
static void	string(struct filter *, const struct filter_ops *, void *,
		    char);
static void	string_end(struct filter *, const struct filter_ops *, void *);

static void
keep(struct filter *f, char c)
{
	/* Longer than any that means something. */
	if (f->nraw == sizeof(f->raw))
		f->bad = true;
	else
		f->raw[f->nraw++] = c;
}

static void
to_ground(struct filter *f)
{
	f->state = GROUND;
	f->nraw = 0;
}

static void
to_esc(struct filter *f)
{
	f->state = ESC;
	f->bad = false;
	f->inter = 0;
	f->raw[0] = '\033';
	f->nraw = 1;
}

void
filter_feed(struct filter *f, const struct filter_ops *ops, void *arg,
    const char *p, size_t n)
{
	size_t	i = 0;
	char	c;

	while (i < n) {
		if (f->state == GROUND) {
			i += ground(f, ops, arg, p + i, n - i);
			continue;
		}
		c = p[i];
		if (f->state < STRING && (c & 0x80)) {
			/* No byte of a sequence: it is over, c is text. */
			to_ground(f);
			continue;
		}
		i++;
		if (f->state < STRING && c0(f, ops, arg, c))
			continue;
		switch (f->state) {
		case ESC:
			esc(f, ops, arg, c);
			break;
		case CSI:
			csi(f, ops, arg, c);
			break;
		default:
			string(f, ops, arg, c);
			break;
		}
	}
}

/* Text, and what begins a sequence; how many bytes were taken, at least 1. */
static size_t
ground(struct filter *f, const struct filter_ops *ops, void *arg,
    const char *p, size_t n)
{
	unsigned char	c = (unsigned char)p[0];
	size_t		i;

	/* A byte that does not go on with a character begins anew. */
	if (f->want > 0 && utf8_more(f, ops, arg, c))
		return 1;
	for (i = 0; i < n && p[i] >= 0x20 && p[i] < 0x7f; i++)
		;
	if (i > 0) {
		ops->ascii(arg, p, i);
		return i;
	}
	if (c & 0x80)
		utf8_start(f, ops, arg, c);
	else if (c == 0x1b)
		to_esc(f);
	else if (c < 0x20 && c != 0)
		ops->control(arg, (char)c);
	return 1;
}

/* --- characters ----------------------------------------------------------- */

static void
utf8_start(struct filter *f, const struct filter_ops *ops, void *arg,
    unsigned char c)
{
	f->least = 0x80;
	f->most = 0xbf;
	f->have = 0;
	if (c >= 0xc2 && c <= 0xdf) {
		f->want = 1;
		f->cp = c & 0x1f;
	} else if (c >= 0xe0 && c <= 0xef) {
		f->want = 2;
		f->cp = c & 0x0f;
		if (c == 0xe0)
			f->least = 0xa0;
		else if (c == 0xed)
			f->most = 0x9f;
	} else if (c >= 0xf0 && c <= 0xf4) {
		f->want = 3;
		f->cp = c & 0x07;
		if (c == 0xf0)
			f->least = 0x90;
		else if (c == 0xf4)
			f->most = 0x8f;
	} else {
		ops->glyph(arg, UTF8_REPLACEMENT);
		return;
	}
	f->nraw = 0;
	keep(f, (char)c);
}

/* False when c is no part of the character begun, which is given up. */
static bool
utf8_more(struct filter *f, const struct filter_ops *ops, void *arg,
    unsigned char c)
{
	if (c < f->least || c > f->most) {
		f->want = 0;
		f->nraw = 0;
		ops->glyph(arg, UTF8_REPLACEMENT);
		return false;
	}
	f->least = 0x80;
	f->most = 0xbf;
	f->cp = f->cp << 6 | (c & 0x3f);
	keep(f, (char)c);
	if (--f->want > 0)
		return true;
	f->nraw = 0;
	/* C1 controls, and what is no character for ever. */
	if (f->cp >= 0xa0)
		ops->glyph(arg, (f->cp & 0xfffe) == 0xfffe ?
		    UTF8_REPLACEMENT : f->cp);
	return true;
}

/* --- sequences ------------------------------------------------------------ */

/* A control character inside of a sequence acts at once. */
static bool
c0(struct filter *f, const struct filter_ops *ops, void *arg, char c)
{
	if (c == 0x1b)
		to_esc(f);
	else if (c == 0x18 || c == 0x1a)
		to_ground(f);
	else if (c > 0 && c < 0x20)
		ops->control(arg, c);
	else if (c != 0 && c != 0x7f)
		return false;
	return true;
}

static void
esc(struct filter *f, const struct filter_ops *ops, void *arg, char c)
{
	keep(f, c);
	if (c < 0x30) {
		f->bad = f->bad || f->inter != 0;
		f->inter = c;
		return;
	}
	if (f->inter == 0 && c == '[') {
		f->state = CSI;
		f->csi = (struct filter_csi){ 0 };
		return;
	}
	if (f->inter == 0 && strchr("]PX^_", c) != NULL) {
		f->state = STRING;
		f->kind = c;
		f->nstring = 0;
		return;
	}
	to_ground(f);
	if (!f->bad)
		ops->esc(arg, f->inter, c);
}

static void
csi(struct filter *f, const struct filter_ops *ops, void *arg, char c)
{
	struct filter_csi	*q = &f->csi;

	keep(f, c);
	if (c >= 0x40) {
		q->final = c;
		if (q->n > FILTER_PARAMS)
			q->n = FILTER_PARAMS;
		to_ground(f);
		if (!f->bad)
			ops->csi(arg, q);
	} else if (c < 0x30) {
		f->bad = f->bad || q->inter != 0;
		q->inter = c;
	} else if (q->inter != 0)
		f->bad = true;
	else if (c >= '<') {
		f->bad = f->bad || q->leader != 0 || q->n > 0;
		q->leader = c;
	} else
		csi_param(f, c);
}

/* A digit, ';' or ':'. */
static void
csi_param(struct filter *f, char c)
{
	struct filter_csi	*q = &f->csi;
	int			*v;

	if (q->n == 0) {
		q->param[0] = -1;
		q->n = 1;
	}
	if (c == ';' || c == ':') {
		/* One beyond the last is counted and not stored. */
		if (q->n <= FILTER_PARAMS)
			q->n++;
		if (q->n <= FILTER_PARAMS) {
			q->param[q->n - 1] = -1;
			q->sub[q->n - 1] = c == ':';
		}
		return;
	}
	if (q->n > FILTER_PARAMS)
		return;
	v = &q->param[q->n - 1];
	*v = (*v < 0 ? 0 : *v * 10) + (c - '0');
	if (*v > FILTER_VALUE)
		*v = FILTER_VALUE;
}

static void
string(struct filter *f, const struct filter_ops *ops, void *arg, char c)
{
	if (f->state == STRING_ESC) {
		if (c == '\\') {
			string_end(f, ops, arg);
			return;
		}
		/* It was cut off, and another sequence begins. */
		to_esc(f);
		filter_feed(f, ops, arg, &c, 1);
		return;
	}
	if (c == 0x1b) {
		f->state = STRING_ESC;
	} else if (c == 0x18 || c == 0x1a) {
		to_ground(f);
		return;
	} else if (c == 0x07) {
		string_end(f, ops, arg);
		return;
	} else if ((unsigned char)c < 0x20 || f->nstring == FILTER_STRING)
		return;
	else
		f->string[f->nstring++] = c;
	keep(f, c);
}

static void
string_end(struct filter *f, const struct filter_ops *ops, void *arg)
{
	to_ground(f);
	if (f->kind == ']' || f->kind == 'P')
		ops->string(arg, f->kind, f->string, f->nstring);
}
