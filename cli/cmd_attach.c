/* SPDX-License-Identifier: ISC */

/*
 * reeve attach: somebody's terminal becomes that of an agent, until he
 * detaches (reeve-wire(7), "Terminals").
 */
#include <sys/ioctl.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "files.h"
#include "json.h"
#include "keyboard.h"
#include "names.h"
#include "tty.h"

#define VERSION		1		/* of the frames */
#define TTL_S		3600		/* of the credentials */
#define NOTE_MAX	(256 * 1024)
#define ASK_MS		300		/* from one 'a' to the next */
#define PATIENCE_MS	5000		/* for the first answer */
#define BEAT_MS		2000		/* we are still here */
#define SOON_MS		20		/* to say what has been consumed */
#define TELL_EVERY	(32 * 1024)
#define SILENT_MS	7000		/* the state comes every 2 s */
#define BACKOFF_MS	250
#define LOOK_MS		1000	/* whether there still is one to wait for */
#define INPUT_WINDOW	(64 * 1024)	/* sent, not yet taken */
#define INPUT_MAX	(4 * 1024 * 1024)
#define INPUT_CHUNK	(16 * 1024)
#define LINGER_MS	200		/* after the end, for what still comes */

struct opts {
	bool	readonly;
};

static const struct opt options[] = {
	{ "readonly", OPT_FLAG, offsetof(struct opts, readonly), NULL,
	    "watch only: what is typed goes nowhere" },
	OPT_END
};

enum outcome { GOING, DETACHED, ENDED, SIGNALLED, FAILED };

struct attached {
	struct cli		*cli;
	const struct opts	*opts;
	const char		*name;		/* of the agent */
	char			 target[ID_MAX];
	struct creds		 creds;
	struct bus		*bus;		/* NULL: not connected */
	char			 in[SUBJECT_MAX];	/* where we publish */
	struct tty		 tty;
	struct keyboard		 keyboard;	/* what is to be sent */
	int			 signal_fd, signal;
	enum outcome		 outcome;
	bool			 ever;		/* attached once */
	bool			 painted;	/* since the last 'a' */
	bool			 held;		/* keep input back */
	bool			 ended;		/* the program has */
	char			 how[80];	/* it ended */
	unsigned		 asked;		/* how often */
	uint64_t		 consumed, told;	/* bytes of output */
	size_t			 uncounted;	/* waiting, and none of these */
	uint64_t		 sent, taken;		/* bytes of input */
	int64_t			 ask_ms, begun_ms, beat_ms, heard_ms, look_ms;
	struct error		 error;
};

/* --- frames out ------------------------------------------------------------------- */

static void
send_frame(struct attached *a, char type, const void *data, size_t len)
{
	char		frame[1 + INPUT_CHUNK];
	struct bus_pub	p = { .subject = a->in, .data = frame,
			    .len = len + 1 };

	if (a->bus == NULL || len > INPUT_CHUNK)
		return;
	frame[0] = type;
	if (len > 0)
		memcpy(frame + 1, data, len);
	/* What fails, fails with the connection. */
	(void)bus_publish(a->bus, &p, NULL);
}

static void
send_text(struct attached *a, char type, const char *text)
{
	send_frame(a, type, text, strlen(text));
}

static void
send_size(struct attached *a, char type)
{
	char	text[128];

	snprintf(text, sizeof(text), "{\"rows\":%u,\"cols\":%u,"
	    "\"version\":%d,\"readonly\":%s,\"n\":%u}", a->tty.rows,
	    a->tty.cols, VERSION, a->opts->readonly ? "true" : "false",
	    a->asked);
	send_text(a, type, text);
}

/* From the first repaint that answers this on both sides count anew. */
static void
ask(struct attached *a)
{
	a->asked++;
	a->painted = a->held = false;
	a->consumed = a->told = a->sent = a->taken = 0;
	a->ask_ms = clock_ms();
	send_size(a, 'a');
}

static void
tell_consumed(struct attached *a)
{
	char	text[24];

	a->told = a->consumed;
	a->beat_ms = clock_ms();
	snprintf(text, sizeof(text), "%llu", (unsigned long long)a->told);
	send_text(a, 'k', text);
}

/* As much as the program has room for. */
static void
send_input(struct attached *a)
{
	const char	*data;
	size_t		 n;

	while (a->painted && !a->held && a->sent - a->taken < INPUT_WINDOW &&
	    (n = keyboard_peek(&a->keyboard, &data)) > 0) {
		if (n > INPUT_CHUNK)
			n = INPUT_CHUNK;
		send_frame(a, 'i', data, n);
		keyboard_drop(&a->keyboard, n);
		a->sent += n;
	}
}

/* --- frames in --------------------------------------------------------------------- */

static uint64_t
number(const char *data, size_t len)
{
	char	text[24];

	if (len >= sizeof(text))
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	return strtoull(text, NULL, 10);
}

static void
on_end(struct attached *a, const char *data, size_t len)
{
	cJSON		*o = json_parse(data, len, NULL);
	const cJSON	*code = json_get(o, "exit");
	const cJSON	*sig = json_get(o, "signal");

	a->ended = cJSON_IsTrue(json_get(o, "final"));
	if (cJSON_IsNumber(sig))
		snprintf(a->how, sizeof(a->how), "was ended by signal %d",
		    sig->valueint);
	else
		snprintf(a->how, sizeof(a->how), "has ended with %d",
		    cJSON_IsNumber(code) ? code->valueint : 0);
	cJSON_Delete(o);
}

static void
on_error(struct attached *a, const char *data, size_t len)
{
	if (a->painted) {
		tty_put(&a->tty, "\a", 1);
		a->uncounted++;
		return;
	}
	error_set(&a->error, EX_UNAVAILABLE, "%s: %.*s", a->name,
	    (int)(len > 200 ? 200 : len), data);
	a->outcome = FAILED;
}

static void
on_paint(struct attached *a, const char *data, size_t len)
{
	cJSON		*o = json_parse(data, len, NULL);
	const cJSON	*n = json_get(o, "n");
	bool		 ours = cJSON_IsNumber(n) && n->valuedouble == a->asked;
	struct error	 e;

	cJSON_Delete(o);
	if (!ours)
		return;		/* an earlier one's, asked for anew since */
	if (!a->ever && tty_raw(&a->tty, &e) == -1) {
		a->error = e;
		a->outcome = FAILED;
		return;
	}
	a->ever = a->painted = true;
	a->uncounted = tty_waiting(&a->tty);
}

static void
take(struct attached *a, const char *data, size_t len)
{
	switch (data[0]) {
	case 's':
		on_paint(a, data + 1, len - 1);
		break;
	case 'p':
	case 'o':
		/* Of before we asked: it was not for this screen. */
		if (a->painted)
			tty_put(&a->tty, data + 1, len - 1);
		break;
	case 'l':
		tty_leave_with(&a->tty, data + 1, len - 1);
		break;
	case 'k':
		a->taken = number(data + 1, len - 1);
		break;
	case 'h':
		a->held = true;
		send_frame(a, 'h', NULL, 0);
		break;
	case 'r':
		a->held = false;
		tell_consumed(a);
		break;
	case 'g':
		ask(a);
		break;
	case 'x':
		on_end(a, data + 1, len - 1);
		break;
	case 'e':
		on_error(a, data + 1, len - 1);
		break;
	default:		/* 'w', and what later versions may say */
		break;
	}
}

static void
on_frame(void *arg, natsMsg *m)
{
	struct attached	*a = arg;

	a->heard_ms = clock_ms();
	/* What comes while we leave is for nobody. */
	if (a->outcome == GOING && natsMsg_GetDataLength(m) > 0)
		take(a, natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
	bus_msg_free(m);
}

/* Only that it comes counts: it shows that the link works. */
static void
on_state(void *arg, natsMsg *m)
{
	(void)arg;
	bus_msg_free(m);
}

/* --- the agent -------------------------------------------------------------------- */

/* Its id in the manager's note; what has ended has no terminal any more. */
static int
read_note(const struct attached *a, const char *path, char *id, size_t size,
    struct error *e)
{
	size_t		 len;
	char		*text = file_read(path, NOTE_MAX, &len, e);
	cJSON		*o = text == NULL ? NULL : json_parse(text, len, e);
	const cJSON	*found = json_get(o, "id");
	const cJSON	*state = json_get(o, "state");
	int		 r = -1;

	if (o == NULL)
		;
	else if (!cJSON_IsString(found) || !name_is_id(found->valuestring))
		error_set(e, EX_DATAERR, "%s: no id", path);
	else if (cJSON_IsString(state) &&
	    strcmp(state->valuestring, "ended") == 0)
		error_set(e, EX_NOUSER, "%s has ended: `reeve logs %s` shows "
		    "what it left", a->name, a->name);
	else {
		snprintf(id, size, "%s", found->valuestring);
		r = 0;
	}
	cJSON_Delete(o);
	free(text);
	return r;
}

/* The id of an agent of this host, as the manager noted it. */
static int
find_agent(const struct attached *a, char *id, size_t size, struct error *e)
{
	char	*path;
	int	 r = -1;

	if (!name_is_token(a->name))
		return error_set(e, EX_USAGE, "\"%s\" is not the name of an "
		    "agent: letters, digits, _ and -", a->name);
	path = config_path(&a->cli->config, "agents/%s/agent.json", a->name);
	if (path == NULL)
		return error_errno(e, EX_OSERR, "attach");
	if (access(path, F_OK) == -1)
		error_set(e, EX_NOUSER, "no agent \"%s\" is run by this "
		    "host: `reeve ps` shows who is", a->name);
	else
		r = read_note(a, path, id, size, e);
	free(path);
	return r;
}

/* While its terminal is away: it may have ended meanwhile, and nobody was
 * there to say so. */
static void
look_for_agent(struct attached *a)
{
	char		id[ID_MAX];
	struct error	e;
	bool		found;

	if (!a->ever || a->painted || clock_ms() - a->look_ms < LOOK_MS)
		return;
	a->look_ms = clock_ms();
	found = find_agent(a, id, sizeof(id), &e) == 0;
	if (found ? strcmp(id, a->target) == 0 : e.code != EX_NOUSER)
		return;
	snprintf(a->how, sizeof(a->how), "has ended");
	a->outcome = ENDED;
}

/* --- the connection ------------------------------------------------------------------ */

static int
mint(struct attached *a, struct error *e)
{
	struct scope	scope = { .space = a->cli->config.space,
			    .target = a->target };
	struct trust	trust;
	int		r;

	creds_wipe(&a->creds);
	memset(&a->creds, 0, sizeof(a->creds));
	if (cli_trust(a->cli, &trust, e) == -1)
		return -1;
	r = trust_mint(&trust, PROFILE_ATTACHER, &scope, TTL_S, &a->creds, e);
	trust_wipe(&trust);
	return r;
}

static int
hear(struct attached *a, const char *lane, const char *who, bus_msg_fn *fn,
    struct error *e)
{
	char	subject[SUBJECT_MAX];

	if (subject_pty(subject, sizeof(subject), a->cli->config.space,
	    a->target, lane, who) == -1)
		return error_set(e, EX_CONFIG, "no subject for %s", a->name);
	return bus_subscribe(a->bus, subject, NULL, fn, a, e) == NULL ? -1 :
	    0;
}

static void
disconnect(struct attached *a)
{
	bus_close(a->bus);
	a->bus = NULL;
	a->painted = a->held = false;
}

static int
connect_as(struct attached *a, struct error *e)
{
	struct bus_conf	conf = { .servers = a->cli->config.servers,
			    .creds = &a->creds, .name = "reeve attach" };
	const char	*me;

	if (mint(a, e) == -1 || bus_open(&a->bus, &conf, e) == -1)
		return -1;
	me = a->creds.key.public;
	if (subject_pty(a->in, sizeof(a->in), a->cli->config.space, a->target,
	    "in", me) == -1 || hear(a, "out", me, on_frame, e) == -1 ||
	    hear(a, "state", NULL, on_state, e) == -1) {
		disconnect(a);
		return -1;
	}
	ask(a);
	return 0;
}

/* Once attached, for ever: the broker, or the terminal, comes back. */
static void
tend_link(struct attached *a)
{
	struct error	e;
	int64_t		now = clock_ms();

	if (a->bus != NULL && (!bus_alive(a->bus) ||
	    bus_silent_ms(a->bus) > SILENT_MS)) {
		disconnect(a);
		a->ask_ms = now;
	}
	if (a->bus == NULL) {
		if (now - a->ask_ms < BACKOFF_MS)
			return;
		a->ask_ms = now;
		if (connect_as(a, &e) == -1 && !a->ever) {
			a->error = e;
			a->outcome = FAILED;
		}
		return;
	}
	if (!a->painted && now - a->ask_ms >= ASK_MS)
		ask(a);
	if (!a->ever && now - a->begun_ms > PATIENCE_MS) {
		error_set(&a->error, EX_UNAVAILABLE, "the terminal of %s "
		    "does not answer: `reeve status` shows whether its "
		    "service pty-%s is up", a->name, a->name);
		a->outcome = FAILED;
	}
}

/* --- signals ------------------------------------------------------------------------- */

static int
open_signals(struct attached *a, struct error *e)
{
	static const int	mine[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT,
				    SIGWINCH, SIGTSTP, SIGCONT };
	sigset_t		set;
	size_t			i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		sigaddset(&set, mine[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return a->signal_fd == -1 ? error_errno(e, EX_OSERR, "signalfd") : 0;
}

/* Whoever had the terminal meanwhile left it as he liked. */
static void
resume(struct attached *a)
{
	struct error	e;

	if (a->ever && tty_raw(&a->tty, &e) == -1) {
		a->error = e;
		a->outcome = FAILED;
	}
	tty_measure(&a->tty);
	ask(a);
}

static void
take_signals(struct attached *a)
{
	struct signalfd_siginfo	si;

	while (read(a->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGWINCH:
			if (tty_measure(&a->tty))
				send_size(a, 'w');
			break;
		case SIGTSTP:
			tty_restore(&a->tty);
			raise(SIGSTOP);
			break;
		case SIGCONT:
			resume(a);
			break;
		default:
			a->signal = (int)si.ssi_signo;
			a->outcome = SIGNALLED;
			break;
		}
	}
}

/* --- the loop ------------------------------------------------------------------------- */

static void
read_keys(struct attached *a)
{
	char	buf[INPUT_CHUNK];
	ssize_t	n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		/* The terminal has gone. */
		a->signal = SIGHUP;
		a->outcome = SIGNALLED;
		return;
	}
	if (keyboard_take(&a->keyboard, buf, (size_t)n))
		a->outcome = DETACHED;
	/* There is nobody who could want it later. */
	if (a->bus == NULL || a->opts->readonly || !a->ever)
		keyboard_clear(&a->keyboard);
}

static void
tend_output(struct attached *a)
{
	size_t	n = tty_write(&a->tty);
	int64_t	now = clock_ms();
	size_t	other = n < a->uncounted ? n : a->uncounted;

	a->uncounted -= other;
	if (!a->painted)
		return;
	a->consumed += n - other;
	if (a->consumed - a->told >= TELL_EVERY ||
	    (a->consumed != a->told && tty_waiting(&a->tty) == 0 &&
	    now - a->heard_ms >= SOON_MS) || now - a->beat_ms >= BEAT_MS)
		tell_consumed(a);
}

static int64_t
timeout(const struct attached *a)
{
	if (!a->painted || a->ended)
		return ASK_MS / 3;
	return a->consumed != a->told ? SOON_MS : BEAT_MS / 2;
}

static void
turn(struct attached *a)
{
	bool		reads = keyboard_waiting(&a->keyboard) < INPUT_MAX;
	struct pollfd	p[3] = { { .fd = a->signal_fd, .events = POLLIN },
			    { .fd = reads && a->ever ? STDIN_FILENO : -1,
				.events = POLLIN },
			    { .fd = tty_waiting(&a->tty) > 0 ? a->tty.out :
				-1, .events = POLLOUT } };

	if (a->bus != NULL)
		bus_turn(a->bus, p, 3, timeout(a));
	else
		(void)poll(p, 3, (int)timeout(a));
	if (p[1].revents != 0)
		read_keys(a);
	if (p[0].revents != 0)
		take_signals(a);
	send_input(a);
	tend_output(a);
	tend_link(a);
	look_for_agent(a);
	if (a->ended && a->painted && tty_waiting(&a->tty) == 0 &&
	    clock_ms() - a->heard_ms >= LINGER_MS)
		a->outcome = ENDED;
}

/* --- starting and ending ----------------------------------------------------------------- */

static int
begin(struct attached *a, struct error *e)
{
	if (cli_load(a->cli, e) == -1 || find_agent(a, a->target,
	    sizeof(a->target), e) == -1 || tty_open(&a->tty, e) == -1 ||
	    open_signals(a, e) == -1)
		return -1;
	a->begun_ms = clock_ms();
	return connect_as(a, e);
}

static int
end(struct attached *a)
{
	if (a->bus != NULL && bus_alive(a->bus))
		send_frame(a, 'd', NULL, 0);
	tty_close(&a->tty);
	bus_close(a->bus);
	creds_wipe(&a->creds);
	keyboard_free(&a->keyboard);
	if (a->signal_fd != -1)
		close(a->signal_fd);
	switch (a->outcome) {
	case DETACHED:
		fprintf(stderr, "reeve: detached from %s\n", a->name);
		return EX_OK;
	case ENDED:
		fprintf(stderr, "reeve: %s %s\n", a->name, a->how);
		return EX_OK;
	case SIGNALLED:
		return 128 + a->signal;
	default:
		return cli_fail(&a->error);
	}
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct attached	a;

	(void)argc;
	memset(&a, 0, sizeof(a));
	a.cli = cli;
	a.opts = opts;
	a.name = argv[0];
	a.signal_fd = -1;
	a.outcome = begin(&a, &a.error) == -1 ? FAILED : GOING;
	while (a.outcome == GOING)
		turn(&a);
	return end(&a);
}

const struct command cmd_attach = {
	.name = "attach", .args = "NAME",
	.summary = "use the terminal of an agent",
	.more = "Ctrl-] d detaches, and the agent goes on; Ctrl-] Ctrl-] is "
	    "Ctrl-] for it.  Several\nmay be attached at once; the terminal "
	    "is then as large as the smallest of theirs.",
	.opts = options, .opts_size = sizeof(struct opts),
	.min_args = 1, .max_args = 1, .run = run };
