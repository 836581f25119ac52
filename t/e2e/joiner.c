/* SPDX-License-Identifier: ISC */

/* An agent that joins, leaves and joins again. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "json.h"
#include "joiner.h"

#define ASK_MS		1000

/* What the record says of the interval that was just opened or closed. */
static uint64_t
cursor(struct joiner *j, const char *name)
{
	struct space	*s = j->li->agent->space;
	char		 key[256];
	cJSON		*o;
	uint64_t	 v;

	snprintf(key, sizeof(key), "%s/%s", j->channel, j->li->agent->id);
	o = record_get(s, BUCKET_MEMBERS, key, NULL);
	ck_assert_msg(cJSON_IsNumber(json_get(o, name)), "no %s", name);
	v = (uint64_t)json_get(o, name)->valuedouble;
	cJSON_Delete(o);
	return v;
}

static void
joined(struct joiner *j, const cJSON *data)
{
	const cJSON	*reason = json_get(data, "reason");

	/* Nothing is evicted at this pace, nor does another one join. */
	ck_assert_msg(cJSON_IsTrue(json_get(data, "durable")), "join: %s",
	    cJSON_IsString(reason) ? reason->valuestring : "?");
	j->generation = (uint64_t)json_get(data, "generation")->valuedouble;
	ck_assert(j->n < SPANS);
	j->spans[j->n].after = cursor(j, "joinCursor");
	j->spans[j->n].upto = UINT64_MAX;
	j->stage = STAGE_IN;
}

/* What is said between control's look at CHAT and its commit of the record
 * may have been delivered by then. */
static void
left(struct joiner *j)
{
	j->spans[j->n].upto = cursor(j, "leaveCursor");
	j->spans[j->n++].slack = stream_last_seq(j->li->agent->space,
	    STREAM_CHAT);
	j->stage = STAGE_OUT;
}

static cJSON	*heard;		/* the reply, for the next turn */

static void
on_reply(void *arg, natsMsg *m)
{
	(void)arg;
	if (heard == NULL && natsMsg_GetDataLength(m) > 0)
		heard = json_parse(natsMsg_GetData(m),
		    (size_t)natsMsg_GetDataLength(m), NULL);
	natsMsg_Destroy(m);
}

static void
ask(struct joiner *j)
{
	struct agent	*a = j->li->agent;
	char		 subject[SUBJECT_MAX], lane[SUBJECT_MAX + 64];
	char		 body[1024], generation[64] = "";
	struct bus_pub	 p = { .subject = subject, .reply = lane,
			    .data = body };
	struct error	 e;

	if (a->bus == NULL || !bus_alive(a->bus))
		return;
	if (j->stage == STAGE_LEAVE)
		snprintf(generation, sizeof(generation), ",\"generation\":"
		    "%llu", (unsigned long long)j->generation);
	subject_ctl(subject, sizeof(subject), a->space->config.space,
	    "delivery", a->id);
	snprintf(lane, sizeof(lane), "%s.reply.j%u", subject, ++a->nonce);
	snprintf(body, sizeof(body), "{\"op\":\"%s\",\"args\":{\"channel\":"
	    "\"%s\"%s},\"from\":{\"id\":\"%s\",\"name\":\"%s\"}}",
	    j->stage == STAGE_JOIN ? "durableJoin" : "durableLeave",
	    j->channel, generation, a->id, a->name);
	p.len = strlen(body);
	j->lane = bus_subscribe(a->bus, lane, NULL, on_reply, j, &e);
	ck_assert_msg(j->lane != NULL, "%s", e.text);
	OK(bus_publish(a->bus, &p, &e), e);
	j->until_ms = clock_ms() + ASK_MS;
}

static void
answered(struct joiner *j)
{
	bus_unsubscribe(j->li->agent->bus, j->lane);
	j->lane = NULL;
	j->until_ms = clock_ms() + 50 + rand() % 900;
	if (heard == NULL || !cJSON_IsTrue(json_get(heard, "ok"))) {
		j->retries++;
		j->until_ms = clock_ms() + 20;
	} else if (j->stage == STAGE_JOIN)
		joined(j, json_get(heard, "data"));
	else
		left(j);
	cJSON_Delete(heard);
	heard = NULL;
}

void
joiner_turn(struct joiner *j)
{
	if (j->lane != NULL) {
		if (heard != NULL || clock_ms() >= j->until_ms)
			answered(j);
		return;
	}
	if (clock_ms() < j->until_ms)
		return;
	if (j->stage == STAGE_IN)
		j->stage = STAGE_LEAVE;
	else if (j->stage == STAGE_OUT) {
		if (j->stay)
			return;
		j->stage = STAGE_JOIN;
	}
	ask(j);
}
