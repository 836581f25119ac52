/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CLOCK_H
#define REEVE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_BOOTTIME in ms: goes on in suspend, never steps.  All deadlines and
 * the lease's validity are on it. */
static inline int64_t
clock_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline int64_t
clock_us(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Epoch ms: for what people and other hosts read, never for a decision. */
static inline int64_t
clock_epoch_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif
