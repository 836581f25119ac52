/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catchup.h"
#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "message.h"
#include "pull.h"
#include "records.h"

#define BATCH		256
#define INACTIVE_MS	30000
#define UNSETTLED_MAX	512
#define TURN_MS		20

struct fetched {
	STAILQ_ENTRY(fetched)	 entry;
	natsMsg			*msg;
	uint64_t		 seq;
};

struct copying {
	struct control		*c;
	const struct window	*w;
	char			 name[32];
	STAILQ_HEAD(, fetched)	 queue;
	uint64_t		 expected, got;	/* messages of the consumer */
	bool			 reached;	/* the fence, or the end */
	unsigned		 unsettled;
	bool			 failed;
	struct error		 why;
};

/* --- the consumer -------------------------------------------------------------- */

static cJSON *
catchup_config(const struct copying *k)
{
	char	 filter[SUBJECT_MAX];
	cJSON	*c = cJSON_CreateObject();

	if (c == NULL)
		fatal_memory();
	subject_chat(filter, sizeof(filter), k->c->role->config.space, "*",
	    k->w->channel);
	cJSON_AddStringToObject(c, "name", k->name);
	cJSON_AddStringToObject(c, "filter_subject", filter);
	cJSON_AddStringToObject(c, "ack_policy", "none");
	cJSON_AddStringToObject(c, "replay_policy", "instant");
	cJSON_AddStringToObject(c, "deliver_policy", "by_start_sequence");
	cJSON_AddNumberToObject(c, "opt_start_seq",
	    (double)(k->w->join_seq + 1));
	cJSON_AddNumberToObject(c, "inactive_threshold", INACTIVE_MS * 1e6);
	cJSON_AddBoolToObject(c, "mem_storage", true);
	cJSON_AddNumberToObject(c, "num_replicas", 1);
	return c;
}

static void
on_message(void *arg, natsMsg *m, const struct js_delivery *d)
{
	struct copying	*k = arg;
	struct fetched	*f;

	k->got++;
	if (d->stream_seq >= k->w->fence_seq || d->pending == 0)
		k->reached = true;
	if (d->stream_seq > k->w->fence_seq) {
		bus_msg_free(m);
		return;
	}
	if ((f = calloc(1, sizeof(*f))) == NULL)
		fatal_memory();
	f->msg = m;
	f->seq = d->stream_seq;
	STAILQ_INSERT_TAIL(&k->queue, f, entry);
}

static int
open_consumer(struct copying *k, struct pull *p, struct error *e)
{
	struct js_consumer	 info;
	cJSON			*config;
	int			 r;

	/* Created again with another filter it would be changed in silence
	 * under whoever reads it. */
	if (js_consumer_delete(k->c->bus, k->c->chat, k->name, e) == -1)
		return -1;
	config = catchup_config(k);
	r = js_consumer_create(k->c->bus, k->c->chat, k->name, config, &info,
	    e);
	cJSON_Delete(config);
	if (r == -1)
		return -1;
	k->expected = info.n_pending;
	k->reached = k->expected == 0;
	js_consumer_free(&info);
	return pull_start(p, k->c->bus, k->c->chat, k->name, BATCH,
	    on_message, k, e);
}

/* --- copying ----------------------------------------------------------------------- */

static void
on_stored(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct copying	*k = arg;
	uint64_t	 seq = 0;

	k->unsettled--;
	k->c->entries_settled++;
	if (outcome != BUS_OK) {
		k->failed = true;
		error_set(&k->why, EX_TEMPFAIL, "a copy was not stored");
	} else if (js_ack_parse(reply, &seq, NULL, &k->why) == -1)
		k->failed = true;
	if (seq > k->c->entries_seq)
		k->c->entries_seq = seq;
}

static int
store(struct copying *k, const struct bus_pub *p, struct error *e)
{
	if (bus_request(k->c->bus, p, JS_TIMEOUT_MS, on_stored, k, e) == -1)
		return -1;
	k->unsettled++;
	return 0;
}

/* It can never be stored: say so where it is found again. */
static int
dead_letter(struct copying *k, const struct fetched *f, const char *reason,
    struct error *e)
{
	struct dead_letter	 d = { .reason = reason,
				    .subject = natsMsg_GetSubject(f->msg),
				    .owner = k->w->owner, .deliveries = 1,
				    .ts_ms = clock_epoch_ms() };
	char			 subject[SUBJECT_MAX], id[SUBJECT_MAX], *body;
	struct bus_pub		 p = { .subject = subject, .msg_id = id };
	int			 r;

	log_error("cannot copy", "seq=%llu owner=%s reason=%s",
	    (unsigned long long)f->seq, log_str(k->w->owner),
	    log_str(reason));
	subject_dead(subject, sizeof(subject), k->c->role->config.space,
	    k->c->role->shard_text, "control");
	snprintf(id, sizeof(id), "dead:%s:%llu:%s", k->c->chat,
	    (unsigned long long)f->seq, k->w->owner);
	if ((body = dead_letter_write(&d)) == NULL)
		fatal_memory();
	p.data = body;
	p.len = strlen(body);
	r = store(k, &p, e);
	free(body);
	return r;
}

/* Each message is what its own subject says, on this very channel, and not
 * the new member's own; the rest is skipped. */
static bool
is_owed(const struct copying *k, const struct fetched *f,
    struct message *m)
{
	struct subject	s;

	return subject_parse(&s, natsMsg_GetSubject(f->msg)) &&
	    s.kind == SUBJECT_CHAT &&
	    message_parse(m, natsMsg_GetData(f->msg),
	    (size_t)natsMsg_GetDataLength(f->msg), NULL) == 0 &&
	    message_check(m, &s, NULL) == 0 &&
	    strcmp(m->channel, k->w->channel) == 0 &&
	    strcmp(m->from_id, k->w->owner) != 0;
}

static int
copy_one(struct copying *k, const struct fetched *f, struct error *e)
{
	char		 subject[SUBJECT_MAX], id[SUBJECT_MAX], *body;
	struct bus_pub	 p = { .subject = subject, .msg_id = id };
	struct message	 m;
	size_t		 len;
	int		 r = 0;

	memset(&m, 0, sizeof(m));
	if (is_owed(k, f, &m)) {
		subject_dinbox(subject, sizeof(subject),
		    k->c->role->config.space, k->c->role->shards,
		    k->w->owner);
		name_entry(id, sizeof(id), m.id, k->w->owner,
		    k->w->generation, k->c->role->shards);
		body = entry_head(natsMsg_GetData(f->msg),
		    (size_t)natsMsg_GetDataLength(f->msg), m.channel, f->seq,
		    ENTRY_DURABLE_CHANNEL, &len);
		if (body == NULL || (body = realloc(body, len + 32)) == NULL)
			fatal_memory();
		p.data = body;
		p.len = len + (size_t)sprintf(body + len, "%llu}",
		    (unsigned long long)k->w->generation);
		if ((r = store(k, &p, e)) == 0)
			headroom_count(&k->c->headroom, k->w->owner);
		else if (e->code == EX_DATAERR)
			r = dead_letter(k, f, e->text, e);
		free(body);
	}
	message_free(&m);
	return r;
}

static int
turn(struct copying *k, struct pull *p, struct error *e)
{
	if (clock_ms() >= k->w->deadline_ms)
		return error_set(e, EX_TEMPFAIL, "catch-up takes too long; "
		    CTL_LATER);
	if (k->failed)
		return error_set(e, EX_TEMPFAIL, "catch-up failed: %s; "
		    CTL_LATER, k->why.text);
	if (headroom_tend(&k->c->headroom, k->c->entries_settled,
	    k->c->entries_seq, e) == -1)
		return -1;
	if (!k->reached && pull_tend(p, BATCH * 2, k->w->deadline_ms, e) ==
	    -1)
		return -1;
	return control_turn(k->c, TURN_MS, e);
}

static int
copy_queue(struct copying *k, struct error *e)
{
	struct fetched	*f;
	int		 r = 0;

	while (r == 0 && (f = STAILQ_FIRST(&k->queue)) != NULL &&
	    k->unsettled < UNSETTLED_MAX &&
	    headroom_allows(&k->c->headroom, k->w->owner)) {
		STAILQ_REMOVE_HEAD(&k->queue, entry);
		r = copy_one(k, f, e);
		bus_msg_free(f->msg);
		free(f);
	}
	return r;
}

/* Answers that are still to come would find the frame gone. */
static void
settle(struct copying *k)
{
	struct fetched	*f;
	bool		 going = true;

	while (k->unsettled > 0 && bus_alive(k->c->bus))
		if (going)
			going = control_turn(k->c, TURN_MS, NULL) == 0;
		else
			bus_turn(k->c->bus, NULL, 0, TURN_MS);
	while ((f = STAILQ_FIRST(&k->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&k->queue, entry);
		bus_msg_free(f->msg);
		free(f);
	}
}

int
catchup_copy(struct control *c, const struct window *w, struct error *e)
{
	static struct copying	 k;	/* answers may outlive a dead bus */
	struct pull		 p = { .sub = NULL };
	int			 r;

	if (w->fence_seq <= w->join_seq)
		return 0;
	memset(&k, 0, sizeof(k));
	k.c = c;
	k.w = w;
	STAILQ_INIT(&k.queue);
	snprintf(k.name, sizeof(k.name), "cu_%u_0", c->role->shard);
	r = open_consumer(&k, &p, e);
	while (r == 0 && !(k.reached && STAILQ_EMPTY(&k.queue) &&
	    k.unsettled == 0)) {
		if ((r = copy_queue(&k, e)) == 0)
			r = turn(&k, &p, e);
	}
	if (r == 0 && k.failed)
		r = error_set(e, EX_TEMPFAIL, "catch-up failed: %s; "
		    CTL_LATER, k.why.text);
	pull_stop(&p);
	settle(&k);
	if (bus_alive(c->bus))
		(void)js_consumer_delete(c->bus, c->chat, k.name, NULL);
	return r;
}

/* --- eviction ------------------------------------------------------------------------ */

/* 1 when this subject, at its cap, begins above the window's first. */
static int
subject_evicted(struct control *c, const struct window *w,
    const char *subject, struct error *e)
{
	struct js_message	m;
	int			found;

	found = js_get(c->bus, c->chat, JS_NEXT_BY_SUBJECT, 1, subject, &m,
	    e);
	if (found != 1)
		return found;
	found = m.seq > w->join_seq + 1;
	js_message_free(&m);
	return found;
}

int
catchup_evicted(struct control *c, const struct window *w, struct error *e)
{
	struct js_stream	 info;
	char			 filter[SUBJECT_MAX];
	cJSON			*subjects = NULL, *s;
	int			 r = 0;

	if (w->fence_seq <= w->join_seq)
		return 0;
	subject_chat(filter, sizeof(filter), c->role->config.space, "*",
	    w->channel);
	if (js_stream_info_subjects(c->bus, c->chat, filter, &info,
	    &subjects, e) == -1)
		return -1;
	cJSON_ArrayForEach(s, subjects)
		if (r == 0 && info.max_per_subject > 0 &&
		    cJSON_IsNumber(s) &&
		    s->valuedouble >= (double)info.max_per_subject)
			r = subject_evicted(c, w, s->string, e);
	cJSON_Delete(subjects);
	return r;
}
