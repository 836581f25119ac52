/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <unistd.h>

#include "keep.h"

int
keep_open(int fd)
{
	int	kept;

	if (fd == -1 || fd >= KEEP_FROM ||
	    (kept = fcntl(fd, F_DUPFD_CLOEXEC, KEEP_FROM)) == -1)
		return fd;
	close(fd);
	return kept;
}
