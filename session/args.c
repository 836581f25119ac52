/* SPDX-License-Identifier: ISC */

/*
 * What a tool takes: the schema that is shown, and the check that it stands
 * for, of one table.  The schemas say nothing that drafts differ in, so no
 * dialect is named: the protocol's own is draft 2020-12.
 */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "tools.h"

#define ITEM_MAX	256	/* characters of one in a list */

/* --- the schema ------------------------------------------------------------------ */

static int64_t
most_of(const struct tool_arg *a)
{
	return a->most > 0 ? a->most : TOOL_TEXT_MAX;
}

static cJSON *
one_of_schema(const char *const *v)
{
	cJSON	*list = cJSON_CreateArray(), *o;
	size_t	 i;

	for (i = 0; list != NULL && v[i] != NULL; i++)
		if ((o = cJSON_CreateString(v[i])) == NULL ||
		    !cJSON_AddItemToArray(list, o)) {
			cJSON_Delete(o);
			cJSON_Delete(list);
			list = NULL;
		}
	return list;
}

static bool
string_schema(cJSON *o, int64_t least, int64_t most, const char *const *v)
{
	if (!json_set_str(o, "type", "string"))
		return false;
	if (v != NULL)
		return json_set_item(o, "enum", one_of_schema(v));
	return json_set_i64(o, "minLength", least) &&
	    json_set_i64(o, "maxLength", most);
}

static bool
list_schema(cJSON *o, const struct tool_arg *a)
{
	cJSON	*item = cJSON_CreateObject();

	if (item == NULL || !string_schema(item, 1, ITEM_MAX, a->one_of)) {
		cJSON_Delete(item);
		return false;
	}
	return json_set_item(o, "items", item) &&
	    json_set_str(o, "type", "array") &&
	    json_set_i64(o, "minItems", a->least) &&
	    json_set_i64(o, "maxItems", most_of(a)) &&
	    json_set_bool(o, "uniqueItems", true);
}

static bool
type_schema(cJSON *o, const struct tool_arg *a)
{
	switch (a->type) {
	case TOOL_STRING:
		return string_schema(o, a->least, most_of(a), a->one_of);
	case TOOL_STRINGS:
		return list_schema(o, a);
	case TOOL_BOOL:
		return json_set_str(o, "type", "boolean");
	case TOOL_INTEGER:
		return json_set_str(o, "type", "integer") &&
		    json_set_i64(o, "minimum", a->least) &&
		    json_set_i64(o, "maximum", most_of(a));
	}
	return false;
}

static cJSON *
arg_schema(const struct tool_arg *a)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && type_schema(o, a) &&
	    json_set_str(o, "description", a->what))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static bool
fill_schema(cJSON *o, const struct tool_arg *a)
{
	cJSON	*properties = cJSON_CreateObject();
	cJSON	*required = cJSON_CreateArray(), *name;
	bool	 ok = properties != NULL && required != NULL;

	for (; ok && a != NULL && a->name != NULL; a++) {
		ok = json_set_item(properties, a->name, arg_schema(a));
		if (!ok || !a->required)
			continue;
		name = cJSON_CreateString(a->name);
		ok = name != NULL && cJSON_AddItemToArray(required, name);
	}
	if (!ok) {
		cJSON_Delete(properties);
		cJSON_Delete(required);
		return false;
	}
	ok = json_set_item(o, "properties", properties);
	/* An empty one is against the drafts before the sixth. */
	if (ok && cJSON_GetArraySize(required) > 0)
		return json_set_item(o, "required", required);
	cJSON_Delete(required);
	return ok;
}

cJSON *
tool_schema(const struct tool *t)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_str(o, "type", "object") &&
	    fill_schema(o, t->args) &&
	    json_set_bool(o, "additionalProperties", false))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* --- the check ---------------------------------------------------------------------- */

static int64_t
characters(const char *s)
{
	int64_t	n = 0;

	for (; *s != '\0'; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static int
check_one_of(const struct tool_arg *a, const char *s, struct error *e)
{
	char	list[256] = "";
	size_t	i;

	for (i = 0; a->one_of[i] != NULL; i++) {
		if (strcmp(a->one_of[i], s) == 0)
			return 0;
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    "%s\"%s\"", i == 0 ? "" : a->one_of[i + 1] == NULL ?
		    " or " : ", ", a->one_of[i]);
	}
	return error_set(e, EX_USAGE, "%s: expected %s", a->name, list);
}

static int
check_string(const struct tool_arg *a, const cJSON *v, struct error *e)
{
	int64_t	n;

	if (!cJSON_IsString(v))
		return error_set(e, EX_USAGE, "%s: expected a string",
		    a->name);
	if (a->one_of != NULL)
		return check_one_of(a, v->valuestring, e);
	n = characters(v->valuestring);
	if (n >= a->least && n <= most_of(a))
		return 0;
	return error_set(e, EX_USAGE, "%s: expected a string of %lld to %lld "
	    "characters", a->name, (long long)a->least,
	    (long long)most_of(a));
}

static int
check_item(const struct tool_arg *a, const cJSON *v, int i, struct error *e)
{
	const cJSON	*u;
	int64_t		 n;

	if (!cJSON_IsString(v))
		return error_set(e, EX_USAGE, "%s[%d]: expected a string",
		    a->name, i);
	n = characters(v->valuestring);
	if (n < 1 || n > ITEM_MAX)
		return error_set(e, EX_USAGE, "%s[%d]: expected a string of 1 "
		    "to %d characters", a->name, i, ITEM_MAX);
	for (u = v->next; u != NULL; u = u->next)
		if (cJSON_IsString(u) && strcmp(u->valuestring,
		    v->valuestring) == 0)
			return error_set(e, EX_USAGE, "%s[%d]: it is there "
			    "twice", a->name, i);
	return a->one_of == NULL ? 0 : check_one_of(a, v->valuestring, e);
}

static int
check_list(const struct tool_arg *a, const cJSON *v, struct error *e)
{
	const cJSON	*item;
	int		 i = 0, n = cJSON_GetArraySize(v);

	if (!cJSON_IsArray(v) || n < a->least || n > most_of(a))
		return error_set(e, EX_USAGE, "%s: expected a list of %lld to "
		    "%lld strings", a->name, (long long)a->least,
		    (long long)most_of(a));
	cJSON_ArrayForEach(item, v)
		if (check_item(a, item, i++, e) == -1)
			return -1;
	return 0;
}

static int
check_integer(const struct tool_arg *a, const cJSON *v, struct error *e)
{
	double	d = cJSON_IsNumber(v) ? v->valuedouble : 0.5;

	if (d >= (double)a->least && d <= (double)most_of(a) &&
	    d == (double)(int64_t)d)
		return 0;
	return error_set(e, EX_USAGE, "%s: expected an integer from %lld to "
	    "%lld", a->name, (long long)a->least, (long long)most_of(a));
}

static int
check_arg(const struct tool_arg *a, const cJSON *v, struct error *e)
{
	switch (a->type) {
	case TOOL_STRING:
		return check_string(a, v, e);
	case TOOL_STRINGS:
		return check_list(a, v, e);
	case TOOL_BOOL:
		return cJSON_IsBool(v) ? 0 : error_set(e, EX_USAGE, "%s: "
		    "expected true or false", a->name);
	case TOOL_INTEGER:
		return check_integer(a, v, e);
	}
	return -1;
}

static const struct tool_arg *
find_arg(const struct tool *t, const char *name)
{
	const struct tool_arg	*a;

	for (a = t->args; a != NULL && a->name != NULL; a++)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

static int
unknown(const struct tool *t, const char *name, struct error *e)
{
	const struct tool_arg	*a;
	char			 list[200] = "";

	for (a = t->args; a != NULL && a->name != NULL; a++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    "%s%s", list[0] == '\0' ? "" : ", ", a->name);
	return error_set(e, EX_USAGE, "%s takes no argument \"%.60s\": it "
	    "takes %s", t->name, name, list[0] == '\0' ? "none" : list);
}

int
tool_check(const struct tool *t, const cJSON *args, struct error *e)
{
	const struct tool_arg	*a;
	const cJSON		*v;

	if (json_unique(args, "", e) == -1)
		return -1;
	cJSON_ArrayForEach(v, args) {
		if ((a = find_arg(t, v->string)) == NULL)
			return unknown(t, v->string, e);
		if (check_arg(a, v, e) == -1)
			return -1;
	}
	for (a = t->args; a != NULL && a->name != NULL; a++)
		if (a->required && json_get(args, a->name) == NULL)
			return error_set(e, EX_USAGE, "%s is missing: %s",
			    a->name, a->what);
	return 0;
}

/* --- what was given ------------------------------------------------------------------ */

const char *
arg_text(const cJSON *args, const char *name)
{
	return cJSON_GetStringValue(json_get(args, name));
}

bool
arg_bool(const cJSON *args, const char *name, bool otherwise)
{
	const cJSON	*v = json_get(args, name);

	return cJSON_IsBool(v) ? cJSON_IsTrue(v) : otherwise;
}

int
arg_list(struct strlist *out, const cJSON *args, const char *name)
{
	const cJSON	*v;

	cJSON_ArrayForEach(v, json_get(args, name))
		if (!strlist_add(out, v->valuestring))
			return -1;
	return 0;
}
