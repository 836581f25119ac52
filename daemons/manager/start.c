/* SPDX-License-Identifier: ISC */

/* The steps of a start that take time, each undone when a later one fails
 * (contract, agents "Start"). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "hooks.h"
#include "json.h"
#include "log.h"
#include "safepath.h"
#include "services.h"

#include "provision.h"
#include "start.h"

#define AT_ONCE_MAX	6	/* starts that mint and provision together */

enum phase {
	PHASE_WAITING,		/* for its turn; its place is reserved */
	PHASE_MINTING,
	PHASE_PROVISIONING,
	PHASE_RISING,		/* its terminal was told to the supervisor */
	PHASE_FAILED,		/* error is why */
	PHASE_UP,
};

/* One of the three credentials that a start asks for. */
struct wanted {
	struct start	*start;
	struct creds	 creds;
};

struct start {
	TAILQ_ENTRY(start)	 entry;
	struct manager		*manager;
	enum phase		 phase;
	struct recipe		 recipe;
	struct ask		*ask;
	struct slot		*slot;
	struct note		 note;
	char			*dir;
	bool			 again;
	struct wanted		 agent, pty, provisioner;
	struct oneshot		 oneshot;
	struct error		 error;
};

static void
free_start(struct start *s)
{
	minter_forget(&s->manager->minter, &s->agent);
	minter_forget(&s->manager->minter, &s->pty);
	minter_forget(&s->manager->minter, &s->provisioner);
	oneshot_end(&s->oneshot);
	creds_wipe(&s->agent.creds);
	creds_wipe(&s->pty.creds);
	creds_wipe(&s->provisioner.creds);
	recipe_free(&s->recipe);
	note_free(&s->note);
	free(s->dir);
	free(s->ask);
	free(s);
}

static void
fail(struct start *s, const struct error *e)
{
	if (s->phase == PHASE_FAILED)
		return;
	s->phase = PHASE_FAILED;
	s->error = *e;
}

/* Take back what was made, in the opposite order; who asked is told when that
 * is done. */
static void
take_back(struct start *s)
{
	struct manager	*m = s->manager;
	struct error	 e;

	/* It may have run already, and asked for others. */
	if (s->note.id != NULL)
		fleet_reap(m, s->note.id);
	log_warn("start failed", "name=%s error=%s", s->slot->name,
	    log_str(s->error.text));
	slot_end(s->slot, SLOT_FAILED, clock_epoch_ms());
	if (s->again) {
		fleet_keep(m, &s->note);
		manager_answer(m, s->ask, NULL, &s->error);
		s->ask = NULL;
		return;
	}
	/* gone_add answers when it has nothing left to remove. */
	if (s->dir != NULL && gone_add(m, &s->note, s->dir, s->ask,
	    &s->error, &e) == 0) {
		s->ask = NULL;
		return;
	}
	if (s->dir != NULL)
		log_error("what a start made is not taken back",
		    "id=%s error=%s", s->note.id, log_str(e.text));
	manager_answer(m, s->ask, NULL, &s->error);
	s->ask = NULL;
}

/* --- minting ------------------------------------------------------------------- */

static void
on_mint(void *arg, const char *jwt, const struct error *e)
{
	struct wanted	*w = arg;

	if (jwt == NULL)
		fail(w->start, e);
	else if ((w->creds.jwt = strdup(jwt)) == NULL)
		fatal_memory();
}

static int
ask_for(struct start *s, struct wanted *w, const char *profile,
    struct mint_request *q, struct error *e)
{
	q->profile = profile;
	q->public = w->creds.key.public;
	q->asker = s->note.spawner;
	return minter_ask(&s->manager->minter, q, on_mint, w, e);
}

/* All three at once: each is checked by itself. */
static int
begin_minting(struct start *s, struct error *e)
{
	const struct recipe	*rc = &s->recipe;
	struct mint_request	 agent, other;

	memset(&agent, 0, sizeof(agent));
	memset(&other, 0, sizeof(other));
	agent.name = s->note.name;
	agent.role = s->note.role;
	agent.subscribe = &rc->subscribe;
	agent.allow_subscribe = &rc->allow_subscribe;
	agent.allow_publish = &rc->allow_publish;
	agent.spawn = s->note.spawn;
	other.target = s->note.id;
	if (ask_for(s, &s->agent, "agent", &agent, e) == -1 ||
	    ask_for(s, &s->pty, "pty", &other, e) == -1)
		return -1;
	other.role = s->note.role;
	other.ttl_s = PROVISION_TTL_S;
	return ask_for(s, &s->provisioner, "provisioner", &other, e);
}

static int
await_minting(struct start *s, struct error *e)
{
	if (s->agent.creds.jwt == NULL || s->pty.creds.jwt == NULL ||
	    s->provisioner.creds.jwt == NULL)
		return 0;
	/* Known before it is so: whatever happens, it will be looked for. */
	s->note.provisioned = true;
	if (note_save(&s->note, s->dir, e) == -1 ||
	    provision_create(&s->oneshot, &s->manager->role->config,
	    &s->note, &s->recipe.allow_subscribe, &s->provisioner.creds,
	    e) == -1)
		return -1;
	creds_wipe(&s->provisioner.creds);
	s->phase = PHASE_PROVISIONING;
	return 0;
}

/* --- files, launch ---------------------------------------------------------------- */

static int
save_creds(struct start *s, const struct creds *c, const char *file,
    struct error *e)
{
	char	*path;
	int	 r;

	if (asprintf(&path, "%s/%s", s->dir, file) == -1)
		return error_errno(e, EX_OSERR, "%s", file);
	r = creds_save(c, path, e);
	free(path);
	return r;
}

static void
fill_request(struct start *s, struct launch_request *q, const char *creds,
    const char *reeve, const char *hook)
{
	const struct config	*c = &s->manager->role->config;
	struct recipe		*rc = &s->recipe;

	memset(q, 0, sizeof(*q));
	q->space = c->space;
	q->servers = c->servers;
	q->name = s->note.name;
	q->role = s->note.role;
	q->id = s->note.id;
	q->creds = creds;
	q->file = &rc->file;
	q->file_path = rc->path;
	q->model = rc->model;
	q->resume = rc->resume;
	q->cwd = rc->cwd;
	q->workspace = c->workspace;
	q->private_dir = s->dir;
	q->reeve = reeve;
	q->hook = hook;
	q->acl.subscribe = rc->subscribe.v;
	q->acl.n_subscribe = rc->subscribe.n;
	q->acl.allow_subscribe = rc->allow_subscribe.v;
	q->acl.n_allow_subscribe = rc->allow_subscribe.n;
	q->acl.allow_publish = rc->allow_publish.v;
	q->acl.n_allow_publish = rc->allow_publish.n;
	q->capabilities = &rc->capabilities;
	q->transcript = rc->transcript;
	q->policy = rc->policy;
}

/* launch.json, by the connector. */
static int
make_plan(struct start *s, struct error *e)
{
	struct launch_request	 q;
	struct launch_plan	 plan;
	char			*creds = NULL, *path = NULL;
	char			*reeve = oneshot_program("reeve", e);
	char			*hook = reeve == NULL ? NULL :
				    oneshot_program(HOOK_NAME, e);
	int			 r = -1;

	if (hook == NULL) {
		free(reeve);
		return -1;
	}
	if (asprintf(&creds, "%s/agent.creds", s->dir) == -1 ||
	    asprintf(&path, "%s/launch.json", s->dir) == -1)
		fatal_memory();
	fill_request(s, &q, creds, reeve, hook);
	if (plan_make(s->recipe.connector, &q, &plan, e) == 0)
		r = launch_plan_save(&plan, path, e);
	launch_plan_free(&plan);
	free(hook);
	free(reeve);
	free(path);
	free(creds);
	return r;
}

static int
launch(struct start *s, struct error *e)
{
	const struct config	*c = &s->manager->role->config;

	if (save_creds(s, &s->agent.creds, "agent.creds", e) == -1 ||
	    save_creds(s, &s->pty.creds, "pty.creds", e) == -1 ||
	    make_plan(s, e) == -1 ||
	    term_make(c, s->note.name, e) == -1)
		return -1;
	s->phase = PHASE_RISING;
	return 0;
}

/* How it ended before is not said of it now. */
static int
forget_exit(struct start *s, struct error *e)
{
	char	*path;
	int	 r;

	if (asprintf(&path, "%s/exit.json", s->dir) == -1)
		fatal_memory();
	r = unlink(path) == 0 || errno == ENOENT ? 0 :
	    error_errno(e, EX_CANTCREAT, "%s", path);
	free(path);
	return r;
}

/* What it has is there: no more than its terminal is made. */
static int
launch_again(struct start *s, struct error *e)
{
	const struct config	*c = &s->manager->role->config;

	if ((!s->recipe.as_it_was && make_plan(s, e) == -1) ||
	    forget_exit(s, e) == -1 || term_make(c, s->note.name, e) == -1)
		return -1;
	s->phase = PHASE_RISING;
	return 0;
}

static int
await_provisioning(struct start *s, struct error *e)
{
	int	r = oneshot_poll(&s->oneshot, e);

	if (r == -1)
		return error_wrap(e, "provisioning %s", s->note.name);
	return r == 0 ? 0 : launch(s, e);
}

/* A child that ended without a word of its terminal was up, too, but where
 * it could not even be run. */
static int
await_rise(struct start *s, struct error *e)
{
	struct note	n = { .exit_code = -1 };

	if (!note_exit(&n, s->dir))
		return 0;
	if (n.exit_code == 126 || n.exit_code == 127)
		return error_set(e, EX_UNAVAILABLE, "%s ended at once, with "
		    "code %lld: its program cannot be run",
		    s->note.name, (long long)n.exit_code);
	s->phase = PHASE_UP;
	return 0;
}

void
start_up(struct manager *m, const char *id, bool up)
{
	struct start	*s;

	TAILQ_FOREACH(s, &m->starts, entry)
		if (up && s->phase == PHASE_RISING &&
		    strcmp(s->note.id, id) == 0)
			s->phase = PHASE_UP;
}

/* --- the end of it ------------------------------------------------------------------ */

static bool
set_if(cJSON *o, const char *name, const char *value)
{
	return value == NULL || json_set_str(o, name, value);
}

static cJSON *
answer_json(const struct note *n)
{
	cJSON	*o = cJSON_CreateObject();

	if (o == NULL || !json_set_str(o, "name", n->name) ||
	    !set_if(o, "role", n->role) || !set_if(o, "agent", n->agent) ||
	    !json_set_str(o, "id", n->id) || !json_set_str(o, "mode", "pty"))
		fatal_memory();
	if (n->run_id != NULL && (!set_if(o, "requested", n->requested) ||
	    !json_set_str(o, "runId", n->run_id) ||
	    !set_if(o, "hash", n->hash) ||
	    !json_set_bool(o, "newlyStarted", true)))
		fatal_memory();
	return o;
}

/* Its note is the old one until the new one is written. */
static int
finish(struct start *s, struct error *e)
{
	struct manager	*m = s->manager;
	struct note	 was = s->note;
	cJSON		*answer;

	s->note.state = NOTE_LIVE;
	s->note.started_ms = clock_epoch_ms();
	s->note.ended_ms = s->note.cools_ms = s->note.exit_signal = 0;
	s->note.exit_code = -1;
	if (note_save(&s->note, s->dir, e) == -1) {
		s->note = was;
		return -1;
	}
	slot_live(s->slot, s->note.started_ms);
	log_info("started", "name=%s id=%s agent=%s", s->note.name,
	    s->note.id, log_str(s->note.agent));
	fleet_mark(m, &s->note, false);
	fleet_note(m, &s->note, "start", s->again ? "again" : "new");
	answer = answer_json(&s->note);
	fleet_add(m, &s->note, s->slot);
	manager_answer(m, s->ask, answer, NULL);
	s->ask = NULL;
	return 0;
}

/* --- stepping ----------------------------------------------------------------------- */

/* runsvdir looks for new services every 5 s: it will be there by and by. */
static bool
rises_later(const struct start *s)
{
	const struct config	*c = &s->manager->role->config;
	struct service_status	 st;

	return s->phase == PHASE_RISING && reeved_pid(c) == 0 &&
	    service_status(c, "manager", &st, NULL) == 0 && st.supervised;
}

static int
step(struct start *s, unsigned *busy, struct error *e)
{
	static const char *const	doing[] = { "it waits for its turn",
	    "the signer is waited for", "its durables are being made",
	    "its terminal does not say that it runs; does the supervisor?" };

	if (s->phase < PHASE_FAILED && s->ask != NULL &&
	    clock_ms() >= s->ask->deadline_ms && rises_later(s))
		s->phase = PHASE_UP;
	else if (s->phase < PHASE_FAILED && s->ask != NULL &&
	    clock_ms() >= s->ask->deadline_ms)
		return error_set(e, EX_TEMPFAIL, "%s could not be started in "
		    "time: %s", s->note.name, doing[s->phase]);
	switch (s->phase) {
	case PHASE_WAITING:
		if (*busy >= AT_ONCE_MAX)
			return 0;
		(*busy)++;
		if (s->again)
			return launch_again(s, e);
		s->phase = PHASE_MINTING;
		return begin_minting(s, e);
	case PHASE_MINTING:
		(*busy)++;
		return await_minting(s, e);
	case PHASE_PROVISIONING:
		(*busy)++;
		return await_provisioning(s, e);
	case PHASE_RISING:
		return await_rise(s, e);
	case PHASE_FAILED:
	case PHASE_UP:
		break;
	}
	return 0;
}

void
start_tend(struct manager *m)
{
	struct start	*s, *next;
	struct error	 e;
	unsigned	 busy = 0;

	for (s = TAILQ_FIRST(&m->starts); s != NULL; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (step(s, &busy, &e) == -1 ||
		    (s->phase == PHASE_UP && finish(s, &e) == -1))
			fail(s, &e);
		if (s->phase == PHASE_FAILED)
			take_back(s);
		else if (s->phase != PHASE_UP)
			continue;
		TAILQ_REMOVE(&m->starts, s, entry);
		free_start(s);
	}
}

bool
start_any(const struct manager *m)
{
	return !TAILQ_EMPTY(&m->starts);
}

void
start_cancel_of(struct manager *m, const char *spawner)
{
	struct start	*s;
	struct error	 e;

	error_set(&e, EX_NOPERM, "who asked for it has ended");
	/* One that failed at once has no note yet. */
	TAILQ_FOREACH(s, &m->starts, entry)
		if (s->note.spawner != NULL &&
		    strcmp(s->note.spawner, spawner) == 0)
			fail(s, &e);
}

void
start_unbind(struct manager *m)
{
	struct start	*s;
	struct error	 e;

	error_set(&e, EX_TEMPFAIL, "the connection was lost");
	while ((s = TAILQ_FIRST(&m->starts)) != NULL) {
		fail(s, &e);
		take_back(s);
		TAILQ_REMOVE(&m->starts, s, entry);
		free_start(s);
	}
}

char *
own_copy(const char *s)
{
	char	*p = s == NULL ? NULL : strdup(s);

	if (s != NULL && p == NULL)
		fatal_memory();
	return p;
}

/* --- the beginning -------------------------------------------------------------------- */

static void
fill_note(struct start *s, const char *caller)
{
	const struct recipe	*rc = &s->recipe;
	struct note		*n = &s->note;

	n->name = own_copy(s->slot->name);
	n->id = own_copy(s->agent.creds.key.public);
	n->state = NOTE_STARTING;
	n->ref = own_copy(rc->ref);
	n->role = own_copy(rc->role);
	n->agent = own_copy(rc->connector->name);
	n->spawner = own_copy(caller);
	n->run_id = own_copy(rc->run_id);
	n->requested = own_copy(rc->resolved == NULL ? NULL : rc->resolved->name);
	n->hash = own_copy(rc->resolved == NULL ? NULL : rc->resolved->hash);
	n->policy = own_copy(launch_policy_name(rc->policy));
	n->spawn = strlist_has(&rc->capabilities, "spawn");
	n->exit_code = -1;
}

/* One that ended and had this name is forgotten. */
static int
make_room(struct manager *m, const char *name, struct error *e)
{
	struct agent	*a = fleet_find(m, name);

	return a == NULL ? 0 : fleet_forget(m, a, NULL, e);
}

/* Its transcript is a channel of its own, by the name that it has. */
static int
allow_transcript(struct start *s, struct error *e)
{
	char	channel[SLOT_NAME_MAX + 8];

	if (!s->recipe.transcript)
		return 0;
	if (channel_transcript(channel, sizeof(channel), s->slot->name) ==
	    -1)
		return error_set(e, EX_USAGE, "%s is too long a name",
		    s->slot->name);
	return strlist_has(&s->recipe.allow_publish, channel) ||
	    strlist_add(&s->recipe.allow_publish, channel) ? 0 :
	    error_errno(e, EX_OSERR, "transcript");
}

static int
make_keys(struct start *s, struct error *e)
{
	s->agent.start = s->pty.start = s->provisioner.start = s;
	if (nkey_new(&s->agent.creds.key, NKEY_USER, e) == -1 ||
	    nkey_new(&s->pty.creds.key, NKEY_USER, e) == -1)
		return -1;
	return nkey_new(&s->provisioner.creds.key, NKEY_USER, e);
}

/* A launch's persona: noted before it is there, and never another's. */
static int
materialize(struct start *s, struct error *e)
{
	struct recipe	*rc = &s->recipe;
	const char	*root = s->manager->role->config.workspace;
	int		 there;

	if (rc->resolved == NULL)
		return note_save(&s->note, s->dir, e);
	if (asprintf(&s->note.persona, ".cotal/run/%s/agents/%s.md",
	    rc->run_id, rc->resolved->name) == -1)
		fatal_memory();
	if ((there = safe_exists(root, s->note.persona, e)) != 0) {
		free(s->note.persona);
		s->note.persona = NULL;
		return there == -1 ? -1 : error_set(e, EX_CANTCREAT,
		    "\"%s\" of run %s was launched already",
		    rc->resolved->name, rc->run_id);
	}
	if (note_save(&s->note, s->dir, e) == -1)
		return -1;
	rc->path = launch_persona_write(root, rc->run_id, rc->resolved, e);
	return rc->path == NULL ? -1 : 0;
}

/* What is made on this host before anybody is asked. */
static int
prepare(struct start *s, const char *caller, struct error *e)
{
	struct manager	*m = s->manager;

	if (make_keys(s, e) == -1 || allow_transcript(s, e) == -1 ||
	    make_room(m, s->slot->name, e) == -1)
		return -1;
	fill_note(s, caller);
	if ((s->dir = note_dir(&m->role->config, s->note.name)) == NULL)
		return error_errno(e, EX_OSERR, "agents");
	return materialize(s, e);
}

/* Whoever started it first has it still, if he is there: else he who does so
 * now, or it would be an orphan, and killed. */
static void
take_note(struct start *s, const char *caller)
{
	struct manager		*m = s->manager;
	const struct agent	*a;

	fleet_lift(m, s->recipe.again, &s->note);
	s->recipe.again = NULL;
	s->again = true;
	a = s->note.spawner == NULL ? NULL :
	    fleet_by_id(m, s->note.spawner);
	if (a == NULL || a->slot == NULL || a->closing) {
		free(s->note.spawner);
		s->note.spawner = own_copy(caller);
	}
	free(s->note.policy);
	s->note.policy = own_copy(launch_policy_name(s->recipe.policy));
	s->dir = note_dir(&m->role->config, s->note.name);
	if (s->dir == NULL)
		fatal_memory();
}

/* Under its own name, and no other. */
static int
has_its_name(struct start *s, struct error *e)
{
	if (s->recipe.again == NULL ||
	    strcmp(s->slot->name, s->recipe.name) == 0)
		return 0;
	slot_end(s->slot, SLOT_FAILED, clock_epoch_ms());
	return error_set(e, EX_TEMPFAIL, "another agent is called \"%s\" "
	    "now", s->recipe.name);
}

int
start_begin(struct manager *m, struct recipe *rc, struct request *rq,
    struct error *e)
{
	struct start	*s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal_memory();
	s->manager = m;
	s->recipe = *rc;
	memset(rc, 0, sizeof(*rc));
	s->oneshot.out_fd = -1;
	s->slot = slots_reserve(&m->slots, s->recipe.name, clock_epoch_ms(),
	    fleet_taken, m, e);
	if (s->slot == NULL || has_its_name(s, e) == -1) {
		free_start(s);
		return -1;
	}
	TAILQ_INSERT_TAIL(&m->starts, s, entry);
	s->ask = rq->ask;
	rq->ask = NULL;
	if (s->recipe.again != NULL)
		take_note(s, rq->caller);
	else if (prepare(s, rq->caller, &s->error) == -1)
		s->phase = PHASE_FAILED;
	return 1;
}
