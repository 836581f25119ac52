/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "clock.h"
#include "json.h"
#include "log.h"

#include "mint.h"

struct mint_call {
	LIST_ENTRY(mint_call)	 entry;
	char			 reply[SUBJECT_MAX];
	mint_fn			*fn;
	void			*arg;
	int64_t			 deadline_ms;
};

struct answer {
	bool	 ok;
	char	*jwt, *error;
};

static const struct json_field answer_table[] = {
	{ .name = "ok", .type = JSON_BOOL, .required = true,
	    .offset = offsetof(struct answer, ok) },
	{ .name = "jwt", .type = JSON_STRING,
	    .offset = offsetof(struct answer, jwt) },
	{ .name = "error", .type = JSON_STRING,
	    .offset = offsetof(struct answer, error) },
	JSON_END };

/* It is over: the caller is told, and may ask again. */
static void
finish(struct mint_call *c, const char *jwt, const struct error *e)
{
	LIST_REMOVE(c, entry);
	c->fn(c->arg, jwt, e);
	free(c);
}

static int
read_answer(natsMsg *m, struct answer *a, cJSON **tree, struct error *e)
{
	memset(a, 0, sizeof(*a));
	*tree = json_parse(natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m), e);
	if (*tree == NULL || json_read(*tree, answer_table, a, "", e) == -1)
		return error_wrap(e, "the signer's answer");
	if (!a->ok || a->jwt == NULL)
		return error_set(e, EX_NOPERM, "the signer refuses: %s",
		    a->error == NULL ? "it does not say why" : a->error);
	return 0;
}

static void
fail_all(struct minter *mt, int64_t late_ms, const char *why)
{
	struct mint_call	*c = LIST_FIRST(&mt->calls);
	struct error		 e;

	while (c != NULL) {
		if (c->deadline_ms > late_ms) {
			c = LIST_NEXT(c, entry);
			continue;
		}
		error_set(&e, EX_TEMPFAIL, "%s", why);
		finish(c, NULL, &e);
		/* Who is told may forget others. */
		c = LIST_FIRST(&mt->calls);
	}
}

static void
on_answer(void *arg, natsMsg *m)
{
	struct minter		*mt = arg;
	struct mint_call	*c;
	struct answer		 a;
	struct error		 e = { .code = 0 };
	cJSON			*tree = NULL;

	/* Which call found nobody is not said; none will. */
	if (bus_status(m) == 503) {
		fail_all(mt, INT64_MAX, "nobody signs: the signer does not "
		    "run");
		bus_msg_free(m);
		return;
	}
	LIST_FOREACH(c, &mt->calls, entry)
		if (strcmp(c->reply, natsMsg_GetSubject(m)) == 0)
			break;
	if (c != NULL && read_answer(m, &a, &tree, &e) == 0)
		finish(c, a.jwt, NULL);
	else if (c != NULL)
		finish(c, NULL, &e);
	cJSON_Delete(tree);
	bus_msg_free(m);
}

int
minter_bind(struct minter *mt, struct role *r, struct error *e)
{
	char	lane[SUBJECT_MAX];

	mt->role = r;
	if (subject_mint(mt->subject, sizeof(mt->subject), r->config.space,
	    r->creds.key.public) == -1)
		return error_set(e, EX_SOFTWARE, "the signer's subject");
	snprintf(lane, sizeof(lane), "%.900s.reply.>", mt->subject);
	mt->lane = bus_subscribe(r->bus, lane, NULL, on_answer, mt, e);
	return mt->lane == NULL ? -1 : 0;
}

void
minter_unbind(struct minter *mt)
{
	mt->lane = NULL;
	fail_all(mt, INT64_MAX, "the connection was lost");
}

static bool
set_list(cJSON *o, const char *name, const struct strlist *l)
{
	return l == NULL || json_set_strings(o, name, l->v, l->n);
}

static bool
set_text(cJSON *o, const char *name, const char *s)
{
	return s == NULL || json_set_str(o, name, s);
}

static char *
request_text(const struct mint_request *q)
{
	static char	 spawn[] = "spawn";
	char		*capabilities[] = { spawn };
	cJSON		*o = cJSON_CreateObject();
	char		*body = NULL;

	if (o != NULL && json_set_str(o, "profile", q->profile) &&
	    json_set_str(o, "public", q->public) &&
	    set_text(o, "name", q->name) && set_text(o, "role", q->role) &&
	    set_text(o, "target", q->target) &&
	    set_list(o, "subscribe", q->subscribe) &&
	    set_list(o, "allow_subscribe", q->allow_subscribe) &&
	    set_list(o, "allow_publish", q->allow_publish) &&
	    (!q->spawn || json_set_strings(o, "capabilities", capabilities,
	    1)) && set_text(o, "for", q->asker) &&
	    (q->ttl_s == 0 || json_set_i64(o, "ttl_s", q->ttl_s)))
		body = json_print(o);
	cJSON_Delete(o);
	return body;
}

int
minter_ask(struct minter *mt, const struct mint_request *q, mint_fn *fn,
    void *arg, struct error *e)
{
	struct mint_call	*c = calloc(1, sizeof(*c));
	struct bus_pub		 p = { .subject = mt->subject };
	unsigned char		 random[16];
	char			 nonce[33], *body = request_text(q);
	int			 r = -1;

	if (c == NULL || body == NULL)
		fatal_memory();
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(nonce, sizeof(nonce), random, sizeof(random));
	snprintf(c->reply, sizeof(c->reply), "%.900s.reply.%s", mt->subject,
	    nonce);
	c->fn = fn;
	c->arg = arg;
	c->deadline_ms = clock_ms() + MINT_MS;
	p.reply = c->reply;
	p.data = body;
	p.len = strlen(body);
	if (mt->lane == NULL)
		error_set(e, EX_TEMPFAIL, "there is no connection");
	else
		r = bus_publish(mt->role->bus, &p, e);
	if (r == 0)
		LIST_INSERT_HEAD(&mt->calls, c, entry);
	else
		free(c);
	free(body);
	return r;
}

void
minter_forget(struct minter *mt, const void *arg)
{
	struct mint_call	*c, *next;

	for (c = LIST_FIRST(&mt->calls); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		if (c->arg != arg)
			continue;
		LIST_REMOVE(c, entry);
		free(c);
	}
}

void
minter_tend(struct minter *mt)
{
	fail_all(mt, clock_ms(), bus_refused(mt->role->bus, mt->subject) ?
	    "the broker does not let the manager ask the signer" :
	    "the signer does not answer");
}
