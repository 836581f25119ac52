/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_FOREIGN_H
#define REEVE_T_FOREIGN_H

#include "space.h"

/*
 * A space as another implementation makes it, with the consumers that were
 * recorded of one, for `reeve migrate`: sp is its broker, where no role of
 * ours runs.  Each fails the test on an error.
 */
#define HOLDER	"UCUFK3JXCXRTCU52OKIWWRSC2MZ4WXTIMFRS2N3GILXCWLZIXOST5PHK"

extern char		 out[65536];	/* what a command said */
extern struct space	*b;		/* who takes over */
extern char		 with[700];	/* options that say what */

void	setup(void);
/* The recording of its objects, freed by the caller. */
cJSON	*recorded(void);
/* Make its durable anew, as it was recorded. */
void	make_durable(const char *stream, const char *name);
/* Is each recorded setting of it as it was? */
bool	is_recorded(const char *stream, const char *name);
double	setting(const char *stream, const char *name, const char *field);
bool	stream_is_there(const char *name);
void	api(const char *subject);
void	check_nothing_made(void);
/* Every stream with its settings, its numbers and its consumers'; freed by
 * the caller. */
char	*all_that_is_there(void);
void	shell(const char *fmt, const char *a, const char *z);

/* `reeve migrate WITH MORE`: its exit code. */
int	try(const char *more);
/* It ends with this code, and says this. */
void	expect(int code, const char *more, const char *text);

#endif
