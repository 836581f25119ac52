/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <time.h>

#include "cost.h"

int
cost_of_pid(pid_t pid, double *us, struct error *e)
{
	struct timespec	ts;
	clockid_t	clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &ts) == -1)
		return error_set(e, EX_OSERR, "cannot read the processor time "
		    "of %d", (int)pid);
	*us = (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
	return 0;
}

static int
spent_us(const struct stage *s, const char *service, double *us,
    struct error *e)
{
	pid_t	pid;

	return stage_pid(s, service, &pid, e) == -1 ? -1 :
	    cost_of_pid(pid, us, e);
}

int
cost_of(const struct stage *s, const char *role, double *us, struct error *e)
{
	char		name[64];
	double		one;
	unsigned	i;

	if (strcmp(role, "broker") == 0 || strcmp(role, "reeved") == 0)
		return spent_us(s, role, us, e);
	*us = 0;
	for (i = 0; i < s->shards; i++) {
		stage_service(s, role, i, name, sizeof(name));
		if (spent_us(s, name, &one, e) == -1)
			return -1;
		*us += one;
	}
	return 0;
}

int
cost_begin(struct cost *c, const struct stage *s, struct error *e)
{
	if (cost_of(s, "broker", &c->broker_us, e) == -1 ||
	    cost_of(s, "fanout", &c->fanout_us, e) == -1)
		return -1;
	return cost_of(s, "reader", &c->reader_us, e);
}

int
cost_end(struct cost *c, const struct stage *s, double n, struct error *e)
{
	struct cost	now;

	if (cost_begin(&now, s, e) == -1)
		return -1;
	c->broker_us = (now.broker_us - c->broker_us) / n;
	c->fanout_us = (now.fanout_us - c->fanout_us) / n;
	c->reader_us = (now.reader_us - c->reader_us) / n;
	return 0;
}
