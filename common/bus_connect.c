/* SPDX-License-Identifier: ISC */
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "bus_impl.h"
#include "bus_msg.h"
#include "clock.h"

#define CONNECT_TIMEOUT_MS	2000
#define CLOSE_FLUSH_MS		500
#define READ_BUFFER		(64 * 1024)
#define SIGN_TRIES		5

/* --- libnats in event loop mode --------------------------------------- */

static natsStatus
on_attach(void **user, void *loop, natsConnection *nc, natsSock fd)
{
	struct bus	*b = loop;

	(void)nc;
	*user = b;
	b->fd = fd;
	return NATS_OK;
}

static natsStatus
on_read(void *user, bool add)
{
	struct bus	*b = user;

	if (!add)
		b->fd = -1;
	return NATS_OK;
}

static natsStatus
on_write(void *user, bool add)
{
	struct bus	*b = user;

	b->want_write = add;
	return NATS_OK;
}

static natsStatus
on_detach(void *user)
{
	struct bus	*b = user;

	b->fd = -1;
	return NATS_OK;
}

static struct refusals *
refusals_new(void)
{
	struct refusals	*r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->refs = 1;
	pthread_mutex_init(&r->lock, NULL);
	if ((r->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
		pthread_mutex_destroy(&r->lock);
		free(r);
		return NULL;
	}
	return r;
}

static void
refusals_unref(struct refusals *r)
{
	unsigned	k, refs;

	pthread_mutex_lock(&r->lock);
	refs = --r->refs;
	pthread_mutex_unlock(&r->lock);
	if (refs > 0)
		return;
	for (k = 0; k < BUS_REFUSED_KEPT; k++)
		free(r->text[k]);
	close(r->wakefd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Runs on libnats's own thread: only keeps the text and wakes the owner. */
static void
on_error(natsConnection *nc, natsSubscription *sub, natsStatus status,
    void *arg)
{
	struct refusals	*r = arg;
	const char	*text = nats_GetLastError(NULL);
	uint64_t	 one = 1;

	(void)nc;
	(void)sub;
	pthread_mutex_lock(&r->lock);
	free(r->text[r->n % BUS_REFUSED_KEPT]);
	r->text[r->n++ % BUS_REFUSED_KEPT] = strdup(text != NULL && text[0] ?
	    text : natsStatus_GetText(status));
	pthread_mutex_unlock(&r->lock);
	if (write(r->wakefd, &one, sizeof(one)) == -1)
		return;
}

/* On the same thread, and the last that it says of a connection. */
static void
on_closed(natsConnection *nc, void *arg)
{
	(void)nc;
	refusals_unref(arg);
}

static natsStatus
on_jwt(char **jwt, char **problem, void *arg)
{
	const struct creds	*c = arg;

	(void)problem;
	*jwt = strdup(c->jwt);
	return *jwt == NULL ? NATS_NO_MEMORY : NATS_OK;
}

/*
 * libnats (3.4.1) takes a signature for text and leaves out one that begins
 * with a zero, as every 256th does: the broker would refuse us.  The next
 * connection has another nonce.
 */
static natsStatus
on_sign(char **problem, unsigned char **sig, int *sig_len, const char *nonce,
    void *arg)
{
	struct bus	*b = arg;

	(void)problem;
	if ((*sig = malloc(NKEY_SIG_LEN)) == NULL)
		return NATS_NO_MEMORY;
	/* One that asks for no signature gives no nonce. */
	if (nonce == NULL)
		nonce = "";
	nkey_sign(&b->creds->key, nonce, strlen(nonce), *sig);
	*sig_len = NKEY_SIG_LEN;
	if ((*sig)[0] != 0)
		return NATS_OK;
	b->unlucky = true;
	free(*sig);
	*sig = NULL;
	return NATS_ERR;
}

/* --- opening and closing ----------------------------------------------- */

static natsStatus
set_servers(natsOptions *o, const char *servers)
{
	const char	*v[16];
	char		*copy, *p, *save = NULL;
	int		 n = 0;
	natsStatus	 s;

	if ((copy = strdup(servers)) == NULL)
		return NATS_NO_MEMORY;
	for (p = strtok_r(copy, ", ", &save); p != NULL && n < 16;
	    p = strtok_r(NULL, ", ", &save))
		v[n++] = p;
	s = n == 0 ? NATS_INVALID_ARG : natsOptions_SetServers(o, v, n);
	free(copy);
	return s;
}

/* Who it is. */
static natsStatus
set_identity(struct bus *b, natsOptions *o, const struct bus_conf *conf)
{
	void		*creds = (void *)(uintptr_t)conf->creds;
	natsStatus	 s = NATS_OK;

	if (conf->creds->jwt != NULL)
		s = natsOptions_SetUserCredentialsCallbacks(o, on_jwt, creds,
		    on_sign, b);
	if (s == NATS_OK && conf->token != NULL)
		s = natsOptions_SetToken(o, conf->token);
	if (s == NATS_OK && conf->user != NULL)
		s = natsOptions_SetUserInfo(o, conf->user,
		    conf->pass != NULL ? conf->pass : "");
	if (s == NATS_OK && conf->tls)
		s = natsOptions_SetSecure(o, true);
	return s;
}

static natsStatus
set_options(struct bus *b, natsOptions *o, const struct bus_conf *conf)
{
	natsStatus	s;

	s = set_servers(o, conf->servers);
	if (s == NATS_OK)
		s = natsOptions_SetName(o, conf->name);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, conf->timeout_ms > 0 ?
		    conf->timeout_ms : CONNECT_TIMEOUT_MS);
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(o, false);
	/* Its ping timer would close the socket from another thread; owners
	 * watch bus_silent_ms, fed by the heartbeats of pulls and watches. */
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(o, 0);
	if (s == NATS_OK)
		s = natsOptions_SetSendAsap(o, true);
	if (s == NATS_OK)
		s = natsOptions_SetIOBufSize(o, READ_BUFFER);
	if (s == NATS_OK)
		s = natsOptions_SetErrorHandler(o, on_error, b->refused);
	if (s == NATS_OK)
		s = natsOptions_SetClosedCB(o, on_closed, b->refused);
	if (s == NATS_OK)
		s = set_identity(b, o, conf);
	if (s == NATS_OK)
		s = natsOptions_SetEventLoop(o, b, on_attach, on_read,
		    on_write, on_detach);
	return s;
}

const char *
bus_servers(const char *servers, char *buf, size_t size)
{
	size_t		 n = 0, len, skip;
	const char	*p = servers, *start, *at;

	buf[0] = '\0';
	for (; *p != '\0' && n < size; p += len + (p[len] == ',')) {
		len = strcspn(p, ",");
		start = memmem(p, len, "://", 3);
		skip = start == NULL ? 0 : (size_t)(start + 3 - p);
		at = memrchr(p + skip, '@', len - skip);
		n += (size_t)snprintf(buf + n, size - n, "%s%.*s%.*s",
		    n == 0 ? "" : ",", (int)skip, p, (int)(at == NULL ?
		    len - skip : (size_t)(p + len - at - 1)),
		    at == NULL ? p + skip : at + 1);
	}
	return buf;
}

static int
connect_error(const struct bus_conf *conf, natsStatus s, struct error *e)
{
	char	servers[256];
	int	code = EX_UNAVAILABLE;

	if (s == NATS_CONNECTION_AUTH_FAILED || s == NATS_NOT_PERMITTED)
		code = EX_NOPERM;
	else if (s == NATS_INVALID_ARG)
		code = EX_CONFIG;
	return error_set(e, code, "cannot connect to %s: %s",
	    bus_servers(conf->servers, servers, sizeof(servers)),
	    s == NATS_NO_SERVER ? "no broker answers there" :
	    natsStatus_GetText(s));
}

static int
bus_connect(struct bus *b, const struct bus_conf *conf, struct error *e)
{
	natsOptions	*o = NULL;
	natsStatus	 s;
	int		 tries = SIGN_TRIES;

	s = natsOptions_Create(&o);
	if (s == NATS_OK)
		s = set_options(b, o, conf);
	b->refused->refs++;
	if (s == NATS_OK)
		do {
			b->unlucky = false;
			s = natsConnection_Connect(&b->nc, o);
		} while (s != NATS_OK && b->unlucky && --tries > 0);
	natsOptions_Destroy(o);
	if (s == NATS_OK)
		return 0;
	/* Of one that was not made nobody says that it is closed. */
	b->refused->refs--;
	return connect_error(conf, s, e);
}

int
bus_open(struct bus **out, const struct bus_conf *conf, struct error *e)
{
	struct bus	*b;
	char		 subject[SUBJECT_MAX];
	unsigned char	 random[8];

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return error_errno(e, EX_OSERR, "bus");
	TAILQ_INIT(&b->subs);
	b->fd = -1;
	b->creds = conf->creds;
	b->free_slot = BUS_NO_SLOT;
	snprintf(b->id, sizeof(b->id), "%s", conf->creds->key.public);
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(b->nonce, sizeof(b->nonce), random, sizeof(random));
	b->heard_ms = clock_ms();
	if ((b->refused = refusals_new()) == NULL) {
		error_errno(e, EX_OSERR, "bus");
		goto fail;
	}
	if (bus_connect(b, conf, e) == -1)
		goto fail;
	snprintf(subject, sizeof(subject), "_INBOX_%s.%s.r.*", b->id,
	    b->nonce);
	b->mux = bus_subscribe(b, subject, NULL, bus_on_reply, b, e);
	if (b->mux == NULL)
		goto fail;
	/* An answer has the subject that it was asked for on. */
	if ((b->mux->pattern = strdup(subject)) == NULL) {
		error_errno(e, EX_OSERR, "bus");
		goto fail;
	}
	*out = b;
	return 0;
fail:
	bus_close(b);
	return -1;
}

void
bus_cut(struct bus *b)
{
	if (!bus_alive(b))
		return;
	/* libnats finds it closed, and asks nobody for a PONG. */
	(void)shutdown(b->fd, SHUT_RDWR);
	natsConnection_ProcessReadEvent(b->nc);
}

void
bus_close(struct bus *b)
{
	struct bus_sub	*s;

	if (b == NULL)
		return;
	/* With anything buffered, be it an UNSUB, libnats would wait half a
	 * second for a PONG that nobody here reads. */
	if (bus_alive(b))
		(void)bus_drain(b, CLOSE_FLUSH_MS);
	if (b->nc != NULL)
		natsConnection_Close(b->nc);
	while ((s = TAILQ_FIRST(&b->subs)) != NULL)
		bus_sub_free(b, s);
	natsConnection_Destroy(b->nc);
	b->nc = NULL;
	bus_end_requests(b);
	bus_msg_flush();
	if (b->refused != NULL)
		refusals_unref(b->refused);
	free(b);
}
