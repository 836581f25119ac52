/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profile_impl.h"

#define GRANT_MAX	2048

static const struct {
	const char	*name;
	void		(*fill)(struct draft *);
} profiles[N_PROFILES] = {
	[PROFILE_AGENT] =	{ "agent", profile_fill_agent },
	[PROFILE_LEASE] =	{ "lease", profile_fill_lease },
	[PROFILE_FANOUT] =	{ "fanout", profile_fill_fanout },
	[PROFILE_READER] =	{ "reader", profile_fill_reader },
	[PROFILE_CONTROL] =	{ "control", profile_fill_control },
	[PROFILE_MANAGER] =	{ "manager", profile_fill_manager },
	[PROFILE_SIGNER] =	{ "signer", profile_fill_signer },
	[PROFILE_PTY] =		{ "pty", profile_fill_pty },
	[PROFILE_SETUP] =	{ "setup", profile_fill_setup },
	[PROFILE_PROVISIONER] =	{ "provisioner", profile_fill_provisioner },
	[PROFILE_PURGER] =	{ "purger", profile_fill_purger },
	[PROFILE_OPERATOR] =	{ "operator", profile_fill_operator },
	[PROFILE_OBSERVER] =	{ "observer", profile_fill_observer },
	[PROFILE_ADMIN] =	{ "admin", profile_fill_admin },
	[PROFILE_INSPECTOR] =	{ "inspector", profile_fill_inspector },
	[PROFILE_UNDERTAKER] =	{ "undertaker", profile_fill_undertaker },
	[PROFILE_REGISTRAR] =	{ "registrar", profile_fill_registrar },
	[PROFILE_RESHARDER] =	{ "resharder", profile_fill_resharder },
	[PROFILE_MIGRATOR] =	{ "migrator", profile_fill_migrator },
	[PROFILE_CALLER_MANAGER] = { "caller-manager",
				    profile_fill_caller_manager },
	[PROFILE_CALLER_ADMIN] = { "caller-admin",
				    profile_fill_caller_admin },
	[PROFILE_ATTACHER] =	{ "attacher", profile_fill_attacher },
	[PROFILE_PROBE] =	{ "probe", profile_fill_probe },
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

/* Is it about one agent? */
static bool
has_target(enum profile profile)
{
	return profile == PROFILE_PROVISIONER || profile == PROFILE_PTY ||
	    profile == PROFILE_ATTACHER;
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
	if (has_target(profile) && (s->target == NULL ||
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

void
grant_pub(struct draft *d, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	grant(d, &d->p->pub_allow, fmt, ap);
	va_end(ap);
}

void
deny_pub(struct draft *d, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	grant(d, &d->p->pub_deny, fmt, ap);
	va_end(ap);
}

void
grant_sub(struct draft *d, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	grant(d, &d->p->sub_allow, fmt, ap);
	va_end(ap);
}

void
grant_sub_each(struct draft *d, const char *parent)
{
	char	below[GRANT_MAX];

	grant_sub(d, "%s.*", parent);
	if (snprintf(below, sizeof(below), "%s.*.>", parent) >=
	    (int)sizeof(below) || !strlist_add(&d->p->sub_deny, below))
		d->failed = true;
}

void
grant_inbox(struct draft *d)
{
	grant_sub(d, "_INBOX_%s.>", d->id);
}

void
grant_info(struct draft *d, const char *stream)
{
	grant_pub(d, A "STREAM.INFO.%s", stream);
}

void
grant_get(struct draft *d, const char *stream)
{
	grant_pub(d, A "STREAM.MSG.GET.%s", stream);
}

void
grant_consumer_info(struct draft *d, enum stream_kind stream,
    const char *name)
{
	grant_pub(d, A "CONSUMER.INFO.%s.%s", d->stream[stream], name);
}

void
grant_watch(struct draft *d, enum bucket_kind b)
{
	const char	*kv = d->kv[b];

	grant_info(d, kv);
	if (b == BUCKET_MANAGER)
		grant_pub(d, A "CONSUMER.CREATE.%s.w_%s.$KV.%s.lease", kv,
		    d->id, d->bucket[b]);
	else if (b == BUCKET_DELIVERY)
		grant_pub(d, A "CONSUMER.CREATE.%s.w_%s.$KV.%s.lease.%s", kv,
		    d->id, d->bucket[b], d->shard);
	else
		grant_pub(d, A "CONSUMER.CREATE.%s.w_%s.$KV.%s.>", kv, d->id,
		    d->bucket[b]);
	grant_pub(d, A "CONSUMER.DELETE.%s.w_%s", kv, d->id);
}

void
grant_browse(struct draft *d, enum bucket_kind b)
{
	grant_info(d, d->kv[b]);
	grant_pub(d, A "CONSUMER.CREATE.%s.w_%s.>", d->kv[b], d->id);
	grant_pub(d, A "CONSUMER.DELETE.%s.w_%s", d->kv[b], d->id);
}

void
grant_watch_get(struct draft *d, const enum bucket_kind *b, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++) {
		grant_watch(d, b[i]);
		grant_get(d, d->kv[b[i]]);
	}
}

void
grant_layout(struct draft *d)
{
	grant_info(d, d->kv[BUCKET_MEMBERS]);
	grant_pub(d, A "CONSUMER.CREATE.%s.w_%s.$KV.%s.=delivery",
	    d->kv[BUCKET_MEMBERS], d->id, d->bucket[BUCKET_MEMBERS]);
	grant_pub(d, A "CONSUMER.DELETE.%s.w_%s", d->kv[BUCKET_MEMBERS], d->id);
}

void
grant_bind(struct draft *d, enum stream_kind stream, const char *name)
{
	grant_consumer_info(d, stream, name);
	grant_pub(d, A "CONSUMER.MSG.NEXT.%s.%s", d->stream[stream], name);
	grant_pub(d, "$JS.ACK.%s.%s.>", d->stream[stream], name);
}

void
draft_durable(char *buf, size_t size, const struct draft *d,
    const char *role, unsigned shard)
{
	if (d->s->shards > 1)
		snprintf(buf, size, "%s_%u", role, shard);
	else
		snprintf(buf, size, "%s", role);
}

void
grant_create_fanout(struct draft *d, unsigned shard)
{
	char	name[32];

	draft_durable(name, sizeof(name), d, "fanout", shard);
	grant_pub(d, A "CONSUMER.CREATE.%s.%s.%s.chat.>", d->stream[STREAM_CHAT],
	    name, d->P);
}

void
grant_create_reader(struct draft *d, unsigned shard)
{
	char	name[32], part[32] = "";

	draft_durable(name, sizeof(name), d, "reader", shard);
	if (d->s->shards > 1)
		snprintf(part, sizeof(part), "%u.", shard);
	grant_pub(d, A "CONSUMER.CREATE.%s.%s.%s.dinbox.%s>",
	    d->stream[STREAM_INBOX], name, d->P, part);
}
