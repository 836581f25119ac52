/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "tell.h"

#define STATUS_EVERY_MS	100	/* at most so often; again without room */

void
tell_init(struct tell *t)
{
	memset(t, 0, sizeof(*t));
	sdnotify_init(&t->socket);
	t->ping_ms = t->socket.every_ms == 0 ? NEVER : roster_now_ms();
	t->again_ms = NEVER;
}

void
tell_close(struct tell *t)
{
	sdnotify_close(&t->socket);
}

/* One line for people. */
static void
describe(const struct tell *t, const struct roster *r, char *buf, size_t size)
{
	const struct service	*sv;
	unsigned		 all, ready;
	int			 n;

	if (t->stopping) {
		snprintf(buf, size, "stopping, %u services left",
		    roster_left(r));
		return;
	}
	roster_count(r, &all, &ready);
	n = snprintf(buf, size, "%u of %u services ready", ready, all);
	if ((sv = roster_not_ready(r)) != NULL && n > 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, ", not %s (%s)",
		    log_str(sv->name), sv->given_up != NULL ? "given up" :
		    service_state_name(sv->state));
}

/* False: the receiver has no room, so it is to be said again. */
static bool
send_status(struct tell *t, const char *head, const char *status)
{
	if (sdnotify_send(&t->socket, "%sSTATUS=%s", head, status) == -1 &&
	    errno == EAGAIN)
		return false;
	snprintf(t->status, sizeof(t->status), "%s", status);
	t->status_ms = roster_now_ms() + STATUS_EVERY_MS;
	return true;
}

void
tell_reloading(struct tell *t)
{
	struct timespec	ts;

	if (!t->announced || t->stopping)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	(void)sdnotify_send(&t->socket,
	    "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=looking for services",
	    (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	t->reloading = true;
}

void
tell_stopping(struct tell *t)
{
	t->stopping = true;
	t->reloading = false;
	(void)sdnotify_send(&t->socket, "STOPPING=1");
}

static void
log_ready(struct tell *t, const struct roster *r)
{
	unsigned	all, ready;

	if (t->logged || t->stopping || !roster_is_ready(r))
		return;
	roster_count(r, &all, &ready);
	log_info("all ready", "services=%u ready=%u", all, ready);
	t->logged = true;
}

/* One that found no room is not left for the next, which is sent when the
 * time is over. */
static void
ping(struct tell *t, int64_t now_ms)
{
	int64_t	next_ms = t->socket.every_ms;

	if (sdnotify_send(&t->socket, "WATCHDOG=1") == -1 &&
	    errno == EAGAIN && next_ms > STATUS_EVERY_MS)
		next_ms = STATUS_EVERY_MS;
	t->ping_ms = now_ms + next_ms;
}

void
tell_all(struct tell *t, const struct roster *r)
{
	char	status[sizeof(t->status)];
	int64_t	now_ms = roster_now_ms();

	log_ready(t, r);
	if (t->socket.fd == -1)
		return;
	if (t->ping_ms <= now_ms)
		ping(t, now_ms);
	t->again_ms = NEVER;
	describe(t, r, status, sizeof(status));
	if (!t->stopping && (t->reloading || (t->logged && !t->announced))) {
		if (send_status(t, "READY=1\n", status)) {
			t->announced = true;
			t->reloading = false;
		} else
			t->again_ms = now_ms + STATUS_EVERY_MS;
	} else if (strcmp(status, t->status) != 0) {
		if (t->status_ms > now_ms)
			t->again_ms = t->status_ms;
		else if (!send_status(t, "", status))
			t->again_ms = now_ms + STATUS_EVERY_MS;
	}
}

int64_t
tell_deadline_ms(const struct tell *t)
{
	return t->ping_ms < t->again_ms ? t->ping_ms : t->again_ms;
}
