/* SPDX-License-Identifier: ISC */

/*
 * reeve-fanout: copies each message of CHAT to the inbox of everybody who is
 * owed it (wire section 5, "Fan-out routes, it does not authorize").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acls.h"
#include "channels.h"
#include "clock.h"
#include "headroom.h"
#include "json.h"
#include "log.h"
#include "members.h"
#include "message.h"
#include "roster.h"
#include "space.h"
#include "worker.h"

#define BATCH		256
#define CAP		1024
/* Of an owner's 1000 places: 800 are ours, and activation has the rest. */
#define HEADROOM	800
#define LOOK_MS		2000	/* while members are beyond the stream */

struct recipient {
	const char	*owner;		/* a view into a table */
	uint64_t	 generation;
	bool		 no_room;	/* and nobody knows it */
};

struct fanout {
	struct worker		 worker;
	struct members		*members;
	struct channels		*channels;
	struct acls		*acls;
	struct roster		*roster;
	struct headroom		 headroom;
	char			 stream[STREAM_MAX];
	char			 filter[SUBJECT_MAX];
	char			 durable[64];
	char			 dead[SUBJECT_MAX];
	struct recipient	*recipients;
	size_t			 n_recipients, cap_recipients;
	uint64_t		 copies, dropped, holds;
	size_t			 beyond;	/* members: see look_beyond */
	int64_t			 look_ms;	/* at them again; 0: not */
};

/* --- who is owed a message -------------------------------------------------- */

static void
add_recipient(struct fanout *f, const char *owner, uint64_t generation)
{
	struct recipient	*v;
	size_t			 cap = f->cap_recipients;

	if (f->n_recipients == cap) {
		cap = cap == 0 ? 64 : cap * 2;
		v = reallocarray(f->recipients, cap, sizeof(*v));
		if (v == NULL)
			fatal_memory();
		f->recipients = v;
		f->cap_recipients = cap;
	}
	f->recipients[f->n_recipients++] = (struct recipient){
		.owner = owner, .generation = generation };
}

static bool
has_recipient(const struct fanout *f, const char *owner)
{
	size_t	i;

	for (i = 0; i < f->n_recipients; i++)
		if (strcmp(f->recipients[i].owner, owner) == 0)
			return true;
	return false;
}

struct routing {
	struct fanout	*f;
	const char	*sender;
	uint64_t	 seq;
};

static bool
route_member(void *arg, const char *owner, const struct member *m)
{
	struct routing	*r = arg;
	uint64_t	 generation = member_entitles(m, r->seq);

	if (generation != 0 && strcmp(owner, r->sender) != 0)
		add_recipient(r->f, owner, generation);
	return true;
}

/* On a live channel: those mentioned, one owner each, whose ACL covers it. */
static void
route_mentions(struct fanout *f, const struct message *m)
{
	const struct acl	*acl;
	const char		*owner;
	size_t			 i;

	for (i = 0; i < m->mentions.n; i++) {
		owner = roster_mentioned(f->roster, f->acls,
		    m->mentions.v[i]);
		if (owner == NULL || strcmp(owner, m->from_id) == 0 ||
		    !role_owns(f->worker.role, owner) ||
		    has_recipient(f, owner))
			continue;
		acl = acls_find(f->acls, owner);
		if (acl != NULL && acl_covers(acl, m->channel))
			add_recipient(f, owner, 0);
	}
}

static enum entry_reason
route(struct fanout *f, const struct message *m, uint64_t seq)
{
	struct routing	r = { .f = f, .sender = m->from_id, .seq = seq };

	f->n_recipients = 0;
	if (channels_class(f->channels, m->channel) == CLASS_DURABLE) {
		members_each(f->members, m->channel, route_member, &r);
		return ENTRY_DURABLE_CHANNEL;
	}
	route_mentions(f, m);
	return ENTRY_LIVE_MENTION;
}

/* --- copying ------------------------------------------------------------------- */

/*
 * Has everybody room for a copy?  An owner without an ACL record has none
 * until the reader gives up on what is there, which takes long: it is not
 * waited for, or one such member would hold up the whole space.
 */
static bool
all_have_room(struct fanout *f)
{
	struct recipient	*r;
	size_t			 i;

	for (i = 0; i < f->n_recipients; i++) {
		r = &f->recipients[i];
		r->no_room = !headroom_allows(&f->headroom, r->owner);
		if (r->no_room && (!headroom_known(&f->headroom) ||
		    acls_find(f->acls, r->owner) != NULL))
			return false;
	}
	return true;
}

/* One entry to one owner; -1: the connection is gone. */
static int
copy_to(struct fanout *f, struct held *h, const struct recipient *to,
    const char *msg_id, char *body, size_t head_len, struct error *e)
{
	char		subject[SUBJECT_MAX], id[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .msg_id = id,
			    .data = body };

	subject_dinbox(subject, sizeof(subject), f->worker.role->config.space,
	    f->worker.role->shards, to->owner);
	name_entry(id, sizeof(id), msg_id, to->owner, to->generation,
	    f->worker.role->shards);
	p.len = head_len + (size_t)sprintf(body + head_len, "%llu}",
	    (unsigned long long)to->generation);
	if (to->no_room)
		return intake_bury(h, "unknown owner: no ACL record, and its "
		    "inbox is full", to->owner, &p, e);
	if (intake_store(h, &p, e) == 0) {
		headroom_count(&f->headroom, to->owner);
		f->copies++;
		return 0;
	}
	if (e->code != EX_DATAERR)
		return -1;
	return intake_bury(h, e->text, to->owner, &p, e);
}

static enum work
copy_to_all(struct fanout *f, struct held *h, const struct message *m,
    enum entry_reason reason, struct error *e)
{
	size_t	 i, head_len;
	char	*head, *body;

	head = entry_head(natsMsg_GetData(h->msg),
	    (size_t)natsMsg_GetDataLength(h->msg), m->channel, h->seq, reason,
	    &head_len);
	/* Room for the generation, which alone differs. */
	if (head == NULL || (body = realloc(head, head_len + 32)) == NULL)
		fatal_memory();
	for (i = 0; i < f->n_recipients; i++)
		if (copy_to(f, h, &f->recipients[i], m->id, body, head_len, e)
		    == -1) {
			free(body);
			return WORK_FAILED;
		}
	free(body);
	intake_done(h);
	return WORK_ON;
}

/* --- one message ------------------------------------------------------------------ */

static enum work
drop(struct fanout *f, struct held *h, const char *why)
{
	f->dropped++;
	log_debug("dropped", "seq=%llu why=%s", (unsigned long long)h->seq,
	    log_str(why));
	intake_done(h);
	return WORK_ON;
}

#ifdef REEVE_FAULTS
static void
fault(const struct message *m)
{
	const char	*id = getenv("REEVE_FAULT_CRASH_ID");

	if (id != NULL && strcmp(id, m->id) == 0)
		abort();
}
#endif

static enum work
work_parsed(struct fanout *f, struct held *h, const struct message *m,
    struct error *e)
{
	enum entry_reason	reason;

#ifdef REEVE_FAULTS
	fault(m);
#endif
	reason = route(f, m, h->seq);
	if (!all_have_room(f)) {
		f->holds++;
		intake_untake(h);
		return WORK_HOLD;
	}
	if (f->n_recipients > 0)
		return copy_to_all(f, h, m, reason, e);
	intake_done(h);
	return WORK_ON;
}

static enum work
work(struct worker *w, struct held *h, struct error *e)
{
	struct fanout	*f = w->own;
	struct subject	 s;
	struct message	 m;
	enum work	 r;

	if (layout_holds(members_layout(f->members), h->seq)) {
		intake_untake(h);
		return WORK_HOLD;
	}
	/* Before it is parsed: one that kills its worker must end too. */
	if (worker_is_poison(w, h)) {
		if (intake_bury(h, "delivered too often without success", NULL,
		    NULL, e) == -1)
			return WORK_FAILED;
		intake_done(h);
		return WORK_ON;
	}
	if (!subject_parse(&s, natsMsg_GetSubject(h->msg)) ||
	    s.kind != SUBJECT_CHAT)
		return drop(f, h, "not a chat subject");
	if (message_parse(&m, natsMsg_GetData(h->msg),
	    (size_t)natsMsg_GetDataLength(h->msg), e) == -1 ||
	    message_check(&m, &s, e) == -1) {
		message_free(&m);
		return drop(f, h, e->text);
	}
	r = work_parsed(f, h, &m, e);
	message_free(&m);
	return r;
}

/* --- the role ---------------------------------------------------------------------------- */

/*
 * A new durable begins with what is published from now on.  Where there are
 * members that would skip, in silence, what they were owed.
 */
static int
make_durable(struct worker *w, struct error *e)
{
	struct fanout	*f = w->own;
	cJSON		*config;
	int		 r;

	if (members_count(f->members) > 0)
		return error_set(e, EX_CONFIG, "durable %s of %s is missing "
		    "but there are members: say where it is to begin with "
		    "`reeve init --fanout-from SEQ|first|new`", f->durable,
		    f->stream);
	config = space_fanout(w->role->config.space, w->role->shard,
	    w->role->shards);
	if (config == NULL)
		fatal_memory();
	r = js_consumer_create(w->role->bus, f->stream, f->durable, config,
	    NULL, e);
	cJSON_Delete(config);
	return r;
}

static void
bound(struct worker *w)
{
	struct fanout	*f = w->own;

	headroom_bind(&f->headroom);
	f->look_ms = clock_ms();
}

/*
 * A membership that begins behind all that CHAT ever held was made for a
 * stream that was there before this one: its owner believes itself a member,
 * and is owed nothing until the sequences have come that far.
 */
static int
look_beyond(struct fanout *f, struct error *e)
{
	struct worker		*w = &f->worker;
	struct js_stream	 info;
	size_t			 n;

	if (f->look_ms == 0 || clock_ms() < f->look_ms)
		return 0;
	f->look_ms = clock_ms() + LOOK_MS;
	/* A join reads CHAT before it writes: so do we, of a fresh table. */
	if (watch_barrier(w->role->bus, w->watches, 1, JS_TIMEOUT_MS, e) == -1
	    || js_stream_info(w->role->bus, f->stream, &info, e) == -1)
		return bus_alive(w->role->bus) ? 0 : -1;
	n = members_beyond(f->members, info.last_seq);
	if (n > f->beyond)
		log_error("members of another stream get nothing", "members="
		    "%zu stream=%s last=%llu hint=\"they must join again\"", n,
		    f->stream, (unsigned long long)info.last_seq);
	else if (n == 0 && f->beyond > 0)
		log_info("all members are of this stream", "stream=%s",
		    f->stream);
	f->beyond = n;
	if (n == 0)
		f->look_ms = 0;
	return 0;
}

static int
tend(struct worker *w, struct error *e)
{
	struct fanout	*f = w->own;
	uint64_t	 settled, stored_seq;

	if (look_beyond(f, e) == -1)
		return -1;
	settled = intake_settled(w->intake, &stored_seq);
	return headroom_tend(&f->headroom, settled, stored_seq, e);
}

static int
session(struct role *r, struct error *e)
{
	struct fanout	*f = r->own;

	if (headroom_listen(&f->headroom, r->bus, e) == -1)
		return -1;
	return worker_session(&f->worker, e);
}

static int
make_tables(struct fanout *f, const char *space, struct error *e)
{
	struct worker	*w = &f->worker;

	f->members = members_new();
	f->channels = channels_new();
	f->acls = acls_new();
	f->roster = roster_new();
	if (f->members == NULL || f->channels == NULL || f->acls == NULL ||
	    f->roster == NULL)
		return error_errno(e, EX_OSERR, "tables");
	members_own(f->members, w->role->shard, w->role->shards);
	w->members = f->members;
	w->watches[0] = watch_new(space, BUCKET_MEMBERS, ">", &members_ops,
	    f->members);
	w->watches[1] = watch_new(space, BUCKET_CHANNELS, ">", &channels_ops,
	    f->channels);
	w->watches[2] = watch_new(space, BUCKET_ACL, ">", &acls_ops, f->acls);
	w->watches[3] = watch_new(space, BUCKET_PRESENCE, ">", &roster_ops,
	    f->roster);
	w->n_watches = 4;
	w->n_fresh = 3;		/* presence is advice; it is never fresh */
	if (w->watches[0] == NULL || w->watches[1] == NULL ||
	    w->watches[2] == NULL || w->watches[3] == NULL)
		return error_errno(e, EX_OSERR, "watches");
	return 0;
}

static int
start(struct role *r, struct error *e)
{
	static struct fanout	f;
	const char		*space = r->config.space;
	struct intake_conf	*c = &f.worker.intake_conf;

	r->own = &f;
	if (worker_init(&f.worker, r, e) == -1 ||
	    make_tables(&f, space, e) == -1)
		return -1;
	if (headroom_init(&f.headroom, space, r->shard, r->shards, HEADROOM)
	    == -1)
		return error_errno(e, EX_OSERR, "headroom");
	name_stream(f.stream, sizeof(f.stream), space, STREAM_CHAT);
	snprintf(f.filter, sizeof(f.filter), "cotal.%s.chat.>", space);
	space_fanout_name(f.durable, sizeof(f.durable), r->shard, r->shards);
	subject_dead(f.dead, sizeof(f.dead), space, r->shard_text, "fanout");
	c->stream = f.stream;
	c->durable = f.durable;
	c->filter = f.filter;
	c->dead_subject = f.dead;
	c->batch = BATCH;
	c->cap = CAP;
	f.worker.sees_all = true;
	f.worker.make_durable = make_durable;
	f.worker.bound = bound;
	f.worker.tend = tend;
	f.worker.work = work;
	f.worker.own = &f;
	return 0;
}

static void
health(struct role *r, cJSON *o)
{
	const struct fanout	*f = r->own;

	worker_health(&f->worker, o);
	cJSON_AddNumberToObject(o, "copies", (double)f->copies);
	cJSON_AddNumberToObject(o, "dropped", (double)f->dropped);
	cJSON_AddNumberToObject(o, "holds", (double)f->holds);
	cJSON_AddNumberToObject(o, "beyond", (double)f->beyond);
}

int
main(int argc, char **argv)
{
	static const struct role_def	def = {
		.name = "fanout", .start = start, .session = session,
		.health = health };

	return role_main(argc, argv, &def);
}
