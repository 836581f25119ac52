/* SPDX-License-Identifier: ISC */
#include "clock.h"
#include "measure.h"

int
measure_start(struct stage *s, const char *role, double *ms, struct error *e)
{
	int64_t	start_us;

	if (stage_role(s, "stop", role, e) == -1)
		return -1;
	start_us = clock_us();
	/* Returns when the supervisor was told that it is ready. */
	if (stage_role(s, "start", role, e) == -1)
		return -1;
	*ms = (double)(clock_us() - start_us) / 1000;
	return stage_await_ready(s, e);
}
