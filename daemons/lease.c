/* SPDX-License-Identifier: ISC */

/*
 * reeve-lease: holds lease.<shard> for this host, so that at most one host
 * works on a shard (design, "Single flight per shard"; wire, DeliveryLease).
 */
#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <sodium.h>

#include "clock.h"
#include "gate.h"
#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "members.h"
#include "records.h"
#include "role.h"

#define LOOK_MS		200	/* a stand-by looks so often */
#define TURN_LEAST_MS	5
#define RETRY_MS	200	/* after a renewal that was not answered */
#define WORKER_FRESH_MS	2500	/* health comes every second */
#define STOP_GRACE_MS	500	/* the host's others are told to stop too */
#define STOP_TOGETHER_MS 1000	/* so far apart at most */
#define RELEASE_WAIT_MS	5000	/* for the workers to pause */

static const char *const worker_roles[] = { "fanout", "reader", "control" };
#define N_WORKERS	3

struct worker {
	char	state[16];
	int64_t	heard_ms;		/* 0: never */
};

struct keeper {
	char		 nonce[33];
	char		 stream[STREAM_MAX];
	char		 subject[SUBJECT_MAX];	/* the key's */
	int64_t		 ttl_ms;
	bool		 holder;
	struct lease	 mine;		/* what we last wrote; strings ours */
	uint64_t	 seq;		/* its revision */
	int64_t		 stored_ms;	/* last renewal that was stored */
	int64_t		 next_ms;	/* to look or to renew */
	struct worker	 workers[N_WORKERS];
	int64_t		 began_ms;	/* this session */
	uint64_t	 twin_seq;	/* another's, under our uuid */
	struct members	*space;		/* of it only the layout */
	struct watch	*layout_watch;
};

/* --- the workers' health ------------------------------------------------------- */

static void
on_health(void *arg, natsMsg *m)
{
	struct role		*r = arg;
	struct keeper		*k = r->own;
	const char		*role = NULL, *host = NULL, *state = NULL;
	struct {
		char *role, *host, *state;
	} h = { NULL, NULL, NULL };
	const struct json_field	 table[] = {
		{ "role", JSON_STRING, (size_t)((char *)&h.role - (char *)&h),
		    true, 32, NULL, 0, NULL, NULL },
		{ "identity", JSON_STRING, (size_t)((char *)&h.host -
		    (char *)&h), true, HOST_IDENTITY_MAX, NULL, 0, NULL,
		    NULL },
		{ "state", JSON_STRING, (size_t)((char *)&h.state -
		    (char *)&h), true, 15, NULL, 0, NULL, NULL },
		JSON_END };
	cJSON			*o;
	size_t			 i;

	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    NULL);
	if (o != NULL && json_read(o, table, &h, "", NULL) == 0) {
		role = h.role;
		host = h.host;
		state = h.state;
	}
	for (i = 0; role != NULL && i < N_WORKERS; i++)
		if (strcmp(worker_roles[i], role) == 0 &&
		    strcmp(host, r->host.identity) == 0) {
			snprintf(k->workers[i].state,
			    sizeof(k->workers[i].state), "%s", state);
			k->workers[i].heard_ms = clock_ms();
		}
	cJSON_Delete(o);
	bus_msg_free(m);
}

static bool
worker_is(const struct worker *w, enum role_state state)
{
	return w->heard_ms != 0 &&
	    clock_ms() - w->heard_ms < WORKER_FRESH_MS &&
	    strcmp(w->state, role_state_names[state]) == 0;
}

/* All three work.  One not heard of yet, just after our own start, leaves
 * the word of the keeper before us. */
static bool
is_ready(const struct keeper *k)
{
	bool	young = clock_ms() - k->began_ms < WORKER_FRESH_MS;
	size_t	i;

	for (i = 0; i < N_WORKERS; i++)
		if (!worker_is(&k->workers[i], ROLE_BOUND) &&
		    !(young && k->workers[i].heard_ms == 0 && k->mine.ready))
			return false;
	return true;
}

static bool
any_bound(const struct keeper *k)
{
	size_t	i;

	for (i = 0; i < N_WORKERS; i++)
		if (worker_is(&k->workers[i], ROLE_BOUND))
			return true;
	return false;
}

/* Does the whole host stop?  A worker says so; or none works, and there was
 * time to hear of them.  One that is down alone says nothing of that. */
static bool
host_stops(const struct keeper *k)
{
	size_t	i;

	for (i = 0; i < N_WORKERS; i++)
		if (worker_is(&k->workers[i], ROLE_STOPPED) &&
		    clock_ms() - k->workers[i].heard_ms < STOP_TOGETHER_MS)
			return true;
	return !any_bound(k) && clock_ms() - k->began_ms >= WORKER_FRESH_MS;
}

/* --- the record ------------------------------------------------------------------- */

/* Write k->mine against revision expect.  0, or -1 with *e. */
static int
write_lease(struct role *r, uint64_t expect, struct error *e)
{
	struct keeper	*k = r->own;
	struct bus_pub	 p = { .subject = k->subject, .expect = true,
			    .expect_seq = expect };
	char		*body;
	int		 rv;

	/* Before it is sent: the store cannot have it earlier. */
	k->mine.renewed_ms = clock_ms();
	if ((body = lease_write(&k->mine)) == NULL)
		fatal_memory();
	p.data = body;
	p.len = strlen(body);
	rv = js_publish(r->bus, &p, &k->seq, NULL, e);
	free(body);
	if (rv == 0)
		k->stored_ms = k->mine.renewed_ms;
	return rv;
}

static void
hold(struct role *r, const char *how)
{
	struct keeper	*k = r->own;

	k->holder = true;
	k->next_ms = clock_ms() + k->ttl_ms / 3;
	log_info("lease held", "how=%s rev=%llu ttl_ms=%lld", log_str(how),
	    (unsigned long long)k->seq, (long long)k->ttl_ms);
	role_set_state(r, ROLE_BOUND, how);
}

static void
lose(struct role *r, const char *why)
{
	struct keeper	*k = r->own;

	k->holder = false;
	k->next_ms = clock_ms();
	role_set_state(r, ROLE_PAUSED, why);
}

/* Somebody else holds it; is it one that took our uuid along? */
static int
stand_by(struct role *r, const struct lease *l, uint64_t seq, struct error *e)
{
	struct keeper	*k = r->own;

	lose(r, l->host == NULL ? "held by another system's daemon" :
	    "held by another host");
	if (!lease_is_twin(l, r->host.identity)) {
		role_say_ready(r);
		return 0;
	}
	if (k->twin_seq != 0 && seq > k->twin_seq)
		return error_set(e, EX_SOFTWARE, LEASE_TWIN);
	k->twin_seq = seq;
	return 0;
}

/*
 * Somebody's record is there.  Ours by identity and boot: a keeper before us
 * on this host, so take it over with no gap.  Any other waits for the TTL.
 */
static int
meet(struct role *r, const struct js_message *m, struct error *e)
{
	struct keeper	*k = r->own;
	struct lease	 l;
	int		 rv = 0;

	if (lease_read(&l, m->data, m->len, e) == -1) {
		lose(r, "unreadable lease: waiting for it to expire");
		lease_free(&l);
		return 0;
	}
	if (l.host == NULL || strcmp(l.host, r->host.identity) != 0)
		rv = stand_by(r, &l, m->seq, e);
	else if (l.releasing)
		lose(r, "being released");
	else {
		k->mine.since_ms = l.since_ms;
		k->mine.ready = l.ready;
		if ((rv = write_lease(r, m->seq, e)) == 0)
			hold(r, "taken over");
		else if (e->api == JS_WRONG_LAST_SEQ)
			rv = 0;		/* look again */
	}
	lease_free(&l);
	return rv;
}

static int
try_to_hold(struct role *r, struct error *e)
{
	struct keeper		*k = r->own;
	struct js_message	 m = { .seq = 0 };
	uint64_t		 expect = 0;
	int			 found, rv;

	k->next_ms = clock_ms() + LOOK_MS;
	found = js_get(r->bus, k->stream, JS_LAST_BY_SUBJECT, 0, k->subject,
	    &m, e);
	if (found == -1)
		return -1;
	if (found == 1 && !m.deleted) {
		rv = meet(r, &m, e);
		js_message_free(&m);
		return rv;
	}
	if (found == 1) {
		expect = m.seq;		/* of the marker */
		js_message_free(&m);
	}
	k->mine.since_ms = clock_epoch_ms();
	k->mine.ready = false;
	if (write_lease(r, expect, e) == 0)
		hold(r, "created");
	else if (e->api != JS_WRONG_LAST_SEQ)
		return -1;
	return 0;
}

/*
 * What is there is no lease: somebody's stray write, or an answer of the API
 * aimed at the key.  No keeper takes the shard before that has expired, which
 * is later than our own right ends: so as long as that lasts, go on from it.
 */
static void
overwritten(struct role *r, uint64_t seq)
{
	struct keeper	*k = r->own;

	log_error("lease overwritten", "rev=%llu", (unsigned long long)seq);
	if (clock_ms() - k->stored_ms < k->ttl_ms -
	    lease_margin_ms(k->ttl_ms)) {
		k->seq = seq;
		k->next_ms = clock_ms();
	} else
		lose(r, "lease overwritten");
}

/*
 * A renewal met another revision.  Our own unanswered write: go on from it.
 * Our identity under another nonce: a second keeper, whatever the lock said.
 */
static int
renewal_lost(struct role *r, struct error *e)
{
	struct keeper		*k = r->own;
	struct js_message	 m;
	struct lease		 l;
	int			 found, rv = 0;

	found = js_get(r->bus, k->stream, JS_LAST_BY_SUBJECT, 0, k->subject,
	    &m, e);
	if (found == -1)
		return -1;
	if (found == 0 || m.deleted) {
		lose(r, "lease expired");
	} else if (lease_read(&l, m.data, m.len, e) == -1) {
		overwritten(r, m.seq);
		lease_free(&l);
	} else {
		if (l.host == NULL || strcmp(l.host, r->host.identity) != 0)
			lose(r, "lease taken by another host");
		else if (l.nonce != NULL && strcmp(l.nonce, k->nonce) == 0)
			k->seq = m.seq;
		else
			rv = error_set(e, EX_SOFTWARE, "a second keeper works"
			    " as this very host: is a copy of %s in use?",
			    r->config.state);
		lease_free(&l);
	}
	if (found == 1)
		js_message_free(&m);
	return rv;
}

static int
renew(struct role *r, bool ready, struct error *e)
{
	struct keeper	*k = r->own;

	if (ready != k->mine.ready)
		log_info("lease ready", "ready=%s", ready ? "true" : "false");
	k->mine.ready = ready;
	if (write_lease(r, k->seq, e) == 0) {
		k->next_ms = clock_ms() + k->ttl_ms / 3;
		return 0;
	}
	if (e->api == JS_WRONG_LAST_SEQ)
		return renewal_lost(r, e);
	log_warn("renewal failed", "error=%s", log_str(e->text));
	k->next_ms = clock_ms() + RETRY_MS;
	return 0;
}

static int
step(struct role *r, struct error *e)
{
	struct keeper	*k = r->own;
	bool		 ready = is_ready(k);

	/* Nor for a layout that is not known. */
	if (!k->holder)
		return clock_ms() >= k->next_ms &&
		    watch_synced(k->layout_watch) ? try_to_hold(r, e) : 0;
	if (ready != k->mine.ready || clock_ms() >= k->next_ms)
		return renew(r, ready, e);
	return 0;
}

/* Does no process have this role here?  It would hold the lock. */
static bool
is_absent(const struct role *r, const char *name)
{
	char	*path = config_path(&r->config, "lock/%s-%u", name, r->shard);
	bool	 absent = false;
	int	 fd;

	if (path == NULL)
		return false;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		absent = errno == ENOENT;
	else {
		absent = flock(fd, LOCK_SH | LOCK_NB) == 0;
		close(fd);
	}
	free(path);
	return absent;
}

/* Each worker's last word is that it does not work, or it is no more.  One
 * that is silent may be stopped, and has the right to work when it goes on. */
static bool
all_paused(const struct role *r)
{
	const struct keeper	*k = r->own;
	size_t			 i;

	for (i = 0; i < N_WORKERS; i++)
		if ((k->workers[i].heard_ms == 0 ||
		    strcmp(k->workers[i].state,
		    role_state_names[ROLE_BOUND]) == 0) &&
		    !is_absent(r, worker_roles[i]))
			return false;
	return true;
}

/* --- releasing ----------------------------------------------------------------------- */

/*
 * Hand the shard over, in three steps: say releasing, wait for the workers to
 * pause, delete what we wrote and nothing newer.
 */
static void
hand_over(struct role *r)
{
	struct keeper	*k = r->own;
	struct bus_pub	 p = { .subject = k->subject, .expect = true,
			    .data = "", .kv_operation = "DEL" };
	struct error	 e;
	int64_t		 deadline;

	k->mine.releasing = true;
	k->mine.ready = false;
	if (write_lease(r, k->seq, &e) == -1) {
		log_warn("lease not released", "error=%s", log_str(e.text));
		return;
	}
	deadline = clock_ms() + RELEASE_WAIT_MS;
	while (!all_paused(r) && clock_ms() < deadline && bus_alive(r->bus))
		bus_turn(r->bus, NULL, 0, 20);
	if (!all_paused(r)) {
		log_warn("lease left to expire", "why=%s",
		    log_str("a worker did not pause"));
		return;
	}
	p.expect_seq = k->seq;
	if (js_publish(r->bus, &p, NULL, NULL, &e) == -1)
		log_warn("lease not deleted", "error=%s", log_str(e.text));
	else
		log_info("lease released", "rev=%llu",
		    (unsigned long long)k->seq);
}

/* When the whole host stops.  Restarting the keeper alone must not move the
 * shard, and then its workers go on. */
static void
release(struct role *r)
{
	struct keeper	*k = r->own;
	int64_t		 deadline = clock_ms() + STOP_GRACE_MS;

	while (!host_stops(k) && clock_ms() < deadline && bus_alive(r->bus))
		bus_turn(r->bus, NULL, 0, 20);
	if (host_stops(k))
		hand_over(r);
	else
		log_info("lease kept", "why=%s",
		    log_str("the workers go on"));
}

/* What this host is set up for is not what the space has: its workers refuse,
 * and another host's must be let at the shard. */
static int
check_layout(struct role *r, struct error *e)
{
	struct keeper	*k = r->own;

	if (watch_tend(k->layout_watch, e) == -1)
		return -1;
	if (!watch_synced(k->layout_watch) ||
	    layout_fits(members_layout(k->space), r->shards, e) == 0)
		return 0;
	if (k->holder)
		hand_over(r);
	return -1;
}

/* --- the session ------------------------------------------------------------------------ */

static int
bind_session(struct role *r, struct error *e)
{
	struct keeper		*k = r->own;
	struct js_stream	 bucket;
	char			 subject[SUBJECT_MAX];

	snprintf(subject, sizeof(subject), "cotal.%s.reeve.health.%s.>",
	    r->config.space, r->shard_text);
	if (bus_subscribe(r->bus, subject, NULL, on_health, r, e) == NULL)
		return -1;
	if (js_stream_info(r->bus, k->stream, &bucket, e) == -1 ||
	    watch_bind(k->layout_watch, r->bus, e) == -1)
		return -1;
	if (bucket.max_age_ms == 0)
		return error_set(e, EX_CONFIG, "%s keeps its keys for ever: "
		    "a lease there would never expire", k->stream);
	k->ttl_ms = k->mine.ttl_ms = bucket.max_age_ms;
	k->holder = false;
	k->next_ms = 0;
	k->began_ms = clock_ms();
	return 0;
}

static int
loop(struct role *r, struct error *e)
{
	struct keeper	*k = r->own;
	int64_t		 left;

	do {
		if (check_layout(r, e) == -1 || step(r, e) == -1)
			return -1;
		left = k->next_ms - clock_ms();
	} while (role_turn(r, left > 0 ? left : TURN_LEAST_MS));
	if (r->stop && k->holder && bus_alive(r->bus))
		release(r);
	return 0;
}

static int
session(struct role *r, struct error *e)
{
	struct keeper	*k = r->own;
	int		 rv = bind_session(r, e);

	if (rv == 0)
		rv = loop(r, e);
	watch_unbind(k->layout_watch);
	return rv;
}

static int
start(struct role *r, struct error *e)
{
	static struct keeper	k;
	unsigned char		random[16];
	char			key[32];

	if ((k.space = members_new()) == NULL ||
	    (k.layout_watch = watch_new(r->config.space, BUCKET_MEMBERS,
	    LAYOUT_KEY, &members_ops, k.space)) == NULL)
		return error_errno(e, EX_OSERR, "tables");
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(k.nonce, sizeof(k.nonce), random, sizeof(random));
	name_bucket_stream(k.stream, sizeof(k.stream), r->config.space,
	    BUCKET_DELIVERY);
	snprintf(key, sizeof(key), "lease.%u", r->shard);
	name_bucket_key(k.subject, sizeof(k.subject), r->config.space,
	    BUCKET_DELIVERY, key);
	k.mine.holder = r->creds.key.public;
	k.mine.host = r->host.identity;
	k.mine.nonce = k.nonce;
	r->own = &k;
	return 0;
}

static void
health(struct role *r, cJSON *o)
{
	const struct keeper	*k = r->own;

	cJSON_AddBoolToObject(o, "holder", k->holder);
	cJSON_AddBoolToObject(o, "ready", k->holder && k->mine.ready);
}

int
main(int argc, char **argv)
{
	static const struct role_def	def = {
		.name = "lease", .start = start, .session = session,
		.health = health };

	return role_main(argc, argv, &def);
}
