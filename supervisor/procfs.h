/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PROCFS_H
#define REEVE_PROCFS_H

#include <sys/types.h>

#include <stdbool.h>

/* What the kernel says of a process that may not be ours. */

#define BOOT_ID_SIZE	37

struct procfs_stat {
	bool			is_zombie;
	pid_t			group, session;
	/* When it began, in clock ticks since boot: with the pid and the boot
	 * id it names a process once and for all. */
	unsigned long long	start_ticks;
};

/* False: no such process, or, as procfs_scarce(errno) says, no way to know. */
bool	procfs_stat(pid_t, struct procfs_stat *);

/* The errno of a system that has none left of what is asked for, and may have
 * again: nothing is known then. */
bool	procfs_scarce(int error);

/* 0: no such process. */
unsigned long long procfs_start_ticks(pid_t);

/* Its working directory is the one that dev and ino name.  False with errno
 * 0: it is another. */
bool	procfs_works_in(pid_t, dev_t dev, ino_t ino);

/* It has a handler for the signal, or blocks it to wait for it: it is not
 * just killed by it. */
bool	procfs_expects(pid_t, int sig);

/* -1 and errno; buf is "" then. */
int	procfs_boot_id(char buf[BOOT_ID_SIZE]);

#endif
