/* SPDX-License-Identifier: ISC */
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "files.h"

static int	 dir_of(char *, size_t, const char *, struct error *);
static int	 dir_sync(const char *, struct error *);
static int	 dir_make_one(const char *, mode_t, struct error *);
static char	*file_slurp(const char *, size_t, size_t *, bool,
		    struct error *);
static char	*file_of_fd(int, const char *, size_t, size_t *, bool,
		    struct error *);
static char	*fd_slurp(int, const char *, size_t, size_t *,
		    struct error *);

int
file_write_private(const char *path, const char *text, mode_t mode,
    struct error *e)
{
	char	tmp[PATH_MAX];
	int	fd;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return error_set(e, EX_CANTCREAT, "%s: path is too long",
		    path);
	if ((fd = mkostemp(tmp, O_CLOEXEC)) == -1)
		return error_errno(e, EX_CANTCREAT, "create %s", tmp);
	if (file_put(fd, text, mode, path, e) == -1) {
		close(fd);
		unlink(tmp);
		return -1;
	}
	if (close(fd) == -1) {
		error_errno(e, EX_IOERR, "write %s", path);
		unlink(tmp);
		return -1;
	}
	if (rename(tmp, path) == -1) {
		error_errno(e, EX_CANTCREAT, "rename %s to %s", tmp, path);
		unlink(tmp);
		return -1;
	}
	return dir_sync(path, e);
}

/* mkostemp makes 0600: nobody else reads the text before the mode is set. */
int
file_put(int fd, const char *text, mode_t mode, const char *path,
    struct error *e)
{
	size_t	left = strlen(text);
	ssize_t	n;

	while (left > 0) {
		if ((n = write(fd, text, left)) == -1) {
			if (errno == EINTR)
				continue;
			return error_errno(e, EX_IOERR, "write %s", path);
		}
		text += n;
		left -= (size_t)n;
	}
	if (fchmod(fd, mode) == -1)
		return error_errno(e, EX_IOERR, "chmod %s", path);
	if (fsync(fd) == -1)
		return error_errno(e, EX_IOERR, "fsync %s", path);
	return 0;
}

int
file_lock(const char *path, const char *who, struct error *e)
{
	int	fd;

	if (dir_make_parent(path, 0700, e) == -1)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		return error_errno(e, EX_CANTCREAT, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return error_set(e, EX_TEMPFAIL, "another %s runs here (%s is "
	    "locked)", who, path);
}

static int
dir_of(char *buf, size_t size, const char *path, struct error *e)
{
	const char	*slash = strrchr(path, '/');
	size_t		 len = slash == NULL ? 0 : (size_t)(slash - path);

	if (len >= size)
		return error_set(e, EX_CANTCREAT, "%s: path is too long",
		    path);
	if (slash == NULL)
		strlcpy(buf, ".", size);
	else if (len == 0)
		strlcpy(buf, "/", size);
	else {
		memcpy(buf, path, len);
		buf[len] = '\0';
	}
	return 0;
}

/* Without it a crash may forget the rename. */
static int
dir_sync(const char *path, struct error *e)
{
	char	dir[PATH_MAX];
	int	fd, rc = 0;

	if (dir_of(dir, sizeof(dir), path, e) == -1)
		return -1;
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return error_errno(e, EX_IOERR, "open %s", dir);
	/* EINVAL: a file system that does not sync directories. */
	if (fsync(fd) == -1 && errno != EINVAL)
		rc = error_errno(e, EX_IOERR, "fsync %s", dir);
	close(fd);
	return rc;
}

int
dir_make(const char *path, mode_t mode, struct error *e)
{
	char	 dir[PATH_MAX], *p;

	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir))
		return error_set(e, EX_CANTCREAT, "%s: path is too long",
		    path);
	for (p = dir + strspn(dir, "/"); (p = strchr(p, '/')) != NULL;
	    *p = '/', p += strspn(p, "/")) {
		*p = '\0';
		if (dir_make_one(dir, mode, e) == -1)
			return -1;
	}
	return dir_make_one(dir, mode, e);
}

static int
dir_make_one(const char *dir, mode_t mode, struct error *e)
{
	struct stat	st;
	int		saved;

	if (mkdir(dir, mode) == 0)
		return 0;
	saved = errno;
	/* EROFS and EACCES come before EEXIST on some parents. */
	if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	errno = saved;
	return error_errno(e, EX_CANTCREAT, "make directory %s", dir);
}

int
dir_make_parent(const char *path, mode_t mode, struct error *e)
{
	char	dir[PATH_MAX];

	if (dir_of(dir, sizeof(dir), path, e) == -1)
		return -1;
	return dir_make(dir, mode, e);
}

char *
file_read(const char *path, size_t max, size_t *len, struct error *e)
{
	return file_slurp(path, max, len, false, e);
}

char *
file_read_private(const char *path, size_t max, size_t *len, struct error *e)
{
	return file_slurp(path, max, len, true, e);
}

static char *
file_slurp(const char *path, size_t max, size_t *len, bool secret,
    struct error *e)
{
	char	*text;
	int	 fd;

	/* Opened without waiting: a FIFO that nobody writes to is empty. */
	if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) == -1) {
		error_errno(e, errno == EACCES ? EX_NOPERM :
		    EX_NOINPUT, "open %s", path);
		return NULL;
	}
	(void)fcntl(fd, F_SETFL, 0);
	text = file_of_fd(fd, path, max, len, secret, e);
	close(fd);
	return text;
}

char *
file_read_at(int dir, const char *name, const char *path, size_t max,
    size_t *len, bool secret, struct error *e)
{
	struct stat	 st;
	char		*text = NULL;
	int		 fd;

	/* Opened without waiting: a FIFO has no end that we would see. */
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 && errno == ELOOP) {
		error_set(e, EX_NOPERM, "%s is a symbolic link: it is not "
		    "followed", path);
		return NULL;
	}
	if (fd == -1) {
		error_errno(e, errno == EACCES ? EX_NOPERM : EX_NOINPUT,
		    "open %s", path);
		return NULL;
	}
	if (fstat(fd, &st) == -1)
		error_errno(e, EX_NOINPUT, "stat %s", path);
	else if (!S_ISREG(st.st_mode))
		error_set(e, EX_NOINPUT, "%s is not a regular file", path);
	else
		text = file_of_fd(fd, path, max, len, secret, e);
	close(fd);
	return text;
}

static char *
file_of_fd(int fd, const char *path, size_t max, size_t *len, bool secret,
    struct error *e)
{
	struct stat	 st;
	char		*text = NULL;
	size_t		 n;

	if (fstat(fd, &st) == -1)
		error_errno(e, EX_NOINPUT, "stat %s", path);
	else if (S_ISDIR(st.st_mode))
		error_set(e, EX_NOINPUT, "%s is a directory", path);
	else if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		error_set(e, EX_NOPERM, "%s is open to others than its owner "
		    "(mode %04o): chmod 600 %s", path,
		    (unsigned)(st.st_mode & 07777), path);
	else
		text = fd_slurp(fd, path, max, &n, e);
	if (text == NULL)
		return NULL;
	if (len != NULL)
		*len = n;
	else if (strlen(text) != n) {
		error_set(e, EX_DATAERR, "%s: contains a NUL byte", path);
		explicit_bzero(text, n);
		free(text);
		return NULL;
	}
	return text;
}

/* recallocarray zeroes what it leaves behind: the text may be a secret. */
static char *
fd_slurp(int fd, const char *path, size_t max, size_t *len, struct error *e)
{
	char	*buf = NULL, *bigger;
	size_t	 cap = 0, n = 0;
	ssize_t	 got;

	for (;;) {
		if (cap - n < 2) {
			bigger = recallocarray(buf, cap,
			    cap == 0 ? 4096 : cap * 2, 1);
			if (bigger == NULL) {
				error_errno(e, EX_OSERR, "read %s", path);
				break;
			}
			buf = bigger;
			cap = cap == 0 ? 4096 : cap * 2;
		}
		if ((got = read(fd, buf + n, cap - n - 1)) == -1) {
			if (errno == EINTR)
				continue;
			error_errno(e, EX_IOERR, "read %s", path);
			break;
		}
		n += (size_t)got;
		if (n > max) {
			error_set(e, EX_DATAERR, "%s: longer than %zu bytes",
			    path, max);
			break;
		}
		if (got == 0) {
			buf[n] = '\0';
			*len = n;
			return buf;
		}
	}
	freezero(buf, cap);
	return NULL;
}

void
file_wipe(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

bool
file_is_program(const char *path)
{
	struct stat	st;

	/* A directory may be executed, too. */
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

char *
file_program(const char *dir, size_t len, const char *name)
{
	char	*path = NULL;

	if (asprintf(&path, "%.*s/%s", (int)len, dir, name) == -1)
		return NULL;
	if (file_is_program(path))
		return path;
	free(path);
	return NULL;
}

int
file_own_dir(char *buf, size_t size)
{
	ssize_t	 n = readlink("/proc/self/exe", buf, size - 1);
	char	*slash;

	if (n <= 0)
		return -1;
	buf[n] = '\0';
	if ((slash = strrchr(buf, '/')) == NULL)
		return -1;
	*slash = '\0';
	return 0;
}
