/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "clock.h"
#include "ctl.h"
#include "files.h"
#include "jetstream.h"
#include "json.h"

#define NOTE_MAX	(256 * 1024)
#define BEAT_MS		2000
#define UP_MS		15000	/* for agent_up */

#define UNSERVED							\
	"there is no durable delivery in this space now: nobody answers on " \
	"ctl.delivery. `reeve status` shows which role is not up; messages " \
	"that are sent meanwhile are heard live only"

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

int
agent_open(struct agent *a, struct error *e)
{
	if (cli_connect_agent(a->cli, a->opts->as, a->opts->creds, &a->creds,
	    &a->bus, e) == -1) {
		a->bus = NULL;
		return -1;
	}
	a->id = a->creds.key.public;
	a->beat_ms = 0;
	return copy(&a->name, a->id, e);
}

void
agent_close(struct agent *a)
{
	bus_close(a->bus);
	a->bus = NULL;
	creds_wipe(&a->creds);
}

void
agent_free(struct agent *a)
{
	endpoint_free(a->ep);
	agent_close(a);
	free(a->name);
	free(a->role);
	strlist_free(&a->subscribe);
	memset(a, 0, sizeof(*a));
}

/* --- presence ------------------------------------------------------------------- */

static char *
presence_text(const struct agent *a, enum status status)
{
	char		kind[] = "agent", id[ID_MAX];
	struct presence	p = { .id = id, .name = a->name, .kind = kind,
			    .role = a->role, .status = status,
			    .ts_ms = clock_epoch_ms() };

	snprintf(id, sizeof(id), "%s", a->id);
	return presence_write(&p);
}

static int
presence_subject(const struct agent *a, char *buf, size_t size,
    struct error *e)
{
	if (name_bucket_key(buf, size, a->space, BUCKET_PRESENCE, a->id) != -1)
		return 0;
	return error_set(e, EX_CONFIG, "the space's name is too long");
}

int
agent_presence(struct agent *a, enum status status, struct error *e)
{
	char		 subject[SUBJECT_MAX], *text;
	struct bus_pub	 p = { .subject = subject };
	int		 r;

	if (presence_subject(a, subject, sizeof(subject), e) == -1)
		return -1;
	if ((text = presence_text(a, status)) == NULL)
		return error_errno(e, EX_OSERR, "presence");
	p.data = text;
	p.len = strlen(text);
	r = js_publish(a->bus, &p, NULL, NULL, e);
	free(text);
	a->beat_ms = clock_ms();
	return r == -1 ? error_wrap(e, "presence") : 0;
}

/* Its answer is only a sign of life; the next one tries again. */
static void
on_beat(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	(void)arg;
	(void)outcome;
	(void)reply;
}

int
agent_beat(struct agent *a, struct error *e)
{
	char		 subject[SUBJECT_MAX], *text;
	struct bus_pub	 p = { .subject = subject };
	int64_t		 now = clock_ms();
	int		 r;

	if (now - a->beat_ms < BEAT_MS)
		return 0;
	a->beat_ms = now;
	if (presence_subject(a, subject, sizeof(subject), e) == -1)
		return -1;
	if ((text = presence_text(a, STATUS_IDLE)) == NULL)
		return error_errno(e, EX_OSERR, "presence");
	p.data = text;
	p.len = strlen(text);
	r = bus_request(a->bus, &p, BEAT_MS, on_beat, NULL, e);
	free(text);
	return r;
}

/* --- its durables ------------------------------------------------------------------ */

static int
durable_name(const struct agent *a, enum stream_kind kind, char *buf,
    size_t size, struct error *e)
{
	char	role[STREAM_MAX - 4];

	if (kind != STREAM_TASK)
		snprintf(buf, size, "%s_%s", kind == STREAM_DM ? "dm" : "dlv",
		    a->id);
	else if (name_token(role, sizeof(role), a->role) == -1)
		return error_set(e, EX_CONFIG, "the role's name is too long");
	else
		snprintf(buf, size, "svc_%s", role);
	return 0;
}

int
agent_pull(struct agent *a, struct pull *p, enum stream_kind kind,
    unsigned batch, pull_fn *fn, void *arg, struct error *e)
{
	char			stream[STREAM_MAX], name[STREAM_MAX];
	struct js_consumer	info;

	if (kind == STREAM_TASK && a->role == NULL)
		return 0;
	if (name_stream(stream, sizeof(stream), a->space, kind) == -1)
		return error_set(e, EX_CONFIG, "the space's name is too long");
	if (durable_name(a, kind, name, sizeof(name), e) == -1)
		return -1;
	if (js_consumer_info(a->bus, stream, name, &info, e) == -1)
		return e->api == JS_NO_CONSUMER || e->api == JS_NO_STREAM ?
		    0 : -1;
	js_consumer_free(&info);
	return pull_start(p, a->bus, stream, name, batch, fn, arg, e) == -1 ?
	    -1 : 1;
}

int
agent_settle(struct agent *a, natsMsg *m, const char *how, struct error *e)
{
	struct bus_pub	p = { .subject = natsMsg_GetReply(m), .data = how,
			    .len = strlen(how) };

	return bus_publish(a->bus, &p, e);
}

/* --- ctl.delivery -------------------------------------------------------------------- */

static void
on_lane(void *arg, natsMsg *m)
{
	struct agent_call	*c = arg;

	if (!c->done && natsMsg_IsNoResponders(m))
		c->done = c->no_responder = true;
	else if (!c->done) {
		c->done = true;
		c->reply = m;
		return;
	}
	natsMsg_Destroy(m);
}

int
agent_ask(struct agent *a, struct agent_call *c, const char *op, cJSON *args,
    int64_t timeout_ms, struct error *e)
{
	struct bus_pub	 p = { .subject = c->subject, .reply = c->reply_to };
	char		*text = ctl_request(op, args, a->id, a->name,
			    a->role);
	int		 r = -1;

	memset(c, 0, sizeof(*c));
	c->bus = a->bus;
	c->deadline_ms = clock_ms() + timeout_ms;
	if (text == NULL)
		return error_errno(e, EX_OSERR, "%s", op);
	p.data = text;
	p.len = strlen(text);
	if (ctl_address(c->subject, c->reply_to, a->space, "delivery", a->id,
	    e) == 0 && (c->lane = bus_subscribe(a->bus,
	    c->reply_to, NULL, on_lane, c, e)) != NULL)
		r = bus_publish(a->bus, &p, e);
	free(text);
	if (r == -1)
		agent_drop(c);
	return r;
}

static bool
call_refused(const struct agent_call *c)
{
	return bus_refused(c->bus, c->subject) ||
	    bus_refused(c->bus, c->reply_to);
}

bool
agent_asked(const struct agent_call *c)
{
	return c->done || !bus_alive(c->bus) || call_refused(c) ||
	    clock_ms() >= c->deadline_ms;
}

void
agent_drop(struct agent_call *c)
{
	bus_unsubscribe(c->bus, c->lane);
	natsMsg_Destroy(c->reply);
	c->lane = NULL;
	c->reply = NULL;
}

cJSON *
agent_answer(struct agent_call *c, struct error *e)
{
	cJSON	*data = NULL;

	if (c->reply != NULL)
		data = ctl_data(c->reply, NULL, e);
	else if (c->no_responder)
		error_set(e, EX_UNAVAILABLE, "%s", UNSERVED);
	else if (!bus_alive(c->bus))
		error_set(e, EX_TEMPFAIL, "connection lost: %s",
		    bus_why(c->bus));
	else if (call_refused(c))
		error_set(e, EX_NOPERM, "these credentials may not call "
		    "ctl.delivery");
	else
		error_set(e, EX_TEMPFAIL, "ctl.delivery did not answer in "
		    "time; try again");
	agent_drop(c);
	return data;
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
