/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <sodium.h>

#include "json.h"
#include "jwt.h"

static const char	jwt_header[] =
    "{\"typ\":\"JWT\",\"alg\":\"ed25519-nkey\"}";

static cJSON	*claims_new(const char *, const char *, cJSON **);
static char	*claims_seal(cJSON *, const struct nkey *, long,
		    struct error *);
static bool	 claims_add_jti(cJSON *);
static char	*jwt_sign(const char *, const struct nkey *);
static bool	 add_type(cJSON *, const char *);
static bool	 add_unlimited(cJSON *, const char *const *);
static bool	 add_string(cJSON *, const char *);
static bool	 add_strings(cJSON *, const char *, const struct strlist *);
static bool	 add_lists(cJSON *, const char *, const struct strlist *,
		    const struct strlist *);
static cJSON	*part_json(const char *, size_t, const char *,
		    struct error *);
static int	 header_check(const cJSON *, struct error *);

char *
jwt_operator(const struct nkey *op, const char *name, const char *sys_pub,
    struct error *e)
{
	cJSON	*claims, *nats;

	claims = claims_new(name, op->public, &nats);
	if (cJSON_AddStringToObject(nats, "system_account", sys_pub) == NULL ||
	    !add_type(nats, "operator")) {
		cJSON_Delete(claims);
		claims = NULL;
	}
	return claims_seal(claims, op, 0, e);
}

char *
jwt_account(const struct nkey *op, const char *pub, const char *name,
    const char *signing_pub, bool jetstream, struct error *e)
{
	static const char *const	 unlimited[] = { "subs", "conn",
	    "leaf", "imports", "exports", "data", "payload", NULL };
	cJSON				*claims, *nats, *limits;
	const double			 storage = jetstream ? -1 : 0;
	bool				 ok = true;

	claims = claims_new(name, pub, &nats);
	if (signing_pub != NULL)
		ok = add_string(cJSON_AddArrayToObject(nats, "signing_keys"),
		    signing_pub);
	limits = cJSON_AddObjectToObject(nats, "limits");
	ok = ok && add_unlimited(limits, unlimited) &&
	    cJSON_AddTrueToObject(limits, "wildcards") != NULL &&
	    cJSON_AddNumberToObject(limits, "mem_storage", storage) != NULL &&
	    cJSON_AddNumberToObject(limits, "disk_storage", storage) !=
	    NULL && add_type(nats, "account");
	if (!ok) {
		cJSON_Delete(claims);
		claims = NULL;
	}
	return claims_seal(claims, op, 0, e);
}

char *
jwt_user(const struct nkey *signer, const char *issuer_account,
    const char *pub, const char *name, const struct permissions *p,
    long ttl_s, struct error *e)
{
	static const char *const	 unlimited[] = { "data", "payload",
	    "subs", NULL };
	cJSON				*claims, *nats;
	bool				 ok;

	claims = claims_new(name, pub, &nats);
	ok = add_unlimited(nats, unlimited) &&
	    add_lists(nats, "pub", &p->pub_allow, &p->pub_deny) &&
	    add_lists(nats, "sub", &p->sub_allow, &p->sub_deny);
	/* The server wants it exactly when a signing key signed. */
	if (ok && strcmp(issuer_account, signer->public) != 0)
		ok = cJSON_AddStringToObject(nats, "issuer_account",
		    issuer_account) != NULL;
	if (!ok || !add_type(nats, "user")) {
		cJSON_Delete(claims);
		claims = NULL;
	}
	return claims_seal(claims, signer, ttl_s, e);
}

/* The claims before iss.  Every cJSON_Add here takes a NULL object for a
 * failure, so only the last step is checked. */
static cJSON *
claims_new(const char *name, const char *sub, cJSON **nats)
{
	cJSON	*claims = cJSON_CreateObject();

	*nats = NULL;
	if (cJSON_AddStringToObject(claims, "aud", "NATS") != NULL &&
	    cJSON_AddStringToObject(claims, "name", name) != NULL &&
	    cJSON_AddStringToObject(claims, "sub", sub) != NULL)
		*nats = cJSON_AddObjectToObject(claims, "nats");
	return claims;
}

static bool
add_type(cJSON *nats, const char *type)
{
	return cJSON_AddStringToObject(nats, "type", type) != NULL &&
	    cJSON_AddNumberToObject(nats, "version", 2) != NULL;
}

/* An absent limit means none allowed. */
static bool
add_unlimited(cJSON *o, const char *const *names)
{
	for (; *names != NULL; names++)
		if (cJSON_AddNumberToObject(o, *names, -1) == NULL)
			return false;
	return true;
}

static bool
add_string(cJSON *array, const char *value)
{
	cJSON	*s = cJSON_CreateString(value);

	if (s != NULL && cJSON_AddItemToArray(array, s))
		return true;
	cJSON_Delete(s);
	return false;
}

static bool
add_strings(cJSON *o, const char *name, const struct strlist *list)
{
	cJSON	*array = cJSON_AddArrayToObject(o, name);
	size_t	 i;

	for (i = 0; i < list->n; i++)
		if (!add_string(array, list->v[i]))
			return false;
	return array != NULL;
}

static bool
add_lists(cJSON *nats, const char *name, const struct strlist *allow,
    const struct strlist *deny)
{
	cJSON	*o = cJSON_AddObjectToObject(nats, name);

	if (allow->n == 0)
		return add_string(cJSON_AddArrayToObject(o, "deny"), ">");
	if (!add_strings(o, "allow", allow))
		return false;
	return deny->n == 0 || add_strings(o, "deny", deny);
}

/* Takes claims (NULL: out of memory). */
static char *
claims_seal(cJSON *claims, const struct nkey *signer, long ttl_s,
    struct error *e)
{
	const double	 now = (double)time(NULL);
	char		*text = NULL, *jwt = NULL;

	if (claims != NULL &&
	    cJSON_AddStringToObject(claims, "iss", signer->public) != NULL &&
	    cJSON_AddNumberToObject(claims, "iat", now) != NULL &&
	    (ttl_s <= 0 || cJSON_AddNumberToObject(claims, "exp",
	    now + (double)ttl_s) != NULL) && claims_add_jti(claims) &&
	    (text = json_print(claims)) != NULL)
		jwt = jwt_sign(text, signer);
	if (jwt == NULL)
		error_set(e, EX_OSERR, "out of memory");
	free(text);
	cJSON_Delete(claims);
	return jwt;
}

/* jti: SHA-512 over the claims as they are without it. */
static bool
claims_add_jti(cJSON *claims)
{
	unsigned char	 hash[crypto_hash_sha512_BYTES];
	char		*text, *jti;
	bool		 ok;

	if ((text = json_print(claims)) == NULL)
		return false;
	crypto_hash_sha512(hash, (const unsigned char *)text, strlen(text));
	free(text);
	if ((jti = base64_encode(hash, sizeof(hash))) == NULL)
		return false;
	ok = cJSON_AddStringToObject(claims, "jti", jti) != NULL;
	free(jti);
	return ok;
}

static char *
jwt_sign(const char *claims, const struct nkey *signer)
{
	unsigned char	 sig[NKEY_SIG_LEN];
	char		*h, *c, *s = NULL, *jwt = NULL, *body = NULL;
	int		 len;

	h = base64url_encode(jwt_header, strlen(jwt_header));
	c = base64url_encode(claims, strlen(claims));
	if (h == NULL || c == NULL ||
	    (len = asprintf(&body, "%s.%s", h, c)) == -1) {
		body = NULL;
		goto out;
	}
	nkey_sign(signer, body, (size_t)len, sig);
	if ((s = base64url_encode(sig, sizeof(sig))) == NULL ||
	    asprintf(&jwt, "%s.%s", body, s) == -1)
		jwt = NULL;
 out:
	free(h);
	free(c);
	free(s);
	free(body);
	return jwt;
}

cJSON *
jwt_decode(const char *jwt, struct error *e)
{
	const char	*dot1, *dot2, *iss;
	unsigned char	*sig = NULL;
	size_t		 sig_len = 0;
	cJSON		*header, *claims = NULL;
	int		 rc;

	if ((dot1 = strchr(jwt, '.')) == NULL ||
	    (dot2 = strchr(dot1 + 1, '.')) == NULL) {
		error_set(e, EX_DATAERR, "JWT has not three parts");
		return NULL;
	}
	header = part_json(jwt, (size_t)(dot1 - jwt), "header", e);
	if (header == NULL)
		return NULL;
	rc = header_check(header, e);
	cJSON_Delete(header);
	if (rc == -1 || (claims = part_json(dot1 + 1,
	    (size_t)(dot2 - dot1 - 1), "claims", e)) == NULL)
		return NULL;
	iss = cJSON_GetStringValue(json_get(claims, "iss"));
	sig = base64url_decode(dot2 + 1, strlen(dot2 + 1), &sig_len);
	if (iss == NULL || sig == NULL || sig_len != NKEY_SIG_LEN ||
	    !nkey_verify(iss, jwt, (size_t)(dot2 - jwt), sig)) {
		error_set(e, EX_DATAERR, "JWT has a wrong signature");
		cJSON_Delete(claims);
		claims = NULL;
	}
	free(sig);
	return claims;
}

static cJSON *
part_json(const char *s, size_t len, const char *what, struct error *e)
{
	unsigned char	*text;
	size_t		 text_len;
	cJSON		*o;

	if ((text = base64url_decode(s, len, &text_len)) == NULL) {
		error_set(e, EX_DATAERR, "JWT %s: not base64", what);
		return NULL;
	}
	o = json_parse((const char *)text, text_len, e);
	free(text);
	if (o == NULL)
		error_wrap(e, "JWT %s", what);
	else if (!cJSON_IsObject(o)) {
		error_set(e, EX_DATAERR, "JWT %s: expected an object", what);
		cJSON_Delete(o);
		o = NULL;
	}
	return o;
}

static int
header_check(const cJSON *header, struct error *e)
{
	const char	*typ, *alg;

	typ = cJSON_GetStringValue(json_get(header, "typ"));
	alg = cJSON_GetStringValue(json_get(header, "alg"));
	if (typ == NULL || strcasecmp(typ, "JWT") != 0)
		return error_set(e, EX_DATAERR, "not a JWT");
	if (alg == NULL || strcmp(alg, "ed25519-nkey") != 0)
		return error_set(e, EX_DATAERR, "JWT algorithm is not "
		    "ed25519-nkey");
	return 0;
}
