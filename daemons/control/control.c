/* SPDX-License-Identifier: ISC */

/*
 * reeve-control: serves ctl.delivery, by which agents join, leave and list
 * their durable memberships (wire section 6).
 */
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acls.h"
#include "clock.h"
#include "ctl.h"
#include "gate.h"
#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "space.h"

#include "control.h"

#define TURN_MS		200
#define IDLE_TURN_MS	500
#define AGAIN_MS	20		/* a request that waits is run again */
#define READ_MS		2000
#define QUEUE_MAX	1024		/* requests; the rest time out */
#define REQUEST_MAX	(16 * 1024)	/* bytes */
#define STALE_MS	25000		/* nobody waits for its answer */
/* Of an owner's 1000 places in INBOX, beside fan-out's 800. */
#define HEADROOM	150
#define ENDING		"delivery stops here, or moves to another host; " \
			CTL_LATER

static const struct op *const ops[] = { &op_join, &op_leave, &op_list };
#define N_OPS	(sizeof(ops) / sizeof(ops[0]))

struct queued {
	STAILQ_ENTRY(queued)	 entry;
	natsMsg			*msg;
	int64_t			 came_ms;
	int64_t			 due_ms;	/* not to be run before */
	struct waiting		 wait;
};

struct responder {
	struct control		 control;
	struct gate		 gate;
	struct bus_sub		*sub;		/* NULL: paused */
	bool			 heard;		/* the broker has it */
	STAILQ_HEAD(, queued)	 queue;
	unsigned		 n_queued;
	uint64_t		 served, refused, unbound, overflow;
};

/* --- whose it is ----------------------------------------------------------------- */

/* Each shard's responder hears every request, and is silent on those of
 * another's callers. */
static bool
is_ours(const struct role *r, natsMsg *m)
{
	struct subject	s;
	char		caller[SUBJECT_MAX];

	if (r->shards == 1 || !subject_parse(&s, natsMsg_GetSubject(m)))
		return true;
	snprintf(caller, sizeof(caller), "%.*s", (int)s.sender_len, s.sender);
	return role_owns(r, caller);
}

/* Hosts share a shard's requests, shards do not. */
static void
queue_group(const struct role *r, char *buf, size_t size)
{
	if (r->shards == 1)
		snprintf(buf, size, "delivery");
	else
		snprintf(buf, size, "delivery_%u", r->shard);
}

/* --- requests in, answers out ------------------------------------------------------- */

static void
put_request(struct responder *rs, struct queued *q)
{
	STAILQ_INSERT_TAIL(&rs->queue, q, entry);
	rs->n_queued++;
}

static void
take_request(struct responder *rs, struct queued *q)
{
	STAILQ_REMOVE(&rs->queue, q, queued, entry);
	rs->n_queued--;
}

/* The first that is to be run now; *left_ms: else, when one is. */
static struct queued *
due_request(struct responder *rs, int64_t *left_ms)
{
	struct queued	*q;
	int64_t		 now = clock_ms();

	STAILQ_FOREACH(q, &rs->queue, entry) {
		if (q->due_ms <= now)
			return q;
		if (left_ms != NULL && q->due_ms - now < *left_ms)
			*left_ms = q->due_ms - now;
	}
	return NULL;
}

/* Whoever asked must see a refusal from what passes. */
static const char *
reason(const struct error *e, char *buf, size_t size)
{
	static const char	later[] = "; " CTL_LATER;
	size_t			len = strlen(e->text), n = strlen(CTL_LATER);

	if ((e->code != EX_TEMPFAIL && e->code != EX_UNAVAILABLE) ||
	    (len >= n && strcmp(e->text + len - n, CTL_LATER) == 0))
		return e->text;
	snprintf(buf, size, "%.*s%s", (int)(size - sizeof(later)), e->text,
	    later);
	return buf;
}

static void
answer(struct responder *rs, natsMsg *m, cJSON *data, const struct error *e)
{
	char	text[sizeof(e->text)];

	ctl_answer(rs->control.bus, natsMsg_GetReply(m), data,
	    data != NULL ? NULL : reason(e, text, sizeof(text)), 0);
}

/* Far more than a request can need: a flood of these must not fill us. */
static void
refuse_large(struct responder *rs, natsMsg *m)
{
	struct error	e;

	rs->overflow++;
	error_set(&e, EX_DATAERR, "the request has %d bytes; at most %d are "
	    "read", natsMsg_GetDataLength(m), REQUEST_MAX);
	if (ctl_is_bound(m))
		answer(rs, m, NULL, &e);
}

/* Nobody should wait for what we will not do; an answer on a dead link goes
 * nowhere, and does no harm. */
static void
refuse_queued(struct responder *rs)
{
	struct queued	*q;
	struct error	 e;

	error_set(&e, EX_TEMPFAIL, "%s", ENDING);
	while ((q = STAILQ_FIRST(&rs->queue)) != NULL) {
		take_request(rs, q);
		if (ctl_is_bound(q->msg))
			answer(rs, q->msg, NULL, &e);
		bus_msg_free(q->msg);
		free(q);
	}
}

static void
on_request(void *arg, natsMsg *m)
{
	struct responder	*rs = arg;
	struct queued		*q;

	if (!is_ours(rs->control.role, m)) {
		bus_msg_free(m);
		return;
	}
	if (natsMsg_GetDataLength(m) > REQUEST_MAX) {
		refuse_large(rs, m);
		bus_msg_free(m);
		return;
	}
	if (rs->n_queued >= QUEUE_MAX || (q = calloc(1, sizeof(*q))) == NULL) {
		rs->overflow++;
		bus_msg_free(m);
		return;
	}
	q->msg = m;
	q->came_ms = clock_ms();
	put_request(rs, q);
}

/* --- checking ------------------------------------------------------------------------ */

static const struct op *
find_op(const char *name)
{
	size_t	i;

	for (i = 0; i < N_OPS; i++)
		if (strcmp(ops[i]->name, name) == 0)
			return ops[i];
	return NULL;
}

static int
check_channel(struct request *rq, struct error *e)
{
	const cJSON	*ch = json_get(rq->args, "channel");

	if (!cJSON_IsString(ch))
		return error_set(e, EX_DATAERR, "args.channel: expected a "
		    "string");
	if (!channel_is_concrete(ch->valuestring))
		return error_set(e, EX_DATAERR, "args.channel: \"%s\" is not "
		    "a concrete channel", ch->valuestring);
	rq->channel = ch->valuestring;
	return 0;
}

static int
refuse_uncovered(const struct acl *acl, const char *channel, struct error *e)
{
	char	list[300] = "";
	size_t	i, used = 0;

	for (i = 0; i < acl->n_allow && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		    "%s%s", i == 0 ? "" : ", ", acl->allow[i]);
	return error_set(e, EX_NOPERM, "channel \"%s\" is not within your "
	    "read ACL [%s]", channel, list);
}

/* The caller's ACL record, read now. */
static int
check_acl(struct control *c, const struct request *rq, struct error *e)
{
	char			 stream[STREAM_MAX], subject[SUBJECT_MAX];
	struct js_message	 m;
	struct acl		 acl;
	int			 found, rv = 0;

	name_bucket_stream(stream, sizeof(stream), c->role->config.space,
	    BUCKET_ACL);
	name_bucket_key(subject, sizeof(subject), c->role->config.space,
	    BUCKET_ACL, rq->caller);
	found = js_get(c->bus, stream, JS_LAST_BY_SUBJECT, 0, subject, &m, e);
	if (found == -1)
		return -1;
	if (found == 1 && m.deleted) {
		js_message_free(&m);
		found = 0;
	}
	if (found == 0)
		return error_set(e, EX_NOPERM, "you have no ACL record: ask "
		    "your operator to onboard you");
	if (acl_read(&acl, m.data, m.len, e) == -1)
		rv = error_wrap(e, "your ACL record is unreadable");
	else if (!acl_covers(&acl, rq->channel))
		rv = refuse_uncovered(&acl, rq->channel, e);
	acl_free(&acl);
	js_message_free(&m);
	return rv;
}

/* --- serving ---------------------------------------------------------------------------- */

static int
serve_parsed(struct responder *rs, const struct ctl_request *asked,
    struct waiting *wait, cJSON *data, struct error *e)
{
	struct request	 rq = { .caller = asked->caller, .args = asked->args,
			    .wait = wait };
	const struct op	*op;

	if (control_check_layout(&rs->control, e) == -1)
		return -1;
	if ((op = find_op(asked->op)) == NULL)
		return error_set(e, EX_DATAERR, "op \"%s\" not supported on "
		    "the delivery control service", asked->op);
	if (op->channel && check_channel(&rq, e) == -1)
		return -1;
	if (op->acl && check_acl(&rs->control, &rq, e) == -1)
		return -1;
	return op->run(&rs->control, &rq, data, e);
}

int
control_check_layout(struct control *c, struct error *e)
{
	const struct layout	*l = members_layout(c->members);

	if (l->next == 0 && l->shards == c->role->shards)
		return 0;
	return error_set(e, EX_TEMPFAIL, "the number of shards is being "
	    "changed; " CTL_LATER);
}

/* Is what is begun still ours to do? */
static bool
turn(struct responder *rs, int64_t timeout_ms)
{
	return role_turn(rs->control.role, timeout_ms) &&
	    gate_is_open(&rs->gate);
}

int
control_turn(struct control *c, int64_t timeout_ms, struct error *e)
{
	if (!turn(c->role->own, timeout_ms))
		return error_set(e, EX_TEMPFAIL, "%s", ENDING);
	return control_check_layout(c, e);
}

static void
drop_unbound(struct responder *rs, natsMsg *m)
{
	rs->unbound++;
	log_warn("request without a reply lane of its own",
	    "subject=%s reply=%s", log_str(natsMsg_GetSubject(m)),
	    log_str(natsMsg_GetReply(m)));
}

/* False: it waits, and is to be run again. */
static bool
serve(struct responder *rs, natsMsg *m, struct waiting *wait)
{
	struct ctl_request	 rq;
	struct error		 e = { .code = 0 };
	cJSON			*data = NULL;
	int			 r = -1;

	if (!ctl_is_bound(m)) {
		drop_unbound(rs, m);
		return true;
	}
	if (ctl_read(&rq, m, &e) == 0) {
		if ((data = cJSON_CreateObject()) == NULL)
			fatal_memory();
		r = serve_parsed(rs, &rq, wait, data, &e);
	}
	ctl_free(&rq);
	if (r != 0) {
		cJSON_Delete(data);
		data = NULL;
	}
	if (r == 1)
		return false;
	if (data == NULL) {
		rs->refused++;
		log_info("refused", "subject=%s error=%s",
		    log_str(natsMsg_GetSubject(m)), log_str(e.text));
	}
	rs->served++;
	answer(rs, m, data, &e);
	return true;
}

/* The lease as the store has it: nothing is answered on the clock's word
 * alone. */
static bool
proven(struct responder *rs)
{
	struct error	e;

	if (gate_read(&rs->gate, READ_MS, &e) == -1)
		return false;
	while (!gate_read_settled(&rs->gate) && turn(rs, TURN_MS))
		;
	return gate_read_open(&rs->gate);
}

/* One at a time: two joins would share the catch-up consumer.  One that only
 * waits goes behind the others. */
static void
serve_one(struct responder *rs)
{
	struct queued	*q;

	if (!rs->heard || due_request(rs, NULL) == NULL || !proven(rs) ||
	    (q = due_request(rs, NULL)) == NULL)
		return;
	take_request(rs, q);
	if (clock_ms() - q->came_ms < STALE_MS &&
	    !serve(rs, q->msg, &q->wait)) {
		q->due_ms = clock_ms() + AGAIN_MS;
		put_request(rs, q);
		return;
	}
	bus_msg_free(q->msg);
	free(q);
}

/* --- the role ----------------------------------------------------------------------------- */

/* No subscription while paused: "no responder" tells clients to do without. */
static int
set_open(struct responder *rs, bool open, struct error *e)
{
	struct role	*r = rs->control.role;
	char		 subject[SUBJECT_MAX], group[32];

	if (!open && rs->sub != NULL) {
		bus_unsubscribe(rs->control.bus, rs->sub);
		rs->sub = NULL;
		refuse_queued(rs);
	}
	if (open && rs->sub == NULL) {
		subject_ctl(subject, sizeof(subject), r->config.space,
		    "delivery", "*");
		queue_group(r, group, sizeof(group));
		rs->sub = bus_subscribe(rs->control.bus, subject, group,
		    on_request, rs, e);
		if (rs->sub == NULL)
			return -1;
		rs->heard = false;
		headroom_bind(&rs->control.headroom);
	}
	/* The broker has the subscription when it answers what came after:
	 * who is told that we are ready may ask at once. */
	if (open && !rs->heard && !(rs->heard = proven(rs)))
		return 0;
	role_set_state(r, open ? ROLE_BOUND : ROLE_PAUSED,
	    gate_why(&rs->gate));
	if (gate_elsewhere(&rs->gate))
		role_say_ready(r);
	return 0;
}

static int
bind_session(struct responder *rs, struct error *e)
{
	struct control	*c = &rs->control;

	c->bus = c->role->bus;
	c->entries_settled = c->entries_seq = 0;
	if (gate_bind(&rs->gate, c->bus, e) == -1 ||
	    headroom_listen(&c->headroom, c->bus, e) == -1)
		return -1;
	return watch_bind(c->members_watch, c->bus, e);
}

static int
loop(struct responder *rs, struct error *e)
{
	struct control	*c = &rs->control;
	int64_t		 left = TURN_MS;
	int		 known;

	do {
		if (gate_tend(&rs->gate, e) == -1 ||
		    watch_tend(c->members_watch, e) == -1 ||
		    (known = gate_tables_known(&rs->gate, &c->members_watch, 1,
		    e)) == -1)
			return -1;
		if (known == 0)
			continue;
		if (watch_synced(c->members_watch) &&
		    layout_fits(members_layout(c->members), c->role->shards,
		    e) == -1)
			return -1;
		bus_limit(c->bus, gate_is_open(&rs->gate) ? gate_limit : NULL,
		    &rs->gate);
		if (set_open(rs, gate_is_open(&rs->gate), e) == -1 ||
		    headroom_tend(&c->headroom, c->entries_settled,
		    c->entries_seq, e) == -1)
			return -1;
		serve_one(rs);
		bus_limit(c->bus, NULL, NULL);
		left = rs->sub == NULL ? TURN_MS :
		    gate_valid_until(&rs->gate) - clock_ms();
		if (due_request(rs, &left) != NULL)
			left = 0;
	} while (role_turn(c->role, left < IDLE_TURN_MS ? left :
	    IDLE_TURN_MS));
	return 0;
}

static int
session(struct role *r, struct error *e)
{
	struct responder	*rs = r->own;
	int			 rv = bind_session(rs, e);

	if (rv == 0)
		rv = loop(rs, e);
	bus_limit(r->bus, NULL, NULL);
	/* Answered by somebody else, or by us in the next session. */
	if (rs->sub != NULL && bus_alive(r->bus))
		bus_unsubscribe(r->bus, rs->sub);
	rs->sub = NULL;
	refuse_queued(rs);
	watch_unbind(rs->control.members_watch);
	gate_unbind(&rs->gate);
	return rv;
}

static int
start(struct role *r, struct error *e)
{
	static struct responder	 rs;
	struct control		*c = &rs.control;
	const char		*space = r->config.space;

	r->own = &rs;
	c->role = r;
	STAILQ_INIT(&rs.queue);
	if (gate_init(&rs.gate, space, r->shard, &r->host, e) == -1)
		return -1;
	if ((c->members = members_new()) == NULL ||
	    (c->members_watch = watch_new(space, BUCKET_MEMBERS, ">",
	    &members_ops, c->members)) == NULL ||
	    headroom_init(&c->headroom, space, r->shard, r->shards, HEADROOM)
	    == -1)
		return error_errno(e, EX_OSERR, "tables");
	members_own(c->members, r->shard, r->shards);
	name_stream(c->chat, sizeof(c->chat), space, STREAM_CHAT);
	name_stream(c->inbox, sizeof(c->inbox), space, STREAM_INBOX);
	space_fanout_name(c->fanout, sizeof(c->fanout), r->shard, r->shards);
	space_reader_name(c->reader, sizeof(c->reader), r->shard, r->shards);
	return 0;
}

static void
health(struct role *r, cJSON *o)
{
	const struct responder	*rs = r->own;

	cJSON_AddNumberToObject(o, "served", (double)rs->served);
	cJSON_AddNumberToObject(o, "refused", (double)rs->refused);
	cJSON_AddNumberToObject(o, "unbound", (double)rs->unbound);
	cJSON_AddNumberToObject(o, "overflow", (double)rs->overflow);
}

int
main(int argc, char **argv)
{
	static const struct role_def	def = {
		.name = "control", .start = start, .session = session,
		.health = health };

	return role_main(argc, argv, &def);
}
