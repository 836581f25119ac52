/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_HOST_H
#define REEVE_T_HOST_H

#include <sys/types.h>

#include <cjson/cJSON.h>

#include "space.h"

/*
 * What a coding agent's host does with `reeve mcp`: it runs it, calls its
 * tools, hears its wakes, and runs the hook at the steps of a session.
 */
struct harness {
	struct space	*space;
	const struct agent *agent;
	pid_t		 pid;
	int		 in, out;
	char		*buf;		/* what was said and not yet read */
	size_t		 len, cap;
	unsigned	 calls;
	char		*wakes[64];	/* their contents, as they came */
	size_t		 n_wakes;
	char		 meta[1024];	/* of the last wake, as JSON */
	char		 socket[100];
	char		 answer[262144];	/* the last call's text, or the
						   last hook's output */
	bool		 failed;	/* the last call was an error */
};

/* A session of this agent, whose channels are a comma list, on the mesh when
 * it returns; more: "NAME=VALUE", then NULL, of its environment. */
struct harness *host_start(const struct agent *, const char *channels,
	    const char *more);
/* The text of a tool's answer.  args: JSON. */
const char *host_call(struct harness *, const char *tool, const char *args);
/* What cotal_inbox gives. */
const char *host_inbox(struct harness *);
/* What the hook prints for this event. */
const char *host_hook(struct harness *, const char *event);
/* Say it to the control socket as it is; the answer, "" for none. */
const char *host_control(struct harness *, const char *line);
/* Take in what it says unasked; how many wakes there were. */
size_t	host_wakes(struct harness *);
/* Its stdin ends: it leaves the mesh.  Its exit status of wait(2). */
int	host_end(struct harness *);
/* It is killed. */
void	host_kill(struct harness *);
/* How often text is in s. */
unsigned times_in(const char *s, const char *text);

#endif
