/* SPDX-License-Identifier: ISC */

/*
 * reeve logs: what an agent's terminal has shown, as text: asked of the
 * terminal while there is one (reeve-wire(7), "Terminals"), else what it left.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "manage.h"
#include "names.h"

#define ANSWER_MS	5000
#define FOLLOW_MS	500
#define LEFT_MAX	(64 * 1024 * 1024)

struct logs_opts {
	bool	follow;
};

static const struct opt options[] = {
	{ "follow", OPT_FLAG, offsetof(struct logs_opts, follow), NULL,
	    "(-f) go on with what comes, until it has ended" },
	OPT_END };

struct text {
	char	*p;
	size_t	 n;
	bool	 whole;
};

struct reader {
	struct cli	*cli;
	const char	*name;
	char		 id[ID_MAX];
	bool		 ended;
	struct creds	 creds;
	struct bus	*bus;
	char		 in[SUBJECT_MAX];
	struct text	 now, shown;
	size_t		 all;		/* length of which shown is a part */
};

/* --- the agent -------------------------------------------------------------------- */

static int
look(struct reader *r, struct error *e)
{
	cJSON		*list = manage_call(r->cli, "status",
			    manage_args("name", r->name, NULL), e);
	const cJSON	*one = cJSON_GetArrayItem(list, 0);
	const cJSON	*id = json_get(one, "id");
	const cJSON	*status = json_get(one, "status");
	int		 rv = 0;

	if (list == NULL)
		return -1;
	if (!cJSON_IsString(id) || !cJSON_IsString(status) ||
	    !name_is_id(id->valuestring))
		rv = error_set(e, EX_DATAERR, "the manager's answer");
	else {
		snprintf(r->id, sizeof(r->id), "%s", id->valuestring);
		r->ended = strcmp(status->valuestring, "exited") == 0;
	}
	cJSON_Delete(list);
	return rv;
}

/* --- asking its terminal ------------------------------------------------------------- */

static void
on_frame(void *arg, natsMsg *m)
{
	struct reader	*r = arg;
	const char	*data = natsMsg_GetData(m);
	int		 len = natsMsg_GetDataLength(m);
	char		*p;

	/* In parts; the last one is empty. */
	if (len == 1 && data[0] == 't')
		r->now.whole = true;
	else if (len > 1 && data[0] == 't' && (p = realloc(r->now.p,
	    r->now.n + (size_t)len)) != NULL) {
		memcpy(p + r->now.n, data + 1, (size_t)len - 1);
		r->now.p = p;
		r->now.n += (size_t)len - 1;
		p[r->now.n] = '\0';
	}
	bus_msg_free(m);
}

static int
reach(struct reader *r, struct error *e)
{
	struct scope	scope;
	char		subject[SUBJECT_MAX];
	const char	*space = r->cli->config.space;

	memset(&scope, 0, sizeof(scope));
	scope.space = space;
	scope.target = r->id;
	if (cli_connect(r->cli, PROFILE_ATTACHER, &scope, &r->creds, &r->bus,
	    e) == -1)
		return -1;
	if (subject_pty(r->in, sizeof(r->in), space, r->id, "in",
	    r->creds.key.public) == -1 || subject_pty(subject,
	    sizeof(subject), space, r->id, "out", r->creds.key.public) == -1)
		return error_set(e, EX_SOFTWARE, "its subject");
	return bus_subscribe(r->bus, subject, NULL, on_frame, r, e) == NULL ?
	    -1 : 0;
}

/* All of it, as it is now. */
static int
read_now(struct reader *r, struct error *e)
{
	struct bus_pub	p = { .subject = r->in, .data = "t", .len = 1 };
	int64_t		deadline = clock_ms() + ANSWER_MS;

	free(r->now.p);
	memset(&r->now, 0, sizeof(r->now));
	if (bus_publish(r->bus, &p, e) == -1)
		return -1;
	while (!r->now.whole && bus_alive(r->bus) && clock_ms() < deadline)
		bus_turn(r->bus, NULL, 0, deadline - clock_ms());
	if (r->now.whole)
		return 0;
	return error_set(e, EX_UNAVAILABLE, "the terminal of %s does not "
	    "answer", r->name);
}

/* What it left when its program ended. */
static int
read_left(struct reader *r, struct error *e)
{
	char	*path = config_path(&r->cli->config, "agents/%s/screen.txt",
		    r->name);

	free(r->now.p);
	memset(&r->now, 0, sizeof(r->now));
	if (path == NULL)
		return error_errno(e, EX_OSERR, "%s", r->name);
	/* One that was stopped before it showed anything left nothing. */
	if (access(path, F_OK) == 0)
		r->now.p = file_read_private(path, LEFT_MAX, &r->now.n, e);
	else
		r->now.p = calloc(1, 1);
	free(path);
	return r->now.p == NULL ? -1 : 0;
}

/* --- saying it ------------------------------------------------------------------------- */

/* The longest end of what was shown, from the start of a line, that the text
 * begins with. */
static size_t
overlap(const char *shown, size_t n, const struct text *now)
{
	const char	*p = shown, *end = shown + n;

	for (; p != NULL && p < end; p++) {
		if ((size_t)(end - p) <= now->n &&
		    memcmp(p, now->p, (size_t)(end - p)) == 0)
			return (size_t)(end - p);
		if ((p = memchr(p, '\n', (size_t)(end - p))) == NULL)
			break;
	}
	return 0;
}

/* Where the last line begins. */
static size_t
last_line(const char *p, size_t n)
{
	while (n > 0 && p[n - 1] == '\n')
		n--;
	while (n > 0 && p[n - 1] != '\n')
		n--;
	return n;
}

/* How much of the text has been shown.  A line that was the last may have
 * grown since, and is shown again then. */
static size_t
shown_of(const struct text *shown, const struct text *now)
{
	size_t	n = overlap(shown->p, shown->n, now);

	return n > 0 || shown->n == 0 ? n :
	    overlap(shown->p, last_line(shown->p, shown->n), now);
}

/* The last line is not shown before it has stood for a while, or at the
 * end. */
static void
put(struct reader *r, bool end)
{
	struct text	*now = &r->now;
	bool		 stands = r->all == now->n && now->n > 0 &&
			    memcmp(r->shown.p, now->p, now->n) == 0;
	size_t		 from = shown_of(&r->shown, now);
	size_t		 upto = end || stands ? now->n :
			    last_line(now->p, now->n);

	if (upto > from)
		fwrite(now->p + from, 1, upto - from, stdout);
	fflush(stdout);
	free(r->shown.p);
	r->shown = *now;
	r->shown.n = upto > from ? upto : from;
	r->all = now->n;
	memset(now, 0, sizeof(*now));
}

static int
follow(struct reader *r, struct error *e)
{
	int64_t	until;

	while (!r->ended) {
		if (read_now(r, e) == -1) {
			/* It may have ended just now. */
			if (look(r, e) == -1 || !r->ended)
				return -1;
			break;
		}
		put(r, false);
		if (ferror(stdout))
			return error_set(e, EX_IOERR, "standard output");
		until = clock_ms() + FOLLOW_MS;
		while (bus_alive(r->bus) && clock_ms() < until)
			bus_turn(r->bus, NULL, 0, until - clock_ms());
		/* A manager that is away ends no agent; then the terminal
		 * says whether there is something to follow. */
		if (look(r, e) == -1 && e->code != EX_UNAVAILABLE &&
		    e->code != EX_TEMPFAIL)
			return -1;
	}
	if (read_left(r, e) == -1)
		return -1;
	put(r, true);
	return 0;
}

static int
show(struct reader *r, bool on, struct error *e)
{
	if (cli_load(r->cli, e) == -1 || look(r, e) == -1)
		return -1;
	if (!r->ended && reach(r, e) == -1)
		return -1;
	if (on)
		return follow(r, e);
	if ((r->ended ? read_left(r, e) : read_now(r, e)) == -1)
		return -1;
	put(r, true);
	return 0;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct logs_opts	*o = opts;
	struct reader		 r;
	struct error		 e;
	int			 code;

	(void)argc;
	memset(&r, 0, sizeof(r));
	r.cli = cli;
	r.name = argv[0];
	code = show(&r, o->follow, &e) == -1 ? cli_fail(&e) : EX_OK;
	bus_close(r.bus);
	creds_wipe(&r.creds);
	free(r.now.p);
	free(r.shown.p);
	return code;
}

const struct command cmd_logs = {
	.name = "logs", .args = "NAME",
	.summary = "print what an agent's terminal has shown",
	.opts = options, .letters = "f", .opts_size = sizeof(struct logs_opts),
	.min_args = 1, .max_args = 1, .run = run };
