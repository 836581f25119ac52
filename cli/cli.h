/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CLI_H
#define REEVE_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "bus.h"
#include "conf.h"
#include "creds.h"
#include "error.h"
#include "profile.h"
#include "strlist.h"
#include "trust.h"

/*
 * A subcommand is a file cmd_NAME.c with a const struct command at its end;
 * reeve.c has the table of them and knows nothing else.
 */
enum opt_type {
	OPT_FLAG,	/* bool */
	OPT_STRING,	/* const char * */
	OPT_NUMBER,	/* int64_t above 0; 0: not given */
	OPT_DURATION,	/* int64_t ms above 0: 30s, 5m, 2h, 1d */
	OPT_LIST,	/* struct strlist: repeated, or commas */
};

struct opt {
	const char	*name;		/* --name */
	enum opt_type	 type;
	size_t		 offset;	/* in the command's options */
	const char	*arg;		/* what --help calls its value */
	const char	*help;
};
#define OPT_END	{ .name = NULL }

struct cli;

struct command {
	const char		*name;
	const char		*args;		/* "NAME [CHANNEL...]" or "" */
	const char		*summary;	/* a line */
	const char		*more;		/* paragraphs for help; or NULL */
	const struct opt	*opts;		/* or NULL */
	const char		*letters;	/* of those that -x is, too: the
						   first that begins so */
	size_t			 opts_size;	/* of its options struct */
	int			 min_args, max_args;	/* -1: any number */
	bool			 as_caller;	/* never becomes the state's
						   owner: an agent's own */
	/* opts: zeroed, then filled.  Returns the exit code. */
	int			(*run)(struct cli *, void *opts, int argc,
				    char **argv);
};

extern const struct command *const commands[];	/* NULL-terminated */

/* For commands whose arguments are channels: those can be options, too. */
#define CHANNEL_OPT(type, member)					\
	{ "channel", OPT_LIST, offsetof(type, member), "CHANNEL,...",	\
	    "the same as an argument" }

/* What every command is run with. */
struct cli {
	const char	*program;	/* argv[0] */
	const char	*state_opt;	/* --state, or NULL */
	bool		 json;		/* --json */
	struct config	 config;	/* after cli_load */
	bool		 loaded;
};

/* "reeve: ..." on stderr; returns e->code (or EX_SOFTWARE). */
int	cli_fail(const struct error *e);
/* Standard output could not be written: EX_IOERR, said on stderr unless who
 * read it has gone, as head does. */
int	cli_unwritten(void);
/* An object or a list on a line; EX_OK, or EX_OSERR having said so, also for
 * NULL: what could not be made for want of memory. */
int	cli_print_json(const cJSON *);
/* The state directory and its reeve.conf; 0 or -1 with *e. */
int	cli_load(struct cli *, struct error *);
void	cli_free(struct cli *);
/* Add the arguments to what CHANNEL_OPT brought. */
int	cli_channels(struct strlist *, int argc, char **argv,
	    struct error *);
/* Colour only on a terminal, and never with NO_COLOR. */
bool	cli_color(FILE *);

/*
 * A person's short-lived credential of this profile, minted from the state's
 * trust file, in memory only: wipe it.  scope may be NULL.  EX_NOINPUT or
 * EX_NOPERM: the trust file is not ours to read.
 */
int	cli_mint(struct cli *, enum profile, struct scope *, struct creds *,
	    struct error *);
/* Connect with one. */
int	cli_connect(struct cli *, enum profile, struct scope *,
	    struct creds *, struct bus **, struct error *);
/* The state's trust file. */
int	cli_trust(struct cli *, struct trust *, struct error *);
/*
 * An agent's credentials: --creds FILE, or of NAME of `reeve onboard`
 * (<state>/agents/NAME.creds).  Exactly one of them is not NULL.
 */
int	cli_agent_creds(struct cli *, const char *name, const char *file,
	    struct creds *, struct error *);
/* malloc'd <state>/agents/NAME.creds or .json (what onboard noted of it). */
char	*cli_agent_path(struct cli *, const char *name, const char *ext);

#endif
