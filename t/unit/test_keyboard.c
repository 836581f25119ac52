/* SPDX-License-Identifier: ISC */

/* What is typed at `reeve attach`: which bytes go through, and which key is
 * ours, however the bytes are cut. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "keyboard.h"

static struct keyboard	k;

/* In pieces of `step` bytes; whether it says to detach. */
static bool
type(const char *data, size_t n, size_t step)
{
	size_t	i, m;

	for (i = 0; i < n; i += m) {
		m = n - i < step ? n - i : step;
		if (keyboard_take(&k, data + i, m))
			return true;
	}
	return false;
}

static void
sends(const char *in, size_t n, bool detaches, const char *out, size_t m)
{
	const char	*data;
	size_t		 step, len;

	for (step = 1; step <= n; step++) {
		ck_assert(type(in, n, step) == detaches);
		len = keyboard_peek(&k, &data);
		ck_assert_uint_eq(len, m);
		ck_assert_mem_eq(data, out, m);
		keyboard_free(&k);
	}
}
#define SENDS(in, detaches, out)					\
	sends(in, sizeof(in) - 1, detaches, out, sizeof(out) - 1)

START_TEST(bytes_go_through)
{
	char	all[255];
	size_t	i, n = 0;

	for (i = 0; i < 256; i++)
		if (i != KEYBOARD_KEY)
			all[n++] = (char)i;
	sends(all, n, false, all, n);
}
END_TEST

START_TEST(our_key)
{
	SENDS("a\x1d" "d", true, "a");
	SENDS("a\x1d\x1d" "d", false, "a\x1d" "d");
	SENDS("\x1dx", false, "\x1dx");
	SENDS("\x1d\x1b[A", false, "\x1d\x1b[A");
	SENDS("\x1d\x1d\x1d" "d", true, "\x1d");
	/* Nothing yet: it waits for what comes after it. */
	SENDS("a\x1d", false, "a");
}
END_TEST

START_TEST(pastes)
{
	SENDS("\x1b[200~a\x1d" "d\x1b[201~", false,
	    "\x1b[200~a\x1d" "d\x1b[201~");
	SENDS("\x1b[200~\x1d\x1d\x1b[201~\x1d" "d", true,
	    "\x1b[200~\x1d\x1d\x1b[201~");
	/* No mark, or one that begins anew. */
	SENDS("\x1b[200\x1d" "d", true, "\x1b[200");
	SENDS("\x1b[20\x1b[200~\x1d" "d", false, "\x1b[20\x1b[200~\x1d" "d");
	SENDS("\x1b[200~\x1b[200~\x1d" "d", false,
	    "\x1b[200~\x1b[200~\x1d" "d");
}
END_TEST

START_TEST(is_taken_in_parts)
{
	static char	 many[100000];
	const char	*data;
	size_t		 i, n, got = 0;

	for (i = 0; i < sizeof(many); i++)
		many[i] = (char)('a' + i % 23);
	for (i = 0; i < sizeof(many) || got < sizeof(many); i += 1000) {
		if (i < sizeof(many))
			ck_assert(!keyboard_take(&k, many + i, 1000));
		n = keyboard_peek(&k, &data);
		n = n > 700 ? 700 : n;
		ck_assert_mem_eq(data, many + got, n);
		keyboard_drop(&k, n);
		got += n;
	}
	ck_assert_uint_eq(keyboard_waiting(&k), 0);
	ck_assert(!keyboard_take(&k, "x", 1));
	keyboard_clear(&k);
	ck_assert_uint_eq(keyboard_waiting(&k), 0);
	keyboard_free(&k);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("keyboard");
	TCase	*tc = tcase_create("all");
	SRunner	*sr;
	int	 failed;

	tcase_add_test(tc, bytes_go_through);
	tcase_add_test(tc, our_key);
	tcase_add_test(tc, pastes);
	tcase_add_test(tc, is_taken_in_parts);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
