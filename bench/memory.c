/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

/* The "Pss:" of a process: what is shared counts by its share. */
static int
pss_of(pid_t pid, long *kb, struct error *e)
{
	char	 path[64], line[128];
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return error_errno(e, EX_NOINPUT, "%s", path);
	*kb = -1;
	while (*kb == -1 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "Pss:", 4) == 0)
			*kb = strtol(line + 4, NULL, 10);
	fclose(f);
	return *kb == -1 ? error_set(e, EX_DATAERR, "%s: no Pss", path) : 0;
}

int
measure_memory(const struct stage *s, struct memory_result *result,
    struct error *e)
{
	const struct {
		const char	*role;
		long		*kb;
	}	all[] = {
		{ "broker", &result->broker_kb },
		{ "lease", &result->lease_kb },
		{ "fanout", &result->fanout_kb },
		{ "reader", &result->reader_kb },
		{ "control", &result->control_kb },
		{ "reeved", &result->reeved_kb },
	};
	size_t	i;
	pid_t	pid;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (stage_pid(s, all[i].role, &pid, e) == -1 ||
		    pss_of(pid, all[i].kb, e) == -1)
			return -1;
	return 0;
}

long
memory_total_kb(const struct memory_result *r)
{
	return r->lease_kb + r->fanout_kb + r->reader_kb + r->control_kb +
	    r->reeved_kb;
}
