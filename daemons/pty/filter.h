/* SPDX-License-Identifier: ISC */
#ifndef REEVE_FILTER_H
#define REEVE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Takes what a child printed apart, cut anywhere and of any bytes: text,
 * control characters, whole sequences.  Each part is handed over once it is
 * complete and within bounds; what cannot be one (8-bit controls, UTF-8 that
 * is none) comes as U+FFFD or not at all.  ECMA-48 5.4, 5.6; UTF-8 as RFC 3629.
 */

#define FILTER_PARAMS	32	/* of a CSI sequence; more are left out */
#define FILTER_VALUE	9999	/* what a larger one counts as */
#define FILTER_STRING	512	/* bytes of an OSC or DCS; more are left out */

/* CSI leader params inter final. */
struct filter_csi {
	char	leader;			/* one of <=>?, or 0 */
	char	inter;			/* space to /, or 0 */
	char	final;
	int	n;			/* parameters, 0 when none is written */
	int	param[FILTER_PARAMS];	/* -1: left empty */
	bool	sub[FILTER_PARAMS];	/* it came after a colon */
};

struct filter_ops {
	/* Printable ASCII; n > 0. */
	void	(*ascii)(void *arg, const char *p, size_t n);
	/* Any other character, none below U+00A0. */
	void	(*glyph)(void *arg, uint32_t cp);
	void	(*control)(void *arg, char c);		/* below 0x20, no ESC */
	void	(*esc)(void *arg, char inter, char final);
	void	(*csi)(void *arg, const struct filter_csi *);
	/* kind: ']' or 'P'; what is between the introducer and its end. */
	void	(*string)(void *arg, char kind, const char *s, size_t n);
};

/* Zero-initialized is the start.  No member is for others but through the
 * functions. */
struct filter {
	int	state;
	bool	bad;			/* a sequence that will be dropped */
	char	kind;			/* of a string */
	char	inter;			/* of an escape sequence */
	struct filter_csi csi;
	char	string[FILTER_STRING];
	size_t	nstring;
	/* A character of UTF-8 of which `want` bytes are missing. */
	uint32_t cp;
	int	want, have;
	unsigned char least, most;	/* what the next byte may be */
	/* What began and did not end, as it came. */
	char	raw[FILTER_STRING + 8];
	size_t	nraw;
};

/* Feeding f->raw (nraw bytes) to a new filter brings it where f is. */
void	filter_feed(struct filter *, const struct filter_ops *, void *arg,
	    const char *p, size_t n);

#endif
