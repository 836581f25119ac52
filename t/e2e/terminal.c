/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "terminal.h"
#include "utf8.h"

static pid_t	broker;

/* --- the broker alone ---------------------------------------------------------- */

static pid_t
start_program(const char *path, char *const argv[])
{
	char	log[300];
	pid_t	pid;
	int	fd;

	snprintf(log, sizeof(log), "%s/said.log", sp->state);
	fflush(NULL);
	ck_assert((pid = fork()) != -1);
	if (pid != 0)
		return pid;
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	close_range(3, ~0U, 0);
	setsid();
	/* Below the test's directory, so that its guard finds it. */
	if (chdir(sp->state) == -1)
		_exit(126);
	execv(path, argv);
	_exit(127);
}

void
terminal_broker(bool up)
{
	char	run[300];
	char	*argv[] = { (char *)"sh", run, NULL };

	if (up) {
		snprintf(run, sizeof(run), "%s/service/broker/run",
		    sp->state);
		broker = start_program("/bin/sh", argv);
		space_connect_root(sp);
		return;
	}
	ck_assert(kill(broker, SIGKILL) == 0);
	waitpid(broker, NULL, 0);
}

void
terminal_setup(void)
{
	space_setup_idle();
	terminal_broker(true);
}

void
terminal_teardown(void)
{
	if (broker != 0)
		terminal_broker(false);
	broker = 0;
	space_teardown();
}

/* --- a terminal ------------------------------------------------------------------ */

static void
put_file(const struct terminal *t, const char *name, const char *text)
{
	char		path[300];
	struct error	e;

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	OK(file_write_private(path, text, 0600, &e), e);
}

static void
mint(struct creds *c, enum profile profile, const char *target)
{
	struct scope	scope = { .space = "t", .target = target };
	struct error	e;

	memset(c, 0, sizeof(*c));
	OK(trust_mint(&sp->trust, profile, &scope, 0, c, &e), e);
}

void
terminal_make(struct terminal *t, const char *name, const char *launch)
{
	char		path[300], text[8192];
	struct creds	agent;
	struct error	e;

	memset(t, 0, sizeof(*t));
	snprintf(t->name, sizeof(t->name), "%s", name);
	snprintf(t->dir, sizeof(t->dir), "%s/agents/%s", sp->state, name);
	OK(dir_make(t->dir, 0700, &e), e);
	mint(&agent, PROFILE_PROBE, NULL);
	snprintf(t->id, sizeof(t->id), "%s", agent.key.public);
	creds_wipe(&agent);
	mint(&t->creds, PROFILE_PTY, t->id);
	snprintf(path, sizeof(path), "%s/pty.creds", t->dir);
	OK(creds_save(&t->creds, path, &e), e);
	snprintf(text, sizeof(text), "{\"id\":\"%s\",\"name\":\"%s\"}", t->id,
	    name);
	put_file(t, "agent.json", text);
	snprintf(text, sizeof(text), "{%s,\"cwd\":\"%s\"}", launch, sp->dir);
	put_file(t, "launch.json", text);
}

void
terminal_sh(struct terminal *t, const char *policy, const char *script)
{
	char	launch[4096], *quoted;
	cJSON	*s = cJSON_CreateString(script);

	ck_assert_ptr_nonnull(quoted = json_print(s));
	snprintf(launch, sizeof(launch), "\"argv\":[\"sh\",\"-c\",%s],"
	    "\"policy\":\"%s\",\"cols\":80,\"rows\":24,"
	    "\"pass\":[\"PATH\"]", quoted, policy);
	cJSON_Delete(s);
	free(quoted);
	terminal_make(t, "critic", launch);
}

void
terminal_start(struct terminal *t)
{
	char		 path[4096];
	const char	*dir = getenv("REEVE_BINDIR");
	char		*argv[] = { (char *)"reeve-pty", (char *)"--state",
			    sp->state, (char *)"--agent", t->name, NULL };
	char		*real;

	snprintf(path, sizeof(path), "%s/reeve-pty", dir == NULL ? "." : dir);
	ck_assert_ptr_nonnull(real = realpath(path, NULL));
	t->pid = start_program(real, argv);
	free(real);
}

int
terminal_end(struct terminal *t)
{
	int	status;

	if (t->pid == 0)
		return 0;
	kill(t->pid, SIGTERM);
	while (waitpid(t->pid, &status, 0) == -1)
		ck_assert(errno == EINTR);
	t->pid = 0;
	creds_wipe(&t->creds);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

cJSON *
terminal_file(const struct terminal *t, const char *name)
{
	char	path[300], *text;
	size_t	len;
	cJSON	*o;

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	if ((text = file_read(path, 1 << 20, &len, NULL)) == NULL)
		return NULL;
	o = json_parse(text, len, NULL);
	free(text);
	return o;
}

long
terminal_rss_kb(const struct terminal *t)
{
	char	path[64], *text, *p;
	long	kb;

	snprintf(path, sizeof(path), "/proc/%d/status", t->pid);
	ck_assert_ptr_nonnull(text = file_read(path, 65536, NULL, NULL));
	ck_assert_ptr_nonnull(p = strstr(text, "VmRSS:"));
	kb = strtol(p + 6, NULL, 10);
	free(text);
	return kb;
}

/* --- who watches -------------------------------------------------------------------- */

static void
keep(char **all, size_t *len, const char *data, size_t n)
{
	ck_assert_ptr_nonnull(*all = realloc(*all, *len + n + 1));
	memcpy(*all + *len, data, n);
	*len += n;
	(*all)[*len] = '\0';
}

static void
copy(char *to, size_t size, const char *data, size_t n)
{
	snprintf(to, size, "%.*s", (int)n, data);
}

static void
on_size(struct watcher *w, const char *data, size_t n)
{
	cJSON	*o = json_parse(data, n, NULL);

	ck_assert_ptr_nonnull(o);
	w->size_rows = (unsigned)number_of(o, "rows");
	w->size_cols = (unsigned)number_of(o, "cols");
	cJSON_Delete(o);
}

static void
on_paint(struct watcher *w, const char *data, size_t n)
{
	cJSON	*o = json_parse(data, n, NULL);

	if (number_of(o, "n") == w->asked) {
		w->painted = true;
		w->paints++;
		w->paint_bytes = w->bytes + (uint64_t)number_of(o, "bytes");
	}
	cJSON_Delete(o);
}

static void
take_frame(struct watcher *w, const char *data, size_t n)
{
	switch (data[0]) {
	case 's':
		on_paint(w, data + 1, n - 1);
		break;
	case 'p':
	case 'o':
		if (!w->painted)
			break;
		screen_feed(w->screen, data + 1, n - 1);
		if (data[0] == 'o')
			keep(&w->text, &w->text_len, data + 1, n - 1);
		w->bytes += n - 1;
		break;
	case 'w':
		on_size(w, data + 1, n - 1);
		break;
	case 'h':
		w->holds++;
		break;
	case 'r':
		w->resumes++;
		break;
	case 'g':
		w->forgotten++;
		break;
	case 'e':
		copy(w->error, sizeof(w->error), data + 1, n - 1);
		break;
	case 'x':
		copy(w->end, sizeof(w->end), data + 1, n - 1);
		break;
	default:
		break;
	}
}

static void
on_frame(void *arg, natsMsg *m)
{
	if (natsMsg_GetDataLength(m) > 0)
		take_frame(arg, natsMsg_GetData(m),
		    (size_t)natsMsg_GetDataLength(m));
	bus_msg_free(m);
}

static void
on_state(void *arg, natsMsg *m)
{
	struct watcher	*w = arg;

	copy(w->state, sizeof(w->state), natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m));
	bus_msg_free(m);
}

void
watch_send_bytes(struct watcher *w, char type, const void *data, size_t n)
{
	char		*frame = malloc(n + 1);
	struct bus_pub	 p = { .subject = w->in, .data = frame,
			    .len = n + 1 };
	struct error	 e;

	ck_assert_ptr_nonnull(frame);
	frame[0] = type;
	memcpy(frame + 1, data, n);
	OK(bus_publish(w->bus, &p, &e), e);
	ck_assert_int_eq(bus_drain(w->bus, AWAIT_MS), 0);
	free(frame);
}

void
watch_send(struct watcher *w, char type, const char *text)
{
	watch_send_bytes(w, type, text, strlen(text));
}

void
watch_type(struct watcher *w, const char *text)
{
	watch_send(w, 'i', text);
}

void
watch_tell(struct watcher *w)
{
	char	text[24];

	w->told = w->bytes;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)w->told);
	watch_send(w, 'k', text);
}

void
watch_turn(struct watcher *w, int64_t ms)
{
	bus_turn(w->bus, NULL, 0, ms);
	if (w->bytes != w->told && !w->mute)
		watch_tell(w);
}

void
watch_connect(struct watcher *w, struct terminal *t, unsigned rows,
    unsigned cols)
{
	struct bus_conf	conf = { .servers = sp->config.servers,
			    .creds = &w->creds, .name = "watcher" };
	char		subject[SUBJECT_MAX];
	struct error	e;
	const char	*me;

	memset(w, 0, sizeof(*w));
	w->terminal = t;
	w->rows = rows;
	w->cols = cols;
	mint(&w->creds, PROFILE_ATTACHER, t->id);
	me = w->creds.key.public;
	w->screen = screen_new((int)rows, (int)cols, 1000, NULL, NULL);
	ck_assert_ptr_nonnull(w->screen);
	OK(bus_open(&w->bus, &conf, &e), e);
	ck_assert(subject_pty(w->in, sizeof(w->in), "t", t->id, "in", me) >
	    0);
	ck_assert(subject_pty(subject, sizeof(subject), "t", t->id, "out",
	    me) > 0);
	ck_assert(bus_subscribe(w->bus, subject, NULL, on_frame, w, &e) !=
	    NULL);
	ck_assert(subject_pty(subject, sizeof(subject), "t", t->id, "state",
	    NULL) > 0);
	ck_assert(bus_subscribe(w->bus, subject, NULL, on_state, w, &e) !=
	    NULL);
}

void
watch_attach(struct watcher *w)
{
	char	text[128];

	snprintf(text, sizeof(text), "{\"rows\":%u,\"cols\":%u,"
	    "\"version\":1,\"n\":%u}", w->rows, w->cols, ++w->asked);
	w->bytes = w->told = 0;
	w->painted = false;
	watch_send(w, 'a', text);
}

void
watch(struct watcher *w, struct terminal *t, unsigned rows, unsigned cols)
{
	int64_t	asked = 0, until = test_now_ms() + AWAIT_MS;

	watch_connect(w, t, rows, cols);
	/* It may be starting; and a painting comes in parts. */
	while (w->paints == 0 || w->bytes < w->paint_bytes) {
		if (test_now_ms() > until)
			watch_fail(__FILE__, __LINE__, "painted", w);
		if (w->paints == 0 && test_now_ms() - asked > 100) {
			watch_attach(w);
			asked = test_now_ms();
		}
		watch_turn(w, 10);
	}
}

/* A row of the alternate buffer; what is erased is blank, at its end nothing. */
static void
put_row(struct screen *s, int row, int cols, struct bytes *out)
{
	struct screen_cell	c;
	int			col;
	size_t			end = out->n;
	uint32_t		u;
	char			utf8[UTF8_MAX];

	for (col = 0; col < cols; col++) {
		if (!screen_cell(s, 1, row, col, &c) || c.width == 0)
			continue;
		u = c.ch;
		bytes_add(out, utf8, utf8_encode(u == 0 ? ' ' : u, utf8));
		if (u != 0)
			end = out->n;
	}
	out->n = end;
	bytes_str(out, "\n");
}

char *
terminal_text(struct screen *s)
{
	struct bytes	b = { .p = NULL };
	int		row, rows, cols;

	screen_size(s, &rows, &cols);
	bytes_str(&b, "\n");
	for (row = 0; screen_alternate(s) && row < rows; row++)
		put_row(s, row, cols, &b);
	if (!screen_alternate(s))
		screen_text(s, -1, &b);
	bytes_add(&b, "", 1);
	ck_assert(!b.failed);
	return b.p;
}

static bool
shows(struct screen *s, const char *text)
{
	char	*all = terminal_text(s);
	bool	 is = strstr(all, text) != NULL;

	free(all);
	return is;
}

bool
watch_shows(struct watcher *w, const char *text)
{
	return shows(w->screen, text);
}

bool
lives(pid_t pid)
{
	char	path[64], state = 0;
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(f);
	return state != 0 && state != 'Z';
}

pid_t
watch_pid_after(struct watcher *who, const char *text)
{
	char		*all = terminal_text(who->screen);
	const char	*at = strstr(all, text);
	pid_t		 pid;

	pid = at == NULL ? 0 : (pid_t)atoi(at + strlen(text));
	free(all);
	return pid;
}

static void
dump(struct screen *s)
{
	char	*all = terminal_text(s);
	size_t	 n = strlen(all);

	fprintf(stderr, "--- screen%s---\n", all + (n > 2000 ? n - 2000 : 0));
	free(all);
}

void
watch_fail(const char *file, int line, const char *what, struct watcher *w)
{
	dump(w->screen);
	fprintf(stderr, "state %s\nerror %s\nend %s\npaints %u\n", w->state,
	    w->error, w->end, w->paints);
	test_fail(file, line, what);
}

void
watch_end(struct watcher *w)
{
	bus_close(w->bus);
	screen_free(w->screen);
	creds_wipe(&w->creds);
	free(w->text);
	memset(w, 0, sizeof(*w));
}

bool
watch_same(struct watcher *a, struct watcher *b)
{
	struct bytes		x = { .p = NULL }, y = { .p = NULL };
	struct screen_cell	p, q;
	int			row, col, rows, cols, buffer;
	bool			same;

	screen_state(a->screen, &x);
	screen_state(b->screen, &y);
	same = x.n == y.n && memcmp(x.p, y.p, x.n) == 0;
	bytes_free(&x);
	bytes_free(&y);
	screen_size(a->screen, &rows, &cols);
	buffer = screen_alternate(a->screen);
	for (row = 0; same && row < rows; row++)
		for (col = 0; same && col < cols; col++) {
			memset(&p, 0, sizeof(p));
			memset(&q, 0, sizeof(q));
			same = screen_cell(a->screen, buffer, row, col, &p) ==
			    screen_cell(b->screen, buffer, row, col, &q) &&
			    memcmp(&p, &q, sizeof(p)) == 0;
		}
	return same;
}

/* --- `reeve attach` -------------------------------------------------------------------- */

void
seat_take(struct seat *s, struct terminal *t, unsigned rows, unsigned cols,
    const char *options)
{
	struct winsize	ws = { .ws_row = (unsigned short)rows,
			    .ws_col = (unsigned short)cols };
	const char	*dir = getenv("REEVE_BINDIR");
	char		cmd[4096], *real;

	memset(s, 0, sizeof(*s));
	snprintf(cmd, sizeof(cmd), "%s/reeve", dir == NULL ? "." : dir);
	ck_assert_ptr_nonnull(real = realpath(cmd, NULL));
	snprintf(cmd, sizeof(cmd), "exec %s attach %s %s", real, options,
	    t->name);
	free(real);
	s->screen = screen_new((int)rows, (int)cols, 1000, NULL, NULL);
	fflush(NULL);
	s->pid = forkpty(&s->master, NULL, NULL, &ws);
	ck_assert(s->pid != -1);
	if (s->pid == 0) {
		setenv("REEVE_STATE", sp->state, 1);
		if (chdir(sp->state) == -1)
			_exit(126);
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	fcntl(s->master, F_SETFL, O_NONBLOCK);
	fcntl(s->master, F_SETFD, FD_CLOEXEC);
}

void
seat_turn(struct seat *s, int64_t ms)
{
	struct pollfd	p = { .fd = s->master, .events = POLLIN };
	char		buf[16384];
	ssize_t		n;

	(void)poll(&p, 1, (int)ms);
	while ((n = read(s->master, buf, sizeof(buf))) > 0) {
		screen_feed(s->screen, buf, (size_t)n);
		keep(&s->text, &s->text_len, buf, (size_t)n);
	}
	/* At the end poll(2) does not wait any more. */
	if (n == -1 && errno == EIO)
		test_pause();
}

void
seat_type(struct seat *s, const void *data, size_t n)
{
	ck_assert(write(s->master, data, n) == (ssize_t)n);
}

bool
seat_shows(struct seat *s, const char *text)
{
	return shows(s->screen, text);
}

bool
seat_has_ended(struct seat *s)
{
	if (s->pid != 0 && waitpid(s->pid, &s->status, WNOHANG) == s->pid)
		s->pid = 0;
	return s->pid == 0;
}

void
seat_fail(const char *file, int line, const char *what, struct seat *s)
{
	dump(s->screen);
	test_fail(file, line, what);
}

void
seat_leave(struct seat *s)
{
	if (s->pid != 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	close(s->master);
	screen_free(s->screen);
	free(s->text);
	memset(s, 0, sizeof(*s));
}
