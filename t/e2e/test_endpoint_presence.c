/* SPDX-License-Identifier: ISC */

/* An agent's side: how it is, who else is there, what channels there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "seat.h"

static struct agent	*scout, *scribe;

static void
setup(void)
{
	space_setup();
	scout = agent_make(sp, "scout", NULL);
	scribe = agent_make(sp, "scribe", NULL);
}

static void
teardown(void)
{
	agent_free(scout);
	agent_free(scribe);
	space_teardown();
}

static char *
presence_text(const struct agent *a)
{
	cJSON	*o = record_get(sp, BUCKET_PRESENCE, a->id, NULL);
	char	*text = json_print(o);

	ck_assert_ptr_nonnull(o);
	cJSON_Delete(o);
	return text;
}

static void
check_record(const struct agent *a, const char *what, bool is)
{
	char	*text = presence_text(a);

	ck_assert_msg((strstr(text, what) != NULL) == is, "%s: %s in %s",
	    a->name, what, text);
	free(text);
}

static uint64_t
presence_rev(const struct agent *a)
{
	uint64_t	seq = 0;

	cJSON_Delete(record_get(sp, BUCKET_PRESENCE, a->id, &seq));
	return seq;
}

START_TEST(each_sees_how_the_other_is)
{
	struct seat		a = { .ups = 0 }, b = { .ups = 0 };
	struct endpoint_conf	c = { .description = "looks around",
				    .model = "m1", .role = "crow" };
	struct strlist		tags = { .n = 0 };
	const struct peer	*p;
	cJSON			*modes = cJSON_CreateObject();

	ck_assert(strlist_add(&tags, "fast"));
	c.tags = &tags;
	seat_up(&b, scribe, ENDPOINT_PRESENCE | ENDPOINT_ROSTER);
	seat_new(&a, scout, &c, ENDPOINT_PRESENCE);
	TURN_UNTIL(strcmp(b.peers, " +scout") == 0, &a, &b);
	p = roster_find(endpoint_roster(b.ep), scout->id);
	ck_assert_str_eq(p->presence.model, "m1");
	ck_assert_str_eq(p->presence.role, "crow");
	ck_assert_str_eq(p->presence.description, "looks around");
	ck_assert_str_eq(p->presence.tags.v[0], "fast");
	/* Heartbeats, and what is set to what it was, are no change. */
	endpoint_set_status(a.ep, STATUS_IDLE, NULL);
	endpoint_set_model(a.ep, "m1");
	TURN_FOR(2500, &a, &b);
	ck_assert_str_eq(b.peers, " +scout");
	endpoint_set_status(a.ep, STATUS_WORKING, "digging");
	TURN_UNTIL(strcmp(b.peers, " +scout ~scout") == 0, &a, &b);
	p = roster_find(endpoint_roster(b.ep), scout->id);
	ck_assert_str_eq(p->presence.activity, "digging");
	endpoint_set_attention(a.ep, "focus");
	TURN_UNTIL(strcmp(b.peers, " +scout ~scout ~scout") == 0, &a, &b);
	ck_assert(json_set_str(modes, "general", "quiet"));
	endpoint_set_modes(a.ep, modes);
	TURN_UNTIL(strcmp(b.peers, " +scout ~scout ~scout ~scout") == 0, &a,
	    &b);
	check_record(scout, "\"channelModes\":{\"general\":\"quiet\"}", true);
	check_record(scout, "\"attention\":\"focus\"", true);
	b.peers[0] = '\0';
	endpoint_leave_mesh(a.ep, 2000);
	check_record(scout, "\"status\":\"offline\"", true);
	check_record(scout, "attention", false);
	check_record(scout, "channelModes", false);
	check_record(scout, "\"model\":\"m1\"", true);
	TURN_UNTIL(strcmp(b.peers, " -scout") == 0, &b);
	p = roster_find(endpoint_roster(b.ep), scout->id);
	ck_assert_ptr_null(p->presence.modes);
	seat_free(&a);
	seat_free(&b);
	cJSON_Delete(modes);
	strlist_free(&tags);
}
END_TEST

START_TEST(many_changes_are_written_once)
{
	struct seat	s = { .ups = 0 };
	uint64_t	rev, now;

	seat_up(&s, scout, ENDPOINT_PRESENCE);
	rev = presence_rev(scout);
	endpoint_set_status(s.ep, STATUS_WAITING, "for you");
	endpoint_set_attention(s.ep, "dnd");
	endpoint_set_model(s.ep, "m2");
	TURN_UNTIL((now = presence_rev(scout)) > rev, &s);
	ck_assert_uint_eq(now, rev + 1);
	check_record(scout, "\"waiting\"", true);
	check_record(scout, "for you", true);
	check_record(scout, "dnd", true);
	check_record(scout, "m2", true);
	seat_free(&s);
}
END_TEST

START_TEST(one_that_falls_silent_has_gone_once)
{
	struct seat		 a = { .ups = 0 }, b = { .ups = 0 };
	const struct peer	*p;
	int64_t			 began;

	seat_up(&b, scribe, ENDPOINT_ROSTER);
	seat_up(&a, scout, ENDPOINT_PRESENCE);
	/* One record that replaces another may be all that is seen. */
	TURN_UNTIL(strcmp(b.peers, " +scout") == 0, &a, &b);
	endpoint_set_attention(a.ep, "focus");
	TURN_UNTIL(strcmp(b.peers, " +scout ~scout") == 0, &a, &b);
	b.peers[0] = '\0';
	seat_free(&a);				/* as a crash: no good-bye */
	check_record(scout, "\"status\":\"idle\"", true);
	began = test_now_ms();
	TURN_UNTIL(b.peers[0] != '\0', &b);
	ck_assert_str_eq(b.peers, " -scout");
	ck_assert_int_ge(test_now_ms() - began, 3000);
	p = roster_find(endpoint_roster(b.ep), scout->id);
	ck_assert(!peer_is_live(p));
	ck_assert_ptr_null(p->presence.attention);
	/* Whoever comes later is not told that it came. */
	seat_free(&b);
	b.peers[0] = '\0';
	seat_up(&b, scribe, ENDPOINT_ROSTER);
	TURN_FOR(700, &b);
	ck_assert_str_eq(b.peers, "");
	seat_up(&a, scout, ENDPOINT_PRESENCE);
	TURN_UNTIL(strcmp(b.peers, " +scout") == 0, &a, &b);
	seat_free(&a);
	seat_free(&b);
}
END_TEST

START_TEST(the_registry_is_followed)
{
	struct seat	s = { .ups = 0 };

	record_put(sp, BUCKET_CHANNELS, "slow", "{\"deliveryClass\":\"live\"}");
	seat_up(&s, scout, ENDPOINT_REGISTRY);
	ck_assert_int_eq(channels_class(endpoint_registry(s.ep), "slow"),
	    CLASS_LIVE);
	ck_assert_int_eq(channels_class(endpoint_registry(s.ep), "new"),
	    CLASS_DURABLE);
	record_put(sp, BUCKET_CHANNELS, "new", "{\"deliveryClass\":\"live\"}");
	TURN_UNTIL(channels_class(endpoint_registry(s.ep), "new") ==
	    CLASS_LIVE, &s);
	endpoint_reconnect(s.ep);
	TURN_UNTIL(s.ups == 2, &s);
	ck_assert_int_eq(channels_class(endpoint_registry(s.ep), "new"),
	    CLASS_LIVE);
	seat_free(&s);
}
END_TEST

/* It was there until it was told that it may not hear all of it. */
START_TEST(a_listener_that_is_refused_says_good_bye)
{
	char	 out[512];
	cJSON	*o;

	ck_assert_int_eq(reeve(sp, out, sizeof(out), "listen --as scout "
	    "--channel general,secret"), EX_NOPERM);
	ck_assert_ptr_nonnull(strstr(out, "may not hear \"secret\""));
	o = record_get(sp, BUCKET_PRESENCE, scout->id, NULL);
	ck_assert_str_eq(cJSON_GetStringValue(json_get(o, "status")),
	    "offline");
	cJSON_Delete(o);
}
END_TEST

static TCase *
with_agents(const char *name)
{
	TCase	*t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	return t;
}

int
main(void)
{
	TCase	*presence = with_agents("presence");

	tcase_add_test(presence, each_sees_how_the_other_is);
	tcase_add_test(presence, many_changes_are_written_once);
	tcase_add_test(presence, one_that_falls_silent_has_gone_once);
	tcase_add_test(presence, the_registry_is_followed);
	tcase_add_test(presence, a_listener_that_is_refused_says_good_bye);
	return test_main("endpoint_presence", presence, NULL);
}
