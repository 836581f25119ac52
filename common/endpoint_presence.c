/* SPDX-License-Identifier: ISC */

/* Who it is, who else is there, and what channels there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "clock.h"
#include "endpoint_impl.h"
#include "jetstream.h"
#include "log.h"
#include "map.h"

#define BEAT_MS		2000
#define SWEEP_MS	500
#define PRINT_BYTES	16

/* What was told of a peer last. */
struct known {
	bool		live;
	unsigned char	print[PRINT_BYTES];	/* of its record, but the time */
};

struct presence_part {
	struct endpoint	*ep;
	struct presence	 own;
	bool		 dirty;		/* changed since it was written */
	int64_t		 beat_ms;	/* when it was written */
	bool		 stored;	/* on this link */
	bool		 bye, left;	/* written as offline; and stored */
	struct error	 failed;	/* the first record; code 0: not */

	struct roster	*roster;
	struct map	*known;		/* of struct known, by id */
	struct watch	*roster_watch;	/* NULL: not wanted */
	int64_t		 swept_ms;
	struct channels	*registry;
	struct watch	*registry_watch;
};

/* --- its own record ------------------------------------------------------------- */

static void
on_written(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct presence_part	*p = arg;
	struct error		 e = { .code = 0 };

	if (p->bye)
		p->left = true;
	if (p->stored || outcome == BUS_CLOSED)
		return;
	if (outcome == BUS_DENIED)
		error_set(&e, EX_NOPERM, "these credentials may not write "
		    "its presence");
	else if (outcome == BUS_NO_RESPONDER)
		error_set(&e, EX_UNAVAILABLE, "there is no presence bucket: "
		    "is the space set up? (`reeve init`)");
	else if (outcome != BUS_OK)
		error_set(&e, EX_TEMPFAIL, "its presence: no answer in time");
	else if (js_ack_parse(reply, NULL, NULL, &e) == -1)
		error_wrap(&e, "its presence");
	p->failed = e;
	p->stored = e.code == 0;
}

static int
write_record(struct presence_part *p, struct error *e)
{
	char		 subject[SUBJECT_MAX], *text;
	struct bus_pub	 pub = { .subject = subject };
	int		 r;

	p->dirty = false;
	p->beat_ms = clock_ms();
	p->own.ts_ms = clock_epoch_ms();
	/* It fits: endpoint_new has looked. */
	if (name_bucket_key(subject, sizeof(subject), p->ep->conf.space,
	    BUCKET_PRESENCE, p->own.id) == -1)
		return error_set(e, EX_CONFIG, "the space's name is too long");
	if ((text = presence_write(&p->own)) == NULL)
		return error_errno(e, EX_OSERR, "presence");
	pub.data = text;
	pub.len = strlen(text);
	r = bus_request(p->ep->bus, &pub, BEAT_MS, on_written, p, e);
	free(text);
	return r;
}

static bool
wants_presence(const struct presence_part *p)
{
	return endpoint_wants(p->ep, ENDPOINT_PRESENCE);
}

/* Once in a turn, however much has changed. */
static int
tend_record(struct presence_part *p, struct error *e)
{
	if (!wants_presence(p) || p->bye)
		return 0;
	if (p->failed.code != 0) {
		*e = p->failed;
		return -1;
	}
	if (!p->dirty && clock_ms() - p->beat_ms < BEAT_MS)
		return 0;
	return write_record(p, e);
}

void
presence_leave(struct presence_part *p)
{
	p->left = true;
	if (!wants_presence(p) || !p->stored)
		return;
	p->own.status = STATUS_OFFLINE;
	p->bye = true;
	p->left = write_record(p, NULL) == -1;
}

bool
presence_left(const struct presence_part *p)
{
	return p->left;
}

static void
set_text(struct presence_part *p, char **text, const char *value)
{
	char	*copy = NULL;

	if (value != NULL && (copy = strdup(value)) == NULL)
		fatal_memory();
	if ((*text == NULL) != (copy == NULL) ||
	    (copy != NULL && strcmp(*text, copy) != 0))
		p->dirty = true;
	free(*text);
	*text = copy;
}

void
endpoint_set_status(struct endpoint *ep, enum status status,
    const char *activity)
{
	struct presence_part	*p = ep->presence;

	if (p->own.status != status)
		p->dirty = true;
	p->own.status = status;
	set_text(p, &p->own.activity, activity);
}

void
endpoint_set_attention(struct endpoint *ep, const char *mode)
{
	set_text(ep->presence, &ep->presence->own.attention, mode);
}

void
endpoint_set_model(struct endpoint *ep, const char *model)
{
	set_text(ep->presence, &ep->presence->own.model, model);
}

void
endpoint_set_modes(struct endpoint *ep, const cJSON *modes)
{
	struct presence_part	*p = ep->presence;
	cJSON			*copy = NULL;

	if (modes != NULL && modes->child != NULL &&
	    (copy = cJSON_Duplicate(modes, true)) == NULL)
		fatal_memory();
	if ((copy == NULL) != (p->own.modes == NULL) || (copy != NULL &&
	    !cJSON_Compare(copy, p->own.modes, true)))
		p->dirty = true;
	cJSON_Delete(p->own.modes);
	p->own.modes = copy;
}

enum status
endpoint_status(const struct endpoint *ep)
{
	return ep->presence->own.status;
}

/* --- who else is there ------------------------------------------------------------ */

/* Of all that is told of a peer: a heartbeat changes the time alone. */
static void
fingerprint(const struct presence *presence, unsigned char print[PRINT_BYTES])
{
	struct presence	 p = *presence;
	char		*text;

	p.ts_ms = 0;
	if ((text = presence_write(&p)) == NULL)
		fatal_memory();
	crypto_generichash(print, PRINT_BYTES, (unsigned char *)text,
	    strlen(text), NULL, 0);
	free(text);
}

static void
tell(struct presence_part *p, const struct peer *peer, enum peer_event event)
{
	if (p->ep->ops.peer != NULL)
		p->ep->ops.peer(p->ep->arg, peer, event);
}

static struct known *
known_get(struct presence_part *p, const char *id)
{
	struct known	*k = map_get(p->known, id);

	if (k == NULL && ((k = calloc(1, sizeof(*k))) == NULL ||
	    map_put(p->known, id, k, NULL) == -1))
		fatal_memory();
	return k;
}

/*
 * What is read at first may be of one that died long ago, and would be taken
 * for live until it is stale: it is told of when it beats, unless its own
 * clock says that it just has.
 */
static bool
is_doubtful(const struct presence_part *p, const struct peer *peer)
{
	return !watch_synced(p->roster_watch) &&
	    clock_epoch_ms() - peer->presence.ts_ms > PRESENCE_STALE_MS;
}

static void
look_at(struct presence_part *p, const struct peer *peer)
{
	struct known	*k = known_get(p, peer->presence.id);
	bool		 was = k->live, is = peer_is_live(peer);
	unsigned char	 print[PRINT_BYTES];

	if (!is) {
		k->live = false;
		if (was)
			tell(p, peer, PEER_WENT);
		return;
	}
	if (!was && is_doubtful(p, peer))
		return;
	fingerprint(&peer->presence, print);
	if (was && memcmp(print, k->print, sizeof(print)) == 0)
		return;
	memcpy(k->print, print, sizeof(print));
	k->live = true;
	tell(p, peer, was ? PEER_CHANGED : PEER_CAME);
}

static void
roster_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct presence_part	*p = table;
	const struct peer	*peer;

	roster_ops.put(p->roster, key, data, len, seq);
	peer = roster_find(p->roster, key);
	if (peer != NULL && strcmp(key, p->own.id) != 0)
		look_at(p, peer);
}

/* Read anew: who is not in it then has gone, and the sweep tells. */
static void
roster_reset(void *table)
{
	struct presence_part	*p = table;

	roster_ops.reset(p->roster);
}

static const struct watch_ops watched_roster = { roster_put, roster_reset };

static void
sweep(struct presence_part *p)
{
	const struct map_node	*n;
	const struct peer	*peer;
	struct known		*k;
	int64_t			 now = clock_ms();

	if (now - p->swept_ms < SWEEP_MS || !watch_synced(p->roster_watch))
		return;
	p->swept_ms = now;
	for (n = map_first(p->known); n != NULL; n = map_next(n)) {
		k = map_value(n);
		peer = roster_find(p->roster, map_key(n));
		if (!k->live || peer == NULL || peer_is_live(peer))
			continue;
		k->live = false;
		roster_gone(p->roster, map_key(n));
		tell(p, peer, PEER_WENT);
	}
}

const struct roster *
endpoint_roster(const struct endpoint *ep)
{
	return ep->presence->roster;
}

const struct channels *
endpoint_registry(const struct endpoint *ep)
{
	return ep->presence->registry;
}

/* --- the part ---------------------------------------------------------------------- */

static bool
own_new(struct presence_part *p)
{
	const struct endpoint_conf	*c = &p->ep->conf;
	struct presence			*o = &p->own;

	o->status = STATUS_IDLE;
	set_text(p, &o->id, endpoint_id(p->ep));
	set_text(p, &o->name, c->name);
	set_text(p, &o->kind, c->kind);
	set_text(p, &o->role, c->role);
	set_text(p, &o->description, c->description);
	set_text(p, &o->model, c->model);
	return strlist_add_all(&o->tags, c->tags->v, c->tags->n);
}

static bool
watches_new(struct presence_part *p)
{
	const char	*space = p->ep->conf.space;

	if (endpoint_wants(p->ep, ENDPOINT_ROSTER)) {
		p->roster_watch = watch_new(space, BUCKET_PRESENCE, ">",
		    &watched_roster, p);
		if (p->roster_watch == NULL)
			return false;
		watch_name_anew(p->roster_watch);
	}
	if (endpoint_wants(p->ep, ENDPOINT_REGISTRY)) {
		p->registry_watch = watch_new(space, BUCKET_CHANNELS, ">",
		    &channels_ops, p->registry);
		if (p->registry_watch == NULL)
			return false;
		watch_name_anew(p->registry_watch);
	}
	return true;
}

struct presence_part *
presence_part_new(struct endpoint *ep)
{
	struct presence_part	*p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ep = ep;
	if (!own_new(p) || (p->roster = roster_new()) == NULL ||
	    (p->known = map_new()) == NULL ||
	    (p->registry = channels_new()) == NULL || !watches_new(p)) {
		presence_part_free(p);
		return NULL;
	}
	return p;
}

void
presence_part_free(struct presence_part *p)
{
	if (p == NULL)
		return;
	watch_free(p->roster_watch);
	watch_free(p->registry_watch);
	roster_free(p->roster);
	channels_free(p->registry);
	if (p->known != NULL)
		map_free(p->known, free);
	presence_free(&p->own);
	free(p);
}

int
presence_part_bind(struct presence_part *p, struct error *e)
{
	struct bus	*b = p->ep->bus;

	p->failed.code = 0;
	if (wants_presence(p) && write_record(p, e) == -1)
		return -1;
	if (p->roster_watch != NULL &&
	    watch_bind(p->roster_watch, b, e) == -1)
		return -1;
	return p->registry_watch == NULL ? 0 :
	    watch_bind(p->registry_watch, b, e);
}

bool
presence_part_bound(const struct presence_part *p)
{
	return (!wants_presence(p) || p->stored) &&
	    (p->roster_watch == NULL || watch_synced(p->roster_watch)) &&
	    (p->registry_watch == NULL || watch_synced(p->registry_watch));
}

int
presence_part_tend(struct presence_part *p, struct error *e)
{
	if (tend_record(p, e) == -1)
		return -1;
	if (p->registry_watch != NULL &&
	    watch_tend(p->registry_watch, e) == -1)
		return -1;
	if (p->roster_watch == NULL)
		return 0;
	sweep(p);
	return watch_tend(p->roster_watch, e);
}

/* What it knows stays, as a view, until it is read anew. */
void
presence_part_unbind(struct presence_part *p)
{
	p->stored = false;
	if (p->bye)
		p->left = true;
	if (p->roster_watch != NULL)
		watch_unbind(p->roster_watch);
	if (p->registry_watch != NULL)
		watch_unbind(p->registry_watch);
}
