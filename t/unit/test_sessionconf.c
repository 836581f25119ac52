/* SPDX-License-Identifier: ISC */

/* What a session is: its environment, its agent file, a join link. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sessionconf.h"

static char			dir[] = "/tmp/reeve-conf-XXXXXX";
static struct session_conf	c;
static const char *const	all[] = { "SPACE", "NAME", "ROLE", "ID",
    "CREDS", "SERVERS", "AGENT_FILE", "SUBSCRIBE", "ALLOW_SUBSCRIBE",
    "ALLOW_PUBLISH", "CAPABILITIES", "CONTROL_SOCKET", "CONTROL_TOKEN",
    "CHANNEL", "TRANSCRIPT", "LINK", "KIND", "MODEL", "TOKEN", "TLS", "QUIET",
    "MUTED", NULL };

static void
set(const char *name, const char *value)
{
	char	full[64];

	snprintf(full, sizeof(full), "COTAL_%s", name);
	ck_assert_int_eq(value == NULL ? unsetenv(full) :
	    setenv(full, value, 1), 0);
}

static void
setup(void)
{
	size_t	i;

	for (i = 0; all[i] != NULL; i++)
		set(all[i], NULL);
	memset(&c, 0, sizeof(c));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void
teardown(void)
{
	session_conf_free(&c);
	(void)unlink("a.md");
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
}

static void
file(const char *text)
{
	FILE	*f = fopen("a.md", "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	set("AGENT_FILE", "./a.md");
}

static void
load(void)
{
	struct error	e;

	session_conf_free(&c);
	ck_assert_int_eq(session_conf_load(&c, &e), 0);
}

static void
good(void)
{
	load();
	ck_assert_msg(c.mesh, "%s", c.why_not);
}

static void
bad(const char *why)
{
	load();
	ck_assert(!c.mesh);
	ck_assert_msg(strstr(c.why_not, why) != NULL, "\"%s\" is not in: %s",
	    why, c.why_not);
}

static void
is(const struct strlist *l, const char *text)
{
	char	got[512] = "";
	size_t	i, used = 0;

	for (i = 0; i < l->n; i++)
		used += (size_t)snprintf(got + used, sizeof(got) - used,
		    "%s%s", i > 0 ? "," : "", l->v[i]);
	ck_assert_str_eq(got, text);
}

/* --- on it or off it ------------------------------------------------------------ */

START_TEST(without_a_name_it_stays_off)
{
	set("SPACE", "t");
	set("SERVERS", "nats://h:1");
	bad("COTAL_NAME");
	ck_assert_ptr_nonnull(strstr(c.why_not, "COTAL_LINK"));
	ck_assert_ptr_nonnull(strstr(c.why_not, "COTAL_AGENT_FILE"));
	set("NAME", "");
	bad("COTAL_NAME");
}
END_TEST

START_TEST(a_name_and_a_space_are_enough)
{
	set("NAME", "scout");
	bad("COTAL_SPACE");
	set("SPACE", "t");
	good();
	ck_assert_str_eq(c.name, "scout");
	ck_assert_str_eq(c.space, "t");
	ck_assert_str_eq(c.servers, "nats://127.0.0.1:4222");
	ck_assert_ptr_null(c.token);
	ck_assert_ptr_null(c.creds.jwt);
	ck_assert(!c.tls && c.channel && !c.transcript);
	is(&c.subscribe, "general");
	is(&c.allow_subscribe, ">");
	is(&c.allow_publish, ">");
}
END_TEST

START_TEST(what_is_turned_on_and_off)
{
	set("NAME", "scout");
	set("SPACE", "t");
	set("CHANNEL", "0");
	set("TRANSCRIPT", "1");
	good();
	ck_assert(!c.channel && c.transcript);
	set("CHANNEL", "1");
	set("TRANSCRIPT", "0");
	good();
	ck_assert(c.channel && !c.transcript);
}
END_TEST

START_TEST(a_link_is_enough)
{
	set("LINK", "cotals://s3cret@h.example:5/t?channel=a,b.c");
	good();
	ck_assert_ptr_null(c.name);
	ck_assert_str_eq(c.space, "t");
	ck_assert_str_eq(c.servers, "nats://h.example:5");
	ck_assert_str_eq(c.token, "s3cret");
	ck_assert(c.tls);
	is(&c.subscribe, "a,b.c");
	ck_assert_ptr_null(getenv("COTAL_LINK"));
}
END_TEST

START_TEST(a_link_with_a_user)
{
	set("LINK", "cotal://u:p@h/t");
	good();
	ck_assert_ptr_null(c.token);
	ck_assert_str_eq(c.user, "u");
	ck_assert_str_eq(c.pass, "p");
	ck_assert(!c.tls);
	is(&c.subscribe, "general");
	set("LINK", "cotal://u:p@h/t");
	set("TOKEN", "tok");
	good();
	ck_assert_str_eq(c.token, "tok");
	ck_assert_ptr_null(c.user);
}
END_TEST

START_TEST(a_bad_link_is_not_repeated)
{
	set("LINK", "http://s3cret@h/t");
	bad("COTAL_LINK");
	ck_assert_ptr_null(strstr(c.why_not, "s3cret"));
}
END_TEST

/* --- the agent file ----------------------------------------------------------------- */

#define FILE_ALL							\
	"---\nname: critic\nrole: reviewer\nkind: endpoint\n"		\
	"description: reads\ntags: [x, y]\nsubscribe: [general]\n"	\
	"allowSubscribe: [general, team.>]\nallowPublish: [general]\n"	\
	"quiet: [team.a]\nmuted: [team.b]\nmodel: opus\n"		\
	"capabilities: [spawn]\n---\nBe kind.\n"

START_TEST(a_file_says_all)
{
	file(FILE_ALL);
	set("SPACE", "t");
	good();
	ck_assert_str_eq(c.name, "critic");
	ck_assert_str_eq(c.role, "reviewer");
	ck_assert_str_eq(c.kind, "endpoint");
	ck_assert_str_eq(c.description, "reads");
	ck_assert_str_eq(c.model, "opus");
	is(&c.tags, "x,y");
	is(&c.subscribe, "general");
	is(&c.allow_subscribe, "general,team.>");
	is(&c.allow_publish, "general");
	is(&c.quiet, "team.a");
	is(&c.muted, "team.b");
	ck_assert(session_conf_can(&c, "spawn"));
	ck_assert(!session_conf_can(&c, "fly"));
}
END_TEST

START_TEST(a_variable_goes_before_the_file)
{
	file(FILE_ALL);
	set("SPACE", "t");
	set("NAME", "critic-2");
	set("ROLE", "judge");
	set("KIND", "agent");
	set("MODEL", "haiku");
	set("SUBSCRIBE", "team.c");
	set("ALLOW_SUBSCRIBE", "team.>");
	set("ALLOW_PUBLISH", "");
	set("CAPABILITIES", "");
	set("QUIET", "team.b");
	set("MUTED", "team.a, team.c");
	good();
	ck_assert_str_eq(c.name, "critic-2");
	ck_assert_str_eq(c.role, "judge");
	ck_assert_str_eq(c.kind, "agent");
	ck_assert_str_eq(c.model, "haiku");
	is(&c.subscribe, "team.c");
	is(&c.allow_subscribe, "team.>");
	is(&c.allow_publish, "");
	is(&c.quiet, "team.b");
	is(&c.muted, "team.a,team.c");
	ck_assert(!session_conf_can(&c, "spawn"));
}
END_TEST

START_TEST(a_silent_file_allows_little)
{
	file("---\nname: x\n---\n");
	set("SPACE", "t");
	good();
	is(&c.subscribe, "general");
	is(&c.allow_subscribe, "general");
	is(&c.allow_publish, "");
}
END_TEST

START_TEST(a_bad_file_is_said)
{
	file("---\nname: x\nchannels: [a]\n---\n");
	set("SPACE", "t");
	bad("line 3");
	ck_assert_ptr_nonnull(strstr(c.why_not, "COTAL_AGENT_FILE"));
	set("AGENT_FILE", "./none.md");
	bad("none.md");
}
END_TEST

/* --- strictness ------------------------------------------------------------------------ */

START_TEST(what_is_wrong_is_named)
{
	static const char *const	wrong[][3] = {
		{ "NAME", "a/b", "cannot be a name" },
		{ "ROLE", "a b", "cannot be a role" },
		{ "KIND", "robot", "COTAL_KIND" },
		{ "TLS", "yes", "COTAL_TLS" },
		{ "CHANNEL", "on", "COTAL_CHANNEL" },
		{ "TRANSCRIPT", "2", "COTAL_TRANSCRIPT" },
		{ "SUBSCRIBE", "a b", "subscribe" },
		{ "ALLOW_SUBSCRIBE", "other", "outside allowSubscribe" },
		{ "ALLOW_PUBLISH", "a..b", "allowPublish" },
		{ "QUIET", "team.>", "quiet" },
		{ "MUTED", "*", "muted" },
		{ "CREDS", "/nonexistent", "COTAL_CREDS" },
	};
	size_t	i = (size_t)_i;

	set("NAME", "scout");
	set("SPACE", "t");
	set(wrong[i][0], wrong[i][1]);
	bad(wrong[i][2]);
}
END_TEST

START_TEST(not_both_quiet_and_muted)
{
	set("NAME", "scout");
	set("SPACE", "t");
	set("QUIET", "a,b");
	set("MUTED", "b");
	bad("both quiet and muted");
}
END_TEST

/* --- its control socket ------------------------------------------------------------------ */

START_TEST(a_control_socket_is_there_off_the_mesh_too)
{
	set("CONTROL_SOCKET", "/run/x/socket");
	set("CONTROL_TOKEN", "t0ken");
	bad("COTAL_NAME");
	ck_assert_str_eq(c.control_socket, "/run/x/socket");
	ck_assert_str_eq(c.control_token, "t0ken");
	ck_assert_ptr_null(getenv("COTAL_CONTROL_TOKEN"));
	load();
	ck_assert_ptr_null(c.control_socket);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("sessionconf");
	TCase	*tc = tcase_create("sessionconf");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_a_name_it_stays_off);
	tcase_add_test(tc, a_name_and_a_space_are_enough);
	tcase_add_test(tc, what_is_turned_on_and_off);
	tcase_add_test(tc, a_link_is_enough);
	tcase_add_test(tc, a_link_with_a_user);
	tcase_add_test(tc, a_bad_link_is_not_repeated);
	tcase_add_test(tc, a_file_says_all);
	tcase_add_test(tc, a_variable_goes_before_the_file);
	tcase_add_test(tc, a_silent_file_allows_little);
	tcase_add_test(tc, a_bad_file_is_said);
	tcase_add_loop_test(tc, what_is_wrong_is_named, 0, 12);
	tcase_add_test(tc, not_both_quiet_and_muted);
	tcase_add_test(tc, a_control_socket_is_there_off_the_mesh_too);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
