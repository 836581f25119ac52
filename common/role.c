/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <sys/signalfd.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <cjson/cJSON.h>
#include <sodium.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "layout.h"
#include "log.h"
#include "names.h"
#include "role.h"

#define HEALTH_MS	1000
#define SILENT_MS	3000	/* heartbeats come twice a second ... */
#define PROBE_MS	1000	/* or, where there are none, an echo */
#define BACKOFF_MIN_MS	50
#define BACKOFF_MAX_MS	1000
#define REFUSED_MS	3000	/* a broker that starts or stops may refuse */

const char *const role_state_names[] = { "starting", "paused", "bound",
	"stopped", NULL };

struct options {
	char		*state;
	unsigned	 shard, shards;
	int		 notify_fd;
	enum log_level	 level;
};

/* --- starting ---------------------------------------------------------------- */

static void
usage(const struct role_def *def, FILE *f)
{
	static const char *const	own[] = {
		[ROLE_OF_SHARD] = " [--shard N] [--shards N]\n\t",
		[ROLE_OF_HOST] = " " };

	fprintf(f, "usage: reeve-%s [--debug] [--state DIR]%s[--notify-fd N]\n"
	    "       reeve-%s --help | --version\n", def->name, own[def->scope],
	    def->name);
}

/* False, and says so, when text is no number of the range. */
static bool
number(const struct role_def *def, const char *name, const char *text,
    int least, int most, int *n)
{
	const char	*why = NULL;

	/* strtonum passes over a blank and a plus. */
	if (*text < '0' || *text > '9')
		why = "invalid";
	else
		*n = (int)strtonum(text, least, most, &why);
	if (why != NULL)
		fprintf(stderr, "reeve-%s: --%s: expected a number from %d to "
		    "%d, not \"%s\"\n", def->name, name, least, most, text);
	return why == NULL;
}

/* Options that only a shard's role has. */
static bool
is_foreign(const struct role_def *def, int c)
{
	return (c == 'n' || c == 'N') && def->scope != ROLE_OF_SHARD;
}

/* -1: go on; else the exit code. */
static int
check_options(const struct role_def *def, const struct options *o)
{
	if (o->shard >= o->shards)
		fprintf(stderr, "reeve-%s: --shard %u of --shards %u: there "
		    "is none\n", def->name, o->shard, o->shards);
	else
		return -1;
	return EX_USAGE;
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, const struct role_def *def,
    struct options *o)
{
	static const struct option	longs[] = {
		{ "state", required_argument, NULL, 's' },
		{ "shard", required_argument, NULL, 'n' },
		{ "shards", required_argument, NULL, 'N' },
		{ "notify-fd", required_argument, NULL, 'f' },
		{ "debug", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	int	c, n;

	while ((c = getopt_long(argc, argv, "dhV", longs, NULL)) != -1) {
		switch (is_foreign(def, c) ? '?' : c) {
		case 's':
			o->state = optarg;
			break;
		case 'n':
			if (!number(def, "shard", optarg, 0,
			    LAYOUT_SHARDS_MAX - 1, &n))
				return EX_USAGE;
			o->shard = (unsigned)n;
			break;
		case 'N':
			if (!number(def, "shards", optarg, 1,
			    LAYOUT_SHARDS_MAX, &n))
				return EX_USAGE;
			o->shards = (unsigned)n;
			break;
		case 'f':
			if (!number(def, "notify-fd", optarg, 0, INT_MAX,
			    &o->notify_fd))
				return EX_USAGE;
			break;
		case 'd':
			o->level = LOG_LEVEL_DEBUG;
			break;
		case 'V':
			printf("reeve-%s %s\n", def->name, PACKAGE_VERSION);
			return EX_OK;
		case 'h':
			usage(def, stdout);
			return EX_OK;
		default:
			usage(def, stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		usage(def, stderr);
		return EX_USAGE;
	}
	return check_options(def, o);
}

/* <dir>/<role>, for which shard, and what kind of file; malloc'd. */
static char *
own_path(const struct role *r, const char *dir, const char *suffix)
{
	const char	*name = r->def->name;

	if (r->def->scope == ROLE_OF_HOST)
		return config_path(&r->config, "%s/%s%s", dir, name, suffix);
	return config_path(&r->config, "%s/%s-%u%s", dir, name, r->shard,
	    suffix);
}

/* One instance of a role on a host, for each shard. */
static int
lock_role(struct role *r, struct error *e)
{
	char	*path = own_path(r, "lock", ""), who[80];

	if (path == NULL)
		return error_errno(e, EX_OSERR, "lock");
	if (r->def->scope == ROLE_OF_SHARD)
		snprintf(who, sizeof(who), "reeve-%s of shard %s",
		    r->def->name, r->shard_text);
	else
		snprintf(who, sizeof(who), "reeve-%s", r->def->name);
	r->lock_fd = file_lock(path, who, e);
	free(path);
	return r->lock_fd == -1 ? -1 : 0;
}

static int
load_creds(struct role *r, struct error *e)
{
	char	*path = own_path(r, "creds", ".creds");
	int	 rv;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "creds");
	rv = creds_load(&r->creds, path, e);
	free(path);
	return rv;
}

static int
open_signals(struct role *r, struct error *e)
{
	sigset_t	set;

	/* Before libnats makes its threads: they inherit the mask. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signal_fd == -1 ? error_errno(e, EX_OSERR, "signalfd") : 0;
}

static int
load(struct role *r, const struct options *o, struct error *e)
{
	if (config_open(&r->config, o->state, e) == -1 ||
	    host_load(&r->host, &r->config, e) == -1)
		return -1;
	return load_creds(r, e);
}

/* --- signals, health -------------------------------------------------------------- */

static void
take_signals(struct role *r)
{
	struct signalfd_siginfo	si;

	while (read(r->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		log_info("signal", "number=%u from=%u", si.ssi_signo,
		    si.ssi_pid);
		if (si.ssi_signo == SIGHUP)
			r->reload = true;
		else
			r->stop = true;
	}
}

static void
publish_health(struct role *r)
{
	char		 subject[SUBJECT_MAX], *body;
	struct bus_pub	 p = { .subject = subject };
	cJSON		*o;

	r->health_ms = clock_ms();
	if ((o = cJSON_CreateObject()) == NULL)
		fatal_memory();
	cJSON_AddStringToObject(o, "role", r->def->name);
	cJSON_AddStringToObject(o, "host", r->host.uuid);
	cJSON_AddStringToObject(o, "identity", r->host.identity);
	if (r->def->scope == ROLE_OF_SHARD)
		cJSON_AddNumberToObject(o, "shard", r->shard);
	cJSON_AddStringToObject(o, "state", role_state_names[r->state]);
	cJSON_AddNumberToObject(o, "pid", getpid());
	cJSON_AddNumberToObject(o, "ts", (double)clock_epoch_ms());
	if (r->def->health != NULL)
		r->def->health(r, o);
	body = json_print(o);
	cJSON_Delete(o);
	if (body == NULL)
		fatal_memory();
	subject_health(subject, sizeof(subject), r->config.space,
	    r->shard_text, r->def->name, r->host.uuid);
	p.data = body;
	p.len = strlen(body);
	(void)bus_publish(r->bus, &p, NULL);
	free(body);
}

void
role_say_ready(struct role *r)
{
	if (r->notify_fd == -1)
		return;
	if (write(r->notify_fd, "\n", 1) == -1)
		log_warn("cannot say ready", "fd=%d error=%s", r->notify_fd,
		    log_str(strerror(errno)));
	close(r->notify_fd);
	r->notify_fd = -1;
}

bool
role_owns(const struct role *r, const char *owner)
{
	return name_shard(owner, r->shards) == r->shard;
}

void
role_set_state(struct role *r, enum role_state state, const char *why)
{
	if (state == r->state)
		return;
	log_info(role_state_names[state], "was=%s why=%s",
	    role_state_names[r->state], log_str(why));
	r->state = state;
	if (state == ROLE_BOUND) {
		r->backoff_ms = BACKOFF_MIN_MS;
		r->refused_ms = 0;
		role_say_ready(r);
	}
	if (r->bus != NULL && bus_alive(r->bus))
		publish_health(r);
}

/* Who watches nothing would take a quiet link for a dead one. */
static void
probe(struct role *r)
{
	if (r->def->scope == ROLE_OF_SHARD || !bus_alive(r->bus) ||
	    bus_silent_ms(r->bus) < PROBE_MS ||
	    clock_ms() - r->probed_ms < PROBE_MS)
		return;
	r->probed_ms = clock_ms();
	(void)bus_probe(r->bus, NULL);
}

bool
role_turn(struct role *r, int64_t timeout_ms)
{
	struct pollfd	p = { .fd = r->signal_fd, .events = POLLIN };
	int64_t		every = r->health_every_ms > 0 ?
			    r->health_every_ms : HEALTH_MS;
	int64_t		left = r->health_ms + every - clock_ms();

	bus_turn(r->bus, &p, 1, left < timeout_ms ? left : timeout_ms);
	if (p.revents != 0)
		take_signals(r);
	if (clock_ms() - r->health_ms >= every && bus_alive(r->bus))
		publish_health(r);
	probe(r);
	if (bus_alive(r->bus) && bus_silent_ms(r->bus) > SILENT_MS) {
		log_warn("link is silent", "ms=%lld",
		    (long long)bus_silent_ms(r->bus));
		return false;
	}
	return bus_alive(r->bus) && !r->stop && !r->reload;
}

/* --- sessions -------------------------------------------------------------------------- */

static bool
is_fatal(int code)
{
	return code == EX_CONFIG || code == EX_NOPERM || code == EX_SOFTWARE;
}

/* One that refuses us still, after a while, is no use to retry. */
static bool
gives_up(struct role *r, int code)
{
	if (code != EX_NOPERM) {
		r->refused_ms = 0;
		return is_fatal(code);
	}
	if (r->refused_ms == 0)
		r->refused_ms = clock_ms();
	return clock_ms() - r->refused_ms >= REFUSED_MS;
}

/* Wait with back-off, awake to signals. */
static void
pause_before_next(struct role *r)
{
	struct pollfd	p = { .fd = r->signal_fd, .events = POLLIN };

	if (poll(&p, 1, (int)(r->backoff_ms / 2 +
	    randombytes_uniform((uint32_t)r->backoff_ms))) > 0)
		take_signals(r);
	r->backoff_ms *= 2;
	if (r->backoff_ms > BACKOFF_MAX_MS)
		r->backoff_ms = BACKOFF_MAX_MS;
}

static int
one_session(struct role *r, struct error *e)
{
	struct bus_conf	conf = { .servers = r->config.servers,
			    .creds = &r->creds };
	int		rv;

	conf.name = r->who;
	if (bus_open(&r->bus, &conf, e) == -1)
		return -1;
	r->sessions++;
	r->health_ms = 0;
	rv = r->def->session(r, e);
	if (rv == 0 && !bus_alive(r->bus))
		rv = error_set(e, EX_TEMPFAIL, "connection lost: %s",
		    bus_why(r->bus));
	else if (rv == 0 && !r->stop && !r->reload)
		rv = error_set(e, EX_TEMPFAIL, "the link is silent");
	role_set_state(r, r->stop ? ROLE_STOPPED : ROLE_STARTING,
	    rv == -1 ? e->text : r->stop ? "told to stop" : "reloading");
	bus_close(r->bus);
	r->bus = NULL;
	return rv;
}

static int
run(struct role *r)
{
	struct error	e;

	for (;;) {
		e.code = 0;
		r->reload = false;
		if (one_session(r, &e) == -1 && !r->stop) {
			log_warn("session ended", "code=%d error=%s", e.code,
			    log_str(e.text));
			if (gives_up(r, e.code))
				return e.code;
		}
		if (r->stop)
			return EX_OK;
		if (!r->reload)
			pause_before_next(r);
		if (r->stop)
			return EX_OK;
	}
}

/* What it is called on the broker, and in its log. */
static void
name_role(struct role *r, char *log, size_t size)
{
	const char	*name = r->def->name;

	snprintf(r->shard_text, sizeof(r->shard_text), "%u", r->shard);
	if (r->def->scope == ROLE_OF_SHARD) {
		snprintf(r->who, sizeof(r->who), "reeve-%s-%u", name,
		    r->shard);
		snprintf(log, size, "role=%s shard=%u", name, r->shard);
		return;
	}
	snprintf(r->who, sizeof(r->who), "reeve-%s", name);
	snprintf(log, size, "role=%s", name);
	strlcpy(r->shard_text, NO_SHARD, sizeof(r->shard_text));
}

int
role_main(int argc, char **argv, const struct role_def *def)
{
	struct options	o = { .shards = 1, .notify_fd = -1,
			    .level = LOG_LEVEL_INFO };
	struct role	r;
	struct error	e = { .code = EX_SOFTWARE };
	char		who[256];
	int		code;

	if ((code = parse_options(argc, argv, def, &o)) != -1)
		return code;
	memset(&r, 0, sizeof(r));
	r.def = def;
	r.shard = o.shard;
	r.shards = o.shards;
	r.signal_fd = r.lock_fd = -1;
	/* Under a supervisor without readiness that number is not ours. */
	r.notify_fd = o.notify_fd > 2 && fcntl(o.notify_fd, F_SETFD,
	    FD_CLOEXEC) == 0 ? o.notify_fd : -1;
	r.backoff_ms = BACKOFF_MIN_MS;
	name_role(&r, who, sizeof(who));
	log_init(who, o.level);
	if (sodium_init() == -1 || load(&r, &o, &e) == -1 ||
	    open_signals(&r, &e) == -1 || lock_role(&r, &e) == -1 ||
	    (def->start != NULL && def->start(&r, &e) == -1)) {
		log_error("cannot start", "code=%d error=%s", e.code,
		    log_str(e.text));
		code = e.code;
	} else
		code = run(&r);
	log_info("exit", "code=%d sessions=%llu", code,
	    (unsigned long long)r.sessions);
	creds_wipe(&r.creds);
	config_free(&r.config);
	nats_Close();
	return code;
}
