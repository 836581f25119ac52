/* SPDX-License-Identifier: ISC */

/*
 * The broker is restarted, killed, taken away, or refuses to store: nothing
 * is lost, doubled or out of order, and no message pays for it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "load.h"

#define AWAY_MS		30000
#define RESTARTS	6

static const char *const	roles[] = { "fanout", "reader", "control",
				    "lease" };
#define N_ROLES	(sizeof(roles) / sizeof(roles[0]))

static void
pids(pid_t *v)
{
	size_t	i;

	for (i = 0; i < N_ROLES; i++) {
		v[i] = role_pid(sp, roles[i]);
		ck_assert(v[i] > 1);
	}
}

static void
same_pids(const pid_t *was)
{
	pid_t	now[N_ROLES];
	size_t	i;

	pids(now);
	for (i = 0; i < N_ROLES; i++) {
		if (now[i] != was[i])
			log_dump(sp);
		ck_assert_msg(now[i] == was[i], "%s has exited", roles[i]);
	}
}

/* Two busy members, one of them away at first, and a few senders. */
static void
begin(struct load *l, unsigned senders, int64_t every_ms)
{
	unsigned	i;

	load_init(l, sp);
	for (i = 0; i < senders; i++)
		load_sender(l, "busy", every_ms);
	for (i = 0; i < 2; i++)
		agent_join(load_listener(l, "busy")->agent, "busy");
}

static void
end(struct load *l)
{
	load_hush(l);
	space_connect_root(sp);
	load_check(l, &l->listeners[0], "busy");
	load_check(l, &l->listeners[1], "busy");
	ck_assert_ptr_null(dead_letter(sp, 0));
	load_free(l);
}

/* --- restarts ------------------------------------------------------------------ */

START_TEST(restarted_under_load)
{
	static struct load	l;
	pid_t			was[N_ROLES], broker;
	unsigned		i;

	begin(&l, 4, 4);
	pids(was);
	for (i = 0; i < RESTARTS; i++) {
		load_run(&l, 700 + 61 * i);
		broker = role_pid(sp, "broker");
		ck_assert(kill(broker, i % 2 ? SIGTERM : SIGKILL) == 0);
		LOAD_AWAIT(&l, role_pid(sp, "broker") > 1 &&
		    role_pid(sp, "broker") != broker);
	}
	end(&l);
	same_pids(was);
}
END_TEST

/* As 2.9.10 now and then leaves a durable's state when it stops: empty. */
static void
empty_state(const char *stream, const char *durable)
{
	char	cmd[512];

	snprintf(cmd, sizeof(cmd), "f=$(find %s/broker -path '*/%s_t/obs/%s/"
	    "o.dat') && test -f \"$f\" && : > \"$f\"", sp->state, stream,
	    durable);
	ck_assert_msg(system(cmd) == 0, "%s", cmd);
}

/* More than the ids that are remembered: those of what is retained. */
START_TEST(loses_the_state_of_durables)
{
	static struct load	l;
	unsigned		i;

	begin(&l, 4, 2);
	for (i = 1; i <= 2; i++) {
		LOAD_AWAIT(&l, load_owed(&l, "busy", 0, UINT64_MAX) >
		    2500 * i);
		role_control(sp, "broker", "d");
		LOAD_AWAIT(&l, role_pid(sp, "broker") == 0);
		empty_state("CHAT", "fanout");
		empty_state("INBOX", "reader");
		role_control(sp, "broker", "u");
	}
	LOAD_AWAIT(&l, load_owed(&l, "busy", 0, UINT64_MAX) > 5500);
	ck_assert(logged(sp, "has lost the durable's state"));
	end(&l);
}
END_TEST

/* --- away ------------------------------------------------------------------------ */

START_TEST(away_for_half_a_minute)
{
	static struct load	l;
	pid_t			was[N_ROLES];
	int64_t			until;

	begin(&l, 3, 4);
	pids(was);
	load_run(&l, 500);
	role_control(sp, "broker", "d");
	until = clock_ms() + AWAY_MS;
	while (clock_ms() < until)
		load_turn(&l);
	role_control(sp, "broker", "u");
	load_run(&l, 1000);
	end(&l);
	same_pids(was);
}
END_TEST

/* --- a store that refuses --------------------------------------------------------- */

static cJSON *
api(const char *call, const char *stream, const cJSON *body)
{
	char		 subject[SUBJECT_MAX], *text = NULL;
	struct bus_pub	 p = { .subject = subject };
	struct error	 e;
	natsMsg		*m;
	cJSON		*o;

	snprintf(subject, sizeof(subject), "$JS.API.STREAM.%s.%s", call,
	    stream);
	if (body != NULL) {
		p.data = text = json_print(body);
		p.len = strlen(text);
	}
	m = bus_call(sp->root, &p, 2000, &e);
	ck_assert_msg(m != NULL, "%s", e.text);
	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    &e);
	ck_assert_msg(o != NULL && json_get(o, "error") == NULL, "%.*s",
	    natsMsg_GetDataLength(m), natsMsg_GetData(m));
	natsMsg_Destroy(m);
	free(text);
	return o;
}

/* Let a stream take so many bytes more and then refuse; -1: no limit, as it
 * was. */
static void
limit_stream(enum stream_kind kind, int64_t more)
{
	char	 name[STREAM_MAX];
	cJSON	*info, *config, *bytes;
	double	 max = -1;

	name_stream(name, sizeof(name), sp->config.space, kind);
	info = api("INFO", name, NULL);
	bytes = cJSON_GetObjectItem(cJSON_GetObjectItem(info, "state"),
	    "bytes");
	if (more != -1)
		max = bytes->valuedouble + (double)more;
	config = cJSON_GetObjectItem(info, "config");
	cJSON_ReplaceItemInObject(config, "max_bytes",
	    cJSON_CreateNumber(max));
	cJSON_ReplaceItemInObject(config, "discard",
	    cJSON_CreateString(more == -1 ? "old" : "new"));
	cJSON_Delete(api("UPDATE", name, config));
	cJSON_Delete(info);
}

/*
 * Full for longer than an ack wait: the worker waits with all in hand.  The
 * delivery counts are not for us to see; that nothing was redelivered is.
 */
static void
refuse(struct load *l, enum stream_kind store, enum stream_kind source,
    const char *durable)
{
	int64_t		until;
	uint64_t	most = 0, n;

	load_run(l, 500);
	limit_stream(store, 4096);
	LOAD_AWAIT(l, logged(sp, "store failed, waiting"));
	until = clock_ms() + 5000;
	while (clock_ms() < until) {
		load_turn(l);
		n = consumer_get(sp, source, durable).n_redelivered;
		most = n > most ? n : most;
	}
	ck_assert_uint_gt(consumer_unread(sp, source, durable), 0);
	limit_stream(store, -1);
	ck_assert_msg(most == 0, "%llu entries paid with a delivery",
	    (unsigned long long)most);
}

START_TEST(inbox_refuses)
{
	static struct load	l;
	pid_t			was[N_ROLES];

	begin(&l, 3, 10);
	pids(was);
	refuse(&l, STREAM_INBOX, STREAM_CHAT, "fanout");
	end(&l);
	same_pids(was);
}
END_TEST

START_TEST(dlv_refuses)
{
	static struct load	l;
	pid_t			was[N_ROLES];

	begin(&l, 3, 10);
	pids(was);
	refuse(&l, STREAM_DLV, STREAM_INBOX, "reader");
	end(&l);
	same_pids(was);
}
END_TEST

int
main(void)
{
	TCase	*restarted = test_case("restarted", space_setup, 120);
	TCase	*refuses = test_case("refuses", space_setup, 120);
	TCase	*away = test_case("away", space_setup, 120);

	tcase_add_test(restarted, restarted_under_load);
	tcase_add_test(restarted, loses_the_state_of_durables);
	tcase_add_test(refuses, inbox_refuses);
	tcase_add_test(refuses, dlv_refuses);
	tcase_add_test(away, away_for_half_a_minute);
	return test_main("broker", restarted, refuses, away, NULL);
}
