/* SPDX-License-Identifier: ISC */

/*
 * reeve-signer: the only process that reads the signing seed.  It answers a
 * manager's requests for credentials: a JWT for a public key, never a seed.
 */
#include <sys/queue.h>
#include <sys/resource.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "names.h"
#include "role.h"
#include "signer.h"

#define TURN_MS		500
#define CALL_MS		2000
#define QUEUE_MAX	256		/* requests; the rest are refused */
#define REQUEST_MAX	(32 * 1024)	/* bytes */
#define STALE_MS	10000		/* nobody waits for its answer */
/* Fifty agents that start at once want three each. */
#define BURST		300
#define EACH_MS		50		/* one more, up to the burst */

struct queued {
	STAILQ_ENTRY(queued)	 entry;
	natsMsg			*msg;
	int64_t			 came_ms;
};

struct signer {
	struct role		*role;
	struct trust		 trust;
	struct audit		*audit;
	STAILQ_HEAD(, queued)	 queue;
	unsigned		 n_queued;
	unsigned		 left;		/* of the burst */
	int64_t			 left_ms;	/* as of then */
	uint64_t		 granted, refused, unbound, overflow;
	uint64_t		 overflow_said;	/* ... in the log */
};

/* --- answers --------------------------------------------------------------- */

static void
answer(struct signer *s, natsMsg *m, const char *jwt, const char *why)
{
	struct bus_pub	 p = { .subject = natsMsg_GetReply(m) };
	cJSON		*o = cJSON_CreateObject();
	char		*body = NULL;

	if (o != NULL && json_set_bool(o, "ok", jwt != NULL) &&
	    json_set_str(o, jwt != NULL ? "jwt" : "error",
	    jwt != NULL ? jwt : why))
		body = json_print(o);
	cJSON_Delete(o);
	if (body == NULL)
		fatal_memory();
	p.data = body;
	p.len = strlen(body);
	(void)bus_publish(s->role->bus, &p, NULL);
	free(body);
}

/* --- a request --------------------------------------------------------------- */

/* Whom the broker let publish here. */
static int
read_manager(const struct signer *s, natsMsg *m, char *id, size_t size)
{
	const char	*subject = natsMsg_GetSubject(m);
	char		 own[SUBJECT_MAX];
	const char	*last = strrchr(subject, '.');

	if (last == NULL || snprintf(id, size, "%s", last + 1) >= (int)size ||
	    !nkey_public_valid(id, NKEY_USER) || subject_mint(own,
	    sizeof(own), s->role->config.space, id) == -1)
		return -1;
	return strcmp(own, subject) == 0 ? 0 : -1;
}

/* The JWT, malloc'd, once it is put down that it is granted; or NULL with
 * *e. */
static char *
grant(struct signer *s, struct mint *m, struct error *e)
{
	struct creds	 c;
	char		*jwt = NULL;

	memset(&c, 0, sizeof(c));
	snprintf(c.key.public, sizeof(c.key.public), "%s", m->public);
	if (trust_mint(&s->trust, m->which, &m->scope, (long)m->ttl_s, &c,
	    e) == 0 && audit_write(s->audit, m, NULL, e) == 0) {
		jwt = c.jwt;
		c.jwt = NULL;
	}
	creds_wipe(&c);
	return jwt;
}

static void
refuse(struct signer *s, natsMsg *msg, const struct mint *m,
    const struct error *why)
{
	struct error	e;

	s->refused++;
	log_info("refused", "manager=%s profile=%s error=%s",
	    log_str(m->manager), log_str(m->profile == NULL ? "" : m->profile),
	    log_str(why->text));
	if (audit_write(s->audit, m, why->text, &e) == -1)
		log_error("cannot write the audit log", "error=%s",
		    log_str(e.text));
	answer(s, msg, NULL, why->text);
}

static void
serve(struct signer *s, natsMsg *msg)
{
	struct error	 e = { .code = 0 };
	struct mint	 m;
	char		 manager[ID_MAX], *jwt = NULL;

	if (!reply_is_bound(natsMsg_GetSubject(msg), natsMsg_GetReply(msg)) ||
	    read_manager(s, msg, manager, sizeof(manager)) == -1) {
		s->unbound++;
		log_warn("request without a reply lane of its own",
		    "subject=%s reply=%s", log_str(natsMsg_GetSubject(msg)),
		    log_str(natsMsg_GetReply(msg) == NULL ? "" :
		    natsMsg_GetReply(msg)));
		return;
	}
	if (mint_read(&m, manager, natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg), &e) == 0 &&
	    mint_judge(&m, &e) == 0)
		jwt = grant(s, &m, &e);
	if (jwt == NULL)
		refuse(s, msg, &m, &e);
	else {
		s->granted++;
		log_info("granted", "manager=%s for=%s profile=%s public=%s",
		    manager, log_str(m.asker), m.profile, m.public);
		answer(s, msg, jwt, NULL);
	}
	free(jwt);
	mint_free(&m);
}

/* --- one after the other ------------------------------------------------------- */

/* What no manager does: it costs us no more than this. */
static void
refuse_unread(struct signer *s, natsMsg *m, const char *why)
{
	s->overflow++;
	if (reply_is_bound(natsMsg_GetSubject(m), natsMsg_GetReply(m)))
		answer(s, m, NULL, why);
	bus_msg_free(m);
}

static void
on_request(void *arg, natsMsg *m)
{
	struct signer	*s = arg;
	struct queued	*q;

	if (natsMsg_GetDataLength(m) > REQUEST_MAX)
		refuse_unread(s, m, "the request is too long");
	else if (s->n_queued >= QUEUE_MAX ||
	    (q = calloc(1, sizeof(*q))) == NULL)
		refuse_unread(s, m, "too many requests; " CTL_LATER);
	else {
		q->msg = m;
		q->came_ms = clock_ms();
		STAILQ_INSERT_TAIL(&s->queue, q, entry);
		s->n_queued++;
	}
}

/* ms until another may be served; 0: now. */
static int64_t
must_rest(struct signer *s)
{
	int64_t	now = clock_ms(), more = (now - s->left_ms) / EACH_MS;

	if (more > 0) {
		s->left_ms += more * EACH_MS;
		s->left = s->left + (uint64_t)more > BURST ? BURST :
		    s->left + (unsigned)more;
	}
	return s->left > 0 ? 0 : s->left_ms + EACH_MS - now;
}

static struct queued *
take(struct signer *s)
{
	struct queued	*q = STAILQ_FIRST(&s->queue);

	STAILQ_REMOVE_HEAD(&s->queue, entry);
	s->n_queued--;
	return q;
}

/* What was turned away unread is put down as a number, when there is time. */
static void
say_overflow(struct signer *s)
{
	char		text[96];
	struct error	e;

	if (s->overflow == s->overflow_said)
		return;
	snprintf(text, sizeof(text), "%llu requests were refused unread: too "
	    "many, or too long", (unsigned long long)(s->overflow -
	    s->overflow_said));
	if (audit_write(s->audit, NULL, text, &e) == 0)
		s->overflow_said = s->overflow;
	else
		log_error("cannot write the audit log", "error=%s",
		    log_str(e.text));
}

/* The next, if there is one; how long until there may be another. */
static int64_t
serve_one(struct signer *s)
{
	int64_t		 rest = must_rest(s);
	struct queued	*q;

	if (s->n_queued == 0) {
		say_overflow(s);
		return TURN_MS;
	}
	if (rest > 0)
		return rest;
	q = take(s);
	if (clock_ms() - q->came_ms < STALE_MS) {
		s->left--;
		serve(s, q->msg);
	}
	bus_msg_free(q->msg);
	free(q);
	return s->n_queued > 0 ? 0 : TURN_MS;
}

/* --- the role -------------------------------------------------------------------- */

static int
session(struct role *r, struct error *e)
{
	struct signer	*s = r->own;
	char		 subject[SUBJECT_MAX];
	struct queued	*q;

	if (subject_mint(subject, sizeof(subject), r->config.space, "*") ==
	    -1 || bus_subscribe(r->bus, subject, "signer", on_request, s,
	    e) == NULL)
		return -1;
	/* It has the subscription when it answers what came after it. */
	if (bus_await(r->bus, CALL_MS, e) == -1)
		return -1;
	if (bus_refused(r->bus, subject))
		return error_set(e, EX_NOPERM, "may not hear %s: run `reeve "
		    "init`", subject);
	role_set_state(r, ROLE_BOUND, "serving");
	while (role_turn(r, serve_one(s)))
		;
	/* Asked again, elsewhere or in the next session. */
	while (s->n_queued > 0) {
		q = take(s);
		bus_msg_free(q->msg);
		free(q);
	}
	return 0;
}

static int
load_trust(struct signer *s, struct error *e)
{
	const struct config	*c = &s->role->config;
	char			*path = config_path(c, "auth/signer.json");
	int			 r = 0;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "trust");
	if (trust_load(&s->trust, path, e) == -1)
		r = -1;
	else if (strcmp(s->trust.space, c->space) != 0)
		r = error_set(e, EX_CONFIG, "%s is of space \"%s\"", path,
		    s->trust.space);
	else if (!trust_is_stripped(&s->trust)) {
		log_warn("this trust can do more than mint users: run `reeve "
		    "init`", "path=%s", log_str(path));
		trust_strip(&s->trust);
	}
	free(path);
	return r;
}

static int
start(struct role *r, struct error *e)
{
	static struct signer	 s;
	const struct rlimit	 none = { 0, 0 };
	char			*path = config_path(&r->config, "audit.log");

	s.role = r;
	r->own = &s;
	STAILQ_INIT(&s.queue);
	s.left = BURST;
	s.left_ms = clock_ms();
	/* A dump of us would have the seed in it. */
	(void)setrlimit(RLIMIT_CORE, &none);
	if (path == NULL)
		return error_errno(e, EX_OSERR, "audit log");
	if (load_trust(&s, e) == 0)
		s.audit = audit_open(path, e);
	free(path);
	return s.audit == NULL ? -1 : 0;
}

static void
health(struct role *r, cJSON *o)
{
	const struct signer	*s = r->own;

	cJSON_AddNumberToObject(o, "granted", (double)s->granted);
	cJSON_AddNumberToObject(o, "refused", (double)s->refused);
	cJSON_AddNumberToObject(o, "unbound", (double)s->unbound);
	cJSON_AddNumberToObject(o, "overflow", (double)s->overflow);
}

int
main(int argc, char **argv)
{
	static const struct role_def	def = {
		.name = "signer", .scope = ROLE_OF_HOST, .start = start,
		.session = session, .health = health };

	return role_main(argc, argv, &def);
}
