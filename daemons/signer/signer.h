/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SIGNER_H
#define REEVE_SIGNER_H

#include <cjson/cJSON.h>

#include "json.h"
#include "trust.h"

/*
 * The signer's parts.  A request is read and judged (request.c), what is
 * granted or refused is put down (audit.c), and only then answered
 * (signer.c).
 */

/* --- request.c ----------------------------------------------------------- */

/* What a manager asks for: views into the tree. */
struct mint {
	cJSON			*tree;
	const char		*manager;	/* who the broker let ask */
	char			*profile, *public, *asker, *name, *role,
				*target;	/* NULL: not said */
	struct json_strings	 subscribe, allow_subscribe, allow_publish,
				 capabilities;
	bool			 has_subscribe, has_allow_subscribe,
				 has_allow_publish, has_capabilities, has_ttl;
	uint64_t		 ttl_s;		/* after mint_judge, of the
						   JWT; 0: does not expire */
	enum profile		 which;
	struct scope		 scope;
};

/*
 * Read a request's bytes.  -1 with *e (EX_DATAERR), and what could be read of
 * it is there all the same, for the log.  Free with mint_free either way.
 */
int	mint_read(struct mint *, const char *manager, const char *data,
	    size_t len, struct error *);
/* May a manager have this?  Fills which, scope and ttl_s.  -1 with *e
 * (EX_NOPERM, EX_USAGE): the reason, in a sentence. */
int	mint_judge(struct mint *, struct error *);
void	mint_free(struct mint *);

/* --- audit.c -------------------------------------------------------------- */

struct audit;

/*
 * The log of grants and refusals, <path>: a line of JSON each, only ever
 * appended to.  A line that a crash cut short is ended first.  EX_CANTCREAT,
 * EX_NOPERM (it is no regular file, or others may write it).
 */
struct audit *audit_open(const char *path, struct error *);
/* On disk before it returns; -1 with *e (EX_IOERR), and nothing is granted.
 * The file is opened anew where another has its name by now.  why NULL: it
 * is granted.  NULL request: why alone. */
int	audit_write(struct audit *, const struct mint *, const char *why,
	    struct error *);
void	audit_close(struct audit *);		/* NULL is fine */

#endif
