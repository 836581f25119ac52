/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "names.h"
#include "profile.h"
#include "vectors.h"

#define ID	"UCMJIGYFXANY4KEG2ZSBNXW2J5U6SZNJCQJTGGJ4A5K4RK5M3ZU4LTLV"
#define TARGET	"UCQFH2MLMSTMX2CYU5IX5JFSQ5E2QJOSSJWBMSZGGNSQKFAQODDOR6UM"
#define A	"$JS.API."

static struct permissions	p;
static struct error		e;

static void
setup(void)
{
	memset(&p, 0, sizeof(p));
	memset(&e, 0, sizeof(e));
}

static void
teardown(void)
{
	permissions_free(&p);
}

static int
fill(enum profile profile, const struct scope *s)
{
	permissions_free(&p);
	memset(&p, 0, sizeof(p));
	return profile_permissions(profile, s, &p, &e);
}

/* Would the server let a user of these lists publish this? */
static bool
may_pub(const char *subject)
{
	size_t	i;

	for (i = 0; i < p.pub_deny.n; i++)
		if (subject_matches(p.pub_deny.v[i], subject))
			return false;
	for (i = 0; i < p.pub_allow.n; i++)
		if (subject_matches(p.pub_allow.v[i], subject))
			return true;
	return false;
}

static bool
may_sub(const char *subject)
{
	size_t	i;

	for (i = 0; i < p.sub_allow.n; i++)
		if (subject_matches(p.sub_allow.v[i], subject))
			return true;
	return false;
}

static size_t
strings(const cJSON *o, const char *name, char **v, size_t max)
{
	const cJSON	*s;
	size_t		 n = 0;

	cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(o, name)) {
		ck_assert_uint_lt(n, max);
		v[n++] = s->valuestring;
	}
	return n;
}

static void
check_list(const struct strlist *got, const cJSON *want)
{
	const cJSON	*s;

	cJSON_ArrayForEach(s, want)
		ck_assert_msg(strlist_has(got, s->valuestring),
		    "%s is missing", s->valuestring);
	ck_assert_uint_eq(got->n, (size_t)cJSON_GetArraySize(want));
}

START_TEST(recorded_agents)
{
	const char *const	 which[] = { "agent", "agent_plain" };
	char			*subscribe[8], *allow[8], *publish[8];
	cJSON			*v = vectors_load("trust.json");
	const cJSON		*o, *nats, *caps;
	struct scope		 s = { 0 };

	o = vectors_get(vectors_get(v, which[_i]), "options");
	nats = vectors_get(vectors_get(vectors_get(vectors_get(v, which[_i]),
	    "claims"), "payload"), "nats");
	s.space = vectors_str(o, "space");
	s.id = vectors_str(o, "id");
	s.n_subscribe = strings(o, "subscribe", subscribe, 8);
	s.subscribe = s.n_subscribe == 0 ? NULL : subscribe;
	s.n_allow_subscribe = strings(o, "allowSubscribe", allow, 8);
	s.allow_subscribe = allow;
	s.n_allow_publish = strings(o, "allowPublish", publish, 8);
	s.allow_publish = publish;
	s.role = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o,
	    "role"));
	caps = cJSON_GetObjectItemCaseSensitive(o, "capabilities");
	s.spawn = cJSON_GetArraySize(caps) == 1;
	ck_assert_msg(fill(PROFILE_AGENT, &s) == 0, "%s", e.text);
	check_list(&p.pub_allow, vectors_get(vectors_get(nats, "pub"),
	    "allow"));
	check_list(&p.pub_deny, vectors_get(vectors_get(nats, "pub"),
	    "deny"));
	check_list(&p.sub_allow, vectors_get(vectors_get(nats, "sub"),
	    "allow"));
	ck_assert_uint_eq(p.sub_deny.n, 0);
	cJSON_Delete(v);
}
END_TEST

START_TEST(agent_defaults)
{
	struct scope	 s = { .space = "s", .id = ID };
	char		*none[1];

	ck_assert_int_eq(fill(PROFILE_AGENT, &s), 0);
	ck_assert(may_sub("cotal.s.chat." TARGET ".general"));
	ck_assert(!may_sub("cotal.s.chat." TARGET ".other"));
	ck_assert(!may_pub("cotal.s.chat." ID ".general"));
	ck_assert(!may_pub("cotal.s.ctl.manager." ID));
	ck_assert(!may_sub("cotal.s.ctl.manager." ID ".reply.1"));
	/* An empty list is not an absent one. */
	s.subscribe = none;
	ck_assert_int_eq(fill(PROFILE_AGENT, &s), 0);
	ck_assert(!may_sub("cotal.s.chat." TARGET ".general"));
}
END_TEST

static void
check_refused(struct scope *s, const char *named)
{
	ck_assert_int_eq(fill(PROFILE_AGENT, s), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_msg(strstr(e.text, named) != NULL, "%s", e.text);
}

START_TEST(agent_refusals)
{
	char		*const bad[] = { "a..b", "", "a b", "a.>.b", "x/y" };
	char		*const star[] = { "*", "team.*", "a.*.*" };
	char		*const team[] = { "team.>" }, *const one[] = { "team" };
	char		*const wide[] = { ">" };
	struct scope	 s;
	size_t		 i;

	for (i = 0; i < 5; i++) {
		s = (struct scope){ .space = "s", .id = ID,
		    .subscribe = &bad[i], .n_subscribe = 1 };
		check_refused(&s, bad[i]);
		s = (struct scope){ .space = "s", .id = ID,
		    .allow_subscribe = &bad[i], .n_allow_subscribe = 1 };
		check_refused(&s, bad[i]);
		s = (struct scope){ .space = "s", .id = ID,
		    .allow_publish = &bad[i], .n_allow_publish = 1 };
		check_refused(&s, bad[i]);
	}
	for (i = 0; i < 3; i++) {
		s = (struct scope){ .space = "s", .id = ID,
		    .subscribe = &star[i], .n_subscribe = 1 };
		check_refused(&s, star[i]);
	}
	s = (struct scope){ .space = "s", .id = ID, .subscribe = one,
	    .n_subscribe = 1, .allow_subscribe = team,
	    .n_allow_subscribe = 1 };
	check_refused(&s, "team");
	s.subscribe = wide;
	check_refused(&s, ">");
	/* The default too must be inside. */
	s.subscribe = NULL;
	s.n_subscribe = 0;
	check_refused(&s, "general");
}
END_TEST

START_TEST(scope_refusals)
{
	struct scope	s = { .space = "s", .id = "nobody" };
	enum profile	which;
	char		space[300];

	ck_assert_int_eq(fill(PROFILE_FANOUT, &s), -1);
	s.id = NULL;
	ck_assert_int_eq(fill(PROFILE_FANOUT, &s), -1);
	s.id = ID;
	s.shard = 1;
	ck_assert_int_eq(fill(PROFILE_FANOUT, &s), -1);
	s.shard = 0;
	s.space = NULL;
	ck_assert_int_eq(fill(PROFILE_FANOUT, &s), -1);
	memset(space, 'x', sizeof(space) - 1);
	space[sizeof(space) - 1] = '\0';
	s.space = space;
	ck_assert_int_eq(fill(PROFILE_FANOUT, &s), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	s.space = "s";
	ck_assert_int_eq(fill(PROFILE_PROVISIONER, &s), -1);
	s.target = "*";
	ck_assert_int_eq(fill(PROFILE_PROVISIONER, &s), -1);
	s.target = TARGET;
	ck_assert_int_eq(fill(PROFILE_PROVISIONER, &s), 0);
	s.target = ">";
	ck_assert_int_eq(fill(PROFILE_PTY, &s), -1);
	ck_assert_int_eq(fill(PROFILE_ATTACHER, &s), -1);
	s.target = NULL;
	ck_assert_int_eq(fill(PROFILE_PTY, &s), -1);
	ck_assert_int_eq(fill(PROFILE_ATTACHER, &s), -1);

	ck_assert_int_eq(profile_by_name(&which, "reader", &e), 0);
	ck_assert_int_eq(which, PROFILE_READER);
	ck_assert_int_eq(profile_by_name(&which, "Reader", &e), -1);
	ck_assert_int_eq(profile_by_name(&which, "", &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
}
END_TEST

static void
check_plain(enum profile profile, const struct strlist *list)
{
	size_t	i;

	for (i = 0; i < list->n; i++) {
		ck_assert_msg(strstr(list->v[i], "DIRECT.GET") == NULL,
		    "%s: %s", profile_name(profile), list->v[i]);
		ck_assert_str_ne(list->v[i], ">");
		ck_assert_str_ne(list->v[i], "$JS.API.>");
		ck_assert_str_ne(list->v[i], "cotal.>");
		ck_assert_str_ne(list->v[i], "cotal.s.>");
		ck_assert_str_ne(list->v[i], "$KV.>");
	}
}

/* No profile is allow-all, or may what none may. */
START_TEST(no_profile_is_wide)
{
	static const char *const	never[] = {
	    A "DIRECT.GET.CHAT_s", A "DIRECT.GET.KV_cotal_acl_s.x",
	    A "STREAM.NAMES", A "STREAM.LIST", A "STREAM.PURGE.CHAT_s",
	    A "STREAM.DELETE.CHAT_s", A "STREAM.UPDATE.CHAT_s",
	    A "CONSUMER.CREATE.DM_s", A "CONSUMER.CREATE.INBOX_s",
	    A "CONSUMER.CREATE.CHAT_s", A "CONSUMER.CREATE.DLV_s",
	    A "CONSUMER.DURABLE.CREATE.DM_s.x",
	    A "STREAM.MSG.GET.DM_s", A "STREAM.MSG.GET.DLV_s",
	    A "STREAM.MSG.GET.TASK_s", A "CONSUMER.DELETE.CHAT_s.cu_0_1",
	    "cotal.other.chat." ID ".x",
	    "cotal.s.chat." TARGET ".general",
	    "cotal.s.inst." ID "." TARGET, "$SYS.REQ.SERVER.PING" };
	struct scope	s = { .space = "s", .id = ID, .target = TARGET,
	    .role = "reviewer", .spawn = true };
	enum profile	profile = (enum profile)_i, back;
	size_t		i;

	ck_assert_msg(fill(profile, &s) == 0, "%s", e.text);
	ck_assert_int_eq(profile_by_name(&back, profile_name(profile), &e),
	    0);
	ck_assert_int_eq(back, profile);
	check_plain(profile, &p.pub_allow);
	check_plain(profile, &p.sub_allow);
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		ck_assert_msg(!may_pub(never[i]) ||
		    (profile == PROFILE_PURGER &&
		    strstr(never[i], ".PURGE.") != NULL), "%s may %s",
		    profile_name(profile), never[i]);
	if (profile == PROFILE_PROBE)
		ck_assert_uint_eq(p.pub_allow.n + p.sub_allow.n, 0);
	else
		ck_assert(may_sub("_INBOX_" ID ".x.y"));
	ck_assert(!may_sub("_INBOX_" TARGET ".x.y"));
	ck_assert(!may_sub("cotal.s.dlv." TARGET));
	ck_assert(!may_sub("cotal.s.dinbox." TARGET));
	if (profile != PROFILE_ADMIN)
		ck_assert(!may_sub("cotal.s.inst." TARGET "." ID));
}
END_TEST

struct expectation {
	enum profile	 profile;
	bool		 allowed;
	const char	*subject;
};

/* The contract's table, role by role. */
static const struct expectation table[] = {
	{ PROFILE_LEASE, true, "$KV.cotal_delivery_s.lease.0" },
	{ PROFILE_LEASE, true, A "STREAM.MSG.GET.KV_cotal_delivery_s" },
	{ PROFILE_LEASE, true, "cotal.s.reeve.health.0.lease.host" },
	{ PROFILE_LEASE, false, "cotal.s.reeve.health.0.fanout.host" },
	{ PROFILE_LEASE, false, "cotal.s.reeve.health.1.lease.host" },
	{ PROFILE_LEASE, false, "$KV.cotal_delivery_s.lease.1" },
	{ PROFILE_LEASE, false, "$KV.cotal_members_s.x/y" },
	{ PROFILE_LEASE, false, A "STREAM.MSG.GET.CHAT_s" },
	{ PROFILE_LEASE, true, A "CONSUMER.CREATE.KV_cotal_members_s.w_" ID
	    ".$KV.cotal_members_s.=delivery" },
	{ PROFILE_LEASE, false, A "CONSUMER.CREATE.KV_cotal_members_s.w_" ID
	    ".$KV.cotal_members_s.>" },
	{ PROFILE_FANOUT, false, A "CONSUMER.DELETE.CHAT_s.fanout" },
	{ PROFILE_READER, false, A "CONSUMER.DELETE.INBOX_s.reader" },
	{ PROFILE_CONTROL, false, A "CONSUMER.DELETE.CHAT_s.fanout" },
	{ PROFILE_SETUP, false, A "CONSUMER.DELETE.CHAT_s.fanout" },
	{ PROFILE_RESHARDER, true, A "CONSUMER.DELETE.CHAT_s.fanout" },
	{ PROFILE_RESHARDER, true, "$KV.cotal_members_s.=delivery" },
	{ PROFILE_RESHARDER, false, "$KV.cotal_members_s.x/y" },
	{ PROFILE_RESHARDER, false, A "CONSUMER.MSG.NEXT.CHAT_s.fanout" },
	{ PROFILE_FANOUT, true, A "CONSUMER.MSG.NEXT.CHAT_s.fanout" },
	{ PROFILE_FANOUT, true,
	    A "CONSUMER.CREATE.CHAT_s.fanout.cotal.s.chat.>" },
	{ PROFILE_FANOUT, true, "$JS.ACK.CHAT_s.fanout.1.2.3.4.5" },
	{ PROFILE_FANOUT, true, "cotal.s.dinbox." TARGET },
	{ PROFILE_FANOUT, true, "cotal.s.reeve.dead.0.fanout" },
	{ PROFILE_FANOUT, true, A "CONSUMER.INFO.INBOX_s.reader" },
	{ PROFILE_FANOUT, true, A "STREAM.MSG.GET.KV_cotal_presence_s" },
	{ PROFILE_FANOUT, true, A "CONSUMER.CREATE.KV_cotal_delivery_s.w_" ID
	    ".$KV.cotal_delivery_s.lease.0" },
	{ PROFILE_FANOUT, false, A "CONSUMER.CREATE.KV_cotal_delivery_s.w_" ID
	    ".$KV.cotal_delivery_s.lease.1" },
	{ PROFILE_FANOUT, false, "cotal.s.dlv." TARGET },
	{ PROFILE_FANOUT, false, "$KV.cotal_members_s.x/y" },
	{ PROFILE_FANOUT, false, A "CONSUMER.MSG.NEXT.INBOX_s.reader" },
	{ PROFILE_FANOUT, false, A "STREAM.MSG.GET.INBOX_s" },
	{ PROFILE_FANOUT, false, "cotal.s.reeve.dead.0.reader" },
	{ PROFILE_READER, true, A "CONSUMER.MSG.NEXT.INBOX_s.reader" },
	{ PROFILE_READER, true,
	    A "CONSUMER.CREATE.INBOX_s.reader.cotal.s.dinbox.>" },
	{ PROFILE_READER, true, "cotal.s.dlv." TARGET },
	{ PROFILE_READER, true, "cotal.s.reeve.dead.0.reader" },
	{ PROFILE_READER, true, A "STREAM.MSG.GET.INBOX_s" },
	{ PROFILE_READER, false, "cotal.s.dinbox." TARGET },
	{ PROFILE_READER, false, A "STREAM.MSG.GET.CHAT_s" },
	{ PROFILE_READER, false, A "CONSUMER.MSG.NEXT.CHAT_s.fanout" },
	{ PROFILE_READER, false, "$KV.cotal_members_s.x/y" },
	{ PROFILE_READER, false, "$KV.cotal_acl_s." TARGET },
	{ PROFILE_CONTROL, true, "cotal.s.ctl.delivery." TARGET ".reply.1" },
	{ PROFILE_CONTROL, true, "$KV.cotal_members_s.x/y" },
	{ PROFILE_CONTROL, true, A "CONSUMER.INFO.CHAT_s.fanout" },
	{ PROFILE_CONTROL, true, A "CONSUMER.DELETE.CHAT_s.cu_0_0" },
	{ PROFILE_CONTROL, true, A "CONSUMER.CREATE.CHAT_s.cu_0_0.cotal.s."
	    "chat.*.general" },
	{ PROFILE_CONTROL, true, "cotal.s.dinbox." TARGET },
	{ PROFILE_CONTROL, false, A "CONSUMER.DELETE.CHAT_s.cu_1_0" },
	{ PROFILE_CONTROL, false, A "CONSUMER.MSG.NEXT.CHAT_s.fanout" },
	{ PROFILE_CONTROL, false, "cotal.s.dlv." TARGET },
	{ PROFILE_CONTROL, false, "cotal.s.ctl.delivery." TARGET },
	{ PROFILE_CONTROL, false, "cotal.s.ctl.self." TARGET ".reply.1" },
	{ PROFILE_CONTROL, false, "$KV.cotal_acl_s." TARGET },
	{ PROFILE_SETUP, true, A "STREAM.CREATE.DEAD_s" },
	{ PROFILE_SETUP, true, A "STREAM.CREATE.KV_cotal_membership_s" },
	{ PROFILE_SETUP, true, "$KV.cotal_channels_s.=defaults" },
	{ PROFILE_SETUP, true,
	    A "CONSUMER.CREATE.INBOX_s.reader.cotal.s.dinbox.>" },
	{ PROFILE_SETUP, false, "$KV.cotal_channels_s.general" },
	{ PROFILE_SETUP, false, A "CONSUMER.MSG.NEXT.CHAT_s.fanout" },
	{ PROFILE_SETUP, false, A "STREAM.MSG.GET.CHAT_s" },
	{ PROFILE_SETUP, false, A "STREAM.CREATE.OTHER" },
	{ PROFILE_PROVISIONER, true, A "CONSUMER.CREATE.DM_s.dm_" TARGET
	    ".cotal.s.inst." TARGET ".*" },
	{ PROFILE_PROVISIONER, true, A "CONSUMER.DELETE.DLV_s.dlv_" TARGET },
	{ PROFILE_PROVISIONER, true, A "CONSUMER.CREATE.TASK_s.svc_reviewer"
	    ".cotal.s.svc.reviewer.*" },
	{ PROFILE_PROVISIONER, true, "$KV.cotal_acl_s." TARGET },
	{ PROFILE_PROVISIONER, false, A "CONSUMER.DELETE.TASK_s.svc_reviewer" },
	{ PROFILE_PROVISIONER, false, A "CONSUMER.CREATE.DM_s.dm_" TARGET
	    ".cotal.s.inst.>" },
	{ PROFILE_PROVISIONER, false, A "CONSUMER.CREATE.DM_s.dm_" ID
	    ".cotal.s.inst." ID ".*" },
	{ PROFILE_PROVISIONER, false, "$KV.cotal_acl_s." ID },
	{ PROFILE_PROVISIONER, false, A "CONSUMER.MSG.NEXT.DM_s.dm_" TARGET },
	{ PROFILE_OPERATOR, true, "cotal.s.chat." ID ".team.x" },
	{ PROFILE_OPERATOR, true, "cotal.s.inst." TARGET "." ID },
	{ PROFILE_OPERATOR, true, "$KV.cotal_presence_s." ID },
	{ PROFILE_OPERATOR, false, "$KV.cotal_presence_s." TARGET },
	{ PROFILE_OPERATOR, false, A "CONSUMER.CREATE.CHAT_s.chathist_" ID
	    ".cotal.s.chat.*.x" },
	{ PROFILE_OPERATOR, false, "$KV.cotal_channels_s.x" },
	{ PROFILE_OBSERVER, true, A "CONSUMER.CREATE.CHAT_s.chathist_" ID
	    ".cotal.s.chat.>" },
	{ PROFILE_OBSERVER, false, "cotal.s.chat." ID ".x" },
	{ PROFILE_OBSERVER, false, A "CONSUMER.MSG.NEXT.CHAT_s.fanout" },
	{ PROFILE_ADMIN, false, "cotal.s.chat." ID ".x" },
	{ PROFILE_ADMIN, false, "cotal.s.inst." TARGET "." ID },
	{ PROFILE_MIGRATOR, true, A "CONSUMER.NAMES.DLV_s" },
	{ PROFILE_MIGRATOR, true, A "CONSUMER.INFO.CHAT_s.fanout" },
	{ PROFILE_MIGRATOR, true, A "STREAM.MSG.GET.KV_cotal_manager_s" },
	{ PROFILE_MIGRATOR, true, A "STREAM.MSG.GET.KV_cotal_channels_s" },
	{ PROFILE_MIGRATOR, false, "$KV.cotal_channels_s.=defaults" },
	{ PROFILE_MIGRATOR, false, A "STREAM.MSG.GET.INBOX_s" },
	{ PROFILE_MIGRATOR, false, A "CONSUMER.MSG.NEXT.CHAT_s.fanout" },
	{ PROFILE_MIGRATOR, false, A "CONSUMER.CREATE.CHAT_s.fanout.cotal.s."
	    "chat.>" },
	{ PROFILE_INSPECTOR, true, A "CONSUMER.INFO.DLV_s.dlv_" TARGET },
	{ PROFILE_INSPECTOR, true, A "STREAM.INFO.DM_s" },
	{ PROFILE_INSPECTOR, false, A "STREAM.MSG.GET.DEAD_s" },
	{ PROFILE_INSPECTOR, false, A "CONSUMER.MSG.NEXT.CHAT_s.fanout" },
	{ PROFILE_UNDERTAKER, true, A "STREAM.MSG.DELETE.DEAD_s" },
	{ PROFILE_UNDERTAKER, true, "cotal.s.dinbox.1." TARGET },
	{ PROFILE_UNDERTAKER, true, A "CONSUMER.CREATE.KV_cotal_members_s.w_"
	    ID ".$KV.cotal_members_s.=delivery" },
	{ PROFILE_UNDERTAKER, false, A "CONSUMER.CREATE.KV_cotal_members_s.w_"
	    ID ".$KV.cotal_members_s.>" },
	{ PROFILE_UNDERTAKER, false, A "STREAM.MSG.GET.KV_cotal_members_s" },
	{ PROFILE_UNDERTAKER, false, "cotal.s.dlv." TARGET },
	{ PROFILE_UNDERTAKER, false, A "STREAM.MSG.DELETE.INBOX_s" },
	{ PROFILE_REGISTRAR, true, "$KV.cotal_channels_s.team.x" },
	{ PROFILE_REGISTRAR, false, "$KV.cotal_acl_s." TARGET },
	{ PROFILE_PROBE, false, A "INFO" },
	{ PROFILE_PROBE, false, "x" },
};

START_TEST(contract_table)
{
	const struct expectation	*x = &table[_i];
	struct scope			 s = { .space = "s", .id = ID,
	    .target = TARGET, .role = "reviewer" };

	ck_assert_int_eq(fill(x->profile, &s), 0);
	ck_assert_msg(may_pub(x->subject) == x->allowed, "%s %s %s",
	    profile_name(x->profile), x->allowed ? "may not" : "may",
	    x->subject);
}
END_TEST

START_TEST(terminals)
{
	struct scope	s = { .space = "s", .id = ID, .target = TARGET };

	ck_assert_int_eq(fill(PROFILE_PTY, &s), 0);
	ck_assert(may_sub("reeve.s.pty." TARGET ".in." ID));
	ck_assert(!may_sub("reeve.s.pty." ID ".in." ID));
	ck_assert(may_pub("reeve.s.pty." TARGET ".out." ID));
	ck_assert(!may_pub("reeve.s.pty." ID ".out." ID));
	ck_assert(strlist_has(&p.sub_deny, "reeve.s.pty." TARGET ".in.*.>"));
	ck_assert_int_eq(fill(PROFILE_ATTACHER, &s), 0);
	ck_assert(may_pub("reeve.s.pty." TARGET ".in." ID));
	ck_assert(!may_pub("reeve.s.pty." TARGET ".in." TARGET));
	ck_assert(may_sub("reeve.s.pty." TARGET ".out." ID));
	ck_assert(!may_sub("reeve.s.pty." TARGET ".out." TARGET));
	/* What a name would mean as a token of its own. */
	s.space = "a.b";
	ck_assert_int_eq(fill(PROFILE_ATTACHER, &s), 0);
	ck_assert(may_pub("reeve.a_b.pty." TARGET ".in." ID));
}
END_TEST

/* One tier is not the other, and the manager's are for the manager. */
START_TEST(tiers)
{
	struct scope	s = { .space = "s", .id = ID };

	ck_assert_int_eq(fill(PROFILE_CALLER_ADMIN, &s), 0);
	ck_assert(may_pub("cotal.s.ctl.admin." ID));
	ck_assert(!may_pub("cotal.s.ctl.admin." TARGET));
	ck_assert(!may_pub("cotal.s.ctl.manager." ID));
	ck_assert(!may_pub("cotal.s.ctl.self." ID));
	ck_assert(!may_sub("cotal.s.ctl.manager." ID ".reply.1"));
	ck_assert_int_eq(fill(PROFILE_CALLER_MANAGER, &s), 0);
	ck_assert(may_pub("cotal.s.ctl.manager." ID));
	ck_assert(!may_pub("cotal.s.ctl.admin." ID));
	ck_assert(may_sub("cotal.s.ctl.manager." ID ".reply.1"));
	ck_assert_int_eq(fill(PROFILE_MANAGER, &s), 0);
	ck_assert(may_sub("cotal.s.ctl.admin." TARGET));
	ck_assert(may_sub("reeve.s.pty." TARGET ".state"));
	ck_assert(!may_sub("reeve.s.pty." TARGET ".out." ID));
	ck_assert(!may_pub("reeve.s.pty." TARGET ".in." ID));
	ck_assert(may_pub("cotal.s.reeve.mint." ID));
	ck_assert(!may_pub("cotal.s.reeve.mint." TARGET));
	ck_assert(!may_pub(A "CONSUMER.CREATE.DM_s.dm_" TARGET ".x"));
	ck_assert(!may_pub(A "STREAM.PURGE.CHAT_s"));
	ck_assert(!may_pub("cotal.s.inst." TARGET "." ID));
	ck_assert_int_eq(fill(PROFILE_SIGNER, &s), 0);
	ck_assert_uint_eq(p.pub_allow.n, 3);
	ck_assert_uint_eq(p.sub_allow.n, 2);
}
END_TEST

START_TEST(subscriptions)
{
	struct scope	s = { .space = "s", .id = ID };

	ck_assert_int_eq(fill(PROFILE_LEASE, &s), 0);
	ck_assert(may_sub("cotal.s.reeve.health.0.reader.h"));
	ck_assert(!may_sub("cotal.s.reeve.health.1.reader.h"));
	ck_assert(!may_sub("cotal.s.chat." ID ".general"));
	ck_assert_int_eq(fill(PROFILE_CONTROL, &s), 0);
	ck_assert(may_sub("cotal.s.ctl.delivery." TARGET));
	ck_assert(may_sub("cotal.s.reeve.health.0.reader.h"));
	ck_assert(!may_sub("cotal.s.reeve.health.0.fanout.h"));
	ck_assert(!may_sub("cotal.s.ctl.self." TARGET));
	ck_assert(!may_sub("cotal.s.ctl.manager." TARGET));
	ck_assert_int_eq(fill(PROFILE_OBSERVER, &s), 0);
	ck_assert(may_sub("cotal.s.chat." TARGET ".a.b"));
	ck_assert(!may_sub("cotal.s.svc.x." TARGET));
	ck_assert_int_eq(fill(PROFILE_ADMIN, &s), 0);
	ck_assert(may_sub("cotal.s.inst." TARGET "." ID));
	ck_assert(may_sub("cotal.s.svc.x." TARGET));
	ck_assert(!may_sub("cotal.s.ctl.self." TARGET));
	ck_assert_int_eq(fill(PROFILE_INSPECTOR, &s), 0);
	ck_assert(may_sub("cotal.s.reeve.health.3.reader.h"));
	ck_assert(!may_sub("cotal.s.chat." TARGET ".a"));
}
END_TEST

START_TEST(shards)
{
	struct scope	s = { .space = "s", .id = ID, .shard = 1,
	    .shards = 2 };

	ck_assert_int_eq(fill(PROFILE_FANOUT, &s), 0);
	ck_assert(may_pub(A "CONSUMER.MSG.NEXT.CHAT_s.fanout_1"));
	ck_assert(!may_pub(A "CONSUMER.MSG.NEXT.CHAT_s.fanout"));
	ck_assert(!may_pub(A "CONSUMER.MSG.NEXT.CHAT_s.fanout_0"));
	ck_assert(may_pub(A "CONSUMER.INFO.INBOX_s.reader_1"));
	ck_assert(may_pub("cotal.s.dinbox.1." TARGET));
	ck_assert_int_eq(fill(PROFILE_READER, &s), 0);
	ck_assert(may_pub(A "CONSUMER.CREATE.INBOX_s.reader_1.cotal.s."
	    "dinbox.1.>"));
	ck_assert(!may_pub(A "CONSUMER.CREATE.INBOX_s.reader_1.cotal.s."
	    "dinbox.>"));
	ck_assert(!may_pub(A "CONSUMER.CREATE.INBOX_s.reader_1.cotal.s."
	    "dinbox.0.>"));
	ck_assert_int_eq(fill(PROFILE_CONTROL, &s), 0);
	ck_assert(may_pub(A "CONSUMER.DELETE.CHAT_s.cu_1_0"));
	ck_assert(may_pub(A "CONSUMER.INFO.CHAT_s.fanout_1"));
	ck_assert(!may_pub(A "CONSUMER.DELETE.CHAT_s.fanout_1"));
	s.shard = 0;
	ck_assert_int_eq(fill(PROFILE_SETUP, &s), 0);
	ck_assert(may_pub(A "CONSUMER.CREATE.CHAT_s.fanout_0.cotal.s.chat.>"));
	ck_assert(may_pub(A "CONSUMER.CREATE.CHAT_s.fanout_1.cotal.s.chat.>"));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("profile");
	TCase	*t = tcase_create("profile");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, recorded_agents, 0, 2);
	tcase_add_test(t, agent_defaults);
	tcase_add_test(t, agent_refusals);
	tcase_add_test(t, scope_refusals);
	tcase_add_loop_test(t, no_profile_is_wide, 0, N_PROFILES);
	tcase_add_loop_test(t, contract_table, 0,
	    (int)(sizeof(table) / sizeof(table[0])));
	tcase_add_test(t, terminals);
	tcase_add_test(t, tiers);
	tcase_add_test(t, subscriptions);
	tcase_add_test(t, shards);
	suite_add_tcase(s, t);
	return vectors_run(s);
}
