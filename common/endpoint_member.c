/* SPDX-License-Identifier: ISC */

/* An agent's durable memberships, and their health (wire section 7). */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "endpoint_join_impl.h"
#include "json.h"

#define BACKOFF_MS	1000
#define BACKOFF_MAX_MS	30000

static bool
is_durable_class(const struct channel *ch)
{
	const struct channels	*registry = endpoint_registry(ch->part->ep);

	return channel_is_concrete(ch->name) && (registry == NULL ||
	    channels_class(registry, ch->name) == CLASS_DURABLE);
}

bool
wants_member(const struct channel *ch)
{
	return endpoint_wants(ch->part->ep, ENDPOINT_MEMBER) &&
	    is_durable_class(ch);
}

bool
may_be_member(const struct channel *ch)
{
	return ch->member || ch->unclosed || wants_member(ch);
}

static void
retry_later(struct channel *ch)
{
	ch->due_ms = clock_ms() + ch->backoff_ms;
	ch->backoff_ms *= 2;
	if (ch->backoff_ms > BACKOFF_MAX_MS)
		ch->backoff_ms = BACKOFF_MAX_MS;
}

void
retry_now(struct channel *ch)
{
	ch->due_ms = 0;
	ch->backoff_ms = BACKOFF_MS;
}

/* --- joining ---------------------------------------------------------------- */

static cJSON *
channel_args(const struct channel *ch, uint64_t generation)
{
	cJSON	*args = cJSON_CreateObject();

	if (args != NULL && json_set_str(args, "channel", ch->name) &&
	    (generation == 0 || json_set_u64(args, "generation", generation)))
		return args;
	cJSON_Delete(args);
	return NULL;
}

static int
call(struct channel *ch, enum phase phase, const char *op, cJSON *args,
    int64_t timeout_ms, endpoint_answer_fn *fn, struct error *e)
{
	struct step	*s;

	ch->phase = phase;
	if ((s = step_new(ch->part, ch)) == NULL) {
		cJSON_Delete(args);
		return error_errno(e, EX_OSERR, "%s", op);
	}
	if (endpoint_call(ch->part->ep, "delivery", op, args, timeout_ms, fn,
	    s, e) == 0)
		return 0;
	step_free(s);
	return -1;
}

static void
is_member(struct channel *ch, const cJSON *data)
{
	const cJSON	*n = json_get(data, "generation");

	ch->generation = cJSON_IsNumber(n) && n->valuedouble > 0 ?
	    (uint64_t)n->valuedouble : 0;
	ch->member = true;
	ch->unclosed = ch->joining = ch->warned = false;
	if (ch->op == NULL)
		endpoint_note(ch->part->ep, "joined %s (durable, generation "
		    "%llu)", ch->name, (unsigned long long)ch->generation);
}

void
is_live_only(struct channel *ch, const char *why, bool unknown)
{
	if (ch->op != NULL) {
		snprintf(ch->op->joined.reason,
		    sizeof(ch->op->joined.reason), "%s", why);
		/* It may have been done: it is asked for until it is known. */
		ch->joining = unknown;
		retry_now(ch);
	} else if (!ch->warned) {
		ch->warned = true;
		endpoint_note(ch->part->ep, "%s: joined live, not durably: %s",
		    ch->name, why);
	}
	retry_later(ch);
}

static void
on_member(void *arg, const cJSON *data, const struct error *e)
{
	struct channel	*ch = step_end(arg);
	const cJSON	*reason = json_get(data, "reason");

	if (ch == NULL)
		return;
	if (cJSON_IsTrue(json_get(data, "durable"))) {
		is_member(ch, data);
		if (ch->op != NULL)
			ch->op->joined.durable = true;
	} else if (data == NULL)
		is_live_only(ch, e->text, e->code == EX_TEMPFAIL);
	else
		is_live_only(ch, cJSON_IsString(reason) ? reason->valuestring :
		    "no reason was given", false);
	op_end(ch, NULL);
}

void
join_durably(struct channel *ch)
{
	struct error	e;

	if (ch->op == NULL)
		ch->part->n_calls++;
	if (call(ch, PHASE_DURABLE, "durableJoin", channel_args(ch, 0),
	    ENDPOINT_JOIN_MS, on_member, &e) == -1) {
		is_live_only(ch, e.text, true);
		op_end(ch, NULL);
	}
}

/* --- leaving --------------------------------------------------------------------------- */

/* There is no membership any more. */
static void
is_closed(struct channel *ch)
{
	ch->member = ch->unclosed = ch->joining = ch->warned = false;
	ch->generation = 0;
	if (ch->op != NULL) {
		channel_unsubscribe(ch);
		ch->joined = ch->boot = false;
	}
	op_end(ch, NULL);
}

void
is_open(struct channel *ch, const struct error *e)
{
	if (e->code == EX_DATAERR)
		ch->generation = 0;	/* there is another: look */
	if (ch->op == NULL)
		retry_later(ch);
	else if (ch->phase == PHASE_TOMBSTONE && e->code == EX_TEMPFAIL &&
	    ch->joined) {
		/* Or not: it is to be one again. */
		ch->joining = wants_member(ch);
		retry_later(ch);
	}
	op_end(ch, e);
}

static void
on_tombstone(void *arg, const cJSON *data, const struct error *e)
{
	struct channel	*ch = step_end(arg);

	if (ch == NULL)
		return;
	if (data != NULL)
		is_closed(ch);
	else
		is_open(ch, e);
}

static void
tombstone(struct channel *ch)
{
	struct error	e;

	if (call(ch, PHASE_TOMBSTONE, "durableLeave", channel_args(ch,
	    ch->generation), ENDPOINT_CALL_MS, on_tombstone, &e) == -1)
		is_open(ch, &e);
}

static uint64_t
generation_in(const cJSON *data, const char *channel)
{
	const cJSON	*m, *name, *n;

	cJSON_ArrayForEach(m, json_get(data, "memberships")) {
		name = json_get(m, "channel");
		n = json_get(m, "generation");
		if (cJSON_IsString(name) && cJSON_IsNumber(n) &&
		    strcmp(name->valuestring, channel) == 0)
			return (uint64_t)n->valuedouble;
	}
	return 0;
}

static void
on_list(void *arg, const cJSON *data, const struct error *e)
{
	struct channel	*ch = step_end(arg);

	if (ch == NULL)
		return;
	/* Without a responder there is nothing durable, unless we know. */
	if (data == NULL && (e->code != EX_UNAVAILABLE || ch->member))
		is_open(ch, e);
	else if (data == NULL ||
	    (ch->generation = generation_in(data, ch->name)) == 0)
		is_closed(ch);
	else
		tombstone(ch);
}

void
close_membership(struct channel *ch)
{
	struct error	e;

	if (ch->generation != 0)
		tombstone(ch);
	else if (call(ch, PHASE_LIST, "listMemberships", NULL,
	    ENDPOINT_CALL_MS, on_list, &e) == -1)
		is_open(ch, &e);
}

void
leave_begin(struct channel *ch)
{
	if (may_be_member(ch))
		close_membership(ch);
	else
		is_closed(ch);
}

/* --- health ----------------------------------------------------------------------- */

enum health
endpoint_health(const struct endpoint *ep, const char *channel,
    const struct endpoint_survey *survey)
{
	const struct channel	*ch = channel_find(ep->joins, channel);

	if (ch == NULL || !ch->joined || !is_durable_class(ch))
		return HEALTH_NONE;
	if (survey == NULL || !survey->lease_known)
		return HEALTH_UNKNOWN;
	return survey->lease_ready && ch->member ? HEALTH_ACTIVE :
	    HEALTH_DEGRADED;
}
