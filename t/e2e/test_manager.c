/* SPDX-License-Identifier: ISC */

/* The manager: agents that really run, found again and stopped; who may do
 * what; runs. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "crew.h"
#include "files.h"
#include "json.h"

/* --- life ------------------------------------------------------------------------------ */

START_TEST(an_agent_lives_and_ends)
{
	spawn("critic");
	ck_assert(agent_is("critic", "running"));
	check_said("critic");
	check_made("critic");
	ck_assert_str_eq(of_agent("critic", "mesh"), "absent");
	presence_put(sp, of_agent("critic", "id"), "critic", "working");
	AWAIT(strcmp(of_agent("critic", "mesh"), "working") == 0);
	spawn("critic --role other --name second");
	spawn("critic");
	ck_assert(agent_is("critic-2", "running"));
	stop("critic");
	ck_assert(!has_process("critic"));
	ck_assert(has_process("critic-2"));
	ck_assert(agent_is("critic", "exited"));
	ck_assert_int_eq(count(""), 2);
	stop("--hard critic-2");
	ck_assert(!has_process("critic-2"));
	/* Its name is free again; what the first one had is gone. */
	spawn("critic");
	stop("--forget critic");
	ck_assert_int_eq(consumers(STREAM_DM), 2);
	stop("--forget critic-2");
	stop("--forget second");
	check_nothing("all forgotten");
	ck_assert_int_eq(reeve(sp, NULL, 0, "stop critic"), EX_NOUSER);
}
END_TEST

START_TEST(one_that_ends_by_itself)
{
	spawn("brief");
	AWAIT(agent_is("brief", "exited"));
	ck_assert_str_eq(of_agent("brief", "exit"), "3");
	ck_assert_int_eq(reeve(sp, answer, sizeof(answer), "logs brief"), 0);
	ck_assert_msg(strncmp(answer, "so be it\n", 9) == 0, "%s", answer);
	AWAIT(!there("a/service/pty-brief", NULL));
	ck_assert_int_eq(count(""), 0);
}
END_TEST

START_TEST(what_one_has_shown)
{
	char	file[300], *text = NULL;
	pid_t	pid;

	spawn("chatty");
	AWAIT(reeve(sp, answer, sizeof(answer), "logs chatty") == 0 &&
	    strncmp(answer, "first\n", 6) == 0);
	snprintf(file, sizeof(file), "%s/logs", sp->dir);
	pid = reeve_in_background("logs -f chatty", file);
	AWAIT((text = file_read(file, 65536, NULL, NULL)) != NULL &&
	    strcmp(text, "first\n") == 0);
	free(text);
	stop("chatty");
	ck_assert(waitpid(pid, NULL, 0) == pid);
	text = file_read(file, 65536, NULL, NULL);
	ck_assert_ptr_nonnull(text);
	ck_assert_msg(strncmp(text, "first\n", 6) == 0 &&
	    strstr(text + 1, "first") == NULL, "%s", text);
	free(text);
}
END_TEST

static long
size_of(const char *file)
{
	struct stat	st;

	return stat(file, &st) == -1 ? 0 : (long)st.st_size;
}

/* Followed without a manager, and to its end. */
START_TEST(what_one_shows_meanwhile)
{
	char	file[300];
	pid_t	pid;
	long	had;
	int	status;

	spawn("ticking");
	snprintf(file, sizeof(file), "%s/logs", sp->dir);
	pid = reeve_in_background("logs -f ticking", file);
	AWAIT(size_of(file) > 0);
	role_down(sp, "manager");
	had = size_of(file);
	AWAIT(size_of(file) > had + 300);	/* three looks, at 10 bytes */
	role_up(sp, "manager");
	stop("ticking");
	ck_assert(waitpid(pid, &status, 0) == pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(one_that_is_to_be_started_again)
{
	pid_t	pid;

	spawn("again");
	AWAIT(there("said.again", NULL) && has_process("again"));
	pid = process_of("again");
	ck_assert_int_eq(unlink_in("said.again"), 0);
	role_kill(sp, "manager");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	AWAIT(there("said.again", NULL));
	await_manager();
	ck_assert(agent_is("again", "running"));
	stop("again");
	ck_assert(!has_process("again"));
}
END_TEST

/* Its program ends each time; who looks sees that. */
START_TEST(one_that_ends_again_and_again)
{
	spawn("failing");
	AWAIT(agent_is("failing", "restarting") &&
	    atoi(of_agent("failing", "starts")) > 1);
	ck_assert_int_eq(reeve(sp, answer, sizeof(answer), "ps"), 0);
	ck_assert_ptr_nonnull(strstr(answer, "restarting"));
	stop("failing");
	ck_assert_int_eq(count(""), 0);
	ck_assert(agent_is("failing", "exited"));
}
END_TEST

/* Its terminal is killed, and it with that: nobody waits for it any more. */
START_TEST(one_whose_terminal_is_killed)
{
	char	run[300];

	spawn("critic");
	AWAIT(there("said.critic", NULL));
	snprintf(run, sizeof(run), "%s/agents/critic/run.json", sp->state);
	AWAIT(access(run, F_OK) == 0);
	role_kill(sp, "pty-critic");
	AWAIT(agent_is("critic", "exited"));
	ck_assert_str_eq(of_agent("critic", "signal"), "1");
	AWAIT(!has_process("critic"));
	AWAIT(!there("a/service/pty-critic", NULL));
	ck_assert_int_eq(reeve(sp, answer, sizeof(answer), "attach critic"),
	    EX_NOUSER);
	ck_assert_ptr_nonnull(strstr(answer, "critic has ended"));
}
END_TEST

START_TEST(one_that_does_not_listen)
{
	int64_t	began;

	spawn("deaf");
	AWAIT(there("said.deaf", NULL));
	began = test_now_ms();
	stop("--hard deaf");
	ck_assert_int_lt(test_now_ms() - began, 2500);
	ck_assert(!has_process("deaf"));
	AWAIT(!there("a/service/pty-deaf", NULL));
}
END_TEST

START_TEST(agents_go_on_without_a_manager)
{
	char	id[ID_MAX];
	pid_t	pid;

	spawn("critic");
	snprintf(id, sizeof(id), "%s", of_agent("critic", "id"));
	pid = role_pid(sp, "pty-critic");
	role_kill(sp, "manager");
	await_manager();
	ck_assert(agent_is("critic", "running"));
	ck_assert_str_eq(of_agent("critic", "id"), id);
	ck_assert_int_eq(role_pid(sp, "pty-critic"), pid);
	role_down(sp, "manager");
	ck_assert_int_eq(reeve(sp, NULL, 0, "ps"), EX_UNAVAILABLE);
	ck_assert(has_process("critic"));
	role_up(sp, "manager");
	await_manager();
	stop("critic");
	ck_assert(!has_process("critic"));
}
END_TEST

/* --- who may ----------------------------------------------------------------------------- */

START_TEST(who_may_do_what)
{
	struct caller	lead, child;

	spawn("lead");
	spawn("critic");
	become(&lead, "lead");
	/* A name of its workspace, and nothing else. */
	SAYS(ask(&lead, "manager", "start", "{\"name\":\"critic\","
	    "\"config\":\"/tmp/x.md\"}"), "args.config: not taken here");
	SAYS(ask(&lead, "manager", "start", "{\"name\":\"critic\","
	    "\"resume\":\"s1\"}"), "args.resume: not taken here");
	SAYS(ask(&lead, "manager", "start", "{\"name\":\"../critic\"}"),
	    "cannot name an agent file");
	SAYS(ask(&lead, "manager", "start", "{\"name\":\"critic.md\"}"),
	    "cannot name an agent file");
	SAYS(ask(&lead, "manager", "launch", "{\"runId\":\"r\",\"name\":"
	    "\"x\"}"), "not served on ctl.manager");
	SAYS(ask(&lead, "manager", "purge", "{}"), "not served on");
	SAYS(ask(&lead, "self", "start", "{\"name\":\"critic\"}"),
	    "not served on ctl.self");
	SAYS(ask(&lead, "self", "ps", "{}"), "not served on ctl.self");
	SAYS(ask(&lead, "manager", "dance", "{}"), "is not known");
	SAYS(ask(&lead, "admin", "ps", "{}"), "no answer");
	/* Its own child, and nobody else's. */
	SAYS(ask(&lead, "manager", "start", "{\"name\":\"critic\"}"), "ok");
	SAYS(ask(&lead, "manager", "stop", "{\"name\":\"critic\"}"),
	    "no agent that you started");
	SAYS(ask(&lead, "manager", "stop", "{\"name\":\"nobody\"}"),
	    "no agent that you started");
	SAYS(ask(&lead, "manager", "attach", "{\"name\":\"critic\"}"),
	    "no agent that you started");
	SAYS(ask(&lead, "manager", "attach", "{\"name\":\"critic-2\"}"),
	    "ok");
	SAYS(ask_as(&lead, "manager", "ps", "{}", sp->root_creds.key.public),
	    "from.id is not the sender");
	SAYS(ask(&lead, "manager", "stop", "{\"name\":\"critic-2\"}"), "ok");
	ck_assert(agent_is("critic-2", "exited"));
	/* An agent without the capability has no such tier; itself it ends. */
	become(&child, "critic");
	SAYS(ask(&child, "manager", "ps", "{}"), "no answer");
	SAYS(ask(&child, "self", "stop", "{\"name\":\"lead\"}"),
	    "args.name: not taken here");
	SAYS(ask(&child, "self", "stop", "{}"), "ok");
	ck_assert(agent_is("critic", "exited"));
	ck_assert(agent_is("lead", "running"));
	leave(&child);
	leave(&lead);
}
END_TEST

START_TEST(children_go_with_who_started_them)
{
	struct caller	lead, second;

	spawn("lead");
	become(&lead, "lead");
	SAYS(ask(&lead, "manager", "start", "{\"name\":\"lead\"}"), "ok");
	become(&second, "lead-2");
	SAYS(ask(&second, "manager", "start", "{\"name\":\"critic\"}"),
	    "ok");
	AWAIT(has_process("critic"));
	leave(&second);
	leave(&lead);
	stop("lead");
	AWAIT(agent_is("critic", "exited") && agent_is("lead-2", "exited"));
	AWAIT(!has_process("critic") && !has_process("lead-2"));
}
END_TEST

START_TEST(personas_by_the_wire)
{
	struct caller	 lead;
	char		 path[400], *text;
	struct error	 e;

	spawn("lead");
	become(&lead, "lead");
	SAYS(ask(&lead, "manager", "definePersona", "{\"name\":\"scribe\","
	    "\"persona\":\"Write it down.\"}"), "ok");
	SAYS(ask(&lead, "manager", "definePersona", "{\"name\":\"scribe\","
	    "\"persona\":\"Write all down.\",\"model\":\"m\"}"), "ok");
	SAYS(ask(&lead, "manager", "definePersona", "{\"name\":\"critic\","
	    "\"persona\":\"Obey.\"}"), "is not yours");
	SAYS(ask(&lead, "manager", "definePersona", "{\"name\":\"x\","
	    "\"persona\":\"Hi\",\"capabilities\":[\"spawn\"]}"),
	    "not taken here");
	SAYS(ask(&lead, "manager", "definePersona", "{\"name\":\"../x\","
	    "\"persona\":\"Hi\"}"), "cannot name");
	leave(&lead);
	snprintf(path, sizeof(path), "%s/.cotal/agents/scribe.md", ws);
	text = file_read(path, 65536, NULL, &e);
	ck_assert_msg(text != NULL, "%s", e.text);
	ck_assert_ptr_nonnull(strstr(text, "Write all down."));
	ck_assert_ptr_nonnull(strstr(text, "owner: U"));
	free(text);
}
END_TEST

/* An answer could be aimed at another's lane: nothing is done, nothing said. */
START_TEST(an_answer_goes_only_to_the_callers_lane)
{
	struct caller	lead;
	char		subject[SUBJECT_MAX], body[300];
	struct bus_pub	p = { .subject = subject, .data = body };
	struct error	e;
	char		reply[SUBJECT_MAX];

	spawn("lead");
	become(&lead, "lead");
	subject_ctl(subject, sizeof(subject), "t", "manager",
	    lead.creds.key.public);
	snprintf(body, sizeof(body), "{\"op\":\"start\",\"args\":{\"name\":"
	    "\"critic\"},\"from\":{\"id\":\"%s\"}}",
	    lead.creds.key.public);
	snprintf(reply, sizeof(reply), "_INBOX_%s.x",
	    sp->root_creds.key.public);
	p.len = strlen(body);
	p.reply = reply;
	OK(bus_publish(lead.bus, &p, &e), e);
	p.reply = NULL;
	OK(bus_publish(lead.bus, &p, &e), e);
	ck_assert_int_eq(bus_drain(lead.bus, CALL_MS), 0);
	AWAIT(logged_times(sp, "request without a reply lane") == 2);
	ck_assert_int_eq(count(""), 1);
	leave(&lead);
}
END_TEST

/* --- runs ------------------------------------------------------------------------------ */

static const char	agents[] =
    "{\"name\":\"lead\",\"agent\":\"claude\",\"hash\":\"a1\","
    "\"body\":\"Lead.\",\"capabilities\":[\"spawn\"],"
    "\"subscribe\":[\"general\"],\"allowSubscribe\":[\"general\"],"
    "\"allowPublish\":[\"general\"]},"
    "{\"name\":\"critic\",\"agent\":\"claude\",\"hash\":\"b2\","
    "\"model\":\"opus\",\"subscribe\":[\"general\"],"
    "\"allowSubscribe\":[\"general\"],\"allowPublish\":[]}";

/* `reeve launch` of a run of these agents. */
static int
launch(const char *run, const char *space, const char *more)
{
	char	path[300], text[2000];

	snprintf(path, sizeof(path), "%s/%s.json", sp->dir, run);
	snprintf(text, sizeof(text), "{\"apiVersion\":\"cotal-launch/v1\","
	    "\"space\":\"%s\",\"runId\":\"%s\",\"agents\":[%s]%s}",
	    space, run, agents, more);
	write_file(path, text, 0600);
	return reeve(sp, answer, sizeof(answer), "launch %s", path);
}

START_TEST(a_run_is_started_and_stopped)
{
	char		path[400], *text;
	struct error	e;

	ck_assert_int_eq(launch("r1", "t", ",\"more\":1"), EX_DATAERR);
	ck_assert_int_eq(launch("r1", "other", ""), EX_DATAERR);
	check_nothing("no spec");
	spawn("critic");
	ck_assert_msg(launch("r1", "t", "") == 0, "%s", answer);
	ck_assert_str_eq(of_agent("lead", "runId"), "r1");
	ck_assert_str_eq(of_agent("critic-2", "runId"), "r1");
	snprintf(path, sizeof(path), "%s/said.critic-2", sp->dir);
	AWAIT(access(path, F_OK) == 0);
	text = file_read(path, 65536, NULL, &e);
	ck_assert_msg(text != NULL, "%s", e.text);
	ck_assert_ptr_nonnull(strstr(text, "arg=--strict-mcp-config\n"));
	ck_assert_ptr_nonnull(strstr(text, "arg=opus\n"));
	ck_assert_ptr_nonnull(strstr(text, "COTAL_NAME=critic-2\n"));
	ck_assert_ptr_null(strstr(text, "SUA"));
	free(text);
	ck_assert(there("ws/.cotal/run/r1/agents/critic.md", NULL));
	ck_assert_int_ne(launch("r1", "t", ""), 0);
	ck_assert_int_eq(count(""), 3);
	/* One that is started again is of the run still. */
	stop("critic-2");
	ck_assert_int_eq(unlink_in("said.critic-2"), 0);
	spawn("--again critic-2");
	AWAIT(there("said.critic-2", NULL));
	ck_assert_str_eq(of_agent("critic-2", "runId"), "r1");
	ck_assert_int_eq(count(""), 3);
	ck_assert_int_eq(reeve(sp, answer, sizeof(answer), "launch --down r1"), 0);
	ck_assert(agent_is("critic", "running"));
	ck_assert_int_eq(count("--all"), 1);
	ck_assert(!there("ws/.cotal/run/r1", NULL));
	ck_assert(!there("ws/.cotal/run/r1.json", NULL));
	ck_assert_int_eq(reeve(sp, NULL, 0, "launch --down r1"), EX_NOINPUT);
	ck_assert_int_eq(reeve(sp, NULL, 0, "launch --down ../r1"), EX_USAGE);
}
END_TEST

/* A link where the personas go: nothing is written through it. */
START_TEST(a_run_follows_no_link)
{
	char	path[400], to[300];

	snprintf(to, sizeof(to), "%s/elsewhere", sp->dir);
	ck_assert(mkdir(to, 0700) == 0);
	snprintf(path, sizeof(path), "%s/.cotal/run", ws);
	ck_assert(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/.cotal/run/r1", ws);
	ck_assert(symlink(to, path) == 0);
	ck_assert_int_ne(launch("r1", "t", ""), 0);
	ck_assert_int_eq(rmdir(to), 0);
	await_nothing("a link");
}
END_TEST

START_TEST(what_was_said_is_forgotten)
{
	struct agent	*a = agent_make(sp, "talker",
			    "--allow-publish general");

	agent_post_many(a, "general", "m", 5);
	ck_assert_uint_eq(stream_messages(sp, STREAM_CHAT), 5);
	ck_assert_int_eq(reeve(sp, answer, sizeof(answer), "purge --dms"), 0);
	ck_assert_ptr_nonnull(strstr(answer, "purged 5 messages"));
	ck_assert_uint_eq(stream_messages(sp, STREAM_CHAT), 0);
	agent_free(a);
}
END_TEST

/* --- one only ------------------------------------------------------------------------------- */

START_TEST(a_second_manager_is_refused)
{
	char	text[600];

	role_down(sp, "manager");
	snprintf(text, sizeof(text), "{\"holder\":\"%s\",\"runtime\":\"node\","
	    "\"root\":\"/elsewhere\",\"pid\":7,\"since\":1}",
	    sp->root_creds.key.public);
	record_put(sp, BUCKET_MANAGER, "lease", text);
	role_control(sp, "manager", "u");
	AWAIT(logged(sp, "can have one only"));
	ck_assert(!role_is_ready(sp, "manager"));
	record_put(sp, BUCKET_MANAGER, "lease", NULL);
	await_manager();
	/* It goes, and takes nothing of the other's with it. */
	record_put(sp, BUCKET_MANAGER, "lease", text);
	AWAIT(logged(sp, "lease is lost to"));
	ck_assert_int_eq(reeve(sp, NULL, 0, "ps"), EX_UNAVAILABLE);
}
END_TEST

/* What it says of itself; NULL: nothing.  *seq: its revision. */
static const char *
card_status(const char *id, uint64_t *seq)
{
	static char	 status[20];
	cJSON		*o = record_get(sp, BUCKET_PRESENCE, id, seq);
	const cJSON	*card = json_get(o, "card");

	if (o == NULL)
		return NULL;
	ck_assert_str_eq(json_get(card, "id")->valuestring, id);
	ck_assert_str_eq(json_get(card, "name")->valuestring, "manager");
	ck_assert_str_eq(json_get(card, "kind")->valuestring, "endpoint");
	ck_assert_str_eq(json_get(card, "role")->valuestring, "manager");
	snprintf(status, sizeof(status), "%s",
	    json_get(o, "status")->valuestring);
	cJSON_Delete(o);
	return status;
}

START_TEST(it_is_among_those_who_are_there)
{
	struct creds	 c;
	char		 path[300];
	const char	*said;
	struct error	 e;
	uint64_t	 first, now;

	snprintf(path, sizeof(path), "%s/creds/manager.creds", sp->state);
	OK(creds_load(&c, path, &e), e);
	AWAIT((said = card_status(c.key.public, &first)) != NULL);
	ck_assert_str_eq(said, "idle");
	AWAIT((said = card_status(c.key.public, &now)) != NULL &&
	    now > first);
	ck_assert_str_eq(said, "idle");
	ck_assert_int_eq(reeve(sp, answer, sizeof(answer), "roster --json"), 0);
	ck_assert_msg(strstr(answer, c.key.public) != NULL, "%s", answer);
	role_down(sp, "manager");
	said = card_status(c.key.public, &now);
	ck_assert_ptr_nonnull(said);
	ck_assert_str_eq(said, "offline");
	role_up(sp, "manager");
	AWAIT((said = card_status(c.key.public, &now)) != NULL &&
	    strcmp(said, "idle") == 0);
	creds_wipe(&c);
}
END_TEST

int
main(void)
{
	TCase	*life = test_case("life", crew_setup, 60);
	TCase	*who = test_case("who", crew_setup, 60);
	TCase	*runs = test_case("runs", crew_setup, 60);
	TCase	*one = test_case("one", crew_setup, 60);

	tcase_add_test(life, an_agent_lives_and_ends);
	tcase_add_test(life, one_that_ends_by_itself);
	tcase_add_test(life, what_one_has_shown);
	tcase_add_test(life, what_one_shows_meanwhile);
	tcase_add_test(life, one_that_is_to_be_started_again);
	tcase_add_test(life, one_that_ends_again_and_again);
	tcase_add_test(life, one_whose_terminal_is_killed);
	tcase_add_test(life, one_that_does_not_listen);
	tcase_add_test(life, agents_go_on_without_a_manager);
	tcase_add_test(who, who_may_do_what);
	tcase_add_test(who, children_go_with_who_started_them);
	tcase_add_test(who, an_answer_goes_only_to_the_callers_lane);
	tcase_add_test(who, personas_by_the_wire);
	tcase_add_test(runs, a_run_is_started_and_stopped);
	tcase_add_test(runs, a_run_follows_no_link);
	tcase_add_test(runs, what_was_said_is_forgotten);
	tcase_add_test(one, it_is_among_those_who_are_there);
	tcase_add_test(one, a_second_manager_is_refused);
	return test_main("manager", life, who, runs, one, NULL);
}
