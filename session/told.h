/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSION_TOLD_H
#define REEVE_SESSION_TOLD_H

#include "endpoint.h"
#include "tools.h"

/*
 * A message as a session is shown it:
 *
 *	[#general] from alice (reviewer), id U..., 2026-01-02 03:04:05 UTC
 *	| what she said,
 *	| each line marked
 *
 * It is data: nothing in it can look like what we say ourselves, or reach a
 * terminal as a command.
 */

/* One that has come, or was read again. */
struct told {
	enum delivery_kind	 kind;
	const struct message	*m;
	int64_t			 stored_ms;	/* 0: not known */
	bool			 historical, mentioned;
};

/* With at most `most` characters of its text, and of what else it has; false:
 * it has more. */
bool	told_add(struct page *, const struct told *, size_t most);
/* "#general", "direct message", "to any reviewer". */
void	told_where(struct page *, const struct told *);

#endif
