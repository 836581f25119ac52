/* SPDX-License-Identifier: ISC */

/* The signer: what a manager gets of it and what not, and what is put down. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "space.h"

#define COUNT(v)	(sizeof(v) / sizeof((v)[0]))
#define CALL_MS		10000

static struct creds	 manager;
static struct bus	*b;
static struct nkey	 key, target;	/* of a child, and of an agent */
static char		 audit[300];

/* The broker and the signer, nothing else. */
static void
setup(void)
{
	static const char *const	others[] = { "lease", "fanout",
					    "reader", "control", "manager" };
	struct bus_conf			conf = { .creds = &manager,
					    .name = "manager" };
	char				path[300];
	struct error			e;
	size_t				i;
	int				fd;

	sp = space_make("--workspace /tmp");
	for (i = 0; i < COUNT(others); i++) {
		snprintf(path, sizeof(path), "%s/service/%s/down", sp->state,
		    others[i]);
		ck_assert_int_ne(fd = open(path, O_WRONLY | O_CREAT, 0600),
		    -1);
		close(fd);
	}
	space_start(sp);
	AWAIT(role_is_ready(sp, "signer"));
	snprintf(path, sizeof(path), "%s/creds/manager.creds", sp->state);
	OK(creds_load(&manager, path, &e), e);
	conf.servers = sp->config.servers;
	OK(bus_open(&b, &conf, &e), e);
	OK(nkey_new(&key, NKEY_USER, &e), e);
	OK(nkey_new(&target, NKEY_USER, &e), e);
	snprintf(audit, sizeof(audit), "%s/audit.log", sp->state);
}

/* --- asking ---------------------------------------------------------------- */

/* In a body $K is a new key's public half, $T the target's, $M the manager's,
 * and ' a ". */
static void
expand(char *buf, size_t size, const char *text)
{
	const char	*id;
	size_t		 n = 0;

	for (buf[0] = '\0'; *text != '\0' && n < size - 1; text++) {
		id = *text != '$' ? NULL : text[1] == 'K' ? key.public :
		    text[1] == 'T' ? target.public : manager.key.public;
		n += (size_t)snprintf(buf + n, size - n, "%.*s",
		    id != NULL ? NKEY_PUBLIC_LEN : 1, id != NULL ? id :
		    *text == '\'' ? "\"" : text);
		text += id != NULL;
	}
	ck_assert_uint_lt(n, size);
}

/* The answer to these bytes; NULL: there was none, and *e says why. */
static cJSON *
ask_bytes(const char *body, size_t len, const char *reply, struct error *e)
{
	static unsigned	 n;
	char		 subject[SUBJECT_MAX], lane[SUBJECT_MAX + 32];
	struct bus_pub	 p = { .subject = subject, .data = body,
			    .len = len };
	natsMsg		*m;
	cJSON		*o;

	subject_mint(subject, sizeof(subject), "t", manager.key.public);
	snprintf(lane, sizeof(lane), "%s.reply.%u", subject, n++);
	m = bus_call_on(b, &p, reply != NULL ? reply : lane,
	    reply != NULL ? 300 : CALL_MS, e);
	if (m == NULL)
		return NULL;
	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    e);
	natsMsg_Destroy(m);
	ck_assert_msg(o != NULL, "%s", e->text);
	return o;
}

static cJSON *
ask(const char *text)
{
	char		 body[4096];
	struct error	 e;
	cJSON		*o;

	expand(body, sizeof(body), text);
	o = ask_bytes(body, strlen(body), NULL, &e);
	ck_assert_msg(o != NULL, "%s: %s", body, e.text);
	return o;
}

/* The JWT that must be the answer. */
static char *
granted(const char *text)
{
	cJSON	*o = ask(text);
	char	*jwt;

	ck_assert_msg(cJSON_IsTrue(json_get(o, "ok")) &&
	    cJSON_IsString(json_get(o, "jwt")) &&
	    cJSON_GetArraySize(o) == 2, "%s: %s", text,
	    cJSON_GetStringValue(json_get(o, "error")));
	jwt = strdup(json_get(o, "jwt")->valuestring);
	cJSON_Delete(o);
	return jwt;
}

static void
refused(const char *text, const char *why)
{
	cJSON	*o = ask(text);

	ck_assert_msg(cJSON_IsFalse(json_get(o, "ok")) &&
	    json_get(o, "jwt") == NULL &&
	    cJSON_IsString(json_get(o, "error")) &&
	    strstr(json_get(o, "error")->valuestring, why) != NULL,
	    "%s: expected \"%s\", got \"%s\"", text, why,
	    cJSON_GetStringValue(json_get(o, "error")));
	cJSON_Delete(o);
}

/* --- the audit log ------------------------------------------------------------ */

/* The n-th line from the end, 0 the last; parsed.  NULL: not so many. */
static cJSON *
line_from_end(unsigned n)
{
	struct error	 e;
	char		*text = file_read(audit, 16 * 1024 * 1024, NULL, &e);
	char		*end, *start;
	cJSON		*o = NULL;

	ck_assert_msg(text != NULL, "%s", e.text);
	for (end = text + strlen(text); end > text; end = start) {
		ck_assert_int_eq(end[-1], '\n');
		end[-1] = '\0';
		for (start = end - 1; start > text && start[-1] != '\n';
		    start--)
			;
		if (n-- == 0) {
			o = json_parse(start, strlen(start), &e);
			ck_assert_msg(o != NULL, "%s: %s", start, e.text);
			break;
		}
	}
	free(text);
	return o;
}

static void
check_said(const cJSON *o, const char *name, const char *want)
{
	const cJSON	*v = json_get(o, name);

	ck_assert_msg(v != NULL, "the log says no %s", name);
	ck_assert_str_eq(cJSON_IsString(v) ? v->valuestring : "", want);
}

static bool
log_has(const char *text)
{
	char	*all = file_read(audit, 16 * 1024 * 1024, NULL, NULL);
	bool	 has = all != NULL && strstr(all, text) != NULL;

	free(all);
	return has;
}

/* --- what is granted ------------------------------------------------------------ */

#define AGENT	"{'profile':'agent','public':'$K','name':'critic'," \
		"'for':'operator'"

/* The very lists that the profile has for this scope, for ever. */
START_TEST(an_agent_gets_its_rights)
{
	static char	 general[] = "general", team[] = "team.>";
	char		*read[] = { general, team }, *post[] = { general };
	struct scope	 s = { .role = "reviewer", .spawn = true,
			    .subscribe = read, .n_subscribe = 1,
			    .allow_subscribe = read, .n_allow_subscribe = 2,
			    .allow_publish = post, .n_allow_publish = 1 };
	struct creds	 want;
	struct error	 e;
	char		*jwt;
	cJSON		*is, *should;

	jwt = granted(AGENT ",'role':'reviewer','subscribe':['general'],"
	    "'allow_subscribe':['general','team.>'],"
	    "'allow_publish':['general'],'capabilities':['spawn']}");
	memset(&want, 0, sizeof(want));
	want.key = key;
	OK(trust_mint(&sp->trust, PROFILE_AGENT, &s, 0, &want, &e), e);
	ck_assert_ptr_nonnull(is = jwt_decode(jwt, &e));
	ck_assert_ptr_nonnull(should = jwt_decode(want.jwt, &e));
	ck_assert(cJSON_Compare(json_get(is, "nats"),
	    json_get(should, "nats"), true));
	ck_assert_str_eq(json_get(is, "sub")->valuestring, key.public);
	ck_assert_str_eq(json_get(is, "iss")->valuestring,
	    sp->trust.signing_pub);
	ck_assert(json_get(is, "exp") == NULL);
	cJSON_Delete(is);
	cJSON_Delete(should);
	free(want.jwt);
	free(jwt);
}
END_TEST

static bool
may_publish(struct bus *as, const char *subject)
{
	static unsigned	n;
	char		sentinel[40];
	struct bus_pub	p = { .subject = subject, .data = "" };
	struct error	e;
	int64_t		until = clock_ms() + AWAIT_MS;

	/* Refusals come in order: when that of what is nobody's is there, one
	 * before it would be. */
	OK(bus_publish(as, &p, &e), e);
	snprintf(sentinel, sizeof(sentinel), "sentinel.%u", n++);
	p.subject = sentinel;
	OK(bus_publish(as, &p, &e), e);
	while (!bus_refused(as, sentinel)) {
		ck_assert(bus_alive(as) && clock_ms() < until);
		bus_turn(as, NULL, 0, 5);
	}
	return !bus_refused(as, subject);
}

START_TEST(what_is_granted_works)
{
	struct creds	 c = { .key = key };
	struct bus_conf	 conf = { .servers = sp->config.servers, .creds = &c,
			    .name = "critic" };
	struct bus	*as;
	char		 subject[SUBJECT_MAX];
	struct error	 e;

	c.jwt = granted(AGENT ",'allow_publish':['general']}");
	OK(bus_open(&as, &conf, &e), e);
	subject_chat(subject, sizeof(subject), "t", key.public, "general");
	ck_assert(may_publish(as, subject));
	subject_chat(subject, sizeof(subject), "t", key.public, "secret");
	ck_assert(!may_publish(as, subject));
	subject_chat(subject, sizeof(subject), "t", target.public, "general");
	ck_assert(!may_publish(as, subject));
	subject_ctl(subject, sizeof(subject), "t", "manager", key.public);
	ck_assert(!may_publish(as, subject));
	bus_close(as);
	free(c.jwt);
}
END_TEST

/* How long it lasts, in seconds; 0: for ever. */
static double
lasts_s(const char *text)
{
	char		*jwt = granted(text);
	struct error	 e;
	cJSON		*o = jwt_decode(jwt, &e);
	double		 s = 0;

	ck_assert_msg(o != NULL, "%s", e.text);
	if (json_get(o, "exp") != NULL)
		s = json_get(o, "exp")->valuedouble -
		    json_get(o, "iat")->valuedouble;
	cJSON_Delete(o);
	free(jwt);
	return s;
}

START_TEST(what_can_do_much_is_short_lived)
{
	ck_assert(lasts_s("{'profile':'provisioner','public':'$K',"
	    "'target':'$T','role':'x','for':'critic'}") == 60);
	ck_assert(lasts_s("{'profile':'provisioner','public':'$K',"
	    "'target':'$T','for':'critic','ttl_s':5}") == 5);
	ck_assert(lasts_s("{'profile':'purger','public':'$K','for':'x'}") ==
	    60);
	ck_assert(lasts_s("{'profile':'pty','public':'$K','target':'$T',"
	    "'for':'x'}") == 0);
	ck_assert(lasts_s(AGENT ",'ttl_s':3600}") == 3600);
}
END_TEST

/* --- what is refused -------------------------------------------------------------- */

static const struct {
	const char	*text, *why;
} bad[] = {
	/* not for a manager */
	{ "{'profile':'manager','public':'$K','for':'x'}", "not given" },
	{ "{'profile':'signer','public':'$K','for':'x'}", "not given" },
	{ "{'profile':'fanout','public':'$K','for':'x'}", "not given" },
	{ "{'profile':'setup','public':'$K','for':'x'}", "not given" },
	{ "{'profile':'operator','public':'$K','for':'x'}", "not given" },
	{ "{'profile':'admin','public':'$K','for':'x'}", "not given" },
	{ "{'profile':'caller-admin','public':'$K','for':'x'}",
	    "not given" },
	{ "{'profile':'attacher','public':'$K','target':'$T','for':'x'}",
	    "not given" },
	{ "{'profile':'','public':'$K','for':'x'}", "not given" },
	{ "{'profile':'Agent','public':'$K','for':'x'}", "not given" },
	/* channels, judged anew */
	{ AGENT ",'allow_subscribe':['team.*'],'subscribe':[]}", "team.*" },
	{ AGENT ",'allow_subscribe':['a..b'],'subscribe':[]}", "a..b" },
	{ AGENT ",'allow_subscribe':['a b'],'subscribe':[]}", "a b" },
	{ AGENT ",'allow_publish':['x.>.y']}", "x.>.y" },
	{ AGENT ",'subscribe':['a'],'allow_subscribe':['b']}", "outside" },
	{ AGENT ",'subscribe':'general'}", "subscribe" },
	{ AGENT ",'allow_publish':[1]}", "allow_publish" },
	{ AGENT ",'capabilities':['admin']}", "admin" },
	{ AGENT ",'capabilities':['spawn','*']}", "capabilities" },
	/* who it is */
	{ AGENT ",'from':{'id':'$T'}}", "from" },
	{ AGENT ",'manager':'$T'}", "manager" },
	{ "{'profile':'agent','public':'$M','name':'a','for':'x'}",
	    "own key" },
	{ "{'profile':'pty','public':'$T','target':'$T','for':'x'}",
	    "own key" },
	{ "{'profile':'agent','public':'nobody','name':'a','for':'x'}",
	    "user's key" },
	{ "{'profile':'agent','public':'>','name':'a','for':'x'}",
	    "user's key" },
	{ "{'profile':'agent','public':'ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4"
	    "YFNDLQVIOBYQGUWVLA','name':'a','for':'x'}", "user's key" },
	{ "{'profile':'pty','public':'$K','target':'*','for':'x'}",
	    "agent's id" },
	{ "{'profile':'provisioner','public':'$K','target':'x.y','for':'x'}",
	    "agent's id" },
	{ "{'profile':'agent','public':'$K','name':'a/b','for':'x'}",
	    "name" },
	{ "{'profile':'agent','public':'$K','name':'..','for':'x'}", "name" },
	{ "{'profile':'agent','public':'$K','for':'x'}", "name: is missing" },
	{ AGENT ",'role':'a.>'}", "role" },
	{ "{'profile':'provisioner','public':'$K','target':'$T','role':'*',"
	    "'for':'x'}", "role" },
	/* what does not belong together */
	{ AGENT ",'target':'$T'}", "target" },
	{ "{'profile':'pty','public':'$K','for':'x'}", "target" },
	{ "{'profile':'purger','public':'$K','target':'$T','for':'x'}",
	    "target" },
	{ "{'profile':'purger','public':'$K','for':'x','subscribe':['a']}",
	    "channels" },
	{ "{'profile':'pty','public':'$K','target':'$T','for':'x',"
	    "'capabilities':['spawn']}", "capabilities" },
	/* for how long */
	{ "{'profile':'provisioner','public':'$K','target':'$T','for':'x',"
	    "'ttl_s':61}", "ttl_s" },
	{ "{'profile':'provisioner','public':'$K','target':'$T','for':'x',"
	    "'ttl_s':0}", "ttl_s" },
	{ "{'profile':'purger','public':'$K','for':'x','ttl_s':3600}",
	    "ttl_s" },
	{ AGENT ",'ttl_s':9007199254740992}", "ttl_s" },
	{ AGENT ",'ttl_s':-1}", "ttl_s" },
	{ AGENT ",'ttl_s':'1'}", "ttl_s" },
	/* what is no request */
	{ "", "" },
	{ "{", "" },
	{ "[]", "object" },
	{ "null", "object" },
	{ AGENT ",'public':'$T'}", "public" },
	{ "{'public':'$K','name':'a','for':'x'}", "profile" },
	{ "{'profile':'agent','name':'a','for':'x'}", "public" },
	{ "{'profile':'agent','public':'$K','name':'a'}", "for" },
	{ "{'profile':'agent','public':'$K','name':'a','for':''}", "for" },
	{ "{'profile':['agent'],'public':'$K','name':'a','for':'x'}",
	    "profile" },
};

START_TEST(all_else_is_refused)
{
	cJSON	*o;
	size_t	 i;

	for (i = 0; i < COUNT(bad); i++) {
		refused(bad[i].text, bad[i].why);
		o = line_from_end(0);
		ck_assert(cJSON_IsFalse(json_get(o, "ok")));
		check_said(o, "manager", manager.key.public);
		ck_assert(json_get(o, "error") != NULL);
		cJSON_Delete(o);
	}
	o = line_from_end((unsigned)COUNT(bad));
	ck_assert_ptr_null(o);
	free(granted(AGENT "}"));
}
END_TEST

/* Larger than any: not even read. */
START_TEST(a_long_request_is_refused)
{
	size_t		 len = 40000;
	char		*body = malloc(len);
	struct error	 e;
	cJSON		*o;

	ck_assert_ptr_nonnull(body);
	memset(body, ' ', len);
	ck_assert_ptr_nonnull(o = ask_bytes(body, len, NULL, &e));
	ck_assert(cJSON_IsFalse(json_get(o, "ok")));
	cJSON_Delete(o);
	free(body);
	AWAIT(log_has("refused unread"));
}
END_TEST

/* A channel list that makes a JWT the server would not take. */
START_TEST(too_many_channels_are_refused)
{
	char		*body = malloc(32 * 1024), *p;
	struct error	 e;
	cJSON		*o;
	unsigned	 i;

	ck_assert_ptr_nonnull(body);
	expand(body, 4096, AGENT ",'subscribe':[],'allow_subscribe':['c'");
	for (i = 0, p = body + strlen(body); i < 300; i++)
		p += sprintf(p, ",\"channel%u\"", i);
	strcpy(p, "]}");
	ck_assert_ptr_nonnull(o = ask_bytes(body, strlen(body), NULL, &e));
	ck_assert(cJSON_IsFalse(json_get(o, "ok")));
	ck_assert_ptr_nonnull(strstr(json_get(o, "error")->valuestring,
	    "channels"));
	cJSON_Delete(o);
	free(body);
}
END_TEST

/* An answer goes to the asker's own lane, or nowhere: and then nothing is
 * granted either. */
START_TEST(no_answer_elsewhere)
{
	char		 body[512], reply[SUBJECT_MAX], own[SUBJECT_MAX];
	const char	*lanes[] = { reply, own };
	struct error	 e;
	size_t		 i;

	expand(body, sizeof(body), AGENT "}");
	bus_inbox(b, reply, sizeof(reply), "x");
	subject_mint(own, sizeof(own), "t", manager.key.public);
	strcat(own, ".reply");
	for (i = 0; i < COUNT(lanes); i++)
		ck_assert_ptr_null(ask_bytes(body, strlen(body), lanes[i],
		    &e));
	AWAIT(logged_times(sp, "without a reply lane of its own") == 2);
	ck_assert_ptr_null(line_from_end(0));
	free(granted(AGENT "}"));
}
END_TEST

static void
count_refusals(void *arg, natsMsg *m)
{
	unsigned	*n = arg;

	*n += strstr(natsMsg_GetData(m), "too many requests") != NULL;
	bus_msg_free(m);
}

START_TEST(a_flood_is_turned_away)
{
	char		 subject[SUBJECT_MAX], reply[SUBJECT_MAX + 16];
	char		 all[SUBJECT_MAX + 16];
	struct bus_pub	 p = { .subject = subject, .reply = reply,
			    .data = "{}", .len = 2 };
	int64_t		 until = clock_ms() + AWAIT_MS;
	struct error	 e;
	unsigned	 i, n = 0;

	subject_mint(subject, sizeof(subject), "t", manager.key.public);
	snprintf(reply, sizeof(reply), "%s.reply.x", subject);
	snprintf(all, sizeof(all), "%s.reply.*", subject);
	ck_assert_ptr_nonnull(bus_subscribe(b, all, NULL, count_refusals, &n,
	    &e));
	for (i = 0; i < 5000; i++)
		OK(bus_publish(b, &p, &e), e);
	while (n == 0) {
		ck_assert_msg(clock_ms() < until, "none is turned away");
		bus_turn(b, NULL, 0, 20);
	}
}
END_TEST

/* --- what is put down ---------------------------------------------------------------- */

START_TEST(the_log_says_who_for_whom_and_what)
{
	struct stat	 st;
	cJSON		*o;

	free(granted(AGENT ",'role':'reviewer','allow_publish':['general'],"
	    "'capabilities':['spawn']}"));
	ck_assert_int_eq(stat(audit, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	o = line_from_end(0);
	ck_assert(cJSON_IsTrue(json_get(o, "ok")));
	ck_assert(json_get(o, "ts")->valuedouble > 1e12);
	check_said(o, "manager", manager.key.public);
	check_said(o, "for", "operator");
	check_said(o, "profile", "agent");
	check_said(o, "public", key.public);
	check_said(o, "name", "critic");
	check_said(o, "role", "reviewer");
	ck_assert_str_eq(cJSON_GetArrayItem(json_get(o, "subscribe"),
	    0)->valuestring, "general");
	ck_assert_str_eq(cJSON_GetArrayItem(json_get(o, "allow_subscribe"),
	    0)->valuestring, "general");
	ck_assert_str_eq(cJSON_GetArrayItem(json_get(o, "allow_publish"),
	    0)->valuestring, "general");
	ck_assert(cJSON_IsTrue(json_get(o, "spawn")));
	cJSON_Delete(o);
	free(granted("{'profile':'provisioner','public':'$K','target':'$T',"
	    "'role':'x','for':'critic','name':'helper','ttl_s':9}"));
	o = line_from_end(0);
	check_said(o, "target", target.public);
	check_said(o, "for", "critic");
	ck_assert_int_eq(json_get(o, "ttl_s")->valueint, 9);
	cJSON_Delete(o);
	refused("{'profile':'admin','public':'$K','for':'critic'}", "admin");
	o = line_from_end(0);
	check_said(o, "profile", "admin");
	check_said(o, "for", "critic");
	cJSON_Delete(o);
	ck_assert_ptr_null(line_from_end(3));
}
END_TEST

/* What cannot be put down is not granted. */
START_TEST(no_grant_without_a_line)
{
	char	aside[320], *jwt;

	free(granted(AGENT "}"));
	snprintf(aside, sizeof(aside), "%s.1", audit);
	ck_assert_int_eq(rename(audit, aside), 0);
	ck_assert_int_eq(mkdir(audit, 0700), 0);
	refused(AGENT "}", "audit.log");
	ck_assert_int_eq(rmdir(audit), 0);
	/* Nor into what leads elsewhere. */
	ck_assert_int_eq(symlink(aside, audit), 0);
	refused(AGENT "}", "audit.log");
	ck_assert_int_eq(unlink(audit), 0);
	jwt = granted(AGENT "}");
	free(jwt);
	ck_assert_ptr_null(line_from_end(1));
}
END_TEST

START_TEST(a_torn_line_is_ended)
{
	cJSON	*o;
	int	 fd;

	role_down(sp, "signer");
	ck_assert_int_ne(fd = open(audit, O_WRONLY | O_CREAT | O_APPEND,
	    0600), -1);
	ck_assert_int_eq(write(fd, "{\"ts\":17", 8), 8);
	close(fd);
	role_up(sp, "signer");
	free(granted(AGENT "}"));
	o = line_from_end(0);
	check_said(o, "public", key.public);
	cJSON_Delete(o);
	ck_assert(log_has("{\"ts\":17\n{\"ts\":"));
}
END_TEST

struct flying {
	unsigned	 n;
	char		*publics[4096];	/* of answered grants */
};

/* The key it is for is the only thing that an answer is known by. */
static void
note_answer(void *arg, natsMsg *m)
{
	struct flying	*f = arg;
	cJSON		*o, *claims;
	struct error	 e;

	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    &e);
	if (o != NULL && cJSON_IsTrue(json_get(o, "ok"))) {
		claims = jwt_decode(json_get(o, "jwt")->valuestring, &e);
		ck_assert_msg(claims != NULL, "%s", e.text);
		f->publics[f->n++] =
		    strdup(json_get(claims, "sub")->valuestring);
		cJSON_Delete(claims);
	}
	cJSON_Delete(o);
	bus_msg_free(m);
}

START_TEST(a_kill_loses_no_line)
{
	static struct flying	 f;
	char			 subject[SUBJECT_MAX], body[300];
	char			 reply[SUBJECT_MAX + 16];
	char			 all[SUBJECT_MAX + 16];
	struct bus_pub		 p = { .subject = subject, .reply = reply,
				    .data = body };
	struct error		 e;
	struct nkey		 k;
	int64_t			 until;
	unsigned		 round, i, had;

	subject_mint(subject, sizeof(subject), "t", manager.key.public);
	snprintf(reply, sizeof(reply), "%s.reply.x", subject);
	snprintf(all, sizeof(all), "%s.reply.*", subject);
	ck_assert_ptr_nonnull(bus_subscribe(b, all, NULL, note_answer, &f,
	    &e));
	for (round = 0; round < 6; round++) {
		for (i = 0; i < 60; i++) {
			OK(nkey_new(&k, NKEY_USER, &e), e);
			snprintf(body, sizeof(body), "{\"profile\":\"purger\","
			    "\"public\":\"%s\",\"for\":\"x\"}", k.public);
			p.len = strlen(body);
			OK(bus_publish(b, &p, &e), e);
		}
		/* In the midst of them: after some answers, another number
		 * each time. */
		had = f.n;
		until = clock_ms() + AWAIT_MS;
		while (f.n < had + 1 + round * 7) {
			ck_assert_msg(clock_ms() < until, "round %u: %u "
			    "answers", round, f.n - had);
			bus_turn(b, NULL, 0, 5);
		}
		role_kill(sp, "signer");
		AWAIT(role_is_ready(sp, "signer"));
		/* What it sent before it died has come. */
		ck_assert(!may_publish(b, "nobodys"));
	}
	ck_assert_uint_gt(f.n, 6);
	for (i = 0; i < f.n; i++) {
		ck_assert_msg(log_has(f.publics[i]), "%s is not in the log",
		    f.publics[i]);
		free(f.publics[i]);
	}
}
END_TEST

/* The exit code of another one on this state directory. */
static int
run_another(const char *options)
{
	const char	*dir = getenv("REEVE_BINDIR");
	char		 cmd[600];
	int		 code;

	snprintf(cmd, sizeof(cmd), "exec timeout 20 %s/reeve-signer --state "
	    "%s %s >/dev/null 2>&1", dir == NULL ? "." : dir, sp->state,
	    options);
	code = system(cmd);
	ck_assert(WIFEXITED(code));
	return WEXITSTATUS(code);
}

START_TEST(one_on_a_host_and_of_no_shard)
{
	ck_assert_int_eq(run_another(""), 75);
	ck_assert_int_eq(run_another("--shard 0"), 64);
	ck_assert_int_eq(run_another("--shards 1"), 64);
	ck_assert_int_eq(run_another("--agent x"), 64);
	ck_assert_int_eq(run_another("--version"), 0);
	free(granted(AGENT "}"));
}
END_TEST

/* A quiet link is a live one. */
START_TEST(an_idle_signer_stays_bound)
{
	int64_t	until = clock_ms() + 3800;

	while (clock_ms() < until)
		bus_turn(b, NULL, 0, 100);
	ck_assert(!logged(sp, "link is silent"));
	free(granted(AGENT "}"));
	ck_assert_uint_eq(logged_times(sp, "role=signer msg=\"bound\""), 1);
}
END_TEST

/* --- the seed ------------------------------------------------------------------------ */

/* Open to the signer's user alone, even where others may pass. */
START_TEST(nobody_else_reads_the_seed)
{
	char		 path[300];
	struct stat	 st;
	struct trust	 t;
	struct error	 e;
	pid_t		 pid;
	int		 status;

	snprintf(path, sizeof(path), "%s/auth/signer.json", sp->state);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	OK(trust_load(&t, path, &e), e);
	ck_assert(trust_is_stripped(&t));
	ck_assert_str_eq(t.operator_seed, "");
	ck_assert_str_eq(t.account_seed, "");
	trust_wipe(&t);
	/* Only root can be somebody else. */
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(sp->dir, 0755), 0);
	ck_assert_int_eq(chmod(sp->state, 0755), 0);
	snprintf(path, sizeof(path), "%s/auth", sp->state);
	ck_assert_int_eq(chmod(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/auth/signer.json", sp->state);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0) {
		if (setgroups(0, NULL) == -1 || setgid(65534) == -1 ||
		    setuid(65534) == -1 || stat(path, &st) == -1)
			_exit(1);
		_exit(open(path, O_RDONLY) == -1 && errno == EACCES ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Can this user do that to this file?  1: yes, 0: no. */
static int
can(uid_t uid, const char *file, int how)
{
	char	path[400];
	pid_t	pid;
	int	status;

	snprintf(path, sizeof(path), "%s%s%s", file[0] == '/' ? "" :
	    sp->state, file[0] == '/' ? "" : "/", file);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0) {
		if (setgroups(0, NULL) == -1 || setgid(uid) == -1 ||
		    setuid(uid) == -1)
			_exit(9);
		_exit(faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 9);
	return WEXITSTATUS(status);
}

/* Where root runs all of it the signer can be a user of its own: it alone
 * reads the seed, and reads nothing of the others'. */
START_TEST(a_user_of_its_own)
{
	static const uid_t	 nobody = 65534, other = 65533;
	const char		*bin = getenv("REEVE_BINDIR");
	char			 path[400], program[500], out[4096];
	struct stat		 st;

	snprintf(program, sizeof(program), "%s/reeve-signer",
	    bin == NULL ? "." : bin);
	ck_assert_ptr_nonnull(realpath(program, path));
	ck_assert_int_eq(chmod(sp->dir, 0755), 0);
	if (geteuid() != 0) {
		ck_assert_int_eq(reeve(sp, out, sizeof(out), "init "
		    "--signer-user nobody"), 77);
		return;
	}
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --signer-user "
	    "no-such-user"), 67);
	/* Built where that user may not look: nothing to be seen here. */
	if (!can(nobody, path, X_OK))
		return;
	free(granted(AGENT "}"));
	role_down(sp, "signer");
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --signer-user "
	    "nobody"), 0);
	role_up(sp, "signer");
	free(granted(AGENT "}"));
	snprintf(path, sizeof(path), "/proc/%d", (int)role_pid(sp, "signer"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, nobody);
	ck_assert_int_eq(can(nobody, "auth/signer.json", R_OK), 1);
	ck_assert_int_eq(can(other, "auth/signer.json", R_OK), 0);
	ck_assert_int_eq(can(other, "auth", R_OK), 0);
	ck_assert_int_eq(can(other, "auth", X_OK), 0);
	ck_assert_int_eq(can(other, "creds/signer.creds", R_OK), 0);
	ck_assert_int_eq(can(other, "audit.log", R_OK), 0);
	ck_assert_int_eq(can(nobody, "creds/manager.creds", R_OK), 0);
	ck_assert_int_eq(can(nobody, "creds/manager.creds", W_OK), 0);
	ck_assert_int_eq(can(nobody, "trust", X_OK), 0);
	ck_assert_int_eq(can(nobody, "creds", W_OK), 0);
	ck_assert_int_eq(can(nobody, "service/signer", W_OK), 0);
	ck_assert_int_eq(can(nobody, ".", R_OK), 0);
	/* Whoever mends it later keeps that. */
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), 0);
	ck_assert_msg(strstr(out, "nothing to do") != NULL, "%s", out);
	snprintf(path, sizeof(path), "%s/creds/signer.creds", sp->state);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), 0);
	role_down(sp, "signer");
	role_up(sp, "signer");
	free(granted(AGENT "}"));
	/* And root can have it back. */
	role_down(sp, "signer");
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --signer-user "
	    "root"), 0);
	role_up(sp, "signer");
	free(granted(AGENT "}"));
	ck_assert_int_eq(can(nobody, "auth/signer.json", R_OK), 0);
	ck_assert_int_eq(can(nobody, "creds/signer.creds", R_OK), 0);
	ck_assert_int_eq(can(nobody, "audit.log", R_OK), 0);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), 0);
	ck_assert_msg(strstr(out, "nothing to do") != NULL, "%s", out);
}
END_TEST

/* One that others may read is not used. */
START_TEST(an_open_seed_is_refused)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/auth/signer.json", sp->state);
	role_down(sp, "signer");
	ck_assert_int_eq(chmod(path, 0644), 0);
	role_control(sp, "signer", "o");
	AWAIT(logged(sp, "role=signer msg=\"exit\" code=77"));
	ck_assert_int_eq(chmod(path, 0600), 0);
	role_up(sp, "signer");
	free(granted(AGENT "}"));
}
END_TEST

int
main(void)
{
	TCase	*tc = test_case("signer", setup, 60);

	tcase_add_test(tc, an_agent_gets_its_rights);
	tcase_add_test(tc, what_is_granted_works);
	tcase_add_test(tc, what_can_do_much_is_short_lived);
	tcase_add_test(tc, all_else_is_refused);
	tcase_add_test(tc, a_long_request_is_refused);
	tcase_add_test(tc, too_many_channels_are_refused);
	tcase_add_test(tc, no_answer_elsewhere);
	tcase_add_test(tc, a_flood_is_turned_away);
	tcase_add_test(tc, the_log_says_who_for_whom_and_what);
	tcase_add_test(tc, no_grant_without_a_line);
	tcase_add_test(tc, a_torn_line_is_ended);
	tcase_add_test(tc, a_kill_loses_no_line);
	tcase_add_test(tc, one_on_a_host_and_of_no_shard);
	tcase_add_test(tc, an_idle_signer_stays_bound);
	tcase_add_test(tc, nobody_else_reads_the_seed);
	tcase_add_test(tc, a_user_of_its_own);
	tcase_add_test(tc, an_open_seed_is_refused);
	return test_main("signer", tc, NULL);
}
