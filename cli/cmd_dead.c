/* SPDX-License-Identifier: ISC */

/* reeve dead: the letters of DEAD_<space>, what was given up on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "shards.h"
#include "records.h"
#include "table.h"

/* A letter as it is on the wire; the strings are views into tree. */
struct letter {
	uint64_t	 seq;		/* of DEAD */
	cJSON		*tree;
	const char	*reason, *subject, *entry64;
	const cJSON	*entry;		/* NULL: none */
	const char	*owner;
	char		 owner_buf[ID_MAX];
	uint64_t	 deliveries;
	int64_t		 ts_ms;
	const char	*data;		/* its bytes: the caller's */
	size_t		 len;
};

static const struct json_field letter_table[] = {
	{ .name = "reason", .type = JSON_STRING,
	    .offset = offsetof(struct letter, reason) },
	{ .name = "subject", .type = JSON_STRING,
	    .offset = offsetof(struct letter, subject) },
	{ .name = "owner", .type = JSON_STRING,
	    .offset = offsetof(struct letter, owner) },
	{ .name = "deliveries", .type = JSON_U64,
	    .offset = offsetof(struct letter, deliveries) },
	{ .name = "ts", .type = JSON_I64,
	    .offset = offsetof(struct letter, ts_ms) },
	{ .name = "entry", .type = JSON_ANY,
	    .offset = offsetof(struct letter, entry) },
	{ .name = "entry64", .type = JSON_STRING,
	    .offset = offsetof(struct letter, entry64) },
	JSON_END
};

struct dead {
	struct cli	*cli;
	struct creds	 creds;
	struct bus	*bus;
	struct layout	 layout;	/* when the command began */
	char		 stream[STREAM_MAX];
	struct table	 table;
	cJSON		*json;
	uint64_t	 done, failed;
};

/* --- letters ------------------------------------------------------------------ */

/* The reader's letters name their owner by the subject they come from. */
static void
owner_by_subject(struct letter *l, const char *space)
{
	const char	*owner;

	if (l->owner != NULL || l->subject == NULL)
		return;
	owner = subject_dinbox_owner(l->subject, space, 1);
	if (owner == NULL)
		owner = subject_dinbox_owner(l->subject, space, 2);
	if (owner == NULL || !name_is_id(owner))
		return;
	snprintf(l->owner_buf, sizeof(l->owner_buf), "%s", owner);
	l->owner = l->owner_buf;
}

/* A letter that cannot be read is still one, to be listed and dropped. */
static void
letter_read(struct letter *l, const struct js_message *m, const char *space)
{
	struct error	e;

	memset(l, 0, sizeof(*l));
	l->seq = m->seq;
	l->data = m->data;
	l->len = m->len;
	l->tree = json_parse(m->data, m->len, &e);
	if (!cJSON_IsObject(l->tree) ||
	    json_read(l->tree, letter_table, l, "", &e) == -1)
		l->reason = "(this letter is not readable)";
	owner_by_subject(l, space);
}

static void
letter_free(struct letter *l)
{
	cJSON_Delete(l->tree);
	l->tree = NULL;
}

/* --- list ----------------------------------------------------------------------- */

static void
age_text(char *buf, size_t size, int64_t ts_ms)
{
	int64_t	s = (clock_epoch_ms() - ts_ms) / 1000;

	if (ts_ms == 0)
		snprintf(buf, size, "?");
	else if (s < 60)
		snprintf(buf, size, "%llds", (long long)(s < 0 ? 0 : s));
	else if (s < 3600)
		snprintf(buf, size, "%lldm", (long long)(s / 60));
	else if (s < 48 * 3600)
		snprintf(buf, size, "%lldh", (long long)(s / 3600));
	else
		snprintf(buf, size, "%lldd", (long long)(s / 86400));
}

static int
list_letter(struct dead *d, const struct letter *l, struct error *e)
{
	char	seq[24], age[24], deliveries[24], owner[4 * ID_MAX];
	cJSON	*o;

	if (d->json != NULL) {
		o = cJSON_IsObject(l->tree) ? cJSON_Duplicate(l->tree, true) :
		    cJSON_CreateObject();
		if (o == NULL || !json_set_u64(o, "seq", l->seq) ||
		    (l->owner != NULL &&
		    !json_set_str(o, "owner", l->owner)) ||
		    !cJSON_AddItemToArray(d->json, o)) {
			cJSON_Delete(o);
			return error_set(e, EX_OSERR, "out of memory");
		}
		return 0;
	}
	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)l->seq);
	snprintf(deliveries, sizeof(deliveries), "%llu",
	    (unsigned long long)l->deliveries);
	age_text(age, sizeof(age), l->ts_ms);
	/* Anybody may have written it: no wider than an id. */
	text_clip(owner, sizeof(owner), l->owner == NULL ? "" : l->owner,
	    ID_MAX - 1);
	table_row(&d->table, seq, age, deliveries, owner, l->reason);
	return 0;
}

/* --- replay and drop --------------------------------------------------------------- */

static int
drop_letter(struct dead *d, const struct letter *l, struct error *e)
{
	return js_message_delete(d->bus, d->stream, l->seq, e);
}

/* The entry's bytes as they were; en is a view into the letter. */
static int
letter_entry(const struct letter *l, struct entry *en, const char **data,
    size_t *len, struct error *e)
{
	struct json_found	entry;

	if (l->owner == NULL)
		return error_set(e, EX_DATAERR, "it has no owner: nobody to "
		    "deliver it to");
	if (!name_is_id(l->owner))
		return error_set(e, EX_DATAERR, "its owner \"%s\" is not an "
		    "id", l->owner);
	if (l->entry == NULL && l->entry64 == NULL)
		return error_set(e, EX_DATAERR, "it has no entry: there is "
		    "nothing to deliver");
	if (!cJSON_IsObject(l->entry) || json_find(&entry, l->data, l->len,
	    JSON_DEPTH_MAX, "entry", e) == -1 || entry.times == 0)
		return error_set(e, EX_DATAERR, "what it holds is not an "
		    "entry");
	*data = entry.value;
	*len = entry.len;
	if (entry_read(en, *data, *len, e) == -1) {
		entry_free(en);
		return error_wrap(e, "what it holds is not an entry");
	}
	return 0;
}

/* What was stored for a layout that has gone meanwhile is read by nobody. */
static int
check_layout(struct dead *d, struct error *e)
{
	struct layout	now;
	uint64_t	seq;

	if (shards_read(d->bus, d->cli->config.space, &now, &seq, e) == -1)
		return -1;
	if (now.shards == d->layout.shards && now.next == 0)
		return 0;
	return error_set(e, EX_TEMPFAIL, "the number of shards was changed "
	    "just now; replay it again");
}

static int
replay_letter(struct dead *d, const struct letter *l, struct error *e)
{
	char		 subject[SUBJECT_MAX], id[SUBJECT_MAX];
	char		 old[SUBJECT_MAX - 64];
	struct bus_pub	 p = { .subject = subject, .msg_id = id };
	struct entry	 en;
	const char	*data = NULL;
	int		 r;

	if (letter_entry(l, &en, &data, &p.len, e) == -1)
		return -1;
	p.data = data;
	/* The old id would be swallowed as a duplicate. */
	name_entry(old, sizeof(old), en.msg_id, l->owner, en.generation,
	    d->layout.shards);
	snprintf(id, sizeof(id), "%s:replay:%llu", old,
	    (unsigned long long)l->seq);
	entry_free(&en);
	if (subject_dinbox(subject, sizeof(subject), d->cli->config.space,
	    d->layout.shards, l->owner) == -1)
		return error_set(e, EX_DATAERR, "the subject is too long");
	r = js_publish(d->bus, &p, NULL, NULL, e);
	if (r == 0)
		r = check_layout(d, e);
	return r == -1 ? -1 : drop_letter(d, l, e);
}

/* --- over the letters ----------------------------------------------------------------- */

typedef int	letter_fn(struct dead *, const struct letter *,
		    struct error *);

/* What one letter comes to is said of it; the others go on. */
static void
apply(struct dead *d, const struct js_message *m, letter_fn *fn)
{
	struct letter	l;
	struct error	e;

	letter_read(&l, m, d->cli->config.space);
	if (fn(d, &l, &e) == 0)
		d->done++;
	else {
		fprintf(stderr, "reeve: letter %llu: %s\n",
		    (unsigned long long)l.seq, e.text);
		d->failed++;
	}
	letter_free(&l);
}

static int
each_letter(struct dead *d, letter_fn *fn, struct error *e)
{
	struct js_message	m;
	uint64_t		seq = 1;
	int			found;

	while ((found = js_get(d->bus, d->stream, JS_NEXT_BY_SUBJECT, seq,
	    ">", &m, e)) == 1) {
		seq = m.seq + 1;
		apply(d, &m, fn);
		js_message_free(&m);
	}
	return found;
}

/* 0: it is none. */
static uint64_t
letter_number(const char *arg)
{
	char		*end;
	uint64_t	 seq;

	errno = 0;
	seq = strtoull(arg, &end, 10);
	return errno != 0 || *end != '\0' || arg[0] < '0' || arg[0] > '9' ?
	    0 : seq;
}

static int
one_letter(struct dead *d, const char *arg, letter_fn *fn, struct error *e)
{
	struct js_message	m;
	uint64_t		seq = letter_number(arg);
	int			found;

	found = js_get(d->bus, d->stream, JS_BY_SEQ, seq, NULL, &m, e);
	if (found == 0) {
		fprintf(stderr, "reeve: letter %llu: there is none\n",
		    (unsigned long long)seq);
		d->failed++;
	}
	if (found == 1) {
		apply(d, &m, fn);
		js_message_free(&m);
	}
	return found == -1 ? -1 : 0;
}

/* --- the command ------------------------------------------------------------------------ */

static int
list(struct dead *d, struct error *e)
{
	table_init(&d->table, 5, "SEQ", "AGE", "DELIVERIES", "OWNER",
	    "REASON");
	if (d->cli->json && (d->json = cJSON_CreateArray()) == NULL)
		return error_set(e, EX_OSERR, "out of memory");
	if (each_letter(d, list_letter, e) == -1)
		return cli_fail(e);
	return d->json != NULL ? cli_print_json(d->json) :
	    table_print(&d->table);
}

static bool
all_of_them(int argc, char **argv)
{
	return argc == 1 && strcmp(argv[0], "all") == 0;
}

static int
change(struct dead *d, const char *verb, letter_fn *fn, int argc,
    char **argv, struct error *e)
{
	int	i, r = 0;

	if (all_of_them(argc, argv))
		r = each_letter(d, fn, e);
	else
		for (i = 0; i < argc && r == 0; i++)
			r = one_letter(d, argv[i], fn, e);
	if (d->cli->json)
		printf("{\"%s\":%llu,\"failed\":%llu}\n", verb,
		    (unsigned long long)d->done,
		    (unsigned long long)d->failed);
	else
		printf("%s %llu\n", verb, (unsigned long long)d->done);
	if (r == -1)
		return cli_fail(e);
	return d->failed > 0 ? EX_DATAERR : EX_OK;
}

static int
open_dead(struct dead *d, bool replay, struct error *e)
{
	const char	*space;
	uint64_t	 seq;

	if (cli_connect(d->cli, PROFILE_UNDERTAKER, NULL, &d->creds, &d->bus,
	    e) == -1)
		return -1;
	space = d->cli->config.space;
	if (name_stream(d->stream, sizeof(d->stream), space,
	    STREAM_DEAD) == -1)
		return error_set(e, EX_CONFIG, "the space's name is too long");
	if (!replay)
		return 0;
	if (shards_read(d->bus, space, &d->layout, &seq, e) == -1)
		return -1;
	return d->layout.next == 0 ? 0 : error_set(e, EX_TEMPFAIL,
	    "the number of shards is being changed; try again");
}

/* Before anything is done to any of them. */
static int
check_args(const char *verb, int argc, char **argv, struct error *e)
{
	int	i;

	if (strcmp(verb, "list") == 0 ? argc > 0 : argc == 0 ||
	    (strcmp(verb, "replay") != 0 && strcmp(verb, "drop") != 0))
		return error_set(e, EX_USAGE, "expected `reeve dead list`, or "
		    "`reeve dead replay|drop SEQ...|all`");
	for (i = 0; i < argc && !all_of_them(argc, argv); i++)
		if (letter_number(argv[i]) == 0)
			return error_set(e, EX_USAGE, "\"%s\" is not the "
			    "number of a letter; `reeve dead list` shows them",
			    argv[i]);
	return 0;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	const char	*verb = argc == 0 ? "list" : argv[0];
	bool		 replay = strcmp(verb, "replay") == 0;
	struct dead	 d;
	struct error	 e;
	int		 code;

	(void)opts;
	memset(&d, 0, sizeof(d));
	d.cli = cli;
	if (argc > 0) {
		argc--;
		argv++;
	}
	if (check_args(verb, argc, argv, &e) == -1)
		return cli_fail(&e);
	if (open_dead(&d, replay, &e) == -1)
		code = cli_fail(&e);
	else if (strcmp(verb, "list") == 0)
		code = list(&d, &e);
	else
		code = change(&d, replay ? "replayed" : "dropped",
		    replay ? replay_letter : drop_letter, argc, argv, &e);
	bus_close(d.bus);
	creds_wipe(&d.creds);
	table_free(&d.table);
	cJSON_Delete(d.json);
	return code;
}

const struct command cmd_dead = {
	.name = "dead", .args = "[list | replay SEQ...|all | drop SEQ...|all]",
	.summary = "the letters of what could not be delivered",
	.more = "list shows them; replay sends their entries through the "
	    "reader again, which\nauthorizes them anew, and removes the "
	    "letters; drop removes them.",
	.opts_size = 0, .min_args = 0, .max_args = -1, .run = run };
