/* SPDX-License-Identifier: ISC */

/* The signer's log of what it granted and refused. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "signer.h"

#define SAID_MOST	256	/* of a text in what is refused */

struct audit {
	char	*path;
	int	 fd;
};

/* --- the file -------------------------------------------------------------- */

static int
put(struct audit *a, const char *text, size_t len, struct error *e)
{
	ssize_t	n;

	while (len > 0) {
		if ((n = write(a->fd, text, len)) == -1) {
			if (errno == EINTR)
				continue;
			return error_errno(e, EX_IOERR, "%s", a->path);
		}
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
sync_fd(int fd, const char *path, struct error *e)
{
	/* EINVAL: a file system that does not sync directories. */
	return fsync(fd) == -1 && errno != EINVAL ?
	    error_errno(e, EX_IOERR, "%s", path) : 0;
}

/* Its name must outlive a crash, too. */
static int
sync_dir(const char *path, struct error *e)
{
	char	*dir = strdup(path);
	int	 fd, r;

	if (dir == NULL)
		return error_errno(e, EX_OSERR, "%s", path);
	*strrchr(dir, '/') = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd == -1 ? error_errno(e, EX_IOERR, "%s", dir) :
	    sync_fd(fd, dir, e);
	if (fd != -1)
		close(fd);
	free(dir);
	return r;
}

/* What a crash cut short must not swallow the next line. */
static int
end_line(struct audit *a, struct error *e)
{
	char	last;
	off_t	size = lseek(a->fd, 0, SEEK_END);

	if (size <= 0 || pread(a->fd, &last, 1, size - 1) != 1 || last == '\n')
		return 0;
	return put(a, "\n", 1, e);
}

static int
check_file(const struct audit *a, struct error *e)
{
	struct stat	st;

	if (fstat(a->fd, &st) == -1)
		return error_errno(e, EX_CANTCREAT, "%s", a->path);
	if (!S_ISREG(st.st_mode))
		return error_set(e, EX_NOPERM, "%s is not a regular file",
		    a->path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return error_set(e, EX_NOPERM, "%s is open to others than its "
		    "owner (mode %04o): chmod 600 %s", a->path,
		    (unsigned)(st.st_mode & 07777), a->path);
	return 0;
}

static int
open_file(struct audit *a, struct error *e)
{
	const int	flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
			    O_CLOEXEC;
	bool		is_new = false;

	if (a->fd != -1)
		close(a->fd);
	/* Without waiting: a FIFO in its place has no reader. */
	a->fd = open(a->path, flags);
	if (a->fd == -1 && errno == ENOENT) {
		a->fd = open(a->path, flags | O_CREAT, 0600);
		is_new = true;
	}
	if (a->fd == -1)
		return error_errno(e, EX_CANTCREAT, "%s", a->path);
	if (check_file(a, e) == -1 || end_line(a, e) == -1)
		return -1;
	return is_new ? sync_dir(a->path, e) : 0;
}

struct audit *
audit_open(const char *path, struct error *e)
{
	struct audit	*a = calloc(1, sizeof(*a));

	if (a == NULL || (a->path = strdup(path)) == NULL) {
		error_errno(e, EX_OSERR, "%s", path);
		free(a);
		return NULL;
	}
	a->fd = -1;
	if (open_file(a, e) == 0)
		return a;
	audit_close(a);
	return NULL;
}

void
audit_close(struct audit *a)
{
	if (a == NULL)
		return;
	if (a->fd != -1)
		close(a->fd);
	free(a->path);
	free(a);
}

/* Moved away by whoever keeps old logs, or removed. */
static bool
is_gone(const struct audit *a)
{
	struct stat	is, was;

	return a->fd == -1 || fstat(a->fd, &was) == -1 ||
	    lstat(a->path, &is) == -1 || is.st_ino != was.st_ino ||
	    is.st_dev != was.st_dev;
}

/* --- a line ------------------------------------------------------------------ */

/* false only when out of memory; text NULL: nothing is said. */
static bool
say(cJSON *o, const char *name, const char *text)
{
	char	cut[SAID_MOST + 1];

	if (text == NULL)
		return true;
	strncpy(cut, text, SAID_MOST);
	cut[SAID_MOST] = '\0';
	return json_set_str(o, name, cut);
}

static bool
say_scope(cJSON *o, const struct mint *m)
{
	const struct scope	*s = &m->scope;

	if (!say(o, "name", m->name) || !say(o, "role", m->role) ||
	    !say(o, "target", m->target))
		return false;
	if (m->which == PROFILE_AGENT && (!json_set_strings(o, "subscribe",
	    s->subscribe, s->n_subscribe) || !json_set_strings(o,
	    "allow_subscribe", s->allow_subscribe, s->n_allow_subscribe) ||
	    !json_set_strings(o, "allow_publish", s->allow_publish,
	    s->n_allow_publish) || !json_set_bool(o, "spawn", s->spawn)))
		return false;
	return json_set_u64(o, "ttl_s", m->ttl_s);
}

static char *
line_of(const struct mint *m, const char *why)
{
	cJSON	*o = cJSON_CreateObject();
	char	*text = NULL;
	bool	 ok;

	ok = o != NULL && json_set_i64(o, "ts", clock_epoch_ms()) &&
	    json_set_bool(o, "ok", why == NULL);
	if (ok && m != NULL)
		ok = say(o, "manager", m->manager) &&
		    say(o, "for", m->asker) &&
		    say(o, "profile", m->profile) &&
		    say(o, "public", m->public);
	if (ok)
		ok = why != NULL ? say(o, "error", why) : say_scope(o, m);
	if (ok)
		text = json_print(o);
	cJSON_Delete(o);
	return text;
}

int
audit_write(struct audit *a, const struct mint *m, const char *why,
    struct error *e)
{
	char	*line = line_of(m, why);
	size_t	 len;
	int	 r = -1;

	if (line == NULL)
		return error_errno(e, EX_OSERR, "%s", a->path);
	/* In one write: with its end in place of the NUL. */
	len = strlen(line);
	line[len] = '\n';
	if (is_gone(a) && open_file(a, e) == -1)
		r = -1;
	else if (put(a, line, len + 1, e) == 0)
		r = sync_fd(a->fd, a->path, e);
	/* What is on disk of a line that failed is ended by the next. */
	if (r == -1 && a->fd != -1) {
		close(a->fd);
		a->fd = -1;
	}
	free(line);
	return r;
}
