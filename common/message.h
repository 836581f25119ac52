/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MESSAGE_H
#define REEVE_MESSAGE_H

#include "json.h"
#include "names.h"

/*
 * A message on the mesh (wire section 2; t/data/message.schema.json).  Read
 * as a view over its parsed text; what is copied on is the publisher's bytes.
 */
struct message {
	cJSON			*tree;		/* owns every string below */
	const char		*id;		/* at most MESSAGE_ID_MAX bytes,
						   no control characters */
	int64_t			 ts_ms;
	const char		*space;
	const char		*from_id;
	const char		*from_name;
	const char		*from_role;	/* NULL if none */
	const char		*channel;	/* exactly one of these three */
	const char		*to;
	const char		*to_service;
	struct json_strings	 mentions;
	const cJSON		*parts;
	const char		*reply_to;
	const char		*context_id;
};
#define MESSAGE_ID_MAX	256
/* So that an entry, and a dead letter around that, is still read. */
#define MESSAGE_DEPTH_MAX	60

/* Can it be a header's value: 1 to MESSAGE_ID_MAX bytes, no control
 * characters? */
bool	message_id_is_valid(const char *id);

/*
 * Parse and check a body by the schema; an optional field that is null counts
 * as absent.  0, or -1 with *e naming the path (EX_DATAERR): a permanent
 * fault of the message; EX_OSERR: out of memory.  Free with message_free also
 * after an error.
 */
int	message_parse(struct message *, const char *data, size_t len,
	    struct error *);
void	message_free(struct message *);

/*
 * Is it what its subject says?  from.id is the subject's sender, and for a
 * chat message `channel` is the subject's channel, for inst `to` its target,
 * for svc toService its role (as a token).  0, or -1 with *e.
 */
int	message_check(const struct message *, const struct subject *,
	    struct error *);

/* The text parts joined by newlines; malloc'd. */
char	*message_text(const struct message *);

/* What to say: the members of a message to be written. */
struct message_draft {
	const char	*id;		/* required */
	int64_t		 ts_ms;
	const char	*space;
	const char	*from_id, *from_name, *from_role;
	const char	*channel, *to, *to_service;	/* one of them */
	char *const	*mentions;	/* already normalized */
	size_t		 n_mentions;
	const char	*text;		/* one text part; or */
	const cJSON	*data;		/* one data part */
	const char	*reply_to, *context_id;
};

/* The body, malloc'd; NULL when out of memory. */
char	*message_write(const struct message_draft *);

/* A random UUID (version 4) into buf of at least 37 bytes. */
void	message_new_id(char *buf);

#endif
