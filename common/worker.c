/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "worker.h"

#define TURN_MS		200
#define IDLE_TURN_MS	500	/* with nothing in hand */
#define BARRIER_MS	2000
#define SLICE_US	20000	/* of work before the next turn */
#define PROOF_LAST_US	100000	/* a proof is used so long at most */
#define PROOF_EVERY_US	4000	/* one in so long, in the long run ... */
#define PROOF_EVERY_MAX_US 20000 /* ... of a broker that answers late */
#define PROOF_BURST	8	/* and so many at once before */
#define PROOF_TURN_MS	50	/* while nothing can be done without one */
#define UNSETTLED_MAX	8192	/* stores not answered */
#define BUFFERED_MAX	(256 * 1024)	/* libnats keeps what it grew to */
#define TRIM_MS		1000	/* idle so long: memory goes back */

/* --- what it died at -------------------------------------------------------- */

static void
note_death(struct worker_mark *m)
{
	if (m->at_seq == 0)
		return;
	m->deaths = m->at_seq == m->died_at_seq ? m->deaths + 1 : 1;
	m->died_at_seq = m->at_seq;
	m->at_seq = 0;
	log_warn("the one before died at a message", "seq=%llu deaths=%llu",
	    (unsigned long long)m->died_at_seq,
	    (unsigned long long)m->deaths);
}

static int
open_mark(struct worker *w, struct error *e)
{
	struct role	*r = w->role;
	char		*path = config_path(&r->config, "lock/%s-%u.at",
			    r->def->name, r->shard);
	void		*page = MAP_FAILED;
	int		 fd;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "mark");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd != -1 && ftruncate(fd, sizeof(*w->mark)) == 0)
		page = mmap(NULL, sizeof(*w->mark), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		error_errno(e, EX_CANTCREAT, "%s", path);
	if (fd != -1)
		close(fd);
	free(path);
	if (page == MAP_FAILED)
		return -1;
	w->mark = page;
	if (w->mark->magic != WORKER_MARK) {
		memset(w->mark, 0, sizeof(*w->mark));
		w->mark->magic = WORKER_MARK;
	}
	/* In another layout the durable was another one. */
	if (w->mark->shards != r->shards)
		memset(&w->mark->progress, 0, sizeof(w->mark->progress));
	w->mark->shards = r->shards;
	w->intake_conf.progress = &w->mark->progress;
	if (w->mark->losses.n > LOSSES_KEPT)
		w->mark->losses.n = 0;
	note_death(w->mark);
	return 0;
}

int
worker_forget(const struct config *c, const char *role, unsigned shard,
    struct error *e)
{
	static const struct intake_progress	none;
	char	*path = config_path(c, "lock/%s-%u.at", role, shard);
	int	 fd, r = 0;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "mark");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* Not truncated: who has it mapped would die. */
	if ((fd == -1 && errno != ENOENT) || (fd != -1 && pwrite(fd, &none,
	    sizeof(none), offsetof(struct worker_mark, progress)) !=
	    (ssize_t)sizeof(none)))
		r = error_errno(e, EX_CANTCREAT, "%s", path);
	if (fd != -1)
		close(fd);
	free(path);
	return r;
}

bool
worker_may_give_up(const struct held *h)
{
	return h->deliveries >= GIVE_UP_DELIVERIES &&
	    clock_epoch_ms() - h->stored_ms >= GIVE_UP_AGE_MS;
}

bool
worker_is_poison(const struct worker *w, const struct held *h)
{
	return worker_may_give_up(h) && h->seq == w->mark->died_at_seq &&
	    w->mark->deaths >= GIVE_UP_DEATHS;
}

int
worker_init(struct worker *w, struct role *r, struct error *e)
{
	w->role = r;
	if (open_mark(w, e) == -1)
		return -1;
	w->losses.page = &w->mark->losses;
	w->intake_conf.losses = &w->losses;
	return gate_init(&w->gate, r->config.space, r->shard, &r->host, e);
}

/* A host that is set up for another number of shards does not even wait. */
static int
check_layout(struct worker *w, struct error *e)
{
	return watch_synced(w->watches[0]) ?
	    layout_fits(members_layout(w->members), w->role->shards, e) : 0;
}

/* --- opening and closing -------------------------------------------------- */

static void
forget_proof(struct worker *w)
{
	memset(&w->proof, 0, sizeof(w->proof));
}

static void
stop_intake(struct worker *w, const char *why)
{
	if (w->intake == NULL)
		return;
	log_info("giving back", "held=%zu why=%s", intake_held(w->intake),
	    log_str(why));
	intake_stop(w->intake);
	w->intake = NULL;
	forget_proof(w);
}

static void
bind_losses(struct worker *w)
{
	uint64_t	seen_seq = intake_frontier(w->intake);

	losses_bind(&w->losses, w->role->bus, seen_seq > w->sees_from_seq ?
	    seen_seq : w->sees_from_seq);
}

static int
start_intake(struct worker *w, struct error *e)
{
	int64_t	wait = gate_valid_until(&w->gate) - clock_ms();

	w->losses.stream = w->intake_conf.stream;
	w->losses.filter = w->intake_conf.filter;
	w->losses.dead_subject = w->intake_conf.dead_subject;
	w->intake = intake_start(w->role->bus, &w->intake_conf, wait, e);
	if (w->intake == NULL && e->api == JS_NO_CONSUMER) {
		/* It may go by the tables. */
		if (watch_barrier(w->role->bus, w->watches, w->n_fresh,
		    BARRIER_MS, e) == -1 || check_layout(w, e) == -1 ||
		    w->make_durable(w, e) == -1)
			return -1;
		w->intake = intake_start(w->role->bus, &w->intake_conf, wait,
		    e);
	}
	if (w->intake == NULL)
		return -1;
	w->held_up = false;
	bind_losses(w);
	if (w->bound != NULL)
		w->bound(w);
	return 0;
}

static int
bind_tables(struct worker *w, struct error *e)
{
	size_t	i;

	if (gate_bind(&w->gate, w->role->bus, e) == -1)
		return -1;
	for (i = 0; i < w->n_watches; i++)
		if (watch_bind(w->watches[i], w->role->bus, e) == -1)
			return -1;
	return 0;
}

static int
tend_tables(struct worker *w, struct error *e)
{
	size_t	i;

	if (gate_tend(&w->gate, e) == -1)
		return -1;
	for (i = 0; i < w->n_watches; i++)
		if (watch_tend(w->watches[i], e) == -1)
			return -1;
	return 0;
}

/*
 * --- the proof ---
 *
 * A message is worked on when tables and lease were proven after it came: one
 * round of questions, which are on their way while what an earlier round has
 * proven is worked on.  They go behind what was published, and to wait for
 * them each time would leave the broker with nothing to do.
 */

static uint64_t
times_bound(const struct worker *w)
{
	uint64_t	n = 0;
	size_t		i;

	for (i = 0; i < w->n_watches; i++)
		n += watch_bound(w->watches[i]);
	return n;
}

static void
note_asked(struct worker_proof *p)
{
	p->asked_us = clock_us();
	p->due_us = (p->due_us > p->asked_us ? p->due_us : p->asked_us) +
	    (p->took_us * 2 > PROOF_EVERY_MAX_US ? PROOF_EVERY_MAX_US :
	    p->took_us * 2 > PROOF_EVERY_US ? p->took_us * 2 :
	    PROOF_EVERY_US);
}

/* A round of questions.  0: sent, or not now; -1: the session ends. */
static int
ask_proof(struct worker *w, struct error *e)
{
	struct worker_proof	*p = &w->proof;

	/* Those that need no proof must not be half read. */
	if (!watch_all_synced(w->watches, w->n_watches) ||
	    gate_read(&w->gate, BARRIER_MS, e) == -1) {
		w->held_up = true;	/* a short wait, then again */
		return bus_alive(w->role->bus) ? 0 : -1;
	}
	watch_prove(&p->tables, w->watches, w->n_fresh, BARRIER_MS);
	p->asking = true;
	note_asked(p);
	p->asked_arrival = intake_arrivals(w->intake);
	p->bound = times_bound(w);
	return 0;
}

/* What has been answered.  0, or -1: the session ends. */
static int
hear_proof(struct worker *w, struct error *e)
{
	struct worker_proof	*p = &w->proof;
	int			 r = watch_prove_step(&p->tables,
				    w->role->bus, e);

	if (r == -1) {
		log_warn("tables not proven fresh", "error=%s",
		    log_str(e->text));
		forget_proof(w);
		w->held_up = true;
		return bus_alive(w->role->bus) ? 0 : -1;
	}
	if (r == 0 || !gate_read_settled(&w->gate))
		return bus_alive(w->role->bus) ? 0 : -1;
	p->asking = false;
	if (!gate_read_open(&w->gate) || p->bound != times_bound(w)) {
		forget_proof(w);
		w->held_up = true;
		return 0;
	}
	p->arrival = p->asked_arrival;
	p->heard_us = clock_us();
	p->took_us = p->heard_us - p->asked_us;
	w->barrier_us += (uint64_t)p->took_us;
	w->batches++;
	return 0;
}

/* Does what was proven still stand?  A table that is read anew takes it away;
 * and the lease is to be read again and again. */
static bool
proof_stands(const struct worker *w)
{
	const struct worker_proof	*p = &w->proof;

	return p->arrival > 0 &&
	    watch_all_synced(w->watches, w->n_watches) &&
	    p->bound == times_bound(w) && gate_is_open(&w->gate) &&
	    clock_us() - p->heard_us < PROOF_LAST_US;
}

/*
 * How long to wait with the next question: a few may follow each other at
 * once, as a burst of copies needs them, but under load each is to serve for
 * more messages, and for yet more where the broker answers late.  It pays for
 * a round as for some ten copies.
 */
static int64_t
spare_us(const struct worker_proof *p)
{
	return p->due_us - PROOF_BURST * PROOF_EVERY_US - clock_us();
}

static int
tend_proof(struct worker *w, struct error *e)
{
	struct worker_proof	*p = &w->proof;

	if (p->asking && hear_proof(w, e) == -1)
		return -1;
	if (p->arrival > 0 && !proof_stands(w))
		p->arrival = 0;
	if (p->asking || w->held_up || !intake_has_work(w->intake) ||
	    (p->arrival == intake_arrivals(w->intake) &&
	    clock_us() - p->heard_us < SLICE_US) || spare_us(p) > 0 ||
	    intake_more_coming(w->intake))
		return 0;
	if (ask_proof(w, e) == -1)
		return -1;
	/* Its first step sends the questions to the tables. */
	return p->asking ? hear_proof(w, e) : 0;
}

/* --- working ------------------------------------------------------------------ */

static bool
full(const struct worker *w)
{
	return intake_unsettled(w->intake) >= UNSETTLED_MAX ||
	    bus_buffered(w->role->bus) >= BUFFERED_MAX;
}

/* One message, after what was evicted before it. */
static enum work
work_one(struct worker *w, struct held *h, struct error *e)
{
	uint64_t	seq = h->seq;
	enum work	did;
	int		seen = 1;

	if (w->sees_all)
		seen = losses_see(&w->losses, h->seq, e);
	/* To see may take a while. */
	if (seen == 1 && !gate_is_open(&w->gate))
		seen = 0;
	if (seen == 0)
		intake_untake(h);
	if (seen != 1)
		return seen == 0 ? WORK_HOLD : WORK_FAILED;
	/* h may be gone afterwards. */
	w->mark->at_seq = seq;
	did = w->work(w, h, e);
	w->mark->at_seq = 0;
	/* It was survived: who died at it died of something else.  One that
	 * could not be buried was not tried. */
	if (did != WORK_FAILED && seq == w->mark->died_at_seq)
		w->mark->deaths = 0;
	return did;
}

/*
 * One batch: what had arrived before a proof, and no more than a slice of it,
 * so that answers are read and the lease is looked at between.
 */
static int
work_batch(struct worker *w, struct error *e)
{
	struct held	*h;
	int64_t		 end;

	w->held_up = false;
	if (tend_proof(w, e) == -1 || check_layout(w, e) == -1)
		return -1;
	end = clock_us() + SLICE_US;
	while (!full(w) && clock_us() < end &&
	    (h = intake_next(w->intake, w->proof.arrival)) != NULL) {
		switch (work_one(w, h, e)) {
		case WORK_ON:
			w->worked++;
			break;
		case WORK_HOLD:
			w->proof.arrival = 0;	/* by newer tables then */
			w->held_up = true;
			return 0;
		case WORK_FAILED:
			return -1;
		}
	}
	w->proof.used_up = !full(w) && clock_us() < end;
	return 0;
}

/* After a burst the heap is given back, once. */
static void
trim_when_idle(struct worker *w)
{
	if (w->worked == w->trimmed_at || intake_held(w->intake) > 0) {
		w->idle_ms = clock_ms();
		return;
	}
	if (clock_ms() - w->idle_ms < TRIM_MS)
		return;
	w->trimmed_at = w->worked;
	malloc_trim(0);
}

static int
work_open(struct worker *w, struct error *e)
{
	if (w->intake == NULL && start_intake(w, e) == -1)
		return -1;
	if (intake_tend(w->intake, gate_valid_until(&w->gate), e) == -1)
		return -1;
	if (losses_tend(&w->losses, e) == -1 ||
	    (w->tend != NULL && w->tend(w, e) == -1))
		return -1;
	if (!intake_ready(w->intake))
		return 0;
	role_set_state(w->role, ROLE_BOUND, "lease held");
	trim_when_idle(w);
	return work_batch(w, e);
}

/* How long the next turn may wait. */
static int64_t
turn_ms(const struct worker *w)
{
	int64_t	left = gate_valid_until(&w->gate) - clock_ms(), most;

	if (w->intake == NULL)
		return TURN_MS;
	if (!intake_ready(w->intake))
		return 20;
	if (w->held_up)
		return 5;
	if (intake_has_work(w->intake) && !full(w)) {
		if (!w->proof.used_up)
			return 0;
		if (w->proof.asking)
			return PROOF_TURN_MS;
		return intake_more_coming(w->intake) ? 1 :
		    (spare_us(&w->proof) + 999) / 1000;
	}
	most = intake_held(w->intake) > 0 ? TURN_MS : IDLE_TURN_MS;
	return left < most ? left : most;
}

/* Another host works.  What is delivered meanwhile is not what we had in hand,
 * and what it is done with is no loss. */
static void
yield(struct worker *w)
{
	w->mark->progress.bound = 0;
	role_say_ready(w->role);
}

/* By the end of the right to work, and nothing else is wrong. */
static bool
cut_short(const struct worker *w, const struct error *e)
{
	return e->code == EX_TEMPFAIL && bus_alive(w->role->bus) &&
	    !gate_is_open(&w->gate);
}

static int
loop(struct worker *w, struct error *e)
{
	int	known, r;

	do {
		if (tend_tables(w, e) == -1 || check_layout(w, e) == -1 ||
		    (known = gate_tables_known(&w->gate, w->watches,
		    w->n_watches, e)) == -1)
			return -1;
		if (known == 0)
			continue;
		if (gate_is_open(&w->gate)) {
			bus_limit(w->role->bus, gate_limit, &w->gate);
			r = work_open(w, e);
			bus_limit(w->role->bus, NULL, NULL);
			if (r == -1 && !cut_short(w, e))
				return -1;
		}
		if (!gate_is_open(&w->gate)) {
			/* Who releases the shard waits for this word. */
			if (!gate_releasing(&w->gate))
				role_set_state(w->role, ROLE_PAUSED,
				    gate_why(&w->gate));
			stop_intake(w, gate_why(&w->gate));
			role_set_state(w->role, ROLE_PAUSED,
			    gate_why(&w->gate));
			if (gate_elsewhere(&w->gate))
				yield(w);
		}
	} while (role_turn(w->role, turn_ms(w)));
	return 0;
}

int
worker_session(struct worker *w, struct error *e)
{
	size_t	i;
	int	r;

	r = bind_tables(w, e);
	if (r == 0)
		r = loop(w, e);
	stop_intake(w, r == -1 ? e->text : "session ends");
	for (i = 0; i < w->n_watches; i++)
		watch_unbind(w->watches[i]);
	gate_unbind(&w->gate);
	return r;
}

void
worker_health(const struct worker *w, cJSON *o)
{
	const struct intake_counts	*c;

	cJSON_AddNumberToObject(o, "worked", (double)w->worked);
	cJSON_AddNumberToObject(o, "batches", (double)w->batches);
	cJSON_AddNumberToObject(o, "barrierUs", (double)w->barrier_us);
	cJSON_AddNumberToObject(o, "evicted", (double)w->losses.total);
	if (w->intake == NULL)
		return;
	c = intake_counts(w->intake);
	cJSON_AddNumberToObject(o, "held", (double)intake_held(w->intake));
	cJSON_AddNumberToObject(o, "naked", (double)c->naked);
	cJSON_AddNumberToObject(o, "buried", (double)c->buried);
	cJSON_AddNumberToObject(o, "redelivered", (double)c->redelivered);
	cJSON_AddNumberToObject(o, "storeFailures",
	    (double)c->store_failures);
	cJSON_AddNumberToObject(o, "phantoms", (double)c->phantoms);
}
