/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "gate.h"
#include "jetstream.h"
#include "log.h"

#define MARGIN_LEAST_MS	200
#define SYNC_MS		30000

int64_t
lease_margin_ms(int64_t ttl_ms)
{
	return ttl_ms / 10 > MARGIN_LEAST_MS ? ttl_ms / 10 : MARGIN_LEAST_MS;
}

bool
lease_entitles(const struct lease *l, const char *host, int64_t now_ms)
{
	int64_t	age = now_ms - l->renewed_ms;

	/* A renewal from the future is another machine's clock: stale. */
	return l->host != NULL && strcmp(l->host, host) == 0 &&
	    !l->releasing && l->ttl_ms > 0 && age >= 0 &&
	    age < l->ttl_ms - lease_margin_ms(l->ttl_ms);
}

bool
lease_is_twin(const struct lease *l, const char *host)
{
	size_t	n = strcspn(host, "/") + 1;

	return l->host != NULL && strncmp(l->host, host, n) == 0 &&
	    strcmp(l->host, host) != 0;
}

static void
gate_clear(struct gate *g)
{
	if (g->have)
		lease_free(&g->lease);
	g->have = false;
}

static void
gate_apply(struct gate *g, const char *data, size_t len, uint64_t seq)
{
	struct lease	l;
	struct error	e;

	gate_clear(g);
	g->seq = seq;
	if (data == NULL)
		return;
	if (lease_read(&l, data, len, &e) == -1) {
		log_error("unreadable lease", "rev=%llu error=%s",
		    (unsigned long long)seq, log_str(e.text));
		lease_free(&l);
		return;
	}
	g->lease = l;
	g->have = true;
	if (lease_is_twin(&l, g->host)) {
		g->twin = g->twin_seq != 0 && seq > g->twin_seq;
		g->twin_seq = seq;
	}
}

static void
gate_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct gate	*g = table;

	/* What a read brought already is newer. */
	if (strcmp(key, g->key) == 0 && seq >= g->seq)
		gate_apply(g, data, len, seq);
}

/* The watch is bound anew: the record in hand is judged by the clock alone,
 * and any revision may follow, the bucket may be another. */
static void
gate_reset(void *table)
{
	struct gate	*g = table;

	g->seq = 0;
}

static const struct watch_ops gate_ops = { gate_put, gate_reset };

int
gate_init(struct gate *g, const char *space, unsigned shard,
    const struct host *host, struct error *e)
{
	memset(g, 0, sizeof(*g));
	snprintf(g->host, sizeof(g->host), "%s", host->identity);
	snprintf(g->key, sizeof(g->key), "lease.%u", shard);
	name_bucket_stream(g->stream, sizeof(g->stream), space,
	    BUCKET_DELIVERY);
	name_bucket_key(g->subject, sizeof(g->subject), space,
	    BUCKET_DELIVERY, g->key);
	g->watch = watch_new(space, BUCKET_DELIVERY, g->key, &gate_ops, g);
	if (g->watch == NULL)
		return error_errno(e, EX_OSERR, "lease");
	return 0;
}

void
gate_free(struct gate *g)
{
	watch_free(g->watch);
	g->watch = NULL;
	gate_clear(g);
}

int
gate_bind(struct gate *g, struct bus *b, struct error *e)
{
	g->bus = b;
	g->asking = g->answered = g->known = false;
	g->bound_ms = clock_ms();
	return watch_bind(g->watch, b, e);
}

int
gate_tend(struct gate *g, struct error *e)
{
	if (g->twin)
		return error_set(e, EX_SOFTWARE, LEASE_TWIN);
	return watch_tend(g->watch, e);
}

void
gate_unbind(struct gate *g)
{
	watch_unbind(g->watch);
	gate_clear(g);
	g->seq = 0;
}

int
gate_tables_known(struct gate *g, struct watch *const *v, size_t n,
    struct error *e)
{
	if (g->known)
		return 1;
	g->known = watch_synced(g->watch) && watch_all_synced(v, n);
	if (!g->known && clock_ms() - g->bound_ms > SYNC_MS)
		return error_set(e, EX_TEMPFAIL, "the tables are not read in "
		    "%d ms", SYNC_MS);
	return g->known;
}

bool
gate_is_open(const struct gate *g)
{
	return g->have && lease_entitles(&g->lease, g->host, clock_ms());
}

int64_t
gate_valid_until(const struct gate *g)
{
	if (!gate_is_open(g))
		return 0;
	return g->lease.renewed_ms + g->lease.ttl_ms -
	    lease_margin_ms(g->lease.ttl_ms);
}

int64_t
gate_limit(void *gate)
{
	return gate_valid_until(gate);
}

bool
gate_elsewhere(const struct gate *g)
{
	return g->have && (g->lease.host == NULL ||
	    strcmp(g->lease.host, g->host) != 0);
}

bool
gate_releasing(const struct gate *g)
{
	return g->have && g->lease.releasing && !gate_elsewhere(g);
}

const char *
gate_why(const struct gate *g)
{
	if (!g->have)
		return "no lease";
	if (gate_elsewhere(g))
		return "held by another host";
	if (g->lease.releasing)
		return "being released";
	return gate_is_open(g) ? "open" : "not renewed in time";
}

/* --- the read with a batch ---------------------------------------------------- */

static void
on_read(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct gate		*g = arg;
	struct js_message	 m;

	g->asking = false;
	g->answered = true;
	g->read_open = false;
	if (outcome != BUS_OK)
		return;
	/* The watch may have been quicker; else the store is right, also with
	 * an older revision: the bucket is another one then. */
	switch (js_get_parse(reply, &m, NULL)) {
	case 1:
		if (g->seq == g->asked_seq || m.seq >= g->seq)
			gate_apply(g, m.deleted ? NULL : m.data, m.len,
			    m.seq);
		js_message_free(&m);
		g->read_open = gate_is_open(g);
		break;
	case 0:
		if (g->seq == g->asked_seq)
			gate_clear(g);		/* expired or deleted */
		break;
	default:
		break;
	}
}

int
gate_read(struct gate *g, int64_t timeout_ms, struct error *e)
{
	char		subject[SUBJECT_MAX], body[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .data = body };
	int		n;

	g->answered = g->read_open = false;
	if (g->asking)
		return error_set(e, EX_TEMPFAIL, "%s: still being read",
		    g->key);
	js_get_subject(subject, sizeof(subject), g->stream);
	n = js_get_body(body, sizeof(body), JS_LAST_BY_SUBJECT, 0,
	    g->subject);
	p.len = (size_t)n;
	if (bus_request(g->bus, &p, timeout_ms, on_read, g, e) == -1)
		return -1;
	g->asked_seq = g->seq;
	g->asking = true;
	return 0;
}

bool
gate_read_settled(const struct gate *g)
{
	return !g->asking;
}

bool
gate_read_open(const struct gate *g)
{
	return g->answered && g->read_open && gate_is_open(g);
}
