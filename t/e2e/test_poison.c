/* SPDX-License-Identifier: ISC */

/*
 * A message that crashes its worker ends in DEAD, and takes nothing along.
 * Needs faulty-fanout and faulty-reader (built with REEVE_FAULTS) in
 * $REEVE_BINDIR/t/bin.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "space.h"

#define N		40	/* messages before and behind it */
#define AGE_MS		20000
#define DELIVERIES	10
#define PATIENCE_MS	90000	/* reeved's back-off has doubled to 25 s */

#define POISON_READER	"11111111-1111-4111-8111-111111111111"
#define POISON_FANOUT	"22222222-2222-4222-8222-222222222222"

/* Have a role's service run the build that crashes on this message. */
static void
make_faulty(const char *role, const char *id)
{
	const char	*dir = getenv("REEVE_BINDIR");
	char		 path[PATH_MAX], real[PATH_MAX], cmd[3 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/t/bin/faulty-%s", dir == NULL ?
	    "." : dir, role);
	ck_assert_msg(realpath(path, real) != NULL, "%s is not built", path);
	snprintf(cmd, sizeof(cmd), "sed -i -E \"s#^exec '?[^ ']*/reeve-%s'?#"
	    "export REEVE_FAULT_CRASH_ID=%s\\nexec %s#\" %s/service/%s/run && "
	    "grep -q faulty %s/service/%s/run", role, id, real, sp->state,
	    role, sp->state, role);
	ck_assert_msg(system(cmd) == 0, "%s", cmd);
}

static void
setup_faulty(void)
{
	space_setup_idle();
	make_faulty("fanout", POISON_FANOUT);
	make_faulty("reader", POISON_READER);
	space_start(sp);
	space_await_ready(sp);
}

static unsigned
dead_letters(void)
{
	unsigned	 n = 0;
	cJSON		*o;

	while ((o = dead_letter(sp, n)) != NULL) {
		cJSON_Delete(o);
		n++;
	}
	return n;
}

/* Of the two letters one is this message's. */
static void
check_letter(const char *id)
{
	unsigned	 n, found = 0;
	cJSON		*o;
	const cJSON	*deliveries;
	char		*text;

	for (n = 0; (o = dead_letter(sp, n)) != NULL; n++) {
		deliveries = json_get(o, "deliveries");
		text = json_print(o);
		found += strstr(text, id) != NULL;
		ck_assert_msg(cJSON_IsNumber(deliveries) &&
		    deliveries->valuedouble >= DELIVERIES, "%s", text);
		free(text);
		cJSON_Delete(o);
	}
	ck_assert_uint_eq(found, 1);
}

START_TEST(crashes_its_worker)
{
	struct agent	*scribe, *scout;
	int64_t		 began = clock_ms();
	char		 text[32];
	unsigned	 i;

	scribe = agent_make(sp, "scribe", "--allow-publish general");
	scout = agent_make(sp, "scout", NULL);
	agent_join(scout, "general");
	for (i = 0; i < 3 * N; i++) {
		if (i == N)
			agent_post_as(scribe, "general", "poison",
			    POISON_READER, NULL);
		if (i == 2 * N)
			agent_post_as(scribe, "general", "poison",
			    POISON_FANOUT, NULL);
		snprintf(text, sizeof(text), "m%u", i);
		agent_post(scribe, "general", text);
	}
	while (dead_letters() < 2) {
		if (clock_ms() - began > PATIENCE_MS)
			test_fail(__FILE__, __LINE__, "two dead letters");
		test_pause();
	}
	ck_assert_int_ge(clock_ms() - began, AGE_MS);
	check_letter(POISON_READER);
	check_letter(POISON_FANOUT);
	agent_expect(scout, 3 * N);
	for (i = 0; i < 3 * N; i++) {
		snprintf(text, sizeof(text), "m%u", i);
		ck_assert_str_eq(scout->got[i].text, text);
	}
	agent_expect_none(scout);
	ck_assert_uint_eq(dead_letters(), 2);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

int
main(void)
{
	TCase	*tc = test_case("poison", setup_faulty, 180);

	tcase_add_test(tc, crashes_its_worker);
	return test_main("poison", tc, NULL);
}
