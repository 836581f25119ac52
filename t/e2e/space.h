/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_SPACE_H
#define REEVE_T_SPACE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include <check.h>
#include <cjson/cJSON.h>

#include "bus.h"
#include "conf.h"
#include "creds.h"
#include "jetstream.h"
#include "names.h"
#include "trust.h"

/*
 * A real space for a test: a state directory under /tmp made by `reeve init`,
 * a nats-server of its own, reeved and the roles.  Programs are those of
 * $REEVE_BINDIR (default "."); the broker is $REEVE_NATS_SERVER or the one
 * in PATH.  A guard process kills all that works below the directory and
 * removes it, however the test ends.
 */
struct space {
	char		dir[128];	/* everything is below */
	char		state[160];
	int		port;
	struct config	config;
	struct trust	trust;
	struct creds	root_creds;
	struct bus	*root;		/* a user that may do everything */
	pid_t		reeved;		/* or who else supervises (see
					 * supervised.h); 0: not running */
	int		netns;		/* where it runs; 0: where we do */
	bool		ending;		/* told so, not yet waited for */
};

#define AWAIT_MS	20000

/* Wait until it is true, turning nothing; fails the test when too late. */
#define AWAIT(what)							\
	do {								\
		int64_t until_ms_ = test_now_ms() + AWAIT_MS;		\
									\
		while (!(what)) {					\
			if (test_now_ms() > until_ms_)			\
				test_fail(__FILE__, __LINE__, #what);	\
			test_pause();					\
		}							\
	} while (0)

int	__lsan_is_turned_off(void);	/* asked by the sanitizer */
int64_t	test_now_ms(void);
void	test_pause(void);	/* 5 ms */
void	test_fail(const char *file, int line, const char *what)
	    __attribute__((noreturn));
/* A call that must succeed: the error's text is the failure's. */
#define OK(call, e)	ck_assert_msg((call) != -1, "%s: %s", #call, (e).text)

/* --- the space of the test ------------------------------------------------- */

/* Fixtures: a space with everything ready, and its end. */
void	space_setup(void);		/* lease TTL 30 s */
void	space_setup_short(void);	/* lease TTL 3 s */
void	space_setup_idle(void);		/* init only: nothing runs */
void	space_setup_shards(void);	/* two of them, lease TTL 30 s */
void	space_teardown(void);
extern struct space *sp;		/* what the fixtures made */

/* A port that nobody has, kept from other tests until this one ends. */
int	free_port(void);
/* options: more for init, or "". */
struct space *space_make(const char *options);
/* Another host of the same space: its own state directory, trust imported,
 * no broker of its own. */
struct space *space_join(const struct space *first);
/* In parts: the directory, of its own (NULL) or first's; when state is set,
 * `reeve init --space t OPTIONS` there. */
struct space *space_new(const struct space *first);
void	space_init(struct space *, const char *options, ...)
	    __attribute__((format(printf, 2, 3)));
void	space_start(struct space *);		/* reeved; does not wait */
void	space_await_ready(struct space *);	/* lease ready, ours */
void	space_stop(struct space *);		/* SIGTERM, waits */
void	space_end(struct space *);	/* the same, does not wait */
void	space_kill(struct space *);		/* SIGKILL of reeved alone */
/* Keep the supervisor from doing anything, or let it go on. */
void	space_freeze(struct space *, bool frozen);
/* Stop the roles of this host as a crash would: reeved and all its roles
 * SIGKILLed at once. */
void	space_crash(struct space *);
void	space_reap(struct space *);	/* killed by other ways: wait */
void	space_connect_root(struct space *);	/* again, after a restart */

/* --- roles ------------------------------------------------------------------ */

pid_t	role_pid(struct space *, const char *role);	/* 0: none */
/* Send a signal; for SIGKILL returns when the successor has a pid. */
void	role_signal(struct space *, const char *role, int sig);
void	role_kill(struct space *, const char *role);
void	role_control(struct space *, const char *role, const char *bytes);
/* It runs and has said so: to the supervisor, under runit to its log. */
bool	role_is_ready(struct space *, const char *role);
/* Stop it for good, or start it and wait until it is ready. */
void	role_down(struct space *, const char *role);
void	role_up(struct space *, const char *role);
/* reeved's and the roles' log. */
bool	logged(struct space *, const char *text);
unsigned logged_times(struct space *, const char *text);
void	log_dump(struct space *);
/* Kill the broker and start it again (reeved does): sig SIGKILL or SIGTERM. */
void	broker_restart(struct space *, int sig);
/* Take the broker away (role stopped by its control), and back. */
void	broker_down(struct space *);
void	broker_up(struct space *);

/* Run `reeve ARGS` with REEVE_STATE set: its exit code, its output (stdout
 * and stderr) in out, which may be NULL. */
int	reeve(struct space *, char *out, size_t size, const char *fmt, ...)
	    __attribute__((format(printf, 4, 5)));

/* --- what is stored ------------------------------------------------------------- */

/* Through the root connection; each fails the test on an error. */
uint64_t stream_messages(struct space *, enum stream_kind);
uint64_t stream_last_seq(struct space *, enum stream_kind);
/* Where a durable is; of it only the numbers. */
struct js_consumer consumer_get(struct space *, enum stream_kind,
	    const char *durable);
/* unread of a durable: pending and not acknowledged. */
uint64_t consumer_unread(struct space *, enum stream_kind,
	    const char *durable);
/* A bucket's record, parsed, or NULL; *seq may be NULL. */
cJSON	*record_get(struct space *, enum bucket_kind, const char *key,
	    uint64_t *seq);
/* Put text as a record; NULL deletes by a marker.  Returns its revision. */
uint64_t record_put(struct space *, enum bucket_kind, const char *key,
	    const char *text);
/* A membership as some other writer makes it, open or (leaveCursor among the
 * fields) not; fields: "\"joinCursor\":0,\"generation\":1" and what else. */
void	member_put(struct space *, const char *channel, const char *owner,
	    const char *fields);
cJSON	*member_get(struct space *, const char *channel, const char *owner);
/* A whole number of a record; UINT64_MAX when it has none. */
uint64_t number_of(const cJSON *, const char *name);
/* The n-th (from 0) dead letter, parsed, or NULL. */
cJSON	*dead_letter(struct space *, unsigned n);
/* Publish raw bytes to a subject and wait for the acknowledgement. */
uint64_t raw_store(struct space *, const char *subject, const char *msg_id,
	    const char *body);
/* A message as it is stored: its bytes, and its Nats-Msg-Id ("" if none). */
struct stored {
	uint64_t	 seq;
	char		*subject, *data, *msg_id;
	size_t		 len;
};
/* The first one at or above seq; false when there is none. */
bool	stored_get(struct space *, enum stream_kind, uint64_t seq,
	    struct stored *);
void	stored_free(struct stored *);
/* lease.0, parsed; NULL when there is none. */
cJSON	*lease_get(struct space *);
bool	lease_ready(struct space *);		/* of every shard */
/* How many the space has now. */
unsigned space_shards(struct space *);
/* Not read, or not done with, by all fan-outs, and by all readers. */
uint64_t fanout_unread(struct space *);
uint64_t reader_unread(struct space *);

/* --- agents ---------------------------------------------------------------------- */

struct received {
	char	*id;		/* message id */
	char	*text;		/* its first text part */
	char	*from;		/* from.id */
	char	*channel;	/* NULL if none */
};

/* An agent that a test drives: onboarded by `reeve onboard`, its own
 * connection with its own credentials. */
struct agent {
	struct space	*space;
	char		 name[64];
	char		 id[ID_MAX];
	struct creds	 creds;
	struct bus	*bus;
	struct received	*got;		/* in order of arrival */
	size_t		 n_got, cap_got;
	uint64_t	 posted;
	unsigned	 nonce;
};

/* options for onboard, e.g. "--allow-publish general --role x". */
struct agent *agent_make(struct space *, const char *name,
	    const char *options);
void	agent_free(struct agent *);
/* Connect again (after a broker restart); waits for the broker. */
void	agent_connect(struct agent *);
/* Post text to a channel with a fresh id; waits until CHAT has stored it,
 * connecting again as often as needed.  The CHAT sequence. */
uint64_t agent_post(struct agent *, const char *channel, const char *text);
/* The same with everything said: id, mentions ("a,b" or NULL). */
uint64_t agent_post_as(struct agent *, const char *channel, const char *text,
	    const char *id, const char *mentions);
/* Post count messages "<prefix>0".. without waiting for each; all are
 * stored when it returns. */
void	agent_post_many(struct agent *, const char *channel,
	    const char *prefix, unsigned count);

/* A control request as a stock client makes it.  The reply, parsed, or NULL
 * with *e.  args: JSON text or NULL. */
cJSON	*agent_control(struct agent *, const char *op, const char *args,
	    struct error *e);
/* The same in two steps, and with everything said: reply NULL is a lane of
 * its own, "" none at all.  agent_answer waits; the reply is the caller's. */
struct asked {
	struct bus_sub	*sub;
	cJSON		*reply;
	unsigned	 answers;
};
void	agent_ask(struct agent *, struct asked *, const char *op,
	    const char *args);
void	agent_ask_raw(struct agent *, struct asked *, const char *reply,
	    const char *body, size_t len);
cJSON	*agent_answer(struct agent *, struct asked *);
/* durableJoin that must succeed as durable; the generation. */
uint64_t agent_join(struct agent *, const char *channel);
void	agent_leave(struct agent *, const char *channel, uint64_t generation);

/* Pull from dlv_<id> and acknowledge: until n more have come, or none comes
 * for quiet_ms.  Returns how many came. */
size_t	agent_receive(struct agent *, size_t n, int64_t quiet_ms);
/* The same until n more have come; fails the test otherwise. */
void	agent_expect(struct agent *, size_t n);
/* Nothing more comes, though fan-out and reader have nothing left. */
void	agent_expect_none(struct agent *);
void	agent_forget(struct agent *);		/* what it got */
/* How often text (exactly) is among what it got. */
unsigned agent_got(const struct agent *, const char *text);
/* Fan-out and reader have nothing pending and nothing unacknowledged. */
void	await_drained(struct space *);

/* A presence record as an agent's endpoint writes it. */
void	presence_put(struct space *, const char *id, const char *name,
	    const char *status);

/* The body of a suite's main: runs the cases, prints check's summary. */
int	test_main(const char *name, ...) __attribute__((sentinel));
/* One for each TCase: fn adds its tests; setup is one of the fixtures. */
TCase	*test_case(const char *name, SFun setup, double timeout_s);

#endif
