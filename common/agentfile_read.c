/* SPDX-License-Identifier: ISC */

/* An agent file's text, read line by line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentfile_impl.h"
#include "names.h"
#include "utf8.h"

#define FENCE	"---"
/* What begins something in YAML that is not to be had here. */
#define FANCY	"{}[]&*!|>%@`,"

#define KEY_CHARS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789_-"

/* Where each key was given, to be named when it does not go with others. */
struct reading {
	struct agent_file	*f;
	unsigned		 line;
	unsigned		 at[32];	/* by place in agent_keys */
};

static int
bad(const struct reading *r, struct error *e, const char *key,
    const char *what)
{
	return error_set(e, EX_DATAERR, "line %u: %.64s%s%s", r->line, key,
	    key[0] != '\0' ? ": " : "", what);
}

static int
no_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory for an agent file");
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Without blanks at either end. */
static const char *
trim(const char *s, size_t *len)
{
	while (*len > 0 && is_blank(s[0])) {
		s++;
		(*len)--;
	}
	while (*len > 0 && is_blank(s[*len - 1]))
		(*len)--;
	return s;
}

/* --- one value ------------------------------------------------------------------ */

static bool
has_control(const char *s, size_t len)
{
	size_t	i;

	for (i = 0; i < len; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\t') ||
		    s[i] == 0x7f)
			return true;
	return false;
}

/* What stands without quotes must not look like more than it is. */
static int
check_plain(const char *s, size_t len, bool in_list, struct error *e)
{
	size_t	i;

	/* A pattern may begin with a wildcard. */
	if (len > 0 && strchr(FANCY, s[0]) != NULL &&
	    !(in_list && strchr("*>", s[0]) != NULL))
		return error_set(e, EX_DATAERR, "a value that begins with "
		    "\"%c\" must be in quotes", s[0]);
	if (len > 1 && (s[0] == '-' || s[0] == '?') && is_blank(s[1]))
		return error_set(e, EX_DATAERR, "expected a value, or a list "
		    "like [a, b]");
	for (i = 0; i < len; i++) {
		if (s[i] == '#' && (i == 0 || is_blank(s[i - 1])) &&
		    (i + 1 == len || is_blank(s[i + 1])))
			return error_set(e, EX_DATAERR, "a comment has its own "
			    "line; a value with \" # \" must be in quotes");
		if (in_list && strchr("[]{}", s[i]) != NULL)
			return error_set(e, EX_DATAERR, "an item with \"%c\" "
			    "must be in quotes", s[i]);
	}
	return 0;
}

static int
check_quoted(const char *s, size_t len, struct error *e)
{
	const char	*end = memchr(s + 1, s[0], len - 1);

	if (end == NULL)
		return error_set(e, EX_DATAERR, "a quote is not closed");
	if (end != s + len - 1)
		return error_set(e, EX_DATAERR, "something follows the "
		    "closing quote");
	return 0;
}

char *
agent_value(const char *s, size_t len, bool in_list, struct error *e)
{
	bool	 quoted = len > 0 && (s[0] == '"' || s[0] == '\'');
	char	*value;

	if (has_control(s, len)) {
		error_set(e, EX_DATAERR, "a control character");
		return NULL;
	}
	if (quoted ? check_quoted(s, len, e) == -1 :
	    check_plain(s, len, in_list, e) == -1)
		return NULL;
	value = quoted ? strndup(s + 1, len - 2) : strndup(s, len);
	if (value == NULL)
		no_memory(e);
	return value;
}

size_t
agent_key_length(const char *s, size_t len)
{
	size_t	n = 0;

	if (len == 0 || strchr(KEY_CHARS, s[0]) == NULL ||
	    strchr("0123456789-", s[0]) != NULL)
		return 0;
	while (n < len && s[n] != '\0' && strchr(KEY_CHARS, s[n]) != NULL)
		n++;
	return n <= AGENT_KEY_MAX ? n : 0;
}

static int
read_item(const struct reading *r, const char *key, const char *s, size_t len,
    struct strlist *items, struct error *e)
{
	char	*value;
	bool	 ok;

	if (len == 0)
		return bad(r, e, key, "an empty item");
	if ((value = agent_value(s, len, true, e)) == NULL)
		return error_wrap(e, "line %u: %.64s", r->line, key);
	ok = strlist_add(items, value);
	free(value);
	return ok ? 0 : no_memory(e);
}

/* "[a, b]" into items. */
static int
read_list(const struct reading *r, const char *key, const char *s, size_t len,
    struct strlist *items, struct error *e)
{
	const char	*end = s + len - 1, *comma, *item;
	size_t		 n = len - 2;

	if (len == 1 || *end != ']')
		return bad(r, e, key, "the list is not closed on its line");
	trim(++s, &n);
	if (n == 0)
		return 0;
	for (;; s = comma + 1) {
		comma = memchr(s, ',', (size_t)(end - s));
		if (comma == NULL)
			comma = end;
		n = (size_t)(comma - s);
		item = trim(s, &n);
		if (read_item(r, key, item, n, items, e) == -1)
			return -1;
		if (comma == end)
			return 0;
	}
}

/* --- one key --------------------------------------------------------------------- */

static int
read_text(const struct reading *r, const struct agent_key *k, const char *s,
    size_t len, struct error *e)
{
	if (s[0] == '[')
		return bad(r, e, k->name, "expected one value, not a list");
	if ((*agent_text_of(r->f, k) = agent_value(s, len, false, e)) == NULL)
		return error_wrap(e, "line %u: %s", r->line, k->name);
	return 0;
}

/* One value without brackets is a list of one. */
static int
read_items(const struct reading *r, const struct agent_key *k, const char *s,
    size_t len, struct error *e)
{
	struct agent_list	*l = agent_list_of(r->f, k);
	size_t			 i;
	int			 rc;

	l->given = true;
	if (s[0] != '[' && memchr(s, ',', len) != NULL)
		return bad(r, e, k->name, "expected a list like [a, b]");
	rc = s[0] == '[' ? read_list(r, k->name, s, len, &l->items, e) :
	    read_item(r, k->name, s, len, &l->items, e);
	if (rc == -1 || k->kind != AGENT_CHANNELS)
		return rc;
	for (i = 0; i < l->items.n; i++)
		if (!channel_is_valid(l->items.v[i]))
			return error_set(e, EX_DATAERR, "line %u: %s: "
			    "\"%.64s\" is not a channel", r->line, k->name,
			    l->items.v[i]);
	return 0;
}

static int
read_meta(const struct reading *r, const char *key, const char *s, size_t len,
    struct error *e)
{
	struct agent_file	*f = r->f;
	struct agent_meta	*m;
	size_t			 i;

	if (strcmp(key, "channels") == 0 || strcmp(key, "publish") == 0)
		return bad(r, e, key, key[0] == 'c' ? "this is now subscribe, "
		    "and allowSubscribe for what may be read" :
		    "this is now allowPublish");
	for (i = 0; i < f->n_meta; i++)
		if (strcmp(f->meta[i].key, key) == 0)
			return bad(r, e, key, "given twice");
	m = reallocarray(f->meta, f->n_meta + 1, sizeof(*m));
	if (m == NULL)
		return no_memory(e);
	f->meta = m;
	m += f->n_meta++;
	memset(m, 0, sizeof(*m));
	if ((m->key = strdup(key)) == NULL)
		return no_memory(e);
	if (s[0] == '[')
		return read_list(r, key, s, len, &m->items, e);
	if ((m->value = agent_value(s, len, false, e)) == NULL)
		return error_wrap(e, "line %u: %.64s", r->line, key);
	return 0;
}

static int
read_key(struct reading *r, const char *key, const char *s, size_t len,
    struct error *e)
{
	const struct agent_key	*k;

	for (k = agent_keys; k->name != NULL; k++)
		if (strcmp(k->name, key) == 0)
			break;
	if (k->name != NULL && r->at[k - agent_keys] != 0)
		return bad(r, e, key, "given twice");
	/* `key:` alone says nothing. */
	if (len == 0)
		return 0;
	if (k->name == NULL)
		return read_meta(r, key, s, len, e);
	r->at[k - agent_keys] = r->line;
	return k->kind == AGENT_TEXT ? read_text(r, k, s, len, e) :
	    read_items(r, k, s, len, e);
}

static int
read_line(struct reading *r, const char *s, size_t len, struct error *e)
{
	const char	*text;
	char		 key[AGENT_KEY_MAX + 1];
	size_t		 n = len, name;

	text = trim(s, &n);
	if (n == 0 || text[0] == '#')
		return 0;
	if (text != s)
		return bad(r, e, "", "it is indented: expected key: value, or "
		    "key: [a, b]");
	name = agent_key_length(text, n);
	if (name == 0 || name == n || text[name] != ':' ||
	    (name + 1 < n && !is_blank(text[name + 1])))
		return bad(r, e, "", "expected key: value, or key: [a, b]");
	memcpy(key, text, name);
	key[name] = '\0';
	n -= name + 1;
	text = trim(text + name + 1, &n);
	return read_key(r, key, text, n, e);
}

/* --- what goes together ----------------------------------------------------------- */

/* Say it of the line where `key` is; without one, of the file. */
static int
wrong(struct reading *r, const char *key, struct error *e, const char *what,
    const char *value)
{
	const struct agent_key	*k;

	for (k = agent_keys; k->name != NULL; k++)
		if (strcmp(k->name, key) == 0)
			r->line = r->at[k - agent_keys];
	if (r->line == 0)
		return error_set(e, EX_DATAERR, "%s: \"%.64s\" %s", key, value,
		    what);
	return error_set(e, EX_DATAERR, "line %u: %s: \"%.64s\" %s", r->line,
	    key, value, what);
}

static int
check_texts(struct reading *r, struct error *e)
{
	const struct agent_file	*f = r->f;
	size_t			 i;

	if (f->name == NULL)
		return error_set(e, EX_DATAERR, "there is no name");
	if (!name_is_instance(f->name))
		return wrong(r, "name", e, "is not a name: one line, without "
		    "slashes", f->name);
	if (f->role != NULL && !name_is_token(f->role))
		return wrong(r, "role", e, "is not a role: letters, digits, "
		    "_ and -", f->role);
	if (f->kind != NULL && strcmp(f->kind, "agent") != 0 &&
	    strcmp(f->kind, "endpoint") != 0)
		return wrong(r, "kind", e, "is neither agent nor endpoint",
		    f->kind);
	if (f->model != NULL && f->model[0] == '\0')
		return wrong(r, "model", e, "is not a model", f->model);
	if (f->owner != NULL && !name_is_id(f->owner))
		return wrong(r, "owner", e, "is not an id", f->owner);
	for (i = 0; i < f->capabilities.items.n; i++)
		if (!name_is_token(f->capabilities.items.v[i]))
			return wrong(r, "capabilities", e, "is not a "
			    "capability", f->capabilities.items.v[i]);
	return 0;
}

static int
check_attention(struct reading *r, const struct agent_acl *a, const char *key,
    const struct strlist *l, struct error *e)
{
	size_t	i;

	for (i = 0; i < l->n; i++) {
		if (!channel_is_concrete(l->v[i]))
			return wrong(r, key, e, "has a wildcard: expected one "
			    "channel", l->v[i]);
		if (!channel_covered(l->v[i], a->allow_subscribe,
		    a->n_allow_subscribe))
			return wrong(r, key, e, "is outside what may be read "
			    "(allowSubscribe)", l->v[i]);
	}
	return 0;
}

/* The server reads a * at the end of what may be read as >. */
static int
check_ends(struct reading *r, const struct agent_acl *a, struct error *e)
{
	const char	*last;
	size_t		 i;

	for (i = 0; i < a->n_allow_subscribe; i++) {
		last = strrchr(a->allow_subscribe[i], '.');
		if (strcmp(last == NULL ? a->allow_subscribe[i] : last + 1,
		    "*") == 0)
			return wrong(r, r->f->allow_subscribe.given ?
			    "allowSubscribe" : "subscribe", e, "cannot end in "
			    "*: the broker would take it for >",
			    a->allow_subscribe[i]);
	}
	return 0;
}

static int
check_channels(struct reading *r, struct error *e)
{
	const struct agent_file	*f = r->f;
	struct agent_acl	 a;
	size_t			 i;

	agent_file_acl(f, &a);
	if (check_ends(r, &a, e) == -1)
		return -1;
	for (i = 0; i < a.n_subscribe; i++)
		if (!channel_covered(a.subscribe[i], a.allow_subscribe,
		    a.n_allow_subscribe))
			return wrong(r, f->subscribe.given ? "subscribe" :
			    "allowSubscribe", e, "is outside what may be read "
			    "(allowSubscribe)", a.subscribe[i]);
	for (i = 0; i < f->quiet.items.n; i++)
		if (strlist_has(&f->muted.items, f->quiet.items.v[i]))
			return wrong(r, "quiet", e, "is muted too: it can be "
			    "one of them", f->quiet.items.v[i]);
	if (check_attention(r, &a, "quiet", &f->quiet.items, e) == -1)
		return -1;
	return check_attention(r, &a, "muted", &f->muted.items, e);
}

/* --- the file ---------------------------------------------------------------------- */

static int
read_body(struct agent_file *f, const char *s, size_t len, struct error *e)
{
	const char	*body;
	char		*copy = strndup(s, len);

	if (copy == NULL)
		return no_memory(e);
	body = utf8_trim(copy, &len);
	if (len > 0 && (f->body = strndup(body, len)) == NULL) {
		free(copy);
		return no_memory(e);
	}
	free(copy);
	return 0;
}

/* The lines between the fences; *rest is what follows them. */
static int
read_head(struct reading *r, const char *s, size_t len, const char **rest,
    struct error *e)
{
	const char	*end = s + len, *nl;
	size_t		 n;

	for (; s < end; s = nl + (nl < end)) {
		if ((nl = memchr(s, '\n', (size_t)(end - s))) == NULL)
			nl = end;
		n = (size_t)(nl - s);
		r->line++;
		if (n > 0 && s[n - 1] == '\r')
			return bad(r, e, "", "it ends in CR LF: lines end in "
			    "LF here");
		if (n == strlen(FENCE) && memcmp(s, FENCE, n) == 0) {
			if (r->line > 1) {
				*rest = nl + (nl < end);
				return 0;
			}
		} else if (r->line == 1)
			break;
		else if (read_line(r, s, n, e) == -1)
			return -1;
	}
	if (r->line <= 1)
		return error_set(e, EX_DATAERR, "line 1: expected " FENCE
		    " alone");
	return error_set(e, EX_DATAERR, "the " FENCE " that ends the head is "
	    "missing");
}

int
agent_file_read(struct agent_file *f, const char *text, size_t len,
    struct error *e)
{
	struct reading	 r;
	const char	*body = NULL;

	memset(f, 0, sizeof(*f));
	memset(&r, 0, sizeof(r));
	r.f = f;
	if (len > AGENT_FILE_MAX)
		return error_set(e, EX_DATAERR, "longer than %d bytes",
		    AGENT_FILE_MAX);
	if (memchr(text, '\0', len) != NULL || !utf8_is_valid(text, len))
		return error_set(e, EX_DATAERR, "not a text in UTF-8");
	if (read_head(&r, text, len, &body, e) == -1 ||
	    read_body(f, body, (size_t)(text + len - body), e) == -1)
		return -1;
	r.line = 0;
	if (check_texts(&r, e) == -1)
		return -1;
	return check_channels(&r, e);
}
