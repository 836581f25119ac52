/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seat.h"

#define TURN_MS	10

static void
on_up(void *arg)
{
	((struct seat *)arg)->ups++;
}

static void
on_down(void *arg, const struct error *why)
{
	struct seat	*s = arg;

	s->downs++;
	s->why = *why;
}

static void
on_peer(void *arg, const struct peer *p, enum peer_event event)
{
	static const char	signs[] = { [PEER_CAME] = '+',
				    [PEER_CHANGED] = '~', [PEER_WENT] = '-' };
	struct seat		*s = arg;
	size_t			 n = strlen(s->peers);

	ck_assert_uint_lt(n + 80, sizeof(s->peers));
	snprintf(s->peers + n, sizeof(s->peers) - n, " %c%s", signs[event],
	    p->presence.name);
}

static void
on_note(void *arg, const char *text)
{
	struct seat	*s = arg;

	snprintf(s->note, sizeof(s->note), "%s", text);
}

void
seat_new(struct seat *s, struct agent *a, struct endpoint_conf *conf,
    unsigned does)
{
	struct endpoint_conf	c;
	struct error		e;

	memset(&c, 0, sizeof(c));
	if (conf != NULL)
		c = *conf;
	if (c.servers == NULL)
		c.servers = sp->config.servers;
	if (c.space == NULL)
		c.space = sp->config.space;
	if (c.creds == NULL && a != NULL)
		c.creds = &a->creds;
	if (c.name == NULL && a != NULL)
		c.name = a->name;
	c.does |= does;
	s->ops.up = on_up;
	s->ops.down = on_down;
	s->ops.peer = on_peer;
	s->ops.note = on_note;
	OK(endpoint_new(&s->ep, &c, &s->ops, s, &e), e);
}

void
seat_up(struct seat *s, struct agent *a, unsigned does)
{
	struct error	e;

	seat_new(s, a, NULL, does);
	OK(endpoint_await(s->ep, AWAIT_MS, &e), e);
}

void
seat_free(struct seat *s)
{
	endpoint_free(s->ep);
	s->ep = NULL;
}

void
seats_turn(struct seat *const *v, size_t n)
{
	int64_t	began, over;
	size_t	i;

	for (i = 0; i < n; i++) {
		began = test_now_ms();
		endpoint_turn(v[i]->ep, NULL, 0, TURN_MS);
		over = test_now_ms() - began - TURN_MS;
		if (over > v[i]->longest_ms)
			v[i]->longest_ms = over;
	}
}
