/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arrivals.h"
#include "clock.h"
#include "gauge.h"
#include "jetstream.h"

#define EAR		"ear"		/* the consumer that reads them */
#define LATE_MS		10000

/* A message's id begins with its number, so that a copy tells which it is. */
struct arrival {
	int64_t		at_us, last_us;	/* said; its last copy stored */
	unsigned	copies;
};

static int64_t
now_us(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
way_of_space(struct way *w, const struct stage *s)
{
	snprintf(w->chat, sizeof(w->chat), "cotal.%s.chat", s->config.space);
	name_stream(w->dlv, sizeof(w->dlv), s->config.space, STREAM_DLV);
	w->await_idle = stage_await_idle;
}

int
arrivals_begin(struct arrivals *a, struct stage *s, const struct way *way,
    const struct crowd *c, const struct load *l, unsigned n, struct error *e)
{
	struct js_stream	info;

	*a = (struct arrivals){ .crowd = c, .load = l, .way = way, .n = n,
		.first = n > COPIES_MAX ? n - COPIES_MAX : 0 };
	if (js_stream_info(s->bus, way->dlv, &info, e) == -1)
		return -1;
	a->from_seq = info.last_seq + 1;
	if ((a->v = calloc(n, sizeof(*a->v))) == NULL)
		return error_errno(e, EX_OSERR, "arrivals");
	return 0;
}

void
arrivals_free(struct arrivals *a)
{
	free(a->v);
}

int
arrivals_say(struct arrivals *a, struct stage *s, unsigned i,
    struct error *e)
{
	char		 subject[SUBJECT_MAX], channel[32], id[40], *body;
	struct bus_pub	 p = { .subject = subject, .msg_id = id };
	unsigned	 sender = i % CROWD_SENDERS;
	int		 r;

	crowd_channel(channel, sizeof(channel), a->load, 0);
	snprintf(subject, sizeof(subject), "%s.%s.%s", a->way->chat,
	    a->crowd->sender[sender], channel);
	snprintf(id, sizeof(id), "%08u-0000-4000-8000-%012llx", i,
	    (unsigned long long)clock_us() & 0xffffffffffffULL);
	body = crowd_message(a->crowd, s, a->load, 0, sender, id);
	if (body == NULL)
		return error_errno(e, EX_OSERR, "message");
	p.data = body;
	p.len = strlen(body);
	a->v[i].at_us = now_us();
	r = bus_publish(s->bus, &p, e);
	free(body);
	return r;
}

/* --- reading them ------------------------------------------------------- */

static void
on_copy(void *arg, natsMsg *m)
{
	struct arrivals		*a = arg;
	const char		*id = bus_header(m, "Nats-Msg-Id");
	unsigned long		 i = id == NULL ? a->n : strtoul(id, NULL, 10);
	struct js_delivery	 d;
	struct arrival		*v;

	if (i >= a->first && i < a->n && js_delivery_parse(&d,
	    natsMsg_GetReply(m), a->way->dlv, EAR) &&
	    (v = &a->v[i])->copies < a->load->members) {
		if (d.stored_ns / 1000 > v->last_us)
			v->last_us = d.stored_ns / 1000;
		a->done += ++v->copies == a->load->members;
	}
	bus_msg_free(m);
}

static cJSON *
ear_config(const char *inbox, uint64_t from_seq)
{
	cJSON	*c = cJSON_CreateObject();

	if (c == NULL)
		return NULL;
	cJSON_AddStringToObject(c, "name", EAR);
	cJSON_AddStringToObject(c, "deliver_subject", inbox);
	cJSON_AddStringToObject(c, "deliver_policy", "by_start_sequence");
	cJSON_AddNumberToObject(c, "opt_start_seq", (double)from_seq);
	cJSON_AddStringToObject(c, "ack_policy", "none");
	cJSON_AddStringToObject(c, "replay_policy", "instant");
	cJSON_AddBoolToObject(c, "mem_storage", true);
	return c;
}

static int
hear_all(struct arrivals *a, struct stage *s, struct error *e)
{
	int64_t	until_ms = clock_ms() + LATE_MS;

	while (a->done < a->n - a->first) {
		if (!bus_alive(s->bus) || clock_ms() > until_ms)
			return error_set(e, EX_TEMPFAIL, "%u of %u messages "
			    "came to all", a->done, a->n - a->first);
		bus_turn(s->bus, NULL, 0, LATE_MS);
	}
	return 0;
}

static int
hear(struct arrivals *a, struct stage *s, struct error *e)
{
	char		 inbox[SUBJECT_MAX];
	struct bus_sub	*sub;
	cJSON		*config;
	int		 r;

	if (bus_inbox(s->bus, inbox, sizeof(inbox), "e") == -1 ||
	    (config = ear_config(inbox, a->from_seq)) == NULL)
		return error_errno(e, EX_OSERR, "listen");
	if ((sub = bus_subscribe(s->bus, inbox, NULL, on_copy, a, e)) ==
	    NULL) {
		cJSON_Delete(config);
		return -1;
	}
	r = js_consumer_create(s->bus, a->way->dlv, EAR, config, NULL, e);
	cJSON_Delete(config);
	if (r == 0 && (r = hear_all(a, s, e)) == 0)
		r = js_consumer_delete(s->bus, a->way->dlv, EAR, e);
	bus_unsubscribe(s->bus, sub);
	return r;
}

int
arrivals_read(struct arrivals *a, struct stage *s,
    struct latency_result *result, struct error *e)
{
	unsigned	 i, n = a->n - a->first;
	double		*ms;

	if (hear(a, s, e) == -1)
		return -1;
	if ((ms = calloc(n, sizeof(*ms))) == NULL)
		return error_errno(e, EX_OSERR, "arrivals");
	for (i = 0; i < n; i++)
		ms[i] = (double)(a->v[a->first + i].last_us -
		    a->v[a->first + i].at_us) / 1000;
	result->p50_ms = quantile(ms, n, 0.5);
	result->p99_ms = quantile(ms, n, 0.99);
	free(ms);
	return 0;
}
