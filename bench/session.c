/* SPDX-License-Identifier: ISC */

/*
 * session: what it costs an agent's session to be on the mesh (bench/README).
 *
 *	session [--check]
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "conf.h"
#include "gauge.h"
#include "log.h"
#include "props.h"
#include "warden.h"

#define STARTS		50
#define HOOKS		1000
#define REST_US		2000	/* between one and the next */
#define WAIT_MS		20000
#define SETTLE_S	3	/* a session that has done all there is to do */
#define TOKEN		"0123456789abcdef0123456789abcdef"
#define START_MOST_MS	20.0	/* p50 */
#define HOOK_MOST_MS	3.0	/* p50 */
#define PSS_MOST_KB	6144

static char	dir[] = "/tmp/reeve-bench-XXXXXX";

struct session_bench {
	bool	 check, failed;
	char	 state[80], socket[96];
	pid_t	 reeved;
};

struct child {
	pid_t	 pid;
	int	 in, out;	/* its stdin and stdout */
	char	 buf[65536];
	size_t	 len;
};

/* --- a space, and who is on it ----------------------------------------------------- */

static int
start_space(struct session_bench *b, struct error *e)
{
	char			 listen[32], creds[160];
	const char *const	 init[] = { "reeve", "init", "--state",
				    b->state, "--space", PROPS_SPACE,
				    "--listen", listen, NULL };
	const char *const	 run[] = { "reeved", "--state", b->state,
				    NULL };
	const char *const	 wait[] = { "reeve", "wait", "--state",
				    b->state, "--timeout", "20s", NULL };
	const char *const	 onboard[] = { "reeve", "onboard", "--state",
				    b->state, "scout", "--allow-subscribe",
				    "general", "--allow-publish", "general",
				    NULL };
	struct config		 conf;
	int			 port = props_free_port(e);

	snprintf(b->state, sizeof(b->state), "%s/state", dir);
	snprintf(b->socket, sizeof(b->socket), "%s/socket", dir);
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
	if (port == -1 || props_run(dir, init, e) == -1 ||
	    (b->reeved = props_start(dir, run, e)) == -1 ||
	    props_run(dir, wait, e) == -1 ||
	    props_run(dir, onboard, e) == -1 ||
	    config_load(&conf, b->state, e) == -1)
		return -1;
	snprintf(creds, sizeof(creds), "%s/agents/scout.creds", b->state);
	setenv("COTAL_NAME", "scout", 1);
	setenv("COTAL_SPACE", PROPS_SPACE, 1);
	setenv("COTAL_SERVERS", conf.servers, 1);
	setenv("COTAL_CREDS", creds, 1);
	setenv("COTAL_CONTROL_SOCKET", b->socket, 1);
	setenv("COTAL_CONTROL_TOKEN", TOKEN, 1);
	config_free(&conf);
	return 0;
}

/* --- what a host does ---------------------------------------------------------------- */

static int
run_program(struct child *h, char *const argv[], const char *path,
    struct error *e)
{
	posix_spawn_file_actions_t	fa;
	int				in[2], out[2], r;

	h->len = 0;
	if (pipe2(in, O_CLOEXEC) == -1 || pipe2(out, O_CLOEXEC) == -1)
		return error_errno(e, EX_OSERR, "pipe");
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&fa, STDERR_FILENO, "/dev/null",
	    O_WRONLY, 0);
	r = posix_spawn(&h->pid, path, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	close(in[0]);
	close(out[1]);
	h->in = in[1];
	h->out = out[0];
	errno = r;
	return r == 0 ? 0 : error_errno(e, EX_OSERR, "%s", path);
}

static int
say(struct child *h, const char *text, struct error *e)
{
	size_t	len = strlen(text);

	return write(h->in, text, len) == (ssize_t)len ? 0 :
	    error_errno(e, EX_IOERR, "a session does not read");
}

/* The answer to the call, and whether it has that in it. */
static int
hear_line(struct child *h, const char *text, bool *has, struct error *e)
{
	struct pollfd	p = { .fd = h->out, .events = POLLIN };
	char		*at, *line_end = NULL;
	ssize_t		 n;

	for (;;) {
		at = memmem(h->buf, h->len, "\"id\":2", 6);
		if (at != NULL && (line_end = memchr(at, '\n',
		    h->len - (size_t)(at - h->buf))) != NULL)
			break;
		if (h->len == sizeof(h->buf) || poll(&p, 1, WAIT_MS) != 1 ||
		    (n = read(h->out, h->buf + h->len, sizeof(h->buf) -
		    h->len)) <= 0)
			return error_set(e, EX_UNAVAILABLE, "a session does "
			    "not answer");
		h->len += (size_t)n;
	}
	*has = memmem(h->buf, (size_t)(line_end - h->buf), text,
	    strlen(text)) != NULL;
	h->len = 0;
	return 0;
}

static void
end(struct child *h)
{
	int	status;

	close(h->in);
	close(h->out);
	while (waitpid(h->pid, &status, 0) == -1 && errno == EINTR)
		;
}

#define INITIALIZE							\
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\","	\
	"\"params\":{\"protocolVersion\":\"2025-06-18\","		\
	"\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\","	\
	"\"version\":\"1\"}}}\n"					\
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n"
#define ASK								\
	"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\","	\
	"\"params\":{\"name\":\"cotal_orientation\",\"arguments\":{}}}\n"

static int
start_session(struct child *h, const char *path, struct error *e)
{
	static char	 name[] = "reeve", mcp[] = "mcp";
	char *const	 argv[] = { name, mcp, NULL };
	bool		 has;

	if (run_program(h, argv, path, e) == -1 ||
	    say(h, INITIALIZE ASK, e) == -1)
		return -1;
	return hear_line(h, "", &has, e);
}

/* --- measuring -------------------------------------------------------------------------- */

static void
judge(struct session_bench *b, const char *what, double is, double most)
{
	if (!b->check || is <= most)
		return;
	b->failed = true;
	fprintf(stderr, "bench session %s=%.2f most=%.2f FAIL\n", what, is,
	    most);
}

/* From before its process is made until its first tool is answered. */
static int
say_starts(struct session_bench *b, const char *path, struct error *e)
{
	static double	ms[STARTS];
	struct child	h;
	int64_t		began;
	unsigned	i;

	for (i = 0; i < STARTS; i++) {
		began = clock_us();
		if (start_session(&h, path, e) == -1)
			return -1;
		ms[i] = (double)(clock_us() - began) / 1000;
		end(&h);
		usleep(REST_US);
	}
	printf("bench session starts=%d p50_ms=%.2f p99_ms=%.2f\n", STARTS,
	    quantile(ms, STARTS, 0.5), quantile(ms, STARTS, 0.99));
	judge(b, "start_p50_ms", quantile(ms, STARTS, 0.5), START_MOST_MS);
	return 0;
}

static int
pss_of(pid_t pid, long *kb, struct error *e)
{
	char	 path[64], line[128];
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return error_errno(e, EX_NOINPUT, "%s", path);
	*kb = -1;
	while (*kb == -1 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "Pss:", 4) == 0)
			*kb = strtol(line + 4, NULL, 10);
	fclose(f);
	return *kb == -1 ? error_set(e, EX_DATAERR, "%s: no Pss", path) : 0;
}

/* Asked until it says that it is there. */
static int
await_mesh(struct child *h, struct error *e)
{
	int64_t	until = clock_ms() + WAIT_MS;
	bool	there;

	do {
		usleep(REST_US);
		if (say(h, ASK, e) == -1 || hear_line(h, "Connected.", &there,
		    e) == -1)
			return -1;
		if (clock_ms() > until)
			return error_set(e, EX_TEMPFAIL, "a session does not "
			    "reach the mesh");
	} while (!there);
	return 0;
}

/* On the mesh, its channel joined, and nothing to do. */
static int
say_memory(struct session_bench *b, struct child *h, struct error *e)
{
	long	kb;

	if (await_mesh(h, e) == -1)
		return -1;
	sleep(SETTLE_S);
	if (pss_of(h->pid, &kb, e) == -1)
		return -1;
	printf("bench session idle pss_kb=%ld\n", kb);
	judge(b, "pss_kb", (double)kb, PSS_MOST_KB);
	return 0;
}

static int
run_hook(const char *path, const char *event, double *ms, struct error *e)
{
	static char	 name[] = "reeve-hook";
	char *const	 argv[] = { name, NULL };
	struct child	 h;
	int64_t		 began = clock_us();
	ssize_t		 n;

	if (run_program(&h, argv, path, e) == -1 || say(&h, event, e) == -1)
		return -1;
	close(h.in);
	while ((n = read(h.out, h.buf + h.len, sizeof(h.buf) - h.len)) > 0)
		h.len += (size_t)n;
	h.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	end(&h);
	*ms = (double)(clock_us() - began) / 1000;
	return h.len > 0 ? 0 : error_set(e, EX_UNAVAILABLE, "a hook brings "
	    "no answer");
}

/* A host's: from before its process is made until that has ended. */
static int
say_hooks(struct session_bench *b, const char *path, struct error *e)
{
	static const char *const events[] = {
	    "{\"hook_event_name\":\"PreToolUse\",\"tool_name\":\"Bash\"}",
	    "{\"hook_event_name\":\"UserPromptSubmit\",\"prompt\":\"go on\"}"
	};
	static double	ms[HOOKS];
	unsigned	i;

	for (i = 0; i < HOOKS; i++) {
		usleep(REST_US);
		if (run_hook(path, events[i % 2], &ms[i], e) == -1)
			return -1;
	}
	printf("bench hook events=%d p50_ms=%.2f p99_ms=%.2f\n", HOOKS,
	    quantile(ms, HOOKS, 0.5), quantile(ms, HOOKS, 0.99));
	judge(b, "hook_p50_ms", quantile(ms, HOOKS, 0.5), HOOK_MOST_MS);
	return 0;
}

static int
measure(struct session_bench *b, struct error *e)
{
	char		*reeve = props_program("reeve", e), *hook = NULL;
	struct child	 h;
	int		 r = -1;

	if (reeve != NULL && (hook = props_program("reeve-hook", e)) != NULL &&
	    start_space(b, e) == 0 && say_starts(b, reeve, e) == 0 &&
	    start_session(&h, reeve, e) == 0) {
		r = say_memory(b, &h, e);
		if (r == 0)
			r = say_hooks(b, hook, e);
		end(&h);
	}
	free(reeve);
	free(hook);
	return r;
}

static int
run(void *arg)
{
	struct session_bench	*b = arg;
	struct error		 e;
	int			 r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_init("role=bench", LOG_LEVEL_WARN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() == -1)
		return EX_SOFTWARE;
	r = measure(b, &e);
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
	static struct session_bench	b;

	b.check = argc == 2 && strcmp(argv[1], "--check") == 0;
	if (argc > 2 || (argc == 2 && !b.check)) {
		fprintf(stderr, "usage: session [--check]\n");
		return EX_USAGE;
	}
	if (mkdtemp(dir) == NULL) {
		fprintf(stderr, "bench: %s: %s\n", dir, strerror(errno));
		return EX_CANTCREAT;
	}
	return warden_run(dir, run, &b);
}
