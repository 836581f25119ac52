/* SPDX-License-Identifier: ISC */

/* The profiles of what runs: roles, and what the manager starts. */
#include <stdio.h>
#include <string.h>

#include "profile_impl.h"

/* What every role of ours may: its inbox and its own health. */
static void
role(struct draft *d, const char *name, const char *shard)
{
	char	subject[SUBJECT_MAX];

	grant_inbox(d);
	if (subject_health(subject, sizeof(subject), d->space, shard,
	    name, "*") == -1)
		d->failed = true;
	else
		grant_pub(d, "%s", subject);
}

/* To hear the broker (bus_probe). */
static void
probe(struct draft *d)
{
	grant_pub(d, "_INBOX_%s.*.probe.*", d->id);
}

static void
dead(struct draft *d, const char *name)
{
	char	subject[SUBJECT_MAX];

	if (subject_dead(subject, sizeof(subject), d->space, d->shard,
	    name) == -1)
		d->failed = true;
	else
		grant_pub(d, "%s", subject);
}

void
profile_fill_lease(struct draft *d)
{
	role(d, "lease", d->shard);
	grant_layout(d);
	grant_info(d, d->kv[BUCKET_DELIVERY]);
	grant_get(d, d->kv[BUCKET_DELIVERY]);
	grant_pub(d, "$KV.%s.lease.%s", d->bucket[BUCKET_DELIVERY], d->shard);
	grant_sub(d, "%s.reeve.health.%s.>", d->P, d->shard);
}

void
profile_fill_fanout(struct draft *d)
{
	static const enum bucket_kind	tables[] = { BUCKET_PRESENCE,
	    BUCKET_CHANNELS, BUCKET_MEMBERS, BUCKET_ACL, BUCKET_DELIVERY };
	char				name[32];

	role(d, "fanout", d->shard);
	dead(d, "fanout");
	draft_durable(name, sizeof(name), d, "fanout", d->s->shard);
	grant_bind(d, STREAM_CHAT, name);
	grant_create_fanout(d, d->s->shard);
	grant_watch_get(d, tables, sizeof(tables) / sizeof(tables[0]));
	/* To tell an evicted message from a foreign one. */
	grant_info(d, d->stream[STREAM_CHAT]);
	grant_get(d, d->stream[STREAM_CHAT]);
	/* Not to run ahead of the reader. */
	draft_durable(name, sizeof(name), d, "reader", d->s->shard);
	grant_consumer_info(d, STREAM_INBOX, name);
	grant_sub(d, "%s.reeve.health.%s.reader.*", d->P, d->shard);
	grant_pub(d, "%s.dinbox.>", d->P);
}

void
profile_fill_reader(struct draft *d)
{
	static const enum bucket_kind	tables[] = { BUCKET_MEMBERS,
	    BUCKET_ACL, BUCKET_DELIVERY };
	char				name[32];

	role(d, "reader", d->shard);
	dead(d, "reader");
	draft_durable(name, sizeof(name), d, "reader", d->s->shard);
	grant_bind(d, STREAM_INBOX, name);
	grant_create_reader(d, d->s->shard);
	grant_watch_get(d, tables, sizeof(tables) / sizeof(tables[0]));
	grant_info(d, d->stream[STREAM_INBOX]);
	grant_get(d, d->stream[STREAM_INBOX]);
	grant_pub(d, "%s.dlv.*", d->P);
}

void
profile_fill_control(struct draft *d)
{
	static const enum bucket_kind	 tables[] = { BUCKET_MEMBERS,
	    BUCKET_DELIVERY };
	const char			*chat = d->stream[STREAM_CHAT];
	char				 name[32];

	role(d, "control", d->shard);
	dead(d, "control");
	grant_get(d, d->kv[BUCKET_ACL]);
	/* Has the reader passed what an earlier membership was owed? */
	grant_info(d, d->stream[STREAM_INBOX]);
	grant_sub(d, "%s.reeve.health.%s.reader.*", d->P, d->shard);
	grant_sub(d, "%s.ctl.delivery.*", d->P);
	grant_pub(d, "%s.ctl.delivery.*.reply.>", d->P);
	grant_watch_get(d, tables, sizeof(tables) / sizeof(tables[0]));
	grant_pub(d, "$KV.%s.>", d->bucket[BUCKET_MEMBERS]);
	grant_pub(d, "%s.dinbox.>", d->P);
	grant_info(d, chat);
	grant_get(d, chat);
	draft_durable(name, sizeof(name), d, "fanout", d->s->shard);
	grant_consumer_info(d, STREAM_CHAT, name);
	draft_durable(name, sizeof(name), d, "reader", d->s->shard);
	grant_consumer_info(d, STREAM_INBOX, name);
	/* Catch-up: a consumer by its exact name, never the fan-out's. */
	snprintf(name, sizeof(name), "cu_%u_0", d->s->shard);
	grant_consumer_info(d, STREAM_CHAT, name);
	grant_pub(d, A "CONSUMER.CREATE.%s.%s.>", chat, name);
	grant_pub(d, A "CONSUMER.MSG.NEXT.%s.%s", chat, name);
	grant_pub(d, A "CONSUMER.DELETE.%s.%s", chat, name);
}

/*
 * Serves the three tiers of agents' lifecycle, and asks the signer for what
 * its agents need.  Nothing of it touches a stream of messages.
 */
void
profile_fill_manager(struct draft *d)
{
	static const char *const	tiers[] = { "self", "manager",
					    "admin" };
	char				parent[SUBJECT_MAX];
	size_t				i;

	role(d, "manager", NO_SHARD);
	probe(d);
	for (i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
		snprintf(parent, sizeof(parent), "%s.ctl.%s", d->P, tiers[i]);
		grant_sub_each(d, parent);
		grant_pub(d, "%s.*.reply.>", parent);
	}
	grant_pub(d, "%s.reeve.mint.%s", d->P, d->id);
	grant_sub(d, "%s.reeve.mint.%s.reply.>", d->P, d->id);
	grant_sub(d, "reeve.%s.pty.*.state", d->space);
	grant_watch(d, BUCKET_MANAGER);
	grant_get(d, d->kv[BUCKET_MANAGER]);
	grant_pub(d, "$KV.%s.lease", d->bucket[BUCKET_MANAGER]);
	grant_watch(d, BUCKET_PRESENCE);
	grant_get(d, d->kv[BUCKET_PRESENCE]);
	grant_pub(d, "$KV.%s.%s", d->bucket[BUCKET_PRESENCE], d->id);
}

void
profile_fill_signer(struct draft *d)
{
	char	parent[SUBJECT_MAX];

	role(d, "signer", NO_SHARD);
	probe(d);
	snprintf(parent, sizeof(parent), "%s.reeve.mint", d->P);
	grant_sub_each(d, parent);
	grant_pub(d, "%s.*.reply.>", parent);
}

/* Outside of cotal.: who hears all of that must not see a terminal. */
void
profile_fill_pty(struct draft *d)
{
	char	parent[SUBJECT_MAX];

	grant_inbox(d);
	probe(d);
	snprintf(parent, sizeof(parent), "reeve.%s.pty.%s.in", d->space,
	    d->s->target);
	grant_sub_each(d, parent);
	grant_pub(d, "reeve.%s.pty.%s.out.*", d->space, d->s->target);
	grant_pub(d, "reeve.%s.pty.%s.state", d->space, d->s->target);
	/* Its own comes back: so it knows that the link works. */
	grant_sub(d, "reeve.%s.pty.%s.state", d->space, d->s->target);
}

/* One durable of the target: its name and the filter that goes with it. */
static void
provision(struct draft *d, enum stream_kind stream, const char *name,
    const char *filter, bool may_delete)
{
	grant_consumer_info(d, stream, name);
	grant_pub(d, A "CONSUMER.CREATE.%s.%s.%s", d->stream[stream], name, filter);
	if (may_delete)
		grant_pub(d, A "CONSUMER.DELETE.%s.%s", d->stream[stream], name);
}

void
profile_fill_provisioner(struct draft *d)
{
	const char	*target = d->s->target;
	char		 name[BUCKET_MAX], token[BUCKET_MAX - 8];
	char		 filter[SUBJECT_MAX];

	grant_inbox(d);
	snprintf(name, sizeof(name), "dm_%s", target);
	snprintf(filter, sizeof(filter), "%s.inst.%s.*", d->P, target);
	provision(d, STREAM_DM, name, filter, true);
	snprintf(name, sizeof(name), "dlv_%s", target);
	snprintf(filter, sizeof(filter), "%s.dlv.%s", d->P, target);
	provision(d, STREAM_DLV, name, filter, true);
	grant_get(d, d->kv[BUCKET_ACL]);
	grant_pub(d, "$KV.%s.%s", d->bucket[BUCKET_ACL], target);
	if (d->s->role == NULL)
		return;
	if (name_token(token, sizeof(token), d->s->role) == -1) {
		d->failed = true;
		return;
	}
	/* Shared by all of the role: not this agent's to delete. */
	snprintf(name, sizeof(name), "svc_%s", token);
	snprintf(filter, sizeof(filter), "%s.svc.%s.*", d->P, token);
	provision(d, STREAM_TASK, name, filter, false);
}
