/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CLI_MEMORY_H
#define REEVE_CLI_MEMORY_H

#include "cli.h"
#include "memslot.h"
#include "peers.h"

/*
 * Run a program of the memory slot once for each agentic one of these
 * runtimes of a peer.  Each outcome is added to list as an object {peer,
 * runtime, state, exit, ms, detail}; a peer with no agentic runtime is one,
 * too.  How many did not go well; -1: out of memory.
 */
int	memory_wire(const struct config *, const struct memslot_block *,
	    const struct resident *, const struct strlist *runtimes,
	    enum memslot_occasion, cJSON *list);
/* A line of such an object: "claude ok", "claude failed (exit 3): ...". */
void	memory_say(FILE *, const cJSON *outcome);

#endif
