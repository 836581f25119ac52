/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "record.h"
#include "records.h"

static const char *const reasons[] = { "durable-channel", "live-mention",
	NULL };

/* An entry as it is on the wire. */
struct view {
	const char	*channel, *reason, *msg_id;
	uint64_t	 seq, generation;
};

#define ROW(key, kind, must, member)					\
	FIELD(key, kind, must, struct view, member)

static const struct json_field msg_table[] = {
	ROW("id", JSON_STRING, true, msg_id),
	JSON_END
};

static const struct json_field table[] = {
	{ .name = "msg", .type = JSON_OBJECT, .required = true,
	    .sub = msg_table },
	{ .name = "channel", .type = JSON_STRING, .required = true,
	    .offset = offsetof(struct view, channel), .max = SUBJECT_MAX },
	ROW("seq", JSON_U64, true, seq),
	{ .name = "reason", .type = JSON_STRING, .required = true,
	    .offset = offsetof(struct view, reason), .one_of = reasons },
	ROW("generation", JSON_U64, true, generation),
	JSON_END
};

/*
 * The entry with nothing of msg but its id: most of an entry is its message,
 * which goes on as it is.  malloc'd; NULL when out of memory.
 */
static char *
without_msg(const char *data, size_t len, const char *msg, size_t msg_len,
    size_t *out_len)
{
	static const char	name[] = "\"id\":", twice[] = "\"id\":0,\"id\":0";
	const char		*id, *tail = msg + msg_len;
	size_t			 id_len;
	char			*out, *p;

	if ((out = p = malloc(len + sizeof(twice) + 2)) == NULL)
		return NULL;
	p = mempcpy(p, data, (size_t)(msg - data));
	*p++ = '{';
	switch (json_span(msg, msg_len, "id", &id, &id_len)) {
	case 0:
		break;
	case 1:
		p = mempcpy(p, name, sizeof(name) - 1);
		p = mempcpy(p, id, id_len);
		break;
	default:
		/* For the reader of the text to refuse. */
		p = mempcpy(p, twice, sizeof(twice) - 1);
	}
	*p++ = '}';
	p = mempcpy(p, tail, (size_t)(data + len - tail));
	*out_len = (size_t)(p - out);
	return out;
}

/* The tree of an entry, msg in it cut down to its id. */
static cJSON *
parse_around(const char *data, size_t len, struct entry *en, struct error *e)
{
	cJSON	*tree;
	char	*rest;
	size_t	 rest_len;

	if (json_check(data, len, e) == -1)
		return NULL;
	if (json_span(data, len, "msg", &en->msg, &en->msg_len) == 0 ||
	    en->msg[0] != '{')
		return record_parse(data, len, e);
	rest = without_msg(data, len, en->msg, en->msg_len, &rest_len);
	if (rest == NULL) {
		error_errno(e, EX_OSERR, "entry");
		return NULL;
	}
	tree = record_parse(rest, rest_len, e);
	free(rest);
	return tree;
}

int
entry_read(struct entry *en, const char *data, size_t len, struct error *e)
{
	struct view	v = { .channel = NULL };

	memset(en, 0, sizeof(*en));
	if ((en->tree = parse_around(data, len, en, e)) == NULL ||
	    json_read(en->tree, table, &v, "", e) == -1)
		return -1;
	if (!message_id_is_valid(v.msg_id))
		return error_set(e, EX_DATAERR, "msg.id: expected 1 to %d "
		    "bytes without control characters", MESSAGE_ID_MAX);
	en->channel = v.channel;
	en->seq = v.seq;
	en->reason = strcmp(v.reason, reasons[ENTRY_DURABLE_CHANNEL]) == 0 ?
	    ENTRY_DURABLE_CHANNEL : ENTRY_LIVE_MENTION;
	en->generation = v.generation;
	en->msg_id = v.msg_id;
	return 0;
}

void
entry_free(struct entry *en)
{
	cJSON_Delete(en->tree);
	memset(en, 0, sizeof(*en));
}

/* A string as JSON, quotes included; malloc'd. */
static char *
quoted(const char *s)
{
	cJSON	*item = cJSON_CreateString(s);
	char	*text = item != NULL ? json_print(item) : NULL;

	cJSON_Delete(item);
	return text;
}

char *
entry_head(const char *msg, size_t msg_len, const char *channel,
    uint64_t seq, enum entry_reason reason, size_t *head_len)
{
	static const char	open[] = "{\"msg\":";
	char			*name = quoted(channel), *tail = NULL;
	char			*head = NULL, *p;
	int			 n = -1;

	if (name != NULL)
		n = asprintf(&tail, ",\"channel\":%s,\"seq\":%llu,"
		    "\"reason\":\"%s\",\"generation\":", name,
		    (unsigned long long)seq, reasons[reason]);
	free(name);
	if (n == -1)
		return NULL;
	*head_len = sizeof(open) - 1 + msg_len + (size_t)n;
	if ((head = malloc(*head_len + 1)) != NULL) {
		p = mempcpy(head, open, sizeof(open) - 1);
		p = mempcpy(p, msg, msg_len);
		memcpy(p, tail, (size_t)n + 1);
	}
	free(tail);
	return head;
}
