/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CHILD_H
#define REEVE_CHILD_H

#include "service.h"

/*
 * What a child does from the fork to its exec.
 *
 * It gets the service directory as working directory, a session and process
 * group of its own, stdin from /dev/null (a log: from the pipe), stdout to the
 * pipe where there is a log, and of reeved's descriptors none.
 */

/* What it needs to know, gathered before the fork. */
struct child_plan {
	const struct service	*sv;
	enum service_program	 program;
	int			 notify_as;	/* GIVEN_NOTIFY's number in run */
	int			 status;	/* of run, for finish */
};

/*
 * It shares reeved's table of descriptors, and leaves that before all else; it
 * waits for a byte on GIVEN_GO, says by one that it has left, and becomes the
 * program.  What goes wrong is logged, and ends it with EXIT_CANNOT_RUN.
 */
_Noreturn void	child_run(const struct child_plan *);

#endif
