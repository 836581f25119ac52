/* SPDX-License-Identifier: ISC */

/* reeve log: what happened to the peers of this host, of both logs, in the
 * order of time. */
#include <sys/inotify.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "cli.h"
#include "clock.h"
#include "files.h"
#include "json.h"
#include "lifelog.h"

#define FILES_MAX	(LIFELOG_KEPT + 8)
#define TS_MAX		32

struct log_opts {
	bool		follow;
	const char	*peer;
	struct strlist	 ev;
	int64_t		 since_ms;
};

static const struct opt options[] = {
	{ "peer", OPT_STRING, offsetof(struct log_opts, peer), "PEER",
	    "of this one only: a name, or an identity as claude-ada" },
	{ "ev", OPT_LIST, offsetof(struct log_opts, ev), "EVENT,...",
	    "only these: start, stop, session-exit ..." },
	{ "since", OPT_DURATION, offsetof(struct log_opts, since_ms),
	    "DURATION", "not older than this" },
	{ "follow", OPT_FLAG, offsetof(struct log_opts, follow), NULL,
	    "(-f) go on with what comes" },
	OPT_END };

/* A file of one log; they stay open: a line may come late to one that has
 * been renamed. */
struct file {
	int	 fd;
	ino_t	 ino;
	char	*rest;			/* of a line that has no end yet */
	size_t	 n_rest;
};

struct tail {
	char		*path;
	struct file	 files[FILES_MAX];	/* the oldest first */
	size_t		 n;
};

struct line {
	char	 ts[TS_MAX];
	size_t	 turn;			/* read as the n-th */
	char	*text;
};

struct log {
	struct cli		*cli;
	const struct log_opts	*opts;
	char			 since[TS_MAX];	/* "" for all */
	struct tail		 tails[LIFELOG_N];
	struct line		*lines;
	size_t			 n, cap;
};

/* --- files ---------------------------------------------------------------- */

static void
drop(struct tail *t, size_t i)
{
	close(t->files[i].fd);
	free(t->files[i].rest);
	t->n--;
	memmove(&t->files[i], &t->files[i + 1],
	    (t->n - i) * sizeof(t->files[0]));
}

static bool
among(const struct file *files, size_t n, ino_t ino)
{
	while (n-- > 0)
		if (files[n].ino == ino)
			return true;
	return false;
}

/* From the newest back, so that one which is renamed meanwhile is met again,
 * and not missed. */
static size_t
find_new(const struct tail *t, struct file *found)
{
	struct stat	st;
	char		name[PATH_MAX];
	size_t		n = 0;
	unsigned	i;
	int		fd;

	for (i = 0; i <= LIFELOG_KEPT; i++) {
		if (i == 0)
			strlcpy(name, t->path, sizeof(name));
		else
			snprintf(name, sizeof(name), "%s.%u", t->path, i);
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd == -1)
			continue;
		if (fstat(fd, &st) == -1 ||
		    among(t->files, t->n, st.st_ino) ||
		    among(found, n, st.st_ino)) {
			close(fd);
			continue;
		}
		found[n++] = (struct file){ .fd = fd, .ino = st.st_ino };
	}
	return n;
}

static void
refresh(struct tail *t)
{
	struct file	found[LIFELOG_KEPT + 1];
	size_t		n = find_new(t, found);

	while (t->n + n > FILES_MAX)
		drop(t, 0);
	while (n > 0)
		t->files[t->n++] = found[--n];
}

/* --- lines ------------------------------------------------------------------ */

static bool
wanted(const struct log *l, const char *text, char ts[TS_MAX])
{
	const struct log_opts	*o = l->opts;
	char			 value[256];

	if (!lifelog_get(text, "ts", ts, TS_MAX) ||
	    strcmp(ts, l->since) < 0)
		return false;
	if (o->ev.n > 0 && (!lifelog_get(text, "ev", value, sizeof(value)) ||
	    !strlist_has(&o->ev, value)))
		return false;
	return o->peer == NULL || (lifelog_get(text, "identity", value,
	    sizeof(value)) && lifelog_is_peer(value, o->peer));
}

static int
keep(struct log *l, const char *text, struct error *e)
{
	struct line	*v, *line;
	char		 ts[TS_MAX];

	if (!wanted(l, text, ts))
		return 0;
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 256 : l->cap * 2;
		if ((v = reallocarray(l->lines, l->cap, sizeof(*v))) == NULL)
			return error_errno(e, EX_OSERR, "log");
		l->lines = v;
	}
	line = &l->lines[l->n];
	if ((line->text = strdup(text)) == NULL)
		return error_errno(e, EX_OSERR, "log");
	strlcpy(line->ts, ts, sizeof(line->ts));
	line->turn = l->n++;
	return 0;
}

/* The whole lines of what is there; what is behind the last waits. */
static int
take(struct log *l, struct file *f, const char *data, size_t n,
    struct error *e)
{
	char	*all = realloc(f->rest, f->n_rest + n + 1), *line, *nl;
	int	 r = 0;

	if (all == NULL)
		return error_errno(e, EX_OSERR, "log");
	memcpy(all + f->n_rest, data, n);
	f->rest = all;
	f->n_rest += n;
	for (line = all; r == 0 && (nl = memchr(line, '\n', f->n_rest -
	    (size_t)(line - all))) != NULL; line = nl + 1) {
		*nl = '\0';
		r = keep(l, line, e);
	}
	f->n_rest -= (size_t)(line - all);
	memmove(all, line, f->n_rest);
	return r;
}

static int
read_file(struct log *l, struct file *f, struct error *e)
{
	char	buf[65536];
	ssize_t	n;

	while ((n = read(f->fd, buf, sizeof(buf))) > 0)
		if (take(l, f, buf, (size_t)n, e) == -1)
			return -1;
	return n == -1 ? error_errno(e, EX_IOERR, "log") : 0;
}

static int
read_tail(struct log *l, struct tail *t, struct error *e)
{
	struct stat	st;
	size_t		i = 0;
	bool		dropped;

	refresh(t);
	while (i < t->n) {
		/* Looked at before: what comes after that is written again
		 * elsewhere. */
		dropped = fstat(t->files[i].fd, &st) == 0 && st.st_nlink == 0;
		if (read_file(l, &t->files[i], e) == -1)
			return -1;
		if (dropped)
			drop(t, i);
		else
			i++;
	}
	return 0;
}

/* --- saying it ----------------------------------------------------------------- */

static int
by_time(const void *a, const void *b)
{
	const struct line	*x = a, *y = b;
	int			 c = strcmp(x->ts, y->ts);

	return c != 0 ? c : x->turn < y->turn ? -1 : 1;
}

/* A number as one, if it was written so. */
static bool
set(cJSON *o, const struct lifelog_pair *pair)
{
	size_t	digits = strspn(pair->value, "0123456789");

	if (!pair->quoted && digits > 0 && digits < 16 &&
	    pair->value[digits] == '\0')
		return json_set_i64(o, pair->key, strtoll(pair->value, NULL,
		    10));
	return json_set_str(o, pair->key, pair->value);
}

static int
print_object(const char *text)
{
	static struct lifelog_pair	 pair;
	cJSON				*o = cJSON_CreateObject();
	int				 code;

	while (o != NULL && lifelog_next(&text, &pair))
		if (json_get(o, pair.key) == NULL && !set(o, &pair)) {
			cJSON_Delete(o);
			o = NULL;
		}
	code = cli_print_json(o);
	cJSON_Delete(o);
	return code;
}

static int
print(struct log *l)
{
	size_t	i;
	int	code = EX_OK;

	if (l->n > 1)
		qsort(l->lines, l->n, sizeof(l->lines[0]), by_time);
	for (i = 0; i < l->n; i++) {
		if (code == EX_OK && l->cli->json)
			code = print_object(l->lines[i].text);
		else if (code == EX_OK)
			puts(l->lines[i].text);
		free(l->lines[i].text);
	}
	l->n = 0;
	return code;
}

/* --- all of it ------------------------------------------------------------------ */

static int
turn(struct log *l)
{
	struct error	e;
	size_t		i;

	for (i = 0; i < LIFELOG_N; i++)
		if (read_tail(l, &l->tails[i], &e) == -1)
			return cli_fail(&e);
	return print(l);
}

static int
watch(const char *dir, struct error *e)
{
	int	fd = inotify_init1(IN_CLOEXEC);

	if (fd == -1)
		return error_errno(e, EX_OSERR, "inotify");
	if (inotify_add_watch(fd, dir, IN_CREATE | IN_MODIFY |
	    IN_MOVED_TO) != -1)
		return fd;
	close(fd);
	return error_errno(e, EX_NOINPUT, "%s", dir);
}

static int
follow(struct log *l, const char *dir)
{
	struct error	e;
	char		events[4096];
	int		fd, code;

	if (dir_make(dir, 0700, &e) == -1 || (fd = watch(dir, &e)) == -1)
		return cli_fail(&e);
	while ((code = turn(l)) == EX_OK && !ferror(stdout))
		if (read(fd, events, sizeof(events)) == -1 && errno != EINTR)
			break;
	close(fd);
	return code;
}

static void
set_since(struct log *l)
{
	time_t		t;
	struct tm	tm;

	if (l->opts->since_ms == 0)
		return;
	t = (time_t)((clock_epoch_ms() - l->opts->since_ms) / 1000);
	gmtime_r(&t, &tm);
	strftime(l->since, sizeof(l->since), "%Y-%m-%dT%H:%M:%S", &tm);
}

static void
end(struct log *l)
{
	size_t	i;

	for (i = 0; i < LIFELOG_N; i++) {
		while (l->tails[i].n > 0)
			drop(&l->tails[i], 0);
		free(l->tails[i].path);
	}
	free(l->lines);
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	static struct log	 l;
	struct error		 e;
	char			*dir;
	size_t			 i;
	int			 code;

	(void)argc;
	(void)argv;
	l.cli = cli;
	l.opts = opts;
	if (cli_load(cli, &e) == -1)
		return cli_fail(&e);
	set_since(&l);
	dir = config_path(&cli->config, "log");
	for (i = 0; i < LIFELOG_N; i++)
		if (dir == NULL || asprintf(&l.tails[i].path, "%s/%s", dir,
		    lifelog_names[i]) == -1) {
			error_errno(&e, EX_OSERR, "log");
			return cli_fail(&e);
		}
	code = l.opts->follow ? follow(&l, dir) : turn(&l);
	end(&l);
	free(dir);
	return code;
}

const struct command cmd_log = {
	.name = "log", .args = "",
	.summary = "print what happened to the peers of this host",
	.opts = options, .letters = "f", .opts_size = sizeof(struct log_opts),
	.min_args = 0, .max_args = 0, .run = run };
