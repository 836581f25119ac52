/* SPDX-License-Identifier: ISC */

/* What a manager may ask for, and nothing else. */
#include <string.h>

#include "names.h"
#include "signer.h"

#define NAME_MOST	64
#define ASKER_MOST	128
#define CHANNELS_MOST	256
#define YEAR_S		(366L * 24 * 3600)
#define ONCE_S		60	/* who may make consumers, or empty streams */

/* What a request of a profile says beside its key and for whom. */
enum {
	MUST_NAME = 1 << 0,
	MAY_ROLE = 1 << 1,
	MUST_TARGET = 1 << 2,
	MAY_CHANNELS = 1 << 3,		/* and capabilities */
	MAY_LAST = 1 << 4,		/* without a ttl: does not expire */
};

static const struct grantable {
	enum profile	profile;
	unsigned	says;
	long		ttl_most_s;
} grantable[] = {
	{ PROFILE_AGENT, MUST_NAME | MAY_ROLE | MAY_CHANNELS | MAY_LAST,
	    YEAR_S },
	{ PROFILE_PTY, MUST_TARGET | MAY_LAST, YEAR_S },
	{ PROFILE_PROVISIONER, MUST_TARGET | MAY_ROLE, ONCE_S },
	{ PROFILE_PURGER, 0, ONCE_S },
};
#define N_GRANTABLE	(sizeof(grantable) / sizeof(grantable[0]))

#define STRING(key, member, must, most)					\
	{ .name = key, .type = JSON_STRING, .required = must,		\
	    .max = most, .offset = offsetof(struct mint, member) }
#define LIST(key, member)						\
	{ .name = key, .type = JSON_STRINGS,				\
	    .offset = offsetof(struct mint, member),			\
	    .present = offsetof(struct mint, has_##member) }
static const struct json_field fields[] = {
	STRING("profile", profile, true, NAME_MOST),
	STRING("public", public, true, NAME_MOST),
	STRING("for", asker, true, ASKER_MOST),
	STRING("name", name, false, NAME_MOST),
	STRING("role", role, false, NAME_MOST),
	STRING("target", target, false, NAME_MOST),
	LIST("subscribe", subscribe),
	LIST("allow_subscribe", allow_subscribe),
	LIST("allow_publish", allow_publish),
	LIST("capabilities", capabilities),
	{ .name = "ttl_s", .type = JSON_U64,
	    .offset = offsetof(struct mint, ttl_s),
	    .present = offsetof(struct mint, has_ttl) },
	JSON_END };
#undef LIST
#undef STRING

/* --- reading ------------------------------------------------------------- */

/* Of what is refused, as much as the log wants of it. */
static void
read_some(struct mint *m)
{
	const struct {
		const char	 *name;
		char		**where;
	} said[] = { { "profile", &m->profile }, { "public", &m->public },
	    { "for", &m->asker } };
	const cJSON	*v;
	size_t		 i;

	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		v = json_get(m->tree, said[i].name);
		*said[i].where = cJSON_IsString(v) ? v->valuestring : NULL;
	}
}

int
mint_read(struct mint *m, const char *manager, const char *data, size_t len,
    struct error *e)
{
	memset(m, 0, sizeof(*m));
	m->manager = manager;
	if ((m->tree = json_parse(data, len, e)) == NULL)
		return -1;
	if (!cJSON_IsObject(m->tree))
		return error_set(e, EX_DATAERR, "expected an object");
	if (json_read_strict(m->tree, fields, m, "", e) == 0)
		return 0;
	read_some(m);
	return -1;
}

void
mint_free(struct mint *m)
{
	json_strings_free(&m->subscribe);
	json_strings_free(&m->allow_subscribe);
	json_strings_free(&m->allow_publish);
	json_strings_free(&m->capabilities);
	cJSON_Delete(m->tree);
	memset(m, 0, sizeof(*m));
}

/* --- judging ------------------------------------------------------------- */

static const struct grantable *
find_grantable(const char *name)
{
	size_t	i;

	for (i = 0; i < N_GRANTABLE; i++)
		if (strcmp(profile_name(grantable[i].profile), name) == 0)
			return &grantable[i];
	return NULL;
}

/* A key that already means somebody else would make two of them one. */
static int
check_key(const struct mint *m, struct error *e)
{
	if (!nkey_public_valid(m->public, NKEY_USER))
		return error_set(e, EX_USAGE, "public: not a user's key");
	if (strcmp(m->public, m->manager) == 0)
		return error_set(e, EX_NOPERM, "public: that is the manager's "
		    "own key");
	if (m->target != NULL && strcmp(m->public, m->target) == 0)
		return error_set(e, EX_NOPERM, "public: that is the target's "
		    "own key");
	return 0;
}

/* Said, though the profile has nothing of the kind: the asker means something
 * else than it would get. */
static int
check_said(const struct mint *m, const struct grantable *g, struct error *e)
{
	const char	*stray = NULL;

	if (m->role != NULL && !(g->says & MAY_ROLE))
		stray = "role";
	else if (m->target != NULL && !(g->says & MUST_TARGET))
		stray = "target";
	else if ((m->has_subscribe || m->has_allow_subscribe ||
	    m->has_allow_publish) && !(g->says & MAY_CHANNELS))
		stray = "channels";
	else if (m->has_capabilities && !(g->says & MAY_CHANNELS))
		stray = "capabilities";
	if (stray != NULL)
		return error_set(e, EX_USAGE, "%s: not of profile \"%s\"",
		    stray, m->profile);
	if (m->target == NULL && (g->says & MUST_TARGET))
		return error_set(e, EX_USAGE, "target: is missing");
	if (m->name == NULL && (g->says & MUST_NAME))
		return error_set(e, EX_USAGE, "name: is missing");
	return 0;
}

static int
check_names(const struct mint *m, struct error *e)
{
	if (m->name != NULL && !name_is_token(m->name))
		return error_set(e, EX_USAGE, "name: expected letters, "
		    "digits, _ and -");
	if (m->role != NULL && !name_is_token(m->role))
		return error_set(e, EX_USAGE, "role: expected letters, "
		    "digits, _ and -");
	if (m->asker[0] == '\0')
		return error_set(e, EX_USAGE, "for: is empty");
	return 0;
}

static int
check_lists(struct mint *m, struct error *e)
{
	size_t	i;

	if (m->subscribe.n > CHANNELS_MOST ||
	    m->allow_subscribe.n > CHANNELS_MOST ||
	    m->allow_publish.n > CHANNELS_MOST)
		return error_set(e, EX_USAGE, "more than %d channels in a "
		    "list", CHANNELS_MOST);
	for (i = 0; i < m->capabilities.n; i++) {
		if (strcmp(m->capabilities.v[i], "spawn") != 0)
			return error_set(e, EX_NOPERM, "capabilities: \"%.64s\""
			    " is none that an agent can have",
			    m->capabilities.v[i]);
		m->scope.spawn = true;
	}
	return 0;
}

static int
check_ttl(struct mint *m, const struct grantable *g, struct error *e)
{
	if (!m->has_ttl) {
		m->ttl_s = g->says & MAY_LAST ? 0 : (uint64_t)g->ttl_most_s;
		return 0;
	}
	if (m->ttl_s > (uint64_t)g->ttl_most_s ||
	    (m->ttl_s == 0 && !(g->says & MAY_LAST)))
		return error_set(e, EX_NOPERM, "ttl_s: profile \"%s\" lasts "
		    "from 1 to %ld s", m->profile, g->ttl_most_s);
	return 0;
}

/* Defaults are filled in here, so that the log has what was granted. */
static void
fill_scope(struct mint *m)
{
	static char		 general[] = "general";
	static char *const	 by_default[] = { general };
	static char *const	 none[] = { NULL };
	struct scope		*s = &m->scope;

	s->target = m->target;
	s->name = m->name;
	s->role = m->role;
	s->subscribe = by_default;
	s->n_subscribe = 1;
	if (m->has_subscribe) {
		s->subscribe = m->subscribe.n == 0 ? none : m->subscribe.v;
		s->n_subscribe = m->subscribe.n;
	}
	s->allow_subscribe = s->subscribe;
	s->n_allow_subscribe = s->n_subscribe;
	if (m->has_allow_subscribe) {
		s->allow_subscribe = m->allow_subscribe.n == 0 ? none :
		    m->allow_subscribe.v;
		s->n_allow_subscribe = m->allow_subscribe.n;
	}
	s->allow_publish = m->allow_publish.v;
	s->n_allow_publish = m->allow_publish.n;
}

/* The channels themselves are the profile's to check, when it is filled. */
int
mint_judge(struct mint *m, struct error *e)
{
	const struct grantable	*g = find_grantable(m->profile);

	if (g == NULL)
		return error_set(e, EX_NOPERM, "profile \"%.64s\" is not given "
		    "to a manager", m->profile);
	m->which = g->profile;
	if (check_said(m, g, e) == -1 || check_key(m, e) == -1 ||
	    check_names(m, e) == -1 || check_lists(m, e) == -1)
		return -1;
	fill_scope(m);
	return check_ttl(m, g, e);
}
