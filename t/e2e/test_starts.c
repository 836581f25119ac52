/* SPDX-License-Identifier: ISC */

/* Starts: one that fails leaves nothing, many at once keep their names and the
 * ceiling, and one that has ended is started again as who it was. */
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
#include "jwt.h"

/* --- starts that fail --------------------------------------------------------------------- */

START_TEST(refused_before_anything_is_made)
{
	static const struct {
		const char	*what, *why;
	} bad[] = {
		{ "nobody", "nobody" },
		{ "../critic", "critic" },
		{ "absent", "no-such-program-here" },
		{ "critic --agent nonesuch", "nonesuch" },
		{ "critic --resume s1", "cannot resume" },
		{ "critic --name a/b", "cannot be an agent's name" },
		{ "critic --role 'a b'", "is not a role" },
		{ "critic --cwd /no/such/place", "/no/such/place" },
		{ "critic --transcript", "transcript" },
		{ "open", "line 3" },
		{ "outside", "subscribe" } };
	size_t	i;
	int	code;

	persona("open", "tags: [a, b\n");
	persona("outside", "subscribe: [team]\nallowSubscribe: [general]\n"
	    "command: sh\n");
	for (i = 0; i < COUNT(bad); i++) {
		code = reeve(sp, answer, sizeof(answer), "spawn %s", bad[i].what);
		ck_assert_msg(code != 0, "%s", bad[i].what);
		ck_assert_msg(strstr(answer, bad[i].why) != NULL, "%s: %s",
		    bad[i].what, answer);
		check_nothing(bad[i].what);
	}
	ck_assert(!logged(sp, "msg=\"granted\""));
}
END_TEST

static void
fails(const char *why)
{
	int	code = reeve(sp, answer, sizeof(answer), "spawn critic");

	ck_assert_msg(code != 0, "it did not fail: %s", why);
	ck_assert_msg(strstr(answer, why) != NULL, "%s: %s", why, answer);
}

static void
stream_remove(const char *stream)
{
	char		 subject[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject, .data = "", .len = 0 };
	struct error	 e;
	natsMsg		*m;

	snprintf(subject, sizeof(subject), "$JS.API.STREAM.DELETE.%s",
	    stream);
	m = bus_call(sp->root, &p, CALL_MS, &e);
	ck_assert_msg(m != NULL, "%s", e.text);
	bus_msg_free(m);
}

START_TEST(a_start_that_fails_leaves_nothing)
{
	static const char *const	streams[] = { "DM_t", "DLV_t",
					    "TASK_t", "KV_cotal_acl_t" };
	char				path[300];
	size_t				i;

	role_down(sp, "signer");
	fails("signer does not run");
	check_nothing("no signer");
	role_up(sp, "signer");
	/* The directory of the agents' notes cannot be. */
	snprintf(path, sizeof(path), "%s/agents/.gone", sp->state);
	(void)rmdir(path);
	snprintf(path, sizeof(path), "%s/agents", sp->state);
	(void)rmdir(path);
	write_file(path, "", 0600);
	fails("agents");
	ck_assert(unlink(path) == 0);
	check_nothing("no directory");
	/* A stream is missing: what was made before is taken back. */
	for (i = 0; i < COUNT(streams); i++) {
		stream_remove(streams[i]);
		fails(streams[i]);
		ck_assert_int_eq(reeve(sp, answer, sizeof(answer), "init"), 0);
		await_nothing(streams[i]);
	}
	/* The service cannot be made, when all else is. */
	snprintf(path, sizeof(path), "%s/making", sp->state);
	(void)rmdir(path);
	write_file(path, "", 0600);
	fails("making");
	ck_assert(unlink(path) == 0);
	await_nothing("no service");
	spawn("critic");
	ck_assert(agent_is("critic", "running"));
}
END_TEST

/* What it asked for goes with it, though it was never said to run. */
START_TEST(one_that_asks_and_never_rises)
{
	struct caller	lead;
	char		file[300];
	pid_t		pid;

	if (!supervised_by_reeved("others may look at a service later"))
		return;
	snprintf(file, sizeof(file), "%s/spawned", sp->dir);
	ck_assert_int_eq(kill(sp->reeved, SIGSTOP), 0);
	pid = reeve_in_background("spawn lead", file);
	AWAIT(there("a/service/pty-lead", NULL));
	become(&lead, "lead");
	SAYS(ask(&lead, "manager", "start", "{\"name\":\"critic\"}"),
	    "who asked for it has ended");
	leave(&lead);
	ck_assert(waitpid(pid, NULL, 0) == pid);
	ck_assert_int_eq(kill(sp->reeved, SIGCONT), 0);
	await_nothing("never risen");
}
END_TEST

/* A manager that is killed in the middle of a start: all of it, or nothing. */
START_TEST(a_start_that_is_cut_off)
{
	static const char *const	when[] = { "op=start",
	    "profile=provisioner", "msg=\"child\"" };
	char				file[300];
	unsigned			was;
	size_t				i;
	pid_t				pid;

	snprintf(file, sizeof(file), "%s/out.0", sp->dir);
	for (i = 0; i < COUNT(when); i++) {
		was = logged_times(sp, when[i]);
		pid = reeve_in_background("spawn critic", file);
		AWAIT(logged_times(sp, when[i]) > was);
		role_kill(sp, "manager");
		/* Nobody will answer it. */
		kill(pid, SIGKILL);
		ck_assert(waitpid(pid, NULL, 0) == pid);
		await_manager();
		if (agent_is("critic", "running"))
			stop("--forget critic");
		AWAIT(!has_process("critic"));
		await_nothing(when[i]);
	}
}
END_TEST

/* --- how many ------------------------------------------------------------------------------ */

#define AT_ONCE		6

/* How many of so many at once succeed. */
static int
spawn_many(const char *ref, int n)
{
	pid_t	pids[32];
	char	file[300], args[100];
	int	i, status, good = 0;

	snprintf(args, sizeof(args), "spawn %s", ref);
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/out.%d", sp->dir, i);
		pids[i] = reeve_in_background(args, file);
	}
	for (i = 0; i < n; i++) {
		ck_assert(waitpid(pids[i], &status, 0) == pids[i]);
		good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	return good;
}

START_TEST(starts_at_once_have_names_of_their_own)
{
	char	name[32];
	int	i;

	ck_assert_int_eq(spawn_many("critic", AT_ONCE), AT_ONCE);
	for (i = 1; i <= AT_ONCE; i++) {
		snprintf(name, sizeof(name), i == 1 ? "critic" : "critic-%d",
		    i);
		ck_assert_msg(agent_is(name, "running"), "%s", name);
	}
	ck_assert_int_eq(count(""), AT_ONCE);
}
END_TEST

/* As they are noted of agents that ended young, just now. */
static void
write_cooling(int n)
{
	char		path[300], text[400];
	struct nkey	key;
	int64_t		now = clock_epoch_ms();
	struct error	e;
	int		i;

	for (i = 0; i < n; i++) {
		OK(nkey_new(&key, NKEY_USER, &e), e);
		snprintf(path, sizeof(path), "%s/agents/old-%d/agent.json",
		    sp->state, i);
		snprintf(text, sizeof(text), "{\"name\":\"old-%d\",\"id\":"
		    "\"%s\",\"state\":\"ended\",\"started\":%lld,\"ended\":"
		    "%lld,\"cools\":%lld}", i, key.public, (long long)now,
		    (long long)now, (long long)now + 3600000);
		write_file(path, text, 0600);
	}
}

START_TEST(the_ceiling_holds_for_starts_at_once)
{
	role_down(sp, "manager");
	write_cooling(48);
	role_up(sp, "manager");
	await_manager();
	ck_assert_int_eq(spawn_many("critic", AT_ONCE), 2);
	ck_assert(logged(sp, "at capacity"));
	ck_assert_int_eq(count(""), 2);
	/* One that a person stops makes room at once. */
	stop("critic-2");
	ck_assert_int_eq(spawn_many("critic", AT_ONCE), 1);
}
END_TEST

/* --- again, as who it was --------------------------------------------------------------- */

/* What a session of one that was spawned does on the mesh. */
static struct agent *
session_of(const char *name)
{
	struct agent	*a = calloc(1, sizeof(*a));
	char		 path[400];
	struct error	 e;

	ck_assert(a != NULL);
	a->space = sp;
	snprintf(a->name, sizeof(a->name), "%s", name);
	snprintf(path, sizeof(path), "%s/agents/%s/agent.creds", sp->state,
	    name);
	OK(creds_load(&a->creds, path, &e), e);
	snprintf(a->id, sizeof(a->id), "%s", a->creds.key.public);
	agent_connect(a);
	return a;
}

START_TEST(what_was_said_while_it_had_ended)
{
	static const char *const	roles[] = { "lease", "fanout",
					    "reader", "control" };
	struct agent			*talker, *critic;
	char				id[ID_MAX];
	size_t				i;

	for (i = 0; i < COUNT(roles); i++)
		role_control(sp, roles[i], "u");
	AWAIT(lease_ready(sp));
	talker = agent_make(sp, "talker", "--allow-publish general");
	spawn("critic");
	snprintf(id, sizeof(id), "%s", of_agent("critic", "id"));
	critic = session_of("critic");
	agent_join(critic, "general");
	agent_free(critic);
	stop("critic");
	ck_assert(!has_process("critic"));
	agent_post(talker, "general", "meanwhile");
	ck_assert_int_eq(unlink_in("said.critic"), 0);
	spawn("--again critic");
	ck_assert(agent_is("critic", "running"));
	ck_assert_str_eq(of_agent("critic", "id"), id);
	ck_assert_str_eq(of_agent("critic", "endedMs"), "-1");
	check_said("critic");
	check_made("critic");
	critic = session_of("critic");
	ck_assert_str_eq(critic->id, id);
	agent_expect(critic, 1);
	ck_assert_uint_eq(agent_got(critic, "meanwhile"), 1);
	agent_free(critic);
	agent_free(talker);
	/* A manager after this one finds it as any other. */
	role_kill(sp, "manager");
	await_manager();
	ck_assert(agent_is("critic", "running"));
	ck_assert_str_eq(of_agent("critic", "id"), id);
}
END_TEST

/* In the place of its credential one that was good for a second. */
static void
expire(const char *name)
{
	struct permissions	none = { .pub_allow = { 0 } };
	struct creds		c;
	struct nkey		account;
	char			path[400];
	struct error		e;
	int64_t			now;

	snprintf(path, sizeof(path), "%s/agents/%s/agent.creds", sp->state,
	    name);
	OK(creds_load(&c, path, &e), e);
	OK(nkey_new(&account, NKEY_ACCOUNT, &e), e);
	free(c.jwt);
	c.jwt = jwt_user(&account, account.public, c.key.public, name, &none,
	    1, &e);
	ck_assert_msg(c.jwt != NULL, "%s", e.text);
	OK(creds_save(&c, path, &e), e);
	creds_wipe(&c);
	now = clock_epoch_ms();
	AWAIT(clock_epoch_ms() - now > 1000);
}

static void
again_fails(const char *what, const char *why)
{
	int	code = reeve(sp, answer, sizeof(answer), "spawn --again %s", what);

	ck_assert_msg(code != 0, "%s did not fail: %s", what, why);
	ck_assert_msg(strstr(answer, why) != NULL, "%s: %s", why, answer);
}

START_TEST(again_only_one_that_has_ended)
{
	struct caller	lead;

	again_fails("critic", "there is no agent \"critic\"");
	again_fails("../critic", "there is no agent");
	spawn("critic");
	again_fails("critic", "critic is running");
	stop("critic");
	again_fails("critic --role other", "args.role: not taken here");
	spawn("lead");
	become(&lead, "lead");
	SAYS(ask(&lead, "manager", "start", "{\"name\":\"critic\","
	    "\"again\":true}"), "args.again: not taken here");
	leave(&lead);
	expire("critic");
	again_fails("critic", "has expired");
	ck_assert_int_eq(unlink_in("a/agents/critic/agent.creds"), 0);
	again_fails("critic", "agent.creds");
	ck_assert(agent_is("critic", "exited"));
	/* Of several at once one is; none has another's name. */
	stop("lead");
	ck_assert_int_eq(spawn_many("--again lead", 3), 1);
	ck_assert_int_eq(count(""), 1);
	ck_assert(agent_is("lead", "running"));
}
END_TEST

START_TEST(again_fails_and_it_has_ended_as_before)
{
	char	path[300], id[ID_MAX];

	spawn("critic");
	snprintf(id, sizeof(id), "%s", of_agent("critic", "id"));
	stop("critic");
	/* Before anything is made of it. */
	persona("critic", "command: no-such-program-here\n");
	again_fails("critic", "no-such-program-here");
	ck_assert(agent_is("critic", "exited"));
	make_agents();
	/* The service cannot be made. */
	snprintf(path, sizeof(path), "%s/making", sp->state);
	(void)rmdir(path);
	write_file(path, "", 0600);
	again_fails("critic", "making");
	ck_assert(unlink(path) == 0);
	ck_assert(agent_is("critic", "exited"));
	check_made("critic");
	/* It cannot be run. */
	snprintf(path, sizeof(path), "%s/agent.sh", sp->dir);
	write_file(path, "#!/no/such/interpreter\n", 0755);
	again_fails("critic", "cannot be run");
	ck_assert(agent_is("critic", "exited"));
	AWAIT(!there("a/service/pty-critic", NULL));
	check_made("critic");
	make_agents();
	/* A file that is not there any more: what was run is run. */
	snprintf(path, sizeof(path), "%s/.cotal/agents/critic.md", ws);
	ck_assert(unlink(path) == 0);
	AWAIT(reeve(sp, answer, sizeof(answer), "spawn --again critic") == 0);
	ck_assert(agent_is("critic", "running"));
	ck_assert_str_eq(of_agent("critic", "id"), id);
	check_said("critic");
}
END_TEST

/* A manager that is killed in the middle of it: it runs, or has ended. */
START_TEST(again_that_is_cut_off)
{
	static const char *const	when[] = { "op=start",
	    "msg=\"child\"" };
	char				file[300], id[ID_MAX];
	unsigned			was;
	size_t				i;
	pid_t				pid;

	spawn("critic");
	snprintf(id, sizeof(id), "%s", of_agent("critic", "id"));
	snprintf(file, sizeof(file), "%s/out.0", sp->dir);
	for (i = 0; i < COUNT(when); i++) {
		stop("critic");
		was = logged_times(sp, when[i]);
		pid = reeve_in_background("spawn --again critic", file);
		AWAIT(logged_times(sp, when[i]) > was);
		role_kill(sp, "manager");
		kill(pid, SIGKILL);
		ck_assert(waitpid(pid, NULL, 0) == pid);
		await_manager();
		if (agent_is("critic", "exited")) {
			AWAIT(!has_process("critic"));
			AWAIT(reeve(sp, answer, sizeof(answer), "spawn --again "
			    "critic") == 0);
		}
		ck_assert(agent_is("critic", "running"));
		ck_assert_str_eq(of_agent("critic", "id"), id);
		check_made("critic");
	}
}
END_TEST

int
main(void)
{
	TCase	*failing = test_case("failing", crew_setup, 60);
	TCase	*many = test_case("many", crew_setup, 60);
	TCase	*again = test_case("again", crew_setup, 60);

	tcase_add_test(failing, refused_before_anything_is_made);
	tcase_add_test(failing, a_start_that_fails_leaves_nothing);
	tcase_add_test(failing, one_that_asks_and_never_rises);
	tcase_add_test(failing, a_start_that_is_cut_off);
	tcase_add_test(again, what_was_said_while_it_had_ended);
	tcase_add_test(again, again_only_one_that_has_ended);
	tcase_add_test(again, again_fails_and_it_has_ended_as_before);
	tcase_add_test(again, again_that_is_cut_off);
	tcase_add_test(many, starts_at_once_have_names_of_their_own);
	tcase_add_test(many, the_ceiling_holds_for_starts_at_once);
	return test_main("starts", failing, many, again, NULL);
}
