/* SPDX-License-Identifier: ISC */
#ifndef REEVE_KEYBOARD_H
#define REEVE_KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What is typed on its way to an agent.  Every byte goes through as it is,
 * but for the key that is ours: KEYBOARD_KEY d says to detach, KEYBOARD_KEY
 * twice is one of it.  In what is pasted (between CSI 200 ~ and CSI 201 ~) it
 * is a byte like any other.
 *
 * Zero-initialized is empty.  Ends the process when out of memory.
 */
#define KEYBOARD_KEY	0x1d		/* Ctrl-] */

struct keyboard {
	char	*data;
	size_t	 done, len, cap;
	bool	 pressed;		/* our key, and nothing after it yet */
	bool	 pasting;
	size_t	 matched;		/* of the next mark of a paste */
};

/* True: detach.  What was typed after that is dropped. */
bool	keyboard_take(struct keyboard *, const char *, size_t);
/* What is to be sent: a view, good until the next call. */
size_t	keyboard_peek(const struct keyboard *, const char **);
void	keyboard_drop(struct keyboard *, size_t);
size_t	keyboard_waiting(const struct keyboard *);
void	keyboard_clear(struct keyboard *);
void	keyboard_free(struct keyboard *);

#endif
