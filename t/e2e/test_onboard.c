/* SPDX-License-Identifier: ISC */

/* reeve onboard: an agent is made, refused, and made whole again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "creds.h"
#include "json.h"
#include "space.h"

static char	out[65536];

START_TEST(bad_channels_are_refused)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out),
	    "onboard x --allow-subscribe 'a..b'"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out),
	    "onboard x --allow-subscribe 'team.*'"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out),
	    "onboard x --subscribe secret --allow-subscribe general"),
	    EX_USAGE);
	ck_assert_ptr_nonnull(strstr(out, "secret"));
}
END_TEST

START_TEST(nothing_is_left_behind_when_it_fails)
{
	char	path[400];

	broker_down(sp);
	ck_assert_int_ne(reeve(sp, out, sizeof(out), "onboard scout"), EX_OK);
	snprintf(path, sizeof(path), "%s/agents/scout.creds", sp->state);
	ck_assert(access(path, F_OK) == -1);
	broker_up(sp);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard scout"), EX_OK);
}
END_TEST

#define SCOUT	"onboard scout --role crow --allow-subscribe " \
		"general,review --allow-publish general --spawn"

static void
check_again(const char *args, const char *text)
{
	ck_assert_msg(reeve(sp, out, sizeof(out), "%s", args) == EX_OK,
	    "%s: %s", args, out);
	ck_assert_ptr_nonnull(strstr(out, "onboarded already"));
	ck_assert_msg(strstr(out, text) != NULL, "%s: no \"%s\" in %s", args,
	    text, out);
}

static void
stream_call(const char *call, const char *rest)
{
	char		 subject[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject };
	struct error	 e;
	natsMsg		*m;

	snprintf(subject, sizeof(subject), "$JS.API.%s.%s", call, rest);
	m = bus_call(sp->root, &p, 2000, &e);
	ck_assert_msg(m != NULL && strstr(natsMsg_GetData(m),
	    "\"success\":true") != NULL, "%s", subject);
	bus_msg_free(m);
}

static void
id_of_scout(char id[ID_MAX])
{
	struct creds	c;
	struct error	e;
	char		path[400];

	snprintf(path, sizeof(path), "%s/agents/scout.creds", sp->state);
	OK(creds_load(&c, path, &e), e);
	snprintf(id, ID_MAX, "%s", c.key.public);
	creds_wipe(&c);
}

START_TEST(again_it_is_the_same_agent)
{
	char	id[ID_MAX], again[ID_MAX];

	ck_assert_int_eq(reeve(sp, out, sizeof(out), SCOUT), EX_OK);
	id_of_scout(id);
	check_again("onboard scout", "nothing is missing");
	check_again(SCOUT, "nothing is missing");
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard scout --role "
	    "crow"), EX_CANTCREAT);
	ck_assert_ptr_nonnull(strstr(out, "with other options"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard scout --role "
	    "crow --allow-subscribe general,review --allow-publish general"),
	    EX_CANTCREAT);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), SCOUT " --allow-publish "
	    "review"), EX_CANTCREAT);
	id_of_scout(again);
	ck_assert_str_eq(again, id);
}
END_TEST

/* What an agent has at the broker may go; what is kept for it comes again. */
START_TEST(again_makes_what_is_missing)
{
	struct js_consumer	 c;
	char			 id[ID_MAX], name[200];
	const cJSON		*allow;
	cJSON			*o;

	ck_assert_int_eq(reeve(sp, out, sizeof(out), SCOUT), EX_OK);
	id_of_scout(id);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "join --as scout "
	    "general"), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard scribe "
	    "--allow-publish general"), EX_OK);
	snprintf(name, sizeof(name), "DLV_t.dlv_%s", id);
	stream_call("CONSUMER.DELETE", name);
	snprintf(name, sizeof(name), "DM_t.dm_%s", id);
	stream_call("CONSUMER.DELETE", name);
	stream_call("CONSUMER.DELETE", "TASK_t.svc_crow");
	record_put(sp, BUCKET_ACL, id, NULL);
	check_again("onboard scout", "made again   the consumer of its "
	    "direct messages\n  made again   the consumer of its channels\n"
	    "  made again   the consumer of its role's tasks\n"
	    "  made again   its access record\n");
	check_again("onboard scout", "nothing is missing");
	o = record_get(sp, BUCKET_ACL, id, NULL);
	allow = json_get(o, "allowSubscribe");
	ck_assert_int_eq(cJSON_GetArraySize(allow), 2);
	ck_assert_str_eq(json_get(o, "name")->valuestring, "scout");
	cJSON_Delete(o);
	c = consumer_get(sp, STREAM_TASK, "svc_crow");
	ck_assert_uint_eq(c.n_pending, 0);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "send --as scribe "
	    "--channel general word"), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "listen --as scout "
	    "--durable-only --count 1 --for 10s"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "word"));
	ck_assert_ptr_null(strstr(out, "no durable"));
}
END_TEST

/* A stream that is gone is init's to make; then the agent's part is. */
START_TEST(again_after_a_stream_was_lost)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out), SCOUT), EX_OK);
	stream_call("STREAM.DELETE", "DLV_t");
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "listen --as scout "
	    "--durable-only --count 1 --for 1s"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, "`reeve onboard scout` makes it"));
	check_again("onboard scout", "made again   the consumer of its "
	    "channels\n");
}
END_TEST

/* A record that was narrowed on purpose is not widened. */
START_TEST(again_leaves_what_is_there)
{
	char	 id[ID_MAX];
	cJSON	*o;

	ck_assert_int_eq(reeve(sp, out, sizeof(out), SCOUT), EX_OK);
	id_of_scout(id);
	record_put(sp, BUCKET_ACL, id, "{\"allowSubscribe\":[],"
	    "\"revision\":2,\"updatedAt\":1}");
	check_again("onboard scout", "nothing is missing");
	o = record_get(sp, BUCKET_ACL, id, NULL);
	ck_assert_int_eq(cJSON_GetArraySize(json_get(o, "allowSubscribe")),
	    0);
	cJSON_Delete(o);
}
END_TEST

START_TEST(a_name_onboarded_here_has_no_case)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard scribe"),
	    EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard Scout"), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "send --as scribe --to "
	    "sCOUT word"), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard SCOUT"), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "send --as scribe --to "
	    "sCOUT word"), EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(out, "several"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "send --as scribe --to "
	    "SCOUT word"), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "send --as scribe --to "
	    "nobody word"), EX_NOUSER);
	ck_assert_uint_eq(stream_messages(sp, STREAM_DM), 2);
}
END_TEST

int
main(void)
{
	TCase	*idle = test_case("idle", space_setup_idle, 60);
	TCase	*up = test_case("running", space_setup, 60);

	tcase_add_test(idle, bad_channels_are_refused);
	tcase_add_test(up, nothing_is_left_behind_when_it_fails);
	tcase_add_test(up, again_it_is_the_same_agent);
	tcase_add_test(up, again_makes_what_is_missing);
	tcase_add_test(up, again_after_a_stream_was_lost);
	tcase_add_test(up, again_leaves_what_is_there);
	tcase_add_test(up, a_name_onboarded_here_has_no_case);
	return test_main("onboard", idle, up, NULL);
}
