/* SPDX-License-Identifier: ISC */
#include <sys/un.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "control.h"
#include "log.h"

#define TOKEN_BYTES	32
#define PREFIX		"control-"
#define SOCKET		"/socket"

/* A socket's path holds about a hundred bytes: where the agent's directory is
 * too deep, the user's run-time directory, or /tmp. */
static int
make_dir(const char *dir, char **path, struct error *e)
{
	const char	*bases[] = { dir, getenv("XDG_RUNTIME_DIR"), "/tmp" };
	char		*made;
	size_t		 i;

	for (i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		if (bases[i] == NULL || bases[i][0] != '/')
			continue;
		if (asprintf(&made, "%s/" PREFIX "XXXXXX", bases[i]) == -1)
			fatal_memory();
		if (strlen(made) + sizeof(SOCKET) <=
		    sizeof(((struct sockaddr_un *)NULL)->sun_path) &&
		    mkdtemp(made) != NULL) {
			if (asprintf(path, "%s" SOCKET, made) == -1)
				fatal_memory();
			free(made);
			return 0;
		}
		free(made);
	}
	return error_errno(e, EX_CANTCREAT, "no directory for the control "
	    "socket");
}

int
control_make(struct launch_plan *plan, const char *dir, char **path,
    struct error *e)
{
	unsigned char	random[TOKEN_BYTES];
	char		token[TOKEN_BYTES * 2 + 1];
	int		r;

	if (make_dir(dir, path, e) == -1)
		return -1;
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(token, sizeof(token), random, sizeof(random));
	r = launch_plan_set(plan, "COTAL_CONTROL_SOCKET", *path, e);
	if (r == 0)
		r = launch_plan_set(plan, "COTAL_CONTROL_TOKEN", token, e);
	sodium_memzero(token, sizeof(token));
	sodium_memzero(random, sizeof(random));
	return r;
}

void
control_end(char *path)
{
	if (path == NULL)
		return;
	(void)unlink(path);
	*strrchr(path, '/') = '\0';
	(void)rmdir(path);
	free(path);
}

void
control_sweep(const char *dir)
{
	DIR		*d = opendir(dir);
	struct dirent	*de;
	char		*path;

	while (d != NULL && (de = readdir(d)) != NULL) {
		if (strncmp(de->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		if (asprintf(&path, "%s/%s" SOCKET, dir, de->d_name) == -1)
			fatal_memory();
		control_end(path);
	}
	if (d != NULL)
		closedir(d);
}
