/* SPDX-License-Identifier: ISC */

/* What the space has on the broker: streams, buckets and consumers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "migrate.h"
#include "space.h"

#define NS_PER_MS	1e6

/* --- comparing -------------------------------------------------------------- */

/* What it means when a setting is another one. */
struct meaning {
	const char	*field;
	bool		 stops;
	const char	*means;
};

static const struct meaning stream_meanings[] = {
	{ "subjects", true, "what is said would be stored elsewhere" },
	{ "retention", true, "messages would go that must stay, or stay that "
	    "must go" },
	{ "sealed", true, "nothing can be stored" },
	{ "storage", false, "what is kept in memory is lost with the broker" },
	{ "max_msgs", false, "beyond it the oldest go, read or not" },
	{ "max_bytes", false, "beyond it the oldest go, read or not" },
	{ "max_age", false, "what is older goes, read or not" },
	{ "max_msgs_per_subject", false, "so many are kept for each" },
	{ "max_msg_size", false, "bigger ones are refused" },
	{ "discard", false, "it decides what happens when it is full" },
	{ "allow_direct", false, "it must be on of CHAT and the buckets alone:"
	    " it goes round who may read the rest" },
	{ "duplicate_window", false, "a copy that is made again later than "
	    "that comes twice" },
	{ "allow_rollup_hdrs", false, "it matters to who purges a key" },
	{ NULL, false, "it is left as it is" } };

static const struct meaning durable_meanings[] = {
	{ "filter_subject", true, "it would be given other messages" },
	{ "ack_policy", true, "nothing would be given again" },
	{ "max_deliver", false, "after that the broker gives a message up by "
	    "itself" },
	{ "replay_policy", false, "old messages come as slowly as they came" },
	{ NULL, false, "it is left as it is" } };

/* What is not to be there at all: nothing of ours sets it. */
static const struct meaning stream_extras[] = {
	{ "mirror", true, "nothing can be stored" },
	{ "no_ack", true, "who says something is never told that it is "
	    "stored" },
	{ "subject_transform", true, "what is said would be stored elsewhere" },
	{ "sources", false, "what others have said is stored here, too" },
	{ "republish", false, "what is stored is heard elsewhere, too" },
	{ NULL, false, NULL } };

static const struct meaning durable_extras[] = {
	{ "headers_only", true, "it would be given nothing to read" },
	{ "backoff", true, "it decides when what was not acknowledged comes "
	    "again, and ack_wait does not" },
	{ "pause_until", true, "it may give nothing until then" },
	{ "inactive_threshold", true, "it goes, and how far it was with it, "
	    "when it rests for so long" },
	{ "rate_limit_bps", false, "it gives no more than that" },
	{ "max_batch", false, "it gives no more at a time" },
	{ "max_bytes", false, "it gives no more at a time" },
	{ NULL, false, NULL } };

static const struct meaning *
meaning_of(const struct meaning *m, const char *field)
{
	while (m->field != NULL && strcmp(m->field, field) != 0)
		m++;
	return m;
}

/* A server leaves out what is empty, by its version. */
static bool
is_same(const cJSON *want, const cJSON *is)
{
	if (is != NULL)
		return cJSON_Compare(want, is, true);
	return cJSON_IsFalse(want) || (cJSON_IsNumber(want) &&
	    want->valuedouble == 0);
}

static void
say_difference(struct migrate *m, const char *about, const cJSON *want,
    const cJSON *is, const struct meaning *mean)
{
	char	*should = json_print(want);
	char	*has = is == NULL ? NULL : json_print(is);

	if (should == NULL)
		fatal_memory();
	if (mean->stops)
		migrate_stop(m, EX_CONFIG, about, "%s is %s, not %s: %s",
		    want->string, has == NULL ? "missing" : has, should,
		    mean->means);
	else
		migrate_step(m, STEP_NOTE, about, "%s is %s, not %s: %s",
		    want->string, has == NULL ? "missing" : has, should,
		    mean->means);
	free(has);
	free(should);
}

/* Says each difference; how many. */
static unsigned
compare(struct migrate *m, const char *about, const cJSON *want,
    const cJSON *is, const struct meaning *meanings, const char *const *not)
{
	const cJSON	*w, *v;
	unsigned	 n = 0;
	size_t		 i;

	cJSON_ArrayForEach(w, want) {
		for (i = 0; not[i] != NULL; i++)
			if (strcmp(not[i], w->string) == 0)
				break;
		v = json_get(is, w->string);
		if (not[i] != NULL || is_same(w, v))
			continue;
		say_difference(m, about, w, v, meaning_of(meanings,
		    w->string));
		n++;
	}
	return n;
}

/* Says what is there that should not be; how many. */
static unsigned
find_extras(struct migrate *m, const char *about, const cJSON *is,
    const struct meaning *extras)
{
	const cJSON	*v;
	char		*has;
	unsigned	 n = 0;

	for (; extras->field != NULL; extras++) {
		v = json_get(is, extras->field);
		if (v == NULL || cJSON_IsNull(v) || cJSON_IsFalse(v) ||
		    (cJSON_IsNumber(v) && v->valuedouble == 0))
			continue;
		if ((has = json_print(v)) == NULL)
			fatal_memory();
		if (extras->stops)
			migrate_stop(m, EX_CONFIG, about, "%s is %s: %s",
			    extras->field, has, extras->means);
		else
			migrate_step(m, STEP_NOTE, about, "%s is %s: %s",
			    extras->field, has, extras->means);
		free(has);
		n++;
	}
	return n;
}

/* --- asking ------------------------------------------------------------------- */

/* The API's answer; NULL with *e, api set where the server said why. */
static cJSON *
ask(struct migrate *m, const char *body, struct error *e,
    const char *subject)
{
	struct bus_pub	 p = { .subject = subject, .data = body,
			    .len = strlen(body) };
	const cJSON	*error, *code, *text;
	natsMsg		*reply = bus_call(m->bus, &p, JS_TIMEOUT_MS, e);
	cJSON		*o;

	if (reply == NULL)
		return NULL;
	o = json_parse(natsMsg_GetData(reply),
	    (size_t)natsMsg_GetDataLength(reply), e);
	bus_msg_free(reply);
	if (o == NULL || (error = json_get(o, "error")) == NULL)
		return o;
	code = json_get(error, "err_code");
	text = json_get(error, "description");
	error_set(e, EX_UNAVAILABLE, "%s: %s", subject,
	    cJSON_IsString(text) ? text->valuestring : "an error");
	if (cJSON_IsNumber(code))
		e->api = (int)code->valuedouble;
	cJSON_Delete(o);
	return NULL;
}

/* 1: there, *config the caller's, *o what it is part of; 0: not; -1: *e. */
static int
stream_config(struct migrate *m, const char *name, cJSON **o,
    struct error *e)
{
	char	subject[SUBJECT_MAX];

	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s", name);
	if ((*o = ask(m, "", e, subject)) != NULL)
		return 1;
	return e->api == JS_NO_STREAM ? 0 : -1;
}

static double
number(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

/* --- streams and buckets ---------------------------------------------------------- */

static const char *const	not_of_streams[] = { "name", NULL };

static void
judge(struct migrate *m, cJSON *want, const cJSON *o)
{
	const char	*name = json_get(want, "name")->valuestring;
	const cJSON	*state = json_get(o, "state");
	const cJSON	*is = json_get(o, "config");

	if (compare(m, name, want, is, stream_meanings, not_of_streams) +
	    find_extras(m, name, is, stream_extras) == 0)
		migrate_step(m, STEP_OK, name, "as expected; %.0f messages, "
		    "the last is %.0f", number(state, "messages"),
		    number(state, "last_seq"));
}

/* What a space has is what its settings say, unless those are there. */
static void
adopt_settings(struct migrate *m, int kind, bool bucket, const cJSON *o)
{
	const cJSON	*c = json_get(o, "config");

	if (!m->first)
		return;
	if (bucket && kind == BUCKET_DELIVERY)
		m->want.lease_ttl_ms = (int64_t)(number(c, "max_age") /
		    NS_PER_MS);
	else if (!bucket && kind == STREAM_INBOX)
		m->want.dedup_window_ms = (int64_t)(number(c,
		    "duplicate_window") / NS_PER_MS);
	else if (!bucket && kind == STREAM_CHAT &&
	    number(c, "num_replicas") >= 1)
		m->want.replicas = (int)number(c, "num_replicas");
}

static int
look_at(struct migrate *m, int kind, bool bucket, cJSON **o,
    struct error *e)
{
	char	name[STREAM_MAX];
	int	r;

	if (bucket)
		name_bucket_stream(name, sizeof(name), m->want.space,
		    (enum bucket_kind)kind);
	else
		name_stream(name, sizeof(name), m->want.space,
		    (enum stream_kind)kind);
	if ((r = stream_config(m, name, o, e)) == -1)
		return -1;
	if (r == 1) {
		if (bucket)
			m->bucket[kind] = true;
		else
			m->stream[kind] = true;
		adopt_settings(m, kind, bucket, *o);
	} else if (!bucket && kind == STREAM_CHAT)
		migrate_stop(m, EX_CONFIG, name, "there is none, so there is "
		    "no space %s to take over at %s; `reeve init` makes one",
		    m->want.space, m->want.servers);
	else
		migrate_step(m, STEP_WOULD, name, "is missing, and is made");
	return 0;
}

/* Settings that would not be read again, and what nothing can be done with. */
static void
check_settings(struct migrate *m)
{
	struct error	e;

	if (m->bucket[BUCKET_DELIVERY] && m->want.lease_ttl_ms <= 0)
		migrate_stop(m, EX_CONFIG, "lease", "the delivery bucket "
		    "keeps its keys for ever: a lease there never expires");
	else if (config_check(&m->want, &e) == -1)
		migrate_stop(m, EX_CONFIG, "settings", "%s", e.text);
}

int
migrate_look_at_streams(struct migrate *m, struct error *e)
{
	cJSON	*o[N_STREAMS + N_BUCKETS] = { NULL }, *want;
	int	 i, r = 0;

	for (i = 0; r == 0 && i < N_STREAMS + N_BUCKETS; i++)
		r = i < N_STREAMS ? look_at(m, i, false, &o[i], e) :
		    look_at(m, i - N_STREAMS, true, &o[i], e);
	if (r == 0)
		check_settings(m);
	for (i = 0; r == 0 && i < N_STREAMS + N_BUCKETS; i++) {
		if (o[i] == NULL)
			continue;
		want = i < N_STREAMS ? space_stream(&m->want,
		    (enum stream_kind)i) : space_bucket(&m->want,
		    (enum bucket_kind)(i - N_STREAMS));
		if (want == NULL)
			fatal_memory();
		judge(m, want, o[i]);
		cJSON_Delete(want);
	}
	for (i = 0; i < N_STREAMS + N_BUCKETS; i++)
		cJSON_Delete(o[i]);
	return r;
}

/* --- durables ----------------------------------------------------------------------- */

/* How it was begun, and what the roles update when they have the lease. */
static const char *const	not_of_durables[] = { "name", "durable_name",
	    "deliver_policy", "ack_wait", "max_ack_pending", "max_waiting",
	    "num_replicas", NULL };

static void
say_cursor(struct migrate *m, const char *about, const char *stream,
    const struct js_consumer *c)
{
	cJSON	*o = migrate_step(m, STEP_OK, about, "of %s: given out up to "
		    "%llu, acknowledged up to %llu, %llu given out and not "
		    "acknowledged, %llu to come; that stays so", stream,
		    (unsigned long long)c->delivered_seq,
		    (unsigned long long)c->ack_floor_seq,
		    (unsigned long long)c->n_ack_pending,
		    (unsigned long long)c->n_pending);

	if (o != NULL && (!json_set_u64(o, "delivered", c->delivered_seq) ||
	    !json_set_u64(o, "acknowledged", c->ack_floor_seq) ||
	    !json_set_u64(o, "unacknowledged", c->n_ack_pending) ||
	    !json_set_u64(o, "pending", c->n_pending)))
		fatal_memory();
}

static void
say_updates(struct migrate *m, const char *about, const cJSON *is)
{
	double	wait = number(is, "ack_wait") / NS_PER_MS;
	double	most = number(is, "max_ack_pending");

	if (wait != DURABLE_ACK_WAIT_MS || most != DURABLE_MAX_ACK_PENDING)
		migrate_step(m, STEP_WOULD, about, "who has the lease updates "
		    "ack_wait from %g s to %g s, max_ack_pending from %.0f to "
		    "%d", wait / 1000, DURABLE_ACK_WAIT_MS / 1000.0, most,
		    DURABLE_MAX_ACK_PENDING);
}

static void
judge_durable(struct migrate *m, const char *stream, const char *name,
    const cJSON *want, const struct js_consumer *c)
{
	if (json_get(c->config, "deliver_subject") != NULL)
		migrate_stop(m, EX_CONFIG, name, "of %s is a push consumer",
		    stream);
	(void)compare(m, name, want, c->config, durable_meanings,
	    not_of_durables);
	(void)find_extras(m, name, c->config, durable_extras);
	say_cursor(m, name, stream, c);
	say_updates(m, name, c->config);
}

/* A fan-out that is made anew would pass over what was said meanwhile. */
static void
judge_missing(struct migrate *m, enum stream_kind kind, const char *stream,
    const char *name)
{
	if (kind != STREAM_CHAT)
		migrate_step(m, STEP_WOULD, name, "of %s is missing, and is "
		    "made: all that is there is read", stream);
	else if (m->fanout_from != NULL)
		migrate_step(m, STEP_WOULD, name, "of %s is missing, and is "
		    "made: it begins at %s", stream, m->fanout_from);
	else if (m->open > 0)
		migrate_stop(m, EX_CONFIG, name, "of %s is missing, and there"
		    " are %zu members: say where it is to begin, with "
		    "--fanout-from SEQ, first (all that is kept is delivered,"
		    " some perhaps twice) or new (what was said since it went"
		    " is lost)", stream, m->open);
	else
		migrate_step(m, STEP_WOULD, name, "of %s is missing, and is "
		    "made: nobody is a member yet", stream);
}

static int
look_at_durable(struct migrate *m, enum stream_kind kind, cJSON *want,
    struct error *e)
{
	struct js_consumer	 c;
	char			 stream[STREAM_MAX];
	const char		*name;
	int			 r;

	if (want == NULL)
		fatal_memory();
	name = json_get(want, "name")->valuestring;
	name_stream(stream, sizeof(stream), m->want.space, kind);
	r = js_consumer_info(m->bus, stream, name, &c, e);
	if (r == 0) {
		judge_durable(m, stream, name, want, &c);
		if (kind == STREAM_CHAT && m->fanout_from != NULL)
			migrate_step(m, STEP_NOTE, name, "of %s is there, and"
			    " goes on where it is: --fanout-from changes "
			    "nothing", stream);
		js_consumer_free(&c);
	} else if (e->api == JS_NO_CONSUMER || e->api == JS_NO_STREAM) {
		judge_missing(m, kind, stream, name);
		r = 0;
	}
	cJSON_Delete(want);
	return r;
}

int
migrate_look_at_durables(struct migrate *m, struct error *e)
{
	unsigned	i;

	for (i = 0; i < m->layout.shards; i++)
		if (look_at_durable(m, STREAM_CHAT, space_fanout(
		    m->want.space, i, m->layout.shards), e) == -1 ||
		    look_at_durable(m, STREAM_INBOX, space_reader(
		    m->want.space, i, m->layout.shards), e) == -1)
			return -1;
	return 0;
}

/* --- agents' ------------------------------------------------------------------------- */

static const struct {
	enum stream_kind	 kind;
	const char		*prefix, *what;
} agents_durables[] = {
	{ STREAM_DM, "dm_", "direct messages" },
	{ STREAM_DLV, "dlv_", "what was said while they were away" },
	{ STREAM_TASK, "svc_", "a role's tasks" } };
#define N_AGENTS_DURABLES 3

/* One page of names.  How many there are on it; -1 with *e. */
static int
count_page(struct migrate *m, const char *stream, const char *prefix,
    size_t offset, size_t *n, size_t *others, struct error *e)
{
	char		 subject[SUBJECT_MAX], body[64];
	const cJSON	*name;
	cJSON		*o;
	int		 got = 0;

	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.NAMES.%s",
	    stream);
	snprintf(body, sizeof(body), "{\"offset\":%zu}", offset);
	if ((o = ask(m, body, e, subject)) == NULL)
		return -1;
	cJSON_ArrayForEach(name, json_get(o, "consumers")) {
		got++;
		if (!cJSON_IsString(name) || strncmp(name->valuestring,
		    prefix, strlen(prefix)) != 0)
			(*others)++;
		else
			(*n)++;
	}
	cJSON_Delete(o);
	return got;
}

int
migrate_look_at_agents(struct migrate *m, struct error *e)
{
	char	stream[STREAM_MAX];
	size_t	i, n, others;
	int	got;

	for (i = 0; i < N_AGENTS_DURABLES; i++) {
		if (!m->stream[agents_durables[i].kind])
			continue;
		name_stream(stream, sizeof(stream), m->want.space,
		    agents_durables[i].kind);
		n = others = 0;
		do
			if ((got = count_page(m, stream,
			    agents_durables[i].prefix, n + others, &n,
			    &others, e)) == -1)
				return -1;
		while (got > 0);
		migrate_step(m, STEP_OK, stream, "%zu consumers %s of agents "
		    "(%s); they stay as they are", n,
		    agents_durables[i].prefix, agents_durables[i].what);
		if (others > 0)
			migrate_step(m, STEP_NOTE, stream, "%zu consumers "
			    "more, of no name that is known", others);
	}
	return 0;
}
