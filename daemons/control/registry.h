/* SPDX-License-Identifier: ISC */
#ifndef REEVE_REGISTRY_H
#define REEVE_REGISTRY_H

#include "control.h"
#include "records.h"

/*
 * Writes to the members bucket, each a compare-and-set by the contract's
 * rules (wire section 4: commit, tombstone, activate).
 */
struct registered {
	struct membership	 m;
	char			*text;		/* as stored */
	size_t			 len;
	uint64_t		 revision;	/* of the record or its marker */
	bool			 exists;
};

/* 0 also when there is none (exists false).  Free with registered_free. */
int	registry_read(struct control *, const char *channel,
	    const char *owner, struct registered *, struct error *);
void	registered_free(struct registered *);

/* Outcomes of a write. */
enum written {
	WRITTEN,
	WRITE_SUPERSEDED,	/* the record is another one by now */
	WRITE_FAILED,		/* *e */
};

/*
 * Put r->m in the place of what registry_read found, by its revision; the
 * record's new revision is kept in r.  A lost race is WRITE_SUPERSEDED: read
 * again and decide again.
 */
enum written registry_write(struct control *, struct registered *,
	    struct error *);
/*
 * Close the membership of this generation at leave_seq; a no-op when it is
 * closed at or below it.  Up to 5 tries on a lost race.
 */
enum written registry_tombstone(struct control *, const char *channel,
	    const char *owner, uint64_t generation, uint64_t leave_seq,
	    struct error *);
/* Set activated on exactly this open pending join. */
enum written registry_activate(struct control *, const char *channel,
	    const char *owner, uint64_t generation, uint64_t join_seq,
	    struct error *);

#define REGISTRY_TRIES	5

#endif
