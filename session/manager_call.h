/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_CALL_H
#define REEVE_MANAGER_CALL_H

#include "tools.h"

/*
 * Ask the manager of the space (reeve-manager(8)) on ctl.<service>, and answer
 * the call: with what `said` makes of the answer, or with what went wrong and
 * what can be done.  args is taken; NULL: out of memory.
 */
typedef void	manager_said_fn(struct page *, const cJSON *data);
void	manager_call(struct session *, struct mcp_call *, const char *service,
	    const char *op, cJSON *args, manager_said_fn *);
/* {names[i]: what the tool was given by that name}, those that it was. */
cJSON	*manager_args(const cJSON *args, const char *const *names);
/* A member of data that is a text, shown; otherwise "?". */
void	page_member(struct page *, const cJSON *data, const char *name);

#endif
