/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "gauge.h"
#include "jetstream.h"
#include "measure.h"
#include "message.h"

#define ROUNDS		200
#define WARM_UP		20
#define IDLE_MS		10	/* so that the mesh is idle, not just done */
#define LATE_MS		5000
#define EAR		"ear"		/* our consumer of DLV */

struct ear {
	unsigned	seen;
};

static void
on_copy(void *arg, natsMsg *m)
{
	struct ear	*ear = arg;

	ear->seen++;
	natsMsg_Destroy(m);
}

static void
stay_idle(struct bus *b)
{
	int64_t	until_us = clock_us() + IDLE_MS * 1000;

	while (bus_alive(b) && clock_us() < until_us)
		bus_turn(b, NULL, 0, IDLE_MS);
}

/* One message, until all members' copies were heard. */
static int
one_round(struct stage *s, const struct bus_pub *p, struct ear *ear,
    unsigned members, double *ms, struct error *e)
{
	int64_t	start_us;

	stay_idle(s->bus);
	ear->seen = 0;
	start_us = clock_us();
	if (bus_publish(s->bus, p, e) == -1)
		return -1;
	while (ear->seen < members) {
		if (!bus_alive(s->bus) ||
		    clock_us() - start_us > LATE_MS * 1000)
			return error_set(e, EX_TEMPFAIL, "%u of %u copies "
			    "after %d ms", ear->seen, members, LATE_MS);
		bus_turn(s->bus, NULL, 0, LATE_MS);
	}
	*ms = (double)(clock_us() - start_us) / 1000;
	return stage_await_idle(s, e);
}

static int
all_rounds(struct stage *s, const struct crowd *c, struct ear *ear,
    unsigned members, double *ms, struct error *e)
{
	char		 subject[SUBJECT_MAX], channel[32], id[40], *body;
	struct bus_pub	 p = { .subject = subject, .msg_id = id };
	double		 warming;
	unsigned	 i;
	int		 r = 0;

	crowd_channel(channel, sizeof(channel), members);
	subject_chat(subject, sizeof(subject), s->config.space, c->sender[0],
	    channel);
	for (i = 0; r == 0 && i < WARM_UP + ROUNDS; i++) {
		body = crowd_message(c, s, members, 0, id);
		if (body == NULL)
			return error_errno(e, EX_OSERR, "message");
		p.data = body;
		p.len = strlen(body);
		r = one_round(s, &p, ear, members, i < WARM_UP ? &warming :
		    &ms[i - WARM_UP], e);
		free(body);
	}
	return r;
}

/*
 * DLV hands on what it has stored, as it does to an agent.  A plain
 * subscription of dlv.> hears a copy when the broker has read it, which is
 * before it is stored.
 */
static struct bus_sub *
listen_stored(struct stage *s, const char *dlv, struct ear *ear,
    struct error *e)
{
	char		 inbox[SUBJECT_MAX];
	struct bus_sub	*sub;
	cJSON		*config = cJSON_CreateObject();

	if (config == NULL || bus_inbox(s->bus, inbox, sizeof(inbox), "e") ==
	    -1) {
		error_errno(e, EX_OSERR, "listen");
		cJSON_Delete(config);
		return NULL;
	}
	cJSON_AddStringToObject(config, "name", EAR);
	cJSON_AddStringToObject(config, "deliver_subject", inbox);
	cJSON_AddStringToObject(config, "deliver_policy", "new");
	cJSON_AddStringToObject(config, "ack_policy", "none");
	cJSON_AddStringToObject(config, "replay_policy", "instant");
	cJSON_AddBoolToObject(config, "mem_storage", true);
	sub = bus_subscribe(s->bus, inbox, NULL, on_copy, ear, e);
	if (sub != NULL && js_consumer_create(s->bus, dlv, EAR, config, NULL,
	    e) == -1) {
		bus_unsubscribe(s->bus, sub);
		sub = NULL;
	}
	cJSON_Delete(config);
	return sub;
}

int
measure_latency(struct stage *s, const struct crowd *c, unsigned members,
    struct latency_result *result, struct error *e)
{
	double		 ms[ROUNDS];
	struct ear	 ear = { 0 };
	struct bus_sub	*sub;
	char		 dlv[STREAM_MAX];
	int		 r;

	name_stream(dlv, sizeof(dlv), s->config.space, STREAM_DLV);
	if ((sub = listen_stored(s, dlv, &ear, e)) == NULL)
		return -1;
	r = all_rounds(s, c, &ear, members, ms, e);
	bus_unsubscribe(s->bus, sub);
	if (r == -1)
		return -1;
	result->p50_ms = quantile(ms, ROUNDS, 0.5);
	result->p99_ms = quantile(ms, ROUNDS, 0.99);
	return js_consumer_delete(s->bus, dlv, EAR, e);
}
