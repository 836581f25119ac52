/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "record.h"
#include "records.h"
#include "utf8.h"

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

/* --- as entry_head lays it out ---------------------------------------------- */

static const char	open[] = "{\"msg\":";	/* then the message */

/* The number that ends at *end, which moves before it; false if there is
 * none that JSON_U64 would take as it stands. */
static bool
number_before(const char *from, const char **end, uint64_t *n)
{
	const char	*p = *end;
	uint64_t	 unit = 1;

	for (*n = 0; p > from && p[-1] >= '0' && p[-1] <= '9' &&
	    *end - p < 15; unit *= 10)
		*n += (uint64_t)(*--p - '0') * unit;
	if (p == *end || (*p == '0' && *end - p > 1))
		return false;
	*end = p;
	return true;
}

static bool
word_before(const char *from, const char **end, const char *word)
{
	size_t	n = strlen(word);

	if ((size_t)(*end - from) < n || memcmp(*end - n, word, n) != 0)
		return false;
	*end -= n;
	return true;
}

/* The string whose closing quote is before *end, if it has no escapes. */
static bool
string_before(const char *from, const char **end, char *buf, size_t size)
{
	const char	*p = *end - 1;
	size_t		 i, n;

	if (*end == from || *p != '"')
		return false;
	while (p > from && p[-1] != '"')
		p--;
	n = (size_t)(*end - 1 - p);
	if (p == from || n == 0 || n >= size || !utf8_is_valid(p, n))
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == '\\')
			return false;
	memcpy(buf, p, n);
	buf[n] = '\0';
	*end = p - 1;
	return true;
}

/*
 * Most of an entry is its message, which goes on as it is; ours have the rest
 * behind it.  That is read from the end; the message in front of it is JSON,
 * and so it is all.  False: look at it as at any other.
 */
static bool
read_ours(struct entry *en, const char *data, size_t len)
{
	const char		*end = data + len;
	struct json_found	 id;

	en->reason = ENTRY_DURABLE_CHANNEL;
	if (len < sizeof(open) || memcmp(data, open, sizeof(open) - 1) != 0 ||
	    !word_before(data, &end, "}") ||
	    !number_before(data, &end, &en->generation) ||
	    !word_before(data, &end, "\",\"generation\":"))
		return false;
	if (!word_before(data, &end, reasons[en->reason])) {
		en->reason = ENTRY_LIVE_MENTION;
		if (!word_before(data, &end, reasons[en->reason]))
			return false;
	}
	if (!word_before(data, &end, ",\"reason\":\"") ||
	    !number_before(data, &end, &en->seq) ||
	    !word_before(data, &end, ",\"seq\":") ||
	    !string_before(data, &end, en->own_channel,
	    sizeof(en->own_channel)) ||
	    !word_before(data, &end, ",\"channel\":"))
		return false;
	en->msg = data + sizeof(open) - 1;
	if (end <= en->msg || *en->msg != '{')
		return false;
	en->msg_len = (size_t)(end - en->msg);
	if (json_find(&id, en->msg, en->msg_len, JSON_DEPTH_MAX - 1, "id",
	    NULL) == -1 || id.times != 1 || id.value[0] != '"' ||
	    id.len - 2 >= sizeof(en->own_id) ||
	    memchr(id.value, '\\', id.len) != NULL)
		return false;
	memcpy(en->own_id, id.value + 1, id.len - 2);
	en->own_id[id.len - 2] = '\0';
	en->channel = en->own_channel;
	en->msg_id = en->own_id;
	return message_id_is_valid(en->msg_id);
}

/* --- as anybody may -------------------------------------------------------------- */

static int
read_any(struct entry *en, const char *data, size_t len, struct error *e)
{
	struct view		v = { .channel = NULL };
	struct json_found	msg;

	if ((en->tree = record_parse(data, len, e)) == NULL ||
	    json_read(en->tree, table, &v, "", e) == -1 ||
	    json_find(&msg, data, len, JSON_DEPTH_MAX, "msg", e) == -1)
		return -1;
	if (!message_id_is_valid(v.msg_id))
		return error_set(e, EX_DATAERR, "msg.id: expected 1 to %d "
		    "bytes without control characters", MESSAGE_ID_MAX);
	en->msg = msg.value;
	en->msg_len = msg.len;
	en->channel = v.channel;
	en->seq = v.seq;
	en->reason = strcmp(v.reason, reasons[ENTRY_DURABLE_CHANNEL]) == 0 ?
	    ENTRY_DURABLE_CHANNEL : ENTRY_LIVE_MENTION;
	en->generation = v.generation;
	en->msg_id = v.msg_id;
	return 0;
}

int
entry_read(struct entry *en, const char *data, size_t len, struct error *e)
{
	en->tree = NULL;
	return read_ours(en, data, len) ? 0 : read_any(en, data, len, e);
}

void
entry_free(struct entry *en)
{
	cJSON_Delete(en->tree);
	en->tree = NULL;
}

/* --- laying it out ------------------------------------------------------------------ */

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
	char	*name = quoted(channel), *rest = NULL, *head = NULL, *p;
	int	 n = -1;

	if (name != NULL)
		n = asprintf(&rest, ",\"channel\":%s,\"seq\":%llu,"
		    "\"reason\":\"%s\",\"generation\":", name,
		    (unsigned long long)seq, reasons[reason]);
	free(name);
	if (n == -1)
		return NULL;
	*head_len = sizeof(open) - 1 + msg_len + (size_t)n;
	if ((head = malloc(*head_len + 1)) != NULL) {
		p = mempcpy(head, open, sizeof(open) - 1);
		p = mempcpy(p, msg, msg_len);
		memcpy(p, rest, (size_t)n + 1);
	}
	free(rest);
	return head;
}
