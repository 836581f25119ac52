/* SPDX-License-Identifier: ISC */

/* A space of several shards: what is made for it, who serves whom, and what
 * a host does that is set up for another number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "json.h"
#include "space.h"

static char	out[65536];

static bool
there(const struct space *s, const char *file)
{
	char	path[400];

	snprintf(path, sizeof(path), "%s/%s", s->state, file);
	return access(path, F_OK) == 0;
}

/* An agent of this shard of two: ids are random, so ask until one is. */
static struct agent *
agent_of(unsigned shard, const char *base)
{
	struct agent	*a;
	char		 name[64];
	unsigned	 i;

	for (i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "%s%u", base, i);
		a = agent_make(sp, name, "--allow-subscribe general "
		    "--allow-publish general");
		if (name_shard(a->id, 2) == shard)
			return a;
		agent_free(a);
	}
	ck_abort_msg("64 ids, none of shard %u", shard);
	return NULL;
}

/* --- init -------------------------------------------------------------------- */

START_TEST(init_makes_each_shard_its_own)
{
	static const char *const	roles[] = { "lease", "fanout",
					    "reader", "control" };
	char				file[64];
	unsigned			i, k;

	for (i = 0; i < 4; i++) {
		snprintf(file, sizeof(file), "service/%s", roles[i]);
		ck_assert(!there(sp, file));
		for (k = 0; k < 3; k++) {
			snprintf(file, sizeof(file), "service/%s-%u/run",
			    roles[i], k);
			ck_assert_msg(there(sp, file) == (k < 2), "%s", file);
			snprintf(file, sizeof(file), "creds/%s-%u.creds",
			    roles[i], k);
			ck_assert_msg(there(sp, file) == (k < 2), "%s", file);
		}
	}
	ck_assert_uint_eq(space_shards(sp), 2);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "nothing to do"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --shards 2"),
	    EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "nothing to do"));
}
END_TEST

START_TEST(init_changes_no_number)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --shards 3"),
	    EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "the space has 2"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --shards 1"),
	    EX_CONFIG);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --shards 65"),
	    EX_USAGE);
	ck_assert_uint_eq(space_shards(sp), 2);
	ck_assert(!there(sp, "service/lease-2"));
}
END_TEST

START_TEST(another_host_takes_the_number_from_the_space)
{
	struct space	*b = space_join(sp);

	ck_assert(there(b, "service/reader-1/run"));
	ck_assert(!there(b, "service/reader"));
}
END_TEST

START_TEST(status_shows_every_shard)
{
	const cJSON	*shards, *s;
	cJSON		*o;
	unsigned	 n = 0;

	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status --json"), EX_OK);
	ck_assert((o = cJSON_Parse(out)) != NULL);
	shards = json_get(o, "shards");
	cJSON_ArrayForEach(s, shards) {
		ck_assert_uint_eq(number_of(s, "shard"), n++);
		ck_assert(cJSON_IsTrue(json_get(s, "ready")));
		ck_assert(cJSON_IsTrue(json_get(s, "here")));
	}
	ck_assert_uint_eq(n, 2);
	cJSON_Delete(o);
}
END_TEST

/* --- who serves whom ------------------------------------------------------------ */

/* What one shard's responder does not answer, the other's has answered
 * before: asked later, and on its own connection's way, it would be late. */
static void
check_answers(struct agent *a, struct agent *b)
{
	struct asked	q, after;
	cJSON		*o;

	agent_ask(a, &q, "listMemberships", NULL);
	o = agent_answer(a, &q);
	ck_assert(cJSON_IsTrue(json_get(o, "ok")));
	agent_ask(b, &after, "listMemberships", NULL);
	cJSON_Delete(agent_answer(b, &after));
	ck_assert_uint_eq(q.answers, 1);
	cJSON_Delete(o);
}

START_TEST(one_responder_answers_each)
{
	struct agent	*a = agent_of(0, "zero"), *b = agent_of(1, "one");
	struct error	 e;
	struct asked	 lost, q;

	check_answers(a, b);
	check_answers(b, a);
	/* Its shard's alone: without that one nobody answers for it.  The
	 * other's, which heard both, has passed it over. */
	role_down(sp, "control-1");
	agent_ask(b, &lost, "listMemberships", NULL);
	agent_ask(a, &q, "listMemberships", NULL);
	cJSON_Delete(agent_answer(a, &q));
	OK(bus_drain(b->bus, 1000), e);
	ck_assert_uint_eq(lost.answers, 0);
	bus_unsubscribe(b->bus, lost.sub);
	role_up(sp, "control-1");
	check_answers(b, a);
	agent_free(b);
	agent_free(a);
}
END_TEST

START_TEST(each_shard_delivers_its_own)
{
	struct agent	*a = agent_of(0, "zero"), *b = agent_of(1, "one");
	struct stored	 m;
	char		 subject[SUBJECT_MAX];

	agent_join(a, "general");
	agent_join(b, "general");
	/* One's fan-out stands still, the other's owner is served. */
	role_down(sp, "fanout-1");
	agent_post(b, "general", "to zero");
	agent_expect(a, 1);
	agent_post(a, "general", "to one");
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 1);
	role_up(sp, "fanout-1");
	agent_expect(b, 1);
	agent_expect_none(a);
	agent_expect_none(b);
	ck_assert(stored_get(sp, STREAM_INBOX, 2, &m));
	snprintf(subject, sizeof(subject), "cotal.t.dinbox.1.%s", b->id);
	ck_assert_str_eq(m.subject, subject);
	stored_free(&m);
	agent_free(b);
	agent_free(a);
}
END_TEST

/* A mention reaches its owner, whose fan-out it is. */
START_TEST(mentions_cross_shards)
{
	struct agent	*a = agent_of(0, "zero"), *b = agent_of(1, "one");

	ck_assert_int_eq(reeve(sp, out, sizeof(out), "channels set general "
	    "--class live"), EX_OK);
	agent_post_as(a, "general", "hear, one", "m1", b->name);
	agent_post_as(b, "general", "hear, zero", "m2", a->name);
	agent_expect(a, 1);
	agent_expect(b, 1);
	ck_assert_str_eq(a->got[0].text, "hear, zero");
	ck_assert_str_eq(b->got[0].text, "hear, one");
	agent_expect_none(a);
	agent_expect_none(b);
	agent_free(b);
	agent_free(a);
}
END_TEST

int
main(void)
{
	TCase	*idle = test_case("init", space_setup_shards, 60);
	TCase	*two = test_case("two", space_setup_shards, 60);

	tcase_add_test(idle, init_makes_each_shard_its_own);
	tcase_add_test(idle, init_changes_no_number);
	tcase_add_test(idle, another_host_takes_the_number_from_the_space);
	tcase_add_test(idle, status_shows_every_shard);
	tcase_add_test(two, one_responder_answers_each);
	tcase_add_test(two, each_shard_delivers_its_own);
	tcase_add_test(two, mentions_cross_shards);
	return test_main("shards", idle, two, NULL);
}
