/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "gate.h"
#include "jetstream.h"
#include "json.h"
#include "log.h"

#include "hold.h"

#define RETRY_MS	200

/* Whose record it is. */
enum whose {
	OURS,			/* of this very process */
	BEFORE_US,		/* of this host, by a manager before us */
	ANOTHERS,
	NOBODYS,
};

struct view {
	char	*holder, *runtime, *root, *host, *nonce;
	int64_t	 pid;
};

#define TEXT(key, member)						\
	{ .name = key, .type = JSON_STRING,				\
	    .offset = offsetof(struct view, member) }

static const struct json_field table[] = {
	{ .name = "holder", .type = JSON_STRING, .required = true,
	    .offset = offsetof(struct view, holder) },
	TEXT("runtime", runtime), TEXT("root", root), TEXT("host", host),
	TEXT("nonce", nonce),
	{ .name = "pid", .type = JSON_I64,
	    .offset = offsetof(struct view, pid) },
	JSON_END };

void
hold_init(struct hold *h, const struct role *r)
{
	unsigned char	random[16];

	memset(h, 0, sizeof(*h));
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(h->nonce, sizeof(h->nonce), random, sizeof(random));
	name_bucket_stream(h->stream, sizeof(h->stream), r->config.space,
	    BUCKET_MANAGER);
	name_bucket_key(h->subject, sizeof(h->subject), r->config.space,
	    BUCKET_MANAGER, "lease");
}

static char *
record(const struct hold *h, const struct role *r)
{
	cJSON	*o = cJSON_CreateObject();
	char	*body;

	if (o == NULL || !json_set_str(o, "holder", r->creds.key.public) ||
	    !json_set_str(o, "runtime", "pty") ||
	    !json_set_str(o, "root", r->config.workspace != NULL ?
	    r->config.workspace : "") ||
	    !json_set_i64(o, "pid", getpid()) ||
	    !json_set_i64(o, "since", h->since_ms) ||
	    !json_set_str(o, "host", r->host.identity) ||
	    !json_set_str(o, "nonce", h->nonce) ||
	    (body = json_print(o)) == NULL)
		fatal_memory();
	cJSON_Delete(o);
	return body;
}

/* Write it against revision expect. */
static int
write_record(struct hold *h, struct role *r, uint64_t expect, struct error *e)
{
	struct bus_pub	 p = { .subject = h->subject, .expect = true,
			    .expect_seq = expect };
	int64_t		 now = clock_ms();
	char		*body = record(h, r);
	int		 rv;

	p.data = body;
	p.len = strlen(body);
	rv = js_publish(r->bus, &p, &h->seq, NULL, e);
	free(body);
	if (rv == -1)
		return -1;
	/* Before it was sent: the store cannot have it earlier. */
	h->stored_ms = now;
	h->next_ms = now + h->ttl_ms / 2;
	h->held = true;
	return 0;
}

static enum whose
judge(const struct hold *h, const struct role *r, const struct js_message *m,
    char *who, size_t size)
{
	struct view	 v;
	enum whose	 whose = ANOTHERS;
	cJSON		*o = json_parse(m->data, m->len, NULL);

	memset(&v, 0, sizeof(v));
	snprintf(who, size, "somebody whose record cannot be read");
	if (o != NULL && json_read(o, table, &v, "", NULL) == 0) {
		snprintf(who, size, "%s, pid %lld, of %s", v.holder,
		    (long long)v.pid, v.root == NULL ? "?" : v.root);
		if (v.host != NULL && strcmp(v.host, r->host.identity) == 0)
			whose = v.nonce != NULL && strcmp(v.nonce,
			    h->nonce) == 0 ? OURS : BEFORE_US;
	}
	cJSON_Delete(o);
	return whose;
}

/* Who holds it, and at which revision; -1 with *e. */
static int
look(const struct hold *h, struct role *r, enum whose *whose, uint64_t *seq,
    char *who, size_t size, struct error *e)
{
	struct js_message	m;
	int			found;

	*whose = NOBODYS;
	*seq = 0;
	if ((found = js_get(r->bus, h->stream, JS_LAST_BY_SUBJECT, 0,
	    h->subject, &m, e)) != 1)
		return found;
	*seq = m.seq;
	if (!m.deleted)
		*whose = judge(h, r, &m, who, size);
	js_message_free(&m);
	return 0;
}

static int
read_ttl(struct hold *h, struct role *r, struct error *e)
{
	struct js_stream	s;

	if (js_stream_info(r->bus, h->stream, &s, e) == -1)
		return -1;
	if (s.max_age_ms == 0)
		return error_set(e, EX_CONFIG, "%s keeps its keys for ever: "
		    "a lease there would never expire", h->stream);
	h->ttl_ms = s.max_age_ms;
	return 0;
}

int
hold_take(struct hold *h, struct role *r, struct error *e)
{
	enum whose	whose;
	uint64_t	seq;
	char		who[300];

	h->held = false;
	if (read_ttl(h, r, e) == -1 ||
	    look(h, r, &whose, &seq, who, sizeof(who), e) == -1)
		return -1;
	if (whose == ANOTHERS)
		return error_set(e, EX_CONFIG, "space %s has a manager, and "
		    "can have one only: %s", r->config.space, who);
	if (h->since_ms == 0)
		h->since_ms = clock_epoch_ms();
	if (write_record(h, r, seq, e) == -1)
		return e->api == JS_WRONG_LAST_SEQ ? error_set(e, EX_TEMPFAIL,
		    "somebody else wrote the manager's lease just now") : -1;
	log_info("lease held", "how=%s rev=%llu ttl_ms=%lld",
	    whose == NOBODYS ? "created" : "\"taken over\"",
	    (unsigned long long)h->seq, (long long)h->ttl_ms);
	return 0;
}

/* A renewal met another revision.  Our own unanswered write: go on. */
static int
lost(struct hold *h, struct role *r, struct error *e)
{
	enum whose	whose;
	uint64_t	seq;
	char		who[300] = "";

	if (look(h, r, &whose, &seq, who, sizeof(who), e) == -1)
		return -1;
	if (whose == OURS) {
		h->seq = seq;
		h->next_ms = clock_ms();
		return 0;
	}
	h->held = false;
	if (whose == NOBODYS)
		return error_set(e, EX_TEMPFAIL, "the manager's lease has "
		    "expired");
	return error_set(e, EX_SOFTWARE, "the manager's lease is lost to %s",
	    who);
}

int
hold_tend(struct hold *h, struct role *r, struct error *e)
{
	if (!hold_is_valid(h)) {
		h->held = false;
		return error_set(e, EX_TEMPFAIL, "the manager's lease could "
		    "not be renewed in time");
	}
	if (clock_ms() < h->next_ms)
		return 0;
	if (write_record(h, r, h->seq, e) == 0)
		return 0;
	if (e->api == JS_WRONG_LAST_SEQ)
		return lost(h, r, e);
	log_warn("renewal failed", "error=%s", log_str(e->text));
	h->next_ms = clock_ms() + RETRY_MS;
	return 0;
}

bool
hold_is_valid(const struct hold *h)
{
	return h->held && clock_ms() - h->stored_ms <
	    h->ttl_ms - lease_margin_ms(h->ttl_ms);
}

int64_t
hold_left_ms(const struct hold *h)
{
	int64_t	left = h->next_ms - clock_ms();

	return left > 0 ? left : 0;
}

void
hold_release(struct hold *h, struct role *r)
{
	struct bus_pub	p = { .subject = h->subject, .expect = true,
			    .expect_seq = h->seq, .data = "",
			    .kv_operation = "DEL" };
	struct error	e;

	if (!h->held)
		return;
	h->held = false;
	if (js_publish(r->bus, &p, NULL, NULL, &e) == -1)
		log_warn("lease not released", "error=%s", log_str(e.text));
}
