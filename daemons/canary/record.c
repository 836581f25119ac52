/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "canary.h"
#include "clock.h"
#include "files.h"
#include "lifelog.h"
#include "log.h"

#define AGAIN_MS	5000	/* where a line could not be written */
#define FILES_MAX	200	/* of forensics; the oldest go */
#define STOPPING	"reeved.stopping"

void
record_death(struct server *s)
{
	if (s->due_ms == 0)
		s->due_ms = clock_ms() + GRACE_MS;
}

/* --- was it meant? ------------------------------------------------------------ */

void
record_told(struct canary *c, struct server *s)
{
	struct told	t;
	bool		told;

	if (s->told)
		return;
	if (s->service[0] != '\0')
		told = s->dir_fd != -1 && service_told(&c->config, s->dir_fd,
		    &s->life, false);
	else {
		told_read(&t, c->state_fd, STOPPING);
		told = t.told.pid == s->life.pid &&
		    t.told.ticks == s->life.ticks &&
		    strcmp(t.told.boot, s->life.boot) == 0;
	}
	if (told)
		s->told = c->unsaved = true;
}

static bool
is_meant(struct canary *c, struct server *s)
{
	record_told(c, s);
	return s->told || dismissed(&c->config, &s->life);
}

/* --- the forensics' files -------------------------------------------------------- */

/* One that is not there yet: an identity may die twice in a second. */
static char *
new_path(const struct canary *c, const struct server *s)
{
	long long	 at = (long long)time(NULL);
	char		*path;

	for (;; at++) {
		path = config_path(&c->config, "server-deaths/%s-%lld.txt",
		    s->identity, at);
		if (path == NULL)
			fatal_memory();
		if (access(path, F_OK) == -1)
			return path;
		free(path);
	}
}

/* The oldest of so many files, malloc'd; NULL: there is none too many. */
static char *
oldest(const char *dir)
{
	DIR		*d = opendir(dir);
	struct dirent	*de;
	struct stat	 st;
	char		*path, *found = NULL;
	time_t		 found_at = 0;
	size_t		 n = 0;

	while (d != NULL && (de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.' ||
		    asprintf(&path, "%s/%s", dir, de->d_name) == -1)
			continue;
		n++;
		if (stat(path, &st) == 0 &&
		    (found == NULL || st.st_mtime < found_at)) {
			free(found);
			found = path;
			found_at = st.st_mtime;
		} else
			free(path);
	}
	if (d != NULL)
		closedir(d);
	if (n > FILES_MAX)
		return found;
	free(found);
	return NULL;
}

static void
make_room(const struct canary *c)
{
	char	*dir = config_path(&c->config, "server-deaths"), *path;
	int	 i;

	for (i = 0; dir != NULL && i < FILES_MAX &&
	    (path = oldest(dir)) != NULL; i++) {
		(void)unlink(path);
		free(path);
	}
	free(dir);
}

static void
write_forensics(const struct canary *c, const struct server *s, int status,
    enum cause cause)
{
	char		*text = NULL;
	size_t		 len;
	FILE		*f = open_memstream(&text, &len);
	struct error	 e;

	if (f == NULL)
		fatal_memory();
	evidence_write(f, s, status, cause);
	if (fclose(f) == EOF)
		fatal_memory();
	if (dir_make_parent(s->forensics, 0700, &e) == -1 ||
	    file_write_private(s->forensics, text, 0600, &e) == -1)
		log_error("cannot write forensics", "error=%s",
		    log_str(e.text));
	free(text);
	make_room(c);
}

/* --- the line -------------------------------------------------------------------- */

/* Has a predecessor, which was killed before it could note so, written it? */
static bool
is_written(const struct canary *c, const struct server *s)
{
	char	*path, *text;
	bool	 found = false;
	int	 i;

	for (i = 0; i <= LIFELOG_KEPT && !found; i++) {
		path = i == 0 ? config_path(&c->config, "log/%s",
		    lifelog_names[LIFELOG_EXITS]) : config_path(&c->config,
		    "log/%s.%d", lifelog_names[LIFELOG_EXITS], i);
		text = path == NULL ? NULL : file_read(path, 4 * LIFELOG_SIZE,
		    NULL, NULL);
		found = text != NULL && strstr(text, s->forensics) != NULL;
		free(text);
		free(path);
	}
	return found;
}

static int
write_line(struct canary *c, const struct server *s, int status,
    enum cause cause)
{
	char		rc[32] = "", path[LIFELOG_LINE];
	struct error	e;
	int		r;

	if (status != -1)
		snprintf(rc, sizeof(rc), "wait_rc=%d ", status);
	if (strpbrk(s->forensics, " \t\"=\\") != NULL)
		log_quote(path, sizeof(path), s->forensics, sizeof(path));
	else
		snprintf(path, sizeof(path), "%s", s->forensics);
	r = lifelog_add(&c->config, LIFELOG_EXITS, "server-exit", s->identity,
	    &e, "server_pid=%d %scause=%s forensics=%s", (int)s->life.pid, rc,
	    cause_names[cause], path);
	if (r == -1)
		log_error("cannot record a death", "identity=%s error=%s",
		    log_str(s->identity), log_str(e.text));
	return r;
}

/* True: there is no more to be done about it. */
static bool
record(struct canary *c, struct server *s)
{
	enum cause	cause;
	int		status;

	if (s->forensics != NULL && is_written(c, s))
		return true;
	status = evidence_status(s);
	cause = evidence_cause(s, status);
	if (s->forensics == NULL)
		s->forensics = new_path(c, s);
	/* On disk first, so that it is not written by a successor again. */
	list_save(c);
	write_forensics(c, s, status, cause);
	if (write_line(c, s, status, cause) == -1) {
		s->due_ms = clock_ms() + AGAIN_MS;
		return false;
	}
	log_warn("a server has died", "identity=%s pid=%d cause=%s",
	    log_str(s->identity), (int)s->life.pid, cause_names[cause]);
	return true;
}

void
record_due(struct canary *c)
{
	struct server	*s;
	struct life	 life;
	size_t		 i;

	for (i = c->n_servers; i-- > 0; ) {
		s = &c->servers[i];
		if (s->due_ms == 0 || (!is_meant(c, s) &&
		    (clock_ms() < s->due_ms || !record(c, s))))
			continue;
		/* The list first: until then it is still to be found. */
		life = s->life;
		list_drop(c, i);
		list_save(c);
		dismissal_remove(&c->config, &life);
	}
}
