/* SPDX-License-Identifier: ISC */

/*
 * reeve-manager: serves ctl.self, ctl.manager and ctl.admin, by which agents
 * are started, looked at and stopped (contract, agents "Manager").
 *
 * It forks no agent: each is a service of the supervisor's, so all of them go
 * on without it.  What it has to know of them is kept with them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "log.h"

#include "start.h"

#define TURN_MS		200
#define BUSY_TURN_MS	10		/* a one-shot is waited for */
#define SYNC_MS		5000

/* Its program runs, or did, and will again; how one ended that does not is in
 * the agent's files. */
static bool
has_run(const cJSON *state)
{
	const cJSON	*starts = json_get(state, "starts");

	return cJSON_IsTrue(json_get(state, "up")) ||
	    (cJSON_IsFalse(json_get(state, "over")) &&
	    cJSON_IsNumber(starts) && starts->valuedouble > 0);
}

/* reeve.<space>.pty.<id>.state: what has ended is in its files, so look now;
 * that it runs is said only here. */
static void
on_state(void *arg, natsMsg *msg)
{
	struct manager	*m = arg;
	const char	*subject = natsMsg_GetSubject(msg);
	size_t		 len = strlen(subject);
	char		 id[ID_MAX];
	cJSON		*o;

	m->looked_ms = 0;
	o = json_parse(natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg), NULL);
	if (o != NULL && len > sizeof(".state") + ID_LEN) {
		snprintf(id, sizeof(id), "%s", subject + len -
		    strlen(".state") - ID_LEN);
		start_up(m, id, has_run(o));
		fleet_state(m, id, o);
	}
	cJSON_Delete(o);
	bus_msg_free(msg);
}

/* What terminals say of themselves. */
static int
hear_terminals(struct manager *m, struct error *e)
{
	char	subject[SUBJECT_MAX];

	subject_pty(subject, sizeof(subject), m->role->config.space, "*",
	    "state", NULL);
	return bus_subscribe(m->role->bus, subject, NULL, on_state, m, e) ==
	    NULL ? -1 : 0;
}

/* Ready when the broker has all of it: who is told so may ask at once. */
static int
bind_session(struct manager *m, struct error *e)
{
	struct role	*r = m->role;

	if (hold_take(&m->hold, r, e) == -1 ||
	    minter_bind(&m->minter, r, e) == -1 ||
	    hear_terminals(m, e) == -1 ||
	    watch_bind(m->presence, r->bus, e) == -1 ||
	    serve_bind(m, e) == -1 ||
	    watch_wait(r->bus, &m->presence, 1, SYNC_MS, e) == -1)
		return -1;
	role_set_state(r, ROLE_BOUND, "lease held");
	return 0;
}

static int
loop(struct manager *m, struct error *e)
{
	int64_t	left;

	do {
		if (hold_tend(&m->hold, m->role, e) == -1 ||
		    watch_tend(m->presence, e) == -1)
			return -1;
		card_beat(m);
		minter_tend(&m->minter);
		serve_all(m);
		start_tend(m);
		gone_tend(m);
		purge_tend(m);
		fleet_tend(m);
		left = start_any(m) || gone_any(m) || purge_any(m) ?
		    BUSY_TURN_MS : TURN_MS;
		if (hold_left_ms(&m->hold) < left)
			left = hold_left_ms(&m->hold);
	} while (role_turn(m->role, left));
	return 0;
}

static int
session(struct role *r, struct error *e)
{
	struct manager	*m = r->own;
	int		 rv;

	m->beat_ms = 0;
	if ((rv = bind_session(m, e)) == 0)
		rv = loop(m, e);
	serve_unbind(m);
	start_unbind(m);
	minter_unbind(&m->minter);
	gone_unbind(m);
	purge_unbind(m);
	fleet_unbind(m);
	watch_unbind(m->presence);
	/* Kept over a lost link: our own record is taken up again. */
	if (r->stop && bus_alive(r->bus)) {
		if (m->beat_ms != 0)
			card_withdraw(m);
		hold_release(&m->hold, r);
	}
	return rv;
}

static int
start(struct role *r, struct error *e)
{
	static struct manager	m;

	if (r->config.workspace == NULL)
		return error_set(e, EX_CONFIG, "there is no workspace to find "
		    "agents in: `reeve init --workspace DIR` says which");
	m.role = r;
	r->own = &m;
	TAILQ_INIT(&m.starts);
	LIST_INIT(&m.gone);
	LIST_INIT(&m.minter.calls);
	STAILQ_INIT(&m.queue);
	hold_init(&m.hold, r);
	if ((m.roster = roster_new()) == NULL ||
	    (m.presence = watch_new(r->config.space, BUCKET_PRESENCE, ">",
	    &roster_ops, m.roster)) == NULL)
		return error_errno(e, EX_OSERR, "tables");
	return gone_load(&m, e) == -1 || fleet_load(&m, e) == -1 ? -1 : 0;
}

static void
health(struct role *r, cJSON *o)
{
	struct manager	*m = r->own;

	json_set_u64(o, "agents", slots_used(&m->slots, clock_epoch_ms()));
	json_set_u64(o, "served", m->served);
	json_set_u64(o, "refused", m->refused);
	json_set_u64(o, "unbound", m->unbound);
	json_set_u64(o, "overflow", m->overflow);
}

int
main(int argc, char **argv)
{
	static const struct role_def	def = { .name = "manager",
	    .scope = ROLE_OF_HOST, .start = start, .session = session,
	    .health = health };

	return role_main(argc, argv, &def);
}
