/* SPDX-License-Identifier: ISC */
#include "clock.h"
#include "measure.h"

#define SETTLE_S	2	/* after a burst memory is given back */

static void
rest(struct stage *s, int64_t ms)
{
	int64_t	until_ms = clock_ms() + ms;

	while (bus_alive(s->bus) && clock_ms() < until_ms)
		bus_turn(s->bus, NULL, 0, until_ms - clock_ms());
}

static int
spent(const struct stage *s, double us[IDLE_ROLES], struct error *e)
{
	size_t	i;

	for (i = 0; i < IDLE_ROLES; i++)
		if (cost_of(s, idle_roles[i], &us[i], e) == -1)
			return -1;
	return 0;
}

const char *const idle_roles[IDLE_ROLES] = { "lease", "fanout", "reader",
	"control", "reeved" };

int
measure_idle(struct stage *s, struct idle_result *result, struct error *e)
{
	double	before[IDLE_ROLES], after[IDLE_ROLES];
	size_t	i;

	rest(s, SETTLE_S * 1000);
	if (spent(s, before, e) == -1)
		return -1;
	rest(s, IDLE_S * 1000);
	if (spent(s, after, e) == -1)
		return -1;
	result->total_pct = 0;
	for (i = 0; i < IDLE_ROLES; i++) {
		result->pct[i] = (after[i] - before[i]) / (IDLE_S * 1e4);
		result->total_pct += result->pct[i];
	}
	return 0;
}
