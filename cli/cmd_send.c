/* SPDX-License-Identifier: ISC */

/* reeve send: an agent says something to a channel, an agent or a role. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "bucket.h"
#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "message.h"
#include "roster.h"

#define WINDOW		256		/* unacknowledged at once */
#define STORE_MS	10000
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
	char			 subject[SUBJECT_MAX];
	char			 target[ID_MAX];	/* of --to */
	struct message_draft	 draft;
	char			**mentions;
	size_t			 n_mentions;
	cJSON			*data;
	unsigned		 in_flight;
	uint64_t		 sent, stored;
	struct error		 failure;	/* the first; code 0: none */
};

/* A message under way. */
struct flight {
	struct sender	*sender;
	char		 id[MESSAGE_ID_MAX + 1];
};

/* --- whom it is for ------------------------------------------------------------ */

/* Among who is there, or known to be away: there, or by onboard's note. */
static int
find_peer(struct sender *s, const struct roster *roster, const char *name,
    struct error *e)
{
	const struct peer	*peer = roster_resolve(roster, name, e);

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
resolve(struct sender *s, const char *name, struct error *e)
{
	struct roster	*roster;
	struct watch	*w = NULL;
	struct agent	*a = &s->agent;
	int		 r;

	if (name_is_id(name)) {
		snprintf(s->target, sizeof(s->target), "%s", name);
		return 0;
	}
	roster = roster_new();
	r = bucket_read(a->bus, a->space, BUCKET_PRESENCE, ">", true,
	    &roster_ops, roster, &w, e);
	if (r == 0)
		r = find_peer(s, roster, name, e);
	/* The watch speaks until its bus closes, so another one sends. */
	agent_close(a);
	bucket_done(w);
	roster_free(roster);
	return r == -1 ? -1 : agent_open(a, e);
}

static int
address(struct sender *s, struct error *e)
{
	const struct opts	*o = s->opts;
	const char		*space = s->agent.space;
	char			 role[STREAM_MAX];
	int			 n = -1;

	if (o->channel != NULL) {
		s->draft.channel = o->channel;
		n = subject_chat(s->subject, sizeof(s->subject), space,
		    s->agent.id, o->channel);
	} else if (o->to != NULL) {
		if (resolve(s, o->to, e) == -1)
			return -1;
		s->draft.to = s->target;
		n = subject_inst(s->subject, sizeof(s->subject), space,
		    s->target, s->agent.id);
	} else if (name_token(role, sizeof(role), o->role) != -1) {
		s->draft.to_service = o->role;
		n = subject_svc(s->subject, sizeof(s->subject), space, role,
		    s->agent.id);
	}
	return n == -1 ? error_set(e, EX_USAGE, "whom it is for is too long "
	    "a name") : 0;
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

	s->draft.from_name = s->agent.name;
	s->draft.from_role = s->agent.role;
	s->draft.space = s->agent.space;
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
on_stored(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	static const char *const	why[] = {
	    [BUS_TIMEOUT] = "the broker did not say that it is stored",
	    [BUS_NO_RESPONDER] = "no stream takes it: is the space set up? "
		"(`reeve init`)",
	    [BUS_DENIED] = "the broker refused it",
	    [BUS_CLOSED] = "the connection was lost" };
	struct flight			*f = arg;
	struct sender			*s = f->sender;
	struct error			 e;
	uint64_t			 seq = 0;
	bool				 duplicate = false;

	s->in_flight--;
	if (outcome != BUS_OK)
		note_failure(s, EX_TEMPFAIL, why[outcome]);
	else if (js_ack_parse(reply, &seq, &duplicate, &e) == -1)
		note_failure(s, EX_TEMPFAIL, e.text);
	else {
		s->stored++;
		print_stored(s, f->id, seq, duplicate);
	}
	free(f);
}

/* The broker names the subject that it refused, and nothing else comes. */
static void
check_refused(struct sender *s)
{
	struct error	e;

	if (s->stored > 0 || !bus_refused(s->agent.bus, s->subject))
		return;
	if (s->opts->channel != NULL)
		error_set(&e, EX_NOPERM, "%s may not post to \"%s\": the "
		    "channel is outside its allowPublish", s->agent.name,
		    s->opts->channel);
	else
		error_set(&e, EX_NOPERM, "the broker does not let %s send "
		    "this: %s", s->agent.name, s->subject);
	note_failure(s, EX_NOPERM, e.text);
}

static void
turn(struct sender *s, struct pollfd *extra, size_t n)
{
	bus_turn(s->agent.bus, extra, n, TURN_MS);
	check_refused(s);
	if (!bus_alive(s->agent.bus))
		note_failure(s, EX_TEMPFAIL, "the connection was lost");
}

static void
wait_below(struct sender *s, unsigned n)
{
	while (s->in_flight >= n && s->failure.code == 0)
		turn(s, NULL, 0);
}

static int
publish(struct sender *s, struct flight *f, const char *text,
    struct error *e)
{
	struct bus_pub	 p = { .subject = s->subject, .msg_id = f->id };
	char		*body;
	int		 r;

	f->sender = s;
	if (s->opts->id != NULL)
		snprintf(f->id, sizeof(f->id), "%s", s->opts->id);
	else
		message_new_id(f->id);
	s->draft.id = f->id;
	s->draft.from_id = s->agent.id;
	s->draft.ts_ms = clock_epoch_ms();
	s->draft.text = text;
	if ((body = message_write(&s->draft)) == NULL)
		return error_errno(e, EX_OSERR, "message");
	p.data = body;
	p.len = strlen(body);
	r = bus_request(s->agent.bus, &p, STORE_MS, on_stored, f, e);
	free(body);
	return r;
}

/* text NULL: the draft's data.  A failure is noted. */
static void
send_one(struct sender *s, const char *text)
{
	struct flight	*f;
	struct error	 e = { .code = EX_OSERR, .text = "out of memory" };

	wait_below(s, WINDOW);
	if (s->failure.code != 0)
		return;
	s->sent++;
	if ((f = calloc(1, sizeof(*f))) != NULL &&
	    publish(s, f, text, &e) == 0) {
		s->in_flight++;
		return;
	}
	free(f);
	note_failure(s, e.code == EX_UNAVAILABLE ? EX_TEMPFAIL : e.code,
	    e.text);
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
		turn(s, &p, 1);
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
	wait_below(s, 1);
	/* What was under way when something failed may be stored still. */
	while (s->in_flight > 0 && s->failure.code != EX_NOPERM &&
	    bus_alive(s->agent.bus))
		bus_turn(s->agent.bus, NULL, 0, TURN_MS);
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
	if (agent_open(&s->agent, &e) == -1 || address(s, &e) == -1 ||
	    fill_draft(s, &e) == -1) {
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
