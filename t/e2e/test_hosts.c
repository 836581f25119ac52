/* SPDX-License-Identifier: ISC */

/* Single flight per shard: two hosts on one broker, and what may befall the
 * one that works. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "message.h"
#include "space.h"

#define TTL_MS		3000
#define LOAD_MAX	900	/* an owner's 1000 places on DLV */
#define N_ROLES		4

static const char *const roles[N_ROLES] = { "lease", "fanout", "reader",
	"control" };

/* The broker runs under sp; the roles on these. */
static struct space	*a, *b;

/* --- what the roles say of themselves --------------------------------------- */

/* A stretch of time in which a process said that it works. */
struct stretch {
	int	role, pid;
	int64_t	from_ms, to_ms;		/* epoch; to: the last word of it */
	bool	open;
};

static struct {
	struct stretch	v[400];
	unsigned	n;
	unsigned	pauses;		/* a worker was bound, then not */
} heard;

static struct stretch *
open_stretch(int role, int pid)
{
	unsigned	i;

	for (i = 0; i < heard.n; i++)
		if (heard.v[i].open && heard.v[i].role == role &&
		    heard.v[i].pid == pid)
			return &heard.v[i];
	return NULL;
}

static void
on_health(void *arg, natsMsg *m)
{
	cJSON		*o = json_parse(natsMsg_GetData(m),
			    (size_t)natsMsg_GetDataLength(m), NULL);
	struct stretch	*s;
	int		 role = 0, pid;
	int64_t		 ts;
	bool		 bound;

	(void)arg;
	ck_assert(o != NULL);
	while (role < N_ROLES && strcmp(roles[role], json_get(o,
	    "role")->valuestring) != 0)
		role++;
	ck_assert(role < N_ROLES);
	pid = (int)json_get(o, "pid")->valuedouble;
	ts = (int64_t)json_get(o, "ts")->valuedouble;
	bound = strcmp(json_get(o, "state")->valuestring, "bound") == 0;
	s = open_stretch(role, pid);
	if (s == NULL && bound) {
		ck_assert(heard.n < sizeof(heard.v) / sizeof(heard.v[0]));
		s = &heard.v[heard.n++];
		*s = (struct stretch){ role, pid, ts, ts, true };
	}
	if (s != NULL) {
		/* Word comes every second: one that was stopped in between
		 * did nothing until it woke up. */
		if (ts - s->to_ms < 1300)
			s->to_ms = ts;
		s->open = bound;
		heard.pauses += !bound && role > 0;
	}
	cJSON_Delete(o);
	natsMsg_Destroy(m);
}

/* No two workers of one role worked at the same time. */
static void
check_single_flight(void)
{
	unsigned		i, k;
	const struct stretch	*x, *y;

	for (i = 0; i < heard.n; i++)
		for (k = i + 1; k < heard.n; k++) {
			x = &heard.v[i];
			y = &heard.v[k];
			ck_assert_msg(x->role == 0 || x->role != y->role ||
			    x->to_ms <= y->from_ms || y->to_ms <= x->from_ms,
			    "%s: %d worked %lld to %lld, %d %lld to %lld",
			    roles[x->role], x->pid, (long long)x->from_ms,
			    (long long)x->to_ms, y->pid,
			    (long long)y->from_ms, (long long)y->to_ms);
		}
}

/* --- what happens to the lease ------------------------------------------------ */

static struct {
	unsigned	writes, releasing, deletes, expect_misses, not_ready;
	uint64_t	last_seq;	/* revision, by the next one's claim */
	int64_t		deleted_ms;
} lease_log;

static void
on_lease(void *arg, natsMsg *m)
{
	const char	*op = bus_header(m, "KV-Operation");
	cJSON		*o;

	(void)arg;
	if (op != NULL) {
		lease_log.deletes++;
		lease_log.deleted_ms = clock_ms();
		lease_log.expect_misses += bus_header(m,
		    "Nats-Expected-Last-Subject-Sequence") == NULL;
	} else if ((o = json_parse(natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m), NULL)) != NULL) {
		lease_log.writes++;
		lease_log.not_ready += !cJSON_IsTrue(json_get(o, "ready"));
		if (cJSON_IsTrue(json_get(o, "releasing")))
			lease_log.releasing++;
		cJSON_Delete(o);
	}
	natsMsg_Destroy(m);
}

/* Hear on, without waiting. */
static bool
hear(void)
{
	bus_turn(sp->root, NULL, 0, 0);
	return true;
}

/* --- fixtures ------------------------------------------------------------------ */

static void
only_broker(struct space *s)
{
	char	path[300];
	int	i, fd;

	for (i = 0; i < N_ROLES; i++) {
		snprintf(path, sizeof(path), "%s/service/%s/down", s->state,
		    roles[i]);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		ck_assert(fd != -1);
		close(fd);
	}
}

static bool
held_by(const struct space *s)
{
	char	 path[300], *id;
	cJSON	*o = lease_get(sp);
	bool	 is = false;

	snprintf(path, sizeof(path), "%s/host-id", s->state);
	ck_assert((id = file_read(path, 100, NULL, NULL)) != NULL);
	id[strcspn(id, "\n")] = '\0';
	if (cJSON_IsString(json_get(o, "host")))
		is = strncmp(json_get(o, "host")->valuestring, id,
		    strlen(id)) == 0;
	cJSON_Delete(o);
	free(id);
	return is;
}

static bool
works(const struct space *s)
{
	return hear() && held_by(s) && lease_ready(sp);
}

static bool
all_logged(struct space *s, const char *state, unsigned times)
{
	char	line[64];
	int	i;

	for (i = 0; i < N_ROLES; i++) {
		snprintf(line, sizeof(line), "role=%s shard=0 msg=\"%s\" ",
		    roles[i], state);
		if (logged_times(s, line) < times)
			return false;
	}
	return true;
}

/* Both hosts up, a works, b stands by. */
static void
hosts_setup(void)
{
	struct error	e;

	sp = space_make("--lease-ttl 3s");
	only_broker(sp);
	space_start(sp);
	space_connect_root(sp);
	a = space_join(sp);
	b = space_join(sp);
	ck_assert(bus_subscribe(sp->root, "cotal.t.reeve.health.>", NULL,
	    on_health, NULL, &e) != NULL);
	ck_assert(bus_subscribe(sp->root, "$KV.cotal_delivery_t.lease.0",
	    NULL, on_lease, NULL, &e) != NULL);
	space_start(a);
	AWAIT(works(a));
	space_start(b);
	AWAIT(hear() && all_logged(b, "paused", 1));
}

/* --- load ----------------------------------------------------------------------- */

/* A steady stream of messages, posted between the looks of an AWAIT. */
static struct {
	struct agent	*scribe, *scout;
	unsigned	 sent, stored;
	bool		 failed;
	int64_t		 next_ms;
} load;

static void
on_stored(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	(void)arg;
	load.stored++;
	if (outcome != BUS_OK || js_ack_parse(reply, NULL, NULL, NULL) == -1)
		load.failed = true;
}

static void
post(unsigned n)
{
	char			 subject[SUBJECT_MAX], id[40], text[32];
	struct message_draft	 d = { .id = id, .space = "t",
				    .ts_ms = clock_epoch_ms(),
				    .from_id = load.scribe->id,
				    .from_name = "scribe",
				    .channel = "general", .text = text };
	struct bus_pub		 p = { .subject = subject, .msg_id = id };
	struct error		 e;
	char			*body;

	message_new_id(id);
	snprintf(text, sizeof(text), "m%u", n);
	ck_assert((body = message_write(&d)) != NULL);
	subject_chat(subject, sizeof(subject), "t", load.scribe->id,
	    "general");
	p.data = body;
	p.len = strlen(body);
	OK(bus_request(load.scribe->bus, &p, 5000, on_stored, NULL, &e), e);
	free(body);
}

static bool
pump(void)
{
	if (clock_ms() >= load.next_ms && load.sent < LOAD_MAX) {
		load.next_ms = clock_ms() + 10;
		post(load.sent++);
	}
	bus_turn(load.scribe->bus, NULL, 0, 0);
	return hear();
}

static void
load_start(void)
{
	load.scribe = agent_make(sp, "scribe", "--allow-publish general");
	load.scout = agent_make(sp, "scout", NULL);
	agent_join(load.scout, "general");
	AWAIT(pump() && load.sent > 20);
}

/* Each was delivered, once, in order. */
static void
load_check(void)
{
	char		text[32];
	unsigned	i;

	AWAIT(pump() && load.stored > 0);
	while (load.stored < load.sent)
		bus_turn(load.scribe->bus, NULL, 0, 20);
	ck_assert(!load.failed);
	agent_expect(load.scout, load.sent);
	for (i = 0; i < load.sent; i++) {
		snprintf(text, sizeof(text), "m%u", i);
		ck_assert_str_eq(load.scout->got[i].text, text);
	}
	agent_expect_none(load.scout);
	hear();
	check_single_flight();
}

/* Go on under load for so long. */
static void
load_for(int64_t ms)
{
	int64_t	until = clock_ms() + ms;

	AWAIT(pump() && clock_ms() >= until);
}

/* --- one at a time ----------------------------------------------------------------- */

START_TEST(only_one_works)
{
	char	out[512];

	load_start();
	load_for(1500);
	ck_assert(held_by(a) && role_is_ready(a, "fanout"));
	/* to stand by, connected and up to date, is to be ready */
	ck_assert_int_eq(reeve(b, out, sizeof(out), "wait --ready all "
	    "--timeout 10s"), 0);
	ck_assert(logged(b, "held by another host"));
	ck_assert(!logged(b, "msg=\"bound\""));
	load_check();
	ck_assert(!logged(b, "msg=\"bound\""));
}
END_TEST

START_TEST(orderly_stop_hands_over_at_once)
{
	int64_t	start;
	char	releasing[] = "being released";

	load_start();
	start = clock_ms();
	space_end(a);
	AWAIT(pump() && works(b));
	ck_assert_msg(clock_ms() - start < 1000, "took %lld ms",
	    (long long)(clock_ms() - start));
	/* Said, then paused, then deleted by revision. */
	ck_assert_uint_ge(lease_log.releasing, 1);
	ck_assert_uint_eq(lease_log.deletes, 1);
	ck_assert_uint_eq(lease_log.expect_misses, 0);
	AWAIT(logged(a, "lease released"));
	ck_assert(logged(b, releasing) || logged(b, "how=\"created\""));
	space_stop(a);
	load_for(300);
	load_check();
}
END_TEST

/* The keeper of a host whose supervisor does nothing is told to stop, and two
 * of its workers: the reader was sent sig long enough ago to be silent. */
static void
stop_without_reader(int sig)
{
	pid_t	reader;

	load_start();
	reader = role_pid(a, "reader");
	space_freeze(a, true);
	ck_assert(kill(reader, sig) == 0);
	AWAIT(pump() && !lease_ready(sp));
	memset(&lease_log, 0, sizeof(lease_log));
	ck_assert(kill(role_pid(a, "fanout"), SIGTERM) == 0);
	ck_assert(kill(role_pid(a, "control"), SIGTERM) == 0);
	ck_assert(kill(role_pid(a, "lease"), SIGTERM) == 0);
	AWAIT(pump() && works(b));
	ck_assert_uint_ge(lease_log.releasing, 1);
	AWAIT(pump() && (logged(a, "lease left to expire") ||
	    logged(a, "lease released")));
	kill(reader, SIGCONT);
	load_for(500);
	check_single_flight();
	ck_assert(held_by(b));
	space_freeze(a, false);
	load_check();
}

START_TEST(silent_worker_keeps_the_lease)
{
	stop_without_reader(SIGSTOP);
	ck_assert_uint_eq(lease_log.deletes, 0);
	ck_assert(logged(a, "lease left to expire"));
}
END_TEST

START_TEST(dead_worker_does_not_keep_the_lease)
{
	stop_without_reader(SIGKILL);
	ck_assert_uint_eq(lease_log.deletes, 1);
	ck_assert(!logged(a, "lease left to expire"));
}
END_TEST

START_TEST(crash_hands_over_after_the_ttl)
{
	int64_t	start;

	load_start();
	start = clock_ms();
	space_crash(a);
	AWAIT(pump() && works(b));
	ck_assert(clock_ms() - start > TTL_MS / 2 - 100);
	ck_assert(clock_ms() - start < TTL_MS + 2000);
	load_for(300);
	load_check();
	/* Back, it stands by. */
	space_start(a);
	AWAIT(hear() && all_logged(a, "paused", 1));
	ck_assert(held_by(b));
}
END_TEST

START_TEST(stopped_keeper_loses_the_shard)
{
	pid_t	keeper;

	load_start();
	keeper = role_pid(a, "lease");
	ck_assert(kill(keeper, SIGSTOP) == 0);
	AWAIT(pump() && works(b));
	/* Its workers paused by the clock alone, before. */
	AWAIT(pump() && heard.pauses >= 3);
	ck_assert(logged(a, "not renewed in time"));
	check_single_flight();
	ck_assert(kill(keeper, SIGCONT) == 0);
	AWAIT(pump() && (logged(a, "lease taken by another host") ||
	    logged(a, "held by another host")));
	load_for(1500);
	ck_assert(held_by(b));
	ck_assert_int_eq(role_pid(a, "lease"), keeper);
	load_check();
}
END_TEST

/* A worker that hangs with its pull outstanding, its host gone. */
START_TEST(stopped_worker_pull_is_waited_for)
{
	pid_t	fanout, reader;

	load_start();
	fanout = role_pid(a, "fanout");
	reader = role_pid(a, "reader");
	ck_assert(kill(fanout, SIGSTOP) == 0 && kill(reader, SIGSTOP) == 0);
	space_freeze(a, true);
	kill(role_pid(a, "lease"), SIGKILL);
	kill(role_pid(a, "control"), SIGKILL);
	AWAIT(pump() && works(b));
	load_for(500);
	ck_assert(!logged(b, "another's pull still waits"));
	/* It wakes up with messages in hand, and has nothing to say. */
	kill(fanout, SIGCONT);
	kill(reader, SIGCONT);
	load_for(1000);
	ck_assert(held_by(b));
	space_freeze(a, false);
	load_check();
}
END_TEST

/* --- the keeper alone ----------------------------------------------------------------- */

static double
since_of(void)
{
	cJSON	*o = lease_get(sp);
	double	 since;

	ck_assert(o != NULL);
	since = json_get(o, "since")->valuedouble;
	cJSON_Delete(o);
	return since;
}

static void
check_no_gap(double since)
{
	unsigned	pauses = heard.pauses;

	load_for(TTL_MS + 500);
	ck_assert(held_by(a));
	ck_assert(since_of() == since);
	ck_assert_uint_eq(lease_log.not_ready, 0);
	ck_assert_uint_eq(lease_log.deletes, 0);
	ck_assert(logged(a, "how=\"taken over\""));
	load_check();
	ck_assert_uint_eq(heard.pauses, pauses);
}

START_TEST(killed_keeper_takes_over_its_record)
{
	double	since;

	load_start();
	since = since_of();
	memset(&lease_log, 0, sizeof(lease_log));
	role_kill(a, "lease");
	check_no_gap(since);
}
END_TEST

START_TEST(restarted_keeper_keeps_the_shard)
{
	double	since;

	load_start();
	since = since_of();
	memset(&lease_log, 0, sizeof(lease_log));
	ck_assert_int_eq(reeve(a, NULL, 0, "restart lease"), 0);
	check_no_gap(since);
}
END_TEST

/* One of its workers being down is not the host's stop. */
START_TEST(restarted_keeper_with_a_worker_down)
{
	double	since;
	int64_t	down;

	since = since_of();
	role_control(a, "control", "d");
	AWAIT(hear() && !lease_ready(sp));
	down = clock_ms();
	AWAIT(hear() && clock_ms() - down > 1200);
	memset(&lease_log, 0, sizeof(lease_log));
	ck_assert_int_eq(reeve(a, NULL, 0, "restart lease"), 0);
	AWAIT(hear() && logged(a, "how=\"taken over\""));
	ck_assert(held_by(a) && since_of() == since);
	ck_assert_uint_eq(lease_log.deletes + lease_log.releasing, 0);
}
END_TEST

START_TEST(ready_says_that_all_three_work)
{
	static const char *const	workers[] = { "fanout", "reader",
					    "control" };
	int				i;

	for (i = 0; i < 3; i++) {
		role_control(a, workers[i], "d");
		AWAIT(hear() && !lease_ready(sp));
		ck_assert(held_by(a));
		role_control(a, workers[i], "u");
		AWAIT(works(a));
	}
	/* One that hangs says nothing. */
	role_signal(a, "reader", SIGSTOP);
	AWAIT(hear() && !lease_ready(sp));
	role_signal(a, "reader", SIGCONT);
	AWAIT(works(a));
}
END_TEST

/* --- a second keeper -------------------------------------------------------------------- */

/* Run a role's program on a state directory, its output to a file. */
static pid_t
spawn(const char *role, const char *state, const char *log)
{
	char	path[300], *real;
	pid_t	pid;
	int	fd;

	snprintf(path, sizeof(path), "%s/reeve-%s",
	    getenv("REEVE_BINDIR") == NULL ? "." : getenv("REEVE_BINDIR"),
	    role);
	ck_assert((real = realpath(path, NULL)) != NULL);
	fflush(NULL);
	ck_assert((pid = fork()) != -1);
	if (pid == 0) {
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 2);
		close(fd);
		if (chdir(state) == 0)
			execl(real, real, "--state", state, (char *)NULL);
		_exit(127);
	}
	free(real);
	return pid;
}

static int
exit_of(pid_t pid)
{
	int	status;

	AWAIT(pump() && waitpid(pid, &status, WNOHANG) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool
file_says(const char *path, const char *text)
{
	char	*s = file_read(path, 1024 * 1024, NULL, NULL);
	bool	 is = s != NULL && strstr(s, text) != NULL;

	free(s);
	return is;
}

START_TEST(second_keeper_is_locked_out)
{
	char	log[300];

	load_start();
	snprintf(log, sizeof(log), "%s/second.log", sp->dir);
	ck_assert_int_eq(exit_of(spawn("lease", a->state, log)), EX_TEMPFAIL);
	ck_assert(file_says(log, "another reeve-lease of shard 0 runs here"));
	ck_assert(held_by(a));
	load_check();
}
END_TEST

/* cp -a of a state directory that is in use: same host-id, other lock. */
START_TEST(copied_state_is_found_out)
{
	char	 copy[200], log[300], cmd[600];
	pid_t	 keeper, fanout;
	double	 since;

	load_start();
	since = since_of();
	snprintf(copy, sizeof(copy), "%s/copy", sp->dir);
	snprintf(log, sizeof(log), "%s/copy.log", sp->dir);
	snprintf(cmd, sizeof(cmd), "cp -a '%s' '%s'", a->state, copy);
	ck_assert(system(cmd) == 0);
	fanout = spawn("fanout", copy, log);
	keeper = spawn("lease", copy, log);
	ck_assert_int_eq(exit_of(keeper), EX_SOFTWARE);
	ck_assert_int_eq(exit_of(fanout), EX_SOFTWARE);
	ck_assert(file_says(log, "is a copy of"));
	load_for(TTL_MS);
	ck_assert(held_by(a) && since_of() == since);
	ck_assert(!logged(a, "msg=\"exit\" code=70"));
	load_check();
}
END_TEST

/* --- other records ------------------------------------------------------------------------ */

/* Take a's keeper away, so that what root writes stays. */
static void
without_keepers(void)
{
	role_control(b, "lease", "d");
	AWAIT(hear() && role_pid(b, "lease") == 0);
	role_signal(a, "lease", SIGSTOP);
}

START_TEST(reference_lease_is_respected)
{
	static const char	stock[] = "{\"holder\":\"reference\","
				    "\"since\":1,\"ready\":true}";
	int64_t			last = 0;
	unsigned		i;

	/* Renewed as a daemon of the reference would, over the record. */
	for (i = 0; i < 4; i++) {
		last = clock_ms();
		record_put(sp, BUCKET_DELIVERY, "lease.0", stock);
		AWAIT(hear() && clock_ms() - last > TTL_MS / 3);
		ck_assert(!held_by(a) && !held_by(b));
	}
	ck_assert(logged(a, "lease taken by another host"));
	AWAIT(hear() && heard.pauses >= 3);
	AWAIT(hear() && (works(a) || works(b)));
	ck_assert(clock_ms() - last > TTL_MS - 100);
	check_single_flight();
}
END_TEST

START_TEST(renewal_from_the_future_is_stale)
{
	char	 text[600];
	cJSON	*o;

	without_keepers();
	o = lease_get(sp);
	cJSON_SetNumberHelper(cJSON_GetObjectItem(o, "renewed"),
	    (double)clock_ms() + 600000);
	cJSON_PrintPreallocated(o, text, sizeof(text), false);
	cJSON_Delete(o);
	record_put(sp, BUCKET_DELIVERY, "lease.0", text);
	AWAIT(hear() && heard.pauses >= 3);
	ck_assert(!logged(a, "role=fanout shard=0 msg=\"starting\""));
	ck_assert(logged(a, "not renewed in time"));
	role_signal(a, "lease", SIGCONT);
	AWAIT(works(a));
	check_single_flight();
}
END_TEST

START_TEST(unreadable_lease_closes_the_gate)
{
	int64_t	start;

	without_keepers();
	record_put(sp, BUCKET_DELIVERY, "lease.0", "{\"holder\":7}");
	start = clock_ms();
	AWAIT(hear() && heard.pauses >= 3);
	ck_assert_msg(clock_ms() - start < 500, "paused after %lld ms",
	    (long long)(clock_ms() - start));
	ck_assert(logged(a, "unreadable lease"));
	role_signal(a, "lease", SIGCONT);
	AWAIT(works(a));
	check_single_flight();
}
END_TEST

/* An agent may aim an answer of the API at the key (notes, "Holes" 3): the
 * holder's right does not hang on what cannot be a lease. */
START_TEST(holder_replaces_what_is_no_lease)
{
	struct bus_pub	p = { .subject = "$JS.API.STREAM.INFO.CHAT_t",
			    .reply = "$KV.cotal_delivery_t.lease.0",
			    .data = "" };
	double		since;
	unsigned	before;
	int		i;
	struct error	e;

	load_start();
	since = since_of();
	for (i = 0; i < 3; i++) {
		before = logged_times(a, "lease overwritten");
		OK(bus_publish(load.scout->bus, &p, &e), e);
		OK(bus_drain(load.scout->bus, 1000), e);
		AWAIT(pump() && logged_times(a, "lease overwritten") >
		    before);
		AWAIT(pump() && works(a));
	}
	ck_assert(held_by(a) && since_of() == since);
	load_check();
}
END_TEST

START_TEST(paused_control_is_no_responder)
{
	struct agent	*scout = agent_make(sp, "scout", NULL);
	struct error	 e;
	int64_t		 start;
	cJSON		*o;

	ck_assert((o = agent_control(scout, "listMemberships", NULL, &e)) !=
	    NULL);
	cJSON_Delete(o);
	without_keepers();
	AWAIT(hear() && heard.pauses >= 3);
	start = clock_ms();
	ck_assert(agent_control(scout, "listMemberships", NULL, &e) == NULL);
	ck_assert_int_eq(e.code, EX_UNAVAILABLE);
	ck_assert(clock_ms() - start < 500);
	role_control(b, "lease", "u");
	AWAIT(works(b));
	agent_join(scout, "general");
	ck_assert((o = agent_control(scout, "listMemberships", NULL, &e)) !=
	    NULL);
	cJSON_Delete(o);
	check_single_flight();
}
END_TEST

int
main(void)
{
	TCase	*tc = test_case("hosts", hosts_setup, 60);

	tcase_add_test(tc, only_one_works);
	tcase_add_test(tc, orderly_stop_hands_over_at_once);
	tcase_add_test(tc, silent_worker_keeps_the_lease);
	tcase_add_test(tc, dead_worker_does_not_keep_the_lease);
	tcase_add_test(tc, crash_hands_over_after_the_ttl);
	tcase_add_test(tc, stopped_keeper_loses_the_shard);
	tcase_add_test(tc, stopped_worker_pull_is_waited_for);
	tcase_add_test(tc, killed_keeper_takes_over_its_record);
	tcase_add_test(tc, restarted_keeper_keeps_the_shard);
	tcase_add_test(tc, restarted_keeper_with_a_worker_down);
	tcase_add_test(tc, ready_says_that_all_three_work);
	tcase_add_test(tc, second_keeper_is_locked_out);
	tcase_add_test(tc, copied_state_is_found_out);
	tcase_add_test(tc, reference_lease_is_respected);
	tcase_add_test(tc, renewal_from_the_future_is_stale);
	tcase_add_test(tc, unreadable_lease_closes_the_gate);
	tcase_add_test(tc, holder_replaces_what_is_no_lease);
	tcase_add_test(tc, paused_control_is_no_responder);
	return test_main("hosts", tc, NULL);
}
