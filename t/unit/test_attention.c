/* SPDX-License-Identifier: ISC */

/* What reaches a session and what wakes it, in every combination; and the
 * inbox that it waits in. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "inbox.h"
#include "message.h"

#define ME	"Scout"

static struct attention	*at;
static struct inbox	*in;
static struct delivery	*settled[2 * INBOX_MAX];
static size_t		 n_settled;

static void
on_settled(void *arg, struct delivery *d)
{
	ck_assert_ptr_eq(arg, &n_settled);
	settled[n_settled++] = d;
}

static void
setup(void)
{
	at = attention_make(ME);
	in = inbox_make(on_settled, &n_settled);
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_nonnull(in);
	n_settled = 0;
}

static void
teardown(void)
{
	attention_free(at);
	inbox_free(in);
}

/* --- messages ---------------------------------------------------------------- */

static struct delivery	made[2 * INBOX_MAX];
static char		text[2 * INBOX_MAX][512];
static size_t		n_made;

static struct delivery *
message(enum delivery_kind kind, const char *channel, const char *mention)
{
	static const char *const to[] = { "channel", "to", "toService" };
	struct delivery		*d = &made[n_made];
	struct error		 e;
	char			 mentions[64] = "";

	if (mention != NULL)
		snprintf(mentions, sizeof(mentions), "\"mentions\":[\"%s\"],",
		    mention);
	snprintf(text[n_made], sizeof(text[0]), "{\"id\":\"m%zu\",\"ts\":1,"
	    "\"space\":\"t\",\"from\":{\"id\":\"U1\",\"name\":\"peer\"},"
	    "\"%s\":\"%s\",%s\"parts\":[{\"kind\":\"text\",\"text\":\"hi\"}]}",
	    n_made, to[kind], channel, mentions);
	memset(d, 0, sizeof(*d));
	d->kind = kind;
	d->data = text[n_made];
	d->len = strlen(d->data);
	ck_assert_msg(message_parse(&d->m, d->data, d->len, &e) == 0, "%s",
	    e.text);
	n_made++;
	return d;
}

static void
forget(void)
{
	while (n_made > 0)
		message_free(&made[--n_made].m);
}

static void
set_channel(const char *channel, enum channel_mode mode)
{
	struct error	e;

	ck_assert_msg(attention_set_channel(at, channel, mode, NULL, &e) == 0,
	    "%s", e.text);
}

/* --- what is given, and what wakes ---------------------------------------------- */

static const struct {
	const char		*mode, *channel;
	bool			 mentioned;
	enum fate		 fate;
	bool			 wakes;
} rules[] = {
	{ "open",	"normal",	false,	FATE_GIVE,	true },
	{ "open",	"normal",	true,	FATE_GIVE,	true },
	{ "open",	"quiet",	false,	FATE_GIVE,	false },
	{ "open",	"quiet",	true,	FATE_GIVE,	true },
	{ "open",	"muted",	false,	FATE_DROP,	false },
	{ "open",	"muted",	true,	FATE_DROP,	false },
	{ "dnd",	"normal",	false,	FATE_GIVE,	false },
	{ "dnd",	"normal",	true,	FATE_GIVE,	true },
	{ "dnd",	"quiet",	false,	FATE_GIVE,	false },
	{ "dnd",	"quiet",	true,	FATE_GIVE,	true },
	{ "dnd",	"muted",	false,	FATE_DROP,	false },
	{ "dnd",	"muted",	true,	FATE_DROP,	false },
	{ "focus",	"normal",	false,	FATE_HOLD,	false },
	{ "focus",	"normal",	true,	FATE_HOLD,	true },
	{ "focus",	"quiet",	false,	FATE_GIVE,	false },
	{ "focus",	"quiet",	true,	FATE_GIVE,	true },
	{ "focus",	"muted",	false,	FATE_DROP,	false },
	{ "focus",	"muted",	true,	FATE_DROP,	false },
};
#define N_RULES	(int)(sizeof(rules) / sizeof(rules[0]))

static void
set_rule(int i)
{
	enum attention_mode	mode;
	enum channel_mode	channel;

	ck_assert_int_eq(attention_by_name(rules[i].mode, &mode), 0);
	ck_assert_int_eq(channel_mode_by_name(rules[i].channel, &channel), 0);
	attention_set(at, mode);
	set_channel("general", channel);
}

static void
expect(const struct delivery *d, enum fate fate, bool wakes)
{
	struct judgement	j = attention_judge(at, d);

	ck_assert_int_eq(j.fate, fate);
	ck_assert_int_eq(j.wakes, wakes);
}

START_TEST(chatter_is_judged_by_the_rule)
{
	struct delivery	*d = message(DELIVERY_CHANNEL, "general",
			    rules[_i].mentioned ? "scout" : "other");

	set_rule(_i);
	expect(d, rules[_i].fate, rules[_i].wakes);
	ck_assert_int_eq(attention_judge(at, d).mentioned,
	    rules[_i].mentioned);
	/* Kept for it while it was away: it is as new as any. */
	d->durable = true;
	expect(d, rules[_i].fate, rules[_i].wakes);
	d->historical = true;
	expect(d, rules[_i].fate, rules[_i].wakes);
	/* Said before it came, and kept for nobody. */
	d->durable = false;
	expect(d, rules[_i].fate, false);
	forget();
}
END_TEST

START_TEST(another_channel_is_not_touched)
{
	struct delivery	*d = message(DELIVERY_CHANNEL, "random", NULL);
	bool		 open = strcmp(rules[_i].mode, "open") == 0;
	bool		 focus = strcmp(rules[_i].mode, "focus") == 0;

	set_rule(_i);
	expect(d, focus ? FATE_HOLD : FATE_GIVE, open);
	forget();
}
END_TEST

START_TEST(what_is_sent_to_it_always_comes_and_wakes)
{
	set_rule(_i);
	set_channel(ME, CHANNEL_MUTED);
	expect(message(DELIVERY_DM, "U2", NULL), FATE_GIVE, true);
	expect(message(DELIVERY_DM, "U2", "scout"), FATE_GIVE, true);
	expect(message(DELIVERY_ANYCAST, "general", NULL), FATE_GIVE, true);
	forget();
}
END_TEST

START_TEST(who_has_no_name_is_not_mentioned)
{
	attention_free(at);
	at = attention_make("");
	attention_set(at, ATTENTION_DND);
	expect(message(DELIVERY_CHANNEL, "general", "x"), FATE_GIVE, false);
	forget();
}
END_TEST

/* --- what is set -------------------------------------------------------------------- */

START_TEST(only_single_channels_that_it_may_read)
{
	struct strlist	allow = { .v = NULL };
	struct error	e;

	ck_assert(strlist_split(&allow, "general,team.>", ','));
	ck_assert_int_eq(attention_set_channel(at, "team.a", CHANNEL_QUIET,
	    &allow, &e), 0);
	ck_assert_int_eq(attention_set_channel(at, "team.>", CHANNEL_QUIET,
	    &allow, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_int_eq(attention_set_channel(at, "team", CHANNEL_QUIET,
	    &allow, &e), -1);
	ck_assert_int_eq(e.code, EX_NOPERM);
	ck_assert_int_eq(attention_set_channel(at, "a b", CHANNEL_QUIET,
	    NULL, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_int_eq(attention_channel(at, "team.a"), CHANNEL_QUIET);
	ck_assert_int_eq(attention_channel(at, "team.b"), CHANNEL_NORMAL);
	strlist_free(&allow);
}
END_TEST

static void
expect_modes(const char *json)
{
	cJSON	*o = attention_modes(at);
	char	*is = json_print(o);

	ck_assert_str_eq(is, json);
	free(is);
	cJSON_Delete(o);
}

START_TEST(what_is_not_normal_is_told)
{
	expect_modes("{}");
	set_channel("b", CHANNEL_MUTED);
	set_channel("a", CHANNEL_QUIET);
	expect_modes("{\"a\":\"quiet\",\"b\":\"muted\"}");
	set_channel("a", CHANNEL_MUTED);
	set_channel("b", CHANNEL_NORMAL);
	set_channel("c", CHANNEL_NORMAL);
	expect_modes("{\"a\":\"muted\"}");
}
END_TEST

START_TEST(a_frontier_is_of_one_focus)
{
	attention_frontier(at, 5);
	ck_assert(!at->frontier_known);
	attention_set(at, ATTENTION_FOCUS);
	ck_assert(!at->frontier_known);
	attention_frontier(at, 6);
	ck_assert(at->frontier_known);
	ck_assert_uint_eq(at->frontier_seq, 6);
	attention_frontier(at, 4);
	ck_assert_uint_eq(at->frontier_seq, 6);
	attention_frontier(at, 8);
	ck_assert_uint_eq(at->frontier_seq, 8);
	attention_set(at, ATTENTION_FOCUS);
	ck_assert(at->frontier_known);
	attention_set(at, ATTENTION_DND);
	ck_assert(!at->frontier_known);
	attention_frontier(at, 7);
	ck_assert(!at->frontier_known);
}
END_TEST

START_TEST(there_are_no_other_names)
{
	enum attention_mode	mode;
	enum channel_mode	channel;

	ck_assert_int_eq(attention_by_name("Open", &mode), -1);
	ck_assert_int_eq(attention_by_name("", &mode), -1);
	ck_assert_int_eq(channel_mode_by_name("loud", &channel), -1);
}
END_TEST

/* --- the inbox ------------------------------------------------------------------------ */

static void
expect_count(size_t given, size_t held, size_t waking)
{
	struct inbox_count	c = inbox_count(in, at);

	ck_assert_uint_eq(c.given, given);
	ck_assert_uint_eq(c.held, held);
	ck_assert_uint_eq(c.waking, waking);
}

START_TEST(what_is_muted_is_settled_at_once)
{
	struct delivery	*d = message(DELIVERY_CHANNEL, "random", "scout");

	set_channel("random", CHANNEL_MUTED);
	ck_assert_int_eq(inbox_receive(in, at, d).fate, FATE_DROP);
	ck_assert_uint_eq(n_settled, 1);
	ck_assert_ptr_eq(settled[0], d);
	expect_count(0, 0, 0);
	forget();
}
END_TEST

START_TEST(what_is_muted_later_goes_when_it_is_swept)
{
	struct delivery	*a = message(DELIVERY_CHANNEL, "random", NULL);
	struct delivery	*b = message(DELIVERY_CHANNEL, "general", NULL);
	struct delivery	*c = message(DELIVERY_CHANNEL, "random", NULL);

	inbox_receive(in, at, a);
	inbox_receive(in, at, b);
	inbox_receive(in, at, c);
	set_channel("random", CHANNEL_MUTED);
	expect_count(1, 0, 1);
	inbox_sweep(in, at);
	ck_assert_uint_eq(n_settled, 2);
	ck_assert_ptr_eq(settled[0], a);
	ck_assert_ptr_eq(settled[1], c);
	ck_assert(inbox_has(in, b));
	ck_assert(!inbox_has(in, a));
	forget();
}
END_TEST

START_TEST(what_was_held_is_given_after_focus)
{
	struct delivery	*d = message(DELIVERY_CHANNEL, "general", NULL);

	attention_set(at, ATTENTION_FOCUS);
	ck_assert_int_eq(inbox_receive(in, at, d).fate, FATE_HOLD);
	expect_count(0, 1, 0);
	attention_set(at, ATTENTION_DND);
	expect_count(1, 0, 0);
	attention_set(at, ATTENTION_OPEN);
	expect_count(1, 0, 1);
	ck_assert_uint_eq(n_settled, 0);
	forget();
}
END_TEST

START_TEST(a_mention_in_focus_is_held_and_wakes)
{
	attention_set(at, ATTENTION_FOCUS);
	inbox_receive(in, at, message(DELIVERY_CHANNEL, "general", "SCOUT"));
	inbox_receive(in, at, message(DELIVERY_DM, "U2", NULL));
	expect_count(1, 1, 2);
	forget();
}
END_TEST

START_TEST(one_that_was_shown_is_settled_once)
{
	struct delivery	*d = message(DELIVERY_DM, "U2", NULL);

	inbox_put(in, d);
	ck_assert_ptr_eq(inbox_find(in, "U1", d->m.id), d);
	ck_assert_ptr_null(inbox_find(in, "U9", d->m.id));
	ck_assert_ptr_null(inbox_find(in, "U1", "none"));
	inbox_done(in, d);
	inbox_done(in, d);
	ck_assert_uint_eq(n_settled, 1);
	expect_count(0, 0, 0);
	forget();
}
END_TEST

/* What made room was not shown, and what is to somebody is not read again. */
START_TEST(what_was_shown_is_remembered)
{
	struct delivery	*shown = message(DELIVERY_CHANNEL, "general", NULL);
	struct delivery	*gone = message(DELIVERY_CHANNEL, "general", NULL);
	size_t		 i;

	inbox_put(in, shown);
	ck_assert(!inbox_was_shown(in, &shown->m));
	inbox_done(in, shown);
	ck_assert(inbox_was_shown(in, &shown->m));
	inbox_put(in, gone);
	for (i = 0; i < INBOX_MAX; i++)
		inbox_put(in, message(DELIVERY_CHANNEL, "general", NULL));
	ck_assert_ptr_eq(settled[1], gone);
	ck_assert(!inbox_was_shown(in, &gone->m));
	ck_assert_uint_eq(in->lost, 1);
	inbox_shown(in, &gone->m);
	ck_assert(inbox_was_shown(in, &gone->m));
	ck_assert_uint_eq(inbox_take_lost(in), 0);
	forget();
}
END_TEST

START_TEST(the_oldest_makes_room)
{
	size_t	i;

	for (i = 0; i < INBOX_MAX; i++)
		inbox_put(in, message(DELIVERY_CHANNEL, "general", NULL));
	ck_assert_uint_eq(n_settled, 0);
	ck_assert_uint_eq(inbox_take_lost(in), 0);
	for (i = 0; i < 3; i++)
		inbox_put(in, message(DELIVERY_CHANNEL, "general", NULL));
	ck_assert_uint_eq(n_settled, 3);
	for (i = 0; i < 3; i++)
		ck_assert_ptr_eq(settled[i], &made[i]);
	for (i = 0; i < INBOX_MAX; i++)
		ck_assert_ptr_eq(in->v[i], &made[i + 3]);
	ck_assert_uint_eq(inbox_take_lost(in), 3);
	ck_assert_uint_eq(inbox_take_lost(in), 0);
	forget();
}
END_TEST

START_TEST(history_makes_room_first)
{
	struct delivery	*dm = message(DELIVERY_DM, "U2", NULL), *old, *kept;
	size_t		 i;

	inbox_put(in, dm);
	kept = message(DELIVERY_CHANNEL, "general", NULL);
	kept->historical = kept->durable = true;
	inbox_put(in, kept);
	old = message(DELIVERY_CHANNEL, "general", NULL);
	old->historical = true;
	inbox_put(in, old);
	for (i = 3; i < INBOX_MAX + 1; i++)
		inbox_put(in, message(DELIVERY_CHANNEL, "general", NULL));
	ck_assert_uint_eq(n_settled, 1);
	ck_assert_ptr_eq(settled[0], old);
	inbox_put(in, message(DELIVERY_CHANNEL, "general", NULL));
	ck_assert_ptr_eq(settled[1], dm);
	inbox_put(in, message(DELIVERY_CHANNEL, "general", NULL));
	ck_assert_ptr_eq(settled[2], kept);
	ck_assert_uint_eq(in->n, INBOX_MAX);
	forget();
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("attention");
	TCase	*tc = tcase_create("attention");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, chatter_is_judged_by_the_rule, 0, N_RULES);
	tcase_add_loop_test(tc, another_channel_is_not_touched, 0, N_RULES);
	tcase_add_loop_test(tc, what_is_sent_to_it_always_comes_and_wakes, 0,
	    N_RULES);
	tcase_add_test(tc, who_has_no_name_is_not_mentioned);
	tcase_add_test(tc, only_single_channels_that_it_may_read);
	tcase_add_test(tc, what_is_not_normal_is_told);
	tcase_add_test(tc, a_frontier_is_of_one_focus);
	tcase_add_test(tc, there_are_no_other_names);
	suite_add_tcase(s, tc);
	tc = tcase_create("inbox");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_muted_is_settled_at_once);
	tcase_add_test(tc, what_is_muted_later_goes_when_it_is_swept);
	tcase_add_test(tc, what_was_held_is_given_after_focus);
	tcase_add_test(tc, a_mention_in_focus_is_held_and_wakes);
	tcase_add_test(tc, one_that_was_shown_is_settled_once);
	tcase_add_test(tc, what_was_shown_is_remembered);
	tcase_add_test(tc, the_oldest_makes_room);
	tcase_add_test(tc, history_makes_room_first);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
