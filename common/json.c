/* SPDX-License-Identifier: ISC */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "jsonscan.h"
#include "utf8.h"

#define NUMBER_SIZE	40
#define FIXED_BELOW	1e21		/* JavaScript writes 1e21 from there */

/* --- parsing ------------------------------------------------------------- */

/* The caller frees scan->repaired in any case. */
static int
check(struct json_scan *scan, const char *data, size_t len, unsigned depth,
    const char *want, struct error *e)
{
	memset(scan, 0, sizeof(*scan));
	if (len == 0)
		return error_set(e, EX_DATAERR, "not JSON: empty");
	if (json_scan(scan, data, len, depth, want))
		return 0;
	return error_set(e, scan->memory ? EX_OSERR : EX_DATAERR,
	    "not JSON: %s at byte %zu", scan->why, scan->at);
}

int
json_find(struct json_found *f, const char *data, size_t len, unsigned depth,
    const char *name, struct error *e)
{
	struct json_scan	scan;
	int			rc;

	rc = check(&scan, data, len, depth, name, e);
	free(scan.repaired);
	f->times = scan.times;
	f->value = scan.value;
	f->len = scan.value_len;
	return rc;
}

cJSON *
json_parse_depth(const char *data, size_t len, unsigned depth,
    struct error *e)
{
	struct json_scan	 scan;
	cJSON			*o = NULL;

	if (check(&scan, data, len, depth, NULL, e) == 0 &&
	    (o = cJSON_ParseWithLengthOpts(scan.repaired != NULL ?
	    scan.repaired : data, len, NULL, false)) == NULL)
		error_set(e, EX_OSERR, "out of memory for %zu bytes of JSON",
		    len);
	free(scan.repaired);
	return o;
}

cJSON *
json_parse(const char *data, size_t len, struct error *e)
{
	return json_parse_depth(data, len, JSON_DEPTH_MAX, e);
}

const cJSON *
json_get(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int
json_unique(const cJSON *o, const char *path, struct error *e)
{
	const cJSON	 *c;
	const char	**names;
	size_t		  i, n = 0;
	int		  rc = 0;

	if (!cJSON_IsObject(o))
		return 0;
	cJSON_ArrayForEach(c, o)
		n++;
	if ((names = reallocarray(NULL, n + 1, sizeof(*names))) == NULL)
		return error_errno(e, EX_OSERR, "json");
	n = 0;
	cJSON_ArrayForEach(c, o)
		names[n++] = c->string;
	/* Sorted: comparing all with all would take hours on a hostile one. */
	qsort(names, n, sizeof(*names), compare_names);
	for (i = 1; rc == 0 && i < n; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			rc = error_set(e, EX_DATAERR, "%s%s%.64s: given twice",
			    path, path[0] != '\0' ? "." : "", names[i]);
	free(names);
	return rc;
}

/* --- printing ------------------------------------------------------------ */

/* Without trunc(): nothing else here needs libm. */
static bool
is_whole(double d)
{
	return fabs(d) >= (double)JSON_INT_MAX || (double)(int64_t)d == d;
}

/* The shortest text that reads as this very double. */
static void
number_text(char *buf, size_t size, double d)
{
	int	digits;

	if (is_whole(d) && fabs(d) < FIXED_BELOW) {
		snprintf(buf, size, "%.0f", d);
		return;
	}
	for (digits = 15; digits <= 17; digits++) {
		snprintf(buf, size, "%.*g", digits, d);
		if (strtod(buf, NULL) == d)
			break;
	}
}

/* cJSON rounds to 15 digits: not to be left to it. */
static bool
is_delicate(const cJSON *v)
{
	return cJSON_IsNumber(v) && isfinite(v->valuedouble) &&
	    (!is_whole(v->valuedouble) || fabs(v->valuedouble) >= 1e15);
}

static bool
has_delicate(const cJSON *v)
{
	const cJSON	*c;

	if (is_delicate(v))
		return true;
	cJSON_ArrayForEach(c, v)
		if (has_delicate(c))
			return true;
	return false;
}

static bool
fix_delicate(cJSON *v)
{
	cJSON	*c;
	char	 buf[NUMBER_SIZE];

	if (is_delicate(v)) {
		number_text(buf, sizeof(buf), v->valuedouble);
		if ((v->valuestring = strdup(buf)) == NULL)
			return false;
		v->type = (v->type & ~0xff) | cJSON_Raw;
	}
	cJSON_ArrayForEach(c, v)
		if (!fix_delicate(c))
			return false;
	return true;
}

char *
json_print(const cJSON *o)
{
	cJSON	*copy;
	char	*text = NULL;

	if (!has_delicate(o))
		return cJSON_PrintUnformatted(o);
	copy = cJSON_Duplicate(o, true);
	if (copy != NULL && fix_delicate(copy))
		text = cJSON_PrintUnformatted(copy);
	cJSON_Delete(copy);
	return text;
}

bool
json_set_item(cJSON *o, const char *name, cJSON *item)
{
	bool	ok;

	if (item == NULL)
		return false;
	if (json_get(o, name) != NULL)
		ok = cJSON_ReplaceItemInObjectCaseSensitive(o, name, item);
	else
		ok = cJSON_AddItemToObject(o, name, item);
	if (!ok)
		cJSON_Delete(item);
	return ok;
}

static cJSON *
new_string(const char *s)
{
	cJSON	*item;
	char	*repaired;

	if (utf8_is_valid(s, strlen(s)))
		return cJSON_CreateString(s);
	if ((repaired = utf8_repair(s)) == NULL)
		return NULL;
	item = cJSON_CreateString(repaired);
	free(repaired);
	return item;
}

bool
json_set_str(cJSON *o, const char *name, const char *value)
{
	return json_set_item(o, name, new_string(value));
}

bool
json_set_u64(cJSON *o, const char *name, uint64_t value)
{
	return json_set_item(o, name, cJSON_CreateNumber((double)value));
}

bool
json_set_i64(cJSON *o, const char *name, int64_t value)
{
	return json_set_item(o, name, cJSON_CreateNumber((double)value));
}

bool
json_set_bool(cJSON *o, const char *name, bool value)
{
	return json_set_item(o, name, cJSON_CreateBool(value));
}

bool
json_set_strings(cJSON *o, const char *name, char *const *v, size_t n)
{
	cJSON	*list = cJSON_CreateArray(), *item;
	size_t	 i;

	for (i = 0; list != NULL && i < n; i++) {
		if ((item = new_string(v[i])) == NULL ||
		    !cJSON_AddItemToArray(list, item)) {
			cJSON_Delete(item);
			cJSON_Delete(list);
			return false;
		}
	}
	return json_set_item(o, name, list);
}
