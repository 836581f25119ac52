/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "records.h"

const char *const status_names[] = { "idle", "waiting", "working", "offline",
	NULL };

/* A record as it is on the wire. */
struct view {
	const char	*id, *name, *kind, *role, *description;
	const char	*status, *activity, *attention;
	const cJSON	*tags, *meta, *modes;
	int64_t		 ts;
};

#define ROW(key, kind_, must, member)					\
	FIELD(key, kind_, must, struct view, member)

static const struct json_field card_table[] = {
	ROW("id", JSON_STRING, true, id),
	ROW("name", JSON_STRING, true, name),
	ROW("kind", JSON_STRING, true, kind),
	ROW("role", JSON_STRING, false, role),
	ROW("description", JSON_STRING, false, description),
	ROW("tags", JSON_ANY, false, tags),
	ROW("meta", JSON_ANY, false, meta),
	JSON_END
};

static const struct json_field table[] = {
	{ .name = "card", .type = JSON_OBJECT, .required = true,
	    .sub = card_table },
	{ .name = "status", .type = JSON_STRING, .required = true,
	    .offset = offsetof(struct view, status),
	    .one_of = status_names },
	ROW("activity", JSON_STRING, false, activity),
	ROW("attention", JSON_STRING, false, attention),
	ROW("channelModes", JSON_ANY, false, modes),
	ROW("ts", JSON_I64, true, ts),
	JSON_END
};

static enum status
status_of(const char *name)
{
	size_t	i;

	for (i = 0; status_names[i] != NULL; i++)
		if (strcmp(status_names[i], name) == 0)
			return (enum status)i;
	return STATUS_OFFLINE;
}

static int
fill_tags(struct presence *p, const cJSON *tags, struct error *e)
{
	const cJSON	*v;

	if (!cJSON_IsArray(tags))
		return 0;
	cJSON_ArrayForEach(v, tags)
		if (cJSON_IsString(v) && !strlist_add(&p->tags,
		    v->valuestring))
			return error_errno(e, EX_OSERR, "record");
	return 0;
}

static bool
is_mode(const cJSON *v)
{
	return cJSON_IsString(v) && (strcmp(v->valuestring, "quiet") == 0 ||
	    strcmp(v->valuestring, "muted") == 0);
}

static int
fill_modes(struct presence *p, const cJSON *modes, struct error *e)
{
	const cJSON	*v;

	if (!cJSON_IsObject(modes))
		return 0;
	cJSON_ArrayForEach(v, modes) {
		if (!is_mode(v))
			continue;
		if ((p->modes == NULL && (p->modes =
		    cJSON_CreateObject()) == NULL) ||
		    !json_set_str(p->modes, v->string, v->valuestring))
			return error_errno(e, EX_OSERR, "record");
	}
	return 0;
}

static int
fill(struct presence *p, const struct view *v, struct error *e)
{
	p->status = status_of(v->status);
	p->ts_ms = v->ts;
	if (record_dup(&p->id, v->id, e) == -1 ||
	    record_dup(&p->name, v->name, e) == -1 ||
	    record_dup(&p->kind, v->kind, e) == -1 ||
	    record_dup(&p->role, v->role, e) == -1 ||
	    record_dup(&p->description, v->description, e) == -1 ||
	    record_dup(&p->activity, v->activity, e) == -1 ||
	    record_dup(&p->model, cJSON_GetStringValue(json_get(v->meta,
	    "model")), e) == -1 || fill_tags(p, v->tags, e) == -1 ||
	    fill_modes(p, v->modes, e) == -1)
		return -1;
	return record_dup(&p->attention, v->attention, e);
}

int
presence_read(struct presence *p, const char *key, const char *data,
    size_t len, struct error *e)
{
	struct view	 v = { .id = NULL };
	cJSON		*o;
	int		 rc;

	memset(p, 0, sizeof(*p));
	if ((o = record_parse(data, len, e)) == NULL)
		return -1;
	rc = json_read(o, table, &v, "", e);
	if (rc == 0 && strcmp(v.id, key) != 0)
		rc = error_set(e, EX_DATAERR,
		    "card.id: is not the key of its record");
	if (rc == 0)
		rc = fill(p, &v, e);
	cJSON_Delete(o);
	return rc;
}

static bool
set_card(cJSON *card, const struct presence *p)
{
	cJSON	*meta = NULL;

	if (!json_set_str(card, "id", p->id) ||
	    !json_set_str(card, "name", p->name) ||
	    !json_set_str(card, "kind", p->kind) ||
	    !record_set_str(card, "role", p->role) ||
	    !record_set_str(card, "description", p->description) ||
	    (p->tags.n > 0 && !json_set_strings(card, "tags", p->tags.v,
	    p->tags.n)))
		return false;
	return p->model == NULL ||
	    (json_set_item(card, "meta", meta = cJSON_CreateObject()) &&
	    json_set_str(meta, "model", p->model));
}

static bool
set_modes(cJSON *o, const struct presence *p)
{
	return p->modes == NULL || p->modes->child == NULL ||
	    json_set_item(o, "channelModes", cJSON_Duplicate(p->modes, true));
}

char *
presence_write(const struct presence *p)
{
	cJSON	*o = cJSON_CreateObject(), *card = cJSON_CreateObject();
	bool	 away = p->status == STATUS_OFFLINE;

	if (o == NULL || !json_set_item(o, "card", card)) {
		if (o == NULL)
			cJSON_Delete(card);
		return record_print(o, false);
	}
	return record_print(o, set_card(card, p) &&
	    json_set_str(o, "status", status_names[p->status]) &&
	    record_set_str(o, "activity", p->activity) &&
	    record_set_str(o, "attention", away ? NULL : p->attention) &&
	    (away || set_modes(o, p)) &&
	    json_set_i64(o, "ts", p->ts_ms));
}

void
presence_free(struct presence *p)
{
	free(p->id);
	free(p->name);
	free(p->kind);
	free(p->role);
	free(p->description);
	free(p->activity);
	free(p->attention);
	free(p->model);
	strlist_free(&p->tags);
	cJSON_Delete(p->modes);
	memset(p, 0, sizeof(*p));
}
