/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/string.h>

#include "files.h"
#include "json.h"
#include "lifelog.h"
#include "log.h"
#include "memslot.h"

#define DECLARATION_MAX	(256 * 1024)

/* --- the declaration ------------------------------------------------------ */

char *
memslot_path(const struct config *c)
{
	return c->memory_slot != NULL ? strdup(c->memory_slot) :
	    config_path(c, "memory-provider.json");
}

/* Without surrounding blanks; NULL for what is no text, or has none. */
static char *
text_of(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);
	const char	*s;
	size_t		 n;

	if (!cJSON_IsString(v))
		return NULL;
	for (s = v->valuestring; isspace((unsigned char)*s); s++)
		;
	for (n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
		;
	return n == 0 ? NULL : strndup(s, n);
}

static void
free_block(struct memslot_block *b)
{
	free(b->command);
	strlist_free(&b->args);
	memset(b, 0, sizeof(*b));
}

static void
read_block(struct memslot_block *b, const cJSON *o)
{
	const cJSON	*args = json_get(o, "args"), *v;
	bool		 good = cJSON_IsArray(args);

	b->command = text_of(o, "command");
	cJSON_ArrayForEach(v, args)
		good = good && cJSON_IsString(v) &&
		    strlist_add(&b->args, v->valuestring);
	if (!good || b->command == NULL || b->command[0] != '/')
		free_block(b);
}

static void
read_plugin(struct memslot *s, const cJSON *o)
{
	s->plugin = text_of(o, "name");
	s->marketplace = text_of(o, "marketplace");
	s->marketplace_ref = text_of(o, "marketplaceRef");
	if (s->plugin != NULL && s->marketplace != NULL &&
	    s->marketplace_ref != NULL)
		return;
	free(s->plugin);
	free(s->marketplace);
	free(s->marketplace_ref);
	s->plugin = s->marketplace = s->marketplace_ref = NULL;
}

void
memslot_parse(struct memslot *s, const char *text, size_t len)
{
	cJSON	*o = json_parse(text, len, NULL);

	memset(s, 0, sizeof(*s));
	s->provider = text_of(o, "provider");
	s->package = text_of(o, "package");
	s->version = text_of(o, "version");
	s->registered = text_of(o, "registeredAt");
	s->heartbeat = text_of(o, "heartbeat");
	read_plugin(s, json_get(o, "plugin"));
	read_block(&s->provision, json_get(o, "provision"));
	read_block(&s->unprovision, json_get(o, "unprovision"));
	cJSON_Delete(o);
	if (s->provider == NULL || s->package == NULL || s->version == NULL)
		memslot_free(s);
	else if (s->registered == NULL)
		s->registered = strdup("");
}

void
memslot_read(struct memslot *s, const struct config *c)
{
	char	*path = memslot_path(c), *text = NULL;
	size_t	 len;

	memset(s, 0, sizeof(*s));
	if (path != NULL)
		text = file_read(path, DECLARATION_MAX, &len, NULL);
	if (text != NULL)
		memslot_parse(s, text, len);
	free(text);
	free(path);
}

void
memslot_free(struct memslot *s)
{
	free(s->provider);
	free(s->package);
	free(s->version);
	free(s->registered);
	free(s->heartbeat);
	free(s->plugin);
	free(s->marketplace);
	free(s->marketplace_ref);
	free_block(&s->provision);
	free_block(&s->unprovision);
	memset(s, 0, sizeof(*s));
}

bool
memslot_has_program(const struct memslot *s)
{
	return s->provision.command != NULL || s->unprovision.command != NULL;
}

long long
memslot_heartbeat_age(const struct memslot *s)
{
	struct stat	st;
	time_t		now = time(NULL);

	if (s->heartbeat == NULL || s->heartbeat[0] != '/' ||
	    stat(s->heartbeat, &st) == -1)
		return -1;
	return now > st.st_mtime ? (long long)(now - st.st_mtime) : 0;
}

bool
memslot_is_agentic(const char *runtime)
{
	return strcmp(runtime, "claude") == 0 ||
	    strcmp(runtime, "codex") == 0;
}

/* --- running it ---------------------------------------------------------------- */

const char *
memslot_occasion_name(enum memslot_occasion o)
{
	static const char *const	names[] = { "birth", "sweep-on",
					    "off-peer", "off-all", "remove" };

	return names[o];
}

/* What stands for the placeholder that s begins with, and its length; NULL:
 * it is none. */
static const char *
value_of(const char *s, const struct memslot_job *j, size_t *len)
{
	const struct { const char *name, *value; } v[] = {
		{ "{cwd}", j->cwd }, { "{runtime}", j->runtime },
		{ "{personality}", j->personality },
		{ "{occasion}", memslot_occasion_name(j->occasion) } };
	size_t	i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (strncmp(s, v[i].name, strlen(v[i].name)) == 0) {
			*len = strlen(v[i].name);
			return v[i].value;
		}
	return NULL;
}

char *
memslot_fill(const char *arg, const struct memslot_job *j)
{
	const char	*value;
	char		*text = NULL;
	size_t		 len, all;
	FILE		*f = open_memstream(&text, &all);

	if (f == NULL)
		return NULL;
	while (*arg != '\0')
		if ((value = value_of(arg, j, &len)) != NULL) {
			fputs(value, f);
			arg += len;
		} else
			putc(*arg++, f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static bool
make_argv(struct strlist *argv, const struct memslot_job *j)
{
	const struct memslot_block	*b = j->block;
	size_t				 i;
	char				*arg;
	bool				 ok;

	ok = strlist_add(argv, b->command);
	for (i = 0; ok && i < b->args.n; i++) {
		arg = memslot_fill(b->args.v[i], j);
		ok = arg != NULL && strlist_add(argv, arg);
		free(arg);
	}
	return ok;
}

static void
explain(struct memslot_outcome *o, const struct memslot_job *j,
    int64_t timeout_ms)
{
	const struct egress_end	*end = &o->end;

	if (end->state == EGRESS_NOT_EXECUTABLE)
		snprintf(o->detail, sizeof(o->detail), "%.400s is not there, "
		    "or no program", j->block->command);
	else if (end->state == EGRESS_TIMEOUT)
		snprintf(o->detail, sizeof(o->detail), "not done after %lld "
		    "ms%s%s", (long long)timeout_ms, end->tail[0] == '\0' ?
		    "" : ": ", end->tail);
	else if (end->signal != 0)
		snprintf(o->detail, sizeof(o->detail), "signal %d%s%s",
		    end->signal, end->tail[0] == '\0' ? "" : ": ",
		    end->tail);
	else
		strlcpy(o->detail, end->tail, sizeof(o->detail));
}

static void
note(const struct config *c, const struct memslot_job *j,
    const struct memslot_outcome *o)
{
	char	identity[300], exit[32] = "", detail[2048];

	snprintf(identity, sizeof(identity), "%s-%s", j->runtime,
	    j->personality);
	if (o->end.exit != -1)
		snprintf(exit, sizeof(exit), " exit=%d", o->end.exit);
	lifelog_note(c, LIFELOG_LIFECYCLE, "memory-provision", identity,
	    "occasion=%s state=%s%s ms=%lld detail=%s",
	    memslot_occasion_name(j->occasion), memslot_outcome_name(o), exit,
	    (long long)o->end.ms, log_quote(detail, sizeof(detail), o->detail,
	    sizeof(o->detail)));
}

/* NULL behind the last, as programs take it. */
static char **
words_of(const struct strlist *l)
{
	char	**v = calloc(l->n + 1, sizeof(*v));

	if (v != NULL)
		memcpy(v, l->v, l->n * sizeof(*v));
	return v;
}

void
memslot_run(const struct config *c, const struct memslot_job *j,
    struct memslot_outcome *o)
{
	int64_t		  timeout_ms = j->timeout_ms > 0 ? j->timeout_ms :
			    MEMSLOT_TIMEOUT_MS;
	struct error	  e = { .code = 0 };
	char		**argv = NULL;

	memset(o, 0, sizeof(*o));
	o->end.exit = -1;
	if (!make_argv(&o->argv, j) || (argv = words_of(&o->argv)) == NULL)
		fatal_memory();
	if (egress_run(EGRESS_OTHERS, argv, NULL, timeout_ms, &o->end, &e) ==
	    0)
		explain(o, j, timeout_ms);
	else {
		o->skipped = e.code == EGRESS_REFUSED;
		o->end.state = EGRESS_FAILED;
		strlcpy(o->detail, e.text, sizeof(o->detail));
	}
	free(argv);
	note(c, j, o);
}

void
memslot_outcome_free(struct memslot_outcome *o)
{
	strlist_free(&o->argv);
}

bool
memslot_went_well(const struct memslot_outcome *o)
{
	return o->skipped || o->end.state == EGRESS_OK;
}

const char *
memslot_outcome_name(const struct memslot_outcome *o)
{
	return o->skipped ? "skipped" : egress_state_name(o->end.state);
}
