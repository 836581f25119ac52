/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "json.h"
#include "names.h"

#include "note.h"

#define NOTE_MAX	(64 * 1024)
#define EXIT_MAX	4096

static const char *const state_names[] = { "starting", "live", "ended",
	"gone", NULL };

/* A note as it is in the file: views into the tree. */
struct view {
	struct note	 n;
	char		*state;
};

#define TEXT(key, must, member)						\
	{ .name = key, .type = JSON_STRING, .required = must,		\
	    .offset = offsetof(struct view, n.member) }
#define TIME(key, member)						\
	{ .name = key, .type = JSON_I64,				\
	    .offset = offsetof(struct view, n.member) }
#define FLAG(key, member)						\
	{ .name = key, .type = JSON_BOOL,				\
	    .offset = offsetof(struct view, n.member) }

static const struct json_field table[] = {
	TEXT("name", true, name), TEXT("id", true, id),
	{ .name = "state", .type = JSON_STRING, .required = true,
	    .one_of = state_names, .offset = offsetof(struct view, state) },
	TEXT("ref", false, ref), TEXT("role", false, role),
	TEXT("agent", false, agent), TEXT("spawner", false, spawner),
	TEXT("runId", false, run_id), TEXT("requested", false, requested),
	TEXT("hash", false, hash), TEXT("persona", false, persona),
	TEXT("policy", false, policy), FLAG("spawn", spawn),
	FLAG("provisioned", provisioned), FLAG("stopping", stopping),
	TIME("started", started_ms), TIME("ended", ended_ms),
	TIME("cools", cools_ms), TIME("exit", exit_code),
	TIME("signal", exit_signal),
	JSON_END };

/* The strings that a note has, by their table. */
static char **
text_at(struct note *n, const struct json_field *f)
{
	return (char **)(void *)((char *)n + f->offset);
}

static bool
is_text(const struct json_field *f)
{
	return f->type == JSON_STRING && strcmp(f->name, "state") != 0;
}

/* The note's own copies of what it views. */
static int
own(struct note *n, const struct view *v, struct error *e)
{
	const struct json_field	*f;
	const char		*s;
	struct note		 from = v->n;

	*n = v->n;
	for (f = table; f->name != NULL; f++)
		if (is_text(f))
			*text_at(n, f) = NULL;
	for (f = table; f->name != NULL; f++) {
		if (!is_text(f) || (s = *text_at(&from, f)) == NULL)
			continue;
		if ((*text_at(n, f) = strdup(s)) == NULL)
			return error_errno(e, EX_OSERR, "note");
	}
	while (strcmp(state_names[n->state], v->state) != 0)
		n->state++;
	return 0;
}

int
note_load(struct note *n, const char *dir, struct error *e)
{
	struct view	 v;
	cJSON		*o = NULL;
	char		*path, *text = NULL;
	size_t		 len;
	int		 r = -1;

	memset(&v, 0, sizeof(v));
	v.n.exit_code = -1;
	if (asprintf(&path, "%s/agent.json", dir) == -1)
		return error_errno(e, EX_OSERR, "note");
	if ((text = file_read(path, NOTE_MAX, &len, e)) == NULL)
		;
	else if ((o = json_parse(text, len, e)) == NULL ||
	    json_read(o, table, &v, "", e) == -1)
		error_wrap(e, "%s", path);
	else if (!name_is_token(v.n.name) || !name_is_id(v.n.id))
		error_set(e, EX_DATAERR, "%s: no name, or no id", path);
	else
		r = own(n, &v, e);
	cJSON_Delete(o);
	free(text);
	free(path);
	return r;
}

static cJSON *
to_json(const struct note *n)
{
	struct note		 copy = *n;
	const struct json_field	*f;
	cJSON			*o = cJSON_CreateObject();
	bool			 ok = o != NULL;

	for (f = table; f->name != NULL && ok; f++) {
		const void	*at = (const char *)&copy + f->offset;

		if (is_text(f))
			ok = *text_at(&copy, f) == NULL ||
			    json_set_str(o, f->name, *text_at(&copy, f));
		else if (f->type == JSON_STRING)
			ok = json_set_str(o, f->name, state_names[n->state]);
		else if (f->type == JSON_BOOL)
			ok = json_set_bool(o, f->name, *(const bool *)at);
		else
			ok = json_set_i64(o, f->name, *(const int64_t *)at);
	}
	if (ok)
		return o;
	cJSON_Delete(o);
	return NULL;
}

int
note_save(const struct note *n, const char *dir, struct error *e)
{
	cJSON	*o = to_json(n);
	char	*body = o == NULL ? NULL : json_print(o), *path = NULL;
	int	 r = -1;

	cJSON_Delete(o);
	if (body == NULL || asprintf(&path, "%s/agent.json", dir) == -1)
		error_errno(e, EX_OSERR, "note");
	else if (dir_make(dir, 0700, e) == 0)
		r = file_write_private(path, body, 0600, e);
	free(path);
	free(body);
	return r;
}

void
note_free(struct note *n)
{
	const struct json_field	*f;

	for (f = table; f->name != NULL; f++)
		if (is_text(f))
			free(*text_at(n, f));
	memset(n, 0, sizeof(*n));
}

/* --- exit.json ----------------------------------------------------------------- */

struct exit_view {
	int64_t	code, signal;
	bool	has_code, has_signal;
};

#define X(m)	offsetof(struct exit_view, m)
static const struct json_field exit_table[] = {
	{ .name = "exit", .type = JSON_I64, .offset = X(code),
	    .present = X(has_code) },
	{ .name = "signal", .type = JSON_I64, .offset = X(signal),
	    .present = X(has_signal) },
	JSON_END };
#undef X

bool
note_exit(struct note *n, const char *dir)
{
	struct exit_view	 x;
	char			*path, *text = NULL;
	cJSON			*o = NULL;
	size_t			 len;
	bool			 ended = false;

	memset(&x, 0, sizeof(x));
	if (asprintf(&path, "%s/exit.json", dir) == -1)
		return false;
	if (access(path, F_OK) == 0 &&
	    (text = file_read(path, EXIT_MAX, &len, NULL)) != NULL &&
	    (o = json_parse(text, len, NULL)) != NULL &&
	    json_read(o, exit_table, &x, "", NULL) == 0) {
		n->exit_code = x.has_code ? x.code : -1;
		n->exit_signal = x.has_signal ? x.signal : 0;
		ended = true;
	}
	cJSON_Delete(o);
	free(text);
	free(path);
	return ended;
}

/* --- directories ------------------------------------------------------------------ */

char *
note_dir(const struct config *c, const char *name)
{
	return config_path(c, "agents/%s", name);
}

char *
note_gone_dir(const struct config *c, const char *id)
{
	return config_path(c, "agents/.gone/%s", id);
}

static bool
has_note(const char *dir, const char *name)
{
	char	*path;
	bool	 has;

	if (asprintf(&path, "%s/%s/agent.json", dir, name) == -1)
		return false;
	has = access(path, F_OK) == 0;
	free(path);
	return has;
}

/* What a note that was cut off has left: its directory, and a part of it. */
static void
remove_half(const char *dir, const char *name)
{
	static const char	note[] = "agent.json.";
	struct dirent		*d;
	char			*path, *file;
	DIR			*at;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		return;
	at = opendir(path);
	while (at != NULL && (d = readdir(at)) != NULL)
		if (strncmp(d->d_name, note, strlen(note)) == 0 &&
		    asprintf(&file, "%s/%s", path, d->d_name) != -1) {
			(void)unlink(file);
			free(file);
		}
	if (at != NULL)
		closedir(at);
	/* If there is anything else in it, it is none of ours. */
	(void)rmdir(path);
	free(path);
}

int
note_list(const struct config *c, bool gone, struct strlist *list,
    struct error *e)
{
	char		*dir = config_path(c, gone ? "agents/.gone" :
			    "agents");
	struct dirent	*d;
	DIR		*at;
	int		 r = 0;

	if (dir == NULL)
		return error_errno(e, EX_OSERR, "agents");
	if ((at = opendir(dir)) == NULL)
		r = errno == ENOENT ? 0 :
		    error_errno(e, EX_NOINPUT, "%s", dir);
	while (at != NULL && r == 0 && (d = readdir(at)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		if (!has_note(dir, d->d_name))
			remove_half(dir, d->d_name);
		else if (!strlist_add(list, d->d_name))
			r = error_errno(e, EX_OSERR, "%s", dir);
	}
	if (at != NULL)
		closedir(at);
	free(dir);
	return r;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path) == -1 && errno != ENOENT ? -1 : 0;
}

int
note_dir_remove(const char *dir, struct error *e)
{
	if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ||
	    errno == ENOENT)
		return 0;
	return error_errno(e, EX_CANTCREAT, "%s: cannot be removed", dir);
}

int
note_dir_strip(const char *dir, struct error *e)
{
	struct dirent	*d;
	char		*path;
	DIR		*at = opendir(dir);
	int		 r = 0;

	if (at == NULL)
		return error_errno(e, EX_NOINPUT, "%s", dir);
	while (r == 0 && (d = readdir(at)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0 ||
		    strcmp(d->d_name, "agent.json") == 0)
			continue;
		if (asprintf(&path, "%s/%s", dir, d->d_name) == -1)
			r = error_errno(e, EX_OSERR, "%s", dir);
		else {
			r = note_dir_remove(path, e);
			free(path);
		}
	}
	closedir(at);
	return r;
}
