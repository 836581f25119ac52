/* SPDX-License-Identifier: ISC */

/* An agent joins and leaves channels, by itself and when it is told to. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "party.h"

#define HEARS	(ENDPOINT_REGISTRY | ENDPOINT_LIVE | ENDPOINT_DURABLES | \
		    ENDPOINT_BACKFILL | ENDPOINT_MEMBER)

static struct agent	*scribe, *scout;

static void
setup(void)
{
	space_setup();
	scribe = agent_make(sp, "scribe", "--allow-subscribe general,review "
	    "--allow-publish general,review,other");
	scout = agent_make(sp, "scout", "--allow-subscribe general,review");
}

static void
end(struct party *p)
{
	party_leave(p);
	agent_free(scout);
	agent_free(scribe);
}

static bool
is_member(const char *channel)
{
	cJSON	*o = member_get(sp, channel, scout->id);
	bool	 is = o != NULL && cJSON_IsTrue(json_get(o, "activated")) &&
		    json_get(o, "leaveCursor") == NULL;

	cJSON_Delete(o);
	return is;
}

/* From the next connection on it may read these only. */
static void
narrow(char *const *channels, size_t n)
{
	struct scope	 scope = { .subscribe = channels, .n_subscribe = n,
			    .allow_subscribe = channels,
			    .n_allow_subscribe = n };
	struct creds	 narrower = { .jwt = NULL };
	struct error	 e;

	narrower.key = scout->creds.key;
	OK(trust_mint(&sp->trust, PROFILE_AGENT, &scope, 0, &narrower, &e),
	    e);
	free(scout->creds.jwt);
	scout->creds.jwt = narrower.jwt;
}

/* --- joining and leaving -------------------------------------------------------- */

START_TEST(joins_and_leaves)
{
	struct party	*p;

	agent_post(scribe, "review", "before");
	p = party_make(scout, HEARS, NULL);
	ck_assert(!endpoint_hears(p->ep, "review"));
	party_join(p, "review");
	ck_assert_msg(p->why.code == 0, "%s", p->why.text);
	ck_assert(p->joined.durable && !p->joined.was);
	ck_assert_str_eq(p->joined.reason, "");
	ck_assert_uint_eq(p->joined.backfilled, 1);
	ck_assert(party_find(p, "before")->historical);
	ck_assert(endpoint_hears(p->ep, "review"));
	ck_assert(party_channel(p, "review").member);
	ck_assert(is_member("review"));
	agent_post(scribe, "review", "after");
	PARTY_AWAIT(p, party_got(p, "after") == 1);
	ck_assert(!party_find(p, "after")->historical);
	party_join(p, "review");
	ck_assert(p->why.code == 0 && p->joined.was && p->joined.durable);
	party_quit(p, "review");
	ck_assert_msg(p->why.code == 0, "%s", p->why.text);
	ck_assert(!is_member("review"));
	ck_assert_ptr_null(party_channel(p, "review").channel);
	agent_post(scribe, "review", "unheard");
	await_drained(sp);
	party_idle(p, 50);
	ck_assert_uint_eq(p->n, 2);
	party_quit(p, "review");
	ck_assert(p->why.code == 0);
	end(p);
}
END_TEST

START_TEST(outside_of_what_it_may)
{
	struct party	*p = party_make(scout, HEARS, "general,other");
	struct error	 e;

	/* A boot channel, and one that is asked for. */
	ck_assert_uint_eq(p->refused.n, 1);
	ck_assert_str_eq(p->refused.v[0], "other");
	ck_assert(endpoint_hears(p->ep, "general"));
	ck_assert(!endpoint_hears(p->ep, "other"));
	party_join(p, "secret");
	ck_assert_int_eq(p->why.code, EX_NOPERM);
	ck_assert(!endpoint_hears(p->ep, "secret"));
	ck_assert_ptr_null(party_channel(p, "secret").channel);
	ck_assert_int_eq(endpoint_join(p->ep, "a..b", party_on_joined, p, &e),
	    -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_uint_eq(p->refused.n, 1);
	end(p);
}
END_TEST

/* A pattern is joined, too, and has no durable part; what it hears as well as
 * a channel of its own is one message. */
START_TEST(patterns)
{
	struct agent	*wide = agent_make(sp, "wide", "--allow-subscribe "
			    "'general,team.>' --allow-publish 'team.>'");
	struct agent	*other = agent_make(sp, "other", "--allow-subscribe "
			    "general --allow-publish 'team.>'");
	struct party	*p;

	agent_post(other, "team.a", "before a");
	agent_post(wide, "team.a", "its own");
	agent_post(other, "team.b.c", "before b");
	p = party_make(wide, HEARS, NULL);
	party_join(p, "team.>");
	ck_assert_msg(p->why.code == 0, "%s", p->why.text);
	ck_assert(!p->joined.durable);
	ck_assert_str_eq(p->joined.reason, "");
	ck_assert_uint_eq(p->joined.backfilled, 2);
	ck_assert(endpoint_hears(p->ep, "team.x"));
	ck_assert(!endpoint_hears(p->ep, "team"));
	party_join(p, "team.a");
	ck_assert(p->why.code == 0 && p->joined.durable);
	ck_assert_uint_eq(p->joined.backfilled, 0);
	agent_post(other, "team.a", "after a");
	agent_post(wide, "team.a", "its own again");
	agent_post(other, "team.d", "after d");
	PARTY_AWAIT(p, party_got(p, "after d") == 1);
	await_drained(sp);
	party_idle(p, 100);
	ck_assert_uint_eq(p->n, 4);
	party_quit(p, "team.>");
	ck_assert(p->why.code == 0);
	agent_post(other, "team.d", "unheard");
	agent_post(other, "team.a", "heard");
	PARTY_AWAIT(p, party_got(p, "heard") == 1);
	ck_assert_uint_eq(p->n, 5);
	agent_free(wide);
	agent_free(other);
	end(p);
}
END_TEST

/* What is asked for at once is done one after the other. */
START_TEST(asked_for_at_once)
{
	struct party	*p = party_make(scout, HEARS, NULL);
	struct error	 e;

	OK(endpoint_join(p->ep, "review", party_on_joined, p, &e), e);
	OK(endpoint_leave(p->ep, "review", party_on_done, p, &e), e);
	OK(endpoint_join(p->ep, "review", party_on_joined, p, &e), e);
	OK(endpoint_join(p->ep, "general", party_on_joined, p, &e), e);
	PARTY_AWAIT(p, p->done == 4);
	ck_assert_msg(p->why.code == 0, "%s", p->why.text);
	ck_assert(party_channel(p, "review").member);
	ck_assert(party_channel(p, "general").member);
	ck_assert(is_member("review") && is_member("general"));
	OK(endpoint_leave(p->ep, "review", party_on_done, p, &e), e);
	OK(endpoint_join(p->ep, "review", party_on_joined, p, &e), e);
	OK(endpoint_leave(p->ep, "review", party_on_done, p, &e), e);
	PARTY_AWAIT(p, p->done == 7);
	ck_assert(p->why.code == 0 && !is_member("review"));
	ck_assert(!endpoint_hears(p->ep, "review"));
	end(p);
}
END_TEST

START_TEST(while_the_link_is_lost)
{
	struct party	*p = party_make(scout, HEARS, "general");
	struct error	 e;

	PARTY_AWAIT(p, party_channel(p, "general").member);
	/* Not heard yet: it fails, and nothing is left of it. */
	OK(endpoint_join(p->ep, "review", party_on_joined, p, &e), e);
	endpoint_turn(p->ep, NULL, 0, 0);
	endpoint_reconnect(p->ep);
	ck_assert_uint_eq(p->done, 1);
	ck_assert_int_eq(p->why.code, EX_TEMPFAIL);
	ck_assert_int_eq(endpoint_join(p->ep, "review", NULL, NULL, &e), -1);
	ck_assert_int_eq(e.code, EX_TEMPFAIL);
	PARTY_AWAIT(p, p->ups == 2);
	ck_assert(!endpoint_hears(p->ep, "review"));
	ck_assert(party_channel(p, "general").member);
	/* A leave that may have been done, or not: still joined. */
	role_signal(sp, "control", SIGSTOP);
	OK(endpoint_leave(p->ep, "general", party_on_done, p, &e), e);
	endpoint_turn(p->ep, NULL, 0, 0);
	endpoint_reconnect(p->ep);
	role_signal(sp, "control", SIGCONT);
	ck_assert_uint_eq(p->done, 2);
	ck_assert_int_eq(p->why.code, EX_TEMPFAIL);
	PARTY_AWAIT(p, p->ups == 3);
	ck_assert(endpoint_hears(p->ep, "general"));
	PARTY_AWAIT(p, !party_channel(p, "general").joining);
	ck_assert(is_member("general"));
	/* What is joined is heard again, and read only once. */
	agent_post(scribe, "general", "heard");
	PARTY_AWAIT(p, party_got(p, "heard") == 1);
	endpoint_reconnect(p->ep);
	PARTY_AWAIT(p, p->ups == 4);
	agent_post(scribe, "general", "again");
	PARTY_AWAIT(p, party_got(p, "again") == 1);
	ck_assert_uint_eq(p->n, 2);
	end(p);
}
END_TEST

/* --- without durable delivery ------------------------------------------------------- */

START_TEST(without_control)
{
	struct party	*p;

	role_down(sp, "control");
	p = party_make(scout, HEARS, "general");
	PARTY_AWAIT(p, party_noted(p, "general: joined live, not durably"));
	ck_assert(party_channel(p, "general").joining);
	party_join(p, "review");
	ck_assert(p->why.code == 0 && !p->joined.durable);
	ck_assert_ptr_nonnull(strstr(p->joined.reason,
	    "no durable delivery"));
	agent_post(scribe, "review", "live");
	PARTY_AWAIT(p, party_got(p, "live") == 1);
	/* No membership is known of, and nobody keeps any. */
	party_quit(p, "review");
	ck_assert_msg(p->why.code == 0, "%s", p->why.text);
	role_up(sp, "control");
	PARTY_AWAIT(p, party_channel(p, "general").member);
	ck_assert(!party_channel(p, "general").joining);
	ck_assert(is_member("general"));
	/* It is known, and cannot be closed. */
	role_down(sp, "control");
	party_quit(p, "general");
	ck_assert_int_eq(p->why.code, EX_UNAVAILABLE);
	ck_assert(endpoint_hears(p->ep, "general"));
	agent_post(scribe, "general", "still");
	PARTY_AWAIT(p, party_got(p, "still") == 1);
	role_up(sp, "control");
	party_quit(p, "general");
	ck_assert(p->why.code == 0 && !is_member("general"));
	end(p);
}
END_TEST

/* It is heard when the link is lost, and not yet a member. */
START_TEST(lost_while_it_becomes_a_member)
{
	struct party	*p = party_make(scout, HEARS, NULL);
	pid_t		 control = role_pid(sp, "control");
	struct error	 e;

	ck_assert(control > 1 && kill(control, SIGSTOP) == 0);
	OK(endpoint_join(p->ep, "review", party_on_joined, p, &e), e);
	PARTY_AWAIT(p, endpoint_hears(p->ep, "review"));
	party_idle(p, 100);
	ck_assert_uint_eq(p->done, 0);
	endpoint_reconnect(p->ep);
	ck_assert_uint_eq(p->done, 1);
	ck_assert(p->why.code == 0 && !p->joined.durable);
	ck_assert_ptr_nonnull(strstr(p->joined.reason, "lost"));
	ck_assert(party_channel(p, "review").joining);
	ck_assert(kill(control, SIGCONT) == 0);
	PARTY_AWAIT(p, p->ups == 2 && party_channel(p, "review").member);
	ck_assert(is_member("review"));
	agent_post(scribe, "review", "heard");
	PARTY_AWAIT(p, party_got(p, "heard") == 1);
	end(p);
}
END_TEST

START_TEST(refused_late)
{
	static char	 general[] = "general";
	char		*only[] = { general };
	struct party	*p = party_make(scout, HEARS, "general,review");

	PARTY_AWAIT(p, party_channel(p, "review").member &&
	    party_channel(p, "general").member);
	narrow(only, 1);
	role_down(sp, "control");
	endpoint_reconnect(p->ep);
	PARTY_AWAIT(p, p->refused.n == 1);
	ck_assert_str_eq(p->refused.v[0], "review");
	ck_assert(!endpoint_hears(p->ep, "review"));
	PARTY_AWAIT(p, p->ups == 2);
	party_idle(p, 100);
	ck_assert(party_channel(p, "review").unclosed);
	ck_assert(!party_channel(p, "review").joined);
	/* What is pending survives a reconnect. */
	endpoint_reconnect(p->ep);
	PARTY_AWAIT(p, p->ups == 3);
	ck_assert(party_channel(p, "review").unclosed);
	ck_assert(is_member("review"));
	role_up(sp, "control");
	PARTY_AWAIT(p, party_channel(p, "review").channel == NULL);
	ck_assert(!is_member("review"));
	ck_assert(is_member("general"));
	end(p);
}
END_TEST

/* The broker is killed in between, and so are the links: as a member it gets
 * each message, live or from what is kept, and none twice. */
START_TEST(killed_brokers)
{
	struct party	*p = party_make(scout, HEARS, "general");
	char		 text[32];
	unsigned	 i;

	PARTY_AWAIT(p, party_channel(p, "general").member);
	for (i = 0; i < 60; i++) {
		if (i == 20 || i == 40) {
			p->hold = i == 20;
			broker_restart(sp, i == 20 ? SIGKILL : SIGTERM);
			endpoint_turn(p->ep, NULL, 0, 0);
		}
		snprintf(text, sizeof(text), "m%u", i);
		agent_post(scribe, "general", text);
		endpoint_turn(p->ep, NULL, 0, 2);
	}
	PARTY_AWAIT(p, endpoint_is_up(p->ep) && p->ups > 1);
	for (i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "m%u", i);
		PARTY_AWAIT(p, party_got(p, text) == 1);
		if (party_find(p, text)->d != NULL)
			party_settle(p, text, SETTLE_DONE);
	}
	await_drained(sp);
	PARTY_AWAIT(p, stream_messages(sp, STREAM_DLV) >= 60);
	party_idle(p, 200);
	ck_assert_uint_eq(p->n, 60);
	end(p);
}
END_TEST

int
main(void)
{
	TCase	*joins = test_case("joins", setup, 60);
	TCase	*away = test_case("away", setup, 60);

	setvbuf(stdout, NULL, _IOLBF, 0);
	tcase_add_test(joins, joins_and_leaves);
	tcase_add_test(joins, outside_of_what_it_may);
	tcase_add_test(joins, patterns);
	tcase_add_test(joins, asked_for_at_once);
	tcase_add_test(joins, while_the_link_is_lost);
	tcase_add_test(away, without_control);
	tcase_add_test(away, lost_while_it_becomes_a_member);
	tcase_add_test(away, refused_late);
	tcase_add_test(away, killed_brokers);
	return test_main("joins", joins, away, NULL);
}
