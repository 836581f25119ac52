/* SPDX-License-Identifier: ISC */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "files.h"
#include "jetstream.h"
#include "props.h"
#include "records.h"
#include "space.h"
#include "stage.h"

#define READY_MS	20000
#define DRAIN_MS	20000
#define LOOK_MS		10
#define LOG_TAIL	4000
#define LOG_MAX		(64 * 1024 * 1024)

/* --- programs ----------------------------------------------------------- */

int
stage_role(struct stage *s, const char *verb, const char *role,
    struct error *e)
{
	const char *const	argv[] = { "reeve", verb, "--state", s->state,
				    role, NULL };

	return props_run(s->dir, argv, e);
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
init_space(struct stage *s, struct error *e)
{
	char			listen[32];
	const char *const	argv[] = { "reeve", "init", "--state",
				    s->state, "--space", PROPS_SPACE,
				    "--listen", listen, "--no-agents",
				    NULL };
	int			port = props_free_port(e);

	snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
	if (port == -1 || props_run(s->dir, argv, e) == -1)
		return -1;
	return config_load(&s->config, s->state, e);
}

/* --- running it --------------------------------------------------------- */

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
	const char *const	argv[] = { "reeved", "--state", s->state,
				    NULL };
	int64_t			until_ms = clock_ms() + READY_MS;

	memset(s, 0, sizeof(*s));
	s->shards = 1;
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	snprintf(s->state, sizeof(s->state), "%s/state", dir);
	snprintf(s->creds_path, sizeof(s->creds_path), "%s/bench.creds", dir);
	if (init_space(s, e) == -1 ||
	    props_user(&s->creds, s->state, e) == -1 ||
	    creds_save(&s->creds, s->creds_path, e) == -1 ||
	    (s->reeved = props_start(s->dir, argv, e)) == -1 ||
	    props_reach(&s->bus, s->config.servers, &s->creds, until_ms, e)
	    == -1)
		return -1;
	return await_ready(s, until_ms, e);
}

void
stage_close(struct stage *s)
{
	bus_close(s->bus);
	s->bus = NULL;
	if (s->reeved > 0) {
		kill(s->reeved, SIGTERM);
		(void)props_await(s->reeved);
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
