/* SPDX-License-Identifier: ISC */

/* reeve wait: until roles are ready, as the supervisor's files say. */
#include <sys/inotify.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cli.h"
#include "log.h"
#include "services.h"

#define DEFAULT_MS	60000
#define LOOK_MS		1000	/* what dies tells no file of it */

#define DIR_EVENTS	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

struct options {
	struct strlist	ready;
	int64_t		timeout_ms;
};

struct waiting {
	struct cli		*cli;
	const struct strlist	*roles;
	bool			 all;
	int			 notifier_fd;
	char			 missing[256];	/* who is not ready, and why */
	bool			 is_ready;
};

/* Watches for a path are one, however often it is asked for.  What is not
 * there yet is seen to come by the watch on the directory above. */
static int
watch_path(struct waiting *w, char *path, uint32_t events, struct error *e)
{
	int	r = -1;

	if (path == NULL)
		error_errno(e, EX_OSERR, "service");
	else if (inotify_add_watch(w->notifier_fd, path, events) != -1 ||
	    errno == ENOENT || errno == ENOTDIR)
		r = 0;
	else
		error_errno(e, errno == EACCES ? EX_NOPERM : EX_OSERR, "%s",
		    path);
	free(path);
	return r;
}

static int
watch_service(struct waiting *w, const char *name, struct error *e)
{
	const struct config	*c = &w->cli->config;

	if (watch_path(w, config_path(c, "service/%s", name),
	    IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, e) == -1)
		return -1;
	return watch_path(w, config_path(c, "service/%s/supervise", name),
	    IN_MOVED_TO | IN_ONLYDIR, e);
}

static void
note_missing(struct waiting *w, const char *name,
    const struct service_status *s)
{
	size_t	len = strlen(w->missing);

	w->is_ready = false;
	snprintf(w->missing + len, sizeof(w->missing) - len, "%s%s (%s%s%s)",
	    len == 0 ? "" : ", ", name, s->supervised ? s->state :
	    "not supervised", s->reason[0] == '\0' ? "" : ": ", s->reason);
}

/* 0: looked at; -1 with *e: it will not become ready. */
static int
look_at(struct waiting *w, const char *name, struct error *e)
{
	struct service_status	s;

	if (watch_service(w, name, e) == -1 ||
	    service_status(&w->cli->config, name, &s, e) == -1)
		return -1;
	if (service_gave_up(&s))
		return error_set(e, EX_UNAVAILABLE, "%s was given up (%s): "
		    "`reeve start %s` tries it again", name, s.reason, name);
	if (service_is_ready(&w->cli->config, name, &s))
		return 0;
	/* Of all, those that are not wanted need not run. */
	if (!w->all || !s.supervised || strcmp(s.want, "up") == 0)
		note_missing(w, name, &s);
	return 0;
}

/* One that goes while all are looked at is one less. */
static int
look_at_all(struct waiting *w, struct error *e)
{
	struct strlist	names = { 0 };
	size_t		i;
	int		r = services_list(&w->cli->config, &names, e);

	if (r == 0 && names.n == 0)
		w->is_ready = false;
	for (i = 0; r == 0 && i < names.n; i++)
		if ((r = look_at(w, names.v[i], e)) == -1 &&
		    e->code == EX_NOINPUT)
			r = 0;
	strlist_free(&names);
	return r;
}

static int
look(struct waiting *w, struct error *e)
{
	size_t	i;

	w->is_ready = true;
	w->missing[0] = '\0';
	if (watch_path(w, config_path(&w->cli->config, "service"),
	    DIR_EVENTS | IN_ONLYDIR, e) == -1)
		return -1;
	if (w->all)
		return look_at_all(w, e);
	for (i = 0; i < w->roles->n; i++)
		if (look_at(w, w->roles->v[i], e) == -1)
			return -1;
	return 0;
}

/* Until something changes, or it is time to look anyway. */
static void
await_change(const struct waiting *w, int64_t left_ms)
{
	_Alignas(struct inotify_event) char	buf[4096];
	struct pollfd				p = { .fd = w->notifier_fd,
						    .events = POLLIN };

	if (poll(&p, 1, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS) > 0)
		while (read(w->notifier_fd, buf, sizeof(buf)) > 0)
			continue;
}

static int
wait_for(struct waiting *w, int64_t timeout_ms, struct error *e)
{
	int64_t	deadline = clock_ms() + timeout_ms, left_ms;

	for (;;) {
		if (look(w, e) == -1)
			return -1;
		if (w->is_ready)
			return 0;
		if ((left_ms = deadline - clock_ms()) <= 0)
			return error_set(e, EX_TEMPFAIL, "not ready after "
			    "%lld ms: %s", (long long)timeout_ms,
			    w->missing[0] != '\0' ? w->missing :
			    "there is no service");
		await_change(w, left_ms);
	}
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct options	*o = opts;
	struct waiting	 w = { .cli = cli, .roles = &o->ready };
	struct error	 e;
	size_t		 i;
	int		 r;

	for (i = 0; i < (size_t)argc; i++)
		if (!strlist_add(&o->ready, argv[i]))
			fatal_memory();
	for (i = 0; i < o->ready.n; i++)
		w.all = w.all || strcmp(o->ready.v[i], "all") == 0;
	if (o->ready.n == 0)
		w.all = true;
	if (cli_load(cli, &e) == -1)
		return cli_fail(&e);
	w.notifier_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w.notifier_fd == -1) {
		error_errno(&e, EX_OSERR, "inotify");
		return cli_fail(&e);
	}
	r = wait_for(&w, o->timeout_ms == 0 ? DEFAULT_MS : o->timeout_ms, &e);
	close(w.notifier_fd);
	return r == -1 ? cli_fail(&e) : EX_OK;
}

static const struct opt opts[] = {
	{ "ready", OPT_LIST, offsetof(struct options, ready), "ROLE|all",
	    "which roles are to be ready; all is the default" },
	{ "timeout", OPT_DURATION, offsetof(struct options, timeout_ms), "D",
	    "how long to wait at most; the default is 60s" },
	OPT_END };

const struct command cmd_wait = {
	.name = "wait", .args = "[ROLE...]",
	.summary = "wait until roles are ready",
	.more = "Exits 0 when they are, 75 when they are not in time, 69 "
	    "when one was given up.",
	.opts = opts, .opts_size = sizeof(struct options),
	.min_args = 0, .max_args = -1, .run = run };
