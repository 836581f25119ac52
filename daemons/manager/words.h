/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MANAGER_WORDS_H
#define REEVE_MANAGER_WORDS_H

#include "error.h"
#include "strlist.h"

/*
 * Split a line into words as a shell would by blanks, quotes and backslashes:
 * between ' all is literal; between " a backslash quotes another, a ", a $ and
 * a `; elsewhere it quotes any.  Nothing is expanded and nothing is an
 * operator: $HOME, * and | are what they are.  EX_DATAERR: a quote that is not
 * closed, a backslash at the end.
 */
int	words_split(struct strlist *words, const char *line, struct error *);

#endif
