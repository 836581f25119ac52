/* SPDX-License-Identifier: ISC */
#include <sys/types.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "envdir.h"
#include "smallfile.h"

#define VALUE_MAX	(64 * 1024)

/* End the value at its line's end and cut blanks from it. */
static void
first_line(char *value, size_t len)
{
	char	*newline;
	size_t	 i;

	if ((newline = memchr(value, '\n', len)) != NULL)
		len = (size_t)(newline - value);
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	for (i = 0; i < len; i++)
		if (value[i] == '\0')
			value[i] = '\n';
	value[len] = '\0';
}

static int
apply_file(int dir_fd, const char *name)
{
	char	value[VALUE_MAX];
	ssize_t	len;

	len = smallfile_read(dir_fd, name, value, sizeof(value));
	if (len == -1 && errno == EISDIR)
		return 0;
	if (len == -1 && errno != ENOENT)
		return -1;
	if (len <= 0)
		return unsetenv(name);
	first_line(value, (size_t)len);
	return setenv(name, value, 1);
}

int
envdir_apply(const char *path)
{
	struct dirent	*entry;
	DIR		*dir;

	if ((dir = opendir(path)) == NULL)
		return errno == ENOENT ? 0 : -1;
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || strchr(entry->d_name, '='))
			continue;
		if (apply_file(dirfd(dir), entry->d_name) == -1)
			return -1;
	}
	if (errno != 0)
		return -1;
	closedir(dir);
	return 0;
}
