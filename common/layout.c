/* SPDX-License-Identifier: ISC */
#include <string.h>

#include <cjson/cJSON.h>

#include "json.h"
#include "layout.h"

struct view {
	uint64_t	shards, next, at, was;
};

static const struct json_field table[] = {
	{ .name = "shards", .type = JSON_U64, .required = true,
	    .offset = offsetof(struct view, shards),
	    .max = LAYOUT_SHARDS_MAX },
	{ .name = "next", .type = JSON_U64,
	    .offset = offsetof(struct view, next), .max = LAYOUT_SHARDS_MAX },
	{ .name = "at", .type = JSON_U64,
	    .offset = offsetof(struct view, at) },
	{ .name = "was", .type = JSON_U64,
	    .offset = offsetof(struct view, was), .max = LAYOUT_SHARDS_MAX },
	JSON_END
};

int
layout_read(struct layout *l, const char *data, size_t len, struct error *e)
{
	struct view	 v = { .shards = 1 };
	cJSON		*o = NULL;
	int		 r = 0;

	memset(l, 0, sizeof(*l));
	l->shards = 1;
	if (data == NULL)
		return 0;
	o = json_parse(data, len, e);
	r = o == NULL ? -1 : json_read(o, table, &v, "", e);
	cJSON_Delete(o);
	if (r == 0 && v.shards == 0)
		r = error_set(e, EX_DATAERR, "shards: expected at least 1");
	if (r == -1)
		return -1;
	l->shards = (unsigned)v.shards;
	l->next = (unsigned)v.next;
	l->at_seq = v.at;
	l->was = (unsigned)v.was;
	return 0;
}

char *
layout_write(const struct layout *l)
{
	cJSON	*o = cJSON_CreateObject();
	char	*text = NULL;

	if (o != NULL && json_set_u64(o, "shards", l->shards) &&
	    (l->next == 0 || json_set_u64(o, "next", l->next)) &&
	    (l->at_seq == 0 || json_set_u64(o, "at", l->at_seq)) &&
	    (l->was == 0 || json_set_u64(o, "was", l->was)))
		text = json_print(o);
	cJSON_Delete(o);
	return text;
}

bool
layout_holds(const struct layout *l, uint64_t seq)
{
	return l->next != 0 && seq > l->at_seq;
}

int
layout_fits(const struct layout *l, unsigned shards, struct error *e)
{
	if (l->shards == shards)
		return 0;
	return error_set(e, EX_CONFIG, "the space has %u shard%s, this host "
	    "is set up for %u: run `reeve init` here", l->shards,
	    l->shards == 1 ? "" : "s", shards);
}
