/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "clock.h"
#include "json.h"
#include "log.h"
#include "pty_impl.h"

#define TEXT_PART	(32 * 1024)	/* bytes of text in a frame */
#define CHUNK		(32 * 1024)	/* of a repaint */
#define REPAINT_MS	33		/* from one repaint to the next */
#define BUFFERED_MAX	(4 * 1024 * 1024)	/* not taken by the broker */
#define TOLD_EVERY	(16 * 1024)	/* bytes of input */

/* What 'a' and 'w' say. */
struct hello {
	uint64_t	rows, cols, version, n;
	bool		readonly;
};

#define H(m)	.name = #m, .offset = offsetof(struct hello, m)
static const struct json_field	hello_table[] = {
	{ H(rows), .type = JSON_U64, .required = true, .max = 10000 },
	{ H(cols), .type = JSON_U64, .required = true, .max = 10000 },
	{ H(version), .type = JSON_U64 },
	{ H(n), .type = JSON_U64 },
	{ H(readonly), .type = JSON_BOOL },
	JSON_END
};
#undef H

/* --- saying ------------------------------------------------------------------- */

/* A frame: its type, then its bytes. */
static void
send_frame(struct pty *p, const char *id, char type, const void *data,
    size_t len)
{
	static struct bytes	 frame;		/* its memory is kept */
	char			 subject[SUBJECT_MAX];
	struct bus_pub		 pub = { .subject = subject };

	if (p->link.bus == NULL || subject_pty(subject, sizeof(subject),
	    p->config.space, p->id, "out", id) == -1)
		return;
	bytes_clear(&frame);
	bytes_add(&frame, &type, 1);
	bytes_add(&frame, data, len);
	if (frame.failed)
		fatal_memory();
	pub.data = frame.p;
	pub.len = frame.n;
	/* What fails, fails with the connection. */
	(void)bus_publish(p->link.bus, &pub, NULL);
}

static void
send_json(struct pty *p, const char *id, char type, cJSON *o)
{
	char	*text = o == NULL ? NULL : json_print(o);

	cJSON_Delete(o);
	if (text == NULL)
		fatal_memory();
	send_frame(p, id, type, text, strlen(text));
	free(text);
}

static void
send_text(struct pty *p, const char *id, char type, const char *text)
{
	send_frame(p, id, type, text, strlen(text));
}

static void
send_size(struct pty *p, const char *id)
{
	cJSON	*o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "rows", p->child.rows);
	cJSON_AddNumberToObject(o, "cols", p->child.cols);
	send_json(p, id, 'w', o);
}

/* What it is to print when it goes: who attaches knows nothing of terminals. */
static void
send_leave(struct pty *p, const struct attacher *a)
{
	struct bytes	b = { .p = NULL };

	screen_leave(&b, (int)a->rows);
	if (b.failed)
		fatal_memory();
	send_frame(p, a->id, 'l', b.p, b.n);
	bytes_free(&b);
}

/* --- who there is --------------------------------------------------------------- */

static struct attacher *
find(struct pty *p, const char *id)
{
	size_t	i;

	for (i = 0; i < p->attach.n; i++)
		if (strcmp(p->attach.v[i].id, id) == 0)
			return &p->attach.v[i];
	return NULL;
}

static void
remove_one(struct pty *p, struct attacher *a, const char *why)
{
	struct attach	*at = &p->attach;

	log_info("detached", "attacher=%s why=%s left=%zu", a->id,
	    log_str(why), at->n - 1);
	bytes_free(&a->paint);
	*a = at->v[--at->n];
	p->changed = true;
}

/* The same size as the terminal's: only such a one can be given live bytes,
 * which wrap and scroll at the edges. */
static bool
fits(const struct pty *p, const struct attacher *a)
{
	return a->rows == p->child.rows && a->cols == p->child.cols;
}

static void
start_over(struct attacher *a)
{
	a->live = false;
	bytes_clear(&a->paint);
	a->painted = 0;
	a->paint_ms = 0;
	a->paint_fed = UINT64_MAX;
}

/* The smallest of all attachers' sizes, each way; without any it stays. */
static void
choose_size(struct pty *p)
{
	unsigned	rows = SCREEN_ROWS_MAX, cols = SCREEN_COLS_MAX;
	size_t		i;

	if (p->attach.n == 0)
		return;
	for (i = 0; i < p->attach.n; i++) {
		if (p->attach.v[i].rows < rows)
			rows = p->attach.v[i].rows;
		if (p->attach.v[i].cols < cols)
			cols = p->attach.v[i].cols;
	}
	if (rows == p->child.rows && cols == p->child.cols)
		return;
	child_resize(&p->child, rows, cols);
	screen_resize(p->screen, (int)rows, (int)cols);
	p->changed = true;
	for (i = 0; i < p->attach.n; i++) {
		send_size(p, p->attach.v[i].id);
		start_over(&p->attach.v[i]);
	}
}

/* --- repaints and live bytes -------------------------------------------------------- */

static bool
room_for(const struct pty *p, const struct attacher *a, size_t len)
{
	return a->sent - a->consumed + len <= ATTACH_WINDOW &&
	    bus_buffered(p->link.bus) < BUFFERED_MAX;
}

static void
begin_repaint(struct pty *p, struct attacher *a)
{
	cJSON	*o = cJSON_CreateObject();

	bytes_clear(&a->paint);
	screen_repaint(p->screen, a->history ? SCREEN_HISTORY | SCREEN_FORGET :
	    0, &a->paint);
	if (a->paint.failed)
		fatal_memory();
	a->history = false;
	a->painted = 0;
	a->paint_ms = clock_ms();
	a->paint_fed = p->attach.fed;
	json_set_u64(o, "bytes", a->paint.n);
	json_set_u64(o, "n", a->asked);
	send_json(p, a->id, 's', o);
}

static void
go_on_painting(struct pty *p, struct attacher *a)
{
	size_t	n;

	while (a->painted < a->paint.n) {
		n = a->paint.n - a->painted;
		if (n > CHUNK)
			n = CHUNK;
		if (!room_for(p, a, n))
			return;
		send_frame(p, a->id, 'p', a->paint.p + a->painted, n);
		a->painted += n;
		a->sent += n;
	}
	/* What has been printed meanwhile is in no repaint yet. */
	a->live = a->paint_fed == p->attach.fed && fits(p, a);
	bytes_free(&a->paint);
	a->painted = 0;
}

static bool
is_painting(const struct attacher *a)
{
	return a->painted < a->paint.n;
}

static bool
wants_repaint(const struct pty *p, const struct attacher *a)
{
	return !a->live && !is_painting(a) && a->sent == a->consumed &&
	    a->paint_fed != p->attach.fed;
}

void
attach_live(struct pty *p, const void *data, size_t len)
{
	struct attacher	*a;
	size_t		 i;

	if (len == 0)
		return;
	p->attach.fed += len;
	for (i = 0; i < p->attach.n; i++) {
		a = &p->attach.v[i];
		if (!a->live)
			continue;
		if (p->link.bus != NULL && room_for(p, a, len)) {
			send_frame(p, a->id, 'o', data, len);
			a->sent += len;
		} else
			a->live = false;
	}
}

/* How much of its input has been taken, now and then, and while the child
 * reads what it gets. */
static void
tell_taken(struct pty *p, struct attacher *a)
{
	char	text[24];

	if (a->typed - a->told < TOLD_EVERY ||
	    p->child.input_len > CHILD_INPUT_MAX / 2)
		return;
	a->told = a->typed;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)a->typed);
	send_text(p, a->id, 'k', text);
}

void
attach_tend(struct pty *p)
{
	struct attacher	*a;
	int64_t		 now = clock_ms();
	size_t		 i;

	for (i = p->attach.n; i-- > 0; ) {
		a = &p->attach.v[i];
		if (now - a->heard_ms >= ATTACH_SILENT_MS)
			remove_one(p, a, "silent");
	}
	choose_size(p);
	if (p->link.bus == NULL)
		return;
	for (i = 0; i < p->attach.n; i++) {
		a = &p->attach.v[i];
		tell_taken(p, a);
		if (wants_repaint(p, a) && now - a->paint_ms >= REPAINT_MS)
			begin_repaint(p, a);
		if (is_painting(a))
			go_on_painting(p, a);
	}
}

int64_t
attach_due(const struct pty *p)
{
	const struct attacher	*a;
	int64_t			 due = INT64_MAX;
	size_t			 i;

	for (i = 0; i < p->attach.n; i++) {
		a = &p->attach.v[i];
		if (a->heard_ms + ATTACH_SILENT_MS < due)
			due = a->heard_ms + ATTACH_SILENT_MS;
		if (p->link.bus != NULL && wants_repaint(p, a) &&
		    a->paint_ms + REPAINT_MS < due)
			due = a->paint_ms + REPAINT_MS;
	}
	return due;
}

/* --- hearing ------------------------------------------------------------------------ */

static int
read_hello(const char *data, size_t len, struct hello *h, struct error *e)
{
	cJSON	*o = json_parse(data, len, e);
	int	 r = -1;

	memset(h, 0, sizeof(*h));
	if (o != NULL)
		r = json_read(o, hello_table, h, "", e);
	cJSON_Delete(o);
	if (r == 0 && (h->rows < SCREEN_ROWS_MIN || h->cols < SCREEN_COLS_MIN))
		r = error_set(e, EX_DATAERR, "a terminal of less than %d rows "
		    "or %d columns", SCREEN_ROWS_MIN, SCREEN_COLS_MIN);
	return r;
}

static void
set_size(struct attacher *a, const struct hello *h)
{
	a->rows = h->rows > SCREEN_ROWS_MAX ? SCREEN_ROWS_MAX :
	    (unsigned)h->rows;
	a->cols = h->cols > SCREEN_COLS_MAX ? SCREEN_COLS_MAX :
	    (unsigned)h->cols;
}

static struct attacher *
add(struct pty *p, const char *id)
{
	struct attacher	*a = find(p, id);

	if (a != NULL)
		bytes_free(&a->paint);
	else if (p->attach.n == ATTACH_MAX)
		return NULL;
	else
		a = &p->attach.v[p->attach.n++];
	memset(a, 0, sizeof(*a));
	snprintf(a->id, sizeof(a->id), "%s", id);
	return a;
}

static void
say_end(struct pty *p, const char *id, bool final)
{
	cJSON	*o = cJSON_CreateObject();

	note_end(&p->child, o);
	cJSON_AddBoolToObject(o, "final", final);
	send_json(p, id, 'x', o);
}

/* Anew, also where it was attached: it counts from here on. */
static void
on_attach(struct pty *p, const char *id, const char *data, size_t len)
{
	struct attacher	*a;
	struct hello	 h;
	struct error	 e;

	if (read_hello(data, len, &h, &e) == -1) {
		send_text(p, id, 'e', e.text);
		return;
	}
	if (h.version != ATTACH_VERSION) {
		send_text(p, id, 'e', "this terminal speaks another version "
		    "of the protocol");
		return;
	}
	if ((a = add(p, id)) == NULL) {
		send_text(p, id, 'e', "too many are attached");
		return;
	}
	a->asked = h.n;
	a->readonly = h.readonly;
	a->history = true;
	a->heard_ms = clock_ms();
	set_size(a, &h);
	start_over(a);
	log_info("attached", "attacher=%s rows=%u cols=%u readonly=%d", id,
	    a->rows, a->cols, a->readonly);
	choose_size(p);
	send_size(p, id);
	send_leave(p, a);
	if (p->child.state == CHILD_OVER)
		say_end(p, id, true);
	p->changed = true;
}

static void
on_input(struct pty *p, struct attacher *a, const char *data, size_t len)
{
	if (a->readonly) {
		send_text(p, a->id, 'e', "attached to watch only");
		return;
	}
	child_hands_off(&p->child);
	if (!child_type(&p->child, data, len))
		send_text(p, a->id, 'e', "the program does not read: input "
		    "was lost");
	a->typed += len;
}

static void
on_resize(struct pty *p, struct attacher *a, const char *data, size_t len)
{
	struct hello	h;
	struct error	e;

	if (read_hello(data, len, &h, &e) == -1) {
		send_text(p, a->id, 'e', e.text);
		return;
	}
	set_size(a, &h);
	send_leave(p, a);
	/* Its terminal has changed what it shows, whatever ours does. */
	start_over(a);
}

static void
on_consumed(struct attacher *a, const char *data, size_t len)
{
	char		 text[24];
	const char	*why;
	long long	 n;

	if (len == 0 || len >= sizeof(text))
		return;
	memcpy(text, data, len);
	text[len] = '\0';
	n = strtonum(text, 0, LLONG_MAX, &why);
	if (why != NULL)
		return;
	/* Never more than was sent, never less than before.  Who counts too
	 * much has at least all of it: he is to see the next repaint. */
	if ((uint64_t)n > a->sent)
		n = (long long)a->sent;
	if ((uint64_t)n > a->consumed)
		a->consumed = (uint64_t)n;
}

/* All rows as text, in parts; an empty one is the last. */
static void
say_text(struct pty *p, const char *id)
{
	struct bytes	text = { .p = NULL };
	size_t		at, n;

	screen_text(p->screen, -1, &text);
	for (at = 0; !text.failed && at < text.n; at += n) {
		n = text.n - at < TEXT_PART ? text.n - at : TEXT_PART;
		send_frame(p, id, 't', text.p + at, n);
	}
	send_frame(p, id, 't', NULL, 0);
	bytes_free(&text);
}

static void
take(struct pty *p, const char *id, const char *data, size_t len)
{
	struct attacher	*a = find(p, id);

	if (data[0] == 't') {
		say_text(p, id);
		return;
	}
	if (data[0] == 'a') {
		on_attach(p, id, data + 1, len - 1);
		return;
	}
	if (a == NULL) {
		/* Whom a new connection, or his silence, made us forget. */
		if (data[0] != 'd')
			send_text(p, id, 'g', "attach again");
		return;
	}
	a->heard_ms = clock_ms();
	switch (data[0]) {
	case 'i':
		on_input(p, a, data + 1, len - 1);
		break;
	case 'w':
		on_resize(p, a, data + 1, len - 1);
		break;
	case 'k':
		on_consumed(a, data + 1, len - 1);
		break;
	case 'h':
		a->held = true;
		break;
	case 'd':
		remove_one(p, a, "told so");
		break;
	default:
		send_text(p, id, 'e', "no such frame");
		break;
	}
}

/* The last token of the subject says who sends; the broker has made sure. */
static void
on_frame(void *arg, natsMsg *m)
{
	struct pty	*p = arg;
	const char	*id = strrchr(natsMsg_GetSubject(m), '.');

	if (natsMsg_GetDataLength(m) > 0 && id != NULL &&
	    name_is_id(id + 1))
		take(p, id + 1, natsMsg_GetData(m),
		    (size_t)natsMsg_GetDataLength(m));
	bus_msg_free(m);
}

/* Our own state message: that it comes shows that the link works. */
static void
on_state(void *arg, natsMsg *m)
{
	(void)arg;
	bus_msg_free(m);
}

int
attach_bind(struct pty *p, struct error *e)
{
	char	subject[SUBJECT_MAX];

	if (subject_pty(subject, sizeof(subject), p->config.space, p->id,
	    "in", "*") == -1)
		return error_set(e, EX_CONFIG, "no subject for %s", p->id);
	if (bus_subscribe(p->link.bus, subject, NULL, on_frame, p, e) == NULL)
		return -1;
	if (subject_pty(subject, sizeof(subject), p->config.space, p->id,
	    "state", NULL) == -1)
		return error_set(e, EX_CONFIG, "no subject for %s", p->id);
	if (bus_subscribe(p->link.bus, subject, NULL, on_state, p, e) == NULL)
		return -1;
	return 0;
}

void
attach_forget(struct pty *p)
{
	while (p->attach.n > 0)
		remove_one(p, &p->attach.v[0], "connection lost");
}

/* --- ends, hand-over ------------------------------------------------------------------ */

void
attach_say_end(struct pty *p, bool final)
{
	size_t	i;

	for (i = 0; i < p->attach.n; i++)
		say_end(p, p->attach.v[i].id, final);
}

bool
attach_hold(struct pty *p)
{
	size_t	i, n = 0;

	for (i = 0; i < p->attach.n; i++) {
		if (!p->attach.holding)
			send_frame(p, p->attach.v[i].id, 'h', NULL, 0);
		if (p->attach.v[i].held)
			n++;
	}
	p->attach.holding = true;
	return n == p->attach.n;
}

void
attach_resume(struct pty *p)
{
	size_t	i;

	for (i = 0; i < p->attach.n; i++) {
		p->attach.v[i].held = false;
		send_frame(p, p->attach.v[i].id, 'r', NULL, 0);
	}
	p->attach.holding = false;
}

/* --- saved and loaded ------------------------------------------------------------------ */

struct saved {
	const char	*id;
	uint64_t	 rows, cols, asked, sent, consumed, typed, told;
	bool		 readonly, live, history;
};

#define S(m)	.name = #m, .offset = offsetof(struct saved, m), .required = true
static const struct json_field	saved_table[] = {
	{ S(id), .type = JSON_STRING, .max = ID_LEN },
	{ S(rows), .type = JSON_U64, .max = SCREEN_ROWS_MAX },
	{ S(cols), .type = JSON_U64, .max = SCREEN_COLS_MAX },
	{ S(asked), .type = JSON_U64 },
	{ S(sent), .type = JSON_U64 },
	{ S(consumed), .type = JSON_U64 },
	{ S(typed), .type = JSON_U64 },
	{ S(told), .type = JSON_U64 },
	{ S(readonly), .type = JSON_BOOL },
	{ S(live), .type = JSON_BOOL },
	{ S(history), .type = JSON_BOOL },
	JSON_END
};
#undef S

cJSON *
attach_save(const struct pty *p)
{
	const struct attacher	*a;
	cJSON			*list = cJSON_CreateArray(), *o;
	size_t			 i;

	for (i = 0; i < p->attach.n; i++) {
		a = &p->attach.v[i];
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "id", a->id);
		cJSON_AddNumberToObject(o, "rows", a->rows);
		cJSON_AddNumberToObject(o, "cols", a->cols);
		json_set_u64(o, "asked", a->asked);
		json_set_u64(o, "sent", a->sent);
		json_set_u64(o, "consumed", a->consumed);
		json_set_u64(o, "typed", a->typed);
		json_set_u64(o, "told", a->told);
		cJSON_AddBoolToObject(o, "readonly", a->readonly);
		cJSON_AddBoolToObject(o, "live", a->live);
		cJSON_AddBoolToObject(o, "history", a->history);
		if (o == NULL || !cJSON_AddItemToArray(list, o))
			fatal_memory();
	}
	return list;
}

int
attach_load(struct pty *p, const cJSON *list, struct error *e)
{
	struct saved	 s;
	struct attacher	*a;
	const cJSON	*o;

	cJSON_ArrayForEach(o, list) {
		if (json_read(o, saved_table, &s, "attachers", e) == -1)
			return -1;
		if ((a = add(p, s.id)) == NULL)
			break;
		start_over(a);
		a->rows = (unsigned)s.rows;
		a->cols = (unsigned)s.cols;
		a->asked = s.asked;
		a->sent = s.sent;
		a->consumed = s.consumed;
		a->typed = s.typed;
		a->told = s.told;
		a->readonly = s.readonly;
		a->live = s.live;
		a->history = s.history;
		a->heard_ms = clock_ms();
	}
	return 0;
}
