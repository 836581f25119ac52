/* SPDX-License-Identifier: ISC */

/* What `reeve init` makes on the broker. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channels.h"
#include "clock.h"
#include "egress.h"
#include "jetstream.h"
#include "json.h"
#include "records.h"
#include "setup.h"
#include "shards.h"
#include "space.h"
#include "worker.h"

#define BROKER_START_MS	10000
#define SETUP_TTL_S	300
#define REPLICAS_VERSION "2.9.22"

/* --- streams and buckets ------------------------------------------------------- */

static int
make_stream(struct setup *s, struct bus *b, cJSON *config, struct error *e)
{
	const cJSON	*name = json_get(config, "name");
	int		 r;

	if (config == NULL)
		return error_errno(e, EX_OSERR, "stream");
	r = js_stream_create(b, config, e);
	if (r == 1)
		setup_say(s, "made %s", name->valuestring);
	else if (r == -1 && e->api == JS_STREAM_IN_USE) {
		fprintf(stderr, "reeve: %s is there with other settings; "
		    "they are kept\n", name->valuestring);
		r = 0;
	}
	cJSON_Delete(config);
	return r == -1 ? -1 : 0;
}

static int
make_streams(struct setup *s, struct bus *b, struct error *e)
{
	unsigned	i;

	for (i = 0; i < N_STREAMS; i++)
		if (make_stream(s, b, space_stream(s->config,
		    (enum stream_kind)i), e) == -1)
			return -1;
	for (i = 0; i < N_BUCKETS; i++)
		if (make_stream(s, b, space_bucket(s->config,
		    (enum bucket_kind)i), e) == -1)
			return -1;
	return 0;
}

/* Set-up says what a channel is that nobody has said anything of. */
static int
make_defaults(struct setup *s, struct bus *b, struct error *e)
{
	char			 stream[STREAM_MAX], subject[SUBJECT_MAX];
	struct js_message	 m;
	struct channel_config	 config;
	struct bus_pub		 p = { .subject = subject, .expect = true };
	char			*body = NULL;
	int			 found, r = -1;

	memset(&config, 0, sizeof(config));
	config.replay_window_ms = -1;
	name_bucket_stream(stream, sizeof(stream), s->config->space,
	    BUCKET_CHANNELS);
	name_bucket_key(subject, sizeof(subject), s->config->space,
	    BUCKET_CHANNELS, CHANNEL_DEFAULTS_KEY);
	found = js_get(b, stream, JS_LAST_BY_SUBJECT, 0, subject, &m, e);
	if (found == -1)
		return -1;
	if (found == 1) {
		p.expect_seq = m.seq;
		if (!m.deleted && channel_config_read(&config, m.data, m.len,
		    e) == -1)
			goto out;
	}
	if (config.delivery_class != CLASS_UNSET) {
		r = 0;
		goto out;
	}
	config.delivery_class = CLASS_DURABLE;
	body = channel_config_write(&config, found == 1 && !m.deleted ?
	    m.data : NULL, found == 1 ? m.len : 0);
	if (body == NULL) {
		error_errno(e, EX_OSERR, "defaults");
		goto out;
	}
	p.data = body;
	p.len = strlen(body);
	if ((r = js_publish(b, &p, NULL, NULL, e)) == 0)
		setup_say(s, "channels are durable by default");
out:
	free(body);
	channel_config_free(&config);
	if (found == 1)
		js_message_free(&m);
	return r;
}

/* --- durables --------------------------------------------------------------------- */

/* 1: there; 0: not; -1: *e. */
static int
durable_exists(struct bus *b, const char *stream, const char *name,
    struct error *e)
{
	struct js_consumer	c;

	if (js_consumer_info(b, stream, name, &c, e) == -1)
		return e->api == JS_NO_CONSUMER ? 0 : -1;
	js_consumer_free(&c);
	return 1;
}

/* Where a fan-out is to begin, said or safe: with members there is no safe
 * guess. */
static int
begin_fanout(struct setup *s, struct bus *b, cJSON *config, struct error *e)
{
	char			 stream[STREAM_MAX];
	struct js_stream	 members;
	unsigned long long	 seq;

	name_bucket_stream(stream, sizeof(stream), s->config->space,
	    BUCKET_MEMBERS);
	if (js_stream_info(b, stream, &members, e) == -1)
		return -1;
	if (s->fanout_from == NULL) {
		if (members.messages == (s->layout_seq != 0))
			return 0;
		return error_set(e, EX_CONFIG, "the durable %s is missing"
		    " but there are members: say where it is to begin with "
		    "--fanout-from SEQ (of the chat stream), first (all that "
		    "is kept is delivered, some of it perhaps twice) or new "
		    "(what was said since it went is lost)",
		    json_get(config, "name")->valuestring);
	}
	if (strcmp(s->fanout_from, "new") == 0)
		return 0;
	cJSON_DeleteItemFromObjectCaseSensitive(config, "deliver_policy");
	if (strcmp(s->fanout_from, "first") == 0) {
		cJSON_AddStringToObject(config, "deliver_policy", "all");
		return 0;
	}
	seq = strtoull(s->fanout_from, NULL, 10);
	cJSON_AddStringToObject(config, "deliver_policy",
	    "by_start_sequence");
	cJSON_AddNumberToObject(config, "opt_start_seq", (double)seq);
	return 0;
}

static int
make_durable(struct setup *s, struct bus *b, enum stream_kind kind,
    unsigned shard, cJSON *config, struct error *e)
{
	char		 stream[STREAM_MAX];
	const char	*name = json_get(config, "name")->valuestring;
	int		 r;

	name_stream(stream, sizeof(stream), s->config->space, kind);
	if ((r = durable_exists(b, stream, name, e)) == 0) {
		if (kind == STREAM_CHAT)
			r = begin_fanout(s, b, config, e);
		/* What this host knows better would go before what is said. */
		if (r == 0 && kind == STREAM_CHAT && s->fanout_from != NULL)
			r = worker_forget(s->config, "fanout", shard, e);
		if (r == 0)
			r = js_consumer_create(b, stream, name, config, NULL,
			    e);
		if (r == 0)
			setup_say(s, "made the durable %s of %s", name,
			    stream);
	}
	cJSON_Delete(config);
	return r == -1 ? -1 : 0;
}

/* --- how many shards ------------------------------------------------------------- */

/* A space that never delivered anything may be cut as is wished; any other
 * is as it is. */
static int
settle_shards(struct setup *s, struct bus *b, struct error *e)
{
	struct layout	l;
	char		chat[STREAM_MAX];
	unsigned	want = (unsigned)s->want_shards;
	int		there;

	if (shards_read(b, s->config->space, &l, &s->layout_seq, e) ==
	    -1)
		return -1;
	s->shards = l.shards;
	if (want == 0 || want == l.shards)
		return 0;
	name_stream(chat, sizeof(chat), s->config->space, STREAM_CHAT);
	there = durable_exists(b, chat, "fanout", e);
	if (there == -1)
		return -1;
	if (there == 1 || s->layout_seq != 0)
		return error_set(e, EX_CONFIG, "--shards: the space has %u; "
		    "change that with `reeve reshard %u`", l.shards, want);
	s->shards = l.shards = want;
	if (shards_write(b, s->config->space, &l, &s->layout_seq, e) ==
	    -1)
		return -1;
	setup_say(s, "cut the space into %u shards", want);
	return 0;
}

static int
make_durables(struct setup *s, struct bus *b, struct error *e)
{
	const char	*space = s->config->space;
	unsigned	 i;

	for (i = 0; i < s->shards; i++)
		if (make_durable(s, b, STREAM_CHAT, i, space_fanout(space, i,
		    s->shards), e) == -1 ||
		    make_durable(s, b, STREAM_INBOX, i, space_reader(space, i,
		    s->shards), e) == -1)
			return -1;
	return 0;
}

static int	connect_setup(struct setup *, unsigned, struct creds *,
		    struct bus **, struct error *);

/* What is made for many shards takes a credential that names them. */
static int
make_all(struct setup *s, struct bus *b, struct error *e)
{
	struct creds	 c;
	struct bus	*wide = NULL;
	int		 r;

	if (make_streams(s, b, e) == -1 || make_defaults(s, b, e) == -1 ||
	    settle_shards(s, b, e) == -1)
		return -1;
	if (s->shards == 1)
		return make_durables(s, b, e);
	memset(&c, 0, sizeof(c));
	r = connect_setup(s, s->shards, &c, &wide, e);
	if (r == 0)
		r = make_durables(s, wide, e);
	bus_close(wide);
	creds_wipe(&c);
	return r;
}

/* --- the broker's version ------------------------------------------------------------ */

/* The first line of a NATS connection says it, before any credential. */
static int
read_info(const char *server, char *buf, size_t size, struct error *e)
{
	struct addrinfo	 hints = { .ai_socktype = SOCK_STREAM }, *ai = NULL;
	char		 host[256], *port;
	ssize_t		 n = -1;
	int		 fd = -1;

	snprintf(host, sizeof(host), "%s", strstr(server, "://") != NULL ?
	    strstr(server, "://") + 3 : server);
	host[strcspn(host, ",/")] = '\0';
	if ((port = strrchr(host, ':')) != NULL)
		*port++ = '\0';
	if (getaddrinfo(host, port != NULL ? port : "4222", &hints, &ai) == 0)
		fd = egress_connect(ai, 0);
	if (fd != -1)
		n = read(fd, buf, size - 1);
	if (ai != NULL)
		freeaddrinfo(ai);
	if (fd != -1)
		close(fd);
	if (n <= 0)
		return error_set(e, EX_UNAVAILABLE, "%s does not answer",
		    server);
	buf[n] = '\0';
	return 0;
}

/* Older ones serve stale reads after a restart and lose durable pull
 * consumers on a leader change. */
static int
check_replicas(const struct setup *s, struct error *e)
{
	char		 info[4096];
	const char	*v;
	int		 major = 0, minor = 0, patch = 0;

	if (s->config->replicas == 1)
		return 0;
	if (read_info(s->config->servers, info, sizeof(info), e) == -1)
		return -1;
	v = strstr(info, "\"version\":\"");
	if (v == NULL || sscanf(v + 11, "%d.%d.%d", &major, &minor, &patch)
	    != 3)
		return error_set(e, EX_PROTOCOL, "%s does not say its version",
		    s->config->servers);
	if (major > 2 || (major == 2 && (minor > 9 || (minor == 9 &&
	    patch >= 22))))
		return 0;
	return error_set(e, EX_UNAVAILABLE, "replicas = %d needs nats-server "
	    REPLICAS_VERSION " or newer; %s is %d.%d.%d, which serves stale "
	    "reads after a restart", s->config->replicas, s->config->servers,
	    major, minor, patch);
}

/* --- reaching it ------------------------------------------------------------------------ */

/* With a credential for so many shards, minted unless c is one already. */
static int
connect_setup(struct setup *s, unsigned shards, struct creds *c,
    struct bus **b, struct error *e)
{
	struct scope	scope = { .space = s->config->space,
			    .shards = shards };
	struct bus_conf	conf = { .servers = s->config->servers, .creds = c,
			    .name = "reeve setup" };

	if (c->jwt == NULL && trust_mint(&s->trust, PROFILE_SETUP, &scope,
	    SETUP_TTL_S, c, e) == -1)
		return -1;
	return bus_open(b, &conf, e);
}

static pid_t
start_broker(struct setup *s, struct error *e)
{
	char	*server = setup_nats_server(e);
	char	*conf = config_path(s->config, "broker/nats.conf");
	char	*log = config_path(s->config, "broker/setup.log");
	char	 name[] = "nats-server", option[] = "-c";
	char	*argv[] = { name, option, conf, NULL };
	pid_t	 pid = -1;
	/* Killed, we must not leave it behind: it holds the store. */
	struct egress_start	start = { .whose = EGRESS_OTHERS,
				    .path = server, .argv = argv,
				    .env = environ, .in_fd = STDIN_FILENO,
				    .bound = true };

	if (server == NULL)
		;
	else if (conf == NULL || log == NULL)
		error_errno(e, EX_OSERR, "broker");
	else {
		start.out_fd = start.err_fd = open(log, O_WRONLY | O_CREAT |
		    O_TRUNC | O_CLOEXEC, 0600);
		pid = egress_start(&start, e);
		if (start.out_fd != -1)
			close(start.out_fd);
	}
	free(log);
	free(conf);
	free(server);
	return pid;
}

static int
wait_broker(struct setup *s, pid_t pid, struct creds *c,
    struct bus **b, struct error *e)
{
	int64_t	deadline = clock_ms() + BROKER_START_MS;
	int	status;

	while (connect_setup(s, 1, c, b, e) == -1) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return error_set(e, EX_UNAVAILABLE, "nats-server does "
			    "not start on %s:%d; %s/broker/setup.log says why",
			    s->config->listen_host, s->config->listen_port,
			    s->config->state);
		if (clock_ms() > deadline) {
			(void)egress_child(pid, SIGTERM);
			(void)waitpid(pid, &status, 0);
			return -1;
		}
		usleep(20000);
	}
	return 0;
}

static void
stop_broker(pid_t pid)
{
	int	status;

	(void)egress_child(pid, SIGTERM);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
}

int
setup_space(struct setup *s, struct error *e)
{
	struct creds	 c;
	struct bus	*b = NULL;
	pid_t		 broker = -1;
	int		 r;

	memset(&c, 0, sizeof(c));
	r = connect_setup(s, 1, &c, &b, e);
	if (r == -1 && s->config->embedded && e->code == EX_UNAVAILABLE) {
		if ((broker = start_broker(s, e)) != -1)
			r = wait_broker(s, broker, &c, &b, e);
		if (r == -1)
			broker = -1;
	}
	if (r == 0 && (r = check_replicas(s, e)) == 0)
		r = make_all(s, b, e);
	bus_close(b);
	if (broker != -1)
		stop_broker(broker);
	creds_wipe(&c);
	return r;
}
