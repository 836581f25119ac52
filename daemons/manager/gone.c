/* SPDX-License-Identifier: ISC */

/* What agents that are no more still have on the broker, removed by and by:
 * the signer or the broker may be away just then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "log.h"
#include "safepath.h"

#include "manager.h"
#include "provision.h"

#define AT_ONCE_MAX	4		/* one-shots that run together */
#define BACKOFF_MIN_MS	1000
#define BACKOFF_MAX_MS	60000

struct gone {
	LIST_ENTRY(gone)	 entry;
	struct manager		*manager;
	struct note		 note;
	char			*dir;		/* agents/.gone/ID */
	struct ask		*ask;
	struct error		 why;		/* code 0: no failure */
	bool			 minting;
	struct creds		 creds;		/* of the provisioner */
	struct oneshot		 oneshot;
	int64_t			 next_ms, backoff_ms;
};

static void
free_gone(struct gone *g)
{
	oneshot_end(&g->oneshot);
	creds_wipe(&g->creds);
	note_free(&g->note);
	free(g->dir);
	free(g->ask);
	free(g);
}

/* Whoever waits hears of the failure that this is the end of, or of this. */
static void
answer(struct gone *g, const struct error *e)
{
	struct ask	*ask = g->ask;
	cJSON		*o;

	g->ask = NULL;
	if (ask == NULL)
		return;
	if (g->why.code != 0 || e != NULL) {
		manager_answer(g->manager, ask, NULL,
		    g->why.code != 0 ? &g->why : e);
		return;
	}
	if ((o = cJSON_CreateObject()) == NULL ||
	    !json_set_str(o, "name", g->note.name) ||
	    !json_set_bool(o, "forgotten", true))
		fatal_memory();
	manager_answer(g->manager, ask, o, NULL);
}

static void
done(struct gone *g)
{
	struct error	e;

	if (note_dir_remove(g->dir, &e) == -1)
		log_warn("remains stay", "error=%s", log_str(e.text));
	term_sweep(&g->manager->role->config, g->note.name);
	log_info("forgotten", "name=%s id=%s", g->note.name, g->note.id);
	answer(g, NULL);
	LIST_REMOVE(g, entry);
	free_gone(g);
}

/* Later again, and whoever waits need not. */
static void
put_off(struct gone *g, const struct error *e)
{
	log_warn("remains are not removed yet", "id=%s error=%s", g->note.id,
	    log_str(e->text));
	creds_wipe(&g->creds);
	g->backoff_ms = g->backoff_ms == 0 ? BACKOFF_MIN_MS :
	    g->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS :
	    g->backoff_ms * 2;
	g->next_ms = clock_ms() + g->backoff_ms;
	answer(g, e);
}

/* --- the steps ---------------------------------------------------------------- */

static void
on_mint(void *arg, const char *jwt, const struct error *e)
{
	struct gone	*g = arg;
	struct error	 why;

	g->minting = false;
	if (jwt == NULL) {
		put_off(g, e);
		return;
	}
	if ((g->creds.jwt = strdup(jwt)) == NULL)
		fatal_memory();
	if (provision_remove(&g->oneshot, &g->manager->role->config,
	    &g->note, &g->creds, &why) == -1)
		put_off(g, &why);
}

static void
begin(struct gone *g)
{
	struct mint_request	q;
	struct error		e;

	memset(&q, 0, sizeof(q));
	if (nkey_new(&g->creds.key, NKEY_USER, &e) == -1) {
		put_off(g, &e);
		return;
	}
	q.profile = "provisioner";
	q.public = g->creds.key.public;
	q.target = g->note.id;
	q.role = g->note.role;
	q.asker = g->note.spawner;
	q.ttl_s = PROVISION_TTL_S;
	if (minter_ask(&g->manager->minter, &q, on_mint, g, &e) == -1)
		put_off(g, &e);
	else
		g->minting = true;
}

static void
step(struct gone *g, unsigned *running)
{
	struct error	e;
	int		r;

	if (g->oneshot.pid != 0) {
		if ((r = oneshot_poll(&g->oneshot, &e)) == -1)
			put_off(g, &e);
		else if (r == 1)
			done(g);
		else
			(*running)++;
	} else if (g->minting)
		(*running)++;
	else if (clock_ms() >= g->next_ms && *running < AT_ONCE_MAX) {
		(*running)++;
		begin(g);
	}
}

static void
answer_late(struct gone *g)
{
	struct error	e;

	if (g->ask == NULL || clock_ms() < g->ask->deadline_ms)
		return;
	error_set(&e, EX_TEMPFAIL, "%s is being removed, which goes on",
	    g->note.name);
	answer(g, &e);
}

void
gone_tend(struct manager *m)
{
	struct gone	*g, *next;
	unsigned	 running = 0;

	for (g = LIST_FIRST(&m->gone); g != NULL; g = next) {
		next = LIST_NEXT(g, entry);
		answer_late(g);
		step(g, &running);
	}
}

bool
gone_any(const struct manager *m)
{
	const struct gone	*g;

	LIST_FOREACH(g, &m->gone, entry)
		if (g->minting || g->oneshot.pid != 0 ||
		    clock_ms() >= g->next_ms)
			return true;
	return false;
}

/* --- coming and going -------------------------------------------------------------- */

/* What is on this host beside the directory goes at once. */
static void
remove_local(struct manager *m, const struct note *n)
{
	const struct config	*c = &m->role->config;
	struct error		 e;

	if (term_remove(c, n->name, &e) == -1 ||
	    (n->persona != NULL && c->workspace != NULL &&
	    safe_remove(c->workspace, n->persona, &e) == -1))
		log_warn("remains stay", "name=%s error=%s", n->name,
		    log_str(e.text));
}

/* One that is there already, of a removal that was cut off, is this one. */
static struct gone *
add(struct manager *m, struct note *n, char *dir)
{
	struct gone	*g;

	LIST_FOREACH(g, &m->gone, entry)
		if (strcmp(g->note.id, n->id) == 0) {
			note_free(n);
			free(dir);
			return g;
		}
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		fatal_memory();
	g->manager = m;
	g->note = *n;
	memset(n, 0, sizeof(*n));
	g->dir = dir;
	g->oneshot.out_fd = -1;
	LIST_INSERT_HEAD(&m->gone, g, entry);
	return g;
}

/* Out of the sight of a terminal that ends, and may write still; then all but
 * the note goes. */
static int
move_away(struct note *n, const char *dir, const char *to, struct error *e)
{
	if (note_save(n, dir, e) == -1 || note_dir_remove(to, e) == -1 ||
	    dir_make_parent(to, 0700, e) == -1)
		return -1;
	if (rename(dir, to) == -1)
		return error_errno(e, EX_CANTCREAT, "%s", to);
	/* What stays now goes with the note, later. */
	if (note_dir_strip(to, e) == -1)
		log_warn("remains stay", "error=%s", log_str(e->text));
	return 0;
}

int
gone_add(struct manager *m, struct note *n, const char *dir, struct ask *ask,
    const struct error *why, struct error *e)
{
	char		*to = note_gone_dir(&m->role->config, n->id);
	struct gone	*g;

	if (to == NULL)
		return error_errno(e, EX_OSERR, "%s", n->name);
	n->state = NOTE_GONE;
	remove_local(m, n);
	if (move_away(n, dir, to, e) == -1) {
		free(to);
		return -1;
	}
	g = add(m, n, to);
	g->ask = ask;
	if (why != NULL)
		g->why = *why;
	if (!g->note.provisioned)
		done(g);
	return 0;
}

static int
load_one(struct manager *m, const char *id, struct error *e)
{
	struct note	 n;
	char		*dir = note_gone_dir(&m->role->config, id);

	memset(&n, 0, sizeof(n));
	if (dir == NULL)
		return error_errno(e, EX_OSERR, "agents");
	if (note_load(&n, dir, e) == 0)
		(void)add(m, &n, dir);
	else {
		log_error("a note cannot be read", "error=%s",
		    log_str(e->text));
		free(dir);
	}
	note_free(&n);
	return 0;
}

int
gone_load(struct manager *m, struct error *e)
{
	struct strlist	ids = { 0 };
	size_t		i;
	int		r = note_list(&m->role->config, true, &ids, e);

	for (i = 0; r == 0 && i < ids.n; i++)
		r = load_one(m, ids.v[i], e);
	strlist_free(&ids);
	return r;
}

void
gone_reap(struct manager *m)
{
	struct gone	*g;

	LIST_FOREACH(g, &m->gone, entry)
		fleet_reap(m, g->note.id);
}

void
gone_unbind(struct manager *m)
{
	struct gone	*g;

	/* Whoever waits does so on a connection that is no more. */
	LIST_FOREACH(g, &m->gone, entry) {
		free(g->ask);
		g->ask = NULL;
	}
}

void
gone_free(struct manager *m)
{
	struct gone	*g;

	while ((g = LIST_FIRST(&m->gone)) != NULL) {
		LIST_REMOVE(g, entry);
		free_gone(g);
	}
}
