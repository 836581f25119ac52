/* SPDX-License-Identifier: ISC */
#ifndef REEVE_TTY_H
#define REEVE_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "error.h"

/*
 * The terminal that a command is run in, lent to an agent's: raw, written to
 * without waiting, and given back as it was, also when a signal that cannot
 * be foreseen ends us (all but SIGKILL).  One at a time.
 */
struct tty {
	unsigned	 rows, cols;
	int		 out;		/* of our own: not blocking */
	bool		 is_raw;
	struct termios	 was;
	char		*leave;		/* printed when it is given back */
	size_t		 leave_len;
	char		*waiting;	/* to be written */
	size_t		 done, len, cap;
};

/* EX_USAGE: standard input and output are no terminal.  Close also after an
 * error. */
int	tty_open(struct tty *, struct error *);
int	tty_raw(struct tty *, struct error *);
/* As it was, and the bytes of tty_leave_with printed; tty_raw takes it anew. */
void	tty_restore(struct tty *);
void	tty_close(struct tty *);
/* Look how large it is; true when that has changed. */
bool	tty_measure(struct tty *);
void	tty_leave_with(struct tty *, const void *, size_t);

/* To be written, as it takes it; ends the process when out of memory. */
void	tty_put(struct tty *, const void *, size_t);
/* Write what it takes now; how much that was. */
size_t	tty_write(struct tty *);
size_t	tty_waiting(const struct tty *);

#endif
