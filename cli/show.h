/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SHOW_H
#define REEVE_SHOW_H

#include "message.h"

/* A message as `reeve listen` and `reeve history` print it. */
enum shown_kind { SHOWN_CHANNEL, SHOWN_DM, SHOWN_ANYCAST };

struct shown {
	enum shown_kind		 kind;
	const struct message	*m;
	const char		*data;		/* its bytes */
	size_t			 len;
	bool			 durable;
	uint64_t		 seq;		/* of its stream; 0: none */
	int64_t			 stored_ms;	/* 0: say no time */
};

/*
 * One message to stdout, flushed.  Plain: `[channel] name: text`; as JSON one
 * line {kind, channel?, from{id,name}, id, text, durable, seq?, ts?, msg}.
 * -1 when it could not be written.
 */
int	show_message(const struct shown *, bool json);

#endif
