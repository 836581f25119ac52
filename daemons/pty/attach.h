/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PTY_ATTACH_H
#define REEVE_PTY_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "bytes.h"
#include "error.h"
#include "names.h"

/*
 * Who watches a terminal (reeve-wire(7), "Terminals").  Each gets a repaint,
 * then live bytes; one that is too far behind gets none until it has caught
 * up, and then a repaint.  So what is kept for one is bounded by its repaint,
 * however slow it is and however much the child prints.
 */
#define ATTACH_VERSION	1
#define ATTACH_MAX	16
#define ATTACH_WINDOW	(256 * 1024)	/* sent and not consumed */
#define ATTACH_SILENT_MS 6000		/* then it is gone */

struct pty;

struct attacher {
	char		 id[ID_MAX];
	unsigned	 rows, cols;	/* of its own terminal */
	uint64_t	 asked;		/* which 'a' of its it was */
	bool		 readonly;
	bool		 live;		/* gets what is printed */
	bool		 history;	/* the next repaint has the history */
	bool		 held;		/* holds its input back */
	uint64_t	 sent, consumed;	/* bytes since it attached */
	struct bytes	 paint;		/* a repaint under way */
	size_t		 painted;	/* of it, sent */
	uint64_t	 paint_fed;	/* the screen that it shows */
	int64_t		 paint_ms;	/* when it was made */
	uint64_t	 typed, told;	/* bytes of input: come, said so */
	int64_t		 heard_ms;
};

struct attach {
	struct attacher	 v[ATTACH_MAX];
	size_t		 n;
	uint64_t	 fed;		/* bytes that the screen has got */
	bool		 holding;	/* input is held back */
};

/* Subscribe on a new connection; -1 when it is dead already. */
int	attach_bind(struct pty *, struct error *);
/* The connection is gone, and all attachers with it: they come back. */
void	attach_forget(struct pty *);
/* The screen's live bytes, to who is up to date. */
void	attach_live(struct pty *, const void *, size_t);
/* Repaints that are due, and who has been silent for too long. */
void	attach_tend(struct pty *);
int64_t	attach_due(const struct pty *);
/* The child has ended; final: for good. */
void	attach_say_end(struct pty *, bool final);
/* Ask them to hold back their input, true when all do; and to go on. */
bool	attach_hold(struct pty *);
void	attach_resume(struct pty *);
/* For a hand-over: what there is, an array; and that again. */
cJSON	*attach_save(const struct pty *);
int	attach_load(struct pty *, const cJSON *, struct error *);

#endif
