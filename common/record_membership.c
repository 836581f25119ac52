/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "records.h"

static const char *const states[] = { "durable-active", "live-confirmed",
	NULL };

/* A record as it is on the wire. */
struct view {
	const char	*channel, *owner, *state, *writer;
	uint64_t	 join, leave, generation, fence;
	uint64_t	 previous_join, previous_leave;
	int64_t		 updated;
	bool		 activated;
	const cJSON	*previous;
	bool		 left, has_previous;	/* never first */
};

#define ROW(key, kind, must, member)					\
	FIELD(key, kind, must, struct view, member)

static const struct json_field previous_table[] = {
	ROW("joinCursor", JSON_U64, true, previous_join),
	ROW("leaveCursor", JSON_U64, true, previous_leave),
	JSON_END
};

static const struct json_field table[] = {
	ROW("channel", JSON_STRING, true, channel),
	ROW("owner", JSON_STRING, true, owner),
	{ .name = "state", .type = JSON_STRING, .required = true,
	    .offset = offsetof(struct view, state), .one_of = states },
	ROW("joinCursor", JSON_U64, true, join),
	ROW("generation", JSON_U64, true, generation),
	ROW("activated", JSON_BOOL, false, activated),
	ROW("writerIdentity", JSON_STRING, false, writer),
	ROW("updatedAt", JSON_I64, false, updated),
	{ .name = "leaveCursor", .type = JSON_U64,
	    .offset = offsetof(struct view, leave),
	    .present = offsetof(struct view, left) },
	ROW("fence", JSON_U64, false, fence),
	{ .name = "previous", .type = JSON_OBJECT, .sub = previous_table,
	    .present = offsetof(struct view, has_previous) },
	JSON_END
};

static int
check(const struct view *v, struct error *e)
{
	if (!channel_is_concrete(v->channel))
		return error_set(e, EX_DATAERR,
		    "channel: expected a channel without wildcards");
	if (!name_is_token(v->owner))
		return error_set(e, EX_DATAERR, "owner: expected an id");
	if (v->generation == 0)
		return error_set(e, EX_DATAERR,
		    "generation: expected at least 1");
	return 0;
}

static int
fill(struct membership *m, const struct view *v, struct error *e)
{
	m->state = strcmp(v->state, states[MEMBER_DURABLE_ACTIVE]) == 0 ?
	    MEMBER_DURABLE_ACTIVE : MEMBER_LIVE_CONFIRMED;
	m->now.join_seq = v->join;
	m->now.leave_seq = v->leave;
	m->now.left = v->left;
	m->previous.join_seq = v->previous_join;
	m->previous.leave_seq = v->previous_leave;
	m->previous.left = m->has_previous = v->has_previous;
	m->activated = v->activated;
	m->fence_seq = v->fence;
	m->generation = v->generation;
	m->updated_ms = v->updated;
	if (record_dup(&m->channel, v->channel, e) == -1 ||
	    record_dup(&m->owner, v->owner, e) == -1)
		return -1;
	return record_dup(&m->writer, v->writer != NULL ? v->writer : "", e);
}

int
membership_read(struct membership *m, const char *data, size_t len,
    struct error *e)
{
	struct view	 v = { .channel = NULL };
	cJSON		*o;
	int		 rc;

	memset(m, 0, sizeof(*m));
	if ((o = record_parse(data, len, e)) == NULL)
		return -1;
	if ((rc = json_read(o, table, &v, "", e)) == 0 &&
	    (rc = check(&v, e)) == 0)
		rc = fill(m, &v, e);
	cJSON_Delete(o);
	return rc;
}

static bool
set_previous(cJSON *o, const struct membership *m)
{
	cJSON	*p;

	if (!m->has_previous) {
		cJSON_DeleteItemFromObjectCaseSensitive(o, "previous");
		return true;
	}
	if ((p = cJSON_CreateObject()) == NULL)
		return false;
	if (!json_set_u64(p, "joinCursor", m->previous.join_seq) ||
	    !json_set_u64(p, "leaveCursor", m->previous.leave_seq)) {
		cJSON_Delete(p);
		return false;
	}
	return json_set_item(o, "previous", p);
}

char *
membership_write(const struct membership *m, const char *was, size_t was_len)
{
	cJSON	*o = record_base(was, was_len);

	return record_print(o, o != NULL &&
	    json_set_str(o, "channel", m->channel) &&
	    json_set_str(o, "owner", m->owner) &&
	    json_set_str(o, "state", states[m->state]) &&
	    json_set_u64(o, "joinCursor", m->now.join_seq) &&
	    json_set_u64(o, "generation", m->generation) &&
	    json_set_bool(o, "activated", m->activated) &&
	    json_set_str(o, "writerIdentity", m->writer) &&
	    json_set_i64(o, "updatedAt", m->updated_ms) &&
	    record_set_u64(o, "leaveCursor", m->now.left,
	    m->now.leave_seq) &&
	    record_set_u64(o, "fence", m->fence_seq != 0, m->fence_seq) &&
	    set_previous(o, m));
}

void
membership_free(struct membership *m)
{
	free(m->channel);
	free(m->owner);
	free(m->writer);
	memset(m, 0, sizeof(*m));
}

bool
interval_has(const struct interval *i, uint64_t seq)
{
	return i->join_seq < seq && (!i->left || seq <= i->leave_seq);
}

uint64_t
membership_entitles(const struct membership *m, uint64_t seq)
{
	if (interval_has(&m->now, seq))
		return m->generation;
	if (m->has_previous && m->generation > 1 &&
	    interval_has(&m->previous, seq))
		return m->generation - 1;
	return 0;
}

bool
membership_is_open(const struct membership *m)
{
	return m->state == MEMBER_DURABLE_ACTIVE && !m->now.left;
}

bool
membership_key_split(const char *key, char *channel, size_t csize,
    char *owner, size_t osize)
{
	const char	*slash = strchr(key, '/');
	size_t		 n;

	if (slash == NULL)
		return false;
	n = (size_t)(slash - key);
	if (n >= csize || strlen(slash + 1) >= osize)
		return false;
	memcpy(channel, key, n);
	channel[n] = '\0';
	strcpy(owner, slash + 1);
	return channel_is_concrete(channel) && name_is_token(owner);
}
