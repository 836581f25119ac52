/* SPDX-License-Identifier: ISC */

/* An agent reads what was said before it came, and how its channels are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "party.h"
#include "proxy.h"
#include "seat.h"

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

/* --- what was said before -------------------------------------------------------------- */

#define SAID	1500

struct speaker {
	struct bus	*bus;
	unsigned	 open, said;
};

static void
on_said(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct speaker	*s = arg;

	ck_assert(outcome == BUS_OK);
	ck_assert(js_ack_parse(reply, NULL, NULL, NULL) == 0);
	s->open--;
}

/* A few more, of as many channels' history as there is. */
static void
say_some(struct speaker *s)
{
	struct message_draft	 d = { .ts_ms = 1, .space = "t",
				    .from_id = scribe->id,
				    .from_name = "scribe",
				    .channel = "review" };
	char			 subject[SUBJECT_MAX], text[32], *body;
	struct bus_pub		 p = { .subject = subject };
	struct error		 e;

	subject_chat(subject, sizeof(subject), "t", scribe->id, "review");
	for (; s->open < 20 && s->said < SAID; s->said++, s->open++) {
		snprintf(text, sizeof(text), "m%u", s->said);
		d.id = d.text = p.msg_id = text;
		ck_assert((body = message_write(&d)) != NULL);
		p.data = body;
		p.len = strlen(body);
		OK(bus_request(s->bus, &p, 5000, on_said, s, &e), e);
		free(body);
	}
	bus_turn(s->bus, NULL, 0, 0);
}

/* It joins while there is much talk: nothing twice, and nothing missed. */
START_TEST(joined_under_load)
{
	struct party	*p = party_make(scout, HEARS, NULL);
	struct speaker	 s = { .bus = scribe->bus };
	struct error	 e;
	unsigned	 i, historical = 0, first = SAID, n;
	char		*was = calloc(SAID, 1);
	int64_t		 until = clock_ms() + AWAIT_MS;

	ck_assert(was != NULL);
	while (s.said < 300)
		say_some(&s);
	OK(endpoint_join(p->ep, "review", party_on_joined, p, &e), e);
	while (s.said < SAID || s.open > 0 || p->done == 0) {
		ck_assert(clock_ms() < until);
		/* What was said before it joined is not to be dropped yet. */
		if (s.said < 900 || p->done > 0)
			say_some(&s);
		else
			bus_turn(s.bus, NULL, 0, 0);
		endpoint_turn(p->ep, NULL, 0, 0);
	}
	ck_assert_msg(p->why.code == 0, "%s", p->why.text);
	await_drained(sp);
	PARTY_AWAIT(p, p->n >= SAID - 500 && party_got(p, "m1499") == 1);
	party_idle(p, 100);
	for (i = 0; i < p->n; i++) {
		n = (unsigned)strtoul(p->heard[i].text + 1, NULL, 10);
		ck_assert(n < SAID && was[n] == 0);
		was[n] = 1;
		first = n < first ? n : first;
		historical += p->heard[i].historical;
	}
	/* The oldest may have been dropped before they were read. */
	for (i = first; i < SAID; i++)
		ck_assert_msg(was[i], "m%u of %u is missing", i, SAID);
	ck_assert_uint_gt(historical, 0);
	printf("%u historical of %zu, from m%u\n", historical, p->n, first);
	free(was);
	end(p);
}
END_TEST

static void
configure(const char *channel, const char *text)
{
	record_put(sp, BUCKET_CHANNELS, channel, text);
}

START_TEST(boot_backfill)
{
	struct party	*p;

	configure("review", "{\"replay\":false,\"deliveryClass\":\"live\"}");
	agent_post(scribe, "general", "old");
	agent_post(scribe, "review", "not replayed");
	p = party_make(scout, HEARS, "general,review");
	ck_assert_uint_eq(p->n, 1);
	ck_assert(p->heard[0].historical);
	ck_assert_str_eq(p->heard[0].text, "old");
	ck_assert_uint_eq(p->heard[0].seq, 1);
	PARTY_AWAIT(p, party_channel(p, "general").member);
	PARTY_AWAIT(p, !party_channel(p, "review").joining);
	ck_assert(!party_channel(p, "review").member);
	ck_assert(!is_member("review"));
	party_quit(p, "general");
	configure("general", "{\"replayWindow\":\"1s\"}");
	party_idle(p, 1100);
	agent_post(scribe, "general", "young");
	party_join(p, "general");
	ck_assert_uint_eq(p->joined.backfilled, 1);
	ck_assert_uint_eq(party_got(p, "young"), 1);
	end(p);
}
END_TEST

/* --- history ----------------------------------------------------------------------------- */

struct story {
	size_t			n;
	uint64_t		first, last;
	char			text[64];	/* the last one's */
	bool			done;
	struct endpoint_told	told;
	struct error		why;
};

static void
on_line(void *arg, const struct endpoint_said *said)
{
	struct story	*s = arg;
	char		*text = message_text(said->m);

	ck_assert_uint_gt(said->seq, s->last);
	ck_assert_int_gt(said->stored_ms, 0);
	if (s->n++ == 0)
		s->first = said->seq;
	s->last = said->seq;
	snprintf(s->text, sizeof(s->text), "%s", text);
	free(text);
}

static void
on_end(void *arg, const struct endpoint_told *told, const struct error *e)
{
	struct story	*s = arg;

	ck_assert(!s->done);
	s->done = true;
	if (told != NULL)
		s->told = *told;
	if (e != NULL)
		s->why = *e;
}

static void
read_story(struct party *p, struct story *s, const char *channel,
    struct endpoint_history want)
{
	struct error	e;

	memset(s, 0, sizeof(*s));
	OK(endpoint_read(p->ep, channel, &want, on_line, on_end, s, &e), e);
}

#define READ(p, s, channel, ...)					\
	do {								\
		read_story(p, s, channel,				\
		    (struct endpoint_history){ __VA_ARGS__ });		\
		PARTY_AWAIT(p, (s)->done);				\
		ck_assert_msg((s)->why.code == 0, "%s", (s)->why.text);	\
		ck_assert_uint_eq((s)->told.given, (s)->n);		\
	} while (0)

static void
on_seq(void *arg, uint64_t seq, const struct error *e)
{
	ck_assert(e == NULL);
	*(uint64_t *)arg = seq + 1;
}

START_TEST(history)
{
	struct party	*p = party_make(scout, 0, NULL);
	struct story	 s, t;
	uint64_t	 newest = 0;
	struct error	 e;
	int64_t		 since;
	char		 subject[SUBJECT_MAX];

	READ(p, &s, "general", .limit = 10);
	ck_assert(s.n == 0 && !s.told.dropped);
	agent_post_many(scribe, "general", "m", 1000);
	READ(p, &s, "general", .limit = 0);
	ck_assert(s.n == 1000 && !s.told.dropped);
	agent_post_many(scribe, "general", "n", 20);
	/* 21 to 1020 are left. */
	READ(p, &s, "general", .limit = 0);
	ck_assert(s.n == 1000 && s.first == 21 && s.told.dropped);
	READ(p, &s, "general", .after_seq = 20);
	ck_assert(s.n == 1000 && !s.told.dropped);
	READ(p, &s, "general", .after_seq = 19);
	ck_assert(s.n == 1000 && s.told.dropped);
	READ(p, &s, "general", .after_seq = 1000);
	ck_assert(s.n == 20 && !s.told.dropped);
	ck_assert_str_eq(s.text, "n19");
	READ(p, &s, "general", .limit = 50);
	ck_assert(s.n == 50 && s.first == 971 && !s.told.dropped);
	ck_assert_uint_eq(s.told.older, 950);
	/* A message is more than 100 bytes, and less than 500. */
	READ(p, &s, "general", .limit = 50, .max_bytes = 2500);
	ck_assert(s.n >= 5 && s.n < 25 && s.last == 1020);
	ck_assert_uint_eq(s.told.older, 1000 - s.n);
	READ(p, &s, "general", .limit = 50, .max_bytes = 1);
	ck_assert(s.n == 1 && s.first == 1020);
	READ(p, &s, "general", .limit = 50, .up_to_seq = 100);
	ck_assert(s.n == 50 && s.first == 51 && s.last == 100);
	ck_assert(!s.told.dropped);
	READ(p, &s, "general", .after_seq = 5, .up_to_seq = 10);
	ck_assert(s.n == 0 && s.told.dropped);
	READ(p, &s, "general", .after_seq = 5000);
	ck_assert(s.n == 0 && !s.told.dropped);
	/* Another's is not at its cap; a pattern has both. */
	party_idle(p, 20);
	since = clock_epoch_ms();
	party_idle(p, 20);
	agent_post(scribe, "review", "one");
	READ(p, &s, "review", .limit = 0);
	ck_assert(s.n == 1 && !s.told.dropped);
	READ(p, &s, "general", .since_ms = since);
	ck_assert_uint_eq(s.n, 0);
	READ(p, &s, "review", .since_ms = since);
	ck_assert_uint_eq(s.n, 1);
	/* What is none is left out, and counted. */
	subject_chat(subject, sizeof(subject), "t", scribe->id, "review");
	raw_store(sp, subject, NULL, "nonsense");
	READ(p, &s, "review", .limit = 0);
	ck_assert(s.n == 1 && s.told.bad == 1);
	/* Two at once wait for each other. */
	read_story(p, &s, "general", (struct endpoint_history){ .limit = 5 });
	read_story(p, &t, "review", (struct endpoint_history){ .limit = 5 });
	PARTY_AWAIT(p, s.done && t.done);
	ck_assert(s.n == 5 && t.n == 1);
	read_story(p, &s, "secret", (struct endpoint_history){ .limit = 5 });
	PARTY_AWAIT(p, s.done);
	ck_assert_int_eq(s.why.code, EX_NOPERM);
	OK(endpoint_frontier(p->ep, on_seq, &newest, &e), e);
	PARTY_AWAIT(p, newest != 0);
	ck_assert_uint_eq(newest, 1023);
	/* One that is under way when the link is lost. */
	read_story(p, &s, "general", (struct endpoint_history){ .limit = 5 });
	endpoint_turn(p->ep, NULL, 0, 0);
	read_story(p, &t, "general", (struct endpoint_history){ .limit = 5 });
	endpoint_reconnect(p->ep);
	ck_assert(s.done && t.done);
	ck_assert_int_eq(s.why.code, EX_TEMPFAIL);
	PARTY_AWAIT(p, p->ups == 2);
	READ(p, &s, "general", .limit = 5);
	ck_assert_uint_eq(s.n, 5);
	end(p);
}
END_TEST

/* --- a broker that stalls -------------------------------------------------------------------- */

#define LONG		600
#define LONG_BYTES	8000
#define STALL_MS	2200	/* then it is asked anew */

/* What was on its way when it was given up is not left out. */
START_TEST(read_through_a_stall)
{
	struct seat		 s = { .ups = 0 };
	struct endpoint_conf	 c = { .space = NULL };
	struct endpoint_history	 want = { .limit = 0 };
	struct story		 story = { .n = 0 };
	struct proxy		 proxy;
	struct error		 e;
	char			 url[64], text[LONG_BYTES + 1];

	memset(text, 'x', LONG_BYTES);
	text[LONG_BYTES] = '\0';
	agent_post_many(scribe, "general", text, LONG);
	proxy_start(&proxy, sp->port);
	snprintf(url, sizeof(url), "nats://127.0.0.1:%d", proxy.port);
	c.servers = url;
	seat_new(&s, scout, &c, 0);
	TURN_UNTIL(s.ups == 1, &s);
	OK(endpoint_read(s.ep, "general", &want, on_line, on_end, &story, &e),
	    e);
	TURN_UNTIL(story.n > 0, &s);
	proxy_freeze(&proxy);
	TURN_FOR(STALL_MS, &s);
	ck_assert_uint_lt(story.n, LONG);
	proxy_thaw(&proxy);
	TURN_UNTIL(story.done, &s);
	ck_assert_uint_eq(s.downs, 0);
	ck_assert_msg(story.why.code == 0, "%s", story.why.text);
	ck_assert_uint_eq(story.n, LONG);
	ck_assert(!story.told.dropped);
	seat_free(&s);
	proxy_stop(&proxy);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

static unsigned	n_given, n_historical;

static void
on_given(void *arg, struct delivery *d)
{
	n_given++;
	n_historical += d->historical;
	endpoint_settle(((struct seat *)arg)->ep, d, SETTLE_DONE);
}

static void
on_in(void *arg, const struct endpoint_joined *joined, const struct error *e)
{
	ck_assert_ptr_nonnull(joined);
	ck_assert_msg(e == NULL, "%s", e->text);
	++*(unsigned *)arg;
}

/* The link goes while what was said before is read: the rest is by the next. */
START_TEST(joined_and_cut_off)
{
	struct seat		 s = { .ops.message = on_given };
	struct endpoint_conf	 c = { .space = NULL };
	struct proxy		 proxy;
	struct error		 e;
	unsigned		 in = 0;
	char			 url[64], text[LONG_BYTES + 1];

	memset(text, 'x', LONG_BYTES);
	text[LONG_BYTES] = '\0';
	agent_post_many(scribe, "general", text, LONG);
	proxy_start(&proxy, sp->port);
	snprintf(url, sizeof(url), "nats://127.0.0.1:%d", proxy.port);
	c.servers = url;
	seat_new(&s, scout, &c, ENDPOINT_LIVE | ENDPOINT_BACKFILL);
	TURN_UNTIL(s.ups == 1, &s);
	OK(endpoint_join(s.ep, "general", on_in, &in, &e), e);
	TURN_UNTIL(n_given > 0, &s);
	proxy_cut(&proxy);
	TURN_UNTIL(s.ups == 2, &s);
	ck_assert_uint_eq(in, 1);
	ck_assert(endpoint_hears(s.ep, "general"));
	agent_post(scribe, "general", "new");
	TURN_UNTIL(n_given > LONG, &s);
	ck_assert_uint_eq(n_given, LONG + 1);
	ck_assert_uint_eq(n_historical, LONG);
	seat_free(&s);
	proxy_stop(&proxy);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

/* --- health -------------------------------------------------------------------------------- */

struct view {
	struct party	*p;
	unsigned	 done;
	double		 general, review;
	enum health	 health[4];
};

static const char *const	names[] = { "general", "review", "team.>",
				    "other" };

static void
on_survey(void *arg, const struct endpoint_survey *survey,
    const struct error *e)
{
	struct view	*v = arg;
	const cJSON	*n;
	unsigned	 i;

	ck_assert_msg(e == NULL, "%s", e->text);
	v->done++;
	n = json_get(survey->counts, "general");
	v->general = n == NULL ? 0 : n->valuedouble;
	n = json_get(survey->counts, "review");
	v->review = n == NULL ? 0 : n->valuedouble;
	for (i = 0; i < 4; i++)
		v->health[i] = endpoint_health(v->p->ep, names[i], survey);
}

static void
look(struct view *v)
{
	unsigned	done = v->done;
	struct error	e;

	OK(endpoint_survey(v->p->ep, on_survey, v, &e), e);
	PARTY_AWAIT(v->p, v->done == done + 1);
}

START_TEST(health)
{
	struct view	v = { .done = 0 };

	configure("review", "{\"deliveryClass\":\"live\"}");
	agent_post(scribe, "general", "one");
	agent_post(scribe, "general", "two");
	agent_post(scribe, "review", "three");
	role_down(sp, "control");
	v.p = party_make(scout, HEARS, "general,review");
	look(&v);
	ck_assert(v.general == 2 && v.review == 1);
	ck_assert_int_eq(v.health[0], HEALTH_DEGRADED);
	ck_assert_int_eq(v.health[1], HEALTH_NONE);
	ck_assert_int_eq(v.health[3], HEALTH_NONE);
	ck_assert_int_eq(endpoint_health(v.p->ep, "general", NULL),
	    HEALTH_UNKNOWN);
	role_up(sp, "control");
	PARTY_AWAIT(v.p, party_channel(v.p, "general").member);
	AWAIT(lease_ready(sp));
	look(&v);
	ck_assert_int_eq(v.health[0], HEALTH_ACTIVE);
	/* Its keeper would write another. */
	role_down(sp, "lease");
	record_put(sp, BUCKET_DELIVERY, "lease.0", "{\"ready\":false}");
	look(&v);
	ck_assert_int_eq(v.health[0], HEALTH_DEGRADED);
	end(v.p);
}
END_TEST

int
main(void)
{
	TCase	*said = test_case("said", setup, 60);

	setvbuf(stdout, NULL, _IOLBF, 0);
	tcase_add_test(said, joined_under_load);
	tcase_add_test(said, boot_backfill);
	tcase_add_test(said, history);
	tcase_add_test(said, read_through_a_stall);
	tcase_add_test(said, joined_and_cut_off);
	tcase_add_test(said, health);
	return test_main("history", said, NULL);
}
