/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SETUP_H
#define REEVE_SETUP_H

#include <sys/types.h>

#include "cli.h"

/*
 * The parts of `reeve init`.  Each makes what is missing and counts it; what
 * is there as it should be is left alone, so a second run changes nothing.
 * -1 with *e.
 */
struct setup {
	struct config	*config;
	struct trust	 trust;
	const char	*fanout_from;	/* first, new, a sequence; or NULL */
	unsigned	 changes;
	bool		 quiet;
	/* who says what was made; NULL: standard output */
	void		(*say)(void *arg, const char *line);
	void		*say_arg;
	const char	*signer_user;	/* --signer-user, or NULL */
	bool		 moved;		/* a service came or went */
	int64_t		 want_shards;	/* --shards; 0: as the space has */
	/* what setup_space found out */
	unsigned	 shards;
	uint64_t	 layout_seq;	/* revision of =delivery; 0: none */
};

/* A line for the person about something that was made. */
void	setup_say(struct setup *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/* Write path, and say so, unless it says that already. */
int	setup_write(struct setup *, const char *path, const char *text,
	    mode_t, struct error *);

/* A trust file that is to be imported, if it fits these settings: else
 * EX_CONFIG, or trust_load's codes, and the trust is zero. */
int	setup_load_import(struct trust *, const struct config *,
	    const char *import, struct error *);
/* The directory: modes, host id, trust. */
int	setup_trust(struct setup *, const char *import, struct error *);
/* The embedded broker's configuration file. */
int	setup_broker(struct setup *, struct error *);
/*
 * What the roles of setup_space's number of shards run with: credentials, and
 * service directories (reeve-service(5)).  Those of another number go, and
 * whose service stays is told to start anew.
 */
int	setup_creds(struct setup *, struct error *);
int	setup_services(struct setup *, struct error *);
/* What running agents takes, where there is a workspace: the signer's seed,
 * the credentials of signer and manager, and their services; the canary's. */
int	setup_agents_creds(struct setup *, struct error *);
int	setup_agents_services(struct setup *, struct error *);
/* <state>/creds/FILE.creds, made, or renewed where the profile grants other
 * things than it does; role is what it is called to the person. */
int	setup_cred(struct setup *, const char *file, const char *role,
	    enum profile, struct scope *, struct error *);
/* A service: the program of this role with `--state DIR`, then args.  needs:
 * what comes before it, a line each. */
int	setup_service(struct setup *, const char *name, const char *role,
	    const char *args, const char *needs, struct error *);
/* "fanout", or with more than one shard "fanout-SHARD". */
void	setup_role_name(char *buf, size_t size, const char *role,
	    unsigned shard, unsigned shards);
/* On the broker: streams, buckets, the number of shards, the workers'
 * durables.  Starts the embedded one for as long as it takes when nobody
 * answers. */
int	setup_space(struct setup *, struct error *);

/* malloc'd path of a program of ours: beside this one in a build tree, else
 * where it is installed. */
char	*setup_program(const char *name, struct error *);
/* malloc'd path of nats-server: $REEVE_NATS_SERVER, else in PATH or sbin. */
char	*setup_nats_server(struct error *);

/* --fanout-from's value: a sequence, first or new; else EX_USAGE. */
int	setup_check_fanout_from(const char *, struct error *);
/* `reeve init`, as `reeve up` does it: with no options, or --config. */
int	setup_default(struct cli *, const char *config, struct error *);

/* And as `reeve migrate` does it. */
struct takeover {
	const struct config	*want;		/* its workspace may be NULL */
	const char		*trust;		/* the file to import */
	const char		*fanout_from;	/* or NULL */
	bool			 first;		/* there are no settings yet */
	void			(*say)(void *arg, const char *line);
	void			*arg;
};
int	setup_takeover(struct cli *, const struct takeover *, struct error *);

/* Does a role of this host run, but the broker, whoever supervises it? */
bool	setup_host_runs(const struct config *);
/* Have reeved stop everything, and wait for its end: 1, 0 when it did not
 * run, or -1 with *e. */
int	reeved_stop(const struct config *, struct error *);

extern const char *const setup_roles[];		/* NULL-terminated */

#endif
