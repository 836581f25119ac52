/* SPDX-License-Identifier: ISC */

/* The ceiling and the names of agents: whatever is interleaved, neither is
 * passed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "slots.h"

#define T0	1000000

static struct slots	slots;

static void
setup(void)
{
	memset(&slots, 0, sizeof(slots));
}

static struct slot *
reserve(const char *base, int64_t now)
{
	struct error	 e = { .code = 0 };
	struct slot	*s = slots_reserve(&slots, base, now, NULL, NULL, &e);

	ck_assert_msg(s != NULL, "%s: %s", base, e.text);
	return s;
}

START_TEST(a_name_is_numbered_when_taken)
{
	struct slot	*a = reserve("critic", T0);

	ck_assert_str_eq(a->name, "critic");
	ck_assert_str_eq(reserve("critic", T0)->name, "critic-2");
	slot_live(a, T0);
	ck_assert_str_eq(reserve("Critic", T0)->name, "Critic-3");
	slot_end(a, SLOT_TOLD, T0 + 1);
	ck_assert_str_eq(reserve("critic", T0 + 1)->name, "critic");
}
END_TEST

static bool
taken(void *arg, const char *name)
{
	return strcmp(name, arg) == 0;
}

START_TEST(a_name_in_use_elsewhere_is_numbered)
{
	struct slot	*s;
	char		 other[] = "scout";

	s = slots_reserve(&slots, "scout", T0, taken, other, NULL);
	ck_assert_ptr_nonnull(s);
	ck_assert_str_eq(s->name, "scout-2");
}
END_TEST

START_TEST(what_is_no_name_takes_no_place)
{
	static const char *const	bad[] = { "", "a/b", "a.b", "a b", "ä" };
	char				longest[SLOT_NAME_MAX + 2];
	struct error			e;
	size_t				i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_ptr_null(slots_reserve(&slots, bad[i], T0, NULL,
		    NULL, &e));
		ck_assert_int_eq(e.code, EX_USAGE);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_ptr_null(slots_reserve(&slots, longest, T0, NULL, NULL,
	    &e));
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_uint_eq(slots_used(&slots, T0), 0);
	/* The longest there is cannot be numbered. */
	longest[SLOT_NAME_MAX] = '\0';
	reserve(longest, T0);
	ck_assert_ptr_null(slots_reserve(&slots, longest, T0, NULL, NULL,
	    &e));
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_uint_eq(slots_used(&slots, T0), 1);
}
END_TEST

START_TEST(one_more_than_there_is_room_for)
{
	struct slot	*s = NULL;
	struct error	 e;
	int		 i;

	for (i = 0; i < SLOTS_MAX; i++) {
		s = reserve("a", T0);
		if (i % 2)
			slot_live(s, T0);
	}
	ck_assert_int_eq(slots_check(&slots, T0, &e), -1);
	ck_assert_ptr_null(slots_reserve(&slots, "b", T0, NULL, NULL, &e));
	ck_assert_int_eq(e.code, EX_TEMPFAIL);
	slot_end(s, SLOT_TOLD, T0);
	ck_assert_str_eq(reserve("b", T0)->name, "b");
	ck_assert_int_eq(slots_check(&slots, T0, &e), -1);
}
END_TEST

START_TEST(a_young_one_cools)
{
	struct slot	*s = reserve("a", T0);

	slot_live(s, T0);
	slot_end(s, SLOT_ENDED, T0 + 3000);
	ck_assert_int_eq(slot_cools_until(s), T0 + SLOT_COOL_MS);
	ck_assert_uint_eq(slots_used(&slots, T0 + SLOT_COOL_MS - 1), 1);
	/* Its place is not free, its name is. */
	ck_assert_str_eq(reserve("a", T0 + 3000)->name, "a");
	ck_assert_uint_eq(slots_used(&slots, T0 + SLOT_COOL_MS), 1);
}
END_TEST

START_TEST(others_do_not_cool)
{
	struct slot	*s = reserve("a", T0);

	slot_end(s, SLOT_FAILED, T0 + 10);
	ck_assert_uint_eq(slots_used(&slots, T0 + 10), 0);
	s = reserve("a", T0);
	slot_live(s, T0);
	slot_end(s, SLOT_TOLD, T0 + 10);
	ck_assert_uint_eq(slots_used(&slots, T0 + 10), 0);
	s = reserve("a", T0);
	slot_live(s, T0);
	slot_end(s, SLOT_ENDED, T0 + SLOT_COOL_MS);
	ck_assert_uint_eq(slots_used(&slots, T0 + SLOT_COOL_MS), 0);
	/* It never lived, whatever is said of its end. */
	s = reserve("a", T0);
	slot_end(s, SLOT_ENDED, T0 + 10);
	ck_assert_uint_eq(slots_used(&slots, T0 + 10), 0);
}
END_TEST

START_TEST(a_clock_that_steps_back_delays_little)
{
	struct slot	*s = reserve("a", T0);

	slot_live(s, T0);
	slot_end(s, SLOT_ENDED, T0 - 3600000);
	ck_assert_uint_eq(slots_used(&slots, T0 - 3600000), 1);
	ck_assert_uint_eq(slots_used(&slots, T0 - 3600000 + SLOT_COOL_MS), 0);
	(void)slots_adopt(&slots, NULL, true, T0 + 3600000);
	ck_assert_uint_eq(slots_used(&slots, T0), 1);
	ck_assert_uint_eq(slots_used(&slots, T0 + SLOT_COOL_MS), 0);
}
END_TEST

/* What must hold after each step, whoever did it. */
static void
check_all(void)
{
	size_t	i, k, n = 0;

	for (i = 0; i < SLOTS_MAX; i++) {
		n += slots.v[i].state != SLOT_FREE;
		if (slots.v[i].state != SLOT_STARTING &&
		    slots.v[i].state != SLOT_LIVE)
			continue;
		ck_assert(name_is_token(slots.v[i].name));
		for (k = 0; k < i; k++)
			ck_assert(!name_same(slots.v[i].name,
			    slots.v[k].name));
	}
	ck_assert_uint_le(n, SLOTS_MAX);
}

/* A start between any two steps of others: a place that was given stays its
 * holder's, and what it counts is what a plain count says. */
START_TEST(starts_at_once_are_never_too_many)
{
	static const char *const	bases[] = { "a", "b", "A", "a-2" };
	struct slot			*held[SLOTS_MAX], *s;
	int64_t				 cools[4096], now = T0;
	size_t				 n_held = 0, n_cools = 0, used, at, i;
	unsigned			 step;
	bool				 live, young;

	srandom(7);
	for (step = 0; step < 200000; step++) {
		now += random() % 40;
		for (used = n_held, i = 0; i < n_cools; i++)
			used += cools[i] > now;
		ck_assert_uint_eq(slots_used(&slots, now), used);
		if (n_held == 0 || random() % 5 < 3) {
			s = slots_reserve(&slots, bases[random() % 4], now,
			    NULL, NULL, NULL);
			ck_assert_int_eq(s != NULL, used < SLOTS_MAX);
			for (i = 0; s != NULL && i < n_held; i++)
				ck_assert_ptr_ne(s, held[i]);
			if (s != NULL)
				held[n_held++] = s;
		} else {
			at = (size_t)random() % n_held;
			s = held[at];
			live = s->state == SLOT_LIVE;
			young = now - s->since_ms < SLOT_COOL_MS;
			if (!live && random() % 2) {
				slot_live(s, now);
				continue;
			}
			if (live && young && random() % 2) {
				for (i = 0; i < n_cools && cools[i] > now;)
					i++;
				cools[i] = s->since_ms + SLOT_COOL_MS;
				n_cools = i == n_cools ? i + 1 : n_cools;
				slot_end(s, SLOT_ENDED, now);
			} else
				slot_end(s, live ? SLOT_TOLD : SLOT_FAILED,
				    now);
			held[at] = held[--n_held];
		}
		if (step % 16 == 0)
			check_all();
	}
}
END_TEST

int
main(void)
{
	Suite	*suite = suite_create("slots");
	TCase	*t = tcase_create("slots");
	SRunner	*runner;
	int	 failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_name_is_numbered_when_taken);
	tcase_add_test(t, a_name_in_use_elsewhere_is_numbered);
	tcase_add_test(t, what_is_no_name_takes_no_place);
	tcase_add_test(t, one_more_than_there_is_room_for);
	tcase_add_test(t, a_young_one_cools);
	tcase_add_test(t, others_do_not_cool);
	tcase_add_test(t, a_clock_that_steps_back_delays_little);
	tcase_add_test(t, starts_at_once_are_never_too_many);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
