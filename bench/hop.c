/* SPDX-License-Identifier: ISC */

/*
 * hop: one of the two halves of the bare pipeline that gives the ceiling.
 * Takes messages from a durable, publishes each to SUBJECT.TOKEN for COPIES of
 * the tokens given, the next ones for the next message (none given: for the
 * last token of its own subject), and acknowledges it when all of its copies
 * are stored.  It reads nothing of
 * what it copies, asks nobody, and is ended by a signal.
 *
 *	hop SERVERS CREDS STREAM DURABLE SUBJECT COPIES [TOKEN...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "clock.h"
#include "creds.h"
#include "log.h"
#include "pull.h"

#define BATCH		512
#define HELD_MAX	4096
#define OPEN_MAX	16384		/* copies not acknowledged */
#define PULL_MS		30000
#define TURN_MS		200
#define TRIES		4

struct source {
	natsMsg		*msg;
	uint64_t	 seq;
	unsigned	 open;		/* copies not acknowledged */
};

struct hop {
	struct bus	*bus;
	struct pull	 pull;
	const char	*subject;
	char *const	*tokens;
	unsigned	 n_tokens, copies;
	char		 acks[SUBJECT_MAX];	/* <acks>.<source> */
	struct source	 source[HELD_MAX];
	unsigned	 free[HELD_MAX], n_free;
	unsigned	 waiting[HELD_MAX], first, n_waiting;	/* a ring */
	unsigned	 open;
	bool		 refused;
};

static void
on_source(void *arg, natsMsg *m, const struct js_delivery *d)
{
	struct hop	*h = arg;
	unsigned	 i;

	if (h->n_free == 0) {		/* never: we asked for no more */
		bus_msg_free(m);
		return;
	}
	i = h->free[--h->n_free];
	h->source[i].msg = m;
	h->source[i].seq = d->stream_seq;
	h->source[i].open = 0;
	h->waiting[(h->first + h->n_waiting++) % HELD_MAX] = i;
}

static void
finish(struct hop *h, unsigned i)
{
	struct source	*s = &h->source[i];
	struct bus_pub	 p = { .subject = natsMsg_GetReply(s->msg),
			    .data = "+ACK", .len = 4 };

	(void)bus_publish(h->bus, &p, NULL);
	bus_msg_free(s->msg);
	s->msg = NULL;
	h->free[h->n_free++] = i;
}

static void
on_stored(void *arg, natsMsg *m)
{
	static const char	 good[] = "{\"stream\"";
	struct hop		*h = arg;
	const char		*token = strrchr(natsMsg_GetSubject(m), '.');
	unsigned long		 i = strtoul(token + 1, NULL, 10);

	if (natsMsg_GetDataLength(m) < (int)sizeof(good) ||
	    memcmp(natsMsg_GetData(m), good, sizeof(good) - 1) != 0)
		h->refused = true;
	else if (i < HELD_MAX && h->source[i].open > 0) {
		h->open--;
		if (--h->source[i].open == 0)
			finish(h, (unsigned)i);
	}
	bus_msg_free(m);
}

/* Ids are made as those of the space are: the store keeps them. */
static int
copy(struct hop *h, unsigned i, const char *token, struct error *e)
{
	struct source	*s = &h->source[i];
	const char	*own = bus_header(s->msg, "Nats-Msg-Id");
	char		 subject[SUBJECT_MAX], id[SUBJECT_MAX];
	char		 reply[SUBJECT_MAX + 16];
	struct bus_pub	 p = { .subject = subject, .reply = reply,
			    .msg_id = id, .data = natsMsg_GetData(s->msg),
			    .len = (size_t)natsMsg_GetDataLength(s->msg) };

	snprintf(subject, sizeof(subject), "%s.%s", h->subject, token);
	if (own == NULL)
		return error_set(e, EX_DATAERR, "a message without an id");
	snprintf(id, sizeof(id), "%.*s:%s:1", (int)strcspn(own, ":"), own,
	    token);
	snprintf(reply, sizeof(reply), "%s.%u", h->acks, i);
	return bus_publish(h->bus, &p, e);
}

static int
copy_to_all(struct hop *h, unsigned i, struct error *e)
{
	struct source	*s = &h->source[i];
	unsigned	 k, n = h->n_tokens == 0 ? 1 : h->copies;
	uint64_t	 first = s->seq * n;

	s->open = n;
	h->open += n;
	if (h->n_tokens == 0)
		return copy(h, i, strrchr(natsMsg_GetSubject(s->msg), '.') + 1,
		    e);
	/* The same ones when it is delivered again. */
	for (k = 0; k < n; k++)
		if (copy(h, i, h->tokens[(first + k) % h->n_tokens], e) == -1)
			return -1;
	return 0;
}

static int
loop(struct hop *h, struct error *e)
{
	unsigned	i;

	while (bus_alive(h->bus) && !h->refused) {
		if (pull_tend(&h->pull, h->n_free, clock_ms() + PULL_MS, e) ==
		    -1)
			return -1;
		while (h->n_waiting > 0 && h->open < OPEN_MAX) {
			i = h->waiting[h->first];
			h->first = (h->first + 1) % HELD_MAX;
			h->n_waiting--;
			if (copy_to_all(h, i, e) == -1)
				return -1;
		}
		bus_turn(h->bus, NULL, 0, TURN_MS);
	}
	return error_set(e, EX_UNAVAILABLE, "%s", h->refused ?
	    "a copy was not stored" : bus_why(h->bus));
}

static int
run(struct hop *h, const char *stream, const char *durable, struct error *e)
{
	char		subject[SUBJECT_MAX + 2];
	unsigned	i;

	for (i = 0; i < HELD_MAX; i++)
		h->free[h->n_free++] = HELD_MAX - 1 - i;
	if (bus_inbox(h->bus, h->acks, sizeof(h->acks), "a") == -1)
		return error_set(e, EX_SOFTWARE, "inbox");
	snprintf(subject, sizeof(subject), "%s.*", h->acks);
	if (bus_subscribe(h->bus, subject, NULL, on_stored, h, e) == NULL ||
	    pull_start(&h->pull, h->bus, stream, durable, BATCH, on_source, h,
	    e) == -1)
		return -1;
	return loop(h, e);
}

/* Refused without a reason, one time in 256: libnats leaves out a signature
 * that begins with a zero byte.  The next one is another. */
static int
connect_broker(struct bus **b, const struct bus_conf *conf, struct error *e)
{
	int	tries, r;

	for (tries = 0; (r = bus_open(b, conf, e)) == -1 &&
	    e->code == EX_NOPERM && tries < TRIES; tries++)
		;
	return r;
}

int
main(int argc, char **argv)
{
	static struct hop	h;
	struct creds		creds;
	struct bus_conf		conf = { .creds = &creds, .name = "hop" };
	struct error		e;

	if (argc < 7) {
		fprintf(stderr, "usage: hop SERVERS CREDS STREAM DURABLE "
		    "SUBJECT COPIES [TOKEN...]\n");
		return EX_USAGE;
	}
	log_init("role=hop", LOG_LEVEL_WARN);
	conf.servers = argv[1];
	h.subject = argv[5];
	h.copies = (unsigned)strtoul(argv[6], NULL, 10);
	h.tokens = argv + 7;
	h.n_tokens = (unsigned)argc - 7;
	if (sodium_init() == -1)
		return EX_SOFTWARE;
	if (creds_load(&creds, argv[2], &e) == -1 ||
	    connect_broker(&h.bus, &conf, &e) == -1 ||
	    run(&h, argv[3], argv[4], &e) == -1)
		fprintf(stderr, "hop: %s\n", e.text);
	return e.code;
}
