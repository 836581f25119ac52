/* SPDX-License-Identifier: ISC */

/* What the space's records say: who is a member, who may read, who serves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "channels.h"
#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "migrate.h"
#include "records.h"
#include "space.h"

#define NAMED_MAX	5		/* of those that cannot be read */
#define LOOK_MS		100

/* --- memberships and access ---------------------------------------------------- */

struct count {
	size_t		open, left, pending, acls, bad;
	char		named[400];	/* the first of the bad */
	struct layout	layout;
	bool		layout_bad;
};

static void
note_bad(struct count *c, const char *key)
{
	size_t	n = strlen(c->named);

	if (c->bad++ < NAMED_MAX)
		snprintf(c->named + n, sizeof(c->named) - n, "%s%s",
		    n == 0 ? "" : ", ", key);
}

static void
count_reset(void *table)
{
	struct count	*c = table;

	memset(c, 0, sizeof(*c));
	c->layout.shards = 1;
}

static void
member_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct count		*c = table;
	struct membership	 r;
	char			 channel[SUBJECT_MAX], owner[SUBJECT_MAX];

	(void)seq;
	if (strcmp(key, LAYOUT_KEY) == 0) {
		c->layout_bad = layout_read(&c->layout, data, len, NULL) ==
		    -1;
		return;
	}
	if (data == NULL)
		return;
	if (!membership_key_split(key, channel, sizeof(channel), owner,
	    sizeof(owner))) {
		note_bad(c, key);
		return;
	}
	if (membership_read(&r, data, len, NULL) == -1)
		note_bad(c, key);
	else if (!membership_is_open(&r))
		c->left++;
	else if (!r.activated)
		c->pending++;
	else
		c->open++;
	membership_free(&r);
}

static void
acl_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct count	*c = table;
	struct acl	 a;

	(void)seq;
	if (data == NULL)
		return;
	if (acl_read(&a, data, len, NULL) == -1)
		note_bad(c, key);
	else
		c->acls++;
	acl_free(&a);
}

static int
read_all(struct migrate *m, enum bucket_kind kind,
    const struct watch_ops *ops, struct count *c, struct error *e)
{
	struct count	 table;
	struct watch	*w = NULL;
	char		 stream[STREAM_MAX], name[80];
	int		 r;

	count_reset(&table);
	r = bucket_read(m->bus, m->want.space, kind, ">", ops, &table,
	    &w, e);
	*c = table;
	watch_free(w);
	/* Nothing is to be left of it, not even for as long as it would last. */
	name_bucket_stream(stream, sizeof(stream), m->want.space, kind);
	snprintf(name, sizeof(name), "w_%s", bus_id(m->bus));
	return r == -1 ? -1 : js_consumer_delete(m->bus, stream, name, e);
}

static void
say_bad(struct migrate *m, const char *about, const struct count *c,
    const char *means)
{
	if (c->bad > 0)
		migrate_step(m, STEP_NOTE, about, "%zu cannot be read (%s%s):"
		    " %s", c->bad, c->named, c->bad > NAMED_MAX ? ", ..." :
		    "", means);
}

static void
judge_layout(struct migrate *m, const struct count *c)
{
	if (c->layout_bad)
		migrate_stop(m, EX_DATAERR, "shards", "the record " LAYOUT_KEY
		    " of the members bucket is unreadable");
	else if (c->layout.next != 0)
		migrate_stop(m, EX_CONFIG, "shards", "the space is on its way"
		    " from %u to %u: finish that with `reeve reshard %u`",
		    c->layout.shards, c->layout.next, c->layout.next);
	else if (c->layout.shards > 1)
		migrate_step(m, STEP_NOTE, "shards", "the space has %u: it "
		    "was reeve's before", c->layout.shards);
}

int
migrate_look_at_records(struct migrate *m, struct error *e)
{
	static const struct watch_ops	members = { member_put, count_reset };
	static const struct watch_ops	acls = { acl_put, count_reset };
	struct count			c;

	m->layout.shards = 1;
	if (m->bucket[BUCKET_MEMBERS]) {
		if (read_all(m, BUCKET_MEMBERS, &members, &c, e) == -1)
			return -1;
		m->layout = c.layout;
		m->open = c.open + c.pending;
		migrate_step(m, STEP_OK, "memberships", "%zu, %zu that were "
		    "not finished, %zu that were left; they stay", c.open,
		    c.pending, c.left);
		say_bad(m, "memberships", &c, "nothing is delivered by them");
		judge_layout(m, &c);
	}
	if (m->bucket[BUCKET_ACL]) {
		if (read_all(m, BUCKET_ACL, &acls, &c, e) == -1)
			return -1;
		migrate_step(m, STEP_OK, "access", "%zu records; they stay",
		    c.acls);
		say_bad(m, "access", &c, "what is for those owners waits, and"
		    " is given up after 20 seconds and 10 tries");
	}
	return 0;
}

/* --- records, one by one ------------------------------------------------------- */

/* A record of a bucket.  1: found; 0: there is none; -1: *e. */
static int
get(struct migrate *m, enum bucket_kind kind, const char *key,
    struct js_message *msg, struct error *e)
{
	char	stream[STREAM_MAX], subject[SUBJECT_MAX];
	int	r;

	if (!m->bucket[kind])
		return 0;
	name_bucket_stream(stream, sizeof(stream), m->want.space, kind);
	name_bucket_key(subject, sizeof(subject), m->want.space, kind, key);
	r = js_get(m->bus, stream, JS_LAST_BY_SUBJECT, 0, subject, msg, e);
	if (r == 1 && msg->deleted) {
		js_message_free(msg);
		return 0;
	}
	return r;
}

/* `reeve init` says it where nobody has, and it is what it was without. */
int
migrate_look_at_defaults(struct migrate *m, struct error *e)
{
	struct channel_config	 c;
	struct js_message	 msg;
	struct error		 why;
	int			 r = get(m, BUCKET_CHANNELS,
				    CHANNEL_DEFAULTS_KEY, &msg, e);
	bool			 unset = true;

	if (r == -1)
		return -1;
	memset(&c, 0, sizeof(c));
	if (r == 1) {
		if (channel_config_read(&c, msg.data, msg.len, &why) == -1) {
			unset = false;
			migrate_stop(m, EX_CONFIG, "channels", "the record "
			    CHANNEL_DEFAULTS_KEY " cannot be read: %s",
			    why.text);
		} else
			unset = c.delivery_class == CLASS_UNSET;
		channel_config_free(&c);
		js_message_free(&msg);
	}
	if (unset)
		migrate_step(m, STEP_WOULD, "channels", "nobody has said what"
		    " those are of which nothing is said: they are durable, "
		    "and that is written");
	return 0;
}

/* --- who serves ----------------------------------------------------------------- */

/* "" where this host has none yet. */
static void
own_identity(struct migrate *m, char *buf, size_t size)
{
	struct host	h;

	snprintf(buf, size, "%s", !m->first && host_load(&h, &m->want, NULL)
	    == 0 ? h.identity : "");
}

int
migrate_is_served(struct migrate *m, unsigned shard, bool *ready,
    struct error *e)
{
	char			 self[HOST_IDENTITY_MAX], key[32];
	struct js_message	 msg;
	struct lease		 l;
	int			 r;

	own_identity(m, self, sizeof(self));
	snprintf(key, sizeof(key), "lease.%u", shard);
	*ready = false;
	if ((r = get(m, BUCKET_DELIVERY, key, &msg, e)) != 1)
		return r;
	r = 0;
	if (lease_read(&l, msg.data, msg.len, NULL) == 0) {
		r = l.host != NULL && strcmp(l.host, self) == 0;
		*ready = r && l.ready;
	}
	lease_free(&l);
	js_message_free(&msg);
	return r;
}

enum held { FREE, HERE, OTHER_HOST, HELD };	/* the more, the worse */

/* Who has a record {holder, host?, pid?, root?}, in words. */
struct holder {
	enum held	who;
	char		text[600];
};

static void
read_holder(struct migrate *m, struct holder *h, const struct js_message *msg)
{
	char		 self[HOST_IDENTITY_MAX];
	cJSON		*o = json_parse(msg->data, msg->len, NULL);
	const cJSON	*holder = json_get(o, "holder");
	const cJSON	*host = json_get(o, "host"), *pid = json_get(o, "pid");
	const cJSON	*root = json_get(o, "root");

	own_identity(m, self, sizeof(self));
	h->who = HELD;
	if (!cJSON_IsString(holder))
		snprintf(h->text, sizeof(h->text), "somebody whose record "
		    "cannot be read");
	else if (cJSON_IsString(host)) {
		h->who = strcmp(host->valuestring, self) == 0 ? HERE :
		    OTHER_HOST;
		snprintf(h->text, sizeof(h->text), "%.36s",
		    host->valuestring);
	} else if (cJSON_IsNumber(pid))
		snprintf(h->text, sizeof(h->text), "%s, process %.0f%s%.200s",
		    holder->valuestring, pid->valuedouble,
		    cJSON_IsString(root) ? " in " : "", cJSON_IsString(root) ?
		    root->valuestring : "");
	else
		snprintf(h->text, sizeof(h->text), "%s", holder->valuestring);
	cJSON_Delete(o);
}

static int
look_at_holder(struct migrate *m, enum bucket_kind kind, const char *key,
    struct holder *h, struct error *e)
{
	struct js_message	msg;
	int			r = get(m, kind, key, &msg, e);

	h->who = FREE;
	h->text[0] = '\0';
	if (r == 1) {
		read_holder(m, h, &msg);
		js_message_free(&msg);
	}
	return r == -1 ? -1 : 0;
}

/* One who does not know of leases, or is just gone, takes messages all the
 * same: how many of its requests wait. */
static int
count_pulls(struct migrate *m, uint64_t *n, struct error *e)
{
	static const enum stream_kind	 kinds[] = { STREAM_CHAT,
		    STREAM_INBOX };
	struct js_consumer		 c;
	char				 stream[STREAM_MAX], name[64];
	unsigned			 i, k;

	*n = 0;
	for (i = 0; i < m->layout.shards; i++)
		for (k = 0; k < 2; k++) {
			name_stream(stream, sizeof(stream), m->want.space,
			    kinds[k]);
			if (k == 0)
				space_fanout_name(name, sizeof(name), i,
				    m->layout.shards);
			else
				space_reader_name(name, sizeof(name), i,
				    m->layout.shards);
			if (js_consumer_info(m->bus, stream, name, &c, e) ==
			    -1) {
				if (e->api == JS_NO_CONSUMER ||
				    e->api == JS_NO_STREAM)
					continue;
				return -1;
			}
			*n += c.n_waiting;
			js_consumer_free(&c);
		}
	return 0;
}

struct occupants {
	struct holder	lease, manager;	/* lease: what matters most of all */
	uint64_t	pulls;
};

static int
look_once(struct migrate *m, struct occupants *o, struct error *e)
{
	struct holder	h;
	char		key[32];
	unsigned	i;

	memset(o, 0, sizeof(*o));
	for (i = 0; i < m->layout.shards; i++) {
		snprintf(key, sizeof(key), "lease.%u", i);
		if (look_at_holder(m, BUCKET_DELIVERY, key, &h, e) == -1)
			return -1;
		if (h.who > o->lease.who)
			o->lease = h;
	}
	if (look_at_holder(m, BUCKET_MANAGER, "lease", &o->manager, e) == -1)
		return -1;
	return o->lease.who == FREE ? count_pulls(m, &o->pulls, e) : 0;
}

static bool
is_free(const struct migrate *m, const struct occupants *o)
{
	return o->lease.who != HELD && o->pulls == 0 &&
	    (o->manager.who != HELD || m->want.workspace == NULL);
}

static void
judge_lease(struct migrate *m, const struct occupants *o)
{
	if (o->lease.who == HELD)
		migrate_stop(m, EX_TEMPFAIL, "lease", "is held by %s: end the"
		    " delivery daemon that has it (with SIGTERM, so that it "
		    "lets go; killed, it is held for %lld s more), and run "
		    "this again", o->lease.text,
		    (long long)(m->want.lease_ttl_ms / 1000));
	else if (o->pulls > 0)
		migrate_stop(m, EX_TEMPFAIL, "lease", "is free, and yet %llu "
		    "requests for messages wait at fanout and reader: a "
		    "delivery daemon that has no lease runs, or has just "
		    "died; end it, and run this again",
		    (unsigned long long)o->pulls);
	else if (o->lease.who == OTHER_HOST)
		migrate_step(m, STEP_NOTE, "lease", "is held by reeve on the "
		    "host %s: this one will stand by", o->lease.text);
	else
		migrate_step(m, STEP_OK, "lease", "%s", o->lease.who == HERE ?
		    "is held by this host" : "is free");
	m->served = o->lease.who == HERE;
	m->stands_by = o->lease.who == OTHER_HOST;
}

static void
judge_manager(struct migrate *m, const struct occupants *o)
{
	if (o->manager.who == HELD && m->want.workspace != NULL)
		migrate_stop(m, EX_TEMPFAIL, "manager", "its lease is held by"
		    " %s: end that manager, and run this again, or leave "
		    "agents to it, with --no-agents", o->manager.text);
	else if (o->manager.who == HELD)
		migrate_step(m, STEP_NOTE, "manager", "its lease is held by "
		    "%s: agents are left to it", o->manager.text);
	else if (o->manager.who == OTHER_HOST)
		migrate_step(m, STEP_NOTE, "manager", "its lease is held by "
		    "reeve on the host %s", o->manager.text);
	else
		migrate_step(m, STEP_OK, "manager", "%s",
		    o->manager.who == HERE ? "its lease is held by this host"
		    : "its lease is free");
}

static void
say_waits(struct migrate *m, const struct occupants *o)
{
	const char	*what = o->lease.who == HELD ? "lease" :
			    o->pulls > 0 ? "fanout, reader" : "manager";

	migrate_step(m, STEP_NOTE, what, "taken by %s: waits %lld s at most "
	    "for its end, end it now", o->lease.who == HELD ? o->lease.text :
	    o->pulls > 0 ? "a daemon without a lease" : o->manager.text,
	    (long long)(m->wait_ms / 1000));
}

/* Nobody is to end his daemon for what cannot be gone on with. */
int
migrate_look_at_leases(struct migrate *m, struct error *e)
{
	struct occupants	o;
	int64_t			until = clock_ms() + m->wait_ms;
	bool			said = false;

	for (;;) {
		if (look_once(m, &o, e) == -1)
			return -1;
		if (is_free(m, &o) || m->stop.code != 0 ||
		    clock_ms() >= until)
			break;
		if (!said)
			say_waits(m, &o);
		said = true;
		bus_turn(m->bus, NULL, 0, LOOK_MS);
	}
	judge_lease(m, &o);
	judge_manager(m, &o);
	return 0;
}

/* --- has everybody gone? ------------------------------------------------------- */

static void
judge_end(struct migrate *m, const struct occupants *o)
{
	if (o->lease.who == HERE && m->dry)
		migrate_step(m, STEP_WOULD, "lease", "is held by this host, "
		    "and is let go");
	else if (o->lease.who == HERE)
		migrate_stop(m, EX_TEMPFAIL, "lease", "is this host's still: "
		    "it was not let go, and expires within %lld s; run this "
		    "again then", (long long)(m->want.lease_ttl_ms / 1000));
	else if (o->lease.who == OTHER_HOST)
		migrate_stop(m, EX_TEMPFAIL, "lease", "is held by reeve on "
		    "the host %s: end it there, with `reeve down`, and run "
		    "this again", o->lease.text);
	else if (o->lease.who == HELD)
		migrate_step(m, STEP_NOTE, "lease", "is held by %s: the other"
		    " delivery daemon runs already", o->lease.text);
	else
		migrate_step(m, STEP_OK, "lease", "is free");
}

/* What was let go may take a moment; what is another host's is not let go. */
int
migrate_look_at_end(struct migrate *m, struct error *e)
{
	struct occupants	o;
	int64_t			until = clock_ms() + m->wait_ms;

	for (;;) {
		if (look_once(m, &o, e) == -1)
			return -1;
		if (m->dry || o.lease.who != HERE || clock_ms() >= until)
			break;
		bus_turn(m->bus, NULL, 0, LOOK_MS);
	}
	judge_end(m, &o);
	return 0;
}

int
migrate_look_at_rest(struct migrate *m, struct error *e)
{
	struct occupants	o;

	if (look_once(m, &o, e) == -1)
		return -1;
	if (o.lease.who == OTHER_HOST || o.lease.who == HERE)
		judge_end(m, &o);
	return 0;
}
