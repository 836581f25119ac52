/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>
#include <sodium.h>

#include "json.h"
#include "names.h"
#include "trust.h"

#define TRUST_FILE_MAX	(256 * 1024)
#define CONTROL_LINE	65536
/* Of the CONNECT line, for what is not the JWT. */
#define CONNECT_REST	2048

/* The file's members in its order: `stripped` says what a stripped one has. */
static const struct member {
	const char	*object;	/* NULL: at the top */
	const char	*name;
	size_t		 offset;
	bool		 stripped;
} members[] = {
	{ NULL, "space", offsetof(struct trust, space), true },
	{ "operator", "seed", offsetof(struct trust, operator_seed), false },
	{ "operator", "jwt", offsetof(struct trust, operator_jwt), false },
	{ "account", "pub", offsetof(struct trust, account_pub), true },
	{ "account", "seed", offsetof(struct trust, account_seed), false },
	{ "account", "jwt", offsetof(struct trust, account_jwt), false },
	{ "account", "signingSeed", offsetof(struct trust, signing_seed),
	    true },
	{ "account", "signingPub", offsetof(struct trust, signing_pub),
	    false },
	{ "sys", "pub", offsetof(struct trust, sys_pub), false },
	{ "sys", "jwt", offsetof(struct trust, sys_jwt), false },
};
#define N_MEMBERS	(sizeof(members) / sizeof(members[0]))
#define MEMBER(t, i)	((char **)(void *)((char *)(t) + members[i].offset))

static int	trust_read(struct trust *, const char *, size_t,
		    struct error *);
static int	trust_fields(struct trust *, const cJSON *, struct error *);
static int	trust_check(const struct trust *, struct error *);
static int	trust_check_whole(const struct trust *, struct error *);
static void	json_wipe(cJSON *);
static int	seed_check(const char *, enum nkey_kind, const char *,
		    const char *, struct error *);
static int	jwt_check(const char *, const char *, const char *,
		    const char *, const char *, struct error *);
static bool	claims_sign(const cJSON *, const char *);
static int	trust_keys(struct trust *, const struct nkey [4],
		    struct error *);
static cJSON	*trust_json(const struct trust *, size_t *);
static char	*conf_quote(const char *);

/* --- reading ------------------------------------------------------------ */

int
trust_load(struct trust *t, const char *path, struct error *e)
{
	char	*text;
	size_t	 len;
	int	 rc;

	memset(t, 0, sizeof(*t));
	text = file_read_private(path, TRUST_FILE_MAX, &len, e);
	if (text == NULL)
		return -1;
	if ((rc = trust_read(t, text, len, e)) == -1) {
		error_wrap(e, "%s", path);
		trust_wipe(t);
	}
	sodium_memzero(text, len);
	free(text);
	return rc;
}

static int
trust_read(struct trust *t, const char *text, size_t len, struct error *e)
{
	cJSON	*o;
	int	 rc;

	if ((o = json_parse(text, len, e)) == NULL)
		return -1;
	if (!cJSON_IsObject(o))
		rc = error_set(e, EX_DATAERR, "expected an object");
	else
		rc = trust_fields(t, o, e);
	json_wipe(o);
	cJSON_Delete(o);
	return rc == -1 ? -1 : trust_check(t, e);
}

static int
trust_fields(struct trust *t, const cJSON *o, struct error *e)
{
#define STRING(key, member, must)					\
	{ .name = key, .type = JSON_STRING, .required = must,		\
	    .offset = offsetof(struct trust, member) }
	static const struct json_field	operator[] = {
		STRING("seed", operator_seed, false),
		STRING("jwt", operator_jwt, false), JSON_END };
	static const struct json_field	account[] = {
		STRING("pub", account_pub, true),
		STRING("seed", account_seed, false),
		STRING("jwt", account_jwt, false),
		STRING("signingSeed", signing_seed, true),
		STRING("signingPub", signing_pub, false), JSON_END };
	static const struct json_field	sys[] = {
		STRING("pub", sys_pub, false),
		STRING("jwt", sys_jwt, false), JSON_END };
	static const struct json_field	top[] = {
		STRING("space", space, true),
		{ .name = "operator", .type = JSON_OBJECT, .sub = operator },
		{ .name = "account", .type = JSON_OBJECT, .required = true,
		    .sub = account },
		{ .name = "sys", .type = JSON_OBJECT, .sub = sys },
		JSON_END };
#undef STRING
	struct trust	 view = { 0 };
	const char	*value;
	size_t		 i;

	if (json_read(o, top, &view, "", e) == -1)
		return -1;
	for (i = 0; i < N_MEMBERS; i++) {
		value = *MEMBER(&view, i);
		*MEMBER(t, i) = strdup(value == NULL ? "" : value);
		if (*MEMBER(t, i) == NULL)
			return error_errno(e, EX_OSERR, "trust");
	}
	return 0;
}

/* cJSON frees without wiping. */
static void
json_wipe(cJSON *o)
{
	for (; o != NULL; o = o->next) {
		if (o->valuestring != NULL)
			sodium_memzero(o->valuestring,
			    strlen(o->valuestring));
		json_wipe(o->child);
	}
}

/* What is there must be well-formed and belong together: a trust that does
 * not shows otherwise only as clients that the server refuses. */
static int
trust_check(const struct trust *t, struct error *e)
{
	if (t->space[0] == '\0')
		return error_set(e, EX_DATAERR, "space: is empty");
	if (!nkey_public_valid(t->account_pub, NKEY_ACCOUNT))
		return error_set(e, EX_DATAERR, "account.pub: not an "
		    "account's key");
	if (seed_check(t->signing_seed, NKEY_ACCOUNT, t->signing_pub,
	    "account.signingSeed", e) == -1)
		return -1;
	return trust_is_stripped(t) ? 0 : trust_check_whole(t, e);
}

static int
trust_check_whole(const struct trust *t, struct error *e)
{
	if (seed_check(t->operator_seed, NKEY_OPERATOR, "",
	    "operator.seed", e) == -1 ||
	    seed_check(t->account_seed, NKEY_ACCOUNT, t->account_pub,
	    "account.seed", e) == -1)
		return -1;
	if (!nkey_public_valid(t->sys_pub, NKEY_ACCOUNT))
		return error_set(e, EX_DATAERR, "sys.pub: not an account's "
		    "key");
	if (jwt_check(t->operator_jwt, "operator", "", "", "operator.jwt",
	    e) == -1 || jwt_check(t->account_jwt, "account", t->account_pub,
	    t->signing_pub, "account.jwt", e) == -1 ||
	    jwt_check(t->sys_jwt, "account", t->sys_pub, "", "sys.jwt",
	    e) == -1)
		return -1;
	return 0;
}

/* pub "": not given, nothing to compare. */
static int
seed_check(const char *seed, enum nkey_kind kind, const char *pub,
    const char *path, struct error *e)
{
	struct nkey	k;
	int		rc = 0;

	if (nkey_from_seed(&k, seed, e) == -1)
		return error_wrap(e, "%s", path);
	if (k.kind != kind)
		rc = error_set(e, EX_DATAERR, "%s: a seed of another kind",
		    path);
	else if (pub[0] != '\0' && strcmp(pub, k.public) != 0)
		rc = error_set(e, EX_DATAERR, "%s: not the seed of %s", path,
		    pub);
	nkey_wipe(&k);
	return rc;
}

/* sub and signer "": any. */
static int
jwt_check(const char *jwt, const char *type, const char *sub,
    const char *signer, const char *path, struct error *e)
{
	const cJSON	*nats;
	cJSON		*claims;
	const char	*is_type, *is_sub;
	int		 rc = 0;

	if ((claims = jwt_decode(jwt, e)) == NULL)
		return error_wrap(e, "%s", path);
	nats = json_get(claims, "nats");
	is_type = cJSON_GetStringValue(json_get(nats, "type"));
	is_sub = cJSON_GetStringValue(json_get(claims, "sub"));
	if (is_type == NULL || strcmp(is_type, type) != 0)
		rc = error_set(e, EX_DATAERR, "%s: not of type %s", path,
		    type);
	else if (sub[0] != '\0' &&
	    (is_sub == NULL || strcmp(is_sub, sub) != 0))
		rc = error_set(e, EX_DATAERR, "%s: not of %s", path, sub);
	else if (signer[0] != '\0' && !claims_sign(nats, signer))
		rc = error_set(e, EX_DATAERR, "%s: %s is not among its "
		    "signing keys", path, signer);
	cJSON_Delete(claims);
	return rc;
}

static bool
claims_sign(const cJSON *nats, const char *signer)
{
	const cJSON	*key;
	const char	*text;

	cJSON_ArrayForEach(key, json_get(nats, "signing_keys")) {
		text = cJSON_GetStringValue(key);
		if (text != NULL && strcmp(text, signer) == 0)
			return true;
	}
	return false;
}

/* --- making and writing ------------------------------------------------- */

enum { KEY_OPERATOR, KEY_ACCOUNT, KEY_SIGNING, KEY_SYS };

int
trust_new(struct trust *t, const char *space, struct error *e)
{
	struct nkey	k[4];
	int		rc = -1;

	memset(t, 0, sizeof(*t));
	if (!name_is_token(space) || strlen(space) >= SPACE_MAX)
		return error_set(e, EX_USAGE, "\"%s\" is not a space: "
		    "at most %d letters, digits, \"_\" and \"-\"", space,
		    SPACE_MAX - 1);
	memset(k, 0, sizeof(k));
	if (nkey_new(&k[KEY_OPERATOR], NKEY_OPERATOR, e) == -1 ||
	    nkey_new(&k[KEY_ACCOUNT], NKEY_ACCOUNT, e) == -1 ||
	    nkey_new(&k[KEY_SIGNING], NKEY_ACCOUNT, e) == -1 ||
	    nkey_new(&k[KEY_SYS], NKEY_ACCOUNT, e) == -1)
		goto out;
	if ((t->space = strdup(space)) == NULL)
		error_errno(e, EX_OSERR, "trust");
	else
		rc = trust_keys(t, k, e);
 out:
	sodium_memzero(k, sizeof(k));
	if (rc == -1)
		trust_wipe(t);
	return rc;
}

/* The system account's seed is dropped: nothing of ours acts as it. */
static int
trust_keys(struct trust *t, const struct nkey k[4], struct error *e)
{
	const struct nkey	*op = &k[KEY_OPERATOR];
	char			*name;

	if ((t->operator_seed = strdup(op->seed)) == NULL ||
	    (t->account_pub = strdup(k[KEY_ACCOUNT].public)) == NULL ||
	    (t->account_seed = strdup(k[KEY_ACCOUNT].seed)) == NULL ||
	    (t->signing_seed = strdup(k[KEY_SIGNING].seed)) == NULL ||
	    (t->signing_pub = strdup(k[KEY_SIGNING].public)) == NULL ||
	    (t->sys_pub = strdup(k[KEY_SYS].public)) == NULL)
		return error_errno(e, EX_OSERR, "trust");
	if (asprintf(&name, "cotal-%s", t->space) == -1)
		return error_set(e, EX_OSERR, "out of memory");
	t->operator_jwt = jwt_operator(op, name, t->sys_pub, e);
	free(name);
	t->account_jwt = jwt_account(op, t->account_pub, t->space,
	    t->signing_pub, true, e);
	t->sys_jwt = jwt_account(op, t->sys_pub, "SYS", NULL, false, e);
	if (t->operator_jwt == NULL || t->account_jwt == NULL ||
	    t->sys_jwt == NULL)
		return -1;
	return 0;
}

/* Printed from references into one buffer: no copies of seeds are left. */
int
trust_save(const struct trust *t, const char *path, struct error *e)
{
	cJSON	*o;
	char	*text;
	size_t	 size;
	int	 rc;

	if (dir_make_parent(path, 0700, e) == -1)
		return -1;
	if ((o = trust_json(t, &size)) == NULL)
		return error_set(e, EX_OSERR, "out of memory");
	if ((text = calloc(1, size)) == NULL ||
	    !cJSON_PrintPreallocated(o, text, (int)size - 1, true))
		rc = error_set(e, EX_OSERR, "out of memory");
	else {
		strlcat(text, "\n", size);
		rc = file_write_private(path, text, 0600, e);
	}
	cJSON_Delete(o);
	file_wipe(text);
	return rc;
}

/* *size: enough for its text, each byte escaped at worst. */
static cJSON *
trust_json(const struct trust *t, size_t *size)
{
	cJSON		*top = cJSON_CreateObject(), *o = top, *s;
	const char	*value, *object = NULL;
	size_t		 i;

	*size = 1024;
	for (i = 0; i < N_MEMBERS; i++) {
		if (members[i].object != NULL && (object == NULL ||
		    strcmp(members[i].object, object) != 0)) {
			object = members[i].object;
			o = cJSON_AddObjectToObject(top, object);
		}
		value = *MEMBER(t, i) == NULL ? "" : *MEMBER(t, i);
		*size += 6 * strlen(value);
		s = cJSON_CreateStringReference(value);
		if (s == NULL ||
		    !cJSON_AddItemToObjectCS(o, members[i].name, s)) {
			cJSON_Delete(s);
			cJSON_Delete(top);
			return NULL;
		}
	}
	return top;
}

/* Emptied in place: no allocation that could fail half way. */
void
trust_strip(struct trust *t)
{
	char	*value;
	size_t	 i;

	for (i = 0; i < N_MEMBERS; i++) {
		value = *MEMBER(t, i);
		if (!members[i].stripped && value != NULL)
			sodium_memzero(value, strlen(value));
	}
}

bool
trust_is_stripped(const struct trust *t)
{
	return t->operator_seed == NULL || t->operator_seed[0] == '\0';
}

void
trust_wipe(struct trust *t)
{
	size_t	i;

	for (i = 0; i < N_MEMBERS; i++) {
		file_wipe(*MEMBER(t, i));
		*MEMBER(t, i) = NULL;
	}
}

/* --- minting ------------------------------------------------------------ */

static int
mint(const struct trust *t, enum profile profile, const struct scope *s,
    long ttl_s, struct creds *c, struct error *e)
{
	struct permissions	 p = { 0 };
	struct nkey		 signer;
	char			*jwt = NULL;

	if (profile_permissions(profile, s, &p, e) == 0 &&
	    nkey_from_seed(&signer, t->signing_seed, e) == 0) {
		jwt = jwt_user(&signer, t->account_pub, c->key.public,
		    profile_name(profile), &p, ttl_s, e);
		nkey_wipe(&signer);
	}
	permissions_free(&p);
	if (jwt == NULL)
		return -1;
	if (strlen(jwt) + CONNECT_REST > CONTROL_LINE) {
		error_set(e, EX_USAGE, "%zu bytes of permissions: the server "
		    "takes %d; name fewer channels, or wider ones",
		    strlen(jwt), CONTROL_LINE - CONNECT_REST);
		free(jwt);
		return -1;
	}
	free(c->jwt);
	c->jwt = jwt;
	return 0;
}

int
trust_mint(const struct trust *t, enum profile profile, struct scope *s,
    long ttl_s, struct creds *c, struct error *e)
{
	bool	fresh = c->key.public[0] == '\0';

	if (s->space == NULL)
		s->space = t->space;
	if (strcmp(s->space, t->space) != 0)
		return error_set(e, EX_USAGE, "the trust is of space %s, not "
		    "of %s", t->space, s->space);
	if (fresh && nkey_new(&c->key, NKEY_USER, e) == -1)
		return -1;
	s->id = c->key.public;
	if (mint(t, profile, s, ttl_s, c, e) == -1) {
		if (fresh)
			nkey_wipe(&c->key);
		return -1;
	}
	return 0;
}

/* --- the broker's configuration ----------------------------------------- */

char *
trust_server_conf(const struct trust *t, const struct server_conf *conf,
    struct error *e)
{
	char	*host, *store, *pid = NULL, *text = NULL;

	if (trust_is_stripped(t)) {
		error_set(e, EX_CONFIG, "a stripped trust cannot configure a "
		    "broker");
		return NULL;
	}
	if (conf->port != -1 && (conf->port < 1 || conf->port > 65535)) {
		error_set(e, EX_CONFIG, "%d is not a port", conf->port);
		return NULL;
	}
	host = conf_quote(conf->host);
	store = conf_quote(conf->store_dir);
	if (conf->pid_file != NULL)
		pid = conf_quote(conf->pid_file);
	if (host == NULL || store == NULL ||
	    (conf->pid_file != NULL && pid == NULL))
		error_set(e, EX_CONFIG, "host, store directory or pid file "
		    "cannot stand in a configuration");
	else if (asprintf(&text,
	    "# Made by reeve init: do not edit by hand.\n"
	    "host: %s\nport: %d\n%s%s%smax_control_line: %d\n"
	    "jetstream { store_dir: %s }\noperator: %s\n"
	    "system_account: %s\nresolver: MEMORY\nresolver_preload: {\n"
	    "  %s: %s\n  %s: %s\n}\n", host, conf->port,
	    pid == NULL ? "" : "pid_file: ", pid == NULL ? "" : pid,
	    pid == NULL ? "" : "\n", CONTROL_LINE, store, t->operator_jwt,
	    t->sys_pub, t->account_pub, t->account_jwt, t->sys_pub,
	    t->sys_jwt) == -1) {
		error_set(e, EX_OSERR, "out of memory");
		text = NULL;
	}
	free(host);
	free(store);
	free(pid);
	return text;
}

/* In the quotes of the server's configuration; NULL when it is empty or has
 * control characters. */
static char *
conf_quote(const char *s)
{
	char	*quoted, *q;

	if (*s == '\0' || (q = quoted = malloc(2 * strlen(s) + 3)) == NULL)
		return NULL;
	for (*q++ = '"'; *s != '\0'; *q++ = *s++) {
		if (iscntrl((unsigned char)*s)) {
			free(quoted);
			return NULL;
		}
		if (*s == '"' || *s == '\\')
			*q++ = '\\';
	}
	*q++ = '"';
	*q = '\0';
	return quoted;
}
