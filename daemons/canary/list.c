/* SPDX-License-Identifier: ISC */
#include <sys/pidfd.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "canary.h"
#include "files.h"
#include "json.h"
#include "lifelog.h"
#include "log.h"

#define LIST		"canary/watched.json"
#define LIST_MAX	(16 * 1024 * 1024)

/* --- in memory ---------------------------------------------------------------- */

static struct server *
grow(struct canary *c)
{
	struct server	*v, *s;

	v = reallocarray(c->servers, c->n_servers + 1, sizeof(*v));
	if (v == NULL)
		fatal_memory();
	c->servers = v;
	s = &v[c->n_servers++];
	memset(s, 0, sizeof(*s));
	s->fd = s->dir_fd = -1;
	s->cgroup_ooms = s->host_ooms = -1;
	c->unsaved = true;
	return s;
}

static void
free_server(struct server *s)
{
	if (s->fd != -1)
		close(s->fd);
	if (s->dir_fd != -1)
		close(s->dir_fd);
	free(s->events);
	free(s->forensics);
}

void
list_drop(struct canary *c, size_t i)
{
	free_server(&c->servers[i]);
	c->servers[i] = c->servers[--c->n_servers];
	c->unsaved = true;
}

void
list_free(struct canary *c)
{
	while (c->n_servers > 0)
		list_drop(c, c->n_servers - 1);
	free(c->servers);
	c->servers = NULL;
}

bool
list_has(void *arg, const struct life *l)
{
	const struct canary	*c = arg;
	size_t			 i;

	for (i = 0; i < c->n_servers; i++)
		if (c->servers[i].life.pid == l->pid &&
		    c->servers[i].life.ticks == l->ticks)
			return true;
	return false;
}

static void
note(struct canary *c, const struct server *s, const char *origin)
{
	lifelog_note(&c->config, LIFELOG_LIFECYCLE, "canary", s->identity,
	    "server_pid=%d state=watching origin=%s", (int)s->life.pid,
	    origin);
}

static void
note_failed(struct canary *c, const char *identity, pid_t pid)
{
	const char	*error = strerror(errno);

	log_error("cannot watch", "identity=%s pid=%d error=%s",
	    log_str(identity), (int)pid, log_str(error));
	lifelog_note(&c->config, LIFELOG_LIFECYCLE, "canary", identity,
	    "server_pid=%d state=failed error=%s", (int)pid, log_str(error));
}

static void
open_dir(struct canary *c, struct server *s)
{
	char	*path;

	if (s->service[0] == '\0' ||
	    (path = config_path(&c->config, "service/%s", s->service)) == NULL)
		return;
	s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
}

void
list_add(struct canary *c, const char *identity, const char *service,
    pid_t pid)
{
	struct server	*s;
	struct life	 life;
	int		 fd;

	/* The descriptor first: what is read then is of this process. */
	if ((fd = pidfd_open(pid, 0)) == -1) {
		if (errno != ESRCH)
			note_failed(c, identity, pid);
		return;
	}
	if (life_read(&life, pid) == -1 || list_has(c, &life)) {
		close(fd);
		return;
	}
	s = grow(c);
	snprintf(s->identity, sizeof(s->identity), "%s", identity);
	snprintf(s->service, sizeof(s->service), "%s", service);
	s->life = life;
	s->fd = fd;
	open_dir(c, s);
	evidence_look(s);
	note(c, s, "launch");
}

/* --- on disk ------------------------------------------------------------------- */

static cJSON *
to_json(const struct server *s)
{
	cJSON	*o = cJSON_CreateObject();

	if (o == NULL || !json_set_str(o, "identity", s->identity) ||
	    !json_set_str(o, "service", s->service) ||
	    !json_set_i64(o, "pid", s->life.pid) ||
	    !json_set_u64(o, "ticks", s->life.ticks) ||
	    !json_set_str(o, "boot", s->life.boot) ||
	    !json_set_bool(o, "told", s->told) ||
	    !json_set_str(o, "events", s->events == NULL ? "" : s->events) ||
	    !json_set_i64(o, "cgroup_ooms", s->cgroup_ooms) ||
	    !json_set_i64(o, "host_ooms", s->host_ooms) ||
	    !json_set_str(o, "forensics", s->forensics == NULL ? "" :
	    s->forensics))
		fatal_memory();
	return o;
}

void
list_save(struct canary *c)
{
	char		*path = config_path(&c->config, LIST), *text;
	cJSON		*o = cJSON_CreateObject(), *list = cJSON_CreateArray();
	struct error	 e;
	size_t		 i;

	if (path == NULL || o == NULL || list == NULL)
		fatal_memory();
	for (i = 0; i < c->n_servers; i++)
		cJSON_AddItemToArray(list, to_json(&c->servers[i]));
	json_set_bool(o, "running", c->running);
	if (!json_set_item(o, "servers", list) ||
	    (text = json_print(o)) == NULL)
		fatal_memory();
	if (file_write_private(path, text, 0600, &e) == 0)
		c->unsaved = false;
	else
		log_error("cannot note who is watched", "error=%s",
		    log_str(e.text));
	cJSON_Delete(o);
	free(text);
	free(path);
}

struct entry {
	const char	*identity, *service, *boot, *events, *forensics;
	int64_t		 pid, cgroup_ooms, host_ooms;
	uint64_t	 ticks;
	bool		 told;
};

#define E(m, t)	{ .name = #m, .type = t, .required = true,		\
		    .offset = offsetof(struct entry, m) }
static const struct json_field	table[] = {
	E(identity, JSON_STRING), E(service, JSON_STRING),
	E(pid, JSON_I64), E(ticks, JSON_U64), E(boot, JSON_STRING),
	E(told, JSON_BOOL), E(events, JSON_STRING),
	E(cgroup_ooms, JSON_I64), E(host_ooms, JSON_I64),
	E(forensics, JSON_STRING),
	JSON_END
};
#undef E

static char *
copy(const char *s)
{
	char	*p;

	if (s[0] == '\0')
		return NULL;
	if ((p = strdup(s)) == NULL)
		fatal_memory();
	return p;
}

static void
take(struct canary *c, const struct entry *v)
{
	struct server	*s = grow(c);

	snprintf(s->identity, sizeof(s->identity), "%s", v->identity);
	snprintf(s->service, sizeof(s->service), "%s", v->service);
	s->life.pid = (pid_t)v->pid;
	s->life.ticks = v->ticks;
	snprintf(s->life.boot, sizeof(s->life.boot), "%s", v->boot);
	s->told = v->told;
	s->events = copy(v->events);
	s->forensics = copy(v->forensics);
	s->cgroup_ooms = v->cgroup_ooms;
	s->host_ooms = v->host_ooms;
	open_dir(c, s);
	if ((s->fd = pidfd_open(s->life.pid, 0)) != -1 &&
	    !life_is_there(&s->life)) {
		close(s->fd);
		s->fd = -1;
	}
	/* It is tried again with the next look. */
	if (s->fd == -1 && life_is_there(&s->life)) {
		note_failed(c, s->identity, s->life.pid);
		list_drop(c, c->n_servers - 1);
	} else if (s->fd == -1)
		record_death(s);
	else {
		/* It may have been moved. */
		evidence_look(s);
		if (c->lost)
			note(c, s, "retrofit");
	}
}

static void
take_all(struct canary *c, const cJSON *o)
{
	const cJSON	*list = json_get(o, "servers"), *one;
	struct entry	 v;
	struct error	 e;

	c->lost = cJSON_IsTrue(json_get(o, "running"));
	cJSON_ArrayForEach(one, list) {
		memset(&v, 0, sizeof(v));
		if (json_read(one, table, &v, "", &e) == -1)
			log_warn("one watched is passed over", "error=%s",
			    log_str(e.text));
		else
			take(c, &v);
	}
}

void
list_load(struct canary *c)
{
	char		*path = config_path(&c->config, LIST), *text = NULL;
	cJSON		*o = NULL;
	struct error	 e;
	size_t		 len;

	if (path == NULL)
		fatal_memory();
	if (access(path, F_OK) == -1)
		;
	else if ((text = file_read(path, LIST_MAX, &len, &e)) == NULL ||
	    (o = json_parse(text, len, &e)) == NULL)
		log_error("what was watched is not known", "error=%s",
		    log_str(e.text));
	else
		take_all(c, o);
	cJSON_Delete(o);
	free(text);
	free(path);
}
