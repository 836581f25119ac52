/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

const char *const memory_roles[MEMORY_ROLES] = { "broker", "reeved", "lease",
	"fanout", "reader", "control" };

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
	size_t	i;
	pid_t	pid;

	for (i = 0; i < MEMORY_ROLES; i++)
		if (stage_pid(s, memory_roles[i], &pid, e) == -1 ||
		    pss_of(pid, &result->kb[i], e) == -1)
			return -1;
	return 0;
}

long
memory_total_kb(const struct memory_result *r)
{
	long	total = 0;
	size_t	i;

	for (i = MEMORY_OURS; i < MEMORY_ROLES; i++)
		total += r->kb[i];
	return total;
}
