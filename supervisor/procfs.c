/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procfs.h"
#include "smallfile.h"

#define STARTTIME_FIELD	22

unsigned long long
procfs_start_ticks(pid_t pid)
{
	char	 path[40], buf[1024], *p;
	int	 field;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (smallfile_read(AT_FDCWD, path, buf, sizeof(buf)) == -1)
		return 0;
	/* The second field is a name in brackets, and may hold anything. */
	if ((p = strrchr(buf, ')')) == NULL)
		return 0;
	for (field = 2; field < STARTTIME_FIELD; field++)
		if ((p = strchr(p + 1, ' ')) == NULL)
			return 0;
	return strtoull(p, NULL, 10);
}

bool
procfs_works_in(pid_t pid, dev_t dev, ino_t ino)
{
	struct stat	st;
	char		path[40];

	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	return stat(path, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

bool
procfs_expects(pid_t pid, int sig)
{
	static const char *const	masks[] = { "\nSigBlk:\t",
		"\nSigCgt:\t" };
	char				path[40], buf[4096];
	const char			*p;
	size_t				i;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (smallfile_read(AT_FDCWD, path, buf, sizeof(buf)) == -1)
		return false;
	for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
		if ((p = strstr(buf, masks[i])) != NULL &&
		    strtoull(p + strlen(masks[i]), NULL, 16) >> (sig - 1) & 1)
			return true;
	return false;
}

int
procfs_boot_id(char buf[BOOT_ID_SIZE])
{
	char	file[BOOT_ID_SIZE + 2];

	buf[0] = '\0';
	if (smallfile_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", file,
	    sizeof(file)) == -1)
		return -1;
	file[strcspn(file, "\n")] = '\0';
	snprintf(buf, BOOT_ID_SIZE, "%.36s", file);
	return 0;
}
