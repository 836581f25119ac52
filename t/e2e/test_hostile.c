/* SPDX-License-Identifier: ISC */

/* What no well-behaved client sends, on every subject that a role listens to:
 * the roles stay up, their memory stays small, delivery goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "space.h"

#define BIG		(900 * 1024)
#define MEMORY_MAX_KB	(96 * 1024)
#define N_ROLES		4

static const char *const roles[N_ROLES] = { "lease", "fanout", "reader",
	"control" };

static struct agent	*scribe, *scout;
static pid_t		 pids[N_ROLES];
static unsigned		 said;

/* --- bodies -------------------------------------------------------------------- */

struct body {
	char	*data;
	size_t	 len;
};

#define N_BODIES	14
static struct body	bodies[N_BODIES];

static void
body_text(struct body *b, const char *text)
{
	b->data = strdup(text);
	b->len = strlen(text);
}

static void
body_fill(struct body *b, size_t len, const char *head, int fill,
    const char *tail)
{
	b->len = len;
	ck_assert((b->data = malloc(len + 1)) != NULL);
	memset(b->data, fill, len);
	memcpy(b->data, head, strlen(head));
	memcpy(b->data + len - strlen(tail), tail, strlen(tail));
}

static void
make_bodies(void)
{
	size_t	i;

	body_text(&bodies[0], "");
	body_text(&bodies[1], "{");
	body_text(&bodies[2], "null");
	body_text(&bodies[3], "[]");
	body_text(&bodies[4], "{\"id\":1e999,\"from\":{\"id\":[]},\"seq\":-1}");
	body_text(&bodies[5], "{\"op\":\"\",\"from\":null,\"msg\":\"\"}");
	body_text(&bodies[6], "{\"id\":\"a\",\"id\":\"b\",\"from\":\"\\ud800\"}");
	body_text(&bodies[7], "\xff\xfe\xc0\x80{}");
	body_fill(&bodies[8], 100000, "[", '[', "");
	body_fill(&bodies[9], 100000, "{\"a\":", '{', "");
	body_fill(&bodies[10], BIG, "{\"id\":\"", 'x', "\"}");
	body_fill(&bodies[11], BIG, "", '\0', "");
	body_fill(&bodies[12], BIG, "[", ',', "]");
	body_fill(&bodies[13], 4096, "", 0, "");
	for (i = 0; i < bodies[13].len; i++)
		bodies[13].data[i] = (char)(i * 7919 >> 3);
}

/* --- what must hold ---------------------------------------------------------------- */

static long
memory_kb(pid_t pid)
{
	char	 path[64], *text, *p;
	long	 kb = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	ck_assert((text = file_read(path, 65536, NULL, NULL)) != NULL);
	if ((p = strstr(text, "VmHWM:")) != NULL)
		kb = strtol(p + 6, NULL, 10);
	free(text);
	return kb;
}

/* A sanitizer keeps what was freed: its figures say nothing. */
static bool
is_sanitized(pid_t pid)
{
	char	 path[64], *text;
	bool	 is;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	text = file_read(path, 4 * 1024 * 1024, NULL, NULL);
	is = text != NULL && strstr(text, "libasan") != NULL;
	free(text);
	return is;
}

static void
setup(void)
{
	int	i;

	space_setup();
	make_bodies();
	scribe = agent_make(sp, "scribe", "--allow-publish general");
	scout = agent_make(sp, "scout", "--allow-publish general");
	agent_join(scout, "general");
	for (i = 0; i < N_ROLES; i++)
		pids[i] = role_pid(sp, roles[i]);
}

static void
say(void)
{
	char	text[32];

	snprintf(text, sizeof(text), "good%u", said++);
	agent_post(scribe, "general", text);
}

/* All that was said has come, once and in order; nobody died of the rest. */
static void
check_all_is_well(void)
{
	char	text[32];
	size_t	i;

	say();
	AWAIT(consumer_unread(sp, STREAM_CHAT, "fanout") == 0);
	AWAIT(consumer_unread(sp, STREAM_INBOX, "reader") == 0);
	agent_expect(scout, said - scout->n_got);
	for (i = 0; i < said; i++) {
		snprintf(text, sizeof(text), "good%zu", i);
		ck_assert_str_eq(scout->got[i].text, text);
	}
	AWAIT(lease_ready(sp));
	for (i = 0; i < N_ROLES; i++) {
		ck_assert_msg(role_pid(sp, roles[i]) == pids[i],
		    "%s was restarted", roles[i]);
		ck_assert_msg(is_sanitized(pids[i]) ||
		    memory_kb(pids[i]) < MEMORY_MAX_KB,
		    "%s took %ld kB", roles[i], memory_kb(pids[i]));
	}
}

/* --- sending ------------------------------------------------------------------------- */

static void
throw(struct bus *b, const char *subject, const char *reply,
    const struct body *body)
{
	struct bus_pub	p = { .subject = subject, .reply = reply,
			    .data = body->data, .len = body->len };
	struct error	e;

	OK(bus_publish(b, &p, &e), e);
	OK(bus_drain(b, 5000), e);
}

static void
throw_all(const char *subject, const char *reply)
{
	size_t	i;

	for (i = 0; i < N_BODIES; i++)
		throw(sp->root, subject, reply, &bodies[i]);
	say();
}

START_TEST(on_chat)
{
	char	subject[SUBJECT_MAX];

	snprintf(subject, sizeof(subject), "cotal.t.chat.%s.general",
	    scribe->id);
	throw_all(subject, NULL);
	snprintf(subject, sizeof(subject), "cotal.t.chat.%s.a.b.c.d.e",
	    scribe->id);
	throw_all(subject, NULL);
	throw_all("cotal.t.chat.general", NULL);
	throw_all("cotal.t.chat.x.general", NULL);
	check_all_is_well();
}
END_TEST

START_TEST(on_inboxes)
{
	char	subject[SUBJECT_MAX];
	cJSON	*o;

	snprintf(subject, sizeof(subject), "cotal.t.dinbox.%s", scout->id);
	throw_all(subject, NULL);
	throw_all("cotal.t.dinbox.x", NULL);
	throw_all("cotal.t.dinbox.a.b.c", NULL);
	snprintf(subject, sizeof(subject), "cotal.t.dinbox.0.%s", scout->id);
	throw_all(subject, NULL);
	check_all_is_well();
	/* What was for an owner is kept where it is found again. */
	ck_assert((o = dead_letter(sp, 0)) != NULL);
	cJSON_Delete(o);
	ck_assert_uint_ge(stream_messages(sp, STREAM_DEAD), N_BODIES);
}
END_TEST

START_TEST(on_control)
{
	char	subject[SUBJECT_MAX], lane[SUBJECT_MAX + 16];
	char	aside[SUBJECT_MAX];
	uint64_t dlv = stream_messages(sp, STREAM_DLV);

	snprintf(subject, sizeof(subject), "cotal.t.ctl.delivery.%s",
	    scout->id);
	snprintf(lane, sizeof(lane), "%s.reply.1", subject);
	snprintf(aside, sizeof(aside), "cotal.t.dlv.%s", scout->id);
	throw_all(subject, lane);
	throw_all(subject, NULL);
	/* The answer aimed at somebody's deliveries: not given. */
	ck_assert_uint_ge(stream_messages(sp, STREAM_DLV), dlv);
	await_drained(sp);
	dlv = stream_messages(sp, STREAM_DLV);
	throw(sp->root, subject, aside, &bodies[5]);
	AWAIT(logged(sp, "request without a reply lane of its own"));
	ck_assert_uint_eq(stream_messages(sp, STREAM_DLV), dlv);
	throw_all("cotal.t.ctl.delivery.x", "cotal.t.ctl.delivery.x.reply.1");
	check_all_is_well();
}
END_TEST

START_TEST(on_health)
{
	throw_all("cotal.t.reeve.health.0.fanout.x", NULL);
	throw_all("cotal.t.reeve.health.0.x.y.z", "cotal.t.reeve.health.0.x");
	check_all_is_well();
}
END_TEST

START_TEST(in_the_buckets)
{
	static const char *const	keys[] = {
		"$KV.cotal_members_t.x", "$KV.cotal_members_t.general/x",
		"$KV.cotal_members_t.a/b/c", "$KV.cotal_members_t./",
		"$KV.cotal_members_t.=delivery", "$KV.cotal_members_t.x.y.z",
		"$KV.cotal_channels_t.general", "$KV.cotal_channels_t.=x",
		"$KV.cotal_channels_t.=defaults", "$KV.cotal_channels_t.a.>.b",
		"$KV.cotal_presence_t.x", "$KV.cotal_presence_t.=.=",
		"$KV.cotal_acl_t.x", "$KV.cotal_acl_t.x/y",
		"$KV.cotal_delivery_t.lease.x", "$KV.cotal_delivery_t.x",
		"$KV.cotal_delivery_t.lease.0" };
	char				subject[SUBJECT_MAX];
	size_t				i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strchr(keys[i], '>') == NULL)
			throw_all(keys[i], NULL);
	snprintf(subject, sizeof(subject), "$KV.cotal_members_t.general/%s",
	    scout->id);
	throw_all(subject, NULL);
	snprintf(subject, sizeof(subject), "$KV.cotal_presence_t.%s",
	    scout->id);
	throw_all(subject, NULL);
	check_all_is_well();
}
END_TEST

/* --- what an agent can do with its own credential ------------------------------------- */

static void
aim(const char *api, const char *at)
{
	struct body	empty = { (char *)"", 0 };

	throw(scout->bus, api, at, &empty);
}

/* Answers of the API, aimed where the asker may not publish (notes, "Holes"
 * 2 to 4). */
START_TEST(api_answers_aimed_elsewhere)
{
	static const char *const	roles_with_inbox[] = { "lease",
					    "fanout", "reader", "control" };
	char				at[SUBJECT_MAX], path[300];
	struct creds			c;
	struct error			e;
	int				i;

	for (i = 0; i < 10; i++) {
		snprintf(at, sizeof(at), "cotal.t.chat.%s.general",
		    scribe->id);
		aim("$JS.API.STREAM.INFO.CHAT_t", at);
		snprintf(at, sizeof(at), "cotal.t.dinbox.%s", scribe->id);
		aim("$JS.API.STREAM.INFO.CHAT_t", at);
		snprintf(at, sizeof(at), "cotal.t.inst.%s.x", scribe->id);
		aim("$JS.API.STREAM.INFO.CHAT_t", at);
		snprintf(at, sizeof(at), "$KV.cotal_members_t.general/%s",
		    scout->id);
		aim("$JS.API.STREAM.INFO.CHAT_t", at);
		aim("$JS.API.STREAM.MSG.GET.KV_cotal_delivery_t",
		    "$KV.cotal_members_t.=delivery");
		aim("$JS.API.STREAM.INFO.CHAT_t",
		    "$KV.cotal_channels_t.general");
		aim("$JS.API.INFO", "cotal.t.reeve.health.0.fanout.x");
		say();
	}
	for (i = 0; i < N_ROLES; i++) {
		memset(&c, 0, sizeof(c));
		snprintf(path, sizeof(path), "%s/creds/%s-0.creds",
		    sp->state, roles_with_inbox[i]);
		OK(creds_load(&c, path, &e), e);
		snprintf(at, sizeof(at), "_INBOX_%s.0.r.0g0", c.key.public);
		aim("$JS.API.STREAM.INFO.CHAT_t", at);
		creds_wipe(&c);
	}
	check_all_is_well();
	/* The victim of the stray record can still leave and come back. */
	agent_join(scout, "general");
	check_all_is_well();
}
END_TEST

/* Large messages behind an owner whose inbox is full: they wait at the
 * broker and not in fan-out's memory. */
START_TEST(large_backlog_stays_at_the_broker)
{
	char	 subject[SUBJECT_MAX];
	unsigned i;

	role_control(sp, "reader", "d");
	AWAIT(role_pid(sp, "reader") == 0);
	for (; said < 850;)
		say();
	AWAIT(stream_messages(sp, STREAM_INBOX) >= 800);
	snprintf(subject, sizeof(subject), "cotal.t.chat.%s.noise",
	    scribe->id);
	for (i = 0; i < 200; i++)
		throw(sp->root, subject, NULL, &bodies[10]);
	AWAIT(stream_last_seq(sp, STREAM_CHAT) >= 1050);
	role_control(sp, "reader", "u");
	AWAIT(role_pid(sp, "reader") != 0);
	pids[2] = role_pid(sp, "reader");
	check_all_is_well();
}
END_TEST

int
main(void)
{
	TCase	*tc = test_case("hostile", setup, 90);

	tcase_add_test(tc, on_chat);
	tcase_add_test(tc, on_inboxes);
	tcase_add_test(tc, on_control);
	tcase_add_test(tc, on_health);
	tcase_add_test(tc, in_the_buckets);
	tcase_add_test(tc, api_answers_aimed_elsewhere);
	tcase_add_test(tc, large_backlog_stays_at_the_broker);
	return test_main("hostile", tc, NULL);
}
