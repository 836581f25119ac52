/* SPDX-License-Identifier: ISC */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "json.h"
#include "names.h"
#include "table.h"

#define MINT_TTL_S	300

int
cli_fail(const struct error *e)
{
	/* Some of it may be quoted from what others wrote. */
	fputs("reeve: ", stderr);
	text_put(stderr, e->text, "\n");
	fputc('\n', stderr);
	return e->code > 0 ? e->code : EX_SOFTWARE;
}

int
cli_unwritten(void)
{
	struct pollfd	p = { .fd = STDOUT_FILENO };
	struct error	e;

	error_set(&e, EX_IOERR, "cannot write to standard output");
	/* A pipe that nobody reads is in error. */
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLERR))
		return e.code;
	return cli_fail(&e);
}

int
cli_print_json(const cJSON *o)
{
	char		*text = o == NULL ? NULL : json_print(o);
	struct error	 e;

	if (text == NULL) {
		error_set(&e, EX_OSERR, "out of memory");
		return cli_fail(&e);
	}
	printf("%s\n", text);
	free(text);
	return EX_OK;
}

int
cli_channels(struct strlist *channels, int argc, char **argv,
    struct error *e)
{
	int	i;

	for (i = 0; i < argc; i++)
		if (!strlist_add(channels, argv[i]))
			return error_errno(e, EX_OSERR, "channels");
	return 0;
}

bool
cli_color(FILE *f)
{
	const char	*no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(f)) && (no == NULL || no[0] == '\0') &&
	    term != NULL && strcmp(term, "dumb") != 0;
}

int
cli_load(struct cli *c, struct error *e)
{
	if (c->loaded)
		return 0;
	if (config_open(&c->config, c->state_opt, e) == -1)
		return -1;
	c->loaded = true;
	return 0;
}

void
cli_free(struct cli *c)
{
	if (c->loaded)
		config_free(&c->config);
	c->loaded = false;
}

int
cli_trust(struct cli *c, struct trust *t, struct error *e)
{
	char	*path = config_path(&c->config, "trust/auth.json");
	int	 r;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "trust");
	r = trust_load(t, path, e);
	free(path);
	return r;
}

static int
connect_with(struct cli *c, const char *name, const struct creds *creds,
    struct bus **b, struct error *e)
{
	struct bus_conf	conf = { .servers = c->config.servers,
			    .creds = creds, .name = name };

	return bus_open(b, &conf, e);
}

int
cli_mint(struct cli *c, enum profile profile, struct scope *scope,
    struct creds *creds, struct error *e)
{
	struct scope	empty;
	struct trust	trust;
	int		r;

	memset(creds, 0, sizeof(*creds));
	memset(&empty, 0, sizeof(empty));
	if (cli_load(c, e) == -1 || cli_trust(c, &trust, e) == -1)
		return -1;
	empty.space = c->config.space;
	r = trust_mint(&trust, profile, scope == NULL ? &empty : scope,
	    MINT_TTL_S, creds, e);
	trust_wipe(&trust);
	return r;
}

int
cli_connect(struct cli *c, enum profile profile, struct scope *scope,
    struct creds *creds, struct bus **b, struct error *e)
{
	char	name[64];
	int	r;

	if (cli_mint(c, profile, scope, creds, e) == -1)
		return -1;
	snprintf(name, sizeof(name), "reeve %s", profile_name(profile));
	if ((r = connect_with(c, name, creds, b, e)) == -1)
		creds_wipe(creds);
	return r;
}

char *
cli_agent_path(struct cli *c, const char *name, const char *ext)
{
	return config_path(&c->config, "agents/%s.%s", name, ext);
}

int
cli_agent_creds(struct cli *c, const char *name, const char *file,
    struct creds *creds, struct error *e)
{
	char	*path;
	int	 r;

	memset(creds, 0, sizeof(*creds));
	if (cli_load(c, e) == -1)
		return -1;
	if (file == NULL && !name_is_token(name))
		return error_set(e, EX_USAGE, "\"%s\" is not the name of an "
		    "agent: letters, digits, _ and -", name);
	path = file != NULL ? strdup(file) : cli_agent_path(c, name, "creds");
	if (path == NULL)
		return error_errno(e, EX_OSERR, "creds");
	if (file == NULL && access(path, F_OK) == -1)
		r = error_set(e, EX_NOINPUT, "no agent \"%s\" here: `reeve "
		    "onboard %s` makes one", name, name);
	else
		r = creds_load(creds, path, e);
	free(path);
	return r;
}
