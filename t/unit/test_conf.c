/* SPDX-License-Identifier: ISC */

/* Files of settings: what is taken, what is named as wrong, and where. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "conf.h"
#include "files.h"

static char		 path[64];
static struct config	 c;
static struct error	 e;

static int
read_text(const char *text)
{
	int	fd;

	snprintf(path, sizeof(path), "/tmp/reeve-conf-XXXXXX");
	ck_assert_int_ne(fd = mkstemp(path), -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
	e.text[0] = '\0';
	fd = config_read(&c, "/nowhere", path, &e);
	unlink(path);
	return fd;
}

/* The text is refused, and the error says where, and what. */
static void
refused(const char *text, const char *where, const char *what)
{
	char	begins[96];

	ck_assert_msg(read_text(text) == -1, "taken: %s", text);
	ck_assert_int_eq(e.code, EX_CONFIG);
	snprintf(begins, sizeof(begins), "%s:%s", path, where);
	ck_assert_msg(strncmp(e.text, begins, strlen(begins)) == 0,
	    "\"%s\" does not begin with \"%s\"", e.text, begins);
	ck_assert_msg(strstr(e.text, what) != NULL, "\"%s\" says nothing of "
	    "\"%s\"", e.text, what);
}

START_TEST(an_empty_file_is_the_defaults)
{
	ck_assert_msg(read_text("# nothing\n\n") == 0, "%s", e.text);
	ck_assert_str_eq(c.space, "main");
	ck_assert_str_eq(c.servers, "nats://127.0.0.1:4222");
	ck_assert(c.embedded);
	ck_assert_int_eq(c.lease_ttl_ms, DEFAULT_LEASE_TTL_MS);
	ck_assert_int_eq(c.dedup_window_ms, DEFAULT_DEDUP_WINDOW_MS);
	ck_assert_int_eq(c.replicas, 1);
	config_free(&c);
}
END_TEST

START_TEST(every_key_is_taken)
{
	ck_assert_msg(read_text("space=a-b\n servers = nats://a:1,tls://b:2 \n"
	    "lease-ttl = 9s\ndedup-window\t=\t10m\nreplicas = 3\n"
	    "workspace = /srv/the team #1\n") == 0, "%s",
	    e.text);
	ck_assert_str_eq(c.space, "a-b");
	ck_assert_str_eq(c.servers, "nats://a:1,tls://b:2");
	ck_assert(!c.embedded);
	ck_assert_int_eq(c.lease_ttl_ms, 9000);
	ck_assert_int_eq(c.dedup_window_ms, 600000);
	ck_assert_int_eq(c.replicas, 3);
	ck_assert_str_eq(c.workspace, "/srv/the team #1");
	config_free(&c);
}
END_TEST

START_TEST(listen_names_the_server)
{
	ck_assert_msg(read_text("listen = 0.0.0.0:7\n") == 0, "%s", e.text);
	ck_assert_str_eq(c.servers, "nats://127.0.0.1:7");
	ck_assert_str_eq(c.listen_host, "0.0.0.0");
	ck_assert_int_eq(c.listen_port, 7);
	config_free(&c);
	ck_assert_msg(read_text("listen = h:7\nservers = nats://h:7\n") == 0,
	    "%s", e.text);
	config_free(&c);
	refused("listen = h:7\nservers = nats://h:8\n", " ", "give one");
}
END_TEST

START_TEST(mistakes_are_named_with_their_line)
{
	refused("space = a\nlease_ttl = 9s\n", "2: ", "\"lease_ttl\"");
	refused("\n\n# x\nspace\n", "4: ", "key = value");
	refused("space = a b\n", "1: ", "space");
	refused("space =\n", "1: ", "space");
	refused("= x\n", "1: ", "unknown key");
	refused("servers = http://x\n", "1: ", "servers");
	refused("servers = nats://x # here\n", "1: ", "servers");
	refused("listen = x\n", "1: ", "listen");
	refused("listen = :4\n", "1: ", "listen");
	refused("listen = [::1]:4\n", "1: ", "listen");
	refused("listen = a b:4\n", "1: ", "listen");
	refused("listen = h:0\n", "1: ", "port");
	refused("listen = h:65536\n", "1: ", "port");
	refused("listen = h:\n", "1: ", "port");
	refused("listen = h:4x\n", "1: ", "port");
	refused("lease-ttl = 1s\n", "1: ", "at least 2s");
	refused("lease-ttl = 30\n", "1: ", "lease-ttl");
	refused("dedup-window = 59s\n", "1: ", "at least 60s");
	refused("replicas = 2\n", "1: ", "1, 3 or 5");
	refused("workspace = team\n", "1: ", "absolute path");
	refused("workspace =\n", "1: ", "absolute path");
	refused("memory-slot = m.json\n", "1: ", "memory-slot: expected an");
	refused("replicas = 1\nspace = a\n\nreplicas = 1\n", "4: ",
	    "replicas: given already in line 1");
	refused("listen=h:1\nlisten=h:1\n", "2: ", "in line 1");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_told_apart)
{
	ck_assert_int_eq(config_read(&c, "/nowhere", "/nowhere/x", &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/x"));
}
END_TEST

/* Nobody writes to it: who opened it would wait for ever. */
START_TEST(a_fifo_is_no_file_of_settings)
{
	char	fifo[80], dir[] = "/tmp/reeve-conf-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/reeve.conf", dir);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(config_read(&c, "/nowhere", fifo, &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	ck_assert_int_eq(config_load(&c, dir, &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	ck_assert_ptr_nonnull(strstr(e.text, "no regular file"));
	ck_assert_int_eq(unlink(fifo), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* What is written of settings is read as the same ones. */
START_TEST(settings_come_back)
{
	char	*first, *second;

	ck_assert_int_eq(read_text("listen = h:7\nlease-ttl = 90s\n"
	    "workspace = /a b\nmemory-slot = /etc/m.json\n"), 0);
	ck_assert_str_eq(c.memory_slot, "/etc/m.json");
	ck_assert_ptr_nonnull(first = config_text(&c));
	config_free(&c);
	ck_assert_msg(read_text(first) == 0, "%s", e.text);
	ck_assert_ptr_nonnull(second = config_text(&c));
	ck_assert_str_eq(first, second);
	config_free(&c);
	free(first);
	free(second);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("conf");
	TCase	*t = tcase_create("conf");
	SRunner	*sr = srunner_create(s);
	int	 failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, an_empty_file_is_the_defaults);
	tcase_add_test(t, every_key_is_taken);
	tcase_add_test(t, listen_names_the_server);
	tcase_add_test(t, mistakes_are_named_with_their_line);
	tcase_add_test(t, a_file_that_cannot_be_read_is_told_apart);
	tcase_add_test(t, a_fifo_is_no_file_of_settings);
	tcase_add_test(t, settings_come_back);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
