/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "gauge.h"
#include "jetstream.h"

#define LOOK_MS		5
#define STUCK_US	10000000

int
gauge_init(struct gauge *g, struct bus *b, const char *stream,
    struct error *e)
{
	struct js_stream	now;

	g->bus = b;
	g->stream = stream;
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

int
gauge_rate(const struct gauge *g, uint64_t n, double *per_s,
    struct error *e)
{
	struct js_stream	now;
	uint64_t		stored = 0, first = 0, last = 0;
	int64_t			us, first_us = 0, moved_us = clock_us();

	for (;;) {
		if (js_stream_info(g->bus, g->stream, &now, e) == -1)
			return -1;
		us = clock_us();
		stored = now.last_seq - g->base_seq;
		if (stored != last)
			moved_us = us;
		last = stored;
		if (stored > 0 && first == 0) {
			first = stored;
			first_us = us;
		}
		if (stored >= n)
			break;
		if (us - moved_us > STUCK_US)
			return error_set(e, EX_TEMPFAIL, "%s: stuck at %llu "
			    "of %llu copies", g->stream,
			    (unsigned long long)stored,
			    (unsigned long long)n);
		rest(g->bus, us + LOOK_MS * 1000);
	}
	if (stored > n || first == n)
		return error_set(e, EX_DATAERR, "%s: %llu copies instead of "
		    "%llu, %llu at the first look", g->stream,
		    (unsigned long long)stored, (unsigned long long)n,
		    (unsigned long long)first);
	*per_s = (double)(stored - first) * 1e6 / (double)(us - first_us);
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
