/* SPDX-License-Identifier: ISC */

/*
 * mark: the service of the benchmark of supervisors.  Its run file is a link
 * to it.  It tells the fifo two directories up when it began and who it is,
 * and then does nothing.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "brood.h"

int
main(void)
{
	char		dir[PATH_MAX], *name;
	struct timespec	ts;
	struct mark	m;
	int		fd;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	m.began_us = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
	m.pid = getpid();
	if (getcwd(dir, sizeof(dir)) == NULL ||
	    (name = strrchr(dir, '/')) == NULL)
		return 1;
	m.service = (uint32_t)strtoul(name + 2, NULL, 10);
	if ((fd = open("../../marks", O_WRONLY)) == -1 ||
	    write(fd, &m, sizeof(m)) != (ssize_t)sizeof(m))
		return 1;
	close(fd);
	for (;;)
		pause();
}
