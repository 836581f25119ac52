/* SPDX-License-Identifier: ISC */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ceiling.h"
#include "gauge.h"
#include "jetstream.h"
#include "json.h"
#include "props.h"
#include "space.h"

#define CHAT	"BENCH_CHAT"
#define DINBOX	"BENCH_DINBOX"
#define DLV	"BENCH_DLV"
#define DURABLE	"hop"

/* --- streams ------------------------------------------------------------ */

/* The space's own configuration under another name and subject. */
static int
make_stream(struct stage *s, enum stream_kind like, const char *name,
    const char *subject, struct error *e)
{
	char	*subjects[] = { (char *)(uintptr_t)subject };
	cJSON	*c = space_stream(&s->config, like);
	int	 r = -1;

	if (c == NULL || !json_set_str(c, "name", name) ||
	    !json_set_strings(c, "subjects", subjects, 1))
		error_errno(e, EX_OSERR, "%s", name);
	else
		r = js_stream_create(s->bus, c, e);
	cJSON_Delete(c);
	return r == -1 ? -1 : 0;
}

/* Takes c. */
static int
make_durable(struct stage *s, cJSON *c, const char *stream,
    const char *filter, struct error *e)
{
	int	r = -1;

	if (c == NULL || !json_set_str(c, "name", DURABLE) ||
	    !json_set_str(c, "durable_name", DURABLE) ||
	    !json_set_str(c, "filter_subject", filter))
		error_errno(e, EX_OSERR, "%s", stream);
	else
		r = js_consumer_create(s->bus, stream, DURABLE, c, NULL, e);
	cJSON_Delete(c);
	return r;
}

int
ceiling_make(struct stage *s, struct error *e)
{
	const char	*space = s->config.space;

	if (make_stream(s, STREAM_CHAT, CHAT, "bench.chat.>", e) == -1 ||
	    make_stream(s, STREAM_INBOX, DINBOX, "bench.dinbox.>", e) == -1 ||
	    make_stream(s, STREAM_DLV, DLV, "bench.dlv.>", e) == -1 ||
	    make_durable(s, space_fanout(space, 0, 1), CHAT, "bench.chat.>",
	    e) == -1)
		return -1;
	return make_durable(s, space_reader(space, 0, 1), DINBOX,
	    "bench.dinbox.>", e);
}

static int
await_idle(struct stage *s, struct error *e)
{
	if (stage_await_drained(s, CHAT, DURABLE, e) == -1)
		return -1;
	return stage_await_drained(s, DINBOX, DURABLE, e);
}

static int
empty(struct stage *s, struct error *e)
{
	if (await_idle(s, e) == -1 ||
	    stage_purge(s, CHAT, e) == -1 ||
	    stage_purge(s, DINBOX, e) == -1)
		return -1;
	return stage_purge(s, DLV, e);
}

/* --- processes ---------------------------------------------------------- */

/* A hop out of stream to subject, to the owners of a load (NULL: each to its
 * own); 0 on failure. */
static pid_t
start_hop(const struct stage *s, const struct crowd *c, const struct load *l,
    const char *stream, const char *subject, struct error *e)
{
	char		 copies[16];
	char		*argv[CROWD_OWNERS + 8] = { props_program("hop", e),
			    s->config.servers,
			    (char *)(uintptr_t)s->creds_path,
			    (char *)(uintptr_t)stream,
			    (char *)(uintptr_t)DURABLE,
			    (char *)(uintptr_t)subject, copies };
	unsigned	 i, n = 0;
	pid_t		 pid;

	if (argv[0] == NULL)
		return 0;
	if (l != NULL)
		n = l->channels == 1 ? l->members : CROWD_OWNERS;
	snprintf(copies, sizeof(copies), "%u", l == NULL ? 1 : l->members);
	for (i = 0; i < n; i++)
		argv[7 + i] = (char *)(uintptr_t)c->owner[i];
	if ((pid = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execv(argv[0], argv);
		_exit(EX_UNAVAILABLE);
	}
	free(argv[0]);
	if (pid == -1) {
		error_errno(e, EX_OSERR, "fork");
		return 0;
	}
	return pid;
}

static void
end_hop(pid_t pid)
{
	int	status;

	if (pid == 0)
		return;
	kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
}

static int
spent(const struct stage *s, pid_t first, pid_t second, struct cost *c,
    struct error *e)
{
	if (cost_of(s, "broker", &c->broker_us, e) == -1 ||
	    cost_of_pid(first, &c->fanout_us, e) == -1)
		return -1;
	return cost_of_pid(second, &c->reader_us, e);
}

static int
gauge(struct stage *s, struct gauge *g, pid_t first, pid_t second,
    double *per_s, struct cost *cost, struct error *e)
{
	struct cost	was;
	double		n;

	if (gauge_begin(g, e) == -1 ||
	    spent(s, first, second, &was, e) == -1 ||
	    gauge_rate(g, per_s, e) == -1 ||
	    spent(s, first, second, cost, e) == -1)
		return -1;
	n = (double)(g->n - g->first);
	cost->broker_us = (cost->broker_us - was.broker_us) / n;
	cost->fanout_us = (cost->fanout_us - was.fanout_us) / n;
	cost->reader_us = (cost->reader_us - was.reader_us) / n;
	return 0;
}

int
ceiling_run(struct stage *s, const struct crowd *c, const struct load *l,
    double *per_s, struct cost *cost, struct error *e)
{
	struct gauge	g;
	pid_t		first = 0, second = 0;
	int		r;

	if (gauge_init(&g, s->bus, DLV, (uint64_t)l->members * l->messages,
	    e) == -1 || crowd_post(c, s, "bench.chat", l, e) == -1)
		return -1;
	r = -1;
	if ((second = start_hop(s, c, NULL, DINBOX, "bench.dlv", e)) != 0 &&
	    (first = start_hop(s, c, l, CHAT, "bench.dinbox", e)) != 0 &&
	    (r = gauge(s, &g, first, second, per_s, cost, e)) == 0)
		r = empty(s, e);
	end_hop(first);
	end_hop(second);
	return r;
}

static int
with_hops(struct stage *s, const struct crowd *c, const struct load *l,
    measure_way_fn *fn, void *arg, struct latency_result *result,
    struct error *e)
{
	const struct way	way = { "bench.chat", DLV, await_idle };
	pid_t			first = 0, second = 0;
	int			r = -1;

	if ((second = start_hop(s, c, NULL, DINBOX, "bench.dlv", e)) != 0 &&
	    (first = start_hop(s, c, l, CHAT, "bench.dinbox", e)) != 0 &&
	    (r = fn(arg, &way, result, e)) == 0)
		r = empty(s, e);
	end_hop(first);
	end_hop(second);
	return r;
}

int
ceiling_and_space(struct stage *s, const struct crowd *c,
    const struct load *l, measure_way_fn *fn, void *arg,
    struct latency_result *ours, struct latency_result *bare,
    struct error *e)
{
	struct way	way;

	if (with_hops(s, c, l, fn, arg, bare, e) == -1)
		return -1;
	way_of_space(&way, s);
	return fn(arg, &way, ours, e);
}
