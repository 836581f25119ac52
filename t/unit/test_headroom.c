/* SPDX-License-Identifier: ISC */

/* How far a writer may run ahead of a reader that does not read. */
#include <stdlib.h>

#include <check.h>

#include "headroom.h"
#include "log.h"
#include "vectors.h"

#define LIMIT	800

static struct headroom	h;
static uint64_t		written;

/* What the broker says of the reader. */
static void
learn(uint64_t floor_seq, uint64_t delivered_seq, unsigned pending,
    unsigned unacked)
{
	cJSON	*info = cJSON_CreateObject(), *o;

	o = cJSON_AddObjectToObject(info, "ack_floor");
	cJSON_AddNumberToObject(o, "stream_seq", (double)floor_seq);
	o = cJSON_AddObjectToObject(info, "delivered");
	cJSON_AddNumberToObject(o, "stream_seq", (double)delivered_seq);
	cJSON_AddNumberToObject(info, "num_pending", pending);
	cJSON_AddNumberToObject(info, "num_ack_pending", unacked);
	headroom_learn(&h, info);
	cJSON_Delete(info);
}

/* Writes to owner until it may not, most of it; each is stored at once. */
static unsigned
write_to(const char *owner, unsigned most)
{
	unsigned	n;

	for (n = 0; n < most && headroom_allows(&h, owner); n++) {
		headroom_count(&h, owner);
		written++;
		headroom_settle(&h, written, written);
	}
	return n;
}

static void
setup(void)
{
	log_init("", LOG_LEVEL_ERROR);
	ck_assert_int_eq(headroom_init(&h, "t", 0, 1, LIMIT), 0);
	headroom_bind(&h);
	written = 0;
	headroom_settle(&h, 0, 0);
}

static void
teardown(void)
{
	headroom_free(&h);
}

START_TEST(nothing_before_the_first_answer)
{
	ck_assert_uint_eq(write_to("a", 1), 0);
	ck_assert(!headroom_known(&h));
	learn(0, 0, 0, 0);
	ck_assert(headroom_known(&h));
	ck_assert_uint_eq(write_to("a", 1), 1);
}
END_TEST

START_TEST(no_further_than_the_limit)
{
	learn(0, 0, 0, 0);
	ck_assert_uint_eq(write_to("a", 2000), LIMIT);
	learn(0, 0, LIMIT, 0);
	ck_assert_uint_eq(write_to("a", 1), 0);
	/* Delivered, and not dealt with, is unread. */
	learn(0, LIMIT, 0, LIMIT);
	ck_assert_uint_eq(write_to("a", 1), 0);
	/* Another owner has all of its own. */
	ck_assert_uint_eq(write_to("b", 2000), LIMIT);
}
END_TEST

/* The reader's consumer has not been told of the last ones. */
START_TEST(a_broker_that_counts_late_lets_nobody_further)
{
	learn(0, 0, 0, 0);
	ck_assert_uint_eq(write_to("a", 500), 500);
	learn(0, 0, 424, 0);
	ck_assert_uint_eq(write_to("a", 2000), LIMIT - 500);
	learn(0, 0, 724, 0);
	ck_assert_uint_eq(write_to("a", 1), 0);
	/* All but what came after the last mark is known to be delivered. */
	learn(LIMIT, LIMIT, 0, 0);
	ck_assert_uint_ge(write_to("a", 2000), LIMIT - 16);
}
END_TEST

START_TEST(a_long_way_with_a_reader_that_keeps_up)
{
	unsigned	i;

	learn(0, 0, 0, 0);
	for (i = 0; i < 1000; i++) {
		ck_assert_uint_eq(write_to("a", 400), 400);
		learn(written - 100, written - 50, 50, 50);
	}
	/* ... and stops. */
	learn(written - 100, written - 50, 0, 50);
	ck_assert_uint_le(write_to("a", 2000), LIMIT - 100);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("headroom");
	TCase	*t = tcase_create("headroom");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, nothing_before_the_first_answer);
	tcase_add_test(t, no_further_than_the_limit);
	tcase_add_test(t, a_broker_that_counts_late_lets_nobody_further);
	tcase_add_test(t, a_long_way_with_a_reader_that_keeps_up);
	suite_add_tcase(s, t);
	return vectors_run(s);
}
