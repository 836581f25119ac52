/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "gauge.h"
#include "jetstream.h"

#define LOOK_MS		5
#define STUCK_US	10000000

int
gauge_init(struct gauge *g, struct bus *b, const char *stream, uint64_t n,
    struct error *e)
{
	struct js_stream	now;

	memset(g, 0, sizeof(*g));
	g->bus = b;
	g->stream = stream;
	g->n = n;
	if (js_stream_info(b, stream, &now, e) == -1)
		return -1;
	g->base_seq = now.last_seq;
	return 0;
}

/* Wait a while; messages for nobody may end one turn early. */
static void
rest(struct bus *b, int64_t until_us)
{
	int64_t	left;

	while (bus_alive(b) && (left = until_us - clock_us()) > 0)
		bus_turn(b, NULL, 0, (left + 999) / 1000);
}

/* Look until there are more than `than` copies. */
static int
look(struct gauge *g, uint64_t than, uint64_t *stored, int64_t *us,
    struct error *e)
{
	struct js_stream	now;
	int64_t			start_us = clock_us();

	for (;;) {
		/* A broker with much to do may answer late. */
		if (js_stream_info(g->bus, g->stream, &now, e) == -1) {
			if (e->code != EX_TEMPFAIL || !bus_alive(g->bus))
				return -1;
			now.last_seq = g->base_seq;
		}
		*us = clock_us();
		*stored = now.last_seq - g->base_seq;
		if (*stored > than)
			return 0;
		if (*us - start_us > STUCK_US)
			return error_set(e, EX_TEMPFAIL, "%s: stuck at %llu "
			    "of %llu copies", g->stream,
			    (unsigned long long)*stored,
			    (unsigned long long)g->n);
		rest(g->bus, *us + LOOK_MS * 1000);
	}
}

int
gauge_begin(struct gauge *g, struct error *e)
{
	return look(g, 0, &g->first, &g->first_us, e);
}

int
gauge_rate(struct gauge *g, double *per_s, struct error *e)
{
	uint64_t	stored = g->first;
	int64_t		us = g->first_us;

	while (stored < g->n) {
		rest(g->bus, us + LOOK_MS * 1000);
		if (look(g, stored, &stored, &us, e) == -1)
			return -1;
	}
	if (stored > g->n || g->first == g->n)
		return error_set(e, EX_DATAERR, "%s: %llu copies instead of "
		    "%llu, %llu at the first look", g->stream,
		    (unsigned long long)stored, (unsigned long long)g->n,
		    (unsigned long long)g->first);
	*per_s = (double)(stored - g->first) * 1e6 /
	    (double)(us - g->first_us);
	return 0;
}

static int
by_value(const void *a, const void *b)
{
	double	x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double
quantile(double *v, size_t n, double q)
{
	double	at = q * (double)(n - 1);
	size_t	i = (size_t)at;

	qsort(v, n, sizeof(*v), by_value);
	if (i + 1 >= n)
		return v[n - 1];
	return v[i] + (v[i + 1] - v[i]) * (at - (double)i);
}
