/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "pull.h"

#define EXPIRES_MS	30000
#define EXPIRES_LEAST_MS 100
#define HEARTBEAT_MS	500
#define BYTES_MAX	(8 * 1024 * 1024)	/* a request brings */
#define SILENT_MS	1600		/* three heartbeats missed */

static void	on_message(void *, natsMsg *);

int
pull_start(struct pull *p, struct bus *b, const char *stream,
    const char *consumer, unsigned batch, pull_fn *fn, void *arg,
    struct error *e)
{
	memset(p, 0, sizeof(*p));
	p->bus = b;
	p->batch = batch;
	p->fn = fn;
	p->arg = arg;
	snprintf(p->stream, sizeof(p->stream), "%s", stream);
	snprintf(p->consumer, sizeof(p->consumer), "%s", consumer);
	bus_inbox(b, p->inbox, sizeof(p->inbox), "p");
	p->sub = bus_subscribe(b, p->inbox, NULL, on_message, p, e);
	p->heard_ms = clock_ms();
	return p->sub == NULL ? -1 : 0;
}

void
pull_stop(struct pull *p)
{
	if (p->sub != NULL)
		bus_unsubscribe(p->bus, p->sub);
	p->sub = NULL;
	p->asked = 0;
}

static void
give_up(struct pull *p, natsMsg *m)
{
	const char	*left = bus_header(m, "Nats-Pending-Messages");
	unsigned	 n = left == NULL ? p->batch :
			    (unsigned)strtoul(left, NULL, 10);

	p->asked -= n < p->asked ? n : p->asked;
}

static void
status(struct pull *p, int code, natsMsg *m)
{
	const char	*text = bus_header(m, "Description");

	switch (code) {
	case 100:			/* heartbeat */
		break;
	case 404:
	case 408:			/* expired */
		give_up(p, m);
		break;
	case 503:
		p->gone = true;
		break;
	case 409:
		if (text != NULL && strstr(text, "Deleted") != NULL)
			p->gone = true;
		/* FALLTHROUGH */
	default:
		log_debug("pull ended", "consumer=%s status=%d text=%s",
		    p->consumer, code, log_str(text));
		give_up(p, m);
	}
}

static void
on_message(void *arg, natsMsg *m)
{
	struct pull		*p = arg;
	struct js_delivery	 d;
	int			 code = bus_status(m);

	p->heard_ms = clock_ms();
	if (code != 0)
		status(p, code, m);
	else if (js_delivery_parse(&d, natsMsg_GetReply(m), p->stream,
	    p->consumer)) {
		p->asked -= p->asked > 0;
		p->fn(p->arg, m, &d);
		return;
	}
	bus_msg_free(m);
}

static int
ask(struct pull *p, unsigned n, int64_t expires_ms, struct error *e)
{
	char		 subject[SUBJECT_MAX], body[160], heartbeat[64] = "";
	size_t		 bytes = 2 * bus_max_payload(p->bus);
	struct bus_pub	 pub = { .subject = subject, .reply = p->inbox,
			    .data = body };

	/* The server refuses a heartbeat over half of what is asked for. */
	if (expires_ms > 2 * HEARTBEAT_MS)
		snprintf(heartbeat, sizeof(heartbeat),
		    ",\"idle_heartbeat\":%lld", HEARTBEAT_MS * 1000000LL);
	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT.%s.%s",
	    p->stream, p->consumer);
	/* Any one message must fit. */
	if (bytes < BYTES_MAX)
		bytes = BYTES_MAX;
	snprintf(body, sizeof(body), "{\"batch\":%u,\"expires\":%lld,"
	    "\"max_bytes\":%zu%s}", n, (long long)expires_ms * 1000000,
	    bytes, heartbeat);
	pub.len = strlen(body);
	if (bus_publish(p->bus, &pub, e) == -1)
		return -1;
	p->asked += n;
	p->expires_ms = clock_ms() + expires_ms;
	return 0;
}

/* What was asked for is lost: the broker was restarted, the consumer moved. */
static int
restart(struct pull *p, struct error *e)
{
	pull_stop(p);
	bus_inbox(p->bus, p->inbox, sizeof(p->inbox), "p");
	p->sub = bus_subscribe(p->bus, p->inbox, NULL, on_message, p, e);
	p->heard_ms = clock_ms();
	return p->sub == NULL ? -1 : 0;
}

int
pull_tend(struct pull *p, unsigned room, int64_t until_ms, struct error *e)
{
	int64_t		now = clock_ms(), expires = until_ms - now;
	unsigned	n = p->batch;

	if (p->sub == NULL)
		return 0;
	if (p->asked > 0 && (now - p->heard_ms > SILENT_MS ||
	    now > p->expires_ms + SILENT_MS) && restart(p, e) == -1)
		return -1;
	if (expires > EXPIRES_MS)
		expires = EXPIRES_MS;
	if (expires < EXPIRES_LEAST_MS || p->asked > p->batch)
		return 0;
	if (p->asked >= room)
		return 0;
	if (n > room - p->asked)
		n = room - p->asked;
	/* No dribble of tiny requests while the room is nearly full. */
	if (n < p->batch && p->asked > 0)
		return 0;
	if (p->asked == 0)
		p->heard_ms = now;
	return ask(p, n, expires, e);
}
