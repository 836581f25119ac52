/* SPDX-License-Identifier: ISC */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "files.h"
#include "hooksock.h"
#include "json.h"

#define NO_FD		(-1)

struct client {
	int	 fd;		/* NO_FD: a free place */
	int64_t	 until_ms;	/* clock_ms */
	uint64_t nth;		/* of all that came: many come in one ms */
	char	*line;
	size_t	 len, cap;
};

/* One descriptor for the caller's poll: an epoll of the others. */
struct hooksock {
	struct hooksock_ops	 ops;
	void			*arg;
	char			*path, *token;
	dev_t			 dev;		/* of the socket that was */
	ino_t			 ino;		/* made; 0: none was */
	int			 epoll, listener, timer;
	struct client		 clients[HOOKSOCK_CLIENTS];
	uint64_t		 n_came;
};

/* --- clients --------------------------------------------------------------------- */

static void
hang_up(struct client *c)
{
	if (c->fd == NO_FD)
		return;
	close(c->fd);
	/* A token was in it. */
	if (c->line != NULL)
		explicit_bzero(c->line, c->len);
	free(c->line);
	memset(c, 0, sizeof(*c));
	c->fd = NO_FD;
}

/* To the first end of patience, or off. */
static void
set_timer(struct hooksock *hs)
{
	struct itimerspec	its = { .it_value = { .tv_sec = 0 } };
	int64_t			first = 0, left;
	size_t			i;

	for (i = 0; i < HOOKSOCK_CLIENTS; i++)
		if (hs->clients[i].fd != NO_FD &&
		    (first == 0 || hs->clients[i].until_ms < first))
			first = hs->clients[i].until_ms;
	if (first != 0) {
		left = first - clock_ms();
		if (left < 1)
			left = 1;
		its.it_value.tv_sec = left / 1000;
		its.it_value.tv_nsec = left % 1000 * 1000000;
	}
	(void)timerfd_settime(hs->timer, 0, &its, NULL);
}

static void
expire(struct hooksock *hs)
{
	int64_t	now = clock_ms();
	size_t	i;

	for (i = 0; i < HOOKSOCK_CLIENTS; i++)
		if (hs->clients[i].fd != NO_FD &&
		    hs->clients[i].until_ms <= now)
			hang_up(&hs->clients[i]);
}

static struct client *
place(struct hooksock *hs)
{
	struct client	*oldest = &hs->clients[0];
	size_t		 i;

	for (i = 0; i < HOOKSOCK_CLIENTS; i++) {
		if (hs->clients[i].fd == NO_FD)
			return &hs->clients[i];
		if (hs->clients[i].nth < oldest->nth)
			oldest = &hs->clients[i];
	}
	hang_up(oldest);
	return oldest;
}

static bool
is_us(int fd)
{
	struct ucred	u;
	socklen_t	len = sizeof(u);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 &&
	    (u.uid == geteuid() || u.uid == 0);
}

static int
watch(struct hooksock *hs, int fd, void *who)
{
	struct epoll_event	ev = { .events = EPOLLIN, .data.ptr = who };

	return epoll_ctl(hs->epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void
take_clients(struct hooksock *hs)
{
	struct client	*c;
	int		 fd;

	while ((fd = accept4(hs->listener, NULL, NULL,
	    SOCK_CLOEXEC | SOCK_NONBLOCK)) != -1) {
		if (!is_us(fd)) {
			close(fd);
			continue;
		}
		c = place(hs);
		c->fd = fd;
		c->until_ms = clock_ms() + HOOKSOCK_MS;
		c->nth = hs->n_came++;
		if (watch(hs, fd, c) == -1)
			hang_up(c);
	}
}

/* --- what they say ------------------------------------------------------------------ */

struct frame {
	char	*token;
	cJSON	*event;
	char	*op;
};

static const struct json_field frame_fields[] = {
	{ .name = "token", .type = JSON_STRING, .required = true,
	    .offset = offsetof(struct frame, token) },
	{ .name = "event", .type = JSON_OBJECT,
	    .offset = offsetof(struct frame, event) },
	{ .name = "op", .type = JSON_STRING,
	    .offset = offsetof(struct frame, op) },
	JSON_END
};

static bool
knows_token(const struct hooksock *hs, const char *token)
{
	size_t	len = strlen(hs->token);

	return strlen(token) == len &&
	    sodium_memcmp(token, hs->token, len) == 0;
}

/* Whole or not at all: what does not fit the socket is a reader's that does
 * not read. */
static bool
answer(struct client *c, const char *text)
{
	char	*line;
	int	 len = asprintf(&line, "%s\n", text), size;
	bool	 whole;

	if (len == -1)
		return false;
	size = 4 * len;
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	whole = send(c->fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    len;
	free(line);
	return whole;
}

static void
handle_event(struct hooksock *hs, struct client *c, const cJSON *event)
{
	char	*text = hs->ops.event(hs->arg, event);
	bool	 whole = answer(c, text != NULL ? text : "{}");

	free(text);
	hs->ops.given(hs->arg, whole);
}

static void
handle_line(struct hooksock *hs, struct client *c, size_t len)
{
	struct frame	 f = { .token = NULL };
	cJSON		*tree = json_parse(c->line, len, NULL);

	if (tree != NULL &&
	    json_read_strict(tree, frame_fields, &f, "", NULL) == 0 &&
	    knows_token(hs, f.token)) {
		if (f.event != NULL && f.op == NULL)
			handle_event(hs, c, f.event);
		else if (f.event == NULL && f.op != NULL &&
		    strcmp(f.op, "shutdown") == 0) {
			(void)answer(c, "{\"ok\":true}");
			hs->ops.shutdown(hs->arg);
		} else if (f.event == NULL)
			(void)answer(c, "{\"ok\":false,\"error\":\"expected "
			    "an event, or the op shutdown\"}");
	}
	cJSON_Delete(tree);
	hang_up(c);
}

/* Room for more, and for the end; false when it has said too much. */
static bool
make_room(struct client *c)
{
	size_t	 cap = c->cap == 0 ? 4096 : c->cap * 2;
	char	*p;

	if (c->len < c->cap)
		return true;
	if (c->len > HOOKSOCK_LINE_MAX)
		return false;
	if (cap > HOOKSOCK_LINE_MAX + 1)
		cap = HOOKSOCK_LINE_MAX + 1;
	if ((p = realloc(c->line, cap)) == NULL)
		return false;
	c->line = p;
	c->cap = cap;
	return true;
}

static void
hear(struct hooksock *hs, struct client *c)
{
	char	*end;
	ssize_t	 n;

	for (;;) {
		if (!make_room(c)) {
			hang_up(c);
			return;
		}
		n = read(c->fd, c->line + c->len, c->cap - c->len);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			hang_up(c);
			return;
		}
		end = memchr(c->line + c->len, '\n', (size_t)n);
		c->len += (size_t)n;
		if (end != NULL) {
			handle_line(hs, c, (size_t)(end - c->line));
			return;
		}
	}
}

/* --- the socket ------------------------------------------------------------------------ */

static int
check_dir(const char *path, struct error *e)
{
	char		*dir = strdup(path), *slash;
	struct stat	 st;
	int		 rc = 0;

	if (dir == NULL)
		return error_set(e, EX_OSERR, "out of memory");
	slash = strrchr(dir, '/');
	if (slash == NULL)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	if (stat(dir, &st) == -1)
		rc = error_errno(e, EX_NOPERM, "%s", dir);
	else if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		rc = error_set(e, EX_NOPERM, "%s: others may write to the "
		    "directory of the control socket: chmod 700", dir);
	free(dir);
	return rc;
}

/* What an earlier session of the same user left behind. */
static int
clear(const struct sockaddr_un *at, struct error *e)
{
	struct stat	st;
	int		fd, rc;

	if (lstat(at->sun_path, &st) == -1)
		return errno == ENOENT ? 0 :
		    error_errno(e, EX_NOPERM, "%s", at->sun_path);
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return error_set(e, EX_NOPERM, "%s is there, and is no socket "
		    "of this user's", at->sun_path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0)) == -1)
		return error_errno(e, EX_OSERR, "socket");
	rc = connect(fd, (const struct sockaddr *)at, sizeof(*at));
	/* One that listens and has no room is not stale either. */
	if (rc == -1 && errno != ECONNREFUSED)
		rc = 0;
	close(fd);
	if (rc == 0)
		return error_set(e, EX_UNAVAILABLE, "%s: another session "
		    "listens there", at->sun_path);
	if (unlink(at->sun_path) == -1)
		return error_errno(e, EX_NOPERM, "%s", at->sun_path);
	return 0;
}

static int
listen_at(struct hooksock *hs, struct error *e)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	struct stat		st;

	if (strlen(hs->path) >= sizeof(at.sun_path))
		return error_set(e, EX_CONFIG, "%.32s...: too long for a "
		    "socket", hs->path);
	strcpy(at.sun_path, hs->path);
	if (check_dir(hs->path, e) == -1 || clear(&at, e) == -1)
		return -1;
	hs->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	/* Its mode is the socket's from the first moment. */
	if (hs->listener == -1 || fchmod(hs->listener, 0600) == -1 ||
	    bind(hs->listener, (struct sockaddr *)&at, sizeof(at)) == -1)
		return error_errno(e, EX_OSERR, "%s", hs->path);
	if (lstat(hs->path, &st) == 0) {
		hs->dev = st.st_dev;
		hs->ino = st.st_ino;
	}
	if (listen(hs->listener, HOOKSOCK_CLIENTS) == -1)
		return error_errno(e, EX_OSERR, "%s", hs->path);
	return 0;
}

static int
prepare(struct hooksock *hs, struct error *e)
{
	if ((hs->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    (hs->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC |
	    TFD_NONBLOCK)) == -1)
		return error_errno(e, EX_OSERR, "control socket");
	if (listen_at(hs, e) == -1)
		return -1;
	if (watch(hs, hs->listener, &hs->listener) == -1 ||
	    watch(hs, hs->timer, &hs->timer) == -1)
		return error_errno(e, EX_OSERR, "control socket");
	return 0;
}

int
hooksock_open(struct hooksock **out, const char *path, const char *token,
    const struct hooksock_ops *ops, void *arg, struct error *e)
{
	struct hooksock	*hs = calloc(1, sizeof(*hs));
	size_t		 i;

	*out = NULL;
	if (hs == NULL)
		return error_set(e, EX_OSERR, "out of memory");
	hs->ops = *ops;
	hs->arg = arg;
	hs->epoll = hs->listener = hs->timer = NO_FD;
	for (i = 0; i < HOOKSOCK_CLIENTS; i++)
		hs->clients[i].fd = NO_FD;
	hs->path = strdup(path);
	hs->token = strdup(token);
	if (hs->path == NULL || hs->token == NULL)
		error_set(e, EX_OSERR, "out of memory");
	else if (prepare(hs, e) == 0) {
		*out = hs;
		return 0;
	}
	hooksock_free(hs);
	return -1;
}

void
hooksock_free(struct hooksock *hs)
{
	int		fds[3];
	struct stat	st;
	size_t		i;

	if (hs == NULL)
		return;
	for (i = 0; i < HOOKSOCK_CLIENTS; i++)
		hang_up(&hs->clients[i]);
	fds[0] = hs->listener;
	fds[1] = hs->timer;
	fds[2] = hs->epoll;
	for (i = 0; i < 3; i++)
		if (fds[i] != NO_FD)
			close(fds[i]);
	if (hs->ino != 0 && lstat(hs->path, &st) == 0 &&
	    st.st_dev == hs->dev && st.st_ino == hs->ino)
		(void)unlink(hs->path);
	file_wipe(hs->token);
	free(hs->path);
	free(hs);
}

/* --- the caller's loop ------------------------------------------------------------------- */

size_t
hooksock_fds(const struct hooksock *hs, struct pollfd *v, size_t max)
{
	if (hs == NULL || max == 0)
		return 0;
	v[0] = (struct pollfd){ .fd = hs->epoll, .events = POLLIN };
	return 1;
}

void
hooksock_serve(struct hooksock *hs, const struct pollfd *v, size_t n)
{
	struct epoll_event	ev[HOOKSOCK_CLIENTS + 2];
	int			i, got;
	bool			more = false;

	(void)v;
	(void)n;
	if (hs == NULL ||
	    (got = epoll_wait(hs->epoll, ev, HOOKSOCK_CLIENTS + 2, 0)) < 1)
		return;
	for (i = 0; i < got; i++)
		if (ev[i].data.ptr == &hs->listener)
			more = true;
		else if (ev[i].data.ptr != &hs->timer)
			hear(hs, ev[i].data.ptr);
	expire(hs);
	/* Last: it gives away the places of those above. */
	if (more)
		take_clients(hs);
	set_timer(hs);
}
