/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentfile.h"
#include "files.h"
#include "names.h"
#include "sessionconf.h"

#define SERVERS_DEFAULT	"nats://127.0.0.1:4222"
#define CHANNEL_DEFAULT	"general"

/* What it is read from. */
struct sources {
	struct session_conf	*conf;
	struct agent_file	 file;
	bool			 has_file;
	struct join_link	 link;
	bool			 has_link;
};

/* A variable that is set to nothing is not set. */
static const char *
variable(const char *name)
{
	const char	*s = getenv(name);

	return s == NULL || s[0] == '\0' ? NULL : s;
}

static int
no_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory");
}

static int
copy(char **to, const char *from, struct error *e)
{
	if (from == NULL)
		return 0;
	free(*to);
	return (*to = strdup(from)) == NULL ? no_memory(e) : 0;
}

/* The variable, else what else says so (may be NULL). */
static int
text(char **to, const char *name, const char *otherwise, struct error *e)
{
	const char	*s = variable(name);

	return copy(to, s != NULL ? s : otherwise, e);
}

static int
flag(bool *to, const char *name, struct error *e)
{
	const char	*s = variable(name);

	if (s == NULL)
		return 0;
	if (strcmp(s, "1") != 0 && strcmp(s, "0") != 0)
		return error_set(e, EX_CONFIG, "%s: expected 1 or 0", name);
	*to = s[0] == '1';
	return 0;
}

/* --- lists ------------------------------------------------------------------- */

/* The variable's if it is there, empty ones too; true then. */
static bool
list(struct strlist *to, const char *name, struct error *e, int *rc)
{
	const char	*s = getenv(name);

	*rc = 0;
	if (s == NULL)
		return false;
	if (!strlist_split(to, s, ','))
		*rc = no_memory(e);
	return true;
}

static int
list_or(struct strlist *to, const char *name, char *const *v, size_t n,
    struct error *e)
{
	int	rc;

	if (list(to, name, e, &rc))
		return rc;
	return strlist_add_all(to, v, n) ? 0 : no_memory(e);
}

static int
check_channels(const struct strlist *l, const char *what,
    const struct strlist *inside, bool concrete, struct error *e)
{
	size_t	i;

	for (i = 0; i < l->n; i++) {
		if (!channel_is_valid(l->v[i]) ||
		    (concrete && !channel_is_concrete(l->v[i])))
			return error_set(e, EX_CONFIG, "%s: \"%.128s\" is not "
			    "a %schannel", what, l->v[i],
			    concrete ? "single " : "");
		if (inside != NULL &&
		    !channel_covered(l->v[i], inside->v, inside->n))
			return error_set(e, EX_CONFIG, "%s: \"%.128s\" is "
			    "outside allowSubscribe", what, l->v[i]);
	}
	return 0;
}

static int
read_subscribe(struct sources *src, struct error *e)
{
	static char	 name[] = CHANNEL_DEFAULT;
	char		*general[] = { name };
	struct agent_acl acl = { .subscribe = general, .n_subscribe = 1 };

	if (src->has_file)
		agent_file_acl(&src->file, &acl);
	if (src->has_link && src->link.n_channels > 0) {
		acl.subscribe = src->link.channels;
		acl.n_subscribe = src->link.n_channels;
	}
	return list_or(&src->conf->subscribe, "COTAL_SUBSCRIBE",
	    acl.subscribe, acl.n_subscribe, e);
}

/* Where credentials say what it may, a file that is silent means little; where
 * there are none, it may all. */
static int
read_allowed(struct sources *src, struct error *e)
{
	static char		 rest[] = ">";
	char			*all[] = { rest };
	struct session_conf	*c = src->conf;
	bool			 bound = c->creds.jwt != NULL || src->has_file;
	char			*const *v = bound ? c->subscribe.v : all;
	size_t			 n = bound ? c->subscribe.n : 1;
	struct agent_acl	 acl = { .n_allow_publish = 0 };

	if (src->has_file)
		agent_file_acl(&src->file, &acl);
	if (src->has_file && src->file.allow_subscribe.given) {
		v = acl.allow_subscribe;
		n = acl.n_allow_subscribe;
	}
	if (list_or(&c->allow_subscribe, "COTAL_ALLOW_SUBSCRIBE", v, n, e) ==
	    -1)
		return -1;
	return list_or(&c->allow_publish, "COTAL_ALLOW_PUBLISH",
	    bound ? acl.allow_publish : all, bound ? acl.n_allow_publish : 1,
	    e);
}

static int
read_channels(struct sources *src, struct error *e)
{
	struct session_conf	*c = src->conf;
	struct agent_file	*f = &src->file;
	size_t			 i;

	if (read_subscribe(src, e) == -1 || read_allowed(src, e) == -1 ||
	    list_or(&c->quiet, "COTAL_QUIET", f->quiet.items.v,
	    f->quiet.items.n, e) == -1 ||
	    list_or(&c->muted, "COTAL_MUTED", f->muted.items.v,
	    f->muted.items.n, e) == -1)
		return -1;
	if (check_channels(&c->allow_subscribe, "allowSubscribe", NULL, false,
	    e) == -1 ||
	    check_channels(&c->allow_publish, "allowPublish", NULL, false,
	    e) == -1 ||
	    check_channels(&c->subscribe, "subscribe", &c->allow_subscribe,
	    false, e) == -1 ||
	    check_channels(&c->quiet, "quiet", &c->allow_subscribe, true,
	    e) == -1 ||
	    check_channels(&c->muted, "muted", &c->allow_subscribe, true,
	    e) == -1)
		return -1;
	for (i = 0; i < c->quiet.n; i++)
		if (strlist_has(&c->muted, c->quiet.v[i]))
			return error_set(e, EX_CONFIG, "\"%.128s\" is both "
			    "quiet and muted", c->quiet.v[i]);
	return 0;
}

/* --- how it gets there --------------------------------------------------------- */

static int
read_creds(struct session_conf *c, struct error *e)
{
	const char	*path = variable("COTAL_CREDS");
	const char	*id = variable("COTAL_ID");

	if (path == NULL)
		return 0;
	if (creds_load(&c->creds, path, e) == -1)
		return error_wrap(e, "COTAL_CREDS");
	if (id != NULL && strcmp(id, c->creds.key.public) != 0)
		return error_set(e, EX_CONFIG, "COTAL_ID is %.64s, but the "
		    "credentials are of %s", id, c->creds.key.public);
	return 0;
}

static int
read_link(struct sources *src, struct error *e)
{
	struct session_conf	*c = src->conf;
	struct join_link	*l = &src->link;

	if (text(&c->space, "COTAL_SPACE", l->space, e) == -1 ||
	    text(&c->servers, "COTAL_SERVERS", l->server != NULL ? l->server :
	    SERVERS_DEFAULT, e) == -1 ||
	    text(&c->token, "COTAL_TOKEN", l->token, e) == -1)
		return -1;
	if (c->token == NULL && l->user != NULL &&
	    (copy(&c->user, l->user, e) == -1 ||
	    copy(&c->pass, l->pass, e) == -1))
		return -1;
	c->tls = l->tls;
	if (flag(&c->tls, "COTAL_TLS", e) == -1)
		return -1;
	if (c->space == NULL)
		return error_set(e, EX_CONFIG, "no space: set COTAL_SPACE, or "
		    "COTAL_LINK to a link that names one");
	if (c->creds.jwt != NULL && (c->token != NULL || c->user != NULL))
		return error_set(e, EX_CONFIG, "credentials and a token: set "
		    "COTAL_CREDS, or COTAL_TOKEN or a link with one");
	return 0;
}

/* --- who it is ------------------------------------------------------------------- */

static int
read_card(struct sources *src, struct error *e)
{
	struct session_conf	*c = src->conf;
	struct agent_file	*f = &src->file;

	if (text(&c->name, "COTAL_NAME", f->name, e) == -1 ||
	    text(&c->role, "COTAL_ROLE", f->role, e) == -1 ||
	    text(&c->kind, "COTAL_KIND", f->kind, e) == -1 ||
	    text(&c->model, "COTAL_MODEL", f->model, e) == -1 ||
	    copy(&c->description, f->description, e) == -1 ||
	    list_or(&c->capabilities, "COTAL_CAPABILITIES",
	    f->capabilities.items.v, f->capabilities.items.n, e) == -1)
		return -1;
	if (!strlist_add_all(&c->tags, f->tags.items.v, f->tags.items.n))
		return no_memory(e);
	if (c->name != NULL && !name_is_instance(c->name))
		return error_set(e, EX_CONFIG, "\"%.64s\" cannot be a name",
		    c->name);
	if (c->role != NULL && !name_is_token(c->role))
		return error_set(e, EX_CONFIG, "\"%.64s\" cannot be a role",
		    c->role);
	if (c->kind != NULL && strcmp(c->kind, "agent") != 0 &&
	    strcmp(c->kind, "endpoint") != 0)
		return error_set(e, EX_CONFIG, "COTAL_KIND: expected agent or "
		    "endpoint, not \"%.64s\"", c->kind);
	return 0;
}

static int
read_file(struct sources *src, struct error *e)
{
	const char	*ref = variable("COTAL_AGENT_FILE");

	if (ref == NULL)
		return 0;
	src->has_file = true;
	if (agent_file_load(&src->file, ".", ref, e) == -1)
		return error_wrap(e, "COTAL_AGENT_FILE");
	return 0;
}

/* What is wrong with a link is said without it: it has secrets. */
static int
parse_link(struct sources *src, struct error *e)
{
	const char	*s = variable("COTAL_LINK");

	if (s == NULL)
		return 0;
	src->has_link = true;
	if (join_link_parse(&src->link, s, e) == -1)
		return error_wrap(e, "COTAL_LINK");
	return 0;
}

static int
read_mesh(struct sources *src, struct error *e)
{
	if (variable("COTAL_NAME") == NULL && variable("COTAL_LINK") == NULL &&
	    variable("COTAL_AGENT_FILE") == NULL)
		return error_set(e, EX_CONFIG, "this session is on no mesh: "
		    "set COTAL_NAME (with COTAL_SPACE), COTAL_LINK or "
		    "COTAL_AGENT_FILE where it is started");
	if (parse_link(src, e) == -1 || read_file(src, e) == -1 ||
	    read_card(src, e) == -1 || read_creds(src->conf, e) == -1 ||
	    read_link(src, e) == -1)
		return -1;
	return read_channels(src, e);
}

/* --- all of it -------------------------------------------------------------------- */

/* Without a mesh there are hooks, too. */
static int
read_control(struct session_conf *c, struct error *e)
{
	const char	*path = variable("COTAL_CONTROL_SOCKET");
	const char	*token = variable("COTAL_CONTROL_TOKEN");

	if (path == NULL || token == NULL)
		return 0;
	if (copy(&c->control_socket, path, e) == -1)
		return -1;
	return copy(&c->control_token, token, e);
}

/* It starts nothing; but what is not there cannot be passed on. */
static void
forget_secrets(void)
{
	(void)unsetenv("COTAL_LINK");
	(void)unsetenv("COTAL_TOKEN");
	(void)unsetenv("COTAL_CONTROL_TOKEN");
}

int
session_conf_load(struct session_conf *c, struct error *e)
{
	struct sources	src = { .conf = c };
	struct error	why = { .code = 0 };
	int		rc = 0;

	memset(c, 0, sizeof(*c));
	c->channel = true;
	if (read_control(c, e) == -1)
		return -1;
	if (flag(&c->channel, "COTAL_CHANNEL", &why) == -1 ||
	    flag(&c->transcript, "COTAL_TRANSCRIPT", &why) == -1 ||
	    read_mesh(&src, &why) == -1) {
		snprintf(c->why_not, sizeof(c->why_not), "%s", why.text);
		if (why.code == EX_OSERR)
			rc = error_set(e, EX_OSERR, "%s", why.text);
	} else
		c->mesh = true;
	if (src.has_file)
		agent_file_free(&src.file);
	if (src.has_link)
		join_link_free(&src.link);
	forget_secrets();
	return rc;
}

static void
wipe(char *s)
{
	if (s != NULL)
		file_wipe(s);
}

void
session_conf_free(struct session_conf *c)
{
	struct strlist	*lists[] = { &c->tags, &c->subscribe,
			    &c->allow_subscribe, &c->allow_publish,
			    &c->capabilities, &c->quiet, &c->muted };
	char		*texts[] = { c->space, c->servers, c->name, c->role,
			    c->kind, c->description, c->model, c->user,
			    c->control_socket };
	size_t		 i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		strlist_free(lists[i]);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	wipe(c->token);
	wipe(c->pass);
	wipe(c->control_token);
	creds_wipe(&c->creds);
	memset(c, 0, sizeof(*c));
}

bool
session_conf_can(const struct session_conf *c, const char *capability)
{
	return strlist_has(&c->capabilities, capability);
}
