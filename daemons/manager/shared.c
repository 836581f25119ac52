/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "files.h"
#include "launchplan.h"
#include "names.h"
#include "safepath.h"
#include "shared.h"

#define SETTINGS_MAX	(1024 * 1024)
#define SETTINGS_REL	".cotal/config.json"
#define NAME_MAX_LEN	128

struct server {
	char			*command, *url;
	struct json_strings	 args;
	const cJSON		*env, *headers;
};

#define S(m)	offsetof(struct server, m)
static const struct json_field table[] = {
	{ .name = "command", .type = JSON_STRING, .offset = S(command) },
	{ .name = "url", .type = JSON_STRING, .offset = S(url) },
	{ .name = "args", .type = JSON_STRINGS, .offset = S(args) },
	{ .name = "env", .type = JSON_OBJECT, .offset = S(env) },
	{ .name = "headers", .type = JSON_OBJECT, .offset = S(headers) },
	JSON_END
};
#undef S

static int
out_of_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory for shared servers");
}

/* Say where; what is wrong in a setting is the setting's fault. */
static int
wrong(struct error *e, const char *what, const char *where)
{
	error_wrap(e, "%s%.256s", what, where);
	if (e != NULL && e->code == EX_DATAERR)
		e->code = EX_CONFIG;
	return -1;
}

/* --- references -------------------------------------------------------------------- */

/* Note the variables that a text refers to. */
static int
note_vars(struct shared *s, const char *text, struct error *e)
{
	char		 name[NAME_MAX_LEN + 1];
	const char	*p;
	size_t		 len;

	for (p = text; (p = strstr(p, "${")) != NULL; p += len) {
		p += 2;
		len = strcspn(p, "}:");
		if (len == 0 || len >= sizeof(name) || p[len] == '\0' ||
		    (p[len] == ':' && (p[len + 1] != '-' ||
		    strchr(p + len, '}') == NULL)))
			return error_set(e, EX_CONFIG, "\"%.64s\": expected "
			    "${NAME} or ${NAME:-DEFAULT}", text);
		memcpy(name, p, len);
		name[len] = '\0';
		if (!launch_is_variable(name))
			return error_set(e, EX_CONFIG, "\"%.64s\" cannot be a "
			    "variable's name", name);
		if (!strlist_has(&s->vars, name) &&
		    !strlist_add(&s->vars, name))
			return out_of_memory(e);
	}
	return 0;
}

/* --- secrets ----------------------------------------------------------------------- */

static bool
ends_in(const char *s, size_t len, const char *end)
{
	size_t	n = strlen(end);

	return len >= n && strncasecmp(s + len - n, end, n) == 0;
}

/* Does a name say that its value is to be kept secret, and not where that is
 * kept? */
static bool
is_secret(const char *name, size_t len)
{
	static const char *const	words[] = { "token", "secret",
	    "password", "passwd", "passphrase", "api_key", "apikey",
	    "api-key", "access_key", "access-key", "authorization",
	    "credential", "private_key", "private-key" };
	static const char *const	places[] = { "file", "path", "dir",
	    "env", "url" };
	const char			*at;
	size_t				 i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (ends_in(name, len, places[i]))
			return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((at = strcasestr(name, words[i])) != NULL &&
		    at + strlen(words[i]) <= name + len)
			return true;
	return false;
}

/* Behind the reference at s; NULL: its default is something. */
static const char *
skip_reference(const char *s, size_t len)
{
	const char	*end = memchr(s, '}', len), *colon;

	if (end == NULL)
		return NULL;
	colon = memchr(s, ':', (size_t)(end - s));
	return colon != NULL && end > colon + 2 ? NULL : end + 1;
}

/* References, with no more than a word before and signs between them. */
static bool
only_refers(const char *s, size_t len)
{
	static const char	letters[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char	digits[] = "0123456789";
	const char		*end = s + len;
	size_t			 word = strspn(s, letters);
	bool			 refers = false;

	if (word < len && s[word] == ' ')
		s += word;
	while (s < end) {
		if (s[0] == '$' && s + 1 < end && s[1] == '{') {
			s = skip_reference(s, (size_t)(end - s));
			if (s == NULL)
				return false;
			refers = true;
		} else if ((*s & 0x80) != 0 || strchr(letters, *s) != NULL ||
		    strchr(digits, *s) != NULL)
			return false;
		else
			s++;
	}
	return refers;
}

/* MAX_TOKENS=4096 is none. */
static bool
is_count(const char *name, size_t n, const char *value, size_t len)
{
	return ends_in(name, n, "tokens") &&
	    strspn(value, "0123456789") >= len;
}

static int
check_pair(const char *name, size_t n, const char *value, size_t len,
    struct error *e)
{
	if (len == 0 || !is_secret(name, n) || only_refers(value, len) ||
	    is_count(name, n, value, len))
		return 0;
	return error_set(e, EX_CONFIG, "a secret is named here, as "
	    "${VARIABLE}, and does not stand here");
}

/* SCHEME://USER:PASSWORD@HOST, and ?NAME=VALUE&... */
static int
check_url(const char *s, struct error *e)
{
	const char	*host = strstr(s, "://"), *at, *colon, *eq;
	size_t		 len;

	if (host == NULL)
		return 0;
	host += 3;
	colon = strchr(host, ':');
	at = strchr(host, '@');
	if (colon != NULL && at != NULL && colon < at &&
	    memchr(host, '/', (size_t)(colon - host)) == NULL &&
	    check_pair("password", 8, colon + 1, (size_t)(at - colon - 1),
	    e) == -1)
		return -1;
	for (s = strchr(host, '?'); s != NULL && *s != '\0' && *s != '#';
	    s += len) {
		len = strcspn(++s, "&#");
		eq = memchr(s, '=', len);
		if (eq != NULL && check_pair(s, (size_t)(eq - s), eq + 1,
		    (size_t)(s + len - eq - 1), e) == -1)
			return -1;
	}
	return 0;
}

/* --token=X, --token X, TOKEN=X: before is the argument before it, or "". */
static int
check_arg(const char *before, const char *arg, struct error *e)
{
	const char	*eq = strchr(arg, '=');

	if (check_url(arg, e) == -1)
		return -1;
	if (eq != NULL && strcspn(arg, "/?{ ") > (size_t)(eq - arg))
		return check_pair(arg, (size_t)(eq - arg), eq + 1,
		    strlen(eq + 1), e);
	return before[0] == '-' && arg[0] != '-' &&
	    strchr(before, '=') == NULL ? check_pair(before, strlen(before),
	    arg, strlen(arg), e) : 0;
}

/* --- one server ---------------------------------------------------------------------- */

static int
note_values(struct shared *s, const char *field, const cJSON *o,
    struct error *e)
{
	const cJSON	*c;

	cJSON_ArrayForEach(c, o) {
		if (!cJSON_IsString(c))
			return error_set(e, EX_CONFIG, "%s.%.64s: expected a "
			    "string", field, c->string);
		if (check_pair(c->string, strlen(c->string), c->valuestring,
		    strlen(c->valuestring), e) == -1 ||
		    check_url(c->valuestring, e) == -1 ||
		    note_vars(s, c->valuestring, e) == -1)
			return error_wrap(e, "%s.%.64s", field, c->string);
	}
	return 0;
}

static int
note_server(struct shared *s, const struct server *v, struct error *e)
{
	size_t	i;

	if ((v->command == NULL) == (v->url == NULL))
		return error_set(e, EX_CONFIG, "expected a command, or a url");
	if (v->command != NULL && note_vars(s, v->command, e) == -1)
		return -1;
	if (v->url != NULL && (check_url(v->url, e) == -1 ||
	    note_vars(s, v->url, e) == -1))
		return error_wrap(e, "url");
	for (i = 0; i < v->args.n; i++)
		if (check_arg(i == 0 ? "" : v->args.v[i - 1], v->args.v[i],
		    e) == -1 || note_vars(s, v->args.v[i], e) == -1)
			return error_wrap(e, "args[%zu]", i);
	if (note_values(s, "env", v->env, e) == -1)
		return -1;
	return note_values(s, "headers", v->headers, e);
}

static int
check_server(struct shared *s, const cJSON *o, struct error *e)
{
	struct server	v;
	int		rc = -1;

	memset(&v, 0, sizeof(v));
	if (!name_is_token(o->string) || strlen(o->string) > NAME_MAX_LEN)
		error_set(e, EX_CONFIG, "a server's name is letters, digits, "
		    "_ and -, %d at most", NAME_MAX_LEN);
	else if (json_unique(o, "", e) == 0 &&
	    json_read(o, table, &v, "", e) == 0)
		rc = note_server(s, &v, e);
	json_strings_free(&v.args);
	return rc == 0 ? 0 : wrong(e, "mcpServers.", o->string);
}

/* --- the files ------------------------------------------------------------------------ */

/* Those of one file, over what is there. */
static int
take(struct shared *s, const cJSON *servers, struct error *e)
{
	const cJSON	*c;

	if (servers == NULL || cJSON_IsNull(servers))
		return 0;
	if (!cJSON_IsObject(servers))
		return error_set(e, EX_CONFIG, "mcpServers: expected an "
		    "object");
	if (json_unique(servers, "mcpServers", e) == -1)
		return -1;
	cJSON_ArrayForEach(c, servers) {
		if (strcmp(c->string, SHARED_OURS) == 0)
			continue;
		if (!json_set_item(s->servers, c->string,
		    cJSON_Duplicate(c, true)))
			return out_of_memory(e);
	}
	return 0;
}

static int
take_text(struct shared *s, const char *text, size_t len,
    const char *connector, struct error *e)
{
	const cJSON	*all, *one;
	cJSON		*o;
	int		 rc = 0;

	if ((o = json_parse(text, len, e)) == NULL)
		return -1;
	all = json_get(o, "connectors");
	one = json_get(all, connector);
	if (!cJSON_IsObject(o))
		rc = error_set(e, EX_CONFIG, "expected an object");
	else if (all != NULL && !cJSON_IsObject(all))
		rc = error_set(e, EX_CONFIG, "connectors: expected an object");
	else if (one != NULL && !cJSON_IsObject(one))
		rc = error_set(e, EX_CONFIG, "connectors.%s: expected an "
		    "object", connector);
	else
		rc = take(s, json_get(one, "mcpServers"), e);
	cJSON_Delete(o);
	return rc;
}

static int
take_file(struct shared *s, char *text, size_t len, const char *path,
    const char *connector, struct error *e)
{
	int	rc;

	if (text == NULL)
		return -1;
	if ((rc = take_text(s, text, len, connector, e)) == -1)
		wrong(e, "", path);
	free(text);
	return rc;
}

static int
take_own(struct shared *s, const char *connector, struct error *e)
{
	const char	*dir = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char		*path, *text;
	size_t		 len = 0;
	int		 n, rc = 0;

	if (dir != NULL && dir[0] == '/')
		n = asprintf(&path, "%s/cotal/config.json", dir);
	else if (home != NULL && home[0] == '/')
		n = asprintf(&path, "%s/.config/cotal/config.json", home);
	else
		return 0;
	if (n == -1)
		return out_of_memory(e);
	if (access(path, F_OK) == 0) {
		text = file_read(path, SETTINGS_MAX, &len, e);
		rc = take_file(s, text, len, path, connector, e);
	}
	free(path);
	return rc;
}

static int
take_workspace(struct shared *s, const char *workspace,
    const char *connector, struct error *e)
{
	size_t	len = 0;
	char	*text;
	int	 there = safe_exists(workspace, SETTINGS_REL, e);

	if (there != 1)
		return there;
	text = safe_read(workspace, SETTINGS_REL, SETTINGS_MAX, &len, e);
	return take_file(s, text, len, SETTINGS_REL, connector, e);
}

int
shared_load(struct shared *s, const char *workspace, const char *connector,
    struct error *e)
{
	const cJSON	*c;

	memset(s, 0, sizeof(*s));
	if ((s->servers = cJSON_CreateObject()) == NULL)
		return out_of_memory(e);
	if (take_own(s, connector, e) == -1 ||
	    take_workspace(s, workspace, connector, e) == -1)
		return -1;
	cJSON_ArrayForEach(c, s->servers)
		if (check_server(s, c, e) == -1)
			return error_wrap(e, "connectors.%s", connector);
	return 0;
}

void
shared_free(struct shared *s)
{
	cJSON_Delete(s->servers);
	strlist_free(&s->vars);
	memset(s, 0, sizeof(*s));
}
