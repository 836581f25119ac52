/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CREDS_H
#define REEVE_CREDS_H

#include "files.h"
#include "nkey.h"

/*
 * A creds: a user's JWT and seed, the two blocks of a .creds file.  The id
 * is the seed's public key and must be the JWT's sub.
 */
struct creds {
	struct nkey	 key;
	char		*jwt;		/* malloc'd */
};

/* EX_NOINPUT: cannot be read.  EX_NOPERM: readable by others than its owner
 * (says the chmod).  EX_DATAERR: not a creds file, or id and JWT differ. */
int	creds_load(struct creds *, const char *path, struct error *);
/* The JWT's signature is checked too.  After an error c is zero. */
int	creds_parse(struct creds *, const char *text, struct error *);
/* The same from standard input, for a credential that is not to be on disk.
 * EX_NOINPUT: there is none; EX_IOERR, EX_OSERR. */
int	creds_read_stdin(struct creds *, struct error *);
/* The file's text, malloc'd; the caller wipes it (creds_text_free).  NULL
 * when out of memory. */
char	*creds_text(const struct creds *);
void	creds_text_free(char *);
/* Write path 0600 by a temporary file and rename; parents made 0700.
 * Refuses creds without a seed (EX_SOFTWARE). */
int	creds_save(const struct creds *, const char *path, struct error *);
void	creds_wipe(struct creds *);

#endif
