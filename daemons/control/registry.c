/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "jetstream.h"
#include "log.h"
#include "registry.h"

static int
record_key(struct control *c, const char *channel, const char *owner,
    char *stream, size_t ssize, char *subject, size_t size, struct error *e)
{
	char	key[SUBJECT_MAX];

	if (snprintf(key, sizeof(key), "%s/%s", channel, owner) >=
	    (int)sizeof(key) ||
	    name_bucket_key(subject, size, c->role->config.space,
	    BUCKET_MEMBERS, key) == -1)
		return error_set(e, EX_DATAERR, "channel name is too long");
	name_bucket_stream(stream, ssize, c->role->config.space,
	    BUCKET_MEMBERS);
	return 0;
}

/* The record of this very channel and owner. */
static int
read_own(struct membership *out, const struct js_message *m,
    const char *channel, const char *owner, struct error *e)
{
	if (membership_read(out, m->data, m->len, e) == -1)
		return -1;
	if (strcmp(out->channel, channel) != 0 ||
	    strcmp(out->owner, owner) != 0)
		return error_set(e, EX_DATAERR, "it is another's");
	return 0;
}

int
registry_read(struct control *c, const char *channel, const char *owner,
    struct registered *r, struct error *e)
{
	char			 stream[STREAM_MAX], subject[SUBJECT_MAX];
	struct js_message	 m;
	int			 found;

	memset(r, 0, sizeof(*r));
	if (record_key(c, channel, owner, stream, sizeof(stream), subject,
	    sizeof(subject), e) == -1)
		return -1;
	found = js_get(c->bus, stream, JS_LAST_BY_SUBJECT, 0, subject, &m, e);
	if (found != 1)
		return found;
	r->revision = m.seq;
	if (!m.deleted) {
		/* What is no record must not keep its owner out for ever: as
		 * if there were none, under a generation above any before. */
		if (read_own(&r->m, &m, channel, owner, e) == -1) {
			log_error("unreadable membership", "channel=%s "
			    "owner=%s rev=%llu error=%s", log_str(channel),
			    log_str(owner), (unsigned long long)m.seq,
			    log_str(e->text));
			membership_free(&r->m);
			r->m.generation = m.seq;
			js_message_free(&m);
			return 0;
		}
		r->exists = true;
		r->text = m.data;
		r->len = m.len;
		m.data = NULL;
	}
	js_message_free(&m);
	return 0;
}

void
registered_free(struct registered *r)
{
	membership_free(&r->m);
	free(r->text);
	memset(r, 0, sizeof(*r));
}

enum written
registry_write(struct control *c, struct registered *r, struct error *e)
{
	char		 stream[STREAM_MAX], subject[SUBJECT_MAX], *body;
	struct bus_pub	 p = { .subject = subject, .expect = true,
			    .expect_seq = r->revision };
	int		 rv;

	if (record_key(c, r->m.channel, r->m.owner, stream, sizeof(stream),
	    subject, sizeof(subject), e) == -1)
		return WRITE_FAILED;
	free(r->m.writer);
	if ((r->m.writer = strdup(bus_id(c->bus))) == NULL)
		fatal_memory();
	r->m.updated_ms = clock_epoch_ms();
	if ((body = membership_write(&r->m, r->text, r->len)) == NULL)
		fatal_memory();
	p.data = body;
	p.len = strlen(body);
	rv = js_publish(c->bus, &p, &r->revision, NULL, e);
	if (rv == 0) {
		free(r->text);
		r->text = body;
		r->len = strlen(body);
		r->exists = true;
		return WRITTEN;
	}
	free(body);
	return e->api == JS_WRONG_LAST_SEQ ? WRITE_SUPERSEDED : WRITE_FAILED;
}

/* A change of one record as a function, so that a lost race can decide
 * again.  WRITTEN: write it (or *skip: it is so already). */
typedef enum written change_fn(struct membership *, const void *arg,
	    bool *skip);

static enum written
change(struct control *c, const char *channel, const char *owner,
    change_fn *fn, const void *arg, struct error *e)
{
	struct registered	r;
	enum written		w = WRITE_FAILED;
	bool			skip;
	int			i;

	for (i = 0; i < REGISTRY_TRIES; i++) {
		if (registry_read(c, channel, owner, &r, e) == -1)
			return WRITE_FAILED;
		skip = false;
		w = r.exists ? fn(&r.m, arg, &skip) : WRITE_SUPERSEDED;
		if (w != WRITTEN || skip) {
			registered_free(&r);
			return w;
		}
		w = registry_write(c, &r, e);
		registered_free(&r);
		if (w != WRITE_SUPERSEDED)
			return w;
	}
	error_set(e, EX_TEMPFAIL, "membership of \"%s\" changes too fast; "
	    CTL_LATER, channel);
	return WRITE_FAILED;
}

struct tombstone {
	uint64_t	generation, leave_seq;
};

static enum written
bury(struct membership *m, const void *arg, bool *skip)
{
	const struct tombstone	*t = arg;

	if (m->generation != t->generation)
		return WRITE_SUPERSEDED;
	*skip = m->now.left && m->now.leave_seq <= t->leave_seq;
	m->now.left = true;
	m->now.leave_seq = t->leave_seq;
	m->state = MEMBER_LIVE_CONFIRMED;
	return WRITTEN;
}

enum written
registry_tombstone(struct control *c, const char *channel, const char *owner,
    uint64_t generation, uint64_t leave_seq, struct error *e)
{
	struct tombstone	t = { generation, leave_seq };

	return change(c, channel, owner, bury, &t, e);
}

struct activation {
	uint64_t	generation, join_seq;
};

static enum written
light(struct membership *m, const void *arg, bool *skip)
{
	const struct activation	*a = arg;

	if (m->generation != a->generation || m->now.join_seq != a->join_seq ||
	    !membership_is_open(m))
		return WRITE_SUPERSEDED;
	*skip = m->activated;
	m->activated = true;
	return WRITTEN;
}

enum written
registry_activate(struct control *c, const char *channel, const char *owner,
    uint64_t generation, uint64_t join_seq, struct error *e)
{
	struct activation	a = { generation, join_seq };

	return change(c, channel, owner, light, &a, e);
}
