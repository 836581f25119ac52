/* SPDX-License-Identifier: ISC */

/*
 * reeve reshard: cut a running space into another number of shards.
 *
 * Each step is a record written or a consumer made, and what is done is found
 * again by what is there: killed anywhere, it goes on when it is run again.
 *
 *	announce	=delivery says `next`: fan-outs hold, responders refuse
 *	place		`at`, CHAT's end, read after that: no fan-out has done
 *			anything beyond it, and each goes on up to it
 *	drain		fan-outs have done all up to the place, then readers
 *			all that there is
 *	make		the new layout's durables, behind both
 *	switch		=delivery says the new number, and `was`: the roles of
 *			the old one refuse to work, and give up their leases
 *	finish		this host's roles are those of the new number; the old
 *			one's durables go, then `was`
 *
 * Until the switch it can be taken back, which is to change to the number
 * that there is.
 */
#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>

#include "clock.h"
#include "files.h"
#include "jetstream.h"
#include "json.h"
#include "setup.h"
#include "shards.h"
#include "space.h"

#define WAIT_DEFAULT_MS	60000
#define WAIT_MOST_MS	240000	/* the credential is good for 5 minutes */
#define LOOK_MS		50
#define SAY_MS		2000
#define QUIET_MS	250	/* nothing new for so long is drained */
#define IDLE_MS		2000	/* a place that is no message of its own */
#define NEW_PLACE_MS	5000

struct reshard_opts {
	int64_t	wait_ms;
};

static const struct opt opts[] = {
	{ "wait", OPT_DURATION, offsetof(struct reshard_opts, wait_ms),
	    "DURATION", "for what is on its way, then take it back (1m)" },
	OPT_END };

struct reshard {
	struct cli	*cli;
	const char	*space;
	struct creds	 creds;
	struct bus	*bus;
	char		 chat[STREAM_MAX], inbox[STREAM_MAX];
	unsigned	 to;
	int64_t		 wait_ms;
	struct layout	 layout;
	uint64_t	 seq;		/* the record's revision */
	uint64_t	 inbox_seq;	/* where the new readers begin */
	unsigned	 changes;
	char		 behind[160];	/* what is waited for */
	int64_t		 said_ms;	/* that was said */
};

/* --- the record ---------------------------------------------------------------- */

static int
write_layout(struct reshard *r, const struct layout *l, struct error *e)
{
	if (shards_write(r->bus, r->space, l, &r->seq, e) == -1)
		return e->api == JS_WRONG_LAST_SEQ ? error_set(e, EX_TEMPFAIL,
		    "somebody else changes the number of shards, too; see "
		    "`reeve status`") : -1;
	r->layout = *l;
	r->changes++;
	return 0;
}

static int
announce(struct reshard *r, struct error *e)
{
	struct layout	l = r->layout;

	if (l.next == r->to)
		return 0;
	l.next = r->to;
	l.at_seq = 0;
	if (write_layout(r, &l, e) == -1)
		return -1;
	printf("from %u to %u shards: fan-out holds\n", l.shards, l.next);
	return 0;
}

/* CHAT's end now.  A later place is as good: nothing is done beyond it. */
static int
place(struct reshard *r, struct error *e)
{
	struct layout		l = r->layout;
	struct js_stream	chat;

	if (js_stream_info(r->bus, r->chat, &chat, e) == -1)
		return -1;
	if (chat.last_seq <= l.at_seq)
		return 0;
	l.at_seq = chat.last_seq;
	if (write_layout(r, &l, e) == -1)
		return -1;
	printf("the place is %llu of %s\n", (unsigned long long)l.at_seq,
	    r->chat);
	return 0;
}

/* --- draining ---------------------------------------------------------------------- */

struct progress {
	bool	past;		/* all have acknowledged up to the place */
	bool	idle;		/* ... or none has anything pending */
};

static int
look_at_fanouts(struct reshard *r, struct progress *p, struct error *e)
{
	struct js_consumer	c;
	char			name[64];
	unsigned		i;
	uint64_t		unread;

	p->past = p->idle = true;
	for (i = 0; i < r->layout.shards; i++) {
		space_fanout_name(name, sizeof(name), i, r->layout.shards);
		if (js_consumer_info(r->bus, r->chat, name, &c, e) == -1)
			return error_wrap(e, "%s", name);
		unread = c.n_pending + c.n_ack_pending;
		if (c.ack_floor_seq < r->layout.at_seq) {
			p->past = false;
			snprintf(r->behind, sizeof(r->behind), "%s is at %llu"
			    " of %llu", name,
			    (unsigned long long)c.ack_floor_seq,
			    (unsigned long long)r->layout.at_seq);
		}
		if (unread > 0)
			p->idle = false;
		js_consumer_free(&c);
	}
	return 0;
}

static int
too_late(struct reshard *r, int64_t deadline_ms, struct error *e)
{
	if (clock_ms() - r->said_ms >= SAY_MS) {
		printf("waiting: %s\n", r->behind);
		r->said_ms = clock_ms();
	}
	if (clock_ms() < deadline_ms) {
		bus_turn(r->bus, NULL, 0, LOOK_MS);
		return bus_alive(r->bus) ? 0 : error_set(e, EX_TEMPFAIL,
		    "connection lost: %s", bus_why(r->bus));
	}
	return error_set(e, EX_TEMPFAIL, "not drained in %lld s: %s; does a "
	    "host serve every shard?", (long long)(r->wait_ms / 1000),
	    r->behind);
}

/*
 * A place that is no message of its own, or was evicted, is never
 * acknowledged: then nothing pending for a while is enough, and while there
 * is, a later place will do.
 */
static int
drain_fanouts(struct reshard *r, int64_t deadline_ms, struct error *e)
{
	struct progress	p;
	int64_t		placed_ms = clock_ms(), idle_ms = clock_ms();

	for (;;) {
		if (look_at_fanouts(r, &p, e) == -1)
			return -1;
		if (!p.idle)
			idle_ms = clock_ms();
		if (p.past || clock_ms() - idle_ms >= IDLE_MS)
			return 0;
		if (clock_ms() - placed_ms >= NEW_PLACE_MS) {
			placed_ms = clock_ms();
			if (place(r, e) == -1)
				return -1;
		}
		if (too_late(r, deadline_ms, e) == -1)
			return -1;
	}
}

/* 1: all readers have nothing left; *last_seq: INBOX's end before that. */
static int
look_at_readers(struct reshard *r, uint64_t *last_seq, struct error *e)
{
	struct js_stream	inbox;
	struct js_consumer	c;
	char			name[64];
	unsigned		i;
	int			empty = 1;

	if (js_stream_info(r->bus, r->inbox, &inbox, e) == -1)
		return -1;
	*last_seq = inbox.last_seq;
	for (i = 0; i < r->layout.shards; i++) {
		space_reader_name(name, sizeof(name), i, r->layout.shards);
		if (js_consumer_info(r->bus, r->inbox, name, &c, e) == -1)
			return error_wrap(e, "%s", name);
		if (c.n_pending + c.n_ack_pending > 0) {
			empty = 0;
			snprintf(r->behind, sizeof(r->behind), "%s has %llu "
			    "entries before it", name, (unsigned long long)
			    (c.n_pending + c.n_ack_pending));
		}
		js_consumer_free(&c);
	}
	return empty;
}

/* What a consumer says of itself may be a little old: it must say so twice,
 * and nothing be stored between. */
static int
drain_readers(struct reshard *r, int64_t deadline_ms, struct error *e)
{
	uint64_t	last, was = 0;
	int64_t		since = 0;
	int		empty;

	for (;;) {
		if ((empty = look_at_readers(r, &last, e)) == -1)
			return -1;
		if (!empty || since == 0 || last != was)
			since = clock_ms();
		else if (clock_ms() - since >= QUIET_MS)
			break;
		was = last;
		if (too_late(r, deadline_ms, e) == -1)
			return -1;
	}
	r->inbox_seq = last;
	return 0;
}

static int
drain(struct reshard *r, struct error *e)
{
	int64_t	deadline = clock_ms() + r->wait_ms;

	r->said_ms = clock_ms();
	if (drain_fanouts(r, deadline, e) == -1 ||
	    drain_readers(r, deadline, e) == -1)
		return -1;
	printf("drained\n");
	return 0;
}

/* --- durables ------------------------------------------------------------------------ */

/* Has that layout a durable of this shard's name, too? */
static bool
shares(unsigned shard, unsigned shards, unsigned other)
{
	return (shards > 1) == (other > 1) && shard < other;
}

static int
connect_shard(struct reshard *r, unsigned shard, unsigned shards,
    struct creds *c, struct bus **b, struct error *e)
{
	struct scope	scope = { .space = r->space, .shard = shard,
			    .shards = shards };

	return cli_connect(r->cli, PROFILE_RESHARDER, &scope, c, b, e);
}

/* One that is there already is of a change that was not finished. */
static int
make_durable(struct bus *b, const char *stream, cJSON *config,
    uint64_t begin_seq, struct error *e)
{
	const char	*name;
	int		 r;

	if (config == NULL)
		return error_errno(e, EX_OSERR, "durable");
	name = json_get(config, "name")->valuestring;
	cJSON_DeleteItemFromObjectCaseSensitive(config, "deliver_policy");
	if (cJSON_AddStringToObject(config, "deliver_policy",
	    "by_start_sequence") == NULL || !json_set_u64(config,
	    "opt_start_seq", begin_seq))
		r = error_errno(e, EX_OSERR, "durable");
	else if ((r = js_consumer_delete(b, stream, name, e)) == 0 &&
	    (r = js_consumer_create(b, stream, name, config, NULL, e)) == 0)
		printf("made the durable %s of %s\n", name, stream);
	cJSON_Delete(config);
	return r;
}

static int
make_shard(struct reshard *r, unsigned shard, struct error *e)
{
	struct creds	 c;
	struct bus	*b = NULL;
	int		 rv;

	if (connect_shard(r, shard, r->to, &c, &b, e) == -1)
		return -1;
	rv = make_durable(b, r->chat, space_fanout(r->space, shard, r->to),
	    r->layout.at_seq + 1, e);
	if (rv == 0)
		rv = make_durable(b, r->inbox, space_reader(r->space, shard,
		    r->to), r->inbox_seq + 1, e);
	bus_close(b);
	creds_wipe(&c);
	return rv;
}

/* Those that the old layout has, too, are where they must be. */
static int
make_shards(struct reshard *r, struct error *e)
{
	unsigned	i;

	for (i = 0; i < r->to; i++)
		if (!shares(i, r->to, r->layout.shards) &&
		    make_shard(r, i, e) == -1)
			return -1;
	return 0;
}

static int
delete_shard(struct reshard *r, unsigned shard, unsigned shards,
    struct error *e)
{
	char		 fanout[64], reader[64];
	struct creds	 c;
	struct bus	*b = NULL;
	int		 rv;

	if (connect_shard(r, shard, shards, &c, &b, e) == -1)
		return -1;
	space_fanout_name(fanout, sizeof(fanout), shard, shards);
	space_reader_name(reader, sizeof(reader), shard, shards);
	rv = js_consumer_delete(b, r->chat, fanout, e);
	if (rv == 0)
		rv = js_consumer_delete(b, r->inbox, reader, e);
	if (rv == 0)
		printf("removed the durables %s and %s\n", fanout, reader);
	bus_close(b);
	creds_wipe(&c);
	return rv;
}

/* What another layout left, or was to have. */
static int
clean_up(struct reshard *r, struct error *e)
{
	struct layout	l = r->layout;
	unsigned	i;

	if (l.was == 0)
		return 0;
	for (i = 0; i < l.was; i++)
		if (!shares(i, l.was, l.shards) &&
		    delete_shard(r, i, l.was, e) == -1)
			return -1;
	l.was = 0;
	return write_layout(r, &l, e);
}

/* --- the steps ------------------------------------------------------------------------- */

static int
switch_over(struct reshard *r, struct error *e)
{
	struct layout	l = { .shards = r->to, .was = r->layout.shards };

	if (write_layout(r, &l, e) == -1)
		return -1;
	printf("switched\n");
	return 0;
}

/* Before the switch nothing has happened that must stay. */
static int
take_back(struct reshard *r, struct error *e)
{
	struct layout	l = { .shards = r->layout.shards,
			    .was = r->layout.next };

	if (write_layout(r, &l, e) == -1)
		return -1;
	printf("taken back: the space has %u shards\n", l.shards);
	return 0;
}

/* This host's roles. */
static int
set_up_host(struct reshard *r, struct error *e)
{
	struct setup	s;
	int		rv;

	memset(&s, 0, sizeof(s));
	s.config = &r->cli->config;
	s.shards = r->layout.shards;
	rv = cli_trust(r->cli, &s.trust, e);
	if (rv == 0)
		rv = setup_creds(&s, e);
	if (rv == 0)
		rv = setup_services(&s, e);
	trust_wipe(&s.trust);
	r->changes += s.changes;
	return rv;
}

static int
change(struct reshard *r, struct error *e)
{
	struct error	why;

	/* What is left of an earlier one would be forgotten with `was`. */
	if (clean_up(r, e) == -1 || announce(r, e) == -1)
		return -1;
	if (place(r, e) == 0 && drain(r, e) == 0 && make_shards(r, e) == 0 &&
	    switch_over(r, e) == 0)
		return 0;
	why = *e;
	if (!bus_alive(r->bus) || take_back(r, e) == -1)
		return error_set(e, why.code, "%s; run it again, or take it "
		    "back with `reeve reshard %u`", why.text,
		    r->layout.shards);
	(void)clean_up(r, e);
	*e = why;
	return -1;
}

static int
reshard(struct reshard *r, struct error *e)
{
	unsigned	next = r->layout.next;

	if (next != 0 && r->to != next && r->to != r->layout.shards)
		return error_set(e, EX_CONFIG, "the space is on its way from "
		    "%u to %u shards: finish that with `reeve reshard %u`, or "
		    "take it back with `reeve reshard %u`", r->layout.shards,
		    next, next, r->layout.shards);
	/* Of a change that was switched, and not finished. */
	if (r->layout.was != 0 && set_up_host(r, e) == -1)
		return -1;
	if (r->to != r->layout.shards) {
		if (change(r, e) == -1)
			return -1;
	} else if (next != 0 && take_back(r, e) == -1)
		return -1;
	return set_up_host(r, e) == -1 ? -1 : clean_up(r, e);
}

/* --- the command -------------------------------------------------------------------------- */

/* One at a time on a host; another host's is met at the record. */
static int
lock_out_others(struct reshard *r, int *fd, struct error *e)
{
	char	*path = config_path(&r->cli->config, "lock/reshard");
	int	 rv = 0;

	*fd = -1;
	if (path == NULL)
		return error_errno(e, EX_OSERR, "lock");
	if (dir_make_parent(path, 0700, e) == -1)
		rv = -1;
	else if ((*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) == -1)
		rv = error_errno(e, EX_CANTCREAT, "%s", path);
	else if (flock(*fd, LOCK_EX | LOCK_NB) == -1)
		rv = error_set(e, EX_TEMPFAIL, "another reeve reshard runs "
		    "here");
	free(path);
	return rv;
}

static int
open_reshard(struct reshard *r, int *lock, struct error *e)
{
	if (cli_load(r->cli, e) == -1 || lock_out_others(r, lock, e) == -1)
		return -1;
	r->space = r->cli->config.space;
	name_stream(r->chat, sizeof(r->chat), r->space, STREAM_CHAT);
	name_stream(r->inbox, sizeof(r->inbox), r->space, STREAM_INBOX);
	if (cli_connect(r->cli, PROFILE_RESHARDER, NULL, &r->creds, &r->bus,
	    e) == -1)
		return -1;
	return shards_read(r->bus, r->space, &r->layout, &r->seq, e);
}

static int
read_args(struct reshard *r, const struct reshard_opts *o, const char *arg,
    struct error *e)
{
	const char	*why = NULL;

	r->to = (unsigned)strtonum(arg, 1, LAYOUT_SHARDS_MAX, &why);
	if (why != NULL || *arg < '0' || *arg > '9')
		return error_set(e, EX_USAGE, "expected a number of shards "
		    "from 1 to %d, not \"%s\"", LAYOUT_SHARDS_MAX, arg);
	r->wait_ms = o->wait_ms == 0 ? WAIT_DEFAULT_MS : o->wait_ms;
	if (r->wait_ms > WAIT_MOST_MS)
		return error_set(e, EX_USAGE, "--wait: at most %ds",
		    WAIT_MOST_MS / 1000);
	return 0;
}

static int
run(struct cli *cli, void *arg, int argc, char **argv)
{
	struct reshard	r;
	struct error	e;
	int		lock = -1, rv;

	(void)argc;
	memset(&r, 0, sizeof(r));
	r.cli = cli;
	if (read_args(&r, arg, argv[0], &e) == -1)
		return cli_fail(&e);
	rv = open_reshard(&r, &lock, &e);
	if (rv == 0)
		rv = reshard(&r, &e);
	bus_close(r.bus);
	creds_wipe(&r.creds);
	if (lock != -1)
		close(lock);
	if (rv == -1)
		return cli_fail(&e);
	if (r.changes == 0)
		printf("nothing to do: ");
	printf("space %s has %u shard%s\n", r.space, r.to, r.to == 1 ? "" :
	    "s");
	return EX_OK;
}

const struct command cmd_reshard = {
	.name = "reshard", .args = "N",
	.summary = "cut a running space into another number of shards",
	.more = "Drains what is on its way, switches, and sets this host up "
	    "for it; on the others\nrun `reeve init`.  Killed, or run again, "
	    "it goes on where it was; with the number\nthat there is it is "
	    "taken back.",
	.opts = opts, .opts_size = sizeof(struct reshard_opts),
	.min_args = 1, .max_args = 1, .run = run };
