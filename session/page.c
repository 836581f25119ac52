/* SPDX-License-Identifier: ISC */

/* Texts for the model, made of ours and of what others wrote. */
#include <stdarg.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"
#include "utf8.h"

static bool
room(struct page *p, size_t more)
{
	size_t	 cap = p->cap == 0 ? 256 : p->cap;
	char	*s;

	if (p->failed)
		return false;
	while (cap < p->len + more + 1)
		cap *= 2;
	if (cap == p->cap)
		return true;
	if ((s = realloc(p->s, cap)) == NULL) {
		p->failed = true;
		return false;
	}
	p->s = s;
	p->cap = cap;
	return true;
}

static void
put(struct page *p, const char *s, size_t len)
{
	if (!room(p, len))
		return;
	memcpy(p->s + p->len, s, len);
	p->len += len;
	p->s[p->len] = '\0';
}

void
page_add(struct page *p, const char *fmt, ...)
{
	va_list	 ap;
	char	*s;
	int	 n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n == -1) {
		p->failed = true;
		return;
	}
	put(p, s, (size_t)n);
	free(s);
}

/* What a terminal or a reader could take for something else: control
 * characters, ends of line, marks that turn or hide text, and those that stay
 * unseen, in which a text can be hidden whole. */
static const struct {
	uint32_t	first, last;
} harmful[] = {
	{ 0x0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c },
	{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
	{ 0x2060, 0x206f }, { 0xfe00, 0xfe0d }, { 0xfeff, 0xfeff },
	{ 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
};

static bool
is_harmful(uint32_t cp)
{
	size_t	i;

	for (i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++)
		if (cp >= harmful[i].first && cp <= harmful[i].last)
			return true;
	return false;
}

/* One character of s, made harmless: how many bytes of s it was. */
static size_t
put_char(struct page *p, const char *s, size_t len, bool quoted)
{
	char		out[UTF8_MAX];
	uint32_t	cp;
	size_t		n = utf8_decode(s, len, &cp);

	if (n == 0)
		cp = UTF8_REPLACEMENT;
	else if (is_harmful(cp))
		cp = ' ';
	else if (quoted && cp == '"')
		cp = '\'';
	put(p, out, utf8_encode(cp, out));
	return n == 0 ? 1 : n;
}

/* At most so many characters, counted down; false: there were more. */
static bool
put_some(struct page *p, const char *s, size_t len, size_t *most, bool quoted)
{
	size_t	i = 0;

	for (; i < len && *most > 0; (*most)--)
		i += put_char(p, s + i, len - i, quoted);
	if (i < len)
		page_add(p, "...");
	return i == len;
}

bool
page_data(struct page *p, const char *text, size_t most)
{
	return put_some(p, text, strlen(text), &most, false);
}

void
page_words(struct page *p, const char *text, size_t most)
{
	page_add(p, "\"");
	(void)put_some(p, text, strlen(text), &most, true);
	page_add(p, "\"");
}

/* One that could be taken for our own words is in quotes. */
void
page_name(struct page *p, const char *name, size_t most)
{
	static const char	plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

	if (name[0] != '\0' && name[strspn(name, plain)] == '\0')
		(void)page_data(p, name, most);
	else
		page_words(p, name, most);
}

bool
page_quote(struct page *p, const char *before, const char *text, size_t most)
{
	size_t	n;
	bool	whole;

	for (;;) {
		n = strcspn(text, "\n");
		page_add(p, "%s", before);
		whole = put_some(p, text, n > 0 && text[n - 1] == '\r' ?
		    n - 1 : n, &most, false);
		page_add(p, "\n");
		text += n;
		if (!whole || *text == '\0' || *++text == '\0')
			return whole;
		/* The end of a line is a character, too. */
		if (most == 0 || --most == 0) {
			page_add(p, "%s...\n", before);
			return false;
		}
	}
}

void
page_list(struct page *p, const struct strlist *l, const char *none)
{
	size_t	i;

	for (i = 0; i < l->n; i++)
		page_add(p, "%s%s", i == 0 ? "" : ", ", l->v[i]);
	if (l->n == 0)
		page_add(p, "%s", none);
}

void
page_answer(struct page *p, struct mcp_call *c, bool error)
{
	if (p->failed)
		mcp_answer(c, "out of memory", true);
	else
		mcp_answer(c, p->s == NULL ? "" : p->s, error);
	page_free(p);
}

void
page_free(struct page *p)
{
	free(p->s);
	*p = (struct page){ .s = NULL };
}
