/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "files.h"
#include "flight.h"
#include "records.h"
#include "watch.h"

#define LOG_MAX		(64 * 1024 * 1024)
#define RELEASE_TOLD_MS	2500	/* until its log has it: after the answer */
#define N_ROLES		4
#define KEEPER		0

static const char *const roles[N_ROLES] = { "lease", "fanout", "reader",
	"control" };

/* A lease's record, or its end. */
struct change {
	unsigned	shard, host;	/* host 0: deleted */
	uint64_t	seq;
	int64_t		renewed_ms, ttl_ms;
	bool		ready, releasing;
};

/* From one word of a role to the next. */
struct stretch {
	unsigned	host, shard;
	int		role;
	int64_t		from_ms, to_ms;		/* epoch */
};

static struct {
	struct cluster	*cluster;
	unsigned	 shards;
	char		 servers[200];
	struct bus	*bus;
	struct watch	*watch;
	struct change	 changes[2000];
	size_t		 n;
	uint64_t	 last_seq;
	struct { unsigned host; int64_t ms; } marks[20];
	size_t		 n_marks;
	struct stretch	 work[400];
	size_t		 n_work;
} f;

/* --- the records ---------------------------------------------------------------- */

static unsigned
host_of(const char *identity)
{
	char		 path[300], *id;
	unsigned	 i, found = 0;

	for (i = 1; i < f.cluster->n_hosts && found == 0; i++) {
		snprintf(path, sizeof(path), "%s/host-id",
		    f.cluster->hosts[i].space->state);
		ck_assert((id = file_read(path, 100, NULL, NULL)) != NULL);
		id[strcspn(id, "\n")] = '\0';
		if (strncmp(id, identity, strlen(id)) == 0)
			found = i;
		free(id);
	}
	ck_assert_msg(found != 0, "a lease of %s", identity);
	return found;
}

static void
on_lease(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct change	*c = &f.changes[f.n];
	struct lease	 l;
	struct error	 e;

	(void)table;
	/* What was read anew is known. */
	if (seq <= f.last_seq || strncmp(key, "lease.", 6) != 0)
		return;
	ck_assert(f.n < sizeof(f.changes) / sizeof(f.changes[0]));
	memset(c, 0, sizeof(*c));
	f.last_seq = c->seq = seq;
	c->shard = (unsigned)strtoul(key + 6, NULL, 10);
	ck_assert(c->shard < SHARDS_MAX);
	f.n++;
	if (data == NULL)
		return;
	OK(lease_read(&l, data, len, &e), e);
	c->host = host_of(l.host);
	c->renewed_ms = l.renewed_ms;
	c->ttl_ms = l.ttl_ms;
	c->ready = l.ready;
	c->releasing = l.releasing;
	lease_free(&l);
}

/* Nothing is forgotten. */
static void
on_reset(void *table)
{
	(void)table;
}

static const struct watch_ops ops = { on_lease, on_reset };

static void
connect(void)
{
	struct bus_conf	conf = { .servers = f.servers,
			    .creds = &sp->root_creds, .name = "flight",
			    .timeout_ms = 500 };
	struct error	e;

	if (f.bus != NULL) {
		watch_unbind(f.watch);
		bus_close(f.bus);
		f.bus = NULL;
	}
	if (bus_open(&f.bus, &conf, &e) == -1 ||
	    watch_bind(f.watch, f.bus, &e) == -1) {
		bus_close(f.bus);
		f.bus = NULL;
	}
}

void
flight_watch(struct cluster *c, unsigned shards, const char *nodes)
{
	memset(&f, 0, sizeof(f));
	f.cluster = c;
	f.shards = shards;
	cluster_servers(f.servers, sizeof(f.servers), nodes);
	f.watch = watch_new("t", BUCKET_DELIVERY, ">", &ops, NULL);
	ck_assert(f.watch != NULL);
	watch_name_anew(f.watch);
	connect();
	ck_assert(f.bus != NULL);
}

void
flight_shards(unsigned n)
{
	f.shards = n;
}

void
flight_turn(void)
{
	struct error	e;

	/* While nobody leads the bucket no watch can be made. */
	if (f.bus == NULL || !bus_alive(f.bus) ||
	    watch_tend(f.watch, &e) == -1)
		connect();
	if (f.bus != NULL)
		bus_turn(f.bus, NULL, 0, 0);
}

void
flight_end(void)
{
	watch_free(f.watch);
	bus_close(f.bus);
	f.bus = NULL;
	f.watch = NULL;
}

unsigned
flight_holder(unsigned shard)
{
	const struct change	*c;
	size_t			 i;

	for (i = f.n; i > 0; i--) {
		c = &f.changes[i - 1];
		if (c->shard == shard)
			return c->ready && !c->releasing &&
			    clock_ms() < c->renewed_ms + c->ttl_ms ?
			    c->host : 0;
	}
	return 0;
}

/* "ts=2026-11-21T16:04:00.123Z ..."; 0 if it is not. */
static int64_t
time_of(const char *line)
{
	struct tm	 tm;
	const char	*p;

	memset(&tm, 0, sizeof(tm));
	if (strncmp(line, "ts=", 3) != 0 ||
	    (p = strptime(line + 3, "%Y-%m-%dT%H:%M:%S.", &tm)) == NULL)
		return 0;
	return (int64_t)timegm(&tm) * 1000 + strtol(p, NULL, 10);
}

/* NULL: it was never started. */
static char *
log_of(unsigned host)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/said.log",
	    f.cluster->hosts[host].space->state);
	return file_read(path, LOG_MAX, NULL, NULL);
}

/* By its log, as a busy bucket shows its last records only. */
static bool
had_released(const struct change *was, int64_t upto_ms)
{
	int64_t	 epoch_ms = clock_epoch_ms() - clock_ms(), ms;
	char	 what[64], *line, *log, *save = NULL;
	bool	 had = false;

	snprintf(what, sizeof(what), " role=lease shard=%u msg=\"lease "
	    "released\"", was->shard);
	if ((log = log_of(was->host)) == NULL)
		return false;
	for (line = strtok_r(log, "\n", &save); line != NULL && !had;
	    line = strtok_r(NULL, "\n", &save)) {
		ms = time_of(line) - epoch_ms;
		/* Told when the broker has answered. */
		had = strstr(line, what) != NULL && ms >= was->renewed_ms &&
		    ms <= upto_ms + RELEASE_TOLD_MS;
	}
	free(log);
	return had;
}

/*
 * A host's right lasts until its record is deleted, or the TTL after its last
 * renewal.  A deletion may be replaced before it is sent to us: it is known by
 * what was said before it.
 */
static void
check_history(void)
{
	const struct change	*last[SHARDS_MAX] = { NULL }, *c, *was;
	size_t			 i;

	for (i = 0; i < f.n; i++) {
		c = &f.changes[i];
		was = last[c->shard];
		last[c->shard] = c;
		if (was == NULL || was->host == c->host || was->host == 0 ||
		    c->host == 0 || was->releasing ||
		    had_released(was, c->renewed_ms))
			continue;
		ck_assert_msg(c->renewed_ms >= was->renewed_ms + was->ttl_ms,
		    "shard %u: host %u held it at %lld, which host %u had "
		    "renewed at %lld", c->shard, c->host,
		    (long long)c->renewed_ms, was->host,
		    (long long)was->renewed_ms);
	}
}

/* --- the logs -------------------------------------------------------------------- */

void
flight_mark(unsigned host)
{
	ck_assert(f.n_marks < sizeof(f.marks) / sizeof(f.marks[0]));
	f.marks[f.n_marks].host = host;
	f.marks[f.n_marks++].ms = clock_epoch_ms();
}

/* A role's change of state. */
struct word {
	unsigned	host, shard;
	int		role;
	int64_t		ms;		/* epoch */
	char		was[16], is[16];
};

/* Is a line one? */
static bool
is_word(const char *line, struct word *w)
{
	char		 name[16];
	const char	*p = strstr(line, " role=");

	if (p == NULL || sscanf(p, " role=%15s shard=%u msg=\"%15[a-z]\" "
	    "was=%15s", name, &w->shard, w->is, w->was) != 4 ||
	    w->shard >= SHARDS_MAX)
		return false;
	w->ms = time_of(line);
	for (w->role = 0; w->role < N_ROLES; w->role++)
		if (strcmp(roles[w->role], name) == 0)
			return true;
	return false;
}

/* The end that the log does not tell. */
static int64_t
marked_end(const struct stretch *s)
{
	int64_t	end = s->to_ms;
	size_t	i;

	for (i = 0; i < f.n_marks; i++)
		if (f.marks[i].host == s->host &&
		    f.marks[i].ms >= s->from_ms && f.marks[i].ms < end)
			end = f.marks[i].ms;
	return end;
}

/* Each word of a host's log, in order. */
static void
each_word(unsigned host, void (*fn)(const struct word *, void *), void *arg)
{
	char		*log, *line, *save = NULL;
	struct word	 w = { .host = host };

	if ((log = log_of(host)) == NULL)
		return;
	for (line = strtok_r(log, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save))
		if (is_word(line, &w))
			fn(&w, arg);
	free(log);
}

static void
add_word(const struct word *w, void *arg)
{
	size_t	*open = (size_t *)arg + w->shard * N_ROLES + (size_t)w->role;

	if (*open != 0) {
		f.work[*open - 1].to_ms = w->ms;
		*open = 0;
	}
	if (strcmp(w->is, "bound") != 0)
		return;
	ck_assert(f.n_work < sizeof(f.work) / sizeof(f.work[0]));
	f.work[f.n_work] = (struct stretch){ w->host, w->shard, w->role,
	    w->ms, INT64_MAX };
	*open = ++f.n_work;
}

static void
read_logs(void)
{
	size_t		open[SHARDS_MAX * N_ROLES], k;
	unsigned	i;

	f.n_work = 0;
	for (i = 1; i < f.cluster->n_hosts; i++) {
		memset(open, 0, sizeof(open));
		each_word(i, add_word, open);
	}
	for (k = 0; k < f.n_work; k++)
		f.work[k].to_ms = marked_end(&f.work[k]);
}

static void
check_pair(const struct stretch *x, const struct stretch *y)
{
	if (x->shard != y->shard || x->host == y->host || x->role == KEEPER ||
	    y->role == KEEPER || x->to_ms <= y->from_ms ||
	    y->to_ms <= x->from_ms)
		return;
	log_dump(f.cluster->hosts[x->host].space);
	log_dump(f.cluster->hosts[y->host].space);
	ck_abort_msg("shard %u: %s of host %u worked %lld to %lld, %s of host "
	    "%u %lld to %lld", x->shard, roles[x->role], x->host,
	    (long long)x->from_ms, (long long)x->to_ms, roles[y->role],
	    y->host, (long long)y->from_ms, (long long)y->to_ms);
}

void
flight_check(void)
{
	size_t	i, k;

	flight_turn();
	check_history();
	read_logs();
	ck_assert_uint_gt(f.n_work, 0);
	for (i = 0; i < f.n_work; i++)
		for (k = i + 1; k < f.n_work; k++)
			check_pair(&f.work[i], &f.work[k]);
}

struct wanted {
	unsigned	shard;
	bool		hold;
	int64_t		after_ms, ms;
};

static void
find_word(const struct word *w, void *arg)
{
	struct wanted	*a = arg;

	if (w->shard != a->shard || w->ms < a->after_ms)
		return;
	if (a->hold && w->role == KEEPER && strcmp(w->is, "bound") == 0 &&
	    a->ms == 0)
		a->ms = w->ms;
	if (!a->hold && w->role != KEEPER && strcmp(w->was, "bound") == 0)
		a->ms = w->ms;
}

int64_t
flight_last_pause(unsigned host, unsigned shard, int64_t after_ms)
{
	struct wanted	a = { shard, false, after_ms, 0 };

	each_word(host, find_word, &a);
	return a.ms;
}

int64_t
flight_first_hold(unsigned host, unsigned shard, int64_t after_ms)
{
	struct wanted	a = { shard, true, after_ms, 0 };

	each_word(host, find_word, &a);
	return a.ms;
}

struct standing {
	int64_t	since_ms;
	bool	paused[SHARDS_MAX][N_ROLES];
};

static void
note_standing(const struct word *w, void *arg)
{
	struct standing	*s = arg;

	if (w->ms >= s->since_ms)
		s->paused[w->shard][w->role] = strcmp(w->is, "paused") == 0;
}

/* What its roles said since. */
static void
read_standing(struct standing *s, unsigned host, int64_t since_ms)
{
	memset(s, 0, sizeof(*s));
	s->since_ms = since_ms;
	each_word(host, note_standing, s);
}

static bool
waits_for(const struct standing *s, unsigned shard)
{
	int	role;

	for (role = 0; role < N_ROLES; role++)
		if (!s->paused[shard][role])
			return false;
	return true;
}

bool
flight_stands_by(unsigned host, int64_t since_ms)
{
	struct standing	s;
	unsigned	shard;

	read_standing(&s, host, since_ms);
	for (shard = 0; shard < f.shards; shard++)
		if (!waits_for(&s, shard))
			return false;
	return true;
}

bool
flight_is_back(unsigned host, int64_t since_ms)
{
	struct standing	s;
	unsigned	shard;

	read_standing(&s, host, since_ms);
	for (shard = 0; shard < f.shards; shard++)
		if (flight_holder(shard) != host && !waits_for(&s, shard))
			return false;
	return true;
}
