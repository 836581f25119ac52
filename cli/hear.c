/* SPDX-License-Identifier: ISC */

/* What `reeve listen` hears: checked, printed once, acknowledged. */
#include <stdio.h>
#include <string.h>

#include "listen.h"

/* Sender and id: one peer cannot make another's message look seen. */
static void
key_of(const struct message *m, char *buf, size_t size)
{
	snprintf(buf, size, "%s %s", m->from_id, m->id);
}

/*
 * Print it unless that was done before.  False: not printed and not to be
 * acknowledged, since nothing is taken any more.
 */
static bool
take(struct listener *l, const struct shown *s)
{
	char	key[MESSAGE_ID_MAX + SUBJECT_MAX];

	key_of(s->m, key, sizeof(key));
	if (seen_has(&l->seen, key))
		return true;
	if (l->stop == STOP_COUNT || l->stop == STOP_OUTPUT)
		return false;
	if (show_message(s, l->cli->json) == -1 ||
	    seen_add(&l->seen, key) == -1) {
		l->stop = STOP_OUTPUT;
		return false;
	}
	if (++l->printed == l->count)
		l->stop = STOP_COUNT;
	return true;
}

/* --- live ---------------------------------------------------------------------- */

/* The subject that counts is the message's own: a live subscription may be
 * handed one outside its filter. */
static int
check_live(const struct ear *ear, const struct message *m,
    const char *subject, struct error *e)
{
	struct subject	s;

	if (!subject_matches(ear->pattern, subject) ||
	    !subject_parse(&s, subject) || s.kind != SUBJECT_CHAT)
		return error_set(e, EX_DATAERR, "not a subject of \"%s\"",
		    ear->channel);
	return message_check(m, &s, e);
}

void
hear_live(void *arg, natsMsg *nm)
{
	struct ear	*ear = arg;
	struct listener	*l = ear->l;
	struct shown	 s = { .kind = SHOWN_CHANNEL,
			    .data = natsMsg_GetData(nm),
			    .len = (size_t)natsMsg_GetDataLength(nm) };
	struct message	 m;
	struct error	 e;

	if (message_parse(&m, s.data, s.len, &e) == -1 ||
	    check_live(ear, &m, natsMsg_GetSubject(nm), &e) == -1)
		listen_note(l, "dropped a message on %s: %s", ear->channel,
		    e.text);
	else if (strcmp(m.from_id, l->agent.id) != 0) {
		s.m = &m;
		(void)take(l, &s);
	}
	message_free(&m);
	natsMsg_Destroy(nm);
}

/* --- durable -------------------------------------------------------------------- */

static bool
is_ours(const char *view, size_t len, const char *s)
{
	return strlen(s) == len && memcmp(view, s, len) == 0;
}

static int
check_durable(const struct source *src, const struct message *m,
    const char *subject, struct shown *out, struct error *e)
{
	const struct listener	*l = src->l;
	struct subject		 s;

	if (src->kind == STREAM_DLV) {
		/* The reader has checked it against its own subject. */
		out->kind = SHOWN_CHANNEL;
		if (strcmp(subject, l->dlv) != 0)
			return error_set(e, EX_DATAERR, "a foreign subject");
		return m->channel != NULL ? 0 : error_set(e, EX_DATAERR,
		    "not a channel's message");
	}
	out->kind = src->kind == STREAM_DM ? SHOWN_DM : SHOWN_ANYCAST;
	if (!subject_parse(&s, subject) || s.kind !=
	    (src->kind == STREAM_DM ? SUBJECT_INST : SUBJECT_SVC) ||
	    !is_ours(s.rest, s.rest_len, src->kind == STREAM_DM ?
	    l->agent.id : l->role))
		return error_set(e, EX_DATAERR, "a foreign subject");
	return message_check(m, &s, e);
}

void
hear_durable(void *arg, natsMsg *nm, const struct js_delivery *d)
{
	struct source	*src = arg;
	struct listener	*l = src->l;
	struct shown	 s = { .data = natsMsg_GetData(nm),
			    .len = (size_t)natsMsg_GetDataLength(nm),
			    .durable = true, .seq = d->stream_seq };
	struct message	 m;
	struct error	 e;
	const char	*how;

	if (message_parse(&m, s.data, s.len, &e) == -1 ||
	    check_durable(src, &m, natsMsg_GetSubject(nm), &s, &e) == -1) {
		/* Out of memory says nothing about the message. */
		how = e.code == EX_DATAERR ? "+TERM" : "-NAK";
		listen_note(l, "dropped message %llu of %s: %s",
		    (unsigned long long)d->stream_seq, src->pull.stream,
		    e.text);
	} else {
		s.m = &m;
		how = take(l, &s) ? "+ACK" : "-NAK";
	}
	/* Lost with the link it comes again, and is known then. */
	(void)agent_settle(&l->agent, nm, how, NULL);
	message_free(&m);
	natsMsg_Destroy(nm);
}
