/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CONF_H
#define REEVE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/*
 * A state directory and its reeve.conf (reeve.conf(5)): `key = value` lines,
 * # comments.  An unknown key, one that is given twice, or a bad value is an
 * error with its line.
 */
struct config {
	char	*state;			/* the directory, absolute */
	char	*space;
	char	*servers;		/* NATS URLs, comma-separated */
	char	*workspace;		/* of the agents' files, absolute; NULL:
					   none is set, and no agents are run */
	char	*memory_slot;		/* path of the declaration, absolute;
					   NULL: memory-provider.json there */
	bool	 embedded;		/* we run the broker ... */
	char	*listen_host;		/* ... here */
	int	 listen_port;
	int64_t	 lease_ttl_ms;
	int64_t	 dedup_window_ms;
	int	 replicas;
};

#define DEFAULT_LEASE_TTL_MS	30000
#define DEFAULT_DEDUP_WINDOW_MS	7200000
#define DEFAULT_SPACE		"main"
#define DEFAULT_HOST		"127.0.0.1"
#define DEFAULT_PORT		4222

/* --state, else $REEVE_STATE, else, for root, STATEDIR (/var/lib/reeve), else
 * $XDG_STATE_HOME/reeve or ~/.local/state/reeve.  malloc'd, absolute. */
char	*config_state_dir(const char *option, struct error *);
/* malloc'd <state>/<fmt...>. */
char	*config_path(const struct config *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* Defaults for a state directory, which it copies. */
int	config_init(struct config *, const char *state, struct error *);
/* EX_CONFIG: no such state (says `reeve init`), or line N of the file;
 * EX_NOINPUT: cannot be read. */
int	config_load(struct config *, const char *state, struct error *);
/* The same of the state directory that config_state_dir says. */
int	config_open(struct config *, const char *option, struct error *);
/*
 * The settings in a file of the host's (<sysconfdir>/reeve/reeve.conf) for a
 * state directory that need not exist.  What the file leaves out has its
 * default; it may name listen or servers, or neither, but not both.
 * EX_NOINPUT: cannot be read.  EX_CONFIG: FILE:LINE and why.
 */
int	config_read(struct config *, const char *state, const char *file,
	    struct error *);
/* What a host's file leaves to the state directory: its workspace, and where
 * the memory slot is. */
int	config_inherit(struct config *, const struct config *was,
	    struct error *);
/* Listen here, HOST:PORT, and let servers name that. EX_CONFIG. */
int	config_serve(struct config *, const char *listen, struct error *);
/* Would config_load take what config_text writes of it?  EX_USAGE. */
int	config_check(const struct config *, struct error *);
/* The file's text for these settings, malloc'd. */
char	*config_text(const struct config *);
void	config_free(struct config *);

/*
 * Who this host is, for the lease (design, "Single flight"): the state
 * directory's uuid, the kernel's boot, the time namespace, and which file the
 * uuid is kept in, so that a copy of the directory is not taken for it:
 * `<uuid>/<boot_id>/<inode>/<device>-<inode>`.  The first part alone names it
 * on the wire.
 */
#define HOST_IDENTITY_MAX	160
struct host {
	char	uuid[37];
	char	identity[HOST_IDENTITY_MAX];
};

int	host_load(struct host *, const struct config *, struct error *);
/* Make <state>/host-id if there is none: 1 made, 0 there, -1 *e. */
int	host_create(const struct config *, struct error *);

#endif
