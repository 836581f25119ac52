/* SPDX-License-Identifier: ISC */

/* Every profile against a real broker: each subject of a table, published or
 * subscribed by each of them, is let through or refused as the table says. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "profile.h"
#include "space.h"

/* Bits of the profiles that may. */
#define AGENT		(1u << PROFILE_AGENT)
#define LEASE		(1u << PROFILE_LEASE)
#define FANOUT		(1u << PROFILE_FANOUT)
#define READER		(1u << PROFILE_READER)
#define CONTROL		(1u << PROFILE_CONTROL)
#define MANAGER		(1u << PROFILE_MANAGER)
#define SIGNER		(1u << PROFILE_SIGNER)
#define PTY		(1u << PROFILE_PTY)
#define SETUP		(1u << PROFILE_SETUP)
#define PROVISIONER	(1u << PROFILE_PROVISIONER)
#define PURGER		(1u << PROFILE_PURGER)
#define OPERATOR	(1u << PROFILE_OPERATOR)
#define OBSERVER	(1u << PROFILE_OBSERVER)
#define ADMIN		(1u << PROFILE_ADMIN)
#define INSPECTOR	(1u << PROFILE_INSPECTOR)
#define UNDERTAKER	(1u << PROFILE_UNDERTAKER)
#define REGISTRAR	(1u << PROFILE_REGISTRAR)
#define RESHARDER	(1u << PROFILE_RESHARDER)
#define MIGRATOR	(1u << PROFILE_MIGRATOR)
#define CALL_MANAGER	(1u << PROFILE_CALLER_MANAGER)
#define CALL_ADMIN	(1u << PROFILE_CALLER_ADMIN)
#define ATTACHER	(1u << PROFILE_ATTACHER)
#define PROBE		(1u << PROFILE_PROBE)
#define ALL		((1u << N_PROFILES) - 1)
#define NOBODY		0u

/* In a subject: ~ is the user's own id, ! another agent's (the provisioner's
 * target), @ is "$JS.API.". */
struct rule {
	const char	*subject;
	unsigned	 may;
};

static const struct rule publish_rules[] = {
	/* messages */
	{ "cotal.t.chat.~.general",		AGENT | OPERATOR },
	{ "cotal.t.chat.~.secret",		OPERATOR },
	{ "cotal.t.chat.!.general",		NOBODY },
	{ "cotal.t.inst.!.~",			AGENT | OPERATOR },
	{ "cotal.t.inst.!.!",			NOBODY },
	{ "cotal.t.inst.~.!",			NOBODY },
	{ "cotal.t.svc.x.~",			AGENT | OPERATOR },
	{ "cotal.t.svc.x.!",			NOBODY },
	{ "cotal.t.dinbox.!",			FANOUT | CONTROL |
						UNDERTAKER },
	{ "cotal.t.dinbox.~",			FANOUT | CONTROL |
						UNDERTAKER },
	{ "cotal.t.dlv.!",			READER },
	{ "cotal.t.dlv.~",			READER },
	{ "cotal.other.chat.~.general",		NOBODY },
	{ "_INBOX_!.x.y",			NOBODY },
	{ "_INBOX_~.x.y",			NOBODY },
	{ "_INBOX_~.x.probe.1",			MANAGER | SIGNER | PTY },
	{ "_INBOX_!.x.probe.1",			NOBODY },
	/* control */
	{ "cotal.t.ctl.delivery.~",		AGENT },
	{ "cotal.t.ctl.delivery.!",		NOBODY },
	{ "cotal.t.ctl.delivery.!.reply.n",	CONTROL },
	{ "cotal.t.ctl.self.~",			AGENT },
	{ "cotal.t.ctl.self.!",			NOBODY },
	{ "cotal.t.ctl.manager.~",		CALL_MANAGER },
	{ "cotal.t.ctl.manager.!",		NOBODY },
	{ "cotal.t.ctl.admin.~",		CALL_ADMIN },
	{ "cotal.t.ctl.admin.!",		NOBODY },
	{ "cotal.t.ctl.manager.!.reply.n",	MANAGER },
	{ "cotal.t.ctl.self.!.reply.n",		MANAGER },
	{ "cotal.t.ctl.admin.!.reply.n",	MANAGER },
	/* credentials */
	{ "cotal.t.reeve.mint.~",		MANAGER },
	{ "cotal.t.reeve.mint.!",		NOBODY },
	{ "cotal.t.reeve.mint.!.reply.n",	SIGNER },
	{ "cotal.other.reeve.mint.~",		NOBODY },
	/* terminals */
	{ "reeve.t.pty.!.in.~",			ATTACHER },
	{ "reeve.t.pty.!.in.!",			NOBODY },
	{ "reeve.t.pty.~.in.~",			NOBODY },
	{ "reeve.t.pty.!.out.~",		PTY },
	{ "reeve.t.pty.!.out.!",		PTY },
	{ "reeve.t.pty.~.out.~",		NOBODY },
	{ "reeve.t.pty.!.state",		PTY },
	{ "reeve.t.pty.~.state",		NOBODY },
	{ "reeve.other.pty.!.in.~",		NOBODY },
	{ "reeve.other.pty.!.state",		NOBODY },
	/* ours */
	{ "cotal.t.reeve.dead.0.fanout",	FANOUT },
	{ "cotal.t.reeve.dead.0.reader",	READER },
	{ "cotal.t.reeve.dead.0.control",	CONTROL },
	{ "cotal.t.reeve.health.0.lease.h",	LEASE },
	{ "cotal.t.reeve.health.0.fanout.h",	FANOUT },
	{ "cotal.t.reeve.health.0.reader.h",	READER },
	{ "cotal.t.reeve.health.0.control.h",	CONTROL },
	{ "cotal.t.reeve.health.1.fanout.h",	NOBODY },
	{ "cotal.t.reeve.health.-.manager.h",	MANAGER },
	{ "cotal.t.reeve.health.-.signer.h",	SIGNER },
	/* records */
	{ "$KV.cotal_presence_t.~",		AGENT | OPERATOR | MANAGER },
	{ "$KV.cotal_presence_t.!",		NOBODY },
	{ "$KV.cotal_members_t.general/!",	CONTROL },
	{ "$KV.cotal_members_t.general/~",	CONTROL },
	{ "$KV.cotal_members_t.=delivery",	CONTROL | SETUP |
						RESHARDER },
	{ "$KV.cotal_acl_t.!",			PROVISIONER },
	{ "$KV.cotal_acl_t.~",			NOBODY },
	{ "$KV.cotal_delivery_t.lease.0",	LEASE },
	{ "$KV.cotal_delivery_t.lease.1",	NOBODY },
	{ "$KV.cotal_manager_t.lease",		MANAGER },
	{ "$KV.cotal_manager_t.other",		NOBODY },
	{ "$KV.cotal_membership_t.!",		NOBODY },
	{ "$KV.cotal_channels_t.general",	REGISTRAR },
	{ "$KV.cotal_channels_t.=defaults",	SETUP | REGISTRAR },
	/* reading what is stored */
	{ "@STREAM.MSG.GET.CHAT_t",		FANOUT | CONTROL },
	{ "@STREAM.MSG.GET.DM_t",		NOBODY },
	{ "@STREAM.MSG.GET.TASK_t",		NOBODY },
	{ "@STREAM.MSG.GET.DLV_t",		NOBODY },
	{ "@STREAM.MSG.GET.INBOX_t",		READER },
	{ "@STREAM.MSG.GET.DEAD_t",		UNDERTAKER },
	{ "@STREAM.MSG.GET.KV_cotal_acl_t",	FANOUT | READER | CONTROL |
						PROVISIONER | INSPECTOR },
	{ "@STREAM.MSG.GET.KV_cotal_members_t",	FANOUT | READER | CONTROL |
						INSPECTOR },
	{ "@STREAM.MSG.GET.KV_cotal_delivery_t", AGENT | LEASE | FANOUT |
						READER | CONTROL |
						INSPECTOR | MIGRATOR },
	{ "@STREAM.MSG.GET.KV_cotal_manager_t",	MANAGER | MIGRATOR },
	{ "@DIRECT.GET.CHAT_t",			NOBODY },
	{ "@DIRECT.GET.DLV_t",			NOBODY },
	{ "@DIRECT.GET.KV_cotal_members_t",	NOBODY },
	{ "@DIRECT.GET.KV_cotal_acl_t.$KV.cotal_acl_t.!", NOBODY },
	{ "@DIRECT.GET.KV_cotal_delivery_t.$KV.cotal_delivery_t.lease.0",
						NOBODY },
	{ "@STREAM.SNAPSHOT.DM_t",		NOBODY },
	{ "@STREAM.NAMES",			NOBODY },
	{ "@STREAM.LIST",			NOBODY },
	{ "@CONSUMER.NAMES.DM_t",		MIGRATOR },
	{ "@CONSUMER.NAMES.CHAT_t",		NOBODY },
	{ "@CONSUMER.LIST.DM_t",		NOBODY },
	/* administering */
	{ "@STREAM.CREATE.CHAT_t",		SETUP },
	{ "@STREAM.CREATE.DLV_t",		SETUP },
	{ "@STREAM.CREATE.KV_cotal_acl_t",	SETUP },
	{ "@STREAM.CREATE.OTHER",		NOBODY },
	{ "@STREAM.UPDATE.CHAT_t",		NOBODY },
	{ "@STREAM.UPDATE.KV_cotal_acl_t",	NOBODY },
	{ "@STREAM.DELETE.CHAT_t",		NOBODY },
	{ "@STREAM.DELETE.KV_cotal_members_t",	NOBODY },
	{ "@STREAM.PURGE.CHAT_t",		PURGER },
	{ "@STREAM.PURGE.DM_t",			PURGER },
	{ "@STREAM.PURGE.DLV_t",		NOBODY },
	{ "@STREAM.PURGE.TASK_t",		NOBODY },
	{ "@STREAM.PURGE.KV_cotal_acl_t",	NOBODY },
	{ "@STREAM.MSG.DELETE.CHAT_t",		NOBODY },
	{ "@STREAM.MSG.DELETE.KV_cotal_acl_t",	NOBODY },
	{ "@STREAM.MSG.DELETE.DEAD_t",		UNDERTAKER },
	{ "@STREAM.RESTORE.CHAT_t",		NOBODY },
	{ "@STREAM.LEADER.STEPDOWN.CHAT_t",	NOBODY },
	{ "@META.LEADER.STEPDOWN",		NOBODY },
	{ "@SERVER.REMOVE",			NOBODY },
	{ "@ACCOUNT.PURGE.x",			NOBODY },
	{ "$SYS.REQ.SERVER.PING",		NOBODY },
	/* the workers' durables */
	{ "@CONSUMER.MSG.NEXT.CHAT_t.fanout",	FANOUT },
	{ "@CONSUMER.CREATE.CHAT_t.fanout.cotal.t.chat.>", FANOUT | SETUP |
						RESHARDER },
	{ "@CONSUMER.DELETE.CHAT_t.fanout",	RESHARDER },
	{ "@CONSUMER.DELETE.CHAT_t.fanout_0",	NOBODY },
	{ "$JS.ACK.CHAT_t.fanout.1.1.1.1.0",	FANOUT },
	{ "@CONSUMER.MSG.NEXT.INBOX_t.reader",	READER },
	{ "@CONSUMER.CREATE.INBOX_t.reader.cotal.t.dinbox.>", READER |
						SETUP | RESHARDER },
	{ "@CONSUMER.DELETE.INBOX_t.reader",	RESHARDER },
	{ "$JS.ACK.INBOX_t.reader.1.1.1.1.0",	READER },
	{ "@CONSUMER.CREATE.CHAT_t.cu_0_0.cotal.t.chat.*.general", CONTROL },
	{ "@CONSUMER.MSG.NEXT.CHAT_t.cu_0_0",	CONTROL },
	{ "@CONSUMER.DELETE.CHAT_t.cu_0_0",	CONTROL },
	{ "@CONSUMER.CREATE.CHAT_t",		NOBODY },
	{ "@CONSUMER.CREATE.CHAT_t.x.cotal.t.chat.>", NOBODY },
	{ "@CONSUMER.DURABLE.CREATE.CHAT_t.x",	NOBODY },
	{ "@CONSUMER.CREATE.INBOX_t",		NOBODY },
	{ "@CONSUMER.CREATE.INBOX_t.x.cotal.t.dinbox.>", NOBODY },
	/* agents' durables and history */
	{ "@CONSUMER.CREATE.DM_t",		NOBODY },
	{ "@CONSUMER.CREATE.DM_t.x.cotal.t.inst.>", NOBODY },
	{ "@CONSUMER.DURABLE.CREATE.DM_t.x",	NOBODY },
	{ "@CONSUMER.CREATE.DM_t.dm_!.cotal.t.inst.!.*", PROVISIONER },
	{ "@CONSUMER.CREATE.DM_t.dm_!.cotal.t.inst.>", NOBODY },
	{ "@CONSUMER.DELETE.DM_t.dm_!",		PROVISIONER },
	{ "@CONSUMER.MSG.NEXT.DM_t.dm_!",	NOBODY },
	{ "@CONSUMER.MSG.NEXT.DM_t.dm_~",	AGENT },
	{ "@CONSUMER.CREATE.DM_t.dm_~.cotal.t.inst.~.*", NOBODY },
	{ "$JS.ACK.DM_t.dm_!.1.1.1.1.0",	NOBODY },
	{ "$JS.ACK.DM_t.dm_~.1.1.1.1.0",	AGENT },
	{ "@CONSUMER.CREATE.DLV_t",		NOBODY },
	{ "@CONSUMER.CREATE.DLV_t.x.cotal.t.dlv.>", NOBODY },
	{ "@CONSUMER.CREATE.DLV_t.dlv_!.cotal.t.dlv.!", PROVISIONER },
	{ "@CONSUMER.DELETE.DLV_t.dlv_!",	PROVISIONER },
	{ "@CONSUMER.MSG.NEXT.DLV_t.dlv_!",	NOBODY },
	{ "@CONSUMER.MSG.NEXT.DLV_t.dlv_~",	AGENT },
	{ "@CONSUMER.MSG.NEXT.TASK_t.svc_x",	AGENT },
	{ "@CONSUMER.MSG.NEXT.TASK_t.svc_y",	NOBODY },
	{ "@CONSUMER.DELETE.TASK_t.svc_x",	NOBODY },
	{ "@CONSUMER.CREATE.TASK_t",		NOBODY },
	{ "@CONSUMER.CREATE.TASK_t.svc_x.cotal.t.svc.x.*", PROVISIONER },
	{ "@CONSUMER.CREATE.CHAT_t.chathist_~.cotal.t.chat.*.general",
						AGENT | OBSERVER | ADMIN },
	{ "@CONSUMER.CREATE.CHAT_t.chathist_~.cotal.t.chat.*.secret",
						OBSERVER | ADMIN },
	{ "@CONSUMER.CREATE.CHAT_t.chathist_!.cotal.t.chat.*.general",
						NOBODY },
	{ "@CONSUMER.MSG.NEXT.CHAT_t.chathist_!", NOBODY },
	{ "@CONSUMER.DELETE.CHAT_t.chathist_!",	NOBODY },
	/* watches */
	{ "@CONSUMER.CREATE.KV_cotal_delivery_t.w_~.$KV.cotal_delivery_t."
	    "lease.0",				FANOUT | READER | CONTROL },
	{ "@CONSUMER.CREATE.KV_cotal_acl_t.w_~.$KV.cotal_acl_t.>",
						FANOUT | READER | INSPECTOR |
						MIGRATOR },
	{ "@CONSUMER.CREATE.KV_cotal_members_t.w_~.$KV.cotal_members_t.>",
						FANOUT | READER | CONTROL |
						INSPECTOR | MIGRATOR },
	{ "@CONSUMER.DELETE.KV_cotal_members_t.w_~", FANOUT | READER |
						CONTROL | INSPECTOR |
						UNDERTAKER | SETUP |
						LEASE | RESHARDER | MIGRATOR },
	{ "@CONSUMER.DELETE.KV_cotal_members_t.w_!", NOBODY },
	{ "@CONSUMER.CREATE.KV_cotal_acl_t",	NOBODY },
	{ "@CONSUMER.CREATE.KV_cotal_manager_t.w_~.$KV.cotal_manager_t."
	    "lease",				MANAGER },
	{ "@CONSUMER.CREATE.KV_cotal_presence_t.w_~.$KV.cotal_presence_t.>",
						FANOUT | OPERATOR | OBSERVER |
						ADMIN | INSPECTOR | AGENT |
						MANAGER },
};

static const struct rule subscribe_rules[] = {
	{ "_INBOX_~.>",				ALL & ~PROBE },
	{ "_INBOX_!.>",				NOBODY },
	{ "_INBOX_!.x",				NOBODY },
	{ "_INBOX.>",				NOBODY },
	{ ">",					NOBODY },
	{ "cotal.>",				NOBODY },
	{ "cotal.t.>",				NOBODY },
	{ "cotal.t.chat.>",			OBSERVER | ADMIN },
	{ "cotal.t.chat.*.general",		AGENT | OBSERVER | ADMIN },
	{ "cotal.t.chat.*.secret",		OBSERVER | ADMIN },
	{ "cotal.t.inst.>",			ADMIN },
	{ "cotal.t.inst.!.*",			ADMIN },
	{ "cotal.t.inst.~.*",			ADMIN },
	{ "cotal.t.svc.>",			ADMIN },
	{ "cotal.t.dinbox.>",			NOBODY },
	{ "cotal.t.dlv.>",			NOBODY },
	{ "cotal.t.dlv.!",			NOBODY },
	{ "cotal.t.dlv.~",			NOBODY },
	{ "cotal.t.ctl.>",			NOBODY },
	{ "cotal.t.ctl.delivery.*",		CONTROL },
	{ "cotal.t.ctl.self.*",			MANAGER },
	{ "cotal.t.ctl.manager.*",		MANAGER },
	{ "cotal.t.ctl.admin.*",		MANAGER },
	{ "cotal.t.ctl.*.*",			NOBODY },
	{ "cotal.t.ctl.delivery.~.>",		AGENT },
	{ "cotal.t.ctl.delivery.!.>",		NOBODY },
	{ "cotal.t.ctl.delivery.!.reply.*",	NOBODY },
	{ "cotal.t.ctl.self.~.reply.*",		AGENT },
	{ "cotal.t.ctl.self.!.reply.*",		NOBODY },
	{ "cotal.t.ctl.manager.~.reply.*",	CALL_MANAGER },
	{ "cotal.t.ctl.manager.!.reply.*",	NOBODY },
	{ "cotal.t.ctl.admin.~.reply.*",	CALL_ADMIN },
	{ "cotal.t.ctl.admin.!.reply.*",	NOBODY },
	{ "cotal.t.reeve.mint.*",		SIGNER },
	{ "cotal.t.reeve.mint.~.reply.*",	MANAGER },
	{ "cotal.t.reeve.mint.!.reply.*",	NOBODY },
	{ "reeve.t.pty.>",			NOBODY },
	{ "reeve.t.pty.*.state",		MANAGER },
	{ "reeve.t.pty.!.state",		MANAGER | ATTACHER | PTY },
	{ "reeve.t.pty.~.state",		MANAGER },
	{ "reeve.t.pty.!.in.*",			PTY },
	{ "reeve.t.pty.~.in.*",			NOBODY },
	{ "reeve.t.pty.*.in.*",			NOBODY },
	{ "reeve.t.pty.!.out.~",		ATTACHER },
	{ "reeve.t.pty.!.out.!",		NOBODY },
	{ "reeve.t.pty.!.out.*",		NOBODY },
	{ "cotal.t.reeve.>",			NOBODY },
	{ "cotal.t.reeve.health.0.>",		LEASE | INSPECTOR },
	{ "cotal.t.reeve.health.0.reader.*",	LEASE | INSPECTOR | FANOUT |
						CONTROL },
	{ "cotal.t.reeve.health.0.lease.*",	LEASE | INSPECTOR },
	{ "cotal.t.reeve.health.1.>",		INSPECTOR },
	{ "cotal.t.reeve.dead.>",		NOBODY },
	{ "$KV.>",				NOBODY },
	{ "$KV.cotal_acl_t.>",			NOBODY },
	{ "$KV.cotal_delivery_t.lease.0",	NOBODY },
	{ "$JS.>",				NOBODY },
	{ "$JS.EVENT.>",			NOBODY },
	{ "$SYS.>",				NOBODY },
};

#define COUNT(v)	(sizeof(v) / sizeof((v)[0]))

static struct agent	*victim;

static void
only_broker(void)
{
	static const char *const	roles[] = { "lease", "fanout",
					    "reader", "control" };
	char				path[300];
	size_t				i;

	sp = space_make("");
	for (i = 0; i < COUNT(roles); i++) {
		snprintf(path, sizeof(path), "%s/service/%s/down", sp->state,
		    roles[i]);
		close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	space_start(sp);
	space_connect_root(sp);
	victim = agent_make(sp, "victim", "--role y");
}

static struct bus *
connect_as(enum profile profile, struct creds *c)
{
	static char	 general[] = "general", x[] = "x";
	static char	*channels[] = { general };
	struct scope	 scope = { .shards = 2, .target = victim->id,
			    .role = profile == PROFILE_AGENT ||
			    profile == PROFILE_PROVISIONER ? x : NULL,
			    .allow_publish = channels, .n_allow_publish = 1 };
	struct bus_conf	 conf = { .servers = sp->config.servers, .creds = c,
			    .name = profile_name(profile) };
	struct bus	*b = NULL;
	struct error	 e;

	scope.shards = 1;
	memset(c, 0, sizeof(*c));
	OK(trust_mint(&sp->trust, profile, &scope, 0, c, &e), e);
	OK(bus_open(&b, &conf, &e), e);
	return b;
}

static void
expand(char *buf, size_t size, const char *template, const char *own)
{
	size_t	n = 0;

	buf[0] = '\0';
	for (; *template != '\0' && n < size - 1; template++)
		n += (size_t)snprintf(buf + n, size - n, "%.*s",
		    *template == '@' ? 8 : *template == '~' ||
		    *template == '!' ? ID_MAX : 1,
		    *template == '@' ? "$JS.API." : *template == '~' ? own :
		    *template == '!' ? victim->id : template);
	ck_assert_uint_lt(n, size);
}

/* Refusals come in order: when that of a subject that is nobody's is there,
 * all before it are. */
static bool
let_through(struct bus *b, const char *subject)
{
	static unsigned	n;
	char		sentinel[40];
	struct bus_pub	p = { .subject = sentinel, .data = "" };
	struct error	e;
	int64_t		until = clock_ms() + AWAIT_MS;

	snprintf(sentinel, sizeof(sentinel), "sentinel.%u", n++);
	OK(bus_publish(b, &p, &e), e);
	while (!bus_refused(b, sentinel)) {
		ck_assert_msg(bus_alive(b) && clock_ms() < until, "%s: %s",
		    subject, bus_why(b));
		bus_turn(b, NULL, 0, 5);
	}
	return !bus_refused(b, subject);
}

static void
nothing(void *arg, natsMsg *m)
{
	(void)arg;
	natsMsg_Destroy(m);
}

static bool
may_publish(struct bus *b, const char *subject)
{
	struct bus_pub	p = { .subject = subject, .data = "" };
	struct error	e;

	OK(bus_publish(b, &p, &e), e);
	return let_through(b, subject);
}

static bool
may_subscribe(struct bus *b, const char *subject)
{
	struct error	 e;
	struct bus_sub	*s;
	bool		 may;

	s = bus_subscribe(b, subject, NULL, nothing, NULL, &e);
	ck_assert_msg(s != NULL, "%s", e.text);
	may = let_through(b, subject);
	bus_unsubscribe(b, s);
	return may;
}

static void
check_rules(enum profile profile, const struct rule *rules, size_t n,
    bool (*may)(struct bus *, const char *), const char *what)
{
	struct creds	 c;
	struct bus	*b = connect_as(profile, &c);
	char		 subject[512];
	size_t		 i;
	bool		 want, got;

	for (i = 0; i < n; i++) {
		expand(subject, sizeof(subject), rules[i].subject,
		    c.key.public);
		want = (rules[i].may & (1u << profile)) != 0;
		got = may(b, subject);
		ck_assert_msg(got == want, "%s may %s%s %s",
		    profile_name(profile), got ? "" : "not ", what,
		    rules[i].subject);
	}
	bus_close(b);
	creds_wipe(&c);
}

START_TEST(publishing)
{
	check_rules((enum profile)_i, publish_rules, COUNT(publish_rules),
	    may_publish, "publish");
}
END_TEST

START_TEST(subscribing)
{
	check_rules((enum profile)_i, subscribe_rules, COUNT(subscribe_rules),
	    may_subscribe, "subscribe");
}
END_TEST

/* --- what a grant is good for ------------------------------------------------ */

/* The pinned filter: a body that says another one is refused. */
START_TEST(body_must_match_the_pinned_filter)
{
	struct creds	 c;
	struct bus	*b = connect_as(PROFILE_AGENT, &c);
	char		 subject[300], body[300];
	struct bus_pub	 p = { .subject = subject, .data = body };
	struct error	 e;
	natsMsg		*m;

	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.CREATE.CHAT_t."
	    "chathist_%s.cotal.t.chat.*.general", c.key.public);
	snprintf(body, sizeof(body), "{\"stream_name\":\"CHAT_t\",\"config\":{"
	    "\"name\":\"chathist_%s\",\"ack_policy\":\"none\","
	    "\"filter_subject\":\"cotal.t.chat.*.secret\"}}", c.key.public);
	p.len = strlen(body);
	m = bus_call(b, &p, 2000, &e);
	ck_assert_msg(m != NULL, "%s", e.text);
	ck_assert(strstr(natsMsg_GetData(m), "\"error\"") != NULL);
	natsMsg_Destroy(m);
	snprintf(body, sizeof(body), "{\"stream_name\":\"DM_t\",\"config\":{"
	    "\"name\":\"chathist_%s\",\"ack_policy\":\"none\","
	    "\"filter_subject\":\"cotal.t.inst.>\"}}", c.key.public);
	p.len = strlen(body);
	m = bus_call(b, &p, 2000, &e);
	ck_assert_msg(m != NULL, "%s", e.text);
	ck_assert(strstr(natsMsg_GetData(m), "\"error\"") != NULL);
	natsMsg_Destroy(m);
	bus_close(b);
	creds_wipe(&c);
}
END_TEST

static void
count(void *arg, natsMsg *m)
{
	unsigned	*n = arg;

	(*n)++;
	natsMsg_Destroy(m);
}

/* The server takes an allowed x.* for x.> as well: what lies deeper must not
 * come, though it is asked for. */
START_TEST(nothing_below_one_level)
{
	static const struct {
		enum profile	 profile;
		const char	*wide, *one, *deeper;
	} cases[] = {
		{ PROFILE_MANAGER, "cotal.t.ctl.self.>", "cotal.t.ctl.self.x",
		    "cotal.t.ctl.self.x.reply.n" },
		{ PROFILE_MANAGER, "cotal.t.ctl.admin.>",
		    "cotal.t.ctl.admin.x", "cotal.t.ctl.admin.x.reply.n" },
		{ PROFILE_SIGNER, "cotal.t.reeve.mint.>",
		    "cotal.t.reeve.mint.x", "cotal.t.reeve.mint.x.reply.n" },
		{ PROFILE_PTY, "reeve.t.pty.!.in.>", "reeve.t.pty.!.in.x",
		    "reeve.t.pty.!.in.x.y" } };
	struct creds	 c;
	struct bus	*b = connect_as(cases[_i].profile, &c);
	char		 wide[300], subject[300];
	struct bus_pub	 p = { .subject = subject, .data = "" };
	struct error	 e;
	int64_t		 until;
	unsigned	 n = 0;

	expand(wide, sizeof(wide), cases[_i].wide, c.key.public);
	ck_assert_ptr_nonnull(bus_subscribe(b, wide, NULL, count, &n, &e));
	(void)let_through(b, wide);
	expand(subject, sizeof(subject), cases[_i].deeper, c.key.public);
	OK(bus_publish(sp->root, &p, &e), e);
	/* What is said after it would be heard after it. */
	expand(subject, sizeof(subject), cases[_i].one, c.key.public);
	OK(bus_publish(sp->root, &p, &e), e);
	OK(bus_drain(sp->root, AWAIT_MS), e);
	for (until = clock_ms() + AWAIT_MS; n == 0; bus_turn(b, NULL, 0, 20))
		ck_assert(clock_ms() < until);
	ck_assert_uint_eq(n, 1);
	bus_close(b);
	creds_wipe(&c);
}
END_TEST

/* What an agent has stored it can have delivered wherever it likes: the
 * server does not check whether it may publish there.  It must not be taken
 * for a key pressed in another's terminal. */
START_TEST(what_is_aimed_elsewhere_is_not_heard)
{
	struct creds		 c, other;
	struct bus		*b = connect_as(PROFILE_AGENT, &c);
	struct bus		*pty = connect_as(PROFILE_PTY, &other);
	char			 stored[300], next[300], in[300], name[80];
	struct bus_pub		 dm = { .subject = stored, .data = "irm\r",
				    .len = 4 };
	struct bus_pub		 aim = { .subject = next, .reply = in,
				    .data = "1", .len = 1 };
	struct bus_pub		 key = { .subject = in, .data = "" };
	struct js_consumer	 taken = { .n_delivered = 0 };
	char			 text[400];
	cJSON			*config;
	struct error		 e;
	int64_t			 until = clock_ms() + AWAIT_MS;
	unsigned		 n = 0;

	snprintf(name, sizeof(name), "dm_%s", c.key.public);
	snprintf(text, sizeof(text), "{\"name\":\"%s\",\"durable_name\":\"%s\","
	    "\"ack_policy\":\"explicit\",\"filter_subject\":"
	    "\"cotal.t.inst.%s.*\"}", name, name, c.key.public);
	ck_assert_ptr_nonnull(config = json_parse(text, strlen(text), &e));
	OK(js_consumer_create(sp->root, "DM_t", name, config, NULL, &e), e);
	cJSON_Delete(config);
	expand(in, sizeof(in), "reeve.t.pty.!.in.*", c.key.public);
	ck_assert_ptr_nonnull(bus_subscribe(pty, in, NULL, count, &n, &e));
	OK(bus_await(pty, AWAIT_MS, &e), e);
	expand(stored, sizeof(stored), "cotal.t.inst.~.~", c.key.public);
	OK(js_publish(b, &dm, NULL, NULL, &e), e);
	expand(next, sizeof(next), "@CONSUMER.MSG.NEXT.DM_t.dm_~",
	    c.key.public);
	expand(in, sizeof(in), "reeve.t.pty.!.in.~", c.key.public);
	OK(bus_publish(b, &aim, &e), e);
	OK(bus_drain(b, AWAIT_MS), e);
	while (taken.n_delivered == 0) {
		ck_assert(clock_ms() < until);
		OK(js_consumer_info(sp->root, "DM_t", name, &taken, &e), e);
		js_consumer_free(&taken);
	}
	OK(bus_publish(sp->root, &key, &e), e);
	OK(bus_drain(sp->root, AWAIT_MS), e);
	for (; n == 0; bus_turn(pty, NULL, 0, 20))
		ck_assert(clock_ms() < until);
	ck_assert_uint_eq(n, 1);
	bus_close(pty);
	bus_close(b);
	creds_wipe(&other);
	creds_wipe(&c);
}
END_TEST

static char	asked_on[300];

static void
note_lane(void *arg, natsMsg *m)
{
	(void)arg;
	snprintf(asked_on, sizeof(asked_on), "%s", natsMsg_GetReply(m));
	natsMsg_Destroy(m);
}

/* arg: what was answered. */
static void
note_end(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	char	*said = arg;

	ck_assert_int_eq(outcome, BUS_OK);
	snprintf(said, 8, "%s", natsMsg_GetData(reply));
}

/* Nor is it taken for an answer, though somebody found out where that goes:
 * whoever may post to a channel may choose what the subject ends in. */
START_TEST(what_is_aimed_at_us_is_no_answer)
{
	static const char	 config[] = "{\"name\":\"aim\","
				    "\"durable_name\":\"aim\","
				    "\"ack_policy\":\"explicit\","
				    "\"filter_subject\":\"cotal.t.chat.>\"}";
	struct creds		 c;
	struct bus		*b = connect_as(PROFILE_MANAGER, &c);
	char			 subject[300], post[300];
	struct bus_pub		 ask = { .subject = subject, .data = "" };
	struct bus_pub		 chat = { .subject = post, .data = "{}",
				    .len = 2 };
	struct bus_pub		 aim = { .data = "1", .len = 1, .subject =
				    "$JS.API.CONSUMER.MSG.NEXT.CHAT_t.aim" };
	struct js_consumer	 taken = { .n_delivered = 0 };
	struct bus_pub		 answer = { .subject = asked_on,
				    .data = "true", .len = 4 };
	char			 said[8] = "";
	struct error		 e;
	int64_t			 until = clock_ms() + AWAIT_MS;
	cJSON			*o = json_parse(config, strlen(config), &e);

	OK(js_consumer_create(sp->root, "CHAT_t", "aim", o, NULL, &e), e);
	cJSON_Delete(o);
	expand(subject, sizeof(subject), "cotal.t.reeve.mint.~",
	    c.key.public);
	ck_assert_ptr_nonnull(bus_subscribe(sp->root, subject, NULL,
	    note_lane, NULL, &e));
	OK(bus_await(sp->root, AWAIT_MS, &e), e);
	OK(bus_request(b, &ask, AWAIT_MS, note_end, said, &e), e);
	for (; asked_on[0] == '\0'; bus_turn(sp->root, NULL, 0, 5)) {
		bus_turn(b, NULL, 0, 5);
		ck_assert(clock_ms() < until);
	}
	snprintf(post, sizeof(post), "cotal.t.chat.%s%s", victim->id,
	    strrchr(asked_on, '.'));
	OK(js_publish(sp->root, &chat, NULL, NULL, &e), e);
	aim.reply = asked_on;
	OK(bus_publish(sp->root, &aim, &e), e);
	while (taken.n_delivered == 0) {
		ck_assert(clock_ms() < until);
		OK(js_consumer_info(sp->root, "CHAT_t", "aim", &taken, &e),
		    e);
		js_consumer_free(&taken);
	}
	OK(bus_publish(sp->root, &answer, &e), e);
	OK(bus_drain(sp->root, AWAIT_MS), e);
	for (; said[0] == '\0'; bus_turn(b, NULL, 0, 20))
		ck_assert(clock_ms() < until);
	ck_assert_str_eq(said, "true");
	bus_close(b);
	creds_wipe(&c);
}
END_TEST

/* A trust of the same name is another trust. */
START_TEST(credential_of_another_space)
{
	struct scope	 scope = { .shards = 1 };
	struct trust	 other;
	struct creds	 c;
	struct bus_conf	 conf = { .servers = sp->config.servers, .creds = &c,
			    .name = "stranger" };
	struct bus	*b = NULL;
	char		 path[300];
	struct error	 e;

	memset(&c, 0, sizeof(c));
	memset(&other, 0, sizeof(other));
	OK(trust_new(&other, "t", &e), e);
	OK(trust_mint(&other, PROFILE_FANOUT, &scope, 0, &c, &e), e);
	ck_assert_int_eq(bus_open(&b, &conf, &e), -1);
	ck_assert_int_eq(e.code, EX_NOPERM);
	snprintf(path, sizeof(path), "%s/creds/fanout-0.creds", sp->state);
	OK(creds_save(&c, path, &e), e);
	/* alone: without the lease that it needs */
	snprintf(path, sizeof(path), "%s/service/fanout/needs", sp->state);
	ck_assert_int_eq(unlink(path), 0);
	role_control(sp, "fanout", "o");
	AWAIT(logged(sp, "role=fanout shard=0 msg=\"exit\" code=77"));
	ck_assert(!logged(sp, "role=fanout shard=0 msg=\"bound\""));
	creds_wipe(&c);
	trust_wipe(&other);
}
END_TEST

int
main(void)
{
	TCase	*tc = test_case("profiles", only_broker, 60);

	tcase_add_loop_test(tc, publishing, 0, N_PROFILES);
	tcase_add_loop_test(tc, subscribing, 0, N_PROFILES);
	tcase_add_test(tc, body_must_match_the_pinned_filter);
	tcase_add_loop_test(tc, nothing_below_one_level, 0, 4);
	tcase_add_test(tc, what_is_aimed_elsewhere_is_not_heard);
	tcase_add_test(tc, what_is_aimed_at_us_is_no_answer);
	tcase_add_test(tc, credential_of_another_space);
	return test_main("profiles", tc, NULL);
}
