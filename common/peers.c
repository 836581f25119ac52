/* SPDX-License-Identifier: ISC */
#include <sys/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "names.h"
#include "peers.h"
#include "safepath.h"
#include "services.h"

#define PEERS_MAX	(4 * 1024 * 1024)
#define NOTE_MAX	(1024 * 1024)
#define LOCK_MS		5000

static int
out_of_memory(struct error *e)
{
	return error_errno(e, EX_OSERR, "peers");
}

/* --- reading ---------------------------------------------------------------- */

static void
free_resident(struct resident *r)
{
	free(r->personality);
	free(r->cwd);
	strlist_free(&r->runtimes);
}

void
peers_free(struct peers *p)
{
	size_t	i;

	for (i = 0; i < p->n; i++)
		free_resident(&p->v[i]);
	free(p->v);
	memset(p, 0, sizeof(*p));
}

/* Its first dash ends a runtime in an identity. */
static bool
is_runtime(const char *s)
{
	return name_is_token(s) && strchr(s, '-') == NULL &&
	    strlen(s) <= 32;
}

static bool
is_personality(const char *s)
{
	return name_is_token(s) && strlen(s) <= 64;
}

static int
check(const char *personality, const char *cwd,
    const struct strlist *runtimes, struct error *e)
{
	size_t	i;

	if (!is_personality(personality))
		return error_set(e, EX_USAGE, "\"%s\" is no name of a peer: "
		    "letters, digits, _ and -, at most 64", personality);
	if (cwd[0] != '/')
		return error_set(e, EX_USAGE, "%s: expected an absolute path, "
		    "not \"%s\"", personality, cwd);
	for (i = 0; i < runtimes->n; i++)
		if (!is_runtime(runtimes->v[i]))
			return error_set(e, EX_USAGE, "%s: \"%s\" is no "
			    "runtime: letters, digits and _, at most 32",
			    personality, runtimes->v[i]);
	return runtimes->n > 0 ? 0 : error_set(e, EX_USAGE, "%s: a peer has "
	    "at least one runtime", personality);
}

static int
read_one(struct resident *r, const cJSON *o, struct error *e)
{
	const cJSON	*name = json_get(o, "personality");
	const cJSON	*cwd = json_get(o, "cwd");
	const cJSON	*runtimes = json_get(o, "runtimes"), *v;

	if (!cJSON_IsString(name) || !cJSON_IsString(cwd) ||
	    !cJSON_IsArray(runtimes))
		return error_set(e, EX_DATAERR, "expected personality, cwd "
		    "and runtimes");
	r->personality = strdup(name->valuestring);
	r->cwd = strdup(cwd->valuestring);
	if (r->personality == NULL || r->cwd == NULL)
		return out_of_memory(e);
	cJSON_ArrayForEach(v, runtimes) {
		if (!cJSON_IsString(v))
			return error_set(e, EX_DATAERR, "%s: runtimes: "
			    "expected strings", r->personality);
		if (!strlist_has(&r->runtimes, v->valuestring) &&
		    !strlist_add(&r->runtimes, v->valuestring))
			return out_of_memory(e);
	}
	return check(r->personality, r->cwd, &r->runtimes, e);
}

static int
by_name(const void *a, const void *b)
{
	const struct resident	*x = a, *y = b;

	return strcmp(x->personality, y->personality);
}

static int
read_all(struct peers *p, const cJSON *list, struct error *e)
{
	const cJSON	*o;
	size_t		 i;

	if (!cJSON_IsArray(list))
		return error_set(e, EX_DATAERR, "expected a list of peers");
	p->v = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*p->v));
	if (p->v == NULL)
		return out_of_memory(e);
	cJSON_ArrayForEach(o, list)
		if (read_one(&p->v[p->n++], o, e) == -1) {
			if (e != NULL)
				e->code = EX_DATAERR;
			return -1;
		}
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), by_name);
	for (i = 1; i < p->n; i++)
		if (by_name(&p->v[i - 1], &p->v[i]) == 0)
			return error_set(e, EX_DATAERR, "%s is there twice",
			    p->v[i].personality);
	return 0;
}

int
peers_load(struct peers *p, const struct config *c, struct error *e)
{
	char	*path = config_path(c, "peers.json"), *text = NULL;
	cJSON	*o = NULL;
	size_t	 len;
	int	 r = -1;

	memset(p, 0, sizeof(*p));
	if (path == NULL)
		return out_of_memory(e);
	if (access(path, F_OK) == -1 && errno == ENOENT)
		r = 0;
	else if ((text = file_read(path, PEERS_MAX, &len, e)) != NULL &&
	    ((o = json_parse(text, len, e)) == NULL ||
	    (r = read_all(p, json_get(o, "peers"), e)) == -1))
		error_wrap(e, "%s", path);
	cJSON_Delete(o);
	free(text);
	free(path);
	return r;
}

const struct resident *
peers_find(const struct peers *p, const char *personality)
{
	size_t	i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->v[i].personality, personality) == 0)
			return &p->v[i];
	return NULL;
}

/* --- writing ------------------------------------------------------------------- */

/* Others are done soon. */
static int
lock(const struct config *c, struct error *e)
{
	char	*path = config_path(c, "lock/peers");
	int64_t	 until = clock_ms() + LOCK_MS;
	int	 fd;

	if (path == NULL)
		return out_of_memory(e);
	while ((fd = file_lock(path, "change of the peers", e)) == -1 &&
	    (e == NULL || e->code == EX_TEMPFAIL) && clock_ms() < until)
		usleep(10000);
	free(path);
	return fd;
}

static bool
add_json(cJSON *list, const struct resident *r)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_str(o, "personality", r->personality) &&
	    json_set_str(o, "cwd", r->cwd) && json_set_strings(o, "runtimes",
	    r->runtimes.v, r->runtimes.n) && cJSON_AddItemToArray(list, o))
		return true;
	cJSON_Delete(o);
	return false;
}

static int
save(const struct peers *p, const struct config *c, struct error *e)
{
	char	*path = config_path(c, "peers.json"), *text = NULL;
	cJSON	*o = cJSON_CreateObject(), *list = cJSON_CreateArray();
	size_t	 i;
	bool	 ok = o != NULL && list != NULL && path != NULL;
	int	 r;

	for (i = 0; ok && i < p->n; i++)
		ok = p->v[i].personality == NULL || add_json(list, &p->v[i]);
	ok = json_set_item(o, "peers", list) && ok;
	if (ok)
		text = json_print(o);
	r = text == NULL ? out_of_memory(e) :
	    file_write_private(path, text, 0600, e);
	cJSON_Delete(o);
	free(text);
	free(path);
	return r;
}

/* The one of this name, or a new one. */
static struct resident *
at(struct peers *p, const char *personality)
{
	struct resident	*v;
	size_t		 i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->v[i].personality, personality) == 0)
			return &p->v[i];
	if ((v = reallocarray(p->v, p->n + 1, sizeof(*v))) == NULL)
		return NULL;
	p->v = v;
	memset(&v[p->n], 0, sizeof(*v));
	if ((v[p->n].personality = strdup(personality)) == NULL)
		return NULL;
	return &v[p->n++];
}

static int
change(struct resident *r, const char *cwd, const struct strlist *runtimes,
    struct strlist *fresh, struct error *e)
{
	char	*copy = strdup(cwd);
	size_t	 i;

	if (copy == NULL)
		return out_of_memory(e);
	free(r->cwd);
	r->cwd = copy;
	for (i = 0; i < runtimes->n; i++)
		if (!strlist_has(&r->runtimes, runtimes->v[i]) &&
		    (!strlist_add(&r->runtimes, runtimes->v[i]) ||
		    !strlist_add(fresh, runtimes->v[i])))
			return out_of_memory(e);
	return 0;
}

int
peers_add(const struct config *c, const char *personality, const char *cwd,
    const struct strlist *runtimes, struct strlist *fresh, struct error *e)
{
	struct peers	 p;
	struct resident	*one;
	int		 fd, r = -1;

	if (check(personality, cwd, runtimes, e) == -1 ||
	    (fd = lock(c, e)) == -1)
		return -1;
	if (peers_load(&p, c, e) == 0) {
		one = at(&p, personality);
		r = one == NULL ? out_of_memory(e) :
		    change(one, cwd, runtimes, fresh, e);
		if (p.n > 1)
			qsort(p.v, p.n, sizeof(*p.v), by_name);
		if (r == 0)
			r = save(&p, c, e);
	}
	peers_free(&p);
	close(fd);
	return r;
}

int
peers_remove(const struct config *c, const char *personality, struct error *e)
{
	struct peers	 p;
	size_t		 i;
	int		 fd, r = -1;

	if ((fd = lock(c, e)) == -1)
		return -1;
	if (peers_load(&p, c, e) == 0) {
		for (i = 0; i < p.n && strcmp(p.v[i].personality,
		    personality) != 0; i++)
			;
		if (i == p.n)
			error_set(e, EX_NOUSER, "there is no peer \"%s\"",
			    personality);
		else {
			free_resident(&p.v[i]);
			memset(&p.v[i], 0, sizeof(p.v[i]));
			r = save(&p, c, e);
		}
	}
	peers_free(&p);
	close(fd);
	return r;
}

char *
peers_identity(const char *runtime, const char *personality)
{
	char	*s;

	return asprintf(&s, "%s-%s", runtime, personality) == -1 ? NULL : s;
}

/* --- markers -------------------------------------------------------------------- */

static char *
mark_path(const struct config *c, const char *identity, enum peer_mark m)
{
	return config_path(c, "peers/%s/%s", identity, m == PEER_STOPPED ?
	    ".stopped" : ".idle-reaped");
}

bool
peers_marked(const struct config *c, const char *identity, enum peer_mark m)
{
	char	*path = mark_path(c, identity, m);
	bool	 yes = path != NULL && access(path, F_OK) == 0;

	free(path);
	return yes;
}

int
peers_mark(const struct config *c, const char *identity, enum peer_mark m,
    bool on, struct error *e)
{
	char	*path = mark_path(c, identity, m);
	int	 r = 0;

	if (path == NULL)
		return out_of_memory(e);
	if (!on && unlink(path) == -1 && errno != ENOENT)
		r = error_errno(e, EX_CANTCREAT, "%s", path);
	else if (on && access(path, F_OK) == -1 &&
	    (r = dir_make_parent(path, 0700, e)) == 0)
		r = file_write_private(path, "", 0600, e);
	free(path);
	return r;
}

int
peers_purge(const struct config *c, const char *identity, struct error *e)
{
	char	*path = config_path(c, "peers/%s", identity), rel[128];
	bool	 there = path != NULL && access(path, F_OK) == 0;

	free(path);
	snprintf(rel, sizeof(rel), "peers/%s", identity);
	if (!there)
		return 0;
	return safe_remove(c->state, rel, e) == -1 ? -1 : 1;
}

/* --- liveness ---------------------------------------------------------------------- */

const char *
peer_life_name(enum peer_life life)
{
	static const char *const	names[] = { "absent", "ended",
					    "live" };

	return names[life];
}

/* Its terminal's process holds its lock as long as it lives; and the program
 * in it has ended for good when that is noted. */
static bool
agent_lives(const struct config *c, const char *name)
{
	char	*path = config_path(c, "lock/pty-%s", name);
	char	*over = config_path(c, "agents/%s/exit.json", name);
	bool	 held = false;
	int	 fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd != -1) {
		held = flock(fd, LOCK_SH | LOCK_NB) == -1 &&
		    errno == EWOULDBLOCK;
		close(fd);
	}
	held = held && over != NULL && access(over, F_OK) == -1;
	free(over);
	free(path);
	return held;
}

static bool
says(const cJSON *o, const char *member, const char *what)
{
	const cJSON	*v = json_get(o, member);

	return cJSON_IsString(v) && strcmp(v->valuestring, what) == 0;
}

/* An agent of this connector that is called so, or was started by it. */
static enum peer_life
agent_life(const struct config *c, const char *name, const char *runtime,
    const char *personality)
{
	char		*path = config_path(c, "agents/%s/agent.json", name);
	char		*text = NULL;
	enum peer_life	 life = PEER_ABSENT;
	cJSON		*o = NULL;
	size_t		 len;

	if (path != NULL && (text = file_read(path, NOTE_MAX, &len, NULL)) !=
	    NULL && (o = json_parse(text, len, NULL)) != NULL &&
	    says(o, "agent", runtime) && (says(o, "name", personality) ||
	    says(o, "ref", personality)))
		life = agent_lives(c, name) ? PEER_LIVE : PEER_ENDED;
	cJSON_Delete(o);
	free(text);
	free(path);
	return life;
}

static enum peer_life
service_life(const struct config *c, const char *identity)
{
	struct service_status	s;

	if (service_status(c, identity, &s, NULL) == -1)
		return PEER_ABSENT;
	return s.pid > 0 ? PEER_LIVE : PEER_ENDED;
}

enum peer_life
peers_life(const struct config *c, const char *runtime,
    const char *personality)
{
	char		*dir = config_path(c, "agents");
	char		*identity = peers_identity(runtime, personality);
	DIR		*d = dir == NULL ? NULL : opendir(dir);
	struct dirent	*de;
	enum peer_life	 life, best = identity == NULL ? PEER_ABSENT :
			    service_life(c, identity);

	while (d != NULL && best != PEER_LIVE && (de = readdir(d)) != NULL)
		if (name_is_token(de->d_name) && (life = agent_life(c,
		    de->d_name, runtime, personality)) > best)
			best = life;
	if (d != NULL)
		closedir(d);
	free(identity);
	free(dir);
	return best;
}
