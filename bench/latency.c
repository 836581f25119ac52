/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ear.h"
#include "gauge.h"
#include "measure.h"
#include "message.h"

#define ROUNDS		200
#define WARM_UP		20
#define IDLE_MS		10	/* so that the mesh is idle, not just done */
#define LATE_MS		5000

static void
on_copy(void *arg, natsMsg *m)
{
	unsigned	*seen = arg;

	(*seen)++;
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
one_round(struct stage *s, const struct bus_pub *p, unsigned *seen,
    unsigned members, double *ms, struct error *e)
{
	int64_t	start_us;

	stay_idle(s->bus);
	*seen = 0;
	start_us = clock_us();
	if (bus_publish(s->bus, p, e) == -1)
		return -1;
	while (*seen < members) {
		if (!bus_alive(s->bus) ||
		    clock_us() - start_us > LATE_MS * 1000)
			return error_set(e, EX_TEMPFAIL, "%u of %u copies "
			    "after %d ms", *seen, members, LATE_MS);
		bus_turn(s->bus, NULL, 0, LATE_MS);
	}
	*ms = (double)(clock_us() - start_us) / 1000;
	return stage_await_idle(s, e);
}

static int
all_rounds(struct stage *s, const struct crowd *c, const struct load *l,
    unsigned *seen, double *ms, struct error *e)
{
	char		 subject[SUBJECT_MAX], channel[32], id[40], *body;
	struct bus_pub	 p = { .subject = subject, .msg_id = id };
	double		 warming;
	unsigned	 i;
	int		 r = 0;

	crowd_channel(channel, sizeof(channel), l, 0);
	subject_chat(subject, sizeof(subject), s->config.space, c->sender[0],
	    channel);
	for (i = 0; r == 0 && i < WARM_UP + ROUNDS; i++) {
		message_new_id(id);
		if ((body = crowd_message(c, s, l, 0, 0, id)) == NULL)
			return error_errno(e, EX_OSERR, "message");
		p.data = body;
		p.len = strlen(body);
		r = one_round(s, &p, seen, l->members, i < WARM_UP ?
		    &warming : &ms[i - WARM_UP], e);
		free(body);
	}
	return r;
}

int
measure_latency(struct stage *s, const struct crowd *c, const struct load *l,
    struct latency_result *result, struct error *e)
{
	double		 ms[ROUNDS];
	unsigned	 seen = 0;
	struct bus_sub	*sub;

	if ((sub = ear_open(s, on_copy, &seen, e)) == NULL)
		return -1;
	if (all_rounds(s, c, l, &seen, ms, e) == -1) {
		bus_unsubscribe(s->bus, sub);
		return -1;
	}
	result->p50_ms = quantile(ms, ROUNDS, 0.5);
	result->p99_ms = quantile(ms, ROUNDS, 0.99);
	return ear_close(s, sub, e);
}
