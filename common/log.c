/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
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

static enum {
	WAITS,			/* write(2) to stderr */
	OWN,			/* to own_fd, which does not wait */
	SHARED,			/* to stderr, which would: it is asked first */
	SOCKET,			/* to stderr, with MSG_DONTWAIT */
}			 manner = WAITS;
static int		 own_fd = -1;
static unsigned long	 lost;		/* lines, since the last that went */
static bool		 torn;		/* the last went in part */

static const char	*level_names[] = { "debug", "info", "warn", "error" };

void
log_init(const char *who, enum log_level min)
{
	snprintf(who_pairs, sizeof(who_pairs), "%s", who);
	min_level = min;
}

size_t
log_stamp(char *buf, size_t size)
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

static size_t
begin_line(char *buf, size_t size, enum log_level level, const char *msg)
{
	size_t	n = log_stamp(buf, size);
	int	m;

	m = snprintf(buf + n, size - n, " lvl=%s%s%s msg=\"%s\"",
	    level_names[level], who_pairs[0] ? " " : "", who_pairs, msg);
	return m > 0 ? n + (size_t)m : n;
}

/* A pipe that can be written to takes PIPE_BUF bytes, which no line has. */
static ssize_t
put_shared(const char *line, size_t n)
{
	struct iovec	iov = { .iov_base = (void *)(uintptr_t)line,
			    .iov_len = n };
	struct pollfd	p = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t		r;

	r = pwritev2(STDERR_FILENO, &iov, 1, -1, RWF_NOWAIT);
	if (r != -1 || errno == EAGAIN)
		return r;
	if (poll(&p, 1, 0) == 1)
		return write(STDERR_FILENO, line, n);
	errno = EAGAIN;
	return -1;
}

/* False: it is not written, or not all of it. */
static bool
put(const char *line, size_t n)
{
	ssize_t	r;

	if (manner == OWN)
		r = write(own_fd, line, n);
	else if (manner == SHARED)
		r = put_shared(line, n);
	else if (manner == SOCKET)
		r = send(STDERR_FILENO, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		r = write(STDERR_FILENO, line, n);
	if (r != -1)
		torn = (size_t)r != n;
	return r != -1 && !torn;
}

static bool
say_lost(void)
{
	char	line[512];
	size_t	n = 0;

	if (lost == 0)
		return true;
	if (torn)
		line[n++] = '\n';
	n += begin_line(line + n, sizeof(line) - n, LOG_LEVEL_WARN,
	    "lines lost");
	n += (size_t)snprintf(line + n, sizeof(line) - n, " lines=%lu\n",
	    lost);
	if (!put(line, n))
		return false;
	lost = 0;
	return true;
}

static void
vlog(enum log_level level, const char *msg, const char *fmt, va_list ap)
{
	char	line[2048];
	size_t	n;
	int	m;

	if (level < min_level)
		return;
	n = begin_line(line, sizeof(line), level, msg);
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
	if (!say_lost() || !put(line, n))
		lost++;
}

void
log_never_wait(void)
{
	struct stat	st;

	if (fstat(STDERR_FILENO, &st) == -1 || S_ISREG(st.st_mode))
		return;
	manner = S_ISSOCK(st.st_mode) ? SOCKET : SHARED;
	if (manner == SOCKET)
		return;
	own_fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY |
	    O_CLOEXEC);
	if (own_fd != -1)
		manner = OWN;
}

void
log_in_child(void)
{
	if (manner == OWN)
		manner = SHARED;
	own_fd = -1;
	lost = 0;
	torn = false;
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

char *
log_quote(char *buf, size_t size, const char *s, size_t max)
{
	char	*p = buf, *end = buf + size;
	size_t	 i;

	*p++ = '"';
	/* Room for the longest that a byte becomes, the quote and the end. */
	for (i = 0; s != NULL && s[i] != '\0' && i < max && end - p >= 6;
	    i++) {
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
	return buf;
}

const char *
log_str(const char *s)
{
	static char	ring[RING][VALUE_MAX * 4 + 8];
	static unsigned	turn;

	turn = (turn + 1) % RING;
	return log_quote(ring[turn], sizeof(ring[turn]), s, VALUE_MAX);
}

void
fatal_memory(void)
{
	log_error("out of memory", " ");
	abort();
}
