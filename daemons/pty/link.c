/* SPDX-License-Identifier: ISC */
#include <sys/eventfd.h>

#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "link.h"
#include "log.h"

#define BACKOFF_MIN_MS	50
#define BACKOFF_MAX_MS	1000

void
link_init(struct link *l, const char *servers, const char *creds_path)
{
	memset(l, 0, sizeof(*l));
	l->servers = servers;
	l->creds_path = creds_path;
	l->backoff_ms = BACKOFF_MIN_MS;
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd == -1)
		fatal_memory();
}

static void
later(struct link *l, const char *why)
{
	l->next_ms = clock_ms() + l->backoff_ms / 2 +
	    randombytes_uniform((uint32_t)l->backoff_ms);
	l->backoff_ms = l->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS :
	    l->backoff_ms * 2;
	log_warn("no broker", "error=%s", log_str(why));
}

static void *
connect_thread(void *arg)
{
	struct link	*l = arg;
	struct bus_conf	 conf = { .servers = l->servers, .creds = &l->creds,
			    .name = "reeve-pty" };
	uint64_t	 one = 1;

	if (bus_open(&l->made, &conf, &l->error) == -1)
		l->made = NULL;
	while (write(l->wake_fd, &one, sizeof(one)) == -1)
		;
	return NULL;
}

/* The credentials anew each time: they may have been renewed. */
static void
begin(struct link *l)
{
	struct creds	fresh;
	struct error	e;
	int		r;

	if (creds_load(&fresh, l->creds_path, &e) == 0) {
		creds_wipe(&l->creds);
		l->creds = fresh;
	} else if (l->creds.jwt == NULL) {
		later(l, e.text);
		return;
	}
	l->made = NULL;
	if ((r = pthread_create(&l->thread, NULL, connect_thread, l)) != 0)
		later(l, strerror(r));
	else
		l->connecting = true;
}

bool
link_tend(struct link *l)
{
	uint64_t	n;

	if (l->connecting) {
		if (read(l->wake_fd, &n, sizeof(n)) == -1)
			return false;
		pthread_join(l->thread, NULL);
		l->connecting = false;
		if (l->made == NULL) {
			later(l, l->error.text);
			return false;
		}
		l->bus = l->made;
		l->made = NULL;
		l->backoff_ms = BACKOFF_MIN_MS;
		return true;
	}
	if (l->bus == NULL && clock_ms() >= l->next_ms)
		begin(l);
	return false;
}

int64_t
link_due(const struct link *l)
{
	return l->bus != NULL || l->connecting ? INT64_MAX : l->next_ms;
}

void
link_drop(struct link *l, bool at_once)
{
	const char	*why = l->bus == NULL ? "" : bus_why(l->bus);

	if (l->bus == NULL)
		return;
	if (at_once)
		l->next_ms = 0;
	else
		later(l, why[0] != '\0' ? why : "the link is silent");
	bus_close(l->bus);
	l->bus = NULL;
}

void
link_free(struct link *l)
{
	/* Two seconds at most: it connects, or it does not. */
	if (l->connecting) {
		pthread_join(l->thread, NULL);
		bus_close(l->made);
	}
	bus_close(l->bus);
	l->bus = NULL;
	if (l->wake_fd != -1)
		close(l->wake_fd);
	l->wake_fd = -1;
	creds_wipe(&l->creds);
}
