/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ear.h"
#include "gauge.h"
#include "measure.h"

#define PACED_MS	3000	/* so long it is sent ... */
#define PACED_MAX	8192	/* ... or so many messages */
#define LATE_MS		10000

/* A message's id begins with its number, so that a copy tells which it is. */
struct sent {
	int64_t		at_us;
	unsigned	heard;
	double		ms;		/* to the last copy */
};

struct paced {
	struct sent	*sent;
	unsigned	 n, members;
	unsigned	 done;		/* messages that all have */
};

static void
on_copy(void *arg, natsMsg *m)
{
	struct paced	*p = arg;
	const char	*id = bus_header(m, "Nats-Msg-Id");
	unsigned long	 i = id == NULL ? p->n : strtoul(id, NULL, 10);
	struct sent	*s;

	if (i < p->n && (s = &p->sent[i])->heard < p->members &&
	    ++s->heard == p->members) {
		s->ms = (double)(clock_us() - s->at_us) / 1000;
		p->done++;
	}
	bus_msg_free(m);
}

static int
send_one(struct stage *s, const struct crowd *c, const struct load *l,
    struct paced *p, unsigned i, struct error *e)
{
	char		 subject[SUBJECT_MAX], channel[32], id[40], *body;
	struct bus_pub	 pub = { .subject = subject, .msg_id = id };
	unsigned	 sender = i % CROWD_SENDERS;
	int		 r;

	crowd_channel(channel, sizeof(channel), l, 0);
	subject_chat(subject, sizeof(subject), s->config.space,
	    c->sender[sender], channel);
	snprintf(id, sizeof(id), "%08u-0000-4000-8000-%012llx", i,
	    (unsigned long long)clock_us() & 0xffffffffffffULL);
	if ((body = crowd_message(c, s, l, 0, sender, id)) == NULL)
		return error_errno(e, EX_OSERR, "message");
	pub.data = body;
	pub.len = strlen(body);
	p->sent[i].at_us = clock_us();
	r = bus_publish(s->bus, &pub, e);
	free(body);
	return r;
}

/* One every period_us, late ones at once. */
static int
send_all(struct stage *s, const struct crowd *c, const struct load *l,
    struct paced *p, double period_us, struct error *e)
{
	int64_t		start_us = clock_us(), left;
	unsigned	i;

	for (i = 0; i < p->n; i++) {
		while (bus_alive(s->bus) && (left = start_us +
		    (int64_t)(i * period_us) - clock_us()) > 0)
			bus_turn(s->bus, NULL, 0, left / 1000);
		if (send_one(s, c, l, p, i, e) == -1)
			return -1;
		bus_turn(s->bus, NULL, 0, 0);
	}
	start_us = clock_us();
	while (p->done < p->n) {
		if (!bus_alive(s->bus) || clock_us() - start_us > LATE_MS *
		    1000)
			return error_set(e, EX_TEMPFAIL, "%u of %u messages "
			    "came to all", p->done, p->n);
		bus_turn(s->bus, NULL, 0, LATE_MS);
	}
	return 0;
}

static int
collect(const struct paced *p, struct latency_result *result,
    struct error *e)
{
	double		*ms = calloc(p->n, sizeof(*ms));
	unsigned	 i;

	if (ms == NULL)
		return error_errno(e, EX_OSERR, "paced");
	for (i = 0; i < p->n; i++)
		ms[i] = p->sent[i].ms;
	result->p50_ms = quantile(ms, p->n, 0.5);
	result->p99_ms = quantile(ms, p->n, 0.99);
	free(ms);
	return 0;
}

int
measure_paced(struct stage *s, const struct crowd *c, const struct load *l,
    double per_s, struct latency_result *result, struct error *e)
{
	struct paced	 p = { .members = l->members };
	struct bus_sub	*sub;
	double		 n = per_s * PACED_MS / 1000;
	int		 r;

	p.n = n < 100 ? 100 : n > PACED_MAX ? PACED_MAX : (unsigned)n;
	if ((p.sent = calloc(p.n, sizeof(*p.sent))) == NULL)
		return error_errno(e, EX_OSERR, "paced");
	if ((sub = ear_open(s, on_copy, &p, e)) == NULL) {
		free(p.sent);
		return -1;
	}
	if ((r = cost_begin(&result->cost, s, e)) == 0 &&
	    (r = send_all(s, c, l, &p, 1e6 / per_s, e)) == 0 &&
	    (r = cost_end(&result->cost, s, (double)p.n * p.members, e)) == 0)
		r = collect(&p, result, e);
	if (r == 0)
		r = ear_close(s, sub, e);
	else
		bus_unsubscribe(s->bus, sub);
	free(p.sent);
	return r == -1 ? -1 : stage_await_idle(s, e);
}
