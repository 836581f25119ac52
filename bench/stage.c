/* SPDX-License-Identifier: ISC */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "jetstream.h"
#include "jwt.h"
#include "profile.h"
#include "records.h"
#include "space.h"
#include "stage.h"
#include "trust.h"

#define SPACE		"bench"
#define READY_MS	20000
#define DRAIN_MS	20000
#define LOOK_MS		10
#define LOG_TAIL	4000
#define LOG_MAX		(64 * 1024 * 1024)

/* --- programs ----------------------------------------------------------- */

char *
stage_program(const char *name, struct error *e)
{
	char		 self[PATH_MAX] = "", up[PATH_MAX + 4], *path = NULL;
	const char	*given = getenv("REEVE_BINDIR");

	if (given != NULL && given[0] != '\0')
		path = file_program(given, strlen(given), name);
	(void)file_own_dir(self, sizeof(self));
	snprintf(up, sizeof(up), "%s/..", self);
	if (path == NULL &&
	    (path = file_program(self, strlen(self), name)) == NULL &&
	    (path = file_program(up, strlen(up), name)) == NULL)
		error_set(e, EX_UNAVAILABLE, "%s is neither in %s nor above: "
		    "build it, or set REEVE_BINDIR", name, self);
	return path;
}

/* In a child: what it says goes to the log of the stage. */
static void
exec_logged(const struct stage *s, const char *const argv[])
{
	char	path[PATH_MAX];
	int	fd;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	snprintf(path, sizeof(path), "%s/log", s->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd != -1) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(EX_UNAVAILABLE);
}

static int
run(const struct stage *s, const char *const argv[], struct error *e)
{
	pid_t	pid;
	int	status;

	if ((pid = fork()) == -1)
		return error_errno(e, EX_OSERR, "fork");
	if (pid == 0)
		exec_logged(s, argv);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return error_errno(e, EX_OSERR, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return error_set(e, EX_UNAVAILABLE, "%s %s: status 0x%x", argv[0],
	    argv[1], (unsigned)status);
}

int
stage_role(struct stage *s, const char *verb, const char *role,
    struct error *e)
{
	char			*reeve = stage_program("reeve", e);
	const char *const	 argv[] = { reeve, verb, "--state", s->state,
				    role, NULL };
	int			 r = reeve == NULL ? -1 : run(s, argv, e);

	free(reeve);
	return r;
}

void
stage_show_log(const struct stage *s)
{
	char	 path[PATH_MAX], *text;
	size_t	 n;

	snprintf(path, sizeof(path), "%s/log", s->dir);
	if ((text = file_read(path, LOG_MAX, &n, NULL)) == NULL)
		return;
	fprintf(stderr, "bench: the log ends with\n%s",
	    n > LOG_TAIL ? text + n - LOG_TAIL : text);
	free(text);
}

/* --- making the space --------------------------------------------------- */

static int
free_port(struct error *e)
{
	struct sockaddr_in	a = { .sin_family = AF_INET };
	socklen_t		len = sizeof(a);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
				    0);
	int			port = -1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&a, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		error_errno(e, EX_OSERR, "no free port");
	else
		port = ntohs(a.sin_port);
	if (fd != -1)
		close(fd);
	return port;
}

static int
init_space(struct stage *s, struct error *e)
{
	char			*reeve = stage_program("reeve", e);
	char			 listen[32];
	const char *const	 argv[] = { reeve, "init", "--state",
				    s->state, "--space", SPACE, "--listen",
				    listen, NULL };
	int			 port = free_port(e), r = -1;

	snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
	if (reeve != NULL && port != -1)
		r = run(s, argv, e);
	free(reeve);
	return r == -1 ? -1 : config_load(&s->config, s->state, e);
}

/* What no role may: this user exists for the length of a benchmark, on a
 * broker that nobody else uses. */
static bool
grant(struct permissions *p, const char *id)
{
	return strlist_add(&p->pub_allow, "$JS.API.>") &&
	    strlist_add(&p->pub_allow, "$JS.ACK.>") &&
	    strlist_add(&p->pub_allow, "$KV.>") &&
	    strlist_add(&p->pub_allow, "cotal." SPACE ".chat.>") &&
	    strlist_add(&p->pub_allow, "bench.>") &&
	    strlist_addf(&p->sub_allow, "_INBOX_%s.>", id);
}

static int
mint(struct stage *s, const struct trust *t, struct error *e)
{
	struct permissions	p = { 0 };
	struct nkey		signer;

	if (nkey_new(&s->creds.key, NKEY_USER, e) == -1 ||
	    nkey_from_seed(&signer, t->signing_seed, e) == -1)
		return -1;
	if (!grant(&p, s->creds.key.public))
		error_errno(e, EX_OSERR, "permissions");
	else
		s->creds.jwt = jwt_user(&signer, t->account_pub,
		    s->creds.key.public, "bench", &p, 0, e);
	permissions_free(&p);
	nkey_wipe(&signer);
	if (s->creds.jwt == NULL)
		return -1;
	return creds_save(&s->creds, s->creds_path, e);
}

static int
make_creds(struct stage *s, struct error *e)
{
	char		*path = config_path(&s->config, "trust/auth.json");
	struct trust	 t;
	int		 r;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "trust");
	if ((r = trust_load(&t, path, e)) == 0) {
		r = mint(s, &t, e);
		trust_wipe(&t);
	}
	free(path);
	return r;
}

/* --- running it --------------------------------------------------------- */

static int
start_reeved(struct stage *s, struct error *e)
{
	char			*reeved = stage_program("reeved", e);
	const char *const	 argv[] = { reeved, "--state", s->state,
				    NULL };

	if (reeved == NULL)
		return -1;
	if ((s->reeved = fork()) == 0) {
		/* A terminal's ^C is for the warden, who ends all. */
		setsid();
		exec_logged(s, argv);
	}
	free(reeved);
	if (s->reeved == -1) {
		s->reeved = 0;
		return error_errno(e, EX_OSERR, "fork");
	}
	return 0;
}

static int
reach_broker(struct stage *s, int64_t until_ms, struct error *e)
{
	struct bus_conf	conf = { .servers = s->config.servers,
			    .creds = &s->creds, .name = "bench" };

	/* One that is starting refuses for a moment.  There is nothing to wait
	 * on yet. */
	while (bus_open(&s->bus, &conf, e) == -1) {
		if (clock_ms() > until_ms)
			return -1;
		usleep(LOOK_MS * 1000);
	}
	return 0;
}

/* 1: the shard's lease says ready; 0: not yet; -1: *e. */
static int
lease_is_ready(struct stage *s, unsigned shard, struct error *e)
{
	char			stream[STREAM_MAX], subject[SUBJECT_MAX];
	char			key[32];
	struct js_message	m;
	struct lease		l;
	int			found, ready = 0;

	name_bucket_stream(stream, sizeof(stream), s->config.space,
	    BUCKET_DELIVERY);
	snprintf(key, sizeof(key), "lease.%u", shard);
	name_bucket_key(subject, sizeof(subject), s->config.space,
	    BUCKET_DELIVERY, key);
	found = js_get(s->bus, stream, JS_LAST_BY_SUBJECT, 0, subject, &m, e);
	if (found != 1)
		return found;
	if (!m.deleted) {
		ready = lease_read(&l, m.data, m.len, e) == 0 && l.ready;
		lease_free(&l);
	}
	js_message_free(&m);
	return ready;
}

static int
await_ready(struct stage *s, int64_t until_ms, struct error *e)
{
	unsigned	i;
	int		ready;

	for (i = 0; i < s->shards; i++)
		while ((ready = lease_is_ready(s, i, e)) != 1) {
			if (ready == -1)
				return -1;
			if (clock_ms() > until_ms)
				return error_set(e, EX_TEMPFAIL, "the space "
				    "is not ready after %d s",
				    READY_MS / 1000);
			bus_turn(s->bus, NULL, 0, LOOK_MS);
		}
	return 0;
}

int
stage_await_ready(struct stage *s, struct error *e)
{
	return await_ready(s, clock_ms() + READY_MS, e);
}

int
stage_open(struct stage *s, const char *dir, struct error *e)
{
	int64_t	until_ms = clock_ms() + READY_MS;

	memset(s, 0, sizeof(*s));
	s->shards = 1;
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	snprintf(s->state, sizeof(s->state), "%s/state", dir);
	snprintf(s->creds_path, sizeof(s->creds_path), "%s/bench.creds", dir);
	if (init_space(s, e) == -1 || make_creds(s, e) == -1 ||
	    start_reeved(s, e) == -1 || reach_broker(s, until_ms, e) == -1)
		return -1;
	return await_ready(s, until_ms, e);
}

void
stage_close(struct stage *s)
{
	int	status;

	bus_close(s->bus);
	s->bus = NULL;
	if (s->reeved > 0) {
		kill(s->reeved, SIGTERM);
		while (waitpid(s->reeved, &status, 0) == -1 && errno == EINTR)
			;
	}
	s->reeved = 0;
	creds_wipe(&s->creds);
	config_free(&s->config);
}

void
stage_service(const struct stage *s, const char *role, unsigned shard,
    char *buf, size_t size)
{
	snprintf(buf, size, s->shards == 1 ? "%s" : "%s-%u", role, shard);
}

int
stage_reshard(struct stage *s, unsigned shards, struct error *e)
{
	char	n[16];

	snprintf(n, sizeof(n), "%u", shards);
	if (stage_role(s, "reshard", n, e) == -1)
		return -1;
	s->shards = shards;
	return stage_await_ready(s, e);
}

int
stage_pid(const struct stage *s, const char *role, pid_t *pid,
    struct error *e)
{
	char	*path, *text;

	*pid = s->reeved;
	if (strcmp(role, "reeved") == 0)
		return 0;
	path = config_path(&s->config, "service/%s/supervise/pid", role);
	if (path == NULL)
		return error_errno(e, EX_OSERR, "%s", role);
	text = file_read(path, 64, NULL, e);
	free(path);
	if (text == NULL)
		return -1;
	*pid = (pid_t)atoi(text);
	free(text);
	return *pid > 0 ? 0 : error_set(e, EX_UNAVAILABLE, "%s does not run",
	    role);
}

/* --- what is stored ----------------------------------------------------- */

int
stage_await_drained(struct stage *s, const char *stream,
    const char *durable, struct error *e)
{
	struct js_consumer	c;
	int64_t			until_ms = clock_ms() + DRAIN_MS;
	uint64_t		left;

	for (;;) {
		if (js_consumer_info(s->bus, stream, durable, &c, e) == -1)
			return -1;
		left = c.n_pending + c.n_ack_pending;
		js_consumer_free(&c);
		if (left == 0)
			return 0;
		if (clock_ms() > until_ms)
			return error_set(e, EX_TEMPFAIL, "%s of %s still has "
			    "%llu messages to work on", durable, stream,
			    (unsigned long long)left);
		bus_turn(s->bus, NULL, 0, LOOK_MS);
	}
}

static int
await_all(struct stage *s, enum stream_kind kind, const char *base,
    struct error *e)
{
	char		stream[STREAM_MAX], durable[64];
	unsigned	i;

	name_stream(stream, sizeof(stream), s->config.space, kind);
	for (i = 0; i < s->shards; i++) {
		snprintf(durable, sizeof(durable), s->shards == 1 ? "%s" :
		    "%s_%u", base, i);
		if (stage_await_drained(s, stream, durable, e) == -1)
			return -1;
	}
	return 0;
}

int
stage_await_idle(struct stage *s, struct error *e)
{
	return await_all(s, STREAM_CHAT, "fanout", e) == -1 ? -1 :
	    await_all(s, STREAM_INBOX, "reader", e);
}

int
stage_purge(struct stage *s, const char *stream, struct error *e)
{
	static const char	 done[] = "\"success\":true";
	char			 subject[SUBJECT_MAX];
	struct bus_pub		 p = { .subject = subject };
	natsMsg			*m;
	bool			 ok;

	snprintf(subject, sizeof(subject), "$JS.API.STREAM.PURGE.%s", stream);
	if ((m = bus_call(s->bus, &p, JS_TIMEOUT_MS, e)) == NULL)
		return -1;
	ok = memmem(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    done, sizeof(done) - 1) != NULL;
	natsMsg_Destroy(m);
	return ok ? 0 : error_set(e, EX_UNAVAILABLE, "%s was not purged",
	    stream);
}
