/* SPDX-License-Identifier: ISC */

/*
 * attach: what it is like to use an agent's terminal through the broker,
 * beside a terminal of one's own (bench/README).
 *
 *	attach [--check]
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "conf.h"
#include "files.h"
#include "gauge.h"
#include "log.h"
#include "names.h"
#include "props.h"
#include "trust.h"
#include "warden.h"

#define START_MS	20000
#define WAIT_MS		60000
#define SETTLE_MS	200
#define ROWS		50
#define COLS		120
#define KEYS		1000
#define REST_US		3000		/* between one key and the next */
#define CAT_MB		50
#define PAINTS		50
#define ABOVE_MOST_MS	2.0		/* p50 of a key, above the local one */
#define PAINT_MOST_MS	50.0		/* p50 */

/* Agents and what they run; %s is the benchmark's directory. */
#define ECHOER	"stty raw -echo; printf READY; exec cat"
#define PRINTER	"stty -echo; printf READY; read x; cat '%s/text'; " \
		"printf THE-END; exec sleep 1000"
#define PAINTER	"i=0; while [ $i -lt 1200 ]; do printf '\\033[3%%dm%%0100d" \
		"\\033[m\\n' $((i %% 8)) $i; i=$((i + 1)); done; " \
		"printf READY; exec sleep 1000"

struct attach_bench {
	bool		 check, failed;
	char		 state[80];
	struct trust	 trust;
	pid_t		 reeved;
};

/* A terminal that somebody sits at. */
struct seat {
	int		 master;
	uint64_t	 bytes;
	char		 tail[64];	/* the last of them */
	size_t		 tail_len;
};

static char	dir[] = "/tmp/reeve-bench-XXXXXX";

/* --- a space with a broker, and agents ------------------------------------------ */

static int
start_space(struct attach_bench *b, struct error *e)
{
	static const char *const roles[] = { "lease", "fanout", "reader",
				    "control" };
	char			 listen[32], path[200];
	const char *const	 init[] = { "reeve", "init", "--state",
				    b->state, "--space", PROPS_SPACE,
				    "--listen", listen, NULL };
	const char *const	 run[] = { "reeved", "--state", b->state,
				    NULL };
	const char *const	 wait[] = { "reeve", "wait", "--state",
				    b->state, "--ready", "broker",
				    "--timeout", "20s", NULL };
	int			 port = props_free_port(e), fd;
	size_t			 i;

	snprintf(b->state, sizeof(b->state), "%s/state", dir);
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
	if (port == -1 || props_run(dir, init, e) == -1)
		return -1;
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		snprintf(path, sizeof(path), "%s/service/%s/down", b->state,
		    roles[i]);
		if ((fd = open(path, O_WRONLY | O_CREAT, 0600)) == -1)
			return error_errno(e, EX_CANTCREAT, "%s", path);
		close(fd);
	}
	snprintf(path, sizeof(path), "%s/trust/auth.json", b->state);
	if (trust_load(&b->trust, path, e) == -1 ||
	    (b->reeved = props_start(dir, run, e)) == -1)
		return -1;
	return props_run(dir, wait, e);
}

static int
put(const char *agent, const char *name, const char *text, struct error *e)
{
	char	path[600];

	snprintf(path, sizeof(path), "%s/%s", agent, name);
	return file_write_private(path, text, 0600, e);
}

/* Its id in id; its reeve-pty is started. */
static int
start_agent(struct attach_bench *b, const char *name, const char *script,
    char id[ID_MAX], struct error *e)
{
	const char *const	argv[] = { "reeve-pty", "--state", b->state,
				    "--agent", name, NULL };
	struct scope		scope = { .target = id };
	struct creds		c = { .jwt = NULL };
	struct nkey		key;
	char			path[200], file[300], text[2048];

	if (nkey_new(&key, NKEY_USER, e) == -1)
		return -1;
	snprintf(id, ID_MAX, "%s", key.public);
	snprintf(path, sizeof(path), "%s/agents/%s", b->state, name);
	snprintf(file, sizeof(file), "%s/pty.creds", path);
	if (dir_make(path, 0700, e) == -1 ||
	    trust_mint(&b->trust, PROFILE_PTY, &scope, 0, &c, e) == -1 ||
	    creds_save(&c, file, e) == -1)
		return -1;
	creds_wipe(&c);
	snprintf(text, sizeof(text), "{\"id\":\"%s\"}", id);
	if (put(path, "agent.json", text, e) == -1)
		return -1;
	snprintf(file, sizeof(file), "%s.sh", name);
	snprintf(text, sizeof(text), "{\"argv\":[\"sh\",\"%s/%s\"],"
	    "\"cwd\":\"/\",\"pass\":[\"PATH\"],\"rows\":%d,\"cols\":%d}", dir,
	    file, ROWS, COLS);
	if (put(path, "launch.json", text, e) == -1 ||
	    put(dir, file, script, e) == -1)
		return -1;
	return props_start(dir, argv, e) == -1 ? -1 : 0;
}

/* --- a seat -------------------------------------------------------------------------- */

static int
sit(struct seat *s, const char *const argv[], struct error *e)
{
	struct winsize	ws = { .ws_row = ROWS, .ws_col = COLS };
	char		*path = argv[0][0] == '/' ? strdup(argv[0]) :
			    props_program(argv[0], e);
	pid_t		pid;

	memset(s, 0, sizeof(*s));
	if (path == NULL)
		return -1;
	if ((pid = forkpty(&s->master, NULL, NULL, &ws)) == 0) {
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	free(path);
	if (pid == -1)
		return error_errno(e, EX_OSERR, "forkpty");
	fcntl(s->master, F_SETFD, FD_CLOEXEC);
	return 0;
}

static int
sit_at(struct seat *s, struct attach_bench *b, const char *name,
    struct error *e)
{
	const char *const	argv[] = { "reeve", "--state", b->state,
				    "attach", name, NULL };

	return sit(s, argv, e);
}

static int
sit_locally(struct seat *s, const char *name, struct error *e)
{
	char			script[200];
	const char *const	argv[] = { "/bin/sh", script, NULL };

	snprintf(script, sizeof(script), "%s/%s.sh", dir, name);
	return sit(s, argv, e);
}

/* Until it has shown something more. */
static int
look(struct seat *s, struct error *e)
{
	static char	buf[65536];
	struct pollfd	p = { .fd = s->master, .events = POLLIN };
	ssize_t		n;
	size_t		keep;

	if (poll(&p, 1, WAIT_MS) != 1 ||
	    (n = read(s->master, buf, sizeof(buf))) <= 0)
		return error_set(e, EX_UNAVAILABLE, "nothing is shown any "
		    "more");
	s->bytes += (uint64_t)n;
	if ((size_t)n >= sizeof(s->tail)) {
		memcpy(s->tail, buf + n - sizeof(s->tail), sizeof(s->tail));
		s->tail_len = sizeof(s->tail);
		return 0;
	}
	keep = sizeof(s->tail) - (size_t)n;
	if (keep > s->tail_len)
		keep = s->tail_len;
	memmove(s->tail, s->tail + s->tail_len - keep, keep);
	memcpy(s->tail + keep, buf, (size_t)n);
	s->tail_len = keep + (size_t)n;
	return 0;
}

/* A mark that is shown whole at the end; of a repaint too. */
static int
await(struct seat *s, const char *mark, struct error *e)
{
	while (memmem(s->tail, s->tail_len, mark, strlen(mark)) == NULL)
		if (look(s, e) == -1)
			return -1;
	return 0;
}

/* And what comes with it: a repaint goes on after what is looked for. */
static void
settle(struct seat *s)
{
	struct pollfd	p = { .fd = s->master, .events = POLLIN };

	while (poll(&p, 1, SETTLE_MS) == 1 && look(s, NULL) == 0)
		;
	s->bytes = 0;
}

/* --- measuring --------------------------------------------------------------------------- */

static int
measure_keys(struct seat *s, double *p50_ms, double *p99_ms,
    struct error *e)
{
	static double	ms[KEYS];
	int64_t		began;
	unsigned	i;

	for (i = 0; i < KEYS; i++) {
		usleep(REST_US);
		began = clock_us();
		if (write(s->master, "x", 1) != 1)
			return error_errno(e, EX_OSERR, "key");
		if (look(s, e) == -1)
			return -1;
		ms[i] = (double)(clock_us() - began) / 1000;
	}
	*p50_ms = quantile(ms, KEYS, 0.5);
	*p99_ms = quantile(ms, KEYS, 0.99);
	return 0;
}

static void
judge(struct attach_bench *b, const char *what, double is, double most)
{
	if (!b->check || is <= most)
		return;
	b->failed = true;
	fprintf(stderr, "bench attach %s=%.2f most=%.2f FAIL\n", what, is,
	    most);
}

static int
say_keys(struct attach_bench *b, struct error *e)
{
	struct seat	local, s;
	char		id[ID_MAX];
	double		p50, p99, local_p50, local_p99;

	if (start_agent(b, "echoer", ECHOER, id, e) == -1 ||
	    sit_locally(&local, "echoer", e) == -1 ||
	    await(&local, "READY", e) == -1 ||
	    measure_keys(&local, &local_p50, &local_p99, e) == -1 ||
	    sit_at(&s, b, "echoer", e) == -1 || await(&s, "READY", e) == -1)
		return -1;
	settle(&s);
	if (measure_keys(&s, &p50, &p99, e) == -1)
		return -1;
	printf("bench attach keys=%d p50_ms=%.3f p99_ms=%.3f local_p50_ms=%.3f "
	    "local_p99_ms=%.3f above_ms=%.3f\n", KEYS, p50, p99, local_p50,
	    local_p99, p50 - local_p50);
	judge(b, "above_ms", p50 - local_p50, ABOVE_MOST_MS);
	close(local.master);
	close(s.master);
	return 0;
}

static int
write_text(struct error *e)
{
	char	path[200], line[81];
	FILE	*f;
	long	i;

	snprintf(path, sizeof(path), "%s/text", dir);
	if ((f = fopen(path, "w")) == NULL)
		return error_errno(e, EX_CANTCREAT, "%s", path);
	for (i = 0; i < CAT_MB * 1000000L / 80; i++) {
		snprintf(line, sizeof(line), "%079ld\n", i);
		fputs(line, f);
	}
	return fclose(f) == 0 ? 0 : error_errno(e, EX_IOERR, "%s", path);
}

/* From the key that begins it until its end is shown. */
static int
measure_cat(struct seat *s, double *took_s, struct error *e)
{
	int64_t	began;

	if (await(s, "READY", e) == -1)
		return -1;
	settle(s);
	began = clock_us();
	if (write(s->master, "\r", 1) != 1)
		return error_errno(e, EX_OSERR, "key");
	if (await(s, "THE-END", e) == -1)
		return -1;
	*took_s = (double)(clock_us() - began) / 1e6;
	return 0;
}

static int
say_cat(struct attach_bench *b, struct error *e)
{
	struct seat	local, s;
	char		id[ID_MAX], script[300];
	double		took_s, local_s;

	snprintf(script, sizeof(script), PRINTER, dir);
	if (write_text(e) == -1 ||
	    start_agent(b, "printer", script, id, e) == -1 ||
	    sit_locally(&local, "printer", e) == -1 ||
	    measure_cat(&local, &local_s, e) == -1 ||
	    sit_at(&s, b, "printer", e) == -1 ||
	    measure_cat(&s, &took_s, e) == -1)
		return -1;
	printf("bench attach cat_mb=%d s=%.2f mb_per_s=%.1f shown_mb=%.1f "
	    "local_s=%.2f local_mb_per_s=%.1f\n", CAT_MB, took_s,
	    CAT_MB / took_s, (double)s.bytes / 1e6, local_s,
	    CAT_MB / local_s);
	close(local.master);
	close(s.master);
	return 0;
}

/* --- a repaint, without who shows it -------------------------------------------------------- */

struct paint {
	size_t	want, have;
	bool	begun;
};

static void
on_frame(void *arg, natsMsg *m)
{
	struct paint	*p = arg;
	const char	*data = natsMsg_GetData(m), *at;
	int		 n = natsMsg_GetDataLength(m);

	if (n > 0 && data[0] == 's' &&
	    (at = memmem(data, (size_t)n, "\"bytes\":", 8)) != NULL) {
		p->want = strtoul(at + 8, NULL, 10);
		p->have = 0;
		p->begun = true;
	} else if (n > 0 && data[0] == 'p')
		p->have += (size_t)n - 1;
	bus_msg_free(m);
}

static int
paint_once(struct bus *bus, const char *in, struct paint *p, double *ms,
    struct error *e)
{
	static const char	hello[] = "a{\"rows\":50,\"cols\":120,"
				    "\"version\":1}";
	struct bus_pub		pub = { .subject = in, .data = hello,
				    .len = sizeof(hello) - 1 };
	int64_t			began = clock_us();

	p->begun = false;
	if (bus_publish(bus, &pub, e) == -1)
		return -1;
	while (!p->begun || p->have < p->want) {
		if (clock_us() - began > WAIT_MS * 1000)
			return error_set(e, EX_TEMPFAIL, "no repaint");
		bus_turn(bus, NULL, 0, 100);
	}
	*ms = (double)(clock_us() - began) / 1000;
	return 0;
}

static int
say_paint(struct attach_bench *b, struct error *e)
{
	static double	ms[PAINTS];
	struct paint	p = { .want = 0 };
	struct seat	s;
	struct creds	c = { .jwt = NULL };
	struct bus	*bus;
	char		id[ID_MAX], in[SUBJECT_MAX], out[SUBJECT_MAX],
			script[300];
	struct scope	scope = { .target = id };
	struct config	conf;
	unsigned	i;

	snprintf(script, sizeof(script), PAINTER "%s", "");
	if (start_agent(b, "painter", script, id, e) == -1 ||
	    sit_at(&s, b, "painter", e) == -1 ||
	    await(&s, "READY", e) == -1 ||
	    config_load(&conf, b->state, e) == -1 ||
	    trust_mint(&b->trust, PROFILE_ATTACHER, &scope, 0, &c, e) == -1 ||
	    props_reach(&bus, conf.servers, &c, clock_ms() + START_MS,
	    e) == -1)
		return -1;
	(void)subject_pty(in, sizeof(in), PROPS_SPACE, id, "in",
	    c.key.public);
	(void)subject_pty(out, sizeof(out), PROPS_SPACE, id, "out",
	    c.key.public);
	if (bus_subscribe(bus, out, NULL, on_frame, &p, e) == NULL)
		return -1;
	for (i = 0; i < PAINTS; i++)
		if (paint_once(bus, in, &p, &ms[i], e) == -1)
			return -1;
	printf("bench attach repaint_bytes=%zu p50_ms=%.2f p99_ms=%.2f\n",
	    p.want, quantile(ms, PAINTS, 0.5), quantile(ms, PAINTS, 0.99));
	judge(b, "repaint_p50_ms", quantile(ms, PAINTS, 0.5), PAINT_MOST_MS);
	bus_close(bus);
	creds_wipe(&c);
	config_free(&conf);
	close(s.master);
	return 0;
}

static int
run(void *arg)
{
	struct attach_bench	*b = arg;
	struct error		 e;
	int			 r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_init("role=bench", LOG_LEVEL_WARN);
	signal(SIGHUP, SIG_IGN);
	if (sodium_init() == -1)
		return EX_SOFTWARE;
	r = start_space(b, &e);
	if (r == 0 && (r = say_keys(b, &e)) == 0 &&
	    (r = say_cat(b, &e)) == 0)
		r = say_paint(b, &e);
	trust_wipe(&b->trust);
	if (b->reeved > 0 && kill(b->reeved, SIGTERM) == 0)
		(void)props_await(b->reeved);
	if (r == -1) {
		fprintf(stderr, "bench: %s\n", e.text);
		return e.code;
	}
	return b->failed ? 1 : EX_OK;
}

int
main(int argc, char **argv)
{
	static struct attach_bench	b;

	b.check = argc == 2 && strcmp(argv[1], "--check") == 0;
	if (argc > 2 || (argc == 2 && !b.check)) {
		fprintf(stderr, "usage: attach [--check]\n");
		return EX_USAGE;
	}
	if (mkdtemp(dir) == NULL) {
		fprintf(stderr, "bench: %s: %s\n", dir, strerror(errno));
		return EX_CANTCREAT;
	}
	return warden_run(dir, run, &b);
}
