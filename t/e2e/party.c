/* SPDX-License-Identifier: ISC */

/* Endpoints that a test turns. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "party.h"

static void
on_message(void *arg, struct delivery *d)
{
	struct party	*p = arg;
	struct heard	*h;

	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 256 : p->cap * 2;
		p->heard = reallocarray(p->heard, p->cap, sizeof(*h));
		ck_assert(p->heard != NULL);
	}
	h = &p->heard[p->n++];
	h->text = message_text(&d->m);
	ck_assert(h->text != NULL);
	h->kind = d->kind;
	h->historical = d->historical;
	h->durable = d->durable;
	h->seq = d->seq;
	h->d = p->hold ? d : NULL;
	if (!p->hold)
		endpoint_settle(p->ep, d, SETTLE_DONE);
}

static void
on_up(void *arg)
{
	((struct party *)arg)->ups++;
}

static void
on_down(void *arg, const struct error *why)
{
	(void)why;
	((struct party *)arg)->downs++;
}

static void
on_refused(void *arg, const char *channel)
{
	ck_assert(strlist_add(&((struct party *)arg)->refused, channel));
}

static void
on_note(void *arg, const char *text)
{
	ck_assert(strlist_add(&((struct party *)arg)->notes, text));
}

struct party *
party_begin(struct agent *a, unsigned does, const char *subscribe)
{
	const struct endpoint_ops	 ops = { .message = on_message,
					    .up = on_up, .down = on_down,
					    .refused = on_refused,
					    .note = on_note };
	struct strlist			 channels = { 0 };
	struct endpoint_conf		 conf = { .creds = &a->creds,
					    .servers = a->space->
					    config.servers,
					    .space = a->space->config.space,
					    .name = a->name, .does = does,
					    .subscribe = &channels };
	struct party			*p = calloc(1, sizeof(*p));
	struct error			 e;

	ck_assert(p != NULL);
	p->agent = a;
	if (strncmp(a->name, "task", 4) == 0)
		conf.role = "crow";
	if (subscribe != NULL)
		ck_assert(strlist_split(&channels, subscribe, ','));
	OK(endpoint_new(&p->ep, &conf, &ops, p, &e), e);
	strlist_free(&channels);
	return p;
}

struct party *
party_make(struct agent *a, unsigned does, const char *subscribe)
{
	struct party	*p = party_begin(a, does, subscribe);

	PARTY_AWAIT(p, p->ups == 1);
	return p;
}

void
party_kill(struct party *p)
{
	size_t	i;

	endpoint_free(p->ep);
	for (i = 0; i < p->n; i++)
		free(p->heard[i].text);
	free(p->heard);
	strlist_free(&p->refused);
	strlist_free(&p->notes);
	free(p);
}

void
party_leave(struct party *p)
{
	endpoint_leave_mesh(p->ep, 2000);
	party_kill(p);
}

void
party_idle(struct party *p, int64_t ms)
{
	int64_t	until = clock_ms() + ms;

	while (clock_ms() < until)
		endpoint_turn(p->ep, NULL, 0, until - clock_ms());
}

const struct heard *
party_find(const struct party *p, const char *text)
{
	size_t	i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->heard[i].text, text) == 0)
			return &p->heard[i];
	return NULL;
}

unsigned
party_got(const struct party *p, const char *text)
{
	unsigned	n = 0;
	size_t		i;

	for (i = 0; i < p->n; i++)
		n += strcmp(p->heard[i].text, text) == 0;
	return n;
}

void
party_settle(struct party *p, const char *text, enum settle how)
{
	size_t	i;

	for (i = 0; i < p->n; i++)
		if (p->heard[i].d != NULL &&
		    strcmp(p->heard[i].text, text) == 0) {
			endpoint_settle(p->ep, p->heard[i].d, how);
			p->heard[i].d = NULL;
			return;
		}
	ck_abort_msg("\"%s\" is not held", text);
}

bool
party_noted(const struct party *p, const char *text)
{
	size_t	i;

	for (i = 0; i < p->notes.n; i++)
		if (strstr(p->notes.v[i], text) != NULL)
			return true;
	return false;
}

void
party_on_joined(void *arg, const struct endpoint_joined *joined,
    const struct error *e)
{
	struct party	*p = arg;

	memset(&p->joined, 0, sizeof(p->joined));
	if (joined != NULL)
		p->joined = *joined;
	party_on_done(p, e);
}

void
party_on_done(void *arg, const struct error *e)
{
	struct party	*p = arg;

	memset(&p->why, 0, sizeof(p->why));
	if (e != NULL)
		p->why = *e;
	p->done++;
}

void
party_join(struct party *p, const char *channel)
{
	unsigned	done = p->done;
	struct error	e;

	OK(endpoint_join(p->ep, channel, party_on_joined, p, &e), e);
	PARTY_AWAIT(p, p->done == done + 1);
}

void
party_quit(struct party *p, const char *channel)
{
	unsigned	done = p->done;
	struct error	e;

	OK(endpoint_leave(p->ep, channel, party_on_done, p, &e), e);
	PARTY_AWAIT(p, p->done == done + 1);
}

struct looking {
	const char		*channel;
	struct endpoint_channel	 found;
};

static void
on_channel(void *arg, const struct endpoint_channel *c)
{
	struct looking	*l = arg;

	if (strcmp(c->channel, l->channel) == 0)
		l->found = *c;
}

struct endpoint_channel
party_channel(const struct party *p, const char *channel)
{
	struct looking	l = { .channel = channel };

	endpoint_each_channel(p->ep, on_channel, &l);
	return l.found;
}
