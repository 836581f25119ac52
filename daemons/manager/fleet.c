/* SPDX-License-Identifier: ISC */

/* The agents that there are: found again after a restart, looked after while
 * they live, kept when they have ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "lifelog.h"
#include "log.h"
#include "peers.h"

#include "manager.h"

#define LOOK_MS		200
#define KILL_MS		1000	/* for one that is told to end at once */
#define STOP_MS		4000	/* for one that is asked */

/* --- the table ------------------------------------------------------------------ */

static void
free_asks(struct agent *a)
{
	struct ask	*ask;

	while ((ask = STAILQ_FIRST(&a->asks)) != NULL) {
		STAILQ_REMOVE_HEAD(&a->asks, entry);
		free(ask);
	}
}

static void
free_agent(void *arg)
{
	struct agent	*a = arg;

	free_asks(a);
	note_free(&a->note);
	free(a->dir);
	free(a);
}

void
fleet_free(struct manager *m)
{
	map_free(m->agents, free_agent);
	m->agents = NULL;
}

struct agent *
fleet_find(const struct manager *m, const char *name)
{
	return map_get(m->agents, name);
}

struct agent *
fleet_by_id(const struct manager *m, const char *id)
{
	const struct map_node	*n;
	struct agent		*a;

	for (n = map_first(m->agents); n != NULL; n = map_next(n)) {
		a = map_value(n);
		if (strcmp(a->note.id, id) == 0)
			return a;
	}
	return NULL;
}

static bool
is_there(const struct config *c, const char *name, const char *suffix)
{
	char	*path = config_path(c, "agents/%s%s", name, suffix);
	bool	 there = path == NULL || access(path, F_OK) == 0;

	free(path);
	return there;
}

bool
fleet_taken(void *arg, const char *name)
{
	const struct manager	*m = arg;
	const struct config	*c = &m->role->config;
	const struct agent	*a = fleet_find(m, name);

	if (a != NULL)
		return a->slot != NULL || a->closing;
	/* One that was onboarded, or whose note cannot be read. */
	return is_there(c, name, ".creds") || is_there(c, name, "") ||
	    term_runs(c, name);
}

static struct agent *
add(struct manager *m, struct note *n, struct slot *slot)
{
	struct agent	*a = calloc(1, sizeof(*a));

	if (a == NULL || (a->dir = note_dir(&m->role->config, n->name)) ==
	    NULL)
		fatal_memory();
	STAILQ_INIT(&a->asks);
	a->note = *n;
	memset(n, 0, sizeof(*n));
	a->slot = slot;
	if (map_put(m->agents, a->note.name, a, NULL) == -1)
		fatal_memory();
	return a;
}

void
fleet_add(struct manager *m, struct note *n, struct slot *slot)
{
	(void)add(m, n, slot);
}

static void
save(struct agent *a)
{
	struct error	e;

	if (note_save(&a->note, a->dir, &e) == -1)
		log_error("cannot note an agent", "name=%s error=%s",
		    a->note.name, log_str(e.text));
}

void
fleet_lift(struct manager *m, struct agent *a, struct note *n)
{
	*n = a->note;
	memset(&a->note, 0, sizeof(a->note));
	map_del(m->agents, n->name);
	free_agent(a);
}

void
fleet_keep(struct manager *m, struct note *n)
{
	const struct config	*c = &m->role->config;
	struct agent		*a = add(m, n, NULL);
	struct error		 e;

	if (term_exists(c, a->note.name) &&
	    term_remove(c, a->note.name, &e) == -1)
		log_error("cannot remove a terminal", "name=%s error=%s",
		    a->note.name, log_str(e.text));
	a->closing = term_runs(c, a->note.name);
}

int
fleet_forget(struct manager *m, struct agent *a, struct ask *ask,
    struct error *e)
{
	if (gone_add(m, &a->note, a->dir, ask, NULL, e) == -1)
		return -1;
	/* Its name went with the note: what is left is a shell. */
	map_del(m->agents, strrchr(a->dir, '/') + 1);
	free_agent(a);
	return 0;
}

/* --- after a restart --------------------------------------------------------------- */

/* A start that was cut off, or a removal. */
static int
take_back(struct manager *m, struct note *n, const char *dir, struct error *e)
{
	log_info("taken back", "name=%s id=%s", n->name, n->id);
	return gone_add(m, n, dir, NULL, NULL, e);
}

static void
adopt_ended(struct manager *m, struct note *n)
{
	if (n->cools_ms > clock_epoch_ms())
		(void)slots_adopt(&m->slots, NULL, true, n->cools_ms);
	fleet_keep(m, n);
}

static void
adopt_live(struct manager *m, struct note *n)
{
	struct slot	*s = slots_adopt(&m->slots, n->name, false,
			    n->started_ms);
	struct agent	*a;

	if (s == NULL) {
		log_error("no place for an agent", "name=%s", n->name);
		return;
	}
	log_info("found again", "name=%s id=%s", n->name, n->id);
	a = add(m, n, s);
	if (a->note.stopping)
		fleet_stop(m, a, SLOT_ENDED, false, NULL);
}

static int
load_one(struct manager *m, const char *name, struct error *e)
{
	struct note	 n;
	struct error	 why;
	char		*dir = note_dir(&m->role->config, name);
	int		 r = 0;

	memset(&n, 0, sizeof(n));
	if (dir == NULL)
		return error_errno(e, EX_OSERR, "agents");
	if (note_load(&n, dir, &why) == -1)
		log_error("an agent's note cannot be read", "error=%s",
		    log_str(why.text));
	else if (strcmp(n.name, name) != 0)
		log_error("an agent's note is another's", "dir=%s name=%s",
		    log_str(name), n.name);
	else if (n.state == NOTE_STARTING || n.state == NOTE_GONE)
		r = take_back(m, &n, dir, e);
	else if (n.state == NOTE_LIVE)
		adopt_live(m, &n);
	else
		adopt_ended(m, &n);
	note_free(&n);
	free(dir);
	return r;
}

int
fleet_load(struct manager *m, struct error *e)
{
	const struct map_node	*n;
	const struct agent	*a;
	struct strlist		 names = { 0 };
	size_t			 i;
	int			 r;

	if ((m->agents = map_new()) == NULL)
		return error_errno(e, EX_OSERR, "agents");
	term_sweep(&m->role->config, NULL);
	r = note_list(&m->role->config, false, &names, e);
	for (i = 0; r == 0 && i < names.n; i++)
		r = load_one(m, names.v[i], e);
	strlist_free(&names);
	/* A manager that was killed may have come no further than the parent. */
	for (n = map_first(m->agents); n != NULL; n = map_next(n)) {
		a = map_value(n);
		if (a->slot == NULL)
			fleet_reap(m, a->note.id);
	}
	gone_reap(m);
	return r;
}

/* --- ends ------------------------------------------------------------------------------ */

/* It is one no more: place, note, children. */
static void
mark_ended(struct manager *m, struct agent *a, enum slot_end how)
{
	int64_t	now = clock_epoch_ms();

	(void)note_exit(&a->note, a->dir);
	slot_end(a->slot, how, now);
	a->note.cools_ms = slot_cools_until(a->slot);
	a->slot = NULL;
	a->note.state = NOTE_ENDED;
	a->note.stopping = false;
	a->note.ended_ms = now;
	save(a);
	log_info("ended", "name=%s id=%s exit=%lld signal=%lld",
	    a->note.name, a->note.id, (long long)a->note.exit_code,
	    (long long)a->note.exit_signal);
	fleet_reap(m, a->note.id);
}

static cJSON *
stopped_json(const struct agent *a, bool graceful)
{
	cJSON	*o = cJSON_CreateObject();

	if (o == NULL || !json_set_str(o, "name", a->note.name) ||
	    !json_set_bool(o, "stopped", true) ||
	    !json_set_bool(o, "graceful", graceful))
		fatal_memory();
	return o;
}

static void
closed(struct manager *m, struct agent *a)
{
	struct ask	*ask;

	if (a->slot != NULL)
		mark_ended(m, a, a->how);
	a->closing = false;
	term_sweep(&m->role->config, a->note.name);
	while ((ask = STAILQ_FIRST(&a->asks)) != NULL) {
		STAILQ_REMOVE_HEAD(&a->asks, entry);
		manager_answer(m, ask, stopped_json(a, ask->graceful), NULL);
	}
}

/* Nobody is left without an answer because a terminal does not end. */
static void
answer_late(struct manager *m, struct agent *a)
{
	struct ask	*ask, *next;
	struct error	 e;

	for (ask = STAILQ_FIRST(&a->asks); ask != NULL; ask = next) {
		next = STAILQ_NEXT(ask, entry);
		if (clock_ms() < ask->deadline_ms)
			continue;
		STAILQ_REMOVE(&a->asks, ask, ask, entry);
		error_set(&e, EX_TEMPFAIL, "%s is told to stop, and has not "
		    "ended yet: does the supervisor run?", a->note.name);
		manager_answer(m, ask, NULL, &e);
	}
}

void
fleet_note(const struct manager *m, const struct note *n, const char *ev,
    const char *how)
{
	char	identity[2 * SLOT_NAME_MAX + 2];

	snprintf(identity, sizeof(identity), "%s-%s", n->agent == NULL ?
	    "agent" : n->agent, n->name);
	lifelog_note(&m->role->config, LIFELOG_LIFECYCLE, ev, identity,
	    "id=%s how=%s", n->id, how);
}

static void
mark(const struct config *c, const char *identity, bool stopped)
{
	struct error	e;

	if ((stopped && peers_mark(c, identity, PEER_STOPPED, true, &e) ==
	    -1) || (!stopped && (peers_mark(c, identity, PEER_STOPPED, false,
	    &e) == -1 || peers_mark(c, identity, PEER_IDLE, false, &e) ==
	    -1)))
		log_warn("cannot mark a peer", "identity=%s error=%s",
		    identity, log_str(e.text));
}

void
fleet_mark(const struct manager *m, const struct note *n, bool stopped)
{
	const struct config	*c = &m->role->config;
	char			 identity[2 * SLOT_NAME_MAX + 2];
	struct peers		 p;

	snprintf(identity, sizeof(identity), "%s-%s", n->agent == NULL ?
	    "agent" : n->agent, n->name);
	if (peers_load(&p, c, NULL) == 0 &&
	    peers_find(&p, n->name) != NULL)
		mark(c, identity, stopped);
	peers_free(&p);
}

/* Tell the terminal.  Noted first where it is removed later: a manager after
 * this one goes on with it. */
static int
close_terminal(struct manager *m, struct agent *a, bool hard,
    struct error *e)
{
	const struct config	*c = &m->role->config;

	if (a->slot != NULL) {
		a->note.stopping = true;
		save(a);
	}
	if (term_end(c, a->note.name, hard, NULL) == 0) {
		a->remove_ms = clock_ms() + (hard ? KILL_MS : STOP_MS);
		return 0;
	}
	return term_remove(c, a->note.name, e);
}

void
fleet_stop(struct manager *m, struct agent *a, enum slot_end how, bool hard,
    struct ask *ask)
{
	bool		live = a->slot != NULL && !a->note.stopping;
	struct error	e;

	if (!a->closing && close_terminal(m, a, hard, &e) == -1) {
		log_error("cannot remove a terminal", "name=%s error=%s",
		    a->note.name, log_str(e.text));
		manager_answer(m, ask, NULL, &e);
		return;
	}
	if (!a->closing) {
		log_info("stopping", "name=%s hard=%s", a->note.name,
		    hard ? "true" : "false");
		if (live)
			fleet_note(m, &a->note, "stop", hard ? "hard" :
			    "graceful");
		a->closing = true;
		a->how = how;
		fleet_reap(m, a->note.id);
	}
	if (ask != NULL) {
		ask->graceful = !hard;
		STAILQ_INSERT_TAIL(&a->asks, ask, entry);
	}
}

/* What it started goes with it, and what those started. */
void
fleet_reap(struct manager *m, const char *id)
{
	const struct map_node	*n;
	struct agent		*a;

	start_cancel_of(m, id);
	for (n = map_first(m->agents); n != NULL; n = map_next(n)) {
		a = map_value(n);
		if (a->slot != NULL && !a->closing &&
		    a->note.spawner != NULL &&
		    strcmp(a->note.spawner, id) == 0)
			fleet_stop(m, a, SLOT_ENDED, true, NULL);
	}
}

static void
look_at_closing(struct manager *m, struct agent *a)
{
	const struct config	*c = &m->role->config;
	bool			 runs = term_runs(c, a->note.name);
	struct error		 e;

	if (a->remove_ms != 0 && (!runs || clock_ms() >= a->remove_ms)) {
		a->remove_ms = 0;
		if (term_remove(c, a->note.name, &e) == -1)
			log_error("cannot remove a terminal",
			    "name=%s error=%s", a->note.name,
			    log_str(e.text));
	}
	if (!runs)
		closed(m, a);
	else
		answer_late(m, a);
}

static void
look_at(struct manager *m, struct agent *a)
{
	const struct config	*c = &m->role->config;

	if (a->closing) {
		look_at_closing(m, a);
		return;
	}
	if (a->slot == NULL)
		return;
	/* The child ended, or somebody took the service away. */
	if (note_exit(&a->note, a->dir) || !term_exists(c, a->note.name)) {
		mark_ended(m, a, SLOT_ENDED);
		fleet_stop(m, a, SLOT_ENDED, false, NULL);
	}
}

void
fleet_tend(struct manager *m)
{
	const struct map_node	*n;

	if (clock_ms() - m->looked_ms < LOOK_MS)
		return;
	m->looked_ms = clock_ms();
	for (n = map_first(m->agents); n != NULL; n = map_next(n))
		look_at(m, map_value(n));
}

void
fleet_unbind(struct manager *m)
{
	const struct map_node	*n;

	for (n = map_first(m->agents); n != NULL; n = map_next(n))
		free_asks(map_value(n));
}

void
fleet_state(struct manager *m, const char *id, const cJSON *state)
{
	struct agent	*a = fleet_by_id(m, id);
	const cJSON	*starts = json_get(state, "starts");

	if (a == NULL)
		return;
	a->waiting = cJSON_IsFalse(json_get(state, "up")) &&
	    cJSON_IsFalse(json_get(state, "over"));
	if (cJSON_IsNumber(starts) && starts->valuedouble >= 0 &&
	    starts->valuedouble < 1e9)
		a->starts = (uint64_t)starts->valuedouble;
}

/* --- said of one ------------------------------------------------------------------------ */

static const char *
mesh_of(const struct manager *m, const char *id)
{
	const struct peer	*p = roster_find(m->roster, id);

	return p == NULL || !peer_is_live(p) ? "absent" :
	    status_names[p->presence.status];
}

static bool
set_if(cJSON *o, const char *name, const char *s)
{
	return s == NULL || json_set_str(o, name, s);
}

static const char *
status_of(const struct agent *a)
{
	if (a->slot == NULL)
		return "exited";
	if (a->closing)
		return "stopping";
	return a->waiting ? "restarting" : "running";
}

static bool
set_end(cJSON *o, const struct note *n)
{
	if (n->ended_ms == 0)
		return true;
	return json_set_i64(o, "endedMs", n->ended_ms) &&
	    (n->exit_code < 0 || json_set_i64(o, "exit", n->exit_code)) &&
	    (n->exit_signal == 0 || json_set_i64(o, "signal",
	    n->exit_signal));
}

cJSON *
fleet_json(const struct manager *m, const struct agent *a)
{
	const struct note	*n = &a->note;
	cJSON			*o = cJSON_CreateObject();
	int64_t			 until = n->ended_ms != 0 ? n->ended_ms :
				    clock_epoch_ms();

	if (o == NULL || !json_set_str(o, "name", n->name) ||
	    !json_set_str(o, "id", n->id) || !set_if(o, "role", n->role) ||
	    !set_if(o, "agent", n->agent) ||
	    !json_set_str(o, "space", m->role->config.space) ||
	    !json_set_str(o, "mode", "pty") ||
	    !json_set_str(o, "status", status_of(a)) ||
	    !json_set_i64(o, "uptimeMs", until > n->started_ms ?
	    until - n->started_ms : 0) ||
	    !json_set_str(o, "mesh", mesh_of(m, n->id)) ||
	    !set_if(o, "ref", n->ref) || !set_if(o, "runId", n->run_id) ||
	    !set_if(o, "spawner", n->spawner) || !set_end(o, n) ||
	    (a->starts > 0 && !json_set_u64(o, "starts", a->starts)))
		fatal_memory();
	return o;
}
