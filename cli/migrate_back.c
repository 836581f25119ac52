/* SPDX-License-Identifier: ISC */

/*
 * The way back: the space as the other implementation expects it.  Nothing of
 * reeve works any more before a consumer is touched; killed anywhere, it is
 * run again.
 */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "migrate.h"
#include "services.h"
#include "setup.h"
#include "space.h"
#include "worker.h"

#define STOCK_ACK_WAIT_MS	60000
#define STOCK_MAX_ACK_PENDING	1000
#define NS_PER_MS		1e6
#define HASTE_ACK_WAIT_MS	100
#define AGE_MS			250	/* then all are older than that, and due */
#define HASTE_MS		400	/* together, in their order */

/* --- consumers ------------------------------------------------------------- */

static bool
is_stock(const cJSON *config)
{
	const cJSON	*wait = json_get(config, "ack_wait");
	const cJSON	*most = json_get(config, "max_ack_pending");

	return cJSON_IsNumber(wait) && wait->valuedouble ==
	    STOCK_ACK_WAIT_MS * NS_PER_MS && cJSON_IsNumber(most) &&
	    most->valuedouble == STOCK_MAX_ACK_PENDING;
}

/* An update replaces everything: hand back the whole configuration. */
static int
update(struct bus *b, const char *stream, const char *name, cJSON *config,
    int64_t ack_wait_ms, struct error *e)
{
	if (!json_set_i64(config, "ack_wait",
	    (int64_t)((double)ack_wait_ms * NS_PER_MS)) ||
	    !json_set_i64(config, "max_ack_pending", STOCK_MAX_ACK_PENDING))
		fatal_memory();
	return js_consumer_create(b, stream, name, config, NULL, e);
}

static void
pass(struct bus *b, int64_t ms)
{
	int64_t	until = clock_ms() + ms;

	while (clock_ms() < until && bus_alive(b))
		bus_turn(b, NULL, 0, 20);
}

/*
 * What was given out to a worker that had just stopped is nobody's.  With the
 * long wait it would come back a minute later, behind what was said since: so
 * it is made due first, and stays so.
 */
static int
make_due(struct bus *b, const char *stream, const char *name, cJSON *config,
    struct error *e)
{
	pass(b, AGE_MS);
	if (update(b, stream, name, config, HASTE_ACK_WAIT_MS, e) == -1)
		return -1;
	pass(b, HASTE_MS);
	return 0;
}

static int
set_stock(struct bus *b, const char *stream, const char *name,
    const struct js_consumer *c, struct error *e)
{
	if (c->n_ack_pending > 0 &&
	    make_due(b, stream, name, c->config, e) == -1)
		return -1;
	return update(b, stream, name, c->config, STOCK_ACK_WAIT_MS, e);
}

static int
restore(struct migrate *m, struct bus *b, enum stream_kind kind,
    const char *name, struct error *e)
{
	struct js_consumer	c;
	char			stream[STREAM_MAX];
	int			r = 0;

	name_stream(stream, sizeof(stream), m->want.space, kind);
	if (js_consumer_info(m->bus, stream, name, &c, e) == -1) {
		if (e->api != JS_NO_CONSUMER)
			return -1;
		migrate_step(m, STEP_NOTE, name, "of %s is not there", stream);
		return 0;
	}
	if (is_stock(c.config))
		migrate_step(m, STEP_OK, name, "of %s has an ack_wait of 60 s"
		    " and a max_ack_pending of 1000", stream);
	else if (m->dry || (r = set_stock(b, stream, name, &c, e)) == 0)
		migrate_step(m, m->dry ? STEP_WOULD : STEP_DONE, name, "of %s"
		    ": ack_wait 60 s and max_ack_pending 1000 again; "
		    "acknowledged up to %llu, %llu given out and not "
		    "acknowledged, %llu to come", stream,
		    (unsigned long long)c.ack_floor_seq,
		    (unsigned long long)c.n_ack_pending,
		    (unsigned long long)c.n_pending);
	js_consumer_free(&c);
	return r;
}

int
migrate_restore_durables(struct migrate *m, struct error *e)
{
	struct creds	 c;
	struct bus	*b = NULL;
	int		 r = 0;

	memset(&c, 0, sizeof(c));
	if (!m->dry)
		r = migrate_connect(m, PROFILE_SETUP, 1, &c, &b, e);
	if (r == 0)
		r = restore(m, b, STREAM_CHAT, "fanout", e);
	if (r == 0)
		r = restore(m, b, STREAM_INBOX, "reader", e);
	bus_close(b);
	creds_wipe(&c);
	return r;
}

/* --- this host --------------------------------------------------------------- */

static int
stop_host(struct migrate *m, struct error *e)
{
	int	r = 0;

	if (reeved_pid(&m->want) != 0) {
		if (m->dry)
			migrate_step(m, STEP_WOULD, "reeved", "runs, and is "
			    "ended, so that the lease is let go");
		else if ((r = reeved_stop(&m->want, e)) == 1)
			migrate_step(m, STEP_DONE, "reeved", "ended");
		return r == -1 ? -1 : 0;
	}
	if (setup_host_runs(&m->want))
		migrate_stop(m, EX_TEMPFAIL, "roles", "run under another "
		    "supervisor than reeved: end them there (`sv down "
		    "%s/service/*`, `s6-svc -d`), lease last, and run this "
		    "again", m->want.state);
	else
		migrate_step(m, STEP_OK, "roles", "none runs on this host");
	return 0;
}

/* How far this host was is nothing that another time may go by. */
static int
forget(struct migrate *m, struct error *e)
{
	if (m->dry)
		return 0;
	if (worker_forget(&m->want, "fanout", 0, e) == -1 ||
	    worker_forget(&m->want, "reader", 0, e) == -1)
		return -1;
	migrate_step(m, STEP_DONE, "marks", "how far this host was is "
	    "forgotten");
	return 0;
}

static void
say_end(struct migrate *m)
{
	migrate_step(m, STEP_NOTE, "left", "DEAD_%s and what this project "
	    "adds to records stay, and are ignored; so does %s, by which "
	    "`reeve migrate` takes the space over again", m->want.space,
	    m->want.state);
	migrate_step(m, m->dry ? STEP_WOULD : STEP_DONE, "space", "%s",
	    m->dry ? "is free then: start the other delivery daemon" :
	    "is free: start the other delivery daemon now");
}

static int
look_first(struct migrate *m, struct error *e)
{
	int	i;

	for (i = 0; i < N_BUCKETS; i++)
		m->bucket[i] = true;
	if (migrate_look_at_records(m, e) == -1)
		return -1;
	if (m->layout.shards > 1 && m->layout.next == 0)
		migrate_stop(m, EX_CONFIG, "shards", "nobody else knows of "
		    "them: `reeve reshard 1` first");
	return 0;
}

int
migrate_back(struct migrate *m, struct error *e)
{
	if (look_first(m, e) == -1)
		return -1;
	if (m->stop.code != 0)
		return 0;
	if (stop_host(m, e) == -1)
		return -1;
	if (m->stop.code == 0 && migrate_look_at_end(m, e) == -1)
		return -1;
	if (m->stop.code != 0)
		return 0;
	if (migrate_restore_durables(m, e) == -1 || forget(m, e) == -1 ||
	    (!m->dry && migrate_look_at_rest(m, e) == -1))
		return -1;
	if (m->stop.code == 0)
		say_end(m);
	return 0;
}
