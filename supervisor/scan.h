/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SCAN_H
#define REEVE_SCAN_H

#include <sys/stat.h>

/* Called for each directory in the service directory. */
typedef void scan_fn(void *arg, const char *name, const struct stat *);

/*
 * List the directories in dir_fd, and the links to such, whose name does not
 * begin with a dot; in no order.  Allocates nothing.  -1 and errno when the
 * list could not be read to its end.
 */
int	scan_directory(int dir_fd, scan_fn *, void *arg);

/* An inotify descriptor that tells when an entry comes or goes. */
int	scan_notifier(const char *path);

/* Read and forget what the notifier has, or, of a flood, a part: any of it
 * asks for a new scan. */
void	scan_drain(int notifier_fd);

#endif
