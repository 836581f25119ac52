/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SCREEN_H
#define REEVE_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "error.h"

/*
 * The screen of a terminal: what a child printed goes in, and at any moment
 * bytes come out that make another terminal show exactly the same.  What a
 * child prints is taken for hostile: any bytes, cut anywhere, do no harm, and
 * memory stays below SCREEN_HISTORY_BYTES and a few hundred bytes a cell.
 */

#define SCREEN_ROWS_MIN		2
#define SCREEN_COLS_MIN		2
#define SCREEN_ROWS_MAX		500
#define SCREEN_COLS_MAX		1000
#define SCREEN_HISTORY_BYTES	(8u * 1024 * 1024)
#define SCREEN_TITLE_MAX	255	/* bytes of UTF-8 */

/*
 * What happens while bytes are fed, in their order; each may be NULL.  None
 * may call a function of this file on the same screen.
 *
 *	reply	answers to what the child asked its terminal: to be written to
 *		the child, as if typed
 *	live	what the same bytes mean to an attacher's terminal: whole
 *		sequences and characters only, queries left out (the child
 *		would hear two answers), nothing that a repaint cannot set
 *		again or that outlives the attachment (clipboard, colours)
 *	title	a new title: UTF-8 without control characters
 */
struct screen_ops {
	void	(*reply)(void *arg, const void *bytes, size_t n);
	void	(*live)(void *arg, const void *bytes, size_t n);
	void	(*title)(void *arg, const char *title);
	void	(*bell)(void *arg);
};

struct screen;

/*
 * A blank screen; sizes are brought into the bounds above.  `history` is how
 * many rows that scrolled off the top are kept.  ops (copied) may be NULL.
 * NULL when out of memory; ended by screen_free, which takes NULL too.
 */
struct screen *screen_new(int rows, int cols, int history,
	    const struct screen_ops *ops, void *arg);
void	screen_free(struct screen *);

/* What the child printed.  Ends the process when memory is out: half of it
 * shown would be no screen at all. */
void	screen_feed(struct screen *, const void *bytes, size_t n);

/*
 * Another size: rows that no longer fit go to the history, columns are cut;
 * nothing is wrapped anew.  Each terminal does that in its own way, so every
 * attacher needs a repaint afterwards.
 */
void	screen_resize(struct screen *, int rows, int cols);
void	screen_size(const struct screen *, int *rows, int *cols);

/*
 * Append what makes a terminal of the same size, whatever it showed, show
 * this: both buffers, cursor, pen, modes, saved cursors, scroll region,
 * character sets, title.  After it come the bytes of `live`, in which a tab is
 * a move of the cursor: tab stops are the child's alone.
 *
 *	SCREEN_HISTORY	the rows of the history too, into its scroll-back; those
 *			from when the screen was wider are cut
 *	SCREEN_FORGET	its scroll-back is emptied first (CSI 3 J)
 */
#define SCREEN_HISTORY	0x1
#define SCREEN_FORGET	0x2
void	screen_repaint(const struct screen *, int flags, struct bytes *out);

/* Append what gives a terminal back as it was found: the primary buffer, the
 * cursor shown at the start of the last row, no mode set, no title. */
void	screen_leave(struct bytes *out, int rows);

/* Append the last `rows` rows of history and primary buffer as lines of text,
 * without what only looks; for logs.  Negative: all. */
void	screen_text(const struct screen *, int rows, struct bytes *out);

/* Modes in force that whoever sends input has to know. */
bool	screen_bracketed_paste(const struct screen *);
bool	screen_alternate(const struct screen *);
const char *screen_title(const struct screen *);	/* "" when none */

/*
 * Append all there is, an unfinished sequence too, for screen_load of this or
 * a later version: a heading line, then bytes.  screen_load gives a screen
 * that goes on as if nothing had happened, or NULL and *e.
 */
void	screen_save(const struct screen *, struct bytes *out);
struct screen *screen_load(const void *saved, size_t n,
	    const struct screen_ops *ops, void *arg, struct error *e);

/* For tests: a cell as it is seen.  buffer: 0 primary, 1 alternate; row below
 * 0 is history (-1 the newest). */
#define SCREEN_MARKS	3	/* combining characters of a cell */
struct screen_cell {
	uint32_t	 ch;		/* 0: erased */
	uint32_t	 mark[SCREEN_MARKS];
	uint32_t	 fg, bg;	/* 0 default, 1<<24|index, 2<<24|rgb */
	uint16_t	 attr;
	uint8_t		 width;		/* 0: right half of a wide one */
	uint8_t		 spare;
};
bool	screen_cell(const struct screen *, int buffer, int row, int col,
	    struct screen_cell *);
int	screen_history(const struct screen *);	/* rows there are */
/* All else that a repaint restores, as a line of text, for comparison; at its
 * end " tabs ", which only a hand-over does. */
void	screen_state(const struct screen *, struct bytes *out);

#endif
