/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "clock.h"
#include "endpoint_impl.h"

#define TURN_MS		200	/* parts are tended so often */
#define SIGN_MS		2000	/* silent so long, it is asked for a sign */
#define SILENT_MS	8000	/* and is taken for lost */
#define AWAY_MS		1000	/* not turned so long, it reads first */
#define GOOD_MS		5000	/* a link that held so long was good */
#define QUIET_MS	20	/* so long nothing came: it was all */
#define EXTRA_MAX	7
/* Whoever may not ask it is answered, too. */
#define ANY_QUESTION	"$JS.API.INFO"

/* --- the parts, in the order of their binding ------------------------------------ */

struct part {
	int	(*bind)(struct endpoint *, struct error *);
	bool	(*bound)(const struct endpoint *);
	int	(*tend)(struct endpoint *, struct error *);
	void	(*unbind)(struct endpoint *);
};

#define PART(type, member)						\
static int								\
member##_bind(struct endpoint *ep, struct error *e)			\
{									\
	return type##_bind(ep->member, e);				\
}									\
									\
static bool								\
member##_bound(const struct endpoint *ep)				\
{									\
	return type##_bound(ep->member);				\
}									\
									\
static int								\
member##_tend(struct endpoint *ep, struct error *e)			\
{									\
	return type##_tend(ep->member, e);				\
}									\
									\
static void								\
member##_unbind(struct endpoint *ep)					\
{									\
	type##_unbind(ep->member);					\
}

PART(call_part, calls)
PART(presence_part, presence)
PART(read_part, reads)
PART(hear_part, hear)
PART(join_part, joins)

#define ROW(member)							\
	{ member##_bind, member##_bound, member##_tend, member##_unbind }

static const struct part parts[] = { ROW(calls), ROW(presence), ROW(reads),
    ROW(hear), ROW(joins) };
#define N_PARTS	(sizeof(parts) / sizeof(parts[0]))

static int
parts_new(struct endpoint *ep)
{
	return (ep->calls = call_part_new(ep)) != NULL &&
	    (ep->presence = presence_part_new(ep)) != NULL &&
	    (ep->reads = read_part_new(ep)) != NULL &&
	    (ep->hear = hear_part_new(ep)) != NULL &&
	    (ep->joins = join_part_new(ep)) != NULL ? 0 : -1;
}

static void
parts_free(struct endpoint *ep)
{
	join_part_free(ep->joins);
	hear_part_free(ep->hear);
	read_part_free(ep->reads);
	presence_part_free(ep->presence);
	call_part_free(ep->calls);
}

/* Bind what can be bound now, and go on with what is. */
static int
parts_tend(struct endpoint *ep, struct error *e)
{
	size_t	i;

	for (i = 0; i < ep->n_begun; i++)
		if (parts[i].tend(ep, e) == -1)
			return -1;
	while (ep->n_begun < N_PARTS && (ep->n_begun == 0 ||
	    parts[ep->n_begun - 1].bound(ep)))
		if (parts[ep->n_begun++].bind(ep, e) == -1)
			return -1;
	return 0;
}

static void
parts_unbind(struct endpoint *ep)
{
	size_t	i;

	for (i = N_PARTS; i > 0; i--)
		parts[i - 1].unbind(ep);
	ep->n_begun = 0;
}

static bool
parts_bound(const struct endpoint *ep)
{
	return ep->n_begun == N_PARTS && parts[N_PARTS - 1].bound(ep);
}

/* --- the link --------------------------------------------------------------------- */

static void
went_down(struct endpoint *ep, const struct error *why)
{
	ep->downs++;
	ep->why = *why;
	if (ep->ops.down != NULL)
		ep->ops.down(ep->arg, why);
}

static void
close_link(struct endpoint *ep)
{
	struct bus	*b = ep->bus;

	ep->up = false;
	ep->closing = true;
	parts_unbind(ep);
	ep->closing = false;
	ep->bus = NULL;
	/* What it still has to say is of no use: the answers find nobody. */
	bus_cut(b);
	bus_close(b);
}

/* One that held a while was good: the pause begins small again. */
static void
link_lost(struct endpoint *ep, const struct error *why)
{
	if (ep->up && clock_ms() - ep->up_ms > GOOD_MS)
		uplink_was_good(ep->link);
	close_link(ep);
	uplink_failed(ep->link);
	went_down(ep, why);
}

/* Somebody who only listens hears nothing for long; any answer will do. */
static void
on_sign(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	(void)arg;
	(void)outcome;
	(void)reply;
}

static int
check_alive(struct endpoint *ep, struct error *e)
{
	struct bus_pub	p = { .subject = ANY_QUESTION, .data = "" };
	int64_t		now = clock_ms();

	if (!bus_alive(ep->bus))
		return error_set(e, EX_UNAVAILABLE, "connection lost: %s",
		    bus_why(ep->bus));
	if (bus_silent_ms(ep->bus) > SILENT_MS)
		return error_set(e, EX_UNAVAILABLE, "the broker is silent");
	if (bus_silent_ms(ep->bus) < SIGN_MS || now - ep->alive_ms < SIGN_MS)
		return 0;
	ep->alive_ms = now;
	return bus_request(ep->bus, &p, SIGN_MS, on_sign, NULL, e);
}

static void
tend(struct endpoint *ep)
{
	struct error	e = { .code = 0 };

	if (ep->bus == NULL)
		return;
	if (check_alive(ep, &e) == -1 || parts_tend(ep, &e) == -1) {
		link_lost(ep, &e);
		return;
	}
	if (ep->up || !parts_bound(ep))
		return;
	ep->up = ep->was_up = true;
	ep->up_ms = clock_ms();
	if (ep->ops.up != NULL)
		ep->ops.up(ep->arg);
}

/* Without a link: wait for one. */
static void
turn_down(struct endpoint *ep, struct pollfd *extra, size_t n_extra,
    int64_t timeout_ms)
{
	struct pollfd	p[EXTRA_MAX + 1];
	struct error	e = { .code = 0 };
	size_t		i;

	if (!ep->leaving)
		uplink_tend(ep->link);
	if (timeout_ms > uplink_wait_ms(ep->link))
		timeout_ms = uplink_wait_ms(ep->link);
	p[0].fd = uplink_fd(ep->link);
	p[0].events = POLLIN;
	for (i = 0; i < n_extra; i++)
		p[1 + i] = extra[i];
	for (i = 0; i < 1 + n_extra; i++)
		p[i].revents = 0;
	(void)poll(p, (nfds_t)(1 + n_extra), timeout_ms > 0 ?
	    (int)timeout_ms : 0);
	for (i = 0; i < n_extra; i++)
		extra[i].revents = p[1 + i].revents;
	switch (uplink_take(ep->link, &ep->bus, &e)) {
	case -1:
		went_down(ep, &e);
		break;
	case 1:
		ep->alive_ms = ep->turned_ms = clock_ms();
		tend(ep);
		break;
	}
}

/*
 * The program was stopped, or had other work: what came meanwhile is not late,
 * and nobody was silent who has not been listened to.
 */
static void
catch_up(struct endpoint *ep)
{
	int64_t	until = clock_ms() + TURN_MS;

	if (clock_ms() - ep->turned_ms < AWAY_MS)
		return;
	do
		bus_turn(ep->bus, NULL, 0, 0);
	while (bus_alive(ep->bus) && bus_silent_ms(ep->bus) == 0 &&
	    clock_ms() < until);
}

void
endpoint_turn(struct endpoint *ep, struct pollfd *extra, size_t n_extra,
    int64_t timeout_ms)
{
	int64_t	most;
	size_t	i;

	if (n_extra > EXTRA_MAX)
		n_extra = EXTRA_MAX;
	if (ep->bus == NULL) {
		turn_down(ep, extra, n_extra, timeout_ms);
		return;
	}
	catch_up(ep);
	tend(ep);
	if (ep->bus == NULL) {
		for (i = 0; i < n_extra; i++)
			extra[i].revents = 0;
		return;
	}
	most = join_part_wait_ms(ep->joins);
	if (most > TURN_MS)
		most = TURN_MS;
	bus_turn(ep->bus, extra, n_extra, timeout_ms > most ? most :
	    timeout_ms);
	ep->turned_ms = clock_ms();
	tend(ep);
}

int
endpoint_await(struct endpoint *ep, int64_t timeout_ms, struct error *e)
{
	int64_t		deadline = clock_ms() + timeout_ms, left;
	unsigned	downs = ep->downs;
	char		servers[256];

	while (!ep->up) {
		if (ep->downs != downs) {
			if (e != NULL)
				*e = ep->why;
			return -1;
		}
		if ((left = deadline - clock_ms()) <= 0)
			return error_set(e, EX_TEMPFAIL, "not connected to %s "
			    "in time", bus_servers(ep->conf.servers, servers,
			    sizeof(servers)));
		endpoint_turn(ep, NULL, 0, left);
	}
	return 0;
}

bool
endpoint_is_up(const struct endpoint *ep)
{
	return ep->up;
}

void
endpoint_reconnect(struct endpoint *ep)
{
	struct error	why;

	error_set(&why, EX_TEMPFAIL, "connecting anew, as asked");
	if (ep->bus != NULL) {
		close_link(ep);
		went_down(ep, &why);
	}
	uplink_hurry(ep->link);
}

static void
on_farewell(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	(void)outcome;
	(void)reply;
	((struct endpoint *)arg)->parted = true;
}

/*
 * The broker takes one thing after the other: when it has answered a question
 * that was sent last, it has had all.
 */
static void
farewell(struct endpoint *ep, int64_t deadline)
{
	struct bus_pub	p = { .subject = ANY_QUESTION, .data = "" };
	int64_t		left = deadline - clock_ms();

	ep->parted = false;
	if (left <= 0 || bus_request(ep->bus, &p, left, on_farewell, ep,
	    NULL) == -1)
		return;
	while (!ep->parted && bus_alive(ep->bus) &&
	    (left = deadline - clock_ms()) > 0)
		bus_turn(ep->bus, NULL, 0, left);
}

/*
 * What comes to nobody comes again much later: so what the broker sent before
 * it answers is taken, and what an answer may have overtaken.
 */
static void
take_the_rest(struct endpoint *ep, int64_t deadline)
{
	int64_t		quiet;
	uint64_t	n;

	do {
		n = hear_taken(ep->hear);
		farewell(ep, deadline);
		quiet = clock_ms() + QUIET_MS;
		while (bus_alive(ep->bus) && hear_taken(ep->hear) == n &&
		    clock_ms() < quiet)
			bus_turn(ep->bus, NULL, 0, quiet - clock_ms());
	} while (ep->parted && hear_taken(ep->hear) != n);
}

void
endpoint_leave_mesh(struct endpoint *ep, int64_t timeout_ms)
{
	int64_t	deadline = clock_ms() + timeout_ms, left;

	ep->leaving = true;
	if (ep->bus != NULL)
		presence_leave(ep->presence);
	while (ep->bus != NULL && (!presence_left(ep->presence) ||
	    call_sending(ep->calls) > 0) &&
	    (left = deadline - clock_ms()) > 0)
		endpoint_turn(ep, NULL, 0, left);
	if (ep->bus == NULL)
		return;
	if (endpoint_wants(ep, ENDPOINT_DURABLES))
		take_the_rest(ep, deadline);
	hear_give_back(ep->hear);
	farewell(ep, deadline);
	close_link(ep);
}

/* --- its making ------------------------------------------------------------------- */

void
endpoint_note(struct endpoint *ep, const char *fmt, ...)
{
	char	text[1024];
	va_list	ap;

	if (ep->ops.note == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ep->ops.note(ep->arg, text);
}

int
endpoint_linked(const struct endpoint *ep, struct error *e)
{
	if (ep->bus != NULL && !ep->closing)
		return 0;
	return error_set(e, EX_TEMPFAIL, "there is no connection to the mesh "
	    "now%s%s", ep->why.code != 0 ? ": " : "",
	    ep->why.code != 0 ? ep->why.text : "");
}

static int
own(struct endpoint *ep, const char **s, struct error *e)
{
	if (*s == NULL)
		return 0;
	if (!strlist_add(&ep->owned, *s))
		return error_errno(e, EX_OSERR, "endpoint");
	*s = ep->owned.v[ep->owned.n - 1];
	return 0;
}

static int
own_list(struct strlist *out, const struct strlist **list, struct error *e)
{
	if (*list != NULL && !strlist_add_all(out, (*list)->v, (*list)->n))
		return error_errno(e, EX_OSERR, "endpoint");
	*list = out;
	return 0;
}

static int
own_conf(struct endpoint *ep, struct error *e)
{
	struct endpoint_conf	*c = &ep->conf;
	const char		**v[] = { &c->servers, &c->token, &c->user,
				    &c->pass, &c->space, &c->name, &c->role,
				    &c->kind, &c->description, &c->model };
	size_t			 i;

	if (c->creds == NULL && nkey_new(&ep->fresh.key, NKEY_USER, e) == -1)
		return -1;
	if (c->creds == NULL)
		c->creds = &ep->fresh;
	if (c->name == NULL)
		c->name = c->creds->key.public;
	if (c->kind == NULL)
		c->kind = "agent";
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (own(ep, v[i], e) == -1)
			return -1;
	if (own_list(&ep->subscribe, &c->subscribe, e) == -1)
		return -1;
	return own_list(&ep->tags, &c->tags, e);
}

static int
check_conf(const struct endpoint_conf *c, struct error *e)
{
	char	buf[SUBJECT_MAX];
	size_t	i;

	if (c->creds != NULL && (c->token != NULL || c->user != NULL))
		return error_set(e, EX_USAGE, "an agent has credentials, or a "
		    "token or user, not both");
	if (c->token != NULL && c->user != NULL)
		return error_set(e, EX_USAGE, "a token, or a user: not both");
	if (c->name != NULL && !name_is_instance(c->name))
		return error_set(e, EX_USAGE, "an agent's name: expected one "
		    "line without slashes or blanks around it");
	if (c->servers == NULL || c->space == NULL)
		return error_set(e, EX_CONFIG, "a mesh has servers and a "
		    "space");
	for (i = 0; c->subscribe != NULL && i < c->subscribe->n; i++)
		if (!channel_is_valid(c->subscribe->v[i]) || subject_chat(buf,
		    sizeof(buf), c->space, "*", c->subscribe->v[i]) == -1)
			return error_set(e, EX_USAGE, "\"%s\" is not a "
			    "channel", c->subscribe->v[i]);
	if (name_bucket_stream(buf, sizeof(buf), c->space, BUCKET_PRESENCE) ==
	    -1)
		return error_set(e, EX_CONFIG, "the space's name is too long");
	if (c->role != NULL && name_token(buf, STREAM_MAX - 4, c->role) == -1)
		return error_set(e, EX_CONFIG, "the role's name is too long");
	return 0;
}

int
endpoint_new(struct endpoint **out, const struct endpoint_conf *conf,
    const struct endpoint_ops *ops, void *arg, struct error *e)
{
	struct endpoint	*ep;

	if (check_conf(conf, e) == -1)
		return -1;
	if ((ep = calloc(1, sizeof(*ep))) == NULL)
		return error_errno(e, EX_OSERR, "endpoint");
	ep->conf = *conf;
	if (ops != NULL)
		ep->ops = *ops;
	ep->arg = arg;
	if (own_conf(ep, e) == -1) {
		endpoint_free(ep);
		return -1;
	}
	if ((ep->link = uplink_new(&ep->conf)) == NULL || parts_new(ep) == -1) {
		error_errno(e, EX_OSERR, "endpoint");
		endpoint_free(ep);
		return -1;
	}
	*out = ep;
	return 0;
}

/* A token, a password, and what of them a URL has. */
static void
wipe_owned(struct endpoint *ep)
{
	size_t	i;

	for (i = 0; i < ep->owned.n; i++)
		sodium_memzero(ep->owned.v[i], strlen(ep->owned.v[i]));
}

void
endpoint_free(struct endpoint *ep)
{
	if (ep == NULL)
		return;
	if (ep->bus != NULL)
		close_link(ep);
	parts_free(ep);
	uplink_free(ep->link);
	creds_wipe(&ep->fresh);
	strlist_free(&ep->subscribe);
	strlist_free(&ep->tags);
	wipe_owned(ep);
	strlist_free(&ep->owned);
	free(ep);
}

const char *
endpoint_id(const struct endpoint *ep)
{
	return ep->conf.creds->key.public;
}

const char *
endpoint_name(const struct endpoint *ep)
{
	return ep->conf.name;
}

const char *
endpoint_role(const struct endpoint *ep)
{
	return ep->conf.role;
}

const char *
endpoint_space(const struct endpoint *ep)
{
	return ep->conf.space;
}
