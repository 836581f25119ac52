/* SPDX-License-Identifier: ISC */

/*
 * Hosts of one space on a cluster of three nodes, under load: what may befall
 * a host, its link, and a node.  Nothing is lost or doubled, and never do two
 * hosts work on a shard.
 */
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cluster.h"
#include "files.h"
#include "flight.h"
#include "load.h"
#include "supervised.h"

#define LISTENERS	4

static struct cluster	c;
static struct load	load;
static unsigned		shards;

/* --- turning ------------------------------------------------------------------- */

static bool
turn(void)
{
	load_turn(&load);
	flight_turn();
	return true;
}

static void
run_for(int64_t ms)
{
	int64_t	until = clock_ms() + ms;

	while (clock_ms() < until)
		turn();
}

/* AWAIT that goes on, and longer: leaders are elected within 10 s. */
#define EVENTUALLY(what)						\
	do {								\
		int64_t until_ms_ = clock_ms() + 3 * AWAIT_MS;		\
									\
		while (turn() && !(what))				\
			if (clock_ms() > until_ms_)			\
				test_fail(__FILE__, __LINE__, #what);	\
	} while (0)

/* All shards are held, none by this host (0: by any). */
static bool
held_without(unsigned host)
{
	unsigned	i, holder;

	for (i = 0; i < shards; i++)
		if ((holder = flight_holder(i)) == 0 || holder == host)
			return false;
	return true;
}

/* --- setting up ---------------------------------------------------------------- */

/* Host 1 works, the others stand by; test and agents are on these nodes. */
static void
begin(unsigned hosts, unsigned n_shards, const char *nodes)
{
	char		options[80];
	unsigned	i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	shards = n_shards;
	snprintf(options, sizeof(options), "--lease-ttl 3s --shards %u",
	    shards);
	cluster_make(&c, hosts, options);
	cluster_look(nodes);
	flight_watch(&c, shards, nodes);
	load_init(&load, sp);
	space_start(c.hosts[1].space);
	EVENTUALLY(held_without(0));
	for (i = 2; i <= hosts; i++)
		space_start(c.hosts[i].space);
	for (i = 2; i <= hosts; i++)
		EVENTUALLY(flight_stands_by(i, 0));
	for (i = 0; i < 3; i++)
		load_sender(&load, "busy", 25);
	for (i = 0; i < LISTENERS; i++)
		agent_join(load_listener(&load, "busy")->agent, "busy");
	run_for(500);
}

/* Everything that was sent was received, once; never did two work. */
static void
finish(bool order)
{
	struct span	all = { 0, UINT64_MAX, 0 };
	unsigned	i, sent = 0;

	EVENTUALLY(held_without(0));
	load_hush(&load);
	for (i = 0; i < LISTENERS; i++)
		load_check_spans(&load, &load.listeners[i], "busy", &all, 1,
		    order);
	for (i = 0; i < load.n_senders; i++)
		sent += load.senders[i].n;
	flight_check();
	ck_assert_ptr_null(dead_letter(sp, 0));
	printf("%u messages to %u each\n", sent, LISTENERS);
	load_free(&load);
	flight_end();
	cluster_end(&c);
}

/* --- hosts ------------------------------------------------------------------------ */

/* What it may take is measured where nothing else runs: bench/failover. */
static void
say_took(const char *what, int64_t since)
{
	printf("%s: %lld ms\n", what, (long long)(clock_ms() - since));
}

/* It hands each of its shards over. */
static void
stop_clean(unsigned host)
{
	struct space	*s = c.hosts[host].space;
	int64_t		 since = clock_ms();
	unsigned	 i, held = 0, before = logged_times(s,
			    "lease released");

	EVENTUALLY(held_without(0));
	for (i = 0; i < shards; i++)
		held += flight_holder(i) == host;
	space_end(s);
	EVENTUALLY(held_without(host));
	say_took("after a clean stop", since);
	space_stop(s);
	ck_assert_uint_gt(held, 0);
	ck_assert_uint_eq(logged_times(s, "lease released"), before + held);
}

static void
come_back(unsigned host)
{
	int64_t	since = clock_epoch_ms();

	space_start(c.hosts[host].space);
	EVENTUALLY(flight_stands_by(host, since));
}

static void
crash(unsigned host)
{
	int64_t	since = clock_ms();

	host_crash(&c.hosts[host]);
	flight_mark(host);
	EVENTUALLY(held_without(host));
	say_took("after SIGKILL", since);
}

/* Stopped for longer than its right lasts, it wakes up with pulls and messages
 * in hand, and has nothing to say. */
static void
freeze(unsigned host)
{
	int64_t	since = clock_ms(), woke;

	machine_signal(&c.hosts[host], SIGSTOP);
	flight_mark(host);
	EVENTUALLY(held_without(host));
	say_took("after SIGSTOP", since);
	run_for(500);
	woke = clock_epoch_ms();
	machine_signal(&c.hosts[host], SIGCONT);
	EVENTUALLY(flight_last_pause(host, 0, woke) > 0);
	run_for(500);
	ck_assert(held_without(host));
}

static unsigned
holder(void)
{
	EVENTUALLY(held_without(0));
	return flight_holder(0);
}

START_TEST(hosts_go_and_come)
{
	unsigned	who;

	begin(3, 2, "123");
	stop_clean(1);
	run_for(500);
	come_back(1);
	who = holder();
	crash(who);
	run_for(500);
	come_back(who);
	freeze(holder());
	finish(true);
}
END_TEST

/* --- links ------------------------------------------------------------------------ */

/* Cut off, the host paused by its own clock before another could hold. */
static void
check_paused_first(unsigned was, int64_t cut)
{
	unsigned	i, is;
	int64_t		paused, held;

	for (i = 0; i < shards; i++) {
		is = flight_holder(i);
		paused = flight_last_pause(was, i, cut);
		held = flight_first_hold(is, i, cut);
		ck_assert_msg(paused > 0 && held > 0 && paused < held,
		    "shard %u: host %u paused at %lld, host %u held at %lld",
		    i, was, (long long)paused, is, (long long)held);
		printf("shard %u: paused %lld ms before it was held again\n",
		    i, (long long)(held - paused));
	}
}

static void
part(unsigned host, int node)
{
	int64_t	since = clock_ms(), cut = clock_epoch_ms();

	machine_part(&c.hosts[host]);
	if (node != -1)
		machine_part(&c.nodes[node]);
	EVENTUALLY(held_without(host));
	printf("after the cut: %lld ms\n", (long long)(clock_ms() - since));
	check_paused_first(host, cut);
	run_for(1000);
	if (node != -1)
		machine_mend(&c.nodes[node]);
	machine_mend(&c.hosts[host]);
	EVENTUALLY(cluster_is_whole(&c));
	/* Workers whose connection has lasted have paused once, and for all;
	 * the keeper learns only now whose the lease is.  Nobody's, perhaps:
	 * a cluster that has just mended can keep the other from renewing. */
	EVENTUALLY(flight_is_back(host, cut));
}

/* No node is reached. */
START_TEST(host_is_cut_off)
{
	begin(2, 2, "123");
	part(1, -1);
	/* and it is good for something again */
	stop_clean(holder());
	finish(true);
}
END_TEST

/* With it the node that leads everything: its word is old, and it does not
 * know. */
START_TEST(host_is_cut_off_with_the_leader)
{
	begin(2, 1, "23");
	cluster_lead(&c, 0);
	part(1, 0);
	finish(false);
}
END_TEST

/* --- nodes ------------------------------------------------------------------------ */

/* Each listener has got something that was said since. */
static bool
delivered_since(int64_t ms)
{
	const struct listener	*li;
	const struct copy	*last;
	unsigned		 i;

	for (i = 0; i < load.n_listeners; i++) {
		li = &load.listeners[i];
		last = &li->copies[li->n - 1];
		if (li->n == 0 || load.senders[last->sender].n <= last->n ||
		    load.senders[last->sender].posts[last->n].ms <= ms)
			return false;
	}
	return true;
}

static void
lose_node(unsigned n)
{
	int64_t	since = clock_ms();

	node_kill(&c, n, SIGKILL);
	EVENTUALLY(delivered_since(since));
	printf("node %u lost: delivered again after %lld ms\n", n + 1,
	    (long long)(clock_ms() - since));
	EVENTUALLY(held_without(0));
	run_for(1000);
	node_start(&c, n);
	EVENTUALLY(cluster_is_whole(&c));
}

START_TEST(node_is_lost)
{
	begin(2, 2, "123");
	cluster_lead(&c, 0);
	lose_node(1);
	finish(true);
}
END_TEST

START_TEST(leading_node_is_lost)
{
	begin(2, 2, "123");
	cluster_lead(&c, 0);
	lose_node(0);
	finish(false);
}
END_TEST

/* --- shards ----------------------------------------------------------------------- */

/* A command on a host's state, while the load goes on; its output. */
static void
command(unsigned host, const char *args)
{
	char	 cmd[600], said[4096] = "", path[400], *text;
	int	 status;
	pid_t	 pid;

	snprintf(path, sizeof(path), "%s/said", sp->dir);
	snprintf(cmd, sizeof(cmd), "exec %s/reeve --state %s %s >%s 2>&1",
	    getenv("REEVE_BINDIR") == NULL ? "." : getenv("REEVE_BINDIR"),
	    c.hosts[host].space->state, args, path);
	fflush(NULL);
	ck_assert((pid = fork()) != -1);
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	EVENTUALLY(waitpid(pid, &status, WNOHANG) == pid);
	if ((text = file_read(path, sizeof(said), NULL, NULL)) != NULL)
		snprintf(said, sizeof(said), "%s", text);
	free(text);
	ck_assert_msg(status == 0, "reeve %s: %x: %s", args, status, said);
}

/* The other host learns of it by init, and takes over. */
START_TEST(shards_are_changed)
{
	begin(2, 1, "123");
	command(1, "reshard 3");
	shards = 3;
	flight_shards(shards);
	EVENTUALLY(held_without(0));
	EVENTUALLY(logged(c.hosts[2].space, "set up for 1"));
	command(2, "init");
	EVENTUALLY(flight_stands_by(2, 0));
	run_for(500);
	stop_clean(1);
	finish(true);
}
END_TEST

static TCase *
make_case(const char *name)
{
	TCase	*tc = tcase_create(name);

	tcase_add_checked_fixture(tc, NULL, space_teardown);
	tcase_set_timeout(tc, 180);
	return tc;
}

int
main(void)
{
	TCase	*hosts, *links, *nodes, *cut;

	if (!supervised_by_reeved("it matters not who supervises") ||
	    !cluster_can_be())
		return 77;
	hosts = make_case("hosts");
	tcase_add_test(hosts, hosts_go_and_come);
	links = make_case("links");
	tcase_add_test(links, host_is_cut_off);
	tcase_add_test(links, host_is_cut_off_with_the_leader);
	nodes = make_case("nodes");
	tcase_add_test(nodes, node_is_lost);
	tcase_add_test(nodes, leading_node_is_lost);
	cut = make_case("shards");
	tcase_add_test(cut, shards_are_changed);
	return test_main("cluster", hosts, links, nodes, cut, NULL);
}
