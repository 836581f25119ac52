/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "message.h"

/* --- reading ------------------------------------------------------------- */

bool
message_id_is_valid(const char *id)
{
	const char	*p;

	for (p = id; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return p > id && p - id <= MESSAGE_ID_MAX;
}

/* ^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$ */
static bool
is_reverse_dns(const char *s)
{
	bool	dotted = false, empty = true;

	for (; *s != '\0'; s++) {
		if (*s == '.') {
			if (empty)
				return false;
			dotted = empty = true;
		} else if (*s == '-' || (*s >= '0' && *s <= '9') ||
		    (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z'))
			empty = false;
		else
			return false;
	}
	return dotted && !empty;
}

struct part {
	const char	*kind;
	const char	*text;
	const cJSON	*data;
};

static int
check_part(const cJSON *o, const char *path, struct error *e)
{
	static const struct json_field	kind_only[] = {
		{ .name = "kind", .type = JSON_STRING, .required = true,
		    .offset = offsetof(struct part, kind) },
		JSON_END
	};
	static const struct json_field	text[] = {
		{ .name = "text", .type = JSON_STRING, .required = true,
		    .offset = offsetof(struct part, text) },
		JSON_END
	};
	static const struct json_field	data[] = {
		{ .name = "data", .type = JSON_ANY,
		    .offset = offsetof(struct part, data) },
		JSON_END
	};
	struct part			part = { .kind = NULL };

	if (json_read(o, kind_only, &part, path, e) == -1)
		return -1;
	if (strcmp(part.kind, "text") == 0)
		return json_read(o, text, &part, path, e);
	if (strcmp(part.kind, "data") == 0) {
		/* null is data too, so not by the table. */
		if (json_get(o, "data") == NULL)
			return error_set(e, EX_DATAERR, "%s.data: missing",
			    path);
		return json_read(o, data, &part, path, e);
	}
	return is_reverse_dns(part.kind) ? 0 : error_set(e, EX_DATAERR,
	    "%s.kind: expected text, data or a reverse-DNS name", path);
}

#define STRING(key, member, must)					\
	{ .name = key, .type = JSON_STRING, .required = must,		\
	    .offset = offsetof(struct message, member) }

static const struct json_field from_table[] = {
	STRING("id", from_id, true),
	STRING("name", from_name, true),
	STRING("role", from_role, false),
	JSON_END
};

static const struct json_field table[] = {
	STRING("id", id, true),
	STRING("space", space, true),
	{ .name = "from", .type = JSON_OBJECT, .required = true,
	    .sub = from_table },
	STRING("channel", channel, false),
	STRING("to", to, false),
	STRING("toService", to_service, false),
	{ .name = "mentions", .type = JSON_STRINGS,
	    .offset = offsetof(struct message, mentions) },
	{ .name = "parts", .type = JSON_ARRAY, .required = true,
	    .offset = offsetof(struct message, parts), .each = check_part },
	STRING("replyTo", reply_to, false),
	STRING("contextId", context_id, false),
	JSON_END
};

static int
read_ts(struct message *m, struct error *e)
{
	const cJSON	*ts = json_get(m->tree, "ts");
	const double	 most = (double)JSON_INT_MAX;

	if (ts == NULL || cJSON_IsNull(ts))
		return error_set(e, EX_DATAERR, "ts: missing");
	if (!cJSON_IsNumber(ts))
		return error_set(e, EX_DATAERR, "ts: expected a number");
	if (!(ts->valuedouble >= -most && ts->valuedouble <= most))
		return error_set(e, EX_DATAERR, "ts: out of range");
	/* Clocks with fractions of a millisecond exist. */
	m->ts_ms = (int64_t)(ts->valuedouble +
	    (ts->valuedouble < 0 ? -0.5 : 0.5));
	return 0;
}

static int
check_address(const struct message *m, struct error *e)
{
	int	n = (json_get(m->tree, "channel") != NULL) +
		    (json_get(m->tree, "to") != NULL) +
		    (json_get(m->tree, "toService") != NULL);

	if (n != 1 || (m->channel == NULL && m->to == NULL &&
	    m->to_service == NULL))
		return error_set(e, EX_DATAERR,
		    "expected exactly one of channel, to, toService");
	return 0;
}

int
message_parse(struct message *m, const char *data, size_t len,
    struct error *e)
{
	memset(m, 0, sizeof(*m));
	m->tree = json_parse_depth(data, len, MESSAGE_DEPTH_MAX, e);
	if (m->tree == NULL)
		return -1;
	if (!cJSON_IsObject(m->tree))
		return error_set(e, EX_DATAERR, "expected an object");
	/* Whoever reads the copy may see the other of two. */
	if (json_unique(m->tree, "", e) == -1 ||
	    json_unique(json_get(m->tree, "from"), "from", e) == -1 ||
	    json_read(m->tree, table, m, "", e) == -1 ||
	    read_ts(m, e) == -1)
		return -1;
	if (!message_id_is_valid(m->id))
		return error_set(e, EX_DATAERR, "id: expected 1 to %d bytes "
		    "without control characters", MESSAGE_ID_MAX);
	return check_address(m, e);
}

void
message_free(struct message *m)
{
	json_strings_free(&m->mentions);
	cJSON_Delete(m->tree);
	memset(m, 0, sizeof(*m));
}

/* --- what its subject says ----------------------------------------------- */

static bool
same(const char *s, const char *view, size_t len)
{
	return s != NULL && strlen(s) == len && memcmp(s, view, len) == 0;
}

int
message_check(const struct message *m, const struct subject *s,
    struct error *e)
{
	char	role[SUBJECT_MAX];

	if (s->kind != SUBJECT_CHAT && s->kind != SUBJECT_INST &&
	    s->kind != SUBJECT_SVC)
		return error_set(e, EX_DATAERR, "not a message's subject");
	if (!same(m->from_id, s->sender, s->sender_len))
		return error_set(e, EX_DATAERR,
		    "from.id: is not the sender of its subject");
	if (s->kind == SUBJECT_CHAT &&
	    !same(m->channel, s->rest, s->rest_len))
		return error_set(e, EX_DATAERR,
		    "channel: is not that of its subject");
	if (s->kind == SUBJECT_INST && !same(m->to, s->rest, s->rest_len))
		return error_set(e, EX_DATAERR,
		    "to: is not the target of its subject");
	if (s->kind == SUBJECT_SVC && (m->to_service == NULL ||
	    name_token(role, sizeof(role), m->to_service) == -1 ||
	    !same(role, s->rest, s->rest_len)))
		return error_set(e, EX_DATAERR,
		    "toService: is not the role of its subject");
	return 0;
}

/* The text of a part that has one, else NULL. */
static const char *
part_text(const cJSON *part)
{
	const char	*kind = cJSON_GetStringValue(json_get(part, "kind"));

	return kind != NULL && strcmp(kind, "text") == 0 ?
	    cJSON_GetStringValue(json_get(part, "text")) : NULL;
}

char *
message_text(const struct message *m)
{
	const cJSON	*part;
	const char	*s;
	char		*text, *p;
	size_t		 size = 1;
	bool		 first = true;

	cJSON_ArrayForEach(part, m->parts)
		if ((s = part_text(part)) != NULL)
			size += strlen(s) + 1;
	if ((text = malloc(size)) == NULL)
		return NULL;
	p = text;
	cJSON_ArrayForEach(part, m->parts) {
		if ((s = part_text(part)) == NULL)
			continue;
		if (!first)
			*p++ = '\n';
		first = false;
		p = stpcpy(p, s);
	}
	*p = '\0';
	return text;
}

/* --- writing ------------------------------------------------------------- */

static bool
set_optional(cJSON *o, const char *name, const char *value)
{
	return value == NULL || json_set_str(o, name, value);
}

/* An object that is already in its parent; NULL when out of memory. */
static cJSON *
set_object(cJSON *o, const char *name)
{
	cJSON	*child = cJSON_CreateObject();

	return json_set_item(o, name, child) ? child : NULL;
}

static bool
write_from(cJSON *o, const struct message_draft *d)
{
	cJSON	*from = set_object(o, "from");

	return from != NULL && json_set_str(from, "id", d->from_id) &&
	    json_set_str(from, "name", d->from_name) &&
	    set_optional(from, "role", d->from_role);
}

static bool
write_parts(cJSON *o, const struct message_draft *d)
{
	cJSON	*parts = cJSON_CreateArray(), *part = cJSON_CreateObject();

	if (!json_set_item(o, "parts", parts) || part == NULL ||
	    !cJSON_AddItemToArray(parts, part)) {
		cJSON_Delete(part);
		return false;
	}
	if (d->text != NULL)
		return json_set_str(part, "kind", "text") &&
		    json_set_str(part, "text", d->text);
	return json_set_str(part, "kind", "data") &&
	    json_set_item(part, "data", d->data != NULL ?
	    cJSON_Duplicate(d->data, true) : cJSON_CreateNull());
}

char *
message_write(const struct message_draft *d)
{
	cJSON	*o = cJSON_CreateObject();
	char	*text = NULL;

	if (o != NULL && json_set_str(o, "id", d->id) &&
	    json_set_i64(o, "ts", d->ts_ms) &&
	    json_set_str(o, "space", d->space) && write_from(o, d) &&
	    set_optional(o, "channel", d->channel) &&
	    set_optional(o, "to", d->to) &&
	    set_optional(o, "toService", d->to_service) &&
	    (d->n_mentions == 0 || json_set_strings(o, "mentions",
	    d->mentions, d->n_mentions)) && write_parts(o, d) &&
	    set_optional(o, "replyTo", d->reply_to) &&
	    set_optional(o, "contextId", d->context_id))
		text = json_print(o);
	cJSON_Delete(o);
	return text;
}

void
message_new_id(char *buf)
{
	unsigned char	b[16];

	randombytes_buf(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);	/* version 4 */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);	/* RFC 4122 */
	snprintf(buf, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5],
	    b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}
