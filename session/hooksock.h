/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSION_HOOKSOCK_H
#define REEVE_SESSION_HOOKSOCK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "error.h"

struct session;

/*
 * The control socket of a session (agents.md, "Control socket"): who has its
 * token hands over one line, is answered with one line, and is hung up on.
 *
 *	{"token":"...","event":{...}}		what the host's hook was given
 *	{"token":"...","op":"shutdown"}		leave the mesh, and end
 *
 * Anybody else is hung up on without a word: a wrong token, another user, no
 * JSON, over HOOKSOCK_LINE_MAX bytes, no whole line after HOOKSOCK_MS.  There
 * are at most HOOKSOCK_CLIENTS at once; the oldest makes room.
 */
#define HOOKSOCK_LINE_MAX	(1024 * 1024)
#define HOOKSOCK_MS		5000
#define HOOKSOCK_CLIENTS	16
#define HOOKSOCK_FDS		1

struct hooksock;

struct hooksock_ops {
	/* The answer to an event: a line without its end, malloc'd; NULL: {}.
	 * event is a view. */
	char	*(*event)(void *arg, const cJSON *event);
	/* After each event: was that answer given, whole? */
	void	 (*given)(void *arg, bool whole);
	void	 (*shutdown)(void *arg);
};

/*
 * Listen at path, for this user alone.  A socket that is there already is
 * replaced if it is this user's and nobody listens.  EX_UNAVAILABLE: somebody
 * does; EX_NOPERM: the directory is not this user's alone, or what is there is
 * no socket of his; EX_CONFIG: too long a path; EX_OSERR.
 */
int	hooksock_open(struct hooksock **, const char *path, const char *token,
	    const struct hooksock_ops *, void *arg, struct error *);
/* Of a session, for its events.  NULL in *hs and 0: its environment names
 * none. */
int	hooksock_new(struct hooksock **, struct session *, struct error *);
/* Removes the socket, if it is still the one that was made.  NULL is fine. */
void	hooksock_free(struct hooksock *);

/* What to wait for, at most HOOKSOCK_FDS; and what to do then, which is
 * harmless at any time. */
size_t	hooksock_fds(const struct hooksock *, struct pollfd *v, size_t max);
void	hooksock_serve(struct hooksock *, const struct pollfd *v, size_t n);

#endif
