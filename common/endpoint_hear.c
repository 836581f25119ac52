/* SPDX-License-Identifier: ISC */

/* What comes in: checked, given once, settled with each of its copies. */
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "endpoint_impl.h"
#include "jetstream.h"
#include "map.h"
#include "pull.h"
#include "seen.h"

#define N_SOURCES	3
#define BATCH		128		/* messages a pull request */
#define ROOM		256		/* asked for at a time */
#define TASKS_MAX	64		/* of a shared queue, unsettled here */
#define EXPIRES_MS	30000
#define INFO_MS		2000
#define AGAIN_MS	10000		/* a durable that is missing: looked for */
#define LATE_MAX	4096		/* settled while there is no link */
#define NAK_SOON	"-NAK {\"delay\":100000000}"
#define NAK_LATER	"-NAK {\"delay\":1000000000}"

enum source_state { SOURCE_OFF, SOURCE_ASKED, SOURCE_ON, SOURCE_MISSING };

/* One of its durables. */
struct source {
	struct hear_part	*part;
	enum stream_kind	 kind;
	enum source_state	 state;
	struct pull		 pull;
	char			 stream[STREAM_MAX], name[STREAM_MAX];
	bool			 warned;
	int64_t			 again_ms;	/* MISSING: ask then */
	unsigned		 unsettled;	/* messages that are held */
};

/* A durable copy that is not settled.  A redelivery is the same one. */
struct copy {
	SLIST_ENTRY(copy)	 entry;
	struct source		*source;
	uint64_t		 seq;
	char			*ack;		/* where to settle it */
};

struct held {
	struct delivery		 d;		/* first: it is the receiver's */
	SLIST_HEAD(, copy)	 copies;
	char			*key;
};

/* Settled without a link: said on the next one. */
struct late {
	STAILQ_ENTRY(late)	 entry;
	const char		*how;
	char			 ack[];
};

struct hear_part {
	struct endpoint		*ep;
	struct source		 sources[N_SOURCES];
	struct map		*held;		/* by key: struct held */
	struct seen		 seen;
	STAILQ_HEAD(, late)	 late;
	size_t			 n_late;
	unsigned		 room;
	uint64_t		 n_taken;	/* durable copies */
	char			 role[STREAM_MAX];	/* a token; or "" */
	char			 dlv[SUBJECT_MAX];	/* our subject there */
};

/* --- settling --------------------------------------------------------------- */

/*
 * The name to settle by is the consumer's, not the connection's: one that a
 * link before brought is as good on this.  What cannot be said now is kept,
 * and beyond LATE_MAX forgotten: that comes again, and is known then.
 */
static void
say(struct hear_part *p, const char *ack, const char *how)
{
	struct bus_pub	 pub = { .subject = ack, .data = how,
			    .len = strlen(how) };
	struct late	*late;
	size_t		 size = strlen(ack) + 1;

	if (p->ep->bus != NULL && bus_alive(p->ep->bus)) {
		(void)bus_publish(p->ep->bus, &pub, NULL);
		return;
	}
	if (p->n_late == LATE_MAX ||
	    (late = malloc(sizeof(*late) + size)) == NULL)
		return;
	late->how = how;
	memcpy(late->ack, ack, size);
	STAILQ_INSERT_TAIL(&p->late, late, entry);
	p->n_late++;
}

static void
say_late(struct hear_part *p, bool forget)
{
	struct late	*late;
	size_t		 n = p->n_late;

	/* What cannot be said, as the link is gone again, is kept again. */
	while (n-- > 0 && (late = STAILQ_FIRST(&p->late)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->late, entry);
		p->n_late--;
		if (!forget)
			say(p, late->ack, late->how);
		free(late);
	}
}

/* Settle its copies, if how is given, and forget them. */
static void
settle_copies(struct hear_part *p, struct held *h, const char *how)
{
	struct copy	*c;

	while ((c = SLIST_FIRST(&h->copies)) != NULL) {
		SLIST_REMOVE_HEAD(&h->copies, entry);
		if (how != NULL)
			say(p, c->ack, how);
		c->source->unsettled--;
		free(c->ack);
		free(c);
	}
}

static void
held_free(struct hear_part *p, struct held *h)
{
	settle_copies(p, h, NULL);
	message_free(&h->d.m);
	free(h->d.data);
	free(h->key);
	free(h);
}

void
endpoint_settle(struct endpoint *ep, struct delivery *d, enum settle how)
{
	struct hear_part	*p = ep->hear;
	struct held		*h = (struct held *)d;

	settle_copies(p, h, how == SETTLE_DONE ? "+ACK" : NAK_LATER);
	/* Out of memory: a late copy is given once more. */
	if (how == SETTLE_DONE)
		(void)seen_add(&p->seen, h->key);
	(void)map_del(p->held, h->key);
	held_free(p, h);
}

/* Sender and id: one peer cannot make another's message look seen. */
static void
key_of(const struct message *m, char *buf, size_t size)
{
	snprintf(buf, size, "%s %s", m->from_id, m->id);
}
#define KEY_MAX	(MESSAGE_ID_MAX + SUBJECT_MAX)

void
endpoint_shown(struct endpoint *ep, const struct message *m)
{
	char	key[KEY_MAX];

	key_of(m, key, sizeof(key));
	if (!seen_has(&ep->hear->seen, key))
		(void)seen_add(&ep->hear->seen, key);
}

/* --- taking in ----------------------------------------------------------------- */

/* Takes m.  NULL: out of memory. */
static struct held *
held_new(struct hear_part *p, const char *key, struct message *m,
    const char *data, size_t len)
{
	struct held	*h = calloc(1, sizeof(*h));

	if (h == NULL) {
		message_free(m);
		return NULL;
	}
	SLIST_INIT(&h->copies);
	h->d.m = *m;
	h->d.len = len;
	h->key = strdup(key);
	if ((h->d.data = malloc(len + 1)) != NULL) {
		memcpy(h->d.data, data, len);
		h->d.data[len] = '\0';
	}
	if (h->key == NULL || h->d.data == NULL ||
	    map_put(p->held, key, h, NULL) == -1) {
		held_free(p, h);
		return NULL;
	}
	return h;
}

/* h may be settled, and gone, when it returns. */
static void
give(struct hear_part *p, struct held *h)
{
	if (p->ep->ops.message != NULL)
		p->ep->ops.message(p->ep->arg, &h->d);
	else
		endpoint_settle(p->ep, &h->d, SETTLE_AGAIN);
}

static bool
is_own(const struct hear_part *p, const struct message *m)
{
	return strcmp(m->from_id, endpoint_id(p->ep)) == 0;
}

static bool
is_known(const struct hear_part *p, const char *key)
{
	return seen_has(&p->seen, key) || map_get(p->held, key) != NULL;
}

/* --- live, and from history ------------------------------------------------------ */

/* The subject that counts is the message's own: a live subscription may be
 * handed one outside its filter. */
static int
check_live(const char *pattern, const struct message *m, const char *subject,
    struct error *e)
{
	struct subject	s;

	if (!subject_matches(pattern, subject) ||
	    !subject_parse(&s, subject) || s.kind != SUBJECT_CHAT)
		return error_set(e, EX_DATAERR, "a foreign subject");
	return message_check(m, &s, e);
}

void
hear_live(struct hear_part *p, const char *pattern, natsMsg *nm)
{
	const char	*data = natsMsg_GetData(nm);
	size_t		 len = (size_t)natsMsg_GetDataLength(nm);
	struct message	 m;
	struct error	 e;
	struct held	*h = NULL;
	char		 key[KEY_MAX];

	if (message_parse(&m, data, len, &e) == -1 ||
	    check_live(pattern, &m, natsMsg_GetSubject(nm), &e) == -1) {
		endpoint_note(p->ep, "dropped a message on %s: %s",
		    natsMsg_GetSubject(nm), e.text);
		message_free(&m);
	} else {
		key_of(&m, key, sizeof(key));
		if (is_own(p, &m) || is_known(p, key))
			message_free(&m);
		else
			h = held_new(p, key, &m, data, len);
	}
	if (h != NULL) {
		h->d.kind = DELIVERY_CHANNEL;
		give(p, h);
	}
	bus_msg_free(nm);
}

bool
hear_historical(struct hear_part *p, const struct endpoint_said *said,
    bool historical)
{
	struct message	 m;
	struct held	*h;
	char		 key[KEY_MAX];

	key_of(said->m, key, sizeof(key));
	if (is_own(p, said->m) || is_known(p, key))
		return false;
	if (message_parse(&m, said->data, said->len, NULL) == -1) {
		message_free(&m);
		return false;
	}
	if ((h = held_new(p, key, &m, said->data, said->len)) == NULL)
		return false;
	h->d.kind = DELIVERY_CHANNEL;
	h->d.historical = historical;
	h->d.seq = said->seq;
	h->d.stored_ms = said->stored_ms;
	give(p, h);
	return true;
}

/* --- durable --------------------------------------------------------------------- */

static bool
is_ours(const char *view, size_t len, const char *s)
{
	return strlen(s) == len && memcmp(view, s, len) == 0;
}

static int
check_durable(const struct source *src, const struct message *m,
    const char *subject, struct error *e)
{
	const struct hear_part	*p = src->part;
	struct subject		 s;

	if (src->kind == STREAM_DLV) {
		/* The reader has checked it against its own subject. */
		if (strcmp(subject, p->dlv) != 0)
			return error_set(e, EX_DATAERR, "a foreign subject");
		return m->channel != NULL ? 0 : error_set(e, EX_DATAERR,
		    "not a channel's message");
	}
	if (!subject_parse(&s, subject) || s.kind !=
	    (src->kind == STREAM_DM ? SUBJECT_INST : SUBJECT_SVC) ||
	    !is_ours(s.rest, s.rest_len, src->kind == STREAM_DM ?
	    endpoint_id(p->ep) : p->role))
		return error_set(e, EX_DATAERR, "a foreign subject");
	return message_check(m, &s, e);
}

/* A copy to be settled with h; one that came before has a new name now. */
static int
attach(struct held *h, struct source *src, const char *ack, uint64_t seq)
{
	struct copy	*c;
	char		*name = strdup(ack);

	if (name == NULL)
		return -1;
	SLIST_FOREACH(c, &h->copies, entry)
		if (c->source == src && c->seq == seq) {
			free(c->ack);
			c->ack = name;
			return 0;
		}
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		free(name);
		return -1;
	}
	c->source = src;
	c->seq = seq;
	c->ack = name;
	SLIST_INSERT_HEAD(&h->copies, c, entry);
	src->unsettled++;
	h->d.durable = true;
	return 0;
}

static enum delivery_kind
kind_of(const struct source *src)
{
	return src->kind == STREAM_DM ? DELIVERY_DM :
	    src->kind == STREAM_TASK ? DELIVERY_ANYCAST : DELIVERY_CHANNEL;
}

/* Takes m.  How to settle it at once, or NULL: with its delivery. */
static const char *
take_durable(struct source *src, struct message *m, natsMsg *nm,
    const struct js_delivery *d)
{
	struct hear_part	*p = src->part;
	const char		*ack = natsMsg_GetReply(nm);
	struct held		*h;
	char			 key[KEY_MAX];

	key_of(m, key, sizeof(key));
	if (seen_has(&p->seen, key) ||
	    (src->kind == STREAM_DLV && is_own(p, m))) {
		message_free(m);
		return "+ACK";
	}
	if ((h = map_get(p->held, key)) != NULL) {
		message_free(m);
		return attach(h, src, ack, d->stream_seq) == -1 ? NAK_LATER :
		    NULL;
	}
	if ((h = held_new(p, key, m, natsMsg_GetData(nm),
	    (size_t)natsMsg_GetDataLength(nm))) == NULL)
		return NAK_LATER;
	h->d.kind = kind_of(src);
	h->d.seq = d->stream_seq;
	h->d.stored_ms = d->stored_ms;
	if (attach(h, src, ack, d->stream_seq) == -1) {
		(void)map_del(p->held, key);
		held_free(p, h);
		return NAK_LATER;
	}
	give(p, h);
	return NULL;
}

static void
on_durable(void *arg, natsMsg *nm, const struct js_delivery *d)
{
	struct source	*src = arg;
	struct message	 m;
	struct error	 e;
	const char	*how;

	src->part->n_taken++;
	if (message_parse(&m, natsMsg_GetData(nm),
	    (size_t)natsMsg_GetDataLength(nm), &e) == -1 ||
	    check_durable(src, &m, natsMsg_GetSubject(nm), &e) == -1) {
		/* Out of memory says nothing about the message. */
		how = e.code == EX_DATAERR ? "+TERM" : NAK_LATER;
		endpoint_note(src->part->ep, "dropped message %llu of %s: %s",
		    (unsigned long long)d->stream_seq, src->stream, e.text);
		message_free(&m);
	} else
		how = take_durable(src, &m, nm, d);
	if (how != NULL)
		say(src->part, natsMsg_GetReply(nm), how);
	bus_msg_free(nm);
}

/* --- the durables ------------------------------------------------------------------ */

static const char *
what_of(const struct source *s)
{
	return s->kind == STREAM_DM ? "direct messages" :
	    s->kind == STREAM_DLV ? "channels" : "role";
}

static void
is_missing(struct source *s)
{
	struct endpoint	*ep = s->part->ep;

	s->state = SOURCE_MISSING;
	s->again_ms = clock_ms() + AGAIN_MS;
	if (s->warned)
		return;
	s->warned = true;
	endpoint_note(ep, "%s has no durable for its %s here: what is kept in "
	    "it is not read (`reeve onboard %s` makes it)",
	    endpoint_name(ep), what_of(s), endpoint_name(ep));
}

static void
on_info(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct source		*s = arg;
	struct hear_part	*p = s->part;
	struct error		 e = { .code = 0 };
	unsigned		 batch = p->ep->conf.batch;

	if (s->state != SOURCE_ASKED)
		return;
	if (outcome == BUS_CLOSED)
		s->state = SOURCE_OFF;
	else if (outcome == BUS_DENIED || (outcome == BUS_OK &&
	    js_consumer_parse(reply, NULL, &e) == -1 &&
	    (e.api == JS_NO_CONSUMER || e.api == JS_NO_STREAM)))
		is_missing(s);
	else if (outcome == BUS_OK && e.code == 0 && pull_start(&s->pull,
	    p->ep->bus, s->stream, s->name, batch > 0 ? batch : BATCH,
	    on_durable, s, &e) == 0) {
		s->state = SOURCE_ON;
		s->warned = false;
	} else {
		/* Nobody answers now: a node is gone, say. */
		s->state = SOURCE_OFF;
		s->again_ms = clock_ms() + INFO_MS;
	}
}

static int
look_for(struct source *s, struct error *e)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	pub = { .subject = subject, .data = "" };

	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.%s.%s",
	    s->stream, s->name);
	s->state = SOURCE_ASKED;
	return bus_request(s->part->ep->bus, &pub, INFO_MS, on_info, s, e);
}

/* Is it one that this agent reads, and now?  The role's is the last of all. */
static bool
is_read(const struct source *s)
{
	const struct hear_part	*p = s->part;

	if (!endpoint_wants(p->ep, ENDPOINT_DURABLES) || p->ep->leaving)
		return false;
	return s->kind != STREAM_TASK || (p->role[0] != '\0' && p->ep->up);
}

/*
 * What is held does not keep others from being asked for: the broker has a
 * bound for that (1000 a durable).  But a role's tasks are for others, too: who
 * holds many takes no more.
 */
static unsigned
room_of(const struct source *s)
{
	unsigned	room = s->part->room;

	if (s->kind != STREAM_TASK)
		return room;
	if (s->unsettled >= TASKS_MAX)
		return 0;
	return room < TASKS_MAX - s->unsettled ? room :
	    TASKS_MAX - s->unsettled;
}

static int
source_tend(struct source *s, struct error *e)
{
	if (!is_read(s))
		return 0;
	if ((s->state == SOURCE_OFF || s->state == SOURCE_MISSING) &&
	    clock_ms() >= s->again_ms)
		return look_for(s, e);
	if (s->state != SOURCE_ON)
		return 0;
	if (s->pull.gone) {
		pull_stop(&s->pull);
		is_missing(s);
		return 0;
	}
	return pull_tend(&s->pull, room_of(s), clock_ms() + EXPIRES_MS, e);
}

void
endpoint_room(struct endpoint *ep, unsigned n)
{
	ep->hear->room = n < ROOM ? n : ROOM;
}

/* --- the part ---------------------------------------------------------------------- */

static void
sources_init(struct hear_part *p)
{
	static const enum stream_kind	kinds[N_SOURCES] = { STREAM_DM,
	    STREAM_DLV, STREAM_TASK };
	struct source			*s;
	int				 i;

	for (i = 0; i < N_SOURCES; i++) {
		s = &p->sources[i];
		s->part = p;
		s->kind = kinds[i];
		(void)name_stream(s->stream, sizeof(s->stream),
		    endpoint_space(p->ep), s->kind);
		if (s->kind == STREAM_TASK)
			snprintf(s->name, sizeof(s->name), "svc_%.*s",
			    STREAM_MAX - 5, p->role);
		else
			snprintf(s->name, sizeof(s->name), "%s_%s",
			    s->kind == STREAM_DM ? "dm" : "dlv",
			    endpoint_id(p->ep));
	}
}

struct hear_part *
hear_part_new(struct endpoint *ep)
{
	struct hear_part	*p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ep = ep;
	p->room = ROOM;
	STAILQ_INIT(&p->late);
	(void)subject_dlv(p->dlv, sizeof(p->dlv), endpoint_space(ep),
	    endpoint_id(ep));
	if (endpoint_role(ep) != NULL)
		(void)name_token(p->role, sizeof(p->role), endpoint_role(ep));
	sources_init(p);
	if (seen_init(&p->seen) == -1 || (p->held = map_new()) == NULL) {
		hear_part_free(p);
		return NULL;
	}
	return p;
}

void
hear_part_free(struct hear_part *p)
{
	const struct map_node	*n;

	if (p == NULL)
		return;
	while (p->held != NULL && (n = map_first(p->held)) != NULL) {
		struct held	*h = map_value(n);

		(void)map_del(p->held, h->key);
		held_free(p, h);
	}
	if (p->held != NULL)
		map_free(p->held, NULL);
	if (p->seen.young != NULL)
		seen_free(&p->seen);
	say_late(p, true);
	free(p);
}

int
hear_part_bind(struct hear_part *p, struct error *e)
{
	int	i;

	say_late(p, false);
	for (i = 0; i < N_SOURCES; i++) {
		p->sources[i].state = SOURCE_OFF;
		p->sources[i].again_ms = 0;
	}
	return hear_part_tend(p, e);
}

bool
hear_part_bound(const struct hear_part *p)
{
	const struct source	*s;
	int			 i;

	for (i = 0; i < N_SOURCES; i++) {
		s = &p->sources[i];
		if (is_read(s) && s->kind != STREAM_TASK &&
		    s->state != SOURCE_ON && s->state != SOURCE_MISSING)
			return false;
	}
	return true;
}

int
hear_part_tend(struct hear_part *p, struct error *e)
{
	int	i;

	for (i = 0; i < N_SOURCES; i++)
		if (source_tend(&p->sources[i], e) == -1)
			return -1;
	return 0;
}

static void
sources_stop(struct hear_part *p)
{
	int	i;

	for (i = 0; i < N_SOURCES; i++) {
		if (p->sources[i].state == SOURCE_ON)
			pull_stop(&p->sources[i].pull);
		p->sources[i].state = SOURCE_OFF;
	}
}

/* What is held stays so: a next link brings it again, under new names. */
void
hear_part_unbind(struct hear_part *p)
{
	sources_stop(p);
}

uint64_t
hear_taken(const struct hear_part *p)
{
	return p->n_taken;
}

/*
 * So that who comes next has it at once.  Until now no more was asked for, but
 * what was on its way was given; and the pulls end before, and a little time
 * for the broker to see that, or they would get what goes back.
 */
void
hear_give_back(struct hear_part *p)
{
	const struct map_node	*n;

	sources_stop(p);
	for (n = map_first(p->held); n != NULL; n = map_next(n))
		settle_copies(p, map_value(n), NAK_SOON);
}
