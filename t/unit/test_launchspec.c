/* SPDX-License-Identifier: ISC */

/* The spec of a run: every rule, and its files below planted links. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "agentfile.h"
#include "files.h"
#include "json.h"
#include "launchspec.h"

#define BASE								\
	"{\"apiVersion\":\"cotal-launch/v1\",\"space\":\"main\","	\
	"\"runId\":\"r-1\",\"agents\":[{\"name\":\"critic\","		\
	"\"agent\":\"claude\",\"role\":\"rev\",\"model\":\"opus\","	\
	"\"description\":\"a: b\",\"body\":\" Be strict. \\n\","	\
	"\"capabilities\":[\"spawn\"],\"subscribe\":[\"general\"],"	\
	"\"allowSubscribe\":[\"general\",\"team.a\"],"			\
	"\"allowPublish\":[\"general\"],"				\
	"\"personaPath\":\"mesh.yaml\",\"hash\":\"0aF\"}]}"

static struct launch_spec	s, t;
static struct error		e;
static char			root[64], elsewhere[64];

/* --- reading ---------------------------------------------------------------------- */

START_TEST(all_of_it_is_read_and_written)
{
	const struct launch_agent	*a;
	char				*text;

	ck_assert_msg(launch_spec_read(&s, BASE, strlen(BASE), &e) == 0, "%s",
	    e.text);
	ck_assert_str_eq(s.space, "main");
	ck_assert_str_eq(s.run_id, "r-1");
	ck_assert_uint_eq(s.n_agents, 1);
	ck_assert_ptr_nonnull(a = launch_spec_find(&s, "critic", &e));
	ck_assert_str_eq(a->agent, "claude");
	ck_assert_str_eq(a->role, "rev");
	ck_assert_str_eq(a->model, "opus");
	ck_assert_str_eq(a->description, "a: b");
	ck_assert_str_eq(a->body, " Be strict. \n");
	ck_assert_str_eq(a->persona_path, "mesh.yaml");
	ck_assert_str_eq(a->hash, "0aF");
	ck_assert_str_eq(a->capabilities.v[0], "spawn");
	ck_assert_str_eq(a->allow_subscribe.v[1], "team.a");
	ck_assert_str_eq(a->allow_publish.v[0], "general");
	ck_assert_ptr_null(launch_spec_find(&s, "other", &e));
	ck_assert_int_eq(e.code, EX_NOINPUT);
	ck_assert_ptr_nonnull(text = launch_spec_text(&s, &e));
	ck_assert_msg(launch_spec_read(&t, text, strlen(text), &e) == 0, "%s",
	    e.text);
	ck_assert_str_eq(t.agents[0].body, a->body);
	ck_assert_uint_eq(t.agents[0].allow_subscribe.n, 2);
	free(text);
	launch_spec_free(&s);
	launch_spec_free(&t);
}
END_TEST

/* A member of the spec, or of its agent, that is removed (NULL) or becomes
 * this, and what the error speaks of. */
static const struct {
	bool		 agent;
	const char	*name, *json, *says;
} wrong[] = {
	{ false, "apiVersion", NULL, "apiVersion: missing" },
	{ false, "apiVersion", "\"cotal-launch/v2\"", "cotal-launch/v1" },
	{ false, "space", NULL, "space: missing" },
	{ false, "space", "\"\"", "space" },
	{ false, "space", "1", "space: expected a string" },
	{ false, "runId", NULL, "runId: missing" },
	{ false, "runId", "\"\"", "runId" },
	{ false, "runId", "\"..\"", "runId" },
	{ false, "runId", "\"a/b\"", "runId" },
	{ false, "runId", "\"a.b\"", "runId" },
	{ false, "agents", NULL, "agents: missing" },
	{ false, "agents", "{}", "agents: expected an array" },
	{ false, "agents", "[1]", "agents[0]" },
	{ false, "extra", "1", "extra: unknown field" },
	{ true, "extra", "null", "agents[0].extra: unknown field" },
	{ true, "name", NULL, "agents[0].name: missing" },
	{ true, "name", "\"\"", "agents[0]: name" },
	{ true, "name", "\"..\"", "agents[0]: name" },
	{ true, "name", "\".a\"", "agents[0]: name" },
	{ true, "name", "\"a/b\"", "agents[0]: name" },
	{ true, "name", "\"a\\nb\"", "agents[0]: name" },
	{ true, "name", "\" a\"", "agents[0]: name" },
	{ true, "name", "\"a b\"", "agents[0]: name" },
	{ true, "name", "\"a.md\"", "agents[0]: name" },
	{ true, "name", "\"A2345678901234567890123456789012345678901234567890"
	    "123456789012345\"", "agents[0]: name" },
	{ true, "name", "\"a\\u0000\"", "not JSON" },
	{ true, "agent", NULL, "agents[0].agent: missing" },
	{ true, "agent", "\"a.b\"", "agents[0]: agent" },
	{ true, "agent", "\"../x\"", "agents[0]: agent" },
	{ true, "agent", "\"\"", "agents[0]: agent" },
	{ true, "role", "\"a.b\"", "agents[0]: role" },
	{ true, "role", "\"*\"", "agents[0]: role" },
	{ true, "hash", NULL, "agents[0].hash: missing" },
	{ true, "hash", "\"a-b\"", "agents[0]: hash" },
	{ true, "hash", "\"\"", "agents[0]: hash" },
	{ true, "capabilities", "[\"purge\"]", "there is spawn" },
	{ true, "capabilities", "[\"spawn\",\"a b\"]", "capabilities[1]" },
	{ true, "capabilities", "\"spawn\"", "agents[0].capabilities" },
	{ true, "subscribe", NULL, "agents[0].subscribe: missing" },
	{ true, "subscribe", "[\"random\"]", "not in allowSubscribe" },
	{ true, "subscribe", "[\"gen*ral\"]", "not a channel" },
	{ true, "allowSubscribe", NULL, "allowSubscribe: missing" },
	{ true, "allowSubscribe", "[\"general\",\">\"]", "wildcard" },
	{ true, "allowSubscribe", "[\"general\",\"a b\"]", "not a channel" },
	{ true, "allowPublish", NULL, "allowPublish: missing" },
	{ true, "allowPublish", "[\"team.*\"]", "allowPublish[0]" },
	{ true, "allowPublish", "[\"\"]", "allowPublish[0]" },
	{ true, "personaPath", "\"a\\nb\"", "personaPath" },
	{ true, "personaPath", "\"a-->b\"", "personaPath" },
	{ true, "model", "\"\"", "model" },
	{ true, "model", "\"a\\nb\"", "model" },
	{ true, "description", "\"a\\nb\"", "description" },
	{ true, "body", "1", "agents[0].body" },
};

START_TEST(every_rule_is_kept)
{
	cJSON	*o = cJSON_Parse(BASE), *in = o;
	char	*text;

	if (wrong[_i].agent)
		in = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "agents"), 0);
	cJSON_DeleteItemFromObject(in, wrong[_i].name);
	if (wrong[_i].json != NULL)
		cJSON_AddItemToObject(in, wrong[_i].name,
		    cJSON_CreateRaw(wrong[_i].json));
	ck_assert_ptr_nonnull(text = cJSON_PrintUnformatted(o));
	ck_assert_msg(launch_spec_read(&s, text, strlen(text), &e) == -1,
	    "taken: %s", text);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_msg(strstr(e.text, wrong[_i].says) != NULL,
	    "\"%s\" says nothing of \"%s\"", e.text, wrong[_i].says);
	launch_spec_free(&s);
	cJSON_Delete(o);
	free(text);
}
END_TEST

START_TEST(nobody_is_started_twice)
{
	cJSON	*o = cJSON_Parse(BASE), *list, *again;
	char	*text;

	list = cJSON_GetObjectItem(o, "agents");
	again = cJSON_Duplicate(cJSON_GetArrayItem(list, 0), true);
	cJSON_ReplaceItemInObject(again, "name", cJSON_CreateString("CRITIC"));
	cJSON_AddItemToArray(list, again);
	ck_assert_ptr_nonnull(text = cJSON_PrintUnformatted(o));
	ck_assert_int_eq(launch_spec_read(&s, text, strlen(text), &e), -1);
	ck_assert_msg(strstr(e.text, "agents[1]: name: \"CRITIC\" is given "
	    "twice") != NULL, "%s", e.text);
	launch_spec_free(&s);
	cJSON_Delete(o);
	free(text);
}
END_TEST

/* What is taken of a spoiled spec can be written, and read again. */
START_TEST(no_byte_of_it_does_harm)
{
	char	*text = strdup(BASE), *again;
	size_t	 len = strlen(BASE);
	int	 tries, i;

	ck_assert_ptr_nonnull(text);
	srandom(3);
	for (tries = 0; tries < 20000; tries++) {
		memcpy(text, BASE, len);
		for (i = 0; i <= tries % 3; i++)
			text[(size_t)random() % len] = (char)random();
		if (launch_spec_read(&s, text, len, &e) == 0) {
			again = launch_spec_text(&s, &e);
			ck_assert_ptr_nonnull(again);
			ck_assert_int_eq(launch_spec_read(&t, again,
			    strlen(again), &e), 0);
			launch_spec_free(&t);
			free(again);
		}
		launch_spec_free(&s);
	}
	free(text);
}
END_TEST

/* --- on the disk -------------------------------------------------------------------- */

static char *
in(const char *dir, const char *rel)
{
	static char	path[2][256];
	static int	turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, rel);
	return path[turn];
}

static unsigned
mode_at(const char *rel)
{
	struct stat	st;

	return lstat(in(root, rel), &st) == -1 ? 0 : st.st_mode & 07777;
}

static void
make_root(void)
{
	snprintf(root, sizeof(root), "/tmp/reeve-run-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(elsewhere, sizeof(elsewhere), "/tmp/reeve-other-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(elsewhere));
	ck_assert_int_eq(launch_spec_read(&s, BASE, strlen(BASE), &e), 0);
}

static void
remove_root(void)
{
	char	command[200];

	launch_spec_free(&s);
	snprintf(command, sizeof(command), "rm -rf '%s' '%s'", root,
	    elsewhere);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(a_run_is_written_loaded_and_removed)
{
	ck_assert_int_eq(launch_spec_load(&t, root, "main", "r-1", &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	ck_assert_msg(launch_spec_save(&s, root, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(mode_at(".cotal/run"), 0700);
	ck_assert_uint_eq(mode_at(".cotal/run/r-1.json"), 0600);
	ck_assert_int_eq(launch_spec_save(&s, root, &e), -1);
	ck_assert_int_eq(e.code, EX_CANTCREAT);
	ck_assert_msg(launch_spec_load(&t, root, "main", "r-1", &e) == 0,
	    "%s", e.text);
	launch_spec_free(&t);
	ck_assert_int_eq(launch_spec_load(&t, root, "other", "r-1", &e), -1);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(e.text, "space: "));
	launch_spec_free(&t);
	ck_assert_int_eq(rename(in(root, ".cotal/run/r-1.json"),
	    in(root, ".cotal/run/r-2.json")), 0);
	ck_assert_int_eq(launch_spec_load(&t, root, "main", "r-2", &e), -1);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(e.text, "runId: "));
	launch_spec_free(&t);
	ck_assert_int_eq(launch_run_remove(root, "r-2", &e), 0);
	ck_assert_uint_eq(mode_at(".cotal/run/r-2.json"), 0);
	ck_assert_int_eq(launch_run_remove(root, "r-2", &e), 0);
}
END_TEST

START_TEST(an_id_that_is_none_is_refused)
{
	static const char *const	ids[] = { "", "..", "a/b", "../x",
	    "a.json", "/etc" };

	ck_assert_int_eq(launch_spec_load(&t, root, "main", ids[_i], &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_int_eq(launch_run_remove(root, ids[_i], &e), -1);
	ck_assert_ptr_null(launch_persona_write(root, ids[_i], s.agents, &e));
	ck_assert_int_eq(launch_persona_remove(root, "r-1", "../r-1", &e),
	    -1);
	ck_assert_uint_eq(mode_at(".cotal"), 0);
}
END_TEST

START_TEST(a_persona_is_made_and_gives_no_rights)
{
	struct agent_file	 f;
	struct agent_acl	 acl;
	char			*path;

	ck_assert_ptr_nonnull(path = launch_persona_write(root, "r-1",
	    s.agents, &e));
	ck_assert_str_eq(path, in(root, ".cotal/run/r-1/agents/critic.md"));
	ck_assert_uint_eq(mode_at(".cotal"), 0700);
	ck_assert_uint_eq(mode_at(".cotal/run"), 0700);
	ck_assert_uint_eq(mode_at(".cotal/run/r-1"), 0700);
	ck_assert_uint_eq(mode_at(".cotal/run/r-1/agents"), 0700);
	ck_assert_uint_eq(mode_at(".cotal/run/r-1/agents/critic.md"), 0600);
	ck_assert_msg(agent_file_load(&f, root, path, &e) == 0, "%s", e.text);
	ck_assert_str_eq(f.name, "critic");
	ck_assert_str_eq(f.role, "rev");
	ck_assert_str_eq(f.model, "opus");
	ck_assert_str_eq(f.description, "a: b");
	ck_assert(!f.subscribe.given && !f.allow_subscribe.given &&
	    !f.allow_publish.given && !f.capabilities.given);
	agent_file_acl(&f, &acl);
	ck_assert_uint_eq(acl.n_allow_publish, 0);
	ck_assert_ptr_nonnull(strstr(f.body, "run r-1 from mesh.yaml"));
	ck_assert_ptr_nonnull(strstr(f.body, "\n\n Be strict."));
	agent_file_free(&f);
	free(path);
	ck_assert_ptr_null(launch_persona_write(root, "r-1", s.agents, &e));
	ck_assert_int_eq(e.code, EX_CANTCREAT);
	ck_assert_uint_eq(mode_at(".cotal/run/r-1/agents/critic.md"), 0600);
	ck_assert_int_eq(launch_persona_remove(root, "r-1", "critic", &e), 0);
	ck_assert_uint_eq(mode_at(".cotal/run/r-1/agents/critic.md"), 0);
	ck_assert_ptr_nonnull(path = launch_persona_write(root, "r-1",
	    s.agents, &e));
	free(path);
	ck_assert_int_eq(launch_run_remove(root, "r-1", &e), 0);
	ck_assert_uint_eq(mode_at(".cotal/run/r-1"), 0);
	ck_assert_uint_eq(mode_at(".cotal/run"), 0700);
}
END_TEST

static const char *const	components[] = { ".cotal", ".cotal/run",
    ".cotal/run/r-1", ".cotal/run/r-1/agents",
    ".cotal/run/r-1/agents/critic.md", ".cotal/run/r-1.json" };

/* All of it stands elsewhere, and one component of ours leads there. */
static void
plant(int at)
{
	char	command[800];
	int	i;

	snprintf(command, sizeof(command), "mkdir -p '%s/%s' && "
	    "cd '%s' && echo theirs >%s && echo theirs >%s", elsewhere,
	    components[3], elsewhere, components[4], components[5]);
	ck_assert_int_eq(system(command), 0);
	for (i = 0; i < at && i < 4; i++)
		if (strncmp(components[at], components[i],
		    strlen(components[i])) == 0)
			ck_assert_int_eq(mkdir(in(root, components[i]), 0700),
			    0);
	ck_assert_int_eq(symlink(in(elsewhere, components[at]),
	    in(root, components[at])), 0);
}

static void
is_theirs(const char *rel)
{
	char	*text = file_read(in(elsewhere, rel), 100, NULL, &e);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, "theirs\n");
	free(text);
}

START_TEST(a_planted_link_is_not_followed)
{
	bool	 of_persona = _i <= 4, of_spec = _i <= 1 || _i == 5;
	char	*path;

	plant(_i);
	path = launch_persona_write(root, "r-1", s.agents, &e);
	ck_assert_int_eq(path == NULL, of_persona);
	free(path);
	ck_assert_int_eq(launch_spec_save(&s, root, &e) == -1, of_spec);
	if (of_spec) {
		ck_assert_int_eq(launch_spec_load(&t, root, "main", "r-1",
		    &e), -1);
		ck_assert_int_eq(e.code, EX_NOPERM);
	}
	launch_persona_remove(root, "r-1", "critic", &e);
	launch_run_remove(root, "r-1", &e);
	is_theirs(components[4]);
	is_theirs(components[5]);
}
END_TEST

static Suite *
suite(void)
{
	Suite	*all = suite_create("launchspec");
	TCase	*text = tcase_create("text"), *disk = tcase_create("disk");

	tcase_set_timeout(text, 60);
	tcase_add_test(text, all_of_it_is_read_and_written);
	tcase_add_loop_test(text, every_rule_is_kept, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(text, nobody_is_started_twice);
	tcase_add_test(text, no_byte_of_it_does_harm);
	suite_add_tcase(all, text);

	tcase_add_checked_fixture(disk, make_root, remove_root);
	tcase_add_test(disk, a_run_is_written_loaded_and_removed);
	tcase_add_loop_test(disk, an_id_that_is_none_is_refused, 0, 6);
	tcase_add_test(disk, a_persona_is_made_and_gives_no_rights);
	tcase_add_loop_test(disk, a_planted_link_is_not_followed, 0, 6);
	suite_add_tcase(all, disk);
	return all;
}

int
main(void)
{
	SRunner	*runner = srunner_create(suite());
	int	 failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
