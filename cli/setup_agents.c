/* SPDX-License-Identifier: ISC */

/*
 * What `reeve init` makes where agents are to be run: signer, manager, canary.
 * Where root runs them the signer may be a user of its own: whose auth/ is.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
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

/* --- a user of its own -------------------------------------------------------- */

/* From now on: what is its own follows whom auth/ belongs to. */
static int
set_user(struct setup *s, struct error *e)
{
	const struct passwd	*pw;
	char			*path;
	struct stat		 st;
	int			 r = 0;

	if (s->signer_user == NULL)
		return 0;
	if (geteuid() != 0)
		return error_set(e, EX_NOPERM, "--signer-user: only root can "
		    "run a process as another user");
	if ((pw = getpwnam(s->signer_user)) == NULL)
		return error_set(e, EX_NOUSER, "--signer-user: there is no "
		    "user \"%s\"", s->signer_user);
	if ((path = config_path(s->config, "auth")) == NULL)
		return error_errno(e, EX_OSERR, "auth");
	if (stat(path, &st) == -1 || (st.st_uid != pw->pw_uid &&
	    lchown(path, pw->pw_uid, pw->pw_gid) == -1))
		r = error_errno(e, EX_CANTCREAT, "%s", path);
	else if (st.st_uid != pw->pw_uid)
		setup_say(s, "the signer is %s", s->signer_user);
	free(path);
	return r;
}

/* Given to it, made empty if it is not there; nothing that it has put there
 * as another name of somebody else's file. */
static int
give(struct setup *s, const char *file, const struct stat *owner,
    struct error *e)
{
	char		*path = config_path(s->config, "%s", file);
	struct stat	 st;
	int		 fd = -1, r = 0;

	if (path == NULL || dir_make_parent(path, 0700, e) == -1 ||
	    (fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC, 0600)) == -1 || fstat(fd, &st) == -1)
		r = error_errno(e, EX_CANTCREAT, "%s", file);
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		r = error_set(e, EX_NOPERM, "%s is not a file of one name",
		    path);
	else if ((st.st_uid != owner->st_uid || st.st_gid != owner->st_gid) &&
	    fchown(fd, owner->st_uid, owner->st_gid) == -1)
		r = error_errno(e, EX_CANTCREAT, "%s", file);
	if (fd != -1)
		close(fd);
	free(path);
	return r;
}

/* Others may pass to what is theirs there, and see nothing else. */
static int
let_pass(struct setup *s, const char *dir, struct error *e)
{
	char		*path = config_path(s->config, "%s", dir);
	struct stat	 st;
	int		 r = 0;

	if (path == NULL || stat(path, &st) == -1 ||
	    ((st.st_mode & 0111) != 0111 &&
	    chmod(path, (st.st_mode & 07777) | 0111) == -1))
		r = error_errno(e, EX_CANTCREAT, "%s", dir);
	free(path);
	return r;
}

/* How it becomes that user; root needs nothing for it. */
static int
set_limits(struct setup *s, const struct stat *owner, struct error *e)
{
	char	*path = config_path(s->config, "service/signer/limits");
	char	 text[80];
	int	 r = 0;

	snprintf(text, sizeof(text), "user = %lu\ngroup = %lu\n"
	    "no-new-privs = yes\n", (unsigned long)owner->st_uid,
	    (unsigned long)owner->st_gid);
	if (path == NULL)
		r = error_errno(e, EX_OSERR, "limits");
	else if (owner->st_uid != 0)
		r = setup_write(s, path, text, 0644, e);
	else if (unlink(path) == 0)
		setup_say(s, "removed %s", path);
	else if (errno != ENOENT)
		r = error_errno(e, EX_CANTCREAT, "%s", path);
	free(path);
	return r;
}

/* What a signer of another user reads and writes; or root again, where that
 * is asked for. */
static int
settle_user(struct setup *s, struct error *e)
{
	static const char *const	files[] = { "auth/signer.json",
		    "creds/signer.creds", "lock/signer", "audit.log" };
	static const char *const	dirs[] = { ".", "creds", "lock",
		    "service", "service/signer" };
	char				*path = config_path(s->config, "auth");
	struct stat			 auth;
	size_t				 i;
	int				 r = 0;

	if (path == NULL || stat(path, &auth) == -1)
		r = error_errno(e, EX_CANTCREAT, "auth");
	free(path);
	if (r == -1 || geteuid() != 0 ||
	    (auth.st_uid == 0 && s->signer_user == NULL))
		return r;
	for (i = 0; r == 0 && i < sizeof(files) / sizeof(files[0]); i++)
		r = give(s, files[i], &auth, e);
	for (i = 0; r == 0 && auth.st_uid != 0 &&
	    i < sizeof(dirs) / sizeof(dirs[0]); i++)
		r = let_pass(s, dirs[i], e);
	return r == 0 ? set_limits(s, &auth, e) : -1;
}

/* --- all of it ------------------------------------------------------------------ */

int
setup_agents_creds(struct setup *s, struct error *e)
{
	struct scope	scope;
	size_t		i;

	if (s->config->workspace == NULL && s->signer_user != NULL)
		return error_set(e, EX_USAGE, "--signer-user: there is no "
		    "signer here; `reeve init --workspace DIR` "
		    "makes one");
	if (s->config->workspace == NULL)
		return 0;
	if (make_seed(s, e) == -1 || set_user(s, e) == -1)
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

int
setup_agents_services(struct setup *s, struct error *e)
{
	char	needs[64];
	size_t	i;

	for (i = 0; s->config->workspace != NULL && i < N_HOST_ROLES; i++) {
		snprintf(needs, sizeof(needs), "%s%s", s->config->embedded ?
		    "broker\n" : "", host_roles[i].needs);
		if (setup_service(s, host_roles[i].role, host_roles[i].role,
		    "", needs, e) == -1)
			return -1;
	}
	if (s->config->workspace == NULL)
		return 0;
	/* It needs no broker, and no credentials. */
	if (setup_service(s, "canary", "canary", "", "", e) == -1)
		return -1;
	return settle_user(s, e);
}
