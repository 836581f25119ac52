/* SPDX-License-Identifier: ISC */
#ifndef REEVE_HOOKS_H
#define REEVE_HOOKS_H

#include <cjson/cJSON.h>

/*
 * What a coding agent's host is told of our hook (agents.md, "Hook"): which
 * program it runs at which steps of a session.
 */
#define HOOK_NAME	"reeve-hook"
#define HOOK_S		5	/* for the host; it ends by itself after two */

/* Those of claude, NULL-terminated. */
extern const char *const hooks_claude[];

/* A program's path as a word of a shell's: in quotes unless it is plain.
 * malloc'd; NULL: out of memory. */
char	*hooks_command(const char *path);
/* One step's entry, {"matcher"?, "hooks":[{type, command, timeout}]}; the
 * caller's.  NULL: out of memory. */
cJSON	*hooks_group(const char *step, const char *command);
/* Settings of claude's with ours and no other, {"hooks":{STEP:[group]}}; the
 * caller's.  NULL: out of memory. */
cJSON	*hooks_settings(const char *path);

#endif
