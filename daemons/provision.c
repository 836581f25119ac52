/* SPDX-License-Identifier: ISC */

/*
 * reeve-provision: makes or removes what one agent has on the broker, once,
 * with a credential that can do this and no more, which it is given on its
 * standard input and keeps in memory.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>
#include <sodium.h>

#include "conf.h"
#include "creds.h"
#include "files.h"
#include "names.h"
#include "profile.h"
#include "provision.h"

struct job {
	const char		*state;
	bool			 remove;
	struct strlist		 allow;
	struct provision	 p;
	struct config		 config;
	struct creds		 creds;
};

/* --- what is to be done ------------------------------------------------------ */

static void
usage(FILE *f)
{
	fprintf(f, "usage: reeve-provision create --id ID "
	    "[--allow-subscribe CH,...]\n\t[--name NAME] [--role ROLE] "
	    "[--state DIR] <CREDS\n       reeve-provision remove --id ID "
	    "[--state DIR] <CREDS\n       reeve-provision --help | "
	    "--version\n");
}

static int
add_channels(struct job *j, const char *list)
{
	char	*copy = strdup(list), *rest = copy, *one;
	bool	 ok = copy != NULL;

	while (ok && (one = strsep(&rest, ",")) != NULL)
		ok = strlist_add(&j->allow, one);
	free(copy);
	return ok ? -1 : EX_OSERR;
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, struct job *j)
{
	static const struct option	longs[] = {
		{ "allow-subscribe", required_argument, NULL, 'a' },
		{ "id", required_argument, NULL, 'i' },
		{ "name", required_argument, NULL, 'n' },
		{ "role", required_argument, NULL, 'r' },
		{ "state", required_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	int	c;

	while ((c = getopt_long(argc, argv, "hV", longs, NULL)) != -1)
		switch (c) {
		case 'a':
			if (add_channels(j, optarg) != -1)
				return EX_OSERR;
			break;
		case 'i':
			j->p.id = optarg;
			break;
		case 'n':
			j->p.name = optarg;
			break;
		case 'r':
			j->p.role = optarg;
			break;
		case 's':
			j->state = optarg;
			break;
		case 'V':
			printf("reeve-provision %s\n", PACKAGE_VERSION);
			return EX_OK;
		case 'h':
			usage(stdout);
			return EX_OK;
		default:
			usage(stderr);
			return EX_USAGE;
		}
	if (optind != argc - 1 || j->p.id == NULL ||
	    (strcmp(argv[optind], "create") != 0 &&
	    strcmp(argv[optind], "remove") != 0)) {
		usage(stderr);
		return EX_USAGE;
	}
	j->remove = strcmp(argv[optind], "remove") == 0;
	return -1;
}

/* As for the agent's own credential: the record must not say more than that
 * could. */
static int
check(struct job *j, struct error *e)
{
	static char		*none[] = { NULL };
	struct permissions	 p = { 0 };
	struct scope		 s = { .space = j->config.space,
				    .id = j->p.id, .subscribe = none,
				    .allow_subscribe = j->allow.n > 0 ?
				    j->allow.v : none,
				    .n_allow_subscribe = j->allow.n };
	int			 r;

	if (j->p.name != NULL && !name_is_token(j->p.name))
		return error_set(e, EX_USAGE, "--name: expected letters, "
		    "digits, _ and -");
	if (j->p.role != NULL && !name_is_token(j->p.role))
		return error_set(e, EX_USAGE, "--role: expected letters, "
		    "digits, _ and -");
	r = profile_permissions(PROFILE_AGENT, &s, &p, e);
	permissions_free(&p);
	j->p.space = j->config.space;
	j->p.allow = s.allow_subscribe;
	j->p.n_allow = j->allow.n;
	return r;
}

/* --- doing it ------------------------------------------------------------------- */

static int
connect_broker(struct job *j, struct error *e)
{
	struct bus_conf	conf = { .servers = j->config.servers,
			    .creds = &j->creds, .name = "reeve-provision" };

	return bus_open(&j->p.bus, &conf, e);
}

/* Over a new connection where that was what failed. */
static void
take_back(struct job *j)
{
	struct error	e;

	if (!bus_alive(j->p.bus)) {
		bus_close(j->p.bus);
		j->p.bus = NULL;
	}
	if ((j->p.bus == NULL && connect_broker(j, &e) == -1) ||
	    provision_take_back(&j->p, &e) == -1)
		fprintf(stderr, "reeve-provision: something may be left of %s:"
		    " %s\n", j->p.id, e.text);
}

static int
run(struct job *j, struct error *e)
{
	if (config_open(&j->config, j->state, e) == -1 || check(j, e) == -1 ||
	    creds_read_stdin(&j->creds, e) == -1 ||
	    connect_broker(j, e) == -1)
		return -1;
	if (j->remove)
		return provision_remove(&j->p, e);
	if (provision_make(&j->p, e) == 0)
		return 0;
	take_back(j);
	return -1;
}

int
main(int argc, char **argv)
{
	static struct job	j;
	struct error		e = { .code = EX_SOFTWARE };
	int			code;

	if ((code = parse_options(argc, argv, &j)) != -1)
		return code;
	if (sodium_init() == -1 || run(&j, &e) == -1) {
		fprintf(stderr, "reeve-provision: %s\n", e.text);
		code = e.code;
	} else
		code = EX_OK;
	bus_close(j.p.bus);
	creds_wipe(&j.creds);
	strlist_free(&j.allow);
	config_free(&j.config);
	nats_Close();
	return code;
}
