/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSION_ATTENTION_H
#define REEVE_SESSION_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "endpoint.h"
#include "map.h"
#include "strlist.h"

struct session;

/*
 * What of the messages that come may reach a session, and what wakes it.
 *
 *	open	everything is given, and wakes
 *	dnd	everything is given; chatter does not wake, a mention does
 *	focus	direct messages and anycast are given; chatter is held until
 *		it is recalled, a mention in it wakes
 *
 * and before that, by channel:
 *
 *	quiet	given in any mode, wakes by a mention only
 *	muted	thrown away, mentions too
 *
 * Direct messages and anycast are given and wake whatever is set.  Nothing is
 * decided for good when a message comes: it is judged again by what is set
 * when it is asked for, so that leaving focus needs no step of its own.
 */
enum attention_mode { ATTENTION_OPEN, ATTENTION_DND, ATTENTION_FOCUS };
extern const char *const attention_names[];	/* by mode, then NULL */

enum channel_mode { CHANNEL_NORMAL, CHANNEL_QUIET, CHANNEL_MUTED };
extern const char *const channel_mode_names[];	/* by mode, then NULL */

struct attention {
	enum attention_mode	 mode;
	uint64_t		 frontier_seq;	/* of CHAT, on entering focus */
	bool			 frontier_known;
	char			*name;		/* by which it is mentioned */
	struct map		*channels;	/* those that are not normal */
};

enum fate {
	FATE_GIVE,	/* may be shown to the session */
	FATE_HOLD,	/* waits for a recall, or for the end of focus */
	FATE_DROP,	/* is settled unseen */
};

struct judgement {
	enum fate	fate;
	bool		wakes;
	bool		mentioned;
};

/* Of one who is mentioned by this name (copied; "": nobody does), open, no
 * channel other than normal.  NULL: out of memory. */
struct attention *attention_make(const char *name);
/* Of a session: its name, its quiet and muted channels, all of it in its
 * presence. */
struct attention *attention_new(struct session *);
/* NULL is fine. */
void	attention_free(struct attention *);

struct judgement attention_judge(const struct attention *,
	    const struct delivery *);

bool	attention_mentions(const struct attention *, const struct message *);

/* By name, -1: there is none of that name. */
int	attention_by_name(const char *, enum attention_mode *);
int	channel_mode_by_name(const char *, enum channel_mode *);
/* To another mode.  Entering focus forgets the frontier of the last time;
 * attention_frontier brings the new one, and moves it on, never back; it does
 * nothing when focus was left meanwhile. */
void	attention_set(struct attention *, enum attention_mode);
void	attention_frontier(struct attention *, uint64_t seq);

/* Of a session: what is set, into its presence. */
void	attention_mirror(struct session *);

enum channel_mode attention_channel(const struct attention *,
	    const char *channel);
/*
 * Only concrete channels inside allow (an allowSubscribe; NULL: it is not
 * known, any).  EX_USAGE: no channel, or a pattern; EX_NOPERM: outside;
 * EX_OSERR.
 */
int	attention_set_channel(struct attention *, const char *channel,
	    enum channel_mode, const struct strlist *allow, struct error *);
/* {channel: "quiet"|"muted"} for the presence; the caller's, may be empty.
 * NULL: out of memory. */
cJSON	*attention_modes(const struct attention *);

#endif
