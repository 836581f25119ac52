/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "files.h"
#include "message.h"
#include "names.h"

#define CONFIG_MAX	(64 * 1024)

struct key {
	const char	*name;
	int		(*set)(struct config *, const char *value,
			    struct error *);
};

static int	replace(char **, const char *, struct error *);

/* --- values -------------------------------------------------------------- */

static int
set_space(struct config *c, const char *v, struct error *e)
{
	if (!name_is_token(v))
		return error_set(e, EX_CONFIG, "space: expected letters, "
		    "digits, _ and -, not \"%s\"", v);
	return replace(&c->space, v, e);
}

static int
set_servers(struct config *c, const char *v, struct error *e)
{
	if ((strncmp(v, "nats://", 7) != 0 && strncmp(v, "tls://", 6) != 0) ||
	    strpbrk(v, " \t\"'#") != NULL)
		return error_set(e, EX_CONFIG, "servers: expected nats://HOST"
		    ":PORT[,...], not \"%s\"", v);
	return replace(&c->servers, v, e);
}

static int
set_listen(struct config *c, const char *v, struct error *e)
{
	const char	*colon = strrchr(v, ':');
	char		*host, *end;
	long		 port;

	if (colon == NULL || colon == v || strchr(v, ':') != colon ||
	    strpbrk(v, " \t\"'#") != NULL)
		return error_set(e, EX_CONFIG, "listen: expected NAME:PORT or"
		    " an IPv4 ADDRESS:PORT, not \"%s\"", v);
	port = strtol(colon + 1, &end, 10);
	if (*end != '\0' || port < 1 || port > 65535)
		return error_set(e, EX_CONFIG, "listen: \"%s\" is no port",
		    colon + 1);
	if ((host = strndup(v, (size_t)(colon - v))) == NULL)
		return error_errno(e, EX_OSERR, "listen");
	free(c->listen_host);
	c->listen_host = host;
	c->listen_port = (int)port;
	c->embedded = true;
	return 0;
}

static int
set_duration(int64_t *out, const char *key, const char *v, int64_t least_ms,
    struct error *e)
{
	int64_t	ms = duration_ms(v);

	if (ms < least_ms)
		return error_set(e, EX_CONFIG, "%s: expected a duration like "
		    "30s, 5m or 2h of at least %llds, not \"%s\"", key,
		    (long long)(least_ms / 1000), v);
	*out = ms;
	return 0;
}

static int
set_lease_ttl(struct config *c, const char *v, struct error *e)
{
	return set_duration(&c->lease_ttl_ms, "lease-ttl", v, 2000, e);
}

static int
set_dedup_window(struct config *c, const char *v, struct error *e)
{
	return set_duration(&c->dedup_window_ms, "dedup-window", v, 60000, e);
}

static int
set_replicas(struct config *c, const char *v, struct error *e)
{
	if (strcmp(v, "1") != 0 && strcmp(v, "3") != 0 && strcmp(v, "5") != 0)
		return error_set(e, EX_CONFIG, "replicas: expected 1, 3 or 5,"
		    " not \"%s\"", v);
	c->replicas = atoi(v);
	return 0;
}

/* A line ends at its end, so it cannot hold one. */
static int
set_path(char **where, const char *key, const char *v, struct error *e)
{
	if (v[0] != '/' || v[strcspn(v, "\r\n")] != '\0' ||
	    v[strlen(v) - 1] == ' ' || v[strlen(v) - 1] == '\t')
		return error_set(e, EX_CONFIG, "%s: expected an absolute "
		    "path, not \"%s\"", key, v);
	return replace(where, v, e);
}

static int
set_workspace(struct config *c, const char *v, struct error *e)
{
	return set_path(&c->workspace, "workspace", v, e);
}

static int
set_memory_slot(struct config *c, const char *v, struct error *e)
{
	return set_path(&c->memory_slot, "memory-slot", v, e);
}

static const struct key keys[] = {
	{ "space",		set_space },
	{ "servers",		set_servers },
	{ "listen",		set_listen },
	{ "workspace",		set_workspace },
	{ "memory-slot",	set_memory_slot },
	{ "lease-ttl",		set_lease_ttl },
	{ "dedup-window",	set_dedup_window },
	{ "replicas",		set_replicas },
};
#define N_KEYS	(sizeof(keys) / sizeof(keys[0]))

/* --- the file ---------------------------------------------------------------- */

static int
replace(char **where, const char *value, struct error *e)
{
	char	*copy = strdup(value);

	if (copy == NULL)
		return error_errno(e, EX_OSERR, "config");
	free(*where);
	*where = copy;
	return 0;
}

static char *
trim(char *s)
{
	size_t	n;

	while (isspace((unsigned char)*s))
		s++;
	for (n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

/* seen: per key, the line that has it; 0: none yet. */
static int
parse_line(struct config *c, char *line, int at, int seen[N_KEYS],
    struct error *e)
{
	char	*key = trim(line), *value;
	size_t	 i;

	if (*key == '\0' || *key == '#')
		return 0;
	if ((value = strchr(key, '=')) == NULL)
		return error_set(e, EX_CONFIG, "expected key = value");
	*value++ = '\0';
	key = trim(key);
	value = trim(value);
	for (i = 0; i < N_KEYS; i++)
		if (strcmp(keys[i].name, key) == 0)
			break;
	if (i == N_KEYS)
		return error_set(e, EX_CONFIG, "unknown key \"%s\"", key);
	if (seen[i] != 0)
		return error_set(e, EX_CONFIG, "%s: given already in line %d",
		    key, seen[i]);
	seen[i] = at;
	return keys[i].set(c, value, e);
}

static int
parse_lines(struct config *c, char *text, const char *path, struct error *e)
{
	char	*line, *next;
	int	 n, seen[N_KEYS] = { 0 };

	for (line = text, n = 1; line != NULL; line = next, n++) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		if (parse_line(c, line, n, seen, e) == -1)
			return error_wrap(e, "%s:%d", path, n);
	}
	return 0;
}

static int
parse(struct config *c, char *text, const char *path, struct error *e)
{
	if (parse_lines(c, text, path, e) == -1)
		return -1;
	if (c->space == NULL)
		return error_set(e, EX_CONFIG, "%s: no space is set", path);
	if (c->servers == NULL)
		return error_set(e, EX_CONFIG, "%s: no servers are set", path);
	return 0;
}

int
config_init(struct config *c, const char *state, struct error *e)
{
	memset(c, 0, sizeof(*c));
	c->lease_ttl_ms = DEFAULT_LEASE_TTL_MS;
	c->dedup_window_ms = DEFAULT_DEDUP_WINDOW_MS;
	c->replicas = 1;
	return replace(&c->state, state, e);
}

/* A FIFO would keep us waiting for a writer. */
static char *
read_settings(const char *path, struct error *e)
{
	struct stat	st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISDIR(st.st_mode) && !S_ISCHR(st.st_mode)) {
		error_set(e, EX_NOINPUT, "%s is no regular file", path);
		return NULL;
	}
	return file_read(path, CONFIG_MAX, NULL, e);
}

int
config_load(struct config *c, const char *state, struct error *e)
{
	char	*path = NULL, *text = NULL;
	int	 r = -1;

	if (config_init(c, state, e) == -1)
		return -1;
	if ((path = config_path(c, "reeve.conf")) == NULL) {
		error_errno(e, EX_OSERR, "%s", state);
		goto out;
	}
	if (access(path, F_OK) == -1 && errno == ENOENT) {
		error_set(e, EX_CONFIG, "%s: no reeve state here; make one "
		    "with `reeve init --state %s`", state, state);
		goto out;
	}
	if ((text = read_settings(path, e)) == NULL)
		goto out;
	r = parse(c, text, path, e);
out:
	free(text);
	free(path);
	if (r == -1)
		config_free(c);
	return r;
}

/* Where we reach the broker that listens here. */
static int
serve_here(struct config *c, struct error *e)
{
	char	url[300];

	snprintf(url, sizeof(url), "nats://%s:%d",
	    strcmp(c->listen_host, "0.0.0.0") == 0 ? DEFAULT_HOST :
	    c->listen_host, c->listen_port);
	return set_servers(c, url, e);
}

int
config_serve(struct config *c, const char *listen, struct error *e)
{
	return set_listen(c, listen, e) == -1 ? -1 : serve_here(c, e);
}

/* What a host's file leaves out; what it says twice must be one thing. */
static int
fill_in(struct config *c, const char *file, struct error *e)
{
	char	 listen[32], *said = c->servers;
	int	 r;

	if (c->space == NULL && replace(&c->space, DEFAULT_SPACE, e) == -1)
		return -1;
	if (!c->embedded && said != NULL)
		return 0;
	if (!c->embedded) {
		snprintf(listen, sizeof(listen), "%s:%d", DEFAULT_HOST,
		    DEFAULT_PORT);
		return config_serve(c, listen, e);
	}
	c->servers = NULL;
	if ((r = serve_here(c, e)) == 0 && said != NULL &&
	    strcmp(said, c->servers) != 0)
		r = error_set(e, EX_CONFIG, "%s: listen is for a broker that "
		    "runs here, servers for one that runs already: give one "
		    "of them", file);
	free(said);
	return r;
}

int
config_read(struct config *c, const char *state, const char *file,
    struct error *e)
{
	char	*text;
	int	 r = -1;

	if (config_init(c, state, e) == -1)
		return -1;
	if ((text = read_settings(file, e)) != NULL &&
	    (r = parse_lines(c, text, file, e)) == 0)
		r = fill_in(c, file, e);
	free(text);
	if (r == -1)
		config_free(c);
	return r;
}

int
config_inherit(struct config *c, const struct config *was, struct error *e)
{
	if (c->memory_slot == NULL && was->memory_slot != NULL &&
	    replace(&c->memory_slot, was->memory_slot, e) == -1)
		return -1;
	if (c->workspace != NULL || was->workspace == NULL)
		return 0;
	return replace(&c->workspace, was->workspace, e);
}

int
config_check(const struct config *c, struct error *e)
{
	struct config	 again;
	char		*text = config_text(c);
	int		 r;

	if (text == NULL || config_init(&again, c->state, e) == -1) {
		free(text);
		return error_errno(e, EX_OSERR, "settings");
	}
	if ((r = parse(&again, text, "settings", e)) == -1 && e != NULL)
		e->code = EX_USAGE;
	else if (r == 0 && c->workspace != NULL &&
	    strcmp(again.workspace, c->workspace) != 0)
		r = error_set(e, EX_USAGE, "workspace: a path that ends in a "
		    "blank cannot be kept: \"%s\"", c->workspace);
	config_free(&again);
	free(text);
	return r;
}

/* A duration in the largest unit that holds it whole. */
static void
duration_text(char *buf, size_t size, int64_t ms)
{
	static const struct { int64_t ms; char unit; } units[] = {
		{ 86400000, 'd' }, { 3600000, 'h' }, { 60000, 'm' },
		{ 1000, 's' } };
	size_t	i;

	for (i = 0; i < 3 && ms % units[i].ms != 0; i++)
		;
	snprintf(buf, size, "%lld%c", (long long)(ms / units[i].ms),
	    units[i].unit);
}

char *
config_text(const struct config *c)
{
	char	*text = NULL, *paths = NULL;
	char	 listen[300] = "", ttl[32], window[32];

	if (c->embedded)
		snprintf(listen, sizeof(listen), "listen = %s:%d\n",
		    c->listen_host, c->listen_port);
	duration_text(ttl, sizeof(ttl), c->lease_ttl_ms);
	duration_text(window, sizeof(window), c->dedup_window_ms);
	if (asprintf(&paths, "%s%s%s%s%s%s",
	    c->workspace == NULL ? "" : "workspace = ",
	    c->workspace == NULL ? "" : c->workspace,
	    c->workspace == NULL ? "" : "\n",
	    c->memory_slot == NULL ? "" : "memory-slot = ",
	    c->memory_slot == NULL ? "" : c->memory_slot,
	    c->memory_slot == NULL ? "" : "\n") == -1)
		return NULL;
	if (asprintf(&text,
	    "# Made by reeve init; see reeve.conf(5).\n"
	    "space = %s\n"
	    "servers = %s\n"
	    "%s"
	    "lease-ttl = %s\n"
	    "dedup-window = %s\n"
	    "replicas = %d\n"
	    "%s",
	    c->space, c->servers, listen, ttl, window, c->replicas,
	    paths) == -1)
		text = NULL;
	free(paths);
	return text;
}

void
config_free(struct config *c)
{
	free(c->state);
	free(c->space);
	free(c->servers);
	free(c->workspace);
	free(c->memory_slot);
	free(c->listen_host);
	memset(c, 0, sizeof(*c));
}

/* --- the directory -------------------------------------------------------------- */

static char *
default_state(void)
{
	const char	*base;
	char		*path = NULL;

	if (geteuid() == 0)
		return strdup(STATEDIR);
	if ((base = getenv("XDG_STATE_HOME")) != NULL && base[0] == '/') {
		if (asprintf(&path, "%s/reeve", base) == -1)
			return NULL;
	} else if ((base = getenv("HOME")) != NULL && base[0] == '/') {
		if (asprintf(&path, "%s/.local/state/reeve", base) == -1)
			return NULL;
	}
	return path;
}

char *
config_state_dir(const char *option, struct error *e)
{
	const char	*given = option;
	char		*path = NULL, cwd[PATH_MAX];

	if (given == NULL)
		given = getenv("REEVE_STATE");
	if (given == NULL || given[0] == '\0')
		path = default_state();
	else if (given[0] == '/')
		path = strdup(given);
	else if (getcwd(cwd, sizeof(cwd)) == NULL ||
	    asprintf(&path, "%s/%s", cwd, given) == -1)
		path = NULL;
	if (path == NULL)
		error_set(e, EX_CONFIG, "no state directory: give --state DIR"
		    " or set REEVE_STATE");
	return path;
}

int
config_open(struct config *c, const char *option, struct error *e)
{
	char	*state = config_state_dir(option, e);
	int	 r;

	if (state == NULL)
		return -1;
	r = config_load(c, state, e);
	free(state);
	return r;
}

char *
config_path(const struct config *c, const char *fmt, ...)
{
	char	*tail = NULL, *path = NULL;
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vasprintf(&tail, fmt, ap);
	va_end(ap);
	if (n == -1)
		return NULL;
	if (asprintf(&path, "%s/%s", c->state, tail) == -1)
		path = NULL;
	free(tail);
	return path;
}

/* --- the host ---------------------------------------------------------------------- */

static int
read_word(const char *path, char *buf, size_t size, struct error *e)
{
	char	*text = file_read(path, 4096, NULL, e);

	if (text == NULL)
		return -1;
	snprintf(buf, size, "%s", trim(text));
	free(text);
	return 0;
}

int
host_load(struct host *h, const struct config *c, struct error *e)
{
	char		*path = config_path(c, "host-id");
	char		 boot[64];
	struct stat	 ns, file;
	int		 r;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "host-id");
	r = read_word(path, h->uuid, sizeof(h->uuid), e);
	if (r == 0 && stat(path, &file) == -1)
		r = error_errno(e, EX_NOINPUT, "%s", path);
	free(path);
	if (r == -1 || read_word("/proc/sys/kernel/random/boot_id", boot,
	    sizeof(boot), e) == -1)
		return -1;
	if (!name_is_token(h->uuid))
		return error_set(e, EX_CONFIG, "%s/host-id: not an id; remove"
		    " it and run `reeve init`", c->state);
	/* CLOCK_BOOTTIME is only one clock within one time namespace. */
	if (stat("/proc/self/ns/time", &ns) == -1)
		ns.st_ino = 0;
	snprintf(h->identity, sizeof(h->identity), "%s/%s/%llu/%llx-%llx",
	    h->uuid, boot, (unsigned long long)ns.st_ino,
	    (unsigned long long)file.st_dev, (unsigned long long)file.st_ino);
	return 0;
}

int
host_create(const struct config *c, struct error *e)
{
	char	*path = config_path(c, "host-id"), uuid[40];
	int	 r = 0;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "host-id");
	if (access(path, F_OK) == -1) {
		message_new_id(uuid);
		strncat(uuid, "\n", sizeof(uuid) - strlen(uuid) - 1);
		r = file_write_private(path, uuid, 0644, e) == -1 ? -1 : 1;
	}
	free(path);
	return r;
}
