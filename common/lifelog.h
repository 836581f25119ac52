/* SPDX-License-Identifier: ISC */
#ifndef REEVE_LIFELOG_H
#define REEVE_LIFELOG_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "error.h"

/*
 * What happened to the peers of this host: <state>/log/lifecycle.log, and how
 * sessions and their servers ended: <state>/log/exits.log.  logfmt, an event
 * a line (reeve.1, "log"):
 *
 *	ts=2026-01-02T03:04:05.678Z ev=start identity=claude-ada pid=12
 *
 * Any number of processes write to them: a line is one write(2) to a file
 * opened with O_APPEND.  A file that is full is renamed to NAME.1, that to
 * NAME.2 and so on, the one behind the last is dropped.  No other line is
 * ever lost: a writer whose file was dropped under it writes once more.
 */
enum lifelog {
	LIFELOG_LIFECYCLE,
	LIFELOG_EXITS,
};
#define LIFELOG_N	2

#define LIFELOG_SIZE	(1024 * 1024)	/* when a file is full */
#define LIFELOG_KEPT	4		/* NAME.1 .. NAME.4 */
#define LIFELOG_LINE	4096		/* longest line; others are cut */

/* "lifecycle.log" or "exits.log", in <state>/log. */
extern const char *const lifelog_names[LIFELOG_N];

/*
 * Append an event.  ev is a constant word, identity a peer's <runtime>-
 * <personality>; fmt gives the pairs that follow ("pid=%d"), or is "".
 * Values from outside go through log_str or log_quote.  EX_CANTCREAT,
 * EX_IOERR: it is not written, or not all of it.
 */
int	lifelog_add(const struct config *, enum lifelog, const char *ev,
	    const char *identity, struct error *, const char *fmt, ...)
	    __attribute__((format(printf, 6, 7)));
/* The same for those that go on without it: a failure is logged. */
void	lifelog_note(const struct config *, enum lifelog, const char *ev,
	    const char *identity, const char *fmt, ...)
	    __attribute__((format(printf, 5, 6)));

/* Append a line, which has no newline, to the log `path`, which is full at
 * max bytes, and of which `kept` older files stay. */
int	lifelog_append(const char *path, off_t max, unsigned kept,
	    const char *line, struct error *);

/*
 * Read a line pair by pair: the next key and value from *p on, unquoted, cut
 * where a buffer ends.  False at the end.  What is no pair is passed over.
 */
struct lifelog_pair {
	char	key[64];
	char	value[LIFELOG_LINE];
	bool	quoted;
};
bool	lifelog_next(const char **p, struct lifelog_pair *);
/* The value of one key; false when the line has none. */
bool	lifelog_get(const char *line, const char *key, char *buf,
	    size_t size);
/* Is this the identity of the peer: it itself, or <runtime>-<peer>? */
bool	lifelog_is_peer(const char *identity, const char *peer);

#endif
