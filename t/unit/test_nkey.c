/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "nkey.h"
#include "vectors.h"

START_TEST(recorded_seeds)
{
	cJSON		*all = vectors_load("nkeys.json"), *one;
	struct nkey	 k;
	struct error	 e;

	ck_assert_int_gt(cJSON_GetArraySize(all), 0);
	cJSON_ArrayForEach(one, all) {
		ck_assert_int_eq(nkey_from_seed(&k,
		    vectors_str(one, "seed"), &e), 0);
		ck_assert_int_eq(k.kind, NKEY_USER);
		ck_assert_str_eq(k.public, vectors_str(one, "public"));
		ck_assert_str_eq(k.seed, vectors_str(one, "seed"));
	}
	cJSON_Delete(all);
}
END_TEST

START_TEST(seeds_of_every_kind)
{
	static const char *const	 paths[][2] = {
	    { "operator", "seed" }, { "account", "seed" },
	    { "account", "signingSeed" } };
	static const enum nkey_kind	 kinds[] = { NKEY_OPERATOR,
	    NKEY_ACCOUNT, NKEY_ACCOUNT };
	cJSON				*v = vectors_load("trust.json"), *o;
	struct nkey			 k;
	struct error			 e;
	size_t				 i;

	for (i = 0; i < 3; i++) {
		o = vectors_get(vectors_get(v, "trust_file"), paths[i][0]);
		ck_assert_int_eq(nkey_from_seed(&k,
		    vectors_str(o, paths[i][1]), &e), 0);
		ck_assert_int_eq(k.kind, kinds[i]);
		ck_assert(nkey_public_valid(k.public, kinds[i]));
		ck_assert(!nkey_public_valid(k.public, NKEY_USER));
	}
	cJSON_Delete(v);
}
END_TEST

START_TEST(made_keys)
{
	static const char	 letters[] = "OAU";
	struct nkey		 k, again, zero;
	struct error		 e;

	ck_assert_int_eq(nkey_new(&k, (enum nkey_kind)_i, &e), 0);
	ck_assert_int_eq(k.public[0], letters[_i]);
	ck_assert_uint_eq(strlen(k.public), NKEY_PUBLIC_LEN);
	ck_assert_uint_eq(strlen(k.seed), NKEY_SEED_LEN);
	ck_assert_int_eq(k.seed[1], letters[_i]);
	ck_assert_int_eq(nkey_from_seed(&again, k.seed, &e), 0);
	ck_assert_str_eq(again.public, k.public);
	ck_assert_mem_eq(again.secret, k.secret, sizeof(k.secret));
	memset(&zero, 0, sizeof(zero));
	nkey_wipe(&k);
	ck_assert_mem_eq(k.seed, zero.seed, sizeof(k.seed));
	ck_assert_mem_eq(k.secret, zero.secret, sizeof(k.secret));
}
END_TEST

START_TEST(seeds_refused)
{
	static const char	good[] =
	    "SUAER6ZFRVEHNGI55ULHNHRGHOYHN2LGNZHSB5XPZREKE56B2U5PY4PTJY";
	static const char *const	bad[] = {
	    "", "S", "not a seed",
	    /* cut, too long, lower case, foreign letters */
	    "SUAER6ZFRVEHNGI55ULHNHRGHOYHN2LGNZHSB5XPZREKE56B2U5PY4PTJ",
	    "SUAER6ZFRVEHNGI55ULHNHRGHOYHN2LGNZHSB5XPZREKE56B2U5PY4PTJYA",
	    "suaer6zfrvehngi55ulhnhrghoyhn2lgnzhsb5xpzreke56b2u5py4ptjy",
	    "SUAER6ZFRVEHNGI55ULHNHRGHOYHN2LGNZHSB5XPZREKE56B2U5PY4PT1Y",
	    "SUAER6ZFRVEHNGI55ULHNHRGHOYHN2LGNZHSB5XPZREKE56B2U5PY4PTJ=",
	    /* one letter differs: checksum */
	    "SUAER6ZFRVEHNGI55ULHNHRGHOYHN2LGNZHSB5XPZREKE56B2U5PY4PTKY",
	    "SUBER6ZFRVEHNGI55ULHNHRGHOYHN2LGNZHSB5XPZREKE56B2U5PY4PTJY",
	    /* a public key */
	    "UCMJIGYFXANY4KEG2ZSBNXW2J5U6SZNJCQJTGGJ4A5K4RK5M3ZU4LTLV" };
	char			trailing[sizeof(good)];
	struct nkey		k;
	struct error		e;
	size_t			i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(nkey_from_seed(&k, bad[i], &e) == -1, "%s",
		    bad[i]);
		ck_assert_int_eq(e.code, EX_DATAERR);
	}
	/* The last letter has two bits too many: only with them zero. */
	memcpy(trailing, good, sizeof(good));
	for (i = 1; i < 4; i++) {
		trailing[NKEY_SEED_LEN - 1] = (char)('Y' + i);
		if (trailing[NKEY_SEED_LEN - 1] > 'Z')
			trailing[NKEY_SEED_LEN - 1] =
			    (char)('2' + i - 2);
		ck_assert_int_eq(nkey_from_seed(&k, trailing, &e), -1);
	}
}
END_TEST

START_TEST(publics_refused)
{
	static const char	good[] =
	    "UCMJIGYFXANY4KEG2ZSBNXW2J5U6SZNJCQJTGGJ4A5K4RK5M3ZU4LTLV";
	char			s[sizeof(good)];
	size_t			i;

	ck_assert(nkey_public_valid(good, NKEY_USER));
	ck_assert(!nkey_public_valid(good, NKEY_ACCOUNT));
	ck_assert(!nkey_public_valid("", NKEY_USER));
	for (i = 0; i < NKEY_PUBLIC_LEN; i++) {
		memcpy(s, good, sizeof(s));
		s[i] = s[i] == 'A' ? 'B' : 'A';
		ck_assert_msg(!nkey_public_valid(s, NKEY_USER), "%s", s);
	}
}
END_TEST

START_TEST(signatures)
{
	struct nkey	k, other;
	struct error	e;
	unsigned char	sig[NKEY_SIG_LEN];

	ck_assert_int_eq(nkey_new(&k, NKEY_USER, &e), 0);
	ck_assert_int_eq(nkey_new(&other, NKEY_USER, &e), 0);
	nkey_sign(&k, "abc", 3, sig);
	ck_assert(nkey_verify(k.public, "abc", 3, sig));
	ck_assert(!nkey_verify(k.public, "abd", 3, sig));
	ck_assert(!nkey_verify(k.public, "abc", 2, sig));
	ck_assert(!nkey_verify(other.public, "abc", 3, sig));
	ck_assert(!nkey_verify("UXX", "abc", 3, sig));
	sig[0] ^= 1;
	ck_assert(!nkey_verify(k.public, "abc", 3, sig));
}
END_TEST

START_TEST(base64)
{
	static const unsigned char	 raw[] = { 0xfb, 0xff, 0x00, 0xfe };
	unsigned char			*back;
	char				*s;
	size_t				 len;

	s = base64url_encode(raw, sizeof(raw));
	ck_assert_str_eq(s, "-_8A_g");
	back = base64url_decode(s, strlen(s), &len);
	ck_assert_uint_eq(len, sizeof(raw));
	ck_assert_mem_eq(back, raw, sizeof(raw));
	free(s);
	free(back);
	s = base64_encode(raw, sizeof(raw));
	ck_assert_str_eq(s, "+/8A/g==");
	back = base64_decode(s, strlen(s), &len);
	ck_assert_uint_eq(len, sizeof(raw));
	ck_assert_mem_eq(back, raw, sizeof(raw));
	free(s);
	free(back);

	back = base64url_decode("", 0, &len);
	ck_assert_ptr_nonnull(back);
	ck_assert_uint_eq(len, 0);
	free(back);
	ck_assert_ptr_null(base64url_decode("-_8A_g==", 8, &len));
	ck_assert_ptr_null(base64url_decode("-_8A_h", 6, &len));
	ck_assert_ptr_null(base64url_decode("+/8A", 4, &len));
	ck_assert_ptr_null(base64url_decode("A", 1, &len));
	ck_assert_ptr_null(base64_decode("+/8A/g", 6, &len));
	ck_assert_ptr_null(base64_decode("+/8A /g==", 9, &len));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("nkey");
	TCase	*t = tcase_create("nkey");

	tcase_add_test(t, recorded_seeds);
	tcase_add_test(t, seeds_of_every_kind);
	tcase_add_loop_test(t, made_keys, NKEY_OPERATOR, NKEY_USER + 1);
	tcase_add_test(t, seeds_refused);
	tcase_add_test(t, publics_refused);
	tcase_add_test(t, signatures);
	tcase_add_test(t, base64);
	suite_add_tcase(s, t);
	return vectors_run(s);
}
