/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "json.h"
#include "setup.h"

const char *const setup_roles[] = { "lease", "fanout", "reader", "control",
	NULL };

static const enum profile role_profiles[] = { PROFILE_LEASE, PROFILE_FANOUT,
	PROFILE_READER, PROFILE_CONTROL };

void
setup_say(struct setup *s, const char *fmt, ...)
{
	char	line[PATH_MAX + 128];
	va_list	ap;

	s->changes++;
	if (s->quiet)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (s->say != NULL)
		s->say(s->say_arg, line);
	else
		puts(line);
}

/* --- programs ---------------------------------------------------------------- */

/* The directory that this program is in, when another of ours is there. */
static char *
beside_us(const char *name)
{
	char	self[PATH_MAX];

	return file_own_dir(self, sizeof(self)) == -1 ? NULL :
	    file_program(self, strlen(self), name);
}

/*
 * dir as it is seen from here: where this program stands in place of BINDIR,
 * after a staged install or once the tree was moved.  malloc'd, or NULL.
 */
static char *
moved_with_us(const char *dir, const char *name)
{
	const char	*from = BINDIR, *to = dir, *p, *q;
	char		 self[PATH_MAX], *slash, *path = NULL;

	if (file_own_dir(self, sizeof(self)) == -1)
		return NULL;
	/* What both have in common moves along. */
	for (p = from, q = to; *p != '\0' && *p == *q; p++, q++)
		if (*p == '/') {
			from = p;
			to = q;
		}
	if ((*p == '\0' && *q == '/') || (*p == '/' && *q == '\0')) {
		from = p;
		to = q;
	}
	/* Up from each directory of BINDIR's rest. */
	for (; *from != '\0'; from++)
		if (*from == '/' && from[1] != '\0') {
			if ((slash = strrchr(self, '/')) == NULL)
				return NULL;
			*slash = '\0';
		}
	if (asprintf(&path, "%s%s/%s", self, to, name) == -1)
		return NULL;
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

char *
setup_program(const char *name, struct error *e)
{
	const char	*dir = strcmp(name, "reeved") == 0 ? SBINDIR :
			    PKGLIBEXECDIR;
	char		*path = beside_us(name);

	if (path != NULL || (path = moved_with_us(dir, name)) != NULL)
		return path;
	if (asprintf(&path, "%s/%s", dir, name) == -1) {
		error_errno(e, EX_OSERR, "%s", name);
		return NULL;
	}
	if (access(path, X_OK) == 0)
		return path;
	error_errno(e, EX_UNAVAILABLE, "%s", path);
	free(path);
	return NULL;
}

char *
setup_nats_server(struct error *e)
{
	const char	*given = getenv("REEVE_NATS_SERVER");
	const char	*dirs = getenv("PATH"), *p;
	char		*path = NULL;

	if (given != NULL && given[0] != '\0')
		return strdup(given);
	for (p = dirs; path == NULL && p != NULL && *p != '\0';
	    p += *p == ':') {
		path = file_program(p, strcspn(p, ":"), "nats-server");
		p += strcspn(p, ":");
	}
	/* Debian's is in sbin, which a user's PATH may lack. */
	if (path == NULL)
		path = file_program("/usr/sbin", 9, "nats-server");
	if (path == NULL)
		error_set(e, EX_UNAVAILABLE, "nats-server is not installed: "
		    "`apt-get install nats-server`, or give --server URL of "
		    "a broker that runs");
	return path;
}

/* --- trust and credentials ------------------------------------------------------- */

int
setup_load_import(struct trust *t, const struct config *c,
    const char *import, struct error *e)
{
	if (trust_load(t, import, e) == -1)
		return -1;
	if (strcmp(t->space, c->space) != 0)
		error_set(e, EX_CONFIG, "%s is of space \"%s\", not \"%s\": "
		    "give --space %s", import, t->space, c->space, t->space);
	else if (c->embedded && trust_is_stripped(t))
		error_set(e, EX_CONFIG, "%s lacks the operator's part, which "
		    "a broker of our own needs: give --server URL", import);
	else
		return 0;
	trust_wipe(t);
	return -1;
}

static int
import_trust(struct setup *s, const char *import, const char *path,
    struct error *e)
{
	if (setup_load_import(&s->trust, s->config, import, e) == -1)
		return -1;
	if (trust_save(&s->trust, path, e) == -1)
		return -1;
	setup_say(s, "imported the trust of space %s", s->config->space);
	return 0;
}

static int
check_trust(struct setup *s, const char *import, const char *path,
    struct error *e)
{
	struct trust	other;
	int		r = 0;

	if (trust_load(&s->trust, path, e) == -1)
		return -1;
	if (strcmp(s->trust.space, s->config->space) != 0)
		return error_set(e, EX_CONFIG, "%s is of space \"%s\"", path,
		    s->trust.space);
	if (import == NULL)
		return 0;
	if (trust_load(&other, import, e) == -1)
		return -1;
	if (strcmp(other.account_pub, s->trust.account_pub) != 0)
		r = error_set(e, EX_CONFIG, "%s is there already and is of "
		    "another account than %s", path, import);
	trust_wipe(&other);
	return r;
}

int
setup_trust(struct setup *s, const char *import, struct error *e)
{
	char	*path = config_path(s->config, "trust/auth.json");
	int	 r;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "trust");
	if (access(path, F_OK) == 0)
		r = check_trust(s, import, path, e);
	else if (import != NULL)
		r = import_trust(s, import, path, e);
	else {
		r = trust_new(&s->trust, s->config->space, e);
		if (r == 0 && (r = trust_save(&s->trust, path, e)) == 0)
			setup_say(s, "made the trust of space %s",
			    s->config->space);
	}
	free(path);
	return r;
}

/* Another version may grant a role other things: the same key, a new JWT. */
static int
renew_cred(struct setup *s, const char *role, enum profile profile,
    struct scope *scope, struct creds *c, const char *path, struct error *e)
{
	struct creds	 fresh;
	cJSON		*was, *is;
	bool		 same;
	int		 r;

	memset(&fresh, 0, sizeof(fresh));
	fresh.key = c->key;
	if (trust_mint(&s->trust, profile, scope, 0, &fresh, e) == -1) {
		creds_wipe(&fresh);
		return -1;
	}
	was = jwt_decode(c->jwt, NULL);
	is = jwt_decode(fresh.jwt, NULL);
	same = cJSON_Compare(json_get(was, "nats"), json_get(is, "nats"),
	    true);
	cJSON_Delete(was);
	cJSON_Delete(is);
	r = same ? 0 : creds_save(&fresh, path, e);
	if (!same && r == 0)
		setup_say(s, "renewed the credential of %s: it grants other "
		    "things now", role);
	creds_wipe(&fresh);
	return r;
}

int
setup_cred(struct setup *s, const char *file, const char *role,
    enum profile profile, struct scope *scope, struct error *e)
{
	char		*path = config_path(s->config, "creds/%s.creds",
			    file);
	struct creds	 c;
	int		 r;

	if (path == NULL)
		return error_errno(e, EX_OSERR, "creds");
	memset(&c, 0, sizeof(c));
	if (access(path, F_OK) == 0) {
		if ((r = creds_load(&c, path, e)) == 0)
			r = renew_cred(s, role, profile, scope, &c, path, e);
	} else if ((r = trust_mint(&s->trust, profile, scope, 0, &c, e)) == 0
	    && (r = creds_save(&c, path, e)) == 0)
		setup_say(s, "made the credential of %s", role);
	creds_wipe(&c);
	free(path);
	return r;
}

static int
mint_role(struct setup *s, size_t i, unsigned shard, struct error *e)
{
	struct scope	scope = { .space = s->config->space, .shard = shard,
			    .shards = s->shards };
	char		name[64], file[64];

	setup_role_name(name, sizeof(name), setup_roles[i], shard, s->shards);
	snprintf(file, sizeof(file), "%s-%u", setup_roles[i], shard);
	return setup_cred(s, file, name, role_profiles[i], &scope, e);
}

int
setup_creds(struct setup *s, struct error *e)
{
	unsigned	shard;
	size_t		i;

	for (shard = 0; shard < s->shards; shard++)
		for (i = 0; setup_roles[i] != NULL; i++)
			if (mint_role(s, i, shard, e) == -1)
				return -1;
	return setup_agents_creds(s, e);
}

/* --- files -------------------------------------------------------------------------- */

int
setup_write(struct setup *s, const char *path, const char *text, mode_t mode,
    struct error *e)
{
	char	*was = NULL;
	int	 r = 0;

	if (access(path, F_OK) == 0 &&
	    (was = file_read(path, 1024 * 1024, NULL, e)) == NULL)
		return -1;
	if (was == NULL || strcmp(was, text) != 0) {
		if (dir_make_parent(path, 0700, e) == -1 ||
		    (r = file_write_private(path, text, mode, e)) == -1)
			r = -1;
		else
			setup_say(s, "wrote %s", path);
	}
	free(was);
	return r;
}

int
setup_broker(struct setup *s, struct error *e)
{
	char			*path, *store, *text = NULL;
	struct server_conf	 conf = { .host = s->config->listen_host,
				    .port = s->config->listen_port };
	int			 r = -1;

	if (!s->config->embedded)
		return 0;
	path = config_path(s->config, "broker/nats.conf");
	store = config_path(s->config, "broker/data");
	conf.store_dir = store;
	if (path == NULL || store == NULL)
		error_errno(e, EX_OSERR, "broker");
	else if ((text = trust_server_conf(&s->trust, &conf, e)) != NULL &&
	    dir_make(store, 0700, e) == 0)
		r = setup_write(s, path, text, 0600, e);
	free(text);
	free(store);
	free(path);
	return r;
}
