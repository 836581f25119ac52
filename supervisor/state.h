/* SPDX-License-Identifier: ISC */
#ifndef REEVE_STATE_H
#define REEVE_STATE_H

#include <stddef.h>

/*
 * The state directory: named, or REEVE_STATE, or /var/lib/reeve for root, or
 * $XDG_STATE_HOME/reeve, or ~/.local/state/reeve.
 */

/* given: of the command line, NULL if none.  -1 and errno: no way to know,
 * or too long for buf. */
int	state_path(const char *given, char *buf, size_t size);

/*
 * Take <state>/reeved.lock and write our pid into it.  dir_fd is the state
 * directory.  The descriptor, to be kept open, or -1 and errno: EWOULDBLOCK
 * when another has it, *holder is then its pid, or 0.
 *
 * It is locked by fcntl(2), which tells who has it, and by flock(2), for others
 * to test.  A child that reeved was forking when it was killed has them for a
 * moment more; that is waited for.
 */
int	state_lock(int dir_fd, long *holder);

/*
 * Write <state>/reeved.stopping: that the process of this pid and start tick
 * of this boot was told to end, in the words of supervise/reeve.  -1 and
 * errno.
 */
int	state_told(int dir_fd, const char *boot_id);

/* Empty the file, keeping its room for the next pid should the disk be full
 * then, and close it.  -1 and errno: it could not be emptied. */
int	state_unlock(int fd);

#endif
