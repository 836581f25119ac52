/* SPDX-License-Identifier: ISC */
#ifndef REEVE_TABLE_H
#define REEVE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "strlist.h"

/*
 * Rows of text, printed as aligned columns.  The first row may be a header,
 * bold on a terminal.  Control characters in a cell print as blanks: what
 * others wrote must not steer our terminal.
 */
struct table {
	size_t		n_columns;
	bool		header;
	bool		failed;		/* out of memory: nothing prints */
	struct strlist	cells;
};

/* n_columns headings follow; a first one that is NULL: no header. */
void	table_init(struct table *, size_t n_columns, ...);
/* n_columns cells follow, copied; NULL or "" prints as "-". */
void	table_row(struct table *, ...);
size_t	table_rows(const struct table *);
/* To stdout, and free it.  EX_OK, or EX_OSERR having said so. */
int	table_print(struct table *);
void	table_free(struct table *);

/* Columns that s takes on a terminal. */
size_t	text_width(const char *s);
/* s into buf, of at most so many columns: what is cut off shows as "...". */
void	text_clip(char *buf, size_t size, const char *s, size_t columns);
/* Write s with control characters as blanks; a line end is written as
 * `newline` ("\n    " indents what follows it, " " makes it one line). */
void	text_put(FILE *, const char *s, const char *newline);

#endif
