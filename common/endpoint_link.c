/* SPDX-License-Identifier: ISC */
#include <sys/eventfd.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "endpoint_impl.h"

#define BACKOFF_MS	100
#define BACKOFF_MAX_MS	5000
#define IDLE_WAIT_MS	60000
#define EXIT_WAIT_MS	300

/*
 * A try: bus_open blocks for up to 2 s at each server that does not answer, so
 * a thread does it and hands over what came of it.  All that it needs is the
 * try's own, since an endpoint that is freed meanwhile leaves it behind; what
 * it made then goes with it.
 */
struct try {
	pthread_mutex_t	 lock;
	pthread_t	 thread;
	int		 fd;		/* readable when it is done */
	char		*servers, *name, *token, *user, *pass;
	struct creds	 creds;
	struct bus_conf	 conf;		/* of these */
	/* under the lock */
	bool		 done, left;
	int		 r;
	struct bus	*bus;
	struct error	 why;
};

/*
 * Who is left behind when the program ends must not be in the middle of
 * anything: what its libraries clean up then it would still use.  Most are
 * done at once; one that is not waits for the network, and harms nobody.
 */
static struct {
	pthread_once_t	once;
	pthread_mutex_t	lock;
	pthread_cond_t	less;
	unsigned	n;
} behind = { PTHREAD_ONCE_INIT, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_COND_INITIALIZER, 0 };

struct uplink {
	const struct endpoint_conf	*conf;
	struct try			*try;	/* NULL, or under way, or of
						   the bus that is in use */
	bool				 under_way;
	int				 fd;
	int64_t				 next_ms, backoff_ms;
};

/* --- those that are left behind --------------------------------------------------- */

static void
await_left_behind(void)
{
	struct timespec	until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += EXIT_WAIT_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&behind.lock);
	while (behind.n > 0 && pthread_cond_timedwait(&behind.less,
	    &behind.lock, &until) == 0)
		;
	pthread_mutex_unlock(&behind.lock);
}

/* libnats readies itself and what it uses here, not in a thread: so ours is
 * asked before they are, when the program ends. */
static void
prepare(void)
{
	(void)nats_Open(-1);
	(void)atexit(await_left_behind);
}

static void
count_behind(int more)
{
	pthread_mutex_lock(&behind.lock);
	behind.n += (unsigned)more;
	pthread_cond_signal(&behind.less);
	pthread_mutex_unlock(&behind.lock);
}

/* --- a try ---------------------------------------------------------------------- */

static void
secret_free(char *s)
{
	if (s != NULL)
		sodium_memzero(s, strlen(s));
	free(s);
}

static void
try_free(struct try *t)
{
	if (t == NULL)
		return;
	if (t->fd != -1)
		close(t->fd);
	secret_free(t->servers);
	free(t->name);
	free(t->user);
	secret_free(t->token);
	secret_free(t->pass);
	creds_wipe(&t->creds);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void *
try_run(void *arg)
{
	struct try	*t = arg;
	struct bus	*bus = NULL;
	struct error	 why = { .code = 0 };
	uint64_t	 one = 1;
	bool		 left;
	int		 r = bus_open(&bus, &t->conf, &why);

	pthread_mutex_lock(&t->lock);
	t->r = r;
	t->bus = r == 0 ? bus : NULL;
	t->why = why;
	t->done = true;
	left = t->left;
	/* Under the lock: once it is done and not left, t is not ours. */
	if (!left && write(t->fd, &one, sizeof(one)) == -1)
		abort();
	pthread_mutex_unlock(&t->lock);
	if (left) {
		bus_close(t->bus);
		try_free(t);
		nats_ReleaseThreadMemory();
		count_behind(-1);
	}
	return NULL;
}

static bool
copy(char **out, const char *s)
{
	*out = s == NULL ? NULL : strdup(s);
	return s == NULL || *out != NULL;
}

static struct try *
try_new(const struct endpoint_conf *c, int fd)
{
	struct try	*t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	t->creds.key = c->creds->key;
	/* An own descriptor: the link's may be closed before it is done. */
	if ((t->fd = dup(fd)) == -1 || !copy(&t->servers, c->servers) ||
	    !copy(&t->name, c->name) || !copy(&t->token, c->token) ||
	    !copy(&t->user, c->user) || !copy(&t->pass, c->pass) ||
	    !copy(&t->creds.jwt, c->creds->jwt)) {
		try_free(t);
		return NULL;
	}
	t->conf.servers = t->servers;
	t->conf.name = t->name;
	t->conf.creds = &t->creds;
	t->conf.token = t->token;
	t->conf.user = t->user;
	t->conf.pass = t->pass;
	t->conf.tls = c->tls;
	return t;
}

/* No signal is the thread's: the program's own way of taking them stays. */
static int
try_start(struct try *t)
{
	sigset_t	all, was;
	int		r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	r = pthread_create(&t->thread, NULL, try_run, t);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return r;
}

/* It ends by itself, and frees all that is its own. */
static void
try_leave(struct try *t)
{
	bool	done;

	pthread_mutex_lock(&t->lock);
	t->left = true;
	if (!(done = t->done)) {
		pthread_detach(t->thread);
		count_behind(1);
	}
	pthread_mutex_unlock(&t->lock);
	if (!done)
		return;
	pthread_join(t->thread, NULL);
	bus_close(t->bus);
	try_free(t);
}

/* --- the link -------------------------------------------------------------------- */

struct uplink *
uplink_new(const struct endpoint_conf *conf)
{
	struct uplink	*l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	pthread_once(&behind.once, prepare);
	l->conf = conf;
	l->backoff_ms = BACKOFF_MS;
	if ((l->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
		free(l);
		return NULL;
	}
	return l;
}

void
uplink_free(struct uplink *l)
{
	if (l == NULL)
		return;
	if (l->under_way)
		try_leave(l->try);
	else
		try_free(l->try);
	close(l->fd);
	free(l);
}

/* Half of the pause at least, and the rest by chance: many that lost the same
 * broker do not come back at once. */
void
uplink_failed(struct uplink *l)
{
	int64_t	half = l->backoff_ms / 2;

	l->next_ms = clock_ms() + half +
	    randombytes_uniform((uint32_t)half + 1);
	l->backoff_ms *= 2;
	if (l->backoff_ms > BACKOFF_MAX_MS)
		l->backoff_ms = BACKOFF_MAX_MS;
}

void
uplink_tend(struct uplink *l)
{
	if (l->under_way || clock_ms() < l->next_ms)
		return;
	try_free(l->try);
	l->try = try_new(l->conf, l->fd);
	if (l->try != NULL && try_start(l->try) == 0) {
		l->under_way = true;
		return;
	}
	/* No memory, or no thread: as if nobody had answered. */
	try_free(l->try);
	l->try = NULL;
	uplink_failed(l);
}

void
uplink_hurry(struct uplink *l)
{
	l->next_ms = 0;
	l->backoff_ms = BACKOFF_MS;
}

int
uplink_fd(const struct uplink *l)
{
	return l->fd;
}

int64_t
uplink_wait_ms(const struct uplink *l)
{
	int64_t	left = l->next_ms - clock_ms();

	if (l->under_way)
		return IDLE_WAIT_MS;
	return left > 0 ? left : 0;
}

int
uplink_take(struct uplink *l, struct bus **bus, struct error *e)
{
	struct try	*t = l->try;
	uint64_t	 n;
	bool		 done;

	if (!l->under_way)
		return 0;
	pthread_mutex_lock(&t->lock);
	done = t->done;
	pthread_mutex_unlock(&t->lock);
	if (!done)
		return 0;
	pthread_join(t->thread, NULL);
	l->under_way = false;
	(void)!read(l->fd, &n, sizeof(n));
	if (t->r == -1) {
		uplink_failed(l);
		*e = t->why;
		return -1;
	}
	*bus = t->bus;
	t->bus = NULL;
	return 1;
}

void
uplink_was_good(struct uplink *l)
{
	l->backoff_ms = BACKOFF_MS;
}
