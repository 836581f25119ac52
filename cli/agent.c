/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "files.h"
#include "json.h"

#define NOTE_MAX	(256 * 1024)
#define UP_MS		15000	/* for agent_up */

/* --- who it is ---------------------------------------------------------------- */

/* <state>/agents/NAME.json, as onboard writes it. */
struct note {
	const char		*name, *id, *role;
	struct json_strings	 subscribe;
};

static const struct json_field note_table[] = {
	{ .name = "name", .type = JSON_STRING, .required = true,
	    .offset = offsetof(struct note, name) },
	{ .name = "id", .type = JSON_STRING,
	    .offset = offsetof(struct note, id) },
	{ .name = "role", .type = JSON_STRING,
	    .offset = offsetof(struct note, role) },
	{ .name = "subscribe", .type = JSON_STRINGS,
	    .offset = offsetof(struct note, subscribe) },
	JSON_END
};

static int
copy(char **out, const char *s, struct error *e)
{
	if (s == NULL || *out != NULL)
		return 0;
	if ((*out = strdup(s)) == NULL)
		return error_errno(e, EX_OSERR, "agent");
	return 0;
}

static int
note_apply(struct agent *a, const char *text, size_t len, struct error *e)
{
	struct note	 note = { .name = NULL };
	cJSON		*o = json_parse(text, len, e);
	size_t		 i;
	int		 r = -1;

	if (o != NULL && json_read(o, note_table, &note, "", e) == 0 &&
	    copy(&a->name, note.name, e) == 0)
		r = copy(&a->role, note.role, e);
	for (i = 0; r == 0 && i < note.subscribe.n; i++)
		if (!strlist_add(&a->subscribe, note.subscribe.v[i]))
			r = error_errno(e, EX_OSERR, "agent");
	json_strings_free(&note.subscribe);
	cJSON_Delete(o);
	return r;
}

/* The text of NAME's note.  1, 0: there is none, -1: *e. */
static int
note_read(struct cli *cli, const char *name, char **text, size_t *len,
    struct error *e)
{
	char	*path;
	int	 r = 0;

	if (!name_is_token(name))
		return 0;
	if ((path = cli_agent_path(cli, name, "json")) == NULL)
		return error_errno(e, EX_OSERR, "agent");
	if (access(path, F_OK) == 0) {
		*text = file_read(path, NOTE_MAX, len, e);
		r = *text == NULL ? -1 : 1;
	}
	free(path);
	return r;
}

/* One made without a note is known by its name alone. */
static int
note_load(struct agent *a, struct error *e)
{
	const char	*name = a->opts->as;
	char		*text;
	size_t		 len;
	int		 r;

	if ((r = note_read(a->cli, name, &text, &len, e)) == -1)
		return -1;
	if (r == 1) {
		if ((r = note_apply(a, text, len, e)) == -1)
			error_wrap(e, "agents/%s.json", name);
		free(text);
	}
	return r == -1 ? -1 : copy(&a->name, name, e);
}

static bool
noted_id(struct cli *cli, const char *name, char id[ID_MAX])
{
	char		*text;
	const char	*value;
	size_t		 len;
	cJSON		*o;
	bool		 found;

	if (note_read(cli, name, &text, &len, NULL) != 1)
		return false;
	o = json_parse(text, len, NULL);
	value = cJSON_GetStringValue(json_get(o, "id"));
	if ((found = value != NULL && name_is_id(value)))
		snprintf(id, ID_MAX, "%s", value);
	cJSON_Delete(o);
	free(text);
	return found;
}

/* The agents that were onboarded under this name, whatever its case. */
static int
noted_names(struct cli *cli, const char *name, struct strlist *names,
    struct error *e)
{
	char		*path = config_path(&cli->config, "agents"), *noted;
	struct dirent	*de;
	size_t		 len;
	DIR		*d;
	int		 r = 0;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "agents");
	d = opendir(path);
	free(path);
	while (r == 0 && d != NULL && (de = readdir(d)) != NULL) {
		len = strlen(de->d_name);
		if (len < 6 || strcmp(de->d_name + len - 5, ".json") != 0)
			continue;
		if ((noted = strndup(de->d_name, len - 5)) == NULL ||
		    (name_same(noted, name) && !strlist_add(names, noted)))
			r = error_errno(e, EX_OSERR, "agents");
		free(noted);
	}
	if (d != NULL)
		closedir(d);
	return r;
}

int
agent_noted_id(struct cli *cli, const char *name, char id[ID_MAX],
    struct error *e)
{
	struct strlist	names = { .n = 0 };
	int		r;

	if (noted_id(cli, name, id))
		return 0;
	r = noted_names(cli, name, &names, e);
	if (r == 0 && names.n > 1)
		r = error_set(e, EX_DATAERR, "\"%s\" is the name of several "
		    "agents here: %s and %s%s", name, names.v[0], names.v[1],
		    names.n > 2 ? " and others" : "");
	else if (r == 0 && (names.n == 0 || !noted_id(cli, names.v[0], id)))
		r = error_set(e, EX_NOUSER, "nobody here is named \"%s\"; "
		    "`reeve roster` shows who is", name);
	strlist_free(&names);
	return r;
}

int
agent_init(struct agent *a, struct cli *cli, const struct agent_opts *opts,
    struct error *e)
{
	memset(a, 0, sizeof(*a));
	a->cli = cli;
	a->opts = opts;
	if ((opts->as == NULL) == (opts->creds == NULL))
		return error_set(e, EX_USAGE, "say which agent: --as NAME, or "
		    "--creds FILE");
	if (opts->name != NULL && !name_is_instance(opts->name))
		return error_set(e, EX_USAGE, "--name: expected one line "
		    "without slashes or blanks around it");
	if (cli_load(cli, e) == -1 || copy(&a->name, opts->name, e) == -1)
		return -1;
	a->space = cli->config.space;
	return opts->as == NULL ? 0 : note_load(a, e);
}

int
agent_begin(struct agent *a, struct endpoint_conf *conf,
    const struct endpoint_ops *ops, void *arg, struct error *e)
{
	if (cli_agent_creds(a->cli, a->opts->as, a->opts->creds, &a->creds,
	    e) == -1)
		return -1;
	a->id = a->creds.key.public;
	if (copy(&a->name, a->id, e) == -1)
		return -1;
	conf->servers = a->cli->config.servers;
	conf->creds = &a->creds;
	conf->space = a->space;
	conf->name = a->name;
	conf->role = a->role;
	if (conf->subscribe == NULL)
		conf->subscribe = &a->subscribe;
	return endpoint_new(&a->ep, conf, ops, arg, e);
}

int
agent_up(struct agent *a, unsigned does, struct error *e)
{
	struct endpoint_conf	conf = { .does = does };

	if (agent_begin(a, &conf, NULL, NULL, e) == -1)
		return -1;
	return endpoint_await(a->ep, UP_MS, e);
}

void
agent_free(struct agent *a)
{
	endpoint_free(a->ep);
	creds_wipe(&a->creds);
	free(a->name);
	free(a->role);
	strlist_free(&a->subscribe);
	memset(a, 0, sizeof(*a));
}

/* All of them are looked at before the first has its turn. */
static int
check_channels(struct strlist *channels, int argc, char **argv,
    struct error *e)
{
	size_t	i;

	if (cli_channels(channels, argc, argv, e) == -1)
		return -1;
	if (channels->n == 0)
		return error_set(e, EX_USAGE, "say which channel");
	for (i = 0; i < channels->n; i++)
		if (!channel_is_concrete(channels->v[i]))
			return error_set(e, EX_USAGE, "\"%s\" is not a "
			    "channel: a durable membership is of one, without "
			    "wildcards", channels->v[i]);
	return 0;
}

int
agent_each_channel(struct cli *cli, const struct agent_opts *opts,
    struct strlist *channels, int argc, char **argv,
    int (*fn)(struct agent *, const char *, void *), void *arg)
{
	struct agent	a;
	struct error	e;
	size_t		i;
	int		code = EX_OK, r;

	memset(&a, 0, sizeof(a));
	if (check_channels(channels, argc, argv, &e) == -1 ||
	    agent_init(&a, cli, opts, &e) == -1 || agent_up(&a, 0, &e) == -1) {
		agent_free(&a);
		return cli_fail(&e);
	}
	for (i = 0; i < channels->n; i++) {
		/* Lost with the one before, it is made again. */
		r = endpoint_is_up(a.ep) ||
		    endpoint_await(a.ep, UP_MS, &e) == 0 ?
		    fn(&a, channels->v[i], arg) : cli_fail(&e);
		if (code == EX_OK)
			code = r;
	}
	agent_free(&a);
	return code;
}

cJSON *
agent_channel_args(const char *channel)
{
	cJSON	*args = cJSON_CreateObject();

	if (args != NULL && json_set_str(args, "channel", channel))
		return args;
	cJSON_Delete(args);
	return NULL;
}
