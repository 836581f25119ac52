/* SPDX-License-Identifier: ISC */
#ifndef REEVE_JSONSCAN_H
#define REEVE_JSONSCAN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Is a text JSON by the letter of RFC 8259?  cJSON takes more than that
 * (bytes that are not UTF-8, control characters, 01, what follows the value)
 * and less (lone surrogates, numbers over 63 characters), so it gets to see
 * only what passed here.
 */
struct json_scan {
	const char	*why;	/* what is wrong */
	size_t		 at;	/* at which byte */
	bool		 memory;	/* no fault of the text */
	/* The text with each lone surrogate escape as \ufffd, of the same
	 * length; malloc'd; NULL when there is none. */
	char		*repaired;
	/* The wanted member of an object, as often as it is given; the bytes
	 * of its value where it is given first. */
	unsigned	 times;
	const char	*value;
	size_t		 value_len;
};

/* depth: most nested arrays and objects, at least 1.  want: a member's name, or
 * NULL.  The caller frees s->repaired, also when it returns false. */
bool	json_scan(struct json_scan *s, const char *data, size_t len,
	    unsigned depth, const char *want);

#endif
