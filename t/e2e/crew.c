/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "files.h"
#include "json.h"

char	answer[65536];
char	ws[200];

/* --- the stage ------------------------------------------------------------------ */

void
write_file(const char *path, const char *text, mode_t mode)
{
	struct error	e;

	OK(dir_make_parent(path, 0700, &e), e);
	OK(file_write_private(path, text, mode, &e), e);
}

/* An agent file of this ref; lines: more of its head. */
void
persona(const char *ref, const char *lines)
{
	char	path[400], text[2000];

	snprintf(path, sizeof(path), "%s/.cotal/agents/%s.md", ws, ref);
	snprintf(text, sizeof(text), "---\nname: %s\n%s---\nBe brief.\n", ref,
	    lines);
	write_file(path, text, 0600);
}

/* What an agent of the tests is: it says what it was given, and waits. */
void
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

void
crew_space(void)
{
	sp = space_new(NULL);
	snprintf(sp->state, sizeof(sp->state), "%s/a", sp->dir);
	snprintf(ws, sizeof(ws), "%s/ws", sp->dir);
	ck_assert(mkdir(ws, 0700) == 0);
	sp->port = free_port();
	space_init(sp, "--listen 127.0.0.1:%d --workspace %s", sp->port, ws);
}

void
crew_start(void)
{
	char	path[4096];

	snprintf(path, sizeof(path), "%s/bin:%s", sp->dir, getenv("PATH"));
	setenv("PATH", path, 1);
	setenv(SECRET, "1", 1);
	space_start(sp);
	unsetenv(SECRET);
	AWAIT(role_is_ready(sp, "signer") && role_is_ready(sp, "manager"));
	space_connect_root(sp);
}

/* The broker, the signer and the manager, nothing else. */
void
crew_setup(void)
{
	static const char *const	others[] = { "lease", "fanout",
					    "reader", "control", "canary" };
	char				path[300];
	size_t				i;

	crew_space();
	for (i = 0; i < COUNT(others); i++) {
		snprintf(path, sizeof(path), "%s/service/%s/down", sp->state,
		    others[i]);
		write_file(path, "", 0600);
	}
	make_agents();
	crew_start();
}

/* --- what there is ---------------------------------------------------------------- */

/* `reeve ps`, parsed; the caller's. */
cJSON *
ps(const char *options)
{
	struct error	e;
	cJSON		*o;
	int		code = reeve(sp, answer, sizeof(answer), "ps --json %s",
			    options);

	ck_assert_msg(code == 0, "ps: %d: %s", code, answer);
	o = json_parse(answer, strlen(answer), &e);
	ck_assert_msg(o != NULL, "%s: %s", e.text, answer);
	return o;
}

int
count(const char *options)
{
	cJSON	*list = ps(options);
	int	 n = cJSON_GetArraySize(list);

	cJSON_Delete(list);
	return n;
}

/* It serves again. */
void
await_manager(void)
{
	AWAIT(reeve(sp, NULL, 0, "ps") == 0);
}

/* A member of one, copied into a ring; NULL: there is no such agent. */
const char *
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

bool
agent_is(const char *name, const char *status)
{
	const char	*s = of_agent(name, "status");

	return s != NULL && strcmp(s, status) == 0;
}

bool
there(const char *fmt, const char *name)
{
	char	path[500], file[300];

	snprintf(file, sizeof(file), "%s", fmt);
	snprintf(path, sizeof(path), "%s/%s%s", sp->dir, file,
	    name == NULL ? "" : name);
	return access(path, F_OK) == 0;
}

int
unlink_in(const char *file)
{
	char	path[400];

	snprintf(path, sizeof(path), "%s/%s", sp->dir, file);
	return unlink(path);
}

/* A process of an agent; 0: none lives. */
pid_t
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

bool
has_process(const char *name)
{
	return process_of(name) != 0;
}

uint64_t
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
void
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

void
await_nothing(const char *when)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/agents/.gone", sp->state);
	AWAIT(access(path, F_OK) == -1 || rmdir(path) == 0);
	check_nothing(when);
}

void
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

void
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

void
spawn(const char *what)
{
	int	code = reeve(sp, answer, sizeof(answer), "spawn %s", what);

	if (code != 0)
		log_dump(sp);
	ck_assert_msg(code == 0, "spawn %s: %d: %s", what, code, answer);
}

void
stop(const char *what)
{
	int	code = reeve(sp, answer, sizeof(answer), "stop %s", what);

	ck_assert_msg(code == 0, "stop %s: %d: %s", what, code, answer);
}

pid_t
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

void
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

void
leave(struct caller *c)
{
	bus_close(c->bus);
	creds_wipe(&c->creds);
}

/* "ok", or the error; from: NULL is its own id. */
const char *
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

const char *
ask(struct caller *c, const char *tier, const char *op, const char *args)
{
	return ask_as(c, tier, op, args, NULL);
}
