/* SPDX-License-Identifier: ISC */
#include "screen_impl.h"

static int	color(const struct filter_csi *, int i, uint32_t *out);
static void	one(struct pen *, const struct filter_csi *, int i);
static void	bright(struct pen *, int v);

static int
param(const struct filter_csi *q, int i)
{
	return i < q->n && q->param[i] > 0 ? q->param[i] : 0;
}

void
sgr_apply(struct pen *pen, const struct filter_csi *q)
{
	int	i, v;

	if (q->n == 0)
		*pen = (struct pen){ 0 };
	for (i = 0; i < q->n; i++) {
		v = param(q, i);
		if (v == 38)
			i = color(q, i, &pen->fg);
		else if (v == 48)
			i = color(q, i, &pen->bg);
		else if (v == 58)
			i = color(q, i, NULL);
		else
			one(pen, q, i);
		/* What came after colons belonged to it. */
		while (i + 1 < q->n && q->sub[i + 1])
			i++;
	}
}

/*
 * 38;5;N and 38;2;R;G;B, and the same with colons, where an empty parameter
 * (the colour space) may stand before R; *out is set when it is whole.  The
 * index of its last parameter.
 */
static int
color(const struct filter_csi *q, int i, uint32_t *out)
{
	int	end = i, at, n, v[3] = { 0 };

	if (i + 1 < q->n && q->sub[i + 1]) {
		while (end + 1 < q->n && q->sub[end + 1])
			end++;
		n = param(q, i + 1) == 2 ? 3 : 1;
		at = n == 3 && end - i >= 5 ? i + 3 : i + 2;
	} else {
		n = param(q, i + 1) == 2 ? 3 : 1;
		if (param(q, i + 1) != 2 && param(q, i + 1) != 5)
			return i + 1 < q->n ? i + 1 : i;
		at = i + 2;
		end = at + n - 1 < q->n ? at + n - 1 : q->n - 1;
	}
	if (at + n - 1 > end || out == NULL ||
	    (param(q, i + 1) != 2 && param(q, i + 1) != 5))
		return end;
	for (i = 0; i < n; i++)
		if ((v[i] = param(q, at + i)) > 255)
			return end;
	*out = n == 1 ? COLOR_INDEX | (uint32_t)v[0] :
	    COLOR_RGB | (uint32_t)(v[0] << 16 | v[1] << 8 | v[2]);
	return end;
}

static void
set(struct pen *pen, int on, int off)
{
	pen->attr = (uint16_t)((pen->attr & ~off) | on);
}

static void
underline(struct pen *pen, int kind)
{
	if (kind >= 0 && kind <= 5)
		set(pen, kind << ATTR_UL_SHIFT, ATTR_UL_MASK);
}

static void
one(struct pen *pen, const struct filter_csi *q, int i)
{
	static const uint16_t	on[] = { 0, ATTR_BOLD, ATTR_FAINT, ATTR_ITALIC,
		    0, ATTR_BLINK, ATTR_BLINK, ATTR_REVERSE, ATTR_CONCEAL,
		    ATTR_STRIKE };
	int			v = param(q, i);

	switch (v) {
	case 0: *pen = (struct pen){ 0 }; break;
	case 4:
		underline(pen, i + 1 < q->n && q->sub[i + 1] ?
		    param(q, i + 1) : 1);
		break;
	case 21: underline(pen, 2); break;
	case 22: set(pen, 0, ATTR_BOLD | ATTR_FAINT); break;
	case 23: set(pen, 0, ATTR_ITALIC); break;
	case 24: underline(pen, 0); break;
	case 25: set(pen, 0, ATTR_BLINK); break;
	case 27: set(pen, 0, ATTR_REVERSE); break;
	case 28: set(pen, 0, ATTR_CONCEAL); break;
	case 29: set(pen, 0, ATTR_STRIKE); break;
	case 39: pen->fg = 0; break;
	case 49: pen->bg = 0; break;
	case 53: set(pen, ATTR_OVERLINE, 0); break;
	case 55: set(pen, 0, ATTR_OVERLINE); break;
	default:
		if (v < 10)
			set(pen, on[v], 0);
		else
			bright(pen, v);
	}
}

/* The sixteen colours that have parameters of their own. */
static void
bright(struct pen *pen, int v)
{
	if (v >= 30 && v <= 37)
		pen->fg = COLOR_INDEX | (uint32_t)(v - 30);
	else if (v >= 40 && v <= 47)
		pen->bg = COLOR_INDEX | (uint32_t)(v - 40);
	else if (v >= 90 && v <= 97)
		pen->fg = COLOR_INDEX | (uint32_t)(v - 90 + 8);
	else if (v >= 100 && v <= 107)
		pen->bg = COLOR_INDEX | (uint32_t)(v - 100 + 8);
}

static void
write_color(uint32_t c, int base, struct bytes *out)
{
	uint32_t	v = c & 0xffffff;

	if (c & COLOR_RGB)
		bytes_fmt(out, ";%d;2;%u;%u;%u", base + 8, v >> 16,
		    v >> 8 & 0xff, v & 0xff);
	else if (c & COLOR_INDEX && v < 8)
		bytes_fmt(out, ";%u", (unsigned)base + v);
	else if (c & COLOR_INDEX && v < 16)
		bytes_fmt(out, ";%u", (unsigned)base + 60 + v - 8);
	else if (c & COLOR_INDEX)
		bytes_fmt(out, ";%d;5;%u", base + 8, v);
}

void
sgr_write(const struct pen *pen, struct bytes *out)
{
	static const struct { uint16_t attr; const char *s; } names[] = {
		{ ATTR_BOLD, ";1" }, { ATTR_FAINT, ";2" },
		{ ATTR_ITALIC, ";3" }, { ATTR_BLINK, ";5" },
		{ ATTR_REVERSE, ";7" }, { ATTR_CONCEAL, ";8" },
		{ ATTR_STRIKE, ";9" }, { ATTR_OVERLINE, ";53" },
	};
	int	ul = (pen->attr & ATTR_UL_MASK) >> ATTR_UL_SHIFT;
	size_t	i;

	bytes_str(out, "0");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (pen->attr & names[i].attr)
			bytes_str(out, names[i].s);
	/* 4 and 21 are known where 4:1 and 4:2 are not. */
	if (ul == 1)
		bytes_str(out, ";4");
	else if (ul == 2)
		bytes_str(out, ";21");
	else if (ul > 2)
		bytes_fmt(out, ";4:%d", ul);
	write_color(pen->fg, 30, out);
	write_color(pen->bg, 40, out);
}
