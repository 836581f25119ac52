/* SPDX-License-Identifier: ISC */

/*
 * failover: how soon another host works when the one that did is stopped, and
 * when it is killed (bench/README).
 *
 *	failover [--check] [TTL...]
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "bus.h"
#include "clock.h"
#include "conf.h"
#include "creds.h"
#include "files.h"
#include "log.h"
#include "props.h"
#include "records.h"
#include "warden.h"

#define START_MS	20000
#define STOP_MOST_MS	1000
#define KILL_MORE_MS	2000	/* than the TTL */
#define TTL_MIN_S	2
#define TTL_MAX_S	600

static const char *const roles[] = { "lease", "fanout", "reader", "control",
	NULL };

/* A state directory and who runs it. */
struct machine {
	char	state[80];
	char	id[64];
	pid_t	reeved;
};

struct failover {
	bool		 check, failed;
	unsigned	 ttls[8], n_ttls;

	/* one space at a time */
	struct machine	 broker, hosts[2];
	struct creds	 creds;
	struct bus	*bus;
	/* the lease as it was last written */
	char		 holder[HOST_IDENTITY_MAX];
	bool		 ready;
	unsigned	 renewals;
};

static char		 dir[] = "/tmp/reeve-bench-XXXXXX";

/* --- a machine ----------------------------------------------------------------- */

static int
start(struct machine *h, struct error *e)
{
	const char *const	argv[] = { "reeved", "--state", h->state,
				    NULL };

	h->reeved = props_start(dir, argv, e);
	return h->reeved == -1 ? -1 : 0;
}

static void
stop(struct machine *h)
{
	if (h->reeved > 0 && kill(h->reeved, SIGTERM) == 0)
		(void)props_await(h->reeved);
	h->reeved = 0;
}

/* The machine is gone: nothing of it says a word more. */
static void
crash(struct machine *h)
{
	char	path[400], *text;
	int	i;
	pid_t	pid;

	kill(h->reeved, SIGSTOP);
	for (i = 0; roles[i] != NULL; i++) {
		snprintf(path, sizeof(path), "%s/service/%s/supervise/pid",
		    h->state, roles[i]);
		text = file_read(path, 64, NULL, NULL);
		if (text != NULL && (pid = (pid_t)atoi(text)) > 1)
			kill(pid, SIGKILL);
		free(text);
	}
	kill(h->reeved, SIGKILL);
	(void)props_await(h->reeved);
	h->reeved = 0;
}

/* --- a space of two hosts ------------------------------------------------------------ */

/* A host of its own for the broker: it is not to die with one that works. */
static int
make_broker(struct failover *f, unsigned ttl_s, int port, struct error *e)
{
	char			 listen[32], ttl[32], path[200];
	struct machine		*h = &f->broker;
	const char *const	 argv[] = { "reeve", "init", "--state", h->state,
				    "--space", PROPS_SPACE, "--listen", listen,
				    "--lease-ttl", ttl, "--no-agents", NULL };
	int			 i, fd;

	snprintf(h->state, sizeof(h->state), "%s/broker-%u", dir, ttl_s);
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
	snprintf(ttl, sizeof(ttl), "%us", ttl_s);
	if (props_run(dir, argv, e) == -1)
		return -1;
	for (i = 0; roles[i] != NULL; i++) {
		snprintf(path, sizeof(path), "%s/service/%s/down", h->state,
		    roles[i]);
		if ((fd = open(path, O_WRONLY | O_CREAT, 0600)) == -1)
			return error_errno(e, EX_CANTCREAT, "%s", path);
		close(fd);
	}
	return start(h, e);
}

static int
reach(struct failover *f, int port, struct error *e)
{
	char	servers[64];

	snprintf(servers, sizeof(servers), "nats://127.0.0.1:%d", port);
	if (props_user(&f->creds, f->broker.state, e) == -1)
		return -1;
	return props_reach(&f->bus, servers, &f->creds, clock_ms() + START_MS,
	    e);
}

static int
make_host(struct failover *f, unsigned i, unsigned ttl_s, int port,
    struct error *e)
{
	char			 server[64], trust[200], path[200], *text;
	struct machine		*h = &f->hosts[i];
	const char *const	 argv[] = { "reeve", "init", "--state", h->state,
				    "--space", PROPS_SPACE, "--server", server,
				    "--import-trust", trust, "--no-agents",
				    NULL };

	snprintf(h->state, sizeof(h->state), "%s/host%u-%u", dir, i,
	    ttl_s);
	snprintf(server, sizeof(server), "nats://127.0.0.1:%d", port);
	snprintf(trust, sizeof(trust), "%s/trust/auth.json",
	    f->broker.state);
	snprintf(path, sizeof(path), "%s/host-id", h->state);
	if (props_run(dir, argv, e) == -1 ||
	    (text = file_read(path, sizeof(h->id), NULL, e)) == NULL)
		return -1;
	snprintf(h->id, sizeof(h->id), "%.*s", (int)strcspn(text, "\n"),
	    text);
	free(text);
	return 0;
}

/* --- the lease ------------------------------------------------------------------------ */

static void
on_lease(void *arg, natsMsg *m)
{
	struct failover	*f = arg;
	struct lease	 l;

	f->ready = false;
	f->holder[0] = '\0';
	if (bus_header(m, "KV-Operation") == NULL) {
		if (lease_read(&l, natsMsg_GetData(m),
		    (size_t)natsMsg_GetDataLength(m), NULL) == 0 &&
		    l.host != NULL) {
			snprintf(f->holder, sizeof(f->holder), "%s", l.host);
			f->ready = l.ready && !l.releasing;
			f->renewals++;
		}
		lease_free(&l);
	}
	bus_msg_free(m);
}

static bool
works(const struct failover *f, const struct machine *h)
{
	return f->ready && strncmp(f->holder, h->id, strlen(h->id)) == 0;
}

static int
await_works(struct failover *f, const struct machine *h, int64_t most_ms,
    struct error *e)
{
	int64_t	until = clock_ms() + most_ms;

	while (!works(f, h)) {
		if (clock_ms() > until || !bus_alive(f->bus))
			return error_set(e, EX_TEMPFAIL, "no host works "
			    "after %lld ms", (long long)most_ms);
		bus_turn(f->bus, NULL, 0, 100);
	}
	return 0;
}

/* Connected and up to date, it waits for the lease. */
static int
stand_by(struct machine *h, struct error *e)
{
	const char *const	argv[] = { "reeve", "wait", "--state", h->state,
				    "--ready", "all", "--timeout", "20s",
				    NULL };

	return start(h, e) == -1 ? -1 : props_run(dir, argv, e);
}

/* The worst moment to die is just after a renewal. */
static int
await_renewal(struct failover *f, int64_t most_ms, struct error *e)
{
	int64_t		until = clock_ms() + most_ms;
	unsigned	was = f->renewals;

	while (f->renewals == was) {
		if (clock_ms() > until || !bus_alive(f->bus))
			return error_set(e, EX_TEMPFAIL, "the lease is not "
			    "renewed");
		bus_turn(f->bus, NULL, 0, 100);
	}
	return 0;
}

/* --- measuring ------------------------------------------------------------------------- */

static int
measure(struct failover *f, int64_t ttl_ms, int64_t *stop_ms,
    int64_t *kill_ms, struct error *e)
{
	struct machine	*a = &f->hosts[0], *b = &f->hosts[1];
	int64_t		 began;

	if (start(a, e) == -1 || await_works(f, a, START_MS, e) == -1 ||
	    stand_by(b, e) == -1)
		return -1;
	began = clock_ms();
	kill(a->reeved, SIGTERM);
	if (await_works(f, b, ttl_ms + START_MS, e) == -1)
		return -1;
	*stop_ms = clock_ms() - began;
	stop(a);
	if (stand_by(a, e) == -1 ||
	    await_renewal(f, ttl_ms + START_MS, e) == -1)
		return -1;
	began = clock_ms();
	crash(b);
	if (await_works(f, a, ttl_ms + START_MS, e) == -1)
		return -1;
	*kill_ms = clock_ms() - began;
	return 0;
}

static void
judge(struct failover *f, unsigned ttl_s, const char *what, int64_t is,
    int64_t most)
{
	if (!f->check || is <= most)
		return;
	f->failed = true;
	fprintf(stderr, "bench failover ttl_s=%u %s_ms=%lld most=%lld FAIL\n",
	    ttl_s, what, (long long)is, (long long)most);
}

static int
measure_ttl(struct failover *f, unsigned ttl_s, struct error *e)
{
	int64_t	stop_ms, kill_ms, ttl_ms = (int64_t)ttl_s * 1000;
	int	port = props_free_port(e);

	if (port == -1 || make_broker(f, ttl_s, port, e) == -1 ||
	    reach(f, port, e) == -1 ||
	    bus_subscribe(f->bus, "$KV.cotal_delivery_" PROPS_SPACE ".lease.0",
	    NULL, on_lease, f, e) == NULL ||
	    make_host(f, 0, ttl_s, port, e) == -1 ||
	    make_host(f, 1, ttl_s, port, e) == -1 ||
	    measure(f, ttl_ms, &stop_ms, &kill_ms, e) == -1)
		return -1;
	printf("bench failover ttl_s=%u stop_ms=%lld kill_ms=%lld\n", ttl_s,
	    (long long)stop_ms, (long long)kill_ms);
	judge(f, ttl_s, "stop", stop_ms, STOP_MOST_MS);
	judge(f, ttl_s, "kill", kill_ms, ttl_ms + KILL_MORE_MS);
	return 0;
}

static void
end_space(struct failover *f)
{
	stop(&f->hosts[0]);
	stop(&f->hosts[1]);
	bus_close(f->bus);
	f->bus = NULL;
	stop(&f->broker);
	creds_wipe(&f->creds);
	memset(&f->creds, 0, sizeof(f->creds));
	f->ready = false;
}

static int
run(void *arg)
{
	struct failover	*f = arg;
	struct error	 e;
	unsigned	 i;
	int		 r = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_init("role=bench", LOG_LEVEL_WARN);
	if (sodium_init() == -1)
		return EX_SOFTWARE;
	for (i = 0; r == 0 && i < f->n_ttls; i++) {
		r = measure_ttl(f, f->ttls[i], &e);
		end_space(f);
	}
	if (r == -1) {
		fprintf(stderr, "bench: %s\n", e.text);
		return e.code;
	}
	return f->failed ? 1 : EX_OK;
}

static bool
parse(struct failover *f, int argc, char **argv)
{
	unsigned long	v;
	char		*end;
	int		 i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--check") == 0) {
			f->check = true;
			continue;
		}
		v = strtoul(argv[i], &end, 10);
		if (*end != '\0' || v < TTL_MIN_S || v > TTL_MAX_S ||
		    f->n_ttls == sizeof(f->ttls) / sizeof(f->ttls[0]))
			return false;
		f->ttls[f->n_ttls++] = (unsigned)v;
	}
	if (f->n_ttls == 0) {
		f->ttls[f->n_ttls++] = 5;
		f->ttls[f->n_ttls++] = 30;
	}
	return true;
}

int
main(int argc, char **argv)
{
	static struct failover	f;

	if (!parse(&f, argc, argv)) {
		fprintf(stderr, "usage: failover [--check] [TTL...]\n"
		    "TTL: of the lease, %d to %d seconds\n", TTL_MIN_S,
		    TTL_MAX_S);
		return EX_USAGE;
	}
	if (mkdtemp(dir) == NULL) {
		fprintf(stderr, "bench: %s: %s\n", dir, strerror(errno));
		return EX_CANTCREAT;
	}
	return warden_run(dir, run, &f);
}
