/* SPDX-License-Identifier: ISC */

/* reeve send: an agent says something to a channel, an agent or a role. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "json.h"
#include "message.h"
#include "roster.h"

#define WINDOW		256		/* unacknowledged at once */
#define DRAIN_MS	30000		/* each of them ends before */
#define UP_MS		15000
#define TURN_MS		200
#define INPUT_MAX	(16 * 1024 * 1024)
#define CHUNK		65536

struct opts {
	struct agent_opts	 agent;
	const char		*channel, *to, *role;
	struct strlist		 mentions;
	const char		*reply_to, *context, *data, *id;
	bool			 lines;
};

static const struct opt options[] = {
	AGENT_OPTS(struct opts, agent),
	{ "channel", OPT_STRING, offsetof(struct opts, channel), "CHANNEL",
	    "to all that hear this channel" },
	{ "to", OPT_STRING, offsetof(struct opts, to), "AGENT",
	    "to one agent, by name or id" },
	{ "role", OPT_STRING, offsetof(struct opts, role), "ROLE",
	    "to any one agent of this role" },
	{ "mention", OPT_LIST, offsetof(struct opts, mentions), "NAME,...",
	    "name who is meant" },
	{ "reply-to", OPT_STRING, offsetof(struct opts, reply_to), "ID",
	    "the message that this one answers" },
	{ "context", OPT_STRING, offsetof(struct opts, context), "ID",
	    "the conversation that it belongs to" },
	{ "data", OPT_STRING, offsetof(struct opts, data), "JSON",
	    "send this instead of a text" },
	{ "id", OPT_STRING, offsetof(struct opts, id), "ID",
	    "its id (default: a new one)" },
	{ "lines", OPT_FLAG, offsetof(struct opts, lines), NULL,
	    "send each line of standard input as a message" },
	OPT_END
};

struct sender {
	const struct cli	*cli;
	const struct opts	*opts;
	struct agent		 agent;
	char			 target[ID_MAX];	/* of --to */
	struct message_draft	 draft;
	char			**mentions;
	size_t			 n_mentions;
	cJSON			*data;
	uint64_t		 sent, stored;
	struct error		 failure;	/* the first; code 0: none */
};

/* --- whom it is for ------------------------------------------------------------ */

/* Among who is there, or known to be away: there, or by onboard's note. */
static int
resolve(struct sender *s, const char *name, struct error *e)
{
	const struct peer	*peer;

	if (name_is_id(name)) {
		snprintf(s->target, sizeof(s->target), "%s", name);
		return 0;
	}
	peer = roster_resolve(endpoint_roster(s->agent.ep), name, e);
	if (peer != NULL)
		snprintf(s->target, sizeof(s->target), "%s",
		    peer->presence.id);
	else if (e->code != EX_NOUSER)
		return -1;
	else
		return agent_noted_id(s->agent.cli, name, s->target, e);
	return 0;
}

static int
address(struct sender *s, struct error *e)
{
	const struct opts	*o = s->opts;

	s->draft.channel = o->channel;
	s->draft.to_service = o->role;
	if (o->to == NULL)
		return 0;
	s->draft.to = s->target;
	return resolve(s, o->to, e);
}

static int
check_options(const struct opts *o, int argc, struct error *e)
{
	if ((o->channel != NULL) + (o->to != NULL) + (o->role != NULL) != 1)
		return error_set(e, EX_USAGE, "say whom it is for: --channel, "
		    "--to or --role, one of them");
	if (o->channel != NULL && !channel_is_concrete(o->channel))
		return error_set(e, EX_USAGE, "\"%s\" is not a channel to "
		    "post to: letters, digits, _ and -, in parts divided by "
		    "dots", o->channel);
	if (o->id != NULL && !message_id_is_valid(o->id))
		return error_set(e, EX_USAGE, "--id: expected 1 to %d bytes "
		    "without control characters", MESSAGE_ID_MAX);
	if (o->lines && (o->id != NULL || o->data != NULL || argc > 0))
		return error_set(e, EX_USAGE, "--lines takes its messages "
		    "from standard input: no TEXT, --data or --id with it");
	if (o->data != NULL && argc > 0)
		return error_set(e, EX_USAGE, "a message has --data or a "
		    "TEXT, not both");
	return 0;
}

static int
fill_draft(struct sender *s, struct error *e)
{
	const struct opts	*o = s->opts;

	s->draft.id = o->id;
	s->draft.reply_to = o->reply_to;
	s->draft.context_id = o->context;
	s->mentions = mentions_normalize(o->mentions.v, o->mentions.n,
	    &s->n_mentions);
	s->draft.mentions = s->mentions;
	s->draft.n_mentions = s->n_mentions;
	if (o->data == NULL)
		return 0;
	s->data = json_parse_depth(o->data, strlen(o->data),
	    MESSAGE_DEPTH_MAX - 3, e);
	s->draft.data = s->data;
	if (s->data == NULL) {
		e->code = EX_USAGE;
		return error_wrap(e, "--data");
	}
	return 0;
}

/* --- sending ---------------------------------------------------------------------- */

static void
note_failure(struct sender *s, int code, const char *text)
{
	if (s->failure.code == 0)
		error_set(&s->failure, code, "%s", text);
}

static void
print_stored(const struct sender *s, const char *id, uint64_t seq,
    bool duplicate)
{
	cJSON	*o;

	if (!s->cli->json) {
		printf("%s\n", id);
		return;
	}
	if ((o = cJSON_CreateObject()) != NULL && json_set_str(o, "id", id) &&
	    json_set_u64(o, "seq", seq) && (!duplicate ||
	    json_set_bool(o, "duplicate", true)))
		(void)cli_print_json(o);
	cJSON_Delete(o);
}

static void
on_stored(void *arg, const struct endpoint_stored *stored,
    const struct error *e)
{
	struct sender	*s = arg;

	if (e != NULL) {
		note_failure(s, e->code, e->text);
		return;
	}
	s->stored++;
	print_stored(s, stored->id, stored->seq, stored->duplicate);
}

static void
wait_for(struct sender *s, size_t most)
{
	struct error	e;

	if (endpoint_drain(s->agent.ep, most, DRAIN_MS, &e) == -1)
		note_failure(s, e.code, e.text);
}

/* text NULL: the draft's data.  A failure is noted. */
static void
send_one(struct sender *s, const char *text)
{
	struct error	e;

	wait_for(s, WINDOW - 1);
	if (s->failure.code != 0)
		return;
	s->sent++;
	s->draft.text = text;
	/* A link that was lost while nothing was under way is made again. */
	if ((!endpoint_is_up(s->agent.ep) &&
	    endpoint_await(s->agent.ep, UP_MS, &e) == -1) ||
	    endpoint_post(s->agent.ep, &s->draft, on_stored, s, &e) == -1)
		note_failure(s, e.code == EX_UNAVAILABLE ? EX_TEMPFAIL :
		    e.code, e.text);
}

/* --- what to send ------------------------------------------------------------------ */

struct input {
	char	*data;
	size_t	 len, size;
};

/* 1: more; 0: the end; -1: *e. */
static int
input_read(struct input *in, struct error *e)
{
	char	*p;
	ssize_t	 n;

	if (in->size - in->len < CHUNK + 1) {
		if (in->size >= INPUT_MAX)
			return error_set(e, EX_DATAERR, "standard input: too "
			    "long for a message");
		p = realloc(in->data, in->size * 2 + 2 * CHUNK);
		if (p == NULL)
			return error_errno(e, EX_OSERR, "standard input");
		in->data = p;
		in->size = in->size * 2 + 2 * CHUNK;
	}
	do
		n = read(STDIN_FILENO, in->data + in->len, CHUNK);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return error_errno(e, EX_IOERR, "standard input");
	if (memchr(in->data + in->len, '\0', (size_t)n) != NULL)
		return error_set(e, EX_DATAERR, "standard input: a NUL byte "
		    "cannot be in a message");
	in->len += (size_t)n;
	in->data[in->len] = '\0';
	return n > 0;
}

/* Each whole line that is not empty; at the end the rest too. */
static void
send_lines(struct sender *s, struct input *in, bool end)
{
	char	*line = in->data, *nl;

	while ((nl = strchr(line, '\n')) != NULL) {
		*nl = '\0';
		if (line[0] != '\0')
			send_one(s, line);
		line = nl + 1;
	}
	if (end && line[0] != '\0') {
		send_one(s, line);
		line += strlen(line);
	}
	in->len -= (size_t)(line - in->data);
	memmove(in->data, line, in->len + 1);
}

/* While the input is waited for, acknowledgements are taken in. */
static void
send_input(struct sender *s)
{
	struct pollfd	 p = { .fd = STDIN_FILENO, .events = POLLIN };
	struct input	 in = { .data = NULL };
	struct error	 e;
	int		 more = 1;

	while (more == 1 && s->failure.code == 0) {
		endpoint_turn(s->agent.ep, &p, 1, TURN_MS);
		if (p.revents == 0)
			continue;
		if ((more = input_read(&in, &e)) == -1)
			note_failure(s, e.code, e.text);
		else
			send_lines(s, &in, more == 0);
	}
	free(in.data);
}

/* The words joined by blanks; or standard input, but for its last line end. */
static char *
whole_text(int argc, char **argv, struct error *e)
{
	struct input	 in = { .data = NULL };
	char		*text;
	size_t		 size = 1;
	int		 i, more;

	if (argc == 0 || (argc == 1 && strcmp(argv[0], "-") == 0)) {
		while ((more = input_read(&in, e)) == 1)
			;
		if (more == -1) {
			free(in.data);
			return NULL;
		}
		if (in.len > 0 && in.data[in.len - 1] == '\n')
			in.data[in.len - 1] = '\0';
		return in.data;
	}
	for (i = 0; i < argc; i++)
		size += strlen(argv[i]) + 1;
	if ((text = calloc(1, size)) == NULL) {
		error_errno(e, EX_OSERR, "message");
		return NULL;
	}
	for (i = 0; i < argc; i++) {
		strcat(text, argv[i]);
		if (i + 1 < argc)
			strcat(text, " ");
	}
	return text;
}

/* --- the command ---------------------------------------------------------------------- */

static int
finish(struct sender *s)
{
	/* What was under way when something failed may be stored still. */
	wait_for(s, 0);
	if (s->failure.code == 0)
		return EX_OK;
	if (s->sent > 1)
		error_wrap(&s->failure, "%llu of %llu were stored",
		    (unsigned long long)s->stored,
		    (unsigned long long)s->sent);
	return cli_fail(&s->failure);
}

static int
send_all(struct sender *s, int argc, char **argv)
{
	struct error	 e;
	char		*text = NULL;

	if (!s->opts->lines && s->opts->data == NULL &&
	    (text = whole_text(argc, argv, &e)) == NULL)
		return cli_fail(&e);
	if (text != NULL && text[0] == '\0') {
		free(text);
		error_set(&e, EX_USAGE, "there is nothing to send");
		return cli_fail(&e);
	}
	if (agent_up(&s->agent, s->opts->to != NULL &&
	    !name_is_id(s->opts->to) ? ENDPOINT_ROSTER : 0, &e) == -1 ||
	    address(s, &e) == -1 || fill_draft(s, &e) == -1) {
		free(text);
		return cli_fail(&e);
	}
	if (s->opts->lines)
		send_input(s);
	else
		send_one(s, text);
	free(text);
	return finish(s);
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct sender	s;
	struct error	e;
	int		code;

	memset(&s, 0, sizeof(s));
	s.cli = cli;
	s.opts = opts;
	if (check_options(s.opts, argc, &e) == -1 ||
	    agent_init(&s.agent, cli, &s.opts->agent, &e) == -1)
		code = cli_fail(&e);
	else
		code = send_all(&s, argc, argv);
	agent_free(&s.agent);
	strings_free(s.mentions, s.n_mentions);
	cJSON_Delete(s.data);
	return code;
}

const struct command cmd_send = {
	.name = "send", .args = "[TEXT...]",
	.summary = "say something as an agent",
	.more = "Without a TEXT, or with -, standard input is the text.  The "
	    "id of each stored\nmessage is printed.  Exit code 77: the agent "
	    "may not post there; 75: not all were\nstored, as far as is "
	    "known.",
	.opts = options, .opts_size = sizeof(struct opts),
	.min_args = 0, .max_args = -1, .run = run };
