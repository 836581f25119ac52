/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cost.h"

/* Processor time of a process until now, in us: to a hundredth of a second. */
static int
spent_us(const struct stage *s, const char *role, double *us, struct error *e)
{
	char		 path[64], line[1024], *p;
	unsigned long	 user, system;
	FILE		*f;
	size_t		 n;
	pid_t		 pid;

	if (stage_pid(s, role, &pid, e) == -1)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return error_errno(e, EX_NOINPUT, "%s", path);
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	/* The name, in parentheses, may hold anything. */
	if ((p = strrchr(line, ')')) == NULL || sscanf(p + 1, " %*c %*d %*d "
	    "%*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return error_set(e, EX_DATAERR, "%s: no times", path);
	*us = (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
	return 0;
}

/* The same of a role's processes of all shards. */
static int
role_us(const struct stage *s, const char *role, double *us, struct error *e)
{
	char		name[64];
	double		one;
	unsigned	i;

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
	if (spent_us(s, "broker", &c->broker_us, e) == -1 ||
	    role_us(s, "reader", &c->reader_us, e) == -1)
		return -1;
	return 0;
}

int
cost_end(struct cost *c, const struct stage *s, struct error *e)
{
	double	broker, reader;

	if (spent_us(s, "broker", &broker, e) == -1 ||
	    role_us(s, "reader", &reader, e) == -1 ||
	    role_us(s, "fanout", &c->fanout_us, e) == -1)
		return -1;
	c->broker_us = broker - c->broker_us;
	c->reader_us = reader - c->reader_us;
	return 0;
}
