/* SPDX-License-Identifier: ISC */

/* reeve-provision: what it makes, removes and takes back, for one agent and
 * with nothing but the credential that it is handed. */
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "space.h"

static struct nkey	agent;
static char		dm[80], dlv[80];
static char		out[4096];	/* what it printed */

static void
setup(void)
{
	static const char *const	roles[] = { "lease", "fanout",
					    "reader", "control" };
	char				path[300];
	struct error			e;
	size_t				i;
	int				fd;

	sp = space_make("");
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		snprintf(path, sizeof(path), "%s/service/%s/down", sp->state,
		    roles[i]);
		ck_assert_int_ne(fd = open(path, O_WRONLY | O_CREAT, 0600),
		    -1);
		close(fd);
	}
	space_start(sp);
	space_connect_root(sp);
	OK(nkey_new(&agent, NKEY_USER, &e), e);
	snprintf(dm, sizeof(dm), "dm_%s", agent.public);
	snprintf(dlv, sizeof(dlv), "dlv_%s", agent.public);
}

/* A provisioner's credential for this agent, as a file has it. */
static char *
creds_for(const char *target, const char *role, long ttl_s)
{
	struct scope	 s = { .target = target, .role = role };
	struct creds	 c;
	struct error	 e;
	char		*text;

	memset(&c, 0, sizeof(c));
	OK(trust_mint(&sp->trust, PROFILE_PROVISIONER, &s, ttl_s, &c, &e),
	    e);
	ck_assert_ptr_nonnull(text = creds_text(&c));
	creds_wipe(&c);
	return text;
}

static void
exec_provision(char *const argv[])
{
	const char	*dir = getenv("REEVE_BINDIR");
	char		 path[300];

	snprintf(path, sizeof(path), "%s/reeve-provision",
	    dir == NULL ? "." : dir);
	setenv("REEVE_STATE", sp->state, 1);
	execv(path, argv);
	_exit(127);
}

/* Run it with these words, creds on its standard input; its exit code. */
static int
provision(const char *creds, const char *words)
{
	char	 line[512], *rest = line, *argv[16] = { "reeve-provision" };
	int	 in[2], from[2], status, n = 1;
	size_t	 got = 0;
	ssize_t	 r;
	pid_t	 pid;

	snprintf(line, sizeof(line), "%s", words);
	while ((argv[n] = strsep(&rest, " ")) != NULL)
		n++;
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(from[1], 1);
		dup2(from[1], 2);
		exec_provision(argv);
	}
	close(in[0]);
	close(from[1]);
	/* It may not read them: what it says then is looked at. */
	(void)!write(in[1], creds, strlen(creds));
	close(in[1]);
	while (got < sizeof(out) - 1 &&
	    (r = read(from[0], out + got, sizeof(out) - 1 - got)) > 0)
		got += (size_t)r;
	out[got] = '\0';
	close(from[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
provision_agent(const char *creds, const char *op, const char *more)
{
	char	words[512];

	snprintf(words, sizeof(words), "%s --id %s%s%s", op, agent.public,
	    more[0] == '\0' ? "" : " ", more);
	return provision(creds, words);
}

static bool
exists(enum stream_kind kind, const char *durable)
{
	struct js_consumer	c;
	char			stream[STREAM_MAX];
	struct error		e;

	name_stream(stream, sizeof(stream), "t", kind);
	if (js_consumer_info(sp->root, stream, durable, &c, &e) == -1) {
		ck_assert_msg(e.api == JS_NO_CONSUMER, "%s", e.text);
		return false;
	}
	js_consumer_free(&c);
	return true;
}

/* Nothing of the agent is on the broker. */
static void
check_none(void)
{
	ck_assert(!exists(STREAM_DM, dm));
	ck_assert(!exists(STREAM_DLV, dlv));
	ck_assert_ptr_null(record_get(sp, BUCKET_ACL, agent.public, NULL));
}

START_TEST(makes_and_removes)
{
	char		*creds = creds_for(agent.public, "scribe", 60);
	const cJSON	*allow;
	cJSON		*o;
	uint64_t	 seq, again;

	ck_assert_int_eq(provision_agent(creds, "create", "--name critic "
	    "--role scribe --allow-subscribe general,team.>"), 0);
	ck_assert_str_eq(out, "");
	ck_assert(exists(STREAM_DM, dm));
	ck_assert(exists(STREAM_DLV, dlv));
	ck_assert(exists(STREAM_TASK, "svc_scribe"));
	o = record_get(sp, BUCKET_ACL, agent.public, &seq);
	ck_assert_ptr_nonnull(o);
	allow = json_get(o, "allowSubscribe");
	ck_assert_int_eq(cJSON_GetArraySize(allow), 2);
	ck_assert_str_eq(cJSON_GetArrayItem(allow, 1)->valuestring, "team.>");
	ck_assert_str_eq(json_get(o, "name")->valuestring, "critic");
	cJSON_Delete(o);

	/* What is there stays. */
	ck_assert_int_eq(provision_agent(creds, "create", "--role scribe"),
	    0);
	cJSON_Delete(record_get(sp, BUCKET_ACL, agent.public, &again));
	ck_assert_uint_eq(seq, again);

	/* The queue is the role's. */
	ck_assert_int_eq(provision_agent(creds, "remove", ""), 0);
	ck_assert_str_eq(out, "");
	check_none();
	ck_assert(exists(STREAM_TASK, "svc_scribe"));
	ck_assert_int_eq(provision_agent(creds, "remove", ""), 0);
	ck_assert_int_eq(provision_agent(creds, "create", ""), 0);
	ck_assert(exists(STREAM_DM, dm));
	creds_text_free(creds);
}
END_TEST

/* Its credential is good for one agent and role; what was made before a step
 * failed is taken back. */
START_TEST(a_failed_step_leaves_nothing)
{
	char		*creds = creds_for(agent.public, NULL, 60), *other;
	struct nkey	 stranger;
	struct error	 e;

	ck_assert_int_eq(provision_agent(creds, "create", "--role scribe"),
	    77);
	ck_assert_ptr_nonnull(strstr(out, "reeve-provision: "));
	ck_assert_ptr_null(strstr(out, "left"));
	check_none();
	ck_assert(!exists(STREAM_TASK, "svc_scribe"));
	OK(nkey_new(&stranger, NKEY_USER, &e), e);
	other = creds_for(stranger.public, NULL, 60);
	ck_assert_int_eq(provision_agent(other, "create", ""), 77);
	check_none();
	/* And then again. */
	ck_assert_int_eq(provision_agent(creds, "create", ""), 0);
	ck_assert_int_eq(provision_agent(other, "remove", ""), 77);
	ck_assert(exists(STREAM_DM, dm));
	ck_assert(exists(STREAM_DLV, dlv));
	creds_text_free(other);
	creds_text_free(creds);
}
END_TEST

/* What was there before is not what a failure takes back. */
START_TEST(a_failure_keeps_what_was_there)
{
	char	*creds = creds_for(agent.public, NULL, 60);

	ck_assert_int_eq(provision_agent(creds, "create", ""), 0);
	ck_assert_int_eq(provision_agent(creds, "create", "--role scribe"),
	    77);
	ck_assert(exists(STREAM_DM, dm));
	ck_assert(exists(STREAM_DLV, dlv));
	cJSON_Delete(record_get(sp, BUCKET_ACL, agent.public, NULL));
	creds_text_free(creds);
}
END_TEST

START_TEST(mistakes)
{
	char	*creds = creds_for(agent.public, NULL, 60), *seed, part[24];

	ck_assert_int_eq(provision(creds, "create"), 64);
	ck_assert_int_eq(provision_agent(creds, "forget", ""), 64);
	ck_assert_int_eq(provision_agent(creds, "create", "more"), 64);
	ck_assert_int_eq(provision(creds, "create --id nobody"), 64);
	ck_assert_int_eq(provision(creds, "create --id >"), 64);
	ck_assert_int_eq(provision_agent(creds, "create", "--name a/b"), 64);
	ck_assert_int_eq(provision_agent(creds, "create", "--role *"), 64);
	ck_assert_int_eq(provision_agent(creds, "create",
	    "--allow-subscribe team.*"), 64);
	ck_assert_int_eq(provision_agent(creds, "create",
	    "--allow-subscribe a,,b"), 64);
	ck_assert_int_eq(provision_agent("", "create", ""), 66);
	ck_assert_int_eq(provision_agent("nonsense", "create", ""), 65);
	/* A broken seed is not shown. */
	ck_assert_ptr_nonnull(seed = strstr(creds, "\nSU"));
	seed[1] = 'X';
	ck_assert_int_eq(provision_agent(creds, "create", ""), 65);
	snprintf(part, sizeof(part), "%.20s", seed + 3);
	ck_assert_ptr_null(strstr(out, part));
	check_none();
	creds_text_free(creds);
	/* It was good a minute ago. */
	creds = creds_for(agent.public, NULL, 1);
	AWAIT(provision_agent(creds, "create", "") == 77);
	creds_text_free(creds);
	creds = creds_for(agent.public, NULL, 60);
	broker_down(sp);
	ck_assert_int_eq(provision_agent(creds, "create", ""), 69);
	creds_text_free(creds);
}
END_TEST

int
main(void)
{
	TCase	*tc = test_case("provision", setup, 60);

	tcase_add_test(tc, makes_and_removes);
	tcase_add_test(tc, a_failed_step_leaves_nothing);
	tcase_add_test(tc, a_failure_keeps_what_was_there);
	tcase_add_test(tc, mistakes);
	return test_main("provision", tc, NULL);
}
