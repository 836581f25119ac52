/* SPDX-License-Identifier: ISC */
#include <locale.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <wchar.h>

#include "cli.h"
#include "table.h"
#include "utf8.h"

#define GAP	2

/* --- text ------------------------------------------------------------------- */

/* Is it one that a terminal may act upon? */
static bool
is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ||
	    (cp >= 0x200e && cp <= 0x200f) ||
	    (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

static size_t
width_of(uint32_t cp)
{
	int	n = is_control(cp) ? 1 : wcwidth((wchar_t)cp);

	return n < 0 ? 1 : (size_t)n;
}

size_t
text_width(const char *s)
{
	locale_t	 utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8",
			    (locale_t)0), was = (locale_t)0;
	size_t		 width = 0, left = strlen(s), n;
	uint32_t	 cp;

	if (utf8 != (locale_t)0)
		was = uselocale(utf8);
	for (; left > 0; s += n, left -= n) {
		if ((n = utf8_decode(s, left, &cp)) == 0)
			n = 1, cp = UTF8_REPLACEMENT;
		width += width_of(cp);
	}
	if (utf8 != (locale_t)0) {
		uselocale(was);
		freelocale(utf8);
	}
	return width;
}

/* Bytes of s that take at most so many columns, and fit in size. */
static size_t
fitting(const char *s, size_t columns, size_t size)
{
	char		c[8];
	size_t		used = 0, n, left = strlen(s);
	uint32_t	cp;

	while (left > used) {
		if ((n = utf8_decode(s + used, left - used, &cp)) == 0)
			n = 1;
		memcpy(c, s + used, n);
		c[n] = '\0';
		if (text_width(c) > columns || used + n >= size)
			break;
		columns -= text_width(c);
		used += n;
	}
	return used;
}

void
text_clip(char *buf, size_t size, const char *s, size_t columns)
{
	bool	whole = fitting(s, columns, size) == strlen(s);
	size_t	n = fitting(s, whole ? columns : columns - 3,
		    whole ? size : size - 3);

	snprintf(buf, size, "%.*s%s", (int)n, s, whole ? "" : "...");
}

void
text_put(FILE *f, const char *s, const char *newline)
{
	size_t		left = strlen(s), n;
	uint32_t	cp;

	for (; left > 0; s += n, left -= n) {
		if ((n = utf8_decode(s, left, &cp)) == 0) {
			n = 1;
			fputs("\xef\xbf\xbd", f);
		} else if (cp == '\n')
			fputs(newline, f);
		else if (is_control(cp))
			fputc(' ', f);
		else
			fwrite(s, 1, n, f);
	}
}

/* --- the table ---------------------------------------------------------------- */

static void
add(struct table *t, const char *cell)
{
	if (!strlist_add(&t->cells, cell != NULL && cell[0] ? cell : "-"))
		t->failed = true;
}

void
table_init(struct table *t, size_t n_columns, ...)
{
	const char	*cell;
	va_list		 ap;
	size_t		 i;

	memset(t, 0, sizeof(*t));
	t->n_columns = n_columns;
	va_start(ap, n_columns);
	for (i = 0; i < n_columns; i++) {
		if ((cell = va_arg(ap, const char *)) == NULL && i == 0)
			break;
		add(t, cell);
		t->header = true;
	}
	va_end(ap);
}

void
table_row(struct table *t, ...)
{
	va_list	ap;
	size_t	i;

	va_start(ap, t);
	for (i = 0; i < t->n_columns; i++)
		add(t, va_arg(ap, const char *));
	va_end(ap);
}

size_t
table_rows(const struct table *t)
{
	return t->cells.n / t->n_columns - t->header;
}

static void
print_row(const struct table *t, size_t row, const size_t *widths)
{
	const char	*cell;
	size_t		 i, pad;

	for (i = 0; i < t->n_columns; i++) {
		cell = t->cells.v[row * t->n_columns + i];
		text_put(stdout, cell, " ");
		/* Nothing hangs off the end of a line. */
		if (i + 1 == t->n_columns)
			break;
		for (pad = widths[i] + GAP - text_width(cell); pad > 0; pad--)
			fputc(' ', stdout);
	}
}

int
table_print(struct table *t)
{
	size_t	*widths = calloc(t->n_columns, sizeof(*widths)), i, w;
	bool	 bold = t->header && cli_color(stdout);

	if (widths == NULL || t->failed) {
		fprintf(stderr, "reeve: out of memory\n");
		free(widths);
		table_free(t);
		return EX_OSERR;
	}
	for (i = 0; i < t->cells.n; i++)
		if ((w = text_width(t->cells.v[i])) > widths[i % t->n_columns])
			widths[i % t->n_columns] = w;
	for (i = 0; i < t->cells.n / t->n_columns; i++) {
		fputs(i == 0 && bold ? "\033[1m" : "", stdout);
		print_row(t, i, widths);
		fputs(i == 0 && bold ? "\033[0m\n" : "\n", stdout);
	}
	free(widths);
	table_free(t);
	return EX_OK;
}

void
table_free(struct table *t)
{
	strlist_free(&t->cells);
}
