/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "record.h"

cJSON *
record_parse(const char *data, size_t len, struct error *e)
{
	cJSON	*o = json_parse(data, len, e);

	if (o != NULL && !cJSON_IsObject(o)) {
		error_set(e, EX_DATAERR, "expected an object");
		cJSON_Delete(o);
		o = NULL;
	}
	return o;
}

cJSON *
record_base(const char *was, size_t was_len)
{
	cJSON	*o = was != NULL ? record_parse(was, was_len, NULL) : NULL;

	/* One that has a field twice would be written with it twice. */
	if (o != NULL && json_unique(o, "", NULL) == -1) {
		cJSON_Delete(o);
		o = NULL;
	}
	return o != NULL ? o : cJSON_CreateObject();
}

char *
record_print(cJSON *o, bool ok)
{
	char	*text = ok ? json_print(o) : NULL;

	cJSON_Delete(o);
	return text;
}

int
record_dup(char **out, const char *s, struct error *e)
{
	*out = s != NULL ? strdup(s) : NULL;
	if (s != NULL && *out == NULL)
		return error_errno(e, EX_OSERR, "record");
	return 0;
}

bool
record_set_str(cJSON *o, const char *name, const char *value)
{
	if (value != NULL)
		return json_set_str(o, name, value);
	cJSON_DeleteItemFromObjectCaseSensitive(o, name);
	return true;
}

bool
record_set_u64(cJSON *o, const char *name, bool have, uint64_t value)
{
	if (have)
		return json_set_u64(o, name, value);
	cJSON_DeleteItemFromObjectCaseSensitive(o, name);
	return true;
}
