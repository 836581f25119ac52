/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ACLS_H
#define REEVE_ACLS_H

#include "records.h"
#include "watch.h"

/* The acl bucket as a table: what each known owner may read. */
struct acls;

extern const struct watch_ops acls_ops;		/* table: struct acls * */

struct acls *acls_new(void);
void	acls_free(struct acls *);
/* NULL: unknown owner (no record, or an unreadable one): defer, never drop. */
const struct acl *acls_find(const struct acls *, const char *owner);
bool	acl_covers(const struct acl *, const char *channel);
/*
 * Owners whose record carries this name (case-insensitive).  Returns how
 * many; *owner is the one of them when it is one.
 */
size_t	acls_by_name(const struct acls *, const char *name,
	    const char **owner);
void	acls_each(const struct acls *,
	    void (*fn)(void *arg, const char *owner, const struct acl *),
	    void *arg);

#endif
