/* SPDX-License-Identifier: ISC */

/* purge: forget what was said.  The manager may not: reeve-purge does, with a
 * credential that is good for nothing else, and a minute. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "log.h"

#include "manager.h"
#include "provision.h"

struct purge {
	struct manager	*manager;
	struct ask	*ask;
	bool		 dms;
	bool		 failed;
	struct error	 error;
	struct creds	 creds;
	struct oneshot	 oneshot;
};

static void
free_purge(struct purge *p)
{
	minter_forget(&p->manager->minter, p);
	oneshot_end(&p->oneshot);
	creds_wipe(&p->creds);
	free(p->ask);
	p->manager->purge = NULL;
	free(p);
}

static void
fail(struct purge *p, const struct error *e)
{
	p->failed = true;
	p->error = *e;
}

static int
start_program(struct purge *p, struct error *e)
{
	char	 name[] = "reeve-purge", state[] = "--state", dms[] = "--dms";
	char	*argv[] = { name, state, p->manager->role->config.state,
		    p->dms ? dms : NULL, NULL };
	char	*text = creds_text(&p->creds);
	int	 r;

	if (text == NULL)
		return error_errno(e, EX_OSERR, "purger");
	r = oneshot_start(&p->oneshot, argv, text, e);
	creds_text_free(text);
	return r;
}

static void
on_mint(void *arg, const char *jwt, const struct error *e)
{
	struct purge	*p = arg;
	struct error	 why;

	if (jwt == NULL) {
		fail(p, e);
		return;
	}
	if ((p->creds.jwt = strdup(jwt)) == NULL)
		fatal_memory();
	if (start_program(p, &why) == -1)
		fail(p, &why);
}

static int
run(struct manager *m, struct request *rq, cJSON **data, struct error *e)
{
	struct mint_request	 q;
	struct purge		*p;

	(void)data;
	if (m->purge != NULL)
		return error_set(e, EX_TEMPFAIL, "a purge is under way "
		    "already");
	if ((p = calloc(1, sizeof(*p))) == NULL)
		fatal_memory();
	memset(&q, 0, sizeof(q));
	p->manager = m;
	p->oneshot.out_fd = -1;
	p->dms = cJSON_IsTrue(json_get(rq->args, "includeDms"));
	m->purge = p;
	if (nkey_new(&p->creds.key, NKEY_USER, e) == -1) {
		free_purge(p);
		return -1;
	}
	q.profile = "purger";
	q.public = p->creds.key.public;
	q.asker = rq->caller;
	q.ttl_s = PROVISION_TTL_S;
	if (minter_ask(&m->minter, &q, on_mint, p, e) == -1) {
		free_purge(p);
		return -1;
	}
	p->ask = rq->ask;
	rq->ask = NULL;
	return 1;
}

/* "CHAT [DM]": how many were purged. */
static cJSON *
answer_json(const struct purge *p)
{
	unsigned long long	 chat = 0, dm = 0;
	cJSON			*o = cJSON_CreateObject();

	(void)sscanf(p->oneshot.said, "%llu %llu", &chat, &dm);
	if (o == NULL || !json_set_u64(o, "chat", chat) ||
	    (p->dms && !json_set_u64(o, "dm", dm)))
		fatal_memory();
	return o;
}

static void
finish(struct purge *p)
{
	struct ask	*ask = p->ask;

	p->ask = NULL;
	if (p->failed)
		manager_answer(p->manager, ask, NULL, &p->error);
	else {
		log_info("purged", "dms=%s", p->dms ? "true" : "false");
		manager_answer(p->manager, ask, answer_json(p), NULL);
	}
	free_purge(p);
}

void
purge_tend(struct manager *m)
{
	struct purge	*p = m->purge;
	struct error	 e;
	int		 r = 0;

	if (p == NULL)
		return;
	if (!p->failed && clock_ms() >= p->ask->deadline_ms) {
		error_set(&e, EX_TEMPFAIL, "the purge took too long");
		fail(p, &e);
	}
	if (!p->failed && p->oneshot.pid != 0 &&
	    (r = oneshot_poll(&p->oneshot, &e)) == -1)
		fail(p, &e);
	if (p->failed || r == 1)
		finish(p);
}

void
purge_unbind(struct manager *m)
{
	if (m->purge != NULL)
		free_purge(m->purge);
}

bool
purge_any(const struct manager *m)
{
	return m->purge != NULL;
}

const struct op op_purge = {
	.name = "purge", .tiers = TIER_ADMIN, .run = run };
