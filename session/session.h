/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSION_H
#define REEVE_SESSION_H

#include "endpoint.h"
#include "mcp.h"
#include "sessionconf.h"

struct attention;
struct events;
struct hooksock;
struct inbox;
struct transcript;

/*
 * A session of an agent: the mesh (endpoint.h) on one side, the host's model
 * (mcp.h) and its hooks (hooksock.h) on the other.  One loop, session_run, one
 * thread, and nothing in it waits.
 *
 * What a tool or an event is given.  Off the mesh there is no endpoint.
 */
struct session {
	struct session_conf	 conf;
	struct mcp		*mcp;
	struct endpoint		*ep;		/* NULL: off the mesh */
	struct error		 link;		/* why it is not up; code 0 */
	bool			 was_up;	/* once */
	int64_t			 down_ms;	/* since when, clock_ms */
	struct attention	*attention;	/* what wakes */
	struct inbox		*inbox;		/* what is to be read */
	struct events		*events;	/* what the host's hooks say */
	struct transcript	*transcript;	/* what is said in it */
	struct hooksock		*hooks;		/* NULL: no control socket */
	int64_t			 hooks_ms;	/* try again for it then; or 0 */
	struct mcp_call		*reconnecting;	/* waits for the link; NULL */
	int64_t			 reconnect_ms;	/* not longer than that */
	bool			 stop;		/* leave, and end */
};

/*
 * What session.c asks of its parts; each is declared in the part's header.
 *
 *	struct attention *attention_new(struct session *);	_free
 *	struct inbox	*inbox_new(struct session *);		_free
 *	void	 inbox_message(struct inbox *, struct delivery *);	takes it
 *	struct events	*events_new(struct session *);		_free
 *	int	 hooksock_new(struct hooksock **, struct session *,
 *		    struct error *);				_free
 *	size_t	 hooksock_fds(const struct hooksock *, struct pollfd *v,
 *		    size_t max);	at most HOOKSOCK_FDS of them
 *	void	 hooksock_serve(struct hooksock *, const struct pollfd *v,
 *		    size_t n);		after each turn, also for its timers
 *
 * _new gives NULL when out of memory; of _free NULL is fine.
 */

/*
 * Serve stdin and stdout until the client goes, a signal or a hook ends it.
 * handshake: only versions of the protocol that begin with initialize.
 * 0: it left as it should; -1 with *e.
 */
int	session_run(bool handshake, struct error *);

/*
 * Is the mesh there now?  False having answered the call: it is off the mesh
 * and what to set, or not connected yet, why, and that it is tried.
 */
bool	session_is_up(struct session *, struct mcp_call *);

/*
 * Wake the model: notifications/claude/channel, content (copied) and meta
 * {name: text} (taken; NULL: none).  Waits until the client has initialized.
 * Without conf.channel nothing is done.
 */
void	session_wake(struct session *, const char *content, cJSON *meta);

#endif
