/* SPDX-License-Identifier: ISC */

/*
 * The number of shards of a running space is changed, under load, while
 * agents join and leave, and with the command killed at each of its steps:
 * nothing is lost, doubled or out of order.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "joiner.h"

static char	out[65536];

/* --- the command, while the load goes on ------------------------------------------ */

struct command {
	pid_t	pid;
	int	fd;
	char	said[16384];
	size_t	n;
	int	status;
	bool	ended;
};

static void
command_start(struct command *c, unsigned shards)
{
	const char	*dir = getenv("REEVE_BINDIR");
	char		 path[400], text[16];
	int		 p[2];

	memset(c, 0, sizeof(*c));
	snprintf(path, sizeof(path), "%s/reeve", dir == NULL ? "." : dir);
	snprintf(text, sizeof(text), "%u", shards);
	ck_assert(pipe2(p, O_CLOEXEC) == 0);
	fflush(NULL);
	ck_assert((c->pid = fork()) != -1);
	if (c->pid == 0) {
		setenv("REEVE_STATE", sp->state, 1);
		dup2(p[1], 1);
		dup2(p[1], 2);
		execl(path, "reeve", "reshard", text, (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	c->fd = p[0];
	ck_assert(fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0);
}

/* What it has said since; true until it has ended. */
static bool
command_turn(struct command *c)
{
	ssize_t	n = read(c->fd, c->said + c->n, sizeof(c->said) - 1 - c->n);

	if (n > 0) {
		c->n += (size_t)n;
		c->said[c->n] = '\0';
	}
	if (n == 0 && !c->ended) {
		ck_assert(waitpid(c->pid, &c->status, 0) == c->pid);
		close(c->fd);
		c->ended = true;
	}
	return !c->ended;
}

struct shift {
	struct load	load;
	struct listener	*listeners[4];
	struct joiner	joiner;
};

static void
turn(struct shift *t)
{
	load_turn(&t->load);
	joiner_turn(&t->joiner);
}

static void
run_for(struct shift *t, int64_t ms)
{
	int64_t	until = clock_ms() + ms;

	while (clock_ms() < until)
		turn(t);
}

static void
finish(struct shift *t, struct command *c)
{
	int64_t	until = clock_ms() + 3 * AWAIT_MS;

	while (command_turn(c)) {
		if (clock_ms() > until)
			test_fail(__FILE__, __LINE__, c->said);
		turn(t);
	}
	if (!WIFEXITED(c->status) || WEXITSTATUS(c->status) != 0)
		log_dump(sp);
	ck_assert_msg(WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0,
	    "status %x: %s", c->status, c->said);
}

/* All of the new shards are served. */
static void
await_served(struct shift *t, unsigned shards)
{
	int64_t	until = clock_ms() + AWAIT_MS;

	ck_assert_uint_eq(space_shards(sp), shards);
	while (!lease_ready(sp)) {
		if (clock_ms() > until)
			test_fail(__FILE__, __LINE__, "all shards ready");
		turn(t);
	}
}

static void
reshard(struct shift *t, unsigned shards)
{
	struct command	c;
	int64_t		begun = clock_ms(), changed;

	command_start(&c, shards);
	finish(t, &c);
	changed = clock_ms() - begun;
	await_served(t, shards);
	printf("to %u: %lld ms, served again after %lld ms\n", shards,
	    (long long)changed, (long long)(clock_ms() - begun));
}

/* Kill it once it has said so.  False: it was quicker, and has ended. */
static bool
kill_after(struct shift *t, unsigned shards, const char *said)
{
	struct command	c;

	command_start(&c, shards);
	while (command_turn(&c) && strstr(c.said, said) == NULL)
		turn(t);
	ck_assert_msg(strstr(c.said, said) != NULL, "never said \"%s\": %s",
	    said, c.said);
	if (!c.ended)
		ck_assert(kill(c.pid, SIGKILL) == 0);
	while (command_turn(&c))
		turn(t);
	return WIFSIGNALED(c.status);
}

/* --- the load ------------------------------------------------------------------------ */

static void
shift_begin(struct shift *t)
{
	unsigned	i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	memset(t, 0, sizeof(*t));
	load_init(&t->load, sp);
	for (i = 0; i < 4; i++)
		load_sender(&t->load, "busy", 20);
	load_sender(&t->load, "quiet", 150);
	/* Of four, each shard of two has one, but once in eight. */
	for (i = 0; i < 4; i++) {
		t->listeners[i] = load_listener(&t->load, i < 3 ? "busy" :
		    "quiet");
		agent_join(t->listeners[i]->agent, i < 3 ? "busy" : "quiet");
	}
	t->listeners[3]->away = true;
	t->joiner.li = load_listener(&t->load, "busy");
	t->joiner.channel = "busy";
}

static void
shift_end(struct shift *t)
{
	unsigned	i, sent = 0;

	t->joiner.stay = true;
	while (t->joiner.stage != STAGE_OUT)
		turn(t);
	load_hush(&t->load);
	for (i = 0; i < 4; i++)
		load_check(&t->load, t->listeners[i], i < 3 ? "busy" :
		    "quiet");
	load_check_spans(&t->load, t->joiner.li, "busy", t->joiner.spans,
	    t->joiner.n, false);
	for (i = 0; i < t->load.n_senders; i++)
		sent += t->load.senders[i].n;
	printf("%u messages, %zu joins and leaves (%u tries more)\n", sent,
	    t->joiner.n * 2, t->joiner.retries);
	ck_assert_ptr_null(dead_letter(sp, 0));
	load_free(&t->load);
}

/* Nothing of another layout is left at the broker or on this host. */
static void
check_left_overs(unsigned shards)
{
	struct js_consumer	c;
	struct error		e;
	char			name[64], path[400];
	unsigned		i;

	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "fanout_%u", i);
		ck_assert_int_eq(js_consumer_info(sp->root, "CHAT_t", name,
		    &c, &e), shards > 1 && i < shards ? 0 : -1);
		if (shards > 1 && i < shards)
			js_consumer_free(&c);
		snprintf(path, sizeof(path), "%s/service/control-%u",
		    sp->state, i);
		ck_assert((access(path, F_OK) == 0) == (shards > 1 &&
		    i < shards));
	}
	ck_assert_int_eq(js_consumer_info(sp->root, "INBOX_t", "reader", &c,
	    &e), shards == 1 ? 0 : -1);
	if (shards == 1)
		js_consumer_free(&c);
}

START_TEST(changed_under_load)
{
	static const unsigned	to[] = { 2, 4, 1, 3 };
	static struct shift	t;
	unsigned		i;

	shift_begin(&t);
	for (i = 0; i < 4; i++) {
		run_for(&t, 1500);
		reshard(&t, to[i]);
		check_left_overs(to[i]);
	}
	run_for(&t, 1500);
	ck_assert(t.joiner.n > 2);
	shift_end(&t);
}
END_TEST

/* At each line that it says. */
START_TEST(killed_at_each_step)
{
	static const struct {
		unsigned	 to;
		const char	*said;
	} steps[] = {
		{ 2, "holds" }, { 4, "the place" }, { 1, "drained" },
		{ 2, "made the durable" }, { 4, "switched" },
		{ 1, "removed the service" }, { 2, "made the credential" },
		{ 4, "made the service" }, { 3, "removed the durables" } };
	static struct shift	t;
	unsigned		i, killed = 0;

	shift_begin(&t);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		run_for(&t, 500);
		printf("killed after \"%s\", to %u\n", steps[i].said,
		    steps[i].to);
		killed += kill_after(&t, steps[i].to, steps[i].said);
		run_for(&t, 300);
		reshard(&t, steps[i].to);
		check_left_overs(steps[i].to);
	}
	printf("%u were killed in time\n", killed);
	ck_assert_uint_ge(killed, 4);
	shift_end(&t);
}
END_TEST

/* --- taking it back, refusing -------------------------------------------------------- */

START_TEST(taken_back_before_the_switch)
{
	static struct shift	t;

	shift_begin(&t);
	kill_after(&t, 2, "the place");
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "reshard 3"), EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "on its way from 1 to 2"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "reshard 1"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "taken back"));
	check_left_overs(1);
	run_for(&t, 500);
	reshard(&t, 2);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "reshard 2"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "nothing to do"));
	shift_end(&t);
}
END_TEST

static bool
said(struct command *c, const char *text)
{
	(void)command_turn(c);
	return strstr(c->said, text) != NULL;
}

/* Entries that no reader has read, and messages that no fan-out has: each is
 * the old layout's to deliver. */
START_TEST(what_is_on_its_way_is_waited_for)
{
	struct agent	*scribe = agent_make(sp, "scribe",
			    "--allow-publish general");
	struct agent	*scout = agent_make(sp, "scout", NULL);
	struct command	 c;
	char		 text[32];
	unsigned	 i;

	agent_join(scout, "general");
	role_down(sp, "reader");
	agent_post_many(scribe, "general", "a", 30);
	AWAIT(stream_messages(sp, STREAM_INBOX) == 30);
	role_down(sp, "fanout");
	agent_post_many(scribe, "general", "b", 30);
	command_start(&c, 2);
	AWAIT(said(&c, "the place"));
	agent_post_many(scribe, "general", "c", 30);
	role_up(sp, "fanout");
	AWAIT(said(&c, "reader has 60 entries before it"));
	role_up(sp, "reader");
	AWAIT(!command_turn(&c));
	ck_assert_msg(WIFEXITED(c.status) && WEXITSTATUS(c.status) == 0,
	    "%s", c.said);
	agent_expect(scout, 90);
	for (i = 0; i < 90; i++) {
		snprintf(text, sizeof(text), "%c%u", "abc"[i / 30], i % 30);
		ck_assert_str_eq(scout->got[i].text, text);
	}
	agent_expect_none(scout);
	ck_assert_uint_eq(stream_messages(sp, STREAM_INBOX), 90);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

/* A join that was begun and not ended before the change is done anew for the
 * new layout: what it copied for the old one is not what counts. */
START_TEST(a_join_is_finished_after_the_change)
{
	struct agent	*scribe = agent_make(sp, "scribe",
			    "--allow-publish general");
	struct agent	*scout = agent_make(sp, "scout", NULL);
	struct command	 c;
	struct error	 e;
	cJSON		*o;

	agent_post(scribe, "general", "before");
	await_drained(sp);
	member_put(sp, "general", scout->id, "\"joinCursor\":0,"
	    "\"generation\":1,\"activated\":false");
	role_down(sp, "fanout");
	agent_post(scribe, "general", "on its way");
	command_start(&c, 2);
	AWAIT(said(&c, "the place"));
	o = agent_control(scout, "durableJoin", "{\"channel\":\"general\"}",
	    &e);
	ck_assert_msg(o != NULL, "%s", e.text);
	ck_assert(!cJSON_IsTrue(json_get(o, "ok")));
	ck_assert_ptr_nonnull(strstr(json_get(o, "error")->valuestring,
	    "try again"));
	cJSON_Delete(o);
	role_up(sp, "fanout");
	AWAIT(!command_turn(&c));
	AWAIT(lease_ready(sp));
	ck_assert_uint_eq(agent_join(scout, "general"), 1);
	agent_post(scribe, "general", "after");
	agent_expect(scout, 3);
	agent_expect_none(scout);
	ck_assert_uint_eq(agent_got(scout, "before"), 1);
	ck_assert_uint_eq(agent_got(scout, "on its way"), 1);
	ck_assert_uint_eq(agent_got(scout, "after"), 1);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

/* What cannot be drained in time stops nothing for longer. */
START_TEST(not_drained_is_taken_back)
{
	struct agent	*scribe = agent_make(sp, "scribe",
			    "--allow-publish general");
	struct agent	*scout = agent_make(sp, "scout", NULL);

	agent_join(scout, "general");
	role_down(sp, "reader");
	agent_post(scribe, "general", "one");
	AWAIT(stream_messages(sp, STREAM_INBOX) == 1);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "reshard --wait 1s 2"),
	    EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, "reader has 1 entries"));
	ck_assert_uint_eq(space_shards(sp), 1);
	check_left_overs(1);
	role_up(sp, "reader");
	agent_post(scribe, "general", "two");
	agent_expect(scout, 2);
	agent_expect_none(scout);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

START_TEST(numbers_that_are_none)
{
	ck_assert_int_eq(reeve(sp, NULL, 0, "reshard"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, NULL, 0, "reshard 0"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, NULL, 0, "reshard 65"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, NULL, 0, "reshard two"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, NULL, 0, "reshard 2 3"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "reshard 1"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "nothing to do"));
}
END_TEST

/* --- another host ----------------------------------------------------------------------- */

/* Its workers first, so that the keeper gives the lease up. */
static void
roles_down(struct space *s, const char *suffix)
{
	static const char *const	roles[] = { "fanout", "reader",
					    "control", "lease" };
	char				name[64];
	unsigned			i;

	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", roles[i], suffix);
		role_down(s, name);
	}
}

/* One that is set up for the old number refuses, says why, and lets go of
 * the lease; set up anew it serves. */
START_TEST(a_host_of_the_old_number_refuses)
{
	struct space	*b = space_join(sp);
	struct agent	*scribe, *scout;

	space_start(b);
	/* It stands by: runit tells nobody whether that is ready. */
	AWAIT(logged(b, "role=control shard=0 msg=\"paused\""));
	scribe = agent_make(sp, "scribe", "--allow-publish general");
	scout = agent_make(sp, "scout", NULL);
	agent_join(scout, "general");
	roles_down(sp, "");
	AWAIT(logged(b, "lease ready\" ready=true"));
	agent_post(scribe, "general", "one");
	agent_expect(scout, 1);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "reshard 2"), EX_OK);
	AWAIT(logged(b, "the space has 2 shards, this host is set up for 1"));
	AWAIT(logged(b, "lease released"));
	AWAIT(lease_ready(sp));
	agent_post(scribe, "general", "two");
	agent_expect(scout, 1);
	ck_assert_int_eq(reeve(b, out, sizeof(out), "init"), EX_OK);
	AWAIT(logged(b, "role=control shard=1 msg=\"paused\""));
	roles_down(sp, "-0");
	roles_down(sp, "-1");
	AWAIT(logged_times(b, "lease ready\" ready=true") == 3);
	agent_post(scribe, "general", "three");
	agent_expect(scout, 1);
	agent_expect_none(scout);
	space_stop(b);
	agent_free(scout);
	agent_free(scribe);
}
END_TEST

int
main(void)
{
	TCase	*load = test_case("load", space_setup, 200);
	TCase	*kills = test_case("kills", space_setup, 300);
	TCase	*way = test_case("way", space_setup, 120);
	TCase	*back = test_case("back", space_setup, 120);
	TCase	*hosts = test_case("hosts", space_setup_short, 120);

	tcase_add_test(load, changed_under_load);
	tcase_add_test(kills, killed_at_each_step);
	tcase_add_test(way, what_is_on_its_way_is_waited_for);
	tcase_add_test(way, a_join_is_finished_after_the_change);
	tcase_add_test(back, taken_back_before_the_switch);
	tcase_add_test(back, not_drained_is_taken_back);
	tcase_add_test(back, numbers_that_are_none);
	tcase_add_test(hosts, a_host_of_the_old_number_refuses);
	return test_main("reshard", load, kills, way, back, hosts, NULL);
}
