/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonedit.h"

#define INDENT		"  "
#define INDENT_MAX	16

/* --- where it is -------------------------------------------------------------- */

struct place {
	const char	*at;		/* the value's, or the object's in which */
	size_t		 len;		/* the member is missing */
	size_t		 depth;		/* names found */
};

static int
wrong(struct error *e, const char *name)
{
	return error_set(e, EX_DATAERR, "\"%s\": expected an object", name);
}

static bool
is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

/* As deep as path goes.  -1 with *e. */
static int
find(struct place *p, const char *text, const char *const *path, size_t n,
    struct error *e)
{
	struct json_found	f;
	size_t			lead = strspn(text, " \t\r\n");

	p->at = text + lead;
	p->len = strlen(p->at);
	while (p->len > 0 && isspace((unsigned char)p->at[p->len - 1]))
		p->len--;
	if (p->at[0] != '{')
		return wrong(e, "the whole");
	for (p->depth = 0; p->depth < n; p->depth++) {
		if (p->at[0] != '{')
			return wrong(e, path[p->depth - 1]);
		if (json_find(&f, p->at, p->len, JSON_DEPTH_MAX,
		    path[p->depth], e) == -1)
			return -1;
		if (f.times > 1)
			return error_set(e, EX_DATAERR, "\"%s\" is there "
			    "twice", path[p->depth]);
		if (f.times == 0)
			return 0;
		p->at = f.value;
		p->len = f.len;
	}
	return 0;
}

cJSON *
json_edit_get(const char *text, const char *const *path, size_t n,
    struct error *e)
{
	struct place	p;

	e->code = 0;
	if (is_blank(text) || find(&p, text, path, n, e) == -1 || p.depth < n)
		return NULL;
	return json_parse(p.at, p.len, e);
}

/* --- how it is written ------------------------------------------------------------ */

/* What stands before the first member, if that has a line of its own. */
static void
indent_of(const char *text, char unit[INDENT_MAX + 1])
{
	const char	*p = strchr(text, '{'), *line;
	size_t		 n = 0;

	strcpy(unit, INDENT);
	if (p == NULL)
		return;
	line = p + 1 + strspn(p + 1, " \t\r");
	if (*line != '\n')
		return;
	line++;
	n = strspn(line, " \t");
	if (n > 0 && n <= INDENT_MAX && line[n] == '"') {
		memcpy(unit, line, n);
		unit[n] = '\0';
	}
}

static void
put_indent(FILE *f, const char *unit, size_t depth)
{
	fputc('\n', f);
	for (; depth > 0; depth--)
		fputs(unit, f);
}

/* Short lists of plain values stay on their line. */
static bool
is_flat(const cJSON *o)
{
	const cJSON	*c;

	if (cJSON_IsObject(o))
		return o->child == NULL;
	cJSON_ArrayForEach(c, o)
		if (cJSON_IsObject(c) || cJSON_IsArray(c))
			return false;
	return true;
}

static bool
put_plain(FILE *f, const cJSON *o)
{
	char	*text = json_print(o);

	if (text == NULL)
		return false;
	fputs(text, f);
	free(text);
	return true;
}

static bool
put_name(FILE *f, const char *name)
{
	cJSON	*o = cJSON_CreateString(name);
	bool	 ok = o != NULL && put_plain(f, o);

	cJSON_Delete(o);
	fputs(": ", f);
	return ok;
}

static bool
put(FILE *f, const cJSON *o, const char *unit, size_t depth)
{
	const cJSON	*c;
	bool		 object = cJSON_IsObject(o), ok = true;

	if (is_flat(o))
		return put_plain(f, o);
	fputc(object ? '{' : '[', f);
	for (c = o->child; ok && c != NULL; c = c->next) {
		if (c != o->child)
			fputc(',', f);
		put_indent(f, unit, depth + 1);
		ok = (!object || put_name(f, c->string)) &&
		    put(f, c, unit, depth + 1);
	}
	put_indent(f, unit, depth);
	fputc(object ? '}' : ']', f);
	return ok;
}

/* The names that are missing, and the value in the innermost. */
static cJSON *
wrap(const char *const *path, size_t n, const cJSON *value)
{
	cJSON	*o = cJSON_Duplicate(value, true), *outer;

	while (o != NULL && n-- > 0) {
		if ((outer = cJSON_CreateObject()) == NULL) {
			cJSON_Delete(o);
			return NULL;
		}
		if (!json_set_item(outer, path[n], o)) {
			cJSON_Delete(outer);
			return NULL;
		}
		o = outer;
	}
	return o;
}

/* --- the change --------------------------------------------------------------------- */

/* In the place of a value. */
static bool
replace(FILE *f, const char *text, const struct place *p, const char *unit,
    const cJSON *value)
{
	fwrite(text, 1, (size_t)(p->at - text), f);
	if (!put(f, value, unit, p->depth))
		return false;
	fputs(p->at + p->len, f);
	return true;
}

/* As the last member of an object. */
static bool
insert(FILE *f, const char *text, const struct place *p, const char *unit,
    const char *name, const cJSON *value)
{
	const char	*end = p->at + p->len - 1;	/* its brace */
	const char	*last = end;
	bool		 ok;

	while (isspace((unsigned char)last[-1]))
		last--;
	fwrite(text, 1, (size_t)(last - text), f);
	if (last[-1] != '{')
		fputc(',', f);
	put_indent(f, unit, p->depth + 1);
	ok = put_name(f, name) && put(f, value, unit, p->depth + 1);
	if (memchr(last, '\n', (size_t)(end - last)) != NULL)
		fwrite(last, 1, (size_t)(end - last), f);
	else
		put_indent(f, unit, p->depth);
	fputs(end, f);
	return ok;
}

char *
json_edit_set(const char *text, const char *const *path, size_t n,
    const cJSON *value, struct error *e)
{
	struct place	 p;
	char		 unit[INDENT_MAX + 1], *out = NULL;
	cJSON		*wrapped;
	size_t		 size;
	FILE		*f;
	bool		 ok = false;

	if (is_blank(text))
		text = "{}\n";
	if (find(&p, text, path, n, e) == -1)
		return NULL;
	if (p.depth < n && p.at[0] != '{') {
		wrong(e, p.depth == 0 ? "the whole" : path[p.depth - 1]);
		return NULL;
	}
	indent_of(text, unit);
	wrapped = wrap(path + p.depth + 1, p.depth < n ? n - p.depth - 1 : 0,
	    value);
	if (wrapped != NULL && (f = open_memstream(&out, &size)) != NULL) {
		ok = p.depth == n ? replace(f, text, &p, unit, wrapped) :
		    insert(f, text, &p, unit, path[p.depth], wrapped);
		ok = fclose(f) == 0 && ok;
	}
	cJSON_Delete(wrapped);
	if (ok)
		return out;
	free(out);
	error_set(e, EX_OSERR, "out of memory");
	return NULL;
}
