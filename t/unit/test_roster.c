/* SPDX-License-Identifier: ISC */

/* Whom a name means, among those who are present and those with an ACL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "acls.h"
#include "log.h"
#include "names.h"
#include "roster.h"
#include "vectors.h"

#define MANY	100000
#define IDS	40
#define STEPS	20000

static struct acls	*acls;
static struct roster	*roster;

static void
setup(void)
{
	log_init("", LOG_LEVEL_ERROR);
	ck_assert_ptr_nonnull(acls = acls_new());
	ck_assert_ptr_nonnull(roster = roster_new());
}

static void
teardown(void)
{
	acls_free(acls);
	roster_free(roster);
}

/* An id as nkeys look, told from others by n. */
static const char *
id_of(unsigned n)
{
	static char	ring[4][64];
	static unsigned	turn;
	char		*s = ring[turn++ % 4];

	snprintf(s, sizeof(ring[0]), "U%055u", n);
	return s;
}

/* name NULL: one without. */
static void
acl_put(unsigned n, const char *name)
{
	char	body[256];
	int	len;

	len = snprintf(body, sizeof(body), "{\"allowSubscribe\":[\"general\"]"
	    ",\"revision\":1,\"updatedAt\":1%s%s%s}", name == NULL ? "" :
	    ",\"name\":\"", name == NULL ? "" : name, name == NULL ? "" :
	    "\"");
	acls_ops.put(acls, id_of(n), body, (size_t)len, 1);
}

static void
presence_put(unsigned n, const char *name, const char *status)
{
	char	body[256];
	int	len;

	len = snprintf(body, sizeof(body), "{\"card\":{\"id\":\"%s\",\"name\":"
	    "\"%s\",\"kind\":\"agent\"},\"status\":\"%s\",\"ts\":1}",
	    id_of(n), name, status);
	roster_ops.put(roster, id_of(n), body, (size_t)len, 1);
}

static void
check_means(const char *name, unsigned n)
{
	const char	*owner = roster_mentioned(roster, acls, name);

	ck_assert_msg(owner != NULL, "%s means nobody", name);
	ck_assert_str_eq(owner, id_of(n));
}

static void
check_means_nobody(const char *name)
{
	ck_assert_ptr_null(roster_mentioned(roster, acls, name));
}

/* --- the rules ---------------------------------------------------------- */

START_TEST(one_live_match_wins)
{
	check_means_nobody("ada");
	acl_put(1, "Ada");
	check_means("aDA", 1);
	presence_put(2, "ADA", "idle");
	check_means("ada", 2);
	presence_put(3, "ada", "idle");
	check_means_nobody("ada");
	presence_put(3, "ada", "offline");
	check_means("ada", 2);
	presence_put(2, "other", "idle");
	/* Offline there, and another by its ACL. */
	check_means_nobody("ada");
	acl_put(1, NULL);
	check_means("ada", 3);
	acl_put(3, "ada");
	check_means("ada", 3);
	roster_ops.put(roster, id_of(3), NULL, 0, 2);
	check_means("ada", 3);
	acls_ops.put(acls, id_of(3), NULL, 0, 2);
	check_means("ada", 3);
}
END_TEST

START_TEST(letters_beyond_ascii)
{
	acl_put(1, "\xc3\x89lo\xc3\xafse");
	check_means("\xc3\xa9LO\xc3\x8fSE", 1);
	check_means_nobody("Eloise");
	acl_put(2, "\xc3\x97");
	check_means_nobody("\xc3\xb7");
	acl_put(3, "");
	acl_put(4, "a b.c/d");
	check_means("A B.C/D", 4);
}
END_TEST

START_TEST(a_reset_forgets_acls_and_keeps_peers)
{
	acl_put(1, "ada");
	presence_put(2, "bob", "idle");
	acls_ops.reset(acls);
	roster_ops.reset(roster);
	check_means_nobody("ada");
	check_means("bob", 2);
	acl_put(1, "ada");
	check_means("ada", 1);
}
END_TEST

/* --- beside a table without an index --------------------------------------- */

static const char *const	names[] = { "ada", "Ada", "bob", "BOB", "eve",
				    "a", "ab", NULL };
#define N_NAMES	(sizeof(names) / sizeof(names[0]))

static struct {
	const char	*acl;		/* its name; NULL: none, or no record */
	const char	*peer;		/* NULL: never seen */
	bool		 live;
} plain[IDS];

static unsigned
count_plain(const char *name, bool peers, bool live, unsigned *hit)
{
	const char	*s;
	unsigned	 i, n = 0;

	for (i = 0; i < IDS; i++) {
		s = peers ? plain[i].peer : plain[i].acl;
		if (s != NULL && (!peers || plain[i].live == live) &&
		    name_same(s, name)) {
			*hit = i;
			n++;
		}
	}
	return n;
}

static void
check_as_plain(const char *name)
{
	const char	*owner;
	unsigned	 hit = 0, away = 0, n, m;

	if ((n = count_plain(name, true, true, &hit)) == 0) {
		m = count_plain(name, true, false, &away);
		n = count_plain(name, false, false, &hit);
		if (m > 1 || (m == 1 && n == 1 && away != hit))
			n = 2;
		else if (m == 1 && n == 0) {
			hit = away;
			n = 1;
		}
	}
	owner = roster_mentioned(roster, acls, name);
	ck_assert_int_eq(owner != NULL, n == 1);
	if (n == 1)
		ck_assert_str_eq(owner, id_of(hit));
}

static void
change_one(void)
{
	unsigned	i = (unsigned)random() % IDS;
	const char	*name = names[(unsigned)random() % N_NAMES];

	switch (random() % 5) {
	case 0:
	case 1:
		acl_put(i, name);
		plain[i].acl = name;
		break;
	case 2:
		acls_ops.put(acls, id_of(i), NULL, 0, 1);
		plain[i].acl = NULL;
		break;
	case 3:
		if (name == NULL)
			break;
		plain[i].live = random() % 2 == 0;
		presence_put(i, name, plain[i].live ? "idle" : "offline");
		plain[i].peer = name;
		break;
	default:
		roster_ops.put(roster, id_of(i), NULL, 0, 1);
		plain[i].live = false;
	}
}

START_TEST(as_without_an_index)
{
	unsigned	i;

	srandom(1);
	for (i = 0; i < STEPS; i++) {
		change_one();
		check_as_plain(names[(unsigned)random() % (N_NAMES - 1)]);
	}
}
END_TEST

/* Looking at each of them for each would take minutes. */
START_TEST(a_hundred_thousand)
{
	char		name[32];
	unsigned	i;

	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "Agent-%u", i);
		acl_put(i, name);
		if (i % 2 == 0)
			presence_put(i, name, "idle");
	}
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "agent-%u", i);
		check_means(name, i);
	}
	check_means_nobody("agent");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("roster");
	TCase	*t = tcase_create("roster");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, one_live_match_wins);
	tcase_add_test(t, letters_beyond_ascii);
	tcase_add_test(t, a_reset_forgets_acls_and_keeps_peers);
	tcase_add_test(t, as_without_an_index);
	tcase_add_test(t, a_hundred_thousand);
	suite_add_tcase(s, t);
	return vectors_run(s);
}
