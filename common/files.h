/* SPDX-License-Identifier: ISC */
#ifndef REEVE_FILES_H
#define REEVE_FILES_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/*
 * Write a file so that it is whole or absent: temporary beside it, fsync,
 * rename.  The mode is exact whatever the umask.
 * EX_CANTCREAT, EX_IOERR.
 */
int	file_write_private(const char *path, const char *text, mode_t mode,
	    struct error *);
/* mkdir -p, each made with mode; what exists keeps its own. EX_CANTCREAT. */
int	dir_make(const char *path, mode_t mode, struct error *);
/* dir_make of the directory that path is in. */
int	dir_make_parent(const char *path, mode_t mode, struct error *);
/*
 * Whole file, NUL-terminated beyond *len (which may be NULL), at most max
 * bytes; malloc'd.  NULL with *e: EX_NOINPUT, EX_NOPERM, EX_DATAERR (too
 * long, or a NUL byte where len is NULL), EX_IOERR.
 */
char	*file_read(const char *path, size_t max, size_t *len, struct error *);
/* file_read of a secret: also EX_NOPERM when others than its owner may read
 * or write it.  The caller wipes it (file_wipe). */
char	*file_read_private(const char *path, size_t max, size_t *len,
	    struct error *);
/*
 * The same of a regular file `name` in the open directory dir (or AT_FDCWD),
 * which is not a symbolic link; errors call it `path`.
 */
char	*file_read_at(int dir, const char *name, const char *path, size_t max,
	    size_t *len, bool secret, struct error *);
/* A regular file that may be executed? */
bool	file_is_program(const char *path);
/* malloc'd dir/name, of dir len bytes, if that is a program; else NULL. */
char	*file_program(const char *dir, size_t len, const char *name);
/* The directory that this program was started from.  -1: not known. */
int	file_own_dir(char *buf, size_t size);
/* All of a text into an open file, its mode, and to the disk; path is for
 * errors. EX_IOERR. */
int	file_put(int fd, const char *text, mode_t mode, const char *path,
	    struct error *);
/*
 * The lock of a path, which is made with its parents: a descriptor that holds
 * it until it is closed; the kernel frees that of a killed process at once.
 * -1 with *e: EX_TEMPFAIL when another `who` has it, EX_CANTCREAT.
 */
int	file_lock(const char *path, const char *who, struct error *);
/* Zero a NUL-terminated text and free it.  NULL is fine. */
void	file_wipe(char *text);

#endif
