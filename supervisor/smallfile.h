/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SMALLFILE_H
#define REEVE_SMALLFILE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

/* The small files of a service directory; paths are relative to dir_fd. */

/*
 * The whole file into buf, ended by a NUL.  The length, or -1 and errno:
 * EFBIG when it has size bytes or more.
 */
ssize_t	smallfile_read(int dir_fd, const char *path, char *buf, size_t size);

/* A file that is one decimal number.  -1 and errno: EINVAL when it is not
 * one, or is above INT32_MAX. */
int64_t	smallfile_number(int dir_fd, const char *path);

/*
 * Replace the file in one step: who has it open reads on what it was.  It is
 * written into <path>.spare, and the two change places; no file is made and
 * none renamed over another, as this is what takes the time on ext4, and what
 * a full disk refuses.  Where there is no spare file yet, or somebody still
 * reads it, it is written into <path>.new, and what was there is the spare
 * file from then on; only when the disk is full the spare file is written
 * though it is read.  -1 and errno.
 */
int	smallfile_write(int dir_fd, const char *path, const void *, size_t);

/*
 * Have <path>.spare, with size bytes of the disk, for smallfile_write to take
 * also when there is no more; the file must be there by then.  -1 and errno.
 */
#define SMALLFILE_RESERVE_MAX	2048
int	smallfile_reserve(int dir_fd, const char *path, size_t size);

/* The errno of a full disk, or of a quota that is used up. */
bool	smallfile_no_space(int error);

#endif
