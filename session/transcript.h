/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SESSION_TRANSCRIPT_H
#define REEVE_SESSION_TRANSCRIPT_H

#include <stddef.h>

#include <cjson/cJSON.h>

struct session;

/*
 * What is said in a session, on the channel tr-<name> (agents.md,
 * "Transcript"): with COTAL_TRANSCRIPT, where that is inside allowPublish.
 *
 * The host's hook events name a file, transcript_path, to which it appends a
 * JSON object a line.  What is appended from the session's start onwards is
 * read, whole lines only, after each event and for TRANSCRIPT_FOLLOW_MS (the
 * host may write later than it runs its hook), and what the user and the model
 * said in it goes out, in order, a message a line of the file.
 *
 * A file that was there before is read from its end, as it is when it is named
 * after another; one that was made since the last event, or the session's
 * start, from its beginning, but for lines that say that they are older than
 * the session (one that is taken up again is copied into a new file).  One that
 * is shorter than it was goes on at its end.
 *
 * Without a link nothing is read, and what is under way goes again when there
 * is one.
 */
#define TRANSCRIPT_LINE_MAX	(1024 * 1024)	/* longer ones are left out */
#define TRANSCRIPT_TEXT_MAX	(64 * 1024)	/* longer ones are cut */
#define TRANSCRIPT_QUEUE_MAX	256		/* messages under way */
#define TRANSCRIPT_FOLLOW_MS	5000
#define TRANSCRIPT_TIME_MAX	32

struct transcript;

/* NULL: out of memory.  _free: after the endpoint; NULL is fine. */
struct transcript *transcript_new(struct session *);
void	transcript_free(struct transcript *);
/* What an event names is looked at; nothing is read yet. */
void	transcript_event(struct transcript *, const cJSON *event);
/* In each turn: read some, send some.  Never waits. */
void	transcript_tend(struct transcript *);

/*
 * What was said by a line of such a file, malloc'd:
 *
 *	user: their words
 *	model: its words
 *	tool Bash
 *
 * since: the session's start as in the file, 2026-01-02T03:04:05.678Z.  NULL:
 * nothing by the two since then, or it is no such line, or memory is out.
 */
char	*transcript_said(const char *line, size_t len, const char *since);

#endif
