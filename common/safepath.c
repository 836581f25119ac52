/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "safepath.h"

#define DIR_FLAGS	(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define DEPTH_MAX	8		/* of what is removed */
#define TMP_TRIES	16

/* A file: the open directory that it is in, and its name in it. */
struct place {
	int	dir;
	char	name[NAME_MAX + 1];
	char	path[PATH_MAX];		/* root/rel, for errors */
};

/* The component at *rel into name, and *rel beyond it. */
static int
component(char *name, size_t size, const char **rel, struct error *e)
{
	size_t	len = strcspn(*rel, "/");

	if (len == 0 || len >= size ||
	    (len <= 2 && strspn(*rel, ".") >= len) ||
	    ((*rel)[len] == '/' && (*rel)[len + 1] == '\0'))
		return error_set(e, EX_USAGE, "\"%.64s\" is not the name of "
		    "a file", *rel);
	memcpy(name, *rel, len);
	name[len] = '\0';
	*rel += len + ((*rel)[len] == '/');
	return 0;
}

static bool
is_link(int dir, const char *name)
{
	struct stat	st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode);
}

/* The directory `name` in dir, which is closed. */
static int
descend(int dir, const char *name, bool make, const char *path,
    struct error *e)
{
	int	fd;

	fd = openat(dir, name, DIR_FLAGS);
	if (fd == -1 && errno == ENOENT && make) {
		/* Somebody else may make it at the same moment. */
		if (mkdirat(dir, name, 0700) == -1 && errno != EEXIST)
			error_errno(e, EX_CANTCREAT, "%s: make directory %s",
			    path, name);
		else if ((fd = openat(dir, name, DIR_FLAGS)) == -1)
			error_errno(e, EX_CANTCREAT, "%s: %s", path, name);
	} else if (fd == -1 && (errno == ENOTDIR || errno == ELOOP) &&
	    is_link(dir, name))
		error_set(e, EX_NOPERM, "%s: %s is a symbolic link: it is "
		    "not followed", path, name);
	else if (fd == -1)
		error_errno(e, errno == EACCES ? EX_NOPERM : EX_NOINPUT,
		    "%s: %s", path, name);
	close(dir);
	return fd;
}

static int
open_root(const char *root, struct error *e)
{
	int	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		error_errno(e, errno == EACCES ? EX_NOPERM : EX_NOINPUT,
		    "open %s", root);
	return fd;
}

int
safe_dir(const char *root, const char *rel, bool make, struct error *e)
{
	char	name[NAME_MAX + 1], path[PATH_MAX];
	int	fd;

	snprintf(path, sizeof(path), "%s/%s", root, rel);
	if ((fd = open_root(root, e)) == -1)
		return -1;
	do {
		if (component(name, sizeof(name), &rel, e) == -1) {
			close(fd);
			return -1;
		}
		fd = descend(fd, name, make, path, e);
	} while (fd != -1 && *rel != '\0');
	return fd;
}

/* The caller closes p->dir. */
static int
locate(struct place *p, const char *root, const char *rel, bool make,
    struct error *e)
{
	if (snprintf(p->path, sizeof(p->path), "%s/%s", root, rel) >=
	    (int)sizeof(p->path))
		return error_set(e, EX_USAGE, "%.64s...: too long", rel);
	if ((p->dir = open_root(root, e)) == -1)
		return -1;
	for (;;) {
		if (component(p->name, sizeof(p->name), &rel, e) == -1) {
			close(p->dir);
			return -1;
		}
		if (*rel == '\0')
			return 0;
		if ((p->dir = descend(p->dir, p->name, make, p->path, e))
		    == -1)
			return -1;
	}
}

char *
safe_read(const char *root, const char *rel, size_t max, size_t *len,
    struct error *e)
{
	struct place	 p;
	char		*text;

	if (locate(&p, root, rel, false, e) == -1)
		return NULL;
	text = file_read_at(p.dir, p.name, p.path, max, len, false, e);
	close(p.dir);
	return text;
}

/* --- writing ------------------------------------------------------------------- */

/* A new file `name` in p's directory; removed again when that fails. */
static int
create(const struct place *p, const char *name, const char *text,
    mode_t mode, struct error *e)
{
	int	fd, rc;

	fd = openat(p->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return error_errno(e, EX_CANTCREAT, "create %s", p->path);
	rc = file_put(fd, text, mode, p->path, e);
	if (close(fd) == -1 && rc == 0)
		rc = error_errno(e, EX_IOERR, "write %s", p->path);
	if (rc == -1)
		unlinkat(p->dir, name, 0);
	return rc;
}

/* Without it a crash may forget the name.  EINVAL: a file system that does
 * not sync directories. */
static int
sync_dir(const struct place *p, struct error *e)
{
	if (fsync(p->dir) == -1 && errno != EINVAL)
		return error_errno(e, EX_IOERR, "fsync %s", p->path);
	return 0;
}

int
safe_create(const char *root, const char *rel, const char *text,
    struct error *e)
{
	struct place	p;
	int		rc;

	if (locate(&p, root, rel, true, e) == -1)
		return -1;
	if ((rc = create(&p, p.name, text, 0600, e)) == 0 &&
	    (rc = sync_dir(&p, e)) == -1)
		unlinkat(p.dir, p.name, 0);
	close(p.dir);
	return rc;
}

/* What stands there and may be replaced: its mode; 0600 when nothing does. */
static int
mode_of(const struct place *p, mode_t *mode, struct error *e)
{
	struct stat	st;

	*mode = 0600;
	if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 :
		    error_errno(e, EX_CANTCREAT, "%s", p->path);
	if (S_ISLNK(st.st_mode))
		return error_set(e, EX_NOPERM, "%s is a symbolic link: it is "
		    "not followed", p->path);
	if (!S_ISREG(st.st_mode))
		return error_set(e, EX_CANTCREAT, "%s is not a regular file",
		    p->path);
	*mode = st.st_mode & 0777;
	return 0;
}

static int
replace(const struct place *p, const char *text, struct error *e)
{
	char	tmp[64];
	mode_t	mode;
	int	tries, rc = -1;

	if (mode_of(p, &mode, e) == -1)
		return -1;
	for (tries = 0; rc == -1 && tries < TMP_TRIES; tries++) {
		snprintf(tmp, sizeof(tmp), ".reeve-%ld-%d", (long)getpid(),
		    tries);
		if ((rc = create(p, tmp, text, mode, e)) == -1 &&
		    errno != EEXIST)
			return -1;
	}
	if (rc == -1)
		return -1;
	if (renameat(p->dir, tmp, p->dir, p->name) == -1) {
		error_errno(e, EX_CANTCREAT, "write %s", p->path);
		unlinkat(p->dir, tmp, 0);
		return -1;
	}
	return sync_dir(p, e);
}

int
safe_replace(const char *root, const char *rel, const char *text,
    struct error *e)
{
	struct place	p;
	int		rc;

	if (locate(&p, root, rel, true, e) == -1)
		return -1;
	rc = replace(&p, text, e);
	close(p.dir);
	return rc;
}

int
safe_exists(const char *root, const char *rel, struct error *e)
{
	struct place	p;
	struct stat	st;
	struct error	why;
	int		rc;

	if (locate(&p, root, rel, false, &why) == -1) {
		if (why.code == EX_NOINPUT)
			return 0;
		return error_set(e, why.code, "%s", why.text);
	}
	rc = fstatat(p.dir, p.name, &st, AT_SYMLINK_NOFOLLOW);
	if (rc == -1 && errno == ENOENT)
		rc = 0;
	else if (rc == -1)
		error_errno(e, EX_NOINPUT, "%s", p.path);
	else if (S_ISREG(st.st_mode))
		rc = 1;
	else
		rc = error_set(e, EX_NOPERM, "%s is %s", p.path,
		    S_ISLNK(st.st_mode) ? "a symbolic link: it is not "
		    "followed" : "not a regular file");
	close(p.dir);
	return rc;
}

/* --- removing ------------------------------------------------------------------ */

static int	remove_at(int, const char *, int);

/* All that is in dir; fd is closed.  errno tells why not. */
static int
empty(int fd, int depth)
{
	const struct dirent	*d;
	DIR			*dir;
	int			 rc = 0, saved;

	if (depth == 0 || (dir = fdopendir(fd)) == NULL) {
		saved = depth == 0 ? ELOOP : errno;
		close(fd);
		errno = saved;
		return -1;
	}
	while (rc == 0 && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 &&
		    strcmp(d->d_name, "..") != 0)
			rc = remove_at(dirfd(dir), d->d_name, depth - 1);
	saved = errno;
	closedir(dir);
	errno = saved;
	return rc;
}

static int
remove_at(int dir, const char *name, int depth)
{
	int	fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if ((fd = openat(dir, name, DIR_FLAGS)) == -1)
		return errno == ENOENT ? 0 : -1;
	if (empty(fd, depth) == -1)
		return -1;
	return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ?
	    0 : -1;
}

int
safe_remove(const char *root, const char *rel, struct error *e)
{
	struct place	p;
	struct error	why;
	int		rc;

	if (locate(&p, root, rel, false, &why) == -1) {
		if (why.code == EX_NOINPUT)
			return 0;
		return error_set(e, why.code, "%s", why.text);
	}
	if ((rc = remove_at(p.dir, p.name, DEPTH_MAX)) == -1)
		error_errno(e, EX_IOERR, "remove %s", p.path);
	close(p.dir);
	return rc;
}
