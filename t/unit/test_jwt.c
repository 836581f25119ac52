/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "jwt.h"
#include "vectors.h"

static cJSON		*v;
static struct nkey	 op, signer;

static void
setup(void)
{
	const cJSON	*file;

	v = vectors_load("trust.json");
	file = vectors_get(v, "trust_file");
	ck_assert_int_eq(nkey_from_seed(&op, vectors_str(vectors_get(file,
	    "operator"), "seed"), NULL), 0);
	ck_assert_int_eq(nkey_from_seed(&signer, vectors_str(vectors_get(file,
	    "account"), "signingSeed"), NULL), 0);
}

static void
teardown(void)
{
	cJSON_Delete(v);
}

/* The claims' own jti is the hash of the rest as it stands. */
static void
check_jti(const cJSON *claims)
{
	cJSON		*rest = cJSON_Duplicate(claims, true);
	unsigned char	 hash[crypto_hash_sha512_BYTES];
	char		*text, *jti;

	cJSON_DeleteItemFromObjectCaseSensitive(rest, "jti");
	text = cJSON_PrintUnformatted(rest);
	crypto_hash_sha512(hash, (unsigned char *)text, strlen(text));
	jti = base64_encode(hash, sizeof(hash));
	ck_assert_str_eq(jti, vectors_str(claims, "jti"));
	free(jti);
	free(text);
	cJSON_Delete(rest);
}

/* Decode jwt (freed); equal to what was recorded but for iat and jti, in the
 * order of its keys too. */
static void
check_same(char *jwt, const cJSON *recorded)
{
	struct error	 e;
	cJSON		*got, *want = cJSON_Duplicate(recorded, true);
	char		*a, *b;

	ck_assert_ptr_nonnull(jwt);
	got = jwt_decode(jwt, &e);
	ck_assert_msg(got != NULL, "%s", e.text);
	check_jti(got);
	ck_assert(vectors_get(got, "iat")->valuedouble >=
	    (double)time(NULL) - 60);
	cJSON_DeleteItemFromObjectCaseSensitive(got, "jti");
	cJSON_DeleteItemFromObjectCaseSensitive(want, "jti");
	vectors_get(got, "iat")->valuedouble = 1;
	vectors_get(want, "iat")->valuedouble = 1;
	a = cJSON_PrintUnformatted(got);
	b = cJSON_PrintUnformatted(want);
	ck_assert_str_eq(a, b);
	free(a);
	free(b);
	cJSON_Delete(got);
	cJSON_Delete(want);
	free(jwt);
}

static void
take(struct strlist *list, const cJSON *lists, const char *name)
{
	const cJSON	*s;

	cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(lists, name))
		ck_assert(strlist_add(list, s->valuestring));
}

static void
permissions_wipe(struct permissions *p)
{
	strlist_free(&p->pub_allow);
	strlist_free(&p->pub_deny);
	strlist_free(&p->sub_allow);
	strlist_free(&p->sub_deny);
}

START_TEST(recorded_jwts)
{
	static const char *const	 names[][2] = {
	    { "operator", "operator" }, { "account", "account" },
	    { "sys", "system_account" } };
	const cJSON			*file, *want;
	cJSON				*got;
	struct error			 e;
	size_t				 i;

	file = vectors_get(v, "trust_file");
	for (i = 0; i < 3; i++) {
		got = jwt_decode(vectors_str(vectors_get(file, names[i][0]),
		    "jwt"), &e);
		ck_assert_msg(got != NULL, "%s", e.text);
		want = vectors_get(vectors_get(v, names[i][1]), "payload");
		ck_assert(cJSON_Compare(got, want, true));
		check_jti(got);
		cJSON_Delete(got);
	}
}
END_TEST

START_TEST(operator_and_accounts)
{
	const cJSON	*o, *a, *s;

	o = vectors_get(vectors_get(v, "operator"), "payload");
	a = vectors_get(vectors_get(v, "account"), "payload");
	s = vectors_get(vectors_get(v, "system_account"), "payload");
	check_same(jwt_operator(&op, "cotal-vectors", vectors_str(s, "sub"),
	    NULL), o);
	check_same(jwt_account(&op, vectors_str(a, "sub"), "vectors",
	    signer.public, true, NULL), a);
	check_same(jwt_account(&op, vectors_str(s, "sub"), "SYS", NULL,
	    false, NULL), s);
}
END_TEST

START_TEST(users)
{
	const char *const	 which[] = { "agent", "agent_plain" };
	const cJSON		*want, *nats;
	struct permissions	 p = { 0 };

	want = vectors_get(vectors_get(vectors_get(v, which[_i]), "claims"),
	    "payload");
	nats = vectors_get(want, "nats");
	take(&p.pub_allow, vectors_get(nats, "pub"), "allow");
	take(&p.pub_deny, vectors_get(nats, "pub"), "deny");
	take(&p.sub_allow, vectors_get(nats, "sub"), "allow");
	check_same(jwt_user(&signer, vectors_str(nats, "issuer_account"),
	    vectors_str(want, "sub"), "agent", &p, 0, NULL), want);
	permissions_wipe(&p);
}
END_TEST

static const char *
only(const cJSON *list)
{
	ck_assert_int_eq(cJSON_GetArraySize(list), 1);
	return cJSON_GetArrayItem(list, 0)->valuestring;
}

START_TEST(nothing_is_not_everything)
{
	struct permissions	 p = { 0 };
	struct nkey		 user;
	const cJSON		*nats, *list;
	const char *const	 sides[] = { "pub", "sub" };
	cJSON			*claims;
	char			*jwt;
	int			 i;

	ck_assert_int_eq(nkey_new(&user, NKEY_USER, NULL), 0);
	/* A deny list alone allows all the rest. */
	ck_assert(strlist_add(&p.pub_deny, "x"));
	jwt = jwt_user(&signer, op.public, user.public, "n", &p, 0, NULL);
	ck_assert_ptr_nonnull(claims = jwt_decode(jwt, NULL));
	nats = vectors_get(claims, "nats");
	for (i = 0; i < 2; i++) {
		list = vectors_get(nats, sides[i]);
		ck_assert_ptr_null(cJSON_GetObjectItemCaseSensitive(list,
		    "allow"));
		ck_assert_str_eq(only(vectors_get(list, "deny")), ">");
	}
	free(jwt);
	cJSON_Delete(claims);
	permissions_wipe(&p);
}
END_TEST

START_TEST(expiry)
{
	struct permissions	 p = { 0 };
	struct nkey		 user;
	cJSON			*claims;
	char			*jwt;

	ck_assert_int_eq(nkey_new(&user, NKEY_USER, NULL), 0);
	jwt = jwt_user(&signer, signer.public, user.public, "n", &p, 90,
	    NULL);
	ck_assert_ptr_nonnull(claims = jwt_decode(jwt, NULL));
	ck_assert_double_eq(vectors_get(claims, "exp")->valuedouble,
	    vectors_get(claims, "iat")->valuedouble + 90);
	ck_assert_str_eq(vectors_get(claims, "iat")->next->string, "exp");
	check_jti(claims);
	/* Signed by the account itself: then the server refuses it. */
	ck_assert_ptr_null(cJSON_GetObjectItemCaseSensitive(
	    vectors_get(claims, "nats"), "issuer_account"));
	free(jwt);
	cJSON_Delete(claims);
}
END_TEST

START_TEST(refused)
{
	const char	*good;
	char		*bad, *dot;
	struct error	 e;
	size_t		 i;
	static const char *const	junk[] = { "", ".", "..", "a.b.c",
	    "e30.e30.e30",
	    /* alg none */
	    "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.e30." };

	for (i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		ck_assert_ptr_null(jwt_decode(junk[i], &e));
		ck_assert_int_eq(e.code, EX_DATAERR);
	}
	good = vectors_str(vectors_get(vectors_get(v, "trust_file"),
	    "account"), "jwt");
	bad = strdup(good);
	for (i = 0; i < strlen(good); i += 7) {
		bad[i] = bad[i] == 'x' ? 'y' : 'x';
		ck_assert_msg(jwt_decode(bad, &e) == NULL, "byte %zu", i);
		bad[i] = good[i];
	}
	dot = strrchr(bad, '.');
	*dot = '\0';
	ck_assert_ptr_null(jwt_decode(bad, &e));
	dot[1] = '\0';
	*dot = '.';
	ck_assert_ptr_null(jwt_decode(bad, &e));
	free(bad);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("jwt");
	TCase	*t = tcase_create("jwt");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, recorded_jwts);
	tcase_add_test(t, operator_and_accounts);
	tcase_add_loop_test(t, users, 0, 2);
	tcase_add_test(t, nothing_is_not_everything);
	tcase_add_test(t, expiry);
	tcase_add_test(t, refused);
	suite_add_tcase(s, t);
	return vectors_run(s);
}
