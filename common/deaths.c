/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deaths.h"
#include "files.h"
#include "json.h"
#include "names.h"
#include "services.h"

#define NOTE_MAX	4096
#define AGENT_MAX	(64 * 1024)
#define RUNIT_SIZE	20	/* of supervise/status of runsv; others: s6 */
#define DIRECTORY	"canary/dismissed"

/* --- processes --------------------------------------------------------------- */

/* As much as there is of a small file, as a text.  -1: it cannot be read. */
static ssize_t
slurp(int dir_fd, const char *path, char *buf, size_t size)
{
	ssize_t	n;
	int	fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);

	buf[0] = '\0';
	if (fd == -1)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

void
life_boot(char boot[37])
{
	char	text[64];

	(void)slurp(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text,
	    sizeof(text));
	snprintf(boot, 37, "%.36s", text);
	boot[strcspn(boot, "\n")] = '\0';
}

int
life_read(struct life *l, pid_t pid)
{
	char	path[40], text[1024], *p, state;

	memset(l, 0, sizeof(*l));
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	/* The second field is a name in brackets, and may hold anything; the
	 * start is the 22nd. */
	if (slurp(AT_FDCWD, path, text, sizeof(text)) <= 0 ||
	    (p = strrchr(text, ')')) == NULL || sscanf(p + 1, " %c %*s %*s "
	    "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
	    " %llu", &state, &l->ticks) != 2 || state == 'Z' || state == 'X')
		return -1;
	l->pid = pid;
	life_boot(l->boot);
	return 0;
}

static bool
is_same(const struct life *a, const struct life *b)
{
	return a->pid != 0 && a->pid == b->pid && a->ticks == b->ticks &&
	    strcmp(a->boot, b->boot) == 0;
}

bool
life_is_there(const struct life *l)
{
	struct life	now;

	return life_read(&now, l->pid) == 0 && is_same(l, &now);
}

/* --- who it is --------------------------------------------------------------- */

void
agent_identity(const struct config *c, const char *name,
    char buf[IDENTITY_MAX])
{
	char			*path = config_path(c, "agents/%s/agent.json",
				    name), *text = NULL;
	const cJSON		*runtime;
	cJSON			*o = NULL;
	size_t			 len;

	if (path != NULL &&
	    (text = file_read(path, AGENT_MAX, &len, NULL)) != NULL)
		o = json_parse(text, len, NULL);
	runtime = json_get(o, "agent");
	if (cJSON_IsString(runtime) && name_is_token(runtime->valuestring))
		snprintf(buf, IDENTITY_MAX, "%s-%s", runtime->valuestring,
		    name);
	else
		snprintf(buf, IDENTITY_MAX, "agent-%s", name);
	cJSON_Delete(o);
	free(text);
	free(path);
}

/* --- dismissals --------------------------------------------------------------- */

static char *
dismissal_path(const struct config *c, const struct life *l)
{
	return config_path(c, DIRECTORY "/%d-%llu", (int)l->pid, l->ticks);
}

int
dismiss(const struct config *c, const char *identity, const struct life *l,
    struct error *e)
{
	char	*path = dismissal_path(c, l), text[NOTE_MAX];
	int	 r = -1;

	snprintf(text, sizeof(text), "identity=%s\nboot_id=%s\n", identity,
	    l->boot);
	if (path == NULL)
		error_errno(e, EX_OSERR, "dismissal");
	else if (dir_make_parent(path, 0700, e) == 0)
		r = file_write_private(path, text, 0600, e);
	free(path);
	return r;
}

/* The boot that a dismissal is of; "": there is none. */
static void
read_boot(const char *path, char boot[37])
{
	char	text[NOTE_MAX], *p;

	boot[0] = '\0';
	if (slurp(AT_FDCWD, path, text, sizeof(text)) > 0 &&
	    (p = strstr(text, "\nboot_id=")) != NULL)
		snprintf(boot, 37, "%.36s", p + 9);
}

bool
dismissed(const struct config *c, const struct life *l)
{
	char	*path = dismissal_path(c, l), boot[37] = "";

	if (path != NULL)
		read_boot(path, boot);
	free(path);
	return boot[0] != '\0' && strcmp(boot, l->boot) == 0;
}

void
dismissal_remove(const struct config *c, const struct life *l)
{
	char	*path = dismissal_path(c, l);

	if (path != NULL)
		(void)unlink(path);
	free(path);
}

static void
sweep_one(const struct config *c, const char *name,
    bool (*needed)(void *, const struct life *), void *arg)
{
	struct life	 l = { .pid = 0 };
	char		*path;

	if (sscanf(name, "%d-%llu", &l.pid, &l.ticks) != 2 ||
	    (path = dismissal_path(c, &l)) == NULL)
		return;
	read_boot(path, l.boot);
	if (!life_is_there(&l) && !needed(arg, &l))
		(void)unlink(path);
	free(path);
}

void
dismissals_sweep(const struct config *c,
    bool (*needed)(void *, const struct life *), void *arg)
{
	char		*dir = config_path(c, DIRECTORY);
	DIR		*d = dir == NULL ? NULL : opendir(dir);
	struct dirent	*de;

	while (d != NULL && (de = readdir(d)) != NULL)
		sweep_one(c, de->d_name, needed, arg);
	if (d != NULL)
		closedir(d);
	free(dir);
}

/* --- what the supervisor says ------------------------------------------------------ */

struct record {
	struct told	 t;
	long		 last_exit, last_signal;
	char		 boot[37];
};

static void
take_line(struct record *r, const char *key, const char *value)
{
	if (strcmp(key, "told_pid") == 0)
		r->t.told.pid = (pid_t)strtol(value, NULL, 10);
	else if (strcmp(key, "told_start_ticks") == 0)
		r->t.told.ticks = strtoull(value, NULL, 10);
	else if (strcmp(key, "last_pid") == 0)
		r->t.last.pid = (pid_t)strtol(value, NULL, 10);
	else if (strcmp(key, "last_start_ticks") == 0)
		r->t.last.ticks = strtoull(value, NULL, 10);
	else if (strcmp(key, "last_exit") == 0)
		r->last_exit = strtol(value, NULL, 10);
	else if (strcmp(key, "last_signal") == 0)
		r->last_signal = strtol(value, NULL, 10);
	else if (strcmp(key, "boot_id") == 0)
		snprintf(r->boot, sizeof(r->boot), "%.36s", value);
}

void
told_read(struct told *t, int dir_fd, const char *file)
{
	struct record	 r;
	char		 text[NOTE_MAX], *line, *eq, *save = NULL;

	memset(&r, 0, sizeof(r));
	(void)slurp(dir_fd, file, text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save))
		if ((eq = strchr(line, '=')) != NULL) {
			*eq = '\0';
			take_line(&r, line, eq + 1);
		}
	*t = r.t;
	t->status = r.last_signal > 0 ? 128 + (int)r.last_signal :
	    (int)r.last_exit;
	memcpy(t->told.boot, r.boot, sizeof(r.boot));
	memcpy(t->last.boot, r.boot, sizeof(r.boot));
}

/* When, pid, paused, want, TERM, state: of runit's. */
static bool
runit_told(const unsigned char b[RUNIT_SIZE], const struct life *l)
{
	pid_t	pid = (pid_t)(b[12] | (unsigned)b[13] << 8 |
		    (unsigned)b[14] << 16 | (unsigned)b[15] << 24);

	return pid == l->pid && (b[17] == 'd' || b[18] != 0);
}

bool
service_told(const struct config *c, int dir_fd, const struct life *l,
    bool unknown)
{
	char		status[64];
	struct told	t;
	ssize_t		n;

	told_read(&t, dir_fd, "supervise/reeve");
	if (is_same(&t.told, l))
		return true;
	/* It has said all: its status is for others. */
	if (reeved_pid(c) != 0)
		return false;
	n = slurp(dir_fd, "supervise/status", status, sizeof(status));
	if (n == RUNIT_SIZE)
		return runit_told((unsigned char *)status, l);
	return n > 0 && unknown;
}
