/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "space.h"

#define NS_PER_MS	1e6
#define PER_OWNER	1000
#define AGENT_ACK_WAIT_MS	60000
#define AGENT_MAX_ACK_PENDING	1000
#define PULL_MAX_WAITING	512
#define DEFAULT_WINDOW_MS	120000
#define DEAD_MAX_MSGS	10000
#define DEAD_MAX_AGE_MS	(30LL * 86400000)

/* --- streams -------------------------------------------------------------- */

struct stream_spec {
	const char	*subjects;	/* after cotal.<space>. */
	const char	*retention;
	int64_t		 per_subject;	/* -1: no cap */
	int64_t		 max_msgs;
	int64_t		 max_age_ms;
	bool		 allow_direct;
	bool		 long_window;	/* dedup-window, else 2 minutes */
};

static const struct stream_spec streams[N_STREAMS] = {
	[STREAM_CHAT] = { "chat.>", "limits", PER_OWNER, -1, 0, true, false },
	[STREAM_DM] = { "inst.>", "limits", -1, -1, 0, false, false },
	[STREAM_TASK] = { "svc.>", "workqueue", -1, -1, 0, false, false },
	[STREAM_INBOX] = { "dinbox.>", "limits", PER_OWNER, -1, 0, false,
	    true },
	[STREAM_DLV] = { "dlv.>", "limits", PER_OWNER, -1, 0, false, true },
	[STREAM_DEAD] = { "reeve.dead.>", "limits", -1, DEAD_MAX_MSGS,
	    DEAD_MAX_AGE_MS, false, true },
};

static cJSON *
stream_base(const char *name, const char *subject, const char *retention,
    const char *discard, int replicas)
{
	cJSON		*c = cJSON_CreateObject(), *subjects;

	if (c == NULL)
		return NULL;
	cJSON_AddStringToObject(c, "name", name);
	subjects = cJSON_AddArrayToObject(c, "subjects");
	if (subjects == NULL || !cJSON_AddItemToArray(subjects,
	    cJSON_CreateString(subject))) {
		cJSON_Delete(c);
		return NULL;
	}
	cJSON_AddStringToObject(c, "retention", retention);
	cJSON_AddNumberToObject(c, "max_consumers", -1);
	cJSON_AddStringToObject(c, "discard", discard);
	cJSON_AddStringToObject(c, "storage", "file");
	cJSON_AddNumberToObject(c, "num_replicas", replicas);
	cJSON_AddNumberToObject(c, "max_msg_size", -1);
	cJSON_AddBoolToObject(c, "mirror_direct", false);
	cJSON_AddBoolToObject(c, "sealed", false);
	cJSON_AddBoolToObject(c, "deny_delete", false);
	cJSON_AddBoolToObject(c, "deny_purge", false);
	return c;
}

static void
add_limits(cJSON *c, int64_t max_msgs, int64_t max_bytes, int64_t max_age_ms,
    int64_t per_subject, int64_t window_ms)
{
	cJSON_AddNumberToObject(c, "max_msgs", (double)max_msgs);
	cJSON_AddNumberToObject(c, "max_bytes", (double)max_bytes);
	cJSON_AddNumberToObject(c, "max_age", (double)max_age_ms * NS_PER_MS);
	cJSON_AddNumberToObject(c, "max_msgs_per_subject",
	    (double)per_subject);
	cJSON_AddNumberToObject(c, "duplicate_window",
	    (double)window_ms * NS_PER_MS);
}

cJSON *
space_stream(const struct config *conf, enum stream_kind kind)
{
	const struct stream_spec	*s = &streams[kind];
	char				 name[STREAM_MAX];
	char				 subject[SUBJECT_MAX];
	cJSON				*c;

	name_stream(name, sizeof(name), conf->space, kind);
	snprintf(subject, sizeof(subject), "cotal.%s.%s", conf->space,
	    s->subjects);
	c = stream_base(name, subject, s->retention, "old", conf->replicas);
	if (c == NULL)
		return NULL;
	add_limits(c, s->max_msgs, -1, s->max_age_ms, s->per_subject,
	    s->long_window ? conf->dedup_window_ms : DEFAULT_WINDOW_MS);
	cJSON_AddBoolToObject(c, "allow_direct", s->allow_direct);
	cJSON_AddBoolToObject(c, "allow_rollup_hdrs", false);
	return c;
}

/* --- buckets ---------------------------------------------------------------- */

cJSON *
space_bucket(const struct config *conf, enum bucket_kind kind)
{
	char	 name[STREAM_MAX], subject[SUBJECT_MAX];
	int64_t	 age_ms = 0;
	cJSON	*c;

	switch (kind) {
	case BUCKET_PRESENCE:
		age_ms = 6000;
		break;
	case BUCKET_DELIVERY:
		age_ms = conf->lease_ttl_ms;
		break;
	case BUCKET_MANAGER:
		age_ms = 10000;
		break;
	case BUCKET_CHANNELS:
	case BUCKET_MEMBERS:
	case BUCKET_ACL:
	case BUCKET_MEMBERSHIP:
		break;
	}
	name_bucket_stream(name, sizeof(name), conf->space, kind);
	name_bucket_key(subject, sizeof(subject), conf->space, kind, ">");
	c = stream_base(name, subject, "limits", "new", conf->replicas);
	if (c == NULL)
		return NULL;
	/* A window longer than what is kept is refused by the server. */
	add_limits(c, -1, kind == BUCKET_MEMBERSHIP ? 64 * 1024 * 1024 : -1,
	    age_ms, 1, age_ms > 0 && age_ms < DEFAULT_WINDOW_MS ? age_ms :
	    DEFAULT_WINDOW_MS);
	cJSON_AddBoolToObject(c, "allow_direct", true);
	cJSON_AddBoolToObject(c, "allow_rollup_hdrs", true);
	return c;
}

/* --- durables ------------------------------------------------------------------ */

static cJSON *
durable(const char *name, const char *policy, const char *filter,
    int64_t ack_wait_ms, int max_ack_pending)
{
	cJSON	*c = cJSON_CreateObject();

	if (c == NULL)
		return NULL;
	cJSON_AddStringToObject(c, "durable_name", name);
	cJSON_AddStringToObject(c, "name", name);
	cJSON_AddStringToObject(c, "deliver_policy", policy);
	cJSON_AddStringToObject(c, "ack_policy", "explicit");
	cJSON_AddNumberToObject(c, "ack_wait",
	    (double)ack_wait_ms * NS_PER_MS);
	cJSON_AddNumberToObject(c, "max_deliver", -1);
	cJSON_AddStringToObject(c, "filter_subject", filter);
	cJSON_AddStringToObject(c, "replay_policy", "instant");
	cJSON_AddNumberToObject(c, "max_waiting", PULL_MAX_WAITING);
	cJSON_AddNumberToObject(c, "max_ack_pending", max_ack_pending);
	cJSON_AddNumberToObject(c, "num_replicas", 0);
	return c;
}

static void
worker_name(char *buf, size_t size, const char *base, unsigned shard,
    unsigned shards)
{
	if (shards > 1)
		snprintf(buf, size, "%s_%u", base, shard);
	else
		snprintf(buf, size, "%s", base);
}

void
space_fanout_name(char *buf, size_t size, unsigned shard, unsigned shards)
{
	worker_name(buf, size, "fanout", shard, shards);
}

void
space_reader_name(char *buf, size_t size, unsigned shard, unsigned shards)
{
	worker_name(buf, size, "reader", shard, shards);
}

cJSON *
space_fanout(const char *space, unsigned shard, unsigned shards)
{
	char	name[64], filter[SUBJECT_MAX];

	space_fanout_name(name, sizeof(name), shard, shards);
	snprintf(filter, sizeof(filter), "cotal.%s.chat.>", space);
	return durable(name, "new", filter, DURABLE_ACK_WAIT_MS,
	    DURABLE_MAX_ACK_PENDING);
}

cJSON *
space_reader(const char *space, unsigned shard, unsigned shards)
{
	char	name[64], filter[SUBJECT_MAX];

	space_reader_name(name, sizeof(name), shard, shards);
	if (shards > 1)
		snprintf(filter, sizeof(filter), "cotal.%s.dinbox.%u.>",
		    space, shard);
	else
		snprintf(filter, sizeof(filter), "cotal.%s.dinbox.>", space);
	return durable(name, "all", filter, DURABLE_ACK_WAIT_MS,
	    DURABLE_MAX_ACK_PENDING);
}

cJSON *
space_dm_durable(const char *space, const char *id)
{
	char	name[STREAM_MAX], filter[SUBJECT_MAX];

	snprintf(name, sizeof(name), "dm_%s", id);
	subject_inst(filter, sizeof(filter), space, id, "*");
	return durable(name, "all", filter, AGENT_ACK_WAIT_MS,
	    AGENT_MAX_ACK_PENDING);
}

cJSON *
space_dlv_durable(const char *space, const char *id)
{
	char	name[STREAM_MAX], filter[SUBJECT_MAX];

	snprintf(name, sizeof(name), "dlv_%s", id);
	subject_dlv(filter, sizeof(filter), space, id);
	return durable(name, "all", filter, AGENT_ACK_WAIT_MS,
	    AGENT_MAX_ACK_PENDING);
}

cJSON *
space_svc_durable(const char *space, const char *role)
{
	char	name[STREAM_MAX], filter[SUBJECT_MAX];

	snprintf(name, sizeof(name), "svc_%s", role);
	subject_svc(filter, sizeof(filter), space, role, "*");
	return durable(name, "all", filter, AGENT_ACK_WAIT_MS,
	    AGENT_MAX_ACK_PENDING);
}
