/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "profile.h"

#define A		"$JS.API."
#define GRANT_MAX	2048

/* The names a profile's grants are made of, and the lists they go to. */
struct draft {
	const struct scope	*s;
	struct permissions	*p;
	const char		*id;
	char			 shard[16];
	char			 space[SPACE_MAX];	/* as a token */
	char			 P[SPACE_MAX + 8];	/* cotal.<space> */
	char			 stream[N_STREAMS][STREAM_MAX];
	char			 bucket[N_BUCKETS][BUCKET_MAX];
	char			 kv[N_BUCKETS][STREAM_MAX];
	bool			 failed;
};

static void	fill_agent(struct draft *);
static void	fill_lease(struct draft *);
static void	fill_fanout(struct draft *);
static void	fill_reader(struct draft *);
static void	fill_control(struct draft *);
static void	fill_setup(struct draft *);
static void	fill_provisioner(struct draft *);
static void	fill_operator(struct draft *);
static void	fill_observer(struct draft *);
static void	fill_admin(struct draft *);
static void	fill_inspector(struct draft *);
static void	fill_undertaker(struct draft *);
static void	fill_registrar(struct draft *);
static void	fill_resharder(struct draft *);
static void	fill_probe(struct draft *);

static const struct {
	const char	*name;
	void		(*fill)(struct draft *);
} profiles[N_PROFILES] = {
	[PROFILE_AGENT] =	{ "agent", fill_agent },
	[PROFILE_LEASE] =	{ "lease", fill_lease },
	[PROFILE_FANOUT] =	{ "fanout", fill_fanout },
	[PROFILE_READER] =	{ "reader", fill_reader },
	[PROFILE_CONTROL] =	{ "control", fill_control },
	[PROFILE_SETUP] =	{ "setup", fill_setup },
	[PROFILE_PROVISIONER] =	{ "provisioner", fill_provisioner },
	[PROFILE_OPERATOR] =	{ "operator", fill_operator },
	[PROFILE_OBSERVER] =	{ "observer", fill_observer },
	[PROFILE_ADMIN] =	{ "admin", fill_admin },
	[PROFILE_INSPECTOR] =	{ "inspector", fill_inspector },
	[PROFILE_UNDERTAKER] =	{ "undertaker", fill_undertaker },
	[PROFILE_REGISTRAR] =	{ "registrar", fill_registrar },
	[PROFILE_RESHARDER] =	{ "resharder", fill_resharder },
	[PROFILE_PROBE] =	{ "probe", fill_probe },
};

static int	draft_init(struct draft *, struct error *);
static int	scope_check(enum profile, const struct scope *,
		    struct error *);
static int	agent_channels(struct scope *, struct error *);
static int	channels_check(const char *, char *const *, size_t,
		    struct error *);

const char *
profile_name(enum profile profile)
{
	return profiles[profile].name;
}

int
profile_by_name(enum profile *profile, const char *name, struct error *e)
{
	int	i;

	for (i = 0; i < N_PROFILES; i++)
		if (strcmp(profiles[i].name, name) == 0) {
			*profile = (enum profile)i;
			return 0;
		}
	return error_set(e, EX_USAGE, "unknown profile \"%s\"", name);
}

int
profile_permissions(enum profile profile, const struct scope *given,
    struct permissions *p, struct error *e)
{
	struct scope	s = *given;
	struct draft	d = { .s = &s, .p = p, .id = s.id };

	if (s.shards == 0)
		s.shards = 1;
	if (scope_check(profile, &s, e) == -1 || draft_init(&d, e) == -1)
		return -1;
	if (profile == PROFILE_AGENT && agent_channels(&s, e) == -1)
		return -1;
	profiles[profile].fill(&d);
	if (d.failed)
		return error_set(e, EX_OSERR, "%s profile: out of memory, or "
		    "a name is too long", profiles[profile].name);
	return 0;
}

void
permissions_free(struct permissions *p)
{
	strlist_free(&p->pub_allow);
	strlist_free(&p->pub_deny);
	strlist_free(&p->sub_allow);
	strlist_free(&p->sub_deny);
}

/* What goes into subjects must not bring dots or wildcards along. */
static int
scope_check(enum profile profile, const struct scope *s, struct error *e)
{
	if (s->space == NULL)
		return error_set(e, EX_USAGE, "no space given");
	if (s->id == NULL || !nkey_public_valid(s->id, NKEY_USER))
		return error_set(e, EX_USAGE, "\"%s\" is not a user's id",
		    s->id == NULL ? "" : s->id);
	if (profile == PROFILE_PROVISIONER && (s->target == NULL ||
	    !nkey_public_valid(s->target, NKEY_USER)))
		return error_set(e, EX_USAGE, "\"%s\" is not an agent's id",
		    s->target == NULL ? "" : s->target);
	if (s->shard >= s->shards)
		return error_set(e, EX_USAGE, "shard %u of %u: there is none",
		    s->shard, s->shards);
	return 0;
}

static int
draft_init(struct draft *d, struct error *e)
{
	int	i;
	bool	ok;

	ok = name_token(d->space, sizeof(d->space), d->s->space) != -1;
	snprintf(d->P, sizeof(d->P), "cotal.%s", d->space);
	snprintf(d->shard, sizeof(d->shard), "%u", d->s->shard);
	for (i = 0; ok && i < N_STREAMS; i++)
		ok = name_stream(d->stream[i], sizeof(d->stream[i]),
		    d->space, (enum stream_kind)i) != -1;
	for (i = 0; ok && i < N_BUCKETS; i++)
		ok = name_bucket(d->bucket[i], sizeof(d->bucket[i]),
		    d->space, (enum bucket_kind)i) != -1 &&
		    name_bucket_stream(d->kv[i], sizeof(d->kv[i]), d->space,
		    (enum bucket_kind)i) != -1;
	if (!ok)
		return error_set(e, EX_USAGE, "the space's name is too long");
	return 0;
}

/* An agent's lists: defaults filled in, then checked. */
static int
agent_channels(struct scope *s, struct error *e)
{
	static char		 general[] = "general";
	static char *const	 by_default[] = { general };
	const char		*last;
	size_t			 i;

	if (s->subscribe == NULL) {
		s->subscribe = by_default;
		s->n_subscribe = 1;
	}
	if (s->allow_subscribe == NULL) {
		s->allow_subscribe = s->subscribe;
		s->n_allow_subscribe = s->n_subscribe;
	}
	if (channels_check("subscribe", s->subscribe, s->n_subscribe, e) ||
	    channels_check("allowSubscribe", s->allow_subscribe,
	    s->n_allow_subscribe, e) || channels_check("allowPublish",
	    s->allow_publish, s->n_allow_publish, e))
		return -1;
	/* The server takes a last * for a > (notes, "Holes"). */
	for (i = 0; i < s->n_allow_subscribe; i++) {
		last = strrchr(s->allow_subscribe[i], '.');
		last = last == NULL ? s->allow_subscribe[i] : last + 1;
		if (strcmp(last, "*") == 0)
			return error_set(e, EX_USAGE, "allowSubscribe: "
			    "channel \"%s\" ends in \"*\", which the server "
			    "reads as \">\"", s->allow_subscribe[i]);
	}
	for (i = 0; i < s->n_subscribe; i++)
		if (!channel_covered(s->subscribe[i], s->allow_subscribe,
		    s->n_allow_subscribe))
			return error_set(e, EX_USAGE, "subscribe: channel "
			    "\"%s\" is outside allowSubscribe",
			    s->subscribe[i]);
	return 0;
}

static int
channels_check(const char *list, char *const *v, size_t n, struct error *e)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (!channel_is_valid(v[i]))
			return error_set(e, EX_USAGE, "%s: \"%s\" is not a "
			    "channel", list, v[i]);
	return 0;
}

/* --- grants ------------------------------------------------------------- */

static void	pub(struct draft *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static void	deny(struct draft *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static void	sub(struct draft *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

static void
grant(struct draft *d, struct strlist *list, const char *fmt, va_list ap)
{
	char	subject[GRANT_MAX];
	int	n;

	n = vsnprintf(subject, sizeof(subject), fmt, ap);
	if (n < 0 || n >= (int)sizeof(subject))
		d->failed = true;
	else if (!strlist_has(list, subject) && !strlist_add(list, subject))
		d->failed = true;
}

static void
pub(struct draft *d, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	grant(d, &d->p->pub_allow, fmt, ap);
	va_end(ap);
}

static void
deny(struct draft *d, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	grant(d, &d->p->pub_deny, fmt, ap);
	va_end(ap);
}

static void
sub(struct draft *d, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	grant(d, &d->p->sub_allow, fmt, ap);
	va_end(ap);
}

static void
inbox(struct draft *d)
{
	sub(d, "_INBOX_%s.>", d->id);
}

/* What every role of ours may: its inbox and its own health. */
static void
role(struct draft *d, const char *name)
{
	char	subject[SUBJECT_MAX];

	inbox(d);
	if (subject_health(subject, sizeof(subject), d->space, d->shard,
	    name, "*") == -1)
		d->failed = true;
	else
		pub(d, "%s", subject);
}

static void
dead(struct draft *d, const char *name)
{
	char	subject[SUBJECT_MAX];

	if (subject_dead(subject, sizeof(subject), d->space, d->shard,
	    name) == -1)
		d->failed = true;
	else
		pub(d, "%s", subject);
}

static void
info(struct draft *d, const char *stream)
{
	pub(d, A "STREAM.INFO.%s", stream);
}

static void
get(struct draft *d, const char *stream)
{
	pub(d, A "STREAM.MSG.GET.%s", stream);
}

static void
consumer_info(struct draft *d, enum stream_kind stream, const char *name)
{
	pub(d, A "CONSUMER.INFO.%s.%s", d->stream[stream], name);
}

/* A watch of ours: a named consumer, its filter pinned by the subject. */
static void
watch(struct draft *d, enum bucket_kind b)
{
	const char	*kv = d->kv[b];

	info(d, kv);
	if (b == BUCKET_DELIVERY)
		pub(d, A "CONSUMER.CREATE.%s.w_%s.$KV.%s.lease.%s", kv,
		    d->id, d->bucket[b], d->shard);
	else
		pub(d, A "CONSUMER.CREATE.%s.w_%s.$KV.%s.>", kv, d->id,
		    d->bucket[b]);
	pub(d, A "CONSUMER.DELETE.%s.w_%s", kv, d->id);
}

/* A watch with any filter: one key, or all. */
static void
browse(struct draft *d, enum bucket_kind b)
{
	info(d, d->kv[b]);
	pub(d, A "CONSUMER.CREATE.%s.w_%s.>", d->kv[b], d->id);
	pub(d, A "CONSUMER.DELETE.%s.w_%s", d->kv[b], d->id);
}

static void
watch_get(struct draft *d, const enum bucket_kind *b, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++) {
		watch(d, b[i]);
		get(d, d->kv[b[i]]);
	}
}

/* How many shards there are, and no other record of the bucket. */
static void
read_layout(struct draft *d)
{
	info(d, d->kv[BUCKET_MEMBERS]);
	pub(d, A "CONSUMER.CREATE.%s.w_%s.$KV.%s.=delivery",
	    d->kv[BUCKET_MEMBERS], d->id, d->bucket[BUCKET_MEMBERS]);
	pub(d, A "CONSUMER.DELETE.%s.w_%s", d->kv[BUCKET_MEMBERS], d->id);
}

static void
bind(struct draft *d, enum stream_kind stream, const char *name)
{
	consumer_info(d, stream, name);
	pub(d, A "CONSUMER.MSG.NEXT.%s.%s", d->stream[stream], name);
	pub(d, "$JS.ACK.%s.%s.>", d->stream[stream], name);
}

/* A worker's durable: `fanout`, or with shards `fanout_<i>`. */
static void
durable_name(char *buf, size_t size, const struct draft *d, const char *role,
    unsigned shard)
{
	if (d->s->shards > 1)
		snprintf(buf, size, "%s_%u", role, shard);
	else
		snprintf(buf, size, "%s", role);
}

static void
create_fanout(struct draft *d, unsigned shard)
{
	char	name[32];

	durable_name(name, sizeof(name), d, "fanout", shard);
	pub(d, A "CONSUMER.CREATE.%s.%s.%s.chat.>", d->stream[STREAM_CHAT],
	    name, d->P);
}

static void
create_reader(struct draft *d, unsigned shard)
{
	char	name[32], part[32] = "";

	durable_name(name, sizeof(name), d, "reader", shard);
	if (d->s->shards > 1)
		snprintf(part, sizeof(part), "%u.", shard);
	pub(d, A "CONSUMER.CREATE.%s.%s.%s.dinbox.%s>",
	    d->stream[STREAM_INBOX], name, d->P, part);
}

/* --- roles -------------------------------------------------------------- */

static void
fill_lease(struct draft *d)
{
	role(d, "lease");
	read_layout(d);
	info(d, d->kv[BUCKET_DELIVERY]);
	get(d, d->kv[BUCKET_DELIVERY]);
	pub(d, "$KV.%s.lease.%s", d->bucket[BUCKET_DELIVERY], d->shard);
	sub(d, "%s.reeve.health.%s.>", d->P, d->shard);
}

static void
fill_fanout(struct draft *d)
{
	static const enum bucket_kind	tables[] = { BUCKET_PRESENCE,
	    BUCKET_CHANNELS, BUCKET_MEMBERS, BUCKET_ACL, BUCKET_DELIVERY };
	char				name[32];

	role(d, "fanout");
	dead(d, "fanout");
	durable_name(name, sizeof(name), d, "fanout", d->s->shard);
	bind(d, STREAM_CHAT, name);
	create_fanout(d, d->s->shard);
	watch_get(d, tables, sizeof(tables) / sizeof(tables[0]));
	/* To tell an evicted message from a foreign one. */
	info(d, d->stream[STREAM_CHAT]);
	get(d, d->stream[STREAM_CHAT]);
	/* Not to run ahead of the reader. */
	durable_name(name, sizeof(name), d, "reader", d->s->shard);
	consumer_info(d, STREAM_INBOX, name);
	sub(d, "%s.reeve.health.%s.reader.*", d->P, d->shard);
	pub(d, "%s.dinbox.>", d->P);
}

static void
fill_reader(struct draft *d)
{
	static const enum bucket_kind	tables[] = { BUCKET_MEMBERS,
	    BUCKET_ACL, BUCKET_DELIVERY };
	char				name[32];

	role(d, "reader");
	dead(d, "reader");
	durable_name(name, sizeof(name), d, "reader", d->s->shard);
	bind(d, STREAM_INBOX, name);
	create_reader(d, d->s->shard);
	watch_get(d, tables, sizeof(tables) / sizeof(tables[0]));
	info(d, d->stream[STREAM_INBOX]);
	get(d, d->stream[STREAM_INBOX]);
	pub(d, "%s.dlv.*", d->P);
}

static void
fill_control(struct draft *d)
{
	static const enum bucket_kind	 tables[] = { BUCKET_MEMBERS,
	    BUCKET_DELIVERY };
	const char			*chat = d->stream[STREAM_CHAT];
	char				 name[32];

	role(d, "control");
	dead(d, "control");
	get(d, d->kv[BUCKET_ACL]);
	/* Has the reader passed what an earlier membership was owed? */
	info(d, d->stream[STREAM_INBOX]);
	sub(d, "%s.reeve.health.%s.reader.*", d->P, d->shard);
	sub(d, "%s.ctl.delivery.*", d->P);
	pub(d, "%s.ctl.delivery.*.reply.>", d->P);
	watch_get(d, tables, sizeof(tables) / sizeof(tables[0]));
	pub(d, "$KV.%s.>", d->bucket[BUCKET_MEMBERS]);
	pub(d, "%s.dinbox.>", d->P);
	info(d, chat);
	get(d, chat);
	durable_name(name, sizeof(name), d, "fanout", d->s->shard);
	consumer_info(d, STREAM_CHAT, name);
	durable_name(name, sizeof(name), d, "reader", d->s->shard);
	consumer_info(d, STREAM_INBOX, name);
	/* Catch-up: a consumer by its exact name, never the fan-out's. */
	snprintf(name, sizeof(name), "cu_%u_0", d->s->shard);
	consumer_info(d, STREAM_CHAT, name);
	pub(d, A "CONSUMER.CREATE.%s.%s.>", chat, name);
	pub(d, A "CONSUMER.MSG.NEXT.%s.%s", chat, name);
	pub(d, A "CONSUMER.DELETE.%s.%s", chat, name);
}

/* --- an agent ----------------------------------------------------------- */

static void	agent_subs(struct draft *);
static void	agent_history(struct draft *);
static void	agent_durables(struct draft *);
static void	agent_denies(struct draft *);

static void
fill_agent(struct draft *d)
{
	const char	*id = d->id;
	size_t		 i;

	agent_subs(d);
	for (i = 0; i < d->s->n_allow_publish; i++)
		pub(d, "%s.chat.%s.%s", d->P, id, d->s->allow_publish[i]);
	pub(d, "%s.inst.*.%s", d->P, id);
	pub(d, "%s.svc.*.%s", d->P, id);
	pub(d, "%s.ctl.self.%s", d->P, id);
	pub(d, "%s.ctl.delivery.%s", d->P, id);
	if (d->s->spawn)
		pub(d, "%s.ctl.manager.%s", d->P, id);
	pub(d, A "INFO");
	agent_history(d);
	agent_durables(d);
	info(d, d->kv[BUCKET_PRESENCE]);
	pub(d, A "CONSUMER.CREATE.%s.>", d->kv[BUCKET_PRESENCE]);
	pub(d, A "CONSUMER.INFO.%s.>", d->kv[BUCKET_PRESENCE]);
	pub(d, "$KV.%s.%s", d->bucket[BUCKET_PRESENCE], id);
	info(d, d->kv[BUCKET_CHANNELS]);
	get(d, d->kv[BUCKET_CHANNELS]);
	pub(d, A "CONSUMER.CREATE.%s.>", d->kv[BUCKET_CHANNELS]);
	pub(d, A "CONSUMER.INFO.%s.>", d->kv[BUCKET_CHANNELS]);
	info(d, d->kv[BUCKET_DELIVERY]);
	get(d, d->kv[BUCKET_DELIVERY]);
	pub(d, "$JS.FC.>");
	agent_denies(d);
}

static void
agent_subs(struct draft *d)
{
	size_t	i;

	inbox(d);
	sub(d, "%s.ctl.delivery.%s.>", d->P, d->id);
	sub(d, "%s.ctl.self.%s.reply.>", d->P, d->id);
	if (d->s->spawn)
		sub(d, "%s.ctl.manager.%s.reply.>", d->P, d->id);
	for (i = 0; i < d->s->n_allow_subscribe; i++)
		sub(d, "%s.chat.*.%s", d->P, d->s->allow_subscribe[i]);
}

static void
agent_history(struct draft *d)
{
	const char	*chat = d->stream[STREAM_CHAT];
	size_t		 i;

	info(d, chat);
	for (i = 0; i < d->s->n_allow_subscribe; i++)
		pub(d, A "CONSUMER.CREATE.%s.chathist_%s.%s.chat.*.%s", chat,
		    d->id, d->P, d->s->allow_subscribe[i]);
	pub(d, A "CONSUMER.INFO.%s.chathist_%s", chat, d->id);
	pub(d, A "CONSUMER.MSG.NEXT.%s.chathist_%s", chat, d->id);
	pub(d, A "CONSUMER.DELETE.%s.chathist_%s", chat, d->id);
}

static void
agent_durables(struct draft *d)
{
	char	name[BUCKET_MAX], token[BUCKET_MAX - 8];

	snprintf(name, sizeof(name), "dm_%s", d->id);
	bind(d, STREAM_DM, name);
	snprintf(name, sizeof(name), "dlv_%s", d->id);
	bind(d, STREAM_DLV, name);
	if (d->s->role == NULL)
		return;
	if (name_token(token, sizeof(token), d->s->role) == -1) {
		d->failed = true;
		return;
	}
	snprintf(name, sizeof(name), "svc_%s", token);
	bind(d, STREAM_TASK, name);
}

static void
agent_denies(struct draft *d)
{
	static const enum stream_kind	private[] = { STREAM_DM, STREAM_TASK,
	    STREAM_DLV };
	size_t				i;

	for (i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
		deny(d, A "CONSUMER.CREATE.%s", d->stream[private[i]]);
		deny(d, A "CONSUMER.CREATE.%s.>", d->stream[private[i]]);
		deny(d, A "CONSUMER.DURABLE.CREATE.%s.>",
		    d->stream[private[i]]);
	}
}

/* --- people's short-lived tools ------------------------------------------ */

static void
info_all(struct draft *d)
{
	int	i;

	pub(d, A "INFO");
	for (i = 0; i < N_STREAMS; i++)
		info(d, d->stream[i]);
	for (i = 0; i < N_BUCKETS; i++)
		info(d, d->kv[i]);
}

static void
fill_setup(struct draft *d)
{
	char		name[32];
	unsigned	shard;
	int		i;

	inbox(d);
	info_all(d);
	for (i = 0; i < N_STREAMS; i++)
		pub(d, A "STREAM.CREATE.%s", d->stream[i]);
	for (i = 0; i < N_BUCKETS; i++)
		pub(d, A "STREAM.CREATE.%s", d->kv[i]);
	for (shard = 0; shard < d->s->shards; shard++) {
		create_fanout(d, shard);
		create_reader(d, shard);
		durable_name(name, sizeof(name), d, "fanout", shard);
		consumer_info(d, STREAM_CHAT, name);
		durable_name(name, sizeof(name), d, "reader", shard);
		consumer_info(d, STREAM_INBOX, name);
	}
	read_layout(d);
	pub(d, "$KV.%s.=delivery", d->bucket[BUCKET_MEMBERS]);
	pub(d, "$KV.%s.=defaults", d->bucket[BUCKET_CHANNELS]);
	get(d, d->kv[BUCKET_CHANNELS]);
}

/* One durable of the target: its name and the filter that goes with it. */
static void
provision(struct draft *d, enum stream_kind stream, const char *name,
    const char *filter, bool may_delete)
{
	consumer_info(d, stream, name);
	pub(d, A "CONSUMER.CREATE.%s.%s.%s", d->stream[stream], name, filter);
	if (may_delete)
		pub(d, A "CONSUMER.DELETE.%s.%s", d->stream[stream], name);
}

static void
fill_provisioner(struct draft *d)
{
	const char	*target = d->s->target;
	char		 name[BUCKET_MAX], token[BUCKET_MAX - 8];
	char		 filter[SUBJECT_MAX];

	inbox(d);
	snprintf(name, sizeof(name), "dm_%s", target);
	snprintf(filter, sizeof(filter), "%s.inst.%s.*", d->P, target);
	provision(d, STREAM_DM, name, filter, true);
	snprintf(name, sizeof(name), "dlv_%s", target);
	snprintf(filter, sizeof(filter), "%s.dlv.%s", d->P, target);
	provision(d, STREAM_DLV, name, filter, true);
	get(d, d->kv[BUCKET_ACL]);
	pub(d, "$KV.%s.%s", d->bucket[BUCKET_ACL], target);
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

static void
fill_operator(struct draft *d)
{
	inbox(d);
	pub(d, "%s.chat.%s.>", d->P, d->id);
	pub(d, "%s.inst.*.%s", d->P, d->id);
	pub(d, "%s.svc.*.%s", d->P, d->id);
	pub(d, "$KV.%s.%s", d->bucket[BUCKET_PRESENCE], d->id);
	browse(d, BUCKET_PRESENCE);
	get(d, d->kv[BUCKET_PRESENCE]);
	browse(d, BUCKET_CHANNELS);
	get(d, d->kv[BUCKET_CHANNELS]);
}

static void
fill_observer(struct draft *d)
{
	static const enum bucket_kind	 feeds[] = { BUCKET_PRESENCE,
	    BUCKET_CHANNELS, BUCKET_MEMBERSHIP };
	const char			*chat = d->stream[STREAM_CHAT];
	size_t				 i;

	inbox(d);
	sub(d, "%s.chat.>", d->P);
	info(d, chat);
	pub(d, A "CONSUMER.CREATE.%s.chathist_%s.%s.chat.>", chat, d->id,
	    d->P);
	pub(d, A "CONSUMER.INFO.%s.chathist_%s", chat, d->id);
	pub(d, A "CONSUMER.MSG.NEXT.%s.chathist_%s", chat, d->id);
	pub(d, A "CONSUMER.DELETE.%s.chathist_%s", chat, d->id);
	for (i = 0; i < sizeof(feeds) / sizeof(feeds[0]); i++) {
		browse(d, feeds[i]);
		get(d, d->kv[feeds[i]]);
	}
}

static void
fill_admin(struct draft *d)
{
	fill_observer(d);
	sub(d, "%s.inst.>", d->P);
	sub(d, "%s.svc.>", d->P);
}

static void
fill_inspector(struct draft *d)
{
	inbox(d);
	info_all(d);
	consumer_info(d, STREAM_CHAT, "*");
	consumer_info(d, STREAM_INBOX, "*");
	consumer_info(d, STREAM_DLV, "*");
	get(d, d->kv[BUCKET_DELIVERY]);
	get(d, d->kv[BUCKET_ACL]);
	get(d, d->kv[BUCKET_MEMBERS]);
	watch(d, BUCKET_ACL);
	watch(d, BUCKET_MEMBERS);
	watch(d, BUCKET_PRESENCE);
	sub(d, "%s.reeve.health.>", d->P);
}

static void
fill_undertaker(struct draft *d)
{
	inbox(d);
	info(d, d->stream[STREAM_DEAD]);
	get(d, d->stream[STREAM_DEAD]);
	pub(d, A "STREAM.MSG.DELETE.%s", d->stream[STREAM_DEAD]);
	pub(d, "%s.dinbox.>", d->P);
	read_layout(d);
}

static void
fill_registrar(struct draft *d)
{
	inbox(d);
	info(d, d->kv[BUCKET_CHANNELS]);
	get(d, d->kv[BUCKET_CHANNELS]);
	pub(d, "$KV.%s.>", d->bucket[BUCKET_CHANNELS]);
}

/* How far all are, whatever their number; made and deleted are one shard's. */
static void
fill_resharder(struct draft *d)
{
	char	name[32];

	inbox(d);
	read_layout(d);
	pub(d, "$KV.%s.=delivery", d->bucket[BUCKET_MEMBERS]);
	info(d, d->stream[STREAM_CHAT]);
	info(d, d->stream[STREAM_INBOX]);
	consumer_info(d, STREAM_CHAT, "*");
	consumer_info(d, STREAM_INBOX, "*");
	create_fanout(d, d->s->shard);
	create_reader(d, d->s->shard);
	durable_name(name, sizeof(name), d, "fanout", d->s->shard);
	pub(d, A "CONSUMER.DELETE.%s.%s", d->stream[STREAM_CHAT], name);
	durable_name(name, sizeof(name), d, "reader", d->s->shard);
	pub(d, A "CONSUMER.DELETE.%s.%s", d->stream[STREAM_INBOX], name);
}

/* Connects, and no more: empty lists are nothing (jwt.h). */
static void
fill_probe(struct draft *d)
{
	(void)d;
}
