/* SPDX-License-Identifier: ISC */

/* What was said: history, its frontier, and what is stored. */
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "endpoint_impl.h"
#include "jetstream.h"
#include "json.h"
#include "map.h"
#include "pull.h"

#define BATCH		256
#define API_MS		JS_TIMEOUT_MS
#define QUIET_MS	5000		/* without progress it is given up */
#define ASK_MS		500		/* so long, and it is asked about */
#define INACTIVE_MS	30000
#define TRIES		10		/* the consumer is made */
#define LIMIT_MAX	1000000

/*
 * One read: its consumer is deleted (created again with another filter it
 * would silently change, with another start it is an error), made, read to its
 * end, and deleted.  All have one name, so one at a time.
 */
enum step { READ_WAITS, READ_DELETES, READ_CREATES, READ_PULLS, READ_ENDS };

/* Of one subject what was read. */
struct subject_read {
	uint64_t	n, first_seq;
	int64_t		first_ms;
};

struct kept {
	natsMsg		*msg;
	uint64_t	 seq;
	int64_t		 stored_ms;
};

struct reading {
	TAILQ_ENTRY(reading)	 entry;
	struct read_part	*part;
	struct endpoint_history	 want;
	endpoint_said_fn	*said;
	endpoint_told_fn	*told;
	void			*arg;
	char			 channel[CHANNEL_MAX + 1];
	char			 filter[SUBJECT_MAX];
	enum step		 step;
	struct pull		 pull;
	unsigned		 out;		/* requests without an answer */
	bool			 ended;		/* told: only they keep it */
	bool			 asked;		/* about its progress */
	uint64_t		 left;		/* not yet come */
	uint64_t		 consumer_seq;	/* that has come */
	uint64_t		 last_seq;	/* of the stream, that has come */
	unsigned		 tries;
	bool			 gap;		/* the rest is read anew */
	int64_t			 heard_ms;
	int64_t			 cap;		/* a subject's; -1: none known */
	struct map		*subjects;	/* struct subject_read */
	struct kept		*ring;		/* of want.limit */
	size_t			 limit;		/* 0: each is given as it comes */
	uint64_t		 n;		/* in range, ever */
	uint64_t		 n_gone;	/* the oldest of them, not kept */
	size_t			 bytes;		/* of those that are kept */
	uint64_t		 oldest_seq;	/* of those that are given */
	size_t			 given, bad;
	struct error		 why;		/* code 0: read to the end */
};

struct read_part {
	struct endpoint			*ep;
	TAILQ_HEAD(, reading)		 queue;	/* the first is being read */
	char				 stream[STREAM_MAX];
	char				 name[STREAM_MAX];  /* chathist_<id> */
};

int
endpoint_api(struct endpoint *ep, const char *subject, const char *body,
    bus_reply_fn *fn, void *arg, struct error *e)
{
	struct bus_pub	p = { .subject = subject, .data = body == NULL ? "" :
			    body, .len = body == NULL ? 0 : strlen(body) };

	if (endpoint_linked(ep, e) == -1)
		return -1;
	return bus_request(ep->bus, &p, API_MS, fn, arg, e);
}

int
endpoint_outcome(enum bus_outcome outcome, const char *what, struct error *e)
{
	switch (outcome) {
	case BUS_OK:
		return 0;
	case BUS_DENIED:
		return error_set(e, EX_NOPERM, "%s: not permitted by these "
		    "credentials", what);
	case BUS_CLOSED:
		return error_set(e, EX_TEMPFAIL, "%s: the connection was lost",
		    what);
	case BUS_NO_RESPONDER:
	case BUS_TIMEOUT:
		break;
	}
	return error_set(e, EX_TEMPFAIL, "%s: no answer in time", what);
}

/* --- what is given --------------------------------------------------------- */

/* Give one, or count it as not what its subject says. */
static void
give(struct reading *r, natsMsg *nm, uint64_t seq, int64_t stored_ms)
{
	struct message		m;
	struct subject		s;
	struct endpoint_said	said = { .m = &m, .data = natsMsg_GetData(nm),
				    .len = (size_t)natsMsg_GetDataLength(nm),
				    .seq = seq, .stored_ms = stored_ms };

	if (message_parse(&m, said.data, said.len, NULL) == -1 ||
	    !subject_matches(r->filter, natsMsg_GetSubject(nm)) ||
	    !subject_parse(&s, natsMsg_GetSubject(nm)) ||
	    s.kind != SUBJECT_CHAT || message_check(&m, &s, NULL) == -1)
		r->bad++;
	else {
		r->given++;
		if (r->oldest_seq == 0)
			r->oldest_seq = seq;
		r->said(r->arg, &said);
	}
	message_free(&m);
}

static void
give_kept(struct reading *r)
{
	uint64_t	i;
	struct kept	*k;

	for (i = r->n_gone; r->limit > 0 && i < r->n; i++) {
		k = &r->ring[i % r->limit];
		give(r, k->msg, k->seq, k->stored_ms);
	}
}

/*
 * Was anything dropped of what was asked for?  A subject at its cap whose
 * oldest is above the first that was asked for may have lost some; of what
 * there was to read it is at its cap if so many were read.
 */
static bool
is_dropped(const struct reading *r)
{
	const struct map_node		*n;
	const struct subject_read	*s;
	uint64_t			 floor = r->want.after_seq + 1;

	/* The newest few were asked for, and those are all here. */
	if (r->n_gone > 0 && r->oldest_seq > floor)
		floor = r->oldest_seq;
	if (r->cap <= 0 ||
	    (r->want.up_to_seq != 0 && floor > r->want.up_to_seq))
		return false;
	for (n = map_first(r->subjects); n != NULL; n = map_next(n)) {
		s = map_value(n);
		if (s->n >= (uint64_t)r->cap && s->first_seq > floor &&
		    s->first_ms > r->want.since_ms)
			return true;
	}
	return false;
}

/* --- its end ----------------------------------------------------------------- */

static void
reading_free(struct reading *r)
{
	size_t	i;

	for (i = 0; r->ring != NULL && i < r->limit; i++)
		bus_msg_free(r->ring[i].msg);
	free(r->ring);
	if (r->subjects != NULL)
		map_free(r->subjects, free);
	free(r);
}

/* Tell what came of it, and let the next have its turn. */
static void
finish(struct reading *r)
{
	struct endpoint_told	told = { .given = 0 };

	TAILQ_REMOVE(&r->part->queue, r, entry);
	r->ended = true;
	if (r->why.code == 0) {
		give_kept(r);
		told.given = r->given;
		told.bad = r->bad;
		told.older = r->n_gone;
		told.dropped = is_dropped(r);
		r->told(r->arg, &told, NULL);
	} else
		r->told(r->arg, NULL, &r->why);
	if (r->out == 0)
		reading_free(r);
}

/* An answer came; false when nobody waits for it any more. */
static bool
is_awaited(struct reading *r, enum bus_outcome outcome)
{
	r->out--;
	if (r->ended && r->out == 0)
		reading_free(r);
	else if (!r->ended)
		return outcome != BUS_CLOSED;	/* _unbind ends it */
	return false;
}

static int
ask(struct reading *r, const char *subject, const char *body,
    bus_reply_fn *fn)
{
	if (endpoint_api(r->part->ep, subject, body, fn, r, &r->why) == -1)
		return -1;
	r->out++;
	return 0;
}

static void
on_deleted_after(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct reading	*r = arg;

	(void)reply;
	if (is_awaited(r, outcome))
		finish(r);
}

static int
ask_delete(struct reading *r, bus_reply_fn *fn)
{
	char	subject[SUBJECT_MAX];

	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.DELETE.%s.%s",
	    r->part->stream, r->part->name);
	return ask(r, subject, NULL, fn);
}

/* It is read, or cannot be: why says so. */
static void
end(struct reading *r)
{
	struct error	why = r->why;

	if (r->step == READ_PULLS)
		pull_stop(&r->pull);
	r->step = READ_ENDS;
	if (ask_delete(r, on_deleted_after) == -1) {
		if (why.code != 0)
			r->why = why;
		finish(r);
	}
}

/* --- reading ------------------------------------------------------------------- */

static bool
count_subject(struct reading *r, const char *subject,
    const struct js_delivery *d)
{
	struct subject_read	*s = map_get(r->subjects, subject);

	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL ||
		    map_put(r->subjects, subject, s, NULL) == -1) {
			free(s);
			return false;
		}
		s->first_seq = d->stream_seq;
		s->first_ms = d->stored_ms;
	}
	s->n++;
	return true;
}

/* The consumer begins by one of the two. */
static bool
is_wanted(const struct reading *r, const struct js_delivery *d)
{
	return d->stream_seq > r->want.after_seq &&
	    d->stored_ms > r->want.since_ms && (r->want.up_to_seq == 0 ||
	    d->stream_seq <= r->want.up_to_seq);
}

static void
drop_oldest(struct reading *r)
{
	struct kept	*k = &r->ring[r->n_gone++ % r->limit];

	r->bytes -= (size_t)natsMsg_GetDataLength(k->msg);
	bus_msg_free(k->msg);
	k->msg = NULL;
}

/* Takes it: one of the newest now. */
static void
keep(struct reading *r, natsMsg *nm, const struct js_delivery *d)
{
	struct kept	*k;

	if (r->n - r->n_gone == r->limit)
		drop_oldest(r);
	k = &r->ring[r->n++ % r->limit];
	k->msg = nm;
	k->seq = d->stream_seq;
	k->stored_ms = d->stored_ms;
	r->bytes += (size_t)natsMsg_GetDataLength(nm);
	while (r->want.max_bytes > 0 && r->bytes > r->want.max_bytes &&
	    r->n - r->n_gone > 1)
		drop_oldest(r);
}

static void
on_message(void *arg, natsMsg *nm, const struct js_delivery *d)
{
	struct reading	*r = arg;

	r->heard_ms = clock_ms();
	/* A request whose answer nobody awaited any more took some with it. */
	if (r->gap || d->consumer_seq != r->consumer_seq + 1) {
		r->gap = true;
		bus_msg_free(nm);
		return;
	}
	r->consumer_seq = d->consumer_seq;
	r->last_seq = d->stream_seq;
	r->left = d->pending;
	if (!count_subject(r, natsMsg_GetSubject(nm), d))
		error_errno(&r->why, EX_OSERR, "history");
	else if (!is_wanted(r, d))
		;
	else if (r->limit == 0) {
		r->n++;
		give(r, nm, d->stream_seq, d->stored_ms);
	} else {
		keep(r, nm, d);
		return;
	}
	bus_msg_free(nm);
}

/* What was still to come may have been dropped: then there is none left. */
static void
on_progress(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct reading		*r = arg;
	struct js_consumer	 c;

	if (!is_awaited(r, outcome))
		return;
	r->asked = false;
	if (r->step != READ_PULLS || outcome != BUS_OK ||
	    js_consumer_parse(reply, &c, NULL) == -1)
		return;
	if (c.n_pending == 0 && clock_ms() - r->heard_ms >= ASK_MS) {
		r->gap = c.n_delivered > r->consumer_seq;
		r->left = 0;
	}
	js_consumer_free(&c);
}

static int
ask_progress(struct reading *r)
{
	char	subject[SUBJECT_MAX];

	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.%s.%s",
	    r->part->stream, r->part->name);
	r->asked = true;
	return ask(r, subject, NULL, on_progress);
}

static void	on_deleted_before(void *, enum bus_outcome, natsMsg *);

/* From what has come on, by a new consumer. */
static void
read_on(struct reading *r)
{
	pull_stop(&r->pull);
	r->step = READ_DELETES;
	if (++r->tries == TRIES)
		error_set(&r->why, EX_TEMPFAIL, "the history was not read to "
		    "its end: the broker loses what it is asked for");
	if (r->why.code != 0 || ask_delete(r, on_deleted_before) == -1)
		finish(r);
}

static void
tend_pull(struct reading *r)
{
	int64_t	quiet = clock_ms() - r->heard_ms;

	if (r->gap && r->why.code == 0) {
		read_on(r);
		return;
	}
	if (r->why.code != 0 || r->left == 0) {
		end(r);
		return;
	}
	if (r->pull.gone || quiet > QUIET_MS)
		error_set(&r->why, EX_TEMPFAIL, "the history was not read to "
		    "its end: the broker does not go on");
	else if (pull_tend(&r->pull, 2 * BATCH, clock_ms() + QUIET_MS,
	    &r->why) == 0 && quiet > ASK_MS && !r->asked)
		(void)ask_progress(r);
	if (r->why.code != 0)
		end(r);
}

/* --- the consumer ---------------------------------------------------------------- */

static bool
set_start(cJSON *c, const struct reading *r)
{
	const struct endpoint_history	*want = &r->want;
	uint64_t			 after = r->last_seq > 0 ?
					    r->last_seq : want->after_seq;
	time_t				 t = (time_t)(want->since_ms / 1000);
	struct tm			 tm;
	char				 day[24], text[40];

	if (after > 0)
		return json_set_str(c, "deliver_policy",
		    "by_start_sequence") &&
		    json_set_u64(c, "opt_start_seq", after + 1);
	if (want->since_ms <= 0)
		return json_set_str(c, "deliver_policy", "all");
	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return false;
	snprintf(text, sizeof(text), "%s.%03dZ", day,
	    (int)(want->since_ms % 1000));
	return json_set_str(c, "deliver_policy", "by_start_time") &&
	    json_set_str(c, "opt_start_time", text);
}

static cJSON *
consumer_config(const struct reading *r)
{
	cJSON	*c = cJSON_CreateObject();

	if (c != NULL && json_set_str(c, "name", r->part->name) &&
	    set_start(c, r) &&
	    json_set_str(c, "ack_policy", "none") &&
	    json_set_str(c, "replay_policy", "instant") &&
	    json_set_str(c, "filter_subject", r->filter) &&
	    json_set_i64(c, "inactive_threshold", INACTIVE_MS * 1000000LL) &&
	    json_set_bool(c, "mem_storage", true) &&
	    json_set_u64(c, "num_replicas", 1))
		return c;
	cJSON_Delete(c);
	return NULL;
}

static void
on_created(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct reading		*r = arg;
	struct js_consumer	 c;

	if (!is_awaited(r, outcome))
		return;
	if (outcome == BUS_DENIED)
		error_set(&r->why, EX_NOPERM, "these credentials may not read "
		    "\"%s\": it is outside their allowSubscribe", r->channel);
	else if (endpoint_outcome(outcome, "history", &r->why) == 0 &&
	    js_consumer_parse(reply, &c, &r->why) == 0) {
		r->left = c.n_pending;
		r->consumer_seq = 0;
		r->gap = false;
		js_consumer_free(&c);
	}
	if (r->why.code != 0 || r->left == 0 || pull_start(&r->pull,
	    r->part->ep->bus, r->part->stream, r->part->name, BATCH,
	    on_message, r, &r->why) == -1) {
		end(r);
		return;
	}
	r->step = READ_PULLS;
	r->heard_ms = clock_ms();
	tend_pull(r);
}

static void
on_deleted_before(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct reading	*r = arg;
	char		 subject[SUBJECT_MAX], *body;
	cJSON		*config;

	(void)reply;
	if (!is_awaited(r, outcome))
		return;
	if (endpoint_outcome(outcome, "history", &r->why) == -1) {
		finish(r);
		return;
	}
	config = consumer_config(r);
	body = config == NULL ? NULL : js_consumer_request(subject,
	    sizeof(subject), r->part->stream, r->part->name, config);
	cJSON_Delete(config);
	r->step = READ_CREATES;
	if (body == NULL)
		error_errno(&r->why, EX_OSERR, "history");
	else
		(void)ask(r, subject, body, on_created);
	free(body);
	if (r->why.code != 0)
		finish(r);
}

/* Without an answer nothing is known of a cap. */
static void
on_cap(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct reading		*r = arg;
	struct js_stream	 s;

	if (is_awaited(r, outcome) && outcome == BUS_OK &&
	    js_stream_parse(reply, &s, NULL) == 0)
		r->cap = s.max_per_subject;
}

static void
begin(struct reading *r)
{
	char	subject[SUBJECT_MAX];

	r->step = READ_DELETES;
	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s",
	    r->part->stream);
	if (ask(r, subject, NULL, on_cap) == -1 ||
	    ask_delete(r, on_deleted_before) == -1)
		finish(r);
}

/* --- asking for one ----------------------------------------------------------------- */

static int
reading_init(struct reading *r, const char *channel,
    const struct endpoint_history *want, struct error *e)
{
	if (!channel_is_valid(channel) || subject_chat(r->filter,
	    sizeof(r->filter), endpoint_space(r->part->ep), "*", channel) ==
	    -1)
		return error_set(e, EX_USAGE, "\"%s\" is not a channel",
		    channel);
	if (want->limit > LIMIT_MAX)
		return error_set(e, EX_USAGE, "at most %d messages are read",
		    LIMIT_MAX);
	snprintf(r->channel, sizeof(r->channel), "%s", channel);
	r->want = *want;
	r->limit = want->limit;
	r->cap = -1;
	if ((r->subjects = map_new()) == NULL || (r->limit > 0 &&
	    (r->ring = calloc(r->limit, sizeof(*r->ring))) == NULL))
		return error_errno(e, EX_OSERR, "history");
	return 0;
}

int
endpoint_read(struct endpoint *ep, const char *channel,
    const struct endpoint_history *want, endpoint_said_fn *said,
    endpoint_told_fn *told, void *arg, struct error *e)
{
	struct reading	*r;

	if (endpoint_linked(ep, e) == -1)
		return -1;
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return error_errno(e, EX_OSERR, "history");
	r->part = ep->reads;
	r->said = said;
	r->told = told;
	r->arg = arg;
	if (reading_init(r, channel, want, e) == -1) {
		reading_free(r);
		return -1;
	}
	/* Begun by the next _tend. */
	TAILQ_INSERT_TAIL(&ep->reads->queue, r, entry);
	return 0;
}

/* --- the frontier ---------------------------------------------------------------------- */

struct asking {
	struct endpoint		*ep;
	endpoint_frontier_fn	*fn;
	void			*arg;
};

static void
on_frontier(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct asking		*a = arg;
	struct js_stream	 s = { .last_seq = 0 };
	struct error		 e;

	if (endpoint_outcome(outcome, "the newest message", &e) == -1 ||
	    js_stream_parse(reply, &s, &e) == -1)
		a->fn(a->arg, 0, &e);
	else
		a->fn(a->arg, s.last_seq, NULL);
	free(a);
}

int
endpoint_frontier(struct endpoint *ep, endpoint_frontier_fn *fn, void *arg,
    struct error *e)
{
	char		 subject[SUBJECT_MAX];
	struct asking	*a = malloc(sizeof(*a));

	if (a == NULL)
		return error_errno(e, EX_OSERR, "frontier");
	a->ep = ep;
	a->fn = fn;
	a->arg = arg;
	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s",
	    ep->reads->stream);
	if (endpoint_api(ep, subject, NULL, on_frontier, a, e) == -1) {
		free(a);
		return -1;
	}
	return 0;
}

/* --- the part ---------------------------------------------------------------------- */

struct read_part *
read_part_new(struct endpoint *ep)
{
	struct read_part	*p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ep = ep;
	TAILQ_INIT(&p->queue);
	(void)name_stream(p->stream, sizeof(p->stream), endpoint_space(ep),
	    STREAM_CHAT);
	snprintf(p->name, sizeof(p->name), "chathist_%s", endpoint_id(ep));
	return p;
}

/* What was asked for when the link was lost has had no other. */
void
read_part_free(struct read_part *p)
{
	struct reading	*r;

	while (p != NULL && (r = TAILQ_FIRST(&p->queue)) != NULL) {
		error_set(&r->why, EX_TEMPFAIL, "history: there is no "
		    "connection any more");
		finish(r);
	}
	free(p);
}

int
read_part_bind(struct read_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

bool
read_part_bound(const struct read_part *p)
{
	(void)p;
	return true;
}

int
read_part_tend(struct read_part *p, struct error *e)
{
	struct reading	*r = TAILQ_FIRST(&p->queue);

	(void)e;
	if (r != NULL && r->step == READ_WAITS)
		begin(r);
	else if (r != NULL && r->step == READ_PULLS)
		tend_pull(r);
	return 0;
}

void
read_part_unbind(struct read_part *p)
{
	TAILQ_HEAD(, reading)	 ended = TAILQ_HEAD_INITIALIZER(ended);
	struct reading		*r;

	/* A callback may ask for others: those wait for the next link. */
	TAILQ_CONCAT(&ended, &p->queue, entry);
	while ((r = TAILQ_FIRST(&ended)) != NULL) {
		TAILQ_REMOVE(&ended, r, entry);
		TAILQ_INSERT_TAIL(&p->queue, r, entry);
		if (r->step == READ_PULLS)
			pull_stop(&r->pull);
		error_set(&r->why, EX_TEMPFAIL, "history: the connection was "
		    "lost");
		finish(r);
	}
}
