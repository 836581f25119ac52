/* SPDX-License-Identifier: ISC */

/* Senders and listeners that go on while a test breaks things. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "load.h"
#include "message.h"

#define POST_MS		1000	/* no answer: again */
#define BATCH		256
#define PULL_MS		2000	/* a request's time */
#define TEXT_MAX	4096
#define QUIET_MS	400	/* nothing comes, nothing is pending */

void
load_init(struct load *l, struct space *s)
{
	memset(l, 0, sizeof(*l));
	l->space = s;
}

void
load_free(struct load *l)
{
	unsigned	i;

	/* First: what is on its way ends in its sender. */
	for (i = 0; i < l->n_senders; i++) {
		agent_free(l->senders[i].agent);
		free(l->senders[i].posts);
	}
	for (i = 0; i < l->n_listeners; i++) {
		agent_free(l->listeners[i].agent);
		free(l->listeners[i].copies);
	}
	if (l->tap != NULL)
		bus_unsubscribe(l->space->root, l->tap);
	memset(l, 0, sizeof(*l));
}

struct sender *
load_sender(struct load *l, const char *channel, int64_t every_ms)
{
	struct sender	*s = &l->senders[l->n_senders];
	char		 options[128];

	ck_assert(l->n_senders < LOAD_SENDERS);
	snprintf(s->name, sizeof(s->name), "sender%u", l->n_senders++);
	snprintf(options, sizeof(options), "--allow-publish %s", channel);
	s->agent = agent_make(l->space, s->name, options);
	s->channel = channel;
	s->every_ms = every_ms;
	return s;
}

/* What a broken link took along comes again within a second, not a minute. */
static void
hasten(struct listener *li)
{
	struct space		*s = li->agent->space;
	struct js_consumer	 c;
	struct error		 e;
	char			 stream[STREAM_MAX], durable[STREAM_MAX];

	name_stream(stream, sizeof(stream), s->config.space, STREAM_DLV);
	snprintf(durable, sizeof(durable), "dlv_%s", li->agent->id);
	OK(js_consumer_info(s->root, stream, durable, &c, &e), e);
	cJSON_ReplaceItemInObject(c.config, "ack_wait",
	    cJSON_CreateNumber(1e9));
	OK(js_consumer_create(s->root, stream, durable, c.config, NULL, &e),
	    e);
	js_consumer_free(&c);
}

struct listener *
load_listener(struct load *l, const char *channels)
{
	struct listener	*li = &l->listeners[l->n_listeners];
	char		 name[32], options[256];

	ck_assert(l->n_listeners < LOAD_LISTENERS);
	snprintf(name, sizeof(name), "listener%u", l->n_listeners++);
	snprintf(options, sizeof(options), "--allow-subscribe %s", channels);
	li->agent = agent_make(l->space, name, options);
	li->load = l;
	hasten(li);
	return li;
}

/* --- texts ------------------------------------------------------------------- */

/* "<sender> <n> <when>" and padding; false if it is none of a load's. */
static bool
text_read(natsMsg *msg, unsigned *sender, unsigned *n, long long *ms)
{
	struct message	 m;
	char		*text = NULL;
	bool		 ours = false;

	if (message_parse(&m, natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg), NULL) == 0 &&
	    (text = message_text(&m)) != NULL)
		ours = sscanf(text, "sender%u %u %lld", sender, n, ms) == 3;
	free(text);
	message_free(&m);
	return ours;
}

static void
on_tap(void *arg, natsMsg *m)
{
	struct load	*l = arg;
	unsigned	 sender, n;
	long long	 ms;

	if (l->on_copy != NULL && text_read(m, &sender, &n, &ms))
		l->on_copy(l, ms);
	natsMsg_Destroy(m);
}

void
load_tap(struct load *l)
{
	struct error	e;
	char		subject[SUBJECT_MAX];

	snprintf(subject, sizeof(subject), "cotal.%s.dlv.>",
	    l->space->config.space);
	l->tap = bus_subscribe(l->space->root, subject, NULL, on_tap, l, &e);
	ck_assert_msg(l->tap != NULL, "%s", e.text);
}

/* --- connections -------------------------------------------------------------- */

/* True when it lives; a dead one is opened again at once or at a later turn. */
static bool
alive(struct agent *a)
{
	struct bus_conf	conf = { .servers = a->space->config.servers,
			    .creds = &a->creds, .name = a->name,
			    .timeout_ms = 500 };
	struct error	e;

	if (a->bus != NULL && bus_alive(a->bus))
		return true;
	bus_close(a->bus);
	a->bus = NULL;
	return bus_open(&a->bus, &conf, &e) == 0;
}

/* --- sending -------------------------------------------------------------------- */

static void
on_posted(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct sender	*s = arg;
	uint64_t	 seq;
	int64_t		 took = clock_ms() - s->asked_ms;

	s->asked = false;
	if (took > s->slowest_ms)
		s->slowest_ms = took;
	if (outcome != BUS_OK || js_ack_parse(reply, &seq, NULL, NULL) == -1)
		return;
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 1024 : s->cap * 2;
		s->posts = reallocarray(s->posts, s->cap, sizeof(*s->posts));
		ck_assert(s->posts != NULL);
	}
	s->posts[s->n].seq = seq;
	s->posts[s->n++].ms = s->began_ms;
	s->open = false;
}

/* Publish what is open; the same id each time. */
static void
post(struct sender *s)
{
	struct agent		*a = s->agent;
	char			 subject[SUBJECT_MAX], text[TEXT_MAX];
	struct message_draft	 d = { .id = s->id, .ts_ms = s->began_ms,
				    .space = a->space->config.space,
				    .from_id = a->id, .from_name = a->name,
				    .channel = s->channel, .text = text };
	struct bus_pub		 p = { .subject = subject, .msg_id = s->id };
	char			*body;
	int			 n;

	n = snprintf(text, sizeof(text), "%s %u %lld", s->name, s->n,
	    (long long)s->began_ms);
	memset(text + n, '.', s->pad);
	text[(unsigned)n + s->pad] = '\0';
	subject_chat(subject, sizeof(subject), a->space->config.space, a->id,
	    s->channel);
	ck_assert((body = message_write(&d)) != NULL);
	p.data = body;
	p.len = strlen(body);
	s->asked_ms = clock_ms();
	s->asked = bus_request(a->bus, &p, POST_MS, on_posted, s, NULL) == 0;
	free(body);
}

static void
sender_turn(struct load *l, struct sender *s)
{
	int64_t	now = clock_ms();

	if (!alive(s->agent))
		return;
	if (!s->open && !l->hushed && now >= s->next_ms &&
	    (s->most == 0 || s->n < s->most)) {
		s->open = true;
		s->began_ms = now;
		s->next_ms = now + s->every_ms;
		message_new_id(s->id);
	}
	if (s->open && !s->asked)
		post(s);
	bus_turn(s->agent->bus, NULL, 0, 0);
}

int64_t
load_slowest_ms(struct load *l)
{
	struct sender	*s;
	int64_t		 ms, slowest = 0, now = clock_ms();

	for (s = l->senders; s < &l->senders[l->n_senders]; s++) {
		ms = s->asked && now - s->asked_ms > s->slowest_ms ?
		    now - s->asked_ms : s->slowest_ms;
		if (ms > slowest)
			slowest = ms;
		s->slowest_ms = 0;
	}
	return slowest;
}

/* --- listening -------------------------------------------------------------------- */

static int
copy_cmp(const void *a, const void *b)
{
	const struct copy	*x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* A message that comes again because our ack was lost is no second copy; a
 * broker that was killed has even forgotten that it delivered it. */
static bool
seen(const struct listener *li, uint64_t seq)
{
	size_t	i;

	for (i = li->n; i > 0; i--)
		if (li->copies[i - 1].seq == seq)
			return true;
		else if (i + 5000 < li->n)
			break;
	return false;
}

static void
on_copy(void *arg, natsMsg *m, const struct js_delivery *d)
{
	struct listener	*li = arg;
	struct bus_pub	 ack = { .subject = natsMsg_GetReply(m),
			    .data = "+ACK", .len = 4 };
	struct copy	*c;
	long long	 ms;

	if (li->n == li->cap) {
		li->cap = li->cap == 0 ? 1024 : li->cap * 2;
		li->copies = reallocarray(li->copies, li->cap,
		    sizeof(*li->copies));
		ck_assert(li->copies != NULL);
	}
	c = &li->copies[li->n];
	if (!seen(li, d->stream_seq)) {
		if (text_read(m, &c->sender, &c->n, &ms)) {
			c->seq = d->stream_seq;
			li->n++;
		} else
			li->other++;
	}
	(void)bus_publish(li->agent->bus, &ack, NULL);
	natsMsg_Destroy(m);
}

static void
listener_turn(struct listener *li)
{
	struct agent	*a = li->agent;
	char		 stream[STREAM_MAX], durable[STREAM_MAX];
	struct error	 e;

	if (a->bus == NULL || !bus_alive(a->bus))
		li->pull.sub = NULL;	/* it went with its bus */
	if (!alive(a))
		return;
	if (li->pull.sub == NULL && !li->away) {
		name_stream(stream, sizeof(stream), a->space->config.space,
		    STREAM_DLV);
		snprintf(durable, sizeof(durable), "dlv_%s", a->id);
		(void)pull_start(&li->pull, a->bus, stream, durable, BATCH,
		    on_copy, li, &e);
	}
	if (!li->away)
		(void)pull_tend(&li->pull, BATCH * 2, clock_ms() + PULL_MS,
		    &e);
	bus_turn(a->bus, NULL, 0, 0);
}

/* --- turning ----------------------------------------------------------------------- */

void
load_turn(struct load *l)
{
	unsigned	i;

	for (i = 0; i < l->n_senders; i++)
		sender_turn(l, &l->senders[i]);
	for (i = 0; i < l->n_listeners; i++)
		listener_turn(&l->listeners[i]);
	if (l->tap != NULL)
		bus_turn(l->space->root, NULL, 0, 0);
	usleep(500);
}

void
load_run(struct load *l, int64_t ms)
{
	int64_t	until = clock_ms() + ms;

	while (clock_ms() < until)
		load_turn(l);
}

static bool
all_stored(const struct load *l)
{
	unsigned	i;

	for (i = 0; i < l->n_senders; i++)
		if (l->senders[i].open)
			return false;
	return true;
}

void
load_hush(struct load *l)
{
	l->hushed = true;
	LOAD_AWAIT(l, all_stored(l));
}

/* --- judging -------------------------------------------------------------------------- */

static bool
in_spans(const struct span *v, size_t n, uint64_t seq)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (v[i].after < seq && seq <= v[i].upto)
			return true;
	return false;
}

/* Said while the member was leaving: it may have got it. */
static bool
in_slack(const struct span *v, size_t n, uint64_t seq)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (v[i].upto < seq && seq <= v[i].slack)
			return true;
	return false;
}

static size_t
owed(const struct load *l, const char *channel, const struct span *v,
    size_t n)
{
	size_t		sum = 0;
	unsigned	i, k;

	for (i = 0; i < l->n_senders; i++)
		for (k = 0; k < l->senders[i].n; k++)
			sum += strcmp(l->senders[i].channel, channel) == 0 &&
			    in_spans(v, n, l->senders[i].posts[k].seq);
	return sum;
}

size_t
load_owed(const struct load *l, const char *channel, uint64_t after,
    uint64_t upto)
{
	struct span	s = { after, upto, 0 };

	return owed(l, channel, &s, 1);
}

/* Where it is, for all owners: which step it did not take. */
static void
show_stored(struct space *s, enum stream_kind kind, const char *what,
    const char *text)
{
	struct stored	st;
	uint64_t	seq;
	unsigned	n = 0;

	for (seq = 1; stored_get(s, kind, seq, &st); seq = st.seq + 1) {
		n++;
		if (memmem(st.data, st.len, text, strlen(text)) != NULL)
			fprintf(stderr, "%s %llu: %s %s\n", what,
			    (unsigned long long)st.seq, st.subject, st.msg_id);
		stored_free(&st);
	}
	/* Not there, or was it not to be seen? */
	fprintf(stderr, "%s: %u looked at, up to %llu\n", what, n,
	    (unsigned long long)seq - 1);
}

static void
show_copies(const struct load *l, const struct listener *li, unsigned sender,
    unsigned n)
{
	char	text[64];
	size_t	i;

	fprintf(stderr, "%s is %s\n", li->agent->name, li->agent->id);
	for (i = 0; i < li->n; i++)
		if (li->copies[i].sender == sender && li->copies[i].n == n)
			fprintf(stderr, "copy %zu of %zu: DLV %llu\n", i,
			    li->n, (unsigned long long)li->copies[i].seq);
	snprintf(text, sizeof(text), "\"%s %u ", l->senders[sender].name, n);
	show_stored(l->space, STREAM_CHAT, "CHAT", text);
	show_stored(l->space, STREAM_INBOX, "INBOX", text);
	show_stored(l->space, STREAM_DLV, "DLV", text);
}

/* One sender's copies: each owed one once.  count: of each n. */
static void
judge(const struct load *l, const struct listener *li, unsigned sender,
    const char *channel, const struct span *v, size_t n_spans, bool order)
{
	const struct sender	*s = &l->senders[sender];
	unsigned		*count = calloc(s->n + 1, sizeof(*count)), k;
	int64_t			 last = -1;
	bool			 mine = strcmp(s->channel, channel) == 0;
	size_t			 i;

	ck_assert(count != NULL);
	for (i = 0; i < li->n; i++) {
		if (li->copies[i].sender != sender)
			continue;
		k = li->copies[i].n;
		ck_assert_msg(k < s->n, "%s: %u was never acknowledged",
		    s->name, k);
		count[k]++;
		if (order && (int64_t)k < last) {
			log_dump(l->space);
			ck_abort_msg("%s of %s: %u (CHAT %llu, DLV %llu) "
			    "after %lld", li->agent->name, s->name, k,
			    (unsigned long long)s->posts[k].seq,
			    (unsigned long long)li->copies[i].seq,
			    (long long)last);
		}
		last = (int64_t)k;
	}
	for (k = 0; k < s->n; k++) {
		bool	is_owed = mine && in_spans(v, n_spans,
			    s->posts[k].seq);

		if (!is_owed && in_slack(v, n_spans, s->posts[k].seq))
			is_owed = count[k] > 0;
		if (count[k] != is_owed) {
			log_dump(l->space);
			show_copies(l, li, sender, k);
		}
		ck_assert_msg(count[k] == is_owed, "%s got %u of %s (CHAT "
		    "%llu) %u times, not %d", li->agent->name, k, s->name,
		    (unsigned long long)s->posts[k].seq, count[k], is_owed);
	}
	free(count);
}

/* Nothing is on its way, and nothing has come for a while. */
static void
let_settle(struct load *l, struct listener *li)
{
	char		durable[STREAM_MAX];
	int64_t		until;
	size_t		n;

	LOAD_AWAIT(l, fanout_unread(l->space) == 0 &&
	    reader_unread(l->space) == 0);
	snprintf(durable, sizeof(durable), "dlv_%s", li->agent->id);
	LOAD_AWAIT(l, consumer_unread(l->space, STREAM_DLV, durable) == 0);
	do {
		n = li->n;
		until = clock_ms() + QUIET_MS;
		while (clock_ms() < until)
			load_turn(l);
	} while (li->n != n);
}

void
load_check_spans(struct load *l, struct listener *li, const char *channel,
    const struct span *v, size_t n, bool order)
{
	size_t		want = owed(l, channel, v, n);
	unsigned	i;
	int64_t		until = clock_ms() + 3 * AWAIT_MS;

	li->away = false;
	while (li->n < want && clock_ms() < until)
		load_turn(l);
	if (li->n >= want)
		let_settle(l, li);
	qsort(li->copies, li->n, sizeof(*li->copies), copy_cmp);
	for (i = 0; i < l->n_senders; i++)
		judge(l, li, i, channel, v, n, order);
	ck_assert_uint_ge(li->n, want);
}

void
load_check(struct load *l, struct listener *li, const char *channel)
{
	struct span	all = { 0, UINT64_MAX, 0 };

	load_check_spans(l, li, channel, &all, 1, true);
}
