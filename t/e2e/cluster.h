/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_CLUSTER_H
#define REEVE_T_CLUSTER_H

#include "space.h"

/*
 * Machines on a switch: three nats-servers that are one cluster, and hosts of
 * one space, each in a network namespace of its own.  The namespaces have no
 * names: what is in them is all that keeps them, and that ends with the test.
 * The test itself sits on the switch, with the agents.
 *
 * The host of number 0 is the desk: it runs nothing, its settings are those of
 * the command and of the agents.  It is sp.
 */
#define NODES		3
#define HOSTS_MAX	4	/* with the desk */

struct machine {
	char	name[8];	/* "n1", "h1": also its link's at the switch */
	int	number;		/* of its address */
	pid_t	keeper;		/* keeps the namespace */
	int	netns;
	pid_t	pid;		/* a node's nats-server; 0: does not run */
	struct space *space;	/* a host's */
};

struct cluster {
	struct machine	nodes[NODES];
	struct machine	hosts[HOSTS_MAX];
	unsigned	n_hosts;	/* with the desk */
};

/* False, and says why, where machines cannot be made or nats-server is too
 * old for replicas. */
bool	cluster_can_be(void);
/* Everything made, the nodes running, the hosts not; options: more for init
 * of the space. */
void	cluster_make(struct cluster *, unsigned hosts, const char *options);
/* Before the space's teardown. */
void	cluster_end(struct cluster *);
/* Their URLs: of "12" the first two. */
void	cluster_servers(char *buf, size_t size, const char *nodes);
/* Where test and agents connect from now on: to these nodes, "123". */
void	cluster_look(const char *nodes);

/* Take the machine off the switch: nothing comes and nothing goes, and no end
 * of a connection hears of it.  Those that are apart see each other. */
void	machine_part(struct machine *);
void	machine_mend(struct machine *);
/* A signal to all that runs on it. */
void	machine_signal(const struct machine *, int sig);

void	node_start(struct cluster *, unsigned n);
void	node_kill(struct cluster *, unsigned n, int sig);	/* waits */
void	host_crash(struct machine *);	/* SIGKILL to everything, waits */

/* Who leads a stream, or one of its durables (NULL: the stream); -1: nobody
 * says so now. */
int	cluster_leader(struct cluster *, const char *stream,
	    const char *durable);
/* Each stream has a leader and all replicas have all it has. */
bool	cluster_is_whole(struct cluster *);
/* Have this node lead all streams and durables of the space, and wait. */
void	cluster_lead(struct cluster *, unsigned n);

#endif
