/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sdnotify.h"

static int64_t
watchdog_interval_ms(void)
{
	const char	*pid = getenv("WATCHDOG_PID");
	const char	*usec = getenv("WATCHDOG_USEC");
	int64_t		 ms;

	if (usec == NULL || (pid != NULL && atol(pid) != (long)getpid()))
		return 0;
	/* Twice in the time it gives us. */
	ms = strtoll(usec, NULL, 10) / 2000;
	if (ms < 0)
		return 0;
	return ms == 0 ? 1 : ms;
}

void
sdnotify_init(struct sdnotify *n)
{
	const char	*path = getenv("NOTIFY_SOCKET");
	size_t		 len;

	memset(n, 0, sizeof(*n));
	n->fd = -1;
	if (path == NULL || path[0] == '\0')
		return;
	len = strlen(path);
	if ((path[0] != '/' && path[0] != '@') ||
	    len >= sizeof(n->addr.sun_path)) {
		log_warn("bad NOTIFY_SOCKET", "path=%s", log_str(path));
		return;
	}
	n->addr.sun_family = AF_UNIX;
	memcpy(n->addr.sun_path, path, len);
	/* An abstract name begins with a NUL and has none at its end. */
	if (path[0] == '@')
		n->addr.sun_path[0] = '\0';
	n->addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    len);
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd == -1)
		log_warn("cannot notify", "error=%s",
		    log_str(strerror(errno)));
	n->every_ms = watchdog_interval_ms();
}

int
sdnotify_send(const struct sdnotify *n, const char *fmt, ...)
{
	char	text[512];
	va_list	ap;
	int	len;

	if (n->fd == -1)
		return 0;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text)) {
		errno = EMSGSIZE;
		return -1;
	}
	if (sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL,
	    (const struct sockaddr *)&n->addr, n->addr_len) != -1)
		return 0;
	/* One that is slow hears the next. */
	if (errno != EAGAIN)
		log_warn("cannot notify", "error=%s",
		    log_str(strerror(errno)));
	return -1;
}

void
sdnotify_close(struct sdnotify *n)
{
	if (n->fd != -1)
		close(n->fd);
	n->fd = -1;
}
