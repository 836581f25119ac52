/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

void
bytes_add(struct bytes *b, const void *p, size_t n)
{
	size_t	 cap = b->cap == 0 ? 256 : b->cap;
	char	*q;

	if (b->failed || n == 0)
		return;
	if (n > SIZE_MAX / 4 || b->n > SIZE_MAX / 4) {
		b->failed = true;
		return;
	}
	while (cap - b->n < n || cap < b->n)
		cap *= 2;
	if (cap != b->cap) {
		if ((q = realloc(b->p, cap)) == NULL) {
			b->failed = true;
			return;
		}
		b->p = q;
		b->cap = cap;
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

void
bytes_str(struct bytes *b, const char *s)
{
	bytes_add(b, s, strlen(s));
}

void
bytes_fmt(struct bytes *b, const char *fmt, ...)
{
	char	buf[256];
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(buf))
		b->failed = true;
	else
		bytes_add(b, buf, (size_t)n);
}

void
bytes_clear(struct bytes *b)
{
	b->n = 0;
	b->failed = false;
}

void
bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){ 0 };
}
