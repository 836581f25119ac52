/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "pour.h"

#define OPEN_MAX	512
#define STORED_MS	20000
#define TURN_MS		200

static void
on_stored(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	static const char	 good[] = "{\"stream\"";
	struct pour		*p = arg;
	int			 n = 0;

	p->open--;
	if (outcome == BUS_OK && (n = natsMsg_GetDataLength(reply)) >=
	    (int)sizeof(good) && memcmp(natsMsg_GetData(reply), good,
	    sizeof(good) - 1) == 0)
		return;
	if (!p->failed)
		snprintf(p->why, sizeof(p->why), "%.*s", outcome == BUS_OK ?
		    n : 9, outcome == BUS_OK ? natsMsg_GetData(reply) :
		    "no answer");
	p->failed = true;
}

static int
await(struct pour *p, unsigned most, struct error *e)
{
	while (p->open > most && bus_alive(p->bus))
		bus_turn(p->bus, NULL, 0, TURN_MS);
	if (!bus_alive(p->bus))
		return error_set(e, EX_UNAVAILABLE, "%s", bus_why(p->bus));
	return p->failed ? error_set(e, EX_UNAVAILABLE, "not stored: %s",
	    p->why) : 0;
}

int
pour_put(struct pour *p, const struct bus_pub *pub, struct error *e)
{
	if (await(p, OPEN_MAX - 1, e) == -1 || bus_request(p->bus, pub,
	    STORED_MS, on_stored, p, e) == -1)
		return -1;
	p->open++;
	return 0;
}

int
pour_end(struct pour *p, struct error *e)
{
	return await(p, 0, e);
}
