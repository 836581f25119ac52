/* SPDX-License-Identifier: ISC */

/* The manager: agents that really run, started, found again and stopped; who
 * may do what; and that a start which fails leaves nothing. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "jwt.h"
#include "space.h"
#include "supervised.h"

#define COUNT(v)	(sizeof(v) / sizeof((v)[0]))
#define SECRET		"REEVE_TEST_SECRET"
#define CALL_MS		10000

static char	out[65536];
static char	ws[200];		/* the workspace */

/* --- the stage ------------------------------------------------------------------ */

static void
write_file(const char *path, const char *text, mode_t mode)
{
	struct error	e;

	OK(dir_make_parent(path, 0700, &e), e);
	OK(file_write_private(path, text, mode, &e), e);
}

/* An agent file of this ref; lines: more of its head. */
static void
persona(const char *ref, const char *lines)
{
	char	path[400], text[2000];

	snprintf(path, sizeof(path), "%s/.cotal/agents/%s.md", ws, ref);
	snprintf(text, sizeof(text), "---\nname: %s\n%s---\nBe brief.\n", ref,
	    lines);
	write_file(path, text, 0600);
}

/* What an agent of the tests is: it says what it was given, and waits. */
static void
make_agents(void)
{
	char	path[300], lines[900], text[900];

	snprintf(path, sizeof(path), "%s/agent.sh", sp->dir);
	snprintf(text, sizeof(text), "#!/bin/sh\n"
	    "f=%s/said.$COTAL_NAME\n"
	    "{ for a; do echo \"arg=$a\"; done; env; echo \"cwd=$(pwd)\"; "
	    "} >$f.tmp\n"
	    "mv $f.tmp $f\n"
	    "exec sleep 1000\n", sp->dir);
	write_file(path, text, 0755);
	/* In the place of the real one. */
	snprintf(path, sizeof(path), "%s/bin/claude", sp->dir);
	write_file(path, text, 0755);
	snprintf(path, sizeof(path), "%s/deaf.sh", sp->dir);
	write_file(path, "#!/bin/sh\n"
	    "trap '' TERM HUP INT\n"
	    "f=${0%/*}/said.$COTAL_NAME\n"
	    "touch $f\n"
	    "while :; do sleep 1; done\n", 0755);
	snprintf(lines, sizeof(lines), "command: %s\n", path);
	persona("deaf", lines);
	snprintf(path, sizeof(path), "%s/agent.sh", sp->dir);
	snprintf(lines, sizeof(lines), "role: reviewer\nsubscribe: "
	    "[general]\nallowSubscribe: [general, team.>]\nallowPublish: "
	    "[general]\ncommand: %s one \"two words\"\n", path);
	persona("critic", lines);
	snprintf(lines, sizeof(lines), "capabilities: [spawn]\n"
	    "command: %s\n", path);
	persona("lead", lines);
	snprintf(lines, sizeof(lines), "restart: on-failure\ncommand: %s\n",
	    path);
	persona("again", lines);
	persona("ticking", "command: sh -c \"while sleep 0.05; do date +%N; "
	    "done\"\n");
	persona("failing", "restart: on-failure\ncommand: sh -c \"exit 4\""
	    "\n");
	persona("brief", "command: sh -c \"echo so be it; exit 3\"\n");
	persona("chatty", "command: sh -c \"echo first; read -r x; "
	    "echo last; read -r x\"\n");
	persona("absent", "command: no-such-program-here\n");
}

/* The broker, the signer and the manager, nothing else. */
static void
setup(void)
{
	static const char *const	others[] = { "lease", "fanout",
					    "reader", "control" };
	char				path[4096];
	size_t				i;

	sp = space_new(NULL);
	snprintf(sp->state, sizeof(sp->state), "%s/a", sp->dir);
	snprintf(ws, sizeof(ws), "%s/ws", sp->dir);
	ck_assert(mkdir(ws, 0700) == 0);
	sp->port = free_port();
	space_init(sp, "--listen 127.0.0.1:%d --workspace %s", sp->port, ws);
	for (i = 0; i < COUNT(others); i++) {
		snprintf(path, sizeof(path), "%s/service/%s/down", sp->state,
		    others[i]);
		write_file(path, "", 0600);
	}
	make_agents();
	/* What the supervisor has, no agent may see; programs it may find. */
	snprintf(path, sizeof(path), "%s/bin:%s", sp->dir, getenv("PATH"));
	setenv("PATH", path, 1);
	setenv(SECRET, "1", 1);
	space_start(sp);
	unsetenv(SECRET);
	AWAIT(role_is_ready(sp, "signer") && role_is_ready(sp, "manager"));
	space_connect_root(sp);
}

/* --- what there is ---------------------------------------------------------------- */

/* `reeve ps`, parsed; the caller's. */
static cJSON *
ps(const char *options)
{
	struct error	e;
	cJSON		*o;
	int		code = reeve(sp, out, sizeof(out), "ps --json %s",
			    options);

	ck_assert_msg(code == 0, "ps: %d: %s", code, out);
	o = json_parse(out, strlen(out), &e);
	ck_assert_msg(o != NULL, "%s: %s", e.text, out);
	return o;
}

static int
count(const char *options)
{
	cJSON	*list = ps(options);
	int	 n = cJSON_GetArraySize(list);

	cJSON_Delete(list);
	return n;
}

/* It serves again. */
static void
await_manager(void)
{
	AWAIT(reeve(sp, NULL, 0, "ps") == 0);
}

/* A member of one, copied into a ring; NULL: there is no such agent. */
static const char *
of_agent(const char *name, const char *member)
{
	static char	ring[4][200];
	static unsigned	at;
	cJSON		*list = ps("--all");
	const cJSON	*o, *v;
	char		*found = NULL;

	cJSON_ArrayForEach(o, list) {
		if (strcmp(json_get(o, "name")->valuestring, name) != 0)
			continue;
		found = ring[at++ % COUNT(ring)];
		v = json_get(o, member);
		if (cJSON_IsString(v))
			snprintf(found, sizeof(ring[0]), "%s",
			    v->valuestring);
		else
			snprintf(found, sizeof(ring[0]), "%d",
			    cJSON_IsNumber(v) ? (int)v->valuedouble : -1);
	}
	cJSON_Delete(list);
	return found;
}

static bool
agent_is(const char *name, const char *status)
{
	const char	*s = of_agent(name, "status");

	return s != NULL && strcmp(s, status) == 0;
}

static bool
there(const char *fmt, const char *name)
{
	char	path[500], file[300];

	snprintf(file, sizeof(file), "%s", fmt);
	snprintf(path, sizeof(path), "%s/%s%s", sp->dir, file,
	    name == NULL ? "" : name);
	return access(path, F_OK) == 0;
}

static int
unlink_in(const char *file)
{
	char	path[400];

	snprintf(path, sizeof(path), "%s/%s", sp->dir, file);
	return unlink(path);
}

/* A process of an agent; 0: none lives. */
static pid_t
process_of(const char *name)
{
	char		 path[300], text[4096], want[100];
	struct dirent	*d;
	DIR		*proc = opendir("/proc");
	pid_t		 found = 0;
	ssize_t		 n;
	int		 fd;

	snprintf(want, sizeof(want), "COTAL_NAME=%s", name);
	while (proc != NULL && found == 0 && (d = readdir(proc)) != NULL) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/environ", d->d_name);
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
			continue;
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		if (n <= 0)
			continue;
		if (memmem(text, (size_t)n, want, strlen(want) + 1) != NULL &&
		    memmem(text, (size_t)n, sp->dir, strlen(sp->dir)) != NULL)
			found = (pid_t)strtol(d->d_name, NULL, 10);
	}
	if (proc != NULL)
		closedir(proc);
	return found;
}

static bool
has_process(const char *name)
{
	return process_of(name) != 0;
}

static uint64_t
consumers(enum stream_kind kind)
{
	char		 subject[SUBJECT_MAX], stream[STREAM_MAX];
	struct bus_pub	 p = { .subject = subject, .data = "", .len = 0 };
	struct error	 e;
	natsMsg		*m;
	cJSON		*o;
	uint64_t	 n;

	name_stream(stream, sizeof(stream), "t", kind);
	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s", stream);
	m = bus_call(sp->root, &p, CALL_MS, &e);
	ck_assert_msg(m != NULL, "%s", e.text);
	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    NULL);
	n = number_of(json_get(o, "state"), "consumer_count");
	cJSON_Delete(o);
	bus_msg_free(m);
	return n;
}

/* Nothing is there of any agent: no file, no service, no durable. */
static void
check_nothing(const char *when)
{
	struct dirent	*d;
	char		 path[300];
	DIR		*at;

	ck_assert_msg(consumers(STREAM_DM) == 0, "%s: a dm_ durable", when);
	ck_assert_msg(consumers(STREAM_DLV) == 0, "%s: a dlv_ durable", when);
	snprintf(path, sizeof(path), "%s/agents", sp->state);
	at = opendir(path);
	while (at != NULL && (d = readdir(at)) != NULL)
		ck_assert_msg(d->d_name[0] == '.', "%s: agents/%s", when,
		    d->d_name);
	if (at != NULL)
		closedir(at);
	snprintf(path, sizeof(path), "%s/agents/.gone", sp->state);
	at = opendir(path);
	while (at != NULL && (d = readdir(at)) != NULL)
		ck_assert_msg(d->d_name[0] == '.', "%s: .gone/%s", when,
		    d->d_name);
	if (at != NULL)
		closedir(at);
	ck_assert_msg(!there("a/service/pty-critic", NULL), "%s: a service",
	    when);
	ck_assert_msg(!there("a/making/pty-critic", NULL), "%s: half a "
	    "service", when);
	ck_assert_int_eq(count("--all"), 0);
}

static void
spawn(const char *what)
{
	int	code = reeve(sp, out, sizeof(out), "spawn %s", what);

	if (code != 0)
		log_dump(sp);
	ck_assert_msg(code == 0, "spawn %s: %d: %s", what, code, out);
}

static void
stop(const char *what)
{
	int	code = reeve(sp, out, sizeof(out), "stop %s", what);

	ck_assert_msg(code == 0, "stop %s: %d: %s", what, code, out);
}

static pid_t
reeve_in_background(const char *args, const char *file)
{
	const char	*bin = getenv("REEVE_BINDIR");
	char		 cmd[900];
	pid_t		 pid;

	snprintf(cmd, sizeof(cmd), "exec %s/reeve --state %s %s >%s 2>&1",
	    bin == NULL ? "." : bin, sp->state, args, file);
	if ((pid = fork()) == 0) {
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	ck_assert(pid > 0);
	return pid;
}

/* --- an agent's own calls ------------------------------------------------------------ */

struct caller {
	struct creds	 creds;
	struct bus	*bus;
};

static void
become(struct caller *c, const char *name)
{
	struct bus_conf	conf = { .creds = &c->creds, .name = name };
	char		path[400];
	struct error	e;

	memset(c, 0, sizeof(*c));
	snprintf(path, sizeof(path), "%s/agents/%s/agent.creds", sp->state,
	    name);
	OK(creds_load(&c->creds, path, &e), e);
	conf.servers = sp->config.servers;
	OK(bus_open(&c->bus, &conf, &e), e);
}

static void
leave(struct caller *c)
{
	bus_close(c->bus);
	creds_wipe(&c->creds);
}

/* "ok", or the error; from: NULL is its own id. */
static const char *
ask_as(struct caller *c, const char *tier, const char *op, const char *args,
    const char *from)
{
	static char	 said[600];
	static unsigned	 n;
	char		 subject[SUBJECT_MAX], reply[SUBJECT_MAX + 40],
			 body[4096];
	struct bus_pub	 p = { .subject = subject, .data = body };
	const char	*id = c->creds.key.public;
	struct error	 e = { .code = 0 };
	const cJSON	*why;
	natsMsg		*m;
	cJSON		*o;

	subject_ctl(subject, sizeof(subject), "t", tier, id);
	snprintf(reply, sizeof(reply), "%s.reply.n%u", subject, n++);
	snprintf(body, sizeof(body), "{\"op\":\"%s\",\"args\":%s,\"from\":"
	    "{\"id\":\"%s\"}}", op, args, from == NULL ? id : from);
	p.len = strlen(body);
	m = bus_call_on(c->bus, &p, reply, CALL_MS, &e);
	if (m == NULL) {
		snprintf(said, sizeof(said), "no answer: %s", e.text);
		return said;
	}
	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    &e);
	ck_assert_msg(o != NULL, "%s", e.text);
	why = json_get(o, "error");
	snprintf(said, sizeof(said), "%s", cJSON_IsTrue(json_get(o, "ok")) ?
	    "ok" : why->valuestring);
	cJSON_Delete(o);
	bus_msg_free(m);
	return said;
}

static const char *
ask(struct caller *c, const char *tier, const char *op, const char *args)
{
	return ask_as(c, tier, op, args, NULL);
}

#define SAYS(said, part)						\
	do {								\
		const char *s_ = (said);				\
									\
		ck_assert_msg(strstr(s_, part) != NULL, "%s", s_);	\
	} while (0)

/* --- life ------------------------------------------------------------------------------ */

static void
check_said(const char *name)
{
	static const char *const	want[] = { "arg=one\n",
	    "arg=two words\n", "COTAL_NAME=critic\n", "COTAL_SPACE=t\n",
	    "COTAL_ROLE=reviewer\n", "COTAL_SUBSCRIBE=general\n",
	    "COTAL_ALLOW_SUBSCRIBE=general,team.>\n",
	    "COTAL_ALLOW_PUBLISH=general\n" };
	char				path[300], *text;
	struct error			e;
	size_t				i;

	snprintf(path, sizeof(path), "%s/said.%s", sp->dir, name);
	AWAIT(access(path, F_OK) == 0);
	text = file_read(path, 65536, NULL, &e);
	ck_assert_msg(text != NULL, "%s", e.text);
	for (i = 0; i < COUNT(want); i++)
		ck_assert_msg(strstr(text, want[i]) != NULL, "%s: %s",
		    want[i], text);
	ck_assert_ptr_null(strstr(text, SECRET));
	ck_assert_ptr_null(strstr(text, "SUA"));	/* a user's seed */
	free(text);
}

static void
check_made(const char *name)
{
	char		path[400], durable[100], id[ID_MAX];
	struct stat	st;
	cJSON		*acl;

	snprintf(id, sizeof(id), "%s", of_agent(name, "id"));
	snprintf(path, sizeof(path), "%s/agents/%s", sp->state, name);
	ck_assert(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
	snprintf(path, sizeof(path), "%s/agents/%s/agent.creds", sp->state,
	    name);
	ck_assert(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	snprintf(durable, sizeof(durable), "dm_%s", id);
	(void)consumer_get(sp, STREAM_DM, durable);
	snprintf(durable, sizeof(durable), "dlv_%s", id);
	(void)consumer_get(sp, STREAM_DLV, durable);
	(void)consumer_get(sp, STREAM_TASK, "svc_reviewer");
	ck_assert_ptr_nonnull(acl = record_get(sp, BUCKET_ACL, id, NULL));
	ck_assert_int_eq(cJSON_GetArraySize(json_get(acl,
	    "allowSubscribe")), 2);
	cJSON_Delete(acl);
}

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
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "logs brief"), 0);
	ck_assert_msg(strncmp(out, "so be it\n", 9) == 0, "%s", out);
	AWAIT(!there("a/service/pty-brief", NULL));
	ck_assert_int_eq(count(""), 0);
}
END_TEST

START_TEST(what_one_has_shown)
{
	char	file[300], *text = NULL;
	pid_t	pid;

	spawn("chatty");
	AWAIT(reeve(sp, out, sizeof(out), "logs chatty") == 0 &&
	    strncmp(out, "first\n", 6) == 0);
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
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "ps"), 0);
	ck_assert_ptr_nonnull(strstr(out, "restarting"));
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
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "attach critic"),
	    EX_NOUSER);
	ck_assert_ptr_nonnull(strstr(out, "critic has ended"));
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
		code = reeve(sp, out, sizeof(out), "spawn %s", bad[i].what);
		ck_assert_msg(code != 0, "%s", bad[i].what);
		ck_assert_msg(strstr(out, bad[i].why) != NULL, "%s: %s",
		    bad[i].what, out);
		check_nothing(bad[i].what);
	}
	ck_assert(!logged(sp, "msg=\"granted\""));
}
END_TEST

static void
fails(const char *why)
{
	int	code = reeve(sp, out, sizeof(out), "spawn critic");

	ck_assert_msg(code != 0, "it did not fail: %s", why);
	ck_assert_msg(strstr(out, why) != NULL, "%s: %s", why, out);
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

/* What is forgotten by and by is so soon. */
static void
await_nothing(const char *when)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/agents/.gone", sp->state);
	AWAIT(access(path, F_OK) == -1 || rmdir(path) == 0);
	check_nothing(when);
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
		ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), 0);
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

/* A manager that is killed in the middle of a start: all of it, or nothing. */
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
	int	code = reeve(sp, out, sizeof(out), "spawn --again %s", what);

	ck_assert_msg(code != 0, "%s did not fail: %s", what, why);
	ck_assert_msg(strstr(out, why) != NULL, "%s: %s", why, out);
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
	AWAIT(reeve(sp, out, sizeof(out), "spawn --again critic") == 0);
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
			AWAIT(reeve(sp, out, sizeof(out), "spawn --again "
			    "critic") == 0);
		}
		ck_assert(agent_is("critic", "running"));
		ck_assert_str_eq(of_agent("critic", "id"), id);
		check_made("critic");
	}
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
	return reeve(sp, out, sizeof(out), "launch %s", path);
}

START_TEST(a_run_is_started_and_stopped)
{
	char		path[400], *text;
	struct error	e;

	ck_assert_int_eq(launch("r1", "t", ",\"more\":1"), EX_DATAERR);
	ck_assert_int_eq(launch("r1", "other", ""), EX_DATAERR);
	check_nothing("no spec");
	spawn("critic");
	ck_assert_msg(launch("r1", "t", "") == 0, "%s", out);
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
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "launch --down r1"), 0);
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
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "purge --dms"), 0);
	ck_assert_ptr_nonnull(strstr(out, "purged 5 messages"));
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
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "roster --json"), 0);
	ck_assert_msg(strstr(out, c.key.public) != NULL, "%s", out);
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
	TCase	*life = test_case("life", setup, 60);
	TCase	*who = test_case("who", setup, 60);
	TCase	*failing = test_case("failing", setup, 60);
	TCase	*again = test_case("again", setup, 60);
	TCase	*many = test_case("many", setup, 60);
	TCase	*runs = test_case("runs", setup, 60);
	TCase	*one = test_case("one", setup, 60);

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
	tcase_add_test(runs, a_run_is_started_and_stopped);
	tcase_add_test(runs, a_run_follows_no_link);
	tcase_add_test(runs, what_was_said_is_forgotten);
	tcase_add_test(one, it_is_among_those_who_are_there);
	tcase_add_test(one, a_second_manager_is_refused);
	return test_main("manager", life, who, failing, again, many, runs,
	    one, NULL);
}
