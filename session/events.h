/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSION_EVENTS_H
#define REEVE_SESSION_EVENTS_H

#include <stdbool.h>

#include <cjson/cJSON.h>

struct session;

/*
 * What the host's hooks say of a session (agents.md, "Hook"):
 *
 *	SessionStart		its model, unless pinned; idle, open; answered
 *				with a briefing and what is unread
 *	UserPromptSubmit	working; answered with what is unread
 *	PreToolUse		working
 *	Notification		waiting, and what for
 *	Stop, StopFailure	idle; woken when something is pending
 *	SessionEnd		offline
 *
 * All others change nothing.
 */
struct events;

/* NULL: out of memory.  _free: NULL is fine. */
struct events *events_new(struct session *);
void	events_free(struct events *);
/* The answer to an event: malloc'd JSON on a line; NULL: nothing is to be
 * said. */
char	*events_run(struct events *, const cJSON *event);
/* Was the last answer given?  What it showed is settled then, and else stays
 * unread. */
void	events_given(struct events *, bool whole);

#endif
