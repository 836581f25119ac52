/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "jetstream.h"
#include "log.h"
#include "losses.h"
#include "records.h"

#define LOOKS		200		/* at other subjects, in a turn */
#define AGAIN_MS	1000
#define STORE_TIMEOUT_MS 3000

void
losses_bind(struct losses *l, struct bus *b, uint64_t seen_seq)
{
	/* A letter that is out on this bus is still answered, and one on
	 * another ended with that. */
	l->bus = b;
	l->again_ms = 0;
	l->seen_seq = l->look_seq = seen_seq;
	l->gone = 0;
}

void
losses_add(struct losses *l, uint64_t after_seq, uint64_t before_seq,
    uint64_t n, bool at_most)
{
	struct loss_page	*p = l->page;
	struct loss		*last;

	l->total += n;
	log_error("evicted unread", "stream=%s count=%llu after=%llu "
	    "before=%llu at_most=%s", l->stream, (unsigned long long)n,
	    (unsigned long long)after_seq, (unsigned long long)before_seq,
	    at_most ? "true" : "false");
	if (p->n < LOSSES_KEPT) {
		/* Complete before it counts: we may die between. */
		p->v[p->n] = (struct loss){ .after_seq = after_seq,
		    .before_seq = before_seq, .n = n, .at_most = at_most };
		p->n++;
		return;
	}
	last = &p->v[LOSSES_KEPT - 1];
	if (after_seq < last->after_seq)
		last->after_seq = after_seq;
	if (before_seq > last->before_seq)
		last->before_seq = before_seq;
	last->n += n;
	last->at_most |= at_most;
}

/* --- a jump in the sequences ------------------------------------------------- */

int
losses_see(struct losses *l, uint64_t seq, struct error *e)
{
	struct js_message	m;
	uint64_t		s;
	unsigned		looks = 0;
	int			found;

	if (seq <= l->seen_seq)
		return 1;
	s = l->look_seq > l->seen_seq ? l->look_seq + 1 : l->seen_seq + 1;
	while (s < seq && looks++ < LOOKS) {
		found = js_get(l->bus, l->stream, JS_NEXT_BY_SUBJECT, s, ">",
		    &m, e);
		if (found == -1)
			return -1;
		if (found == 0 || m.seq > seq)
			m.seq = seq;
		l->gone += m.seq - s;
		s = m.seq + 1;
		l->look_seq = m.seq;
		if (found == 1)
			js_message_free(&m);
	}
	if (s < seq)
		return 0;
	if (l->gone > 0)
		losses_add(l, l->seen_seq, seq, l->gone, false);
	l->gone = 0;
	l->seen_seq = l->look_seq = seq;
	return 1;
}

/* --- telling -------------------------------------------------------------------- */

static void
on_told(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct losses		*l = arg;
	struct loss_page	*p = l->page;
	struct error		 e = { .code = 0, .text = "not stored" };
	uint64_t		 seq;

	l->asking = false;
	if (outcome == BUS_OK && js_ack_parse(reply, &seq, NULL, &e) == 0) {
		p->n--;
		memmove(&p->v[0], &p->v[1], p->n * sizeof(p->v[0]));
		return;
	}
	log_warn("loss not told yet", "stream=%s error=%s", l->stream,
	    log_str(e.text));
	l->again_ms = clock_ms() + AGAIN_MS;
}

static int
tell(struct losses *l, const struct loss *loss, struct error *e)
{
	char			 reason[320], id[256], *body;
	struct dead_letter	 d = { .reason = reason, .subject = l->filter,
				    .ts_ms = clock_epoch_ms() };
	struct bus_pub		 p = { .subject = l->dead_subject,
				    .msg_id = id };
	int			 r;

	snprintf(reason, sizeof(reason), "%s%llu messages of %s between %llu "
	    "and %llu were evicted before %s", loss->at_most ? "up to " : "",
	    (unsigned long long)loss->n, l->stream,
	    (unsigned long long)loss->after_seq,
	    (unsigned long long)loss->before_seq, loss->at_most ?
	    "the worker that had them in hand was done with them" :
	    "they were read");
	snprintf(id, sizeof(id), "dead:evicted:%s:%llu", l->stream,
	    (unsigned long long)loss->before_seq);
	if ((body = dead_letter_write(&d)) == NULL)
		fatal_memory();
	p.data = body;
	p.len = strlen(body);
	r = bus_request(l->bus, &p, STORE_TIMEOUT_MS, on_told, l, e);
	free(body);
	return r;
}

int
losses_tend(struct losses *l, struct error *e)
{
	if (l->page->n == 0 || l->asking || clock_ms() < l->again_ms)
		return 0;
	if (tell(l, &l->page->v[0], e) == -1)
		return -1;
	l->asking = true;
	return 0;
}
