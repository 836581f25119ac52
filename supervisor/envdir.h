/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ENVDIR_H
#define REEVE_ENVDIR_H

/*
 * Set the environment from a directory, as chpst -e does: a file's name is
 * a variable, its first line the value, trailing blanks cut, NUL read as a
 * newline; an empty file, or a link to nothing, unsets it.  Directories, and
 * names that begin with a dot or hold '=', are passed over.  No such
 * directory is well.  -1 and errno; allocates, so
 * for a child on its way to exec.
 */
int	envdir_apply(const char *path);

#endif
