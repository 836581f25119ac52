/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "recall.h"

static void
recall_free(struct recall *r)
{
	size_t	i;

	for (i = 0; i < r->n; i++)
		message_free(&r->v[i].m);
	free(r->v);
	strlist_free(&r->channels);
	page_free(&r->aged);
	free(r);
}

/* --- which channels ------------------------------------------------------------- */

static void
choose(void *arg, const struct endpoint_channel *c)
{
	struct recall		*r = arg;
	const struct session	*s = r->s;

	if (!c->joined || !channel_is_concrete(c->channel) ||
	    attention_channel(s->attention, c->channel) != CHANNEL_NORMAL ||
	    !channels_replay(endpoint_registry(s->ep), c->channel))
		return;
	if (!strlist_add(&r->channels, c->channel))
		error_set(&r->error, EX_OSERR, "out of memory");
}

/* --- reading --------------------------------------------------------------------- */

static bool
has_room(struct recall *r)
{
	size_t		 cap = r->cap == 0 ? 64 : r->cap * 2;
	struct recalled	*v;

	if (r->n < r->cap)
		return true;
	if ((v = realloc(r->v, cap * sizeof(*v))) == NULL) {
		error_set(&r->error, EX_OSERR, "out of memory");
		return false;
	}
	r->v = v;
	r->cap = cap;
	return true;
}

static void
on_said(void *arg, const struct endpoint_said *said)
{
	struct recall	*r = arg;
	struct recalled	*m;

	if (strcmp(said->m->from_id, endpoint_id(r->s->ep)) == 0 ||
	    !has_room(r))
		return;
	m = &r->v[r->n];
	if (message_parse(&m->m, said->data, said->len, &r->error) == -1) {
		message_free(&m->m);
		return;
	}
	m->seq = said->seq;
	m->stored_ms = said->stored_ms;
	r->n++;
}

static int
by_seq(const void *a, const void *b)
{
	const struct recalled	*x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void
finish(struct recall *r)
{
	if (r->n > 0)
		qsort(r->v, r->n, sizeof(r->v[0]), by_seq);
	r->done(r->arg, r);
	recall_free(r);
}

static void	read_next(struct recall *);

static void
on_told(void *arg, const struct endpoint_told *told, const struct error *e)
{
	struct recall	*r = arg;

	if (e != NULL) {
		r->error = *e;
		if (r->error.code == 0)
			r->error.code = EX_TEMPFAIL;
		finish(r);
		return;
	}
	if (told->dropped)
		page_add(&r->aged, "Of #%s older messages than those above "
		    "have aged out.\n", r->channels.v[r->at]);
	else if (told->older > 0)
		page_add(&r->aged, "Of #%s there are older messages than the "
		    "newest %zu.\n", r->channels.v[r->at], told->given);
	r->at++;
	read_next(r);
}

static void
read_next(struct recall *r)
{
	struct endpoint_history	h = { .after_seq =
				    r->s->attention->frontier_seq,
				    .limit = RECALL_MAX,
				    .max_bytes = RECALL_BYTES_MAX };

	if (r->at >= r->channels.n || !r->s->attention->frontier_known) {
		finish(r);
		return;
	}
	if (endpoint_read(r->s->ep, r->channels.v[r->at], &h, on_said,
	    on_told, r, &r->error) == -1)
		finish(r);
}

int
recall_begin(struct session *s, struct mcp_call *c,
    void (*done)(void *arg, struct recall *r), void *arg, struct error *e)
{
	struct recall	*r = calloc(1, sizeof(*r));

	if (r == NULL)
		return error_set(e, EX_OSERR, "out of memory");
	r->s = s;
	r->call = c;
	r->done = done;
	r->arg = arg;
	endpoint_each_channel(s->ep, choose, r);
	read_next(r);
	return 0;
}
