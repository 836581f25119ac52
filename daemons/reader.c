/* SPDX-License-Identifier: ISC */

/*
 * reeve-reader: the trusted reader.  Authorizes each entry of INBOX by what
 * is true now, and hands the publisher's message on to its owner's dlv (wire
 * section 5, "The trusted reader authorizes").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acls.h"
#include "clock.h"
#include "json.h"
#include "log.h"
#include "map.h"
#include "members.h"
#include "space.h"
#include "worker.h"

#define BATCH		512
#define CAP		4096
#define NAK_DELAY_MS	2000
#define FOLLOW_MS	100		/* behind one that should be back */
#define FOLLOW_LATE_MS	500		/* but is not: no longer follow it */
#define NO_ACL		"unknown owner: no ACL record"
#define SAY_DEFERRED_MS	100		/* health, while any is deferred */
#define SAID_OWNERS_MAX	64		/* all of them; of more, who has ... */
#define SAID_LEAST	50		/* ... so many: the rest has room */
#define OVERDUE_MS	8000		/* a deferred entry should be back */

/* An entry given back with a delay; its owner waits behind it. */
struct deferred {
	RB_ENTRY(deferred)	 entry;		/* of all */
	RB_ENTRY(deferred)	 of_owner;
	uint64_t		 seq;
	int64_t			 since_ms, due_ms;
	char			*owner;
};
RB_HEAD(deferrals, deferred);
RB_HEAD(owned, deferred);

/* Those of one owner; at least one. */
struct waiting {
	struct owned	 entries;
	size_t		 n;
};

struct reader {
	struct worker		 worker;
	struct members		*members;
	struct acls		*acls;
	struct deferrals	 deferrals;	/* by sequence */
	size_t			 n_deferrals;
	struct map		*waiting;	/* owner: struct waiting */
	int64_t			 overdue_ms;	/* last look */
	char			 stream[STREAM_MAX];
	char			 filter[SUBJECT_MAX];
	char			 durable[64];
	char			 dead[SUBJECT_MAX];
	uint64_t		 delivered, no_acl, not_covered, not_member,
				    malformed;
};

/* --- deferred entries ---------------------------------------------------------- */

static int
deferred_cmp(const struct deferred *a, const struct deferred *b)
{
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

RB_GENERATE_STATIC(deferrals, deferred, entry, deferred_cmp)
RB_GENERATE_STATIC(owned, deferred, of_owner, deferred_cmp)

static struct deferred *
deferred_find(struct reader *r, uint64_t seq)
{
	struct deferred	key = { .seq = seq };

	return RB_FIND(deferrals, &r->deferrals, &key);
}

static struct waiting *
waiting_of(struct reader *r, const char *owner)
{
	struct waiting	*o = map_get(r->waiting, owner);

	if (o != NULL)
		return o;
	if ((o = calloc(1, sizeof(*o))) == NULL ||
	    map_put(r->waiting, owner, o, NULL) == -1)
		fatal_memory();
	RB_INIT(&o->entries);
	return o;
}

static void
deferred_add(struct reader *r, uint64_t seq, const char *owner,
    int64_t delay_ms)
{
	struct waiting	*o = waiting_of(r, owner);
	struct deferred	*d;

	if ((d = calloc(1, sizeof(*d))) == NULL ||
	    (d->owner = strdup(owner)) == NULL)
		fatal_memory();
	d->seq = seq;
	d->since_ms = clock_ms();
	d->due_ms = d->since_ms + delay_ms;
	RB_INSERT(deferrals, &r->deferrals, d);
	r->n_deferrals++;
	RB_INSERT(owned, &o->entries, d);
	o->n++;
}

static void
deferred_drop(struct reader *r, struct deferred *d)
{
	struct waiting	*o = waiting_of(r, d->owner);

	RB_REMOVE(deferrals, &r->deferrals, d);
	r->n_deferrals--;
	RB_REMOVE(owned, &o->entries, d);
	if (--o->n == 0)
		free(map_del(r->waiting, d->owner));
	free(d->owner);
	free(d);
}

/* The entry of this owner before seq that is still away, or NULL. */
static const struct deferred *
waits_behind(struct reader *r, const char *owner, uint64_t seq)
{
	struct waiting	*o = map_get(r->waiting, owner);
	struct deferred	 key = { .seq = seq }, *next;

	if (o == NULL)
		return NULL;
	next = RB_NFIND(owned, &o->entries, &key);
	return next == NULL ? RB_MAX(owned, &o->entries) :
	    RB_PREV(owned, &o->entries, next);
}

static size_t
count_deferred(void *arg)
{
	return ((struct reader *)arg)->n_deferrals;
}

static bool
is_deferred(void *arg, uint64_t seq)
{
	return deferred_find(arg, seq) != NULL;
}

/* One that is long overdue was evicted: nothing waits behind it any more. */
static int
check_overdue(struct reader *r, struct error *e)
{
	struct deferred		*d, *next;
	struct js_message	 m;
	int64_t			 now = clock_ms();
	int			 found;

	if (now - r->overdue_ms < OVERDUE_MS / 4)
		return 0;
	r->overdue_ms = now;
	for (d = RB_MIN(deferrals, &r->deferrals); d != NULL; d = next) {
		next = RB_NEXT(deferrals, &r->deferrals, d);
		if (now - d->since_ms < OVERDUE_MS)
			continue;
		found = js_get(r->worker.role->bus, r->stream, JS_BY_SEQ,
		    d->seq, NULL, &m, e);
		if (found == -1)
			return -1;
		if (found == 1) {
			js_message_free(&m);
			continue;
		}
		losses_add(&r->worker.losses, d->seq - 1, d->seq + 1, 1,
		    false);
		deferred_drop(r, d);
	}
	return 0;
}

/* --- one entry ------------------------------------------------------------------- */

static enum work
finish(struct held *h)
{
	intake_done(h);
	return WORK_ON;
}

static enum work
bury(struct held *h, const char *reason, const char *owner, struct error *e)
{
	if (intake_bury(h, reason, owner, NULL, e) == -1)
		return WORK_FAILED;
	return finish(h);
}

static enum work
defer(struct reader *r, struct held *h, const char *owner, int64_t delay_ms)
{
	deferred_add(r, h->seq, owner, delay_ms);
	intake_nak(h, delay_ms);
	return WORK_ON;
}

/*
 * Back when the one before it is: with a delay of its own, each would miss
 * the one before by a moment, and the last be late for as long as more come.
 */
static enum work
follow(struct reader *r, struct held *h, const char *owner,
    const struct deferred *before)
{
	int64_t	left = before->due_ms - clock_ms();

	if (left < -FOLLOW_LATE_MS)
		left = NAK_DELAY_MS;
	return defer(r, h, owner, left > FOLLOW_MS ? left : FOLLOW_MS);
}

static enum work
deliver(struct reader *r, struct held *h, const struct entry *en,
    const char *owner, struct error *e)
{
	char		subject[SUBJECT_MAX], id[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .msg_id = id,
			    .data = en->msg, .len = en->msg_len };

	subject_dlv(subject, sizeof(subject), r->worker.role->config.space,
	    owner);
	/* of one layout, whatever the shards: DLV outlives them */
	name_entry(id, sizeof(id), en->msg_id, owner, en->generation, 1);
	if (intake_store(h, &p, e) == -1)
		return e->code == EX_DATAERR ? bury(h, e->text, owner, e) :
		    WORK_FAILED;
	r->delivered++;
	return finish(h);
}

/* By current state: the ACL gates all, the interval gates members' copies. */
static enum work
authorize(struct reader *r, struct held *h, const struct entry *en,
    const char *owner, struct error *e)
{
	const struct acl	*acl = acls_find(r->acls, owner);
	const struct member	*m;

	if (acl == NULL) {
		r->no_acl++;
		return worker_may_give_up(h) ? bury(h, NO_ACL, owner, e) :
		    defer(r, h, owner, NAK_DELAY_MS);
	}
	if (!acl_covers(acl, en->channel)) {
		r->not_covered++;
		return finish(h);
	}
	if (en->reason == ENTRY_DURABLE_CHANNEL) {
		m = members_find(r->members, en->channel, owner);
		if (m == NULL || member_entitles(m, en->seq) == 0) {
			r->not_member++;
			return finish(h);
		}
	}
	return deliver(r, h, en, owner, e);
}

#ifdef REEVE_FAULTS
static void
fault(const struct entry *en)
{
	const char	*id = getenv("REEVE_FAULT_CRASH_ID");

	if (id != NULL && strcmp(id, en->msg_id) == 0)
		abort();
}
#endif

static enum work
work(struct worker *w, struct held *h, struct error *e)
{
	struct reader	*r = w->own;
	struct deferred		*away = deferred_find(r, h->seq);
	const struct deferred	*before;
	const char		*owner;
	struct entry		 en;
	enum work		 rv;

	owner = subject_dinbox_owner(natsMsg_GetSubject(h->msg),
	    w->role->config.space, w->role->shards);
	/* Before it is parsed: one that kills its reader must end too. */
	if (away == NULL && worker_is_poison(w, h))
		return bury(h, "delivered too often without success", owner,
		    e);
	if (away != NULL)
		deferred_drop(r, away);
	if (owner == NULL || !role_owns(w->role, owner)) {
		r->malformed++;
		return finish(h);
	}
	if ((before = waits_behind(r, owner, h->seq)) != NULL)
		return follow(r, h, owner, before);
	if (entry_read(&en, natsMsg_GetData(h->msg),
	    (size_t)natsMsg_GetDataLength(h->msg), e) == -1) {
		r->malformed++;
		rv = bury(h, e->text, owner, e);
	} else {
#ifdef REEVE_FAULTS
		fault(&en);
#endif
		rv = authorize(r, h, &en, owner, e);
	}
	entry_free(&en);
	return rv;
}

/* --- the role -------------------------------------------------------------------------- */

/* How far an earlier reader of this host was surely done; 0: not known. */
static uint64_t
known_floor(const struct worker *w, int64_t *stored_ms)
{
	const struct intake_progress	*p = w->intake_conf.progress;
	bool				 lost = p->lost_seq > p->floor_seq;

	*stored_ms = lost ? p->lost_ms : p->floor_ms;
	return lost ? p->lost_seq : p->floor_seq;
}

/* Was m stored no later than at ms, to the second? */
static bool
stored_by(const struct js_message *m, int64_t ms)
{
	int64_t	ns = js_time_ns(m->time);

	return ns > 0 && ns / 1000000000 <= ms / 1000;
}

/*
 * Is floor a place in this very stream?  It has come that far, and the oldest
 * entry, if it is one of those done, was there by then: a stream that was
 * made anew has the sequences again, but stored later.  1, 0, or -1 with *e;
 * *last_seq is that of the newest entry, 0 if there is none.
 */
static int
is_place(struct reader *r, uint64_t floor, int64_t floor_ms,
    uint64_t *last_seq, struct error *e)
{
	struct bus		*b = r->worker.role->bus;
	struct js_message	 m;
	int			 found;
	bool			 same;

	*last_seq = 0;
	found = js_get(b, r->stream, JS_LAST_BY_SUBJECT, 0, r->filter, &m, e);
	if (found != 1)
		return found;
	*last_seq = m.seq;
	js_message_free(&m);
	found = js_get(b, r->stream, JS_NEXT_BY_SUBJECT, 1, r->filter, &m, e);
	if (found != 1)
		return found;
	same = *last_seq >= floor &&
	    (m.seq > floor || stored_by(&m, floor_ms));
	js_message_free(&m);
	return same;
}

/*
 * Behind what is surely done: the ids of what was delivered long ago are
 * forgotten.  Where that is not known, all is better than a part: an entry
 * that comes twice can be known by its id, one that is lost by nothing.
 */
static int
begin_behind(struct reader *r, cJSON *config, struct error *e)
{
	int64_t		floor_ms;
	uint64_t	floor = known_floor(&r->worker, &floor_ms), last;
	int		place = is_place(r, floor, floor_ms, &last, e);

	if (place == -1 || last == 0)
		return place;
	if (floor == 0 || place == 0) {
		log_warn("begins with all that is stored", "consumer=%s "
		    "last=%llu", r->durable, (unsigned long long)last);
		/* What is missing among these may have been delivered. */
		r->worker.sees_from_seq = last;
		return 0;
	}
	log_warn("begins behind what was done", "consumer=%s done=%llu",
	    r->durable, (unsigned long long)floor);
	cJSON_DeleteItemFromObjectCaseSensitive(config, "deliver_policy");
	if (cJSON_AddStringToObject(config, "deliver_policy",
	    "by_start_sequence") == NULL || cJSON_AddNumberToObject(config,
	    "opt_start_seq", (double)floor + 1) == NULL)
		fatal_memory();
	return 0;
}

static int
make_durable(struct worker *w, struct error *e)
{
	struct reader	*r = w->own;
	cJSON		*config;
	int		 rv;

	config = space_reader(w->role->config.space, w->role->shard,
	    w->role->shards);
	if (config == NULL)
		fatal_memory();
	w->sees_from_seq = 0;
	rv = begin_behind(r, config, e);
	if (rv == 0)
		rv = js_consumer_create(w->role->bus, r->stream, r->durable,
		    config, NULL, e);
	cJSON_Delete(config);
	return rv;
}

/* What was deferred comes back with the recovery, in order. */
static void
bound(struct worker *w)
{
	struct reader	*r = w->own;
	struct deferred	*d;

	while ((d = RB_MIN(deferrals, &r->deferrals)) != NULL)
		deferred_drop(r, d);
}

static int
tend(struct worker *w, struct error *e)
{
	struct reader	*r = w->own;

	/* Fan-out waits for this word while something is deferred. */
	w->role->health_every_ms = r->n_deferrals > 0 ? SAY_DEFERRED_MS : 0;
	return check_overdue(r, e);
}

static int
session(struct role *r, struct error *e)
{
	struct reader	*rd = r->own;

	return worker_session(&rd->worker, e);
}

static int
make_tables(struct reader *r, const char *space, struct error *e)
{
	struct worker	*w = &r->worker;

	r->members = members_new();
	r->acls = acls_new();
	r->waiting = map_new();
	RB_INIT(&r->deferrals);
	if (r->members == NULL || r->acls == NULL || r->waiting == NULL)
		return error_errno(e, EX_OSERR, "tables");
	members_own(r->members, w->role->shard, w->role->shards);
	w->members = r->members;
	w->watches[0] = watch_new(space, BUCKET_MEMBERS, ">", &members_ops,
	    r->members);
	w->watches[1] = watch_new(space, BUCKET_ACL, ">", &acls_ops, r->acls);
	w->n_watches = w->n_fresh = 2;
	if (w->watches[0] == NULL || w->watches[1] == NULL)
		return error_errno(e, EX_OSERR, "watches");
	return 0;
}

static int
start(struct role *r, struct error *e)
{
	static struct reader	 rd;
	const char		*space = r->config.space;
	struct intake_conf	*c = &rd.worker.intake_conf;

	r->own = &rd;
	if (worker_init(&rd.worker, r, e) == -1 ||
	    make_tables(&rd, space, e) == -1)
		return -1;
	name_stream(rd.stream, sizeof(rd.stream), space, STREAM_INBOX);
	if (r->shards > 1)
		snprintf(rd.filter, sizeof(rd.filter), "cotal.%s.dinbox.%u.>",
		    space, r->shard);
	else
		snprintf(rd.filter, sizeof(rd.filter), "cotal.%s.dinbox.>",
		    space);
	space_reader_name(rd.durable, sizeof(rd.durable), r->shard,
	    r->shards);
	subject_dead(rd.dead, sizeof(rd.dead), space, r->shard_text,
	    "reader");
	c->stream = rd.stream;
	c->durable = rd.durable;
	c->filter = rd.filter;
	c->dead_subject = rd.dead;
	c->batch = BATCH;
	c->cap = CAP;
	c->deferred = count_deferred;
	c->is_deferred = is_deferred;
	c->arg = &rd;
	/* With more shards others' entries lie between its own. */
	rd.worker.sees_all = r->shards == 1;
	rd.worker.make_durable = make_durable;
	rd.worker.bound = bound;
	rd.worker.tend = tend;
	rd.worker.work = work;
	rd.worker.own = &rd;
	return 0;
}

/*
 * For fan-out, which must not run ahead of us: all up to clearSeq is dealt
 * with but for the entries of deferredOwners.  Of very many owners those are
 * left out that have so few entries that nothing is near its bound.
 */
static void
say_clear(struct reader *r, cJSON *o)
{
	const struct map_node	*n;
	const struct waiting	*w;
	bool			 all = map_count(r->waiting) <=
				    SAID_OWNERS_MAX;
	uint64_t		 seq;
	cJSON			*owners;

	if (r->worker.intake == NULL ||
	    (seq = intake_clear_seq(r->worker.intake)) == 0)
		return;
	cJSON_AddNumberToObject(o, "clearSeq", (double)seq);
	/* Whether all are named: control asks for one of them. */
	cJSON_AddNumberToObject(o, "nDeferredOwners",
	    (double)map_count(r->waiting));
	owners = cJSON_AddArrayToObject(o, "deferredOwners");
	for (n = map_first(r->waiting); n != NULL; n = map_next(n)) {
		w = map_value(n);
		if (all || w->n >= SAID_LEAST)
			cJSON_AddItemToArray(owners,
			    cJSON_CreateString(map_key(n)));
	}
}

static void
health(struct role *r, cJSON *o)
{
	struct reader	*rd = r->own;

	worker_health(&rd->worker, o);
	say_clear(rd, o);
	cJSON_AddNumberToObject(o, "delivered", (double)rd->delivered);
	cJSON_AddNumberToObject(o, "deferred", (double)rd->n_deferrals);
	cJSON_AddNumberToObject(o, "noAcl", (double)rd->no_acl);
	cJSON_AddNumberToObject(o, "notCovered", (double)rd->not_covered);
	cJSON_AddNumberToObject(o, "notMember", (double)rd->not_member);
	cJSON_AddNumberToObject(o, "malformed", (double)rd->malformed);
}

int
main(int argc, char **argv)
{
	static const struct role_def	def = {
		.name = "reader", .start = start, .session = session,
		.health = health };

	return role_main(argc, argv, &def);
}
