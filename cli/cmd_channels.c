/* SPDX-License-Identifier: ISC */

/* reeve channels: the channel registry, and what it says of one. */
#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "channels.h"
#include "cli.h"
#include "jetstream.h"
#include "json.h"
#include "names.h"
#include "table.h"

#define SET_TRIES	5

struct opts {
	const char	*class, *replay, *window;
	const char	*description, *instructions;
	struct strlist	 channels;
};

static const struct opt options[] = {
	{ "class", OPT_STRING, offsetof(struct opts, class), "CLASS",
	    "set: live, durable, or default" },
	{ "replay", OPT_STRING, offsetof(struct opts, replay), "YES",
	    "set: yes, no, or default" },
	{ "replay-window", OPT_STRING, offsetof(struct opts, window), "TIME",
	    "set: a duration like 24h, or default" },
	{ "description", OPT_STRING, offsetof(struct opts, description),
	    "TEXT", "set: at most 200 characters; empty removes it" },
	{ "instructions", OPT_STRING, offsetof(struct opts, instructions),
	    "TEXT", "set: at most 2000 characters; empty removes it" },
	{ "channel", OPT_LIST, offsetof(struct opts, channels), "CHANNEL",
	    "set: the same as the second argument" },
	OPT_END
};

/* By enum delivery_class. */
static const char *const class_names[] = { "default", "live", "durable" };

/* --- list ------------------------------------------------------------------- */

struct listing {
	const struct channels	*all;
	struct table		*table;
	cJSON			*json;
	bool			 failed;
};

static void
list_row(void *arg, const char *channel, const struct channel_config *c)
{
	struct listing			*l = arg;
	const struct channel_config	*defaults =
	    channels_find(l->all, CHANNEL_DEFAULTS_KEY);
	const char			*window = c->replay_window;

	if (window == NULL && defaults != NULL)
		window = defaults->replay_window;
	table_row(l->table, channel,
	    class_names[channels_class(l->all, channel)],
	    channels_replay(l->all, channel) ? "yes" : "no", window,
	    c->description);
}

static void
list_json(void *arg, const char *channel, const struct channel_config *c)
{
	struct listing	*l = arg;
	cJSON		*o = cJSON_CreateObject();
	int64_t		 window_ms;

	window_ms = channels_replay_window_ms(l->all, channel);
	if (o != NULL && json_set_str(o, "channel", channel) &&
	    json_set_str(o, "deliveryClass",
	    class_names[channels_class(l->all, channel)]) &&
	    json_set_bool(o, "replay", channels_replay(l->all, channel)) &&
	    (window_ms < 0 || json_set_i64(o, "replayWindowMs", window_ms)) &&
	    (c->description == NULL ||
	    json_set_str(o, "description", c->description)) &&
	    (c->instructions == NULL ||
	    json_set_str(o, "instructions", c->instructions)) &&
	    cJSON_AddItemToArray(l->json, o))
		return;
	cJSON_Delete(o);
	l->failed = true;
}

static int
show_json(const struct channels *all)
{
	struct listing	l = { .all = all, .json = cJSON_CreateArray() };
	int		code;

	if (l.json != NULL)
		channels_each(all, list_json, &l);
	code = cli_print_json(l.failed ? NULL : l.json);
	cJSON_Delete(l.json);
	return code;
}

static int
show(const struct cli *cli, const void *all)
{
	struct table	table;
	struct listing	l = { .all = all, .table = &table };

	if (cli->json)
		return show_json(all);
	table_init(&table, 5, "CHANNEL", "CLASS", "REPLAY", "WINDOW",
	    "DESCRIPTION");
	channels_each(all, list_row, &l);
	return table_print(&table);
}

static int
list(struct cli *cli)
{
	struct channels	*all = channels_new();
	int		 code = bucket_show(cli, BUCKET_CHANNELS,
			    &channels_ops, all, show);

	channels_free(all);
	return code;
}

/* --- set ----------------------------------------------------------------------- */

/* Replace a text; "" and, for a window, "default" remove it. */
static int
set_text(char **where, const char *value, const char *none, struct error *e)
{
	char	*copy = NULL;

	if (value == NULL)
		return 0;
	if (strcmp(value, none) != 0 && (copy = strdup(value)) == NULL)
		return error_errno(e, EX_OSERR, "channel");
	free(*where);
	*where = copy;
	return 0;
}

static int
set_class(struct channel_config *c, const char *value, struct error *e)
{
	int	i;

	if (value == NULL)
		return 0;
	for (i = 0; i < 3; i++)
		if (strcmp(class_names[i], value) == 0) {
			c->delivery_class = (enum delivery_class)i;
			return 0;
		}
	return error_set(e, EX_USAGE, "--class: expected live, durable or "
	    "default, not \"%s\"", value);
}

static int
set_replay(struct channel_config *c, const char *value, struct error *e)
{
	if (value == NULL)
		return 0;
	c->has_replay = strcmp(value, "default") != 0;
	c->replay = strcmp(value, "yes") == 0;
	if (c->has_replay && !c->replay && strcmp(value, "no") != 0)
		return error_set(e, EX_USAGE, "--replay: expected yes, no or "
		    "default, not \"%s\"", value);
	return 0;
}

static int
check_window(const struct opts *o, struct error *e)
{
	if (o->window == NULL || strcmp(o->window, "default") == 0 ||
	    duration_ms(o->window) >= 0)
		return 0;
	return error_set(e, EX_USAGE, "--replay-window: expected a duration "
	    "like 30m, 24h or 7d, or default, not \"%s\"", o->window);
}

/* What the options say, into c. */
static int
apply(struct channel_config *c, const struct opts *o, struct error *e)
{
	if (set_class(c, o->class, e) == -1 ||
	    set_replay(c, o->replay, e) == -1 || check_window(o, e) == -1 ||
	    set_text(&c->replay_window, o->window, "default", e) == -1 ||
	    set_text(&c->description, o->description, "", e) == -1 ||
	    set_text(&c->instructions, o->instructions, "", e) == -1)
		return -1;
	if (channel_config_check(c, e) == -1) {
		e->code = EX_USAGE;
		return -1;
	}
	return 0;
}

static bool
sets_something(const struct opts *o)
{
	return o->class != NULL || o->replay != NULL || o->window != NULL ||
	    o->description != NULL || o->instructions != NULL;
}

static int
check_set(const char *channel, const struct opts *o, struct error *e)
{
	struct channel_config	c;
	int			r;

	memset(&c, 0, sizeof(c));
	if (strcmp(channel, CHANNEL_DEFAULTS_KEY) != 0 &&
	    !channel_is_concrete(channel))
		return error_set(e, EX_USAGE, "\"%s\" is not a channel "
		    "without wildcards, nor %s", channel,
		    CHANNEL_DEFAULTS_KEY);
	if (!sets_something(o))
		return error_set(e, EX_USAGE, "nothing to set; `reeve help "
		    "channels` lists what there is");
	if (strcmp(channel, CHANNEL_DEFAULTS_KEY) == 0 &&
	    (o->description != NULL || o->instructions != NULL))
		return error_set(e, EX_USAGE, "%s has no description and no "
		    "instructions: they are of one channel", channel);
	r = apply(&c, o, e);
	channel_config_free(&c);
	return r;
}

/* The record to write: what is there with the options applied. */
static char *
changed(const struct js_message *was, bool exists, const struct opts *o,
    struct error *e)
{
	struct channel_config	 c;
	char			*text = NULL;

	memset(&c, 0, sizeof(c));
	c.replay_window_ms = -1;
	if (exists && channel_config_read(&c, was->data, was->len, e) == -1)
		error_wrap(e, "the record that is there is not readable");
	else if (apply(&c, o, e) == 0 && (text = channel_config_write(&c,
	    exists ? was->data : NULL, exists ? was->len : 0)) == NULL)
		error_errno(e, EX_OSERR, "channel");
	channel_config_free(&c);
	return text;
}

/* One try.  1: written; 0: somebody else was faster; -1: *e. */
static int
set_once(struct bus *b, const char *stream, const char *subject,
    const struct opts *o, struct error *e)
{
	struct js_message	 was = { .seq = 0 };
	struct bus_pub		 p = { .subject = subject, .expect = true };
	char			*text;
	int			 found, r;

	found = js_get(b, stream, JS_LAST_BY_SUBJECT, 0, subject, &was, e);
	if (found == -1)
		return -1;
	if ((text = changed(&was, found == 1 && !was.deleted, o, e)) == NULL)
		r = -1;
	else {
		p.data = text;
		p.len = strlen(text);
		p.expect_seq = was.seq;
		r = js_publish(b, &p, NULL, NULL, e) == 0 ? 1 :
		    e->api == JS_WRONG_LAST_SEQ ? 0 : -1;
	}
	free(text);
	if (found == 1)
		js_message_free(&was);
	return r;
}

static int
set(struct cli *cli, const struct opts *o, const char *channel,
    struct error *e)
{
	char		 stream[STREAM_MAX], subject[SUBJECT_MAX];
	struct creds	 creds;
	struct bus	*b = NULL;
	int		 r = 0, tries;

	memset(&creds, 0, sizeof(creds));
	if (cli_connect(cli, PROFILE_REGISTRAR, NULL, &creds, &b, e) == -1)
		return -1;
	if (name_bucket_stream(stream, sizeof(stream), cli->config.space,
	    BUCKET_CHANNELS) == -1 || name_bucket_key(subject,
	    sizeof(subject), cli->config.space, BUCKET_CHANNELS,
	    channel) == -1)
		r = error_set(e, EX_USAGE, "\"%s\" is too long", channel);
	for (tries = 0; r == 0 && tries < SET_TRIES; tries++)
		r = set_once(b, stream, subject, o, e);
	if (r == 0)
		error_set(e, EX_TEMPFAIL, "%s: others change it faster; try "
		    "again", channel);
	bus_close(b);
	creds_wipe(&creds);
	return r == 1 ? 0 : -1;
}

#define EXPECTED							\
	"expected `reeve channels`, or `reeve channels set CHANNEL` with "	\
	"what to set"

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct opts	*o = opts;
	const char	*verb = argc == 0 ? "list" : argv[0];
	struct error	 e;
	int		 r = -1;

	if (cli_channels(&o->channels, argc - (argc > 0), argv + (argc > 0),
	    &e) == -1)
		return cli_fail(&e);
	if (strcmp(verb, "list") == 0 && o->channels.n == 0 &&
	    !sets_something(o))
		return list(cli);
	if (strcmp(verb, "set") != 0 || o->channels.n != 1)
		error_set(&e, EX_USAGE, "%s", EXPECTED);
	else if ((r = check_set(o->channels.v[0], o, &e)) == 0)
		r = set(cli, o, o->channels.v[0], &e);
	if (r == -1)
		return cli_fail(&e);
	if (cli->json)
		printf("{\"channel\":\"%s\",\"set\":true}\n",
		    o->channels.v[0]);
	else
		printf("set %s\n", o->channels.v[0]);
	return EX_OK;
}

const struct command cmd_channels = {
	.name = "channels", .args = "[list | set CHANNEL]",
	.summary = "show the channel registry, or change a channel's record",
	.more = "CLASS, REPLAY and WINDOW are what counts: the channel's own "
	    "or that of =defaults.\nAlso =defaults can be set.  A channel "
	    "without a record has the defaults.",
	.opts = options, .opts_size = sizeof(struct opts),
	.min_args = 0, .max_args = 2, .run = run };
