/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "json.h"
#include "launchplan.h"
#include "utf8.h"

#define VARIABLE_MAX	128
#define AFTER_MAX_MS	600000
#define TIMES_MAX	100
#define SIZE_LEAST	2
#define SIZE_MOST	1000
#define HISTORY_MOST	100000

static const char *const policies[] = { "never", "on-failure", "always",
	NULL };

/* As it stands in the file; the strings are views into the tree. */
struct raw {
	struct json_strings	 argv, pass;
	const cJSON		*env, *keys;
	char			*cwd, *policy;
	uint64_t		 cols, rows, history;
	bool			 control;
};

struct raw_key {
	char		*text;
	uint64_t	 after_ms, times;
};

#define R(m)	offsetof(struct raw, m)
static const struct json_field table[] = {
	{ .name = "argv", .type = JSON_STRINGS, .offset = R(argv),
	    .required = true, .max = LAUNCH_WORD_MAX },
	{ .name = "env", .type = JSON_OBJECT, .offset = R(env) },
	{ .name = "pass", .type = JSON_STRINGS, .offset = R(pass) },
	{ .name = "cwd", .type = JSON_STRING, .offset = R(cwd),
	    .required = true, .max = 4095 },
	{ .name = "keys", .type = JSON_ARRAY, .offset = R(keys) },
	{ .name = "policy", .type = JSON_STRING, .offset = R(policy),
	    .one_of = policies },
	{ .name = "cols", .type = JSON_U64, .offset = R(cols),
	    .max = SIZE_MOST },
	{ .name = "rows", .type = JSON_U64, .offset = R(rows),
	    .max = SIZE_MOST },
	{ .name = "history", .type = JSON_U64, .offset = R(history),
	    .max = HISTORY_MOST },
	{ .name = "control", .type = JSON_BOOL, .offset = R(control) },
	JSON_END
};
#undef R

#define K(m)	offsetof(struct raw_key, m)
static const struct json_field key_table[] = {
	{ .name = "text", .type = JSON_STRING, .offset = K(text),
	    .required = true, .max = LAUNCH_PRESS_MAX },
	{ .name = "after_ms", .type = JSON_U64, .offset = K(after_ms),
	    .required = true, .max = AFTER_MAX_MS },
	{ .name = "times", .type = JSON_U64, .offset = K(times),
	    .max = TIMES_MAX },
	JSON_END
};
#undef K

static int
out_of_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory for a launch");
}

/* --- a plan and its parts ------------------------------------------------------ */

void
launch_plan_init(struct launch_plan *p)
{
	memset(p, 0, sizeof(*p));
	p->cols = LAUNCH_COLS;
	p->rows = LAUNCH_ROWS;
	p->history = LAUNCH_HISTORY;
}

void
launch_plan_free(struct launch_plan *p)
{
	size_t	i;

	strlist_free(&p->argv);
	strlist_free(&p->env);
	strlist_free(&p->pass);
	free(p->cwd);
	for (i = 0; i < p->n_keys; i++)
		free(p->keys[i].text);
	launch_plan_init(p);
}

const char *
launch_policy_name(enum launch_policy policy)
{
	return policies[policy];
}

int
launch_policy_by_name(enum launch_policy *policy, const char *name)
{
	int	i;

	for (i = 0; policies[i] != NULL; i++)
		if (strcmp(policies[i], name) == 0) {
			*policy = (enum launch_policy)i;
			return 0;
		}
	return -1;
}

bool
launch_is_variable(const char *s)
{
	size_t	n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n <= VARIABLE_MAX && s[n] == '\0' &&
	    (s[0] < '0' || s[0] > '9');
}

/* Where `name` stands among "K=V" strings; n when it does not. */
static size_t
variable_at(char *const *v, size_t n, const char *name, size_t len)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (strncmp(v[i], name, len) == 0 && v[i][len] == '=')
			break;
	return i;
}

const char *
launch_plan_get(const struct launch_plan *p, const char *name)
{
	size_t	len = strlen(name);
	size_t	i = variable_at(p->env.v, p->env.n, name, len);

	return i < p->env.n ? p->env.v[i] + len + 1 : NULL;
}

/* The file is JSON: what is not UTF-8 would be read back as something else. */
static int
check_word(const char *what, const char *s, struct error *e)
{
	size_t	len = strlen(s);

	if (len > LAUNCH_WORD_MAX)
		return error_set(e, EX_DATAERR, "%s: over %d bytes", what,
		    LAUNCH_WORD_MAX);
	if (!utf8_is_valid(s, len))
		return error_set(e, EX_DATAERR, "%s: not UTF-8", what);
	return 0;
}

int
launch_plan_set(struct launch_plan *p, const char *name, const char *value,
    struct error *e)
{
	size_t	 i, len = strlen(name);
	char	*pair;
	int	 rc = 0;

	if (!launch_is_variable(name))
		return error_set(e, EX_DATAERR, "env: \"%.64s\" cannot be a "
		    "variable's name", name);
	if (asprintf(&pair, "%s=%s", name, value) == -1)
		return out_of_memory(e);
	if (check_word(name, pair, e) == -1) {
		free(pair);
		return -1;
	}
	if ((i = variable_at(p->env.v, p->env.n, name, len)) < p->env.n) {
		free(p->env.v[i]);
		p->env.v[i] = pair;
		return 0;
	}
	if (p->env.n == LAUNCH_WORDS_MAX)
		rc = error_set(e, EX_DATAERR, "env: more than %d",
		    LAUNCH_WORDS_MAX);
	else if (!strlist_add(&p->env, pair))
		rc = out_of_memory(e);
	free(pair);
	return rc;
}

int
launch_plan_press(struct launch_plan *p, const char *text, int64_t after_ms,
    unsigned times, struct error *e)
{
	struct launch_key	*k = &p->keys[p->n_keys];

	if (p->n_keys == LAUNCH_KEYS_MAX)
		return error_set(e, EX_DATAERR, "keys: more than %d",
		    LAUNCH_KEYS_MAX);
	if (text[0] == '\0' || strlen(text) > LAUNCH_PRESS_MAX ||
	    !utf8_is_valid(text, strlen(text)))
		return error_set(e, EX_DATAERR, "keys: a text must have 1 to "
		    "%d bytes of UTF-8", LAUNCH_PRESS_MAX);
	if (after_ms < 0 || after_ms > AFTER_MAX_MS || times < 1 ||
	    times > TIMES_MAX)
		return error_set(e, EX_DATAERR, "keys: after_ms is 0 to %d, "
		    "times 1 to %d", AFTER_MAX_MS, TIMES_MAX);
	if ((k->text = strdup(text)) == NULL)
		return out_of_memory(e);
	k->after_ms = after_ms;
	k->times = times;
	p->n_keys++;
	return 0;
}

/* What the tables do not say. */
static int
check(const struct launch_plan *p, struct error *e)
{
	size_t	i;

	if (p->argv.n == 0 || p->argv.v[0][0] == '\0')
		return error_set(e, EX_DATAERR, "argv: no program");
	if (p->argv.n > LAUNCH_WORDS_MAX || p->pass.n > LAUNCH_WORDS_MAX)
		return error_set(e, EX_DATAERR, "%s: more than %d",
		    p->argv.n > LAUNCH_WORDS_MAX ? "argv" : "pass",
		    LAUNCH_WORDS_MAX);
	for (i = 0; i < p->argv.n; i++)
		if (check_word("argv", p->argv.v[i], e) == -1)
			return -1;
	for (i = 0; i < p->pass.n; i++)
		if (!launch_is_variable(p->pass.v[i]))
			return error_set(e, EX_DATAERR, "pass: \"%.64s\" "
			    "cannot be a variable's name", p->pass.v[i]);
	if (p->cwd == NULL || p->cwd[0] != '/')
		return error_set(e, EX_DATAERR, "cwd: expected an absolute "
		    "path");
	if (check_word("cwd", p->cwd, e) == -1)
		return -1;
	if (p->cols < SIZE_LEAST || p->cols > SIZE_MOST ||
	    p->rows < SIZE_LEAST || p->rows > SIZE_MOST ||
	    p->history > HISTORY_MOST)
		return error_set(e, EX_DATAERR, "cols and rows are %d to %d, "
		    "history at most %d", SIZE_LEAST, SIZE_MOST, HISTORY_MOST);
	return 0;
}

/* --- read ---------------------------------------------------------------------- */

static int
copy_strings(struct strlist *to, const struct json_strings *from,
    struct error *e)
{
	return strlist_add_all(to, from->v, from->n) ? 0 : out_of_memory(e);
}

static int
copy_env(struct launch_plan *p, const cJSON *env, struct error *e)
{
	const cJSON	*c;

	if (json_unique(env, "env", e) == -1)
		return -1;
	cJSON_ArrayForEach(c, env) {
		if (!cJSON_IsString(c))
			return error_set(e, EX_DATAERR, "env.%.64s: expected "
			    "a string", c->string);
		if (launch_plan_set(p, c->string, c->valuestring, e) == -1)
			return -1;
	}
	return 0;
}

static int
copy_keys(struct launch_plan *p, const cJSON *keys, struct error *e)
{
	const cJSON	*c;
	struct raw_key	 k;

	cJSON_ArrayForEach(c, keys) {
		memset(&k, 0, sizeof(k));
		k.times = 1;
		if (json_read_strict(c, key_table, &k, "keys", e) == -1 ||
		    launch_plan_press(p, k.text, (int64_t)k.after_ms,
		    (unsigned)k.times, e) == -1)
			return -1;
	}
	return 0;
}

static int
copy(struct launch_plan *p, const struct raw *r, struct error *e)
{
	if (copy_strings(&p->argv, &r->argv, e) == -1 ||
	    copy_strings(&p->pass, &r->pass, e) == -1 ||
	    copy_env(p, r->env, e) == -1 || copy_keys(p, r->keys, e) == -1)
		return -1;
	if ((p->cwd = strdup(r->cwd)) == NULL)
		return out_of_memory(e);
	if (r->policy != NULL)
		launch_policy_by_name(&p->policy, r->policy);
	p->cols = (unsigned)r->cols;
	p->rows = (unsigned)r->rows;
	p->history = (unsigned)r->history;
	p->control = r->control;
	return check(p, e);
}

int
launch_plan_read(struct launch_plan *p, const char *text, size_t len,
    struct error *e)
{
	struct raw	 r;
	cJSON		*o;
	int		 rc = -1;

	if (len > LAUNCH_TEXT_MAX)
		return error_set(e, EX_DATAERR, "a launch of over %d bytes",
		    LAUNCH_TEXT_MAX);
	memset(&r, 0, sizeof(r));
	r.cols = p->cols;
	r.rows = p->rows;
	r.history = p->history;
	if ((o = json_parse(text, len, e)) != NULL &&
	    json_read_strict(o, table, &r, "", e) == 0)
		rc = copy(p, &r, e);
	json_strings_free(&r.argv);
	json_strings_free(&r.pass);
	cJSON_Delete(o);
	return rc;
}

int
launch_plan_load(struct launch_plan *p, const char *path, struct error *e)
{
	char	*text;
	size_t	 len;
	int	 rc;

	text = file_read_at(AT_FDCWD, path, path, LAUNCH_TEXT_MAX, &len, true,
	    e);
	if (text == NULL)
		return -1;
	if ((rc = launch_plan_read(p, text, len, e)) == -1)
		error_wrap(e, "%s", path);
	free(text);
	return rc;
}

/* --- write --------------------------------------------------------------------- */

static bool
add_env(cJSON *o, const struct launch_plan *p)
{
	cJSON	*env = cJSON_CreateObject();
	char	 name[VARIABLE_MAX + 1];
	size_t	 i, len;

	for (i = 0; env != NULL && i < p->env.n; i++) {
		len = strcspn(p->env.v[i], "=");
		snprintf(name, sizeof(name), "%.*s", (int)len, p->env.v[i]);
		if (!json_set_str(env, name, p->env.v[i] + len + 1)) {
			cJSON_Delete(env);
			return false;
		}
	}
	return json_set_item(o, "env", env);
}

static bool
add_keys(cJSON *o, const struct launch_plan *p)
{
	cJSON	*keys = cJSON_CreateArray(), *k;
	size_t	 i;

	for (i = 0; keys != NULL && i < p->n_keys; i++) {
		if ((k = cJSON_CreateObject()) == NULL ||
		    !json_set_str(k, "text", p->keys[i].text) ||
		    !json_set_i64(k, "after_ms", p->keys[i].after_ms) ||
		    !json_set_u64(k, "times", p->keys[i].times) ||
		    !cJSON_AddItemToArray(keys, k)) {
			cJSON_Delete(k);
			cJSON_Delete(keys);
			return false;
		}
	}
	return json_set_item(o, "keys", keys);
}

char *
launch_plan_text(const struct launch_plan *p, struct error *e)
{
	cJSON	*o;
	char	*text = NULL;

	if (check(p, e) == -1)
		return NULL;
	if ((o = cJSON_CreateObject()) != NULL &&
	    json_set_strings(o, "argv", p->argv.v, p->argv.n) &&
	    add_env(o, p) &&
	    json_set_strings(o, "pass", p->pass.v, p->pass.n) &&
	    json_set_str(o, "cwd", p->cwd) && add_keys(o, p) &&
	    json_set_str(o, "policy", policies[p->policy]) &&
	    json_set_u64(o, "cols", p->cols) &&
	    json_set_u64(o, "rows", p->rows) &&
	    json_set_u64(o, "history", p->history) &&
	    json_set_bool(o, "control", p->control))
		text = json_print(o);
	cJSON_Delete(o);
	if (text == NULL)
		out_of_memory(e);
	else if (strlen(text) > LAUNCH_TEXT_MAX) {
		free(text);
		text = NULL;
		error_set(e, EX_DATAERR, "a launch of over %d bytes",
		    LAUNCH_TEXT_MAX);
	}
	return text;
}

int
launch_plan_save(const struct launch_plan *p, const char *path,
    struct error *e)
{
	char	*text = launch_plan_text(p, e);
	int	 rc;

	if (text == NULL)
		return error_wrap(e, "%s", path);
	rc = file_write_private(path, text, 0600, e);
	free(text);
	return rc;
}

/* --- the child's environment ------------------------------------------------------ */

static bool
is_passed(const struct launch_plan *p, const char *pair)
{
	size_t	i, len = strcspn(pair, "=");

	if (pair[len] == '\0' ||
	    variable_at(p->env.v, p->env.n, pair, len) < p->env.n)
		return false;
	for (i = 0; i < p->pass.n; i++)
		if (strlen(p->pass.v[i]) == len &&
		    strncmp(p->pass.v[i], pair, len) == 0)
			return true;
	return false;
}

char **
launch_plan_environ(const struct launch_plan *p, char *const *from)
{
	struct strlist	l = { .v = NULL };
	char		**v;
	size_t		  i;
	bool		  ok = true;

	for (i = 0; ok && from != NULL && from[i] != NULL; i++)
		if (is_passed(p, from[i]))
			ok = strlist_add(&l, from[i]);
	for (i = 0; ok && i < p->env.n; i++)
		ok = strlist_add(&l, p->env.v[i]);
	if (!ok || (v = reallocarray(l.v, l.n + 1, sizeof(*v))) == NULL) {
		strlist_free(&l);
		return NULL;
	}
	v[l.n] = NULL;
	return v;
}

void
launch_environ_free(char **v)
{
	size_t	i;

	for (i = 0; v != NULL && v[i] != NULL; i++)
		free(v[i]);
	free(v);
}
