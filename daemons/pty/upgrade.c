/* SPDX-License-Identifier: ISC */

/*
 * To a newer version of ourselves, by exec in place: the process, so the
 * child's parent, stays; the terminal and the lock stay open; the rest goes
 * through a memfd: a heading line of JSON, then what the screen saved.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "egress.h"
#include "json.h"
#include "log.h"
#include "pty_impl.h"

#define VERSION		1
#define BLOB_MAX	(256 * 1024 * 1024)
#define STILL_MS	1000	/* the child is not read before, unless the
				   link is back */

/* What the heading says. */
struct heading {
	uint64_t	 version, pid, state, starts, rows, cols, key, pressed,
			 fed, screen;
	int64_t		 ended_pid;
	int64_t		 master, lock, notify, status, started_ms, due_ms,
			 backoff_ms, key_ms;
	bool		 ended;
	const char	*control, *input;
	const cJSON	*attachers;
};

#define H(m, t)	{ .name = #m, .type = t, .required = true,		\
		    .offset = offsetof(struct heading, m) }
static const struct json_field	table[] = {
	H(version, JSON_U64), H(pid, JSON_U64), H(state, JSON_U64),
	H(starts, JSON_U64), H(rows, JSON_U64), H(cols, JSON_U64),
	H(key, JSON_U64), H(pressed, JSON_U64), H(fed, JSON_U64),
	H(screen, JSON_U64), H(master, JSON_I64), H(lock, JSON_I64),
	H(notify, JSON_I64), H(status, JSON_I64), H(started_ms, JSON_I64),
	H(due_ms, JSON_I64), H(backoff_ms, JSON_I64), H(key_ms, JSON_I64),
	H(ended, JSON_BOOL), H(control, JSON_STRING), H(input, JSON_STRING),
	H(attachers, JSON_ARRAY),
	/* Earlier versions do not say it. */
	{ .name = "ended_pid", .type = JSON_I64,
	    .offset = offsetof(struct heading, ended_pid) },
	JSON_END
};
#undef H

/* --- giving ------------------------------------------------------------------- */

static cJSON *
heading(const struct pty *p, size_t screen)
{
	const struct child	*c = &p->child;
	cJSON			*o = cJSON_CreateObject();
	char			*input = base64_encode(c->input, c->input_len);
	bool			 ok;

	ok = input != NULL &&
	    json_set_u64(o, "version", VERSION) &&
	    json_set_i64(o, "pid", c->pid) &&
	    json_set_u64(o, "state", c->state) &&
	    json_set_u64(o, "starts", c->starts) &&
	    json_set_u64(o, "rows", c->rows) &&
	    json_set_u64(o, "cols", c->cols) &&
	    json_set_u64(o, "key", c->key) &&
	    json_set_u64(o, "pressed", c->pressed) &&
	    json_set_u64(o, "fed", p->attach.fed) &&
	    json_set_u64(o, "screen", screen) &&
	    json_set_i64(o, "master", c->master) &&
	    json_set_i64(o, "lock", p->lock_fd) &&
	    json_set_i64(o, "notify", p->notify_fd) &&
	    json_set_i64(o, "status", c->status) &&
	    json_set_i64(o, "started_ms", c->started_ms) &&
	    json_set_i64(o, "due_ms", c->due_ms) &&
	    json_set_i64(o, "backoff_ms", c->backoff_ms) &&
	    json_set_i64(o, "key_ms", c->key_ms) &&
	    json_set_bool(o, "ended", c->ended) &&
	    json_set_i64(o, "ended_pid", p->ended_pid) &&
	    json_set_str(o, "control", c->control != NULL ? c->control : "") &&
	    json_set_str(o, "input", input) &&
	    json_set_item(o, "attachers", attach_save(p));
	if (!ok)
		fatal_memory();
	free(input);
	return o;
}

static bool
write_all(int fd, const char *p, size_t n)
{
	ssize_t	w;

	for (; n > 0; p += w, n -= (size_t)w)
		if ((w = write(fd, p, n)) <= 0)
			return false;
	return true;
}

/* The descriptor, or -1. */
static int
save(const struct pty *p)
{
	struct bytes	 screen = { .p = NULL };
	cJSON		*o;
	char		*text;
	int		 fd = memfd_create("reeve-pty", MFD_CLOEXEC);
	bool		 ok;

	screen_save(p->screen, &screen);
	o = heading(p, screen.n);
	text = json_print(o);
	cJSON_Delete(o);
	if (text == NULL || screen.failed)
		fatal_memory();
	ok = fd != -1 && write_all(fd, text, strlen(text)) &&
	    write_all(fd, "\n", 1) && write_all(fd, screen.p, screen.n) &&
	    lseek(fd, 0, SEEK_SET) == 0;
	bytes_free(&screen);
	free(text);
	if (ok)
		return fd;
	log_warn("cannot save", "error=%s", log_str(strerror(errno)));
	if (fd != -1)
		close(fd);
	return -1;
}

static void
keep_open(int fd, bool keep)
{
	if (fd != -1)
		(void)fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

static void
keep_all(const struct pty *p, int blob, bool keep)
{
	keep_open(p->child.master, keep);
	keep_open(p->lock_fd, keep);
	keep_open(p->notify_fd, keep);
	keep_open(blob, keep);
}

/* Options that an earlier hand-over added are left out. */
static void
arguments(char **to, char **argv, char *number)
{
	static char	option[] = "--handover";

	while (*argv != NULL)
		if (strcmp(*argv, option) == 0 && argv[1] != NULL)
			argv += 2;
		else
			*to++ = *argv++;
	*to++ = option;
	*to++ = number;
	*to = NULL;
}

void
upgrade_exec(struct pty *p, char **argv)
{
	char	**v, number[16];
	size_t	  n = 0;
	int	  blob = save(p);

	while (argv[n] != NULL)
		n++;
	if (blob == -1 || (v = calloc(n + 3, sizeof(*v))) == NULL)
		return;
	snprintf(number, sizeof(number), "%d", blob);
	arguments(v, argv, number);
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	keep_all(p, blob, true);
	log_info("handing over", "program=%s attachers=%zu", log_str(p->exe),
	    p->attach.n);
	egress_exec(EGRESS_OURS, p->exe, v);
	log_error("cannot hand over", "program=%s error=%s", log_str(p->exe),
	    log_str(strerror(errno)));
	keep_all(p, blob, false);
	close(blob);
	free(v);
}

/* --- taking -------------------------------------------------------------------- */

static char *
read_blob(int fd, size_t *len, struct error *e)
{
	off_t	 size = lseek(fd, 0, SEEK_END);
	char	*text;
	size_t	 n = 0;
	ssize_t	 r;

	*len = 0;
	if (size <= 0 || size > BLOB_MAX || lseek(fd, 0, SEEK_SET) == -1) {
		error_set(e, EX_SOFTWARE, "descriptor %d: nothing was handed "
		    "over", fd);
		return NULL;
	}
	if ((text = malloc((size_t)size)) == NULL)
		fatal_memory();
	while (n < (size_t)size &&
	    (r = read(fd, text + n, (size_t)size - n)) > 0)
		n += (size_t)r;
	*len = n;
	return text;
}

static void
take_child(struct child *c, const struct heading *h)
{
	unsigned char	*input;
	size_t		 len;

	c->pid = (pid_t)h->pid;
	c->state = (enum child_state)h->state;
	c->starts = (unsigned)h->starts;
	c->rows = (unsigned)h->rows;
	c->cols = (unsigned)h->cols;
	c->master = (int)h->master;
	c->status = (int)h->status;
	c->ended = h->ended;
	c->started_ms = h->started_ms;
	c->due_ms = h->due_ms;
	c->backoff_ms = h->backoff_ms;
	/* launch.json may have been written anew, with fewer keys. */
	if (h->key < c->plan->n_keys) {
		c->key = h->key;
		c->pressed = (unsigned)h->pressed;
		c->key_ms = h->key_ms;
	}
	if (h->control[0] != '\0' && (c->control = strdup(h->control)) == NULL)
		fatal_memory();
	input = base64_decode(h->input, strlen(h->input), &len);
	if (input != NULL && len > 0)
		(void)child_type(c, input, len);
	free(input);
}

/* Without its screen the child is asked to draw it anew, as by a new size. */
static void
take_screen(struct pty *p, const struct heading *h, const char *saved,
    size_t len)
{
	struct error	e;
	size_t		i;

	if (len == h->screen)
		p->screen = screen_load(saved, len, &pty_screen_ops, p, &e);
	else
		error_set(&e, EX_DATAERR, "%zu bytes of %llu", len,
		    (unsigned long long)h->screen);
	if (p->screen != NULL)
		return;
	log_error("the screen is lost", "error=%s", log_str(e.text));
	p->screen = screen_new((int)h->rows, (int)h->cols,
	    (int)p->plan.history, &pty_screen_ops, p);
	if (p->screen == NULL)
		fatal_memory();
	for (i = 0; i < p->attach.n; i++)
		p->attach.v[i].live = false;
	child_resize(&p->child, (unsigned)h->rows - 1, (unsigned)h->cols);
	child_resize(&p->child, (unsigned)h->rows, (unsigned)h->cols);
}

int
upgrade_take(struct pty *p, int fd, struct error *e)
{
	struct heading	 h;
	char		*text, *end;
	size_t		 len;
	cJSON		*o = NULL;
	int		 r = -1;

	memset(&h, 0, sizeof(h));
	if ((text = read_blob(fd, &len, e)) == NULL)
		return -1;
	close(fd);
	if ((end = memchr(text, '\n', len)) == NULL)
		error_set(e, EX_SOFTWARE, "a hand-over without a heading");
	else if ((o = json_parse(text, (size_t)(end - text), e)) != NULL &&
	    json_read(o, table, &h, "", e) == 0)
		r = attach_load(p, h.attachers, e);
	if (r == 0) {
		p->lock_fd = (int)h.lock;
		p->notify_fd = (int)h.notify;
		p->ended_pid = (pid_t)h.ended_pid;
		take_child(&p->child, &h);
		keep_all(p, -1, false);
		p->attach.fed = h.fed;
		p->attach.holding = true;
		p->still_ms = clock_ms() + STILL_MS;
		take_screen(p, &h, end + 1, len - (size_t)(end + 1 - text));
		log_info("handed over", "pid=%d attachers=%zu", p->child.pid,
		    p->attach.n);
	}
	cJSON_Delete(o);
	free(text);
	return r;
}
