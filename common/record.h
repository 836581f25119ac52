/* SPDX-License-Identifier: ISC */
#ifndef REEVE_RECORD_H
#define REEVE_RECORD_H

#include "json.h"

/* What the readers and writers of records.h share. */

/* A row of a table of fields. */
#define FIELD(key, kind, must, type_, member)				\
	{ .name = key, .type = kind, .required = must,			\
	    .offset = offsetof(type_, member) }

/* json_parse, and it must be an object. */
cJSON	*record_parse(const char *data, size_t len, struct error *e);
/* The tree to write into: what was there, or empty where that is no record. */
cJSON	*record_base(const char *was, size_t was_len);
/* Print it and free it; NULL when out of memory or !ok. */
char	*record_print(cJSON *o, bool ok);

/* Copy a view; NULL stays NULL.  0, or -1 with *e (EX_OSERR). */
int	record_dup(char **out, const char *s, struct error *e);
/* Set, or remove where the value is NULL. */
bool	record_set_str(cJSON *o, const char *name, const char *value);
/* Set, or remove when !have. */
bool	record_set_u64(cJSON *o, const char *name, bool have, uint64_t value);

#endif
