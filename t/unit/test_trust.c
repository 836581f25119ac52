/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <string.h>
#include <unistd.h>

#include "trust.h"
#include "vectors.h"

static cJSON		*v;
static char		 dir[64];
static char		 path[128];
static struct error	 e;

static void
setup(void)
{
	v = vectors_load("trust.json");
	snprintf(dir, sizeof(dir), "/tmp/reeve-trust.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/auth/trust.json", dir);
}

static void
teardown(void)
{
	char	sub[128];

	cJSON_Delete(v);
	unlink(path);
	snprintf(sub, sizeof(sub), "%s/auth", dir);
	rmdir(sub);
	ck_assert_int_eq(rmdir(dir), 0);
}

static mode_t
mode_of(const char *file)
{
	struct stat	st;

	ck_assert_int_eq(stat(file, &st), 0);
	return st.st_mode & 07777;
}

static void
write_json(const cJSON *o)
{
	char	*text = cJSON_Print(o);

	ck_assert_int_eq(dir_make_parent(path, 0700, &e), 0);
	ck_assert_int_eq(file_write_private(path, text, 0600, &e), 0);
	free(text);
}

static void
load_recorded(struct trust *t)
{
	write_json(vectors_get(v, "trust_file"));
	ck_assert_msg(trust_load(t, path, &e) == 0, "%s", e.text);
}

START_TEST(recorded_file)
{
	const cJSON	*f = vectors_get(v, "trust_file"), *a;
	struct trust	 t;

	load_recorded(&t);
	a = vectors_get(f, "account");
	ck_assert_str_eq(t.space, "vectors");
	ck_assert_str_eq(t.operator_seed, vectors_str(vectors_get(f,
	    "operator"), "seed"));
	ck_assert_str_eq(t.account_pub, vectors_str(a, "pub"));
	ck_assert_str_eq(t.account_seed, vectors_str(a, "seed"));
	ck_assert_str_eq(t.account_jwt, vectors_str(a, "jwt"));
	ck_assert_str_eq(t.signing_seed, vectors_str(a, "signingSeed"));
	ck_assert_str_eq(t.signing_pub, vectors_str(a, "signingPub"));
	ck_assert_str_eq(t.sys_pub, vectors_str(vectors_get(f, "sys"),
	    "pub"));
	ck_assert(!trust_is_stripped(&t));
	trust_wipe(&t);
	ck_assert_ptr_null(t.space);
	trust_wipe(&t);
}
END_TEST

START_TEST(saved_is_what_was_loaded)
{
	struct trust	 t;
	cJSON		*again;
	char		*text, sub[128];

	load_recorded(&t);
	ck_assert_int_eq(unlink(path), 0);
	snprintf(sub, sizeof(sub), "%s/auth", dir);
	ck_assert_int_eq(rmdir(sub), 0);
	ck_assert_msg(trust_save(&t, path, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(mode_of(path), 0600);
	ck_assert_uint_eq(mode_of(sub), 0700);
	text = file_read(path, 100000, NULL, &e);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	ck_assert_ptr_nonnull(again = cJSON_Parse(text));
	ck_assert(cJSON_Compare(again, vectors_get(v, "trust_file"), true));
	cJSON_Delete(again);
	file_wipe(text);
	trust_wipe(&t);
}
END_TEST

START_TEST(new_trust)
{
	struct trust	t, back;

	ck_assert_msg(trust_new(&t, "main", &e) == 0, "%s", e.text);
	ck_assert_int_eq(trust_save(&t, path, &e), 0);
	ck_assert_msg(trust_load(&back, path, &e) == 0, "%s", e.text);
	ck_assert_str_eq(back.account_jwt, t.account_jwt);
	trust_wipe(&back);
	trust_wipe(&t);
	ck_assert_int_eq(trust_new(&t, "a space", &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_int_eq(trust_new(&t, "", &e), -1);
}
END_TEST

START_TEST(stripped)
{
	const cJSON		*a;
	struct server_conf	 conf = { "127.0.0.1", 4222, "STORE", NULL };
	struct trust		 t;
	struct scope		 s = { 0 };
	struct creds		 c = { 0 };
	cJSON			*o;
	char			*text;

	load_recorded(&t);
	trust_strip(&t);
	ck_assert(trust_is_stripped(&t));
	ck_assert_int_eq(trust_save(&t, path, &e), 0);
	trust_wipe(&t);

	/* All keys are there, all empty but three. */
	text = file_read(path, 100000, NULL, &e);
	ck_assert_ptr_nonnull(o = cJSON_Parse(text));
	a = vectors_get(o, "account");
	ck_assert_str_eq(vectors_str(vectors_get(o, "operator"), "seed"), "");
	ck_assert_str_eq(vectors_str(vectors_get(o, "operator"), "jwt"), "");
	ck_assert_str_eq(vectors_str(vectors_get(o, "sys"), "jwt"), "");
	ck_assert_str_eq(vectors_str(a, "seed"), "");
	ck_assert_str_eq(vectors_str(a, "signingPub"), "");
	ck_assert_str_ne(vectors_str(a, "signingSeed"), "");
	file_wipe(text);
	cJSON_Delete(o);

	ck_assert_msg(trust_load(&t, path, &e) == 0, "%s", e.text);
	ck_assert(trust_is_stripped(&t));
	ck_assert_ptr_null(trust_server_conf(&t, &conf, &e));
	ck_assert_int_eq(e.code, EX_CONFIG);
	ck_assert_int_eq(trust_mint(&t, PROFILE_PROBE, &s, 0, &c, &e), 0);
	creds_wipe(&c);
	trust_wipe(&t);
}
END_TEST

START_TEST(modes)
{
	static const mode_t	bad[] = { 0644, 0640, 0604, 0666, 0660 };
	struct trust		t;
	struct creds		c;
	size_t			i;

	load_recorded(&t);
	trust_wipe(&t);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(chmod(path, bad[i]), 0);
		ck_assert_int_eq(trust_load(&t, path, &e), -1);
		ck_assert_int_eq(e.code, EX_NOPERM);
		ck_assert_ptr_nonnull(strstr(e.text, "chmod 600 /tmp/"));
		ck_assert_int_eq(creds_load(&c, path, &e), -1);
		ck_assert_int_eq(e.code, EX_NOPERM);
	}
	ck_assert_int_eq(chmod(path, 0400), 0);
	ck_assert_int_eq(trust_load(&t, path, &e), 0);
	trust_wipe(&t);
	ck_assert_int_eq(creds_load(&c, path, &e), -1);
	ck_assert_int_eq(e.code, EX_DATAERR);
	unlink(path);
	ck_assert_int_eq(trust_load(&t, path, &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	ck_assert_int_eq(creds_load(&c, path, &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	ck_assert_int_eq(trust_load(&t, dir, &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
}
END_TEST

/* Each field changed on its own: refused, and the error names it. */
START_TEST(fields_refused)
{
	static const char	foreign[] =
	    "SAAMPRD2DUQ7MAS3WD6SODJD4L2KQJ3SM27RN7DND5YSSDCGSHORR7YO3E";
	static const struct {
		const char	*object, *name, *value, *named;
	} bad[] = {
		{ NULL, "space", NULL, "space" },
		{ NULL, "space", "", "space" },
		{ NULL, "account", NULL, "account" },
		{ "account", "pub", NULL, "account.pub" },
		{ "account", "pub", "AXX", "account.pub" },
		{ "account", "signingSeed", NULL, "account.signingSeed" },
		{ "account", "signingSeed", "", "account.signingSeed" },
		{ "account", "seed", foreign, "account.seed" },
		{ "account", "signingPub", "AXX", "account.signingSeed" },
		{ "account", "jwt", "a.b.c", "account.jwt" },
		{ "operator", "seed", foreign, "operator.seed" },
		{ "operator", "jwt", "", "operator.jwt" },
		{ "sys", "pub", "", "sys.pub" },
		{ "sys", "jwt", "x", "sys.jwt" },
	};
	const cJSON	*f = vectors_get(v, "trust_file");
	struct trust	 t;
	cJSON		*o, *in;
	size_t		 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o = cJSON_Duplicate(f, true);
		in = bad[i].object == NULL ? o : vectors_get(o,
		    bad[i].object);
		cJSON_DeleteItemFromObjectCaseSensitive(in, bad[i].name);
		if (bad[i].value != NULL)
			cJSON_AddStringToObject(in, bad[i].name,
			    bad[i].value);
		write_json(o);
		cJSON_Delete(o);
		ck_assert_int_eq(trust_load(&t, path, &e), -1);
		ck_assert_int_eq(e.code, EX_DATAERR);
		ck_assert_msg(strstr(e.text, bad[i].named) != NULL, "%s: %s",
		    bad[i].named, e.text);
		ck_assert_msg(strstr(e.text, foreign) == NULL, "%s", e.text);
		ck_assert_ptr_null(t.space);
	}
}
END_TEST

/* What the recorded configuration has, but for the first line and quotes. */
START_TEST(server_configuration)
{
	struct server_conf	 conf = { "127.0.0.1", 4222, "STORE", NULL };
	const char		*want = strchr(vectors_str(v, "server_conf"),
				    '\n');
	struct trust		 t;
	char			*got, *line, *quote;

	load_recorded(&t);
	got = trust_server_conf(&t, &conf, &e);
	ck_assert_ptr_nonnull(got);
	ck_assert(strncmp(got, "# Made by reeve init: do not edit by hand.\n",
	    43) == 0);
	line = strchr(got, '\n');
	while ((quote = strstr(line, "\"127.0.0.1\"")) != NULL) {
		memmove(quote, "127.0.0.1", 9);
		memmove(quote + 9, quote + 11, strlen(quote + 11) + 1);
	}
	ck_assert_str_eq(line, want);
	free(got);

	conf = (struct server_conf){ "::1", -1, "/a \"b\\c", "/run/x y" };
	got = trust_server_conf(&t, &conf, &e);
	ck_assert_ptr_nonnull(strstr(got, "host: \"::1\"\nport: -1\n"
	    "pid_file: \"/run/x y\"\n"));
	ck_assert_ptr_nonnull(strstr(got, "store_dir: \"/a \\\"b\\\\c\""));
	free(got);

	conf.store_dir = "a\nhttp: 1";
	ck_assert_ptr_null(trust_server_conf(&t, &conf, &e));
	ck_assert_int_eq(e.code, EX_CONFIG);
	conf.store_dir = "a";
	conf.port = 70000;
	ck_assert_ptr_null(trust_server_conf(&t, &conf, &e));
	trust_wipe(&t);
}
END_TEST

START_TEST(minting)
{
	char		*const general[] = { "general" };
	struct trust	 t;
	struct scope	 s = { .subscribe = general, .n_subscribe = 1 };
	struct creds	 c = { 0 }, pub_only = { 0 };
	cJSON		*claims;
	char		*was;

	load_recorded(&t);
	ck_assert_msg(trust_mint(&t, PROFILE_AGENT, &s, 60, &c, &e) == 0,
	    "%s", e.text);
	ck_assert_str_eq(s.space, "vectors");
	ck_assert_ptr_eq(s.id, c.key.public);
	ck_assert_ptr_nonnull(claims = jwt_decode(c.jwt, &e));
	ck_assert_str_eq(vectors_str(claims, "sub"), c.key.public);
	ck_assert_str_eq(vectors_str(claims, "iss"), t.signing_pub);
	ck_assert_str_eq(vectors_str(claims, "name"), "agent");
	ck_assert_str_eq(vectors_str(claims, "aud"), "NATS");
	cJSON_Delete(claims);

	/* Again, for the same key; and for a key of which only the public
	 * half is known. */
	was = strdup(c.key.public);
	ck_assert_int_eq(trust_mint(&t, PROFILE_PROBE, &s, 0, &c, &e), 0);
	ck_assert_str_eq(c.key.public, was);
	memcpy(pub_only.key.public, was, NKEY_PUBLIC_LEN + 1);
	ck_assert_int_eq(trust_mint(&t, PROFILE_AGENT, &s, 0, &pub_only, &e),
	    0);
	ck_assert_int_eq(creds_save(&pub_only, path, &e), -1);
	free(was);
	creds_wipe(&pub_only);
	creds_wipe(&c);

	s.space = "other";
	ck_assert_int_eq(trust_mint(&t, PROFILE_AGENT, &s, 0, &c, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	trust_wipe(&t);
}
END_TEST

/* Past the control line the server drops the connection without a word. */
START_TEST(too_many_channels)
{
	static char	 names[1500][16];
	char		*list[1500];
	struct trust	 t;
	struct scope	 s = { .subscribe = list, .n_subscribe = 1500 };
	struct creds	 c = { 0 };
	size_t		 i;

	for (i = 0; i < 1500; i++) {
		snprintf(names[i], sizeof(names[i]), "channel-%zu", i);
		list[i] = names[i];
	}
	load_recorded(&t);
	ck_assert_int_eq(trust_mint(&t, PROFILE_AGENT, &s, 0, &c, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_ptr_null(c.jwt);
	ck_assert_int_eq(c.key.seed[0], '\0');
	trust_wipe(&t);
}
END_TEST

START_TEST(recorded_creds)
{
	const char	*text = vectors_str(vectors_get(v, "agent"),
			    "creds_file");
	struct creds	 c, back;
	char		*again;

	ck_assert_msg(creds_parse(&c, text, &e) == 0, "%s", e.text);
	ck_assert_str_eq(c.key.public, vectors_str(vectors_get(vectors_get(v,
	    "agent"), "options"), "id"));
	again = creds_text(&c);
	ck_assert_str_eq(again, text);
	creds_text_free(again);
	ck_assert_int_eq(creds_save(&c, path, &e), 0);
	ck_assert_uint_eq(mode_of(path), 0600);
	ck_assert_msg(creds_load(&back, path, &e) == 0, "%s", e.text);
	ck_assert_str_eq(back.jwt, c.jwt);
	ck_assert_str_eq(back.key.seed, c.key.seed);
	creds_wipe(&back);
	creds_wipe(&c);
}
END_TEST

START_TEST(creds_refused)
{
	const char	*text = vectors_str(vectors_get(v, "agent"),
			    "creds_file");
	struct creds	 c, own = { 0 };
	struct trust	 t;
	struct scope	 s = { 0 };
	char		*bad;

	ck_assert_int_eq(creds_parse(&c, "", &e), -1);
	ck_assert_int_eq(e.code, EX_DATAERR);
	bad = strdup(text);
	*strstr(bad, "USER NKEY") = 'X';
	ck_assert_int_eq(creds_parse(&c, bad, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "USER NKEY SEED"));
	ck_assert_ptr_null(c.jwt);
	free(bad);

	/* One user's JWT with another's seed. */
	load_recorded(&t);
	ck_assert_int_eq(trust_mint(&t, PROFILE_PROBE, &s, 0, &own, &e), 0);
	bad = strdup(text);
	memcpy(strstr(bad, "\nSU") + 1, own.key.seed, NKEY_SEED_LEN);
	ck_assert_int_eq(creds_parse(&c, bad, &e), -1);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(e.text, own.key.public));
	free(bad);
	creds_wipe(&own);
	trust_wipe(&t);
}
END_TEST

START_TEST(files)
{
	char	sub[160];
	size_t	len;
	char	*text;

	snprintf(sub, sizeof(sub), "%s//auth/", dir);
	ck_assert_int_eq(dir_make(sub, 0700, &e), 0);
	ck_assert_int_eq(dir_make(sub, 0755, &e), 0);
	ck_assert_int_eq(file_write_private(path, "old", 0644, &e), 0);
	ck_assert_uint_eq(mode_of(path), 0644);
	ck_assert_int_eq(file_write_private(path, "new text", 0600, &e), 0);
	ck_assert_uint_eq(mode_of(path), 0600);
	text = file_read(path, 8, &len, &e);
	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, "new text");
	ck_assert_uint_eq(len, 8);
	free(text);
	ck_assert_ptr_null(file_read(path, 7, &len, &e));
	ck_assert_int_eq(e.code, EX_DATAERR);
	snprintf(sub, sizeof(sub), "%s/below", path);
	ck_assert_int_eq(dir_make(sub, 0700, &e), -1);
	ck_assert_int_eq(e.code, EX_CANTCREAT);
	ck_assert_int_eq(file_write_private("/nowhere/x", "", 0600, &e), -1);
	ck_assert_int_eq(e.code, EX_CANTCREAT);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("trust");
	TCase	*t = tcase_create("trust");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, recorded_file);
	tcase_add_test(t, saved_is_what_was_loaded);
	tcase_add_test(t, new_trust);
	tcase_add_test(t, stripped);
	tcase_add_test(t, modes);
	tcase_add_test(t, fields_refused);
	tcase_add_test(t, server_configuration);
	tcase_add_test(t, minting);
	tcase_add_test(t, too_many_channels);
	tcase_add_test(t, recorded_creds);
	tcase_add_test(t, creds_refused);
	tcase_add_test(t, files);
	suite_add_tcase(s, t);
	return vectors_run(s);
}
