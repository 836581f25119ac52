/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "log.h"
#include "session.h"
#include "transcript.h"

#define CHUNK		65536
#define AGAIN_MS	1000

/* A message under way. */
struct item {
	TAILQ_ENTRY(item)	 entry;
	struct transcript	*t;
	char			*text;
	char			 id[MESSAGE_ID_MAX + 1];
	bool			 sent;
};
TAILQ_HEAD(items, item);

struct transcript {
	struct endpoint	*ep;
	bool		 on;
	char		 channel[CHANNEL_MAX + 1];
	char		 since[TRANSCRIPT_TIME_MAX];	/* its start */
	int64_t		 looked_ms;		/* epoch; the last event */
	/* the file */
	char		 path[PATH_MAX];
	int		 fd;			/* or -1 */
	dev_t		 dev;
	ino_t		 ino;
	off_t		 at;
	bool		 absent;		/* seen not to be there */
	bool		 told;			/* that it is none of ours */
	bool		 due;			/* to be read */
	int64_t		 until_ms;
	/* a line that has not ended yet */
	char		*line;
	size_t		 len, cap;
	bool		 skips;			/* to its end */
	/* what was said */
	struct items	 items;
	size_t		 n_items, n_sent;
	bool		 again;			/* some go once more, */
	int64_t		 again_ms;		/* then */
};

/* --- what was said ---------------------------------------------------------------- */

static void
drop(struct transcript *t, struct item *it)
{
	TAILQ_REMOVE(&t->items, it, entry);
	t->n_items--;
	free(it->text);
	free(it);
}

static void
end_it(struct transcript *t, const char *why)
{
	if (t->on)
		log_warn("no transcript any more", "why=%s", log_str(why));
	t->on = false;
}

/* An id that stays is what the broker knows a second copy by. */
static void
on_sent(void *arg, const struct error *e)
{
	struct item		*it = arg;
	struct transcript	*t = it->t;

	t->n_sent--;
	it->sent = false;
	if (e != NULL && e->code == EX_TEMPFAIL) {
		t->again = true;
		t->again_ms = clock_ms() + AGAIN_MS;
		return;
	}
	if (e != NULL && e->code == EX_NOPERM)
		end_it(t, e->text);
	else if (e != NULL)
		log_warn("not in the transcript", "why=%s", log_str(e->text));
	drop(t, it);
}

/* What goes again goes before what has not gone yet. */
static void
send_some(struct transcript *t)
{
	struct message_draft	 d = { .channel = t->channel };
	struct item		*it, *next;
	struct error		 e;

	if (t->again && (t->n_sent > 0 || clock_ms() < t->again_ms))
		return;
	t->again = false;
	for (it = TAILQ_FIRST(&t->items); it != NULL; it = next) {
		next = TAILQ_NEXT(it, entry);
		if (it->sent)
			continue;
		d.id = it->id;
		d.text = it->text;
		if (endpoint_send(t->ep, &d, on_sent, it, &e) == 0) {
			it->sent = true;
			t->n_sent++;
		} else if (e.code == EX_TEMPFAIL || e.code == EX_UNAVAILABLE)
			return;
		else {
			log_warn("not in the transcript", "why=%s",
			    log_str(e.text));
			drop(t, it);
		}
	}
}

static void
take_line(struct transcript *t)
{
	struct item	*it;
	char		*text;

	if ((text = transcript_said(t->line, t->len, t->since)) == NULL)
		return;
	if ((it = calloc(1, sizeof(*it))) == NULL) {
		free(text);
		return;
	}
	it->t = t;
	it->text = text;
	message_new_id(it->id);
	TAILQ_INSERT_TAIL(&t->items, it, entry);
	t->n_items++;
}

/* --- the file ----------------------------------------------------------------------- */

static void
forget_line(struct transcript *t)
{
	t->len = 0;
	t->skips = false;
}

/* One that is too long, or for which there is no room, is passed over. */
static void
add_to_line(struct transcript *t, const char *s, size_t n)
{
	size_t	 cap = t->cap == 0 ? CHUNK : t->cap;
	char	*p;

	if (t->skips || n > TRANSCRIPT_LINE_MAX - t->len) {
		t->skips = true;
		return;
	}
	while (cap < t->len + n)
		cap *= 2;
	if (cap != t->cap) {
		if ((p = realloc(t->line, cap)) == NULL) {
			t->skips = true;
			return;
		}
		t->line = p;
		t->cap = cap;
	}
	memcpy(t->line + t->len, s, n);
	t->len += n;
}

/* Up to the last whole line for which there is room; how much that was. */
static size_t
take(struct transcript *t, const char *s, size_t n)
{
	const char	*end;
	size_t		 used = 0, part;

	while (used < n && t->n_items < TRANSCRIPT_QUEUE_MAX) {
		end = memchr(s + used, '\n', n - used);
		part = end == NULL ? n - used : (size_t)(end - s) - used;
		add_to_line(t, s + used, part);
		used += part;
		if (end == NULL)
			break;
		used++;
		if (!t->skips && t->len > 0)
			take_line(t);
		forget_line(t);
	}
	return used;
}

/* False when there is no more now. */
static bool
read_chunk(struct transcript *t)
{
	static char	buf[CHUNK];
	struct stat	st;
	ssize_t		n;

	if (fstat(t->fd, &st) == 0 && st.st_size < t->at) {
		t->at = st.st_size;
		forget_line(t);
	}
	if ((n = pread(t->fd, buf, sizeof(buf), t->at)) <= 0)
		return false;
	t->at += (off_t)take(t, buf, (size_t)n);
	return true;
}

/* Little in a turn: a hook may wait for the next. */
static void
read_some(struct transcript *t)
{
	bool	over = clock_ms() >= t->until_ms;

	if (t->n_items < TRANSCRIPT_QUEUE_MAX && !read_chunk(t))
		t->due = !over;
}

static void
close_file(struct transcript *t)
{
	if (t->fd == -1)
		return;
	read_some(t);		/* what is left, if that is little */
	close(t->fd);
	t->fd = -1;
	forget_line(t);
}

static bool
is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_uid == geteuid();
}

/* By the clock of the file system's stamps, which lags behind the other. */
static int64_t
stamp_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Was it made since the last event, so that none of it was read?  Not every
 * file system can tell, and none within a tick: then it was not. */
static bool
is_new(const struct transcript *t)
{
	struct statx	x;

	return statx(t->fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) == 0 &&
	    (x.stx_mask & STATX_BTIME) != 0 &&
	    (int64_t)x.stx_btime.tv_sec * 1000 +
	    x.stx_btime.tv_nsec / 1000000 > t->looked_ms;
}

/* In a line of which the beginning was not read, to its end. */
static void
begin_at_end(struct transcript *t, off_t size)
{
	char	before;

	t->at = size;
	t->skips = size > 0 && (pread(t->fd, &before, 1, size - 1) != 1 ||
	    before != '\n');
}

static void
open_file(struct transcript *t)
{
	struct stat	st;
	bool		absent = t->absent;

	t->absent = false;
	t->fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (t->fd == -1)
		return;
	if (fstat(t->fd, &st) == -1 || !is_ours(&st)) {
		close(t->fd);
		t->fd = -1;
		return;
	}
	t->dev = st.st_dev;
	t->ino = st.st_ino;
	forget_line(t);
	t->at = 0;
	if (!absent && !is_new(t))
		begin_at_end(t, st.st_size);
}

/* --- its life ------------------------------------------------------------------------- */

/* Another file than the one that is open? */
static void
look(struct transcript *t)
{
	struct stat	st;

	if (stat(t->path, &st) == -1) {
		t->absent |= errno == ENOENT;
		return;
	}
	if (t->fd != -1 && st.st_dev == t->dev && st.st_ino == t->ino) {
		t->absent = false;
		return;
	}
	if (!is_ours(&st)) {
		if (!t->told)
			log_warn("no transcript is read", "path=%s "
			    "why=\"it is not a file of this user\"",
			    log_str(t->path));
		t->told = true;
		return;
	}
	close_file(t);
	open_file(t);
}

void
transcript_event(struct transcript *t, const cJSON *event)
{
	const cJSON	*path = json_get(event, "transcript_path");

	if (!t->on || !cJSON_IsString(path) || path->valuestring[0] != '/' ||
	    strlen(path->valuestring) >= sizeof(t->path))
		return;
	if (strcmp(path->valuestring, t->path) != 0) {
		close_file(t);
		strcpy(t->path, path->valuestring);
		t->absent = t->told = false;
	}
	look(t);
	t->looked_ms = stamp_ms();
	t->due = true;
	t->until_ms = clock_ms() + TRANSCRIPT_FOLLOW_MS;
}

void
transcript_tend(struct transcript *t)
{
	if (!t->on || !endpoint_is_up(t->ep))
		return;
	if (t->fd != -1 && t->due)
		read_some(t);
	send_some(t);
}

static void
set_start(struct transcript *t)
{
	time_t		now;
	struct tm	tm;
	char		day[TRANSCRIPT_TIME_MAX - 8];

	t->looked_ms = stamp_ms();
	now = (time_t)(t->looked_ms / 1000);
	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		day[0] = '\0';
	snprintf(t->since, sizeof(t->since), "%s.%03dZ", day,
	    (int)(t->looked_ms % 1000));
}

struct transcript *
transcript_new(struct session *s)
{
	struct transcript	*t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->fd = -1;
	t->ep = s->ep;
	TAILQ_INIT(&t->items);
	set_start(t);
	if (!s->conf.transcript || s->ep == NULL)
		return t;
	if (channel_transcript(t->channel, sizeof(t->channel),
	    endpoint_name(s->ep)) == -1 || !channel_covered(t->channel,
	    s->conf.allow_publish.v, s->conf.allow_publish.n)) {
		log_warn("no transcript", "channel=%s why=\"it is outside "
		    "allowPublish\"", log_str(t->channel));
		return t;
	}
	t->on = true;
	return t;
}

void
transcript_free(struct transcript *t)
{
	if (t == NULL)
		return;
	while (!TAILQ_EMPTY(&t->items))
		drop(t, TAILQ_FIRST(&t->items));
	if (t->fd != -1)
		close(t->fd);
	free(t->line);
	free(t);
}
