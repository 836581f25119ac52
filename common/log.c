/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define VALUE_MAX	200
#define RING		4

static char		 who_pairs[128];
static enum log_level	 min_level = LOG_LEVEL_INFO;

static const char	*level_names[] = { "debug", "info", "warn", "error" };

void
log_init(const char *who, enum log_level min)
{
	snprintf(who_pairs, sizeof(who_pairs), "%s", who);
	min_level = min;
}

static size_t
stamp(char *buf, size_t size)
{
	struct timespec	ts;
	struct tm	tm;
	size_t		n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(buf, size, "ts=%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(buf + n, size - n, ".%03ldZ",
	    ts.tv_nsec / 1000000);
	return n;
}

static void
vlog(enum log_level level, const char *msg, const char *fmt, va_list ap)
{
	char	line[2048];
	size_t	n;
	int	m;

	if (level < min_level)
		return;
	n = stamp(line, sizeof(line));
	m = snprintf(line + n, sizeof(line) - n, " lvl=%s%s%s msg=\"%s\"",
	    level_names[level], who_pairs[0] ? " " : "", who_pairs, msg);
	if (m > 0)
		n += (size_t)m;
	if (fmt[0] != '\0' && n < sizeof(line) - 2) {
		line[n++] = ' ';
		m = vsnprintf(line + n, sizeof(line) - n, fmt, ap);
		if (m > 0)
			n += (size_t)m;
	}
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* A log that cannot be written is no reason to stop. */
	if (write(STDERR_FILENO, line, n) == -1)
		return;
}

#define LOGGER(name, level)						\
void									\
name(const char *msg, const char *fmt, ...)				\
{									\
	va_list	ap;							\
									\
	va_start(ap, fmt);						\
	vlog(level, msg, fmt, ap);					\
	va_end(ap);							\
}

LOGGER(log_debug, LOG_LEVEL_DEBUG)
LOGGER(log_info, LOG_LEVEL_INFO)
LOGGER(log_warn, LOG_LEVEL_WARN)
LOGGER(log_error, LOG_LEVEL_ERROR)

const char *
log_str(const char *s)
{
	static char	 ring[RING][VALUE_MAX * 4 + 3];
	static unsigned	 turn;
	char		*out = ring[turn++ % RING], *p = out;
	size_t		 i;

	*p++ = '"';
	for (i = 0; s != NULL && s[i] != '\0' && i < VALUE_MAX; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c < 0x20 || c == 0x7f)
			p += snprintf(p, 5, "\\x%02x", c);
		else
			*p++ = (char)c;
	}
	*p++ = '"';
	*p = '\0';
	return out;
}

void
fatal_memory(void)
{
	log_error("out of memory", " ");
	abort();
}
