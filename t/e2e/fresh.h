/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_FRESH_H
#define REEVE_T_FRESH_H

#include "space.h"

/*
 * What may happen to a bucket behind the backs of those who watch it, done by
 * the root connection of the test's space; each fails the test on an error.
 */
#define MEMBERS	"KV_cotal_members_t"
#define ACLS	"KV_cotal_acl_t"

/* Purge the members bucket: the request's body, "" for all. */
void	purge(const char *body);
/* Remove a record without a marker: by its key, or by its sequence. */
enum removal { BY_KEY, BY_SEQ };
void	remove_raw(enum removal, enum bucket_kind, const char *key);
/* Delete the members bucket and make it again as it was. */
void	replace(void);
/* Delete the consumer of id's watch. */
void	delete_watch(const char *stream, const char *id);

/* The tests through the roles (test_fresh_roles.c). */
TCase	*roles_case(void);

#endif
