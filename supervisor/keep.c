/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <unistd.h>

#include "keep.h"

#define WORD	32	/* numbers in a word of a kernel's table, at least */

/* The lowest free number from there on that is to be used; -1 and errno. */
static int
duplicate(int fd, int from)
{
	int	kept = fcntl(fd, F_DUPFD_CLOEXEC, from), next;

	if (kept == -1 || kept % WORD != WORD - 1)
		return kept;
	next = duplicate(fd, kept + 1);
	close(kept);
	return next;
}

int
keep_open(int fd)
{
	int	kept;

	if (fd == -1 || (fd >= KEEP_FROM && fd % WORD != WORD - 1) ||
	    (kept = duplicate(fd, KEEP_FROM)) == -1)
		return fd;
	close(fd);
	return kept;
}

rlim_t
keep_numbers(rlim_t descriptors)
{
	return descriptors + descriptors / (WORD - 1) + 1;
}
