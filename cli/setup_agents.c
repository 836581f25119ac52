/* SPDX-License-Identifier: ISC */

/* What `reeve init` makes where agents are to be run: signer and manager. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "setup.h"

static const struct {
	const char	*role;
	enum profile	 profile;
	const char	*needs;		/* beside the broker, or "" */
} host_roles[] = {
	{ "signer", PROFILE_SIGNER, "" },
	{ "manager", PROFILE_MANAGER, "signer\n" },
};
#define N_HOST_ROLES	(sizeof(host_roles) / sizeof(host_roles[0]))

/* What is there of it, if it mints for this account with this key. */
static bool
is_same(const struct trust *t, const char *path)
{
	struct trust	there;
	bool		same;

	if (trust_load(&there, path, NULL) == -1)
		return false;
	same = trust_is_stripped(&there) &&
	    strcmp(there.space, t->space) == 0 &&
	    strcmp(there.account_pub, t->account_pub) == 0 &&
	    strcmp(there.signing_seed, t->signing_seed) == 0;
	trust_wipe(&there);
	return same;
}

/* The signer's own: it mints users, and can do nothing else. */
static int
make_seed(struct setup *s, struct error *e)
{
	char		*from = config_path(s->config, "trust/auth.json");
	char		*to = config_path(s->config, "auth/signer.json");
	struct trust	 t;
	int		 r = -1;

	memset(&t, 0, sizeof(t));
	if (from == NULL || to == NULL)
		error_errno(e, EX_OSERR, "trust");
	else if (is_same(&s->trust, to))
		r = 0;
	else if (trust_load(&t, from, e) == 0) {
		trust_strip(&t);
		if ((r = trust_save(&t, to, e)) == 0)
			setup_say(s, "gave the signer its seed");
	}
	trust_wipe(&t);
	free(to);
	free(from);
	return r;
}

int
setup_agents_creds(struct setup *s, struct error *e)
{
	struct scope	scope;
	size_t		i;

	if (s->config->workspace == NULL)
		return 0;
	if (make_seed(s, e) == -1)
		return -1;
	for (i = 0; i < N_HOST_ROLES; i++) {
		memset(&scope, 0, sizeof(scope));
		scope.space = s->config->space;
		if (setup_cred(s, host_roles[i].role, host_roles[i].role,
		    host_roles[i].profile, &scope, e) == -1)
			return -1;
	}
	return 0;
}

static bool
is_installed(const char *role)
{
	char	file[64], *path;

	snprintf(file, sizeof(file), "reeve-%s", role);
	path = setup_program(file, NULL);
	free(path);
	return path != NULL;
}

int
setup_agents_services(struct setup *s, struct error *e)
{
	char	needs[64];
	size_t	i;

	for (i = 0; s->config->workspace != NULL && i < N_HOST_ROLES; i++) {
		if (!is_installed(host_roles[i].role))
			continue;
		snprintf(needs, sizeof(needs), "%s%s", s->config->embedded ?
		    "broker\n" : "", host_roles[i].needs);
		if (setup_service(s, host_roles[i].role, host_roles[i].role,
		    "", needs, e) == -1)
			return -1;
	}
	return 0;
}
