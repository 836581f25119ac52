/* SPDX-License-Identifier: ISC */

/*
 * A space that another implementation's daemon serves, with the consumers that
 * were recorded of it, is taken over under load, in the state that a daemon
 * leaves which dies at work, and given back: every message arrives once, and
 * what was recorded is there again.
 */
#include <sys/stat.h>
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
#include "files.h"
#include "foreign.h"
#include "json.h"
#include "load.h"
#include "message.h"
#include "records.h"

/* --- the other daemon ------------------------------------------------------------ */

enum manner {
	WORK,		/* do it, and say so */
	HALF,		/* do it, and die before it is said */
	TAKE,		/* take it, and die */
};

static struct other {
	struct load	load;
	struct listener	*listeners[2];
	struct pull	fanout, reader;
	enum manner	manner[2];	/* of fanout, and of reader */
	unsigned	taken[2];
	bool		runs;
} other;

static void
settle(natsMsg *m, enum manner manner)
{
	struct bus_pub	p = { .subject = natsMsg_GetReply(m), .data = "+ACK",
			    .len = 4 };

	if (manner == WORK)
		(void)bus_publish(sp->root, &p, NULL);
	natsMsg_Destroy(m);
}

static void
send_entry(const char *head, size_t n, const char *id, const char *owner)
{
	char		 subject[SUBJECT_MAX], msg_id[300], *body = NULL;
	struct bus_pub	 p = { .subject = subject, .msg_id = msg_id };

	snprintf(subject, sizeof(subject), "cotal.t.dinbox.%s", owner);
	snprintf(msg_id, sizeof(msg_id), "%s:%s:1", id, owner);
	ck_assert(asprintf(&body, "%.*s1}", (int)n, head) != -1);
	p.data = body;
	p.len = strlen(body);
	ck_assert(bus_publish(sp->root, &p, NULL) == 0);
	free(body);
}

static void
on_chat(void *arg, natsMsg *m, const struct js_delivery *d)
{
	struct message	 msg;
	struct error	 e;
	char		*head;
	size_t		 n, len = (size_t)natsMsg_GetDataLength(m);
	unsigned	 i;

	(void)arg;
	other.taken[0]++;
	OK(message_parse(&msg, natsMsg_GetData(m), len, &e), e);
	head = entry_head(natsMsg_GetData(m), len, msg.channel,
	    d->stream_seq, ENTRY_DURABLE_CHANNEL, &n);
	ck_assert(head != NULL);
	for (i = 0; i < 2 && other.manner[0] != TAKE; i++)
		send_entry(head, n, msg.id, other.listeners[i]->agent->id);
	free(head);
	message_free(&msg);
	settle(m, other.manner[0]);
}

static void
on_entry(void *arg, natsMsg *m, const struct js_delivery *d)
{
	char		 subject[SUBJECT_MAX];
	struct entry	 en;
	struct error	 e;
	struct bus_pub	 p = { .subject = subject,
			    .msg_id = bus_header(m, "Nats-Msg-Id") };

	(void)arg;
	(void)d;
	other.taken[1]++;
	OK(entry_read(&en, natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m), &e), e);
	snprintf(subject, sizeof(subject), "cotal.t.dlv.%s",
	    strrchr(natsMsg_GetSubject(m), '.') + 1);
	p.data = en.msg;
	p.len = en.msg_len;
	if (other.manner[1] != TAKE)
		ck_assert(bus_publish(sp->root, &p, NULL) == 0);
	entry_free(&en);
	settle(m, other.manner[1]);
}

static void
other_start(void)
{
	struct error	e;

	record_put(sp, BUCKET_DELIVERY, "lease.0", "{\"holder\":\"" HOLDER
	    "\",\"since\":1795223534000,\"ready\":true}");
	other.manner[0] = other.manner[1] = WORK;
	other.runs = true;
	OK(pull_start(&other.fanout, sp->root, "CHAT_t", "fanout", 64,
	    on_chat, NULL, &e), e);
	OK(pull_start(&other.reader, sp->root, "INBOX_t", "reader", 64,
	    on_entry, NULL, &e), e);
}

static void
turn(void)
{
	struct error	e;

	load_turn(&other.load);
	if (!other.runs)
		return;
	OK(pull_tend(&other.fanout, 64, clock_ms() + 300, &e), e);
	if (other.reader.sub != NULL)
		OK(pull_tend(&other.reader, 64, clock_ms() + 300, &e), e);
	bus_turn(sp->root, NULL, 0, 0);
}

#define TURN_UNTIL(what)						\
	do {								\
		int64_t until_ms_ = test_now_ms() + AWAIT_MS;		\
									\
		while (!(what)) {					\
			if (test_now_ms() > until_ms_)			\
				test_fail(__FILE__, __LINE__, #what);	\
			turn();						\
		}							\
	} while (0)

static void
turn_for(int64_t ms)
{
	int64_t	until = clock_ms() + ms;

	while (clock_ms() < until)
		turn();
}

static bool
nothing_waits(void)
{
	return consumer_get(sp, STREAM_CHAT, "fanout").n_waiting == 0 &&
	    consumer_get(sp, STREAM_INBOX, "reader").n_waiting == 0;
}

static void
turn_until_taken(unsigned chat, unsigned entries)
{
	other.taken[0] = other.taken[1] = 0;
	TURN_UNTIL(other.taken[0] >= chat && other.taken[1] >= entries);
}

/* It dies with messages in hand, some of them done; others come after.  What
 * it did, it did in order. */
static void
other_dies(void)
{
	other.manner[0] = other.manner[1] = HALF;
	turn_until_taken(5, 5);
	other.manner[1] = TAKE;
	turn_until_taken(0, 5);
	pull_stop(&other.reader);
	TURN_UNTIL(consumer_get(sp, STREAM_INBOX, "reader").n_pending > 0);
	other.manner[0] = TAKE;
	turn_until_taken(5, 0);
	pull_stop(&other.fanout);
	other.runs = false;
	TURN_UNTIL(nothing_waits() &&
	    consumer_get(sp, STREAM_CHAT, "fanout").n_pending > 0);
}

static void
other_lets_go(void)
{
	record_put(sp, BUCKET_DELIVERY, "lease.0", NULL);
}

/* It ends in order: nothing is in its hand. */
static void
other_stops(void)
{
	pull_stop(&other.reader);
	pull_stop(&other.fanout);
	other.runs = false;
	other_lets_go();
	TURN_UNTIL(nothing_waits());
}

/* --- the command ---------------------------------------------------------------- */

struct command {
	pid_t	pid;
	int	fd;
	char	said[32768];
	size_t	n;
	int	status;
};

static struct command	command;

static void
command_start(const char *options)
{
	const char	*dir = getenv("REEVE_BINDIR");
	char		 text[1200];
	int		 p[2];

	memset(&command, 0, sizeof(command));
	snprintf(text, sizeof(text), "exec %s/reeve migrate %s",
	    dir == NULL ? "." : dir, options);
	ck_assert(pipe2(p, O_CLOEXEC) == 0);
	fflush(NULL);
	ck_assert((command.pid = fork()) != -1);
	if (command.pid == 0) {
		setenv("REEVE_STATE", b->state, 1);
		dup2(p[1], 1);
		dup2(p[1], 2);
		execl("/bin/sh", "sh", "-c", text, (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	command.fd = p[0];
	ck_assert(fcntl(command.fd, F_SETFL, O_NONBLOCK) == 0);
}

/* Goes on with the load; true until it has ended. */
static bool
command_turn(void)
{
	ssize_t	n = read(command.fd, command.said + command.n,
		    sizeof(command.said) - 1 - command.n);

	turn();
	if (n > 0)
		command.n += (size_t)n;
	command.said[command.n] = '\0';
	if (n != 0)
		return true;
	ck_assert(waitpid(command.pid, &command.status, 0) == command.pid);
	close(command.fd);
	return false;
}

static void
migrate(const char *options)
{
	command_start(options);
	while (command_turn())
		;
	ck_assert_msg(WIFEXITED(command.status) &&
	    WEXITSTATUS(command.status) == 0, "%x: %s", command.status,
	    command.said);
}

/* It may be quicker than that, and have ended, or have nothing of this to do
 * after one that was.  True: it was killed. */
static bool
kill_after(const char *options, const char *said)
{
	bool	on = true;

	command_start(options);
	while (on && strstr(command.said, said) == NULL)
		on = command_turn();
	if (on)
		(void)kill(command.pid, SIGKILL);
	while (on)
		on = command_turn();
	ck_assert_msg(WIFSIGNALED(command.status) || command.status == 0,
	    "%s", command.said);
	return WIFSIGNALED(command.status);
}

/* --- taken over, and given back ---------------------------------------------------- */

/* An access record as the other system writes it. */
static void
make_access(const struct agent *a)
{
	record_put(sp, BUCKET_ACL, a->id, "{\"allowSubscribe\":[\"busy\"],"
	    "\"revision\":1,\"updatedAt\":1795223534000}");
}

static void
load_begin(void)
{
	unsigned	i;

	memset(&other, 0, sizeof(other));
	load_init(&other.load, sp);
	for (i = 0; i < 2; i++)
		load_sender(&other.load, "busy", 12);
	for (i = 0; i < 2; i++) {
		other.listeners[i] = load_listener(&other.load, "busy");
		make_access(other.listeners[i]->agent);
		member_put(sp, "busy", other.listeners[i]->agent->id,
		    "\"joinCursor\":0,\"generation\":1,\"activated\":true");
	}
	other.listeners[1]->away = true;
}

static void
check_untouched(void)
{
	ck_assert(is_recorded("CHAT_t", "fanout"));
	ck_assert(is_recorded("INBOX_t", "reader"));
	ck_assert(!stream_is_there("DEAD_t"));
	ck_assert_msg(access(b->state, F_OK) == -1, "%s is there", b->state);
}

/* What its steps say, as numbers. */
static void
check_json(void)
{
	struct js_consumer	 c = consumer_get(sp, STREAM_INBOX, "reader");
	const cJSON		*s;
	cJSON			*o;
	unsigned		 n = 0;

	ck_assert_int_eq(try("--dry-run --json"), EX_OK);
	o = cJSON_Parse(out);
	ck_assert_msg(cJSON_IsArray(o), "%s", out);
	cJSON_ArrayForEach(s, o)
		if (json_get(s, "delivered") != NULL && strcmp(json_get(s,
		    "about")->valuestring, "reader") == 0) {
			n++;
			ck_assert_uint_eq(number_of(s, "delivered"),
			    c.delivered_seq);
			ck_assert_uint_eq(number_of(s, "acknowledged"),
			    c.ack_floor_seq);
			ck_assert_uint_eq(number_of(s, "unacknowledged"),
			    c.n_ack_pending);
		}
	ck_assert_uint_eq(n, 1);
	cJSON_Delete(o);
}

static void
check_ours(void)
{
	ck_assert(setting("CHAT_t", "fanout", "ack_wait") == 2e9);
	ck_assert(setting("INBOX_t", "reader", "ack_wait") == 2e9);
	ck_assert(setting("INBOX_t", "reader", "max_ack_pending") == 20000);
}

static void
take_over(void)
{
	static const char *const	steps[] = { "access  ", "reeve.conf",
		    "imported", "DEAD_t", "credential of reader",
		    "service lease" };
	char				all[800];
	unsigned			killed = 0;
	size_t				i;

	snprintf(all, sizeof(all), "%s --start", with);
	/* Half done is as good as not begun. */
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		killed += kill_after(with, steps[i]);
		ck_assert(is_recorded("CHAT_t", "fanout"));
	}
	ck_assert_uint_gt(killed, 0);
	(void)kill_after(all, "started");
	migrate(all);
	ck_assert_msg(strstr(command.said, "t is served by this host") !=
	    NULL, "%s", command.said);
	check_ours();
	turn_for(500);
	expect(EX_OK, "", "is served by this host");
	ck_assert_ptr_null(strstr(out, "would"));
	ck_assert_ptr_null(strstr(out, "done"));
}

static void
give_back(void)
{
	ck_assert_int_eq(reeve(b, out, sizeof(out), "migrate --back "
	    "--dry-run"), EX_OK);
	ck_assert_msg(strstr(out, "would  reeved") != NULL, "%s", out);
	check_ours();
	migrate("--back");
	ck_assert(is_recorded("CHAT_t", "fanout"));
	ck_assert(is_recorded("INBOX_t", "reader"));
	ck_assert_ptr_null(lease_get(sp));
	ck_assert_int_eq(reeve(b, out, sizeof(out), "migrate --back"), EX_OK);
	ck_assert_msg(strstr(out, "done   fanout") == NULL, "%s", out);
}

START_TEST(taken_over_under_load_and_given_back)
{
	struct js_consumer	c;
	unsigned		i;

	load_begin();
	other_start();
	TURN_UNTIL(other.listeners[0]->n > 20);
	expect(EX_TEMPFAIL, "", "is held by " HOLDER);
	check_untouched();
	other_dies();
	expect(EX_TEMPFAIL, "--dry-run", "end the delivery daemon");
	other_lets_go();
	c = consumer_get(sp, STREAM_CHAT, "fanout");
	ck_assert(c.n_ack_pending > 0 && c.n_pending > 0);
	c = consumer_get(sp, STREAM_INBOX, "reader");
	ck_assert(c.n_ack_pending > 0 && c.n_pending > 0);
	expect(EX_OK, "--dry-run", "would  DEAD_t");
	check_json();
	check_untouched();
	take_over();
	give_back();
	/* The other one again, and then ours. */
	other_start();
	turn_for(700);
	other_stops();
	migrate("--start");
	other.listeners[1]->away = false;
	load_hush(&other.load);
	/* In what order the other one gives out what came back is up to it. */
	for (i = 0; i < 2; i++)
		load_check_spans(&other.load, other.listeners[i], "busy",
		    &(struct span){ 0, UINT64_MAX, 0 }, 1, false);
	ck_assert_ptr_null(dead_letter(sp, 0));
	ck_assert_int_eq(reeve(b, NULL, 0, "down"), EX_OK);
	load_free(&other.load);
}
END_TEST

/* As by the kernel: nobody lets anything go. */
static void
crash(void)
{
	static const char *const	roles[] = { "lease", "fanout", "reader",
		    "control" };
	char				path[300], *text;
	size_t				i;

	snprintf(path, sizeof(path), "%s/reeved.lock", b->state);
	text = file_read(path, 64, NULL, NULL);
	ck_assert(text != NULL && atoi(text) > 1);
	ck_assert(kill(atoi(text), SIGKILL) == 0);
	for (i = 0; i < 4; i++)
		role_signal(b, roles[i], SIGKILL);
	free(text);
}

/* What a worker had in hand when it was killed comes to the other daemon at
 * once, and not after its long wait. */
START_TEST(given_back_after_a_crash)
{
	unsigned	i;

	load_begin();
	other.listeners[1]->away = false;
	snprintf(out, sizeof(out), "%s --start", with);
	migrate(out);
	TURN_UNTIL(other.listeners[0]->n > 20);
	role_signal(b, "reader", SIGSTOP);
	TURN_UNTIL(consumer_get(sp, STREAM_INBOX, "reader").n_ack_pending >=
	    5);
	crash();
	other_lets_go();	/* its time is over */
	migrate("--back");
	ck_assert(is_recorded("INBOX_t", "reader"));
	other_start();
	load_hush(&other.load);
	TURN_UNTIL(consumer_unread(sp, STREAM_CHAT, "fanout") == 0 &&
	    consumer_unread(sp, STREAM_INBOX, "reader") == 0);
	other_stops();
	for (i = 0; i < 2; i++)
		load_check_spans(&other.load, other.listeners[i], "busy",
		    &(struct span){ 0, UINT64_MAX, 0 }, 1, false);
	load_free(&other.load);
}
END_TEST

/* --- waiting ------------------------------------------------------------------- */

/* One that does not know of leases. */
START_TEST(a_daemon_without_a_lease)
{
	struct pull	p;
	struct error	e;

	OK(pull_start(&p, sp->root, "CHAT_t", "fanout", 8, on_chat, NULL, &e),
	    e);
	OK(pull_tend(&p, 8, clock_ms() + 60000, &e), e);
	AWAIT((bus_turn(sp->root, NULL, 0, 5), !nothing_waits()));
	expect(EX_TEMPFAIL, "", "requests for messages wait");
	check_nothing_made();
	pull_stop(&p);
	OK(bus_drain(sp->root, 1000), e);
}
END_TEST

static void
on_kept(void *arg, natsMsg *m, const struct js_delivery *d)
{
	(void)arg;
	(void)d;
	other.taken[0]++;
	natsMsg_Destroy(m);
}

/* As a role of ours leaves it: one given out and not acknowledged. */
static void
leave_one(void)
{
	cJSON		*all = recorded();
	cJSON		*config = cJSON_GetObjectItem(cJSON_GetObjectItem(
			    cJSON_GetObjectItem(all, "consumers"), "CHAT_t"),
			    "fanout");
	struct bus_pub	 p = { .subject = "cotal.t.chat." HOLDER ".busy",
			    .data = "{}", .len = 2 };
	struct pull	 pull;
	struct error	 e;

	cJSON_ReplaceItemInObject(config, "ack_wait",
	    cJSON_CreateNumber(2e9));
	OK(js_consumer_create(sp->root, "CHAT_t", "fanout", config, NULL,
	    &e), e);
	cJSON_Delete(all);
	OK(js_publish(sp->root, &p, NULL, NULL, &e), e);
	OK(pull_start(&pull, sp->root, "CHAT_t", "fanout", 1, on_kept, NULL,
	    &e), e);
	OK(pull_tend(&pull, 1, clock_ms() + 10000, &e), e);
	AWAIT((bus_turn(sp->root, NULL, 0, 5), other.taken[0] == 1));
	pull_stop(&pull);
}

/* A host that stood by has it before all is done: the space is not free. */
START_TEST(given_back_and_taken_by_another_host)
{
	memset(&other, 0, sizeof(other));
	load_init(&other.load, sp);
	expect(EX_OK, "", "is free");
	leave_one();
	command_start("--back");
	while (strstr(command.said, "lease                    is free") ==
	    NULL)
		ck_assert_msg(command_turn(), "%s", command.said);
	record_put(sp, BUCKET_DELIVERY, "lease.0", "{\"holder\":\"" HOLDER
	    "\",\"host\":\"another\",\"since\":1,\"ready\":true}");
	while (command_turn())
		;
	ck_assert_int_eq(WEXITSTATUS(command.status), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(command.said, "is held by reeve on the "
	    "host another"));
	ck_assert_ptr_null(strstr(command.said, "is free: start"));
	load_free(&other.load);
}
END_TEST

/* What was let go while it waits is free. */
START_TEST(waits_for_the_lease)
{
	memset(&other, 0, sizeof(other));
	load_init(&other.load, sp);
	other_start();
	command_start("--wait 30s --trust ws/none");
	while (command_turn())
		;
	ck_assert(WEXITSTATUS(command.status) == EX_NOINPUT);
	snprintf(out, sizeof(out), "--wait 30s %s", with);
	command_start(out);
	while (strstr(command.said, "svc_") == NULL)
		ck_assert_msg(command_turn(), "%s", command.said);
	turn_for(300);
	ck_assert_ptr_null(strstr(command.said, "is free"));
	other_stops();
	while (command_turn())
		;
	ck_assert_msg(command.status == 0, "%s", command.said);
	ck_assert_ptr_nonnull(strstr(command.said, "is free"));
}
END_TEST

int
main(void)
{
	TCase	*whole = test_case("whole", setup, 60);
	TCase	*waits = test_case("waits", setup, 60);

	tcase_add_test(whole, taken_over_under_load_and_given_back);
	tcase_add_test(whole, given_back_after_a_crash);
	tcase_add_test(waits, a_daemon_without_a_lease);
	tcase_add_test(waits, given_back_and_taken_by_another_host);
	tcase_add_test(waits, waits_for_the_lease);
	return test_main("migrate", whole, waits, NULL);
}
