/* SPDX-License-Identifier: ISC */

/*
 * What `reeve migrate` finds before it does anything, and what stands in its
 * way: then nothing is changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <sys/stat.h>

#include "clock.h"
#include "foreign.h"
#include "json.h"
#include "records.h"
#include "trust.h"

START_TEST(a_manager_that_goes_on)
{
	record_put(sp, BUCKET_MANAGER, "lease", "{\"holder\":\"" HOLDER "\","
	    "\"runtime\":\"pty\",\"root\":\"/w\",\"pid\":42,\"since\":1}");
	expect(EX_OK, "--dry-run", "agents are left to it");
	with[strlen(with) - strlen("--no-agents")] = '\0';
	record_put(sp, BUCKET_MANAGER, "lease", "{\"holder\":\"" HOLDER "\","
	    "\"runtime\":\"pty\",\"root\":\"/w\",\"pid\":42,\"since\":1}");
	expect(EX_TEMPFAIL, "", HOLDER ", process 42 in /w");
	check_nothing_made();
	/* The workspace is the trust file's. */
	record_put(sp, BUCKET_MANAGER, "lease", NULL);
	expect(EX_OK, "--dry-run", "service/manager/run");
	expect(EX_OK, "", "made the credential of manager");
	shell("grep -qx 'workspace = %s/ws' %s/reeve.conf", sp->dir,
	    b->state);
}
END_TEST

/* What it says it would do is what it does then, and it leaves nothing. */
START_TEST(a_look_that_leaves_nothing)
{
	char		*was, *is;
	const char	*p;
	char		 path[500];
	unsigned	 n = 0, made;
	size_t		 len;
	FILE		*f;

	with[strlen(with) - strlen("--no-agents")] = '\0';
	record_put(sp, BUCKET_ACL, HOLDER, "{\"allowSubscribe\":[],"
	    "\"revision\":1,\"updatedAt\":1}");
	was = all_that_is_there();
	ck_assert_int_eq(try("--dry-run"), EX_OK);
	check_nothing_made();
	ck_assert_int_eq(try("--dry-run --start"), EX_OK);
	is = all_that_is_there();
	for (len = 0; was[len] != '\0' && was[len] == is[len]; len++)
		;
	ck_assert_msg(was[len] == is[len], "%.300s\ninstead of\n%.300s",
	    is + (len < 100 ? 0 : len - 100), was + (len < 100 ? 0 :
	    len - 100));
	free(was);
	free(is);
	ck_assert_int_eq(try("--dry-run"), EX_OK);
	was = strdup(out);
	ck_assert_int_eq(try(""), EX_OK);
	for (p = was; (p = strstr(p, " make /")) != NULL; p += len, n++) {
		len = strcspn(p += 6, "\n");
		snprintf(path, sizeof(path), "%.*s", (int)len, p);
		ck_assert_msg(access(path, F_OK) == 0, "%s", path);
	}
	free(was);
	snprintf(path, sizeof(path), "find %s -type f ! -name needs ! -name "
	    "notification-fd | wc -l", b->state);
	ck_assert((f = popen(path, "r")) != NULL);
	ck_assert(fscanf(f, "%u", &made) == 1);
	ck_assert(pclose(f) == 0);
	ck_assert_uint_eq(n, made);
}
END_TEST

START_TEST(what_channels_are_by_default)
{
	expect(EX_OK, "--dry-run", "DEAD_t");
	ck_assert_ptr_null(strstr(out, "channels "));
	record_put(sp, BUCKET_CHANNELS, "=defaults", "{\"replay\":true}");
	expect(EX_OK, "--dry-run", "they are durable, and that is written");
	record_put(sp, BUCKET_CHANNELS, "=defaults", "{\"replay\":");
	expect(EX_CONFIG, "", "the record =defaults cannot be read");
	check_nothing_made();
}
END_TEST

/* Who was told to wait has ended his daemon: nobody is told for nothing. */
START_TEST(waits_for_nothing_else)
{
	struct error	e;
	int64_t		start = clock_ms();

	record_put(sp, BUCKET_DELIVERY, "lease.0", "{\"holder\":\"a\033[2Jb"
	    "\",\"since\":1,\"ready\":true}");
	expect(EX_TEMPFAIL, "--wait 1s", "waits 1 s at most");
	ck_assert_ptr_null(strchr(out, 033));
	OK(js_consumer_delete(sp->root, "CHAT_t", "fanout", &e), e);
	member_put(sp, "busy", HOLDER, "\"joinCursor\":0,\"generation\":1,"
	    "\"activated\":true");
	expect(EX_CONFIG, "--wait 1h", "say where it is to begin");
	ck_assert_ptr_null(strstr(out, "waits"));
	expect(EX_USAGE, "--dry-run --fanout-from there", "expected a "
	    "sequence, first or new");
	ck_assert_int_lt(clock_ms() - start, 20000);
	check_nothing_made();
}
END_TEST

static void
make_other_fanout(const char *field, const char *value)
{
	cJSON		*all = recorded();
	cJSON		*config = cJSON_GetObjectItem(cJSON_GetObjectItem(
			    cJSON_GetObjectItem(all, "consumers"), "CHAT_t"),
			    "fanout");
	struct error	 e;

	cJSON_DeleteItemFromObject(config, field);
	cJSON_AddStringToObject(config, field, value);
	OK(js_consumer_delete(sp->root, "CHAT_t", "fanout", &e), e);
	OK(js_consumer_create(sp->root, "CHAT_t", "fanout", config, NULL,
	    &e), e);
	cJSON_Delete(all);
}

START_TEST(consumers_that_are_others)
{
	struct error	e;

	expect(EX_OK, "--dry-run --fanout-from first", "--fanout-from changes"
	    " nothing");
	make_other_fanout("filter_subject", "cotal.t.chat.*.x");
	expect(EX_CONFIG, "", "filter_subject is \"cotal.t.chat.*.x\", not");
	check_nothing_made();
	OK(js_consumer_delete(sp->root, "CHAT_t", "fanout", &e), e);
	expect(EX_OK, "--dry-run", "nobody is a member yet");
	member_put(sp, "busy", HOLDER, "\"joinCursor\":0,\"generation\":1,"
	    "\"activated\":true");
	expect(EX_CONFIG, "", "there are 1 members: say where");
	check_nothing_made();
	expect(EX_OK, "--dry-run --fanout-from first", "it begins at first");
	record_put(sp, BUCKET_MEMBERS, "x/y", "{");
	expect(EX_OK, "--dry-run --fanout-from 1",
	    "1 cannot be read (x/y): nothing is delivered by them");
}
END_TEST

/* What no setting of ours would say, and is there all the same. */
START_TEST(consumers_that_are_more)
{
	cJSON		*all = recorded();
	cJSON		*config = cJSON_GetObjectItem(cJSON_GetObjectItem(
			    cJSON_GetObjectItem(all, "consumers"), "CHAT_t"),
			    "fanout");
	struct error	 e;

	cJSON_AddBoolToObject(config, "headers_only", true);
	cJSON_AddNumberToObject(config, "inactive_threshold", 3e12);
	OK(js_consumer_delete(sp->root, "CHAT_t", "fanout", &e), e);
	OK(js_consumer_create(sp->root, "CHAT_t", "fanout", config, NULL,
	    &e), e);
	cJSON_Delete(all);
	expect(EX_CONFIG, "", "headers_only is true");
	ck_assert_ptr_nonnull(strstr(out, "stop   fanout                   "
	    "inactive_threshold is"));
	check_nothing_made();
}
END_TEST

/* A second host does not wait for what the first one has. */
START_TEST(another_host_serves)
{
	record_put(sp, BUCKET_DELIVERY, "lease.0", "{\"holder\":\"" HOLDER
	    "\",\"host\":\"another\",\"since\":1,\"ready\":true}");
	expect(EX_OK, "--start", "and this one stands by");
	ck_assert_int_eq(reeve(b, NULL, 0, "down"), EX_OK);
}
END_TEST

START_TEST(spaces_that_are_none)
{
	struct trust	t;
	struct error	e;
	char		path[400];

	expect(EX_UNAVAILABLE, "--server nats://127.0.0.1:1", "");
	snprintf(path, sizeof(path), "%s/ws/.cotal/auth/auth.json", sp->dir);
	ck_assert(chmod(path, 0644) == 0);
	expect(EX_NOPERM, "", "auth.json");
	ck_assert(chmod(path, 0600) == 0);
	api("$JS.API.STREAM.DELETE.CHAT_t");
	expect(EX_CONFIG, "", "there is no space t to take over");
	check_nothing_made();
	OK(trust_new(&t, "t", &e), e);
	OK(trust_save(&t, path, &e), e);
	trust_wipe(&t);
	expect(EX_NOPERM, "", "does not accept what this trust file signs");
	check_nothing_made();
	/* One of our own making is not taken over, nor given back. */
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "migrate"), EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "has a broker of its own"));
	ck_assert_int_eq(reeve(b, out, sizeof(out), "migrate --back"),
	    EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "there is no state"));
}
END_TEST

/* Nobody else knows of shards. */
START_TEST(shards_go_first)
{
	expect(EX_OK, "", "is free");
	record_put(sp, BUCKET_MEMBERS, "=delivery", "{\"shards\":2}");
	ck_assert_int_eq(reeve(b, out, sizeof(out), "migrate --back"),
	    EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "`reeve reshard 1` first"));
	/* One shard that is served is not made up for by one that is free. */
	record_put(sp, BUCKET_DELIVERY, "lease.0", "{\"holder\":\"" HOLDER
	    "\",\"host\":\"another\",\"since\":1,\"ready\":true}");
	expect(EX_OK, "--dry-run", "is held by reeve on the host another");
}
END_TEST

int
main(void)
{
	TCase	*stops = test_case("stops", setup, 60);

	tcase_add_test(stops, a_manager_that_goes_on);
	tcase_add_test(stops, a_look_that_leaves_nothing);
	tcase_add_test(stops, what_channels_are_by_default);
	tcase_add_test(stops, waits_for_nothing_else);
	tcase_add_test(stops, consumers_that_are_others);
	tcase_add_test(stops, consumers_that_are_more);
	tcase_add_test(stops, another_host_serves);
	tcase_add_test(stops, spaces_that_are_none);
	tcase_add_test(stops, shards_go_first);
	return test_main("migrate_stops", stops, NULL);
}
