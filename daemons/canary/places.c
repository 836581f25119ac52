/* SPDX-License-Identifier: ISC */
#include <sys/inotify.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "canary.h"
#include "clock.h"
#include "log.h"
#include "services.h"

#define PREFIX		"pty-"		/* of the terminals' services */
#define BLIND_MS	1000		/* LOOK_MS without inotify */
#define COMES		(IN_CREATE | IN_MOVED_TO | IN_ONLYDIR)

void
places_open(struct canary *c)
{
	char	*path = config_path(&c->config, "service");

	if (path == NULL)
		fatal_memory();
	c->relist = true;
	c->service_wd = -1;
	c->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (c->inotify_fd == -1 || (c->service_wd = inotify_add_watch(
	    c->inotify_fd, path, COMES | IN_MOVED_FROM | IN_DELETE)) == -1)
		log_warn("no inotify: looking every second", "error=%s",
		    log_str(strerror(errno)));
	free(path);
}

void
places_close(struct canary *c)
{
	if (c->inotify_fd != -1)
		close(c->inotify_fd);
	free(c->places);
	c->places = NULL;
	c->n_places = 0;
}

/* --- what has changed -------------------------------------------------------- */

static void
forget(struct canary *c, struct place *p)
{
	if (p->wd != -1)
		(void)inotify_rm_watch(c->inotify_fd, p->wd);
	if (p->supervise_wd != -1)
		(void)inotify_rm_watch(c->inotify_fd, p->supervise_wd);
	*p = c->places[--c->n_places];
}

/* One that came or went: under its name there is another directory now. */
static void
take_name(struct canary *c, const char *name)
{
	size_t	i;

	c->relist = true;
	for (i = c->n_places; i-- > 0; )
		if (strcmp(c->places[i].name, name) == 0)
			forget(c, &c->places[i]);
}

static void
take_event(struct canary *c, const struct inotify_event *ev)
{
	size_t	i;

	if (ev->mask & IN_Q_OVERFLOW)
		c->relist = true;
	else if (ev->wd == c->service_wd)
		take_name(c, ev->len > 0 ? ev->name : "");
	for (i = 0; i < c->n_places; i++)
		if (ev->wd == c->places[i].wd ||
		    ev->wd == c->places[i].supervise_wd ||
		    (ev->mask & IN_Q_OVERFLOW))
			c->places[i].dirty = true;
}

void
places_read(struct canary *c)
{
	char		 buf[16384]
			    __attribute__((aligned(_Alignof(struct inotify_event))));
	const char	*p;
	ssize_t		 n;

	while ((n = read(c->inotify_fd, buf, sizeof(buf))) > 0)
		for (p = buf; p < buf + n; p += sizeof(struct inotify_event) +
		    ((const struct inotify_event *)(const void *)p)->len)
			take_event(c, (const void *)p);
}

/* --- who is there --------------------------------------------------------------- */

static int
watch(struct canary *c, const struct place *p, const char *below,
    uint32_t what)
{
	char	*path = config_path(&c->config, "service/%s%s", p->name,
		    below);
	int	 wd;

	if (path == NULL)
		fatal_memory();
	wd = inotify_add_watch(c->inotify_fd, path, what);
	free(path);
	return wd;
}

/* Also where its supervisor has only now begun with it.  What that writes it
 * renames; to look is to open and close its FIFO, which is no news. */
static void
watch_place(struct canary *c, struct place *p)
{
	if (c->inotify_fd == -1)
		return;
	if (p->wd == -1)
		p->wd = watch(c, p, "", COMES);
	if (p->supervise_wd == -1)
		p->supervise_wd = watch(c, p, "/supervise", COMES);
}

static void
look_at(struct canary *c, struct place *p)
{
	struct service_status	 st;
	struct error		 e;
	char			 identity[IDENTITY_MAX];
	size_t			 i;

	p->dirty = false;
	watch_place(c, p);
	for (i = 0; i < c->n_servers; i++)
		if (strcmp(c->servers[i].service, p->name) == 0)
			record_told(c, &c->servers[i]);
	if (service_status(&c->config, p->name, &st, &e) == -1 ||
	    st.pid <= 0 || strcmp(st.state, "finish") == 0)
		return;
	agent_identity(&c->config, p->name + strlen(PREFIX), identity);
	list_add(c, identity, p->name, (pid_t)st.pid);
}

static void
see(struct canary *c, const char *name)
{
	struct place	*v;
	size_t		 i;

	for (i = 0; i < c->n_places; i++)
		if (strcmp(c->places[i].name, name) == 0) {
			c->places[i].seen = true;
			return;
		}
	v = reallocarray(c->places, c->n_places + 1, sizeof(*v));
	if (v == NULL)
		fatal_memory();
	c->places = v;
	v = &c->places[c->n_places++];
	memset(v, 0, sizeof(*v));
	snprintf(v->name, sizeof(v->name), "%s", name);
	v->wd = v->supervise_wd = -1;
	v->dirty = v->seen = true;
}

static void
relist(struct canary *c)
{
	struct strlist	names = { 0 };
	struct error	e;
	size_t		i;

	c->relist = false;
	if (services_list(&c->config, &names, &e) == -1)
		log_warn("cannot look for services", "error=%s",
		    log_str(e.text));
	for (i = 0; i < c->n_places; i++)
		c->places[i].seen = false;
	for (i = 0; i < names.n; i++)
		if (strncmp(names.v[i], PREFIX, strlen(PREFIX)) == 0)
			see(c, names.v[i]);
	for (i = c->n_places; i-- > 0; )
		if (!c->places[i].seen)
			forget(c, &c->places[i]);
	strlist_free(&names);
}

static void
look_at_all(struct canary *c)
{
	long	pid = reeved_pid(&c->config);
	size_t	i;

	c->look_ms = clock_ms() + (c->service_wd != -1 ? LOOK_MS : BLIND_MS);
	c->relist = true;
	if (pid > 0)
		list_add(c, "reeved", "", (pid_t)pid);
	for (i = 0; i < c->n_places; i++)
		c->places[i].dirty = true;
	for (i = 0; i < c->n_servers; i++)
		if (c->servers[i].due_ms == 0)
			evidence_look(&c->servers[i]);
	dismissals_sweep(&c->config, list_has, c);
}

void
places_look(struct canary *c)
{
	size_t	i;

	if (clock_ms() >= c->look_ms)
		look_at_all(c);
	if (c->relist)
		relist(c);
	for (i = 0; i < c->n_places; i++)
		if (c->places[i].dirty)
			look_at(c, &c->places[i]);
}
