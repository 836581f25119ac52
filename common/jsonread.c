/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define PATH_SIZE	256
#define ELEMENT_SIZE	(PATH_SIZE + 24)	/* a path and [index] */
#define CHOICES_SIZE	256
#define NO_INDEX	SIZE_MAX

/* Where a value stands.  Spelled out only when there is something to say of
 * it: most messages are read without a fault, and all are read. */
struct place {
	const char	*path;		/* of the object around it */
	const char	*name;
	size_t		 index;		/* of an element, or NO_INDEX */
};

static int	read_object(const cJSON *, const struct json_field *, void *,
		    const char *, bool, struct error *);

static const char *
spell(char *buf, size_t size, const struct place *at)
{
	int	n;

	n = snprintf(buf, size, "%s%s%.64s", at->path,
	    at->path[0] != '\0' && at->name[0] != '\0' ? "." : "", at->name);
	if (at->index != NO_INDEX && n >= 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, "[%zu]", at->index);
	return buf;
}

static int
bad(struct error *e, const struct place *at, const char *what)
{
	char	text[ELEMENT_SIZE];

	spell(text, sizeof(text), at);
	return error_set(e, EX_DATAERR, "%s%s%s", text,
	    text[0] != '\0' ? ": " : "", what);
}

/* "expected one of a, b, c" */
static int
bad_choice(struct error *e, const struct place *at,
    const char *const *choices)
{
	char	text[CHOICES_SIZE] = "expected one of ";
	size_t	i, used = strlen(text);

	for (i = 0; choices[i] != NULL && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s%s", i > 0 ? ", " : "", choices[i]);
	return bad(e, at, text);
}

static int
read_string(const cJSON *v, const struct json_field *f, char **out,
    const struct place *at, struct error *e)
{
	char	text[ELEMENT_SIZE];
	size_t	i;

	if (!cJSON_IsString(v))
		return bad(e, at, "expected a string");
	if (f->max > 0 && strlen(v->valuestring) > f->max)
		return error_set(e, EX_DATAERR, "%s: over %llu bytes",
		    spell(text, sizeof(text), at),
		    (unsigned long long)f->max);
	if (f->one_of != NULL) {
		for (i = 0; f->one_of[i] != NULL; i++)
			if (strcmp(f->one_of[i], v->valuestring) == 0)
				break;
		if (f->one_of[i] == NULL)
			return bad_choice(e, at, f->one_of);
	}
	*out = v->valuestring;
	return 0;
}

/* A whole number from least to what the field or a double allows. */
static int
read_integer(const cJSON *v, const struct json_field *f, int64_t least,
    int64_t *out, const struct place *at, struct error *e)
{
	long long	most = JSON_INT_MAX;
	double		d = v->valuedouble;
	char		text[ELEMENT_SIZE];

	if (f->max > 0 && f->max < (uint64_t)most)
		most = (long long)f->max;
	/* The range first, so that the cast is defined (NaN fails it too). */
	if (!cJSON_IsNumber(v) || !(d >= (double)least && d <= (double)most) ||
	    (double)(int64_t)d != d)
		return error_set(e, EX_DATAERR, "%s: expected a whole number "
		    "from %lld to %lld", spell(text, sizeof(text), at),
		    (long long)least, most);
	*out = (int64_t)d;
	return 0;
}

static int
read_strings(const cJSON *v, const struct json_field *f,
    struct json_strings *out, const struct place *at, struct error *e)
{
	struct place	 element = *at;
	const cJSON	*c;
	size_t		 n = 0;

	if (!cJSON_IsArray(v))
		return bad(e, at, "expected an array of strings");
	cJSON_ArrayForEach(c, v)
		n++;
	/* One more, so that an empty list is not NULL. */
	out->n = 0;
	if ((out->v = reallocarray(NULL, n + 1, sizeof(*out->v))) == NULL)
		return error_errno(e, EX_OSERR, "%s", at->name);
	cJSON_ArrayForEach(c, v) {
		element.index = out->n;
		if (read_string(c, f, &out->v[out->n], &element, e) == -1)
			return -1;
		out->n++;
	}
	out->v[n] = NULL;
	return 0;
}

static int
read_array(const cJSON *v, const struct json_field *f, const cJSON **out,
    const struct place *at, struct error *e)
{
	struct place	 element = *at;
	const cJSON	*c;
	char		 text[ELEMENT_SIZE];

	if (!cJSON_IsArray(v))
		return bad(e, at, "expected an array");
	*out = v;
	if (f->each == NULL)
		return 0;
	element.index = 0;
	cJSON_ArrayForEach(c, v) {
		if (f->each(c, spell(text, sizeof(text), &element), e) == -1)
			return -1;
		element.index++;
	}
	return 0;
}

static int
read_value(const cJSON *v, const struct json_field *f, void *out,
    const struct place *at, bool strict, struct error *e)
{
	char	text[PATH_SIZE];
	int64_t	n = 0;
	int	rc;

	switch (f->type) {
	case JSON_STRING:
		return read_string(v, f, out, at, e);
	case JSON_BOOL:
		if (!cJSON_IsBool(v))
			return bad(e, at, "expected true or false");
		*(bool *)out = cJSON_IsTrue(v);
		return 0;
	case JSON_U64:
		if ((rc = read_integer(v, f, 0, &n, at, e)) == 0)
			*(uint64_t *)out = (uint64_t)n;
		return rc;
	case JSON_I64:
		if ((rc = read_integer(v, f, -JSON_INT_MAX, &n, at, e)) == 0)
			*(int64_t *)out = n;
		return rc;
	case JSON_STRINGS:
		return read_strings(v, f, out, at, e);
	case JSON_OBJECT:
		if (f->sub != NULL)
			return read_object(v, f->sub, out,
			    spell(text, sizeof(text), at), strict, e);
		if (!cJSON_IsObject(v))
			return bad(e, at, "expected an object");
		*(const cJSON **)out = v;
		return 0;
	case JSON_ARRAY:
		return read_array(v, f, out, at, e);
	case JSON_ANY:
		*(const cJSON **)out = v;
		return 0;
	}
	return bad(e, at, "a table with a type that does not exist");
}

static int
read_field(const cJSON *o, const struct json_field *f, void *out,
    const char *path, bool strict, struct error *e)
{
	const struct place	 at = { path, f->name, NO_INDEX };
	const cJSON		*c, *v = NULL;

	cJSON_ArrayForEach(c, o) {
		if (strcmp(c->string, f->name) != 0)
			continue;
		if (v != NULL)
			return bad(e, &at, "given twice");
		v = c;
	}
	if (v == NULL || cJSON_IsNull(v))
		return f->required ? bad(e, &at, "missing") : 0;
	if (f->present != 0)
		*(bool *)((char *)out + f->present) = true;
	return read_value(v, f, (char *)out + f->offset, &at, strict, e);
}

static int
refuse_unknown(const cJSON *o, const struct json_field *table,
    const char *path, struct error *e)
{
	const struct json_field	*f;
	const cJSON		*c;

	cJSON_ArrayForEach(c, o) {
		for (f = table; f->name != NULL; f++)
			if (strcmp(c->string, f->name) == 0)
				break;
		if (f->name == NULL) {
			const struct place at = { path, c->string, NO_INDEX };

			return bad(e, &at, "unknown field");
		}
	}
	return 0;
}

static int
read_object(const cJSON *o, const struct json_field *table, void *out,
    const char *path, bool strict, struct error *e)
{
	const struct json_field	*f;

	if (!cJSON_IsObject(o)) {
		const struct place at = { path, "", NO_INDEX };

		return bad(e, &at, "expected an object");
	}
	if (strict && refuse_unknown(o, table, path, e) == -1)
		return -1;
	for (f = table; f->name != NULL; f++)
		if (read_field(o, f, out, path, strict, e) == -1)
			return -1;
	return 0;
}

int
json_read(const cJSON *o, const struct json_field *table, void *out,
    const char *path, struct error *e)
{
	return read_object(o, table, out, path, false, e);
}

int
json_read_strict(const cJSON *o, const struct json_field *table, void *out,
    const char *path, struct error *e)
{
	return read_object(o, table, out, path, true, e);
}

void
json_strings_free(struct json_strings *s)
{
	free(s->v);
	s->v = NULL;
	s->n = 0;
}
