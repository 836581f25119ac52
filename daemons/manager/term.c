/* SPDX-License-Identifier: ISC */

/* An agent's terminal as a service of the supervisor (reeve-service(5)). */
#include <sys/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "services.h"

#include "manager.h"
#include "oneshot.h"

/* What the terminal needs to end its child: 3 s, and some. */
#define TIMEOUT_KILL	"10000\n"

static char *
run_text(const struct config *c, const char *name, struct error *e)
{
	char	*path = oneshot_program("reeve-pty", e);
	char	*program = path == NULL ? NULL : service_quote(path);
	char	*state = service_quote(c->state), *text = NULL;

	if (path == NULL)
		;
	else if (program == NULL || state == NULL || asprintf(&text,
	    "#!/bin/sh\n"
	    "# Made by reeve-manager; see reeve-service(5).\n"
	    "exec %s --state %s --agent %s --notify-fd 3\n", program, state,
	    name) == -1) {
		text = NULL;
		error_errno(e, EX_OSERR, "%s", name);
	}
	free(state);
	free(program);
	free(path);
	return text;
}

static int
write_one(const char *dir, const char *file, const char *text, mode_t mode,
    struct error *e)
{
	char	*path;
	int	 r;

	if (asprintf(&path, "%s/%s", dir, file) == -1)
		return error_errno(e, EX_OSERR, "%s", file);
	r = file_write_private(path, text, mode, e);
	free(path);
	return r;
}

static int
fill(const char *dir, const char *run, struct error *e)
{
	/* Left there by one that was cut off. */
	if (note_dir_remove(dir, e) == -1 || dir_make(dir, 0700, e) == -1 ||
	    write_one(dir, "notification-fd", "3\n", 0644, e) == -1 ||
	    write_one(dir, "timeout-kill", TIMEOUT_KILL, 0644, e) == -1)
		return -1;
	return write_one(dir, "run", run, 0755, e);
}

/* Made elsewhere and moved: the supervisor never sees half of it. */
int
term_make(const struct config *c, const char *name, struct error *e)
{
	char	*from = config_path(c, "making/pty-%s", name);
	char	*to = config_path(c, "service/pty-%s", name);
	char	*run = run_text(c, name, e);
	int	 r = -1;

	if (run == NULL)
		;
	else if (from == NULL || to == NULL)
		error_errno(e, EX_OSERR, "%s", name);
	else if (fill(from, run, e) == 0 &&
	    (r = rename(from, to)) == -1)
		error_errno(e, EX_CANTCREAT, "%s", to);
	if (r == 0)
		services_rescan(c);
	else if (from != NULL)
		(void)note_dir_remove(from, NULL);
	free(run);
	free(to);
	free(from);
	return r;
}

/* Out of the supervisor's sight in one step, and then away: it may still
 * write to what it has open there. */
int
term_remove(const struct config *c, const char *name, struct error *e)
{
	static unsigned	 n;
	char		*from = config_path(c, "service/pty-%s", name);
	char		*to = config_path(c, "gone/pty-%s.%d.%u", name,
			    (int)getpid(), n++);
	int		 r = -1;

	if (from == NULL || to == NULL)
		error_errno(e, EX_OSERR, "%s", name);
	else if (dir_make_parent(to, 0700, e) == 0 &&
	    (r = rename(from, to)) == -1) {
		if (errno == ENOENT)
			r = 0;
		else
			error_errno(e, EX_CANTCREAT, "%s", from);
	} else if (r == 0)
		services_rescan(c);
	free(to);
	free(from);
	return r;
}

int
term_end(const struct config *c, const char *name, bool hard,
    struct error *e)
{
	char	service[SLOT_NAME_MAX + 8];

	snprintf(service, sizeof(service), "pty-%s", name);
	/* Down, or the supervisor would start it again; SIGINT: at once. */
	return service_command(c, service, hard ? "di" : "d", e);
}

static void
sweep(const struct config *c, const char *where, const char *prefix)
{
	char		*dir = config_path(c, "%s", where), *path;
	DIR		*at = dir == NULL ? NULL : opendir(dir);
	struct dirent	*d;

	while (at != NULL && (d = readdir(at)) != NULL)
		if (strncmp(d->d_name, prefix, strlen(prefix)) == 0 &&
		    asprintf(&path, "%s/%s", dir, d->d_name) != -1) {
			(void)note_dir_remove(path, NULL);
			free(path);
		}
	if (at != NULL)
		closedir(at);
	free(dir);
}

void
term_sweep(const struct config *c, const char *name)
{
	char	prefix[SLOT_NAME_MAX + 8];

	snprintf(prefix, sizeof(prefix), "pty-%s%s", name == NULL ? "" : name,
	    name == NULL ? "" : ".");
	sweep(c, "gone", prefix);
	if (name == NULL)
		sweep(c, "making", prefix);
}

bool
term_exists(const struct config *c, const char *name)
{
	char	*path = config_path(c, "service/pty-%s", name);
	bool	 there = path != NULL && access(path, F_OK) == 0;

	free(path);
	return there;
}

/* It holds its lock as long as it lives. */
bool
term_runs(const struct config *c, const char *name)
{
	char	*path = config_path(c, "lock/pty-%s", name);
	bool	 runs = true;
	int	 fd;

	if (path == NULL)
		return true;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		runs = errno != ENOENT;
	else {
		runs = flock(fd, LOCK_SH | LOCK_NB) == -1;
		close(fd);
	}
	free(path);
	return runs;
}
