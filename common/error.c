/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

int
error_set(struct error *e, int code, const char *fmt, ...)
{
	va_list	ap;

	if (e == NULL)
		return -1;
	e->code = code;
	e->api = 0;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
error_wrap(struct error *e, const char *fmt, ...)
{
	char	was[sizeof(e->text)];
	size_t	used;
	va_list	ap;

	if (e == NULL)
		return -1;
	memcpy(was, e->text, sizeof(was));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof(e->text) - used, ": %s", was);
	return -1;
}

int
error_errno(struct error *e, int code, const char *fmt, ...)
{
	int	saved = errno;
	size_t	used;
	va_list	ap;

	if (e == NULL)
		return -1;
	e->code = code;
	e->api = 0;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof(e->text) - used, ": %s",
	    strerror(saved));
	errno = saved;
	return -1;
}
