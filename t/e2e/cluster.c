/* SPDX-License-Identifier: ISC */

/* Machines on a switch, in network namespaces: a cluster and its hosts. */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cluster.h"
#include "files.h"
#include "json.h"

#define NET		"10.77.0."
#define OURS		254	/* the test's own address */
#define HOST_FROM	10	/* a host's */
#define OLDEST		2, 9, 22

/* --- commands ---------------------------------------------------------------- */

/* Run `ip ARGS` in a namespace (0: ours).  Its exit code. */
static int
ip_in(int netns, const char *args)
{
	char	cmd[300];
	int	status;
	pid_t	pid;

	snprintf(cmd, sizeof(cmd), "PATH=$PATH:/usr/sbin:/sbin exec ip %s",
	    args);
	fflush(NULL);
	if ((pid = fork()) == 0) {
		if (netns != 0 && setns(netns, CLONE_NEWNET) == -1)
			_exit(126);
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
ip(int netns, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
ip(int netns, const char *fmt, ...)
{
	char	args[200];
	va_list	ap;
	int	code;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	code = ip_in(netns, args);
	ck_assert_msg(code == 0, "ip %s: %d", args, code);
}

static const char *
nats_server(void)
{
	const char	*given = getenv("REEVE_NATS_SERVER");

	return given != NULL && given[0] != '\0' ? given : "nats-server";
}

/* --- may it be? ----------------------------------------------------------------- */

/* Two bridges, on which machines are and on which those are that are cut
 * off, in a namespace of our own. */
static int
make_switch(void)
{
	if (unshare(CLONE_NEWNET) == -1)
		return -1;
	if (ip_in(0, "link add on type bridge 2>&1") != 0 ||
	    ip_in(0, "link add off type bridge 2>&1") != 0 ||
	    ip_in(0, "link add r0 type veth peer name r1 2>&1") != 0)
		return -1;
	return ip_in(0, "link del r0");
}

static bool
namespaces_can_be(void)
{
	int	status = -1;
	pid_t	pid;

	fflush(NULL);
	if ((pid = fork()) == 0)
		_exit(make_switch() == 0 ? 0 : 1);
	if (pid != -1 && waitpid(pid, &status, 0) == pid && status == 0)
		return true;
	printf("network namespaces, bridges and links between them cannot be "
	    "made here: that takes root, iproute2, and a kernel that lets "
	    "it\n");
	return false;
}

bool
cluster_can_be(void)
{
	static const int	oldest[] = { OLDEST };
	char			cmd[500], text[100] = "";
	int			v[3] = { 0, 0, 0 }, i;
	FILE			*f;

	snprintf(cmd, sizeof(cmd), "PATH=$PATH:/usr/sbin '%s' --version",
	    nats_server());
	if ((f = popen(cmd, "r")) != NULL) {
		if (fgets(text, sizeof(text), f) == NULL ||
		    sscanf(text + strcspn(text, "0123456789"), "%d.%d.%d",
		    &v[0], &v[1], &v[2]) != 3)
			v[0] = 0;
		pclose(f);
	}
	for (i = 0; i < 2 && v[i] == oldest[i]; i++)
		;
	if (v[i] >= oldest[i])
		return namespaces_can_be();
	printf("nats-server is %d.%d.%d: replicas take %d.%d.%d or newer\n",
	    v[0], v[1], v[2], oldest[0], oldest[1], oldest[2]);
	return false;
}

/* --- machines --------------------------------------------------------------------- */

/* A process that does nothing in a namespace of its own, and ends with us. */
static void
keep_namespace(struct machine *m)
{
	char	path[64], c;
	int	p[2];

	ck_assert(pipe2(p, O_CLOEXEC) == 0);
	fflush(NULL);
	ck_assert((m->keeper = fork()) != -1);
	if (m->keeper == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "test-machine");
		if (unshare(CLONE_NEWNET) == 0 && write(p[1], "", 1) == 1) {
			close(p[1]);
			for (;;)
				pause();
		}
		_exit(1);
	}
	close(p[1]);
	ck_assert_msg(read(p[0], &c, 1) == 1, "no namespace for %s", m->name);
	close(p[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)m->keeper);
	ck_assert((m->netns = open(path, O_RDONLY | O_CLOEXEC)) != -1);
}

static void
machine_make(struct machine *m, const char *kind, int number, int address)
{
	snprintf(m->name, sizeof(m->name), "%s%d", kind, number);
	m->number = address;
	keep_namespace(m);
	ip(0, "link add %s type veth peer name eth0 netns %d", m->name,
	    (int)m->keeper);
	ip(m->netns, "addr add " NET "%d/24 dev eth0", address);
	ip(m->netns, "link set eth0 up");
	ip(m->netns, "link set lo up");
	ip(0, "link set %s master on up", m->name);
}

void
machine_part(struct machine *m)
{
	ip(0, "link set %s master off", m->name);
}

void
machine_mend(struct machine *m)
{
	ip(0, "link set %s master on", m->name);
}

static bool
runs_on(const struct machine *m, const struct stat *ns, const char *pid)
{
	char		path[300];
	struct stat	st;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	return atoi(pid) != (int)m->keeper && stat(path, &st) == 0 &&
	    st.st_ino == ns->st_ino && st.st_dev == ns->st_dev;
}

/* How many there are. */
static unsigned
signal_once(const struct machine *m, int sig)
{
	struct dirent	*de;
	struct stat	 ns;
	unsigned	 n = 0;
	DIR		*d = opendir("/proc");

	ck_assert(d != NULL && fstat(m->netns, &ns) == 0);
	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9' &&
		    runs_on(m, &ns, de->d_name) &&
		    kill((pid_t)atoi(de->d_name), sig) == 0)
			n++;
	closedir(d);
	return n;
}

void
machine_signal(const struct machine *m, int sig)
{
	unsigned	was = 0, n;

	/* None may start another while we look. */
	while (sig != SIGCONT && (n = signal_once(m, SIGSTOP)) != was)
		was = n;
	(void)signal_once(m, sig);
}

static void
machine_end(struct machine *m)
{
	int	status;

	if (m->keeper <= 0)
		return;
	(void)signal_once(m, SIGKILL);
	kill(m->keeper, SIGKILL);
	waitpid(m->keeper, &status, 0);
	close(m->netns);
	m->keeper = 0;
}

/* --- nodes ------------------------------------------------------------------------ */

/* What init writes for a broker of its own, and that it is one of three. */
static void
write_conf(const struct space *s, const struct machine *n, const char *dir)
{
	char			 host[32], store[300], path[300], *one, *text;
	struct server_conf	 conf = { .host = host, .port = 4222,
				    .store_dir = store };
	struct error		 e;

	snprintf(host, sizeof(host), NET "%d", n->number);
	snprintf(store, sizeof(store), "%s/data", dir);
	snprintf(path, sizeof(path), "%s/nats.conf", dir);
	one = trust_server_conf(&s->trust, &conf, &e);
	ck_assert_msg(one != NULL, "%s", e.text);
	ck_assert(asprintf(&text, "%sserver_name: %s\ncluster {\n"
	    "  name: t\n  listen: \"%s:6222\"\n  routes: ["
	    "nats://" NET "1:6222, nats://" NET "2:6222, "
	    "nats://" NET "3:6222]\n}\n", one, n->name, host) > 0);
	OK(file_write_private(path, text, 0600, &e), e);
	free(text);
	free(one);
}

void
node_start(struct cluster *c, unsigned i)
{
	struct machine	*n = &c->nodes[i];
	char		 dir[200], log[300], cmd[700];
	int		 fd;

	snprintf(dir, sizeof(dir), "%s/%s", sp->dir, n->name);
	snprintf(log, sizeof(log), "%s/log", dir);
	ck_assert(n->pid == 0);
	snprintf(cmd, sizeof(cmd), "PATH=$PATH:/usr/sbin exec '%s' -c "
	    "nats.conf", nats_server());
	fflush(NULL);
	ck_assert((n->pid = fork()) != -1);
	if (n->pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	if (chdir(dir) == 0 && setns(n->netns, CLONE_NEWNET) == 0)
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
	_exit(127);
}

void
node_kill(struct cluster *c, unsigned i, int sig)
{
	struct machine	*n = &c->nodes[i];
	int		 status;

	ck_assert(n->pid > 0 && kill(n->pid, sig) == 0);
	while (waitpid(n->pid, &status, 0) == -1 && errno == EINTR)
		;
	n->pid = 0;
}

static void
nodes_make(struct cluster *c)
{
	char		dir[200];
	struct error	e;
	unsigned	i;

	for (i = 0; i < NODES; i++) {
		machine_make(&c->nodes[i], "n", (int)i + 1, (int)i + 1);
		snprintf(dir, sizeof(dir), "%s/%s", sp->dir,
		    c->nodes[i].name);
		OK(dir_make(dir, 0700, &e), e);
		write_conf(sp, &c->nodes[i], dir);
	}
	for (i = 0; i < NODES; i++)
		node_start(c, i);
}

/* --- hosts ------------------------------------------------------------------------ */

void
cluster_servers(char *buf, size_t size, const char *nodes)
{
	size_t	n = 0;

	for (buf[0] = '\0'; *nodes != '\0'; nodes++)
		n += (size_t)snprintf(buf + n, size - n, "%snats://" NET
		    "%c:4222", n == 0 ? "" : ",", *nodes);
}

void
cluster_look(const char *nodes)
{
	char	servers[200];

	cluster_servers(servers, sizeof(servers), nodes);
	free(sp->config.servers);
	ck_assert((sp->config.servers = strdup(servers)) != NULL);
	space_connect_root(sp);
}

/* A cluster that has just started has no leader yet, and says so. */
static void
desk_make(struct cluster *c, const char *trust, const char *options)
{
	char	out[4096], servers[200];

	cluster_servers(servers, sizeof(servers), "123");
	AWAIT(reeve(sp, out, sizeof(out), "init --space t --server %s "
	    "--import-trust %s --replicas 3 --no-agents %s", servers, trust,
	    options) == 0);
	trust_wipe(&sp->trust);
	space_init(sp, "%s", "");
	c->hosts[0].space = sp;
	c->n_hosts = 1;
	cluster_look("123");
}

static void
host_make(struct cluster *c, const char *trust)
{
	unsigned	 i = c->n_hosts++;
	struct machine	*h = &c->hosts[i];
	char		 servers[200];

	ck_assert(i < HOSTS_MAX);
	machine_make(h, "h", (int)i, HOST_FROM + (int)i);
	h->space = space_new(sp);
	snprintf(h->space->state, sizeof(h->space->state), "%s/%s", sp->dir,
	    h->name);
	cluster_servers(servers, sizeof(servers), "123");
	space_init(h->space, "--server %s --import-trust %s --replicas 3",
	    servers, trust);
	h->space->netns = h->netns;
}

void
cluster_make(struct cluster *c, unsigned hosts, const char *options)
{
	char		trust[200];
	struct error	e;

	memset(c, 0, sizeof(*c));
	sp = space_new(NULL);
	ck_assert_msg(make_switch() == 0, "no switch");
	ip(0, "link set lo up");
	ip(0, "link set off up");
	ip(0, "addr add " NET "%d/24 dev on", OURS);
	ip(0, "link set on up");
	snprintf(trust, sizeof(trust), "%s/trust.json", sp->dir);
	OK(trust_new(&sp->trust, "t", &e), e);
	OK(trust_save(&sp->trust, trust, &e), e);
	nodes_make(c);
	snprintf(sp->state, sizeof(sp->state), "%s/desk", sp->dir);
	desk_make(c, trust, options);
	while (hosts-- > 0)
		host_make(c, trust);
	AWAIT(cluster_is_whole(c));
}

void
host_crash(struct machine *h)
{
	machine_signal(h, SIGKILL);
	space_reap(h->space);
}

void
cluster_end(struct cluster *c)
{
	unsigned	i;

	for (i = 1; i < c->n_hosts; i++) {
		machine_signal(&c->hosts[i], SIGKILL);
		if (c->hosts[i].space->reeved != 0)
			space_reap(c->hosts[i].space);
		machine_end(&c->hosts[i]);
	}
	for (i = 0; i < NODES; i++) {
		if (c->nodes[i].pid > 0)
			node_kill(c, i, SIGKILL);
		machine_end(&c->nodes[i]);
	}
}

/* --- who leads -------------------------------------------------------------------- */

/* The API's answer, parsed; NULL: none, or an error. */
static cJSON *
api(const char *body, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static cJSON *
api(const char *body, const char *fmt, ...)
{
	char		 subject[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject, .data = body,
			    .len = strlen(body) };
	natsMsg		*reply;
	struct error	 e;
	va_list		 ap;
	cJSON		*o = NULL;
	int		 n;

	n = snprintf(subject, sizeof(subject), "$JS.API.");
	va_start(ap, fmt);
	vsnprintf(subject + n, sizeof(subject) - (size_t)n, fmt, ap);
	va_end(ap);
	if (!bus_alive(sp->root))
		space_connect_root(sp);
	if ((reply = bus_call(sp->root, &p, 1000, &e)) == NULL)
		return NULL;
	o = json_parse(natsMsg_GetData(reply),
	    (size_t)natsMsg_GetDataLength(reply), &e);
	natsMsg_Destroy(reply);
	if (o != NULL && json_get(o, "error") != NULL) {
		cJSON_Delete(o);
		return NULL;
	}
	return o;
}

static cJSON *
info(const char *stream, const char *durable)
{
	return durable == NULL ? api("", "STREAM.INFO.%s", stream) :
	    api("", "CONSUMER.INFO.%s.%s", stream, durable);
}

static int
leader_of(const struct cluster *c, const cJSON *o)
{
	const char	*name = cJSON_GetStringValue(json_get(json_get(o,
			    "cluster"), "leader"));
	unsigned	 i;

	for (i = 0; name != NULL && i < NODES; i++)
		if (strcmp(c->nodes[i].name, name) == 0)
			return (int)i;
	return -1;
}

int
cluster_leader(struct cluster *c, const char *stream, const char *durable)
{
	cJSON	*o = info(stream, durable);
	int	 n = leader_of(c, o);

	cJSON_Delete(o);
	return n;
}

/* Call fn for each stream and each durable of three replicas. */
static bool
each(struct cluster *c, bool (*fn)(struct cluster *, const char *,
    const char *, unsigned), unsigned arg)
{
	cJSON	*streams = api("", "STREAM.NAMES"), *names, *s, *n;
	bool	 is = streams != NULL;

	cJSON_ArrayForEach(s, json_get(streams, "streams")) {
		names = is ? api("", "CONSUMER.NAMES.%s", s->valuestring) :
		    NULL;
		is = names != NULL && fn(c, s->valuestring, NULL, arg);
		cJSON_ArrayForEach(n, json_get(names, "consumers"))
			/* a watch is its reader's alone */
			is = is && (strncmp(n->valuestring, "w_", 2) == 0 ||
			    fn(c, s->valuestring, n->valuestring, arg));
		cJSON_Delete(names);
	}
	cJSON_Delete(streams);
	return is;
}

static bool
is_whole(struct cluster *c, const char *stream, const char *durable,
    unsigned arg)
{
	cJSON		*o = info(stream, durable);
	const cJSON	*r, *v = json_get(json_get(o, "cluster"), "replicas");
	bool		 is = leader_of(c, o) != -1 &&
			    cJSON_GetArraySize(v) == NODES - 1;

	(void)arg;
	cJSON_ArrayForEach(r, v)
		is = is && cJSON_IsTrue(json_get(r, "current")) &&
		    !cJSON_IsTrue(json_get(r, "offline"));
	cJSON_Delete(o);
	return is;
}

bool
cluster_is_whole(struct cluster *c)
{
	return each(c, is_whole, 0);
}

static bool
is_led(struct cluster *c, const char *stream, const char *durable,
    unsigned n)
{
	char	 body[100];
	cJSON	*o;

	if (cluster_leader(c, stream, durable) == (int)n)
		return true;
	snprintf(body, sizeof(body), "{\"placement\":{\"preferred\":\"%s\"}}",
	    c->nodes[n].name);
	o = durable == NULL ? api(body, "STREAM.LEADER.STEPDOWN.%s", stream) :
	    api(body, "CONSUMER.LEADER.STEPDOWN.%s.%s", stream, durable);
	cJSON_Delete(o);
	return false;
}

void
cluster_lead(struct cluster *c, unsigned n)
{
	AWAIT(each(c, is_led, n));
}
