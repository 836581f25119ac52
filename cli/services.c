/* SPDX-License-Identifier: ISC */
#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "services.h"

#define STATUS_SIZE	20
#define TAI_OFFSET	4611686018427387914ULL

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
services_list(const struct config *c, struct strlist *out, struct error *e)
{
	char		*path = config_path(c, "service");
	DIR		*d = path == NULL ? NULL : opendir(path);
	struct dirent	*de;

	if (d == NULL) {
		error_errno(e, EX_NOINPUT, "%s/service", c->state);
		free(path);
		return -1;
	}
	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] != '.' && !strlist_add(out, de->d_name))
			break;
	closedir(d);
	free(path);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(out->v[0]), by_name);
	return 0;
}

/* runit's 20 bytes: when, pid, paused, want, term, state. */
static void
read_runit(const char *path, struct service_status *s)
{
	unsigned char	b[STATUS_SIZE];
	int		fd = open(path, O_RDONLY | O_CLOEXEC), i;
	uint64_t	t = 0;

	if (fd == -1)
		return;
	if (read(fd, b, sizeof(b)) == (ssize_t)sizeof(b)) {
		for (i = 0; i < 8; i++)
			t = t << 8 | b[i];
		s->since_ms = (int64_t)(t - TAI_OFFSET) * 1000;
		s->pid = b[12] | b[13] << 8 | b[14] << 16 | (long)b[15] << 24;
		snprintf(s->want, sizeof(s->want), "%s",
		    b[17] == 'u' ? "up" : "down");
		snprintf(s->state, sizeof(s->state), "%s",
		    b[19] == 1 ? "up" : b[19] == 2 ? "finish" : "down");
	}
	close(fd);
}

static void
set_field(struct service_status *s, const char *key, const char *value)
{
	if (strcmp(key, "state") == 0)
		snprintf(s->state, sizeof(s->state), "%s", value);
	else if (strcmp(key, "want") == 0)
		snprintf(s->want, sizeof(s->want), "%s", value);
	else if (strcmp(key, "pid") == 0)
		s->pid = strtol(value, NULL, 10);
	else if (strcmp(key, "since_ms") == 0)
		s->since_ms = strtoll(value, NULL, 10);
	else if (strcmp(key, "starts") == 0)
		s->starts = strtol(value, NULL, 10);
	else if (strcmp(key, "last_exit") == 0)
		s->last_exit = strtol(value, NULL, 10);
	else if (strcmp(key, "last_signal") == 0)
		s->last_signal = strtol(value, NULL, 10);
	else if (strcmp(key, "reason") == 0)
		snprintf(s->reason, sizeof(s->reason), "%s", value);
}

static void
read_reeve(const char *path, struct service_status *s)
{
	char	*text, *line, *eq, *save = NULL;

	if (access(path, R_OK) == -1 ||
	    (text = file_read(path, 4096, NULL, NULL)) == NULL)
		return;
	for (line = strtok_r(text, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save))
		if ((eq = strchr(line, '=')) != NULL) {
			*eq = '\0';
			set_field(s, line, eq + 1);
		}
	free(text);
}

int
service_status(const struct config *c, const char *name,
    struct service_status *s, struct error *e)
{
	char		*dir = config_path(c, "service/%s", name);
	char		*ok = config_path(c, "service/%s/supervise/ok", name);
	char		*runit = config_path(c, "service/%s/supervise/status",
			    name);
	char		*reeve = config_path(c, "service/%s/supervise/reeve",
			    name);
	struct stat	 st, st_runit, st_reeve;
	int		 fd, r = 0;

	memset(s, 0, sizeof(*s));
	s->starts = -1;
	snprintf(s->state, sizeof(s->state), "down");
	if (dir == NULL || ok == NULL || runit == NULL || reeve == NULL)
		r = error_errno(e, EX_OSERR, "%s", name);
	else if (strchr(name, '/') != NULL || stat(dir, &st) == -1)
		r = error_set(e, EX_NOINPUT, "there is no service \"%s\" in "
		    "%s/service", name, c->state);
	else {
		if ((fd = open(ok, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) != -1) {
			s->supervised = true;
			close(fd);
		}
		read_runit(runit, s);
		/* Left behind by reeved, under another supervisor it is old. */
		if (stat(reeve, &st_reeve) == 0 && stat(runit, &st_runit) ==
		    0 && st_reeve.st_mtime + 1 >= st_runit.st_mtime)
			read_reeve(reeve, s);
		if (!s->supervised) {
			s->pid = 0;
			snprintf(s->state, sizeof(s->state), "down");
		}
	}
	free(reeve);
	free(runit);
	free(ok);
	free(dir);
	return r;
}

bool
service_is_ready(const struct config *c, const char *name,
    const struct service_status *s)
{
	char	*fd;
	bool	 ready;

	if (!s->supervised || strcmp(s->state, "up") != 0)
		return s->supervised && strcmp(s->state, "ready") == 0;
	if (s->starts == -1)
		return true;
	fd = config_path(c, "service/%s/notification-fd", name);
	ready = fd != NULL && access(fd, F_OK) == -1;
	free(fd);
	return ready;
}

bool
service_gave_up(const struct service_status *s)
{
	return s->supervised && strcmp(s->state, "down") == 0 &&
	    s->reason[0] != '\0';
}

int
service_command(const struct config *c, const char *name, const char *bytes,
    struct error *e)
{
	struct service_status	 s;
	char			*path;
	size_t			 len = strlen(bytes);
	int			 fd, r = 0;

	if (service_status(c, name, &s, e) == -1)
		return -1;
	if ((path = config_path(c, "service/%s/supervise/control", name)) ==
	    NULL)
		return error_errno(e, EX_OSERR, "%s", name);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 && (errno == ENXIO || errno == ENOENT))
		r = error_set(e, EX_UNAVAILABLE, "nobody supervises %s: start "
		    "it with `reeve up`", name);
	else if (fd == -1 || write(fd, bytes, len) != (ssize_t)len)
		r = error_errno(e, EX_UNAVAILABLE, "%s", path);
	if (fd != -1)
		close(fd);
	free(path);
	return r;
}

long
reeved_pid(const struct config *c)
{
	char	*path = config_path(c, "reeved.lock"), text[32] = "";
	long	 pid = 0;
	int	 fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t	 n;

	free(path);
	if (fd == -1)
		return 0;
	if (flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK &&
	    (n = read(fd, text, sizeof(text) - 1)) > 0)
		pid = strtol(text, NULL, 10);
	close(fd);
	return pid;
}
