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

/* supervise/status of runsv and of s6-supervise, which counts leap seconds. */
#define RUNIT_SIZE	20
#define S6_SIZE		35
#define S6_SIZE_NEWER	43
#define TAI_EPOCH_RUNIT	4611686018427387914ULL
#define TAI_EPOCH_S6	(TAI_EPOCH_RUNIT + 27)

enum { S6_FINISHES = 2, S6_WANTS_UP = 4, S6_READY = 8 };

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

static int64_t
tai64_ms(const unsigned char b[8], uint64_t epoch)
{
	uint64_t	t = 0;
	int		i;

	for (i = 0; i < 8; i++)
		t = t << 8 | b[i];
	return (int64_t)(t - epoch) * 1000;
}

static void
set_state(struct service_status *s, bool wanted, const char *state)
{
	snprintf(s->want, sizeof(s->want), "%s", wanted ? "up" : "down");
	snprintf(s->state, sizeof(s->state), "%s", state);
}

/* When, pid, paused, want, term, state; reeved writes the same. */
static void
read_runit(const unsigned char b[RUNIT_SIZE], struct service_status *s)
{
	s->since_ms = tai64_ms(b, TAI_EPOCH_RUNIT);
	s->pid = b[12] | b[13] << 8 | b[14] << 16 | (long)b[15] << 24;
	set_state(s, b[17] == 'u', b[19] == 1 ? "up" : b[19] == 2 ?
	    "finish" : "down");
}

/* When, when ready, pid, in newer ones its group, how it ended, flags. */
static void
read_s6(const unsigned char *b, size_t size, struct service_status *s)
{
	unsigned char	flags = b[size - 1];

	s->since_ms = tai64_ms(b, TAI_EPOCH_S6);
	s->pid = b[31] | b[30] << 8 | b[29] << 16 | (long)b[28] << 24;
	s->says_ready = true;
	set_state(s, flags & S6_WANTS_UP, s->pid == 0 ? "down" :
	    flags & S6_FINISHES ? "finish" : flags & S6_READY ? "ready" :
	    "up");
}

static void
read_status(const char *path, struct service_status *s)
{
	unsigned char	b[S6_SIZE_NEWER + 1];
	int		fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t		n;

	if (fd == -1)
		return;
	n = read(fd, b, sizeof(b));
	if (n == RUNIT_SIZE)
		read_runit(b, s);
	else if (n == S6_SIZE || n == S6_SIZE_NEWER)
		read_s6(b, (size_t)n, s);
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
	else if (strcmp(key, "notifies") == 0)
		s->notifies = value[0] == '1';
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
	s->says_ready = true;
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
	char		*control = config_path(c,
			    "service/%s/supervise/control", name);
	char		*status = config_path(c,
			    "service/%s/supervise/status", name);
	char		*reeve = config_path(c, "service/%s/supervise/reeve",
			    name);
	struct stat	 st;
	int		 fd, r = 0;

	memset(s, 0, sizeof(*s));
	s->starts = s->notifies = -1;
	set_state(s, false, "down");
	if (dir == NULL || control == NULL || status == NULL || reeve == NULL)
		r = error_errno(e, EX_OSERR, "%s", name);
	else if (name[0] == '\0' || name[0] == '.' ||
	    strchr(name, '/') != NULL || stat(dir, &st) == -1 ||
	    !S_ISDIR(st.st_mode))
		r = error_set(e, EX_NOINPUT, "there is no service \"%s\" in "
		    "%s/service", name, c->state);
	else if ((fd = open(control, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) !=
	    -1) {
		/* Whoever reads it is the supervisor. */
		close(fd);
		s->supervised = true;
		read_status(status, s);
		/* Left behind by reeved, under another one it is old. */
		if (reeved_pid(c) != 0)
			read_reeve(reeve, s);
	}
	free(reeve);
	free(status);
	free(control);
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
	if (!s->says_ready || s->notifies == 0)
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

/* To whoever reads a FIFO.  -1 and errno: ENXIO or ENOENT when nobody does. */
static int
tell(const char *path, const char *bytes)
{
	size_t	len = strlen(bytes);
	ssize_t	n;
	int	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		return -1;
	n = write(fd, bytes, len);
	close(fd);
	return n == (ssize_t)len ? 0 : -1;
}

int
service_command(const struct config *c, const char *name, const char *bytes,
    struct error *e)
{
	struct service_status	 s;
	char			*path;
	int			 r = 0;

	if (service_status(c, name, &s, e) == -1)
		return -1;
	if ((path = config_path(c, "service/%s/supervise/control", name)) ==
	    NULL)
		return error_errno(e, EX_OSERR, "%s", name);
	if (tell(path, bytes) == -1)
		r = errno == ENXIO || errno == ENOENT ?
		    error_set(e, EX_UNAVAILABLE, "nobody supervises %s: start "
		    "it with `reeve up`", name) :
		    error_errno(e, EX_UNAVAILABLE, "%s", path);
	free(path);
	return r;
}

void
services_rescan(const struct config *c)
{
	char	*path = config_path(c, "service/.s6-svscan/control");

	/* As `s6-svscanctl -an`: start new ones, end those gone. */
	if (path != NULL && tell(path, "an") == -1 && errno != ENXIO &&
	    errno != ENOENT)
		fprintf(stderr, "reeve: %s: s6-svscan was not told of new "
		    "services: run `s6-svscanctl -an` on %s/service\n", path,
		    c->state);
	free(path);
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

char *
service_quote(const char *s)
{
	char	*out = malloc(strlen(s) * 4 + 3), *p = out;

	if (out == NULL)
		return NULL;
	*p++ = '\'';
	for (; *s != '\0'; s++)
		if (*s == '\'')
			p = stpcpy(p, "'\\''");
		else
			*p++ = *s;
	*p++ = '\'';
	*p = '\0';
	return out;
}
