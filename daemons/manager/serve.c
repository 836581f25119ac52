/* SPDX-License-Identifier: ISC */

/* Requests on ctl.self, ctl.manager and ctl.admin, and their answers (wire
 * section 6). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ctl.h"
#include "json.h"
#include "log.h"

#include "manager.h"

#define QUEUE_MAX	1024		/* requests; the rest time out */
#define REQUEST_MAX	(256 * 1024)	/* bytes: a persona is among them */

struct queued {
	STAILQ_ENTRY(queued)	 entry;
	natsMsg			*msg;
	int64_t			 came_ms;
};

static const struct op *const ops[] = { &op_start, &op_launch, &op_stop,
	&op_attach, &op_persona, &op_purge, &op_ps, &op_status, &op_forget };
#define N_OPS	(sizeof(ops) / sizeof(ops[0]))

static const struct {
	const char	*service;
	enum tier	 tier;
} tiers[] = { { "self", TIER_SELF }, { "manager", TIER_MANAGER },
	{ "admin", TIER_ADMIN } };
#define N_TIERS	(sizeof(tiers) / sizeof(tiers[0]))

/* --- answers ------------------------------------------------------------------- */

void
manager_answer(struct manager *m, struct ask *ask, cJSON *data,
    const struct error *e)
{
	if (ask == NULL) {
		cJSON_Delete(data);
		return;
	}
	if (data == NULL) {
		m->refused++;
		log_info("refused", "reply=%s error=%s", log_str(ask->reply),
		    log_str(e->text));
	}
	m->served++;
	if (m->role->bus == NULL)
		cJSON_Delete(data);
	else
		ctl_answer(m->role->bus, ask->reply, data, data != NULL ?
		    NULL : e->text, data != NULL ? 0 : e->code);
	free(ask);
}

/* --- requests ------------------------------------------------------------------- */

static int
find_tier(const struct subject *s, enum tier *tier, struct error *e)
{
	size_t	i;

	for (i = 0; i < N_TIERS; i++)
		if (strlen(tiers[i].service) == s->rest_len &&
		    strncmp(tiers[i].service, s->rest, s->rest_len) == 0) {
			*tier = tiers[i].tier;
			return 0;
		}
	return error_set(e, EX_SOFTWARE, "there is no such control service");
}

/* The op of this name on this tier, before anything acts. */
static const struct op *
find_op(const char *name, enum tier tier, const char *service, size_t len,
    struct error *e)
{
	size_t	i;

	for (i = 0; i < N_OPS; i++)
		if (strcmp(ops[i]->name, name) == 0)
			break;
	if (i == N_OPS)
		error_set(e, EX_DATAERR, "op \"%s\" is not known", name);
	else if (!(ops[i]->tiers & tier))
		error_set(e, EX_NOPERM, "op \"%s\" is not served on "
		    "ctl.%.*s", name, (int)len, service);
	else
		return ops[i];
	return NULL;
}

/* 0: *data is the answer; -1: *e is; 1: it is answered later. */
static int
run_op(struct manager *m, const struct ctl_request *asked, struct ask **ask,
    cJSON **data, struct error *e)
{
	const struct subject	*s = &asked->subject;
	struct request		 rq = { .caller = asked->caller,
				    .args = asked->args, .ask = *ask };
	const struct op		*op;
	cJSON			*none = NULL;
	int			 r;

	if (find_tier(s, &rq.tier, e) == -1 || (op = find_op(asked->op,
	    rq.tier, s->rest, s->rest_len, e)) == NULL)
		return -1;
	if (rq.args == NULL && (rq.args = none = cJSON_CreateObject()) == NULL)
		fatal_memory();
	log_info("request", "op=%s service=%.*s caller=%s", op->name,
	    (int)s->rest_len, s->rest, rq.caller);
	r = op->run(m, &rq, data, e);
	*ask = rq.ask;
	cJSON_Delete(none);
	return r;
}

static void
drop_unbound(struct manager *m, natsMsg *msg)
{
	m->unbound++;
	log_warn("request without a reply lane of its own",
	    "subject=%s reply=%s", log_str(natsMsg_GetSubject(msg)),
	    log_str(natsMsg_GetReply(msg)));
}

static void
serve(struct manager *m, natsMsg *msg, int64_t came_ms)
{
	struct ctl_request	 rq;
	struct error		 e = { .code = 0 };
	struct ask		*ask;
	cJSON			*data = NULL;
	int			 r = -1;

	if (!ctl_is_bound(msg)) {
		drop_unbound(m, msg);
		return;
	}
	if ((ask = calloc(1, sizeof(*ask))) == NULL)
		fatal_memory();
	snprintf(ask->reply, sizeof(ask->reply), "%s",
	    natsMsg_GetReply(msg));
	ask->deadline_ms = came_ms + ANSWER_MS;
	if (ctl_read(&rq, msg, &e) == 0)
		r = run_op(m, &rq, &ask, &data, &e);
	ctl_free(&rq);
	if (r == 1)
		return;
	if (r == -1) {
		cJSON_Delete(data);
		data = NULL;
	} else if (data == NULL && (data = cJSON_CreateObject()) == NULL)
		fatal_memory();
	manager_answer(m, ask, data, &e);
}

static void
refuse_large(struct manager *m, natsMsg *msg)
{
	struct error	e;

	m->overflow++;
	error_set(&e, EX_DATAERR, "the request has %d bytes; at most %d are "
	    "read", natsMsg_GetDataLength(msg), REQUEST_MAX);
	if (ctl_is_bound(msg))
		ctl_answer(m->role->bus, natsMsg_GetReply(msg), NULL, e.text,
		    e.code);
}

static void
on_request(void *arg, natsMsg *msg)
{
	struct manager	*m = arg;
	struct queued	*q;

	if (natsMsg_GetDataLength(msg) > REQUEST_MAX) {
		refuse_large(m, msg);
		bus_msg_free(msg);
		return;
	}
	if (m->n_queued >= QUEUE_MAX || (q = calloc(1, sizeof(*q))) == NULL) {
		m->overflow++;
		bus_msg_free(msg);
		return;
	}
	q->msg = msg;
	q->came_ms = clock_ms();
	STAILQ_INSERT_TAIL(&m->queue, q, entry);
	m->n_queued++;
}

static struct queued *
take(struct manager *m)
{
	struct queued	*q = STAILQ_FIRST(&m->queue);

	if (q != NULL) {
		STAILQ_REMOVE_HEAD(&m->queue, entry);
		m->n_queued--;
	}
	return q;
}

void
serve_all(struct manager *m)
{
	struct queued	*q;

	while (hold_is_valid(&m->hold) && (q = take(m)) != NULL) {
		/* Nobody waits for its answer any more. */
		if (clock_ms() - q->came_ms < ANSWER_MS)
			serve(m, q->msg, q->came_ms);
		bus_msg_free(q->msg);
		free(q);
	}
}

int
serve_bind(struct manager *m, struct error *e)
{
	char	subject[SUBJECT_MAX];
	size_t	i;

	for (i = 0; i < N_TIERS; i++) {
		subject_ctl(subject, sizeof(subject), m->role->config.space,
		    tiers[i].service, "*");
		m->subs[i] = bus_subscribe(m->role->bus, subject, "manager",
		    on_request, m, e);
		if (m->subs[i] == NULL)
			return -1;
	}
	return 0;
}

void
serve_unbind(struct manager *m)
{
	struct queued	*q;
	size_t		 i;

	for (i = 0; i < N_TIERS; i++) {
		if (m->subs[i] != NULL && bus_alive(m->role->bus))
			bus_unsubscribe(m->role->bus, m->subs[i]);
		m->subs[i] = NULL;
	}
	while ((q = take(m)) != NULL) {
		bus_msg_free(q->msg);
		free(q);
	}
}

/* --- arguments -------------------------------------------------------------------- */

int
arg_string(const cJSON *args, const char *name, const char **out,
    struct error *e)
{
	const cJSON	*v = json_get(args, name);

	*out = NULL;
	if (v == NULL || cJSON_IsNull(v))
		return 0;
	if (!cJSON_IsString(v))
		return error_set(e, EX_DATAERR, "args.%s: expected a string",
		    name);
	*out = v->valuestring;
	return 0;
}

int
args_refuse(const cJSON *args, const char *const *names, struct error *e)
{
	size_t	i;

	if (json_unique(args, "args", e) == -1)
		return -1;
	for (i = 0; names[i] != NULL; i++)
		if (json_get(args, names[i]) != NULL)
			return error_set(e, EX_NOPERM, "args.%s: not taken "
			    "here", names[i]);
	return 0;
}
