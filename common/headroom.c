/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "headroom.h"
#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "space.h"

#define ASK_MS		5	/* at most so often */
#define STALE_MS	3000	/* the reader says it every second */
#define OWNERS_MAX	100000	/* then the table is begun afresh */
#define TRAIL_STEP	16	/* writes from one mark to the next */

struct owner {
	uint64_t	generation;
	uint64_t	older, younger;
};

int
headroom_init(struct headroom *h, const char *space, unsigned shard,
    unsigned shards, unsigned limit)
{
	char	text[16];

	memset(h, 0, sizeof(*h));
	name_stream(h->stream, sizeof(h->stream), space, STREAM_INBOX);
	space_reader_name(h->reader, sizeof(h->reader), shard, shards);
	snprintf(text, sizeof(text), "%u", shard);
	subject_health(h->hears, sizeof(h->hears), space, text, "reader",
	    "*");
	h->limit = limit;
	h->owners = map_new();
	h->deferred = map_new();
	return h->owners == NULL || h->deferred == NULL ? -1 : 0;
}

void
headroom_free(struct headroom *h)
{
	map_free(h->owners, free);
	map_free(h->deferred, NULL);
	h->owners = h->deferred = NULL;
}

static void
forget_word(struct headroom *h)
{
	map_clear(h->deferred, NULL);
	h->names_all = false;
	h->n_deferred = 0;
	h->heard_ms = 0;
}

void
headroom_bind(struct headroom *h)
{
	map_clear(h->owners, free);
	forget_word(h);
	h->generation++;
	h->base = h->written = h->roll_written = 0;
	h->marked = h->known = h->asking = false;
	h->n_trail = 0;
	h->wanted = true;
	h->asked_ms = 0;
}

static struct owner *
owner_of(struct headroom *h, const char *name)
{
	struct owner	*o = map_get(h->owners, name);

	if (o == NULL) {
		if ((o = calloc(1, sizeof(*o))) == NULL ||
		    map_put(h->owners, name, o, NULL) == -1)
			fatal_memory();
		o->generation = h->generation;
	}
	if (map_get(h->deferred, name) != NULL) {
		/* Not passed by the reader, however far it is. */
		o->older += o->younger;
		o->younger = 0;
	} else if (o->generation + 1 == h->generation) {
		o->older = o->younger;
		o->younger = 0;
	} else if (o->generation != h->generation)
		o->older = o->younger = 0;
	o->generation = h->generation;
	return o;
}

/* What was there before us, of which the owner may have all; of what the
 * reader defers, none unless it is one of those. */
static uint64_t
base_of(const struct headroom *h, const char *name)
{
	if (h->generation > h->base_generation + 1)
		return 0;
	if (map_get(h->deferred, name) != NULL)
		return h->base;
	return h->base > h->n_deferred ? h->base - h->n_deferred : 0;
}

bool
headroom_known(const struct headroom *h)
{
	return h->known;
}

bool
headroom_allows(struct headroom *h, const char *name)
{
	struct owner	*o;
	uint64_t	 mine, base;

	if (!h->known) {
		h->wanted = true;
		return false;
	}
	if (h->unread + (h->written - h->unread_at) < h->limit)
		return true;
	o = owner_of(h, name);
	base = base_of(h, name);
	mine = o->older + o->younger + base;
	if (mine >= h->limit / 4)
		h->wanted = true;
	return mine < h->limit;
}

void
headroom_count(struct headroom *h, const char *name)
{
	owner_of(h, name)->younger++;
	h->written++;
	if (h->written - h->unread_at >= h->limit / 2)
		h->wanted = true;
}

static void
roll(struct headroom *h)
{
	h->generation++;
	h->roll_written = h->written;
	h->marked = false;
	/* Owners not written to for two generations have nothing unread; a
	 * table this big is begun afresh with what is known of all. */
	if (map_count(h->owners) > OWNERS_MAX) {
		map_clear(h->owners, free);
		h->base = h->unread + (h->written - h->unread_at);
		h->base_generation = h->generation;
	}
}

static void
learn_floor(struct headroom *h, uint64_t floor_seq)
{
	if (h->marked && floor_seq >= h->mark_seq)
		roll(h);
}

static void
leave_mark(struct headroom *h, uint64_t settled, uint64_t seq)
{
	const struct headroom_mark	*last;

	if (h->n_trail > 0) {
		last = &h->trail[(h->n_trail - 1) % HEADROOM_TRAIL];
		if (settled < last->settled + TRAIL_STEP)
			return;
	}
	h->trail[h->n_trail++ % HEADROOM_TRAIL] =
	    (struct headroom_mark){ .settled = settled, .seq = seq };
}

/* How many of ours are stored up to seq, at least. */
static uint64_t
settled_upto(const struct headroom *h, uint64_t seq)
{
	const struct headroom_mark	*mark;
	size_t				 i;

	for (i = h->n_trail; i > 0 && h->n_trail - i < HEADROOM_TRAIL; i--) {
		mark = &h->trail[(i - 1) % HEADROOM_TRAIL];
		if (mark->seq <= seq)
			return mark->settled;
	}
	return 0;
}

/*
 * All owners' unread.  A broker under load tells its consumers late of what
 * it has stored, and their num_pending is short of that: what of ours lies
 * behind the last delivered one is unread too.
 */
static uint64_t
unread_of(const struct headroom *h, uint64_t delivered_seq, uint64_t pending)
{
	uint64_t	delivered = settled_upto(h, delivered_seq), ours;

	ours = h->asked_at > delivered ? h->asked_at - delivered : 0;
	return ours > pending ? ours : pending;
}

void
headroom_learn(struct headroom *h, const cJSON *info)
{
	const cJSON	*floor, *delivered, *pending, *unacked;

	floor = json_get(json_get(info, "ack_floor"), "stream_seq");
	delivered = json_get(json_get(info, "delivered"), "stream_seq");
	pending = json_get(info, "num_pending");
	unacked = json_get(info, "num_ack_pending");
	if (!cJSON_IsNumber(floor) || !cJSON_IsNumber(delivered) ||
	    !cJSON_IsNumber(pending) || !cJSON_IsNumber(unacked))
		return;
	h->unread = (uint64_t)unacked->valuedouble +
	    unread_of(h, (uint64_t)delivered->valuedouble,
	    (uint64_t)pending->valuedouble);
	h->unread_at = h->asked_at;
	if (h->known) {
		learn_floor(h, (uint64_t)floor->valuedouble);
		return;
	}
	h->known = true;
	h->base = h->unread;
	h->base_generation = h->generation;
	/* Rolls only behind something written now. */
	h->roll_written = h->written + 1;
	h->marked = false;
}

static void
on_info(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct headroom	*h = arg;
	cJSON		*info;

	h->asking = false;
	if (outcome != BUS_OK) {
		h->wanted = true;
		return;
	}
	info = json_parse(natsMsg_GetData(reply),
	    (size_t)natsMsg_GetDataLength(reply), NULL);
	headroom_learn(h, info);
	cJSON_Delete(info);
}

static void
hear(struct headroom *h, const cJSON *said)
{
	const cJSON	*seq = json_get(said, "clearSeq");
	const cJSON	*owners = json_get(said, "deferredOwners");
	const cJSON	*n = json_get(said, "deferred");
	const cJSON	*n_owners = json_get(said, "nDeferredOwners"), *o;

	if (!cJSON_IsNumber(seq) || !cJSON_IsArray(owners))
		return;
	h->n_words++;
	h->clear_seq = (uint64_t)seq->valuedouble;
	h->names_all = cJSON_IsNumber(n_owners) &&
	    n_owners->valuedouble == (double)cJSON_GetArraySize(owners);
	h->n_deferred = cJSON_IsNumber(n) ? (uint64_t)n->valuedouble : 0;
	h->heard_ms = clock_ms();
	map_clear(h->deferred, NULL);
	cJSON_ArrayForEach(o, owners)
		if (cJSON_IsString(o) &&
		    map_put(h->deferred, o->valuestring, h, NULL) == -1)
			fatal_memory();
	if (h->known)
		learn_floor(h, h->clear_seq);
}

static void
on_health(void *arg, natsMsg *m)
{
	cJSON	*said = json_parse(natsMsg_GetData(m),
		    (size_t)natsMsg_GetDataLength(m), NULL);

	hear(arg, said);
	cJSON_Delete(said);
	bus_msg_free(m);
}

int
headroom_listen(struct headroom *h, struct bus *b, struct error *e)
{
	h->bus = b;
	h->deaf = false;
	return bus_subscribe(b, h->hears, NULL, on_health, h, e) == NULL ?
	    -1 : 0;
}

uint64_t
headroom_words(const struct headroom *h)
{
	return h->n_words;
}

bool
headroom_passed(const struct headroom *h, const char *owner,
    uint64_t since_words, uint64_t seq)
{
	return h->n_words != since_words && h->names_all &&
	    map_get(h->deferred, owner) == NULL && h->clear_seq >= seq;
}

/* Without the reader's word an owner that it defers holds up the others. */
static void
note_deafness(struct headroom *h)
{
	if (h->deaf || !bus_refused(h->bus, h->hears))
		return;
	h->deaf = true;
	log_error("may not hear the reader's health", "subject=%s", h->hears);
}

/* A reader that is gone defers nothing: its successor says what it does. */
static void
forget_stale(struct headroom *h)
{
	if (h->heard_ms == 0 || clock_ms() - h->heard_ms < STALE_MS)
		return;
	forget_word(h);
}

void
headroom_settle(struct headroom *h, uint64_t settled, uint64_t stored_seq)
{
	if (!h->marked && settled >= h->roll_written && stored_seq > 0) {
		h->mark_seq = stored_seq;
		h->marked = true;
	}
	leave_mark(h, settled, stored_seq);
	/* What is on its way may be stored behind the question. */
	if (!h->asking)
		h->asked_at = settled;
}

int
headroom_tend(struct headroom *h, uint64_t settled, uint64_t stored_seq,
    struct error *e)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject };

	note_deafness(h);
	forget_stale(h);
	headroom_settle(h, settled, stored_seq);
	if (!h->wanted || h->asking || clock_ms() - h->asked_ms < ASK_MS)
		return 0;
	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.%s.%s",
	    h->stream, h->reader);
	if (bus_request(h->bus, &p, JS_TIMEOUT_MS, on_info, h, e) == -1)
		return -1;
	h->asking = true;
	h->wanted = false;
	h->asked_ms = clock_ms();
	return 0;
}
