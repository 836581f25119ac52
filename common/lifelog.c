/* SPDX-License-Identifier: ISC */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "files.h"
#include "lifelog.h"
#include "log.h"

#define TRIES		100	/* files that are full or dropped under us */

const char *const lifelog_names[LIFELOG_N] = { "lifecycle.log", "exits.log" };

/* --- rotation ------------------------------------------------------------ */

/* Up to the first gap only, which one that was killed here may have left: so
 * nothing is dropped before its time. */
static void
shift(const char *path, unsigned kept)
{
	char		from[PATH_MAX], to[PATH_MAX];
	unsigned	n;

	for (n = 1; n < kept; n++) {
		snprintf(to, sizeof(to), "%s.%u", path, n);
		if (access(to, F_OK) == -1)
			break;
	}
	for (; n > 0; n--) {
		if (n > 1)
			snprintf(from, sizeof(from), "%s.%u", path, n - 1);
		else
			strlcpy(from, path, sizeof(from));
		snprintf(to, sizeof(to), "%s.%u", path, n);
		if (rename(from, to) == -1 && errno != ENOENT)
			log_warn("cannot rotate", "path=%s error=%s",
			    log_str(from), log_str(strerror(errno)));
	}
}

/* The file of this inode is full.  False: another does it, or it cannot be
 * done, and the line goes to this one. */
static bool
rotate(const char *path, ino_t ino, unsigned kept)
{
	struct stat	st;
	char		lock[PATH_MAX];
	int		fd;

	if (snprintf(lock, sizeof(lock), "%s.lock", path) >=
	    (int)sizeof(lock) - 8)
		return false;
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		close(fd);
		return false;
	}
	if (stat(path, &st) == 0 && st.st_ino == ino)
		shift(path, kept);
	close(fd);
	return true;
}

/* --- a line ---------------------------------------------------------------- */

static bool
ends_open(int fd, off_t *size)
{
	struct stat	st;
	char		last;

	if (fstat(fd, &st) == -1)
		return false;
	*size = st.st_size;
	return *size > 0 && pread(fd, &last, 1, *size - 1) == 1 &&
	    last != '\n';
}

/* Does the last line lack its end?  A full disk may have cut it.  One that is
 * just being written looks like that, too, but grows. */
static bool
is_torn(int fd)
{
	struct timespec	moment = { .tv_nsec = 2000000 };
	off_t		was, now;

	if (!ends_open(fd, &was))
		return false;
	(void)nanosleep(&moment, NULL);
	return ends_open(fd, &now) && now == was;
}

static int
put(int fd, const char *path, const char *line, struct error *e)
{
	struct iovec	iov[3];
	size_t		len = strlen(line);
	bool		torn = is_torn(fd);
	ssize_t		n, all = (ssize_t)len + 1 + (torn ? 1 : 0);

	iov[0].iov_base = (void *)(uintptr_t)"\n";
	iov[0].iov_len = torn ? 1 : 0;
	iov[1].iov_base = (void *)(uintptr_t)line;
	iov[1].iov_len = len;
	iov[2].iov_base = (void *)(uintptr_t)"\n";
	iov[2].iov_len = 1;
	do
		n = writev(fd, iov, 3);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return error_errno(e, EX_IOERR, "write %s", path);
	return n == all ? 0 : error_set(e, EX_IOERR, "write %s: only in part",
	    path);
}

/* 1: written, and it stays; 0: try again; -1 *e. */
static int
try(const char *path, off_t max, unsigned kept, const char *line,
    struct error *e)
{
	struct stat	st;
	int		fd, r = -1;

	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd == -1)
		return error_errno(e, EX_CANTCREAT, "%s", path);
	if (fstat(fd, &st) == -1)
		error_errno(e, EX_IOERR, "%s", path);
	else if (st.st_size >= max && rotate(path, st.st_ino, kept))
		r = 0;
	else if (put(fd, path, line, e) == 0)
		/* It may have been dropped before it had the line. */
		r = fstat(fd, &st) == 0 && st.st_nlink == 0 ? 0 : 1;
	close(fd);
	return r;
}

int
lifelog_append(const char *path, off_t max, unsigned kept, const char *line,
    struct error *e)
{
	int	i, r;

	if (dir_make_parent(path, 0700, e) == -1)
		return -1;
	for (i = 0; i < TRIES; i++)
		if ((r = try(path, max, kept, line, e)) != 0)
			return r == 1 ? 0 : -1;
	return error_set(e, EX_IOERR, "%s cannot be rotated", path);
}

/* --- an event ------------------------------------------------------------------ */

/* A word needs no quotes. */
static bool
is_word(const char *s)
{
	return s[0] != '\0' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

static int
add(const struct config *c, enum lifelog which, const char *ev,
    const char *identity, struct error *e, const char *fmt, va_list ap)
{
	char	 line[LIFELOG_LINE], *path;
	size_t	 n;
	int	 r;

	n = log_stamp(line, sizeof(line));
	n += (size_t)snprintf(line + n, sizeof(line) - n,
	    " ev=%s identity=%s", ev, is_word(identity) ? identity :
	    log_str(identity));
	if (fmt[0] != '\0' && n < sizeof(line) - 1) {
		line[n++] = ' ';
		(void)vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	}
	path = config_path(c, "log/%s", lifelog_names[which]);
	if (path == NULL)
		return error_errno(e, EX_OSERR, "%s", lifelog_names[which]);
	r = lifelog_append(path, LIFELOG_SIZE, LIFELOG_KEPT, line, e);
	free(path);
	return r;
}

int
lifelog_add(const struct config *c, enum lifelog which, const char *ev,
    const char *identity, struct error *e, const char *fmt, ...)
{
	va_list	ap;
	int	r;

	va_start(ap, fmt);
	r = add(c, which, ev, identity, e, fmt, ap);
	va_end(ap);
	return r;
}

void
lifelog_note(const struct config *c, enum lifelog which, const char *ev,
    const char *identity, const char *fmt, ...)
{
	struct error	e;
	va_list		ap;

	va_start(ap, fmt);
	if (add(c, which, ev, identity, &e, fmt, ap) == -1)
		log_warn("an event is not written", "ev=%s identity=%s "
		    "error=%s", ev, log_str(identity), log_str(e.text));
	va_end(ap);
}

/* --- reading -------------------------------------------------------------------- */

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a quoted value, and where the next begins. */
static const char *
unescape(const char *s, char *out)
{
	if (*s != '\\' || s[1] == '\0') {
		*out = *s;
		return s + 1;
	}
	if (s[1] == 'x' && hex(s[2]) != -1 && hex(s[3]) != -1) {
		*out = (char)(hex(s[2]) * 16 + hex(s[3]));
		return s + 4;
	}
	*out = s[1];
	return s + 2;
}

static const char *
take_value(const char *s, struct lifelog_pair *pair)
{
	size_t	n = 0;
	char	c;

	pair->quoted = *s == '"';
	if (pair->quoted)
		s++;
	while (*s != '\0' && *s != (pair->quoted ? '"' : ' ')) {
		c = *s;
		s = pair->quoted ? unescape(s, &c) : s + 1;
		if (n < sizeof(pair->value) - 1)
			pair->value[n++] = c;
	}
	pair->value[n] = '\0';
	return pair->quoted && *s == '"' ? s + 1 : s;
}

bool
lifelog_next(const char **p, struct lifelog_pair *pair)
{
	const char	*s = *p;
	size_t		 n;

	for (;;) {
		s += strspn(s, " ");
		if (*s == '\0')
			break;
		n = strcspn(s, " =");
		if (s[n] != '=' || n == 0 || n >= sizeof(pair->key)) {
			s += s[n] == '=' ? n + 1 : n;
			continue;
		}
		memcpy(pair->key, s, n);
		pair->key[n] = '\0';
		*p = take_value(s + n + 1, pair);
		return true;
	}
	*p = s;
	return false;
}

bool
lifelog_get(const char *line, const char *key, char *buf, size_t size)
{
	struct lifelog_pair	pair;

	while (lifelog_next(&line, &pair))
		if (strcmp(pair.key, key) == 0) {
			strlcpy(buf, pair.value, size);
			return true;
		}
	return false;
}

bool
lifelog_is_peer(const char *identity, const char *peer)
{
	const char	*dash = strchr(identity, '-');

	return strcmp(identity, peer) == 0 ||
	    (dash != NULL && strcmp(dash + 1, peer) == 0);
}
