/* SPDX-License-Identifier: ISC */
#ifndef REEVE_JSON_H
#define REEVE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "error.h"

/*
 * Strict reading of outside JSON over cJSON: a table of fields, types and
 * bounds fills a struct, and an error names the path:
 *
 *	parts[0].text: expected a string
 *
 * Unknown fields are ignored unless the table says otherwise.  A field given
 * twice is an error (parsers disagree on which one counts).
 */

#define JSON_DEPTH_MAX	64		/* of arrays and objects */
#define JSON_INT_MAX	(1LL << 53)	/* what a double holds exactly */

/*
 * Parse exactly len bytes.  Refused: bytes after the value, a NUL byte or
 * \u0000 anywhere, bytes that are not UTF-8, nesting over JSON_DEPTH_MAX.  A
 * lone surrogate escape, which JavaScript writes for a cut emoji, reads as
 * U+FFFD.  The caller frees with cJSON_Delete.  NULL with *e set (EX_DATAERR).
 */
cJSON	*json_parse(const char *data, size_t len, struct error *e);

/* A member of an object, as its bytes stand in the text. */
struct json_found {
	unsigned	 times;		/* 0: it is not there */
	const char	*value;		/* the first one's */
	size_t		 len;
};

/*
 * Check a text as json_parse_depth does, and find a member of the object that
 * it is, without making a tree.  0, or -1 with *e.
 */
int	json_find(struct json_found *, const char *data, size_t len,
	    unsigned depth, const char *name, struct error *e);
/* json_parse for what will be wrapped: nesting over `depth` is refused. */
cJSON	*json_parse_depth(const char *data, size_t len, unsigned depth,
	    struct error *e);

enum json_type {
	JSON_STRING,	/* char *: a view into the tree, valid while it lives */
	JSON_BOOL,	/* bool */
	JSON_U64,	/* uint64_t, an integer 0 .. 2^53 */
	JSON_I64,	/* int64_t, an integer within +-2^53 */
	JSON_STRINGS,	/* struct json_strings */
	JSON_OBJECT,	/* cJSON *, a view; or, with .sub, read in place */
	JSON_ARRAY,	/* cJSON *, a view */
	JSON_ANY,	/* cJSON *, a view */
};

/* Views; the vector itself is malloc'd by json_read, freed by
 * json_strings_free. */
struct json_strings {
	char	**v;
	size_t	  n;
};

struct json_field {
	const char		*name;
	enum json_type		 type;
	size_t			 offset;	/* in the caller's struct */
	bool			 required;
	/* strings: most bytes (0: no bound); numbers: most (0: none) */
	uint64_t		 max;
	/* strings: one of these, NULL-terminated; NULL: any */
	const char *const	*one_of;
	/* offset of a bool that says whether the field was there; 0: none
	 * (so no such bool may be the first member) */
	size_t			 present;
	/* JSON_OBJECT: the table of a nested struct at offset; ends as below */
	const struct json_field	*sub;
	/* JSON_ARRAY: checks each element with its path; optional */
	int			(*each)(const cJSON *, const char *path,
				    struct error *);
};
#define JSON_END	{ .name = NULL }

/*
 * Read object o by the table.  Absent optional fields leave the struct's
 * members as the caller set them.  null counts as absent.  `path` is the
 * prefix of error paths ("" at the top).  0, or -1 with *e (EX_DATAERR).
 */
int	json_read(const cJSON *o, const struct json_field *table, void *out,
	    const char *path, struct error *e);
/* json_read that also refuses fields the table does not name. */
int	json_read_strict(const cJSON *o, const struct json_field *table,
	    void *out, const char *path, struct error *e);
void	json_strings_free(struct json_strings *);
/* No name given twice in this object, known to us or not: 0, or -1 with *e. */
int	json_unique(const cJSON *o, const char *path, struct error *e);

/* Case-sensitive member, or NULL. */
const cJSON *json_get(const cJSON *o, const char *name);

/* Print without white space, numbers exactly; malloc'd, NULL only when out of
 * memory. */
char	*json_print(const cJSON *);
/* Set or replace a member, in its place; false when out of memory.  What is
 * not UTF-8 in a string becomes U+FFFD. */
bool	json_set_str(cJSON *o, const char *name, const char *value);
bool	json_set_u64(cJSON *o, const char *name, uint64_t value);
bool	json_set_i64(cJSON *o, const char *name, int64_t value);
bool	json_set_bool(cJSON *o, const char *name, bool value);
bool	json_set_strings(cJSON *o, const char *name, char *const *v,
	    size_t n);
/* Takes the item, also when it fails; a NULL item fails. */
bool	json_set_item(cJSON *o, const char *name, cJSON *item);

#endif
