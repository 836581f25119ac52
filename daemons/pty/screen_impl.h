/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SCREEN_IMPL_H
#define REEVE_SCREEN_IMPL_H

#include <vterm.h>

#include "filter.h"
#include "screen.h"

/*
 * Who does what.  filter.c takes the child's bytes apart.  screen_seq.c knows
 * what each part means: pen, modes, saved cursors, buffers, tab stops, answers
 * are ours; where the cursor goes and which cells move or are erased is
 * libvterm's (its state layer), which is only ever given short sequences of
 * our own making, since 0.1.4 can be crashed by what a child may print.
 * cells.c has the cells, and is what libvterm calls.  repaint.c writes it all
 * out again.
 */

/* Attributes of a cell or pen; 3 bits of the kind of underline (1 to 5). */
#define ATTR_BOLD	0x001
#define ATTR_FAINT	0x002
#define ATTR_ITALIC	0x004
#define ATTR_BLINK	0x008
#define ATTR_REVERSE	0x010
#define ATTR_CONCEAL	0x020
#define ATTR_STRIKE	0x040
#define ATTR_OVERLINE	0x080
#define ATTR_UL_SHIFT	8
#define ATTR_UL_MASK	0x700

#define COLOR_INDEX	(1u << 24)
#define COLOR_RGB	(2u << 24)

struct pen {
	uint32_t	fg, bg;
	uint16_t	attr;
};

/* Modes that are on or off; screen_modes[] has their numbers. */
enum mode {
	MODE_CURSOR_KEYS, MODE_REVERSE, MODE_ORIGIN, MODE_WRAP, MODE_BLINK,
	MODE_CURSOR, MODE_FOCUS, MODE_SCROLL_KEYS, MODE_PASTE,
	MODE_INSERT, MODE_NEWLINE,	/* of ANSI, not of DEC */
	MODES
};
struct mode_def {
	int	number;
	bool	dec;
	bool	initial;
};
extern const struct mode_def screen_modes[MODES];

/* What DECSC saves. */
struct slot {
	int		row, col;
	bool		pending, origin;
	struct pen	pen;
	char		g[4];
	uint8_t		gl;
};

/* A row of the history: n cells, the blank ones at its end cut off. */
struct past {
	struct screen_cell *cell;
	int		    n, cap;
};

struct screen {
	struct screen_ops ops;
	void		*arg;
	struct filter	 filter;
	VTerm		*vt;
	VTermState	*state;
	/* Asked how wide a character is: no table of our own to disagree. */
	VTerm		*judge;
	int		 judged;

	int		 rows, cols;
	struct screen_cell **buf[2];	/* [row][col] */
	int		 alt;		/* which of them is shown */
	struct past	*past;		/* a ring */
	int		 past_max, past_n, past_head;
	size_t		 past_bytes;

	int		 row, col;	/* the cursor: libvterm's, copied */
	bool		 pending;	/* the next character wraps first */
	struct pen	 pen;
	struct slot	 saved[2];	/* of each buffer */
	bool		 mode[MODES];
	bool		 keypad;
	int		 mouse;		/* 9, 1000, 1002, 1003 or 0 */
	int		 mouse_form;	/* 1005, 1006, 1015 or 0 */
	int		 shape;		/* DECSCUSR */
	int		 top, bottom;	/* scroll region; bottom exclusive */
	char		 g[4];		/* '0', 'A' or 'B' */
	uint8_t		 gl;
	bool		 tab[SCREEN_COLS_MAX];
	char		 title[SCREEN_TITLE_MAX + 1];
	uint32_t	 last;		/* what REP repeats; 0 nothing */

	/* While libvterm works. */
	bool		 quiet;		/* no cell is touched */
	bool		 keep_past;	/* what scrolls off is kept */
	int		 glyph_end;	/* column after the last glyph */
	struct bytes	 live;
};

/* --- cells.c -------------------------------------------------------------- */

extern const VTermStateCallbacks cells_callbacks;

/* Ends the process when there is no memory. */
void	*cells_need(void *);
/* rows x cols blank ones. */
struct screen_cell **cells_new(int rows, int cols);
void	 cells_free(struct screen_cell **, int rows);
bool	 cell_blank(const struct screen_cell *);	/* with no colour */
/* Another size: cut or filled up at the right and the bottom. */
struct screen_cell **cells_resize(struct screen_cell **, int rows, int cols,
	    int new_rows, int new_cols);
/* Erased, with the pen's background. */
void	 cells_erase(struct screen *, int row, int from, int to);
void	 cells_erase_all(struct screen *);
/* The upper n rows of the primary buffer go to the history. */
void	 cells_scroll_off(struct screen *, int n);
void	 cells_forget_past(struct screen *);
/* Row -1 is the newest; NULL beyond the oldest. */
const struct past *cells_past(const struct screen *, int row);
/* From the cursor on, n cells to the left, or -n to the right. */
void	 cells_shift(struct screen *, int n);
/* A combining character for the cell left of the cursor; false: none there. */
bool	 cells_mark(struct screen *, uint32_t cp);

/* --- screen.c ------------------------------------------------------------- */

/* To libvterm, and the cursor copied from it. */
void	screen_vt(struct screen *, const char *p, size_t n);
void	screen_vtf(struct screen *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* The cursor to a cell of the screen; what was pending no longer is. */
void	screen_goto(struct screen *, int row, int col);
void	screen_unpend(struct screen *);
/* The cursor behind the last column, where the next character wraps; only at
 * a row that has a character there. */
void	screen_pend(struct screen *, int row);
bool	screen_pendable(const struct screen *, int buffer, int row);
void	screen_live(struct screen *, const void *, size_t);
/* Given on when there is more than `least`; only between whole sequences. */
#define SCREEN_LIVE_AT_ONCE	(16 * 1024)
void	screen_live_flush(struct screen *, size_t least);
int	screen_width(struct screen *, uint32_t cp);
void	screen_tabs_reset(struct screen *);
/* Fed as if printed, whatever sequence is unfinished. */
void	screen_self(struct screen *, const char *p, size_t n);

/* --- screen_seq.c --------------------------------------------------------- */

extern const struct filter_ops screen_filter_ops;
struct slot screen_slot_initial(void);
/* To a new libvterm, what it has to know. */
void	screen_retell(struct screen *);
/* What DECSC would save. */
struct slot screen_slot_now(const struct screen *);

/* --- sgr.c ---------------------------------------------------------------- */

/* The pen after SGR. */
void	sgr_apply(struct pen *, const struct filter_csi *);
/* Its parameters, beginning with 0: "0;1;38;5;9". */
void	sgr_write(const struct pen *, struct bytes *out);

/* --- repaint.c ------------------------------------------------------------ */

/* What brings the cursor of a terminal that shows the same to where it is, and
 * its pen, origin and character sets, wherever they were. */
void	screen_paint_cursor(const struct screen *, struct bytes *out);

/* All that a mode, the pen, a character set may be is set to what it is at
 * the start; the cursor home, the screen blank. */
#define SCREEN_INITIAL							\
	"\033[?6l\033[?7h\033[?1l\033[?5l\033[?12l\033[?25h"		\
	"\033[4l\033[20l\033>\033[?9l\033[?1000l\033[?1002l\033[?1003l"	\
	"\033[?1005l\033[?1006l\033[?1015l\033[?1004l\033[?2004l"	\
	"\033(B\033)B\033*B\033+B\017\033[0 q\033[r\033[0m\033[H\033[2J"

#endif
