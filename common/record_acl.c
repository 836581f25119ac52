/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "records.h"

/* A record as it is on the wire. */
struct view {
	struct json_strings	 allow;
	uint64_t		 revision;
	int64_t			 updated;
	const char		*name;
};

#define ROW(key, kind, must, member)					\
	FIELD(key, kind, must, struct view, member)

static const struct json_field table[] = {
	ROW("allowSubscribe", JSON_STRINGS, true, allow),
	ROW("revision", JSON_U64, false, revision),
	ROW("updatedAt", JSON_I64, false, updated),
	ROW("name", JSON_STRING, false, name),
	JSON_END
};

static int
fill(struct acl *a, const struct view *v, struct error *e)
{
	size_t	i;

	a->revision = v->revision;
	a->updated_ms = v->updated;
	a->allow = calloc(v->allow.n + 1, sizeof(*a->allow));
	if (a->allow == NULL)
		return error_errno(e, EX_OSERR, "record");
	for (i = 0; i < v->allow.n; i++) {
		if (record_dup(&a->allow[i], v->allow.v[i], e) == -1)
			return -1;
		a->n_allow++;
	}
	return record_dup(&a->name, v->name, e);
}

int
acl_read(struct acl *a, const char *data, size_t len, struct error *e)
{
	struct view	 v = { .revision = 0 };
	cJSON		*o;
	int		 rc;

	memset(a, 0, sizeof(*a));
	if ((o = record_parse(data, len, e)) == NULL)
		return -1;
	if ((rc = json_read(o, table, &v, "", e)) == 0)
		rc = fill(a, &v, e);
	json_strings_free(&v.allow);
	cJSON_Delete(o);
	return rc;
}

char *
acl_write(const struct acl *a, const char *was, size_t was_len)
{
	cJSON	*o = record_base(was, was_len);

	return record_print(o, o != NULL &&
	    json_set_strings(o, "allowSubscribe", a->allow, a->n_allow) &&
	    json_set_u64(o, "revision", a->revision) &&
	    json_set_i64(o, "updatedAt", a->updated_ms) &&
	    record_set_str(o, "name", a->name));
}

void
acl_free(struct acl *a)
{
	strings_free(a->allow, a->n_allow);
	free(a->name);
	memset(a, 0, sizeof(*a));
}
