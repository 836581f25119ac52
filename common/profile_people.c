/* SPDX-License-Identifier: ISC */

/* The profiles of an agent, and of people's short-lived tools. */
#include <stdio.h>
#include <string.h>

#include "profile_impl.h"

/* --- an agent ----------------------------------------------------------- */

static void	agent_subs(struct draft *);
static void	agent_history(struct draft *);
static void	agent_durables(struct draft *);
static void	agent_denies(struct draft *);

void
profile_fill_agent(struct draft *d)
{
	const char	*id = d->id;
	size_t		 i;

	agent_subs(d);
	for (i = 0; i < d->s->n_allow_publish; i++)
		grant_pub(d, "%s.chat.%s.%s", d->P, id, d->s->allow_publish[i]);
	grant_pub(d, "%s.inst.*.%s", d->P, id);
	grant_pub(d, "%s.svc.*.%s", d->P, id);
	grant_pub(d, "%s.ctl.self.%s", d->P, id);
	grant_pub(d, "%s.ctl.delivery.%s", d->P, id);
	if (d->s->spawn)
		grant_pub(d, "%s.ctl.manager.%s", d->P, id);
	grant_pub(d, A "INFO");
	agent_history(d);
	agent_durables(d);
	grant_info(d, d->kv[BUCKET_PRESENCE]);
	grant_pub(d, A "CONSUMER.CREATE.%s.>", d->kv[BUCKET_PRESENCE]);
	grant_pub(d, A "CONSUMER.INFO.%s.>", d->kv[BUCKET_PRESENCE]);
	grant_pub(d, "$KV.%s.%s", d->bucket[BUCKET_PRESENCE], id);
	grant_info(d, d->kv[BUCKET_CHANNELS]);
	grant_get(d, d->kv[BUCKET_CHANNELS]);
	grant_pub(d, A "CONSUMER.CREATE.%s.>", d->kv[BUCKET_CHANNELS]);
	grant_pub(d, A "CONSUMER.INFO.%s.>", d->kv[BUCKET_CHANNELS]);
	grant_info(d, d->kv[BUCKET_DELIVERY]);
	grant_get(d, d->kv[BUCKET_DELIVERY]);
	grant_pub(d, "$JS.FC.>");
	agent_denies(d);
}

static void
agent_subs(struct draft *d)
{
	size_t	i;

	grant_inbox(d);
	grant_sub(d, "%s.ctl.delivery.%s.>", d->P, d->id);
	grant_sub(d, "%s.ctl.self.%s.reply.>", d->P, d->id);
	if (d->s->spawn)
		grant_sub(d, "%s.ctl.manager.%s.reply.>", d->P, d->id);
	for (i = 0; i < d->s->n_allow_subscribe; i++)
		grant_sub(d, "%s.chat.*.%s", d->P, d->s->allow_subscribe[i]);
}

static void
agent_history(struct draft *d)
{
	const char	*chat = d->stream[STREAM_CHAT];
	size_t		 i;

	grant_info(d, chat);
	for (i = 0; i < d->s->n_allow_subscribe; i++)
		grant_pub(d, A "CONSUMER.CREATE.%s.chathist_%s.%s.chat.*.%s", chat,
		    d->id, d->P, d->s->allow_subscribe[i]);
	grant_pub(d, A "CONSUMER.INFO.%s.chathist_%s", chat, d->id);
	grant_pub(d, A "CONSUMER.MSG.NEXT.%s.chathist_%s", chat, d->id);
	grant_pub(d, A "CONSUMER.DELETE.%s.chathist_%s", chat, d->id);
}

static void
agent_durables(struct draft *d)
{
	char	name[BUCKET_MAX], token[BUCKET_MAX - 8];

	snprintf(name, sizeof(name), "dm_%s", d->id);
	grant_bind(d, STREAM_DM, name);
	snprintf(name, sizeof(name), "dlv_%s", d->id);
	grant_bind(d, STREAM_DLV, name);
	if (d->s->role == NULL)
		return;
	if (name_token(token, sizeof(token), d->s->role) == -1) {
		d->failed = true;
		return;
	}
	snprintf(name, sizeof(name), "svc_%s", token);
	grant_bind(d, STREAM_TASK, name);
}

static void
agent_denies(struct draft *d)
{
	static const enum stream_kind	private[] = { STREAM_DM, STREAM_TASK,
	    STREAM_DLV };
	size_t				i;

	for (i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
		deny_pub(d, A "CONSUMER.CREATE.%s", d->stream[private[i]]);
		deny_pub(d, A "CONSUMER.CREATE.%s.>", d->stream[private[i]]);
		deny_pub(d, A "CONSUMER.DURABLE.CREATE.%s.>",
		    d->stream[private[i]]);
	}
}

/* --- people's short-lived tools ------------------------------------------ */

static void
info_all(struct draft *d)
{
	int	i;

	grant_pub(d, A "INFO");
	for (i = 0; i < N_STREAMS; i++)
		grant_info(d, d->stream[i]);
	for (i = 0; i < N_BUCKETS; i++)
		grant_info(d, d->kv[i]);
}

void
profile_fill_setup(struct draft *d)
{
	char		name[32];
	unsigned	shard;
	int		i;

	grant_inbox(d);
	info_all(d);
	for (i = 0; i < N_STREAMS; i++)
		grant_pub(d, A "STREAM.CREATE.%s", d->stream[i]);
	for (i = 0; i < N_BUCKETS; i++)
		grant_pub(d, A "STREAM.CREATE.%s", d->kv[i]);
	for (shard = 0; shard < d->s->shards; shard++) {
		grant_create_fanout(d, shard);
		grant_create_reader(d, shard);
		draft_durable(name, sizeof(name), d, "fanout", shard);
		grant_consumer_info(d, STREAM_CHAT, name);
		draft_durable(name, sizeof(name), d, "reader", shard);
		grant_consumer_info(d, STREAM_INBOX, name);
	}
	grant_layout(d);
	grant_pub(d, "$KV.%s.=delivery", d->bucket[BUCKET_MEMBERS]);
	grant_pub(d, "$KV.%s.=defaults", d->bucket[BUCKET_CHANNELS]);
	grant_get(d, d->kv[BUCKET_CHANNELS]);
}

void
profile_fill_operator(struct draft *d)
{
	grant_inbox(d);
	grant_pub(d, "%s.chat.%s.>", d->P, d->id);
	grant_pub(d, "%s.inst.*.%s", d->P, d->id);
	grant_pub(d, "%s.svc.*.%s", d->P, d->id);
	grant_pub(d, "$KV.%s.%s", d->bucket[BUCKET_PRESENCE], d->id);
	grant_browse(d, BUCKET_PRESENCE);
	grant_get(d, d->kv[BUCKET_PRESENCE]);
	grant_browse(d, BUCKET_CHANNELS);
	grant_get(d, d->kv[BUCKET_CHANNELS]);
}

void
profile_fill_observer(struct draft *d)
{
	static const enum bucket_kind	 feeds[] = { BUCKET_PRESENCE,
	    BUCKET_CHANNELS, BUCKET_MEMBERSHIP };
	const char			*chat = d->stream[STREAM_CHAT];
	size_t				 i;

	grant_inbox(d);
	grant_sub(d, "%s.chat.>", d->P);
	grant_info(d, chat);
	grant_pub(d, A "CONSUMER.CREATE.%s.chathist_%s.%s.chat.>", chat, d->id,
	    d->P);
	grant_pub(d, A "CONSUMER.INFO.%s.chathist_%s", chat, d->id);
	grant_pub(d, A "CONSUMER.MSG.NEXT.%s.chathist_%s", chat, d->id);
	grant_pub(d, A "CONSUMER.DELETE.%s.chathist_%s", chat, d->id);
	for (i = 0; i < sizeof(feeds) / sizeof(feeds[0]); i++) {
		grant_browse(d, feeds[i]);
		grant_get(d, d->kv[feeds[i]]);
	}
}

void
profile_fill_admin(struct draft *d)
{
	profile_fill_observer(d);
	grant_sub(d, "%s.inst.>", d->P);
	grant_sub(d, "%s.svc.>", d->P);
}

void
profile_fill_inspector(struct draft *d)
{
	grant_inbox(d);
	info_all(d);
	grant_consumer_info(d, STREAM_CHAT, "*");
	grant_consumer_info(d, STREAM_INBOX, "*");
	grant_consumer_info(d, STREAM_DLV, "*");
	grant_get(d, d->kv[BUCKET_DELIVERY]);
	grant_get(d, d->kv[BUCKET_ACL]);
	grant_get(d, d->kv[BUCKET_MEMBERS]);
	grant_watch(d, BUCKET_ACL);
	grant_watch(d, BUCKET_MEMBERS);
	grant_watch(d, BUCKET_PRESENCE);
	grant_sub(d, "%s.reeve.health.>", d->P);
}

void
profile_fill_undertaker(struct draft *d)
{
	grant_inbox(d);
	grant_info(d, d->stream[STREAM_DEAD]);
	grant_get(d, d->stream[STREAM_DEAD]);
	grant_pub(d, A "STREAM.MSG.DELETE.%s", d->stream[STREAM_DEAD]);
	grant_pub(d, "%s.dinbox.>", d->P);
	grant_layout(d);
}

void
profile_fill_registrar(struct draft *d)
{
	grant_inbox(d);
	grant_info(d, d->kv[BUCKET_CHANNELS]);
	grant_get(d, d->kv[BUCKET_CHANNELS]);
	grant_pub(d, "$KV.%s.>", d->bucket[BUCKET_CHANNELS]);
}

/* It looks; what it changes, if anything, it does as `setup`. */
void
profile_fill_migrator(struct draft *d)
{
	static const enum stream_kind	agents[] = { STREAM_DM, STREAM_DLV,
	    STREAM_TASK };
	size_t				i;

	grant_inbox(d);
	info_all(d);
	grant_consumer_info(d, STREAM_CHAT, "*");
	grant_consumer_info(d, STREAM_INBOX, "*");
	for (i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		grant_pub(d, A "CONSUMER.NAMES.%s", d->stream[agents[i]]);
	grant_get(d, d->kv[BUCKET_CHANNELS]);
	grant_get(d, d->kv[BUCKET_DELIVERY]);
	grant_get(d, d->kv[BUCKET_MANAGER]);
	grant_watch(d, BUCKET_ACL);
	grant_watch(d, BUCKET_MEMBERS);
}

/* How far all are, whatever their number; made and deleted are one shard's. */
void
profile_fill_resharder(struct draft *d)
{
	char	name[32];

	grant_inbox(d);
	grant_layout(d);
	grant_pub(d, "$KV.%s.=delivery", d->bucket[BUCKET_MEMBERS]);
	grant_info(d, d->stream[STREAM_CHAT]);
	grant_info(d, d->stream[STREAM_INBOX]);
	grant_consumer_info(d, STREAM_CHAT, "*");
	grant_consumer_info(d, STREAM_INBOX, "*");
	grant_create_fanout(d, d->s->shard);
	grant_create_reader(d, d->s->shard);
	draft_durable(name, sizeof(name), d, "fanout", d->s->shard);
	grant_pub(d, A "CONSUMER.DELETE.%s.%s", d->stream[STREAM_CHAT], name);
	draft_durable(name, sizeof(name), d, "reader", d->s->shard);
	grant_pub(d, A "CONSUMER.DELETE.%s.%s", d->stream[STREAM_INBOX], name);
}

void
profile_fill_purger(struct draft *d)
{
	static const enum stream_kind	said[] = { STREAM_CHAT, STREAM_DM };
	size_t				i;

	grant_inbox(d);
	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		grant_info(d, d->stream[said[i]]);
		grant_pub(d, A "STREAM.PURGE.%s", d->stream[said[i]]);
	}
}

/* To hold a tier's publish grant is the authority on it: never two of them. */
static void
caller(struct draft *d, const char *tier)
{
	grant_inbox(d);
	grant_pub(d, "%s.ctl.%s.%s", d->P, tier, d->id);
	grant_sub(d, "%s.ctl.%s.%s.reply.>", d->P, tier, d->id);
}

void
profile_fill_caller_manager(struct draft *d)
{
	caller(d, "manager");
}

void
profile_fill_caller_admin(struct draft *d)
{
	caller(d, "admin");
}

void
profile_fill_attacher(struct draft *d)
{
	const char	*target = d->s->target;

	grant_inbox(d);
	grant_pub(d, "reeve.%s.pty.%s.in.%s", d->space, target, d->id);
	grant_sub(d, "reeve.%s.pty.%s.out.%s", d->space, target, d->id);
	grant_sub(d, "reeve.%s.pty.%s.state", d->space, target);
}

/* Connects, and no more: empty lists are nothing (jwt.h). */
void
profile_fill_probe(struct draft *d)
{
	(void)d;
}
