/* SPDX-License-Identifier: ISC */

/* Connecting, against a broker of the test's own that picks its nonces. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <sodium.h>

#include "bus.h"
#include "clock.h"
#include "nkey.h"
#include "vectors.h"

static struct creds	creds;
static int		listener, port;

static void
setup(void)
{
	struct sockaddr_in	a = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(
				    INADDR_LOOPBACK) };
	socklen_t		len = sizeof(a);
	struct error		e;

	ck_assert(sodium_init() != -1);
	memset(&creds, 0, sizeof(creds));
	ck_assert(nkey_new(&creds.key, NKEY_USER, &e) == 0);
	creds.jwt = strdup("a.b.c");
	listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert(listener != -1 &&
	    bind(listener, (struct sockaddr *)&a, len) == 0 &&
	    listen(listener, 8) == 0 &&
	    getsockname(listener, (struct sockaddr *)&a, &len) == 0);
	port = ntohs(a.sin_port);
}

static void
teardown(void)
{
	close(listener);
	creds_wipe(&creds);
}

/* A nonce whose signature begins with a zero, or does not. */
static void
pick_nonce(char *nonce, size_t size, bool zero)
{
	unsigned char	sig[NKEY_SIG_LEN];
	unsigned	i = 0;

	do {
		snprintf(nonce, size, "nonce%u", i++);
		nkey_sign(&creds.key, nonce, strlen(nonce), sig);
	} while ((sig[0] == 0) != zero);
}

/* Serve one connection: true when it came with a signature of its nonce. */
static bool
serve(const char *nonce)
{
	unsigned char	 sig[NKEY_SIG_LEN];
	char		 line[8192], *encoded;
	FILE		*f;
	bool		 is_signed = false;

	f = fdopen(accept(listener, NULL, NULL), "r+");
	fprintf(f, "INFO {\"server_id\":\"x\",\"version\":\"2.9.10\","
	    "\"headers\":true,\"max_payload\":1048576,\"auth_required\":true,"
	    "\"nonce\":\"%s\"}\r\n", nonce);
	fflush(f);
	nkey_sign(&creds.key, nonce, strlen(nonce), sig);
	encoded = base64url_encode(sig, sizeof(sig));
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "CONNECT", 7) == 0 &&
		    strstr(line, encoded) == NULL) {
			fprintf(f, "-ERR 'Authorization Violation'\r\n");
			break;
		}
		if (strncmp(line, "CONNECT", 7) == 0)
			is_signed = true;
		if (strncmp(line, "PING", 4) == 0)
			fprintf(f, "PONG\r\n");
		fflush(f);
	}
	free(encoded);
	fclose(f);
	return is_signed;
}

/* The broker: n connections with such a nonce, then one with a fine one. */
static pid_t
broker(int n_zero)
{
	char	bad[32], good[32];
	pid_t	pid;

	pick_nonce(bad, sizeof(bad), true);
	pick_nonce(good, sizeof(good), false);
	fflush(NULL);
	if ((pid = fork()) == 0) {
		while (n_zero-- > 0)
			(void)serve(bad);
		_exit(serve(good) ? 0 : 1);
	}
	ck_assert(pid != -1);
	return pid;
}

static void
connects_after(int n_zero)
{
	char		 server[64];
	struct bus_conf	 conf = { .servers = server, .creds = &creds,
			    .name = "test" };
	struct bus	*b = NULL;
	struct error	 e;
	pid_t		 pid = broker(n_zero);
	int		 status;

	snprintf(server, sizeof(server), "nats://127.0.0.1:%d", port);
	ck_assert_msg(bus_open(&b, &conf, &e) == 0, "%s", e.text);
	bus_close(b);
	ck_assert(waitpid(pid, &status, 0) == pid && status == 0);
}

START_TEST(a_signature_is_sent)
{
	connects_after(0);
}
END_TEST

/* One of 256: libnats would leave it out. */
START_TEST(a_signature_that_begins_with_a_zero)
{
	connects_after(1);
}
END_TEST

START_TEST(two_of_them_in_a_row)
{
	connects_after(2);
}
END_TEST

static int64_t
in_a_moment(void *until)
{
	return *(int64_t *)until;
}

static int64_t
as_long_as(void *until)
{
	int64_t	now = clock_ms();

	return now < *(int64_t *)until ? now + 500 : now;
}

/* Of who has a right to work until then, and asks one who does not answer. */
START_TEST(a_call_ends_with_the_right_to_wait)
{
	struct bus_conf	 conf = { .creds = &creds, .name = "test" };
	struct bus_pub	 p = { .subject = "mute", .data = "", .len = 0 };
	struct bus	*b = NULL;
	struct error	 e;
	char		 server[64];
	pid_t		 pid = broker(0);
	int64_t		 began, until;

	snprintf(server, sizeof(server), "nats://127.0.0.1:%d", port);
	conf.servers = server;
	ck_assert_msg(bus_open(&b, &conf, &e) == 0, "%s", e.text);
	began = clock_ms();
	until = began + 1000;
	bus_limit(b, in_a_moment, &until);
	ck_assert_ptr_null(bus_call(b, &p, 15000, &e));
	ck_assert_int_ge(clock_ms(), until);
	ck_assert_int_lt(clock_ms(), began + 10000);
	ck_assert_str_eq(e.text, "mute: no answer in time");
	ck_assert_ptr_null(bus_call(b, &p, 15000, &e));
	ck_assert_str_eq(e.text, "mute: the right to ask has ended");
	ck_assert_ptr_null(bus_call_on(b, &p, "lane", 15000, &e));
	ck_assert_str_eq(e.text, "mute: the right to ask has ended");
	/* It is renewed for some time. */
	until = clock_ms() + 300;
	bus_limit(b, as_long_as, &until);
	ck_assert_ptr_null(bus_call_on(b, &p, "lane", 15000, &e));
	ck_assert_int_ge(clock_ms(), until);
	ck_assert_int_lt(clock_ms(), until + 10000);
	ck_assert_str_eq(e.text, "mute: no answer in time");
	bus_limit(b, NULL, NULL);
	bus_close(b);
	ck_assert(waitpid(pid, NULL, 0) == pid);
}
END_TEST

#define REFUSING	30	/* connections */
#define REFUSED		60	/* of each, at once */

/* It lets in, and refuses much. */
static void
refuse(void)
{
	char	 line[8192];
	FILE	*f = fdopen(accept(listener, NULL, NULL), "r+");
	int	 i;

	fprintf(f, "INFO {\"server_id\":\"x\",\"version\":\"2.9.10\","
	    "\"headers\":true,\"max_payload\":1048576}\r\n");
	fflush(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "PING", 4) == 0)
			fprintf(f, "PONG\r\n");
		for (i = 0; strncmp(line, "SUB", 3) == 0 && i < REFUSED; i++)
			fprintf(f, "-ERR 'Permissions Violation for Publish "
			    "to \"x.%d\"'\r\n", i);
		fflush(f);
	}
	fclose(f);
}

/* libnats tells of them by a thread of its own, which may come too late: the
 * address sanitizer would say of what. */
START_TEST(one_that_is_closed_while_it_is_refused)
{
	struct bus_conf	 conf = { .creds = &creds, .name = "t" };
	struct bus	*b;
	struct error	 e;
	char		 url[64];
	int		 i, status;
	pid_t		 pid;

	fflush(NULL);
	if ((pid = fork()) == 0) {
		alarm(20);
		for (i = 0; i < REFUSING; i++)
			refuse();
		_exit(0);
	}
	snprintf(url, sizeof(url), "nats://127.0.0.1:%d", port);
	conf.servers = url;
	for (i = 0; i < REFUSING; i++) {
		ck_assert_msg(bus_open(&b, &conf, &e) == 0, "%s", e.text);
		while (bus_alive(b) && bus_refusals(b) == 0)
			bus_turn(b, NULL, 0, 10);
		ck_assert_uint_gt(bus_refusals(b), 0);
		bus_close(b);
	}
	ck_assert(waitpid(pid, &status, 0) == pid);
}
END_TEST

static const struct {
	const char	*servers, *shown;
} shown[] = {
	{ "nats://127.0.0.1:4222", "nats://127.0.0.1:4222" },
	{ "nats://u:secret@h:1", "nats://h:1" },
	{ "nats://secret@h:1,tls://a:b@c@[::1]:2,h2", "nats://h:1,"
	    "tls://[::1]:2,h2" },
	{ "secret@h,,x", "h,,x" },
	{ "", "" },
};

START_TEST(what_is_secret_in_a_url_is_not_shown)
{
	char	buf[64], small[6];

	ck_assert_str_eq(bus_servers(shown[_i].servers, buf, sizeof(buf)),
	    shown[_i].shown);
	ck_assert_uint_lt(strlen(bus_servers(shown[_i].servers, small,
	    sizeof(small))), sizeof(small));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("bus");
	TCase	*tc = tcase_create("connect");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, a_signature_is_sent);
	tcase_add_test(tc, a_signature_that_begins_with_a_zero);
	tcase_add_test(tc, two_of_them_in_a_row);
	tcase_add_test(tc, a_call_ends_with_the_right_to_wait);
	tcase_add_test(tc, one_that_is_closed_while_it_is_refused);
	tcase_add_loop_test(tc, what_is_secret_in_a_url_is_not_shown, 0,
	    sizeof(shown) / sizeof(shown[0]));
	suite_add_tcase(s, tc);
	return vectors_run(s);
}
