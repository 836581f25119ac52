/* SPDX-License-Identifier: ISC */

/* An agent's side in a space without JWTs: a token, a user, TLS. */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "seat.h"

static pid_t	broker;
static char	url[64];

static void
sh(const char *cmd)
{
	char	line[2048];

	snprintf(line, sizeof(line), "cd %s && { %s; } >>out 2>&1", sp->dir,
	    cmd);
	ck_assert_msg(system(line) == 0, "%s", line);
}

/* A broker of the test's own, in the directory that the guard removes. */
static void
serve(const char *conf)
{
	const char	*given = getenv("REEVE_NATS_SERVER");
	char		 cmd[512], path[256];
	FILE		*f;

	snprintf(path, sizeof(path), "%s/nats.conf", sp->dir);
	ck_assert((f = fopen(path, "w")) != NULL);
	fprintf(f, "listen: 127.0.0.1:%d\njetstream { store_dir: js }\n%s\n",
	    sp->port, conf);
	fclose(f);
	snprintf(cmd, sizeof(cmd), "PATH=$PATH:/usr/sbin exec '%s' -c "
	    "nats.conf >log 2>&1", given != NULL && given[0] != '\0' ? given :
	    "nats-server");
	fflush(NULL);
	ck_assert((broker = fork()) != -1);
	if (broker != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(sp->dir) == 0)
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
	_exit(127);
}

static void
setup(void)
{
	sp = space_new(NULL);
	sp->port = free_port();
	snprintf(url, sizeof(url), "nats://127.0.0.1:%d", sp->port);
}

static void
teardown(void)
{
	if (broker > 0) {
		kill(broker, SIGKILL);
		waitpid(broker, NULL, 0);
	}
	space_teardown();
}

static void
take_seat(struct seat *s, struct endpoint_conf *c, unsigned does)
{
	c->servers = url;
	c->space = "t";
	seat_new(s, NULL, c, does);
}

/* It is told of all the while until the broker is there, and then of that. */
static void
expect_up(struct endpoint_conf *c)
{
	struct seat	s = { .ups = 0 };

	take_seat(&s, c, 0);
	TURN_UNTIL(s.ups == 1, &s);
	ck_assert(name_is_id(endpoint_id(s.ep)));
	seat_free(&s);
}

static void
expect_refused(struct endpoint_conf *c)
{
	struct seat	s = { .ups = 0 };

	take_seat(&s, c, 0);
	TURN_UNTIL(s.downs > 0, &s);
	ck_assert_msg(s.why.code == EX_NOPERM, "%s", s.why.text);
	ck_assert_uint_eq(s.ups, 0);
	seat_free(&s);
}

START_TEST(by_a_token)
{
	struct endpoint_conf	c = { .token = "open sesame" };

	serve("authorization { token: \"open sesame\" }");
	expect_up(&c);
	c.token = "open barley";
	expect_refused(&c);
	c.token = NULL;
	expect_refused(&c);
}
END_TEST

START_TEST(by_a_user)
{
	struct endpoint_conf	c = { .user = "ali", .pass = "baba" };

	serve("authorization { user: ali, password: baba }");
	expect_up(&c);
	c.pass = "papa";
	expect_refused(&c);
	c.pass = NULL;
	expect_refused(&c);
}
END_TEST

static void
make_bucket(const char *config)
{
	struct creds	 creds = { .jwt = NULL };
	struct bus_conf	 conf = { .servers = url, .creds = &creds };
	struct bus	*b;
	struct error	 e;
	cJSON		*o = cJSON_Parse(config);

	OK(nkey_new(&creds.key, NKEY_USER, &e), e);
	OK(bus_open(&b, &conf, &e), e);
	ck_assert_ptr_nonnull(o);
	OK(js_stream_create(b, o, &e), e);
	cJSON_Delete(o);
	bus_close(b);
	creds_wipe(&creds);
}

START_TEST(two_that_nobody_made_meet)
{
	struct endpoint_conf	a_conf = { .name = "a" }, b_conf = {
				    .name = "b" };
	struct seat		a = { .ups = 0 }, b = { .ups = 0 };

	serve("");
	expect_up(&a_conf);			/* the broker is there */
	make_bucket("{\"name\":\"KV_cotal_presence_t\",\"subjects\":"
	    "[\"$KV.cotal_presence_t.>\"],\"max_msgs_per_subject\":1,"
	    "\"storage\":\"memory\",\"num_replicas\":1,"
	    "\"allow_rollup_hdrs\":true,\"deny_delete\":true}");
	take_seat(&a, &a_conf, ENDPOINT_PRESENCE | ENDPOINT_ROSTER);
	take_seat(&b, &b_conf, ENDPOINT_PRESENCE | ENDPOINT_ROSTER);
	TURN_UNTIL(strcmp(a.peers, " +b") == 0 && strcmp(b.peers, " +a") == 0,
	    &a, &b);
	ck_assert_str_ne(endpoint_id(a.ep), endpoint_id(b.ep));
	endpoint_leave_mesh(a.ep, 2000);
	TURN_UNTIL(strcmp(b.peers, " +a -a") == 0, &b);
	seat_free(&a);
	seat_free(&b);
}
END_TEST

/* As the system would have it: its certificates are where this says. */
static void
trust(const char *ca)
{
	char	path[256];

	snprintf(path, sizeof(path), "%s/%s.pem", sp->dir, ca);
	ck_assert(setenv("SSL_CERT_FILE", path, 1) == 0 &&
	    setenv("SSL_CERT_DIR", "/nonexistent", 1) == 0);
}

#define CA(name)							\
	"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "	\
	"-nodes -keyout " name ".key -out " name ".pem -days 2 -subj /CN=" name

static void
make_certificates(void)
{
	sh(CA("ours"));
	sh(CA("theirs"));
	sh("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	    "-keyout server.key -out server.csr -subj /CN=localhost");
	sh("echo subjectAltName=DNS:localhost,IP:127.0.0.1 >ext; openssl x509 "
	    "-req -in server.csr -CA ours.pem -CAkey ours.key "
	    "-CAcreateserial -out server.pem -days 2 -extfile ext");
}

/* Who vouches for the broker decides, and none is spoken to without TLS. */
static void
over_tls(const char *ca, bool tls, bool good)
{
	struct endpoint_conf	c = { .token = "x", .tls = tls };
	struct seat		s = { .ups = 0 };

	trust(ca);
	take_seat(&s, &c, 0);
	if (good)
		TURN_UNTIL(s.ups == 1, &s);
	else
		TURN_UNTIL(s.downs > 1, &s);
	ck_assert_uint_eq(s.ups, good);
	seat_free(&s);
}

START_TEST(by_tls_that_is_vouched_for)
{
	make_certificates();
	serve("authorization { token: x }\n"
	    "tls { cert_file: server.pem, key_file: server.key }");
	over_tls("ours", true, true);
	over_tls("theirs", true, false);
}
END_TEST

START_TEST(tls_is_not_done_without)
{
	struct endpoint_conf	c = { .token = "x" };

	make_certificates();
	serve("authorization { token: x }");
	expect_up(&c);
	over_tls("ours", true, false);
}
END_TEST

static TCase *
plain(const char *name)
{
	TCase	*t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	return t;
}

int
main(void)
{
	TCase	*who = plain("who"), *tls = plain("tls");

	tcase_add_test(who, by_a_token);
	tcase_add_test(who, by_a_user);
	tcase_add_test(who, two_that_nobody_made_meet);
	if (system("openssl version >/dev/null 2>&1") != 0)
		printf("no openssl(1): TLS is not tested\n");
	else {
		tcase_add_test(tls, by_tls_that_is_vouched_for);
		tcase_add_test(tls, tls_is_not_done_without);
	}
	return test_main("endpoint_plain", who, tls, NULL);
}
